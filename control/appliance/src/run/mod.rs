//! `portcullis run`: the daemon. Boot order: configuration, DPDK, all memory, the placement and memory table, pinned
//! stages, latches and limits, control socket. Then it only housekeeps until it is told to stop.

mod backend;
mod boot;
mod feed;
mod health;
mod latency_log;
mod notify;
mod stages;

use crate::cli;
use crate::latency::Latency;
use anyhow::{Context, Result};
pub(crate) use boot::book_limits;

use backend::LiveBackend;
use boot::{Line, Report};
use control::config::{DEFAULT_TOML, Plan, load};
use control::controller::Controller;
use control::names::{Scope, SymbolName};
use control::server::Server;
use control::stamp::Stamp;
use latency_log::LatencyLog;
use notify::Notifier;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use stage::{CalibrationError, Clock, LiveClock, TscCalibrator};
use stages::ScorerNote;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long housekeeping sleeps: a trip by the model waits at most this long for its latch.
const NAP: Duration = Duration::from_millis(2);

pub(crate) fn run(args: &cli::Run) -> Result<()> {
    if args.print_default_config {
        print!("{DEFAULT_TOML}");
        return Ok(());
    }
    let files: Vec<PathBuf> = args.config.iter().cloned().collect();
    let plan = load(&files, &args.set)?;
    let (clock, calibration) = LiveClock::best();
    let timekeeper = Timekeeper::new(calibration);
    let mut latency = Latency::default();
    if args.check {
        check(&plan)?;
    }
    let (line, report) = boot::prepare(&plan, &clock, &mut latency)?;
    print_report(&report);
    if args.check {
        return Ok(());
    }
    serve(&plan, line, &clock, timekeeper, latency)
}

/// Makes the state directory, for the first start.
pub(crate) fn init(args: &cli::Init) -> Result<()> {
    let files: Vec<PathBuf> = args.config.iter().cloned().collect();
    let plan = load(&files, &args.set)?;
    let (clock, _) = LiveClock::best();
    Controller::init(&plan, Stamp(clock.now()))?;
    println!("{} is ready; `portcullis run` may be started on it", plan.instance.state_dir.display());
    Ok(())
}

/// Tries what the control plane does at a start; the stages' part is [`boot::prepare`], which a check runs too.
fn check(plan: &Plan) -> Result<()> {
    let placement = &plan.placement;
    let stages = [
        ("receiver", placement.receiver_cpu),
        ("featurizer", placement.featurizer_cpu),
        ("scorer", placement.scorer_cpu),
    ];
    for (stage, choice) in stages {
        choice.cpu().map_or(Ok(()), |cpu| stage::try_pin(stage, &[cpu.into()]))?;
    }
    stage::try_pin("housekeeping", &housekeeping(plan))?;
    let said = Controller::check(plan)?.into_iter().chain(control::server::check(&plan.instance.socket)?);
    said.for_each(|warning| eprintln!("warning: {warning}"));
    Ok(())
}

/// The CPUs of everything that may sleep; none for any.
fn housekeeping(plan: &Plan) -> Vec<usize> {
    plan.placement.housekeeping_cpus.cpus().iter().map(|cpu| usize::from(*cpu)).collect()
}

fn print_report(report: &Report) {
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    let mut placement = comfy_table::Table::new();
    placement.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
        "stage",
        "cpu",
        "input",
        "when full",
    ]);
    placement.add_rows(report.stages.iter().map(<[String; 4]>::each_ref));
    let mut memory = comfy_table::Table::new();
    memory.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(["memory", "bytes"]);
    memory.add_rows(report.memory.iter().map(|(what, bytes)| [what.clone(), bytes.to_string()]));
    println!("{placement}\n{memory}");
    if !report.groups.is_empty() {
        let mut groups = comfy_table::Table::new();
        groups.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
            "multicast group",
            "joined by",
            "received by",
        ]);
        groups.add_rows(report.groups.iter().map(<[String; 3]>::each_ref));
        println!("{groups}");
    }
}

