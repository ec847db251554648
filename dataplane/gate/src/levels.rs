//! What a strategy, and an account, could hold over all instruments, in money: gross, net, and in one instrument.
//!
//! **Worst case.** With position `p`, working buys `b` and working sells `s`, fills in any order leave an instrument's position
//! between `p − s` and `p + b`. Gross counts the larger size of the two ends, net the upper ends against a limit on what is bought
//! and the lower ends against one on what is sold. No subset of the fills, in any order, leads past what was counted, at the same marks.
//!
//! **What closes.** An order that can only reduce what the level itself holds of the instrument adds to neither gross nor the part of
//! the instrument, and passes both. To the net it may add, since closing one of two legs leaves the other: the net is held to its
//! limit by itself, and an order on the side that the net does not lie on passes it.
//!
//! **Marks.** Everything is valued at the reference price of this moment, whatever its age; where there is none, at the settlement
//! price; an instrument that may trade below zero at no less than it is worth at least. The reference of a book that is not live
//! counts only beside a settlement price, the larger of the two. What an order adds to its instrument counts at its own price where that
//! is dearer. What cannot be valued is not small: growth is refused. So it is where more instruments are held than a level may be
//! summed over.
//!
//! Sums are made of the instruments that are held or have orders, which each level lists, in units of 1e-24 of the firm's currency,
//! doubled, so that the mid of an odd sum and every rate stay exact.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Side};

use crate::exposure::Cell;

/// A millionth of the firm's currency in the units of the sums.
const UNITS_PER_MICRO: u128 = 2 * 1_000_000_000_000_000_000;

/// A limit is near when less than an eighth of it is left.
const NEAR_SHIFT: u32 = 3;

/// What a strategy or an account may hold over all instruments, in millionths of the firm's currency; the largest number is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExposureLimits {
    /// Of all positions, bought or sold, with every working order filled that enlarges them.
    pub gross_micros: u64,
    /// Of positions bought less those sold, either way, likewise.
    pub net_micros: u64,
    /// Of the position in any one instrument, likewise.
    pub instrument_micros: u64,
}

impl ExposureLimits {
    /// No limit.
    pub const NONE: Self = Self { gross_micros: u64::MAX, net_micros: u64::MAX, instrument_micros: u64::MAX };
}

/// The instruments of one level that are held or have orders.
#[derive(Debug)]
pub(crate) struct Busy {
    /// The first `len` are.
    list: Box<[u32]>,
    len: usize,
    /// Where in the list each instrument stands, plus one; 0 for not at all.
    place: Box<[u32]>,
}

impl Busy {
    fn new(instruments: usize) -> Self {
        Self { list: vec![0; instruments].into(), len: 0, place: vec![0; instruments].into() }
    }

    /// How many there are if `instrument` is one.
    pub(crate) fn count_with(&self, instrument: u32) -> usize {
        let listed = self.place.get(instrument as usize).is_some_and(|place| *place != 0);
        self.len.saturating_add(usize::from(!listed))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.list.iter().take(self.len).copied()
    }

    #[expect(clippy::cast_possible_truncation, reason = "as many instruments as fit 32 bits")]
    pub(crate) fn set(&mut self, instrument: u32, busy: bool) {
        let Some(place) = self.place.get_mut(instrument as usize) else { return };
        match (busy, *place) {
            (true, 0) => {
                if let Some(free) = self.list.get_mut(self.len) {
                    *free = instrument;
                    self.len = self.len.wrapping_add(1);
                    *place = self.len as u32;
                }
            }
            (false, at) if at != 0 => {
                *place = 0;
                self.len = self.len.saturating_sub(1);
                let Some(&last) = self.list.get(self.len) else { return };
                if last != instrument
                    && let (Some(hole), Some(moved)) =
                        (self.list.get_mut(at as usize - 1), self.place.get_mut(last as usize))
                {
                    (*hole, *moved) = (last, at);
                }
            }
            _ => {}
        }
    }
}

/// One strategy or account that has limits.
#[derive(Debug)]
pub(crate) struct Level {
    pub limits: ExposureLimits,
    pub busy: Busy,
}

/// The strategies and accounts that have limits.
#[derive(Debug)]
pub(crate) struct Levels {
    /// There is one.
    pub on: bool,
    pub strategies: Box<[Option<Level>]>,
    pub accounts: Box<[Option<Level>]>,
    /// Most instruments that one is summed over.
    pub summed_max: usize,
}

