//! Writing the chain: one record, one line, on disk before the call returns.

use super::anchor::Anchor;
use super::error::{AuditError, GENESIS, LINE_BYTES_MAX};
use super::key::AuditKey;
use super::record::{Actor, Body, Entry, LINE_VERSION, line_of};
use super::segment::{self, Segment};
use super::verify::{VerifyOptions, Walk, verify_up_to, walk};
use crate::protocol::VerifyReply;
use crate::stamp::Stamp;
use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A last line that a power loss cut, taken out of the chain and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornLine {
    /// Where its bytes are kept.
    pub kept: PathBuf,
    /// How many.
    pub bytes: u64,
}

/// The log of a running appliance. One process writes it; the state directory's lock sees to that.
#[derive(Debug)]
pub struct AuditLog {
    dir: PathBuf,
    segment_bytes_max: u64,
    key: AuditKey,
    segment: Segment,
    file: File,
    bytes: u64,
    seq: u64,
    head: String,
    /// A write failed, and what it left has not been taken back yet.
    half_written: bool,
}

/// Where a chain stands: its last segment, open, and what the next record is chained to.
struct End {
    segment: Segment,
    file: File,
    bytes: u64,
    seq: u64,
    head: String,
}

impl AuditLog {
    /// Opens the log of `dir`, making both when there is none. All of it is proven, since a start believes all of it; a torn last line is
    /// set aside. Lines are written with the key in `key_path`, which is made when there is none and no line needs it.
    ///
    /// # Errors
    /// [`AuditError`]: unreadable, broken anywhere but in a torn last line, or without its key.
    pub fn open(
        dir: &Path,
        key_path: &Path,
        segment_bytes_max: u64,
    ) -> Result<(Self, Option<TornLine>), AuditError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(dir).map_err(AuditError::io(dir, "cannot be created"))?;
        let key = AuditKey::read(key_path)?;
        let segments = segment::list(dir)?;
        let Some(last) = segments.last().cloned() else {
            let key = key.map_or_else(|| AuditKey::create(key_path), Ok)?;
            let segment = segment::segment(dir, 1);
            let file = create(&segment)?;
            let end = End { segment, file, bytes: 0, seq: 0, head: GENESIS.to_owned() };
            return Ok((Self::at(dir, segment_bytes_max, key, end), None));
        };
        let walk = proven(&segments, key.as_ref())?;
        let key = match key {
            Some(key) => key,
            None if walk.records > 0 => return Err(AuditError::KeyMissing { path: key_path.to_owned() }),
            None => AuditKey::create(key_path)?,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&last.path)
            .map_err(AuditError::io(&last.path, "cannot be opened"))?;
        let torn = match walk.broken {
            None => None,
            Some(at) if at.file == last.name() && is_torn(&last, walk.good_bytes)? => {
                Some(set_aside(&last, &file, walk.good_bytes)?)
            }
            Some(at) => return Err(AuditError::Broken { at }),
        };
        let (seq, head) = walk.last.map_or((0, GENESIS.to_owned()), |link| (link.seq, link.hash));
        let end = End { segment: last, file, bytes: walk.good_bytes, seq, head };
        Ok((Self::at(dir, segment_bytes_max, key, end), torn))
    }

    /// Proves what [`AuditLog::open`] would prove, and changes nothing; returns the number of records.
    ///
    /// # Errors
    /// [`AuditError`], as [`AuditLog::open`].
    pub fn check(dir: &Path, key_path: &Path, key: Option<&AuditKey>) -> Result<u64, AuditError> {
        let segments = segment::list(dir)?;
        let Some(last) = segments.last() else { return Ok(0) };
        let walk = proven(&segments, key)?;
        if key.is_none() && walk.records > 0 {
            return Err(AuditError::KeyMissing { path: key_path.to_owned() });
        }
        OpenOptions::new()
            .write(true)
            .open(&last.path)
            .map_err(AuditError::io(&last.path, "cannot be opened"))?;
        match walk.broken {
            Some(at) if at.file != last.name() || !is_torn(last, walk.good_bytes)? => {
                Err(AuditError::Broken { at })
            }
            _ => Ok(walk.last.map_or(0, |link| link.seq)),
        }
    }

    fn at(dir: &Path, segment_bytes_max: u64, key: AuditKey, end: End) -> Self {
        let End { segment, file, bytes, seq, head } = end;
        Self {
            dir: dir.to_owned(),
            segment_bytes_max,
            key,
            segment,
            file,
            bytes,
            seq,
            head,
            half_written: false,
        }
    }

    /// Appends one record and brings it to disk; returns its sequence number. When this fails the record is not in the
    /// chain, and neither is half of it.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn append(&mut self, now: Stamp, actor: &Actor, entry: &Entry) -> Result<u64, AuditError> {
        self.append_all(now, actor, std::slice::from_ref(entry))
    }

    /// Appends records that belong together and brings them to disk at once, all or none; returns the last one's
    /// sequence number.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn append_all(&mut self, now: Stamp, actor: &Actor, entries: &[Entry]) -> Result<u64, AuditError> {
        self.still_the_file(self.bytes)?;
        if self.half_written {
            self.cut_back()?;
        }
        if self.bytes >= self.segment_bytes_max {
            self.rotate()?;
        }
        let (mut lines, mut seq, mut head) = (String::new(), self.seq, self.head.clone());
        for entry in entries {
            seq += 1;
            let (line, hash) = self.line(seq, &head, now, actor, entry)?;
            lines.push_str(&line);
            head = hash;
        }
        let written = self
            .file
            .write_all_at(lines.as_bytes(), self.bytes)
            .and_then(|()| self.file.sync_data())
            .map_err(AuditError::io(&self.segment.path, "cannot be written"))
            .and_then(|()| self.still_the_file(self.bytes + lines.len() as u64));
        if let Err(error) = written {
            self.half_written = true;
            // Whether or not this works now: nothing is written before it has.
            drop(self.cut_back());
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        self.seq = seq;
        self.head = head;
        Ok(seq)
    }

    /// Takes back what a failed write left behind the last whole record.
    fn cut_back(&mut self) -> Result<(), AuditError> {
        self.file
            .set_len(self.bytes)
            .and_then(|()| self.file.sync_data())
            .map_err(AuditError::io(&self.segment.path, "cannot be cut back to its last whole line"))?;
        self.half_written = false;
        Ok(())
    }

    /// Whether the file being written to is the one its name leads to, and has its `wanted` bytes: a record in a file that was moved
    /// away or lies on a disk that was unmounted is in no log, and one behind a hole is in no chain.
    fn still_the_file(&self, wanted: u64) -> Result<(), AuditError> {
        let path = &self.segment.path;
        let ours = self.file.metadata().map_err(AuditError::io(path, "cannot be looked at"))?;
        match fs::symlink_metadata(path) {
            Ok(named) if (named.dev(), named.ino()) != (ours.dev(), ours.ino()) => {
                Err(AuditError::Replaced { path: path.clone() })
            }
            Ok(named) if named.len() < wanted => {
                Err(AuditError::Shortened { path: path.clone(), found: named.len(), wanted })
            }
            Ok(_) => Ok(()),
            Err(_) => Err(AuditError::Replaced { path: path.clone() }),
        }
    }

    fn line(
        &self,
        seq: u64,
        prev: &str,
        now: Stamp,
        actor: &Actor,
        entry: &Entry,
    ) -> Result<(String, String), AuditError> {
        let body = Body {
            v: LINE_VERSION,
            seq,
            ts: now,
            prev: Cow::Borrowed(prev),
            actor: actor.clone(),
            action: entry.action.to_owned(),
            target: entry.target.clone(),
            before: entry.before.clone(),
            after: entry.after.clone(),
            reason: entry.reason.clone(),
            ticket: entry.ticket.clone(),
            result: entry.result.clone(),
            hash: None,
            mac: None,
        };
        let unwritable = |e: serde_json::Error| AuditError::io(&self.segment.path, "record")(e.into());
        let (line, hash) = line_of(&body, &self.key).map_err(unwritable)?;
        if line.len() > LINE_BYTES_MAX {
            return Err(AuditError::TooLong { found: line.len() });
        }
        Ok((line, hash))
    }

    fn rotate(&mut self) -> Result<(), AuditError> {
        let next = segment::segment(&self.dir, self.segment.index + 1);
        self.file = create(&next)?;
        self.segment = next;
        self.bytes = 0;
        Ok(())
    }

    /// Records in the chain.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.seq
    }

    /// Hash of the last record, which proves all before it.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The chain's key.
    #[must_use]
    pub const fn key(&self) -> &AuditKey {
        &self.key
    }

    /// What has been promised so far: where the chain ends now. Reading up to it needs no lock.
    #[must_use]
    pub fn promise(&self) -> Promise {
        Promise { dir: self.dir.clone(), key: self.key.clone(), index: self.segment.index, bytes: self.bytes }
    }
}

