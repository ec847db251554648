//! The fuzz targets of `tests/fuzz` over the committed corpora and over thousands of inputs near them, in every run.
//!
//! The corpora are made here, by code; no byte in them comes from an exchange. `WRITE_CORPORA=1` writes them anew.

use std::collections::BTreeMap;
use std::fs;

use control::protocol::{parse_request, read_frame, write_frame};
use dataplane::{FeedConfig, FeedKind};
use dbn::encode::EncodeRecord as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use simulator::{FirmOrder, Line, Listener, MAGIC_NANOSECONDS, Options, Packet, PcapWriter, Scenario, Truth};
use stage::hist::{HistLog, latency_histogram, read_hlog};
use tests::repository;
use types::UnixNanos;
use wire::{FromBytes, IntoBytes};
use wire::{deep10, iex, itch50, mdp3, ouch42, ouch50, pitch, soupbin, tops16};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own for the fuzzer")]
pub(crate) mod targets;

/// Inputs tried near those of one corpus.
const CASES: u32 = 1_024;

/// Inputs by target and name.
type Corpora = BTreeMap<(&'static str, String), Vec<u8>>;

/// A change of an input.
#[derive(Clone, Debug)]
enum Edit {
    Flip {
        at: usize,
        bit: u8,
    },
    /// Numbers at the edge of what a field holds.
    Put {
        at: usize,
        word: u64,
        bytes: usize,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        at: usize,
        bytes: usize,
    },
    Repeat {
        at: usize,
        bytes: usize,
        to: usize,
    },
}

fn edit() -> impl Strategy<Value = Edit> {
    let edge = prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63), Just(0x7fff_ffff), any::<u64>()];
    let at = || any::<usize>();
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        (at(), edge, 1..=8_usize).prop_map(|(at, word, bytes)| Edit::Put { at, word, bytes }),
        (at(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        (at(), 1..200_usize).prop_map(|(at, bytes)| Edit::Cut { at, bytes }),
        (at(), 1..200_usize, at()).prop_map(|(at, bytes, to)| Edit::Repeat { at, bytes, to }),
    ]
}

fn edited(input: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = input.to_vec();
    for edit in edits {
        let place = |at: usize| if out.is_empty() { 0 } else { at % out.len() };
        match edit {
            Edit::Flip { at, bit } => {
                let at = place(*at);
                if let Some(byte) = out.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Edit::Put { at, word, bytes } => {
                let at = place(*at);
                for (slot, byte) in out[at..].iter_mut().zip(&word.to_be_bytes()[8 - bytes..]) {
                    *slot = *byte;
                }
            }
            Edit::Insert { at, bytes } => {
                let at = place(*at);
                out.splice(at..at, bytes.iter().copied());
            }
            Edit::Cut { at, bytes } => {
                let at = place(*at);
                out.drain(at..(at + bytes).min(out.len()));
            }
            Edit::Repeat { at, bytes, to } => {
                let (at, to) = (place(*at), place(*to));
                let copy = out[at..(at + bytes).min(out.len())].to_vec();
                out.splice(to..to, copy);
            }
        }
    }
    out
}

/// The first packets of a simulated market.
struct First {
    packets: Vec<Packet>,
    wanted: usize,
}

impl Listener for First {
    type Error = ();

    fn packet(&mut self, packet: &Packet) -> Result<(), ()> {
        self.packets.push(packet.clone());
        if self.packets.len() < self.wanted { Ok(()) } else { Err(()) }
    }

    fn order(&mut self, _: &FirmOrder) -> Result<(), ()> {
        Ok(())
    }

    fn truth(&mut self, _: &Truth) -> Result<(), ()> {
        Ok(())
    }
}

/// The first packets of a market of two instruments, on both lines.
pub(crate) fn first_packets(wanted: usize) -> Vec<Packet> {
    let options = Options { instruments: Some(2), ..Options::default() };
    let mut first = First { packets: Vec::new(), wanted };
    let scenario = Scenario::build("calm", &options).expect("a scenario");
    scenario.play(&mut first).expect_err("it ends early");
    first.packets
}

/// The first packet that is no heartbeat.
fn first_with_messages(market: &[Packet]) -> usize {
    market.iter().position(|packet| packet.payload.len() > 20).expect("a packet with messages")
}

/// `bytes` behind the byte that chooses a kind.
fn of_kind(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind], bytes].concat()
}

