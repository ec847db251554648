//! Commands that open: resume, reset. Record on disk first, then latch, then effect; and nothing for somebody who no longer waits.

use super::asked::Asked;
use super::plane::{Controller, Inner, refuse};
use super::shortfall::{Why, state_of};
use crate::audit::{Actor, AuditError, Entry as Record};
use crate::backend::BackendError;
use crate::config::TwoPeople;
use crate::names::{Scope, SymbolName};
use crate::protocol::{Changed, Refusal, RefusalKind, Reply};
use crate::roles::Role;
use crate::state::Cause;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Display;

pub(super) fn not_audited(error: &AuditError) -> Refusal {
    let message =
        format!("nothing was changed: the audit log cannot be written, and loosening waits for it: {error}");
    Refusal { kind: RefusalKind::Failed, message }
}

pub(super) fn not_latched(error: &dyn Display) -> Refusal {
    let message =
        format!("nothing was changed: state cannot be written, and loosening waits for it: {error}");
    Refusal { kind: RefusalKind::Failed, message }
}

pub(super) fn not_taken(error: &BackendError) -> Refusal {
    let message = format!("nothing was changed: the gate did not take it: {error}");
    Refusal { kind: RefusalKind::Failed, message }
}

/// Ends what some causes tripped in a scope.
struct Reset<'a> {
    scope: &'a Scope,
    causes: &'a [Cause],
    action: &'static str,
    why: Why<'a>,
}

impl Controller {
    pub(super) fn resume(&self, actor: &Actor, why: Why<'_>, asked: &Asked<'_>) -> Result<Reply, Refusal> {
        let mut inner = self.lock();
        asked.still_wanted()?;
        let now = self.now();
        let Some(halt) = inner.latch.halt().cloned() else {
            let message = "not halted: nothing was changed".to_owned();
            return Ok(Reply::Changed(Changed::new(message, 0, false, 0)));
        };
        let damaged = halt.cause == Cause::Latch;
        let mut record = why.record("resume", "firm", json!(halt), Value::Null);
        if damaged && actor.role < Some(Role::RiskAdmin) {
            let message = format!(
                "nothing was changed: the halt stands because state on disk could not be believed ({}), and only a \
                 risk_admin may end it, who first makes sure which breakers and limits have to be set again",
                halt.reason
            );
            self.record_refusal(&mut inner, actor, record, &message);
            return refuse(RefusalKind::Denied, message);
        }
        self.second_person(TwoPeople::Resume, asked, &record.before)?;
        record.result = "authorised".to_owned();
        let audit_seq = inner.trail.append(now, actor, &record).map_err(|e| not_audited(&e))?;
        let undo = inner.latch.checkpoint();
        inner.latch.clear_halt();
        let mut written = inner.persist_latch(now);
        if damaged && written.is_ok() {
            written = inner.persist_limits(now);
        }
        if let Err(error) = written {
            undo(&mut inner.latch);
            return Err(self.failed(&mut inner, actor, record, not_latched(&error)));
        }
        if let Err(refusal) = asked.still_wanted() {
            undo(&mut inner.latch);
            return Err(self.taken_back(&mut inner, actor, record, refusal));
        }
        if let Err(error) = self.push_breaker(&inner, &Scope::Firm) {
            undo(&mut inner.latch);
            return Err(self.taken_back(&mut inner, actor, record, not_taken(&error)));
        }
        if damaged {
            inner.trail.begin_anchors();
        }
        let stand = match inner.latch.entries().count() {
            0 => String::new(),
            1 => "; 1 tripped breaker stays tripped".to_owned(),
            n => format!("; {n} tripped breakers stay tripped"),
        };
        let message = format!("resumed (episode {} ended){stand}", halt.episode);
        Ok(Reply::Changed(Changed::new(message, halt.episode, true, audit_seq)))
    }

    pub(super) fn breaker_reset(
        &self,
        actor: &Actor,
        scope: &Scope,
        why: Why<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let mut inner = self.lock();
        let standing = |cause: Cause| inner.latch.of(scope).iter().filter(|e| e.cause == cause).count();
        if standing(Cause::Officer) + standing(Cause::Executions) == 0 {
            let hint = match (standing(Cause::Model), scope, inner.latch.halt()) {
                (1.., Scope::Instrument(symbol), _) => {
                    format!(
                        "it is tripped by the model (tier Critical), which `portcullisctl tier reset {symbol}` ends"
                    )
                }
                (_, Scope::Firm, Some(_)) => {
                    "the firm is halted, which `portcullisctl resume` ends".to_owned()
                }
                _ => "its breaker is not tripped".to_owned(),
            };
            self.known(scope)?;
            return refuse(RefusalKind::NotFound, format!("nothing to reset in {scope}: {hint}"));
        }
        let reset =
            Reset { scope, causes: &[Cause::Officer, Cause::Executions], action: "breaker.reset", why };
        self.reset(&mut inner, actor, reset, asked)
    }

