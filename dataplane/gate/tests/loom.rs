//! Model-checks what threads share: every interleaving and every value a weakly ordered machine may show.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gate --test loom --release` (with a target directory of its own).
//!
//! The seqlock is checked as the product uses it, and then once with each of its parts weakened: every mutant must be
//! caught, or the check proves nothing. What loom does not see: the reference counts of the tables, and real time. Every
//! thread under test is a spawned one: the first load of the thread that runs the model is never reordered.
#![cfg(loom)]

use std::sync::Arc;

use gate::slot::{Protocol, SeqSlot, Sound};
use gate::{
    AccountId, Breaker, BreakerCause, BreakerState, BreakerTable, BreakerWriter, ClassId, Envelope,
    FixedScore, Gate, GateConfig, GateTables, LimitCause, LimitTable, LimitWriter, OrderIntent, OrderType,
    Permission, RefTable, RiskLimits, Scope, StaticTable, StaticTerms, StaticWriter, StrategyConfig,
    StrategyId, Terms, TimeInForce, TopOfBook,
};
use loom::sync::atomic::{
    AtomicBool,
    Ordering::{self, Acquire, Relaxed, Release},
};
use loom::{model, thread};
use types::{BookState, InstrumentId, Nanos, Px, Qty, Side, Tier, TradingStatus, UnixNanos};

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
    ($name:ident { $($part:ident: $type:ty = $value:expr),* }) => {
        struct $name;

        impl Protocol for $name {
            mutant!(@ $($part: $type = $value),*);
        }
    };
    (@ READ_BEGIN: $t:ty = $v:expr) => {
        const READ_BEGIN: Ordering = $v;
        const READ_END: Option<Ordering> = Sound::READ_END;
        const WRITE_BEGIN: Option<Ordering> = Sound::WRITE_BEGIN;
        const WRITE_END: Ordering = Sound::WRITE_END;
        const MARKS: bool = Sound::MARKS;
    };
    (@ READ_END: $t:ty = $v:expr) => {
        const READ_BEGIN: Ordering = Sound::READ_BEGIN;
        const READ_END: Option<Ordering> = $v;
        const WRITE_BEGIN: Option<Ordering> = Sound::WRITE_BEGIN;
        const WRITE_END: Ordering = Sound::WRITE_END;
        const MARKS: bool = Sound::MARKS;
    };
    (@ WRITE_BEGIN: $t:ty = $v:expr) => {
        const READ_BEGIN: Ordering = Sound::READ_BEGIN;
        const READ_END: Option<Ordering> = Sound::READ_END;
        const WRITE_BEGIN: Option<Ordering> = $v;
        const WRITE_END: Ordering = Sound::WRITE_END;
        const MARKS: bool = Sound::MARKS;
    };
    (@ WRITE_END: $t:ty = $v:expr) => {
        const READ_BEGIN: Ordering = Sound::READ_BEGIN;
        const READ_END: Option<Ordering> = Sound::READ_END;
        const WRITE_BEGIN: Option<Ordering> = Sound::WRITE_BEGIN;
        const WRITE_END: Ordering = $v;
        const MARKS: bool = Sound::MARKS;
    };
    (@ MARKS: $t:ty = $v:expr) => {
        const READ_BEGIN: Ordering = Sound::READ_BEGIN;
        const READ_END: Option<Ordering> = Sound::READ_END;
        const WRITE_BEGIN: Option<Ordering> = Sound::WRITE_BEGIN;
        const WRITE_END: Ordering = Sound::WRITE_END;
        const MARKS: bool = $v;
    };
}

mutant!(ReadBeginRelaxed { READ_BEGIN: Ordering = Relaxed });
mutant!(ReadEndMissing { READ_END: Option<Ordering> = None });
mutant!(ReadEndReleases { READ_END: Option<Ordering> = Some(Release) });
mutant!(WriteBeginMissing { WRITE_BEGIN: Option<Ordering> = None });
mutant!(WriteBeginAcquires { WRITE_BEGIN: Option<Ordering> = Some(Acquire) });
mutant!(WriteEndRelaxed { WRITE_END: Ordering = Relaxed });
mutant!(Unmarked { MARKS: bool = false });

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

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
const INSTRUMENT: InstrumentId = InstrumentId(0);
const CLASS: ClassId = ClassId(0);

const WIDE: RiskLimits = RiskLimits {
    max_qty: Qty(500),
    max_notional_micros: i64::MAX,
    collar_bps: 500,
    passive_min_ticks: 1,
    max_pos_long: 1_000,
    max_pos_short: 1_000,
    order_rate_per_s: 100,
    order_burst: 100,
    margin_bps: 10_000,
};
const NARROW: RiskLimits = RiskLimits { max_qty: Qty(50), ..WIDE };

