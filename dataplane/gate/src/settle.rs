//! What the venue says happened, booked against what was reserved.
//!
//! Every event changes an entry and then moves its cell by what the entry's leaves changed by, in one place
//! ([`Gate::store`]): reservations and working orders cannot drift apart.

use types::Qty;

use crate::{
    gate::{Gate, Reservation},
    intent::OrderEvent,
    orders::{Entry, Life},
};

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The order works on.
    Working,
    /// The order is done and counts no more.
    Done,
    /// A fill of an order already done: the position moved. The venue's fill and its end crossed.
    LateFill,
    /// A fill for more than the order had left: the position moved by all of it. Somebody should ask the venue.
    Overfill,
    /// Nothing changed: the order was done, or the event cannot happen to it.
    Ignored,
    /// No such order: nothing changed, and for a fill, positions here are no longer the venue's. Reconcile.
    UnknownOrder,
}

impl Gate {
    /// Gives back a reservation whose order could not be sent. The rate it used is not given back.
    pub fn release(&mut self, reservation: Reservation) -> Settlement {
        let Reservation { id, replacement } = reservation;
        self.settle(if replacement {
            OrderEvent::ReplaceRejected { id }
        } else {
            OrderEvent::Rejected { id }
        })
    }

    /// Takes note of what the venue says happened.
    pub fn settle(&mut self, event: OrderEvent) -> Settlement {
        let id = event.id();
        let Some(named) = self.orders.get(id) else { return Settlement::UnknownOrder };
        match named.life {
            Life::Closed => self.settle_closed(&named, event),
            Life::Open => self.settle_open(id, named, event),
            Life::Pending => self.settle_pending(id, named, event),
        }
    }

    /// Moves the working quantity of an entry's cell from `before` to what the entry now leaves.
    #[inline]
    pub(crate) fn rework(&mut self, entry: &Entry, before: u32) {
        if let Some(cell) = self.cells.get_mut(entry.cell as usize) {
            cell.rework(entry.side, before, entry.leaves());
        }
    }

    /// An event of an order that works.
    fn settle_open(&mut self, id: u64, mut entry: Entry, event: OrderEvent) -> Settlement {
        let before = entry.leaves();
        let mut outcome = Settlement::Working;
        match event {
            OrderEvent::Accepted { .. } => {}
            OrderEvent::Filled { qty, .. } => {
                if qty.0 > before {
                    outcome = Settlement::Overfill;
                }
                entry.executed = entry.executed.saturating_add(qty.0);
                self.fill(&entry, qty);
            }
            OrderEvent::Reduced { qty, .. } => {
                entry.qty = entry.qty.saturating_sub(qty.0).max(entry.executed);
            }
            // What is not executed is gone. A replacement under way still counts until it is answered.
            OrderEvent::Cancelled { .. } | OrderEvent::Rejected { .. } => entry.qty = entry.executed,
            OrderEvent::Replaced { .. } | OrderEvent::ReplaceRejected { .. } => return Settlement::Ignored,
        }
        self.store(id, entry, before, outcome)
    }

    /// An event that names a replacement the venue had not answered.
    fn settle_pending(&mut self, id: u64, named: Entry, event: OrderEvent) -> Settlement {
        let replaced = named.link;
        let Some(mut entry) = self.orders.get(replaced) else { return Settlement::UnknownOrder };
        let before = entry.leaves();
        match event {
            OrderEvent::Accepted { .. } => Settlement::Working,
            // A fill under the new id says that the replacement is in force; its answer may still be on the way.
            OrderEvent::Filled { .. } => self.settle_open(replaced, entry, event),
            OrderEvent::Reduced { qty, .. } => {
                entry.pending_qty = entry.pending_qty.saturating_sub(qty.0).max(entry.executed).max(1);
                self.store(replaced, entry, before, Settlement::Working)
            }
            OrderEvent::ReplaceRejected { .. } | OrderEvent::Rejected { .. } => {
                entry.pending_qty = 0;
                entry.link = 0;
                self.orders.close(id, named);
                self.store(replaced, entry, before, Settlement::Working)
            }
            OrderEvent::Cancelled { .. } => {
                (entry.qty, entry.pending_qty, entry.link) = (entry.executed, 0, 0);
                self.orders.close(id, named);
                self.store(replaced, entry, before, Settlement::Working)
            }
            OrderEvent::Replaced { .. } => {
                let (qty, px, link, pending_qty) = (entry.pending_qty, named.px, 0, 0);
                let moved = Entry { qty, px, link, pending_qty, ..entry };
                self.orders.put(id, moved);
                self.orders.close(replaced, entry);
                self.store(id, moved, before, Settlement::Working)
            }
        }
    }

    /// An event of an order that counts no more: only a fill still means something.
    fn settle_closed(&mut self, entry: &Entry, event: OrderEvent) -> Settlement {
        match event {
            OrderEvent::Filled { qty, .. } => {
                self.fill(entry, qty);
                Settlement::LateFill
            }
            _ => Settlement::Ignored,
        }
    }

    fn fill(&mut self, entry: &Entry, qty: Qty) {
        if let Some(cell) = self.cells.get_mut(entry.cell as usize) {
            cell.fill(entry.side, qty.0);
        }
    }

    /// Writes an entry back, keeps its cell in step, and closes it when nothing is left and nothing is under way.
    fn store(&mut self, id: u64, entry: Entry, before: u32, outcome: Settlement) -> Settlement {
        self.rework(&entry, before);
        if entry.leaves() == 0 && entry.pending_qty == 0 {
            self.orders.close(id, entry);
            return if outcome == Settlement::Working { Settlement::Done } else { outcome };
        }
        self.orders.put(id, entry);
        outcome
    }
}
