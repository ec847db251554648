//! Housekeeping: what is owed to the disk is tried again until it is there, the head of the audit log is anchored, refusals that
//! have no record of their own are named in one.

use super::plane::{Controller, Inner};
use super::system::system_actor;
use crate::audit::Entry;
use crate::stamp::Stamp;
use crate::state::Unwritten;
use serde_json::{Value, json};
use types::UnixNanos;

/// How often this looks: how long after an attempt that failed the next one comes.
const RETRY_NS: u64 = 500_000_000;

impl Controller {
    /// Does what is due; the appliance calls this every few milliseconds from a thread that may wait for the disk. What it
    /// returns is for the daemon's log.
    pub fn keep(&self) -> Vec<String> {
        let now = self.now();
        let mut said = Vec::new();
        // A command that is at the disk has the lock; what is due waits for the next call.
        let Some(mut inner) = self.try_lock() else { return said };
        if now.0 >= inner.retried && now.0.since(inner.retried).0 < RETRY_NS {
            return said;
        }
        inner.retried = now.0;
        self.retry(&mut inner, now, &mut said);
        said.extend(inner.trail.anchor_when_due(now));
        let unrecorded = self.refusals().summary(now);
        if let Some(unrecorded) = unrecorded {
            let entry = entry(
                "refusals",
                "control",
                json!({ "unrecorded": unrecorded }),
                "refused: too many to record each",
            );
            drop(inner.trail.append(now, &system_actor(self.own_uid), &entry));
        }
        said
    }

    fn retry(&self, inner: &mut Inner, now: Stamp, said: &mut Vec<String>) {
        if inner.trail.retry(now) {
            said.push("the audit log can be written again, and what was owed to it is in it".to_owned());
        }
        let owed = |unwritten: Option<&Unwritten>| unwritten.map(|unwritten| unwritten.since);
        if let Some(since) = owed(inner.latch.unwritten())
            && inner.persist_latch(now).is_ok()
        {
            said.push(self.written(inner, now, "latch.write", "halts and trips", since));
        }
        if let Some(since) = owed(inner.limits.unwritten())
            && inner.persist_limits(now).is_ok()
        {
            said.push(self.written(inner, now, "limits.write", "limits", since));
        }
    }

    /// Records that something is on disk after all.
    fn written(
        &self,
        inner: &mut Inner,
        now: Stamp,
        action: &'static str,
        what: &str,
        since: Stamp,
    ) -> String {
        let entry = entry(action, "firm", json!({ "unwritten_since": since }), "done");
        drop(inner.trail.append_or_owe(now, &system_actor(self.own_uid), vec![entry]));
        format!("{what} are on disk again, which they were not since {since:.3}")
    }

    /// Anchors the head of the audit log now, as at the end of the daemon; what to say of it in its log.
    pub fn anchor(&self) -> String {
        let now = self.now();
        let mut inner = self.lock();
        self.record_refused(&mut inner);
        inner.trail.anchor(now)
    }
}

/// A record of the daemon's own.
pub(super) fn entry(action: &'static str, target: &str, after: Value, result: &str) -> Entry {
    let (target, result) = (target.to_owned(), result.to_owned());
    Entry { action, target, before: Value::Null, after, reason: String::new(), ticket: String::new(), result }
}

/// A moment long ago, so that the first call finds everything due.
pub(super) const NEVER: UnixNanos = UnixNanos(0);
