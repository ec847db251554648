//! One hand-made vector per DEEP 1.0 and TOPS 1.6 message and for the transport header, laid out from the
//! specifications' field tables by an independent packer.

use wire::deep10::*;
use wire::iex::{self, Segment, SegmentBuilder, SegmentHeader};
use wire::tops16::{self, QuoteUpdate};
use wire::{IntoBytes, WireError, deep10};

use crate::{hex, sym};

/// Time of every vector: 2017-07-14T02:40:00.123456789Z.
const T: u64 = 1_500_000_000_123_456_789;
const TIME: &str = "timestamp=1500000000.123456789";

fn check(bytes: &str, built: &[u8], text: &str) {
    let bytes = hex(bytes);
    assert_eq!(bytes, built, "constructor of {text}");
    let message = decode(&bytes).unwrap();
    assert_eq!(message.as_bytes(), Some(&bytes[..]));
    assert_eq!(message.type_byte(), bytes[0]);
    assert_eq!(message.timestamp().unwrap().ns(), T);
    assert_eq!(message.to_string(), format!("{} {}", char::from(bytes[0]), text.replace("TIME", TIME)));
    assert_eq!(usize::from(len_of(bytes[0]).unwrap()), bytes.len());
}

#[test]
fn administrative_messages() {
    check("53 4f 15cd71820d12d114", SystemEvent::new(b'O', T).as_bytes(), "SystemEvent event=O TIME");
    check(
        "44 a0 15cd71820d12d114 5a49455854202020 64000000 241d0f0000000000 01",
        SecurityDirectory::new(flags::TEST_SECURITY | flags::ETP, T, sym("ZIEXT"), 100, 990_500, 1)
            .as_bytes(),
        "SecurityDirectory flags=0xa0 TIME symbol=ZIEXT round_lot_size=100 adjusted_poc_price=99.0500 luld_tier=0x01",
    );
    check(
        "48 48 15cd71820d12d114 5a49455854202020 54312020",
        TradingStatus::new(status::HALTED, T, sym("ZIEXT"), *b"T1  ").as_bytes(),
        "TradingStatus status=H TIME symbol=ZIEXT reason=T1",
    );
    check(
        "49 41 15cd71820d12d114 4141504c20202020",
        RetailLiquidity::new(b'A', T, sym("AAPL")).as_bytes(),
        "RetailLiquidity indicator=A TIME symbol=AAPL",
    );
    check(
        "4f 4f 15cd71820d12d114 5a49455854202020",
        OperationalHalt::new(b'O', T, sym("ZIEXT")).as_bytes(),
        "OperationalHalt status=O TIME symbol=ZIEXT",
    );
    check(
        "50 01 15cd71820d12d114 5a49455854202020 41",
        ShortSalePriceTest::new(1, T, sym("ZIEXT"), b'A').as_bytes(),
        "ShortSalePriceTest status=0x01 TIME symbol=ZIEXT detail=A",
    );
    check(
        "45 4f 15cd71820d12d114 5a49455854202020",
        SecurityEvent::new(b'O', T, sym("ZIEXT")).as_bytes(),
        "SecurityEvent event=O TIME symbol=ZIEXT",
    );
}

