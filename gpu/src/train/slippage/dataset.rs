//! Decisions with what the network sees of them and what they cost, split in time.

use std::collections::BTreeMap;

use types::{FeatureId, Symbol, UnixNanos};

use super::capture::SlippageSample;
use crate::captures::{drop_warmup, quantile, sort};
use crate::heads::slippage::{
    SLIPPAGE_OUTPUTS, SLIPPAGE_QUANTILE, SLIPPAGE_SIZES, SlippageScale, SlippageScales, SlippageTrainConfig,
};
use crate::inputs::{FeatureRow, Input, Profiles};
use crate::train::head::{HeadTrainError, Split, split_in_time};

/// Sizes that a symbol's book held in fewer than this share of its decisions have no price.
const HELD_SHARE_MIN: f64 = 0.95;

/// Least usual increment: drifts are compared by their size, and one of exactly nothing has none.
const INCREMENT_BPS_MIN: f64 = 0.01;

/// One decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) ts: UnixNanos,
    pub(super) symbol: Symbol,
    /// What the network sees.
    pub(super) input: Input,
    /// Volatility of the last minute in bps, NaN when not known.
    pub(super) sigma_bps: f64,
    /// As in [`SlippageSample`].
    pub(super) now: [f32; SLIPPAGE_OUTPUTS],
    /// As in [`SlippageSample`]; at least one is known.
    pub(super) next: [f32; SLIPPAGE_OUTPUTS],
}

impl Sample {
    /// What output number `i` costs at the fill beyond its walk at the decision, in bps; infinite when the book no longer holds
    /// the size, none when it did not at the decision.
    pub(super) fn drift(&self, i: usize) -> Option<f64> {
        let (now, next) = (f64::from(self.now[i]), f64::from(self.next[i]));
        let drift = if next.is_nan() { f64::INFINITY } else { next - now };
        (!now.is_nan()).then_some(drift)
    }
}

/// Decisions whose inputs can be scored and whose costs are known, in time order.
pub(super) fn join(
    config: &SlippageTrainConfig,
    profiles: &Profiles,
    mut features: Vec<FeatureRow>,
    mut costs: Vec<SlippageSample>,
) -> Vec<Sample> {
    sort(&mut features);
    drop_warmup(&mut features, config.warmup_ns);
    costs.retain(|row| row.next.iter().any(|cost| !cost.is_nan()));
    costs.sort_by_key(|row| (row.ts, row.symbol));
    let mut costs = costs.iter().peekable();
    let mut samples = Vec::new();
    for row in &features {
        let key = (row.ts, row.symbol);
        while costs.next_if(|cost| (cost.ts, cost.symbol) < key).is_some() {}
        let Some(cost) = costs.next_if(|cost| (cost.ts, cost.symbol) == key) else { continue };
        let input = profiles.of(row.symbol).normalise(&row.values, row.valid);
        if input.is_scorable() {
            let sigma_bps = row.get(FeatureId::Rv1M as usize).unwrap_or(f64::NAN);
            let SlippageSample { ts, symbol, now, next } = *cost;
            samples.push(Sample { ts, symbol, input, sigma_bps, now, next });
        }
    }
    samples
}

/// Splits decisions in time order.
pub(super) fn split(
    config: &SlippageTrainConfig,
    samples: Vec<Sample>,
) -> Result<Split<Sample>, HeadTrainError> {
    split_in_time(&config.settings(), samples, "in both captures", |s| (0, s.ts))
}

/// Drifts of size number `size` for both sides of each decision, infinite where the book does not hold it, now or at the fill.
fn drifts_of(samples: &[&Sample], size: usize) -> Vec<f64> {
    let both = |s: &&Sample| [size, size + SLIPPAGE_SIZES.len()].map(|i| s.drift(i).unwrap_or(f64::INFINITY));
    samples.iter().flat_map(both).collect()
}

/// The usual increments of `samples`: from each size's quantile of the drift to the next one's.
fn scale_of(samples: &[&Sample]) -> SlippageScale {
    let mut scale =
        SlippageScale { increment_bps: [1.0; SLIPPAGE_SIZES.len()], held: 0, rows: samples.len() as u64 };
    let mut below = 0.0;
    for size in 0..SLIPPAGE_SIZES.len() {
        let mut drifts = drifts_of(samples, size);
        drifts.sort_by(f64::total_cmp);
        let held = drifts.partition_point(|drift| drift.is_finite());
        #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
        let enough = held > 0 && held as f64 >= HELD_SHARE_MIN * drifts.len() as f64;
        if !enough {
            break;
        }
        let usual = quantile(&drifts[..held], SLIPPAGE_QUANTILE).max(below + INCREMENT_BPS_MIN);
        #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
        let increment = (usual - below) as f32;
        scale.increment_bps[size] = increment;
        scale.held += 1;
        below = usual;
    }
    scale
}

/// The scales of `samples`; a symbol with fewer than `rows_min` has none of its own.
pub(super) fn scales(samples: &[Sample], rows_min: usize) -> SlippageScales {
    let all: Vec<&Sample> = samples.iter().collect();
    let of = |(symbol, group): (Symbol, Vec<&Sample>)| {
        (group.len() >= rows_min.max(1)).then(|| (symbol, scale_of(&group)))
    };
    let symbols = by_symbol(samples).into_iter().filter_map(of).collect();
    SlippageScales { pooled: scale_of(&all), symbols }
}

/// The decisions of each symbol.
pub(super) fn by_symbol(samples: &[Sample]) -> BTreeMap<Symbol, Vec<&Sample>> {
    let mut groups: BTreeMap<Symbol, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        groups.entry(sample.symbol).or_default().push(sample);
    }
    groups
}
