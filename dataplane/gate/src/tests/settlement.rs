//! What is reserved is what works: through every event, in every order, against a model that keeps no table.

use super::*;
use crate::{Exposure, OrderEvent as E, RejectReason as R, Settlement as S};
use proptest::{prelude::*, sample::select};
use std::{collections::HashMap, vec, vec::Vec};

fn exposure(rig: &Rig) -> (i64, u64, u64) {
    let Exposure { position, working_buy, working_sell, .. } =
        rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap();
    (position, working_buy, working_sell)
}

/// Asks to replace order 1, which must be let through.
fn renew(rig: &mut Rig, order: &OrderIntent) {
    let (verdict, reservation) = rig.gate.replace(1, order, NOW);
    assert_eq!(reservation.map(|r| r.id()), Some(order.cl_ord_id), "{verdict}");
}

#[test]
fn an_order_counts_from_its_reservation_until_it_is_done() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert_eq!(exposure(&rig), (0, 100, 0));
    assert_eq!(rig.gate.settle(E::Accepted { id: 1 }), S::Working);
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(30) }), S::Working);
    assert_eq!(exposure(&rig), (30, 70, 0));
    assert_eq!(rig.gate.settle(E::Reduced { id: 1, qty: Qty(20) }), S::Working);
    assert_eq!(exposure(&rig), (30, 50, 0));
    assert_eq!(rig.gate.settle(E::Cancelled { id: 1 }), S::Done);
    assert_eq!(exposure(&rig), (30, 0, 0));
    rig.take(&sell(2));
    assert_eq!(rig.gate.settle(E::Rejected { id: 2 }), S::Done);
    rig.take(&OrderIntent { qty: Qty(30), ..sell(3) });
    assert_eq!(rig.gate.settle(E::Filled { id: 3, qty: Qty(30) }), S::Done);
    assert_eq!(exposure(&rig), (0, 0, 0));
    assert_eq!(rig.gate.open_order_count(), 0);
}

#[test]
fn a_reservation_that_is_not_sent_is_released() {
    let mut rig = Rig::new();
    let (_, reservation) = rig.gate.reserve(&order(1), NOW);
    assert_eq!(rig.gate.release(reservation.unwrap()), S::Done);
    assert_eq!(exposure(&rig), (0, 0, 0));
    rig.take(&order(2));
    let (_, reservation) = rig.gate.replace(2, &OrderIntent { qty: Qty(150), ..order(3) }, NOW);
    assert_eq!(exposure(&rig), (0, 150, 0));
    assert_eq!(rig.gate.release(reservation.unwrap()), S::Working);
    assert_eq!(exposure(&rig), (0, 100, 0));
}

#[test]
fn a_late_fill_moves_the_position_it_belongs_to_and_an_unknown_one_is_reported() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert_eq!(rig.gate.settle(E::Cancelled { id: 1 }), S::Done);
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(40) }), S::LateFill);
    assert_eq!(exposure(&rig), (40, 0, 0));
    assert_eq!(rig.gate.settle(E::Cancelled { id: 1 }), S::Ignored);
    assert_eq!(rig.gate.settle(E::Filled { id: 77, qty: Qty(40) }), S::UnknownOrder);
    assert_eq!(exposure(&rig), (40, 0, 0));
}

#[test]
fn an_overfill_moves_the_position_by_all_of_it_and_leaves_nothing_working() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(130) }), S::Overfill);
    assert_eq!(exposure(&rig), (130, 0, 0));
    assert_eq!(rig.gate.open_order_count(), 0);
}

