//! The rows of an archive in their order, each at its time.

use std::path::PathBuf;

use types::{EventFlags, UnixNanos};

use super::archive::{Archive, DepthRow, MessageRow};
use super::book::{Book, LobsterStats};
use super::row::Row;
use crate::archive::ArchiveReader;
use crate::config::FeedConfig;
use crate::decode::{EventBuffer, Place, TickSize};
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

/// Reads a LOBSTER archive.
pub(crate) struct LobsterReader {
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
    midnight: UnixNanos,
    has_begun: bool,
    /// Damage behind a row whose turn has not come.
    damage: Option<SourceError>,
}

impl LobsterReader {
    /// What rows tell, by the number that each has for it.
    pub(crate) const TYPES: &'static [(u8, &'static str)] = &[
        (b'1', "NewOrder"),
        (b'2', "PartialCancel"),
        (b'3', "Delete"),
        (b'4', "ExecuteVisible"),
        (b'5', "ExecuteHidden"),
        (b'6', "CrossTrade"),
        (b'7', "TradingHalt"),
    ];

    /// Opens the archive of one day of one instrument.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when there are several, or it is no zip archive, or lacks one of the two files.
    pub(crate) fn open(
        paths: &[PathBuf],
        config: &FeedConfig,
    ) -> Result<Box<dyn ArchiveReader>, SourceError> {
        let [path] = paths else { return Err(SourceError::OneArchive { found: paths.len() }) };
        let archive = Archive::open(path)?;
        let levels = archive.levels();
        let midnight = archive.date().eastern_midnight();
        let tick = config.ticks.of(archive.symbol());
        Ok(Box::new(Self {
            archive,
            tick,
            message: MessageRow::default(),
            depth: DepthRow::new(levels),
            next: None,
            next_depth: DepthRow::new(levels),
            last_ns: None,
            book: Book::new(ORDERS_MAX, levels),
            midnight,
            has_begun: false,
            damage: None,
        }))
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
                Err(error) => self.damage = Some(error),
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

    fn on_row(&mut self, out: &mut EventBuffer, stats: &mut FeedStats) -> Result<(), SourceError> {
        let stands = UnixNanos(self.midnight.0.saturating_add(self.stands_at()));
        stats.event_time.stands_at(stands);
        let said = UnixNanos(self.midnight.0.saturating_add(self.message.ns));
        stats.packets += 1;
        let ts_event = stats.note_message(b'0' + self.message.kind, said);
        stats.first_seq = 1;
        stats.last_seq = stats.packets;
        let mut row = Row {
            place: Place { seq: 0, ts_recv: ts_event, channel: 0, offset: 0 },
            ts_event,
            flags: EventFlags::SNAPSHOT,
            out,
        };
        if !self.has_begun {
            self.has_begun = true;
            row.begin(self.archive.symbol(), self.tick);
            self.book.seed(&self.message, &self.depth, &mut row);
            row.end(0);
        }
        let before = row.out.pending().len();
        row.place.seq = stats.packets;
        row.flags = EventFlags::NONE;
        row.say(&self.message);
        let fits = self.book.apply(&self.message, &mut row);
        row.flags = EventFlags::SNAPSHOT;
        let fits = fits && self.book.reconcile(&self.depth, &mut row);
        row.end(before);
        if !fits {
            return Err(self.archive.too_many_orders(ORDERS_MAX));
        }
        let (corrected, rows) = (self.book.stats().corrected, stats.packets);
        if corrected > STRANGE_LEVELS + rows / STRANGE_SHARE {
            return Err(self.archive.files_of_two_days(corrected, rows));
        }
        Ok(())
    }
}

impl ArchiveReader for LobsterReader {
    fn read_row(&mut self, out: &mut EventBuffer, stats: &mut FeedStats) -> Result<bool, SourceError> {
        if let Some(damage) = self.damage.take() {
            return Err(damage);
        }
        if !self.next_row()? {
            return Ok(false);
        }
        self.on_row(out, stats)?;
        Ok(true)
    }

    fn row_events_max(&self) -> usize {
        // One row removes every order at worst, and changes each level shown.
        ORDERS_MAX + 4 * self.archive.levels() + 4
    }

    fn added(&self) -> [(&'static str, u64); 2] {
        let LobsterStats { uncovered, corrected, .. } = self.book.stats();
        [("uncovered", uncovered), ("corrected", corrected)]
    }

    fn note(&self, stats: &mut FeedStats) {
        let LobsterStats { uncovered, corrected, unknown_orders } = self.book.stats();
        stats.uncovered_levels = uncovered;
        stats.corrected_levels = corrected;
        stats.unannounced_orders = unknown_orders;
    }
}
