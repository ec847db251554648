//! The one event every feed is translated into: a cache line that says what happened to one instrument's book.

use crate::{InstrumentId, Px, Qty, SeqNo, Side, UnixNanos};

/// What a [`BookEvent`] does. Append-only: captures store the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Action {
    /// An order joins the book: `order_id`, `side`, `px`, `qty`.
    OrderAdd = 1,
    /// `qty` shares of `order_id` are cancelled; the rest keeps its place.
    OrderReduce = 2,
    /// `qty` shares of `order_id` traded. `px` is the execution price where the feed gives one
    /// ([`EventFlags::HAS_PX`]), else [`Px::NONE`] and the resting price holds.
    OrderExecute = 3,
    /// `order_id` leaves the book whole.
    OrderDelete = 4,
    /// `order_id` leaves and `aux` joins on the same side with `px` and `qty`.
    OrderReplace = 5,
    /// The level at `px` on `side` now holds `qty` in all (L2); zero removes it.
    LevelSet = 6,
    /// A trade that moves no displayed order (hidden, cross, auction): `px`, `qty`, `aux` = match number.
    Trade = 7,
    /// Trade `aux` is broken: it never was. (No feed of ours corrects a trade to another price.)
    TradeBreak = 8,
    /// Trading status changes: `aux` is a [`crate::TradingStatus`].
    Status = 9,
    /// An instrument gets its number: `order_id` is the [`crate::Symbol`] word, `aux` the round lot, `px` the tick
    /// size when the feed or the configuration knows it, and `qty` the [`crate::TickTableId`] where it differs by price: `px` is
    /// then the table's highest.
    Define = 10,
    /// The book becomes empty and live (start of day, snapshot start).
    Clear = 11,
    /// Messages were lost, or the book must miss some: `order_id` = first missing sequence number, `aux` = how many (0 when
    /// unknown), `qty` = [`GapCause`]. Addressed to [`InstrumentId::ALL`] unless the feed says which instruments suffer.
    Gap = 12,
    /// Only time passes (heartbeat).
    Time = 13,
    /// The venue's session is over: `aux` is an [`EndWord`].
    SessionEnd = 14,
    /// Something is to be said of the event's channel as a whole: `aux` is a [`ChannelWord`].
    Channel = 15,
}

impl Action {
    /// Whether it changes what stands in a book.
    #[must_use]
    pub const fn changes_book(self) -> bool {
        matches!(
            self,
            Self::OrderAdd
                | Self::OrderReduce
                | Self::OrderExecute
                | Self::OrderDelete
                | Self::OrderReplace
                | Self::LevelSet
        )
    }
}

/// What is said of a channel as a whole; carried in a channel event's `aux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChannelWord {
    /// Nothing was heard for longer than it may be silent: nobody knows what stands in its books.
    Silent = 0,
    /// It is heard again, and has told everything since.
    Heard = 1,
    /// It is late by its own stamps: what stands in its books is of a market that is over.
    Late = 2,
    /// It no longer is.
    InTime = 3,
}

impl ChannelWord {
    /// Every word, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Silent, Self::Heard, Self::Late, Self::InTime];

    /// The word with this number; the first for a number of none.
    #[must_use]
    pub fn from_u64(n: u64) -> Self {
        Self::ALL.into_iter().find(|word| *word as u64 == n).unwrap_or(Self::Silent)
    }
}

/// Who says that a session is over; carried in the `aux` of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndWord {
    /// A message of the venue's.
    Venue = 0,
    /// The transport of the event's channel: copies on every line of it, or often enough on one.
    Channel = 1,
    /// The session of the event's channel goes on after its transport said so: that is taken back.
    TakenBack = 2,
}

/// Why a book is not whole; carried in a gap event's `qty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GapCause {
    /// Sequence numbers were skipped on every line.
    Sequence = 1,
    /// The ring to the featurizer was full.
    RingFull = 2,
    /// The venue started a new session in the middle of ours.
    SessionChange = 3,
    /// A packet could not be decoded to its end.
    Malformed = 4,
    /// Nothing was lost: the feed was joined after its day had begun.
    MidSession = 5,
    /// Nothing was lost: the venue's number of the instrument was used for another one.
    MixedLocate = 6,
    /// Nothing was lost that anybody knows of: the feed names orders that it never added.
    UnknownOrders = 7,
    /// Messages are missing and were asked for again, or something claims that the sequence goes on elsewhere: what was said so far
    /// is old, until they come or are given up, and the claim holds or falls.
    Recovering = 8,
    /// Nothing is asked for or claimed any more: what was recovering is as new as the feed again.
    Recovered = 9,
    /// Nothing was lost that anybody knows of: something else was said under a number that had been said.
    Contradicted = 10,
}

