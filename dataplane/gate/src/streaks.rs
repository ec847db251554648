//! Executions that are repeated: orders of one strategy on one side of one instrument, executed one after the other without one on
//! the other side (RTS 6, article 15(3)). At so many within a time the strategy is stopped until a person has looked.
//!
//! An order counts once, at its first execution. The time is cut into windows; what was executed in this one and the one before
//! counts, so that a sum looks back at least the time and at most twice as long. An execution of the other side begins anew: it
//! brings the position back.
//!
//! **The stop** is a number: how often it has happened to the strategy. The appliance latches it in the strategy's breaker and says
//! up to which number it did ([`crate::BreakerWriter::take_repeats`]); as long as the two differ, the strategy only reduces.

use alloc::{boxed::Box, vec};

use types::{Nanos, Side, UnixNanos};

use crate::ids::StrategyId;

/// When executions count as repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatedExecutions {
    /// At how many the strategy is stopped; at least 2.
    pub most: u32,
    /// Within which time, at least; at most twice as long.
    pub window: Nanos,
}

/// Executed orders of one side of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Streak {
    /// The number of the window of the last one.
    pub window: u64,
    /// In that window, and in the one before.
    pub counts: [u32; 2],
    pub side: Side,
}

impl Streak {
    const NONE: Self = Self { window: 0, counts: [0; 2], side: Side::Bid };

    /// One more of `side` in `window`; how many there are with it.
    fn note(&mut self, side: Side, window: u64) -> u32 {
        if side != self.side {
            *self = Self { side, window, ..Self::NONE };
        }
        let [last, before] = self.counts;
        match window.saturating_sub(self.window) {
            0 => self.counts = [last.saturating_add(1), before],
            1 => self.counts = [1, last],
            _ => self.counts = [1, 0],
        }
        self.window = self.window.max(window);
        let [last, before] = self.counts;
        last.saturating_add(before)
    }
}

/// Those of all cells.
#[derive(Debug)]
pub(crate) struct Streaks {
    rules: Option<RepeatedExecutions>,
    /// By cell.
    cells: Box<[Streak]>,
    /// How often each strategy was stopped.
    stops: Box<[u32]>,
}

impl Streaks {
    pub(crate) fn new(rules: Option<RepeatedExecutions>, cells: usize, strategies: usize) -> Self {
        let cells = if rules.is_some() { cells } else { 0 };
        Self { rules, cells: vec![Streak::NONE; cells].into(), stops: vec![0; strategies].into() }
    }

    /// Bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.cells) + size_of_val(&*self.stops)
    }

    /// How often a strategy was stopped.
    pub(crate) fn stops(&self, strategy: StrategyId) -> u32 {
        self.stops.get(usize::from(strategy.0)).copied().unwrap_or(0)
    }

    /// It was stopped so often; whether there is such a strategy.
    pub(crate) fn set_stops(&mut self, strategy: StrategyId, count: u32) -> bool {
        let place = self.stops.get_mut(usize::from(strategy.0));
        place.map(|place| *place = count).is_some()
    }

    /// An order of a strategy's cell was executed for the first time, at `now`.
    pub(crate) fn note(&mut self, cell: usize, strategy: StrategyId, side: Side, now: UnixNanos) {
        let Some(RepeatedExecutions { most, window }) = self.rules else { return };
        let Some(streak) = self.cells.get_mut(cell) else { return };
        if streak.note(side, now.0 / window.0.max(1)) >= most {
            *streak = Streak::NONE;
            if let Some(stops) = self.stops.get_mut(usize::from(strategy.0)) {
                *stops = stops.wrapping_add(1);
            }
        }
    }

    /// What is kept of cells: where, and what.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (usize, Streak)> {
        self.cells.iter().copied().enumerate().filter(|(_, streak)| *streak != Streak::NONE)
    }

    /// Takes one of them back; where nothing is kept, it says nothing.
    pub(crate) fn take(&mut self, cell: usize, streak: Streak) {
        if let Some(place) = self.cells.get_mut(cell) {
            *place = streak;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        /// Against the list of all: as many within the window stop it, and no more than what there was within two do.
        #[test]
        fn so_many_of_one_side_within_the_window_stop_a_strategy(
            steps in proptest::collection::vec((0_u64..40, prop_oneof![9 => Just(Side::Bid), 1 => Just(Side::Ask)]), 1..80),
            most in 2_u32..6,
        ) {
            let window = 100;
            let rules = RepeatedExecutions { most, window: Nanos(window) };
            let mut streaks = Streaks::new(Some(rules), 2, 2);
            let (mut now, mut run): (u64, Vec<(u64, Side)>) = (1_000, Vec::new());
            for (wait, side) in steps {
                now += wait;
                if run.last().is_some_and(|(_, last)| *last != side) {
                    run.clear();
                }
                run.push((now, side));
                let before = streaks.stops(StrategyId(1));
                streaks.note(1, StrategyId(1), side, UnixNanos(now));
                let stopped = streaks.stops(StrategyId(1)) != before;
                let within = |span: u64| run.iter().filter(|(at, _)| at + span > now).count();
                if within(window) >= most as usize {
                    prop_assert!(stopped);
                }
                if stopped {
                    prop_assert!(within(2 * window) >= most as usize);
                    run.clear();
                }
                prop_assert_eq!(streaks.stops(StrategyId(0)), 0);
            }
        }
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_asked_for() {
        let mut streaks = Streaks::new(None, 4, 2);
        (0..99).for_each(|_| streaks.note(1, StrategyId(0), Side::Bid, UnixNanos(5)));
        assert_eq!((streaks.stops(StrategyId(0)), streaks.kept().count()), (0, 0));
        assert!(streaks.set_stops(StrategyId(1), 3) && !streaks.set_stops(StrategyId(2), 3));
        assert_eq!(streaks.stops(StrategyId(1)), 3);
    }
}
