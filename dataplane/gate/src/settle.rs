//! What the venue says happened, booked against what was reserved.
//!
//! Every event changes an entry and then moves its cell by what the entry's leaves changed by, in one place
//! ([`Gate::store`]): reservations and working orders cannot drift apart.

use types::{Px, Qty, Side};

use crate::{
    exposure::Cell,
    gate::{Gate, Reservation},
    ids::AccountId,
    intent::{OrderEvent, Traded},
    orders::{Entry, Life},
    own_orders::opposite,
    price::word_price,
    tally::Trade,
};

/// How many replacements of replacements a misnamed fill is followed through; beyond, only the position moves.
const REPLACEMENTS_FOLLOWED: usize = 16;

/// What an event did. After the last four the books of gate and venue differ: the (instrument, strategy) refuses growth
/// until a person has set its position ([`Gate::set_position`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The order works on.
    Working,
    /// The order is done and counts no more.
    Done,
    /// A fill of an order already done: the position moved. The venue's fill and its end crossed.
    LateFill,
    /// Nothing changed: the order was done, or the event cannot happen to it.
    Ignored,
    /// An execution that was booked before: nothing changed.
    Repeated,
    /// A fill for more than the order had left: the position moved by all of it.
    Overfill,
    /// A fill under the id of an order that has been replaced: it counts as one of the replacement.
    Misnamed,
    /// The venue took a trade back: the position moved by all of it.
    Busted,
    /// No such order: nothing changed. When shares moved with it, nobody can say whose, and every (instrument, strategy)
    /// refuses growth.
    UnknownOrder,
}

impl Gate {
    /// Gives back a reservation whose order could not be sent. The rate it used is not given back. One that is stale
    /// releases nothing: the venue has said something of the order, or its id is another order's now.
    pub fn release(&mut self, reservation: Reservation) -> Settlement {
        let (event, Reservation { id, generation, .. }) = (reservation.released(), reservation);
        // Generation 0 is that of an order of which the venue has spoken, and of a reservation made up of zeros.
        if generation == 0 || self.orders.get(id).is_none_or(|entry| entry.generation != generation) {
            return Settlement::Ignored;
        }
        self.settle(event)
    }

    /// Takes note of what the venue says happened.
    pub fn settle(&mut self, event: OrderEvent) -> Settlement {
        let id = event.id();
        let Some(mut named) = self.orders.get(id) else { return self.settle_unknown(event) };
        // One of nothing does not use its number up: the venue's next word of it may have a quantity.
        if let Some(Traded { execution, qty, .. }) = event.traded()
            && qty.0 != 0
            && self.is_repeated(execution)
        {
            return Settlement::Repeated;
        }
        if let OrderEvent::Busted { qty, .. } = event {
            return self.settle_bust(&named, qty);
        }
        named.generation = 0;
        match named.life {
            Life::Closed => self.settle_closed(&named, event),
            Life::Open => self.settle_open(id, named, event),
            Life::Pending => self.settle_pending(id, named, event),
        }
    }

    #[inline(never)]
    fn is_repeated(&mut self, execution: u64) -> bool {
        !self.executions.remember(execution)
    }

    #[cold]
    fn settle_bust(&mut self, entry: &Entry, qty: Qty) -> Settlement {
        // At the price that the order was judged by: the venue does not say at which it was traded.
        let px = word_price(entry.px);
        self.book(entry, Trade { side: entry.side, qty: qty.0, px, undone: true });
        self.doubt(entry);
        Settlement::Busted
    }

    /// An event of an order that is not in the table. Shares that moved with it belong to a position that cannot be told.
    #[cold]
    fn settle_unknown(&mut self, event: OrderEvent) -> Settlement {
        if event.moves_shares() || event.is_a_trade_of_nobody() {
            self.cells.iter_mut().for_each(Cell::doubt);
        }
        Settlement::UnknownOrder
    }

    /// The books of the order's cell differ.
    #[cold]
    fn doubt(&mut self, entry: &Entry) {
        if let Some(cell) = self.cells.get_mut(entry.cell as usize) {
            cell.doubt();
        }
    }

    /// Moves the working quantity of an entry's cell, and of its account, from `before` to `after`.
    #[inline(always)]
    pub(crate) fn rework(&mut self, entry: &Entry, before: u32, after: u32) {
        if let Some(cell) = self.cells.get_mut(entry.cell as usize) {
            cell.rework(entry.side, before, after);
        }
        if let Some(account) = self.shared.account_mut(entry) {
            account.rework(entry.side, before, after);
        }
        if self.levels.on {
            let (instrument, strategy) = self.cell_names(entry.cell as usize);
            self.levels.cells_mut(strategy, instrument, |cell| cell.rework(entry.side, before, after));
        }
        self.moved(entry);
    }

