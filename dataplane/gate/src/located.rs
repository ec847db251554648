//! How much of an instrument is located for each account: what it may be short of (Reg SHO, 17 CFR 242.203(b)(1)).

use types::{InstrumentId, Qty, UnixNanos};

use crate::{
    ids::AccountId,
    memory::{Memory, OutOfMemory},
    sync::{AtomicU64, Ordering},
    table_error::{ROWS_MAX, TableError, TableSizeError},
};

/// A minute: what the end of a locate is kept in.
const MINUTE_NS: u64 = 60_000_000_000;

/// What an account may be short of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The quantity.
    pub qty: Qty,
    /// When it ends, by whole minutes: what is between them ends at the one before. The largest time is no end.
    pub until: UnixNanos,
}

impl Located {
    /// Nothing: whoever is not long may sell nothing.
    pub const NONE: Self = Self { qty: Qty(0), until: UnixNanos(0) };

    /// One word, so that nobody reads the quantity of one locate and the end of another.
    const fn pack(self) -> u64 {
        (self.until.0 / MINUTE_NS) << 32 | self.qty.0 as u64
    }

    /// How much `word` locates at `now`. A word that was never written locates nothing.
    #[expect(clippy::cast_possible_truncation, reason = "the field's width in the layout")]
    const fn at(word: u64, now: UnixNanos) -> i64 {
        let ends = (word >> 32).saturating_mul(MINUTE_NS);
        if now.0 < ends { word as u32 as i64 } else { 0 }
    }
}

/// A row that the table of locates does not have, or no such table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnlocatedRow {
    /// The instrument asked for.
    pub instrument: InstrumentId,
    /// The account asked for.
    pub account: AccountId,
}

impl core::fmt::Display for UnlocatedRow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "nothing can be located in instrument {} for account {}", self.instrument.0, self.account.0)
    }
}

impl core::error::Error for UnlocatedRow {}

/// What is located for each account in each instrument, as its one writer and its readers have it; without rows where nobody is held
/// to it.
#[derive(Clone, Copy)]
pub(crate) struct Locates {
    words: &'static [AtomicU64],
    accounts: usize,
}

impl Locates {
    /// Nothing is located in any of `instruments`; no `accounts` is no such table.
    pub(crate) fn lay_out(
        memory: &mut impl Memory,
        instruments: usize,
        accounts: u16,
    ) -> Result<Self, TableError> {
        let accounts = usize::from(accounts);
        let rows = instruments.saturating_mul(accounts);
        if rows > ROWS_MAX {
            return Err(TableError::Size(TableSizeError { instruments, classes: accounts }));
        }
        let words = memory.rows(rows).map_err(|error: OutOfMemory| TableError::from(error))?;
        Ok(Self { words, accounts })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.words)
    }

    /// How many accounts it has; 0 where nobody is held to it.
    pub(crate) const fn accounts(&self) -> usize {
        self.accounts
    }

    fn word(&self, instrument: InstrumentId, account: AccountId) -> Option<&AtomicU64> {
        let account = usize::from(account.0);
        let at = instrument.index().checked_mul(self.accounts)?.checked_add(account)?;
        self.words.get(at).filter(|_| account < self.accounts)
    }

    /// Says what is located for an account; none where there is no such row.
    pub(crate) fn write(&self, instrument: InstrumentId, account: AccountId, located: Located) -> Option<()> {
        self.word(instrument, account)?.store(located.pack(), Ordering::Release);
        Some(())
    }

    /// What is located for an account at `now`; nothing where there is no such row.
    pub(crate) fn qty(&self, instrument: InstrumentId, account: AccountId, now: UnixNanos) -> i64 {
        self.word(instrument, account).map_or(0, |word| Located::at(word.load(Ordering::Acquire), now))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::Private;
    use proptest::prelude::*;

    proptest! {
        /// Never more than was said, and never longer.
        #[test]
        fn a_word_locates_what_was_said_until_the_minute_before_its_end(qty: u32, until: u64, now: u64) {
            let word = Located { qty: Qty(qty), until: UnixNanos(until) }.pack();
            let last_minute = until / MINUTE_NS * MINUTE_NS;
            let wanted = if now < last_minute { i64::from(qty) } else { 0 };
            prop_assert_eq!(Located::at(word, UnixNanos(now)), wanted);
        }
    }

    #[test]
    fn each_account_has_a_word_of_its_own_and_what_lies_outside_none() {
        let locates = Locates::lay_out(&mut Private, 2, 3).unwrap();
        let (id, account) = (InstrumentId, AccountId);
        let some = Located { qty: Qty(7), until: UnixNanos(u64::MAX) };
        locates.write(id(0), account(2), some).unwrap();
        let said = |i, a| locates.qty(id(i), account(a), UnixNanos(1));
        assert_eq!((said(0, 2), said(1, 0), said(0, 1), said(0, 5)), (7, 0, 0, 0));
        for (i, a) in [(0, 3), (2, 0), (u32::MAX, 0), (1, u16::MAX)] {
            assert_eq!(locates.write(id(i), account(a), some), None, "{i} {a}");
            assert_eq!(said(i, a), 0);
        }
        assert!(Locates::lay_out(&mut Private, ROWS_MAX, 2).is_err(), "more rows than there may be");
        assert_eq!(Locates::lay_out(&mut Private, ROWS_MAX, 0).map(|none| none.bytes()).ok(), Some(0));
    }
}
