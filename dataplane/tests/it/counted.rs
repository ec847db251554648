//! What a feed drops or doubts while it runs, counted where somebody sees it, and what is no business of the feed's.

use std::collections::BTreeMap;
use std::io::Cursor;

use dataplane::source::{Layer, Packet, SourceStatus};
use dataplane::{
    ChannelConfig, EventTx, Feed, FeedConfig, FeedKind, FeedStats, FileOptions, FileSource, PacketSource,
    Receiver, SourceError,
};
use stage::{GapTx, Stage, ring};
use types::UnixNanos;
use wire::IntoBytes;
use wire::frame::LinkType;
use wire::itch50::{AddOrder, StockDirectory};

use crate::common::replay_source;
use crate::wirekit::{Endian, LINES, SESSION, add, adds, frame, mold, pcap};

/// Frames of a live port, each with whether its card found a checksum wrong.
struct Port(Vec<(bool, Vec<u8>)>);

impl PacketSource for Port {
    fn next_burst(
        &mut self,
        _max: usize,
        mut sink: impl FnMut(Packet<'_>) -> bool,
    ) -> Result<SourceStatus, SourceError> {
        for (condemned, bytes) in self.0.drain(..) {
            let link = LinkType::Ethernet;
            let layer = if condemned { Layer::Condemned(link) } else { Layer::Frame(link) };
            sink(Packet { bytes: &bytes, ts: UnixNanos(0), layer, offset: 0 });
        }
        Ok(SourceStatus::Open)
    }

    fn name(&self) -> &str {
        "port"
    }
}

/// What a live receiver of both lines counted of these frames: its statistics, and what it publishes at its housekeeping.
fn counted(frames: Vec<(bool, Vec<u8>)>) -> (FeedStats, BTreeMap<&'static str, u64>) {
    let config = FeedConfig {
        channels: vec![ChannelConfig { lines: LINES.to_vec() }],
        ..FeedConfig::new(FeedKind::Itch50)
    };
    let (tx, _rx) = ring(256);
    let tx = EventTx::Live(GapTx::new(tx, 16));
    let mut receiver = Receiver::new("receiver", Port(frames), &config, tx).unwrap();
    receiver.poll(UnixNanos(1));
    receiver.housekeep(UnixNanos(2));
    let published = receiver.counters().iter().collect();
    let bad: Vec<_> =
        receiver.lines().iter().filter_map(dataplane::LineReader::read).map(|line| line.bad).collect();
    let stats = receiver.stats();
    assert_eq!(bad, stats.lines.iter().map(|line| line.stats.bad).collect::<Vec<_>>());
    (stats, published)
}

/// Good frames of line A.
fn of_a(payloads: impl IntoIterator<Item = Vec<u8>>) -> Vec<(bool, Vec<u8>)> {
    payloads.into_iter().map(|payload| (false, frame(LINES[0], &payload))).collect()
}

#[test]
fn a_line_whose_every_packet_is_condemned_is_no_silent_one() {
    let mut frames = of_a([adds(1, 2), adds(3, 1)]);
    frames.extend((0..5).map(|n| (true, frame(LINES[1], &adds(n + 1, 1)))));
    let (stats, published) = counted(frames);
    assert_eq!((stats.messages, stats.bad_checksums, stats.condemned), (3, 5, 5), "they are not read");
    assert_eq!(stats.lines.iter().map(|line| line.stats.bad).collect::<Vec<_>>(), [0, 5]);
    assert_eq!((published["bad_checksums"], published["dropped_bad_checksums"]), (5, 5));
    assert_eq!((published["dropped"], published["errors"], published["packets"]), (5, 0, 7));
}

#[test]
fn what_makes_books_doubtful_is_counted_while_it_happens() {
    let directory =
        |locate, stock: &[u8; 8]| StockDirectory::common_stock(locate, 6, *stock, 100).as_bytes().to_vec();
    let order = |locate, n, stock: &[u8; 8]| {
        AddOrder::new(locate, 0, 1_000 + n, n, b'B', 300, *stock, 1).as_bytes().to_vec()
    };
    let mut sideless = add(4);
    sideless[19] = b'?';
    let messages =
        [directory(1, b"A       "), order(1, 90, b"B       "), directory(1, b"C       "), sideless];
    let (stats, published) = counted(of_a([mold(SESSION, 1, &messages)]));
    assert_eq!((stats.foreign_stocks, stats.redefined_locates, stats.bad_fields), (1, 1, 1));
    assert_eq!((published["dropped_foreign_stocks"], published["dropped_bad_fields"]), (1, 1));
    assert_eq!((published["redefined_locates"], published["dropped"], published["errors"]), (1, 2, 0));
}

#[test]
fn a_sequence_that_begins_again_is_counted_while_it_runs() {
    let retold =
        |seq: u64| mold(SESSION, seq, &(seq..seq + 3).map(|n| add(1_000_000 + n)).collect::<Vec<_>>());
    let payloads = [adds(1, 2), adds(3, 2), retold(1), retold(4), retold(7)];
    let both = payloads.iter().flat_map(|payload| LINES.map(|line| (false, frame(line, payload))));
    let (stats, published) = counted(both.collect());
    assert_eq!((stats.restarts, published["restarts"]), (1, 1));
}

#[test]
fn every_cause_has_a_counter_of_its_own() {
    let (stats, published) = counted(of_a([adds(1, 1)]));
    let names: Vec<String> =
        stats.dropped_by_cause().iter().map(|(cause, _)| format!("dropped_{cause}")).collect();
    let of_causes = published.keys().filter(|name| name.starts_with("dropped_")).count();
    assert!(names.iter().all(|name| published.contains_key(name.as_str())), "{names:?}");
    assert_eq!(of_causes, names.len());
}

#[test]
fn what_others_send_on_the_port_of_a_feed_is_no_damage() {
    let of = |group, change: fn(&mut Vec<u8>)| {
        let mut frame = frame(group, &adds(1, 1));
        change(&mut frame);
        (false, frame)
    };
    let elsewhere = std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(239, 1, 2, 3), 5_000);
    let others = vec![
        // ARP, LLDP and IPv6; TCP and IGMP.
        of(LINES[0], |f| f[12..14].copy_from_slice(&[0x08, 0x06])),
        of(LINES[0], |f| f[12..14].copy_from_slice(&[0x88, 0xcc])),
        of(LINES[0], |f| f[12..14].copy_from_slice(&[0x86, 0xdd])),
        of(LINES[0], |f| f[23] = 6),
        of(LINES[0], |f| f[23] = 2),
        // A fragment, a datagram that is cut short, one without right checksums, each for somebody else.
        of(elsewhere, |f| f[20] = 0x20),
        of(elsewhere, |f| f.truncate(60)),
        (true, of(elsewhere, |_| ()).1),
    ];
    let (stats, published) = counted(others.clone());
    assert_eq!((stats.other_traffic, stats.errors_total(), stats.bad_checksums), (8, 0, 0));
    assert_eq!((published["other_traffic"], published["errors"], published["dropped"]), (8, 0, 0));
    let (offset, reason) = stats.first_foreign.map(|(at, error)| (at, error.to_string())).unwrap();
    assert!(offset == 12 && reason.contains("0x0806"), "{offset} {reason}");
    // The same that happens to the feed's own is damage.
    let own = vec![of(LINES[0], |f| f[20] = 0x20), of(LINES[1], |f| f.truncate(60)), (false, vec![0; 9])];
    let condemned = vec![(true, of(LINES[0], |f| f[23] = 6).1), (true, of(LINES[0], |_| ()).1)];
    let (stats, _) = counted([others, own, condemned].concat());
    assert_eq!((stats.other_traffic, stats.errors_total(), stats.condemned), (8, 3, 2));
}

