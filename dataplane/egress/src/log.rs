//! An append-only file of records: what was written before a crash is there after it, and a record that was not written whole is
//! cut off when the file is opened again.
//!
//! A record is on its way to the disk when [`Log::append`] returns: it outlives the process, not the machine's power. What must not wait
//! for a disk that takes nothing waits itself, in memory and bounded, and is written before anything else ([`Log::append_or_hold`]).

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;
use types::{FNV_BASIS, fnv1a};

/// Begins the file; the last byte is the version of the format.
const MAGIC: [u8; 8] = *b"PCFIXST\x01";

/// Magic, and two places for the number that [`Log::set_mark`] keeps: three words each.
const HEAD_BYTES: u64 = 64;
const MARK_AT: [u64; 2] = [16, 40];

/// The longest record there is: a message of any protocol here, and what stands before it.
const RECORD_BYTES_MAX: usize = RECORD_HEAD_BYTES + (16 << 10) + 64;

/// How often, and how far apart, a file that another process has is tried again.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Length, kind, number, cause, id and sum of a record.
const RECORD_HEAD_BYTES: usize = 48;

/// Bytes of records that wait at most for a disk that takes none.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Who may read what a firm traded: its gateway, and nobody else.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Makes the folder of a gateway's files, and those above it, where there are none.
///
/// # Errors
/// The system's.
pub(crate) fn make_folder(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(dir)
}

/// Writes a small file anew.
///
/// # Errors
/// The system's.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE);
    options.open(path)?.write_all(bytes)
}

/// What stands before the bytes of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// What it is: the user's.
    pub(crate) kind: u64,
    /// Its number: the user's.
    pub(crate) number: u64,
    /// What led to it: the user's.
    pub(crate) cause: u64,
    /// Whom it concerns: the user's.
    pub(crate) id: u64,
}

/// Where the bytes of a record lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    at: u64,
    bytes: u32,
}

impl Place {
    /// How many bytes there are.
    pub(crate) const fn bytes(self) -> usize {
        self.bytes as usize
    }
}

/// An open file of records.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    end: u64,
    end_max: u64,
    /// How often the mark was set: says which of its two places is the newer.
    turn: u64,
    mark: u64,
    /// Bytes of a record that was not written whole, cut off when the file was opened.
    torn: u64,
    scratch: Vec<u8>,
    /// Records that are to be written with one call, and where they begin.
    batch: Option<(u64, Vec<u8>)>,
    /// The last records, where the disk has not taken them, and how many there are.
    held: Vec<u8>,
    held_count: u64,
}

