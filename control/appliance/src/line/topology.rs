//! The line, declared once: every stage, every ring, its depth, and what happens when it is full. `run`, `replay`, `demo` and
//! `backtest` build theirs here and nowhere else, from the receiver to the rings that lead out of it; they differ in the source of the
//! packets, in the clock, in the runner, and in where what the stages say ends up.

use super::book_files::BookFiles;
use super::book_sink::{BookSink, FeedBooks, Quotes, TimeOf, Untold};
use super::books::featurizer;
use super::desk_stage::{DeskObserver, DeskStage, InForce, Scheduled};
use super::ends::{ControlEnds, Ends, JudgeEnds, Line, Received};
use super::explain::{Answerer, Asker};
use super::gates::{GateHops, Gates, Tables};
use super::last_trades::LastTrades;
use super::link::{Link, Links, RingView, WhenFull};
use super::notes::{Defined, ScorerNote, VerdictRecord};
use super::outlet::Outlet;
use super::schedule::Schedule;
use super::score_sink::{Effective, LimitOutlet, Limits, ScoreOutlet};
use super::scorer::{Envelopes, LineScorer};
use super::spec::{DeskSpec, Follows, LineFeed, LineFiles, LineSpec, Pace, ScorerSpec};
use super::timed::Timed;
use super::verdict_log::{VerdictLog, VerdictSheet};
use crate::igmp_frame::IgmpRing;
use crate::latency::Latency;
use anyhow::{Context, Result};
use attach::ring::RingReader;
use control::config::{FeedShare, Plan};
use control::protocol::RingStatus;
use dataplane::recovery::{Answer as ServerAnswer, Ask};
use dataplane::{EventTx, FeedConfig, FileOptions, Live, PacketSource, ReceiverHops, open_files, receive};
use featurizer::{FeaturizerStage, MemoryReport, OnFull};
use gpu::{PolledScorer, ScoreRecord, ScorerStage};
use stage::{CounterReader, GapTx, HopHistogram, LiveClock, LosslessTx, RingRx, RingTx, ring};
use std::io;
use std::path::{Path, PathBuf};
use types::{BookEvent, FeedIndex, Nanos, UnixNanos};

/// Vectors the scorer takes in one poll.
const SCORER_BURST: usize = 1_024;

/// How often live histograms change hands.
const INTERVAL: Nanos = Nanos::SECOND;

/// One burst in so many is measured: a stamp costs as much as a message.
const BURSTS_SAMPLED: u32 = 16;

/// The receiver's name, of any source.
const RECEIVER: &str = "receiver";

/// What is measured, in the order of the line, by its tag in latency.hlog.
const NIC_DECODE: &str = "nic_decode";
const DECODE_RING: &str = "decode_ring";
const BOOK_FEATURES: &str = "book_features";
const SCORE: &str = "score";
const PUBLISH: &str = "publish";
const GATE: &str = "gate";
/// Of an order that a gateway carries the whole turn is measured.
const GATEWAY: &str = "gateway";

/// The two ends of `link`.
fn open<T: Copy>(link: Link) -> (RingTx<T>, RingRx<T>) {
    ring(link.depth)
}

/// The two ends of `link`, the producing one with the link's rule.
fn outlet<T: Copy>(link: Link) -> (Outlet<T>, RingRx<T>) {
    let (tx, rx) = open(link);
    let outlet = match link.when_full {
        WhenFull::Wait => Outlet::keeping(tx, 0),
        WhenFull::MarkGap
        | WhenFull::StayDirty
        | WhenFull::Drop
        | WhenFull::AskAgain
        | WhenFull::Refuse
        | WhenFull::Doubt
        | WhenFull::GoOn => Outlet::dropping(tx),
    };
    (outlet, rx)
}

/// The ring of a hop's histograms: its reader goes to `latency`.
fn recorder(links: &Links, hop: &'static str, latency: &mut Latency) -> HopHistogram {
    let (recorder, reader) = HopHistogram::new(hop, latency.start(), links.histograms.depth);
    latency.keep(reader);
    recorder
}

/// Who reads what a receiver measures, and by which clock it measures.
pub(crate) type Measured<'a> = (&'a mut Latency, &'a LiveClock);

