//! What the venue says: counted at the gate, and passed on to the firm.

use super::answers::{AlertTags, Refusal, Request, copy_for_firm, refuse_order, refuse_request};
use super::book::{Entry, OWN_CANCEL};
use super::cause::{Peer, cause_number};
use super::desk::{Desk, Gatekeeper};
use super::order::{Order, client_id, whole};
use crate::fix::dictionary::Version;
use crate::fix::message::{Message, decimal};
use crate::fix::session::{Core, SendError};
use crate::fix::store::Cause;
use crate::fix::tags;
use crate::orders::executed;
use gate::{OrderEvent, Settlement};
use types::{Px, Qty, Tier, UnixNanos};

/// The fields of an execution report that say what became of an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub(super) client_id: &'a [u8],
    pub(super) original_id: &'a [u8],
    pub(super) exec_id: &'a [u8],
    pub(super) exec_ref_id: &'a [u8],
    pub(super) exec_type: &'a [u8],
    pub(super) trans_type: &'a [u8],
    pub(super) status: &'a [u8],
    pub(super) last_qty: Option<u32>,
    pub(super) last_px: Px,
    pub(super) leaves: Option<u32>,
    pub(super) side: &'a [u8],
    pub(super) trade_date: &'a [u8],
    pub(super) transact_time: &'a [u8],
    pub(super) ord_rej_reason: &'a [u8],
}

/// OrdRejReason (103): the venue has an order of this ClOrdID already.
const DUPLICATE_ORDER: &[u8] = b"6";

impl<'a> Report<'a> {
    const NOTHING: Self = Self {
        client_id: b"",
        original_id: b"",
        exec_id: b"",
        exec_ref_id: b"",
        exec_type: b"",
        trans_type: b"",
        status: b"",
        last_qty: None,
        last_px: Px::NONE,
        leaves: None,
        side: b"",
        trade_date: b"",
        transact_time: b"",
        ord_rej_reason: b"",
    };

    pub(super) fn read(message: &Message<'a>) -> Self {
        let mut report = Self::NOTHING;
        for field in message.fields() {
            let value = field.value;
            match field.tag {
                tags::CL_ORD_ID => report.client_id = value,
                tags::ORIG_CL_ORD_ID => report.original_id = value,
                tags::EXEC_ID => report.exec_id = value,
                tags::EXEC_REF_ID => report.exec_ref_id = value,
                tags::EXEC_TYPE => report.exec_type = value,
                tags::EXEC_TRANS_TYPE => report.trans_type = value,
                tags::ORD_STATUS => report.status = value,
                tags::LAST_QTY => report.last_qty = whole(value),
                tags::LAST_PX => report.last_px = traded_price(value),
                tags::LEAVES_QTY => report.leaves = whole(value),
                tags::SIDE => report.side = value,
                tags::TRADE_DATE => report.trade_date = value,
                tags::TRANSACT_TIME => report.transact_time = value,
                tags::ORD_REJ_REASON => report.ord_rej_reason = value,
                _ => {}
            }
        }
        report
    }

    /// The day of the trade, as far as the venue says it: numbers of executions may begin anew each day.
    fn day(&self) -> &'a [u8] {
        let from = if self.trade_date.is_empty() { self.transact_time } else { self.trade_date };
        from.get(..8).unwrap_or_default()
    }

    /// The execution `id` among those of all days and both sides, where a venue has one number for both sides of a trade.
    pub(super) fn execution(&self, id: &'a [u8]) -> [&'a [u8]; 3] {
        [self.day(), self.side, id]
    }

    /// What it says happened (ExecType, 150, and in 4.2 ExecTransType, 20).
    pub(super) fn what(&self, version: Version) -> What {
        if version == Version::Fix42 {
            match self.trans_type {
                b"1" => return What::Bust,
                b"2" => return What::Correct,
                b"3" => return What::Status,
                _ => {}
            }
        }
        match self.exec_type {
            b"F" | b"1" | b"2" => What::Fill,
            b"3" => What::DoneForDay,
            b"4" | b"C" => What::Gone,
            b"5" => What::Replaced,
            b"8" => What::Rejected,
            b"D" => What::Restated,
            b"G" => What::Correct,
            b"H" => What::Bust,
            b"I" => What::Status,
            b"0" => What::New,
            _ => What::Nothing,
        }
    }
}

/// LastPx (31). A spread may trade below 0. What says 0 says nothing: an execution without a price of its own counts at the worst
/// at which its order may have traded, and no purchase is free.
fn traded_price(text: &[u8]) -> Px {
    let (sign, digits) = text.strip_prefix(b"-").map_or((1, text), |digits| (-1, digits));
    decimal(digits).filter(|nanos| *nanos != 0).map_or(Px::NONE, |nanos| Px(sign * nanos))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    New,
    Fill,
    Gone,
    DoneForDay,
    Replaced,
    Rejected,
    Restated,
    Correct,
    Bust,
    Status,
    /// Pending, suspended, stopped, calculated, triggered: the order counts as it did.
    Nothing,
}

