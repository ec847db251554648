//! One hand-made vector per ITCH 5.0 message, laid out from the specification's field tables by an independent packer.

use wire::itch50::{self, *};
use wire::{IntoBytes, WireError};

use crate::{hex, sym};

/// Time of every vector: 09:30:00.123456789.
const NS: u64 = 34_200_123_456_789;

/// The bytes decode to what `built` builds, and print as `text` behind time, type, locate and tracking.
fn check(bytes: &str, built: &[u8], text: &str) {
    let bytes = hex(bytes);
    assert_eq!(bytes, built, "constructor of {text}");
    let message = decode(&bytes).unwrap();
    assert_eq!(message.as_bytes(), Some(&bytes[..]));
    assert_eq!(message.type_byte(), bytes[0]);
    let header = message.header().unwrap();
    assert_eq!(header.timestamp.ns(), NS);
    let kind = char::from(bytes[0]);
    let head = format!("34200.123456789 {kind} locate={} tracking={} ", header.locate, header.tracking);
    assert_eq!(message.to_string(), head + text);
    assert_eq!(usize::from(len_of(bytes[0]).unwrap()), bytes.len());
}

#[test]
fn administrative_messages() {
    check(
        "53 0000 0000 1f1ad635bd15 51",
        SystemEvent::new(0, 0, NS, b'Q').as_bytes(),
        "SystemEvent event_code=Q",
    );
    check(
        "52 1234 0002 1f1ad635bd15 5a565a5a54202020 47 4e 00000064 4e 43 5a20 54 4e 4e 32 4e 00000003 59",
        StockDirectory::new(
            0x1234,
            2,
            NS,
            sym("ZVZZT"),
            b'G',
            b'N',
            100,
            b'N',
            b'C',
            *b"Z ",
            b'T',
            b'N',
            b'N',
            b'2',
            b'N',
            3,
            b'Y',
        )
        .as_bytes(),
        "StockDirectory stock=ZVZZT market_category=G financial_status=N round_lot_size=100 round_lots_only=N \
         issue_classification=C issue_sub_type=Z authenticity=T short_sale_threshold=N ipo_flag=N luld_tier=2 \
         etp_flag=N etp_leverage_factor=3 inverse_indicator=Y",
    );
    check(
        "48 1234 0002 1f1ad635bd15 4141504c20202020 48 20 54312020",
        StockTradingAction::new(0x1234, 2, NS, sym("AAPL"), state::HALTED, b' ', *b"T1  ").as_bytes(),
        "StockTradingAction stock=AAPL trading_state=H reserved=' ' reason=T1",
    );
    check(
        "59 1234 0002 1f1ad635bd15 4620202020202020 31",
        RegShoRestriction::new(0x1234, 2, NS, sym("F"), b'1').as_bytes(),
        "RegShoRestriction stock=F action=1",
    );
    check(
        "4c 1234 0002 1f1ad635bd15 4753434f 42524b2e41202020 59 4e 41",
        MarketParticipantPosition::new(0x1234, 2, NS, *b"GSCO", sym("BRK.A"), b'Y', b'N', b'A').as_bytes(),
        "MarketParticipantPosition mpid=GSCO stock=BRK.A primary_market_maker=Y market_maker_mode=N \
         participant_state=A",
    );
}

