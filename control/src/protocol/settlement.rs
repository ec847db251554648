//! Instruments whose settlement price is missing.

use crate::names::SymbolName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Symbols that are named.
const NAMED_MAX: usize = 5;

/// Instruments whose settlement price is missing, while losses are limited: what is declared of them is not of the last trading day
/// before the firm's day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementMissing {
    /// The date of the firm's day.
    pub trade_date: String,
    /// How many.
    pub count: u32,
    /// The first few.
    pub symbols: Vec<SymbolName>,
}

impl SettlementMissing {
    /// Of these instruments, in their order; none of none.
    #[must_use]
    pub fn of(trade_date: String, mut symbols: Vec<SymbolName>) -> Option<Self> {
        let count = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
        symbols.truncate(NAMED_MAX);
        (count != 0).then_some(Self { trade_date, count, symbols })
    }
}

impl fmt::Display for SettlementMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.symbols.iter().map(ToString::to_string).collect();
        let more = if self.count as usize > names.len() { ", ..." } else { "" };
        write!(
            f,
            "settlement price missing for {} of {} instruments ({}{more}): what is held of these since before has no known profit or loss \
             (reason 1305)",
            self.trade_date,
            self.count,
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
            SettlementMissing::of("2026-11-30".to_owned(), names(count)).map(|missing| missing.to_string())
        };
        assert_eq!(said(0), None);
        assert!(
            said(5)
                .unwrap()
                .contains("settlement price missing for 2026-11-30 of 5 instruments (A, B, C, D, E):")
        );
        assert!(said(6).unwrap().contains(" of 6 instruments (") && said(6).unwrap().contains("D, E, ...):"));
    }
}
