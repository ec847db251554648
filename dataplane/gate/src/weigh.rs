//! Weighs an order: sums up what its strategy and its account would come to ([`crate::levels`]).

use types::{BookState, InstrumentId, UnixNanos};

use crate::{
    activity::{KINDS, RoundedValue},
    exposure::Cell,
    gate::Gate,
    ids::{AccountId, StrategyId},
    intent::OrderIntent,
    levels::{Growth, Level, Levels, Sum, Weight},
    quote::Quote,
    slot::SlotFault,
    worth::{Known, Worth},
};

impl Gate {
    /// What a unit of an instrument is worth, doubled, in 1e-24; none when nobody knows.
    fn mark(&self, instrument: InstrumentId, worth: &Worth) -> Option<u128> {
        if worth.known != Known::Whole {
            return None;
        }
        let quote = match self.tables.references.hot(instrument) {
            // One of the other kind says nothing, and one that cannot be read might say anything.
            Ok(quote) => quote.of_sign(worth.signed)?,
            Err(SlotFault::Empty) => Quote::NOTHING,
            Err(SlotFault::Torn) => return None,
        };
        let settled = (worth.settlement != 0).then(|| worth.doubled(worth.settlement.wrapping_mul(2)));
        match quote.twice_ref {
            0 => settled,
            twice if quote.state == BookState::Live.to_u8() => Some(worth.doubled(twice)),
            // A book in doubt does not make anything smaller than it settled at.
            twice => settled.map(|settled| settled.max(worth.doubled(twice))),
        }
    }

    /// What the prices of an instrument mean in money.
    pub(crate) fn worth(&self, instrument: InstrumentId, now: UnixNanos) -> Worth {
        match &self.money {
            Some(rules) => self.tables.references.terms.worth(instrument, rules, now),
            None => Worth::PLAIN,
        }
    }

    fn cell_of(&self, instrument: InstrumentId, strategy: StrategyId) -> Cell {
        let cell = self.cell_index(instrument, strategy).and_then(|at| self.cells.get(at));
        cell.copied().unwrap_or(Cell::FLAT)
    }

    /// Sums a level up, with `growth` more of `order` working that trade at `at`.
    fn sum(
        &self,
        level: &Level,
        order: &OrderIntent,
        (growth, at): (u32, u64),
        now: UnixNanos,
        cell_of: impl Fn(InstrumentId) -> Cell,
    ) -> Weight {
        let mut own = cell_of(order.instrument);
        own.rework(order.side, 0, growth);
        let worst = own.worst(order.side, 0).max(0).unsigned_abs();
        if level.busy.count_with(order.instrument.0) > self.levels.summed_max {
            return Weight::unknown(level.limits, order.instrument, worst == 0);
        }
        let mut sum = Sum::NONE;
        let worth = self.worth(order.instrument, now);
        let grown = Growth { side: order.side, qty: worst.min(growth.into()), unit: worth.twice(at) };
        sum.add(order.instrument, &own, self.mark(order.instrument, &worth), Some(grown));
        for other in level.busy.iter().map(InstrumentId).filter(|other| *other != order.instrument) {
            sum.add(other, &cell_of(other), self.mark(other, &self.worth(other, now)), None);
        }
        sum.weight(level.limits, order.side, worst == 0)
    }

    /// What the order's strategy and its account would come to, if `growth` more of it worked that trade at `at`, in 1e-9 a unit.
    #[inline(never)]
    pub(crate) fn weigh(&self, order: &OrderIntent, growth: u32, at: u64, now: UnixNanos) -> [Weight; 2] {
        let OrderIntent { strategy, account, .. } = *order;
        let of = |levels: &[Option<Level>], number: u16, cell_of: &dyn Fn(InstrumentId) -> Cell| {
            let level = levels.get(usize::from(number)).and_then(Option::as_ref);
            level.map_or(Weight::NONE, |level| self.sum(level, order, (growth, at), now, cell_of))
        };
        [
            of(&self.levels.strategies, strategy.0, &|instrument| self.cell_of(instrument, strategy)),
            of(&self.levels.accounts, account.0, &|instrument| self.shared.held(instrument, account)),
        ]
    }

    /// Whether a new order that is judged at `px` may weigh too much, or nearly. Not of an instrument that may trade below zero.
    #[inline(never)]
    pub(crate) fn weighs_much(&self, order: &OrderIntent, px: u64, now: UnixNanos) -> bool {
        let bad = |weight: &Weight| weight.is_near() || weight.unvalued().is_some();
        self.weigh(order, order.qty.0, px, now).iter().any(bad)
    }

    /// The position or the orders of a strategy, and of an account, in an instrument have changed.
    #[inline(never)]
    pub(crate) fn relist(&mut self, instrument: InstrumentId, strategy: StrategyId, account: AccountId) {
        let (own, all) = (self.cell_of(instrument, strategy), self.shared.held(instrument, account));
        let Levels { strategies, accounts, .. } = &mut self.levels;
        for (levels, number, cell) in [(strategies, strategy.0, own), (accounts, account.0, all)] {
            if let Some(Some(level)) = levels.get_mut(usize::from(number)) {
                level.busy.set(instrument.0, !cell.is_flat());
            }
        }
    }
}

impl Gate {
    /// What so much of an order that is judged at `px` counts for within the window. One of which nobody knows what it is worth
    /// counts for nothing, and is refused for it unless it only closes.
    #[inline(never)]
    pub(crate) fn value_of(&self, order: &OrderIntent, px: u64, qty: u32, now: UnixNanos) -> RoundedValue {
        let worth = self.worth(order.instrument, now);
        if worth.known != Known::Whole {
            return RoundedValue(0);
        }
        let nanos = worth.money(u128::from(worth.unit(px, 0)) * u128::from(qty));
        RoundedValue::above(nanos.div_ceil(1_000))
    }

    /// An order's share of each kind of activity.
    pub(crate) fn activity_of(value: RoundedValue, qty: u32) -> [u64; KINDS] {
        [value.micros(), qty.into(), 1, 0, 0]
    }

    /// Counts an order, or what a replacement adds.
    #[inline(never)]
    pub(crate) fn count_order(&mut self, order: &OrderIntent, value: RoundedValue, qty: u32, now: UnixNanos) {
        let more = Self::activity_of(value, qty);
        self.activities.count(order.strategy, order.account, now, more);
    }

    /// Whether a new order that is judged at `px` may be too much of something within the window.
    #[inline(never)]
    pub(crate) fn does_much(&self, order: &OrderIntent, px: u64, now: UnixNanos) -> bool {
        let more = Self::activity_of(self.value_of(order, px, order.qty.0, now), order.qty.0);
        self.activities.exceeds(order, now, more)
    }

    /// Notes that the venue is asked to take an order back. A cancel always passes; it counts as a message and as a cancel of the
    /// order's strategy and account, and may keep them from sending new orders. Whether it counted: it is then a
    /// [`crate::Step::CancelSent`].
    pub fn cancel(&mut self, id: u64, now: UnixNanos) -> bool {
        let Some(entry) = self.orders.get(id).filter(|_| self.activities.on) else { return false };
        let (_, strategy) = self.cell_names(entry.cell as usize);
        self.activities.count(strategy, AccountId(entry.account), now, [0, 0, 1, 1, 0]);
        true
    }
}
