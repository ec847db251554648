//! One side of a book near the touch: quantities by tick, and a bitmap that finds the next best level in two `lzcnt`.
//!
//! Prices are mirrored for asks (`key = -price`), so that on both sides a greater key is a better price and one code path
//! serves. Window index 0 is the worst price the ladder holds, 511 the best.

use std::hint::select_unpredictable;

use types::{BookLevel, Px, Side};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::units::{UNIT, odd_inverse};

/// Ticks in the window of a side.
pub(crate) const TICKS: usize = 512;
/// Cells in a cache line.
const LINE_CELLS: usize = 8;
/// Words of the occupancy bitmap.
pub(crate) const WORDS: usize = TICKS / 64;
/// Where the best price stands after the window is moved: a quarter of the window is left for better prices.
pub(crate) const HOME: i64 = 383;
/// Events near the touch but outside the window until the window is moved.
pub(crate) const MISSES_MAX: u8 = 32;
/// Key of a side without far levels.
pub(crate) const NO_KEY: i64 = i64::MIN;
/// Prices beyond this are refused, so that no key arithmetic can wrap (1.15e9 units of currency).
pub(crate) const PX_MAX: i64 = 1 << 60;
/// Largest tick a ladder can have (about a million units of currency).
pub(crate) const TICK_MAX: i64 = 1 << 50;

const QTY_BITS: u32 = 44;
const QTY_MAX: u64 = (1 << QTY_BITS) - 1;

/// What a level holds, in one word: quantity (44 bits, 17 trillion shares) and orders (20 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub(crate) struct Cell(u64);

impl Cell {
    pub(crate) const EMPTY: Self = Self(0);
    /// The top bits of both fields.
    const NEAR_BOUNDS: u64 = 1 << 63 | 1 << (QTY_BITS - 1);

    /// A level of `qty` in `count` orders; both must be in range.
    #[inline]
    pub(crate) const fn of(qty: u64, count: u64) -> Self {
        Self(count << QTY_BITS | qty & QTY_MAX)
    }

    #[inline]
    pub(crate) const fn qty(self) -> u64 {
        self.0 & QTY_MAX
    }

    #[inline]
    pub(crate) const fn count(self) -> u64 {
        self.0 >> QTY_BITS
    }

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// With so much more quantity (less than 2^32) and orders (at most one), or less where they are negative modulo 2^64; `None`
    /// where that is not the whole story: the level would come near its bounds, or holds less than is to go.
    #[inline(always)]
    pub(crate) const fn stepped(self, (qty, orders): (u64, u64)) -> Option<Self> {
        let after = self.0.wrapping_add(orders << QTY_BITS).wrapping_add(qty);
        // With the top bit of both fields clear, nothing overflows, and a field that held too little shows it there.
        if (self.0 | after) & Self::NEAR_BOUNDS != 0 {
            return None;
        }
        // A level without quantity is no level, whatever its count says.
        Some(if after & QTY_MAX == 0 { Self::EMPTY } else { Self(after) })
    }

    /// With one order more; `None` when the level would come near its bounds (8.8 trillion shares, 524,288 orders).
    #[inline(always)]
    pub(crate) const fn with_order(self, qty: u32) -> Option<Self> {
        // With the top bit of both fields clear, neither can overflow into anything.
        if self.0 & Self::NEAR_BOUNDS != 0 {
            return None;
        }
        Some(Self(self.0 + ((1 << QTY_BITS) + qty as u64)))
    }

    /// With `qty` less, and one order less when `whole`. Never negative: what is not there is not taken, and the second value
    /// says that something was missing.
    #[inline(always)]
    pub(crate) const fn without(self, qty: u32, whole: bool) -> (Self, bool) {
        let missing = self.qty() < qty as u64 || self.count() < whole as u64;
        let left = if missing {
            Self::of(self.qty().saturating_sub(qty as u64), self.count().saturating_sub(whole as u64))
        } else {
            Self(self.0 - ((whole as u64) << QTY_BITS) - qty as u64)
        };
        // A level without quantity is no level, whatever its count says.
        if left.qty() == 0 { (Self::EMPTY, missing) } else { (left, missing) }
    }
}

/// Occupancy bitmaps of both sides.
pub(crate) type Bits = [[u64; WORDS]; 2];
/// Windows of both sides.
pub(crate) type Cells = [[Cell; TICKS]; 2];

/// The price, mirrored for asks.
#[inline]
pub(crate) const fn key_of(side: Side, px: i64) -> i64 {
    let mirror = -(side as i64);
    (px ^ mirror).wrapping_sub(mirror)
}

