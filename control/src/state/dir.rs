//! The state directory: taken by a lock, and looked at again before anything in it is called durable.

use super::sealed::SealError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Why the state directory cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateDirError {
    /// It cannot be made or locked.
    #[error("state directory {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another daemon has it.
    #[error("state directory {}: another appliance is running on it (its lock is held)", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// The directory, ours as long as this lives.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    lock: File,
}

const LOCK: &str = "lock";

/// How often the lock is tried, and how long between two tries: a daemon that is just ending has it for a moment more.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(10);

impl StateDir {
    /// Takes the directory, making it when there is none.
    ///
    /// # Errors
    /// [`StateDirError`].
    pub(crate) fn take(path: &Path) -> Result<Self, StateDirError> {
        let fail = |source| StateDirError::Io { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
        let lock = File::create(path.join(LOCK)).map_err(fail)?;
        for _ in 0..TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), lock }),
                Err(TryLockError::WouldBlock) => thread::sleep(TRY_AGAIN),
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
        }
        Err(StateDirError::InUse { path: path.to_owned() })
    }

    /// Whether a daemon runs on the directory. Changes nothing; where there is no lock file nobody does.
    ///
    /// # Errors
    /// [`StateDirError::InUse`], and [`StateDirError::Io`] where it cannot be looked at.
    pub(crate) fn look(path: &Path) -> Result<(), StateDirError> {
        let fail = |source| StateDirError::Io { path: path.to_owned(), source };
        let lock = match OpenOptions::new().write(true).open(path.join(LOCK)) {
            Ok(lock) => lock,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(fail(source)),
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(StateDirError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the name still leads to the directory that was taken: not when it was removed, moved away, or its disk
    /// unmounted. What is written under the name then would not be there after a restart.
    ///
    /// # Errors
    /// [`SealError`].
    pub(crate) fn check(&self) -> Result<(), SealError> {
        let name = self.path.join(LOCK);
        let ours = self.lock.metadata().map_err(SealError::io(&name, "cannot be looked at"))?;
        match fs::symlink_metadata(&name) {
            Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => Ok(()),
            _ => Err(SealError::damaged(
                &self.path,
                "is no longer the directory that was taken at start (moved, removed, or its disk unmounted)",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_replaced_is_noticed_and_one_that_came_back_is_too() {
        let place = tempfile::tempdir().unwrap();
        let (path, aside) = (place.path().join("state"), place.path().join("aside"));
        let dir = StateDir::take(&path).unwrap();
        dir.check().unwrap();
        assert!(matches!(StateDir::take(&path), Err(StateDirError::InUse { .. })));
        assert!(matches!(StateDir::look(&path), Err(StateDirError::InUse { .. })));
        fs::rename(&path, &aside).unwrap();
        assert!(dir.check().is_err(), "gone");
        fs::create_dir(&path).unwrap();
        fs::write(path.join(LOCK), "").unwrap();
        assert!(dir.check().unwrap_err().to_string().contains("no longer the directory"), "another one");
        fs::remove_dir_all(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
        dir.check().unwrap();
        drop(dir);
        StateDir::look(&path).unwrap();
        StateDir::look(&place.path().join("none")).unwrap();
    }

    #[test]
    fn a_lock_that_cannot_be_looked_at_is_no_directory_that_nobody_has() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join(LOCK)).unwrap();
        assert!(matches!(StateDir::look(place.path()), Err(StateDirError::Io { .. })));
    }
}
