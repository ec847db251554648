//! Anchors: the head of the chain, noted outside the log's directory. A chain that holds every anchored head was neither cut
//! off nor rewritten before the last of them, not even by the holder of the key.

use super::error::AuditError;
use super::key::AuditKey;
use crate::stamp::Stamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
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

/// The anchors of a file, oldest first, one at least. A line that a crash cut short is passed over.
///
/// # Errors
/// [`AuditError::Unanchored`] when there is no file, or no anchor in it: a file that is gone proves nothing, and never counts as one
/// that was not asked for. [`AuditError::Io`]; a line that is no anchor, or not one of this key, is an error too.
pub fn read_anchors(path: &Path, key: Option<&AuditKey>) -> Result<Vec<Anchor>, AuditError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(unanchored(path, "no such file")),
        Err(e) => return Err(AuditError::io(path, "cannot be read")(e)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let anchor = |(index, line): (usize, &str)| {
        Anchor::parse(line, key).map_err(|wanted| {
            let cause = format!("line {}: found something else than {wanted}", index + 1);
            AuditError::io(path, "cannot be read")(std::io::Error::new(ErrorKind::InvalidData, cause))
        })
    };
    let lines = whole.lines().enumerate().filter(|(_, line)| !is_cut(line));
    let anchors = lines.map(anchor).collect::<Result<Vec<_>, _>>()?;
    if anchors.is_empty() { Err(unanchored(path, "a file without one")) } else { Ok(anchors) }
}

/// Whether a line ends before its MAC does. It proves nothing, and whoever could have cut it could have taken it out.
fn is_cut(line: &str) -> bool {
    line.split(' ').nth(3).is_none_or(|mac| mac.len() < 64)
}

fn unanchored(path: &Path, found: &'static str) -> AuditError {
    AuditError::Unanchored { path: path.to_owned(), found }
}

/// Where anchors go, and when the next one is due.
#[derive(Debug)]
pub struct AnchorFile {
    path: Option<PathBuf>,
    every_records: u64,
    every_ns: u64,
    last: Option<(u64, Stamp)>,
    /// Bytes that it had at last: a file of its name that has fewer is another one.
    bytes: u64,
    /// It may be made: nothing was noted in it that would be missed.
    begins: bool,
}

impl AnchorFile {
    /// Anchors every `every_records` records, and every `every_ns` nanoseconds in which there was one. Without a path they
    /// go to the daemon's log alone.
    #[must_use]
    pub fn new(path: Option<PathBuf>, every_records: u64, every_ns: u64) -> Self {
        let found = path.as_deref().and_then(|path| fs::metadata(path).ok());
        let bytes = found.map_or(0, |found| found.len());
        Self { path, every_records, every_ns, last: None, bytes, begins: false }
    }

    /// The next anchor may be the first of its file: a person has said so, by `portcullis init` or by ending the halt that a missing one
    /// is. Nothing else makes the file: what a daemon made by itself would hide that the one before it is gone.
    pub const fn begin(&mut self) {
        self.begins = true;
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
    /// [`AuditError::Io`], and [`AuditError::Unanchored`] where the file is gone or another one; it is due again then.
    pub fn note(&mut self, anchor: &Anchor, key: &AuditKey) -> Result<(), AuditError> {
        if let Some(path) = &self.path {
            self.bytes = self.append(path, &anchor.line(key))?;
            self.begins = false;
        }
        self.last = Some((anchor.seq, anchor.at));
        Ok(())
    }

    /// Appends a line, after the end of one that was cut short; gives the bytes that the file has then.
    fn append(&self, path: &Path, line: &str) -> Result<u64, AuditError> {
        let mut options = OpenOptions::new();
        let opened = options.read(true).append(true).create(self.begins).mode(0o600).open(path);
        let mut file = match opened {
            Err(e) if e.kind() == ErrorKind::NotFound && !self.begins => {
                return Err(unanchored(path, "no such file"));
            }
            opened => opened.map_err(AuditError::io(path, "cannot be opened"))?,
        };
        let mut written = || -> io::Result<Option<u64>> {
            let found = file.metadata()?.len();
            if !self.begins && (found == 0 || found < self.bytes) {
                return Ok(None);
            }
            let line = if ends_whole(&file, found)? { line.to_owned() } else { format!("\n{line}") };
            file.write_all(line.as_bytes())?;
            file.sync_data()?;
            Ok(Some(found + line.len() as u64))
        };
        let written = written().map_err(AuditError::io(path, "cannot be written"))?;
        written.ok_or_else(|| unanchored(path, "another file, with less in it"))
    }
}

/// Whether a file of `bytes` bytes ends with the end of a line, or has none.
fn ends_whole(file: &File, bytes: u64) -> io::Result<bool> {
    let Some(last) = bytes.checked_sub(1) else { return Ok(true) };
    let mut end = [0];
    file.read_exact_at(&mut end, last)?;
    Ok(end == *b"\n")
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
        let mut file = AnchorFile::new(Some(path.clone()), 10, 1_000);
        file.begin();
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
        let mut after = AnchorFile::new(Some(path.clone()), 10, 1_000);
        after.note(&anchor(20), &key).unwrap();
        let expected = [anchor(3), anchor(20)];
        assert_eq!(read_anchors(&path, Some(&key)).unwrap(), expected, "and does not spoil the next");
        fs::write(&path, text.replacen(" 3 ", " 4 ", 1)).unwrap();
        assert!(read_anchors(&path, Some(&key)).is_err(), "a changed one is refused");
    }

    #[test]
    fn a_file_that_is_gone_is_not_made_again_and_no_other_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let key = AuditKey::create(&dir.path().join("key")).unwrap();
        let path = dir.path().join("anchors");
        let is_unanchored = |error: &AuditError| matches!(error, AuditError::Unanchored { .. });
        assert!(is_unanchored(&read_anchors(&path, None).unwrap_err()));
        let mut file = AnchorFile::new(Some(path.clone()), 10, 1_000);
        assert!(is_unanchored(&file.note(&anchor(1), &key).unwrap_err()) && !path.exists());
        file.begin();
        file.note(&anchor(1), &key).unwrap();
        file.note(&anchor(2), &key).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(is_unanchored(&file.note(&anchor(3), &key).unwrap_err()) && !path.exists());
        for other in ["", whole.lines().next().unwrap()] {
            fs::write(&path, other).unwrap();
            assert!(is_unanchored(&file.note(&anchor(3), &key).unwrap_err()), "{other:?}");
            assert!(is_unanchored(&read_anchors(&path, None).unwrap_err()), "{other:?}");
        }
        fs::write(&path, &whole).unwrap();
        file.note(&anchor(3), &key).unwrap();
        assert_eq!(read_anchors(&path, Some(&key)).unwrap(), [anchor(1), anchor(2), anchor(3)]);
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
