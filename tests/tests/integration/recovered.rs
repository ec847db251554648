//! What both lines lose is asked of the venue's servers: over real UDP, the events are those of a run that lost nothing; and the daemon
//! says what it does.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use dataplane::arbiter::{ArbiterConfig, RecoveryConfig, Start};
use dataplane::recovery::{Answer, Ask, RecoveryEnds};
use dataplane::source::{Layer, SourceStatus};
use dataplane::{
    ChannelConfig, EventTx, Feed as _, FeedConfig, FeedKind, PacketSource, Receiver, SourceError,
};
use featurizer::{Featurizer, FeaturizerConfig};
use serde_json::Value;
use simulator::rerequest::{Lie, RerequestFaults, RerequestServer};
use simulator::{Line, Packet, PcapWriter};
use stage::{Clock as _, GapTx, OsClock, RingRx, RingTx, Stage as _, ring};
use types::{Action, BookEvent, GapCause, Nanos, UnixNanos};
use wire::frame::LinkType;
use wire::moldudp64;

use crate::fuzz::{first_packets, targets};
use crate::on_a_wire::{Appliance, Datagram, StopOnDrop, datagrams, in_namespaces, send};
use crate::tables::scenario;

/// Frames that come in bursts.
struct Port(VecDeque<Vec<u8>>);

