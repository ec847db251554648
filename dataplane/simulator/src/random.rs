//! Seeded chance. Every number the simulator draws comes from a ChaCha8 stream, and every transcendental function it
//! needs is computed here from exact IEEE operations: the platform's `ln` and `exp` may differ in the last bit from
//! one processor to the next, and one bit is enough to send a market down another path.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Natural logarithm of a positive normal number, the same bits on every machine; relative error below 1e-15.
pub(crate) fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0, "ln of {x}");
    let bits = x.to_bits();
    let mut exponent = f64::from((bits >> 52) as i32 - 1023);
    let mut mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    // ln m = 2 artanh s, |s| ≤ 0.1716: twelve terms reach the last bit.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let mut series = 0.0;
    for n in (0..12_u32).rev() {
        series = series * z + 1.0 / f64::from(2 * n + 1);
    }
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

/// `e` to the power `x`, the same bits on every machine; 0 below -700, clamped to `e^700` above.
pub(crate) fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    let x = x.min(700.0);
    let k = (x / std::f64::consts::LN_2).round();
    let r = x - k * std::f64::consts::LN_2;
    let mut series = 1.0;
    for n in (1..=14_u32).rev() {
        series = 1.0 + series * r / f64::from(n);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "|k| ≤ 1010 by the clamp")]
    let scale = f64::from_bits(((k as i64 + 1023) as u64) << 52);
    series * scale
}

/// `base` to the power `y`, for positive `base`.
pub(crate) fn pow(base: f64, y: f64) -> f64 {
    exp(y * ln(base))
}

/// One stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    rng: ChaCha8Rng,
}

impl Dice {
    /// Stream number `stream` of `seed`. Streams of one seed are independent, so that what one part of the simulation
    /// draws never moves another part's numbers.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { rng }
    }

    /// Uniform over all 64-bit words.
    #[inline]
    pub(crate) fn word(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in [0, 1).
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in [lo, hi).
    pub(crate) fn range(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// Uniform in 0..n; the bias for n far below 2^32 is beyond notice. `n` must not be 0.
    #[inline]
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        debug_assert!(n > 0);
        ((u64::from((self.word() >> 32) as u32) * u64::from(n)) >> 32) as u32
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(1.0 - self.unit())
    }

    /// Standard normal (Marsaglia's polar method).
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (self.range(-1.0, 1.0), self.range(-1.0, 1.0));
            let s = u * u + v * v;
            if s < 1.0 && s > 1e-300 {
                return u * (-2.0 * ln(s) / s).sqrt();
            }
        }
    }

    /// Lognormal with this median and this standard deviation of the logarithm.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// Pareto with minimum `min` and tail exponent `alpha`, cut at `max`.
    pub(crate) fn pareto(&mut self, min: f64, alpha: f64, max: f64) -> f64 {
        (min * pow(1.0 - self.unit(), -1.0 / alpha)).min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_functions_agree_with_the_platform() {
        for i in -600..600 {
            let x = f64::from(i) * 1.137 + 0.013;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "exp({x})");
            let y = x.exp();
            assert!((ln(y) - y.ln()).abs() <= 1e-15 * y.ln().abs().max(1.0), "ln({y})");
        }
        assert_eq!(exp(-1e4), 0.0);
        assert!((pow(3.0, 2.5) - 15.588_457_268_119_896).abs() < 1e-12);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut dice = Dice::new(7, 3);
        let n = 200_000;
        let (mut sum, mut sum2, mut exp_sum, mut pareto_over) = (0.0, 0.0, 0.0, 0);
        for _ in 0..n {
            let z = dice.normal();
            sum += z;
            sum2 += z * z;
            exp_sum += dice.exponential(2.0);
            pareto_over += u32::from(dice.pareto(1.0, 1.5, 1e6) > 4.0);
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 0.01 && (sum2 / n - 1.0).abs() < 0.02);
        assert!((exp_sum / n - 2.0).abs() < 0.03);
        assert!((f64::from(pareto_over) / n - 0.125).abs() < 0.005, "P(X > 4) = 4^-1.5");
    }

    #[test]
    fn streams_of_a_seed_differ_and_repeat() {
        let draw = |seed, stream| Dice::new(seed, stream).word();
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        assert_ne!(draw(1, 0), draw(2, 0));
    }
}
