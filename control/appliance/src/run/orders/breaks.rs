//! What the orders of a client in audit mode break: said in records of their own, before the order.

use attach::record::{Entry, Record};
use gate::{RejectReason, Verdict};

/// Reasons that are kept of one order: there are fewer.
const MOST: usize = 256;

/// What the order of the next record breaks.
#[derive(Debug, Default)]
pub(super) struct Breaks {
    order: u64,
    reasons: Vec<RejectReason>,
}

impl Breaks {
    /// Takes note of a record that says it; whatever is no such record changes nothing.
    pub(super) fn take(&mut self, record: &Record) {
        let Entry::Breaks { order, codes } = record.entry else { return };
        if order != self.order {
            (self.order, self.reasons) = (order, Vec::new());
        }
        let room = MOST.saturating_sub(self.reasons.len());
        let known = |code: &u16| RejectReason::ALL.into_iter().find(|reason| reason.code() == *code);
        self.reasons.extend(codes.iter().filter_map(known).take(room));
    }

    /// What an order breaks beside its verdict's reason, and forgets it.
    pub(super) fn of(&mut self, order: u64, verdict: &Verdict) -> Vec<RejectReason> {
        let mut reasons = core::mem::take(&mut self.reasons);
        if order != self.order {
            reasons.clear();
        }
        reasons.retain(|reason| Some(*reason) != verdict.reason);
        reasons
    }
}
