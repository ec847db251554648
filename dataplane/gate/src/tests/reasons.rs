//! Every reason can be produced, alone, by the one thing it names.

use super::*;
use crate::{
    ActivityLimits, CurrencyId, ExposureLimits, FAT_FINGER_BUCKETS, FatFingerLimits, FatFingerReader,
    FatFingerTable, GroupConfig, GroupKind, InstrumentTerms, MoneyRules, OrderEvent, ProfitRules,
    REASON_COUNT, RejectReason as R, TermsWriter, TimesInForce,
};
use types::StaleCause;

/// A price that was 120 for twenty seconds and is the usual one now.
fn fallen() -> Rig {
    let mut rig = Rig::new();
    let ts = UnixNanos(NOW.0 - 20_000_000_000);
    rig.publish_top(&TopOfBook { bid: px("120.00"), ask: px("120.00"), ts, ..top() });
    rig.publish_top(&top());
    rig
}

/// A gate that last heard of control a nanosecond too long ago.
fn unheard() -> Rig {
    let mut rig = Rig::with(&GateConfig { daemon_age_max: Nanos::SECOND, ..CONFIG }, true);
    rig.breakers.alive(UnixNanos(NOW.0 - 1_000_000_001));
    rig
}

/// One euro a unit.
const EURO: InstrumentTerms = InstrumentTerms { currency: CurrencyId(1), ..InstrumentTerms::PLAIN };

/// A gate that wants to know what prices mean, knows `terms`, and a rate that is so old.
fn counting(terms: Option<InstrumentTerms>, rate_age: Option<u64>) -> Rig {
    let money = MoneyRules { rate_age_max: Nanos(100), undeclared_is_plain: false };
    let rig = Rig::with(&GateConfig { money: Some(money), ..CONFIG }, true);
    let mut writer = TermsWriter::of(&rig.gate.tables.references);
    if let Some(terms) = terms {
        writer.define(INSTRUMENT, &terms).unwrap();
    }
    if let Some(age) = rate_age {
        writer.rate(CurrencyId(1), 1_000_000_000, UnixNanos(NOW.0 - age));
    }
    rig
}

const ANY: ActivityLimits = ActivityLimits::NONE;

/// A gate whose strategy and account are limited so, and have sent two orders of the usual kind and taken one back.
fn busy(strategy: ActivityLimits, account: ActivityLimits) -> Rig {
    let (strategy_activity, account_activity) = (&[ANY, strategy], &[ANY, account]);
    let window = Nanos(1_000_000_000);
    let mut rig = Rig::with(&GateConfig { window, strategy_activity, account_activity, ..CONFIG }, true);
    (50..52).for_each(|id| rig.take(&order(id)));
    rig.gate.cancel(50, NOW);
    rig
}

const NO_LIMIT: ExposureLimits = ExposureLimits::NONE;

/// A millionth less than a hundred are worth at the mid.
const SHORT: u64 = 10_000_999_999;

/// A gate whose strategy and account are limited so.
fn exposed(strategy: ExposureLimits, account: ExposureLimits) -> Rig {
    let (strategy_limits, account_limits) = (&[NO_LIMIT, strategy], &[NO_LIMIT, account]);
    Rig::with(&GateConfig { strategy_limits, account_limits, ..CONFIG }, true)
}

/// An account with a credit, which holds something that has a price, and in which no class has limits.
fn unmargined() -> Rig {
    let mut rig = exposed(NO_LIMIT, ExposureLimits { credit_micros: 1 << 60, ..NO_LIMIT });
    rig.references.publish(InstrumentId(2), &top()).expect("a row");
    rig.gate.set_position(InstrumentId(2), STRATEGY, ACCOUNT, 1).expect("a cell");
    rig
}

/// A gate whose strategy belongs to a group of `kind` that is limited so.
fn grouped(kind: GroupKind, limits: ExposureLimits, loss_micros: u64) -> Rig {
    let mut groups_of = [None; 3];
    groups_of[kind as usize] = Some(0);
    let groups = &[GroupConfig { kind, limits, loss_micros }];
    let profit = Some(ProfitRules::DEFAULT);
    Rig::with(&GateConfig { groups, strategy_groups: &[[None; 3], groups_of], profit, ..CONFIG }, true)
}

