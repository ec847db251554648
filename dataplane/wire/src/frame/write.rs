//! Frames around a payload.

use core::net::{Ipv4Addr, SocketAddrV4};

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::U16;

use super::checksum::{fold, pseudo_header, sum};
use super::headers::{
    ETHERTYPE_IPV4, ETHERTYPE_VLAN, EthernetHeader, Ipv4Header, PROTOCOL_UDP, UdpHeader, VLAN_ID_MASK,
    VlanTag,
};
use crate::error::{WireError, clamp};

/// "Do not fragment", alone, as market data senders set it.
const DONT_FRAGMENT: u16 = 0x4000;

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
        let udp = self.udp(&ip, clamp(udp_len), payload);
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

    fn udp(&self, ip: &Ipv4Header, udp_len: u16, payload: &[u8]) -> UdpHeader {
        let mut udp = UdpHeader {
            src: U16::new(self.src.port()),
            dst: U16::new(self.dst.port()),
            length: U16::new(udp_len),
            checksum: U16::ZERO,
        };
        let checksum = !fold(pseudo_header(ip, udp_len) + sum(udp.as_bytes()) + sum(payload));
        // Zero on the wire means "none was made", so a checksum that comes out zero is sent as its other form.
        udp.checksum = U16::new(if checksum == 0 { 0xffff } else { checksum });
        udp
    }
}
