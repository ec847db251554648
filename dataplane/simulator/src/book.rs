//! A price-time priority limit order book that matches. It keeps no clock and publishes nothing: the market wraps it
//! and tells the feed.

use std::collections::{BTreeMap, HashMap};

use types::Side;

/// Who owns an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Market maker number n.
    Maker(u8),
    /// Anyone whose fills nobody waits for.
    Crowd,
    /// Who works an iceberg order.
    Iceberg,
    /// Value trader number n.
    Value(u8),
    /// The worker of ordinary large parent orders.
    Parent,
    /// Who floods the book with orders that are not meant.
    Stuffer,
}

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resting {
    pub(crate) side: Side,
    /// Price in ticks of the instrument.
    pub(crate) px: i64,
    /// Displayed quantity left.
    pub(crate) qty: u32,
    pub(crate) owner: Owner,
}

/// One execution of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) order: u64,
    pub(crate) resting: Resting,
    /// Quantity executed.
    pub(crate) qty: u32,
}

/// The orders of one price. References grow with time and every loss of priority takes a new one, so the order of
/// references *is* the time priority.
#[derive(Debug, Default)]
struct Level {
    qty: u64,
    queue: BTreeMap<u64, u32>,
}

/// The book of one instrument.
#[derive(Debug, Default)]
pub(crate) struct Book {
    sides: [BTreeMap<i64, Level>; 2],
    orders: HashMap<u64, Resting>,
    last_ref: u64,
}

impl Book {
    /// Best bid in ticks.
    pub(crate) fn best_bid(&self) -> Option<i64> {
        self.sides[Side::Bid.index()].keys().next_back().copied()
    }

    /// Best offer in ticks.
    pub(crate) fn best_ask(&self) -> Option<i64> {
        self.sides[Side::Ask.index()].keys().next().copied()
    }

    /// Best price of `side`.
    pub(crate) fn best(&self, side: Side) -> Option<i64> {
        match side {
            Side::Bid => self.best_bid(),
            Side::Ask => self.best_ask(),
        }
    }

    /// Quantity within `ticks` of the best price of `side`, the best included.
    pub(crate) fn depth(&self, side: Side, ticks: i64) -> u64 {
        let Some(best) = self.best(side) else { return 0 };
        let range = match side {
            Side::Bid => best - ticks..=best,
            Side::Ask => best..=best + ticks,
        };
        self.sides[side.index()].range(range).map(|(_, level)| level.qty).sum()
    }

    /// The resting order with this reference.
    pub(crate) fn order(&self, order: u64) -> Option<Resting> {
        self.orders.get(&order).copied()
    }

    /// Number of resting orders.
    #[cfg(test)]
    pub(crate) fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// Whether an order of `side` at `px` would trade at once.
    pub(crate) fn crosses(&self, side: Side, px: i64) -> bool {
        match side {
            Side::Bid => self.best_ask().is_some_and(|ask| px >= ask),
            Side::Ask => self.best_bid().is_some_and(|bid| px <= bid),
        }
    }

    /// Puts an order at the end of its level's queue and returns its reference.
    ///
    /// # Panics
    /// When the order would cross or is empty: the caller matches first.
    pub(crate) fn rest(&mut self, resting: Resting) -> u64 {
        assert!(resting.qty > 0, "an empty order cannot rest");
        assert!(!self.crosses(resting.side, resting.px), "a crossing order must match first: {resting:?}");
        self.last_ref += 1;
        let level = self.sides[resting.side.index()].entry(resting.px).or_default();
        level.qty += u64::from(resting.qty);
        level.queue.insert(self.last_ref, resting.qty);
        self.orders.insert(self.last_ref, resting);
        self.last_ref
    }

    /// Matches an incoming order of `side` for `qty` down to `limit` (none: any price) against the other side in
    /// price-time order. Executions are appended to `fills`; returns the quantity left over.
    pub(crate) fn take(&mut self, side: Side, limit: Option<i64>, qty: u32, fills: &mut Vec<Fill>) -> u32 {
        let resting_side = side.opposite();
        let mut left = qty;
        while left > 0 {
            let Some(best) = self.best(resting_side) else { break };
            let acceptable = limit.is_none_or(|px| if side == Side::Bid { best <= px } else { best >= px });
            if !acceptable {
                break;
            }
            let level = &self.sides[resting_side.index()][&best];
            let (&order, &available) = level.queue.first_key_value().expect("a level holds an order");
            let traded = available.min(left);
            let resting = self.orders[&order];
            self.reduce(order, traded);
            fills.push(Fill { order, resting, qty: traded });
            left -= traded;
        }
        left
    }

    /// Takes `qty` off an order, which keeps its place; at zero the order leaves. Returns what is left.
    ///
    /// # Panics
    /// When the order is unknown or smaller.
    pub(crate) fn reduce(&mut self, order: u64, qty: u32) -> u32 {
        let resting = self.orders.get_mut(&order).expect("the order rests");
        resting.qty = resting.qty.checked_sub(qty).expect("an order cannot lose more than it has");
        let (side, px, left) = (resting.side, resting.px, resting.qty);
        let levels = &mut self.sides[side.index()];
        let level = levels.get_mut(&px).expect("an order's level exists");
        level.qty -= u64::from(qty);
        if left == 0 {
            level.queue.remove(&order);
            self.orders.remove(&order);
        } else {
            level.queue.insert(order, left);
        }
        if level.queue.is_empty() {
            levels.remove(&px);
        }
        left
    }

