//! Scenarios as a receiver sees them: books rebuilt from the packets of one line, by a naive reader that shares no code
//! with the simulator, against what each scenario promises.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs;

use simulator::{
    FirmOrder, Line, Listener, MIDNIGHT_UNIX_NS, Options, Packet, Scenario, Simulation, SimulatorError,
    Strategy, Truth, TruthKind, scenarios,
};
use types::{Px, Side};
use wire::itch50::{self, Msg};
use wire::moldudp64::{self, PacketKind};

const SECOND: u64 = 1_000_000_000;
const GRID: u64 = SECOND / 10;

/// The state of one book at a grid point.
#[derive(Clone, Copy, Debug)]
struct Top {
    ts: u64,
    bid: u32,
    ask: u32,
    /// Quantity on the ten best bid levels.
    bid_depth: u64,
}

impl Top {
    fn mid(&self) -> f64 {
        f64::from(self.bid + self.ask) / 2.0
    }
}

/// A book from messages.
#[derive(Default)]
struct Book {
    orders: HashMap<u64, (u8, u32, u32)>,
    bids: BTreeMap<u32, u64>,
    asks: BTreeMap<u32, u64>,
    tops: Vec<Top>,
}

impl Book {
    fn side(&mut self, side: u8) -> &mut BTreeMap<u32, u64> {
        if side == itch50::side::BUY { &mut self.bids } else { &mut self.asks }
    }

    fn add(&mut self, order: u64, side: u8, qty: u32, px: u32) {
        assert!(self.orders.insert(order, (side, qty, px)).is_none(), "reference {order} is new");
        *self.side(side).entry(px).or_default() += u64::from(qty);
        if let (Some((bid, _)), Some((ask, _))) = (self.bids.last_key_value(), self.asks.first_key_value()) {
            assert!(bid < ask, "crossed: {bid} {ask}");
        }
    }

    fn take(&mut self, order: u64, qty: Option<u32>) -> u8 {
        let (side, have, px) = self.orders.remove(&order).expect("a known reference");
        let qty = qty.unwrap_or(have);
        assert!(qty > 0 && qty <= have, "{qty} of {have}");
        if qty < have {
            self.orders.insert(order, (side, have - qty, px));
        }
        let levels = self.side(side);
        let level = levels.get_mut(&px).expect("its level");
        *level -= u64::from(qty);
        if *level == 0 {
            levels.remove(&px);
        }
        side
    }

    /// An execution: as [`Book::take`], and only at the best price of its side.
    fn execute(&mut self, order: u64, qty: u32) {
        let (side, _, px) = self.orders[&order];
        let best = match side {
            itch50::side::BUY => self.bids.last_key_value(),
            _ => self.asks.first_key_value(),
        };
        assert_eq!(best.map(|(px, _)| *px), Some(px), "an order trades at the best price");
        self.take(order, Some(qty));
    }

    fn apply(&mut self, msg: &Msg<'_>) {
        match msg {
            Msg::AddOrder(m) => self.add(m.order_ref.get(), m.side, m.shares.get(), m.price.raw()),
            Msg::AddOrderMpid(m) => self.add(m.order_ref.get(), m.side, m.shares.get(), m.price.raw()),
            Msg::OrderExecuted(m) => self.execute(m.order_ref.get(), m.executed_shares.get()),
            Msg::OrderCancel(m) => drop(self.take(m.order_ref.get(), Some(m.cancelled_shares.get()))),
            Msg::OrderDelete(m) => drop(self.take(m.order_ref.get(), None)),
            Msg::OrderReplace(m) => {
                let side = self.take(m.original_order_ref.get(), None);
                self.add(m.new_order_ref.get(), side, m.shares.get(), m.price.raw());
            }
            _ => {}
        }
    }
}

/// Everything a scenario sends, read from one line.
struct Tape {
    line: Line,
    books: Vec<Book>,
    by_type: [u64; 256],
    /// Trades and order messages by locate and second since midnight.
    activity: BTreeMap<(u16, u64), (u32, u32)>,
    grid: u64,
    next: u64,
    missing: u64,
    heartbeats: u64,
    ends: u64,
    last_arrival: u64,
    last_ns: u64,
    system: Vec<u8>,
    orders: Vec<FirmOrder>,
    truth: Vec<Truth>,
}

