//! Training: orders and captures in, a calibrated head with its comparison against a static size cap out. Bitwise
//! reproducible from the orders, the captures, the model whose inputs it takes, and the seed.

use gpu_fit::random::{Purpose, Random};

use super::dataset::{DeskSession, Part, Sample, cases, counts, join, orders, split};
use super::evaluate::{holdout, scores};
use super::fit::{fit, platt, rescaled};
use crate::heads::fat_finger::{FatFingerModel, FatFingerRecord, FatFingerReport, FatFingerTrainConfig};
use crate::inputs::Profiles;
use crate::train::head::{HeadProgress, HeadTrainError, Split};

/// What turns the odds of an error among `errors` injected into `orders` into those at `base_rate`: Dal Pozzolo's rate at
/// which orders were sampled beside the errors.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn prior(base_rate: f64, orders: u64, errors: u64) -> f64 {
    base_rate / (1.0 - base_rate) * orders as f64 / errors.max(1) as f64
}

/// Trains a fat-finger network for a model whose `profiles` normalise its inputs, on the orders of some days;
/// `progress` hears of every epoch. Whether the result is good enough is for [`FatFingerReport::refusal`] to say.
///
/// # Errors
/// Settings that cannot work, too few orders, a fit that diverges.
pub fn train_fat_finger(
    config: &FatFingerTrainConfig,
    profiles: &Profiles,
    sessions: Vec<DeskSession>,
    progress: &mut dyn FnMut(HeadProgress),
) -> Result<FatFingerModel, HeadTrainError> {
    config.check()?;
    let orders_read = sessions.iter().map(|session| session.orders.len() as u64).sum();
    let samples = join(config, profiles, sessions);
    let orders_joined = samples.len() as u64;
    let Split { fitting, calibration, holdout: unseen } = split(config, samples)?;
    let mut random = Random::new(config.seed, Purpose::Inject);
    let [fitted, calibrated, unseen_cases] =
        [&fitting, &calibration, &unseen].map(|samples| cases(samples, &mut random));
    let fit_part = Part { samples: &fitting, cases: &fitted };
    let calibration_part = Part { samples: &calibration, cases: &calibrated };
    let fit = fit(config, fit_part, calibration_part, progress)?;
    let mut head = fit.head;
    let (factor, shift) = platt(&scores(&head, &calibration, &calibrated), &calibrated);
    let (meant, errors) = counts(&calibrated);
    head.law = rescaled(&head.law, factor, shift);
    head.law.prior = prior(config.base_rate, meant, errors);
    let known: Vec<Sample> = [fitting.as_slice(), &calibration].concat();
    let known_cases = orders(&known);
    let report = holdout(
        &head,
        Part { samples: &known, cases: &known_cases },
        Part { samples: &unseen, cases: &unseen_cases },
    );
    let ts = |sample: Option<&Sample>| sample.map_or(0, |s| s.key.1.0);
    head.record = FatFingerRecord {
        first_ts_ns: ts(fitting.first()),
        last_ts_ns: ts(calibration.last()),
        config: *config,
        report: FatFingerReport {
            orders_read,
            orders_joined,
            orders_fitted: fitting.len() as u64,
            errors_fitted: counts(&fitted).1,
            epochs: fit.epochs,
            validation_loss: fit.validation_loss,
            scaling: [factor, shift],
            holdout: report,
        },
    };
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Case;
    use super::super::dataset::tests::session;
    use super::*;
    use crate::heads::fat_finger::{FatFingerHoldout, FatFingerRate};
    use crate::synthetic::model;

    fn quick() -> FatFingerTrainConfig {
        FatFingerTrainConfig {
            epoch_count_max: 12,
            embargo_ns: 1_000_000_000,
            ..FatFingerTrainConfig::default()
        }
    }

    fn trained(config: &FatFingerTrainConfig, rows: u64) -> Result<FatFingerModel, HeadTrainError> {
        train_fat_finger(config, model().profiles(), vec![session(rows, 9)], &mut |_| ())
    }

    #[test]
    fn a_head_finds_errors_that_a_size_cap_cannot_see() {
        let head = trained(&quick(), 9_000).unwrap();
        let report = &head.record().report;
        let holdout = &report.holdout;
        assert_eq!(report.refusal(), None, "{report:?}");
        assert!(holdout.rates.len() == 2, "2,000 orders tell one in a thousand: {report:?}");
        assert!(holdout.ece < 0.05, "{report:?}");
        let recall = |name: &str| {
            let stratum = holdout.strata.iter().find(|s| s.error == name).unwrap();
            (stratum.recall[0], stratum.recall_cap[0])
        };
        assert_eq!(recall("price 5 % off").0, 1.0);
        assert!(recall("price 5 % off").1 < 0.1);
        // Sizes follow the touch, which doubles and halves: a cap of ten is too wide for most.
        assert!(recall("size x10").0 > recall("size x10").1, "{report:?}");
        assert_eq!(recall("size x1000"), (1.0, 1.0));
    }

    #[test]
    fn the_published_sizes_keep_the_rate_of_false_alarms_on_the_holdout() {
        let head = trained(&quick(), 6_000).unwrap();
        let at = &head.record().report.holdout.rates[0];
        let samples = join(&quick(), model().profiles(), vec![session(6_000, 9)]);
        let Split { holdout, .. } = split(&quick(), samples).unwrap();
        let orders = orders(&holdout);
        #[expect(clippy::cast_possible_truncation, reason = "as the backends give them")]
        let stopped = |case: &&Case| {
            let increments = head.increments(&holdout[case.sample].market.input).map(|r| r as f32);
            case.size.exp2()
                > f64::from(
                    head.law_of(holdout[case.sample].order.symbol).largest_sizes(&increments, at.theta)
                        [case.bucket],
                )
        };
        let stopped = orders.iter().filter(stopped).count();
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let share = stopped as f64 / orders.len() as f64;
        assert!((share - at.false_alarms).abs() < 0.002, "{share} {at:?}");
    }

    #[test]
    fn training_gives_the_same_bits_again_and_others_with_another_seed() {
        let config = FatFingerTrainConfig { epoch_count_max: 2, ..quick() };
        let head = |seed| trained(&FatFingerTrainConfig { seed, ..config }, 3_000).unwrap();
        let (one, again, other) = (head(1), head(1), head(2));
        assert_eq!(one, again);
        assert_ne!(one.layers, other.layers);
    }

    #[test]
    fn the_prior_turns_the_injected_share_into_the_assumed_one() {
        // Nine orders in ten are errors; a probability of one half there is one of 1e-4 / 9 or so at a base rate of 1e-4.
        let b = prior(1e-4, 100, 900);
        assert!((b - 1e-4 / 0.9999 / 9.0).abs() < 1e-18);
        // A case without any evidence has the share injected, and afterwards the base rate.
        let p = 0.9;
        assert!((b * p / (b * p - p + 1.0) - 1e-4).abs() < 1e-15);
    }

    #[test]
    fn a_head_that_is_beaten_or_cries_wolf_is_refused_with_found_and_wanted() {
        let rate = FatFingerRate {
            rate: 1e-2,
            false_alarms: 0.011,
            recall: 0.9,
            recall_cap: 0.6,
            ..FatFingerRate::default()
        };
        let holdout = FatFingerHoldout {
            orders: 1_000,
            pr_auc: 0.9,
            pr_auc_cap: 0.8,
            rates: vec![rate.clone()],
            ..FatFingerHoldout::default()
        };
        let refusal =
            |holdout: FatFingerHoldout| FatFingerReport { holdout, ..FatFingerReport::default() }.refusal();
        let with = |rate| refusal(FatFingerHoldout { rates: vec![rate], ..holdout.clone() });
        assert_eq!(refusal(holdout.clone()), None);
        for recall in [0.6, 0.5, f64::NAN] {
            let line = with(FatFingerRate { recall, ..rate.clone() }).unwrap();
            assert!(
                line.contains("recall at 0.01 false alarms") && line.contains("the size cap's 60.00 %"),
                "{line}"
            );
        }
        let line = with(FatFingerRate { false_alarms: 0.04, ..rate.clone() }).unwrap();
        assert!(line.contains("found 4.000 % of the holdout's orders, wanted at most 2.949 %"), "{line}");
        let line = refusal(FatFingerHoldout { pr_auc: 0.8, ..holdout.clone() }).unwrap();
        assert!(
            line.contains("found 0.8000 on the holdout, wanted more than the size cap's 0.8000"),
            "{line}"
        );
        let line = refusal(FatFingerHoldout { rates: Vec::new(), orders: 7, ..holdout.clone() }).unwrap();
        assert!(line.contains("found 7 orders in the holdout, wanted at least 100"), "{line}");
    }

    #[test]
    fn settings_and_orders_that_cannot_work_are_told_in_one_line() {
        let error = trained(&quick(), 300).unwrap_err().to_string();
        assert!(error.ends_with("wanted at least 1000") && !error.contains('\n'), "{error}");
        let bad = [
            FatFingerTrainConfig { seed: u64::MAX, ..quick() },
            FatFingerTrainConfig { base_rate: 0.5, ..quick() },
            FatFingerTrainConfig { batch_size: 0, ..quick() },
            FatFingerTrainConfig { holdout_share: 0.0, ..quick() },
            FatFingerTrainConfig { learning_rate: f64::NAN, ..quick() },
            FatFingerTrainConfig { weight_decay: -1.0, ..quick() },
        ];
        for config in bad {
            assert!(matches!(trained(&config, 300), Err(HeadTrainError::Config { .. })), "{config:?}");
        }
    }
}