impl<G: Gatekeeper> Desk<G> {
    /// Takes one application message of the venue's.
    ///
    /// # Errors
    /// It could not be kept for the firm: the message was not taken. What it settled counts once, however often it comes.
    pub(super) fn take_report(
        &mut self,
        message: &Message<'_>,
        venue: &Core,
        firm: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let cause = Cause { number: cause_number(Peer::Venue, venue, message), order: 0 };
        if self.is_unknown_to_venue(message)
            && let Some(entry) = self.book.get(client_id(message))
        {
            return self.give_back_withheld(entry.id, (firm, cause), now);
        }
        let entry = match message.kind() {
            b"8" => self.settle_report(message, now),
            b"9" => self.settle_cancel_reject(message, now),
            b"3" | b"j" => return self.settle_refused_message(message, cause, (venue, firm), now),
            _ => None,
        };
        self.counts.reports += 1;
        let is_own_cancel = client_id(message).starts_with(OWN_CANCEL);
        if message.kind() == b"r" && !is_own_cancel {
            self.book.answer_mass_cancels();
        }
        if matches!(message.kind(), b"9" | b"r") && is_own_cancel {
            // The firm did not ask for it.
            return Ok(());
        }
        let (alerts, about) = (self.alerts, (entry, is_own_cancel));
        let sent =
            firm.send(message.kind(), cause, now, |writer| copy_for_firm(message, alerts, about, writer));
        match sent {
            // It would be too long the next time too.
            Err(SendError::TooLong) => {
                self.counts.unbooked += 1;
                Ok(())
            }
            sent => sent,
        }
    }

    /// Whether the venue refuses a cancel of the gateway's own since it has no such order (35=9, 102=1).
    fn is_unknown_to_venue(&self, message: &Message<'_>) -> bool {
        message.kind() == b"9"
            && message.get(tags::CXL_REJ_REASON) == Some(b"1")
            && client_id(message).starts_with(OWN_CANCEL)
    }

    fn settle(&mut self, event: OrderEvent, now: UnixNanos) {
        let settled = self.gate.settle(event, now);
        if matches!(event, OrderEvent::Executed { .. } | OrderEvent::ExecutedAt { .. }) {
            if settled == Settlement::Repeated {
                self.counts.repeated += 1;
            } else {
                self.counts.executions += 1;
            }
        }
    }

    /// Books an execution report; the order it is about, where it is known.
    fn settle_report(&mut self, message: &Message<'_>, now: UnixNanos) -> Option<Entry> {
        let report = Report::read(message);
        let named = self.book.get(report.client_id).or_else(|| self.book.get(report.original_id));
        // Shares of an order that nobody knows put everything in doubt, which is what the gate makes of the number 0.
        let id = named.map_or(0, |entry| entry.id);
        match report.what(self.version) {
            What::New => self.settle(OrderEvent::Accepted { id }, now),
            What::Fill => self.settle_fill(id, &report, now),
            What::Gone => self.settle(OrderEvent::Cancelled { id }, now),
            What::DoneForDay if named.is_none_or(|entry| !entry.is_gtc) => {
                self.settle(OrderEvent::Cancelled { id }, now);
            }
            What::Replaced => self.settle(OrderEvent::Replaced { id }, now),
            What::Rejected => self.settle_rejected(named, &report, now),
            What::Restated => self.settle_restated(id, &report, now),
            // Told again, it has been taken back before.
            What::Correct | What::Bust if !self.executions.is_first_correction(report.exec_id) => {
                self.counts.repeated += 1;
            }
            What::Correct => {
                self.settle_bust(id, &report, now);
                self.settle_fill(id, &report, now);
            }
            What::Bust => self.settle_bust(id, &report, now),
            What::Status => match report.status {
                b"4" | b"C" => self.settle(OrderEvent::Cancelled { id }, now),
                b"8" => self.settle_rejected(named, &report, now),
                _ => {}
            },
            What::DoneForDay | What::Nothing => {}
        }
        if let (Some(entry), [status]) = (self.book.get_mut(report.client_id), report.status) {
            (entry.status, entry.is_answered) = (*status, true);
        }
        if let (Some(entry), b"2" | b"3" | b"4" | b"8" | b"C") = (named, report.status) {
            self.book.is_done(entry.id);
        }
        named
    }

    /// An order is given back for a reject of one that the venue has not taken. What is refused as a duplicate is a copy: the first one
    /// may work.
    fn settle_rejected(&mut self, named: Option<Entry>, report: &Report<'_>, now: UnixNanos) {
        let was_taken = |entry: Entry| entry.is_answered && !matches!(entry.status, b'A' | b'8');
        if report.ord_rej_reason == DUPLICATE_ORDER || named.is_some_and(was_taken) {
            self.counts.unbooked += 1;
            return;
        }
        self.settle(OrderEvent::Rejected { id: named.map_or(0, |entry| entry.id) }, now);
    }

    /// Something was traded, taken back or changed that cannot be counted: the books differ until a person has looked.
    fn doubt(&mut self, id: u64, now: UnixNanos) {
        self.counts.unbooked += 1;
        self.settle(OrderEvent::Busted { id, qty: Qty(0) }, now);
    }

