//! Wire prices to prices in currency, exact or not at all.

use types::Px;
use wire::mdp3::PRICE_NULL;

/// One unit of a display factor, in which it is sent: 1e-9 of schema 9 on.
const ONE: i64 = 1_000_000_000;

/// An instrument's display factor as a fraction in lowest terms: a price on the wire times it is the price people quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    numerator: i64,
    denominator: i64,
}

impl Scale {
    /// As sent: nobody said otherwise.
    pub(super) const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// The factor of `nanos` units of 1e-9; `None` for one that is not positive.
    pub(super) fn new(nanos: i64) -> Option<Self> {
        if nanos <= 0 || nanos == PRICE_NULL {
            return None;
        }
        let common = greatest_common_divisor(nanos, ONE);
        Some(Self { numerator: nanos / common, denominator: ONE / common })
    }

    /// The price of a mantissa of `unit` units of 1e-9; [`Px::NONE`] for none. `None` for a price that does not fit, or is no whole
    /// number of units of 1e-9: it is never rounded.
    #[inline]
    pub(super) fn px(self, mantissa: i64, unit: i64) -> Option<Px> {
        if mantissa == PRICE_NULL {
            return Some(Px::NONE);
        }
        let wide = mantissa.checked_mul(unit)?.checked_mul(self.numerator)?;
        let nanos = if self.denominator == 1 {
            wide
        } else if wide % self.denominator == 0 {
            wide / self.denominator
        } else {
            return None;
        };
        Some(Px(nanos)).filter(|px| px.is_some())
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_of_real_contracts() {
        // E-mini S&P 500: 450025.00 with 0.01; 10-Year Note: 110.015625 with 1; Japanese yen: 6750.5 with 0.000001.
        let cases = [
            (10_000_000, 450_025 * ONE, 1, "4500.25"),
            (ONE, 110_015_625_000, 1, "110.015625"),
            (1_000, 6_750_500_000_000, 1, "0.0067505"),
            (ONE, 1_084_500, 100, "0.10845"),
            (10_000_000, -3_763 * 10_000_000, 100, "-37.63"),
        ];
        for (factor, mantissa, unit, wanted) in cases {
            let px = Scale::new(factor).unwrap().px(mantissa, unit).unwrap();
            assert_eq!(px.to_string(), wanted);
        }
        assert_eq!(Scale::ONE.px(PRICE_NULL, 100), Some(Px::NONE));
        assert_eq!((Scale::new(0), Scale::new(-1), Scale::new(PRICE_NULL)), (None, None, None));
    }

    proptest! {
        /// Against exact arithmetic in 128 bits: the same price, or none where that has no whole one.
        #[test]
        fn exact_or_nothing(
            mantissa in prop_oneof![any::<i64>(), -1_000_000_000_000..1_000_000_000_000_i64],
            factor in prop_oneof![Just(ONE), Just(10_000_000), Just(1_000), Just(2_500_000_000), 1..i64::MAX],
            unit in prop_oneof![Just(1), Just(100)],
        ) {
            prop_assume!(mantissa != PRICE_NULL && factor != PRICE_NULL);
            let wide = (i128::from(mantissa) * i128::from(unit)).checked_mul(i128::from(factor));
            prop_assume!(wide.is_some());
            let wide = wide.unwrap();
            let exact = (wide % i128::from(ONE) == 0).then_some(wide / i128::from(ONE)).and_then(|px| i64::try_from(px).ok());
            match Scale::new(factor).unwrap().px(mantissa, unit) {
                Some(px) => prop_assert_eq!(Some(px.0), exact),
                // A product beyond 64 bits on the way is refused, too.
                None => prop_assert!(exact.is_none_or(|px| px == i64::MAX) || wide.unsigned_abs() > 1 << 63),
            }
        }
    }
}
