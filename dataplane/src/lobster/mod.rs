//! LOBSTER samples: one instrument's day as a message file and an order book file, in one zip archive.
//!
//! Source: "LOBSTER Sample Files Readme" of 2013-09-01. A message row changes the book to what the order book row of the
//! same number shows, to a limited depth. What lies deeper is told neither before it comes into view nor while it is out
//! of view, so the translation here keeps a book of its own: levels that come into view are added as synthetic orders
//! (flag `SNAPSHOT`, numbers from 2^63 up), orders that nobody announced are taken from those, and what changed out of
//! view is put right when it is seen again. The events then describe an ordinary order-by-order book that shows exactly
//! the order book file after each row. Events carry the number of their row, those of the book before the first row 0.

mod archive;
mod book;

use std::path::Path;

use stage::{CounterCell, CounterReader, Stage, Work, WorkStatus, counters};
use types::{Action, BookEvent, EventFlags, InstrumentId, Px, Qty, Side, Symbol, TradingStatus, UnixNanos};

use crate::config::FeedConfig;
use crate::decode::{Directory, EventBuffer, Place};
use crate::receiver::{EventTx, Feed};
use crate::source::SourceError;
use crate::stats::FeedStats;
use archive::{Archive, DepthRow, MessageRow};
use book::Book;

/// Orders that may live at once.
const ORDERS_MAX: usize = 1 << 16;
/// Events collected before they are handed on.
const CHUNK: usize = 1_024;
/// The archive's one instrument.
const INSTRUMENT: InstrumentId = InstrumentId(0);

/// What the translation had to add to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LobsterStats {
    /// Levels that came into view, or came back changed, at the deepest level shown.
    pub uncovered: u64,
    /// Differences to the order book file above the deepest level: the two files do not belong together, or a row is
    /// missing.
    pub corrected: u64,
    /// Messages about orders that were never announced.
    pub unknown_orders: u64,
}

/// A stage that reads a LOBSTER archive.
pub struct LobsterFeed {
    name: &'static str,
    archive: Archive,
    tick: Px,
    message: MessageRow,
    depth: DepthRow,
    book: Book,
    out: EventBuffer,
    tx: EventTx,
    directory: Directory,
    stats: FeedStats,
    midnight: UnixNanos,
    rows_max: usize,
    phase: Phase,
    error: Option<SourceError>,
    reader: CounterReader,
    cells: [CounterCell; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    First,
    Reading,
    Done,
}

impl LobsterFeed {
    /// Opens an archive.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when it is no zip archive, or lacks one of the two files.
    pub fn open(
        name: &'static str,
        path: impl AsRef<Path>,
        config: &FeedConfig,
        tx: EventTx,
    ) -> Result<Self, SourceError> {
        let archive = Archive::open(path.as_ref())?;
        let levels = archive.levels();
        let mut directory = Directory::new(1);
        directory.settle(archive.symbol(), None);
        let midnight = archive.date().eastern_midnight();
        let tick = config.ticks.of(archive.symbol());
        let (reader, cells) = counters(name, ["rows", "events", "uncovered", "corrected"]);
        Ok(Self {
            name,
            archive,
            tick,
            message: MessageRow::default(),
            depth: DepthRow::new(levels),
            book: Book::new(ORDERS_MAX, levels),
            // One row removes every order at worst, and changes each level shown.
            out: EventBuffer::new(CHUNK + ORDERS_MAX + 4 * levels + 4),
            tx,
            directory,
            stats: FeedStats::default(),
            midnight,
            rows_max: config.burst_max.max(1),
            phase: Phase::First,
            error: None,
            reader,
            cells,
        })
    }

    /// What the translation had to add.
    #[must_use]
    pub fn lobster_stats(&self) -> LobsterStats {
        self.book.stats()
    }

    fn read(&mut self) -> Work {
        let mut rows = 0;
        let mut status = WorkStatus::Busy;
        while rows < self.rows_max && self.out.len() < CHUNK {
            match self.archive.next_row(&mut self.message, &mut self.depth) {
                Ok(true) => {}
                Ok(false) => {
                    status = WorkStatus::Done;
                    break;
                }
                Err(error) => {
                    self.error = Some(error);
                    status = WorkStatus::Done;
                    break;
                }
            }
            rows += 1;
            if let Err(error) = self.on_row() {
                self.error = Some(error);
                status = WorkStatus::Done;
                break;
            }
        }
        if status == WorkStatus::Done {
            self.phase = Phase::Done;
        }
        self.hand_on();
        // Done is said by the next poll, when the ring has taken everything.
        Work { items: u32::try_from(rows).unwrap_or(u32::MAX), status: WorkStatus::Busy }
    }

