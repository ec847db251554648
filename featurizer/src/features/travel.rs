//! How far the mid has travelled, in what is usual for it.
//!
//! **Definition.** The move over a span is the change of the mid since the end of the second that lies so many seconds back, 0.9 s
//! more or less, in basis points of what it was. The *usual* size of such a move is `sqrt(n q + s²)`: `n` grid steps of the usual
//! squared return `q` ([`super::usual`], nothing held), and the usual spread `s`, since a bounce between bid and offer is no move.

use super::usual::SlowMean;
use super::window::STEPS_PER_SECOND;

/// Seconds that are remembered.
const SECONDS: u64 = 128;
const STEPS: u64 = STEPS_PER_SECOND as u64;

/// The mids of the last two minutes, and what returns are usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Travel {
    /// The mid at the end of each second, by second modulo [`SECONDS`].
    mids: [i64; SECONDS as usize],
    /// The mid; 0 where there is none.
    now: i64,
    /// First second of which `mids` has nothing: the mid has not changed since its end.
    open: u64,
    /// The second in which the mids begin.
    begins: u64,
    /// The usual squared return of a grid step, in bps².
    square: SlowMean,
    /// Grid number of the step taken last.
    grid: u64,
}

impl Default for Travel {
    fn default() -> Self {
        Self { mids: [0; SECONDS as usize], now: 0, open: 0, begins: 0, square: SlowMean::default(), grid: 0 }
    }
}

impl Travel {
    /// The mid at the grid step `grid`, which is positive, and the log return that led to it, where there was a mid before.
    pub(crate) fn step(&mut self, grid: u64, mid: i64, log_return: Option<f64>) {
        if mid == self.now {
            return;
        }
        let second = grid / STEPS;
        if self.now == 0 {
            (self.begins, self.open) = (second, second);
        } else {
            for s in self.open.max(second.saturating_sub(SECONDS))..second {
                self.mids[(s % SECONDS) as usize] = self.now;
            }
            self.open = second;
            let quiet = grid.saturating_sub(self.grid).max(1) - 1;
            let bps = log_return.unwrap_or(0.0) * 1e4;
            self.square = self.square.after(0.0, quiet).after(bps * bps, 1);
        }
        (self.now, self.grid) = (mid, grid);
    }

    /// The mid at the end of the second that lies `seconds` back at the step `grid`.
    fn back(&self, grid: u64, seconds: u64) -> Option<i64> {
        let second = (grid / STEPS).checked_sub(seconds).filter(|s| self.now > 0 && *s >= self.begins)?;
        Some(if second >= self.open { self.now } else { self.mids[(second % SECONDS) as usize] })
    }

    /// The moves over so many `seconds`, at most two minutes, in usual moves; `spread_bps` is the usual spread.
    #[expect(clippy::cast_precision_loss, reason = "statistics; prices stay integers")]
    pub(crate) fn in_usual<const N: usize>(
        &self,
        grid: u64,
        seconds: [u64; N],
        spread_bps: Option<f64>,
    ) -> [Option<f64>; N] {
        let square = self.square.after(0.0, grid.saturating_sub(self.grid)).value();
        seconds.map(|seconds| {
            let before = self.back(grid, seconds)?;
            let usual = ((seconds * STEPS) as f64 * square? + spread_bps?.powi(2)).sqrt();
            let bps = (self.now - before) as f64 / before as f64 * 1e4;
            (usual > 0.0).then(|| bps / usual)
        })
    }

    /// The mids are lost; what is usual is not.
    pub(crate) fn restart(&mut self) {
        *self = Self { square: self.square, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_move_worked_by_hand() {
        let mut travel = Travel::default();
        travel.step(1_000, 1_000_000, None);
        assert_eq!(travel.in_usual(1_099, [10], Some(2.0))[0], None, "the usual return is not known");
        // Up one basis point and back, five times in two minutes.
        for i in 1..=10_u64 {
            let (mid, back) = if i % 2 == 1 { (1_000_100, 1_000_000) } else { (1_000_000, 1_000_100) };
            travel.step(1_000 + 120 * i, mid, Some(f64::from(mid as i32 - back) / 1e6));
        }
        // Five steps of one bps² in the first 600, then one of a weight of 1/6000 in each 120.
        let (square, keep) = (travel.square.value().unwrap(), 1.0 - 1.0_f64 / 6_000.0);
        let wanted = (0..5).fold(5.0 / 600.0, |mean, _| mean * keep.powi(120) + 1.0 / 6_000.0);
        assert!((square - wanted).abs() < 1e-9, "{square} for {wanted}");
        travel.step(2_300, 1_001_000, Some(1e-3));
        let usual = (100.0 * travel.square.value().unwrap() + 4.0).sqrt();
        let found = travel.in_usual(2_300, [10], Some(2.0))[0].unwrap();
        assert!((found - 10.0 / usual).abs() < 1e-12, "{found}");
        assert_eq!(travel.in_usual(2_305, [120], Some(2.0))[0].map(f64::signum), Some(1.0));
        assert_eq!(travel.in_usual(2_409, [10], Some(2.0))[0], Some(0.0), "it has not moved since");
        assert_eq!(travel.in_usual(2_305, [10], None)[0], None);
        travel.restart();
        assert_eq!(travel.in_usual(2_306, [10], Some(2.0))[0], None);
        travel.step(2_400, 1_000_000, None);
        assert!(travel.in_usual(2_500, [10], Some(2.0))[0].is_some(), "what is usual was kept");
    }

    proptest! {
        #[test]
        fn a_second_back_is_where_the_mid_was(
            changes in prop::collection::vec((1_u64..3_000, 1_i64..50), 1..40),
            after in 0_u64..2_000,
            seconds in 0_u64..=120,
        ) {
            let (mut travel, mut path, mut grid) = (Travel::default(), Vec::new(), 500);
            for (gap, mid) in changes {
                grid += gap;
                travel.step(grid, mid, Some(0.0));
                path.push((grid, mid));
            }
            let now = grid + after;
            let end = (now / 10).checked_sub(seconds).map(|second| (second * 10 + 9).min(now));
            let wanted = end.and_then(|end| path.iter().rfind(|(at, _)| *at <= end)).map(|(_, mid)| *mid);
            prop_assert_eq!(travel.back(now, seconds), wanted);
        }
    }
}
