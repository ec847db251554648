//! What a gateway's firm was told, and how far the venue's stream was read: one append-only file for one session.
//!
//! A message is written with one call before it is sent, so that it outlives the process; a host that loses power may lose the last ones,
//! which the venue then repeats. A last record that was not written whole is cut off when the file is opened; damage before it is
//! refused.

use crate::log::{Head, Log, Place, make_folder};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 1_024;

/// Messages of one session at most: sixteen bytes of index each.
const MESSAGES_MAX: usize = 1 << 26;

/// The most bytes of one session's file.
const BYTES_MAX: u64 = 64 << 30;

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

impl Kind {
    const fn of(word: u64) -> Option<Self> {
        match word {
            1 => Some(Self::ForFirm),
            2 => Some(Self::Seen),
            3 => Some(Self::Asked),
            _ => None,
        }
    }
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
    /// It is another kind of file, or something before its end is damaged.
    #[error("{path}: {what}: set the file aside, and have a person compare with the venue")]
    Damaged {
        /// Which file.
        path: String,
        /// What was found.
        what: String,
    },
    /// Another process has it open.
    #[error("{path}: another gateway has this session open")]
    InUse {
        /// Which file.
        path: String,
    },
}

impl StoreError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the system's kinds of errors, of which there will be more"
    )]
    fn of(path: &Path, source: io::Error) -> Self {
        let path = path.display().to_string();
        match source.kind() {
            ErrorKind::InvalidData => Self::Damaged { path, what: source.to_string() },
            ErrorKind::WouldBlock => Self::InUse { path },
            _ => Self::Io { path, source },
        }
    }
}

/// The records of one session.
#[derive(Debug)]
pub struct Store {
    log: Log,
    /// Where each message of the firm's stream stands.
    index: Vec<Place>,
    venue_next: u64,
    /// Of the records that the disk has not taken, how many are messages of the firm's stream, and how many are the venue's.
    unkept: [u64; 2],
}

/// Bytes in memory that are the venue's messages' alone.
const SPARE_BYTES: usize = 512 << 10;

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
        make_folder(dir).map_err(|error| StoreError::of(dir, error))?;
        let (mut index, mut venue_next, mut strange) = (Vec::new(), 1, None);
        let log = Log::open(&path, BYTES_MAX, |head, place, message| {
            let Some(kind) = Kind::of(head.kind) else {
                strange = strange.or(Some(head.kind));
                return;
            };
            follow((&mut index, &mut venue_next), kind, head.number, place);
            take(Record { kind, venue_sequence: head.number, message });
        });
        let log = log.map_err(|error| StoreError::of(&path, error))?;
        if let Some(kind) = strange {
            let what = format!("found a record of kind {kind}, wanted 1 to 3");
            return Err(StoreError::Damaged { path: path.display().to_string(), what });
        }
        let torn = log.torn();
        Ok((Self { log, index, venue_next, unkept: [0; 2] }, torn))
    }

    /// Appends a record; in memory where the disk takes none. It is written before any that follows, and told to nobody before that.
    ///
    /// # Errors
    /// A stream or a message that is too long, a message of the venue's that is not the next, and what the system says, where too much waits
    /// already; nothing is kept then.
    pub fn append(&mut self, kind: Kind, venue_sequence: u64, message: &[u8]) -> io::Result<()> {
        if venue_sequence != 0 && venue_sequence != self.venue_next {
            let what = format!("message {venue_sequence} of the venue, wanted {}", self.venue_next);
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        if message.len() > MESSAGE_BYTES_MAX || self.index.len() >= MESSAGES_MAX {
            let what = "a message of at most 1024 bytes in a stream of at most 67108864";
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        let head = Head { kind: kind as u64, number: venue_sequence, ..Head::default() };
        let place = self.log.append_or_hold(head, message)?;
        if self.log.held() == 0 {
            self.unkept = [0; 2];
        } else {
            self.unkept[0] += u64::from(kind == Kind::ForFirm);
            self.unkept[1] += u64::from(venue_sequence != 0);
        }
        follow((&mut self.index, &mut self.venue_next), kind, venue_sequence, place);
        Ok(())
    }

    /// Whether there is no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// Messages of the firm's stream that the disk has: what the firm may be told, since it is there whatever is killed.
    #[must_use]
    pub const fn count(&self) -> u64 {
        (self.index.len() as u64).saturating_sub(self.unkept[0])
    }

    /// Messages that the disk has not taken: of the firm's stream, and of the venue's.
    #[must_use]
    pub const fn unkept(&self) -> [u64; 2] {
        self.unkept
    }

    /// Whether the disk takes what is kept.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.log.held() == 0
    }

    /// Whether another message of the venue's can wait in memory, and, where it is the gateway's own, leave room for the venue's.
    #[must_use]
    pub const fn can_hold(&self, is_own: bool) -> bool {
        self.log.can_hold(if is_own { SPARE_BYTES } else { 0 })
    }

    /// Tries to write what waits; whether nothing does any more.
    pub fn write_held(&mut self) -> bool {
        let is_written = self.log.write_held();
        if is_written {
            self.unkept = [0; 2];
        }
        is_written
    }

    /// From now on the disk takes `more` bytes.
    #[cfg(test)]
    pub(crate) const fn set_room(&mut self, more: u64) {
        self.log.set_room(more);
    }

    /// The number of the venue's message that is to be read next, from 1.
    #[must_use]
    pub const fn venue_next(&self) -> u64 {
        self.venue_next
    }

    /// Copies message `sequence` of the firm's stream, from 1, to `buf`, and says how long it is.
    ///
    /// # Errors
    /// What the system says; also where there is no such message.
    pub fn read(&self, sequence: u64, buf: &mut [u8; MESSAGE_BYTES_MAX]) -> io::Result<usize> {
        let at = usize::try_from(sequence).ok().and_then(|sequence| sequence.checked_sub(1));
        let place = *at.and_then(|at| self.index.get(at)).ok_or(ErrorKind::NotFound)?;
        let message = buf.get_mut(..place.bytes()).ok_or(ErrorKind::InvalidData)?;
        self.log.read_to(place, message)?;
        Ok(place.bytes())
    }
}

