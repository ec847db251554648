//! Desks, traders and the firm, against strategies and accounts that are limited alike: a desk of one strategy is held to what the
//! strategy would be, and a firm of all strategies to what an account would be that is theirs alone.

use super::*;
use crate::{ExposureLimits, GateError, GroupConfig, GroupKind, OrderEvent, ProfitRules, RejectReason as R};
use proptest::prelude::*;
use std::vec::Vec;

#[derive(Clone, Copy, Debug)]
enum Op {
    New {
        instrument: u32,
        strategy: u16,
        side: Side,
        qty: u32,
        cents: i64,
    },
    /// Of the n-th last order, so much, so many cents from the price that instruments begin at.
    Fill(u64, u32, i64),
    Cancel(u64),
    Replace {
        replaced: u64,
        qty: u32,
        cents: i64,
    },
    Position {
        instrument: u32,
        strategy: u16,
        position: i64,
    },
    Mark(u32, i64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    let cents = || -150_i64..150;
    prop_oneof![
        6 => (0_u32..3, 0_u16..2, side, 1_u32..120, cents()).prop_map(|(instrument, strategy, side, qty, cents)| Op::New { instrument, strategy, side, qty, cents }),
        4 => (0_u64..6, 1_u32..120, cents()).prop_map(|(n, qty, cents)| Op::Fill(n, qty, cents)),
        1 => (0_u64..6).prop_map(Op::Cancel),
        1 => (0_u64..6, 1_u32..150, cents()).prop_map(|(replaced, qty, cents)| Op::Replace { replaced, qty, cents }),
        1 => (0_u32..3, 0_u16..2, -100_i64..100).prop_map(|(instrument, strategy, position)| Op::Position { instrument, strategy, position }),
        2 => (0_u32..3, 9_900_i64..10_100).prop_map(|(instrument, cents)| Op::Mark(instrument, cents)),
    ]
}

fn any_limits() -> impl Strategy<Value = (ExposureLimits, u64)> {
    let limit = || prop_oneof![3 => 1_u64..40_000_000_000, 2 => Just(u64::MAX)];
    let loss = prop_oneof![3 => 1_u64..200_000_000, 1 => Just(u64::MAX)];
    let all = (limit(), limit(), limit(), limit(), loss);
    all.prop_map(|(gross_micros, net_micros, instrument_micros, credit_micros, loss)| {
        (ExposureLimits { gross_micros, net_micros, instrument_micros, credit_micros }, loss)
    })
}

/// The reason of a group in place of a strategy's or an account's: the first strategy's desk, the second one's trader.
fn of_group(reason: R, strategy: u16) -> R {
    let by = |desk, trader| if strategy == 0 { desk } else { trader };
    match reason {
        R::GrossStrategy => by(R::GrossDesk, R::GrossTrader),
        R::NetStrategy => by(R::NetDesk, R::NetTrader),
        R::ConcentrationStrategy => by(R::ConcentrationDesk, R::ConcentrationTrader),
        R::CreditStrategy => by(R::CreditDesk, R::CreditTrader),
        R::LossStrategy => by(R::LossDesk, R::LossTrader),
        R::GrossAccount => R::GrossFirm,
        R::NetAccount => R::NetFirm,
        R::ConcentrationAccount => R::ConcentrationFirm,
        R::CreditAccount => R::CreditFirm,
        R::LossAccount => R::LossFirm,
        reason => reason,
    }
}

const SETTLED: crate::InstrumentTerms = crate::InstrumentTerms {
    settlement: Px(100_000_000_000),
    // The day before that of NOW.
    settlement_date: crate::TradeDate(19_674),
    ..crate::InstrumentTerms::PLAIN
};

fn rig(config: &GateConfig<'_>) -> Rig {
    let roomy = RiskLimits { max_qty: Qty(9_999), max_pos_long: 1 << 40, max_pos_short: 1 << 40, ..CAP };
    let roomy =
        RiskLimits { max_notional_micros: 1 << 60, order_rate_per_s: 20_000, order_burst: 60_000, ..roomy };
    let envelope = Envelope::fixed(RiskLimits { collar_bps: 10_000, margin_bps: 15_001, ..roomy }).unwrap();
    let free = |class| StrategyConfig { class, order_rate_per_s: 1_000_000, order_burst: 1_000_000 };
    let money = Some(crate::MoneyRules { rate_age_max: Nanos(1), undeclared_is_plain: true });
    let strategies = &[free(ClassId(0)), free(CLASS)];
    let base =
        GateConfig { account_positions: false, self_match: SelfMatch::Off, open_orders_max: 200, ..*config };
    let mut rig = Rig::bare(&GateConfig { strategies, money, ..base }, false);
    rig.breakers.set_unset(OPEN);
    let mut control = crate::TermsWriter::of(&rig.gate.tables.references);
    for i in (0..3).map(InstrumentId) {
        control.define(i, &SETTLED).unwrap();
        rig.references.publish(i, &top()).unwrap();
        for class in [ClassId(0), CLASS] {
            rig.statics.publish(i, class, &envelope, &static_terms(), NOW).unwrap();
        }
    }
    rig
}

/// Every breach, or the verdict on a replacement.
fn go(rig: &mut Rig, op: Op, next: u64) -> Vec<R> {
    let at = |cents: i64| Px(px("100.00").0 + cents * CENT.0);
    match op {
        Op::New { instrument, strategy, side, qty, cents } => {
            let (instrument, strategy) = (InstrumentId(instrument), StrategyId(strategy));
            let order =
                OrderIntent { px: at(cents), qty: Qty(qty), instrument, strategy, side, ..order(next) };
            let found = rig.gate.explain(&order, NOW).breaches().map(|breach| breach.reason).collect();
            let fast = rig.gate.check(&order, NOW);
            assert_eq!(rig.gate.reserve(&order, NOW).0, fast);
            found
        }
        Op::Fill(n, qty, cents) => {
            let (id, execution, px) = (next - n, next, at(cents));
            rig.gate.settle(OrderEvent::ExecutedAt { id, execution, qty: Qty(qty), px });
            Vec::new()
        }
        Op::Cancel(n) => {
            rig.gate.settle(OrderEvent::Cancelled { id: next - n });
            Vec::new()
        }
        Op::Replace { replaced, qty, cents } => {
            let held = rig.gate.open_orders().find(|open| open.id == next - replaced);
            let Some(held) = held else { return Vec::new() };
            let crate::OpenOrder { instrument, strategy, side, .. } = held;
            let order =
                OrderIntent { px: at(cents), qty: Qty(qty), instrument, strategy, side, ..order(next) };
            let (verdict, reservation) = rig.gate.replace(held.id, &order, NOW);
            if reservation.is_some() {
                rig.gate.settle(OrderEvent::Replaced { id: next });
            }
            verdict.reason.into_iter().collect()
        }
        Op::Position { instrument, strategy, position } => {
            let (instrument, strategy) = (InstrumentId(instrument), StrategyId(strategy));
            rig.gate.set_position(instrument, strategy, ACCOUNT, position).unwrap();
            Vec::new()
        }
        Op::Mark(instrument, cents) => {
            let (bid, ask) = (Px(cents * CENT.0), Px((cents + 1) * CENT.0));
            rig.references.publish(InstrumentId(instrument), &TopOfBook { bid, ask, ..top() }).unwrap();
            rig.gate.revalue(NOW);
            Vec::new()
        }
    }
}

/// Whose strategy an operation's order is.
fn strategy_of(rig: &Rig, op: Op, next: u64) -> u16 {
    match op {
        Op::New { strategy, .. } => strategy,
        Op::Replace { replaced, .. } => {
            let held = rig.gate.open_orders().find(|open| open.id == next - replaced);
            held.map_or(0, |held| held.strategy.0)
        }
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn a_group_is_held_to_what_a_strategy_or_an_account_would_be(
        ops in proptest::collection::vec(any_op(), 0..60), limits in prop::array::uniform3(any_limits()), fee in 0_u64..10_000_000,
    ) {
        let [(desk, desk_loss), (trader, trader_loss), (firm, firm_loss)] = limits;
        let profit = Some(ProfitRules { fee_nanos_per_unit: fee, ..ProfitRules::DEFAULT });
        let (none, never) = (ExposureLimits::NONE, u64::MAX);
        let mut apart = rig(&GateConfig {
            strategy_limits: &[desk, trader], strategy_loss: &[desk_loss, trader_loss],
            account_limits: &[none, firm], account_loss: &[never, firm_loss], profit, ..CONFIG
        });
        let groups = &[
            GroupConfig { kind: GroupKind::Desk, limits: desk, loss_micros: desk_loss },
            GroupConfig { kind: GroupKind::Trader, limits: trader, loss_micros: trader_loss },
            GroupConfig { kind: GroupKind::Firm, limits: firm, loss_micros: firm_loss },
        ];
        let strategy_groups = &[[Some(0), None, Some(2)], [None, Some(1), Some(2)]];
        let mut grouped = rig(&GateConfig { groups, strategy_groups, profit, mark_age_max: Nanos(1), ..CONFIG });
        for (next, op) in (1_000..).zip(ops) {
            let strategy = strategy_of(&apart, op, next);
            let mut wanted: Vec<_> = go(&mut apart, op, next).into_iter().map(|r| of_group(r, strategy)).collect();
            wanted.sort();
            let mut found = go(&mut grouped, op, next);
            found.sort();
            prop_assert_eq!(found, wanted, "{:?}", op);
        }
    }
}

#[test]
fn groups_that_are_not_there_or_of_another_kind_stop_the_start() {
    let group = GroupConfig { kind: GroupKind::Trader, limits: ExposureLimits::NONE, loss_micros: u64::MAX };
    let tables = || Rig::bare(&CONFIG, false).gate.tables;
    let none: [Option<u16>; 3] = [None; 3];
    let missing = |found, wanted| GateError::Shape { what: "groups, for one of a strategy", found, wanted };
    let kind = GateError::OutOfRange { what: "kind of a strategy's group", found: 1, least: 0, most: 0 };
    for (groups, of, error) in [
        (&[group][..], [None, Some(1), None], missing(1, 2)),
        (&[][..], [Some(0), None, None], missing(0, 1)),
        (&[group][..], [Some(0), None, None], kind),
    ] {
        let config = GateConfig { groups, strategy_groups: &[none, of], ..CONFIG };
        assert_eq!(Gate::new(&config, tables()).err(), Some(error));
    }
    let config = GateConfig { groups: &[group], strategy_groups: &[none, [None, Some(0), None]], ..CONFIG };
    assert!(Gate::new(&config, tables()).is_ok());
    let day = Some(ProfitRules { day_start: Nanos(86_400_000_000_000), ..ProfitRules::DEFAULT });
    let never = Some(ProfitRules { settlement_age_max_days: 0, ..ProfitRules::DEFAULT });
    let repeated = |most, window| Some(crate::RepeatedExecutions { most, window: Nanos(window) });
    for config in [
        GateConfig { strategy_loss: &[1], ..CONFIG },
        GateConfig { strategy_loss: &[1; 3], profit: Some(ProfitRules::DEFAULT), ..CONFIG },
        GateConfig { account_loss: &[1; 3], profit: Some(ProfitRules::DEFAULT), ..CONFIG },
        GateConfig { strategy_groups: &[none; 3], ..CONFIG },
        GateConfig { profit: day, ..CONFIG },
        GateConfig { profit: never, ..CONFIG },
        GateConfig { mark_age_max: Nanos(86_400_000_000_001), ..CONFIG },
        GateConfig { repeated_executions: repeated(1, 1), ..CONFIG },
        GateConfig { repeated_executions: repeated(2, 0), ..CONFIG },
    ] {
        assert!(Gate::new(&config, tables()).is_err());
    }
    let fine = GateConfig { strategy_loss: &[u64::MAX; 2], repeated_executions: repeated(2, 1), ..CONFIG };
    assert!(Gate::new(&fine, tables()).is_ok());
}

/// A limit of the firm's that nothing comes near.
const WIDE: GroupConfig = GroupConfig {
    kind: GroupKind::Firm,
    limits: ExposureLimits {
        gross_micros: 1 << 60,
        net_micros: 1 << 60,
        instrument_micros: 1 << 60,
        credit_micros: 1 << 60,
    },
    loss_micros: 1 << 60,
};

const ALL_OF_THE_FIRM: &[[Option<u16>; 3]] = &[[None, None, Some(0)]; 2];

/// Holds the firm to `most` of one of its limits, and to nothing of the others.
fn hold_to(rig: &mut Rig, limit: usize, most: u64) {
    let mut all = WIDE.divisible();
    all[limit] = most;
    let [gross_micros, net_micros, instrument_micros, credit_micros, loss_micros] = all;
    let limits = ExposureLimits { gross_micros, net_micros, instrument_micros, credit_micros };
    rig.gate.set_group_limits(0, limits, loss_micros);
}

/// What is above the firm's limits, whichever order is asked about.
fn above(rig: &Rig) -> Vec<R> {
    let orders = (0..3).map(InstrumentId).flat_map(|instrument| {
        [Side::Bid, Side::Ask].map(|side| OrderIntent { instrument, side, ..order(1) })
    });
    let mut above: Vec<_> = orders.filter_map(|order| rig.gate.over_quota(&order, NOW)).collect();
    above.dedup();
    above
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// What a group is said to use is the least limit that it is within.
    #[test]
    fn what_a_group_uses_is_the_least_limit_that_it_is_within(ops in proptest::collection::vec(any_op(), 0..40)) {
        let profit = Some(ProfitRules::DEFAULT);
        let mut rig = rig(&GateConfig { groups: &[WIDE], strategy_groups: ALL_OF_THE_FIRM, profit, ..CONFIG });
        for (next, op) in (1_000..).zip(ops) {
            go(&mut rig, op, next);
        }
        let used = rig.gate.group_use(0, (&rig.gate, &|instrument| Some(instrument)), NOW);
        prop_assert_eq!(rig.gate.group_use(1, (&rig.gate, &|_| None), NOW), [Some(0); 5], "a group that is not there");
        let reasons = [R::GrossFirm, R::NetFirm, R::ConcentrationFirm, R::CreditFirm, R::LossFirm];
        for (limit, (used, reason)) in used.into_iter().zip(reasons).enumerate() {
            let used = used.unwrap();
            // As much as is lost is too much; of a loss that is no whole millionth a part of it is left.
            hold_to(&mut rig, limit, used + u64::from(limit == 4));
            prop_assert_eq!(above(&rig), []);
            if used > 0 && rig.gate.group_use(0, (&rig.gate, &|instrument| Some(instrument)), NOW)[0] != Some(0) {
                hold_to(&mut rig, limit, used - 1);
                prop_assert_eq!(above(&rig), [reason]);
            }
            hold_to(&mut rig, limit, 1 << 60);
        }
        let nobody = rig.gate.group_use(0, (&rig.gate, &|_| None), NOW);
        prop_assert!(nobody == [None; 5] || nobody == [Some(0); 5], "what has no number has no price");
    }
}

#[test]
fn an_order_that_was_let_out_by_a_higher_quota_is_found_above_the_lower_one() {
    let rows = std::vec::Vec::leak((0..2).map(|_| crate::QuotaRow::new()).collect());
    let quotas = crate::Quotas::of(rows, 0, 1).unwrap();
    let mut writer = crate::QuotaWriter::new(quotas);
    let part = GroupConfig {
        limits: ExposureLimits { gross_micros: 500_000_000, ..ExposureLimits::NONE },
        loss_micros: u64::MAX,
        ..WIDE
    };
    let mut rig = rig(&GateConfig { groups: &[part], strategy_groups: ALL_OF_THE_FIRM, ..CONFIG });
    (1..5).for_each(|limit| writer.set(0, limit, crate::UNDIVIDED));
    let mut follower = crate::QuotaFollower::new(quotas, &[part], &mut rig.gate, NOW);
    let buy = |id, qty| OrderIntent { px: px("100.00"), qty: Qty(qty), ..order(id) };
    let refused = |rig: &mut Rig, id, qty| rig.gate.reserve(&buy(id, qty), NOW).0.reason;
    assert_eq!(refused(&mut rig, 1, 1), Some(R::GrossFirm), "nobody has given it anything");
    // Ten units, of which the equal part is five.
    writer.set(0, 0, 1_000_000_000);
    writer.renew(NOW);
    writer.publish();
    assert!(follower.has_moved());
    follower.follow(&mut rig.gate, NOW);
    assert!(!follower.has_moved());
    assert_eq!((refused(&mut rig, 2, 8), refused(&mut rig, 3, 3)), (None, Some(R::GrossFirm)));
    writer.set(0, 0, 700_000_000);
    writer.publish();
    assert!(follower.has_moved());
    assert_eq!(rig.gate.over_quota(&buy(2, 8), NOW), None, "by the words that it was judged by");
    follower.follow(&mut rig.gate, NOW);
    assert_eq!(rig.gate.over_quota(&buy(2, 8), NOW), Some(R::GrossFirm));
    assert_eq!(rig.gate.over_quota(&OrderIntent { side: Side::Ask, ..buy(2, 8) }, NOW), None, "it reduces");
    rig.gate.settle(OrderEvent::Cancelled { id: 2 });
    assert_eq!((refused(&mut rig, 4, 6), refused(&mut rig, 5, 2)), (None, Some(R::GrossFirm)));
    // The lease ends: what is above the equal part is taken back, and nothing is sent on top.
    rig.gate.settle(OrderEvent::Cancelled { id: 4 });
    let late = UnixNanos(NOW.0 + 1);
    follower.follow(&mut rig.gate, late);
    assert_eq!((refused(&mut rig, 6, 6), refused(&mut rig, 7, 4)), (Some(R::GrossFirm), None));
}
