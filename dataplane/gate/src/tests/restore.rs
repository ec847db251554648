//! A gate made again from its steps, or from a checkpoint, is the gate it was.

use super::*;
use crate::{
    ActivityLimits, Doer, ExposureLimits, GroupConfig, GroupKind, OrderEvent, ProfitRules,
    RepeatedExecutions, Reservation, RestoreError, RoundedValue, STEP_WORDS, Settlement, Step,
};
use proptest::prelude::*;
use std::vec::Vec;

/// Tight enough to bind now and then.
const EXPOSED: ExposureLimits = ExposureLimits {
    gross_micros: 30_000_000_000,
    net_micros: 20_000_000_000,
    instrument_micros: 25_000_000_000,
    credit_micros: 28_000_000_000,
};

const BUSY: ActivityLimits = ActivityLimits {
    value_micros: 90_000_000_000,
    qty: 800,
    cancels: 2,
    messages_per_trade: 8,
    ..ActivityLimits::NONE
};

const TWO: GateConfig<'static> = GateConfig {
    open_orders_max: 6,
    recent_orders: 5,
    repeat_window: Nanos(200_000_000),
    strategy_limits: &[EXPOSED, EXPOSED],
    strategy_loss: &[40_000_000, u64::MAX],
    account_loss: &[u64::MAX, 60_000_000],
    groups: &[
        GroupConfig { kind: GroupKind::Firm, limits: EXPOSED, loss_micros: 90_000_000 },
        GroupConfig { kind: GroupKind::Desk, limits: EXPOSED, loss_micros: u64::MAX },
    ],
    strategy_groups: &[[None, None, Some(0)], [Some(1), None, Some(0)]],
    // A day ends within a story.
    profit: Some(ProfitRules {
        day_start: Nanos(NOW.0 % 86_400_000_000_000 + 3_000_000_000),
        fee_nanos_per_unit: 3_000_000,
        settlement_age_max_days: 4,
    }),
    mark_age_max: Nanos(150_000_000),
    repeated_executions: Some(RepeatedExecutions { most: 3, window: Nanos(100_000_000) }),
    account_limits: &[EXPOSED, ExposureLimits::NONE],
    window: Nanos(700_000_000),
    strategy_activity: &[BUSY, ActivityLimits { messages: 9, ..BUSY }],
    account_activity: &[ActivityLimits { messages_per_trade: 5, ..BUSY }],
    ..CONFIG
};

/// What may happen to a gate. Ids count back from the newest, so that wrong ones, late ones and repeats are among them.
#[derive(Clone, Copy, Debug)]
enum Op {
    New { id: u64, strategy: u16, account: u16, side: Side, ticks: i64, qty: u32 },
    Replace { replaced: u64, side: Side, ticks: i64, qty: u32 },
    Event(u8, u64, u32, u64),
    Release,
    Cancel(u64),
    Position { strategy: u16, account: u16, position: i64 },
}

