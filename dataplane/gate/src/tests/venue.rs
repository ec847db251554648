//! What the venue says is believed once; and a replacement is held to what it can do.

use super::*;
use crate::{Exposure, OrderEvent as E, RejectReason as R, Reservation, Settlement as S};

fn exposure(rig: &Rig) -> (i64, u64, u64) {
    let Exposure { position, working_buy, working_sell, .. } =
        rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap();
    (position, working_buy, working_sell)
}

/// Growth is refused in the cell of the tests, reduction is not, and a position set by a person ends it.
#[track_caller]
fn refuses_growth(rig: &mut Rig) {
    rig.hold(200);
    rig.gate.settle(E::Filled { id: u64::MAX, qty: Qty(1) });
    rig.refuses(&order(90), R::Unreconciled);
    rig.accepts(&OrderIntent { qty: Qty(199), ..sell(90) });
    rig.refuses(&OrderIntent { qty: Qty(200), ..sell(90) }, R::Unreconciled);
    rig.hold(200);
    rig.accepts(&order(90));
}

#[test]
fn after_a_fill_of_an_unknown_order_no_position_grows_until_a_person_has_set_it() {
    let mut rig = Rig::new();
    assert_eq!(rig.gate.settle(E::Cancelled { id: 77 }), S::UnknownOrder);
    rig.accepts(&order(1));
    assert_eq!(rig.gate.settle(E::Filled { id: 77, qty: Qty(1_000_000) }), S::UnknownOrder);
    let verdict = rig.refuses(&order(1), R::Unreconciled);
    assert_eq!((verdict.limit, verdict.value), (0, 0));
    rig.publish_static(&envelope(), &static_terms());
    rig.statics.publish(INSTRUMENT, ClassId(0), &envelope(), &static_terms(), NOW).unwrap();
    let elsewhere = OrderIntent { strategy: StrategyId(0), px: px("99.99"), ..order(1) };
    assert_eq!(rig.check(&elsewhere).reason, Some(R::Unreconciled), "nobody can say whose it was");
    refuses_growth(&mut rig);
    assert_eq!(rig.check(&elsewhere).reason, Some(R::Unreconciled), "each position is set by itself");
}

#[test]
fn a_fill_under_the_id_of_a_replaced_order_counts_into_its_replacement() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).0.accepted());
    rig.gate.settle(E::Replaced { id: 2 });
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(10) }), S::Misnamed);
    assert_eq!(exposure(&rig), (10, 140, 0));
    assert_eq!(rig.check(&order(3)).reason, Some(R::Unreconciled));
    assert_eq!(rig.gate.settle(E::Filled { id: 2, qty: Qty(140) }), S::Done);
    assert_eq!((exposure(&rig), rig.gate.open_order_count()), ((150, 0, 0), 0));
    // Its replacement is done: only the position is left to move.
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(5) }), S::Misnamed);
    assert_eq!(exposure(&rig), (155, 0, 0));
}

#[test]
fn a_misnamed_fill_is_followed_through_replacements_of_replacements() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    for id in 2..=4 {
        let now = NOW.plus(Nanos(id * 200_000_000));
        let (verdict, _) = rig.gate.replace(id - 1, &order(id), now);
        assert!(verdict.accepted(), "{verdict}");
        rig.gate.settle(E::Replaced { id });
    }
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(30) }), S::Misnamed);
    assert_eq!(exposure(&rig), (30, 70, 0));
}

#[test]
fn an_execution_counts_once_however_often_it_is_said() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let execution = |execution, qty| E::Executed { id: 1, execution, qty: Qty(qty) };
    assert_eq!(rig.gate.settle(execution(7, 30)), S::Working);
    assert_eq!(rig.gate.settle(execution(7, 30)), S::Repeated);
    assert_eq!(exposure(&rig), (30, 70, 0));
    assert_eq!(rig.gate.settle(execution(8, 70)), S::Done);
    assert_eq!(rig.gate.settle(execution(8, 70)), S::Repeated);
    assert_eq!(rig.gate.settle(execution(9, 1)), S::Overfill, "it had a hundred");
    assert_eq!(exposure(&rig), (101, 0, 0));
    assert_eq!(rig.check(&order(2)).reason, Some(R::Unreconciled));
}

