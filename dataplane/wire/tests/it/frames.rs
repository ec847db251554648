//! Frames, checked against etherparse, and every way in which one can be refused.

use std::net::{Ipv4Addr, SocketAddrV4};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use wire::WireError;
use wire::frame::{self, LinkType, UdpPath, parse_udp, verify_checksums};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn path() -> UdpPath {
    let src = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 30_000);
    UdpPath::multicast(MAC, src, SocketAddrV4::new(Ipv4Addr::new(233, 200, 79, 3), 26_403))
}

fn write(path: &UdpPath, payload: &[u8]) -> Vec<u8> {
    let mut buf = vec![0xee; 2_000];
    let len = path.write(&mut buf, payload).unwrap();
    buf.truncate(len);
    buf
}

/// A plain frame with `change` made to it.
fn frame_with(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = write(&path(), b"payload");
    change(&mut frame);
    frame
}

proptest! {
    #[test]
    fn what_we_write_other_parsers_read(
        payload in prop::collection::vec(any::<u8>(), 0..1_500),
        vlan in prop::option::of(0_u16..4_096),
        src in any::<(u32, u16)>(),
        dst in any::<(u32, u16)>(),
    ) {
        let src = SocketAddrV4::new(src.0.into(), src.1);
        let path = UdpPath { vlan, src, ..UdpPath::multicast(MAC, src, SocketAddrV4::new(dst.0.into(), dst.1)) };
        let bytes = write(&path, &payload);

        let sliced = SlicedPacket::from_ethernet(&bytes).unwrap();
        let Some(NetSlice::Ipv4(ip)) = &sliced.net else { panic!("no IPv4: {sliced:?}") };
        let Some(TransportSlice::Udp(udp)) = &sliced.transport else { panic!("no UDP: {sliced:?}") };
        let header = ip.header().to_header();
        prop_assert_eq!(header.calc_header_checksum(), header.header_checksum);
        prop_assert_eq!(udp.to_header().calc_checksum_ipv4(&header, &payload).unwrap(), udp.checksum());
        prop_assert_eq!(udp.payload(), &payload[..]);

        let ours = parse_udp(LinkType::Ethernet, &bytes).unwrap();
        prop_assert_eq!((ours.src_addr, ours.src_port), (*path.src.ip(), path.src.port()));
        prop_assert_eq!((ours.dst_addr, ours.dst_port), (*path.dst.ip(), path.dst.port()));
        prop_assert_eq!((ours.vlan, ours.payload), (vlan, &payload[..]));
        prop_assert_eq!(&bytes[usize::from(ours.payload_offset)..], &payload[..]);
        prop_assert_eq!(verify_checksums(LinkType::Ethernet, &bytes), Ok(()));
    }

    #[test]
    fn what_other_parsers_write_we_read(
        payload in prop::collection::vec(any::<u8>(), 0..1_500),
        vlans in prop::collection::vec(0_u16..4_096, 0..=2),
        padding in 0_usize..40,
    ) {
        let builder = PacketBuilder::ethernet2(MAC, frame::multicast_mac(Ipv4Addr::new(233, 1, 2, 3)));
        let id = |i: usize| etherparse::VlanId::try_new(vlans[i]).unwrap();
        let builder = match vlans.len() {
            0 => builder.ipv4([10, 1, 1, 1], [233, 1, 2, 3], 9),
            1 => builder.single_vlan(id(0)).ipv4([10, 1, 1, 1], [233, 1, 2, 3], 9),
            _ => builder.double_vlan(id(0), id(1)).ipv4([10, 1, 1, 1], [233, 1, 2, 3], 9),
        };
        let mut bytes = Vec::new();
        builder.udp(1, 2).write(&mut bytes, &payload).unwrap();
        bytes.resize(bytes.len() + padding, 0xff);

        let ours = parse_udp(LinkType::Ethernet, &bytes).unwrap();
        prop_assert_eq!((ours.src_addr, ours.src_port), ([10, 1, 1, 1].into(), 1));
        prop_assert_eq!((ours.dst_addr, ours.dst_port), ([233, 1, 2, 3].into(), 2));
        prop_assert_eq!((ours.vlan, ours.payload), (vlans.last().copied(), &payload[..]));
        prop_assert_eq!(verify_checksums(LinkType::Ethernet, &bytes), Ok(()));
    }

    #[test]
    fn every_cut_of_a_frame_is_truncation(cut in 0_usize..49) {
        let bytes = write(&path(), b"payload");
        prop_assert_eq!(bytes.len(), 49);
        let error = parse_udp(LinkType::Ethernet, &bytes[..cut]).unwrap_err();
        prop_assert!(matches!(error, WireError::Truncated { .. }), "{error:?}");
    }

    #[test]
    fn a_damaged_header_fails_its_checksum(bit in 0_usize..160) {
        // Version and length come before the checksum, so damage to the first byte is found earlier.
        let frame = frame_with(|f| f[14 + bit / 8] ^= 1 << (bit % 8));
        let result = verify_checksums(LinkType::Ethernet, &frame);
        prop_assert!(result.is_err(), "bit {bit}");
        if bit >= 8 {
            prop_assert!(matches!(result, Err(WireError::BadIpChecksum { offset: 24, .. })), "{result:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_datagram_fails_its_checksum(payload in prop::collection::vec(any::<u8>(), 0..200), bit in any::<prop::sample::Index>()) {
        let mut frame = write(&path(), &payload);
        // Ports, checksum and payload; the length is found out earlier.
        let places: Vec<usize> = (34..38).chain(40..frame.len()).collect();
        let bit = bit.index(places.len() * 8);
        frame[places[bit / 8]] ^= 1 << (bit % 8);
        let result = verify_checksums(LinkType::Ethernet, &frame);
        prop_assert!(matches!(result, Err(WireError::BadUdpChecksum { offset: 40, .. })), "{result:?}");
    }
}

#[test]
fn checksums_that_nobody_made_are_no_damage() {
    let without = frame_with(|f| f[40..42].fill(0));
    assert_eq!(verify_checksums(LinkType::Ethernet, &without), Ok(()));
    let ip_left_out = frame_with(|f| f[24..26].fill(0));
    assert_eq!(verify_checksums(LinkType::Ethernet, &ip_left_out), Ok(()));
    // What Linux leaves for the card: the sum of addresses, protocol and length, by hand.
    let partial = frame_with(|f| {
        let words = f[26..34].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
        let sum: u32 = words.sum::<u32>() + 17 + 15;
        let folded = (sum & 0xffff) + (sum >> 16);
        f[40..42].copy_from_slice(&(folded as u16).to_be_bytes());
    });
    assert_eq!(verify_checksums(LinkType::Ethernet, &partial), Ok(()));
}

#[test]
fn the_checksum_error_names_the_right_value() {
    let good = write(&path(), b"payload");
    let right = u16::from_be_bytes([good[24], good[25]]);
    let bad = frame_with(|f| f[24] ^= 0x55);
    let found = right ^ 0x5500;
    assert_eq!(
        verify_checksums(LinkType::Ethernet, &bad),
        Err(WireError::BadIpChecksum { offset: 24, wanted: right, found }),
    );
}

#[test]
fn what_is_no_whole_udp_has_no_udp_checksum_to_fail() {
    let with_ip_sum = |change: fn(&mut Vec<u8>)| {
        let mut frame = frame_with(change);
        // No IPv4 checksum was made, which is let through.
        frame[24..26].fill(0);
        verify_checksums(LinkType::Ethernet, &frame)
    };
    assert_eq!(with_ip_sum(|f| f[23] = 6), Err(WireError::NotUdp { offset: 23, found: 6 }));
    let fragment = WireError::Fragment { offset: 20, found: 0x2000 };
    assert_eq!(with_ip_sum(|f| f[20] = 0x20), Err(fragment));
}

#[test]
fn each_refusal_names_its_place() {
    let cases: [(Vec<u8>, WireError); 12] = [
        (
            frame_with(|f| f[12..14].copy_from_slice(&[0x86, 0xdd])),
            WireError::NotIpv4 { offset: 12, found: 0x86dd },
        ),
        (frame_with(|f| f[14] = 0x65), WireError::BadIpHeader { offset: 14, wanted: 0x45, found: 0x65 }),
        (frame_with(|f| f[14] = 0x44), WireError::BadIpHeader { offset: 14, wanted: 0x45, found: 0x44 }),
        (frame_with(|f| f[14] = 0x4f), WireError::Truncated { offset: 14, wanted: 60, found: 35 }),
        (frame_with(|f| f[16..18].fill(0)), WireError::BadIpHeader { offset: 16, wanted: 20, found: 0 }),
        (frame_with(|f| f[17] = 19), WireError::BadIpHeader { offset: 16, wanted: 20, found: 19 }),
        (frame_with(|f| f[17] += 1), WireError::Truncated { offset: 14, wanted: 36, found: 35 }),
        (frame_with(|f| f[20] = 0x20), WireError::Fragment { offset: 20, found: 0x2000 }),
        (frame_with(|f| f[21] = 0x01), WireError::Fragment { offset: 20, found: 0x4001 }),
        (frame_with(|f| f[23] = 6), WireError::NotUdp { offset: 23, found: 6 }),
        (frame_with(|f| f[39] = 7), WireError::BadUdpLength { offset: 38, wanted: 15, found: 7 }),
        (frame_with(|f| f[39] = 16), WireError::BadUdpLength { offset: 38, wanted: 15, found: 16 }),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse_udp(LinkType::Ethernet, &bytes), Err(error));
    }
}

#[test]
fn a_third_vlan_tag_is_refused() {
    let tags = [0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2, 0x81, 0x00, 0, 3];
    let frame = frame_with(|f| {
        f.splice(12..12, tags);
    });
    assert_eq!(parse_udp(LinkType::Ethernet, &frame), Err(WireError::VlanDepth { offset: 20 }));
    let frame = frame_with(|f| {
        f.splice(12..12, tags[..8].iter().copied());
    });
    assert_eq!(parse_udp(LinkType::Ethernet, &frame).unwrap().vlan, Some(2));
}

#[test]
fn ip_options_are_skipped() {
    let mut frame = frame_with(|f| {
        f.splice(34..34, [1; 8]);
        f[14] = 0x47;
        f[17] += 8;
    });
    assert_eq!(parse_udp(LinkType::Ethernet, &frame).unwrap().payload, b"payload");
    frame.truncate(40);
    assert_eq!(
        parse_udp(LinkType::Ethernet, &frame),
        Err(WireError::Truncated { offset: 14, wanted: 28, found: 26 })
    );
}

#[test]
fn other_link_types_lead_to_the_same_datagram() {
    let frame = write(&path(), b"payload");
    let ip = &frame[14..];
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x08, 0x00][..], ip].concat();
    let cases = [
        (1, frame.clone()),
        (0, [&[2, 0, 0, 0][..], ip].concat()),
        (0, [&[0, 0, 0, 2][..], ip].concat()),
        (12, ip.to_vec()),
        (101, ip.to_vec()),
        (228, ip.to_vec()),
        (108, [&[0, 0, 0, 2][..], ip].concat()),
        (113, cooked.clone()),
        (113, [&cooked[..14], &[0x81, 0x00, 0x00, 0x07, 0x08, 0x00], ip].concat()),
        (276, [&[0x08, 0x00][..], &[0; 18], ip].concat()),
        (276, [&[0x81, 0x00][..], &[0; 18], &[0x00, 0x07, 0x08, 0x00], ip].concat()),
        (1, [&frame[..12], &[0x91, 0x00, 0x00, 0x65, 0x81, 0x00, 0x00, 0x07, 0x08, 0x00], ip].concat()),
        (1, [&frame[..12], &[0x88, 0xa8, 0x00, 0x65, 0x91, 0x00, 0x00, 0x07, 0x08, 0x00], ip].concat()),
    ];
    for (number, bytes) in cases {
        let link = LinkType::from_pcap(number).unwrap();
        let udp = parse_udp(link, &bytes).unwrap();
        assert_eq!((udp.payload, udp.dst_port), (&b"payload"[..], 26_403));
        assert_eq!(verify_checksums(link, &bytes), Ok(()));
    }
    assert_eq!(LinkType::from_pcap(127), None);
    let refused = |link, bytes: &[u8]| parse_udp(link, bytes).unwrap_err();
    assert_eq!(refused(LinkType::Loopback, &[30, 0, 0, 0]), WireError::NotIpv4 { offset: 0, found: 30 });
    assert_eq!(
        refused(LinkType::Loopback, &[2, 0, 0]),
        WireError::Truncated { offset: 0, wanted: 4, found: 3 }
    );
    assert_eq!(
        refused(LinkType::LinuxCooked, &cooked[..15]),
        WireError::Truncated { offset: 0, wanted: 16, found: 15 }
    );
    let arp = [&cooked[..14], &[0x08, 0x06]].concat();
    assert_eq!(refused(LinkType::LinuxCooked, &arp), WireError::NotIpv4 { offset: 14, found: 0x0806 });
}

