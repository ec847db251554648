//! What the firm asks for: judged, and passed on or refused.

use super::answers::{self, AlertTags, Refusal, Request, refuse_order, refuse_request};
use super::book::{Book, Entry, OWN_CANCEL, TEXT_BYTES_MAX};
use super::cause::{Peer, cause_number};
use super::executions::Executions;
use super::order::{Order, Unjudged};
use super::sweep::Sweep;
use crate::fix::dictionary::Version;
use crate::fix::message::Message;
use crate::fix::session::{Core, SendError};
use crate::fix::store::Cause;
use crate::fix::{tags, time};
use crate::halt::Halted;
use crate::orders::Wanted;
use crate::owner::OwnerIndex;
use crate::reconcile::tap::Tap;
use gate::{Booked, OpenOrder, OrderEvent, Settlement, TimeInForce, Verdict};
use std::collections::BTreeMap;
use types::{InstrumentId, Nanos, Qty, Symbol, Tier, UnixNanos};

/// An order that the firm sent longer ago than this, and only now again, is refused as stale: it was meant for another market.
pub(super) const STALE_AFTER: Nanos = Nanos(30_000_000_000);

/// Tags whose meaning a firm and a venue agree on (FIX, "User Defined Fields").
const USER_TAGS: std::ops::RangeInclusive<i32> = 5_000..=i32::MAX;

/// What the gate says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    /// Whether it is reserved, and so may leave.
    pub(crate) is_reserved: bool,
}

/// The gate of the thread that the gateway runs in.
pub(crate) trait Gatekeeper {
    /// The number of a symbol; one that no gate has where it is not known.
    fn instrument(&mut self, symbol: Symbol) -> InstrumentId;
    /// Whether a new order may leave.
    fn reserve(&mut self, wanted: &Wanted, now: UnixNanos) -> Judgement;
    /// Whether `wanted` may replace the open order `replaced`.
    fn replace(&mut self, replaced: u64, wanted: &Wanted, now: UnixNanos) -> Judgement;
    /// Takes note of what became of an order.
    fn settle(&mut self, event: OrderEvent, now: UnixNanos) -> Settlement;
    /// Counts that the venue is asked to take an order back.
    fn cancel(&mut self, id: u64, now: UnixNanos);
    /// The orders that count.
    fn open_orders(&self) -> Vec<OpenOrder>;
    /// The executions that it remembers, by number. Not for the order path.
    fn executions(&self) -> Vec<(u64, Booked)> {
        Vec::new()
    }
    /// Orders that a halt or a trip wants cancelled from now on; told once.
    fn halted(&mut self, now: UnixNanos) -> Option<Halted>;
    /// Whether an order, or a replacement under way, counts.
    fn is_open(&self, id: u64) -> bool;
    /// Whether orders in an instrument are kept back now by a halt or a trip.
    fn is_closed(&mut self, symbol: Symbol) -> bool;
    /// What of an order can still trade; none where it does not count.
    fn leaves(&self, id: u64) -> Option<u32>;
    /// Whether orders can be judged and answers taken note of: nothing of the venue's is read while not.
    fn is_ready(&self) -> bool;
    /// Looks after what cannot wait for ever; what a person should know of it. Not for the order path.
    fn look_after(&mut self) -> Option<String>;
}

/// What passed the desk, counted since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeskCounts {
    /// New orders and replacements that were passed on.
    pub(crate) passed: u64,
    /// New orders and replacements that were refused.
    pub(crate) refused: u64,
    /// Cancels and mass cancels, all passed on.
    pub(crate) cancels: u64,
    /// Cancels of the gateway's own among them.
    pub(crate) own_cancels: u64,
    /// Orders that the firm marked as perhaps sent before, and that had been.
    pub(crate) known_before: u64,
    /// Messages of the venue's that were passed on.
    pub(crate) reports: u64,
    /// Executions that were booked.
    pub(crate) executions: u64,
    /// Executions that were booked before.
    pub(crate) repeated: u64,
    /// Reports of a fill that name no quantity, or a larger order than was let through: somebody must look.
    pub(crate) unbooked: u64,
}