/// What the venue says of an order of 100, of its replacement by one of 300 where there is one, and how much is held then. The books
/// differ after each.
#[test]
fn what_cannot_be_leaves_the_books_in_doubt() {
    let exec = |id, execution, qty| E::Executed { id, execution, qty: Qty(qty) };
    let (cancelled, accepted) = (E::Cancelled { id: 1 }, E::Accepted { id: 1 });
    let (refused, replaced) = (E::ReplaceRejected { id: 2 }, E::Replaced { id: 2 });
    for (renewed, events, last, held) in [
        (false, &[exec(1, 1, 100), exec(1, 2, 1)][..], S::Overfill, 101),
        (false, &[exec(1, 1, 60), cancelled, exec(1, 2, 100)], S::Overfill, 160),
        (false, &[E::Rejected { id: 1 }, accepted], S::Contradicted, 0),
        (false, &[E::Rejected { id: 1 }, exec(1, 1, 100)], S::Contradicted, 100),
        (false, &[E::Rejected { id: 1 }, E::Reduced { id: 1, qty: Qty(1) }], S::Contradicted, 0),
        (false, &[exec(1, 1, 10), exec(1, 1, 11)], S::Contradicted, 10),
        (false, &[E::Accepted { id: 99 }], S::UnknownOrder, 0),
        (false, &[E::Replaced { id: 99 }], S::UnknownOrder, 0),
        (true, &[exec(1, 1, 250), refused], S::Contradicted, 250),
        (true, &[exec(2, 1, 50), refused], S::Contradicted, 50),
        (true, &[refused, replaced], S::Contradicted, 0),
        (true, &[refused, exec(2, 1, 5)], S::Contradicted, 5),
    ] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        if renewed {
            assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(300), ..order(2) }, NOW).1.is_some());
        }
        let in_doubt = |rig: &Rig| rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt;
        let settled: std::vec::Vec<_> = events
            .iter()
            .map(|event| {
                assert!(!in_doubt(&rig), "{events:?}");
                rig.gate.settle(*event)
            })
            .collect();
        assert_eq!((settled.last(), exposure(&rig).0), (Some(&last), held), "{events:?}");
        assert!(in_doubt(&rig), "{events:?}");
    }
}

/// A venue and a firm whose words cross say nothing that cannot be.
#[test]
fn what_crosses_on_its_way_leaves_no_doubt() {
    let exec = |id, execution, qty| E::Executed { id, execution, qty: Qty(qty) };
    let (cancelled, accepted) = (E::Cancelled { id: 1 }, E::Accepted { id: 1 });
    for (events, last) in [
        (&[exec(1, 1, 60), cancelled, exec(1, 2, 40)][..], S::LateFill),
        (&[cancelled, exec(1, 2, 60), exec(1, 3, 40)], S::LateFill),
        (&[exec(1, 1, 100), accepted], S::Ignored),
        (&[cancelled, accepted], S::Ignored),
        (&[E::Rejected { id: 1 }, cancelled], S::Ignored),
        (&[exec(1, 1, 100), exec(1, 1, 100)], S::Repeated),
    ] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        let settled: std::vec::Vec<_> = events.iter().map(|event| rig.gate.settle(*event)).collect();
        assert_eq!(settled.last(), Some(&last), "{events:?}");
        assert!(!rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt, "{events:?}");
    }
    // Told again under the name that the order has meanwhile.
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.gate.settle(exec(1, 7, 10));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).1.is_some());
    for answered in [false, true] {
        if answered {
            rig.gate.settle(E::Replaced { id: 2 });
        }
        assert_eq!(rig.gate.settle(exec(2, 7, 10)), S::Repeated);
    }
    rig.accepts(&order(3));
}