#[test]
fn a_condemned_frame_whose_port_is_damaged_is_damage_of_its_group() {
    let port_changed = || {
        let mut frame = frame(LINES[1], &adds(1, 1));
        frame[36] ^= 0x40;
        frame
    };
    let (stats, published) = counted(vec![(true, port_changed()), (false, port_changed())]);
    assert_eq!((stats.condemned, stats.other_traffic), (1, 1), "unless its checksums are right");
    assert_eq!((published["dropped_bad_checksums"], published["other_traffic"]), (1, 1));
    assert!(stats.lines.iter().all(|line| line.stats.bad == 0), "whose line it was, nobody knows");
}

#[test]
fn a_damaged_port_is_damage_in_a_capture_whose_line_sets_checksums() {
    let config = FeedConfig {
        channels: vec![ChannelConfig { lines: LINES.to_vec() }],
        ..FeedConfig::new(FeedKind::Itch50)
    };
    let replayed = |good: u64| {
        let mut damaged = frame(LINES[0], &adds(9, 1));
        damaged[36] ^= 0x40;
        let frames = (1..=good).map(|seq| frame(LINES[0], &adds(seq, 1))).chain([damaged]);
        let packets: Vec<_> = frames.enumerate().map(|(n, frame)| (n as u64 + 1, frame)).collect();
        let bytes = pcap(Endian::Little, true, &packets);
        let source = FileSource::from_reader("file", Box::new(Cursor::new(bytes)), FileOptions::default());
        replay_source(source.unwrap(), &config, 100).stats
    };
    let stats = replayed(8);
    assert_eq!((stats.messages, stats.bad_checksums, stats.condemned, stats.other_traffic), (8, 1, 1, 0));
    let stats = replayed(1);
    assert_eq!((stats.condemned, stats.other_traffic), (0, 1), "of one packet alone nothing is known");
}
