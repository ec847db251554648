//! The published levels of a book, and what an order would trade at that takes them.
//!
//! ```text
//! words 0-9    prices of the bids, best first, 0 after the last      10-19  of the offers
//!      20-24   their quantities, two in a word, saturated            25-29  of the offers
//! ```
//!
//! A row stands beside the quote of [`crate::reference`] and is read for market orders that want more than the touch shows.
//! Its first level must be the quote's touch; where it is another (the two are published one after the other) the touch is
//! all that is known.

use types::{DEPTH_LEVELS, Depth};

use crate::price::price_word;

/// Words of a row.
pub(crate) const DEPTH_WORDS: usize = 3 * DEPTH_LEVELS;
/// Where the quantities begin.
const QTYS: usize = 2 * DEPTH_LEVELS;

/// A row as the gate reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DepthRow([u64; DEPTH_WORDS]);

/// What a quantity would trade at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// The worst price it reaches, 0 when there is no level.
    pub worst: u64,
    /// Price times quantity over the levels it takes, in 1e-9; what they do not cover is counted at the worst price.
    pub cost: u128,
    /// How much the levels that are known hold, to the last one it needs.
    pub covered: u64,
}

impl DepthRow {
    pub(crate) const fn new(words: [u64; DEPTH_WORDS]) -> Self {
        Self(words)
    }

    /// `signed`: of an instrument that may trade at zero or below.
    pub(crate) fn pack(depth: &Depth, signed: bool) -> [u64; DEPTH_WORDS] {
        let mut words = [0; DEPTH_WORDS];
        let (prices, pairs) = words.split_at_mut(QTYS);
        for (word, px) in prices.iter_mut().zip(depth.bids.px.iter().chain(&depth.asks.px)) {
            *word = price_word(*px, signed);
        }
        let qtys = depth.bids.qty.as_chunks().0.iter().chain(depth.asks.qty.as_chunks().0);
        for (word, [first, second]) in pairs.iter_mut().zip(qtys) {
            *word = u64::from(*first) | u64::from(*second) << u32::BITS;
        }
        words
    }

    /// Price and quantity of the levels that an order meets, best first, to the first that is none.
    fn met(&self, buys: bool) -> impl Iterator<Item = (u64, u32)> {
        let first = if buys { DEPTH_LEVELS } else { 0 };
        (first..first + DEPTH_LEVELS).map_while(|n| {
            let px = self.0.get(n).copied().filter(|px| *px != 0)?;
            let pair = self.0.get(QTYS + n / 2)?;
            Some((px, (pair >> (u32::BITS * (n as u32 & 1))) as u32))
        })
    }

    /// What an order of `qty` would trade at that meets a touch of `far_qty` at `far`.
    pub(crate) fn walk(&self, buys: bool, qty: u32, far: u64, far_qty: u32) -> Walk {
        let mut levels = self.met(buys);
        // The touch is the quote's word in any case.
        let known = levels.next() == Some((far, far_qty));
        let mut walk = Walk::touch(qty, far, far_qty);
        let mut left = qty.saturating_sub(far_qty);
        if !known {
            return walk;
        }
        for (px, here) in levels {
            if left == 0 {
                break;
            }
            let worse = if buys { px > walk.worst } else { px < walk.worst };
            if !worse {
                break;
            }
            // What was counted at the last worst price costs this one.
            walk.cost = if buys {
                walk.cost.saturating_add(u128::from(left) * u128::from(px - walk.worst))
            } else {
                walk.cost.saturating_sub(u128::from(left) * u128::from(walk.worst - px))
            };
            (walk.worst, walk.covered) = (px, walk.covered + u64::from(here));
            left = left.saturating_sub(here);
        }
        walk
    }
}

impl Walk {
    /// Of an order that takes nothing at once.
    pub(crate) const NONE: Self = Self { worst: 0, cost: 0, covered: 0 };

