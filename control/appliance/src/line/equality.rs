//! The live configuration gives what a replay gives: the topology that `run` builds, with its overflow rules, its batching, and
//! its stages writing the gate's tables themselves, here polled on one thread by a clock that is moved from event to event.

use super::gate_tables::{CLASS, Listens};
use super::health::{Channels, FeedHealth};
use super::names::NameTable;
use super::notes::{Defined, ScorerCommand, ScorerNote};
use super::order_file::OrderFile;
use super::order_source::{Arrival, OrderSource};
use super::spec::{DeskSpec, LineSpec, Pace, ScorerSpec};
use super::topology::{self, ControlEnds};
use super::verdict_log::{VerdictLog, VerdictSheet};
use crate::cli::{Cli, Command, Replay};
use crate::feeds::{AnyFeed, feed_config};
use crate::orders::{self, OrderRow};
use crate::output::OutputDir;
use clap::Parser;
use control::config::{Plan, load};
use dataplane::source::{Layer, Packet, SourceStatus};
use dataplane::{FeedConfig, FileOptions, FileSource, PacketSource, SourceError, open_files};
use featurizer::features::GRID_NS;
use gate::{Breaker, BreakerCause, BreakerKey, BreakerState, Permission, RefReader, StaticTerms, Verdict};
use gpu::Model;
use stage::{Inline, LiveClock, RingTx, Stage, WorkStatus, ring};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use types::{BookEvent, Qty, UnixNanos};

const TABLES: [&str; 5] = ["bbo.csv", "features.parquet", "scores.csv", "limits.csv", "verdicts.csv"];

/// A capture whose next stamp is known before it is read.
struct Ahead {
    packets: Vec<(Vec<u8>, UnixNanos, Layer, u64)>,
    next: usize,
    due: Arc<AtomicU64>,
}

impl Ahead {
    fn read(path: &Path, due: &Arc<AtomicU64>) -> Self {
        let mut source = FileSource::open_all(&[path.to_owned()], FileOptions::default()).unwrap();
        let mut packets = Vec::new();
        let mut keep = |p: Packet<'_>| {
            packets.push((p.bytes.to_vec(), p.ts, p.layer, p.offset));
            true
        };
        while source.next_burst(64, &mut keep).unwrap() != SourceStatus::End {}
        due.store(packets[0].1.0, Ordering::Relaxed);
        Self { packets, next: 0, due: Arc::clone(due) }
    }
}

impl PacketSource for Ahead {
    fn next_burst(
        &mut self,
        _max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        let Some((bytes, ts, layer, offset)) = self.packets.get(self.next) else {
            return Ok(SourceStatus::End);
        };
        self.next += 1;
        if let Some((_, next, ..)) = self.packets.get(self.next) {
            self.due.store(next.0, Ordering::Relaxed);
        }
        sink(Packet { bytes, ts: *ts, layer: *layer, offset: *offset });
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        "ahead"
    }
}

/// The orders of a file, held back until the clock has passed them.
struct Held {
    file: OrderFile,
    horizon: Arc<AtomicU64>,
}

impl OrderSource for Held {
    fn define(&mut self, defined: Defined) {
        self.file.define(defined);
    }

    fn next(&mut self, until: UnixNanos) -> Option<Arrival> {
        self.file.next(until.min(UnixNanos(self.horizon.load(Ordering::Relaxed))))
    }

    fn judged(&mut self, verdict: &Verdict, sent: bool, market: &RefReader) {
        self.file.judged(verdict, sent, market);
    }

    fn market_moved(&mut self, now: UnixNanos, market: &RefReader) {
        self.file.market_moved(now, market);
    }
}

/// The line that `run` builds, with files, and its control ends.
struct Live<'a> {
    plan: &'a Plan,
    line: topology::Line<()>,
    control: ControlEnds,
    log: VerdictLog,
    horizon: Arc<AtomicU64>,
    rows: Arc<[OrderRow]>,
    judged: usize,
}

impl Live<'_> {
    /// Polls every stage until none has work, and does the cold thread's part.
    fn come_to_rest(&mut self, now: UnixNanos) {
        let topology::Line { books, scorer, desk } = &mut self.line;
        let mut stages: Vec<&mut dyn Stage> = vec![books];
        stages.extend(scorer.as_mut().map(|s| s as &mut dyn Stage));
        stages.push(desk);
        stages.push(&mut self.log);
        Inline::new(stages).come_to_rest(now).unwrap();
        let ControlEnds { definitions, statics, breakers, commands, notes, .. } = &mut self.control;
        let mut named: Vec<Defined> = Vec::new();
        definitions.drain(usize::MAX, |new| named.extend_from_slice(new));
        for Defined { instrument, symbol } in named {
            let envelope = self.plan.limits.envelope(symbol.into());
            let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
            statics.publish(instrument, CLASS, envelope, &terms, now).unwrap();
            assert_eq!(commands.send(&[ScorerCommand::Envelope { instrument, envelope: *envelope }]), 1);
        }
        let mut told: Vec<ScorerNote> = Vec::new();
        notes.iter_mut().for_each(|ring| _ = ring.drain(usize::MAX, |new| told.extend_from_slice(new)));
        for note in told {
            if let ScorerNote::Trip { instrument, number, .. } = note {
                let latched =
                    Breaker { state: BreakerState::Tripped, cause: BreakerCause::Model, episode: 1 };
                breakers.set(BreakerKey::Instrument(instrument), latched).unwrap();
                breakers.take_trips(instrument, number).unwrap();
            }
        }
    }

    /// Moves the clock to every order before `until`.
    fn judge_before(&mut self, until: UnixNanos) {
        let rows = Arc::clone(&self.rows);
        while let Some(row) = rows.get(self.judged).filter(|row| row.ts < until) {
            self.judged += 1;
            self.horizon.store(row.ts.0 + 1, Ordering::Relaxed);
            self.come_to_rest(row.ts);
        }
    }
}

