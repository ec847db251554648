//! The bytes of IGMP messages (RFC 2236 section 2, RFC 3376 section 4): frames to send, queries received.

use std::net::Ipv4Addr;

use types::Nanos;

use crate::mac::MacAddr;

/// Longest frame built: 1,500 bytes of IPv4 behind an Ethernet header with a VLAN tag.
pub(super) const FRAME_MAX: usize = 1518;
/// Shortest frame Ethernet carries, without the checksum.
const FRAME_MIN: usize = 60;
const IP_MAX: usize = 1500;
/// IPv4 header with the Router Alert option (RFC 2113).
const IP_HEADER: usize = 24;
const REPORT_V3_HEADER: usize = 8;
const RECORD_HEADER: usize = 8;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_VLAN: [u8; 2] = [0x81, 0x00];
const PROTOCOL_IGMP: u8 = 2;

const QUERY: u8 = 0x11;
const REPORT_V2: u8 = 0x16;
const LEAVE_V2: u8 = 0x17;
const REPORT_V3: u8 = 0x22;

const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// Where version 3 reports go (RFC 3376 section 4.2.14).
const ALL_V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);

/// Who sends: the port's address and VLAN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) mac: MacAddr,
    pub(super) address: Ipv4Addr,
    pub(super) vlan: Option<u16>,
}

/// Type of a group record (RFC 3376 section 4.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum RecordType {
    ModeIsInclude = 1,
    ModeIsExclude = 2,
    ChangeToInclude = 3,
    ChangeToExclude = 4,
    AllowNewSources = 5,
    BlockOldSources = 6,
}

/// A frame under construction, in a buffer of its own.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: [u8; FRAME_MAX],
    len: usize,
    ip: usize,
    records: u16,
}

impl Frame {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; FRAME_MAX], len: 0, ip: 0, records: 0 }
    }

    /// A version 2 report of `group`.
    pub(super) fn report_v2(&mut self, from: Sender, group: Ipv4Addr) -> &[u8] {
        self.begin(from, group);
        self.put(&[REPORT_V2, 0, 0, 0]);
        self.put(&group.octets());
        self.finish()
    }

    /// A version 2 leave of `group`.
    pub(super) fn leave_v2(&mut self, from: Sender, group: Ipv4Addr) -> &[u8] {
        self.begin(from, ALL_ROUTERS);
        self.put(&[LEAVE_V2, 0, 0, 0]);
        self.put(&group.octets());
        self.finish()
    }

    /// Begins a version 3 report; records follow.
    pub(super) fn begin_report_v3(&mut self, from: Sender) {
        self.begin(from, ALL_V3_ROUTERS);
        self.put(&[REPORT_V3, 0, 0, 0, 0, 0, 0, 0]);
    }

    /// Adds a record to a version 3 report; `false` when it does not fit and belongs into the next report.
    pub(super) fn record(&mut self, kind: RecordType, group: Ipv4Addr, sources: &[Ipv4Addr]) -> bool {
        if self.len - self.ip + RECORD_HEADER + 4 * sources.len() > IP_MAX {
            return false;
        }
        let [high, low] = (sources.len() as u16).to_be_bytes();
        self.put(&[kind as u8, 0, high, low]);
        self.put(&group.octets());
        for source in sources {
            self.put(&source.octets());
        }
        self.records += 1;
        true
    }

    /// Whether the report has no record yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Ends a version 3 report.
    pub(super) fn finish_report_v3(&mut self) -> &[u8] {
        let igmp = self.ip + IP_HEADER;
        self.bytes[igmp + REPORT_V3_HEADER - 2..igmp + REPORT_V3_HEADER]
            .copy_from_slice(&self.records.to_be_bytes());
        self.finish()
    }

    /// Ethernet and IPv4 headers for a message to `destination`; lengths and checksums come with [`Frame::finish`].
    fn begin(&mut self, from: Sender, destination: Ipv4Addr) {
        self.len = 0;
        self.records = 0;
        let [_, b, c, d] = destination.octets();
        self.put(&[0x01, 0x00, 0x5e, b & 0x7f, c, d]);
        self.put(&from.mac.0);
        if let Some(vlan) = from.vlan {
            self.put(&ETHERTYPE_VLAN);
            self.put(&vlan.to_be_bytes());
        }
        self.put(&ETHERTYPE_IPV4);
        self.ip = self.len;
        // Version 4, six words; precedence Internetwork Control; do not fragment; time to live 1 (RFC 3376 section 4).
        self.put(&[0x46, 0xc0, 0, 0, 0, 0, 0x40, 0, 1, PROTOCOL_IGMP, 0, 0]);
        self.put(&from.address.octets());
        self.put(&destination.octets());
        self.put(&[0x94, 0x04, 0, 0]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn finish(&mut self) -> &[u8] {
        let (ip, igmp) = (self.ip, self.ip + IP_HEADER);
        let total = (self.len - ip) as u16;
        self.bytes[ip + 2..ip + 4].copy_from_slice(&total.to_be_bytes());
        let header_sum = checksum(&self.bytes[ip..igmp]);
        self.bytes[ip + 10..ip + 12].copy_from_slice(&header_sum.to_be_bytes());
        let message_sum = checksum(&self.bytes[igmp..self.len]);
        self.bytes[igmp + 2..igmp + 4].copy_from_slice(&message_sum.to_be_bytes());
        if self.len < FRAME_MIN {
            self.bytes[self.len..FRAME_MIN].fill(0);
            self.len = FRAME_MIN;
        }
        &self.bytes[..self.len]
    }
}

/// The Internet checksum (RFC 1071); 0 over data that carries its right checksum.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A membership query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// The group asked about, `None` for all.
    pub(super) group: Option<Ipv4Addr>,
    /// Time within which to answer.
    pub(super) max_response: Nanos,
    /// Whether the querier speaks version 3.
    pub(super) v3: bool,
}

