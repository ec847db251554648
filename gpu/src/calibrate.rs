//! Raw scores to a stable scale (DOMAIN.md 4.1): raw reconstruction errors change with every retraining, tiers must
//! not. Below the 98 % quantile the empirical law speaks, above it a generalized Pareto tail; the displayed score is
//! a fixed map of `-log10 p`.

use serde::{Deserialize, Serialize};
use types::{Symbol, UnixNanos};

use crate::gpd::Gpd;
use crate::normalise::quantile;

/// Where the tail law takes over.
const TAIL_FROM: f64 = 0.98;

/// Knots of the stored empirical law: every half percent from 0 to [`TAIL_FROM`].
const KNOT_COUNT: usize = 197;

/// Bounds of the tail's shape. Lower: a finite end, however well it fits calm data, would turn the first score past
/// the training maximum into certainty; an exponential tail is the lightest that makes no such claim. Upper: 0.3 means
/// moments up to the third exist. A calm sample with a few disturbed minutes fits 0.5 and more, and under such a law a
/// score a hundred times the usual excess would still be ordinary: with 0.3 the p-value of 1e-7 lies 126 scales above
/// the threshold, with 0.5 it would lie 900 above, beyond what winsorised inputs can reach.
pub const SHAPE_BOUNDS: (f64, f64) = (0.0, 0.3);

/// Clusters a tail needs before its shape is believed; with fewer the upper bound is taken, the slowest to alarm, as
/// an uncertain tail must not trip breakers.
const CLUSTERS_MIN: usize = 30;

/// Smallest p-value told apart; far beyond the map's end, it keeps the logarithm finite.
const P_MIN: f64 = 1e-300;

/// `-log10 p` to the displayed score (DOMAIN.md 4.1 item 4). The seed's bands: Elevated from p = 1e-4, High from 1e-6,
/// Critical from 1e-7.
const DISPLAY: [(f64, f64); 6] = [(0.0, 0.0), (2.0, 0.02), (4.0, 0.05), (6.0, 0.30), (7.0, 0.80), (8.0, 1.0)];

/// Settings of a calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationConfig {
    /// Rows without which no calibration is made at all (SPOT's initial batch).
    pub rows_min: usize,
    /// Rows from which a symbol gets its own.
    pub symbol_rows_min: usize,
    /// Exceedances closer than this belong to one cluster, of which the maximum counts (runs method).
    pub decluster_gap_ns: u64,
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self { rows_min: 1_000, symbol_rows_min: 20_000, decluster_gap_ns: 5_000_000_000 }
    }
}

/// A raw score of a calm moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredRow {
    /// Grid point.
    pub ts: UnixNanos,
    /// Instrument.
    pub symbol: Symbol,
    /// Raw score; not a number or infinite ones are left out.
    pub raw: f64,
}

/// Why no calibration came out.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CalibrateError {
    /// Too little data.
    #[error("calibration: found {found} scores, wanted at least {wanted}")]
    TooFewScores {
        /// Scores that are numbers.
        found: usize,
        /// Scores wanted.
        wanted: usize,
    },
    /// The scores do not vary above their 98 % quantile.
    #[error(
        "calibration: the scores above the 98 % quantile {threshold} are all equal, so they have no tail to fit"
    )]
    NoTail {
        /// The quantile.
        threshold: f64,
    },
}

/// The law of raw scores in calm markets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Raw scores at probabilities 0, 0.005, …, 0.98, ascending.
    pub knots: Vec<f64>,
    /// Share of calm scores above the last knot.
    pub tail_share: f64,
    /// Tail shape, within [`SHAPE_BOUNDS`].
    pub shape: f64,
    /// Tail scale, in raw score.
    pub scale: f64,
    /// Scores it was made from.
    pub rows: u64,
    /// Independent exceedances the tail was fitted to.
    pub clusters: u64,
}

impl Calibration {
    /// Fits the law to `scores`, sorted by symbol, then time.
    fn fit(scores: &[ScoredRow], gap_ns: u64) -> Result<Self, CalibrateError> {
        let mut sorted: Vec<f64> = scores.iter().map(|s| s.raw).collect();
        sorted.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred knots")]
        let knots: Vec<f64> = (0..KNOT_COUNT)
            .map(|i| quantile(&sorted, TAIL_FROM * i as f64 / (KNOT_COUNT - 1) as f64))
            .collect();
        let threshold = knots[KNOT_COUNT - 1];
        let above = sorted.len() - sorted.partition_point(|s| *s <= threshold);
        let maxima = cluster_maxima(scores, threshold, gap_ns);
        let law = fit_tail(&maxima).ok_or(CalibrateError::NoTail { threshold })?;
        #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
        let tail_share = above as f64 / sorted.len() as f64;
        Ok(Self {
            knots,
            tail_share,
            shape: law.shape,
            scale: law.scale,
            rows: sorted.len() as u64,
            clusters: maxima.len() as u64,
        })
    }

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