impl Tape {
    fn of(simulation: &Simulation, line: Line) -> Self {
        let books = simulation.profiles().map(|_| Book::default()).collect();
        let grid = simulation.span_ns().0;
        let mut tape = Self {
            line,
            books,
            by_type: [0; 256],
            activity: BTreeMap::new(),
            grid,
            next: 1,
            missing: 0,
            heartbeats: 0,
            ends: 0,
            last_arrival: 0,
            last_ns: 0,
            system: Vec::new(),
            orders: Vec::new(),
            truth: Vec::new(),
        };
        let sent = simulation.play(&mut tape).unwrap_or_else(|never| match never {});
        if simulation.name() != "feed-gap" {
            assert_eq!(sent, tape.by_type, "what was sent is what arrives");
            assert_eq!(tape.missing, 0);
        }
        tape
    }

    fn message(&mut self, message: &[u8]) {
        let msg = itch50::decode(message).expect("a message of the specification");
        let header = msg.header().expect("a known type");
        let (ns, locate) = (header.timestamp.ns(), header.locate.get());
        assert!(ns >= self.last_ns, "event time does not go back");
        self.last_ns = ns;
        self.sample(ns);
        self.by_type[usize::from(msg.type_byte())] += 1;
        if let Msg::SystemEvent(m) = msg {
            self.system.push(m.event_code);
        }
        let (trades, orders) = self.activity.entry((locate, ns / SECOND)).or_default();
        match msg {
            Msg::OrderExecuted(_) | Msg::Trade(_) => *trades += 1,
            Msg::AddOrder(_)
            | Msg::AddOrderMpid(_)
            | Msg::OrderCancel(_)
            | Msg::OrderDelete(_)
            | Msg::OrderReplace(_) => *orders += 1,
            _ => {}
        }
        if locate > 0 && self.missing == 0 {
            self.books[usize::from(locate) - 1].apply(&msg);
        }
    }

    fn sample(&mut self, ns: u64) {
        while self.grid + GRID <= ns {
            self.grid += GRID;
            for book in &mut self.books {
                let (Some((&bid, _)), Some((&ask, _))) =
                    (book.bids.last_key_value(), book.asks.first_key_value())
                else {
                    continue;
                };
                let bid_depth = book.bids.values().rev().take(10).sum();
                book.tops.push(Top { ts: self.grid, bid, ask, bid_depth });
            }
        }
    }

    /// The grid points of an instrument from `from` (inclusive) to `to` (exclusive), nanoseconds since midnight.
    fn tops(&self, instrument: usize, from: u64, to: u64) -> &[Top] {
        let tops = &self.books[instrument].tops;
        &tops[tops.partition_point(|t| t.ts < from)..tops.partition_point(|t| t.ts < to)]
    }

    /// Trades and order messages of an instrument in `[from, to)`, nanoseconds since midnight.
    fn activity(&self, instrument: u16, from: u64, to: u64) -> (u32, u32) {
        let seconds = (instrument + 1, from / SECOND)..(instrument + 1, to / SECOND);
        self.activity.range(seconds).fold((0, 0), |(t, o), (_, (trades, orders))| (t + trades, o + orders))
    }

    fn mid_at(&self, instrument: usize, at: u64) -> f64 {
        self.tops(instrument, 0, at + 1).last().expect("the book has two sides").mid()
    }
}

impl Listener for Tape {
    type Error = Infallible;

