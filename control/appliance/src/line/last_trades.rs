//! When the line took in the last trade of each instrument. Live, the gate's clock is the machine's: a venue's may be seconds off,
//! and that of a capture played live is of another day.

use types::{InstrumentId, UnixNanos};

/// One last trade.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// When it happened, by the venue's clock; 0 before the first.
    venue: UnixNanos,
    /// When it was taken in.
    line: UnixNanos,
}

/// The last trades of all instruments.
pub(crate) struct LastTrades(Box<[Heard]>);

impl LastTrades {
    pub(crate) fn new(instruments: usize) -> Self {
        Self(vec![Heard { venue: UnixNanos(0), line: UnixNanos(0) }; instruments].into())
    }

    /// When the last trade of `venue`, by the venue's clock, was taken in, told at `now`. 0 when there is none.
    pub(crate) fn taken_in(
        &mut self,
        instrument: InstrumentId,
        venue: UnixNanos,
        now: UnixNanos,
    ) -> UnixNanos {
        // An instrument beyond the tables has no reference, and no trade without a time is one.
        let Some(heard) = self.0.get_mut(instrument.index()).filter(|_| venue.0 != 0) else {
            return UnixNanos(0);
        };
        let line = if venue > heard.venue {
            now
        } else {
            // The same, or the one before a trade that was broken: as much earlier as it happened.
            UnixNanos(heard.line.0.saturating_sub(heard.venue.since(venue).0).max(1))
        };
        *heard = Heard { venue, line };
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_is_as_old_as_it_was_taken_in_whatever_the_venues_clock_says() {
        let mut trades = LastTrades::new(2);
        let mut told = |venue, now| trades.taken_in(InstrumentId(1), UnixNanos(venue), UnixNanos(now)).0;
        assert_eq!(told(0, 900), 0, "no trade yet");
        assert_eq!(told(100, 1_000), 1_000);
        assert_eq!(told(100, 1_500), 1_000, "a quote moved");
        assert_eq!(told(130, 1_700), 1_700);
        assert_eq!(told(100, 1_800), 1_670, "the last one was broken: the one 30 before it");
        assert_eq!(told(0, 1_850), 0, "and that one too");
        assert_eq!(told(140, 1_900), 1_900);
        // A stamp far ahead makes the next trade old, and no other.
        assert_eq!(told(9_000, 2_000), 2_000);
        assert_eq!(told(150, 2_100), 1);
        assert_eq!(told(160, 2_200), 2_200);
        assert_eq!(trades.taken_in(InstrumentId(2), UnixNanos(5), UnixNanos(6)).0, 0);
    }
}
