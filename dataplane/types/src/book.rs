//! What is known of a market at one moment: its levels, its state, its best prices.

use crate::{Px, UnixNanos};

/// Trading status as carried in [`Action::Status`]'s `aux`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TradingStatus {
    /// Nothing heard yet: the gate treats it as not trading.
    #[default]
    Unknown = 0,
    /// Continuous trading.
    Trading = 1,
    /// Halted.
    Halted = 2,
    /// Orders are accepted, no matching (auction, quotation period).
    Paused = 3,
    /// Before or after the session.
    Closed = 4,
}

impl TradingStatus {
    /// The status with this number; anything unknown is [`TradingStatus::Unknown`].
    #[must_use]
    pub const fn from_u64(n: u64) -> Self {
        match n {
            1 => Self::Trading,
            2 => Self::Halted,
            3 => Self::Paused,
            4 => Self::Closed,
            _ => Self::Unknown,
        }
    }
}

/// One price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookLevel {
    /// Price, [`Px::NONE`] when the level does not exist.
    pub px: Px,
    /// Quantity in all orders of the level (64 bits: a level can exceed one order's bound).
    pub qty: u64,
    /// Orders in the level; 0 when the feed does not say (L2).
    pub order_count: u32,
}

impl BookLevel {
    /// No level.
    pub const NONE: Self = Self { px: Px::NONE, qty: 0, order_count: 0 };
}

/// Why a book is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StaleCause {
    /// Messages were lost.
    Gap = 1,
    /// A table of bounded size is full, so the book may miss orders.
    TableFull = 2,
    /// The venue changed session without ending the last one.
    SessionChange = 3,
}

/// Whether a book can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BookState {
    /// Nothing heard yet.
    #[default]
    Empty,
    /// Complete as far as the feed tells.
    Live,
    /// Wrong in an unknown way: its limits are the static ones and no score is taken from it.
    Stale(StaleCause),
    /// A snapshot is being applied.
    Recovering,
}

impl BookState {
    /// One byte for records: 0 empty, 1 live, 2 recovering, 16 + cause when stale.
    #[must_use]
    pub const fn to_u8(self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::Live => 1,
            Self::Recovering => 2,
            Self::Stale(cause) => 16 + cause as u8,
        }
    }

    /// The inverse of [`BookState::to_u8`], `None` for a byte that is no state.
    #[must_use]
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Empty),
            1 => Some(Self::Live),
            2 => Some(Self::Recovering),
            17 => Some(Self::Stale(StaleCause::Gap)),
            18 => Some(Self::Stale(StaleCause::TableFull)),
            19 => Some(Self::Stale(StaleCause::SessionChange)),
            _ => None,
        }
    }

    /// Whether a score may be taken from the book.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

/// The best prices of one book, and whether to believe them: what orders are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopOfBook {
    /// Best bid at the end of the last whole venue event, [`Px::NONE`] when there is none.
    pub bid: Px,
    /// Quantity at the best bid.
    pub bid_qty: u64,
    /// Best offer, likewise.
    pub ask: Px,
    /// Quantity at the best offer.
    pub ask_qty: u64,
    /// Price of the last printable trade, [`Px::NONE`] before the first.
    pub last: Px,
    /// Tick size, [`Px::NONE`] when it is not known.
    pub tick: Px,
    /// When this was known to be right: from a book, the event time of its newest event.
    pub ts: UnixNanos,
    /// Whether the book can be believed.
    pub state: BookState,
    /// Whether the venue trades the instrument.
    pub status: TradingStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_is_a_state_reads_back_as_that_state() {
        let states: [u8; 6] = [0, 1, 2, 17, 18, 19];
        for n in 0..=u8::MAX {
            let state = BookState::from_u8(n);
            assert_eq!(state.map(BookState::to_u8), states.contains(&n).then_some(n), "{n}");
        }
    }
}
