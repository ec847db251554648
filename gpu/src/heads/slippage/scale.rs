//! From the walk of the book and the head's increments to costs in basis points, and from costs to the largest size within a limit.

use serde::{Deserialize, Serialize};

/// The order sizes that are priced, smallest first, as multiples of the touch: the sum of the best bid's and the best
/// offer's quantity, whose logarithm is the feature `top_depth`.
pub const SLIPPAGE_SIZES: [f32; 8] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The quantile of the cost that the head predicts.
pub(crate) const SLIPPAGE_QUANTILE: f64 = 0.9;

/// From the decision to the fill: the next grid point.
pub(crate) const SLIPPAGE_HORIZON_NS: u64 = 100_000_000;

const SIZE_COUNT: usize = SLIPPAGE_SIZES.len();

/// Outputs of the head: the sizes for a buyer, then the same for a seller.
pub const SLIPPAGE_OUTPUTS: usize = 2 * SIZE_COUNT;

/// What the increments of one symbol are counted in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlippageScale {
    /// The usual increment of the drift from the size before (from nothing for the first) to each size, in bps; positive.
    pub increment_bps: [f32; SIZE_COUNT],
    /// How many of the sizes, from the smallest, the symbol's visible book holds often enough for a price: a larger one
    /// has none, and costs more than any limit.
    pub held: u8,
    /// Rows it was taken from.
    pub rows: u64,
}

impl SlippageScale {
    /// Costs in bps from the walk of the book ([`types::FeatureVector::walk_bps`]) and the head's output: for a buyer, then
    /// for a seller, smallest size first. Never falling within a side, since neither the walk nor the drift does, and infinite
    /// for sizes that the book does not hold, now or usually.
    #[inline]
    #[must_use]
    pub fn slippage_bps(
        &self,
        walk: &[f32; SLIPPAGE_OUTPUTS],
        increments: &[f32; SLIPPAGE_OUTPUTS],
    ) -> [[f32; SIZE_COUNT]; 2] {
        let ((walks, _), (sides, _)) = (walk.as_chunks::<SIZE_COUNT>(), increments.as_chunks::<SIZE_COUNT>());
        core::array::from_fn(|side| {
            let mut drift = 0.0;
            core::array::from_fn(|size| {
                drift += sides[side][size] * self.increment_bps[size];
                let walk = walks[side][size];
                let unheld = size >= usize::from(self.held) || walk == f32::INFINITY;
                if unheld { f32::INFINITY } else { walk + drift }
            })
        })
    }

    /// What is wrong with a scale read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.increment_bps.iter().all(|bps| bps.is_finite() && *bps > 0.0) {
            return Some("an increment that is not positive");
        }
        (usize::from(self.held) > SIZE_COUNT).then_some("more held sizes than the 8 that are priced")
    }
}

/// The largest order, as a multiple of the touch, whose cost stays within `limit_bps`, where `costs` are those of
/// [`SLIPPAGE_SIZES`] for one side in bps: linear between sizes, from nothing at size zero; the largest size when that is
/// still within the limit. Zero when a cost or the limit is NaN.
#[must_use]
pub(crate) fn largest_size(costs: &[f32; SIZE_COUNT], limit_bps: f32) -> f32 {
    if limit_bps.is_nan() || limit_bps < 0.0 || costs.iter().any(|cost| cost.is_nan()) {
        return 0.0;
    }
    let limit = f64::from(limit_bps);
    let (mut size, mut cost) = (0.0_f64, 0.0_f64);
    for (next_size, next_cost) in SLIPPAGE_SIZES.map(f64::from).into_iter().zip(costs.map(f64::from)) {
        if next_cost.is_infinite() {
            break;
        }
        if next_cost > limit {
            size += (next_size - size) * (limit - cost) / (next_cost - cost);
            break;
        }
        (size, cost) = (next_size, next_cost);
    }
    round_down(size)
}

