//! The last orders that were let through, so that one sent twice under two ids is noticed.
//!
//! They stand in a ring, oldest first, and are chained by a hash of what they ask for: each names the one before it with the
//! same hash. Time never runs backwards in a gate, so a chain can be left at the first order that is too old.

use alloc::{boxed::Box, vec};

use types::{GOLDEN, InstrumentId, Nanos, Px, Qty, Side, UnixNanos};

use crate::{
    ids::{AccountId, StrategyId},
    intent::{OrderIntent, OrderType, TimeInForce},
};

/// What makes two orders the same: account, strategy, instrument, side, type, price and quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked([u64; 3]);

impl Asked {
    fn of(order: &OrderIntent) -> Self {
        let market = u64::from(order.order_type == OrderType::Market);
        let who = u64::from(order.strategy.0) << 16 | u64::from(order.account.0);
        let what = u64::from(order.instrument.0) << 32 | u64::from(order.qty.0);
        let how = who << 2 | market << 1 | order.side.index() as u64;
        Self([order.px.0.cast_unsigned(), what, how])
    }

    /// An order that asks for the same; its id and time in force are anybody's.
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    const fn order(&self) -> OrderIntent {
        let [px, what, how] = self.0;
        OrderIntent {
            cl_ord_id: 0,
            px: Px(px.cast_signed()),
            instrument: InstrumentId((what >> 32) as u32),
            qty: Qty(what as u32),
            strategy: StrategyId((how >> 18) as u16),
            account: AccountId((how >> 2) as u16),
            side: if how & 1 == 0 { Side::Bid } else { Side::Ask },
            order_type: if how & 2 == 0 { OrderType::Limit } else { OrderType::Market },
            tif: TimeInForce::Day,
        }
    }

    fn hash(&self) -> u64 {
        self.0.iter().fold(0, |hash: u64, word| (hash.rotate_left(29) ^ word).wrapping_mul(GOLDEN))
    }
}

/// An order that was let through.
#[derive(Clone, Copy, Debug)]
struct Sent {
    asked: Asked,
    at: UnixNanos,
    /// The number of the one before with the same hash, 0 when there is none.
    before: u64,
}

/// The last orders.
#[derive(Debug)]
pub(crate) struct Repeats {
    window: Nanos,
    ring: Box<[Sent]>,
    /// The number of the newest order of each hash, 0 when there is none.
    newest: Box<[u64]>,
    /// How many orders there were: the number of the newest.
    sent: u64,
}

