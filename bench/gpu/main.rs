//! What a score costs on a card: host to host (rows in pinned memory → scores visible to the CPU) and on the card's own clock, for
//! universes of 64 to 16,384 instruments, beside the two floors of the method and plain Candle operations; after a parity check
//! that ends the run when it fails.
//!
//! `bench/gpu/run.sh` runs it. `gpu LIBRARY`: the CUDA scorer's library. ITERATIONS (default 10,000) bounds a row's samples,
//! which two seconds bound too.
//!
//! Closed loop, one batch at a time as the scorer stage sends them: service times, so there is no coordinated omission to
//! correct. Filling the staging buffer is outside the clock: the scorer stage does it while events arrive.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::{Duration, Instant};

use bench::machine::{Fingerprint, pin};
use bench::report::{Percentiles, Transcript, results_folder, write_histograms};
use gpu::{CardModel, FusedScorer, Head, Increments, Model, RawScore, ReferenceScorer, Scorer, StagedScorer};
use gpu_cuda::abi::{Measure, Mode};
use gpu_cuda::layout::Job;
use gpu_cuda::{Fault, Feeder, LoadedCard, StagedRow};
use hdrhistogram::Histogram;
use stage::hist::latency_histogram;
use types::{BookState, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Symbol};

/// Instruments of a universe.
const UNIVERSES: [u32; 6] = [64, 256, 1_024, 4_096, 8_192, 16_384];
/// Rows that change in a grid step of a busy market.
const CHANGED: u32 = 256;
/// Longest time for a row.
const ROW_TIME: Duration = Duration::from_secs(2);
/// Samples of what the library times itself.
const OWN_SAMPLES: usize = 2_000;
/// Longest wait for one batch.
const BATCH_TIMEOUT: Duration = Duration::from_secs(2);
const MODES: [Mode; 3] = [Mode::Launch, Mode::Graph, Mode::Persistent];

struct Measured {
    tag: String,
    histogram: Histogram<u64>,
}

/// Vectors of a market: values of every size, a feature missing here and there.
fn vectors(count: u32) -> Vec<FeatureVector> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from((state >> 40) as u32) / f64::from(1_u32 << 24)
    };
    let vector = |i| FeatureVector {
        instrument: InstrumentId(i),
        values: core::array::from_fn(|_| 6.0 * uniform() - 1.0),
        valid: if i % 10 == 0 { 0x0fff } else { (1 << MODEL_FEATURE_COUNT) - 1 },
        book_state: BookState::Live.to_u8(),
        ..FeatureVector::EMPTY
    };
    (0..count).map(vector).collect()
}