/// The same, a hundred bought at the offer and sold at the bid.
fn lost(mut rig: Rig) -> Rig {
    rig.take(&OrderIntent { px: px("100.02"), ..order(50) });
    rig.gate.settle(OrderEvent::Executed { id: 50, execution: 1, qty: Qty(100) });
    rig.take(&OrderIntent { px: px("100.00"), ..sell(51) });
    let (execution, qty) = (2, Qty(100));
    rig.gate.settle(OrderEvent::ExecutedAt { id: 51, execution, qty, px: px("100.00") });
    rig
}

/// A gate whose strategy and account may lose so much.
fn losing(strategy: u64, account: u64) -> Rig {
    let profit = Some(ProfitRules::DEFAULT);
    let (strategy_loss, account_loss) = (&[u64::MAX, strategy], &[u64::MAX, account]);
    Rig::with(&GateConfig { profit, strategy_loss, account_loss, ..CONFIG }, true)
}

/// Two cents a unit.
const TWO_DOLLARS: u64 = 2_000_000;

/// A gate whose strategy's orders were executed twice on one side.
fn repeating() -> Rig {
    let repeated_executions = Some(crate::RepeatedExecutions { most: 2, window: Nanos::SECOND });
    let mut rig = Rig::with(&GateConfig { repeated_executions, ..CONFIG }, true);
    for id in 50..52 {
        rig.take(&order(id));
        rig.gate.settle(OrderEvent::Filled { id, qty: Qty(50) });
    }
    rig.hold(0);
    rig
}

/// A rig whose desk, trader or firm breaks `reason` with the usual order and nothing else, or what it lost or did.
fn of_group(reason: R) -> Rig {
    let (gross, net, one, credit) = (
        ExposureLimits { gross_micros: SHORT, ..NO_LIMIT },
        ExposureLimits { net_micros: SHORT, ..NO_LIMIT },
        ExposureLimits { instrument_micros: SHORT, ..NO_LIMIT },
        ExposureLimits { credit_micros: SHORT, ..NO_LIMIT },
    );
    match reason {
        R::CreditDesk => grouped(GroupKind::Desk, credit, u64::MAX),
        R::CreditTrader => grouped(GroupKind::Trader, credit, u64::MAX),
        R::CreditFirm => grouped(GroupKind::Firm, credit, u64::MAX),
        R::GrossDesk => grouped(GroupKind::Desk, gross, u64::MAX),
        R::GrossTrader => grouped(GroupKind::Trader, gross, u64::MAX),
        R::GrossFirm => grouped(GroupKind::Firm, gross, u64::MAX),
        R::NetDesk => grouped(GroupKind::Desk, net, u64::MAX),
        R::NetTrader => grouped(GroupKind::Trader, net, u64::MAX),
        R::NetFirm => grouped(GroupKind::Firm, net, u64::MAX),
        R::ConcentrationDesk => grouped(GroupKind::Desk, one, u64::MAX),
        R::ConcentrationTrader => grouped(GroupKind::Trader, one, u64::MAX),
        R::ConcentrationFirm => grouped(GroupKind::Firm, one, u64::MAX),
        R::LossStrategy => lost(losing(TWO_DOLLARS, u64::MAX)),
        R::LossAccount => lost(losing(u64::MAX, TWO_DOLLARS)),
        R::LossDesk => lost(grouped(GroupKind::Desk, NO_LIMIT, TWO_DOLLARS)),
        R::LossTrader => lost(grouped(GroupKind::Trader, NO_LIMIT, TWO_DOLLARS)),
        R::LossFirm => lost(grouped(GroupKind::Firm, NO_LIMIT, TWO_DOLLARS)),
        R::LossUnknown => {
            let mut rig = losing(TWO_DOLLARS, u64::MAX);
            rig.gate.set_position(InstrumentId(2), STRATEGY, ACCOUNT, 1).expect("a cell");
            rig
        }
        R::RepeatedExecutions => repeating(),
        _ => panic!("{reason} needs a scenario"),
    }
}