impl Repeats {
    /// The same order counts as repeated within `window`, if fewer than `count` others came between; a window of 0 asks for
    /// nothing.
    pub(crate) fn new(window: Nanos, count: usize) -> Self {
        let places = if window.0 == 0 { 0 } else { count.next_power_of_two() };
        let free = Sent { asked: Asked([0; 3]), at: UnixNanos(0), before: 0 };
        Self { window, ring: vec![free; places].into(), newest: vec![0; places].into(), sent: 0 }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.ring) + size_of_val(&*self.newest)
    }

    /// Within which time an order counts as repeated.
    pub(crate) const fn window(&self) -> Nanos {
        self.window
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked by the number of places")]
    fn place(&self, number: u64) -> usize {
        number as usize & self.ring.len().wrapping_sub(1)
    }

    fn bucket(&self, asked: &Asked) -> usize {
        self.place(asked.hash() >> 32)
    }

    /// How long ago the same order was let through, if that is within the window.
    #[inline(always)]
    pub(crate) fn age(&self, order: &OrderIntent, now: UnixNanos) -> Option<Nanos> {
        if self.window.0 == 0 { None } else { self.age_within(order, now) }
    }

    #[inline]
    fn age_within(&self, order: &OrderIntent, now: UnixNanos) -> Option<Nanos> {
        let asked = Asked::of(order);
        let mut number = *self.newest.get(self.bucket(&asked))?;
        let forgotten = self.sent.saturating_sub(self.ring.len() as u64);
        while number > forgotten {
            let sent = self.ring.get(self.place(number))?;
            let age = Nanos(now.0.saturating_sub(sent.at.0));
            if age >= self.window {
                return None;
            }
            if sent.asked == asked {
                return Some(age);
            }
            number = sent.before;
        }
        None
    }

    /// What was asked for and is not forgotten, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (OrderIntent, UnixNanos)> {
        let forgotten = self.sent.saturating_sub(self.ring.len() as u64);
        let sent =
            (forgotten..self.sent).filter_map(|before| self.ring.get(self.place(before.wrapping_add(1))));
        sent.map(|sent| (sent.asked.order(), sent.at))
    }

    /// Remembers an order that is let through.
    #[inline]
    pub(crate) fn note(&mut self, order: &OrderIntent, now: UnixNanos) {
        if self.window.0 == 0 {
            return;
        }
        let asked = Asked::of(order);
        let (number, bucket) = (self.sent.wrapping_add(1), self.bucket(&asked));
        let place = self.place(number);
        if let (Some(sent), Some(newest)) = (self.ring.get_mut(place), self.newest.get_mut(bucket)) {
            *sent = Sent { asked, at: now, before: core::mem::replace(newest, number) };
            self.sent = number;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::tests::{NOW, market, order, px, sell};
    use crate::{AccountId, StrategyId};
    use proptest::prelude::*;
    use types::{InstrumentId, Qty, Side};

    #[test]
    fn an_order_is_the_same_when_all_that_it_asks_for_is() {
        let mut repeats = Repeats::new(Nanos(100), 8);
        repeats.note(&order(1), NOW);
        assert_eq!(repeats.age(&order(2), NOW.plus(Nanos(99))), Some(Nanos(99)));
        assert_eq!(repeats.age(&order(2), NOW.plus(Nanos(100))), None);
        for other in [
            OrderIntent { px: px("99.99"), ..order(2) },
            OrderIntent { qty: Qty(101), ..order(2) },
            OrderIntent { strategy: StrategyId(0), ..order(2) },
            OrderIntent { account: AccountId(0), ..order(2) },
            OrderIntent { instrument: InstrumentId(0), ..order(2) },
            OrderIntent { px: px("100.00"), ..sell(2) },
            market(2, Side::Bid),
        ] {
            assert_eq!(repeats.age(&other, NOW), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_given_back_oldest_first() {
        let mut repeats = Repeats::new(Nanos(100), 4);
        let names = (InstrumentId(u32::MAX - 1), StrategyId(u16::MAX - 2), AccountId(u16::MAX - 3));
        let (instrument, strategy, account) = names;
        let named = |order| OrderIntent { instrument, strategy, account, ..order };
        let large = OrderIntent { qty: Qty(u32::MAX - 4), px: px("-7.00"), ..order(0) };
        let orders = [order(0), sell(0), market(0, Side::Bid), named(market(0, Side::Ask)), named(large)];
        for order in orders {
            repeats.note(&OrderIntent { cl_ord_id: 9, tif: TimeInForce::Ioc, ..order }, NOW);
        }
        let [_, last @ ..] = orders;
        assert!(repeats.iter().eq(last.map(|order| (order, NOW))), "the last four");
    }

    proptest! {
        /// Against a list of all that was ever sent.
        #[test]
        fn a_repeat_is_one_of_the_last_orders_and_young(
            window in 1_u64..60, count in 1_usize..20,
            sent in proptest::collection::vec((0_u64..8, 0_u64..10), 1..200),
        ) {
            let mut repeats = Repeats::new(Nanos(window), count);
            let (mut now, mut all) = (NOW, std::vec::Vec::new());
            for (what, gap) in sent {
                now = now.plus(Nanos(gap));
                let asks = OrderIntent { qty: Qty(what as u32), ..order(1) };
                let last = all.iter().rev().take(count.next_power_of_two());
                let want = last
                    .filter(|(w, at): &&(u64, UnixNanos)| *w == what && now.0 - at.0 < window)
                    .map(|(_, at)| Nanos(now.0 - at.0))
                    .min();
                prop_assert_eq!(repeats.age(&asks, now), want);
                repeats.note(&asks, now);
                all.push((what, now));
            }
        }
    }
}
