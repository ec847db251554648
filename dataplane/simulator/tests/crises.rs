//! Kinds of crisis as a reader of their truth sees them: what was planted, and what came of it.

use std::convert::Infallible;
use std::fs;

use simulator::{
    FirmOrder, Intervention, Listener, Options, Packet, Scenario, Simulation, Truth, TruthKind, scenarios,
};
use types::{Side, Symbol};
use wire::itch50::{self, Msg};
use wire::moldudp64;

const SECOND: u64 = 1_000_000_000;

/// What is true of the struck instrument, and the states of trading that its feed told.
#[derive(Default)]
struct Told {
    truth: Vec<Truth>,
    states: Vec<u8>,
    crosses: Vec<u8>,
    messages: u64,
}

impl Listener for Told {
    type Error = Infallible;

    fn packet(&mut self, packet: &Packet) -> Result<(), Infallible> {
        if packet.line != simulator::Line::A {
            return Ok(());
        }
        let mold = moldudp64::Packet::parse(&packet.payload).expect("a packet");
        for message in mold.messages() {
            self.messages += 1;
            match itch50::decode(message.expect("a whole message")).expect("a message") {
                Msg::StockTradingAction(m) if m.header.locate.get() == 1 => self.states.push(m.trading_state),
                Msg::CrossTrade(m) => self.crosses.push(m.cross_type),
                _ => {}
            }
        }
        Ok(())
    }

    fn order(&mut self, _: &FirmOrder) -> Result<(), Infallible> {
        Ok(())
    }

    fn truth(&mut self, truth: &Truth) -> Result<(), Infallible> {
        self.truth.push(*truth);
        Ok(())
    }
}

impl Told {
    fn of(simulation: &Simulation) -> Self {
        let mut told = Self::default();
        simulation.play(&mut told).unwrap_or_else(|never| match never {});
        told
    }

    /// Values of an instrument's truths of one kind, with their times.
    fn series(&self, instrument: u16, value: impl Fn(TruthKind) -> Option<f64>) -> Vec<(u64, f64)> {
        let of = |t: &Truth| (t.instrument == instrument).then(|| Some((t.ts_ns, value(t.kind)?))).flatten();
        self.truth.iter().filter_map(of).collect()
    }

    /// The lowest and the highest mid of an instrument from `from` on, against the last before, in per cent.
    fn moves(&self, instrument: u16, from: u64) -> (f64, f64) {
        let mids = self.series(instrument, |kind| match kind {
            TruthKind::Mid(mid) => Some(mid),
            _ => None,
        });
        let (before, after) = mids.split_at(mids.partition_point(|(ts, _)| *ts <= from));
        let start = before.last().expect("a mid before").1;
        let share = |mid: f64| 100.0 * (mid / start - 1.0);
        after
            .iter()
            .fold((0.0_f64, 0.0_f64), |(low, high), (_, mid)| (low.min(share(*mid)), high.max(share(*mid))))
    }
}

fn built(kind: &str, options: Options) -> Simulation {
    Scenario::build(kind, &options).expect("a kind of crisis")
}

fn symbol(name: &str) -> Option<Symbol> {
    Symbol::new(name)
}

fn told(kind: &str, name: &str, seed: u64) -> (Told, u64, u64) {
    let simulation = built(kind, Options { symbol: symbol(name), seed: Some(seed), ..Options::default() });
    let planted = simulation.planted().expect("a crisis is planted");
    assert_eq!((planted.kind, planted.symbol.as_str()), (kind, name));
    assert_eq!(simulation.profiles().next().expect("a market").symbol.as_str(), name);
    (Told::of(&simulation), planted.from_ns, planted.until_ns)
}

