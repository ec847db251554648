//! Raw scores to a stable scale: raw reconstruction errors change with every retraining, tiers must not. Below the 98 %
//! quantile the empirical law speaks, above it a generalized Pareto tail (Siffer et al. 2017); the displayed score is a fixed
//! map of `-log10 p`.

use serde::{Deserialize, Serialize};

use super::gpd::Gpd;
use crate::inputs::PerSymbol;

/// Where the tail law takes over.
pub(crate) const TAIL_FROM: f64 = 0.98;

/// Knots of the stored empirical law: every half percent from 0 to [`TAIL_FROM`].
pub(crate) const KNOT_COUNT: usize = 197;

/// Bounds of the tail's shape. Lower: a finite end, however well it fits calm data, would turn the first score past
/// the training maximum into certainty; an exponential tail is the lightest that makes no such claim. Upper: 0.3 means
/// moments up to the third exist. A calm sample with a few disturbed minutes fits 0.5 and more, and under such a law a
/// score a hundred times the usual excess would still be ordinary: with 0.3 the p-value of 1e-7 lies 126 scales above
/// the threshold, with 0.5 it would lie 900 above, beyond what winsorised inputs can reach.
pub(crate) const SHAPE_BOUNDS: (f64, f64) = (0.0, 0.3);

/// Smallest p-value told apart; far beyond the map's end, it keeps the logarithm finite.
const P_MIN: f64 = 1e-300;

/// `-log10 p` to the displayed score. With the default tiers: Elevated from p = 1e-4, High from 1e-6,
/// Critical from 1e-7.
const DISPLAY: [(f64, f64); 6] = [(0.0, 0.0), (2.0, 0.02), (4.0, 0.05), (6.0, 0.30), (7.0, 0.80), (8.0, 1.0)];

/// The law of raw scores in calm markets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Raw scores at probabilities 0, 0.005, …, 0.98, ascending.
    pub knots: Vec<f64>,
    /// Share of calm scores above the last knot.
    pub tail_share: f64,
    /// Tail shape, within `SHAPE_BOUNDS`.
    pub shape: f64,
    /// Tail scale, in raw score.
    pub scale: f64,
    /// Scores it was made from.
    pub rows: u64,
    /// Independent exceedances the tail was fitted to.
    pub clusters: u64,
}

impl Calibration {
    /// Probability that a calm market scores above `raw`; `None` when `raw` is not a number. Never rises with `raw`.
    #[inline]
    #[must_use]
    pub fn p_value(&self, raw: f64) -> Option<f64> {
        if raw.is_nan() {
            return None;
        }
        let threshold = *self.knots.last()?;
        if raw > threshold {
            let tail = Gpd { shape: self.shape, scale: self.scale };
            return Some((self.tail_share * tail.survival(raw - threshold)).max(P_MIN));
        }
        let above = self.knots.partition_point(|k| *k < raw);
        if above == 0 {
            return Some(1.0);
        }
        let (low, high) = (self.knots[above - 1], self.knots[above]);
        let fraction = if high > low { (raw - low) / (high - low) } else { 1.0 };
        #[expect(clippy::cast_precision_loss, reason = "a few hundred knots")]
        let below = TAIL_FROM * ((above - 1) as f64 + fraction) / (KNOT_COUNT - 1) as f64;
        Some((1.0 - below).max(self.tail_share))
    }

    /// Share of calm grid points at which an alarm beyond `raw` begins, which is less than [`Calibration::p_value`]: what stays beyond
    /// for long is one alarm. In the tail the clusters are counted, below it what leads there continuously. None when `raw` is not a
    /// number; never rises with `raw`.
    #[inline]
    #[must_use]
    pub fn alarm_share(&self, raw: f64) -> Option<f64> {
        let share = self.p_value(raw)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
        let begins = (self.clusters.max(1) as f64 / self.rows.max(1) as f64).min(self.tail_share);
        if share <= self.tail_share {
            return Some((share / self.tail_share * begins).max(P_MIN));
        }
        Some(share.powf(begins.ln() / self.tail_share.ln()))
    }

    /// The calibrated score in [0, 1], of the share of alarms; `None` when `raw` is not a number.
    #[inline]
    #[must_use]
    pub fn score(&self, raw: f64) -> Option<f32> {
        self.alarm_share(raw).map(display)
    }

    /// What is wrong with a calibration read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.knots.len() != KNOT_COUNT {
            return Some("a number of knots other than 197");
        }
        if !self.knots.iter().all(|k| k.is_finite()) || !self.knots.is_sorted() {
            return Some("knots that are not in ascending order");
        }
        // The threshold is a row, so the share above it can exceed the quantile's by one row.
        let share_max = 1.0 - TAIL_FROM + 1.0 / (self.rows.max(1) as f64) + 1e-9;
        if !(self.tail_share > 0.0 && self.tail_share <= share_max) {
            return Some("a tail share outside (0, 0.02]");
        }
        if !(SHAPE_BOUNDS.0..=SHAPE_BOUNDS.1).contains(&self.shape) {
            return Some("a tail shape outside [0, 0.3]");
        }
        (!(self.scale.is_finite() && self.scale > 0.0)).then_some("a tail scale that is not positive")
    }
}

/// The displayed score of a p-value.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a display value in [0, 1]")]
pub(crate) fn display(p: f64) -> f32 {
    let l = -p.max(P_MIN).log10();
    let mut from = DISPLAY[0];
    for to in DISPLAY {
        if l < to.0 {
            return (from.1 + (to.1 - from.1) * (l - from.0) / (to.0 - from.0)) as f32;
        }
        from = to;
    }
    1.0
}

/// The calibrations of a model: pooled, and one for each symbol with enough rows.
pub type Calibrations = PerSymbol<Calibration>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_begins_less_often_than_it_is_on() {
        let knots = (0..KNOT_COUNT).map(|i| i as f64 / 196.0).collect();
        let law =
            Calibration { knots, tail_share: 0.02, shape: 0.0, scale: 1.0, rows: 100_000, clusters: 50 };
        assert_eq!((law.alarm_share(-1.0), law.alarm_share(f64::NAN)), (Some(1.0), None));
        // Two in a hundred rows in fifty clusters: one in two thousand begins one.
        let at = |raw: f64| law.alarm_share(raw).unwrap();
        assert!((at(1.0) - 5e-4).abs() < 1e-12 && (at(3.0) - 5e-4 * (-2.0_f64).exp()).abs() < 1e-12);
        let all: Vec<f64> = (0..40_000).map(|i| at(f64::from(i) / 1e4)).collect();
        assert!(all.windows(2).all(|w| w[1] <= w[0] && w[0] < w[1] * 1.05 + 1e-12), "without a step");
        assert!((0..40_000).all(|i| law.p_value(f64::from(i) / 1e4).unwrap() >= all[i as usize]));
    }

    #[test]
    fn the_display_map_passes_its_knots_and_keeps_the_seed_bands() {
        for (l, want) in DISPLAY {
            assert!((f64::from(display(10_f64.powf(-l))) - want).abs() < 1e-6);
        }
        assert!((f64::from(display(1e-1)) - 0.01).abs() < 1e-7);
        assert!((f64::from(display(1e-5)) - 0.175).abs() < 1e-6);
        assert_eq!(display(0.0), 1.0);
    }
}
