//! The gateway over real sockets.

use super::desk::{ALERTS, Door};
use super::sessions::{START, config};
use crate::fix::copying::Copying;
use crate::fix::dictionary::Version;
use crate::fix::gateway::DropCopy;
use crate::fix::gateway::Relay;
use crate::fix::serve::Serving;
use crate::fix::session::Role;
use crate::fix::setup::OwnCancels;
use crate::fix::write::Writer;
use crate::fix::{tags, time};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use types::{Nanos, UnixNanos};

struct Host {
    serving: Serving<Door>,
    venue: TcpListener,
    at: SocketAddr,
    now: UnixNanos,
    _folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self::that_cancels(OwnCancels { on_disconnect: false, on_halt: true })
    }

    fn that_cancels(cancels: OwnCancels) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let firm = config(Version::Fix44, Role::Acceptor, ("GATE", "FIRM"));
        let venue = config(Version::Fix44, Role::Initiator, ("US", "VENUE"));
        let relay = Relay::open(folder.path(), firm, venue, ALERTS, Door::new(), START).expect("stores");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let venue = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("a port");
        let serving =
            Serving::new(relay, listener, venue.local_addr().expect("a port"), cancels).expect("a gateway");
        Self { serving, venue, at, now: START, _folder: folder }
    }

    /// Lets a second pass on the gateway's clock, and a moment on everybody else's.
    fn turn(&mut self) {
        for _ in 0..20 {
            self.now = self.now.plus(Nanos(50_000_000));
            self.serving.turn(self.now);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn connect(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.at).expect("it listens");
        stream.set_nonblocking(true).expect("a socket");
        self.turn();
        stream
    }

    fn log_on(&self, stream: &mut TcpStream) {
        self.log_on_as(b"FIRM", stream);
    }

    fn log_on_as(&self, who: &[u8], stream: &mut TcpStream) {
        let mut writer = Writer::new();
        writer.begin(b"A");
        writer.number(tags::MSG_SEQ_NUM, 1);
        writer.text(tags::SENDER_COMP_ID, who);
        writer.text(tags::SENDING_TIME, &time::text(self.now));
        writer.text(tags::TARGET_COMP_ID, b"GATE");
        writer.number(tags::ENCRYPT_METHOD, 0);
        writer.number(tags::HEART_BT_INT, 30);
        stream.write_all(writer.finish(b"FIX.4.4").expect("it fits")).expect("sent");
    }
}

/// What came; none where the other side has closed.
fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = [0; 4_096];
    match stream.read(&mut bytes) {
        Ok(0) => None,
        Ok(count) => Some(String::from_utf8_lossy(&bytes[..count]).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Some(String::new()),
        Err(_) => None,
    }
}

#[test]
fn a_second_connection_is_closed_and_the_first_one_lives() {
    let mut host = Host::new();
    let mut first = host.connect();
    host.log_on(&mut first);
    host.turn();
    assert!(read(&mut first).expect("it lives").contains("\x0135=A\x01"));
    let mut second = host.connect();
    host.log_on(&mut second);
    host.turn();
    assert_eq!(read(&mut second), None, "closed without a word");
    assert_eq!(read(&mut first).as_deref(), Some(""), "the first one heard nothing of it");
    assert!(
        host.serving.said.iter().any(|line| line.contains("a second connection")),
        "{:?}",
        host.serving.said
    );
    drop(first);
    host.turn();
    let mut third = host.connect();
    host.log_on(&mut third);
    host.turn();
    assert!(read(&mut third).is_some_and(|said| said.contains("MsgSeqNum too low")), "its place is known");
}

