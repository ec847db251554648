//! What a gateway's firm was told, and how far the venue's stream was read: one append-only file for one session.
//!
//! A record is sixteen bytes (length, kind, sequence number of the venue's message or 0, a sum) and the message. It is written
//! with one call before the message is sent, so that it outlives the process; a host that loses power may lose the last ones,
//! which the venue then repeats. A last record that was not written whole is cut off when the file is opened.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 1_024;

const HEAD: usize = 16;

/// Messages of one session at most: eight bytes of index each.
const MESSAGES_MAX: usize = 1 << 26;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The next message of the firm's stream.
    ForFirm = 1,
    /// A message of the venue's that is not the firm's.
    Seen = 2,
    /// A question to the venue: it has no message.
    Asked = 3,
}

/// One record as it is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is for.
    pub kind: Kind,
    /// The number of the venue's message; 0 for one of the gateway's own.
    pub venue_sequence: u64,
    /// The message.
    pub message: &'a [u8],
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system said no.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Something in the middle of it is no record.
    #[error(
        "{path}: found something at byte {at} that is no record, wanted one: set the file aside, and have a person compare with the venue"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// Where.
        at: u64,
    },
    /// Another process has it open.
    #[error("{path}: another gateway has this session open")]
    InUse {
        /// Which file.
        path: String,
    },
}

/// The records of one session.
#[derive(Debug)]
pub struct Store {
    file: File,
    /// Where each message of the firm's stream stands.
    index: Vec<u64>,
    end: u64,
    venue_next: u64,
}

