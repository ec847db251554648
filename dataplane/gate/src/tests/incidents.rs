//! What went wrong elsewhere, and what this gate says to it.

use super::*;
use crate::{
    ActivityLimits, ExposureLimits, InstrumentTerms, MoneyRules, OrderEvent, RejectReason as R, TermsError,
    TermsWriter,
};

/// How money is counted where every instrument is to be declared.
const DECLARED: MoneyRules =
    MoneyRules { rate_age_max: Nanos(86_400_000_000_000), undeclared_is_plain: false };

/// A gate that knows `terms` of the instrument, under roomy limits of size.
fn trading(terms: &InstrumentTerms) -> Rig {
    trading_under(terms, ExposureLimits::NONE, ActivityLimits::NONE)
}

/// The same, the strategy under these limits.
fn trading_under(terms: &InstrumentTerms, exposure: ExposureLimits, activity: ActivityLimits) -> Rig {
    let quick = StrategyConfig { order_rate_per_s: 1_000_000, ..STRATEGIES[1] };
    let config = GateConfig {
        strategies: &[STRATEGIES[0], quick],
        money: Some(DECLARED),
        strategy_limits: &[ExposureLimits::NONE, exposure],
        window: Nanos(60_000_000_000),
        strategy_activity: &[ActivityLimits::NONE, activity],
        ..CONFIG
    };
    let mut rig = Rig::bare(&config, true);
    TermsWriter::of(&rig.gate.tables.references).define(INSTRUMENT, terms).unwrap();
    rig.breakers.set_unset(OPEN);
    let wide = RiskLimits {
        max_qty: Qty(1_000_000),
        max_notional_micros: 5_000_000_000_000,
        max_pos_long: 1_000_000,
        max_pos_short: 1_000_000,
        passive_min_ticks: 0,
        order_rate_per_s: 20_000,
        order_burst: 60_000,
        ..LIVE
    };
    rig.publish_static(&Envelope::fixed(wide).unwrap(), &static_terms());
    rig.dynamics
        .publish(
            INSTRUMENT,
            CLASS,
            &Envelope::fixed(wide).unwrap().clamp(&wide),
            &super::terms(Tier::Normal),
            NOW,
        )
        .unwrap();
    rig
}

fn quote(rig: &mut Rig, bid: &str, ask: &str) {
    rig.publish_top(&TopOfBook { bid: px(bid), ask: px(ask), last: Px::NONE, ..top() });
}

fn at(price: &str, side: Side, qty: u32) -> OrderIntent {
    OrderIntent { px: px(price), side, qty: Qty(qty), ..order(1) }
}

/// 20 April 2020: the May contract of WTI crude settled at -37.63 a barrel, a thousand barrels each. Systems that took prices for
/// positive showed none, or took zero for one.
#[test]
fn oil_below_zero_has_a_reference_a_collar_and_a_value() {
    let oil = InstrumentTerms {
        multiplier_micros: 1_000_000_000,
        worth_min: px("20"),
        settlement: px("18.27"),
        ..InstrumentTerms::PLAIN
    };
    let mut rig = trading(&oil);
    quote(&mut rig, "-37.64", "-37.62");
    // Five hundred basis points of 37.63 are 1.8815.
    rig.accepts(&at("-37.64", Side::Bid, 100));
    rig.accepts(&at("-39.51", Side::Ask, 100));
    rig.refuses(&at("-39.52", Side::Ask, 100), R::Collar);
    rig.refuses(&at("0.01", Side::Bid, 1), R::Collar);
    rig.refuses(&at("-37.645", Side::Bid, 1), R::BadTick);
    let market = |qty| OrderIntent { qty: Qty(qty), ..market(1, Side::Ask) };
    rig.accepts(&market(100));
    // 133 contracts are 5,004,790: above five million.
    let refused = rig.refuses(&at("-37.63", Side::Bid, 133), R::Value);
    assert_eq!((refused.limit, refused.value), (5_000_000_000_000, 5_004_790_000_000));
    rig.refuses(&market(133), R::Value);
    // Through zero, basis points are of twenty: a dollar, and a contract is worth at least 20,000.
    quote(&mut rig, "-0.01", "0.01");
    rig.accepts(&at("0.00", Side::Bid, 250));
    rig.accepts(&at("-1.00", Side::Ask, 1));
    rig.refuses(&at("1.01", Side::Bid, 1), R::Collar);
    rig.refuses(&at("0.00", Side::Bid, 251), R::Value);
    // What works at a price below zero is met by an order that reaches it.
    rig.take(&OrderIntent { cl_ord_id: 7, ..at("-0.01", Side::Bid, 5) });
    assert_eq!(rig.gate.open_orders().next().map(|open| open.px), Some(px("-0.01")));
    let met = rig.refuses(&at("-0.02", Side::Ask, 5), R::SelfMatched);
    assert_eq!((met.limit, met.value), (px("-0.01").0, px("-0.02").0));
}

