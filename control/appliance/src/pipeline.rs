//! The line of a replay or the demo, composed: receiver → books and features → scorer → desks, over rings, on one thread
//! or one each.

use crate::book_stage::{BookNote, BookOutputs, BookStage};
use crate::desk::Desk;
use crate::desk_stage::{DeskObserver, DeskStage};
use crate::latency::Latency;
use crate::score_stage::{Outbox, ScoreBook, ScoreNote, ScoreStage};
use crate::scorer::AnyScorer;
use crate::tables::{BookTables, Filter, Sheet};
use anyhow::{Context, Result};
use control::config::Plan;
use dataplane::{EventTx, Feed, FeedStats};
use featurizer::capture::FeatureWriter;
use featurizer::costs::CostWriter;
use featurizer::{Featurizer, FeaturizerConfig, OnFull};
use gpu::{Model, ScorerStage};
use stage::{
    Inline, LosslessTx, OsClock, PinnedConfig, Stage, StopFlag, Work, WorkStatus, ring, spawn_pinned,
};
use types::{BookEvent, FeatureVector, Nanos, UnixNanos};

/// Depth of the rings of notes; larger than any grid point brings in practice, and no loss when it is not.
const NOTES_DEPTH: usize = 1 << 14;

/// A receiver of any source.
pub(crate) type AnyFeed = Box<dyn Feed + Send>;

/// Files the line writes on its way.
#[derive(Default)]
pub(crate) struct LineFiles {
    pub(crate) tables: BookTables,
    pub(crate) capture: Option<FeatureWriter>,
    pub(crate) costs: Option<CostWriter>,
    pub(crate) scores: Option<Sheet>,
    pub(crate) limits: Option<Sheet>,
    pub(crate) surface: Option<Sheet>,
    pub(crate) filter: Filter,
}

/// What a line is made of beside its feed.
pub(crate) struct LineParts<'a, O> {
    pub(crate) plan: &'a Plan,
    /// None: the officer's limits alone.
    pub(crate) model: Option<&'a Model>,
    pub(crate) files: LineFiles,
    /// Empty: nobody listens to quotes and limits.
    pub(crate) desks: Vec<Desk>,
    pub(crate) observer: O,
    /// From the grid point to the enforced limit.
    pub(crate) score_latency: Nanos,
    pub(crate) latency: &'a mut Latency,
}

/// The stages behind the receiver.
pub(crate) struct Line<O> {
    books: BookStage,
    scorer: Option<ScoreStage<AnyScorer>>,
    desk: DeskStage<O>,
}

/// What a finished line leaves.
pub(crate) struct Finished<O> {
    pub(crate) stats: FeedStats,
    pub(crate) books: BookStage,
    pub(crate) observer: O,
}

/// The ring that takes the receiver's events to the books.
pub(crate) fn event_ring(plan: &Plan) -> (EventTx, stage::RingRx<BookEvent>) {
    let (tx, rx) = ring(plan.link.receiver_featurizer_events as usize);
    (EventTx::Replay(LosslessTx::new(tx)), rx)
}

impl<O: DeskObserver> Line<O> {
    /// Takes all memory and wires the stages.
    ///
    /// # Errors
    /// A bound that cannot be met, or a model that does not fit the policy.
    pub(crate) fn new(parts: LineParts<'_, O>, events: stage::RingRx<BookEvent>) -> Result<Self> {
        let LineParts { plan, model, files, desks, observer, score_latency, latency } = parts;
        let LineFiles { tables, capture, costs, scores, limits, surface, filter } = files;
        let start = UnixNanos(0);
        let (notes_tx, notes_rx) = ring(NOTES_DEPTH);
        let wants_notes = !desks.is_empty();
        let mut out = BookOutputs { vectors: None, defines: None, notes: None, capture, costs, tables };
        out.notes = wants_notes.then(|| LosslessTx::new(notes_tx));
        let mut scores_rx = None;
        let scorer = match model {
            None => None,
            Some(model) => {
                let (vectors_tx, vectors_rx) =
                    ring::<FeatureVector>(plan.link.featurizer_scorer_vectors as usize);
                let (defines_tx, defines_rx) = ring::<BookNote>(NOTES_DEPTH);
                let (score_tx, score_rx) = ring::<ScoreNote>(NOTES_DEPTH);
                out.vectors = Some(LosslessTx::new(vectors_tx));
                out.defines = Some(LosslessTx::new(defines_tx));
                scores_rx = wants_notes.then_some(score_rx);
                let outbox = Outbox::new(score_latency, limits, surface, filter.clone());
                let stage = scorer_stage(plan, model, outbox, ScoreBook::new(scores, filter))?;
                let tx = wants_notes.then(|| LosslessTx::new(score_tx));
                let mut stage = ScoreStage::new(stage, plan.limits.clone(), vectors_rx, defines_rx, tx);
                stage.measure(latency.hop("score", start));
                Some(stage)
            }
        };
        let featurizer = Featurizer::new(&featurizer_config(plan)).context("cannot build the books")?;
        let mut books = BookStage::new(featurizer, events, out);
        books.measure(latency.hop("book_features", start));
        Ok(Self { books, scorer, desk: DeskStage::new(desks, notes_rx, scores_rx, observer) })
    }

