//! Hashing for identities and tables: quick, the same everywhere and for ever, and nothing against who wishes harm.

/// Where a sum by [`fnv1a`] begins, unless it is to be told from another one of the same bytes: the offset basis of 64 bits.
pub const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// 2^64 divided by the golden ratio: a number multiplied by it spreads over the high bits, consecutive ones evenly (Knuth, TAOCP
/// vol. 3, 6.4).
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The sum `from`, with `bytes` taken into it: FNV-1a, 64 bits (IETF draft-eastlake-fnv, Fowler, Noll, Vo). Sums are kept on disk
/// and in shared memory: they never change.
#[must_use]
pub const fn fnv1a(from: u64, bytes: &[u8]) -> u64 {
    let mut sum = from;
    let mut i = 0;
    while i < bytes.len() {
        sum = (sum ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the draft, appendix C.
    #[test]
    fn sums_are_those_of_the_draft() {
        assert_eq!(fnv1a(FNV_BASIS, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(FNV_BASIS, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(fnv1a(FNV_BASIS, b"foo"), b"bar"), 0x8594_4171_f739_67e8);
    }
}
