//! The law of the autoencoder's scores anew, from calm captures that need not be those it was trained on.

use super::calibrate::{CalibrateError, ScoredRow, calibrate};
use super::holdout::scored;
use crate::captures::{drop_warmup, sort};
use crate::inputs::FeatureRow;
use crate::model::{Calibrations, Model, TrainConfig};
use crate::score::Forward;

/// Fits the law of the scores that `model` gives `captures` of calm markets, each with its rows in any order. Of days that the network
/// never saw, it says how far scores go live; of those that it was fitted to, it would say less.
///
/// # Errors
/// Too few rows, or scores without a tail.
pub fn fit_joint(
    model: &Model,
    captures: &[Vec<FeatureRow>],
    config: &TrainConfig,
) -> Result<Calibrations, CalibrateError> {
    let forward = Forward::new(model.network());
    let scores = captures.iter().enumerate().flat_map(|(capture, rows)| {
        let mut rows = rows.clone();
        sort(&mut rows);
        drop_warmup(&mut rows, config.warmup_ns);
        let scores = scored(&forward, model.score_law(), model.profiles(), &rows);
        scores.into_iter().map(move |score| ScoredRow { capture, ..score })
    });
    calibrate(&scores.collect::<Vec<_>>(), &config.calibration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{calm, model, quick};

    #[test]
    fn a_law_of_other_days_says_how_often_their_scores_are_passed() {
        let days = [calm(2_000, 31), calm(2_000, 32)];
        let law = fit_joint(model(), &days, &quick()).unwrap();
        let seen = calm(2_000, 33);
        let scores = scored(&Forward::new(model().network()), model().score_law(), model().profiles(), &seen);
        let beyond = |p: f64| {
            let passed = |s: &&ScoredRow| law.pooled.p_value(s.raw).unwrap() <= p;
            scores.iter().filter(passed).count() as f64 / scores.len() as f64
        };
        assert!(
            (beyond(0.1) - 0.1).abs() < 0.03 && (beyond(0.01) - 0.01).abs() < 0.01,
            "{} {}",
            beyond(0.1),
            beyond(0.01)
        );
        // Each capture has clusters of its own, though both are of one time.
        let one = fit_joint(model(), &days[..1], &quick()).unwrap();
        assert!(law.pooled.clusters > one.pooled.clusters && law.pooled.rows > one.pooled.rows);
        assert!(matches!(
            fit_joint(model(), &[], &quick()),
            Err(CalibrateError::TooFewScores { found: 0, .. })
        ));
    }
}
