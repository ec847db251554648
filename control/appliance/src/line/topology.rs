//! The line, declared once: every stage, every ring, its depth, and what happens when it is full. `run`, `replay` and `demo`
//! build theirs here and nowhere else; they differ in the source of the events, in the clock, in the runner, and in where what
//! the stages say ends up.

use super::book_sink::{BookSink, Quotes, TimeOf, Untold};
use super::books::featurizer;
use super::declared::Declared;
use super::desk::{COUNTERS, Desk};
use super::desk_stage::{DeskObserver, DeskStage, InForce, Scheduled};
use super::explain::{Answer, Answerer, Asker, Question};
use super::gate_tables::{GateSet, ModelTables, QuoteTable, Readers, SharedMemory};
use super::last_trades::LastTrades;
use super::link::{Link, WhenFull};
use super::notes::{BookNote, Defined, ModelNote, ScorerCommand, ScorerNote, VerdictRecord};
use super::outlet::Outlet;
use super::schedule::Schedule;
use super::score_sink::{Effective, LimitOutlet, Limits, ScoreOutlet};
use super::scorer::{Envelopes, LineScorer};
use super::spec::{DeskSpec, LineFiles, LineSpec, Pace, ScorerSpec};
use super::timed::Timed;
use super::verdict_log::{VerdictLog, VerdictSheet};
use crate::igmp_frame::{IgmpFrame, IgmpRing};
use crate::latency::Latency;
use anyhow::Result;
use control::config::Plan;
use dataplane::EventTx;
use dataplane::arbiter::REQUESTS_MAX;
use dataplane::decode::CHANNELS_MAX;
use dataplane::recovery::{Answer as ServerAnswer, Ask};
use featurizer::{FeaturizerStage, OnFull};
use gate::{Breaker, BreakerCause, BreakerState, BreakerWriter, StaticWriter};
use gpu::{PolledScorer, ScoreRecord, ScorerStage};
use stage::{CounterReader, GapTx, LiveClock, LosslessTx, RingRx, RingTx, counters, ring};
use std::collections::VecDeque;
use types::{BookEvent, FeatureVector, Nanos, UnixNanos};

/// Depth of the rings that carry words rather than events.
const WORDS_DEPTH: usize = 1 << 15;

/// Vectors the scorer takes in one poll.
const SCORER_BURST: usize = 1_024;

/// Questions to a desk, and answers, that may wait. One is asked at a time.
const QUESTIONS_DEPTH: usize = 4;

/// Changes of a card's standing that wait to be told: each takes seconds to come about.
const CARD_CHANGES_DEPTH: usize = 64;

/// IGMP frames that wait for housekeeping, which comes every 100 µs. A switch sends a few a minute.
const IGMP_FRAMES_DEPTH: usize = 16;

/// Requests to recovery servers that wait for their socket: all that every channel may have under way.
const ASKS_DEPTH: usize = CHANNELS_MAX * REQUESTS_MAX;

/// Answers of recovery servers that wait for the receiver.
const ANSWERS_DEPTH: usize = 1_024;

/// Every ring of the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    /// Events, receiver to featurizer.
    pub(crate) events: Link,
    /// Vectors, featurizer to scorer.
    pub(crate) vectors: Link,
    /// Names of instruments, featurizer to scorer and, live, to the desk; one ring each.
    pub(crate) names: Link,
    /// Names of instruments, featurizer to the cold thread.
    pub(crate) definitions: Link,
    /// Envelopes and resets, cold thread to scorer.
    pub(crate) commands: Link,
    /// Trips and changes of tier, scorer to the cold thread; one ring each.
    pub(crate) scorer_notes: Link,
    /// What the books say, featurizer to a desk of simulated time.
    pub(crate) book_notes: Link,
    /// What the model says, scorer to a desk of simulated time.
    pub(crate) model_notes: Link,
    /// Scores, scorer to a screen.
    pub(crate) scores: Link,
    /// Verdicts, desk to the log; one ring for each gate.
    pub(crate) verdicts: Link,
    /// Questions, control to the desk.
    pub(crate) questions: Link,
    /// Its answers.
    pub(crate) answers: Link,
    /// Changes of a card's standing, scorer to the cold thread.
    pub(crate) card_changes: Link,
    /// IGMP frames, receiver to its own housekeeping.
    pub(crate) igmp: Link,
    /// Requests, receiver to the sockets of the recovery servers; no room without servers.
    pub(crate) asks: Link,
    /// What the servers sent.
    pub(crate) server_answers: Link,
}

