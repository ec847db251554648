//! Cases that went wrong in the field or under attack, as files that code makes: each is replayed, or read, as a user does it, and must give
//! what is right.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use simulator::{Line, Packet, PcapWriter};
use stage::hist::{HistLog, latency_histogram};
use types::UnixNanos;
use wire::IntoBytes;
use wire::itch50::{AddOrder, OperationalHalt, OrderDelete, StockDirectory, StockTradingAction, SystemEvent};
use wire::moldudp64::{HEARTBEAT, Header, PacketBuilder};

use crate::records::records;
use crate::tables::{column, rows};
use tests::{portcullis, table_bytes};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// New York's midnight of 30 December 2019.
const MIDNIGHT_NS: u64 = 1_577_682_000 * SECOND;
/// The opening, since midnight.
const OPEN_NS: u64 = 34_200 * SECOND;
const STOCK: [u8; 8] = *b"ALFA    ";
const SESSION: [u8; 10] = *b"0000000001";
/// A price that the orders of most cases name, and one cent more.
const BID: u32 = 1_000_000;
const ASK: u32 = 1_000_100;

/// A capture of one stock on one line, and orders.
struct Case {
    pcap: PcapWriter<Vec<u8>>,
    /// The number of the next message.
    sequence: u64,
    /// Which day it began on: what its times are counted from.
    midnight_ns: u64,
    orders: String,
}

impl Case {
    /// The stock is announced and trades, a second before the opening.
    fn new() -> Self {
        Self::since(MIDNIGHT_NS, OPEN_NS - SECOND)
    }

    /// The same, so long after a midnight.
    fn since(midnight_ns: u64, ns: u64) -> Self {
        let pcap = PcapWriter::new(Vec::new()).unwrap();
        let orders = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n".to_owned();
        let mut case = Self { pcap, sequence: 1, midnight_ns, orders };
        case.say(ns, |ns| SystemEvent::new(0, 0, ns, b'O').as_bytes().to_vec());
        case.say(ns + 1, |ns| StockDirectory::common_stock(1, ns, STOCK, 100).as_bytes().to_vec());
        case.say(ns + 2, |ns| {
            StockTradingAction::new(1, 0, ns, STOCK, b'T', b' ', *b"    ").as_bytes().to_vec()
        });
        case
    }

    /// With a bid and an offer of so many at the opening.
    fn quoted(shares: u32) -> Self {
        let mut case = Self::new();
        case.add(OPEN_NS, 1, b'B', shares, BID);
        case.add(OPEN_NS + 1_000, 2, b'S', shares, ASK);
        case
    }

    /// A packet with one message, which the venue stamps with the time since midnight; it arrives half a microsecond later.
    fn say(&mut self, ns: u64, message: impl Fn(u64) -> Vec<u8>) {
        let mut payload = vec![0; 200];
        let mut builder = PacketBuilder::new(&mut payload, SESSION, self.sequence).unwrap();
        assert!(builder.push(&message(ns % (86_400 * SECOND))));
        let length = builder.finish();
        payload.truncate(length);
        self.sequence += 1;
        self.captured(ns + 500, payload);
    }

    fn captured(&mut self, ns: u64, payload: Vec<u8>) {
        let packet = Packet { ts_ns: self.midnight_ns + ns, line: Line::A, payload };
        self.pcap.frame(packet.ts_ns, &packet.frame()).unwrap();
    }

    fn heartbeat(&mut self, ns: u64) {
        let header = Header::new(SESSION, self.sequence, HEARTBEAT);
        self.captured(ns, header.as_bytes().to_vec());
    }

    fn add(&mut self, ns: u64, id: u64, side: u8, shares: u32, px: u32) {
        self.say(ns, |ns| AddOrder::new(1, 0, ns, id, side, shares, STOCK, px).as_bytes().to_vec());
    }

    fn delete(&mut self, ns: u64, id: u64) {
        self.say(ns, |ns| OrderDelete::new(1, 0, ns, id).as_bytes().to_vec());
    }

    /// An order of the firm: `says` are its columns from the client's id on.
    fn order(&mut self, ns: u64, says: &str) {
        writeln!(self.orders, "{},{says}", self.midnight_ns + ns).unwrap();
    }

    /// A buy of ten at the bid.
    fn sound_order(&mut self, ns: u64, id: usize) {
        self.order(ns, &format!("{id},ACC,mm,ALFA,buy,10,100.00,limit,day"));
    }

