//! Exact divisibility without a division: one multiplication finds the only quotient that could be exact, a second one
//! tests it.
//!
//! With `m = ceil(2^k / d)`, so `m·d = 2^k + e` and `0 <= e < d`, and `n = q·d < 2^k`: `n·m / 2^k = q + n·e / (d·2^k)`
//! and the last term is less than 1, so the floor is `q` exactly. When `n` is no multiple of `d`, no integer times `d`
//! is `n`, whatever the floor. So `floor(n·m / 2^k)·d == n` if and only if `d` divides `n`.

/// A 32-bit divisor (a lot) with its reciprocal, `k = 32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Divisor32 {
    divisor: u32,
    reciprocal: u64,
}

impl Divisor32 {
    /// A divisor of zero becomes one that divides nothing but zero.
    pub(crate) const fn new(divisor: u32) -> Self {
        let reciprocal = if divisor == 0 { 0 } else { (1_u64 << 32).div_ceil(divisor as u64) };
        Self { divisor, reciprocal }
    }

    #[inline(always)]
    pub(crate) const fn from_parts(divisor: u32, reciprocal: u64) -> Self {
        Self { divisor, reciprocal }
    }

    pub(crate) const fn divisor(self) -> u32 {
        self.divisor
    }

    pub(crate) const fn reciprocal(self) -> u64 {
        self.reciprocal
    }

    #[inline(always)]
    pub(crate) const fn divides(self, n: u32) -> bool {
        ((n as u64).wrapping_mul(self.reciprocal) >> 32).wrapping_mul(self.divisor as u64) == n as u64
    }
}

/// A 64-bit divisor (a tick) with its reciprocal, `k = 64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Divisor64 {
    divisor: u64,
    reciprocal: u64,
}

impl Divisor64 {
    /// No divisor: divides nothing but zero. Also what a divisor of one would become, whose reciprocal, 2^64, does not
    /// fit: no venue has a tick of 1e-9.
    pub(crate) const NONE: Self = Self { divisor: 0, reciprocal: 0 };

    pub(crate) const fn new(divisor: u64) -> Self {
        if divisor < 2 {
            return Self::NONE;
        }
        // ceil(2^64 / d) = floor((2^64 - 1) / d) + 1 for every d from 2.
        Self { divisor, reciprocal: u64::MAX / divisor + 1 }
    }

    #[inline(always)]
    pub(crate) const fn from_parts(divisor: u64, reciprocal: u64) -> Self {
        Self { divisor, reciprocal }
    }

    #[inline(always)]
    pub(crate) const fn divisor(self) -> u64 {
        self.divisor
    }

    pub(crate) const fn reciprocal(self) -> u64 {
        self.reciprocal
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the high half of a 128-bit product")]
    pub(crate) const fn divides(self, n: u64) -> bool {
        let quotient = ((n as u128 * self.reciprocal as u128) >> 64) as u64;
        quotient.wrapping_mul(self.divisor) == n
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_32_bit_test_agrees_with_the_remainder(d in 1_u32.., n: u32, q: u32) {
            let divisor = Divisor32::new(d);
            prop_assert_eq!(divisor.divides(n), n % d == 0);
            let multiple = (q % (u32::MAX / d)).wrapping_mul(d);
            prop_assert!(divisor.divides(multiple));
        }

        #[test]
        fn the_64_bit_test_agrees_with_the_remainder(d in 2_u64.., small in 2_u64..1 << 40, n: u64, q: u64) {
            for d in [d, small] {
                let divisor = Divisor64::new(d);
                prop_assert_eq!(divisor.divides(n), n % d == 0);
                let multiple = (q % (u64::MAX / d)).wrapping_mul(d);
                prop_assert!(divisor.divides(multiple));
                prop_assert!(!divisor.divides(multiple + 1));
            }
        }
    }

    #[test]
    fn the_ends_are_exact() {
        for d in [1, 2, 3, 100, u32::MAX - 1, u32::MAX] {
            let divisor = Divisor32::new(d);
            for n in [0, 1, d - 1, d, u32::MAX - 1, u32::MAX] {
                assert_eq!(divisor.divides(n), n % d == 0, "{n} by {d}");
            }
        }
        for d in [2, 3, 10_000_000, 1 << 40, u64::MAX - 1, u64::MAX] {
            let divisor = Divisor64::new(d);
            for n in [0, 1, d - 1, d, u64::MAX - 1, u64::MAX] {
                assert_eq!(divisor.divides(n), n % d == 0, "{n} by {d}");
            }
        }
    }

    #[test]
    fn without_a_divisor_no_price_is_a_multiple() {
        assert!(
            !Divisor64::NONE.divides(1) && !Divisor64::new(1).divides(7) && !Divisor32::new(0).divides(7)
        );
    }
}
