//! Commands that change something.

use super::{Controller, Inner, refuse};
use crate::audit::{Actor, AuditError, Entry as Record};
use crate::backend::BackendError;
use crate::limits::LimitKey;
use crate::names::{Scope, SymbolName};
use crate::protocol::{
    Changed, Command, LimitChange, LimitDiff, Reason, Refusal, RefusalKind, Reply, Ticket, TripMode,
};
use crate::roles::Role;
use crate::stamp::Stamp;
use crate::state::{Cause, Entry, SetBy};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Display;
use types::UnixNanos;

/// Why somebody changes something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Why<'a> {
    reason: &'a str,
    ticket: &'a str,
}

impl<'a> Why<'a> {
    pub(super) fn new(reason: &'a Reason, ticket: Option<&'a Ticket>) -> Self {
        Self { reason: reason.as_str(), ticket: ticket.map_or("", Ticket::as_str) }
    }

    pub(super) fn optional(reason: Option<&'a Reason>, ticket: Option<&'a Ticket>) -> Self {
        Self { reason: reason.map_or("", Reason::as_str), ticket: ticket.map_or("", Ticket::as_str) }
    }

    fn record(&self, action: &'static str, target: impl Display, before: Value, after: Value) -> Record {
        let (reason, ticket) = (self.reason.to_owned(), self.ticket.to_owned());
        Record {
            action,
            target: target.to_string(),
            before,
            after,
            reason,
            ticket,
            result: "done".to_owned(),
        }
    }

    fn entry(&self, cause: Cause, mode: TripMode, since: Stamp, by: &str) -> Entry {
        let (reason, ticket) = (self.reason.to_owned(), self.ticket.to_owned());
        Entry { episode: 0, mode, cause, since, by: by.to_owned(), reason, ticket }
    }
}

/// What an audit record calls a command, and what the command is aimed at.
pub(super) fn name_of(command: &Command) -> (&'static str, String) {
    let firm = || "firm".to_owned();
    match command {
        Command::Status => ("status", firm()),
        Command::LimitsShow { .. } => ("limits.show", firm()),
        Command::LimitsSet { symbol, .. } => ("limits.set", symbol.to_string()),
        Command::BreakerList { .. } => ("breaker.list", firm()),
        Command::BreakerTrip { scope, .. } => ("breaker.trip", scope.to_string()),
        Command::BreakerReset { scope, .. } => ("breaker.reset", scope.to_string()),
        Command::Halt { .. } => ("halt", firm()),
        Command::Resume { .. } => ("resume", firm()),
        Command::TierShow { .. } => ("tier.show", firm()),
        Command::TierReset { symbol, .. } => ("tier.reset", symbol.to_string()),
        Command::GateExplain { order } => ("gate.explain", order.symbol.to_string()),
        Command::AuditTail { .. } => ("audit.tail", firm()),
        Command::AuditVerify => ("audit.verify", firm()),
    }
}

/// What a tightening that could not be written says of itself.
pub(super) const NOT_LASTING: &str = "IT WILL NOT SURVIVE A RESTART, since it could not be written";

fn not_audited(error: &AuditError) -> Refusal {
    let message =
        format!("nothing was changed: the audit log cannot be written, and loosening waits for it: {error}");
    Refusal { kind: RefusalKind::Failed, message }
}

fn not_latched(error: &dyn Display) -> Refusal {
    let message =
        format!("nothing was changed: state cannot be written, and loosening waits for it: {error}");
    Refusal { kind: RefusalKind::Failed, message }
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
        refuse(RefusalKind::Failed, format!("{done}, BUT {}", self.0.join("; and ")))
    }
}

/// When a tightening came in and when it was in force.
struct Times {
    received: UnixNanos,
    effective: Option<UnixNanos>,
}

impl Times {
    const fn new(received: UnixNanos, effective: Option<UnixNanos>) -> Self {
        Self { received, effective }
    }

