//! The agents of a flash crash: a seller (or buyer) whose algorithm does not look at what the market can bear, and those of
//! last resort who take the other side when the price is absurd.

use types::Side;

use super::core::{Core, Wake};
use super::time::{SECOND, nanos, seconds};
use crate::book::{Fill, Owner};

/// The instructions of a large iceberg order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IcebergPlan {
    /// Sells ([`Side::Ask`]) or buys.
    pub side: Side,
    /// When it starts, nanoseconds since midnight.
    pub start_ns: u64,
    /// Lots to trade in all.
    pub total_lots: u32,
    /// What it shows, and what each aggressive child takes, in lots.
    pub clip_lots: u32,
    /// Lots per second it trades whatever the market does.
    pub base_lots_per_s: f64,
    /// Share of the market's volume it trades besides. Its own trades count in that volume, which is the flaw: the more
    /// it sells, the more it must sell.
    pub participation: f64,
    /// Lots per second it never exceeds.
    pub max_lots_per_s: f64,
}

/// How far through the opposite touch one clip goes.
const REACH_TICKS: i64 = 8;

/// Who works an iceberg order.
#[derive(Debug)]
pub(crate) struct Iceberg {
    plan: IcebergPlan,
    done: u32,
    due: f64,
    seen: u64,
    shown: Option<u64>,
}

impl Iceberg {
    pub(crate) fn new(plan: IcebergPlan, core: &mut Core) -> Self {
        core.wake_at(plan.start_ns, Wake::Iceberg);
        Self { plan, done: 0, due: 0.0, seen: plan.start_ns, shown: None }
    }

    /// Sells or buys.
    pub(crate) fn side(&self) -> Side {
        self.plan.side
    }

    /// Whether everything is traded.
    pub(crate) fn is_done(&self) -> bool {
        self.done >= self.plan.total_lots
    }

    /// Lots traded so far.
    pub(crate) fn lots_done(&self) -> u32 {
        self.done
    }

    /// The shown clip traded.
    pub(crate) fn filled(&mut self, fill: &Fill) {
        self.done += fill.qty;
        if fill.qty == fill.resting.qty {
            self.shown = None;
        }
    }

    pub(crate) fn act(&mut self, core: &mut Core) {
        let dt = seconds(core.now - self.seen);
        self.seen = core.now;
        let rate = self.plan.base_lots_per_s + self.plan.participation * core.signals.volume_rate();
        self.due += rate.min(self.plan.max_lots_per_s) * dt;
        if self.is_done() {
            self.hide(core);
            return;
        }
        let wait = core.dice.range(0.12, 0.3);
        core.wake_in(nanos(wait), Wake::Iceberg);
        let left = self.plan.total_lots - self.done;
        let clip = self.plan.clip_lots.min(left);
        if self.due - f64::from(self.done) >= f64::from(clip) {
            self.hit(core, clip);
        }
        self.show(core, clip);
    }

    /// Behind schedule: a clip at any price.
    fn hit(&mut self, core: &mut Core, clip: u32) {
        // "Without regard to price or time": the limit only keeps a clip from the far end of an emptied book.
        let reach = -away(self.plan.side, REACH_TICKS);
        let limit = core.book.best(self.plan.side.opposite()).map(|touch| touch + reach);
        self.done += core.aggress(self.plan.side, limit, clip);
    }

    /// Keeps the displayed clip at the best price of its side, filled up again when it has traded away.
    fn show(&mut self, core: &mut Core, clip: u32) {
        let side = self.plan.side;
        let Some(touch) = core.book.best(side) else { return };
        if self.is_done() {
            return;
        }
        match self.shown.and_then(|order| core.book.order(order).map(|r| (order, r))) {
            Some((order, resting)) if away(side, resting.px - touch) > 0 => {
                self.shown = core.amend(order, touch, resting.qty);
            }
            Some(_) => {}
            None => {
                let lots = clip.min(self.plan.total_lots - self.done);
                self.shown = Some(core.post(side, touch, lots, Owner::Iceberg));
            }
        }
    }

    fn hide(&mut self, core: &mut Core) {
        if let Some(order) = self.shown.take() {
            core.cancel(order);
        }
    }
}

/// `ticks` as a distance from the touch of `side` into its own book, where up is positive: an offer's is above, a bid's below.
fn away(side: Side, ticks: i64) -> i64 {
    if side == Side::Ask { ticks } else { -ticks }
}

/// Somebody who believes in value and needs time to believe its eyes: a buyer when the price falls, a seller when it rises.
#[derive(Debug)]
pub(crate) struct ValueTrader {
    id: u8,
    side: Side,
    /// Gain against the fundamental value that makes it act, as a share.
    gain: f64,
    /// Time from seeing the gain to the first order.
    hesitation: u64,
    seen_at: Option<u64>,
    budget: u32,
    shown: Option<u64>,
}

impl ValueTrader {
    pub(crate) fn new(id: u8, side: Side, core: &mut Core) -> Self {
        let gain = 0.012 + 0.0022 * f64::from(id) + core.dice.range(0.0, 0.001);
        let hesitation = nanos(core.dice.range(5.0, 9.0));
        core.wake_in(SECOND / 2, Wake::Value(id));
        Self { id, side, gain, hesitation, seen_at: None, budget: 1_500, shown: None }
    }

    pub(crate) fn look(&mut self, core: &mut Core) {
        let wait = core.dice.range(0.2, 0.5);
        core.wake_in(nanos(wait), Wake::Value(self.id));
        let fundamental = core.signals.fundamental();
        let discount = 1.0 - core.mid() / fundamental;
        let gain = if self.side == Side::Bid { discount } else { -discount };
        if gain > self.gain && self.seen_at.is_none() {
            self.seen_at = Some(core.now);
        }
        let awake = self.seen_at.is_some_and(|at| core.now >= at + self.hesitation);
        if !awake || self.budget == 0 || gain < 0.4 * self.gain {
            return;
        }
        let size = (25 + core.dice.below(45)).min(self.budget);
        if core.dice.chance(0.45) {
            let through = -away(self.side, 1);
            let limit = core.book.best(self.side.opposite()).map(|touch| touch + through);
            self.budget -= core.aggress(self.side, limit, size);
        } else {
            self.requote(core, size);
        }
    }

    /// One of its resting orders traded.
    pub(crate) fn filled(&mut self, fill: &Fill) {
        self.budget = self.budget.saturating_sub(fill.qty);
        if fill.qty == fill.resting.qty {
            self.shown = None;
        }
    }

    /// Moves its one resting order to the touch.
    fn requote(&mut self, core: &mut Core, size: u32) {
        let Some(touch) = core.book.best(self.side) else { return };
        if let Some(order) = self.shown.take() {
            core.cancel(order);
        }
        let px = core.book.best(self.side).unwrap_or(touch);
        self.shown = Some(core.post(self.side, px, size, Owner::Value(self.id)));
    }
}