/// What a received frame is to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Not IGMP, or of another VLAN, or another host's report.
    Other,
    /// An IGMP query that is damaged or not allowed.
    Malformed,
    /// A query to answer.
    Query(Query),
}

/// Reads a frame that arrived on `vlan`.
///
/// The Router Alert option is not asked for: RFC 3376 section 9.1 would have queries without it ignored, but switches that
/// query on behalf of a router send them, and a group that is not reported is lost.
pub(super) fn parse(frame: &[u8], vlan: Option<u16>) -> Received {
    let Some(ip) = ipv4(frame, vlan) else { return Received::Other };
    let header = usize::from(ip[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    // A fragment is no IGMP message: all of them fit into the smallest MTU.
    let fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0;
    if ip[0] >> 4 != 4 || header < 20 || total < header || ip[9] != PROTOCOL_IGMP || fragment {
        return Received::Other;
    }
    let Some(message) = ip.get(header..total) else { return Received::Malformed };
    if message.first() != Some(&QUERY) {
        return Received::Other;
    }
    let destination = Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]);
    if checksum(&ip[..header]) != 0 || checksum(message) != 0 {
        return Received::Malformed;
    }
    query(message, destination).map_or(Received::Malformed, Received::Query)
}

/// Whether a frame is IGMP over IPv4, whatever its VLAN and whether or not it is whole.
#[inline]
pub(super) fn is_igmp(frame: &[u8]) -> bool {
    let kind = |at: usize| frame.get(at..at + 2);
    let ip = match kind(12) {
        Some(kind) if kind == ETHERTYPE_IPV4 => 14,
        Some(tag) if tag == ETHERTYPE_VLAN && kind(16) == Some(&ETHERTYPE_IPV4) => 18,
        _ => return false,
    };
    frame.get(ip + 9) == Some(&PROTOCOL_IGMP)
}

/// The IPv4 packet in a frame, of at least 20 bytes, if there is one and the VLAN is the right one.
fn ipv4(frame: &[u8], vlan: Option<u16>) -> Option<&[u8]> {
    let after = match (vlan, frame.get(12..14)?) {
        (None, kind) if kind == ETHERTYPE_IPV4 => 14,
        (Some(wanted), kind) if kind == ETHERTYPE_VLAN => {
            let tag = u16::from_be_bytes([*frame.get(14)?, *frame.get(15)?]);
            if tag & 0x0fff != wanted || frame.get(16..18)? != ETHERTYPE_IPV4 {
                return None;
            }
            18
        }
        _ => return None,
    };
    frame.get(after..).filter(|ip| ip.len() >= 20)
}

/// RFC 3376 section 7.1 tells the versions apart by length.
fn query(message: &[u8], destination: Ipv4Addr) -> Option<Query> {
    const TENTH: u64 = 100_000_000;
    let (v3, tenths) = match (message.len(), *message.get(1)?) {
        // Version 1 says 0 and means ten seconds (RFC 2236 section 4); it is answered as version 2.
        (8, 0) => (false, 100),
        (8, code) => (false, u64::from(code)),
        (12.., code) => (true, floating(code)),
        _ => return None,
    };
    let group = Ipv4Addr::new(message[4], message[5], message[6], message[7]);
    let group = (!group.is_unspecified()).then_some(group);
    let allowed = group.map_or(destination == ALL_SYSTEMS, |group| group.is_multicast());
    allowed.then_some(Query { group, max_response: Nanos(tenths * TENTH), v3 })
}