#[test]
fn one_number_of_two_executions_is_a_doubt() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.take(&OrderIntent { qty: Qty(50), ..order(2) });
    rig.gate.settle(E::Executed { id: 1, execution: 5, qty: Qty(10) });
    assert_eq!(rig.gate.settle(E::Executed { id: 2, execution: 5, qty: Qty(10) }), S::Contradicted);
    assert_eq!(exposure(&rig), (10, 140, 0));
    assert_eq!(rig.check(&order(3)).reason, Some(R::Unreconciled));
}

/// An order that works for long keeps its executions, however many others there are meanwhile.
#[test]
fn an_execution_of_an_order_that_works_is_not_forgotten() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.gate.settle(E::Executed { id: 1, execution: 1_000, qty: Qty(10) });
    for id in 2..200 {
        let now = NOW.plus(Nanos(id * 200_000_000));
        rig.publish_live(&LIVE, Tier::Normal, now);
        rig.references.heartbeat(now);
        let small = OrderIntent { qty: Qty(1), ..if id % 2 == 0 { order(id) } else { sell(id) } };
        let (verdict, reservation) = rig.gate.reserve(&small, now);
        assert!(reservation.is_some(), "{verdict}");
        rig.gate.settle(E::Executed { id, execution: id, qty: Qty(1) });
    }
    assert_eq!(exposure(&rig), (10, 90, 0));
    assert_eq!(rig.gate.settle(E::Executed { id: 1, execution: 1_000, qty: Qty(10) }), S::Repeated);
    // One whose executions are more than there is room for is in doubt instead.
    for execution in 2_000..2_024 {
        assert!(!rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt, "{execution}");
        rig.gate.settle(E::Executed { id: 1, execution, qty: Qty(1) });
    }
    rig.gate.settle(E::Executed { id: 1, execution: 3_000, qty: Qty(1) });
    assert!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt);
}

#[test]
fn a_reduction_that_the_venue_tells_twice_is_taken_once() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let to = |id, qty| E::ReducedTo { id, qty: Qty(qty) };
    for _ in 0..2 {
        assert_eq!(rig.gate.settle(to(1, 60)), S::Working);
        assert_eq!(exposure(&rig), (0, 60, 0));
    }
    rig.gate.settle(E::Executed { id: 1, execution: 7, qty: Qty(20) });
    assert_eq!(rig.gate.settle(to(1, 60)), S::Working, "as it was before the trade");
    assert_eq!(exposure(&rig), (20, 40, 0));
    assert_eq!(rig.gate.settle(to(1, 70)), S::Working, "no order becomes larger by it");
    assert_eq!(exposure(&rig), (20, 40, 0));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).0.accepted());
    for _ in 0..2 {
        assert_eq!(rig.gate.settle(to(2, 110)), S::Working, "of a replacement that waits for its answer");
        assert_eq!(exposure(&rig), (20, 90, 0));
    }
    assert_eq!(rig.gate.settle(to(1, 20)), S::Working, "the replacement still counts");
    assert_eq!(exposure(&rig), (20, 90, 0));
    rig.gate.settle(E::ReplaceRejected { id: 2 });
    assert_eq!((exposure(&rig), rig.gate.open_order_count()), ((20, 0, 0), 0));
    assert_eq!(rig.gate.settle(to(1, 5)), S::Ignored, "it is done");
    // One of which nothing is left is done.
    rig.take(&order(3));
    assert_eq!(rig.gate.settle(to(3, 0)), S::Done);
    assert_eq!(exposure(&rig), (20, 0, 0));
    // What it was reduced to is all that it may trade, also late.
    rig.take(&order(4));
    rig.gate.settle(E::Executed { id: 4, execution: 8, qty: Qty(50) });
    assert_eq!(rig.gate.settle(to(4, 50)), S::Done);
    assert_eq!(rig.gate.settle(E::Executed { id: 4, execution: 9, qty: Qty(50) }), S::Overfill);
    assert!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt);
}

