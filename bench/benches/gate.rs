//! What the gate costs an order: each decision timed alone, and batches for throughput.
//!
//! `cargo bench -p bench --bench gate` or `... --bench gate -- 8192` for the rigs whose name holds that text.
//!
//! Closed loop: these are service times of one call. Nothing waits in a queue here, so there is no coordinated omission
//! to correct and nothing is corrected.
#![allow(unsafe_code)]

#[path = "support/fence.rs"]
mod fence;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bench::gate_rig::{GateRig, OPEN, Publisher, cancelled, orders};
use bench::machine::{Fingerprint, load_average, pin};
use bench::report::{Percentiles, Transcript, results_folder, write_histograms};
use bench::rounds::{Row, Summary, interleave};
use bench::stopwatch::{Stopwatch, ns_per_item};
use gate::{Gate, OrderIntent};
use hdrhistogram::Histogram;
use stage::hist::latency_histogram;
use types::{Nanos, UnixNanos};

use fence::fence;

type Watch = Stopwatch<fn()>;

/// Instruments: everything near; the universe the product is sized for; far beyond every private cache.
const DESKS: [u32; 3] = [64, 8_192, 262_144];

/// Rounds of each row.
const ROUNDS: usize = 31;

/// Decisions timed one by one in a round.
const SINGLES: usize = 10_000;

/// Decisions in one batch.
const BATCH: usize = 32_768;

/// Publications per second while the writer runs.
const PUBLISH_PER_S: u64 = 10_000;

/// Simulated time between two reservations, so that rates recover as they would.
const STEP: Nanos = Nanos(1_000);

/// Orders taken in turn.
struct Orders {
    list: Vec<OrderIntent>,
    at: usize,
    next_id: u64,
}

impl Orders {
    /// The next order, copied where a strategy would have just built it: into the nearest cache.
    #[inline(always)]
    fn next(&mut self) -> OrderIntent {
        self.at = (self.at + 1) % self.list.len();
        black_box(self.list[self.at])
    }

    /// The next order under an id that was never used.
    #[inline(always)]
    fn next_fresh(&mut self) -> OrderIntent {
        self.next_id += 1;
        OrderIntent { cl_ord_id: self.next_id, ..self.next() }
    }
}

/// One rig, its orders, its time.
struct Bench {
    rig: GateRig,
    orders: Orders,
    now: UnixNanos,
}

impl Bench {
    fn open(instruments: u32) -> Self {
        let list = orders(instruments, BATCH, 42);
        let orders = Orders { list, at: 0, next_id: 1 << 40 };
        Self { rig: GateRig::open(instruments), orders, now: OPEN }
    }

    fn time_reservations(
        &mut self,
        watch: &Watch,
        reserve: &mut Histogram<u64>,
        settle: &mut Histogram<u64>,
    ) {
        let gate = &mut self.rig.gate;
        for _ in 0..SINGLES {
            let order = self.orders.next_fresh();
            self.now = self.now.plus(STEP);
            let now = self.now;
            let (ticks, (verdict, reservation)) =
                watch.bracket(|| black_box(gate.reserve(black_box(&order), now)));
            assert!(reservation.is_some(), "{verdict}");
            reserve.saturating_record(watch.net_ns(ticks));
            let (ticks, _) = watch.bracket(|| black_box(gate.settle(black_box(cancelled(order.cl_ord_id)))));
            settle.saturating_record(watch.net_ns(ticks));
        }
    }

    /// Nanoseconds per check over a batch whose neighbours overlap in the processor.
    fn batch_of_checks(&self) -> f64 {
        let (gate, now) = (&self.rig.gate, self.now);
        let check = |order| usize::from(gate.check(black_box(order), now).accepted());
        let mut accepted = 0;
        let ns = ns_per_item(BATCH, || accepted = self.orders.list.iter().map(check).sum());
        assert_eq!(accepted, BATCH, "every order of the batch is acceptable");
        ns
    }

    /// Nanoseconds per reservation with its settlement, over a batch.
    fn batch_of_round_trips(&mut self) -> f64 {
        let Self { rig: GateRig { gate, .. }, orders, now } = self;
        let mut accepted = 0;
        let ns = ns_per_item(BATCH, || {
            for _ in 0..BATCH {
                let order = orders.next_fresh();
                *now = now.plus(STEP);
                let (_, reservation) = gate.reserve(black_box(&order), *now);
                accepted += usize::from(reservation.is_some());
                black_box(gate.settle(cancelled(order.cl_ord_id)));
            }
        });
        assert_eq!(accepted, BATCH, "every order of the batch is acceptable");
        ns
    }
}

fn time_checks(gate: &Gate, orders: &mut Orders, now: UnixNanos, watch: &Watch, into: &mut Histogram<u64>) {
    for _ in 0..SINGLES {
        let order = orders.next();
        let (ticks, verdict) = watch.bracket(|| black_box(gate.check(black_box(&order), now)));
        assert!(verdict.accepted(), "{verdict}");
        into.saturating_record(watch.net_ns(ticks));
    }
}