/// The code of a version 3 query: a number below 128, a small float above (RFC 3376 section 4.1.1).
fn floating(code: u8) -> u64 {
    if code < 128 {
        return u64::from(code);
    }
    (u64::from(code & 0x0f) | 0x10) << ((code >> 4 & 0x07) + 3)
}

#[cfg(test)]
pub(super) mod tests {
    use etherparse::{NetSlice, SlicedPacket};

    use super::*;

    pub(in super::super) const SENDER: Sender = Sender {
        mac: MacAddr([0x02, 0, 0, 0xaa, 0xbb, 0xcc]),
        address: Ipv4Addr::new(10, 9, 0, 9),
        vlan: None,
    };
    const GROUP: Ipv4Addr = Ipv4Addr::new(233, 54, 12, 111);

    /// The IGMP message of a frame, by another parser, which also checks what this one writes into the headers.
    pub(in super::super) fn message(frame: &[u8]) -> (Ipv4Addr, Vec<u8>) {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(NetSlice::Ipv4(ip)) = packet.net else { panic!("no IPv4 in {frame:02x?}") };
        let header = ip.header();
        assert_eq!(header.to_header().header_checksum, header.to_header().calc_header_checksum());
        assert_eq!((header.ttl(), header.protocol().0, header.dont_fragment()), (1, 2, true));
        assert_eq!(header.options(), [0x94, 4, 0, 0]);
        assert_eq!(header.source_addr(), SENDER.address);
        let payload = ip.payload().payload.to_vec();
        assert_eq!(checksum(&payload), 0);
        (header.destination_addr(), payload)
    }

    /// A query as a router sends it: an 8-byte message for versions 1 and 2, 12 bytes for version 3.
    pub(in super::super) fn query_frame(
        destination: Ipv4Addr,
        group: Ipv4Addr,
        code: u8,
        v3: bool,
    ) -> Vec<u8> {
        let router = Sender { address: Ipv4Addr::new(10, 9, 0, 1), ..SENDER };
        let mut frame = Frame::new();
        frame.begin(router, destination);
        frame.put(&[QUERY, code, 0, 0]);
        frame.put(&group.octets());
        if v3 {
            frame.put(&[2, 125, 0, 0]);
        }
        frame.finish().to_vec()
    }

    #[test]
    fn version_2_messages() {
        let mut frame = Frame::new();
        let report = frame.report_v2(SENDER, GROUP);
        assert_eq!(report.len(), 60);
        assert_eq!(report[..14], [1, 0, 0x5e, 0x36, 0x0c, 0x6f, 2, 0, 0, 0xaa, 0xbb, 0xcc, 8, 0]);
        let (to, bytes) = message(report);
        assert_eq!((to, bytes[0], &bytes[4..]), (GROUP, 0x16, GROUP.octets().as_slice()));
        let (to, bytes) = message(frame.leave_v2(SENDER, GROUP));
        assert_eq!((to, bytes[0], &bytes[4..]), (ALL_ROUTERS, 0x17, GROUP.octets().as_slice()));
    }

    #[test]
    fn version_3_report_with_and_without_sources() {
        let mut frame = Frame::new();
        frame.begin_report_v3(SENDER);
        assert!(frame.is_empty());
        assert!(frame.record(RecordType::ChangeToExclude, GROUP, &[]));
        assert!(frame.record(
            RecordType::AllowNewSources,
            Ipv4Addr::new(232, 1, 2, 3),
            &[Ipv4Addr::new(10, 1, 1, 1)]
        ));
        let (to, bytes) = message(frame.finish_report_v3());
        assert_eq!(to, ALL_V3_ROUTERS);
        let expected: [&[u8]; 3] =
            [&[0, 0, 0, 2], &[4, 0, 0, 0, 233, 54, 12, 111], &[5, 0, 0, 1, 232, 1, 2, 3, 10, 1, 1, 1]];
        assert_eq!((bytes[0], &bytes[4..]), (0x22, expected.concat().as_slice()));
    }

