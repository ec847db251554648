//! summary.json: what a replay read, and the books it ended with. Keys are a contract: they are only ever added to.

use dataplane::FeedStats;
use dataplane::decode::type_label;
use dataplane::stats::LineReport;
use featurizer::{Book, Featurizer, Fill};
use serde::Serialize;
use std::collections::BTreeMap;
use types::{BookLevel, FeedKind, Nanos, Side, StaleCause};

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
    /// Packets that waited for earlier ones.
    pub(crate) reordered: u64,
    /// Heartbeats that said nothing new.
    pub(crate) heartbeats: u64,
    pub(crate) sessions: u64,
    pub(crate) first_ts_ns: u64,
    pub(crate) last_ts_ns: u64,
    /// Instruments defined.
    pub(crate) symbols: usize,
    /// Instruments that the feed named and the directory had no room for (`book.instruments`).
    pub(crate) instruments_beyond: u64,
    /// Those with at least one level at the end.
    pub(crate) symbols_with_book: usize,
    pub(crate) levels: u64,
    pub(crate) shares: u64,
    pub(crate) crossed_events: u64,
    pub(crate) stale_events: u64,
    /// Events of orders the books do not know: captures that start in mid-session have them.
    pub(crate) unknown_orders: u64,
    /// More was taken from an order than it had.
    pub(crate) over_executions: u64,
    /// Orders added under the reference of a live one.
    pub(crate) duplicate_orders: u64,
    /// Levels that went and were not there.
    pub(crate) unknown_levels: u64,
    /// Events that no book can hold, without a quantity or with a price beyond any book's; and takings from a level that held less.
    pub(crate) bad_events: u64,
    pub(crate) missing_quantity: u64,
    /// Numbers of the venue that were given to another instrument within the session.
    pub(crate) redefined_locates: u64,
    /// Orders and levels that found no room in the tables of the books.
    pub(crate) table_full: u64,
    /// How full the bounded tables were at most: of orders that live, of those of them beside their slots, of levels beside the ladders.
    pub(crate) tables: Vec<TableSummary>,
    /// How often a book was doubted, by cause; causes that did not occur left out.
    pub(crate) stale_books: BTreeMap<&'static str, u64>,
    /// Trades that the venue broke, and those of them that had been the last of their instrument; left out where there were none.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) trade_breaks: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) lasts_taken_back: u64,
    /// By symbol; those without a level left out.
    pub(crate) books: BTreeMap<String, BookSummary>,
    pub(crate) errors: Vec<ErrorSummary>,
    /// Messages that came after they were given up.
    pub(crate) late: u64,
    /// Events of a grid point that was over.
    pub(crate) late_events: u64,
    /// Datagrams of other groups and protocols.
    pub(crate) other_traffic: u64,
    /// Groups among them whose packets may be of the feed, and are left out; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<GroupSummary>,
    /// Packets left out or not believed, by cause; causes that did not occur left out.
    pub(crate) dropped: BTreeMap<&'static str, u64>,
    /// Times the sequence began again within its session.
    pub(crate) restarts: u64,
    /// Times the session went on after it was believed to be over; left out where it never did.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) ends_taken_back: u64,
    /// Messages with a venue time, and packets with a stamp, that were too far from those around them to be followed.
    pub(crate) event_time_outliers: u64,
    pub(crate) stamp_outliers: u64,
    /// Times a channel became late by its own stamps, and by how many milliseconds at most; left out where none did.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) late_spells: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) longest_lag_ms: u64,
    /// Packets with a checksum that does not add up.
    pub(crate) bad_checksums: u64,
    /// What each line brought.
    pub(crate) lines: Vec<LineSummary>,
    /// Where an input ends within a record, or is damaged so that it cannot be read on.
    pub(crate) cut: Option<String>,
    /// What a LOBSTER archive did not say; nothing for other feeds.
    pub(crate) lobster: Option<LobsterSummary>,
    /// Instruments that the model has no profile of; left out where there were none, or no model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) uncalibrated: Vec<String>,
    pub(crate) elapsed_s: f64,
    pub(crate) messages_per_s: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_none(count: &u64) -> bool {
    *count == 0
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
    /// `live`, or why it is not to be believed.
    state: &'static str,
}

/// One line of a feed.
#[derive(Debug, Serialize)]
pub(crate) struct LineSummary {
    channel: u8,
    line: u8,
    group: String,
    packets: u64,
    messages: u64,
    /// Messages it was the first to bring.
    first: u64,
    /// Those another line had brought, or that were given up.
    late: u64,
    /// Messages it skipped.
    lost: u64,
    /// Damaged packets.
    bad: u64,
    last_heard_ns: u64,
}

/// One table with a bound.
#[derive(Debug, Serialize)]
pub(crate) struct TableSummary {
    table: &'static str,
    high_water: u64,
    room: u64,
}

/// A group that is left out.
#[derive(Debug, Serialize)]
pub(crate) struct GroupSummary {
    group: String,
    packets: u64,
}

/// What the translation of a LOBSTER archive had to add.
#[derive(Debug, Serialize)]
pub(crate) struct LobsterSummary {
    uncovered_levels: u64,
    corrected_levels: u64,
    unannounced_orders: u64,
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
            state: book.state().as_str(),
        })
    }
}

