//! Ethernet II, IPv4 and UDP: from a captured frame to its payload, and back.
//!
//! Sources: IEEE 802.3 clause 3 and 802.1Q clause 9 (tags), RFC 791 section 3.1 (IPv4), RFC 768 (UDP), RFC 1112 section
//! 6.4 (multicast MAC addresses), tcpdump.org "Link-layer header types".

use core::fmt;
use core::mem::offset_of;
use core::net::{Ipv4Addr, SocketAddrV4};

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::WireError;
use crate::error::clamp;

/// Ethernet II header (IEEE 802.3 clause 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct EthernetHeader {
    /// Destination MAC address.
    pub dst: [u8; 6],
    /// Source MAC address.
    pub src: [u8; 6],
    /// What follows: [`ETHERTYPE_IPV4`], a tag protocol, or something we do not read.
    pub ethertype: U16,
}

const _: () = {
    assert!(size_of::<EthernetHeader>() == 14 && align_of::<EthernetHeader>() == 1);
    assert!(offset_of!(EthernetHeader, src) == 6);
    assert!(offset_of!(EthernetHeader, ethertype) == 12);
};

/// The four bytes a VLAN tag inserts, seen from behind the tag protocol identifier (IEEE 802.1Q clause 9.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct VlanTag {
    /// Priority (3 bits), drop eligibility (1), VLAN identifier (12).
    pub control: U16,
    /// What follows the tag.
    pub ethertype: U16,
}

const _: () = {
    assert!(size_of::<VlanTag>() == 4 && align_of::<VlanTag>() == 1);
    assert!(offset_of!(VlanTag, ethertype) == 2);
};

/// IPv4 header without options (RFC 791 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ipv4Header {
    /// Version (upper 4 bits) and header length in 32-bit words (lower 4).
    pub version_ihl: u8,
    /// Differentiated services and congestion notification.
    pub tos: u8,
    /// Bytes of header and payload.
    pub total_length: U16,
    /// Identification, for reassembly.
    pub identification: U16,
    /// Flags (3 bits) and fragment offset (13).
    pub fragment: U16,
    /// Hops left.
    pub ttl: u8,
    /// What the payload is; 17 is UDP.
    pub protocol: u8,
    /// Ones' complement checksum of the header.
    pub checksum: U16,
    /// Source address.
    pub src: [u8; 4],
    /// Destination address; a multicast group for market data.
    pub dst: [u8; 4],
}

const _: () = {
    assert!(size_of::<Ipv4Header>() == 20 && align_of::<Ipv4Header>() == 1);
    assert!(offset_of!(Ipv4Header, total_length) == 2);
    assert!(offset_of!(Ipv4Header, fragment) == 6);
    assert!(offset_of!(Ipv4Header, protocol) == 9);
    assert!(offset_of!(Ipv4Header, checksum) == 10);
    assert!(offset_of!(Ipv4Header, src) == 12);
    assert!(offset_of!(Ipv4Header, dst) == 16);
};

/// UDP header (RFC 768).
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct UdpHeader {
    /// Source port.
    pub src: U16,
    /// Destination port.
    pub dst: U16,
    /// Bytes of header and payload.
    pub length: U16,
    /// Ones' complement checksum of pseudo header, header and payload; zero when the sender made none.
    pub checksum: U16,
}

const _: () = {
    assert!(size_of::<UdpHeader>() == 8 && align_of::<UdpHeader>() == 1);
    assert!(offset_of!(UdpHeader, dst) == 2);
    assert!(offset_of!(UdpHeader, length) == 4);
    assert!(offset_of!(UdpHeader, checksum) == 6);
};

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// Tag protocol identifier of IEEE 802.1Q.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// Tag protocol identifier of IEEE 802.1ad, the outer of two tags.
pub const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
/// IPv4 protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

