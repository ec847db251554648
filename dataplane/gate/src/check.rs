//! What a check is: a predicate over a [`Case`], the numbers it names, its code and its text, in one place.

use crate::{case::Case, decision::Flags};

/// The unit of a verdict's limit and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// The reason has no numbers.
    None,
    /// Shares, lots or contracts.
    Quantity,
    /// Millionths of the currency.
    MicroCurrency,
    /// Basis points.
    Bps,
    /// Ticks.
    Ticks,
    /// A price, in 1e-9 of the currency.
    Price,
    /// Nanoseconds.
    Nanos,
    /// Orders.
    Orders,
    /// Orders per second.
    OrdersPerSecond,
    /// An index or state number.
    Number,
}

/// The input without which a check means nothing: when it could not be read, that alone is the reason, and the check is
/// silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    Limits,
    Quote,
}

/// One reason to refuse an order. Numbers and slugs are stored in files and sent to counterparties, so they never change
/// meaning and are never used again.
pub(crate) trait Check {
    /// The stable number; its first digits group checks of one kind.
    const CODE: u16;
    /// The stable name in files, on screens and in FIX tag 58.
    const SLUG: &'static str;
    /// FIX tag 103, OrdRejReason (FIX 5.0 SP2). The finer codes of newer dictionaries are not used where an older
    /// counterparty would not know them, except 16, 18 and 19, which have no older equivalent.
    const FIX: u16;
    /// Of both [`Check::numbers`].
    const UNIT: Unit;
    /// One sentence for an officer; `{limit}` and `{value}` stand for the numbers.
    const SENTENCE: &'static str;
    /// Which missing or unreadable input leads here, or `-` when only a real breach does.
    const FAILS_CLOSED_ON: &'static str = "-";
    const NEEDS: Needs = Needs::Nothing;
    /// Whoever breaks it is also near a limit ([`crate::checks::NearLimit`]): the fast path, which leaves either to the slow one, asks
    /// for that alone.
    const NEAR_BEFORE: bool = false;

    /// Whether the order breaks it. Runs on the order path: no division, no call that is not inlined.
    fn broken(case: &Case) -> bool;

    /// The limit, and what the order would have made of it. Cold.
    fn numbers(_case: &Case) -> (i64, i64) {
        (0, 0)
    }
}

/// One reason to look at an order that is let through.
pub(crate) trait Notice {
    const FLAG: Flags;

    fn worth(case: &Case) -> bool;
}

/// A count or price as a verdict names it, at the end of its range when it is beyond.
pub(crate) fn clip(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The same of a product.
pub(crate) fn clip_wide(n: u128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
