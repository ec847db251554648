//! Field types that several protocols share, and how a field prints.

use core::fmt;

use types::Px;
use zerocopy::byteorder::{BigEndian, ByteOrder, I64, LittleEndian, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An unsigned price with four implied decimals ("Price (4)", TotalView-ITCH 5.0 "Data Types").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Price4(pub U32<BigEndian>);

impl Price4 {
    /// The price in units of 1e-4.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0.get()
    }

    /// The price as the rest of the product carries it; exact, every value fits.
    #[inline]
    #[must_use]
    pub const fn px(self) -> Px {
        Px::from_1e4(self.raw() as i64)
    }
}

impl From<u32> for Price4 {
    #[inline]
    fn from(raw: u32) -> Self {
        Self(U32::new(raw))
    }
}

/// An unsigned price with eight implied decimals ("Price (8)", TotalView-ITCH 5.0 "Data Types").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Price8(pub U64<BigEndian>);

impl Price8 {
    /// The price in units of 1e-8.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0.get()
    }

    /// The price as the rest of the product carries it; a value that does not fit is [`Px::NONE`].
    #[inline]
    #[must_use]
    pub const fn px(self) -> Px {
        match self.raw().checked_mul(10) {
            Some(nanos) if nanos < i64::MAX as u64 => Px(nanos.cast_signed()),
            _ => Px::NONE,
        }
    }
}

impl From<u64> for Price8 {
    #[inline]
    fn from(raw: u64) -> Self {
        Self(U64::new(raw))
    }
}

/// A 48-bit big-endian count of nanoseconds since midnight, Eastern Time (TotalView-ITCH 5.0 "Data Types").
///
/// Split in two words because that compiles to fewer instructions than six bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Timestamp48 {
    /// The upper 16 bits.
    pub hi: U16<BigEndian>,
    /// The lower 32 bits.
    pub lo: U32<BigEndian>,
}

const _: () = assert!(size_of::<Timestamp48>() == 6 && align_of::<Timestamp48>() == 1);

impl Timestamp48 {
    /// Largest number of nanoseconds that fits; more than three days.
    pub const MAX_NS: u64 = (1 << 48) - 1;

    /// From nanoseconds since midnight; a value beyond [`Timestamp48::MAX_NS`] becomes that maximum.
    #[inline]
    #[must_use]
    pub const fn new(ns: u64) -> Self {
        let ns = if ns > Self::MAX_NS { Self::MAX_NS } else { ns };
        Self { hi: U16::new((ns >> 32) as u16), lo: U32::new((ns & 0xffff_ffff) as u32) }
    }

    /// Nanoseconds since midnight.
    #[inline]
    #[must_use]
    pub const fn ns(self) -> u64 {
        ((self.hi.get() as u64) << 32) | self.lo.get() as u64
    }
}

/// A signed little-endian price with four implied decimals ("Price", IEX DEEP "Data Types").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct SignedPrice4(pub I64<LittleEndian>);

impl SignedPrice4 {
    /// The price in units of 1e-4.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> i64 {
        self.0.get()
    }

    /// The price as the rest of the product carries it; a value that does not fit is [`Px::NONE`].
    #[inline]
    #[must_use]
    pub const fn px(self) -> Px {
        match self.raw().checked_mul(100_000) {
            Some(nanos) => Px(nanos),
            None => Px::NONE,
        }
    }
}

impl From<i64> for SignedPrice4 {
    #[inline]
    fn from(raw: i64) -> Self {
        Self(I64::new(raw))
    }
}

/// A signed little-endian count of nanoseconds since 1970-01-01T00:00:00Z ("Timestamp", IEX DEEP "Data Types").
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct UnixTimestamp(pub I64<LittleEndian>);

impl UnixTimestamp {
    /// Nanoseconds since 1970; a time before that is zero.
    #[inline]
    #[must_use]
    pub const fn ns(self) -> u64 {
        let ns = self.0.get();
        if ns < 0 { 0 } else { ns.cast_unsigned() }
    }
}

impl From<u64> for UnixTimestamp {
    /// A time after the year 2262 becomes the last one that fits.
    #[inline]
    fn from(ns: u64) -> Self {
        Self(I64::new(i64::try_from(ns).unwrap_or(i64::MAX)))
    }
}

/// A byte of independent bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Flags(pub u8);

impl From<u8> for Flags {
    #[inline]
    fn from(bits: u8) -> Self {
        Self(bits)
    }
}

/// How one field prints in a message's `Display`. A trait of its own, since `u8` means a code here, not a number.
pub(crate) trait Show {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A one-byte code: its character when printable, else hexadecimal.
impl Show for u8 {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            b' ' => f.write_str("' '"),
            code if code.is_ascii_graphic() => write!(f, "{}", char::from(*code)),
            code => write!(f, "0x{code:02x}"),
        }
    }
}

/// Padded text: trailing spaces dropped, anything unprintable escaped.
impl<const N: usize> Show for [u8; N] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.trim_ascii_end().escape_ascii())
    }
}

impl<O: ByteOrder> Show for U16<O> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

impl<O: ByteOrder> Show for U32<O> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

impl<O: ByteOrder> Show for U64<O> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

impl Show for SignedPrice4 {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.raw() < 0 { "-" } else { "" }, self.raw().unsigned_abs());
        write!(f, "{sign}{}.{:04}", size / 10_000, size % 10_000)
    }
}

impl Show for Flags {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}", self.0)
    }
}

/// Seconds since 1970 with nine decimals.
impl Show for UnixTimestamp {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.ns() / 1_000_000_000, self.ns() % 1_000_000_000)
    }
}

impl Show for Price4 {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.raw() / 10_000, self.raw() % 10_000)
    }
}

impl Show for Price8 {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08}", self.raw() / 100_000_000, self.raw() % 100_000_000)
    }
}

/// Seconds since midnight with nine decimals.
impl Show for Timestamp48 {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.ns() / 1_000_000_000, self.ns() % 1_000_000_000)
    }
}

/// Defines one wire struct: its fields at the specification's offsets, checked at compile time.
///
/// `@offset name: type` lists the fields after the common ones given in `common`.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])* $name:ident, $len:literal,
        common { $( $(#[$cmeta:meta])* @$coff:literal $cfield:ident : $cty:ty ),+ $(,)? }
        $( $(#[$fmeta:meta])* @$off:literal $field:ident : $ty:ty ),* $(,)?
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, PartialEq, Eq, Debug,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable,
            zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name {
            $( $(#[$cmeta])* pub $cfield: $cty, )+
            $( $(#[$fmeta])* pub $field: $ty, )*
        }

        const _: () = {
            assert!(size_of::<$name>() == $len && align_of::<$name>() == 1);
            $( assert!(core::mem::offset_of!($name, $cfield) == $coff); )+
            $( assert!(core::mem::offset_of!($name, $field) == $off); )*
        };
    };
}
pub(crate) use wire_struct;
