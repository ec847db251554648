//! The tables a replay writes, one writer each. Columns and their order are a contract: they are only ever appended to.

use anyhow::{Context, Result};
use featurizer::{Book, Effect, Observer};
use gate::{Decision, FAT_FINGER_BUCKETS, FatFingerLimits, RejectReason, RiskLimits, Unit, Verdict};
use gpu::Channel;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};

use crate::row::Row;
use types::{
    Action, BookEvent, BookLevel, BookState, EventFlags, FEATURES, InstrumentId, Nanos, Px, Qty, SeqNo, Side,
    Symbol, Tier, UnixNanos,
};

/// A file being filled; its first error is kept until [`Sheet::finish`], so that callbacks without a result can write.
pub(crate) struct Sheet {
    name: &'static str,
    file: BufWriter<File>,
    error: Option<std::io::Error>,
}

impl Sheet {
    /// Begins a table with its heading.
    pub(crate) fn begin(name: &'static str, file: BufWriter<File>, heading: &str) -> Self {
        let mut this = Self { name, file, error: None };
        this.line(format_args!("{heading}"));
        this
    }

    /// Writes a row.
    fn row(&mut self, row: &Row) {
        if self.error.is_none() {
            self.error = self.file.write_all(row.as_bytes()).and_then(|()| self.file.write_all(b"\n")).err();
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        if self.error.is_none() {
            self.error = writeln!(self.file, "{line}").err();
        }
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// The first error of any line.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.error.is_none() {
            self.error = self.file.flush().err();
        }
        self.error.map_or(Ok(()), |e| Err(e).with_context(|| format!("cannot write {}", self.name)))
    }
}

/// Which symbols are written: all, or those asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter(Option<BTreeSet<Symbol>>);

impl Filter {
    /// All symbols when `names` is empty.
    pub(crate) fn new(names: &[Symbol]) -> Self {
        Self((!names.is_empty()).then(|| names.iter().copied().collect()))
    }

    pub(crate) fn keeps(&self, symbol: Symbol) -> bool {
        self.0.as_ref().is_none_or(|set| set.contains(&symbol))
    }
}

/// bbo.csv and depth.csv, written while the books change.
#[derive(Default)]
pub(crate) struct BookTables {
    bbo: Option<Sheet>,
    depth: Option<Sheet>,
    levels: usize,
    filter: Filter,
    /// The newest row of depth.csv, and whose it is until it is written: one message can be several events of an instrument (an
    /// execution that takes several resting orders), and only the last of them shows the book after the message.
    newest: Row,
    held: Option<(SeqNo, InstrumentId)>,
    /// The row of bbo.csv being written.
    quote: Row,
    /// What the last rows of bbo.csv and of depth.csv said of each book.
    quoted: Told,
    shown: Told,
}

/// What the last row of a table said of each book; nothing before its first.
#[derive(Default)]
struct Told(Vec<Option<BookState>>);

impl Told {
    fn note(&mut self, book: &Book<'_>) {
        let index = book.instrument().index();
        if index >= self.0.len() {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(book.state());
    }

    /// Whether the book has begun or ceased to be believed since then.
    fn differs(&self, book: &Book<'_>) -> bool {
        let told = self.0.get(book.instrument().index()).copied().flatten();
        told.is_some_and(|told| told != book.state())
    }
}

impl BookTables {
    pub(crate) const BBO_HEADING: &'static str = "ts_event_ns,seq,symbol,bid_px,bid_qty,ask_px,ask_qty,book";

    /// Tables without a row yet; `levels` is the depth of depth.csv.
    pub(crate) fn new(bbo: Option<Sheet>, depth: Option<Sheet>, levels: usize, filter: Filter) -> Self {
        Self { bbo, depth, levels, filter, ..Self::default() }
    }

    /// The heading of depth.csv with `levels` levels a side.
    pub(crate) fn depth_heading(levels: usize) -> String {
        let level = |n: usize| format!("ask_px_{n},ask_qty_{n},bid_px_{n},bid_qty_{n}");
        let levels: Vec<_> = (1..=levels).map(level).collect();
        format!("ts_event_ns,seq,symbol,{},book", levels.join(","))
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        self.write_held();
        self.bbo.into_iter().chain(self.depth).try_for_each(Sheet::finish)
    }

    fn write_held(&mut self) {
        if let (Some(sheet), Some(_)) = (&mut self.depth, self.held.take()) {
            sheet.row(&self.newest);
        }
    }

    fn name(&self, book: &Book<'_>) -> Option<Symbol> {
        book.symbol().filter(|&s| self.filter.keeps(s))
    }

    /// Tells quotes that have not changed, and are believed now, or no longer.
    fn quote_state(&mut self, event: &BookEvent, book: &Book<'_>) {
        if self.bbo.is_some() && self.quoted.differs(book) {
            self.write_quote(event, book);
        }
    }

