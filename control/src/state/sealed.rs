//! A small file that is either whole and as written, or refused: one header line with a BLAKE3 digest of the body and a MAC of both,
//! made with the key of the audit log, replaced atomically. Who may write the directory and not read the key cannot seal a file.
//!
//! ```text
//! portcullis-latch 1 312 <64 hex digits> <64 hex digits>
//! <312 bytes>
//! ```

use crate::audit::AuditKey;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest sealed file, in bytes: 65,536 instruments with every limit set fit.
const BYTES_MAX: u64 = 64 << 20;

/// Why a sealed file cannot be believed or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The system said no.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The content is not what was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found and wanted.
        problem: String,
    },
}

impl SealError {
    pub(super) fn io<'a>(path: &'a Path, what: &'static str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { path: path.to_owned(), what, source }
    }

    pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}

/// What a file is sealed as.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    /// What it is, and in which version.
    pub(super) kind: &'static str,
    pub(super) version: u32,
    /// The key of the audit log. None where there is none yet: then no sealed file can be believed that has a MAC.
    pub(super) key: Option<AuditKey>,
}

impl Seal {
    /// The header of `body`, newline included.
    fn header(&self, body: &[u8]) -> String {
        let Self { kind, version, key } = self;
        let plain = format!("{kind} {version} {} {}", body.len(), blake3::hash(body).to_hex());
        match key {
            // The digest stands for the body.
            Some(key) => format!("{plain} {}\n", key.mac(plain.as_bytes()).to_hex()),
            None => format!("{plain}\n"),
        }
    }
}

/// Replaces the file: a crash at any moment leaves the old or the new one, whole. Returns after the new one is on disk.
///
/// # Errors
/// [`SealError::Io`]; the old file is then still there.
pub(super) fn write(path: &Path, seal: &Seal, body: &[u8]) -> Result<(), SealError> {
    let header = seal.header(body);
    if (header.len() + body.len()) as u64 > BYTES_MAX {
        // What could not be read again is not written: the file stays as it is.
        let problem = format!("{} bytes are more than such a file may have ({BYTES_MAX})", body.len());
        return Err(SealError::damaged(path, problem));
    }
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(SealError::io(&fresh, "cannot be created"))?;
    file.write_all(header.as_bytes())
        .and_then(|()| file.write_all(body))
        .map_err(SealError::io(&fresh, "cannot be written"))?;
    file.sync_all().map_err(SealError::io(&fresh, "cannot be brought to disk"))?;
    fs::rename(&fresh, path).map_err(SealError::io(path, "cannot be replaced"))?;
    sync_dir_of(path)
}

/// Brings a change of a directory's entries to disk.
pub(super) fn sync_dir_of(path: &Path) -> Result<(), SealError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|d| d.sync_all()).map_err(SealError::io(dir, "cannot be brought to disk"))
}

/// The body as it was written; `None` when there is no file.
///
/// # Errors
/// [`SealError`]: unreadable, or any byte is not as written.
pub(super) fn read(path: &Path, seal: &Seal) -> Result<Option<Vec<u8>>, SealError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SealError::io(path, "cannot be opened")(e)),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(SealError::io(path, "cannot be read"))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(SealError::damaged(
            path,
            format!("found more than {BYTES_MAX} bytes, wanted a {} file", seal.kind),
        ));
    }
    let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
        return Err(SealError::damaged(path, format!("found no header line in {} bytes", bytes.len())));
    };
    let body = bytes.split_off(end + 1);
    let wanted = seal.header(&body);
    if bytes == wanted.as_bytes() {
        return Ok(Some(body));
    }
    if bytes == (Seal { key: None, ..seal.clone() }).header(&body).as_bytes() {
        let problem = "found no MAC: it was not written with the key of the audit log";
        return Err(SealError::damaged(path, problem));
    }
    let found = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    Err(SealError::damaged(
        path,
        format!("header and content disagree: found {found:?}, wanted {:?}", wanted.trim_end()),
    ))
}

/// What the file says, as JSON; `None` when there is no file.
///
/// # Errors
/// [`SealError`]: unreadable, or not as written, or sealed and yet not `what`.
pub(super) fn read_json<T: DeserializeOwned>(
    path: &Path,
    seal: &Seal,
    what: &str,
) -> Result<Option<T>, SealError> {
    let Some(body) = read(path, seal)? else { return Ok(None) };
    let parsed = serde_json::from_slice(&body);
    parsed.map(Some).map_err(|error| SealError::damaged(path, format!("sealed, yet not {what}: {error}")))
}

