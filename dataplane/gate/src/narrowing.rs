//! The officer narrows a cap while the scorer publishes, model-checked with the tables' own code: whoever finds a record with the
//! newest epoch is held to the newest cap. What the scorer's end reads first, epoch or cap, and what the officer's end writes first, decide
//! it. How strong the loads and stores of the epoch itself are does not: the fences inside the slots order them as well.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;
use types::{InstrumentId, Nanos, Qty, Tier, UnixNanos};

use crate::{
    ClassId, Effective, Envelope, FixedScore, LimitCause, LimitTable, Overlay, Permission, RiskLimits,
    StaticTable, StaticTerms, Terms, effective_limits,
};

const ID: InstrumentId = InstrumentId(0);
const CLASS: ClassId = ClassId(0);
const NOW: UnixNanos = UnixNanos(1);

/// An envelope that is all cap but for the floor, of so large an order at most.
fn up_to(max_qty: u32) -> Envelope {
    let limits = |max_qty| RiskLimits {
        max_qty: Qty(max_qty),
        max_notional_micros: 1_000_000,
        collar_bps: 100,
        passive_min_ticks: 0,
        max_pos_long: 100,
        max_pos_short: 100,
        order_rate_per_s: 10,
        order_burst: 10,
        margin_bps: 10_000,
    };
    Envelope::new(limits(1), limits(max_qty), limits(max_qty)).expect("in order")
}

const STATIC_TERMS: StaticTerms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };

fn terms() -> Terms {
    let score = FixedScore::from_micros(0).expect("a score");
    Terms { tier: Tier::Normal, score, lease: Nanos::SECOND, version: 1, cause: LimitCause::Renew }
}

/// What the model would publish under the wide cap.
fn wide() -> Effective {
    effective_limits(&up_to(9), Tier::Normal, &Overlay::DEFAULT)
}

#[test]
fn a_record_with_the_newest_epoch_was_clamped_under_the_newest_cap() {
    loom::model(|| {
        let (mut statics, officers) = StaticTable::create(1, 1).expect("a table");
        statics.publish(ID, CLASS, &up_to(9), &STATIC_TERMS, NOW).expect("a row");
        let (mut limits, records) = LimitTable::create_within(&officers).expect("a table");
        let narrowed = Arc::new(AtomicBool::new(false));
        let officer = {
            let narrowed = Arc::clone(&narrowed);
            thread::spawn(move || {
                statics.publish(ID, CLASS, &up_to(5), &STATIC_TERMS, NOW).expect("a row");
                narrowed.store(true, Ordering::Release);
            })
        };
        // The scorer's own thread stands for an order thread that has its newest record.
        let scorer = thread::spawn(move || {
            limits.publish(ID, CLASS, &wide(), &terms(), NOW).expect("a row");
            let knows = narrowed.load(Ordering::Acquire);
            let record = records.read_hot(0).expect("a whole record");
            let word = officers.row_word(0).expect("a row");
            let trusted = record.epoch == word.epoch();
            assert!(!(knows && trusted) || record.bounds.max_qty <= 5, "held to a cap no longer in force");
            (record, officers)
        });
        officer.join().expect("the officer ends");
        let (record, officers) = scorer.join().expect("the scorer ends");
        let trusted = officers.row_word(0).is_some_and(|word| word.epoch() == record.epoch);
        assert!(!trusted || record.bounds.max_qty <= 5, "held to a cap no longer in force");
    });
}