    /// The answer with its times; `now` is when everything has reached the disk.
    fn of(&self, changed: Changed, now: UnixNanos) -> Changed {
        let after = |at: UnixNanos| at.since(self.received).0.div_ceil(1_000);
        let (effective_after_us, durable_after_us) = (self.effective.map(after), Some(after(now)));
        Changed { effective_after_us, durable_after_us, ..changed }
    }
}

impl Controller {
    fn known(&self, scope: &Scope) -> Result<(), Refusal> {
        if self.backend.knows(scope) {
            return Ok(());
        }
        let shown = match scope {
            Scope::Instrument(_) => " (`portcullisctl tier show` lists the instruments)",
            _ => "",
        };
        refuse(
            RefusalKind::NotFound,
            format!("nothing was changed: {scope} is not known to this appliance{shown}"),
        )
    }

    /// Makes the gate's word for `scope` say what is latched. A scope that is gone has no word, and needs none.
    pub(super) fn push_breaker(&self, inner: &Inner, scope: &Scope) -> Result<(), BackendError> {
        match self.set_breaker(scope, inner.latch.breaker(scope)) {
            Err(BackendError::Unknown { .. }) if !self.backend.knows(scope) => Ok(()),
            outcome => outcome,
        }
    }

    pub(super) fn halt(&self, actor: &Actor, why: Why<'_>, received: UnixNanos) -> Result<Reply, Refusal> {
        let (mut inner, ahead) = self.lock_halting();
        let now = self.now();
        let before = json!(inner.latch.halt());
        let (episode, changed) =
            inner.latch.set_halt(Cause::Officer, now, &actor.user, why.reason, why.ticket);
        let taken = self.push_breaker(&inner, &Scope::Firm);
        let in_force = taken.is_ok();
        let early = ahead.and_then(|(_, since)| since);
        let times = Times::new(received, in_force.then(|| early.unwrap_or_else(|| self.clock_now())));
        let mut missing = Shortfalls::default();
        missing.note(inner.latch.persist(now), NOT_LASTING);
        missing.note(taken, "the gate did not take it");
        let after = json!(inner.latch.halt());
        let mut record = why.record("halt", "firm", before, after);
        record.result = result_of(changed, &missing);
        let seq = missing.note(inner.audit.append(now, actor, &record), "it is not in the audit log");
        let message = match (changed, inner.latch.halt()) {
            (false, Some(halt)) => {
                format!("already halted since {} by {} (episode {episode})", halt.since, halt.by)
            }
            _ => format!("HALTED: every order is refused (episode {episode})"),
        };
        let done = if in_force { "halted" } else { "the halt is latched" };
        let done_as = Changed::new(message, episode, changed, seq.unwrap_or(0));
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
        self.known(scope)?;
        let now = self.now();
        let mut inner = self.lock();
        let before = state_of(&inner, scope);
        let (episode, changed) = inner.latch.trip(scope, why.entry(Cause::Officer, mode, now, &actor.user));
        let taken = self.push_breaker(&inner, scope);
        let in_force = taken.is_ok();
        let times = Times::new(received, in_force.then(|| self.clock_now()));
        let mut missing = Shortfalls::default();
        missing.note(inner.latch.persist(now), NOT_LASTING);
        missing.note(taken, "the gate did not take it");
        let mut record = why.record("breaker.trip", scope, before, state_of(&inner, scope));
        record.result = result_of(changed, &missing);
        let seq = missing.note(inner.audit.append(now, actor, &record), "it is not in the audit log");
        let effect = match mode {
            TripMode::Tripped => "every order in it is refused",
            TripMode::ReduceOnly => "only orders that reduce a position pass",
        };
        let message = match changed {
            true => format!("{scope} tripped: {effect} (episode {episode})"),
            false => format!("{scope} was tripped before, at least as far (episode {episode})"),
        };
        let done = if in_force { format!("{scope} is tripped") } else { format!("{scope} is latched") };
        let done_as = Changed::new(message, episode, changed, seq.unwrap_or(0));
        let reply = Reply::Changed(times.of(done_as, self.clock_now()));
        missing.answer(&done, reply)
    }

