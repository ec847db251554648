//! Ethernet addresses.

use std::fmt;
use std::net::Ipv4Addr;

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// All hosts of the segment (224.0.0.1); membership queries go there.
    pub const ALL_HOSTS: Self = Self([0x01, 0x00, 0x5e, 0, 0, 1]);

    /// The address frames to an IPv4 group carry: 01:00:5e and the group's low 23 bits (RFC 1112 section 6.4). `None`
    /// when `group` is not a multicast address. 32 groups share each address.
    #[must_use]
    pub const fn of_group(group: Ipv4Addr) -> Option<Self> {
        if !group.is_multicast() {
            return None;
        }
        let [_, b, c, d] = group.octets();
        Some(Self([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_maps_to_its_low_23_bits() {
        let mac = |text: &str| MacAddr::of_group(text.parse().unwrap()).map(|m| m.to_string());
        assert_eq!(mac("233.54.12.111").unwrap(), "01:00:5e:36:0c:6f");
        // RFC 1112 section 6.4: the top bit of the second octet is not mapped.
        assert_eq!(mac("239.129.1.2"), mac("224.1.1.2"));
        assert_eq!(mac("224.0.0.1").unwrap(), MacAddr::ALL_HOSTS.to_string());
        assert_eq!(mac("10.0.0.1"), None);
    }
}
