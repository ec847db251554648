//! The stage that reads what a vendor made of a feed, row by row: a day in an archive, or in files of records.

use std::path::PathBuf;

use stage::{CounterCell, CounterReader, Stage, Work, WorkStatus, counters};
use types::UnixNanos;

use crate::config::FeedConfig;
use crate::decode::EventBuffer;
use crate::receiver::{EventTx, Feed, LineReader};
use crate::source::SourceError;
use crate::stats::FeedStats;

/// Events collected before they are handed on.
const CHUNK: usize = 1_024;

/// Reads rows and says them as events.
pub(crate) trait ArchiveReader: Send {
    /// Reads the next row, whose events go into `out`, and counts it; false at the end. What is told before an error is whole.
    ///
    /// # Errors
    ///
    /// Where the archive cannot be read on.
    fn read_row(&mut self, out: &mut EventBuffer, stats: &mut FeedStats) -> Result<bool, SourceError>;

    /// Most events of one row.
    fn row_events_max(&self) -> usize;

    /// What it counted besides rows, by name.
    fn added(&self) -> [(&'static str, u64); 2];

    /// Completes the counts by what it knows alone.
    fn note(&self, stats: &mut FeedStats);
}

/// Opens an archive's files.
pub(crate) type OpenArchive = fn(&[PathBuf], &FeedConfig) -> Result<Box<dyn ArchiveReader>, SourceError>;

/// A stage that reads an archive.
pub(crate) struct ArchiveFeed {
    name: &'static str,
    archive: Box<dyn ArchiveReader>,
    out: EventBuffer,
    tx: EventTx,
    stats: FeedStats,
    rows_max: usize,
    is_done: bool,
    error: Option<SourceError>,
    reader: CounterReader,
    cells: [CounterCell; 4],
}

impl ArchiveFeed {
    pub(crate) fn new(
        name: &'static str,
        archive: Box<dyn ArchiveReader>,
        config: &FeedConfig,
        tx: EventTx,
    ) -> Self {
        let [first, second] = archive.added().map(|(name, _)| name);
        let (reader, cells) = counters(name, ["rows", "events", first, second]);
        Self {
            name,
            out: EventBuffer::new(CHUNK + archive.row_events_max()),
            archive,
            tx,
            stats: FeedStats::default(),
            rows_max: config.burst_max.max(1),
            is_done: false,
            error: None,
            reader,
            cells,
        }
    }

    fn read(&mut self) -> Work {
        let mut rows = 0;
        while rows < self.rows_max && self.out.len() < CHUNK && !self.is_done {
            match self.archive.read_row(&mut self.out, &mut self.stats) {
                Ok(true) => rows += 1,
                Ok(false) => self.is_done = true,
                Err(error) => {
                    self.error = Some(error);
                    self.is_done = true;
                }
            }
        }
        self.hand_on();
        // Done is said by the next poll, when the ring has taken everything.
        Work { items: u32::try_from(rows).unwrap_or(u32::MAX), status: WorkStatus::Busy }
    }

    fn hand_on(&mut self) {
        let sent = self.tx.push(self.out.pending());
        self.out.advance(sent);
        self.stats.events += sent as u64;
    }
}

impl Stage for ArchiveFeed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        self.hand_on();
        if !self.out.is_empty() {
            return Work { items: 0, status: WorkStatus::Busy };
        }
        if self.is_done { Work::DONE } else { self.read() }
    }

    fn housekeep(&mut self, _now: UnixNanos) {
        self.tx.flush_gaps();
        let [first, second] = self.archive.added().map(|(_, count)| count);
        for (cell, value) in self.cells.iter().zip([self.stats.packets, self.stats.events, first, second]) {
            cell.set(value);
        }
    }
}

impl Feed for ArchiveFeed {
    fn stats(&self) -> FeedStats {
        let mut stats = self.stats.clone();
        self.archive.note(&mut stats);
        stats
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
}
