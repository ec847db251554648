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

#[cfg(test)]
mod tests {
    use super::*;
    use attach::record::CODES;
    use gate::VERDICT_WORDS;
    use types::UnixNanos;

    fn breaks(order: u64, named: &[u16]) -> Record {
        let mut codes = [0; CODES];
        codes[..named.len()].copy_from_slice(named);
        Record { number: 1, at: UnixNanos(1), symbol: None, entry: Entry::Breaks { order, codes } }
    }

    #[test]
    fn an_order_has_what_was_said_of_it_and_no_other_has_it() {
        let accepted = Verdict::unpack([0; VERDICT_WORDS]).unwrap();
        let verdict = Verdict { reason: Some(RejectReason::QtyStatic), ..accepted };
        let slugs = |found: Vec<RejectReason>| found.iter().map(|reason| reason.slug()).collect::<Vec<_>>();
        let mut all = Breaks::default();
        all.take(&breaks(7, &[700, 701]));
        // More than one record has, and a code of a newer build.
        all.take(&breaks(7, &[903, 60_000]));
        assert_eq!(slugs(all.of(7, &verdict)), ["QTY_DYNAMIC", "COLLAR"]);
        assert!(all.of(7, &verdict).is_empty(), "once");
        all.take(&breaks(7, &[701]));
        assert!(all.of(8, &verdict).is_empty(), "another order");
        all.take(&breaks(8, &[701]));
        all.take(&breaks(9, &[903]));
        assert_eq!(slugs(all.of(9, &verdict)), ["COLLAR"], "the order of the first never came");
        (0..100).for_each(|_| all.take(&breaks(3, &[701; CODES])));
        assert_eq!(all.of(3, &verdict).len(), MOST);
    }
}
