//! How a predicted largest order becomes the bound in force: at once when it falls, slowly when it rises.

use types::{FeatureId, FeatureVector, Qty};

/// A bound rises by a hundredth of itself at most with each score: about tenfold in half a minute. It falls at once.
const RISE_PART: u32 = 100;

/// The quantity that the feature `top_depth` stands for; none when it is not known.
pub(crate) fn touch(vector: &FeatureVector) -> Option<f64> {
    vector.get(FeatureId::TopDepth).map(f64::exp).filter(|quantity| quantity.is_finite())
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
