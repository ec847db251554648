//! Ticks by price, last trades that age, and the collar over a period.

use super::*;
use crate::{RefRules, RejectReason as R};
use types::{TickStep, TickTable};

const SECOND: u64 = 1_000_000_000;

fn ago(seconds: u64) -> UnixNanos {
    UnixNanos(NOW.0 - seconds * SECOND)
}

fn later(seconds: u64) -> UnixNanos {
    UnixNanos(NOW.0 + seconds * SECOND)
}

/// A hundred dollars' rig, its reference table under other rules.
pub(crate) fn rig_under(rules: &RefRules<'_>) -> Rig {
    let mut rig = Rig::new();
    (rig.references, rig.gate.tables.references) =
        RefTable::create_under(INSTRUMENTS, rules).expect("a table");
    rig.publish_top(&top());
    rig
}

/// A share about a dollar.
fn near_a_dollar(bid: &str, ask: &str) -> TopOfBook {
    let tick_table = TickTableId::US_EQUITY;
    TopOfBook { bid: px(bid), ask: px(ask), last: Px::NONE, tick: CENT, tick_table, ..top() }
}

#[test]
fn a_share_under_a_dollar_is_quoted_in_hundredths_of_a_cent_and_one_dollar_in_cents() {
    let mut rig = Rig::new();
    // The tick is that of each order's price, wherever the reference stands.
    for quote in
        [near_a_dollar("0.9900", "0.9901"), near_a_dollar("0.9999", "1.00"), near_a_dollar("1.00", "1.01")]
    {
        rig.publish_top(&quote);
        for good in ["0.9801", "0.9899", "0.9999", "1.00", "1.01"] {
            rig.accepts(&OrderIntent { px: px(good), ..order(1) });
        }
        for (bad, tick) in
            [("0.98005", "0.0001"), ("0.99995", "0.0001"), ("1.0001", "0.01"), ("1.005", "0.01")]
        {
            let verdict = rig.refuses(&OrderIntent { px: px(bad), ..order(1) }, R::BadTick);
            assert_eq!((verdict.limit, verdict.value), (px(tick).0, px(bad).0));
        }
    }
}

#[test]
fn ordinary_prices_on_either_side_of_the_dollar_take_the_fast_path() {
    let mut rig = Rig::new();
    for (quote, fast, slow) in [
        (near_a_dollar("0.9900", "0.9901"), "0.9850", "1.00"),
        (near_a_dollar("1.01", "1.02"), "1.01", "0.9999"),
    ] {
        rig.publish_top(&quote);
        assert!(rig.fast(&OrderIntent { px: px(fast), ..order(1) }, NOW), "{fast}");
        let other = OrderIntent { px: px(slow), ..order(1) };
        assert!(!rig.fast(&other, NOW), "{slow} has another tick than the reference");
        rig.accepts(&other);
    }
}

#[test]
fn the_tick_that_people_see_is_that_of_the_prices_there_are() {
    let mut rig = Rig::new();
    for (bid, ask, tick) in [
        ("0.9900", "-", "0.0001"),
        ("5.00", "-", "0.01"),
        ("-", "1.00", "0.01"),
        ("0.9999", "1.00", "0.0001"),
    ] {
        let side = |text: &str| if text == "-" { Px::NONE } else { px(text) };
        rig.publish_top(&TopOfBook { bid: side(bid), ask: side(ask), ..near_a_dollar("1", "1") });
        assert_eq!(
            rig.gate.tables.references.read(INSTRUMENT).map(|read| read.tick),
            Some(px(tick)),
            "{bid} {ask}"
        );
    }
}

#[test]
fn a_table_that_nobody_made_is_no_known_tick() {
    let mut rig = Rig::new();
    rig.publish_top(&TopOfBook { tick_table: TickTableId(2), ..top() });
    rig.refuses(&order(1), R::TickUnknown);
    rig.accepts(&market(1, Side::Bid));
}

#[test]
fn passive_distances_are_counted_in_ticks_of_the_orders_price() {
    let steps = [TickStep { from: Px(0), tick: px("0.005") }, TickStep { from: px("100"), tick: px("0.02") }];
    let tables = [TickTable::US_EQUITY, TickTable::new(&steps).unwrap()];
    let mut rig = rig_under(&RefRules { tick_tables: &tables, ..RefRules::DEFAULT });
    rig.publish_live(&RiskLimits { passive_min_ticks: 3, ..LIVE }, Tier::Normal, NOW);
    rig.publish_top(&TopOfBook { tick: px("0.02"), tick_table: TickTableId(2), ..top() });
    // Asked at 100.02: three ticks of 0.005 below.
    rig.accepts(&OrderIntent { px: px("99.995"), ..order(1) });
    let verdict = rig.refuses(&OrderIntent { px: px("100.00"), ..order(1) }, R::PassiveBand);
    assert_eq!((verdict.limit, verdict.value), (3, 1), "one tick of 0.02");
}

