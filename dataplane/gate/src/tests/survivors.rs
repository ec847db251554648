//! What only a change of the gate's code showed that no test asked for.

use super::*;
use crate::{
    ExposureLimits, OrderEvent as E, ProfitRules, RejectReason as R, RepeatedExecutions, RoundedValue,
    Settlement as S,
};
use std::vec::Vec;

/// A rig that accepts orders of strategy 0 and account 0 in instrument 2, and such an order.
fn elsewhere(config: &GateConfig<'_>) -> (Rig, OrderIntent) {
    let (instrument, class) = (InstrumentId(2), ClassId(0));
    let mut rig = Rig::with(config, false);
    rig.statics.publish(instrument, class, &envelope(), &static_terms(), NOW).expect("a row");
    rig.references.publish(instrument, &top()).expect("a row");
    let px = px("99.98");
    (rig, OrderIntent { instrument, strategy: StrategyId(0), account: AccountId(0), px, ..order(1) })
}

fn fill(rig: &mut Rig, id: u64, qty: u32) -> S {
    rig.gate.settle(E::Filled { id, qty: Qty(qty) })
}

#[test]
fn a_refusal_names_the_number_of_whom_it_is_about() {
    let numbers = |verdict: Verdict| (verdict.limit, verdict.value);
    let (mut rig, order) = elsewhere(&CONFIG);
    rig.accepts(&order);
    rig.set(BreakerKey::Strategy(order.strategy), BreakerState::Tripped);
    assert_eq!(numbers(rig.refuses(&order, R::HaltedStrategy)), (0, 0));
    let (mut rig, order) = elsewhere(&CONFIG);
    rig.set(BreakerKey::Instrument(order.instrument), BreakerState::Tripped);
    assert_eq!(numbers(rig.refuses(&order, R::HaltedInstrument)), (0, 2));
    let denied = StaticTerms { permission: Permission::Denied, ..static_terms() };
    let (mut rig, order) = elsewhere(&CONFIG);
    rig.statics.publish(order.instrument, ClassId(0), &envelope(), &denied, NOW).expect("a row");
    assert_eq!(numbers(rig.refuses(&order, R::NotPermitted)), (0, 2));
    let slow = StrategyConfig { class: ClassId(0), order_rate_per_s: 7, order_burst: 1 };
    let (mut rig, order) = elsewhere(&GateConfig { strategies: &[slow, STRATEGIES[1]], ..CONFIG });
    rig.take(&order);
    let next = OrderIntent { cl_ord_id: 2, ..order };
    assert_eq!(numbers(rig.refuses(&next, R::RateStrategy)), (7, 0));
    let repeated_executions = Some(RepeatedExecutions { most: 2, window: Nanos::SECOND });
    let (mut rig, order) = elsewhere(&GateConfig { repeated_executions, ..CONFIG });
    for id in [1, 2] {
        rig.take(&OrderIntent { cl_ord_id: id, ..order });
        fill(&mut rig, id, 100);
    }
    let third = OrderIntent { cl_ord_id: 3, ..order };
    let explained = rig.gate.explain(&third, NOW);
    let stopped = explained.breaches().find(|breach| breach.reason == R::RepeatedExecutions);
    assert_eq!(stopped.map(|breach| (breach.limit, breach.value)), Some((0, 0)));
}

#[test]
fn an_order_executed_after_its_end_counts_once_as_executed() {
    let repeated_executions = Some(RepeatedExecutions { most: 2, window: Nanos::SECOND });
    let mut rig = Rig::with(&GateConfig { repeated_executions, ..CONFIG }, true);
    for id in [1, 2] {
        rig.take(&OrderIntent { qty: Qty(10), ..order(id) });
        rig.gate.settle(E::Cancelled { id });
    }
    assert_eq!([fill(&mut rig, 1, 4), fill(&mut rig, 1, 6)], [S::LateFill; 2]);
    fill(&mut rig, 2, 0);
    assert_eq!(rig.gate.repeat_stops(STRATEGY), 0, "in parts, and of nothing");
    fill(&mut rig, 2, 1);
    assert_eq!(rig.gate.repeat_stops(STRATEGY), 1);
}

#[test]
fn a_replacement_refused_after_the_order_was_executed_whole_contradicts_nothing() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).1.is_some());
    assert_eq!(fill(&mut rig, 1, 100), S::Working);
    assert_eq!(rig.gate.settle(E::ReplaceRejected { id: 2 }), S::Done);
    assert!(!rig.gate.exposure(INSTRUMENT, STRATEGY).expect("a cell").in_doubt);
}