    pub(super) fn tier_reset(
        &self,
        actor: &Actor,
        symbol: SymbolName,
        why: Why<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let scope = Scope::Instrument(symbol);
        let mut views = self.backend.instruments(Some(symbol)).into_iter();
        let tightened = views.any(|view| view.tier != types::Tier::Normal);
        let mut inner = self.lock();
        let latched = inner.latch.of(&scope).iter().any(|entry| entry.cause == Cause::Model);
        if !tightened && !latched {
            let message = if self.backend.knows(&scope) {
                format!("nothing to reset in {symbol}: it is in no tier above normal")
            } else {
                format!(
                    "nothing to reset in {symbol}: the feed has not named it, and no breaker of it is tripped"
                )
            };
            return refuse(RefusalKind::NotFound, message);
        }
        let reset = Reset { scope: &scope, causes: &[Cause::Model], action: "tier.reset", why };
        self.reset(&mut inner, actor, reset, asked)
    }

    /// Record, latch, effect.
    fn reset(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        reset: Reset<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let Reset { scope, causes, action, why } = reset;
        asked.still_wanted()?;
        let now = self.now();
        let before = state_of(inner, scope);
        self.second_person(TwoPeople::Reset, asked, &before)?;
        let undo = inner.latch.checkpoint();
        let ended = inner.latch.reset(scope, causes);
        let mut record = why.record(action, scope, before, state_of(inner, scope));
        record.result = "authorised".to_owned();
        let audit_seq = match inner.trail.append(now, actor, &record) {
            Ok(seq) => seq,
            Err(error) => {
                undo(&mut inner.latch);
                return Err(not_audited(&error));
            }
        };
        if let Err(error) = inner.persist_latch(now) {
            undo(&mut inner.latch);
            return Err(self.failed(inner, actor, record, not_latched(&error)));
        }
        if let Err(refusal) = asked.still_wanted() {
            undo(&mut inner.latch);
            return Err(self.taken_back(inner, actor, record, refusal));
        }
        if let Err(error) = self.effect_of_reset(inner, scope, causes) {
            undo(&mut inner.latch);
            return Err(self.taken_back(inner, actor, record, not_taken(&error)));
        }
        let others: BTreeSet<&str> = inner.latch.of(scope).iter().map(|entry| entry.cause.as_str()).collect();
        let still = match others.len() {
            0 => String::new(),
            _ => format!("; still tripped by {}", others.into_iter().collect::<Vec<_>>().join(" and ")),
        };
        let episode = ended.iter().map(|entry| entry.episode).max().unwrap_or(0);
        // A tier below Critical tripped nothing.
        let done = if ended.is_empty() {
            "the model's word is taken back".to_owned()
        } else {
            format!("episode {episode} ended")
        };
        let message = format!("{scope} reset ({done}){still}");
        Ok(Reply::Changed(Changed::new(message, episode, true, audit_seq)))
    }

    fn effect_of_reset(&self, inner: &Inner, scope: &Scope, causes: &[Cause]) -> Result<(), BackendError> {
        if let Scope::Instrument(symbol) = scope
            && causes.contains(&Cause::Model)
            && self.backend.knows(scope)
        {
            self.backend.reset_tier(*symbol)?;
        }
        self.push_breaker(inner, scope)
    }

    /// Brings state that was put back to disk again, since the change was not made after all.
    pub(super) fn taken_back(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        record: Record,
        mut refusal: Refusal,
    ) -> Refusal {
        let now = self.now();
        if let Err(error) = inner.persist_latch(now).and_then(|()| inner.persist_limits(now)) {
            refusal.message.push_str(&format!(
                "; and what was put back could not be written yet, so a restart now would open: {error}"
            ));
        }
        self.failed(inner, actor, record, refusal)
    }

    /// Records that something authorised was not done after all.
    pub(super) fn failed(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        record: Record,
        refusal: Refusal,
    ) -> Refusal {
        let record = Record { result: format!("failed: {}", refusal.message), ..record };
        // What could not be written is owed: the log must not end in an authorisation that led to nothing.
        drop(inner.trail.append_or_owe(self.now(), actor, vec![record]));
        refusal
    }
}