fn breaker(state: BreakerState) -> Breaker {
    Breaker { state, cause: BreakerCause::Officer, episode: 1 }
}

fn terms() -> Terms {
    Terms {
        tier: Tier::Normal,
        score: FixedScore::ZERO,
        lease: Nanos::SECOND,
        version: 1,
        cause: LimitCause::Boot,
    }
}

fn officer(statics: &mut StaticWriter, limits: RiskLimits) {
    let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
    let envelope = Envelope::fixed(limits).expect("limits in bounds");
    statics.publish(INSTRUMENT, CLASS, &envelope, &terms, NOW).expect("a row");
}

fn scorer(dynamics: &mut LimitWriter, limits: RiskLimits) {
    let effective = Envelope::fixed(limits).expect("limits in bounds").clamp(&limits);
    dynamics.publish(INSTRUMENT, CLASS, &effective, &terms(), NOW).expect("a row");
}

fn order(qty: u32) -> OrderIntent {
    OrderIntent {
        cl_ord_id: 1,
        px: Px::from_1e4(1_000_000),
        instrument: INSTRUMENT,
        qty: Qty(qty),
        strategy: StrategyId(0),
        account: AccountId(0),
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
    }
}

/// A gate under `limits` from both writers, everything open.
fn gate(limits: RiskLimits) -> (Gate, StaticWriter, LimitWriter, BreakerWriter) {
    let (mut statics, static_reader) = StaticTable::create(1, 1).expect("a table");
    let (mut dynamics, limit_reader) = LimitTable::create_within(&static_reader).expect("a table");
    let (mut prices, references) = RefTable::create(1).expect("a table");
    let (mut breakers, breaker_reader) = BreakerTable::create(1, 1, 1).expect("a table");
    officer(&mut statics, limits);
    scorer(&mut dynamics, limits);
    let top = TopOfBook {
        bid: Px::from_1e4(1_000_000),
        bid_qty: 100,
        ask: Px::from_1e4(1_000_200),
        ask_qty: 100,
        last: Px::NONE,
        tick: Px::from_1e4(100),
        ts: NOW,
        state: BookState::Live,
        status: TradingStatus::Trading,
    };
    prices.publish(INSTRUMENT, &top).expect("a row");
    breakers.set_unset(breaker(BreakerState::Open));
    let strategies = [StrategyConfig { class: CLASS, order_rate_per_s: 100, order_burst: 100 }];
    let config =
        GateConfig { strategies: &strategies, open_orders_max: 1, recent_orders: 1, ..GateConfig::DEFAULT };
    let tables = GateTables {
        statics: static_reader,
        dynamics: Some(limit_reader),
        references,
        breakers: breaker_reader,
    };
    (Gate::new(&config, tables).expect("a gate"), statics, dynamics, breakers)
}

/// Whole gates have too many steps for every interleaving; every one with up to this many preemptions is explored.
fn bounded(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 10_000;
    builder.check(test);
}

/// The officer narrows the cap while the scorer goes on publishing under the wide one. Whoever knows that the officer's
/// publication has returned gets no verdict under the wide cap any more, whatever the scorer was doing meanwhile.
#[test]
fn a_narrower_cap_binds_from_the_moment_its_publication_returns() {
    bounded(|| {
        let (gate, mut statics, mut dynamics, _breakers) = gate(WIDE);
        let done = Arc::new(AtomicBool::new(false));
        let scoring = thread::spawn(move || scorer(&mut dynamics, WIDE));
        let narrowing = {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                officer(&mut statics, NARROW);
                done.store(true, Release);
            })
        };
        let ordering = thread::spawn(move || {
            let narrowed = done.load(Acquire);
            let verdict = gate.check(&order(51), NOW);
            assert!(!narrowed || !verdict.accepted(), "accepted above a cap already published");
            gate
        });
        scoring.join().expect("the scorer ends");
        narrowing.join().expect("the officer ends");
        let gate = ordering.join().expect("the order thread ends");
        assert!(!gate.check(&order(51), NOW).accepted());
        assert!(gate.check(&order(50), NOW).accepted());
    });
}

/// Control trips a breaker and then widens the limits. An order that only the wider limits allow is never let through:
/// whoever sees the limits sees the trip.
#[test]
fn a_trip_is_never_seen_later_than_limits_published_after_it() {
    bounded(|| {
        let (gate, mut statics, mut dynamics, mut breakers) = gate(NARROW);
        let control = thread::spawn(move || {
            breakers.set(Scope::Firm, breaker(BreakerState::Tripped)).expect("a scope");
            officer(&mut statics, WIDE);
            scorer(&mut dynamics, WIDE);
        });
        let ordering = thread::spawn(move || {
            assert!(!gate.check(&order(51), NOW).accepted(), "the limits were newer than the breaker");
        });
        control.join().expect("control ends");
        ordering.join().expect("the order thread ends");
    });
}
