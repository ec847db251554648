//! A gate made again: it takes the steps of the one before it, or a checkpoint of them, and judges no order meanwhile.

use core::fmt;

use types::{InstrumentId, UnixNanos};

use crate::{
    activity::Doer,
    doubt::Astray,
    executions::Booked,
    gate::Gate,
    ids::{AccountId, StrategyId},
    intent::{OrderIntent, OrderType, TimeInForce},
    journal::{KeptOrder, Sent, Step},
    orders::{Entry, Life},
    price::{is_shifted, price_word, word_price},
    slot::SlotFault,
    streaks::Streak,
    tally::Tally,
};

/// Why a step cannot be taken. The gate is as it was before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// An instrument, strategy or account of it is not the gate's.
    Unknown,
    /// The table of open orders is full.
    Full,
    /// An order of that id is in the table already, or the id is 0.
    Id(u64),
    /// It replaces an order that does not work.
    Replaced(u64),
    /// The price that the order was judged at is none of its instrument, or cannot be told.
    Price(u64),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("an instrument, strategy or account that the gate does not have"),
            Self::Full => f.write_str("more open orders than the gate has room for"),
            Self::Id(id) => write!(f, "order {id} is 0 or comes twice"),
            Self::Replaced(id) => write!(f, "order {id} is replaced and does not work"),
            Self::Price(id) => write!(f, "order {id} has a price that its instrument cannot have"),
        }
    }
}

impl core::error::Error for RestoreError {}

impl Gate {
    /// Takes one step of a gate before it, without judging it: the limits of then are not those of now. Steps are to come in
    /// their order, and what was said of instruments before them: prices are kept as those of the kind that each instrument now has.
    ///
    /// # Errors
    /// [`RestoreError`].
    #[cold]
    pub fn restore(&mut self, step: &Step) -> Result<(), RestoreError> {
        match *step {
            Step::Sent(sent) => self.restore_sent(&sent),
            Step::Replaced { replaced, sent } => self.restore_replaced(replaced, &sent),
            Step::Settled(event) => {
                self.settle(event);
                Ok(())
            }
            Step::Positioned { instrument, strategy, account, position } => {
                let set = self.set_position(instrument, strategy, account, position);
                set.map_err(|_| RestoreError::Unknown)
            }
            Step::Holds { instrument, strategy, position, due } => {
                self.restore_holding((instrument, strategy), position, due)
            }
            Step::Astray { instrument, strategy, below, above } => {
                let at = self.cell_index(instrument, strategy).ok_or(RestoreError::Unknown)?;
                let place = self.astray.get_mut(at).ok_or(RestoreError::Unknown)?;
                *place = Astray::of_parts([below, above]);
                Ok(())
            }
            Step::AccountHolds { instrument, account, position } => {
                self.known(instrument, StrategyId(0), account)?;
                self.shared.set_by(instrument, account, position);
                if self.levels.on {
                    self.relist(instrument, StrategyId(0), account);
                }
                Ok(())
            }
            Step::Due { strategy, due, at } => {
                let row = self.strategies.get_mut(usize::from(strategy.0)).ok_or(RestoreError::Unknown)?;
                row.due = due;
                self.clock = self.clock.max(at);
                Ok(())
            }
            Step::Order(kept) => self.restore_order(&kept),
            Step::Execution { execution, booked } => {
                self.executions.remember(execution, booked, |_| false);
                Ok(())
            }
            Step::Asked { .. }
            | Step::CancelSent { .. }
            | Step::Did { .. }
            | Step::Counted(_)
            | Step::Tallied { .. }
            | Step::Told(_)
            | Step::Streak { .. }
            | Step::Stopped { .. } => self.restore_counted(step),
            Step::StopTaken { .. } => Ok(()),
        }
    }