/// Live, intervals change hands as they pass; else they are read once, at the end.
fn receiver_hops(links: &Links, pace: Pace, (latency, clock): Measured<'_>) -> ReceiverHops {
    ReceiverHops {
        clock: clock.clone(),
        nic_decode: recorder(links, NIC_DECODE, latency),
        decode_ring: recorder(links, DECODE_RING, latency),
        sample_every: BURSTS_SAMPLED,
        interval: if pace == Pace::Live { INTERVAL } else { Nanos(0) },
    }
}

/// The receiver of files, which wait, also for a live line: they can.
///
/// # Errors
/// Files that cannot be opened, or do not fit the feed.
pub(crate) fn receive_files(
    (plan, pace): (&Plan, Pace),
    (paths, options): (&[PathBuf], FileOptions),
    config: &FeedConfig,
    measured: Option<Measured<'_>>,
) -> Result<Received> {
    let links = Links::of(plan, pace);
    let (tx, events) = open(links.events);
    let hops = measured.map(|measured| receiver_hops(&links, pace, measured));
    let feed = open_files(RECEIVER, paths, config, options, EventTx::Replay(LosslessTx::new(tx)), hops)?;
    Ok((feed, events))
}

/// The receiver of packets that do not wait, but in simulated time; `live` for a line that is one.
///
/// # Errors
/// A feed that cannot be received so.
pub(crate) fn receive_packets<S: PacketSource + Send + 'static>(
    (plan, pace): (&Plan, Pace),
    source: S,
    config: &FeedConfig,
    measured: Option<Measured<'_>>,
    live: Option<Live>,
) -> Result<Received> {
    let links = Links::of(plan, pace);
    let (tx, events) = open(links.events);
    let tx = if links.events.when_full == WhenFull::MarkGap {
        EventTx::Live(GapTx::new(tx, plan.book.instruments as usize))
    } else {
        EventTx::Replay(LosslessTx::new(tx))
    };
    let hops = measured.map(|measured| receiver_hops(&links, pace, measured));
    Ok((receive(RECEIVER, source, config, tx, hops, live)?, events))
}

/// The appliance's end of the ring at `path` in which an order thread says what it does; a new one is known by `identity`.
///
/// # Errors
/// A ring that cannot be made, or is none.
pub(crate) fn order_ring(plan: &Plan, path: &Path, identity: u128) -> io::Result<RingReader> {
    RingReader::open(path, Links::of(plan, Pace::Live).order_records.depth, identity)
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
    /// Rings of a live line among them.
    rings: Vec<RingView>,
}

