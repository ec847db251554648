//! What an order has in common with the other orders of its account: the position over all strategies, the own orders that it
//! could trade with, and the orders that asked for the same.

use alloc::{boxed::Box, vec};
use core::num::NonZeroU32;

use types::{InstrumentId, Nanos, UnixNanos};

use crate::{
    activity::Done,
    config::{GateConfig, SelfMatch},
    exposure::Cell,
    ids::AccountId,
    intent::OrderIntent,
    levels::{ExposureLimits, LEVELS},
    orders::Entry,
    own_orders::OwnOrders,
    repeats::Repeats,
    weight::Weight,
};

/// What the checks beyond one strategy are judged by; on the fast path nothing, which asks [`crate::gate::Gate::clear_of_others`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    /// What the account holds and has working in the instrument, where it is held to a position.
    pub account: Option<Cell>,
    /// What the account of a sell holds and has working in the instrument, and what is located for it, where it is held to that.
    pub located: Option<(Cell, i64)>,
    /// The best price of the own orders that it would trade with, 0 when it meets none.
    pub own_px: u64,
    /// How long ago the same order was let through.
    pub repeat_age: Option<Nanos>,
    /// Within which time that counts.
    pub repeat_window: Nanos,
    /// What the order's levels would come to, in money, where one of them is limited.
    pub weights: Option<[Weight; LEVELS]>,
    /// What its strategy and its account would have done within the window, where that is counted.
    pub done: Option<[Done; 2]>,
    /// The strategy is stopped for executions that were repeated.
    pub stopped: bool,
}

impl Common {
    pub(crate) const NOTHING: Self = Self {
        account: None,
        located: None,
        own_px: 0,
        repeat_age: None,
        repeat_window: Nanos(0),
        weights: None,
        done: None,
        stopped: false,
    };
}

/// The state behind the checks beyond one strategy.
#[derive(Debug)]
pub(crate) struct Shared {
    /// One of the checks is asked for: what the order path asks before anything else of this.
    pub on: bool,
    /// Accounts are held to position limits.
    hold_positions: bool,
    /// Sells are held to what is located.
    pub locates: bool,
    /// At least one.
    strategies: NonZeroU32,
    accounts: usize,
    /// What each account holds and has working in each instrument; empty where accounts are held to nothing.
    positions: Box<[Cell]>,
    pub own: OwnOrders,
    pub repeats: Repeats,
}

impl Shared {
    /// Flat, and nothing sent; `locates`: sells are held to what is located.
    pub(crate) fn new(config: &GateConfig<'_>, instruments: usize, locates: bool) -> Self {
        let accounts = usize::from(config.accounts);
        let exposed = |all: &[ExposureLimits]| all.iter().any(|limits| *limits != ExposureLimits::NONE);
        let loses = |all: &[u64]| all.iter().any(|most| *most != u64::MAX);
        let limited = exposed(config.account_limits) || loses(config.account_loss);
        let any_limited = limited
            || exposed(config.strategy_limits)
            || loses(config.strategy_loss)
            || !config.groups.is_empty();
        let cells = if config.account_positions || limited || locates { instruments * accounts } else { 0 };
        Self {
            on: config.account_positions
                || config.self_match != SelfMatch::Off
                || config.repeat_window.0 != 0
                || config.money.is_some()
                || any_limited
                || locates
                || config.repeated_executions.is_some()
                || config.window.0 != 0,
            hold_positions: config.account_positions,
            locates,
            strategies: u32::try_from(config.strategies.len())
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
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
    #[inline(always)]
    pub(crate) fn at(&self, instrument: InstrumentId, account: AccountId) -> usize {
        instrument.index().wrapping_mul(self.accounts).wrapping_add(usize::from(account.0))
    }

    /// The instrument of an entry.
    #[inline(always)]
    fn instrument(&self, entry: &Entry) -> InstrumentId {
        InstrumentId(entry.cell / self.strategies)
    }

    /// What the account of an order holds; none where it is held to no position.
    #[inline(always)]
    pub(crate) fn position(&self, order: &OrderIntent) -> Option<Cell> {
        let account = self.positions.get(self.at(order.instrument, order.account)).copied();
        account.filter(|_| self.hold_positions)
    }

    /// What an account holds and has working in an instrument; flat where accounts are held to nothing.
    pub(crate) fn held(&self, instrument: InstrumentId, account: AccountId) -> Cell {
        self.positions.get(self.at(instrument, account)).copied().unwrap_or(Cell::FLAT)
    }

    /// Whether the worst case of the order's account is more than `position_max`.
    #[inline(always)]
    pub(crate) fn exceeds(&self, order: &OrderIntent, position_max: i64) -> bool {
        let account = self.positions.get(self.at(order.instrument, order.account));
        account.is_some_and(|account| {
            self.hold_positions && account.worst(order.side, order.qty.0) > position_max
        })
    }

    /// A new order that was let through, judged at `px`.
    #[inline]
    pub(crate) fn send(&mut self, order: &OrderIntent, px: u64, now: UnixNanos) {
        self.repeats.note(order, now);
        self.own.add(order, px);
        let at = self.at(order.instrument, order.account);
        if let Some(account) = self.positions.get_mut(at) {
            account.rework(order.side, 0, order.qty.0);
        }
    }

    /// What every account that is held to a position holds, by instrument.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (InstrumentId, AccountId, i64)> {
        self.positions.iter().enumerate().map(move |(at, cell)| {
            let (instrument, account) = self.names(at);
            (instrument, account, cell.position)
        })
    }

    /// The inverse of [`Shared::at`].
    #[expect(
        clippy::cast_possible_truncation,
        reason = "as many instruments and accounts as fit their numbers"
    )]
    pub(crate) fn names(&self, at: usize) -> (InstrumentId, AccountId) {
        let accounts = self.accounts.max(1);
        (InstrumentId((at / accounts) as u32), AccountId((at % accounts) as u16))
    }

    /// An order is done.
    #[inline]
    pub(crate) fn done(&mut self, entry: &Entry) {
        if self.on {
            self.own.done(self.instrument(entry), AccountId(entry.account), entry.side);
        }
    }

    /// What the account of an entry holds; none where accounts are held to no position.
    #[inline]
    pub(crate) fn account_mut(&mut self, entry: &Entry) -> Option<&mut Cell> {
        if self.positions.is_empty() {
            return None;
        }
        let at = self.at(self.instrument(entry), AccountId(entry.account));
        self.positions.get_mut(at)
    }

    /// A person says that the account holds so much more, or less.
    pub(crate) fn set_by(&mut self, instrument: InstrumentId, account: AccountId, more: i64) {
        let at = self.at(instrument, account);
        if let Some(account) = self.positions.get_mut(at) {
            account.move_by(more);
        }
    }
}