/// The price of a key; [`Px::NONE`] when there is none.
#[inline]
pub(crate) const fn px_of(side: Side, key: i64) -> Px {
    if key == NO_KEY { Px::NONE } else { Px(key_of(side, key)) }
}

/// The best price and quantity of one side, as they were last read: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(crate) struct Quote {
    /// Key of the level, [`Quote::NO_KEY`] when there is none.
    pub(crate) key: i64,
    pub(crate) cell: Cell,
}

impl Quote {
    /// So far below any key that no sum with one comes near 0 or wraps.
    const NO_KEY: i64 = i64::MIN / 2;
    /// No level.
    pub(crate) const NONE: Self = Self { key: Self::NO_KEY, cell: Cell::EMPTY };

    /// Whether price or quantity differ; without a branch, since the next quote is anybody's guess.
    #[inline(always)]
    pub(crate) const fn differs(self, other: Self) -> bool {
        (self.key != other.key) | ((self.cell.0 ^ other.cell.0) & QTY_MAX != 0)
    }

    /// How far the bid is above the offer: keys of bids are prices and those of offers their negatives.
    #[inline(always)]
    pub(crate) const fn overlap(self, other: Self) -> i64 {
        self.key.wrapping_add(other.key)
    }

    /// The quote as readers see it.
    #[inline]
    pub(crate) fn level(self, side: Side) -> BookLevel {
        let px = select_unpredictable(self.key == Self::NO_KEY, Px::NONE, Px(key_of(side, self.key)));
        BookLevel { px, qty: self.cell.qty(), order_count: self.cell.count() as u32 }
    }
}

/// What every event of an instrument touches but its level: four lines side by side.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(256))]
pub(crate) struct Row {
    pub(crate) head: Head,
    pub(crate) bits: Bits,
}

const _: () = assert!(size_of::<Row>() == 256);

impl Row {
    /// The row of an empty book.
    pub(crate) fn new(instrument: usize, owner: u32, step: i64) -> Self {
        Self { head: Head::new(instrument, owner, step), bits: [[0; WORDS]; 2] }
    }

    /// Brings bitmap, best index and the mark of the quote up to a level that went from `before` to `after`.
    #[inline(always)]
    pub(crate) fn settle(&mut self, side: usize, index: usize, before: Cell, after: Cell) {
        let head = &mut self.head;
        head.flags |= u8::from(index as i16 >= head.best[side]) << side;
        let bits = &mut self.bits[side];
        if after.is_empty() {
            head.vacate(bits, side, index);
        } else if before.is_empty() {
            head.occupy(bits, side, index);
        }
    }
}

/// Where both windows stand and where their best levels are: a line that every event of the instrument touches, and one that
/// those at the touch do.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(64))]
pub(crate) struct Head {
    /// What a price in [`UNIT`]s is multiplied with, and what is taken off then; see [`Head::index_of_units`].
    slope: [u64; 2],
    start: [u64; 2],
    /// Inverse of the step's odd part modulo 2^64.
    inverse: u64,
    /// Price step of both windows.
    step: i64,
    /// Window index of the best level, -1 when the window is empty.
    pub(crate) best: [i16; 2],
    /// [`crate::owner::Owner`] of the instrument's orders now.
    pub(crate) owner: u32,
    pub(crate) misses: [u8; 2],
    /// Bit w: word w of the bitmap is not zero.
    summary: [u8; 2],
    /// What a window index is mixed with to give the place of its cell; see [`Head::cell`].
    shuffle: u16,
    /// Power of two in the step.
    shift: u8,
    pub(crate) flags: u8,
    /// Key of window index 0.
    base: [i64; 2],
    /// Key of the best far level, [`NO_KEY`] when there is none.
    pub(crate) far_best: [i64; 2],
    /// Best bid and best offer at the end of the last whole venue event.
    pub(crate) quotes: [Quote; 2],
}

const _: () = assert!(size_of::<Head>() == 128);

/// Lines of a window change places, cells within a line do not. By 16 instruments the pages of their windows differ anyway.
const fn shuffle_of(instrument: usize) -> u16 {
    let line = (instrument + instrument / 16) % (TICKS / LINE_CELLS);
    (line * LINE_CELLS) as u16
}

/// Bits of [`Head::flags`].
pub(crate) mod flag {
    /// The best bid (bit 0) or best offer (bit 1) may have changed since it was last read.
    pub(crate) const BBO: u8 = 0b11;
    /// Best bid above best offer when last read.
    pub(crate) const CROSSED: u8 = 1 << 4;
    /// Best bid equal to best offer when last read.
    pub(crate) const LOCKED: u8 = 1 << 3;
    /// The book is not live: stale, recovering or empty. The same bit of an event doubts it.
    pub(crate) const NOT_LIVE: u8 = types::EventFlags::MAYBE_BAD_BOOK.0;
}

