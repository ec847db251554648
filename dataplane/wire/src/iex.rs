//! IEX-TP 1.x, IEX's transport: a numbered segment of length-prefixed messages, under any message protocol
//! ([`crate::deep10`], [`crate::tops16`]).
//!
//! Source: IEX Transport Specification 1.25, "Outbound Segment". All integers are little-endian.

use core::fmt;
use core::mem::offset_of;

use zerocopy::byteorder::LittleEndian;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::blocks::{Blocks, append};
use crate::error::{WireError, clamp};
use crate::fields::{Show, UnixTimestamp};

/// The header of an outbound segment. Offsets, sequence numbers and times are sent as signed integers that are never
/// negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SegmentHeader {
    /// Transport version; [`VERSION`].
    pub version: u8,
    /// Not used.
    pub reserved: u8,
    /// Which message protocol the body follows; [`PROTOCOL_DEEP_1_0`] and its like.
    pub message_protocol: U16,
    /// Which channel; sequence numbers belong to one channel of one session.
    pub channel: U32,
    /// Which session; one per trading day.
    pub session: U32,
    /// Bytes after the header.
    pub payload_length: U16,
    /// Messages in the segment; zero is a heartbeat.
    pub message_count: U16,
    /// Bytes of payload sent in the session before this segment.
    pub stream_offset: U64,
    /// Sequence number of the first message; of the next one to come, in a heartbeat.
    pub first_sequence: U64,
    /// When the segment was sent.
    pub send_time: UnixTimestamp,
}

const _: () = {
    assert!(size_of::<SegmentHeader>() == 40 && align_of::<SegmentHeader>() == 1);
    assert!(offset_of!(SegmentHeader, message_protocol) == 2);
    assert!(offset_of!(SegmentHeader, channel) == 4);
    assert!(offset_of!(SegmentHeader, session) == 8);
    assert!(offset_of!(SegmentHeader, payload_length) == 12);
    assert!(offset_of!(SegmentHeader, message_count) == 14);
    assert!(offset_of!(SegmentHeader, stream_offset) == 16);
    assert!(offset_of!(SegmentHeader, first_sequence) == 24);
    assert!(offset_of!(SegmentHeader, send_time) == 32);
};

/// Bytes in a [`SegmentHeader`].
pub const HEADER_LEN: usize = size_of::<SegmentHeader>();
/// Bytes in the longest segment that [`SegmentHeader::payload_length`] can announce.
const MAX_LEN: usize = HEADER_LEN + u16::MAX as usize;
/// The transport version this module reads and writes.
pub const VERSION: u8 = 1;
/// `message_protocol` of TOPS 1.6.
pub const PROTOCOL_TOPS_1_6: u16 = 0x8003;
/// `message_protocol` of DEEP 1.0.
pub const PROTOCOL_DEEP_1_0: u16 = 0x8004;

impl fmt::Display for SegmentHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.send_time.show(f)?;
        let (protocol, channel, session) = (self.message_protocol.get(), self.channel, self.session);
        write!(f, " IEX-TP protocol=0x{protocol:04x} channel={channel} session={session}")?;
        let (sequence, offset, count) = (self.first_sequence, self.stream_offset, self.message_count);
        write!(f, " seq={sequence} offset={offset} count={count} bytes={}", self.payload_length)
    }
}

/// A segment in place.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    header: &'a SegmentHeader,
    body: &'a [u8],
    excess: usize,
}

/// Iterator over a segment's messages.
pub type Messages<'a> = Blocks<'a, LittleEndian>;

impl<'a> Segment<'a> {
    /// Reads the header of a UDP payload, whatever message protocol it carries; the messages are checked one by one
    /// as [`Segment::messages`] reaches them.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when there are fewer than 40 bytes or fewer than the header announces,
    /// [`WireError::WrongVersion`] for another transport version.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let Ok((header, after)) = SegmentHeader::ref_from_prefix(payload) else {
            return Err(WireError::truncated(0, HEADER_LEN, payload.len()));
        };
        if header.version != VERSION {
            let (wanted, found) = (VERSION.into(), header.version.into());
            return Err(WireError::WrongVersion { offset: 0, wanted, found });
        }
        let wanted = usize::from(header.payload_length.get());
        let Some((body, excess)) = after.split_at_checked(wanted) else {
            return Err(WireError::truncated(HEADER_LEN, wanted, after.len()));
        };
        Ok(Self { header, body, excess: excess.len() })
    }

    /// [`Segment::parse`], of one message protocol only.
    ///
    /// # Errors
    /// As [`Segment::parse`], and [`WireError::WrongProtocol`] when the segment carries another message protocol.
    #[inline]
    pub fn parse_as(payload: &'a [u8], message_protocol: u16) -> Result<Self, WireError> {
        let segment = Self::parse(payload)?;
        let found = segment.header.message_protocol.get();
        if found != message_protocol {
            return Err(WireError::WrongProtocol { offset: 2, wanted: message_protocol, found });
        }
        Ok(segment)
    }

    /// The header in place.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &'a SegmentHeader {
        self.header
    }

    /// Sequence number of the first message, or of the next one to come when there is none here.
    #[inline]
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.header.first_sequence.get()
    }

    /// How many messages the segment announces; zero for a heartbeat.
    #[inline]
    #[must_use]
    pub const fn message_count(&self) -> u16 {
        self.header.message_count.get()
    }

    /// The messages, in sequence.
    #[inline]
    #[must_use]
    pub const fn messages(&self) -> Messages<'a> {
        Blocks::new(self.body, HEADER_LEN, self.message_count(), self.excess)
    }
}

