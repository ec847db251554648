//! Audit mode: it finds what enforcement finds, lets through what no person has closed, and counts it.

use super::oracle::{any_order, any_world};
use super::*;
use crate::{Flags, GateMode, OrderEvent, RejectReason as R};
use proptest::prelude::*;
use std::{string::ToString, vec, vec::Vec};

const AUDIT: GateConfig<'static> = GateConfig { mode: GateMode::Audit, ..CONFIG };

const SCOPES: [(BreakerKey, R); 4] = [
    (BreakerKey::Firm, R::HaltedFirm),
    (BreakerKey::Account(ACCOUNT), R::HaltedAccount),
    (BreakerKey::Strategy(STRATEGY), R::HaltedStrategy),
    (BreakerKey::Instrument(INSTRUMENT), R::HaltedInstrument),
];

fn reasons(rig: &Rig, order: &OrderIntent, now: UnixNanos) -> Vec<R> {
    rig.gate.explain(order, now).breaches().map(|breach| breach.reason).collect()
}

/// What works on the order's side.
fn works(rig: &Rig, order: &OrderIntent) -> u64 {
    let exposure = rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap();
    if order.side == Side::Bid { exposure.working_buy } else { exposure.working_sell }
}

/// The order is let through, breaks exactly these, and counts.
#[track_caller]
fn only_says(rig: &mut Rig, order: &OrderIntent, now: UnixNanos, breaks: &[R]) {
    let (open, before) = (rig.gate.open_order_count(), works(rig, order));
    let checked = rig.gate.check(order, now);
    let (verdict, reservation) = rig.gate.reserve(order, now);
    assert_eq!((verdict, verdict.decision), (checked, Decision::Flag), "{verdict}");
    assert!(verdict.would_reject() && verdict.decided() == "would reject", "{verdict}");
    assert_eq!(rig.gate.audited().collect::<Vec<_>>(), breaks);
    assert_eq!(verdict.reason, breaks.first().copied());
    assert_eq!(reservation.map(|r| r.id()), Some(order.cl_ord_id));
    assert_eq!(rig.gate.open_order_count(), open + 1);
    assert_eq!(works(rig, order), before + u64::from(order.qty.0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    /// Against the same world in enforcement. `automatic`: the model or a watchdog has set that breaker.
    #[test]
    fn audit_finds_what_enforcement_finds_and_only_commands_and_the_untrackable_block(
        world in any_world(), order in any_order(), automatic: [bool; 4],
    ) {
        let (enforcing, mut rig) = (world.build(), world.build());
        let (order, now) = (world.order(&order), world.now());
        let found = reasons(&enforcing, &order, now);
        rig.gate.audits = true;
        let causes = automatic.map(|yes| if yes { BreakerCause::Model } else { BreakerCause::Officer });
        for (((scope, _), state), cause) in SCOPES.into_iter().zip(world.breakers).zip(causes) {
            if let Some(state) = state {
                rig.breakers.set(scope, Breaker { cause, ..breaker(state) }).unwrap();
            }
        }
        prop_assert_eq!(&reasons(&rig, &order, now), &found);

        let mut commands = vec![R::HaltUnreadable, R::DaemonLost];
        for (((_, trip), state), automatic) in SCOPES.into_iter().zip(world.breakers).zip(automatic) {
            match state {
                Some(BreakerState::Tripped) if !automatic => commands.push(trip),
                Some(BreakerState::ReduceOnly) if !automatic => commands.push(R::ReduceOnly),
                _ => {}
            }
        }
        let untrackable = [R::TermsMissing, R::BadField, R::BadQty, R::BadPrice, R::Duplicate];
        let far = |top: &TopOfBook| if order.side == Side::Bid { top.ask } else { top.bid };
        let quoted = world.top.as_ref().is_some_and(|top| top.state != BookState::Empty && far(top).is_some());
        let priceless = order.order_type == OrderType::Market && !quoted && !found.is_empty();
        let blocks: Vec<_> =
            found.iter().copied().filter(|r| commands.contains(r) || untrackable.contains(r)).collect();

        let (open, before) = (rig.gate.open_order_count(), works(&rig, &order));
        let checked = rig.gate.check(&order, now);
        let (verdict, reservation) = rig.gate.reserve(&order, now);
        prop_assert_eq!(verdict, checked);
        let passes = blocks.is_empty() && !priceless;
        prop_assert_eq!(verdict.accepted(), passes, "{}, {:?}", verdict, found);
        prop_assert_eq!(reservation.is_some(), passes);
        prop_assert_eq!(verdict.flags.has(Flags::AUDIT), !found.is_empty());
        prop_assert_eq!(verdict.would_reject(), passes && !found.is_empty());
        if !found.is_empty() {
            prop_assert_eq!(rig.gate.audited().collect::<Vec<_>>(), found.clone());
        }
        let reason = if passes { found.first() } else { blocks.first().or(found.first()) };
        prop_assert_eq!(verdict.reason, reason.copied());
        let counted = if passes { (open + 1, before + u64::from(order.qty.0)) } else { (open, before) };
        prop_assert_eq!((rig.gate.open_order_count(), works(&rig, &order)), counted);
    }
}

#[test]
fn an_order_that_breaks_limits_leaves_and_counts_into_positions_and_rates() {
    let mut rig = Rig::with(&AUDIT, true);
    let large = OrderIntent { qty: Qty(700), px: px("110.00"), ..order(1) };
    let breaks = [R::QtyStatic, R::QtyDynamic, R::Value, R::Collar];
    only_says(&mut rig, &large, NOW, &breaks);
    let said = rig.gate.check(&OrderIntent { cl_ord_id: 2, ..large }, NOW).to_string();
    assert!(said.starts_with("would reject: QTY_STATIC: The quantity 700 is above"), "{said}");
    // Four at once are the row's: the large one was the first.
    for id in 2..5 {
        rig.take(&order(id));
    }
    only_says(&mut rig, &order(5), NOW, &[R::Rate]);
    // What was filled is held, beyond what may be.
    rig.gate.settle(OrderEvent::Filled { id: 1, qty: Qty(700) });
    rig.gate.settle(OrderEvent::Filled { id: 2, qty: Qty(100) });
    let exposure = rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap();
    assert_eq!((exposure.position, exposure.working_buy, exposure.in_doubt), (800, 300, false));
    rig.hold(1_700);
    only_says(&mut rig, &order(6), NOW.plus(Nanos(2_000_000_000)), &[R::PosLong]);
}

#[test]
fn a_person_blocks_in_audit_mode_and_neither_a_model_nor_a_watchdog_does() {
    for (scope, trip) in SCOPES {
        for (state, reason) in [(BreakerState::Tripped, trip), (BreakerState::ReduceOnly, R::ReduceOnly)] {
            for cause in [BreakerCause::Officer, BreakerCause::Boot, BreakerCause::Latch] {
                let mut rig = Rig::with(&AUDIT, true);
                rig.breakers.set(scope, Breaker { cause, ..breaker(state) }).unwrap();
                let large = OrderIntent { qty: Qty(501), ..order(1) };
                let verdict = rig.check(&large);
                assert_eq!(
                    (verdict.decision, verdict.reason),
                    (Decision::Reject, Some(reason)),
                    "{scope} {cause:?}"
                );
                assert_eq!(rig.gate.reserve(&large, NOW), (verdict, None));
                assert_eq!(rig.gate.audited().collect::<Vec<_>>(), [reason, R::QtyDynamic]);
                assert_eq!((rig.gate.open_order_count(), verdict.remark()), (0, ""));
            }
            for cause in [BreakerCause::Model, BreakerCause::Watchdog] {
                let mut rig = Rig::with(&AUDIT, true);
                rig.breakers.set(scope, Breaker { cause, ..breaker(state) }).unwrap();
                only_says(&mut rig, &order(1), NOW, &[reason]);
            }
        }
    }
    // A trip of the model that nobody has taken over yet, and the tier that it comes with.
    let mut rig = Rig::with(&AUDIT, true);
    rig.breakers.trip_writer().unwrap().trip(INSTRUMENT).unwrap();
    rig.publish_live(&LIVE, Tier::Critical, NOW);
    only_says(&mut rig, &order(1), NOW, &[R::HaltedInstrument, R::TierCritical]);
}

#[test]
fn a_silent_daemon_and_a_breaker_that_nobody_set_block_in_audit_mode() {
    let config = GateConfig { daemon_age_max: Nanos(1_000_000_000), ..AUDIT };
    let mut rig = Rig::with(&config, true);
    rig.breakers.alive(NOW);
    rig.publish_top(&top());
    let late = NOW.plus(Nanos(1_000_000_001));
    assert!(rig.gate.check(&order(1), NOW).accepted());
    assert_eq!(rig.gate.reserve(&order(1), late).0.reason, Some(R::DaemonLost));
    let rig = Rig::bare(&AUDIT, true);
    let verdict = rig.check(&order(1));
    assert_eq!((verdict.decision, verdict.reason), (Decision::Reject, Some(R::HaltUnreadable)));
}

#[test]
fn what_audit_mode_cannot_follow_is_refused_and_says_so() {
    let mut rig = Rig::with(&GateConfig { open_orders_max: 2, ..AUDIT }, true);
    rig.take(&order(1));
    let nobody = InstrumentId(INSTRUMENTS as u32);
    let cases = [
        (order(1), R::Duplicate),
        (order(0), R::BadField),
        (OrderIntent { qty: Qty(0), ..order(2) }, R::BadQty),
        (OrderIntent { px: Px::NONE, ..order(2) }, R::BadPrice),
        (OrderIntent { instrument: nobody, ..order(2) }, R::UnknownInstrument),
        (OrderIntent { strategy: StrategyId(2), ..order(2) }, R::UnknownStrategy),
        (OrderIntent { account: AccountId(2), ..order(2) }, R::UnknownAccount),
    ];
    let refused = |rig: &mut Rig, order: &OrderIntent, now, reason| {
        let (verdict, reservation) = rig.gate.reserve(order, now);
        assert_eq!((verdict.decision, verdict.reason), (Decision::Reject, Some(reason)), "{verdict}");
        assert!(
            reservation.is_none()
                && verdict.to_string().ends_with("Audit mode cannot follow such an order, and refuses it.")
        );
    };
    for (order, reason) in cases {
        refused(&mut rig, &order, NOW, reason);
    }
    refused(&mut rig, &order(2), UnixNanos(NOW.0 - 1), R::ClockBad);
    rig.take(&order(2));
    refused(&mut rig, &order(3), NOW, R::TableFull);
    assert_eq!(
        rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().working_buy,
        200,
        "the books are what they were"
    );
}

#[test]
fn a_market_order_that_nothing_prices_is_refused_in_audit_mode() {
    let mut rig = Rig::with(&AUDIT, true);
    rig.publish_top(&TopOfBook { ask: Px::NONE, ask_qty: 0, ..top() });
    let (verdict, reservation) = rig.gate.reserve(&market(1, Side::Bid), NOW);
    assert!(!verdict.accepted() && reservation.is_none(), "{verdict}");
    // A limit order has its own price, whatever the book shows.
    let mut rig = Rig::with(&AUDIT, true);
    rig.publish_top(&TopOfBook { state: BookState::Stale(types::StaleCause::Gap), ..top() });
    only_says(&mut rig, &order(1), NOW, &[R::RefStale]);
    assert_eq!(rig.gate.open_orders().next().map(|open| open.px), Some(px("100.00")));
}

#[test]
fn a_replacement_that_breaks_limits_counts_as_one_that_does_not() {
    let mut rig = Rig::with(&AUDIT, true);
    rig.take(&order(1));
    let larger = OrderIntent { qty: Qty(700), ..order(2) };
    let (verdict, reservation) = rig.gate.replace(1, &larger, NOW);
    assert!(verdict.would_reject() && reservation.is_some(), "{verdict}");
    assert_eq!(rig.gate.audited().collect::<Vec<_>>(), [R::QtyStatic, R::QtyDynamic, R::Value]);
    assert_eq!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().working_buy, 700);
    // One at a time, as ever.
    let (verdict, reservation) = rig.gate.replace(1, &OrderIntent { cl_ord_id: 3, ..larger }, NOW);
    assert_eq!((verdict.reason, reservation), (Some(R::ReplacePending), None));
    rig.gate.settle(OrderEvent::Replaced { id: 2 });
    rig.gate.settle(OrderEvent::Cancelled { id: 2 });
    assert_eq!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().working_buy, 0);
}

