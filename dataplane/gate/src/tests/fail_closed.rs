//! Whatever is missing, late, torn or broken refuses the order or tightens its limits; nothing missing lets one through.

use super::*;
use crate::{FatFingerTable, LimitsSource, RejectReason as R};
use types::{FEEDS_MAX, FeedIndex, StaleCause};

#[test]
fn without_any_publication_nothing_passes() {
    let mut rig = Rig::bare(&CONFIG, true);
    rig.refuses(&order(1), R::HaltUnreadable);
    rig.breakers.set_unset(OPEN);
    rig.refuses(&order(1), R::LimitsMissing);
    rig.publish_static(&envelope(), &static_terms());
    rig.refuses(&order(1), R::RefMissing);
    rig.publish_top(&top());
    let verdict = rig.accepts(&OrderIntent { px: px("99.99"), ..order(1) });
    assert_eq!(verdict.source, LimitsSource::StaticEmpty);
}

#[test]
fn a_dead_scorer_leaves_the_static_base_and_the_verdict_says_so() {
    let mut rig = Rig::new();
    let wide = OrderIntent { qty: Qty(450), px: px("99.99"), ..order(1) };
    let last = NOW.plus(Nanos(999_999_999));
    rig.references.heartbeat(last.plus(Nanos(1)));
    assert_eq!(rig.gate.check(&wide, last).source, LimitsSource::Dynamic);
    let verdict = rig.gate.check(&wide, last.plus(Nanos(1)));
    assert_eq!((verdict.reason, verdict.limit), (Some(R::QtyStatic), 400));
    assert_eq!((verdict.source, verdict.tier, verdict.version), (LimitsSource::StaticLease, Tier::Normal, 9));
    assert!(verdict.source.as_str().starts_with("static"));
    let small = OrderIntent { qty: Qty(300), ..wide };
    assert!(rig.gate.check(&small, last.plus(Nanos(1))).accepted());
}

#[test]
fn a_gate_without_a_model_holds_the_static_base() {
    let mut rig = Rig::statics_only();
    let verdict = rig.refuses(&OrderIntent { qty: Qty(450), px: px("99.99"), ..order(1) }, R::QtyStatic);
    assert_eq!(verdict.source, LimitsSource::Static);
    assert_eq!(rig.gate.explain(&order(1), NOW).limits, Some(BASE));
}

#[test]
fn limits_from_the_future_are_no_limits() {
    let mut rig = Rig::new();
    rig.publish_live(&LIVE, Tier::Normal, NOW.plus(Nanos(2_000_000)));
    assert_eq!(rig.check(&order(1)).source, LimitsSource::StaticLease);
    rig.publish_live(&LIVE, Tier::Normal, NOW.plus(crate::Lease::SKEW_MAX));
    assert_eq!(rig.check(&order(1)).source, LimitsSource::Dynamic);
}

#[test]
fn critical_outlives_its_lease_and_ends_by_a_publication_alone() {
    let mut rig = Rig::new();
    rig.publish_live(&LIVE, Tier::Critical, NOW);
    let later = NOW.plus(Nanos(3_000_000_000));
    rig.references.heartbeat(later);
    let verdict = rig.gate.check(&order(1), later);
    assert_eq!((verdict.reason, verdict.source), (Some(R::TierCritical), LimitsSource::StaticLease));
    assert_eq!(verdict.tier, Tier::Critical);
    rig.publish_live(&LIVE, Tier::Normal, later);
    assert!(rig.gate.check(&order(1), later).accepted());
}

#[test]
fn critical_lets_a_reducing_order_out_only_when_the_configuration_says_so() {
    for (allowed, want) in [(false, Some(R::TierCritical)), (true, None)] {
        let mut rig = Rig::with(&GateConfig { critical_reduce_only: allowed, ..CONFIG }, true);
        rig.publish_live(&LIVE, Tier::Critical, NOW);
        rig.hold(100);
        assert_eq!(rig.check(&sell(1)).reason, want);
        assert_eq!(rig.check(&OrderIntent { qty: Qty(101), ..sell(1) }).reason, Some(R::TierCritical));
        assert_eq!(rig.check(&order(1)).reason, Some(R::TierCritical));
    }
}