    /// Replays it with `more` arguments.
    fn replay(self, more: &[&str]) -> Replayed {
        Replayed::of(&self.pcap.finish().unwrap(), &self.orders, more)
    }
}

/// What a replay said and left.
struct Replayed {
    dir: tempfile::TempDir,
    run: Output,
}

impl Replayed {
    fn of(capture: &[u8], orders: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("case.pcap"), capture).unwrap();
        std::fs::write(dir.path().join("orders.csv"), orders).unwrap();
        let text = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (input, orders, out) = (text("case.pcap"), text("orders.csv"), text("out"));
        let fixed = ["replay", &input, "--feed", "itch50", "--static", "--write", "bbo,verdicts"];
        let run = portcullis([&fixed[..], &["--orders", &orders, "--out", &out], more].concat());
        Self { dir, run }
    }

    fn out(&self) -> std::path::PathBuf {
        self.dir.path().join("out")
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.run.stderr.clone()).unwrap()
    }

    /// Decision and code of each order.
    fn verdicts(&self) -> Vec<(String, u16)> {
        assert_eq!(self.run.status.code(), Some(0), "{}", self.stderr());
        let [decision, code] = ["decision", "code"].map(|name| column("verdicts.csv", name));
        let rows = rows(&self.out(), "verdicts.csv").into_iter();
        rows.map(|row| (row[decision].clone(), row[code].parse().unwrap())).collect()
    }

    /// The codes alone: 0 for an order that is let out.
    fn codes(&self) -> Vec<u16> {
        let verdicts = self.verdicts().into_iter();
        verdicts.map(|(decision, code)| if decision == "reject" { code } else { 0 }).collect()
    }

    fn summary(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.out().join("summary.json")).unwrap()).unwrap()
    }
}

const COLLAR: u16 = 903;

/// The touch holds ten, and the next level is half as dear again.
fn a_thin_touch() -> Case {
    let mut case = Case::quoted(10);
    case.add(OPEN_NS + 2_000, 3, b'S', 5_000, 1_500_000);
    case.order(OPEN_NS + 100 * MS, "0,ACC,mm,ALFA,buy,500,,market,ioc");
    case.order(OPEN_NS + 200 * MS, "1,ACC,mm,ALFA,buy,500,150.00,limit,ioc");
    case.heartbeat(OPEN_NS + SECOND);
    case
}

#[test]
fn a_market_order_that_walks_far_is_refused_and_so_is_the_limit_that_does_the_same() {
    assert_eq!(a_thin_touch().replay(&[]).codes(), [COLLAR; 2]);
    let config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(&config, "[limits.default]\nmax_notional = { floor = 1, base = 60000, cap = 60000 }\n")
        .unwrap();
    let valued = a_thin_touch().replay(&["--config", config.path().to_str().unwrap()]);
    // Both by their value, which is beyond 60,000 by the walk alone: 500 at the touch are 50,005.
    assert_eq!(valued.codes(), [800; 2]);
}