    /// What `qty` would trade at when the touch is all that is known.
    pub(crate) fn touch(qty: u32, far: u64, far_qty: u32) -> Self {
        let covered = if far == 0 { 0 } else { far_qty.into() };
        Self { worst: far, cost: u128::from(far) * u128::from(qty), covered }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;
    use types::{BookLevel, DepthSide, Px};

    fn depth(levels: &[(i64, u64)], asks: bool) -> Depth {
        let level = |(px, qty): &(i64, u64)| BookLevel { px: Px(*px), qty: *qty, order_count: 1 };
        let side = DepthSide::of(levels.iter().map(level));
        if asks { Depth { asks: side, ..Depth::EMPTY } } else { Depth { bids: side, ..Depth::EMPTY } }
    }

    fn row(levels: &[(i64, u64)], asks: bool) -> DepthRow {
        DepthRow::new(DepthRow::pack(&depth(levels, asks), false))
    }

    #[test]
    fn a_walk_takes_level_after_level() {
        let asks = row(&[(100, 10), (101, 20), (150, 5)], true);
        for (qty, worst, cost, covered) in [
            (1, 100, 100, 10),
            (10, 100, 1_000, 10),
            (11, 101, 1_101, 30),
            (30, 101, 3_020, 30),
            (31, 150, 3_170, 35),
            (35, 150, 3_770, 35),
            (36, 150, 3_920, 35),
        ] {
            assert_eq!(asks.walk(true, qty, 100, 10), Walk { worst, cost, covered }, "{qty}");
        }
        let bids = row(&[(100, 10), (99, 20)], false);
        assert_eq!(bids.walk(false, 30, 100, 10), Walk { worst: 99, cost: 2_980, covered: 30 });
        assert_eq!(bids.walk(true, 30, 100, 10), Walk { worst: 100, cost: 3_000, covered: 10 }, "no offers");
    }

    #[test]
    fn levels_that_do_not_begin_with_the_touch_are_not_believed() {
        let asks = row(&[(100, 10), (101, 20)], true);
        for (far, far_qty) in [(100, 9), (99, 10), (101, 20)] {
            let touch = Walk { worst: far, cost: u128::from(far) * 25, covered: far_qty.into() };
            assert_eq!(asks.walk(true, 25, far, far_qty), touch);
        }
        assert_eq!(asks.walk(true, 25, 0, 10), Walk { worst: 0, cost: 0, covered: 0 });
        // Nor is a level that is no worse than the one before it.
        let odd = row(&[(100, 10), (100, 20), (101, 5)], true);
        assert_eq!(odd.walk(true, 25, 100, 10).covered, 10);
        let odd = row(&[(100, 10), (100, 20), (99, 5)], false);
        assert_eq!(odd.walk(false, 25, 100, 10).covered, 10);
    }

    proptest! {
        /// Against buying, or selling, share by share.
        #[test]
        fn a_walk_is_what_share_by_share_gives(
            steps in proptest::collection::vec((1_i64..50, 1_u64..40), 1..14), qty in 1_u32..600, buys: bool,
        ) {
            let mut px = 1_000;
            let levels: Vec<_> = steps
                .iter()
                .map(|(step, qty)| {
                    px += if buys { *step } else { -*step };
                    (px, *qty)
                })
                .collect();
            let shown = &levels[..levels.len().min(DEPTH_LEVELS)];
            let shares = shown.iter().flat_map(|(px, qty)| std::iter::repeat_n(*px, usize::try_from(*qty).unwrap()));
            let taken: Vec<_> = shares.take(qty as usize).collect();
            let (far, far_qty) = (shown[0].0.cast_unsigned(), u32::try_from(shown[0].1).unwrap());
            let walk = row(shown, buys).walk(buys, qty, far, far_qty);
            let worst = *taken.last().unwrap();
            let uncovered = i64::from(qty) - taken.len() as i64;
            let cost = taken.iter().sum::<i64>() + uncovered * worst;
            prop_assert_eq!((walk.worst, walk.cost), (worst.cast_unsigned(), u128::from(cost.cast_unsigned())));
            prop_assert_eq!(walk.covered >= u64::from(qty), uncovered == 0);
        }
    }
}
