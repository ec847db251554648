//! Those who make no market: takers, small limit orders, followers of the price, and workers of large parent orders.

use types::Side;

use super::core::{Core, Wake};
use super::makers::lots;
use super::time::nanos;
use crate::book::Owner;
use crate::random::pow;

/// Decay of the excitation one marketable order leaves, per second (Hawkes kernel `n β e^{-βt}`).
const EXCITATION_DECAY_PER_S: f64 = 2.5;

/// Mean and shape of the time a crowd order is left alone: a power law from 0.15 s with exponent 0.85.
const LIFETIME_MIN_S: f64 = 0.15;
const LIFETIME_EXPONENT: f64 = 0.85;
const LIFETIME_MAX_S: f64 = 90.0;

/// Marketable orders.
#[derive(Debug, Default)]
pub(crate) struct Takers;

impl Takers {
    /// Schedules the next unprovoked order, and sends one when it is time.
    pub(crate) fn arrive(&self, core: &mut Core, now: bool) {
        core.arrive_at_rate(core.profile.taker_rate_hz * core.signals.activity(), Wake::Taker);
        if !now {
            return;
        }
        // Some know what the instrument is worth and trade towards it, but stand aside when the price has left
        // everything they have a model for.
        let gap = core.signals.fundamental() - core.mid();
        let scale = 2.0 + 2.0 * core.profile.half_spread_ticks;
        let knowing =
            (gap / scale).clamp(-1.0, 1.0) / (1.0 + (gap / (20.0 * scale)) * (gap / (20.0 * scale)));
        let side = if core.dice.chance(0.5 + 0.3 * knowing) { Side::Bid } else { Side::Ask };
        self.trade(core, side);
    }

    /// An order provoked by an earlier one, mostly on the same side.
    pub(crate) fn follow(&self, core: &mut Core, bought: bool) {
        let same = core.dice.chance(0.72);
        self.trade(core, if same == bought { Side::Bid } else { Side::Ask });
    }

    fn trade(&self, core: &mut Core, side: Side) {
        self.excite(core, side);
        let Some(spread) = core.spread() else { return };
        // A spread far wider than usual keeps people out.
        #[expect(clippy::cast_precision_loss, reason = "a spread in ticks fits")]
        let cost = spread as f64 / (2.0 + 2.0 * core.profile.half_spread_ticks);
        if cost > 1.5 && core.dice.chance(1.0 - 1.5 / cost) {
            return;
        }
        let size =
            lots(core.dice.lognormal(core.profile.taker_lots, 1.25).min(25.0 * core.profile.taker_lots));
        if core.dice.chance(0.16) {
            core.hidden_trade(side, size.min(lots(2.0 * core.profile.taker_lots)));
            return;
        }
        // Some sweep: what the touch does not hold they take behind it.
        let through = if core.dice.chance(0.25) { 1 + i64::from(core.dice.below(2)) } else { 0 };
        let touch = core
            .book
            .best(side.opposite())
            .map(|px| if side == Side::Bid { px + through } else { px - through });
        core.aggress(side, touch, size);
    }

    /// Schedules the next sweep, and makes one when it is time: somebody in a hurry takes a good part of what stands
    /// within some ticks. Each day has many; the book fills up again within seconds.
    pub(crate) fn sweep(&self, core: &mut Core, now: bool) {
        core.arrive_at_rate(core.profile.sweeps_per_min / 60.0 * core.signals.activity(), Wake::Sweep);
        if !now {
            return;
        }
        let side = if core.dice.chance(0.5) { Side::Bid } else { Side::Ask };
        let through = 2 + i64::from(core.dice.below(3));
        #[expect(clippy::cast_precision_loss, reason = "a book's lots fit")]
        let there = core.book.depth(side.opposite(), 4) as f64;
        let size = lots(there * core.dice.range(0.3, 0.85));
        let touch = core.book.best(side.opposite());
        core.aggress(side, touch.map(|px| if side == Side::Bid { px + through } else { px - through }), size);
    }