#[test]
fn one_heartbeat_of_another_session_stops_no_feed() {
    let mut case = Case::quoted(1_000);
    case.sound_order(OPEN_NS + 100 * MS, 0);
    let stray = Header::new(*b"TEST000001", 1, HEARTBEAT);
    case.captured(OPEN_NS + SECOND, stray.as_bytes().to_vec());
    for second in 2..10 {
        case.add(OPEN_NS + second * SECOND, 100 + second, b'B', 10, BID - 100);
    }
    case.sound_order(OPEN_NS + 5 * SECOND, 1);
    case.sound_order(OPEN_NS + 9 * SECOND, 2);
    let replayed = case.replay(&[]);
    assert_eq!(replayed.codes(), [0; 3]);
    let summary = replayed.summary();
    assert_eq!((&summary["messages"], &summary["sessions"]), (&13.into(), &1.into()));
    let dropped: u64 = summary["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(dropped, 1, "{}", summary["dropped"]);
}

/// The quotes move by ten percent; a heartbeat before them is stamped `at`.
fn quotes_that_move(at: u64) -> Replayed {
    let mut case = Case::quoted(1_000);
    case.heartbeat(OPEN_NS + at);
    let moved = OPEN_NS + 2 * SECOND;
    case.delete(moved, 1);
    case.delete(moved, 2);
    case.add(moved, 3, b'B', 1_000, BID + 100_000);
    case.add(moved, 4, b'S', 1_000, ASK + 100_000);
    case.heartbeat(moved + 500 * MS);
    case.heartbeat(moved + 2 * SECOND);
    case.order(moved + SECOND, "0,ACC,mm,ALFA,buy,100,110.00,limit,day");
    case.order(moved + SECOND + 100 * MS, "1,ACC,mm,ALFA,buy,100,100.00,limit,day");
    case.replay(&[])
}

#[test]
fn one_stamp_ten_seconds_ahead_swaps_no_verdicts_and_is_counted() {
    let (glitch, right) = (quotes_that_move(10 * SECOND), quotes_that_move(SECOND));
    assert_eq!(right.codes(), [0, COLLAR]);
    assert_eq!(glitch.verdicts(), right.verdicts());
    let outliers = |replayed: &Replayed| replayed.summary()["stamp_outliers"].as_u64();
    assert_eq!((outliers(&glitch), outliers(&right)), (Some(1), Some(0)));
}

#[test]
fn an_operational_halt_of_the_market_refuses_with_its_state() {
    let mut case = Case::quoted(1_000);
    case.sound_order(OPEN_NS + 100 * MS, 0);
    case.say(OPEN_NS + 300 * MS, |ns| OperationalHalt::new(1, 0, ns, STOCK, b'Q', b'H').as_bytes().to_vec());
    case.sound_order(OPEN_NS + 600 * MS, 1);
    case.heartbeat(OPEN_NS + SECOND);
    assert_eq!(case.replay(&[]).codes(), [0, 400]);
}

#[test]
fn an_id_that_comes_again_or_is_missing_and_an_account_that_is_not_there_are_refused() {
    let mut case = Case::quoted(1_000);
    for (number, who) in (1..).zip(["a1,ACC,mm", "a1,ACC,mm", ",ACC,mm", ",,", "a2,,mm", "a3,ACC,"]) {
        case.order(OPEN_NS + number * 100 * MS, &format!("{who},ALFA,buy,100,100.00,limit,day"));
    }
    case.heartbeat(OPEN_NS + SECOND);
    // Duplicate, bad field, unknown strategy or account.
    assert_eq!(case.replay(&[]).codes(), [0, 500, 300, 201, 202, 201]);
}

#[test]
fn a_capture_that_is_cut_short_gives_the_same_through_both_sources() {
    let mut case = Case::quoted(1_000);
    case.sound_order(OPEN_NS + 100 * MS, 0);
    let (whole, orders) = (case.pcap.finish().unwrap(), case.orders);
    let cut = &whole[..whole.len() - 50];
    let by = |more: &[&str]| Replayed::of(cut, &orders, more);
    let [file, dpdk] = [["--source", "file"], ["--source", "dpdk"]].map(|source| by(&source));
    for replayed in [&file, &dpdk] {
        let said = replayed.stderr();
        assert_eq!(replayed.run.status.code(), Some(0), "{said}");
        // Of the file; what DPDK lacks on this machine is another matter.
        let of_the_file = |line: &&str| line.starts_with("warning: ") && line.contains("case.pcap");
        assert_eq!(said.lines().filter(of_the_file).count(), 1, "{said}");
        assert_eq!(replayed.summary()["messages"], 4);
    }
    for table in ["bbo.csv", "verdicts.csv"] {
        assert_eq!(table_bytes(&file.out(), table), table_bytes(&dpdk.out(), table), "{table}");
    }
    assert_eq!(rows(&file.out(), "bbo.csv").len(), 1, "the bid came before the cut");
    for source in ["file", "dpdk"] {
        let strict = by(&["--source", source, "--strict"]);
        assert_eq!(strict.run.status.code(), Some(1), "{source}: {}", strict.stderr());
        assert!(strict.stderr().contains("case.pcap"), "{source}: {}", strict.stderr());
        assert!(!strict.out().join("summary.json").exists(), "{source}");
    }
}

#[test]
fn a_capture_that_is_damaged_gives_the_same_through_both_sources() {
    let mut case = Case::quoted(1_000);
    case.sound_order(OPEN_NS + 100 * MS, 0);
    let (mut bytes, orders) = (case.pcap.finish().unwrap(), case.orders);
    // The last record, and the length it claims.
    let at = records(&bytes).last().unwrap().at;
    bytes[at + 8..at + 12].copy_from_slice(&300_000_u32.to_le_bytes());
    bytes.resize(bytes.len() + 400_000, 0);
    let by = |source| Replayed::of(&bytes, &orders, &["--source", source]);
    let [file, dpdk] = ["file", "dpdk"].map(by);
    for replayed in [&file, &dpdk] {
        let said = replayed.stderr();
        assert_eq!(replayed.run.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("offset {at}: found a record of 300000 bytes")), "{said}");
        assert_eq!(replayed.summary()["messages"], 4);
    }
    for table in ["bbo.csv", "verdicts.csv"] {
        assert_eq!(table_bytes(&file.out(), table), table_bytes(&dpdk.out(), table), "{table}");
    }
}