fn of_messages(corpora: &mut Corpora) {
    let (ns, stock) = (34_200_000_000_123, *b"FUZZ    ");
    let itch: [(&str, Vec<u8>); 7] = [
        ("system", itch50::SystemEvent::new(0, 0, ns, itch50::event::START_OF_MESSAGES).as_bytes().to_vec()),
        ("directory", itch50::StockDirectory::common_stock(1, ns, stock, 100).as_bytes().to_vec()),
        (
            "add",
            itch50::AddOrder::new(1, 0, ns, 7, itch50::side::BUY, 100, stock, 1_234_500).as_bytes().to_vec(),
        ),
        ("execute", itch50::OrderExecuted::new(1, 0, ns, 7, 40, 1).as_bytes().to_vec()),
        ("replace", itch50::OrderReplace::new(1, 0, ns, 7, 8, 60, 1_234_600).as_bytes().to_vec()),
        ("delete", itch50::OrderDelete::new(1, 0, ns, 8).as_bytes().to_vec()),
        (
            "trade",
            itch50::Trade::new(1, 0, ns, 0, itch50::side::BUY, 10, stock, 1_234_500, 2).as_bytes().to_vec(),
        ),
    ];
    for (name, message) in itch {
        corpora.insert(("messages", format!("itch-{name}")), of_kind(0, &message));
    }
    let level = deep10::PriceLevelUpdate::sell(1, ns, stock, 300, 1_234_500);
    corpora.insert(("messages", "deep-level".to_owned()), of_kind(1, level.as_bytes()));
    // A quote of TOPS is 42 bytes behind its type.
    let quote = [&[tops16::QuoteUpdate::TYPE][..], &[0; 41]].concat();
    corpora.insert(("messages", "tops-quote".to_owned()), of_kind(2, &quote));
}

/// The same packet of an Ethernet frame, by the names of the links it may come from: the link's place among those of the fuzzer, its number in
/// a capture, and the frame.
fn of_links(ethernet: &[u8]) -> [(&'static str, u8, u32, Vec<u8>); 6] {
    let (addresses, ip) = (&ethernet[..12], &ethernet[14..]);
    let tagged = |tags: &[u8]| [addresses, tags, &[8, 0], ip].concat();
    // Packet type, kind and length of the address, the address; then what follows.
    let cooked = |behind: &[u8]| [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], behind, ip].concat();
    // What follows, an index, the kinds, the length of the address, the address.
    let cooked2 = [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], ip].concat();
    [
        ("tagged", 0, 1, tagged(&[0x81, 0, 0, 7])),
        ("tagged-twice", 0, 1, tagged(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7])),
        ("tagged-9100", 0, 1, tagged(&[0x91, 0, 0, 9, 0x81, 0, 0, 7])),
        ("sll", 3, 113, cooked(&[8, 0])),
        ("sll-tagged", 3, 113, cooked(&[0x81, 0, 0, 7, 8, 0])),
        ("sll2", 4, 276, cooked2),
    ]
}

fn of_packets(corpora: &mut Corpora, market: &[Packet]) {
    let with_messages = first_with_messages(market);
    let frame = market[with_messages].frame();
    corpora.insert(("packets", "ethernet".to_owned()), of_kind(0, &frame));
    corpora.insert(("packets", "raw-ip".to_owned()), of_kind(2, &frame[14..]));
    for (name, kind, _, frame) in of_links(&frame) {
        corpora.insert(("packets", name.to_owned()), of_kind(kind, &frame));
    }
    corpora.insert(("packets", "moldudp64".to_owned()), of_kind(0, &market[with_messages].payload));
    let message = deep10::PriceLevelUpdate::sell(1, 1, *b"FUZZ    ", 300, 1_234_500);
    // The header's first bytes choose the protocol, the channel and the session; the first sequence number is at 24.
    let mut header = [0; 40];
    header[2..4].copy_from_slice(&iex::PROTOCOL_DEEP_1_0.to_le_bytes());
    (header[4], header[8], header[24]) = (1, 9, 1);
    let header = iex::SegmentHeader::read_from_bytes(&header).expect("forty bytes");
    let mut room = [0; 200];
    let mut segment = iex::SegmentBuilder::new(&mut room, header).expect("room for a header");
    assert!(segment.push(message.as_bytes()), "room for a message");
    let length = segment.finish();
    let segment = &room[..length];
    corpora.insert(("packets", "iex-tp".to_owned()), of_kind(0, segment));
}