    fn packet(&mut self, packet: &Packet) -> Result<(), Infallible> {
        assert!(packet.ts_ns >= self.last_arrival, "packets come in order of arrival");
        self.last_arrival = packet.ts_ns;
        if packet.line != self.line {
            return Ok(());
        }
        let mold = moldudp64::Packet::parse(&packet.payload).expect("a MoldUDP64 packet");
        assert_eq!(mold.session(), simulator::SESSION);
        assert!(mold.sequence() >= self.next, "no packet is old");
        self.missing += mold.sequence() - self.next;
        self.next = mold.next_sequence();
        match mold.kind() {
            PacketKind::Heartbeat => self.heartbeats += 1,
            PacketKind::EndOfSession => self.ends += 1,
            PacketKind::Messages => {}
        }
        for message in mold.messages() {
            let message = message.expect("a whole message");
            self.message(message);
            assert!(self.last_ns + MIDNIGHT_UNIX_NS < packet.ts_ns, "a packet arrives after it is sent");
        }
        Ok(())
    }

    fn order(&mut self, order: &FirmOrder) -> Result<(), Infallible> {
        self.orders.push(*order);
        Ok(())
    }

    fn truth(&mut self, truth: &Truth) -> Result<(), Infallible> {
        self.truth.push(*truth);
        Ok(())
    }
}

fn build(name: &str, options: &Options) -> Simulation {
    Scenario::build(name, options).expect("a scenario")
}

fn tape(name: &str, options: &Options) -> Tape {
    Tape::of(&build(name, options), Line::A)
}

const fn clock(h: u64, m: u64, s: u64) -> u64 {
    ((h * 60 + m) * 60 + s) * SECOND
}

#[test]
fn the_flash_crash_keeps_the_timeline_of_1430() {
    let simulation = build("flash-crash", &Options::default());
    let tick = f64::from(simulation.profiles().next().expect("the future").tick_1e4);
    let tape = Tape::of(&simulation, Line::A);
    let at = |s| clock(14, 30, 0) + s * SECOND;
    let start = tape.mid_at(0, at(0));
    let fall = |s| 100.0 * (tape.mid_at(0, at(s)) / start - 1.0);
    let widest =
        |from, to| tape.tops(0, from, to).iter().map(|t| f64::from(t.ask - t.bid) / tick).fold(0.0, f64::max);
    let depth = |from, to| {
        let tops = tape.tops(0, from, to);
        tops.iter().map(|t| t.bid_depth).sum::<u64>() / tops.len() as u64
    };
    // Orderly before the seller, and for some seconds after: a human sees nothing.
    let before = tape.tops(0, clock(14, 29, 0), at(0));
    let mean = before.iter().map(|t| f64::from(t.ask - t.bid) / tick).sum::<f64>() / before.len() as f64;
    assert!(mean < 1.2 && widest(clock(14, 29, 0), at(8)) <= 4.0, "mean spread before: {mean}");
    assert!(fall(10) > -0.15, "down {} % at :10", fall(10));
    // First signs at about :15: one tick becomes three, bids thin out.
    assert!(widest(at(13), at(19)) >= 3.0, "spread at :15 {}", widest(at(13), at(19)));
    assert!(depth(at(14), at(17)) < depth(at(0), at(5)) / 2, "bids thin out");
    // Strong by :22, long before the price has gone.
    assert!(widest(at(21), at(23)) >= 6.0 && fall(22) > -1.0, "at :22 down {} %", fall(22));
    assert!(depth(at(22), at(30)) < depth(at(0), at(5)) / 15, "depth collapses");
    // Two per cent by :45, and some of it back by the end.
    assert!((-2.5..=-1.7).contains(&fall(45)), "down {} % at :45", fall(45));
    let low = tape.truth.iter().find_map(|t| match t.kind {
        TruthKind::Extreme(Side::Ask, ticks) => Some(ticks * tick),
        _ => None,
    });
    let low = low.expect("truth names the low");
    let end = tape.mid_at(0, at(60));
    assert!(end > low + 0.1 * (start - low), "low {low}, end {end}, start {start}: some is won back");
}

#[test]
fn trades_per_order_message_fall_as_the_makers_pull_their_quotes() {
    let tape = tape("flash-crash", &Options::default());
    let ratio = |from, to| {
        let (trades, orders) = tape.activity(0, clock(14, 30, from), clock(14, 30, to));
        f64::from(trades) / f64::from(orders)
    };
    let (absorbed, withdrawn, storm) = (ratio(2, 12), ratio(17, 25), ratio(30, 40));
    assert!(withdrawn < 0.75 * absorbed && storm < 0.65 * absorbed, "{absorbed} {withdrawn} {storm}");
    let withdrawal = tape.truth.iter().filter_map(|t| match t.kind {
        TruthKind::Withdrawal(share) if t.instrument == 0 => Some(share),
        _ => None,
    });
    assert!(withdrawal.fold(0.0, f64::max) > 0.75, "the makers withdraw");
}

