//! What is lost, repeated or delayed on two lines is made good by the other, or said: events against the plain reckoning of what
//! arrived at all.

use std::collections::BTreeSet;

use dataplane::{ChannelConfig, FeedConfig, FeedKind};
use proptest::prelude::*;
use simulator::fault::{FaultConfig, FaultInjector};
use simulator::{Line, Packet, PcapWriter};
use types::{Action, BookEvent};
use wire::moldudp64;

use crate::fuzz::{first_packets, targets};

/// The sequence numbers of the messages that a packet carries.
fn sequences(packet: &Packet) -> std::ops::Range<u64> {
    let read = moldudp64::Packet::parse(&packet.payload).expect("a packet of the simulator");
    read.sequence()..read.sequence() + u64::from(read.message_count())
}

/// The events of packets as a capture of both lines gives them.
fn events(packets: &[Packet]) -> Vec<BookEvent> {
    let mut pcap = PcapWriter::new(Vec::new()).expect("memory is written");
    for packet in packets {
        pcap.frame(packet.ts_ns, &packet.frame()).expect("memory is written");
    }
    let lines = [Line::A, Line::B].map(Line::group).to_vec();
    let config = FeedConfig { channels: vec![ChannelConfig { lines }], ..FeedConfig::new(FeedKind::Itch50) };
    targets::replay(pcap.finish().expect("memory is written"), &config)
}

/// What an event says, whichever line brought it first.
fn said(event: &BookEvent) -> (u64, Action, u64, i64, u64) {
    (event.seq.0, event.action, event.order_id, event.px.0, event.qty.0.into())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_line_loses_the_other_brings_and_what_both_lose_is_a_gap(
        seed in any::<u64>(),
        loss in 0.0..0.25_f64,
        duplication in 0.0..0.1_f64,
        reordering in 0.0..0.1_f64,
        skew_ns in 0..20_000_u64,
    ) {
        let packets = first_packets(600);
        // Until the instruments are announced nothing is lost.
        let (whole, rest) = packets.split_at(40);
        let config = FaultConfig {
            seed,
            loss,
            duplication,
            reordering,
            reordering_ns_max: 50_000,
            skew_ns,
            ..FaultConfig::default()
        };
        let (arrived, _) = FaultInjector::new(config).apply(rest);
        let arrived = [whole, &arrived[..]].concat();
        let delivered: BTreeSet<u64> = arrived.iter().flat_map(sequences).collect();
        let found = events(&arrived);
        let missing: u64 = found.iter().filter(|e| e.action == Action::Gap).map(|e| e.aux).sum();
        let got: Vec<_> = found.iter().filter(|e| e.seq.0 > 0 && e.action != Action::Gap).map(said).collect();
        let clean = events(&packets);
        let expected: Vec<_> = clean.iter().filter(|e| delivered.contains(&e.seq.0)).map(said).collect();
        let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
        prop_assert!(differs.is_none(), "{:?}", differs.map(|at| (got[at], expected[at])));
        prop_assert_eq!(got.len(), expected.len());
        // What is lost behind the last packet that came, nobody can know.
        let last = delivered.last().expect("some arrive");
        prop_assert_eq!(missing, last - delivered.len() as u64);
    }
}