fn of_captures(corpora: &mut Corpora, market: &[Packet]) {
    let mut pcap = PcapWriter::new(Vec::new()).expect("memory");
    let mut raw = Vec::new();
    let mut lines = Vec::new();
    for packet in market {
        pcap.frame(packet.ts_ns, &packet.frame()).expect("memory");
        lines.push(u8::from(packet.line == Line::B) | 2);
        lines.extend(u16::try_from(packet.payload.len()).expect("a datagram").to_le_bytes());
        lines.extend(&packet.payload);
        if packet.line == Line::A {
            // What a file of messages holds: the blocks of the packets.
            raw.extend(&packet.payload[20..]);
        }
    }
    let pcap = pcap.finish().expect("memory");
    assert_eq!(pcap[..4], MAGIC_NANOSECONDS.to_le_bytes());
    corpora.insert(("captures", "pcap".to_owned()), of_kind(0, &pcap));
    corpora.insert(("captures", "raw".to_owned()), of_kind(0, &raw));
    corpora.insert(("captures", "pcap-as-deep".to_owned()), of_kind(1, &pcap));
    for link in 0..of_links(&market[0].frame()).len() {
        let mut frames = market.iter().map(|packet| (packet.ts_ns, of_links(&packet.frame())[link].clone()));
        let (_, (name, _, number, _)) = frames.clone().next().expect("a packet");
        let mut other = PcapWriter::new(Vec::new()).expect("memory");
        frames.try_for_each(|(ts_ns, (.., frame))| other.frame(ts_ns, &frame)).expect("memory");
        let mut other = other.finish().expect("memory");
        other[20..24].copy_from_slice(&number.to_le_bytes());
        corpora.insert(("captures", format!("pcap-{name}")), of_kind(0, &other));
    }
    // A section, an interface and one packet of pcapng.
    let with_messages = first_with_messages(market);
    let block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len() + 12).expect("a short block").to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut frame = market[with_messages].frame();
    let captured = u32::try_from(frame.len()).expect("a frame").to_le_bytes();
    frame.resize(frame.len().next_multiple_of(4), 0);
    let packet = [&[0; 12][..], &captured, &captured, &frame].concat();
    let pcapng =
        [block(0x0a0d_0d0a, &section), block(1, &[1, 0, 0, 0, 0, 0, 4, 0]), block(6, &packet)].concat();
    corpora.insert(("captures", "pcapng".to_owned()), of_kind(0, &pcapng));
    corpora.insert(("sessions", "two-lines".to_owned()), lines);
    corpora.insert(("recoveries", "lost-and-sent-again".to_owned()), lost_and_sent_again(market));
}

/// Packets of one line as [`targets::recoveries`] takes them: each seventh is lost, and comes as a server's answer three packets later,
/// when it has been asked for.
fn lost_and_sent_again(market: &[Packet]) -> Vec<u8> {
    const ANSWER: u8 = 2;
    let mut records = Vec::new();
    let mut record = |kind: u8, packet: &Packet| {
        // 4 ms before each, more than the arbiter waits for a line in three of them.
        records.push(20 << 2 | kind);
        records.extend(u16::try_from(packet.payload.len()).expect("a datagram").to_le_bytes());
        records.extend(&packet.payload);
    };
    let line: Vec<&Packet> = market.iter().filter(|packet| packet.line == Line::A).collect();
    let mut lost = Vec::new();
    for (at, packet) in line.into_iter().enumerate() {
        if at % 7 == 3 {
            lost.push((at + 3, packet));
            continue;
        }
        record(0, packet);
        if let Some((_, packet)) = lost.pop_if(|(due, _)| *due == at) {
            record(ANSWER, packet);
        }
    }
    records
}

/// Packets as [`targets::feeds`] takes them, each on both lines.
fn on_two_lines(payloads: &[Vec<u8>]) -> Vec<u8> {
    let on = |line: u8, payload: &Vec<u8>| {
        let length = u16::try_from(payload.len()).expect("a datagram").to_le_bytes();
        [&[line | 2][..], &length, payload].concat()
    };
    payloads.iter().flat_map(|payload| [on(0, payload), on(1, payload)]).flatten().collect()
}

