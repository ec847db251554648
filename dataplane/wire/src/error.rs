//! Why bytes are refused. Each kind is one drop counter; the error itself is small enough to return by value.

use core::fmt;

/// A packet, message or file record that does not follow its specification.
///
/// `offset` is the first byte that could not be read as the specification says, counted from the start of the slice
/// handed to the function that returned the error (a frame, a datagram, a file). Lengths are in bytes; a length above
/// 65,535 is reported as 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are described once, above")]
pub enum WireError {
    /// The bytes end before the structure that begins at `offset` does.
    Truncated { offset: u64, wanted: u16, found: u16 },
    /// A message whose length is not the one its type has.
    BadLength { offset: u64, message_type: u8, wanted: u16, found: u16 },
    /// A length prefix of zero.
    ZeroLength { offset: u64 },
    /// Bytes after the last message a packet announced.
    TrailingBytes { offset: u64, found: u16 },
    /// A message type without a known length, where only the type can tell the length.
    UnknownType { offset: u64, message_type: u8 },
    /// More than two VLAN tags.
    VlanDepth { offset: u64 },
    /// An EtherType (or link-layer protocol) that is not IPv4.
    NotIpv4 { offset: u64, found: u16 },
    /// An IPv4 version field that is not 4, a header length below 20, or a total length shorter than the header.
    BadIpHeader { offset: u64, wanted: u16, found: u16 },
    /// An IPv4 header checksum that does not add up.
    BadIpChecksum { offset: u64, wanted: u16, found: u16 },
    /// A UDP checksum that does not add up.
    BadUdpChecksum { offset: u64, wanted: u16, found: u16 },
    /// A fragment; market data is never fragmented, and reassembly would hold state.
    Fragment { offset: u64, found: u16 },
    /// An IPv4 protocol that is not UDP.
    NotUdp { offset: u64, found: u8 },
    /// A UDP length shorter than its header, or longer than the IPv4 packet that carries it.
    BadUdpLength { offset: u64, wanted: u16, found: u16 },
    /// A transport version this code does not read.
    WrongVersion { offset: u64, wanted: u16, found: u16 },
    /// A transport that carries another message protocol than the one asked for.
    WrongProtocol { offset: u64, wanted: u16, found: u16 },
    /// The caller's buffer is too small for what is to be written.
    NoRoom { wanted: u16, found: u16 },
}

const _: () = assert!(size_of::<WireError>() <= 16);

impl WireError {
    /// The slug of every kind, indexed by [`WireError::kind_index`]; append-only, since counters are named by it.
    pub const KINDS: &'static [&'static str] = &[
        "truncated",
        "bad_length",
        "zero_length",
        "trailing_bytes",
        "unknown_type",
        "vlan_depth",
        "not_ipv4",
        "bad_ip_header",
        "bad_ip_checksum",
        "fragment",
        "not_udp",
        "bad_udp_length",
        "wrong_version",
        "wrong_protocol",
        "no_room",
        "bad_udp_checksum",
    ];

    /// The index of this kind's counter; always below `KINDS.len()`.
    #[must_use]
    pub const fn kind_index(self) -> usize {
        match self {
            Self::Truncated { .. } => 0,
            Self::BadLength { .. } => 1,
            Self::ZeroLength { .. } => 2,
            Self::TrailingBytes { .. } => 3,
            Self::UnknownType { .. } => 4,
            Self::VlanDepth { .. } => 5,
            Self::NotIpv4 { .. } => 6,
            Self::BadIpHeader { .. } => 7,
            Self::BadIpChecksum { .. } => 8,
            Self::Fragment { .. } => 9,
            Self::NotUdp { .. } => 10,
            Self::BadUdpLength { .. } => 11,
            Self::WrongVersion { .. } => 12,
            Self::WrongProtocol { .. } => 13,
            Self::NoRoom { .. } => 14,
            Self::BadUdpChecksum { .. } => 15,
        }
    }

    /// The kind's name in metrics and reports, for example `truncated`.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        Self::KINDS[self.kind_index()]
    }

    /// Where the refused structure begins; zero for an error of writing.
    #[must_use]
    pub const fn offset(mut self) -> u64 {
        match self.offset_mut() {
            Some(offset) => *offset,
            None => 0,
        }
    }

    /// The same error as seen from a slice that begins `base` bytes earlier, so that a message's error can be placed
    /// in its packet or file.
    #[must_use]
    pub const fn shifted(mut self, base: u64) -> Self {
        if let Some(offset) = self.offset_mut() {
            *offset = offset.saturating_add(base);
        }
        self
    }

    const fn offset_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Truncated { offset, .. }
            | Self::BadLength { offset, .. }
            | Self::ZeroLength { offset }
            | Self::TrailingBytes { offset, .. }
            | Self::UnknownType { offset, .. }
            | Self::VlanDepth { offset }
            | Self::NotIpv4 { offset, .. }
            | Self::BadIpHeader { offset, .. }
            | Self::BadIpChecksum { offset, .. }
            | Self::BadUdpChecksum { offset, .. }
            | Self::Fragment { offset, .. }
            | Self::NotUdp { offset, .. }
            | Self::BadUdpLength { offset, .. }
            | Self::WrongVersion { offset, .. }
            | Self::WrongProtocol { offset, .. } => Some(offset),
            Self::NoRoom { .. } => None,
        }
    }

    /// [`WireError::Truncated`] from slice lengths.
    #[cold]
    pub(crate) fn truncated(offset: usize, wanted: usize, found: usize) -> Self {
        Self::Truncated { offset: offset as u64, wanted: clamp(wanted), found: clamp(found) }
    }

    /// [`WireError::BadLength`] at the start of the slice.
    #[cold]
    pub(crate) fn bad_length(message_type: u8, wanted: usize, found: usize) -> Self {
        Self::BadLength { offset: 0, message_type, wanted: clamp(wanted), found: clamp(found) }
    }
}

