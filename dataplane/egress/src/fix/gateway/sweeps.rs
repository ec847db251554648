//! Cancels of the gateway's own: of every order that is open when the firm has gone, or when a halt or a trip covers it.

use super::book::{Entry, OWN_CANCEL};
use super::desk::{Desk, Gatekeeper};
use super::sweep::Sweep;
use crate::fix::session::{Core, SendError};
use crate::fix::store::Cause;
use crate::fix::tags;
use crate::halt::Halted;
use types::UnixNanos;

/// MassCancelRequestType (530): every order.
const ALL_ORDERS: &[u8] = b"7";

impl<G: Gatekeeper> Desk<G> {
    /// Every order that is open now is to be cancelled: the firm that would look after it is gone, or the gateway stops.
    pub(crate) fn sweep_all(&mut self) {
        self.sweep(Halted::All, false);
    }

    /// Begins to cancel what a halt or a trip covers, as soon as it is latched. How many orders that is, where there is one.
    pub(crate) fn obey_halts(&mut self, now: UnixNanos) -> Option<usize> {
        let mut found = None;
        while let Some(halted) = self.gate.halted(now) {
            let open = self.gate.open_orders();
            let covered = open.iter().filter(|order| halted.covers(order.instrument)).count();
            found = Some(found.unwrap_or(0) + covered);
            self.counts.halt_cancels += covered as u64;
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
        if !venue.is_up() || !self.sweeps.iter().any(|sweep| sweep.is_due(now)) {
            return Ok(());
        }
        let open = self.gate.open_orders();
        self.sweeps.retain(|sweep| open.iter().any(|order| sweep.has(order)));
        let due: Vec<Sweep> = self.sweeps.iter().copied().filter(|sweep| sweep.is_due(now)).collect();
        for sweep in self.sweeps.iter_mut().filter(|sweep| sweep.is_due(now)) {
            sweep.go_round(now);
        }
        if due.iter().any(|sweep| sweep.mass) {
            return self.send_mass_cancel(venue, now);
        }
        let ids: Vec<u64> = open
            .iter()
            .filter(|order| due.iter().any(|sweep| sweep.has(order)))
            .map(|order| order.id)
            .collect();
        self.send_cancels(&ids, venue, now)
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
        for (text, entry) in self.book.named(ids) {
            self.counts.cancels += 1;
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
            self.book.insert(&id, Entry { is_replacement: false, is_cancel: true, ..entry });
        }
        Ok(())
    }
}