impl Log {
    /// Opens or makes the file, hands each record to `each` in order, and cuts off what follows the last whole one. The file
    /// takes `end_max` bytes at most.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the file is another kind of file, `WouldBlock` when another process has it open.
    pub(crate) fn open(
        path: &Path,
        end_max: u64,
        mut each: impl FnMut(Head, Place, &[u8]),
    ) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
        let mut file = options.open(path)?;
        lock(&file)?;
        let mut head = [0; HEAD_BYTES as usize];
        if file.metadata()?.len() == 0 {
            head[..8].copy_from_slice(&MAGIC);
            file.write_all_at(&head, 0)?;
        }
        file.read_exact_at(&mut head, 0)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a store without a head"))?;
        if head[..8] != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a store of this version"));
        }
        file.seek(SeekFrom::Start(HEAD_BYTES))?;
        let end = read_records(&mut io::BufReader::with_capacity(1 << 16, &file), &mut each)?;
        let torn = file.metadata()?.len() - end;
        refuse_damage(&file, end)?;
        file.set_len(end)?;
        let (turn, mark) = MARK_AT.iter().filter_map(|at| mark_of(&head, *at)).max().unwrap_or_default();
        Ok(Self {
            file,
            end,
            end_max,
            turn,
            mark,
            torn,
            scratch: Vec::new(),
            batch: None,
            held: Vec::new(),
            held_count: 0,
        })
    }

    /// Whether there is no record.
    pub(crate) const fn is_empty(&self) -> bool {
        self.end == HEAD_BYTES
    }

    /// Bytes of a record that was not written whole, cut off when the file was opened.
    pub(crate) const fn torn(&self) -> u64 {
        self.torn
    }

    /// Appends a record.
    ///
    /// # Errors
    /// The system's, and `StorageFull` when the file would be longer than it may be; nothing has been appended.
    pub(crate) fn append(&mut self, head: Head, bytes: &[u8]) -> io::Result<Place> {
        self.put(head, bytes, false)
    }

    /// Appends a record; in memory where the disk takes none. It is written before any that follows.
    ///
    /// # Errors
    /// As [`Log::append`], where too much waits already.
    pub(crate) fn append_or_hold(&mut self, head: Head, bytes: &[u8]) -> io::Result<Place> {
        self.put(head, bytes, true)
    }

    /// Whether there is room for another record in memory, with `spare` bytes beside it.
    pub(crate) const fn can_hold(&self, spare: usize) -> bool {
        self.held.len() + RECORD_BYTES_MAX + spare <= HELD_BYTES_MAX
    }

    /// Tries to write the records that wait; whether none does any more.
    pub(crate) fn write_held(&mut self) -> bool {
        self.held.is_empty() || self.batch.is_none() && self.write(&[], self.end).is_ok()
    }

    /// How many records the disk has not taken.
    pub(crate) const fn held(&self) -> u64 {
        self.held_count
    }

    fn put(&mut self, head: Head, bytes: &[u8], may_wait: bool) -> io::Result<Place> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        debug_assert!(RECORD_HEAD_BYTES + bytes.len() <= RECORD_BYTES_MAX);
        let mut record = std::mem::take(&mut self.scratch);
        record.clear();
        for word in [u64::from(length), head.kind, head.number, head.cause, head.id] {
            record.extend_from_slice(&word.to_le_bytes());
        }
        let sum = sum(&[&record, bytes]);
        record.extend_from_slice(&sum.to_le_bytes());
        record.extend_from_slice(bytes);
        let kept = match &mut self.batch {
            Some((_, records)) => {
                records.extend_from_slice(&record);
                Ok(())
            }
            None => match self.write(&record, self.end) {
                Err(_) if may_wait && self.hold(&record, 1) => Ok(()),
                written => written,
            },
        };
        let (at, bytes) = (self.end + RECORD_HEAD_BYTES as u64, record.len() as u64);
        self.scratch = record;
        kept?;
        self.end += bytes;
        Ok(Place { at, bytes: length })
    }

    /// Writes records that begin at `begin`, and before them those that wait.
    fn write(&mut self, records: &[u8], begin: u64) -> io::Result<()> {
        if begin + records.len() as u64 > self.end_max {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the session's store is full"));
        }
        if !self.held.is_empty() {
            self.file.write_all_at(&self.held, begin - self.held.len() as u64)?;
            self.held.clear();
            self.held_count = 0;
        }
        self.file.write_all_at(records, begin)
    }

    /// Keeps the `count` records that come next in memory; whether there is room.
    fn hold(&mut self, records: &[u8], count: u64) -> bool {
        let has_room = self.held.len() + records.len() <= HELD_BYTES_MAX;
        if has_room {
            self.held.extend_from_slice(records);
            self.held_count += count;
        }
        has_room
    }

    /// What is appended from now on is written with [`Log::write_batch`], in one call; none of it may be relied on before.
    pub(crate) fn begin_batch(&mut self) {
        self.batch.get_or_insert((self.end, Vec::new()));
    }

    /// Writes what was appended since [`Log::begin_batch`], `count` records; they wait in memory where the disk takes none.
    ///
    /// # Errors
    /// The system's, where too much waits already; none of it has been appended.
    pub(crate) fn write_batch(&mut self, count: u64) -> io::Result<()> {
        let Some((begin, records)) = self.batch.take() else { return Ok(()) };
        match self.write(&records, begin) {
            Err(_) if self.hold(&records, count) => Ok(()),
            Err(error) => {
                self.end = begin;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reads the bytes of a record into `bytes`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(&self, place: Place, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.resize(place.bytes(), 0);
        self.read_to(place, bytes)
    }

    /// Reads the bytes of a record into `bytes`, which are as many.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read_to(&self, place: Place, bytes: &mut [u8]) -> io::Result<()> {
        let end = self.batch.as_ref().map_or(self.end, |(begin, _)| *begin);
        let held_at = end - self.held.len() as u64;
        let Some(at) = place.at.checked_sub(held_at).filter(|_| !self.held.is_empty()) else {
            return self.file.read_exact_at(bytes, place.at);
        };
        let from = usize::try_from(at).ok().and_then(|at| self.held.get(at..)?.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// From now on the file takes as much as it has and `more` bytes: a disk that is full, or has room again.
    #[cfg(test)]
    pub(crate) const fn set_room(&mut self, more: u64) {
        self.end_max = self.end + more;
    }

    /// The number that was set last; 0 when none was.
    pub(crate) const fn mark(&self) -> u64 {
        self.mark
    }

    /// How often a number was set.
    pub(crate) const fn turn(&self) -> u64 {
        self.turn
    }

    /// Keeps a number beside the records, in place of the one before it.
    ///
    /// # Errors
    /// The system's; the number before it holds.
    pub(crate) fn set_mark(&mut self, mark: u64) -> io::Result<()> {
        let turn = self.turn + 1;
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&turn.to_le_bytes());
        bytes[8..16].copy_from_slice(&mark.to_le_bytes());
        let sum = sum(&[&bytes[..16]]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        self.file.write_all_at(&bytes, MARK_AT[usize::from(!turn.is_multiple_of(2))])?;
        (self.turn, self.mark) = (turn, mark);
        Ok(())
    }
}

/// What follows the last whole record is cut off where it can be one record that was not written whole. Where more follows, or a
/// whole record, the file was damaged in the middle: cutting it would forget orders.
fn refuse_damage(file: &File, end: u64) -> io::Result<()> {
    let damaged = || {
        let what = format!("damaged at byte {end}, with whole records behind it");
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    let rest = file.metadata()?.len() - end;
    if rest > RECORD_BYTES_MAX as u64 {
        return Err(damaged());
    }
    let mut bytes = vec![0; usize::try_from(rest).unwrap_or(RECORD_BYTES_MAX)];
    file.read_exact_at(&mut bytes, end)?;
    let is_whole = |at: usize| {
        let bytes = &bytes[at..];
        let length = usize::try_from(word_at(bytes, 0)).unwrap_or(usize::MAX);
        let Some(whole) = RECORD_HEAD_BYTES.checked_add(length).and_then(|all| bytes.get(..all)) else {
            return false;
        };
        sum(&[&whole[..40], &whole[RECORD_HEAD_BYTES..]]) == word_at(whole, 40)
    };
    if (1..bytes.len()).any(is_whole) { Err(damaged()) } else { Ok(()) }
}

/// Takes the file for this process alone; one that is just ending has a moment to let go of it.
fn lock(file: &File) -> io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process has the store open"))
}

/// Reads records to the first that is not whole; where that is.
fn read_records(file: &mut impl io::Read, each: &mut impl FnMut(Head, Place, &[u8])) -> io::Result<u64> {
    let mut end = HEAD_BYTES;
    let mut bytes = Vec::new();
    loop {
        let mut head = [0; RECORD_HEAD_BYTES];
        if !read_whole(file, &mut head)? {
            return Ok(end);
        }
        let word = |at: usize| word_at(&head, at * 8);
        let Ok(length) = u32::try_from(word(0)) else { return Ok(end) };
        bytes.clear();
        let read = file.by_ref().take(u64::from(length)).read_to_end(&mut bytes)?;
        if read != length as usize || sum(&[&head[..40], &bytes]) != word(5) {
            return Ok(end);
        }
        let place = Place { at: end + RECORD_HEAD_BYTES as u64, bytes: length };
        each(Head { kind: word(1), number: word(2), cause: word(3), id: word(4) }, place, &bytes);
        end += (RECORD_HEAD_BYTES + bytes.len()) as u64;
    }
}

/// Whether `bytes` could be filled before the end of the file.
fn read_whole(file: &mut impl io::Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn mark_of(head: &[u8], at: u64) -> Option<(u64, u64)> {
    let at = usize::try_from(at).ok()?;
    let (turn, mark) = (word_at(head, at), word_at(head, at + 8));
    (turn > 0 && sum(&[&head[at..at + 16]]) == word_at(head, at + 16)).then_some((turn, mark))
}

/// Finds what was not written whole.
fn sum(parts: &[&[u8]]) -> u64 {
    parts.iter().fold(FNV_BASIS, |sum, part| fnv1a(sum, part))
}