#[test]
fn other_seeds_crash_as_well() {
    for seed in [7, 8] {
        let tape = tape("flash-crash", &Options { seed: Some(seed), ..Options::default() });
        let start = tape.mid_at(0, clock(14, 30, 0));
        let low = tape.tops(0, clock(14, 30, 0), clock(14, 31, 0)).iter().map(Top::mid).fold(start, f64::min);
        let fall = 100.0 * (low / start - 1.0);
        assert!((-3.5..=-1.0).contains(&fall), "seed {seed}: {fall} %");
    }
}

#[test]
fn the_market_goes_on_after_the_crash_and_comes_back_without_an_order_of_the_firm() {
    let short = tape("flash-crash", &Options::default());
    let long = tape("flash-crash", &Options { minutes: Some(13), ..Options::default() });
    assert_eq!(short.orders, long.orders, "the firm's orders are of the story alone");
    let story = |tape: &Tape| {
        tape.tops(0, 0, clock(14, 31, 0)).iter().map(|t| (t.ts, t.bid, t.ask)).collect::<Vec<_>>()
    };
    assert_eq!(story(&short), story(&long)[..story(&short).len()], "what follows changes nothing before it");
    let low = long
        .truth
        .iter()
        .find(|t| matches!(t.kind, TruthKind::Extreme(Side::Ask, _)))
        .expect("truth names the low");
    let (start, bottom) = (long.mid_at(0, clock(14, 30, 0)), long.mid_at(0, low.ts_ns));
    assert!(low.ts_ns + 600 * SECOND < clock(14, 41, 30), "ten minutes follow the low");
    let won_back = (long.mid_at(0, low.ts_ns + 600 * SECOND) - bottom) / (start - bottom);
    assert!(won_back > 0.5, "{won_back} of the fall is won back ten minutes after the low");
}

#[test]
fn the_instruments_beside_the_crash_stay_calm() {
    let tape = tape("flash-crash", &Options::default());
    for instrument in 1..6 {
        assert!(largest_minute_move(&tape, instrument) < 0.5, "instrument {instrument}");
    }
}

/// Largest move of the mid within any minute, per cent.
fn largest_minute_move(tape: &Tape, instrument: usize) -> f64 {
    let tops = &tape.books[instrument].tops;
    // The first second is the book filling.
    let mids: Vec<f64> = tops.iter().skip(10).map(Top::mid).collect();
    let mut largest = 0.0_f64;
    for (i, mid) in mids.iter().enumerate() {
        let minute = &mids[i..mids.len().min(i + 600)];
        largest = minute.iter().fold(largest, |l, m| l.max((m / mid - 1.0).abs()));
    }
    100.0 * largest
}

#[test]
fn calm_is_calm_and_yet_not_still() {
    let tape = tape("calm", &Options { minutes: Some(6), instruments: Some(9), ..Options::default() });
    for instrument in 0..8 {
        let largest = largest_minute_move(&tape, instrument);
        assert!(largest < 0.5 && largest > 0.01, "instrument {instrument} moves {largest} % in a minute");
    }
    // Busy and quiet tens of seconds, or the model learns that only one pace is normal.
    let start = clock(11, 0, 5);
    let windows = (0..17).map(|i| tape.activity(0, start + 20 * i * SECOND, start + 20 * (i + 1) * SECOND).0);
    let (least, most) = (windows.clone().min(), windows.max());
    assert!(most > least.map(|n| 2 * n), "{least:?} to {most:?} trades in twenty seconds");
    let total: u64 = tape.by_type.iter().sum();
    let share = |kind: u8| 100.0 * tape.by_type[usize::from(kind)] as f64 / total as f64;
    // Near the published mix of a day (A 43.6, D 42.3, U 8.7, E 2.5, X 1.2 %).
    for (kind, wanted, tolerance) in
        [(b'A', 43.6, 3.0), (b'D', 42.3, 3.0), (b'U', 8.7, 3.0), (b'E', 2.5, 2.5), (b'X', 1.2, 1.0)]
    {
        assert!((share(kind) - wanted).abs() < tolerance, "{}: {} %", char::from(kind), share(kind));
    }
}

