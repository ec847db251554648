//! What a call from C costs over one from Rust: reserve and settle on an attached thread, both ways.
//!
//! `cargo bench --workspace --bench attached`; `instructions` counts the same two calls.
#![allow(unsafe_code)]

#[path = "support/attached.rs"]
mod attached;

use attached::{INSTRUMENTS, InC, InRust, Way};
use bench::gate_rig::{OPEN, orders};
use bench::machine::{Fingerprint, load_average, pin};
use bench::report::{Transcript, results_folder};
use bench::rounds::{Row, interleave};
use bench::stopwatch::ns_per_item;
use types::{Nanos, UnixNanos};

/// Rounds of each row.
const ROUNDS: usize = 61;

/// Orders of a round: what they say to the appliance fits three quarters of the ring.
const BATCH: usize = 16_384;

/// Simulated time between two orders, so that rates recover as they would.
const STEP: Nanos = Nanos(1_000);

/// One way, its orders, its time.
struct Bench<W: Way> {
    way: W,
    orders: Vec<(W::Order, u64)>,
    now: UnixNanos,
}

impl<W: Way> Bench<W> {
    fn new() -> Self {
        let orders = orders(INSTRUMENTS, BATCH, 42);
        let orders = orders.iter().map(|order| (W::order(order), order.cl_ord_id)).collect();
        Self { way: W::attach(), orders, now: OPEN }
    }

    /// Nanoseconds per reservation with its settlement. The ids are those of the round before: long closed, and forgotten.
    fn round(&mut self) -> f64 {
        let Self { way, orders, now } = self;
        let mut done = 0;
        let ns = ns_per_item(BATCH, || {
            for (order, id) in orders.iter() {
                *now = now.plus(STEP);
                done += usize::from(way.round_trip(order, *id, *now));
            }
        });
        assert_eq!(done, BATCH, "every order of the batch is acceptable");
        way.drain();
        ns
    }
}

fn main() {
    let machine = Fingerprint::read();
    let pinned = pin(true);
    let mut out = Transcript::begin("attached: cargo bench --workspace --bench attached", &machine);
    out.line(pinned);
    let (mut rust, mut c) = (Bench::<InRust>::new(), Bench::<InC>::new());
    let rows = vec![
        Row::new("reserve + settle from Rust".to_owned(), |_| rust.round()),
        Row::new("reserve + settle from C".to_owned(), |_| c.round()),
    ];
    let summaries = interleave(ROUNDS, rows);
    out.line(format!("batches of {BATCH}, {ROUNDS} interleaved rounds, CPU time, two calls an order:"));
    out.table("ns per order", &summaries);
    out.line(format!("load average at end: {}", load_average()));
    let folder = results_folder().expect("a folder for results");
    out.save(&folder, "attached.txt").expect("the transcript is written");
    println!("files: {}", folder.display());
}