fn serve(
    plan: &Plan,
    line: Line,
    clock: &LiveClock,
    mut timekeeper: Timekeeper,
    latency: Latency,
) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen for signals")?;
    }
    // A terminal that closes, or an operator who expects a reload, is no reason to stop.
    let hangup = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&hangup)).context("cannot listen for signals")?;
    let wall = clock.clone();
    let time: control::controller::Clock = Arc::new(move || wall.now());
    let backend = Arc::clone(&line.backend);
    let controller =
        Arc::new(Controller::open(plan, Arc::clone(&backend) as Arc<dyn control::backend::Backend>, time)?);
    backend.open_unlatched();
    controller.warnings().iter().for_each(|w| tell(format_args!("warning: {w}")));
    let mut running = line.start(plan, clock)?;
    // The stages have their threads; this one and those it starts from here on are the ones that may sleep.
    stage::pin_housekeeping(&housekeeping(plan))?;
    let server = Server::start(Arc::clone(&controller), &plan.instance.socket)?;
    let (name, socket) = (&plan.instance.name, plan.instance.socket.display());
    drop(writeln!(std::io::stdout(), "{name} runs; control socket {socket}"));
    let mut log = LatencyLog::new(&plan.instance.state_dir, latency);
    let mut notifier = Notifier::of_environment();
    notifier.ready();
    while !stop.load(Ordering::Relaxed) {
        keep_house(&controller, &backend, &mut running);
        controller.keep().iter().for_each(tell);
        if hangup.swap(false, Ordering::Relaxed) {
            tell("SIGHUP: the configuration is read once, at start; nothing was changed");
        }
        log.write_due(clock.now()).iter().for_each(tell);
        timekeeper.keep();
        notifier.alive();
        std::thread::sleep(NAP);
    }
    notifier.stopping();
    tell("stopping: the control socket first, then the stages in their order");
    server.stop();
    tell(format_args!("{}", controller.anchor()));
    let stopped = running.stop(clock.now());
    log.write(clock.now()).iter().for_each(tell);
    stopped
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
            tell(format_args!(
                "warning: {why}; the system clock is read instead, about three times the cost per stamp"
            ));
        }
        Self { calibrator: calibration.ok(), stepped: false }
    }

    fn keep(&mut self) {
        let Some(found) = self.calibrator.as_mut().and_then(TscCalibrator::keep) else { return };
        if found.stepped && !self.stepped {
            eprintln!(
                "warning: the system clock was set by {:.3} s; the daemon's follows at a tenth of the speed of time",
                found.error_ns as f64 / 1e9
            );
        }
        self.stepped = found.stepped;
    }
}

/// Introduces what the feed defined, latches what the model tripped.
fn keep_house(controller: &Controller, backend: &LiveBackend, running: &mut boot::Running) {
    for (instrument, symbol) in running.definitions() {
        backend.define(instrument, symbol);
        if let Err(error) = controller.introduce(&Scope::Instrument(symbol.into())) {
            // Without limits of its own the instrument stays refused, which is the safe side.
            tell(format_args!("warning: {symbol} cannot be introduced and stays refused: {error}"));
        }
    }
    let mut trips: Vec<(SymbolName, String)> = Vec::new();
    for note in running.notes() {
        let symbol = backend.note(&note);
        if let (ScorerNote::Trip { score, .. }, Some(symbol)) = (&note, symbol) {
            trips.push((symbol, format!("tier critical, score {score:.3}")));
        }
    }
    if !trips.is_empty()
        && let Err(refusal) = controller.trip_by_model(&trips)
    {
        tell(format_args!("warning: a trip by the model is not latched: {}", refusal.message));
    }
    for change in running.card_changes() {
        tell(format_args!("warning: scorer: {change}"));
    }
    running.note_ended(backend);
}

/// Writes a line into the daemon's log. A terminal or a journal that has gone is no reason to stop, so nothing is said of it.
fn tell(said: impl std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "{said}"));
}
