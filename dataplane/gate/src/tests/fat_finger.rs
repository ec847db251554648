//! The third quantity check: what the fat-finger network allows at an order's price, and what its absence changes.

use super::*;
use crate::{
    FAT_FINGER_BUCKETS, FatFingerLimits, FatFingerReader, FatFingerTable, FatFingerWriter, InstrumentTerms,
    LimitsSource, Memory, MoneyRules, OutOfMemory, ROWS_MAX, RefReader, RefRules, RejectReason as R,
    TableError, TermsWriter,
};

const LEASE: Nanos = Nanos(5_000_000);

/// 480, 470, … 330: every bucket its own, all below the live limit of 500.
fn stairs() -> FatFingerLimits {
    let mut next = 490;
    FatFingerLimits::new([(); FAT_FINGER_BUCKETS].map(|()| {
        next -= 10;
        Qty(next)
    }))
}

/// A rig whose model says [`stairs`], over a book of 99.99 to 100.01: a bps of the mid is one tick.
fn fat_fingered() -> (Rig, FatFingerWriter) {
    let mut rig = Rig::new();
    let (mut writer, reader) = FatFingerTable::create(&rig.gate.tables.statics).expect("a table");
    writer.publish(INSTRUMENT, &stairs(), LEASE, 7, NOW).expect("a row");
    rig.gate.set_fat_finger(reader);
    rig.publish_top(&TopOfBook { bid: px("99.99"), ask: px("100.01"), ..top() });
    (rig, writer)
}

fn reasons(rig: &Rig, order: &OrderIntent) -> std::vec::Vec<R> {
    rig.gate.explain(order, NOW).breaches().map(|b| b.reason).collect()
}

/// The order passes for the size and not for one more, which the fat-finger limit alone refuses.
#[track_caller]
fn held_to(rig: &mut Rig, order: &OrderIntent, size: u32) {
    rig.accepts(&OrderIntent { qty: Qty(size), ..*order });
    let above = OrderIntent { qty: Qty(size + 1), ..*order };
    let verdict = rig.refuses(&above, R::QtyFatFinger);
    assert_eq!((verdict.limit, verdict.value), (size.into(), i64::from(size) + 1));
    assert_eq!(reasons(rig, &above), [R::QtyFatFinger]);
}

#[test]
fn an_order_is_held_to_the_size_of_its_price_distance_on_both_sides() {
    let (mut rig, _writer) = fat_fingered();
    for (buy, ask_for, bucket) in [
        ("99.00", "101.00", 0),
        ("100.00", "100.00", 0),
        ("100.01", "99.99", 1),
        ("100.02", "99.98", 2),
        ("100.03", "99.97", 3),
        ("100.04", "99.96", 4),
        ("100.05", "99.95", 4),
        ("100.06", "99.94", 5),
        ("100.09", "99.91", 5),
        ("100.10", "99.90", 6),
        ("100.33", "99.67", 7),
        ("100.34", "99.66", 8),
        ("101.29", "98.71", 9),
        ("102.57", "97.43", 10),
        ("102.58", "97.42", 11),
        ("105.00", "95.00", 11),
    ] {
        let size = 480 - 10 * bucket;
        held_to(&mut rig, &OrderIntent { px: px(buy), ..order(1) }, size);
        held_to(&mut rig, &OrderIntent { px: px(ask_for), ..sell(1) }, size);
    }
}

#[test]
fn a_market_order_is_one_at_the_worst_price_that_it_reaches() {
    let (mut rig, _writer) = fat_fingered();
    for side in [Side::Bid, Side::Ask] {
        held_to(&mut rig, &market(1, side), 470);
    }
    // A hundred at the touch, and the rest at 100.10, which is bucket 6.
    rig.references
        .publish_depth(INSTRUMENT, &super::walk::depth(&[("100.01", 100), ("100.10", 1_000)]))
        .unwrap();
    rig.publish_top(&TopOfBook { bid: px("99.99"), ask: px("100.01"), ask_qty: 100, ..top() });
    held_to(&mut rig, &market(1, Side::Bid), 420);
    held_to(&mut rig, &OrderIntent { px: px("100.10"), ..order(1) }, 420);
}

