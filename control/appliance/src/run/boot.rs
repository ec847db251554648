//! Everything a start takes: sources, memory, tables, stages; and the table of it that boot prints.

use super::backend::{FeedView, LiveBackend, NAMES_MAX, Readers, ScorerView, Writers};
use super::feed::{LiveFeed, OpenedFeed, ThreadStart, open_feed};
use super::health::{Channels, FeedHealth, LastMoved};
use super::stages::{
    CommandedScorer, Defined, Definitions, PollTime, Publisher, References, ScorerCommand, ScorerNote, Tiers,
    Timed,
};
use crate::latency::Latency;
use crate::replay::load_model;
use crate::scorer::AnyScorer;
use anyhow::{Context, Result};
use control::config::{CpuChoice, Feed as FeedPlan, Plan};
use featurizer::{BookLimits, Featurizer, FeaturizerConfig, FeaturizerStage};
use gate::{
    BreakerTable, ClassId, Gate, GateConfig, GateTables, LimitTable, RefTable, StaticTable, StrategyConfig,
    SurfaceTable,
};
use gpu::{CardChange, PolledScorer, Scorer as _, ScorerStage};
use stage::{
    IdlePolicy, LiveClock, Pinned, PinnedConfig, RingRx, RingTx, Stage, StopFlag, ring, spawn_pinned,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::{BookEvent, FeatureVector, InstrumentId, Nanos, Symbol, UnixNanos};

/// Depth of the rings to and from the cold thread.
const COLD_DEPTH: usize = 1 << 15;

/// Vectors the scorer takes in one poll.
const SCORER_BURST: usize = 1_024;

/// What boot prints.
#[derive(Default)]
pub(super) struct Report {
    pub(super) warnings: Vec<String>,
    /// Stage, CPU, input, what happens when its output is full.
    pub(super) stages: Vec<[String; 4]>,
    pub(super) memory: Vec<(String, usize)>,
    /// Multicast group, how it is joined, by which filter the port receives it.
    pub(super) groups: Vec<[String; 3]>,
}

type Books = Timed<FeaturizerStage<VectorTx, References, Definitions>>;
type LiveScorer = CommandedScorer<AnyScorer>;

/// The line with all its memory, not running.
pub(super) struct Line {
    pub(super) backend: Arc<LiveBackend>,
    feed: LiveFeed,
    thread_start: ThreadStart,
    books: Books,
    scorer: Option<Timed<LiveScorer>>,
    definitions: RingRx<Defined>,
    notes: Vec<RingRx<ScorerNote>>,
    card: Option<RingRx<CardChange>>,
}

/// The running line, seen from the cold thread.
pub(super) struct Running {
    feed: Pinned<LiveFeed>,
    books: Pinned<Books>,
    scorer: Option<Pinned<Timed<LiveScorer>>>,
    stop: StopFlag,
    definitions: RingRx<Defined>,
    notes: Vec<RingRx<ScorerNote>>,
    card: Option<RingRx<CardChange>>,
}

/// Vectors to the scorer, or nowhere when the officers' limits are to hold alone.
pub(super) enum VectorTx {
    Scorer(RingTx<FeatureVector>),
    Nowhere,
}

impl featurizer::FeatureSink for VectorTx {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        match self {
            Self::Scorer(tx) => tx.offer(vectors),
            Self::Nowhere => vectors.len(),
        }
    }
}