impl PacketSource for Port {
    fn next_burst(
        &mut self,
        max: usize,
        mut sink: impl FnMut(dataplane::source::Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        for _ in 0..max.min(8) {
            let Some(bytes) = self.0.pop_front() else { break };
            let layer = Layer::Frame(LinkType::Ethernet);
            if !sink(dataplane::source::Packet { bytes: &bytes, ts: UnixNanos(0), layer, offset: 0 }) {
                break;
            }
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        "port"
    }
}

/// One channel of both lines, whose recovery has `servers` servers.
fn config(servers: usize) -> FeedConfig {
    let lines = [Line::A, Line::B].map(Line::group).to_vec();
    let recovery = RecoveryConfig {
        servers: u8::try_from(servers).unwrap(),
        request_messages: 100,
        answer_within: Nanos(20_000_000),
        tries_max: 6,
        give_up_after: Nanos(2_000_000_000),
        missing_max: 100_000,
    };
    let arbiter = ArbiterConfig {
        slots: 4_096,
        timeout: Nanos(1_000_000),
        start: Start::At(1),
        recovery: Some(recovery),
        ..ArbiterConfig::default()
    };
    FeedConfig { channels: vec![ChannelConfig { lines }], arbiter, ..FeedConfig::new(FeedKind::Itch50) }
}

/// A live receiver of `packets`, with sockets to `servers`.
struct Rig {
    receiver: Receiver<Port>,
    events: RingRx<BookEvent>,
    asks: RingRx<Ask>,
    answers: RingTx<Answer>,
    sockets: Vec<UdpSocket>,
}

impl Rig {
    fn new(packets: &[&Packet], servers: &[&RerequestServer]) -> Self {
        let (tx, events) = ring(1 << 17);
        let (asks_tx, asks) = ring(64);
        let (answers, answers_rx) = ring(256);
        let port = Port(packets.iter().map(|packet| packet.frame()).collect());
        let tx = EventTx::Live(GapTx::new(tx, 16));
        let receiver = Receiver::new("receiver", port, &config(servers.len()), tx).unwrap();
        let receiver = receiver.with_recovery(RecoveryEnds { asks: asks_tx, answers: answers_rx });
        let sockets = servers.iter().map(|server| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.connect(server.address()).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        Self { receiver, events, asks, answers, sockets: sockets.collect() }
    }

    /// Receives until message `last` is delivered or given up and nothing is being recovered.
    fn run(&mut self, last: u64) -> Vec<BookEvent> {
        let (mut events, end) = (Vec::new(), Instant::now() + Duration::from_secs(60));
        loop {
            let polled = self.receiver.poll(OsClock.now());
            let sockets = &self.sockets;
            self.asks.drain(64, |asks| {
                for ask in asks {
                    sockets[usize::from(ask.request.server)].send(&ask.packet()).unwrap();
                }
            });
            let mut bytes = [0; 2_048];
            for (server, socket) in (0..).zip(sockets) {
                while let Ok(len) = socket.recv(&mut bytes) {
                    self.answers.send(&[Answer::new(0, server, &bytes[..len])]);
                }
            }
            self.events.drain(usize::MAX, |chunk| events.extend_from_slice(chunk));
            self.receiver.housekeep(OsClock.now());
            let recovering = self.receiver.counters().iter().any(|(name, n)| name == "recovering" && n > 0);
            if self.receiver.stats().last_seq >= last && !recovering {
                return events;
            }
            assert!(Instant::now() < end, "it does not come to {last}: {:?}", self.receiver.stats().recovery);
            if polled.items == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
}

/// What an event says, whenever and from whomever it came.
fn said(event: &BookEvent) -> (u64, Action, u64, i64, u64) {
    (event.seq.0, event.action, event.order_id, event.px.0, event.qty.0.into())
}

fn of_books(events: &[BookEvent]) -> Vec<(u64, Action, u64, i64, u64)> {
    events.iter().filter(|e| !matches!(e.action, Action::Gap | Action::Time)).map(said).collect()
}

fn lossless(packets: &[Packet]) -> Vec<BookEvent> {
    let mut pcap = PcapWriter::new(Vec::new()).expect("memory is written");
    for packet in packets {
        pcap.frame(packet.ts_ns, &packet.frame()).expect("memory is written");
    }
    let config = FeedConfig { arbiter: ArbiterConfig::default(), ..config(1) };
    targets::replay(pcap.finish().expect("memory is written"), &config)
}

/// Whether every book that the events make is live, and whether there is one.
fn are_live(events: &[BookEvent]) -> bool {
    let books = featurizer::BookLimits { instruments: 8, ..featurizer::BookLimits::small() };
    let config = FeaturizerConfig { books, ..FeaturizerConfig::default() };
    let mut featurizer = Featurizer::new(&config).unwrap();
    let taken = featurizer.apply(events, &mut (&mut Vec::new(), &mut (), &mut ()));
    assert_eq!(taken, events.len());
    let states: Vec<_> = featurizer.books().map(|book| book.state()).collect();
    !states.is_empty() && states.iter().all(|state| state.is_live())
}

/// The last message of packets.
fn last_of(packets: &[Packet]) -> u64 {
    let next = |packet: &Packet| {
        moldudp64::Packet::parse(&packet.payload).expect("a packet of the simulator").next_sequence()
    };
    packets.iter().map(next).max().unwrap() - 1
}

/// A number from 0 to 1 that depends on nothing but its place.
fn chance(at: usize) -> f64 {
    let word = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(17) as f64 / u64::MAX as f64
}

/// Packets, and those of them that arrive: each line loses its own share of them, or both lose all within a blackout. The last ones
/// arrive, since what is lost behind them nobody can know.
fn arriving(packets: &[Packet], loss: f64, blackout: Option<(u64, u64)>) -> Vec<&Packet> {
    let kept = |(at, packet): &(usize, &Packet)| {
        let dark = blackout.is_some_and(|(from, to)| (from..to).contains(&packet.ts_ns));
        *at + 8 > packets.len() || (chance(*at) >= loss && !dark)
    };
    packets.iter().enumerate().filter(kept).map(|(_, packet)| packet).collect()
}

fn server(packets: &[Packet], faults: RerequestFaults) -> RerequestServer {
    let server = RerequestServer::open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), faults).unwrap();
    packets.iter().for_each(|packet| server.record(&packet.payload));
    server
}

#[test]
fn what_both_lines_lose_comes_back_and_the_books_are_those_of_a_run_that_lost_nothing() {
    let packets = first_packets(6_000);
    let (clean, last) = (of_books(&lossless(&packets)), last_of(&packets));
    let middle = packets[3_000].ts_ns;
    let blackout = Some((middle, middle + 200_000_000));
    let slow = RerequestFaults { loss: 0.1, delay: Duration::from_millis(3), ..RerequestFaults::default() };
    for (loss, blackout, faults) in [
        (0.001, None, RerequestFaults::default()),
        (0.03, None, RerequestFaults::default()),
        (0.1, None, slow),
        (0.32, None, RerequestFaults::default()),
        (0.0, blackout, slow),
        (0.1, blackout, RerequestFaults::default()),
    ] {
        let server = server(&packets, faults);
        let arriving = arriving(&packets, loss, blackout);
        let mut rig = Rig::new(&arriving, &[&server]);
        let events = rig.run(last);
        let stats = rig.receiver.stats();
        let named = format!(
            "{loss} {blackout:?}: {:?}, {} packets lost",
            stats.recovery,
            packets.len() - arriving.len()
        );
        println!("{named}");
        let found = of_books(&events);
        let differs = found.iter().zip(&clean).position(|(found, clean)| found != clean);
        assert!(differs.is_none(), "{named}: {:?}", differs.map(|at| (found[at], clean[at])));
        assert_eq!((found.len(), stats.gaps, stats.missing), (clean.len(), 0, 0), "{named}");
        assert!(are_live(&events), "{named}");
        let causes: Vec<u32> = events.iter().filter(|e| e.action == Action::Gap).map(|e| e.qty.0).collect();
        let told = [GapCause::Recovering, GapCause::Recovered].map(|cause| cause as u32);
        assert!(causes.chunks(2).all(|pair| pair == told), "{named}: {causes:?}");
        assert!(stats.recovery.recovered > 0 || loss < 0.01, "{named}");
    }
}

#[test]
fn a_server_that_lies_makes_no_event_and_one_beside_it_is_asked() {
    let packets = first_packets(1_500);
    let (clean, last) = (of_books(&lossless(&packets)), last_of(&packets));
    let dark = Some((packets[700].ts_ns, packets[760].ts_ns));
    for lie in [Lie::Silence, Lie::Session, Lie::Sequence, Lie::Garbage] {
        let liar = server(&packets, RerequestFaults { lie: Some(lie), ..RerequestFaults::default() });
        let honest = server(&packets, RerequestFaults::default());
        let arriving = arriving(&packets, 0.0, dark);
        let mut rig = Rig::new(&arriving, &[&liar, &honest]);
        let events = rig.run(last);
        assert_eq!(of_books(&events), clean, "{lie:?}");
        assert!(are_live(&events) && liar.requests() > 0 && honest.requests() > 0, "{lie:?}");
        assert_eq!(rig.receiver.stats().recovery.refused() > 0, lie != Lie::Silence, "{lie:?}");
        // By itself it is found out, and what it was asked for is lost.
        let mut rig = Rig::new(&arriving, &[&liar]);
        let events = rig.run(last);
        let stats = rig.receiver.stats();
        assert_eq!((stats.gaps, stats.recovery.recovered), (1, 0), "{lie:?}");
        let lost =
            |seq: u64| events.iter().any(|e| e.action == Action::Gap && seq.wrapping_sub(e.order_id) < e.aux);
        let wanted: Vec<_> = clean.iter().filter(|event| !lost(event.0)).copied().collect();
        assert!(wanted.len() < clean.len());
        assert_eq!(of_books(&events), wanted, "{lie:?}");
        assert!(!are_live(&events), "{lie:?}");
    }
}

/// Where the venue's server listens in the namespace.
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 192, 12, 1), 26_500);

/// The datagrams without those of 200 ms on both lines, and without one in a hundred of each line.
fn with_losses(all: &[Datagram]) -> Vec<Datagram> {
    let from = all[all.len() / 3].ts_ns;
    let dark = from..from + 200_000_000;
    let kept = |(at, datagram): &(usize, &Datagram)| !dark.contains(&datagram.ts_ns) && chance(*at) >= 0.01;
    let copy = |(_, d): (usize, &Datagram)| Datagram { ts_ns: d.ts_ns, to: d.to, payload: d.payload.clone() };
    all.iter().enumerate().filter(kept).map(copy).collect()
}

#[test]
fn the_daemon_recovers_what_both_lines_lost_and_says_so() {
    if !in_namespaces("recovered::the_daemon_recovers_what_both_lines_lost_and_says_so") {
        return;
    }
    let market = scenario("calm", &["--minutes", "2"]);
    let all = datagrams(&market.path().join("calm.pcap"));
    let server = RerequestServer::open(SERVER.into(), RerequestFaults::default()).unwrap();
    all.iter().for_each(|datagram| server.record(&datagram.payload));
    let appliance = Appliance::start(&format!("recovery = [\"udp:{SERVER}\"]\n"));
    let boot = appliance.printed("stdout");
    let row = boot.lines().find(|line| line.contains("recovery")).expect("the boot report has the thread");
    assert!(row.contains("udp:10.192.12.1:26500"), "{row}");
    let arriving = with_losses(&all);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&arriving, &stop));
        let _stop = StopOnDrop(&stop);
        appliance.wait_until("messages are recovered after the blackout", || {
            let feed = appliance.feed();
            let n = |value: &Value| value.as_u64().unwrap_or(0);
            n(&feed["messages"]) > last_sent(&all) / 2
                && n(&feed["recovery"]["recovered"]) > 0
                && feed["state"] == "live"
        });
        let feed = appliance.feed();
        assert_eq!((&feed["gaps"], &feed["missing"]), (&Value::from(0), &Value::from(0)), "{feed}");
        assert_eq!(
            (&feed["recovery"]["failed"], &feed["recovery"]["refused"]),
            (&0.into(), &0.into()),
            "{feed}"
        );
        appliance.wait_until("the books are live", || {
            let tiers = appliance.ask(&["tier", "show"], "tiers");
            let rows = tiers.as_array().unwrap();
            !rows.is_empty() && rows.iter().all(|row| row["book"] == "live")
        });
    });
    println!("{}", appliance.feed());
}

