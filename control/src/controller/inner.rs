//! What changes, under one lock: what outlives the process, and the way of each part to the disk.

use super::trail::Trail;
use crate::stamp::Stamp;
use crate::state::{LatchFile, LimitBook, ProposalBook, SealError, StateDir, Unwritten};
use types::UnixNanos;

/// What changes, under one lock.
pub(super) struct Inner {
    pub(super) dir: StateDir,
    pub(super) latch: LatchFile,
    pub(super) limits: LimitBook,
    pub(super) proposals: ProposalBook,
    pub(super) trail: Trail,
    /// When what is owed to the disk was last tried again.
    pub(super) retried: UnixNanos,
}

impl Inner {
    /// Brings the latches to disk, in the directory that was taken at start and no other.
    pub(super) fn persist_latch(&mut self, now: Stamp) -> Result<(), SealError> {
        let records = self.trail.log.records();
        let mut written = self.dir.check();
        if written.is_ok() {
            written = self.latch.persist(now, records).and_then(|()| self.dir.check());
        }
        if let Err(error) = &written {
            self.latch.owe(now, error);
        }
        written
    }

    /// The same for the officers' limits.
    pub(super) fn persist_limits(&mut self, now: Stamp) -> Result<(), SealError> {
        let mut written = self.dir.check();
        if written.is_ok() {
            written = self.limits.persist(now).and_then(|()| self.dir.check());
        }
        if let Err(error) = &written {
            self.limits.owe(now, error);
        }
        written
    }

    /// What is in force and not on disk.
    pub(super) fn alarms(&self) -> Vec<String> {
        let owed = |what: &str, unwritten: Option<&Unwritten>| {
            unwritten.map(|Unwritten { since, why }| {
                format!("{what} are not on disk since {since:.3}, a restart would forget them; tried again until it works ({why})")
            })
        };
        let latch = owed("halts and trips", self.latch.unwritten());
        let limits = owed("limits that were set", self.limits.unwritten());
        latch.into_iter().chain(limits).chain(self.trail.alarms()).collect()
    }
}
