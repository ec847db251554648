//! The ring of one order thread: a file that the thread maps and writes, and that the daemon reads with ordinary calls, so
//! that nothing the thread does to the file can end the daemon. It lies where memory is (a tmpfs), and stays there when both
//! have died.
//!
//! ```text
//! byte 0      magic, version, capacity in records, identity (two words)
//!      512    head: records written since the ring was made        (the thread's)
//!      520    lost: records that found no room                     (the thread's)
//!      528    unlogged: refused orders that were not recorded, to leave room for what counts
//!      1024   tail: records taken                                  (the daemon's)
//!      4096   the records, number n at ((n - 1) mod capacity)
//! ```
//!
//! A record counts once `head` says so. Since the daemon reads by calls of the system, which promise nothing about what they
//! see first, a record is believed only with its own number and sum ([`crate::record`]); else it is read again later.

use crate::mapping::{Mapping, word_of_this_process};
use crate::record::{Entry, RECORD_BYTES, RECORD_WORDS, Record, words_of};
use gate::Memory as _;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use types::{Symbol, UnixNanos};

/// "PORTRING" in ASCII.
const MAGIC: u64 = u64::from_le_bytes(*b"PORTRING");
const VERSION: u64 = 1;
const HEAD: usize = 512;
const LOST: usize = 520;
const UNLOGGED: usize = 528;
const TAIL: usize = 1_024;
const DATA: usize = 4_096;

/// Records that a ring may have.
pub const CAPACITY_MAX: usize = 1 << 24;

