//! Market makers. Each keeps a ladder of quotes around its own idea of value, leans against its inventory, and
//! withdraws when volatility, inventory or one-sided flow rise: wider, smaller, and at last not at all.

use std::collections::BTreeMap;

use types::Side;

use super::core::{Core, Wake};
use super::time::{SECOND, nanos, seconds};
use crate::book::{Fill, Owner};
use crate::random::exp;

/// How long a maker stays afraid.
const FEAR_MEMORY_S: f64 = 14.0;

/// Share of the usual size that a maker shows when it has fully withdrawn.
const SIZE_AT_FULL_FEAR: f64 = 0.24;

/// Time in which fear follows what causes it.
const FEAR_RISE_S: f64 = 3.0;

/// Volatility beyond which a maker quotes no wider still, in ticks per square root of a second.
const VOLATILITY_CAP_TICKS: f64 = 9.0;

/// How often a maker in full fear leaves for a while, per second.
const FLIGHT_RATE_HZ: f64 = 0.35;

/// One market maker.
#[derive(Debug)]
pub(crate) struct Maker {
    id: u8,
    /// Quotes by price, per side.
    quotes: [BTreeMap<i64, u64>; 2],
    inventory: f64,
    /// What this maker bears compared with the others.
    tolerance: f64,
    /// Private difference from the common value, in ticks, slowly wandering.
    opinion: f64,
    /// Degree of withdrawal, 0 none to 1 all.
    fear: f64,
    seen: u64,
    absent_until: u64,
    reacting: bool,
}

/// What a maker wants to show on one side now.
struct Target {
    side: Side,
    /// Best price it is ready to quote.
    front: i64,
    /// Levels from the front.
    levels: i64,
    /// Ticks between quotes: a nervous maker leaves gaps.
    stride: i64,
    /// Where its grid lies; makers do not leave the same gaps.
    offset: i64,
    /// Size at the front.
    lots: f64,
}

impl Target {
    /// Distance of `px` behind the front, negative when before it.
    fn behind(&self, px: i64) -> i64 {
        match self.side {
            Side::Bid => self.front - px,
            Side::Ask => px - self.front,
        }
    }

    /// Prices to quote, best first, with the size wanted at each.
    fn wanted(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        let px = |behind| match self.side {
            Side::Bid => self.front - behind,
            Side::Ask => self.front + behind,
        };
        let last = self.levels * self.stride;
        (0..last).map(move |behind| (px(behind), self.lots_at(px(behind)))).filter(|&(_, lots)| lots >= 1.0)
    }

    /// Size wanted at `px`, growing from the front as queues deeper in a book do; zero where none is.
    fn lots_at(&self, px: i64) -> f64 {
        let behind = self.behind(px);
        if behind < 0 || behind >= (self.levels + 3) * self.stride || (px + self.offset) % self.stride != 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few levels")]
        let shape = 1.0 + 0.3 * (behind.min(5) as f64);
        let lots = self.lots * shape;
        if lots >= 1.0 { lots } else { 0.0 }
    }
}

impl Maker {
    pub(crate) fn new(id: u8, core: &mut Core) -> Self {
        Self {
            id,
            quotes: [BTreeMap::new(), BTreeMap::new()],
            inventory: 0.0,
            tolerance: 0.75 + 0.3 * f64::from(id % 5) + core.dice.range(-0.1, 0.1),
            opinion: core.dice.normal(),
            fear: 0.0,
            seen: core.now,
            absent_until: 0,
            reacting: false,
        }
    }

    /// Degree of withdrawal, 0 none to 1 all.
    pub(crate) fn fear(&self) -> f64 {
        self.fear
    }

    /// One of this maker's quotes traded.
    pub(crate) fn filled(&mut self, fill: &Fill) {
        let lots = f64::from(fill.qty);
        match fill.resting.side {
            Side::Bid => self.inventory += lots,
            Side::Ask => self.inventory -= lots,
        }
        if fill.qty == fill.resting.qty {
            self.quotes[fill.resting.side.index()].remove(&fill.resting.px);
        }
    }

    /// Sees to it that this maker soon reacts to what just happened.
    pub(crate) fn alert(&mut self, core: &mut Core) {
        if !self.reacting {
            self.reacting = true;
            let wait = core.dice.lognormal(0.004, 0.8);
            core.wake_in(nanos(wait), Wake::MakerReaction(self.id));
        }
    }

    /// The regular look.
    pub(crate) fn look(&mut self, core: &mut Core) {
        // Makers look more often when the market moves: that is where the message storms of bad minutes come from.
        let pace = core.signals.activity() * (1.0 + 2.5 * self.fear);
        let wait = core.dice.exponential(1.0 / (core.profile.maker_rate_hz * pace));
        core.wake_in(nanos(wait), Wake::Maker(self.id));
        self.update(core);
        self.refresh_one(core);
        self.flicker(core, 6);
    }

    /// The reaction that [`Maker::alert`] asked for.
    pub(crate) fn react(&mut self, core: &mut Core) {
        self.reacting = false;
        self.update(core);
        self.flicker(core, 3);
    }

