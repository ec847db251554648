//! Values that belong to symbols: one for all of them together, and some symbols' own.

use serde::{Deserialize, Serialize};
use types::Symbol;

/// A value for all symbols together, and own ones for some of them.
#[derive(Clone, Debug, PartialEq)]
pub struct PerSymbol<T> {
    /// What holds for a symbol without a value of its own.
    pub pooled: T,
    /// Sorted by symbol.
    pub(crate) symbols: Vec<(Symbol, T)>,
}

impl<T> PerSymbol<T> {
    /// What holds for `symbol`.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> &T {
        match self.symbols.binary_search_by_key(&symbol, |(name, _)| *name) {
            Ok(i) => &self.symbols[i].1,
            Err(_) => &self.pooled,
        }
    }

    /// Whether `symbol` has a value of its own.
    pub(crate) fn has(&self, symbol: Symbol) -> bool {
        self.symbols.binary_search_by_key(&symbol, |(name, _)| *name).is_ok()
    }

    /// Takes the value of `symbol` away; the pooled one holds.
    pub(crate) fn forget(&mut self, symbol: Symbol) {
        self.symbols.retain(|(name, _)| *name != symbol);
    }

    /// The same with `f` of each value.
    pub(crate) fn map<U>(&self, f: impl Fn(&T) -> U) -> PerSymbol<U> {
        let symbols = self.symbols.iter().map(|(symbol, value)| (*symbol, f(value))).collect();
        PerSymbol { pooled: f(&self.pooled), symbols }
    }
}

/// A value that belongs to a symbol, as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Named<T> {
    pub(crate) symbol: String,
    #[serde(flatten)]
    pub(crate) value: T,
}

/// The items as a manifest lists them.
pub(crate) fn named<T: Clone>(items: &[(Symbol, T)]) -> Vec<Named<T>> {
    items.iter().map(|(s, value)| Named { symbol: s.as_str().to_owned(), value: value.clone() }).collect()
}

/// The first symbol whose value `fault` finds something wrong with, and what.
pub(crate) fn first_fault<T>(
    items: &[Named<T>],
    fault: impl Fn(&T) -> Option<&'static str>,
) -> Option<(String, &'static str)> {
    items.iter().find_map(|item| Some((item.symbol.clone(), fault(&item.value)?)))
}

/// The items that a manifest lists, sorted by symbol.
///
/// # Errors
/// The first name that no symbol has.
pub(crate) fn parsed<T>(items: Vec<Named<T>>) -> Result<Vec<(Symbol, T)>, String> {
    let mut out = Vec::with_capacity(items.len());
    for Named { symbol, value } in items {
        let Some(name) = Symbol::new(&symbol) else { return Err(symbol) };
        out.push((name, value));
    }
    out.sort_by_key(|(symbol, _)| *symbol);
    Ok(out)
}
