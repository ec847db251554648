//! What everyone in a market can see or believes in common: value, activity, realised volatility, flow.

use types::Side;

use super::profile::Profile;
use super::time::{SECOND, seconds};
use crate::random::{Dice, exp};

/// Step of the value and activity processes.
const STEP: u64 = SECOND / 50;

/// How long the makers remember what trades told them about value.
const IMPACT_MEMORY_S: f64 = 45.0;
const FLOW_MEMORY_S: f64 = 4.0;
const VARIANCE_FAST_S: f64 = 3.0;
const VARIANCE_SLOW_S: f64 = 120.0;

/// A mean-reverting normal process with unit variance.
#[derive(Clone, Copy, Debug)]
struct Reverting {
    value: f64,
    keep: f64,
    kick: f64,
}

impl Reverting {
    fn new(memory_s: f64, dice: &mut Dice) -> Self {
        let keep = exp(-seconds(STEP) / memory_s);
        Self { value: dice.normal(), keep, kick: (1.0 - keep * keep).sqrt() }
    }

    fn step(&mut self, dice: &mut Dice) {
        self.value = self.value * self.keep + self.kick * dice.normal();
    }
}

/// The factors all instruments share. Every market holds its own copy and steps it from the same stream, so that all
/// see the same path without sharing memory.
#[derive(Debug)]
struct Common {
    dice: Dice,
    activity: Reverting,
    drift: Reverting,
}

/// Public signals of one market.
#[derive(Debug)]
pub(crate) struct Signals {
    dice: Dice,
    common: Common,
    busy_slow: Reverting,
    busy_fast: Reverting,
    trend: Reverting,
    /// How much the makers care to show, apart from what frightens them.
    generosity: Reverting,
    /// How close together they quote, apart from what frightens them.
    closeness: Reverting,
    sigma: f64,
    common_share: f64,
    stepped: u64,
    now: u64,
    /// Value before anything trades tell, in ticks.
    fundamental: f64,
    /// What trades have told the makers about value, in ticks.
    impact: f64,
    /// Pace of everything, 1 on an ordinary minute.
    activity: f64,
    boost: f64,
    boost_memory_s: f64,
    variance_fast: f64,
    variance_slow: f64,
    variance_calm: f64,
    bought: f64,
    sold: f64,
    last_mid: Option<f64>,
    /// Mean withdrawal of the makers, 0 none to 1 all; they keep it up to date.
    pub(crate) withdrawal: f64,
    /// Ticks a second by which the value goes beside its own path; 0 but where a scenario plants it.
    pub(crate) drift: f64,
    /// How afraid the makers are at least, whatever the market does; 0 but where a scenario plants it.
    pub(crate) dread: f64,
    /// Mids at the last [`MID_HISTORY`] samples of a quarter second, newest last.
    mids: Vec<f64>,
}

/// Quarter-second mids kept for those who follow the price.
const MID_HISTORY: usize = 48;

impl Signals {
    pub(crate) fn new(profile: &Profile, seed: u64, start: u64) -> Self {
        let mut common_dice = Dice::new(seed, 1);
        let common = Common {
            activity: Reverting::new(110.0, &mut common_dice),
            drift: Reverting::new(150.0, &mut common_dice),
            dice: common_dice,
        };
        let mut dice = Dice::new(seed, 0x1_0000 + profile.symbol.to_word() % 0xffff);
        // Beside the value, the mid moves as queues at the touch empty, the more the wider the quotes.
        let bounce = 0.15 + 0.3 * profile.half_spread_ticks * profile.half_spread_ticks;
        let variance_calm = profile.sigma_ticks * profile.sigma_ticks + bounce;
        #[expect(clippy::cast_precision_loss, reason = "prices in ticks fit")]
        let fundamental = profile.start_px_ticks as f64 + dice.range(0.1, 0.9);
        Self {
            busy_slow: Reverting::new(60.0, &mut dice),
            busy_fast: Reverting::new(12.0, &mut dice),
            trend: Reverting::new(60.0, &mut dice),
            generosity: Reverting::new(45.0, &mut dice),
            closeness: Reverting::new(18.0, &mut dice),
            dice,
            common,
            sigma: profile.sigma_ticks,
            common_share: profile.common_share,
            stepped: start,
            now: start,
            fundamental,
            impact: 0.0,
            activity: 1.0,
            boost: 0.0,
            boost_memory_s: 1.0,
            variance_fast: variance_calm,
            variance_slow: variance_calm,
            variance_calm,
            bought: 0.0,
            sold: 0.0,
            last_mid: None,
            withdrawal: 0.0,
            drift: 0.0,
            dread: 0.0,
            mids: Vec::with_capacity(MID_HISTORY),
        }
    }

    /// What the makers hold the instrument to be worth, in ticks.
    pub(crate) fn value(&self) -> f64 {
        self.fundamental + self.impact
    }

    /// What someone who ignores the tape holds it to be worth, in ticks.
    pub(crate) fn fundamental(&self) -> f64 {
        self.fundamental
    }

    /// Pace of everything, 1 on an ordinary minute.
    pub(crate) fn activity(&self) -> f64 {
        self.activity
    }

    /// What the makers show against what they show on an ordinary minute.
    pub(crate) fn generosity(&self) -> f64 {
        exp(0.3 * self.generosity.value)
    }