/// A rig whose strategy, or account, breaks `reason` with the usual order and nothing else.
fn of_level(reason: R) -> Rig {
    match reason {
        R::GrossStrategy => exposed(ExposureLimits { gross_micros: SHORT, ..NO_LIMIT }, NO_LIMIT),
        R::GrossAccount => exposed(NO_LIMIT, ExposureLimits { gross_micros: SHORT, ..NO_LIMIT }),
        R::NetStrategy => exposed(ExposureLimits { net_micros: SHORT, ..NO_LIMIT }, NO_LIMIT),
        R::NetAccount => exposed(NO_LIMIT, ExposureLimits { net_micros: SHORT, ..NO_LIMIT }),
        R::ConcentrationStrategy => {
            exposed(ExposureLimits { instrument_micros: SHORT, ..NO_LIMIT }, NO_LIMIT)
        }
        R::ConcentrationAccount => exposed(NO_LIMIT, ExposureLimits { instrument_micros: SHORT, ..NO_LIMIT }),
        R::NotInForce => at_once_only(),
        R::MarginUnknown => unmargined(),
        R::CreditStrategy => exposed(ExposureLimits { credit_micros: SHORT, ..NO_LIMIT }, NO_LIMIT),
        R::CreditAccount => exposed(NO_LIMIT, ExposureLimits { credit_micros: SHORT, ..NO_LIMIT }),
        R::RollingValueStrategy => busy(ActivityLimits { value_micros: 29_999_999_999, ..ANY }, ANY),
        R::RollingValueAccount => busy(ANY, ActivityLimits { value_micros: 29_999_999_999, ..ANY }),
        R::RollingQtyStrategy => busy(ActivityLimits { qty: 299, ..ANY }, ANY),
        R::RollingQtyAccount => busy(ANY, ActivityLimits { qty: 299, ..ANY }),
        R::MessagesStrategy => busy(ActivityLimits { messages: 3, ..ANY }, ANY),
        R::MessagesAccount => busy(ANY, ActivityLimits { messages: 3, ..ANY }),
        R::CancelsStrategy => busy(ActivityLimits { cancels: 0, ..ANY }, ANY),
        R::CancelsAccount => busy(ANY, ActivityLimits { cancels: 0, ..ANY }),
        R::OrderToTradeStrategy => busy(ActivityLimits { messages_per_trade: 3, ..ANY }, ANY),
        R::OrderToTradeAccount => busy(ANY, ActivityLimits { messages_per_trade: 3, ..ANY }),
        _ => of_group(reason),
    }
}

/// A rig and an order that breaks `reason` and nothing else. A new reason needs a scenario here or in [`of_level`].
fn scenario(reason: R) -> (Rig, OrderIntent) {
    let (mut rig, mut order) = (Rig::new(), order(1));
    match reason {
        R::HaltUnreadable => rig = bare_breakers(),
        R::HaltedFirm => rig.set(BreakerKey::Firm, BreakerState::Tripped),
        R::HaltedAccount => rig.set(BreakerKey::Account(ACCOUNT), BreakerState::Tripped),
        R::HaltedStrategy => rig.set(BreakerKey::Strategy(STRATEGY), BreakerState::Tripped),
        R::HaltedInstrument => rig.set(BreakerKey::Instrument(INSTRUMENT), BreakerState::Tripped),
        R::TierCritical => rig.publish_live(&LIVE, Tier::Critical, NOW),
        R::ReduceOnly => rig.set(BreakerKey::Firm, BreakerState::ReduceOnly),
        R::DaemonLost => rig = unheard(),
        R::ClockBad => rig.gate.clock = NOW.plus(Nanos(1)),
        R::UnknownInstrument => order.instrument = InstrumentId(3),
        R::UnknownStrategy => order.strategy = StrategyId(2),
        R::UnknownAccount => order.account = AccountId(2),
        R::NotPermitted => permit(&mut rig, Permission::Denied),
        R::Restricted => permit(&mut rig, Permission::Restricted),
        R::TermsMissing => rig = counting(None, None),
        R::FxMissing => rig = counting(Some(EURO), None),
        R::FxStale => rig = counting(Some(EURO), Some(101)),
        R::BadField => order.cl_ord_id = 0,
        R::BadQty => order.qty = Qty(0),
        R::BadPrice => order = OrderIntent { px: px("1.00"), ..market(1, Side::Bid) },
        R::TickUnknown => rig.publish_top(&TopOfBook { tick: Px::NONE, ..top() }),
        R::BadTick => order.px = px("100.005"),
        R::BadLot => rig.publish_static(&envelope(), &StaticTerms { lot: Qty(30), ..static_terms() }),
        R::MktState => rig.publish_top(&TopOfBook { status: TradingStatus::Halted, ..top() }),
        R::MktStateUnknown => rig.publish_top(&TopOfBook { status: TradingStatus::Unknown, ..top() }),
        R::Duplicate => rig.take(&order),
        // These three belong to replacements; see `settlement`.
        R::UnknownOrder | R::BadReplace | R::ReplacePending => {}
        R::Repeated => rig = just_sent(),
        R::TableFull => (rig, order.cl_ord_id) = (full_table(), 100),
        R::LimitsMissing => {
            order.instrument = InstrumentId(0);
            rig.references.publish(order.instrument, &top()).expect("a row");
        }
        R::LimitsTorn => torn_statics(&mut rig),
        R::QtyStatic => (rig, order.qty) = (Rig::statics_only(), Qty(401)),
        R::QtyDynamic => order.qty = Qty(501),
        R::QtyFatFinger => rig.gate.set_fat_finger(small_fat_finger()),
        R::Value => narrow(&mut rig, &RiskLimits { max_notional_micros: 9_999_000_000, ..LIVE }),
        R::RefMissing => rig.publish_top(&TopOfBook { bid: Px::NONE, last: Px::NONE, ..top() }),
        R::RefStale => rig.publish_top(&TopOfBook { state: BookState::Stale(StaleCause::Gap), ..top() }),
        R::RefTorn => rig.references.abandon(INSTRUMENT),
        R::Collar => order.px = px("95.00"),
        R::PeriodCollar => (rig, order) = (fallen(), sell(1)),
        R::DepthShort => order = beyond_the_book(&mut rig),
        R::PassiveBand => narrow(&mut rig, &RiskLimits { passive_min_ticks: 3, ..LIVE }),
        R::PosLong => rig.hold(1_901),
        R::PosShort => {
            rig.hold(-1_401);
            order = sell(1);
        }
        R::Unreconciled => {
            rig.gate.settle(crate::OrderEvent::Filled { id: 77, qty: Qty(1) });
        }
        R::AccountPos => other_strategy_holds(&mut rig, 1_901),
        R::MarkMissing => {
            rig = exposed(ExposureLimits { gross_micros: 1 << 60, ..NO_LIMIT }, NO_LIMIT);
            rig.gate.set_position(InstrumentId(2), STRATEGY, ACCOUNT, 1).expect("a cell");
        }
        R::SelfMatched => order.px = own_sell(&mut rig),
        R::Locate => (rig, order) = (Rig::locating(&CONFIG), sell(1)),
        R::Rate => (10..14).for_each(|id| rig.take(&super::order(id))),
        R::RateStrategy => rig = slow_strategy(),
        _ => rig = of_level(reason),
    }
    (rig, order)
}

