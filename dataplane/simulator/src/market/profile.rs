//! What kind of instrument a market trades, and the instruments the scenarios use.

use types::Symbol;

use crate::random::Dice;

/// The constants of one instrument and of the crowd that trades it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Name on the feed.
    pub symbol: Symbol,
    /// Tick size in units of 1e-4 of the currency, as ITCH prices count.
    pub tick_1e4: u32,
    /// Price at the start, in ticks.
    pub start_px_ticks: i64,
    /// Standard deviation of the fundamental value over one second of ordinary activity, in ticks.
    pub sigma_ticks: f64,
    /// Share of that variance that all instruments have in common.
    pub common_share: f64,
    /// Number of market makers.
    pub makers: u8,
    /// What one maker shows at the best price in calm, in lots.
    pub maker_lots: f64,
    /// What a maker keeps between its value and its quote in calm, in ticks.
    pub half_spread_ticks: f64,
    /// Price levels a maker quotes per side.
    pub maker_levels: i64,
    /// Regular looks of one maker at its quotes, per second.
    pub maker_rate_hz: f64,
    /// Inventory at which a maker stops quoting the side that adds to it, in lots.
    pub inventory_max_lots: f64,
    /// What a maker can lay off elsewhere, in lots per second.
    pub hedge_lots_per_s: f64,
    /// Limit orders of the crowd per second.
    pub noise_rate_hz: f64,
    /// Median size of one, in lots.
    pub noise_lots: f64,
    /// Marketable orders per second that come unprovoked; each provokes as many again as `taker_branching` says.
    pub taker_rate_hz: f64,
    /// Mean number of marketable orders one marketable order provokes (Hawkes branching ratio, below 1).
    pub taker_branching: f64,
    /// Median size of one, in lots.
    pub taker_lots: f64,
    /// What one lot traded moves the makers' value, in ticks.
    pub impact_ticks_per_lot: f64,
    /// Large ordinary parent orders per minute.
    pub parents_per_min: f64,
    /// Ordinary large orders per minute that take a good part of the levels near the touch at once.
    pub sweeps_per_min: f64,
}

impl Profile {
    /// The index future of the flash crash: deep, one tick wide, tick 0.25 at 5000.00.
    #[must_use]
    pub fn index_future() -> Self {
        Self {
            symbol: symbol("FUTX"),
            tick_1e4: 2_500,
            start_px_ticks: 20_000,
            sigma_ticks: 1.1,
            common_share: 0.7,
            makers: 5,
            maker_lots: 30.0,
            half_spread_ticks: 0.05,
            maker_levels: 12,
            maker_rate_hz: 3.4,
            inventory_max_lots: 450.0,
            hedge_lots_per_s: 12.0,
            noise_rate_hz: 34.0,
            noise_lots: 7.0,
            taker_rate_hz: 1.2,
            taker_branching: 0.5,
            taker_lots: 8.0,
            impact_ticks_per_lot: 0.0105,
            parents_per_min: 0.8,
            sweeps_per_min: 0.7,
        }
    }

    /// A liquid share at about `px_cents`, tick 0.01, `vol_bps` of volatility a minute.
    fn share(name: &str, px_cents: i64, vol_bps: f64, half_spread_ticks: f64, pace: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "cents of a share price fit")]
        let minute_ticks = px_cents as f64 * vol_bps * 1.35e-4;
        let maker_lots = 45.0 * pace.sqrt();
        Self {
            symbol: symbol(name),
            tick_1e4: 100,
            start_px_ticks: px_cents,
            sigma_ticks: minute_ticks / 60.0_f64.sqrt(),
            common_share: 0.4,
            makers: 5,
            maker_lots,
            half_spread_ticks,
            maker_levels: 10,
            maker_rate_hz: 2.0 * pace,
            inventory_max_lots: 14.0 * maker_lots,
            hedge_lots_per_s: 0.35 * maker_lots,
            noise_rate_hz: 12.0 * pace,
            noise_lots: 20.0,
            taker_rate_hz: 0.4 * pace,
            taker_branching: 0.5,
            taker_lots: 25.0,
            impact_ticks_per_lot: 0.12 * half_spread_ticks.max(0.4) / maker_lots,
            parents_per_min: 0.6,
            sweeps_per_min: 0.8,
        }
    }

    /// A share few people trade: two makers with little to show, far apart.
    #[must_use]
    pub fn thin_share() -> Self {
        let calm = Self::share("THIN", 2_460, 4.0, 5.0, 0.35);
        Self {
            makers: 2,
            maker_lots: 12.0,
            maker_levels: 6,
            inventory_max_lots: 220.0,
            hedge_lots_per_s: 4.0,
            noise_rate_hz: 2.2,
            noise_lots: 10.0,
            taker_rate_hz: 0.06,
            taker_lots: 8.0,
            impact_ticks_per_lot: 0.008,
            parents_per_min: 0.1,
            sweeps_per_min: 0.25,
            ..calm
        }
    }

    /// The first `count` instruments of the simulated venue: the index future, then shares. The list never changes
    /// with a scenario's seed, so that a model trained on one scenario knows the instruments of another.
    #[must_use]
    pub fn roster(count: usize) -> Vec<Self> {
        let named = [
            Self::index_future(),
            Self::share("ALFA", 18_742, 4.0, 0.9, 1.6),
            Self::share("BRVO", 9_215, 4.5, 0.35, 1.2),
            Self::share("CHRL", 4_830, 4.5, 0.25, 1.0),
            Self::share("DLTA", 31_190, 3.5, 2.2, 1.3),
            Self::share("ECHO", 2_545, 4.2, 0.15, 0.8),
            Self::share("FXTR", 14_308, 5.0, 1.2, 0.9),
            Self::share("GOLF", 6_675, 4.0, 0.3, 0.7),
            Self::thin_share(),
        ];
        let generated = (named.len()..count).map(Self::generated);
        named.iter().take(count).cloned().chain(generated).collect()
    }

    /// Instrument number `index` of the roster beyond the named ones.
    fn generated(index: usize) -> Self {
        let mut dice = Dice::new(0x5EED_0F57_0C45, index as u64);
        let px = dice.lognormal(7_000.0, 0.7).clamp(1_000.0, 60_000.0);
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let px_cents = px as i64;
        let half_spread = (px / 16_000.0 * dice.range(0.7, 1.6)).clamp(0.15, 3.0);
        Self::share(
            &format!("SIM{index:02}"),
            px_cents,
            dice.range(3.0, 6.0),
            half_spread,
            dice.range(0.5, 1.4),
        )
    }
}

/// The symbol with this name.
///
/// # Panics
/// When `name` is no symbol; only names written in this module are passed.
fn symbol(name: &str) -> Symbol {
    Symbol::new(name).expect("the roster's names are symbols")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_roster_begins_with_the_shorter_one() {
        let (short, long) = (Profile::roster(6), Profile::roster(32));
        assert_eq!(short[..], long[..6]);
        assert_eq!(long.len(), 32);
        let mut names: Vec<_> = long.iter().map(|p| p.symbol).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 32, "no symbol twice");
    }
}