proptest::proptest! {
    /// Whatever order trades and reductions come in, and however often each is told: what is left is the least that was said of the
    /// whole, less what was traded.
    #[test]
    fn reductions_and_trades_mean_the_same_in_any_order_and_number(
        words in proptest::collection::vec((0_u8..2, 1_u64..6, 1_u32..60, 1_usize..4), 1..12),
    ) {
        let mut rig = Rig::new();
        rig.take(&order(1));
        let (mut whole, mut traded) = (100, std::collections::BTreeMap::new());
        for (kind, execution, qty, times) in words {
            // An execution has one quantity, and no order trades more than it has.
            let worth = 3 * u32::try_from(execution).unwrap();
            let left = whole - traded.values().sum::<u32>();
            if kind == 0 && !traded.contains_key(&execution) && worth >= left {
                continue;
            }
            let said = 100 - qty;
            if kind == 1 && said <= traded.values().sum::<u32>() {
                continue;
            }
            for _ in 0..times {
                rig.gate.settle(match kind {
                    0 => E::Executed { id: 1, execution, qty: Qty(worth) },
                    _ => E::ReducedTo { id: 1, qty: Qty(said) },
                });
            }
            if kind == 0 {
                traded.insert(execution, worth);
            } else {
                whole = whole.min(said);
            }
            let sum = traded.values().sum::<u32>();
            proptest::prop_assert_eq!(exposure(&rig), (i64::from(sum), u64::from(whole - sum), 0));
        }
    }
}

#[test]
fn an_overfill_by_one_is_one() {
    for (qty, outcome, doubt) in [(100, S::Done, None), (101, S::Overfill, Some(R::Unreconciled))] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(qty) }), outcome);
        assert_eq!(exposure(&rig), (qty.into(), 0, 0));
        assert_eq!(rig.check(&order(2)).reason, doubt);
        assert_eq!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt, doubt.is_some());
        // By another reading none of it was bought.
        assert_eq!(rig.check(&sell(2)).reason, doubt);
    }
}

#[test]
fn a_trade_taken_back_moves_the_position_and_leaves_it_in_doubt() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.gate.settle(E::Filled { id: 1, qty: Qty(100) });
    assert_eq!(rig.gate.settle(E::Busted { id: 1, qty: Qty(40) }), S::Busted);
    assert_eq!(exposure(&rig), (60, 0, 0));
    assert_eq!(rig.check(&order(2)).reason, Some(R::Unreconciled));
    rig.hold(60);
    rig.take(&sell(3));
    assert_eq!(rig.gate.settle(E::Busted { id: 99, qty: Qty(1) }), S::UnknownOrder);
    assert_eq!(rig.check(&order(2)).reason, Some(R::Unreconciled));
}

#[test]
fn an_execution_is_taken_back_once_and_no_more_of_it_than_there_was() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.gate.settle(E::Executed { id: 1, execution: 7, qty: Qty(60) });
    let bust = |execution, qty| E::BustedExecution { id: 1, execution, qty: Qty(qty) };
    assert_eq!(rig.gate.settle(bust(7, 20)), S::Busted, "a part of it");
    assert_eq!(rig.gate.settle(bust(7, 40)), S::Busted);
    assert_eq!(rig.gate.settle(bust(7, 40)), S::Repeated);
    assert_eq!(exposure(&rig), (0, 40, 0));
    assert_eq!(rig.check(&order(2)).reason, Some(R::Unreconciled));
    rig.hold(0);
    assert_eq!(rig.gate.settle(bust(8, 5)), S::Contradicted, "nothing of it was traded");
    assert_eq!(exposure(&rig), (0, 40, 0));
    // Bought again, and told without a number.
    rig.hold(0);
    rig.gate.settle(E::Executed { id: 1, execution: 9, qty: Qty(40) });
    assert_eq!(rig.gate.settle(E::Busted { id: 1, qty: Qty(25) }), S::Busted);
    assert_eq!(rig.gate.settle(E::Busted { id: 1, qty: Qty(25) }), S::Busted);
    assert_eq!(exposure(&rig), (0, 0, 0), "no more than there was");
    assert_eq!(rig.gate.settle(E::Busted { id: 1, qty: Qty(25) }), S::Contradicted);
    assert_eq!(rig.check(&order(2)).reason, Some(R::Unreconciled), "which would grow");
    assert_eq!(rig.gate.settle(E::BustedExecution { id: 99, execution: 7, qty: Qty(1) }), S::UnknownOrder);
}

