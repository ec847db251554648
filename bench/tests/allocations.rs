//! The hot path allocates nothing: from the message's bytes to the settled order, 100,000 messages after warm-up.
//!
//! A global allocator counts what the measuring thread asks for; the control test shows that it would notice.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bench::day::{Day, SMALL};
use bench::gate_rig::{GateRig, OPEN, cancelled, orders};
use bench::line::{BookOptions, BookRig, CHUNK, Events, Outlet};
use featurizer::{BookLimits, Featurizer, FeaturizerConfig, OnFull};
use stage::ring;
use types::{BookEvent, FeatureVector, Nanos};

/// The system's allocator, counting per thread.
struct Counting;

thread_local! {
    /// Requests of this thread while it measures. `const` and without a destructor, so that reading it allocates nothing.
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // During a thread's end there is no cell any more, and nothing is measured.
    let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
}

// SAFETY: `GlobalAlloc` wants that the methods do what they say and neither unwind nor allocate themselves. Each hands its
// arguments to `System`, which keeps the contract, unchanged; counting is an add on a thread-local without destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract, and `System` has the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc_zeroed`'s contract, and `System` has the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `realloc`'s contract: the block came from here, that is, from `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract: the block came from here, that is, from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests this thread makes while `work` runs.
fn requests_of<R>(work: impl FnOnce() -> R) -> (u64, R) {
    let before = REQUESTS.get();
    let result = work();
    (REQUESTS.get() - before, result)
}

#[test]
fn the_counter_notices_every_kind_of_request() {
    assert_eq!(requests_of(|| ()).0, 0);
    assert_eq!(requests_of(|| std::hint::black_box(Box::new(1_u64))).0, 1);
    assert_eq!(requests_of(|| std::hint::black_box(vec![0_u64; 100])).0, 1);
    let mut list: Vec<u64> = Vec::with_capacity(1);
    assert_eq!(requests_of(|| list.extend([1, 2, 3])).0, 1);
    assert_eq!(requests_of(|| std::hint::black_box(format!("{:?}", list.len()))).0, 1);
}

/// One thread's whole line: decoder, event ring, featurizer, vector ring.
struct Line {
    decoder: Events,
    tx: stage::RingTx<BookEvent>,
    rx: stage::RingRx<BookEvent>,
    chunk: Box<[BookEvent; CHUNK + 2]>,
    featurizer: Featurizer,
    vectors_tx: stage::RingTx<FeatureVector>,
    vectors_rx: stage::RingRx<FeatureVector>,
    vectors: u64,
    tops: Outlet,
}

impl Line {
    fn new() -> Self {
        let (tx, rx) = ring(4_096);
        let (vectors_tx, vectors_rx) = ring(4_096);
        let books = BookLimits { instruments: 1_024, order_slots_log2: 18, ..BookLimits::default() };
        let config = FeaturizerConfig { books, on_full: OnFull::KeepDirty, ..FeaturizerConfig::default() };
        Self {
            decoder: Events::new(),
            tx,
            rx,
            chunk: Box::new([BookEvent::EMPTY; CHUNK + 2]),
            featurizer: Featurizer::new(&config).expect("memory for the featurizer"),
            vectors_tx,
            vectors_rx,
            vectors: 0,
            tops: Outlet::default(),
        }
    }

    fn run(&mut self, bytes: &[u8]) {
        let Self { decoder, tx, rx, chunk, featurizer, vectors_tx, vectors_rx, vectors, tops } = self;
        decoder.each_chunk(bytes, |events| {
            assert_eq!(tx.send(events), events.len());
            let popped = rx.recv(&mut chunk[..]);
            let mut sinks = (&mut *vectors_tx, &mut *tops, &mut ());
            assert_eq!(featurizer.apply(&chunk[..popped], &mut sinks), popped);
            *vectors += vectors_rx.drain(usize::MAX, |_| ()) as u64;
        });
    }
}

#[test]
fn from_bytes_to_vectors_nothing_is_allocated() {
    // Ten thousand messages a second: the hundred thousand pass a hundred grid points.
    let day = Day::generate(&SMALL).retimed(100_000);
    let mut line = Line::new();
    line.run(day.preload());
    line.run(day.segment(0));
    let before = line.vectors;
    let (requests, ()) = requests_of(|| line.run(day.segment(1)));
    assert!(line.vectors - before > 1_000, "the grid ran: {} vectors", line.vectors - before);
    assert!(line.tops.tops > 0);
    assert_eq!(requests, 0);
}

#[test]
fn books_alone_allocate_nothing() {
    let day = Day::generate(&SMALL);
    let mut rig = BookRig::new(BookOptions::PRODUCT).expect("memory for the books");
    rig.run(day.preload());
    let (requests, sum) = requests_of(|| rig.run(day.segment(0)));
    assert!(sum != 0 && rig.books().counters().bad_events == 0);
    assert_eq!(requests, 0);
}

#[test]
fn from_check_to_settlement_nothing_is_allocated() {
    let mut rig = GateRig::open(512);
    let list = orders(512, 100_000, 9);
    let mut now = OPEN;
    let (requests, accepted) = requests_of(|| {
        let mut accepted = 0;
        for order in &list {
            now = now.plus(Nanos(1_000));
            rig.publisher.publish_any(now);
            accepted += u64::from(rig.gate.check(order, now).accepted());
            let (_, reservation) = rig.gate.reserve(order, now);
            accepted += u64::from(reservation.is_some());
            rig.gate.settle(cancelled(order.cl_ord_id));
        }
        accepted
    });
    assert_eq!(accepted, 200_000);
    assert_eq!(requests, 0);
}

#[test]
fn a_refusal_allocates_nothing_either() {
    let rig = GateRig::open(64);
    let mut order = orders(64, 1, 9)[0];
    order.qty.0 = 1_000_000;
    let (requests, verdict) = requests_of(|| rig.gate.check(&order, OPEN));
    assert!(!verdict.accepted());
    assert_eq!(requests, 0);
}
