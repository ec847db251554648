//! How large an order may be before its predicted slippage passes the officer's limit (DOMAIN.md 1.1, C10), for one instrument.

use types::{FeatureId, FeatureVector, Qty};

use crate::head::Increments;
use crate::slippage::{SlippageScale, largest_size};

/// A bound rises by a hundredth of itself at most with each score: about tenfold in half a minute. It falls at once.
const RISE_PART: u32 = 100;

/// The quantity that the feature `top_depth` stands for; none when it is not known.
pub(crate) fn touch(vector: &FeatureVector) -> Option<f64> {
    vector.get(FeatureId::TopDepth).map(f64::exp).filter(|quantity| quantity.is_finite())
}

/// The largest order whose predicted slippage stays within `limit_bps`, bought or sold; a quantity of 0 when none does.
pub(crate) fn size_within(limit_bps: f32, scale: &SlippageScale, increments: &Increments, touch: f64) -> Qty {
    let multiples = scale.costs_bps(increments).map(|costs| largest_size(&costs, limit_bps));
    let size = f64::from(multiples[0].min(multiples[1])) * touch;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and NaN is 0")]
    Qty(size as u32)
}

/// The bound that is in force: none before the first prediction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SizeBound(Option<Qty>);

impl SizeBound {
    /// Takes the size that the newest prediction allows.
    pub(crate) fn step(&mut self, within: Qty) {
        self.0 = Some(match self.0 {
            Some(Qty(bound)) => Qty(within.0.min(bound.saturating_add((bound / RISE_PART).max(1)))),
            None => within,
        });
    }

    pub(crate) const fn get(self) -> Option<Qty> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Half a basis point for each size on either side, a book that holds five sizes.
    fn scale() -> SlippageScale {
        SlippageScale { increment_bps: [0.5; 8], held: 5, rows: 1 }
    }

    #[test]
    fn the_smaller_side_counts_and_half_shares_do_not() {
        // A buyer pays 1 bp more for each size, a seller 2: sizes 0.5, 1, 2, 4, 8 times the touch.
        let mut increments = [2.0; 16];
        increments[8..].fill(4.0);
        let within = |limit| size_within(limit, &scale(), &increments, 151.0).0;
        // 4 bps: the seller's second size, once the touch. 3 bps: half way between the first and the second.
        assert_eq!([within(4.0), within(3.0), within(0.0)], [151, 113, 0]);
        // No limit is wide enough for what the book does not hold.
        assert_eq!(within(1e9), 8 * 151);
        assert_eq!(size_within(1.0, &scale(), &[f32::NAN; 16], 151.0), Qty(0));
        assert_eq!(size_within(1.0, &scale(), &[0.0; 16], f64::NAN), Qty(0));
    }

    #[test]
    fn a_touch_that_is_not_known_is_none() {
        let mut vector = FeatureVector::EMPTY;
        assert_eq!(touch(&vector), None);
        vector.set(FeatureId::TopDepth, 1e9);
        assert_eq!(touch(&vector), None);
        vector.set(FeatureId::TopDepth, 0.0);
        assert_eq!(touch(&vector), Some(1.0));
    }

    proptest! {
        #[test]
        fn a_bound_falls_at_once_and_rises_slowly(sizes in prop::collection::vec(any::<u32>(), 1..60)) {
            let mut bound = SizeBound::default();
            prop_assert_eq!(bound.get(), None);
            let mut last: Option<u64> = None;
            for size in sizes {
                bound.step(Qty(size));
                let now = u64::from(bound.get().unwrap().0);
                prop_assert!(now <= u64::from(size), "never above the prediction");
                if let Some(last) = last {
                    prop_assert!(now <= last + (last / 100).max(1));
                    prop_assert!(now == u64::from(size) || now > last || last == u64::from(u32::MAX));
                }
                last = Some(now);
            }
        }
    }
}
