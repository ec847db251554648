//! Training: rows of calm markets in, a calibrated model out. Bitwise reproducible from the rows and the seed.

use super::calibrate::calibrate;
use super::device::TrainDevice;
use super::errors::TrainError;
use super::fit::{Phase, Progress, active_units, fit, score_law, trimmed};
use super::holdout::{Evaluated, holdout_report, scored};
use super::pca::Pca;
use super::profiles::fit_profiles;
use super::split::{Split, check_features, inputs_of, split};
use crate::inputs::FeatureRow;
use crate::model::{Model, ModelParts, TrainConfig, TrainReport, TrainingRecord};
use crate::score::Forward;

/// Share of the fitting rows, the latest, that decide when to stop.
const VALIDATION_SHARE: f64 = 0.1;

/// Trains and calibrates a model on `rows` of calm markets, in any order, its network fitted on `device`; `progress` hears of
/// every epoch.
///
/// The rows are split in time; the earlier part fits the profiles and, twice, the network: the second fit leaves out
/// the strangest rows of the first. Scores of the whole earlier part, the strangest included, make the calibration.
///
/// # Errors
/// Settings that cannot work, too few rows or features, a fit that diverges or ignores the data, scores without a
/// tail, a card that fails.
pub fn train_vae(
    device: &TrainDevice,
    config: &TrainConfig,
    rows: &[FeatureRow],
    progress: &mut dyn FnMut(Progress),
) -> Result<Model, TrainError> {
    config.check()?;
    let Split { fitting, holdout } = split(config, rows)?;
    let profiles = fit_profiles(&fitting, config.profile_rows_min);
    check_features(&profiles)?;
    let inputs = inputs_of(&profiles, &fitting);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    let (training, validation) = inputs.split_at((inputs.len() as f64 * (1.0 - VALIDATION_SHARE)) as usize);

    let first = fit(device, config, Phase::First, training, validation, progress)?;
    let kept = trimmed(&first, &score_law(&first, training), training, config.trim_share);
    let refit = fit(device, config, Phase::Refit, &kept, validation, progress)?;
    let law = score_law(&refit, &kept);
    let active_units = active_units(&refit.network, &kept);
    if active_units == 0 {
        return Err(TrainError::Collapsed { beta: config.beta });
    }

    let forward = Forward::new(&refit.network);
    let calibrations = calibrate(&scored(&forward, &law, &profiles, &fitting), &config.calibration)?;
    let baseline = Pca::fit(&kept);
    let held_inputs = inputs_of(&profiles, &holdout);
    let held_scores = scored(&forward, &law, &profiles, &holdout);
    let evaluated =
        Evaluated { network: &refit.network, law: &law, baseline: &baseline, calibrations: &calibrations };
    let report = TrainReport {
        rows_given: rows.len() as u64,
        rows_fitted: inputs.len() as u64,
        rows_trimmed: (training.len() - kept.len()) as u64,
        epochs_first: first.epochs,
        epochs_refit: refit.epochs,
        validation_loss: refit.validation_loss,
        active_units,
        holdout: holdout_report(&held_inputs, &held_scores, &evaluated),
    };
    let training = TrainingRecord::of(&fitting, device.name(), *config, report);
    let channels = None;
    Model::new(ModelParts { network: refit.network, law, profiles, calibrations, training, channels })
        .map_err(|e| TrainError::Manifest(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::calibrate::ScoredRow;
    use super::*;
    use crate::model::{HoldoutReport, ScoreLaw};
    use crate::network::LATENT_COUNT;
    use crate::synthetic::{Market, calm, model, quick};
    use gpu_fit::random::{Purpose, Random};
    use types::{FeatureId, MODEL_FEATURE_COUNT, Symbol, UnixNanos};

    fn trained(config: &TrainConfig, rows: &[FeatureRow]) -> Result<Model, TrainError> {
        train_vae(&TrainDevice::Cpu, config, rows, &mut |_| ())
    }

    /// Raw scores of `rows` under `model`, rows with too few features are left out.
    fn score_rows(model: &Model, rows: &[FeatureRow]) -> Vec<ScoredRow> {
        scored(&Forward::new(model.network()), model.score_law(), model.profiles(), rows)
    }

    /// Calibrated scores of 300 rows of one symbol under `stress`.
    fn scores(stress: f64) -> Vec<f32> {
        let mut market = Market::new("BBB", 4.0, 77);
        let rows: Vec<FeatureRow> = (0..300).map(|i| market.row(i, stress)).collect();
        let calibrated = |s: &ScoredRow| model().calibrations().of(s.symbol).score(s.raw).unwrap();
        score_rows(model(), &rows).iter().map(calibrated).collect()
    }

    #[test]
    fn calm_stays_normal_and_a_crash_is_critical() {
        let calm = scores(0.0);
        assert!(calm.iter().all(|s| *s < 0.05), "{calm:?}");
        let crash = scores(1.0);
        assert!(crash.iter().all(|s| *s >= 0.80), "{crash:?}");
        let mean = |s: Vec<f32>| s.iter().sum::<f32>() / 300.0;
        let ladder: Vec<f32> = [0.0, 0.2, 0.35, 0.5, 1.0].map(|stress| mean(scores(stress))).to_vec();
        assert!(ladder.is_sorted(), "more stress must not score lower: {ladder:?}");
    }

    #[test]
    fn the_holdout_keeps_the_alarm_budget() {
        // The budget: at most 1e-4 of calm scores reach Elevated, 1e-6 High. 2,370 rows allow for one by chance.
        let holdout = model().training().report.holdout;
        assert!(holdout.rows > 2_000);
        assert!(holdout.share_p_01 < 0.025 && holdout.share_p_001 < 0.005, "{holdout:?}");
        assert!(holdout.elevated <= 1 && holdout.high == 0 && holdout.critical == 0, "{holdout:?}");
    }

    #[test]
    fn the_network_uses_its_latent_units_and_is_no_worse_than_half_again_the_linear_baseline() {
        let report = model().training().report;
        assert!(report.active_units >= 3, "{report:?}");
        // These synthetic markets are nearly linear after the transforms, so components are hard to beat on them; a
        // network that had learned nothing would have an error near 1.
        let HoldoutReport { mse_vae, mse_pca, .. } = report.holdout;
        assert!(mse_pca > 0.05 && mse_vae < 1.5 * mse_pca, "{mse_vae} {mse_pca}");
    }

    #[test]
    fn holding_the_latent_state_makes_the_crash_visible() {
        let mut market = Market::new("AAA", 1.0, 5);
        let rows: Vec<FeatureRow> = (0..100).map(|i| market.row(i, 2.0)).collect();
        let inputs = inputs_of(model().profiles(), &rows);
        let law = *model().score_law();
        let free =
            ScoreLaw { latent_min: [f64::MIN; LATENT_COUNT], latent_max: [f64::MAX; LATENT_COUNT], ..law };
        let forward = Forward::new(model().network());
        let mean = |law: &ScoreLaw| {
            inputs.iter().map(|input| f64::from(forward.score(law, input).unwrap().raw)).sum::<f64>() / 100.0
        };
        assert!(mean(&law) > 1.1 * mean(&free), "{} {}", mean(&law), mean(&free));
    }

    #[test]
    fn the_features_that_broke_are_named() {
        let mut market = Market::new("AAA", 1.0, 6);
        for broken in [FeatureId::SpreadBps, FeatureId::CancelRatio, FeatureId::TopDepth] {
            let mut row = market.row(0, 0.0);
            row.values[broken as usize] *= 4.0;
            let profile = model().profiles().of(row.symbol);
            let forward = Forward::new(model().network());
            let score = forward.score_values(model().score_law(), profile, &row.values, row.valid).unwrap();
            assert_eq!(score.top3[0], broken as u8, "{score:?}");
            assert!(score.contributions[0] > 0.3, "{score:?}");
        }
    }

    #[test]
    fn two_runs_give_the_same_bits_and_another_seed_gives_others() {
        let rows = calm(900, 9);
        let config = TrainConfig { epoch_count_max: 2, ..quick() };
        let mut shuffled = rows.clone();
        Random::new(1, Purpose::Shuffle).shuffle(&mut shuffled);
        let (a, b) = (trained(&config, &rows).unwrap(), trained(&config, &shuffled).unwrap());
        assert_eq!(a, b);
        assert_eq!(a.id(), b.id());
        let c = trained(&TrainConfig { seed: 2, ..config }, &rows).unwrap();
        assert_ne!(a.network(), c.network());
        assert_ne!(a.id(), c.id());
    }

    #[test]
    fn progress_counts_the_epochs_of_both_fits() {
        let mut heard = Vec::new();
        let config = TrainConfig { epoch_count_max: 3, patience: 3, ..quick() };
        train_vae(&TrainDevice::Cpu, &config, &calm(900, 9), &mut |p| heard.push(p)).unwrap();
        let epochs: Vec<(Phase, u32)> = heard.iter().map(|p| (p.phase, p.epoch)).collect();
        let of = |phase| (1..=3).map(move |epoch| (phase, epoch));
        assert_eq!(epochs, of(Phase::First).chain(of(Phase::Refit)).collect::<Vec<_>>());
        assert!(
            heard[2].train_loss < heard[0].train_loss && heard.iter().all(|p| p.validation_loss.is_finite())
        );
    }

    #[test]
    fn the_holdout_is_later_than_everything_fitted() {
        let config = quick();
        let Split { fitting, holdout } = split(&config, &calm(2_000, 2)).unwrap();
        let last = fitting.iter().map(|r| r.ts).max().unwrap();
        let first = holdout.iter().map(|r| r.ts).min().unwrap();
        assert!(first.since(last).0 >= config.embargo_ns);
        let opened = UnixNanos(crate::synthetic::DAY_NS);
        assert_eq!(fitting[0].ts.since(opened).0, config.warmup_ns, "windows still fill before");
        assert!(fitting.len() > 4_500 && holdout.len() > 1_000);
        let none = TrainConfig { holdout_share: 0.0, ..config };
        assert!(split(&none, &calm(2_000, 2)).unwrap().holdout.is_empty());
    }

    #[test]
    fn a_contaminated_calm_is_trimmed_before_the_second_fit() {
        let mut rows = calm(1_500, 4);
        let mut market = Market::new("AAA", 1.0, 400);
        rows.extend((200..215).map(|i| market.row(i, 1.0)));
        let model = trained(&quick(), &rows).unwrap();
        let report = model.training().report;
        assert_eq!(report.rows_trimmed, report.rows_fitted * 9 / 10 / 200);
        // Sixteen are left out, among them the fifteen planted ones: the crash stays stranger than to a fit that saw it.
        let planted: Vec<FeatureRow> = (0..200).map(|i| market.row(i, 1.0)).collect();
        let mean = |model: &Model| score_rows(model, &planted).iter().map(|s| s.raw).sum::<f64>() / 200.0;
        let naive = trained(&TrainConfig { trim_share: 0.0, ..quick() }, &rows).unwrap();
        assert!(mean(&model) > 1.2 * mean(&naive), "{} {}", mean(&model), mean(&naive));
    }

    #[test]
    fn settings_and_data_that_cannot_work_are_refused_in_one_line() {
        let rows = calm(900, 1);
        let text = |config: TrainConfig| trained(&config, &rows).unwrap_err().to_string();
        assert_eq!(
            text(TrainConfig { batch_size: 0, ..quick() }),
            "training: epoch_count_max, batch_size is 0, wanted at least 1 each"
        );
        assert!(text(TrainConfig { seed: u64::MAX, ..quick() }).ends_with("wanted a number below 2^63"));
        assert!(text(TrainConfig { holdout_share: 0.9, ..quick() }).contains("shares from 0 to below 0.5"));
        assert!(text(TrainConfig { learning_rate: f64::NAN, ..quick() }).contains("wanted positive numbers"));
        assert!(text(TrainConfig { beta: -1.0, ..quick() }).contains("wanted numbers not below 0"));
        assert_eq!(
            text(TrainConfig { rows_min: 5_000, ..quick() }),
            "training: found 2700 rows with at least half of their features, wanted at least 5000"
        );
        let mut poor = rows.clone();
        poor.iter_mut().for_each(|row| row.valid = 0x3f);
        let error = trained(&quick(), &poor).unwrap_err();
        assert!(matches!(error, TrainError::TooFewRows { found: 0, .. }), "{error}");
        // Every row has seven features, but not the same seven, so that most hold too little data.
        let mut rare = rows;
        rare.iter_mut().enumerate().for_each(|(i, row)| row.valid = if i % 50 == 0 { 0x1fff } else { 0x3f });
        let error = trained(&TrainConfig { rows_min: 10, batch_size: 8, ..quick() }, &rare).unwrap_err();
        assert!(
            matches!(error, TrainError::TooFewRows { .. } | TrainError::TooFewFeatures { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_rate_that_diverges_is_an_error_and_no_model() {
        let config = TrainConfig { learning_rate: 1e30, gradient_norm_max: 1e30, ..quick() };
        let error = trained(&config, &calm(900, 1)).unwrap_err();
        assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    }

    #[test]
    fn rows_that_say_nothing_train_nothing() {
        let symbol = Symbol::new("A").unwrap();
        let row = FeatureRow { ts: UnixNanos(0), symbol, valid: 0x1fff, values: [1.0; MODEL_FEATURE_COUNT] };
        let mut rows = vec![row; 3_000];
        for (row, second) in rows.iter_mut().zip(0..) {
            row.ts = UnixNanos(second * 1_000_000_000);
        }
        let error = trained(&quick(), &rows).unwrap_err();
        assert!(matches!(error, TrainError::Collapsed { .. } | TrainError::Calibrate(_)), "{error}");
    }
}
