//! Two runners, one contract: [`Inline`] polls every stage on the caller's thread, [`Pinned`] gives each its own core.
//! The same stages run under both, which is what makes a replay evidence about the live line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use types::{Nanos, UnixNanos};

use crate::clock::Clock;
use crate::counter::{CounterCell, CounterReader, counters};
use crate::work::{Stage, WorkStatus};

/// Runs stages round-robin on the caller's thread, in topological order (producers first).
///
/// The driver of a replay polls the receiver, advances the clock to what it read, and lets the rest [`come_to_rest`]
/// before it reads on.
///
/// [`come_to_rest`]: Inline::come_to_rest
pub struct Inline<'a> {
    stages: Vec<&'a mut dyn Stage>,
    rounds_max: u32,
}

/// What it took to reach rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRest {
    /// Items handled by all stages together.
    pub items: u64,
    /// Whether every stage is done for good.
    pub done: bool,
}

/// A stage never came to rest: it claims work at every poll, or two stages feed each other in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stage {stage} still claims work after {rounds} rounds at {now}")]
pub struct Livelock {
    /// The first stage that still claimed work in the last round.
    pub stage: &'static str,
    /// Rounds polled.
    pub rounds: u32,
    /// The time that stood still meanwhile.
    pub now: UnixNanos,
}

impl<'a> Inline<'a> {
    /// Rounds after which a line that is still busy is called stuck, by default.
    pub const ROUNDS_MAX: u32 = 1 << 20;

    /// A runner over `stages`, producers before consumers.
    #[must_use]
    pub fn new(stages: Vec<&'a mut dyn Stage>) -> Self {
        Self { stages, rounds_max: Self::ROUNDS_MAX }
    }

    /// Gives up after `rounds` instead of [`Inline::ROUNDS_MAX`].
    #[cfg(test)]
    fn with_rounds_max(mut self, rounds: u32) -> Self {
        self.rounds_max = rounds;
        self
    }

    /// Polls every stage in turn at time `now` until a whole round finds nothing to do, then lets each housekeep.
    ///
    /// # Errors
    ///
    /// [`Livelock`] when the line does not come to rest within the bound.
    pub fn come_to_rest(&mut self, now: UnixNanos) -> Result<AtRest, Livelock> {
        let mut items = 0;
        for _ in 0..self.rounds_max {
            let round = self.round(now);
            items += round.items;
            if round.busy.is_none() {
                self.stages.iter_mut().for_each(|stage| stage.housekeep(now));
                return Ok(AtRest { items, done: round.done });
            }
        }
        let stage = self.round(now).busy.unwrap_or("");
        Err(Livelock { stage, rounds: self.rounds_max, now })
    }

    fn round(&mut self, now: UnixNanos) -> Round {
        let mut round = Round { items: 0, busy: None, done: true };
        for stage in &mut self.stages {
            let work = stage.poll(now);
            round.items += u64::from(work.items);
            round.done &= work.status == WorkStatus::Done;
            if work.status == WorkStatus::Busy && round.busy.is_none() {
                round.busy = Some(stage.name());
            }
        }
        round
    }
}

struct Round {
    items: u64,
    busy: Option<&'static str>,
    done: bool,
}

/// What a pinned stage does when a poll found nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdlePolicy {
    /// Polls again at once: for a core of one's own.
    #[default]
    Spin,
    /// Lets another thread run first: for shared cores.
    Yield,
    /// Sleeps: for stages that nobody waits for.
    Sleep {
        /// How long, in microseconds.
        us: u32,
    },
}

/// Tells pinned stages to stop; clones share the same flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every stage that looks at this flag to stop after its current poll.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the flag was raised.
    #[inline]
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How one stage is to run.
#[derive(Clone, Copy, Debug)]
pub struct PinnedConfig {
    /// CPU to pin the thread to; `None` leaves the placement to the kernel (tests, cold stages).
    pub cpu: Option<usize>,
    /// What to do when there is nothing to do.
    pub idle: IdlePolicy,
    /// Mean time between two housekeepings; each is jittered by half of it, so that stages do not fall into step.
    pub housekeep: Nanos,
    /// A poll that takes longer is counted as over budget.
    pub poll_budget: Nanos,
}

impl Default for PinnedConfig {
    /// Unpinned, spinning, housekeeping every 100 µs, budget 50 µs a poll.
    fn default() -> Self {
        Self { cpu: None, idle: IdlePolicy::Spin, housekeep: Nanos(100_000), poll_budget: Nanos(50_000) }
    }
}

