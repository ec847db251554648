//! What a level requires of its credit: of each instrument what it comes to at worst ([`crate::sums::Part::gross`]) times the margin
//! multiplier in force, rounded up, summed. It is kept beside the sums of [`crate::sums`], and only by levels that have a credit, so that
//! all others pay one branch for it.

use crate::sums::{Part, Wide};

/// The multiplier that is once, in basis points.
const ONCE_BPS: u32 = 10_000;

/// What one instrument requires, in 1e-24 of the firm's currency, doubled; none when nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Margin(Option<i128>);

impl Margin {
    pub(crate) const NOTHING: Self = Self(Some(0));

    /// Of an instrument that comes to `part`, under a multiplier; none when nobody knows it. What has no value requires nothing here: it
    /// is a reason of its own.
    pub(crate) fn of(part: &Part, multiplier_bps: Option<u32>) -> Self {
        match (part.gross, multiplier_bps) {
            _ if part.beyond => Self(Some(i128::MAX)),
            (0, _) => Self::NOTHING,
            (gross, multiplier_bps) => Self(multiplier_bps.map(|bps| times(gross, bps))),
        }
    }

    pub(crate) const fn is_unknown(&self) -> bool {
        self.0.is_none()
    }
}

/// `gross` times so many basis points, rounded up. Saturates: that is beyond every credit.
fn times(gross: i128, bps: u32) -> i128 {
    if bps == ONCE_BPS {
        return gross;
    }
    let (once, bps) = (i128::from(ONCE_BPS), i128::from(bps));
    let (whole, rest) = (gross / once, gross % once);
    whole.saturating_mul(bps).saturating_add((rest * bps + once - 1) / once)
}

/// Over the instruments of a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Required {
    sum: Wide,
    unknown: u32,
}

impl Required {
    pub(crate) fn plus(self, margin: Margin) -> Self {
        match margin.0 {
            Some(margin) => Self { sum: self.sum.plus(margin), ..self },
            None => Self { unknown: self.unknown.wrapping_add(1), ..self },
        }
    }

    /// The inverse of [`Required::plus`].
    pub(crate) fn minus(self, margin: Margin) -> Self {
        match margin.0 {
            Some(margin) => Self { sum: self.sum.minus(margin), ..self },
            None => Self { unknown: self.unknown.wrapping_sub(1), ..self },
        }
    }

    /// In the units of the sums.
    pub(crate) fn amount(&self) -> u128 {
        self.sum.clipped().max(0).unsigned_abs()
    }

    /// Of something nobody knows what it requires.
    pub(crate) const fn is_unknown(&self) -> bool {
        self.unknown != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(gross: i128) -> Part {
        Part { gross, held: true, ..Part::default() }
    }

    proptest! {
        /// Against the definition, in halves of 64 bits, whose products fit.
        #[test]
        fn a_margin_is_the_product_rounded_up_or_the_largest_number(gross: u128, shift in 1_u32..128, bps in 10_000_u32..65_536) {
            let gross = gross >> shift;
            let (high, low) = (gross >> 64, gross & u128::from(u64::MAX));
            let (high, low) = (high * u128::from(bps), low * u128::from(bps));
            // high * 2^64 + low, over ten thousand.
            let (whole, rest) = (high / 10_000, high % 10_000);
            let below = (rest << 64) + low;
            let below = below.div_ceil(10_000);
            let wanted = whole.checked_mul(1 << 64).and_then(|whole| whole.checked_add(below));
            let wanted = wanted.and_then(|wanted| i128::try_from(wanted).ok()).unwrap_or(i128::MAX);
            prop_assert_eq!(Margin::of(&part(gross.cast_signed()), Some(bps)), Margin(Some(wanted)));
        }
    }

    #[test]
    fn what_is_beyond_requires_everything_and_what_is_flat_nothing() {
        assert_eq!(Margin::of(&part(0), None), Margin::NOTHING, "flat, or not valued");
        assert!(Margin::of(&part(1), None).is_unknown());
        let beyond = Part { beyond: true, ..part(0) };
        for bps in [None, Some(10_000)] {
            assert_eq!(Margin::of(&beyond, bps), Margin(Some(i128::MAX)));
        }
        let all = [Margin(Some(i128::MAX)), Margin(None), Margin(Some(7))];
        let sum = all.into_iter().fold(Required::default(), Required::plus);
        assert!(sum.is_unknown() && sum.amount() == i128::MAX.unsigned_abs());
        let left = sum.minus(all[1]).minus(all[0]);
        assert_eq!((left.is_unknown(), left.amount()), (false, 7));
        assert_eq!(left.minus(all[2]), Required::default());
    }
}
