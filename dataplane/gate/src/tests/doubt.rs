//! In doubt: what reduces by one reading of what the venue has said, and grows by another, is let out by none.

use std::{collections::BTreeSet, vec};

use super::*;
use crate::{GateConfig, OrderEvent as E, RejectReason as R, Settlement as S, Step};
use proptest::{prelude::*, sample::select};

const ROOM: RiskLimits = RiskLimits { order_rate_per_s: 20_000, order_burst: 60_000, ..WIDE };

/// A rig in which nothing but doubt refuses an order.
fn rig(position: i64) -> Rig {
    let mut rig = Rig::new();
    let all = Envelope::new(FLOOR, ROOM, ROOM).expect("in order");
    rig.statics.publish(INSTRUMENT, CLASS, &all, &static_terms(), NOW).expect("a row");
    rig.dynamics.publish(INSTRUMENT, CLASS, &all.clamp(&ROOM), &terms(Tier::Normal), NOW).expect("a row");
    rig.hold(position);
    rig
}

/// The largest order of a side that is let out as one that reduces; 0 when none is.
fn largest(rig: &Rig, side: Side) -> u32 {
    let base = if side == Side::Bid { order(99) } else { sell(99) };
    let passes = |qty: u32| rig.check(&OrderIntent { qty: Qty(qty), ..base }).accepted();
    // What is let out ends at one size.
    let (mut passed, mut refused) = (0, 2_000);
    while refused - passed > 1 {
        let middle = u32::midpoint(passed, refused);
        if passes(middle) { passed = middle } else { refused = middle }
    }
    passed
}

#[test]
fn in_doubt_an_order_reduces_by_every_reading_or_is_refused() {
    let exec = |id, execution, qty| E::Executed { id, execution, qty: Qty(qty) };
    let bust = |execution, qty| E::BustedExecution { id: 1, execution, qty: Qty(qty) };
    let unknown = |qty| E::Filled { id: 77, qty: Qty(qty) };
    // Of a position before a buy of 100: what is said, and the largest sell and buy after it.
    for (position, events, sells, buys) in [
        (200, &[unknown(30)][..], 170, 0),
        (-200, &[unknown(30)], 0, 70),
        (200, &[unknown(30), unknown(30)], 140, 0),
        (200, &[unknown(200)], 0, 0),
        (0, &[exec(1, 7, 100), bust(7, 40)], 60, 0),
        (-300, &[exec(1, 7, 100), bust(7, 40)], 0, 200),
        (-100, &[exec(1, 7, 100), bust(7, 40)], 0, 0),
        (0, &[exec(1, 7, 150)], 0, 0),
        (30, &[exec(1, 7, 150)], 30, 0),
        (0, &[exec(1, 7, 60), exec(1, 7, 50)], 0, 0),
        (100, &[exec(1, 7, 60), exec(1, 7, 50)], 100, 0),
        (-300, &[exec(1, 7, 60), exec(1, 7, 50)], 0, 150),
        (0, &[exec(1, 7, 60), bust(8, 50)], 10, 0),
        (200, &[E::Rejected { id: 1 }, E::Accepted { id: 1 }], 200, 0),
        (-200, &[E::Rejected { id: 1 }, E::Accepted { id: 1 }], 0, 100),
        (200, &[E::Rejected { id: 1 }, exec(1, 7, 100)], 200, 0),
        (-200, &[E::Rejected { id: 1 }, exec(1, 7, 30)], 0, 100),
        // Nobody knows how much: nothing reduces.
        (500, &[E::Accepted { id: 77 }], 0, 0),
        (500, &[E::Filled { id: 0, qty: Qty(0) }], 0, 0),
        (500, &[E::Filled { id: 0, qty: Qty(5) }], 0, 0),
        (500, &[E::Busted { id: 1, qty: Qty(0) }], 0, 0),
    ] {
        let mut rig = rig(position);
        rig.take(&order(1));
        events.iter().for_each(|event| _ = rig.gate.settle(*event));
        assert!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt, "{position} {events:?}");
        let found = (largest(&rig, Side::Ask), largest(&rig, Side::Bid));
        assert_eq!(found, (sells, buys), "{position} {events:?}");
        let verdict = rig.refuses(&OrderIntent { qty: Qty(sells + 1), ..sell(2) }, R::Unreconciled);
        assert_eq!(verdict.limit, sells.into(), "{position} {events:?}");
    }
}