#[test]
fn a_price_below_zero_of_an_instrument_that_has_none_is_no_price() {
    let mut rig = trading(&InstrumentTerms::PLAIN);
    quote(&mut rig, "-37.64", "-37.62");
    rig.refuses(&at("-37.64", Side::Bid, 1), R::BadPrice);
    rig.refuses(&at("18.00", Side::Bid, 1), R::RefMissing);
}

/// A row written before it was known that its prices may be negative, and one from when they might, are none.
#[test]
fn a_quote_of_the_other_kind_is_no_quote() {
    let oil = InstrumentTerms { worth_min: px("20"), ..InstrumentTerms::PLAIN };
    let mut rig = trading(&InstrumentTerms::PLAIN);
    quote(&mut rig, "18.26", "18.28");
    let buy = at("18.27", Side::Bid, 1);
    rig.accepts(&buy);
    let mut control = TermsWriter::of(&rig.gate.tables.references);
    let mut become_another = |terms| {
        control.forget(INSTRUMENT).unwrap();
        control.define(INSTRUMENT, terms).unwrap();
    };
    become_another(&oil);
    rig.refuses(&buy, R::RefMissing);
    rig.refuses(&market(1, Side::Bid), R::RefMissing);
    quote(&mut rig, "18.26", "18.28");
    rig.accepts(&buy);
    become_another(&InstrumentTerms::PLAIN);
    rig.refuses(&buy, R::RefMissing);
    rig.refuses(&market(1, Side::Bid), R::RefMissing);
}

/// What works was judged by prices of one kind. Told otherwise, the gate lets nothing out but what closes.
#[test]
fn whether_prices_may_be_negative_does_not_change_while_there_is_a_price() {
    let oil = InstrumentTerms { worth_min: px("20"), ..InstrumentTerms::PLAIN };
    for (before, after) in [(InstrumentTerms::PLAIN, oil), (oil, InstrumentTerms::PLAIN)] {
        let mut rig = trading(&before);
        quote(&mut rig, "18.26", "18.28");
        rig.take(&at("18.27", Side::Ask, 5));
        let mut control = TermsWriter::of(&rig.gate.tables.references);
        control.define(INSTRUMENT, &InstrumentTerms { multiplier_micros: 2_000_000, ..before }).unwrap();
        assert_eq!(control.define(INSTRUMENT, &after), Err(TermsError::OtherKind(INSTRUMENT)));
        let buy = OrderIntent { cl_ord_id: 2, ..at("18.26", Side::Bid, 1) };
        rig.refuses(&buy, R::TermsMissing);
        let met = OrderIntent { cl_ord_id: 2, ..at("18.28", Side::Bid, 1) };
        rig.hold(-1);
        rig.accepts(&buy);
        rig.refuses(&met, R::SelfMatched);
        // Said as it was, it is known again; and without a price it may become the other.
        control.define(INSTRUMENT, &before).unwrap();
        rig.accepts(&OrderIntent { qty: Qty(9), ..buy });
        rig.publish_top(&TopOfBook { state: BookState::Empty, ..top() });
        control.define(INSTRUMENT, &after).unwrap();
    }
}

#[test]
fn terms_and_rates_out_of_their_range_mean_nothing() {
    let plain = InstrumentTerms::PLAIN;
    for terms in [
        InstrumentTerms { multiplier_micros: 0, ..plain },
        InstrumentTerms { multiplier_micros: crate::MULTIPLIER_MICROS_MAX + 1, ..plain },
        InstrumentTerms { worth_min: Px(0), ..plain },
        InstrumentTerms { worth_min: Px(-1), ..plain },
        InstrumentTerms { worth_min: Px(crate::SIGNED_PX_MAX.0 + 1), ..plain },
        InstrumentTerms { worth_min: px("20"), multiplier_micros: 0, ..plain },
    ] {
        let mut rig = trading(&terms);
        rig.gate.money = Some(MoneyRules { undeclared_is_plain: true, ..DECLARED });
        quote(&mut rig, "18.26", "18.28");
        rig.refuses(&at("18.27", Side::Bid, 1), R::TermsMissing);
    }
    let mut rig = trading(&InstrumentTerms { currency: crate::CurrencyId(1), ..plain });
    quote(&mut rig, "18.26", "18.28");
    let mut control = TermsWriter::of(&rig.gate.tables.references);
    for (rate, reason) in [
        (crate::RATE_NANOS_MAX, R::Value),
        (crate::RATE_NANOS_MAX + 1, R::FxMissing),
        (u64::MAX, R::FxMissing),
    ] {
        control.rate(crate::CurrencyId(1), rate, NOW);
        rig.refuses(&at("18.27", Side::Bid, 1), reason);
    }
}

