//! What the venue knows of whoever trades on it.

use std::collections::BTreeMap;
use types::Side;

/// An order that may still trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAtVenue {
    /// Its symbol.
    pub symbol: [u8; 8],
    /// What it does.
    pub side: Side,
    /// What can still trade.
    pub left: u32,
    /// What its chain has executed.
    pub executed: u32,
    /// At which price, in 1e-4.
    pub price: u64,
}

/// Positions, orders and counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Shares held, by symbol.
    pub positions: BTreeMap<[u8; 8], i64>,
    /// Orders that may still trade, by token; of OUCH 5.0 the number in its first four bytes.
    pub open: BTreeMap<[u8; 14], OpenAtVenue>,
    /// Orders and replacements that came and were looked at.
    pub taken: u64,
    /// Of them, rejected.
    pub rejected: u64,
    /// Executions, each counted once.
    pub executions: u64,
    /// Messages that were sent again, or name no live order, and were ignored.
    pub ignored: u64,
    /// Messages that cannot be read.
    pub malformed: u64,
}

impl Account {
    /// Books an execution.
    pub(super) fn book(&mut self, symbol: [u8; 8], side: Side, shares: u32) {
        let shares = match side {
            Side::Bid => i64::from(shares),
            Side::Ask => -i64::from(shares),
        };
        *self.positions.entry(symbol).or_default() += shares;
        self.executions += 1;
    }
}