#[test]
fn an_order_in_doubt_still_pays_its_rate() {
    let mut rig = Rig::new();
    rig.hold(1_000);
    rig.gate.settle(E::Filled { id: 77, qty: Qty(1) });
    (1..=4).for_each(|id| rig.take(&sell(id)));
    rig.refuses(&sell(5), R::Rate);
    rig.hold(1_000);
    rig.refuses(&sell(5), R::Rate);
}

#[test]
fn a_stale_reservation_releases_nothing() {
    let mut rig = Rig::new();
    let reserve = |rig: &mut Rig, id, now| rig.gate.reserve(&order(id), now).1.expect("let through");
    let stale = reserve(&mut rig, 1, NOW);
    rig.gate.settle(E::Accepted { id: 1 });
    assert_eq!(rig.gate.release(stale), S::Ignored, "the venue has it");
    assert_eq!(exposure(&rig), (0, 100, 0));
    rig.gate.settle(E::Cancelled { id: 1 });
    let first = reserve(&mut rig, 2, NOW);
    rig.gate.settle(E::Rejected { id: 2 });
    // Eight others close, and the id is forgotten and given again.
    let mut now = NOW;
    for id in 10..18 {
        now = now.plus(Nanos(110_000_000));
        let reservation = reserve(&mut rig, id, now);
        assert_eq!(rig.gate.release(reservation), S::Done);
    }
    let second = reserve(&mut rig, 2, now);
    assert_eq!(rig.gate.release(first), S::Ignored, "it was another order's");
    assert_eq!(exposure(&rig), (0, 100, 0));
    assert_eq!(rig.gate.release(second), S::Done);
    assert_eq!(exposure(&rig), (0, 0, 0));
}

#[test]
fn a_reservation_is_kept_as_numbers_and_made_up_ones_release_nothing() {
    let mut rig = Rig::new();
    let (_, reservation) = rig.gate.reserve(&order(1), NOW);
    let ticket = reservation.expect("let through").ticket();
    for wrong in [(1, 0, false), (1, ticket.1 + 1, false), (2, ticket.1, false)] {
        assert_eq!(rig.gate.release(Reservation::of_ticket(wrong)), S::Ignored, "{wrong:?}");
    }
    assert_eq!(rig.gate.release(Reservation::of_ticket((1, ticket.1, true))), S::Ignored, "no replacement");
    assert_eq!(exposure(&rig), (0, 100, 0));
    assert_eq!(rig.gate.release(Reservation::of_ticket(ticket)), S::Done);
    assert_eq!(exposure(&rig), (0, 0, 0));
    // The venue has spoken of this one, so that no generation is its own.
    rig.take(&order(3));
    rig.gate.settle(E::Accepted { id: 3 });
    assert_eq!(rig.gate.release(Reservation::of_ticket((3, 0, false))), S::Ignored);
    assert_eq!(exposure(&rig), (0, 100, 0));
}

#[test]
fn a_stale_reservation_of_a_replacement_releases_nothing() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let (_, reservation) = rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW);
    rig.gate.settle(E::Accepted { id: 2 });
    assert_eq!(rig.gate.release(reservation.unwrap()), S::Ignored);
    assert_eq!(exposure(&rig), (0, 150, 0));
}