    /// Writes a row of bbo.csv.
    fn write_quote(&mut self, event: &BookEvent, book: &Book<'_>) {
        let Some(name) = self.name(book) else { return };
        let Some(sheet) = &mut self.bbo else { return };
        self.quoted.note(book);
        let (bbo, row) = (book.bbo(), &mut self.quote);
        begin(row, event, name);
        row.level(bbo.bid);
        row.level(bbo.ask);
        row.text(",");
        row.text(book.state().as_str());
        sheet.row(row);
    }

    /// Tells levels that have not changed by an event of the book, and are believed now, or no longer.
    fn show_state(&mut self, event: &BookEvent, book: &Book<'_>) {
        if self.depth.is_some() && self.shown.differs(book) {
            self.show(event, book);
        }
    }

    /// Makes the newest row of depth.csv, the book after `event`.
    fn show(&mut self, event: &BookEvent, book: &Book<'_>) {
        let Some(name) = self.name(book) else { return };
        let whose = Some((event.seq, book.instrument()));
        if self.held != whose {
            self.write_held();
        }
        self.shown.note(book);
        let row = &mut self.newest;
        begin(row, event, name);
        let (mut asks, mut bids) = (book.levels(Side::Ask, self.levels), book.levels(Side::Bid, self.levels));
        for _ in 0..self.levels {
            row.level(asks.next().unwrap_or(BookLevel::NONE));
            row.level(bids.next().unwrap_or(BookLevel::NONE));
        }
        row.text(",");
        row.text(book.state().as_str());
        self.held = whose;
    }
}

impl Observer for BookTables {
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        self.quote_state(event, book);
        if self.depth.is_none() {
            return;
        }
        // A level that a message uncovered is part of that message's row; a snapshot by itself is no message.
        let of_row = self.held == Some((event.seq, event.instrument));
        let written = effect.changes_levels()
            && event.action != Action::Clear
            && (of_row || !event.flags.has(EventFlags::SNAPSHOT));
        if written || self.shown.differs(book) {
            self.show(event, book);
        }
    }

    fn on_doubt(&mut self, event: &BookEvent, book: &Book<'_>) {
        self.quote_state(event, book);
        self.show_state(event, book);
    }

    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        self.write_quote(event, book);
        // Its own event follows, in `on_event_applied`.
        if event.instrument != book.instrument() {
            self.show_state(event, book);
        }
    }
}

/// Begins a row with what both tables begin with: time, sequence number, symbol.
fn begin(row: &mut Row, event: &BookEvent, name: Symbol) {
    row.begin();
    row.number(event.ts_event.0);
    row.text(",");
    row.number(event.seq.0);
    row.text(",");
    row.text(name.as_str());
}

/// scores.csv.
pub(crate) const SCORES_HEADING: &str = "ts_ns,symbol,raw,score,tier,top1,top2,top3,channel";

/// One score of scores.csv.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreRow {
    pub(crate) ts: UnixNanos,
    pub(crate) symbol: Symbol,
    pub(crate) raw: f32,
    pub(crate) score: f32,
    pub(crate) tier: Tier,
    pub(crate) top3: [u8; 3],
    pub(crate) channel: Channel,
}

impl Sheet {
    pub(crate) fn score(&mut self, row: &ScoreRow) {
        let name = |id: u8| FEATURES.get(usize::from(id)).map_or("", |f| f.name);
        let [a, b, c] = row.top3.map(name);
        self.line(format_args!(
            "{},{},{},{},{},{a},{b},{c},{}",
            row.ts,
            row.symbol,
            row.raw,
            row.score,
            row.tier,
            row.channel.as_str()
        ));
    }
}

/// limits.csv.
pub(crate) const LIMITS_HEADING: &str = "ts_ns,symbol,tier,max_qty,max_notional,collar_bps,passive_min_ticks,max_pos_long,max_pos_short,lease_ns,cause";

/// One publication of limits.csv.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitsRow {
    pub(crate) ts: UnixNanos,
    pub(crate) symbol: Symbol,
    pub(crate) tier: Tier,
    pub(crate) limits: RiskLimits,
    pub(crate) lease_ns: u64,
    pub(crate) cause: &'static str,
}

impl Sheet {
    pub(crate) fn limits(&mut self, row: &LimitsRow) {
        let l = &row.limits;
        self.line(format_args!(
            "{},{},{},{},{},{},{},{},{},{},{}",
            row.ts,
            row.symbol,
            row.tier,
            l.max_qty,
            micros(l.max_notional_micros),
            l.collar_bps,
            l.passive_min_ticks,
            l.max_pos_long,
            l.max_pos_short,
            row.lease_ns,
            row.cause
        ));
    }
}

/// fat_finger.csv.
pub(crate) fn fat_finger_heading() -> String {
    let sizes: Vec<_> = (0..FAT_FINGER_BUCKETS).map(|bucket| format!("max_qty_{bucket}")).collect();
    format!("ts_ns,symbol,{}", sizes.join(","))
}

