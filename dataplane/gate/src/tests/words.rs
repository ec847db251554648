//! What the gate says of itself and of what it cannot do, and what it keeps in words and takes back.

use super::*;
use crate::{
    Booked, Doer, Flags, KeptOrder, Lease, LimitRecord, LimitsSource, OrderEvent, OutOfMemory, OverlayError,
    Parameter, RestoreError, RoundedValue, Sent, Step, TableError, TableSizeError, TermsError,
    UnknownInstrument, UnknownRow,
};
use std::{format, string::ToString as _, vec, vec::Vec};

#[test]
fn an_error_says_what_was_found_and_what_was_wanted() {
    let (size, room) = (TableSizeError { instruments: 0, classes: 7 }, OutOfMemory { wanted: 96, found: 64 });
    let said: Vec<(&dyn core::fmt::Display, &str)> = vec![
        (&size, "a table of 0 instruments by 7 classes, must have 1 to 16777216 rows"),
        (&room, "96 bytes for a table, found room for 64"),
        (&UnknownInstrument(InstrumentId(9)), "no reference row for instrument 9"),
        (
            &UnknownRow { instrument: InstrumentId(9), class: ClassId(4) },
            "no limit row for instrument 9, class 4",
        ),
        (
            &OverlayError { tier: Tier::High, parameter: Parameter::Collar },
            "overlay high: collar_bps is looser than in the tier below",
        ),
        (&TermsError::Unknown(UnknownInstrument(InstrumentId(8))), "no reference row for instrument 8"),
        (&RestoreError::Full, "more open orders than the gate has room for"),
        (&RestoreError::Unknown, "an instrument, strategy or account that the gate does not have"),
        (&RestoreError::Id(5), "order 5 is 0 or comes twice"),
        (&RestoreError::Replaced(6), "order 6 is replaced and does not work"),
        (&RestoreError::Price(7), "order 7 has a price that its instrument cannot have"),
    ];
    for (error, text) in said {
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(TableError::from(size).to_string(), size.to_string());
    assert_eq!(TableError::from(room).to_string(), room.to_string());
    assert!(TermsError::OtherKind(InstrumentId(3)).to_string().starts_with("instrument 3 has a price: "));
    assert_eq!(format!("{:>9}|{:<10}|", RejectReason::Rate, RejectReason::Value), "     RATE|VALUE     |");
}

#[test]
fn a_breaker_is_told_as_it_stands_and_one_of_nobody_is_none() {
    let mut rig = Rig::new();
    assert_eq!(rig.gate.breaker(BreakerKey::Firm), Some(OPEN));
    let key = BreakerKey::Instrument(INSTRUMENT);
    rig.set(key, BreakerState::Tripped);
    assert_eq!(rig.gate.breaker(key), Some(breaker(BreakerState::Tripped)));
    assert_eq!(rig.gate.breaker(BreakerKey::Instrument(InstrumentId(INSTRUMENTS as u32))), None);
}

#[test]
fn an_order_and_a_replacement_under_way_are_open_until_they_are_over() {
    let mut rig = Rig::new();
    assert!(!rig.gate.is_open(1));
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).1.is_some());
    assert!(rig.gate.is_open(1) && rig.gate.is_open(2));
    rig.gate.settle(OrderEvent::Replaced { id: 2 });
    assert!(!rig.gate.is_open(1) && rig.gate.is_open(2));
    rig.gate.settle(OrderEvent::Cancelled { id: 2 });
    assert!(!rig.gate.is_open(2));
}

