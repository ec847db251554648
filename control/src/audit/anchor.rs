//! Anchors: the head of the chain, noted outside the log's directory. A chain that holds every anchored head was neither cut
//! off nor rewritten before the last of them, not even by the holder of the key.

use super::error::AuditError;
use super::key::AuditKey;
use crate::stamp::Stamp;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The head of the chain at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// When it was noted.
    pub at: Stamp,
    /// Records in the chain.
    pub seq: u64,
    /// Hash of the last of them.
    pub head: String,
}

impl Anchor {
    fn text(&self) -> String {
        format!("{} {} {}", self.at, self.seq, self.head)
    }

    /// One line: moment, records, head, and the MAC of these three.
    fn line(&self, key: &AuditKey) -> String {
        let text = self.text();
        format!("{text} {}\n", key.mac(text.as_bytes()).to_hex())
    }

    /// An anchor from its line. The MAC is checked where there is a key to check it with.
    fn parse(line: &str, key: Option<&AuditKey>) -> Result<Self, &'static str> {
        let mut fields = line.split(' ');
        let (Some(at), Some(seq), Some(head), Some(mac), None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err("four fields: moment, records, head and MAC");
        };
        let hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let (Ok(at), Ok(seq), true, true) = (at.parse(), seq.parse(), hash(head), hash(mac)) else {
            return Err("a moment, a number and two hashes");
        };
        let anchor = Self { at, seq, head: head.to_owned() };
        match key {
            Some(key) if key.mac(anchor.text().as_bytes()).to_hex().as_str() != mac => {
                Err("an anchor made with the key of this log")
            }
            _ => Ok(anchor),
        }
    }
}

/// The anchors of a file, oldest first; none when there is no file. A last line without an end was cut by a crash and is
/// passed over.
///
/// # Errors
/// [`AuditError::Io`]; a line that is no anchor, or not one of this key, is an error too.
pub fn read_anchors(path: &Path, key: Option<&AuditKey>) -> Result<Vec<Anchor>, AuditError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(AuditError::io(path, "cannot be read")(e)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let anchor = |(index, line): (usize, &str)| {
        Anchor::parse(line, key).map_err(|wanted| {
            let cause = format!("line {}: found something else than {wanted}", index + 1);
            AuditError::io(path, "cannot be read")(std::io::Error::new(ErrorKind::InvalidData, cause))
        })
    };
    whole.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(anchor).collect()
}

/// Where anchors go, and when the next one is due.
#[derive(Debug)]
pub struct AnchorFile {
    path: Option<PathBuf>,
    every_records: u64,
    every_ns: u64,
    last: Option<(u64, Stamp)>,
}

impl AnchorFile {
    /// Anchors every `every_records` records, and every `every_ns` nanoseconds in which there was one. Without a path they
    /// go to the daemon's log alone.
    #[must_use]
    pub const fn new(path: Option<PathBuf>, every_records: u64, every_ns: u64) -> Self {
        Self { path, every_records, every_ns, last: None }
    }

    /// Whether an anchor is due for a chain of `records` records.
    #[must_use]
    pub fn is_due(&self, records: u64, now: Stamp) -> bool {
        self.last.is_none_or(|(noted, at)| {
            let fresh = records.saturating_sub(noted);
            fresh >= self.every_records || (fresh > 0 && now.0.since(at.0).0 >= self.every_ns)
        })
    }

    /// Notes an anchor, on disk when this returns.
    ///
    /// # Errors
    /// [`AuditError::Io`]; it is due again then.
    pub fn note(&mut self, anchor: &Anchor, key: &AuditKey) -> Result<(), AuditError> {
        if let Some(path) = &self.path {
            let mut options = OpenOptions::new();
            options
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)
                .and_then(|mut file| {
                    file.write_all(anchor.line(key).as_bytes()).and_then(|()| file.sync_data())
                })
                .map_err(AuditError::io(path, "cannot be written"))?;
        }
        self.last = Some((anchor.seq, anchor.at));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    fn anchor(seq: u64) -> Anchor {
        Anchor { at: Stamp(UnixNanos(seq)), seq, head: format!("{seq:064x}") }
    }

    #[test]
    fn anchors_are_read_back_and_those_of_another_key_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = AuditKey::create(&dir.path().join("key")).unwrap();
        let path = dir.path().join("anchors");
        assert_eq!(read_anchors(&path, Some(&key)).unwrap(), []);
        let mut file = AnchorFile::new(Some(path.clone()), 10, 1_000);
        file.note(&anchor(3), &key).unwrap();
        file.note(&anchor(12), &key).unwrap();
        assert_eq!(read_anchors(&path, Some(&key)).unwrap(), [anchor(3), anchor(12)]);
        let other = AuditKey::create(&dir.path().join("other")).unwrap();
        let error = read_anchors(&path, Some(&other)).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
        assert_eq!(read_anchors(&path, None).unwrap().len(), 2, "who has no key takes them as they are");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert_eq!(read_anchors(&path, Some(&key)).unwrap(), [anchor(3)], "half a last line is no anchor");
        fs::write(&path, text.replacen(" 3 ", " 4 ", 1)).unwrap();
        assert!(read_anchors(&path, Some(&key)).is_err(), "a changed one is refused");
    }

    #[test]
    fn an_anchor_is_due_after_so_many_records_or_so_much_time_with_one() {
        let dir = tempfile::tempdir().unwrap();
        let key = AuditKey::create(&dir.path().join("key")).unwrap();
        let mut file = AnchorFile::new(None, 10, 1_000);
        let due = |file: &AnchorFile, records, now| file.is_due(records, Stamp(UnixNanos(now)));
        assert!(due(&file, 1, 0), "the first one at once");
        file.note(&Anchor { at: Stamp(UnixNanos(100)), seq: 5, head: String::new() }, &key).unwrap();
        assert!(!due(&file, 5, 9_999), "nothing new");
        assert!(!due(&file, 14, 1_099) && due(&file, 15, 101));
        assert!(due(&file, 6, 1_100));
    }
}