/// More-fragments flag and fragment offset: all zero in a whole packet.
const FRAGMENT_MASK: u16 = 0x3fff;
/// "Do not fragment", alone, as market data senders set it.
const DONT_FRAGMENT: u16 = 0x4000;
/// VLAN identifier within the tag control word.
const VLAN_ID_MASK: u16 = 0x0fff;

/// One UDP datagram in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpDatagram<'a> {
    /// Source address.
    pub src_addr: Ipv4Addr,
    /// Destination address; a multicast group for market data.
    pub dst_addr: Ipv4Addr,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// VLAN identifier of the innermost tag.
    pub vlan: Option<u16>,
    /// The UDP payload without Ethernet padding.
    pub payload: &'a [u8],
    /// Where `payload` begins in the frame, for placing errors.
    pub payload_offset: u16,
}

impl fmt::Display for UdpDatagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(vlan) = self.vlan {
            write!(f, "vlan {vlan} ")?;
        }
        let (src, dst) = (self.src_addr, self.dst_addr);
        write!(f, "{src}:{} > {dst}:{} UDP {} bytes", self.src_port, self.dst_port, self.payload.len())
    }
}

/// What a capture's records begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkType {
    /// Ethernet II (`LINKTYPE_ETHERNET`, 1).
    Ethernet,
    /// A four-byte protocol family in the capturing host's byte order (`LINKTYPE_NULL`, 0).
    Loopback,
    /// An IP packet, nothing before it (`LINKTYPE_RAW`, 101; `LINKTYPE_IPV4`, 228; some systems' `DLT_RAW`, 12).
    RawIp,
    /// Linux "cooked" header of 16 bytes (`LINKTYPE_LINUX_SLL`, 113).
    LinuxCooked,
}

impl LinkType {
    /// The link type with this number in a pcap or pcapng header; `None` for one we do not read.
    #[must_use]
    pub const fn from_pcap(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Loopback),
            1 => Some(Self::Ethernet),
            12 | 101 | 228 => Some(Self::RawIp),
            113 => Some(Self::LinuxCooked),
            _ => None,
        }
    }
}

/// Reads an Ethernet frame with at most two VLAN tags down to its UDP payload.
///
/// The IPv4 header checksum is not verified here: network cards do that, and frames from a local sender with checksum
/// offload carry none. [`verify_ipv4_checksum`] does it for captures that should have one.
///
/// # Errors
/// [`WireError::Truncated`], [`WireError::VlanDepth`], [`WireError::NotIpv4`], [`WireError::BadIpHeader`],
/// [`WireError::Fragment`], [`WireError::NotUdp`], [`WireError::BadUdpLength`], with offsets into the frame.
#[inline]
pub fn parse_udp(frame: &[u8]) -> Result<UdpDatagram<'_>, WireError> {
    let (offset, vlan) = skip_ethernet(frame)?;
    parse_ipv4(frame, offset, vlan)
}

/// [`parse_udp`] for a frame of any link type.
///
/// # Errors
/// As [`parse_udp`].
#[inline]
pub fn parse_udp_on(link: LinkType, frame: &[u8]) -> Result<UdpDatagram<'_>, WireError> {
    let (offset, vlan) = skip_link(link, frame)?;
    parse_ipv4(frame, offset, vlan)
}

/// Checks the IPv4 header checksum of a frame that [`parse_udp_on`] accepts.
///
/// # Errors
/// [`WireError::BadIpChecksum`], or what [`parse_udp_on`] says about a frame it does not accept.
pub fn verify_ipv4_checksum(link: LinkType, frame: &[u8]) -> Result<(), WireError> {
    let (offset, _) = skip_link(link, frame)?;
    let (ip, header_len) = ipv4_header(frame, offset)?;
    let header = frame.get(offset..offset + header_len).unwrap_or_default();
    if fold(sum(header)) == 0xffff {
        return Ok(());
    }
    let found = ip.checksum.get();
    let wanted = !fold(sum(header).saturating_sub(found.into()));
    Err(WireError::BadIpChecksum { offset: offset as u64 + 10, wanted, found })
}

