//! Numbers for the names in a file of orders.

use crate::orders::OrderRow;
use gate::{AccountId, StrategyId};
use std::collections::BTreeMap;

/// Who trades, and which orders there are. Strategies and accounts are numbered in the order of their names, so that a replay
/// numbers them as the last one; client order ids in the order in which they come first. A name that is missing has no number
/// that the gate knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameTable {
    strategies: BTreeMap<String, StrategyId>,
    accounts: BTreeMap<String, AccountId>,
    order_ids: BTreeMap<String, u64>,
}

impl NameTable {
    pub(crate) fn of(orders: &[OrderRow]) -> Self {
        let mut this = Self::default();
        for order in orders {
            if !order.strategy.is_empty() {
                this.strategies.insert(order.strategy.clone(), StrategyId(0));
            }
            if !order.account.is_empty() {
                this.accounts.insert(order.account.clone(), AccountId(0));
            }
            let next = this.order_ids.len() as u64 + 1;
            if !order.cl_ord_id.is_empty() {
                this.order_ids.entry(order.cl_ord_id.clone()).or_insert(next);
            }
        }
        (0..).zip(this.strategies.values_mut()).for_each(|(n, id)| *id = StrategyId(n));
        (0..).zip(this.accounts.values_mut()).for_each(|(n, id)| *id = AccountId(n));
        this
    }

    /// How many strategies and accounts there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.strategies.len(), self.accounts.len())
    }

    pub(crate) fn strategy(&self, name: &str) -> StrategyId {
        self.strategies.get(name).copied().unwrap_or(StrategyId(u16::MAX))
    }

    pub(crate) fn account(&self, name: &str) -> AccountId {
        self.accounts.get(name).copied().unwrap_or(AccountId(u16::MAX))
    }

    /// The accounts, each with its number.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&str, AccountId)> {
        self.accounts.iter().map(|(name, id)| (name.as_str(), *id))
    }

    /// The number of a client order id; 0, which no order may have, when there is none.
    pub(crate) fn order_id(&self, id: &str) -> u64 {
        self.order_ids.get(id).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Px, Qty, Side, UnixNanos};

    #[test]
    fn names_are_numbered_in_their_order_and_ids_as_they_come() {
        let row = |id: &str, account: &str, strategy: &str| OrderRow {
            ts: UnixNanos(0),
            cl_ord_id: id.into(),
            account: account.into(),
            strategy: strategy.into(),
            symbol: "S".into(),
            side: Side::Bid,
            qty: Qty(1),
            px: Px(1),
            ioc: false,
        };
        let names =
            NameTable::of(&[row("z", "B", "mm"), row("a", "A", "arb"), row("z", "B", ""), row("", "", "mm")]);
        assert_eq!(names.counts(), (2, 2));
        assert_eq!([names.strategy("arb"), names.strategy("mm")], [StrategyId(0), StrategyId(1)]);
        assert_eq!([names.account("A"), names.account("B")], [AccountId(0), AccountId(1)]);
        assert_eq!([names.order_id("z"), names.order_id("a"), names.order_id("")], [1, 2, 0]);
        assert_eq!((names.strategy(""), names.account("")), (StrategyId(u16::MAX), AccountId(u16::MAX)));
    }
}