    /// Children of one order: a Poisson number with mean `branching`, drawn as arrivals of its decaying kernel.
    fn excite(&self, core: &mut Core, side: Side) {
        let mut left = core.profile.taker_branching;
        while core.dice.chance(left) {
            let wait = core.dice.exponential(1.0 / EXCITATION_DECAY_PER_S);
            core.wake_in(nanos(wait), Wake::Follower(side == Side::Bid));
            left *= 0.5;
        }
    }
}

/// Small limit orders.
#[derive(Debug, Default)]
pub(crate) struct Noise;

impl Noise {
    /// Schedules the next limit order, and sends one when it is time.
    pub(crate) fn arrive(&self, core: &mut Core, now: bool) {
        let nerve = 1.0 - 0.75 * core.signals.withdrawal;
        core.arrive_at_rate(core.profile.noise_rate_hz * core.signals.activity() * nerve, Wake::Noise);
        if !now {
            return;
        }
        let side = self.side(core);
        let Some(px) = self.price(core, side) else { return };
        let size = lots(core.dice.lognormal(core.profile.noise_lots, 0.8));
        let order = core.post(side, px, size, Owner::Crowd);
        self.leave(core, order);
    }

    /// The crowd bids less when the price falls fast, and offers less when it rises fast.
    fn side(&self, core: &mut Core) -> Side {
        let volatility = core.signals.volatility_ticks().max(0.3);
        let fall = (-core.signals.move_over(8) / volatility / 6.0).clamp(-1.0, 1.0);
        if core.dice.chance(0.5 - 0.3 * fall) { Side::Bid } else { Side::Ask }
    }

    /// A price behind the touch by a power law, or inside a wide spread; never crossing.
    fn price(&self, core: &mut Core, side: Side) -> Option<i64> {
        let Some(touch) = core.book.best(side) else {
            // Nobody is left on this side: whoever comes first asks for a good price.
            let far = core.book.best(side.opposite())?;
            let distance = 12 + i64::from(core.dice.below(20));
            return Some(if side == Side::Bid { far - distance } else { far + distance });
        };
        let spread = core.spread().unwrap_or(1);
        let back = core.dice.pareto(1.0, 0.9, 60.0);
        #[expect(clippy::cast_possible_truncation, reason = "at most 60")]
        let mut behind = back as i64 - 1;
        // A spread wider than usual invites someone to step inside.
        #[expect(clippy::cast_precision_loss, reason = "a spread in ticks fits")]
        let excess = 1.0 - (1.0 + 2.0 * core.profile.half_spread_ticks) / spread as f64;
        if spread > 1 && core.dice.chance(0.22 * excess.max(0.0)) {
            behind = -1;
        }
        let px = if side == Side::Bid { touch - behind } else { touch + behind };
        (!core.book.crosses(side, px)).then_some(px)
    }

    /// The owner of a crowd order comes back: moves it, takes some of it off, or cancels it.
    pub(crate) fn come_back(&self, core: &mut Core, order: u64) {
        let Some(resting) = core.book.order(order) else { return };
        let choice = core.dice.unit();
        if choice < 0.15 {
            let size = lots(core.dice.lognormal(core.profile.noise_lots, 0.8));
            let new = self.price(core, resting.side).and_then(|px| core.amend(order, px, size));
            if let Some(new) = new {
                self.leave(core, new);
            }
        } else if choice < 0.19 && resting.qty > 1 {
            let off = 1 + core.dice.below(resting.qty - 1);
            core.trim(order, off);
            self.leave(core, order);
        } else {
            core.cancel(order);
        }
    }

    fn leave(&self, core: &mut Core, order: u64) {
        // Fear shortens patience.
        let patience = 1.0 - 0.6 * core.signals.withdrawal;
        let life = core.dice.pareto(LIFETIME_MIN_S, LIFETIME_EXPONENT, LIFETIME_MAX_S) * patience;
        core.wake_in(nanos(life), Wake::NoiseReturn(order));
    }
}