/// Where the IP packet begins, and the VLAN it came on.
#[inline]
fn skip_link(link: LinkType, frame: &[u8]) -> Result<(usize, Option<u16>), WireError> {
    match link {
        LinkType::Ethernet => skip_ethernet(frame),
        LinkType::RawIp => Ok((0, None)),
        LinkType::Loopback => match frame.first_chunk::<4>() {
            // AF_INET is 2 on every system; the byte order is that of the host that captured.
            Some([2, 0, 0, 0] | [0, 0, 0, 2]) => Ok((4, None)),
            Some(&[a, _, _, b]) => Err(WireError::NotIpv4 { offset: 0, found: u16::from(a.max(b)) }),
            None => Err(WireError::truncated(0, 4, frame.len())),
        },
        LinkType::LinuxCooked => match frame.first_chunk::<16>() {
            Some(head) => {
                let found = u16::from_be_bytes([head[14], head[15]]);
                if found == ETHERTYPE_IPV4 {
                    Ok((16, None))
                } else {
                    Err(WireError::NotIpv4 { offset: 14, found })
                }
            }
            None => Err(WireError::truncated(0, 16, frame.len())),
        },
    }
}

#[inline]
fn skip_ethernet(frame: &[u8]) -> Result<(usize, Option<u16>), WireError> {
    let Ok((ethernet, mut rest)) = EthernetHeader::ref_from_prefix(frame) else {
        return Err(WireError::truncated(0, size_of::<EthernetHeader>(), frame.len()));
    };
    let mut ethertype = ethernet.ethertype.get();
    let mut offset = size_of::<EthernetHeader>();
    let mut vlan = None;
    let mut tags = 0;
    while ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_SERVICE_VLAN {
        if tags == 2 {
            return Err(WireError::VlanDepth { offset: offset as u64 - 2 });
        }
        let Ok((tag, after)) = VlanTag::ref_from_prefix(rest) else {
            return Err(WireError::truncated(offset, size_of::<VlanTag>(), rest.len()));
        };
        vlan = Some(tag.control.get() & VLAN_ID_MASK);
        ethertype = tag.ethertype.get();
        offset += size_of::<VlanTag>();
        rest = after;
        tags += 1;
    }
    if ethertype != ETHERTYPE_IPV4 {
        return Err(WireError::NotIpv4 { offset: offset as u64 - 2, found: ethertype });
    }
    Ok((offset, vlan))
}

/// The fixed part of the IPv4 header at `offset`, and the length of the whole header, which lies within the frame.
#[inline]
fn ipv4_header(frame: &[u8], offset: usize) -> Result<(&Ipv4Header, usize), WireError> {
    let packet = frame.get(offset..).unwrap_or_default();
    let Ok((ip, _)) = Ipv4Header::ref_from_prefix(packet) else {
        return Err(WireError::truncated(offset, size_of::<Ipv4Header>(), packet.len()));
    };
    let header_len = usize::from(ip.version_ihl & 0x0f) * 4;
    if ip.version_ihl >> 4 != 4 || header_len < size_of::<Ipv4Header>() {
        // Version 4 and five words of header, 0x45, is the least acceptable first byte.
        return Err(WireError::BadIpHeader {
            offset: offset as u64,
            wanted: 0x45,
            found: ip.version_ihl.into(),
        });
    }
    if header_len > packet.len() {
        return Err(WireError::truncated(offset, header_len, packet.len()));
    }
    Ok((ip, header_len))
}

