//! Running a line of simulated time to its end: on one thread, or each stage on its own.

use super::desk_stage::DeskObserver;
use super::ends::{AnyFeed, Line};
use super::verdict_log::VerdictLog;
use anyhow::{Context, Result};
use dataplane::{FeedStats, SourceError};
use featurizer::Featurizer;
use stage::{
    Clock, IdlePolicy, Inline, OsClock, Pinned, PinnedConfig, RunnerError, Stage, StopFlag, Work, WorkStatus,
    spawn_pinned,
};
use types::UnixNanos;

/// What a finished line leaves.
pub(crate) struct Finished<O> {
    pub(crate) stats: FeedStats,
    pub(crate) featurizer: Featurizer,
    pub(crate) observer: O,
    /// Why the input ended early; all before it is in the rest.
    pub(crate) damage: Option<SourceError>,
}

impl<O> Finished<O> {
    /// What a run of an input without damage left.
    ///
    /// # Errors
    /// The damage.
    pub(crate) fn whole(self) -> Result<Self> {
        match self.damage {
            Some(damage) => Err(damage.into()),
            None => Ok(self),
        }
    }
}

/// Runs the whole line on this thread, in step with the input. `pace` is called with the input's time before each packet's
/// events go on, and may wait. `log` drains the verdicts, where the observer does not.
///
/// # Errors
/// What ended the run early.
pub(crate) fn run_inline<O: DeskObserver>(
    mut line: Line<O>,
    mut log: Option<VerdictLog>,
    mut feed: AnyFeed,
    mut pace: impl FnMut(UnixNanos) -> Result<()>,
) -> Result<Finished<O>> {
    let mut stages: Vec<&mut dyn Stage> = vec![&mut line.books];
    stages.extend(line.scorer.as_mut().map(|s| s as &mut dyn Stage));
    stages.push(&mut line.desk);
    stages.extend(log.as_mut().map(|s| s as &mut dyn Stage));
    let mut rest = Inline::new(stages);
    let mut now = UnixNanos(0);
    loop {
        let work = feed.poll(now);
        now = feed.replay_time();
        pace(now)?;
        rest.come_to_rest(now)?;
        if work.status == WorkStatus::Done {
            break;
        }
    }
    // Its histograms are of the machine's time, whatever the input's.
    feed.housekeep(OsClock.now());
    let ended = conclude(&mut feed)?;
    // The books learn that the input is over by the ring's other end being gone.
    drop(feed);
    rest.come_to_rest(now)?;
    finish(line, log, ended)
}

/// Runs each stage on a thread of its own, as the daemon does, and the desk and its log on this one.
///
/// # Errors
/// What ended the run early.
pub(crate) fn run_pinned<O: DeskObserver>(
    line: Line<O>,
    mut log: Option<VerdictLog>,
    feed: AnyFeed,
) -> Result<Finished<O>> {
    let Line { books, scorer, mut desk } = line;
    let config = PinnedConfig { idle: IdlePolicy::Yield, ..PinnedConfig::default() };
    let stop = StopFlag::new();
    let spawn = |error: RunnerError| anyhow::Error::from(error).context("cannot start a stage");
    let feed = spawn_pinned(FeedStage(feed), OsClock, config, stop.clone(), || Ok(())).map_err(spawn)?;
    let books = spawn_pinned(books, OsClock, config, stop.clone(), || Ok(())).map_err(spawn)?;
    let scorer = scorer
        .map(|scorer| spawn_pinned(scorer, OsClock, config, stop, || Ok(())).map_err(spawn))
        .transpose()?;
    let mut feed = Some(feed);
    let mut ended = None;
    let mut rest = [WorkStatus::Busy; 2];
    // The receiver's end of the ring must go before the books can know that they have seen everything; the desk may have
    // nothing to do from the start.
    while feed.is_some() || rest != [WorkStatus::Done; 2] {
        if let Some(done) = feed.take_if(|f| f.is_finished()) {
            ended = Some(conclude(&mut done.join()?.0));
        }
        let logged = |log: &mut VerdictLog| log.poll(UnixNanos(0)).status;
        rest = [desk.poll(UnixNanos(0)).status, log.as_mut().map_or(WorkStatus::Done, logged)];
        if !rest.contains(&WorkStatus::Busy) {
            std::thread::yield_now();
        }
    }
    let books = books.join()?;
    let scorer = scorer.map(Pinned::join).transpose()?;
    let ended = ended.context("the receiver was never joined")?;
    finish(Line { books, scorer, desk }, log, ended?)
}

fn finish<O: DeskObserver>(line: Line<O>, log: Option<VerdictLog>, ended: Ended) -> Result<Finished<O>> {
    let (stats, damage) = ended;
    let Line { books, scorer, desk } = line;
    let (featurizer, sink) = books.finish().into_parts();
    sink.finish_files()?;
    if let Some(scorer) = scorer {
        scorer.finish().finish_files()?;
    }
    if let Some(log) = log {
        log.finish()?;
    }
    Ok(Finished { stats, featurizer, observer: desk.finish(OsClock.now()), damage })
}

/// The counts of a feed that has ended, and the damage that ended it early.
type Ended = (FeedStats, Option<SourceError>);

/// What a feed that has ended leaves.
///
/// # Errors
/// Damage before its first message, which leaves nothing.
fn conclude(feed: &mut AnyFeed) -> Result<Ended> {
    let stats = feed.stats();
    match feed.take_error() {
        Some(error) if stats.messages == 0 => Err(error.into()),
        damage => Ok((stats, damage)),
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