#[test]
fn a_replacement_that_traded_and_was_refused_may_be_in_force_with_all_it_added() {
    let mut rig = rig(-200);
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).0.accepted());
    rig.gate.settle(E::Executed { id: 2, execution: 7, qty: Qty(30) });
    rig.gate.settle(E::ReplaceRejected { id: 2 });
    // 120 may work, and the order that a person would send beside them must not turn the position.
    assert!(rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt);
    let buys = largest(&rig, Side::Bid);
    assert!(-170 + 120 + i64::from(buys) <= 0, "{buys}");
}

/// The venue takes back by it, without a word, what it said was traded.
#[test]
fn a_reduction_to_less_than_was_traded_contradicts_the_trades() {
    for replaced in [false, true] {
        let mut rig = rig(-200);
        rig.take(&sell(2));
        rig.gate.settle(E::Executed { id: 2, execution: 7, qty: Qty(30) });
        let id = if replaced { 3 } else { 2 };
        if replaced {
            assert!(rig.gate.replace(2, &OrderIntent { qty: Qty(150), ..sell(3) }, NOW).0.accepted());
        }
        assert_eq!(
            rig.gate.settle(E::ReducedTo { id, qty: Qty(30) }),
            if replaced { S::Working } else { S::Done }
        );
        assert!(!rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap().in_doubt);
        let mut rig = self::rig(-200);
        rig.take(&sell(2));
        rig.gate.settle(E::Executed { id: 2, execution: 7, qty: Qty(30) });
        if replaced {
            assert!(rig.gate.replace(2, &OrderIntent { qty: Qty(150), ..sell(3) }, NOW).0.accepted());
        }
        assert_eq!(rig.gate.settle(E::ReducedTo { id, qty: Qty(10) }), S::Contradicted);
        // 30 were sold, or 10.
        assert_eq!(largest(&rig, Side::Bid), 210);
    }
}

#[test]
fn an_order_that_trades_under_its_old_name_may_work_beside_its_replacement() {
    let mut rig = rig(-400);
    rig.take(&order(1));
    assert!(rig.gate.replace(1, &OrderIntent { qty: Qty(150), ..order(2) }, NOW).0.accepted());
    rig.gate.settle(E::Replaced { id: 2 });
    assert_eq!(rig.gate.settle(E::Filled { id: 1, qty: Qty(10) }), S::Misnamed);
    // 390 are short, 140 work, and 90 of the old order may.
    assert_eq!(largest(&rig, Side::Bid), 390 - 140 - 90);
}

/// A book that bought 40 by an order which is forgotten, and has another one.
fn rig_that_forgot_whose_execution_5_was() -> Rig {
    let config = GateConfig { open_orders_max: 64, recent_orders: 3, ..CONFIG };
    let mut rig = Rig::with(&config, true);
    let all = Envelope::new(FLOOR, ROOM, ROOM).expect("in order");
    rig.statics.publish(INSTRUMENT, CLASS, &all, &static_terms(), NOW).expect("a row");
    rig.dynamics.publish(INSTRUMENT, CLASS, &all.clamp(&ROOM), &terms(Tier::Normal), NOW).expect("a row");
    rig.hold(200);
    rig.take(&order(1));
    rig.gate.settle(E::Executed { id: 1, execution: 5, qty: Qty(40) });
    rig.gate.settle(E::Cancelled { id: 1 });
    for id in 2..12 {
        rig.take(&order(id));
        rig.gate.settle(E::Cancelled { id });
    }
    rig.take(&order(12));
    rig
}