/// Publishes at a steady rate on another CPU until told to stop, catching up after every sleep; returns how often.
fn publish_until(stop: &AtomicBool, publisher: &mut Publisher, now: UnixNanos) -> u64 {
    let _ = pin(false);
    let start = Instant::now();
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = start.elapsed().as_micros() as u64 * PUBLISH_PER_S / 1_000_000;
        while done < due {
            publisher.publish_any(now);
            done += 1;
        }
        thread::sleep(Duration::from_micros(50));
    }
    done
}

/// Histograms of one rig.
struct Singles {
    check: Histogram<u64>,
    check_with_writer: Histogram<u64>,
    reserve: Histogram<u64>,
    settle: Histogram<u64>,
    published: u64,
}

impl Singles {
    fn new() -> Self {
        let [check, check_with_writer, reserve, settle] = std::array::from_fn(|_| latency_histogram());
        Self { check, check_with_writer, reserve, settle, published: 0 }
    }

    /// One round: a short batch warms the rig's tables, then each operation in turn.
    fn round(&mut self, bench: &mut Bench, watch: &Watch) {
        bench.batch_of_checks();
        time_checks(&bench.rig.gate, &mut bench.orders, bench.now, watch, &mut self.check);
        self.round_with_writer(bench, watch);
        bench.batch_of_round_trips();
        bench.time_reservations(watch, &mut self.reserve, &mut self.settle);
    }

    fn round_with_writer(&mut self, bench: &mut Bench, watch: &Watch) {
        let Bench { rig: GateRig { gate, publisher, .. }, orders, now } = bench;
        let (stop, now) = (AtomicBool::new(false), *now);
        self.published += thread::scope(|scope| {
            let writer = scope.spawn(|| publish_until(&stop, publisher, now));
            // Until it runs.
            thread::sleep(Duration::from_millis(1));
            time_checks(gate, orders, now, watch, &mut self.check_with_writer);
            stop.store(true, Ordering::Relaxed);
            writer.join().expect("the writer does not panic")
        });
    }

    fn rows(&self) -> [(&'static str, &Histogram<u64>); 4] {
        [
            ("check", &self.check),
            ("check+writer", &self.check_with_writer),
            ("reserve", &self.reserve),
            ("settle", &self.settle),
        ]
    }
}

fn main() {
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |n: &u32| filters.is_empty() || filters.iter().any(|f| n.to_string().contains(f.as_str()));
    let machine = Fingerprint::read();
    let pinned = pin(true);
    let mut out = Transcript::begin("gate: cargo bench -p bench --bench gate", &machine);
    let watch: Watch = Stopwatch::calibrate(fence);
    out.line(watch.describe());
    out.line(pinned);
    let mut rigs: Vec<(u32, Bench, Singles)> =
        DESKS.into_iter().filter(wanted).map(|n| (n, Bench::open(n), Singles::new())).collect();
    for (n, bench, _) in &rigs {
        out.line(format!("rig of {n} instruments, one strategy: {} KiB of tables", bench.rig.bytes / 1024));
    }
    for _ in 0..ROUNDS {
        rigs.iter_mut().for_each(|(_, bench, singles)| singles.round(bench, &watch));
    }
    report_singles(&mut out, &rigs, &machine, &watch);
    report_batches(&mut out, &mut rigs);
    out.line(format!("load average at end: {}", load_average()));
    let folder = results_folder().expect("a folder for results");
    out.save(&folder, "gate.txt").expect("the transcript is written");
    println!("files: {}", folder.display());
}

fn report_singles(
    out: &mut Transcript,
    rigs: &[(u32, Bench, Singles)],
    machine: &Fingerprint,
    watch: &Watch,
) {
    let named: Vec<(String, &Histogram<u64>)> = rigs
        .iter()
        .flat_map(|(n, _, singles)| {
            singles.rows().map(|(what, histogram)| (format!("{what}-{n}"), histogram))
        })
        .collect();
    let rows: Vec<Percentiles<'_>> =
        named.iter().map(|(tag, histogram)| Percentiles { tag, histogram }).collect();
    out.line(format!("each decision alone, {ROUNDS} interleaved rounds of {SINGLES}, net of the clock:"));
    out.percentiles(&rows);
    let published: u64 = rigs.iter().map(|(_, _, singles)| singles.published).sum();
    out.line(format!("publications while the +writer rows ran: {published} at {PUBLISH_PER_S}/s"));
    let mut comments = machine.lines();
    comments.push(watch.describe());
    let folder = results_folder().expect("a folder for results");
    write_histograms(&folder, "gate", &comments, &rows).expect("the histograms are written");
}

fn report_batches(out: &mut Transcript, rigs: &mut [(u32, Bench, Singles)]) {
    let mut summaries: Vec<Summary> = Vec::new();
    let checks = rigs
        .iter()
        .map(|(n, bench, _)| Row::new(format!("check, {n} instruments"), |_| bench.batch_of_checks()))
        .collect();
    summaries.extend(interleave(ROUNDS, checks));
    let trips = rigs
        .iter_mut()
        .map(|(n, bench, _)| {
            Row::new(format!("reserve + settle, {n} instruments"), |_| bench.batch_of_round_trips())
        })
        .collect();
    summaries.extend(interleave(ROUNDS, trips));
    out.line(format!(
        "batches of {BATCH}, {ROUNDS} interleaved rounds, CPU time, throughput (neighbours overlap):"
    ));
    out.table("ns per order", &summaries);
}