/// Facts about an event that fit a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct EventFlags(pub u8);

impl EventFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Last event of one venue event: the book may be read (never crossed in between by a half-told story).
    pub const LAST: Self = Self(1);
    /// Part of a snapshot, not of live flow: order-flow features restart instead of counting it.
    pub const SNAPSHOT: Self = Self(1 << 1);
    /// An unrecoverable gap came before this event; in a definition, the venue has not introduced the instrument.
    pub const MAYBE_BAD_BOOK: Self = Self(1 << 2);
    /// The execution carries its own price.
    pub const HAS_PX: Self = Self(1 << 3);
    /// The trade is not printable (it is counted elsewhere on the tape).
    pub const NON_PRINTABLE: Self = Self(1 << 4);
    /// `side` says nothing (auction, unknown aggressor).
    pub const SIDELESS: Self = Self(1 << 5);
    /// The trade is a cross or auction print.
    pub const CROSS: Self = Self(1 << 6);

    /// Both sets of flags.
    #[inline]
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags but [`EventFlags::LAST`].
    #[inline]
    #[must_use]
    pub const fn without_last(self) -> Self {
        Self(self.0 & !Self::LAST.0)
    }

    /// Whether all flags of `other` are set.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One thing that happened to one instrument, in one cache line: what the receiver pushes and the featurizer applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct BookEvent {
    /// When the venue says it happened.
    pub ts_event: UnixNanos,
    /// When it arrived: the packet's hardware or capture stamp where there is one, else the burst's clock reading.
    pub ts_recv: UnixNanos,
    /// Sequence number of the message on its channel.
    pub seq: SeqNo,
    /// Order reference (L3); other meanings stand at the [`Action`].
    pub order_id: u64,
    /// Price, [`Px::NONE`] where the action has none.
    pub px: Px,
    /// Second number of the action; its meaning stands at the [`Action`].
    pub aux: u64,
    /// Quantity; its meaning stands at the [`Action`].
    pub qty: Qty,
    /// The instrument, or [`InstrumentId::ALL`].
    pub instrument: InstrumentId,
    /// Nanoseconds from `ts_recv` to the push into the ring, saturated; 0 in replay, where no clock runs.
    pub pub_delta_ns: u32,
    /// Feed channel (index into the configuration's channels).
    pub channel: u8,
    /// What happened.
    pub action: Action,
    /// Side of the resting order or level.
    pub side: Side,
    /// Further facts.
    pub flags: EventFlags,
}

const _: () = assert!(size_of::<BookEvent>() == 64 && align_of::<BookEvent>() == 64);

impl BookEvent {
    /// An event with every field neutral, to be completed with struct update syntax.
    pub const EMPTY: Self = Self {
        ts_event: UnixNanos(0),
        ts_recv: UnixNanos(0),
        seq: SeqNo(0),
        order_id: 0,
        px: Px::NONE,
        aux: 0,
        qty: Qty(0),
        instrument: InstrumentId::ALL,
        pub_delta_ns: 0,
        channel: 0,
        action: Action::Time,
        side: Side::Bid,
        flags: EventFlags::NONE,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn the_layout_that_captures_rely_on_holds() {
        assert_eq!(offset_of!(BookEvent, ts_event), 0);
        assert_eq!(offset_of!(BookEvent, seq), 16);
        assert_eq!(offset_of!(BookEvent, px), 32);
        assert_eq!(offset_of!(BookEvent, qty), 48);
        assert_eq!(offset_of!(BookEvent, action), 61);
    }

    #[test]
    fn flags_combine() {
        let f = EventFlags::LAST.with(EventFlags::HAS_PX);
        assert!(f.has(EventFlags::LAST) && f.has(EventFlags::HAS_PX) && !f.has(EventFlags::SNAPSHOT));
    }
}
