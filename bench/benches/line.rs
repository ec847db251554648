//! Nanoseconds per market-data message, from the bytes to the features, beside the floors.
//!
//! `cargo bench -p bench --bench line` prints an interleaved table (every row runs once per round on the same segments of
//! the day; medians with extremes), then lone messages timed one by one, then criterion's estimates with its comparison to
//! the last run. All but the lone messages is CPU time of the measuring thread. `... -- TEXT` runs criterion alone, for the rows whose name holds TEXT.
#![allow(unsafe_code)]

#[path = "support/fence.rs"]
mod fence;

use std::hint::black_box;
use std::time::Duration;

use bench::day::{Day, FULL, HEAVY, WRAPPED};
use bench::line::{BookOptions, BookRig, Events, FeatureRig, RingRig, decode, events, sum, walk};
use bench::machine::{Fingerprint, load_average, pin};
use bench::memory::Region;
use bench::report::{Percentiles, Transcript, results_folder, write_histograms};
use bench::rounds::{Row, Summary};
use bench::stopwatch::{Stopwatch, cpu_time};
use criterion::{Criterion, SamplingMode, Throughput};
use featurizer::PageKind;
use fence::fence;
use stage::hist::latency_histogram;
use wire::framing::Frames;

/// Time between two messages when the features' grid must not count: 4 million messages a second, so that a whole segment
/// lies within three grid points.
const BURST_GAP_NS: u64 = 250;

/// Time between two messages of an average day: 268 million in six and a half hours (the count of 2019-10-30).
const DAY_GAP_NS: u64 = 87_000;

/// Messages timed one by one.
const SINGLES: usize = 1_000_000;

/// Eats a segment and returns a number that depends on all of it.
type Run<'a> = Box<dyn FnMut(&[u8]) -> u64 + 'a>;

/// One row: a rig on its way through the day.
struct Stage<'a> {
    name: &'static str,
    day: &'a Day,
    run: Run<'a>,
    /// What it returned for each segment it has seen.
    sums: Vec<u64>,
    /// The segment it sees next.
    next: usize,
    /// Makes it anew, preloaded.
    renew: Box<dyn Fn() -> Run<'a> + 'a>,
}

impl<'a> Stage<'a> {
    fn new<F: FnMut(&[u8]) -> u64 + 'a>(name: &'static str, day: &'a Day, make: impl Fn() -> F + 'a) -> Self {
        let renew = move || -> Run<'a> {
            let mut run = make();
            black_box(run(day.preload()));
            Box::new(run)
        };
        Self { name, day, run: renew(), sums: Vec::new(), next: 0, renew: Box::new(renew) }
    }

    /// Eats the next segment and returns the CPU time it took. After the last segment the day begins anew, untimed.
    fn step(&mut self) -> Duration {
        if self.next == self.day.segments() {
            self.run = (self.renew)();
            self.next = 0;
        }
        let bytes = self.day.segment(self.next);
        self.next += 1;
        let start = cpu_time();
        let sum = black_box((self.run)(black_box(bytes)));
        let elapsed = cpu_time() - start;
        self.sums.push(sum);
        elapsed
    }

    /// One round: a segment to warm the caches, which the other rows have had in the meantime, and a timed one.
    fn ns_per_message(&mut self) -> f64 {
        self.step();
        self.step().as_secs_f64() * 1e9 / self.day.segment_messages() as f64
    }
}

fn books<'a>(name: &'static str, day: &'a Day, options: BookOptions) -> Stage<'a> {
    Stage::new(name, day, move || {
        let mut rig = BookRig::new(options).expect("memory for the books");
        move |bytes: &[u8]| rig.run(bytes)
    })
}

fn features<'a>(name: &'static str, day: &'a Day) -> Stage<'a> {
    Stage::new(name, day, || {
        let mut rig = FeatureRig::new().expect("memory for the featurizer");
        move |bytes: &[u8]| rig.run(bytes)
    })
}

/// As many loads as the segment has messages.
fn loads<'a>(name: &'static str, day: &'a Day, load: fn(&mut Region, usize) -> u64) -> Stage<'a> {
    Stage::new(name, day, move || {
        let mut region = Region::new().expect("memory for the floor");
        move |_: &[u8]| load(&mut region, day.segment_messages())
    })
}

const BBO: &str = "decode + book + BBO";