#[test]
fn what_the_venue_says_of_a_replacement_holds_for_the_order_that_it_replaces() {
    let fill = E::Filled { id: 2, qty: Qty(30) };
    let cases: [(E, (i64, u64, u64)); 4] = [
        (E::Accepted { id: 2 }, (0, 150, 0)),
        (fill, (30, 120, 0)),
        (E::Reduced { id: 2, qty: Qty(10) }, (0, 140, 0)),
        (E::Replaced { id: 2 }, (0, 150, 0)),
    ];
    for (event, held) in cases {
        let mut rig = Rig::new();
        let ticket = rig.gate.reserve(&order(1), NOW).1.expect("let through").ticket();
        let more = OrderIntent { qty: Qty(150), ..order(2) };
        let replacement = rig.gate.replace(1, &more, NOW).1.expect("let through").ticket();
        rig.gate.settle(event);
        let stale = [ticket, replacement, (2, ticket.1, false), (2, replacement.1, false)];
        for ticket in stale {
            assert_eq!(rig.gate.release(Reservation::of_ticket(ticket)), S::Ignored, "{event:?} {ticket:?}");
        }
        assert_eq!(exposure(&rig), held, "{event:?}");
    }
    // One that is taken back before it was sent says nothing of the order.
    let mut rig = Rig::new();
    let first = rig.gate.reserve(&order(1), NOW).1.expect("let through");
    let second = rig.gate.replace(1, &order(2), NOW).1.expect("let through");
    assert_eq!((rig.gate.release(second), rig.gate.release(first)), (S::Working, S::Done));
}

#[test]
fn a_reservation_of_another_gate_releases_nothing() {
    let (mut one, mut other) = (Rig::new(), Rig::new());
    other.gate.set_salt(7);
    let reserve = |rig: &mut Rig| rig.gate.reserve(&order(1), NOW).1.expect("let through").ticket();
    let (of_one, of_other) = (reserve(&mut one), reserve(&mut other));
    assert_eq!(other.gate.release(Reservation::of_ticket(of_one)), S::Ignored);
    assert_eq!(one.gate.release(Reservation::of_ticket(of_other)), S::Ignored);
    assert_eq!((exposure(&one), exposure(&other)), ((0, 100, 0), (0, 100, 0)));
    assert_eq!(other.gate.release(Reservation::of_ticket(of_other)), S::Done);
    // The last number of all is not followed by that of no reservation.
    other.gate.set_salt(u32::MAX);
    assert_eq!(other.gate.reserve(&order(2), NOW).1.expect("let through").ticket().1, 1);
}

#[test]
fn an_execution_of_nothing_does_not_use_its_number_up() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let execution = |qty| E::Executed { id: 1, execution: 7, qty: Qty(qty) };
    assert_eq!(rig.gate.settle(execution(0)), S::Working);
    assert_eq!(rig.gate.settle(execution(30)), S::Working);
    assert_eq!(rig.gate.settle(execution(30)), S::Repeated);
    assert_eq!(exposure(&rig), (30, 70, 0));
    rig.gate.settle(E::Filled { id: 77, qty: Qty(0) });
    assert!(!rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt, "no shares moved");
    rig.gate.settle(E::Filled { id: 0, qty: Qty(0) });
    assert!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt, "nobody knows how many moved");
}

#[test]
fn what_refuses_an_order_before_the_gate_comes_first_and_once() {
    let rig = Rig::new();
    let wrong = OrderIntent { qty: Qty(5_000), ..order(1) };
    let explained = rig.gate.explain(&wrong, NOW);
    let own: std::vec::Vec<_> = explained.breaches().map(|breach| breach.reason).collect();
    let refusal = crate::Verdict { reason: Some(R::DaemonLost), ..rig.check(&wrong) };
    let led = explained.led_by(refusal);
    assert_eq!(led.verdict, refusal);
    let led = led.led_by(refusal);
    assert!(led.breaches().map(|breach| breach.reason).eq([R::DaemonLost].into_iter().chain(own)));
}