/// A packet of MDP 3.0 with one message of schema 9: its root block, then groups, each of its dimension's bytes and its entries.
fn mdp3_packet(seq: u32, template: u16, root: &[u8], groups: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> = groups.iter().flat_map(|(size, entries)| [*size, entries].concat()).collect();
    let header = mdp3::MessageHeader {
        size: u16::try_from(10 + root.len() + body.len()).expect("a message").into(),
        block_length: u16::try_from(root.len()).expect("a block").into(),
        template: template.into(),
        schema: mdp3::SCHEMA_ID.into(),
        version: 9.into(),
    };
    let packet = mdp3::PacketHeader { sequence: seq.into(), sending_time: 1_778_092_110_000_000_000.into() };
    [packet.as_bytes(), header.as_bytes(), root, &body].concat()
}

fn of_mdp3(corpora: &mut Corpora) {
    let time = 1_778_092_110_000_000_000_u64;
    let root = |indicator: u8| [&time.to_le_bytes()[..], &[indicator, 0, 0]].concat();
    let level = |rpt: u32, action: u8, at: u8, kind: u8, px: i64| {
        let entry = mdp3::BookEntry {
            price: (px * 1_000_000_000).into(),
            size: 5.into(),
            security_id: 7.into(),
            rpt_seq: rpt.into(),
            orders: 1.into(),
            level: at,
            update_action: action,
            entry_type: kind,
        };
        [entry.as_bytes(), &[0; 5]].concat()
    };
    let order = mdp3::OrderEntry {
        order_id: 9.into(),
        priority: 9.into(),
        display_qty: 5.into(),
        reference: 1,
        update_action: 0,
    };
    let order = [order.as_bytes(), &[0; 2]].concat();
    let mut definition = vec![0; 224];
    (definition[5], definition[14], definition[55]) = (b'A', 17, 7);
    definition[23..25].copy_from_slice(b"ES");
    definition[35..39].copy_from_slice(b"ESZ6");
    definition[91..99].copy_from_slice(&25_000_000_000_i64.to_le_bytes());
    definition[99..107].copy_from_slice(&10_000_000_i64.to_le_bytes());
    let feeds = [&b"GBX"[..], &[10], b"GBI", &[2]].concat();
    let status =
        [&time.to_le_bytes()[..], b"ES\0\0\0\0", &[0; 6], &[0xff, 0xff, 0xff, 0x7f, 0, 0, 128, 2, 0, 0]]
            .concat();
    let mut snapshot = vec![0; 59];
    (snapshot[0], snapshot[8], snapshot[12], snapshot[34]) = (9, 7, 4, 17);
    let mut in_snapshot = vec![0; 22];
    (in_snapshot[4], in_snapshot[8], in_snapshot[16], in_snapshot[21]) = (1, 3, 1, b'0');
    let (none, short) = (&[][..], |count: u8, length: u8| [length, 0, count]);
    let volume = [&[1, 0, 0, 0, 7, 0, 0, 0, 4][..], &[0; 7]].concat();
    let packets = [
        mdp3_packet(1, 54, &definition, &[(&short(0, 9), vec![]), (&short(2, 4), feeds)]),
        mdp3_packet(
            2,
            46,
            &root(0x84),
            &[
                (&short(2, 32), [level(1, 0, 1, b'0', 100), level(2, 0, 1, b'1', 101)].concat()),
                (&[24, 0, 0, 0, 0, 0, 0, 1], order),
            ],
        ),
        mdp3_packet(3, 46, &root(0x80), &[(&short(1, 32), level(3, 3, 1, b'1', 101))]),
        mdp3_packet(4, 37, &root(2), &[(&short(1, 16), volume)]),
        mdp3_packet(5, 30, &status, &[]),
        mdp3_packet(6, 52, &snapshot, &[(&short(1, 22), in_snapshot)]),
        mdp3_packet(7, 4, &root(0x80)[..9], &[(&short(1, 2), vec![0; 2])]),
        mdp3_packet(8, 12, none, &[]),
    ];
    let mdp3 = |name: &str| FeedKind::PACKET_NAMES.iter().position(|known| *known == name).expect("a feed");
    for name in ["mdp3", "mdp3-mbo"] {
        let kind = u8::try_from(mdp3(name)).expect("a small number");
        corpora.insert(("feeds", name.to_owned()), of_kind(kind, &on_two_lines(&packets)));
    }
}

