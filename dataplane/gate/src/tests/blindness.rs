//! Blindness never loosens: whatever happens to the scorer, its clock or its record, no order passes that neither the
//! officer's base nor the model's last word would have let out.

use super::*;
use crate::{LimitsSource, RejectReason as R, limits_in_force};
use proptest::{prelude::*, sample::select};

/// What the model publishes in tier High.
const HIGH: RiskLimits = RiskLimits { max_qty: Qty(50), ..LIVE };

/// An order that base and calm limits allow, two ticks from the touch.
fn large(id: u64) -> OrderIntent {
    OrderIntent { qty: Qty(400), ..order(id) }
}

const LATER: UnixNanos = UnixNanos(NOW.0 + 3_000_000_000);

#[test]
fn critical_survives_a_scorer_that_dies_in_the_middle_of_a_record() {
    let mut rig = Rig::new();
    rig.publish_live(&FLOOR, Tier::Critical, NOW);
    rig.refuses(&order(1), R::TierCritical);
    rig.dynamics.abandon(INSTRUMENT, CLASS);
    let verdict = rig.refuses(&order(1), R::TierCritical);
    assert_eq!((verdict.source, verdict.tier), (LimitsSource::Dynamic, Tier::Critical));
    assert_eq!(rig.gate.check(&order(1), LATER).reason, Some(R::TierCritical), "its lease is no matter");
}

#[test]
fn a_torn_record_reads_as_the_whole_one_before_it() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    rig.dynamics.abandon(INSTRUMENT, CLASS);
    let verdict = rig.refuses(&large(1), R::QtyDynamic);
    assert_eq!((verdict.limit, verdict.tier, verdict.source), (50, Tier::High, LimitsSource::Dynamic));
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.accepts(&large(1));
    let mut rig = Rig::new();
    let (mut writer, reader) = LimitTable::create_within(&rig.gate.tables.statics).unwrap();
    writer.abandon(INSTRUMENT, CLASS);
    rig.gate.tables.dynamics = Some(reader);
    assert_eq!(rig.accepts(&large(1)).source, LimitsSource::StaticEmpty, "it died in its first record");
}

#[test]
fn the_largest_order_is_the_same_before_during_and_after_a_torn_record() {
    let mut rig = Rig::new();
    let largest = |rig: &Rig, now| {
        let order = |qty| OrderIntent { qty: Qty(qty), ..order(1) };
        (1..=1_000).rev().find(|qty| rig.gate.check(&order(*qty), now).accepted())
    };
    rig.publish_live(&HIGH, Tier::High, NOW);
    assert_eq!(largest(&rig, NOW), Some(50), "before");
    rig.dynamics.abandon(INSTRUMENT, CLASS);
    assert_eq!(largest(&rig, NOW), Some(50), "during");
    rig.references.heartbeat(LATER);
    assert_eq!(largest(&rig, LATER), Some(50), "and when its lease has ended");
    rig.publish_live(&HIGH, Tier::High, LATER);
    assert_eq!(largest(&rig, LATER), Some(50), "after");
    rig.refuses(&OrderIntent { qty: Qty(51), ..order(1) }, R::QtyDynamic);
}

#[test]
fn what_was_granted_at_the_moment_of_forgetting_is_forgotten() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    rig.statics.forget(INSTRUMENT, CLASS, NOW).unwrap();
    assert_eq!(rig.check(&large(1)).source, LimitsSource::StaticEmpty);
    // A revocation keeps what was tightened, unless a person has taken that back.
    let calm = envelope().clamp(&LIVE);
    let revoked = Terms { lease: Nanos(0), ..terms(Tier::Normal) };
    rig.dynamics.publish(INSTRUMENT, CLASS, &calm, &revoked, LATER).unwrap();
    rig.references.heartbeat(LATER);
    assert!(rig.gate.check(&large(1), LATER).accepted());
}

