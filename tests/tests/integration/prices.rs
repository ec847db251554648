//! From packets to verdicts: ticks by price, trades that are broken or grow old, and the collar over a period.

use std::fmt::Write as _;

use simulator::{Line, Packet, PcapWriter};
use tests::portcullis;
use wire::IntoBytes;
use wire::itch50::{
    AddOrder, BrokenTrade, OrderDelete, OrderExecuted, StockDirectory, StockTradingAction, SystemEvent, Trade,
};
use wire::moldudp64::PacketBuilder;

/// New York's midnight of 6 January 2020.
const MIDNIGHT_NS: u64 = 1_578_286_800_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// When the stories begin, since midnight: half past ten.
const BEGIN_S: u64 = 37_800;
const STOCK: [u8; 8] = *b"ALFA    ";

/// A capture of one stock, and orders.
struct Story {
    /// By the time since midnight.
    messages: Vec<(u64, Vec<u8>)>,
    orders: Vec<(u64, String)>,
    config: String,
    /// Each stage on a thread of its own.
    pinned: bool,
}

impl Story {
    /// The stock is announced and trades.
    fn new() -> Self {
        let mut story =
            Self { messages: Vec::new(), orders: Vec::new(), config: String::new(), pinned: false };
        story.say(0, |ns| SystemEvent::new(0, 0, ns, b'O').as_bytes().to_vec());
        story.say(0, |ns| StockDirectory::common_stock(1, ns, STOCK, 100).as_bytes().to_vec());
        story.say(0, |ns| StockTradingAction::new(1, 0, ns, STOCK, b'T', b' ', *b"    ").as_bytes().to_vec());
        story
    }

    /// A message so many milliseconds after the begin, made from its time since midnight.
    fn say(&mut self, ms: u64, message: impl Fn(u64) -> Vec<u8>) {
        let ns = BEGIN_S * SECOND + ms * 1_000_000;
        self.messages.push((ns, message(ns)));
    }

    fn add(&mut self, ms: u64, id: u64, side: u8, price_1e4: u32) {
        self.say(ms, |ns| AddOrder::new(1, 0, ns, id, side, 500, STOCK, price_1e4).as_bytes().to_vec());
    }

    fn trade(&mut self, ms: u64, number: u64, price_1e4: u32) {
        self.say(ms, |ns| Trade::new(1, 0, ns, 0, b'B', 100, STOCK, price_1e4, number).as_bytes().to_vec());
    }

    fn broken(&mut self, ms: u64, number: u64) {
        self.say(ms, |ns| BrokenTrade::new(1, 0, ns, number).as_bytes().to_vec());
    }

    /// The feed lives until then: a message a second that moves no price.
    fn alive(&mut self, until_s: u64) {
        (1..=until_s)
            .for_each(|s| self.say(s * 1_000, |ns| SystemEvent::new(0, 0, ns, b'Q').as_bytes().to_vec()));
    }

    fn order(&mut self, ms: u64, side: &str, px: &str) {
        let ts = MIDNIGHT_NS + BEGIN_S * SECOND + ms * 1_000_000;
        let (id, kind) = (self.orders.len(), if px.is_empty() { "market" } else { "limit" });
        self.orders.push((ts, format!("{ts},{id},ACC,mm,ALFA,{side},10,{px},{kind},ioc")));
    }

    fn capture(&mut self) -> Vec<u8> {
        self.messages.sort_by_key(|(ns, _)| *ns);
        let mut pcap = PcapWriter::new(Vec::new()).unwrap();
        for (sequence, (ns, message)) in (1..).zip(&self.messages) {
            let mut payload = vec![0; 1_400];
            let mut builder = PacketBuilder::new(&mut payload, *b"PRICES0001", sequence).unwrap();
            assert!(builder.push(message));
            let len = builder.finish();
            payload.truncate(len);
            let packet = Packet { ts_ns: MIDNIGHT_NS + ns, line: Line::A, payload };
            pcap.frame(packet.ts_ns, &packet.frame()).unwrap();
        }
        pcap.finish().unwrap()
    }

