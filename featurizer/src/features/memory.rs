//! What signed order flow adds up to: exponential means, and how far selling and buying have gone beyond the usual.
//!
//! **Definition.** The flow of a grid step is that of [`FeatureId::Ofi100Ms`](types::FeatureId::Ofi100Ms); a step in which the
//! best quotes did not change has none, which is zero. *Means* are exponential, with time constants of 1, 5 and 30 s. The
//! *deviation* of a step is its flow over the root mean square of the flows of the steps with a change before it (plain while
//! there are fewer than [`SCALE_STEPS`] of them, exponential afterwards), held within ±[`DEVIATION_MAX`]: so it needs no profile of
//! the instrument. The *excess* of buying is Page's cumulative sum (Page 1954, "Continuous inspection schemes"),
//! `S = min(EXCESS_MAX, max(0, S + deviation - allowance))`, that of selling the same of the negative deviation; a *campaign* is the same
//! with less of an allowance, which hears a patient trader; a *run* is the time since one of them was last zero. All begin with the [`SCALE_STEPS_MIN`]th step with a change. A lost or emptied book ends means and
//! excesses, and keeps the scale, which is no chain.
//!
//! A step without a change costs nothing: what it would have done is made good, in closed form, when the values are next read or
//! changed.

use super::window::STEPS_PER_SECOND;

/// Weights of a new step in the means over 1, 5 and 30 s: `1 - exp(-0.1 s / tau)`.
const WEIGHTS: [f64; 3] = [0.095_162_581_964_040_43, 0.019_801_326_693_244_7, 0.003_327_783_945_476_678_7];
/// What is kept of them: `exp(-0.1 s / tau)`.
pub(super) const KEEPS: [f64; 3] =
    [0.904_837_418_035_959_5, 0.980_198_673_306_755_3, 0.996_672_216_054_523_3];
/// A mean this small is none; below, decays would reach numbers that processors are slow with.
const MEAN_MIN: f64 = 1e-9;
/// Steps with a change whose mean square is the scale: five minutes of a busy instrument.
const SCALE_STEPS: u32 = 3_000;
/// Steps with a change before the scale is believed.
const SCALE_STEPS_MIN: u32 = 300;
/// Most that one step counts, in scales: one large order is no campaign.
const DEVIATION_MAX: f64 = 4.0;
/// What each step takes from an excess, and from a campaign, in scales.
const ALLOWANCES: [f64; 2] = [0.5, 0.35];

/// Most that an excess comes to, in scales: beyond what any law calls usual, and forgotten twenty seconds after the flow has ended
/// (of a campaign half a minute).
const EXCESS_MAX: f64 = 100.0;

/// One side's cumulative sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Excess {
    sum: f64,
    /// Grid number of the first step since it was zero.
    since: u64,
}

impl Excess {
    /// It, `steps` steps without a change later.
    fn after(self, steps: u64, allowance: f64) -> f64 {
        (self.sum - allowance * steps_f64(steps)).max(0.0)
    }

    /// Takes the step `grid`, so many steps after the one taken before, with this deviation to its side.
    fn step(&mut self, grid: u64, steps: u64, deviation: f64, allowance: f64) {
        let before = self.after(steps - 1, allowance);
        if before == 0.0 {
            self.since = grid;
        }
        self.sum = (before + deviation - allowance).clamp(0.0, EXCESS_MAX);
    }

    /// Seconds that it has been above zero at the step `grid`, `steps` steps after the one taken last.
    fn run_s(self, grid: u64, steps: u64, allowance: f64) -> f64 {
        if self.after(steps, allowance) == 0.0 {
            return 0.0;
        }
        steps_f64(grid + 1 - self.since) / STEPS_PER_SECOND as f64
    }
}

/// What one instrument's order flow adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FlowMemory {
    means: [f64; 3],
    /// Mean square of the flow of steps with a change.
    square: f64,
    /// Steps with a change, counted up to [`SCALE_STEPS`].
    count: u32,
    /// Whether a step was taken since the chains began.
    begun: bool,
    /// Grid number of the step taken last.
    grid: u64,
    /// Of selling and of buying, by allowance.
    sides: [[Excess; 2]; 2],
}

/// What one side adds up to, of selling and of buying.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    /// In scales.
    pub(crate) sum: [f64; 2],
    /// In seconds.
    pub(crate) run_s: [f64; 2],
}

/// The values at one grid point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FlowValues {
    /// Over 1, 5 and 30 s.
    pub(crate) means: Option<[f64; 3]>,
    pub(crate) excess: Option<Sums>,
    pub(crate) campaign: Option<Sums>,
}

