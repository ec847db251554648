//! An open order as people know it.

use control::names::{Name, Scope};
use gate::OpenOrder;
use types::{Symbol, UnixNanos};

/// One open order, by the names of what it is in.
pub(super) struct NamedOrder<'a> {
    pub(super) order: OpenOrder,
    pub(super) strategy: &'a Name,
    pub(super) account: &'a Name,
    pub(super) symbol: Symbol,
    pub(super) since: Option<UnixNanos>,
    /// The replacement of it that the venue has not answered.
    pub(super) replacement: Option<u64>,
}

impl NamedOrder<'_> {
    /// Whether a breaker of `scope` covers it. A desk or a trader has no breaker of its own, its strategies have.
    pub(super) fn is_within(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Firm => true,
            Scope::Desk(_) | Scope::Trader(_) => false,
            Scope::Account(name) => name == self.account,
            Scope::Strategy(name) => name == self.strategy,
            Scope::Instrument(symbol) => symbol.symbol() == self.symbol,
        }
    }
}