/// Limits of tier High.
const HIGH: RiskLimits = RiskLimits { max_qty: Qty(50), ..LIVE };

#[test]
fn a_replacement_that_moves_through_the_touch_is_judged_as_a_new_order() {
    let large = |order: OrderIntent| OrderIntent { qty: Qty(400), ..order };
    let reason = |rig: &mut Rig, order: &OrderIntent| rig.gate.replace(1, order, NOW).0.reason;
    for (rests, crosses, inside) in [
        (OrderIntent { px: px("104.00"), ..sell(1) }, sell_at("100.00"), sell_at("100.01")),
        (OrderIntent { px: px("96.00"), ..order(1) }, buy_at("100.02"), buy_at("100.01")),
    ] {
        let mut rig = Rig::new();
        rig.take(&large(rests));
        rig.publish_live(&HIGH, Tier::High, NOW);
        assert_eq!(reason(&mut rig, &large(crosses)), Some(R::QtyDynamic));
        assert_eq!(
            reason(&mut rig, &OrderIntent { tif: TimeInForce::Ioc, ..large(crosses) }),
            Some(R::QtyDynamic)
        );
        assert_eq!(reason(&mut rig, &large(market(2, rests.side))), Some(R::QtyDynamic));
        // The position it counts into already is one it may take; a tightened limit it may not pass at once.
        rig.publish_live(&RiskLimits { max_pos_long: 300, max_pos_short: 300, ..LIVE }, Tier::High, NOW);
        let beyond = if rests.side == Side::Bid { R::PosLong } else { R::PosShort };
        assert_eq!(reason(&mut rig, &large(crosses)), Some(beyond));
        rig.publish_live(&RiskLimits { max_notional_micros: 20_000_000_000, ..LIVE }, Tier::High, NOW);
        assert_eq!(reason(&mut rig, &large(crosses)), Some(R::Value));
        rig.publish_live(&HIGH, Tier::High, NOW);
        assert_eq!(reason(&mut rig, &large(inside)), None, "it rests on");
    }
}

fn sell_at(text: &str) -> OrderIntent {
    OrderIntent { px: px(text), ..sell(2) }
}

fn buy_at(text: &str) -> OrderIntent {
    OrderIntent { px: px(text), ..order(2) }
}

#[test]
fn an_order_that_the_market_came_to_may_still_shrink() {
    let mut rig = Rig::new();
    rig.take(&OrderIntent { qty: Qty(400), ..order(1) });
    rig.publish_top(&TopOfBook { bid: px("99.98"), ask: px("100.00"), ..top() });
    rig.publish_live(&HIGH, Tier::High, NOW);
    assert_eq!(rig.gate.replace(1, &OrderIntent { qty: Qty(300), ..order(2) }, NOW).0.reason, None);
    let mut rig = Rig::new();
    rig.take(&OrderIntent { qty: Qty(400), ..sell(1) });
    rig.publish_top(&TopOfBook { bid: px("100.02"), ask: px("100.04"), ..top() });
    rig.publish_live(&HIGH, Tier::High, NOW);
    assert_eq!(rig.gate.replace(1, &OrderIntent { qty: Qty(300), ..sell(2) }, NOW).0.reason, None);
}

/// The market has come to an order, which may trade no farther than its price: at market it may.
#[test]
fn an_order_that_the_market_came_to_is_judged_anew_at_market() {
    for (rests, came) in [
        (order(1), TopOfBook { bid: px("99.98"), ask: px("100.00"), ..top() }),
        (sell(1), TopOfBook { bid: px("100.02"), ask: px("100.04"), ..top() }),
    ] {
        let mut rig = Rig::new();
        rig.take(&OrderIntent { qty: Qty(400), ..rests });
        rig.publish_top(&came);
        rig.publish_live(&HIGH, Tier::High, NOW);
        for qty in [400, 300] {
            let at_market = OrderIntent { qty: Qty(qty), ..market(2, rests.side) };
            assert_eq!(rig.gate.replace(1, &at_market, NOW).0.reason, Some(R::QtyDynamic), "{qty}");
        }
    }
}

