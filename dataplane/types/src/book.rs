//! What is known of a market at one moment: its levels, its state, its best prices.

use crate::{Px, TickTableId, UnixNanos};

/// Trading status as carried in [`crate::Action::Status`]'s `aux`.
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
    /// The book misses orders or levels that it could not hold: a table of bounded size is full, or a price is beyond any book's.
    TableFull = 2,
    /// The venue changed session without ending the last one.
    SessionChange = 3,
    /// The feed was joined in mid-session, so that orders of before the join are missing.
    Joined = 4,
    /// The feed names orders, or takes away levels, that the book never saw.
    UnknownOrders = 5,
    /// More was taken from an order than it had.
    OverExecution = 6,
    /// An order was added under the reference of one that was live.
    DuplicateOrder = 7,
    /// The venue's number of the instrument was used for two.
    MixedLocate = 8,
    /// Nothing is heard on its channel. The book stands as it was when the channel is heard again and nothing is missing.
    Silent = 9,
    /// Something else was said of it under a number that had been said: one of the two is not so.
    Contradicted = 10,
    /// Its channel is late by its own stamps. The book stands as it is when the channel has caught up.
    Late = 11,
}

impl StaleCause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Gap,
        Self::TableFull,
        Self::SessionChange,
        Self::Joined,
        Self::UnknownOrders,
        Self::OverExecution,
        Self::DuplicateOrder,
        Self::MixedLocate,
        Self::Silent,
        Self::Contradicted,
        Self::Late,
    ];

    /// Its name in files and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::TableFull => "table_full",
            Self::SessionChange => "session_change",
            Self::Joined => "joined_in_mid_session",
            Self::UnknownOrders => "unknown_orders",
            Self::OverExecution => "over_execution",
            Self::DuplicateOrder => "duplicate_order",
            Self::MixedLocate => "mixed_locate",
            Self::Silent => "silent",
            Self::Contradicted => "contradicted",
            Self::Late => "late",
        }
    }
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
            17..=27 => Some(Self::Stale(StaleCause::ALL[n as usize - 17])),
            _ => None,
        }
    }

    /// Its name in files: `live`, or why it is not.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Live => "live",
            Self::Recovering => "recovering",
            Self::Stale(cause) => cause.as_str(),
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
    /// Price of the newest printable trade that was not broken, [`Px::NONE`] when there is none.
    pub last: Px,
    /// When it happened; 0 without one.
    pub last_ts: UnixNanos,
    /// Tick size, [`Px::NONE`] when it is not known.
    pub tick: Px,
    /// Where it differs by price: the table of which `tick` is the highest.
    pub tick_table: TickTableId,
    /// When this was known to be right: from a book, the event time of its newest event.
    pub ts: UnixNanos,
    /// Whether the book can be believed.
    pub state: BookState,
    /// Whether the venue trades the instrument.
    pub status: TradingStatus,
}

/// Levels of a [`DepthSide`].
pub const DEPTH_LEVELS: usize = 10;

/// The best levels of one side of a book, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthSide {
    /// Prices, [`Px::NONE`] after the last level.
    pub px: [Px; DEPTH_LEVELS],
    /// Quantities at them; the largest there is stands for any that is larger.
    pub qty: [u32; DEPTH_LEVELS],
}

impl DepthSide {
    /// No levels.
    pub const EMPTY: Self = Self { px: [Px::NONE; DEPTH_LEVELS], qty: [0; DEPTH_LEVELS] };

    /// The first of `levels`, which come best first.
    #[must_use]
    pub fn of(levels: impl Iterator<Item = BookLevel>) -> Self {
        let mut side = Self::EMPTY;
        for ((px, qty), level) in side.px.iter_mut().zip(&mut side.qty).zip(levels) {
            (*px, *qty) = (level.px, u32::try_from(level.qty).unwrap_or(u32::MAX));
        }
        side
    }
}

/// The best levels of both sides of one book: what an order that takes more than the touch would trade at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Bids.
    pub bids: DepthSide,
    /// Offers.
    pub asks: DepthSide,
}

impl Depth {
    /// No levels.
    pub const EMPTY: Self = Self { bids: DepthSide::EMPTY, asks: DepthSide::EMPTY };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_keeps_its_first_ten_levels_with_quantities_saturated() {
        let levels = (1..=12).map(|n| BookLevel { px: Px(n), qty: n as u64 * 1_000_000_000, order_count: 1 });
        let side = DepthSide::of(levels);
        assert_eq!((side.px[0], side.qty[0]), (Px(1), 1_000_000_000));
        assert_eq!((side.px[9], side.qty[3], side.qty[9]), (Px(10), 4_000_000_000, u32::MAX));
        let one = DepthSide::of([BookLevel { px: Px(7), qty: 3, order_count: 1 }].into_iter());
        assert_eq!((one.px[0], one.qty[0], one.px[1], one.qty[1]), (Px(7), 3, Px::NONE, 0));
    }

    #[test]
    fn every_byte_that_is_a_state_reads_back_as_that_state() {
        let states: [u8; 14] = [0, 1, 2, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27];
        for n in 0..=u8::MAX {
            let state = BookState::from_u8(n);
            assert_eq!(state.map(BookState::to_u8), states.contains(&n).then_some(n), "{n}");
        }
    }
}