/// The end of the chain at some moment.
#[derive(Clone, Debug)]
pub struct Promise {
    dir: PathBuf,
    key: AuditKey,
    index: u32,
    bytes: u64,
}

impl Promise {
    /// Proves the chain up to here, with its key, against `anchors`.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn verify(&self, anchors: Vec<Anchor>) -> Result<VerifyReply, AuditError> {
        let options = VerifyOptions { key: Some(self.key.clone()), anchors, ..VerifyOptions::default() };
        verify_up_to(&self.dir, &options, Some((self.index, self.bytes)))
    }

    /// The last `count` records up to here, oldest first, as many as fit `bytes_max`.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn tail(&self, count: usize, bytes_max: usize) -> Result<Vec<serde_json::Value>, AuditError> {
        let (mut newest_first, mut room, mut end) = (Vec::new(), bytes_max, self.bytes);
        for index in (1..=self.index).rev() {
            let segment = segment::segment(&self.dir, index);
            let Some((bytes, whole)) = read_end(&segment, end, room)? else { break };
            for line in bytes.split(|b| *b == b'\n').rev().filter(|line| !line.is_empty()) {
                if newest_first.len() == count || line.len() > room {
                    newest_first.reverse();
                    return Ok(newest_first);
                }
                room -= line.len();
                // A line cut at the front of what was read, or damaged: `audit verify` is the one to say so.
                let Ok(record) = serde_json::from_slice(line) else { continue };
                newest_first.push(record);
            }
            if !whole {
                break;
            }
            end = u64::MAX;
        }
        newest_first.reverse();
        Ok(newest_first)
    }
}

