//! What a strategy wants to do, and what the venue then says happened.

use types::{InstrumentId, Px, Qty, Side};

use crate::ids::{AccountId, StrategyId};

/// Whether an order names its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderType {
    /// At the given price or better.
    Limit = 1,
    /// At any price. Never exempt from a price check: it is checked at the worst price that its quantity reaches in the
    /// published book.
    Market = 2,
}

/// How long an order works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until the session ends.
    Day = 1,
    /// What can trade at once trades, the rest is cancelled: never passive.
    Ioc = 2,
    /// Until cancelled.
    Gtc = 3,
}

/// A set of times in force: those that a strategy may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimesInForce(u8);

impl TimesInForce {
    /// Whichever there are.
    pub const ANY: Self = Self(u8::MAX);

    /// Those of a list.
    pub fn of(all: impl IntoIterator<Item = TimeInForce>) -> Self {
        Self(all.into_iter().fold(0, |set, tif| set | 1 << tif as u8))
    }

    /// As they are sent: a bit for each, by its number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Those of [`TimesInForce::bits`].
    #[must_use]
    pub const fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether it is one of them.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, tif: TimeInForce) -> bool {
        self.0 >> (tif as u8) & 1 != 0
    }
}

/// One order as a strategy asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderIntent {
    /// The client order id as a number, unique for the day and not 0. Venues that take text have the caller keep the
    /// text and hand in its number.
    pub cl_ord_id: u64,
    /// Limit price; [`Px::NONE`] for a market order.
    pub px: Px,
    /// What to trade.
    pub instrument: InstrumentId,
    /// How much.
    pub qty: Qty,
    /// On whose initiative.
    pub strategy: StrategyId,
    /// For whom.
    pub account: AccountId,
    /// `Bid` buys, `Ask` sells.
    pub side: Side,
    /// Limit or market.
    pub order_type: OrderType,
    /// How long it works.
    pub tif: TimeInForce,
}

/// What happened to an order that was reserved. An id is that of the order, or of a pending replacement of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// The venue took the order. It has counted into every limit since it was reserved, so nothing changes.
    Accepted {
        /// The order.
        id: u64,
    },
    /// `qty` more of it traded. For a venue that does not number its executions; every one is believed.
    Filled {
        /// The order.
        id: u64,
        /// How much traded just now.
        qty: Qty,
    },
    /// `qty` more of it traded, in an execution that the venue numbers: it counts once, however often it is said.
    Executed {
        /// The order.
        id: u64,
        /// The execution: unique for the day, and not 0.
        execution: u64,
        /// How much traded just now.
        qty: Qty,
    },
    /// The same, of a venue that says at which price. What says none counts at the worst price at which the order may have traded.
    ExecutedAt {
        /// The order.
        id: u64,
        /// The execution: unique for the day, and not 0.
        execution: u64,
        /// How much traded just now.
        qty: Qty,
        /// At which price.
        px: Px,
    },
    /// The venue took a trade of it back, and does not say which: nobody knows at what price, nor therefore what was lost today.
    Busted {
        /// The order.
        id: u64,
        /// How much had traded.
        qty: Qty,
    },
    /// The venue took back what it had said in `execution`: that is undone at the price at which it counted, once.
    BustedExecution {
        /// The order.
        id: u64,
        /// The execution: the number under which it came.
        execution: u64,
        /// How much is taken back.
        qty: Qty,
    },
    /// The venue took `qty` off it; the rest works on (partial cancel, self-match decrement). For a venue that says no more than that;
    /// every one is believed, so who can say what the order has left says [`OrderEvent::ReducedTo`].
    Reduced {
        /// The order.
        id: u64,
        /// How much was taken off.
        qty: Qty,
    },
    /// The venue made it smaller, and says how large it is now: however often it is told, and whichever trades are told before it or
    /// after it, it means the same. The rest works on. An order never becomes larger by it.
    ReducedTo {
        /// The order.
        id: u64,
        /// Its whole quantity now, what was executed included (CumQty and LeavesQty of FIX, together).
        qty: Qty,
    },
    /// The rest of it is gone (cancel acknowledged, expired, IOC remainder).
    Cancelled {
        /// The order.
        id: u64,
    },
    /// The venue refused it, or it could not be sent.
    Rejected {
        /// The order.
        id: u64,
    },
    /// The venue made the replacement: the order works on under this id.
    Replaced {
        /// The replacement.
        id: u64,
    },
    /// The venue refused the replacement; the order works on unchanged.
    ReplaceRejected {
        /// The replacement.
        id: u64,
    },
}

