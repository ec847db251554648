//! Whose an order is, in the bits that the order table and the instruments' heads share.

/// The instrument and the epoch of its book, as slots carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    /// As the instrument's head keeps it.
    #[inline(always)]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// The inverse of [`Owner::to_bits`].
    #[inline(always)]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}
