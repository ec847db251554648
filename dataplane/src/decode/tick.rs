//! Tick sizes: feeds of equities do not carry them.

use std::collections::BTreeMap;

use types::{Px, Symbol, TickTable, TickTableId};

/// What a definition says of an instrument's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickSize {
    /// The tick at every price; of a table, the one at the highest.
    pub px: Px,
    /// The table, where the tick differs by price.
    pub table: TickTableId,
}

impl TickSize {
    /// One tick at every price.
    #[must_use]
    pub const fn uniform(px: Px) -> Self {
        Self { px, table: TickTableId::NONE }
    }

    /// The ticks of `table`, which has this number.
    #[must_use]
    pub const fn of_table(id: TickTableId, table: &TickTable) -> Self {
        Self { px: table.top(), table: id }
    }
}

/// The tick sizes of each instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickSizes {
    others: TickSize,
    by_symbol: BTreeMap<Symbol, TickSize>,
}

impl TickSizes {
    /// `others` for every instrument that is not `named`.
    #[must_use]
    pub fn new(others: TickSize, named: impl IntoIterator<Item = (Symbol, TickSize)>) -> Self {
        Self { others, by_symbol: named.into_iter().collect() }
    }

    /// The ticks of `symbol`: its own, else those of all others.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> TickSize {
        self.by_symbol.get(&symbol).copied().unwrap_or(self.others)
    }
}

impl From<TickTableId> for TickSizes {
    /// A table that every build knows, for every instrument; no known tick for another one.
    fn from(id: TickTableId) -> Self {
        let table = id.index().and_then(|at| TickTable::BUILT_IN.get(at));
        Self::new(table.map_or(TickSize::uniform(Px::NONE), |table| TickSize::of_table(id, table)), [])
    }
}