#[test]
fn the_session_is_framed_as_a_day_is() {
    let tape = tape("thin-book", &Options::default());
    assert_eq!(tape.system, *b"OSQMEC");
    assert_eq!((tape.by_type[usize::from(b'R')], tape.by_type[usize::from(b'H')]), (3, 3));
    assert!(tape.heartbeats >= 3, "the line lives before the session and after it");
    assert!(tape.ends >= 2, "the end is repeated");
}

#[test]
fn the_open_has_its_auction_then_fades() {
    let tape = tape("open", &Options::default());
    assert_eq!(tape.system, *b"OSQMEC");
    assert_eq!(tape.by_type[usize::from(b'Q')], 6, "one cross per instrument");
    assert_eq!(tape.by_type[usize::from(b'I')], 60, "ten indications each");
    let trades = |from, to| (0..6).map(|i| tape.activity(i, from, to).0).sum::<u32>();
    let bell = clock(9, 30, 0);
    let (before, first, later) = (
        trades(bell - 30 * SECOND, bell),
        trades(bell, bell + 30 * SECOND),
        trades(bell + 120 * SECOND, bell + 150 * SECOND),
    );
    assert!(first > 5 * before && first > 2 * later, "{before} {first} {later}");
    assert!(largest_minute_move(&tape, 0) < 0.5);
}

#[test]
fn news_moves_one_price_at_once_and_leaves_calm() {
    let tape = tape("news-burst", &Options::default());
    let news = clock(14, 1, 0);
    let jump = 1e4 * (tape.mid_at(1, news + 5 * SECOND) / tape.mid_at(1, news) - 1.0);
    assert!((25.0..90.0).contains(&jump), "{jump} bps");
    let later = 1e4 * (tape.mid_at(1, news + 120 * SECOND) / tape.mid_at(1, news) - 1.0);
    assert!((20.0..90.0).contains(&later), "the news stays in the price: {later} bps");
    assert!(largest_minute_move(&tape, 0) < 0.5, "the others hardly move");
}

#[test]
fn the_thin_book_is_thin() {
    let tape = tape("thin-book", &Options::default());
    let mean = |i: usize| {
        let tops = &tape.books[i].tops;
        let spread: f64 = tops.iter().map(|t| 1e4 * f64::from(t.ask - t.bid) / t.mid()).sum();
        let depth: u64 = tops.iter().map(|t| t.bid_depth).sum();
        (spread / tops.len() as f64, depth / tops.len() as u64)
    };
    let ((thin_bps, thin_depth), (usual_bps, usual_depth)) = (mean(0), mean(1));
    assert!(thin_bps > 15.0 * usual_bps && thin_bps > 20.0, "{thin_bps} against {usual_bps} bps");
    assert!(thin_depth * 5 < usual_depth, "{thin_depth} against {usual_depth} lots");
}

#[test]
fn the_feed_gap_is_a_gap_only_where_both_lines_lose() {
    let simulation = build("feed-gap", &Options::default());
    let (a, b) = (Tape::of(&simulation, Line::A), Tape::of(&simulation, Line::B));
    assert!(a.missing > 0 && b.missing > 0);
    struct Union(BTreeMap<u64, u64>);
    impl Listener for Union {
        type Error = Infallible;
        fn packet(&mut self, packet: &Packet) -> Result<(), Infallible> {
            let mold = moldudp64::Packet::parse(&packet.payload).expect("a packet");
            self.0.insert(mold.sequence(), mold.next_sequence());
            Ok(())
        }
        fn order(&mut self, _: &FirmOrder) -> Result<(), Infallible> {
            Ok(())
        }
        fn truth(&mut self, _: &Truth) -> Result<(), Infallible> {
            Ok(())
        }
    }
    let mut union = Union(BTreeMap::new());
    simulation.play(&mut union).unwrap_or_else(|never| match never {});
    let (mut next, mut gaps, mut missing) = (1, 0, 0);
    for (first, after) in union.0 {
        if first > next {
            gaps += 1;
            missing += first - next;
        }
        next = next.max(after);
    }
    assert_eq!(gaps, 1, "one true gap");
    assert!(missing >= 12 && missing < a.missing && missing < b.missing, "{missing}");
}