fn arguments(input: &Path, feed: &str, orders: &Path, out: &Path, config: Option<&Path>) -> Replay {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let tables = "bbo,features,scores,limits,verdicts";
    let mut args: Vec<String> =
        ["portcullis", "replay", "--feed", feed, "--write", tables, "--score-latency-us", "0"]
            .map(str::to_owned)
            .to_vec();
    args.extend([text(input), "--orders".into(), text(orders), "--out".into(), text(out)]);
    args.extend(config.map(|path| ["--config".to_owned(), text(path)]).into_iter().flatten());
    match Cli::parse_from(args).command {
        Command::Replay(args) => args,
        other => panic!("{other:?}"),
    }
}

/// Runs `args` on the live line.
fn run_live(args: &Replay, live_source: bool) {
    let plan = load(args.config.as_slice(), &[]).unwrap();
    let model = Model::shipped().unwrap();
    let rows: Arc<[OrderRow]> = orders::read(args.orders.as_ref().unwrap()).unwrap().into();
    let mut out = OutputDir::create(&args.out).unwrap();
    let (files, verdicts) = crate::replay::create_outputs(args, &mut out).unwrap();
    let config = FeedConfig { burst_max: 1, ..feed_config(&plan, args.feed) };
    let (events_tx, mut received) = topology::event_ring(&plan, Pace::Live, !live_source);
    assert_eq!(events_tx.is_live(), live_source);
    let due = Arc::new(AtomicU64::new(0));
    let mut feed: AnyFeed = if live_source {
        let source = Ahead::read(&args.inputs[0], &due);
        dataplane::receive("receiver", source, &config, events_tx, None, None).unwrap()
    } else {
        open_files("receiver", &args.inputs, &config, FileOptions::default(), events_tx, None).unwrap()
    };
    let horizon = Arc::new(AtomicU64::new(0));
    let (strategies, accounts) = NameTable::of(&rows).counts();
    let held = Held { file: OrderFile::new(Arc::clone(&rows)), horizon: Arc::clone(&horizon) };
    let desk = DeskSpec {
        accounts: u16::try_from(accounts.max(1)).unwrap(),
        strategies: u16::try_from(strategies.max(1)).unwrap(),
        listens: Listens::to_model(&plan),
        source: Some(Box::new(held)),
        route: None,
        measured: false,
        shared: false,
    };
    let mut latency = crate::latency::Latency::default();
    let spec = LineSpec {
        plan: &plan,
        pace: Pace::Live,
        clock: LiveClock::Os(stage::OsClock),
        scorer: Some(ScorerSpec { model: &model, scorer: crate::scorer::open(&plan, &model).unwrap() }),
        channels: Channels::new(1, FeedHealth::default()),
        files,
        desks: vec![desk],
        observer: (),
        screen: false,
        latency: &mut latency,
    };
    let (mut events, line_rx) = ring::<BookEvent>(64);
    let (line, mut ends) = topology::build(spec, line_rx).unwrap();
    let mut control = ends.control.take().unwrap();
    control.breakers.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
    let file = VerdictSheet { sheet: verdicts.unwrap(), orders: Arc::clone(&rows) };
    let log = topology::verdict_log(ends.verdicts.remove(0), Some(file));
    let mut live = Live { plan: &plan, line, control, log, horizon, rows, judged: 0 };
    let mut clock = UnixNanos(0);
    let mut ended = false;
    while !ended {
        let now = if live_source { UnixNanos(due.load(Ordering::Relaxed)) } else { feed.replay_time() };
        ended = feed.poll(now).status == WorkStatus::Done;
        clock = play(&mut live, &mut received, &mut events, clock);
    }
    assert!(feed.take_error().is_none());
    // The input ends with the running grid step.
    let end = UnixNanos(clock.0.div_ceil(GRID_NS) * GRID_NS);
    live.judge_before(end);
    drop(events);
    live.come_to_rest(end);
    live.judge_before(UnixNanos(u64::MAX));
    let Live { line, log, .. } = live;
    line.books.finish().into_parts().1.finish_files().unwrap();
    line.scorer.unwrap().finish().finish_files().unwrap();
    log.finish().unwrap();
    out.commit().unwrap();
}