#[test]
fn an_id_is_a_duplicate_while_open_and_while_recent_and_not_after() {
    let mut rig = Rig::new();
    let far = |id| OrderIntent { qty: Qty(1), ..order(id) };
    let mut at = NOW;
    rig.take(&far(1));
    rig.refuses(&far(1), R::Duplicate);
    rig.gate.settle(E::Cancelled { id: 1 });
    rig.refuses(&far(1), R::Duplicate);
    for id in 2..=9 {
        at = at.plus(Nanos(200_000_000));
        rig.publish_live(&LIVE, Tier::Normal, at);
        assert!(rig.gate.reserve(&far(id), at).0.accepted());
        assert_eq!(rig.gate.check(&far(1), at).reason, Some(R::Duplicate), "{id}");
        rig.gate.settle(E::Cancelled { id });
    }
    assert_eq!(rig.gate.check(&far(1), at).reason, None, "eight others have closed since");
    assert_eq!(rig.gate.check(&far(2), at).reason, Some(R::Duplicate));
}

#[test]
fn until_the_venue_answers_the_larger_of_two_quantities_counts() {
    for (answer, working) in [(E::Replaced { id: 2 }, 150), (E::ReplaceRejected { id: 2 }, 80)] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        rig.gate.settle(E::Filled { id: 1, qty: Qty(20) });
        let (verdict, _) = rig.gate.replace(1, &OrderIntent { qty: Qty(170), ..order(2) }, NOW);
        assert!(verdict.accepted(), "{verdict}");
        assert_eq!(exposure(&rig), (20, 150, 0));
        assert_eq!(rig.gate.settle(answer), S::Working);
        assert_eq!(exposure(&rig), (20, working, 0));
        assert_eq!(rig.gate.open_order_count(), 1);
    }
    let mut rig = Rig::new();
    rig.take(&order(1));
    renew(&mut rig, &OrderIntent { qty: Qty(40), ..order(2) });
    assert_eq!(exposure(&rig), (0, 100, 0), "a smaller one counts only once it is in force");
    assert_eq!(rig.gate.settle(E::Replaced { id: 2 }), S::Working);
    assert_eq!(exposure(&rig), (0, 40, 0));
    assert_eq!(rig.gate.settle(E::Filled { id: 2, qty: Qty(40) }), S::Done);
    assert_eq!(exposure(&rig), (40, 0, 0));
}

#[test]
fn every_crossing_of_a_replacement_ends_with_nothing_left() {
    let fill = |id, qty| E::Filled { id, qty: Qty(qty) };
    for (events, position) in [
        (vec![fill(1, 100), E::ReplaceRejected { id: 2 }], 100),
        (vec![fill(1, 30), E::Replaced { id: 2 }, fill(2, 120)], 150),
        (vec![fill(2, 120), E::Replaced { id: 2 }, fill(2, 30)], 150),
        (vec![E::Cancelled { id: 1 }, E::ReplaceRejected { id: 2 }], 0),
        (vec![E::Cancelled { id: 1 }, E::Replaced { id: 2 }, fill(2, 150)], 150),
        (vec![E::Cancelled { id: 2 }], 0),
        (vec![E::Rejected { id: 2 }, E::Cancelled { id: 1 }], 0),
        (vec![E::Reduced { id: 2, qty: Qty(100) }, E::Replaced { id: 2 }, fill(2, 50)], 50),
        (vec![E::ReducedTo { id: 2, qty: Qty(50) }, E::Replaced { id: 2 }, fill(2, 50)], 50),
        (vec![E::Accepted { id: 2 }, E::Replaced { id: 2 }, fill(1, 10), E::Cancelled { id: 2 }], 10),
    ] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        renew(&mut rig, &OrderIntent { qty: Qty(150), ..order(2) });
        for event in &events {
            assert_ne!(rig.gate.settle(*event), S::UnknownOrder, "{events:?}");
        }
        assert_eq!(exposure(&rig), (position, 0, 0), "{events:?}");
        assert_eq!(rig.gate.open_order_count(), 0, "{events:?}");
    }
}