#[test]
fn a_large_order_moves_any_instrument_its_own_way() {
    for (name, seed) in [("FUTX", 51), ("ALFA", 52), ("SIM20", 53)] {
        let (down, from, _) = told("down-crash", name, seed);
        let (low, high) = down.moves(0, from);
        assert!(low < -0.5 && high < 0.3, "{name} sold: {low} to {high} %");
        let (up, from, _) = told("up-crash", name, seed);
        let (low, high) = up.moves(0, from);
        assert!(high > 0.5 && low > -0.3, "{name} bought: {low} to {high} %");
        let says = |wanted: TruthKind| up.truth.iter().any(|t| t.kind == wanted);
        assert!(says(TruthKind::IcebergStart(Side::Bid)) && !says(TruthKind::IcebergStart(Side::Ask)));
        assert!(up.truth.iter().any(|t| matches!(t.kind, TruthKind::Extreme(Side::Bid, _))));
    }
}

#[test]
fn a_slow_bleed_takes_minutes_to_half_a_per_cent() {
    let (told, from, until) = told("slow-bleed", "FUTX", 54);
    let mids = told.series(0, |kind| match kind {
        TruthKind::Mid(mid) => Some(mid),
        _ => None,
    });
    let start = mids.iter().rfind(|(ts, _)| *ts <= from).expect("a mid").1;
    let half = mids.iter().find(|(ts, mid)| *ts > from && *mid < 0.995 * start).expect("half a per cent").0;
    assert!((120..600).contains(&((half - from) / SECOND)), "{} s", (half - from) / SECOND);
    let end = mids.iter().rfind(|(ts, _)| *ts <= until).expect("a mid").1;
    assert!((0.978..0.993).contains(&(end / start)), "{}", end / start);
}

#[test]
fn liquidity_goes_without_a_seller_and_comes_back() {
    let (told, from, until) = told("liquidity-withdrawal", "BRVO", 55);
    let depth = |from: u64, to: u64| {
        let all = told.series(0, |kind| match kind {
            TruthKind::BidDepth(lots) => Some(lots as f64),
            _ => None,
        });
        let part: Vec<f64> = all.iter().filter(|(ts, _)| (from..to).contains(ts)).map(|(_, d)| *d).collect();
        part.iter().sum::<f64>() / part.len() as f64
    };
    let (calm, gone) = (depth(from - 60 * SECOND, from), depth(from + 30 * SECOND, until));
    let back = depth(until + 60 * SECOND, until + 90 * SECOND);
    assert!(gone < 0.25 * calm && back > 0.6 * calm, "{calm} {gone} {back}");
    assert!(!told.truth.iter().any(|t| matches!(t.kind, TruthKind::IcebergStart(_))));
}

#[test]
fn stuffing_is_a_flood_that_moves_nothing() {
    let (stuffed, from, _) = told("quote-stuffing", "FUTX", 56);
    let (quiet, ..) = told("quote-stuffing", "ALFA", 56);
    assert!(stuffed.truth.iter().any(|t| t.kind == TruthKind::StuffingStart(3_000) && t.ts_ns >= from));
    assert!(stuffed.truth.iter().any(|t| t.kind == TruthKind::StuffingDone));
    // 3,000 a second for half a minute, give or take what stands at no touch.
    assert!(stuffed.messages > 100_000 && quiet.messages > 100_000, "{}", stuffed.messages);
    let (low, high) = stuffed.moves(0, from);
    assert!(low > -0.4 && high < 0.4, "{low} to {high} %");
}

#[test]
fn a_pause_stops_the_market_and_an_auction_reopens_it() {
    let (told, from, until) = told("halt-reopen", "CHRL", 57);
    assert_eq!((told.states.as_slice(), told.crosses.as_slice()), (b"TPT".as_slice(), b"H".as_slice()));
    let mids = told.series(0, |kind| match kind {
        TruthKind::Mid(mid) => Some(mid),
        _ => None,
    });
    let paused: Vec<f64> =
        mids.iter().filter(|(ts, _)| (from + 42 * SECOND..until).contains(ts)).map(|(_, mid)| *mid).collect();
    assert!(paused.len() > 50 && paused.windows(2).all(|two| two[0] == two[1]), "nothing moves");
    let after = mids.iter().find(|(ts, _)| *ts > until + 10 * SECOND).expect("it goes on").1;
    assert!((after / paused[0] - 1.0).abs() > 0.002, "at another price: {after} after {}", paused[0]);
}