/// A length as the error carries it.
pub(crate) fn clamp(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { offset, wanted, found } => {
                write!(f, "truncated at offset {offset}: wanted {wanted} bytes, found {found}")
            }
            Self::BadLength { offset, message_type, wanted, found } => {
                let name = char::from(message_type).escape_default();
                write!(f, "message '{name}' at offset {offset}: wanted {wanted} bytes, found {found}")
            }
            Self::ZeroLength { offset } => {
                write!(f, "length prefix at offset {offset}: wanted at least 1, found 0")
            }
            Self::TrailingBytes { offset, found } => {
                write!(f, "trailing bytes at offset {offset}: wanted 0, found {found}")
            }
            Self::UnknownType { offset, message_type } => {
                let name = char::from(message_type).escape_default();
                write!(f, "message type at offset {offset}: wanted a known type, found '{name}'")
            }
            Self::VlanDepth { offset } => {
                write!(f, "vlan tags at offset {offset}: wanted at most 2, found a third")
            }
            Self::NotIpv4 { offset, found } => {
                write!(f, "link protocol at offset {offset}: wanted IPv4 (0x0800), found 0x{found:04x}")
            }
            Self::BadIpHeader { offset, wanted, found } => {
                write!(f, "IPv4 header at offset {offset}: wanted {wanted} or more, found {found}")
            }
            Self::BadIpChecksum { offset, wanted, found } => {
                write!(f, "IPv4 checksum at offset {offset}: wanted 0x{wanted:04x}, found 0x{found:04x}")
            }
            Self::BadUdpChecksum { offset, wanted, found } => {
                write!(f, "UDP checksum at offset {offset}: wanted 0x{wanted:04x}, found 0x{found:04x}")
            }
            Self::Fragment { offset, found } => {
                write!(f, "IPv4 fragment at offset {offset}: wanted a whole packet, found 0x{found:04x}")
            }
            Self::NotUdp { offset, found } => {
                write!(f, "IPv4 protocol at offset {offset}: wanted UDP (17), found {found}")
            }
            Self::BadUdpLength { offset, wanted, found } => {
                write!(f, "UDP length at offset {offset}: wanted 8 to {wanted}, found {found}")
            }
            Self::WrongVersion { offset, wanted, found } => {
                write!(f, "transport version at offset {offset}: wanted {wanted}, found {found}")
            }
            Self::WrongProtocol { offset, wanted, found } => {
                write!(f, "message protocol at offset {offset}: wanted 0x{wanted:04x}, found 0x{found:04x}")
            }
            Self::NoRoom { wanted, found } => {
                write!(f, "buffer too small: wanted {wanted} bytes, found {found}")
            }
        }
    }
}

impl core::error::Error for WireError {}
