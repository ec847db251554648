//! The tag=value encoding: what is written is read, whatever the stream is cut into, and what is no message is passed over.

use crate::fix::dictionary::{self, Version};
use crate::fix::frame::{Fault, FaultKind, Framed, MESSAGE_BYTES_MAX, frame};
use crate::fix::message::{Message, decimal, number};
use crate::fix::validate::{RejectCode, Rules, problem_of};
use crate::fix::write::Writer;
use crate::fix::{tags, time};
use proptest::prelude::*;
use types::UnixNanos;

/// A message whose sum and length were worked out by hand: `8=FIX.4.2|9=5|35=0|10=161|`.
const HEARTBEAT: &[u8] = b"8=FIX.4.2\x019=5\x0135=0\x0110=161\x01";

fn written(kind: &str, fields: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.begin(kind.as_bytes());
    fields.iter().for_each(|(tag, value)| writer.text(*tag, value));
    writer.finish(b"FIX.4.4").expect("it fits").to_vec()
}

#[test]
fn a_message_is_written_and_found_byte_for_byte() {
    let mut writer = Writer::new();
    writer.begin(b"0");
    assert_eq!(writer.finish(b"FIX.4.2"), Some(HEARTBEAT));
    assert_eq!(frame(HEARTBEAT), Framed::Message(HEARTBEAT.len()));
    for end in 0..HEARTBEAT.len() {
        assert_eq!(frame(&HEARTBEAT[..end]), Framed::Partial, "{end} bytes");
    }
}

#[test]
fn faults_say_where_they_are() {
    let cases: [(&[u8], usize, FaultKind, usize); 6] = [
        (b"garbage8=FIX.4.2\x01", 7, FaultKind::NoBeginString, 0),
        (b"8=FIX.4.2\x0135=0\x0110=000\x01next", 22, FaultKind::NoBodyLength, 10),
        (b"8=FIX.4.2\x019=x\x0135=0\x0110=000\x01", 26, FaultKind::NoBodyLength, 10),
        (b"8=FIX.4.2\x019=5\x0135=0\x0110=162\x01", 26, FaultKind::WrongCheckSum, 19),
        (b"8=FIX.4.2\x019=4\x0135=0\x0110=161\x01", 26, FaultKind::WrongBodyLength, 17),
        (b"8=FIX.4.2\x019=5\x0134=0\x0110=160\x01", 26, FaultKind::NoMsgType, 14),
    ];
    for (bytes, length, kind, at) in cases {
        let fault = Fault { at, kind };
        assert_eq!(frame(bytes), Framed::Garbled(length, fault), "{}", String::from_utf8_lossy(bytes));
        assert!(fault.to_string().starts_with(&format!("at byte {at}: ")));
    }
    let long = format!("8=FIX.4.2\x019={}\x0135=0\x01", MESSAGE_BYTES_MAX + 1);
    let Framed::Garbled(_, Fault { kind: FaultKind::TooLong, .. }) = frame(long.as_bytes()) else {
        panic!("a length that cannot be")
    };
    let endless = [b"8=FIX.4.2\x0135=0\x01".as_slice(), &vec![b'x'; MESSAGE_BYTES_MAX]].concat();
    assert!(matches!(frame(&endless), Framed::Garbled(_, Fault { kind: FaultKind::TooLong, .. })));
}

#[test]
fn a_field_that_is_none_is_a_fault_at_its_place() {
    let bad = written("0", &[(49, b"A".to_vec())]);
    let bad = String::from_utf8(bad).expect("text").replace("49=A", "4x=A");
    let fault = Message::parse(bad.as_bytes()).expect_err("no field");
    assert_eq!(fault.kind, FaultKind::BadField);
    assert_eq!(&bad.as_bytes()[fault.at..fault.at + 4], b"4x=A");
}

#[test]
fn data_fields_may_hold_the_separator() {
    let message = written("A", &[(95, b"5".to_vec()), (96, b"a\x01b=c".to_vec()), (108, b"30".to_vec())]);
    let message = Message::parse(&message).expect("fields");
    assert_eq!(message.get(96), Some(b"a\x01b=c".as_slice()));
    assert_eq!(message.number(tags::HEART_BT_INT), Some(30));
}