#[test]
fn a_crash_elsewhere_reaches_the_struck_instrument() {
    let (told, from, _) = told("contagion", "ALFA", 58);
    let (low, _) = told.moves(0, from);
    let (leader, _) = told.moves(1, from);
    assert!(leader < -0.8 && low < -0.5 && low > leader, "{low} % after {leader} %");
    let sold = |instrument| {
        told.truth.iter().any(|t| t.instrument == instrument && matches!(t.kind, TruthKind::IcebergStart(_)))
    };
    assert!(sold(1) && !sold(0));
}

#[test]
fn a_crisis_has_the_size_and_the_time_that_are_asked_for() {
    let options =
        Options { seed: Some(59), at_s: Some(36_000), size_percent: Some(25), ..Options::default() };
    let simulation = built("down-crash", options);
    let planted = *simulation.planted().expect("planted");
    assert_eq!((planted.from_ns, planted.size_percent), (36_000 * SECOND, 25));
    let small = Told::of(&simulation).moves(0, planted.from_ns).0;
    let usual =
        Told::of(&built("down-crash", Options { size_percent: None, ..options })).moves(0, planted.from_ns).0;
    assert!(small > 0.5 * usual, "{small} % against {usual} %");
    let withdraws = |t: &Truth| matches!(t.kind, TruthKind::Planted(Intervention::Withdraw { .. }));
    assert!(Told::of(&built("liquidity-withdrawal", options)).truth.iter().any(withdraws));
}

#[test]
fn the_files_say_what_was_planted_and_are_the_same_each_time() {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let simulation = built("quote-stuffing", Options { size_percent: Some(10), ..Options::default() });
    let written = simulation.write(one.path()).expect("files");
    simulation.write(two.path()).expect("files");
    for name in ["quote-stuffing.pcap", "truth.csv", "scenario.json", "orders.csv"] {
        let read = |dir: &tempfile::TempDir| fs::read(dir.path().join(name)).expect("a file");
        assert!(read(&one) == read(&two), "{name} differs");
    }
    let truth = fs::read_to_string(&written.truth).expect("the truth");
    for row in [
        ",FUTX,planted_quote_stuffing,10",
        ",FUTX,planted_end,quote-stuffing",
        ",FUTX,planted_stuffing_per_s,300",
    ] {
        assert!(truth.lines().any(|line| line.ends_with(row)), "{row}");
    }
    let manifest = fs::read_to_string(&written.manifest).expect("the manifest");
    assert!(manifest.contains(r#""planted": { "kind": "quote-stuffing", "symbol": "FUTX","#), "{manifest}");
}

#[test]
fn what_no_crisis_can_be_is_refused() {
    let refused = |kind: &str, options: Options| match Scenario::build(kind, &options) {
        Ok(_) => panic!("{kind} must be refused"),
        Err(e) => e.to_string(),
    };
    let unknown = refused("up-crash", Options { symbol: symbol("NONE"), ..Options::default() });
    assert!(
        unknown.starts_with("scenario up-crash: --symbol is NONE, wanted one of FUTX, ALFA, "),
        "{unknown}"
    );
    let size = refused("up-crash", Options { size_percent: Some(0), ..Options::default() });
    assert_eq!(size, "scenario up-crash: --size is 0, wanted 1 to 1000");
    let at = refused("up-crash", Options { at_s: Some(10), ..Options::default() });
    assert!(at.contains("--at, in seconds since midnight, is 10, wanted 150 to"), "{at}");
    let minutes = refused("up-crash", Options { minutes: Some(3), ..Options::default() });
    assert_eq!(minutes, "scenario up-crash: --minutes cannot be chosen, the story fixes it");
    let story = refused("calm", Options { symbol: symbol("FUTX"), ..Options::default() });
    assert_eq!(story, "scenario calm: --symbol cannot be chosen, the story fixes it");
    assert_eq!(scenarios().filter(|info| info.description.starts_with("crisis: ")).count(), 7);
}
