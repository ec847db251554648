//! An event before it has its place in the journal, and what an audit record is as one.

use crate::audit::{Actor, Entry};
use crate::protocol::{Event, EventKind, Severity};
use crate::stamp::Stamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest text kept, in characters: the reasons of people are shorter.
const TEXT_CHARS_MAX: usize = 600;

/// Longest scope kept, in characters.
const SCOPE_CHARS_MAX: usize = 200;

/// As much of a text as is kept, on one line: a line of a log is an event, and no event is two.
fn line_of(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

/// An event that has no number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft(Event);

impl Draft {
    /// An event of `kind` that concerns `scope`, in words.
    #[must_use]
    pub fn new(at: Stamp, severity: Severity, kind: EventKind, scope: &str, text: &str) -> Self {
        let (text, scope) = (line_of(text, TEXT_CHARS_MAX), line_of(scope, SCOPE_CHARS_MAX));
        let cause = "daemon".to_owned();
        let fields = BTreeMap::new();
        Self(Event { seq: 0, at, severity, kind, scope, cause, text, count: 1, silenced: false, fields })
    }

    /// Who or what caused it.
    #[must_use]
    pub fn by(mut self, cause: &str) -> Self {
        cause.clone_into(&mut self.0.cause);
        self
    }

    /// A field that programs look for.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.fields.insert(name.to_owned(), line_of(&value.to_string(), TEXT_CHARS_MAX));
        self
    }

    /// The same for so many events.
    pub(super) fn standing_for(mut self, count: u64) -> Self {
        self.0.count = count;
        self
    }

    pub(super) const fn event(&self) -> &Event {
        &self.0
    }

    pub(super) fn silenced(&mut self) {
        self.0.silenced = true;
    }

    /// The event of this number.
    pub(super) fn numbered(self, seq: u64) -> Event {
        Event { seq, ..self.0 }
    }
}

/// What happened by an audit record that `actor` left.
pub(crate) fn of_record(at: Stamp, actor: &Actor, entry: &Entry) -> Draft {
    let failed = entry.result.starts_with("failed");
    let refused = entry.result.starts_with("refused");
    let (mut kind, mut severity) = match entry.action {
        _ if refused => (EventKind::Refused, Severity::Notice),
        "halt" => (EventKind::Halt, Severity::Critical),
        "resume" => (EventKind::Halt, Severity::Notice),
        // The model trips what it finds most alarming; a person trips with open eyes.
        "breaker.trip" if actor.user == "model" => (EventKind::Breaker, Severity::Critical),
        "breaker.trip" => (EventKind::Breaker, Severity::Warning),
        // What still trips the scope keeps its alert.
        "breaker.reset" | "tier.reset" if stands(&entry.after) => (EventKind::Breaker, Severity::Warning),
        "breaker.reset" | "tier.reset" => (EventKind::Breaker, Severity::Notice),
        "limits.set" | "lists.reload" => (EventKind::Limits, Severity::Notice),
        "positions.set" => (EventKind::Position, Severity::Notice),
        "start" | "init" | "latch.found" => (EventKind::Daemon, Severity::Notice),
        _ if entry.action.starts_with("proposal") => (EventKind::Proposal, Severity::Notice),
        _ if entry.action.starts_with("alert") => (EventKind::Alert, Severity::Notice),
        _ => (EventKind::Command, Severity::Info),
    };
    if failed && kind == EventKind::Halt && entry.action == "resume" {
        severity = Severity::Critical;
    } else if failed && matches!(entry.action, "breaker.reset" | "tier.reset") {
        severity = Severity::Warning;
    } else if failed && !matches!(kind, EventKind::Halt | EventKind::Breaker) {
        // What is in force and not on disk is an alert of its own.
        (kind, severity) = (EventKind::Failed, Severity::Warning);
    }
    let mut draft = Draft::new(at, severity, kind, &scope_of(entry), &words(actor, entry));
    draft = draft.by(&actor.user).with("action", entry.action).with("result", &entry.result);
    if !entry.reason.is_empty() {
        draft = draft.with("reason", &entry.reason);
    }
    if !entry.ticket.is_empty() {
        draft = draft.with("ticket", &entry.ticket);
    }
    draft
}