#[test]
fn messages_of_halts_and_auctions() {
    check(
        "56 0000 0002 1f1ad635bd15 0000003dab3e6c80 00000039b1ac6080 000000350b6f8080",
        MwcbDeclineLevel::new(0, 2, NS, 264_866_000_000, 247_794_000_000, 227_825_123_456).as_bytes(),
        "MwcbDeclineLevel level_1=2648.66000000 level_2=2477.94000000 level_3=2278.25123456",
    );
    check(
        "57 0000 0002 1f1ad635bd15 32",
        MwcbStatus::new(0, 2, NS, b'2').as_bytes(),
        "MwcbStatus breached_level=2",
    );
    check(
        "4b 1234 0002 1f1ad635bd15 4e4557434f202020 00008ca0 41 00029810",
        IpoQuotingPeriod::new(0x1234, 2, NS, sym("NEWCO"), 36_000, b'A', 170_000).as_bytes(),
        "IpoQuotingPeriod stock=NEWCO release_time_s=36000 release_qualifier=A ipo_price=17.0000",
    );
    check(
        "4a 1234 0002 1f1ad635bd15 5658582020202020 00018c7c 0001a04f 000178a9 00000001",
        LuldAuctionCollar::new(0x1234, 2, NS, sym("VXX"), 101_500, 106_575, 96_425, 1).as_bytes(),
        "LuldAuctionCollar stock=VXX reference_price=10.1500 upper_price=10.6575 lower_price=9.6425 extension=1",
    );
    check(
        "68 1234 0002 1f1ad635bd15 5451515120202020 51 48",
        OperationalHalt::new(0x1234, 2, NS, sym("TQQQ"), b'Q', b'H').as_bytes(),
        "OperationalHalt stock=TQQQ market_code=Q action=H",
    );
}

#[test]
fn order_messages() {
    check(
        "41 1234 0002 1f1ad635bd15 0102030405060708 42 0000012c 4141504c20202020 0012d687",
        AddOrder::new(0x1234, 2, NS, 0x0102_0304_0506_0708, side::BUY, 300, sym("AAPL"), 1_234_567)
            .as_bytes(),
        "AddOrder order_ref=72623859790382856 side=B shares=300 stock=AAPL price=123.4567",
    );
    check(
        "46 1234 0002 1f1ad635bd15 0102030405060709 53 00000001 4d53465420202020 fffffffe 4e534451",
        AddOrderMpid::new(0x1234, 2, NS, 0x0102_0304_0506_0709, b'S', 1, sym("MSFT"), u32::MAX - 1, *b"NSDQ")
            .as_bytes(),
        "AddOrderMpid order_ref=72623859790382857 side=S shares=1 stock=MSFT price=429496.7294 attribution=NSDQ",
    );
    check(
        "45 1234 0002 1f1ad635bd15 0000000000000007 00000032 1122334455667788",
        OrderExecuted::new(0x1234, 2, NS, 7, 50, 0x1122_3344_5566_7788).as_bytes(),
        "OrderExecuted order_ref=7 executed_shares=50 match_number=1234605616436508552",
    );
    check(
        "43 1234 0002 1f1ad635bd15 0000000000000007 00000032 0000000000000009 4e 00002711",
        OrderExecutedWithPrice::new(0x1234, 2, NS, 7, 50, 9, b'N', 10_001).as_bytes(),
        "OrderExecutedWithPrice order_ref=7 executed_shares=50 match_number=9 printable=N execution_price=1.0001",
    );
    check(
        "58 1234 0002 1f1ad635bd15 0000000000000007 00000014",
        OrderCancel::new(0x1234, 2, NS, 7, 20).as_bytes(),
        "OrderCancel order_ref=7 cancelled_shares=20",
    );
    check(
        "44 1234 0002 1f1ad635bd15 ffffffffffffffff",
        OrderDelete::new(0x1234, 2, NS, u64::MAX).as_bytes(),
        "OrderDelete order_ref=18446744073709551615",
    );
    check(
        "55 1234 0002 1f1ad635bd15 0000000000000007 0000000000000008 00000190 0001863c",
        OrderReplace::new(0x1234, 2, NS, 7, 8, 400, 99_900).as_bytes(),
        "OrderReplace original_order_ref=7 new_order_ref=8 shares=400 price=9.9900",
    );
}

