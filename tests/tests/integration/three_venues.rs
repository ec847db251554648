//! One daemon, one gate, three venues at once, each with a protocol, an interface and a cable of its own: orders in the instruments of
//! each are judged by its own book, and a cable that is cut closes its own instruments and no others.

use crate::daemon::{ctl, said};
use crate::on_a_wire::{Appliance, in_namespaces, sh};
use serde_json::Value;
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wire::moldudp64::{HEARTBEAT, Header, PacketBuilder};
use wire::{FromBytes, IntoBytes, deep10, iex, itch50, pitch};

/// The venue behind `v0`, which the network has, and two more, each on a cable of its own.
const CABLES: &str = "
    for i in 1 2; do
        ip link add f$i type veth peer name g$i
        ip link set f$i up
        ip link set g$i up
        ip addr add 10.192.2$i.1/24 dev g$i
        ip route add 239.192.2$i.0/24 dev g$i
    done";

/// The feeds beside `sim`, which speaks ITCH.
const FEEDS: &str = "
[[feed]]
name = \"cboe\"
kind = \"pitch\"
source = \"net_af_packet1,iface=f1,framecnt=1024\"
line_a = [\"239.192.21.1:30501\"]
stale_after_ms = 1000
instruments = 8
suffix = \".Z\"
[[feed]]
name = \"iex\"
kind = \"deep\"
source = \"net_af_packet2,iface=f2,framecnt=1024\"
line_a = [\"239.192.22.1:10378\"]
stale_after_ms = 1000
instruments = 8
";

/// A venue says that it lives so often.
const HEARTBEATS: Duration = Duration::from_millis(100);

/// Longer than a feed may be silent, a quote may be old and a lease may last.
const LONG: Duration = Duration::from_secs(7);

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// What a venue sends: its day up to now, then that it lives.
struct Script {
    from: &'static str,
    to: &'static str,
    /// A packet with messages: the number of its first one.
    day: fn(u64) -> Vec<u8>,
    /// How many messages that has.
    messages: u64,
    /// A packet without: the number of the message that comes next.
    alive: fn(u64) -> Vec<u8>,
}

/// A venue on its thread. It stops with this.
struct Venue {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Venue {
    fn open(script: Script) -> Self {
        let (stop, stopped) = channel::<()>();
        let send = move || {
            let socket = UdpSocket::bind(script.from).unwrap();
            let to: SocketAddrV4 = script.to.parse().unwrap();
            // On a cable that is cut nothing can be sent.
            let send = |packet: Vec<u8>| _ = socket.send_to(&packet, to);
            send((script.day)(1));
            while stopped.recv_timeout(HEARTBEATS) == Err(RecvTimeoutError::Timeout) {
                send((script.alive)(1 + script.messages));
            }
        };
        Self { stop: Some(stop), thread: Some(std::thread::spawn(send)) }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the venue sends");
        }
    }
}

/// NASDAQ's ITCH in MoldUDP64: orders of 500 at 99.99 and 100.01.
fn itch() -> Script {
    const SESSION: [u8; 10] = *b"000000DAY1";
    let day = |first| {
        let (ns, stock) = (36_000_000_000_000, *b"AAA     ");
        let mut room = [0; 1_000];
        let mut packet = PacketBuilder::new(&mut room, SESSION, first).unwrap();
        for message in [
            itch50::SystemEvent::new(0, 0, ns, itch50::event::START_OF_MESSAGES).as_bytes(),
            itch50::StockDirectory::common_stock(1, ns, stock, 100).as_bytes(),
            itch50::StockTradingAction::new(1, 0, ns, stock, b'T', b' ', *b"    ").as_bytes(),
            itch50::AddOrder::new(1, 0, ns, 1, b'B', 500, stock, 999_900).as_bytes(),
            itch50::AddOrder::new(1, 0, ns, 2, b'S', 500, stock, 1_000_100).as_bytes(),
        ] {
            assert!(packet.push(message));
        }
        let length = packet.finish();
        room[..length].to_vec()
    };
    let alive = |next| Header::new(SESSION, next, HEARTBEAT).as_bytes().to_vec();
    Script { from: "10.192.12.1:0", to: "239.192.12.1:26477", day, messages: 5, alive }
}

/// Cboe's PITCH in a sequenced unit: orders with the numbers of the other venue's, at 49.99 and 50.01.
fn pitch() -> Script {
    fn unit(sequence: u64, messages: &[&[u8]]) -> Vec<u8> {
        let length = |message: &[u8]| u8::try_from(message.len() + 1).unwrap();
        let body: Vec<u8> = messages.iter().flat_map(|m| [&[length(m)][..], m].concat()).collect();
        let header = pitch::UnitHeader {
            length: u16::try_from(8 + body.len()).unwrap().into(),
            count: u8::try_from(messages.len()).unwrap(),
            unit: 1,
            sequence: u32::try_from(sequence).unwrap().into(),
        };
        [header.as_bytes(), &body].concat()
    }
    let day = |first| {
        let symbol = *b"BBB   ";
        unit(
            first,
            &[
                pitch::Time::new(36_000).as_bytes(),
                pitch::UnitClear::new(1).as_bytes(),
                pitch::TradingStatus::new(2, *b"BBB     ", b'T', b'0', [b' '; 2]).as_bytes(),
                pitch::AddOrderLong::new(3, 1, b'B', 500, symbol, 499_900, 1).as_bytes(),
                pitch::AddOrderLong::new(4, 2, b'S', 500, symbol, 500_100, 1).as_bytes(),
            ],
        )
    };
    let alive = |next| unit(next, &[]);
    Script { from: "10.192.21.1:0", to: "239.192.21.1:30501", day, messages: 5, alive }
}

/// IEX's DEEP: levels of 500 at 19.99 and 20.01, and an instrument that has the name of the first venue's.
fn deep() -> Script {
    fn segment(first: u64, messages: &[&[u8]]) -> Vec<u8> {
        let header = iex::SegmentHeader {
            message_protocol: iex::PROTOCOL_DEEP_1_0.into(),
            channel: 1.into(),
            session: 7.into(),
            first_sequence: first.into(),
            ..iex::SegmentHeader::read_from_bytes(&[0; iex::HEADER_LEN]).unwrap()
        };
        let mut room = [0; 1_000];
        let mut segment = iex::SegmentBuilder::new(&mut room, header).unwrap();
        messages.iter().for_each(|message| assert!(segment.push(message)));
        let length = segment.finish();
        room[..length].to_vec()
    }
    let day = |first| {
        let (ns, symbol, taken) = (now_ns(), *b"CCC     ", *b"AAA     ");
        segment(
            first,
            &[
                deep10::SystemEvent::new(deep10::event::START_OF_MESSAGES, ns).as_bytes(),
                deep10::SecurityDirectory::new(0, ns, symbol, 100, 200_000, 1).as_bytes(),
                deep10::TradingStatus::new(b'T', ns, symbol, *b"    ").as_bytes(),
                deep10::PriceLevelUpdate::new(1, ns, symbol, 500, 199_900).as_bytes(),
                deep10::PriceLevelUpdate::sell(1, ns, symbol, 500, 200_100).as_bytes(),
                deep10::SecurityDirectory::new(0, ns, taken, 100, 10_000, 1).as_bytes(),
            ],
        )
    };
    let alive = |next| segment(next, &[]);
    Script { from: "10.192.22.1:0", to: "239.192.22.1:10378", day, messages: 6, alive }
}

/// A feed of the status, by its name.
fn feed(appliance: &Appliance, name: &str) -> Value {
    let mut status = appliance.ask(&["status"], "status");
    let feeds = status["feeds"].as_array_mut().unwrap();
    feeds.iter_mut().find(|feed| feed["name"] == name).unwrap_or_else(|| panic!("no feed {name}")).take()
}

/// What the gate refuses a purchase of one at `px` for; nothing where it lets it out.
fn refused(appliance: &Appliance, symbol: &str, px: &str) -> Vec<String> {
    let order = ["gate", "explain", "--symbol", symbol, "--side", "buy", "--px", px, "--qty", "1"];
    let explained = appliance.ask(&[&order[..], &["--strategy", "s", "--account", "a"]].concat(), "explain");
    let slugs = explained["breaches"].as_array().unwrap().iter();
    let slugs: Vec<String> = slugs.map(|breach| breach["slug"].as_str().unwrap().to_owned()).collect();
    assert_eq!(explained["decision"] == "reject", !slugs.is_empty(), "{explained}");
    slugs
}

/// Whether an order of the instrument at its venue's price is let out, at another's refused.
fn is_open(appliance: &Appliance, symbol: &str, px: &str) -> bool {
    appliance.ask(&["tier", "show"], "tiers").as_array().unwrap().iter().any(|row| row["symbol"] == symbol)
        && refused(appliance, symbol, px).is_empty()
}

const ITCH: (&str, &str, &str) = ("sim", "AAA", "100");
const PITCH: (&str, &str, &str) = ("cboe", "BBB.Z", "50");
const DEEP: (&str, &str, &str) = ("iex", "CCC", "20");

#[test]
fn three_protocols_stand_behind_one_gate_and_a_cable_that_is_cut_closes_its_own_venue() {
    let name =
        "three_venues::three_protocols_stand_behind_one_gate_and_a_cable_that_is_cut_closes_its_own_venue";
    if !in_namespaces(name) {
        return;
    }
    sh(CABLES);
    let appliance = Appliance::start(FEEDS);
    boots_with_three(&appliance);
    let _first = Venue::open(itch());
    let opens = |(feed, symbol, px): (&str, &str, &str)| {
        appliance.wait_until(&format!("{symbol} of {feed} is let out"), || is_open(&appliance, symbol, px));
    };
    opens(ITCH);
    assert_eq!(feed(&appliance, "cboe")["state"], "silent", "it has sent nothing yet");
    let _more = [pitch(), deep()].map(Venue::open);
    [ITCH, PITCH, DEEP].into_iter().for_each(opens);
    each_has_its_own_book(&appliance);
    a_name_that_is_taken_is_refused(&appliance);

    sh("ip link set g1 down");
    appliance.wait_until("the cut feed is stale", || feed(&appliance, "cboe")["state"] == "stale");
    let end = std::time::Instant::now() + LONG;
    while std::time::Instant::now() < end {
        let slugs = refused(&appliance, PITCH.1, PITCH.2);
        assert!(!slugs.is_empty(), "an order of a venue that nobody hears is let out");
        for (name, symbol, px) in [ITCH, DEEP] {
            assert_eq!(
                refused(&appliance, symbol, px),
                [""; 0],
                "{symbol} has nothing to do with that cable"
            );
            assert_eq!(feed(&appliance, name)["state"], "live");
        }
    }
    let slugs = refused(&appliance, PITCH.1, PITCH.2);
    assert!(slugs.iter().any(|slug| slug.contains("STALE")), "{slugs:?}");
    the_status_says_whose_it_is(&appliance);

    sh("ip link set g1 up; ip route add 239.192.21.0/24 dev g1 || true");
    appliance.wait_until("the cut feed is heard again", || feed(&appliance, "cboe")["state"] == "live");
    [ITCH, PITCH, DEEP].into_iter().for_each(opens);
    assert_eq!(feed(&appliance, "cboe")["gaps"], 0, "nothing was sent meanwhile but that it lives");
}

fn boots_with_three(appliance: &Appliance) {
    let boot = appliance.printed("stdout");
    for row in ["receiver sim", "receiver cboe", "receiver iex", "books and features of cboe"] {
        assert_eq!(boot.lines().filter(|line| line.contains(row)).count(), 1, "{row}:\n{boot}");
    }
    assert!(boot.contains("65536 events of each feed"), "{boot}");
    let status = appliance.ask(&["status"], "status");
    let names = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&status["feeds"], "name"), ["sim", "cboe", "iex"]);
    let stages = names(&status["load"]["stages"], "stage");
    assert_eq!(stages[..4], ["receiver sim", "receiver cboe", "receiver iex", "featurizer"]);
    let rings = names(&status["load"]["rings"], "ring");
    assert_eq!(rings[..3], ["events of sim", "events of cboe", "events of iex"]);
}

