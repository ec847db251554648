//! The firm's day: which clocks begin one, and what counts within it.

use super::*;
use crate::{
    ActivityLimits, InstrumentTerms, MoneyRules, OrderEvent, ProfitRules, RejectReason as R, Step,
    TermsWriter, TradeDate,
};
use std::vec::Vec;

const HOUR: u64 = 3_600_000_000_000;

/// Tomorrow by a clock that is a day ahead, and then a day later by one that is right.
const TOMORROW: UnixNanos = UnixNanos(NOW.0 + 24 * HOUR);

/// A strategy that has bought 50 and sold them five dollars lower, which is as much as it may lose.
fn lost(mark_age_max: Nanos) -> Rig {
    let config = GateConfig {
        strategy_loss: &[u64::MAX, 250_000_000],
        profit: Some(ProfitRules::DEFAULT),
        mark_age_max,
        ..CONFIG
    };
    let mut rig = Rig::with(&config, false);
    rig.references.heartbeat(NOW);
    for (order, execution, px) in [(order(1), 1, px("100.00")), (sell(2), 2, px("95.00"))] {
        rig.take(&OrderIntent { qty: Qty(50), ..order });
        let event = OrderEvent::ExecutedAt { id: order.cl_ord_id, execution, qty: Qty(50), px };
        rig.gate.settle(event);
    }
    rig.refuses(&order(3), R::LossStrategy);
    rig
}

#[test]
fn a_clock_that_nobody_vouches_for_begins_no_day() {
    for mark_age_max in [Nanos(0), Nanos::SECOND] {
        for wild in [TOMORROW, UnixNanos(u64::MAX)] {
            let mut rig = lost(mark_age_max);
            assert_eq!(rig.gate.pass_time(wild), NOW, "the last one that was believed");
            assert_eq!(rig.gate.reserve(&order(3), wild).1, None);
            assert_eq!(rig.gate.replace(9, &order(3), wild).1, None);
            rig.gate.settle(OrderEvent::Cancelled { id: 1 });
            rig.refuses(&order(3), R::LossStrategy);
            let later = NOW.plus(Nanos(9));
            assert_eq!(rig.gate.pass_time(later), later, "and the gate is open to later ones");
            assert_eq!(rig.gate.check(&order(3), later).reason, Some(R::LossStrategy));
        }
    }
}

#[test]
fn a_day_begins_when_a_feed_or_the_appliance_vouches_for_it() {
    let mut by_feed = lost(Nanos(0));
    by_feed.references.heartbeat(TOMORROW);
    let mut by_appliance = lost(Nanos(0));
    by_appliance.breakers.alive(TOMORROW);
    for mut rig in [by_feed, by_appliance] {
        assert_eq!(rig.gate.pass_time(TOMORROW), TOMORROW);
        rig.references.heartbeat(TOMORROW);
        rig.publish_top(&TopOfBook { last_ts: TOMORROW, ..top() });
        assert_eq!(rig.gate.check(&order(3), TOMORROW).reason, None);
        // It does not end again.
        assert_eq!(rig.gate.pass_time(NOW), NOW);
        assert_eq!(rig.gate.check(&order(3), TOMORROW).reason, None);
    }
}

/// Where no feed and no appliance is heard of, the reference of an order's instrument vouches for its time, and what is kept is valued.
#[test]
fn a_reference_of_the_time_vouches_for_what_is_kept() {
    let mut rig = lost(Nanos::SECOND);
    rig.references.heartbeat(UnixNanos(0));
    let later = NOW.plus(Nanos(3_000_000_000));
    assert_eq!(rig.gate.reserve(&order(3), later).0.reason, Some(R::LossStrategy));
    assert_eq!(rig.gate.levels.valued(), Some(later));
    assert_eq!(rig.gate.reserve(&order(3), TOMORROW).1, None);
    assert_eq!(rig.gate.levels.valued(), Some(later));
}

#[test]
fn who_follows_a_gate_believes_the_times_that_it_noted() {
    let mut rig = lost(Nanos(0));
    rig.gate.follow_time(TOMORROW);
    let mut told = Vec::new();
    rig.gate.checkpoint(|step| told.extend(if let Step::Told(at) = step { Some(at) } else { None }));
    assert_eq!(told, [TOMORROW]);
}

/// The window is not forgotten with a cancel that comes from the future.
#[test]
fn a_cancel_at_a_wild_time_forgets_nothing_of_the_window() {
    let two = ActivityLimits { messages: 2, ..ActivityLimits::NONE };
    let none = ActivityLimits::NONE;
    let mut rig =
        Rig::with(&GateConfig { window: Nanos::SECOND, strategy_activity: &[none, two], ..CONFIG }, false);
    rig.take(&OrderIntent { qty: Qty(1), ..order(1) });
    let at = rig.gate.pass_time(TOMORROW);
    rig.gate.cancel(1, at);
    rig.refuses(&OrderIntent { qty: Qty(1), ..order(2) }, R::MessagesStrategy);
}

