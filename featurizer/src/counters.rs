//! What books and featurizer count, and the names that readers know it by.

use types::StaleCause;

use crate::limits::Occupancy;

/// Counts since construction; every event that did not do what it says is in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookCounters {
    /// Events of orders the books do not know (captures that start in mid-session, orders lost in a gap).
    pub unknown_orders: u64,
    /// Levels that went and were not there.
    pub unknown_levels: u64,
    /// Orders added under an id that was live, in the same book (the old order was removed first) or in another of the feed.
    pub duplicate_orders: u64,
    /// Reductions and executions of more than was left; the order was removed.
    pub over_reductions: u64,
    /// Orders and levels refused because a table was full; each made its book stale.
    pub table_full: u64,
    /// Events no book can hold: no price, a price beyond ±1.15e9, no quantity, an instrument out of range.
    pub bad_events: u64,
    /// Book-changing events applied to a stale book.
    pub stale_events: u64,
    /// Book-changing events after which the best bid was above the best offer.
    pub crossed_events: u64,
    /// Book-changing events after which best bid and best offer were equal.
    pub locked_events: u64,
    /// Takings from a level that held less: levels set and orders mixed in one book.
    pub missing_quantity: u64,
    /// Gaps heard.
    pub gaps: u64,
    /// Times a book became stale, by cause: in the order of [`StaleCause::ALL`].
    pub stale_books: [u64; StaleCause::ALL.len()],
}

/// Counts since construction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeaturizerCounters {
    /// Events consumed.
    pub events: u64,
    /// Grid points closed.
    pub grid_points: u64,
    /// Vectors made.
    pub vectors: u64,
    /// Vectors replaced by a newer one before the sink took them.
    pub conflated: u64,
    /// Events older than the newest closed grid point.
    pub late_events: u64,
    /// Trades that the venue broke.
    pub trade_breaks: u64,
    /// Of those, the last trade of their instrument: an older one, or none, took its place.
    pub lasts_taken_back: u64,
    /// Counts of the books.
    pub books: BookCounters,
}

/// Names of the counters a stage publishes, in the order of [`values`].
pub(crate) const NAMES: [&str; 30] = [
    "events",
    "grid_points",
    "vectors",
    "conflated",
    "late_events",
    "unknown_orders",
    "duplicate_orders",
    "over_reductions",
    "table_full",
    "bad_events",
    "stale_events",
    "crossed_events",
    "locked_events",
    "missing_quantity",
    "gaps",
    "live_orders",
    "side_orders",
    "far_levels",
    "recentres",
    "recentres_refused",
    "trade_breaks",
    "lasts_taken_back",
    "unknown_levels",
    "live_orders_max",
    "instruments",
    "instruments_room",
    "side_orders_max",
    "side_orders_room",
    "far_levels_max",
    "far_levels_room",
];

/// Their values; `live_orders_max` orders lived at most, as far as somebody looked.
pub(crate) fn values(c: &FeaturizerCounters, o: &Occupancy, live_orders_max: u64) -> [u64; NAMES.len()] {
    [
        c.events,
        c.grid_points,
        c.vectors,
        c.conflated,
        c.late_events,
        c.books.unknown_orders,
        c.books.duplicate_orders,
        c.books.over_reductions,
        c.books.table_full,
        c.books.bad_events,
        c.books.stale_events,
        c.books.crossed_events,
        c.books.locked_events,
        c.books.missing_quantity,
        c.books.gaps,
        o.orders as u64,
        o.side_orders.used,
        o.far_levels.used,
        o.recentres,
        o.recentres_refused,
        c.trade_breaks,
        c.lasts_taken_back,
        c.books.unknown_levels,
        live_orders_max,
        o.instruments.used,
        o.instruments.room,
        o.side_orders.high_water,
        o.side_orders.room,
        o.far_levels.high_water,
        o.far_levels.room,
    ]
}