/// The clock goes back an hour after a person's reset: what the model says from then on was not what the person looked at.
#[test]
fn what_is_said_after_a_reset_is_not_forgotten_by_a_clock_that_went_back() {
    let mut rig = Rig::new();
    rig.statics.forget(INSTRUMENT, CLASS, NOW).unwrap();
    let back = UnixNanos(NOW.0 - 3_600_000_000_000);
    rig.publish_top(&TopOfBook { ts: back, ..top() });
    assert!(rig.gate.check(&large(1), back).accepted());
    rig.publish_live(&HIGH, Tier::High, back);
    for now in [back, NOW.plus(Nanos(2))] {
        rig.references.heartbeat(now);
        let verdict = rig.gate.check(&large(1), now);
        assert_eq!(
            (verdict.reason, verdict.limit, verdict.tier),
            (Some(R::QtyDynamic), 50, Tier::High),
            "{now}"
        );
    }
}

#[test]
fn the_screens_of_a_blind_gate_have_the_score_behind_the_tier() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    let GateTables { statics, dynamics, .. } = &rig.gate.tables;
    let shown = limits_in_force(statics, dynamics.as_ref(), INSTRUMENT, CLASS, LATER).unwrap();
    assert_eq!((shown.source, shown.tier), (LimitsSource::StaticLease, Tier::High));
    assert_eq!((shown.score, shown.version), (terms(Tier::High).score, terms(Tier::High).version));
}

#[test]
fn a_scorer_that_dies_in_high_loosens_nothing() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    rig.refuses(&large(1), R::QtyDynamic);
    for after_ns in [1_000_000_000, 3_000_000_000, 3_600_000_000_000] {
        let now = NOW.plus(Nanos(after_ns));
        rig.references.heartbeat(now);
        let verdict = rig.gate.check(&large(1), now);
        assert_eq!((verdict.reason, verdict.limit), (Some(R::QtyDynamic), 50), "{after_ns}");
        assert_eq!((verdict.source, verdict.tier), (LimitsSource::StaticLease, Tier::High));
        let small = rig.gate.check(&OrderIntent { qty: Qty(40), ..order(1) }, now);
        assert!(small.accepted(), "what both allow passes: {small}");
    }
}

#[test]
fn the_end_of_a_lease_takes_away_what_the_model_had_widened() {
    let mut rig = Rig::new();
    rig.accepts(&OrderIntent { qty: Qty(450), ..order(1) });
    rig.references.heartbeat(LATER);
    let verdict = rig.gate.check(&OrderIntent { qty: Qty(450), ..order(1) }, LATER);
    assert_eq!((verdict.reason, verdict.limit), (Some(R::QtyStatic), 400));
    assert!(rig.gate.check(&large(1), LATER).accepted());
}

#[test]
fn a_scorer_whose_clock_is_ahead_loosens_nothing() {
    for (ahead, source) in [(1_000_000, LimitsSource::Dynamic), (1_000_001, LimitsSource::StaticLease)] {
        let mut rig = Rig::new();
        rig.publish_live(&HIGH, Tier::High, NOW.plus(Nanos(ahead)));
        let verdict = rig.refuses(&large(1), R::QtyDynamic);
        assert_eq!((verdict.source, verdict.tier), (source, Tier::High));
    }
    // The record before one from the future still counts, and the officer's base with it.
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    rig.publish_live(&LIVE, Tier::Normal, NOW.plus(Nanos(3_600_000_000_000)));
    let verdict = rig.refuses(&large(1), R::QtyDynamic);
    assert_eq!((verdict.limit, verdict.tier), (50, Tier::High));
    assert_eq!(rig.gate.explain(&order(1), NOW).limits, Some(RiskLimits { max_qty: Qty(50), ..BASE }));
}

/// What was said lately is then not known, and nothing is let out by what was not.
#[test]
fn a_writer_that_dies_in_what_is_kept_beside_a_record_from_the_future_loosens_nothing() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    rig.publish_live(&LIVE, Tier::Normal, NOW.plus(Nanos(3_600_000_000_000)));
    rig.dynamics.abandon_spare(INSTRUMENT, CLASS);
    rig.refuses(&large(1), R::LimitsTorn);
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.dynamics.abandon_spare(INSTRUMENT, CLASS);
    rig.accepts(&OrderIntent { qty: Qty(450), ..order(1) });
}