/// What stands between the two sessions: the gate, and what is known of the day's orders.
#[derive(Debug)]
pub(crate) struct Desk<G> {
    pub(crate) gate: G,
    pub(super) book: Book,
    pub(super) executions: Executions,
    pub(super) version: Version,
    pub(super) alerts: AlertTags,
    pub(super) counts: DeskCounts,
    pub(super) scratch: Vec<u8>,
    /// Whether new orders are refused because the gateway stops.
    stops: bool,
    pub(super) sweeps: Vec<Sweep>,
    /// Orders that the venue asked for again and was not sent, with the ClOrdID that each replaces.
    pub(super) withheld: BTreeMap<u64, Vec<u8>>,
    /// Orders that are to be cancelled by their names, whatever else is.
    pub(super) to_cancel: Vec<u64>,
    /// Account (1) that the firm may write; any where none.
    pub(in crate::fix) account: Option<String>,
    /// Tags of its own meaning that may go to the venue; any where none.
    pub(in crate::fix) user_tags: Option<Vec<i32>>,
    /// Whether the venue takes one request to cancel everything (35=q).
    pub(in crate::fix) takes_mass_cancel: bool,
    /// Where drop copies are reconciled.
    pub(in crate::fix) tap: Option<Tap>,
}

impl<G: Gatekeeper> Desk<G> {
    pub(super) fn new(gate: G, book: Book, version: Version, alerts: AlertTags) -> Self {
        let (executions, counts) = (Executions::new(), DeskCounts::default());
        Self {
            gate,
            book,
            executions,
            version,
            alerts,
            counts,
            scratch: Vec::new(),
            stops: false,
            sweeps: Vec::new(),
            withheld: BTreeMap::new(),
            to_cancel: Vec::new(),
            account: None,
            user_tags: None,
            takes_mass_cancel: false,
            tap: None,
        }
    }

    /// What happened so far.
    pub(crate) const fn counts(&self) -> DeskCounts {
        self.counts
    }

    /// A process that ended between the gate's answer and the store's left an order that nobody was sent: it counts no more.
    pub(super) fn give_back_unsent(&mut self, now: UnixNanos) {
        if let Some(id) = self.book.untold_id() {
            self.gate.settle(OrderEvent::Rejected { id }, now);
        }
    }

    /// New orders are refused from now on.
    pub(crate) const fn stop(&mut self) {
        self.stops = true;
    }

    /// Takes one application message of the firm's.
    ///
    /// # Errors
    /// The answer could not be kept: the message was not taken.
    pub(super) fn take_order(
        &mut self,
        message: &Message<'_>,
        firm: &mut Core,
        venue: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        match message.kind() {
            b"D" | b"G" => self.take_judged(message, firm, venue, now),
            b"F" | b"q" => self.take_cancel(message, firm, venue, now),
            b"H" => self.pass_on(message, 0, firm, venue, now),
            // What the firm refused of ours changes nothing here.
            b"3" | b"j" => Ok(()),
            _ => {
                let cause = cause_of(firm, message, 0);
                firm.reject_business(message, (3, "Unsupported Message Type"), cause, now)
            }
        }
    }

