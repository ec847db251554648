//! Sums over the instruments of a level that are kept instead of made anew: what an instrument came to is taken out exactly as it
//! was put in, so that no sum can drift from what it is of.

use types::Side;

use crate::{
    exposure::Cell,
    tally::{ProfitMark, ProfitRules, Tally},
};

/// A sum of signed numbers of 128 bits that never overflows: 192 bits, in two's complement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wide {
    low: u128,
    high: i64,
}

impl Wide {
    #[inline]
    pub(crate) const fn plus(self, n: i128) -> Self {
        let (low, carry) = self.low.overflowing_add(n.cast_unsigned());
        let sign = if n < 0 { -1 } else { 0 };
        Self { low, high: self.high.wrapping_add(sign).wrapping_add(carry as i64) }
    }

    #[inline]
    pub(crate) const fn minus(self, n: i128) -> Self {
        let (low, borrow) = self.low.overflowing_sub(n.cast_unsigned());
        let sign = if n < 0 { -1 } else { 0 };
        Self { low, high: self.high.wrapping_sub(sign).wrapping_sub(borrow as i64) }
    }

    /// As a number of 128 bits; the end of their range that it is beyond.
    #[inline]
    pub(crate) fn clipped(self) -> i128 {
        let low = self.low.cast_signed();
        match (self.high, low < 0) {
            (0, false) | (-1, true) => low,
            (0.., _) => i128::MAX,
            _ => i128::MIN,
        }
    }
}

/// What a unit of an instrument counts as at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Valued {
    /// What it is worth, doubled, in 1e-24 of the firm's currency; none when nobody knows.
    pub unit: Option<u128>,
    pub profit: ProfitMark,
    /// Its margin multiplier, in basis points, where one is asked for; none when nobody knows.
    pub margin_bps: Option<u32>,
}

/// What an order adds to what is held of its instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub side: Side,
    /// By how much it enlarges the position, at most.
    pub qty: u64,
    /// What a unit is worth at the order's own price.
    pub unit: u128,
}

/// What one instrument of a level comes to, in 1e-24 of the firm's currency, doubled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The larger size of the two ends.
    pub gross: i128,
    /// The upper end, and the lower.
    pub ends: [i128; 2],
    /// The day's.
    pub profit: i128,
    /// It is held, or has orders.
    pub held: bool,
    /// It is, and cannot be valued.
    pub unvalued: bool,
    /// Something does not fit: it is beyond every limit.
    pub beyond: bool,
    /// Nobody knows the profit.
    pub unknown: bool,
}

/// Saturates. Products of a usual size need not ask.
#[inline]
fn times(unit: u128, size: u64) -> u128 {
    if unit >> 96 == 0 && size >> 31 == 0 {
        unit.wrapping_mul(size.into())
    } else {
        unit.saturating_mul(size.into())
    }
}

impl Part {
    /// Of what a cell could come to hold, with what was traded today where profit is counted; `own`: with an order in it.
    pub(crate) fn of(
        cell: &Cell,
        traded: Option<(&Tally, &ProfitRules)>,
        valued: &Valued,
        own: Option<Growth>,
    ) -> Self {
        let mut part = Self { held: !cell.is_flat(), ..Self::default() };
        if let Some((tally, rules)) = traded {
            let profit = valued.profit.profit(cell.position, tally, rules);
            (part.profit, part.unknown) = (profit.unwrap_or(0), profit.is_none());
        }
        match valued.unit {
            _ if !part.held => {}
            None => part.unvalued = true,
            Some(unit) => part.beyond = part.weigh(cell, unit, own).is_none(),
        }
        part
    }

    /// None when it does not fit.
    fn weigh(&mut self, cell: &Cell, unit: u128, own: Option<Growth>) -> Option<()> {
        let (low, high) = cell.range();
        let mut sizes = [times(unit, high.unsigned_abs()), times(unit, low.unsigned_abs())];
        if let Some(Growth { side, qty, unit: own_unit }) = own {
            // What grows lies beyond zero on the order's side.
            let [high_size, low_size] = &mut sizes;
            let end = if side == Side::Bid { high_size } else { low_size };
            *end = end.saturating_add(times(own_unit.saturating_sub(unit), qty));
        }
        let [high_size, low_size] = sizes.map(|size| i128::try_from(size).ok());
        let (high_size, low_size) = (high_size?, low_size?);
        self.gross = high_size.max(low_size);
        self.ends =
            [if high < 0 { -high_size } else { high_size }, if low < 0 { -low_size } else { low_size }];
        Some(())
    }
}

/// Over the instruments of a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub gross: Wide,
    pub ends: [Wide; 2],
    pub profit: Wide,
    pub held: u32,
    pub unvalued: u32,
    pub beyond: u32,
    pub unknown: u32,
}

impl Sums {
    pub(crate) const fn plus(self, part: &Part) -> Self {
        let ([upper, lower], [high, low]) = (self.ends, part.ends);
        Self {
            gross: self.gross.plus(part.gross),
            ends: [upper.plus(high), lower.plus(low)],
            profit: self.profit.plus(part.profit),
            held: self.held.wrapping_add(part.held as u32),
            unvalued: self.unvalued.wrapping_add(part.unvalued as u32),
            beyond: self.beyond.wrapping_add(part.beyond as u32),
            unknown: self.unknown.wrapping_add(part.unknown as u32),
        }
    }

