//! How far the firm's own orders reach, per instrument and account: what an order must not trade with.
//!
//! The reach of a side is its best price since no order of it was open. It is never too near, so an order that stops short
//! of it meets no own order; one that does not is judged by the orders themselves ([`crate::gate::Gate::own_price`]), after
//! which the reach is what was found.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Side};

use crate::{config::SelfMatch, ids::AccountId, intent::OrderIntent};

/// The own orders of one instrument and account, by [`Side::index`].
#[derive(Clone, Copy, Debug)]
struct Reach {
    /// The best price, of bids the highest, of asks the lowest.
    px: [u64; 2],
    /// How many orders are open, unanswered replacements included.
    open: [u32; 2],
}

impl Reach {
    const NOWHERE: [u64; 2] = [0, u64::MAX];
    const NONE: Self = Self { px: Self::NOWHERE, open: [0; 2] };
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
        Self { scope, accounts, reaches: vec![Reach::NONE; count].into() }
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

    #[inline(always)]
    fn at(&self, instrument: InstrumentId, account: AccountId) -> usize {
        match self.scope {
            // Where the check is off there is no reach at all.
            SelfMatch::Off | SelfMatch::Firm => instrument.index(),
            SelfMatch::Account => {
                instrument.index().wrapping_mul(self.accounts).wrapping_add(usize::from(account.0))
            }
        }
    }

    fn reach_mut(&mut self, instrument: InstrumentId, account: AccountId) -> Option<&mut Reach> {
        let at = self.at(instrument, account);
        self.reaches.get_mut(at)
    }

    /// Whether `order`, judged at `px`, gets as far as own orders of the other side may.
    #[inline(always)]
    pub(crate) fn may_meet(&self, order: &OrderIntent, px: u64) -> bool {
        let reach = self.reaches.get(self.at(order.instrument, order.account));
        reach.is_some_and(|reach| crosses(order.side, px, reach.px[opposite(order.side).index()]))
    }

    /// A new order, or a replacement, may stand at `px` from now on.
    #[inline]
    pub(crate) fn add(&mut self, order: &OrderIntent, px: u64) {
        let Some(reach) = self.reach_mut(order.instrument, order.account) else { return };
        let at = order.side.index();
        reach.open[at] = reach.open[at].wrapping_add(1);
        reach.px[at] = match order.side {
            Side::Bid => reach.px[at].max(px),
            Side::Ask => reach.px[at].min(px),
        };
    }

    /// An order, or a replacement, is done.
    #[inline]
    pub(crate) fn done(&mut self, instrument: InstrumentId, account: AccountId, side: Side) {
        let Some(reach) = self.reach_mut(instrument, account) else { return };
        let at = side.index();
        reach.open[at] = reach.open[at].saturating_sub(1);
        if reach.open[at] == 0 {
            reach.px[at] = Reach::NOWHERE[at];
        }
    }

    /// `best` is the best price of the orders that `order` could trade with, as the orders themselves have it.
    pub(crate) fn shrink(&mut self, order: &OrderIntent, best: u64) {
        if let Some(reach) = self.reach_mut(order.instrument, order.account) {
            reach.px[opposite(order.side).index()] = best;
        }
    }
}

/// What is no price of an order of `side`: nothing of the other side trades with it.
pub(crate) const fn nowhere(side: Side) -> u64 {
    Reach::NOWHERE[side.index()]
}
