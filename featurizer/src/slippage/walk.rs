//! What an order pays beyond the best price when it takes what the book shows:
//! the least it can pay when it does not wait.
//!
//! Everything is an integer until the last division: sizes are counted in halves of a share, since the smallest is half of
//! a quantity that may be odd.

use types::{BookLevel, Px, Side, WALK_COUNT};

use crate::features::formula::is_open;
use crate::view::Book;

/// The order sizes that are priced, smallest first, in halves of the touch: the sum of the best bid's and the best offer's
/// quantity, whose logarithm is the feature `top_depth`.
pub const SLIPPAGE_SIZES_HALVES: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Sizes priced per side.
pub const SLIPPAGE_SIZE_COUNT: usize = SLIPPAGE_SIZES_HALVES.len();

/// Costs in bps of a buyer, then of a seller, smallest size first; none where the book does not hold the size. Below zero
/// when the fill is better than the price at the decision.
pub type SlippageBps = [[Option<f64>; SLIPPAGE_SIZE_COUNT]; 2];

const _: () = assert!(WALK_COUNT == 2 * SLIPPAGE_SIZE_COUNT);

/// No cost is known.
pub const UNKNOWN_SLIPPAGE: SlippageBps = [[None; SLIPPAGE_SIZE_COUNT]; 2];

/// What an order is decided on: the best prices, and the quantity that sizes are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Best bid.
    pub bid: Px,
    /// Best offer, above the bid; their sum is positive.
    pub ask: Px,
    /// Quantity at the best bid and the best offer together, not zero.
    pub touch_qty: u64,
}

impl Decision {
    /// The decision that `book` allows: none unless it can be believed, is open and has a positive mid.
    #[must_use]
    pub fn on(book: &Book<'_>) -> Option<Self> {
        let bbo = book.bbo();
        let touch_qty = bbo.bid.qty + bbo.ask.qty;
        let sound =
            book.state().is_live() && is_open(bbo) && bbo.bid.px.0 + bbo.ask.px.0 > 0 && touch_qty > 0;
        sound.then_some(Self { bid: bbo.bid.px, ask: bbo.ask.px, touch_qty })
    }

    /// What each size costs against the best prices of the decision when it is filled from `book`; nothing when the book
    /// cannot be believed.
    #[must_use]
    pub fn costs(&self, book: &Book<'_>) -> SlippageBps {
        if !book.state().is_live() {
            return UNKNOWN_SLIPPAGE;
        }
        [Side::Ask, Side::Bid].map(|resting| self.walk(resting, book.levels(resting, usize::MAX)))
    }

    /// What each size costs when it takes `levels` of the side `resting`, best first: `1e4 (average - best) / mid` for a
    /// buyer, `1e4 (best - average) / mid` for a seller, best and mid being those of the decision.
    #[must_use]
    pub fn walk(
        &self,
        resting: Side,
        levels: impl Iterator<Item = BookLevel>,
    ) -> [Option<f64>; SLIPPAGE_SIZE_COUNT] {
        let mut costs = [None; SLIPPAGE_SIZE_COUNT];
        let mut sizes = SLIPPAGE_SIZES_HALVES.map(|halves| u128::from(halves) * u128::from(self.touch_qty));
        let mut left = costs.iter_mut().zip(sizes.iter_mut()).peekable();
        // Half shares taken so far, and what they cost beyond the best price, in 1e-9 each.
        let (mut taken, mut paid) = (0_u128, 0_i128);
        for level in levels {
            let worse = i128::from(match resting {
                Side::Ask => level.px.0 - self.ask.0,
                Side::Bid => self.bid.0 - level.px.0,
            });
            let here = 2 * u128::from(level.qty);
            while let Some((cost, size)) = left.next_if(|(_, size)| **size <= taken + here) {
                let total = paid + worse * (*size - taken).cast_signed();
                *cost = Some(self.bps(total, *size));
            }
            if left.peek().is_none() {
                break;
            }
            (taken, paid) = (taken + here, paid + worse * here.cast_signed());
        }
        costs
    }

    /// `total` over `size` half shares, in bps of the mid.
    #[expect(clippy::cast_precision_loss, reason = "statistics; the sums are exact")]
    fn bps(&self, total: i128, size: u128) -> f64 {
        2e4 * total as f64 / size as f64 / (self.bid.0 + self.ask.0) as f64
    }
}