    /// A new order, or one that is to replace another (35=G).
    fn take_judged(
        &mut self,
        message: &Message<'_>,
        firm: &mut Core,
        venue: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let order = Order::read(message);
        if order.is_poss_resend && self.book.get(order.client_id).is_some() {
            self.counts.known_before += 1;
            return Ok(());
        }
        let id = self.book.next_id();
        if let Some(unknown) = self.unknown_field(message) {
            return self.refuse_unjudged(message, &order, id, unknown, firm, now);
        }
        let replaced = self.book.get(order.original_id).map(|entry| entry.id);
        let replaces = message.kind() == b"G";
        if replaces && replaced.is_none() {
            let unknown = (0, "OrigClOrdID (41) names no order of this session");
            return self.refuse_unjudged(message, &order, id, unknown, firm, now);
        }
        let wanted = match self.wanted(id, &order, venue, now) {
            Ok(wanted) => wanted,
            Err(unjudged) => return self.refuse_unjudged(message, &order, id, unjudged, firm, now),
        };
        let judged = match replaced.filter(|_| replaces) {
            Some(replaced) => self.gate.replace(replaced, &wanted, now),
            None => self.gate.reserve(&wanted, now),
        };
        if !judged.is_reserved {
            return self.refuse_judged(message, &order, id, &judged.verdict, firm, now);
        }
        self.send_on(message, &order, &wanted, &judged.verdict, (firm, venue), now)
    }

    /// A field that nobody here reads, and that may mean something to the venue.
    fn unknown_field(&self, message: &Message<'_>) -> Option<Unjudged> {
        for field in message.fields() {
            let account = self.account.as_ref().filter(|_| field.tag == tags::ACCOUNT);
            if account.is_some_and(|account| account.as_bytes() != field.value) {
                return Some((15, "Account (1) is not the one that the gateway's orders count to"));
            }
            let may_pass = |known: &Vec<i32>| known.contains(&field.tag) || self.alerts.contain(field.tag);
            let is_strange = USER_TAGS.contains(&field.tag) && !self.user_tags.as_ref().is_none_or(may_pass);
            if is_strange {
                return Some((11, "a field of the firm's own meaning that is not among user_tags"));
            }
        }
        None
    }

    /// What the gate is to judge, or why it cannot.
    fn wanted(
        &mut self,
        id: u64,
        order: &Order<'_>,
        venue: &Core,
        now: UnixNanos,
    ) -> Result<Wanted, Unjudged> {
        if order.client_id.len() > TEXT_BYTES_MAX {
            return Err((99, "ClOrdID (11) is longer than 47 bytes"));
        }
        if order.client_id.starts_with(OWN_CANCEL) {
            return Err((99, "ClOrdID (11) begins with PC-, as the gateway's own cancels do"));
        }
        if self.book.get(order.client_id).is_some() {
            return Err((6, "DUPLICATE: ClOrdID (11) was used before"));
        }
        let sent = order.original_time.and_then(time::parse);
        if sent.is_some_and(|sent| now.since(sent) > STALE_AFTER) {
            return Err((8, "the order was sent too long ago"));
        }
        if !venue.is_up() || self.stops {
            return Err((2, if self.stops { "the gateway stops" } else { "the venue is not connected" }));
        }
        if !self.book.has_room() {
            return Err((99, "no more client order ids are taken today"));
        }
        Ok(Wanted {
            id,
            owner: OwnerIndex::default(),
            instrument: self.gate.instrument(order.gate_symbol()?),
            side: order.gate_side()?,
            qty: Qty(order.gate_qty()?),
            px: order.gate_price()?,
            tif: order.gate_tif()?,
        })
    }

    /// Passes on what the gate let through. What cannot be sent is given back and refused.
    fn send_on(
        &mut self,
        message: &Message<'_>,
        order: &Order<'_>,
        wanted: &Wanted,
        verdict: &Verdict,
        (firm, venue): (&mut Core, &mut Core),
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let entry = Entry {
            id: wanted.id,
            qty: wanted.qty.0,
            is_gtc: wanted.tif == TimeInForce::Gtc,
            status: b'0',
            is_answered: false,
            is_replacement: message.kind() == b"G",
            is_cancel: false,
            side: order.side.first().copied().unwrap_or(0),
            symbol: order.gate_symbol().unwrap_or(Symbol([b' '; 8])),
            tier: verdict.tier,
            score_micros: verdict.score.micros(),
        };
        if self.pass_on(message, wanted.id, firm, venue, now).is_err() {
            self.gate.settle(OrderEvent::Rejected { id: wanted.id }, now);
            let unsent = (99, "the order could not be kept, and was not sent");
            return self.refuse_unjudged(message, order, wanted.id, unsent, firm, now);
        }
        self.counts.passed += 1;
        self.book.insert(order.client_id, entry);
        self.tell_order(order, wanted);
        Ok(())
    }