#[test]
fn a_last_trade_is_a_reference_for_a_minute() {
    let mut rig = Rig::new();
    let quote = TopOfBook { ask: Px::NONE, last: px("100.01"), ..top() };
    for (last_ts, reason) in [
        (ago(60), None),
        (UnixNanos(ago(60).0 - 1), Some(R::RefStale)),
        (later(60), None),
        (later(61), Some(R::RefStale)),
        (UnixNanos(0), Some(R::RefStale)),
    ] {
        rig.publish_top(&TopOfBook { last_ts, ..quote });
        assert_eq!(rig.check(&order(1)).reason, reason, "{last_ts}");
    }
    // It ages without a word of the feed but that it lives.
    rig.publish_top(&TopOfBook { last_ts: ago(59), ..quote });
    for (after, reason) in [(1, None), (2, Some(R::RefStale))] {
        rig.references.heartbeat(later(after));
        rig.publish_live(&LIVE, Tier::Normal, later(after));
        let verdict = rig.gate.check(&order(1), later(after));
        assert_eq!(verdict.reason, reason);
        if reason.is_some() {
            assert_eq!(
                (verdict.limit.cast_unsigned(), verdict.value.cast_unsigned()),
                (60 * SECOND, 61 * SECOND)
            );
        }
    }
    // With the feed silent as well, the verdict names the quote's age.
    rig.references.heartbeat(UnixNanos(0));
    let verdict = rig.gate.check(&order(1), later(2));
    assert_eq!(verdict.reason, Some(R::RefStale));
    let verdict = rig.gate.check(&order(1), later(6));
    assert_eq!((verdict.limit.cast_unsigned(), verdict.value.cast_unsigned()), (5 * SECOND, 6 * SECOND));
    // A mid needs no trade.
    rig.publish_top(&TopOfBook { last_ts: UnixNanos(0), ..top() });
    rig.accepts(&order(1));
}

#[test]
fn how_old_a_last_trade_may_be_is_configured() {
    let mut rig = rig_under(&RefRules { last_age_max: Nanos(5 * SECOND), ..RefRules::DEFAULT });
    for (age, reason) in [(5, None), (6, Some(R::RefStale))] {
        rig.publish_top(&TopOfBook { ask: Px::NONE, last_ts: ago(age), ..top() });
        assert_eq!(rig.check(&order(1)).reason, reason);
    }
}

/// A rig whose instrument stood at 100 for five minutes and stands at `now`.
fn after_five_minutes_at_a_hundred(now: &str) -> Rig {
    let mut rig = rig_under(&RefRules::DEFAULT);
    let at = |mid: &str, ts| TopOfBook { bid: px(mid), ask: px(mid), ts, ..top() };
    rig.publish_top(&at("100", ago(400)));
    rig.publish_top(&at(now, NOW));
    rig
}

#[test]
fn who_sells_far_below_the_last_minutes_or_buys_far_above_is_refused_where_the_instant_mid_says_nothing() {
    let mut rig = after_five_minutes_at_a_hundred("88.00");
    let sell_at = |text| OrderIntent { px: px(text), ..sell(1) };
    let verdict = rig.refuses(&sell_at("88.01"), R::PeriodCollar);
    assert_eq!((verdict.limit, verdict.value), (1_000, 1_199));
    rig.refuses(&sell_at("89.99"), R::PeriodCollar);
    rig.accepts(&sell_at("90.00"));
    rig.accepts(&OrderIntent { px: px("87.00"), ..order(1) });
    rig.refuses(&market(1, Side::Ask), R::PeriodCollar);
    rig.accepts(&market(1, Side::Bid));
    let mut rig = after_five_minutes_at_a_hundred("112.00");
    rig.refuses(&OrderIntent { px: px("110.01"), ..order(1) }, R::PeriodCollar);
    rig.accepts(&OrderIntent { px: px("110.00"), ..order(1) });
    rig.accepts(&sell_at("112.50"));
    rig.refuses(&market(1, Side::Bid), R::PeriodCollar);
}

#[test]
fn exits_are_held_to_the_collar_over_the_period_too() {
    let mut rig = after_five_minutes_at_a_hundred("88.00");
    rig.hold(1_000);
    rig.set(BreakerKey::Firm, BreakerState::ReduceOnly);
    rig.refuses(&OrderIntent { px: px("88.00"), ..sell(1) }, R::PeriodCollar);
}

#[test]
fn a_reference_that_has_not_moved_for_a_period_is_its_own_mean() {
    let rig = after_five_minutes_at_a_hundred("88.00");
    let mut rig = Rig { gate: rig.gate, ..rig };
    for (after, reason) in [(299, Some(R::PeriodCollar)), (300, None)] {
        rig.references.heartbeat(later(after));
        rig.publish_live(&LIVE, Tier::Normal, later(after));
        let order = OrderIntent { px: px("88.01"), ..sell(1) };
        assert_eq!(rig.gate.check(&order, later(after)).reason, reason, "{after}");
    }
}