    /// The codes of the verdicts, 0 for an order let out, their texts, and the summary.
    fn verdicts(mut self) -> (Vec<u16>, serde_json::Value) {
        let tmp = tempfile::tempdir().unwrap();
        let path = |name: &str| tmp.path().join(name);
        std::fs::write(path("day.pcap"), self.capture()).unwrap();
        self.orders.sort_by_key(|(ts, _)| *ts);
        let mut rows = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n".to_owned();
        self.orders.iter().for_each(|(_, row)| writeln!(rows, "{row}").unwrap());
        std::fs::write(path("orders.csv"), rows).unwrap();
        std::fs::write(path("site.toml"), &self.config).unwrap();
        let text = |name: &str| path(name).to_str().unwrap().to_owned();
        let mut args = vec![
            "replay".to_owned(),
            text("day.pcap"),
            "--feed=itch50".to_owned(),
            "--static".to_owned(),
            format!("--config={}", text("site.toml")),
            format!("--orders={}", text("orders.csv")),
            "--write=verdicts".to_owned(),
            format!("--out={}", text("out")),
        ];
        args.extend(self.pinned.then(|| "--pinned".to_owned()));
        let run = portcullis(args);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let mut reader = csv::Reader::from_path(path("out/verdicts.csv")).unwrap();
        let code = reader.headers().unwrap().iter().position(|name| name == "code").unwrap();
        let codes = reader.records().map(|row| row.unwrap()[code].parse().unwrap_or(0)).collect();
        let summary = std::fs::read(path("out/summary.json")).unwrap();
        (codes, serde_json::from_slice(&summary).unwrap())
    }
}

#[test]
fn a_share_is_judged_by_the_tick_at_its_price_on_both_sides_of_the_dollar() {
    let mut story = Story::new();
    story.add(10, 1, b'B', 9_998);
    story.add(10, 2, b'S', 10_000);
    for (ms, px) in
        [(20, "0.9999"), (21, "0.9950"), (22, "0.99985"), (23, "1.00"), (24, "1.0050"), (25, "1.01")]
    {
        story.order(ms, "buy", px);
    }
    // The quotes pass the dollar.
    story.say(30, |ns| OrderDelete::new(1, 0, ns, 1).as_bytes().to_vec());
    story.say(31, |ns| OrderDelete::new(1, 0, ns, 2).as_bytes().to_vec());
    story.add(32, 3, b'B', 10_100);
    story.add(33, 4, b'S', 10_200);
    for (ms, px) in [(40, "1.01"), (41, "1.0150"), (42, "0.9999"), (43, "0.99995")] {
        story.order(ms, "buy", px);
    }
    assert_eq!(story.verdicts().0, [0, 0, 304, 0, 304, 0, 0, 304, 0, 304]);
}

#[test]
fn ticks_are_those_that_the_configuration_names_for_an_instrument_and_for_a_feed() {
    let stepped = "[book.tick_table]\nstepped = [[\"0\", \"0.0005\"], [\"1\", \"0.02\"]]\n";
    let feed =
        "[[feed]]\nname = \"f\"\nkind = \"itch50\"\nsource = \"file:day.pcap\"\ntick_table = \"stepped\"\n";
    for (config, codes) in [
        (format!("{stepped}[book.tick]\nALFA = \"stepped\"\n"), [0, 304, 0, 304]),
        (format!("{stepped}{feed}"), [0, 304, 0, 304]),
        (format!("{stepped}{feed}[book.tick]\nALFA = \"0.0001\"\n"), [0, 0, 0, 0]),
    ] {
        let mut story = Story::new();
        story.config = config;
        story.add(10, 1, b'B', 9_995);
        story.add(10, 2, b'S', 10_000);
        for (ms, px) in [(20, "0.9995"), (21, "0.9996"), (22, "1.02"), (23, "1.01")] {
            story.order(ms, "buy", px);
        }
        // Within two percent of the mid, 0.99975.
        let (found, _) = story.verdicts();
        let found: Vec<_> = found.into_iter().map(|code| if code == 903 { 0 } else { code }).collect();
        assert_eq!(found, codes);
    }
}