impl Links {
    /// The rings of a line at `pace`.
    pub(crate) fn of(plan: &Plan, pace: Pace) -> Self {
        let live = pace == Pace::Live;
        const fn link<T>(depth: usize, when_full: WhenFull) -> Link {
            Link { depth, item_bytes: size_of::<T>(), when_full }
        }
        let of_pace = |at_live, simulated| if live { at_live } else { simulated };
        let (words, depths) = (WORDS_DEPTH, &plan.link);
        let recovers = live && plan.feeds.iter().any(|feed| !feed.recovery.is_empty());
        let vectors = of_pace(WhenFull::StayDirty, WhenFull::Wait);
        Self {
            events: link::<BookEvent>(
                depths.receiver_featurizer_events as usize,
                of_pace(WhenFull::MarkGap, WhenFull::Wait),
            ),
            vectors: link::<FeatureVector>(depths.featurizer_scorer_vectors as usize, vectors),
            names: link::<Defined>(words, WhenFull::Wait),
            definitions: link::<Defined>(words, WhenFull::Drop),
            commands: link::<ScorerCommand>(words, WhenFull::Refuse),
            scorer_notes: link::<ScorerNote>(words, WhenFull::Drop),
            book_notes: link::<BookNote>(words, WhenFull::Wait),
            model_notes: link::<ModelNote>(words, WhenFull::Wait),
            scores: link::<ScoreRecord>(words, WhenFull::Wait),
            verdicts: link::<VerdictRecord>(
                depths.verdict_records as usize,
                of_pace(WhenFull::Drop, WhenFull::Wait),
            ),
            questions: link::<Question>(QUESTIONS_DEPTH, WhenFull::Refuse),
            answers: link::<Answer>(QUESTIONS_DEPTH, WhenFull::Refuse),
            card_changes: link::<gpu::CardChange>(CARD_CHANGES_DEPTH, WhenFull::Drop),
            igmp: link::<IgmpFrame>(IGMP_FRAMES_DEPTH, WhenFull::Drop),
            asks: link::<Ask>(if recovers { ASKS_DEPTH } else { 0 }, WhenFull::AskAgain),
            server_answers: link::<ServerAnswer>(
                if recovers { ANSWERS_DEPTH } else { 0 },
                WhenFull::AskAgain,
            ),
        }
    }

    /// Bytes of the rings of a live line.
    pub(crate) fn live_bytes(&self) -> usize {
        let Self { events, vectors, names, definitions, commands, scorer_notes, verdicts, .. } = self;
        let Self { questions, answers, card_changes, igmp, asks, server_answers, .. } = self;
        let line =
            [events, vectors, names, names, definitions, commands, scorer_notes, scorer_notes, verdicts];
        line.into_iter()
            .chain([questions, answers, card_changes, igmp, asks, server_answers])
            .map(|link| link.depth * link.item_bytes)
            .sum()
    }
}

/// The two ends of `link`.
fn open<T: Copy>(link: Link) -> (RingTx<T>, RingRx<T>) {
    ring(link.depth)
}

/// The two ends of `link`, the producing one with the link's rule.
fn outlet<T: Copy>(link: Link) -> (Outlet<T>, RingRx<T>) {
    let (tx, rx) = open(link);
    let outlet = match link.when_full {
        WhenFull::Wait => Outlet::keeping(tx, 0),
        WhenFull::MarkGap | WhenFull::StayDirty | WhenFull::Drop | WhenFull::AskAgain | WhenFull::Refuse => {
            Outlet::dropping(tx)
        }
    };
    (outlet, rx)
}