fn stage(feeder: &mut Feeder<LoadedCard>, rows: &[FeatureVector]) -> Result<(), String> {
    for row in rows {
        let (values, valid) = row.model_inputs();
        let staged = StagedRow { instrument: Some(row.instrument.0), profile: 0, valid, values };
        feeder.stage(&staged).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn run(feeder: &mut Feeder<LoadedCard>, universe: u32) -> Result<(Job, u64), Fault> {
    let start = Instant::now();
    let job = feeder.submit(universe)?;
    while !feeder.check(&job, start.elapsed() > BATCH_TIMEOUT)? {
        std::hint::spin_loop();
    }
    Ok((job, u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)))
}

fn scores(scorer: &mut dyn Scorer, rows: &[FeatureVector]) -> Vec<Option<RawScore>> {
    for row in rows {
        scorer.define(row.instrument, Symbol::new("NOBODY").expect("a name"));
    }
    let mut out = vec![None; rows.len()];
    scorer.score(rows, &mut out);
    out
}

/// Every row, staged and from the table, against double precision and against the fused CPU scorer; the staged ones also by way of
/// Candle's operation over the same kernel, and what the model's heads say of them.
fn parity(out: &mut Transcript, model: &Model, feeder: &mut Feeder<LoadedCard>) -> Result<(), String> {
    let count = UNIVERSES[UNIVERSES.len() - 1];
    let rows = vectors(count);
    let want = scores(&mut ReferenceScorer::new(model, rows.len()), &rows);
    let mut cpu = FusedScorer::new(model, rows.len()).map_err(|e| e.to_string())?;
    let fused = scores(&mut cpu, &rows);
    rows.iter().enumerate().for_each(|(place, row)| cpu.stage(place, row));
    cpu.start();
    let (mut worst, mut other_bits) = (0.0_f32, 0);
    for from_table in [false, true] {
        if !from_table {
            stage(feeder, &rows)?;
        }
        let (job, _) = run(feeder, if from_table { count } else { 0 }).map_err(|e| e.to_string())?;
        if !from_table {
            let differs =
                |status| format!("parity: the kernel as a Candle operation gives other bits ({status:?})");
            feeder.card.measure(Measure::FusedOp, &job, &mut [0]).map_err(differs)?;
            other_bits += heads_that_differ(model, feeder, &job, &cpu, rows.len());
        }
        for (i, (want, fused)) in want.iter().zip(&fused).enumerate() {
            let found = if from_table { feeder.instrument(&job, i) } else { feeder.row(&job, i) };
            let (Some(found), Some(want), Some(fused)) = (found, want, fused) else {
                return Err(format!("parity: row {i} is scored by one alone: {found:?} {want:?}"));
            };
            worst = worst.max((found.raw - want.raw).abs() / want.raw.abs().max(1e-6));
            let same = found.raw.to_bits() == fused.raw.to_bits()
                && found.why.feature == fused.top3
                && found.why.share.map(f32::to_bits) == fused.contributions.map(f32::to_bits);
            other_bits += usize::from(!same);
        }
    }
    let mode = feeder.card.mode().name();
    out.line(format!(
        "parity, {mode}: {count} rows, staged and from the table: {worst:.1e} from double precision at most, {other_bits} not \
         the fused CPU scorer's bits"
    ));
    if worst <= 1e-4 { Ok(()) } else { Err(format!("parity, {mode}: {worst:.1e}, wanted at most 1e-4")) }
}

/// Staged rows of which a head says something else on the card than on the CPU, counted once per head.
fn heads_that_differ(
    model: &Model,
    feeder: &Feeder<LoadedCard>,
    job: &Job,
    cpu: &FusedScorer,
    count: usize,
) -> usize {
    let has = [model.heads().slippage.is_some(), model.heads().fat_finger.is_some()];
    let heads = Head::ALL.into_iter().zip(has).filter(|(_, has)| *has).map(|(head, _)| head);
    let bits = |says: Option<Increments>| says.map(|says| says.map(f32::to_bits));
    let differ = |(on_card, head): (usize, Head)| {
        (0..count).filter(|&i| bits(feeder.head(job, i, on_card)) != bits(cpu.head(head, i))).count()
    };
    heads.enumerate().map(differ).sum()
}

/// Host to host: `changed` rows staged, `universe` scored beside them from the table.
fn host_to_host(
    feeder: &mut Feeder<LoadedCard>,
    rows: &[FeatureVector],
    universe: u32,
    iterations: u64,
) -> Result<Histogram<u64>, String> {
    let mut histogram = latency_histogram();
    let start = Instant::now();
    for round in 0..iterations + 100 {
        stage(feeder, rows)?;
        let (_, ns) = run(feeder, universe).map_err(|e| e.to_string())?;
        // The first hundred warm up.
        if round >= 100 {
            histogram.saturating_record(ns);
        }
        if start.elapsed() > ROW_TIME && !histogram.is_empty() {
            break;
        }
    }
    Ok(histogram)
}

/// What the library times by itself, over the rows in the buffer that was staged last.
fn own(feeder: &mut Feeder<LoadedCard>, measure: Measure, job: &Job) -> Result<Histogram<u64>, String> {
    let mut samples = vec![0; OWN_SAMPLES];
    let taken = feeder.card.measure(measure, job, &mut samples);
    taken.map_err(|status| format!("{measure:?}: {status:?}"))?;
    let mut histogram = latency_histogram();
    samples[OWN_SAMPLES / 20..].iter().for_each(|ns| histogram.saturating_record(*ns));
    Ok(histogram)
}

fn mode_rows(
    feeder: &mut Feeder<LoadedCard>,
    iterations: u64,
    measured: &mut Vec<Measured>,
) -> Result<(), String> {
    let mode = feeder.card.mode().name();
    for universe in UNIVERSES {
        let rows = vectors(universe);
        let few = &rows[..CHANGED.min(universe) as usize];
        let cases: [(&str, &[FeatureVector], u32); 3] = [
            ("all-staged", &rows, 0),
            ("256-changed-all-scored", few, universe),
            ("256-changed-scored", few, 0),
        ];
        for (case, rows, scored) in cases {
            let histogram = host_to_host(feeder, rows, scored, iterations)?;
            measured.push(Measured { tag: format!("{mode}:{universe}:{case}"), histogram });
        }
    }
    Ok(())
}

fn floors(
    out: &mut Transcript,
    feeder: &mut Feeder<LoadedCard>,
    measured: &mut Vec<Measured>,
) -> Result<(), String> {
    for universe in UNIVERSES {
        let job = Job { sequence: 1, row_count: universe, universe: 0, buffer: 0 };
        let own_rows = [
            ("floor-launch-and-answer", Measure::LaunchFloor),
            ("device-floor", Measure::DeviceFloor),
            ("device-copy-floor", Measure::CopyFloor),
            ("device-fused", Measure::Device),
            ("candle-fused-operation", Measure::FusedOp),
            ("candle-operations", Measure::Candle),
            ("candle-graph", Measure::CandleGraph),
        ];
        for (case, measure) in own_rows {
            match own(feeder, measure, &job) {
                Ok(histogram) => measured.push(Measured { tag: format!("{case}:{universe}"), histogram }),
                Err(why) => out.line(format!("not measured, {case} at {universe}: {why}")),
            }
        }
        // 4,800 operations and 112 bytes a row, at 67 Tflop/s and 50 GB/s.
        let (flops_us, bytes_us) = (f64::from(universe) * 4_800.0 / 67e6, f64::from(universe) * 112.0 / 50e3);
        out.line(format!(
            "floor by arithmetic at {universe}: {flops_us:.2} us of operations, {bytes_us:.2} us of PCIe"
        ));
    }
    Ok(())
}

fn measure(out: &mut Transcript, library: &Path, measured: &mut Vec<Measured>) -> Result<(), String> {
    let iterations = std::env::var("ITERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let parity_alone = std::env::var_os("PARITY_ALONE").is_some();
    let model = Model::shipped().map_err(|e| e.to_string())?;
    let card_model = CardModel::new(&model).map_err(|e| e.to_string())?;
    let count = UNIVERSES[UNIVERSES.len() - 1] as usize;
    let open = |mode| card_model.open(library, mode, count).map(Feeder::new).map_err(|e| e.to_string());
    out.line(format!("self-test: {}", open(Mode::Auto)?.card.describe()));
    for mode in MODES {
        let mut feeder = open(mode)?;
        out.line(feeder.card.describe());
        parity(out, &model, &mut feeder)?;
        if !parity_alone {
            mode_rows(&mut feeder, iterations, measured)?;
        }
    }
    if parity_alone { Ok(()) } else { floors(out, &mut open(Mode::Launch)?, measured) }
}

fn main() {
    // cargo passes `--bench`.
    let library = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let Some(library) = library else {
        println!("skipped: no library named; bench/gpu/run.sh does");
        return;
    };
    let machine = Fingerprint::read();
    let mut out = Transcript::begin("CUDA scorer", &machine);
    out.line(pin(true));
    let mut measured = vec![];
    let result = measure(&mut out, Path::new(&library), &mut measured);
    let rows: Vec<_> =
        measured.iter().map(|m| Percentiles { tag: &m.tag, histogram: &m.histogram }).collect();
    out.percentiles(&rows);
    if let Err(why) = &result {
        out.line(format!("stopped: {why}"));
    }
    let folder = results_folder().expect("a folder for results");
    out.save(&folder, "gpu.txt").expect("the table is written");
    write_histograms(&folder, "gpu", &machine.lines(), &rows).expect("histograms are written");
    if result.is_err() {
        std::process::exit(1);
    }
}
