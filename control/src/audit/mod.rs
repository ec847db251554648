//! The audit log: who did what, when, why, with what result; append-only segments of JSON lines, each line chained to
//! the one before by BLAKE3.
//!
//! A line is `BODY,"hash":"HEX"}` where `BODY` is everything before and `HEX` the BLAKE3 of exactly those bytes. `BODY`
//! holds the hash of the line before (`"prev"`), so a line cannot be changed, moved, inserted or taken out without
//! breaking the chain from there on. No tool of ours is needed to check a line by hand:
//!
//! ```text
//! sed -n 3p audit-000001.jsonl | tr -d '\n' | head -c -75 | b3sum
//! ```
//!
//! The chain is not keyed: whoever may write the directory could write a new chain. Therefore note the head now and then
//! elsewhere (`portcullisctl status` shows it) and hand it to `audit verify --head`.

mod log;
mod record;
mod segment;
mod verify;

pub use log::{AuditLog, TornLine};
pub use record::{Actor, Entry};
pub use verify::{VerifyOptions, verify};

use crate::protocol::BrokenChain;
use std::io;
use std::path::PathBuf;

/// Longest line, in bytes, its end included.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What the first line of a chain has as `prev`.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

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
    #[error("a record of {found} bytes, at most {LINE_BYTES_MAX} wanted")]
    TooLong {
        /// Bytes of the line.
        found: usize,
    },
    /// An earlier write failed halfway and could not be taken back; nothing more is written.
    #[error("{}: an earlier write failed and could not be undone; restart the appliance", path.display())]
    Poisoned {
        /// The segment.
        path: PathBuf,
    },
}

impl AuditError {
    fn io(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, what, source }
    }
}