fn permit(rig: &mut Rig, permission: Permission) {
    rig.publish_static(&envelope(), &StaticTerms { permission, ..static_terms() });
}

fn narrow(rig: &mut Rig, limits: &RiskLimits) {
    rig.publish_live(limits, Tier::Normal, NOW);
}

fn bare_breakers() -> Rig {
    let mut rig = Rig::bare(&CONFIG, true);
    rig.publish_static(&envelope(), &static_terms());
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.publish_top(&top());
    rig
}

/// A strategy that may only trade at once.
fn at_once_only() -> Rig {
    let at_once = [TimesInForce::ANY, TimesInForce::of([TimeInForce::Ioc])];
    Rig::with(&GateConfig { strategy_times_in_force: &at_once, ..CONFIG }, true)
}

/// A model that finds anything above 99 unlikely to be meant.
fn small_fat_finger() -> FatFingerReader {
    let (mut writer, reader) = FatFingerTable::create(&Rig::new().gate.tables.statics).expect("a table");
    let fat_finger = FatFingerLimits::new([Qty(99); FAT_FINGER_BUCKETS]);
    writer.publish(INSTRUMENT, &fat_finger, Nanos::SECOND, 1, NOW).expect("a row");
    reader
}

/// An officer whose writer died in the middle of a record, after one that the scorer has not yet clamped under: live limits
/// clamped under the last whole record would still hold.
fn torn_statics(rig: &mut Rig) {
    rig.publish_static(&envelope(), &static_terms());
    rig.statics.abandon(INSTRUMENT, CLASS);
}

/// The account holds so much in the same instrument for another strategy.
fn other_strategy_holds(rig: &mut Rig, position: i64) {
    rig.gate.set_position(INSTRUMENT, StrategyId(0), ACCOUNT, position).expect("a cell");
}

/// The same order was let through at this moment, and a gate that minds.
fn just_sent() -> Rig {
    let mut rig = Rig::with(&GateConfig { repeat_window: Nanos(1_000), ..CONFIG }, true);
    rig.take(&order(2));
    rig
}

/// The account sells at this price.
fn own_sell(rig: &mut Rig) -> Px {
    rig.take(&sell(2));
    sell(2).px
}