#[test]
fn trading_messages() {
    let buy = PriceLevelUpdate::new(flags::EVENT_COMPLETE, T, sym("ZIEXT"), 9_700, 990_500);
    check(
        "38 01 15cd71820d12d114 5a49455854202020 e4250000 241d0f0000000000",
        buy.as_bytes(),
        "PriceLevelUpdate event_flags=0x01 TIME symbol=ZIEXT size=9700 price=99.0500",
    );
    let sell = PriceLevelUpdate::sell(0, T, sym("ZIEXT"), 0, -1);
    check(
        "35 00 15cd71820d12d114 5a49455854202020 00000000 ffffffffffffffff",
        sell.as_bytes(),
        "PriceLevelUpdate event_flags=0x00 TIME symbol=ZIEXT size=0 price=-0.0001",
    );
    assert_eq!((buy.is_event_complete(), sell.is_event_complete()), (true, false));
    check(
        "54 c0 15cd71820d12d114 5a49455854202020 64000000 241d0f0000000000 968f060000000000",
        TradeReport::new(0xc0, T, sym("ZIEXT"), 100, 990_500, 429_974).as_bytes(),
        "TradeReport sale_conditions=0xc0 TIME symbol=ZIEXT size=100 price=99.0500 trade_id=429974",
    );
    check(
        "58 51 15cd71820d12d114 5a49455854202020 241d0f0000000000",
        OfficialPrice::new(b'Q', T, sym("ZIEXT"), 990_500).as_bytes(),
        "OfficialPrice price_type=Q TIME symbol=ZIEXT price=99.0500",
    );
    check(
        "42 20 15cd71820d12d114 5a49455854202020 64000000 241d0f0000000000 968f060000000000",
        TradeBreak::new(flags::ODD_LOT, T, sym("ZIEXT"), 100, 990_500, 429_974).as_bytes(),
        "TradeBreak sale_conditions=0x20 TIME symbol=ZIEXT size=100 price=99.0500 trade_id=429974",
    );
    check(
        "41 43 15cd71820d12d114 5a49455854202020 a0860100 241d0f0000000000 b82e0f0000000000 10270000 42 02 \
         0038f658 0c210f0000000000 c01c0f0000000000 a0ce0e0000000000 e06a0f0000000000",
        AuctionInformation::new(
            b'C',
            T,
            sym("ZIEXT"),
            100_000,
            990_500,
            995_000,
            10_000,
            b'B',
            2,
            1_492_531_200,
            991_500,
            990_400,
            970_400,
            1_010_400,
        )
        .as_bytes(),
        "AuctionInformation auction_type=C TIME symbol=ZIEXT paired_shares=100000 reference_price=99.0500 \
         indicative_clearing_price=99.5000 imbalance_shares=10000 imbalance_side=B extension_number=0x02 \
         scheduled_auction_time_s=1492531200 auction_book_clearing_price=99.1500 collar_reference_price=99.0400 \
         lower_auction_collar=97.0400 upper_auction_collar=101.0400",
    );
}

#[test]
fn a_top_of_book_quote() {
    let bytes =
        hex("51 40 15cd71820d12d114 5a49455854202020 e4250000 241d0f0000000000 ec1d0f0000000000 e8030000");
    let quote =
        QuoteUpdate::new(tops16::flags::EXTENDED_HOURS, T, sym("ZIEXT"), 9_700, 990_500, 990_700, 1_000);
    assert_eq!(bytes, quote.as_bytes());
    let message = tops16::decode(&bytes).unwrap();
    assert_eq!(message, tops16::Msg::QuoteUpdate(&quote));
    assert_eq!(
        message.to_string(),
        format!(
            "Q QuoteUpdate flags=0x40 {TIME} symbol=ZIEXT bid_size=9700 bid_price=99.0500 ask_price=99.0700 \
             ask_size=1000"
        ),
    );
}

#[test]
fn each_protocol_lists_its_own_types() {
    let listed = |table: &[(u8, u16, &str)]| table.iter().map(|(t, _, _)| char::from(*t)).collect::<String>();
    assert_eq!(listed(deep10::MESSAGE_TYPES), "SDHIOPE85TXBA");
    assert_eq!(listed(tops16::MESSAGE_TYPES), "SDHIOPQTXBA");
    assert_eq!(deep10::decode(b"Q").unwrap(), deep10::Msg::Other(b'Q'));
    assert_eq!(tops16::decode(b"8").unwrap(), tops16::Msg::Other(b'8'));
    assert_eq!(tops16::decode(b"8").unwrap().to_string(), "unknown type 8");
    assert_eq!(deep10::decode(&[]), Err(WireError::Truncated { offset: 0, wanted: 1, found: 0 }));
}

#[test]
fn a_message_may_grow_at_its_end_but_not_shrink() {
    for (message_type, len, name) in deep10::MESSAGE_TYPES {
        let mut bytes = vec![0; usize::from(*len) + 3];
        bytes[0] = *message_type;
        let grown = deep10::decode(&bytes).unwrap();
        assert_eq!((grown.name(), grown.as_bytes()), (*name, Some(&bytes[..usize::from(*len)])));
        let found = *len - 1;
        let error = WireError::BadLength { offset: 0, message_type: *message_type, wanted: *len, found };
        assert_eq!(deep10::decode(&bytes[..usize::from(found)]), Err(error));
    }
}

