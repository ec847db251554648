//! A small corpus of our own making, kept in `corpus/`, and a deterministic storm of mutations over it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use wire::frame::UdpPath;
use wire::iex::{self, SegmentBuilder, SegmentHeader};
use wire::itch50::*;
use wire::moldudp64::{self, PacketBuilder};
use wire::{IntoBytes, deep10, framing, tops16};

use crate::exercise::exercise;
use crate::sym;

const NS: u64 = 34_200_000_000_000;
const T: u64 = 1_700_000_000_000_000_000;
const SESSION: [u8; 10] = *b"S000000001";

/// One message of every ITCH 5.0 type.
fn itch_messages() -> Vec<Vec<u8>> {
    let s = sym("ZVZZT");
    vec![
        SystemEvent::new(0, 0, NS, event::START_OF_MESSAGES).as_bytes().to_vec(),
        StockDirectory::common_stock(1, NS, s, 100).as_bytes().to_vec(),
        StockTradingAction::new(1, 0, NS, s, state::TRADING, b' ', *b"    ").as_bytes().to_vec(),
        RegShoRestriction::new(1, 0, NS, s, b'0').as_bytes().to_vec(),
        MarketParticipantPosition::new(1, 0, NS, *b"MPID", s, b'Y', b'N', b'A').as_bytes().to_vec(),
        MwcbDeclineLevel::new(0, 0, NS, 3, 2, 1).as_bytes().to_vec(),
        MwcbStatus::new(0, 0, NS, b'1').as_bytes().to_vec(),
        IpoQuotingPeriod::new(1, 0, NS, s, 36_000, b'A', 170_000).as_bytes().to_vec(),
        LuldAuctionCollar::new(1, 0, NS, s, 100_000, 105_000, 95_000, 0).as_bytes().to_vec(),
        OperationalHalt::new(1, 0, NS, s, b'Q', b'T').as_bytes().to_vec(),
        AddOrder::new(1, 0, NS, 1, side::BUY, 100, s, 100_000).as_bytes().to_vec(),
        AddOrderMpid::new(1, 0, NS, 2, side::SELL, 100, s, 100_100, *b"MPID").as_bytes().to_vec(),
        OrderExecuted::new(1, 0, NS, 1, 10, 1).as_bytes().to_vec(),
        OrderExecutedWithPrice::new(1, 0, NS, 1, 10, 2, b'Y', 99_900).as_bytes().to_vec(),
        OrderCancel::new(1, 0, NS, 1, 10).as_bytes().to_vec(),
        OrderReplace::new(1, 0, NS, 2, 3, 200, 100_200).as_bytes().to_vec(),
        OrderDelete::new(1, 0, NS, 3).as_bytes().to_vec(),
        Trade::new(1, 0, NS, 0, side::BUY, 5, s, 100_050, 3).as_bytes().to_vec(),
        CrossTrade::new(1, 0, NS, 1_000, s, 100_000, 4, b'O').as_bytes().to_vec(),
        BrokenTrade::new(1, 0, NS, 4).as_bytes().to_vec(),
        Noii::new(1, 0, NS, 10, 20, b'B', s, 1, 2, 3, b'O', b' ').as_bytes().to_vec(),
        RetailInterest::new(1, 0, NS, s, b'N').as_bytes().to_vec(),
        DirectListing::new(1, 0, NS, s, b'N', 1, 2, 3, 4, 5, 6).as_bytes().to_vec(),
    ]
}

/// One message of every DEEP 1.0 type.
fn deep_messages() -> Vec<Vec<u8>> {
    let s = sym("ZIEXT");
    vec![
        deep10::SystemEvent::new(b'O', T).as_bytes().to_vec(),
        deep10::SecurityDirectory::new(0x80, T, s, 100, 990_500, 1).as_bytes().to_vec(),
        deep10::TradingStatus::new(b'T', T, s, *b"    ").as_bytes().to_vec(),
        deep10::RetailLiquidity::new(b' ', T, s).as_bytes().to_vec(),
        deep10::OperationalHalt::new(b'N', T, s).as_bytes().to_vec(),
        deep10::ShortSalePriceTest::new(0, T, s, b' ').as_bytes().to_vec(),
        deep10::SecurityEvent::new(b'O', T, s).as_bytes().to_vec(),
        deep10::PriceLevelUpdate::new(1, T, s, 100, 990_400).as_bytes().to_vec(),
        deep10::PriceLevelUpdate::sell(1, T, s, 100, 990_600).as_bytes().to_vec(),
        deep10::TradeReport::new(0, T, s, 10, 990_500, 1).as_bytes().to_vec(),
        deep10::OfficialPrice::new(b'Q', T, s, 990_500).as_bytes().to_vec(),
        deep10::TradeBreak::new(0, T, s, 10, 990_500, 1).as_bytes().to_vec(),
        deep10::AuctionInformation::new(b'O', T, s, 1, 2, 3, 4, b'N', 0, 5, 6, 7, 8, 9).as_bytes().to_vec(),
    ]
}