/// At most `room` bytes before `end` of a segment, and whether that is all of it; `None` when there is no such segment.
fn read_end(segment: &Segment, end: u64, room: usize) -> Result<Option<(Vec<u8>, bool)>, AuditError> {
    let Ok(mut file) = File::open(&segment.path) else { return Ok(None) };
    let fail = |e| AuditError::io(&segment.path, "cannot be read")(e);
    let end = end.min(file.metadata().map_err(fail)?.len());
    let start = end.saturating_sub(room as u64);
    file.seek(SeekFrom::Start(start)).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes).map_err(fail)?;
    Ok(Some((bytes, start == 0)))
}

/// Walks every segment there is; the oldest may be kept elsewhere.
fn proven(segments: &[Segment], key: Option<&AuditKey>) -> Result<Walk, AuditError> {
    let partial = segments.first().is_some_and(|first| first.index != 1);
    walk(segments, &VerifyOptions { partial, key: key.cloned(), ..VerifyOptions::default() }, None)
}

/// A new, empty segment, its name on disk.
fn create(segment: &Segment) -> Result<File, AuditError> {
    let fail = |e| AuditError::io(&segment.path, "cannot be created")(e);
    let mut options = OpenOptions::new();
    let made = options.read(true).write(true).create_new(true).mode(0o600).open(&segment.path);
    let file = match made {
        // What an earlier attempt made on a full disk and nothing was written to.
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_empty_file(&segment.path) => {
            OpenOptions::new().read(true).write(true).open(&segment.path).map_err(fail)?
        }
        made => made.map_err(fail)?,
    };
    file.sync_all().map_err(fail)?;
    sync_dir_of(segment)?;
    Ok(file)
}

fn is_empty_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

fn sync_dir_of(segment: &Segment) -> Result<(), AuditError> {
    let dir = segment.path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|d| d.sync_all()).map_err(AuditError::io(dir, "cannot be brought to disk"))
}

/// Whether what follows the last good line is the work of a power loss: at most one line's bytes, without an end or with
/// pages that were never written and read as zeros. Anything else was changed by somebody.
fn is_torn(segment: &Segment, from: u64) -> Result<bool, AuditError> {
    let rest = read_from(segment, from)?;
    let one_line = match rest.iter().position(|b| *b == b'\n') {
        None => true,
        Some(end) => end + 1 == rest.len() && rest.contains(&0),
    };
    Ok(one_line && rest.len() <= LINE_BYTES_MAX)
}

/// What follows the last good line, one byte more than a line can have at most.
fn read_from(segment: &Segment, from: u64) -> Result<Vec<u8>, AuditError> {
    let fail = |e| AuditError::io(&segment.path, "cannot be read")(e);
    let mut file = File::open(&segment.path).map_err(fail)?;
    file.seek(SeekFrom::Start(from)).map_err(fail)?;
    let mut rest = Vec::new();
    file.take(LINE_BYTES_MAX as u64 + 1).read_to_end(&mut rest).map_err(fail)?;
    Ok(rest)
}

/// Keeps what follows the last good line in a `.torn` file, then takes it out of the segment.
fn set_aside(segment: &Segment, file: &File, from: u64) -> Result<TornLine, AuditError> {
    let rest = read_from(segment, from)?;
    let (mut copy, kept) = fresh_torn_file(segment, from)?;
    copy.write_all(&rest)
        .and_then(|()| copy.sync_all())
        .map_err(AuditError::io(&kept, "cannot be written"))?;
    sync_dir_of(segment)?;
    let fail = |e| AuditError::io(&segment.path, "cannot be cut back to its last whole line")(e);
    file.set_len(from).and_then(|()| file.sync_all()).map_err(fail)?;
    Ok(TornLine { bytes: rest.len() as u64, kept })
}

/// A file of its own for every torn line, also where the power failed twice at the same place.
fn fresh_torn_file(segment: &Segment, from: u64) -> Result<(File, PathBuf), AuditError> {
    for attempt in 1..1_000 {
        let kept = segment.path.with_extension(format!("torn-{from}-{attempt}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&kept) {
            Ok(file) => return Ok((file, kept)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(AuditError::io(&kept, "cannot be created")(e)),
        }
    }
    let exhausted = std::io::Error::from(ErrorKind::AlreadyExists);
    Err(AuditError::io(&segment.path, "has a thousand torn lines at one place")(exhausted))
}
