//! `portcullis run`: the daemon. Boot order: configuration, DPDK, all memory, the placement and memory table, pinned
//! stages, latches and limits, control socket. Then it only housekeeps until it is told to stop.

mod backend;
mod boot;
mod cpus;
mod drivers;
#[cfg(test)]
mod equality;
mod feed;
mod feed_state;
mod gateways;
mod latency_log;
mod load;
mod notify;
mod of_feed;
mod orders;
mod port;
mod pulse;
mod recovery;
mod report;
mod spec;
mod stops;
mod strangers;
mod tiers;
mod trips;
mod unnamed;
mod unscored;
mod verdicts;
mod views;
mod writers;

use crate::cli;
use crate::latency::Latency;
use crate::line::notes::ScorerNote;
use crate::output;
use anyhow::{Context, Result};

use backend::LiveBackend;
use boot::Prepared;
use control::cause::one_line;
use control::config::{DEFAULT_TOML, Plan, load};
use control::controller::Controller;
use control::events::{EventLog, Events};
use control::names::Scope;
use control::server::Server;
use control::stamp::Stamp;
use cpus::housekeeping;
use drivers::named;
use gateways::{Gateways, RunningGateways};
use latency_log::LatencyLog;
use notify::Notifier;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use stage::{CalibrationError, Clock, LiveClock, TscCalibrator};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use strangers::Strangers;
use tiers::{Tiers, tier_event, why};
use trips::Trips;
use unnamed::Unnamed;
use verdicts::VerdictFile;

/// How long housekeeping sleeps: a trip by the model waits at most this long for its latch.
const NAP: Duration = Duration::from_millis(2);

/// Refused names of one turn that are told one by one.
const REFUSED_NAMES_SAID: u32 = 8;

/// How long the daemon's own gateways may take to stop: longer than each gives the venue to answer its cancels.
const GATEWAYS_STOP_MAX: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &cli::Run) -> Result<()> {
    if args.print_default_config {
        return output::say(format_args!("{}", DEFAULT_TOML.trim_end()));
    }
    let files: Vec<PathBuf> = args.config.iter().cloned().collect();
    let plan = load(&files, &args.set)?;
    boot::has_feeds(&plan)?;
    // A terminal that closes, or an operator who expects a reload, is no reason to stop, not even while booting.
    let hangup = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&hangup)).context("cannot listen for signals")?;
    let (clock, calibration) = LiveClock::best();
    let timekeeper = Timekeeper::new(calibration);
    let mut latency = Latency::default();
    if args.check {
        check(&plan)?;
    }
    let (line, report) = boot::prepare(&plan, &clock, &mut latency)?;
    let printed = report.print();
    if args.check {
        return printed;
    }
    if let Err(error) = printed {
        // A terminal, a pipe or a disk behind stdout that takes nothing is no reason not to guard orders.
        let why = one_line(error.as_ref());
        output::tell(format_args!("warning: the table of the start is not shown: {why}"));
    }
    serve(&plan, line, &clock, Kept { timekeeper, latency, hangup })
}

/// Makes the state directory, for the first start.
pub(crate) fn init(args: &cli::Init) -> Result<()> {
    let files: Vec<PathBuf> = args.config.iter().cloned().collect();
    let plan = load(&files, &args.set)?;
    let (clock, _) = LiveClock::best();
    Controller::init(&plan, Stamp(clock.now()))?;
    output::say(format_args!(
        "{} is ready; `portcullis run` may be started on it",
        plan.instance.state_dir.display()
    ))
}

/// Tries what the control plane does at a start; the stages' part is [`boot::prepare`], which a check runs too.
fn check(plan: &Plan) -> Result<()> {
    let placement = &plan.placement;
    let stages = [
        ("featurizer", placement.featurizer_cpu),
        ("scorer", placement.scorer_cpu),
        ("desk", placement.desk_cpu),
    ];
    let receivers = plan.feeds.iter().map(|feed| ("receiver", plan.receiver_cpu(feed)));
    for (stage, choice) in receivers.chain(stages) {
        choice.cpu().map_or(Ok(()), |cpu| stage::try_pin(stage, &[cpu.into()]))?;
    }
    stage::try_pin("housekeeping", &housekeeping(plan))?;
    let said = Controller::check(plan)?.into_iter().chain(control::server::check(&plan.instance.socket)?);
    let said = said.chain(Gateways::of(plan)?.0.check()?);
    let metrics = plan.ops.metrics.listen.address().map(control::metrics::check).transpose()?;
    let said = said.chain(metrics.flatten()).chain(Events::check(plan)?);
    said.for_each(|warning| output::tell(format_args!("warning: {warning}")));
    VerdictFile::check(&plan.instance.state_dir)
}

