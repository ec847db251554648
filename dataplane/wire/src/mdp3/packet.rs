//! Packets and the messages in them.

use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U16, U32, U64};

use super::groups::{Groups, Layout};
use super::template;
use crate::error::{WireError, clamp};
use crate::fields::wire_struct;

/// Number of the message schema ("SBE Technical Headers", SchemaID).
pub const SCHEMA_ID: u16 = 1;

wire_struct! {
    /// What a packet begins with ("SBE Technical Headers", "Binary Packet Header").
    PacketHeader, 12,
    common {
        /// Sequence number of the packet in its channel; each packet takes one, heartbeats too.
        @0 sequence: U32,
        /// When it was sent, in nanoseconds since 1970.
        @4 sending_time: U64,
    }
}

wire_struct! {
    /// What a message begins with ("SBE Technical Headers", "Message Header").
    MessageHeader, 10,
    common {
        /// Bytes in the message, with this field.
        @0 size: U16,
        /// Bytes in its root block.
        @2 block_length: U16,
        /// Which template it follows; see [`template`].
        @4 template: U16,
        /// Which schema; [`SCHEMA_ID`].
        @6 schema: U16,
        /// Which version of the schema.
        @8 version: U16,
    }
}

/// Bytes in a [`PacketHeader`].
pub const HEADER_LEN: usize = size_of::<PacketHeader>();
/// Bytes in a [`MessageHeader`].
const MESSAGE_HEADER_LEN: usize = size_of::<MessageHeader>();

/// A packet in place.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: &'a PacketHeader,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads the header of a UDP payload; the messages are checked one by one as [`Packet::messages`] reaches them.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when there are fewer than 12 bytes.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        match PacketHeader::ref_from_prefix(payload) {
            Ok((header, body)) => Ok(Self { header, body }),
            Err(_) => Err(WireError::truncated(0, HEADER_LEN, payload.len())),
        }
    }

    /// The header in place.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &'a PacketHeader {
        self.header
    }

    /// The messages, each with its header. They share the packet's sequence number.
    #[inline]
    #[must_use]
    pub const fn messages(&self) -> Messages<'a> {
        Messages { rest: self.body, offset: HEADER_LEN }
    }
}

/// Iterator over the messages of a packet. An error ends it, since nothing behind it can be found; offsets count from the start
/// of the packet.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Messages<'a> {
    fn split(&self) -> Result<(&'a [u8], &'a [u8]), WireError> {
        let Ok((header, _)) = MessageHeader::ref_from_prefix(self.rest) else {
            return Err(WireError::truncated(self.offset, MESSAGE_HEADER_LEN, self.rest.len()));
        };
        let (size, offset) = (usize::from(header.size.get()), self.offset as u64);
        if size < MESSAGE_HEADER_LEN {
            let (message_type, found) = (type_byte(header.template.get()), clamp(size));
            return Err(WireError::BadLength {
                offset,
                message_type,
                wanted: clamp(MESSAGE_HEADER_LEN),
                found,
            });
        }
        if header.schema.get() != SCHEMA_ID {
            let found = header.schema.get();
            return Err(WireError::WrongProtocol { offset, wanted: SCHEMA_ID, found });
        }
        match self.rest.split_at_checked(size) {
            Some(split) => Ok(split),
            None => Err(WireError::truncated(self.offset, size, self.rest.len())),
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.split() {
            Ok((message, rest)) => {
                self.rest = rest;
                self.offset = self.offset.saturating_add(message.len());
                Some(Ok(message))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for Messages<'_> {}

/// The template's number as counters have it; 255 for one that does not fit.
pub(super) fn type_byte(template: u16) -> u8 {
    u8::try_from(template).unwrap_or(u8::MAX)
}

/// A message in place: its header, its root block, and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    header: &'a MessageHeader,
    block: &'a [u8],
    groups: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header of one message that [`Messages`] gave.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when the message ends within its header or its root block.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        let Ok((header, body)) = MessageHeader::ref_from_prefix(message) else {
            return Err(WireError::truncated(0, MESSAGE_HEADER_LEN, message.len()));
        };
        let wanted = usize::from(header.block_length.get());
        match body.split_at_checked(wanted) {
            Some((block, groups)) => Ok(Self { header, block, groups }),
            None => Err(WireError::truncated(MESSAGE_HEADER_LEN, wanted, body.len())),
        }
    }

    /// The header in place.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &'a MessageHeader {
        self.header
    }

    /// The number of its template.
    #[inline]
    #[must_use]
    pub const fn template(&self) -> u16 {
        self.header.template.get()
    }

    /// The number of its template as counters have it.
    #[inline]
    #[must_use]
    pub fn type_byte(&self) -> u8 {
        type_byte(self.template())
    }

    /// Units of 1e-9 in one unit of its prices.
    #[inline]
    #[must_use]
    pub const fn price_unit(&self) -> i64 {
        if self.template() < template::BOOK_46 { 100 } else { 1 }
    }

    /// The root block, whole.
    #[inline]
    #[must_use]
    pub const fn block(&self) -> &'a [u8] {
        self.block
    }

    /// The beginning of its root block as `T`.
    ///
    /// # Errors
    /// [`WireError::BadLength`] when the block is shorter.
    #[inline]
    pub fn root<T: Layout>(&self) -> Result<&'a T, WireError> {
        match T::ref_from_prefix(self.block) {
            Ok((root, _)) => Ok(root),
            Err(_) => Err(WireError::bad_length(self.type_byte(), size_of::<T>(), self.block.len())),
        }
    }

    /// Its groups, to be read in the order of the template.
    #[inline]
    #[must_use]
    pub fn groups(&self) -> Groups<'a> {
        Groups::new(self.type_byte(), self.groups, MESSAGE_HEADER_LEN.saturating_add(self.block.len()))
    }
}