#[test]
fn a_replacement_that_only_shrinks_passes_reduce_only_and_doubt() {
    let reason = |rig: &mut Rig, order: &OrderIntent| rig.gate.replace(1, order, NOW).0.reason;
    let shrunk = OrderIntent { qty: Qty(10), ..order(2) };
    for (prepare, refusal) in [
        (
            (|rig| rig.set(BreakerKey::Instrument(INSTRUMENT), BreakerState::ReduceOnly)) as fn(&mut Rig),
            R::ReduceOnly,
        ),
        (|rig| _ = rig.gate.settle(E::Filled { id: 77, qty: Qty(1) }), R::Unreconciled),
    ] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        prepare(&mut rig);
        assert_eq!(reason(&mut rig, &OrderIntent { qty: Qty(100), ..order(2) }), Some(refusal), "as large");
        assert_eq!(reason(&mut rig, &OrderIntent { px: px("100.01"), ..shrunk }), Some(refusal), "farther");
        assert_eq!(reason(&mut rig, &OrderIntent { qty: Qty(10), ..market(2, Side::Bid) }), Some(refusal));
        assert_eq!(rig.check(&OrderIntent { qty: Qty(10), ..order(3) }).reason, Some(refusal), "a new one");
        assert_eq!(reason(&mut rig, &OrderIntent { px: px("99.99"), ..shrunk }), None);
    }
}

#[test]
fn a_replacement_spends_both_rates() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    let mut last = 1;
    for id in 2..=4 {
        assert!(rig.gate.replace(last, &order(id), NOW).0.accepted());
        rig.gate.settle(E::Replaced { id });
        last = id;
    }
    assert_eq!(rig.gate.replace(last, &order(9), NOW).0.reason, Some(R::Rate));
    assert_eq!(rig.check(&order(9)).reason, Some(R::Rate));
    let slow = StrategyConfig { order_rate_per_s: 1, order_burst: 2, ..STRATEGIES[1] };
    let mut rig = Rig::with(&GateConfig { strategies: &[STRATEGIES[0], slow], ..CONFIG }, true);
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &order(2), NOW).0.accepted());
    assert_eq!(rig.check(&order(3)).reason, Some(R::RateStrategy));
}

#[test]
fn a_replacement_reduced_to_nothing_is_still_under_way() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).0.accepted());
    rig.gate.settle(E::Reduced { id: 2, qty: Qty(150) });
    assert_eq!(exposure(&rig), (0, 100, 0));
    assert_eq!(rig.gate.replace(1, &order(3), NOW).0.reason, Some(R::ReplacePending));
    assert_eq!(rig.gate.settle(E::Cancelled { id: 2 }), S::Done);
    assert_eq!((exposure(&rig), rig.gate.open_order_count()), ((0, 0, 0), 0));
}

#[test]
fn a_replaced_order_has_the_price_and_the_value_of_its_replacement() {
    let mut rig = Rig::new();
    rig.take(&OrderIntent { px: px("99.00"), ..order(1) });
    assert!(rig.gate.replace(1, &order(2), NOW).0.accepted());
    rig.gate.settle(E::Replaced { id: 2 });
    assert_eq!(rig.gate.open_orders().next().map(|o| (o.id, o.px)), Some((2, px("100.00"))));
    // Under a limit that is tighter now, it may keep its value and not raise it.
    rig.publish_live(&RiskLimits { max_notional_micros: 9_000_000_000, ..LIVE }, Tier::Normal, NOW);
    let dearer = OrderIntent { px: px("100.01"), ..order(3) };
    assert_eq!(rig.gate.replace(2, &dearer, NOW).0.reason, Some(R::Value));
    assert_eq!(rig.gate.replace(2, &order(3), NOW).0.reason, None);
}
