//! Round trips and hostile input, against naive oracles.

use proptest::prelude::*;
use wire::framing::{self, Frames, Framing};
use wire::iex::Segment;
use wire::itch50::{self, Msg};
use wire::moldudp64::{self, Header, Packet, PacketBuilder, PacketKind};
use wire::{IntoBytes, Price8, SignedPrice4, Timestamp48, UnixTimestamp, WireError};

use crate::exercise::exercise;

/// MoldUDP64's body, read the slow and obvious way.
fn naive_blocks(packet: &[u8]) -> Vec<Result<Vec<u8>, WireError>> {
    let count = u16::from_be_bytes([packet[18], packet[19]]);
    let count = if count == 0xffff { 0 } else { count };
    let (mut at, mut out) = (20, Vec::new());
    for _ in 0..count {
        if at + 2 > packet.len() {
            out.push(Err(WireError::Truncated {
                offset: at as u64,
                wanted: 2,
                found: (packet.len() - at) as u16,
            }));
            return out;
        }
        let len = usize::from(packet[at]) << 8 | usize::from(packet[at + 1]);
        if at + 2 + len > packet.len() {
            let found = (packet.len() - at - 2) as u16;
            out.push(Err(WireError::Truncated { offset: at as u64 + 2, wanted: len as u16, found }));
            return out;
        }
        out.push(match len {
            0 => Err(WireError::ZeroLength { offset: at as u64 }),
            _ => Ok(packet[at + 2..at + 2 + len].to_vec()),
        });
        at += 2 + len;
    }
    if at < packet.len() {
        out.push(Err(WireError::TrailingBytes { offset: at as u64, found: (packet.len() - at) as u16 }));
    }
    out
}

/// A body that is mostly well formed, so that iteration gets far.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..60).prop_map(|m| [&(m.len() as u16).to_be_bytes()[..], &m].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..5),
    ];
    prop::collection::vec(block, 0..12).prop_map(|blocks| blocks.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }

    #[test]
    fn arbitrary_fields_never_panic(kind in any::<prop::sample::Index>(), fill in prop::collection::vec(any::<u8>(), 90)) {
        for table in [itch50::MESSAGE_TYPES, wire::deep10::MESSAGE_TYPES, wire::tops16::MESSAGE_TYPES] {
            let (message_type, len, _) = table[kind.index(table.len())];
            let mut bytes = fill[..usize::from(len)].to_vec();
            bytes[0] = message_type;
            exercise(&bytes);
        }
    }

    #[test]
    fn blocks_agree_with_the_naive_reader(count in prop_oneof![4 => 0_u16..14, 1 => any::<u16>()], body in body()) {
        let packet = [Header::new(*b"session   ", 1, count).as_bytes(), &body].concat();
        let mut messages = Packet::parse(&packet).unwrap().messages();
        let got: Vec<_> = messages.by_ref().map(|item| item.map(<[u8]>::to_vec)).collect();
        prop_assert_eq!(messages.next(), None);
        prop_assert_eq!(&got, &naive_blocks(&packet));
    }

    #[test]
    fn packets_carry_what_was_pushed(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..80), 0..40),
        room in 20_usize..1_400,
        sequence in any::<u64>(),
    ) {
        let mut buf = vec![0xcc; room];
        let mut builder = PacketBuilder::new(&mut buf, *b"0123456789", sequence).unwrap();
        let mut free = room - 20;
        let mut kept = Vec::new();
        for message in &messages {
            let fits = message.len() + 2 <= free;
            prop_assert_eq!(builder.push(message), fits);
            if fits {
                free -= message.len() + 2;
                kept.push(message.as_slice());
            }
        }
        prop_assert_eq!((usize::from(builder.count()), builder.is_empty()), (kept.len(), kept.is_empty()));
        let len = builder.finish();
        prop_assert_eq!(len, room - free);
        prop_assert!(buf[len..].iter().all(|b| *b == 0xcc), "bytes behind the packet were touched");

        let packet = Packet::parse(&buf[..len]).unwrap();
        prop_assert_eq!((packet.session(), packet.sequence()), (*b"0123456789", sequence));
        prop_assert_eq!(packet.next_sequence(), sequence.saturating_add(kept.len() as u64));
        let read: Vec<_> = packet.messages().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read, kept);
    }

    #[test]
    fn files_carry_what_was_written(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..90), 0..20)) {
        let mut file = [0; 2_048];
        let end = messages.iter().try_fold(0, |at, m| framing::write_message(&mut file, at, m)).unwrap();
        for marker in [0, 2] {
            let mut frames = Frames::new(&file[..end + marker]);
            let read: Vec<_> = frames.by_ref().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read, &messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(frames.offset(), end as u64, "an end marker is no message");
        }
    }

    #[test]
    fn order_messages_match_a_field_by_field_encoder(
        head in (any::<u16>(), any::<u16>(), 0..=Timestamp48::MAX_NS),
        ids in any::<(u64, u64, u64)>(),
        side in any::<u8>(),
        numbers in any::<(u32, u32)>(),
        stock in any::<[u8; 8]>(),
    ) {
        let (locate, tracking, ns) = head;
        let (a, b, number) = ids;
        let (shares, price) = numbers;
        let encode = |message_type: u8, fields: &[&[u8]]| {
            let header = [&[message_type][..], &locate.to_be_bytes(), &tracking.to_be_bytes(), &ns.to_be_bytes()[2..]];
            [header.concat(), fields.concat()].concat()
        };
        let (a_be, b_be, number_be) = (a.to_be_bytes(), b.to_be_bytes(), number.to_be_bytes());
        let (shares_be, price_be) = (shares.to_be_bytes(), price.to_be_bytes());

        let add = itch50::AddOrder::new(locate, tracking, ns, a, side, shares, stock, price);
        prop_assert_eq!(add.as_bytes(), encode(b'A', &[&a_be, &[side], &shares_be, &stock, &price_be]));
        let replace = itch50::OrderReplace::new(locate, tracking, ns, a, b, shares, price);
        prop_assert_eq!(replace.as_bytes(), encode(b'U', &[&a_be, &b_be, &shares_be, &price_be]));
        let execute = itch50::OrderExecutedWithPrice::new(locate, tracking, ns, a, shares, number, side, price);
        prop_assert_eq!(execute.as_bytes(), encode(b'C', &[&a_be, &shares_be, &number_be, &[side], &price_be]));
        let trade = itch50::Trade::new(locate, tracking, ns, a, side, shares, stock, price, number);
        prop_assert_eq!(trade.as_bytes(), encode(b'P', &[&a_be, &[side], &shares_be, &stock, &price_be, &number_be]));

        let Ok(Msg::AddOrder(read)) = itch50::decode(add.as_bytes()) else { panic!("not an add") };
        prop_assert_eq!((read.locate(), read.header.tracking.get(), read.ns()), (locate, tracking, ns));
        prop_assert_eq!((read.order_ref.get(), read.side, read.shares.get()), (a, side, shares));
        prop_assert_eq!((read.stock, read.price.raw(), read.price.px().0), (stock, price, i64::from(price) * 100_000));
    }

    #[test]
    fn prices_and_times_convert_exactly_or_not_at_all(signed in any::<i64>(), unsigned in any::<u64>()) {
        let exact = |wide: i128| i64::try_from(wide).ok().filter(|v| *v != i64::MAX).unwrap_or(i64::MAX);
        prop_assert_eq!(SignedPrice4::from(signed).px().0, exact(i128::from(signed) * 100_000));
        prop_assert_eq!(Price8::from(unsigned).px().0, exact(i128::from(unsigned) * 10));
        prop_assert_eq!(Timestamp48::new(unsigned).ns(), unsigned.min(Timestamp48::MAX_NS));
        prop_assert_eq!(UnixTimestamp::from(unsigned).ns(), unsigned.min(i64::MAX as u64));
        prop_assert_eq!(UnixTimestamp(signed.into()).ns(), u64::try_from(signed).unwrap_or(0));
    }
}

