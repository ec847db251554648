//! What an order has in common with the other orders of its account: the position over all strategies, the own orders that it
//! could trade with, and the orders that asked for the same.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Nanos, UnixNanos};

use crate::{
    config::{GateConfig, SelfMatch},
    exposure::Cell,
    ids::AccountId,
    intent::OrderIntent,
    orders::Entry,
    own_orders::OwnOrders,
    repeats::Repeats,
};

/// What the checks beyond one strategy are judged by; of an order on the fast path, which has been found to concern none of
/// them, nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    /// What the account holds and has working in the instrument, where it is held to a position.
    pub account: Option<Cell>,
    /// The best price of the own orders that it would trade with, 0 when it meets none.
    pub own_px: u64,
    /// How long ago the same order was let through.
    pub repeat_age: Option<Nanos>,
    /// Within which time that counts.
    pub repeat_window: Nanos,
}

impl Common {
    pub(crate) const NOTHING: Self =
        Self { account: None, own_px: 0, repeat_age: None, repeat_window: Nanos(0) };
}

/// The state behind the checks beyond one strategy.
#[derive(Debug)]
pub(crate) struct Shared {
    /// One of the checks is asked for: what the order path asks before anything else of this.
    pub on: bool,
    strategies: usize,
    accounts: usize,
    /// What each account holds and has working in each instrument; empty where accounts are held to no position.
    positions: Box<[Cell]>,
    pub own: OwnOrders,
    pub repeats: Repeats,
}

impl Shared {
    /// Flat, and nothing sent.
    pub(crate) fn new(config: &GateConfig<'_>, instruments: usize) -> Self {
        let accounts = usize::from(config.accounts);
        let cells = if config.account_positions { instruments * accounts } else { 0 };
        Self {
            on: config.account_positions
                || config.self_match != SelfMatch::Off
                || config.repeat_window.0 != 0,
            strategies: config.strategies.len(),
            accounts,
            positions: vec![Cell::FLAT; cells].into(),
            own: OwnOrders::new(config.self_match, instruments, config.accounts),
            repeats: Repeats::new(
                config.repeat_window,
                config.open_orders_max.saturating_add(config.recent_orders),
            ),
        }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.positions) + self.own.bytes() + self.repeats.bytes()
    }

    /// Where an account's position is kept; both numbers are the gate's.
    fn at(&self, instrument: InstrumentId, account: AccountId) -> usize {
        instrument.index() * self.accounts + usize::from(account.0)
    }

    /// The instrument of an entry.
    #[expect(clippy::cast_possible_truncation, reason = "as many cells as fit 32 bits")]
    fn instrument(&self, entry: &Entry) -> InstrumentId {
        InstrumentId(entry.cell / (self.strategies as u32).max(1))
    }

    /// What the account of an order holds; none where it is held to no position.
    pub(crate) fn position(&self, order: &OrderIntent) -> Option<Cell> {
        self.positions.get(self.at(order.instrument, order.account)).copied()
    }

    /// Whether one of the checks may find something in a limit order of the strategy's `cell`. Where the account has nothing but
    /// what the strategy has, the strategy's own limit is the account's.
    pub(crate) fn concerns(&self, order: &OrderIntent, cell: &Cell, now: UnixNanos) -> bool {
        let more = self.position(order).is_some_and(|account| !account.holds_as(cell));
        more || self.own.may_meet(order, order.px.0.unsigned_abs()) || self.repeats.age(order, now).is_some()
    }

    /// A new order that was let through, judged at `px`.
    #[cold]
    pub(crate) fn send(&mut self, order: &OrderIntent, px: u64, now: UnixNanos) {
        self.repeats.note(order, now);
        self.own.stretch(order, px);
        self.own.send(order);
        let at = self.at(order.instrument, order.account);
        if let Some(account) = self.positions.get_mut(at) {
            account.rework(order.side, 0, order.qty.0);
        }
    }

    /// Takes back an order, judged at `px`, of which `leaves` can still trade.
    pub(crate) fn restore(&mut self, entry: &Entry, order: &OrderIntent, leaves: u32) {
        self.own.stretch(order, entry.px);
        let mut after = Cell::FLAT;
        after.rework(entry.side, 0, leaves);
        self.moved(entry, &Cell::FLAT, &after);
    }

    /// What every account that is held to a position holds, by instrument.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "as many instruments and accounts as fit their numbers"
    )]
    pub(crate) fn positions(&self) -> impl Iterator<Item = (InstrumentId, AccountId, i64)> {
        let accounts = self.accounts.max(1);
        self.positions.iter().enumerate().map(move |(at, cell)| {
            (InstrumentId((at / accounts) as u32), AccountId((at % accounts) as u16), cell.position)
        })
    }

    /// An event of the order of `entry` took its cell from `before` to `after`.
    pub(crate) fn moved(&mut self, entry: &Entry, before: &Cell, after: &Cell) {
        let (instrument, account) = (self.instrument(entry), AccountId(entry.account));
        self.own.moved(instrument, account, before, after);
        let at = self.at(instrument, account);
        if let Some(account) = self.positions.get_mut(at) {
            account.move_by(after.position.saturating_sub(before.position));
            account.work_by(before, after);
        }
    }

    /// A person says that the account holds so much more, or less.
    pub(crate) fn set_by(&mut self, instrument: InstrumentId, account: AccountId, more: i64) {
        let at = self.at(instrument, account);
        if let Some(account) = self.positions.get_mut(at) {
            account.move_by(more);
        }
    }
}