#[test]
fn without_an_opposite_touch_the_last_bucket_holds() {
    let (mut rig, _writer) = fat_fingered();
    rig.publish_top(&TopOfBook { ask: Px::NONE, last: px("100.00"), ..top() });
    held_to(&mut rig, &order(1), 330);
    let blind = OrderIntent { qty: Qty(331), ..market(1, Side::Bid) };
    assert_eq!(reasons(&rig, &blind), [R::QtyFatFinger, R::RefMissing]);
    // The other side has its touch, and is as far from it as it says.
    rig.accepts(&OrderIntent { qty: Qty(480), px: px("100.01"), ..sell(1) });
    rig.publish_top(&TopOfBook { bid: Px::NONE, last: px("100.02"), ..top() });
    held_to(&mut rig, &sell(1), 330);
    rig.accepts(&OrderIntent { qty: Qty(480), ..order(1) });
}

#[test]
fn without_a_price_the_last_bucket_holds() {
    let (rig, _writer) = fat_fingered();
    for bad in [Px(0), Px(-1), Px::NONE, Px(crate::PX_MAX.0 + 1)] {
        let bad = |qty| OrderIntent { px: bad, qty: Qty(qty), ..order(1) };
        assert!(!reasons(&rig, &bad(330)).contains(&R::QtyFatFinger));
        assert_eq!(reasons(&rig, &bad(331)), [R::BadPrice, R::QtyFatFinger]);
    }
}

#[test]
fn a_torn_or_missing_reference_is_said_once() {
    let (mut rig, _writer) = fat_fingered();
    rig.references.abandon(INSTRUMENT);
    assert_eq!(reasons(&rig, &OrderIntent { qty: Qty(400), ..order(1) }), [R::RefTorn]);
}

#[test]
fn the_end_of_a_fat_finger_limits_lease_gives_nothing_back() {
    let (mut rig, mut writer) = fat_fingered();
    let large = OrderIntent { qty: Qty(490), ..order(1) };
    for after in [0, 4_999_999, 5_000_000, 500_000_000] {
        let verdict = rig.gate.check(&large, NOW.plus(Nanos(after)));
        assert_eq!((verdict.reason, verdict.limit), (Some(R::QtyFatFinger), 480), "{after}");
    }
    // Of one from the future and the one before it, the tighter holds, whichever that is.
    let future = NOW.plus(Nanos(1_000_001));
    for (first, second) in [(300, 480), (480, 300)] {
        for (size, at) in [(first, NOW), (second, future)] {
            let flat = FatFingerLimits::new([Qty(size); FAT_FINGER_BUCKETS]);
            writer.publish(INSTRUMENT, &flat, LEASE, 8, at).unwrap();
        }
        let verdict = rig.refuses(&large, R::QtyFatFinger);
        assert_eq!(verdict.limit, 300);
    }
    // The next word of a publisher that lives widens it again.
    writer.publish(INSTRUMENT, &FatFingerLimits::new([Qty(495); FAT_FINGER_BUCKETS]), LEASE, 9, NOW).unwrap();
    rig.accepts(&large);
}

#[test]
fn no_number_of_fat_finger_limits_from_the_future_forgets_the_live_one_before_them() {
    let flat = |size| FatFingerLimits::new([Qty(size); FAT_FINGER_BUCKETS]);
    for nothing in [false, true] {
        let (mut rig, mut writer) = fat_fingered();
        writer.publish(INSTRUMENT, &flat(300), LEASE, 8, NOW).unwrap();
        for n in 1..9 {
            let (at, lease) = (NOW.plus(Nanos(n * 2_000_000)), if nothing { Nanos(0) } else { LEASE });
            writer.publish(INSTRUMENT, &flat(495), lease, 9, at).unwrap();
            let verdict = rig.refuses(&OrderIntent { qty: Qty(490), ..order(1) }, R::QtyFatFinger);
            assert_eq!(verdict.limit, 300, "{n}, withdrawn {nothing}");
        }
        // Nor does a writer that dies in what is kept beside it.
        writer.abandon_spare(INSTRUMENT);
        rig.refuses(&OrderIntent { qty: Qty(1), ..order(1) }, R::QtyFatFinger);
        writer.publish(INSTRUMENT, &flat(495), LEASE, 9, NOW).unwrap();
        rig.accepts(&OrderIntent { qty: Qty(490), ..order(1) });
    }
}