/// Why a stage is not running, or not any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The operating system refused a thread.
    #[error("cannot start a thread for stage {stage}")]
    Spawn {
        /// Name of the stage.
        stage: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The thread could not be pinned.
    #[error(
        "{stage} is not on cpu {wanted}: its mask holds {found} (does this machine have it, and this process's cpuset?)"
    )]
    Pin {
        /// Name of the stage.
        stage: &'static str,
        /// The CPUs asked for.
        wanted: String,
        /// The CPUs in the thread's mask, as the kernel reports them.
        found: String,
    },
    /// The start hook refused.
    #[error("stage {stage} cannot start: {reason}")]
    Start {
        /// Name of the stage.
        stage: &'static str,
        /// What the hook said.
        reason: String,
    },
    /// The stage's thread panicked.
    #[error("stage {stage} panicked: {reason}")]
    Panicked {
        /// Name of the stage.
        stage: &'static str,
        /// The panic's message.
        reason: String,
    },
}

/// What a loop counts, in the order of the getters below.
const POLL_COUNTERS: [&str; 6] = ["polls", "busy_polls", "items", "busy_ns", "poll_ns_max", "over_budget"];

/// What a pinned stage's loop counts; readable from any thread.
#[derive(Clone, Debug)]
pub struct PollCounters(CounterReader);

impl PollCounters {
    /// Polls made.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.0.get(0)
    }

    /// Polls that found work.
    #[must_use]
    pub fn busy_polls(&self) -> u64 {
        self.0.get(1)
    }

    /// Items handled.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.0.get(2)
    }

    /// Time of the polls that found work, in nanoseconds.
    #[must_use]
    pub fn busy_ns(&self) -> u64 {
        self.0.get(3)
    }

    /// Longest poll, in nanoseconds.
    #[must_use]
    pub fn poll_ns_max(&self) -> u64 {
        self.0.get(4)
    }

    /// Polls that took longer than their budget.
    #[must_use]
    pub fn over_budget(&self) -> u64 {
        self.0.get(5)
    }
}

/// A stage on a thread of its own.
#[derive(Debug)]
pub struct Pinned<S> {
    name: &'static str,
    thread: JoinHandle<S>,
    counters: PollCounters,
}

impl<S> Pinned<S> {
    /// Name of the stage.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What its loop counts.
    #[must_use]
    pub fn counters(&self) -> PollCounters {
        self.counters.clone()
    }

    /// Whether the stage has ended, by itself or by a panic.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the stage to end and returns it. Raise the [`StopFlag`] first unless it ends by itself.
    ///
    /// # Errors
    ///
    /// [`RunnerError::Panicked`] when the stage's thread panicked.
    pub fn join(self) -> Result<S, RunnerError> {
        let stage = self.name;
        self.thread
            .join()
            .map_err(|panic| RunnerError::Panicked { stage, reason: panic_text(panic.as_ref()) })
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// Starts `stage` on a thread of its own and returns once it is pinned, checked and past `thread_start`.
///
/// `thread_start` runs on the new thread before the first poll (DPDK's thread registration, locked memory). The thread
/// ends when `stop` is raised or the stage says that it is done, after a last housekeeping.
///
/// # Errors
///
/// [`RunnerError`] when the thread cannot be had, pinned, or `thread_start` refuses.
pub fn spawn_pinned<S, C, F>(
    stage: S,
    clock: C,
    config: PinnedConfig,
    stop: StopFlag,
    thread_start: F,
) -> Result<Pinned<S>, RunnerError>
where
    S: Stage + Send + 'static,
    C: Clock + Send + 'static,
    F: FnOnce() -> Result<(), String> + Send + 'static,
{
    let name = stage.name();
    let (reader, cells) = counters(name, POLL_COUNTERS);
    let (ready_tx, ready_rx) = mpsc::sync_channel(1);
    let body = move || {
        let started = prepare_thread(name, config.cpu, thread_start);
        let failed = started.is_err();
        // The parent waits for exactly this message, so it is there to take it.
        let _ = ready_tx.send(started);
        if failed { stage } else { PollLoop::new(stage, clock, config, stop, cells).run() }
    };
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|source| RunnerError::Spawn { stage: name, source })?;
    let started = ready_rx.recv();
    let pinned = Pinned { name, thread, counters: PollCounters(reader) };
    match started {
        Ok(Ok(())) => Ok(pinned),
        Ok(Err(why)) => Err(why),
        // The sender went without a message: the hook panicked.
        Err(_) => match pinned.join() {
            Err(why) => Err(why),
            Ok(_) => Err(RunnerError::Start { stage: name, reason: "its thread ended early".to_owned() }),
        },
    }
}

fn prepare_thread(
    stage: &'static str,
    cpu: Option<usize>,
    thread_start: impl FnOnce() -> Result<(), String>,
) -> Result<(), RunnerError> {
    if let Some(cpu) = cpu {
        pin(stage, cpu)?;
    }
    thread_start().map_err(|reason| RunnerError::Start { stage, reason })
}

/// Pins the calling thread and reads the mask back: the call's own word is not taken for it.
fn pin(stage: &'static str, wanted: usize) -> Result<(), RunnerError> {
    use rustix::thread::CpuSet;
    // Beyond the set's size the pinning call would index out of its mask.
    let _ = wanted < CpuSet::MAX_CPU && core_affinity::set_for_current(core_affinity::CoreId { id: wanted });
    read_back(stage, &[wanted])
}

/// Whether the calling thread may run on exactly these CPUs.
fn read_back(stage: &'static str, wanted: &[usize]) -> Result<(), RunnerError> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let list = |cpus: &[usize]| cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let found = match sched_getaffinity(None) {
        Ok(mask) => {
            let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&c| mask.is_set(c)).collect();
            if cpus == wanted {
                return Ok(());
            }
            list(&cpus)
        }
        Err(e) => format!("nothing readable ({e})"),
    };
    Err(RunnerError::Pin { stage, wanted: list(wanted), found })
}

