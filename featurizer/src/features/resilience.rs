//! Recovery of the touch after a large trade: as much of it as one number can carry (Large 2007, "Measuring the
//! resiliency of an electronic limit order book", measures more).
//!
//! **Definition.** *Depth* of a side, seen from a price, is the quantity among its ten best levels that is not worse than the
//! price by 5 ticks or more. The *baseline* of a side is the exponential mean, time constant 1 s, of its depth seen from its own
//! best price, sampled at grid points while the book is live; it exists after ten samples. Trades against one side within 10 ms
//! of the first are a *burst*; a burst whose volume reaches half of the baseline is a *shock*. A shock keeps the best price
//! before its burst, the baseline then (`Q_pre`) and the least depth, seen from that price, from the trade that made it a shock
//! until 10 ms after the burst began (`Q_post`). The feature at a grid point is the share of the deficit made good,
//! `clamp((Q - Q_post) / (Q_pre - Q_post), 0, 1)` with Q the depth seen from the same price now; 1 without a deficit, and 1 when
//! no shock began within the last 30 s. A new shock replaces the one before it (which is thereby censored). Auction prints are
//! no trades here.

use types::{BookLevel, Px, Side};

use super::formula;

/// Levels scanned on each side at a grid point.
pub(crate) const SCAN: usize = formula::PRESSURE_LEVELS;
/// Ticks from the reference price that count as depth.
const REACH_TICKS: i64 = 5;
/// Length of a burst.
pub(crate) const BURST_NS: u64 = 10_000_000;
/// Share of the baseline a burst must take to be a shock.
const SHOCK_SHARE: f64 = 0.5;
/// Age at which a shock is forgotten.
const HORIZON_NS: u64 = 30_000_000_000;
/// Samples until the baseline exists: one second of grid points.
const BASELINE_SAMPLES: u8 = 10;
/// Weight of a new sample, `1 - exp(-0.1 s / 1 s)`.
const BASELINE_WEIGHT: f64 = 0.095_162_581_964_040_48;

/// A large trade and what it left.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shock {
    start_ns: u64,
    side: Side,
    reference: Px,
    pre: f64,
    post: u64,
}

/// Trades in quick succession.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Burst {
    start_ns: u64,
    volume: u64,
    side: Side,
    reference: Px,
}

/// Shock detection and recovery of one instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Resilience {
    baseline: [f64; 2],
    samples: u8,
    burst: Option<Burst>,
    shock: Option<Shock>,
}

impl Resilience {
    /// Nothing known.
    pub(crate) const NEW: Self = Self { baseline: [0.0; 2], samples: 0, burst: None, shock: None };

    /// A trade of `qty` against `side`, whose best price was `best` before it. True when it makes or continues a shock: the
    /// depth then has to be shown to [`Resilience::observe`] after it and every event until [`Resilience::watched_until`].
    pub(crate) fn on_trade(&mut self, ts_ns: u64, side: Side, qty: u64, best: Px) -> bool {
        let continued = self
            .burst
            .filter(|burst| burst.side == side && ts_ns.wrapping_sub(burst.start_ns) <= BURST_NS)
            .map(|burst| Burst { volume: burst.volume.saturating_add(qty), ..burst });
        let burst = continued.unwrap_or(Burst { start_ns: ts_ns, volume: qty, side, reference: best });
        self.burst = Some(burst);
        let pre = self.baseline[side.index()];
        if self.samples < BASELINE_SAMPLES || !burst.reference.is_some() || pre <= 0.0 {
            return false;
        }
        if as_f64(burst.volume) < SHOCK_SHARE * pre {
            return false;
        }
        if self.shock.is_none_or(|shock| shock.start_ns != burst.start_ns || shock.side != side) {
            self.shock = Some(Shock {
                start_ns: burst.start_ns,
                side,
                reference: burst.reference,
                pre,
                post: u64::MAX,
            });
        }
        true
    }

    /// Until when the present shock's least depth is sought; 0 without a shock.
    pub(crate) fn watched_until(&self) -> u64 {
        self.shock.map_or(0, |shock| shock.start_ns.saturating_add(BURST_NS))
    }

    /// Whether the value can change without the book changing: the baseline is not complete, or a shock may be forgotten.
    pub(crate) fn is_moving(&self) -> bool {
        self.samples < BASELINE_SAMPLES || self.shock.is_some()
    }

    /// Side and price the depth is to be seen from.
    pub(crate) fn viewpoint(&self) -> Option<(Side, Px)> {
        self.shock.map(|shock| (shock.side, shock.reference))
    }

    /// Takes note of the depth while a shock is being watched.
    pub(crate) fn observe(&mut self, depth: u64) {
        if let Some(shock) = &mut self.shock {
            shock.post = shock.post.min(depth);
        }
    }

    /// Adds a grid point's depths to the baseline.
    pub(crate) fn sample(&mut self, depth: [u64; 2]) {
        for (mean, now) in self.baseline.iter_mut().zip(depth) {
            let weight = if self.samples == 0 { 1.0 } else { BASELINE_WEIGHT };
            *mean += weight * (as_f64(now) - *mean);
        }
        self.samples = (self.samples + 1).min(BASELINE_SAMPLES);
    }