impl LineSummary {
    fn of(report: &LineReport) -> Self {
        let stats = &report.stats;
        Self {
            channel: report.channel,
            line: report.line,
            group: report.group.to_string(),
            packets: stats.packets,
            messages: stats.messages,
            first: stats.won,
            late: stats.messages.saturating_sub(stats.won),
            lost: stats.missing,
            bad: stats.bad,
            // Whole microseconds are all that DPDK's net_pcap keeps of a stamp, and a summary is the same through both sources.
            last_heard_ns: stats.last_heard.0 / 1_000 * 1_000,
        }
    }
}

impl LobsterSummary {
    const fn of(stats: &FeedStats) -> Self {
        Self {
            uncovered_levels: stats.uncovered_levels,
            corrected_levels: stats.corrected_levels,
            unannounced_orders: stats.unannounced_orders,
        }
    }
}

/// Messages by what the feed calls their types.
fn by_type(kind: FeedKind, stats: &FeedStats) -> BTreeMap<String, u64> {
    let counted = (0..=u8::MAX).zip(stats.by_type).filter(|(_, count)| *count > 0);
    counted.map(|(message_type, count)| (type_label(kind, message_type), count)).collect()
}

/// The kinds of damage that there were.
fn errors(stats: &FeedStats) -> Vec<ErrorSummary> {
    let each = stats.errors();
    each.map(|(kind, e)| ErrorSummary { kind, count: e.count, first_offset: e.first_offset }).collect()
}

/// How full the bounded tables were at most.
fn tables(featurizer: &Featurizer) -> Vec<TableSummary> {
    let row = |of: Fill| TableSummary { table: of.table, high_water: of.high_water, room: of.room };
    featurizer.occupancy().fills().map(row).into()
}

/// Groups that are left out.
fn left_out(stats: &FeedStats) -> Vec<GroupSummary> {
    let each = stats.left_out.iter();
    each.map(|left| GroupSummary { group: left.group.to_string(), packets: left.packets }).collect()
}

/// Everything that was dropped, by cause.
fn dropped(stats: &FeedStats) -> BTreeMap<&'static str, u64> {
    let source = &stats.source;
    let others = [
        ("implied_levels", stats.implied_levels),
        ("skipped_blocks", source.skipped_blocks),
        ("skipped_packets", source.skipped_packets),
    ];
    stats.dropped_by_cause().into_iter().chain(others).filter(|(_, count)| *count > 0).collect()
}

impl Summary {
    /// The summary of a replay that took `elapsed_s` seconds.
    pub(crate) fn new(
        input: Vec<String>,
        kind: FeedKind,
        stats: &FeedStats,
        featurizer: &Featurizer,
        elapsed_s: f64,
    ) -> Self {
        let named = |book: Book<'_>| Some((book.symbol()?.to_string(), BookSummary::of(&book)?));
        let books: BTreeMap<_, _> = featurizer.books().filter_map(named).collect();
        let all = featurizer.counters();
        let counters = all.books;
        let causes = StaleCause::ALL.iter().map(|cause| cause.as_str()).zip(counters.stale_books);
        Self {
            input,
            feed: kind.as_str(),
            packets: stats.packets,
            messages: stats.messages,
            messages_by_type: by_type(kind, stats),
            messages_unknown: stats.messages_unknown,
            first_seq: stats.first_seq,
            last_seq: stats.last_seq,
            gaps: stats.gaps,
            missing: stats.missing,
            duplicates: stats.duplicates,
            reordered: stats.reordered,
            heartbeats: stats.heartbeats,
            sessions: stats.sessions,
            first_ts_ns: stats.first_ts().0,
            last_ts_ns: stats.last_ts().0,
            symbols: featurizer.books().filter(|b| b.symbol().is_some()).count(),
            instruments_beyond: stats.instruments_beyond,
            symbols_with_book: books.len(),
            levels: books.values().map(|b| b.levels).sum(),
            shares: books.values().map(|b| b.shares).sum(),
            crossed_events: counters.crossed_events,
            stale_events: counters.stale_events,
            unknown_orders: counters.unknown_orders,
            over_executions: counters.over_reductions,
            duplicate_orders: counters.duplicate_orders,
            unknown_levels: counters.unknown_levels,
            bad_events: counters.bad_events,
            missing_quantity: counters.missing_quantity,
            redefined_locates: stats.redefined_locates,
            table_full: counters.table_full,
            tables: tables(featurizer),
            stale_books: causes.filter(|(_, count)| *count > 0).collect(),
            trade_breaks: all.trade_breaks,
            lasts_taken_back: all.lasts_taken_back,
            books,
            errors: errors(stats),
            late: stats.late,
            late_events: all.late_events,
            other_traffic: stats.other_traffic,
            left_out: left_out(stats),
            dropped: dropped(stats),
            restarts: stats.restarts,
            ends_taken_back: stats.ends_taken_back,
            event_time_outliers: stats.event_time_outliers(),
            stamp_outliers: stats.stamp_outliers,
            late_spells: stats.late_spells,
            longest_lag_ms: if stats.late_spells > 0 { stats.longest_lag_ns / Nanos::MILLI.0 } else { 0 },
            bad_checksums: stats.bad_checksums,
            lines: stats.lines.iter().map(LineSummary::of).collect(),
            cut: stats.source.cut.clone(),
            lobster: (kind == FeedKind::Lobster).then(|| LobsterSummary::of(stats)),
            uncalibrated: Vec::new(),
            elapsed_s,
            messages_per_s: stats.messages as f64 / elapsed_s.max(1e-9),
        }
    }
}