#[test]
fn a_replacement_is_held_to_a_limit_only_for_what_it_adds() {
    let mut rig = Rig::new();
    rig.take(&OrderIntent { qty: Qty(400), ..order(1) });
    rig.publish_live(&RiskLimits { max_qty: Qty(50), max_pos_long: 300, ..LIVE }, Tier::High, NOW);
    let reason = |rig: &mut Rig, order: &OrderIntent| rig.gate.replace(1, order, NOW).0.reason;
    assert_eq!(reason(&mut rig, &OrderIntent { qty: Qty(401), ..order(2) }), Some(R::QtyDynamic));
    assert_eq!(
        reason(&mut rig, &OrderIntent { px: px("90.00"), qty: Qty(300), ..order(2) }),
        Some(R::Collar)
    );
    assert_eq!(reason(&mut rig, &OrderIntent { qty: Qty(300), ..order(2) }), None);
    assert_eq!(exposure(&rig), (0, 400, 0));
}

#[test]
fn a_replacement_may_raise_the_price_only_within_the_value_limit() {
    let mut rig = Rig::new();
    rig.take(&OrderIntent { qty: Qty(400), ..order(1) });
    rig.publish_live(&RiskLimits { max_notional_micros: 30_000_000_000, ..LIVE }, Tier::Normal, NOW);
    let dearer = OrderIntent { qty: Qty(400), px: px("100.01"), ..order(2) };
    assert_eq!(rig.gate.replace(1, &dearer, NOW).0.reason, Some(R::Value));
    let cheaper = OrderIntent { px: px("99.99"), ..dearer };
    assert_eq!(rig.gate.replace(1, &cheaper, NOW).0.reason, None);
}

#[test]
fn a_replacement_changes_price_and_quantity_of_one_open_order_and_nothing_else() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let reason = |rig: &mut Rig, of, order: &OrderIntent| rig.gate.replace(of, order, NOW).0.reason;
    assert_eq!(reason(&mut rig, 7, &order(2)), Some(R::UnknownOrder));
    assert_eq!(reason(&mut rig, 1, &order(1)), Some(R::Duplicate));
    for other in [
        sell(2),
        OrderIntent { account: AccountId(0), ..order(2) },
        OrderIntent { strategy: StrategyId(0), ..order(2) },
        OrderIntent { instrument: InstrumentId(2), ..order(2) },
    ] {
        let (verdict, none) = rig.gate.replace(1, &other, NOW);
        assert!(verdict.reason.is_some() && none.is_none());
    }
    assert_eq!(reason(&mut rig, 1, &OrderIntent { account: AccountId(0), ..order(2) }), Some(R::BadReplace));
    assert_eq!(reason(&mut rig, 1, &sell(2)), Some(R::BadReplace));
    assert_eq!(reason(&mut rig, 1, &OrderIntent { px: px("99.99"), ..order(2) }), None);
    assert_eq!(reason(&mut rig, 1, &order(3)), Some(R::ReplacePending));
    assert_eq!(
        reason(&mut rig, 2, &order(3)),
        Some(R::UnknownOrder),
        "an unanswered replacement is not an order"
    );
    rig.gate.settle(E::Replaced { id: 2 });
    assert_eq!(reason(&mut rig, 1, &order(3)), Some(R::UnknownOrder), "the replaced order is done");
    assert_eq!(reason(&mut rig, 2, &order(3)), None);
}

#[test]
fn reduce_only_holds_for_replacements() {
    let mut rig = Rig::new();
    rig.hold(100);
    rig.take(&OrderIntent { qty: Qty(60), ..sell(1) });
    rig.take(&OrderIntent { qty: Qty(10), ..order(2) });
    rig.set(BreakerKey::Instrument(INSTRUMENT), BreakerState::ReduceOnly);
    let reason = |rig: &mut Rig, of, order: &OrderIntent| rig.gate.replace(of, order, NOW).0.reason;
    assert_eq!(reason(&mut rig, 1, &OrderIntent { qty: Qty(101), ..sell(3) }), Some(R::ReduceOnly));
    assert_eq!(reason(&mut rig, 2, &OrderIntent { qty: Qty(11), ..order(3) }), Some(R::ReduceOnly));
    assert_eq!(reason(&mut rig, 1, &OrderIntent { qty: Qty(100), ..sell(3) }), None);
}

