//! What signed order flow adds up to: exponential means, and how far selling and buying have gone beyond the usual.
//!
//! **Definition.** The flow of a grid step is that of [`FeatureId::Ofi100Ms`](types::FeatureId::Ofi100Ms); a step in which the
//! best quotes did not change has none, which is zero. *Means* are exponential, with time constants of 1, 5 and 30 s. The
//! *deviation* of a step is its flow over the root mean square of the flows of the steps with a change before it (plain while
//! there are fewer than [`SCALE_STEPS`] of them, exponential afterwards), held within ±[`DEVIATION_MAX`]: so it needs no profile of
//! the instrument. The *excess* of buying is Page's cumulative sum (Page 1954, "Continuous inspection schemes"),
//! `S = min(EXCESS_MAX, max(0, S + deviation - ALLOWANCE))`, that of selling the same of the negative deviation; a *run* is the time
//! since an excess was last zero. Both begin with the [`SCALE_STEPS_MIN`]th step with a change. A lost or emptied book ends means and
//! excesses, and keeps the scale, which is no chain.
//!
//! A step without a change costs nothing: what it would have done is made good, in closed form, when the values are next read or
//! changed.

use super::window::STEPS_PER_SECOND;

/// Weights of a new step in the means over 1, 5 and 30 s: `1 - exp(-0.1 s / tau)`.
const WEIGHTS: [f64; 3] = [0.095_162_581_964_040_43, 0.019_801_326_693_244_7, 0.003_327_783_945_476_678_7];
/// What is kept of them: `exp(-0.1 s / tau)`.
const KEEPS: [f64; 3] = [0.904_837_418_035_959_5, 0.980_198_673_306_755_3, 0.996_672_216_054_523_3];
/// A mean this small is none; below, decays would reach numbers that processors are slow with.
const MEAN_MIN: f64 = 1e-9;
/// Steps with a change whose mean square is the scale: five minutes of a busy instrument.
const SCALE_STEPS: u32 = 3_000;
/// Steps with a change before the scale is believed.
const SCALE_STEPS_MIN: u32 = 300;
/// Most that one step counts, in scales: one large order is no campaign.
const DEVIATION_MAX: f64 = 4.0;
/// What each step takes from an excess, in scales.
const ALLOWANCE: f64 = 0.5;

/// Most that an excess comes to, in scales: beyond what any law calls usual, and forgotten twenty seconds after the flow has ended.
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
    fn after(self, steps: u64) -> f64 {
        (self.sum - ALLOWANCE * steps_f64(steps)).max(0.0)
    }

    /// Takes the step `grid`, so many steps after the one taken before, with this deviation to its side.
    fn step(&mut self, grid: u64, steps: u64, deviation: f64) {
        let before = self.after(steps - 1);
        if before == 0.0 {
            self.since = grid;
        }
        self.sum = (before + deviation - ALLOWANCE).clamp(0.0, EXCESS_MAX);
    }

    /// Seconds that it has been above zero at the step `grid`, `steps` steps after the one taken last.
    fn run_s(self, grid: u64, steps: u64) -> f64 {
        if self.after(steps) == 0.0 {
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
    selling: Excess,
    buying: Excess,
}

/// The values at one grid point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FlowValues {
    /// Over 1, 5 and 30 s.
    pub(crate) means: Option<[f64; 3]>,
    /// Of selling and of buying, in scales.
    pub(crate) excess: Option<[f64; 2]>,
    /// Of selling and of buying, in seconds.
    pub(crate) run_s: Option<[f64; 2]>,
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
            self.selling.step(grid, steps, -deviation);
            self.buying.step(grid, steps, deviation);
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
        let sides = self.scale().map(|_| [self.selling, self.buying]);
        FlowValues {
            means: Some(means),
            excess: sides.map(|sides| sides.map(|side| side.after(steps))),
            run_s: sides.map(|sides| sides.map(|side| side.run_s(grid.max(self.grid), steps))),
        }
    }

    /// The book was emptied or can no longer be believed: what was added up ends.
    pub(crate) fn restart(&mut self) {
        *self = Self { square: self.square, count: self.count, ..Self::default() };
    }
}

