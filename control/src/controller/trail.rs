//! The audit log as the control plane writes it: what could not be written of a tightening is owed, and written first when the
//! disk is back.

use crate::audit::{Actor, Anchor, AnchorFile, AuditError, AuditLog, Entry};
use crate::events::{EventLog, of_record};
use crate::stamp::Stamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// Records owed at most; a crash of a whole market is one per instrument.
const OWED_MAX: usize = 65_536;

/// Records that belong together and are not in the log yet.
#[derive(Debug)]
struct Owed {
    at: Stamp,
    actor: Actor,
    entries: Vec<Entry>,
}

/// The log, what it is owed, and its anchors.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) log: AuditLog,
    anchors: AnchorFile,
    owed: VecDeque<Owed>,
    /// Owed records for which there was no more room.
    lost: u64,
    /// Why and since when the newest attempt failed.
    failing: Option<(Stamp, String)>,
    anchor_failing: Option<String>,
    /// Who hears of every record.
    told: Option<Arc<EventLog>>,
}

impl Trail {
    pub(super) const fn new(log: AuditLog, anchors: AnchorFile) -> Self {
        Self { log, anchors, owed: VecDeque::new(), lost: 0, failing: None, anchor_failing: None, told: None }
    }

    /// Tells `events` of every record from now on, whether or not the disk takes it.
    pub(super) fn tell(&mut self, events: Arc<EventLog>) {
        self.told = Some(events);
    }

    fn tell_of(&self, now: Stamp, actor: &Actor, entries: &[Entry]) {
        if let Some(events) = &self.told {
            entries.iter().for_each(|entry| events.tell(of_record(now, actor, entry)));
        }
    }

    /// Appends one record after all that is owed; returns its sequence number.
    ///
    /// # Errors
    /// [`AuditError`]; the record is not in the log.
    pub(super) fn append(&mut self, now: Stamp, actor: &Actor, entry: &Entry) -> Result<u64, AuditError> {
        let written = self.append_all(now, actor, std::slice::from_ref(entry))?;
        self.tell_of(now, actor, std::slice::from_ref(entry));
        Ok(written)
    }

    fn append_all(&mut self, now: Stamp, actor: &Actor, entries: &[Entry]) -> Result<u64, AuditError> {
        let written = self.write_owed().and_then(|()| self.log.append_all(now, actor, entries));
        match &written {
            Ok(_) => self.failing = None,
            Err(error) => self.note(now, error),
        }
        written
    }

    /// Appends records of what is in force whether or not they can be written: those that cannot are owed.
    ///
    /// # Errors
    /// [`AuditError`], of the attempt.
    pub(super) fn append_or_owe(
        &mut self,
        now: Stamp,
        actor: &Actor,
        entries: Vec<Entry>,
    ) -> Result<u64, AuditError> {
        // It is in force: whoever is to be told waits for no disk.
        self.tell_of(now, actor, &entries);
        self.append_or_owe_untold(now, actor, entries)
    }

    /// The same for records of what is told in another way.
    ///
    /// # Errors
    /// [`AuditError`], of the attempt.
    pub(super) fn append_or_owe_untold(
        &mut self,
        now: Stamp,
        actor: &Actor,
        mut entries: Vec<Entry>,
    ) -> Result<u64, AuditError> {
        let written = self.append_all(now, actor, &entries);
        if written.is_err() {
            if self.owed_records() + entries.len() > OWED_MAX {
                self.lost += entries.len() as u64;
            } else {
                entries.iter_mut().for_each(|entry| {
                    entry.result.push_str("; recorded later, the log could not be written");
                });
                self.owed.push_back(Owed { at: now, actor: actor.clone(), entries });
            }
        }
        written
    }

    /// Writes what is owed, oldest first.
    ///
    /// # Errors
    /// [`AuditError`] of the first that cannot be written; it and all after it stay owed.
    fn write_owed(&mut self) -> Result<(), AuditError> {
        while let Some(Owed { at, actor, entries }) = self.owed.front() {
            self.log.append_all(*at, actor, entries)?;
            self.owed.pop_front();
        }
        Ok(())
    }

    /// Tries again what is owed; whether that settled it.
    pub(super) fn retry(&mut self, now: Stamp) -> bool {
        if self.owed.is_empty() {
            return false;
        }
        match self.write_owed() {
            Ok(()) => self.failing = None,
            Err(error) => self.note(now, &error),
        }
        self.owed.is_empty()
    }

    fn note(&mut self, now: Stamp, error: &AuditError) {
        let since = self.failing.as_ref().map_or(now, |(since, _)| *since);
        self.failing = Some((since, error.to_string()));
    }

    fn owed_records(&self) -> usize {
        self.owed.iter().map(|owed| owed.entries.len()).sum()
    }

    /// What is wrong, for `status`.
    pub(super) fn alarms(&self) -> impl Iterator<Item = String> {
        let owed = self.owed_records();
        let failing = self.failing.as_ref().map(|(since, why)| {
            let missing = match owed {
                0 => String::new(),
                n => format!("{n} record(s) of what is in force are not in it; "),
            };
            format!(
                "the audit log cannot be written since {since:.3}: {missing}nothing can be loosened ({why})"
            )
        });
        let lost = (self.lost > 0).then(|| {
            format!("{} record(s) of the audit log are lost: the disk was full for too long", self.lost)
        });
        let anchor = self
            .anchor_failing
            .as_ref()
            .map(|why| format!("the head of the audit log is not anchored: {why}"));
        failing.into_iter().chain(lost).chain(anchor)
    }

    /// Anchors the head when it is time; what to say of it in the daemon's log: a failure once, not at each attempt.
    pub(super) fn anchor_when_due(&mut self, now: Stamp) -> Option<String> {
        let failing = self.anchor_failing.is_some();
        let said = self.anchors.is_due(self.log.records(), now).then(|| self.anchor(now));
        said.filter(|_| !failing || self.anchor_failing.is_none())
    }

    /// The next anchor may be the first of its file.
    pub(super) const fn begin_anchors(&mut self) {
        self.anchors.begin();
    }

    /// Anchors the head; what to say of it.
    pub(super) fn anchor(&mut self, now: Stamp) -> String {
        let records = self.log.records();
        let anchor = Anchor { at: now, seq: records, head: self.log.head().to_owned() };
        match self.anchors.note(&anchor, self.log.key()) {
            Ok(()) => {
                self.anchor_failing = None;
                format!("audit: {records} records, head {}", anchor.head)
            }
            Err(error) => {
                self.anchor_failing = Some(error.to_string());
                format!("warning: the head of the audit log is not anchored: {error}")
            }
        }
    }
}
