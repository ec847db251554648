//! The key of the chain: 32 random bytes in a file that the daemon's user alone can read. Each line carries a MAC made with
//! it, so that who may write the log's directory but not read the key cannot make a chain of their own.

use super::error::AuditError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of a key, as `b3sum --keyed` takes it.
const KEY_BYTES: usize = blake3::KEY_LEN;

/// The key of a chain.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditKey([u8; KEY_BYTES]);

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

impl AuditKey {
    /// A new random key, written to `path` (mode 0400) and brought to disk.
    ///
    /// # Errors
    /// [`AuditError::Io`], also when there is a file already.
    pub fn create(path: &Path) -> Result<Self, AuditError> {
        let mut key = [0; KEY_BYTES];
        let random = Path::new("/dev/urandom");
        File::open(random)
            .and_then(|mut source| source.read_exact(&mut key))
            .map_err(AuditError::io(random, "gives no random bytes"))?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(path)
            .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))
            .map_err(AuditError::io(path, "cannot be created"))?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)
            .and_then(|d| d.sync_all())
            .map_err(AuditError::io(dir, "cannot be brought to disk"))?;
        Ok(Self(key))
    }

    /// The key in `path`; `None` when there is no such file.
    ///
    /// # Errors
    /// [`AuditError::Io`], and [`AuditError::BadKey`] for a file of another length.
    pub fn read(path: &Path) -> Result<Option<Self>, AuditError> {
        let length = match fs::metadata(path) {
            Ok(found) => found.len(),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(AuditError::io(path, "cannot be looked at")(e)),
        };
        if length != KEY_BYTES as u64 {
            return Err(AuditError::BadKey { path: path.to_owned(), found: length });
        }
        let bytes = fs::read(path).map_err(AuditError::io(path, "cannot be read"))?;
        let found = bytes.len() as u64;
        let key = bytes.try_into().map_err(|_| AuditError::BadKey { path: path.to_owned(), found })?;
        Ok(Some(Self(key)))
    }

    /// The MAC of a line's body, or of a sealed file: BLAKE3 in keyed mode.
    pub(crate) fn mac(&self, body: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.key");
        assert_eq!(AuditKey::read(&path).unwrap(), None);
        let key = AuditKey::create(&path).unwrap();
        assert_eq!(AuditKey::read(&path).unwrap(), Some(key.clone()));
        assert!(AuditKey::create(&path).is_err(), "a key is never written over");
        assert_eq!(format!("{key:?}"), "AuditKey(…)", "a key does not get into logs");
        let short = dir.path().join("short");
        fs::write(&short, b"0123").unwrap();
        assert!(matches!(AuditKey::read(&short), Err(AuditError::BadKey { found: 4, .. })));
    }
}