#[test]
fn an_order_that_nothing_vouches_for_moves_the_clock_no_farther_than_one_that_is_refused() {
    let hour = NOW.plus(Nanos(3_600_000_000_000));
    let mut rig = Rig::with(&AUDIT, true);
    let (verdict, reservation) = rig.gate.reserve(&order(1), hour);
    assert!(
        verdict.would_reject() && reservation.is_some() && verdict.reason == Some(R::RefStale),
        "{verdict}"
    );
    rig.publish_top(&TopOfBook { ts: NOW.plus(Nanos(1)), ..top() });
    let verdict = rig.gate.check(&order(2), NOW.plus(Nanos(1)));
    assert_ne!(verdict.reason, Some(R::ClockBad), "a clock that was wrong once closes nothing");
}

#[test]
fn limits_that_nobody_set_are_said_and_cost_no_later_order_its_rate() {
    let mut rig = Rig::bare(&AUDIT, true);
    rig.breakers.set_unset(OPEN);
    rig.references.publish(INSTRUMENT, &top()).unwrap();
    for id in 1..=3 {
        only_says(&mut rig, &order(id), NOW, &[R::LimitsMissing]);
    }
    rig.publish_static(&envelope(), &static_terms());
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.take(&order(4));
}

#[test]
fn what_audit_mode_let_through_is_restored_by_its_steps() {
    let mut rig = Rig::with(&AUDIT, true);
    only_says(&mut rig, &OrderIntent { qty: Qty(501), ..order(1) }, NOW, &[R::QtyDynamic]);
    let mut steps = vec![];
    rig.gate.checkpoint(|step| steps.push(step));
    let mut again = Rig::new();
    for step in &steps {
        again.gate.restore(step).unwrap();
    }
    assert_eq!(again.gate.exposure(INSTRUMENT, STRATEGY), rig.gate.exposure(INSTRUMENT, STRATEGY));
    assert_eq!(again.gate.open_order_count(), 1);
}