#[test]
fn open_orders_can_be_listed_by_whoever_must_cancel_them() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.take(&OrderIntent { qty: Qty(7), ..sell(2) });
    renew(&mut rig, &OrderIntent { qty: Qty(150), ..order(3) });
    let mut open: Vec<_> = rig.gate.open_orders().collect();
    open.sort_by_key(|o| o.id);
    let want = |id, side, px, leaves, replacement| crate::OpenOrder {
        id,
        instrument: INSTRUMENT,
        strategy: STRATEGY,
        account: ACCOUNT,
        side,
        px,
        leaves: Qty(leaves),
        replacement,
    };
    let all = [want(1, Side::Bid, px("100.00"), 150, 3), want(2, Side::Ask, px("100.02"), 7, 0)];
    assert_eq!(open, all);
    assert_eq!(rig.gate.open_order_count(), 3);
}

#[test]
fn a_position_beyond_what_the_gate_can_count_is_refused() {
    let mut rig = Rig::new();
    for (instrument, strategy, account, position) in [
        (InstrumentId(3), STRATEGY, ACCOUNT, 0),
        (INSTRUMENT, StrategyId(2), ACCOUNT, 0),
        (INSTRUMENT, STRATEGY, AccountId(2), 0),
        (INSTRUMENT, STRATEGY, ACCOUNT, (1 << 60) + 1),
    ] {
        let error = rig.gate.set_position(instrument, strategy, account, position);
        assert_eq!(error, Err(crate::UnknownPosition { instrument, strategy, account, position }));
    }
    assert_eq!(rig.gate.exposure(InstrumentId(3), STRATEGY), None);
}

/// Roomy limits, so that sequences are not cut short; `cap` on the position on both sides.
fn sequence_rig(cap: i64) -> Rig {
    let config = GateConfig { open_orders_max: 64, recent_orders: 16, ..CONFIG };
    let mut rig = Rig::with(&config, true);
    let roomy = RiskLimits { max_pos_long: cap, max_pos_short: cap, order_rate_per_s: 20_000, ..CAP };
    let roomy = RiskLimits { order_burst: 60_000, ..roomy };
    let floor = RiskLimits { order_rate_per_s: 20_000, order_burst: 60_000, ..FLOOR };
    let envelope = Envelope::new(floor, RiskLimits { collar_bps: 400, ..roomy }, roomy).unwrap();
    rig.publish_static(&envelope, &static_terms());
    let terms = Terms { lease: crate::Lease::SPAN_MAX, ..terms(Tier::Normal) };
    rig.dynamics.publish(INSTRUMENT, CLASS, &envelope.clamp(&roomy), &terms, NOW).unwrap();
    rig
}

/// An order as a person would keep it on paper.
#[derive(Clone, Copy, Debug)]
struct Paper {
    side: Side,
    qty: u32,
    executed: u32,
    pending: Option<(u64, u32)>,
}

impl Paper {
    fn leaves(&self) -> u64 {
        let whole = self.pending.map_or(self.qty, |(_, qty)| qty.max(self.qty));
        u64::from(whole.saturating_sub(self.executed))
    }
}

/// The model: orders on paper and a position, and nothing that could leak.
#[derive(Default)]
struct Ledger {
    orders: HashMap<u64, Paper>,
    position: i64,
}

impl Ledger {
    fn working(&self, side: Side) -> u64 {
        self.orders.values().filter(|o| o.side == side).map(Paper::leaves).sum()
    }

    fn fill(&mut self, id: u64, qty: u32) {
        let order = self.orders.get_mut(&id).unwrap();
        order.executed += qty;
        self.position += if order.side == Side::Bid { i64::from(qty) } else { -i64::from(qty) };
    }

    fn sweep(&mut self) {
        self.orders.retain(|_, o| o.leaves() > 0 || o.pending.is_some());
    }

    fn open(&self) -> usize {
        self.orders.values().map(|o| 1 + usize::from(o.pending.is_some())).sum()
    }
}