fn segment(protocol: u16, messages: &[Vec<u8>]) -> Vec<u8> {
    let header = SegmentHeader {
        version: iex::VERSION,
        reserved: 0,
        message_protocol: protocol.into(),
        channel: 1.into(),
        session: 1.into(),
        payload_length: 0.into(),
        message_count: 0.into(),
        stream_offset: 0.into(),
        first_sequence: 1.into(),
        send_time: T.into(),
    };
    let mut buf = vec![0; 1_472];
    let mut builder = SegmentBuilder::new(&mut buf, header).unwrap();
    assert!(messages.iter().all(|m| builder.push(m)));
    let len = builder.finish();
    buf.truncate(len);
    buf
}

fn framed(vlan: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let src = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 30_000);
    let group = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 26_400);
    let path = UdpPath { vlan, ..UdpPath::multicast([2, 0, 0, 0, 0, 1], src, group) };
    let mut buf = vec![0; 2_000];
    let len = path.write(&mut buf, payload).unwrap();
    buf.truncate(len);
    buf
}

/// Every seed by file name, made from the constructors.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let itch = itch_messages();
    let mut mold = vec![0; 1_472];
    let mut builder = PacketBuilder::new(&mut mold, SESSION, 1).unwrap();
    assert!(itch.iter().all(|m| builder.push(m)));
    let len = builder.finish();
    mold.truncate(len);
    let mut file = vec![0; 2_048];
    let end = itch.iter().try_fold(0, |at, m| framing::write_message(&mut file, at, m)).unwrap();
    file.truncate(end + 2);
    let quote = tops16::QuoteUpdate::new(0, T, sym("ZIEXT"), 1, 990_400, 990_600, 2).as_bytes().to_vec();
    let deep = segment(iex::PROTOCOL_DEEP_1_0, &deep_messages());
    let end_of_session = moldudp64::Header::new(SESSION, 24, moldudp64::END_OF_SESSION);
    vec![
        ("itch50-file.bin", file),
        ("moldudp64.bin", mold.clone()),
        ("moldudp64-end.bin", end_of_session.as_bytes().to_vec()),
        ("frame-moldudp64.bin", framed(None, &mold)),
        ("frame-vlan-deep.bin", framed(Some(100), &deep)),
        ("iex-deep.bin", deep),
        ("iex-tops.bin", segment(iex::PROTOCOL_TOPS_1_6, &[quote])),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The files are what the constructors make today: the written form of every message is pinned. A wanted change is
/// recorded by running the tests once with `WIRE_BLESS=1`.
#[test]
fn the_corpus_is_what_the_constructors_make() {
    for (name, bytes) in seeds() {
        let path = folder().join(name);
        if std::env::var_os("WIRE_BLESS").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
    }
}

#[test]
fn the_corpus_has_every_message_type() {
    let types: Vec<u8> = itch_messages().iter().map(|m| m[0]).collect();
    assert!(MESSAGE_TYPES.iter().all(|(t, _, _)| types.contains(t)));
    let types: Vec<u8> = deep_messages().iter().map(|m| m[0]).collect();
    assert!(deep10::MESSAGE_TYPES.iter().all(|(t, _, _)| types.contains(t)));
}

/// Sebastiano Vigna's SplitMix64: a few lines, and the same storm on every machine.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// One to four changes: a flipped bit, an interesting byte, a hostile length, a cut, a splice of another seed.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut SplitMix64) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'A'][random.below(6)],
            2 if bytes.len() > at + 1 => bytes[at..at + 2].fill([0, 0xff][random.below(2)]),
            3 => bytes.truncate(at),
            4 => {
                let from = random.below(other.len());
                let until = from + random.below(other.len() - from);
                bytes.splice(at..at, other[from..until].iter().copied());
            }
            _ => bytes.extend_from_slice(&random.next().to_le_bytes()),
        }
    }
    bytes.truncate(4_096);
}

#[test]
fn mutations_of_the_corpus_never_panic() {
    let seeds = seeds();
    for (i, (_, seed)) in seeds.iter().enumerate() {
        exercise(seed);
        let mut random = SplitMix64(i as u64);
        for _ in 0..3_000 {
            let (_, other) = &seeds[random.below(seeds.len())];
            let mut bytes = seed.clone();
            mutate(&mut bytes, other, &mut random);
            exercise(&bytes);
        }
    }
}

#[test]
fn every_cut_of_the_corpus_never_panics() {
    for (_, seed) in seeds() {
        for cut in 0..seed.len() {
            exercise(&seed[..cut]);
        }
    }
}