#[test]
fn a_heartbeat_and_an_end_of_session_carry_nothing() {
    for (count, kind) in [(0, PacketKind::Heartbeat), (0xffff, PacketKind::EndOfSession)] {
        let header = Header::new(*b"000010059B", 42, count);
        let packet = Packet::parse(header.as_bytes()).unwrap();
        assert_eq!((packet.kind(), packet.message_count(), packet.next_sequence()), (kind, 0, 42));
        assert_eq!(packet.messages().count(), 0);
        assert_eq!(header.to_string(), format!("MoldUDP64 session=000010059B seq=42 count={count}"));
    }
    assert_eq!(
        Packet::parse(&[0; 19]).unwrap_err(),
        WireError::Truncated { offset: 0, wanted: 20, found: 19 }
    );
}

#[test]
fn an_empty_message_loses_only_itself() {
    let packet = [Header::new([b' '; 10], 5, 3).as_bytes(), &[0, 1, b'x', 0, 0, 0, 1, b'y']].concat();
    let items: Vec<_> = Packet::parse(&packet).unwrap().messages().collect();
    assert_eq!(items, [Ok(&b"x"[..]), Err(WireError::ZeroLength { offset: 23 }), Ok(&b"y"[..])]);
}

#[test]
fn a_packet_holds_no_message_it_could_not_announce() {
    let mut buf = vec![0; 300_000];
    let mut builder = PacketBuilder::new(&mut buf, [0; 10], 1).unwrap();
    assert!(!builder.push(&[]) && !builder.push(&[0; 65_536]));
    assert_eq!((0..70_000).filter(|_| builder.push(b"x")).count(), usize::from(moldudp64::MAX_COUNT));
    assert_eq!(
        PacketBuilder::new(&mut [0; 19], [0; 10], 1).map(|_| ()).unwrap_err(),
        WireError::NoRoom { wanted: 20, found: 19 },
    );
}

