//! Why the audit log cannot be read or written, and the bounds that reader and writer share.

use crate::protocol::BrokenChain;
use std::io;
use std::path::PathBuf;

/// Longest line, in bytes, its end included.
pub(super) const LINE_BYTES_MAX: usize = 64 << 10;

/// What the first line of a chain has as `prev`.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Why the audit log cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The system said no.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The chain is broken.
    #[error("{}:{}: {}", at.file, at.line, at.problem)]
    Broken {
        /// Where and how.
        at: BrokenChain,
    },
    /// A record is too long for a line.
    #[error("a record of {found} bytes is too long: a line holds at most {LINE_BYTES_MAX}")]
    TooLong {
        /// Bytes of the line.
        found: usize,
    },
    /// The file that is being written to is not the one that its name leads to: it was moved, removed or replaced, or its
    /// disk was unmounted.
    #[error(
        "{}: the file being written to is no longer the one of that name (moved, removed, or its disk unmounted)",
        path.display()
    )]
    Replaced {
        /// The segment.
        path: PathBuf,
    },
    /// The file that is being written to has lost its end: what comes next would lie behind a hole, in no chain.
    #[error(
        "{}: found {found} bytes, wanted the {wanted} that were written: it was cut while it is in use; what is left can be proven, \
         and nothing more is written to it",
        path.display()
    )]
    Shortened {
        /// The segment.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// What was written to it.
        wanted: u64,
    },
    /// The file that the chain's heads are noted in has none.
    #[error(
        "{}: found {found}, wanted the heads of the audit log that are noted there: what was cut off its end, or written anew with \
         the key, would not be noticed",
        path.display()
    )]
    Unanchored {
        /// The anchor file.
        path: PathBuf,
        /// What was found.
        found: &'static str,
    },
    /// The key of the chain is not one.
    #[error("{}: found {found} bytes, wanted the 32 bytes of an audit key", path.display())]
    BadKey {
        /// The key file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The chain is keyed and its key is not there.
    #[error(
        "{}: the key of the audit log is missing, and records written with it are there; put it back",
        path.display()
    )]
    KeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
}

impl AuditError {
    pub(crate) fn io(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, what, source }
    }
}
