//! The daemon's `latency.hlog`: an interval a second, in wall-clock time. A start keeps the log of the run before it, a log that
//! has grown begins anew, and a disk that is full costs intervals, which are counted, never the daemon.

use super::pulse::Pulse;
use crate::latency::{Latency, fingerprint};
use anyhow::{Context, Result};
use control::cause::one_line;
use stage::HistLog;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use types::UnixNanos;

/// How often intervals are written.
const INTERVAL: Duration = Duration::from_secs(1);

/// Size at which a log is put aside and a new one begun: some ten hours of a busy line.
const BYTES_MAX: u64 = 64 << 20;

/// Logs of earlier runs that are kept beside the current one.
const KEPT: usize = 8;

/// A log that was begun.
struct Open {
    file: File,
    /// How much of it is whole.
    bytes: u64,
    /// What its lines count from.
    base: UnixNanos,
}

/// The current log, and how its disk is.
pub(super) struct LatencyLog {
    path: PathBuf,
    bytes_max: u64,
    latency: Latency,
    due: Instant,
    /// The log being written; none while it could not be begun.
    open: Option<Open>,
    /// Intervals that could not be written since the disk last failed.
    lost: u64,
}

impl LatencyLog {
    /// The log in `dir`. What is there of an earlier run is put aside at the first write.
    pub(super) fn new(dir: &Path, latency: Latency) -> Self {
        let path = dir.join("latency.hlog");
        Self { path, bytes_max: BYTES_MAX, latency, due: Instant::now() + INTERVAL, open: None, lost: 0 }
    }

    /// Writes what is finished, once a second, and adds it up. What it returns is for the daemon's log: that the disk began or ceased to fail.
    pub(super) fn write_due(&mut self, now: UnixNanos, pulse: &Pulse) -> Option<String> {
        if Instant::now() < self.due {
            return None;
        }
        self.due = Instant::now() + INTERVAL;
        self.write(now, pulse)
    }

    /// Writes what is finished, and adds it up.
    pub(super) fn write(&mut self, now: UnixNanos, pulse: &Pulse) -> Option<String> {
        self.latency.collect();
        let intervals = self.latency.take();
        if intervals.is_empty() {
            return None;
        }
        intervals.iter().for_each(|(hop, _, _, interval)| pulse.hop(hop, interval));
        match self.append(&intervals, now) {
            Ok(()) if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                Some(format!("latency.hlog can be written again; {lost} intervals are missing from it"))
            }
            Ok(()) => None,
            Err(error) => {
                let first = self.lost == 0;
                self.lost += intervals.len() as u64;
                first.then(|| {
                    let why = one_line(error.as_ref());
                    format!("warning: {why}; intervals are counted and left out until it works")
                })
            }
        }
    }

    /// Appends whole lines, or nothing: what a failed write leaves behind is cut off again.
    fn append(&mut self, intervals: &[IntervalOf], now: UnixNanos) -> Result<()> {
        let full = |open: &Open| open.bytes >= self.bytes_max;
        let mut open = match self.open.take().filter(|open| !full(open)) {
            Some(open) => open,
            None => self.begin(now)?,
        };
        let mut log = HistLog::resume(Vec::new(), open.base);
        let encoded =
            intervals.iter().try_for_each(|(hop, from, to, histogram)| log.write(hop, *from, *to, histogram));
        let lines = encoded.and_then(|()| log.finish());
        let written = lines.map_err(anyhow::Error::from).and_then(|lines| {
            open.file.set_len(open.bytes)?;
            open.file.write_all_at(&lines, open.bytes)?;
            open.bytes += lines.len() as u64;
            Ok(())
        });
        if written.is_err() {
            // Tried again before the next write, should this fail too.
            drop(open.file.set_len(open.bytes));
        }
        self.open = Some(open);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Puts the log that is there aside and begins another.
    fn begin(&self, now: UnixNanos) -> Result<Open> {
        self.put_aside(now).with_context(|| format!("cannot put {} aside", self.path.display()))?;
        let what = || format!("cannot begin {}", self.path.display());
        let mut head = Vec::new();
        HistLog::begin(&mut head, now, &fingerprint())?.finish()?;
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o640).open(&self.path).with_context(what)?;
        if let Err(error) = file.write_all(&head) {
            // An empty log would be put aside at every attempt.
            drop(fs::remove_file(&self.path));
            return Err(error).with_context(what);
        }
        Ok(Open { file, bytes: head.len() as u64, base: now })
    }

    /// Renames the log by the moment at which it ends, and removes the oldest of those kept.
    fn put_aside(&self, now: UnixNanos) -> std::io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        match fs::rename(&self.path, dir.join(format!("latency-{:020}.hlog", now.0))) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut kept: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            let digits = name.to_str().and_then(|n| n.strip_prefix("latency-")?.strip_suffix(".hlog"));
            if digits.is_some_and(|d| d.len() == 20 && d.bytes().all(|b| b.is_ascii_digit())) {
                kept.push(dir.join(name));
            }
        }
        kept.sort();
        let surplus = kept.len().saturating_sub(KEPT);
        kept.iter().take(surplus).for_each(|oldest| drop(fs::remove_file(oldest)));
        Ok(())
    }
}