#[test]
fn a_trade_that_the_venue_breaks_is_no_reference_and_the_one_before_it_is_again() {
    let mut story = Story::new();
    // No offer: the last trade is the reference, as long as it lies near the bid.
    story.add(10, 1, b'B', 100_000);
    story.order(15, "sell", "10.10");
    story.trade(20, 7, 100_000);
    story.order(25, "sell", "10.90");
    story.trade(30, 8, 109_000);
    story.order(35, "sell", "10.90");
    story.broken(40, 8);
    story.order(45, "sell", "10.90");
    story.order(46, "sell", "10.10");
    story.broken(50, 7);
    story.order(55, "sell", "10.10");
    // An execution is a print like any other; a break of what nobody knows moves nothing.
    story.say(60, |ns| OrderExecuted::new(1, 0, ns, 1, 100, 9).as_bytes().to_vec());
    story.broken(61, 8);
    story.order(65, "sell", "10.10");
    let (codes, summary) = story.verdicts();
    assert_eq!(codes, [900, 903, 0, 903, 0, 900, 0]);
    assert_eq!((&summary["trade_breaks"], &summary["lasts_taken_back"]), (&3.into(), &2.into()));
}

#[test]
fn a_last_trade_is_a_reference_as_long_as_the_policy_says() {
    for (config, until_s) in [("", 60), ("[policy.reference]\nlast_age_max_s = 5\n", 5)] {
        let mut story = Story::new();
        story.config = config.to_owned();
        story.add(10, 1, b'B', 100_000);
        story.trade(20, 7, 100_000);
        story.alive(until_s + 2);
        story.order(until_s * 1_000 + 20, "sell", "10.10");
        story.order(until_s * 1_000 + 21, "sell", "10.10");
        // Another trade makes it young again.
        story.trade(until_s * 1_000 + 30, 8, 100_000);
        story.order(until_s * 1_000 + 40, "sell", "10.10");
        assert_eq!(story.verdicts().0, [0, 901, 0], "{config}");
    }
}

/// Three minutes at 100, then 85 within a second.
fn crash() -> Story {
    let mut story = Story::new();
    story.add(10, 1, b'B', 999_900);
    story.add(11, 2, b'S', 1_000_100);
    story.alive(182);
    story.order(179_000, "sell", "99.99");
    story.say(180_000, |ns| OrderDelete::new(1, 0, ns, 1).as_bytes().to_vec());
    story.add(180_100, 3, b'B', 849_900);
    story.say(180_200, |ns| OrderDelete::new(1, 0, ns, 2).as_bytes().to_vec());
    story.add(180_300, 4, b'S', 850_100);
    story.order(181_000, "sell", "84.99");
    story.order(181_001, "sell", "");
    story.order(181_002, "buy", "85.01");
    story
}

#[test]
fn who_sells_into_a_crash_far_below_the_last_minutes_is_refused_where_the_instant_mid_says_nothing() {
    assert_eq!(crash().verdicts().0, [0, 905, 905, 0]);
    for config in ["period_collar_bps = 0", "period_collar_bps = 1600"] {
        let mut story = crash();
        story.config = format!("[policy.reference]\n{config}\n");
        assert_eq!(story.verdicts().0, [0, 0, 0, 0], "{config}");
    }
}

/// Whichever thread was faster, an order is judged by the history of its moment.
#[test]
fn on_threads_of_their_own_the_stages_say_the_same_of_a_crash() {
    let story = Story { pinned: true, ..crash() };
    assert_eq!(story.verdicts().0, [0, 905, 905, 0]);
}
