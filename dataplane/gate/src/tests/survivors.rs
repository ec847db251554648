//! What only a change of the gate's code showed that no test asked for.

use super::*;
use crate::{
    ActivityLimits, CurrencyId, ExposureLimits, Flags, InstrumentTerms, KeptOrder, MoneyRules,
    OrderEvent as E, ProfitRules, RejectReason as R, RepeatedExecutions, RestoreError, RoundedValue,
    Settlement as S, Step, TermsError, TermsWriter,
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
    let restricted = StaticTerms { permission: Permission::Restricted, ..static_terms() };
    let (mut rig, order) = elsewhere(&CONFIG);
    rig.statics.publish(order.instrument, ClassId(0), &envelope(), &restricted, NOW).expect("a row");
    assert_eq!(numbers(rig.refuses(&order, R::Restricted)), (0, 2));
    let (mut rig, order) = elsewhere(&CONFIG);
    rig.set(BreakerKey::Account(order.account), BreakerState::Tripped);
    assert_eq!(numbers(rig.refuses(&order, R::HaltedAccount)), (0, 0));
    let money = Some(MoneyRules { rate_age_max: Nanos(100), undeclared_is_plain: false });
    let (mut rig, order) = elsewhere(&GateConfig { money, ..CONFIG });
    assert_eq!(numbers(rig.refuses(&order, R::TermsMissing)), (0, 2));
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

/// A rig whose strategy may lose so much, and lost two dollars in [`INSTRUMENT`] the moment before a day begins.
fn lost_before_midnight(micros: u64) -> Rig {
    let profit = ProfitRules {
        day_start: Nanos(NOW.0 % 86_400_000_000_000 + 1),
        fee_nanos_per_unit: 0,
        settlement_age_max_days: 3,
    };
    let config = GateConfig {
        strategy_loss: &[u64::MAX, micros],
        profit: Some(profit),
        mark_age_max: Nanos::SECOND,
        ..CONFIG
    };
    let mut rig = Rig::with(&config, true);
    let two = InstrumentId(2);
    rig.statics.publish(two, CLASS, &envelope(), &static_terms(), NOW).expect("a row");
    rig.references.publish(two, &top()).expect("a row");
    rig.take(&OrderIntent { px: px("100.02"), ..order(50) });
    rig.gate.settle(E::Executed { id: 50, execution: 1, qty: Qty(100) });
    rig.take(&OrderIntent { px: px("100.00"), ..sell(51) });
    rig.gate.settle(E::ExecutedAt { id: 51, execution: 2, qty: Qty(100), px: px("100.00") });
    rig
}

#[test]
fn what_is_kept_of_yesterday_is_no_loss_of_today() {
    let mut rig = lost_before_midnight(1_000_000);
    let elsewhere = OrderIntent { instrument: InstrumentId(2), px: px("99.98"), ..order(1) };
    rig.refuses(&elsewhere, R::LossStrategy);
    assert_eq!(rig.gate.check(&elsewhere, NOW.plus(Nanos(1))).reason, None, "young, and of another day");
}

#[test]
fn what_reduces_is_near_to_no_loss() {
    let mut rig = lost_before_midnight(2_100_000);
    rig.take(&OrderIntent { qty: Qty(10), ..order(52) });
    rig.gate.settle(E::ExecutedAt { id: 52, execution: 3, qty: Qty(10), px: px("100.00") });
    let small = |order| OrderIntent { qty: Qty(10), ..order };
    let near = |order| rig.accepts(&small(order)).flags.has(Flags::NEAR_LIMIT);
    let far = OrderIntent { px: px("99.98"), ..order(1) };
    assert_eq!((near(far), near(OrderIntent { px: px("100.04"), ..sell(1) })), (true, false));
}

#[test]
fn what_is_held_is_not_valued_before_half_of_its_time_is_over() {
    let some = ExposureLimits { gross_micros: 1 << 60, ..ExposureLimits::NONE };
    let config = GateConfig { strategy_limits: &[some; 2], mark_age_max: Nanos(100), ..CONFIG };
    let mut rig = Rig::with(&config, true);
    rig.gate.follow_time(NOW);
    let mut valued = |ns| {
        rig.gate.follow_time(NOW.plus(Nanos(ns)));
        rig.gate.levels.valued()
    };
    assert_eq!([50, 51].map(&mut valued), [Some(NOW), Some(NOW.plus(Nanos(51)))]);
}

#[test]
fn an_order_is_kept_from_the_own_orders_of_its_account_alone() {
    let mut rig = Rig::new();
    rig.take(&OrderIntent { account: AccountId(0), ..sell(1) });
    rig.take(&OrderIntent { px: px("100.04"), ..sell(2) });
    let verdict = rig.refuses(&OrderIntent { px: px("100.04"), ..order(3) }, R::SelfMatched);
    assert_eq!(verdict.limit, px("100.04").0);
    rig.accepts(&OrderIntent { px: px("100.03"), ..order(3) });
}

#[test]
fn an_order_that_is_done_needs_no_room_after_a_restart() {
    let mut rig = Rig::with(&GateConfig { open_orders_max: 1, ..CONFIG }, true);
    let kept = |id, life| {
        let (instrument, strategy, account, side) = (INSTRUMENT, STRATEGY, ACCOUNT, Side::Bid);
        let (px, qty) = (px("100.00").0.unsigned_abs(), 10);
        let (link, executed, pending_qty) = (0, 0, 0);
        Step::Order(KeptOrder {
            id,
            instrument,
            strategy,
            account,
            side,
            life,
            px,
            link,
            qty,
            executed,
            pending_qty,
        })
    };
    assert_eq!(rig.gate.restore(&kept(1, 0)), Ok(()));
    assert_eq!([(2, 2), (3, 3)].map(|(id, life)| rig.gate.restore(&kept(id, life))), [Ok(()); 2]);
    assert_eq!(rig.gate.restore(&kept(4, 0)), Err(RestoreError::Full));
}

/// An instrument of which there is no price may become one whose prices may be negative; one whose price cannot be read may not.
#[test]
fn prices_become_negative_where_there_are_none_and_not_where_nobody_can_tell() {
    let mut rig = Rig::new();
    let below = InstrumentTerms { worth_min: px("1.00"), ..InstrumentTerms::PLAIN };
    let mut writer = TermsWriter::of(&rig.gate.tables.references);
    let mut both =
        |instrument| [InstrumentTerms::PLAIN, below].map(|terms| writer.define(instrument, &terms));
    assert_eq!(both(InstrumentId(2)), [Ok(()); 2]);
    rig.references.abandon(INSTRUMENT);
    assert_eq!(both(INSTRUMENT), [Ok(()), Err(TermsError::OtherKind(INSTRUMENT))]);
}

/// Under money rules, with these terms of [`INSTRUMENT`] and nothing published yet.
fn valuing(terms: &InstrumentTerms) -> Rig {
    let mut rig = Rig::new();
    rig.gate.money = Some(MoneyRules { rate_age_max: Nanos(100), undeclared_is_plain: false });
    (rig.references, rig.gate.tables.references) = RefTable::create(INSTRUMENTS).expect("a table");
    TermsWriter::of(&rig.gate.tables.references).define(INSTRUMENT, terms).expect("a row");
    rig
}

fn counted(rig: &Rig, order: &OrderIntent, signed: bool) -> u64 {
    rig.gate.value_of(order, crate::price::price_word(order.px, signed), order.qty.0, NOW).micros()
}

#[test]
fn what_an_order_counts_for_is_multiplied_as_its_instrument_is() {
    let mut rig = valuing(&InstrumentTerms { multiplier_micros: 5_000_000, ..InstrumentTerms::PLAIN });
    rig.publish_top(&top());
    assert_eq!(counted(&rig, &order(1), false), RoundedValue::above(50_000_000_000).micros());
}

/// Who buys above an ask below zero is paid what lies farther from zero.
#[test]
fn a_buy_counts_for_an_ask_that_is_farther_from_zero_than_its_price() {
    let mut rig = valuing(&InstrumentTerms { worth_min: px("0.10"), ..InstrumentTerms::PLAIN });
    rig.publish_top(&TopOfBook { bid: px("-50.00"), ask: px("-49.00"), last: Px::NONE, ..top() });
    let buy = OrderIntent { px: px("1.00"), ..order(1) };
    assert_eq!(counted(&rig, &buy, true), RoundedValue::above(4_900_000_000).micros());
}

#[test]
fn a_rate_counts_until_it_is_older_than_it_may_be() {
    let euro = InstrumentTerms { currency: CurrencyId(1), ..InstrumentTerms::PLAIN };
    let mut rig = valuing(&euro);
    rig.publish_top(&top());
    let mut writer = TermsWriter::of(&rig.gate.tables.references);
    for (age, reason) in [(100, None), (101, Some(R::FxStale))] {
        writer.rate(CurrencyId(1), 1_000_000_000, UnixNanos(NOW.0 - age));
        assert_eq!(rig.check(&order(1)).reason, reason);
    }
}

#[test]
fn a_loss_that_nobody_knows_is_named_after_the_orders_own_instrument() {
    let config = GateConfig {
        strategy_loss: &[u64::MAX, 1_000_000_000],
        profit: Some(ProfitRules::DEFAULT),
        ..CONFIG
    };
    let mut rig = Rig::with(&config, true);
    for instrument in [0, 1, 2].map(InstrumentId) {
        rig.gate.set_position(instrument, STRATEGY, ACCOUNT, 1).expect("a cell");
    }
    assert_eq!(rig.refuses(&order(1), R::LossUnknown).value, 1);
}

/// A hundred at 100.01.
const HUNDRED_MICROS: u64 = 10_001_000_000;

fn exposed(limits: ExposureLimits) -> Rig {
    Rig::with(&GateConfig { strategy_limits: &[ExposureLimits::NONE, limits], ..CONFIG }, true)
}

/// Limits of gross, of net, and of the instrument.
fn each(micros: u64) -> [ExposureLimits; 3] {
    [
        ExposureLimits { gross_micros: micros, ..ExposureLimits::NONE },
        ExposureLimits { net_micros: micros, ..ExposureLimits::NONE },
        ExposureLimits { instrument_micros: micros, ..ExposureLimits::NONE },
    ]
}

#[test]
fn an_exposure_passes_at_its_limit() {
    for limits in each(HUNDRED_MICROS) {
        exposed(limits).accepts(&order(1));
    }
}

#[test]
fn an_exposure_is_near_when_less_than_an_eighth_of_its_limit_is_left() {
    // Seven eighths of the first, rounded up, are what the order comes to.
    for (micros, near) in [(11_429_714_285, false), (11_429_714_284, true), (1 << 60, false)] {
        for limits in each(micros) {
            assert_eq!(exposed(limits).accepts(&order(1)).flags.has(Flags::NEAR_LIMIT), near, "{micros}");
        }
    }
}

#[test]
fn an_order_is_weighed_at_its_own_price_where_that_is_more() {
    let [gross, net, instrument] = each(10_200_000_000);
    for (limits, reason) in
        [(gross, R::GrossStrategy), (net, R::NetStrategy), (instrument, R::ConcentrationStrategy)]
    {
        let mut rig = exposed(limits);
        rig.accepts(&order(1));
        let verdict = rig.refuses(&OrderIntent { px: px("103.00"), ..order(1) }, reason);
        assert_eq!(verdict.value, 10_300_000_000);
    }
}

#[test]
fn a_market_order_without_a_reference_does_not_pass() {
    let mut rig = Rig::new();
    assert!(rig.fast(&market(1, Side::Bid), NOW));
    rig.publish_top(&TopOfBook { bid: Px::NONE, last: Px::NONE, ..top() });
    rig.refuses(&market(1, Side::Bid), R::RefMissing);
}

#[test]
fn an_order_without_a_price_is_not_said_to_meet_an_own_one() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let explained = rig.gate.explain(&OrderIntent { px: Px::NONE, ..sell(2) }, NOW);
    assert!(explained.breaches().all(|breach| breach.reason != R::SelfMatched));
}