    /// By how much the makers quote wider than usual, against their usual half spread and a tick.
    pub(crate) fn distance(&self) -> f64 {
        (1.5 * (self.closeness.value - 0.9)).clamp(0.0, 0.9)
    }

    /// Realised volatility over some seconds against what is usual here lately.
    pub(crate) fn volatility_ratio(&self) -> f64 {
        let usual = self.variance_slow.clamp(self.variance_calm, 3.0 * self.variance_calm);
        (self.variance_fast / usual).sqrt()
    }

    /// Realised volatility over some seconds, ticks per square root of a second.
    pub(crate) fn volatility_ticks(&self) -> f64 {
        self.variance_fast.sqrt()
    }

    /// Volume traded lately, lots per second.
    pub(crate) fn volume_rate(&self) -> f64 {
        (self.bought + self.sold) / FLOW_MEMORY_S
    }

    /// Lots bought less lots sold by aggressors lately, per second.
    pub(crate) fn net_rate(&self) -> f64 {
        (self.bought - self.sold) / FLOW_MEMORY_S
    }

    /// Move of the mid over the last `quarters` quarter seconds, in ticks.
    pub(crate) fn move_over(&self, quarters: usize) -> f64 {
        let n = self.mids.len();
        if n <= quarters { 0.0 } else { self.mids[n - 1] - self.mids[n - 1 - quarters] }
    }

    /// Notes the mid for those who follow it; called each quarter second.
    pub(crate) fn sample_mid(&mut self, mid: f64) {
        if self.mids.len() == MID_HISTORY {
            self.mids.remove(0);
        }
        self.mids.push(mid);
    }

    /// Adds news: the fundamental value jumps by `ticks`.
    pub(crate) fn jump(&mut self, ticks: f64) {
        self.fundamental += ticks;
    }

    /// Multiplies activity by `1 + factor`, fading with `memory_s`.
    pub(crate) fn boost(&mut self, factor: f64, memory_s: f64) {
        self.boost = factor;
        self.boost_memory_s = memory_s;
    }

    /// Moves the processes on to `now`.
    pub(crate) fn advance(&mut self, now: u64) {
        while self.stepped + STEP <= now {
            self.stepped += STEP;
            self.step();
        }
        let dt = seconds(now - self.now);
        self.now = now;
        if dt > 0.0 {
            // Nobody leans against a move while all are afraid.
            let calm = 1.0 - 0.85 * self.withdrawal;
            self.impact *= exp(-dt * calm / IMPACT_MEMORY_S);
            let flow = exp(-dt / FLOW_MEMORY_S);
            self.bought *= flow;
            self.sold *= flow;
            self.variance_fast *= exp(-dt / VARIANCE_FAST_S);
            self.variance_slow *= exp(-dt / VARIANCE_SLOW_S);
        }
    }

    fn step(&mut self) {
        let dt = seconds(STEP);
        let common_kick = self.common.dice.normal();
        self.common.activity.step(&mut self.common.dice);
        self.common.drift.step(&mut self.common.dice);
        let Self { busy_slow, busy_fast, trend, generosity, closeness, dice, .. } = self;
        for process in [busy_slow, busy_fast, trend, generosity, closeness] {
            process.step(dice);
        }
        self.boost *= exp(-dt / self.boost_memory_s);
        let busy =
            0.30 * self.busy_slow.value + 0.22 * self.busy_fast.value + 0.28 * self.common.activity.value;
        self.activity = exp(busy).clamp(0.3, 3.5) * (1.0 + self.boost);
        let own = (1.0 - self.common_share).sqrt() * self.dice.normal();
        let shock = self.common_share.sqrt() * common_kick + own;
        // A trend of one standard deviation moves the value by a third of a minute's volatility in a minute.
        let trend = (0.03 * self.trend.value + 0.03 * self.common.drift.value) * dt;
        self.fundamental += self.sigma * (shock * (dt * self.activity).sqrt() + trend);
        self.fundamental += self.drift * dt;
    }

    /// An aggressor traded `qty`.
    pub(crate) fn traded(&mut self, aggressor: Side, qty: u32) {
        match aggressor {
            Side::Bid => self.bought += f64::from(qty),
            Side::Ask => self.sold += f64::from(qty),
        }
    }

    /// What the makers make of an aggressor who traded `qty`, the last of it at `px`.
    pub(crate) fn learned(&mut self, profile: &Profile, aggressor: Side, qty: u32, px: i64) {
        let sign = if aggressor == Side::Bid { 1.0 } else { -1.0 };
        // Impact is inverse to the depth that is shown (Cont, Kukanov and Stoikov: price change = flow / 2 depth).
        let attention = 1.0 / (1.0 - 0.98 * self.withdrawal);
        self.impact += sign * f64::from(qty) * profile.impact_ticks_per_lot * attention;
        #[expect(clippy::cast_precision_loss, reason = "prices in ticks fit")]
        let surprise = sign * (px as f64 - self.value());
        if surprise > 1.5 {
            self.impact += sign * 0.06 * (surprise - 1.5).min(10.0);
        }
    }

    /// The mid is now `mid`.
    pub(crate) fn mid_moved(&mut self, mid: f64) {
        let change = self.last_mid.map_or(0.0, |last| mid - last);
        self.last_mid = Some(mid);
        let square = change * change;
        self.variance_fast += square / VARIANCE_FAST_S;
        self.variance_slow += square / VARIANCE_SLOW_S;
    }
}