fn damaged(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Bytes of a ring.
const fn bytes_of(capacity: usize) -> usize {
    DATA + capacity * RECORD_BYTES
}

/// What the first words of a ring say: its capacity and identity.
fn header(words: [u64; 5], len: u64) -> io::Result<(usize, u128)> {
    let [magic, version, capacity, low, high] = words;
    if (magic, version) != (MAGIC, VERSION) {
        return Err(damaged(format!(
            "found {magic:x}, version {version}, wanted a ring of version {VERSION}"
        )));
    }
    let capacity = usize::try_from(capacity).ok().filter(|n| n.is_power_of_two() && *n <= CAPACITY_MAX);
    let capacity = capacity
        .ok_or_else(|| damaged("a ring whose capacity is no power of two, or too large".to_owned()))?;
    let wanted = bytes_of(capacity) as u64;
    if len != wanted {
        return Err(damaged(format!("a ring of {len} bytes, wanted {wanted}")));
    }
    Ok((capacity, u128::from(low) | u128::from(high) << 64))
}

/// The first words of a file.
fn first_words(file: &File) -> io::Result<[u64; 5]> {
    let mut bytes = [0; 40];
    file.read_exact_at(&mut bytes, 0)?;
    words_of(&bytes).ok_or_else(|| damaged("a ring without a beginning".to_owned()))
}

/// The thread's end. It never waits, and makes no system call.
#[derive(Debug)]
pub struct RingWriter {
    words: &'static [AtomicU64],
    capacity: u64,
    head: u64,
    lost: u64,
    /// 0 in a process that is forked from the one that opened it.
    ours: &'static AtomicU64,
    /// Held for its lock: see [`RingReader::grant`].
    file: File,
}

impl RingWriter {
    /// The writing end of the ring in `file`, after what was written before.
    ///
    /// # Errors
    /// What the system says, and a file that is no ring.
    pub fn open(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        // Before it is mapped: a mapping keeps the file's lock.
        let (capacity, _) = header(first_words(&file)?, len)?;
        let mut mapping = Mapping::of_file(&file)?;
        let count = usize::try_from(len).unwrap_or(usize::MAX) / 8;
        let words: &'static [AtomicU64] = mapping.rows(count).map_err(|e| damaged(e.to_string()))?;
        let first = |at: usize| words.get(at).map_or(0, |word| word.load(Ordering::Relaxed));
        let (head, lost, ours) = (first(HEAD / 8), first(LOST / 8), word_of_this_process()?);
        Ok(Self { words, capacity: capacity as u64, head, lost, ours, file })
    }

    fn word(&self, at: usize) -> Option<&'static AtomicU64> {
        self.words.get(at)
    }

    /// Whether this is a process forked from the one that opened the ring. That one writes on: nothing is written here.
    #[inline]
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.ours.load(Ordering::Relaxed) == 0
    }

    /// Whether one more order may be recorded, and all that will be said of the orders there are. A quarter of the ring is kept for
    /// answers.
    #[inline]
    #[must_use]
    pub fn has_room_for_an_order(&self) -> bool {
        !self.is_inherited() && self.waiting() < self.capacity - self.capacity / 4
    }

    /// Records that the daemon has not taken.
    #[inline]
    fn waiting(&self) -> u64 {
        let tail = self.word(TAIL / 8).map_or(0, |tail| tail.load(Ordering::Acquire));
        self.head.wrapping_sub(tail)
    }

    /// Writes what was said of a refused order; where half of the ring waits it is not recorded, and counted.
    pub fn push_refused(&mut self, at: UnixNanos, symbol: Option<Symbol>, entry: Entry) {
        if self.is_inherited() {
            return;
        }
        if self.waiting() < self.capacity / 2 {
            self.push(at, symbol, entry);
        } else if let Some(unlogged) = self.word(UNLOGGED / 8) {
            unlogged.store(unlogged.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Writes one record; where there is no room it is lost, and counted.
    #[inline(always)]
    pub fn push(&mut self, at: UnixNanos, symbol: Option<Symbol>, entry: Entry) {
        if self.is_inherited() || self.waiting() >= self.capacity {
            return self.lose();
        }
        let place = (self.head & (self.capacity - 1)) as usize;
        let number = self.head.wrapping_add(1);
        let from = DATA / 8 + place * RECORD_WORDS;
        let words = Record { number, at, symbol, entry }.pack();
        for (to, word) in self.words.iter().skip(from).zip(words) {
            to.store(word, Ordering::Relaxed);
        }
        self.head = number;
        if let Some(head) = self.word(HEAD / 8) {
            head.store(number, Ordering::Release);
        }
    }

    /// Counts a record that is not written: for the daemon, unless the ring is another process's.
    #[cold]
    fn lose(&mut self) {
        self.lost = self.lost.wrapping_add(1);
        if let Some(lost) = self.word(LOST / 8).filter(|_| !self.is_inherited()) {
            lost.store(self.lost, Ordering::Release);
        }
    }

    /// Records lost since the ring was made.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

impl Drop for RingWriter {
    fn drop(&mut self) {
        // The mapping keeps the file open, and so its lock, for the life of the process. Where it was forked from the one that has
        // the lock, it is not its to give up.
        if !self.is_inherited() {
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
    }
}

/// The daemon's end.
#[derive(Debug)]
pub struct RingReader {
    file: File,
    path: PathBuf,
    capacity: u64,
    identity: u128,
    tail: u64,
}

/// What a look into a ring found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Records taken.
    pub taken: u64,
    /// Records lost since the ring was made, by the thread's count.
    pub lost: u64,
    /// Refused orders that were not recorded, by the thread's count.
    pub unlogged: u64,
    /// Records that are left.
    pub left: u64,
    /// Records that are there and are none: the thread, or whoever else, has written over them.
    pub damaged: u64,
}

/// Records read by one call.
const CHUNK: u64 = 256;

/// Rounds in which a record may be unreadable before it counts as damaged: a thread that was interrupted between its words and
/// the head does not leave one.
const ROUNDS: u32 = 3;

impl RingReader {
    /// The reading end of the ring at `path`, made with `capacity` and `identity` where there is none.
    ///
    /// # Errors
    /// What the system says, and a file that is no ring.
    pub fn open(path: &Path, capacity: usize, identity: u128) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Under another name until it is whole: one that was begun and not ended is nobody's.
                let begun = path.with_extension("new");
                drop(std::fs::remove_file(&begun));
                let file = options.create_new(true).mode(0o600).open(&begun)?;
                // Taken now: memory that runs out later would end the thread in the middle of an order.
                fallocate(&file, FallocateFlags::empty(), 0, bytes_of(capacity) as u64)?;
                let words = [MAGIC, VERSION, capacity as u64, identity as u64, (identity >> 64) as u64];
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                file.write_all_at(&bytes, 0)?;
                std::fs::rename(&begun, path)?;
                file
            }
            opened => opened?,
        };
        let (capacity, identity) = header(first_words(&file)?, file.metadata()?.len())?;
        Ok(Self { file, path: path.to_owned(), capacity: capacity as u64, identity, tail: 0 })
    }

    /// The file once more, for the thread that is to write it; none while another thread has it. It is had for as long as any
    /// process holds the file that this gives, whatever becomes of this one.
    ///
    /// # Errors
    /// What the system says.
    pub fn grant(&self) -> io::Result<Option<File>> {
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(nofollow).open(&self.path)?;
        let (same, ours) = (file.metadata()?, self.file.metadata()?);
        if (same.dev(), same.ino()) != (ours.dev(), ours.ino()) {
            return Err(self.told(damaged("another file has taken the ring's place".to_owned())));
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.told(error.into())),
        }
    }

    /// What tells this ring from one made before it or after.
    #[must_use]
    pub const fn identity(&self) -> u128 {
        self.identity
    }

    /// Says that the records up to `number` have been taken. What the ring says of it is the thread's to write, and not believed.
    ///
    /// # Errors
    /// What the system says.
    pub fn start_after(&mut self, number: u64) -> io::Result<()> {
        self.tail = number;
        self.file.write_all_at(&self.tail.to_le_bytes(), TAIL as u64).map_err(|e| self.told(e))
    }

    /// Records that it has room for.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Records that wait, by the thread's word.
    ///
    /// # Errors
    /// What the system says.
    pub fn waiting(&self) -> io::Result<u64> {
        Ok(self.word(HEAD)?.saturating_sub(self.tail).min(self.capacity))
    }

    /// Whether it was ever written.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_unused(&self) -> io::Result<bool> {
        Ok(self.word(HEAD)? == 0 && self.word(LOST)? == 0)
    }

    fn word(&self, at: usize) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, at as u64).map_err(|e| self.told(e))?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Hands the records that are there, about `most` of them, to `take`, some at a time and in their order, with how many among
    /// them are none; what `take` has returned for is not handed out again. It ends at the first that is none: what follows such a
    /// record may be anything.
    ///
    /// # Errors
    /// What the system says, with the ring's path; a ring that has been cut off; what `take` says.
    pub fn drain(
        &mut self,
        most: u64,
        mut take: impl FnMut(&[Record], u64) -> io::Result<()>,
    ) -> io::Result<Drained> {
        let (head, lost, unlogged) = (self.word(HEAD)?, self.word(LOST)?, self.word(UNLOGGED)?);
        let mut drained = Drained { lost, unlogged, ..Drained::default() };
        // A head that lies cannot make more of the ring than it is.
        let head = head.clamp(self.tail, self.tail.saturating_add(self.capacity));
        while self.tail < head && drained.taken < most && drained.damaged == 0 {
            let place = self.tail & (self.capacity - 1);
            let count = (head - self.tail).min(CHUNK).min(self.capacity - place);
            let records = self.read(place, count)?;
            let damaged = count - records.len() as u64;
            take(&records, damaged)?;
            (drained.taken, drained.damaged) =
                (drained.taken + records.len() as u64, drained.damaged + damaged);
            self.start_after(self.tail + count)?;
        }
        drained.left = head - self.tail;
        Ok(drained)
    }

    /// The records at `count` places; those that are none are left out.
    fn read(&self, place: u64, count: u64) -> io::Result<Vec<Record>> {
        let mut bytes = vec![0; count as usize * RECORD_BYTES];
        let mut records = Vec::new();
        for _ in 0..ROUNDS {
            let at = DATA as u64 + place * RECORD_BYTES as u64;
            self.file.read_exact_at(&mut bytes, at).map_err(|e| self.told(e))?;
            // Wrapping: where the tail stands is the journal's word, and a number beyond all others is none.
            let numbers = (1..).map(|n| self.tail.wrapping_add(n));
            let all = numbers.zip(bytes.as_chunks::<RECORD_BYTES>().0);
            let numbered =
                all.filter_map(|(n, bytes)| Record::from_bytes(bytes).filter(|record| record.number == n));
            records = numbered.collect();
            if records.len() as u64 == count {
                break;
            }
        }
        Ok(records)
    }

    fn told(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}