fn event(kind: u8, id: u64, qty: Qty, execution: u64) -> OrderEvent {
    match kind {
        0 => OrderEvent::Accepted { id },
        1 => OrderEvent::Filled { id, qty },
        2 if execution.is_multiple_of(2) => OrderEvent::Executed { id, execution, qty },
        2 => OrderEvent::ExecutedAt { id, execution, qty, px: Px(px("100.00").0 - CENT.0 * 40) },
        3 if execution.is_multiple_of(4) => OrderEvent::Busted { id, qty },
        3 => OrderEvent::BustedExecution { id, execution, qty },
        4 if execution.is_multiple_of(2) => OrderEvent::Reduced { id, qty },
        4 => OrderEvent::ReducedTo { id, qty },
        5 => OrderEvent::Cancelled { id },
        6 => OrderEvent::Rejected { id },
        7 => OrderEvent::Replaced { id },
        _ => OrderEvent::ReplaceRejected { id },
    }
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn any_op() -> impl Strategy<Value = Op> {
    let new = (1_u64..14, 0_u16..2, 0_u16..2, any_side(), -3_i64..5, 1_u32..200).prop_map(
        |(id, strategy, account, side, ticks, qty)| Op::New { id, strategy, account, side, ticks, qty },
    );
    let replace = (1_u64..6, any_side(), -3_i64..5, 1_u32..200)
        .prop_map(|(replaced, side, ticks, qty)| Op::Replace { replaced, side, ticks, qty });
    let event = (0_u8..12, 1_u64..6, 0_u32..150, 1_u64..9).prop_map(|(kind, id, qty, execution)| {
        Op::Event(if kind > 8 { 7 } else { kind }, id, qty, execution)
    });
    let position = (0_u16..2, 0_u16..2, -300_i64..300)
        .prop_map(|(strategy, account, position)| Op::Position { strategy, account, position });
    let cancel = (0_u64..5).prop_map(Op::Cancel);
    prop_oneof![5 => new, 2 => replace, 5 => event, 1 => Just(Op::Release), 1 => cancel, 1 => position]
}

fn asks(id: u64, strategy: u16, account: u16, side: Side, ticks: i64, qty: u32) -> OrderIntent {
    OrderIntent {
        strategy: StrategyId(strategy),
        account: AccountId(account),
        side,
        px: Px(px("100.00").0 + ticks * CENT.0),
        qty: Qty(qty),
        ..order(id)
    }
}

/// What a gate answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Order(Verdict),
    Event(Settlement),
    Nothing,
}

/// A story as it goes on.
#[derive(Clone, Copy)]
struct Story {
    now: UnixNanos,
    newest: u64,
}

impl Story {
    const BEGIN: Self = Self { now: NOW, newest: 1_000 };

    /// Does one thing to a gate. Gives its answer, and the step to keep.
    fn go(&mut self, op: Op, rig: &mut Rig, last: &mut Option<Reservation>) -> (Answer, Option<Step>) {
        self.now = self.now.plus(Nanos(60_000_000));
        rig.references.heartbeat(self.now);
        self.newest += u64::from(matches!(op, Op::New { .. } | Op::Replace { .. }));
        let (now, back) = (self.now, |id: u64| self.newest - id);
        match op {
            Op::New { id, strategy, account, side, ticks, qty } => {
                // Now and then one that has been used.
                let order =
                    asks(if id == 13 { back(3) } else { back(0) }, strategy, account, side, ticks, qty);
                let (verdict, reservation) = rig.gate.reserve(&order, now);
                let step = reservation.as_ref().map(|r| Step::Sent(r.sent(&order, now)));
                *last = reservation.or(last.take());
                (Answer::Order(verdict), step)
            }
            Op::Replace { replaced, side, ticks, qty } => {
                let (order, replaced) = (asks(back(0), 1, 1, side, ticks, qty), back(replaced));
                let (verdict, reservation) = rig.gate.replace(replaced, &order, now);
                let step =
                    reservation.as_ref().map(|r| Step::Replaced { replaced, sent: r.sent(&order, now) });
                *last = reservation.or(last.take());
                (Answer::Order(verdict), step)
            }
            Op::Event(kind, id, qty, execution) => {
                let event = event(kind, back(id - 1), Qty(qty), execution);
                rig.gate.pass_time(now);
                (Answer::Event(rig.gate.settle(event)), Some(Step::Settled(event)))
            }
            Op::Release => {
                let Some(reservation) = last.take() else { return (Answer::Nothing, None) };
                let event = reservation.released();
                let released = rig.gate.release(reservation) != Settlement::Ignored;
                (Answer::Nothing, released.then_some(Step::Settled(event)))
            }
            Op::Cancel(id) => {
                rig.gate.cancel(back(id), now);
                (Answer::Nothing, Some(Step::CancelSent { id: back(id), at: now }))
            }
            Op::Position { strategy, account, position } => {
                let (strategy, account) = (StrategyId(strategy), AccountId(account));
                rig.gate.set_position(INSTRUMENT, strategy, account, position).unwrap();
                (
                    Answer::Nothing,
                    Some(Step::Positioned { instrument: INSTRUMENT, strategy, account, position }),
                )
            }
        }
    }
}

fn checkpoint(gate: &Gate) -> Vec<[u64; STEP_WORDS]> {
    let mut steps = Vec::new();
    gate.checkpoint(|step| steps.push(step.pack()));
    steps
}