/// `mean` times `keep` to the power of `steps`, by squaring: the same bits on every machine, and a bounded number of products.
fn decayed(mean: f64, keep: f64, steps: u64) -> f64 {
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
        assert_eq!(memory.at(from).excess, Some([0.0, 0.0]), "the scale was known after the last step");
        for grid in from + 1..=from + 3 {
            memory.step(grid, -2.0);
        }
        // The scale is 1, then 1.0050 (mean square 1 + 3/301), then 1.0099: 1.5 + 1.490 + 1.480.
        let values = memory.at(from + 3);
        let [selling, buying] = values.excess.unwrap();
        assert!((selling - 4.4705).abs() < 2e-3 && buying == 0.0, "{selling} {buying}");
        assert_eq!(values.run_s, Some([0.3, 0.0]));
        // Two steps without a change take one from it, ten take all.
        let [later, _] = memory.at(from + 5).excess.unwrap();
        assert!((selling - later - 1.0).abs() < 1e-12);
        assert_eq!(memory.at(from + 5).run_s, Some([0.5, 0.0]));
        assert_eq!(
            (memory.at(from + 20).excess, memory.at(from + 20).run_s),
            (Some([0.0; 2]), Some([0.0; 2]))
        );
        // However long it lasts, it is over twenty seconds after its end.
        let mut long = memory;
        (from + 4..from + 2_000).for_each(|grid| long.step(grid, -4.0));
        assert_eq!(long.at(from + 1_999).excess, Some([EXCESS_MAX, 0.0]));
        assert_eq!(long.at(from + 2_199).excess, Some([0.0, 0.0]));
        // One order, however large, counts four scales.
        let mut once = usual();
        once.step(from + 1, -1e9);
        assert_eq!(once.at(from + 1).excess, Some([DEVIATION_MAX - ALLOWANCE, 0.0]));
        assert!(once.scale().unwrap() < 1.1);
    }

    #[test]
    fn a_lost_book_ends_the_sums_and_not_the_scale() {
        let mut memory = usual();
        memory.step(700, -3.0);
        memory.restart();
        assert_eq!(memory.at(701), FlowValues::default());
        memory.step(800, -3.0);
        let [selling, _] = memory.at(800).excess.unwrap();
        assert!(selling > 2.0 && memory.at(800).run_s == Some([0.1, 0.0]));
    }

    proptest! {
        /// A step without a change does what it would have done with a flow of zero, but for the scale.
        #[test]
        fn what_was_left_out_is_made_good(
            flows in prop::collection::vec((1_u64..40, -6.0_f64..6.0), 1..60),
            after in 0_u64..400,
        ) {
            let mut lazy = usual();
            let (mut means, mut excess, mut since) = (lazy.means, [0.0_f64; 2], [0_u64; 2]);
            let mut grid = lazy.grid;
            let quiet = |means: &mut [f64; 3], excess: &mut [f64; 2]| {
                means.iter_mut().zip(KEEPS).for_each(|(mean, keep)| *mean *= keep);
                excess.iter_mut().for_each(|sum| *sum = (*sum - ALLOWANCE).max(0.0));
            };
            for (gap, flow) in flows {
                for _ in 1..gap {
                    quiet(&mut means, &mut excess);
                }
                grid += gap;
                let deviation = (flow / lazy.scale().unwrap()).clamp(-4.0, 4.0);
                for (side, deviation) in [-deviation, deviation].into_iter().enumerate() {
                    since[side] = if excess[side] == 0.0 { grid } else { since[side] };
                    excess[side] = (excess[side] + deviation - ALLOWANCE).clamp(0.0, EXCESS_MAX);
                }
                means.iter_mut().zip(KEEPS).zip(WEIGHTS).for_each(|((m, keep), w)| *m = *m * keep + w * flow);
                lazy.step(grid, flow);
            }
            for _ in 0..after {
                quiet(&mut means, &mut excess);
            }
            let found = lazy.at(grid + after);
            for (found, wanted) in found.means.unwrap().into_iter().zip(means) {
                prop_assert!((found - wanted).abs() < 2e-9, "{} {}", found, wanted);
            }
            for side in 0..2 {
                let (found, run) = (found.excess.unwrap()[side], found.run_s.unwrap()[side]);
                prop_assert!((found - excess[side]).abs() < 1e-6, "{} {}", found, excess[side]);
                if excess[side] > 1e-6 {
                    prop_assert!((run - (grid + after + 1 - since[side]) as f64 / 10.0).abs() < 1e-9);
                }
            }
        }
    }
}
