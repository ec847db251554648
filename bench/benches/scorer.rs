//! What a score costs on a CPU: every backend and kernel on the shipped model, values with units in, scores and reasons out;
//! and the fused kernels' network alone, on the shipped sizes and on 32-64-32-8-32-64-32.
//!
//! `cargo bench -p bench --bench scorer`, or `... --bench scorer -- network` for the rows whose name holds that text. Candle
//! runs on one thread, as the appliance runs it. `scorer_peers.py` runs ONNX Runtime on the same two networks, in turn with this.
//!
//! Closed loop: these are service times of one call, so there is no coordinated omission to correct.
#![allow(unsafe_code)]

#[path = "support/fence.rs"]
mod fence;

use std::hint::black_box;

use bench::machine::{Fingerprint, load_average, pin};
use bench::report::{Percentiles, Transcript, results_folder, write_histograms};
use bench::rounds::{Row, Summary, interleave};
use bench::stopwatch::{Stopwatch, ns_per_item};
use gpu::{
    Backend, DenseLayer, FusedAutoencoder, FusedScorer, Kernel, Model, RawScore, Scorer, StagedScorer, Then,
    open_scorer,
};
use hdrhistogram::Histogram;
use stage::hist::latency_histogram;
use types::{BookState, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Symbol, UnixNanos};

use fence::fence;

/// Rows in a batch: a triggered instrument, a busy moment, the budget's universe, a whole market.
const BATCHES: [usize; 4] = [1, 64, 1_024, 8_192];

/// Rounds of each row.
const ROUNDS: usize = 15;

/// Instruments scored in one round of a throughput row; at least one batch.
const ITEMS: usize = 8_192;

/// Single scores timed one by one, per round.
const SINGLES: usize = 2_000;

/// The shipped network's sizes, and those of the published comparisons.
const NETWORKS: [(&str, [usize; 7]); 2] =
    [("shipped", [13, 32, 16, 4, 16, 32, 13]), ("32-64-32-8", [32, 64, 32, 8, 32, 64, 32])];

/// Numbers between -1 and 1, the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn signed(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Calm rows of a market where everything is known.
fn market(count: usize) -> Vec<FeatureVector> {
    let mut numbers = Numbers(1);
    let centre = [1.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 6.0, 0.05, 0.45, 6.0, 1.0];
    (0..count)
        .map(|i| {
            let mut vector = FeatureVector {
                ts: UnixNanos(1),
                instrument: InstrumentId(i as u32),
                valid: (1 << MODEL_FEATURE_COUNT) - 1,
                book_state: BookState::Live.to_u8(),
                ..FeatureVector::EMPTY
            };
            for (value, c) in vector.values.iter_mut().zip(centre) {
                *value = c + (0.1 + 0.3 * f64::abs(c)) * numbers.signed();
            }
            vector
        })
        .collect()
}

/// Every backend of this machine, by the name of its rows.
fn scorers(model: &Model) -> Vec<(&'static str, Box<dyn StagedScorer + Send>)> {
    let count = ITEMS;
    let mut scorers: Vec<(&'static str, Box<dyn StagedScorer + Send>)> = Vec::new();
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
        let fused = FusedScorer::with_kernel(model, count, kernel).expect("an available kernel");
        scorers.push((kernel.name(), Box::new(fused)));
    }
    for (name, backend) in [("reference", Backend::Reference), ("candle", Backend::Candle)] {
        scorers.push((name, open_scorer(backend, model, count).expect("the shipped model opens")));
    }
    for (_, scorer) in &mut scorers {
        for i in 0..ITEMS {
            scorer.define(InstrumentId(i as u32), Symbol::new(&format!("S{i}")).expect("a name"));
        }
    }
    scorers
}

/// Nanoseconds per score over as many batches as make a round.
fn round_of_scores(
    scorer: &mut dyn Scorer,
    rows: &[FeatureVector],
    batch: usize,
    out: &mut [Option<RawScore>],
) -> f64 {
    let ns = ns_per_item(ITEMS, || {
        for (rows, out) in rows.chunks_exact(batch).zip(out.chunks_exact_mut(batch)) {
            scorer.score(black_box(rows), out);
        }
    });
    assert!(black_box(out).iter().all(Option::is_some), "every row of the batch is scorable");
    ns
}

fn layers(widths: &[usize]) -> Vec<DenseLayer> {
    let mut numbers = Numbers(2);
    let last = widths.len() - 2;
    let layer = |(i, pair): (usize, &[usize])| {
        let size = (3.0 / pair[0] as f64).sqrt();
        let mut draw = |n: usize, size: f64| (0..n).map(|_| (numbers.signed() * size) as f32).collect();
        let then = if i == 2 || i == last { Then::Nothing } else { Then::Relu };
        DenseLayer { weight: draw(pair[0] * pair[1], size), bias: draw(pair[1], 0.1), then }
    };
    widths.windows(2).enumerate().map(layer).collect()
}