#[test]
fn a_verdict_of_every_kind_survives_its_words_and_says_what_it_is() {
    let verdict = Verdict { version: 7, ..Rig::new().accepts(&order(1)) };
    assert_eq!((verdict.to_string().as_str(), verdict.reason), ("accept", None));
    for decision in [Decision::Accept, Decision::Flag, Decision::Reject] {
        let verdict = Verdict { decision, ..verdict };
        assert_eq!(Verdict::unpack(verdict.pack()), Some(verdict));
        assert_eq!(verdict.to_string(), decision.as_str());
    }
    for source in [
        LimitsSource::None,
        LimitsSource::Dynamic,
        LimitsSource::Static,
        LimitsSource::StaticEmpty,
        LimitsSource::StaticLease,
    ] {
        let verdict = Verdict { source, ..verdict };
        assert_eq!(Verdict::unpack(verdict.pack()), Some(verdict));
    }
    for flags in [Flags::NONE, Flags::TIER, Flags::NEAR_LIMIT, Flags::WALKS_BOOK] {
        let verdict = Verdict { flags, ..verdict };
        assert_eq!(Verdict::unpack(verdict.pack()), Some(verdict));
    }
    let refused = Rig::new().refuses(&OrderIntent { qty: Qty(501), ..order(1) }, RejectReason::QtyDynamic);
    assert_eq!(refused.to_string(), "QTY_DYNAMIC: The quantity 501 is above the live limit of 500.");
}

/// The smallest and the largest of every limit has room in its record.
#[test]
fn the_ends_of_every_limit_survive_a_record() {
    for largest in [false, true] {
        let end = |p: Parameter| if largest { p.bounds().1 } else { p.bounds().0 };
        let limits = Parameter::ALL.into_iter().fold(LIVE, |l, p| l.with(p, end(p)).expect("in bounds"));
        let Terms { tier, score, lease, version, cause } = terms(Tier::High);
        let record = LimitRecord { limits, tier, score, lease: Lease::new(NOW, lease), version, cause };
        assert_eq!(LimitRecord::unpack(record.pack(3)), record);
    }
}

const AT: UnixNanos = UnixNanos(31);
/// The numbers of these stand nowhere else in the steps below.
const NAMES: (InstrumentId, StrategyId, AccountId) = (InstrumentId(21), StrategyId(22), AccountId(23));

/// Steps of orders of every type and time in force.
fn steps_of_orders() -> Vec<Step> {
    let types = [
        (OrderType::Limit, TimeInForce::Day),
        (OrderType::Limit, TimeInForce::Ioc),
        (OrderType::Market, TimeInForce::Gtc),
    ];
    let (instrument, strategy, account) = NAMES;
    let orders = types.map(|(order_type, tif)| OrderIntent {
        instrument,
        strategy,
        account,
        order_type,
        tif,
        ..sell(11)
    });
    let sent = |order| Sent { order, judged_px: 32, interval_ns: 33, value: RoundedValue(34), at: AT };
    orders
        .into_iter()
        .flat_map(|order| {
            let replaced = Step::Replaced { replaced: 12, sent: sent(order) };
            [Step::Sent(sent(order)), replaced, Step::Asked { order, at: AT }]
        })
        .collect()
}

/// Steps of every event.
fn steps_of_events() -> Vec<Step> {
    let (id, qty, execution) = (41, Qty(42), 43);
    let events = [
        OrderEvent::Accepted { id },
        OrderEvent::Filled { id, qty },
        OrderEvent::Executed { id, execution, qty },
        OrderEvent::Busted { id, qty },
        OrderEvent::Reduced { id, qty },
        OrderEvent::Cancelled { id },
        OrderEvent::Rejected { id },
        OrderEvent::Replaced { id },
        OrderEvent::ReplaceRejected { id },
        OrderEvent::ExecutedAt { id, execution, qty, px: px("-7.00") },
        OrderEvent::BustedExecution { id, execution, qty },
        OrderEvent::ReducedTo { id, qty },
    ];
    events.map(Step::Settled).into()
}

