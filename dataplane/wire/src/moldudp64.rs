//! MoldUDP64 1.00, NASDAQ's multicast transport: a numbered packet of length-prefixed messages, and the request for a
//! retransmission.

use core::fmt;
use core::mem::offset_of;

use zerocopy::byteorder::BigEndian;
use zerocopy::byteorder::big_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::blocks::{Blocks, append};
use crate::error::{WireError, clamp};

/// The header of a downstream packet (MoldUDP64 1.00 "Downstream Packet"), and, with the same layout, of a request
/// (MoldUDP64 1.00 "Request Packet").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Which session (trading day and feed) the sequence numbers belong to; ASCII, padded.
    pub session: [u8; 10],
    /// Sequence number of the first message; of the next one to come, in a heartbeat.
    pub sequence: U64,
    /// Messages in the packet; 0 is a heartbeat, 0xFFFF the end of the session. In a request, messages wanted.
    pub count: U16,
}

const _: () = {
    assert!(size_of::<Header>() == 20 && align_of::<Header>() == 1);
    assert!(offset_of!(Header, session) == 0);
    assert!(offset_of!(Header, sequence) == 10);
    assert!(offset_of!(Header, count) == 18);
};

/// Bytes in a [`Header`].
pub const HEADER_LEN: usize = size_of::<Header>();
/// `count` of a packet that only says the line is alive.
pub const HEARTBEAT: u16 = 0;
/// `count` of a packet that says no more messages will come.
pub const END_OF_SESSION: u16 = 0xffff;
/// The most messages one packet can carry.
pub const MAX_COUNT: u16 = END_OF_SESSION - 1;

impl Header {
    /// A header with these fields; as it stands it is also a whole heartbeat ([`HEARTBEAT`]), end of session
    /// ([`END_OF_SESSION`]) or retransmission request packet.
    #[inline]
    #[must_use]
    pub const fn new(session: [u8; 10], sequence: u64, count: u16) -> Self {
        Self { session, sequence: U64::new(sequence), count: U16::new(count) }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.session.trim_ascii_end().escape_ascii();
        write!(f, "MoldUDP64 session={session} seq={} count={}", self.sequence, self.count)
    }
}

/// What a downstream packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// It carries messages.
    Messages,
    /// It carries none; its sequence number is the next to come.
    Heartbeat,
    /// It carries none, and none will come in this session.
    EndOfSession,
}

/// A downstream packet in place.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: &'a Header,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads the header of a UDP payload; the messages are checked one by one as [`Packet::messages`] reaches them.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when there are fewer than 20 bytes.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        match Header::ref_from_prefix(payload) {
            Ok((header, body)) => Ok(Self { header, body }),
            Err(_) => Err(WireError::truncated(0, HEADER_LEN, payload.len())),
        }
    }

    /// The header in place.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &'a Header {
        self.header
    }

    /// The session, padded as sent.
    #[inline]
    #[must_use]
    pub const fn session(&self) -> [u8; 10] {
        self.header.session
    }

    /// Sequence number of the first message, or of the next one to come when there is none here.
    #[inline]
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.header.sequence.get()
    }

    /// How many messages the packet announces: zero for a heartbeat and for the end of the session.
    #[inline]
    #[must_use]
    pub const fn message_count(&self) -> u16 {
        match self.header.count.get() {
            END_OF_SESSION => 0,
            count => count,
        }
    }

    /// What the packet is.
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> PacketKind {
        match self.header.count.get() {
            HEARTBEAT => PacketKind::Heartbeat,
            END_OF_SESSION => PacketKind::EndOfSession,
            _ => PacketKind::Messages,
        }
    }

    /// The sequence number that follows this packet; saturates at the largest one.
    #[inline]
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.sequence().saturating_add(self.message_count() as u64)
    }

    /// The messages, in sequence.
    #[inline]
    #[must_use]
    pub const fn messages(&self) -> Messages<'a> {
        Blocks::new(self.body, HEADER_LEN, self.message_count(), 0)
    }
}

/// Iterator over a packet's messages.
pub type Messages<'a> = Blocks<'a, BigEndian>;

/// Writes one downstream packet into the caller's buffer, message by message.
///
/// ```
/// # use wire::moldudp64::{Packet, PacketBuilder};
/// let mut buf = [0; 64];
/// let mut packet = PacketBuilder::new(&mut buf, *b"S000000001", 7)?;
/// assert!(packet.push(b"hello"));
/// let len = packet.finish();
/// assert_eq!(Packet::parse(&buf[..len])?.messages().next(), Some(Ok(&b"hello"[..])));
/// # Ok::<(), wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct PacketBuilder<'b> {
    buf: &'b mut [u8],
    len: usize,
    session: [u8; 10],
    sequence: u64,
    count: u16,
}

impl<'b> PacketBuilder<'b> {
    /// An empty packet whose first message will have number `sequence`. The packet never outgrows `buf`: hand in as
    /// many bytes as a datagram may have.
    ///
    /// # Errors
    /// [`WireError::NoRoom`] when `buf` cannot even hold the header.
    pub fn new(buf: &'b mut [u8], session: [u8; 10], sequence: u64) -> Result<Self, WireError> {
        if buf.len() < HEADER_LEN {
            return Err(WireError::NoRoom { wanted: clamp(HEADER_LEN), found: clamp(buf.len()) });
        }
        Ok(Self { buf, len: HEADER_LEN, session, sequence, count: 0 })
    }

    /// Appends `message`. False, and nothing changes, when it does not fit, is empty, is longer than 65,535 bytes, or
    /// the packet already holds [`MAX_COUNT`] messages.
    #[inline]
    #[must_use]
    pub fn push(&mut self, message: &[u8]) -> bool {
        if self.count == MAX_COUNT {
            return false;
        }
        let Some(end) = append::<BigEndian>(self.buf, self.len, message) else { return false };
        self.len = end;
        self.count += 1;
        true
    }

    /// Messages so far.
    #[inline]
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Whether no message was pushed yet; [`PacketBuilder::finish`] would then write a heartbeat.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Writes the header and returns how many bytes of the buffer are the packet.
    #[inline]
    #[must_use]
    pub fn finish(self) -> usize {
        let header = Header::new(self.session, self.sequence, self.count);
        if let Some(place) = self.buf.first_chunk_mut::<HEADER_LEN>() {
            place.copy_from_slice(header.as_bytes());
        }
        self.len
    }
}