    pub(super) fn resume(&self, actor: &Actor, why: Why<'_>) -> Result<Reply, Refusal> {
        let now = self.now();
        let mut inner = self.lock();
        let Some(halt) = inner.latch.halt().cloned() else {
            let message = "not halted: nothing was changed".to_owned();
            return Ok(Reply::Changed(Changed::new(message, 0, false, 0)));
        };
        let damaged = halt.cause == Cause::Latch;
        if damaged && actor.role < Some(Role::RiskAdmin) {
            let message = format!(
                "nothing was changed: the halt stands because state on disk was damaged ({}), and only a risk_admin may \
                 end it, who first makes sure which breakers and limits have to be set again",
                halt.reason
            );
            drop(inner);
            self.audit_refusal(actor, "resume", "firm".to_owned(), &message);
            return refuse(RefusalKind::Denied, message);
        }
        let mut record = why.record("resume", "firm", json!(halt), Value::Null);
        record.result = "authorised".to_owned();
        let audit_seq = inner.audit.append(now, actor, &record).map_err(|e| not_audited(&e))?;
        let undo = inner.latch.checkpoint();
        inner.latch.clear_halt();
        let mut written = inner.latch.persist(now);
        if damaged && written.is_ok() {
            written = inner.limits.persist(now);
        }
        if let Err(error) = written {
            undo(&mut inner.latch);
            return Err(self.failed(&mut inner, actor, record, now, not_latched(&error)));
        }
        if let Err(error) = self.push_breaker(&inner, &Scope::Firm) {
            undo(&mut inner.latch);
            return Err(self.taken_back(&mut inner, actor, record, now, &error));
        }
        let left = inner.latch.entries().count();
        let stand =
            if left == 0 { String::new() } else { format!("; {left} tripped breaker(s) stay tripped") };
        let message = format!("resumed (episode {} ended){stand}", halt.episode);
        Ok(Reply::Changed(Changed::new(message, halt.episode, true, audit_seq)))
    }

    pub(super) fn breaker_reset(&self, actor: &Actor, scope: &Scope, why: Why<'_>) -> Result<Reply, Refusal> {
        let mut inner = self.lock();
        let causes = [Cause::Officer, Cause::Watchdog];
        let standing =
            |causes: &[Cause]| inner.latch.of(scope).iter().filter(|e| causes.contains(&e.cause)).count();
        if standing(&causes) == 0 {
            let hint = match (standing(&[Cause::Model]), scope, inner.latch.halt()) {
                (1.., Scope::Instrument(symbol), _) => {
                    format!(
                        "it is tripped by the model (tier Critical), which `portcullisctl tier reset {symbol}` ends"
                    )
                }
                (_, Scope::Firm, Some(_)) => {
                    "the firm is halted, which `portcullisctl resume` ends".to_owned()
                }
                _ => "its breaker is open".to_owned(),
            };
            drop(inner);
            self.known(scope)?;
            return refuse(RefusalKind::NotFound, format!("nothing to reset in {scope}: {hint}"));
        }
        self.reset(&mut inner, actor, scope, &causes, "breaker.reset", why)
    }

    pub(super) fn tier_reset(
        &self,
        actor: &Actor,
        symbol: SymbolName,
        why: Why<'_>,
    ) -> Result<Reply, Refusal> {
        let scope = Scope::Instrument(symbol);
        self.known(&scope)?;
        let critical =
            self.backend.instruments(Some(symbol)).iter().any(|view| view.tier == types::Tier::Critical);
        let mut inner = self.lock();
        let latched = inner.latch.of(&scope).iter().any(|entry| entry.cause == Cause::Model);
        if !critical && !latched {
            let message = format!("nothing to reset in {symbol}: it is not in tier Critical");
            return refuse(RefusalKind::NotFound, message);
        }
        self.reset(&mut inner, actor, &scope, &[Cause::Model], "tier.reset", why)
    }

