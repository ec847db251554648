//! One below, at, and one above every limit.

use super::*;
use crate::{Flags, RejectReason as R};

/// A wide envelope, so that the limit under test is the only one near.
fn roomy(change: RiskLimits) -> Rig {
    let mut rig = Rig::new();
    let cap = RiskLimits { max_qty: Qty(u32::MAX), ..ROOMY };
    let envelope = Envelope::new(FLOOR, BASE, cap).unwrap();
    rig.publish_static(&envelope, &static_terms());
    let held = envelope.clamp(&change);
    rig.dynamics.publish(INSTRUMENT, CLASS, &held, &terms(Tier::Normal), NOW).unwrap();
    rig
}

const ROOMY: RiskLimits = RiskLimits {
    max_qty: Qty(1_000_000),
    max_notional_micros: i64::MAX,
    collar_bps: 60_000,
    passive_min_ticks: 0,
    max_pos_long: 1 << 40,
    max_pos_short: 1 << 40,
    order_rate_per_s: 20_000,
    order_burst: 60_000,
    margin_bps: 10_000,
};

#[test]
fn quantity_at_the_limit_passes_and_one_more_does_not() {
    let mut rig = roomy(RiskLimits { max_qty: Qty(50), ..ROOMY });
    rig.accepts(&OrderIntent { qty: Qty(49), ..order(1) });
    rig.accepts(&OrderIntent { qty: Qty(50), ..order(1) });
    rig.refuses(&OrderIntent { qty: Qty(51), ..order(1) }, R::QtyDynamic);
    rig.refuses(&OrderIntent { qty: Qty(200), ..order(1) }, R::QtyDynamic);
}

#[test]
fn value_is_exact_to_the_last_millionth() {
    // 100 × 100.00 = 10,000.00.
    let rig = roomy(RiskLimits { max_notional_micros: 10_000_000_000, ..ROOMY });
    rig.accepts(&order(1));
    let mut rig = roomy(RiskLimits { max_notional_micros: 9_999_999_999, ..ROOMY });
    let verdict = rig.refuses(&order(1), R::Value);
    assert_eq!((verdict.limit, verdict.value), (9_999_999_999, 10_000_000_000));
    // The largest price and quantity there are: 2^59 × 2^32 needs 91 bits.
    rig.publish_top(&TopOfBook { tick: Px(2), ..top() });
    let huge = OrderIntent { px: crate::PX_MAX, qty: Qty(1_000_000), ..order(1) };
    let breaches = rig.gate.explain(&huge, NOW);
    assert!(breaches.breaches().any(|b| b.reason == R::Value && b.value == i64::MAX));
}

#[test]
fn the_collar_is_exact_on_both_sides_of_a_mid_that_is_not_on_a_tick() {
    let mut rig = roomy(RiskLimits { collar_bps: 100, ..ROOMY });
    // The mid of 100.00 and 100.01 is 100.005; one percent of it is 1.00005.
    rig.publish_top(&TopOfBook { ask: px("100.01"), ..top() });
    for side in [Side::Bid, Side::Ask] {
        let at = |text| OrderIntent { side, px: px(text), ..order(1) };
        rig.accepts(&at("101.00"));
        rig.refuses(&at("101.01"), R::Collar);
        rig.accepts(&at("99.01"));
        rig.refuses(&at("99.00"), R::Collar);
    }
    // Exactly on the edge: 1 % of 100 is 1.
    rig.publish_top(&TopOfBook { bid: px("99.99"), ask: px("100.01"), ..top() });
    rig.accepts(&OrderIntent { px: px("101.00"), ..order(1) });
    rig.refuses(&OrderIntent { px: px("101.01"), ..order(1) }, R::Collar);
}

#[test]
fn a_passive_order_keeps_its_distance_from_the_opposite_touch() {
    // 100.00 bid, 100.02 asked.
    let mut rig = roomy(RiskLimits { passive_min_ticks: 3, ..ROOMY });
    rig.accepts(&OrderIntent { px: px("99.99"), ..order(1) });
    let verdict = rig.refuses(&OrderIntent { px: px("100.00"), ..order(1) }, R::PassiveBand);
    assert_eq!((verdict.limit, verdict.value), (3, 2));
    rig.refuses(&OrderIntent { px: px("100.01"), ..order(1) }, R::PassiveBand);
    rig.accepts(&OrderIntent { px: px("100.03"), ..sell(1) });
    rig.refuses(&OrderIntent { px: px("100.02"), ..sell(1) }, R::PassiveBand);
    rig.refuses(&OrderIntent { px: px("100.01"), ..sell(1) }, R::PassiveBand);
}

