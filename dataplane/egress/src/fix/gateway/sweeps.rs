//! Cancels of the gateway's own: of every order that is open when the firm has gone, or when a halt or a trip covers it.

use super::answers::{Refusal, Request, refuse_order, refuse_request};
use super::book::{Entry, OWN_CANCEL};
use super::desk::{Desk, Gatekeeper, STALE_AFTER};
use super::order::{Order, client_id};
use super::sweep::Sweep;
use crate::fix::message::Message;
use crate::fix::session::{Core, SendError};
use crate::fix::store::Cause;
use crate::fix::{tags, time};
use crate::halt::Halted;
use gate::OrderEvent;
use std::collections::BTreeSet;
use types::{InstrumentId, UnixNanos};

/// MassCancelRequestType (530): every order.
const ALL_ORDERS: &[u8] = b"7";

impl<G: Gatekeeper> Desk<G> {
    /// Every order that is open now is to be cancelled: the firm that would look after it is gone, or the gateway stops.
    pub(crate) fn sweep_all(&mut self) {
        self.sweep(Halted::All, false);
    }

    /// Begins to cancel what a halt or a trip covers, as soon as it is latched; whether there is one.
    pub(crate) fn obey_halts(&mut self, now: UnixNanos) -> bool {
        let mut found = false;
        while let Some(halted) = self.gate.halted(now) {
            found = true;
            // Nothing passes that could be cancelled by mistake.
            self.sweep(halted, self.takes_mass_cancel && halted == Halted::All);
        }
        found
    }

    fn sweep(&mut self, covers: Halted, mass: bool) {
        let before = self.book.numbers_from();
        // What came before is a part of it.
        self.sweeps.retain(|sweep| covers != Halted::All && sweep.covers != covers);
        self.sweeps.push(Sweep::new(covers, before, mass));
    }

    /// Whether an order that the venue asks for again may be sent again. One that has ended, that was sent too long ago or that a halt keeps
    /// back may not; where it counts, the venue is asked to cancel it, and says thereby whether it has it.
    pub(super) fn may_resend(&mut self, message: &Message<'_>, now: UnixNanos) -> bool {
        if !matches!(message.kind(), b"D" | b"G") {
            return true;
        }
        let Some(entry) = self.book.get(client_id(message)) else { return false };
        if !self.gate.is_open(entry.id) {
            return false;
        }
        let sent = message.get(tags::SENDING_TIME).and_then(time::parse);
        let is_stale = sent.is_none_or(|sent| now.since(sent) > STALE_AFTER);
        if !is_stale && !self.gate.is_closed(entry.symbol) {
            return true;
        }
        let original = message.get(tags::ORIG_CL_ORD_ID).unwrap_or_default().to_vec();
        self.withheld.insert(entry.id, original);
        self.to_cancel.push(entry.id);
        false
    }

    /// The venue does not know an order that it was not sent again: it never had it, and the firm is told.
    ///
    /// # Errors
    /// It could not be kept for the firm; the venue's message was not taken.
    pub(super) fn give_back_withheld(
        &mut self,
        id: u64,
        (firm, cause): (&mut Core, Cause),
        now: UnixNanos,
    ) -> Result<(), SendError> {
        let Some(original) = self.withheld.get(&id).cloned() else { return Ok(()) };
        let Some((text, entry)) = self.book.named(&[id]).pop() else { return Ok(()) };
        let (symbol, side) = (entry.symbol.0.trim_ascii_end().to_vec(), [entry.side]);
        let order = Order::named(&text, &original, &symbol, &side);
        let refusal = Refusal {
            reason: 8,
            text: "the order never reached the venue, and was not sent again",
            tier: entry.tier,
            score_micros: entry.score_micros,
        };
        let dialect = (self.version, self.alerts);
        if entry.is_replacement {
            let known = self.book.get(&original);
            firm.send(b"9", cause, now, |writer| {
                refuse_request(&order, Request::Replace, known, refusal, dialect, writer);
            })?;
            self.gate.settle(OrderEvent::ReplaceRejected { id }, now);
        } else {
            let exec_id = format!("R{}-{}", firm.epoch(), firm.next_out());
            firm.send(b"8", cause, now, |writer| {
                refuse_order(&order, refusal, dialect, &exec_id, now, writer);
            })?;
            self.gate.settle(OrderEvent::Rejected { id }, now);
        }
        self.withheld.remove(&id);
        Ok(())
    }

    /// The venue's logon has begun both directions anew: cancels that were kept for it are gone, so they are sent again by the gateway.
    pub(crate) fn cancel_again(&mut self) {
        let open: BTreeSet<u64> = self.gate.open_orders().iter().map(|order| order.id).collect();
        self.to_cancel.extend(self.book.asked_to_cancel(&open));
        for (symbol, before) in self.book.take_mass_cancels() {
            let covers = symbol.map_or(Halted::All, |symbol| Halted::In(self.gate.instrument(symbol)));
            self.sweeps.push(Sweep::new(covers, before, false));
        }
    }