    /// Nerves show as flicker: more quotes cancelled and shown anew, for no more liquidity.
    fn flicker(&mut self, core: &mut Core, times: u32) {
        for _ in 0..times {
            if core.dice.chance(self.fear) {
                self.refresh_one(core);
            }
        }
    }

    fn update(&mut self, core: &mut Core) {
        let dt = self.pass_time(core);
        if core.now < self.absent_until {
            return;
        }
        if self.fear > 0.9 && core.dice.chance(FLIGHT_RATE_HZ * dt) {
            let wait = core.dice.range(0.4, 2.0);
            self.absent_until = core.now + nanos(wait);
            self.pull_all(core);
            return;
        }
        for side in [Side::Bid, Side::Ask] {
            let target = self.target(core, side);
            self.pull_misplaced(core, &target);
        }
        self.snipe(core);
        for side in [Side::Bid, Side::Ask] {
            let target = self.target(core, side);
            self.fill_in(core, &target);
        }
    }

    /// Inventory laid off, fear forgotten, opinion drifted since the last look, whose seconds are returned.
    fn pass_time(&mut self, core: &mut Core) -> f64 {
        let dt = seconds(core.now - self.seen);
        self.seen = core.now;
        // In distress makers lay off elsewhere whatever it costs.
        let hedge_max = core.profile.hedge_lots_per_s * (1.0 + 3.5 * self.fear);
        let hedged = (self.inventory.abs() / 14.0).min(hedge_max) * dt;
        self.inventory -= self.inventory.signum() * hedged.min(self.inventory.abs());
        let keep = exp(-dt / 3.0);
        self.opinion = self.opinion * keep + (1.0 - keep * keep).sqrt() * core.dice.normal();
        let alarm = self.alarm(core);
        if alarm > self.fear {
            self.fear += (alarm - self.fear) * (1.0 - exp(-dt / FEAR_RISE_S));
        } else {
            self.fear = (self.fear * exp(-dt / FEAR_MEMORY_S)).max(alarm);
        }
        dt
    }

    /// What volatility, inventory and one-sided flow together make of a maker's nerves, 0 to 1.
    fn alarm(&self, core: &Core) -> f64 {
        let load = self.inventory.abs() / (core.profile.inventory_max_lots * self.tolerance);
        let volatility = (core.signals.volatility_ratio() / self.tolerance - 2.2).max(0.0);
        let usual_flow = 6.0 * core.profile.taker_rate_hz * core.profile.taker_lots;
        let one_sided = (core.signals.net_rate().abs() / usual_flow / self.tolerance - 1.5).max(0.0);
        let stress = 0.2 * volatility + 1.6 * (load - 0.55).max(0.0) + 0.12 * one_sided * load;
        let square = stress * stress;
        (square / (0.25 + square)).max(core.signals.dread)
    }

    /// Takes the stale orders of others: bids far above what this maker holds the instrument to be worth, offers far
    /// below.
    fn snipe(&mut self, core: &mut Core) {
        let fair = self.fair(core);
        let margin = core.profile.half_spread_ticks + 1.2;
        let lots = self.size(core, 2.0 * core.profile.maker_lots);
        #[expect(clippy::cast_possible_truncation, reason = "prices in ticks fit")]
        let (buy_below, sell_above) = ((fair - margin).floor() as i64, (fair + margin).ceil() as i64);
        if core.book.best_ask().is_some_and(|ask| ask <= buy_below) {
            self.inventory += f64::from(core.snipe(Side::Bid, buy_below, lots));
        } else if core.book.best_bid().is_some_and(|bid| bid >= sell_above) {
            self.inventory -= f64::from(core.snipe(Side::Ask, sell_above, lots));
        }
    }

    /// What this maker holds the instrument to be worth: the common value, its own opinion, and a lean against its
    /// inventory.
    fn fair(&self, core: &Core) -> f64 {
        let load = self.inventory / (core.profile.inventory_max_lots * self.tolerance);
        let volatility = core.signals.volatility_ticks().min(VOLATILITY_CAP_TICKS);
        let lean = load.clamp(-1.5, 1.5) * (0.9 + 0.6 * volatility * self.fear);
        core.signals.value() + 0.22 * self.opinion - lean
    }

    fn target(&self, core: &Core, side: Side) -> Target {
        let profile = &core.profile;
        let load = self.inventory / (profile.inventory_max_lots * self.tolerance);
        let volatility = core.signals.volatility_ticks().min(VOLATILITY_CAP_TICKS);
        let fair = self.fair(core);
        let wider = self.fear * (1.6 + 0.45 * volatility);
        let half =
            profile.half_spread_ticks + core.signals.distance() * (1.0 + profile.half_spread_ticks) + wider;
        // The side that would add to the inventory shrinks to little at the limit.
        let adding = match side {
            Side::Bid => load,
            Side::Ask => -load,
        };
        let appetite = (1.15 - adding.max(0.0)).clamp(0.1, 1.0);
        let lots = profile.maker_lots
            * core.signals.generosity()
            * appetite
            * (1.0 - (1.0 - SIZE_AT_FULL_FEAR) * self.fear);
        let front = front(side, fair, half, core);
        #[expect(clippy::cast_possible_truncation, reason = "1 to 5")]
        let stride = 1 + (self.fear * 4.2) as i64;
        let offset = i64::from(self.id);
        Target { side, front, levels: profile.maker_levels, stride, offset, lots }
    }