#[test]
fn a_session_over_midnight_goes_on_in_time() {
    let mut case = Case::since(MIDNIGHT_NS - 86_400 * SECOND, 86_398 * SECOND);
    case.add(86_398 * SECOND + 3, 1, b'B', 100, BID);
    case.add(86_398 * SECOND + 4, 2, b'S', 100, ASK);
    case.sound_order(86_399 * SECOND, 1);
    case.delete(86_401 * SECOND, 1);
    case.add(86_401 * SECOND + 1, 3, b'B', 100, BID + 50);
    case.sound_order(86_401 * SECOND + 500 * MS, 2);
    case.heartbeat(86_402 * SECOND);
    let replayed = case.replay(&[]);
    assert_eq!(replayed.codes(), [0, 0]);
    let times = rows(&replayed.out(), "bbo.csv").into_iter().map(|row| row[0].parse::<u64>().unwrap());
    let midnight = [3, 4].map(|ns| MIDNIGHT_NS - 2 * SECOND + ns);
    let after = [0, 1].map(|ns| MIDNIGHT_NS + SECOND + ns);
    assert_eq!(times.collect::<Vec<_>>(), [midnight, after].concat());
}

#[test]
fn inside_a_silence_of_forty_seconds_orders_are_refused_from_the_bound_on() {
    let mut case = Case::quoted(1_000);
    let last = OPEN_NS + 10 * SECOND;
    for second in 1..=10 {
        case.heartbeat(OPEN_NS + second * SECOND);
    }
    let again = last + 40 * SECOND;
    let mut wanted = Vec::new();
    for (id, tenth) in (0..).zip((0..=420).step_by(5)) {
        let (ns, age) = (last + tenth * 100 * MS + 50 * MS, tenth * 100 + 50);
        case.sound_order(ns, id);
        // A replay's feed is stale when three of its venue's heartbeats, a second apart, did not come.
        wanted.push(if (3_000..40_000).contains(&age) { 901 } else { 0 });
    }
    case.add(again, 3, b'B', 10, BID - 100);
    for second in 1..=3 {
        case.heartbeat(again + second * SECOND);
    }
    assert_eq!(case.replay(&[]).codes(), wanted);
}

/// A log of one interval of `tag`.
fn histogram_log(tag: &str) -> Vec<u8> {
    let mut histogram = latency_histogram();
    histogram.record(1_000).unwrap();
    let start = UnixNanos(MIDNIGHT_NS);
    let mut log = HistLog::begin(Vec::new(), start, &[]).unwrap();
    log.write("honest", start, UnixNanos(MIDNIGHT_NS + SECOND), &histogram).unwrap();
    String::from_utf8(log.finish().unwrap()).unwrap().replace("honest", tag).into_bytes()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn hist_plot_writes_inside_its_folder_whatever_a_tag_says() {
    for tag in ["../escaped", "/tmp/escaped", "..", "a/../../escaped"] {
        let dir = tempfile::tempdir().unwrap();
        let (log, plots) = (dir.path().join("case.hlog"), dir.path().join("plots"));
        std::fs::write(&log, histogram_log(tag)).unwrap();
        let run = portcullis(["hist", "plot", log.to_str().unwrap(), "--out", plots.to_str().unwrap()]);
        assert_eq!(run.status.code(), Some(0), "{tag}: {}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(names(dir.path()), ["case.hlog", "plots"], "{tag}");
        let made = names(&plots);
        assert!(made.len() == 2 && made.iter().any(|name| name.ends_with(".hgrm")), "{tag}: {made:?}");
    }
}

#[test]
fn hist_show_reads_the_whole_intervals_before_half_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("case.hlog");
    std::fs::write(&log, [&histogram_log("gate")[..], b"Tag=gate,1.0"].concat()).unwrap();
    let run = portcullis(["hist", "show", log.to_str().unwrap(), "-o", "json"]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("warning: ")).count(), 1, "{said}");
    let hops: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (&hops[0]["hop"], &hops[0]["count"], hops.as_array().unwrap().len()),
        (&"gate".into(), &1.into(), 1)
    );
}