type IntervalOf = (&'static str, UnixNanos, UnixNanos, hdrhistogram::Histogram<u64>);

#[cfg(test)]
mod tests {
    use super::*;
    use stage::hist::{latency_histogram, read_hlog};

    const START: UnixNanos = UnixNanos(1_795_271_422_000_000_000);

    fn at(seconds: u64) -> UnixNanos {
        UnixNanos(START.0 + seconds * 1_000_000_000)
    }

    fn intervals(seconds: u64) -> [IntervalOf; 1] {
        let mut histogram = latency_histogram();
        histogram.record(1_000).unwrap();
        [("score", at(seconds), at(seconds + 1), histogram)]
    }

    fn count(path: &Path) -> usize {
        read_hlog(&fs::read(path).unwrap()).unwrap().hops.iter().map(|hop| hop.intervals).sum()
    }

    fn kept(dir: &Path) -> Vec<PathBuf> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut kept: Vec<PathBuf> = names
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("latency-"))
            .collect();
        kept.sort();
        kept
    }

    #[test]
    fn a_start_keeps_the_log_of_the_run_before_it_and_times_are_those_of_the_wall() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latency.hlog");
        for run in 0..12 {
            let mut log = LatencyLog::new(dir.path(), Latency::default());
            log.append(&intervals(run * 10), at(run * 10)).unwrap();
            log.append(&intervals(run * 10 + 1), at(run * 10 + 1)).unwrap();
        }
        assert_eq!((count(&path), kept(dir.path()).len()), (2, KEPT));
        assert!(kept(dir.path()).iter().all(|path| count(path) == 2), "each whole");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("#[StartTime: 1795271532.000 (seconds since epoch), 2026-11-21T14:32:12Z]"),
            "{text}"
        );
        assert!(text.contains("\nTag=score,1.000,1.000,"), "{text}");
    }

    #[test]
    fn a_log_that_has_grown_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LatencyLog { bytes_max: 1, ..LatencyLog::new(dir.path(), Latency::default()) };
        for second in 0..3 {
            log.append(&intervals(second), at(second)).unwrap();
        }
        assert_eq!((kept(dir.path()).len(), count(&dir.path().join("latency.hlog"))), (2, 1));
    }

    #[test]
    fn a_disk_that_refuses_costs_intervals_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let mut log = LatencyLog::new(&state, Latency::default());
        assert!(log.append(&intervals(0), at(0)).is_err(), "there is no such directory");
        fs::create_dir(&state).unwrap();
        log.append(&intervals(1), at(1)).unwrap();
        let path = state.join("latency.hlog");
        // What a write that failed halfway leaves.
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"Tag=score,9.0"].concat()).unwrap();
        log.append(&intervals(2), at(2)).unwrap();
        assert_eq!(count(&path), 2, "nothing of it is left");
    }
}