/// Whatever the scorer's clock reads: the gate's has not come to any of it, and what was live before holds on.
#[test]
fn no_number_of_records_from_the_future_forgets_the_live_one_before_them() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    for (first_ns, step_ns, back_ns) in [
        (HOUR_NS, 100_000_000, 0),
        (5_000_000, 5_000_000, 0),
        (HOUR_NS, HOUR_NS, 0),
        (2 * HOUR_NS, 0, HOUR_NS),
    ] {
        let mut rig = Rig::new();
        rig.publish_live(&HIGH, Tier::High, NOW);
        for n in 0..40 {
            let at = NOW.0 + first_ns + n * step_ns - if n % 2 == 1 { back_ns } else { 0 };
            rig.publish_live(&LIVE, Tier::Normal, UnixNanos(at));
            let verdict = rig.refuses(&large(1), R::QtyDynamic);
            assert_eq!((verdict.limit, verdict.tier), (50, Tier::High), "{n} {first_ns} {step_ns}");
        }
        // A scorer whose clock is right is heard at once.
        rig.publish_live(&LIVE, Tier::Normal, NOW);
        rig.accepts(&OrderIntent { qty: Qty(450), ..order(1) });
    }
    // One that says the same for more than a minute, without a pause, has had its reasons.
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    for n in 0..140 {
        rig.publish_live(&LIVE, Tier::Normal, NOW.plus(Nanos(HOUR_NS + n * 500_000_000)));
        assert_eq!(rig.check(&large(1)).accepted(), n >= 132, "{n}");
    }
    // A person's reset is heard, too: what was said before it is gone with the next word.
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    rig.statics.forget(INSTRUMENT, CLASS, NOW).unwrap();
    for n in 1..4 {
        rig.publish_live(&LIVE, Tier::Normal, NOW.plus(Nanos(n * HOUR_NS)));
        rig.accepts(&large(1));
    }
}

#[test]
fn a_revocation_takes_back_what_was_widened_and_leaves_what_was_tightened() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    let revoke = |rig: &mut Rig| {
        let terms = Terms { lease: Nanos(0), cause: LimitCause::Revoke, ..terms(Tier::Normal) };
        rig.dynamics.publish(INSTRUMENT, CLASS, &envelope().clamp(&BASE), &terms, NOW).unwrap();
    };
    revoke(&mut rig);
    let verdict = rig.refuses(&large(1), R::QtyDynamic);
    assert_eq!((verdict.limit, verdict.tier), (50, Tier::High));
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.accepts(&OrderIntent { qty: Qty(450), ..order(1) });
    revoke(&mut rig);
    rig.refuses(&OrderIntent { qty: Qty(450), ..order(1) }, R::QtyStatic);
    rig.accepts(&large(1));
}

#[test]
fn a_person_takes_back_the_word_of_a_scorer_that_is_dead() {
    let mut rig = Rig::new();
    assert!(rig.statics.forget(InstrumentId(0), CLASS, NOW).is_err(), "there is nothing to write it on");
    rig.publish_live(&HIGH, Tier::Critical, NOW);
    rig.references.heartbeat(LATER);
    assert_eq!(rig.gate.check(&large(1), LATER).reason, Some(R::TierCritical));
    rig.statics.forget(INSTRUMENT, CLASS, LATER).unwrap();
    let verdict = rig.gate.check(&large(1), LATER);
    assert_eq!(
        (verdict.reason, verdict.tier, verdict.source),
        (None, Tier::Normal, LimitsSource::StaticEmpty)
    );
    // What an officer publishes afterwards does not bring it back, nor does a revocation that comes too late.
    rig.publish_static(&envelope(), &static_terms());
    assert!(rig.gate.check(&large(1), LATER).accepted());
    let terms = Terms { lease: Nanos(0), cause: LimitCause::Revoke, ..terms(Tier::Normal) };
    rig.dynamics.publish(INSTRUMENT, CLASS, &envelope().clamp(&BASE), &terms, LATER.plus(Nanos(1))).unwrap();
    assert!(rig.gate.check(&large(1), LATER.plus(Nanos(1))).accepted());
    // A scorer that lives is heard again.
    rig.publish_live(&HIGH, Tier::High, LATER.plus(Nanos(2)));
    assert_eq!(rig.gate.check(&large(1), LATER.plus(Nanos(2))).reason, Some(R::QtyDynamic));
}