/// A record stands at `place`.
fn follow((index, venue_next): (&mut Vec<Place>, &mut u64), kind: Kind, venue_sequence: u64, place: Place) {
    if kind == Kind::ForFirm {
        index.push(place);
    }
    *venue_next = (*venue_next).max(venue_sequence.saturating_add(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::File;

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
            prop_assert!(found.len() + 1 >= written.len(), "no more than the torn one");
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

    /// A bit that flips costs the last record at most; before that it is damage, and nothing is cut off.
    #[test]
    fn damage_in_the_middle_is_no_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut store, _) = records(dir.path());
        (1..=5).for_each(|n| store.append(Kind::ForFirm, n, &[7; 40]).unwrap());
        assert!(
            store.append(Kind::ForFirm, 3, &[7]).is_err(),
            "a message of the venue's that was kept before"
        );
        drop(store);
        let path = dir.path().join("S.stream");
        let whole = std::fs::read(&path).unwrap();
        for at in 64..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            std::fs::write(&path, &bent).unwrap();
            match Store::open(dir.path(), "S", |_| {}) {
                Err(StoreError::Damaged { .. }) => {
                    assert_eq!(std::fs::read(&path).unwrap(), bent, "byte {at}");
                }
                Err(error) => panic!("byte {at}: {error}"),
                Ok((store, torn)) => {
                    assert!(at >= whole.len() - 88 && torn == 88 && store.count() == 4, "byte {at}");
                }
            }
        }
    }

    /// A full disk: what waits is told to nobody, is written first when there is room, and is not there after a kill before that.
    #[test]
    fn what_a_full_disk_does_not_take_waits_and_is_told_when_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut store, _) = records(dir.path());
        store.append(Kind::ForFirm, 1, b"first").unwrap();
        store.set_room(0);
        store.append(Kind::ForFirm, 2, b"second").unwrap();
        store.append(Kind::Seen, 3, b"third").unwrap();
        store.append(Kind::ForFirm, 0, b"own").unwrap();
        assert_eq!(
            (store.count(), store.venue_next(), store.unkept(), store.is_kept()),
            (1, 4, [2, 2], false)
        );
        assert!(!store.write_held());
        drop(store);
        let (found, mut store, _) = records(dir.path());
        assert_eq!((found.len(), store.venue_next()), (1, 2), "the venue is asked for the second again");
        store.set_room(0);
        store.append(Kind::ForFirm, 2, b"second").unwrap();
        store.set_room(1 << 20);
        assert!(store.write_held() && store.is_kept());
        assert_eq!((store.count(), store.unkept()), (2, [0, 0]));
        let mut buf = [0; MESSAGE_BYTES_MAX];
        assert_eq!(store.read(2, &mut buf).map(|length| buf[..length].to_vec()).unwrap(), b"second");
        drop(store);
        assert_eq!(records(dir.path()).0.len(), 2);
        // Of the gateway's own there is room for half as much as of the venue's.
        let (_, mut store, _) = records(dir.path());
        store.set_room(0);
        let mut next = store.venue_next();
        let mut fill = |store: &mut Store, is_own: bool| {
            while store.can_hold(is_own) {
                store.append(Kind::Seen, next, &[7; 1_000]).unwrap();
                next += 1;
            }
        };
        fill(&mut store, true);
        assert!(store.can_hold(false));
        fill(&mut store, false);
        assert!(!store.can_hold(false) && store.unkept()[1] > 900, "{:?}", store.unkept());
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