#[test]
fn numbers_and_times_are_exact() {
    assert_eq!(decimal(b"100"), Some(100_000_000_000));
    assert_eq!(decimal(b"00100.250"), Some(100_250_000_000));
    assert_eq!(decimal(b".5"), Some(500_000_000));
    assert_eq!(decimal(b"5."), Some(5_000_000_000));
    assert_eq!(decimal(b"0.0000000010"), Some(1), "zeros beyond the ninth place");
    for text in ["", ".", "-1", "+1", "1e3", "0.0000000001", "9223372037", "1.2.3", " 1"] {
        assert_eq!(decimal(text.as_bytes()), None, "{text}");
    }
    assert_eq!(number(b"007"), Some(7));
    assert_eq!(number(b"-7"), None);
    let at = time::parse(b"20240229-23:59:60.123456789").expect("a leap day and a leap second");
    assert_eq!(at, time::parse(b"20240301-00:00:00.123456789").expect("a time"));
    assert_eq!(time::parse(b"19700101-00:00:00"), Some(UnixNanos(0)));
    for text in [
        "20230229-00:00:00",
        "20231301-00:00:00",
        "20240101 00:00:00",
        "20240101-24:00:00",
        "20240101-00:00:00.",
    ] {
        assert_eq!(time::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_field_that_decides_is_not_said_twice() {
    let rules = Rules { version: Version::Fix44, body: true, user_fields: true };
    let fields = |double: i32| {
        let values: Vec<(i32, &[u8])> = vec![
            (34, b"2"),
            (49, b"A"),
            (52, b"20261202-00:00:00"),
            (56, b"B"),
            (11, b"a"),
            (1, b"acct"),
            (55, b"X"),
            (54, b"1"),
            (38, b"5"),
            (40, b"2"),
            (44, b"1"),
            (59, b"0"),
            (60, b"20261202-00:00:00"),
        ];
        let again = values
            .iter()
            .filter(|(tag, _)| *tag == double && !dictionary::is_header(*tag))
            .copied()
            .collect::<Vec<_>>();
        values.into_iter().chain(again).map(|(tag, value)| (tag, value.to_vec())).collect::<Vec<_>>()
    };
    let problem = |double| {
        let bytes = written("D", &fields(double));
        problem_of(&Message::parse(&bytes).expect("fields"), rules)
    };
    assert_eq!(problem(0), None);
    let hidden: Vec<_> =
        fields(0).into_iter().chain([(354, b"6".to_vec()), (355, b"a\x0138=9".to_vec())]).collect();
    let found =
        problem_of(&Message::parse(&written("D", &hidden)).expect("fields"), rules).expect("a problem");
    assert_eq!((found.code, found.tag), (RejectCode::ValueIncorrect, Some(355)));
    for tag in [11, 1, 55, 54, 38, 40, 44, 59, 60] {
        let found = problem(tag).expect("a problem");
        assert_eq!((found.code, found.tag), (RejectCode::TagRepeated, Some(tag)));
    }
}

#[test]
fn rows_of_the_dictionaries_agree_with_themselves() {
    for version in [Version::Fix42, Version::Fix44, Version::Fixt11] {
        for kind in ["0", "1", "2", "3", "4", "5", "A", "D", "F", "G"] {
            let row = dictionary::message_row(version, kind.as_bytes()).expect("a row");
            assert!(version.has_message(kind.as_bytes()));
            for tag in row.required {
                assert!(version.defines(*tag), "{version:?} {kind} {tag}");
                assert!(row.only.is_none_or(|only| only.contains(tag)), "{version:?} {kind} {tag}");
            }
        }
        assert!(!version.has_message(b"*") && !version.has_message(b"") && !version.has_message(b"ZZZ"));
    }
}

fn any_fields() -> impl Strategy<Value = Vec<(i32, Vec<u8>)>> {
    // No tag that gives the length of another.
    let tag = prop_oneof![Just(11), Just(55), Just(58), 5_000..9_999];
    let value = proptest::collection::vec((2_u8..).prop_filter("no separator", |b| *b != 1), 1..40);
    proptest::collection::vec((tag, value), 0..20)
}

proptest! {
    #[test]
    fn what_is_written_is_read(fields in any_fields()) {
        let bytes = written("D", &fields);
        prop_assert_eq!(frame(&bytes), Framed::Message(bytes.len()));
        let message = Message::parse(&bytes).expect("fields");
        let body: Vec<_> = message.fields().skip(3).map(|f| (f.tag, f.value.to_vec())).collect();
        prop_assert_eq!(&body[..body.len() - 1], &fields[..]);
    }

    /// However a stream is cut, and whatever stands between messages, the same messages are found.
    #[test]
    fn any_cut_of_a_stream_gives_the_same_messages(
        messages in proptest::collection::vec((any_fields(), proptest::collection::vec(b'a'..=b'z', 0..9)), 1..8),
        cuts in proptest::collection::vec(1_usize..64, 1..40),
    ) {
        let mut stream = Vec::new();
        for (fields, noise) in &messages {
            stream.extend_from_slice(noise);
            stream.extend(written("D", fields));
        }
        let (mut buffer, mut found, mut rest, mut cut) = (Vec::new(), Vec::new(), stream.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*cut.next().expect("endless")).min(rest.len()));
            buffer.extend_from_slice(now);
            rest = later;
            loop {
                match frame(&buffer) {
                    Framed::Partial => break,
                    Framed::Message(length) => found.push(buffer.drain(..length).collect::<Vec<_>>()),
                    Framed::Garbled(length, _) => drop(buffer.drain(..length)),
                }
            }
        }
        let wanted: Vec<_> = messages.iter().map(|(fields, _)| written("D", fields)).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn times_are_read_as_they_are_written(ms in 0_u64..16_000_000_000_000) {
        let at = UnixNanos(ms * 1_000_000);
        prop_assert_eq!(time::parse(&time::text(at)), Some(at));
    }

    #[test]
    fn decimals_are_those_of_px(nanos in 0_i64..i64::MAX) {
        prop_assert_eq!(decimal(types::Px(nanos).to_string().as_bytes()), Some(nanos));
    }
}