    /// Takes what a strategy holds in an instrument, and when its next order is due there.
    fn restore_holding(
        &mut self,
        (instrument, strategy): (InstrumentId, StrategyId),
        position: i64,
        due: u64,
    ) -> Result<(), RestoreError> {
        let at = self.cell_index(instrument, strategy).ok_or(RestoreError::Unknown)?;
        let cell = self.cells.get_mut(at).ok_or(RestoreError::Unknown)?;
        let before = cell.position;
        cell.hold(position, due);
        // How far it is astray is said next; what is not said is not known.
        let astray = if cell.in_doubt() { Astray::ANYTHING } else { Astray::NOTHING };
        let more = cell.position.saturating_sub(before);
        *self.astray.get_mut(at).ok_or(RestoreError::Unknown)? = astray;
        if self.levels.on {
            self.levels.cells_mut(strategy, instrument, |cell| cell.move_by(more));
            self.relist(instrument, strategy, AccountId(u16::MAX));
        }
        Ok(())
    }

    /// The part of [`Gate::restore`] that is of what is counted over a time; nothing of any other step.
    fn restore_counted(&mut self, step: &Step) -> Result<(), RestoreError> {
        match *step {
            Step::Asked { order, at } => {
                self.known(order.instrument, order.strategy, order.account)?;
                self.shared.repeats.note(&order, at);
                Ok(())
            }
            Step::CancelSent { id, at } => {
                self.cancel(id, at);
                Ok(())
            }
            Step::Did { doer, kind, sum, at } => {
                self.activities.take(doer, kind, at, sum);
                Ok(())
            }
            Step::Counted(at) => {
                self.activities.last = self.activities.last.max(at);
                Ok(())
            }
            Step::Tallied { doer, instrument, traded, cash, volume, at } => {
                self.restore_tally(doer, instrument, Tally { cash, traded, volume, ..Tally::NONE }, at)
            }
            Step::Told(at) => {
                self.see(at);
                Ok(())
            }
            Step::Streak { instrument, strategy, side, window, counts } => {
                let at = self.cell_index(instrument, strategy).ok_or(RestoreError::Unknown)?;
                self.streaks.take(at, Streak { window, counts, side });
                Ok(())
            }
            Step::Stopped { strategy, count } => {
                if self.streaks.set_stops(strategy, count) {
                    Ok(())
                } else {
                    Err(RestoreError::Unknown)
                }
            }
            // Read by the caller.
            Step::Sent(_)
            | Step::Replaced { .. }
            | Step::Settled(_)
            | Step::Positioned { .. }
            | Step::Holds { .. }
            | Step::Astray { .. }
            | Step::AccountHolds { .. }
            | Step::Due { .. }
            | Step::Order(_)
            | Step::Execution { .. }
            | Step::StopTaken { .. } => Ok(()),
        }
    }

    /// Says what a gate needs to be where this one is, in steps for [`Gate::restore`] of a gate that is new. They are as many as
    /// there are orders, positions and executions, however many led here.
    #[cold]
    pub fn checkpoint(&self, mut say: impl FnMut(Step)) {
        for (strategy, row) in (0..).map(StrategyId).zip(&self.strategies) {
            say(Step::Due { strategy, due: row.due, at: self.clock });
        }
        for (at, cell) in self.cells.iter().enumerate() {
            if cell.position != 0 || cell.due_word() != 0 {
                let (instrument, strategy) = self.cell_names(at);
                say(Step::Holds { instrument, strategy, position: cell.position, due: cell.due_word() });
                if let Some(astray) = self.astray.get(at).filter(|_| cell.in_doubt()) {
                    let [below, above] = astray.parts();
                    say(Step::Astray { instrument, strategy, below, above });
                }
            }
        }
        for (instrument, account, position) in self.shared.positions().filter(|(_, _, held)| *held != 0) {
            say(Step::AccountHolds { instrument, account, position });
        }
        for (id, entry) in self.orders.iter_all() {
            let (instrument, strategy) = self.cell_names(entry.cell as usize);
            say(Step::Order(kept_order(id, &entry, instrument, strategy)));
        }
        self.executions
            .iter()
            .map(|(execution, booked)| Step::Execution { execution, booked })
            .for_each(&mut say);
        self.shared.repeats.iter().map(|(order, at)| Step::Asked { order, at }).for_each(&mut say);
        if self.activities.last.0 != 0 {
            say(Step::Counted(self.activities.last));
        }
        self.activities
            .kept()
            .map(|(doer, kind, at, sum)| Step::Did { doer, kind, sum, at })
            .for_each(&mut say);
        if self.told.0 != 0 {
            say(Step::Told(self.told));
        }
        self.checkpoint_tallies(&mut say);
        for (at, Streak { window, counts, side }) in self.streaks.kept() {
            let (instrument, strategy) = self.cell_names(at);
            say(Step::Streak { instrument, strategy, side, window, counts });
        }
        for strategy in (0..self.strategies.len()).filter_map(|n| u16::try_from(n).ok()).map(StrategyId) {
            let count = self.streaks.stops(strategy);
            if count != 0 {
                say(Step::Stopped { strategy, count });
            }
        }
    }

