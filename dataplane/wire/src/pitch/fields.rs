//! The types of fields that PITCH alone has.

use core::fmt;

use types::Px;
use zerocopy::byteorder::little_endian::{I64, U16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::fields::Show;

/// The type of a message, printed as a number: types are no characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct MessageType(pub u8);

impl Show for MessageType {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}", self.0)
    }
}

/// A price of four implied decimals; negative ones are those of complex instruments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct LongPrice(pub I64);

impl LongPrice {
    /// The price as the rest of the product carries it; a value that does not fit is [`Px::NONE`].
    #[inline]
    #[must_use]
    pub const fn px(self) -> Px {
        match self.0.get().checked_mul(100_000) {
            Some(nanos) => Px(nanos),
            None => Px::NONE,
        }
    }
}

impl From<i64> for LongPrice {
    #[inline]
    fn from(raw: i64) -> Self {
        Self(I64::new(raw))
    }
}

impl Show for LongPrice {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0.get() < 0 { "-" } else { "" }, self.0.get().unsigned_abs());
        write!(f, "{sign}{}.{:04}", size / 10_000, size % 10_000)
    }
}

/// A price of two implied decimals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct ShortPrice(pub U16);

impl ShortPrice {
    /// The price as the rest of the product carries it; exact, every value fits.
    #[inline]
    #[must_use]
    pub const fn px(self) -> Px {
        Px(self.0.get() as i64 * 10_000_000)
    }
}

impl From<u16> for ShortPrice {
    #[inline]
    fn from(raw: u16) -> Self {
        Self(U16::new(raw))
    }
}

impl Show for ShortPrice {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.0.get();
        write!(f, "{}.{:02}", raw / 100, raw % 100)
    }
}
