//! Scores of rows, and the report on those that no fit saw.

use types::MODEL_FEATURE_COUNT;

use super::calibrate::ScoredRow;
use super::pca::Pca;
use crate::inputs::{FeatureRow, Input};
use crate::model::{Calibrations, HoldoutReport, ScoreLaw};
use crate::network::Network;
use crate::score::Forward;

/// Raw scores of normalised rows, for calibration.
pub(super) fn scored(
    forward: &Forward,
    law: &ScoreLaw,
    inputs: &[Input],
    rows: &[&FeatureRow],
) -> Vec<ScoredRow> {
    let of = |(input, row): (&Input, &&FeatureRow)| {
        let raw = f64::from(forward.score(law, input)?.raw);
        Some(ScoredRow { ts: row.ts, symbol: row.symbol, raw })
    };
    inputs.iter().zip(rows).filter_map(of).collect()
}

fn mse(inputs: &[Input], errors: impl Fn(&Input) -> [f64; MODEL_FEATURE_COUNT]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for input in inputs {
        for (feature, error) in errors(input).iter().enumerate() {
            if input.usable >> feature & 1 == 1 {
                sum += error * error;
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The model on rows no fit saw.
pub(super) fn holdout_report(inputs: &[Input], scores: &[ScoredRow], with: &Evaluated<'_>) -> HoldoutReport {
    let forward = Forward::new(with.network);
    let mut report = HoldoutReport {
        rows: scores.len() as u64,
        mse_vae: mse(inputs, |input| forward.errors(with.law, input)),
        mse_pca: mse(inputs, |input| with.baseline.errors(input)),
        ..HoldoutReport::default()
    };
    for s in scores {
        let calibration = with.calibrations.of(s.symbol);
        let (Some(p), Some(score)) = (calibration.p_value(s.raw), calibration.score(s.raw)) else { continue };
        report.share_p_01 += f64::from(u8::from(p <= 1e-2));
        report.share_p_001 += f64::from(u8::from(p <= 1e-3));
        report.elevated += u64::from(score >= 0.05);
        report.high += u64::from(score >= 0.30);
        report.critical += u64::from(score >= 0.80);
    }
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    let n = scores.len().max(1) as f64;
    report.share_p_01 /= n;
    report.share_p_001 /= n;
    report
}

/// What a holdout is judged with.
pub(super) struct Evaluated<'a> {
    pub(super) network: &'a Network,
    pub(super) law: &'a ScoreLaw,
    pub(super) baseline: &'a Pca,
    pub(super) calibrations: &'a Calibrations,
}
