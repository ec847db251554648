//! What one order process did, on disk: its records as they came out of its ring, and between them which strategies and
//! accounts its numbers meant. Appended to over restarts; the whole of it brings a gate to where the process's was.
//!
//! A file of 128-byte blocks, each with the sum of its words. A last block that was not written whole is cut off: its record is
//! still in the ring.

use anyhow::{Context, Result, bail};
use attach::record::{RECORD_BYTES, RECORD_WORDS, Record, bytes_of, sum, words_of};
use control::names::Name;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is read and written whole, with its length and sum.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    /// A record of the ring.
    Record(Record),
    /// From here on the records are of this ring.
    Ring(u128),
    /// From here on this number means this strategy.
    Strategy(u16, Name),
    /// From here on this number means this account.
    Account(u16, Name),
    /// The records of the ring up to this one have been taken; refused orders are in the verdict log alone.
    Taken {
        /// The last of them.
        number: u64,
        /// What the ring had lost by then, of which the blocks before this one know.
        lost: u64,
    },
    /// The daemon and the process ended in order: nothing was left in the ring.
    Clean,
    /// So many records were lost so far, by the count of this ring: the books are in doubt.
    Lost(u64),
}

/// Kinds of the blocks that are no records; below them are those of records.
const RING: u64 = 16;
const STRATEGY: u64 = 17;
const ACCOUNT: u64 = 18;
const LOST: u64 = 19;
const CLEAN: u64 = 20;
const TAKEN: u64 = 21;

/// Words 3 to 12 of a block hold a name.
const NAME_BYTES: usize = 80;

/// The word in which records have their kind too.
const KIND: usize = 13;

impl Block {
    fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let (kind, number, name) = match self {
            Self::Record(record) => return record.to_bytes(),
            Self::Ring(identity) => {
                return sealed(RING, [*identity as u64, (*identity >> 64) as u64], "");
            }
            Self::Strategy(number, name) => (STRATEGY, *number, name.as_str()),
            Self::Account(number, name) => (ACCOUNT, *number, name.as_str()),
            Self::Clean => (CLEAN, 0, ""),
            Self::Taken { number, lost } => return sealed(TAKEN, [*number, *lost], ""),
            Self::Lost(count) => return sealed(LOST, [*count, 0], ""),
        };
        sealed(kind, [number.into(), name.len() as u64], name)
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let words: [u64; RECORD_WORDS] = words_of(bytes)?;
        if words[KIND] & 0xFF < RING {
            return Record::unpack(&words).map(Self::Record);
        }
        let (first, second) = (words[1], words[2]);
        let name = || -> Option<Name> {
            let bytes = bytes.get(24..24 + usize::try_from(second).ok().filter(|n| *n <= NAME_BYTES)?)?;
            std::str::from_utf8(bytes).ok()?.parse().ok()
        };
        (words[RECORD_WORDS - 1] == sum(&words)).then_some(())?;
        Some(match words[KIND] {
            RING => Self::Ring(u128::from(first) | u128::from(second) << 64),
            STRATEGY => Self::Strategy(u16::try_from(first).ok()?, name()?),
            ACCOUNT => Self::Account(u16::try_from(first).ok()?, name()?),
            LOST => Self::Lost(first),
            CLEAN => Self::Clean,
            TAKEN => Self::Taken { number: first, lost: second },
            _ => return None,
        })
    }
}

fn sealed(kind: u64, numbers: [u64; 2], name: &str) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    let name = name.as_bytes().get(..name.len().min(NAME_BYTES)).unwrap_or_default();
    bytes[24..24 + name.len()].copy_from_slice(name);
    let mut words: [u64; RECORD_WORDS] = words_of(&bytes).unwrap_or_default();
    (words[1], words[2], words[KIND]) = (numbers[0], numbers[1], kind);
    words[RECORD_WORDS - 1] = sum(&words);
    bytes_of(&words)
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// The ring of the newest records, and the number of the last one.
    pub(super) ring: Option<u128>,
    pub(super) number: u64,
    /// Records that it has lost.
    pub(super) lost: u64,
    /// The last block is [`Block::Clean`].
    pub(super) is_clean: bool,
    /// Bytes of whole blocks.
    len: u64,
    /// Of those, bytes that are on disk for sure since it was opened.
    pub(super) kept: u64,
    /// Where the last [`Block::Clean`] ends, 0 where there is none.
    clean_end: u64,
}

/// What was found wrong at the end of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// In a sentence.
    pub(super) told: String,
    /// More than the block that was being written is gone.
    pub(super) doubt: bool,
}