/// The words of prices that may be negative, and of those that may not, have no common mean.
#[test]
fn a_history_of_the_other_kind_is_no_history() {
    let mut rig = after_five_minutes_at_a_hundred("88.00");
    rig.gate.money = Some(crate::MoneyRules { rate_age_max: Nanos(1), undeclared_is_plain: true });
    rig.refuses(&OrderIntent { px: px("88.00"), ..sell(1) }, R::PeriodCollar);
    let spread = crate::InstrumentTerms { worth_min: px("20"), ..crate::InstrumentTerms::PLAIN };
    let mut control = crate::TermsWriter::of(&rig.gate.tables.references);
    control.define(INSTRUMENT, &spread).unwrap();
    rig.publish_top(&TopOfBook { bid: px("88"), ask: px("88"), ts: NOW, ..top() });
    rig.accepts(&OrderIntent { px: px("88.00"), ..sell(1) });
    rig.accepts(&OrderIntent { px: px("88.00"), ..order(1) });
    // It begins anew, and goes on.
    for (after, mid) in [(0, "-40"), (301, "-40"), (302, "-44")] {
        rig.publish_top(&TopOfBook { bid: px(mid), ask: px(mid), last: Px::NONE, ts: later(after), ..top() });
    }
    rig.publish_live(&LIVE, Tier::Normal, later(302));
    let sell_at = |text| OrderIntent { px: px(text), ..sell(1) };
    assert_eq!(rig.gate.check(&sell_at("-44.00"), later(302)).reason, None);
    assert_eq!(rig.gate.check(&sell_at("-44.01"), later(302)).reason, Some(R::PeriodCollar));
    // A row whose mean alone is of the other kind says nothing.
    let rest = crate::quote::Rest { period_mean: 100, ..crate::quote::Rest::NOTHING };
    let row = crate::quote::Quote { rest, ..crate::quote::Quote::NOTHING };
    assert!(row.of_sign(true).is_none() && row.of_sign(false).is_some());
}

#[test]
fn the_collar_over_a_period_is_configured_and_can_be_off() {
    let at = |mid: &str, ts| TopOfBook { bid: px(mid), ask: px(mid), ts, ..top() };
    for (bps, period_s, reason) in
        [(1_000, 60, Some(R::PeriodCollar)), (1_200, 60, None), (0, 60, None), (1_000, 0, None)]
    {
        let rules =
            RefRules { period_collar_bps: bps, period: Nanos(period_s * SECOND), ..RefRules::DEFAULT };
        let mut rig = rig_under(&rules);
        rig.publish_top(&at("100", ago(90)));
        rig.publish_top(&at("88", NOW));
        assert_eq!(rig.check(&OrderIntent { px: px("88.00"), ..sell(1) }).reason, reason, "{bps} {period_s}");
    }
}

#[test]
fn without_a_history_the_collar_about_the_instant_reference_counts_alone() {
    let mut rig = rig_under(&RefRules::DEFAULT);
    let at = |mid: &str, ts, status| TopOfBook { bid: px(mid), ask: px(mid), ts, status, ..top() };
    rig.publish_top(&at("100", UnixNanos(NOW.0 + 1), TradingStatus::Trading));
    rig.publish_top(&at("88", UnixNanos(NOW.0 + 2), TradingStatus::Trading));
    rig.accepts(&OrderIntent { px: px("88.00"), ..sell(1) });
    // What a book with a gap said is none.
    let mut rig = rig_under(&RefRules::DEFAULT);
    let doubted = BookState::Stale(types::StaleCause::Gap);
    rig.publish_top(&TopOfBook { state: doubted, ..at("100", ago(400), TradingStatus::Trading) });
    rig.publish_top(&at("88", NOW, TradingStatus::Trading));
    rig.accepts(&OrderIntent { px: px("88.00"), ..sell(1) });
    // Nor does what was before a halt as long as the period; a halt of a moment forgets nothing, nor does a clock that is set back.
    let story = |halted_s, resumed| {
        let mut rig = rig_under(&RefRules::DEFAULT);
        rig.publish_top(&at("100", ago(1_000), TradingStatus::Trading));
        rig.publish_top(&at("100", ago(halted_s), TradingStatus::Halted));
        rig.publish_top(&at("88", resumed, TradingStatus::Trading));
        rig.publish_top(&at("88", NOW, TradingStatus::Trading));
        rig.check(&OrderIntent { px: px("88.00"), ..sell(1) }).reason
    };
    assert_eq!(story(310, NOW), None);
    for (halted_s, resumed) in [(0, NOW), (1, NOW), (200, NOW), (1, ago(40))] {
        assert_eq!(story(halted_s, resumed), Some(R::PeriodCollar), "{halted_s} {resumed}");
    }
}