/// Everything a gate holds, in an order that does not depend on how it came there. The clock is not part of it: a gate has also
/// seen the time of orders that it refused.
fn state(gate: &Gate) -> Vec<[u64; STEP_WORDS]> {
    let mut steps = checkpoint(gate);
    let dues = |words: &mut [u64; STEP_WORDS]| {
        if let Some(Step::Due { strategy, due, .. }) = Step::unpack(*words) {
            *words = Step::Due { strategy, due, at: UnixNanos(0) }.pack();
        }
    };
    steps.iter_mut().for_each(dues);
    steps.sort_unstable();
    steps
}

fn restored(steps: &[[u64; STEP_WORDS]]) -> Rig {
    restored_into(rig(), steps)
}

fn restored_into(mut rig: Rig, steps: &[[u64; STEP_WORDS]]) -> Rig {
    for words in steps {
        let step = Step::unpack(*words).expect("what was packed");
        rig.gate.restore(&step).unwrap_or_else(|e| panic!("{step:?}: {e}"));
    }
    rig
}

fn rig() -> Rig {
    rig_of(&TWO)
}

fn rig_of(config: &GateConfig<'_>) -> Rig {
    let mut rig = Rig::with(config, true);
    let limits = RiskLimits { order_rate_per_s: 20, order_burst: 8, ..LIVE };
    rig.publish_live(&limits, Tier::Normal, NOW);
    rig.statics.publish(INSTRUMENT, ClassId(0), &envelope(), &static_terms(), NOW).unwrap();
    let wide = envelope().clamp(&limits);
    rig.dynamics.publish(INSTRUMENT, ClassId(0), &wide, &terms(Tier::Normal), NOW).unwrap();
    rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// After any story, however wrong the venue's answers, a gate that takes the same steps and one that takes the checkpoint hold
    /// what the first one holds, and answer every order as it does.
    #[test]
    fn a_gate_that_takes_the_steps_of_another_is_that_gate(
        ops in proptest::collection::vec(any_op(), 0..120), probes in proptest::collection::vec(any_op(), 1..20),
        account_positions in any::<bool>(),
    ) {
        let rig = || rig_of(&GateConfig { account_positions, ..TWO });
        let restored = |steps: &[[u64; STEP_WORDS]]| restored_into(rig(), steps);
        let (mut first, mut story, mut last) = (rig(), Story::BEGIN, None);
        let steps = ops.into_iter().flat_map(|op| {
            let step = story.go(op, &mut first, &mut last).1;
            let told = matches!(op, Op::Event(..)).then_some(Step::Told(story.now));
            told.into_iter().chain(step)
        });
        let steps: Vec<_> = steps.map(|step| step.pack()).collect();
        let (mut again, mut short) = (restored(&steps), restored(&checkpoint(&first.gate)));
        prop_assert_eq!(state(&again.gate), state(&first.gate));
        prop_assert_eq!(state(&short.gate), state(&first.gate));
        for probe in probes.into_iter().filter(|probe| !matches!(probe, Op::Release)) {
            let (before, mut none) = (story, None);
            let answer = story.go(probe, &mut first, &mut none).0;
            for rig in [&mut again, &mut short] {
                prop_assert_eq!({ before }.go(probe, rig, &mut none).0, answer);
            }
        }
    }

    /// Words that are no step are none, and words that are say the same again.
    #[test]
    fn any_words_are_a_step_that_says_the_same_again_or_none(
        words in prop::array::uniform8(any::<u64>()), kind in 0_u8..23, bytes in prop::array::uniform3(0_u8..12),
    ) {
        let mut words = words;
        words[0] = words[0] >> 32 << 32
            | u64::from(kind) | u64::from(bytes[0]) << 8 | u64::from(bytes[1]) << 16 | u64::from(bytes[2]) << 24;
        if let Some(step) = Step::unpack(words) {
            prop_assert_eq!(Step::unpack(step.pack()), Some(step));
            // A step from anywhere is taken or refused, and nothing panics.
            let _ = rig().gate.restore(&step);
        } else {
            prop_assert!(![4, 5, 6, 7, 9, 11, 14, 15, 16, 17, 19, 20].contains(&kind), "nothing in these can be no step");
        }
    }
}

