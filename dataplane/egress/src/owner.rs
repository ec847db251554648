//! Whom orders are of: the strategies and accounts that they count to.

use control::names::Name;
use std::path::PathBuf;

/// Owners that one gateway serves at most.
pub const OWNERS_MAX: usize = 64;

/// A strategy and an account that orders count to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The strategy.
    pub strategy: Name,
    /// The account.
    pub account: Name,
}

/// Whose orders go through a port.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The daemon's control socket; empty where the appliance is in this process, and there is no other to attach to.
    pub socket: PathBuf,
    /// The client to attach as.
    pub client: Name,
    /// What orders count to that say nothing else.
    pub own: Counted,
    /// What those count to that do, at most [`OWNERS_MAX`] with the first.
    pub others: Vec<Counted>,
}

impl Owner {
    /// Everything that orders may count to, in the order of [`OwnerIndex`].
    pub(crate) fn all(&self) -> impl Iterator<Item = &Counted> {
        std::iter::once(&self.own).chain(&self.others).take(OWNERS_MAX)
    }
}

/// What an order counts to: its place in a port's [`Owner`], 0 for its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerIndex(u8);

impl OwnerIndex {
    /// Every one there can be, in their order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..OWNERS_MAX as u8).map(Self)
    }

    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    /// Its bit in a set of them.
    pub(crate) const fn bit(self) -> u64 {
        1_u64 << (self.0 & 63)
    }
}
