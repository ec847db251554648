//! One packet that somebody else sent, or a few, among those of two healthy lines: what a replay says of it, and what it does not change.

use std::path::Path;

use simulator::{Line, Packet, PcapWriter};
use tempfile::TempDir;
use wire::IntoBytes as _;
use wire::itch50::OrderDelete;
use wire::moldudp64::{self, END_OF_SESSION, HEARTBEAT, Header, PacketBuilder};

use crate::fuzz::first_packets;
use crate::tables::{column, replay, rows};

/// Packets of the market, half of each line, and the one after which the forged ones come.
const PACKETS: usize = 900;
const FORGED_AT: usize = 500;

/// Line, number and messages of each packet, then what comes after it from somebody else.
fn header(packet: &Packet) -> Header {
    let read = moldudp64::Packet::parse(&packet.payload).expect("a packet of the simulator");
    Header::new(read.session(), read.sequence(), read.message_count())
}

/// The number that follows what the packets up to this one have brought.
fn next_of(packets: &[Packet]) -> u64 {
    let ends = packets.iter().map(header).filter(|header| header.count.get() < END_OF_SESSION);
    ends.map(|header| header.sequence.get() + u64::from(header.count.get())).max().expect("some")
}

/// A packet of the line and time of `like` with one message: the deletion of an order that there never was.
fn forged(like: &Packet, seq: u64) -> Packet {
    let mut payload = vec![0; 200];
    let mut builder = PacketBuilder::new(&mut payload, header(like).session, seq).expect("room");
    let ts = like.ts_ns % (24 * 3_600 * 1_000_000_000);
    assert!(builder.push(OrderDelete::new(1, 0, ts, u64::MAX).as_bytes()));
    let len = builder.finish();
    payload.truncate(len);
    Packet { payload, ..like.clone() }
}

/// One without messages: a heartbeat, or the end of the session.
fn empty(like: &Packet, line: Line, seq: u64, count: u16) -> Packet {
    let payload = Header::new(header(like).session, seq, count).as_bytes().to_vec();
    Packet { payload, line, ..like.clone() }
}

/// A replay: its summary, and tables.
struct Seen {
    out: TempDir,
    summary: serde_json::Value,
}

impl Seen {
    fn of(packets: &[Packet], orders_at: &[u64]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut pcap = PcapWriter::new(Vec::new()).expect("memory is written");
        packets
            .iter()
            .for_each(|packet| pcap.frame(packet.ts_ns, &packet.frame()).expect("memory is written"));
        let (capture, orders) = (dir.path().join("two.pcap"), dir.path().join("orders.csv"));
        std::fs::write(&capture, pcap.finish().expect("memory is written")).unwrap();
        let symbol = symbol_of(&capture);
        let mut table = "ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif\n".to_owned();
        for (n, ts) in orders_at.iter().enumerate() {
            table.push_str(&format!("{ts},{},A,S,{symbol},buy,1,0.01,limit,day\n", n + 1));
        }
        std::fs::write(&orders, table).unwrap();
        let out =
            replay(&capture, &["--static", "--write", "bbo,verdicts", "--orders", orders.to_str().unwrap()]);
        let summary = std::fs::read_to_string(out.path().join("summary.json")).unwrap();
        Self { out, summary: serde_json::from_str(&summary).unwrap() }
    }

    fn table(&self, name: &str) -> Vec<u8> {
        tests::table_bytes(self.out.path(), name)
    }

    /// The codes of the orders.
    fn codes(&self) -> Vec<String> {
        let code = column("verdicts.csv", "code");
        rows(self.out.path(), "verdicts.csv").into_iter().map(|mut row| row.swap_remove(code)).collect()
    }

    fn dropped(&self) -> &serde_json::Value {
        &self.summary["dropped"]
    }

    /// What each line skipped.
    fn missing(&self) -> Vec<u64> {
        let lines = self.summary["lines"].as_array().unwrap();
        lines.iter().map(|line| line["lost"].as_u64().unwrap()).collect()
    }
}

