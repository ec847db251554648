//! Tick sizes: feeds of equities do not carry them.

use std::collections::BTreeMap;

use types::{Px, Symbol};

/// Tick size of US equities above one dollar (Regulation NMS rule 612): one cent.
const EQUITY_TICK: Px = Px(10_000_000);

/// The tick size of each instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickSizes {
    by_symbol: BTreeMap<Symbol, Px>,
}

impl TickSizes {
    /// The tick of `symbol`: its own, else that of US equities.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> Px {
        self.by_symbol.get(&symbol).copied().unwrap_or(EQUITY_TICK)
    }
}

impl FromIterator<(Symbol, Px)> for TickSizes {
    fn from_iter<I: IntoIterator<Item = (Symbol, Px)>>(ticks: I) -> Self {
        Self { by_symbol: ticks.into_iter().collect() }
    }
}