impl FlowMemory {
    /// Takes the flow of the grid step `grid`, in which the best quotes changed.
    pub(crate) fn step(&mut self, grid: u64, flow: f64) {
        // A step of the past (a day that starts anew without saying so) is the next one.
        let steps = if self.begun { grid.saturating_sub(self.grid).max(1) } else { 1 };
        for ((mean, keep), weight) in self.means.iter_mut().zip(KEEPS).zip(WEIGHTS) {
            *mean = decayed(*mean, keep, steps) + weight * flow;
        }
        if let Some(scale) = self.scale() {
            let deviation = (flow / scale).clamp(-DEVIATION_MAX, DEVIATION_MAX);
            for (sides, allowance) in self.sides.iter_mut().zip(ALLOWANCES) {
                sides[0].step(grid, steps, -deviation, allowance);
                sides[1].step(grid, steps, deviation, allowance);
            }
        }
        self.note_scale(flow);
        (self.grid, self.begun) = (grid, true);
    }

    /// The scale takes note of a flow, which counts no more than the deviation does that is made of it.
    fn note_scale(&mut self, flow: f64) {
        let most = self.scale().map_or(f64::INFINITY, |scale| DEVIATION_MAX * scale);
        let flow = flow.abs().min(most);
        self.count = (self.count + 1).min(SCALE_STEPS);
        self.square += (flow * flow - self.square) / f64::from(self.count);
    }

    /// The usual size of a step's flow, once it is known.
    fn scale(&self) -> Option<f64> {
        (self.count >= SCALE_STEPS_MIN && self.square > 0.0).then(|| self.square.sqrt())
    }

    /// The values at the grid point `grid`.
    pub(crate) fn at(&self, grid: u64) -> FlowValues {
        if !self.begun {
            return FlowValues::default();
        }
        let steps = grid.saturating_sub(self.grid);
        let mut means = self.means;
        means.iter_mut().zip(KEEPS).for_each(|(mean, keep)| *mean = decayed(*mean, keep, steps));
        let sums = |i: usize| {
            let (sides, allowance) = (self.sides[i], ALLOWANCES[i]);
            self.scale().map(|_| Sums {
                sum: sides.map(|side| side.after(steps, allowance)),
                run_s: sides.map(|side| side.run_s(grid.max(self.grid), steps, allowance)),
            })
        };
        FlowValues { means: Some(means), excess: sums(0), campaign: sums(1) }
    }

    /// The book was emptied or can no longer be believed: what was added up ends.
    pub(crate) fn restart(&mut self) {
        *self = Self { square: self.square, count: self.count, ..Self::default() };
    }
}

/// `mean` times `keep` to the power of `steps`, by squaring: the same bits on every machine, and a bounded number of products.
pub(super) fn decayed(mean: f64, keep: f64, steps: u64) -> f64 {
    let (mut power, mut base, mut left) = (1.0, keep, steps);
    while left > 0 && power > MEAN_MIN * MEAN_MIN {
        if left & 1 == 1 {
            power *= base;
        }
        base *= base;
        left >>= 1;
        if base < MEAN_MIN * MEAN_MIN && left > 0 {
            return 0.0;
        }
    }
    let mean = mean * power;
    if mean.abs() < MEAN_MIN { 0.0 } else { mean }
}