    /// Cancels what stands before the front or far behind it; a far quote is often moved to where one is missing.
    fn pull_misplaced(&mut self, core: &mut Core, target: &Target) {
        let ladder = &self.quotes[target.side.index()];
        let misplaced: Vec<_> = ladder
            .iter()
            .map(|(&px, &order)| (px, order))
            .filter(|&(px, _)| target.lots_at(px) == 0.0)
            .collect();
        for (px, order) in misplaced {
            let ladder = &mut self.quotes[target.side.index()];
            ladder.remove(&px);
            let gap = target.wanted().find(|(px, _)| !ladder.contains_key(px));
            match gap {
                Some((to, wanted)) if core.dice.chance(0.55) => {
                    let lots = self.size(core, wanted);
                    if let Some(new) = core.amend(order, to, lots) {
                        self.quotes[target.side.index()].insert(to, new);
                    }
                }
                _ => {
                    core.cancel(order);
                }
            }
        }
    }

    /// Adds missing quotes from the front backwards and trims those that have become too large for the maker's nerves.
    fn fill_in(&mut self, core: &mut Core, target: &Target) {
        let mut budget = 3;
        for (px, wanted) in target.wanted() {
            let have = self.quotes[target.side.index()].get(&px).copied();
            match have.and_then(|order| core.book.order(order).map(|r| (order, r.qty))) {
                None if budget > 0 && !core.book.crosses(target.side, px) => {
                    budget -= 1;
                    let lots = self.size(core, wanted);
                    let order = core.post(target.side, px, lots, Owner::Maker(self.id));
                    self.quotes[target.side.index()].insert(px, order);
                }
                Some((order, qty)) if f64::from(qty) > 1.9 * wanted.max(1.0) => {
                    self.shrink(core, target.side, px, order, qty, wanted);
                }
                _ => {}
            }
        }
    }

    /// Makes a quote smaller: mostly by cancelling and quoting anew, at times in place.
    fn shrink(&mut self, core: &mut Core, side: Side, px: i64, order: u64, qty: u32, wanted: f64) {
        let lots = self.size(core, wanted).min(qty - 1);
        if core.dice.chance(0.15) {
            core.trim(order, qty - lots);
            return;
        }
        core.cancel(order);
        let new = core.post(side, px, lots, Owner::Maker(self.id));
        self.quotes[side.index()].insert(px, new);
    }

    /// Cancels one quote and shows it anew with another size, as makers' engines do all day.
    fn refresh_one(&mut self, core: &mut Core) {
        let side = if core.dice.chance(0.5) { Side::Bid } else { Side::Ask };
        let ladder = &self.quotes[side.index()];
        if ladder.is_empty() || core.now < self.absent_until {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a ladder has some levels")]
        let pick = core.dice.below(ladder.len() as u32) as usize;
        let (&px, &order) = ladder.iter().nth(pick).expect("the pick is below the length");
        let wanted = self.target(core, side).lots_at(px);
        self.quotes[side.index()].remove(&px);
        if wanted == 0.0 {
            core.cancel(order);
            return;
        }
        let lots = self.size(core, wanted);
        let new = if core.dice.chance(0.12) {
            core.amend(order, px, lots)
        } else {
            core.cancel(order).map(|_| core.post(side, px, lots, Owner::Maker(self.id)))
        };
        if let Some(new) = new {
            self.quotes[side.index()].insert(px, new);
        }
    }

    fn pull_all(&mut self, core: &mut Core) {
        for ladder in &mut self.quotes {
            for (_, order) in std::mem::take(ladder) {
                core.cancel(order);
            }
        }
    }

    fn size(&self, core: &mut Core, wanted: f64) -> u32 {
        lots(core.dice.lognormal(wanted, 0.3))
    }
}

/// Best price to quote for a value and a half spread, never crossing what is there.
fn front(side: Side, fair: f64, half: f64, core: &Core) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "prices in ticks fit")]
    match side {
        Side::Bid => {
            let px = (fair - half).floor() as i64;
            core.book.best_ask().map_or(px, |ask| px.min(ask - 1))
        }
        Side::Ask => {
            let px = (fair + half).ceil() as i64;
            core.book.best_bid().map_or(px, |bid| px.max(bid + 1))
        }
    }
}

/// A drawn size as a quantity: at least one lot.
pub(crate) fn lots(drawn: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let lots = drawn.round().clamp(1.0, 100_000.0) as u32;
    lots
}

/// Longest time between two regular looks of a maker that has nothing to do.
pub(crate) const FIRST_LOOK: u64 = SECOND / 2;