/// A second party hears what the firm hears, and is no firm: it has one connection, and orders nothing.
#[test]
fn a_drop_copy_is_told_what_the_firm_is_told() {
    let mut host = Host::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("a port");
    let ids = config(Version::Fix44, Role::Acceptor, ("GATE", "BACK"));
    let copy = DropCopy::open(host._folder.path(), ids).expect("a store");
    host.serving.copying = Some(Copying::new(copy, listener).expect("it listens"));
    let mut firm = host.connect();
    host.log_on(&mut firm);
    host.turn();
    // The venue is away, and so the order is refused.
    let order = |seq: u64, who: &[u8], now: UnixNanos| {
        let mut writer = Writer::new();
        writer.begin(b"D");
        writer.number(tags::MSG_SEQ_NUM, seq);
        writer.text(tags::SENDER_COMP_ID, who);
        writer.text(tags::SENDING_TIME, &time::text(now));
        writer.text(tags::TARGET_COMP_ID, b"GATE");
        for (tag, value) in [(11, "a"), (55, "AAPL"), (54, "1"), (38, "1"), (40, "2"), (44, "100.00")] {
            writer.text(tag, value.as_bytes());
        }
        writer.time(tags::TRANSACT_TIME, now);
        writer.finish(b"FIX.4.4").expect("it fits").to_vec()
    };
    firm.write_all(&order(2, b"FIRM", host.now)).expect("sent");
    host.turn();
    let told = read(&mut firm).expect("it lives");
    assert!(told.contains("\x0111=a\x01") && told.contains("\x0139=8\x01"), "{told}");
    let mut back = TcpStream::connect(at).expect("it listens");
    back.set_nonblocking(true).expect("a socket");
    host.turn();
    let second = TcpStream::connect(at).expect("it listens");
    second.set_nonblocking(true).expect("a socket");
    host.turn();
    assert_eq!(read(&mut back), None, "one party at a time, and whoever has not logged on gives way");
    let mut back = second;
    host.log_on_as(b"BACK", &mut back);
    host.turn();
    let copied = read(&mut back).expect("it lives");
    assert!(copied.contains("\x0156=BACK\x01") && copied.contains("\x0135=A\x01"), "{copied}");
    // Asked for what was sent before it came: the report is number 1, and the logon number 2.
    let mut again = Writer::new();
    again.begin(b"2");
    again.number(tags::MSG_SEQ_NUM, 2);
    again.text(tags::SENDER_COMP_ID, b"BACK");
    again.text(tags::SENDING_TIME, &time::text(host.now));
    again.text(tags::TARGET_COMP_ID, b"GATE");
    again.number(tags::BEGIN_SEQ_NO, 1);
    again.number(tags::END_SEQ_NO, 0);
    back.write_all(again.finish(b"FIX.4.4").expect("it fits")).expect("sent");
    back.write_all(&order(3, b"BACK", host.now)).expect("sent");
    host.turn();
    let said = read(&mut back).expect("it lives");
    for wanted in ["\x0135=8\x01", "\x0111=a\x01", "\x01797=Y\x01", "\x0143=Y\x01", "\x0135=j\x01"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
}

#[test]
fn who_says_nothing_or_nonsense_is_left() {
    let mut host = Host::new();
    let mut silent = host.connect();
    for _ in 0..12 {
        host.turn();
    }
    assert_eq!(read(&mut silent), None, "no logon in ten seconds");
    let mut nonsense = host.connect();
    nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    host.turn();
    assert_eq!(read(&mut nonsense), None);
    assert!(host.serving.said.iter().any(|line| line.contains("not a logon for this session")));
}

#[test]
fn the_venue_is_tried_again_until_it_is_there_and_left_in_order() {
    let mut host = Host::new();
    host.turn();
    host.venue.set_nonblocking(true).expect("a socket");
    let accept = |host: &mut Host| {
        for _ in 0..50 {
            host.turn();
            if let Ok((stream, _)) = host.venue.accept() {
                stream.set_nonblocking(true).expect("a socket");
                return stream;
            }
        }
        panic!("the gateway does not connect");
    };
    let mut venue = accept(&mut host);
    host.turn();
    assert!(read(&mut venue).expect("a logon").contains("\x0135=A\x01"));
    drop(venue);
    let mut venue = accept(&mut host);
    host.turn();
    assert!(read(&mut venue).expect("another logon").contains("\x0134=2\x01"));
    host.serving.stop(host.now);
    host.turn();
    host.turn();
    host.turn();
    assert!(host.serving.has_stopped(host.now));
    assert_eq!(read(&mut venue), None);
}

#[test]
fn a_firm_that_logs_on_orders_and_leaves_at_once_keeps_no_order() {
    let mut host = Host::that_cancels(OwnCancels { on_disconnect: true, on_halt: true });
    host.turn();
    host.venue.set_nonblocking(true).expect("a socket");
    let mut venue = loop {
        host.turn();
        if let Ok((stream, _)) = host.venue.accept() {
            break stream;
        }
    };
    venue.set_nonblocking(true).expect("a socket");
    host.turn();
    assert!(read(&mut venue).expect("a logon").contains("\x0135=A\x01"));
    let sent = |host: &Host, kind: &[u8], number: u64, ids: (&[u8], &[u8]), fields: &[(i32, &[u8])]| {
        let mut writer = Writer::new();
        writer.begin(kind);
        writer.number(tags::MSG_SEQ_NUM, number);
        writer.text(tags::SENDER_COMP_ID, ids.0);
        writer.text(tags::SENDING_TIME, &time::text(host.now));
        writer.text(tags::TARGET_COMP_ID, ids.1);
        fields.iter().for_each(|(tag, value)| writer.text(*tag, value));
        writer.finish(b"FIX.4.4").expect("it fits").to_vec()
    };
    let logon: [(i32, &[u8]); 2] = [(tags::ENCRYPT_METHOD, b"0"), (tags::HEART_BT_INT, b"30")];
    venue.write_all(&sent(&host, b"A", 1, (b"VENUE", b"US"), &logon)).expect("sent");
    host.turn();
    // One segment, and the connection's end behind it.
    let mut firm = TcpStream::connect(host.at).expect("it listens");
    let order: [(i32, &[u8]); 9] = [
        (tags::CL_ORD_ID, b"a"),
        (21, b"1"),
        (tags::SYMBOL, b"AAPL"),
        (tags::SIDE, b"1"),
        (tags::TRANSACT_TIME, &time::text(host.now)),
        (tags::ORDER_QTY, b"100"),
        (tags::ORD_TYPE, b"2"),
        (tags::PRICE, b"100.00"),
        (tags::TIME_IN_FORCE, b"0"),
    ];
    let ids: (&[u8], &[u8]) = (b"FIRM", b"GATE");
    let all = [
        sent(&host, b"A", 1, ids, &logon),
        sent(&host, b"D", 2, ids, &order),
        sent(&host, b"5", 3, ids, &[]),
    ];
    firm.write_all(&all.concat()).expect("sent");
    drop(firm);
    host.turn();
    let heard = read(&mut venue).expect("it lives");
    let (order, cancel) = (heard.find("\x0135=D\x01"), heard.find("\x0135=F\x01"));
    assert!(order.is_some() && order < cancel, "{heard:?}");
    assert!(heard.contains("\x0141=a\x01"), "{heard:?}");
}