/// Steps of every kind that says what is held or counted.
fn steps_of_state() -> Vec<Step> {
    let (instrument, strategy, account) = NAMES;
    let (side, at) = (Side::Ask, AT);
    let kept = |life| KeptOrder {
        id: 51,
        instrument,
        strategy,
        account,
        side,
        life,
        px: 52,
        link: 53,
        qty: 54,
        executed: 55,
        pending_qty: 56,
    };
    let booked = Booked { px: px("7.00"), order: 61, qty: 62, left: 63 };
    let mut steps: Vec<Step> = [0, 1, 2, 3].map(kept).map(Step::Order).into();
    for doer in [Doer::Strategy(strategy), Doer::Account(account)] {
        steps.push(Step::Did { doer, kind: 4, sum: 71, at });
        steps.push(Step::Tallied { doer, instrument, traded: -72, cash: -(1 << 90), volume: 73, at });
    }
    for side in [Side::Bid, Side::Ask] {
        steps.push(Step::Streak { instrument, strategy, side, window: 81, counts: [82, 83] });
    }
    steps.extend([
        Step::Positioned { instrument, strategy, account, position: -91 },
        Step::Holds { instrument, strategy, position: -92, due: 1 << 63 | 93 },
        Step::AccountHolds { instrument, account, position: -94 },
        Step::Due { strategy, due: UnixNanos(95), at },
        Step::Execution { execution: 64, booked },
        Step::CancelSent { id: 65, at },
        Step::Counted(at),
        Step::Told(at),
        Step::Stopped { strategy, count: 96 },
        Step::StopTaken { strategy, count: 97 },
        Step::Astray { instrument, strategy, below: 98, above: 99 },
    ]);
    steps
}

fn steps() -> impl Iterator<Item = Step> {
    steps_of_orders().into_iter().chain(steps_of_events()).chain(steps_of_state())
}

#[test]
fn a_step_of_every_kind_survives_its_words() {
    for step in steps() {
        assert_eq!(Step::unpack(step.pack()), Some(step));
    }
}

#[test]
fn a_kind_that_nobody_counts_is_no_step() {
    for doer in [Doer::Strategy(STRATEGY), Doer::Account(ACCOUNT)] {
        let step = |kind| Step::Did { doer, kind, sum: 1, at: AT };
        assert_eq!([4, 5, 255].map(|kind| Step::unpack(step(kind).pack())), [Some(step(4)), None, None]);
    }
}

#[test]
fn whoever_lists_the_names_anew_reaches_each_that_a_step_has() {
    for mut step in steps() {
        let before = format!("{step:?}");
        let (instrument, strategy, account) = step.names_mut();
        let named = (instrument.is_some(), strategy.is_some(), account.is_some());
        if let Some(instrument) = instrument {
            *instrument = InstrumentId(1_021);
        }
        if let Some(strategy) = strategy {
            *strategy = StrategyId(1_022);
        }
        if let Some(account) = account {
            *account = AccountId(1_023);
        }
        let wanted = before
            .replace("InstrumentId(21)", "InstrumentId(1021)")
            .replace("StrategyId(22)", "StrategyId(1022)")
            .replace("AccountId(23)", "AccountId(1023)");
        assert_eq!(format!("{step:?}"), wanted);
        let holds = |text: &str| before.contains(text);
        assert_eq!(named, (holds("InstrumentId"), holds("StrategyId"), holds("AccountId")), "{before}");
    }
}

/// A cancel counts into the window of who sent it, after a restart too.
#[test]
fn a_cancel_that_was_sent_counts_again_where_the_steps_are_taken() {
    let most = crate::ActivityLimits { cancels: 0, ..crate::ActivityLimits::NONE };
    let config = GateConfig { window: Nanos::SECOND, strategy_activity: &[most; 2], ..CONFIG };
    let mut rig = Rig::with(&config, true);
    let reservation = rig.gate.reserve(&order(1), NOW).1.expect("let through");
    let mut again = Rig::with(&config, true);
    again.gate.restore(&Step::Sent(reservation.sent(&order(1), NOW))).expect("a step");
    again.accepts(&order(2));
    again.gate.restore(&Step::CancelSent { id: 1, at: NOW }).expect("a step");
    again.refuses(&order(2), RejectReason::CancelsStrategy);
}
