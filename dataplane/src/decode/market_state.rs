//! Whether an instrument trades, from all that a venue says about it.
//!
//! A venue tells a market-wide status, its own operational halts, and what is only sent while a security is in an auction. The
//! strictest of them holds.

use types::{InstrumentId, TradingStatus};

/// What was said of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    status: TradingStatus,
    /// The venue alone stopped it.
    stopped_here: bool,
    /// An auction is being prepared; ends with the next status.
    in_auction: bool,
}

impl Said {
    fn effective(self) -> TradingStatus {
        if self.stopped_here {
            TradingStatus::Halted
        } else if self.in_auction && self.status == TradingStatus::Trading {
            TradingStatus::Paused
        } else {
            self.status
        }
    }
}

/// The market states of a feed's instruments.
#[derive(Debug)]
pub(super) struct MarketStates {
    by_instrument: Box<[Said]>,
}

impl MarketStates {
    /// Nothing said yet about at most `instruments_max`.
    pub(super) fn new(instruments_max: usize) -> Self {
        Self { by_instrument: vec![Said::default(); instruments_max].into_boxed_slice() }
    }

    /// A new day.
    pub(super) fn clear(&mut self) {
        self.by_instrument.fill(Said::default());
    }

    /// The status on all markets. Gives what holds now, to be said in any case.
    pub(super) fn status(&mut self, instrument: InstrumentId, status: TradingStatus) -> TradingStatus {
        let said = &mut self.by_instrument[instrument.index()];
        *said = Said { status, in_auction: false, ..*said };
        said.effective()
    }

    /// The venue alone stops an instrument or lets it go on. Gives what holds now, if that is another status.
    pub(super) fn stop_here(&mut self, instrument: InstrumentId, stopped: bool) -> Option<TradingStatus> {
        self.change(instrument, |said| said.stopped_here = stopped)
    }

    /// An auction is being prepared: nothing trades until the next status. Gives what holds now, if that is another status.
    pub(super) fn auction(&mut self, instrument: InstrumentId) -> Option<TradingStatus> {
        self.change(instrument, |said| said.in_auction = true)
    }

    /// Every instrument is halted, until its next status.
    pub(super) fn halt_all(&mut self) {
        self.by_instrument.iter_mut().for_each(|said| said.status = TradingStatus::Halted);
    }

    fn change(&mut self, instrument: InstrumentId, change: impl FnOnce(&mut Said)) -> Option<TradingStatus> {
        let said = &mut self.by_instrument[instrument.index()];
        let before = said.effective();
        change(said);
        Some(said.effective()).filter(|now| *now != before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TradingStatus::{Halted, Paused, Trading, Unknown};

    #[test]
    fn the_strictest_of_what_was_said_holds() {
        let mut states = MarketStates::new(2);
        let one = InstrumentId(1);
        assert_eq!(states.stop_here(one, false), None, "nobody said that it trades");
        assert_eq!(states.status(one, Trading), Trading);
        assert_eq!((states.stop_here(one, true), states.stop_here(one, true)), (Some(Halted), None));
        assert_eq!(states.status(one, Paused), Halted);
        assert_eq!(states.stop_here(one, false), Some(Paused));
        assert_eq!(states.auction(one), None, "paused already");
        assert_eq!(states.status(one, Trading), Trading);
        assert_eq!((states.auction(one), states.status(one, Trading)), (Some(Paused), Trading));
        states.halt_all();
        assert_eq!((states.auction(one), states.status(one, Trading)), (None, Trading));
        states.clear();
        assert_eq!(states.stop_here(one, false), None);
        assert_eq!(states.status(InstrumentId(0), Unknown), Unknown);
    }
}