/// Below zero the price that a buy names is not the most it may be paid.
#[test]
fn a_buy_below_zero_is_valued_at_the_offer_that_it_meets() {
    let oil =
        InstrumentTerms { multiplier_micros: 1_000_000_000, worth_min: px("20"), ..InstrumentTerms::PLAIN };
    let mut rig = trading(&oil);
    quote(&mut rig, "-37.64", "-37.62");
    // At -36.00 138 contracts are 4,968,000; at the offer they are 5,191,560.
    rig.accepts(&at("-36.00", Side::Bid, 132));
    let refused = rig.refuses(&at("-36.00", Side::Bid, 138), R::Value);
    assert_eq!(refused.value, 5_191_560_000_000);
    // A replacement is compared with what its order was worth in the same way.
    rig.take(&OrderIntent { cl_ord_id: 2, ..at("-37.64", Side::Bid, 132) });
    let nearer = OrderIntent { cl_ord_id: 3, ..at("-37.63", Side::Bid, 132) };
    assert_eq!(rig.gate.replace(2, &nearer, NOW).0.reason, None);
}

/// 2 May 2022 (FCA final notice to Citigroup Global Markets): 58 million went into the field for units instead of the one for
/// dollars, a basket of 349 orders worth 444 billion; a price feed that gave -1 for a missing price had switched the warning off.
#[test]
fn a_basket_in_units_instead_of_dollars_is_stopped_order_by_order_and_a_missing_price_is_none() {
    let mut rig = trading(&InstrumentTerms::PLAIN);
    quote(&mut rig, "7655.17", "7655.19");
    // A 349th of 58 million units, where a 349th of 58 million dollars was meant: 21 units.
    let slice = 58_000_000 / 349;
    let refused = rig.refuses(&at("7655.17", Side::Ask, slice), R::Value);
    assert!(refused.value > 1_270_000_000_000_000, "more than a billion each: {}", refused.value);
    rig.accepts(&at("7655.17", Side::Ask, 21));
    quote(&mut rig, "-1", "-1");
    rig.refuses(&at("7655.17", Side::Ask, 21), R::RefMissing);
    rig.refuses(&OrderIntent { qty: Qty(21), ..market(1, Side::Ask) }, R::RefMissing);
}

/// The same basket where each order is below every limit of one order: what it comes to is not.
#[test]
fn a_basket_is_stopped_by_what_it_comes_to() {
    let gross = ExposureLimits { gross_micros: 58_000_000_000_000, ..ExposureLimits::NONE };
    let mut rig = trading_under(&InstrumentTerms::PLAIN, gross, ActivityLimits::NONE);
    quote(&mut rig, "7655.17", "7655.19");
    let (mut left, mut value) = (0_u64, 0.0);
    for id in 1..=349 {
        let slice = OrderIntent { cl_ord_id: id, ..at("7655.17", Side::Ask, 600) };
        let (verdict, reservation) = rig.gate.reserve(&slice, NOW);
        if reservation.is_some() {
            (left, value) = (left + 1, value + 600.0 * 7_655.18);
            rig.gate.settle(OrderEvent::Filled { id, qty: Qty(600) });
        } else {
            assert_eq!(verdict.reason, Some(R::GrossStrategy), "{verdict}");
        }
    }
    assert_eq!(left, 12, "of 349");
    assert!(value <= 58_000_000.0);
}

/// 1 August 2012 (SEC release 34-70694): 212 orders of customers became more than four million executions in 45 minutes, since the
/// program that sliced them did not count what had been executed.
#[test]
fn a_slicer_that_does_not_count_its_executions_is_stopped_within_the_window() {
    let activity = ActivityLimits { qty: 5_000, messages: 200, ..ActivityLimits::NONE };
    let mut rig = trading_under(&InstrumentTerms::PLAIN, ExposureLimits::NONE, activity);
    quote(&mut rig, "10.00", "10.01");
    let mut executed = 0;
    // 1,500 a second, of a parent order for 1,000; a buy above the bid and a sell below it in turn, as then.
    for id in 1..=15_000_u64 {
        let now = NOW.plus(Nanos(id * 60_000));
        rig.references.heartbeat(now);
        let (side, price) = if id % 2 == 0 { (Side::Ask, "10.00") } else { (Side::Bid, "10.01") };
        let child = OrderIntent { cl_ord_id: id, tif: TimeInForce::Ioc, ..at(price, side, 100) };
        let (verdict, reservation) = rig.gate.reserve(&child, now);
        if reservation.is_some() {
            rig.gate.settle(OrderEvent::Executed { id, execution: id, qty: Qty(100) });
            executed += 100;
        } else {
            assert_eq!(verdict.reason, Some(R::RollingQtyStrategy), "{verdict}");
        }
    }
    assert_eq!(executed, 5_000, "of 1,500,000");
}