/// Lets every event that was received through, each at its moment; gives the clock after the last.
fn play(
    live: &mut Live<'_>,
    received: &mut stage::RingRx<BookEvent>,
    events: &mut RingTx<BookEvent>,
    mut clock: UnixNanos,
) -> UnixNanos {
    let mut chunk = [BookEvent::EMPTY; 64];
    loop {
        let n = received.recv(&mut chunk);
        for event in &chunk[..n] {
            let at = clock.max(event.ts_event);
            live.judge_before(at);
            clock = at;
            assert_eq!(events.send(&[*event]), 1);
            live.come_to_rest(clock);
        }
        if n == 0 {
            return clock;
        }
    }
}

/// Replays `input`, runs it live, and compares; gives the number of lines of each table but the features.
fn assert_equal(
    input: &Path,
    feed: &str,
    orders: &Path,
    config: Option<&Path>,
    live_source: bool,
) -> [usize; 4] {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    crate::replay::run(&arguments(input, feed, orders, a.path(), config)).unwrap();
    run_live(&arguments(input, feed, orders, b.path(), config), live_source);
    for table in TABLES {
        let (replayed, lived) = (tests::table_bytes(a.path(), table), tests::table_bytes(b.path(), table));
        if replayed != lived {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (replayed, lived) = (text(&replayed), text(&lived));
            let differs = replayed.lines().zip(lived.lines()).find(|(x, y)| x != y);
            panic!(
                "{table} differs ({} and {} bytes), replayed and live first in {differs:?}",
                replayed.len(),
                lived.len()
            );
        }
    }
    ["bbo.csv", "scores.csv", "limits.csv", "verdicts.csv"]
        .map(|table| tests::table_bytes(a.path(), table).iter().filter(|b| **b == b'\n').count())
}

/// Orders that cross and orders that rest, at and between the quotes of a capture.
fn make_orders(input: &Path, feed: &str, dir: &Path, every: usize) -> PathBuf {
    let empty = dir.join("none.csv");
    let header = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n";
    std::fs::write(&empty, header).unwrap();
    let out = dir.join("quotes");
    crate::replay::run(&arguments(input, feed, &empty, &out, None)).unwrap();
    let quotes = std::fs::read_to_string(out.join("bbo.csv")).unwrap();
    let mut text = header.to_owned();
    let mut last = 0;
    for (n, line) in quotes.lines().skip(1).step_by(every).enumerate() {
        let row: Vec<&str> = line.split(',').collect();
        let (ts, symbol, bid, ask) = (row[0].parse::<u64>().unwrap(), row[2], row[3], row[5]);
        // At the quote's own time, a nanosecond after it, and a while after it.
        last = last.max(ts + [0, 1, 700_000_000][n % 3]);
        let (side, px) = [("buy", ask), ("buy", bid), ("sell", ask), ("sell", bid)][n % 4];
        if !px.is_empty() {
            text += &format!("{last},o{n},A,s{},{symbol},{side},{},{px},limit,day\n", n % 2, 10 + n % 90);
        }
    }
    let path = dir.join("orders.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn simulated(name: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let written = simulator::Scenario::build(name, &simulator::Options::default()).unwrap();
    let written = written.write(dir.path()).unwrap();
    (dir, written.pcap, written.orders)
}

#[test]
fn the_flash_crash_is_the_same_live() {
    let (dir, pcap, orders) = simulated("flash-crash");
    let config = dir.path().join("demo.toml");
    std::fs::write(&config, include_str!("../demo.toml")).unwrap();
    let [bbo, scores, limits, verdicts] = assert_equal(&pcap, "itch50", &orders, Some(&config), true);
    assert!(
        bbo > 10_000 && scores > 1_000 && limits > 8 && verdicts > 20,
        "{bbo} {scores} {limits} {verdicts}"
    );
}

#[test]
fn lost_packets_are_the_same_live() {
    let (_dir, pcap, orders) = simulated("feed-gap");
    let [bbo, scores, limits, verdicts] = assert_equal(&pcap, "itch50", &orders, None, true);
    assert!(bbo > 1_000 && scores > 500 && limits > 8 && verdicts > 5, "{bbo} {scores} {limits} {verdicts}");
}

#[test]
fn the_real_captures_are_the_same_live() {
    // Files without packets have no clock of a port: there the live source is left out.
    for (name, feed, every, live) in [
        ("itch/12302019_SNIPPET.NASDAQ_ITCH50", "itch50", 3, false),
        ("iex/DEEP10_20231002_0734.pcap.gz", "deep", 20, true),
        ("iex/TOPS16.pcapng.gz", "tops", 20, true),
        ("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip", "lobster", 40, false),
        ("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip", "lobster", 400, false),
    ] {
        let Some(input) = tests::real_data(name) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let orders = make_orders(&input, feed, dir.path(), every);
        let [bbo, _, _, verdicts] = assert_equal(&input, feed, &orders, None, live);
        assert!(bbo > 50 && verdicts > 10, "{name}: {bbo} {verdicts}");
    }
}
