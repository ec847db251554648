//! Everything a hostile byte string can reach: parse, iterate, decode, print. Used by properties and mutations.

use std::fmt::Write;

use wire::frame::{LinkType, parse_udp, verify_checksums};
use wire::framing::{Frames, Framing};
use wire::iex::Segment;
use wire::moldudp64::Packet;
use wire::{WireError, deep10, itch50, tops16};

/// Runs every reader over `bytes` and checks what must hold whatever they are: nothing panics, every slice handed out
/// lies within its input, no iterator outlives its bytes, every error has a counter and an offset within the input.
pub(crate) fn exercise(bytes: &[u8]) {
    let mut text = String::new();
    if let Ok(udp) = parse_udp(LinkType::Ethernet, bytes) {
        within(bytes, udp.payload);
        assert_eq!(&bytes[usize::from(udp.payload_offset)..][..udp.payload.len()], udp.payload);
        write!(text, "{udp}").unwrap();
        transports(udp.payload, &mut text);
    }
    for number in [0, 1, 101, 113] {
        let link = LinkType::from_pcap(number).unwrap();
        note(bytes, parse_udp(link, bytes).map(|udp| within(bytes, udp.payload)), &mut text);
        note(bytes, verify_checksums(link, bytes), &mut text);
    }
    transports(bytes, &mut text);
    messages(bytes, &mut text);
    for framing in [Framing::Prefix, Framing::Itch50Type] {
        let mut frames = Frames::with_framing(bytes, framing);
        let mut total = 0;
        for item in frames.by_ref() {
            note(bytes, item.map(|message| total += message.len() + 2), &mut text);
            text.clear();
        }
        assert!(total <= bytes.len() && frames.next().is_none());
    }
}

fn transports(payload: &[u8], text: &mut String) {
    match Packet::parse(payload) {
        Ok(packet) => {
            write!(text, "{} {:?}", packet.header(), packet.kind()).unwrap();
            blocks(payload, packet.messages(), packet.message_count(), text);
        }
        Err(error) => note(payload, Err(error), text),
    }
    match Segment::parse(payload) {
        Ok(segment) => {
            write!(text, "{}", segment.header()).unwrap();
            blocks(payload, segment.messages(), segment.message_count(), text);
        }
        Err(error) => note(payload, Err(error), text),
    }
}

fn blocks<'a>(
    packet: &[u8],
    items: impl Iterator<Item = Result<&'a [u8], WireError>>,
    count: u16,
    text: &mut String,
) {
    let mut seen = 0;
    for item in items {
        seen += 1;
        match item {
            Ok(message) => {
                within(packet, message);
                messages(message, text);
            }
            Err(error) => note(packet, Err(error), text),
        }
        text.clear();
    }
    assert!(seen <= usize::from(count) + 1, "{seen} items of {count} announced");
    assert!(seen <= packet.len() / 2 + 1, "{seen} items in {} bytes", packet.len());
}

fn messages(message: &[u8], text: &mut String) {
    match itch50::decode(message) {
        Ok(m) => {
            write!(text, "{m} {m:?}").unwrap();
            assert_eq!(m.as_bytes().is_none(), matches!(m, itch50::Msg::Other(_)));
            m.as_bytes().inspect(|b| assert_eq!(*b, message));
        }
        Err(error) => note(message, Err(error), text),
    }
    match deep10::decode(message) {
        Ok(m) => {
            write!(text, "{m} {m:?}").unwrap();
            m.as_bytes().inspect(|b| assert!(message.starts_with(b)));
        }
        Err(error) => note(message, Err(error), text),
    }
    match tops16::decode(message) {
        Ok(m) => write!(text, "{m} {m:?}").unwrap(),
        Err(error) => note(message, Err(error), text),
    }
}

fn note(input: &[u8], result: Result<(), WireError>, text: &mut String) {
    if let Err(error) = result {
        assert!(error.offset() <= input.len() as u64, "{error} beyond {} bytes", input.len());
        assert_eq!(WireError::KINDS[error.kind_index()], error.slug());
        write!(text, "{error}").unwrap();
        assert!(!text.contains('\n'));
    }
}

fn within(outer: &[u8], inner: &[u8]) {
    let (outer, inner) = (outer.as_ptr_range(), inner.as_ptr_range());
    assert!(outer.start <= inner.start && inner.end <= outer.end);
}
