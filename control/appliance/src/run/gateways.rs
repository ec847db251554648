//! Gateways that run in the daemon: each is a thread of its own, which attaches over the control socket like any other order
//! process and runs the code of `portcullis gateway`.

use crate::gateway::{Carrier, Setup, carry_orders};
use crate::output::tell;
use anyhow::{Context, Result};
use control::cause::one_line;
use control::config::{Gateway as Declared, Plan};
use control::names::Name;
use control::protocol::{GatewayDown, GatewayStatus};
use control::stamp::Stamp;
use stage::{Clock, CounterCell, CounterReader, LiveClock, counters};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use types::UnixNanos;

/// What `status` shows of each, in this order.
const COUNTERS: [&str; 4] = ["running", "open_orders", "lost_records", "restarts"];

/// How often it is counted anew.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// The pause after which a gateway that ended by a fault is opened again, and the steps in which it is waited for.
const OPEN_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(20));

/// Why a gateway does not run, while it does not.
type Down = Arc<Mutex<Option<GatewayDown>>>;

/// What the daemon reads of its gateways.
pub(super) struct GatewayViews(Vec<(Name, CounterReader, Down)>);

impl GatewayViews {
    /// What each counts, for `status`.
    pub(super) fn standings(&self) -> impl Iterator<Item = (String, BTreeMap<String, u64>)> {
        self.0.iter().map(|(name, counters, _)| {
            let all = counters.iter().map(|(counter, value)| (counter.to_owned(), value)).collect();
            (format!("gateway {name}"), all)
        })
    }

    /// Which of them run, and why the others do not.
    pub(super) fn states(&self) -> impl Iterator<Item = GatewayStatus> {
        let state = |(name, _, down): &(Name, CounterReader, Down)| GatewayStatus {
            name: name.to_string(),
            down: lock(down).clone(),
        };
        self.0.iter().map(state)
    }
}

fn lock(down: &Down) -> MutexGuard<'_, Option<GatewayDown>> {
    // Whole after every statement.
    down.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gateways of the plan that are to run here, not running.
pub(super) struct Gateways {
    hosted: Vec<Hosted>,
    stop: Arc<AtomicBool>,
}

/// The running ones.
pub(super) struct RunningGateways {
    threads: Vec<(Name, JoinHandle<Result<()>>)>,
    stop: Arc<AtomicBool>,
}

impl Gateways {
    /// Reads what each needs: passwords, names, places.
    ///
    /// # Errors
    /// What cannot be read, and what was wanted.
    pub(super) fn of(plan: &Plan) -> Result<(Self, GatewayViews)> {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut hosted, mut views) = (Vec::new(), Vec::new());
        for declared in plan.gateways.iter().filter(|gateway| gateway.in_daemon) {
            let (view, cells) = counters("gateway", COUNTERS);
            let setup = Setup::of(plan, declared).with_context(|| format!("gateway {}", declared.name))?;
            let down = Down::default();
            views.push((declared.name.clone(), view, Arc::clone(&down)));
            let (declared, stop) = (declared.clone(), Arc::clone(&stop));
            hosted.push(Hosted { declared, setup, cells, stop, down });
        }
        Ok((Self { hosted, stop }, GatewayViews(views)))
    }

    /// Tries what each needs of this host: its CPU, and its port, which a daemon that runs already may have. Gives what is to be told.
    ///
    /// # Errors
    /// A CPU that cannot be had.
    pub(super) fn check(&self) -> Result<Vec<String>> {
        self.try_cpus()?;
        let refused = |hosted: &Hosted| {
            let Declared { name, listen, .. } = &hosted.declared;
            let error = TcpListener::bind(listen).err()?;
            Some(format!("gateway {name}: the port {listen} cannot be listened on now: {error}"))
        };
        Ok(self.hosted.iter().filter_map(refused).collect())
    }

    fn try_cpus(&self) -> Result<()> {
        let mut cpus = self.hosted.iter().filter_map(|hosted| hosted.declared.cpu.cpu());
        cpus.try_for_each(|cpu| Ok(stage::try_pin("gateway", &[cpu.into()])?))
    }

    /// Gives each its thread. The control socket is open by now.
    ///
    /// # Errors
    /// A CPU or a thread that cannot be had.
    pub(super) fn start(self, clock: &LiveClock) -> Result<RunningGateways> {
        self.try_cpus()?;
        let spawn = |hosted: Hosted| {
            let (name, clock) = (hosted.declared.name.clone(), clock.clone());
            let thread =
                std::thread::Builder::new().name(format!("gw-{name}")).spawn(move || hosted.run(&clock));
            Ok((name, thread.context("no thread for a gateway")?))
        };
        let threads = self.hosted.into_iter().map(spawn).collect::<Result<_>>()?;
        Ok(RunningGateways { threads, stop: self.stop })
    }
}

