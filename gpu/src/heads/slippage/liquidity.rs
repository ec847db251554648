//! How large an order may be before its predicted slippage passes the officer's limit, for one instrument.

use types::{FeatureVector, Qty, WALK_COUNT};

use super::scale::{SLIPPAGE_SIZES, SlippageScale, largest_size};
use crate::heads::size_bound::touch;
use crate::network::Increments;

/// What a live book offers at one grid point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Liquidity {
    /// Quantity at the best bid and the best offer together.
    touch: f64,
    walk_bps: [f32; WALK_COUNT],
}

impl Liquidity {
    /// What `vector` says of its book; none when it prices not even the smallest order of either side.
    pub(crate) fn of(vector: &FeatureVector) -> Option<Self> {
        let touch = touch(vector)?;
        let walk_bps = vector.walk_bps;
        let smallest = [walk_bps[0], walk_bps[SLIPPAGE_SIZES.len()]];
        smallest.iter().all(|bps| bps.is_finite()).then_some(Self { touch, walk_bps })
    }

    /// The largest order whose predicted slippage stays within `limit_bps`, bought or sold; a quantity of 0 when none does.
    pub(crate) fn size_within(&self, limit_bps: f32, scale: &SlippageScale, increments: &Increments) -> Qty {
        let costs = scale.slippage_bps(&self.walk_bps, increments);
        let multiples = costs.map(|costs| largest_size(&costs, limit_bps));
        let size = f64::from(multiples[0].min(multiples[1])) * self.touch;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and NaN is 0"
        )]
        Qty(size as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::FeatureId;

    /// Half a basis point for each size on either side, a book that holds five sizes.
    fn scale() -> SlippageScale {
        SlippageScale { increment_bps: [0.5; 8], held: 5, rows: 1 }
    }

    #[test]
    fn the_smaller_side_counts_and_half_shares_do_not() {
        // The drift is 1 bp more for each size a buyer takes, 1.5 for a seller: sizes 0.5, 1, 2, 4, 8 times the touch.
        let mut increments = [2.0; 16];
        increments[8..].fill(3.0);
        let mut book = Liquidity { touch: 151.0, walk_bps: [0.0; WALK_COUNT] };
        let within = |book: &Liquidity, limit| book.size_within(limit, &scale(), &increments).0;
        // 3 bps: the seller's second size, once the touch. 2.25 bps: half way between the first and the second.
        assert_eq!([3.0, 2.25, 0.0].map(|limit| within(&book, limit)), [151, 113, 0]);
        // With what the present book asks: 0.5 bps for every size but the smallest, of a seller.
        book.walk_bps[9..].fill(0.5);
        assert_eq!([3.5, 2.5, 1.5].map(|limit| within(&book, limit)), [151, 113, 75]);
        // No limit is wide enough for what the book does not hold, now or usually.
        assert_eq!(within(&book, 1e9), 8 * 151);
        book.walk_bps[2..8].fill(f32::INFINITY);
        assert_eq!(within(&book, 1e9), 151);
        assert_eq!(book.size_within(1.0, &scale(), &[f32::NAN; 16]), Qty(0));
        book.touch = f64::NAN;
        assert_eq!(within(&book, 1e9), 0);
    }

    #[test]
    fn a_book_that_prices_no_order_is_none() {
        let priced = FeatureVector { walk_bps: [0.0; WALK_COUNT], ..FeatureVector::EMPTY };
        let with_touch = |mut vector: FeatureVector, ln_depth| {
            vector.set(FeatureId::TopDepth, ln_depth);
            Liquidity::of(&vector).map(|book| book.touch)
        };
        assert!(Liquidity::of(&priced).is_none(), "no depth");
        assert_eq!(with_touch(priced, 1e9), None);
        assert_eq!(with_touch(priced, 0.0), Some(1.0));
        for smallest in [0, 8] {
            for unknown in [f32::INFINITY, f32::NAN] {
                let mut vector = priced;
                vector.walk_bps[smallest] = unknown;
                assert_eq!(with_touch(vector, 0.0), None);
            }
        }
        let mut thin = priced;
        thin.walk_bps[1] = f32::INFINITY;
        assert_eq!(with_touch(thin, 0.0), Some(1.0));
    }
}