#[test]
fn screens_are_told_what_orders_are_held_to() {
    let mut rig = Rig::new();
    rig.publish_live(&HIGH, Tier::High, NOW);
    let of = |rig: &Rig, instrument, now| {
        let GateTables { statics, dynamics, .. } = &rig.gate.tables;
        crate::limits_in_force(statics, dynamics.as_ref(), instrument, CLASS, now)
    };
    let at = |rig: &Rig, now| of(rig, INSTRUMENT, now);
    let live = at(&rig, NOW).unwrap();
    assert_eq!(
        (live.limits, live.source, live.tier, live.version),
        (HIGH, LimitsSource::Dynamic, Tier::High, 9)
    );
    let blind = at(&rig, LATER).unwrap();
    let both = RiskLimits { max_qty: Qty(50), ..BASE };
    assert_eq!((blind.limits, blind.source, blind.tier), (both, LimitsSource::StaticLease, Tier::High));
    assert_eq!(Some(blind.limits), rig.gate.explain(&order(1), LATER).limits);
    assert_eq!(of(&rig, InstrumentId(0), NOW), None, "no officer's word");
}

#[test]
fn one_reading_of_a_broken_clock_does_not_close_the_gate() {
    for stray in [u64::MAX, NOW.0 + 6_000_000_000] {
        let mut rig = Rig::new();
        rig.take(&order(1));
        let (verdict, _) = rig.gate.reserve(&order(2), UnixNanos(stray));
        assert_eq!(verdict.reason, Some(R::RefStale));
        let (verdict, _) = rig.gate.replace(1, &order(3), UnixNanos(stray));
        assert_eq!(verdict.reason, Some(R::RefStale));
        rig.accepts(&order(2));
    }
}

#[test]
fn no_number_of_narrowings_makes_an_old_record_look_clamped() {
    for count in [65_535, 262_142, 262_143, 262_144] {
        let mut rig = Rig::new();
        rig.accepts(&large(1));
        let small = RiskLimits { max_qty: Qty(10), ..CAP };
        let narrow = Envelope::new(FLOOR, RiskLimits { max_qty: Qty(10), ..BASE }, small).unwrap();
        for _ in 0..count {
            rig.publish_static(&narrow, &static_terms());
        }
        assert_eq!(rig.refuses(&large(1), R::QtyStatic).limit, 10, "{count}");
        rig.publish_live(&LIVE, Tier::Normal, NOW);
        rig.refuses(&large(1), R::QtyStatic);
    }
}

fn any_limits() -> impl Strategy<Value = RiskLimits> {
    let size = (1_u32..600, 1_i64..70_000_000_000);
    let band = (1_u32..600, 0_u32..6);
    (size, band, 0_i64..700, 0_i64..700).prop_map(|((qty, notional), (collar, passive), long, short)| {
        RiskLimits {
            max_qty: Qty(qty),
            max_notional_micros: notional,
            collar_bps: collar,
            passive_min_ticks: passive,
            max_pos_long: long,
            max_pos_short: short,
            ..LIVE
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    /// A blind gate lets out an order if and only if the officer's base and the model's last word both would.
    #[test]
    fn a_blind_gate_is_the_tighter_of_base_and_last_word(
        last in any_limits(), tier in select(Tier::ALL.to_vec()), position in -700_i64..700,
        cents in 9_900_i64..10_100, qty in 1_u32..700, buys: bool, torn: bool,
    ) {
        let shape = if buys { order(1) } else { sell(1) };
        let ask = OrderIntent { px: Px(cents * CENT.0), qty: Qty(qty), ..shape };
        let mut rig = Rig::new();
        let (mut writer, reader) = LimitTable::create_within(&rig.gate.tables.statics).unwrap();
        writer.publish(INSTRUMENT, CLASS, &envelope().clamp(&last), &terms(tier), NOW).unwrap();
        rig.gate.tables.dynamics = Some(reader);
        rig.hold(position);
        rig.references.heartbeat(LATER);
        let live = rig.check(&ask).accepted();
        if torn {
            writer.abandon(INSTRUMENT, CLASS);
        }
        let blind = rig.gate.check(&ask, LATER);
        rig.gate.tables.dynamics = None;
        let officer = rig.gate.check(&ask, LATER).accepted();
        prop_assert_eq!(blind.accepted(), live && officer, "{}", blind);
        prop_assert_eq!(blind.tier, tier);
    }
}