fn of_pitch(corpora: &mut Corpora) {
    let symbol = *b"FUZZ  ";
    let messages = [
        pitch::Time::new(34_200).as_bytes().to_vec(),
        pitch::AddOrderLong::new(5, 7, b'B', 100, symbol, 1_234_500, 1).as_bytes().to_vec(),
        pitch::AddOrderShort::new(6, 8, b'S', 100, symbol, 12_346, 1).as_bytes().to_vec(),
        pitch::OrderExecuted::new(7, 7, 40, 900).as_bytes().to_vec(),
        pitch::OrderExecutedAtPrice::new(8, 8, 10, 50, 901, 1_234_400).as_bytes().to_vec(),
        pitch::ModifyOrderLong::new(9, 7, 70, 1_234_400).as_bytes().to_vec(),
        pitch::ReduceSizeShort::new(10, 7, 20).as_bytes().to_vec(),
        pitch::DeleteOrder::new(11, 8).as_bytes().to_vec(),
        pitch::TradeShort::new(12, 9, b'B', 10, symbol, 12_345, 902).as_bytes().to_vec(),
        pitch::TradingStatus::new(13, *b"FUZZ    ", b'H', b'0', [b' '; 2]).as_bytes().to_vec(),
        pitch::UnitClear::new(14).as_bytes().to_vec(),
    ];
    let unit = |seq: u32, messages: &[Vec<u8>]| {
        let length = |message: &Vec<u8>| u8::try_from(message.len() + 1).expect("a message");
        let body: Vec<u8> = messages.iter().flat_map(|m| [&[length(m)][..], m].concat()).collect();
        let header = pitch::UnitHeader {
            length: u16::try_from(8 + body.len()).expect("a unit").into(),
            count: u8::try_from(messages.len()).expect("a few"),
            unit: 1,
            sequence: seq.into(),
        };
        [header.as_bytes(), &body].concat()
    };
    let packets = [unit(1, &messages[..4]), unit(5, &messages[4..]), unit(12, &[])];
    let kind = FeedKind::PACKET_NAMES.iter().position(|known| *known == "pitch").expect("a feed");
    let kind = u8::try_from(kind).expect("a small number");
    corpora.insert(("feeds", "pitch".to_owned()), of_kind(kind, &on_two_lines(&packets)));
}

fn of_lobster(corpora: &mut Corpora) {
    let messages = "34200.000000001,1,11,100,1000000,1\n34200.1,1,12,50,1000200,-1\n34200.2,4,11,40,1000000,1\n\
                    34200.3,2,12,10,1000200,-1\n34200.4,3,11,60,1000000,1\n34200.5,5,0,5,1000100,1\n34200.6,7,0,0,-1,-1\n";
    let book = "9999999999,0,1000000,100\n1000200,50,1000000,100\n1000200,50,1000000,60\n1000200,40,1000000,60\n\
                1000200,40,-9999999999,0\n1000200,40,-9999999999,0\n1000200,40,-9999999999,0\n";
    corpora.insert(("lobster", "day".to_owned()), [messages.as_bytes(), &[0], book.as_bytes()].concat());
}

/// Files of orders and of levels, as Databento's library writes them.
fn of_databento(corpora: &mut Corpora) {
    let metadata = |schema| {
        let builder = dbn::Metadata::builder().dataset("XNAS.ITCH".to_owned()).schema(Some(schema));
        builder
            .start(1_700_000_000_000_000_000)
            .stype_in(Some(dbn::SType::RawSymbol))
            .stype_out(dbn::SType::InstrumentId)
            .build()
    };
    let order = |order_id, action: u8, side: u8, price, size, flags| dbn::MboMsg {
        hd: dbn::RecordHeader::new::<dbn::MboMsg>(
            dbn::rtype::MBO,
            2,
            11,
            1_700_000_000_000_000_000 + order_id,
        ),
        order_id,
        price,
        size,
        flags: dbn::FlagSet::new(flags),
        channel_id: 0,
        action: action.cast_signed(),
        side: side.cast_signed(),
        ts_recv: 1_700_000_000_000_000_500 + order_id,
        ts_in_delta: 100,
        sequence: 1,
    };
    let (last, none) = (dbn::flags::LAST, 0);
    let px = 100_000_000_000;
    let orders = [
        order(0, b'R', b'N', i64::MAX, 0, last),
        order(1, b'A', b'B', px, 100, last),
        order(2, b'A', b'A', px + 10_000_000, 50, last),
        order(0, b'T', b'A', px, 40, none),
        order(1, b'F', b'B', px, 40, none),
        order(1, b'C', b'B', px, 40, last),
        order(2, b'M', b'A', px + 20_000_000, 60, last),
        order(1, b'C', b'B', px, 60, last),
    ];
    let mut bytes = Vec::new();
    let mut encoder =
        dbn::encode::dbn::Encoder::new(&mut bytes, &metadata(dbn::Schema::Mbo)).expect("metadata");
    encoder.encode_records(&orders).expect("memory is written");
    corpora.insert(("databento", "orders".to_owned()), bytes);
    let level = |bid_sz, flags| dbn::Mbp1Msg {
        hd: dbn::RecordHeader::new::<dbn::Mbp1Msg>(dbn::rtype::MBP_1, 2, 11, 1_700_000_000_000_000_000),
        price: px,
        size: 10,
        action: b'A'.cast_signed(),
        side: b'B'.cast_signed(),
        flags: dbn::FlagSet::new(flags),
        depth: 0,
        ts_recv: 1_700_000_000_000_000_500,
        ts_in_delta: 100,
        sequence: 1,
        levels: [dbn::BidAskPair {
            bid_px: px,
            ask_px: px + 10_000_000,
            bid_sz,
            ask_sz: 7,
            bid_ct: 1,
            ask_ct: 1,
        }],
    };
    let mut bytes = Vec::new();
    let mut encoder =
        dbn::encode::dbn::Encoder::new(&mut bytes, &metadata(dbn::Schema::Mbp1)).expect("metadata");
    encoder.encode_records(&[level(10, last), level(20, none), level(0, last)]).expect("memory is written");
    corpora.insert(("databento", "levels".to_owned()), bytes);
}

