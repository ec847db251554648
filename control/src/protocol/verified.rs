//! What came of proving an audit chain.

use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};

/// Where an audit chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenChain {
    /// The segment.
    pub file: String,
    /// Line from 1.
    pub line: u64,
    /// Byte offset of the line.
    pub offset: u64,
    /// What is wrong.
    pub problem: String,
}

/// What came of proving the audit chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReply {
    /// Segments read.
    pub segments: u32,
    /// Records proven.
    pub records: u64,
    /// Hash of the last proven record.
    pub head: String,
    /// First and last moment of the proven records.
    pub first: Option<Stamp>,
    /// See `first`.
    pub last: Option<Stamp>,
    /// The first line that breaks the chain, if any.
    pub broken: Option<BrokenChain>,
    /// Whether the lines' MACs were checked with a key.
    #[serde(default)]
    pub key_checked: bool,
    /// Records whose MAC was checked and is right.
    #[serde(default)]
    pub keyed: u64,
    /// Number of the newest record that was noted outside the log and is in it.
    #[serde(default)]
    pub anchored: Option<u64>,
    /// Why the heads that the configuration has noted outside the log could not be compared with it, if they could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanchored: Option<String>,
}

impl VerifyReply {
    /// Whether the chain holds, only a holder of the key can have written it, and it was compared with what was noted outside it where
    /// something is.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        self.broken.is_none() && self.key_checked && self.keyed == self.records && self.unanchored.is_none()
    }
}