    /// The inverse of [`Sums::plus`].
    pub(crate) const fn minus(self, part: &Part) -> Self {
        let ([upper, lower], [high, low]) = (self.ends, part.ends);
        Self {
            gross: self.gross.minus(part.gross),
            ends: [upper.minus(high), lower.minus(low)],
            profit: self.profit.minus(part.profit),
            held: self.held.wrapping_sub(part.held as u32),
            unvalued: self.unvalued.wrapping_sub(part.unvalued as u32),
            beyond: self.beyond.wrapping_sub(part.beyond as u32),
            unknown: self.unknown.wrapping_sub(part.unknown as u32),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn any_number() -> impl Strategy<Value = i128> {
        prop_oneof![any::<i128>(), -9_i128..9, Just(i128::MAX), Just(i128::MIN)]
    }

    #[test]
    fn a_product_that_does_not_fit_is_the_largest_number() {
        for (unit, size) in
            [(1 << 127, 2), (u128::MAX, 3), (1 << 95, 1 << 40), (3, 1 << 63), (1 << 100, 1 << 27)]
        {
            assert_eq!(times(unit, size), unit.saturating_mul(size.into()), "{unit} x {size}");
        }
    }

    proptest! {
        #[test]
        fn products_are_what_they_are_or_the_largest_number(unit: u128, shift in 0_u32..128, size: u64, cut in 0_u32..64) {
            let (unit, size) = (unit >> shift, size >> cut);
            prop_assert_eq!(times(unit, size), unit.saturating_mul(size.into()));
        }

        /// Against the list: whatever is put in and taken out again, in any order.
        #[test]
        fn a_wide_sum_is_that_of_what_is_in_it(ops in proptest::collection::vec((any_number(), any::<bool>()), 1..60)) {
            let (mut wide, mut list): (Wide, Vec<i128>) = (Wide::default(), Vec::new());
            for (n, out) in ops {
                if out && !list.is_empty() {
                    let at = n.unsigned_abs() as usize % list.len();
                    wide = wide.minus(list.swap_remove(at));
                } else {
                    list.push(n);
                    wide = wide.plus(n);
                }
                // In halves, which cannot overflow.
                let low: i128 = list.iter().map(|n| n & i128::from(u64::MAX)).sum();
                let high: i128 = list.iter().map(|n| n >> 64).sum::<i128>() + (low >> 64);
                let wanted = match i64::try_from(high) {
                    Ok(_) => high << 64 | low & i128::from(u64::MAX),
                    Err(_) if high > 0 => i128::MAX,
                    Err(_) => i128::MIN,
                };
                prop_assert_eq!(wide.clipped(), wanted);
            }
            for n in list {
                wide = wide.minus(n);
            }
            prop_assert_eq!(wide, Wide::default());
        }
    }

    fn valued(unit: u128) -> Valued {
        let profit = ProfitMark { factor: None, twice: None, twice_settlement: None };
        Valued { unit: Some(unit), profit, margin_bps: None }
    }

    #[test]
    fn what_grows_counts_at_the_dearer_of_mark_and_price() {
        let mut cell = Cell::FLAT;
        cell.fill(Side::Ask, 30);
        cell.rework(Side::Bid, 0, 50);
        // 20 of the 50 are more than the position that they close.
        for (mark, unit, gross, net) in
            [(10, 13, 10 * 30, 10 * 20 + 3 * 20), (10, 9, 300, 200), (10, 40, 800, 800)]
        {
            let growth = Growth { side: Side::Bid, qty: 20, unit };
            let part = Part::of(&cell, None, &valued(mark), Some(growth));
            assert_eq!((part.gross, part.ends), (gross, [net, -300]), "{unit}");
        }
    }

    #[test]
    fn what_does_not_fit_is_beyond_and_what_is_flat_needs_no_value() {
        let mut cell = Cell::FLAT;
        let nothing = Valued { unit: None, ..valued(0) };
        assert_eq!(Part::of(&cell, None, &nothing, None), Part::default());
        cell.fill(Side::Bid, 3);
        let part = Part::of(&cell, None, &nothing, None);
        assert!(part.held && part.unvalued && !part.beyond && part.gross == 0);
        let part = Part::of(&cell, None, &valued(u128::MAX / 4), None);
        assert!(part.held && part.beyond && !part.unvalued && part.gross == 0 && part.ends == [0; 2]);
        let part = Part::of(&cell, None, &valued(u128::MAX / 8), None);
        assert!(!part.beyond && part.gross == 3 * (u128::MAX / 8) as i128);
        let sums = Sums::default().plus(&Part { beyond: true, ..part }).plus(&Part { unknown: true, ..part });
        assert_eq!((sums.beyond, sums.unknown, sums.unvalued, sums.held), (1, 1, 0, 2));
        assert_eq!(
            sums.minus(&Part { unknown: true, ..part }).minus(&Part { beyond: true, ..part }),
            Sums::default()
        );
    }
}
