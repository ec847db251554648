//! The headers, byte by byte.

use core::mem::offset_of;

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

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
/// What switches put on the outer of two tags before IEEE 802.1ad was there, and many still do.
pub const ETHERTYPE_OUTER_VLAN: u16 = 0x9100;
/// IPv4 protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;
/// VLAN identifier within the tag control word.
pub(super) const VLAN_ID_MASK: u16 = 0x0fff;