impl Journal {
    /// Opens the journal at `path`, or begins it, and hands what it holds to `take`. An end that was not written whole (a page, when
    /// the power fails) is cut off.
    ///
    /// # Errors
    /// A file that cannot be read, or is damaged before its end.
    pub(super) fn open(path: &Path, mut take: impl FnMut(&Block)) -> Result<(Self, Option<Cut>)> {
        let told = || format!("cannot read the journal {}", path.display());
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path).with_context(told)?;
        let len = file.metadata().with_context(told)?.len();
        let blocks = len / RECORD_BYTES as u64;
        let mut journal = Self::empty(file, path);
        let mut reader = BufReader::with_capacity(1 << 16, journal.file.try_clone().with_context(told)?);
        reader.seek(SeekFrom::Start(0)).with_context(told)?;
        let mut damaged = None;
        for at in 0..blocks {
            let mut bytes = [0; RECORD_BYTES];
            reader.read_exact(&mut bytes).with_context(told)?;
            match (Block::from_bytes(&bytes), damaged) {
                (Some(block), None) => {
                    journal.len = (at + 1) * RECORD_BYTES as u64;
                    journal.follow(&block);
                    take(&block);
                }
                (Some(_), Some(first)) => bail!(
                    "the journal {} is damaged at byte {first}, and goes on after it: positions cannot be told",
                    path.display()
                ),
                (None, _) => damaged = damaged.or(Some(at * RECORD_BYTES as u64)),
            }
        }
        let gone = len - journal.len;
        let cut = (gone > 0).then(|| Cut {
            told: format!("{}: the last {gone} bytes were not written whole and are cut off", path.display()),
            doubt: gone > RECORD_BYTES as u64,
        });
        if cut.is_some() {
            journal.file.set_len(journal.len).with_context(told)?;
        }
        Ok((journal, cut))
    }

    fn empty(file: File, path: &Path) -> Self {
        let path = path.to_owned();
        Self { file, path, ring: None, number: 0, lost: 0, is_clean: false, len: 0, kept: 0, clean_end: 0 }
    }

    fn follow(&mut self, block: &Block) {
        self.is_clean = *block == Block::Clean;
        if self.is_clean {
            self.clean_end = self.len;
        }
        match block {
            Block::Ring(identity) => (self.ring, self.number, self.lost) = (Some(*identity), 0, 0),
            Block::Record(record) => self.number = record.number,
            Block::Taken { number, lost } => (self.number, self.lost) = (*number, *lost),
            Block::Lost(count) => self.lost = *count,
            Block::Strategy(..) | Block::Account(..) | Block::Clean => {}
        }
    }

    /// Appends `blocks`, all of them or, when the disk refuses, none.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn append(&mut self, blocks: &[Block]) -> std::io::Result<()> {
        let bytes: Vec<u8> = blocks.iter().flat_map(Block::to_bytes).collect();
        if self.file.metadata()?.len() != self.len {
            // What an attempt before this one left in part would be damage once something follows it.
            self.file.set_len(self.len)?;
        }
        let told = |error: std::io::Error| {
            std::io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        };
        self.file.write_all(&bytes).map_err(told)?;
        self.len += bytes.len() as u64;
        blocks.iter().for_each(|block| self.follow(block));
        Ok(())
    }

    /// Bytes of it.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Puts `blocks`, which say the same, in the place of all there is: on disk before the old ones go.
    ///
    /// # Errors
    /// What the system says; the journal is as it was.
    pub(super) fn replace(&mut self, blocks: &[Block]) -> std::io::Result<()> {
        let begun = self.path.with_extension("new");
        drop(std::fs::remove_file(&begun));
        let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&begun)?;
        let mut fresh = Self::empty(file, &begun);
        fresh.append(blocks)?;
        fresh.keep()?;
        std::fs::rename(&fresh.path, &self.path)?;
        *self = Self { path: self.path.clone(), ..fresh };
        // What follows is in the new one, which a power loss must not take for the old one.
        self.keep_name()
    }

    /// Waits until what was appended is on disk.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn keep(&mut self) -> std::io::Result<()> {
        self.file.sync_all()?;
        self.kept = self.len;
        Ok(())
    }

    /// Whether what is on disk for sure says that all ended in order.
    pub(super) const fn is_kept_clean(&self) -> bool {
        self.kept <= self.clean_end
    }

    /// Waits until it is there under its name.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn keep_name(&self) -> std::io::Result<()> {
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Says that nothing was left behind, and waits for the disk.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn end(&mut self) -> std::io::Result<()> {
        self.append(&[Block::Clean])?;
        self.keep()
    }
}
