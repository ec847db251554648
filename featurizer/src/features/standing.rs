//! Where one instrument stands against what is usual of it: spread, depth, order messages, and the way of its mid.

use super::travel::Travel;
use super::usual::Level;

/// Spans of the moves, in seconds.
const MOVES_S: [u64; 2] = [10, 120];

/// What is remembered for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usual {
    spread: Level,
    /// Of the side that holds less within five ticks of its best, and one more, so that nothing is no special case.
    depth: Level,
    /// Order messages of the last ten seconds, and those for each trade, one more of both.
    orders: Level,
    orders_per_trade: Level,
    travel: Travel,
}

/// How many times the usual each is; none where it or the usual is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    pub(crate) spread: Option<f64>,
    pub(crate) depth: Option<f64>,
    /// Of what is usual, or of what is usual for as many trades, whichever is less: a busy market, as at its opening, has more of
    /// both, and a quiet one has few trades to be measured by.
    pub(crate) orders: Option<f64>,
    pub(crate) moves: [Option<f64>; 2],
}

impl Usual {
    /// Spread, where there is one, and depths of a book that was touched, at the grid step `grid`.
    #[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
    pub(crate) fn see_book(&mut self, grid: u64, spread_bps: Option<f64>, depth: [u64; 2]) {
        self.spread.set(grid, spread_bps);
        self.depth.set(grid, Some((depth[0].min(depth[1]) + 1) as f64));
    }

    /// The order messages and trades of the last ten seconds.
    #[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
    pub(crate) fn see_orders(&mut self, grid: u64, orders: u64, trades: u64) {
        let orders = (orders + 1) as f64;
        self.orders.set(grid, Some(orders));
        self.orders_per_trade.set(grid, Some(orders / (trades + 1) as f64));
    }

    /// The mid, where there is one.
    pub(crate) fn see_mid(&mut self, grid: u64, mid: i64, log_return: Option<f64>) {
        if mid > 0 {
            self.travel.step(grid, mid, log_return);
        }
    }

    /// Where it stands at the grid step `grid`.
    pub(crate) fn standing(&self, grid: u64) -> Standing {
        let levels = [self.spread, self.depth, self.orders, self.orders_per_trade];
        let [spread, depth, orders, per_trade] = levels.map(|level| level.at(grid));
        Standing {
            spread: spread.present_in_usual(),
            depth: depth.present_in_usual(),
            orders: orders.now_in_usual().zip(per_trade.now_in_usual()).map(|(one, other)| one.min(other)),
            moves: self.travel.in_usual(grid, MOVES_S, spread.usual()),
        }
    }

    /// The book was emptied or can no longer be believed.
    pub(crate) fn restart(&mut self) {
        let Self { spread, depth, orders, orders_per_trade, travel } = self;
        [spread, depth, orders, orders_per_trade].into_iter().for_each(Level::restart);
        travel.restart();
    }
}