/// Someone who trades with a move once it is large against what is usual, and back again when it is over.
#[derive(Debug)]
pub(crate) struct Momentum {
    id: u8,
    position: f64,
    threshold: f64,
    rests_until: u64,
}

impl Momentum {
    pub(crate) fn new(id: u8, core: &mut Core) -> Self {
        Self { id, position: 0.0, threshold: core.dice.range(3.5, 6.0), rests_until: 0 }
    }

    pub(crate) fn look(&mut self, core: &mut Core) {
        let wait = core.dice.range(0.25, 0.6);
        core.wake_in(nanos(wait), Wake::Momentum(self.id));
        if core.now < self.rests_until {
            return;
        }
        let usual = core.profile.sigma_ticks.max(0.4) * 2.0_f64.sqrt();
        let score = core.signals.move_over(8) / usual / self.threshold;
        let position_max = 40.0 * core.profile.taker_lots;
        let size = core.dice.lognormal(2.2 * core.profile.taker_lots, 0.5);
        if score.abs() > 1.0 && self.position * score.signum() < position_max {
            self.go(core, score > 0.0, lots(size), 5);
        } else if score.abs() < 0.5 && self.position.abs() > 1.0 && core.dice.chance(0.12) {
            let size = size.min(self.position.abs());
            self.go(core, self.position < 0.0, lots(size), 1);
        }
    }

    fn go(&mut self, core: &mut Core, buy: bool, size: u32, through: i64) {
        let rest = core.dice.range(0.8, 2.5);
        self.rests_until = core.now + nanos(rest);
        let side = if buy { Side::Bid } else { Side::Ask };
        let touch = core.book.best(side.opposite());
        let limit = touch.map(|px| if buy { px + through } else { px - through });
        let filled = f64::from(core.aggress(side, limit, size));
        self.position += if buy { filled } else { -filled };
    }
}

/// Works ordinary large parent orders with care: small children, passive first, never a large share of volume.
#[derive(Debug, Default)]
pub(crate) struct ParentWorker {
    side: Option<Side>,
    left: u32,
    child: u32,
    resting: Option<u64>,
}

impl ParentWorker {
    /// Schedules the first parent order.
    pub(crate) fn start(&self, core: &mut Core) {
        let wait = self.pause(core);
        core.wake_in(wait, Wake::Parent);
    }

    fn pause(&self, core: &mut Core) -> u64 {
        let wait = core.dice.exponential(60.0 / core.profile.parents_per_min);
        nanos(wait)
    }

    /// The next child, or the next parent.
    pub(crate) fn act(&mut self, core: &mut Core) {
        if let Some(rest) = self.resting.take().and_then(|order| core.cancel(order)) {
            self.left += rest.qty;
        }
        let Some(side) = self.side.filter(|_| self.left > 0) else {
            self.side = None;
            let wait = self.pause(core);
            core.wake_in(wait, Wake::Parent);
            if self.left == 0 {
                self.accept(core);
            }
            return;
        };
        let wait = core.dice.range(0.6, 2.6) / pow(core.signals.activity(), 0.5);
        core.wake_in(nanos(wait), Wake::Parent);
        let size = self.child.min(self.left);
        let touch = core.book.best(side.opposite());
        if core.dice.chance(0.5) {
            self.left -= core.aggress(side, touch, size);
        } else if let Some(px) = core.book.best(side) {
            self.left -= size;
            self.resting = Some(core.post(side, px, size, Owner::Parent));
        }
    }

    /// Takes on a new parent order, to be worked from the next wake on.
    fn accept(&mut self, core: &mut Core) {
        self.side = Some(if core.dice.chance(0.5) { Side::Bid } else { Side::Ask });
        let unit = core.profile.taker_lots;
        self.left = lots(core.dice.lognormal(40.0 * unit, 0.7).min(150.0 * unit));
        self.child = lots(core.dice.lognormal(4.0 * unit, 0.6).min(13.0 * unit));
    }
}
