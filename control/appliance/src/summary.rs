//! summary.json: what a replay read, and the books it ended with. Keys are a contract (DESIGN.md, section 7).

use dataplane::FeedStats;
use featurizer::{Book, Featurizer};
use serde::Serialize;
use std::collections::BTreeMap;
use types::{BookLevel, Side};

/// The whole file.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) input: Vec<String>,
    pub(crate) feed: &'static str,
    pub(crate) packets: u64,
    pub(crate) messages: u64,
    pub(crate) messages_by_type: BTreeMap<String, u64>,
    pub(crate) messages_unknown: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) gaps: u64,
    pub(crate) missing: u64,
    pub(crate) duplicates: u64,
    pub(crate) sessions: u64,
    pub(crate) first_ts_ns: u64,
    pub(crate) last_ts_ns: u64,
    /// Instruments defined.
    pub(crate) symbols: usize,
    /// Those with at least one level at the end.
    pub(crate) symbols_with_book: usize,
    pub(crate) levels: u64,
    pub(crate) shares: u64,
    pub(crate) crossed_events: u64,
    pub(crate) stale_events: u64,
    /// Events of orders the books do not know: captures that start in mid-session have them.
    pub(crate) unknown_orders: u64,
    /// By symbol; those without a level left out.
    pub(crate) books: BTreeMap<String, BookSummary>,
    pub(crate) errors: Vec<ErrorSummary>,
    pub(crate) elapsed_s: f64,
    pub(crate) messages_per_s: f64,
}

/// One book at the end.
#[derive(Debug, Serialize)]
pub(crate) struct BookSummary {
    bid_px: Option<String>,
    bid_qty: u64,
    ask_px: Option<String>,
    ask_qty: u64,
    levels: u64,
    shares: u64,
}

/// One kind of damage in the input.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorSummary {
    kind: &'static str,
    count: u64,
    first_offset: u64,
}

impl BookSummary {
    fn of(book: &Book<'_>) -> Option<Self> {
        let levels = (book.level_count(Side::Bid) + book.level_count(Side::Ask)) as u64;
        if levels == 0 {
            return None;
        }
        let (bid, ask) = (book.best(Side::Bid), book.best(Side::Ask));
        let px = |level: BookLevel| level.px.is_some().then(|| level.px.to_string());
        Some(Self {
            bid_px: px(bid),
            bid_qty: bid.qty,
            ask_px: px(ask),
            ask_qty: ask.qty,
            levels,
            shares: book.shares(Side::Bid) + book.shares(Side::Ask),
        })
    }
}

impl Summary {
    /// The summary of a replay that took `elapsed_s` seconds.
    pub(crate) fn new(
        input: Vec<String>,
        feed: &'static str,
        stats: &FeedStats,
        featurizer: &Featurizer,
        elapsed_s: f64,
    ) -> Self {
        let named = |book: Book<'_>| Some((book.symbol()?.to_string(), BookSummary::of(&book)?));
        let books: BTreeMap<_, _> = featurizer.books().filter_map(named).collect();
        let counters = featurizer.counters().books;
        let errors = stats.errors().map(|(kind, e)| ErrorSummary {
            kind,
            count: e.count,
            first_offset: e.first_offset,
        });
        Self {
            input,
            feed,
            packets: stats.packets,
            messages: stats.messages,
            messages_by_type: stats.messages_by_type().map(|(kind, n)| (kind.to_string(), n)).collect(),
            messages_unknown: stats.messages_unknown,
            first_seq: stats.first_seq,
            last_seq: stats.last_seq,
            gaps: stats.gaps,
            missing: stats.missing,
            duplicates: stats.duplicates,
            sessions: stats.sessions,
            first_ts_ns: stats.first_ts.0,
            last_ts_ns: stats.last_ts.0,
            symbols: featurizer.books().filter(|b| b.symbol().is_some()).count(),
            symbols_with_book: books.len(),
            levels: books.values().map(|b| b.levels).sum(),
            shares: books.values().map(|b| b.shares).sum(),
            crossed_events: counters.crossed_events,
            stale_events: counters.stale_events,
            unknown_orders: counters.unknown_orders,
            books,
            errors: errors.collect(),
            elapsed_s,
            messages_per_s: stats.messages as f64 / elapsed_s.max(1e-9),
        }
    }
}
