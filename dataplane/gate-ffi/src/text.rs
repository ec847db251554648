//! Text that C reads: in a place of fixed size, ended by a zero, cut where it does not fit.

use core::fmt::{self, Write};

/// Bytes of a text that comes from C, without the zero: a path of a socket has 107 (unix(7)).
pub(crate) const TEXT_MAX: usize = 107;

/// A text of fewer than `N` bytes, and the zero behind it.
#[derive(Debug)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub(crate) const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// `what` in words. Allocates nothing.
    pub(crate) fn of(what: impl fmt::Display) -> Self {
        let mut text = Self::EMPTY;
        // A text that does not fit is cut, which is all that can fail.
        let _ = write!(text, "{what}");
        text
    }

    /// The text and the zero behind it.
    pub(crate) fn with_zero(&self) -> &[u8] {
        self.bytes.get(..=self.len).unwrap_or(&[0])
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for c in more.chars() {
            let mut room = [0; 4];
            let bytes = c.encode_utf8(&mut room).as_bytes();
            let end = self.len + bytes.len();
            // The last byte stays zero.
            let place = self.bytes.get_mut(self.len..end).filter(|_| end < N).ok_or(fmt::Error)?;
            place.copy_from_slice(bytes);
            self.len = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_ends_with_a_zero() {
        assert_eq!(Text::<4>::of("abc").with_zero(), b"abc\0");
        assert_eq!(Text::<4>::of("abcd").with_zero(), b"abc\0");
        assert_eq!(Text::<4>::of("abé").with_zero(), b"ab\0");
        assert_eq!(Text::<1>::of("a").with_zero(), b"\0");
    }
}
