//! Setting limits: tighter ones take effect like a trip, at once and ahead of the lock; looser ones wait for record and disk.

use super::asked::Asked;
use super::loosen::{not_audited, not_latched, not_taken};
use super::plane::{Controller, Inner, refuse};
use super::shortfall::{Shortfalls, Why};
use super::tighten::not_lasting;
use crate::audit::{Actor, Entry as Record};
use crate::backend::BackendError;
use crate::config::TwoPeople;
use crate::limits::LimitKey;
use crate::names::{Scope, SymbolName};
use crate::protocol::{LimitChange, LimitDiff, Refusal, RefusalKind, Reply};
use crate::state::{LimitsInForce, SetBy};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One `limits set`.
pub(super) struct Setting<'a> {
    pub(super) symbol: SymbolName,
    pub(super) changes: &'a [LimitChange],
    pub(super) dry_run: bool,
    pub(super) why: Why<'a>,
}

impl Controller {
    pub(super) fn limits_set(
        &self,
        actor: &Actor,
        setting: &Setting<'_>,
        asked: &Asked<'_>,
    ) -> Result<Reply, Refusal> {
        let Setting { symbol, changes, dry_run, why } = setting;
        let scope = Scope::Instrument(*symbol);
        let shown = self.shown();
        self.known(&scope)?;
        self.has_room_for(&shown.latch, &shown.limits, &scope)?;
        let planned = plan_changes(&shown.limits, *symbol, changes);
        if *dry_run {
            return planned.map(|diffs| self.limits_changed(*symbol, diffs));
        }
        // Tighter ones are in force before anybody else's disk is waited for, and whether or not somebody still waits for them.
        let lowers = planned.is_ok_and(|diffs| !loosens(&diffs));
        let lowered = lowers
            .then(|| self.limits_ahead.go_ahead(self.backend.as_ref(), *symbol, changes, &shown.limits));
        let mut inner = self.lock();
        let diffs = match plan_changes(&inner.limits, *symbol, changes) {
            Ok(diffs) => diffs,
            Err(refusal) => {
                let record = why.record("limits.set", symbol, Value::Null, wanted(changes));
                self.record_refusal(&mut inner, actor, record, &refusal.message);
                return Err(refusal);
            }
        };
        let now = self.now();
        let side = |pick: fn(&LimitDiff) -> Value| -> Value {
            diffs.iter().map(|diff| (diff.key.clone(), pick(diff))).collect::<serde_json::Map<_, _>>().into()
        };
        let record = why.record("limits.set", symbol, side(|d| json!(d.before)), side(|d| json!(d.after)));
        let loosens = loosens(&diffs);
        if loosens {
            asked.still_wanted()?;
            self.second_person(TwoPeople::Limits, asked, &standing(&inner.limits, *symbol, changes))?;
        }
        let undo = inner.limits.checkpoint();
        for change in *changes {
            let set = SetBy { value: change.value, by: actor.user.clone(), at: now };
            inner.limits.set(*symbol, change.key, set);
        }
        if loosens {
            let outcome = self.loosen_limits(&mut inner, actor, *symbol, record, asked, undo);
            return outcome.map(|()| self.limits_changed(*symbol, diffs));
        }
        let mut missing = Shortfalls::default();
        let taken = self.push_limits(&inner, *symbol);
        drop(lowered);
        missing.note(inner.persist_limits(now), &not_lasting("THEY"));
        missing.note(taken, "the gate did not take them");
        let record = Record { result: missing.result(true), ..record };
        missing.note(inner.trail.append_or_owe(now, actor, vec![record]), "they are not in the audit log");
        missing.answer(&format!("the limits of {symbol} are set"), self.limits_changed(*symbol, diffs))
    }

    /// The answer; it says of an instrument that the feed has not named that it may be a slip of the keyboard.
    fn limits_changed(&self, symbol: SymbolName, mut diffs: Vec<LimitDiff>) -> Reply {
        if let Some(said) = self.not_named_yet(&Scope::Instrument(symbol)) {
            diffs.iter_mut().for_each(|diff| diff.note.clone_from(&said));
        }
        Reply::LimitsChanged(diffs)
    }

    /// Record, disk, effect; what was set is taken back by `undo` when one of them fails.
    fn loosen_limits(
        &self,
        inner: &mut Inner,
        actor: &Actor,
        symbol: SymbolName,
        record: Record,
        asked: &Asked<'_>,
        undo: impl FnOnce(&mut crate::state::LimitBook),
    ) -> Result<(), Refusal> {
        let now = self.now();
        let authorised = Record { result: "authorised".to_owned(), ..record.clone() };
        if let Err(error) = inner.trail.append(now, actor, &authorised) {
            undo(&mut inner.limits);
            return Err(not_audited(&error));
        }
        if let Err(error) = inner.persist_limits(now) {
            undo(&mut inner.limits);
            return Err(self.failed(inner, actor, record, not_latched(&error)));
        }
        if let Err(refusal) = asked.still_wanted() {
            undo(&mut inner.limits);
            return Err(self.taken_back(inner, actor, record, refusal));
        }
        if let Err(error) = self.push_limits(inner, symbol) {
            undo(&mut inner.limits);
            return Err(self.taken_back(inner, actor, record, not_taken(&error)));
        }
        Ok(())
    }

    /// Puts the limits of an instrument in force; one that the feed has not named gets them when it does.
    pub(super) fn push_limits(&self, inner: &Inner, symbol: SymbolName) -> Result<(), BackendError> {
        match self.limits_ahead.set(self.backend.as_ref(), symbol, inner.limits.shared()) {
            Err(BackendError::Unknown { .. }) if !self.backend.knows(&Scope::Instrument(symbol)) => Ok(()),
            outcome => outcome,
        }
    }
}

fn loosens(diffs: &[LimitDiff]) -> bool {
    diffs.iter().any(|diff| diff.direction == "looser")
}

/// What stands of what is to be changed, by whose word and since when: a limit that was changed and changed back is another.
fn standing(limits: &LimitsInForce, symbol: SymbolName, changes: &[LimitChange]) -> Value {
    let envelope = limits.approved(symbol);
    let of = |key: LimitKey| json!({ "base": key.of(envelope.base()), "set": limits.set_by(symbol, key) });
    changes
        .iter()
        .map(|change| (change.key.to_string(), of(change.key)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What somebody wanted, for the record of a refusal.
fn wanted(changes: &[LimitChange]) -> Value {
    changes
        .iter()
        .map(|change| (change.key.to_string(), json!(change.value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Checks changes of one instrument's limits and says what each would do.
fn plan_changes(
    limits: &LimitsInForce,
    symbol: SymbolName,
    changes: &[LimitChange],
) -> Result<Vec<LimitDiff>, Refusal> {
    let distinct: BTreeSet<LimitKey> = changes.iter().map(|change| change.key).collect();
    if changes.is_empty() || distinct.len() < changes.len() {
        let message = "nothing was changed: at least one limit is wanted, each at most once".to_owned();
        return refuse(RefusalKind::BadRequest, message);
    }
    let envelope = limits.approved(symbol);
    let mut diffs = Vec::new();
    for LimitChange { key, value } in changes {
        let (key, value) = (*key, *value);
        let within = limits.within_cap(symbol, key, value).map_err(|range| Refusal {
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
        diffs.push(LimitDiff {
            symbol,
            key,
            unit,
            before,
            after: value,
            direction: direction.to_owned(),
            note: String::new(),
        });
    }
    Ok(diffs)
}
