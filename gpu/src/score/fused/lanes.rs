//! Sixteen numbers at once, on AVX-512, on AVX2 with FMA, and on anything.
//!
//! The only file of this crate with `unsafe` in it. An instruction set is a token that exists only where its instructions
//! were found at run time ([`Kernel::dispatch`]); every operation takes the token, so code that holds one can do no harm.
//!
//! **Same bits everywhere.** Every operation is one IEEE 754 operation per lane, correctly rounded, with x86's rule for
//! `max` and `min` of NaN and of zeros; nothing is summed across lanes. What is written once over [`Simd`] therefore gives
//! the same bits on all three.

/// Numbers worked on at once.
pub(super) const LANES: usize = 16;

/// One vector in memory. Its place should be a multiple of 64 bytes ([`super::aligned::Aligned`]); it need not be.
pub(super) type Line = [f32; LANES];

/// Work written once for every instruction set.
pub(super) trait Work {
    /// Does the work. Implementations are `#[inline(always)]`, as is everything hot that they call: only what is inlined
    /// into [`Simd::apart`] is compiled for its instructions.
    fn run<S: Simd>(self, simd: S);
}

/// An instruction set that this processor has.
pub(super) trait Simd: Copy {
    /// Sixteen numbers in registers.
    type V: Copy;

