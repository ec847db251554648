//! Training: captures in, a calibrated head with its comparison against the baselines out. Bitwise reproducible from the
//! captures, the model whose inputs it takes, and the seed.

use super::baseline::Baselines;
use super::capture::SlippageSample;
use super::dataset::{Sample, join, scales, split};
use super::evaluate::{holdout, outcomes};
use super::fit::fit;
use crate::heads::slippage::{
    SLIPPAGE_QUANTILE, SlippageHoldout, SlippageModel, SlippageRecord, SlippageReport, SlippageTrainConfig,
};
use crate::inputs::{FeatureRow, Profiles};
use crate::train::head::{HeadProgress, HeadTrainError, Split};

/// Factors that the calibration may put on every drift.
const FACTOR_BOUNDS: (f64, f64) = (0.25, 4.0);

/// The factor on every predicted drift that makes [`SLIPPAGE_QUANTILE`] of the costs of `samples` lie within what is predicted.
fn calibration_factor(head: &SlippageModel, samples: &[Sample]) -> f64 {
    let factor = |predicted: f64, drift: f64| match predicted > 0.0 {
        true => drift / predicted,
        false if drift > 0.0 => f64::INFINITY,
        false => f64::NEG_INFINITY,
    };
    let mut factors = Vec::new();
    for sample in samples {
        let now = sample.now.map(f64::from);
        factors.extend(
            outcomes(head, sample).map(|(i, predicted, cost)| factor(predicted - now[i], cost - now[i])),
        );
    }
    factors.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    let rank = (factors.len() as f64 * SLIPPAGE_QUANTILE).ceil() as usize;
    factors.get(rank.saturating_sub(1)).map_or(1.0, |f| f.clamp(FACTOR_BOUNDS.0, FACTOR_BOUNDS.1))
}

/// Trains a slippage network for a model whose `profiles` normalise its inputs, on captures of the same replays, in any order;
/// `progress` hears of every epoch. Whether the result is good enough is for [`SlippageReport::refusal`] to say.
///
/// # Errors
/// Settings that cannot work, too few decisions, a fit that diverges.
pub fn train_slippage(
    config: &SlippageTrainConfig,
    profiles: &Profiles,
    features: Vec<FeatureRow>,
    costs: Vec<SlippageSample>,
    progress: &mut dyn FnMut(HeadProgress),
) -> Result<SlippageModel, HeadTrainError> {
    config.settings().check()?;
    let samples = join(config, profiles, features, costs);
    let rows_joined = samples.len() as u64;
    let Split { fitting, calibration, holdout: unseen } = split(config, samples)?;
    let fit = fit(config, &scales(&fitting, config.scale_rows_min), &fitting, &calibration, progress)?;
    let mut head = fit.head;
    let factor = calibration_factor(&head, &calibration);
    #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
    head.scales.multiply(factor as f32);
    let known = [fitting.as_slice(), &calibration].concat();
    let ts = |sample: Option<&Sample>| sample.map_or(0, |s| s.ts.0);
    head.record = SlippageRecord {
        first_ts_ns: ts(fitting.first()),
        last_ts_ns: ts(calibration.last()),
        config: *config,
        report: SlippageReport {
            rows_joined,
            rows_fitted: fitting.len() as u64,
            epochs: fit.epochs,
            validation_loss: fit.validation_loss,
            factor,
            holdout: holdout(&head, &Baselines::fit(&known), &unseen),
        },
    };
    Ok(head)
}

