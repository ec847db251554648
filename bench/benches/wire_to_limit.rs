//! From the wire to the limit: the product's own receiver, featurizer and scorer stage on threads of their own, fed by the clock at
//! a rate that does not wait for them, down to the slot in the gate's table. HDR histograms per hop; drops and losses are said.
//!
//! `cargo bench -p bench --no-default-features --bench wire_to_limit -- [RATE=N] [SECONDS=N] [SYMBOLS=N] [LIBRARY]`: messages a
//! second (default 5,000,000; 100,000 where there are fewer than four CPUs, which then share), seconds that count (default 3),
//! instruments (default 8,000; 1,000), and the CUDA scorer's library, which scores in further rows.
//!
//! Packets come from memory, not through a network card: what a card and its driver add is `packets`'s to say. Open loop: a packet's
//! stamp is when it was due, so waiting counts.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bench::day::{Day, DayConfig, FULL};
use bench::gate_rig::LIMITS;
use bench::line::MIDNIGHT;
use bench::machine::Fingerprint;
use bench::paced::{Paced, Recording, Timeline};
use bench::report::{Percentiles, Transcript, results_folder, write_histograms};
use dataplane::Feed as _;
use dataplane::{EventTx, FeedConfig, FeedKind, Midnight, Receiver, ReceiverHops};
use featurizer::{FeatureSink, Featurizer, FeaturizerConfig, FeaturizerStage};
use gate::{ClassId, Envelope, LimitTable, LimitWriter, RiskLimits, StaticTable, StaticWriter};
use gpu::{
    Backend, BatchConfig, CardMode, LimitSink, LimitUpdate, Model, PolicyConfig, PolledScorer, ScorerStage,
    ScorerStageConfig, StagedScorer, open_cuda_scorer, open_scorer,
};
use hdrhistogram::Histogram;
use stage::hist::latency_histogram;
use stage::{
    Clock, GapTx, HopHistogram, IdlePolicy, LiveClock, PinnedConfig, RingTx, StopFlag, ring, spawn_pinned,
};
use types::{BookEvent, FeatureVector, InstrumentId, Nanos, Qty, Symbol, UnixNanos};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Instruments a table is made for, the product's default.
const INSTRUMENTS_MAX: usize = 16_384;
/// Rings of the product's default configuration.
const EVENTS: usize = 1 << 16;
const VECTORS: usize = 1 << 14;
/// Vectors the scorer takes in one poll, as in the daemon.
const SCORER_BURST: usize = 1_024;
/// Before the first packet, for the threads to start.
const LEAD: Nanos = Nanos(100_000_000);
/// The daemon's batches.
const LIVE: BatchConfig = BatchConfig { row_count_max: 256, wait_max: Nanos(50_000), overlapped: true };

/// What is run.
struct Options {
    rate: u64,
    seconds: u64,
    symbols: u16,
    library: Option<PathBuf>,
    /// A CPU for each of receiver, featurizer and scorer.
    cpus: [Option<usize>; 3],
}

impl Options {
    fn read() -> Outcome<Self> {
        let cpus = std::thread::available_parallelism()?.get();
        let roomy = cpus >= 4;
        let mut options = Self {
            rate: if roomy { 5_000_000 } else { 100_000 },
            seconds: 3,
            symbols: if roomy { 8_000 } else { 1_000 },
            library: None,
            cpus: if roomy { [1, 2, 3].map(Some) } else { [None; 3] },
        };
        for argument in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
            match argument.split_once('=') {
                Some(("RATE", value)) => options.rate = value.parse()?,
                Some(("SECONDS", value)) => options.seconds = value.parse()?,
                Some(("SYMBOLS", value)) => options.symbols = value.parse()?,
                Some(_) => return Err(format!("found {argument}, wanted RATE=, SECONDS= or SYMBOLS=").into()),
                None => options.library = Some(argument.into()),
            }
        }
        if !(1_000..=20_000_000).contains(&options.rate)
            || options.seconds == 0
            || !(1..=8_000).contains(&options.symbols)
        {
            return Err("wanted RATE of 1000 to 20000000, SECONDS of 1 or more, SYMBOLS of 1 to 8000".into());
        }
        Ok(options)
    }

    fn pinned(&self, stage: usize) -> PinnedConfig {
        let idle = if self.cpus[stage].is_some() { IdlePolicy::Spin } else { IdlePolicy::Yield };
        PinnedConfig { cpu: self.cpus[stage], idle, ..PinnedConfig::default() }
    }
}