    /// The calibrated score in [0, 1]; `None` when `raw` is not a number.
    #[inline]
    #[must_use]
    pub fn score(&self, raw: f64) -> Option<f32> {
        self.p_value(raw).map(display)
    }

    /// The raw score that calm markets pass with probability `p`, for thresholds and reports (`p` at most the tail's).
    #[must_use]
    pub fn raw_at(&self, p: f64) -> f64 {
        let threshold = self.knots.last().copied().unwrap_or(f64::INFINITY);
        threshold + Gpd { shape: self.shape, scale: self.scale }.excess_at(p / self.tail_share)
    }

    /// What is wrong with a calibration read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.knots.len() != KNOT_COUNT {
            return Some("a number of knots other than 197");
        }
        if !self.knots.iter().all(|k| k.is_finite()) || !self.knots.is_sorted() {
            return Some("knots that do not ascend");
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
pub fn display(p: f64) -> f32 {
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

/// Largest excess of each cluster of exceedances, per symbol.
fn cluster_maxima(scores: &[ScoredRow], threshold: f64, gap_ns: u64) -> Vec<f64> {
    let mut maxima: Vec<f64> = Vec::new();
    let mut last: Option<(Symbol, UnixNanos)> = None;
    for s in scores.iter().filter(|s| s.raw > threshold) {
        let joined = last.is_some_and(|(symbol, ts)| symbol == s.symbol && s.ts.since(ts).0 <= gap_ns);
        let excess = s.raw - threshold;
        match maxima.last_mut() {
            Some(max) if joined => *max = max.max(excess),
            _ => maxima.push(excess),
        }
        last = Some((s.symbol, s.ts));
    }
    maxima
}

/// The tail within [`SHAPE_BOUNDS`]; a fit outside is moved to the nearer bound and its scale fitted again.
fn fit_tail(maxima: &[f64]) -> Option<Gpd> {
    if maxima.len() < CLUSTERS_MIN {
        return Gpd::fit_scale(maxima, SHAPE_BOUNDS.1);
    }
    let free = Gpd::fit(maxima)?;
    let shape = free.shape.clamp(SHAPE_BOUNDS.0, SHAPE_BOUNDS.1);
    if (shape - free.shape).abs() < 1e-12 { Some(free) } else { Gpd::fit_scale(maxima, shape) }
}

/// The calibrations of a model: pooled, and one for each symbol with enough rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrations {
    /// All symbols together.
    pub pooled: Calibration,
    /// Sorted by symbol.
    pub(crate) symbols: Vec<(Symbol, Calibration)>,
}

impl Calibrations {
    /// The calibration that holds for `symbol`.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> &Calibration {
        match self.symbols.binary_search_by_key(&symbol, |(name, _)| *name) {
            Ok(i) => &self.symbols[i].1,
            Err(_) => &self.pooled,
        }
    }

    /// Symbols with a calibration of their own.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        self.symbols.len()
    }
}