/// The clock goes back an hour after a person's reset.
#[test]
fn a_fat_finger_limit_that_is_published_after_a_reset_is_not_forgotten_by_a_clock_that_went_back() {
    let (mut rig, mut writer) = fat_fingered();
    rig.statics.forget(INSTRUMENT, CLASS, NOW).unwrap();
    let back = UnixNanos(NOW.0 - 3_600_000_000_000);
    rig.publish_top(&TopOfBook { ts: back, last_ts: back, ..top() });
    writer
        .publish(INSTRUMENT, &FatFingerLimits::new([Qty(300); FAT_FINGER_BUCKETS]), LEASE, 8, back)
        .unwrap();
    let large = OrderIntent { qty: Qty(390), px: px("99.95"), ..order(1) };
    for after_ns in [0, LEASE.0 * 3, 3_600_000_000_000 + LEASE.0 * 3] {
        let now = back.plus(Nanos(after_ns));
        rig.references.heartbeat(now);
        let verdict = rig.gate.check(&large, now);
        assert_eq!((verdict.reason, verdict.limit), (Some(R::QtyFatFinger), 300), "{after_ns}");
    }
    // The next reset forgets it.
    let later = NOW.plus(Nanos(LEASE.0 * 4));
    rig.statics.forget(INSTRUMENT, CLASS, later).unwrap();
    rig.references.heartbeat(later);
    assert!(rig.gate.check(&large, later).accepted());
}

#[test]
fn a_person_takes_back_the_fat_finger_limit_of_a_scorer_that_is_dead() {
    let (mut rig, mut writer) = fat_fingered();
    let flat = FatFingerLimits::new([Qty(300); FAT_FINGER_BUCKETS]);
    writer.publish(INSTRUMENT, &flat, LEASE, 8, NOW).unwrap();
    // Within the officer's base, which holds once the model's word is forgotten.
    let large = OrderIntent { qty: Qty(390), px: px("99.95"), ..order(1) };
    let later = NOW.plus(Nanos(2 * LEASE.0));
    rig.statics.forget(INSTRUMENT, CLASS, later).unwrap();
    assert_eq!(
        rig.gate.check(&large, NOW).reason,
        Some(R::QtyFatFinger),
        "while the lease holds, the scorer lives"
    );
    assert_eq!(rig.gate.check(&large, later).reason, None);
    writer.publish(INSTRUMENT, &flat, LEASE, 9, later.plus(Nanos(1))).unwrap();
    assert_eq!(
        rig.gate.check(&large, later.plus(Nanos(3 * LEASE.0))).reason,
        Some(R::QtyFatFinger),
        "said since"
    );
}

#[test]
fn without_a_price_to_meet_an_order_is_held_to_the_least_size() {
    let (mut rig, _writer) = fat_fingered();
    rig.publish_top(&TopOfBook { bid: Px::NONE, ask: px("100.01"), last: px("100.01"), ..top() });
    held_to(&mut rig, &OrderIntent { px: px("100.05"), ..sell(1) }, 330);
    rig.publish_top(&TopOfBook { bid: px("99.99"), ask: Px::NONE, last: px("99.99"), ..top() });
    held_to(&mut rig, &OrderIntent { px: px("99.95"), ..order(1) }, 330);
}

/// Where prices may be negative, distances are parts of what the instrument is worth.
#[test]
fn below_zero_an_order_is_held_to_the_size_of_its_price_distance_too() {
    let (mut rig, _writer) = fat_fingered();
    rig.gate.money = Some(MoneyRules { rate_age_max: Nanos(1), undeclared_is_plain: true });
    (rig.references, rig.gate.tables.references) = RefTable::create(INSTRUMENTS).expect("a table");
    let below = InstrumentTerms { worth_min: px("1.00"), ..InstrumentTerms::PLAIN };
    TermsWriter::of(&rig.gate.tables.references).define(INSTRUMENT, &below).unwrap();
    let both = TopOfBook { bid: px("-100.01"), ask: px("-99.99"), last: px("-100.00"), ..top() };
    let (offered, wanted) = (TopOfBook { bid: Px::NONE, ..both }, TopOfBook { ask: Px::NONE, ..both });
    for (buys, sells, bucket) in [
        ("-99.99", "-100.01", 1),
        ("-99.98", "-100.02", 2),
        ("-99.97", "-100.03", 3),
        ("-99.95", "-100.05", 4),
    ] {
        let (buy, sell) =
            (OrderIntent { px: px(buys), ..order(1) }, OrderIntent { px: px(sells), ..sell(1) });
        let size = 480 - 10 * bucket;
        for (top, order) in [(&both, &buy), (&both, &sell), (&offered, &buy), (&wanted, &sell)] {
            rig.publish_top(top);
            held_to(&mut rig, order, size);
        }
    }
}