impl Levels {
    /// Nothing is held. Limits are by number; those of numbers beyond the list are none.
    pub(crate) fn new(
        strategies: &[ExposureLimits],
        accounts: &[ExposureLimits],
        instruments: usize,
        summed_max: u32,
    ) -> Self {
        let level = |limits: &ExposureLimits| {
            let limited = *limits != ExposureLimits::NONE;
            limited.then(|| Level { limits: *limits, busy: Busy::new(instruments) })
        };
        let levels = |limits: &[ExposureLimits]| limits.iter().map(level).collect::<Box<[_]>>();
        let (strategies, accounts) = (levels(strategies), levels(accounts));
        let on = strategies.iter().chain(&accounts).any(Option::is_some);
        Self { on, strategies, accounts, summed_max: summed_max as usize }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let level = |level: &Option<Level>| {
            let lists =
                level.as_ref().map_or(0, |l| size_of_val(&*l.busy.list) + size_of_val(&*l.busy.place));
            size_of::<Option<Level>>() + lists
        };
        self.strategies.iter().chain(&self.accounts).map(level).sum()
    }
}

/// What the order's strategy, or its account, would come to with the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub limits: ExposureLimits,
    gross: u128,
    /// On the order's side; 0 where the net is on the other.
    net: u128,
    instrument: u128,
    /// An instrument that cannot be valued.
    unvalued: Option<InstrumentId>,
    /// The order can only reduce what the level holds of its instrument.
    reduces: bool,
}

impl Weight {
    /// Of nothing.
    pub(crate) const NONE: Self = Self {
        limits: ExposureLimits::NONE,
        gross: 0,
        net: 0,
        instrument: 0,
        unvalued: None,
        reduces: false,
    };

    /// Of a level that is not summed up, for the sake of `instrument`.
    pub(crate) const fn unknown(limits: ExposureLimits, instrument: InstrumentId, reduces: bool) -> Self {
        Self { limits, unvalued: Some(instrument), reduces, ..Self::NONE }
    }

    /// An instrument that cannot be valued, for an order that enlarges what the level holds.
    pub(crate) fn unvalued(&self) -> Option<InstrumentId> {
        self.unvalued.filter(|_| !self.reduces)
    }

    /// What an order that only reduces is held to: the net alone.
    fn held_to(&self, [gross, net, instrument]: [bool; 3]) -> [bool; 3] {
        [gross && !self.reduces, net, instrument && !self.reduces]
    }

    fn parts(&self) -> [(u128, u64); 3] {
        let Self { limits, gross, net, instrument, .. } = self;
        let ExposureLimits { gross_micros, net_micros, instrument_micros } = *limits;
        [(*gross, gross_micros), (*net, net_micros), (*instrument, instrument_micros)]
    }

    /// Whether gross, net, and the instrument's part are more than they may be, and the order is held to them.
    pub(crate) fn exceeded(&self) -> [bool; 3] {
        let more = |(sum, most): (u128, u64)| most != u64::MAX && sum > u128::from(most) * UNITS_PER_MICRO;
        self.held_to(self.parts().map(more))
    }

    /// What gross, net, and the instrument's part are, in millionths rounded up, so that what is named is never within the limit.
    pub(crate) fn micros(&self) -> [u128; 3] {
        self.parts().map(|(sum, _)| sum.div_ceil(UNITS_PER_MICRO))
    }

    /// Whether one of them that the order is held to is near to what it may be.
    pub(crate) fn is_near(&self) -> bool {
        let near = |(sum, most): (u128, u64)| {
            let most = u128::from(most);
            most != u128::from(u64::MAX) && sum > (most - (most >> NEAR_SHIFT)) * UNITS_PER_MICRO
        };
        self.held_to(self.parts().map(near)).contains(&true)
    }
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

/// What an order adds to what is held of its instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub side: Side,
    /// By how much it enlarges the position, at most.
    pub qty: u64,
    /// What a unit is worth at the order's own price.
    pub unit: u128,
}

/// Sums over the instruments of a level, as it is summed up.
pub(crate) struct Sum {
    gross: u128,
    /// Upper and lower ends.
    ends: [i128; 2],
    instrument: u128,
    unvalued: Option<InstrumentId>,
    /// Something did not fit: it is beyond every limit, on both sides, whatever else is added.
    beyond: bool,
}

impl Sum {
    /// Of nothing.
    pub(crate) const NONE: Self =
        Self { gross: 0, ends: [0; 2], instrument: 0, unvalued: None, beyond: false };

