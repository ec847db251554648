//! One record and its line.

use crate::roles::Role;
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// User number, from the kernel.
    pub uid: u32,
    /// Effective group number, from the kernel.
    pub gid: u32,
    /// Process number, from the kernel.
    pub pid: i32,
    /// User name at that moment.
    pub user: String,
    /// The role that allowed it, or did not.
    pub role: Option<Role>,
}

/// What happened, before it has a place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What was asked for: the command's name, dots between noun and verb (`breaker.trip`).
    pub action: &'static str,
    /// What it was done to: a scope, a symbol, `firm`.
    pub target: String,
    /// The state before.
    pub before: Value,
    /// The state after.
    pub after: Value,
    /// Why.
    pub reason: String,
    /// Under which ticket.
    pub ticket: String,
    /// `done`, `authorised` (about to be done), `unchanged`, or `refused: ...` / `failed: ...`.
    pub result: String,
}

/// A record as it stands in a line. Fields are written in this order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body<'a> {
    pub(super) v: u32,
    pub(super) seq: u64,
    pub(super) ts: Stamp,
    #[serde(borrow)]
    pub(super) prev: std::borrow::Cow<'a, str>,
    pub(super) actor: Actor,
    pub(super) action: String,
    pub(super) target: String,
    pub(super) before: Value,
    pub(super) after: Value,
    pub(super) reason: String,
    pub(super) ticket: String,
    pub(super) result: String,
    /// Absent while the line is being made, since it is the hash of everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<String>,
}

/// Version of the line format.
pub(super) const LINE_VERSION: u32 = 1;

const HASH_KEY: &str = ",\"hash\":\"";
const HASH_END: &str = "\"}";
/// Bytes after the body: key, 64 digits, end.
const TAIL_BYTES: usize = HASH_KEY.len() + 64 + HASH_END.len();

/// The line of `body`, newline included, and its hash.
pub(super) fn line_of(body: &Body<'_>) -> Result<(String, String), serde_json::Error> {
    let mut line = serde_json::to_string(body)?;
    line.pop();
    let hash = blake3::hash(line.as_bytes()).to_hex().to_string();
    line.push_str(HASH_KEY);
    line.push_str(&hash);
    line.push_str(HASH_END);
    line.push('\n');
    Ok((line, hash))
}

/// Body and hash of a line without its newline, when it has the shape of one and the hash is right.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn open_line(line: &[u8]) -> Result<(Body<'_>, &str), String> {
    let Some(cut) = line.len().checked_sub(TAIL_BYTES) else {
        return Err(format!("found {} bytes, wanted a record and its hash", line.len()));
    };
    let (body, tail) = line.split_at(cut);
    let hash = tail.strip_prefix(HASH_KEY.as_bytes()).and_then(|t| t.strip_suffix(HASH_END.as_bytes()));
    let digits = |t: &[u8]| t.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let Some(hash) = hash.filter(|h| digits(h)).and_then(|h| std::str::from_utf8(h).ok()) else {
        return Err("found no hash at the end of the line".to_owned());
    };
    let wanted = blake3::hash(body).to_hex();
    if wanted.as_str() != hash {
        return Err(format!("the line was changed: found hash {hash}, wanted {wanted}"));
    }
    match serde_json::from_slice(line) {
        Ok(body) => Ok((body, hash)),
        Err(e) => Err(format!("the hash is right, yet it is no record: {e}")),
    }
}
