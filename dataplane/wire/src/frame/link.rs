//! What stands before the IP packet.

use zerocopy::FromBytes;

use super::headers::{
    ETHERTYPE_IPV4, ETHERTYPE_OUTER_VLAN, ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN, EthernetHeader,
    VLAN_ID_MASK, VlanTag,
};
use crate::error::WireError;

/// What a capture's records begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkType {
    /// Ethernet II (`LINKTYPE_ETHERNET`, 1).
    Ethernet,
    /// A four-byte protocol family, in the capturing host's byte order (`LINKTYPE_NULL`, 0) or in the network's
    /// (`LINKTYPE_LOOP`, 108).
    Loopback,
    /// An IP packet, nothing before it (`LINKTYPE_RAW`, 101; `LINKTYPE_IPV4`, 228; some systems' `DLT_RAW`, 12).
    RawIp,
    /// Linux "cooked" header of 16 bytes (`LINKTYPE_LINUX_SLL`, 113).
    LinuxCooked,
    /// The same, version 2, of 20 bytes (`LINKTYPE_LINUX_SLL2`, 276): what `tcpdump -i any` writes.
    LinuxCooked2,
}

impl LinkType {
    /// The link type with this number in a pcap or pcapng header; `None` for one we do not read.
    #[must_use]
    pub const fn from_pcap(number: u32) -> Option<Self> {
        match number {
            0 | 108 => Some(Self::Loopback),
            1 => Some(Self::Ethernet),
            12 | 101 | 228 => Some(Self::RawIp),
            113 => Some(Self::LinuxCooked),
            276 => Some(Self::LinuxCooked2),
            _ => None,
        }
    }
}

/// Where the IP packet begins, and the VLAN it came on.
#[inline]
pub(super) fn skip_link(link: LinkType, frame: &[u8]) -> Result<(usize, Option<u16>), WireError> {
    match link {
        LinkType::Ethernet => skip_ethernet(frame),
        LinkType::RawIp => Ok((0, None)),
        LinkType::Loopback => match frame.first_chunk::<4>() {
            // AF_INET is 2 on every system; the byte order is that of the host that captured.
            Some([2, 0, 0, 0] | [0, 0, 0, 2]) => Ok((4, None)),
            Some(&[a, _, _, b]) => Err(WireError::NotIpv4 { offset: 0, found: u16::from(a.max(b)) }),
            None => Err(WireError::truncated(0, 4, frame.len())),
        },
        LinkType::LinuxCooked => skip_cooked::<16>(frame, 14),
        LinkType::LinuxCooked2 => skip_cooked::<20>(frame, 0),
    }
}

/// A "cooked" header of `N` bytes with its protocol at `protocol_at`.
fn skip_cooked<const N: usize>(frame: &[u8], protocol_at: usize) -> Result<(usize, Option<u16>), WireError> {
    let Some((head, rest)) = frame.split_first_chunk::<N>() else {
        return Err(WireError::truncated(0, N, frame.len()));
    };
    let ethertype = u16::from_be_bytes([head[protocol_at], head[protocol_at + 1]]);
    skip_tags(ethertype, protocol_at, rest, N)
}

#[inline]
fn skip_ethernet(frame: &[u8]) -> Result<(usize, Option<u16>), WireError> {
    let Ok((ethernet, rest)) = EthernetHeader::ref_from_prefix(frame) else {
        return Err(WireError::truncated(0, size_of::<EthernetHeader>(), frame.len()));
    };
    let offset = size_of::<EthernetHeader>();
    skip_tags(ethernet.ethertype.get(), offset - 2, rest, offset)
}

/// Skips at most two VLAN tags. `ethertype`, which stands at `at`, says what `rest` is, which begins at `offset`.
#[inline]
fn skip_tags(
    mut ethertype: u16,
    mut at: usize,
    mut rest: &[u8],
    mut offset: usize,
) -> Result<(usize, Option<u16>), WireError> {
    let mut vlan = None;
    let mut tags = 0;
    while matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_SERVICE_VLAN | ETHERTYPE_OUTER_VLAN) {
        if tags == 2 {
            return Err(WireError::VlanDepth { offset: at as u64 });
        }
        let Ok((tag, after)) = VlanTag::ref_from_prefix(rest) else {
            return Err(WireError::truncated(offset, size_of::<VlanTag>(), rest.len()));
        };
        vlan = Some(tag.control.get() & VLAN_ID_MASK);
        ethertype = tag.ethertype.get();
        offset += size_of::<VlanTag>();
        at = offset - 2;
        rest = after;
        tags += 1;
    }
    if ethertype != ETHERTYPE_IPV4 {
        return Err(WireError::NotIpv4 { offset: at as u64, found: ethertype });
    }
    Ok((offset, vlan))
}