#[test]
fn an_officer_who_tightens_is_obeyed_before_the_scorer_knows() {
    let mut rig = Rig::new();
    rig.accepts(&OrderIntent { qty: Qty(450), ..order(1) });
    let tight = RiskLimits { max_qty: Qty(200), max_pos_long: 150, ..CAP };
    let narrow =
        Envelope::new(FLOOR, RiskLimits { max_qty: Qty(200), max_pos_long: 150, ..BASE }, tight).unwrap();
    rig.publish_static(&narrow, &static_terms());
    let verdict = rig.refuses(&OrderIntent { qty: Qty(201), ..order(1) }, R::QtyStatic);
    assert_eq!((verdict.limit, verdict.source), (200, LimitsSource::Dynamic));
    rig.refuses(&OrderIntent { qty: Qty(151), ..order(1) }, R::PosLong);
    // The scorer goes on publishing under its old envelope: the table's writer clamps for it.
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.refuses(&OrderIntent { qty: Qty(201), ..order(1) }, R::QtyStatic);
    rig.accepts(&OrderIntent { qty: Qty(150), ..order(1) });
    rig.publish_static(&envelope(), &StaticTerms { permission: Permission::Restricted, ..static_terms() });
    rig.refuses(&order(1), R::Restricted);
}

#[test]
fn a_scorer_whose_table_does_not_know_the_officers_is_clamped_on_every_order() {
    let (mut writer, reader) = LimitTable::create(INSTRUMENTS, 2).unwrap();
    let mut rig = Rig::new();
    rig.gate.tables.dynamics = Some(reader);
    let beyond = Envelope::fixed(RiskLimits { max_qty: Qty(9_000), ..CAP }).unwrap();
    let limits = beyond.clamp(beyond.cap());
    writer.publish(INSTRUMENT, CLASS, &limits, &terms(Tier::Normal), NOW).unwrap();
    let verdict = rig.refuses(&OrderIntent { qty: Qty(601), px: px("100.00"), ..order(1) }, R::QtyStatic);
    assert_eq!((verdict.limit, verdict.source), (600, LimitsSource::Dynamic));
    rig.accepts(&OrderIntent { qty: Qty(600), ..order(1) });
}

#[test]
fn live_limits_clamped_under_the_last_whole_static_record_survive_a_torn_one() {
    let mut rig = Rig::new();
    rig.statics.abandon(INSTRUMENT, CLASS);
    assert_eq!(rig.accepts(&order(1)).source, LimitsSource::Dynamic);
    // What is published from now on could not be clamped, so it is not believed.
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.refuses(&order(1), R::LimitsTorn);
}

#[test]
fn a_reference_is_as_old_as_the_younger_of_its_stamp_and_the_feeds_heartbeat() {
    let mut rig = Rig::new();
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    let age = GateConfig::DEFAULT.ref_age_max;
    let at = |rig: &Rig, now| rig.gate.check(&OrderIntent { px: px("99.99"), ..order(1) }, now);
    assert!(at(&rig, NOW.plus(age)).accepted());
    let late = NOW.plus(Nanos(age.0 + 1));
    let verdict = at(&rig, late);
    assert_eq!(
        (verdict.reason, verdict.limit, verdict.value),
        (Some(R::RefStale), 5_000_000_000, 5_000_000_001)
    );
    rig.references.heartbeat(NOW.plus(Nanos(1)));
    assert!(at(&rig, late).accepted());
    let future = UnixNanos(NOW.0 - age.0 - 2);
    rig.references.heartbeat(UnixNanos(0));
    assert_eq!(at(&rig, future).reason, Some(R::RefStale), "a stamp from the future is as bad as an old one");
}

#[test]
fn no_feed_vouches_for_a_quote_of_another() {
    let mut rig = Rig::new();
    let [first, last] = [0, FEEDS_MAX - 1].map(|index| FeedIndex::new(index).unwrap());
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    let late = NOW.plus(Nanos(GateConfig::DEFAULT.ref_age_max.0 + 1));
    let at = |rig: &Rig| rig.gate.check(&OrderIntent { px: px("99.99"), ..order(1) }, late).reason;
    for (of, other) in [(last, first), (first, last)] {
        rig.references.of_feed(of);
        rig.publish_top(&top());
        rig.references.of_feed(other);
        rig.references.heartbeat(late);
        rig.references.of_feed(of);
        rig.references.heartbeat(NOW);
        assert_eq!(at(&rig), Some(R::RefStale), "{of:?} is silent, {other:?} lives");
        rig.references.heartbeat(late);
        assert_eq!(at(&rig), None, "{of:?} lives");
    }
}

#[test]
fn no_book_that_is_not_live_gives_a_reference() {
    for (state, reason) in [
        (BookState::Empty, R::RefMissing),
        (BookState::Recovering, R::RefStale),
        (BookState::Stale(StaleCause::Gap), R::RefStale),
        (BookState::Stale(StaleCause::TableFull), R::RefStale),
        (BookState::Stale(StaleCause::SessionChange), R::RefStale),
    ] {
        let mut rig = Rig::new();
        rig.publish_top(&TopOfBook { state, ..top() });
        rig.refuses(&order(1), reason);
    }
}