/// What the daemon keeps beside its line.
struct Kept {
    timekeeper: Timekeeper,
    latency: Latency,
    /// SIGHUP came.
    hangup: Arc<AtomicBool>,
}

fn serve(plan: &Plan, line: Prepared, clock: &LiveClock, kept: Kept) -> Result<()> {
    let Kept { mut timekeeper, latency, hangup } = kept;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen for signals")?;
    }
    let wall = clock.clone();
    let time: control::controller::Clock = Arc::new(move || wall.now());
    let backend = Arc::clone(&line.backend);
    let (gateways, views) = Gateways::of(plan)?;
    let gateways_shown = backend.gateways.set(views);
    debug_assert!(gateways_shown.is_ok(), "once a start");
    let controller = Arc::new(Controller::open(
        plan,
        Arc::clone(&backend) as Arc<dyn control::backend::Backend>,
        Arc::clone(&time),
    )?);
    let found = backend.open_orders(plan)?;
    let (tier_book, tiers_said) = controller.tiers();
    backend.open_unlatched();
    // Before anybody can attach: it is the time they go by.
    backend.say_alive();
    let mut running = line.start(plan, clock)?;
    // The stages have their threads; this one and those it starts from here on are the ones that may sleep.
    stage::pin_housekeeping(&housekeeping(plan))?;
    let events = Events::open(plan, time)?;
    let log = events.log();
    controller.tell(Arc::clone(&log));
    say(&log, tiers_said.map(|said| format!("warning: {said}")));
    say(&log, found.into_iter().chain(controller.warnings().iter().map(|w| format!("warning: {w}"))));
    let mut verdicts = VerdictFile::open(&plan.instance.state_dir)?;
    let server = Server::start(Arc::clone(&controller), &plan.instance.socket)?;
    let watch = controller.watch()?;
    let metrics = plan.ops.metrics.listen.address().map(|at| controller.serve_metrics(at)).transpose()?;
    let (name, socket) = (&plan.instance.name, plan.instance.socket.display());
    drop(writeln!(std::io::stdout(), "{name} runs; control socket {socket}"));
    let gateways = gateways.start(clock)?;
    let mut hops = LatencyLog::new(&plan.instance.state_dir, latency);
    let mut trips = Trips::default();
    let mut tiers = Tiers::new(tier_book);
    let mut strangers = Strangers::default();
    let mut notifier = Notifier::of_environment();
    if let Err(error) = notifier.ready() {
        log.say(&format!("warning: the service manager is not told that the daemon lives: {error}"));
    }
    while !stop.load(Ordering::Relaxed) {
        keep_house(&controller, &backend, &mut running, (&mut trips, &mut tiers), &log);
        say(&log, strangers.news(backend.scorer.as_ref()));
        drain_orders(&backend, &mut verdicts, &log);
        say(&log, controller.keep());
        if hangup.swap(false, Ordering::Relaxed) {
            log.say("SIGHUP: the configuration is read once, at start; nothing was changed");
        }
        say(&log, hops.write_due(clock.now(), &backend.pulse));
        timekeeper.keep(&log);
        std::thread::sleep(NAP);
    }
    notifier.stopping();
    let carried = end_gateways(gateways, || drain_orders(&backend, &mut verdicts, &log));
    log.say("stopping: the control socket first, then the stages in their order");
    server.stop();
    drop((watch, metrics));
    say(&log, tiers.end(&controller, clock.now()));
    log.say(&controller.anchor());
    end_stages(running, clock, &backend, (&mut hops, &mut verdicts), &log)?;
    carried
}

/// Stops the stages, and writes what they and the order processes said at last.
fn end_stages(
    running: boot::Running,
    clock: &LiveClock,
    backend: &LiveBackend,
    (hops, verdicts): (&mut LatencyLog, &mut VerdictFile),
    log: &EventLog,
) -> Result<()> {
    let stopped = running.stop(clock.now());
    backend.close_ports();
    say(log, hops.write(clock.now(), &backend.pulse));
    stopped?;
    drain_orders(backend, verdicts, log);
    say(log, backend.close_orders());
    // What was taken at last is logged too.
    drain_orders(backend, verdicts, log);
    Ok(())
}