/// Takes all memory and wires the stages behind `feeds`: one of simulated time, up to [`types::FEEDS_MAX`] live.
///
/// # Errors
/// A bound that cannot be met, or a model that does not fit the policy.
pub(crate) fn build<O: DeskObserver>(spec: LineSpec<'_, O>, feeds: Vec<LineFeed>) -> Result<(Line<O>, Ends)> {
    let LineSpec { plan, pace, clock, scorer, files, desks, observer, follows, latency } = spec;
    let LineFiles { books: book_files, limits: limit_files, scores: score_file } = files;
    let links = Links::of(plan, pace);
    let (gates, verdicts) = build_gates(plan, &links, desks, latency)?;
    let Gates { desks, sets, counts, mut memory } = gates;
    let wiring = match pace {
        Pace::Live => wire_live(&links, sets, counts, scorer.is_some())?,
        Pace::Simulated { score_latency } => {
            wire_simulated(plan, &links, sets, scorer.is_some(), score_latency)
        }
    };
    let Wiring {
        quotes,
        limits,
        effective,
        in_force,
        envelopes,
        to_desk,
        to_cold,
        tiers,
        control,
        mut rings,
    } = wiring;
    let several = feeds.len() > 1;
    let shown = |feed: &LineFeed| {
        let name = of_feed(RingStatus::EVENTS, several, &feed.name);
        links.events.shown(name, feed.events.counters())
    };
    rings.splice(0..0, feeds.iter().map(shown).collect::<Vec<_>>());
    let (inputs, feeds) = apart(feeds)?;
    let (feed_count, recovering) =
        (feeds.len(), plan.feeds.iter().filter(|feed| !feed.recovery.is_empty()).count());
    let mut sink = book_sink(pace, feeds, (quotes, to_desk, to_cold), book_files);
    let mut heard = ScoreOutlet { file: score_file, tiers, scores: Outlet::Closed };
    let (scores, judge) = follow(&links, follows, &mut sink, &mut heard);
    let mut scored = None;
    let scorer = match scorer {
        None => None,
        Some(ScorerSpec { model, scorer }) => {
            let (names_tx, names) = outlet(links.names);
            let (vectors_tx, vectors) = open(links.vectors);
            rings.push(links.vectors.shown("vectors", vectors.counters()));
            rings.push(links.names.shown("names to the scorer", names.counters()));
            (sink.vectors, sink.to_scorer) = (Some(vectors_tx), names_tx);
            let limits = LimitOutlet { limits, effective, files: limit_files };
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
    let (books, tables, each) = build_books(plan, pace, inputs, sink)?;
    memory.extend(each);
    memory.push(("rings".to_owned(), links.live_bytes(feed_count, recovering)));
    let booked = books.counters();
    let mut timed =
        |hop| (clock.clone(), (pace == Pace::Live).then_some(INTERVAL), recorder(&links, hop, latency));
    let books = Timed::new(books, timed(BOOK_FEATURES));
    let scorer = scorer.map(|scorer| Timed::new(scorer, timed(SCORE)));
    Ok((
        Line { books, scorer, desk: DeskStage::new(desks, in_force, observer) },
        Ends { control, verdicts, scores, judge, scored, booked, memory, rings, tables },
    ))
}

/// What is called `what`, by its feed where there are `several`.
fn of_feed(what: &str, several: bool, feed: &str) -> String {
    if several { format!("{what} of {feed}") } else { what.to_owned() }
}

/// What a feed's books are built of.
struct Input {
    name: String,
    events: RingRx<BookEvent>,
    share: FeedShare,
}

/// The books' part of each feed, and the sink's.
///
/// # Errors
/// More feeds than there may be.
fn apart(feeds: Vec<LineFeed>) -> Result<(Vec<Input>, Vec<FeedBooks>)> {
    let split = |(index, feed): (usize, LineFeed)| {
        let LineFeed { name, events, channels, share, suffix } = feed;
        let index = FeedIndex::new(index).context("an appliance has no more feeds")?;
        let books = FeedBooks {
            index,
            first: share.first,
            suffix,
            untold: Untold::new(share.instruments as usize),
            last_trades: LastTrades::new(share.instruments as usize),
            channels,
            complete: UnixNanos(0),
        };
        Ok((Input { name, events, share }, books))
    };
    feeds
        .into_iter()
        .enumerate()
        .map(split)
        .collect::<Result<Vec<_>>>()
        .map(|parts| parts.into_iter().unzip())
}

/// What the books say, before anybody but the gate, the desk and the cold thread hears it.
fn book_sink(
    pace: Pace,
    feeds: Vec<FeedBooks>,
    (quotes, to_desk, to_cold): (Quotes, Outlet<Defined>, Outlet<Defined>),
    files: Option<BookFiles>,
) -> BookSink {
    BookSink {
        time: if pace == Pace::Live { TimeOf::Poll } else { TimeOf::Event },
        now: UnixNanos(0),
        vectors: None,
        quotes,
        feeds: feeds.into(),
        turn: 0,
        to_scorer: Outlet::Closed,
        to_desk,
        to_cold,
        to_judge: Outlet::Closed,
        files,
    }
}

/// The gates, and the ring of the verdicts of each that somebody trades through.
fn build_gates(
    plan: &Plan,
    links: &Links,
    desks: Vec<DeskSpec>,
    latency: &mut Latency,
) -> Result<(Gates, Vec<RingRx<VerdictRecord>>)> {
    let (mut gates, mut verdicts) = (Gates::default(), Vec::new());
    for desk in desks {
        let mut log = Outlet::Closed;
        if desk.source.is_some() || desk.route.is_some() {
            let (records, logged) = outlet(links.verdicts);
            log = records;
            verdicts.push(logged);
        }
        let decision = if desk.route.is_some() { GATEWAY } else { GATE };
        let hops = desk.measured.then(|| GateHops {
            publish: recorder(links, PUBLISH, latency),
            decision: recorder(links, decision, latency),
        });
        gates.add(plan, desk, log, hops)?;
    }
    Ok((gates, verdicts))
}

/// The rings to who follows the line, which wait: theirs is simulated time.
fn follow(
    links: &Links,
    follows: Follows,
    books: &mut BookSink,
    scorer: &mut ScoreOutlet,
) -> (Option<RingRx<ScoreRecord>>, Option<JudgeEnds>) {
    if follows == Follows::Nobody {
        return (None, None);
    }
    let (to_scores, scores) = outlet(links.scores);
    scorer.scores = to_scores;
    if follows == Follows::Screen {
        return (Some(scores), None);
    }
    let ((to_names, names), (to_vectors, vectors), (to_tiers, tiers)) =
        (outlet(links.names), outlet(links.judged_vectors), outlet(links.scorer_notes));
    (books.to_cold, books.to_judge, scorer.tiers) = (to_names, to_vectors, to_tiers);
    (Some(scores), Some(JudgeEnds { names, vectors, tiers }))
}

/// Live, the stages write the tables of the one gate themselves.
fn wire_live(links: &Links, sets: Vec<Tables>, counts: Vec<CounterReader>, adaptive: bool) -> Result<Wiring> {
    let (Ok([set]), Ok([orders])) = (<[_; 1]>::try_from(sets), <[_; 1]>::try_from(counts)) else {
        anyhow::bail!("a live line has one gate");
    };
    let Tables { quotes, model, statics, declared, breakers, readers, shared, .. } = set;
    let (to_cold, definitions) = outlet(links.definitions);
    let (to_desk, names) = outlet(links.names);
    let (commands, commands_rx) = open(links.commands);
    let (trips, trip_notes) = outlet(links.scorer_notes);
    let (tiers, tier_notes) = outlet(links.scorer_notes);
    let ((questions_tx, questions), (answers, answers_rx)) = (open(links.questions), open(links.answers));
    let (limits, unscored) = match model {
        Some(tables) if adaptive => (Limits::Direct { tables, trips }, None),
        unscored => (Limits::Nowhere, unscored),
    };
    let rings = vec![
        links.names.shown("names to the desk", names.counters()),
        links.definitions.shown("names to control", definitions.counters()),
        links.commands.shown("commands to the scorer", commands_rx.counters()),
        links.scorer_notes.shown("trips", trip_notes.counters()),
        links.scorer_notes.shown("changes of tier", tier_notes.counters()),
        links.questions.shown("questions to the desk", questions.counters()),
        links.answers.shown("answers of the desk", answers_rx.counters()),
    ];
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
            unscored,
            commands,
            definitions,
            notes: vec![trip_notes, tier_notes],
            asker: Asker::new(questions_tx, answers_rx),
            orders,
            shared,
        }),
        rings,
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
    let schedules = sets.into_iter().map(|set| Schedule::new(set, plan)).collect();
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
        rings: Vec::new(),
    }
}