/// Rows of the fused kernels' networks alone: prepared rows in, mean squared errors out.
fn network_rows() -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for (name, widths) in NETWORKS {
        let mut numbers = Numbers(3);
        let x: Vec<f32> = (0..ITEMS * widths[0]).map(|_| numbers.signed() as f32).collect();
        for kernel in [Kernel::Avx512, Kernel::Avx2].into_iter().filter(|kernel| kernel.is_available()) {
            for batch in BATCHES {
                let mut network = FusedAutoencoder::new(&layers(&widths), kernel).expect("a network");
                let (x, mut out) = (x.clone(), vec![0.0; ITEMS]);
                let name = format!("network {}, {name}, {batch} rows", kernel.name());
                rows.push(Row::new(name, move |_| {
                    ns_per_item(ITEMS, || {
                        for (x, out) in x.chunks_exact(batch * widths[0]).zip(out.chunks_exact_mut(batch)) {
                            network.mean_squared_errors(black_box(x), out);
                        }
                        black_box(&out);
                    })
                }));
            }
        }
    }
    rows
}

/// One score at a time, each timed alone.
fn time_alone(
    watch: &Stopwatch<fn()>,
    scorers: &mut [(&'static str, Box<dyn StagedScorer + Send>)],
    market: &[FeatureVector],
) -> Vec<(String, Histogram<u64>)> {
    let mut found: Vec<(String, Histogram<u64>)> =
        scorers.iter().map(|(name, _)| (format!("score-alone-{name}"), latency_histogram())).collect();
    for _ in 0..ROUNDS {
        for ((_, scorer), (_, histogram)) in scorers.iter_mut().zip(&mut found) {
            for row in market.chunks_exact(1).take(SINGLES) {
                let mut out = [None];
                let (ticks, ()) = watch.bracket(|| scorer.score(black_box(row), &mut out));
                assert!(black_box(out)[0].is_some(), "a scorable row");
                histogram.saturating_record(watch.net_ns(ticks));
            }
        }
    }
    found
}

fn score_rows<'a>(
    scorers: &'a mut [(&'static str, Box<dyn StagedScorer + Send>)],
    market: &'a [FeatureVector],
    batch: usize,
) -> Vec<Row<'a>> {
    scorers
        .iter_mut()
        .map(|(name, scorer)| {
            let mut out = vec![None; ITEMS];
            Row::new(format!("score {name}, {batch} rows"), move |_| {
                round_of_scores(scorer.as_mut(), market, batch, &mut out)
            })
        })
        .collect()
}

fn main() {
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |part: &str| filters.is_empty() || filters.iter().any(|f| part.contains(f.as_str()));
    let machine = Fingerprint::read();
    let pinned = pin(true);
    let mut out = Transcript::begin("scorer: cargo bench -p bench --bench scorer", &machine);
    let watch: Stopwatch<fn()> = Stopwatch::calibrate(fence);
    out.line(watch.describe());
    out.line(pinned);
    let threads =
        std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "not set: pinned to one CPU".to_owned());
    out.line(format!("RAYON_NUM_THREADS: {threads}; best kernel here: {}", Kernel::best().name()));
    let model = Model::shipped().expect("the shipped model");
    let market = market(ITEMS);
    let mut scorers = scorers(&model);
    if wanted("score") {
        for batch in BATCHES {
            report_batches(&mut out, &interleave(ROUNDS, score_rows(&mut scorers, &market, batch)), batch);
        }
        report_alone(&mut out, &time_alone(&watch, &mut scorers, &market), &machine, &watch);
    }
    if wanted("network") {
        out.line("the network alone, prepared rows in, mean squared errors out:");
        out.table("ns per row", &interleave(ROUNDS, network_rows()));
    }
    out.line(format!("load average at end: {}", load_average()));
    let folder = results_folder().expect("a folder for results");
    out.save(&folder, "scorer.txt").expect("the transcript is written");
    println!("files: {}", folder.display());
}

fn report_batches(out: &mut Transcript, rows: &[Summary], batch: usize) {
    out.line(format!("batches of {batch}, {ROUNDS} interleaved rounds, CPU time, values in, scores out:"));
    out.table("ns per score", rows);
    let Some(candle) = rows.iter().find(|row| row.name.contains("candle")) else { return };
    let ratio = |row: &Summary| {
        let kernel = row.name.split([' ', ',']).nth(1).unwrap_or_default();
        format!("{kernel} {:.2}", candle.median / row.median)
    };
    let ratios: Vec<String> = rows.iter().map(ratio).collect();
    out.line(format!("times Candle's speed: {}", ratios.join(", ")));
}

fn report_alone(
    out: &mut Transcript,
    found: &[(String, Histogram<u64>)],
    machine: &Fingerprint,
    watch: &Stopwatch<fn()>,
) {
    let rows: Vec<Percentiles<'_>> =
        found.iter().map(|(tag, histogram)| Percentiles { tag, histogram }).collect();
    out.line(format!("one instrument alone, {ROUNDS} interleaved rounds of {SINGLES}, net of the clock:"));
    out.percentiles(&rows);
    let mut comments = machine.lines();
    comments.push(watch.describe());
    let folder = results_folder().expect("a folder for results");
    write_histograms(&folder, "scorer", &comments, &rows).expect("the histograms are written");
}
