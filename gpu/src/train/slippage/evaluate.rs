//! How good predicted quantiles are: pinball loss against the baselines, coverage, and growth with size.

use super::baseline::Baselines;
use super::dataset::Sample;
use crate::heads::slippage::{
    SLIPPAGE_OUTPUTS, SLIPPAGE_QUANTILE, SLIPPAGE_SIZES, SlippageHoldout, SlippageModel, SlippageReport,
};

/// Coverage of the holdout outside of which a head is not to be used.
const COVERAGE_BOUNDS: (f64, f64) = (0.80, 0.98);

/// Loss of predicting the quantile of `cost` as `predicted` (Koenker and Bassett 1978).
pub(super) fn pinball(predicted: f64, cost: f64) -> f64 {
    let short = cost - predicted;
    (SLIPPAGE_QUANTILE * short).max((SLIPPAGE_QUANTILE - 1.0) * short)
}

/// Slope of the least-squares line of ln(cost) over ln(size); none with fewer than two positive costs.
fn slope(costs: &[f64]) -> Option<f64> {
    let priced = SLIPPAGE_SIZES.into_iter().zip(costs).filter(|(_, cost)| cost.is_finite() && **cost > 0.0);
    let points: Vec<(f64, f64)> = priced.map(|(size, cost)| (f64::from(size).ln(), cost.ln())).collect();
    if points.len() < 2 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "eight at most")]
    let n = points.len() as f64;
    let mean = |f: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    Some(mean(&|p| (p.0 - x) * (p.1 - y)) / mean(&|p| (p.0 - x).powi(2)))
}

/// Predicted and realised cost of every output of `sample` that the symbol's book holds, usually and at the decision; a size
/// that it did not hold at the fill costs infinitely much.
pub(super) fn outcomes(head: &SlippageModel, sample: &Sample) -> impl Iterator<Item = (usize, f64, f64)> {
    let predicted = head.slippage_bps(head.scale(sample.symbol), &sample.now, &sample.input);
    let next = sample.next;
    (0..SLIPPAGE_OUTPUTS)
        .filter(move |i| predicted[*i].is_finite())
        .map(move |i| (i, predicted[i], if next[i].is_nan() { f64::INFINITY } else { f64::from(next[i]) }))
}

/// Mean pinball loss of the head where the cost is known.
pub(super) fn mean_loss(head: &SlippageModel, samples: &[Sample]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for sample in samples {
        for (_, predicted, cost) in outcomes(head, sample).filter(|(_, _, cost)| cost.is_finite()) {
            sum += pinball(predicted, cost);
            count += 1.0;
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}

/// The head and the baselines on `samples`.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
pub(super) fn holdout(head: &SlippageModel, baselines: &Baselines, samples: &[Sample]) -> SlippageHoldout {
    let mut report = SlippageHoldout { rows: samples.len() as u64, ..SlippageHoldout::default() };
    let mut sizes = [(0_u64, 0_u64); SLIPPAGE_SIZES.len()];
    let (mut slopes, mut sloped) = (0.0, 0_u64);
    for sample in samples {
        for (i, predicted, cost) in outcomes(head, sample) {
            let (covered, all) = &mut sizes[i % SLIPPAGE_SIZES.len()];
            (*covered, *all) = (*covered + u64::from(cost <= predicted), *all + 1);
            if let Some((root, walk)) = baselines.predict(sample, i).filter(|_| cost.is_finite()) {
                report.compared += 1;
                report.pinball_head += pinball(predicted, cost);
                report.pinball_square_root += pinball(root, cost);
                report.pinball_walk += pinball(walk, cost);
            }
        }
        let costs = head.slippage_bps(head.scale(sample.symbol), &sample.now, &sample.input);
        for slope in costs.chunks_exact(SLIPPAGE_SIZES.len()).filter_map(slope) {
            (slopes, sloped) = (slopes + slope, sloped + 1);
        }
    }
    let compared = report.compared.max(1) as f64;
    report.pinball_head /= compared;
    report.pinball_square_root /= compared;
    report.pinball_walk /= compared;
    report.coverage = share(sizes.iter().map(|s| s.0).sum(), sizes.iter().map(|s| s.1).sum::<u64>().max(1));
    report.coverage_by_size = sizes.iter().filter(|s| s.1 > 0).map(|s| share(s.0, s.1)).collect();
    report.slope = slopes / sloped.max(1) as f64;
    report
}

impl SlippageReport {
    /// Why the head is not to be used, if so: its quantile covers too few or too many costs, or a baseline is better.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let (holdout, (low, high)) = (&self.holdout, COVERAGE_BOUNDS);
        if !(low..=high).contains(&holdout.coverage) {
            return Some(format!(
                "coverage of the {} % quantile: found {:.2} % on the holdout, wanted {} to {} %",
                SLIPPAGE_QUANTILE * 100.0,
                holdout.coverage * 100.0,
                low * 100.0,
                high * 100.0
            ));
        }
        let best = holdout.pinball_square_root.min(holdout.pinball_walk);
        // Also refused when a loss is NaN.
        let better = holdout.pinball_head < best;
        (!better).then(|| {
            format!(
                "pinball loss: found {:.5} bps on the holdout, wanted less than the best baseline's {best:.5}",
                holdout.pinball_head
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_weighs_a_cost_above_nine_times_one_below() {
        assert!((pinball(1.0, 3.0) - 1.8).abs() < 1e-12);
        assert!((pinball(3.0, 1.0) - 0.2).abs() < 1e-12);
        assert_eq!(pinball(2.0, 2.0), 0.0);
        assert_eq!(pinball(1.0, f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn the_slope_is_the_exponent_of_a_power_law() {
        let power = |exponent: f64| SLIPPAGE_SIZES.map(|size| 3.0 * f64::from(size).powf(exponent));
        assert!((slope(&power(0.5)).unwrap() - 0.5).abs() < 1e-12);
        let mut costs = power(0.6);
        costs[0] = 0.0;
        costs[7] = f64::INFINITY;
        assert!((slope(&costs).unwrap() - 0.6).abs() < 1e-12, "what has no logarithm is left out");
        assert_eq!(slope(&[0.0, 1.0]), None);
    }
}