/// The first instrument of the market.
fn symbol_of(capture: &Path) -> String {
    let out = replay(capture, &["--static"]);
    let text = std::fs::read_to_string(out.path().join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let books = summary["books"].as_object().unwrap();
    books.keys().next().expect("an instrument").clone()
}

/// What was sent, and when two orders come: before anything is forged, and at the end.
fn market() -> (Vec<Packet>, [u64; 2]) {
    let packets = first_packets(PACKETS);
    // Orders are told apart by the times of the venue, which are before those of arrival.
    let at = [packets[FORGED_AT - 50].ts_ns, packets[PACKETS - 1].ts_ns + 1_000_000];
    (packets, at)
}

fn with(packets: &[Packet], more: Vec<Packet>) -> Vec<Packet> {
    let (before, after) = packets.split_at(FORGED_AT);
    [before, &more, after].concat()
}

#[test]
fn one_forged_packet_ahead_of_both_lines_changes_no_verdict() {
    let (packets, at) = market();
    let clean = Seen::of(&packets, &at);
    let next = next_of(&packets[..FORGED_AT]);
    assert!(next_of(&packets) > next + 60, "the lines come to it");
    for ahead in [1, 5, 60] {
        let seen = Seen::of(&with(&packets, vec![forged(&packets[FORGED_AT - 1], next + ahead)]), &at);
        assert_eq!(seen.dropped(), &serde_json::json!({"stray_jumps": 1}), "{ahead}");
        assert_eq!(
            (&seen.summary["stale_books"], &seen.summary["gaps"]),
            (&serde_json::json!({}), &0.into())
        );
        assert_eq!(seen.summary["unknown_orders"], clean.summary["unknown_orders"]);
        for table in ["bbo.csv", "verdicts.csv"] {
            assert!(seen.table(table) == clean.table(table), "{ahead}: {table}");
        }
        assert!(seen.codes().iter().all(|code| code != "901"), "{:?}", seen.codes());
    }
}

#[test]
fn a_stray_heartbeat_ahead_is_counted_and_no_line_lacks_what_it_brought() {
    let (packets, at) = market();
    let clean = Seen::of(&packets, &at);
    let like = &packets[FORGED_AT - 1];
    let stray = empty(like, like.line, next_of(&packets[..FORGED_AT]) + 60, HEARTBEAT);
    let seen = Seen::of(&with(&packets, vec![stray]), &at);
    assert_eq!((seen.missing(), clean.missing()), (vec![0, 0], vec![0, 0]));
    assert_eq!(seen.dropped(), &serde_json::json!({"stray_jumps": 1}));
    assert!(seen.table("verdicts.csv") == clean.table("verdicts.csv"));
}

#[test]
fn an_end_of_session_that_both_lines_said_is_taken_back_when_the_session_goes_on() {
    let (packets, [before, after]) = market();
    let like = &packets[FORGED_AT - 1];
    let next = next_of(&packets[..FORGED_AT]);
    let ends = [Line::A, Line::B].map(|line| empty(like, line, next, END_OF_SESSION)).to_vec();
    let at = [before, like.ts_ns + 1, after];
    let (clean, seen) = (Seen::of(&packets, &at), Seen::of(&with(&packets, ends.clone()), &at));
    let open = clean.codes();
    assert_ne!(open[1], "400");
    assert_eq!(seen.codes(), [&open[0], "400", &open[2]], "closed until the session goes on");
    assert_eq!(
        (&seen.summary["ends_taken_back"], &seen.summary["stale_books"]),
        (&1.into(), &serde_json::json!({}))
    );
    assert!(clean.summary.get("ends_taken_back").is_none());
    // After a true end one packet opens nothing.
    let mut over = [&packets[..FORGED_AT], &ends].concat();
    over.push(forged(like, next));
    let seen = Seen::of(&over, &at);
    assert_eq!(seen.codes(), [&open[0], "400", "400"]);
    assert!(seen.summary.get("ends_taken_back").is_none());
}