    /// What a strategy and an account hold, or have working, has changed.
    #[inline(always)]
    fn moved(&mut self, entry: &Entry) {
        if self.levels.on {
            let (instrument, strategy) = self.cell_names(entry.cell as usize);
            self.relist(instrument, strategy, AccountId(entry.account));
        }
    }

    /// The order counts no more.
    #[inline(always)]
    fn close(&mut self, id: u64, entry: Entry, link: u64) {
        self.orders.close(id, entry, link);
        self.shared.done(&entry);
    }

    /// An event of an order that works, named by another id.
    #[inline(never)]
    fn settle_named(&mut self, id: u64, entry: Entry, event: OrderEvent) -> Settlement {
        self.settle_open(id, entry, event)
    }

    /// An event of an order that works.
    #[inline(always)]
    fn settle_open(&mut self, id: u64, mut entry: Entry, event: OrderEvent) -> Settlement {
        let before = entry.leaves();
        let mut outcome = Settlement::Working;
        match event {
            OrderEvent::Accepted { .. } => {}
            OrderEvent::Filled { qty, .. }
            | OrderEvent::Executed { qty, .. }
            | OrderEvent::ExecutedAt { qty, .. } => {
                if qty.0 > before {
                    outcome = Settlement::Overfill;
                    self.doubt(&entry);
                }
                if entry.executed == 0 && qty.0 != 0 {
                    self.note_streak(&entry);
                }
                entry.executed = entry.executed.saturating_add(qty.0);
                self.fill(&entry, event);
            }
            OrderEvent::Reduced { qty, .. } => {
                entry.qty = entry.qty.saturating_sub(qty.0).max(entry.executed);
            }
            // What is not executed is gone. A replacement under way still counts until it is answered.
            OrderEvent::Cancelled { .. } | OrderEvent::Rejected { .. } => entry.qty = entry.executed,
            OrderEvent::Replaced { .. } | OrderEvent::ReplaceRejected { .. } | OrderEvent::Busted { .. } => {
                return Settlement::Ignored;
            }
        }
        self.store(id, entry, before, outcome)
    }

    /// An event that names a replacement the venue had not answered.
    #[inline(never)]
    fn settle_pending(&mut self, id: u64, named: Entry, event: OrderEvent) -> Settlement {
        let replaced = named.link;
        let Some(mut entry) = self.orders.get(replaced) else { return Settlement::UnknownOrder };
        let before = entry.leaves();
        // A venue that speaks of the replacement otherwise than by refusing it has the order that it replaces.
        if !matches!(event, OrderEvent::ReplaceRejected { .. } | OrderEvent::Rejected { .. }) {
            entry.generation = 0;
        }
        self.orders.put(id, named);
        match event {
            OrderEvent::Accepted { .. } | OrderEvent::Busted { .. } => {
                self.orders.put(replaced, entry);
                Settlement::Working
            }
            // A fill under the new id says that the replacement is in force; its answer may still be on the way.
            OrderEvent::Filled { .. } | OrderEvent::Executed { .. } | OrderEvent::ExecutedAt { .. } => {
                self.settle_named(replaced, entry, event)
            }
            OrderEvent::Reduced { qty, .. } => {
                entry.pending_qty = entry.pending_qty.saturating_sub(qty.0).max(entry.executed).max(1);
                self.store(replaced, entry, before, Settlement::Working)
            }
            OrderEvent::ReplaceRejected { .. } | OrderEvent::Rejected { .. } => {
                entry.pending_qty = 0;
                entry.link = 0;
                self.close(id, named, 0);
                self.store(replaced, entry, before, Settlement::Working)
            }
            OrderEvent::Cancelled { .. } => {
                (entry.qty, entry.pending_qty, entry.link) = (entry.executed, 0, 0);
                self.close(id, named, 0);
                self.store(replaced, entry, before, Settlement::Working)
            }
            OrderEvent::Replaced { .. } => {
                let (qty, px, link, pending_qty) = (entry.pending_qty, named.px, 0, 0);
                let moved = Entry { qty, px, link, pending_qty, ..entry };
                self.orders.put(id, moved);
                self.close(replaced, entry, id);
                self.store(id, moved, before, Settlement::Working)
            }
        }
    }