#[test]
fn orders_that_do_not_rest_have_no_passive_distance() {
    let rig = roomy(RiskLimits { passive_min_ticks: 30, ..ROOMY });
    rig.accepts(&OrderIntent { px: px("100.02"), ..order(1) });
    rig.accepts(&OrderIntent { px: px("100.00"), ..sell(1) });
    rig.accepts(&OrderIntent { tif: TimeInForce::Ioc, ..order(1) });
    rig.accepts(&market(1, Side::Bid));
}

#[test]
fn a_passive_distance_of_one_tick_binds_nothing() {
    for ticks in [0, 1] {
        let rig = roomy(RiskLimits { passive_min_ticks: ticks, ..ROOMY });
        for text in ["99.00", "100.00", "100.01", "100.02", "100.10"] {
            rig.accepts(&OrderIntent { px: px(text), ..order(1) });
            rig.accepts(&OrderIntent { px: px(text), ..sell(1) });
        }
    }
}

#[test]
fn without_a_far_side_the_passive_distance_is_measured_from_the_reference() {
    let mut rig = roomy(RiskLimits { passive_min_ticks: 3, ..ROOMY });
    rig.publish_top(&TopOfBook { ask: Px::NONE, last: px("100.01"), ..top() });
    rig.accepts(&OrderIntent { px: px("99.98"), ..order(1) });
    rig.refuses(&OrderIntent { px: px("99.99"), ..order(1) }, R::PassiveBand);
    // Above the reference it would rest as well: nobody is there to trade with.
    rig.refuses(&OrderIntent { px: px("100.05"), ..order(1) }, R::PassiveBand);
}

#[test]
fn positions_count_every_working_order_of_the_side_and_none_of_the_other() {
    let mut rig = roomy(RiskLimits { max_pos_long: 300, max_pos_short: 200, ..ROOMY });
    rig.take(&order(1));
    rig.take(&order(2));
    rig.take(&sell(3));
    rig.accepts(&order(9));
    let verdict = rig.refuses(&OrderIntent { qty: Qty(101), ..order(9) }, R::PosLong);
    assert_eq!((verdict.limit, verdict.value), (300, 301));
    rig.accepts(&sell(9));
    let verdict = rig.refuses(&OrderIntent { qty: Qty(101), ..sell(9) }, R::PosShort);
    assert_eq!((verdict.limit, verdict.value), (200, 201));
}

#[test]
fn a_position_beyond_a_tightened_limit_can_be_left_and_not_enlarged() {
    let mut rig = roomy(RiskLimits { max_pos_long: 100, max_pos_short: 0, ..ROOMY });
    rig.hold(1_000);
    rig.refuses(&OrderIntent { qty: Qty(1), ..order(1) }, R::PosLong);
    rig.accepts(&OrderIntent { qty: Qty(1_000), ..sell(1) });
    rig.refuses(&OrderIntent { qty: Qty(1_001), ..sell(1) }, R::PosShort);
    rig.hold(-1_000);
    rig.accepts(&OrderIntent { qty: Qty(1_000), ..order(1) });
}

#[test]
fn a_reducing_order_passes_no_price_size_or_value_check() {
    let mut rig =
        roomy(RiskLimits { max_qty: Qty(50), max_notional_micros: 1_000_000_000, collar_bps: 100, ..ROOMY });
    rig.hold(10_000);
    rig.refuses(&sell(1), R::QtyDynamic);
    rig.refuses(&OrderIntent { qty: Qty(11), ..sell(1) }, R::Value);
    rig.refuses(&OrderIntent { qty: Qty(5), px: px("98.00"), ..sell(1) }, R::Collar);
    rig.accepts(&OrderIntent { qty: Qty(5), px: px("99.50"), ..sell(1) });
}