/// The nearest single-precision number that is not above.
#[expect(clippy::cast_possible_truncation, reason = "rounded the right way below")]
fn round_down(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) > value { near.next_down() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Costs that never fall, some of them infinite.
    fn costs() -> impl Strategy<Value = [f32; SIZE_COUNT]> {
        (prop::array::uniform8(prop_oneof![Just(0.0_f32), 0.0_f32..30.0]), 0..=SIZE_COUNT).prop_map(
            |(increments, held)| {
                let mut sum = 0.0;
                core::array::from_fn(|size| {
                    sum += increments[size];
                    if size < held { sum } else { f32::INFINITY }
                })
            },
        )
    }

    /// Cost of any size, by the definition.
    fn cost_at(costs: &[f32; SIZE_COUNT], size: f64) -> f64 {
        let mut from = (0.0, 0.0);
        for to in SLIPPAGE_SIZES.map(f64::from).into_iter().zip(costs.map(f64::from)) {
            if size <= to.0 {
                let share = (size - from.0) / (to.0 - from.0);
                return if share == 0.0 { from.1 } else { from.1 + share * (to.1 - from.1) };
            }
            from = to;
        }
        f64::INFINITY
    }

    #[test]
    fn sizes_between_the_priced_ones_are_interpolated() {
        let costs = [0.0, 1.0, 3.0, 5.0, 9.0, 20.0, 40.0, 80.0];
        for (limit, size) in [
            (0.0, 0.5),
            (0.5, 0.75),
            (1.0, 1.0),
            (2.0, 1.5),
            (4.0, 3.0),
            (30.0, 24.0),
            (80.0, 64.0),
            (1e9, 64.0),
        ] {
            assert_eq!(largest_size(&costs, limit), size, "{limit}");
        }
        assert_eq!(largest_size(&[2.0; SIZE_COUNT], 1.0), 0.25);
        assert_eq!(largest_size(&[0.0; SIZE_COUNT], 0.0), 64.0);
    }

    #[test]
    fn what_is_no_number_allows_nothing_and_what_is_not_held_ends_the_walk() {
        let mut costs = [1.0; SIZE_COUNT];
        assert_eq!([f32::NAN, -1.0, f32::NEG_INFINITY].map(|l| largest_size(&costs, l)), [0.0; 3]);
        costs[3..].fill(f32::INFINITY);
        assert_eq!([2.0, f32::MAX, f32::INFINITY].map(|l| largest_size(&costs, l)), [2.0; 3]);
        costs[7] = f32::NAN;
        assert_eq!(largest_size(&costs, 5.0), 0.0);
    }

    #[test]
    fn costs_are_the_walk_and_sums_of_scaled_increments_per_side() {
        let scale =
            SlippageScale { increment_bps: [1.0, 2.0, 4.0, 8.0, 1.0, 1.0, 1.0, 1.0], held: 4, rows: 1 };
        let increments = core::array::from_fn(|i| if i < SIZE_COUNT { 1.0 } else { 0.5 });
        let none = f32::INFINITY;
        let mut walk = [0.0; SLIPPAGE_OUTPUTS];
        assert_eq!(
            scale.slippage_bps(&walk, &increments),
            [[1.0, 3.0, 7.0, 15.0, none, none, none, none], [0.5, 1.5, 3.5, 7.5, none, none, none, none]]
        );
        walk[..4].copy_from_slice(&[0.0, 0.25, 2.0, none]);
        walk[8..].fill(none);
        assert_eq!(
            scale.slippage_bps(&walk, &increments),
            [[1.0, 3.25, 9.0, none, none, none, none, none], [none; SIZE_COUNT]]
        );
    }

    #[test]
    fn a_walk_or_an_increment_that_is_no_number_allows_nothing() {
        let scale = SlippageScale { increment_bps: [1.0; SIZE_COUNT], held: 4, rows: 1 };
        let sizes = |walk: &[f32; SLIPPAGE_OUTPUTS], increments: &[f32; SLIPPAGE_OUTPUTS]| {
            scale.slippage_bps(walk, increments).map(|costs| largest_size(&costs, f32::MAX))
        };
        let numbers = [1.0; SLIPPAGE_OUTPUTS];
        assert_eq!(sizes(&numbers, &numbers), [4.0; 2]);
        for bad in [0, 3] {
            let mut broken = numbers;
            broken[bad] = f32::NAN;
            assert_eq!(sizes(&broken, &numbers), [0.0, 4.0], "walk {bad}");
        }
        let mut broken = numbers;
        broken[9] = f32::NAN;
        assert_eq!(sizes(&numbers, &broken), [4.0, 0.0]);
        assert_eq!(sizes(&[f32::INFINITY; SLIPPAGE_OUTPUTS], &numbers), [0.0; 2], "nothing is held");
    }

    #[test]
    fn scales_that_cannot_be_used_are_told() {
        let good = SlippageScale { increment_bps: [1.0; SIZE_COUNT], held: 8, rows: 1 };
        assert_eq!(good.fault(), None);
        assert!(SlippageScale { held: 9, ..good.clone() }.fault().is_some());
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let mut scale = good.clone();
            scale.increment_bps[2] = bad;
            assert_eq!(scale.fault(), Some("an increment that is not positive"));
        }
    }

    proptest! {
        #[test]
        fn the_largest_size_costs_no_more_than_the_limit(costs in costs(), limit in 0.0_f32..300.0) {
            let size = f64::from(largest_size(&costs, limit));
            prop_assert!((0.0..=64.0).contains(&size));
            let cost = cost_at(&costs, size);
            prop_assert!(cost <= f64::from(limit) * (1.0 + 1e-12), "{} costs {}", size, cost);
            // And nothing clearly larger does.
            prop_assert!(size == 64.0 || cost_at(&costs, size * 1.001 + 1e-6) > f64::from(limit));
        }

        #[test]
        fn a_wider_limit_never_allows_less(costs in costs(), a in 0.0_f32..300.0, b in 0.0_f32..300.0) {
            prop_assert!(largest_size(&costs, a.min(b)) <= largest_size(&costs, a.max(b)));
        }

        #[test]
        fn any_bits_give_a_size(bits in prop::array::uniform8(any::<u32>()), limit in any::<u32>()) {
            let size = largest_size(&bits.map(f32::from_bits), f32::from_bits(limit));
            prop_assert!((0.0..=64.0).contains(&size), "{}", size);
        }
    }
}