/// What each size costs when it is filled at once from `book`: the costs of [`Decision::on`], infinite where none is known.
pub(crate) fn walk_bps(book: &Book<'_>) -> [f32; WALK_COUNT] {
    let mut walk = [f32::INFINITY; WALK_COUNT];
    if let Some(decision) = Decision::on(book) {
        for (bps, cost) in walk.iter_mut().zip(decision.costs(book).as_flattened()) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "what the network is trained on; keeps the order"
            )]
            let rounded = cost.map_or(f32::INFINITY, |cost| cost as f32);
            *bps = rounded;
        }
    }
    walk
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(px: i64, qty: u64) -> BookLevel {
        BookLevel { px: Px(px), qty, order_count: 1 }
    }

    const CENT: i64 = 10_000_000;

    /// Bid 99.99 x 300, offer 100.01 x 100: a touch of 400 and a mid of 100.
    const DECISION: Decision = Decision { bid: Px(9_999 * CENT), ask: Px(10_001 * CENT), touch_qty: 400 };

    #[test]
    fn a_buyer_walks_up_the_offers() {
        // 200: 100 at 100.01, 100 at 100.02: half a cent on average, 0.5 bps of 100.
        // 400: 100 at +0, 200 at +1, 100 at +4 cents: 600 / 400 cents = 1.5 bps. 800: 600 + 400 * 4 = 2200 / 800.
        let asks = [(10_001, 100), (10_002, 200), (10_005, 600)].map(|(px, qty)| level(px * CENT, qty));
        let costs = DECISION.walk(Side::Ask, asks.into_iter());
        assert_eq!(costs, [Some(0.5), Some(1.5), Some(2.75), None, None, None, None, None]);
    }

    #[test]
    fn a_seller_walks_down_the_bids_and_a_better_book_costs_less_than_nothing() {
        let bids = [(10_000, 100), (9_999, 100), (9_997, 100_000)].map(|(px, qty)| level(px * CENT, qty));
        let costs = DECISION.walk(Side::Bid, bids.into_iter());
        assert_eq!(costs[0], Some(-0.5));
        // 400: 100 at -1, 100 at 0, 200 at +2 cents.
        assert_eq!(costs[1], Some(0.75));
        assert!((costs[7].unwrap() - (-100.0 + 2.0 * (25_600.0 - 200.0)) / 25_600.0).abs() < 1e-12);
    }

    #[test]
    fn half_of_an_odd_touch_is_half_a_share_more() {
        // 0.5 x 401 = 200.5 shares: 100 at 0, 100.5 at one cent.
        let asks = [level(10_001 * CENT, 100), level(10_002 * CENT, 400)];
        let costs = Decision { touch_qty: 401, ..DECISION }.walk(Side::Ask, asks.into_iter());
        assert!((costs[0].unwrap() - 100.5 / 200.5).abs() < 1e-12);
    }

    #[test]
    fn an_empty_side_holds_nothing() {
        assert_eq!(DECISION.walk(Side::Ask, core::iter::empty()), [None; SLIPPAGE_SIZE_COUNT]);
    }

    /// By its definition: every half share bought one by one.
    fn oracle(decision: &Decision, levels: &[BookLevel]) -> [Option<f64>; SLIPPAGE_SIZE_COUNT] {
        let halves = levels.iter().flat_map(|l| std::iter::repeat_n(l.px.0, 2 * l.qty as usize));
        let prices: Vec<f64> = halves.map(|px| px as f64).collect();
        let mid = (decision.bid.0 + decision.ask.0) as f64 / 2.0;
        SLIPPAGE_SIZES_HALVES.map(|halves| {
            let size = (halves * decision.touch_qty) as usize;
            let paid = prices.get(..size)?.iter().map(|px| px - decision.ask.0 as f64).sum::<f64>();
            Some(paid / size as f64 / mid * 1e4)
        })
    }

    proptest! {
        #[test]
        fn walks_agree_with_share_by_share(
            steps in prop::collection::vec((1_i64..5, 1_u64..40), 0..12),
            start in -3_i64..3,
            touch_qty in 1_u64..30,
        ) {
            let decision = Decision { touch_qty, ..DECISION };
            let mut px = decision.ask.0 + start * CENT;
            let asks: Vec<BookLevel> = steps.iter().map(|&(step, qty)| {
                px += step * CENT;
                level(px, qty)
            }).collect();
            let found = decision.walk(Side::Ask, asks.iter().copied());
            for (found, wanted) in found.iter().zip(oracle(&decision, &asks)) {
                prop_assert_eq!(found.is_some(), wanted.is_some());
                let (found, wanted) = (found.unwrap_or(0.0), wanted.unwrap_or(0.0));
                prop_assert!((found - wanted).abs() < 1e-6, "{} {}", found, wanted);
            }
            // The bids of the mirrored book cost a seller the same.
            let mirror = |px: i64| decision.bid.0 + decision.ask.0 - px;
            let bids = asks.iter().map(|l| level(mirror(l.px.0), l.qty));
            prop_assert_eq!(decision.walk(Side::Bid, bids), found);
        }

        #[test]
        fn no_size_costs_less_than_a_smaller_one(
            steps in prop::collection::vec((1_i64..5, 1_u64..2_000), 1..12),
            touch_qty in 1_u64..300,
        ) {
            let mut px = DECISION.ask.0 - CENT;
            let asks: Vec<BookLevel> = steps.iter().map(|&(step, qty)| {
                px += step * CENT;
                level(px, qty)
            }).collect();
            let costs = Decision { touch_qty, ..DECISION }.walk(Side::Ask, asks.into_iter());
            let held: Vec<f64> = costs.iter().map_while(|c| *c).collect();
            prop_assert!(held.windows(2).all(|w| w[0] <= w[1]));
            prop_assert!(costs[held.len()..].iter().all(Option::is_none));
        }
    }
}
