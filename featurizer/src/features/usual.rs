//! What is usual of an instrument, and how far the present is from it.
//!
//! **Definition.** A number holds from the grid step at which it is seen until it changes. Its *usual* value is the plain mean of its
//! first [`PLAIN_STEPS`] steps (a minute), and from then on exponential, each step weighing a [`SLOW_STEPS`]th (ten minutes): what
//! lasts seconds moves it little, however young it is. It is known after those first steps. What enters it is held within [`HELD`]
//! times the usual value and its [`HELD`]th part, as they were when the number came. Its *present* value is the exponential mean with
//! a time constant of a second. Both go on over a lost book as if the time without it had not been.
//!
//! As in [`super::memory`], a step in which nothing changed costs nothing: it is made good, in closed form, when the number is next
//! read or changes.

use super::memory::{KEEPS, decayed};

/// Steps whose plain mean a usual value begins as.
const PLAIN_STEPS: u64 = 600;
/// Steps that it remembers.
const SLOW_STEPS: f64 = 6_000.0;
/// What it keeps in a step.
const SLOW_KEEP: f64 = 1.0 - 1.0 / SLOW_STEPS;
/// How many times the usual value counts at most, and which part of it at least.
const HELD: f64 = 4.0;

/// A mean over ten minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SlowMean {
    mean: f64,
    /// Steps taken, up to [`PLAIN_STEPS`].
    count: u64,
}

impl SlowMean {
    /// It, `steps` steps of `x` later.
    #[expect(clippy::cast_precision_loss, reason = "counts up to 600")]
    pub(crate) fn after(self, x: f64, steps: u64) -> Self {
        let plain = steps.min(PLAIN_STEPS - self.count);
        let count = self.count + plain;
        let mean =
            if plain > 0 { self.mean + (x - self.mean) * (plain as f64 / count as f64) } else { self.mean };
        Self { mean: x + decayed(mean - x, SLOW_KEEP, steps - plain), count }
    }

    /// None while there are too few steps.
    pub(crate) fn value(self) -> Option<f64> {
        (self.count >= PLAIN_STEPS).then_some(self.mean)
    }

    /// `x` as it enters.
    fn held(self, x: f64) -> f64 {
        self.value().map_or(x, |usual| x.clamp(usual / HELD, usual * HELD))
    }
}

/// A number that holds until it changes, and what is usual of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Level {
    now: Option<f64>,
    /// What enters the usual value while it holds.
    enters: f64,
    /// The mean over a second; none before the first number.
    present: Option<f64>,
    usual: SlowMean,
    /// Grid number of the step taken last.
    grid: u64,
}

impl Level {
    /// The number from the grid step `grid` on; none where there is no such number. A number is positive.
    pub(crate) fn set(&mut self, grid: u64, number: Option<f64>) {
        if number == self.now {
            return;
        }
        *self = self.at(grid.saturating_sub(1));
        self.now = number;
        if let Some(number) = number {
            self.enters = self.usual.held(number);
            self.present = self.present.or(self.now);
        }
        // A step of the past (a day that starts anew without saying so) is the next one.
        self.grid = grid.saturating_sub(1);
        *self = self.at(grid);
    }

    /// It at the step `grid`, if nothing has changed since: what is asked of it is as of then.
    pub(crate) fn at(self, grid: u64) -> Self {
        let steps = grid.saturating_sub(self.grid);
        let Some(now) = self.now else { return Self { grid, ..self } };
        let present = self.present.map(|present| now + decayed(present - now, KEEPS[0], steps));
        Self { present, usual: self.usual.after(self.enters, steps), grid, ..self }
    }

    /// How many times the usual value the mean of the last second is.
    pub(crate) fn present_in_usual(&self) -> Option<f64> {
        self.now?;
        self.present.zip(self.usual()).map(|(present, usual)| present / usual)
    }

    /// How many times the usual value the number is.
    pub(crate) fn now_in_usual(&self) -> Option<f64> {
        self.now.zip(self.usual()).map(|(now, usual)| now / usual)
    }