    /// The venue is logged on anew: what is still open may not have heard of the cancels before.
    pub(crate) fn sweep_again(&mut self) {
        for sweep in &mut self.sweeps {
            sweep.begin();
        }
    }

    /// Sends the cancels that are due, once the venue is there.
    ///
    /// # Errors
    /// A cancel could not be kept; it is tried again.
    pub(crate) fn send_sweeps(&mut self, venue: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        if !venue.is_up() {
            return Ok(());
        }
        if !self.to_cancel.is_empty() {
            let ids = std::mem::take(&mut self.to_cancel);
            if let Err(error) = self.send_cancels(&ids, venue, now) {
                self.to_cancel = ids;
                return Err(error);
            }
        }
        if !self.sweeps.iter().any(|sweep| sweep.is_due(now)) {
            return Ok(());
        }
        let due: Vec<Sweep> = self.sweeps.iter().copied().filter(|sweep| sweep.is_due(now)).collect();
        // At once by the book, which walks what is open alone; later rounds ask the gate for what the book may have missed.
        let is_first = due.iter().all(Sweep::is_first);
        let open = if is_first || !self.gate.is_ready() { self.live_orders() } else { self.gate_orders() };
        // Without a gate nobody knows that nothing is left.
        if !is_first && self.gate.is_ready() {
            self.sweeps.retain(|sweep| open.iter().any(|(id, instrument)| sweep.has(*id, *instrument)));
        }
        for sweep in self.sweeps.iter_mut().filter(|sweep| sweep.is_due(now)) {
            sweep.go_round(now);
        }
        // One request for all is for those alone that it is to cancel: what the firm has sent since is not among them.
        let is_of_all = |sweep: &&Sweep| open.iter().all(|(id, instrument)| sweep.has(*id, *instrument));
        if due.iter().filter(|sweep| sweep.mass).any(|sweep| is_of_all(&sweep)) {
            return self.send_mass_cancel(venue, now);
        }
        let has =
            |(id, instrument): &&(u64, InstrumentId)| due.iter().any(|sweep| sweep.has(*id, *instrument));
        let ids: Vec<u64> = open.iter().filter(has).map(|(id, _)| *id).collect();
        self.send_cancels(&ids, venue, now)
    }

    /// Orders that count, by the book; without a gate, those that may.
    fn live_orders(&mut self) -> Vec<(u64, InstrumentId)> {
        let live: Vec<Entry> = self.book.live().collect();
        let gate = &mut self.gate;
        let may_count = |entry: &Entry| !gate.is_ready() || gate.is_open(entry.id);
        let open = live.into_iter().filter(may_count).collect::<Vec<_>>();
        open.into_iter().map(|entry| (entry.id, self.gate.instrument(entry.symbol))).collect()
    }

    /// Orders that count, by the gate. Walks its whole table.
    fn gate_orders(&self) -> Vec<(u64, InstrumentId)> {
        self.gate.open_orders().iter().map(|order| (order.id, order.instrument)).collect()
    }

    fn own_id(venue: &Core) -> Vec<u8> {
        [OWN_CANCEL, format!("{}-{}", venue.epoch(), venue.next_out()).as_bytes()].concat()
    }

    /// One request for all (35=q).
    fn send_mass_cancel(&mut self, venue: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        self.counts.cancels += 1;
        let id = Self::own_id(venue);
        venue.send(b"q", Cause::default(), now, |writer| {
            writer.text(tags::CL_ORD_ID, &id);
            writer.text(tags::MASS_CANCEL_REQUEST_TYPE, ALL_ORDERS);
            writer.time(tags::TRANSACT_TIME, now);
        })
    }

    /// A request for each (35=F).
    fn send_cancels(&mut self, ids: &[u64], venue: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        venue.begin_batch();
        let sent = self.put_cancels(ids, venue, now);
        venue.end_batch().and(sent)
    }

    fn put_cancels(&mut self, ids: &[u64], venue: &mut Core, now: UnixNanos) -> Result<(), SendError> {
        for (text, entry) in self.book.named(ids) {
            self.counts.cancels += 1;
            self.counts.own_cancels += 1;
            let id = Self::own_id(venue);
            let symbol = entry.symbol.0.trim_ascii_end().to_vec();
            venue.send(b"F", Cause::default(), now, |writer| {
                writer.text(tags::ORIG_CL_ORD_ID, &text);
                writer.text(tags::CL_ORD_ID, &id);
                writer.text(tags::SYMBOL, &symbol);
                writer.text(tags::SIDE, &[entry.side]);
                writer.time(tags::TRANSACT_TIME, now);
                writer.number(tags::ORDER_QTY, u64::from(entry.qty));
            })?;
            self.book.insert(&id, entry.cancel());
        }
        Ok(())
    }
}