/// The ring that takes the receiver's events to the books. A file waits, also for a live line: it can.
pub(crate) fn event_ring(plan: &Plan, pace: Pace, from_file: bool) -> (EventTx, RingRx<BookEvent>) {
    let link = Links::of(plan, pace).events;
    let (tx, rx) = open(link);
    let tx = if link.when_full == WhenFull::MarkGap && !from_file {
        EventTx::Live(GapTx::new(tx, plan.book.instruments as usize))
    } else {
        EventTx::Replay(LosslessTx::new(tx))
    };
    (tx, rx)
}

/// The ring in which a card's changes of standing are told.
pub(crate) fn card_ring(plan: &Plan) -> (RingTx<gpu::CardChange>, RingRx<gpu::CardChange>) {
    open(Links::of(plan, Pace::Live).card_changes)
}

/// The ring in which a live port's IGMP goes to the housekeeping of its thread.
pub(crate) fn igmp_ring(plan: &Plan) -> IgmpRing {
    open(Links::of(plan, Pace::Live).igmp)
}

/// A ring's two ends.
type Both<T> = (RingTx<T>, RingRx<T>);

/// The rings between the receiver and the sockets of the recovery servers, for a plan that has some: requests, then answers.
pub(crate) fn recovery_rings(plan: &Plan) -> (Both<Ask>, Both<ServerAnswer>) {
    let links = Links::of(plan, Pace::Live);
    (open(links.asks), open(links.server_answers))
}

/// The cold end of a desk's verdicts.
pub(crate) const fn verdict_log(records: RingRx<VerdictRecord>, file: Option<VerdictSheet>) -> VerdictLog {
    VerdictLog { records, file }
}

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
    /// Verdicts, by gate.
    pub(crate) verdicts: Vec<RingRx<VerdictRecord>>,
    /// Every score, where a screen asked.
    pub(crate) scores: Option<RingRx<ScoreRecord>>,
    /// What the scorer counts.
    pub(crate) scored: Option<CounterReader>,
    /// What the featurizer counts.
    pub(crate) booked: CounterReader,
    /// What tables, books and rings take, for the boot report.
    pub(crate) memory: Vec<(String, usize)>,
}

/// What the control plane sees of a live line, and how it moves it.
pub(crate) struct ControlEnds {
    pub(crate) readers: Readers,
    pub(crate) statics: StaticWriter,
    pub(crate) declared: Declared,
    pub(crate) breakers: BreakerWriter,
    pub(crate) commands: RingTx<ScorerCommand>,
    pub(crate) definitions: RingRx<Defined>,
    pub(crate) notes: Vec<RingRx<ScorerNote>>,
    pub(crate) asker: Asker,
    /// What the desk counts.
    pub(crate) orders: CounterReader,
    /// The tables, for order processes.
    pub(crate) shared: Option<SharedMemory>,
}

/// Where what books and scorer say leads, and who hears it.
struct Wiring {
    quotes: Quotes,
    limits: Limits,
    effective: Effective,
    in_force: InForce,
    envelopes: Envelopes,
    to_desk: Outlet<Defined>,
    to_cold: Outlet<Defined>,
    tiers: Outlet<ScorerNote>,
    control: Option<ControlEnds>,
}