/// Takes everything the plan needs.
///
/// # Errors
/// What cannot be had, and what to change.
pub(super) fn prepare(plan: &Plan, clock: &LiveClock, latency: &mut Latency) -> Result<(Line, Report)> {
    let [feed_plan] = plan.feeds.as_slice() else {
        anyhow::bail!(
            "the configuration has {} [[feed]] sections, wanted one: an appliance serves one feed",
            plan.feeds.len()
        );
    };
    let instruments = plan.book.instruments as usize;
    let mut report = Report::default();
    let (event_tx, event_rx) = ring::<BookEvent>(plan.link.receiver_featurizer_events as usize);
    let OpenedFeed { feed, thread_start, chores } =
        open_feed(plan, feed_plan, event_tx, clock, latency, &mut report)?;

    let (references, ref_reader) = RefTable::create(instruments)?;
    let (statics, static_reader) = StaticTable::create(instruments, 1)?;
    let (dynamics, dynamic_reader) = LimitTable::create_within(&static_reader)?;
    let (breakers, breaker_reader) = BreakerTable::create(NAMES_MAX, NAMES_MAX, instruments)?;
    let surface = plan.policy.surface.is_on().then(|| SurfaceTable::create(instruments)).transpose()?;
    let (surfaces, surface_reader) = surface.map_or((None, None), |(w, r)| (Some(w), Some(r)));
    if let Some(reader) = &surface_reader {
        report.memory.push(("order sizes by price distance".into(), reader.bytes()));
    }
    report.memory.push(("reference prices".into(), ref_reader.bytes()));
    report.memory.push(("limits, static and dynamic".into(), static_reader.bytes() + dynamic_reader.bytes()));
    report.memory.push(("breakers".into(), breaker_reader.bytes()));
    let tables = GateTables {
        statics: static_reader.clone(),
        dynamics: Some(dynamic_reader.clone()),
        surfaces: surface_reader,
        references: ref_reader.clone(),
        breakers: breaker_reader,
    };
    let gate = build_gate(tables, &mut report)?;

    let (definitions_tx, definitions) = ring::<Defined>(COLD_DEPTH);
    let (commands_tx, commands_rx) = ring::<ScorerCommand>(COLD_DEPTH);
    let (vector_tx, vector_rx) = ring::<FeatureVector>(plan.link.featurizer_scorer_vectors as usize);
    let now: PollTime = Arc::default();
    let (scorer, model, notes, card, scorer_view) = if plan.scorer.enabled {
        let BuiltScorer { scorer, name, counters, model, notes, card } =
            build_scorer(plan, Tables { dynamics, surfaces }, vector_rx, commands_rx, clock, &mut report)?;
        let scored = LastMoved::new(counters.clone(), "scored");
        let view = ScorerView { name, counters, last: scored.moment() };
        let timed = Timed { moved: Some(scored), ..timed(scorer, Arc::default(), clock, latency, "score") };
        (Some(timed), model, notes, card, Some(view))
    } else {
        (None, String::new(), Vec::new(), None, None)
    };
    let vectors = if scorer.is_some() { VectorTx::Scorer(vector_tx) } else { VectorTx::Nowhere };
    let featurizer = Featurizer::new(&featurizer_config(plan)).context("cannot build the books")?;
    report.memory.push(("books and features".into(), featurizer.memory().bytes));
    report.memory.push(("rings".into(), ring_bytes(plan)));
    let health = FeedHealth::default();
    let channels = Channels::new(feed_plan.line_a.len(), health.clone());
    let sink = References { writer: references, now: Arc::clone(&now), channels };
    let stage = FeaturizerStage::new(featurizer, event_rx, vectors, sink, Definitions(definitions_tx));
    let books = timed(stage, now, clock, latency, "book_features");
    describe_stages(plan, feed_plan, scorer.is_some(), &mut report);

    let heard = LastMoved::new(feed.counters(), "messages");
    let view = FeedView {
        name: feed_plan.name.to_string(),
        counters: feed.counters(),
        ended: false.into(),
        last: heard.moment(),
        health,
        stale_after: Nanos(u64::from(feed_plan.stale_after_ms) * 1_000_000),
    };
    let feed = LiveFeed { feed, chores, heard };
    let readers = Readers { statics: static_reader, dynamics: dynamic_reader, references: ref_reader };
    let writers = Writers { statics, breakers, commands: commands_tx };
    let backend =
        LiveBackend::new(clock.clone(), vec![view], scorer_view, model, readers, writers, gate, &plan.scopes);
    Ok((
        Line { backend: Arc::new(backend), feed, thread_start, books, scorer, definitions, notes, card },
        report,
    ))
}

