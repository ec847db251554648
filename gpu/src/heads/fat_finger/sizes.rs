//! How large an order may be at each price distance before it is more likely an error than the officer allows, for one
//! instrument.

use gate::{FAT_FINGER_BUCKETS as GATE_BUCKETS, FatFingerLimits};
use types::Qty;

use super::law::{FAT_FINGER_BUCKETS, FatFingerLaw};
use crate::heads::size_bound::SizeBound;
use crate::network::Increments;

const _: () = assert!(FAT_FINGER_BUCKETS == GATE_BUCKETS, "the gate tells as many price distances apart");

/// The largest sizes in shares whose probability of being an error is at most `theta`, by bucket of [`FatFingerLaw::bucket`].
pub(crate) fn sizes_within(
    theta: f64,
    law: &FatFingerLaw,
    increments: &Increments,
    touch: f64,
) -> [Qty; FAT_FINGER_BUCKETS] {
    law.largest_sizes(increments, theta).map(|multiple| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and NaN is 0"
        )]
        Qty((f64::from(multiple) * touch) as u32)
    })
}

/// The sizes that are in force: none before the first prediction. Each falls at once and rises slowly.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FatFingerBound([SizeBound; FAT_FINGER_BUCKETS]);

impl FatFingerBound {
    /// Takes the sizes that the newest prediction allows.
    pub(crate) fn step(&mut self, within: &[Qty; FAT_FINGER_BUCKETS]) {
        self.0.iter_mut().zip(within).for_each(|(bound, within)| bound.step(*within));
    }

    pub(crate) fn get(&self) -> Option<FatFingerLimits> {
        let mut sizes = [Qty(0); FAT_FINGER_BUCKETS];
        for (size, bound) in sizes.iter_mut().zip(&self.0) {
            *size = bound.get()?;
        }
        Some(FatFingerLimits::new(sizes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_whole_shares_of_the_touch() {
        // Odds are even at 2^-1 touches in the last bucket, one doubling more for each bucket before it.
        let law = FatFingerLaw { c0: -2.0, unit: 1.0, k: 4.0, prior: 1.0 };
        let sizes = sizes_within(0.5, &law, &[1.0; 16], 101.0);
        assert_eq!(sizes[15].0, 50);
        assert_eq!(sizes[13].0, 2 * 101);
        assert!(sizes.is_sorted_by(|a, b| a >= b));
        assert_eq!(sizes_within(0.5, &law, &[f32::NAN; 16], 101.0), [Qty(0); 16]);
        assert_eq!(sizes_within(0.5, &law, &[1.0; 16], f64::NAN), [Qty(0); 16]);
    }

    proptest! {
        #[test]
        fn sizes_in_force_never_rise_with_the_distance_nor_above_the_prediction(
            predicted in prop::collection::vec(prop::array::uniform16(0_u32..100_000), 1..40),
        ) {
            let mut bound = FatFingerBound::default();
            prop_assert_eq!(bound.get(), None);
            for mut sizes in predicted {
                sizes.sort_unstable_by(|a, b| b.cmp(a));
                bound.step(&sizes.map(Qty));
                let now = *bound.get().unwrap().sizes();
                prop_assert!(now.iter().zip(sizes).all(|(now, predicted)| now.0 <= predicted));
                prop_assert!(now.is_sorted_by(|a, b| a >= b), "{:?}", now);
            }
        }
    }
}