#[test]
fn a_frame_that_does_not_fit_is_not_written() {
    assert_eq!(path().header_len(), 42);
    assert_eq!(path().write(&mut [0; 48], b"payload"), Err(WireError::NoRoom { wanted: 49, found: 48 }));
    let no_room = WireError::NoRoom { wanted: u16::MAX, found: 48 };
    assert_eq!(path().write_headers(&mut [0; 48], usize::MAX), Err(no_room), "no length overflows");
    let huge = vec![0; 65_508];
    let mut buf = vec![0; 70_000];
    assert!(path().write(&mut buf, &huge[1..]).is_ok(), "65,507 bytes is IPv4's limit for UDP");
    assert!(matches!(path().write(&mut buf, &huge), Err(WireError::NoRoom { .. })));
}

#[test]
fn a_payload_written_in_place_gets_its_headers() {
    let path = UdpPath { vlan: Some(7), ..path() };
    let mut buf = [0; 128];
    buf[path.header_len()..][..5].copy_from_slice(b"hello");
    let len = path.write_headers(&mut buf, 5).unwrap();
    assert_eq!(buf[..len], write(&path, b"hello"));
    assert_eq!(
        parse_udp(LinkType::Ethernet, &buf[..len]).unwrap().to_string(),
        "vlan 7 10.0.0.1:30000 > 233.200.79.3:26403 UDP 5 bytes"
    );
}

#[test]
fn a_frame_to_a_group_goes_to_its_mac_address() {
    let frame = write(&path(), b"payload");
    assert_eq!(
        frame[..6],
        [0x01, 0x00, 0x5e, 0x48, 0x4f, 0x03],
        "group 233.200.79.3 loses its upper nine bits"
    );
}

#[test]
fn a_checksum_that_comes_out_zero_is_sent_as_ones() {
    let checksums: Vec<u16> = (0..=u16::MAX)
        .map(|word| write(&path(), &word.to_be_bytes()))
        .map(|frame| u16::from_be_bytes([frame[40], frame[41]]))
        .collect();
    assert!(!checksums.contains(&0), "zero on the wire would mean that no checksum was made");
    // One word in 65,535 sums to zero.
    assert!(checksums.contains(&0xffff));
}