/// xorshift64* (Vigna 2016).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn qty(&mut self, most: u32) -> u32 {
        u32::try_from(self.roll(u64::from(most))).unwrap() + 1
    }

    fn pick(&mut self, ledger: &Ledger) -> Option<u64> {
        let mut ids: Vec<_> = ledger.orders.keys().copied().collect();
        ids.sort_unstable();
        (!ids.is_empty()).then(|| ids[self.roll(ids.len() as u64) as usize])
    }
}

/// One random step on both; `next` is the next unused id.
fn step(rig: &mut Rig, ledger: &mut Ledger, dice: &mut Dice, next: &mut u64, now: UnixNanos) {
    let side = if dice.roll(2) == 0 { Side::Bid } else { Side::Ask };
    let fresh =
        |id, side, qty| OrderIntent { qty: Qty(qty), ..if side == Side::Bid { order(id) } else { sell(id) } };
    let choice = dice.roll(10);
    let picked = dice.pick(ledger);
    *next += 1;
    match (choice, picked) {
        (0..=2, _) => {
            let qty = dice.qty(90);
            if rig.gate.reserve(&fresh(*next, side, qty), now).1.is_some() {
                ledger.orders.insert(*next, Paper { side, qty, executed: 0, pending: None });
            }
        }
        (3..=4, Some(id)) => {
            let leaves = ledger.orders[&id].leaves();
            if leaves > 0 {
                let qty = dice.qty(u32::try_from(leaves).unwrap());
                rig.gate.settle(E::Filled { id, qty: Qty(qty) });
                ledger.fill(id, qty);
            }
        }
        (5, Some(id)) => {
            rig.gate.settle(E::Cancelled { id });
            let order = ledger.orders.get_mut(&id).unwrap();
            order.qty = order.executed;
        }
        (6, Some(id)) => {
            let qty = dice.qty(30);
            rig.gate.settle(E::Reduced { id, qty: Qty(qty) });
            let order = ledger.orders.get_mut(&id).unwrap();
            order.qty = order.qty.saturating_sub(qty).max(order.executed);
        }
        (7..=8, Some(id)) => replace_step(rig, ledger, dice, id, *next, now),
        (_, Some(id)) => {
            rig.gate.settle(E::Rejected { id });
            let order = ledger.orders.get_mut(&id).unwrap();
            order.qty = order.executed;
        }
        (_, None) => {}
    }
    ledger.sweep();
}

/// Asks for a replacement, or answers the one under way.
fn replace_step(rig: &mut Rig, ledger: &mut Ledger, dice: &mut Dice, id: u64, next: u64, now: UnixNanos) {
    let held = ledger.orders[&id];
    let Some((new_id, new_qty)) = held.pending else {
        let qty = dice.qty(120);
        let base = if held.side == Side::Bid { order(next) } else { sell(next) };
        if rig.gate.replace(id, &OrderIntent { qty: Qty(qty), ..base }, now).1.is_some() {
            ledger.orders.get_mut(&id).unwrap().pending = Some((next, qty));
        }
        return;
    };
    if dice.roll(2) == 0 {
        rig.gate.settle(E::Replaced { id: new_id });
        ledger.orders.remove(&id);
        ledger.orders.insert(new_id, Paper { qty: new_qty, pending: None, ..held });
    } else {
        rig.gate.settle(E::ReplaceRejected { id: new_id });
        ledger.orders.get_mut(&id).unwrap().pending = None;
    }
}