#[test]
fn trade_and_auction_messages() {
    check(
        "50 1234 0002 1f1ad635bd15 0000000000000000 42 0000004d 474f4f4720202020 00b71b00 000000000000000a",
        Trade::new(0x1234, 2, NS, 0, b'B', 77, sym("GOOG"), 12_000_000, 10).as_bytes(),
        "Trade order_ref=0 side=B shares=77 stock=GOOG price=1200.0000 match_number=10",
    );
    check(
        "51 1234 0002 1f1ad635bd15 000000012a05f200 5350592020202020 0030fb74 000000000000000b 43",
        CrossTrade::new(0x1234, 2, NS, 5_000_000_000, sym("SPY"), 3_210_100, 11, b'C').as_bytes(),
        "CrossTrade shares=5000000000 stock=SPY cross_price=321.0100 match_number=11 cross_type=C",
    );
    check(
        "42 1234 0002 1f1ad635bd15 000000000000000b",
        BrokenTrade::new(0x1234, 2, NS, 11).as_bytes(),
        "BrokenTrade match_number=11",
    );
    check(
        "49 1234 0002 1f1ad635bd15 00000000000003e8 00000000000000fa 53 5151512020202020 00000001 00000002 \
         00000003 4f 4c",
        Noii::new(0x1234, 2, NS, 1_000, 250, b'S', sym("QQQ"), 1, 2, 3, b'O', b'L').as_bytes(),
        "Noii paired_shares=1000 imbalance_shares=250 imbalance_direction=S stock=QQQ far_price=0.0001 \
         near_price=0.0002 reference_price=0.0003 cross_type=O price_variation=L",
    );
    check(
        "4e 1234 0002 1f1ad635bd15 4241432020202020 41",
        RetailInterest::new(0x1234, 2, NS, sym("BAC"), b'A').as_bytes(),
        "RetailInterest stock=BAC interest_flag=A",
    );
    check(
        "4f 1234 0002 1f1ad635bd15 444c495354202020 59 00013880 0002bf20 000186a0 00001f1a933f2600 00015f90 0001adb0",
        DirectListing::new(
            0x1234,
            2,
            NS,
            sym("DLIST"),
            b'Y',
            80_000,
            180_000,
            100_000,
            34_199_000_000_000,
            90_000,
            110_000,
        )
        .as_bytes(),
        "DirectListing stock=DLIST open_eligibility=Y minimum_price=8.0000 maximum_price=18.0000 \
         near_execution_price=10.0000 near_execution_time=34199000000000 lower_collar=9.0000 upper_collar=11.0000",
    );
}

#[test]
fn the_table_lists_the_23_types_of_the_specification() {
    let types: String = MESSAGE_TYPES.iter().map(|(t, _, _)| char::from(*t)).collect();
    assert_eq!(types, "SRHYLVWKJhAFECXDUPQBINO");
    assert_eq!((0..=u8::MAX).filter(|t| len_of(*t).is_some()).count(), MESSAGE_TYPES.len());
    for (message_type, len, name) in MESSAGE_TYPES {
        assert_eq!(len_of(*message_type), Some(*len));
        let mut bytes = vec![0; usize::from(*len)];
        bytes[0] = *message_type;
        assert_eq!(decode(&bytes).unwrap().name(), *name);
    }
}

#[test]
fn a_known_type_of_another_length_is_refused_with_what_was_wanted() {
    for (message_type, len, _) in MESSAGE_TYPES {
        for found in [1, *len - 1, *len + 1, 200] {
            let mut bytes = vec![0; usize::from(found)];
            bytes[0] = *message_type;
            let error = WireError::BadLength { offset: 0, message_type: *message_type, wanted: *len, found };
            assert_eq!(decode(&bytes), Err(error));
        }
    }
    assert_eq!(decode(&[]), Err(WireError::Truncated { offset: 0, wanted: 1, found: 0 }));
}

#[test]
fn an_unknown_type_is_counted_not_refused() {
    let message = decode(b"zanything").unwrap();
    assert_eq!(message, itch50::Msg::Other(b'z'));
    assert_eq!((message.name(), message.header(), message.as_bytes()), ("Unknown", None, None));
    assert_eq!(message.to_string(), "unknown type z");
    assert_eq!(decode(&[7]).unwrap().to_string(), "unknown type 0x07");
}

#[test]
fn the_directory_entry_of_a_simulated_stock_is_a_test_security() {
    let r = StockDirectory::common_stock(9, NS, sym("ZVZZT"), 100);
    assert_eq!((r.locate(), r.ns(), r.round_lot_size.get(), r.authenticity), (9, NS, 100, b'T'));
    assert_eq!(decode(r.as_bytes()), Ok(itch50::Msg::StockDirectory(&r)));
}
