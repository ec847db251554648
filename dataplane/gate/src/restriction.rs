//! For whom an instrument is on the restricted list, by side.

use types::{InstrumentId, Side};

use crate::{
    ids::{AccountId, StrategyId},
    intent::OrderIntent,
    memory::{Memory, OutOfMemory},
    record::Permission,
    slot::SeqSlot,
};

/// Words of a [`Restriction`] in a table.
const WORDS: usize = 4;

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

    const fn pack(&self) -> [u64; WORDS] {
        let ([b, s], [x, y]) = (self.strategies, self.accounts);
        [b, s, x, y]
    }

    const fn unpack([b, s, x, y]: [u64; WORDS]) -> Self {
        Self { strategies: [b, s], accounts: [x, y] }
    }
}

/// The restriction of each instrument, as its one writer and its readers have it.
#[derive(Clone, Copy)]
pub(crate) struct Restrictions(&'static [SeqSlot<WORDS>]);

impl Restrictions {
    /// Nobody is restricted in any of `instruments`.
    pub(crate) fn lay_out(memory: &mut impl Memory, instruments: usize) -> Result<Self, OutOfMemory> {
        memory.rows(instruments).map(Self)
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.0)
    }

    /// Says for whom an instrument is restricted; none where there is no such instrument.
    pub(crate) fn write(&self, instrument: InstrumentId, restriction: &Restriction) -> Option<()> {
        self.0.get(instrument.index())?.write(restriction.pack());
        Some(())
    }

    /// What `permission` to trade an instrument comes to under its restriction, to the thread that writes it.
    pub(crate) fn listed(&self, instrument: InstrumentId, permission: Permission) -> Permission {
        let slot = self.0.get(instrument.index());
        // One that a writer died in may have been anybody's.
        let restricts = |slot: &SeqSlot<WORDS>| {
            slot.own().map_or(!slot.is_empty(), |words| !Restriction::unpack(words).is_none())
        };
        let restricted = slot.is_some_and(restricts);
        match permission {
            Permission::Granted | Permission::Listed if restricted => Permission::Listed,
            Permission::Granted | Permission::Listed => Permission::Granted,
            Permission::Denied | Permission::Restricted => permission,
        }
    }

    /// What a row's `permission` is to one order: of a listed instrument the list is asked, and one that cannot be read refuses.
    #[inline(always)]
    pub(crate) fn permission_of(&self, permission: Permission, order: &OrderIntent) -> Permission {
        if permission == Permission::Listed { self.permission_if_listed(order) } else { permission }
    }

    /// The same in a listed instrument. Out of line: orders in all others pay nothing for it.
    #[cold]
    #[inline(never)]
    fn permission_if_listed(&self, order: &OrderIntent) -> Permission {
        let words = self.0.get(order.instrument.index()).map(SeqSlot::read::<WORDS>);
        match words {
            Some(Ok(words)) if !Restriction::unpack(words).holds(order) => Permission::Granted,
            Some(Ok(_) | Err(_)) | None => Permission::Restricted,
        }
    }

    /// Leaves the list as a writer would that dies in the middle of an instrument's.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn abandon(&self, instrument: InstrumentId) {
        self.0[instrument.index()].abandon();
    }
}