/// Order numbers 1 and 2 are two venues'; nobody's price is another's.
fn each_has_its_own_book(appliance: &Appliance) {
    for (_, symbol, _) in [ITCH, PITCH, DEEP] {
        for (_, other, px) in [ITCH, PITCH, DEEP] {
            let slugs = refused(appliance, symbol, px);
            // Dearer than its own price it is outside the collar; cheaper it only rests.
            let dearer = |at: &str| [ITCH, PITCH, DEEP].iter().position(|(_, s, _)| *s == at).unwrap();
            if dearer(other) < dearer(symbol) {
                assert!(!slugs.is_empty(), "{symbol} at the price of {other}");
            }
        }
    }
    let counted = |name: &str| feed(appliance, name)["messages"].as_u64().unwrap();
    assert_eq!(["sim", "cboe", "iex"].map(counted), [5, 5, 6]);
}

fn a_name_that_is_taken_is_refused(appliance: &Appliance) {
    let wanted = "feed iex names AAA, which feed sim has named already: orders of it are judged by the latter's book alone";
    appliance.wait_until("the second name is told", || appliance.printed("stderr").contains(wanted));
}

fn the_status_says_whose_it_is(appliance: &Appliance) {
    let tiers = appliance.ask(&["tier", "show"], "tiers");
    let book = |symbol: &str| {
        let row = tiers.as_array().unwrap().iter().find(|row| row["symbol"] == symbol);
        row.unwrap_or_else(|| panic!("no {symbol}"))["book"].as_str().unwrap().to_owned()
    };
    assert_eq!([book("AAA"), book("CCC")], ["live", "live"]);
    assert_ne!(book("BBB.Z"), "live");
    let table = said(&ctl(&appliance.socket(), &["status"]));
    let row = |name: &str| {
        let start = format!("feed {name}");
        table.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {start}:\n{table}"))
    };
    assert!(row("cboe").contains("stale"), "{table}");
    assert!(row("sim").contains("live") && row("iex").contains("live"), "{table}");
}