#[test]
fn the_firm_sends_sane_orders_and_the_planted_one() {
    let simulation = build("flash-crash", &Options::default());
    let tape = Tape::of(&simulation, Line::A);
    let planted: Vec<_> = tape.orders.iter().filter(|o| o.planted).collect();
    let [order] = planted[..] else { panic!("one planted order, found {}", planted.len()) };
    assert_eq!(order.ts_ns, clock(14, 30, 28));
    assert_eq!((order.instrument, order.strategy, order.side), (0, Strategy::Momentum, Side::Ask));
    assert_eq!((order.qty, order.immediate), (200, true));
    let mid = tape.mid_at(0, order.ts_ns);
    let tick = f64::from(simulation.profiles().next().expect("an instrument").tick_1e4);
    let through = mid / tick - order.px.expect("a limit") as f64;
    assert!((40.0..60.0).contains(&through), "its limit is {through} ticks below the mid");
    let bids = tape.orders.iter().filter(|o| {
        o.strategy == Strategy::MarketMaker
            && o.side == Side::Bid
            && o.ts_ns > clock(14, 30, 4)
            && o.instrument == 0
    });
    assert!(bids.count() >= 15, "the firm's own market maker goes on bidding into the crash");
    let ticks: Vec<f64> = simulation.profiles().map(|p| f64::from(p.tick_1e4)).collect();
    let ordinary = tape.orders.iter().filter(|o| !o.planted);
    for order in ordinary.clone() {
        let instrument = usize::from(order.instrument);
        assert!((10..=60).contains(&order.qty));
        let mid = tape.mid_at(instrument, order.ts_ns);
        if let Some(px) = order.px {
            let away = 1e4 * (px as f64 * ticks[instrument] / mid - 1.0).abs();
            assert!(away < 40.0, "{order:?} is {away} bps from {mid}");
        }
    }
    let calm = ordinary.filter(|o| o.ts_ns < clock(14, 30, 0)).count();
    assert!((25..=75).contains(&calm), "{calm} orders in the 85 s before");
    assert!(tape.orders.is_sorted_by_key(|o| o.ts_ns));
}

#[test]
fn the_files_are_the_scenario_and_the_same_each_time() {
    let options = Options { minutes: Some(1), instruments: Some(3), seed: Some(11), ..Options::default() };
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let written = build("calm", &options).write(one.path()).expect("files");
    build("calm", &options).write(two.path()).expect("files");
    let names = ["calm.pcap", "orders.csv", "scenario.json", "truth.csv"];
    let mut found: Vec<_> = fs::read_dir(one.path())
        .expect("the folder")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    found.sort();
    assert_eq!(found, names, "and nothing unfinished");
    for name in names {
        let (a, b) = (fs::read(one.path().join(name)), fs::read(two.path().join(name)));
        assert!(a.expect("a file") == b.expect("a file"), "{name} differs");
    }
    let other = Options { seed: Some(12), ..options };
    build("calm", &other).write(two.path()).expect("files replace files");
    assert_ne!(fs::read(&written.pcap).ok(), fs::read(two.path().join("calm.pcap")).ok());

    let (packets, last) = read_pcap(&fs::read(&written.pcap).expect("the capture"));
    assert_eq!(packets, written.packets);
    assert!(last > MIDNIGHT_UNIX_NS + clock(11, 1, 0));
    let orders = fs::read_to_string(&written.orders).expect("the orders");
    check_orders(&orders, written.order_count);
    let truth = fs::read_to_string(&written.truth).expect("the truth");
    assert!(truth.starts_with("ts_ns,symbol,event,value\n"));
    assert!(truth.lines().filter(|l| l.contains(",FUTX,mid,")).count() >= 58);
}