/// A market order for one more than the ask shows.
fn beyond_the_book(rig: &mut Rig) -> OrderIntent {
    rig.publish_top(&TopOfBook { ask_qty: 99, ..top() });
    market(1, Side::Bid)
}

fn full_table() -> Rig {
    let mut rig = Rig::with(&GateConfig { open_orders_max: 2, ..CONFIG }, true);
    rig.take(&order(1));
    rig.take(&order(2));
    rig
}

fn slow_strategy() -> Rig {
    let slow = StrategyConfig { order_rate_per_s: 1, order_burst: 1, ..STRATEGIES[1] };
    let mut rig = Rig::with(&GateConfig { strategies: &[STRATEGIES[0], slow], ..CONFIG }, true);
    rig.take(&order(50));
    rig
}

/// Nor is what works replaced by what would stay over night.
#[test]
fn a_replacement_is_held_to_the_times_in_force_too() {
    let sets = [TimesInForce::ANY, TimesInForce::of([TimeInForce::Day, TimeInForce::Ioc])];
    let mut rig = Rig::with(&GateConfig { strategy_times_in_force: &sets, ..CONFIG }, true);
    rig.take(&order(1));
    for (tif, reason) in [(TimeInForce::Gtc, Some(R::NotInForce)), (TimeInForce::Day, None)] {
        let (verdict, reservation) = rig.gate.replace(1, &OrderIntent { tif, ..order(2) }, NOW);
        assert_eq!((verdict.reason, reservation.is_some()), (reason, reason.is_none()));
    }
    let three = GateConfig { strategy_times_in_force: &[sets[0]; 3], ..CONFIG };
    assert!(
        Gate::new(&three, Rig::bare(&CONFIG, true).gate.tables).is_err(),
        "more than there are strategies"
    );
}

/// An exit is not held for a value that nobody can count: only its price and its size are.
#[test]
fn what_only_closes_passes_without_terms_or_rate() {
    for reason in [R::TermsMissing, R::FxMissing, R::FxStale] {
        let (mut rig, order) = scenario(reason);
        rig.refuses(&order, reason);
        rig.hold(1_000);
        let exit = |qty| OrderIntent { qty: Qty(qty), ..sell(1) };
        rig.accepts(&exit(400));
        rig.refuses(&OrderIntent { px: px("105.10"), ..exit(400) }, R::Collar);
        rig.refuses(&exit(501), R::QtyDynamic);
        rig.hold(399);
        rig.refuses(&exit(400), reason);
        rig.refuses(&order, reason);
    }
}

fn for_replacements(reason: R) -> bool {
    matches!(reason, R::UnknownOrder | R::BadReplace | R::ReplacePending)
}

#[test]
fn every_reason_is_produced_alone_by_what_it_names() {
    for reason in R::ALL.into_iter().filter(|r| !for_replacements(*r)) {
        let (mut rig, order) = scenario(reason);
        rig.refuses(&order, reason);
        let all: std::vec::Vec<_> = rig.gate.explain(&order, NOW).breaches().map(|b| b.reason).collect();
        assert_eq!(all, [reason]);
    }
}