    fn on_row(&mut self) -> Result<(), SourceError> {
        let ts_event = UnixNanos(self.midnight.0.saturating_add(self.message.ns));
        self.stats.packets += 1;
        self.stats.note_message(b'0' + self.message.kind, ts_event);
        self.stats.first_seq = 1;
        self.stats.last_seq = self.stats.packets;
        let mut row = Row {
            place: Place { seq: 0, ts_recv: ts_event, channel: 0, offset: 0 },
            ts_event,
            flags: EventFlags::SNAPSHOT,
            out: &mut self.out,
        };
        if self.phase == Phase::First {
            self.phase = Phase::Reading;
            row.begin(self.archive.symbol(), self.tick);
            self.book.seed(&self.message, &self.depth, &mut row);
            row.end(0);
        }
        let before = row.out.pending().len();
        row.place.seq = self.stats.packets;
        row.flags = EventFlags::NONE;
        row.say(&self.message);
        let fits = self.book.apply(&self.message, &mut row);
        row.flags = EventFlags::SNAPSHOT;
        let fits = fits && self.book.reconcile(&self.depth, &mut row);
        row.end(before);
        if fits { Ok(()) } else { Err(self.archive.too_many_orders(ORDERS_MAX)) }
    }

    fn hand_on(&mut self) {
        let sent = self.tx.push(self.out.pending());
        self.out.advance(sent);
        self.stats.events += sent as u64;
    }
}

/// Where the events of one row go. Only the row's last event is [`EventFlags::LAST`]: the book is whole then.
pub(crate) struct Row<'a> {
    place: Place,
    ts_event: UnixNanos,
    flags: EventFlags,
    out: &'a mut EventBuffer,
}

impl Row<'_> {
    fn push(&mut self, event: BookEvent) {
        self.out.push(event);
    }

    fn event(&self, action: Action) -> BookEvent {
        BookEvent { flags: self.flags, ..self.place.event(self.ts_event, INSTRUMENT, action) }
    }

    /// An event about one order.
    fn order(&mut self, action: Action, order_id: u64, side: Side, px: i64, qty: u32) {
        self.push(BookEvent { order_id, side, px: Px::from_1e4(px), qty: Qty(qty), ..self.event(action) });
    }

    /// Shares leave an order that does not say at which price they traded.
    fn take(&mut self, action: Action, order_id: u64, side: Side, qty: u32) {
        self.push(BookEvent { order_id, side, qty: Qty(qty), ..self.event(action) });
    }

    /// A synthetic order grows: it makes way for a larger one.
    fn grow(&mut self, old: u64, new: u64, side: Side, px: i64, qty: u32) {
        let event = self.event(Action::OrderReplace);
        self.push(BookEvent { order_id: old, aux: new, side, px: Px::from_1e4(px), qty: Qty(qty), ..event });
    }

    /// The row's events, those from `before` on, are complete.
    fn end(&mut self, before: usize) {
        if let Some(last) = self.out.pending_mut()[before..].last_mut() {
            last.flags = last.flags.with(EventFlags::LAST);
        }
    }

    /// An archive begins in continuous trading; what interrupts it has rows of its own.
    fn begin(&mut self, symbol: Symbol, tick: Px) {
        self.push(BookEvent { order_id: symbol.to_word(), px: tick, ..self.event(Action::Define) });
        self.push(self.event(Action::Clear));
        self.push(BookEvent { aux: TradingStatus::Trading as u64, ..self.event(Action::Status) });
    }

    /// The rows that change no book.
    fn say(&mut self, m: &MessageRow) {
        let (cross, status) = match (m.kind, m.px) {
            (5, _) => (EventFlags::NONE, None),
            (6, _) => (EventFlags::CROSS.with(EventFlags::SIDELESS), None),
            (7, -1) => (EventFlags::NONE, Some(TradingStatus::Halted)),
            (7, 0) => (EventFlags::NONE, Some(TradingStatus::Paused)),
            (7, 1) => (EventFlags::NONE, Some(TradingStatus::Trading)),
            _ => return,
        };
        let event = match status {
            Some(status) => BookEvent { aux: status as u64, ..self.event(Action::Status) },
            None => BookEvent {
                px: Px::from_1e4(m.px),
                qty: Qty(m.qty),
                side: m.side,
                flags: self.flags.with(cross),
                ..self.event(Action::Trade)
            },
        };
        self.push(event);
    }
}

impl Stage for LobsterFeed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        self.hand_on();
        if !self.out.is_empty() {
            return Work { items: 0, status: WorkStatus::Busy };
        }
        if self.phase == Phase::Done { Work::DONE } else { self.read() }
    }

    fn housekeep(&mut self, _now: UnixNanos) {
        self.tx.flush_gaps();
        let added = self.book.stats();
        let values = [self.stats.packets, self.stats.events, added.uncovered, added.corrected];
        for (cell, value) in self.cells.iter().zip(values) {
            cell.set(value);
        }
    }
}

impl Feed for LobsterFeed {
    fn stats(&self) -> FeedStats {
        self.stats.clone()
    }

    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn replay_time(&self) -> UnixNanos {
        self.stats.last_ts
    }

    fn take_error(&mut self) -> Option<SourceError> {
        self.error.take()
    }

    fn counters(&self) -> CounterReader {
        self.reader.clone()
    }

    fn output(&self) -> &EventTx {
        &self.tx
    }
}