    /// Removes an order whole and returns it.
    pub(crate) fn delete(&mut self, order: u64) -> Option<Resting> {
        let resting = self.order(order)?;
        self.reduce(order, resting.qty);
        Some(resting)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bid(px: i64, qty: u32) -> Resting {
        Resting { side: Side::Bid, px, qty, owner: Owner::Crowd }
    }

    #[test]
    fn the_best_price_trades_first_and_then_the_oldest_order() {
        let mut book = Book::default();
        let first = book.rest(bid(100, 10));
        let second = book.rest(bid(100, 20));
        let better = book.rest(bid(101, 5));
        let mut fills = Vec::new();
        assert_eq!(book.take(Side::Ask, Some(100), 20, &mut fills), 0);
        let got: Vec<_> = fills.iter().map(|f| (f.order, f.qty)).collect();
        assert_eq!(got, [(better, 5), (first, 10), (second, 5)]);
        assert_eq!(book.depth(Side::Bid, 0), 15);
        assert_eq!(book.best_bid(), Some(100));
    }

    #[test]
    fn a_limit_stops_the_walk_and_a_reduced_order_keeps_its_place() {
        let mut book = Book::default();
        let first = book.rest(bid(100, 10));
        book.rest(bid(100, 10));
        book.rest(bid(99, 10));
        assert_eq!(book.reduce(first, 4), 6);
        let mut fills = Vec::new();
        assert_eq!(book.take(Side::Ask, Some(100), 50, &mut fills), 34);
        assert_eq!(fills[0].order, first);
        assert_eq!(fills[0].qty, 6);
        assert_eq!(book.best_bid(), Some(99));
        assert_eq!(book.depth(Side::Bid, 5), 10);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Submit { side: Side, px: i64, qty: u32 },
        Reduce { pick: usize, qty: u32 },
        Delete { pick: usize },
    }

    fn op() -> impl Strategy<Value = Op> {
        let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
        prop_oneof![
            4 => (side, 90..110_i64, 1..50_u32).prop_map(|(side, px, qty)| Op::Submit { side, px, qty }),
            1 => (any::<usize>(), 1..50_u32).prop_map(|(pick, qty)| Op::Reduce { pick, qty }),
            1 => any::<usize>().prop_map(|pick| Op::Delete { pick }),
        ]
    }

    /// The slow, obvious book: a list of orders in order of arrival.
    #[derive(Default)]
    struct Naive(Vec<(u64, Side, i64, u32)>);

    impl Naive {
        fn best_match(&self, side: Side, limit: i64) -> Option<usize> {
            let good = |px: i64| if side == Side::Bid { px <= limit } else { px >= limit };
            let key = |px: i64| if side == Side::Bid { px } else { -px };
            (0..self.0.len())
                .filter(|&i| self.0[i].1 != side && good(self.0[i].2))
                .min_by_key(|&i| (key(self.0[i].2), self.0[i].0))
        }
    }

    proptest! {
        #[test]
        fn any_sequence_of_orders_matches_as_the_naive_book_does(ops in prop::collection::vec(op(), 1..200)) {
            let (mut book, mut naive) = (Book::default(), Naive::default());
            let (mut entered, mut traded, mut cancelled) = (0_u64, 0_u64, 0_u64);
            for op in ops {
                match op {
                    Op::Submit { side, px, qty } => {
                        entered += u64::from(qty);
                        let mut fills = Vec::new();
                        let left = book.take(side, Some(px), qty, &mut fills);
                        for fill in &fills {
                            let i = naive.best_match(side, px).expect("the naive book finds a match too");
                            prop_assert_eq!((naive.0[i].0, naive.0[i].2), (fill.order, fill.resting.px));
                            naive.0[i].3 -= fill.qty;
                            if naive.0[i].3 == 0 { naive.0.remove(i); }
                            traded += 2 * u64::from(fill.qty);
                        }
                        if left > 0 {
                            prop_assert!(naive.best_match(side, px).is_none(), "the rest could still trade");
                            let order = book.rest(Resting { side, px, qty: left, owner: Owner::Crowd });
                            naive.0.push((order, side, px, left));
                        }
                    }
                    Op::Reduce { pick, qty } if !naive.0.is_empty() => {
                        let i = pick % naive.0.len();
                        let qty = qty.min(naive.0[i].3);
                        book.reduce(naive.0[i].0, qty);
                        cancelled += u64::from(qty);
                        naive.0[i].3 -= qty;
                        if naive.0[i].3 == 0 { naive.0.remove(i); }
                    }
                    Op::Delete { pick } if !naive.0.is_empty() => {
                        let (order, ..) = naive.0.remove(pick % naive.0.len());
                        cancelled += u64::from(book.delete(order).expect("it rests").qty);
                    }
                    Op::Reduce { .. } | Op::Delete { .. } => {}
                }
                if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
                    prop_assert!(bid < ask, "crossed: {} {}", bid, ask);
                }
            }
            let resting: u64 = naive.0.iter().map(|o| u64::from(o.3)).sum();
            prop_assert_eq!(entered, traded + cancelled + resting, "quantity is conserved");
            prop_assert_eq!(book.order_count(), naive.0.len());
            prop_assert!(naive.0.iter().all(|o| book.order(o.0).is_some_and(|r| r.qty == o.3)));
            prop_assert_eq!(book.depth(Side::Bid, 100) + book.depth(Side::Ask, 100), resting);
        }
    }
}