#[test]
fn a_multiple_of_the_lot_passes_and_nothing_else() {
    let mut rig = Rig::new();
    rig.publish_static(&envelope(), &StaticTerms { lot: Qty(50), ..static_terms() });
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.accepts(&order(1));
    assert_eq!(rig.refuses(&OrderIntent { qty: Qty(120), ..order(1) }, R::BadLot).limit, 50);
}

#[test]
fn an_order_is_near_when_less_than_an_eighth_of_a_limit_is_left() {
    let near =
        |rig: &Rig, qty| rig.accepts(&OrderIntent { qty: Qty(qty), ..order(1) }).flags.has(Flags::NEAR_LIMIT);
    let rig = Rig::new();
    assert_eq!([438, 439].map(|qty| near(&rig, qty)), [false, true], "of 500");
    let holding = |position| {
        let mut rig = Rig::new();
        rig.hold(position);
        near(&rig, 100)
    };
    assert_eq!([1_650, 1_651].map(holding), [false, true], "of 2,000");
    let worth = |max_notional_micros| {
        let mut rig = Rig::new();
        rig.publish_live(&RiskLimits { max_notional_micros, ..LIVE }, Tier::Normal, NOW);
        near(&rig, 175)
    };
    assert_eq!([20_000_000_000, 19_999_999_999].map(worth), [false, true], "of 17,500 dollars seven eighths");
}

