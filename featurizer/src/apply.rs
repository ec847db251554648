//! Applying events to the books: what orders and levels do. What states and statuses do stands in `administer.rs`, what becomes of
//! the best quotes in `quotes.rs`, and how the lines of later events are asked for in `ahead.rs`.

use types::{
    Action, BookEvent, BookState, EventFlags, InstrumentId, Px, Qty, Side, StaleCause, TickTableId,
    TradingStatus,
};

use crate::coming::Coming;
use crate::counters::BookCounters;
use crate::gaps::{Gaps, Overdue};
use crate::ladder::{PX_MAX, TICKS, flag};
use crate::levels::{Change, LevelsMut};
use crate::order_table::{OrderIndex, Slot, Spot};
use crate::owner::Owner;
use crate::units::px_of_units;
use crate::view::{Book, Meta, Parts};

/// Events of orders a book never saw that it survives between two clears.
const UNKNOWN_ORDERS_MAX: u8 = 3;

/// What became of an event. Those after [`Effect::Changed`] may have changed the book's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing in the book changed (trade, status, definition, time).
    Unchanged,
    /// The book's levels changed.
    Changed,
    /// They changed by what no whole book allows: it is stale from now on.
    Contradicted,
    /// It named an order the book does not know: counted, otherwise ignored. Several make the book stale.
    Unknown,
    /// It could not be applied: out of bounds, or a table is full (the book is stale then).
    Refused,
}

impl Effect {
    /// Whether the levels changed.
    #[inline]
    #[must_use]
    pub const fn changes_levels(self) -> bool {
        matches!(self, Self::Changed | Self::Contradicted)
    }
}

/// What an event did, for whoever computes from the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What became of it.
    pub effect: Effect,
    /// Side of the resting order or level.
    pub side: Side,
    /// Price of the resting order, level or trade; the execution's own price where it has one.
    pub px: Px,
    /// Quantity added, taken or traded; for a level, what it holds now.
    pub qty: u64,
    /// For a level: what it held before.
    pub before: u64,
}

impl Applied {
    pub(crate) const fn nothing(effect: Effect) -> Self {
        Self { effect, side: Side::Bid, px: Px::NONE, qty: 0, before: 0 }
    }
}

/// What is known of an instrument beside its prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Tick size; of a table, the highest.
    pub tick: Px,
    /// The table, where the tick differs by price.
    pub tick_table: TickTableId,
    /// Whether the book can be believed.
    pub state: BookState,
    /// Whether the venue trades the instrument.
    pub status: TradingStatus,
}

/// The books, lent for one chunk of events.
pub struct BooksMut<'a> {
    pub(crate) slots: &'a mut [Slot],
    pub(crate) levels: LevelsMut<'a>,
    pub(crate) orders: &'a mut OrderIndex,
    pub(crate) metas: &'a mut [Meta],
    pub(crate) default_tick: i64,
    pub(crate) used: &'a mut usize,
    pub(crate) gaps: &'a mut Gaps,
    /// The feed asks for messages that are missing: no book is as new as it looks.
    pub(crate) recovering: &'a mut bool,
    pub(crate) overdue: &'a mut Overdue,
    pub(crate) counters: &'a mut BookCounters,
    /// A book beside the event's own that the last event puts in doubt, and why.
    pub(crate) doubted_too: Option<(InstrumentId, StaleCause)>,
}

