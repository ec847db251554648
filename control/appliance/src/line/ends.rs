//! A line, not running, and the ends that lead out of it.

use super::book_sink::BookSink;
use super::declared::Declared;
use super::desk_stage::DeskStage;
use super::explain::Asker;
use super::gate_tables::{ModelTables, Readers, SharedMemory};
use super::link::RingView;
use super::notes::{Defined, ScorerCommand, ScorerNote, VerdictRecord};
use super::scorer::LineScorer;
use super::timed::Timed;
use dataplane::Feed;
use featurizer::{FeaturizerStage, MemoryReport};
use gate::{BreakerWriter, StaticWriter};
use gpu::ScoreRecord;
use stage::{CounterReader, RingRx, RingTx};
use types::{BookEvent, FeatureVector};

/// The receiver's stage, of any source.
pub(crate) type AnyFeed = Box<dyn Feed + Send>;

/// It, and the ring of its events.
pub(crate) type Received = (AnyFeed, RingRx<BookEvent>);

/// The stage of books and features.
pub(crate) type Books = Timed<FeaturizerStage<BookSink>>;

/// The scorer's stage.
pub(crate) type Scorer = Timed<LineScorer>;

/// The desk's.
pub(crate) type OrderDesk<O> = DeskStage<O>;

/// The stages behind the receiver, not running.
pub(crate) struct Line<O> {
    pub(crate) books: Books,
    pub(crate) scorer: Option<Scorer>,
    pub(crate) desk: OrderDesk<O>,
}

/// Ends that lead out of the line.
pub(crate) struct Ends {
    /// Live alone.
    pub(crate) control: Option<ControlEnds>,
    /// Verdicts, by gate that somebody trades through.
    pub(crate) verdicts: Vec<RingRx<VerdictRecord>>,
    /// Every score, where somebody follows the line.
    pub(crate) scores: Option<RingRx<ScoreRecord>>,
    /// What else a judge of the model hears.
    pub(crate) judge: Option<JudgeEnds>,
    /// What the scorer counts.
    pub(crate) scored: Option<CounterReader>,
    /// What the featurizer counts.
    pub(crate) booked: CounterReader,
    /// What tables, books and rings take, for the boot report.
    pub(crate) memory: Vec<(String, usize)>,
    /// The rings of a live line, for who asks how full they are.
    pub(crate) rings: Vec<RingView>,
    /// What the tables of the books lie in.
    pub(crate) tables: MemoryReport,
}

/// What a judge of the model hears beside its scores.
pub(crate) struct JudgeEnds {
    pub(crate) names: RingRx<Defined>,
    pub(crate) vectors: RingRx<FeatureVector>,
    pub(crate) tiers: RingRx<ScorerNote>,
}

/// What the control plane sees of a live line, and how it moves it.
pub(crate) struct ControlEnds {
    pub(crate) readers: Readers,
    pub(crate) statics: StaticWriter,
    pub(crate) declared: Declared,
    pub(crate) breakers: BreakerWriter,
    /// The model's tables, where no scorer writes them.
    pub(crate) unscored: Option<ModelTables>,
    pub(crate) commands: RingTx<ScorerCommand>,
    pub(crate) definitions: RingRx<Defined>,
    pub(crate) notes: Vec<RingRx<ScorerNote>>,
    pub(crate) asker: Asker,
    /// What the desk counts.
    pub(crate) orders: CounterReader,
    /// The tables, for order processes.
    pub(crate) shared: Option<SharedMemory>,
}
