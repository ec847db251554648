//! Changes that wait for a second person.

use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};

/// One change that somebody proposed and nobody has approved yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalRow {
    /// Its number, never used again.
    pub id: u64,
    /// What is proposed: the command's name in the audit log.
    pub action: String,
    /// What it is aimed at.
    pub target: String,
    /// What it would change, for people; empty where action and target say it all.
    pub change: String,
    /// Who proposed it.
    pub by: String,
    /// Their user number: whoever has it cannot approve.
    pub uid: u32,
    /// When.
    pub at: Stamp,
    /// When it is void.
    pub expires: Stamp,
    /// Why.
    pub reason: String,
    /// Under which ticket.
    pub ticket: String,
    /// What was done at once of the same command, since it only tightens; in the answer to whoever proposed alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub done: String,
}
