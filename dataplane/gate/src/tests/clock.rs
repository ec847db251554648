//! Clocks that are set, and what was seen by them.

use super::*;
use crate::{OrderEvent, Step, rebase};
use std::vec::Vec;

const YEAR: u64 = 365 * 86_400 * Nanos::SECOND.0;

fn at(seconds: u64) -> UnixNanos {
    NOW.plus(Nanos(seconds * Nanos::SECOND.0))
}

/// What an order of `qty` is told.
fn asked(rig: &mut Rig, id: u64, qty: u32, now: UnixNanos) -> Option<RejectReason> {
    let wanted = OrderIntent { qty: Qty(qty), ..order(id) };
    let explained = rig.gate.explain(&wanted, now).verdict.reason;
    assert_eq!(rig.gate.check(&wanted, now).reason, explained);
    let (verdict, reservation) = rig.gate.reserve(&wanted, now);
    assert_eq!((verdict.reason, reservation.is_none()), (explained, explained.is_some()), "{verdict}");
    explained
}

#[test]
fn what_was_too_old_gets_no_younger_by_a_clock_that_is_set_back() {
    let mut rig = Rig::new();
    rig.references.heartbeat(NOW);
    assert_eq!(asked(&mut rig, 1, 100, NOW), None);
    // The feed dies.
    for seconds in [6, 60, 1_800, 3_600] {
        assert_eq!(asked(&mut rig, 2, 100, at(seconds)), Some(RejectReason::RefStale));
    }
    // Set back by an hour: the lease would hold, and the quotes would be young.
    assert_eq!(asked(&mut rig, 3, 500, at(0).plus(Nanos(500_000_000))), Some(RejectReason::ClockBad));
    assert_eq!(asked(&mut rig, 3, 100, at(4)), Some(RejectReason::ClockBad));
    assert_eq!(rig.gate.replace(1, &order(3), at(4)).0.reason, Some(RejectReason::ClockBad));
    // The feed is back, by the clock that now is.
    rig.references.heartbeat(at(5));
    rig.publish_live(&LIVE, Tier::Normal, at(5));
    assert_eq!(asked(&mut rig, 3, 500, at(5)), None);
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(50), ..order(4) }, at(6)).0.accepted());
}

#[test]
fn one_reading_that_is_wrong_closes_nothing_and_two_no_longer_than_to_the_next_heartbeat() {
    let mut rig = Rig::new();
    rig.references.heartbeat(NOW);
    let wrong = NOW.plus(Nanos(YEAR));
    assert_eq!(asked(&mut rig, 1, 100, wrong), Some(RejectReason::RefStale));
    assert_eq!(asked(&mut rig, 1, 100, at(0)), None);
    assert_eq!(asked(&mut rig, 2, 100, wrong), Some(RejectReason::RefStale));
    assert_eq!(asked(&mut rig, 2, 100, wrong.plus(Nanos(1))), Some(RejectReason::RefStale));
    assert_eq!(asked(&mut rig, 2, 100, at(1)), Some(RejectReason::ClockBad));
    rig.references.heartbeat(at(1));
    rig.publish_live(&LIVE, Tier::Normal, at(1));
    assert_eq!(asked(&mut rig, 2, 100, at(1)), None);
    // What was vouched for stays.
    assert_eq!(asked(&mut rig, 3, 100, at(0)), Some(RejectReason::ClockBad));
}

/// A gate whose clock was four years ahead, with one order that left by it.
fn ahead() -> Vec<Step> {
    let (wrong, mut rig) = (NOW.plus(Nanos(4 * YEAR)), Rig::new());
    rig.publish_top(&TopOfBook { ts: wrong, last_ts: wrong, ..top() });
    rig.publish_live(&LIVE, Tier::Normal, wrong);
    for id in 1..=4 {
        assert_eq!(asked(&mut rig, id, 100, wrong), None);
        rig.gate.settle(OrderEvent::Executed { id, execution: id, qty: Qty(100) });
    }
    let mut steps = Vec::new();
    rig.gate.checkpoint(|step| steps.push(step));
    steps
}

#[test]
fn a_clock_that_was_years_ahead_closes_nothing_after_it_is_set_right() {
    let mut steps = ahead();
    assert_eq!(rebase(&mut steps, NOW), 4 * YEAR);
    assert_eq!(rebase(&mut steps, NOW), 0, "once");
    let mut rig = Rig::new();
    steps.iter().for_each(|step| rig.gate.restore(step).unwrap());
    assert_eq!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().position, 400, "what was held stays");
    // Ten a second, four at once: a second on no more is left of that than there may be.
    assert_eq!(rig.gate.check(&order(9), NOW).reason, Some(RejectReason::Rate));
    assert_eq!(asked(&mut rig, 9, 100, NOW.plus(Nanos(800_000_000))), None);
    assert!(rig.gate.reserve(&sell(10), NOW.plus(Nanos(900_000_000))).0.accepted(), "and to close");
}

#[test]
fn a_clock_that_is_right_changes_no_step() {
    let steps = ahead();
    let mut same = steps.clone();
    assert_eq!(rebase(&mut same, NOW.plus(Nanos(4 * YEAR))), 0);
    assert_eq!(same, steps);
}

#[test]
fn the_same_reading_twice_is_one_reading() {
    let mut rig = Rig::new();
    rig.references.heartbeat(NOW);
    for _ in 0..2 {
        assert_eq!(asked(&mut rig, 1, 100, NOW.plus(Nanos(YEAR))), Some(RejectReason::RefStale));
    }
    assert_eq!(asked(&mut rig, 1, 100, at(0)), None);
}
