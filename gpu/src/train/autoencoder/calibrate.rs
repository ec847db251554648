//! The law of the raw scores of calm markets, fitted: quantiles below the threshold, and above it a tail of cluster maxima.

use types::{Symbol, UnixNanos};

use super::gpd::{fit, fit_scale};
use crate::captures::quantile;
use crate::model::{Calibration, CalibrationConfig, Calibrations, Gpd, KNOT_COUNT, SHAPE_BOUNDS, TAIL_FROM};

/// Clusters a tail needs before its shape is believed; with fewer the upper bound is taken, the slowest to alarm, as
/// an uncertain tail must not trip breakers.
const CLUSTERS_MIN: usize = 30;

/// A raw score of a calm moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ScoredRow {
    /// Grid point.
    pub(super) ts: UnixNanos,
    /// Instrument.
    pub(super) symbol: Symbol,
    /// Which of the captures it is from: two of them may be of one time, as simulated days are.
    pub(super) capture: usize,
    /// Raw score; not a number or infinite ones are left out.
    pub(super) raw: f64,
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

/// Fits the law to `scores`, sorted by symbol, capture and time; `shape` is the tail's where theory says it.
fn fit_calibration(
    scores: &[ScoredRow],
    gap_ns: u64,
    shape: Option<f64>,
) -> Result<Calibration, CalibrateError> {
    let mut sorted: Vec<f64> = scores.iter().map(|s| s.raw).collect();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred knots")]
    let knots: Vec<f64> =
        (0..KNOT_COUNT).map(|i| quantile(&sorted, TAIL_FROM * i as f64 / (KNOT_COUNT - 1) as f64)).collect();
    let threshold = knots[KNOT_COUNT - 1];
    let above = sorted.len() - sorted.partition_point(|s| *s <= threshold);
    let maxima = cluster_maxima(scores, threshold, gap_ns);
    let law = match shape {
        Some(shape) => fit_scale(&maxima, shape),
        None => fit_tail(&maxima),
    };
    let law = law.ok_or(CalibrateError::NoTail { threshold })?;
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    let tail_share = above as f64 / sorted.len() as f64;
    Ok(Calibration {
        knots,
        tail_share,
        shape: law.shape,
        scale: law.scale,
        rows: sorted.len() as u64,
        clusters: maxima.len() as u64,
    })
}

/// Largest excess of each cluster of exceedances, per symbol and capture.
fn cluster_maxima(scores: &[ScoredRow], threshold: f64, gap_ns: u64) -> Vec<f64> {
    let mut maxima: Vec<f64> = Vec::new();
    let mut last: Option<((Symbol, usize), UnixNanos)> = None;
    for s in scores.iter().filter(|s| s.raw > threshold) {
        let of = (s.symbol, s.capture);
        let joined = last.is_some_and(|(other, ts)| other == of && s.ts.since(ts).0 <= gap_ns);
        let excess = s.raw - threshold;
        match maxima.last_mut() {
            Some(max) if joined => *max = max.max(excess),
            _ => maxima.push(excess),
        }
        last = Some((of, s.ts));
    }
    maxima
}

/// The tail within [`SHAPE_BOUNDS`]; a fit outside is moved to the nearer bound and its scale fitted again.
fn fit_tail(maxima: &[f64]) -> Option<Gpd> {
    if maxima.len() < CLUSTERS_MIN {
        return fit_scale(maxima, SHAPE_BOUNDS.1);
    }
    let free = fit(maxima)?;
    let shape = free.shape.clamp(SHAPE_BOUNDS.0, SHAPE_BOUNDS.1);
    if (shape - free.shape).abs() < 1e-12 { Some(free) } else { fit_scale(maxima, shape) }
}