fn timed<S>(
    stage: S,
    now: PollTime,
    clock: &LiveClock,
    latency: &mut Latency,
    hop: &'static str,
) -> Timed<S> {
    let start = stage::Clock::now(clock);
    Timed { stage, now, clock: clock.clone(), latency: latency.hop(hop, start), moved: None }
}

fn build_gate(tables: GateTables, report: &mut Report) -> Result<Gate> {
    let strategy = StrategyConfig { class: ClassId(0), order_rate_per_s: 1_000, order_burst: 1_000 };
    let strategies = vec![strategy; usize::from(NAMES_MAX)];
    let gate = Gate::new(
        &GateConfig { strategies: &strategies, accounts: NAMES_MAX, ..GateConfig::DEFAULT },
        tables,
    )?;
    report.memory.push(("gate".into(), gate.bytes()));
    Ok(gate)
}

/// The scorer's stage, and what is known of it.
struct BuiltScorer {
    scorer: LiveScorer,
    name: &'static str,
    counters: stage::CounterReader,
    model: String,
    notes: Vec<RingRx<ScorerNote>>,
    card: Option<RingRx<CardChange>>,
}

/// The tables that the scorer writes.
struct Tables {
    dynamics: gate::LimitWriter,
    surfaces: Option<gate::SurfaceWriter>,
}

fn build_scorer(
    plan: &Plan,
    tables: Tables,
    vectors: RingRx<FeatureVector>,
    commands: RingRx<ScorerCommand>,
    clock: &LiveClock,
    report: &mut Report,
) -> Result<BuiltScorer> {
    let dir = &plan.scorer.model_dir;
    let model = load_model((!dir.as_os_str().is_empty()).then_some(dir.as_path()))?;
    let (trips_tx, trips) = ring(COLD_DEPTH);
    let (tiers_tx, tiers) = ring(COLD_DEPTH);
    let config = crate::policy::live_stage(plan)?;
    let crate::scorer::Opened { scorer, card, warning } = crate::scorer::open_live(plan, &model, clock)?;
    report.warnings.extend(warning);
    let name = scorer.name();
    let publisher = Publisher { writer: tables.dynamics, surfaces: tables.surfaces, notes: trips_tx };
    let stage = ScorerStage::new(config, &model, scorer, publisher, Tiers(tiers_tx))?;
    let counters = stage.counters();
    let scorer = CommandedScorer { scorer: PolledScorer::new(vectors, SCORER_BURST, stage), commands };
    Ok(BuiltScorer { scorer, name, counters, model: model.id().to_owned(), notes: vec![trips, tiers], card })
}

fn featurizer_config(plan: &Plan) -> FeaturizerConfig {
    let walk = plan.policy.slippage.is_on();
    FeaturizerConfig { books: book_limits(plan), walk, ..FeaturizerConfig::default() }
}

/// The books' bounds as the configuration has them.
pub(crate) fn book_limits(plan: &Plan) -> BookLimits {
    BookLimits {
        instruments: plan.book.instruments as usize,
        order_slots_log2: u64::from(plan.book.orders).next_power_of_two().trailing_zeros().clamp(4, 30),
        ..BookLimits::default()
    }
}

fn ring_bytes(plan: &Plan) -> usize {
    plan.link.receiver_featurizer_events as usize * size_of::<BookEvent>()
        + plan.link.featurizer_scorer_vectors as usize * size_of::<FeatureVector>()
        + COLD_DEPTH * (size_of::<Defined>() + size_of::<ScorerCommand>() + 2 * size_of::<ScorerNote>())
}

