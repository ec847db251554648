//! Everything a start takes: the source, the line with its memory, the control plane's view of both.

use super::backend::LiveBackend;
use super::feed::{LiveFeed, OpenedFeed, ThreadStart, open_feed, silent_after};
use super::load::LoadView;
use super::recovery::{RecoveryThread, Sockets};
use super::report::Report;
use super::spec::{Parts, line_of, model_of};
use super::unscored::Unscored;
use super::views::{FeedView, ScorerView};
use super::writers::Writers;
use crate::cli::WrongUsage;
use crate::latency::Latency;
use crate::line::ends::{AnyFeed, Books, Ends, Line, OrderDesk, Scorer};
use crate::line::health::{FeedHealth, LastMoved, Moment};
use crate::line::link::Links;
use crate::line::notes::{Defined, ScorerNote};
use crate::line::spec::Pace;
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
    feed: LiveFeed,
    thread_start: ThreadStart,
    recovery: Option<Sockets>,
    line: Line<()>,
    cold: Cold,
}

/// What the stages tell the cold thread.
struct Cold {
    definitions: RingRx<Defined>,
    notes: Vec<RingRx<ScorerNote>>,
    card: RingRx<CardChange>,
}

/// The running line, seen from the cold thread.
pub(super) struct Running {
    feed: Pinned<LiveFeed>,
    recovery: Option<RecoveryThread>,
    books: Pinned<Books>,
    scorer: Option<Pinned<Scorer>>,
    desk: Pinned<OrderDesk<()>>,
    stop: StopFlag,
    cold: Cold,
}

/// The feed of the plan.
///
/// # Errors
/// [`WrongUsage`]: there is none, or more than one.
pub(super) fn only_feed(plan: &Plan) -> Result<&FeedPlan> {
    let wanted = "wanted one: an appliance serves one feed";
    match plan.feeds.as_slice() {
        [feed] => Ok(feed),
        feeds => {
            let found = feeds.len();
            Err(WrongUsage(format!("the configuration has {found} [[feed]] sections, {wanted}")).into())
        }
    }
}

/// Takes everything the plan needs.
///
/// # Errors
/// What cannot be had, and what to change.
pub(super) fn prepare(plan: &Plan, clock: &LiveClock, latency: &mut Latency) -> Result<(Prepared, Report)> {
    let feed_plan = only_feed(plan)?;
    let mut report = Report::default();
    report.warnings.extend(lower_case(plan));
    let OpenedFeed { received: (feed, events), thread_start, chores, recovery, port, rings: port_rings } =
        open_feed(plan, feed_plan, clock, latency, &mut report)?;
    let model = model_of(plan)?;
    let (cards, card) = topology::card_ring(plan);
    let health = FeedHealth::default();
    let parts = Parts { model: model.as_ref(), clock, health: health.clone(), cards };
    let (spec, warning) = line_of(plan, feed_plan, parts, latency)?;
    report.warnings.extend(warning);
    let scorer_name = spec.scorer.as_ref().map(|spec| spec.scorer.name());
    let (mut line, ends) = topology::build(spec, events)?;
    let links = Links::of(plan, Pace::Live);
    let Ends { control, scored, booked, memory, mut rings, tables, .. } = ends;
    rings.push(links.card_changes.shown("changes of the card", card.counters()));
    rings.extend(port_rings);
    let load = LoadView::new(rings, booked, plan.book.orders.into(), &tables);
    report.warnings.extend(load.memory_shortfall());
    report.memory.extend(memory);
    report.describe(plan, feed_plan, &links, model.is_some());
    let heard = LastMoved::new(feed.counters(), "messages");
    let view = FeedView { port, ..feed_view(feed_plan, &feed, heard.moment(), health) };
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
    let views = (vec![view], scorer_view, load, model);
    let unscored = ends.unscored.map(|tables| Unscored::new(tables, plan.overlay));
    let writers = (writers, unscored);
    let backend =
        LiveBackend::new(clock.clone(), views, (readers, shared), orders, writers, asker, &plan.scopes);
    let feed = LiveFeed { feed, chores, heard };
    let cold = Cold { definitions, notes, card };
    Ok((Prepared { backend: Arc::new(backend), feed, thread_start, recovery, line, cold }, report))
}

fn feed_view(plan: &FeedPlan, feed: &AnyFeed, last: Moment, health: FeedHealth) -> FeedView {
    FeedView {
        name: plan.name.to_string(),
        counters: feed.counters(),
        lines: feed.lines(),
        started: Moment::default(),
        ended: false.into(),
        last,
        health,
        stale_after: silent_after(plan),
        recovers: !plan.recovery.is_empty(),
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
        let Self { backend, feed, thread_start, recovery, line, cold } = self;
        let Line { books, scorer, desk } = line;
        let placement = &plan.placement;
        let at = |cpu, nap_us| Place { cpu, nap_us, clock, stop: &stop };
        let desk = at(placement.desk_cpu, DESK_NAP_US).spawn(desk, || Ok(()))?;
        let scorer =
            scorer.map(|s| at(placement.scorer_cpu, STAGE_NAP_US).spawn(s, || Ok(()))).transpose()?;
        let books = at(placement.featurizer_cpu, STAGE_NAP_US).spawn(books, || Ok(()))?;
        let recovery = recovery.map(Sockets::start).transpose()?;
        backend.feeds.iter().for_each(|feed| feed.started.set(clock.now()));
        let feed = at(placement.receiver_cpu, STAGE_NAP_US).spawn(feed, thread_start)?;
        let mut threads = vec![(feed.name(), feed.counters()), (books.name(), books.counters())];
        threads.extend(scorer.iter().map(|scorer| (scorer.name(), scorer.counters())));
        threads.push((desk.name(), desk.counters()));
        backend.load.note_threads(threads);
        Ok(Running { feed, recovery, books, scorer, desk, stop, cold })
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
        drop(self.recovery);
        self.books.join()?.finish();
        if let Some(scorer) = self.scorer {
            scorer.join()?.finish();
        }
        self.desk.join()?;
        if let Some(said) = feed.chores.as_mut().map(|chores| chores.close(now)) {
            tell(said);
        }
        feed.feed.take_error().map_or(Ok(()), |error| Err(error.into()))
    }
}
