//! How far the firm's own orders reach, per instrument and account: what an order must not trade with.
//!
//! The reach of a side is its best price since nothing of it worked. It is never too near, so an order that stops short of
//! it meets no own order; one that does not is judged by the orders themselves ([`crate::gate::Gate::own_price`]), after
//! which the reach is what was found.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Side};

use crate::{config::SelfMatch, exposure::Cell, ids::AccountId, intent::OrderIntent};

/// The own orders of one instrument and account, by [`Side::index`].
#[derive(Clone, Copy, Debug)]
struct Reach {
    /// The best price, of bids the highest, of asks the lowest.
    px: [u64; 2],
    /// What can still trade; the position is not kept.
    working: Cell,
}

/// The side that an order of `side` trades with.
pub(crate) const fn opposite(side: Side) -> Side {
    match side {
        Side::Bid => Side::Ask,
        Side::Ask => Side::Bid,
    }
}

/// Whether an order of `side` at `px` trades with one of the other side at `other`.
#[inline]
pub(crate) const fn crosses(side: Side, px: u64, other: u64) -> bool {
    match side {
        Side::Bid => px >= other,
        Side::Ask => px <= other,
    }
}

/// The own orders of every instrument.
#[derive(Debug)]
pub(crate) struct OwnOrders {
    scope: SelfMatch,
    accounts: usize,
    reaches: Box<[Reach]>,
}

impl OwnOrders {
    /// Nothing works.
    pub(crate) fn new(scope: SelfMatch, instruments: usize, accounts: u16) -> Self {
        let accounts = usize::from(accounts);
        let count = match scope {
            SelfMatch::Off => 0,
            SelfMatch::Account => instruments * accounts,
            SelfMatch::Firm => instruments,
        };
        Self { scope, accounts, reaches: vec![Reach { px: [0; 2], working: Cell::FLAT }; count].into() }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.reaches)
    }

    /// Whether an order of one account must not trade with one of the other.
    pub(crate) const fn same_owner(&self, a: AccountId, b: AccountId) -> bool {
        match self.scope {
            SelfMatch::Off => false,
            SelfMatch::Account => a.0 == b.0,
            SelfMatch::Firm => true,
        }
    }

    fn at(&self, instrument: InstrumentId, account: AccountId) -> Option<usize> {
        match self.scope {
            SelfMatch::Off => None,
            SelfMatch::Account => Some(instrument.index() * self.accounts + usize::from(account.0)),
            SelfMatch::Firm => Some(instrument.index()),
        }
    }

    fn reach_mut(&mut self, instrument: InstrumentId, account: AccountId) -> Option<&mut Reach> {
        let at = self.at(instrument, account)?;
        self.reaches.get_mut(at)
    }

    /// Whether `order`, judged at `px`, gets as far as own orders of the other side may.
    pub(crate) fn may_meet(&self, order: &OrderIntent, px: u64) -> bool {
        let reach = self.at(order.instrument, order.account).and_then(|at| self.reaches.get(at));
        reach.is_some_and(|reach| {
            let other = opposite(order.side).index();
            reach.working.working[other] != 0 && crosses(order.side, px, reach.px[other])
        })
    }

    /// An own order may stand at `px` from now on.
    pub(crate) fn stretch(&mut self, order: &OrderIntent, px: u64) {
        let Some(reach) = self.reach_mut(order.instrument, order.account) else { return };
        let at = order.side.index();
        if reach.working.working[at] == 0 || crosses(opposite(order.side), reach.px[at], px) {
            reach.px[at] = px;
        }
    }

    /// The best price of the orders that `order` trades with, as the orders themselves have it.
    pub(crate) fn shrink(&mut self, order: &OrderIntent, best: u64) {
        if let Some(reach) = self.reach_mut(order.instrument, order.account) {
            reach.px[opposite(order.side).index()] = best;
        }
    }

    /// A new order works.
    pub(crate) fn send(&mut self, order: &OrderIntent) {
        if let Some(reach) = self.reach_mut(order.instrument, order.account) {
            reach.working.rework(order.side, 0, order.qty.0);
        }
    }

    /// An event of an own order took its strategy's cell from `before` to `after`.
    pub(crate) fn moved(
        &mut self,
        instrument: InstrumentId,
        account: AccountId,
        before: &Cell,
        after: &Cell,
    ) {
        if let Some(reach) = self.reach_mut(instrument, account) {
            reach.working.work_by(before, after);
        }
    }
}