impl Store {
    /// Opens the records of `session` in the folder `dir`, both made where there are none, and shows each to `take`. Also says how
    /// many bytes of a torn record were cut off.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(
        dir: &Path,
        session: &str,
        mut take: impl FnMut(Record<'_>),
    ) -> Result<(Self, u64), StoreError> {
        let path = dir.join(format!("{session}.stream"));
        let io = |source| StoreError::Io { path: path.display().to_string(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let mut file = File::options().read(true).append(true).create(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: path.display().to_string() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut store = Self { file, index: Vec::new(), end: 0, venue_next: 1 };
        let mut rest = &bytes[..];
        while let Some((record, length)) = read_record(rest) {
            store.follow(record.kind, record.venue_sequence, length);
            take(record);
            rest = &rest[length..];
        }
        let torn = rest.len() as u64;
        // A record that was being written is shorter than the longest one can be.
        if rest.len() >= HEAD + MESSAGE_BYTES_MAX {
            return Err(StoreError::Damaged { path: path.display().to_string(), at: store.end });
        }
        if torn > 0 {
            store.file.set_len(store.end).map_err(io)?;
        }
        Ok((store, torn))
    }

    fn follow(&mut self, kind: Kind, venue_sequence: u64, length: usize) {
        if kind == Kind::ForFirm {
            self.index.push(self.end);
        }
        self.end += length as u64;
        self.venue_next = self.venue_next.max(venue_sequence.saturating_add(1));
    }

    /// Appends a record.
    ///
    /// # Errors
    /// What the system says, a stream or a message that is too long, and a message of the venue's that is not the next; nothing is
    /// kept then.
    pub fn append(&mut self, kind: Kind, venue_sequence: u64, message: &[u8]) -> io::Result<()> {
        if venue_sequence != 0 && venue_sequence != self.venue_next {
            let what = format!("message {venue_sequence} of the venue, wanted {}", self.venue_next);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        if message.len() > MESSAGE_BYTES_MAX || self.index.len() >= MESSAGES_MAX {
            let what = "a message of at most 1024 bytes in a stream of at most 67108864";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut record = [0; HEAD + MESSAGE_BYTES_MAX];
        let length = HEAD + message.len();
        record[..2].copy_from_slice(&(message.len() as u16).to_le_bytes());
        record[2] = kind as u8;
        record[4..12].copy_from_slice(&venue_sequence.to_le_bytes());
        record[HEAD..length].copy_from_slice(message);
        let sum = sum_of(&record[..12], message);
        record[12..HEAD].copy_from_slice(&sum.to_le_bytes());
        // The file is open for appending: one call, and a failed one leaves at most a torn end.
        let written = io::Write::write(&mut &self.file, &record[..length]);
        if !matches!(&written, Ok(bytes) if *bytes == length) {
            self.file.set_len(self.end)?;
            return Err(written.err().unwrap_or_else(|| io::ErrorKind::StorageFull.into()));
        }
        self.follow(kind, venue_sequence, length);
        Ok(())
    }

    /// Whether there is no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Messages of the firm's stream.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.index.len() as u64
    }

    /// The number of the venue's message that is to be read next, from 1.
    #[must_use]
    pub const fn venue_next(&self) -> u64 {
        self.venue_next
    }

    /// Copies message `sequence` of the firm's stream, from 1, to `buf`, and says how long it is.
    ///
    /// # Errors
    /// What the system says; also where there is no such message, or it has been damaged.
    pub fn read(&self, sequence: u64, buf: &mut [u8; MESSAGE_BYTES_MAX]) -> io::Result<usize> {
        let at = usize::try_from(sequence).ok().and_then(|sequence| sequence.checked_sub(1));
        let at = *at.and_then(|at| self.index.get(at)).ok_or(io::ErrorKind::NotFound)?;
        let mut record = [0; HEAD + MESSAGE_BYTES_MAX];
        let most = record.len().min(usize::try_from(self.end - at).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut record[..most], at)?;
        let (record, _) = read_record(&record[..read]).ok_or(io::ErrorKind::InvalidData)?;
        let length = record.message.len();
        buf.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?.copy_from_slice(record.message);
        Ok(length)
    }
}

/// The record that `bytes` begin with, and its length; none where it is not whole.
fn read_record(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let length = usize::from(u16::from_le_bytes([head[0], head[1]]));
    let kind = match head[2] {
        1 => Kind::ForFirm,
        2 => Kind::Seen,
        3 => Kind::Asked,
        _ => return None,
    };
    let message = rest.get(..length)?;
    let sum = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    if length > MESSAGE_BYTES_MAX || sum != sum_of(&head[..12], message) {
        return None;
    }
    let venue_sequence = u64::from_le_bytes(head[4..12].try_into().ok()?);
    Some((Record { kind, venue_sequence, message }, HEAD + length))
}

/// FNV-1a over both, 32 bits.
fn sum_of(head: &[u8], message: &[u8]) -> u32 {
    head.iter()
        .chain(message)
        .fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owned = (Kind, u64, Vec<u8>);

    fn records(dir: &Path) -> (Vec<Owned>, Store, u64) {
        let mut found = Vec::new();
        let take = |record: Record<'_>| {
            found.push((record.kind, record.venue_sequence, record.message.to_vec()));
        };
        let (store, torn) = Store::open(dir, "S", take).unwrap();
        (found, store, torn)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Against a list: whatever is torn off the end, the records before it are all there, and the stream goes on.
        #[test]
        fn a_torn_end_costs_the_torn_record_alone(
            messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..60)), 1..20),
            cut in 1_u64..40,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (_, mut store, _) = records(dir.path());
            let mut written = Vec::new();
            for (number, (for_firm, message)) in (1..).zip(&messages) {
                let kind = if *for_firm { Kind::ForFirm } else { Kind::Seen };
                store.append(kind, number, message).unwrap();
                written.push((kind, number, message.clone()));
            }
            drop(store);
            let path = dir.path().join("S.stream");
            let length = std::fs::metadata(&path).unwrap().len();
            File::options().write(true).open(&path).unwrap().set_len(length.saturating_sub(cut)).unwrap();
            let (found, mut store, _) = records(dir.path());
            prop_assert!(found.len() < written.len() && written.starts_with(&found));
            prop_assert!(found.len() + 3 >= written.len().min(3));
            prop_assert_eq!(store.venue_next(), found.len() as u64 + 1);
            store.append(Kind::ForFirm, 0, b"again").unwrap();
            let mut buf = [0; MESSAGE_BYTES_MAX];
            let of_firm = found.iter().filter(|(kind, ..)| *kind == Kind::ForFirm);
            for (sequence, (.., message)) in (1..).zip(of_firm.chain([&(Kind::ForFirm, 0, b"again".to_vec())])) {
                let length = store.read(sequence, &mut buf).unwrap();
                prop_assert_eq!(&buf[..length], &message[..]);
            }
            prop_assert!(store.read(store.count() + 1, &mut buf).is_err());
        }
    }

    #[test]
    fn damage_in_the_middle_is_no_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut store, _) = records(dir.path());
        (1..=60).for_each(|n| store.append(Kind::ForFirm, n, &[7; 40]).unwrap());
        assert!(
            store.append(Kind::ForFirm, 9, &[7]).is_err(),
            "a message of the venue's that was kept before"
        );
        drop(store);
        let path = dir.path().join("S.stream");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[5 * 56 + 20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Store::open(dir.path(), "S", |_| {}), Err(StoreError::Damaged { at: 280, .. })));
    }

    #[test]
    fn one_session_is_one_processs() {
        let dir = tempfile::tempdir().unwrap();
        let (_, _store, _) = records(dir.path());
        assert!(matches!(Store::open(dir.path(), "S", |_| {}), Err(StoreError::InUse { .. })));
        assert!(Store::open(dir.path(), "T", |_| {}).is_ok());
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_and_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut store, _) = records(dir.path());
        assert!(store.append(Kind::ForFirm, 1, &[0; MESSAGE_BYTES_MAX + 1]).is_err());
        assert_eq!((store.count(), store.venue_next()), (0, 1));
    }
}