impl Head {
    /// An empty book whose windows stand nowhere.
    pub(crate) fn new(instrument: usize, owner: u32, step: i64) -> Self {
        let mut head = Self {
            slope: [0; 2],
            start: [0; 2],
            inverse: 1,
            step: 1,
            best: [-1; 2],
            owner,
            misses: [0; 2],
            summary: [0; 2],
            shuffle: shuffle_of(instrument),
            shift: 0,
            flags: flag::NOT_LIVE,
            base: [NO_KEY / 2; 2],
            far_best: [NO_KEY; 2],
            quotes: [Quote::NONE; 2],
        };
        head.set_step(step);
        head
    }

    /// The step of both windows.
    pub(crate) fn step(&self) -> i64 {
        self.step
    }

    fn set_step(&mut self, step: i64) {
        let shift = step.trailing_zeros();
        self.step = step;
        self.shift = shift as u8;
        self.inverse = odd_inverse((step >> shift).cast_unsigned());
        // Keys of offers are their prices with the other sign.
        let slope = UNIT.cast_unsigned().wrapping_mul(self.inverse);
        self.slope = [slope, slope.wrapping_neg()];
        self.start = self.base.map(|base| base.cast_unsigned().wrapping_mul(self.inverse));
    }

    /// Window index of a key; anything from [`TICKS`] on means that the window does not hold it, because it is too far or off
    /// the grid. One multiplication and one rotation decide both: only an exact multiple of the step has so small a quotient
    /// modulo 2^64.
    #[inline(always)]
    pub(crate) fn index(&self, side: usize, key: i64) -> usize {
        self.index_at(side, key.cast_unsigned().wrapping_mul(self.inverse))
    }

    /// The same of a price in [`UNIT`]s.
    #[inline(always)]
    pub(crate) fn index_of_units(&self, side: usize, units: u64) -> usize {
        self.index_at(side, units.wrapping_mul(self.slope[side]))
    }

    #[inline(always)]
    fn index_at(&self, side: usize, product: u64) -> usize {
        product.wrapping_sub(self.start[side]).rotate_right(u32::from(self.shift)) as usize
    }

    /// Where the cell of a window index lies. Windows are 4 KiB apart and their best levels stand near the same index, so that
    /// without a shuffle by instrument the busiest lines of all books would share one set of the first cache and 32 of the second.
    #[inline(always)]
    pub(crate) const fn cell(&self, index: usize) -> usize {
        (index ^ self.shuffle as usize) % TICKS
    }

    /// Key of a window index.
    #[inline]
    pub(crate) fn key(&self, side: usize, index: i16) -> i64 {
        self.base[side].wrapping_add(i64::from(index).wrapping_mul(self.step))
    }

    /// Key of the best level, [`NO_KEY`] when the side is empty.
    #[inline]
    pub(crate) fn best_key(&self, side: usize) -> i64 {
        let near = if self.best[side] < 0 { NO_KEY } else { self.key(side, self.best[side]) };
        near.max(self.far_best[side])
    }

    /// Whether the side has no level at all.
    #[inline]
    pub(crate) fn is_empty(&self, side: usize) -> bool {
        self.best[side] < 0 && self.far_best[side] == NO_KEY
    }

    /// Where index 0 stands when the window is moved to `best` with this step.
    pub(crate) fn home_base(best: i64, step: i64) -> i64 {
        best - best.rem_euclid(step) - HOME * step
    }

    /// Moves an empty window.
    pub(crate) fn place(&mut self, side: usize, base: i64, step: i64) {
        debug_assert_eq!(self.summary[side], 0);
        self.base[side] = base;
        self.set_step(step);
        self.misses[side] = 0;
    }

    /// Notes that the best price or quantity of a side may have changed.
    #[inline(always)]
    pub(crate) fn mark_quote(&mut self, side: usize) {
        self.flags |= 1 << side;
    }

    /// Marks an index as occupied.
    #[inline(always)]
    pub(crate) fn occupy(&mut self, bits: &mut [u64; WORDS], side: usize, index: usize) {
        let word = index / 64 % WORDS;
        bits[word] |= 1 << (index % 64);
        self.summary[side] |= 1 << word;
        self.best[side] = self.best[side].max(index as i16);
    }

    /// Marks an index as empty and finds the best one that is left.
    #[inline(always)]
    pub(crate) fn vacate(&mut self, bits: &mut [u64; WORDS], side: usize, index: usize) {
        let word = index / 64 % WORDS;
        bits[word] &= !(1 << (index % 64));
        if bits[word] == 0 {
            self.summary[side] &= !(1 << word);
        }
        if self.best[side] == index as i16 {
            self.best[side] = highest(self.summary[side], bits);
        }
    }