    /// The executions that are remembered, oldest first, by number, and what each counted for.
    #[cold]
    pub fn executions(&self) -> impl Iterator<Item = (u64, Booked)> {
        self.executions.iter()
    }

    fn checkpoint_tallies(&self, mut say: impl FnMut(Step)) {
        for (of_account, place, Tally { cash, traded, volume, .. }) in self.tallies.kept() {
            let (instrument, doer) = if of_account {
                let (instrument, account) = self.shared.names(place);
                (instrument, Doer::Account(account))
            } else {
                let (instrument, strategy) = self.cell_names(place);
                (instrument, Doer::Strategy(strategy))
            };
            say(Step::Tallied { doer, instrument, traded, cash, volume, at: self.told });
        }
    }

    /// Takes what was traded of an instrument on the day of `at`; a gate that counts no profit takes nothing.
    fn restore_tally(
        &mut self,
        doer: Doer,
        instrument: InstrumentId,
        kept: Tally,
        at: UnixNanos,
    ) -> Result<(), RestoreError> {
        let (strategy, account) = match doer {
            Doer::Strategy(strategy) => (strategy, AccountId(u16::MAX)),
            Doer::Account(account) => (StrategyId(0), account),
        };
        let place = match doer {
            Doer::Strategy(_) => self.cell_index(instrument, strategy).ok_or(RestoreError::Unknown)?,
            Doer::Account(_) => {
                self.known(instrument, strategy, account)?;
                self.shared.at(instrument, account)
            }
        };
        self.see(at);
        let added = self.tallies.take(doer, place, kept, at);
        if let (Some(added), Doer::Strategy(_)) = (added, doer) {
            let Self { tallies, levels, .. } = self;
            levels.tallies_mut(strategy, instrument, |tally| tallies.take_in(tally, &added));
        }
        if self.levels.on {
            self.relist(instrument, strategy, account);
        }
        Ok(())
    }

    /// Whose cell stands at `at`.
    #[expect(clippy::cast_possible_truncation, reason = "as many cells as fit 32 bits, as strategies 16")]
    pub(crate) const fn cell_names(&self, at: usize) -> (InstrumentId, StrategyId) {
        let strategies = if self.strategies.is_empty() { 1 } else { self.strategies.len() };
        (InstrumentId((at / strategies) as u32), StrategyId((at % strategies) as u16))
    }

    fn known(
        &self,
        instrument: InstrumentId,
        strategy: StrategyId,
        account: AccountId,
    ) -> Result<usize, RestoreError> {
        let at = self.cell_index(instrument, strategy).ok_or(RestoreError::Unknown)?;
        if account.0 < self.accounts { Ok(at) } else { Err(RestoreError::Unknown) }
    }

    /// Whether one more order may be of `id`.
    fn has_room_for(&self, id: u64) -> Result<(), RestoreError> {
        if id == 0 || self.orders.contains(id) {
            return Err(RestoreError::Id(id));
        }
        if self.orders.open() >= self.orders.open_max() { Err(RestoreError::Full) } else { Ok(()) }
    }

