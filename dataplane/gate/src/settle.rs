//! What the venue says happened, booked against what was reserved.
//!
//! Every event changes an entry and then moves its cell by what the entry's leaves changed by, in one place
//! ([`Gate::store`]): reservations and working orders cannot drift apart.

use types::{Px, Qty, Side};

use crate::{
    doubt::Astray,
    executions::{Booked, Remembered},
    exposure::Cell,
    gate::{Gate, Reservation},
    ids::AccountId,
    intent::{OrderEvent, Traded},
    orders::{Entry, Life, NOWHERE},
    tally::Trade,
};

/// What an event did. After the last five the books of gate and venue differ: the (instrument, strategy) refuses growth
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
    /// The venue took a trade back: the position moved by as much of it as had counted.
    Busted,
    /// No such order: nothing changed. When shares moved with it, or the venue has it working, nobody can say whose it is, and every
    /// (instrument, strategy) refuses growth.
    UnknownOrder,
    /// The venue says what cannot be: of an order that it refused, of an execution that was another one's, of more than was traded.
    /// Shares that moved count, but of an execution whose number counted before.
    Contradicted,
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
    #[inline]
    pub fn settle(&mut self, event: OrderEvent) -> Settlement {
        match event {
            OrderEvent::Cancelled { id } => self.settle_cancelled(id),
            OrderEvent::Accepted { .. }
            | OrderEvent::Filled { .. }
            | OrderEvent::Executed { .. }
            | OrderEvent::ExecutedAt { .. }
            | OrderEvent::Busted { .. }
            | OrderEvent::BustedExecution { .. }
            | OrderEvent::Reduced { .. }
            | OrderEvent::ReducedTo { .. }
            | OrderEvent::Rejected { .. }
            | OrderEvent::Replaced { .. }
            | OrderEvent::ReplaceRejected { .. } => self.settle_told(event),
        }
    }

    /// What most orders come to. Told apart where the event is made, so that its id is handed on in a register, and so that
    /// [`Gate::settle_open`] is made once for it alone, without the questions that other events ask.
    fn settle_cancelled(&mut self, id: u64) -> Settlement {
        let event = OrderEvent::Cancelled { id };
        let named = self.orders.find(id).and_then(|at| Some((at, *self.orders.entry(at)?)));
        match named {
            Some((at, entry)) if entry.life == Life::Open => {
                self.settle_open((id, at), Entry { generation: 0, ..entry }, event)
            }
            _ => self.settle_told(event),
        }
    }

    /// The same of any event.
    #[inline(never)]
    fn settle_told(&mut self, event: OrderEvent) -> Settlement {
        let id = event.id();
        let Some(at) = self.orders.find(id) else { return self.settle_unknown(event) };
        // One of nothing does not use its number up: the venue's next word of it may have a quantity.
        if let Some(Traded { execution, qty, px }) = event.traded()
            && qty.0 != 0
            && let Some(told) = self.tell_apart(execution, Booked { px, order: id, qty: qty.0, left: qty.0 })
        {
            return told;
        }
        match event {
            OrderEvent::Busted { qty, .. } => return self.settle_bust(id, 0, qty),
            OrderEvent::BustedExecution { execution, qty, .. } => {
                return self.settle_bust(id, execution, qty);
            }
            OrderEvent::Accepted { .. }
            | OrderEvent::Filled { .. }
            | OrderEvent::Executed { .. }
            | OrderEvent::ExecutedAt { .. }
            | OrderEvent::Reduced { .. }
            | OrderEvent::ReducedTo { .. }
            | OrderEvent::Cancelled { .. }
            | OrderEvent::Rejected { .. }
            | OrderEvent::Replaced { .. }
            | OrderEvent::ReplaceRejected { .. } => {}
        }
        let Some(&named) = self.orders.entry(at) else { return self.settle_unknown(event) };
        match named.life {
            Life::Closed | Life::Refused => self.settle_over(id, &{ named }, event),
            Life::Open => self.settle_open((id, at), Entry { generation: 0, ..named }, event),
            Life::Pending => self.settle_pending(id, Entry { generation: 0, ..named }, event),
        }
    }

    /// Remembers an execution. None of one that is new; else what became of it: the same again, or another one of its number.
    #[inline(never)]
    fn tell_apart(&mut self, execution: u64, booked: Booked) -> Option<Settlement> {
        let Self { executions, orders, .. } = self;
        let works = |order| orders.last_of(order).is_some_and(|(_, last)| !last.life.is_over());
        match executions.remember(execution, booked, works) {
            Remembered::New => None,
            Remembered::Forgetting(forgotten) => {
                // Told again, it would count again.
                self.doubt_order(forgotten.order, |side| Astray::miscounted(side, forgotten.left));
                None
            }
            Remembered::Known(known) => {
                let same = known.qty == booked.qty && self.is_of(known.order, booked.order);
                if known.order == 0 || same {
                    return Some(Settlement::Repeated);
                }
                // Both were traded, or the later one instead of the earlier.
                self.doubt_order(booked.order, |side| Astray::uncounted(side, booked.qty));
                self.doubt_order(known.order, |side| Astray::miscounted(side, known.left));
                Some(Settlement::Contradicted)
            }
        }
    }

    /// Whether two names are of one order.
    fn is_of(&self, order: u64, other: u64) -> bool {
        let last = |id| self.orders.last_of(id).map(|(last, _)| last);
        order == other || last(order).is_some_and(|order| last(other) == Some(order))
    }

    /// The books of an order's cell differ; of every cell, where nobody knows any more which position it moved.
    #[cold]
    fn doubt_order(&mut self, id: u64, astray: impl Fn(Side) -> Astray) {
        match self.orders.get(id) {
            Some(entry) => self.doubt(&entry, astray(entry.side)),
            None => self.doubt_all(astray(Side::Bid).and(astray(Side::Ask))),
        }
    }

    /// `qty` of an order's `execution`, 0 where that is not said, was not traded after all. Undone is what was done: once, no more than
    /// that, and at the price at which it counted.
    #[cold]
    fn settle_bust(&mut self, id: u64, execution: u64, qty: Qty) -> Settlement {
        let Some((last, mut entry)) = self.orders.last_of(id) else { return Settlement::UnknownOrder };
        let booked = self.executions.booked_mut(execution).copied();
        if qty.0 != 0 && booked.is_some_and(|booked| booked.left == 0) {
            return Settlement::Repeated;
        }
        if let Some(booked) = booked.filter(|booked| booked.order != 0 && !self.is_of(booked.order, id)) {
            self.doubt(&entry, Astray::miscounted(entry.side, qty.0));
            self.doubt_order(booked.order, |side| Astray::miscounted(side, qty.0.min(booked.left)));
            return Settlement::Contradicted;
        }
        let (left, px) = match booked {
            Some(booked) if qty.0 <= booked.left => (booked.left, booked.px),
            Some(booked) => (booked.left, Px::NONE),
            None => (entry.executed, Px::NONE),
        };
        let undone = qty.0.min(left).min(entry.executed);
        // It is taken for a trade that counted; by another reading it was none of this order's, or has been taken back before.
        let beyond = Astray::miscounted(entry.side, qty.0.saturating_sub(undone));
        let astray = Astray::uncounted(entry.side, undone).and(beyond);
        self.doubt(&entry, if qty.0 == 0 { Astray::ANYTHING } else { astray });
        if undone == 0 {
            return if qty.0 == 0 { Settlement::Busted } else { Settlement::Contradicted };
        }
        if let Some(booked) = self.executions.booked_mut(execution) {
            booked.left = booked.left.saturating_sub(undone);
        }
        // What is left of the order stays as it was.
        entry.qty = entry.qty.saturating_sub(undone);
        entry.executed = entry.executed.saturating_sub(undone);
        if entry.pending_qty != 0 {
            entry.pending_qty = entry.pending_qty.saturating_sub(undone).max(1);
        }
        let before = self.orders.get(last).map_or(0, |entry| entry.leaves());
        self.rework(&entry, before, entry.leaves());
        self.orders.put(last, entry);
        self.book(&entry, Trade { side: entry.side, qty: undone, px, undone: true });
        Settlement::Busted
    }

    /// An event of an order that is not in the table. Shares that moved with it belong to a position that cannot be told.
    #[cold]
    fn settle_unknown(&mut self, event: OrderEvent) -> Settlement {
        // One that works is nobody's here, and counts nowhere.
        let works = matches!(event, OrderEvent::Accepted { .. } | OrderEvent::Replaced { .. });
        if event.moves_shares() || event.is_a_trade_of_nobody() || works {
            let known = event.shares().filter(|_| event.id() != 0).map(|qty| Astray::on_either_side(qty.0));
            self.doubt_all(known.unwrap_or(Astray::ANYTHING));
        }
        Settlement::UnknownOrder
    }

    /// The books of some cell differ, by so much.
    #[cold]
    fn doubt_all(&mut self, astray: Astray) {
        self.cells.iter_mut().for_each(Cell::doubt);
        self.astray.iter_mut().for_each(|place| *place = place.and(astray));
    }

    /// What a reduction leaves of an order's `whole` quantity, and whether that is less than what it is said to have traded.
    #[inline(never)]
    fn reduce(&mut self, entry: &Entry, whole: u32, event: OrderEvent) -> (u32, Settlement) {
        let told = event.reduced(whole);
        if told >= entry.executed {
            return (told, Settlement::Working);
        }
        self.doubt(entry, Astray::miscounted(entry.side, entry.executed.saturating_sub(told)));
        (entry.executed, Settlement::Contradicted)
    }

    /// The books of the order's cell differ, by so much.
    #[cold]
    pub(crate) fn doubt(&mut self, entry: &Entry, astray: Astray) {
        let at = entry.cell as usize;
        if let (Some(cell), Some(place)) = (self.cells.get_mut(at), self.astray.get_mut(at)) {
            cell.doubt();
            *place = place.and(astray);
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
            self.rework_levels((entry.cell, entry.account), entry.side, (before, after));
        }
    }

    /// The same of the levels above a strategy and an account. Apart, so that a gate without them keeps its numbers in registers.
    #[inline(never)]
    fn rework_levels(&mut self, (cell, account): (u32, u16), side: Side, (before, after): (u32, u32)) {
        let (instrument, strategy) = self.cell_names(cell as usize);
        self.levels.cells_mut(strategy, instrument, |cell| cell.rework(side, before, after));
        self.relist(instrument, strategy, AccountId(account));
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
        let at = self.orders.find(id).unwrap_or(NOWHERE);
        self.settle_open((id, at), entry, event)
    }

    /// An event of an order that works, whose slot is `at`.
    #[inline(always)]
    fn settle_open(&mut self, (id, at): (u64, usize), mut entry: Entry, event: OrderEvent) -> Settlement {
        let (before, mut whole) = (entry.leaves(), entry.qty);
        let mut outcome = Settlement::Working;
        match event {
            OrderEvent::Accepted { .. } => {}
            OrderEvent::Filled { qty, .. }
            | OrderEvent::Executed { qty, .. }
            | OrderEvent::ExecutedAt { qty, .. } => {
                if qty.0 > before {
                    outcome = Settlement::Overfill;
                    self.doubt(&{ entry }, Astray::miscounted(entry.side, qty.0));
                }
                if entry.executed == 0 && qty.0 != 0 {
                    self.note_streak(&{ entry });
                }
                entry.executed = entry.executed.saturating_add(qty.0);
                self.fill(&{ entry }, event);
            }
            OrderEvent::Reduced { .. } | OrderEvent::ReducedTo { .. } => {
                (entry.qty, outcome) = self.reduce(&{ entry }, entry.qty, event);
                whole = entry.qty;
            }
            // What is not executed is gone. A replacement under way still counts until it is answered.
            OrderEvent::Cancelled { .. } | OrderEvent::Rejected { .. } => {
                entry.qty = entry.executed;
                if matches!(event, OrderEvent::Rejected { .. })
                    && entry.executed == 0
                    && entry.pending_qty == 0
                {
                    entry.life = Life::Refused;
                }
            }
            OrderEvent::Replaced { .. }
            | OrderEvent::ReplaceRejected { .. }
            | OrderEvent::Busted { .. }
            | OrderEvent::BustedExecution { .. } => return Settlement::Ignored,
        }
        self.finish((id, at), entry, (before, whole), outcome)
    }

    /// An event that names a replacement the venue had not answered.
    #[cold]
    #[inline(never)]
    fn settle_pending(&mut self, id: u64, mut named: Entry, event: OrderEvent) -> Settlement {
        let replaced = named.link;
        let Some(mut entry) = self.orders.get(replaced) else { return Settlement::UnknownOrder };
        let before = entry.leaves();
        // A venue that speaks of the replacement otherwise than by refusing it has the order that it replaces.
        if !matches!(event, OrderEvent::ReplaceRejected { .. } | OrderEvent::Rejected { .. }) {
            entry.generation = 0;
        }
        if let Some(Traded { qty, .. }) = event.traded() {
            named.executed = named.executed.saturating_add(qty.0);
        }
        self.orders.put(id, named);
        match event {
            OrderEvent::Accepted { .. } | OrderEvent::Busted { .. } | OrderEvent::BustedExecution { .. } => {
                self.orders.put(replaced, entry);
                Settlement::Working
            }
            // A fill under the new id says that the replacement is in force; its answer may still be on the way.
            OrderEvent::Filled { .. } | OrderEvent::Executed { .. } | OrderEvent::ExecutedAt { .. } => {
                self.settle_named(replaced, entry, event)
            }
            OrderEvent::Reduced { .. } | OrderEvent::ReducedTo { .. } => {
                let (left, outcome) = self.reduce(&{ entry }, entry.pending_qty, event);
                entry.pending_qty = left.max(1);
                self.store(replaced, entry, (before, entry.qty), outcome)
            }
            OrderEvent::ReplaceRejected { .. } | OrderEvent::Rejected { .. } => {
                (entry.pending_qty, entry.link) = (0, 0);
                named.life = Life::Refused;
                self.close(id, named, 0);
                // It was traded under its own name, or more than the order had without it.
                let beyond = entry.executed.saturating_sub(entry.qty);
                let contradicted = named.executed != 0 || beyond != 0;
                if contradicted {
                    // It may be in force all the same, with what it added.
                    let added = Astray::uncounted(entry.side, before.saturating_sub(entry.leaves()));
                    let traded = Astray::miscounted(entry.side, named.executed.max(beyond));
                    self.doubt(&entry, traded.and(added));
                }
                let outcome = if contradicted { Settlement::Contradicted } else { Settlement::Working };
                self.store(replaced, entry, (before, entry.qty), outcome)
            }
            OrderEvent::Cancelled { .. } => {
                let whole = entry.qty.max(entry.pending_qty);
                (entry.qty, entry.pending_qty, entry.link) = (entry.executed, 0, 0);
                self.close(id, named, 0);
                self.store(replaced, entry, (before, whole), Settlement::Working)
            }
            OrderEvent::Replaced { .. } => {
                let (qty, px, link, pending_qty) = (entry.pending_qty, named.px, 0, 0);
                let moved = Entry { qty, px, link, pending_qty, ..entry };
                self.orders.put(id, moved);
                self.close(replaced, entry, id);
                self.store(id, moved, (before, moved.qty), Settlement::Working)
            }
        }
    }

    /// An event of an order that counts no more: only a fill still means something, or what the venue says of one that it never took.
    #[cold]
    #[inline(never)]
    fn settle_over(&mut self, id: u64, entry: &Entry, event: OrderEvent) -> Settlement {
        let refused = entry.life == Life::Refused;
        let Some(Traded { qty, .. }) = event.traded() else {
            let ended = matches!(
                event,
                OrderEvent::Cancelled { .. }
                    | OrderEvent::Rejected { .. }
                    | OrderEvent::ReplaceRejected { .. }
            );
            if !refused || ended {
                return Settlement::Ignored;
            }
            // It works, and whatever it has left may trade.
            self.doubt(entry, Astray::uncounted(entry.side, entry.qty.saturating_sub(entry.executed)));
            return Settlement::Contradicted;
        };
        if entry.executed == 0 && qty.0 != 0 {
            self.note_streak(entry);
        }
        // It counts into whatever the order has become.
        let (last, mut ended) = self.orders.last_of(id).unwrap_or((id, *entry));
        let renamed = last != id;
        let astray = Astray::miscounted(entry.side, qty.0);
        if renamed {
            // It may work on beside its replacement.
            let works =
                Astray::uncounted(entry.side, entry.qty.saturating_sub(entry.executed).saturating_sub(qty.0));
            self.doubt(entry, astray.and(works));
        }
        if ended.life == Life::Open && ended.cell == entry.cell {
            self.settle_named(last, ended, event);
            return Settlement::Misnamed;
        }
        ended.executed = ended.executed.saturating_add(qty.0);
        let beyond = refused || ended.executed > ended.qty;
        if beyond {
            // One that was refused works: whatever it has left may trade too.
            let left = if refused { ended.qty.saturating_sub(ended.executed) } else { 0 };
            self.doubt(entry, astray.and(Astray::uncounted(entry.side, left)));
        }
        self.orders.put(last, ended);
        self.fill(entry, event);
        match (renamed, refused, beyond) {
            (true, ..) => Settlement::Misnamed,
            (_, true, _) => Settlement::Contradicted,
            (.., true) => Settlement::Overfill,
            _ => Settlement::LateFill,
        }
    }

    /// Writes an entry back, keeps its cell in step, and closes it when nothing is left and nothing is under way. It had the `whole`
    /// quantity: where it closes, so much of it may have been executed.
    #[inline(never)]
    fn store(&mut self, id: u64, entry: Entry, counted: (u32, u32), outcome: Settlement) -> Settlement {
        let at = self.orders.find(id).unwrap_or(NOWHERE);
        self.finish((id, at), entry, counted, outcome)
    }

    /// The same of one in slot `at`.
    #[inline(always)]
    fn finish(
        &mut self,
        (id, at): (u64, usize),
        entry: Entry,
        (before, whole): (u32, u32),
        outcome: Settlement,
    ) -> Settlement {
        let leaves = entry.leaves();
        self.rework(&entry, before, leaves);
        if leaves == 0 && entry.pending_qty == 0 {
            self.orders.close_at(at, id, Entry { qty: whole, ..entry }, 0);
            self.shared.done(&entry);
            return if outcome == Settlement::Working { Settlement::Done } else { outcome };
        }
        if let Some(place) = self.orders.entry_mut(at) {
            *place = entry;
        }
        outcome
    }
}