    /// Does `work` in a function of its own, compiled for this instruction set: the way in, and the way to give an inner
    /// loop all registers to itself, which a compiler spends on what surrounds the loop when it sees both at once. (Rust
    /// 1.95 ignores `#[inline(never)]` on a function with target features, hence on this one, which has none.)
    fn apart(self, work: impl Work);

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// From memory.
    fn load(self, line: &Line) -> Self::V;
    /// To memory.
    fn store(self, v: Self::V, line: &mut Line);
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a > b ? a : b`: the second when either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a < b ? a : b`: the second when either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a > b ? x : y`: `y` when either is NaN.
    fn select_greater(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `v` where `words` has the single bit of `bit` set, else 0.
    fn keep(self, v: Self::V, words: &[u32; LANES], bit: u32) -> Self::V;
}

/// A kernel: which instructions the scorer runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// AVX-512F.
    Avx512,
    /// AVX2 and FMA.
    Avx2,
    /// Whatever the build targets; the same bits as the other two, far slower where the processor cannot fuse.
    Portable,
}

impl Kernel {
    /// All of them, fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// Name for logs and for a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether this processor, and the system under us, can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::Avx2::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// The fastest that can run here.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|kernel| kernel.is_available()).unwrap_or(Self::Portable)
    }

    /// Neurons whose sums are kept in registers while the inputs pass by, largest first: enough for the next sum to start
    /// before the last is done (four cycles at two a cycle), few enough to leave room for an input and a weight.
    pub(super) const fn blocks(self) -> &'static [usize] {
        match self {
            Self::Avx512 => &[8, 4],
            // A sum is two registers of sixteen.
            Self::Avx2 | Self::Portable => &[4],
        }
    }

    /// Runs `work` on this kernel, or on the portable one where this one is not available. Detection is a load and a
    /// test: the standard library keeps what it found.
    #[inline]
    pub(super) fn dispatch(self, work: impl Work) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => match x86::Avx512::detect() {
                Some(simd) => simd.apart(work),
                None => Portable.apart(work),
            },
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => match x86::Avx2::detect() {
                Some(simd) => simd.apart(work),
                None => Portable.apart(work),
            },
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => Portable.apart(work),
            Self::Portable => Portable.apart(work),
        }
    }
}

/// No instructions beyond the build's own.
#[derive(Clone, Copy, Debug)]
struct Portable;

/// `a * b + c`, rounded once, without asking the processor: the product of two `f32` is exact in `f64`, and a sum rounded
/// to odd in `f64` rounds to the right `f32` (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
/// A call of the C library's `fmaf` would cost several times as much, and cannot be vectorised.
#[inline(always)]
fn fma_by_f64(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    // What the sum lost (Knuth's TwoSum): its sign says on which side of `sum` the true value lies.
    let back = sum - product;
    let lost = (product - (sum - back)) + (c - back);
    let bits = sum.to_bits();
    let toward_zero = (lost < 0.0) == (sum > 0.0);
    let is_inexact = lost != 0.0 && sum.is_finite();
    // To odd: the neighbour on the true value's side when `sum` is even, `sum` itself when it is odd.
    let step = if toward_zero { u64::MAX } else { 1 };
    let odd = if is_inexact && bits & 1 == 0 { bits.wrapping_add(step) } else { bits };
    #[expect(clippy::cast_possible_truncation, reason = "the one rounding")]
    let rounded = f64::from_bits(odd) as f32;
    rounded
}

/// `a * b + c`, rounded once: the processor's where the build may assume it, else by way of `f64`.
#[inline(always)]
fn fma(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        fma_by_f64(a, b, c)
    }
}

/// Lane by lane.
#[inline(always)]
fn zip(a: Line, b: Line, op: impl Fn(f32, f32) -> f32) -> Line {
    let mut out = a;
    for lane in 0..LANES {
        out[lane] = op(a[lane], b[lane]);
    }
    out
}

impl Simd for Portable {
    type V = Line;

    #[inline(never)]
    fn apart(self, work: impl Work) {
        work.run(self);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Line {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, line: &Line) -> Line {
        *line
    }

    #[inline(always)]
    fn store(self, v: Line, line: &mut Line) {
        *line = v;
    }

    #[inline(always)]
    fn fma(self, a: Line, b: Line, c: Line) -> Line {
        let mut out = c;
        for lane in 0..LANES {
            out[lane] = fma(a[lane], b[lane], c[lane]);
        }
        out
    }

    #[inline(always)]
    fn add(self, a: Line, b: Line) -> Line {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Line, b: Line) -> Line {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Line, b: Line) -> Line {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn max(self, a: Line, b: Line) -> Line {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, a: Line, b: Line) -> Line {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn select_greater(self, a: Line, b: Line, x: Line, y: Line) -> Line {
        let mut out = y;
        for lane in 0..LANES {
            out[lane] = if a[lane] > b[lane] { x[lane] } else { y[lane] };
        }
        out
    }

    #[inline(always)]
    fn keep(self, v: Line, words: &[u32; LANES], bit: u32) -> Line {
        let mut out = v;
        for lane in 0..LANES {
            out[lane] = if words[lane] & bit != 0 { v[lane] } else { 0.0 };
        }
        out
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_GT_OQ, _mm256_add_ps, _mm256_and_ps, _mm256_and_si256, _mm256_blendv_ps,
        _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpeq_epi32, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps,
        _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_castps_si512, _mm512_cmp_ps_mask,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_maskz_mov_ps, _mm512_max_ps,
        _mm512_min_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
        _mm512_test_epi32_mask,
    };

    use super::{LANES, Line, Simd, Work};

    /// Proof that this processor has AVX-512F: [`Avx512::detect`] is the only way to one.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Avx512(());

    impl Avx512 {
        #[inline]
        pub(super) fn detect() -> Option<Self> {
            is_x86_feature_detected!("avx512f").then_some(Self(()))
        }
    }

    #[target_feature(enable = "avx512f")]
    fn with_avx512(simd: Avx512, work: impl Work) {
        work.run(simd);
    }

    /// An operation of one instruction on registers alone.
    macro_rules! whole {
        ($name:ident($($operand:ident),+) = $instruction:ident) => {
            #[inline(always)]
            fn $name(self, $($operand: __m512),+) -> __m512 {
                // SAFETY: `self` exists, so the processor has AVX-512F; no memory is touched.
                unsafe { $instruction($($operand),+) }
            }
        };
    }

    impl Simd for Avx512 {
        type V = __m512;

        #[inline(never)]
        fn apart(self, work: impl Work) {
            // SAFETY: `self` exists, so the processor has AVX-512F, which is all that the callee asks for.
            unsafe { with_avx512(self, work) }
        }

        whole!(fma(a, b, c) = _mm512_fmadd_ps);
        whole!(add(a, b) = _mm512_add_ps);
        whole!(sub(a, b) = _mm512_sub_ps);
        whole!(mul(a, b) = _mm512_mul_ps);
        whole!(max(a, b) = _mm512_max_ps);
        whole!(min(a, b) = _mm512_min_ps);

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            // SAFETY: `self` exists, so the processor has AVX-512F; no memory is touched.
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        fn load(self, line: &Line) -> __m512 {
            // SAFETY: `self` exists, so the processor has AVX-512F; `line` is sixteen readable `f32`, and this load asks
            // for no alignment.
            unsafe { _mm512_loadu_ps(line.as_ptr()) }
        }

        #[inline(always)]
        fn store(self, v: __m512, line: &mut Line) {
            // SAFETY: `self` exists, so the processor has AVX-512F; `line` is sixteen writable `f32` that nobody else
            // sees, and this store asks for no alignment.
            unsafe { _mm512_storeu_ps(line.as_mut_ptr(), v) }
        }

        #[inline(always)]
        fn select_greater(self, a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
            // SAFETY: `self` exists, so the processor has AVX-512F; no memory is touched.
            let greater = unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) };
            // SAFETY: as above.
            unsafe { _mm512_mask_blend_ps(greater, y, x) }
        }

        #[inline(always)]
        fn keep(self, v: __m512, words: &[u32; LANES], bit: u32) -> __m512 {
            let words = self.load(&words.map(f32::from_bits));
            // SAFETY: `self` exists, so the processor has AVX-512F; no memory is touched.
            let words = unsafe { _mm512_castps_si512(words) };
            // SAFETY: as above.
            let bit = unsafe { _mm512_set1_epi32(bit.cast_signed()) };
            // SAFETY: as above.
            let kept = unsafe { _mm512_test_epi32_mask(words, bit) };
            // SAFETY: as above.
            unsafe { _mm512_maskz_mov_ps(kept, v) }
        }
    }

    /// Proof that this processor has AVX2 and FMA: [`Avx2::detect`] is the only way to one.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Avx2(());

    impl Avx2 {
        #[inline]
        pub(super) fn detect() -> Option<Self> {
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn with_avx2(simd: Avx2, work: impl Work) {
        work.run(simd);
    }

    /// Lanes 0 to 7, lanes 8 to 15.
    type Pair = [__m256; 2];

    /// An operation of one instruction on registers alone, on both halves.
    macro_rules! halves {
        ($name:ident($first:ident $(, $operand:ident)*) = $instruction:ident) => {
            #[inline(always)]
            fn $name(self, $first: Pair $(, $operand: Pair)*) -> Pair {
                // SAFETY: `self` exists, so the processor has AVX2 and FMA; no memory is touched.
                let low = unsafe { $instruction($first[0] $(, $operand[0])*) };
                // SAFETY: as above.
                let high = unsafe { $instruction($first[1] $(, $operand[1])*) };
                [low, high]
            }
        };
    }

    impl Avx2 {
        /// `y` where not `a > b`, else `x`, of one half.
        #[inline(always)]
        fn select_half(self, a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
            // SAFETY: `self` exists, so the processor has AVX2 and FMA; no memory is touched.
            let greater = unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) };
            // SAFETY: as above.
            unsafe { _mm256_blendv_ps(y, x, greater) }
        }

        /// `v` where `words` has the single bit of `bit`, else 0, of one half.
        #[inline(always)]
        fn keep_half(self, v: __m256, words: __m256, bit: u32) -> __m256 {
            // SAFETY: `self` exists, so the processor has AVX2 and FMA; no memory is touched.
            let words = unsafe { _mm256_castps_si256(words) };
            // SAFETY: as above.
            let bit = unsafe { _mm256_set1_epi32(bit.cast_signed()) };
            // SAFETY: as above.
            let found = unsafe { _mm256_and_si256(words, bit) };
            // SAFETY: as above.
            let kept = unsafe { _mm256_cmpeq_epi32(found, bit) };
            // SAFETY: as above.
            let mask = unsafe { _mm256_castsi256_ps(kept) };
            // SAFETY: as above.
            unsafe { _mm256_and_ps(v, mask) }
        }
    }

    impl Simd for Avx2 {
        type V = Pair;

        #[inline(never)]
        fn apart(self, work: impl Work) {
            // SAFETY: `self` exists, so the processor has AVX2 and FMA, which is all that the callee asks for.
            unsafe { with_avx2(self, work) }
        }

        halves!(fma(a, b, c) = _mm256_fmadd_ps);
        halves!(add(a, b) = _mm256_add_ps);
        halves!(sub(a, b) = _mm256_sub_ps);
        halves!(mul(a, b) = _mm256_mul_ps);
        halves!(max(a, b) = _mm256_max_ps);
        halves!(min(a, b) = _mm256_min_ps);

        #[inline(always)]
        fn splat(self, x: f32) -> Pair {
            // SAFETY: `self` exists, so the processor has AVX2 and FMA; no memory is touched.
            let half = unsafe { _mm256_set1_ps(x) };
            [half; 2]
        }

        #[inline(always)]
        fn load(self, line: &Line) -> Pair {
            let (halves, _) = line.as_chunks::<8>();
            // SAFETY: `self` exists, so the processor has AVX2 and FMA; the first half of `line` is eight readable
            // `f32`, and this load asks for no alignment.
            let low = unsafe { _mm256_loadu_ps(halves[0].as_ptr()) };
            // SAFETY: as above, of the second half.
            let high = unsafe { _mm256_loadu_ps(halves[1].as_ptr()) };
            [low, high]
        }

        #[inline(always)]
        fn store(self, v: Pair, line: &mut Line) {
            let (halves, _) = line.as_chunks_mut::<8>();
            // SAFETY: `self` exists, so the processor has AVX2 and FMA; the first half of `line` is eight writable
            // `f32` that nobody else sees, and this store asks for no alignment.
            unsafe { _mm256_storeu_ps(halves[0].as_mut_ptr(), v[0]) };
            // SAFETY: as above, of the second half.
            unsafe { _mm256_storeu_ps(halves[1].as_mut_ptr(), v[1]) };
        }

        #[inline(always)]
        fn select_greater(self, a: Pair, b: Pair, x: Pair, y: Pair) -> Pair {
            [self.select_half(a[0], b[0], x[0], y[0]), self.select_half(a[1], b[1], x[1], y[1])]
        }

        #[inline(always)]
        fn keep(self, v: Pair, words: &[u32; LANES], bit: u32) -> Pair {
            let words = self.load(&words.map(f32::from_bits));
            [self.keep_half(v[0], words[0], bit), self.keep_half(v[1], words[1], bit)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every operation once, on the same operands.
    struct Everything<'a> {
        operands: [Line; 3],
        words: [u32; LANES],
        bit: u32,
        out: &'a mut Vec<Line>,
    }

    impl Work for Everything<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let [a, b, c] = [s.load(&self.operands[0]), s.load(&self.operands[1]), s.load(&self.operands[2])];
            let results = [
                s.splat(self.operands[0][3]),
                s.fma(a, b, c),
                s.add(a, b),
                s.sub(a, b),
                s.mul(a, b),
                s.max(a, b),
                s.min(a, b),
                s.select_greater(a, b, c, a),
                s.keep(a, &self.words, self.bit),
            ];
            for v in results {
                let mut line = [0.0; LANES];
                s.store(v, &mut line);
                self.out.push(line);
            }
        }
    }

    /// Bits of a number; all NaN alike, whose sign and payload the standard leaves open.
    fn bits(x: f32) -> u32 {
        if x.is_nan() { u32::MAX } else { x.to_bits() }
    }

    fn of(kernel: Kernel, operands: [Line; 3], words: [u32; LANES], bit: u32) -> Vec<[u32; LANES]> {
        let mut out = Vec::new();
        kernel.dispatch(Everything { operands, words, bit, out: &mut out });
        out.iter().map(|line| line.map(bits)).collect()
    }

    /// Any number at all, and numbers so close to each other that sums cancel or tie.
    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![
            any::<u32>().prop_map(f32::from_bits),
            -8.0_f32..8.0,
            (-40_i16..40, -3_i16..4).prop_map(|(e, m)| f32::from(m) * (f32::from(e)).exp2()),
            prop::sample::select(vec![0.0, -0.0, 1.0, f32::MAX, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_kernel_gives_the_same_bits(
            operands in prop::array::uniform3(prop::array::uniform16(number())),
            words in prop::array::uniform16(any::<u32>()),
            bit in 0_u32..32,
        ) {
            let portable = of(Kernel::Portable, operands, words, 1 << bit);
            for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
                prop_assert_eq!(&of(kernel, operands, words, 1 << bit), &portable, "{:?}", kernel);
            }
        }

        #[test]
        fn a_fused_multiply_by_way_of_f64_is_the_real_one(a in number(), b in number(), c in number()) {
            prop_assert_eq!(bits(fma_by_f64(a, b, c)), bits(a.mul_add(b, c)), "{} * {} + {}", a, b, c);
        }
    }

    #[test]
    fn a_double_rounding_would_show() {
        // The product is 2^-24 - 2^-70, so the sum lies just below the middle between c and its neighbour; rounded to
        // f64 first it would lie in the middle, and go to the even neighbour.
        let step = f32::EPSILON;
        let (a, b, c) = ((1.0 + step) * (step / 2.0), 1.0 - step, 1.0 + step);
        assert_eq!(fma_by_f64(a, b, c), c);
        #[expect(clippy::cast_possible_truncation, reason = "the mistake")]
        let twice = (f64::from(a) * f64::from(b) + f64::from(c)) as f32;
        assert_eq!(twice, c + step);
    }

    #[test]
    fn the_best_kernel_can_run_here() {
        assert!(Kernel::best().is_available() && Kernel::Portable.is_available());
        assert_eq!(Kernel::ALL.map(Kernel::name), ["avx512", "avx2", "portable"]);
    }
}
