//! Which of what order processes hold is asked for, or set.

use crate::names::{Name, SymbolName};
use serde::{Deserialize, Serialize};

/// What to show: everything, or what is all of that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldingsFilter {
    /// One client's.
    pub client: Option<Name>,
    /// One strategy's.
    pub strategy: Option<Name>,
    /// One account's. What may be in it, where that is not known, is shown.
    pub account: Option<Name>,
    /// In one instrument.
    pub symbol: Option<SymbolName>,
}

impl HoldingsFilter {
    /// Whether it shows what `client` has in all of these; an account that is not known is any.
    #[must_use]
    pub fn shows(&self, client: &Name, strategy: &Name, account: Option<&Name>, symbol: SymbolName) -> bool {
        let is = |wanted: &Option<Name>, found: &Name| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.client, client)
            && is(&self.strategy, strategy)
            && account.is_none_or(|account| is(&self.account, account))
            && self.symbol.is_none_or(|wanted| wanted == symbol)
    }
}

/// A position that a person sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionSetting {
    /// The client whose books it stands in.
    pub client: Name,
    /// The strategy.
    pub strategy: Name,
    /// The account that has more or less by it.
    pub account: Name,
    /// The instrument.
    pub symbol: SymbolName,
    /// What the strategy holds, as the venue says; negative is short.
    pub position: i64,
}