#[inline]
fn parse_ipv4(frame: &[u8], offset: usize, vlan: Option<u16>) -> Result<UdpDatagram<'_>, WireError> {
    let (ip, header_len) = ipv4_header(frame, offset)?;
    let total = usize::from(ip.total_length.get());
    if total < header_len {
        let (wanted, found) = (clamp(header_len), ip.total_length.get());
        return Err(WireError::BadIpHeader { offset: offset as u64 + 2, wanted, found });
    }
    if ip.fragment.get() & FRAGMENT_MASK != 0 {
        return Err(WireError::Fragment { offset: offset as u64 + 6, found: ip.fragment.get() });
    }
    if ip.protocol != PROTOCOL_UDP {
        return Err(WireError::NotUdp { offset: offset as u64 + 9, found: ip.protocol });
    }
    let Some(body) = frame.get(offset + header_len..offset + total) else {
        return Err(WireError::truncated(offset, total, frame.len() - offset));
    };
    let udp_offset = offset + header_len;
    let Ok((udp, _)) = UdpHeader::ref_from_prefix(body) else {
        return Err(WireError::truncated(udp_offset, size_of::<UdpHeader>(), body.len()));
    };
    let Some(payload) = body.get(size_of::<UdpHeader>()..usize::from(udp.length.get())) else {
        let (wanted, found) = (clamp(body.len()), udp.length.get());
        return Err(WireError::BadUdpLength { offset: udp_offset as u64 + 4, wanted, found });
    };
    Ok(UdpDatagram {
        src_addr: Ipv4Addr::from_octets(ip.src),
        dst_addr: Ipv4Addr::from_octets(ip.dst),
        src_port: udp.src.get(),
        dst_port: udp.dst.get(),
        vlan,
        payload,
        payload_offset: clamp(udp_offset + size_of::<UdpHeader>()),
    })
}

/// A sum of `bytes` that [`fold`]s to their ones' complement sum; an odd last byte counts as the upper half of a word
/// (RFC 1071). Longer words may be added as they are, since 2^16 is 1 modulo 2^16 - 1.
fn sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<4>();
    let total: u64 = words.iter().map(|w| u64::from(u32::from_be_bytes(*w))).sum();
    let mut last = [0; 4];
    for (place, byte) in last.iter_mut().zip(tail) {
        *place = *byte;
    }
    total + u64::from(u32::from_be_bytes(last))
}

/// Folds carries into 16 bits (RFC 1071).
const fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The MAC address an IPv4 multicast group maps to (RFC 1112 section 6.4).
#[must_use]
pub const fn multicast_mac(group: Ipv4Addr) -> [u8; 6] {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5e, b & 0x7f, c, d]
}

/// From whom to whom a UDP datagram goes, for writing frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpPath {
    /// Sender's MAC address.
    pub src_mac: [u8; 6],
    /// Receiver's MAC address.
    pub dst_mac: [u8; 6],
    /// VLAN identifier (its lower 12 bits), when the frame is to carry a tag.
    pub vlan: Option<u16>,
    /// Sender.
    pub src: SocketAddrV4,
    /// Receiver.
    pub dst: SocketAddrV4,
    /// Hops the packet may make.
    pub ttl: u8,
}

impl UdpPath {
    /// A path to a multicast group: no VLAN, 16 hops, the MAC address that belongs to the group.
    #[must_use]
    pub const fn multicast(src_mac: [u8; 6], src: SocketAddrV4, group: SocketAddrV4) -> Self {
        Self { src_mac, dst_mac: multicast_mac(*group.ip()), vlan: None, src, dst: group, ttl: 16 }
    }

    /// Bytes of all headers: where the payload begins in a frame on this path.
    #[inline]
    #[must_use]
    pub const fn header_len(&self) -> usize {
        let tag = if self.vlan.is_some() { size_of::<VlanTag>() } else { 0 };
        size_of::<EthernetHeader>() + tag + size_of::<Ipv4Header>() + size_of::<UdpHeader>()
    }

