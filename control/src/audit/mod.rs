//! The audit log: who did what, when, why, with what result; append-only segments of JSON lines, each line chained to
//! the one before by BLAKE3 and sealed with the daemon's key.
//!
//! A line is `BODY,"hash":"HEX","mac":"HEX"}` where `BODY` is everything before, `hash` the BLAKE3 of exactly those bytes and
//! `mac` the same in keyed mode. `BODY` holds the hash of the line before (`"prev"`), so a line cannot be changed, moved,
//! inserted or taken out without breaking the chain from there on; and who does not have the key cannot make another chain
//! that holds. No tool of ours is needed to check a line by hand:
//!
//! ```text
//! sed -n 3p audit-000001.jsonl | tr -d '\n' | head -c -148 > body
//! b3sum body                       # the line's "hash"
//! b3sum --keyed body < audit.key   # the line's "mac"
//! ```
//!
//! What a chain by itself cannot prove is that nothing was cut off its end, or that the holder of the key did not write it
//! anew. That is what anchors are for ([`Anchor`]): the head, noted now and then somewhere else.

mod anchor;
mod error;
mod history;
mod key;
mod log;
mod record;
mod segment;
mod verify;

pub use anchor::{Anchor, AnchorFile, read_anchors};
pub use error::AuditError;
pub(crate) use history::{Event, history};
pub use key::AuditKey;
pub(crate) use log::Promise;
pub use log::{AuditLog, TornLine};
pub use record::{Actor, Entry};
pub use verify::{VerifyOptions, verify};