/// Its number was that of another trade, of an order that is forgotten: nobody knows whose position that one moved.
#[test]
fn a_trade_with_the_number_of_a_forgotten_orders_doubts_every_position() {
    let mut rig = rig_that_forgot_whose_execution_5_was();
    assert_eq!(rig.gate.settle(E::Executed { id: 12, execution: 5, qty: Qty(7) }), S::Contradicted);
    // Of 240, 40 may not have been bought.
    assert_eq!(largest(&rig, Side::Ask), 200);
}

#[test]
fn an_execution_of_a_forgotten_order_that_is_taken_back_under_another_doubts_every_position() {
    let mut rig = rig_that_forgot_whose_execution_5_was();
    let bust = E::BustedExecution { id: 12, execution: 5, qty: Qty(40) };
    assert_eq!(rig.gate.settle(bust), S::Contradicted);
    // Of 240, 40 may not have been bought by either.
    assert_eq!(largest(&rig, Side::Ask), 160);
}

#[test]
fn the_end_of_a_doubt_and_a_restart_in_one_know_how_far_it_goes() {
    let mut first = rig(200);
    first.gate.settle(E::Filled { id: 77, qty: Qty(30) });
    let mut steps = std::vec::Vec::new();
    first.gate.checkpoint(|step| steps.push(step));
    let restore = |steps: &[Step]| {
        let mut again = rig(0);
        steps.iter().for_each(|step| again.gate.restore(step).expect("a step"));
        again
    };
    assert_eq!(largest(&restore(&steps), Side::Ask), 170);
    let words: std::vec::Vec<_> = steps.iter().map(|step| Step::unpack(step.pack())).collect();
    assert_eq!(words, steps.iter().copied().map(Some).collect::<std::vec::Vec<_>>());
    // From before it was kept how far.
    steps.retain(|step| !matches!(step, Step::Astray { .. }));
    assert_eq!(largest(&restore(&steps), Side::Ask), 0);
    let far = Step::Astray { instrument: INSTRUMENT, strategy: STRATEGY, below: u64::MAX, above: 1 };
    steps.push(far);
    assert_eq!(largest(&restore(&steps), Side::Ask), 0, "farther than any position");
    assert_eq!(
        Step::Astray { instrument: InstrumentId(2), strategy: StrategyId(3), below: 4, above: 5 }.pack(),
        [21, 4, 5, 2, 3, 0, 0, 0]
    );
    // A person's word ends it, and the next one begins anew.
    first.hold(100);
    first.accepts(&order(99));
    first.gate.settle(E::Filled { id: 77, qty: Qty(5) });
    assert_eq!(largest(&first, Side::Ask), 95);
}

#[test]
fn reduce_only_asks_for_every_reading_too() {
    let mut rig = rig(200);
    rig.gate.settle(E::Filled { id: 77, qty: Qty(30) });
    rig.set(BreakerKey::Instrument(INSTRUMENT), BreakerState::ReduceOnly);
    let verdict = rig.refuses(&OrderIntent { qty: Qty(171), ..sell(2) }, R::ReduceOnly);
    assert_eq!(verdict.limit, 170);
    rig.accepts(&OrderIntent { qty: Qty(170), ..sell(2) });
}

#[derive(Clone, Copy, Debug)]
enum Said {
    OfNobody(u32),
    Traded { id: u64, execution: u64, qty: u32 },
    TakenBack { execution: u64 },
}

fn any_said() -> impl Strategy<Value = Said> {
    prop_oneof![
        (1_u32..40).prop_map(Said::OfNobody),
        (1_u64..3, 1_u64..6, 1_u32..60).prop_map(|(id, execution, qty)| Said::Traded { id, execution, qty }),
        (1_u64..6).prop_map(|execution| Said::TakenBack { execution }),
    ]
}

