//! OUCH 5.0, OUCH 4.2 and SoupBinTCP: hand-made vectors laid out from the specifications' tables, round trips, and what real
//! sessions sent.

use proptest::prelude::*;
use tests::real_data;
use wire::ouch50::{OptionTag, inbound, options, outbound};
use wire::soupbin::{self, LoginAccepted, LoginRequest, Packet};
use wire::{FromBytes, IntoBytes, WireError, ouch42};

use crate::capture::packets;
use crate::{hex, sym};

/// Time of every vector: 09:30:00.123456789.
const NS: u64 = 34_200_123_456_789;

/// The payload of the only TCP segment in a published capture.
fn segment(name: &str) -> Option<Vec<u8>> {
    let file = std::fs::read(real_data(&format!("omi_vectors/{name}.pcap"))?).unwrap();
    let (_, frames) = packets(&file);
    let frame = frames[0];
    let ip = if frame[12..14] == [0x81, 0] { 18 } else { 14 };
    let header = usize::from(frame[ip] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([frame[ip + 2], frame[ip + 3]]));
    let tcp = ip + header;
    let data = tcp + usize::from(frame[tcp + 12] >> 4) * 4;
    Some(frame[data..ip + total].to_vec())
}

/// The only packet in it.
fn packet(bytes: &[u8]) -> Packet<'_> {
    let (packet, used) = Packet::parse(bytes, 1_000).unwrap().expect("a whole packet");
    assert_eq!(used, bytes.len());
    packet
}

#[test]
fn real_sessions_of_ouch_50_are_read_to_the_last_byte() {
    let folder = "Nasdaq/Nasdaq.Nsm.Ouch.v5.0/";
    let Some(bytes) = segment(&format!("{folder}EnterOrderMessage")) else { return };
    let message = packet(&bytes).payload();
    let inbound::Msg::EnterOrder(order) = inbound::decode(message).unwrap() else { panic!("{message:?}") };
    assert_eq!(
        order.to_string(),
        "O EnterOrder user_ref_num=113 side=T quantity=225 symbol=CVLT price=630200 time_in_force=0 display=Y capacity=A \
         intermarket_sweep=N cross_type=N cl_ord_id=H8FUB8IV"
    );
    let mut found = options(&message[inbound::EnterOrder::LEN..], true).unwrap();
    assert_eq!(found.get(OptionTag(2)), Some(&b"LIME"[..]));
    assert_eq!((found.next(), found.next()), (Some((OptionTag(2), &b"LIME"[..])), None));

    let bytes = segment(&format!("{folder}OrderAcceptedMessage")).unwrap();
    let message = packet(&bytes).payload();
    let outbound::Msg::Accepted(accepted) = outbound::decode(message).unwrap() else { panic!("{message:?}") };
    assert_eq!(
        accepted.to_string(),
        "A Accepted timestamp=44647483486087 user_ref_num=7682701 side=B quantity=40 symbol=ADBE price=4777800 \
         time_in_force=5 display=Y order_ref_num=257340661 capacity=A intermarket_sweep=N cross_type=N order_state=L \
         cl_ord_id=7682701"
    );
    let found: Vec<u8> =
        options(&message[outbound::Accepted::LEN..], true).unwrap().map(|(tag, _)| tag.0).collect();
    assert_eq!(found, [2, 18], "firm and BBO weight");

    let bytes = segment(&format!("{folder}CancelOrderMessage")).unwrap();
    let message = packet(&bytes).payload();
    assert_eq!(message, inbound::CancelOrder::new(7_679_601, 0).as_bytes(), "no appendage");
    let bytes = segment(&format!("{folder}CanceledMessage")).unwrap();
    let message = packet(&bytes).payload();
    assert_eq!(message, outbound::Canceled::new(44_647_483_708_183, 7_682_701, 40, b'U').as_bytes());
}

#[test]
fn real_sessions_of_soupbin_log_in() {
    let folder = "Jnx/JnxEquities.Pts.Ouch.v1.11/";
    let Some(bytes) = segment(&format!("{folder}LoginRequestPacket")) else { return };
    let request = LoginRequest::ref_from_bytes(packet(&bytes).body()).unwrap();
    assert_eq!((request.username, request.password), (*b"user  ", *b"password  "));
    assert_eq!((request.session, request.sequence.get()), ([b' '; 10], Some(0)));
    let bytes = segment(&format!("{folder}LoginAcceptedPacket")).unwrap();
    let accepted = LoginAccepted::ref_from_bytes(packet(&bytes).body()).unwrap();
    assert_eq!((accepted.session, accepted.sequence.get()), (*b"1689192121", Some(135)));
    assert_eq!(*accepted, LoginAccepted::new(*b"1689192121", 135_u64), "numbers are padded on the left");
    for (side, wanted) in [("Client", soupbin::CLIENT_HEARTBEAT), ("Server", soupbin::SERVER_HEARTBEAT)] {
        let bytes = segment(&format!("Nasdaq/Nasdaq.Nsm.Ouch.v5.0/{side}HeartbeatPacket")).unwrap();
        assert_eq!(packet(&bytes).packet_type(), wanted);
    }
}

