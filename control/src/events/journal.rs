//! The journal of events: lines of JSON in segments of bounded size, from which whoever fell behind reads on.
//!
//! Not a proof, as the audit log is: it is written without waiting for the disk, and its oldest segments go.

use crate::protocol::Event;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Segments kept.
const SEGMENTS: u64 = 8;

/// Bytes taken at once in reading; a line is shorter.
const CHUNK_BYTES: u64 = 1 << 18;

/// Longest line, in bytes. Texts, names and fields are bounded where they enter.
const LINE_BYTES_MAX: usize = 1 << 14;

/// The segments of `dir`: the first event of each, ascending, and its path.
fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let digits = name.strip_prefix("events-").and_then(|rest| rest.strip_suffix(".jsonl"));
        let first = digits.filter(|digits| digits.len() == 20).and_then(|d| d.parse().ok());
        // Nobody waits for what writes into a pipe, nor counts on from a number that nothing has come to.
        let is_ours =
            |first: &u64| *first <= SEQ_MAX && fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if let Some(first) = first.filter(is_ours) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The segment that is written.
/// The highest number of an event that is believed: nothing comes to it in any time.
pub(super) const SEQ_MAX: u64 = 1 << 62;

/// Makes the directory, where it is not there.
fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

#[derive(Debug)]
struct Segment {
    file: File,
    bytes: u64,
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    segment_bytes_max: u64,
    segment: Option<Segment>,
}

impl Journal {
    /// A journal whose directory nobody has looked at: it is made with the first event.
    pub(super) fn unread(dir: &Path, bytes_max: u64) -> Self {
        let segment_bytes_max = (bytes_max / SEGMENTS).max(LINE_BYTES_MAX as u64);
        Self { dir: dir.to_owned(), segment_bytes_max, segment: None }
    }

    /// The journal in `dir`, which is made where it is not there; gives the number of its newest event, 0 for none. A line that a
    /// crash cut off is removed.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(dir: &Path, bytes_max: u64) -> io::Result<(Self, u64)> {
        make(dir)?;
        let mut journal = Self::unread(dir, bytes_max);
        let mut newest = 0;
        if let Some((first, path)) = segments(dir)?.pop() {
            newest = first.saturating_sub(1);
            let mut reader = JournalReader::new(dir, first);
            loop {
                let events = reader.read(1_024)?;
                let Some(last) = events.last() else { break };
                newest = last.seq;
            }
            let file = OpenOptions::new().write(true).open(&path)?;
            file.set_len(reader.offset)?;
            journal.segment = Some(Segment { file, bytes: reader.offset });
        }
        Ok((journal, newest))
    }

    /// Appends whole lines, or nothing.
    ///
    /// # Errors
    /// What the system says; the events are not in the journal.
    pub(super) fn append(&mut self, events: &[Arc<Event>]) -> io::Result<()> {
        let Some(first) = events.first() else { return Ok(()) };
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event.as_ref())?;
            lines.push(b'\n');
        }
        let mut segment = match self.segment.take() {
            Some(segment) if segment.bytes < self.segment_bytes_max => segment,
            _ => self.begin(first.seq)?,
        };
        let written = segment.file.write_all_at(&lines, segment.bytes);
        match &written {
            Ok(()) => segment.bytes += lines.len() as u64,
            // Half a line is no event; should this fail too, the next write goes over it.
            Err(_) => drop(segment.file.set_len(segment.bytes)),
        }
        self.segment = Some(segment);
        written
    }

    /// Begins a segment and removes the oldest.
    fn begin(&self, first: u64) -> io::Result<Segment> {
        make(&self.dir)?;
        let path = self.dir.join(format!("events-{first:020}.jsonl"));
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            // Something else has the name: a pipe would keep the writer for ever.
            fs::rename(&path, path.with_extension("damaged"))?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let kept = segments(&self.dir)?;
        let surplus = kept.len().saturating_sub(SEGMENTS as usize);
        for (_, oldest) in kept.iter().take(surplus) {
            fs::remove_file(oldest)?;
        }
        Ok(Segment { file, bytes: 0 })
    }
}

/// A place in the journal from which it is read on.
#[derive(Debug)]
pub(super) struct JournalReader {
    dir: PathBuf,
    /// The first event that is wanted.
    next: u64,
    /// The first event of the segment that is being read, and how far it has been.
    segment: Option<u64>,
    offset: u64,
}

impl JournalReader {
    /// A reader of the events from `next` on.
    pub(super) fn new(dir: &Path, next: u64) -> Self {
        Self { dir: dir.to_owned(), next, segment: None, offset: 0 }
    }