/// The size is one for the price: who comes no farther than before has it already.
#[test]
fn a_replacement_is_held_to_the_size_of_a_price_only_where_it_reaches_farther() {
    for (id, side, near, far) in [(1, Side::Bid, "99.00", "100.03"), (2, Side::Ask, "101.00", "99.97")] {
        let at = |text| OrderIntent { qty: Qty(450), px: px(text), side, ..order(id) };
        let (mut rig, mut writer) = fat_fingered();
        rig.take(&at(near));
        let to = |rig: &mut Rig, text| {
            rig.gate.replace(id, &OrderIntent { cl_ord_id: 9, ..at(text) }, NOW).0.reason
        };
        writer
            .publish(INSTRUMENT, &FatFingerLimits::new([Qty(440); FAT_FINGER_BUCKETS]), LEASE, 8, NOW)
            .unwrap();
        assert_eq!(to(&mut rig, far), Some(R::QtyFatFinger), "{side:?}");
        assert_eq!(to(&mut rig, near), None, "{side:?}");
    }
}

/// Memory with no room left.
struct Full;

impl Memory for Full {
    fn rows<R: crate::Row>(&mut self, _: usize) -> Result<&'static [R], OutOfMemory> {
        Err(OutOfMemory { wanted: 2, found: 1 })
    }
}

#[test]
fn a_table_has_one_row_at_least_and_no_more_than_there_may_be() {
    let fat_finger = |instruments| FatFingerReader::lay_out(&mut Full, instruments).unwrap_err();
    let references =
        |instruments| RefReader::lay_out(&mut Full, instruments, &RefRules::DEFAULT).unwrap_err();
    for instruments in [0, 1, ROWS_MAX, ROWS_MAX + 1] {
        let sized = (1..=ROWS_MAX).contains(&instruments);
        for error in [fat_finger(instruments), references(instruments)] {
            assert_eq!(matches!(error, TableError::Memory(_)), sized, "{instruments}: {error}");
        }
    }
    assert!(Full.row::<core::sync::atomic::AtomicU64>().is_err());
}

/// What is not forgotten is what was granted after the moment up to which a person forgot.
#[test]
fn a_fat_finger_limit_that_was_granted_at_the_moment_of_forgetting_is_forgotten() {
    let (mut rig, mut writer) = fat_fingered();
    writer.publish(INSTRUMENT, &FatFingerLimits::new([Qty(300); FAT_FINGER_BUCKETS]), LEASE, 8, NOW).unwrap();
    let large = OrderIntent { qty: Qty(390), px: px("99.95"), ..order(1) };
    let later = NOW.plus(Nanos(LEASE.0 * 3));
    for (forgotten, reason) in [(NOW.0 - 1, Some(R::QtyFatFinger)), (NOW.0, None)] {
        rig.statics.forget(INSTRUMENT, CLASS, UnixNanos(forgotten)).unwrap();
        assert_eq!(rig.gate.check(&large, later).reason, reason);
    }
}

#[test]
fn a_lease_of_zero_withdraws_a_fat_finger_limit_even_from_a_clock_that_runs_ahead() {
    for (lease, ahead) in [(0, 0), (0, 1), (0, 999_999), (999_999, 0), (999_999, 500_000)] {
        let (mut rig, mut writer) = fat_fingered();
        let large = OrderIntent { qty: Qty(490), ..order(1) };
        rig.refuses(&large, R::QtyFatFinger);
        let nothing = FatFingerLimits::new([Qty(0); FAT_FINGER_BUCKETS]);
        writer.publish(INSTRUMENT, &nothing, Nanos(lease), 8, NOW.plus(Nanos(ahead))).unwrap();
        rig.accepts(&large);
    }
}

