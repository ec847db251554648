//! Above which share of a limit an order is worth a look.

/// Parts of a limit.
const PARTS: u32 = 1 << 16;

/// Above which share of a limit an order has the flag [`crate::Flags::NEAR_LIMIT`]: from half of it to all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarnShare {
    /// How many of 65,536 parts of a limit are left at that share: half of them at most, so that a limit times them fits its word.
    left: u32,
}

impl WarnShare {
    /// Seven eighths.
    pub const DEFAULT: Self = Self { left: PARTS / 8 };

    /// The share at which so many of 65,536 parts of a limit are left; none beyond half.
    #[must_use]
    pub const fn leaving(left: u32) -> Option<Self> {
        if left <= PARTS / 2 { Some(Self { left }) } else { None }
    }

    /// See [`WarnShare::leaving`].
    #[must_use]
    pub const fn left(self) -> u32 {
        self.left
    }

    /// The usual share is a shift: where the compiler knows the share, it is one, and nothing is multiplied.
    #[inline(always)]
    const fn is_eighth_left(self) -> bool {
        self.left == PARTS / 8
    }

    /// The largest quantity that is not near a limit.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a part of the limit")]
    pub(crate) const fn of_qty(self, max: u32) -> u32 {
        if self.is_eighth_left() {
            return max.wrapping_sub(max >> 3);
        }
        max.wrapping_sub(((max as u64 * self.left as u64) >> 16) as u32)
    }

    /// The same of a position, which is at most 2^48 and not below zero.
    #[inline(always)]
    pub(crate) const fn of_position(self, max: i64) -> i64 {
        if self.is_eighth_left() {
            return max.wrapping_sub(max >> 3);
        }
        max.wrapping_sub(max.wrapping_mul(self.left as i64) >> 16)
    }

    /// The largest value, in 1e-9, that is not near a limit in millionths.
    #[inline(always)]
    pub(crate) const fn of_value(self, max_micros: u64) -> u128 {
        if self.is_eighth_left() {
            return max_micros as u128 * 875;
        }
        (max_micros as u128 * (1_000 * (PARTS - self.left) as u64) as u128) >> 16
    }

    /// The largest sum, in millionths, that is not near a limit in millionths.
    #[inline(always)]
    pub(crate) const fn of_sum(self, max_micros: u64) -> u64 {
        if self.is_eighth_left() {
            return max_micros.wrapping_sub(max_micros >> 3);
        }
        self.part_of_sum(max_micros)
    }

    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "a part of the limit")]
    const fn part_of_sum(self, max_micros: u64) -> u64 {
        max_micros.wrapping_sub(((max_micros as u128 * self.left as u128) >> 16) as u64)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against fractions: what is near is above the share, by less than a unit, and nothing beyond the limit is not near.
        #[test]
        fn what_is_near_is_above_the_share_of_the_limit(
            left in 0..=PARTS / 2, qty: u32, position in 0_i64..1 << 48, micros in 0..=i64::MAX as u64,
        ) {
            let share = WarnShare::leaving(left).unwrap();
            let parts = u128::from(PARTS - left);
            let bounds = |max: u128, most: u128| most <= max && most << 16 >= max * parts && most << 16 < (max * parts) + (1 << 16);
            prop_assert!(bounds(qty.into(), share.of_qty(qty).into()));
            prop_assert!(bounds(position.unsigned_abs().into(), share.of_position(position).unsigned_abs().into()));
            prop_assert!(bounds(micros.into(), share.of_sum(micros).into()));
            // A value is in finer units, and what is within one of the share is near already.
            let (nanos, most) = (u128::from(micros) * 1_000, share.of_value(micros));
            prop_assert!(most <= nanos && most << 16 <= nanos * parts && (most + 1) << 16 > nanos * parts);
        }

        #[test]
        fn seven_eighths_are_what_they_were(qty: u32, position in 0_i64..1 << 48, micros in 0..=i64::MAX as u64) {
            let share = WarnShare::DEFAULT;
            prop_assert_eq!(share.of_qty(qty), qty - (qty >> 3));
            prop_assert_eq!(share.of_position(position), position - (position >> 3));
            prop_assert_eq!(share.of_value(micros), u128::from(micros) * 875);
            prop_assert_eq!(share.of_sum(micros), micros - (micros >> 3));
        }
    }

    #[test]
    fn a_share_is_half_of_a_limit_at_least() {
        assert_eq!(WarnShare::leaving(PARTS / 2).map(WarnShare::left), Some(PARTS / 2));
        assert_eq!(WarnShare::leaving(PARTS / 2 + 1), None);
    }
}