/// Whether anything is latched still by what a record says of a scope afterwards.
fn stands(after: &Value) -> bool {
    after.as_array().is_some_and(|entries| !entries.is_empty())
}

fn scope_of(entry: &Entry) -> String {
    match entry.action {
        "limits.set" => format!("instrument:{}", entry.target),
        "attach" => format!("client:{}", entry.target),
        "start" | "init" => "daemon".to_owned(),
        _ => entry.target.clone(),
    }
}

fn words(actor: &Actor, entry: &Entry) -> String {
    let role = actor.role.map_or("no role", crate::roles::Role::as_str);
    let reason = if entry.reason.is_empty() { String::new() } else { format!(": {}", entry.reason) };
    let ticket = if entry.ticket.is_empty() { String::new() } else { format!(" ({})", entry.ticket) };
    let result = match entry.result.as_str() {
        "done" | "authorised" => String::new(),
        other => format!("; {other}"),
    };
    format!("{} {} by {} ({role}){reason}{ticket}{result}", entry.action, entry.target, actor.user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::Role;
    use serde_json::json;
    use types::UnixNanos;

    fn draft(user: &str, action: &'static str, after: Value, result: &str) -> Event {
        let actor = Actor { uid: 1, gid: 1, pid: 1, user: user.to_owned(), role: Some(Role::RiskOfficer) };
        let entry = Entry {
            action,
            target: "instrument:AAPL".to_owned(),
            before: Value::Null,
            after,
            reason: "news\npending".to_owned(),
            ticket: "INC-1".to_owned(),
            result: result.to_owned(),
        };
        of_record(Stamp(UnixNanos(1)), &actor, &entry).numbered(1)
    }

    #[test]
    fn records_raise_and_end_what_their_effect_was() {
        let cases = [
            ("model", "breaker.trip", json!([1]), "done", EventKind::Breaker, Severity::Critical),
            ("anna", "breaker.trip", json!([1]), "done", EventKind::Breaker, Severity::Warning),
            // In force although the disk refused: the alert is raised all the same.
            ("anna", "breaker.trip", json!([1]), "failed: disk full", EventKind::Breaker, Severity::Warning),
            ("anna", "breaker.trip", json!(null), "refused: no", EventKind::Refused, Severity::Notice),
            ("anna", "breaker.reset", json!([]), "authorised", EventKind::Breaker, Severity::Notice),
            ("anna", "breaker.reset", json!([1]), "authorised", EventKind::Breaker, Severity::Warning),
            ("anna", "tier.reset", json!([]), "failed: gate", EventKind::Breaker, Severity::Warning),
            ("anna", "halt", json!({}), "failed: disk full", EventKind::Halt, Severity::Critical),
            ("anna", "resume", json!(null), "authorised", EventKind::Halt, Severity::Notice),
            ("anna", "resume", json!(null), "failed: hung up", EventKind::Halt, Severity::Critical),
            ("anna", "limits.set", json!({}), "failed: disk full", EventKind::Failed, Severity::Warning),
            ("anna", "attach", json!(null), "done", EventKind::Command, Severity::Info),
        ];
        for (user, action, after, result, kind, severity) in cases {
            let event = draft(user, action, after, result);
            assert_eq!((event.kind, event.severity), (kind, severity), "{user} {action} {result}");
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_was_said() {
        let event = draft("anna", "halt", json!({}), "done");
        assert_eq!(event.text, "halt instrument:AAPL by anna (risk_officer): news pending (INC-1)");
        assert_eq!(event.fields["ticket"], "INC-1");
        let long =
            Draft::new(Stamp::default(), Severity::Info, EventKind::Said, "daemon", &"x".repeat(9_999));
        assert_eq!(long.event().text.len(), TEXT_CHARS_MAX);
    }
}