/// A header whose derived fields are wrong, as the builder accepts it.
fn header_template() -> SegmentHeader {
    SegmentHeader {
        version: 9,
        reserved: 0,
        message_protocol: iex::PROTOCOL_DEEP_1_0.into(),
        channel: 1.into(),
        session: 0x48dd_0000.into(),
        payload_length: 999.into(),
        message_count: 999.into(),
        stream_offset: 11_243_153.into(),
        first_sequence: 355_166.into(),
        send_time: T.into(),
    }
}

#[test]
fn a_segment_is_written_and_read() {
    let mut buf = [0xaa; 64];
    let mut segment = SegmentBuilder::new(&mut buf, header_template()).unwrap();
    assert!(segment.is_empty());
    let event = SystemEvent::new(b'O', T);
    assert!(segment.push(event.as_bytes()));
    assert!(!segment.push(&[1; 11]), "only ten bytes are left behind the prefix");
    assert!(!segment.push(&[]), "an empty message cannot be told from a mistake");
    assert_eq!(segment.count(), 1);
    let len = segment.finish();
    let golden =
        "01 00 0480 01000000 0000dd48 0c00 0100 918eab0000000000 5e6b050000000000 15cd71820d12d114 0a00";
    assert_eq!(buf[..42], hex(golden));

    let segment = Segment::parse_as(&buf[..len], iex::PROTOCOL_DEEP_1_0).unwrap();
    assert_eq!((segment.sequence(), segment.message_count()), (355_166, 1));
    let messages: Vec<_> = segment.messages().collect();
    assert_eq!(messages, [Ok(event.as_bytes())]);
    assert_eq!(
        segment.header().to_string(),
        "1500000000.123456789 IEX-TP protocol=0x8004 channel=1 session=1222443008 seq=355166 offset=11243153 count=1 \
         bytes=12",
    );
}

#[test]
fn segments_that_break_the_transport_are_refused() {
    let mut buf = [0; 64];
    let mut builder = SegmentBuilder::new(&mut buf, header_template()).unwrap();
    assert!(builder.push(b"abc"));
    let len = builder.finish();
    let whole = &buf[..len];
    let parse = |bytes: &[u8]| Segment::parse(bytes).map(|_| ());
    assert_eq!(parse(&whole[..39]), Err(WireError::Truncated { offset: 0, wanted: 40, found: 39 }));
    assert_eq!(parse(&whole[..44]), Err(WireError::Truncated { offset: 40, wanted: 5, found: 4 }));
    assert_eq!(
        Segment::parse_as(whole, iex::PROTOCOL_TOPS_1_6).map(|_| ()),
        Err(WireError::WrongProtocol { offset: 2, wanted: 0x8003, found: 0x8004 }),
    );
    let mut other_version = whole.to_vec();
    other_version[0] = 2;
    assert_eq!(parse(&other_version), Err(WireError::WrongVersion { offset: 0, wanted: 1, found: 2 }));
    let longer = [whole, &[0; 6]].concat();
    let messages: Vec<_> = Segment::parse(&longer).unwrap().messages().collect();
    assert_eq!(messages, [Ok(&b"abc"[..]), Err(WireError::TrailingBytes { offset: 45, found: 6 })]);
    assert_eq!(
        SegmentBuilder::new(&mut [0; 39], header_template()).map(|_| ()).unwrap_err(),
        WireError::NoRoom { wanted: 40, found: 39 },
    );
}

#[test]
fn a_segment_holds_no_more_than_it_can_announce() {
    let mut buf = vec![0; 200_000];
    let mut builder = SegmentBuilder::new(&mut buf, header_template()).unwrap();
    assert_eq!((0..70_000).filter(|_| builder.push(b"x")).count(), 65_535 / 3);
    let len = builder.finish();
    let segment = Segment::parse(&buf[..len]).unwrap();
    assert_eq!((usize::from(segment.message_count()), segment.messages().count()), (21_845, 21_845));
}

#[test]
fn an_empty_segment_is_a_heartbeat() {
    let mut buf = [0; 40];
    let len = SegmentBuilder::new(&mut buf, header_template()).unwrap().finish();
    let segment = Segment::parse(&buf[..len]).unwrap();
    assert_eq!((segment.message_count(), segment.sequence()), (0, 355_166));
    assert_eq!(segment.messages().count(), 0);
}
