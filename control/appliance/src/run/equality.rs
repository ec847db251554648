//! The live configuration gives what a replay gives: the line that `run` builds of a configuration with a feed and a client, with its
//! overflow rules, its batching, its tables in shared memory and its stages writing them, here polled on one thread by a clock that is
//! moved from event to event. The source, the clock, the runner and the sinks are the test's; everything else is `run`'s own.

use super::feed::receiver_config;
use super::spec::{Parts, line_feed, line_of, model_of};
use super::writers::Writers;
use crate::cli::{Cli, Command, Replay};
use crate::latency::Latency;
use crate::line::ends::{ControlEnds, Line, Received};
use crate::line::health::FeedHealth;
use crate::line::notes::{Defined, ScorerNote};
use crate::line::order_file::OrderFile;
use crate::line::order_source::{Arrival, OrderSource};
use crate::line::spec::{LineFiles, Pace};
use crate::line::topology;
use crate::line::verdict_log::{VerdictLog, VerdictSheet};
use crate::orders::{self, OrderRow};
use crate::output::OutputDir;
use crate::tables::Sheet;
use clap::Parser;
use control::config::{Plan, load};
use dataplane::source::{Layer, Packet, SourceStatus};
use dataplane::{FeedConfig, FileOptions, FileSource, ItchFraming, PacketSource, SourceError};
use featurizer::features::GRID_NS;
use gate::{Breaker, BreakerCause, BreakerKey, BreakerState, RefReader, Verdict};
use simulator::PcapWriter;
use stage::{Inline, LiveClock, OsClock, RingRx, RingTx, Stage, WorkStatus, ring};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use types::{BookEvent, FeedInput, FeedKind, UnixNanos};
use wire::IntoBytes;
use wire::frame::UdpPath;
use wire::mdp3;

const TABLES: [&str; 5] = ["bbo.csv", "features.parquet", "scores.csv", "limits.csv", "verdicts.csv"];

/// A capture whose next stamp is known before it is read.
struct Ahead {
    packets: Vec<(Vec<u8>, UnixNanos, Layer, u64)>,
    next: usize,
    due: Arc<AtomicU64>,
}

impl Ahead {
    fn read(paths: &[PathBuf], due: &Arc<AtomicU64>) -> Self {
        let mut source = FileSource::open_all(paths, FileOptions::default()).unwrap();
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

/// The line that `run` builds, with files, and what its cold thread has of it.
struct Live<'a> {
    plan: &'a Plan,
    line: Line<()>,
    writers: Writers,
    definitions: RingRx<Defined>,
    notes: Vec<RingRx<ScorerNote>>,
    /// Words of the officer so far.
    version: u32,
    log: VerdictLog,
    horizon: Arc<AtomicU64>,
    rows: Arc<[OrderRow]>,
    judged: usize,
}

impl<'a> Live<'a> {
    /// The line that `run` specifies for `plan`, with these files, behind `events`; its orders are `rows`.
    fn build(
        plan: &'a Plan,
        rows: &Arc<[OrderRow]>,
        (files, verdicts): (LineFiles, Option<Sheet>),
        events: RingRx<BookEvent>,
    ) -> Self {
        let model = model_of(plan).unwrap();
        let (mut latency, clock) = (Latency::default(), LiveClock::Os(OsClock));
        let (cards, _) = topology::card_ring(plan);
        let parts = Parts { model: model.as_ref(), clock: &clock, cards };
        let (mut spec, warning) = line_of(plan, parts, &mut latency).unwrap();
        assert_eq!(warning, None);
        let horizon = Arc::new(AtomicU64::new(0));
        let held = Held { file: OrderFile::new(Arc::clone(rows)), horizon: Arc::clone(&horizon) };
        spec.files = files;
        spec.desks[0].source = Some(Box::new(held));
        let feed = line_feed(plan, &plan.feeds[0], events, FeedHealth::default());
        let (line, mut ends) = topology::build(spec, vec![feed]).unwrap();
        let file = VerdictSheet { sheet: verdicts.unwrap(), orders: Arc::clone(rows) };
        let log = topology::verdict_log(ends.verdicts.remove(0), Some(file));
        let ControlEnds { statics, declared, breakers, commands, definitions, notes, shared, .. } =
            ends.control.take().unwrap();
        assert!(shared.is_some(), "order processes read the tables");
        let mut writers = Writers { statics, declared, breakers, commands };
        writers.open_unlatched();
        let rows = Arc::clone(rows);
        Self { plan, line, writers, definitions, notes, version: 0, log, horizon, rows, judged: 0 }
    }

