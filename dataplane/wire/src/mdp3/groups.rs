//! Repeating groups: how many entries and how long each is stands before them.

use core::marker::PhantomData;

use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::error::{WireError, clamp};
use crate::fields::wire_struct;

wire_struct! {
    /// `groupSize`: what stands before the entries of most groups.
    GroupSize, 3,
    common {
        /// Bytes in an entry.
        @0 block_length: U16,
        /// Entries.
        @2 count: u8,
    }
}

wire_struct! {
    /// `groupSize8Byte`: what stands before the entries of groups that begin at a multiple of eight bytes.
    GroupSize8Byte, 8,
    common {
        /// Bytes in an entry.
        @0 block_length: U16,
        /// Not used.
        @2 padding: [u8; 5],
        /// Entries.
        @7 count: u8,
    }
}

/// A block's or entry's beginning that bytes are read as.
pub trait Layout: FromBytes + KnownLayout + Immutable + Unaligned {}

impl<T: FromBytes + KnownLayout + Immutable + Unaligned> Layout for T {}

/// What stands before a group's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// `groupSize`, three bytes.
    Short,
    /// `groupSize8Byte`.
    Eight,
}

/// The groups of one message, in order.
#[derive(Clone, Debug)]
pub struct Groups<'a> {
    message_type: u8,
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Groups<'a> {
    pub(super) const fn new(message_type: u8, rest: &'a [u8], offset: usize) -> Self {
        Self { message_type, rest, offset }
    }

    /// Bytes that no group read so far has taken.
    #[inline]
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next group, whose entries begin with `T` and may be longer.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when the message ends before the group does, [`WireError::BadLength`] when its entries are
    /// shorter than `T`.
    #[inline]
    pub fn next<T: Layout>(&mut self, dimension: Dimension) -> Result<Entries<'a, T>, WireError> {
        self.next_at_least(dimension, size_of::<T>())
    }

    /// The next group, whose entries have `bytes` or more.
    ///
    /// # Errors
    /// As [`Groups::next`].
    #[inline]
    pub fn next_at_least<T>(
        &mut self,
        dimension: Dimension,
        bytes: usize,
    ) -> Result<Entries<'a, T>, WireError> {
        let entries = self.next_raw(dimension)?;
        if entries.left > 0 && entries.stride < bytes {
            return Err(WireError::BadLength {
                offset: self.offset as u64,
                message_type: self.message_type,
                wanted: clamp(bytes),
                found: clamp(entries.stride),
            });
        }
        Ok(entries)
    }

    /// The next group, of entries that nothing is known about.
    pub(super) fn next_raw<T>(&mut self, dimension: Dimension) -> Result<Entries<'a, T>, WireError> {
        let (stride, count, header, body) = match dimension {
            Dimension::Short => match GroupSize::ref_from_prefix(self.rest) {
                Ok((size, body)) => (size.block_length.get(), size.count, size_of::<GroupSize>(), body),
                Err(_) => {
                    return Err(WireError::truncated(self.offset, size_of::<GroupSize>(), self.rest.len()));
                }
            },
            Dimension::Eight => match GroupSize8Byte::ref_from_prefix(self.rest) {
                Ok((size, body)) => (size.block_length.get(), size.count, size_of::<GroupSize8Byte>(), body),
                Err(_) => {
                    return Err(WireError::truncated(
                        self.offset,
                        size_of::<GroupSize8Byte>(),
                        self.rest.len(),
                    ));
                }
            },
        };
        // 65,535 bytes and 255 entries at most: no product of them overflows.
        let (stride, wanted) = (usize::from(stride), usize::from(stride).saturating_mul(usize::from(count)));
        let offset = self.offset.saturating_add(header);
        let Some((bytes, rest)) = body.split_at_checked(wanted) else {
            return Err(WireError::truncated(offset, wanted, body.len()));
        };
        self.rest = rest;
        self.offset = offset.saturating_add(wanted);
        Ok(Entries { bytes, stride, left: count, entry: PhantomData })
    }
}

/// Iterator over the entries of a group, each at the length that the message says.
#[derive(Debug)]
pub struct Entries<'a, T> {
    bytes: &'a [u8],
    stride: usize,
    left: u8,
    entry: PhantomData<&'a T>,
}

impl<T> Clone for Entries<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        Self { bytes: self.bytes, stride: self.stride, left: self.left, entry: PhantomData }
    }
}

impl<'a, T> Entries<'a, T> {
    /// The bytes of entry `index`, counted from 0.
    #[inline]
    fn bytes_of(&self, index: usize) -> Option<&'a [u8]> {
        let at = index.saturating_mul(self.stride);
        self.bytes.get(at..at.saturating_add(self.stride))
    }

    /// The bytes of the next entry.
    #[inline]
    pub fn next_bytes(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (entry, rest) = self.bytes.split_at_checked(self.stride)?;
        self.bytes = rest;
        Some(entry)
    }
}

impl<'a, T: Layout> Entries<'a, T> {
    /// Entry `index` of those left, counted from 0.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a T> {
        if index >= usize::from(self.left) {
            return None;
        }
        T::ref_from_prefix(self.bytes_of(index)?).ok().map(|(entry, _)| entry)
    }
}

impl<'a, T: Layout> Iterator for Entries<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        T::ref_from_prefix(self.next_bytes()?).ok().map(|(entry, _)| entry)
    }
}