impl BooksMut<'_> {
    /// Applies one event to the book it names. Never fails: what cannot be done is counted, and makes the book stale where its
    /// levels would be wrong from then on.
    #[inline]
    pub fn apply(&mut self, event: &BookEvent) -> Applied {
        let applied = self.apply_coming(self.alone(event));
        self.doubt_other();
        applied
    }

    /// The same for an event that was looked at ahead. What it did to another book than its own, which an [`Effect`] beyond
    /// [`Effect::Changed`] may tell of, is done by [`BooksMut::doubt_other`].
    // Always: merged into the loop over the events, what it returns need not go through memory.
    #[inline(always)]
    pub fn apply_coming(&mut self, coming: Coming<'_>) -> Applied {
        let (spot, event) = (coming.spot(), coming.event());
        let i = event.instrument.index();
        let Some(row) = self.levels.rows.get(i) else { return self.apply_to_all(event) };
        // One bit in both, so that one test asks both.
        if (row.head.flags | event.flags.0) & flag::NOT_LIVE != 0 {
            self.note_doubt(i, event);
        }
        if event.action as u8 <= Action::OrderDelete as u8
            && let Some(applied) = self.apply_plain(i, spot, event)
        {
            return applied;
        }
        let Applied { effect, side, px, qty, before } = if event.action as u8 == Action::OrderReplace as u8 {
            self.order_replace(i, spot, event)
        } else {
            self.apply_any(i, event)
        };
        // Taken apart, so that the plain way need not go through the memory in which those two return it.
        Applied { effect, side, px, qty, before }
    }

    /// Nine in ten events: one order, where it should be, and its level in the window. `None`, and nothing has changed, in any other
    /// case. Adding and taking are one way, since which of them comes next is the toss of a coin.
    #[inline(always)]
    fn apply_plain(&mut self, i: usize, spot: Spot, event: &BookEvent) -> Option<Applied> {
        let row = &mut self.levels.rows[i];
        let step = self.orders.plain(self.slots, spot, event, Owner::from_bits(row.head.owner))?;
        let (side, units) = (step.side, step.units);
        let s = side.index();
        let index = row.head.index_of_units(s, units);
        if index >= TICKS {
            return None;
        }
        let cell = &mut self.levels.cells[i][s][row.head.cell(index)];
        let before = *cell;
        let after = before.stepped(step.change)?;
        *cell = after;
        row.settle(s, index, before, after);
        self.orders.take_step(self.slots, &step);
        let px = if event.flags.has(EventFlags::HAS_PX) { event.px } else { Px(px_of_units(units)) };
        Some(Applied { effect: Effect::Changed, side, px, qty: u64::from(step.qty), before: 0 })
    }

    #[inline(never)]
    fn apply_any(&mut self, i: usize, event: &BookEvent) -> Applied {
        match event.action {
            Action::OrderAdd => self.order_add(i, event),
            Action::OrderReplace => self.order_replace(i, self.orders.spot_of(event.order_id), event),
            Action::OrderReduce | Action::OrderExecute | Action::OrderDelete => self.order_take(i, event),
            Action::LevelSet => self.level_set(i, event),
            Action::Trade => Applied {
                effect: Effect::Unchanged,
                side: event.side,
                px: event.px,
                qty: u64::from(event.qty.0),
                before: 0,
            },
            Action::TradeBreak
            | Action::Status
            | Action::Define
            | Action::Clear
            | Action::Gap
            | Action::Time
            | Action::SessionEnd
            | Action::Channel => self.administer(i, event),
        }
    }

    /// One book, to be read between events.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<Book<'_>> {
        let i = instrument.index();
        let parts = Parts {
            rows: self.levels.rows,
            cells: self.levels.cells,
            arena: self.levels.arena,
            levels: self.levels.index,
            metas: self.metas,
        };
        (i < self.metas.len()).then(|| parts.book(i))
    }

    /// Ticks, state and status of one instrument; `None` when it is out of range.
    #[inline]
    #[must_use]
    pub fn conditions(&self, instrument: InstrumentId) -> Option<Conditions> {
        let i = instrument.index();
        let &Meta { state, status, .. } = self.metas.get(i)?;
        let (tick, tick_table) = self.levels.index.tick_size(i);
        Some(Conditions { tick, tick_table, state, status })
    }

    /// Whether the book is not live at the moment, or the instrument is no single one.
    #[inline]
    #[must_use]
    pub fn is_doubtful(&self, instrument: InstrumentId) -> bool {
        self.levels.rows.get(instrument.index()).is_none_or(|row| row.head.flags & flag::NOT_LIVE != 0)
    }

    /// Instruments addressed so far are those below this number.
    #[must_use]
    pub fn used(&self) -> usize {
        *self.used
    }

    /// Whether `channel` spoke of the instrument.
    pub(crate) fn is_of(&self, i: usize, channel: u8) -> bool {
        self.metas.get(i).is_some_and(|meta| meta.channels.has(channel))
    }

    fn owner(&self, i: usize) -> Owner {
        Owner::from_bits(self.levels.rows[i].head.owner)
    }

    /// An order or a level that no book can hold: the book lacks it from now on.
    #[cold]
    fn unholdable(&mut self, i: usize) -> Applied {
        self.doubt(i, StaleCause::TableFull);
        self.bad()
    }

    #[cold]
    pub(crate) fn bad(&mut self) -> Applied {
        self.counters.bad_events += 1;
        Applied::nothing(Effect::Refused)
    }

    /// An order the book never saw: a whole book has none, and a few are not yet proof (a venue may withdraw twice). One that another
    /// book of the feed has is proof at once: one of the two has kept, or lost, what is not its own.
    #[cold]
    fn unknown(&mut self, i: usize, id: u64) -> Applied {
        self.counters.unknown_orders += 1;
        if let Some(other) = self.elsewhere(i, id) {
            self.doubt_both(i, other, StaleCause::MixedLocate);
        }
        self.note_unknown(i);
        Applied::nothing(Effect::Unknown)
    }

    fn note_unknown(&mut self, i: usize) {
        let meta = &mut self.metas[i];
        meta.unknown_orders = meta.unknown_orders.saturating_add(1);
        if meta.unknown_orders > UNKNOWN_ORDERS_MAX {
            self.doubt(i, StaleCause::UnknownOrders);
        }
    }

    /// Another book fed by a channel of this one's that has a live order of that number.
    fn elsewhere(&self, i: usize, id: u64) -> Option<usize> {
        let other = self.orders.elsewhere(self.slots, id, self.owner(i))?;
        self.metas[i].channels.meets(self.metas[other].channels).then_some(other)
    }

    fn doubt_both(&mut self, i: usize, other: usize, cause: StaleCause) {
        self.doubt(i, cause);
        self.doubted_too = Some((InstrumentId(other as u32), cause));
    }

    /// A book beside its own that the last event puts in doubt.
    #[must_use]
    pub fn doubted_too(&self) -> Option<InstrumentId> {
        self.doubted_too.map(|(other, _)| other)
    }

    /// Puts it in doubt.
    #[inline]
    pub fn doubt_other(&mut self) {
        if let Some((other, cause)) = self.doubted_too.take() {
            self.doubt(other.index(), cause);
        }
    }

    /// A book that was believed is wrong, and stays so until it is cleared.
    #[cold]
    fn doubt(&mut self, i: usize, cause: StaleCause) {
        if self.is_whole(i) {
            self.set_state(i, BookState::Stale(cause));
        }
    }

    #[cold]
    #[inline(never)]
    fn table_full(&mut self, i: usize) -> Applied {
        self.counters.table_full += 1;
        self.set_state(i, BookState::Stale(StaleCause::TableFull));
        Applied::nothing(Effect::Refused)
    }

    #[inline]
    fn order_add(&mut self, i: usize, event: &BookEvent) -> Applied {
        if event.qty.0 == 0 {
            return self.bad();
        }
        if !holds_price(event.px) {
            return self.unholdable(i);
        }
        self.insert(i, event.order_id, event.side, event.px, event.qty)
    }

    #[inline(always)]
    fn insert(&mut self, i: usize, id: u64, side: Side, px: Px, qty: Qty) -> Applied {
        let fresh = self.orders.insert_fresh(self.slots, id, self.owner(i), side, px.0, qty.0);
        if !fresh {
            return self.insert_unusual(i, id, side, px, qty);
        }
        if self.levels.edit(i, side, px.0, Change::Add(qty.0)).is_err() {
            return self.refuse_level(i, id);
        }
        Applied { effect: Effect::Changed, side, px, qty: u64::from(qty.0), before: 0 }
    }

    /// Stores an order whose slot is taken or cannot hold it.
    #[cold]
    #[inline(never)]
    fn insert_unusual(&mut self, i: usize, id: u64, side: Side, px: Px, qty: Qty) -> Applied {
        let owner = self.owner(i);
        let mut effect = Effect::Changed;
        if let Some(old) = self.orders.find(self.slots, id, owner) {
            self.counters.duplicate_orders += 1;
            self.orders.set_qty(self.slots, old.place, 0);
            self.take_from_level(i, old.side, old.px, old.qty, true);
            self.doubt(i, StaleCause::DuplicateOrder);
            effect = Effect::Contradicted;
        } else if let Some(other) = self.elsewhere(i, id) {
            self.counters.duplicate_orders += 1;
            self.doubt_both(i, other, StaleCause::DuplicateOrder);
            effect = Effect::Contradicted;
        }
        if self.orders.insert(self.slots, id, owner, side, px.0, qty.0).is_err() {
            return self.table_full(i);
        }
        if self.levels.edit(i, side, px.0, Change::Add(qty.0)).is_err() {
            return self.refuse_level(i, id);
        }
        Applied { effect, side, px, qty: u64::from(qty.0), before: 0 }
    }

    /// Takes back an order whose level could not be stored.
    #[cold]
    fn refuse_level(&mut self, i: usize, id: u64) -> Applied {
        if let Some(order) = self.orders.find(self.slots, id, self.owner(i)) {
            self.orders.set_qty(self.slots, order.place, 0);
        }
        self.table_full(i)
    }

    #[inline]
    fn order_take(&mut self, i: usize, event: &BookEvent) -> Applied {
        let Some(order) = self.orders.find(self.slots, event.order_id, self.owner(i)) else {
            return self.unknown(i, event.order_id);
        };
        let wanted = if event.action == Action::OrderDelete { order.qty } else { event.qty.0 };
        if wanted == 0 {
            return self.bad();
        }
        let (left, over) = order.qty.overflowing_sub(wanted);
        let (taken, left, effect) =
            if over { self.over_reduction(i, order.qty) } else { (wanted, left, Effect::Changed) };
        self.orders.set_qty(self.slots, order.place, left);
        self.take_from_level(i, order.side, order.px, taken, left == 0);
        let px = if event.flags.has(EventFlags::HAS_PX) { event.px } else { Px(order.px) };
        Applied { effect, side: order.side, px, qty: u64::from(taken), before: 0 }
    }

    /// More was to go than the order had: all of it goes.
    #[cold]
    fn over_reduction(&mut self, i: usize, open: u32) -> (u32, u32, Effect) {
        self.counters.over_reductions += 1;
        self.doubt(i, StaleCause::OverExecution);
        (open, 0, Effect::Contradicted)
    }

    /// An order leaves and another joins on its side: the plain way of both as a rule.
    #[inline(never)]
    fn order_replace(&mut self, i: usize, spot: Spot, event: &BookEvent) -> Applied {
        let leaves = BookEvent { action: Action::OrderDelete, flags: EventFlags::NONE, ..*event };
        let Some(old) = self.apply_plain(i, spot, &leaves) else { return self.order_replace_any(i, event) };
        let joins = BookEvent { action: Action::OrderAdd, order_id: event.aux, side: old.side, ..*event };
        let joined = self.apply_plain(i, self.orders.spot_of(event.aux), &joins);
        joined.unwrap_or_else(|| self.join_replaced(i, old.side, old.px, event))
    }

    #[inline(never)]
    fn order_replace_any(&mut self, i: usize, event: &BookEvent) -> Applied {
        let Some(old) = self.orders.find(self.slots, event.order_id, self.owner(i)) else {
            return self.unknown(i, event.order_id);
        };
        self.orders.set_qty(self.slots, old.place, 0);
        self.take_from_level(i, old.side, old.px, old.qty, true);
        self.join_replaced(i, old.side, Px(old.px), event)
    }

    /// The second half of a replacement, whose old order is gone.
    #[inline(never)]
    fn join_replaced(&mut self, i: usize, side: Side, px: Px, event: &BookEvent) -> Applied {
        if !holds_price(event.px) || event.qty.0 == 0 {
            // The old order is gone all the same: the venue would not have sent this otherwise.
            let effect = if holds_price(event.px) { Effect::Changed } else { Effect::Contradicted };
            if effect == Effect::Contradicted {
                self.doubt(i, StaleCause::TableFull);
            }
            self.counters.bad_events += 1;
            return Applied { effect, side, px, qty: 0, before: 0 };
        }
        self.insert(i, event.aux, side, event.px, event.qty)
    }

    #[inline(always)]
    fn take_from_level(&mut self, i: usize, side: Side, px: i64, qty: u32, whole: bool) {
        // Taking only ever makes a level smaller: it cannot be refused.
        if let Ok(edited) = self.levels.edit(i, side, px, Change::Take(qty, whole))
            && edited.missing
        {
            self.counters.missing_quantity += 1;
        }
    }

    fn level_set(&mut self, i: usize, event: &BookEvent) -> Applied {
        if !holds_price(event.px) {
            return self.unholdable(i);
        }
        let qty = event.qty.0;
        let Ok(edited) = self.levels.edit(i, event.side, event.px.0, Change::Set(qty)) else {
            return self.table_full(i);
        };
        let before = edited.before.qty();
        let effect = if qty == 0 && before == 0 { self.unknown_level(i) } else { Effect::Changed };
        Applied { effect, side: event.side, px: event.px, qty: u64::from(qty), before }
    }

    /// A level goes that is not there: with levels as with orders, a few are not yet proof.
    #[cold]
    fn unknown_level(&mut self, i: usize) -> Effect {
        self.counters.unknown_levels += 1;
        let was_live = self.metas[i].state.is_live();
        self.note_unknown(i);
        // Known to be stale from now on, so that whoever computes from the book hears of it.
        if was_live && !self.metas[i].state.is_live() { Effect::Contradicted } else { Effect::Changed }
    }
}

#[inline]
fn holds_price(px: Px) -> bool {
    (-PX_MAX..=PX_MAX).contains(&px.0)
}
