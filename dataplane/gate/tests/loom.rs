//! Model-checks what threads share, over the interleavings loom explores and every value a weakly ordered machine may show.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gate --lib --test loom --release` (with a target directory of its own).
//!
//! The seqlock is checked as the product uses it, and then once with each of its parts weakened: every mutant must be
//! caught, or the check proves nothing. What loom does not see: the reference counts of the tables, and real time. Every
//! thread under test is a spawned one: the first load of the thread that runs the model is never reordered.
#![cfg(loom)]

use std::sync::Arc;

use gate::slot::{Protocol, SeqSlot, Sound};
use gate::twin::TwinSlot;
use loom::sync::atomic::{
    AtomicU64,
    Ordering::{self, Acquire, Relaxed, Release},
};
use loom::{model, thread};

/// One writer publishes `writes` records, one reader reads `reads` times. A record is two equal words; a reader never
/// gets an older one than it already has.
fn records<P: Protocol + 'static>(writes: u64, reads: usize) {
    model(move || {
        let slot = Arc::new(SeqSlot::<2, P>::new());
        let writer = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || (1..=writes).for_each(|n| slot.write([n, n])))
        };
        let reader = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                let mut newest = 0;
                for _ in 0..reads {
                    if let Ok([a, b]) = slot.read::<2>() {
                        assert!(a == b, "torn: {a} and {b}");
                        assert!(a >= newest && a != 0, "torn or older: {a} after {newest}");
                        newest = a;
                    }
                }
            })
        };
        writer.join().expect("the writer ends");
        reader.join().expect("the reader ends");
        assert_eq!(slot.read::<2>(), Ok([writes, writes]));
    });
}

#[test]
fn a_reader_during_two_publications_gets_a_whole_record_or_none() {
    records::<Sound>(2, 1);
}

#[test]
fn a_reader_that_reads_twice_never_goes_back() {
    records::<Sound>(1, 2);
}

/// A protocol that differs from [`Sound`] in one part.
macro_rules! mutant {
    ($name:ident { $part:ident: $type:ty = $value:expr }) => {
        struct $name;

        impl Protocol for $name {
            const $part: $type = $value;
        }
    };
}

mutant!(ReadBeginRelaxed { READ_BEGIN: Ordering = Relaxed });
mutant!(ReadEndMissing { READ_END: Option<Ordering> = None });
mutant!(ReadEndReleases { READ_END: Option<Ordering> = Some(Release) });
mutant!(WriteBeginMissing { WRITE_BEGIN: Option<Ordering> = None });
mutant!(WriteBeginAcquires { WRITE_BEGIN: Option<Ordering> = Some(Acquire) });
mutant!(WriteEndRelaxed { WRITE_END: Ordering = Relaxed });
mutant!(Unmarked { MARKS: bool = false });
mutant!(SpareFirstMissing { SPARE_FIRST: Option<Ordering> = None });

/// Each mutant must fail in the model; that it does is the proof that the part it weakens is needed.
macro_rules! caught {
    ($($test:ident: $mutant:ident;)+) => {
        $(
            #[test]
            #[should_panic(expected = "torn")]
            fn $test() {
                records::<$mutant>(2, 1);
            }
        )+
    };
}

caught! {
    a_relaxed_first_load_is_caught: ReadBeginRelaxed;
    a_missing_fence_before_the_second_load_is_caught: ReadEndMissing;
    a_release_fence_before_the_second_load_is_caught: ReadEndReleases;
    a_missing_fence_after_the_odd_number_is_caught: WriteBeginMissing;
    an_acquire_fence_after_the_odd_number_is_caught: WriteBeginAcquires;
    a_relaxed_last_store_is_caught: WriteEndRelaxed;
    a_writer_that_marks_nothing_is_caught: Unmarked;
}

/// A writer publishes once more into a pair that holds two records; a reader reads `reads` times, wherever the writer stands,
/// or died. It always gets a record, whole, and none older than it has had.
fn pair<P: Protocol + 'static>(reads: usize) {
    model(move || {
        let slot = Arc::new(TwinSlot::<2, P>::new());
        slot.write([1, 1]);
        slot.write([2, 2]);
        let writer = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.write([3, 3]))
        };
        let reader = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                let mut newest = 2;
                for _ in 0..reads {
                    let Ok([a, b]) = slot.read::<2>() else { panic!("torn: no record at all") };
                    assert!(a == b, "torn: {a} and {b}");
                    assert!(a >= newest, "torn or older: {a} after {newest}");
                    newest = a;
                }
            })
        };
        writer.join().expect("the writer ends");
        reader.join().expect("the reader ends");
        assert_eq!(slot.read::<2>(), Ok([3, 3]));
    });
}

#[test]
fn a_pair_gives_a_whole_record_wherever_its_writer_stands_or_died() {
    pair::<Sound>(1);
}

#[test]
fn a_reader_of_a_pair_that_reads_twice_never_goes_back() {
    pair::<Sound>(2);
}

#[test]
#[should_panic(expected = "torn")]
fn a_spare_that_may_be_seen_after_the_fronts_mark_is_caught() {
    pair::<SpareFirstMissing>(1);
}

