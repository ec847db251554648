//! For whom an instrument is on the restricted list, by side.

use types::Side;

use crate::{
    ids::{AccountId, StrategyId},
    intent::OrderIntent,
};

/// Words of a [`Restriction`] in a table.
pub(crate) const RESTRICTION_WORDS: usize = 4;

/// Whose orders a line of the list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestrictedTo {
    /// Everybody's.
    Everyone,
    /// Those of one strategy.
    Strategy(StrategyId),
    /// Those for one account.
    Account(AccountId),
}

/// Whose orders in one instrument are refused, by side. Exact for the first 63 strategies and accounts: from there on they are
/// restricted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restriction {
    /// Strategies that may not buy, and not sell.
    strategies: [u64; 2],
    /// Accounts, likewise.
    accounts: [u64; 2],
}

/// The bit of a number. Those beyond the word share its last one, so that none escapes.
#[inline(always)]
const fn bit(number: u16) -> u64 {
    let place = if number < 63 { number } else { 63 };
    1 << place
}

#[inline(always)]
const fn place(side: Side) -> usize {
    match side {
        Side::Bid => 0,
        Side::Ask => 1,
    }
}

impl Restriction {
    /// Nobody's.
    pub const NONE: Self = Self { strategies: [0; 2], accounts: [0; 2] };

    /// The same, and one line more.
    #[must_use]
    pub const fn and(mut self, side: Side, to: RestrictedTo) -> Self {
        let at = place(side);
        match to {
            RestrictedTo::Everyone => self.strategies[at] = u64::MAX,
            RestrictedTo::Strategy(strategy) => self.strategies[at] |= bit(strategy.0),
            RestrictedTo::Account(account) => self.accounts[at] |= bit(account.0),
        }
        self
    }

    /// Whether nobody's orders are refused.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        let ([b, s], [x, y]) = (self.strategies, self.accounts);
        b | s | x | y == 0
    }

    /// Whether an order is refused.
    #[must_use]
    pub const fn holds(&self, order: &OrderIntent) -> bool {
        let at = place(order.side);
        self.strategies[at] & bit(order.strategy.0) | self.accounts[at] & bit(order.account.0) != 0
    }

    pub(crate) const fn pack(&self) -> [u64; RESTRICTION_WORDS] {
        let ([b, s], [x, y]) = (self.strategies, self.accounts);
        [b, s, x, y]
    }

    pub(crate) const fn unpack([b, s, x, y]: [u64; RESTRICTION_WORDS]) -> Self {
        Self { strategies: [b, s], accounts: [x, y] }
    }
}