/// One change of fat_finger.csv.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FatFingerRow {
    pub(crate) ts: UnixNanos,
    pub(crate) symbol: Symbol,
    pub(crate) sizes: FatFingerLimits,
}

impl Sheet {
    pub(crate) fn fat_finger(&mut self, row: &FatFingerRow) {
        let sizes = row.sizes.sizes().map(|size| size.to_string());
        self.line(format_args!("{},{},{}", row.ts, row.symbol, sizes.join(",")));
    }
}

/// Millionths of the currency as an exact decimal.
fn micros(value: i64) -> String {
    let (whole, fraction) = (value / 1_000_000, value % 1_000_000);
    if fraction == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{fraction:06}").trim_end_matches('0').to_owned()
    }
}

/// verdicts.csv.
pub(crate) const VERDICTS_HEADING: &str =
    "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,decision,code,slug,limit,value,tier,score,check_ns";

/// One verdict of verdicts.csv.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VerdictRow<'a> {
    pub(crate) ts: UnixNanos,
    pub(crate) cl_ord_id: &'a str,
    pub(crate) account: &'a str,
    pub(crate) strategy: &'a str,
    pub(crate) symbol: &'a str,
    pub(crate) side: Side,
    pub(crate) qty: Qty,
    pub(crate) px: Px,
    pub(crate) verdict: &'a Verdict,
    /// What it breaks beside the verdict's reason, where that is known: in audit mode.
    pub(crate) others: &'a [RejectReason],
    pub(crate) check: Nanos,
}

impl std::fmt::Display for VerdictRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ts, side, qty, verdict, check, .. } = self;
        let px = if self.px.is_some() { self.px.to_string() } else { String::new() };
        let (limit, value) = match verdict.reason {
            Some(reason) => (number(reason, verdict.limit), number(reason, verdict.value)),
            None => (String::new(), String::new()),
        };
        let known = verdict.known_tier();
        let score = known.map_or_else(String::new, |_| (f64::from(verdict.score.micros()) / 1e6).to_string());
        write!(
            f,
            "{ts},{},{},{},{},{},{qty},{px},{},{},{},{limit},{value},{},{score},{}",
            quoted(self.cl_ord_id),
            quoted(self.account),
            quoted(self.strategy),
            quoted(self.symbol),
            side.as_order_str(),
            verdict.decided(),
            with_others(verdict.code(), self.others.iter().map(|other| other.code())),
            with_others(verdict.slug(), self.others.iter().map(|other| other.slug())),
            Tier::name_of(known),
            check.0
        )
    }
}

impl Sheet {
    pub(crate) fn verdict(&mut self, row: &VerdictRow<'_>) {
        self.line(format_args!("{row}"));
    }
}

/// A limit or value in the unit people use: prices and money as decimals, everything else as the gate counts it.
fn number(reason: RejectReason, value: i64) -> String {
    match reason.unit() {
        Unit::Price => Px(value).to_string(),
        Unit::MicroCurrency => micros(value),
        Unit::None
        | Unit::Quantity
        | Unit::Bps
        | Unit::Ticks
        | Unit::Nanos
        | Unit::Orders
        | Unit::OrdersPerSecond
        | Unit::Number => value.to_string(),
    }
}

/// A list with a space between its members.
fn with_others(first: impl Display, others: impl Iterator<Item = impl Display>) -> String {
    others.fold(first.to_string(), |list, other| format!("{list} {other}"))
}

/// A text of the order file as one CSV field.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// `accept`, or the slug of the reason: one word for the timeline and the report.
pub(crate) fn outcome(verdict: &Verdict) -> &'static str {
    match verdict.decision {
        Decision::Reject => verdict.slug(),
        Decision::Accept | Decision::Flag => "accept",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_heading_names_each_level() {
        assert_eq!(
            BookTables::depth_heading(2),
            "ts_event_ns,seq,symbol,ask_px_1,ask_qty_1,bid_px_1,bid_qty_1,ask_px_2,ask_qty_2,bid_px_2,bid_qty_2,book"
        );
    }

    #[test]
    fn money_and_names_are_written_exactly() {
        assert_eq!([micros(250_000_000_000), micros(1_500_000), micros(1)], ["250000", "1.5", "0.000001"]);
        assert_eq!([quoted("plain"), quoted("a,\"b\"")], ["plain", "\"a,\"\"b\"\"\""]);
    }

    #[test]
    fn a_filter_keeps_what_it_names_and_an_empty_one_everything() {
        let symbol = |name| Symbol::new(name).unwrap();
        assert!(Filter::new(&[]).keeps(symbol("ANY")));
        let filter = Filter::new(&[symbol("VOO")]);
        assert!(filter.keeps(symbol("VOO")) && !filter.keeps(symbol("TQQQ")));
    }
}