/// When each instrument's vector went to the scorer, ns since 1970.
type Sent = Arc<[AtomicU64]>;

/// Vectors to the scorer, timed from the moment their grid point was due.
struct VectorProbe {
    tx: RingTx<FeatureVector>,
    clock: LiveClock,
    start: UnixNanos,
    timeline: Timeline,
    sent: Sent,
    due_sent: Histogram<u64>,
}

impl FeatureSink for VectorProbe {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        let taken = self.tx.offer(vectors);
        let now = self.clock.now();
        for vector in vectors[..taken].iter().filter(|vector| vector.grid_end == 0) {
            if let Some(due) = self.timeline.due(self.start, vector.ts) {
                self.due_sent.saturating_record(now.since(due).0);
                self.sent[vector.instrument.index()].store(now.0, Ordering::Relaxed);
            }
        }
        taken
    }
}

/// Limits into the gate's table, timed when they stand there.
struct LimitProbe {
    writer: LimitWriter,
    clock: LiveClock,
    start: UnixNanos,
    timeline: Timeline,
    sent: Sent,
    sent_limit: Histogram<u64>,
    due_limit: Histogram<u64>,
}

impl LimitSink for LimitProbe {
    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos) {
        update.publish(&mut self.writer, now).expect("the table has the row");
        let Some(due) = self.timeline.due(self.start, update.ts) else { return };
        let sent = UnixNanos(self.sent[update.instrument.index()].load(Ordering::Relaxed));
        // Limits that are renewed without a vector of this grid point wait for nothing but its end.
        if sent >= due {
            let now = self.clock.now();
            self.sent_limit.saturating_record(now.since(sent).0);
            self.due_limit.saturating_record(now.since(due).0);
        }
    }
}

