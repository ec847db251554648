//! Proposals, in a sealed file: one that was answered is there after a restart, one that was approved or withdrawn is not.

use super::sealed::{self, Seal, SealError};
use crate::audit::AuditKey;
use crate::protocol::{Command, ProposalRow};
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

const KIND: &str = "portcullis-proposals";
const VERSION: u32 = 1;

/// Proposals at once, and of one person.
pub(crate) const PROPOSALS_MAX: usize = 64;
pub(crate) const OF_ONE_MAX: usize = 16;

/// One proposal, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub(crate) row: ProposalRow,
    /// What is to be done.
    pub(crate) command: Command,
    /// What stood when it was proposed: it is not done to anything else.
    pub(crate) before: Value,
}

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    newest: u64,
    waiting: Vec<Proposal>,
}

/// The proposals and their file.
#[derive(Debug)]
pub(crate) struct ProposalBook {
    path: PathBuf,
    seal: Seal,
    content: Content,
}

impl ProposalBook {
    /// What the file in `dir` has, and what is wrong with it: then nothing waits, which opens nothing, and what was there is kept aside.
    pub(crate) fn open(dir: &Path, key: Option<&AuditKey>, now: Stamp) -> (Self, Option<String>) {
        let path = dir.join("proposals.sealed");
        let seal = Seal { kind: KIND, version: VERSION, key: key.cloned() };
        let (content, damaged) = match sealed::read_json::<Content>(&path, &seal, "proposals") {
            Ok(content) => (content.unwrap_or_default(), None),
            Err(error) => {
                let _ = sealed::set_aside(&path, now.0.0);
                // Numbers of the lost file are not used again.
                let newest = now.0.0 / 1_000_000_000;
                (Content { newest, waiting: Vec::new() }, Some(error.to_string()))
            }
        };
        (Self { path, seal, content }, damaged)
    }

    /// Those that wait.
    pub(crate) fn waiting(&self) -> &[Proposal] {
        &self.content.waiting
    }

    /// Changes the proposals by `change` and brings them to disk; where the disk refuses, nothing is changed.
    ///
    /// # Errors
    /// [`SealError`].
    fn changed<T>(&mut self, change: impl FnOnce(&mut Content) -> T) -> Result<T, SealError> {
        let mut content = self.content.clone();
        let given = change(&mut content);
        let body = serde_json::to_vec_pretty(&content)
            .map_err(|error| SealError::damaged(&self.path, error.to_string()))?;
        sealed::write(&self.path, &self.seal, &body)?;
        self.content = content;
        Ok(given)
    }

    /// Adds one; gives it with its number.
    ///
    /// # Errors
    /// [`SealError`]; it was not added.
    pub(crate) fn add(&mut self, mut proposal: Proposal) -> Result<ProposalRow, SealError> {
        self.changed(|content| {
            content.newest += 1;
            proposal.row.id = content.newest;
            let row = proposal.row.clone();
            content.waiting.push(proposal);
            row
        })
    }

    /// Takes one away.
    ///
    /// # Errors
    /// [`SealError`]; it still waits.
    pub(crate) fn take(&mut self, id: u64) -> Result<(), SealError> {
        self.changed(|content| content.waiting.retain(|proposal| proposal.row.id != id))
    }

    /// Puts back one that was taken and not done after all.
    ///
    /// # Errors
    /// [`SealError`]; it waits no more.
    pub(crate) fn put_back(&mut self, proposal: Proposal) -> Result<(), SealError> {
        self.changed(|content| content.waiting.push(proposal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixNanos;

    #[test]
    fn numbers_of_a_lost_file_are_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("proposals.sealed"), "junk").unwrap();
        let now = Stamp(UnixNanos(7_000_000_123));
        let (book, damaged) = ProposalBook::open(dir.path(), None, now);
        assert!(damaged.is_some() && book.waiting().is_empty());
        assert_eq!(book.content.newest, 7, "the seconds of the clock");
    }
}