    #[test]
    fn a_report_takes_records_up_to_the_mtu() {
        let mut frame = Frame::new();
        let tagged = Sender { vlan: Some(4094), ..SENDER };
        frame.begin_report_v3(tagged);
        let mut fitted = 0;
        while frame.record(RecordType::ModeIsExclude, GROUP, &[]) {
            fitted += 1;
        }
        // (1500 - 24 - 8) / 8
        assert_eq!(fitted, 183);
        let bytes = frame.finish_report_v3();
        assert_eq!(bytes.len(), 18 + 24 + 8 + 183 * 8);
        assert_eq!(message(bytes).1[6..8], 183_u16.to_be_bytes());
    }

    #[test]
    fn queries_of_all_versions() {
        let tenths = |n: u64| Nanos(n * 100_000_000);
        let any = Ipv4Addr::UNSPECIFIED;
        let cases = [
            (ALL_SYSTEMS, any, 0, false, Query { group: None, max_response: tenths(100), v3: false }),
            (ALL_SYSTEMS, any, 100, false, Query { group: None, max_response: tenths(100), v3: false }),
            (GROUP, GROUP, 10, false, Query { group: Some(GROUP), max_response: tenths(10), v3: false }),
            (ALL_SYSTEMS, any, 0, true, Query { group: None, max_response: tenths(0), v3: true }),
            // 1 001 0110: (0x16) << 4
            (ALL_SYSTEMS, any, 0x96, true, Query { group: None, max_response: tenths(0x160), v3: true }),
        ];
        for (to, group, code, v3, expected) in cases {
            assert_eq!(parse(&query_frame(to, group, code, v3), None), Received::Query(expected));
        }
        assert_eq!(floating(127), 127);
        assert_eq!(floating(128), 128);
        assert_eq!(floating(255), 31744);
    }

    #[test]
    fn what_is_no_query_for_us_is_told_apart_from_damage() {
        let good = query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, true);
        for at in [18, 30, 39, 42] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(parse(&bad, None), Received::Malformed, "byte {at}");
        }
        assert_eq!(parse(&good[..40], None), Received::Malformed);
        let elsewhere = query_frame(GROUP, Ipv4Addr::UNSPECIFIED, 10, true);
        assert_eq!(parse(&elsewhere, None), Received::Malformed, "a general query goes to all systems");

        assert_eq!(parse(&good, Some(7)), Received::Other);
        assert_eq!(parse(Frame::new().report_v2(SENDER, GROUP), None), Received::Other);
        let mut udp = good.clone();
        udp[14 + 9] = 17;
        assert_eq!(parse(&udp, None), Received::Other);
        assert_eq!(parse(&[], None), Received::Other);
    }

    #[test]
    fn the_cheap_look_lets_every_igmp_frame_through_and_no_other() {
        let mut frame = Frame::new();
        frame.begin(Sender { vlan: Some(7), ..SENDER }, ALL_SYSTEMS);
        frame.put(&[QUERY, 10, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0]);
        let tagged = frame.finish().to_vec();
        let plain = query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, true);
        for good in [&tagged, &plain] {
            assert!(is_igmp(good) && is_igmp(&good[..30]), "damage is for the membership to count");
            let protocol = if good == &tagged { 27 } else { 23 };
            let udp: Vec<u8> = [&good[..protocol], &[17], &good[protocol + 1..]].concat();
            assert!(!is_igmp(&udp) && !is_igmp(&good[..protocol]) && !is_igmp(&[]));
        }
        let arp: Vec<u8> = [&plain[..12], &[0x08, 0x06], &plain[14..]].concat();
        assert!(!is_igmp(&arp));
    }

    #[test]
    fn a_tagged_query_reaches_its_vlan_alone() {
        let mut frame = Frame::new();
        frame.begin(Sender { vlan: Some(0x6007), ..SENDER }, ALL_SYSTEMS);
        frame.put(&[QUERY, 10, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0]);
        let bytes = frame.finish();
        assert!(matches!(parse(bytes, Some(7)), Received::Query(_)), "the priority bits are not the VLAN");
        assert_eq!(parse(bytes, Some(8)), Received::Other);
        assert_eq!(parse(bytes, None), Received::Other);
    }

    proptest::proptest! {
        #[test]
        fn no_frame_is_too_strange_to_read(mut frame: Vec<u8>, vlan: Option<u16>) {
            parse(&frame, vlan);
            // The same bytes behind headers that let them in.
            let mut dressed = query_frame(ALL_SYSTEMS, Ipv4Addr::UNSPECIFIED, 10, true)[..14].to_vec();
            if let Some(first) = frame.first_mut() {
                *first = 0x45 | *first & 0x4f;
            }
            dressed.extend(frame);
            parse(&dressed, None);
        }
    }
}