/// Writes one segment into the caller's buffer, message by message.
#[derive(Debug)]
pub struct SegmentBuilder<'b> {
    buf: &'b mut [u8],
    len: usize,
    header: SegmentHeader,
}

impl<'b> SegmentBuilder<'b> {
    /// An empty segment with the protocol, channel, session, stream offset, sequence number and time of `header`; its
    /// version, length and count are filled in. The segment never outgrows `buf`: hand in as many bytes as a datagram
    /// may have.
    ///
    /// # Errors
    /// [`WireError::NoRoom`] when `buf` cannot even hold the header.
    pub fn new(buf: &'b mut [u8], header: SegmentHeader) -> Result<Self, WireError> {
        if buf.len() < HEADER_LEN {
            return Err(WireError::NoRoom { wanted: clamp(HEADER_LEN), found: clamp(buf.len()) });
        }
        let header = SegmentHeader { version: VERSION, message_count: U16::ZERO, ..header };
        Ok(Self { buf, len: HEADER_LEN, header })
    }

    /// Appends `message`. False, and nothing changes, when it does not fit, is empty, or the segment would pass 65,535
    /// bytes of payload.
    #[inline]
    #[must_use]
    pub fn push(&mut self, message: &[u8]) -> bool {
        let room = self.buf.len().min(MAX_LEN);
        let end = self.buf.get_mut(..room).and_then(|buf| append::<LittleEndian>(buf, self.len, message));
        let Some(end) = end else { return false };
        self.len = end;
        // At three bytes and more per message the length bounds the count.
        self.header.message_count.set(self.count().saturating_add(1));
        true
    }

    /// Messages so far.
    #[inline]
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.header.message_count.get()
    }

    /// Whether no message was pushed yet; [`SegmentBuilder::finish`] would then write a heartbeat.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Writes the header and returns how many bytes of the buffer are the segment.
    #[inline]
    #[must_use]
    pub fn finish(mut self) -> usize {
        self.header.payload_length.set(clamp(self.len.saturating_sub(HEADER_LEN)));
        if let Some(place) = self.buf.first_chunk_mut::<HEADER_LEN>() {
            place.copy_from_slice(self.header.as_bytes());
        }
        self.len
    }
}

/// Defines a message protocol over IEX message structs: the enum, the decoder, the table of types.
macro_rules! iex_protocol {
    ($protocol:literal, $( $(#[$meta:meta])* $variant:ident($name:ident) = $type:literal ),+ $(,)?) => {
        $crate::protocol::protocol! {
            #[doc = concat!("Any ", $protocol, " message, in place.")]
            enum;
            /// IEX may add message types, and fields at the end of a message, without notice ("Architecture" in the
            /// specification): an unknown type is not an error, and bytes beyond the known fields are ignored.
            ///
            /// # Errors
            /// [`WireError::Truncated`] for an empty message, [`WireError::BadLength`] for a known type that is too short.
            decode by beginning;
            $( $(#[$meta])* $variant($name) = $type, )+
        }

        /// The length of a message of this type as of this version; `None` for an unknown type.
        #[inline]
        #[must_use]
        pub const fn len_of(message_type: u8) -> Option<u16> {
            match message_type {
                $( $type => Some($name::LEN as u16), )+
                _ => None,
            }
        }

        impl Msg<'_> {
            /// When the event happened; `None` for an unknown type.
            #[inline]
            #[must_use]
            pub const fn timestamp(&self) -> Option<UnixTimestamp> {
                match self {
                    $( Self::$variant(m) => Some(m.timestamp), )+
                    Self::Other(_) => None,
                }
            }
        }
    };
}
pub(crate) use iex_protocol;