    /// Polls every stage until none has work, and does the cold thread's part.
    fn come_to_rest(&mut self, now: UnixNanos) {
        let Line { books, scorer, desk } = &mut self.line;
        let mut stages: Vec<&mut dyn Stage> = vec![books];
        stages.extend(scorer.as_mut().map(|s| s as &mut dyn Stage));
        stages.push(desk);
        stages.push(&mut self.log);
        Inline::new(stages).come_to_rest(now).unwrap();
        let Self { plan, writers, definitions, notes, version, .. } = self;
        let mut named: Vec<Defined> = Vec::new();
        definitions.drain(usize::MAX, |new| named.extend_from_slice(new));
        for defined in named {
            writers.declared.define(defined).unwrap();
            let Defined { instrument, symbol, .. } = defined;
            *version += 1;
            let envelope = plan.limits.envelope(symbol.into());
            assert!(writers.set_limits((instrument, symbol), envelope, *version, now).unwrap());
        }
        let mut told: Vec<ScorerNote> = Vec::new();
        notes.iter_mut().for_each(|ring| _ = ring.drain(usize::MAX, |new| told.extend_from_slice(new)));
        for note in told {
            if let ScorerNote::Trip { instrument, number, .. } = note {
                let latched =
                    Breaker { state: BreakerState::Tripped, cause: BreakerCause::Model, episode: 1 };
                writers.breakers.set(BreakerKey::Instrument(instrument), latched).unwrap();
                writers.breakers.take_trips(instrument, number).unwrap();
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

/// What is replayed and run live.
#[derive(Clone, Copy)]
struct Case<'a> {
    /// The first is what messages call it by.
    inputs: &'a [PathBuf],
    feed: FeedKind,
    orders: &'a Path,
    config: Option<&'a Path>,
    /// Whether the live line reads packets as from a port, and not a file.
    from_port: bool,
    /// Whether lengths before messages are not believed.
    lenient: bool,
}

impl Case<'_> {
    /// The command that replays it into `out`.
    fn replay(&self, out: &Path) -> Replay {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let tables = "bbo,features,scores,limits,verdicts";
        let mut args: Vec<String> = [
            "portcullis",
            "replay",
            "--feed",
            self.feed.as_str(),
            "--write",
            tables,
            "--score-latency-us",
            "0",
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(self.inputs.iter().map(|input| text(input)));
        args.extend(["--orders".into(), text(self.orders), "--out".into(), text(out)]);
        args.extend(self.config.map(|path| ["--config".to_owned(), text(path)]).into_iter().flatten());
        args.extend(self.lenient.then(|| "--lenient-framing".to_owned()));
        let Command::Replay(args) = Cli::parse_from(args).command else { panic!("no replay") };
        args
    }

    /// The daemon's configuration: the replay's, with the feed, and with a client that may do what `rows` do.
    fn plan(&self, dir: &Path, rows: &[OrderRow]) -> Plan {
        // A client has one of each at least, also where nobody trades.
        let names = |of: fn(&OrderRow) -> &str, none: &'static str| -> Vec<String> {
            let all: BTreeSet<&str> = rows.iter().map(of).collect();
            if all.is_empty() { vec![none.to_owned()] } else { all.into_iter().map(str::to_owned).collect() }
        };
        let accounts = names(|row| &row.account, "A");
        let strategies = names(|row| &row.strategy, "s0");
        // No port carries an archive: the line is that of a daemon which receives ITCH.
        let kind = match self.feed.input() {
            FeedInput::Packets => self.feed,
            FeedInput::Archive => FeedKind::Itch50,
        };
        let mut text = format!(
            "[[feed]]\nname = \"live\"\nkind = {:?}\nsource = \"file:{}\"\n\
             [client.desk]\nuser = \"root\"\naccounts = {accounts:?}\nstrategies = {strategies:?}\n",
            kind.as_str(),
            self.inputs[0].display()
        );
        accounts.iter().for_each(|name| text += &format!("[account.{name}]\n"));
        strategies.iter().for_each(|name| text += &format!("[strategy.{name}]\n"));
        let file = dir.join("live.toml");
        std::fs::write(&file, text).unwrap();
        let files: Vec<PathBuf> = self.config.map(Path::to_owned).into_iter().chain([file]).collect();
        load(&files, &[]).unwrap()
    }

    /// Its receiver in the daemon of `plan`, one packet a poll, and when the next is due where packets come as from a port.
    fn receive(&self, args: &Replay, plan: &Plan) -> (Received, Arc<AtomicU64>) {
        let line = (plan, Pace::Live);
        let mut feed = plan.feeds[0].clone();
        feed.kind = args.feed;
        let config = FeedConfig { burst_max: 1, ..receiver_config(plan, &feed) };
        let due = Arc::new(AtomicU64::new(0));
        let received = if self.from_port {
            topology::receive_packets(line, Ahead::read(self.inputs, &due), &config, None, None)
        } else {
            let framing = if self.lenient { ItchFraming::TypeDriven } else { ItchFraming::LengthPrefixed };
            let options = FileOptions { itch_framing: framing };
            topology::receive_files(line, (&args.inputs, options), &config, None)
        };
        (received.unwrap(), due)
    }

    /// Runs it on the live line, with the files of a replay into `out`.
    fn run_live(&self, out: &Path) {
        let args = self.replay(out);
        let rows: Arc<[OrderRow]> = orders::read(self.orders).unwrap().into();
        let plan_dir = tempfile::tempdir().unwrap();
        let plan = self.plan(plan_dir.path(), &rows);
        let mut out = OutputDir::create(out).unwrap();
        let outputs = crate::replay::create_outputs(&args, &mut out).unwrap();
        let ((mut feed, mut received), due) = self.receive(&args, &plan);
        let (mut events, line_rx) = ring::<BookEvent>(64);
        let mut live = Live::build(&plan, &rows, outputs, line_rx);
        let mut clock = UnixNanos(0);
        let mut ended = false;
        while !ended {
            let due = UnixNanos(due.load(Ordering::Relaxed));
            ended =
                feed.poll(if self.from_port { due } else { feed.replay_time() }).status == WorkStatus::Done;
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

    /// Replays it, runs it live, and compares; gives the number of lines of each table but the features.
    fn assert_equal(&self) -> [usize; 4] {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        crate::replay::run(&self.replay(a.path())).unwrap();
        self.run_live(b.path());
        for table in TABLES {
            let (replayed, lived) =
                (tests::table_bytes(a.path(), table), tests::table_bytes(b.path(), table));
            if replayed != lived {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (replayed, lived) = (text(&replayed), text(&lived));
                let differs = replayed.lines().zip(lived.lines()).find(|(x, y)| x != y);
                panic!(
                    "{}: {table} differs ({} and {} bytes), replayed and live first in {differs:?}",
                    self.inputs[0].display(),
                    replayed.len(),
                    lived.len()
                );
            }
        }
        ["bbo.csv", "scores.csv", "limits.csv", "verdicts.csv"]
            .map(|table| tests::table_bytes(a.path(), table).iter().filter(|b| **b == b'\n').count())
    }
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

/// Orders that cross and orders that rest, at and between the quotes of `case`, whose own orders are written over.
fn make_orders(case: &Case<'_>, dir: &Path, every: usize) {
    let header = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n";
    std::fs::write(case.orders, header).unwrap();
    let out = dir.join("quotes");
    crate::replay::run(&case.replay(&out)).unwrap();
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
    std::fs::write(case.orders, text).unwrap();
}

fn simulated(name: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let written = simulator::Scenario::build(name, &simulator::Options::default()).unwrap();
    let written = written.write(dir.path()).unwrap();
    (dir, written.pcap, written.orders)
}

/// A simulated capture, from a port.
fn simulated_case<'a>(pcap: &'a PathBuf, orders: &'a Path, config: Option<&'a Path>) -> Case<'a> {
    let inputs = std::slice::from_ref(pcap);
    Case { inputs, feed: FeedKind::Itch50, orders, config, from_port: true, lenient: false }
}

#[test]
fn the_flash_crash_is_the_same_live() {
    let (dir, pcap, orders) = simulated("flash-crash");
    let config = dir.path().join("demo.toml");
    std::fs::write(&config, include_str!("../demo.toml")).unwrap();
    let [bbo, scores, limits, verdicts] = simulated_case(&pcap, &orders, Some(&config)).assert_equal();
    assert!(
        bbo > 10_000 && scores > 1_000 && limits > 8 && verdicts > 20,
        "{bbo} {scores} {limits} {verdicts}"
    );
}

#[test]
fn lost_packets_are_the_same_live() {
    let (_dir, pcap, orders) = simulated("feed-gap");
    let [bbo, scores, limits, verdicts] = simulated_case(&pcap, &orders, None).assert_equal();
    assert!(bbo > 1_000 && scores > 500 && limits > 8 && verdicts > 5, "{bbo} {scores} {limits} {verdicts}");
}

/// A real capture, or files of a vendor that belong together.
struct Real {
    files: &'static [&'static str],
    feed: FeedKind,
    from: Origin,
    /// Every how many quotes there is an order.
    every: usize,
    /// The least lines of quotes and of verdicts, their headers among them.
    least: [usize; 2],
}

/// Where the live line has a capture from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Packets, as from a port.
    Port,
    /// A file: without packets there is no clock of a port.
    File,
    /// A file whose lengths are wrong.
    LenientFile,
}

const fn real(
    feed: FeedKind,
    files: &'static [&'static str],
    every: usize,
    from: Origin,
    least: [usize; 2],
) -> Real {
    Real { files, feed, from, every, least }
}

const REAL: &[Real] = &[
    real(FeedKind::Itch50, &["itch/12302019_SNIPPET.NASDAQ_ITCH50"], 3, Origin::File, [51, 11]),
    real(FeedKind::Itch50, &["itch/RITCH_ex20101224.TEST_ITCH_50"], 20, Origin::LenientFile, [51, 11]),
    real(FeedKind::Deep, &["iex/DEEP10_20231002_0734.pcap.gz"], 20, Origin::Port, [51, 11]),
    real(FeedKind::Tops, &["iex/TOPS16.pcapng.gz"], 20, Origin::Port, [51, 11]),
    real(FeedKind::Mdp3, &["cme/Cme.Mdp3.Sbe.v8.1.pcap"], 20, Origin::Port, [51, 11]),
    // It has trades, states and times, and no order: books of orders are made below.
    real(FeedKind::Mdp3Orders, &["cme/Cme.Mdp3.Sbe.v8.1.pcap"], 1, Origin::Port, [1, 0]),
    real(FeedKind::Pitch, &["cboe/mcastpitch_realtime_useq.pcap"], 1, Origin::Port, [6, 2]),
    real(
        FeedKind::Lobster,
        &["lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip"],
        40,
        Origin::File,
        [51, 11],
    ),
    real(
        FeedKind::Lobster,
        &["lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"],
        400,
        Origin::File,
        [51, 11],
    ),
    // Orders of a book joined in mid-session, of one that a snapshot begins; levels; and what names and halts instruments.
    real(FeedKind::Databento, &["dbn/CLX5_mbo.dbn"], 40, Origin::File, [1_001, 101]),
    real(FeedKind::Databento, &["dbn/nautilus_orderbooks_mbo_2024-05-08.dbn.zst"], 1, Origin::File, [51, 11]),
    real(FeedKind::Databento, &["dbn/dbn_test_data/test_data.mbp-10.v3.dbn.zst"], 1, Origin::File, [2, 1]),
    real(
        FeedKind::Databento,
        &["dbn/definition-glbx-es-fut.dbn.zst", "dbn/futures_mbp-1_2024-07-01.dbn.zst"],
        20,
        Origin::File,
        [51, 11],
    ),
    real(FeedKind::Databento, &["dbn/dbn_test_data/test_data.status.v3.dbn.zst"], 1, Origin::File, [1, 0]),
];

#[test]
fn every_feed_that_can_be_replayed_has_a_real_capture_here() {
    for feed in FeedKind::ALL {
        assert!(REAL.iter().any(|real| real.feed == *feed), "{feed}");
    }
}

#[test]
fn the_real_captures_are_the_same_live() {
    for real in REAL {
        let inputs: Option<Vec<PathBuf>> = real.files.iter().map(|name| tests::real_data(name)).collect();
        let Some(inputs) = inputs else { continue };
        let dir = tempfile::tempdir().unwrap();
        let orders = dir.path().join("orders.csv");
        let (from_port, lenient) = (real.from == Origin::Port, real.from == Origin::LenientFile);
        let feed = real.feed;
        let case = Case { inputs: &inputs, feed, orders: &orders, config: None, from_port, lenient };
        make_orders(&case, dir.path(), real.every);
        let [bbo, _, _, verdicts] = case.assert_equal();
        let [quotes, judged] = real.least;
        assert!(bbo >= quotes && verdicts >= judged, "{feed} {:?}: {bbo} {verdicts}", real.files);
    }
}

/// What happens next to the orders of two securities: they come, change and go around a price that stays.
fn next_order(
    seq: u64,
    resting: &mut Vec<mdp3::OrderBookEntry>,
    roll: &mut impl FnMut(u32) -> u32,
) -> mdp3::OrderBookEntry {
    let qty = 1 + roll(50).cast_signed();
    let (one_of, happens) = (roll(60) as usize, roll(4));
    if resting.len() > 60 && happens < 2 {
        return mdp3::OrderBookEntry { update_action: mdp3::action::DELETE, ..resting.swap_remove(one_of) };
    }
    if resting.len() > 60 && happens == 2 {
        resting[one_of].display_qty = qty.into();
        return mdp3::OrderBookEntry { update_action: mdp3::action::CHANGE, ..resting[one_of] };
    }
    let (away, is_bid) = (1 + i64::from(roll(10)), roll(2) == 0);
    let ticks = if is_bid { 20_000 - away } else { 20_000 + away };
    let new = mdp3::OrderBookEntry {
        order_id: seq.into(),
        priority: seq.into(),
        price: (ticks * 250_000_000).into(),
        display_qty: qty.into(),
        security_id: (7 + roll(2).cast_signed()).into(),
        update_action: mdp3::action::NEW,
        entry_type: if is_bid { mdp3::entry_type::BID } else { mdp3::entry_type::OFFER },
    };
    resting.push(new);
    new
}

/// A packet of one message of one order.
fn packet_of(seq: u32, ts: u64, order: &mdp3::OrderBookEntry) -> Vec<u8> {
    let root = mdp3::Refresh { transact_time: ts.into(), match_event_indicator: mdp3::END_OF_EVENT };
    let block_length = u16::try_from(size_of_val(order)).unwrap().into();
    let orders = mdp3::GroupSize { block_length, count: 1 };
    let body = [root.as_bytes(), orders.as_bytes(), order.as_bytes()].concat();
    let header = mdp3::MessageHeader {
        size: u16::try_from(size_of::<mdp3::MessageHeader>() + body.len()).unwrap().into(),
        block_length: u16::try_from(size_of_val(&root)).unwrap().into(),
        template: mdp3::template::ORDER_BOOK_47.into(),
        schema: mdp3::SCHEMA_ID.into(),
        version: 9.into(),
    };
    let packet = mdp3::PacketHeader { sequence: seq.into(), sending_time: ts.into() };
    [packet.as_bytes(), header.as_bytes(), &body].concat()
}

/// Half a minute of a channel of CME that tells orders.
fn orders_of_cme(path: &Path) {
    let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 31, 11), 14_320);
    let way = UdpPath::multicast([2, 0, 0, 0, 0, 1], SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1), group);
    let (mut resting, mut dice) = (Vec::new(), 1_u64);
    let mut roll = |sides: u32| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(dice >> 33).unwrap() % sides
    };
    let mut file = PcapWriter::new(std::fs::File::create(path).unwrap()).unwrap();
    for seq in 1..=3_000 {
        let ts = 1_475_012_773_000_000_000 + u64::from(seq) * 10_000_000;
        let payload = packet_of(seq, ts, &next_order(seq.into(), &mut resting, &mut roll));
        let mut frame = vec![0; way.header_len() + payload.len()];
        way.write(&mut frame, &payload).unwrap();
        file.frame(ts, &frame).unwrap();
    }
    file.finish().unwrap();
}

#[test]
fn books_of_orders_at_cme_are_the_same_live() {
    let dir = tempfile::tempdir().unwrap();
    let (inputs, orders) = ([dir.path().join("orders.pcap")], dir.path().join("orders.csv"));
    orders_of_cme(&inputs[0]);
    let feed = FeedKind::Mdp3Orders;
    let case = Case { inputs: &inputs, feed, orders: &orders, config: None, from_port: true, lenient: false };
    make_orders(&case, dir.path(), 20);
    let [bbo, scores, limits, verdicts] = case.assert_equal();
    assert!(bbo > 400 && scores > 100 && limits > 2 && verdicts > 20, "{bbo} {scores} {limits} {verdicts}");
}