#[test]
fn a_step_that_cannot_be_taken_says_why_and_changes_nothing() {
    let mut rig = rig();
    let sent = |order: OrderIntent| {
        Step::Sent(crate::Sent {
            order,
            judged_px: 100_000_000_000,
            interval_ns: 1,
            value: RoundedValue(0),
            at: NOW,
        })
    };
    rig.gate.restore(&sent(order(1))).unwrap();
    let before = state(&rig.gate);
    let beyond = InstrumentId(3);
    let tallied =
        |doer, instrument| Step::Tallied { doer, instrument, traded: 1, cash: 1, volume: 1, at: NOW };
    let other =
        crate::Sent { order: order(3), judged_px: 1, interval_ns: 1, value: RoundedValue(0), at: NOW };
    for (step, error) in [
        (sent(order(1)), RestoreError::Id(1)),
        (sent(order(0)), RestoreError::Id(0)),
        (sent(OrderIntent { instrument: beyond, ..order(2) }), RestoreError::Unknown),
        (sent(OrderIntent { strategy: StrategyId(2), ..order(2) }), RestoreError::Unknown),
        (sent(OrderIntent { account: AccountId(2), ..order(2) }), RestoreError::Unknown),
        (Step::Replaced { replaced: 7, sent: other }, RestoreError::Replaced(7)),
        (Step::AccountHolds { instrument: beyond, account: ACCOUNT, position: 1 }, RestoreError::Unknown),
        (Step::Due { strategy: StrategyId(2), due: NOW, at: NOW }, RestoreError::Unknown),
        (Step::Stopped { strategy: StrategyId(2), count: 1 }, RestoreError::Unknown),
        (tallied(Doer::Strategy(STRATEGY), beyond), RestoreError::Unknown),
        (tallied(Doer::Strategy(StrategyId(2)), INSTRUMENT), RestoreError::Unknown),
        (tallied(Doer::Account(AccountId(2)), INSTRUMENT), RestoreError::Unknown),
    ] {
        assert_eq!(rig.gate.restore(&step), Err(error), "{step:?}");
        assert_eq!(state(&rig.gate), before, "{step:?}");
    }
    (2..=6).for_each(|id| rig.gate.restore(&sent(order(id))).unwrap());
    assert_eq!(rig.gate.restore(&sent(order(7))), Err(RestoreError::Full));
}

/// A gate of which the instrument's prices may be negative, or not.
fn of_kind(negative: bool) -> Rig {
    let money = crate::MoneyRules { rate_age_max: Nanos(1), undeclared_is_plain: false };
    let rig = rig_of(&GateConfig { money: Some(money), ..TWO });
    let worth_min = if negative { px("20") } else { Px::NONE };
    let terms = crate::InstrumentTerms { worth_min, ..crate::InstrumentTerms::PLAIN };
    crate::TermsWriter::of(&rig.gate.tables.references).define(INSTRUMENT, &terms).unwrap();
    let mut rig = rig;
    rig.publish_top(&top());
    rig
}

#[test]
fn what_works_is_restored_at_its_price_where_prices_have_become_of_the_other_kind() {
    for before in [false, true] {
        let mut first = of_kind(before);
        let mut steps = Vec::new();
        let mut take = |rig: &mut Rig, order: &OrderIntent| {
            let reservation = rig.gate.reserve(order, NOW).1.expect("let through");
            steps.push(Step::Sent(reservation.sent(order, NOW)).pack());
        };
        take(&mut first, &asks(1, 1, 1, Side::Bid, 0, 10));
        take(&mut first, &asks(2, 1, 1, Side::Ask, 3, 10));
        let replacement = asks(3, 1, 1, Side::Bid, 1, 10);
        let reservation = first.gate.replace(1, &replacement, NOW).1.expect("let through");
        steps.push(Step::Replaced { replaced: 1, sent: reservation.sent(&replacement, NOW) }.pack());
        for steps in [steps, checkpoint(&first.gate)] {
            let mut again = restored_into(of_kind(!before), &steps);
            let prices = |gate: &Gate| {
                let mut open: Vec<_> = gate.open_orders().map(|open| (open.id, open.px)).collect();
                open.sort_unstable_by_key(|(id, _)| *id);
                open
            };
            assert_eq!(prices(&again.gate), prices(&first.gate));
            again.refuses(&asks(9, 1, 1, Side::Ask, 1, 1), RejectReason::SelfMatched);
            again.accepts(&asks(9, 1, 1, Side::Ask, 2, 1));
            again.refuses(&asks(9, 1, 1, Side::Bid, 3, 1), RejectReason::SelfMatched);
            again.accepts(&asks(9, 1, 1, Side::Bid, 2, 1));
        }
    }
}