    /// The usual value.
    pub(crate) fn usual(&self) -> Option<f64> {
        self.usual.value()
    }

    /// There is no such number until the next one, and what was a second ago says nothing of it.
    pub(crate) fn restart(&mut self) {
        *self = Self { usual: self.usual, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_minute_of_two_then_one_of_four() {
        let mut level = Level::default();
        level.set(1, Some(2.0));
        assert_eq!((level.at(599).usual(), level.at(599).now_in_usual()), (None, None));
        assert_eq!((level.at(600).usual(), level.at(600).now_in_usual()), (Some(2.0), Some(1.0)));
        level.set(601, Some(4.0));
        // One step of weight 1/6000, and a mean of a second that keeps exp(-0.1) of the two.
        let usual = 2.0 + 2.0 / 6_000.0;
        assert!((level.at(601).usual().unwrap() - usual).abs() < 1e-12);
        let present = 4.0 - 2.0 * (-0.1_f64).exp();
        assert!((level.at(601).present_in_usual().unwrap() - present / usual).abs() < 1e-12);
        assert!(
            (level.at(700).present_in_usual().unwrap() - 4.0 / level.at(700).usual().unwrap()).abs() < 1e-3
        );
        // A thousand counts as four times the usual, which it stays while it holds.
        let before = level.at(700).usual().unwrap();
        level.set(701, Some(1_000.0));
        assert!((level.at(701).usual().unwrap() - before - 3.0 * before / 6_000.0).abs() < 1e-12);
    }

    #[test]
    fn a_lost_number_keeps_what_is_usual() {
        let mut level = Level::default();
        level.set(1, Some(2.0));
        level.set(700, None);
        assert_eq!((level.at(90_000).usual(), level.at(90_000).now_in_usual()), (Some(2.0), None));
        level.restart();
        assert_eq!(level.at(90_001).present_in_usual(), None);
        level.set(90_002, Some(6.0));
        assert!(
            (level.at(90_002).present_in_usual().unwrap() - 3.0).abs() < 0.01,
            "no memory of the second before"
        );
    }

    proptest! {
        /// Made good in closed form is what a step at a time would have given, however often it is looked at.
        #[test]
        fn what_was_left_out_is_made_good(
            changes in prop::collection::vec((1_u64..400, prop::option::weighted(0.9, 0.1_f64..50.0)), 1..40),
            after in 0_u64..900,
        ) {
            let mut level = Level::default();
            let (mut now, mut enters, mut present, mut mean, mut count) = (None, 0.0, None::<f64>, 0.0, 0_u64);
            let step = |now: Option<f64>, enters: f64, present: &mut Option<f64>, mean: &mut f64, count: &mut u64| {
                let Some(now) = now else { return };
                *present = Some(present.map_or(now, |p| now + (p - now) * (-0.1_f64).exp()));
                *count += 1;
                *mean += (enters - *mean) / if *count <= 600 { *count as f64 } else { 6_000.0 };
            };
            let mut grid = 1_000;
            for (gap, number) in changes {
                for _ in 1..gap {
                    step(now, enters, &mut present, &mut mean, &mut count);
                }
                grid += gap;
                if number != now {
                    now = number;
                    if let Some(x) = now {
                        enters = if count >= 600 { x.clamp(mean / 4.0, mean * 4.0) } else { x };
                        present = present.or(now);
                    }
                }
                step(now, enters, &mut present, &mut mean, &mut count);
                level.set(grid, number);
                level.at(grid + 3).usual();
            }
            for _ in 0..after {
                step(now, enters, &mut present, &mut mean, &mut count);
            }
            let found = level.at(grid + after);
            prop_assert_eq!(found.usual.value().is_some(), count >= 600);
            prop_assert!((found.usual.mean - mean).abs() < 1e-6 * mean.max(1.0), "{} {}", found.usual.mean, mean);
            if let (Some(found), Some(wanted)) = (found.present, present) {
                prop_assert!((found - wanted).abs() < 1e-6 * wanted.max(1.0), "{} {}", found, wanted);
            }
        }
    }
}
