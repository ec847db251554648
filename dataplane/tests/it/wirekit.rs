//! Packets and capture files made by hand, by other code than the code under test.

use std::net::{Ipv4Addr, SocketAddrV4};

use wire::IntoBytes;
use wire::frame::UdpPath;
use wire::itch50::AddOrder;
use wire::moldudp64::{Header, PacketBuilder};

/// Line A and line B of the test feed.
pub(crate) const LINES: [SocketAddrV4; 2] = [
    SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 111), 26_477),
    SocketAddrV4::new(Ipv4Addr::new(233, 49, 196, 111), 26_478),
];

pub(crate) const SESSION: [u8; 10] = *b"TEST000001";

/// An add order whose reference is its sequence number.
pub(crate) fn add(seq: u64) -> Vec<u8> {
    AddOrder::new(7, 0, 1_000 + seq, seq, b'B', 100, *b"TEST    ", 10_000).as_bytes().to_vec()
}

/// A MoldUDP64 payload.
pub(crate) fn mold(session: [u8; 10], seq: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = vec![0; 1_400];
    let mut packet = PacketBuilder::new(&mut payload, session, seq).unwrap();
    for message in messages {
        assert!(packet.push(message));
    }
    let len = packet.finish();
    payload.truncate(len);
    payload
}

/// A MoldUDP64 end of session.
pub(crate) fn end_of_session(seq: u64) -> Vec<u8> {
    Header::new(SESSION, seq, wire::moldudp64::END_OF_SESSION).as_bytes().to_vec()
}

/// `count` add orders from `seq` on, as a payload.
pub(crate) fn adds(seq: u64, count: u64) -> Vec<u8> {
    mold(SESSION, seq, &(seq..seq + count).map(add).collect::<Vec<_>>())
}

/// A payload as a frame to `group`.
pub(crate) fn frame(group: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 26_000);
    let mut frame = vec![0; 2_000];
    let len = UdpPath::multicast([2, 0, 0, 0, 0, 1], source, group).write(&mut frame, payload).unwrap();
    frame.truncate(len);
    frame
}

/// The link type of frames.
pub(crate) const ETHERNET: u16 = 1;

/// Byte order of a capture file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl Endian {
    fn u16(self, n: u16) -> [u8; 2] {
        match self {
            Self::Little => n.to_le_bytes(),
            Self::Big => n.to_be_bytes(),
        }
    }

    fn u32(self, n: u32) -> [u8; 4] {
        match self {
            Self::Little => n.to_le_bytes(),
            Self::Big => n.to_be_bytes(),
        }
    }
}

/// A pcap file of frames and their times in nanoseconds.
pub(crate) fn pcap(endian: Endian, nanoseconds: bool, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    pcap_of_link(endian, nanoseconds, ETHERNET, packets)
}

/// The same of packets of the link type `link`.
pub(crate) fn pcap_of_link(
    endian: Endian,
    nanoseconds: bool,
    link: u16,
    packets: &[(u64, Vec<u8>)],
) -> Vec<u8> {
    let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut file = Vec::new();
    file.extend(endian.u32(magic));
    file.extend(endian.u16(2));
    file.extend(endian.u16(4));
    for word in [0, 0, 65_535, link.into()] {
        file.extend(endian.u32(word));
    }
    for (ns, bytes) in packets {
        let fraction = ns % 1_000_000_000 / if nanoseconds { 1 } else { 1_000 };
        let len = bytes.len() as u32;
        for word in [(ns / 1_000_000_000) as u32, fraction as u32, len, len] {
            file.extend(endian.u32(word));
        }
        file.extend(bytes);
    }
    file
}

/// A pcapng block of `kind`.
pub(crate) fn block(endian: Endian, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = endian.u32(padded as u32 + 12);
    let mut out = endian.u32(kind).to_vec();
    out.extend(len);
    out.extend(body);
    out.resize(8 + padded, 0);
    out.extend(len);
    out
}

/// An option of a pcapng block.
fn option(endian: Endian, code: u16, value: &[u8]) -> Vec<u8> {
    let mut out = endian.u16(code).to_vec();
    out.extend(endian.u16(value.len() as u16));
    out.extend(value);
    out.resize(4 + value.len().next_multiple_of(4), 0);
    out
}

/// The block that a pcapng section begins with.
pub(crate) fn section(endian: Endian) -> Vec<u8> {
    let mut body = endian.u32(0x1a2b_3c4d).to_vec();
    body.extend(endian.u16(1));
    body.extend(endian.u16(0));
    body.extend([0xff; 8]);
    block(endian, 0x0a0d_0d0a, &body)
}

/// An interface of the link type `link`; `options` with the one that ends them.
pub(crate) fn interface(endian: Endian, link: u16, options: &[u8]) -> Vec<u8> {
    let mut body = endian.u16(link).to_vec();
    body.extend([0; 6]);
    body.extend(options);
    block(endian, 1, &body)
}

/// A packet of an interface, at `ns` in that one's units.
pub(crate) fn packet(endian: Endian, interface: u32, ns: u64, bytes: &[u8], options: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for word in [interface, (ns >> 32) as u32, ns as u32, bytes.len() as u32, bytes.len() as u32] {
        body.extend(endian.u32(word));
    }
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options);
    block(endian, 6, &body)
}

/// A pcapng file: a section, an interface without a resolution (microseconds), one with nanoseconds that carries the
/// packets, a comment on each packet, and blocks of other kinds between them.
pub(crate) fn pcapng(endian: Endian, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let options = |code, value: &[u8]| [option(endian, code, value), option(endian, 0, &[])].concat();
    let mut file = section(endian);
    file.extend(interface(endian, ETHERNET, &[]));
    file.extend(interface(endian, ETHERNET, &options(9, &[9])));
    for (ns, bytes) in packets {
        file.extend(packet(endian, 1, *ns, bytes, &options(1, b"a comment")));
        file.extend(block(endian, 0x0bad, b"of a kind nobody knows"));
    }
    file
}