/// The protocol between the static table, the dynamic table and the order thread, on one row of one-word records: what
/// `StaticWriter::publish`, `LimitWriter::publish` and the fast path of `Gate::check` do, in their order, with what each may get
/// wrong. `src/narrowing.rs` checks the tables' own code. (Whole gates have too many words for every interleaving of three threads.)
struct Row {
    cap: SeqSlot<1>,
    /// Of the cap; `RowWord` in the product.
    epoch: AtomicU64,
    /// A limit and the epoch of the cap it was clamped under.
    dynamic: SeqSlot<2>,
    breaker: AtomicU64,
}

/// What each side may get wrong.
#[derive(Clone, Copy, PartialEq)]
enum Slip {
    None,
    /// The officer's epoch becomes visible before the cap.
    EpochBeforeCap,
    /// The scorer reads the cap before the epoch it stamps.
    CapBeforeEpoch,
    /// The order thread reads the breaker before the limits.
    BreakerBeforeLimits,
}

impl Row {
    /// A cap of 9 under epoch 1, no dynamic limit, the breaker open.
    fn new() -> Self {
        let row = Self {
            cap: SeqSlot::new(),
            epoch: AtomicU64::new(1),
            dynamic: SeqSlot::new(),
            breaker: AtomicU64::new(0),
        };
        row.cap.write([9]);
        row
    }

    /// A cap of 5 under epoch 2. (The product loads the old epoch first; here that load would hide from loom that the
    /// store and another thread's load do not commute, since it remembers one access per word.)
    fn officer_publishes(&self, slip: Slip) {
        if slip == Slip::EpochBeforeCap {
            self.epoch.store(2, Release);
        }
        self.cap.write([5]);
        if slip != Slip::EpochBeforeCap {
            self.epoch.store(2, Release);
        }
    }

    /// A limit of 9, clamped.
    fn scorer_publishes(&self, slip: Slip) {
        let early = (slip == Slip::CapBeforeEpoch).then(|| self.cap.read::<1>());
        let epoch = self.epoch.load(Acquire);
        match early.unwrap_or_else(|| self.cap.read::<1>()) {
            Ok([cap]) => self.dynamic.write([cap.min(9), epoch]),
            Err(_) => self.dynamic.write([9, 0]),
        }
    }

    /// The limit the fast path holds an order to, when it takes one at all.
    fn order_reads(&self) -> Option<u64> {
        let [limit, under] = self.dynamic.read::<2>().ok()?;
        let epoch = self.epoch.load(Acquire);
        (under == epoch).then_some(limit)
    }
}

/// The officer narrows the cap to 5 while the scorer publishes. Whoever knows that the officer's publication has returned
/// is held to no limit above 5, whatever the scorer was doing meanwhile.
fn narrowing(slip: Slip) {
    model(move || {
        let row = Arc::new(Row::new());
        let done = Arc::new(AtomicU64::new(0));
        let officer = {
            let (row, done) = (Arc::clone(&row), Arc::clone(&done));
            thread::spawn(move || {
                row.officer_publishes(slip);
                done.store(1, Release);
            })
        };
        // The scorer's own thread stands for an order thread that has its newest record.
        let scorer = thread::spawn(move || {
            row.scorer_publishes(slip);
            let narrowed = done.load(Acquire) == 1;
            let limit = row.order_reads();
            assert!(!narrowed || limit.is_none_or(|l| l <= 5), "held to a cap no longer in force");
        });
        officer.join().expect("the officer ends");
        scorer.join().expect("the scorer ends");
    });
}

#[test]
fn a_narrower_cap_binds_from_the_moment_its_publication_returns() {
    narrowing(Slip::None);
}

#[test]
#[should_panic(expected = "no longer in force")]
fn an_epoch_visible_before_its_cap_is_caught() {
    narrowing(Slip::EpochBeforeCap);
}

#[test]
#[should_panic(expected = "no longer in force")]
fn a_cap_read_before_the_epoch_it_is_stamped_with_is_caught() {
    narrowing(Slip::CapBeforeEpoch);
}

/// Control trips the breaker and then publishes a limit. Whoever is held to that limit sees the trip.
fn tripping(slip: Slip) {
    model(move || {
        let row = Arc::new(Row::new());
        let control = {
            let row = Arc::clone(&row);
            thread::spawn(move || {
                row.breaker.store(1, Release);
                row.dynamic.write([7, 1]);
            })
        };
        let order = thread::spawn(move || {
            let early = (slip == Slip::BreakerBeforeLimits).then(|| row.breaker.load(Relaxed));
            let limit = row.order_reads();
            let tripped = early.unwrap_or_else(|| row.breaker.load(Relaxed));
            assert!(limit.is_none() || tripped == 1, "limits newer than the breaker");
        });
        control.join().expect("control ends");
        order.join().expect("the order thread ends");
    });
}

#[test]
fn a_trip_is_never_seen_later_than_limits_published_after_it() {
    tripping(Slip::None);
}

#[test]
#[should_panic(expected = "newer than the breaker")]
fn a_breaker_read_before_the_limits_is_caught() {
    tripping(Slip::BreakerBeforeLimits);
}