#[test]
fn an_order_that_replaced_another_is_replaced_by_none() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &order(2), NOW).1.is_some());
    let told = |rig: &Rig| rig.gate.open_orders().map(|o| (o.id, o.replacement)).collect::<Vec<_>>();
    assert_eq!(told(&rig), [(1, 2)]);
    rig.gate.settle(E::Replaced { id: 2 });
    assert_eq!(told(&rig), [(2, 0)]);
}

/// Of which price nobody knows, the worse of the two under which the venue may have traded it.
#[test]
fn a_fill_without_a_price_counts_at_the_worst_it_may_have_had() {
    for (first, second, replaced, worst) in [
        (OrderIntent { px: px("99.00"), ..order(1) }, order(2), true, "100.00"),
        (order(1), OrderIntent { px: px("99.00"), ..order(2) }, true, "100.00"),
        (OrderIntent { px: px("104.00"), ..sell(1) }, sell(2), true, "100.02"),
        (sell(1), OrderIntent { px: px("104.00"), ..sell(2) }, true, "100.02"),
        (OrderIntent { px: px("99.00"), ..order(1) }, order(2), false, "99.00"),
    ] {
        let mut rig = Rig::new();
        rig.take(&first);
        if replaced {
            assert!(rig.gate.replace(1, &second, NOW).1.is_some());
        }
        rig.gate.settle(E::Executed { id: 1, execution: 7, qty: Qty(10) });
        assert_eq!(rig.gate.executions.booked_mut(7).map(|booked| booked.px), Some(px(worst)));
    }
}

#[test]
fn an_account_that_holds_what_its_strategy_does_is_not_named_beside_it() {
    let mut rig = Rig::new();
    rig.hold(1_950);
    let explained = rig.gate.explain(&order(1), NOW);
    assert!(explained.breaches().map(|breach| breach.reason).eq([R::PosLong]));
}

#[test]
fn a_verdict_has_the_slug_of_its_reason() {
    let mut rig = Rig::new();
    assert_eq!(rig.accepts(&order(1)).slug(), "");
    assert_eq!(rig.refuses(&OrderIntent { qty: Qty(501), ..order(1) }, R::QtyDynamic).slug(), "QTY_DYNAMIC");
}

#[test]
fn a_value_rounded_up_to_one_more_bit_is_the_power_of_two() {
    for bits in [25, 26, 40, 63] {
        assert_eq!(RoundedValue::above((1 << bits) - 1).micros(), 1 << bits);
        assert_eq!(RoundedValue::above(1 << bits).micros(), 1 << bits);
    }
    assert_eq!(RoundedValue::above((1 << 24) - 1).micros(), (1 << 24) - 1, "it fits");
}

#[test]
fn a_stop_holds_until_it_is_taken_over_and_then_as_the_breaker_says() {
    let mut rig = Rig::new();
    assert!(!rig.gate.stop_holds(&order(1), NOW));
    rig.set(BreakerKey::Strategy(STRATEGY), BreakerState::ReduceOnly);
    assert!(rig.gate.stop_holds(&order(1), NOW), "taken over since its breakers were read");
}

/// In more instruments than may be summed nobody knows what was lost: only what reduces passes.
#[test]
fn a_loss_that_is_not_summed_up_is_not_known() {
    let config = GateConfig {
        strategy_loss: &[u64::MAX, 1_000_000_000],
        profit: Some(ProfitRules { day_start: Nanos(0), fee_nanos_per_unit: 0, settlement_age_max_days: 3 }),
        summed_instruments_max: 1,
        ..CONFIG
    };
    let mut rig = Rig::with(&config, true);
    rig.accepts(&order(1));
    for instrument in [0, 2].map(InstrumentId) {
        rig.gate.set_position(instrument, STRATEGY, ACCOUNT, 10).expect("a cell");
    }
    rig.refuses(&order(1), R::LossUnknown);
}

#[test]
fn what_is_kept_of_levels_is_made_anew_when_half_of_its_time_is_over() {
    let some = ExposureLimits { gross_micros: 1 << 60, ..ExposureLimits::NONE };
    let config = GateConfig { strategy_limits: &[some; 2], mark_age_max: Nanos(100), ..CONFIG };
    let mut rig = Rig::with(&config, true);
    let due = |rig: &Rig, ns| rig.gate.levels.is_due(NOW.plus(Nanos(ns)));
    rig.gate.levels.set_valued(None);
    assert!(due(&rig, 0));
    rig.gate.levels.set_valued(Some(NOW));
    assert_eq!([0, 50, 51].map(|ns| due(&rig, ns)), [false, false, true]);
    let rig = Rig::with(&GateConfig { mark_age_max: Nanos(0), ..config }, true);
    assert!(!due(&rig, 1_000), "nothing is kept");
}
