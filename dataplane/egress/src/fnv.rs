//! FNV-1a, 64 bits (IETF draft-eastlake-fnv): numbers for names, and sums of what was written. The numbers are kept on disk, and say
//! nothing against who wishes harm.

/// Where a sum begins, unless it is to be told from another one of the same bytes.
pub(crate) const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The sum `from`, with `bytes` taken into it.
pub(crate) fn fnv<'a>(from: u64, bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    bytes.into_iter().fold(from, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the draft, appendix C.
    #[test]
    fn sums_are_those_of_the_draft() {
        assert_eq!(fnv(BASIS, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(BASIS, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(fnv(BASIS, b"foo"), b"bar"), 0x8594_4171_f739_67e8);
    }
}