#[test]
fn no_status_but_trading_lets_an_order_through() {
    for (status, reason) in [
        (TradingStatus::Unknown, R::MktStateUnknown),
        (TradingStatus::Halted, R::MktState),
        (TradingStatus::Paused, R::MktState),
        (TradingStatus::Closed, R::MktState),
    ] {
        let mut rig = Rig::new();
        rig.publish_top(&TopOfBook { status, ..top() });
        rig.refuses(&order(1), reason);
        rig.refuses(&market(1, Side::Ask), reason);
    }
}

#[test]
fn a_market_order_without_a_far_side_is_refused_and_with_one_is_not_exempt() {
    let mut rig = Rig::new();
    rig.publish_top(&TopOfBook { ask: Px::NONE, last: px("100.00"), ..top() });
    rig.refuses(&market(1, Side::Bid), R::RefMissing);
    rig.accepts(&market(1, Side::Ask));
    rig.publish_top(&TopOfBook { ask: px("112.00"), last: px("100.00"), ..top() });
    let verdict = rig.refuses(&market(1, Side::Bid), R::Collar);
    assert_eq!((verdict.limit, verdict.value), (500, 1_200));
    rig.publish_live(&RiskLimits { max_notional_micros: 9_000_000_000, ..LIVE }, Tier::Normal, NOW);
    rig.refuses(&market(1, Side::Ask), R::Value);
}

#[test]
fn prices_that_are_none_are_refused_with_and_without_a_reference() {
    for bad in [Px(0), Px(-1), Px::NONE, Px(i64::MIN), Px(crate::PX_MAX.0 + 1)] {
        let mut rig = Rig::new();
        rig.refuses(&OrderIntent { px: bad, ..order(1) }, R::BadPrice);
        rig.references.abandon(INSTRUMENT);
        rig.refuses(&OrderIntent { px: bad, ..order(1) }, R::BadPrice);
    }
}

#[test]
fn a_lot_of_zero_divides_nothing() {
    let mut rig = Rig::new();
    rig.publish_static(&envelope(), &StaticTerms { lot: Qty(0), ..static_terms() });
    rig.refuses(&order(1), R::BadLot);
}

#[test]
fn a_clock_at_zero_or_stepped_back_refuses_until_it_has_caught_up() {
    let mut rig = Rig::new();
    assert_eq!(rig.gate.check(&order(1), UnixNanos(0)).reason, Some(R::ClockBad));
    let later = NOW.plus(Nanos(100));
    assert!(rig.gate.reserve(&order(1), later).0.accepted());
    let verdict = rig.gate.check(&order(2), NOW);
    assert_eq!((verdict.reason, verdict.limit - verdict.value), (Some(R::ClockBad), 100));
    assert!(rig.gate.check(&order(2), later).accepted());
    // A refused order moves the clock forward too, and never back.
    assert!(!rig.gate.reserve(&OrderIntent { qty: Qty(0), ..order(3) }, later.plus(Nanos(5))).0.accepted());
    assert_eq!(rig.gate.check(&order(2), later).reason, Some(R::ClockBad));
    assert!(!rig.gate.reserve(&order(4), NOW).0.accepted());
    assert!(rig.gate.check(&order(2), later.plus(Nanos(5))).accepted());
}

#[test]
fn an_unknown_scope_is_named_and_the_firms_halt_still_comes_first() {
    let mut rig = Rig::new();
    let lost = OrderIntent { instrument: InstrumentId(9), strategy: StrategyId(9), ..order(1) };
    rig.refuses(&lost, R::UnknownInstrument);
    let all: std::vec::Vec<_> = rig.gate.explain(&lost, NOW).breaches().map(|b| b.reason).collect();
    assert_eq!(all, [R::UnknownInstrument, R::UnknownStrategy]);
    rig.set(BreakerKey::Firm, BreakerState::Tripped);
    rig.refuses(&lost, R::HaltedFirm);
    let fresh = Rig::bare(&CONFIG, true);
    assert_eq!(fresh.check(&lost).reason, Some(R::HaltUnreadable));
    // A strategy of another instrument's row is not reached by an index that falls inside the table.
    rig.set(BreakerKey::Firm, BreakerState::Open);
    rig.refuses(
        &OrderIntent { strategy: StrategyId(2), instrument: InstrumentId(0), ..order(1) },
        R::UnknownStrategy,
    );
}

#[test]
fn each_scope_can_be_unreadable_and_halts_alone() {
    for unset in 0..4 {
        let mut rig = Rig::bare(&CONFIG, true);
        let scopes = [
            BreakerKey::Firm,
            BreakerKey::Account(ACCOUNT),
            BreakerKey::Strategy(STRATEGY),
            BreakerKey::Instrument(INSTRUMENT),
        ];
        for (i, scope) in scopes.into_iter().enumerate() {
            if i != unset {
                rig.set(scope, BreakerState::Open);
            }
        }
        rig.publish_static(&envelope(), &static_terms());
        rig.publish_live(&LIVE, Tier::Normal, NOW);
        rig.publish_top(&top());
        rig.refuses(&order(1), R::HaltUnreadable);
        rig.set(scopes[unset], BreakerState::Open);
        rig.accepts(&order(1));
    }
}

