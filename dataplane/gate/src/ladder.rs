//! Tick sizes by price, with the reciprocals that make a price's divisibility cheap to test.

use types::{TICK_STEPS_MAX, TickTable};

use crate::{divide::Divisor, price::price_word};

/// Largest tick a row holds: 1,099 units of currency.
pub(crate) const TICK_MAX: u64 = (1 << 40) - 1;

/// Prices from `from` on, below `to`, and their tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    pub from: u64,
    pub to: u64,
    pub tick: Divisor,
}

impl Band {
    /// All prices have the tick.
    pub(crate) const fn everywhere(tick: Divisor) -> Self {
        Self { from: 0, to: u64::MAX, tick }
    }
}

/// A tick as rows hold it, [`Divisor::NONE`] when it is none, below 2e-9 or above [`TICK_MAX`].
pub(crate) fn tick_of(tick: types::Px) -> Divisor {
    let word = price_word(tick, false);
    if word <= TICK_MAX { Divisor::new(word) } else { Divisor::NONE }
}

/// A table of ticks as the gate reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ladder {
    bands: [Band; TICK_STEPS_MAX],
    len: usize,
}

impl Ladder {
    pub(crate) fn new(table: &TickTable) -> Self {
        let steps = table.steps();
        let mut bands = [Band::everywhere(Divisor::NONE); TICK_STEPS_MAX];
        for (band, step) in bands.iter_mut().zip(steps) {
            // A step above every price the gate knows begins at none of them.
            let from = if step.from.0 == 0 { 0 } else { step.from.0.unsigned_abs() };
            *band = Band { from, to: u64::MAX, tick: tick_of(step.tick) };
        }
        for at in 1..steps.len() {
            if let Some([below, above]) = bands.get_mut(at - 1..=at) {
                below.to = above.from;
            }
        }
        Self { bands, len: steps.len() }
    }

    /// The band of a price.
    pub(crate) fn band(&self, px: u64) -> Band {
        let bands = self.bands.iter().take(self.len).rev();
        let mut reached = bands.skip_while(|band| band.from > px);
        reached.next().copied().unwrap_or(Band::everywhere(Divisor::NONE))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use types::{Px, TickStep};

    #[test]
    fn a_price_has_the_band_that_the_table_says() {
        let us = Ladder::new(&TickTable::US_EQUITY);
        let (fine, cent) = (Divisor::new(100_000), Divisor::new(10_000_000));
        let dollar = 1_000_000_000;
        let (below, above) =
            (Band { from: 0, to: dollar, tick: fine }, Band { from: dollar, to: u64::MAX, tick: cent });
        for (px, band) in [(0, below), (dollar - 1, below), (dollar, above), (u64::MAX, above)] {
            assert_eq!(us.band(px), band, "{px}");
        }
    }

    #[test]
    fn every_band_of_a_full_table_has_the_tick_of_the_table() {
        let steps: [TickStep; TICK_STEPS_MAX] = core::array::from_fn(|at| {
            let at = i64::try_from(at).unwrap();
            TickStep { from: Px(at * 1_000), tick: Px([10, 20, 50, 100][usize::try_from(at).unwrap() % 4]) }
        });
        let table = TickTable::new(&steps).unwrap();
        let ladder = Ladder::new(&table);
        for px in 0..(TICK_STEPS_MAX as u64 + 1) * 1_000 {
            let band = ladder.band(px);
            assert_eq!(band.tick.divisor(), table.at(Px(px.cast_signed())).0.cast_unsigned(), "{px}");
            assert!(band.from <= px && px < band.to);
        }
    }

    #[test]
    fn a_tick_that_no_row_can_hold_is_none() {
        for (tick, known) in [(1, false), (2, true), (1 << 40, false), ((1 << 40) - 1, true), (-5, false)] {
            assert_eq!(tick_of(Px(tick)) != Divisor::NONE, known, "{tick}");
        }
    }
}