#[test]
fn a_price_that_the_instrument_cannot_have_any_more_is_refused() {
    let below = crate::price::price_word(px("-0.01"), true);
    let order = OrderIntent { px: px("-0.01"), ..order(1) };
    let sent =
        crate::Sent { order, judged_px: below, interval_ns: 1, value: crate::RoundedValue(0), at: NOW };
    of_kind(true).gate.restore(&Step::Sent(sent)).unwrap();
    let mut positive = of_kind(false);
    assert_eq!(positive.gate.restore(&Step::Sent(sent)), Err(RestoreError::Price(1)));
    // Of an instrument that the feed has not named yet the word stands as it says itself.
    let control = &mut crate::TermsWriter::of(&positive.gate.tables.references);
    control.forget(INSTRUMENT).unwrap();
    positive.gate.restore(&Step::Sent(sent)).unwrap();
    assert_eq!(positive.gate.open_orders().next().map(|open| open.px), Some(px("-0.01")));
}

/// The words are a file format.
#[test]
fn the_words_of_a_step_stay_as_they_are() {
    let order = OrderIntent { tif: TimeInForce::Ioc, ..sell(0x0102) };
    let sent = crate::Sent {
        order,
        judged_px: 0x77,
        interval_ns: 0x55,
        value: RoundedValue(0x44),
        at: UnixNanos(0x66),
    };
    assert_eq!(
        Step::Replaced { replaced: 9, sent }.pack(),
        [0x55_02_01_01_02, 0x0102, 100_020_000_000, 100 << 32 | 1, 0x44 << 32 | 1 << 16 | 1, 0x77, 0x66, 9]
    );
    let event = OrderEvent::Executed { id: 5, execution: 6, qty: Qty(7) };
    assert_eq!(Step::Settled(event).pack(), [7 << 32 | 3 << 8 | 3, 5, 6, 0, 0, 0, 0, 0]);
    let kept = crate::KeptOrder {
        id: 1,
        instrument: InstrumentId(2),
        strategy: StrategyId(3),
        account: AccountId(4),
        side: Side::Ask,
        life: 1,
        px: 5,
        link: 6,
        qty: 7,
        executed: 8,
        pending_qty: 9,
    };
    let words = [9 << 32 | 1 << 16 | 1 << 8 | 8, 1, 5, 7 << 32 | 2, 8 << 32 | 4 << 16 | 3, 6, 0, 0];
    assert_eq!(Step::Order(kept).pack(), words);
    let at = UnixNanos(0x66);
    assert_eq!(Step::CancelSent { id: 5, at }.pack(), [11, 5, 0, 0, 0, 0, 0x66, 0]);
    let doer = Doer::Account(AccountId(4));
    assert_eq!(Step::Did { doer, kind: 2, sum: 9, at }.pack(), [2 << 8 | 13, 9, 0, 0, 4 << 16, 0, 0x66, 0]);
    assert_eq!(Step::Counted(at).pack(), [14, 0, 0, 0, 0, 0, 0x66, 0]);
    let (instrument, strategy) = (InstrumentId(2), StrategyId(3));
    let event = OrderEvent::ExecutedAt { id: 5, execution: 6, qty: Qty(7), px: Px(-8) };
    let words = [7 << 32 | 10 << 8 | 3, 5, 6, 0, 0, 0, 0, u64::MAX - 7];
    assert_eq!(Step::Settled(event).pack(), words);
    let tallied = |doer| Step::Tallied { doer, instrument, traded: -1, cash: -2, volume: 9, at };
    let words = [16, u64::MAX, u64::MAX - 1, 2, 4 << 16, u64::MAX, 0x66, 9];
    assert_eq!(tallied(doer).pack(), words);
    let words = [15, u64::MAX, u64::MAX - 1, 2, 3, u64::MAX, 0x66, 9];
    assert_eq!(tallied(Doer::Strategy(strategy)).pack(), words);
    assert_eq!(Step::Told(at).pack(), [17, 0, 0, 0, 0, 0, 0x66, 0]);
    let streak = Step::Streak { instrument, strategy, side: Side::Ask, window: 7, counts: [5, 6] };
    assert_eq!(streak.pack(), [5 << 32 | 1 << 8 | 18, 7, 6, 2, 3, 0, 0, 0]);
    assert_eq!(Step::Stopped { strategy, count: 9 }.pack(), [9 << 32 | 19, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(Step::StopTaken { strategy, count: 9 }.pack(), [9 << 32 | 20, 0, 0, 0, 3, 0, 0, 0]);
}

/// A gate that takes the checkpoint of `rig`'s.
fn short(rig: &Rig) -> Rig {
    restored(&checkpoint(&rig.gate))
}

#[test]
fn a_replacement_that_waits_reaches_as_far_after_a_checkpoint() {
    // The order is passive and the replacement is not: an own sell at the replacement's price would trade with it. Few orders, under
    // every place that the table's hash gives them.
    for first in 1..40 {
        let mut rig = rig();
        rig.take(&asks(first, 1, 1, Side::Bid, -3, 10));
        let (verdict, reservation) = rig.gate.replace(first, &asks(first + 100, 1, 1, Side::Bid, 1, 10), NOW);
        assert!(reservation.is_some(), "{verdict}");
        let meets = asks(500, 1, 1, Side::Ask, 1, 10);
        assert_eq!(rig.check(&meets).reason, Some(RejectReason::SelfMatched));
        assert_eq!(short(&rig).check(&meets).reason, Some(RejectReason::SelfMatched), "order {first}");
    }
}

#[test]
fn what_is_forgotten_first_is_the_oldest_after_a_checkpoint_too() {
    let mut rig = rig();
    // Seven have closed, of which five are remembered: 3 to 7.
    for id in 1..=7 {
        let now = NOW.plus(Nanos(id * 250_000_000));
        rig.references.heartbeat(now);
        let reservation = rig.gate.reserve(&asks(id, 1, 1, Side::Bid, -3, 10), now).1;
        assert!(reservation.is_some());
        rig.gate.settle(OrderEvent::Executed { id, execution: id, qty: Qty(10) });
    }
    let mut again = short(&rig);
    for rig in [&mut rig, &mut again] {
        let reservation =
            rig.gate.reserve(&asks(8, 1, 1, Side::Bid, -3, 10), NOW.plus(Nanos(2_000_000_000))).1;
        assert!(reservation.is_some());
        rig.gate.settle(OrderEvent::Cancelled { id: 8 });
        let known: Vec<u64> = (1..=8).filter(|id| rig.gate.orders.contains(*id)).collect();
        assert_eq!(known, [4, 5, 6, 7, 8]);
    }
}

#[test]
fn executions_are_forgotten_in_their_order_after_a_checkpoint_too() {
    let mut rig = rig();
    rig.take(&asks(1, 1, 1, Side::Bid, -3, 100));
    // Eleven are remembered: as many as orders, open and recent.
    let fill =
        |rig: &mut Rig, execution| rig.gate.settle(OrderEvent::Executed { id: 1, execution, qty: Qty(1) });
    (1..=13).for_each(|execution| assert_eq!(fill(&mut rig, execution), Settlement::Working));
    let mut again = short(&rig);
    for rig in [&mut rig, &mut again] {
        assert_eq!(fill(rig, 14), Settlement::Working);
        assert_eq!(fill(rig, 4), Settlement::Repeated);
        assert_eq!(fill(rig, 3), Settlement::Working, "forgotten for the sake of the newest");
    }
}
