//! The laws of the channels beside the autoencoder, from calm captures.

use super::calibrate::{CalibrateError, ScoredRow, calibrate_with};
use crate::captures::FlowRow;
use crate::model::{CalibrationConfig, ChannelLaws};

/// Shape of the tail of a cumulative sum: whatever the law of its steps, as long as that has a light tail, the sum's own falls
/// off exponentially (Lundberg's inequality; Siegmund 1985, "Sequential analysis"). Each step counts a bounded number of scales,
/// so it has.
const CUMULATIVE_SUM_SHAPE: f64 = 0.0;

/// Fits the laws to `rows` of calm markets, in any order.
///
/// # Errors
/// Too few rows, or rows without a tail.
pub fn fit_channels(rows: &[FlowRow], config: &CalibrationConfig) -> Result<ChannelLaws, CalibrateError> {
    let scored = |row: &FlowRow| {
        let raw = row.excess?;
        Some(ScoredRow { ts: row.ts, symbol: row.symbol, raw })
    };
    let scores: Vec<ScoredRow> = rows.iter().filter_map(scored).collect();
    Ok(ChannelLaws { flow: calibrate_with(&scores, config, Some(CUMULATIVE_SUM_SHAPE))? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_fit::random::{Purpose, Random};
    use types::{Symbol, UnixNanos};

    /// The reflected walk of a calm market: steps of unit deviation less the allowance, held at zero.
    fn walk(name: &str, count: u64, seed: u64) -> Vec<FlowRow> {
        let (mut random, symbol) = (Random::new(seed, Purpose::Init), Symbol::new(name).unwrap());
        let mut sum = 0.0_f64;
        (0..count)
            .map(|i| {
                sum = (sum + random.normal() - 0.5).max(0.0);
                FlowRow { ts: UnixNanos(i * 100_000_000), symbol, excess: Some(sum) }
            })
            .collect()
    }

    #[test]
    fn a_reflected_walk_has_the_exponential_tail_of_its_theory() {
        let mut rows = walk("A", 400_000, 1);
        rows.push(FlowRow { excess: None, ..rows[0] });
        let laws = fit_channels(&rows, &CalibrationConfig::default()).unwrap();
        let law = laws.flow.of(Symbol::new("A").unwrap());
        // Steps of mean -1/2 and deviation 1: the sum exceeds x with a probability that falls by exp(-2 * 1/2 * x).
        assert!(law.shape == 0.0 && (law.scale - 1.0).abs() < 0.2, "{}", law.scale);
        // Against the frequency in another stretch, ten times as rare as anything fitted.
        let other = walk("A", 2_000_000, 2);
        let at = 10.0;
        let beyond = other.iter().filter(|row| row.excess.unwrap() > at).count() as f64 / 2e6;
        let said = law.p_value(at).unwrap();
        // Never less, and not much more: a cluster's largest excess stands for all of its rows.
        assert!(said > beyond && said < beyond * 6.0, "{said} for {beyond}");
        assert_eq!(laws.flow.of(Symbol::new("B").unwrap()), &laws.flow.pooled);
    }

    #[test]
    fn rows_without_flow_fit_nothing() {
        let rows: Vec<FlowRow> =
            walk("A", 5_000, 1).into_iter().map(|r| FlowRow { excess: None, ..r }).collect();
        let error = fit_channels(&rows, &CalibrationConfig::default()).unwrap_err();
        assert!(matches!(error, CalibrateError::TooFewScores { found: 0, .. }), "{error}");
    }
}
