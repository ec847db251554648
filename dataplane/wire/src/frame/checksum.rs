//! The checksums of IPv4 (RFC 791) and UDP (RFC 768): ones' complement sums (RFC 1071).

use zerocopy::FromBytes;

use super::headers::{Ipv4Header, PROTOCOL_UDP, UdpHeader};
use super::link::{LinkType, skip_link};
use super::read::{FRAGMENT_MASK, ipv4_header};
use crate::error::WireError;

/// Checks both checksums of a frame that [`super::parse_udp`] accepts.
///
/// A frame that was captured on the host that sent it may not have them yet, because its network card makes them: an IPv4
/// checksum of zero, and a UDP checksum that is the sum of the pseudo header alone (what Linux leaves for the card), are let
/// through, as is a UDP checksum of zero, which says that the sender made none.
///
/// # Errors
/// [`WireError::BadIpChecksum`], [`WireError::BadUdpChecksum`], or what [`super::parse_udp`] says about a frame it does not
/// accept.
pub fn verify_checksums(link: LinkType, frame: &[u8]) -> Result<(), WireError> {
    let (offset, _) = skip_link(link, frame)?;
    let (ip, header_len) = ipv4_header(frame, offset)?;
    let header = frame.get(offset..offset + header_len).unwrap_or_default();
    let found = ip.checksum.get();
    if found != 0 && fold(sum(header)) != 0xffff {
        let wanted = !fold(sum(header).saturating_sub(found.into()));
        return Err(WireError::BadIpChecksum { offset: offset as u64 + 10, wanted, found });
    }
    if ip.fragment.get() & FRAGMENT_MASK != 0 {
        return Err(WireError::Fragment { offset: offset as u64 + 6, found: ip.fragment.get() });
    }
    if ip.protocol != PROTOCOL_UDP {
        return Err(WireError::NotUdp { offset: offset as u64 + 9, found: ip.protocol });
    }
    let at = offset + header_len;
    let body = frame.get(at..).unwrap_or_default();
    let Ok((udp, _)) = UdpHeader::ref_from_prefix(body) else {
        return Err(WireError::truncated(at, size_of::<UdpHeader>(), body.len()));
    };
    let (len, found) = (udp.length.get(), udp.checksum.get());
    let datagram = body.get(..usize::from(len)).unwrap_or_default();
    let pseudo = pseudo_header(ip, len);
    if found == 0 || found == fold(pseudo) {
        return Ok(());
    }
    let total = pseudo + sum(datagram);
    if fold(total) == 0xffff {
        return Ok(());
    }
    let wanted = !fold(total.saturating_sub(found.into()));
    Err(WireError::BadUdpChecksum { offset: at as u64 + 6, wanted, found })
}

/// Sum of what RFC 768 puts before a datagram of `udp_len` bytes: both addresses, the protocol, the length.
pub(super) fn pseudo_header(ip: &Ipv4Header, udp_len: u16) -> u64 {
    sum(&ip.src) + sum(&ip.dst) + u64::from(PROTOCOL_UDP) + u64::from(udp_len)
}

/// A sum of `bytes` that [`fold`]s to their ones' complement sum; an odd last byte counts as the upper half of a word
/// (RFC 1071). Longer words may be added as they are, since 2^16 is 1 modulo 2^16 - 1.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<4>();
    let total: u64 = words.iter().map(|w| u64::from(u32::from_be_bytes(*w))).sum();
    let mut last = [0; 4];
    for (place, byte) in last.iter_mut().zip(tail) {
        *place = *byte;
    }
    total + u64::from(u32::from_be_bytes(last))
}

/// Folds carries into 16 bits (RFC 1071).
pub(super) const fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}
