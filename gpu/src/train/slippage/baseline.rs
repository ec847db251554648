//! What the head has to beat, with constants of each symbol, as the head has: a volatility times the square
//! root of the size (A), and the walk of the present book plus what it usually lacks by the time of the fill (C).

use std::collections::BTreeMap;

use types::Symbol;

use super::dataset::{Sample, by_symbol};
use crate::captures::quantile;
use crate::heads::slippage::{SLIPPAGE_QUANTILE, SLIPPAGE_SIZES};

/// Constants of one symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Constants {
    /// Cost of one touch in units of the last minute's volatility.
    y: f64,
    /// By size, in bps.
    offset_bps: [f64; SLIPPAGE_SIZES.len()],
}

/// Both baselines.
#[derive(Clone, Debug)]
pub(super) struct Baselines(BTreeMap<Symbol, Constants>);

/// The value `v` of `(v, weight)` below which [`SLIPPAGE_QUANTILE`] of the weight lies.
fn weighted_quantile(mut values: Vec<(f64, f64)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = SLIPPAGE_QUANTILE * values.iter().map(|v| v.1).sum::<f64>();
    let mut below = 0.0;
    let reached = |(v, weight): &(f64, f64)| {
        below += weight;
        (below >= wanted).then_some(*v)
    };
    values.iter().find_map(reached)
}

/// Known drifts of a decision at size number `size`, with the cost at the fill, for each side.
fn known(sample: &Sample, size: usize) -> impl Iterator<Item = (f64, f64)> {
    [size, size + SLIPPAGE_SIZES.len()]
        .into_iter()
        .filter_map(|i| Some((sample.drift(i)?, f64::from(sample.next[i]))))
        .filter(|(drift, _)| drift.is_finite())
}

fn square_root_constant(samples: &[&Sample]) -> f64 {
    let mut ratios = Vec::new();
    for sample in samples.iter().filter(|s| s.sigma_bps > 0.0) {
        for (size, multiple) in SLIPPAGE_SIZES.into_iter().enumerate() {
            let unit = sample.sigma_bps * f64::from(multiple).sqrt();
            // Least pinball loss of y * unit: the quantile of cost / unit weighted by unit.
            ratios.extend(known(sample, size).map(|(_, next)| (next / unit, unit)));
        }
    }
    weighted_quantile(ratios).unwrap_or(0.0)
}

fn offset(samples: &[&Sample], size: usize) -> f64 {
    let mut drifts: Vec<f64> = samples.iter().flat_map(|s| known(s, size)).map(|(drift, _)| drift).collect();
    drifts.sort_by(f64::total_cmp);
    if drifts.is_empty() { 0.0 } else { quantile(&drifts, SLIPPAGE_QUANTILE) }
}

impl Baselines {
    /// Fits both to `samples`.
    pub(super) fn fit(samples: &[Sample]) -> Self {
        let constants = |(symbol, group): (Symbol, Vec<&Sample>)| {
            let offset_bps = core::array::from_fn(|size| offset(&group, size));
            (symbol, Constants { y: square_root_constant(&group), offset_bps })
        };
        Self(by_symbol(samples).into_iter().map(constants).collect())
    }

    /// What the square root and the walk predict for output number `i` of a decision; none for a symbol that was not
    /// fitted, without a volatility, or when the present book does not hold the size.
    pub(super) fn predict(&self, sample: &Sample, i: usize) -> Option<(f64, f64)> {
        let constants = self.0.get(&sample.symbol)?;
        let (size, now) = (i % SLIPPAGE_SIZES.len(), f64::from(sample.now[i]));
        let root = constants.y * sample.sigma_bps * f64::from(SLIPPAGE_SIZES[size]).sqrt();
        (root.is_finite() && now.is_finite()).then(|| (root, now + constants.offset_bps[size]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::slippage::SLIPPAGE_OUTPUTS;
    use crate::inputs::{INPUT_COUNT, Input};
    use types::UnixNanos;

    fn sample(sigma_bps: f64, now: f32, next: f32) -> Sample {
        let symbol = Symbol::new("AAA").unwrap();
        let input = Input { x: [0.0; INPUT_COUNT], usable: 0x1fff };
        let [now, next] = [now, next].map(|cost| [cost; SLIPPAGE_OUTPUTS]);
        Sample { ts: UnixNanos(0), symbol, input, sigma_bps, now, next }
    }

    #[test]
    fn constants_are_quantiles_of_what_each_baseline_lacks() {
        // Costs of 1 to 10 bps beyond a walk of 2: nine tenths (interpolated) lie within 9.1.
        let samples: Vec<Sample> = (1_u8..=10).map(|n| sample(4.0, 2.0, 2.0 + f32::from(n))).collect();
        let baselines = Baselines::fit(&samples);
        let (root, walk) = baselines.predict(&samples[0], 9).unwrap();
        assert!((walk - 11.1).abs() < 1e-9, "{walk}");
        // The same costs at every size: the constant is a weighted quantile of cost / (4 sqrt(size)).
        assert!(root > 0.0 && (baselines.predict(&samples[0], 11).unwrap().0 / root - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_weighted_quantile_counts_weight_and_not_values() {
        assert_eq!(weighted_quantile(vec![(5.0, 1.0), (1.0, 8.0), (9.0, 1.0)]), Some(5.0));
        assert_eq!(weighted_quantile(vec![(5.0, 1.0), (1.0, 1.0), (9.0, 98.0)]), Some(9.0));
        assert_eq!(weighted_quantile(Vec::new()), None);
    }

    #[test]
    fn what_was_not_fitted_or_is_not_held_has_no_prediction() {
        let baselines = Baselines::fit(&[sample(4.0, 2.0, 3.0)]);
        assert!(baselines.predict(&sample(f64::NAN, 2.0, 3.0), 0).is_none());
        assert!(baselines.predict(&sample(4.0, f32::NAN, 3.0), 0).is_none());
        let other = Sample { symbol: Symbol::new("BBB").unwrap(), ..sample(4.0, 2.0, 3.0) };
        assert!(baselines.predict(&other, 0).is_none());
    }
}