impl RunningGateways {
    /// Begins to stop all: no order passes any more, open ones are cancelled where that is configured.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether all have stopped.
    pub(super) fn have_stopped(&self) -> bool {
        self.threads.iter().all(|(_, thread)| thread.is_finished())
    }

    /// Those that have stopped are joined; one that has not is left to the end of the process.
    ///
    /// # Errors
    /// The first that did not stop well.
    pub(super) fn join(self) -> Result<()> {
        let mut outcome = Ok(());
        for (name, thread) in self.threads {
            let joined = if thread.is_finished() {
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked")))
            } else {
                Err(anyhow::anyhow!("it did not stop in time"))
            };
            outcome = outcome.and(joined.with_context(|| format!("gateway {name}")));
        }
        outcome
    }
}

/// One gateway on its way to a thread.
struct Hosted {
    declared: Declared,
    setup: Setup,
    cells: [CounterCell; COUNTERS.len()],
    stop: Arc<AtomicBool>,
    down: Down,
}

impl Hosted {
    fn is_told_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Carries orders until it is told to stop; a fault ends it, and it is opened again, as an init system would.
    fn run(self, clock: &LiveClock) -> Result<()> {
        let [_, _, _, restarts] = &self.cells;
        let mut said = String::new();
        self.note_down(clock.now(), "it waits to be attached (the daemon's log says what for)".to_owned());
        loop {
            let outcome = self.carry();
            self.publish(None);
            if self.is_told_to_stop() {
                return outcome;
            }
            let Err(error) = outcome else { return Ok(()) };
            let why = one_line(error.as_ref());
            self.note_down(clock.now(), why.clone());
            let why = format!("warning: gateway {} ended and is opened again: {why}", self.declared.name);
            // However often it ends in the same way; `status` counts.
            if said != why {
                tell(&why);
                said = why;
            }
            restarts.add(1);
            let again = Instant::now() + OPEN_AGAIN.0;
            while Instant::now() < again && !self.is_told_to_stop() {
                std::thread::sleep(OPEN_AGAIN.1);
            }
        }
    }

    /// It does not run, since now unless it did not before.
    fn note_down(&self, now: UnixNanos, why: String) {
        let mut down = lock(&self.down);
        let since = down.as_ref().map_or(Stamp(now), |down| down.since);
        *down = Some(GatewayDown { since, why });
    }

    fn carry(&self) -> Result<()> {
        let mut counted = Instant::now();
        carry_orders(&self.declared, &self.setup, |carrier| {
            if counted.elapsed() >= COUNT_EVERY {
                counted = Instant::now();
                self.publish(carrier);
            }
            self.is_told_to_stop()
        })
    }

    fn publish(&self, carrier: Option<&dyn Carrier>) {
        let [running, open_orders, lost_records, _] = &self.cells;
        let (open, lost) = carrier.map_or((0, 0), Carrier::open_and_lost);
        running.set(carrier.is_some().into());
        if carrier.is_some() {
            *lock(&self.down) = None;
        }
        open_orders.set(open as u64);
        lost_records.set(lost);
    }
}
