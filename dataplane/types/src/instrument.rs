//! Instruments: the dense number used on every hot path, and the name people use.

use core::fmt;

/// Dense instrument number, assigned in order of first definition at start of day; an index into every
/// per-instrument table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct InstrumentId(pub u32);

impl InstrumentId {
    /// Addresses every instrument of a channel at once (gap, clear, time); never an index.
    pub const ALL: Self = Self(u32::MAX);

    /// The table index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An instrument's name: up to eight bytes of ASCII, padded with spaces, as equity feeds carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Symbol(pub [u8; 8]);

impl Symbol {
    /// The symbol named by `name`, padded with spaces; `None` when it is empty, longer than eight bytes or holds
    /// anything but printable ASCII.
    #[must_use]
    pub const fn new(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > 8 {
            return None;
        }
        let mut out = [b' '; 8];
        let mut i = 0;
        while i < bytes.len() {
            if !bytes[i].is_ascii_graphic() {
                return None;
            }
            out[i] = bytes[i];
            i += 1;
        }
        Some(Self(out))
    }

    /// The eight bytes as one big-endian word, the form a [`crate::BookEvent`] carries.
    #[inline]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// The inverse of [`Symbol::to_word`].
    #[inline]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self(word.to_be_bytes())
    }

    /// The name without its padding; bytes that are not printable ASCII are cut off, since a hostile feed can send
    /// anything.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|b| !b.is_ascii_graphic()).unwrap_or(8);
        core::str::from_utf8(&self.0[..len]).unwrap_or("")
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_survives_its_word_and_drops_its_padding() {
        let s = Symbol::new("ZVZZT").unwrap();
        assert_eq!(Symbol::from_word(s.to_word()), s);
        assert_eq!(s.as_str(), "ZVZZT");
        assert_eq!(Symbol(*b"BRK.A\0\0\0").as_str(), "BRK.A");
    }

    #[test]
    fn names_that_cannot_be_symbols_are_refused() {
        for bad in ["", "TOOLONGNAME", "A B", "é"] {
            assert!(Symbol::new(bad).is_none(), "{bad:?}");
        }
    }
}
