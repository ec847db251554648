//! Instruments that nobody has named, neither the feed nor the configuration: how many of them may be tripped or limited. Each stands in a
//! file that is written whole with every trip, and a slip of the keyboard, or a script with the wrong list, is not to slow down
//! everybody else's.

use super::plane::{Controller, refuse};
use crate::names::{Scope, SymbolName};
use crate::protocol::{Refusal, RefusalKind};
use crate::stamp::Stamp;
use crate::state::{Cause, Latches, LimitsInForce};
use std::collections::BTreeMap;

/// That persons may trip or limit since the start. What stood before it is not counted here: after a restart the feed names
/// the instruments anew, and until then those that were tripped the day before leave room for more.
const UNNAMED_MAX: usize = 1_024;

/// That stand in the files, of all runs.
const KEPT_MAX: usize = 16_384;

impl Controller {
    /// Whether `scope` may be tripped or limited: whatever anybody has named may always, and what is tripped or limited already.
    pub(super) fn has_room_for(
        &self,
        latches: &Latches,
        limits: &LimitsInForce,
        scope: &Scope,
    ) -> Result<(), Refusal> {
        let Scope::Instrument(symbol) = scope else { return Ok(()) };
        let is_named =
            |symbol: SymbolName| limits.names(symbol) || self.backend.knows(&Scope::Instrument(symbol));
        if !latches.of(scope).is_empty() || is_named(*symbol) {
            return Ok(());
        }
        let by_a_person = latches.entries().filter(|(_, entry)| entry.cause == Cause::Officer);
        let tripped = by_a_person.filter_map(|(scope, entry)| match scope {
            Scope::Instrument(symbol) => Some((*symbol, entry.since)),
            Scope::Firm | Scope::Account(_) | Scope::Strategy(_) | Scope::Desk(_) | Scope::Trader(_) => None,
        });
        let mut unnamed: BTreeMap<SymbolName, Stamp> = BTreeMap::new();
        for (symbol, at) in tripped.chain(limits.changed()).filter(|(symbol, _)| !is_named(*symbol)) {
            let newest = unnamed.entry(symbol).or_default();
            *newest = at.max(*newest);
        }
        let fresh = unnamed.values().filter(|at| **at >= self.started).count();
        if unnamed.contains_key(symbol) || (fresh < UNNAMED_MAX && unnamed.len() < KEPT_MAX) {
            return Ok(());
        }
        let message = format!(
            "nothing was changed: no feed has named {symbol}, and {fresh} instruments that none has named were tripped or \
             limited since the start, {} in all (at most {UNNAMED_MAX} and {KEPT_MAX}): is it spelled right? `portcullisctl breaker \
             list` shows the tripped ones, and a reset of one makes room; what the feed has named can be tripped all the same",
            unnamed.len()
        );
        refuse(RefusalKind::Policy, message)
    }
}