/// What is held of before the day counts from the close of the day before, and from no other.
#[test]
fn a_settlement_price_of_another_day_hides_no_loss_and_invents_none() {
    // The date of NOW.
    let today = 19_675;
    for (date, reason) in [
        (today - 1, None),
        (today - 4, None),
        (today - 5, Some(R::LossUnknown)),
        (today, Some(R::LossUnknown)),
        (today + 1, Some(R::LossUnknown)),
        (u32::MAX, Some(R::LossUnknown)),
        (0, Some(R::LossUnknown)),
    ] {
        let money = Some(MoneyRules { rate_age_max: Nanos(1), undeclared_is_plain: true });
        let config =
            GateConfig { strategy_loss: &[u64::MAX, 1], profit: Some(ProfitRules::DEFAULT), money, ..CONFIG };
        let mut rig = Rig::with(&config, false);
        let terms = InstrumentTerms {
            settlement: px("1.00"),
            settlement_date: TradeDate(date),
            ..InstrumentTerms::PLAIN
        };
        TermsWriter::of(&rig.gate.tables.references).define(INSTRUMENT, &terms).unwrap();
        rig.hold(40);
        assert_eq!(rig.check(&order(1)).reason, reason, "{date}");
        rig.accepts(&OrderIntent { qty: Qty(40), ..sell(1) });
        // What was bought and sold within the day needs none; what has no mark but the close does.
        rig.hold(0);
        rig.accepts(&order(1));
    }
}

#[test]
fn the_date_of_a_day_is_that_of_its_middle() {
    let hours = |day_start: u64, at: u64| {
        let rules = ProfitRules { day_start: Nanos(day_start * HOUR), ..ProfitRules::DEFAULT };
        rules.trade_date(UnixNanos(at * HOUR)).0
    };
    let days = 20_000;
    for (day_start, at, date) in [
        (0, 0, days),
        (0, 23, days),
        (11, 10, days - 1),
        (11, 11, days),
        (12, 11, days),
        (12, 12, days + 1),
        (22, 21, days),
        (22, 22, days + 1),
    ] {
        assert_eq!(hours(day_start, 24 * u64::from(days) + at), date, "{day_start} {at}");
    }
    let rules = ProfitRules { settlement_age_max_days: 1, ..ProfitRules::DEFAULT };
    let at = UnixNanos(24 * HOUR * u64::from(days));
    assert_eq!(
        [days - 2, days - 1, days].map(|date| rules.settles(TradeDate(date), at)),
        [false, true, false]
    );
    assert!(!rules.settles(TradeDate::NONE, UnixNanos(24 * HOUR)), "the first of January 1970 is no day");
}

/// A strategy that may lose 100, and has bought 50 at 100.00 in execution 7 of order 1; what it is judged at is `judged`.
fn bought(judged: &str, executed: Option<&str>) -> Rig {
    let config =
        GateConfig { strategy_loss: &[u64::MAX, 100_000_000], profit: Some(ProfitRules::DEFAULT), ..CONFIG };
    let mut rig = Rig::with(&config, false);
    rig.references.heartbeat(NOW);
    let (id, execution, qty) = (1, 7, Qty(50));
    rig.take(&OrderIntent { qty, px: px(judged), ..order(id) });
    rig.gate.settle(match executed {
        Some(at) => OrderEvent::ExecutedAt { id, execution, qty, px: px(at) },
        None => OrderEvent::Executed { id, execution, qty },
    });
    rig
}

/// The loss in millionths, by the limit that it reaches; none when nobody knows.
fn lost_micros(rig: &mut Rig) -> Option<i64> {
    let position = rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().position;
    // A person has looked at the position, not at the price.
    rig.hold(position);
    let explained = rig.gate.explain(&OrderIntent { qty: Qty(400), ..order(9) }, NOW);
    let of = |reason| explained.breaches().find(|breach| breach.reason == reason).map(|breach| breach.value);
    if of(R::LossUnknown).is_some() { None } else { Some(of(R::LossStrategy).unwrap_or(0)) }
}