    /// Ends what `causes` tripped in `scope`: record, latch, effect.
    fn reset(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        scope: &Scope,
        causes: &[Cause],
        action: &'static str,
        why: Why<'_>,
    ) -> Result<Reply, Refusal> {
        let now = self.now();
        let undo = inner.latch.checkpoint();
        let before = state_of(inner, scope);
        let ended = inner.latch.reset(scope, causes);
        let mut record = why.record(action, scope, before, state_of(inner, scope));
        record.result = "authorised".to_owned();
        let audit_seq = match inner.audit.append(now, actor, &record) {
            Ok(seq) => seq,
            Err(error) => {
                undo(&mut inner.latch);
                return Err(not_audited(&error));
            }
        };
        if let Err(error) = inner.latch.persist(now) {
            undo(&mut inner.latch);
            return Err(self.failed(inner, actor, record, now, not_latched(&error)));
        }
        let tier = match scope {
            Scope::Instrument(symbol) if causes.contains(&Cause::Model) => self.backend.reset_tier(*symbol),
            _ => Ok(()),
        };
        if let Err(error) = tier.and_then(|()| self.push_breaker(inner, scope)) {
            undo(&mut inner.latch);
            return Err(self.taken_back(inner, actor, record, now, &error));
        }
        let others: BTreeSet<&str> = inner.latch.of(scope).iter().map(|entry| entry.cause.as_str()).collect();
        let still = match others.len() {
            0 => String::new(),
            _ => format!("; still tripped by {}", others.into_iter().collect::<Vec<_>>().join(" and ")),
        };
        let episode = ended.iter().map(|entry| entry.episode).max().unwrap_or(0);
        let message = format!("{scope} reset (episode {episode} ended){still}");
        Ok(Reply::Changed(Changed::new(message, episode, true, audit_seq)))
    }

    /// Brings state that was put back to disk again, since the gate did not take the change.
    fn taken_back(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        record: Record,
        now: Stamp,
        error: &BackendError,
    ) -> Refusal {
        let mut message = format!("nothing was changed: the gate did not take it: {error}");
        if let Err(error) = inner.latch.persist(now).and_then(|()| inner.limits.persist(now)) {
            message.push_str(&format!(
                "; and what was put back could not be written, so a restart would open: {error}"
            ));
        }
        self.failed(inner, actor, record, now, Refusal { kind: RefusalKind::Failed, message })
    }

    /// Records that something authorised was not done after all.
    fn failed(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        record: Record,
        now: Stamp,
        refusal: Refusal,
    ) -> Refusal {
        let record = Record { result: format!("failed: {}", refusal.message), ..record };
        drop(inner.audit.append(now, actor, &record));
        refusal
    }