    /// A cancel always passes. Without a connection it is kept until the venue asks for it.
    fn take_cancel(
        &mut self,
        message: &Message<'_>,
        firm: &mut Core,
        venue: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        self.counts.cancels += 1;
        let order = Order::read(message);
        if let Some(id) = self.book.get(order.original_id).map(|entry| entry.id) {
            self.gate.cancel(id, now);
        }
        self.book.insert_cancel(order.client_id, order.original_id);
        if message.kind() == b"q" {
            self.book.note_mass_cancel(message, self.book.numbers_from());
        }
        match self.pass_on(message, 0, firm, venue, now) {
            // It would be too long the next time too.
            Err(SendError::TooLong) => {
                let cause = cause_of(firm, message, 0);
                firm.reject_business(message, (0, "the message is longer than any may be"), cause, now)
            }
            passed => passed,
        }
    }

    fn pass_on(
        &mut self,
        message: &Message<'_>,
        id: u64,
        firm: &Core,
        venue: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let (cause, alerts) = (cause_of(firm, message, id), self.alerts);
        let may_be_there = message.get(tags::POSS_RESEND) == Some(b"Y");
        venue.send(message.kind(), cause, now, |writer| {
            if may_be_there {
                // Of the header; without it the venue might trade the order twice.
                writer.text(tags::POSS_RESEND, b"Y");
            }
            answers::copy_body(message, alerts, writer);
        })
    }

    fn refuse_judged(
        &mut self,
        message: &Message<'_>,
        order: &Order<'_>,
        id: u64,
        verdict: &Verdict,
        firm: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let text = match verdict.breach() {
            Some(breach) => {
                let symbol = String::from_utf8_lossy(order.symbol);
                let sentence = breach.named(&symbol, "of this order", "of this order");
                format!("{}: {sentence}{}", verdict.slug(), verdict.remark())
            }
            None => verdict.to_string(),
        };
        let refusal = Refusal {
            reason: verdict.reason.map_or(99, |reason| u64::from(reason.fix_ord_rej_reason())),
            text: &text,
            tier: verdict.tier,
            score_micros: verdict.score.micros(),
        };
        self.refuse(message, order, id, refusal, firm, now)
    }

    fn refuse_unjudged(
        &mut self,
        message: &Message<'_>,
        order: &Order<'_>,
        id: u64,
        (reason, text): Unjudged,
        firm: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let refusal = Refusal { reason, text, tier: Tier::Normal, score_micros: 0 };
        self.refuse(message, order, id, refusal, firm, now)
    }

    fn refuse(
        &mut self,
        message: &Message<'_>,
        order: &Order<'_>,
        id: u64,
        refusal: Refusal<'_>,
        firm: &mut Core,
        now: UnixNanos,
    ) -> Result<(), SendError> {
        self.counts.refused += 1;
        let cause = cause_of(firm, message, id);
        let dialect = (self.version, self.alerts);
        if message.kind() == b"G" {
            let known = self.book.get(order.original_id);
            return firm.send(b"9", cause, now, |writer| {
                refuse_request(order, Request::Replace, known, refusal, dialect, writer);
            });
        }
        let exec_id = format!("R{}-{}", firm.epoch(), firm.next_out());
        firm.send(b"8", cause, now, |writer| refuse_order(order, refusal, dialect, &exec_id, now, writer))
    }
}

/// What led to the message about the order `order`: one of the firm's.
fn cause_of(firm: &Core, message: &Message<'_>, order: u64) -> Cause {
    Cause { number: cause_number(Peer::Firm, firm, message), order }
}