    /// Runs the whole line on this thread, in step with the input. `pace` is called with the input's time before each
    /// packet's events go on, and may wait.
    ///
    /// # Errors
    /// What ended the run early.
    pub(crate) fn run_inline(
        mut self,
        mut feed: AnyFeed,
        mut pace: impl FnMut(UnixNanos) -> Result<()>,
    ) -> Result<Finished<O>> {
        let mut stages: Vec<&mut dyn Stage> = vec![&mut self.books];
        stages.extend(self.scorer.as_mut().map(|s| s as &mut dyn Stage));
        stages.push(&mut self.desk);
        let mut rest = Inline::new(stages);
        let mut now = UnixNanos(0);
        loop {
            let work = feed.poll(now);
            now = feed.replay_time();
            pace(now)?;
            rest.settle(now)?;
            if work.status == WorkStatus::Done {
                break;
            }
        }
        feed.housekeep(now);
        let stats = conclude(&mut feed)?;
        // The books learn that the input is over by the ring's other end being gone.
        drop(feed);
        rest.settle(now)?;
        self.finish(stats)
    }

    /// Runs each stage on a thread of its own, as the daemon does, and the desks on this one.
    ///
    /// # Errors
    /// What ended the run early.
    pub(crate) fn run_pinned(self, feed: AnyFeed) -> Result<Finished<O>> {
        let Self { books, scorer, mut desk } = self;
        let config = PinnedConfig { idle: stage::IdlePolicy::Yield, ..PinnedConfig::default() };
        let stop = StopFlag::new();
        let spawn = |error: stage::RunnerError| anyhow::Error::from(error).context("cannot start a stage");
        let feed = spawn_pinned(FeedStage(feed), OsClock, config, stop.clone(), || Ok(())).map_err(spawn)?;
        let books = spawn_pinned(books, OsClock, config, stop.clone(), || Ok(())).map_err(spawn)?;
        let scorer = scorer
            .map(|scorer| spawn_pinned(scorer, OsClock, config, stop, || Ok(())).map_err(spawn))
            .transpose()?;
        let mut feed = Some(feed);
        let mut stats = Ok(FeedStats::default());
        loop {
            // The receiver's end of the ring must go before the books can know that they have seen everything.
            if let Some(done) = feed.take_if(|f| f.is_finished()) {
                stats = conclude(&mut done.join()?.0);
            }
            match desk.poll(UnixNanos(0)).status {
                WorkStatus::Done => break,
                WorkStatus::Idle => std::thread::yield_now(),
                WorkStatus::Busy => {}
            }
        }
        let books = books.join()?;
        let scorer = scorer.map(stage::Pinned::join).transpose()?;
        Self { books, scorer, desk }.finish(stats?)
    }

    fn finish(mut self, stats: FeedStats) -> Result<Finished<O>> {
        if let Some(error) = self.desk.error.take() {
            return Err(error);
        }
        self.books.finish_files()?;
        if let Some(scorer) = &mut self.scorer {
            scorer.finish_files()?;
        }
        Ok(Finished { stats, books: self.books, observer: self.desk.into_observer() })
    }
}

/// The counts of a feed that has ended, or why it ended early.
fn conclude(feed: &mut AnyFeed) -> Result<FeedStats> {
    match feed.take_error() {
        Some(error) => Err(error.into()),
        None => Ok(feed.stats()),
    }
}

/// A boxed feed as a stage, to be given a thread.
struct FeedStage(AnyFeed);

impl Stage for FeedStage {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        self.0.poll(now)
    }

    fn housekeep(&mut self, now: UnixNanos) {
        self.0.housekeep(now);
    }
}

fn featurizer_config(plan: &Plan) -> FeaturizerConfig {
    FeaturizerConfig {
        books: crate::run::book_limits(plan),
        on_full: OnFull::Wait,
        walk: plan.policy.slippage.is_on(),
        ..FeaturizerConfig::default()
    }
}

fn scorer_stage(
    plan: &Plan,
    model: &Model,
    outbox: Outbox,
    book: ScoreBook,
) -> Result<ScorerStage<AnyScorer, Outbox, ScoreBook>> {
    let scorer = crate::scorer::open(plan, model)?;
    let config = crate::policy::stage(plan)?;
    Ok(ScorerStage::new(config, model, scorer, outbox, book)?)
}
