//! What the appliance trips by itself: the model entering Critical, and executions that are repeated. Same order as for people: effect, latch on disk, record.

use super::plane::Controller;
use super::shortfall::{Shortfalls, state_of};
use super::system::system_actor;
use super::tighten::not_lasting;
use crate::audit::{Actor, Entry as Record};
use crate::names::{Name, Scope, SymbolName};
use crate::protocol::{Refusal, TripMode};
use crate::state::{Cause, Entry};

/// Longest reason kept, in characters: what a person may write, too.
const DETAIL_CHARS_MAX: usize = 500;

impl Controller {
    /// Trips the breakers of instruments that the model has taken to Critical, each with what alarmed it. The appliance
    /// calls this from a thread that may wait for the disk; the gate already refuses the instruments by their tier. A
    /// crash of the whole market is one call: one latch write, one write of the audit log. An instrument that is tripped
    /// already is passed over. Returns how many were tripped anew.
    ///
    /// # Errors
    /// [`Refusal`], when some are not latched, not in force or not recorded. What is owed to the disk is tried again by
    /// [`Controller::keep`].
    pub fn trip_by_model(&self, trips: &[(SymbolName, String)]) -> Result<usize, Refusal> {
        let trips: Vec<_> =
            trips.iter().map(|(symbol, why)| (Scope::Instrument(*symbol), why.clone())).collect();
        self.trip_by(Cause::Model, TripMode::Tripped, &trips, "the model")
    }

    /// Lets strategies only reduce whose orders were executed on one side too often in a row, each with a reason: their gates
    /// already do. As [`Controller::trip_by_model`]; `breaker reset` ends it.
    ///
    /// # Errors
    /// As there.
    pub fn trip_by_executions(&self, trips: &[(Name, String)]) -> Result<usize, Refusal> {
        let trips: Vec<_> =
            trips.iter().map(|(name, why)| (Scope::Strategy(name.clone()), why.clone())).collect();
        self.trip_by(Cause::Executions, TripMode::ReduceOnly, &trips, "repeated executions")
    }

    fn trip_by(
        &self,
        cause: Cause,
        mode: TripMode,
        trips: &[(Scope, String)],
        what: &str,
    ) -> Result<usize, Refusal> {
        let actor = Actor { user: cause.as_str().to_owned(), ..system_actor(self.own_uid) };
        let now = self.now();
        let mut inner = self.lock();
        let mut fresh = Vec::new();
        for (scope, detail) in trips {
            let reason: String = detail.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
            let (by, ticket) = (actor.user.clone(), String::new());
            let entry = Entry { episode: 0, mode, cause, since: now, by, reason: reason.clone(), ticket };
            let before = state_of(&inner, scope);
            if inner.latch.trip(scope, entry).1 {
                fresh.push((scope.clone(), before, reason));
            }
        }
        if fresh.is_empty() {
            return Ok(0);
        }
        let mut missing = Shortfalls::default();
        for (scope, _, _) in &fresh {
            missing.note(self.push_breaker(&inner, scope), "the gate did not take it");
        }
        missing.note(inner.persist_latch(now), &not_lasting("IT"));
        let count = fresh.len();
        let result = missing.result(true);
        let record = |(scope, before, reason): (Scope, _, _)| Record {
            action: "breaker.trip",
            target: scope.to_string(),
            before,
            after: state_of(&inner, &scope),
            reason,
            ticket: String::new(),
            result: result.clone(),
        };
        let records: Vec<Record> = fresh.into_iter().map(record).collect();
        missing.note(inner.trail.append_or_owe(now, &actor, records), "it is not in the audit log");
        let noun = if count == 1 { "breaker" } else { "breakers" };
        missing.answer(&format!("{count} {noun} tripped by {what}"), count)
    }
}
