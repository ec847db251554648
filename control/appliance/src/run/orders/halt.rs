//! What became of the orders that were open when a person closed their scope: counted from a process's own records, so that it is the
//! same whoever cancels them and whatever dies meanwhile.

use control::names::{Name, Scope};
use control::protocol::HaltRow;
use control::stamp::Stamp;
use gate::{OrderEvent, Settlement, Step};
use std::collections::BTreeSet;
use types::UnixNanos;

/// One scope's orders.
#[derive(Debug)]
pub(super) struct Halt {
    pub(super) scope: Scope,
    pub(super) since: UnixNanos,
    /// The orders that count to it, with the replacements of them that are under way.
    covered: BTreeSet<u64>,
    cancelled: u64,
    filled: u64,
    filled_qty: u64,
    pub(super) last: Option<UnixNanos>,
    pub(super) told: bool,
}

impl Halt {
    pub(super) const fn new(scope: Scope, since: UnixNanos, covered: BTreeSet<u64>) -> Self {
        Self { scope, since, covered, cancelled: 0, filled: 0, filled_qty: 0, last: None, told: false }
    }

    /// An order was let out that counts to it, or replaces one that does.
    pub(super) fn sent(&mut self, id: u64, replaced: Option<u64>, is_within: bool) {
        if is_within || replaced.is_some_and(|replaced| self.covered.contains(&replaced)) {
            self.covered.insert(id);
        }
    }

    /// The venue has said something of an order.
    pub(super) fn settled(&mut self, event: OrderEvent, settled: Settlement, at: UnixNanos) {
        let is_done = settled == Settlement::Done;
        let is_covered =
            if is_done { self.covered.remove(&event.id()) } else { self.covered.contains(&event.id()) };
        if !is_covered || at < self.since {
            return;
        }
        match event.traded_qty().filter(|_| settled != Settlement::Repeated) {
            Some(qty) => {
                self.filled_qty = self.filled_qty.saturating_add(qty.0.into());
                self.filled += u64::from(is_done);
            }
            None if is_done => self.cancelled += 1,
            None => return,
        }
        self.last = Some(at);
    }

    pub(super) fn row(&self, client: &Name, open: u64) -> HaltRow {
        HaltRow {
            client: client.clone(),
            scope: self.scope.clone(),
            since: Stamp(self.since),
            cancelled: self.cancelled,
            filled: self.filled,
            filled_qty: self.filled_qty,
            open,
            last_after_us: self.last.map(|last| Stamp(self.since).micros_until(Stamp(last))),
        }
    }
}

/// The order that a step lets out, and the one that it replaces.
pub(super) const fn sent_by(step: &Step) -> Option<(u64, Option<u64>)> {
    match step {
        Step::Sent(sent) => Some((sent.order.cl_ord_id, None)),
        Step::Replaced { replaced, sent } => Some((sent.order.cl_ord_id, Some(*replaced))),
        Step::Settled(_)
        | Step::Positioned { .. }
        | Step::Holds { .. }
        | Step::Astray { .. }
        | Step::AccountHolds { .. }
        | Step::Due { .. }
        | Step::Order(_)
        | Step::Execution { .. }
        | Step::Asked { .. }
        | Step::CancelSent { .. }
        | Step::Did { .. }
        | Step::Counted(_)
        | Step::Tallied { .. }
        | Step::Told(_)
        | Step::Streak { .. }
        | Step::Stopped { .. }
        | Step::StopTaken { .. } => None,
    }
}
