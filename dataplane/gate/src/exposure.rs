//! What one strategy holds and has working in one instrument.

use types::{Side, UnixNanos};

use crate::rate;

/// Largest position the gate accepts, either way. Working quantities stay below 2^55 (2^22 orders of 2^32), so that no
/// sum of position, working quantity and one order can leave 64 bits.
pub const POSITION_MAX: i64 = 1 << 60;

/// Half a cache line; two strategies' cells of one instrument share one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(crate) struct Cell {
    /// Filled, signed.
    pub position: i64,
    /// What can still trade, by [`Side::index`].
    pub working: [u64; 2],
    /// When the next order is due at the sustained rate (see [`crate::rate`]), with [`DOUBT`] in its highest bit.
    due: UnixNanos,
}

/// The books of gate and venue differ. It stands in the highest bit of a time that no clock reads before the year 2262: an
/// order of such a cell is never due, so the fast path leaves it to the slow one without a question of its own.
const DOUBT: u64 = 1 << 63;

const _: () = assert!(size_of::<Cell>() == 32);

impl Cell {
    pub(crate) const FLAT: Self = Self { position: 0, working: [0; 2], due: UnixNanos(0) };

    /// When the next order is due; of a cell in doubt, never.
    #[inline(always)]
    pub(crate) const fn due_if_reconciled(&self) -> UnixNanos {
        self.due
    }

    /// When the next order is due.
    pub(crate) const fn due(&self) -> UnixNanos {
        UnixNanos(self.due.0 & !DOUBT)
    }

    /// When the next order is due, with [`DOUBT`] in its highest bit.
    pub(crate) const fn due_word(&self) -> u64 {
        self.due.0
    }

    /// Takes back position and due word of a cell like this one. What works is its orders'.
    pub(crate) fn hold(&mut self, position: i64, due_word: u64) {
        self.position = position.clamp(-POSITION_MAX, POSITION_MAX);
        self.due = UnixNanos(due_word);
    }

    /// Whether the books of gate and venue differ.
    pub(crate) const fn in_doubt(&self) -> bool {
        self.due.0 & DOUBT != 0
    }

    /// The books differ until a person has set the position.
    pub(crate) const fn doubt(&mut self) {
        self.due.0 |= DOUBT;
    }

    /// Takes a position that a person vouches for.
    pub(crate) const fn reconcile(&mut self, position: i64) {
        (self.position, self.due) = (position, self.due());
    }

    /// Moves the position by `more`.
    pub(crate) fn move_by(&mut self, more: i64) {
        self.position = self.position.saturating_add(more).clamp(-POSITION_MAX, POSITION_MAX);
    }

    /// Counts one order at `now` into the rate.
    #[inline(always)]
    pub(crate) const fn spend(&mut self, now: UnixNanos, interval_ns: u32) {
        let later = if self.due.0 > now.0 { self.due.0 } else { now.0 };
        self.due.0 = if later < DOUBT - (1 << u32::BITS) {
            later.wrapping_add(interval_ns as u64)
        } else {
            rate::after(self.due(), now, interval_ns).0 & !DOUBT | self.due.0 & DOUBT
        };
    }

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

    /// Between which positions fills of what works can leave it, in any order.
    #[expect(clippy::cast_possible_wrap, reason = "working quantities stay below 2^55")]
    pub(crate) const fn range(&self) -> (i64, i64) {
        let [buys, sells] = self.working;
        (self.position.wrapping_sub(sells as i64), self.position.wrapping_add(buys as i64))
    }

    /// Nothing is held and nothing works.
    pub(crate) const fn is_flat(&self) -> bool {
        let [buys, sells] = self.working;
        self.position == 0 && buys == 0 && sells == 0
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
        self.move_by(signed);
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
    /// Whether the books of gate and venue differ: only reducing orders pass until a person has set the position.
    pub in_doubt: bool,
}

impl From<&Cell> for Exposure {
    fn from(cell: &Cell) -> Self {
        let [working_buy, working_sell] = cell.working;
        Self { position: cell.position, working_buy, working_sell, in_doubt: cell.in_doubt() }
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
    fn a_doubt_survives_orders_and_ends_with_a_position() {
        let mut cell = Cell::FLAT;
        cell.spend(UnixNanos(5), 10);
        cell.doubt();
        assert!(cell.in_doubt() && cell.due() == UnixNanos(15));
        cell.spend(UnixNanos(20), 10);
        assert!(cell.in_doubt() && cell.due() == UnixNanos(30));
        assert!(cell.due_if_reconciled().0 > i64::MAX as u64);
        cell.reconcile(-7);
        assert_eq!((cell.in_doubt(), cell.due_if_reconciled(), cell.position), (false, UnixNanos(30), -7));
    }

    #[test]
    fn an_order_at_the_end_of_all_times_is_no_doubt() {
        for before in [1, 1 << 31, 1 << 32] {
            let mut cell = Cell::FLAT;
            cell.spend(UnixNanos(DOUBT - before), u32::MAX);
            assert!(!cell.in_doubt(), "{before}");
        }
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