#[test]
fn reduce_only_lets_out_what_can_only_reduce_in_every_scope() {
    for scope in [
        BreakerKey::Firm,
        BreakerKey::Account(ACCOUNT),
        BreakerKey::Strategy(STRATEGY),
        BreakerKey::Instrument(INSTRUMENT),
    ] {
        let mut rig = roomy(ROOMY);
        rig.set(scope, BreakerState::ReduceOnly);
        rig.hold(150);
        rig.take(&sell(1));
        rig.accepts(&OrderIntent { qty: Qty(50), ..sell(2) });
        let verdict = rig.refuses(&OrderIntent { qty: Qty(51), ..sell(2) }, R::ReduceOnly);
        assert_eq!((verdict.limit, verdict.value), (50, 51));
        rig.refuses(&OrderIntent { qty: Qty(1), ..order(2) }, R::ReduceOnly);
        rig.hold(0);
        rig.refuses(&OrderIntent { qty: Qty(1), ..sell(2) }, R::ReduceOnly);
        rig.hold(-40);
        rig.accepts(&OrderIntent { qty: Qty(40), ..order(2) });
        rig.refuses(&OrderIntent { qty: Qty(41), ..order(2) }, R::ReduceOnly);
    }
}

#[test]
fn the_rate_of_a_row_and_of_a_strategy_recover_with_time() {
    let mut rig = roomy(RiskLimits { order_rate_per_s: 10, order_burst: 2, ..ROOMY });
    rig.take(&order(1));
    rig.take(&order(2));
    rig.refuses(&order(3), R::Rate);
    let almost = NOW.plus(Nanos(99_999_999));
    assert_eq!(rig.gate.check(&order(3), almost).reason, Some(R::Rate));
    let (verdict, _) = rig.gate.reserve(&order(3), NOW.plus(Nanos(100_000_000)));
    assert!(verdict.accepted());
    assert_eq!(rig.gate.check(&order(4), NOW.plus(Nanos(100_000_000))).reason, Some(R::Rate));
}

#[test]
fn a_rate_is_per_instrument_and_strategy() {
    let mut rig = roomy(RiskLimits { order_rate_per_s: 1, order_burst: 1, ..ROOMY });
    let other = InstrumentId(2);
    rig.statics.publish(other, CLASS, &envelope(), &static_terms(), NOW).unwrap();
    rig.references.publish(other, &top()).unwrap();
    rig.take(&order(1));
    rig.refuses(&order(2), R::Rate);
    rig.accepts(&OrderIntent { instrument: other, px: px("99.99"), ..order(2) });
}

#[test]
fn flags_say_why_somebody_should_look() {
    let rig = roomy(RiskLimits { max_qty: Qty(800), ..ROOMY });
    let flags = |order: &OrderIntent| rig.accepts(order).flags;
    assert_eq!(flags(&OrderIntent { qty: Qty(700), ..order(1) }), Flags::NONE);
    assert_eq!(flags(&OrderIntent { qty: Qty(701), ..order(1) }), Flags::NEAR_LIMIT);
    assert_eq!(rig.check(&OrderIntent { qty: Qty(701), ..order(1) }).decision, Decision::Flag);
    let rig = roomy(RiskLimits { max_notional_micros: 11_428_571_428, ..ROOMY });
    assert_eq!(rig.accepts(&order(1)).flags, Flags::NEAR_LIMIT, "10,000 is seven eighths of 11,428.571428");
    let mut rig = roomy(RiskLimits { max_pos_long: 800, ..ROOMY });
    rig.hold(600);
    assert_eq!(rig.accepts(&order(1)).flags, Flags::NONE);
    rig.hold(601);
    assert_eq!(rig.accepts(&order(1)).flags, Flags::NEAR_LIMIT);
    let mut rig = roomy(ROOMY);
    rig.references
        .publish_depth(INSTRUMENT, &super::walk::depth(&[("100.02", 1_000), ("100.03", 500)]))
        .unwrap();
    assert_eq!(rig.accepts(&OrderIntent { qty: Qty(1_000), ..market(1, Side::Bid) }).flags, Flags::NONE);
    assert_eq!(
        rig.accepts(&OrderIntent { qty: Qty(1_001), ..market(1, Side::Bid) }).flags,
        Flags::WALKS_BOOK
    );
}

#[test]
fn an_elevated_tier_flags_every_order_and_names_itself() {
    for tier in [Tier::Elevated, Tier::High] {
        let mut rig = Rig::new();
        rig.publish_live(&LIVE, tier, NOW);
        let verdict = rig.accepts(&order(1));
        assert_eq!((verdict.tier, verdict.flags, verdict.decision), (tier, Flags::TIER, Decision::Flag));
        let verdict = rig.accepts(&market(1, Side::Ask));
        assert_eq!((verdict.tier, verdict.flags), (tier, Flags::TIER), "the slow path says the same");
    }
}
