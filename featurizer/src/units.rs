//! Prices in units that fit a slot of the order table, divided by multiplication.

/// Price unit of a slot: 1e-4 of the currency, the finest of the order-by-order equity feeds. Finer prices are exact too,
/// in the side table.
pub(crate) const UNIT: i64 = 100_000;
/// Inverse of the odd part of [`UNIT`] (3125) modulo 2^64, and the power of two that remains.
const UNIT_INVERSE: u64 = odd_inverse(3_125);
const UNIT_SHIFT: u32 = 5;

/// The inverse of an odd number modulo 2^64 (Newton's iteration, each step doubles the correct bits).
pub(crate) const fn odd_inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut step = 0;
    while step < 5 {
        x = x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

/// A price of so many [`UNIT`]s, less than 2^32.
#[inline(always)]
pub(crate) const fn px_of_units(units: u64) -> i64 {
    units.cast_signed().wrapping_mul(UNIT)
}

/// The price in slot units if that is less than 2^32; else the price is no multiple of the unit or does not fit. One
/// multiplication decides both, because only an exact multiple of the unit has a quotient that small modulo 2^64 (Granlund and
/// Montgomery 1994, section 9).
#[inline(always)]
pub(crate) fn units_of(px: i64) -> u64 {
    px.cast_unsigned().wrapping_mul(UNIT_INVERSE).rotate_right(UNIT_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_have_their_inverse() {
        for odd in [1, 3, 5, 3_125, 9_765_625, u64::MAX, 0x1234_5678_9abc_def1] {
            assert_eq!(odd.wrapping_mul(odd_inverse(odd)), 1);
        }
    }
}
