//! Exact divisibility without a division: one multiplication finds the only quotient that could be exact, a second one
//! tests it.
//!
//! With `m = ceil(2^64 / d)`, so `m·d = 2^64 + e`, `0 <= e < d`, and `n = q·d < 2^64`: `n·m / 2^64 = q + n·e / (d·2^64)`
//! and the last term is less than 1, so the floor is `q` exactly. When `n` is no multiple of `d`, no integer times `d`
//! is `n`, whatever the floor. So `floor(n·m / 2^64)·d == n` if and only if `d` divides `n`.

/// A divisor (a tick) with its reciprocal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Divisor {
    divisor: u64,
    reciprocal: u64,
}

impl Divisor {
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
        fn the_test_agrees_with_the_remainder(d in 2_u64.., small in 2_u64..1 << 40, n: u64, q: u64) {
            for d in [d, small] {
                let divisor = Divisor::new(d);
                prop_assert_eq!(divisor.divides(n), n % d == 0);
                let multiple = (q % (u64::MAX / d)).wrapping_mul(d);
                prop_assert!(divisor.divides(multiple));
                prop_assert!(!divisor.divides(multiple + 1));
            }
        }
    }

    #[test]
    fn the_ends_are_exact() {
        for d in [2, 3, 10_000_000, 1 << 40, u64::MAX - 1, u64::MAX] {
            let divisor = Divisor::new(d);
            for n in [0, 1, d - 1, d, u64::MAX - 1, u64::MAX] {
                assert_eq!(divisor.divides(n), n % d == 0, "{n} by {d}");
            }
        }
    }

    #[test]
    fn without_a_divisor_no_price_is_a_multiple() {
        assert!(!Divisor::NONE.divides(1) && !Divisor::new(1).divides(7));
    }
}
