//! Settlement prices that the firm's day does not begin with.

use crate::names::SymbolName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Symbols that are named.
const NAMED_MAX: usize = 5;

/// Declared settlement prices of another trading day than those before the firm's day, while losses are limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// The date of the firm's day.
    pub trade_date: String,
    /// How many.
    pub count: u32,
    /// The first few.
    pub symbols: Vec<SymbolName>,
}

impl Unsettled {
    /// Of these instruments, in their order; none of none.
    #[must_use]
    pub fn of(trade_date: String, mut symbols: Vec<SymbolName>) -> Option<Self> {
        let count = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
        symbols.truncate(NAMED_MAX);
        (count != 0).then_some(Self { trade_date, count, symbols })
    }
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.symbols.iter().map(ToString::to_string).collect();
        let more = if self.count as usize > names.len() { ", ..." } else { "" };
        write!(
            f,
            "{} settlement prices are not of the last trading days before {} ({}{more}): what is held of these since before has no \
             known profit or loss (reason 1305)",
            self.count,
            self.trade_date,
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_named_and_all_are_counted() {
        let names = |count: u8| {
            (b'A'..b'A' + count).map(|letter| char::from(letter).to_string().parse().unwrap()).collect()
        };
        let said = |count| {
            Unsettled::of("2026-11-30".to_owned(), names(count)).map(|unsettled| unsettled.to_string())
        };
        assert_eq!(said(0), None);
        assert!(said(5).unwrap().contains(
            "5 settlement prices are not of the last trading days before 2026-11-30 (A, B, C, D, E):"
        ));
        assert!(
            said(6).unwrap().starts_with("6 settlement prices") && said(6).unwrap().contains("D, E, ...):")
        );
    }
}