    /// The word of the price of `word` among the prices that the instrument has now: an order may have been judged when they could not
    /// be zero or negative, or could. None when it cannot have the price, or nobody can tell. 0, no price, stays so; so does the word
    /// of an instrument of which nothing was said yet.
    fn reworded(&self, instrument: InstrumentId, word: u64) -> Option<u64> {
        let terms = self.money.map(|_| self.tables.references.terms.terms(instrument));
        let signed = match terms {
            Some(Ok(terms)) => terms.may_be_negative(),
            Some(Err(SlotFault::Torn)) => return None,
            Some(Err(SlotFault::Empty)) => is_shifted(word),
            None => false,
        };
        let again = price_word(word_price(word), signed);
        (word == 0 || again != 0).then_some(again)
    }

    fn restore_sent(&mut self, sent: &Sent) -> Result<(), RestoreError> {
        let Sent { order, judged_px, interval_ns, value, at } = sent;
        self.known(order.instrument, order.strategy, order.account)?;
        self.has_room_for(order.cl_ord_id)?;
        let px = self.reworded(order.instrument, *judged_px).ok_or(RestoreError::Price(order.cl_ord_id))?;
        let room = self.room_for(order, px).ok_or(RestoreError::Unknown)?;
        self.commit_as(order, room, (px, *interval_ns, *value), *at);
        Ok(())
    }

    fn restore_replaced(&mut self, replaced: u64, sent: &Sent) -> Result<(), RestoreError> {
        let order = &sent.order;
        self.known(order.instrument, order.strategy, order.account)?;
        self.has_room_for(order.cl_ord_id)?;
        let entry = self.orders.get(replaced).filter(|entry| entry.life == Life::Open);
        let entry = entry.ok_or(RestoreError::Replaced(replaced))?;
        let px =
            self.reworded(order.instrument, sent.judged_px).ok_or(RestoreError::Price(order.cl_ord_id))?;
        self.commit_replacement(replaced, entry, &Sent { judged_px: px, ..*sent });
        Ok(())
    }

    fn restore_order(&mut self, kept: &KeptOrder) -> Result<(), RestoreError> {
        let at = self.known(kept.instrument, kept.strategy, kept.account)?;
        let mut entry = entry_of_kept(kept, at);
        let px = self.reworded(kept.instrument, kept.px);
        // Nothing is compared with the price of an order that is done.
        entry.px = px.or(entry.life.is_over().then_some(0)).ok_or(RestoreError::Price(kept.id))?;
        if entry.life.is_over() && kept.id != 0 && !self.orders.contains(kept.id) {
            self.orders.restore(kept.id, entry);
            return Ok(());
        }
        self.has_room_for(kept.id)?;
        self.orders.restore(kept.id, entry);
        self.rework(&entry, 0, entry.leaves());
        self.shared.own.add(&intent_of(kept), entry.px);
        Ok(())
    }
}

/// An entry as it is kept.
fn kept_order(id: u64, entry: &Entry, instrument: InstrumentId, strategy: StrategyId) -> KeptOrder {
    let &Entry { px, link, qty, executed, pending_qty, account, side, life, .. } = entry;
    let account = AccountId(account);
    let life = life as u8;
    KeptOrder { id, instrument, strategy, account, side, life, px, link, qty, executed, pending_qty }
}

/// The entry of a kept order.
#[expect(clippy::cast_possible_truncation, reason = "at most ROWS_MAX cells")]
const fn entry_of_kept(kept: &KeptOrder, cell: usize) -> Entry {
    let &KeptOrder { px, link, qty, executed, pending_qty, account, side, life, .. } = kept;
    let life = match life {
        1 => Life::Pending,
        2 => Life::Closed,
        3 => Life::Refused,
        // What nobody knows counts.
        0 | 4.. => Life::Open,
    };
    let (cell, account) = (cell as u32, account.0);
    Entry { px, link, qty, executed, pending_qty, cell, generation: 0, account, side, life }
}

/// An order that stands where a kept one does.
const fn intent_of(kept: &KeptOrder) -> OrderIntent {
    let &KeptOrder { id, instrument, strategy, account, side, px, qty, .. } = kept;
    OrderIntent {
        cl_ord_id: id,
        px: types::Px(px.cast_signed()),
        instrument,
        qty: types::Qty(qty),
        strategy,
        account,
        side,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
    }
}