    pub(super) fn limits_set(
        &self,
        actor: &Actor,
        symbol: SymbolName,
        changes: &[LimitChange],
        dry_run: bool,
        why: Why<'_>,
    ) -> Result<Reply, Refusal> {
        self.known(&Scope::Instrument(symbol))?;
        let now = self.now();
        let mut inner = self.lock();
        let diffs = match plan_changes(&inner, symbol, changes) {
            Ok(diffs) if dry_run => return Ok(Reply::LimitsChanged(diffs)),
            Ok(diffs) => diffs,
            Err(refusal) if dry_run => return Err(refusal),
            Err(refusal) => {
                drop(inner);
                self.audit_refusal(actor, "limits.set", symbol.to_string(), &refusal.message);
                return Err(refusal);
            }
        };
        let side = |pick: fn(&LimitDiff) -> Value| -> Value {
            diffs.iter().map(|diff| (diff.key.clone(), pick(diff))).collect::<serde_json::Map<_, _>>().into()
        };
        let record = why.record("limits.set", symbol, side(|d| json!(d.before)), side(|d| json!(d.after)));
        let undo = inner.limits.checkpoint();
        for change in changes {
            let set = SetBy { value: change.value, by: actor.user.clone(), at: now };
            inner.limits.set(symbol, change.key, set);
        }
        if diffs.iter().any(|diff| diff.direction == "looser") {
            let authorised = Record { result: "authorised".to_owned(), ..record.clone() };
            if let Err(error) = inner.audit.append(now, actor, &authorised) {
                undo(&mut inner.limits);
                return Err(not_audited(&error));
            }
            if let Err(error) = inner.limits.persist(now) {
                undo(&mut inner.limits);
                return Err(self.failed(&mut inner, actor, record, now, not_latched(&error)));
            }
            if let Err(error) = self.backend.set_limits(symbol, &inner.limits.envelope(symbol)) {
                undo(&mut inner.limits);
                return Err(self.taken_back(&mut inner, actor, record, now, &error));
            }
            return Ok(Reply::LimitsChanged(diffs));
        }
        let mut missing = Shortfalls::default();
        let taken = self.backend.set_limits(symbol, &inner.limits.envelope(symbol));
        missing.note(
            inner.limits.persist(now),
            "THEY WILL NOT SURVIVE A RESTART, since they could not be written",
        );
        missing.note(taken, "the gate did not take them");
        let record = Record { result: result_of(true, &missing), ..record };
        missing.note(inner.audit.append(now, actor, &record), "they are not in the audit log");
        missing.answer(&format!("the limits of {symbol} are set"), Reply::LimitsChanged(diffs))
    }
}

pub(super) fn result_of(changed: bool, missing: &Shortfalls) -> String {
    match (missing.0.is_empty(), changed) {
        (true, true) => "done".to_owned(),
        (true, false) => "unchanged".to_owned(),
        (false, _) => format!("failed: {}", missing.0.join("; ")),
    }
}

/// Everything latched for a scope, as audit records show it.
pub(super) fn state_of(inner: &Inner, scope: &Scope) -> Value {
    json!(inner.latch.of(scope))
}

/// Checks changes of one instrument's limits and says what each would do.
fn plan_changes(
    inner: &Inner,
    symbol: SymbolName,
    changes: &[LimitChange],
) -> Result<Vec<LimitDiff>, Refusal> {
    let distinct: BTreeSet<LimitKey> = changes.iter().map(|change| change.key).collect();
    if changes.is_empty() || distinct.len() < changes.len() {
        let message = "nothing was changed: at least one limit is wanted, each at most once".to_owned();
        return refuse(RefusalKind::BadRequest, message);
    }
    let envelope = inner.limits.approved(symbol);
    let mut diffs = Vec::new();
    for LimitChange { key, value } in changes {
        let (key, value) = (*key, *value);
        let within = inner.limits.within_cap(symbol, key, value).map_err(|range| Refusal {
            kind: RefusalKind::BadRequest,
            message: format!("nothing was changed: {key}: found {value}, wanted {range}"),
        })?;
        if !within {
            let message = format!(
                "nothing was changed: {key} {value} of {symbol} is looser than the approved cap of {} {}; the cap is \
                 changed in the configuration, by whoever approves it",
                key.of(envelope.cap()),
                key.unit()
            );
            return refuse(RefusalKind::Policy, message);
        }
        let before = key.of(envelope.base());
        let parameter = key.parameter();
        let tighter = |a, b| match (key.to_gate(a), key.to_gate(b)) {
            (Ok(a), Ok(b)) => parameter.at_least_as_tight(a, b),
            _ => false,
        };
        let direction = match (tighter(value, before), tighter(before, value)) {
            (true, true) => "same",
            (true, false) => "tighter",
            _ => "looser",
        };
        let (key, unit) = (key.to_string(), key.unit().to_owned());
        diffs.push(LimitDiff { symbol, key, unit, before, after: value, direction: direction.to_owned() });
    }
    Ok(diffs)
}