#[test]
fn a_file_is_refused_where_it_breaks() {
    let whole = [0, 1, b'a', 0, 2, b'b', b'c'];
    let last = |file: &[u8]| Frames::new(file).last().unwrap().map(<[u8]>::len);
    assert_eq!(last(&whole), Ok(2));
    assert_eq!(last(&whole[..6]), Err(WireError::Truncated { offset: 5, wanted: 2, found: 1 }));
    assert_eq!(last(&whole[..4]), Err(WireError::Truncated { offset: 3, wanted: 2, found: 1 }));
    assert_eq!(last(&[0, 1, b'a', 0, 0, 9]), Err(WireError::ZeroLength { offset: 3 }));
    assert_eq!(Frames::new(&[]).next(), None);
    let mut after_error = Frames::new(&[0, 0, 9]);
    assert!(after_error.next().unwrap().is_err());
    assert_eq!(after_error.next(), None);
    assert_eq!(framing::write_message(&mut [0; 4], 1, b"ab"), Err(WireError::NoRoom { wanted: 4, found: 3 }));
    assert_eq!(framing::write_message(&mut [0; 4], 9, b"ab"), Err(WireError::NoRoom { wanted: 4, found: 0 }));
    assert!(framing::write_message(&mut [0; 4], 0, b"").is_err());
}

#[test]
fn a_file_without_lengths_is_read_by_type() {
    let delete = itch50::OrderDelete::new(1, 0, 2, 3);
    let mut file = [&[0, 0][..], delete.as_bytes(), &[0xff, 0xff], delete.as_bytes()].concat();
    let read = |file: &[u8]| {
        Frames::with_framing(file, Framing::Itch50Type).map(|i| i.map(<[u8]>::len)).collect::<Vec<_>>()
    };
    assert_eq!(read(&file), [Ok(19), Ok(19)]);
    assert_eq!(read(&file[..41])[1], Err(WireError::Truncated { offset: 23, wanted: 19, found: 18 }));
    assert_eq!(read(&file[..23])[1], Err(WireError::Truncated { offset: 23, wanted: 1, found: 0 }));
    assert_eq!(read(&file[..22])[1], Err(WireError::Truncated { offset: 21, wanted: 2, found: 1 }));
    let marked = [&file[..], &[0, 0]].concat();
    assert_eq!(
        read(&marked)[2],
        Err(WireError::Truncated { offset: 44, wanted: 1, found: 0 }),
        "no marker by type"
    );
    file[23] = b'z';
    assert_eq!(read(&file)[1], Err(WireError::UnknownType { offset: 23, message_type: b'z' }));
}

#[test]
fn errors_move_with_their_slice_and_have_distinct_counters() {
    let samples = [
        WireError::Truncated { offset: 1, wanted: 2, found: 1 },
        WireError::BadLength { offset: 1, message_type: b'A', wanted: 36, found: 35 },
        WireError::ZeroLength { offset: 1 },
        WireError::TrailingBytes { offset: 1, found: 4 },
        WireError::UnknownType { offset: 1, message_type: 0 },
        WireError::VlanDepth { offset: 1 },
        WireError::NotIpv4 { offset: 1, found: 0x86dd },
        WireError::BadIpHeader { offset: 1, wanted: 0x45, found: 0x65 },
        WireError::BadIpChecksum { offset: 1, wanted: 1, found: 2 },
        WireError::Fragment { offset: 1, found: 0x2000 },
        WireError::NotUdp { offset: 1, found: 6 },
        WireError::BadUdpLength { offset: 1, wanted: 15, found: 7 },
        WireError::WrongVersion { offset: 1, wanted: 1, found: 2 },
        WireError::WrongProtocol { offset: 1, wanted: 0x8004, found: 0x8003 },
        WireError::NoRoom { wanted: 2, found: 1 },
        WireError::BadUdpChecksum { offset: 1, wanted: 1, found: 2 },
    ];
    let slugs: Vec<_> = samples.iter().map(|e| e.slug()).collect();
    assert_eq!(slugs, WireError::KINDS, "one sample per kind, in counter order");
    for error in samples {
        let (before, after) = (error.offset(), error.shifted(100).offset());
        assert_eq!((before, after), if error.slug() == "no_room" { (0, 0) } else { (1, 101) });
    }
    assert_eq!(samples[0].to_string(), "truncated at offset 1: wanted 2 bytes, found 1");
    assert_eq!(samples[1].to_string(), "message 'A' at offset 1: wanted 36 bytes, found 35");
    assert_eq!(samples[4].to_string(), "message type at offset 1: wanted a known type, found '\\u{0}'");
}

#[test]
fn a_segment_of_nothing_but_ones_ends_where_its_bytes_do() {
    let mut bytes = [0xff; 40];
    bytes[0] = 1;
    bytes[12..16].copy_from_slice(&[0, 0, 9, 0]);
    let segment = Segment::parse(&bytes).unwrap();
    assert_eq!(
        segment.messages().next(),
        Some(Err(WireError::Truncated { offset: 40, wanted: 2, found: 0 }))
    );
}