#[expect(clippy::cast_precision_loss, reason = "grid steps of a day are far below 2^53")]
fn steps_f64(steps: u64) -> f64 {
    steps as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A memory whose scale is 1: alternating flows of one.
    fn usual() -> FlowMemory {
        let mut memory = FlowMemory::default();
        for grid in 1..=u64::from(SCALE_STEPS_MIN) {
            memory.step(grid, if grid % 2 == 0 { 1.0 } else { -1.0 });
        }
        memory
    }

    #[test]
    fn weights_and_keeps_are_those_of_the_time_constants() {
        for ((tau, keep), weight) in [1.0, 5.0, 30.0].into_iter().zip(KEEPS).zip(WEIGHTS) {
            assert!((keep - (-0.1_f64 / tau).exp()).abs() < 1e-15);
            assert!((weight + (-0.1_f64 / tau).exp_m1()).abs() < 1e-15);
        }
    }

    #[test]
    fn a_sale_worked_by_hand() {
        let mut memory = usual();
        let from = u64::from(SCALE_STEPS_MIN);
        assert_eq!(
            memory.at(from).excess.map(|e| e.sum),
            Some([0.0, 0.0]),
            "the scale was known after the last step"
        );
        for grid in from + 1..=from + 3 {
            memory.step(grid, -2.0);
        }
        // The scale is 1, then 1.0050 (mean square 1 + 3/301), then 1.0099: 1.5 + 1.490 + 1.480.
        let values = memory.at(from + 3);
        let [selling, buying] = values.excess.unwrap().sum;
        assert!((selling - 4.4705).abs() < 2e-3 && buying == 0.0, "{selling} {buying}");
        assert_eq!(values.excess.unwrap().run_s, [0.3, 0.0]);
        let campaign = values.campaign.unwrap();
        assert!(
            (campaign.sum[0] - selling - 0.45).abs() < 1e-9 && campaign.run_s == [0.3, 0.0],
            "{campaign:?}"
        );
        // Two steps without a change take one from it, ten take all.
        let [later, _] = memory.at(from + 5).excess.unwrap().sum;
        assert!((selling - later - 1.0).abs() < 1e-12);
        assert_eq!(memory.at(from + 5).excess.unwrap().run_s, [0.5, 0.0]);
        assert_eq!(memory.at(from + 20).excess, Some(Sums::default()));
        // However long it lasts, it is over twenty seconds after its end.
        let mut long = memory;
        (from + 4..from + 2_000).for_each(|grid| long.step(grid, -4.0));
        assert_eq!(long.at(from + 1_999).excess.unwrap().sum, [EXCESS_MAX, 0.0]);
        assert_eq!(long.at(from + 2_199).excess, Some(Sums::default()));
        assert_eq!(long.at(from + 2_199).campaign.unwrap().sum, [EXCESS_MAX - 200.0 * ALLOWANCES[1], 0.0]);
        assert_eq!(long.at(from + 2_399).campaign, Some(Sums::default()));
        // One order, however large, counts four scales.
        let mut once = usual();
        once.step(from + 1, -1e9);
        assert_eq!(once.at(from + 1).excess.unwrap().sum, [DEVIATION_MAX - ALLOWANCES[0], 0.0]);
        assert!(once.scale().unwrap() < 1.1);
    }

    #[test]
    fn a_lost_book_ends_the_sums_and_not_the_scale() {
        let mut memory = usual();
        memory.step(700, -3.0);
        memory.restart();
        assert_eq!(memory.at(701), FlowValues::default());
        memory.step(800, -3.0);
        let Sums { sum: [selling, _], run_s } = memory.at(800).excess.unwrap();
        assert!(selling > 2.0 && run_s == [0.1, 0.0]);
    }

    proptest! {
        /// A step without a change does what it would have done with a flow of zero, but for the scale.
        #[test]
        fn what_was_left_out_is_made_good(
            flows in prop::collection::vec((1_u64..40, -6.0_f64..6.0), 1..60),
            after in 0_u64..400,
        ) {
            let mut lazy = usual();
            let (mut means, mut sums, mut since) = (lazy.means, [[0.0_f64; 2]; 2], [[0_u64; 2]; 2]);
            let mut grid = lazy.grid;
            let quiet = |means: &mut [f64; 3], sums: &mut [[f64; 2]; 2]| {
                means.iter_mut().zip(KEEPS).for_each(|(mean, keep)| *mean *= keep);
                for (sides, allowance) in sums.iter_mut().zip(ALLOWANCES) {
                    sides.iter_mut().for_each(|sum| *sum = (*sum - allowance).max(0.0));
                }
            };
            for (gap, flow) in flows {
                for _ in 1..gap {
                    quiet(&mut means, &mut sums);
                }
                grid += gap;
                let deviation = (flow / lazy.scale().unwrap()).clamp(-4.0, 4.0);
                for (of, allowance) in ALLOWANCES.into_iter().enumerate() {
                    for (side, deviation) in [-deviation, deviation].into_iter().enumerate() {
                        let sum = &mut sums[of][side];
                        since[of][side] = if *sum == 0.0 { grid } else { since[of][side] };
                        *sum = (*sum + deviation - allowance).clamp(0.0, EXCESS_MAX);
                    }
                }
                means.iter_mut().zip(KEEPS).zip(WEIGHTS).for_each(|((m, keep), w)| *m = *m * keep + w * flow);
                lazy.step(grid, flow);
            }
            for _ in 0..after {
                quiet(&mut means, &mut sums);
            }
            let found = lazy.at(grid + after);
            for (found, wanted) in found.means.unwrap().into_iter().zip(means) {
                prop_assert!((found - wanted).abs() < 2e-9, "{} {}", found, wanted);
            }
            for (of, found) in [found.excess.unwrap(), found.campaign.unwrap()].into_iter().enumerate() {
                for side in 0..2 {
                    let wanted = sums[of][side];
                    prop_assert!((found.sum[side] - wanted).abs() < 1e-6, "{:?} {}", found, wanted);
                    if wanted > 1e-6 {
                        let run_s = (grid + after + 1 - since[of][side]) as f64 / 10.0;
                        prop_assert!((found.run_s[side] - run_s).abs() < 1e-9);
                    }
                }
            }
        }
    }
}
