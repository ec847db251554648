//! The agents of a flash crash: a seller whose algorithm does not look at what the market can bear, and the buyers of
//! last resort who come when the price is absurd.

use types::Side;

use super::core::{Core, Wake};
use super::time::{SECOND, nanos, seconds};
use crate::book::{Fill, Owner};

/// The seller's instructions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SellerPlan {
    /// When it starts, nanoseconds since midnight.
    pub start_ns: u64,
    /// Lots to sell in all.
    pub total_lots: u32,
    /// What it shows, and what each aggressive child takes, in lots.
    pub clip_lots: u32,
    /// Lots per second it sells whatever the market does.
    pub base_lots_per_s: f64,
    /// Share of the market's volume it sells besides. Its own trades count in that volume, which is the flaw: the more
    /// it sells, the more it must sell.
    pub participation: f64,
    /// Lots per second it never exceeds.
    pub max_lots_per_s: f64,
}

/// How far below the best bid one clip goes.
const REACH_TICKS: i64 = 8;

/// The iceberg seller.
#[derive(Debug)]
pub(crate) struct Seller {
    plan: SellerPlan,
    sold: u32,
    due: f64,
    seen: u64,
    shown: Option<u64>,
}

impl Seller {
    pub(crate) fn new(plan: SellerPlan, core: &mut Core) -> Self {
        core.wake_at(plan.start_ns, Wake::Seller);
        Self { plan, sold: 0, due: 0.0, seen: plan.start_ns, shown: None }
    }

    /// Whether everything is sold.
    pub(crate) fn done(&self) -> bool {
        self.sold >= self.plan.total_lots
    }

    /// Lots sold so far.
    pub(crate) fn sold(&self) -> u32 {
        self.sold
    }

    /// The shown clip traded.
    pub(crate) fn filled(&mut self, fill: &Fill) {
        self.sold += fill.qty;
        if fill.qty == fill.resting.qty {
            self.shown = None;
        }
    }

    pub(crate) fn act(&mut self, core: &mut Core) {
        let dt = seconds(core.now - self.seen);
        self.seen = core.now;
        let rate = self.plan.base_lots_per_s + self.plan.participation * core.signals.volume_rate();
        self.due += rate.min(self.plan.max_lots_per_s) * dt;
        if self.done() {
            self.hide(core);
            return;
        }
        let wait = core.dice.range(0.12, 0.3);
        core.wake_in(nanos(wait), Wake::Seller);
        let left = self.plan.total_lots - self.sold;
        let clip = self.plan.clip_lots.min(left);
        if self.due - f64::from(self.sold) >= f64::from(clip) {
            self.hit(core, clip);
        }
        self.show(core, clip);
    }

    /// Behind schedule: a clip at any price.
    fn hit(&mut self, core: &mut Core, clip: u32) {
        // "Without regard to price or time": the limit only keeps a clip from the far end of an emptied book.
        let limit = core.book.best_bid().map(|bid| bid - REACH_TICKS);
        self.sold += core.aggress(Side::Ask, limit, clip);
    }

    /// Keeps the displayed clip at the best offer, filled up again when it has traded away.
    fn show(&mut self, core: &mut Core, clip: u32) {
        let Some(ask) = core.book.best_ask() else { return };
        if self.done() {
            return;
        }
        match self.shown.and_then(|order| core.book.order(order).map(|r| (order, r))) {
            Some((order, resting)) if resting.px > ask => {
                self.shown = core.amend(order, ask, resting.qty);
            }
            Some(_) => {}
            None => {
                let lots = clip.min(self.plan.total_lots - self.sold);
                self.shown = Some(core.post(Side::Ask, ask, lots, Owner::Seller));
            }
        }
    }

    fn hide(&mut self, core: &mut Core) {
        if let Some(order) = self.shown.take() {
            core.cancel(order);
        }
    }
}

/// A buyer who believes in value and needs time to believe its eyes.
#[derive(Debug)]
pub(crate) struct ValueBuyer {
    id: u8,
    /// Discount to the fundamental value that makes it act, as a share.
    discount: f64,
    /// Time from seeing the discount to the first order.
    hesitation: u64,
    seen_at: Option<u64>,
    budget: u32,
    bid: Option<u64>,
}

impl ValueBuyer {
    pub(crate) fn new(id: u8, core: &mut Core) -> Self {
        let discount = 0.012 + 0.0022 * f64::from(id) + core.dice.range(0.0, 0.001);
        let hesitation = nanos(core.dice.range(5.0, 9.0));
        core.wake_in(SECOND / 2, Wake::Value(id));
        Self { id, discount, hesitation, seen_at: None, budget: 1_500, bid: None }
    }

    pub(crate) fn look(&mut self, core: &mut Core) {
        let wait = core.dice.range(0.2, 0.5);
        core.wake_in(nanos(wait), Wake::Value(self.id));
        let fundamental = core.signals.fundamental();
        let discount = 1.0 - core.mid() / fundamental;
        if discount > self.discount && self.seen_at.is_none() {
            self.seen_at = Some(core.now);
        }
        let awake = self.seen_at.is_some_and(|at| core.now >= at + self.hesitation);
        if !awake || self.budget == 0 || discount < 0.4 * self.discount {
            return;
        }
        let size = (25 + core.dice.below(45)).min(self.budget);
        if core.dice.chance(0.45) {
            let limit = core.book.best_ask().map(|ask| ask + 1);
            self.budget -= core.aggress(Side::Bid, limit, size);
        } else {
            self.rebid(core, size);
        }
    }

    /// One of this buyer's bids traded.
    pub(crate) fn filled(&mut self, fill: &Fill) {
        self.budget = self.budget.saturating_sub(fill.qty);
        if fill.qty == fill.resting.qty {
            self.bid = None;
        }
    }

    /// Moves its one resting bid to the touch.
    fn rebid(&mut self, core: &mut Core, size: u32) {
        let Some(touch) = core.book.best_bid() else { return };
        if let Some(order) = self.bid.take() {
            core.cancel(order);
        }
        let px = core.book.best_bid().unwrap_or(touch);
        self.bid = Some(core.post(Side::Bid, px, size, Owner::Value(self.id)));
    }
}