/// Takes all memory and wires the stages behind `events`.
///
/// # Errors
/// A bound that cannot be met, or a model that does not fit the policy.
pub(crate) fn build<O: DeskObserver>(
    spec: LineSpec<'_, O>,
    events: RingRx<BookEvent>,
) -> Result<(Line<O>, Ends)> {
    let LineSpec { plan, pace, clock, scorer, channels, files, desks, observer, screen, latency } = spec;
    let LineFiles { books: book_files, limits: limit_files, scores: score_file } = files;
    let links = Links::of(plan, pace);
    let mut gates = Gates::default();
    for desk in desks {
        gates.add(plan, &links, desk, latency)?;
    }
    let Gates { desks, sets, verdicts, counts, mut memory } = gates;
    let wiring = match pace {
        Pace::Live => wire_live(&links, sets, counts, scorer.is_some())?,
        Pace::Simulated { score_latency } => {
            wire_simulated(plan, &links, sets, scorer.is_some(), score_latency)
        }
    };
    let Wiring { quotes, limits, effective, in_force, envelopes, to_desk, to_cold, tiers, control } = wiring;
    let mut sink = BookSink {
        time: if pace == Pace::Live { TimeOf::Poll } else { TimeOf::Event },
        now: UnixNanos(0),
        vectors: None,
        quotes,
        untold: Untold::new(plan.book.instruments as usize),
        last_trades: LastTrades::new(plan.book.instruments as usize),
        channels,
        complete: UnixNanos(0),
        to_scorer: Outlet::Closed,
        to_desk,
        to_cold,
        files: book_files,
    };
    let (mut scored, mut scores) = (None, None);
    let scorer = match scorer {
        None => None,
        Some(ScorerSpec { model, scorer }) => {
            let (names_tx, names) = outlet(links.names);
            let (vectors_tx, vectors) = open(links.vectors);
            (sink.vectors, sink.to_scorer) = (Some(vectors_tx), names_tx);
            let limits = LimitOutlet { limits, effective, files: limit_files };
            let mut heard = ScoreOutlet { file: score_file, tiers, scores: Outlet::Closed };
            if screen {
                let (scores_tx, scores_rx) = outlet(links.scores);
                (heard.scores, scores) = (scores_tx, Some(scores_rx));
            }
            let config = crate::policy::stage(plan, pace == Pace::Live)?;
            let stage = ScorerStage::new(config, model, scorer, limits, heard)?;
            scored = Some(stage.counters());
            let mut polled = PolledScorer::new(vectors, SCORER_BURST, stage);
            if pace != Pace::Live {
                polled.use_vector_time();
            }
            Some(LineScorer::new(polled, names, envelopes))
        }
    };
    let books = build_books(plan, pace, events, sink, &mut memory)?;
    memory.push(("rings".to_owned(), links.live_bytes()));
    let mut timed = Measure { pace, clock, latency };
    let booked = books.counters();
    let books = timed.stage(books, "book_features");
    let scorer = scorer.map(|scorer| timed.stage(scorer, "score"));
    Ok((
        Line { books, scorer, desk: DeskStage::new(desks, in_force, observer) },
        Ends { control, verdicts, scores, scored, booked, memory },
    ))
}

/// Measures stages.
struct Measure<'a> {
    pace: Pace,
    clock: LiveClock,
    latency: &'a mut Latency,
}

impl Measure<'_> {
    fn stage<S>(&mut self, stage: S, hop: &'static str) -> Timed<S> {
        let Self { pace, clock, latency } = self;
        Timed {
            stage,
            clock: clock.clone(),
            live: *pace == Pace::Live,
            latency: latency.hop(hop),
            moved: None,
        }
    }
}

/// The gates of a desk, each with the writing ends of its tables.
#[derive(Default)]
struct Gates {
    desks: Vec<Desk>,
    sets: Vec<Tables>,
    verdicts: Vec<RingRx<VerdictRecord>>,
    counts: Vec<CounterReader>,
    memory: Vec<(String, usize)>,
}

/// The tables of one gate.
struct Tables {
    quotes: QuoteTable,
    model: Option<ModelTables>,
    statics: StaticWriter,
    declared: Declared,
    breakers: BreakerWriter,
    readers: Readers,
    shared: Option<SharedMemory>,
}

impl Gates {
    fn add(&mut self, plan: &Plan, links: &Links, spec: DeskSpec, latency: &mut Latency) -> Result<()> {
        let DeskSpec { accounts, strategies, listens, source, route, measured, shared } = spec;
        let set = GateSet::new(plan, accounts, strategies, listens, shared)?;
        let GateSet { gate, quotes, mut model, statics, declared, breakers, readers, shared, memory } = set;
        // Of an order that a gateway carries the whole turn is measured.
        let hop = if route.is_some() { "gateway" } else { "gate" };
        let route = match (route, &shared) {
            (Some(make), Some(shared)) => Some(make(shared)?),
            (Some(_), None) => anyhow::bail!("a gateway's order thread reads tables that are not shared"),
            (None, _) => None,
        };
        let mut decision = None;
        if measured {
            if let Some(model) = &mut model {
                model.measure(latency.hop("publish"));
            }
            decision = Some(latency.hop(hop));
        }
        let (log, verdicts) = outlet(links.verdicts);
        let (reader, cells) = counters("desk", COUNTERS);
        let desk_readers = readers.clone();
        self.desks.push(Desk { gate, readers: desk_readers, source, route, log, counters: cells, decision });
        self.sets.push(Tables { quotes, model, statics, declared, breakers, readers, shared });
        self.verdicts.push(verdicts);
        self.counts.push(reader);
        self.memory.extend(memory);
        Ok(())
    }
}

