//! What all messages share.

use core::fmt;
use core::mem::offset_of;

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::fields::{Show, Timestamp48};

/// What every ITCH 5.0 message begins with (section 1, "Message Formats").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    /// The message type.
    pub message_type: u8,
    /// Which security, by its number of the day; 0 when the message concerns the whole market.
    pub locate: U16,
    /// NASDAQ's internal tracking number.
    pub tracking: U16,
    /// When the venue made the message.
    pub timestamp: Timestamp48,
}

const _: () = {
    assert!(size_of::<Header>() == 11 && align_of::<Header>() == 1);
    assert!(offset_of!(Header, locate) == 1);
    assert!(offset_of!(Header, tracking) == 3);
    assert!(offset_of!(Header, timestamp) == 5);
};

impl Header {
    /// The header of `message`, of whatever type it is; `None` when it is too short for one.
    #[inline]
    #[must_use]
    pub fn of(message: &[u8]) -> Option<&Self> {
        Self::ref_from_prefix(message).ok().map(|(header, _)| header)
    }

    #[inline]
    pub(super) fn new(message_type: u8, locate: u16, tracking: u16, ns: u64) -> Self {
        let timestamp = Timestamp48::new(ns);
        Self { message_type, locate: U16::new(locate), tracking: U16::new(tracking), timestamp }
    }

    /// Nanoseconds since midnight, Eastern Time.
    // The tracking number before it is read along: one word and two shifts are half the instructions of two words put together.
    #[inline]
    #[must_use]
    pub fn ns(&self) -> u64 {
        let bytes: [u8; 11] = zerocopy::transmute!(*self);
        let [_, _, _, word @ ..] = bytes;
        u64::from_be_bytes(word) << 16 >> 16
    }

    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp.show(f)?;
        f.write_str(" ")?;
        self.message_type.show(f)?;
        write!(f, " locate={} tracking={}", self.locate, self.tracking)
    }
}