/// A row has prices of one kind: each says of which, and none says nothing.
#[test]
fn each_price_of_a_row_says_of_which_kind_it_is() {
    use crate::{price::price_word, quote::Quote};
    for signed in [false, true] {
        let word = price_word(px("1.00"), signed);
        let of = |bid, ask, twice_ref| Quote { bid, ask, twice_ref, ..Quote::NOTHING };
        for row in [of(word, 0, 0), of(0, word, 0), of(0, 0, 2 * word), of(word, word, 2 * word)] {
            assert_eq!([signed, !signed].map(|kind| row.prices_fit(kind)), [true, false]);
        }
    }
    assert!([false, true].map(|kind| Quote::NOTHING.prices_fit(kind)) == [true; 2]);
}

#[test]
fn a_verdict_says_that_the_tier_is_above_normal() {
    let mut rig = Rig::new();
    for tier in [Tier::Normal, Tier::Elevated, Tier::High] {
        rig.publish_live(&LIVE, tier, NOW);
        assert_eq!(rig.accepts(&order(1)).flags.has(Flags::TIER), tier != Tier::Normal, "{tier:?}");
    }
}

#[test]
fn a_value_beyond_its_limit_by_the_multiplier_does_not_pass() {
    let mut rig = valuing(&InstrumentTerms { multiplier_micros: 10_000_000, ..InstrumentTerms::PLAIN });
    rig.publish_top(&top());
    rig.accepts(&OrderIntent { qty: Qty(60), ..order(1) });
    rig.refuses(&OrderIntent { qty: Qty(61), ..order(1) }, R::Value);
}