    fn settle_fill(&mut self, id: u64, report: &Report<'_>, now: UnixNanos) {
        match report.last_qty {
            // The gate forgets executions before the day is over; what a venue tells twice under two numbers is remembered here.
            Some(_) if self.executions.is_known(report.execution(report.exec_id)) => {
                self.counts.repeated += 1;
            }
            Some(qty) if qty > 0 && !report.exec_id.is_empty() => {
                let execution = self.executions.number(report.execution(report.exec_id), qty);
                self.settle(executed(id, execution, Qty(qty), report.last_px), now);
                self.tell_executed(id, report, report.exec_id);
            }
            _ => self.doubt(id, now),
        }
    }

    /// A trade is taken back: as much as it had, or as this report says where it is not remembered.
    fn settle_bust(&mut self, id: u64, report: &Report<'_>, now: UnixNanos) {
        self.tell_busted(id, report);
        match (self.executions.known(report.execution(report.exec_ref_id)), report.last_qty) {
            (Some((execution, qty)), _) => {
                self.settle(OrderEvent::BustedExecution { id, execution, qty: Qty(qty) }, now);
            }
            (None, Some(qty)) => self.settle(OrderEvent::Busted { id, qty: Qty(qty) }, now),
            (None, None) => self.doubt(id, now),
        }
    }

    /// The venue changed the order of its own accord: what the gate counts beyond what is left at the venue is taken off, however often
    /// the venue says so. One that has more left than the gate counts cannot be counted: somebody must look.
    fn settle_restated(&mut self, id: u64, report: &Report<'_>, now: UnixNanos) {
        let (Some(counted), Some(left)) = (self.gate.leaves(id), report.leaves) else {
            return self.doubt(id, now);
        };
        match counted.checked_sub(left) {
            Some(0) => {}
            Some(less) => self.settle(OrderEvent::Reduced { id, qty: Qty(less) }, now),
            None => self.doubt(id, now),
        }
    }

    /// A cancel that is refused changes nothing; a refused replacement leaves the order as it was.
    fn settle_cancel_reject(&mut self, message: &Message<'_>, now: UnixNanos) -> Option<Entry> {
        let report = Report::read(message);
        let named = self.book.get(report.client_id);
        if let Some(entry) = self.book.get_mut(report.client_id) {
            entry.is_answered = true;
        }
        if let Some(entry) = named.filter(|entry| entry.is_replacement) {
            self.settle(OrderEvent::ReplaceRejected { id: entry.id }, now);
        }
        named.or_else(|| self.book.get(report.original_id))
    }

    /// The venue took a message of ours for none (35=3), or for none it wants (35=j): what it asked for does not happen, and the
    /// firm, which speaks of orders and not of this session's numbers, is told so in its terms.
    fn settle_refused_message(
        &mut self,
        message: &Message<'_>,
        cause: Cause,
        (venue, firm): (&Core, &mut Core),
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let mut sent = std::mem::take(&mut self.scratch);
        let found = message.number(tags::REF_SEQ_NUM).is_some_and(|number| venue.sent(number, &mut sent));
        let told = match Message::parse(&sent) {
            Ok(original) if found => {
                let text = message.get(tags::TEXT).unwrap_or(b"the venue refused the message");
                // The venue may have taken the first copy of one that was sent twice: it counts until the venue says what became of it.
                let is_proof =
                    message.number(tags::REF_SEQ_NUM).is_some_and(|number| !venue.may_be_resent(number));
                self.tell_refused(&original, (&String::from_utf8_lossy(text), is_proof), cause, firm, now)
            }
            _ => Ok(()),
        };
        self.scratch = sent;
        told
    }

    fn tell_refused(
        &mut self,
        original: &Message<'_>,
        (text, is_proof): (&str, bool),
        cause: Cause,
        firm: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let order = Order::read(original);
        let known = self.book.get(order.client_id);
        let released = known.filter(|entry| is_proof && !entry.is_answered);
        if known.is_some() && released.is_none() && original.kind() != b"F" {
            self.counts.unbooked += 1;
            return Ok(());
        }
        let refusal = Refusal {
            reason: 99,
            text,
            tier: known.map_or(Tier::Normal, |entry| entry.tier),
            score_micros: known.map_or(0, |entry| entry.score_micros),
        };
        let dialect: (Version, AlertTags) = (self.version, self.alerts);
        let request = match original.kind() {
            b"D" => {
                if let Some(entry) = released {
                    self.settle(OrderEvent::Rejected { id: entry.id }, now);
                }
                let exec_id = format!("R{}-{}", firm.epoch(), firm.next_out());
                return firm.send(b"8", cause, now, |writer| {
                    refuse_order(&order, refusal, dialect, &exec_id, now, writer);
                });
            }
            b"G" => {
                if let Some(entry) = released {
                    self.settle(OrderEvent::ReplaceRejected { id: entry.id }, now);
                }
                Request::Replace
            }
            b"F" => Request::Cancel,
            _ => return Ok(()),
        };
        let original_order = self.book.get(order.original_id);
        firm.send(b"9", cause, now, |writer| {
            refuse_request(&order, request, original_order, refusal, dialect, writer);
        })
    }
}