/// Bought at 100.00 and sold at 95.00: a loss of 250. Taking the purchase back at the 100.02 that it was judged by would leave one
/// of 249, and so on for every bust.
#[test]
fn a_trade_that_is_taken_back_is_undone_at_the_price_at_which_it_counted() {
    for (judged, executed) in [("100.02", Some("100.00")), ("100.00", None), ("100.02", Some("98.00"))] {
        let at = px(executed.unwrap_or(judged)).0;
        let mut rig = bought(judged, executed);
        rig.take(&OrderIntent { qty: Qty(50), ..sell(2) });
        let sold = OrderEvent::ExecutedAt { id: 2, execution: 8, qty: Qty(50), px: px("95.00") };
        rig.gate.settle(sold);
        let lost = 50 * (at - px("95.00").0) / 1_000;
        assert_eq!(lost_micros(&mut rig), Some(lost), "{executed:?}");
        // Short 50 at 95.00, marked at 100.01.
        rig.gate.settle(OrderEvent::BustedExecution { id: 1, execution: 7, qty: Qty(50) });
        assert_eq!(
            lost_micros(&mut rig),
            Some(50 * (px("100.01").0 - px("95.00").0) / 1_000),
            "{executed:?}"
        );
        rig.gate.settle(OrderEvent::BustedExecution { id: 2, execution: 8, qty: Qty(50) });
        assert_eq!(lost_micros(&mut rig), Some(0), "as if nothing had been traded");
    }
}

/// The steps of a gate, taken by another one.
fn again(rig: &Rig, config: &GateConfig<'_>) -> Gate {
    let mut steps = Vec::new();
    rig.gate.checkpoint(|step| steps.push(step.pack()));
    let mut gate = Gate::new(config, rig.gate.tables.clone()).unwrap();
    steps.into_iter().for_each(|words| gate.restore(&Step::unpack(words).unwrap()).unwrap());
    gate
}

#[test]
fn a_bust_of_what_nobody_remembers_leaves_a_loss_that_nobody_knows_until_the_day_is_over() {
    let config =
        GateConfig { strategy_loss: &[u64::MAX, 100_000_000], profit: Some(ProfitRules::DEFAULT), ..CONFIG };
    let (id, qty) = (1, Qty(50));
    for bust in [
        OrderEvent::Busted { id, qty },
        OrderEvent::BustedExecution { id, execution: 9, qty },
        OrderEvent::BustedExecution { id, execution: 7, qty: Qty(51) },
    ] {
        let mut rig = bought("100.00", Some("100.00"));
        assert_eq!(lost_micros(&mut rig), Some(0));
        rig.gate.settle(bust);
        assert_eq!(lost_micros(&mut rig), None, "{bust:?}");
        rig.gate = again(&rig, &config);
        assert_eq!(lost_micros(&mut rig), None, "a restart does not know it either");
        rig.hold(1);
        rig.take(&OrderIntent { qty: Qty(1), ..sell(3) });
        rig.gate.settle(OrderEvent::ExecutedAt { id: 3, execution: 3, qty: Qty(1), px: px("100.02") });
        assert_eq!(lost_micros(&mut rig), None, "and nothing that comes after makes it known");
        rig.hold(0);
        rig.references.heartbeat(TOMORROW);
        rig.publish_top(&TopOfBook { last_ts: TOMORROW, ..top() });
        rig.gate.pass_time(TOMORROW);
        assert_eq!(rig.gate.check(&order(9), TOMORROW).reason, None, "the next day knows all of its own");
    }
    // A doubt that moves nothing says nothing of a loss.
    let mut rig = bought("100.00", Some("100.00"));
    rig.gate.settle(OrderEvent::Busted { id, qty: Qty(0) });
    assert_eq!(lost_micros(&mut rig), Some(0));
}

#[test]
fn what_an_execution_counted_for_outlives_a_restart_and_what_was_never_kept_is_not_known() {
    let config =
        GateConfig { strategy_loss: &[u64::MAX, 100_000_000], profit: Some(ProfitRules::DEFAULT), ..CONFIG };
    let mut rig = bought("100.02", Some("98.00"));
    rig.gate = again(&rig, &config);
    rig.gate.settle(OrderEvent::BustedExecution { id: 1, execution: 7, qty: Qty(50) });
    assert_eq!(lost_micros(&mut rig), Some(0));
    // As it was written before.
    let mut rig = bought("100.02", Some("98.00"));
    let step = Step::unpack([9, 77, 0, 0, 0, 0, 0, 0]).unwrap();
    rig.gate.restore(&step).unwrap();
    let executed = OrderEvent::Executed { id: 1, execution: 77, qty: Qty(1) };
    assert_eq!(rig.gate.settle(executed), crate::Settlement::Repeated);
    rig.gate.settle(OrderEvent::BustedExecution { id: 1, execution: 77, qty: Qty(1) });
    assert_eq!(lost_micros(&mut rig), None);
}