/// Where every check is made, which the fast path spares an order that is near to nothing.
#[test]
fn an_account_may_hold_as_much_as_its_limit() {
    let mut rig = Rig::new();
    rig.gate.set_position(INSTRUMENT, StrategyId(0), ACCOUNT, 1_900).expect("a cell");
    let broken = |qty| {
        let explained = rig.gate.explain(&OrderIntent { qty: Qty(qty), ..order(1) }, NOW);
        explained.breaches().map(|breach| breach.reason).collect::<Vec<_>>()
    };
    assert_eq!([broken(100), broken(101)], [std::vec![], std::vec![R::AccountPos]]);
}

#[test]
fn a_checkpoint_has_the_time_of_the_last_order_once_there_was_one() {
    let mut rig = Rig::new();
    let told = |rig: &Rig| {
        let mut times = Vec::new();
        rig.gate.checkpoint(|step| times.extend(if let Step::Told(at) = step { Some(at) } else { None }));
        times
    };
    assert_eq!(told(&rig), []);
    rig.take(&order(1));
    assert_eq!(told(&rig), [NOW]);
}

/// The least that a price counts for is known, though the multiplier is not.
#[test]
fn an_order_whose_terms_cannot_be_used_is_refused_for_nothing_else() {
    let unusable = InstrumentTerms { worth_min: px("20.00"), multiplier_micros: 0, ..InstrumentTerms::PLAIN };
    let mut rig = valuing(&unusable);
    rig.publish_top(&TopOfBook { bid: px("1.00"), ask: px("1.02"), last: px("1.01"), ..top() });
    let buy = OrderIntent { px: px("1.50"), ..order(1) };
    let explained = rig.gate.explain(&buy, NOW);
    assert!(explained.breaches().map(|breach| breach.reason).eq([R::TermsMissing]));
}