#[test]
fn without_a_fat_finger_limit_the_other_quantity_limits_hold_and_nothing_more_passes() {
    let torn = || {
        let mut rig = Rig::new();
        let (mut writer, reader) = FatFingerTable::create(&rig.gate.tables.statics).unwrap();
        writer.abandon(INSTRUMENT);
        rig.gate.set_fat_finger(reader);
        rig
    };
    let elsewhere = || {
        let (mut rig, _) = fat_fingered();
        let (mut writer, reader) = FatFingerTable::create(&rig.gate.tables.statics).unwrap();
        let nothing = FatFingerLimits::new([Qty(0); FAT_FINGER_BUCKETS]);
        for other in [0, 2] {
            writer.publish(InstrumentId(other), &nothing, LEASE, 1, NOW).unwrap();
        }
        rig.gate.set_fat_finger(reader);
        rig
    };
    for (mut rig, why) in
        [(Rig::new(), "no table"), (torn(), "torn before one was whole"), (elsewhere(), "never published")]
    {
        rig.accepts(&OrderIntent { qty: Qty(500), ..order(1) });
        let verdict = rig.refuses(&OrderIntent { qty: Qty(501), ..order(1) }, R::QtyDynamic);
        assert_eq!(verdict.limit, 500, "{why}");
    }
}

#[test]
fn a_torn_fat_finger_limit_reads_as_the_whole_one_before_it() {
    let (mut rig, mut writer) = fat_fingered();
    writer.abandon(INSTRUMENT);
    held_to(&mut rig, &order(1), 480);
}

#[test]
fn an_unknown_instrument_has_no_fat_finger_limit() {
    let (rig, _writer) = fat_fingered();
    let stray = OrderIntent { instrument: InstrumentId(3), qty: Qty(490), ..order(1) };
    assert_eq!(reasons(&rig, &stray), [R::UnknownInstrument]);
}

#[test]
fn a_fat_finger_limit_outlives_the_live_limits_and_only_takes_away() {
    let (mut rig, mut writer) = fat_fingered();
    rig.gate.tables.dynamics = None;
    // The officer's base allows 400; bucket 0 of the fat-finger limit 480, bucket 10 380.
    let passive = OrderIntent { px: px("99.95"), ..order(1) };
    rig.accepts(&OrderIntent { qty: Qty(400), ..passive });
    rig.refuses(&OrderIntent { qty: Qty(401), ..passive }, R::QtyStatic);
    held_to(&mut rig, &OrderIntent { px: px("102.57"), ..order(1) }, 380);
    assert_eq!(rig.check(&passive).source, LimitsSource::Static);
    // A model that would allow anything changes nothing.
    let anything = FatFingerLimits::new([Qty(u32::MAX); FAT_FINGER_BUCKETS]);
    writer.publish(INSTRUMENT, &anything, LEASE, 8, NOW).unwrap();
    rig.refuses(&OrderIntent { qty: Qty(401), ..passive }, R::QtyStatic);
}

#[test]
fn a_fat_finger_limit_of_zero_refuses_every_order() {
    let (mut rig, mut writer) = fat_fingered();
    writer.publish(INSTRUMENT, &FatFingerLimits::new([Qty(0); FAT_FINGER_BUCKETS]), LEASE, 8, NOW).unwrap();
    for one in [order(1), sell(1), market(1, Side::Bid)] {
        let verdict = rig.refuses(&OrderIntent { qty: Qty(1), ..one }, R::QtyFatFinger);
        assert_eq!((verdict.limit, verdict.value), (0, 1));
    }
}

#[test]
fn a_reducing_order_is_held_to_it_like_to_every_other_size() {
    let (mut rig, _writer) = fat_fingered();
    rig.hold(10_000);
    held_to(&mut rig, &OrderIntent { px: px("97.43"), ..sell(1) }, 380);
}