/// The bytes decode, in place and whole, to what `built` builds, and print as `text`.
fn check<'a, M: std::fmt::Display>(
    bytes: &str,
    built: &[u8],
    text: &str,
    decode: impl Fn(&'a [u8]) -> Result<M, WireError>,
) {
    let bytes: &'a [u8] = Vec::leak(hex(bytes));
    assert_eq!(bytes, built, "constructor of {text}");
    assert_eq!(decode(bytes).unwrap().to_string(), text);
    assert!(
        decode(&bytes[..bytes.len() - 1]).is_err() || bytes.len() == 1,
        "one byte less is another message"
    );
}

#[test]
fn what_a_client_of_ouch_50_sends() {
    check(
        "4f 00000007 42 00000064 5a565a5a54202020 00000000000f4240 30 59 50 4e 4e 4142433120202020202020202020",
        inbound::EnterOrder::new(
            7,
            b'B',
            100,
            sym("ZVZZT"),
            1_000_000,
            b'0',
            b'Y',
            b'P',
            b'N',
            b'N',
            *b"ABC1          ",
        )
        .as_bytes(),
        "O EnterOrder user_ref_num=7 side=B quantity=100 symbol=ZVZZT price=1000000 time_in_force=0 display=Y capacity=P \
         intermarket_sweep=N cross_type=N cl_ord_id=ABC1",
        inbound::decode,
    );
    check(
        "55 00000007 00000008 000000c8 00000000000f42a4 33 4e 59 4142433220202020202020202020",
        inbound::ReplaceOrder::new(7, 8, 200, 1_000_100, b'3', b'N', b'Y', *b"ABC2          ").as_bytes(),
        "U ReplaceOrder orig_user_ref_num=7 user_ref_num=8 quantity=200 price=1000100 time_in_force=3 display=N \
         intermarket_sweep=Y cl_ord_id=ABC2",
        inbound::decode,
    );
    check(
        "58 00000008 00000000",
        inbound::CancelOrder::new(8, 0).as_bytes(),
        "X CancelOrder user_ref_num=8 quantity=0",
        inbound::decode,
    );
    check(
        "4d 00000008 54 00000032",
        inbound::ModifyOrder::new(8, b'T', 50).as_bytes(),
        "M ModifyOrder user_ref_num=8 side=T quantity=50",
        inbound::decode,
    );
    check(
        "43 00000009 46495254 2020202020202020",
        inbound::MassCancel::new(9, *b"FIRT", [b' '; 8]).as_bytes(),
        "C MassCancel user_ref_num=9 firm=FIRT symbol=",
        inbound::decode,
    );
    check(
        "44 0000000a 46495254",
        inbound::DisableOrderEntry::new(10, *b"FIRT").as_bytes(),
        "D DisableOrderEntry user_ref_num=10 firm=FIRT",
        inbound::decode,
    );
    check(
        "45 0000000b 46495254",
        inbound::EnableOrderEntry::new(11, *b"FIRT").as_bytes(),
        "E EnableOrderEntry user_ref_num=11 firm=FIRT",
        inbound::decode,
    );
    check("51", inbound::AccountQuery::new().as_bytes(), "Q AccountQuery", inbound::decode);
}

