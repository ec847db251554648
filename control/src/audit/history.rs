//! What the log says of breakers, halts and limits, from its first record to its last: what a start compares their files with.

use super::error::AuditError;
use super::record::Actor;
use super::segment;
use crate::stamp::Stamp;
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// One record that moved a latch or a limit.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// Its number in the chain.
    pub(crate) seq: u64,
    /// When.
    pub(crate) ts: Stamp,
    /// By whom.
    pub(crate) actor: Actor,
    /// What was done: `halt`, `breaker.trip`, `resume`, ...
    pub(crate) action: String,
    /// To what.
    pub(crate) target: String,
    /// The state before.
    pub(crate) before: Value,
    /// The state after.
    pub(crate) after: Value,
    /// What came of it.
    pub(crate) result: String,
}

/// What every such record has in its line; a line without one is not parsed.
const ACTIONS: [&str; 9] = [
    "\"action\":\"start\"",
    "\"action\":\"halt\"",
    "\"action\":\"resume\"",
    "\"action\":\"breaker.",
    "\"action\":\"tier.reset\"",
    "\"action\":\"latch.",
    "\"action\":\"limits.",
    "\"action\":\"init\"",
    "\"action\":\"tiers\"",
];

/// Shows every record that moves a latch, a limit or a tier to `visit`, oldest first. The chain has been proven by whoever calls this; a line
/// that is no record is passed over.
///
/// # Errors
/// [`AuditError::Io`].
pub(crate) fn history(dir: &Path, mut visit: impl FnMut(Event)) -> Result<(), AuditError> {
    for segment in segment::list(dir)? {
        let file = File::open(&segment.path).map_err(AuditError::io(&segment.path, "cannot be opened"))?;
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(AuditError::io(&segment.path, "cannot be read"))?;
            let Ok(text) = std::str::from_utf8(&line) else { continue };
            if !ACTIONS.iter().any(|action| text.contains(action)) {
                continue;
            }
            if let Ok(event) = serde_json::from_str(text) {
                visit(event);
            }
        }
    }
    Ok(())
}