    /// Adds what a cell could come to hold of an instrument of which a unit is worth `unit`; `own`: of the order's instrument. No unit
    /// is an instrument that cannot be valued.
    pub(crate) fn add(
        &mut self,
        instrument: InstrumentId,
        cell: &Cell,
        unit: Option<u128>,
        own: Option<Growth>,
    ) {
        let Some(unit) = unit else {
            self.unvalued = self.unvalued.or(Some(instrument));
            return;
        };
        let (low, high) = cell.range();
        let value = |position: i64| times(unit, position.unsigned_abs());
        let (mut low_value, mut high_value) = (value(low), value(high));
        if let Some(Growth { side, qty, unit: own_unit }) = own {
            let dearer = times(own_unit.saturating_sub(unit), qty);
            // What grows lies beyond zero on the order's side.
            let end = if side == Side::Bid { &mut high_value } else { &mut low_value };
            *end = end.saturating_add(dearer);
        }
        let larger = low_value.max(high_value);
        if own.is_some() {
            self.instrument = larger;
        }
        let counted = self.count(larger, [(high, high_value), (low, low_value)]);
        self.beyond |= counted.is_none();
    }

    /// None when it does not fit.
    fn count(&mut self, larger: u128, ends: [(i64, u128); 2]) -> Option<()> {
        self.gross = self.gross.checked_add(larger)?;
        for (end, (position, value)) in self.ends.iter_mut().zip(ends) {
            let value = i128::try_from(value).ok()?;
            *end = end.checked_add(if position < 0 { -value } else { value })?;
        }
        Some(())
    }

    /// What it comes to, of a level with `limits` and an order of `side` that `reduces` what the level holds of its instrument, or not.
    pub(crate) fn weight(&self, limits: ExposureLimits, side: Side, reduces: bool) -> Weight {
        let &Self { gross, ends: [high, low], instrument, unvalued, beyond } = self;
        let net = if side == Side::Bid { high } else { low.saturating_neg() };
        let (gross, net) = if beyond { (u128::MAX, u128::MAX) } else { (gross, net.max(0).unsigned_abs()) };
        Weight { limits, gross, net, instrument, unvalued, reduces }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn busy_instruments_are_those_of_a_set(ops in proptest::collection::vec((0_u32..8, any::<bool>()), 0..200)) {
            let (mut busy, mut set) = (Busy::new(8), BTreeSet::new());
            for (instrument, is_busy) in ops {
                busy.set(instrument, is_busy);
                if is_busy { set.insert(instrument) } else { set.remove(&instrument) };
                prop_assert_eq!(busy.iter().collect::<BTreeSet<_>>(), set.clone());
                prop_assert_eq!(busy.len, set.len());
            }
        }
    }

    proptest! {
        #[test]
        fn products_are_what_they_are_or_the_largest_number(unit: u128, shift in 0_u32..128, size: u64, cut in 0_u32..64) {
            let (unit, size) = (unit >> shift, size >> cut);
            prop_assert_eq!(times(unit, size), unit.saturating_mul(size.into()));
        }
    }

    /// Nothing that is added afterwards brings it back.
    #[test]
    fn what_does_not_fit_is_beyond_every_limit_on_both_sides() {
        let limits = ExposureLimits { gross_micros: 1 << 63, net_micros: 1 << 63, ..ExposureLimits::NONE };
        let cell = |side, qty| {
            let mut cell = Cell::FLAT;
            cell.fill(side, qty);
            cell
        };
        let large = u128::MAX / 4;
        for (first, second) in [
            // One value that does not fit, and one that does and would make up for it.
            ((cell(Side::Ask, 5), u128::MAX / 2), (cell(Side::Bid, 1), large)),
            // Two that fit and whose sum does not.
            ((cell(Side::Bid, 1), large), (cell(Side::Bid, 2), large)),
            ((cell(Side::Ask, 1), large), (cell(Side::Ask, 2), large)),
        ] {
            let mut sum = Sum::NONE;
            for (number, (cell, unit)) in
                (0..).zip([first, second, (cell(Side::Ask, 1), large), (cell(Side::Bid, 1), large)])
            {
                sum.add(InstrumentId(number), &cell, Some(unit), None);
            }
            for side in [Side::Bid, Side::Ask] {
                assert_eq!(sum.weight(limits, side, false).exceeded(), [true, true, false]);
            }
        }
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
            let mut sum = Sum::NONE;
            sum.add(InstrumentId(0), &cell, Some(mark), Some(Growth { side: Side::Bid, qty: 20, unit }));
            let weight = sum.weight(ExposureLimits::NONE, Side::Bid, false);
            assert_eq!((weight.gross, weight.net, weight.instrument), (gross, net, gross), "{unit}");
        }
    }
}
