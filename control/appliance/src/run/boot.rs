//! Everything a start takes: the source, the line with its memory, the control plane's view of both.

use super::backend::LiveBackend;
use super::feed::{LiveFeed, OpenedFeed, Ports, ThreadStart, open_feed, silent_after};
use super::load::LoadView;
use super::of_feed::named;
use super::recovery::{RecoveryThread, Sockets};
use super::report::Report;
use super::spec::{Parts, line_feed, line_of, model_of};
use super::unscored::Unscored;
use super::views::{FeedView, ScorerView};
use super::writers::Writers;
use crate::cli::WrongUsage;
use crate::latency::Latency;
use crate::line::ends::{AnyFeed, Books, Ends, Line, OrderDesk, Scorer};
use crate::line::health::{FeedHealth, LastMoved, Moment};
use crate::line::link::{Links, RingView};
use crate::line::notes::{Defined, ScorerNote};
use crate::line::spec::{LineFeed, Pace};
use crate::line::topology;
use crate::named::lower_case;
use crate::output::tell;
use anyhow::{Context, Result};
use control::config::{CpuChoice, Feed as FeedPlan, Plan};
use gpu::{CardChange, Scorer as _};
use stage::{Clock, IdlePolicy, LiveClock, Pinned, PinnedConfig, RingRx, Stage, StopFlag, spawn_pinned};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::UnixNanos;

/// How long the desk sleeps when nothing is to be explained. Nobody trades through it: orders come from threads that attach.
const DESK_NAP_US: u32 = 200;

/// How long the other stages sleep.
const STAGE_NAP_US: u32 = 50;

/// The line with all its memory, not running.
pub(super) struct Prepared {
    pub(super) backend: Arc<LiveBackend>,
    feeds: Vec<PreparedFeed>,
    line: Line<()>,
    cold: Cold,
}

/// One feed's receiver, not running.
struct PreparedFeed {
    /// What its stage is called.
    name: String,
    feed: LiveFeed,
    thread_start: ThreadStart,
    recovery: Option<Sockets>,
    cpu: CpuChoice,
}

/// What the stages tell the cold thread.
struct Cold {
    definitions: RingRx<Defined>,
    notes: Vec<RingRx<ScorerNote>>,
    card: RingRx<CardChange>,
}

/// The running line, seen from the cold thread.
pub(super) struct Running {
    feeds: Vec<Pinned<LiveFeed>>,
    recovery: Vec<RecoveryThread>,
    books: Pinned<Books>,
    scorer: Option<Pinned<Scorer>>,
    desk: Pinned<OrderDesk<()>>,
    stop: StopFlag,
    cold: Cold,
}

/// That the plan has a feed.
///
/// # Errors
/// [`WrongUsage`]: there is none.
pub(super) fn has_feeds(plan: &Plan) -> Result<()> {
    if plan.feeds.is_empty() {
        let found = "the configuration has 0 [[feed]] sections, wanted one for each venue whose market data it is to read";
        return Err(WrongUsage(found.to_owned()).into());
    }
    Ok(())
}