#[test]
fn what_a_host_of_ouch_50_sends() {
    check(
        "41 00001f1ad635bd15 00000007 42 00000064 5a565a5a54202020 00000000000f4240 30 59 0000000000000063 50 4e 4e 4c \
         4142433120202020202020202020",
        outbound::Accepted::new(
            NS,
            7,
            b'B',
            100,
            sym("ZVZZT"),
            1_000_000,
            b'0',
            b'Y',
            99,
            b'P',
            b'N',
            b'N',
            outbound::LIVE,
            *b"ABC1          ",
        )
        .as_bytes(),
        "A Accepted timestamp=34200123456789 user_ref_num=7 side=B quantity=100 symbol=ZVZZT price=1000000 time_in_force=0 \
         display=Y order_ref_num=99 capacity=P intermarket_sweep=N cross_type=N order_state=L cl_ord_id=ABC1",
        outbound::decode,
    );
    check(
        "55 00001f1ad635bd15 00000007 00000008 42 000000c8 5a565a5a54202020 00000000000f42a4 30 59 0000000000000064 50 4e 4e \
         44 4142433220202020202020202020",
        outbound::Replaced::new(
            NS,
            7,
            8,
            b'B',
            200,
            sym("ZVZZT"),
            1_000_100,
            b'0',
            b'Y',
            100,
            b'P',
            b'N',
            b'N',
            outbound::DEAD,
            *b"ABC2          ",
        )
        .as_bytes(),
        "U Replaced timestamp=34200123456789 orig_user_ref_num=7 user_ref_num=8 side=B quantity=200 symbol=ZVZZT \
         price=1000100 time_in_force=0 display=Y order_ref_num=100 capacity=P intermarket_sweep=N cross_type=N order_state=D \
         cl_ord_id=ABC2",
        outbound::decode,
    );
}

#[test]
fn what_becomes_of_an_order_of_ouch_50() {
    check(
        "43 00001f1ad635bd15 00000008 00000028 55",
        outbound::Canceled::new(NS, 8, 40, b'U').as_bytes(),
        "C Canceled timestamp=34200123456789 user_ref_num=8 quantity=40 reason=U",
        outbound::decode,
    );
    check(
        "44 00001f1ad635bd15 00000008 00000028 51 00000028 00000000000f4240 52",
        outbound::AiqCanceled::new(NS, 8, 40, b'Q', 40, 1_000_000, b'R').as_bytes(),
        "D AiqCanceled timestamp=34200123456789 user_ref_num=8 decrement=40 reason=Q quantity_prevented=40 \
         execution_price=1000000 liquidity_flag=R",
        outbound::decode,
    );
    check(
        "45 00001f1ad635bd15 00000008 0000000a 00000000000f4240 41 0000000000000309",
        outbound::Executed::new(NS, 8, 10, 1_000_000, b'A', 777).as_bytes(),
        "E Executed timestamp=34200123456789 user_ref_num=8 quantity=10 price=1000000 liquidity_flag=A match_number=777",
        outbound::decode,
    );
    check(
        "42 00001f1ad635bd15 00000008 0000000000000309 45 4142433220202020202020202020",
        outbound::BrokenTrade::new(NS, 8, 777, b'E', *b"ABC2          ").as_bytes(),
        "B BrokenTrade timestamp=34200123456789 user_ref_num=8 match_number=777 reason=E cl_ord_id=ABC2",
        outbound::decode,
    );
    check(
        "4a 00001f1ad635bd15 00000009 0031 4142433320202020202020202020",
        outbound::Rejected::new(NS, 9, wire::ouch50::reason::MAX_QUANTITY, *b"ABC3          ").as_bytes(),
        "J Rejected timestamp=34200123456789 user_ref_num=9 reason=49 cl_ord_id=ABC3",
        outbound::decode,
    );
    check(
        "51 00001f1ad635bd15 0000000a",
        outbound::AccountQueryResponse::new(NS, 10).as_bytes(),
        "Q AccountQueryResponse timestamp=34200123456789 next_user_ref_num=10",
        outbound::decode,
    );
}