/// Stops the daemon's own gateways while it still takes what they say.
///
/// # Errors
/// One that did not stop well: orders may be open.
fn end_gateways(gateways: RunningGateways, mut keep: impl FnMut()) -> Result<()> {
    gateways.stop();
    let by = Instant::now() + GATEWAYS_STOP_MAX;
    while !gateways.have_stopped() && Instant::now() < by {
        keep();
        std::thread::sleep(NAP);
    }
    gateways.join()
}

/// Takes what order processes wrote.
fn drain_orders(backend: &LiveBackend, verdicts: &mut VerdictFile, log: &EventLog) {
    backend.say_alive();
    let (lines, said) = backend.drain_orders();
    say(log, said);
    if !lines.is_empty() {
        backend.pulse.verdicts(&lines);
        say(log, verdicts.append(&lines));
    }
}

/// Tells lines of the daemon's own.
fn say(log: &EventLog, lines: impl IntoIterator<Item = String>) {
    lines.into_iter().for_each(|line| log.say(&line));
}

/// Keeps the stages' clock on the system's time.
struct Timekeeper {
    calibrator: Option<TscCalibrator>,
    /// The system clock was set, and the operator knows.
    stepped: bool,
}

impl Timekeeper {
    fn new(calibration: Result<TscCalibrator, CalibrationError>) -> Self {
        if let Err(why) = &calibration {
            output::tell(format_args!(
                "warning: {why}; the system clock is read instead, about three times the cost per stamp"
            ));
        }
        Self { calibrator: calibration.ok(), stepped: false }
    }

    fn keep(&mut self, log: &EventLog) {
        let Some(found) = self.calibrator.as_mut().and_then(TscCalibrator::keep) else { return };
        if found.stepped && !self.stepped {
            log.say(&format!(
                "warning: the system clock was set by {:.3} s; the daemon's follows at a tenth of the speed of time",
                found.error_ns as f64 / 1e9
            ));
        }
        self.stepped = found.stepped;
    }
}

/// Introduces what the feed defined, latches what the model tripped.
fn keep_house(
    controller: &Controller,
    backend: &LiveBackend,
    running: &mut boot::Running,
    (trips, tiers): (&mut Trips, &mut Tiers),
    log: &EventLog,
) {
    let now = backend.clock.now();
    // Before the definitions, which are pushed before anything is scored: whatever a note is about is known by then.
    let notes = running.notes().into_iter().chain(backend.unscored_notes());
    let mut refused = 0;
    for defined in running.definitions() {
        let symbol = defined.symbol;
        if let Some(Unnamed { why, is_news }) = backend.unnamed(&defined) {
            refused += u32::from(is_news);
            if is_news && refused <= REFUSED_NAMES_SAID {
                log.say(&format!("warning: {why}"));
            }
            continue;
        }
        if let Some(refused) = backend.define(defined) {
            log.say(&format!(
                "warning: what is declared of {symbol} is not in force, and no order may add to it: {refused}"
            ));
        }
        if let Err(error) = controller.introduce(&Scope::Instrument(symbol.into())) {
            // Without limits of its own the instrument stays refused, which is the safe side.
            log.say(&format!("warning: {symbol} cannot be introduced and stays refused: {error}"));
        }
        tiers.begin(backend, symbol.into(), log);
    }
    if let Some(more @ 1..) = refused.checked_sub(REFUSED_NAMES_SAID) {
        log.say(&format!("warning: {more} more symbols have no name of their own, for the same reasons"));
    }
    for note in notes {
        let Some(symbol) = backend.note(&note) else { continue };
        match note {
            ScorerNote::Trip { instrument, number, score } => trips.note(instrument, number, symbol, score),
            ScorerNote::Tier { tier, at, cause, drivers, .. } => {
                tiers.note(symbol, tier, cause);
                let why = why(cause, &drivers.as_ref().map_or_else(Vec::new, named));
                log.tell(tier_event(symbol, tier, at, &why, now));
            }
        }
    }
    tiers.keep(controller, now, log);
    trips.look_for_lost(backend, now);
    say(log, trips.latch(controller, backend));
    say(log, stops::latch(controller, backend));
    for change in running.card_changes() {
        log.say(&format!("warning: scorer: {change}"));
    }
    running.note_ended(backend);
}