#[test]
fn reservations_are_the_sum_of_working_orders_after_every_one_of_100_000_events() {
    let mut rig = sequence_rig(1 << 40);
    let (mut ledger, mut dice, mut next) = (Ledger::default(), Dice(7), 0);
    let mut most_open = 0;
    for n in 0..100_000_u64 {
        // 100 µs a step stays within the longest lease and below the rates.
        let now = NOW.plus(Nanos(n * 100_000));
        rig.references.heartbeat(now);
        step(&mut rig, &mut ledger, &mut dice, &mut next, now);
        let want = (ledger.position, ledger.working(Side::Bid), ledger.working(Side::Ask));
        assert_eq!(exposure(&rig), want, "step {n}");
        assert_eq!(rig.gate.open_order_count(), ledger.open(), "step {n}");
        // Some of what the dice say cannot be: more was traded than a replacement that was refused leaves.
        rig.hold(ledger.position);
        most_open = most_open.max(ledger.open());
    }
    assert!(most_open > 20, "the sequence must fill the table: {most_open}");
    let left: Vec<_> = ledger.orders.iter().map(|(id, o)| (*id, o.pending)).collect();
    for (id, pending) in left {
        rig.gate.settle(E::Cancelled { id: pending.map_or(id, |(new_id, _)| new_id) });
    }
    assert_eq!(exposure(&rig), (ledger.position, 0, 0), "nothing leaks");
    assert_eq!(rig.gate.open_order_count(), 0);
}

/// Every order in which `orders` can fill, by Heap's algorithm.
fn permutations(orders: &mut [(Side, u32)], n: usize, visit: &mut impl FnMut(&[(Side, u32)])) {
    if n <= 1 {
        return visit(orders);
    }
    for i in 0..n {
        permutations(orders, n - 1, visit);
        orders.swap(if n.is_multiple_of(2) { i } else { 0 }, n - 1);
    }
}

fn signed(side: Side, qty: u32) -> i64 {
    if side == Side::Bid { i64::from(qty) } else { -i64::from(qty) }
}

fn any_asks(most: usize) -> impl Strategy<Value = Vec<(Side, u32)>> {
    proptest::collection::vec((select(vec![Side::Bid, Side::Ask]), 1_u32..150), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What the gate let through can fill in any order, and any subset of it: no prefix of any permutation passes a
    /// limit. (Partial fills lie between two prefixes.)
    #[test]
    fn no_order_of_fills_passes_a_position_limit(
        start in -300_i64..=300, asks in any_asks(7), cap in 300_i64..500,
    ) {
        let mut rig = sequence_rig(cap);
        rig.hold(start);
        let mut taken = Vec::new();
        for (id, (side, qty)) in (1..).zip(asks) {
            let ask = OrderIntent { qty: Qty(qty), ..if side == Side::Bid { order(id) } else { sell(id) } };
            if rig.gate.reserve(&ask, NOW).0.accepted() {
                taken.push((side, qty));
            }
        }
        let n = taken.len();
        let mut worst = 0;
        permutations(&mut taken, n, &mut |path| {
            let mut position = start;
            for (side, qty) in path {
                position += signed(*side, *qty);
                worst = worst.max(position.abs());
            }
        });
        prop_assert!(worst <= cap, "{worst} above {cap}");
    }

    /// Under reduce-only nothing that is let through can, by any fills, enlarge the position or turn it.
    #[test]
    fn reduce_only_never_enlarges_and_never_turns_a_position(
        start in -300_i64..=300, asks in any_asks(20), fills in proptest::collection::vec((0_usize..20, 1_u32..150), 0..40),
    ) {
        let mut rig = sequence_rig(1_000);
        rig.hold(start);
        rig.set(BreakerKey::Firm, BreakerState::ReduceOnly);
        let mut taken = Vec::new();
        for (id, (side, qty)) in (1..).zip(asks) {
            let ask = OrderIntent { qty: Qty(qty), ..if side == Side::Bid { order(id) } else { sell(id) } };
            if rig.gate.reserve(&ask, NOW).0.accepted() {
                taken.push((id, qty));
            }
        }
        let mut before = start;
        for (which, qty) in fills {
            let Some((id, left)) = taken.get_mut(which) else { continue };
            let qty = qty.min(*left);
            if qty == 0 {
                continue;
            }
            *left -= qty;
            rig.gate.settle(E::Filled { id: *id, qty: Qty(qty) });
            let (position, ..) = exposure(&rig);
            prop_assert!(position.abs() <= before.abs(), "{before} to {position}");
            prop_assert!(position == 0 || position.signum() == start.signum(), "{start} turned to {position}");
            before = position;
        }
    }
}
