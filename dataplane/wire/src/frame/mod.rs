//! Ethernet II, IPv4 and UDP: from a captured frame to its payload, and back.
//!
//! Sources: IEEE 802.3 clause 3 and 802.1Q clause 9 (tags), RFC 791 section 3.1 (IPv4), RFC 768 (UDP), RFC 1112 section
//! 6.4 (multicast MAC addresses), tcpdump.org "Link-layer header types".

mod checksum;
mod headers;
mod link;
mod read;
mod write;

pub use checksum::verify_checksums;
pub use headers::{
    ETHERTYPE_IPV4, ETHERTYPE_OUTER_VLAN, ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN, EthernetHeader, Ipv4Header,
    PROTOCOL_UDP, UdpHeader, VlanTag,
};
pub use link::LinkType;
pub use read::{UdpDatagram, ipv4_destination, parse_udp};
pub use write::{UdpPath, multicast_mac};
