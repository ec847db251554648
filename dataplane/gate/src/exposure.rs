//! What one strategy holds and has working in one instrument.

use types::{Side, UnixNanos};

/// Largest position the gate accepts, either way. Working quantities stay below 2^55 (2^22 orders of 2^32), so that no
/// sum of position, working quantity and one order can leave 64 bits.
pub(crate) const POSITION_MAX: i64 = 1 << 60;

/// Half a cache line; two strategies' cells of one instrument share one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(crate) struct Cell {
    /// Filled, signed.
    pub position: i64,
    /// What can still trade, by [`Side::index`].
    pub working: [u64; 2],
    /// When the next order is due at the sustained rate; see [`crate::rate`].
    pub due: UnixNanos,
}

const _: () = assert!(size_of::<Cell>() == 32);

impl Cell {
    pub(crate) const FLAT: Self = Self { position: 0, working: [0; 2], due: UnixNanos(0) };

    /// The worst case on `side`, as a number that grows with the risk: every working order of the side and `qty` more
    /// filled, none of the other side. Long for bids, short for asks; zero or less when even so the position is only
    /// reduced, never turned.
    ///
    /// That it is the worst: fills of the other side move the position away from this limit, and each subset of this
    /// side's fills moves it by less than all of them.
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "working quantities stay below 2^55")]
    pub(crate) const fn worst(&self, side: Side, qty: u32) -> i64 {
        let (held, working) = match side {
            Side::Bid => (self.position, self.working[0]),
            Side::Ask => (self.position.wrapping_neg(), self.working[1]),
        };
        held.wrapping_add(working as i64).wrapping_add(qty as i64)
    }

    /// Moves what works on `side` from `before` to `after`.
    #[inline(always)]
    pub(crate) const fn rework(&mut self, side: Side, before: u32, after: u32) {
        let working = match side {
            Side::Bid => &mut self.working[0],
            Side::Ask => &mut self.working[1],
        };
        *working = working.wrapping_add(after as u64).wrapping_sub(before as u64);
    }

    /// Books a fill.
    #[inline(always)]
    pub(crate) fn fill(&mut self, side: Side, qty: u32) {
        let signed = match side {
            Side::Bid => i64::from(qty),
            Side::Ask => -i64::from(qty),
        };
        self.position = self.position.saturating_add(signed).clamp(-POSITION_MAX, POSITION_MAX);
    }
}

/// A strategy's position in one instrument, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Filled, signed.
    pub position: i64,
    /// What working buys can still buy.
    pub working_buy: u64,
    /// What working sells can still sell.
    pub working_sell: u64,
}

impl From<&Cell> for Exposure {
    fn from(cell: &Cell) -> Self {
        let [working_buy, working_sell] = cell.working;
        Self { position: cell.position, working_buy, working_sell }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_worst_case_counts_the_orders_side_and_not_the_other() {
        let cell = Cell { position: 100, working: [30, 70], due: UnixNanos(0) };
        assert_eq!(cell.worst(Side::Bid, 5), 135);
        assert_eq!(cell.worst(Side::Ask, 5), -25);
        assert_eq!(cell.worst(Side::Ask, 30), 0);
        assert_eq!(cell.worst(Side::Ask, 31), 1);
    }

    #[test]
    fn a_position_saturates_instead_of_turning_over() {
        let mut cell = Cell { position: POSITION_MAX, ..Cell::FLAT };
        cell.fill(Side::Bid, u32::MAX);
        assert_eq!(cell.position, POSITION_MAX);
        cell.working = [1 << 55, 1 << 55];
        assert!(cell.worst(Side::Bid, u32::MAX) > POSITION_MAX);
        cell.position = -POSITION_MAX;
        assert!(cell.worst(Side::Ask, u32::MAX) > POSITION_MAX);
    }
}
