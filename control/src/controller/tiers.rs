//! The tiers that outlive the daemon: their file, and what the audit log knows of them.

use super::keep::entry;
use super::plane::Controller;
use super::system::system_actor;
use crate::events::Lasting;
use crate::names::Scope;
use crate::protocol::{EventKind, Severity};
use crate::state::{SealError, TierBook};
use types::{Tier, UnixNanos};

impl Controller {
    /// The tiers in which the daemon before this one ended, and what is to be said of them where their file is not whole, or is looser
    /// than the audit log.
    #[must_use]
    pub fn tiers(&self) -> (TierBook, Option<String>) {
        self.tiers.clone()
    }

    /// Brings the tiers of `book` to disk: what rises into the audit log first, so that no older file is believed. With
    /// `fallen`, when the daemon ends or a person has reset a tier, the log is brought down to what is.
    ///
    /// # Errors
    /// [`SealError`]; it is tried again with the next call. A record that cannot be written is owed.
    pub fn keep_tiers(&self, book: &mut TierBook, now: UnixNanos, fallen: bool) -> Result<(), SealError> {
        let records: Vec<_> = book
            .records_due(now, fallen)
            .into_iter()
            .map(|after| entry("tiers", "firm", after, "done"))
            .collect();
        if !records.is_empty() {
            let mut inner = self.lock();
            // It shows among the alarms, and is tried again.
            drop(inner.trail.append_or_owe_untold(
                crate::stamp::Stamp(now),
                &system_actor(self.own_uid),
                records,
            ));
        }
        book.keep(now)
    }

    /// What lasts and the tiers that instruments begin in; whether every other one begins in Normal.
    pub(super) fn with_tiers(&self, lasting: &Lasting) -> (bool, Lasting) {
        let (otherwise, named) = self.tiers.0.begun();
        let mut lasting = lasting.clone();
        for (symbol, tier) in named {
            let severity = if tier == Tier::Critical { Severity::Critical } else { Severity::Warning };
            let scope = Scope::Instrument(symbol).to_string();
            lasting.insert(
                (EventKind::Tier, scope),
                (severity, format!("tier {tier}, kept from the run before")),
            );
        }
        (otherwise == Tier::Normal, lasting)
    }
}
