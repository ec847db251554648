//! What a line is made of: everything in which `run`, `replay` and `demo` differ.

use super::book_files::BookFiles;
use super::gate_tables::Listens;
use super::health::{Channels, FeedHealth};
use super::names::NameTable;
use super::order_route::MakeRoute;
use super::order_source::OrderSource;
use super::score_sink::{LimitFiles, ScoreFile};
use crate::latency::Latency;
use crate::scorer::AnyScorer;
use control::config::{FeedShare, Plan};
use gpu::Model;
use stage::{LiveClock, RingRx};
use types::{BookEvent, Nanos};

/// Whose clock the line runs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The machine's: what cannot wait is dropped, counted and marked.
    Live,
    /// The input's: nothing is dropped, and limits hold so long after their grid point.
    Simulated { score_latency: Nanos },
}

/// Who follows a line of simulated time beside its desks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Nobody,
    /// A screen: every score.
    Screen,
    /// A judge of the model: every name, vector, score and change of tier.
    Judge,
}

/// Files that the line fills on its way.
#[derive(Default)]
pub(crate) struct LineFiles {
    pub(crate) books: Option<BookFiles>,
    pub(crate) limits: Option<LimitFiles>,
    pub(crate) scores: Option<ScoreFile>,
}

/// One gate of the desk.
pub(crate) struct DeskSpec {
    pub(crate) accounts: u16,
    pub(crate) strategies: u16,
    pub(crate) listens: Listens,
    /// Who trades by a file of orders.
    pub(crate) names: NameTable,
    /// None until somebody trades here.
    pub(crate) source: Option<Box<dyn OrderSource>>,
    /// For orders that pass the gate of a thread of their own, which reads the tables: these are shared then.
    pub(crate) route: Option<MakeRoute>,
    /// Whether its publications and decisions are measured.
    pub(crate) measured: bool,
    /// Whether order processes read its tables.
    pub(crate) shared: bool,
}

/// What scores, and by what.
pub(crate) struct ScorerSpec<'a> {
    pub(crate) model: &'a Model,
    pub(crate) scorer: AnyScorer,
}

/// One feed, from the ring that its receiver fills on.
pub(crate) struct LineFeed {
    /// For people, where there are several.
    pub(crate) name: String,
    pub(crate) events: RingRx<BookEvent>,
    pub(crate) channels: Channels,
    /// How much of the books is its.
    pub(crate) share: FeedShare,
    /// What its symbols have behind them.
    pub(crate) suffix: Box<str>,
}

impl LineFeed {
    /// The only feed of a line, all of it one channel.
    pub(crate) fn only(plan: &Plan, events: RingRx<BookEvent>) -> Self {
        Self {
            name: String::new(),
            events,
            channels: Channels::new(1, FeedHealth::default()),
            share: FeedShare::all(&plan.book),
            suffix: Box::default(),
        }
    }
}

/// What a line is made of beside its feeds.
pub(crate) struct LineSpec<'a, O> {
    pub(crate) plan: &'a Plan,
    pub(crate) pace: Pace,
    /// For measuring, and live the line's own.
    pub(crate) clock: LiveClock,
    /// None: the officers' limits alone.
    pub(crate) scorer: Option<ScorerSpec<'a>>,
    pub(crate) files: LineFiles,
    /// Live one; in a replay none when nobody trades.
    pub(crate) desks: Vec<DeskSpec>,
    pub(crate) observer: O,
    pub(crate) follows: Follows,
    pub(crate) latency: &'a mut Latency,
}
