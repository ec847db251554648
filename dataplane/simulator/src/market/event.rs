//! What a market tells the world, before it is bytes.

use types::Side;

/// One thing that happens on the market, in the vocabulary of an order-level feed. Prices are in ticks of the
/// instrument; order references count from 1 within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// An order joins the book.
    Add {
        /// Reference of the new order.
        order: u64,
        /// Its side.
        side: Side,
        /// Its quantity.
        qty: u32,
        /// Its price in ticks.
        px: i64,
        /// Whether its participant is named (ITCH F instead of A).
        attributed: bool,
    },
    /// `qty` of a resting order trades at the order's price.
    Execute {
        /// The resting order.
        order: u64,
        /// Quantity executed.
        qty: u32,
        /// Number of the match.
        match_no: u64,
    },
    /// `qty` of a resting order is cancelled; the rest keeps its place.
    Reduce {
        /// The resting order.
        order: u64,
        /// Quantity cancelled.
        qty: u32,
    },
    /// A resting order leaves whole.
    Delete {
        /// The order.
        order: u64,
    },
    /// A resting order leaves and another of the same side joins in its stead.
    Replace {
        /// The order that leaves.
        old: u64,
        /// The order that joins.
        new: u64,
        /// Its quantity.
        qty: u32,
        /// Its price in ticks.
        px: i64,
    },
    /// A trade against an order that was never displayed.
    HiddenTrade {
        /// Side of the resting order.
        side: Side,
        /// Quantity.
        qty: u32,
        /// Price in ticks.
        px: i64,
        /// Number of the match.
        match_no: u64,
    },
    /// What the opening auction would do now.
    Indicative {
        /// Lots that would match.
        paired: u32,
        /// Lots bid that would not.
        imbalance: u32,
        /// The price in ticks.
        px: i64,
    },
    /// Trading is paused, or goes on.
    State(TradingState),
    /// The print of an opening or reopening auction.
    Cross {
        /// Quantity matched.
        qty: u32,
        /// Price in ticks.
        px: i64,
        /// Number of the match.
        match_no: u64,
        /// It ends a pause, and does not open the day.
        reopens: bool,
    },
}

/// Whether an instrument trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradingState {
    /// It does.
    Trading,
    /// A volatility pause (ITCH 5.0 section 1.2.2, state P; reason LUDP).
    Paused,
}

/// A market event with its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Nanoseconds since midnight, Eastern time.
    pub ts_ns: u64,
    /// Which instrument of the simulation, from 0.
    pub instrument: u16,
    /// What happened.
    pub event: MarketEvent,
}