    /// Writes the headers for the `payload_len` bytes that already stand at [`UdpPath::header_len`], with both
    /// checksums, and returns the length of the frame. Nothing is padded to Ethernet's minimum.
    ///
    /// # Errors
    /// [`WireError::NoRoom`] when the frame does not fit `buf` or its payload does not fit IPv4.
    pub fn write_headers(&self, buf: &mut [u8], payload_len: usize) -> Result<usize, WireError> {
        let frame_len = self.header_len().saturating_add(payload_len);
        let no_room = WireError::NoRoom { wanted: clamp(frame_len), found: clamp(buf.len()) };
        let udp_len = payload_len.saturating_add(size_of::<UdpHeader>());
        let total_len =
            u16::try_from(udp_len.saturating_add(size_of::<Ipv4Header>())).map_err(|_| no_room)?;
        let frame = buf.get_mut(..frame_len).ok_or(no_room)?;
        let (headers, payload) = frame.split_at_mut(self.header_len());
        let ip = self.ipv4(total_len);
        let udp = self.udp(clamp(udp_len), payload);
        let tagged = self
            .vlan
            .map(|id| VlanTag { control: U16::new(id & VLAN_ID_MASK), ethertype: U16::new(ETHERTYPE_IPV4) });
        let ethertype = if tagged.is_some() { ETHERTYPE_VLAN } else { ETHERTYPE_IPV4 };
        let ethernet =
            EthernetHeader { dst: self.dst_mac, src: self.src_mac, ethertype: U16::new(ethertype) };
        let tag = tagged.as_ref().map_or(&[][..], IntoBytes::as_bytes);
        let parts = [ethernet.as_bytes(), tag, ip.as_bytes(), udp.as_bytes()];
        for (place, byte) in headers.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        Ok(frame_len)
    }

    /// Writes a whole frame around `payload` and returns its length.
    ///
    /// # Errors
    /// [`WireError::NoRoom`] when the frame does not fit `buf` or its payload does not fit IPv4.
    pub fn write(&self, buf: &mut [u8], payload: &[u8]) -> Result<usize, WireError> {
        let at = self.header_len();
        let wanted = at + payload.len();
        let found = buf.len();
        let place = buf
            .get_mut(at..wanted)
            .ok_or(WireError::NoRoom { wanted: clamp(wanted), found: clamp(found) })?;
        place.copy_from_slice(payload);
        self.write_headers(buf, payload.len())
    }

    fn ipv4(&self, total_len: u16) -> Ipv4Header {
        let mut ip = Ipv4Header {
            version_ihl: 0x45,
            tos: 0,
            total_length: U16::new(total_len),
            identification: U16::ZERO,
            fragment: U16::new(DONT_FRAGMENT),
            ttl: self.ttl,
            protocol: PROTOCOL_UDP,
            checksum: U16::ZERO,
            src: self.src.ip().octets(),
            dst: self.dst.ip().octets(),
        };
        ip.checksum = U16::new(!fold(sum(ip.as_bytes())));
        ip
    }

    fn udp(&self, udp_len: u16, payload: &[u8]) -> UdpHeader {
        let mut udp = UdpHeader {
            src: U16::new(self.src.port()),
            dst: U16::new(self.dst.port()),
            length: U16::new(udp_len),
            checksum: U16::ZERO,
        };
        let addresses = sum(&self.src.ip().octets()) + sum(&self.dst.ip().octets());
        let pseudo = addresses + u64::from(PROTOCOL_UDP) + u64::from(udp_len);
        let checksum = !fold(pseudo + sum(udp.as_bytes()) + sum(payload));
        // Zero on the wire means "none was made", so a checksum that comes out zero is sent as its other form.
        udp.checksum = U16::new(if checksum == 0 { 0xffff } else { checksum });
        udp
    }
}

/// Writes a UDP multicast frame (no VLAN, 16 hops) around `payload` and returns its length.
///
/// # Errors
/// [`WireError::NoRoom`] when the frame does not fit `buf` or its payload does not fit IPv4.
pub fn write_udp_multicast(
    buf: &mut [u8],
    src_mac: [u8; 6],
    src: SocketAddrV4,
    group: SocketAddrV4,
    payload: &[u8],
) -> Result<usize, WireError> {
    UdpPath::multicast(src_mac, src, group).write(buf, payload)
}