fn of_control(corpora: &mut Corpora) {
    let requests = [
        ("status", r#"{"version":1,"id":1,"command":"status"}"#),
        ("halt", r#"{"version":1,"id":2,"command":{"halt":{"reason":"a test","ticket":null}}}"#),
        ("show", r#"{"version":1,"id":3,"command":{"limits_show":{"symbol":"FUZZ","after":null}}}"#),
        ("other-version", r#"{"version":9,"id":4,"command":"status"}"#),
    ];
    for (name, request) in requests {
        let mut frame = Vec::new();
        write_frame(&mut frame, request.as_bytes()).expect("memory");
        corpora.insert(("control_frames", name.to_owned()), frame);
    }
    let settings = "scorer.lease_ms = 500\nlimits.default.max_qty.base=100\nbook.tick.FUTX=\"0.25\"\nroles.viewer=[\"@desk\"]\n";
    corpora.insert(("configuration", "settings".to_owned()), settings.as_bytes().to_vec());
}

fn of_logs(corpora: &mut Corpora) {
    let mut histogram = latency_histogram();
    (1..200_u64).for_each(|n| histogram.record(n * n * 1_000).expect("within bounds"));
    let second = |n: u64| UnixNanos((1_778_092_110 + n) * 1_000_000_000);
    let mut log = HistLog::begin(Vec::new(), second(0), &["a fixture".to_owned()]).expect("memory");
    for (n, hop) in (0..).zip(["decode", "featurize", "decode"]) {
        log.write(hop, second(n), second(n + 1), &histogram).expect("memory");
    }
    corpora.insert(("histogram_logs", "three-intervals".to_owned()), log.finish().expect("memory"));
    // The hash is none of this line: what the reader makes of a line is reached, and the chain is broken.
    let record = format!(
        "{{\"v\":1,\"seq\":1,\"ts\":\"2026-05-06T14:30:00Z\",\"prev\":\"{0}\",\"hash\":\"{0}\"}}\n",
        "00".repeat(32)
    );
    corpora.insert(("audit_logs", "one-record".to_owned()), record.into_bytes());
}

fn of_orders(corpora: &mut Corpora) {
    let (ns, stock, text) = (34_200_000_000_123, *b"FUZZ    ", *b"ORDER1        ");
    let enter =
        ouch50::inbound::EnterOrder::new(7, b'B', 100, stock, 1_234_500, b'0', b'Y', b'P', b'N', b'N', text);
    let replace = ouch50::inbound::ReplaceOrder::new(7, 8, 60, 1_234_600, b'0', b'Y', b'N', text);
    let executed = ouch50::outbound::Executed::new(ns, 8, 40, 1_234_500, b'A', 9);
    let no_options = [0, 0];
    let firm = [0, 6, 5, 2, b'F', b'I', b'R', b'M'];
    let of_42 = ouch42::inbound::EnterOrder::new(
        text, b'S', 100, stock, 1_234_500, 99_999, *b"FIRM", b'Y', b'P', b'N', 0, b'N', b'N',
    );
    let accepted = ouch42::outbound::Accepted::new(
        ns, text, b'S', 100, stock, 1_234_500, 99_999, *b"FIRM", b'Y', 1, b'P', b'N', 0, b'N', b'L', b' ',
    );
    let messages = [
        ("enter-50", 0, [enter.as_bytes(), &firm].concat()),
        ("replace-50", 0, [replace.as_bytes(), &no_options].concat()),
        ("cancel-50", 0, ouch50::inbound::CancelOrder::new(8, 0).as_bytes().to_vec()),
        ("executed-50", 1, [executed.as_bytes(), &no_options].concat()),
        ("enter-42", 2, of_42.as_bytes().to_vec()),
        ("accepted-42", 3, accepted.as_bytes().to_vec()),
    ];
    for (name, kind, message) in &messages {
        corpora.insert(("order_messages", (*name).to_owned()), of_kind(*kind, message));
    }
    let mut room = [0; 200];
    let mut packet = |packet_type: u8, payload: &[u8]| {
        let bytes = soupbin::write(packet_type, payload, &mut room).expect("room");
        room[..bytes].to_vec()
    };
    let login = soupbin::LoginRequest::new(*b"desk1 ", *b"secret    ", [b' '; 10], 1_u64);
    let login_accepted = soupbin::LoginAccepted::new([b'1'; 10], 1_u64);
    let client = [
        packet(soupbin::LoginRequest::TYPE, &login.as_bytes()[1..]),
        packet(soupbin::CLIENT_HEARTBEAT, &[]),
        packet(soupbin::LOGOUT, &[]),
    ];
    let firm = [packet(soupbin::UNSEQUENCED, &messages[0].2), packet(soupbin::UNSEQUENCED, &messages[2].2)];
    let server = [
        packet(soupbin::LoginAccepted::TYPE, &login_accepted.as_bytes()[1..]),
        packet(soupbin::SEQUENCED, &messages[3].2),
        packet(soupbin::SERVER_HEARTBEAT, &[]),
        packet(soupbin::END_OF_SESSION, &[]),
    ];
    corpora.insert(("order_sessions", "client".to_owned()), [&[1, 9][..], &client.concat()].concat());
    corpora.insert(("order_sessions", "orders".to_owned()), [&[3, 30][..], &firm.concat()].concat());
    corpora.insert(("order_sessions", "server".to_owned()), [&[0, 40][..], &server.concat()].concat());
}

/// Sessions of FIX: the kind byte, and a line of fields for each message, as [`targets::fix_sessions`] takes them.
fn of_fix(corpora: &mut Corpora) {
    let head = |seq: u32| format!("34={seq}|49=FIRM|52=20261202-00:00:00.000|56=GATE|");
    let order = "11=a|21=1|55=X|54=1|38=5|40=2|44=1.5|59=0|60=20261202-00:00:00|";
    let lines = |logon: &str| {
        [
            format!("35=A|{}98=0|108=30|{logon}", head(1)),
            format!("35=D|{}{order}", head(2)),
            format!("35=D|{}{order}", head(5)),
            format!("35=4|{}36=5|123=Y|", head(3).replace("34=3|", "34=3|43=Y|122=20261202-00:00:00|")),
            format!("35=2|{}7=1|16=0|", head(6)),
            format!("35=1|{}112=T|", head(7)),
            format!("35=D|{}{order}386=2|336=A|336=B|", head(8)),
            format!("35=D|{}95=3|96=a|b|{order}", head(9)),
            format!("35=A|{}98=0|108=30|141=Y|{logon}", head(1)),
            format!("35=5|{}58=done|", head(2)),
        ]
        .join("\n")
    };
    for (name, kind, logon) in
        [("fix42", 0, ""), ("fix44", 1, ""), ("fixt11", 2, "1137=9|"), ("venue", 1 | 4 | 16 | 32, "")]
    {
        let bytes = [&[kind][..], lines(logon).as_bytes()].concat();
        corpora.insert(("fix_sessions", name.to_owned()), bytes);
    }
    let stream = b"\x418=FIX.4.4\x019=5\x0135=0\x0110=163\x01noise8=FIX.4.4\x019=99999\x01".to_vec();
    corpora.insert(("fix_sessions", "stream".to_owned()), stream);
}

fn corpora() -> Corpora {
    let market = first_packets(40);
    let mut corpora = Corpora::new();
    of_messages(&mut corpora);
    of_packets(&mut corpora, &market);
    of_captures(&mut corpora, &market);
    of_mdp3(&mut corpora);
    of_pitch(&mut corpora);
    of_lobster(&mut corpora);
    of_databento(&mut corpora);
    of_control(&mut corpora);
    of_logs(&mut corpora);
    of_orders(&mut corpora);
    of_fix(&mut corpora);
    corpora
}

#[test]
fn the_committed_corpora_are_what_the_code_makes() {
    let folder = repository().join("tests/fuzz/corpus");
    let made = corpora();
    if std::env::var_os("WRITE_CORPORA").is_some() {
        for ((target, name), bytes) in &made {
            fs::create_dir_all(folder.join(target)).expect("a folder");
            fs::write(folder.join(target).join(name), bytes).expect("a file");
        }
    }
    let mut committed = BTreeMap::new();
    for (target, _) in targets::TARGETS {
        for entry in fs::read_dir(folder.join(target)).expect("a corpus of every target") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            committed.insert((*target, name), fs::read(&path).expect("an input"));
        }
    }
    assert!(committed.keys().eq(made.keys()), "{:?}\nmade: {:?}", committed.keys(), made.keys());
    for (input, bytes) in &made {
        assert!(committed[input] == *bytes, "{input:?} is another; WRITE_CORPORA=1 writes it anew");
    }
}

#[test]
fn the_seeds_are_what_their_readers_read() {
    let corpora = corpora();
    let seed = |target: &'static str, name: &str| &corpora[&(target, name.to_owned())][..];
    for name in ["status", "halt", "show"] {
        let body = read_frame(&mut seed("control_frames", name)).expect("a frame");
        parse_request(&body).expect("a request");
    }
    let histograms = read_hlog(seed("histogram_logs", "three-intervals")).expect("a log");
    assert_eq!(histograms.hops.iter().map(|tagged| tagged.intervals).collect::<Vec<_>>(), [2, 1]);
    let settings = String::from_utf8_lossy(seed("configuration", "settings")).into_owned();
    let settings: Vec<String> = settings.lines().map(str::to_owned).collect();
    control::config::load(&[], &settings).expect("a configuration");
    let links = of_links(&first_packets(1)[0].frame()).map(|(name, ..)| name);
    for name in links {
        let (kind, frame) = seed("packets", name).split_first().expect("a link");
        let read = wire::frame::parse_udp(targets::LINKS[usize::from(*kind)], frame);
        assert!(read.is_ok_and(|udp| !udp.payload.is_empty()), "{name}");
    }
    let captures = links.map(|name| format!("pcap-{name}"));
    for name in captures.iter().map(String::as_str).chain(["pcap", "raw", "pcapng"]) {
        let events =
            targets::replay(seed("captures", name)[1..].to_vec(), &FeedConfig::new(FeedKind::Itch50));
        assert!(!events.is_empty(), "{name} holds events");
    }
}

#[test]
fn every_target_has_its_program() {
    let manifest = fs::read_to_string(repository().join("tests/fuzz/Cargo.toml")).expect("the manifest");
    for (target, _) in targets::TARGETS {
        let path = format!("fuzz_targets/{target}.rs");
        let program = fs::read_to_string(repository().join("tests/fuzz").join(&path)).expect("a program");
        assert!(program.contains(&format!("fuzz::{target}(bytes)")), "{path}");
        assert!(manifest.contains(&format!("name = \"{target}\"\npath = \"{path}\"")), "{path}");
    }
    let programs = fs::read_dir(repository().join("tests/fuzz/fuzz_targets")).expect("the programs").count();
    assert_eq!(programs, targets::TARGETS.len());
}

/// Runs a target over its corpus, then over inputs near it, the same in every run.
fn near_the_corpus(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let mut inputs: Vec<Vec<u8>> =
        corpora().into_iter().filter(|((of, _), _)| *of == name).map(|(_, bytes)| bytes).collect();
    if name == "configuration" {
        inputs.push(control::config::DEFAULT_TOML.as_bytes().to_vec());
    }
    inputs.iter().for_each(|input| target(input));
    target(&[]);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let seeded = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let near = (0..inputs.len(), prop::collection::vec(edit(), 1..6));
    TestRunner::new_with_rng(config, seeded)
        .run(&near, |(input, edits)| {
            target(&edited(&inputs[input], &edits));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

#[test]
fn every_reader_holds_near_its_corpus() {
    std::thread::scope(|scope| {
        for (name, _) in targets::TARGETS {
            scope.spawn(|| near_the_corpus(name));
        }
    });
}