/// Keeps the calling thread, and every thread it starts from here on, to `cpus` (ascending), and reads the mask back. None is
/// any: nothing is changed.
///
/// # Errors
/// [`RunnerError::Pin`], when the system does not grant exactly these.
pub fn pin_housekeeping(cpus: &[usize]) -> Result<(), RunnerError> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if cpus.is_empty() {
        return Ok(());
    }
    let mut mask = CpuSet::new();
    cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| mask.set(*cpu));
    // What it says does not matter: the mask is read back.
    let _ = sched_setaffinity(None, &mask);
    read_back("housekeeping", cpus)
}

/// Whether a thread could be pinned to `cpus`; tried on one of its own, so that nothing is changed.
///
/// # Errors
/// [`RunnerError`], as a start would have it.
pub fn try_pin(stage: &'static str, cpus: &[usize]) -> Result<(), RunnerError> {
    let cpus = cpus.to_vec();
    let tried = std::thread::spawn(move || match cpus.as_slice() {
        [one] => pin(stage, *one),
        several => pin_housekeeping(several),
    });
    tried.join().unwrap_or_else(|_| {
        Err(RunnerError::Start { stage, reason: "its trial thread ended early".to_owned() })
    })
}

/// The loop of a pinned stage.
struct PollLoop<S, C> {
    stage: S,
    clock: C,
    config: PinnedConfig,
    stop: StopFlag,
    cells: [CounterCell; POLL_COUNTERS.len()],
    jitter: u64,
}

impl<S: Stage, C: Clock> PollLoop<S, C> {
    fn new(
        stage: S,
        clock: C,
        config: PinnedConfig,
        stop: StopFlag,
        cells: [CounterCell; POLL_COUNTERS.len()],
    ) -> Self {
        // Of the name: stages get different jitter, runs the same.
        let seed = types::fnv1a(types::FNV_BASIS, stage.name().as_bytes());
        Self { stage, clock, config, stop, cells, jitter: seed | 1 }
    }

    fn run(mut self) -> S {
        let mut now = self.clock.now();
        let mut next_chores = now;
        while !self.stop.is_raised() {
            // A system clock that was set back is no reason to wait for the time that it was.
            if now >= next_chores || next_chores.since(now) > self.longest_pause() {
                self.stage.housekeep(now);
                now = self.clock.now();
                next_chores = now.plus(self.next_pause());
            }
            let work = self.stage.poll(now);
            let after = self.clock.now();
            self.count(work.items, after.since(now));
            now = match work.status {
                WorkStatus::Busy => after,
                WorkStatus::Idle => self.rest(after),
                WorkStatus::Done => break,
            };
        }
        self.stage.housekeep(self.clock.now());
        self.stage
    }