    /// An event of an order that counts no more: only a fill still means something.
    #[inline(never)]
    fn settle_closed(&mut self, entry: &Entry, event: OrderEvent) -> Settlement {
        let Some(Traded { qty, .. }) = event.traded() else { return Settlement::Ignored };
        if entry.executed == 0 && qty.0 != 0 {
            self.note_streak(entry);
        }
        if entry.link == 0 {
            self.fill(entry, event);
            return Settlement::LateFill;
        }
        // It counts into whatever the order has become.
        self.doubt(entry);
        let (mut id, mut chain) = (entry.link, self.orders.get(entry.link));
        for _ in 0..REPLACEMENTS_FOLLOWED {
            match chain {
                Some(next) if next.life == Life::Closed && next.link != 0 => {
                    (id, chain) = (next.link, self.orders.get(next.link));
                }
                Some(next) if next.life == Life::Open && next.cell == entry.cell => {
                    self.settle_named(id, next, event);
                    return Settlement::Misnamed;
                }
                _ => break,
            }
        }
        self.fill(entry, event);
        Settlement::Misnamed
    }

    /// Books what was traded of an order, at the price that the venue says; where it says none, at the worst at which the order, or
    /// its replacement that is under way, may have traded.
    fn fill(&mut self, entry: &Entry, event: OrderEvent) {
        let Some(Traded { qty, px, .. }) = event.traded() else { return };
        let px = if px.is_some() { px } else { self.worst_price(entry) };
        self.book(entry, Trade { side: entry.side, qty: qty.0, px, undone: false });
        if self.activities.on {
            self.count_trade(entry);
        }
    }

    fn worst_price(&self, entry: &Entry) -> Px {
        let pending = if entry.pending_qty == 0 { None } else { self.orders.get(entry.link) };
        let other = pending.map_or(entry.px, |pending| pending.px);
        word_price(if entry.side == Side::Bid { entry.px.max(other) } else { entry.px.min(other) })
    }

    /// An order was executed for the first time.
    fn note_streak(&mut self, entry: &Entry) {
        let (_, strategy) = self.cell_names(entry.cell as usize);
        self.streaks.note(entry.cell as usize, strategy, entry.side, self.told);
    }

    /// A trade has the time of the last order: the venue's word comes without one.
    #[inline(never)]
    fn count_trade(&mut self, entry: &Entry) {
        let (_, strategy) = self.cell_names(entry.cell as usize);
        let last = self.activities.last;
        self.activities.count(strategy, AccountId(entry.account), last, [0, 0, 0, 0, 1]);
    }

    /// Moves the position of an order's cell, of its account, and of its groups.
    #[inline(always)]
    fn book(&mut self, entry: &Entry, trade: Trade) {
        let (side, qty) = (if trade.undone { opposite(trade.side) } else { trade.side }, trade.qty);
        if let Some(cell) = self.cells.get_mut(entry.cell as usize) {
            cell.fill(side, qty);
        }
        if let Some(account) = self.shared.account_mut(entry) {
            account.fill(side, qty);
        }
        if self.tallies.rules.is_some() {
            self.tally_trade(entry, &trade);
        }
        if self.levels.on {
            let (instrument, strategy) = self.cell_names(entry.cell as usize);
            self.levels.cells_mut(strategy, instrument, |cell| cell.fill(side, qty));
        }
        self.moved(entry);
    }

    /// What a trade cost or brought.
    #[inline(never)]
    fn tally_trade(&mut self, entry: &Entry, trade: &Trade) {
        if !trade.px.is_some() {
            // At what it traded nobody knows: somebody must look.
            self.doubt(entry);
            return;
        }
        let (instrument, strategy) = self.cell_names(entry.cell as usize);
        let Self { tallies, levels, shared, .. } = self;
        tallies.trade(entry.cell as usize, shared.at(instrument, AccountId(entry.account)), trade);
        levels.tallies_mut(strategy, instrument, |tally| tallies.trade_in(tally, trade));
    }

    /// Writes an entry back, keeps its cell in step, and closes it when nothing is left and nothing is under way.
    fn store(&mut self, id: u64, entry: Entry, before: u32, outcome: Settlement) -> Settlement {
        let leaves = entry.leaves();
        self.rework(&entry, before, leaves);
        if leaves == 0 && entry.pending_qty == 0 {
            self.close(id, entry, 0);
            return if outcome == Settlement::Working { Settlement::Done } else { outcome };
        }
        self.orders.put(id, entry);
        outcome
    }
}