/// The head of a model with these `profiles`, and the baselines fitted to the first half of the captures, on the second half:
/// data of another day or another feed.
#[must_use]
pub fn judge_slippage(
    head: &SlippageModel,
    profiles: &Profiles,
    config: &SlippageTrainConfig,
    features: Vec<FeatureRow>,
    costs: Vec<SlippageSample>,
) -> SlippageHoldout {
    let samples = join(config, profiles, features, costs);
    let (known, unseen) = samples.split_at(samples.len() / 2);
    holdout(head, &Baselines::fit(known), unseen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::slippage::{SLIPPAGE_OUTPUTS, SLIPPAGE_SIZES};
    use crate::synthetic::{calm, model};
    use gpu_fit::random::{Purpose, Random};
    use types::{FeatureId, Nanos};

    const SIZES: usize = SLIPPAGE_SIZES.len();

    /// Decisions whose drift grows with the square root of the size and with the spread, which the network sees and neither
    /// a volatility nor the present book does. Four sizes fit, a few times only three. `rows` of them.
    fn market(rows: u64) -> (Vec<FeatureRow>, Vec<SlippageSample>) {
        let features = calm(rows / 3, 9);
        let mut random = Random::new(4, Purpose::Latent);
        let costs = features.iter().map(|row| decision(row, &mut random)).collect();
        (features, costs)
    }

    fn decision(row: &FeatureRow, random: &mut Random) -> SlippageSample {
        let (spread, level) = (row.values[FeatureId::SpreadBps as usize], 0.5 + random.uniform());
        let [mut now, mut next] = [[f32::NAN; SLIPPAGE_OUTPUTS]; 2];
        for i in 0..SLIPPAGE_OUTPUTS {
            let root = f64::from(SLIPPAGE_SIZES[i % SIZES]).sqrt();
            let drift = 0.5 * spread + 0.3 * random.normal();
            #[expect(clippy::cast_possible_truncation, reason = "labels are f32")]
            let costs = [level * root, (level + drift) * root].map(|cost| cost as f32);
            [now[i], next[i]] = costs;
        }
        for costs in [&mut now, &mut next] {
            let held = if random.uniform() < 0.01 { 3 } else { 4 };
            costs.chunks_exact_mut(SIZES).for_each(|side| side[held..].fill(f32::NAN));
        }
        SlippageSample { ts: row.ts, symbol: row.symbol, now, next }
    }

    fn quick() -> SlippageTrainConfig {
        SlippageTrainConfig {
            epoch_count_max: 12,
            embargo_ns: 1_000_000_000,
            scale_rows_min: 500,
            ..SlippageTrainConfig::default()
        }
    }

    fn trained(config: &SlippageTrainConfig, rows: u64) -> Result<SlippageModel, HeadTrainError> {
        let (features, costs) = market(rows);
        train_slippage(config, model().profiles(), features, costs, &mut |_| ())
    }

    #[test]
    fn a_head_learns_what_the_baselines_cannot_see_and_covers_what_it_says() {
        let head = trained(&quick(), 12_000).unwrap();
        let report = &head.record().report;
        let holdout = &report.holdout;
        assert!(holdout.improvement() > 0.05, "{report:?}");
        assert!((0.86..=0.94).contains(&holdout.coverage), "{report:?}");
        assert!((0.3..=0.8).contains(&holdout.slope), "{report:?}");
        assert_eq!(report.refusal(), None);
        assert_eq!(
            head.scale(types::Symbol::new("AAA").unwrap()).held,
            4,
            "sizes the book does not hold have no price"
        );
        assert_eq!(holdout.coverage_by_size.len(), 4);
    }

    #[test]
    fn training_gives_the_same_bits_again_and_others_with_another_seed() {
        let config = SlippageTrainConfig { epoch_count_max: 2, ..quick() };
        let head = |seed| trained(&SlippageTrainConfig { seed, ..config }, 6_000).unwrap();
        let (one, again, other) = (head(1), head(1), head(2));
        assert_eq!(one, again);
        assert_ne!(one.layers, other.layers);
    }

    #[test]
    fn decisions_need_both_captures_and_nothing_of_the_holdout_is_fitted_to() {
        let config = SlippageTrainConfig { rows_min: 100, ..quick() };
        let (features, mut costs) = market(3_000);
        costs.retain(|c| !(c.ts.0 / 100_000_000).is_multiple_of(3));
        costs[5].next = [f32::NAN; SLIPPAGE_OUTPUTS];
        let kept = costs.len();
        let samples = join(&config, model().profiles(), features, costs);
        assert!(samples.len() < kept && samples.len() > kept / 2, "warm-up and unknown costs are left out");
        assert!(samples.iter().all(|s| !(s.ts.0 / 100_000_000).is_multiple_of(3)));
        let Split { fitting, calibration, holdout } = split(&config, samples).unwrap();
        let last = calibration.last().unwrap().ts;
        assert!(fitting.last().unwrap().ts <= calibration[0].ts);
        assert!(holdout[0].ts >= last.plus(Nanos(config.embargo_ns)));
    }

    #[test]
    fn a_factor_brings_the_coverage_right() {
        let (features, costs) = market(8_000);
        let samples = join(&quick(), model().profiles(), features, costs);
        let head = trained(&SlippageTrainConfig { epoch_count_max: 1, ..quick() }, 8_000).unwrap();
        let mut narrow = head.clone();
        narrow.scales.multiply(0.7);
        let factor = calibration_factor(&narrow, &samples);
        #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
        narrow.scales.multiply(factor as f32);
        let costs = || samples.iter().flat_map(|s| outcomes(&narrow, s));
        let covered = costs().filter(|(_, predicted, cost)| cost <= predicted).count();
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let coverage = covered as f64 / costs().count() as f64;
        assert!((coverage - 0.9).abs() < 0.001, "{coverage} with {factor}");
    }

    #[test]
    fn a_head_that_does_not_cover_or_is_beaten_is_refused_with_found_and_wanted() {
        let holdout = SlippageHoldout {
            pinball_head: 0.5,
            pinball_walk: 0.6,
            pinball_square_root: 0.7,
            coverage: 0.9,
            ..SlippageHoldout::default()
        };
        let refusal = |holdout: &SlippageHoldout| {
            SlippageReport { holdout: holdout.clone(), ..SlippageReport::default() }.refusal()
        };
        assert_eq!(refusal(&holdout), None);
        assert!((holdout.improvement() - 1.0 / 6.0).abs() < 1e-12);
        let low = SlippageHoldout { coverage: 0.79, ..holdout.clone() };
        assert!(refusal(&low).unwrap().contains("found 79.00 % on the holdout, wanted 80 to 98 %"));
        let none = SlippageHoldout { coverage: f64::NAN, ..holdout.clone() };
        assert!(refusal(&none).is_some());
        for beaten in [0.6, 0.61, f64::NAN] {
            let beaten = SlippageHoldout { pinball_head: beaten, ..holdout.clone() };
            assert!(refusal(&beaten).unwrap().contains("wanted less than the best baseline's 0.60000"));
        }
    }

    #[test]
    fn settings_and_captures_that_cannot_work_are_told_in_one_line() {
        let error = trained(&quick(), 300).unwrap_err().to_string();
        assert!(error.ends_with("wanted at least 5000") && !error.contains('\n'), "{error}");
        let bad = [
            SlippageTrainConfig { seed: u64::MAX, ..quick() },
            SlippageTrainConfig { batch_size: 0, ..quick() },
            SlippageTrainConfig { holdout_share: 0.0, ..quick() },
            SlippageTrainConfig { learning_rate: f64::NAN, ..quick() },
            SlippageTrainConfig { weight_decay: -1.0, ..quick() },
        ];
        for config in bad {
            assert!(matches!(trained(&config, 300), Err(HeadTrainError::Config { .. })), "{config:?}");
        }
    }
}