/// Takes everything the plan needs.
///
/// # Errors
/// What cannot be had, and what to change.
pub(super) fn prepare(plan: &Plan, clock: &LiveClock, latency: &mut Latency) -> Result<(Prepared, Report)> {
    has_feeds(plan)?;
    let mut report = Report::default();
    report.warnings.extend(lower_case(plan));
    let Opened { feeds, inputs, views, rings: port_rings } = open_feeds(plan, clock, latency, &mut report)?;
    let model = model_of(plan)?;
    let (cards, card) = topology::card_ring(plan);
    let parts = Parts { model: model.as_ref(), clock, cards };
    let (spec, warning) = line_of(plan, parts, latency)?;
    report.warnings.extend(warning);
    let scorer_name = spec.scorer.as_ref().map(|spec| spec.scorer.name());
    let (mut line, ends) = topology::build(spec, inputs)?;
    let links = Links::of(plan, Pace::Live);
    let Ends { control, scored, booked, memory, mut rings, tables, .. } = ends;
    rings.push(links.card_changes.shown("changes of the card", card.counters()));
    rings.extend(port_rings);
    let orders_room = plan.feeds.iter().map(|feed| u64::from(plan.share_of(feed).orders)).sum();
    let load = LoadView::new(rings, booked, orders_room, &tables);
    report.warnings.extend(load.memory_shortfall());
    report.memory.extend(memory);
    report.describe(plan, &links, model.is_some());
    let scored = scorer_name.zip(scored).map(|(name, counters)| {
        let moved = LastMoved::new(counters.clone(), "scored");
        let view = ScorerView { name, counters, last: moved.moment() };
        (moved, view)
    });
    let (moved, scorer_view) = scored.unzip();
    if let Some(scorer) = &mut line.scorer {
        scorer.moved = moved;
    }
    let ends = control.context("a live line has a control plane")?;
    let (statics, declared, breakers, commands) = (ends.statics, ends.declared, ends.breakers, ends.commands);
    report.warnings.extend(declared.settlement_missing(clock.now()).map(|missing| missing.to_string()));
    let writers = Writers { statics, declared, breakers, commands };
    let (readers, definitions, notes) = (ends.readers, ends.definitions, ends.notes);
    let (asker, orders, shared) = (ends.asker, ends.orders, ends.shared);
    let model = model.map_or_else(String::new, |model| model.id().to_owned());
    let views = (views, scorer_view, load, model);
    let unscored = ends.unscored.map(|tables| Unscored::new(tables, plan.overlay));
    let writers = (writers, unscored);
    let backend =
        LiveBackend::new(clock.clone(), views, (readers, shared), orders, writers, asker, &plan.scopes);
    let cold = Cold { definitions, notes, card };
    Ok((Prepared { backend: Arc::new(backend), feeds, line, cold }, report))
}

/// The feeds of a plan, each in its order: receivers, what they fill, and what is seen of them.
struct Opened {
    feeds: Vec<PreparedFeed>,
    inputs: Vec<LineFeed>,
    views: Vec<FeedView>,
    rings: Vec<RingView>,
}

/// Opens every feed of the plan.
///
/// # Errors
/// A port or file that cannot be had, and of which feed.
fn open_feeds(plan: &Plan, clock: &LiveClock, latency: &mut Latency, report: &mut Report) -> Result<Opened> {
    let mut ports = Ports::default();
    let mut all = Opened { feeds: Vec::new(), inputs: Vec::new(), views: Vec::new(), rings: Vec::new() };
    for feed_plan in &plan.feeds {
        let opened = open_feed(plan, feed_plan, &mut ports, (latency, clock), report);
        let opened = if plan.feeds.len() > 1 {
            opened.with_context(|| format!("feed {}", feed_plan.name))
        } else {
            opened
        };
        let OpenedFeed { received: (feed, events), thread_start, chores, recovery, port, rings } = opened?;
        let (health, heard) = (FeedHealth::default(), LastMoved::new(feed.counters(), "messages"));
        let view = feed_view(plan, feed_plan, &feed, heard.moment(), health.clone());
        all.views.push(FeedView { port, ..view });
        all.inputs.push(line_feed(plan, feed_plan, events, health));
        all.rings.extend(rings);
        all.feeds.push(PreparedFeed {
            name: named("receiver", plan, feed_plan),
            feed: LiveFeed { feed, chores, heard },
            thread_start,
            recovery,
            cpu: plan.receiver_cpu(feed_plan),
        });
    }
    Ok(all)
}

fn feed_view(
    plan: &Plan,
    feed_plan: &FeedPlan,
    feed: &AnyFeed,
    last: Moment,
    health: FeedHealth,
) -> FeedView {
    let share = plan.share_of(feed_plan);
    FeedView {
        name: feed_plan.name.to_string(),
        counters: feed.counters(),
        lines: feed.lines(),
        started: Moment::default(),
        ended: false.into(),
        last,
        health,
        stale_after: silent_after(feed_plan),
        recovers: !feed_plan.recovery.is_empty(),
        instruments: share.first..share.first.saturating_add(share.instruments),
        port: None,
    }
}