#[test]
fn what_both_sides_of_ouch_42_send() {
    check(
        "4f 544f4b454e312020202020202020 42 00000064 5a565a5a54202020 000f4240 0001869f 46495254 59 50 4e 00000000 4e 4e",
        ouch42::inbound::EnterOrder::new(
            *b"TOKEN1        ",
            b'B',
            100,
            sym("ZVZZT"),
            1_000_000,
            99_999,
            *b"FIRT",
            b'Y',
            b'P',
            b'N',
            0,
            b'N',
            b'N',
        )
        .as_bytes(),
        "O EnterOrder token=TOKEN1 side=B shares=100 stock=ZVZZT price=100.0000 time_in_force=99999 firm=FIRT display=Y \
         capacity=P intermarket_sweep=N minimum_quantity=0 cross_type=N customer_type=N",
        ouch42::inbound::decode,
    );
    check(
        "55 544f4b454e312020202020202020 544f4b454e322020202020202020 000000c8 000f42a4 00000000 59 4e 00000000",
        ouch42::inbound::ReplaceOrder::new(
            *b"TOKEN1        ",
            *b"TOKEN2        ",
            200,
            1_000_100,
            0,
            b'Y',
            b'N',
            0,
        )
        .as_bytes(),
        "U ReplaceOrder existing_token=TOKEN1 replacement_token=TOKEN2 shares=200 price=100.0100 time_in_force=0 display=Y \
         intermarket_sweep=N minimum_quantity=0",
        ouch42::inbound::decode,
    );
    check(
        "45 00001f1ad635bd15 544f4b454e312020202020202020 0000000a 000f4240 41 0000000000000309",
        ouch42::outbound::Executed::new(NS, *b"TOKEN1        ", 10, 1_000_000, b'A', 777).as_bytes(),
        "E Executed timestamp=34200123456789 token=TOKEN1 shares=10 price=100.0000 liquidity_flag=A match_number=777",
        ouch42::outbound::decode,
    );
    check(
        "4a 00001f1ad635bd15 544f4b454e312020202020202020 48",
        ouch42::outbound::Rejected::new(NS, *b"TOKEN1        ", ouch42::reason::HALTED).as_bytes(),
        "J Rejected timestamp=34200123456789 token=TOKEN1 reason=H",
        ouch42::outbound::decode,
    );
    for message_type in *b"SAUCDEGBFJPITMN" {
        let known = ouch42::outbound::MESSAGE_TYPES.iter().any(|(known, ..)| *known == message_type);
        assert!(known, "{}", char::from(message_type));
    }
}

/// What is appended, as the specification says it, option by option.
fn appended(options: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> = options
        .iter()
        .flat_map(|(tag, value)| [&[value.len() as u8 + 1, *tag][..], value].concat())
        .collect();
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

proptest! {
    #[test]
    fn options_are_read_as_they_were_written(
        written in prop::collection::vec((1_u8..29, prop::collection::vec(any::<u8>(), 0..9)), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let tail = appended(&written);
        let read: Vec<(u8, Vec<u8>)> =
            options(&tail, true).unwrap().map(|(tag, value)| (tag.0, value.to_vec())).collect();
        prop_assert_eq!(&read, &written);
        if let Some((tag, value)) = written.first() {
            prop_assert_eq!(options(&tail, true).unwrap().get(OptionTag(*tag)), Some(&value[..]));
        }
        let cut = cut.index(tail.len());
        prop_assert!(options(&tail[..cut], true).is_err(), "a part of it is none");
        prop_assert!(options(&[&tail[..], &[0]].concat(), true).is_err(), "nor is more");
    }

    #[test]
    fn packets_survive_their_bytes(
        packet_type in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..120), more in 0_usize..9,
    ) {
        let fixed = b"LAJHRZO".contains(&packet_type);
        let mut room = [0xaa; 200];
        let used = soupbin::write(packet_type, &payload, &mut room).unwrap();
        match Packet::parse(&room[..used + more], 120) {
            Ok(Some((packet, parsed))) => {
                prop_assert_eq!((packet.packet_type(), packet.payload(), parsed), (packet_type, &payload[..], used));
            }
            other => prop_assert!(fixed, "{other:?}"),
        }
        for short in 0..used {
            prop_assert!(!matches!(Packet::parse(&room[..short], 120), Ok(Some(_))));
        }
        prop_assert!(soupbin::write(packet_type, &payload, &mut room[..used - 1]).is_err());
    }

    #[test]
    fn numbers_survive_their_digits(number: u64) {
        prop_assert_eq!(soupbin::Number::from(number).get(), Some(number));
    }

    #[test]
    fn arbitrary_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
        prop_assert!(inbound::decode(&bytes).is_ok_and(|m| m.as_bytes().is_none_or(|b| bytes.starts_with(b)))
            || inbound::decode(&bytes).is_err());
        prop_assert!(outbound::decode(&bytes).is_ok_and(|m| !m.to_string().is_empty()) || outbound::decode(&bytes).is_err());
        prop_assert!(ouch42::inbound::decode(&bytes).is_ok_and(|m| m.as_bytes().is_none_or(|b| b == bytes))
            || ouch42::inbound::decode(&bytes).is_err());
        drop(ouch42::outbound::decode(&bytes).map(|m| m.to_string()));
    }
}

#[test]
fn a_number_that_is_none_is_none() {
    assert_eq!(soupbin::Number([b' '; 20]).get(), Some(0));
    assert_eq!(soupbin::Number(*b"                  1x").get(), None);
    assert_eq!(soupbin::Number(*b"99999999999999999999").get(), None);
}