    #[inline]
    fn count(&self, items: u32, took: Nanos) {
        let [polls, busy_polls, all_items, busy_ns, poll_ns_max, over_budget] = &self.cells;
        polls.add(1);
        if items > 0 {
            busy_polls.add(1);
            all_items.add(u64::from(items));
            busy_ns.add(took.0);
        }
        if took.0 > poll_ns_max.get() {
            poll_ns_max.set(took.0);
        }
        if took > self.config.poll_budget {
            over_budget.add(1);
        }
    }

    /// Does what an idle stage does and returns the time afterwards.
    #[inline]
    fn rest(&self, now: UnixNanos) -> UnixNanos {
        match self.config.idle {
            IdlePolicy::Spin => {
                std::hint::spin_loop();
                return now;
            }
            IdlePolicy::Yield => std::thread::yield_now(),
            IdlePolicy::Sleep { us } => std::thread::sleep(Duration::from_micros(u64::from(us))),
        }
        self.clock.now()
    }

    fn longest_pause(&self) -> Nanos {
        Nanos(2 * self.config.housekeep.0.max(1))
    }

    /// Between half and one and a half times the configured pause (xorshift64).
    fn next_pause(&mut self) -> Nanos {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let pause = self.config.housekeep.0;
        Nanos(pause / 2 + self.jitter % pause.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsClock;
    use crate::ring::{LosslessTx, RingRx, RingTx, ring};
    use crate::work::Work;

    /// Produces `left` numbers, a few a poll; keeps what the ring does not take.
    struct Count {
        tx: LosslessTx<u64>,
        next: u64,
        end: u64,
    }

    impl Stage for Count {
        fn name(&self) -> &'static str {
            "count"
        }

        fn poll(&mut self, _now: UnixNanos) -> Work {
            if self.next == self.end {
                return Work::DONE;
            }
            let chunk: Vec<u64> = (self.next..self.end.min(self.next + 7)).collect();
            let sent = self.tx.offer(&chunk);
            self.next += sent as u64;
            Work { items: sent as u32, status: WorkStatus::Busy }
        }
    }

    /// Adds up what arrives.
    #[derive(Debug)]
    struct Sum {
        rx: RingRx<u64>,
        digest: u64,
        chores: u32,
        seen_at: Vec<UnixNanos>,
    }

    impl Stage for Sum {
        fn name(&self) -> &'static str {
            "sum"
        }

        fn poll(&mut self, now: UnixNanos) -> Work {
            let was_open = !self.rx.is_abandoned();
            let digest = &mut self.digest;
            let n = self.rx.drain(5, |items| {
                items.iter().for_each(|&i| *digest = digest.wrapping_mul(31).wrapping_add(i));
            });
            if n > 0 && self.seen_at.last() != Some(&now) {
                self.seen_at.push(now);
            }
            if n == 0 && !was_open { Work::DONE } else { Work::of(n as u32) }
        }

        fn housekeep(&mut self, _now: UnixNanos) {
            self.chores += 1;
        }
    }

    fn line(end: u64) -> (Count, Sum) {
        let (tx, rx): (RingTx<u64>, _) = ring(16);
        (
            Count { tx: LosslessTx::new(tx), next: 0, end },
            Sum { rx, digest: 0, chores: 0, seen_at: Vec::new() },
        )
    }

    #[test]
    fn inline_and_pinned_give_the_same_digest() {
        let (mut count, mut sum) = line(10_000);
        let at_rest = Inline::new(vec![&mut count, &mut sum]).come_to_rest(UnixNanos(1)).unwrap();
        assert_eq!((at_rest.items, at_rest.done), (20_000, false));
        assert_eq!(sum.seen_at, [UnixNanos(1)]);
        let expected = sum.digest;

        let (count, sum) = line(10_000);
        let stop = StopFlag::new();
        let config = PinnedConfig { idle: IdlePolicy::Yield, ..PinnedConfig::default() };
        let count = spawn_pinned(count, OsClock, config, stop.clone(), || Ok(())).unwrap();
        let sum = spawn_pinned(sum, OsClock, config, stop, || Ok(())).unwrap();
        let polls = count.counters();
        drop(count.join().unwrap());
        let sum = sum.join().unwrap();
        assert_eq!(sum.digest, expected);
        assert!(sum.chores > 0);
        assert_eq!(polls.items(), 10_000);
        assert!(polls.polls() >= polls.busy_polls() && polls.poll_ns_max() > 0);
        assert!((1_429..=10_000).contains(&polls.busy_polls()), "seven a poll at most");
    }

