//! Sequenced units.

use core::fmt;
use core::mem::offset_of;

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{WireError, clamp};

/// The header of a sequenced unit (section 2.4, "Sequenced Unit Header").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct UnitHeader {
    /// Bytes in the unit, with this header.
    pub length: U16,
    /// Messages in it; zero is a heartbeat.
    pub count: u8,
    /// Which unit of the matching engine; each has a sequence of its own.
    pub unit: u8,
    /// Sequence number of the first message, or of the next one to come in a heartbeat; zero where there is no sequence.
    pub sequence: U32,
}

const _: () = {
    assert!(size_of::<UnitHeader>() == 8 && align_of::<UnitHeader>() == 1);
    assert!(offset_of!(UnitHeader, count) == 2);
    assert!(offset_of!(UnitHeader, unit) == 3);
    assert!(offset_of!(UnitHeader, sequence) == 4);
};

/// Bytes in a [`UnitHeader`].
pub const HEADER_LEN: usize = size_of::<UnitHeader>();

impl fmt::Display for UnitHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PITCH unit={} seq={} count={}", self.unit, self.sequence, self.count)
    }
}

/// A sequenced unit in place.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    header: &'a UnitHeader,
    body: &'a [u8],
    excess: usize,
}

impl<'a> Unit<'a> {
    /// Reads the header of a UDP payload; the messages are checked one by one as [`Unit::messages`] reaches them.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when there are fewer than 8 bytes or fewer than the header announces,
    /// [`WireError::BadLength`] when it announces less than itself.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let Ok((header, after)) = UnitHeader::ref_from_prefix(payload) else {
            return Err(WireError::truncated(0, HEADER_LEN, payload.len()));
        };
        let length = usize::from(header.length.get());
        let Some(wanted) = length.checked_sub(HEADER_LEN) else {
            return Err(WireError::bad_length(0, HEADER_LEN, length));
        };
        match after.split_at_checked(wanted) {
            Some((body, excess)) => Ok(Self { header, body, excess: excess.len() }),
            None => Err(WireError::truncated(HEADER_LEN, wanted, after.len())),
        }
    }

    /// The header in place.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &'a UnitHeader {
        self.header
    }

    /// The messages, each from its type on.
    #[inline]
    #[must_use]
    pub const fn messages(&self) -> Messages<'a> {
        let Self { header, body, excess } = *self;
        Messages { rest: body, offset: HEADER_LEN, left: header.count, excess, failed: false }
    }
}

/// Iterator over the messages of a unit; as [`crate::Blocks`], with a length of one byte that counts itself.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
    offset: usize,
    left: u8,
    excess: usize,
    failed: bool,
}

impl<'a> Messages<'a> {
    #[cold]
    fn fail(&mut self, error: WireError) -> Option<Result<&'a [u8], WireError>> {
        self.failed = true;
        Some(Err(error))
    }

    #[cold]
    fn end(&mut self) -> Option<Result<&'a [u8], WireError>> {
        let found = self.rest.len().saturating_add(self.excess);
        if found == 0 || self.failed {
            return None;
        }
        let offset = self.offset as u64;
        self.fail(WireError::TrailingBytes { offset, found: clamp(found) })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return self.end();
        }
        if self.failed {
            return None;
        }
        let Some((&length, after)) = self.rest.split_first() else {
            return self.fail(WireError::truncated(self.offset, 1, 0));
        };
        let Some(length) = usize::from(length).checked_sub(1).filter(|length| *length > 0) else {
            return self.fail(WireError::ZeroLength { offset: self.offset as u64 });
        };
        let Some((message, rest)) = after.split_at_checked(length) else {
            return self.fail(WireError::truncated(self.offset.saturating_add(1), length, after.len()));
        };
        self.rest = rest;
        self.offset = self.offset.saturating_add(1).saturating_add(length);
        self.left -= 1;
        Some(Ok(message))
    }
}

impl core::iter::FusedIterator for Messages<'_> {}
