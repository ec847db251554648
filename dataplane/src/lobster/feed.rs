//! The stage that reads an archive.

use std::path::Path;

use stage::{CounterCell, CounterReader, Stage, Work, WorkStatus, counters};
use types::{EventFlags, UnixNanos};

use super::archive::{Archive, DepthRow, MessageRow};
use super::book::{Book, LobsterStats};
use super::row::Row;
use crate::config::FeedConfig;
use crate::decode::{EventBuffer, InstrumentDirectory, Place, TickSize};
use crate::receiver::{EventTx, Feed, LineReader};
use crate::source::SourceError;
use crate::stats::FeedStats;

/// Orders that may live at once.
const ORDERS_MAX: usize = 1 << 16;
/// Levels that may differ from the order book file, but for the deepest where one went, before the two files are taken for those of
/// two days: so many, and one row in so many on top. Files that belong together differ in none.
const STRANGE_LEVELS: u64 = 64;
const STRANGE_SHARE: u64 = 50;
/// A row whose time is further from the one before than this is believed when the row behind it agrees.
const LEAP_NS: u64 = 1_000_000_000;
/// Events collected before they are handed on.
const CHUNK: usize = 1_024;

/// A stage that reads a LOBSTER archive.
pub struct LobsterFeed {
    name: &'static str,
    archive: Archive,
    tick: TickSize,
    message: MessageRow,
    depth: DepthRow,
    /// The row behind, where it was needed to tell whether that one's time is right.
    next: Option<MessageRow>,
    next_depth: DepthRow,
    /// Nanoseconds since midnight of the last row, as far as it was believed.
    last_ns: Option<u64>,
    book: Book,
    out: EventBuffer,
    tx: EventTx,
    directory: InstrumentDirectory,
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
        let mut directory = InstrumentDirectory::new(1);
        directory.resolve(archive.symbol(), None);
        let midnight = archive.date().eastern_midnight();
        let tick = config.ticks.of(archive.symbol());
        let (reader, cells) = counters(name, ["rows", "events", "uncovered", "corrected"]);
        Ok(Self {
            name,
            archive,
            tick,
            message: MessageRow::default(),
            depth: DepthRow::new(levels),
            next: None,
            next_depth: DepthRow::new(levels),
            last_ns: None,
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

    fn read(&mut self) -> Work {
        let mut rows = 0;
        let mut status = WorkStatus::Busy;
        while rows < self.rows_max && self.out.len() < CHUNK {
            match self.next_row() {
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
            if self.error.is_some() {
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

    /// Takes the next row of both files; false at their end.
    fn next_row(&mut self) -> Result<bool, SourceError> {
        if let Some(next) = self.next.take() {
            self.message = next;
            std::mem::swap(&mut self.depth, &mut self.next_depth);
            return Ok(true);
        }
        self.archive.next_row(&mut self.message, &mut self.depth)
    }

    /// Where the row stands in time, in nanoseconds since midnight. Rows are in its order: one that leaps from those before it may
    /// follow a silence or be a mistake, and only the row behind it tells. Damage behind it is kept for when its turn comes.
    fn stands_at(&mut self) -> u64 {
        let said = self.message.ns;
        let leaps = |from: u64, to: u64| from.abs_diff(to) > LEAP_NS;
        if self.last_ns.is_none_or(|last| leaps(last, said)) {
            let mut next = MessageRow::default();
            match self.archive.next_row(&mut next, &mut self.next_depth) {
                Ok(true) => self.next = Some(next),
                Ok(false) => {}
                Err(error) => self.error = Some(error),
            }
        }
        let behind = self.next.map(|next| next.ns);
        let stands = match (self.last_ns, behind) {
            (Some(last), _) if !leaps(last, said) => last.max(said),
            // After a leap forwards, what follows is not before it; after one back, not where the rows were before.
            (Some(last), Some(next)) if said > last && next.saturating_add(LEAP_NS) < said => last,
            (Some(last), Some(next)) if said < last && leaps(said, next) => last,
            (Some(last), None) if said < last => last,
            (None, Some(next)) if next.saturating_add(LEAP_NS) < said => next,
            _ => said,
        };
        self.last_ns = Some(stands);
        stands
    }

    fn on_row(&mut self) -> Result<(), SourceError> {
        let stands = UnixNanos(self.midnight.0.saturating_add(self.stands_at()));
        self.stats.event_time.stands_at(stands);
        let said = UnixNanos(self.midnight.0.saturating_add(self.message.ns));
        self.stats.packets += 1;
        let ts_event = self.stats.note_message(b'0' + self.message.kind, said);
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
        if !fits {
            return Err(self.archive.too_many_orders(ORDERS_MAX));
        }
        let (corrected, rows) = (self.book.stats().corrected, self.stats.packets);
        if corrected > STRANGE_LEVELS + rows / STRANGE_SHARE {
            return Err(self.archive.files_of_two_days(corrected, rows));
        }
        Ok(())
    }

    fn hand_on(&mut self) {
        let sent = self.tx.push(self.out.pending());
        self.out.advance(sent);
        self.stats.events += sent as u64;
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
        let LobsterStats { uncovered, corrected, unknown_orders } = self.book.stats();
        let mut stats = self.stats.clone();
        stats.uncovered_levels = uncovered;
        stats.corrected_levels = corrected;
        stats.unannounced_orders = unknown_orders;
        stats
    }

    fn directory(&self) -> &InstrumentDirectory {
        &self.directory
    }

    fn replay_time(&self) -> UnixNanos {
        self.stats.last_ts()
    }

    fn take_error(&mut self) -> Option<SourceError> {
        self.error.take()
    }

    fn counters(&self) -> CounterReader {
        self.reader.clone()
    }

    fn lines(&self) -> Vec<LineReader> {
        Vec::new()
    }

    fn output(&self) -> &EventTx {
        &self.tx
    }
}