    #[test]
    fn a_stage_that_never_rests_is_named() {
        struct Restless;
        impl Stage for Restless {
            fn name(&self) -> &'static str {
                "restless"
            }
            fn poll(&mut self, _now: UnixNanos) -> Work {
                Work { items: 0, status: WorkStatus::Busy }
            }
        }
        let mut stage = Restless;
        let why = Inline::new(vec![&mut stage]).with_rounds_max(10).come_to_rest(UnixNanos(4)).unwrap_err();
        assert_eq!(why, Livelock { stage: "restless", rounds: 10, now: UnixNanos(4) });
    }

    #[test]
    fn a_stage_is_pinned_where_asked_or_not_started() {
        let (_count, sum) = line(0);
        let stop = StopFlag::new();
        let pinned_to =
            |cpu| PinnedConfig { cpu: Some(cpu), idle: IdlePolicy::Yield, ..PinnedConfig::default() };
        let first =
            (0..1024).find(|&cpu| rustix::thread::sched_getaffinity(None).is_ok_and(|mask| mask.is_set(cpu)));
        let (cpu_tx, cpu_rx) = mpsc::channel();
        let report = move || cpu_tx.send(rustix::thread::sched_getcpu()).map_err(|e| e.to_string());
        let running = spawn_pinned(sum, OsClock, pinned_to(first.unwrap()), stop.clone(), report).unwrap();
        assert_eq!(cpu_rx.recv().unwrap(), first.unwrap());
        stop.raise();
        running.join().unwrap();

        let (_count, sum) = line(0);
        let refused = spawn_pinned(sum, OsClock, pinned_to(1 << 20), StopFlag::new(), || Ok(()));
        assert!(
            matches!(&refused, Err(RunnerError::Pin { wanted, .. }) if wanted == "1048576"),
            "{refused:?}"
        );
    }

    #[test]
    fn housekeeping_threads_stay_where_they_were_put_and_a_cpu_that_is_not_there_is_an_error() {
        let mask = || {
            let mask = rustix::thread::sched_getaffinity(None).unwrap();
            (0..1024).filter(|cpu| mask.is_set(*cpu)).collect::<Vec<usize>>()
        };
        let all = mask();
        let moved = std::thread::spawn(move || {
            pin_housekeeping(&[]).unwrap();
            assert_eq!(mask(), all, "none is any");
            pin_housekeeping(&all[..1]).unwrap();
            assert_eq!(std::thread::spawn(mask).join().unwrap(), all[..1], "threads inherit it");
            let refused = pin_housekeeping(&[all[0], 1_000]);
            assert!(matches!(refused, Err(RunnerError::Pin { .. })), "{refused:?}");
            all
        });
        let all = moved.join().unwrap();
        assert_eq!(mask(), all, "this thread was not moved");
        try_pin("receiver", &all[..1]).unwrap();
        assert!(try_pin("receiver", &[1_000]).is_err());
        assert_eq!(mask(), all, "trying changes nothing");
    }

    #[test]
    fn a_refused_or_panicking_start_is_reported() {
        let start = |hook: fn() -> Result<(), String>| {
            let (_count, sum) = line(0);
            spawn_pinned(sum, OsClock, PinnedConfig::default(), StopFlag::new(), hook)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(start(|| Err("no lcore left".to_owned())), "stage sum cannot start: no lcore left");
        assert_eq!(start(|| panic!("hook broke")), "stage sum panicked: hook broke");
    }

    #[test]
    fn slow_polls_are_counted() {
        struct Slow(u32);
        impl Stage for Slow {
            fn name(&self) -> &'static str {
                "slow"
            }
            fn poll(&mut self, _now: UnixNanos) -> Work {
                self.0 += 1;
                std::thread::sleep(Duration::from_millis(2));
                match self.0 {
                    1 => Work { items: 0, status: WorkStatus::Busy },
                    4 => Work::DONE,
                    _ => Work::of(1),
                }
            }
        }
        let config = PinnedConfig { poll_budget: Nanos::MILLI, ..PinnedConfig::default() };
        let running = spawn_pinned(Slow(0), OsClock, config, StopFlag::new(), || Ok(())).unwrap();
        let counters = running.counters();
        running.join().unwrap();
        assert_eq!((counters.polls(), counters.busy_polls(), counters.over_budget()), (4, 2, 4));
        assert!(counters.poll_ns_max() >= 2_000_000);
        let most = counters.busy_polls() * counters.poll_ns_max();
        assert!((4_000_000..=most).contains(&counters.busy_ns()), "of the polls that found work alone");
    }
}