#[test]
fn the_numbers_of_every_verdict_are_those_an_officer_would_look_up() {
    let numbers = |reason| {
        let (mut rig, order) = scenario(reason);
        let verdict = rig.refuses(&order, reason);
        (verdict.limit, verdict.value)
    };
    for (reason, limit, value) in [
        (R::HaltedAccount, 0, 1),
        (R::HaltedStrategy, 0, 1),
        (R::HaltedInstrument, 0, 1),
        (R::TierCritical, 0, 12_300),
        (R::ReduceOnly, 0, 100),
        (R::DaemonLost, 1_000_000_000, 1_000_000_001),
        (R::ClockBad, 1_700_000_000_000_000_001, 1_700_000_000_000_000_000),
        (R::UnknownInstrument, 3, 3),
        (R::UnknownStrategy, 2, 2),
        (R::UnknownAccount, 2, 2),
        (R::TermsMissing, 0, 1),
        (R::FxStale, 100, 101),
        (R::BadQty, 1, 0),
        (R::BadPrice, crate::PX_MAX.0, 1_000_000_000),
        (R::BadTick, CENT.0, 100_005_000_000),
        (R::BadLot, 30, 100),
        (R::NotInForce, 0, 1),
        (R::MktState, 0, 2),
        (R::TableFull, 2, 2),
        (R::QtyStatic, 400, 401),
        (R::QtyDynamic, 500, 501),
        (R::QtyFatFinger, 99, 100),
        (R::Value, 9_999_000_000, 10_000_000_000),
        (R::Collar, 500, 501),
        (R::PeriodCollar, 1_000, 1_665),
        (R::DepthShort, 99, 100),
        (R::PassiveBand, 3, 2),
        (R::PosLong, 2_000, 2_001),
        (R::PosShort, 1_500, 1_501),
        (R::Unreconciled, 0, 0),
        (R::Repeated, 1_000, 0),
        (R::AccountPos, 2_000, 2_001),
        (R::MarkMissing, 0, 2),
        (R::LossStrategy, 2_000_000, 2_000_000),
        (R::LossAccount, 2_000_000, 2_000_000),
        (R::LossDesk, 2_000_000, 2_000_000),
        (R::LossTrader, 2_000_000, 2_000_000),
        (R::LossFirm, 2_000_000, 2_000_000),
        (R::LossUnknown, 0, 2),
        (R::RepeatedExecutions, 0, 1),
        (R::SelfMatched, 100_020_000_000, 100_020_000_000),
        (R::Rate, 10, 0),
        (R::RateStrategy, 1, 0),
        (R::RollingValueStrategy, 29_999_999_999, 30_000_000_000),
        (R::RollingValueAccount, 29_999_999_999, 30_000_000_000),
        (R::RollingQtyStrategy, 299, 300),
        (R::RollingQtyAccount, 299, 300),
        (R::MessagesStrategy, 3, 4),
        (R::MessagesAccount, 3, 4),
        (R::CancelsStrategy, 0, 1),
        (R::CancelsAccount, 0, 1),
        (R::OrderToTradeStrategy, 3, 4),
        (R::OrderToTradeAccount, 3, 4),
    ] {
        assert_eq!(numbers(reason), (limit, value), "{reason}");
    }
    for reason in
        R::ALL.into_iter().filter(|reason| matches!(reason.code(), 1110..=1115 | 1120..=1128 | 1130..=1134))
    {
        assert_eq!(numbers(reason), (10_000_999_999, 10_001_000_000), "{reason}");
    }
}

#[test]
fn a_reason_without_a_unit_has_no_numbers() {
    let without = |reason: &R| reason.unit() == crate::Unit::None && !for_replacements(*reason);
    for reason in R::ALL.into_iter().filter(without) {
        let (mut rig, order) = scenario(reason);
        let verdict = rig.refuses(&order, reason);
        assert_eq!((verdict.limit, verdict.value), (0, 0), "{reason}");
    }
}

#[test]
fn the_first_breach_in_the_order_of_the_codes_decides_and_explain_lists_them_all() {
    let mut rig = Rig::new();
    rig.set(BreakerKey::Firm, BreakerState::Tripped);
    rig.publish_top(&TopOfBook { status: TradingStatus::Closed, ..top() });
    let bad = OrderIntent { cl_ord_id: 0, qty: Qty(700), px: px("90.005"), ..order(1) };
    rig.refuses(&bad, R::HaltedFirm);
    let all: std::vec::Vec<_> = rig.gate.explain(&bad, NOW).breaches().map(|b| b.reason).collect();
    let want = [
        R::HaltedFirm,
        R::BadField,
        R::BadTick,
        R::MktState,
        R::QtyStatic,
        R::QtyDynamic,
        R::Value,
        R::Collar,
    ];
    assert_eq!(all, want);
    assert_eq!(rig.gate.explain(&bad, NOW).limits, Some(LIVE));
}

#[test]
fn an_explanation_has_room_for_every_reason() {
    let mut all = crate::Explanation::new(Rig::new().check(&order(1)), None);
    for reason in R::ALL {
        all.push(crate::Breach { reason, limit: 0, value: 0 });
    }
    assert_eq!(all.breaches().count(), REASON_COUNT);
}

#[test]
fn the_common_order_is_accepted_with_what_it_was_judged_by() {
    let rig = Rig::new();
    let verdict = rig.accepts(&order(1));
    assert_eq!(verdict.decision, Decision::Accept);
    assert_eq!((verdict.tier, verdict.score.micros(), verdict.version), (Tier::Normal, 12_300, 9));
    assert_eq!((verdict.source, verdict.code(), verdict.slug()), (crate::LimitsSource::Dynamic, 0, ""));
    assert_eq!((verdict.limit, verdict.value), (0, 0));
    let explained = rig.gate.explain(&order(1), NOW);
    assert_eq!((explained.verdict, explained.limits, explained.breaches().count()), (verdict, Some(LIVE), 0));
}