#[test]
fn a_replacement_is_held_to_it_when_it_grows_or_reaches_farther() {
    let (mut rig, mut writer) = fat_fingered();
    rig.take(&OrderIntent { qty: Qty(400), ..order(1) });
    let tight = FatFingerLimits::new([Qty(300); FAT_FINGER_BUCKETS]);
    writer.publish(INSTRUMENT, &tight, LEASE, 8, NOW).unwrap();
    let (verdict, reservation) = rig.gate.replace(1, &OrderIntent { qty: Qty(401), ..order(2) }, NOW);
    assert_eq!((verdict.reason, verdict.limit, verdict.value), (Some(R::QtyFatFinger), 300, 401));
    assert_eq!(reservation, None);
    // Above the size all the same, but no larger than before, and its price reaches no farther.
    let at = |price: &str, id| OrderIntent { qty: Qty(400), px: px(price), ..order(id) };
    let before = order(1).px;
    let (verdict, reservation) = rig.gate.replace(1, &OrderIntent { px: before, ..at("100.00", 3) }, NOW);
    assert_eq!(verdict.reason, None);
    rig.gate.release(reservation.expect("let through"));
    let farther = OrderIntent { px: Px(before.0 + 10_000_000), ..at("100.00", 5) };
    let (verdict, reservation) = rig.gate.replace(1, &farther, NOW);
    assert_eq!((verdict.reason, verdict.limit, verdict.value), (Some(R::QtyFatFinger), 300, 400));
    assert_eq!(reservation, None);
    let (verdict, _) = rig.gate.replace(1, &OrderIntent { qty: Qty(350), ..order(4) }, NOW);
    assert_eq!(verdict.reason, None);
}

#[test]
fn it_decides_after_the_other_quantity_limits_and_is_listed_beside_them() {
    let (mut rig, _writer) = fat_fingered();
    let large = |qty| OrderIntent { qty: Qty(qty), px: px("106.00"), ..order(1) };
    let rest = [R::QtyFatFinger, R::Value, R::Collar];
    assert_eq!(reasons(&rig, &large(601)), [&[R::QtyStatic, R::QtyDynamic], &rest[..]].concat());
    assert_eq!(reasons(&rig, &large(600)), [&[R::QtyDynamic], &rest[..]].concat());
    rig.refuses(&large(601), R::QtyStatic);
    rig.refuses(&large(600), R::QtyDynamic);
    // 599 bps through: bucket 12, 360.
    let verdict = rig.refuses(&large(490), R::QtyFatFinger);
    assert_eq!(verdict.limit, 360);
    let far = OrderIntent { qty: Qty(361), ..large(1) };
    assert_eq!(reasons(&rig, &far), [R::QtyFatFinger, R::Collar]);
}

#[test]
fn an_order_within_a_live_fat_finger_limit_takes_the_fast_path() {
    let (rig, _writer) = fat_fingered();
    let fits = OrderIntent { qty: Qty(430), px: px("100.06"), ..order(1) };
    assert!(rig.fast(&fits, NOW));
    assert!(!rig.fast(&OrderIntent { qty: Qty(431), ..fits }, NOW));
}

/// What a person has had forgotten is kept beside no record that is said later.
#[test]
fn what_was_granted_at_the_moment_of_forgetting_stands_for_nothing_said_after_it() {
    let (mut rig, mut writer) = fat_fingered();
    let mut say = |size, after_ns| {
        let flat = FatFingerLimits::new([Qty(size); FAT_FINGER_BUCKETS]);
        writer.publish(INSTRUMENT, &flat, LEASE, 8, NOW.plus(Nanos(after_ns))).unwrap();
    };
    say(300, 0);
    say(395, 0);
    rig.statics.forget(INSTRUMENT, CLASS, NOW).unwrap();
    say(395, 1);
    say(395, 2);
    // To a clock that is behind, both are of the future, and what is kept beside the newest counts, too.
    let behind = UnixNanos(NOW.0 - 3_600_000_000_000);
    rig.publish_top(&TopOfBook { ts: behind, last_ts: behind, ..top() });
    rig.references.heartbeat(behind);
    let held = OrderIntent { qty: Qty(395), px: px("99.95"), ..order(1) };
    assert_eq!(rig.gate.check(&held, behind).reason, None);
    let more = OrderIntent { qty: Qty(396), ..held };
    assert_eq!(rig.gate.check(&more, behind).reason, Some(R::QtyFatFinger));
}
