//! Scores of rows, and the report on those that no fit saw.

use types::MODEL_FEATURE_COUNT;

use super::calibrate::ScoredRow;
use super::pca::Pca;
use crate::inputs::{FeatureRow, Input, Profiles};
use crate::model::{Calibrations, HoldoutReport, ScoreLaw, Sides};
use crate::network::Network;
use crate::score::Forward;

/// Raw scores of rows, for calibration: as they are made live, of what the model is shown and without the shares of what is
/// harmless.
pub(super) fn scored<'a>(
    forward: &Forward,
    law: &ScoreLaw,
    profiles: &Profiles,
    rows: impl IntoIterator<Item = &'a FeatureRow>,
) -> Vec<ScoredRow> {
    let sides = profiles.map(Sides::of);
    let of = |row: &FeatureRow| {
        let (sides, mut shown) = (sides.of(row.symbol), row.values);
        sides.hold(&mut shown);
        let whole = forward.score_values(law, profiles.of(row.symbol), &shown, row.valid)?;
        let raw = f64::from(sides.harm_of(whole, |feature| row.get(usize::from(feature))).raw);
        Some(ScoredRow { ts: row.ts, symbol: row.symbol, capture: 0, raw })
    };
    rows.into_iter().filter_map(of).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{ReferenceScorer, Scorer};
    use crate::synthetic::{Market, model};
    use types::{BookState, FeatureId, FeatureVector, InstrumentId};

    /// What the stage makes of `row`.
    fn live(row: &FeatureRow) -> f64 {
        let mut vector = FeatureVector { instrument: InstrumentId(0), ..FeatureVector::EMPTY };
        vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&row.values);
        (vector.valid, vector.book_state) = (row.valid.into(), BookState::Live.to_u8());
        let mut scorer = ReferenceScorer::new(model(), 1);
        scorer.define(InstrumentId(0), row.symbol);
        let (sides, mut out) = (Sides::of(model().profiles().of(row.symbol)), [None]);
        scorer.score(&[sides.show(&vector)], &mut out);
        f64::from(sides.harm_of(out[0].unwrap(), |id| Some(vector.values[usize::from(id)])).raw)
    }

    #[test]
    fn a_law_is_fitted_to_scores_as_they_are_made_live() {
        let mut market = Market::new("BBB", 4.0, 5);
        let mut rows: Vec<FeatureRow> = (0..50).map(|i| market.row(i, 0.0)).collect();
        for row in &mut rows[..25] {
            row.values[FeatureId::SpreadBps as usize] *= 0.1;
            row.values[FeatureId::TopDepth as usize] += 4.0;
        }
        let forward = Forward::new(model().network());
        let made = scored(&forward, model().score_law(), model().profiles(), &rows);
        let differs = |(row, made): &(&FeatureRow, &ScoredRow)| {
            assert!((live(row) - made.raw).abs() < 1e-6, "{} {}", live(row), made.raw);
            let profile = model().profiles().of(row.symbol);
            let bare = forward.score_values(model().score_law(), profile, &row.values, row.valid).unwrap();
            f64::from(bare.raw) > 2.0 * made.raw
        };
        let cut = rows.iter().zip(&made).take(25).filter(differs).count();
        assert!(made.len() == 50 && cut > 20, "{cut} of 25 rows of a better market lose most of their score");
    }
}