impl OrderEvent {
    /// What a reduction leaves of a whole quantity; all of it where this is none.
    pub(crate) fn reduced(&self, whole: u32) -> u32 {
        match *self {
            Self::Reduced { qty, .. } => whole.saturating_sub(qty.0),
            Self::ReducedTo { qty, .. } => whole.min(qty.0),
            Self::Accepted { .. }
            | Self::Filled { .. }
            | Self::Executed { .. }
            | Self::ExecutedAt { .. }
            | Self::Busted { .. }
            | Self::BustedExecution { .. }
            | Self::Cancelled { .. }
            | Self::Rejected { .. }
            | Self::Replaced { .. }
            | Self::ReplaceRejected { .. } => whole,
        }
    }

    /// The order it speaks of.
    #[must_use]
    pub const fn id(&self) -> u64 {
        match *self {
            Self::Accepted { id }
            | Self::Filled { id, .. }
            | Self::Executed { id, .. }
            | Self::ExecutedAt { id, .. }
            | Self::Busted { id, .. }
            | Self::BustedExecution { id, .. }
            | Self::Reduced { id, .. }
            | Self::ReducedTo { id, .. }
            | Self::Cancelled { id }
            | Self::Rejected { id }
            | Self::Replaced { id }
            | Self::ReplaceRejected { id } => id,
        }
    }

    /// How many shares a position moves by with it; none where that is no part of it.
    pub(crate) const fn shares(&self) -> Option<Qty> {
        match *self {
            Self::Filled { qty, .. }
            | Self::Executed { qty, .. }
            | Self::ExecutedAt { qty, .. }
            | Self::Busted { qty, .. }
            | Self::BustedExecution { qty, .. } => Some(qty),
            Self::Accepted { .. }
            | Self::Reduced { .. }
            | Self::ReducedTo { .. }
            | Self::Cancelled { .. }
            | Self::Rejected { .. }
            | Self::Replaced { .. }
            | Self::ReplaceRejected { .. } => None,
        }
    }

    /// Whether a position moves with it.
    pub(crate) const fn moves_shares(&self) -> bool {
        matches!(self.shares(), Some(Qty(1..)))
    }

    /// A trade of order 0, which nobody has: how a journal says that nobody knows what was traded.
    pub(crate) const fn is_a_trade_of_nobody(&self) -> bool {
        matches!(
            self,
            Self::Filled { id: 0, .. }
                | Self::Executed { id: 0, .. }
                | Self::ExecutedAt { id: 0, .. }
                | Self::Busted { id: 0, .. }
                | Self::BustedExecution { id: 0, .. }
        )
    }

    /// How much was traded with it; none of what is no trade.
    #[must_use]
    pub const fn traded_qty(&self) -> Option<Qty> {
        match self.traded() {
            Some(Traded { qty, .. }) => Some(qty),
            None => None,
        }
    }

    /// What was traded with it; none of what is no trade.
    #[inline(always)]
    pub(crate) const fn traded(&self) -> Option<Traded> {
        match *self {
            Self::Filled { qty, .. } => Some(Traded { execution: 0, qty, px: Px::NONE }),
            Self::Executed { execution, qty, .. } => Some(Traded { execution, qty, px: Px::NONE }),
            Self::ExecutedAt { execution, qty, px, .. } => Some(Traded { execution, qty, px }),
            Self::Accepted { .. }
            | Self::Busted { .. }
            | Self::BustedExecution { .. }
            | Self::Reduced { .. }
            | Self::ReducedTo { .. }
            | Self::Cancelled { .. }
            | Self::Rejected { .. }
            | Self::Replaced { .. }
            | Self::ReplaceRejected { .. } => None,
        }
    }
}

/// A trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traded {
    /// 0 where the venue does not number it.
    pub execution: u64,
    pub qty: Qty,
    /// None where the venue does not say.
    pub px: Px,
}