fn stages<'a>(day: &'a Day, average: &'a Day, wrapped: &'a Day, heavy: &'a Day) -> Vec<Stage<'a>> {
    let product = BookOptions::PRODUCT;
    vec![
        Stage::new("floor: memcpy of the bytes", day, || {
            let mut to = Vec::new();
            move |bytes: &[u8]| {
                to.resize(bytes.len(), 0);
                to.copy_from_slice(bytes);
                u64::from(black_box(&to)[bytes.len() / 2])
            }
        }),
        Stage::new("floor: sum of the bytes", day, || sum),
        Stage::new("floor: frame walk", day, || walk),
        loads("floor: load from 64 MiB, independent", day, Region::independent),
        loads("floor: load from 64 MiB, dependent", day, Region::dependent),
        Stage::new("decode", day, || decode),
        Stage::new("decode to events", day, || {
            let mut decoder = Events::new();
            move |bytes: &[u8]| events(&mut decoder, bytes)
        }),
        Stage::new("decode to events + ring", day, || {
            let mut rig = RingRig::new();
            move |bytes: &[u8]| rig.run(bytes)
        }),
        books("decode + book", day, BookOptions { bbo: false, ..product }),
        books(BBO, day, product),
        books("decode + book + BBO, no look-ahead", day, BookOptions { lookahead: 0, ..product }),
        books("decode + book + BBO, 4 KiB pages", day, BookOptions { pages: PageKind::Ordinary, ..product }),
        books("decode + book + BBO, wrapped day", wrapped, product),
        books(
            "decode + book + BBO, wrapped day, no look-ahead",
            wrapped,
            BookOptions { lookahead: 0, ..product },
        ),
        books("decode + book + BBO, heavy-tailed day", heavy, product),
        books(
            "decode + book + BBO, heavy-tailed day, no look-ahead",
            heavy,
            BookOptions { lookahead: 0, ..product },
        ),
        features("decode + book + BBO + features", day),
        features("the same with the grid, average day's rate", average),
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let day = Day::generate(&FULL);
    let (burst, average) = (day.retimed(BURST_GAP_NS), day.retimed(DAY_GAP_NS));
    drop(day);
    let (wrapped, heavy) = (Day::generate(&WRAPPED), Day::generate(&HEAVY));
    let pinned = pin(true);
    let mut stages = stages(&burst, &average, &wrapped, &heavy);
    if arguments.iter().all(|a| a.starts_with('-')) && !arguments.iter().any(|a| a == "--test") {
        table(&mut stages, &burst, &pinned);
    }
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(400))
        .configure_from_args();
    let mut group = criterion.benchmark_group("line");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(burst.segment_messages() as u64));
    for stage in &mut stages {
        let name = stage.name;
        group.bench_function(name, |b| b.iter_custom(|n| (0..n).map(|_| stage.step()).sum()));
    }
    group.finish();
    criterion.final_summary();
}

/// The interleaved table and the lone messages.
fn table(stages: &mut [Stage<'_>], day: &Day, pinned: &str) {
    let machine = Fingerprint::read();
    let mut out = Transcript::begin("line: cargo bench -p bench --bench line", &machine);
    out.line(format!(
        "day: {} symbols, {} live orders before the first round; {} rounds, each {} messages to warm up and as many timed; {}",
        day.symbols(),
        FULL.preload_orders,
        day.segments() / 2,
        day.segment_messages(),
        day.mix()
    ));
    out.line(format!("{}; {pinned}; CPU time of the measuring thread", pages()));
    let rounds = day.segments() / 2;
    let rows = stages.iter_mut().map(|stage| Row::new(stage.name, |_| stage.ns_per_message())).collect();
    let found: Vec<Summary> = bench::rounds::interleave(rounds, rows);
    agree(stages);
    out.line("ns per message; all BBO rows agree on the checksum of their stream in every segment:");
    out.table("ns/message", &found);
    lone_messages(&mut out, day, &machine);
    out.line(format!("load average at end: {}", load_average()));
    let folder = results_folder().expect("a folder for results");
    out.save(&folder, "line.txt").expect("the transcript is written");
    println!("files: {}\n", folder.display());
}

/// Rows that read the best quotes of the same day must have read the same ones.
fn agree(stages: &[Stage<'_>]) {
    let bbo = stages.iter().filter(|stage| stage.name.starts_with(BBO) && !stage.name.contains("features"));
    for stage in bbo.clone() {
        let same_day = bbo.clone().filter(|other| std::ptr::eq(other.day, stage.day));
        for other in same_day {
            assert_eq!(stage.sums, other.sums, "{} and {} read different quotes", stage.name, other.name);
        }
    }
}

/// Which pages the books got.
fn pages() -> String {
    let rig = BookRig::new(BookOptions::PRODUCT).expect("memory for the books");
    let memory = rig.memory();
    let huge = memory.huge_bytes.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    format!("books: {} MiB, of which in pages of 2 MiB: {huge}", memory.bytes >> 20)
}

/// One message at a time, fenced: decode + book + BBO when nothing can overlap with a neighbour.
fn lone_messages(out: &mut Transcript, day: &Day, machine: &Fingerprint) {
    let watch = Stopwatch::calibrate(fence);
    out.line(watch.describe());
    let mut histogram = latency_histogram();
    let mut rig = BookRig::new(BookOptions::PRODUCT).expect("memory for the books");
    rig.run(day.preload());
    let flow = (0..day.segments()).flat_map(|i| Frames::new(day.segment(i)));
    for frame in flow.take(SINGLES) {
        let message = frame.expect("whole messages");
        let (ticks, _) = watch.bracket(|| black_box(rig.one(black_box(message))));
        histogram.saturating_record(watch.net_ns(ticks));
    }
    let rows = [Percentiles { tag: "lone-message-bbo", histogram: &histogram }];
    out.line("one message at a time, decode + book + BBO, net of the clock:");
    out.percentiles(&rows);
    let mut comments = machine.lines();
    comments.push(watch.describe());
    let folder = results_folder().expect("a folder for results");
    write_histograms(&folder, "line", &comments, &rows).expect("the histograms are written");
}
