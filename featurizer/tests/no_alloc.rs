//! After construction nothing on the event path allocates or frees.
#![allow(unsafe_code, reason = "a global allocator can only be written with it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use featurizer::{BookLimits, FeatureSink, Featurizer, FeaturizerConfig, TopOfBookSink};
use types::{
    Action, BookEvent, EventFlags, FeatureVector, InstrumentId, Px, Qty, Side, Symbol, TopOfBook, UnixNanos,
};

thread_local! {
    /// Calls of the allocator by this thread while it is being counted; `None` when it is not.
    static CALLS: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Counting;

fn count() {
    let _ = CALLS.try_with(|calls| calls.set(calls.get().map(|n| n + 1)));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which upholds the contract; counting touches a
// thread-local cell without a destructor and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds `alloc`'s contract, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count();
        // SAFETY: `ptr` came from `System.alloc` with this layout, since `alloc` passes both on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; `size` is the caller's to get right.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Default)]
struct Tally(u64);

impl FeatureSink for Tally {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        self.0 += vectors.len() as u64;
        vectors.len()
    }
}

impl TopOfBookSink for Tally {
    fn top(&mut self, _instrument: InstrumentId, _top: &TopOfBook) {
        self.0 += 1;
    }
}

/// Every action, prices near and far and off the grid, ids that collide, gaps, clears, silences.
fn event(n: u64, now: u64, random: u64) -> BookEvent {
    let pick = |shift: u32, bound: u64| (random >> shift) % bound;
    let far = if pick(8, 10) == 0 { pick(16, 20_000) as i64 } else { pick(16, 20) as i64 };
    let ask = pick(24, 2) == 1;
    let cents = 50_000 + (n / 500) as i64 + if ask { 1 + far } else { -far };
    let action = match pick(0, 100) {
        0..45 => Action::OrderAdd,
        45..70 => Action::OrderDelete,
        70..80 => Action::OrderReplace,
        80..86 => Action::OrderExecute,
        86..90 => Action::OrderReduce,
        90..93 => Action::Trade,
        93..96 => Action::LevelSet,
        96 => Action::Status,
        97 => Action::Time,
        98 if pick(48, 300) == 0 => Action::Clear,
        99 if pick(48, 100) == 0 => Action::Gap,
        _ => Action::TradeBreak,
    };
    let every = matches!(action, Action::Time | Action::Gap) || (action == Action::Clear && pick(40, 4) == 0);
    let instrument = if every { InstrumentId::ALL } else { InstrumentId(pick(32, 8) as u32) };
    BookEvent {
        action,
        instrument,
        order_id: n.saturating_sub(pick(40, 3_000)) * 4
            + if action == Action::OrderAdd { 4 << 40 } else { 0 },
        aux: n * 4,
        side: if ask { Side::Ask } else { Side::Bid },
        px: Px(cents * 10_000_000 + if pick(5, 20) == 0 { 1_234_567 } else { 0 }),
        qty: Qty(1 + pick(28, 500) as u32),
        flags: EventFlags::LAST,
        ts_event: UnixNanos(now),
        ts_recv: UnixNanos(now),
        ..BookEvent::EMPTY
    }
}

#[test]
fn nothing_on_the_event_path_allocates() {
    let books = BookLimits { instruments: 8, order_slots_log2: 10, ..BookLimits::small() };
    let config = FeaturizerConfig { books, walk: true, ..FeaturizerConfig::default() };
    let mut featurizer = Featurizer::new(&config).unwrap();
    let define = |i: u32| BookEvent {
        action: Action::Define,
        instrument: InstrumentId(i),
        order_id: Symbol::new(&format!("T{i}")).unwrap().to_word(),
        px: Px(10_000_000),
        flags: EventFlags::LAST,
        ..BookEvent::EMPTY
    };
    let mut events: Vec<BookEvent> = (0..8).map(define).collect();
    let (mut now, mut state) = (1_700_000_000_000_000_000_u64, 42_u64);
    for n in 0..200_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = state ^ state >> 29;
        now += if n % 40_000 == 0 { 90_000_000_000 } else { random % 2_000_000 };
        events.push(event(n, now, random));
    }
    let (mut vectors, mut tops) = (Tally::default(), Tally::default());
    let mut sinks = (&mut vectors, &mut tops, &mut ());
    CALLS.set(Some(0));
    for chunk in events.chunks(256) {
        featurizer.apply(chunk, &mut sinks);
    }
    let calls = CALLS.take();
    assert_eq!(calls, Some(0));
    let (counters, occupancy) = (featurizer.counters(), featurizer.occupancy());
    assert!(vectors.0 > 10_000 && tops.0 > 1_000, "{} vectors, {} quotes", vectors.0, tops.0);
    assert!(
        occupancy.recentres > 0 && occupancy.far_levels.used > 0 && occupancy.side_orders.used > 0,
        "{occupancy:?}"
    );
    assert!(counters.books.gaps > 0 && counters.books.unknown_orders > 0, "{counters:?}");
}