#[test]
fn a_gate_is_not_built_over_tables_of_another_size() {
    let tables = |instruments, classes, references, accounts, strategies, breakers, fat_finger| GateTables {
        statics: StaticTable::create(3, 2).unwrap().1,
        dynamics: Some(LimitTable::create(instruments, classes).unwrap().1),
        fat_finger: Some(FatFingerTable::create(&StaticTable::create(fat_finger, 1).unwrap().1).unwrap().1),
        references: RefTable::create(references).unwrap().1,
        breakers: BreakerTable::create(accounts, strategies, breakers).unwrap().1,
    };
    assert!(Gate::new(&CONFIG, tables(3, 2, 3, 2, 2, 3, 3)).is_ok());
    for (i, bad) in [
        tables(4, 2, 3, 2, 2, 3, 3),
        tables(3, 1, 3, 2, 2, 3, 3),
        tables(3, 2, 2, 2, 2, 3, 3),
        tables(3, 2, 3, 1, 2, 3, 3),
        tables(3, 2, 3, 2, 3, 3, 3),
        tables(3, 2, 3, 2, 2, 4, 3),
        tables(3, 2, 3, 2, 2, 3, 2),
        tables(3, 2, 3, 2, 2, 3, 4),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(matches!(Gate::new(&CONFIG, bad), Err(crate::GateError::Shape { .. })), "case {i}");
    }
}

#[test]
fn a_configuration_out_of_range_is_refused_with_its_bounds() {
    use std::string::ToString;
    let stray = [STRATEGIES[0], StrategyConfig { class: ClassId(2), ..STRATEGIES[1] }];
    let idle = [STRATEGIES[0], StrategyConfig { order_rate_per_s: 0, ..STRATEGIES[1] }];
    let mute = [STRATEGIES[0], StrategyConfig { order_burst: 0, ..STRATEGIES[1] }];
    for (bad, text) in [
        (GateConfig { strategies: &[], ..CONFIG }, "strategies is 0, must be 1 to 65535"),
        (GateConfig { accounts: 0, ..CONFIG }, "accounts is 0, must be 1 to 65535"),
        (GateConfig { open_orders_max: 0, ..CONFIG }, "open_orders_max is 0, must be 1 to 4194304"),
        (GateConfig { recent_orders: 1 << 23, ..CONFIG }, "recent_orders is 8388608, must be 1 to 4194304"),
        (
            GateConfig { ref_age_max: Nanos(0), ..CONFIG },
            "ref_age_max (ns) is 0, must be 1 to 18446744073709551615",
        ),
        (GateConfig { strategies: &stray, ..CONFIG }, "strategy class is 2, must be 0 to 1"),
        (
            GateConfig { strategies: &idle, ..CONFIG },
            "strategy order_rate_per_s is 0, must be 1 to 1000000000",
        ),
        (GateConfig { strategies: &mute, ..CONFIG }, "strategy order_burst is 0, must be 1 to 4294967295"),
    ] {
        let tables = Rig::bare(&CONFIG, true).gate.tables.clone();
        assert_eq!(Gate::new(&bad, tables).unwrap_err().to_string(), text);
    }
}

/// A gate in a process of its own is as old as what it has heard: one that never heard anything has heard nothing.
#[test]
fn a_gate_that_asks_for_a_sign_of_life_refuses_without_one_whatever_the_order() {
    let asks = GateConfig { daemon_age_max: Nanos::SECOND, ..CONFIG };
    let mut rig = Rig::with(&asks, true);
    assert_eq!(rig.check(&order(1)).reason, Some(RejectReason::DaemonLost));
    rig.breakers.alive(UnixNanos(NOW.0 - Nanos::SECOND.0));
    rig.accepts(&order(1));
    assert!(rig.fast(&order(1), NOW), "at no cost to the fast path");
    let later = NOW.plus(Nanos(1));
    rig.references.heartbeat(later);
    for order in [order(1), sell(1), market(1, Side::Bid), OrderIntent { account: AccountId(9), ..order(1) }]
    {
        let explained = rig.gate.explain(&order, later);
        assert!(explained.breaches().any(|b| b.reason == RejectReason::DaemonLost), "{order:?}");
        assert!(!rig.gate.check(&order, later).accepted());
    }
    // A clock of the daemon's that is ahead is a sign of life.
    rig.breakers.alive(later.plus(Nanos(5_000_000_000)));
    assert!(rig.gate.check(&order(1), later).accepted());
    let never = Rig::new();
    never.accepts(&order(1));
}