/// Fits the calibrations to raw scores of calm markets, in any order.
///
/// # Errors
/// Fewer scores than `config.rows_min`, or scores without a tail. A symbol whose own scores have no tail uses the
/// pooled law.
pub(super) fn calibrate(
    scores: &[ScoredRow],
    config: &CalibrationConfig,
) -> Result<Calibrations, CalibrateError> {
    calibrate_with(scores, config, None)
}

/// The same, the tail of each symbol's own law of the given shape. That of all together is fitted free: a mixture of light tails is
/// none.
pub(super) fn calibrate_with(
    scores: &[ScoredRow],
    config: &CalibrationConfig,
    symbol_shape: Option<f64>,
) -> Result<Calibrations, CalibrateError> {
    let mut scores: Vec<ScoredRow> = scores.iter().copied().filter(|s| s.raw.is_finite()).collect();
    let wanted = config.rows_min.max(100);
    if scores.len() < wanted {
        return Err(CalibrateError::TooFewScores { found: scores.len(), wanted });
    }
    scores.sort_by_key(|s| (s.symbol, s.capture, s.ts));
    let pooled = fit_calibration(&scores, config.decluster_gap_ns, None)?;
    let symbols = scores
        .chunk_by(|a, b| a.symbol == b.symbol)
        .filter(|group| group.len() >= config.symbol_rows_min.max(wanted))
        .filter_map(|group| {
            Some((group[0].symbol, fit_calibration(group, config.decluster_gap_ns, symbol_shape).ok()?))
        })
        .collect();
    Ok(Calibrations { pooled, symbols })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_fit::random::{Purpose, Random};
    use proptest::prelude::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    /// One score every `step_ns` from `draw`.
    fn series(name: &str, count: u64, step_ns: u64, mut draw: impl FnMut() -> f64) -> Vec<ScoredRow> {
        (0..count)
            .map(|i| ScoredRow { ts: UnixNanos(i * step_ns), symbol: symbol(name), capture: 0, raw: draw() })
            .collect()
    }

    fn exponential(count: u64, seed: u64) -> Vec<ScoredRow> {
        let mut random = Random::new(seed, Purpose::Init);
        // Ten seconds apart: every exceedance is a cluster of its own.
        series("A", count, 10_000_000_000, || -random.uniform().ln())
    }

    /// The raw score that calm markets pass with probability `p`, at most the tail's.
    fn raw_at(calibration: &Calibration, p: f64) -> f64 {
        let tail = Gpd { shape: calibration.shape, scale: calibration.scale };
        calibration.knots[KNOT_COUNT - 1] + tail.excess_at(p / calibration.tail_share)
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
        assert!((calibration.p_value(raw_at(&calibration, 1e-5)).unwrap() / 1e-5 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_long_disturbance_is_one_cluster() {
        let mut scores = exponential(5_000, 6);
        let start = 60_000_000_000_000;
        scores.extend((0..60).map(|i| ScoredRow {
            ts: UnixNanos(start + i * 100_000_000),
            symbol: symbol("B"),
            capture: 0,
            raw: 8.0,
        }));
        let with = calibrate(&scores, &CalibrationConfig::default()).unwrap().pooled;
        let unclustered = CalibrationConfig { decluster_gap_ns: 0, ..CalibrationConfig::default() };
        let without = calibrate(&scores, &unclustered).unwrap().pooled;
        assert!(with.clusters + 50 < without.clusters, "{} {}", with.clusters, without.clusters);
    }

    #[test]
    fn what_is_of_two_captures_is_no_cluster() {
        let clusters = |capture: usize| {
            let mut scores = exponential(5_000, 6);
            let mut other = exponential(5_000, 7);
            other.iter_mut().for_each(|s| s.capture = capture);
            scores.extend(other);
            // Of one time, as simulated days are.
            calibrate(&scores, &CalibrationConfig::default()).unwrap().pooled.clusters
        };
        assert!(clusters(1) == 200 && clusters(0) < 200, "{} {}", clusters(1), clusters(0));
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
        assert_eq!(all.symbols.len(), 2);
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
