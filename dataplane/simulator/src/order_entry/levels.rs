//! Whom orders in one symbol meet at the venue.

use types::Side;
use wire::ouch50::MARKET_PRICE;

/// Prices in 1e-4 and how many shares stand there, best first. What an order takes is gone until they are shown anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Bids.
    pub bids: Vec<(u64, u32)>,
    /// Offers.
    pub asks: Vec<(u64, u32)>,
}

impl Levels {
    /// A bid and an offer for as many shares as anybody wants; 0 for none.
    #[must_use]
    pub fn quote(bid: u64, ask: u64) -> Self {
        let level = |price: u64| if price == 0 { Vec::new() } else { vec![(price, u32::MAX)] };
        Self { bids: level(bid), asks: level(ask) }
    }

    /// What an order of `side` with this limit takes next, `most` shares of it, and at which price; none where nobody is left to meet
    /// it. A price from [`MARKET_PRICE`] on is no limit.
    pub(super) fn take(&mut self, side: Side, most: u32, limit: u64) -> Option<(u32, u64)> {
        let far = match side {
            Side::Bid => &mut self.asks,
            Side::Ask => &mut self.bids,
        };
        far.retain(|(_, shares)| *shares > 0);
        let (price, shares) = far.first_mut()?;
        let crosses = match side {
            Side::Bid => *price <= limit,
            Side::Ask => *price >= limit,
        };
        if !crosses && limit < MARKET_PRICE || most == 0 {
            return None;
        }
        let taken = most.min(*shares);
        // As many as anybody wants stay as many.
        *shares = if *shares == u32::MAX { u32::MAX } else { *shares - taken };
        Some((taken, *price))
    }
}
