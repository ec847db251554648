//! Commands about events and alerts: shown to who looks, taken note of by who may tighten, silenced by an officer.

use super::plane::{Controller, refuse};
use super::shortfall::Why;
use crate::audit::{Actor, Entry as Record};
use crate::events::{EventLog, Unchanged};
use crate::protocol::{
    AlertChoice, Changed, EventKind, EventStatus, Refusal, RefusalKind, Reply, Severity, Silence,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events of one answer at most.
const EVENTS_MAX: u32 = 1_000;

/// Alerts named in one command at most.
const IDS_MAX: usize = 1_000;

/// Longest silence, in minutes: a day.
const SILENCE_MINUTES_MAX: u32 = 1_440;

/// Longest scope of a silence, in characters.
const SCOPE_CHARS_MAX: usize = 100;

impl Controller {
    fn told(&self) -> Result<&Arc<EventLog>, Refusal> {
        let message = || "this appliance keeps no events".to_owned();
        self.events.get().ok_or_else(|| Refusal { kind: RefusalKind::NotFound, message: message() })
    }

    pub(super) fn event_status(&self) -> Option<EventStatus> {
        self.events.get().map(|events| events.status())
    }

    /// Alerts that last, by kind and severity.
    pub(super) fn alerts_lasting(&self) -> BTreeMap<(EventKind, Severity), u64> {
        self.events.get().map_or_else(BTreeMap::new, |events| events.lasting())
    }

    pub(super) fn events_after(&self, after: u64, count: u32) -> Result<Reply, Refusal> {
        if !(1..=EVENTS_MAX).contains(&count) {
            let message = format!("count: found {count}, wanted 1 to {EVENTS_MAX}");
            return refuse(RefusalKind::BadRequest, message);
        }
        Ok(Reply::Events(self.told()?.page(after, count as usize)))
    }

    pub(super) fn alerts_list(&self) -> Result<Reply, Refusal> {
        Ok(Reply::Alerts(self.told()?.alerts()))
    }

    pub(super) fn alerts_ack(
        &self,
        actor: &Actor,
        choice: &AlertChoice,
        why: Why<'_>,
    ) -> Result<Reply, Refusal> {
        if let AlertChoice::Ids(ids) = choice
            && !(1..=IDS_MAX).contains(&ids.len())
        {
            let message = format!("found {} numbers of alerts, wanted 1 to {IDS_MAX}", ids.len());
            return refuse(RefusalKind::BadRequest, message);
        }
        let outcome = self.told()?.acknowledge(choice, &actor.user, why.reason);
        let target = match choice {
            AlertChoice::All => "all".to_owned(),
            AlertChoice::Ids(ids) => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let after = json!({ "acknowledged": outcome.as_ref().ok() });
        let record = why.record("alerts.ack", format!("alert:{target}"), Value::Null, after);
        let count = self.kept(actor, record, outcome)?;
        let (noun, changed) = (if count.0 == 1 { "alert" } else { "alerts" }, count.0 > 0);
        let message = format!("{} {noun} acknowledged", count.0);
        Ok(Reply::Changed(Changed::new(message, 0, changed, count.1)))
    }

    pub(super) fn alerts_silence(
        &self,
        actor: &Actor,
        silence: &Silence,
        why: Why<'_>,
    ) -> Result<Reply, Refusal> {
        let scope = silence.scope.as_deref().unwrap_or("any");
        let fits =
            |text: &str| text.chars().count() <= SCOPE_CHARS_MAX && !text.chars().any(char::is_control);
        if silence.minutes > SILENCE_MINUTES_MAX || !fits(scope) {
            let message = format!(
                "found {} minutes and a scope of {} characters, wanted at most {SILENCE_MINUTES_MAX} and {SCOPE_CHARS_MAX}",
                silence.minutes,
                scope.chars().count()
            );
            return refuse(RefusalKind::BadRequest, message);
        }
        let outcome = self.told()?.silence(silence, &actor.user).map(|()| 1);
        let target = format!("alert:{} {scope}", silence.kind);
        let record = why.record("alerts.silence", target, Value::Null, json!({ "minutes": silence.minutes }));
        let (_, seq) = self.kept(actor, record, outcome)?;
        let message = match silence.minutes {
            0 => format!("{} of {scope}: told of again", silence.kind),
            n => format!(
                "{} of {scope}: silenced for {n} min; alerts list shows them all the same",
                silence.kind
            ),
        };
        Ok(Reply::Changed(Changed::new(message, 0, true, seq)))
    }

    /// Records what came of it; what was kept is in force, whatever the audit log's disk says.
    fn kept(
        &self,
        actor: &Actor,
        record: Record,
        outcome: Result<usize, Unchanged>,
    ) -> Result<(usize, u64), Refusal> {
        let mut inner = self.lock();
        match outcome {
            Ok(0) if !self.refusals().may_record(actor.uid, self.now()) => Ok((0, 0)),
            Ok(count) => {
                let written = inner.trail.append_or_owe(self.now(), actor, vec![record]);
                Ok((count, written.unwrap_or(0)))
            }
            Err(why) => {
                let (kind, message) = match why {
                    Unchanged::NoSuch(id) => {
                        (RefusalKind::NotFound, format!("nothing was changed: there is no alert {id}"))
                    }
                    Unchanged::TooMany => (
                        RefusalKind::Policy,
                        "nothing was changed: there are too many silences already".to_owned(),
                    ),
                    Unchanged::Unkept(error) => {
                        (RefusalKind::Failed, format!("nothing was changed: it cannot be kept: {error}"))
                    }
                };
                self.record_refusal(&mut inner, actor, record, &message);
                refuse(kind, message)
            }
        }
    }
}