/// Named bytes, for the boot report.
type Bytes = Vec<(String, usize)>;

/// The books of each feed on the one thread of them all, what they lie in together, and what each takes.
///
/// # Errors
/// Tables that cannot be had, or no feed.
fn build_books(
    plan: &Plan,
    pace: Pace,
    inputs: Vec<Input>,
    sink: BookSink,
) -> Result<(FeaturizerStage<BookSink>, MemoryReport, Bytes)> {
    let on_full = if pace == Pace::Live { OnFull::KeepDirty } else { OnFull::Wait };
    let several = inputs.len() > 1;
    let (mut all, mut each) = (MemoryReport::NOTHING, Vec::new());
    let slippage = sink.files.as_ref().is_some_and(|files| files.slippage.is_some());
    let mut books = Vec::new();
    for Input { name, events, share } in inputs {
        let mut featurizer = featurizer(plan, share, on_full)?;
        if slippage {
            featurizer.capture_slippage();
        }
        let memory = featurizer.memory();
        each.push((of_feed("books and features", several, &name), memory.bytes));
        all = all.and(memory);
        books.push((featurizer, events));
    }
    let mut books = books.into_iter();
    let (first, events) = books.next().context("a line has a feed")?;
    let mut stage = FeaturizerStage::new(first, events, sink);
    books.for_each(|(featurizer, events)| stage.add_feed(featurizer, events));
    Ok((stage, all, each))
}