/// Every position that there may be, by each reading of each word: what a person would write down. A buy of 100 is order 1, a sell 2.
struct Readings {
    positions: BTreeSet<i64>,
    /// What each execution counted for, and what is left of it.
    known: std::collections::BTreeMap<u64, (u64, u32, u32)>,
    executed: [u32; 2],
    /// What each order is for: a trade that is taken back leaves what was still to be traded as it was.
    whole: [u32; 2],
}

impl Readings {
    const fn signed(id: u64, qty: u32) -> i64 {
        if id == 1 { qty as i64 } else { -(qty as i64) }
    }

    /// Each position there may be, and each by so much more.
    fn or_by(&mut self, more: &[i64]) {
        let all = self.positions.iter().flat_map(|p| more.iter().map(move |by| p + by)).collect();
        self.positions = all;
    }

    fn hear(&mut self, said: Said) -> Option<E> {
        match said {
            Said::OfNobody(qty) => {
                self.or_by(&[0, i64::from(qty), -i64::from(qty)]);
                Some(E::Filled { id: 77, qty: Qty(qty) })
            }
            Said::Traded { id, execution, qty } => {
                let by = Self::signed(id, qty);
                let (by_one, by_both) = ([by], [0, by]);
                match self.known.get(&execution).copied() {
                    Some((of, whole, _)) if (of, whole) == (id, qty) => {}
                    Some((of, _, left)) => {
                        self.or_by(&[0, by]);
                        self.or_by(&[0, -Self::signed(of, left)]);
                    }
                    None => {
                        self.known.insert(execution, (id, qty, qty));
                        let executed = &mut self.executed[usize::from(id == 2)];
                        *executed += qty;
                        let beyond = *executed > self.whole[usize::from(id == 2)];
                        self.or_by(if beyond { &by_both } else { &by_one });
                    }
                }
                Some(E::Executed { id, execution, qty: Qty(qty) })
            }
            Said::TakenBack { execution } => {
                let (id, _, left) = self.known.get_mut(&execution).map(|known| {
                    let before = *known;
                    known.2 = 0;
                    before
                })?;
                let executed = &mut self.executed[usize::from(id == 2)];
                *executed -= left;
                let whole = &mut self.whole[usize::from(id == 2)];
                *whole = whole.saturating_sub(left);
                self.or_by(&[0, -Self::signed(id, left)]);
                Some(E::BustedExecution { id, execution, qty: Qty(left.max(1)) })
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Against the list of all positions that there may be: an order passes in doubt if and only if it reduces every one of them, with
    /// what works on its side, and turns none.
    #[test]
    fn an_order_passes_in_doubt_if_it_reduces_every_position_that_there_may_be(
        position in select(vec![-400_i64, -90, 0, 90, 400]),
        all in proptest::collection::vec(any_said(), 1..7),
        (qty, buys) in (1_u32..400, any::<bool>()),
    ) {
        let mut rig = rig(position);
        // Far from one another, so that they do not meet.
        rig.take(&OrderIntent { px: px("99.00"), ..order(1) });
        rig.take(&OrderIntent { px: px("101.00"), ..sell(2) });
        let mut readings = Readings {
            positions: BTreeSet::from([position]),
            known: std::collections::BTreeMap::new(),
            executed: [0; 2],
            whole: [100; 2],
        };
        for said in all {
            if let Some(event) = readings.hear(said) {
                rig.gate.settle(event);
            }
        }
        let held = rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap();
        prop_assume!(held.in_doubt);
        let (base, working) = if buys { (order(99), held.working_buy) } else { (sell(99), held.working_sell) };
        let more = i64::try_from(working).unwrap() + i64::from(qty);
        let reduces = |p: &i64| if buys { p + more <= 0 } else { p - more >= 0 };
        let verdict = rig.check(&OrderIntent { qty: Qty(qty), ..base });
        let wanted = readings.positions.iter().all(reduces);
        prop_assert_eq!(verdict.reason, (!wanted).then_some(R::Unreconciled), "{:?}", readings.positions);
    }
}