/// Moves a damaged file out of the way, keeping it as evidence; the name says when. Does nothing when there is none.
///
/// # Errors
/// [`SealError::Io`].
pub(super) fn set_aside(path: &Path, now_ns: u64) -> Result<Option<PathBuf>, SealError> {
    let mut kept = path.as_os_str().to_owned();
    kept.push(format!(".damaged-{now_ns}"));
    let kept = PathBuf::from(kept);
    match fs::rename(path, &kept) {
        Ok(()) => sync_dir_of(path).map(|()| Some(kept)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(SealError::io(path, "cannot be set aside")(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(version: u32) -> Seal {
        Seal { kind: "portcullis-test", version, key: None }
    }

    #[test]
    fn every_single_byte_is_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sealed");
        write(&path, &seal(1), b"{\"a\":1}").unwrap();
        assert_eq!(read(&path, &seal(1)).unwrap().unwrap(), b"{\"a\":1}");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                fs::write(&path, &bad).unwrap();
                assert!(read(&path, &seal(1)).is_err(), "byte {at} flipped by {flip:#x}");
            }
            fs::write(&path, &good[..at]).unwrap();
            assert!(read(&path, &seal(1)).is_err(), "cut at {at}");
        }
        fs::write(&path, [&good[..], b"x"].concat()).unwrap();
        assert!(read(&path, &seal(1)).is_err(), "a byte more");
    }

    #[test]
    fn another_kind_or_version_is_not_read_as_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sealed");
        write(&path, &seal(2), b"x").unwrap();
        let error = read(&path, &seal(1)).unwrap_err().to_string();
        assert!(
            error.contains("found \"portcullis-test 2 1 ") && error.contains("wanted \"portcullis-test 1 1 "),
            "{error}"
        );
        assert!(read(&path, &Seal { kind: "portcullis-other", ..seal(2) }).is_err());
        assert!(read(&dir.path().join("none"), &seal(1)).unwrap().is_none());
    }

    #[test]
    fn with_a_key_only_its_holder_can_seal_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sealed");
        let key = |name: &str| Some(AuditKey::create(&dir.path().join(name)).unwrap());
        let (ours, theirs) = (Seal { key: key("a"), ..seal(1) }, Seal { key: key("b"), ..seal(1) });
        write(&path, &ours, b"latched").unwrap();
        assert_eq!(read(&path, &ours).unwrap().unwrap(), b"latched");
        assert!(read(&path, &theirs).is_err() && read(&path, &seal(1)).is_err());
        write(&path, &seal(1), b"open").unwrap();
        let error = read(&path, &ours).unwrap_err().to_string();
        assert!(error.contains("was not written with the key"), "{error}");
        assert!(read(&path, &Seal { kind: "portcullis-other", ..ours }).is_err());
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sealed");
        write(&path, &seal(1), b"small").unwrap();
        assert!(write(&path, &seal(1), &vec![b'x'; BYTES_MAX as usize]).is_err());
        assert_eq!(read(&path, &seal(1)).unwrap().unwrap(), b"small");
    }

    #[test]
    fn the_largest_file_is_written_and_read_and_one_byte_more_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sealed");
        let header = seal(1).header(&vec![b'x'; BYTES_MAX as usize - 200]).len();
        let mut body = vec![b'x'; BYTES_MAX as usize - header];
        write(&path, &seal(1), &body).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), BYTES_MAX);
        assert!(read(&path, &seal(1)).unwrap().unwrap() == body);
        body.push(b'x');
        assert!(write(&path, &seal(1), &body).is_err());
        let mut longer = OpenOptions::new().append(true).open(&path).unwrap();
        longer.write_all(b"x").unwrap();
        let error = read(&path, &seal(1)).unwrap_err().to_string();
        assert!(error.contains("found more than 67108864 bytes"), "{error}");
    }

    #[test]
    fn what_cannot_be_reached_is_not_taken_for_no_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let path = dir.path().join("file").join("x.sealed");
        assert!(matches!(read(&path, &seal(1)), Err(SealError::Io { .. })));
        assert!(matches!(set_aside(&path, 1), Err(SealError::Io { .. })));
    }

    #[test]
    fn a_damaged_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latch.sealed");
        fs::write(&path, b"junk").unwrap();
        let kept = set_aside(&path, 7).unwrap().unwrap();
        assert!(!path.exists() && kept.ends_with("latch.sealed.damaged-7"));
        assert_eq!(fs::read(kept).unwrap(), b"junk");
        assert!(set_aside(&path, 8).unwrap().is_none());
    }
}