/// As many as for one before the first.
#[test]
fn a_strategy_may_send_more_for_each_trade() {
    let limits = ActivityLimits { messages_per_trade: 2, ..ActivityLimits::NONE };
    let config = GateConfig { window: Nanos::SECOND, strategy_activity: &[limits; 2], ..CONFIG };
    let mut rig = Rig::with(&config, true);
    rig.take(&order(1));
    rig.take(&order(2));
    rig.refuses(&order(3), R::OrderToTradeStrategy);
    assert_eq!(fill(&mut rig, 1, 10), S::Working);
    rig.refuses(&order(3), R::OrderToTradeStrategy);
    assert_eq!(fill(&mut rig, 1, 10), S::Working);
    rig.take(&order(3));
}

/// The venue has spoken of it, and a replacement of it may be in force.
#[test]
fn an_order_that_was_cancelled_under_its_replacement_is_not_released() {
    let mut rig = Rig::new();
    let reservation = rig.gate.reserve(&order(1), NOW).1.expect("let through");
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).1.is_some());
    assert_eq!(rig.gate.settle(E::Cancelled { id: 1 }), S::Working);
    assert_eq!(rig.gate.release(reservation), S::Ignored);
    assert_eq!(rig.gate.exposure(INSTRUMENT, STRATEGY).expect("a cell").working_buy, 150);
}

#[test]
fn a_checkpoint_has_how_often_each_strategy_was_stopped() {
    let repeated_executions = Some(RepeatedExecutions { most: 2, window: Nanos::SECOND });
    let mut rig = Rig::with(&GateConfig { repeated_executions, ..CONFIG }, true);
    let stops = |rig: &Rig| {
        let mut stops = Vec::new();
        rig.gate.checkpoint(|step| {
            stops.extend(if let Step::Stopped { strategy, count } = step {
                Some((strategy, count))
            } else {
                None
            });
        });
        stops
    };
    assert_eq!(stops(&rig), []);
    for id in [1, 2] {
        rig.take(&order(id));
        fill(&mut rig, id, 100);
    }
    assert_eq!(stops(&rig), [(STRATEGY, 1)]);
}

#[test]
fn what_a_strategy_sent_and_executed_before_a_restart_counts_after_it() {
    let limits = ActivityLimits { qty: 150, ..ActivityLimits::NONE };
    let repeated_executions = Some(RepeatedExecutions { most: 2, window: Nanos::SECOND });
    let config =
        GateConfig { window: Nanos::SECOND, strategy_activity: &[limits; 2], repeated_executions, ..CONFIG };
    let [mut before, mut after] = [(); 2].map(|()| Rig::with(&config, true));
    before.take(&order(1));
    fill(&mut before, 1, 100);
    before.gate.checkpoint(|step| after.gate.restore(&step).expect("a step"));
    after.refuses(&order(2), R::RollingQtyStrategy);
    after.take(&OrderIntent { qty: Qty(50), ..order(2) });
    fill(&mut after, 2, 50);
    assert_eq!(after.gate.repeat_stops(STRATEGY), 1);
}