/// One run: its histograms by hop, and what was lost.
struct Run {
    hops: Vec<(&'static str, Histogram<u64>)>,
    counts: String,
    whole: bool,
}

/// Where a number stands among a stage's counters.
fn counter(counters: impl IntoIterator<Item = (&'static str, u64)>, name: &str) -> u64 {
    counters.into_iter().find(|(n, _)| *n == name).map_or(0, |(_, value)| value)
}

fn envelope() -> Envelope {
    let floor = RiskLimits { max_qty: Qty(1), ..LIMITS };
    Envelope::new(floor, LIMITS, LIMITS).expect("in order")
}

/// What the probes of one run share: the clock, when the first packet is due, and when vectors went to the scorer.
#[derive(Clone)]
struct Probes {
    clock: LiveClock,
    start: UnixNanos,
    timeline: Timeline,
    sent: Sent,
}

impl Probes {
    fn new(recording: &Recording) -> Self {
        let (clock, _) = LiveClock::best();
        let start = UnixNanos(clock.now().0 + LEAD.0);
        let sent = (0..INSTRUMENTS_MAX).map(|_| AtomicU64::new(0)).collect();
        Self { clock, start, timeline: recording.timeline(), sent }
    }

    fn vectors(&self, tx: RingTx<FeatureVector>) -> VectorProbe {
        let Self { clock, start, timeline, sent } = self.clone();
        VectorProbe { tx, clock, start, timeline, sent, due_sent: latency_histogram() }
    }

    fn limits(&self, writer: LimitWriter) -> LimitProbe {
        let Self { clock, start, timeline, sent } = self.clone();
        let (sent_limit, due_limit) = (latency_histogram(), latency_histogram());
        LimitProbe { writer, clock, start, timeline, sent, sent_limit, due_limit }
    }

    /// The product's receiver over packets that come when they are due. Its hops stay in one interval, longer than the run.
    fn receiver(
        &self,
        recording: &Arc<Recording>,
        tx: RingTx<BookEvent>,
    ) -> Outcome<Receiver<Paced<LiveClock>>> {
        let feed = FeedConfig { midnight: Midnight::At(MIDNIGHT), ..FeedConfig::new(FeedKind::Itch50) };
        let (nic_decode, _) = HopHistogram::new("due_decode", self.start, 2);
        let (decode_ring, _) = HopHistogram::new("decode_ring", self.start, 2);
        let (clock, interval) = (self.clock.clone(), Nanos(u64::MAX));
        let hops = ReceiverHops { clock, nic_decode, decode_ring, sample_every: 16, interval };
        let source = Paced::new(Arc::clone(recording), self.clock.clone(), self.start);
        let events = EventTx::Live(GapTx::new(tx, feed.instruments_max));
        Ok(Receiver::new("receiver", source, &feed, events)?.with_hops(hops))
    }
}

/// The scorer's stage over every instrument, each with the officer's limits that the static table holds.
fn scorer_stage(
    instruments: u16,
    model: &Model,
    scorer: Box<dyn StagedScorer + Send>,
    batch: BatchConfig,
    (statics, sink): (&mut StaticWriter, LimitProbe),
) -> Outcome<ScorerStage<Box<dyn StagedScorer + Send>, LimitProbe, ()>> {
    let start = sink.start;
    let config = ScorerStageConfig {
        instrument_count_max: usize::from(instruments),
        class_count: 1,
        batch,
        policy: PolicyConfig::default(),
    };
    let mut stage = ScorerStage::new(config, model, scorer, sink, ())?;
    let envelope = envelope();
    for i in 0..u32::from(instruments) {
        stage.define(InstrumentId(i), Symbol::new(&format!("S{i}")).expect("a short name"));
        stage.set_envelope(InstrumentId(i), ClassId(0), &envelope);
        let terms = gate::StaticTerms { lot: Qty(1), permission: gate::Permission::Granted, version: 1 };
        statics.publish(InstrumentId(i), ClassId(0), &envelope, &terms, start)?;
    }
    Ok(stage)
}

fn run(
    options: &Options,
    recording: &Arc<Recording>,
    model: &Model,
    scorer: Box<dyn StagedScorer + Send>,
    batch: BatchConfig,
) -> Outcome<Run> {
    let probes = Probes::new(recording);
    let ((event_tx, event_rx), (vector_tx, vector_rx)) =
        (ring::<BookEvent>(EVENTS), ring::<FeatureVector>(VECTORS));
    let receiver = probes.receiver(recording, event_tx)?;
    let featurizer = Featurizer::new(&FeaturizerConfig::default())?;
    let books = FeaturizerStage::new(featurizer, event_rx, (probes.vectors(vector_tx), (), ()));
    // The handles live as long as the run, or the tables would be nobody's.
    let (mut statics, static_reader) = StaticTable::create(usize::from(options.symbols), 1)?;
    let (writer, _limits) = LimitTable::create_within(&static_reader)?;
    let sink = probes.limits(writer);
    let stage = scorer_stage(options.symbols, model, scorer, batch, (&mut statics, sink))?;
    let scores = stage.counters();
    let scorer = PolledScorer::new(vector_rx, SCORER_BURST, stage);

    let (stop, clock) = (StopFlag::default(), probes.clock);
    let ready = || Ok(());
    let scorer = spawn_pinned(scorer, clock.clone(), options.pinned(2), stop.clone(), ready)?;
    let books = spawn_pinned(books, clock.clone(), options.pinned(1), stop.clone(), ready)?;
    let receiver = spawn_pinned(receiver, clock, options.pinned(0), stop, ready)?;
    // A stage ends when the one before it is gone, ring and all.
    let receiver = receiver.join()?;
    let (received, hops) = (receiver.counters(), receiver.hops().ok_or("a receiver that measures")?);
    let (due_decode, decode_ring) = (hops.nic_decode.current().clone(), hops.decode_ring.current().clone());
    drop(receiver);
    let books = books.join()?;
    let featurized = books.counters();
    let (_, (VectorProbe { due_sent, .. }, ..)) = books.into_parts();
    let mut scorer = scorer.join()?;
    let sink = scorer.stage_mut().sink_mut();

    let (counts, lost) = said(
        |name| counter(received.iter(), name),
        |name| counter(featurized.iter(), name),
        |name| counter(scores.iter(), name),
    );
    Ok(Run {
        hops: vec![
            ("due_decode", due_decode),
            ("decode_ring", decode_ring),
            ("grid_vector", due_sent),
            ("vector_limit", sink.sent_limit.clone()),
            ("grid_limit", sink.due_limit.clone()),
        ],
        counts,
        whole: lost == 0,
    })
}

/// What the stages counted, as a line, and what of it is lost.
fn said(
    received: impl Fn(&str) -> u64,
    featurized: impl Fn(&str) -> u64,
    scored: impl Fn(&str) -> u64,
) -> (String, u64) {
    let line = format!(
        "{} messages, {} events, {} lost, {} missing; {} grid points, {} vectors, {} conflated; {} scored in {} batches, {} late, {} limits",
        received("messages"),
        received("events"),
        received("lost_events"),
        received("missing"),
        featurized("grid_points"),
        featurized("vectors"),
        featurized("conflated"),
        scored("scored"),
        scored("batches"),
        scored("late"),
        scored("updates"),
    );
    (line, received("lost_events") + received("missing") + featurized("table_full"))
}

/// A row of the table: a scorer and how its batches are cut.
struct Case {
    name: &'static str,
    cuda: bool,
    batch: BatchConfig,
}

const CASES: [Case; 4] = [
    Case { name: "cpu-grid", cuda: false, batch: BatchConfig::WHOLE_GRID },
    Case { name: "cpu", cuda: false, batch: LIVE },
    Case {
        name: "cuda-grid",
        cuda: true,
        batch: BatchConfig { overlapped: true, ..BatchConfig::WHOLE_GRID },
    },
    Case { name: "cuda", cuda: true, batch: LIVE },
];

fn open(
    case: &Case,
    model: &Model,
    instruments: usize,
    library: Option<&Path>,
) -> Outcome<Option<Box<dyn StagedScorer + Send>>> {
    if !case.cuda {
        return Ok(Some(open_scorer(Backend::Auto, model, instruments)?));
    }
    let Some(library) = library else { return Ok(None) };
    let (clock, _) = LiveClock::best();
    let tell = Box::new(|change: &gpu::CardChange| println!("card: {change}"));
    Ok(Some(Box::new(open_cuda_scorer(library, CardMode::Auto, model, instruments, clock, tell)?)))
}

fn measure(
    options: &Options,
    out: &mut Transcript,
    found: &mut Vec<(String, Histogram<u64>)>,
) -> Outcome<bool> {
    let messages = usize::try_from(options.rate * options.seconds)?;
    let segment = 100_000.min(messages);
    let day = Day::generate(&DayConfig {
        symbols: options.symbols,
        preload_orders: u32::from(options.symbols) * 100,
        segments: messages.div_ceil(segment),
        segment,
        ..FULL
    });
    let gap_ns = 1_000_000_000 / options.rate;
    let recording = Arc::new(Recording::new(&day, gap_ns, gap_ns.max(1_000)));
    drop(day);
    out.line(format!(
        "{} symbols, {messages} messages at {} a second for {} s after {} orders; the whole takes {:.1} s; CPUs {:?}",
        options.symbols,
        options.rate,
        options.seconds,
        u32::from(options.symbols) * 100,
        recording.length().0 as f64 / 1e9,
        options.cpus
    ));
    let (model, mut whole) = (Model::shipped()?, true);
    for case in &CASES {
        let Some(scorer) = open(case, &model, usize::from(options.symbols), options.library.as_deref())?
        else {
            out.line(format!("{}: no library named", case.name));
            continue;
        };
        let run = run(options, &recording, &model, scorer, case.batch)?;
        out.line(format!("{}: {}", case.name, run.counts));
        whole &= run.whole;
        let hops = run.hops.into_iter().map(|(hop, histogram)| (format!("{}.{hop}", case.name), histogram));
        found.extend(hops);
    }
    Ok(whole)
}

fn report() -> Outcome<()> {
    let options = Options::read()?;
    let machine = Fingerprint::read();
    let mut out = Transcript::begin("wire to limit: cargo bench -p bench --bench wire_to_limit", &machine);
    let mut found = vec![];
    let measured = measure(&options, &mut out, &mut found);
    let rows: Vec<_> = found.iter().map(|(tag, histogram)| Percentiles { tag, histogram }).collect();
    out.line("due_decode: packet due to its message decoded; decode_ring: to its place in the ring; grid_vector: grid point due to the");
    out.line("vector with the scorer; vector_limit: from there to the limit in the gate's table; grid_limit: both. ns:");
    out.percentiles(&rows);
    if !*measured.as_ref().unwrap_or(&true) {
        out.line("something was lost: no row above is a figure of a line that keeps up");
    }
    let folder = results_folder()?;
    out.save(&folder, "wire_to_limit.txt")?;
    write_histograms(&folder, "wire_to_limit", &machine.lines(), &rows)?;
    println!("files: {}", folder.display());
    measured.map(drop)
}

fn main() {
    if let Err(why) = report() {
        eprintln!("wire_to_limit: {why}");
        std::process::exit(1);
    }
}
