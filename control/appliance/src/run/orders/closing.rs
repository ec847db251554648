//! What persons have closed, followed in every process's books.

use super::Orders;
use super::halt::Halt;
use super::mirror::Mirror;
use super::process::Process;
use control::names::{Name, Scope};
use control::protocol::HaltRow;
use gate::{Breaker, BreakerCause, BreakerState};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use types::UnixNanos;

/// Scopes of one client that are followed at a time; of more, those that were closed last.
const HALTS_MAX: usize = 64;

/// The scopes that persons have closed, and since when.
type Scopes = BTreeMap<Scope, UnixNanos>;

/// The same, apart from the processes, whose lock is held over their journals.
#[derive(Debug, Default)]
pub(in crate::run) struct ClosedScopes(Mutex<Scopes>);

impl ClosedScopes {
    /// Takes note of what was set. What the model closes cancels nothing.
    pub(in crate::run) fn note(&self, scope: &Scope, breaker: Breaker, now: UnixNanos) {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if breaker.state == BreakerState::Tripped && breaker.cause != BreakerCause::Model {
            closed.entry(scope.clone()).or_insert(now);
        } else {
            closed.remove(scope);
        }
    }

    pub(super) fn get(&self) -> Scopes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Mirror {
    /// Follows what becomes of the orders in each scope of `closed`, and forgets what is open again. Of too many, it is always the same
    /// ones that are followed: one that gave way to another each time would count nothing.
    pub(super) fn close(&mut self, closed: &Scopes) {
        let mut last: Vec<(UnixNanos, &Scope)> =
            closed.iter().map(|(scope, since)| (*since, scope)).collect();
        if last.len() > HALTS_MAX {
            last.sort_unstable_by(|a, b| b.cmp(a));
            last.truncate(HALTS_MAX);
        }
        self.halts.retain(|halt| last.contains(&(halt.since, &halt.scope)));
        for (since, scope) in last {
            if self.halts.iter().any(|halt| halt.scope == *scope) {
                continue;
            }
            let covered: Vec<_> = self.open_orders().into_iter().filter(|o| o.is_within(scope)).collect();
            let ids = covered.iter().flat_map(|o| [Some(o.order.id), o.replacement]).flatten().collect();
            self.halts.push(Halt::new(scope.clone(), since, ids));
        }
    }

    /// Orders of a scope that may still trade.
    fn open_within(&self, scope: &Scope) -> u64 {
        self.open_orders().iter().filter(|order| order.is_within(scope)).count() as u64
    }
}

impl Process {
    /// As [`Mirror::close`]; what is to be told of a scope whose last order is done.
    pub(super) fn close(&mut self, client: &Name, closed: &Scopes) -> Vec<String> {
        self.mirror.close(closed);
        let mut said = Vec::new();
        for at in 0..self.mirror.halts.len() {
            let Some(halt) = self.mirror.halts.get(at).filter(|h| !h.told && h.last.is_some()) else {
                continue;
            };
            let row = halt.row(client, self.mirror.open_within(&halt.scope));
            if row.open > 0 {
                continue;
            }
            let (scope, after) = (&row.scope, row.last_after_us.unwrap_or_default());
            said.push(format!(
                "{client}: no order is left in {scope}, {after} us after it was closed: {} cancelled, {} filled in full, {} traded meanwhile",
                row.cancelled, row.filled, row.filled_qty
            ));
            if let Some(halt) = self.mirror.halts.get_mut(at) {
                halt.told = true;
            }
        }
        said
    }
}

impl Orders {
    /// What became of the orders in each scope that is closed: those of which there was any.
    pub(in crate::run) fn halts(&mut self, closed: &ClosedScopes) -> Vec<HaltRow> {
        let (mut rows, closed) = (Vec::new(), closed.get());
        for (client, process) in &mut self.processes {
            let mirror = &mut process.mirror;
            mirror.close(&closed);
            let all = mirror.halts.iter().map(|halt| halt.row(client, mirror.open_within(&halt.scope)));
            rows.extend(all.filter(|row| row.open > 0 || row.last_after_us.is_some()));
        }
        rows
    }
}