    /// Empties the bitmap; the caller has emptied the cells.
    pub(crate) fn wipe(&mut self, bits: &mut [u64; WORDS], side: usize) {
        *bits = [0; WORDS];
        self.summary[side] = 0;
        self.best[side] = -1;
    }
}

#[inline(always)]
fn highest(summary: u8, bits: &[u64; WORDS]) -> i16 {
    if summary == 0 {
        return -1;
    }
    let word = summary.ilog2() as usize % WORDS;
    // A set summary bit means a word that is not zero.
    (word * 64) as i16 + bits[word].checked_ilog2().unwrap_or(0) as i16
}

/// The occupied indices of a bitmap, best first.
#[derive(Clone, Debug)]
pub(crate) struct Occupied<'a> {
    bits: &'a [u64; WORDS],
    word: usize,
    rest: u64,
}

impl<'a> Occupied<'a> {
    pub(crate) fn new(bits: &'a [u64; WORDS]) -> Self {
        Self { bits, word: WORDS - 1, rest: bits[WORDS - 1] }
    }
}

impl Iterator for Occupied<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.rest == 0 {
            self.word = self.word.checked_sub(1)?;
            self.rest = self.bits[self.word];
        }
        let bit = self.rest.ilog2() as usize;
        self.rest &= !(1 << bit);
        Some(self.word * 64 + bit)
    }
}

/// A level as readers see it.
#[inline]
pub(crate) fn book_level(side: Side, key: i64, cell: Cell) -> BookLevel {
    BookLevel { px: px_of(side, key), qty: cell.qty(), order_count: cell.count() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_that_stands_nowhere_holds_nothing() {
        let head = Head::new(0, 0, 10_000_000);
        for key in [0, 1, PX_MAX, -PX_MAX, 392_110_000_000] {
            assert!(head.index(0, key) >= TICKS && head.index(1, key) >= TICKS);
        }
    }

    #[test]
    fn a_level_never_goes_below_nothing() {
        let cell = Cell::EMPTY.with_order(100).unwrap().with_order(50).unwrap();
        assert_eq!((cell.qty(), cell.count()), (150, 2));
        assert_eq!(cell.without(30, false), (Cell::of(120, 2), false));
        assert_eq!(cell.without(50, true), (Cell::of(100, 1), false));
        assert_eq!(cell.without(151, true), (Cell::EMPTY, true));
        assert_eq!(Cell::of(10, 0).without(5, true), (Cell::of(5, 0), true));
        assert_eq!(Cell::of(1 << 43, 1).with_order(1), None);
        assert_eq!(Cell::of(1, 1 << 19).with_order(1), None);
        let most = Cell::of((1 << 43) - 1, (1 << 19) - 1).with_order(u32::MAX).unwrap();
        assert_eq!((most.qty(), most.count()), ((1 << 43) - 1 + u64::from(u32::MAX), 1 << 19));
    }

    proptest! {
        #[test]
        fn the_index_is_the_exact_quotient_or_out_of_the_window(
            step in 1_i64..2_000_000_000,
            base in -1_000_000_000_000_i64..1_000_000_000_000,
            offset in prop_oneof![-5_000_i64..5_000, -2_000_000_000_000_i64..2_000_000_000_000],
            on_grid: bool,
        ) {
            let mut head = Head::new(0, 0, step);
            head.place(0, base, step);
            let offset = if on_grid { (offset % 2_000) * step } else { offset };
            let wanted = (offset >= 0 && offset % step == 0 && offset / step < TICKS as i64).then(|| offset / step);
            let index = head.index(0, base + offset);
            prop_assert_eq!((index < TICKS).then_some(index as i64), wanted);
        }

        #[test]
        fn the_best_index_is_the_highest_set(ops in prop::collection::vec((0_usize..TICKS, any::<bool>()), 1..300)) {
            let mut head = Head::new(0, 0, 1);
            let mut bits = [0; WORDS];
            let mut oracle = std::collections::BTreeSet::new();
            for (index, add) in ops {
                if add {
                    head.occupy(&mut bits, 1, index);
                    oracle.insert(index);
                } else if oracle.remove(&index) {
                    head.vacate(&mut bits, 1, index);
                }
                prop_assert_eq!(head.best[1], oracle.last().map_or(-1, |i| *i as i16));
                prop_assert!(Occupied::new(&bits).eq(oracle.iter().rev().copied()));
            }
        }
    }
}
