//! `portcullis run`: the daemon. Boot order: configuration, DPDK, all memory, the placement and memory table, pinned
//! stages, latches and limits, control socket. Then it only housekeeps until it is told to stop.

mod backend;
mod boot;
mod feed;
mod health;
mod stages;

use crate::cli;
use crate::latency::{Latency, fingerprint};
use anyhow::{Context, Result};
pub(crate) use boot::book_limits;

use backend::LiveBackend;
use boot::{Line, Report};
use control::config::{DEFAULT_TOML, Plan, load};
use control::controller::Controller;
use control::names::{Scope, SymbolName};
use control::server::Server;
use signal_hook::consts::{SIGINT, SIGTERM};
use stage::{CalibrationError, Clock, HistLog, LiveClock, TscCalibrator};
use stages::ScorerNote;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use types::UnixNanos;

/// How long housekeeping sleeps: a trip by the model waits at most this long for its latch.
const NAP: Duration = Duration::from_millis(2);

/// How often histograms are written.
const INTERVAL: Duration = Duration::from_secs(1);

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
    let (line, report) = boot::prepare(&plan, &clock, &mut latency)?;
    print_report(&report);
    if args.check {
        return Ok(());
    }
    serve(&plan, line, &clock, timekeeper, latency)
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
    let wall = clock.clone();
    let time: control::controller::Clock = Arc::new(move || wall.now());
    let backend = Arc::clone(&line.backend);
    let controller =
        Arc::new(Controller::open(plan, Arc::clone(&backend) as Arc<dyn control::backend::Backend>, time)?);
    backend.open_unlatched();
    controller.warnings().iter().for_each(|w| eprintln!("warning: {w}"));
    let server = Server::start(Arc::clone(&controller), &plan.instance.socket)?;
    let mut running = line.start(plan, clock)?;
    println!("{} runs; control socket {}", plan.instance.name, plan.instance.socket.display());
    let mut log = Log::begin(plan, clock.now(), latency)?;
    while !stop.load(Ordering::Relaxed) {
        keep_house(&controller, &backend, &mut running);
        log.write_due()?;
        timekeeper.keep();
        std::thread::sleep(NAP);
    }
    eprintln!("stopping: the control socket first, then the stages in their order");
    server.stop();
    running.stop(clock.now())?;
    log.finish()
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
            eprintln!(
                "warning: {why}; the system clock is read instead, about three times the cost per stamp"
            );
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
            eprintln!("warning: {symbol} cannot be introduced and stays refused: {error}");
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
        eprintln!("warning: a trip by the model is not latched: {}", refusal.message);
    }
    for change in running.card_changes() {
        eprintln!("warning: scorer: {change}");
    }
    running.note_ended(backend);
}

/// The daemon's latency.hlog, an interval a second.
struct Log {
    out: HistLog<BufWriter<File>>,
    latency: Latency,
    due: Instant,
}

impl Log {
    fn begin(plan: &Plan, now: UnixNanos, latency: Latency) -> Result<Self> {
        let path = plan.instance.state_dir.join("latency.hlog");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let out = HistLog::begin(BufWriter::new(file), now, &fingerprint())?;
        Ok(Self { out, latency, due: Instant::now() + INTERVAL })
    }

    fn write_due(&mut self) -> Result<()> {
        if Instant::now() < self.due {
            return Ok(());
        }
        self.due += INTERVAL;
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        self.latency.collect();
        for (hop, from, to, histogram) in self.latency.take() {
            self.out.write(hop, from, to, &histogram)?;
        }
        Ok(self.out.flush()?)
    }

    fn finish(mut self) -> Result<()> {
        self.write()?;
        self.out.finish()?;
        Ok(())
    }
}
