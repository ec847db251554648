//! The dense numbers of strategies, their classes and accounts: indexes into tables sized at boot.

/// A class of strategies that share limits (market making, momentum, execution, ...). Limits are kept per (instrument,
/// class).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ClassId(pub u8);

/// A strategy. Positions and rates are kept per (instrument, strategy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct StrategyId(pub u16);

/// An account. It has a breaker of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct AccountId(pub u16);