/// Frames of a capture and the time of the last, every frame read down to its MoldUDP64 header.
fn read_pcap(bytes: &[u8]) -> (u64, u64) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(word(0), simulator::MAGIC_NANOSECONDS);
    let (mut at, mut packets, mut last) = (24, 0, 0);
    while at < bytes.len() {
        let (ts, len) = (u64::from(word(at)) * SECOND + u64::from(word(at + 4)), word(at + 8) as usize);
        assert!(ts >= last && word(at + 8) == word(at + 12));
        let frame = &bytes[at + 16..at + 16 + len];
        let datagram = wire::frame::parse_udp(wire::frame::LinkType::Ethernet, frame).expect("a UDP frame");
        wire::frame::verify_checksums(wire::frame::LinkType::Ethernet, frame).expect("a right checksum");
        let groups = [Line::A.group(), Line::B.group()];
        assert!(groups.iter().any(|g| *g.ip() == datagram.dst_addr && g.port() == datagram.dst_port));
        moldudp64::Packet::parse(datagram.payload).expect("a MoldUDP64 packet");
        (at, packets, last) = (at + 16 + len, packets + 1, ts);
    }
    (packets, last)
}

fn check_orders(text: &str, count: u64) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<_> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let wanted = ["ts_ns", "cl_ord_id", "account", "strategy", "symbol", "side", "qty", "px", "type", "tif"];
    assert_eq!(header, wanted);
    let rows: Vec<_> = reader.records().map(|r| r.expect("a row")).collect();
    assert_eq!(rows.len() as u64, count);
    let mut last = (0, 0);
    for row in &rows {
        let ts: u64 = row[0].parse().expect("a time");
        let id: u64 = row[1].parse().expect("a number");
        assert!((ts, id) > last && id > last.1);
        last = (ts, id);
        assert!(["buy", "sell"].contains(&&row[5]) && ["day", "ioc"].contains(&&row[9]));
        match &row[8] {
            "market" => assert_eq!(&row[7], ""),
            "limit" => assert!(row[7].parse::<Px>().expect("a price").0 > 0),
            other => panic!("type {other}"),
        }
    }
}

#[test]
fn what_cannot_be_built_is_refused_with_a_reason() {
    let message = |name: &str, options: &Options| match Scenario::build(name, options) {
        Ok(_) => panic!("{name} must be refused"),
        Err(e) => e.to_string(),
    };
    let unknown = message("flashcrash", &Options::default());
    assert!(unknown.contains("\"flashcrash\"") && unknown.contains("flash-crash, calm, open"), "{unknown}");
    let fixed = message("news-burst", &Options { minutes: Some(3), ..Options::default() });
    assert_eq!(fixed, "scenario news-burst: --minutes cannot be chosen, the story fixes it");
    let bounds = message("calm", &Options { minutes: Some(391), ..Options::default() });
    assert_eq!(bounds, "scenario calm: --minutes is 391, wanted 1 to 390");
    let none = message("calm", &Options { instruments: Some(0), ..Options::default() });
    assert_eq!(none, "scenario calm: --instruments is 0, wanted 1 to 64");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("taken");
    fs::write(&file, b"a file").expect("a file");
    let error = build("calm", &Options { minutes: Some(1), ..Options::default() }).write(&file.join("out"));
    let Err(SimulatorError::Io { path, .. }) = error else { panic!("an I/O error, found {error:?}") };
    assert!(path.starts_with(&file));
}

#[test]
fn the_list_names_every_scenario_once() {
    let mut names: Vec<_> = scenarios().map(|info| info.name).collect();
    for info in scenarios() {
        let simulation = build(info.name, &Options::default());
        let (start, end) = simulation.span_ns();
        assert_eq!(end - start, info.length_s * SECOND, "{}", info.name);
        assert!(!info.description.is_empty() && !info.description.contains('\n'));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), scenarios().count());
}
