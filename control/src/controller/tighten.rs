//! Commands that close: halt, trip. Effect first, then latch on disk, whereupon the words say that they are latched, then record, then
//! the answer.

use super::plane::{Controller, Inner, WordsAhead};
use super::shortfall::{Shortfalls, Times, Why, state_of};
use crate::audit::{Actor, Entry as Record};
use crate::names::Scope;
use crate::protocol::{Changed, Refusal, Reply, TripMode};
use crate::stamp::Stamp;
use crate::state::{Cause, NOT_LASTING};
use serde_json::json;
use types::UnixNanos;

impl Controller {
    pub(super) fn halt(&self, actor: &Actor, why: Why<'_>, received: UnixNanos) -> Result<Reply, Refusal> {
        let (mut inner, ahead) = self.lock_tightening(&Scope::Firm, TripMode::Tripped, &actor.user);
        let now = self.now();
        let before = json!(inner.latch.halt());
        let (episode, changed) =
            inner.latch.set_halt(Cause::Officer, now, &actor.user, why.reason, why.ticket);
        let (times, mut missing) = self.latch(&mut inner, &Scope::Firm, ahead, received, now);
        let after = json!(inner.latch.halt());
        let record = why.record("halt", "firm", before, after);
        let seq = self.record_tightening(&mut inner, actor, now, record, changed, &mut missing);
        let message = match (changed, inner.latch.halt()) {
            (false, Some(halt)) => {
                format!("already halted since {} by {} (episode {episode})", halt.since, halt.by)
            }
            _ => format!("HALTED: every order is refused (episode {episode})"),
        };
        let done = if times.is_in_force() { "halted" } else { "the halt is latched" };
        let done_as = Changed::new(message, episode, changed, seq);
        let reply = Reply::Changed(times.of(done_as, self.clock_now()));
        missing.answer(done, reply)
    }

    pub(super) fn breaker_trip(
        &self,
        actor: &Actor,
        scope: &Scope,
        mode: TripMode,
        why: Why<'_>,
        received: UnixNanos,
    ) -> Result<Reply, Refusal> {
        let (mut inner, ahead) = self.lock_tightening(scope, mode, &actor.user);
        self.known(scope)?;
        self.has_room_for(&inner.latch, &inner.limits, scope)?;
        let now = self.now();
        let before = state_of(&inner, scope);
        let (episode, changed) = inner.latch.trip(scope, why.entry(Cause::Officer, mode, now, &actor.user));
        let (times, mut missing) = self.latch(&mut inner, scope, ahead, received, now);
        let record = why.record("breaker.trip", scope, before, state_of(&inner, scope));
        let seq = self.record_tightening(&mut inner, actor, now, record, changed, &mut missing);
        let effect = match mode {
            TripMode::Tripped => "every order in it is refused",
            TripMode::ReduceOnly => "only orders that reduce a position pass",
        };
        let unnamed = self.not_named_yet(scope).map_or_else(String::new, |said| format!("; {said}"));
        let message = match changed {
            true => format!("{scope} tripped: {effect} (episode {episode}){unnamed}"),
            false => format!("{scope} was tripped before, at least as far (episode {episode})"),
        };
        let done =
            if times.is_in_force() { format!("{scope} is tripped") } else { format!("{scope} is latched") };
        let done_as = Changed::new(message, episode, changed, seq);
        let reply = Reply::Changed(times.of(done_as, self.clock_now()));
        missing.answer(&done, reply)
    }

    /// Records what is in force; what cannot be recorded is owed. Repeating a halt that stands leaves records at a bounded rate.
    fn record_tightening(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        now: Stamp,
        record: Record,
        changed: bool,
        missing: &mut Shortfalls,
    ) -> u64 {
        if !changed && missing.is_empty() && !self.refusals().may_record(actor.uid, now) {
            return 0;
        }
        let record = Record { result: missing.result(changed), ..record };
        let written = inner.trail.append_or_owe(now, actor, vec![record]);
        missing.note(written, "it is not in the audit log").unwrap_or(0)
    }

    /// Brings what is latched for `scope` to disk, and has the gate's words say so: since when they are in force, and which of the two
    /// failed. Whatever the disk says, the words are set: what follows a latch is not kept back by a full disk.
    fn latch(
        &self,
        inner: &mut Inner,
        scope: &Scope,
        ahead: WordsAhead,
        received: UnixNanos,
        now: Stamp,
    ) -> (Times, Shortfalls) {
        let mut missing = Shortfalls::default();
        missing.note(inner.persist_latch(now), &not_lasting("IT"));
        let taken = self.push_breaker(inner, scope);
        let in_force = taken.is_ok().then(|| ahead.since.unwrap_or_else(|| self.clock_now()));
        missing.note(taken, "the gate did not take it");
        (Times::new(received, in_force), missing)
    }
}

/// What a tightening that could not be written says of itself.
pub(super) fn not_lasting(subject: &str) -> String {
    let was = if subject == "IT" { "it" } else { "they" };
    format!("{subject} {NOT_LASTING}, since {was} could not be written")
}
