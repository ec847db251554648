//! One record and its line.

use super::key::AuditKey;
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
    /// Likewise; lines of version 1 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mac: Option<String>,
}

/// Version of the line format: 1 had a hash alone, 2 has a MAC too.
pub(super) const LINE_VERSION: u32 = 2;

const HASH_KEY: &str = ",\"hash\":\"";
const MAC_KEY: &str = "\",\"mac\":\"";
const LINE_END: &str = "\"}";
/// Hexadecimal digits of a hash or a MAC.
const DIGITS: usize = 64;
/// Bytes after the body of a line of version 1: key, digits, end.
const TAIL_BYTES_1: usize = HASH_KEY.len() + DIGITS + LINE_END.len();
/// The same of version 2.
const TAIL_BYTES_2: usize = TAIL_BYTES_1 + MAC_KEY.len() + DIGITS;

/// The line of `body`, newline included, and its hash.
pub(super) fn line_of(body: &Body<'_>, key: &AuditKey) -> Result<(String, String), serde_json::Error> {
    let mut line = serde_json::to_string(body)?;
    line.pop();
    let hash = blake3::hash(line.as_bytes()).to_hex().to_string();
    let mac = key.mac(line.as_bytes()).to_hex();
    for part in [HASH_KEY, &hash, MAC_KEY, mac.as_str(), LINE_END, "\n"] {
        line.push_str(part);
    }
    Ok((line, hash))
}

/// A line taken apart; its hash is right.
pub(super) struct OpenedLine<'a> {
    pub(super) body: Body<'a>,
    pub(super) hash: &'a str,
    /// Whether it has a MAC.
    pub(super) keyed: bool,
}

/// Takes a line without its newline apart, when it has the shape of one, its hash is right and, where there is a key to check
/// it with, its MAC too.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn open_line<'a>(line: &'a [u8], key: Option<&AuditKey>) -> Result<OpenedLine<'a>, String> {
    if line.len() < TAIL_BYTES_1 {
        return Err(format!("found {} bytes, wanted a record and its hash", line.len()));
    }
    let Some((bytes, hash, mac)) = split_keyed(line).or_else(|| split_plain(line)) else {
        return Err("found no hash at the end of the line".to_owned());
    };
    let wanted = blake3::hash(bytes).to_hex();
    if wanted.as_str() != hash {
        return Err(format!("the line was changed: found hash {hash}, wanted {wanted}"));
    }
    if let (Some(key), Some(mac)) = (key, mac)
        && key.mac(bytes).to_hex().as_str() != mac
    {
        return Err(
            "the hash is right, but the line was not written with this key: a forgery, or another key"
                .to_owned(),
        );
    }
    match serde_json::from_slice(line) {
        Ok(body) => Ok(OpenedLine { body, hash, keyed: mac.is_some() }),
        Err(e) => Err(format!("the hash is right, yet it is no record: {e}")),
    }
}

fn split_keyed(line: &[u8]) -> Option<(&[u8], &str, Option<&str>)> {
    let (bytes, tail) = line.split_at_checked(line.len().checked_sub(TAIL_BYTES_2)?)?;
    let tail = tail.strip_prefix(HASH_KEY.as_bytes())?.strip_suffix(LINE_END.as_bytes())?;
    let (hash, rest) = tail.split_at_checked(DIGITS)?;
    let mac = rest.strip_prefix(MAC_KEY.as_bytes())?;
    Some((bytes, digits(hash)?, Some(digits(mac)?)))
}

fn split_plain(line: &[u8]) -> Option<(&[u8], &str, Option<&str>)> {
    let (bytes, tail) = line.split_at_checked(line.len().checked_sub(TAIL_BYTES_1)?)?;
    let hash = tail.strip_prefix(HASH_KEY.as_bytes())?.strip_suffix(LINE_END.as_bytes())?;
    Some((bytes, digits(hash)?, None))
}

fn digits(text: &[u8]) -> Option<&str> {
    let hex = text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex { std::str::from_utf8(text).ok() } else { None }
}
