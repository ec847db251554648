//! What the appliance trips by itself: the model entering Critical, watchdogs. Same order as for people: effect, latch on
//! disk, record.

use super::Controller;
use super::change::{NOT_LASTING, Shortfalls, result_of, state_of};
use super::open::system_actor;
use crate::audit::{Actor, Entry as Record};
use crate::names::{Scope, SymbolName};
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
    /// [`Refusal`], when some are not latched, not in force or not recorded; call it again.
    pub fn trip_by_model(&self, trips: &[(SymbolName, String)]) -> Result<usize, Refusal> {
        let trips = trips.iter().map(|(symbol, detail)| (Scope::Instrument(*symbol), detail.as_str()));
        self.trip_automatically(Cause::Model, trips)
    }

    /// Trips a breaker for a watchdog of the appliance. Returns whether it was tripped anew.
    ///
    /// # Errors
    /// [`Refusal`], when it is not latched, not in force or not recorded; call it again.
    pub fn trip_by_watchdog(&self, scope: &Scope, detail: &str) -> Result<bool, Refusal> {
        self.trip_automatically(Cause::Watchdog, [(scope.clone(), detail)].into_iter()).map(|fresh| fresh > 0)
    }

    fn trip_automatically<'a>(
        &self,
        cause: Cause,
        trips: impl Iterator<Item = (Scope, &'a str)>,
    ) -> Result<usize, Refusal> {
        let actor = Actor { user: cause.as_str().to_owned(), ..system_actor(self.own_uid) };
        let now = self.now();
        let mut inner = self.lock();
        let mut fresh = Vec::new();
        for (scope, detail) in trips {
            let reason: String = detail.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
            let (mode, by, ticket) = (TripMode::Tripped, actor.user.clone(), String::new());
            let entry = Entry { episode: 0, mode, cause, since: now, by, reason: reason.clone(), ticket };
            let before = state_of(&inner, &scope);
            if inner.latch.trip(&scope, entry).1 {
                fresh.push((scope, before, reason));
            }
        }
        if fresh.is_empty() && !inner.latch.unwritten() {
            return Ok(0);
        }
        let mut missing = Shortfalls::default();
        for (scope, _, _) in &fresh {
            missing.note(self.push_breaker(&inner, scope), "the gate did not take it");
        }
        missing.note(inner.latch.persist(now), NOT_LASTING);
        let count = fresh.len();
        let result = result_of(true, &missing);
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
        missing.note(inner.audit.append_all(now, &actor, &records), "it is not in the audit log");
        missing.answer(&format!("{count} breaker(s) tripped by the {}", cause.as_str()), count)
    }
}