    /// Adds the same depths at `count` grid points. Ends early where another sample changes nothing any more.
    pub(crate) fn sample_again(&mut self, depth: [u64; 2], count: u64) {
        for _ in 0..count {
            let before = (self.baseline, self.samples);
            self.sample(depth);
            if (self.baseline, self.samples) == before {
                return;
            }
        }
    }

    /// The feature at a grid point; `depth` is seen from [`Resilience::viewpoint`]. None before the baseline exists.
    pub(crate) fn value(&mut self, now_ns: u64, depth: u64) -> Option<f64> {
        if self.samples < BASELINE_SAMPLES {
            return None;
        }
        self.shock = self.shock.filter(|shock| now_ns.saturating_sub(shock.start_ns) <= HORIZON_NS);
        Some(self.shock.map_or(1.0, |shock| formula::recovered_share(shock.pre, shock.post, depth)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "statistics; exact values stay integers")]
fn as_f64(x: u64) -> f64 {
    x as f64
}

/// Quantity of the levels (best first, at most [`SCAN`] of them count) that are not worse than `reference` by
/// [`REACH_TICKS`] or more.
pub(crate) fn depth_seen_from(
    levels: impl Iterator<Item = BookLevel>,
    side: Side,
    reference: Px,
    tick: Px,
) -> u64 {
    let reach = (REACH_TICKS - 1).saturating_mul(tick.0);
    let counts = |level: &BookLevel| match side {
        Side::Bid => level.px.0 >= reference.0.saturating_sub(reach),
        Side::Ask => level.px.0 <= reference.0.saturating_add(reach),
    };
    levels.take(SCAN).take_while(counts).map(|level| level.qty).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const TICK: Px = Px(10_000_000);

    fn settled(depth: u64) -> Resilience {
        let mut r = Resilience::NEW;
        (0..BASELINE_SAMPLES).for_each(|_| r.sample([depth, depth]));
        r
    }

    fn px(ticks: i64) -> Px {
        Px(ticks * TICK.0)
    }

    #[test]
    fn depth_ends_after_five_ticks_and_counts_better_prices() {
        let bids = [102, 100, 97, 96, 95].map(|t| BookLevel { px: px(t), qty: 10, order_count: 1 });
        assert_eq!(depth_seen_from(bids.into_iter(), Side::Bid, px(100), TICK), 40);
        let asks = [101, 105, 106].map(|t| BookLevel { px: px(t), qty: 7, order_count: 1 });
        assert_eq!(depth_seen_from(asks.into_iter(), Side::Ask, px(101), TICK), 14);
    }

    #[test]
    fn the_baseline_is_an_exponential_mean_of_one_second() {
        assert!((BASELINE_WEIGHT - (1.0 - (-0.1_f64).exp())).abs() < 1e-16);
        let mut r = settled(1_000);
        (0..10).for_each(|_| r.sample([0, 0]));
        assert!((r.baseline[0] - 1_000.0 * (-1.0_f64).exp()).abs() < 1e-9, "one second decays to 1/e");
    }

    #[test]
    fn small_trades_are_no_shock_and_many_of_them_within_ten_ms_are() {
        let mut r = settled(1_000);
        assert!(!r.on_trade(100 * MS, Side::Bid, 300, px(100)));
        assert!(!r.on_trade(120 * MS, Side::Bid, 300, px(100)), "too late for the same burst");
        assert!(!r.on_trade(121 * MS, Side::Ask, 300, px(101)), "the other side is another burst");
        assert!(!r.on_trade(130 * MS, Side::Bid, 300, px(100)));
        assert!(r.on_trade(140 * MS, Side::Bid, 200, px(99)), "500 of 1,000 within 10 ms");
        assert_eq!(r.viewpoint(), Some((Side::Bid, px(100))), "seen from the best before the burst");
        assert_eq!(r.watched_until(), 140 * MS);
    }

    #[test]
    fn the_value_is_the_share_of_the_deficit_made_good() {
        let mut r = settled(1_000);
        assert_eq!(r.value(0, 0), Some(1.0));
        assert!(r.on_trade(5 * MS, Side::Ask, 600, px(101)));
        r.observe(400);
        r.observe(200);
        r.observe(300);
        assert_eq!(r.value(100 * MS, 200), Some(0.0));
        assert_eq!(r.value(200 * MS, 600), Some(0.5));
        assert_eq!(r.value(300 * MS, 5_000), Some(1.0));
        assert_eq!(r.value(30_005 * MS, 200), Some(0.0), "30 s old still counts");
        assert_eq!(r.value(30_100 * MS, 200), Some(1.0), "older is forgotten");
        assert_eq!(r.viewpoint(), None);
    }

    #[test]
    fn nothing_is_known_before_a_baseline() {
        let mut r = Resilience::NEW;
        (0..BASELINE_SAMPLES - 1).for_each(|_| r.sample([1_000, 1_000]));
        assert!(!r.on_trade(1, Side::Bid, 10_000, px(100)));
        assert_eq!(r.value(100 * MS, 0), None);
    }

    #[test]
    fn a_new_shock_replaces_the_one_before() {
        let mut r = settled(1_000);
        assert!(r.on_trade(5 * MS, Side::Ask, 600, px(101)));
        r.observe(100);
        assert!(r.on_trade(50 * MS, Side::Bid, 700, px(100)));
        r.observe(900);
        assert_eq!(r.value(100 * MS, 950), Some(0.5), "of the deficit 1,000 - 900");
    }
}
