//! From the day's dense instrument numbers to what the model knows per symbol.

use types::{InstrumentId, Symbol};

use super::per_symbol::PerSymbol;

/// No binding: the instrument was not defined.
const UNDEFINED: u32 = u32::MAX;

/// A table of values, and for each instrument the index of its own. Item 0 is the pooled one. Lookups allocate
/// nothing; the table's size is fixed at construction.
#[derive(Clone, Debug)]
pub(crate) struct Bindings<T> {
    items: Vec<T>,
    symbols: Vec<Symbol>,
    bound: Vec<u32>,
}

impl<T: Clone> Bindings<T> {
    /// `values` for the defined instruments below `instrument_count_max`.
    pub(crate) fn new(values: &PerSymbol<T>, instrument_count_max: usize) -> Self {
        let PerSymbol { pooled, symbols } = values;
        Self {
            items: [pooled].into_iter().chain(symbols.iter().map(|(_, item)| item)).cloned().collect(),
            symbols: symbols.iter().map(|(symbol, _)| *symbol).collect(),
            bound: vec![UNDEFINED; instrument_count_max],
        }
    }

    /// Says which symbol `instrument` is; numbers beyond the table stay undefined.
    pub(crate) fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        if let Some(bound) = self.bound.get_mut(instrument.index()) {
            let own = self.symbols.binary_search(&symbol).map_or(0, |i| i + 1);
            *bound = u32::try_from(own).unwrap_or(0);
        }
    }

    /// Whether `instrument` was defined and has an item of its own.
    #[inline]
    pub(crate) fn has_own(&self, instrument: InstrumentId) -> bool {
        self.bound.get(instrument.index()).is_some_and(|bound| ![0, UNDEFINED].contains(bound))
    }

    /// What holds for `instrument`; `None` when it was never defined.
    #[inline]
    pub(crate) fn of(&self, instrument: InstrumentId) -> Option<&T> {
        self.items.get(*self.bound.get(instrument.index())? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_find_their_own_item_or_the_pooled_one() {
        let symbol = |name| Symbol::new(name).unwrap();
        let mut table =
            Bindings::new(&PerSymbol { pooled: 0, symbols: vec![(symbol("A"), 1), (symbol("C"), 3)] }, 3);
        table.define(InstrumentId(0), symbol("C"));
        table.define(InstrumentId(1), symbol("B"));
        table.define(InstrumentId(9), symbol("A"));
        assert_eq!(table.of(InstrumentId(0)), Some(&3));
        assert_eq!(table.of(InstrumentId(1)), Some(&0));
        assert_eq!([0, 1, 2, 9].map(|i| table.has_own(InstrumentId(i))), [true, false, false, false]);
        for unknown in [InstrumentId(2), InstrumentId(9), InstrumentId::ALL] {
            assert_eq!(table.of(unknown), None);
        }
    }
}
