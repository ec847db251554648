//! From a frame to the UDP datagram in it.

use core::fmt;
use core::net::Ipv4Addr;

use zerocopy::FromBytes;

use super::headers::{Ipv4Header, PROTOCOL_UDP, UdpHeader};
use super::link::{LinkType, skip_link};
use crate::error::{WireError, clamp};

/// More-fragments flag and fragment offset: all zero in a whole packet.
pub(super) const FRAGMENT_MASK: u16 = 0x3fff;

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

/// Reads a frame of this link type, Ethernet with at most two VLAN tags, down to its UDP payload.
///
/// Checksums are not verified here: network cards do that. [`super::verify_checksums`] does it where no card did.
///
/// # Errors
/// [`WireError::Truncated`], [`WireError::VlanDepth`], [`WireError::NotIpv4`], [`WireError::BadIpHeader`],
/// [`WireError::Fragment`], [`WireError::NotUdp`], [`WireError::BadUdpLength`], with offsets into the frame.
#[inline]
pub fn parse_udp(link: LinkType, frame: &[u8]) -> Result<UdpDatagram<'_>, WireError> {
    let (offset, vlan) = skip_link(link, frame)?;
    parse_ipv4(frame, offset, vlan)
}

/// Whom a frame is for, as far as it has an IPv4 header, be what follows whole or not.
#[must_use]
pub fn ipv4_destination(link: LinkType, frame: &[u8]) -> Option<Ipv4Addr> {
    let (offset, _) = skip_link(link, frame).ok()?;
    let (ip, _) = ipv4_header(frame, offset).ok()?;
    Some(Ipv4Addr::from_octets(ip.dst))
}

/// The fixed part of the IPv4 header at `offset`, and the length of the whole header, which lies within the frame.
#[inline]
pub(super) fn ipv4_header(frame: &[u8], offset: usize) -> Result<(&Ipv4Header, usize), WireError> {
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
