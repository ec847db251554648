//! Files of messages, each behind a 16-bit big-endian length: the form in which NASDAQ publishes whole ITCH days.
//!
//! Source: NASDAQ BinaryFILE 1.00: a length, then as many bytes; a length of zero ends the file.

use zerocopy::byteorder::BigEndian;

use crate::blocks::append;
use crate::error::{WireError, clamp};
use crate::itch50;

/// Splits the first message off `file` and returns it with what follows it. For readers that refill a buffer:
/// [`WireError::Truncated`] means "read more, unless there is no more".
///
/// # Errors
/// [`WireError::Truncated`] when the prefix or the message is cut, [`WireError::ZeroLength`] for a zero prefix; offsets
/// count from the start of `file`.
#[inline]
pub fn split_message(file: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let Some((prefix, after)) = file.split_first_chunk::<2>() else {
        return Err(WireError::truncated(0, 2, file.len()));
    };
    let len = usize::from(u16::from_be_bytes(*prefix));
    if len == 0 {
        return Err(WireError::ZeroLength { offset: 0 });
    }
    after.split_at_checked(len).ok_or_else(|| WireError::truncated(2, len, after.len()))
}

/// [`split_message`] for files whose length prefixes are not filled in: the prefix is skipped unread and the ITCH 5.0
/// type byte tells the length.
///
/// # Errors
/// [`WireError::Truncated`] when the prefix or the message is cut, [`WireError::UnknownType`] for a type of unknown
/// length, behind which nothing can be found; offsets count from the start of `file`.
#[inline]
pub fn split_itch50_by_type(file: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let Some((_, after)) = file.split_first_chunk::<2>() else {
        return Err(WireError::truncated(0, 2, file.len()));
    };
    let Some(&message_type) = after.first() else {
        return Err(WireError::truncated(2, 1, 0));
    };
    let Some(len) = itch50::len_of(message_type) else {
        return Err(WireError::UnknownType { offset: 2, message_type });
    };
    after.split_at_checked(len.into()).ok_or_else(|| WireError::truncated(2, len.into(), after.len()))
}

/// How a [`Frames`] finds where a message ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// By its length prefix; see [`split_message`].
    Prefix,
    /// By its ITCH 5.0 type; see [`split_itch50_by_type`].
    Itch50Type,
}

/// Iterator over the messages of a whole file in memory. It ends at the end of the file, at the end marker, or with the
/// first error, since nothing after it can be found. Offsets in errors count from the start of the file.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    /// Offset behind `rest`.
    end: u64,
    framing: Framing,
}

impl<'a> Frames<'a> {
    /// The messages of `file`, by their length prefixes. A zero prefix as the file's last two bytes is its end marker;
    /// anywhere else it is an error.
    #[inline]
    #[must_use]
    pub const fn new(file: &'a [u8]) -> Self {
        Self::with_framing(file, Framing::Prefix)
    }

    /// The messages of `file`, told apart as `framing` says.
    #[inline]
    #[must_use]
    pub const fn with_framing(file: &'a [u8], framing: Framing) -> Self {
        Self { rest: file, end: file.len() as u64, framing }
    }

    /// Where the next record begins, prefix included; where the refused record begins, after an error.
    #[inline]
    #[must_use]
    pub const fn offset(&self) -> u64 {
        // `rest` is a part of what ends there.
        self.end.wrapping_sub(self.rest.len() as u64)
    }

    const fn at_end_marker(&self) -> bool {
        matches!((self.framing, self.rest), (Framing::Prefix, [0, 0]))
    }

    #[cold]
    fn stop(&mut self, error: WireError) -> Option<Result<&'a [u8], WireError>> {
        let (offset, whole) = (self.offset(), self.at_end_marker());
        (self.rest, self.end) = (&[], offset);
        if whole { None } else { Some(Err(error.shifted(offset))) }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = match self.framing {
            Framing::Prefix => split_message(self.rest),
            Framing::Itch50Type => split_itch50_by_type(self.rest),
        };
        match split {
            Ok((message, rest)) => {
                self.rest = rest;
                Some(Ok(message))
            }
            Err(error) => self.stop(error),
        }
    }
}

impl core::iter::FusedIterator for Frames<'_> {}

/// Appends `message` with its length prefix to `file` at `at`, and returns where the next one goes.
///
/// # Errors
/// [`WireError::NoRoom`] when it does not fit, is longer than 65,535 bytes, or is empty (its prefix would end the file).
pub fn write_message(file: &mut [u8], at: usize, message: &[u8]) -> Result<usize, WireError> {
    append::<BigEndian>(file, at, message).ok_or_else(|| {
        let (wanted, found) = (message.len().saturating_add(2), file.len().saturating_sub(at));
        WireError::NoRoom { wanted: clamp(wanted), found: clamp(found) }
    })
}