impl Prepared {
    /// Gives each stage its thread, consumers first.
    ///
    /// # Errors
    /// A thread that cannot be had, or cannot be pinned where the plan says.
    pub(super) fn start(self, plan: &Plan, clock: &LiveClock) -> Result<Running> {
        let stop = StopFlag::new();
        let Self { backend, feeds: mut prepared, line, cold } = self;
        let Line { books, scorer, desk } = line;
        let placement = &plan.placement;
        let at = |cpu, nap_us| Place { cpu, nap_us, clock, stop: &stop };
        let desk = at(placement.desk_cpu, DESK_NAP_US).spawn(desk, || Ok(()))?;
        let scorer =
            scorer.map(|s| at(placement.scorer_cpu, STAGE_NAP_US).spawn(s, || Ok(()))).transpose()?;
        let books = at(placement.featurizer_cpu, STAGE_NAP_US).spawn(books, || Ok(()))?;
        let sockets = prepared.iter_mut().filter_map(|feed| feed.recovery.take());
        let recovery = sockets.map(Sockets::start).collect::<Result<Vec<_>>>()?;
        backend.feeds.iter().for_each(|feed| feed.started.set(clock.now()));
        let (mut feeds, mut threads) = (Vec::new(), Vec::new());
        for PreparedFeed { name, feed, thread_start, cpu, .. } in prepared {
            let feed = at(cpu, STAGE_NAP_US).spawn(feed, thread_start)?;
            threads.push((name, feed.counters()));
            feeds.push(feed);
        }
        threads.push((books.name().to_owned(), books.counters()));
        threads.extend(scorer.iter().map(|scorer| (scorer.name().to_owned(), scorer.counters())));
        threads.push((desk.name().to_owned(), desk.counters()));
        backend.load.note_threads(threads);
        Ok(Running { feeds, recovery, books, scorer, desk, stop, cold })
    }
}

/// Where a stage runs, and how long it sleeps when it has nothing to do and no core of its own.
struct Place<'a> {
    cpu: CpuChoice,
    nap_us: u32,
    clock: &'a LiveClock,
    stop: &'a StopFlag,
}

impl Place<'_> {
    fn spawn<S: Stage + Send + 'static>(
        &self,
        stage: S,
        thread_start: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<Pinned<S>> {
        let cpu = self.cpu.cpu().map(usize::from);
        // A stage with a core of its own spins; one that shares must let others run.
        let idle = if cpu.is_some() { IdlePolicy::Spin } else { IdlePolicy::Sleep { us: self.nap_us } };
        let config = PinnedConfig { cpu, idle, ..PinnedConfig::default() };
        Ok(spawn_pinned(stage, self.clock.clone(), config, self.stop.clone(), thread_start)?)
    }
}

/// Everything that waits in a ring.
fn all<T: Copy>(ring: &mut RingRx<T>) -> Vec<T> {
    let mut out = Vec::new();
    ring.drain(usize::MAX, |new| out.extend_from_slice(new));
    out
}

impl Running {
    /// Instruments defined since the last call.
    pub(super) fn definitions(&mut self) -> Vec<Defined> {
        all(&mut self.cold.definitions)
    }

    /// What became of the card since the last call.
    pub(super) fn card_changes(&mut self) -> Vec<CardChange> {
        all(&mut self.cold.card)
    }

    /// What the scorer said since the last call.
    pub(super) fn notes(&mut self) -> Vec<ScorerNote> {
        self.cold.notes.iter_mut().flat_map(all).collect()
    }

    /// Notes which inputs are over, for `status`.
    pub(super) fn note_ended(&self, backend: &LiveBackend) {
        let ended = self.feeds.iter().zip(&backend.feeds).filter(|(feed, _)| feed.is_finished());
        ended.for_each(|(_, view)| view.ended.store(true, Ordering::Relaxed));
    }

    /// Stops the stages, leaves the multicast groups, and reports why an input ended early, if one did.
    ///
    /// # Errors
    /// A stage that panicked, or the first error of an input.
    pub(super) fn stop(self, now: UnixNanos) -> Result<()> {
        self.stop.raise();
        let mut feeds = self.feeds.into_iter().map(Pinned::join).collect::<Result<Vec<_>, _>>()?;
        drop(self.recovery);
        self.books.join()?.finish();
        if let Some(scorer) = self.scorer {
            scorer.join()?.finish();
        }
        self.desk.join()?;
        for chores in feeds.iter_mut().filter_map(|feed| feed.chores.as_mut()) {
            tell(chores.close(now));
        }
        feeds.iter_mut().find_map(|feed| feed.feed.take_error()).map_or(Ok(()), |error| Err(error.into()))
    }
}