    /// The next events, `most` at most; none when there are no more yet. The first may come after others that are kept no more.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn read(&mut self, most: usize) -> io::Result<Vec<Event>> {
        let segments = segments(&self.dir)?;
        let is_there = |first: u64| segments.iter().any(|(other, _)| *other == first);
        if !self.segment.is_some_and(is_there) {
            // The last that begins at what is wanted or before it, else the oldest that there is.
            let before = segments.iter().rev().find(|(first, _)| *first <= self.next);
            self.segment = before.or_else(|| segments.first()).map(|(first, _)| *first);
            self.offset = 0;
        }
        loop {
            let Some(at) = segments.iter().position(|(first, _)| Some(*first) == self.segment) else {
                return Ok(Vec::new());
            };
            let events = self.read_segment(&segments[at].1, most)?;
            if !events.is_empty() {
                return Ok(events);
            }
            let Some((first, _)) = segments.get(at + 1) else { return Ok(events) };
            (self.segment, self.offset) = (Some(*first), 0);
        }
    }

    /// Events of one segment. Lines that are no events are passed over: their numbers are missed.
    fn read_segment(&mut self, path: &Path, most: usize) -> io::Result<Vec<Event>> {
        let mut file = File::open(path)?;
        let mut found = Vec::new();
        loop {
            file.seek(SeekFrom::Start(self.offset))?;
            let mut chunk = Vec::new();
            (&mut file).take(CHUNK_BYTES).read_to_end(&mut chunk)?;
            let whole = chunk.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            if whole == 0 {
                return Ok(found);
            }
            for line in chunk[..whole].split_inclusive(|byte| *byte == b'\n') {
                if found.len() >= most {
                    return Ok(found);
                }
                self.offset += line.len() as u64;
                let event = serde_json::from_slice::<Event>(line).ok();
                if let Some(event) = event.filter(|event| (self.next..=SEQ_MAX).contains(&event.seq)) {
                    self.next = event.seq + 1;
                    found.push(event);
                }
            }
        }
    }
}

/// Replaces a small file whole: a crash leaves the old or the new one.
///
/// # Errors
/// What the system says; the old one is then still there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::draft::Draft;
    use crate::protocol::{EventKind, Severity};
    use crate::stamp::Stamp;

    fn events(seqs: std::ops::Range<u64>) -> Vec<Arc<Event>> {
        let draft =
            || Draft::new(Stamp::default(), Severity::Info, EventKind::Said, "daemon", &"x".repeat(400));
        seqs.map(|seq| Arc::new(draft().numbered(seq))).collect()
    }

    fn all(dir: &Path, from: u64) -> Vec<u64> {
        let mut reader = JournalReader::new(dir, from);
        let mut seqs = Vec::new();
        loop {
            let read = reader.read(7).unwrap();
            if read.is_empty() {
                return seqs;
            }
            seqs.extend(read.iter().map(|event| event.seq));
        }
    }

    #[test]
    fn what_was_written_is_read_from_anywhere_over_restarts() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("events");
        let (mut journal, newest) = Journal::open(&dir, 1 << 20).unwrap();
        assert_eq!(newest, 0);
        journal.append(&events(1..40)).unwrap();
        drop(journal);
        let (mut journal, newest) = Journal::open(&dir, 1 << 20).unwrap();
        assert_eq!(newest, 39);
        journal.append(&events(40..60)).unwrap();
        assert_eq!(all(&dir, 1), (1..60).collect::<Vec<_>>());
        assert_eq!(all(&dir, 37), (37..60).collect::<Vec<_>>());
        assert_eq!(all(&dir, 60), Vec::<u64>::new());
    }

    #[test]
    fn a_reader_goes_on_where_it_was() {
        let home = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(home.path(), 1 << 20).unwrap();
        let mut reader = JournalReader::new(home.path(), 1);
        assert!(reader.read(10).unwrap().is_empty());
        journal.append(&events(1..3)).unwrap();
        assert_eq!(reader.read(10).unwrap().len(), 2);
        journal.append(&events(3..4)).unwrap();
        assert_eq!(reader.read(10).unwrap()[0].seq, 3);
    }

    #[test]
    fn the_oldest_go_and_whoever_wants_them_gets_the_first_that_there_is() {
        let home = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(home.path(), 0).unwrap();
        for n in 0..40 {
            journal.append(&events(1 + n * 30..31 + n * 30)).unwrap();
        }
        let left = all(home.path(), 1);
        assert!(left[0] > 1 && left.windows(2).all(|pair| pair[1] == pair[0] + 1), "{}", left[0]);
        assert_eq!(*left.last().unwrap(), 1_200);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), SEGMENTS as usize);
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_no_event_and_nothing_after_it_is_lost() {
        let home = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(home.path(), 1 << 20).unwrap();
        journal.append(&events(1..4)).unwrap();
        drop(journal);
        let path = segments(home.path()).unwrap()[0].1.clone();
        let whole = fs::read(&path).unwrap();
        for cut in [whole.len() - 1, whole.len() - 200] {
            fs::write(&path, &whole[..cut]).unwrap();
            let (mut journal, newest) = Journal::open(home.path(), 1 << 20).unwrap();
            assert_eq!(newest, 2);
            journal.append(&events(3..5)).unwrap();
            assert_eq!(all(home.path(), 1), [1, 2, 3, 4]);
        }
    }

    #[test]
    fn a_directory_that_is_gone_is_made_again_and_a_disk_that_is_gone_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("events");
        let (mut journal, _) = Journal::open(&dir, 0).unwrap();
        journal.append(&events(1..100)).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        fs::write(&dir, "in its place").unwrap();
        assert!(journal.append(&events(100..101)).is_err());
        fs::remove_file(&dir).unwrap();
        journal.append(&events(100..101)).unwrap();
        assert_eq!(all(&dir, 1), [100]);
    }
}
