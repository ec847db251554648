//! The state directory: taken by a lock on itself, which nobody can remove as a file can be, and looked at again before anything in it is
//! called durable.

use super::sealed::SealError;
use std::fs::{self, File, TryLockError};
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
    /// It is somebody else's: what a start wrote would not be theirs any more.
    #[error("state directory {}: found it to be uid {owner}'s, wanted uid {own}'s, who runs this: run it as that user, or chown it", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs this.
        own: u32,
    },
    /// Others may write into it.
    #[error("state directory {}: found mode {mode:o}, wanted that nobody else may write there: chmod 700", path.display())]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
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
    /// The file that is locked beside it, for whoever looks which process has the directory.
    _file: File,
}

const LOCK: &str = "lock";

/// Opens a directory, to lock it.
fn open_dir(path: &Path) -> io::Result<File> {
    let dir = File::open(path)?;
    if dir.metadata()?.is_dir() { Ok(dir) } else { Err(ErrorKind::NotADirectory.into()) }
}

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
        let lock = open_dir(path).map_err(fail)?;
        let found = lock.metadata().map_err(fail)?;
        let own = rustix::process::geteuid().as_raw();
        if found.uid() != own {
            return Err(StateDirError::NotOurs { path: path.to_owned(), owner: found.uid(), own });
        }
        if found.mode() & 0o022 != 0 {
            return Err(StateDirError::Exposed { path: path.to_owned(), mode: found.mode() & 0o777 });
        }
        let file = File::create(path.join(LOCK)).map_err(fail)?;
        for _ in 0..TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), lock, _file: file }),
                Err(TryLockError::WouldBlock) => thread::sleep(TRY_AGAIN),
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
        }
        Err(StateDirError::InUse { path: path.to_owned() })
    }

    /// Whether a daemon runs on the directory. Changes nothing; where there is none nobody does.
    ///
    /// # Errors
    /// [`StateDirError::InUse`], and [`StateDirError::Io`] where it cannot be looked at.
    pub(crate) fn look(path: &Path) -> Result<(), StateDirError> {
        let fail = |source| StateDirError::Io { path: path.to_owned(), source };
        let lock = match open_dir(path) {
            Ok(lock) => lock,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(fail(source)),
        };
        match lock.try_lock_shared() {
            // A start makes the file beside it anew.
            Ok(()) if path.join(LOCK).is_dir() => Err(fail(ErrorKind::IsADirectory.into())),
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
        let ours = self.lock.metadata().map_err(SealError::io(&self.path, "cannot be looked at"))?;
        match fs::metadata(&self.path) {
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
        assert!(dir.check().unwrap_err().to_string().contains("no longer the directory"), "another one");
        fs::remove_dir_all(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
        dir.check().unwrap();
        drop(dir);
        StateDir::look(&path).unwrap();
        StateDir::look(&place.path().join("none")).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_none_that_nobody_has() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(StateDir::look(&path), Err(StateDirError::Io { .. })));
        let path = place.path().join("state");
        fs::create_dir_all(path.join(LOCK)).unwrap();
        assert!(matches!(StateDir::look(&path), Err(StateDirError::Io { .. })), "no start would take it");
    }

    #[test]
    fn a_lock_file_that_is_removed_lets_no_second_daemon_in() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        let dir = StateDir::take(&path).unwrap();
        fs::remove_file(path.join(LOCK)).unwrap();
        assert!(matches!(StateDir::take(&path), Err(StateDirError::InUse { .. })));
        dir.check().unwrap();
    }

    #[test]
    fn a_directory_that_others_may_write_is_not_taken() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        fs::create_dir(&path).unwrap();
        for (mode, taken) in [(0o777, false), (0o770, false), (0o755, true), (0o700, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match StateDir::take(&path) {
                Err(StateDirError::Exposed { mode: found, .. }) => assert_eq!((found, false), (mode, taken)),
                other => assert_eq!(other.is_ok(), taken, "{mode:o}"),
            }
        }
    }

    #[test]
    fn a_directory_of_another_user_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
            ::tests::skip(::tests::Need::Root, "giving a directory to another user needs root");
            return;
        }
        let own = rustix::process::geteuid().as_raw();
        let Err(StateDirError::NotOurs { owner, own: taker, .. }) = StateDir::take(&path) else {
            panic!("taken, or refused for something else")
        };
        assert_eq!((owner, taker), (65_534, own));
        assert!(!path.join(LOCK).exists(), "nothing is made in it");
    }
}
