//! The margin multiplier against the credit: whose word it is, what it takes, and what happens where it cannot be read. That sums are
//! right is `levels`' and `groups`'.

use super::*;
use crate::{ExposureLimits, RejectReason as R};

/// In millionths: twice what a hundred at the mid are worth.
const CREDIT: u64 = 2 * 10_001_000_000;

/// The officer's word on the multiplier: three times at the tightest, once.
fn officer() -> Envelope {
    Envelope::new(RiskLimits { margin_bps: 30_000, ..WIDE }, WIDE, WIDE).unwrap()
}

fn rig(mark_age_max: Nanos) -> Rig {
    let credit = ExposureLimits { credit_micros: CREDIT, ..ExposureLimits::NONE };
    let config = GateConfig { account_limits: &[credit, credit], mark_age_max, ..CONFIG };
    let mut rig = Rig::bare(&config, true);
    rig.breakers.set_unset(OPEN);
    for instrument in [INSTRUMENT, InstrumentId(2)] {
        rig.references.publish(instrument, &top()).unwrap();
        rig.statics.publish(instrument, CLASS, &officer(), &static_terms(), NOW).unwrap();
        says(&mut rig, instrument, 10_000, NOW);
    }
    rig
}

/// The model's word.
fn says(rig: &mut Rig, instrument: InstrumentId, margin_bps: u32, now: UnixNanos) {
    let live = officer().clamp(&RiskLimits { margin_bps, ..WIDE });
    rig.dynamics.publish(instrument, CLASS, &live, &terms(Tier::Normal), now).unwrap();
}

fn buy(qty: u32) -> OrderIntent {
    OrderIntent { qty: Qty(qty), ..order(1) }
}

#[test]
fn the_model_makes_the_same_order_dearer_and_never_cheaper_than_the_officer() {
    let mut rig = rig(Nanos(0));
    rig.accepts(&buy(200));
    let verdict = rig.refuses(&buy(201), R::CreditAccount);
    assert_eq!((verdict.limit, verdict.value), (CREDIT as i64, 20_102_010_000));
    says(&mut rig, INSTRUMENT, 15_000, NOW);
    rig.accepts(&buy(133));
    let verdict = rig.refuses(&buy(134), R::CreditAccount);
    assert_eq!(verdict.value, 20_102_010_000, "134 x 100.01 x 1.5");
    // Less than once is no margin, more than three times not the model's to ask.
    for (asked, most) in [(1, 200), (30_000, 66), (65_535, 66)] {
        says(&mut rig, INSTRUMENT, asked, NOW);
        rig.accepts(&buy(most));
        rig.refuses(&buy(most + 1), R::CreditAccount);
    }
}

#[test]
fn what_the_model_had_tightened_outlives_its_lease() {
    let mut rig = rig(Nanos(0));
    says(&mut rig, INSTRUMENT, 30_000, NOW);
    let later = NOW.plus(Nanos(1_000_000_001));
    rig.references.heartbeat(later);
    let reason = |rig: &Rig, qty| rig.gate.check(&buy(qty), later).reason;
    assert_eq!((reason(&rig, 66), reason(&rig, 67)), (None, Some(R::CreditAccount)));
    rig.statics.forget(INSTRUMENT, CLASS, later).unwrap();
    assert_eq!((reason(&rig, 200), reason(&rig, 201)), (None, Some(R::CreditAccount)));
}

/// What is held elsewhere takes of the credit under its own multiplier, at once where nothing is kept, and at the latest when what is
/// kept is too old.
#[test]
fn a_multiplier_of_another_instrument_takes_of_the_same_credit() {
    for mark_age_max in [Nanos(0), Nanos(1_000)] {
        let mut rig = rig(mark_age_max);
        rig.gate.set_position(InstrumentId(2), STRATEGY, ACCOUNT, -50).unwrap();
        rig.gate.pass_time(NOW);
        rig.accepts(&buy(150));
        rig.refuses(&buy(151), R::CreditAccount);
        says(&mut rig, InstrumentId(2), 30_000, NOW);
        let later = NOW.plus(Nanos(1_001));
        let reserve = |rig: &mut Rig, qty| rig.gate.reserve(&buy(qty), later).0.reason;
        assert_eq!(reserve(&mut rig, 51), Some(R::CreditAccount), "150 are taken");
        assert_eq!(reserve(&mut rig, 50), None);
    }
}

#[test]
fn what_only_reduces_passes_however_little_credit_there_is() {
    for mark_age_max in [Nanos(0), Nanos(1_000)] {
        let mut rig = rig(mark_age_max);
        rig.hold(500);
        rig.gate.pass_time(NOW);
        rig.accepts(&OrderIntent { qty: Qty(500), ..sell(1) });
        rig.refuses(&OrderIntent { qty: Qty(701), ..sell(1) }, R::CreditAccount);
        rig.refuses(&buy(1), R::CreditAccount);
    }
}

/// The tightest of the classes' words, since an account is of all of them.
#[test]
fn of_several_classes_the_largest_multiplier_counts() {
    let mut rig = rig(Nanos(0));
    let terms = static_terms();
    let tight = RiskLimits { margin_bps: 20_000, ..WIDE };
    rig.statics.publish(INSTRUMENT, ClassId(0), &Envelope::fixed(tight).unwrap(), &terms, NOW).unwrap();
    rig.accepts(&buy(100));
    rig.refuses(&buy(101), R::CreditAccount);
}

/// An officer whose writer died in the middle of a record of something that is held.
#[test]
fn torn_limits_of_something_held_let_nothing_be_added() {
    for mark_age_max in [Nanos(0), Nanos(1_000)] {
        let mut rig = rig(mark_age_max);
        rig.gate.set_position(InstrumentId(2), STRATEGY, ACCOUNT, 1).unwrap();
        rig.gate.pass_time(NOW);
        rig.accepts(&buy(1));
        rig.statics.abandon(InstrumentId(2), CLASS);
        rig.gate.revalue(NOW);
        let verdict = rig.refuses(&buy(1), R::MarginUnknown);
        assert_eq!(verdict.value, 2, "it is named");
        rig.hold(10);
        rig.accepts(&OrderIntent { qty: Qty(10), ..sell(1) });
        // Nothing is asked of what is not held.
        rig.gate.set_position(InstrumentId(2), STRATEGY, ACCOUNT, 0).unwrap();
        rig.accepts(&buy(1));
    }
}