/// Live, the stages write the tables of the one gate themselves.
fn wire_live(links: &Links, sets: Vec<Tables>, counts: Vec<CounterReader>, adaptive: bool) -> Result<Wiring> {
    let (Ok([set]), Ok([orders])) = (<[_; 1]>::try_from(sets), <[_; 1]>::try_from(counts)) else {
        anyhow::bail!("a live line has one gate");
    };
    let Tables { quotes, model, statics, declared, breakers, readers, shared } = set;
    let (to_cold, definitions) = outlet(links.definitions);
    let (to_desk, names) = outlet(links.names);
    let (commands, commands_rx) = open(links.commands);
    let (trips, trip_notes) = outlet(links.scorer_notes);
    let (tiers, tier_notes) = outlet(links.scorer_notes);
    let ((questions_tx, questions), (answers, answers_rx)) = (open(links.questions), open(links.answers));
    let limits = match model.filter(|_| adaptive) {
        Some(tables) => Limits::Direct { tables, trips },
        None => Limits::Nowhere,
    };
    Ok(Wiring {
        quotes: Quotes::Direct(quotes),
        limits,
        effective: Effective::Now,
        in_force: InForce::Now { names, questions: Answerer { questions, answers } },
        envelopes: Envelopes::Commands(commands_rx),
        to_desk,
        to_cold,
        tiers,
        control: Some(ControlEnds {
            readers,
            statics,
            declared,
            breakers,
            commands,
            definitions,
            notes: vec![trip_notes, tier_notes],
            asker: Asker::new(questions_tx, answers_rx),
            orders,
            shared,
        }),
    })
}

/// In simulated time, the desk puts in force what the stages say, each word at its moment.
fn wire_simulated(
    plan: &Plan,
    links: &Links,
    sets: Vec<Tables>,
    adaptive: bool,
    score_latency: Nanos,
) -> Wiring {
    let wanted = !sets.is_empty();
    let (book_notes, books) = outlet(links.book_notes);
    let (model_notes, scores) = outlet(links.model_notes);
    let schedule = |set: Tables| {
        let Tables { quotes, model, statics, declared, mut breakers, .. } = set;
        // Nothing is latched before the first order of a replay.
        breakers.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        let envelopes = plan.limits.clone();
        let (book_notes, model_notes) = (VecDeque::new(), VecDeque::new());
        Schedule { quotes, model, statics, declared, breakers, envelopes, book_notes, model_notes }
    };
    let schedules = sets.into_iter().map(schedule).collect();
    let scores = (wanted && adaptive).then_some(scores);
    Wiring {
        quotes: if wanted { Quotes::Scheduled(book_notes) } else { Quotes::Nowhere },
        limits: if wanted { Limits::Scheduled(model_notes) } else { Limits::Nowhere },
        effective: Effective::After(score_latency),
        in_force: InForce::Scheduled(Scheduled { books, scores, schedules, finished: false }),
        envelopes: Envelopes::Plan(Box::new(plan.limits.clone())),
        to_desk: Outlet::Closed,
        to_cold: Outlet::Closed,
        tiers: Outlet::Closed,
        control: None,
    }
}

fn build_books(
    plan: &Plan,
    pace: Pace,
    events: RingRx<BookEvent>,
    sink: BookSink,
    memory: &mut Vec<(String, usize)>,
) -> Result<FeaturizerStage<BookSink>> {
    let on_full = if pace == Pace::Live { OnFull::KeepDirty } else { OnFull::Wait };
    let mut featurizer = featurizer(plan, on_full)?;
    if sink.files.as_ref().is_some_and(|files| files.slippage.is_some()) {
        featurizer.capture_slippage();
    }
    memory.push(("books and features".to_owned(), featurizer.memory().bytes));
    Ok(FeaturizerStage::new(featurizer, events, sink))
}