/// Fits the calibrations to raw scores of calm markets, in any order.
///
/// # Errors
/// Fewer scores than `config.rows_min`, or scores without a tail. A symbol whose own scores have no tail uses the
/// pooled law.
pub fn calibrate(scores: &[ScoredRow], config: &CalibrationConfig) -> Result<Calibrations, CalibrateError> {
    let mut scores: Vec<ScoredRow> = scores.iter().copied().filter(|s| s.raw.is_finite()).collect();
    let wanted = config.rows_min.max(100);
    if scores.len() < wanted {
        return Err(CalibrateError::TooFewScores { found: scores.len(), wanted });
    }
    scores.sort_by_key(|s| (s.symbol, s.ts));
    let pooled = Calibration::fit(&scores, config.decluster_gap_ns)?;
    let symbols = scores
        .chunk_by(|a, b| a.symbol == b.symbol)
        .filter(|group| group.len() >= config.symbol_rows_min.max(wanted))
        .filter_map(|group| Some((group[0].symbol, Calibration::fit(group, config.decluster_gap_ns).ok()?)))
        .collect();
    Ok(Calibrations { pooled, symbols })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};
    use proptest::prelude::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    /// One score every `step_ns` from `draw`.
    fn series(name: &str, count: u64, step_ns: u64, mut draw: impl FnMut() -> f64) -> Vec<ScoredRow> {
        (0..count)
            .map(|i| ScoredRow { ts: UnixNanos(i * step_ns), symbol: symbol(name), raw: draw() })
            .collect()
    }

    fn exponential(count: u64, seed: u64) -> Vec<ScoredRow> {
        let mut random = Random::new(seed, Purpose::Init);
        // Ten seconds apart: every exceedance is a cluster of its own.
        series("A", count, 10_000_000_000, || -random.uniform().ln())
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

    #[test]
    fn p_values_of_an_exponential_law_are_its_survival() {
        let calibration = calibrate(&exponential(200_000, 5), &CalibrationConfig::default()).unwrap().pooled;
        for raw in [0.1_f64, 1.0, 3.0] {
            let p = calibration.p_value(raw).unwrap();
            assert!((p - (-raw).exp()).abs() < 0.004, "p({raw}) = {p}");
        }
        // In the far tail the exponent matters: within a third of a decade at 1e-7.
        let l = -calibration.p_value(16.118).unwrap().log10();
        assert!((l - 7.0).abs() < 1.0, "{l}");
        assert!((calibration.p_value(calibration.raw_at(1e-5)).unwrap() / 1e-5 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_long_disturbance_is_one_cluster() {
        let mut scores = exponential(5_000, 6);
        let start = 60_000_000_000_000;
        scores.extend((0..60).map(|i| ScoredRow {
            ts: UnixNanos(start + i * 100_000_000),
            symbol: symbol("B"),
            raw: 8.0,
        }));
        let with = calibrate(&scores, &CalibrationConfig::default()).unwrap().pooled;
        let unclustered = CalibrationConfig { decluster_gap_ns: 0, ..CalibrationConfig::default() };
        let without = calibrate(&scores, &unclustered).unwrap().pooled;
        assert!(with.clusters + 50 < without.clusters, "{} {}", with.clusters, without.clusters);
    }

    #[test]
    fn a_heavy_tail_is_bounded_so_that_a_crash_still_alarms() {
        let mut random = Random::new(9, Purpose::Init);
        // Pareto with shape 0.8: one value in a thousand is hundreds of times the median.
        let scores = series("A", 50_000, 10_000_000_000, || random.uniform().powf(-0.8));
        let calibration = calibrate(&scores, &CalibrationConfig::default()).unwrap().pooled;
        assert_eq!(calibration.shape, SHAPE_BOUNDS.1);
        let crash = calibration.knots[KNOT_COUNT - 1] + 127.0 * calibration.scale;
        assert!(calibration.score(crash).unwrap() >= 0.8, "{:?}", calibration.score(crash));
    }

    #[test]
    fn a_light_tail_never_makes_the_training_maximum_a_wall() {
        let mut random = Random::new(10, Purpose::Init);
        let scores = series("A", 50_000, 10_000_000_000, || random.uniform());
        let calibration = calibrate(&scores, &CalibrationConfig::default()).unwrap().pooled;
        assert_eq!(calibration.shape, 0.0);
        assert!(calibration.score(1.001).unwrap() < 0.05);
        assert_eq!(calibration.score(100.0), Some(1.0));
    }

    #[test]
    fn symbols_with_enough_rows_have_their_own_law() {
        let mut random = Random::new(12, Purpose::Init);
        let mut scores = series("CALM", 25_000, 100_000_000, || -random.uniform().ln());
        scores.extend(series("WILD", 25_000, 100_000_000, || -10.0 * random.uniform().ln()));
        scores.extend(series("RARE", 2_000, 100_000_000, || -random.uniform().ln()));
        let all = calibrate(&scores, &CalibrationConfig::default()).unwrap();
        assert_eq!(all.symbol_count(), 2);
        assert!(all.of(symbol("CALM")).score(30.0).unwrap() > 0.3);
        assert!(all.of(symbol("WILD")).score(30.0).unwrap() < 0.05);
        assert_eq!(all.of(symbol("RARE")), &all.pooled);
    }

    #[test]
    fn too_little_or_flat_data_is_refused_in_one_line() {
        let few = calibrate(&exponential(10, 1), &CalibrationConfig::default()).unwrap_err();
        assert_eq!(few.to_string(), "calibration: found 10 scores, wanted at least 1000");
        let flat = calibrate(&series("A", 2_000, 1, || 1.0), &CalibrationConfig::default()).unwrap_err();
        assert_eq!(flat, CalibrateError::NoTail { threshold: 1.0 });
    }

    #[test]
    fn a_score_that_is_no_number_has_no_calibrated_score() {
        let calibration = calibrate(&exponential(2_000, 2), &CalibrationConfig::default()).unwrap().pooled;
        assert_eq!(calibration.score(f64::NAN), None);
        assert_eq!(calibration.score(f64::INFINITY), Some(1.0));
    }

    proptest! {
        #[test]
        fn higher_raw_scores_never_show_lower(seed in 0_u64..50, a in -1.0_f64..40.0, b in -1.0_f64..40.0) {
            let calibration = calibrate(&exponential(1_000, seed), &CalibrationConfig::default()).unwrap().pooled;
            prop_assert!(calibration.fault().is_none());
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            let (low, high) = (calibration.score(low).unwrap(), calibration.score(high).unwrap());
            prop_assert!(low <= high && (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
        }
    }
}
