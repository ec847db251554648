//! What a tightening says of itself: when it was in force, when on disk, and what kept it from being whole.

use super::plane::{Inner, refuse};
use crate::audit::Entry as Record;
use crate::names::Scope;
use crate::protocol::{Changed, Reason, Refusal, RefusalKind, Ticket, TripMode};
use crate::stamp::Stamp;
use crate::state::{Cause, Entry};
use serde_json::{Value, json};
use std::fmt::Display;
use types::UnixNanos;

/// Why somebody changes something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Why<'a> {
    pub(super) reason: &'a str,
    pub(super) ticket: &'a str,
}

impl<'a> Why<'a> {
    pub(super) fn new(reason: &'a Reason, ticket: Option<&'a Ticket>) -> Self {
        Self { reason: reason.as_str(), ticket: ticket.map_or("", Ticket::as_str) }
    }

    pub(super) fn optional(reason: Option<&'a Reason>, ticket: Option<&'a Ticket>) -> Self {
        Self { reason: reason.map_or("", Reason::as_str), ticket: ticket.map_or("", Ticket::as_str) }
    }

    pub(super) fn record(
        &self,
        action: &'static str,
        target: impl Display,
        before: Value,
        after: Value,
    ) -> Record {
        let (reason, ticket) = (self.reason.to_owned(), self.ticket.to_owned());
        let (target, result) = (target.to_string(), "done".to_owned());
        Record { action, target, before, after, reason, ticket, result }
    }

    pub(super) fn entry(&self, cause: Cause, mode: TripMode, since: Stamp, by: &str) -> Entry {
        let (reason, ticket) = (self.reason.to_owned(), self.ticket.to_owned());
        Entry { episode: 0, mode, cause, since, by: by.to_owned(), reason, ticket }
    }
}

/// What kept a tightening from being whole; empty when it is.
#[derive(Default)]
pub(super) struct Shortfalls(Vec<String>);

impl Shortfalls {
    pub(super) fn note<T, E: Display>(&mut self, outcome: Result<T, E>, consequence: &str) -> Option<T> {
        outcome.map_err(|error| self.0.push(format!("{consequence}: {error}"))).ok()
    }

    /// The answer: what was done, or an error that says what was done and what was not.
    pub(super) fn answer<T>(self, done: &str, reply: T) -> Result<T, Refusal> {
        if self.0.is_empty() {
            return Ok(reply);
        }
        refuse(
            RefusalKind::Failed,
            format!("{done}, BUT {}; this is tried again until it works", self.0.join("; and ")),
        )
    }

    /// The same of what is tried again by whoever asked alone.
    pub(super) fn answer_once<T>(self, done: &str, reply: T) -> Result<T, Refusal> {
        if self.0.is_empty() {
            return Ok(reply);
        }
        let message = format!("{done}, BUT {}; ask for it again", self.0.join("; and "));
        refuse(RefusalKind::Failed, message)
    }

    /// What the record says came of it.
    pub(super) fn result(&self, changed: bool) -> String {
        match (self.0.is_empty(), changed) {
            (true, true) => "done".to_owned(),
            (true, false) => "unchanged".to_owned(),
            (false, _) => format!("failed: {}", self.0.join("; ")),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// When a tightening came in and when it was in force.
pub(super) struct Times {
    received: UnixNanos,
    effective: Option<UnixNanos>,
}

impl Times {
    pub(super) const fn new(received: UnixNanos, effective: Option<UnixNanos>) -> Self {
        Self { received, effective }
    }

    /// Whether the gate has it.
    pub(super) const fn is_in_force(&self) -> bool {
        self.effective.is_some()
    }

    /// The answer with its times; `now` is when everything has reached the disk.
    pub(super) fn of(&self, changed: Changed, now: UnixNanos) -> Changed {
        let after = |at: UnixNanos| Stamp(self.received).micros_until(Stamp(at));
        let (effective_after_us, durable_after_us) = (self.effective.map(after), Some(after(now)));
        Changed { effective_after_us, durable_after_us, ..changed }
    }
}

/// Everything latched for a scope, as audit records show it.
pub(super) fn state_of(inner: &Inner, scope: &Scope) -> Value {
    json!(inner.latch.of(scope))
}