#[test]
fn a_server_that_is_of_no_use_leaves_the_daemon_stale_and_an_alert() {
    if !in_namespaces("recovered::a_server_that_is_of_no_use_leaves_the_daemon_stale_and_an_alert") {
        return;
    }
    let market = scenario("calm", &["--minutes", "2"]);
    let all = datagrams(&market.path().join("calm.pcap"));
    let faults = RerequestFaults { lie: Some(Lie::Session), ..RerequestFaults::default() };
    let server = RerequestServer::open(SERVER.into(), faults).unwrap();
    all.iter().for_each(|datagram| server.record(&datagram.payload));
    let appliance = Appliance::start(&format!("recovery = [\"udp:{SERVER}\"]\nrecovery_ms = 300\n"));
    let arriving = with_losses(&all);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&arriving, &stop));
        let _stop = StopOnDrop(&stop);
        appliance.wait_until("what the server does not send is given up", || {
            let feed = appliance.feed();
            feed["recovery"]["failed"].as_u64().unwrap_or(0) > 0 && feed["state"] == "stale"
        });
        let feed = appliance.feed();
        assert!(feed["gaps"].as_u64().unwrap() > 0 && feed["missing"].as_u64().unwrap() > 0, "{feed}");
        assert!(feed["recovery"]["refused"].as_u64().unwrap() > 0, "{feed}");
        assert_eq!(feed["recovery"]["recovered"], 0, "{feed}");
        appliance.wait_until("an alert tells of the feed, and every book is stale", || {
            let alerts = appliance.ask(&["alerts", "list"], "alerts");
            let tiers = appliance.ask(&["tier", "show"], "tiers");
            let books = tiers.as_array().unwrap();
            alerts["rows"].as_array().unwrap().iter().any(|row| row["scope"] == "feed:sim")
                && !books.is_empty()
                && books.iter().all(|row| row["book"] == "stale (gap)")
        });
    });
    drop(server);
}

/// The last message of a market.
fn last_sent(all: &[Datagram]) -> u64 {
    let next = |d: &Datagram| moldudp64::Packet::parse(&d.payload).unwrap().next_sequence();
    all.iter().map(next).max().unwrap()
}