fn describe_stages(plan: &Plan, feed: &FeedPlan, scorer: bool, report: &mut Report) {
    let cpu = |choice: CpuChoice| choice.cpu().map_or_else(|| "any".to_owned(), |cpu| cpu.to_string());
    let row =
        |stage: &str, at, input: String, full: &str| [stage.to_owned(), cpu(at), input, full.to_owned()];
    let placement = &plan.placement;
    report.stages.push(row(
        "receiver",
        placement.receiver_cpu,
        feed.source.to_string(),
        "drop, count, mark a gap",
    ));
    let events = format!("{} events", plan.link.receiver_featurizer_events);
    report.stages.push(row("featurizer", placement.featurizer_cpu, events, "stay dirty: later, not lost"));
    if scorer {
        let vectors = format!("{} vectors", plan.link.featurizer_scorer_vectors);
        report.stages.push(row("scorer", placement.scorer_cpu, vectors, "never: one slot per row"));
    }
    if [placement.receiver_cpu, placement.featurizer_cpu, placement.scorer_cpu]
        .iter()
        .any(|c| c.cpu().is_none())
    {
        report.warnings.push(
            "a stage has no CPU of its own (placement.*_cpu = \"any\"): tails will be milliseconds".into(),
        );
    }
}

impl Line {
    /// Gives each stage its thread, consumers first.
    ///
    /// # Errors
    /// A thread that cannot be had, or cannot be pinned where the plan says.
    pub(super) fn start(self, plan: &Plan, clock: &LiveClock) -> Result<Running> {
        let stop = StopFlag::new();
        let Self { feed, thread_start, books, scorer, definitions, notes, card, .. } = self;
        let placement = &plan.placement;
        let scorer = scorer.map(|s| spawn(s, placement.scorer_cpu, clock, &stop, || Ok(()))).transpose()?;
        let books = spawn(books, placement.featurizer_cpu, clock, &stop, || Ok(()))?;
        let feed = spawn(feed, placement.receiver_cpu, clock, &stop, thread_start)?;
        Ok(Running { feed, books, scorer, stop, definitions, notes, card })
    }
}

fn spawn<S: Stage + Send + 'static>(
    stage: S,
    cpu: CpuChoice,
    clock: &LiveClock,
    stop: &StopFlag,
    thread_start: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<Pinned<S>> {
    let cpu = cpu.cpu().map(usize::from);
    // A stage with a core of its own spins; one that shares must let others run.
    let idle = if cpu.is_some() { IdlePolicy::Spin } else { IdlePolicy::Sleep { us: 50 } };
    let config = PinnedConfig { cpu, idle, ..PinnedConfig::default() };
    Ok(spawn_pinned(stage, clock.clone(), config, stop.clone(), thread_start)?)
}

impl Running {
    /// Instruments defined since the last call.
    pub(super) fn definitions(&mut self) -> Vec<(InstrumentId, Symbol)> {
        let mut out = Vec::new();
        self.definitions.drain(COLD_DEPTH, |new| out.extend(new.iter().map(|d| (d.instrument, d.symbol))));
        out
    }

    /// What became of the card since the last call.
    pub(super) fn card_changes(&mut self) -> Vec<CardChange> {
        let mut out = Vec::new();
        if let Some(card) = &mut self.card {
            card.drain(COLD_DEPTH, |new| out.extend_from_slice(new));
        }
        out
    }

    /// What the scorer said since the last call.
    pub(super) fn notes(&mut self) -> Vec<ScorerNote> {
        let mut out = Vec::new();
        for ring in &mut self.notes {
            ring.drain(COLD_DEPTH, |new| out.extend_from_slice(new));
        }
        out
    }

    /// Notes that the input is over, for `status`.
    pub(super) fn note_ended(&self, backend: &LiveBackend) {
        if self.feed.is_finished() {
            backend.feeds.iter().for_each(|feed| feed.ended.store(true, Ordering::Relaxed));
        }
    }

    /// Stops the stages, leaves the multicast groups, and reports why the input ended early, if it did.
    ///
    /// # Errors
    /// A stage that panicked, or the input's error.
    pub(super) fn stop(self, now: UnixNanos) -> Result<()> {
        self.stop.raise();
        let mut feed = self.feed.join()?;
        self.books.join()?.latency.swap(now);
        if let Some(scorer) = self.scorer {
            scorer.join()?.latency.swap(now);
        }
        if let Some(said) = feed.chores.as_mut().map(|chores| chores.close(now)) {
            eprintln!("{said}");
        }
        feed.feed.take_error().map_or(Ok(()), |error| Err(error.into()))
    }
}
