//! The laws of the channels beside the autoencoder, from calm captures.

use super::calibrate::{CalibrateError, ScoredRow, calibrate_with};
use crate::captures::ReadingRow;
use crate::model::{CalibrationConfig, Calibrations, Channel, ChannelLaws};

/// Shape of the tail of a cumulative sum: whatever the law of its steps, as long as that has a light tail, the sum's own falls
/// off exponentially (Lundberg's inequality; Siegmund 1985, "Sequential analysis"). Each step counts a bounded number of scales,
/// so it has.
const CUMULATIVE_SUM_SHAPE: f64 = 0.0;

/// For so long a cumulative sum is below the threshold between two of its clusters. One campaign leaves the threshold many times; taken
/// for clusters, its small ones make the tail look lighter than it is. With a minute the shape comes out at none by itself.
const CUMULATIVE_SUM_GAP_NS: u64 = 60_000_000_000;

/// Fits the laws to `captures` of calm markets, each with its rows in any order.
///
/// # Errors
/// Too few rows, or rows without a tail.
pub fn fit_channels(
    captures: &[Vec<ReadingRow>],
    config: &CalibrationConfig,
) -> Result<ChannelLaws, CalibrateError> {
    let fit = |(at, channel): (usize, Channel)| -> Result<Calibrations, CalibrateError> {
        let rows = captures.iter().enumerate().flat_map(|(i, rows)| rows.iter().map(move |row| (i, row)));
        let score = |(capture, row): (usize, &ReadingRow)| ScoredRow {
            ts: row.ts,
            symbol: row.symbol,
            capture,
            raw: row.readings[at],
        };
        let scores: Vec<ScoredRow> = rows.map(score).collect();
        if !channel.adds_up() {
            return calibrate_with(&scores, config, None);
        }
        let decluster_gap_ns = config.decluster_gap_ns.max(CUMULATIVE_SUM_GAP_NS);
        calibrate_with(
            &scores,
            &CalibrationConfig { decluster_gap_ns, ..*config },
            Some(CUMULATIVE_SUM_SHAPE),
        )
    };
    let laws = Channel::BESIDE.into_iter().enumerate().map(fit).collect::<Result<Vec<_>, _>>()?;
    let Ok(laws) = laws.try_into() else { unreachable!("a law for each channel") };
    Ok(ChannelLaws(laws))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_fit::random::{Purpose, Random};
    use types::{Symbol, UnixNanos};

    /// The reflected walk of a calm market: steps of unit deviation less the allowance, held at zero. Its excursions last a few
    /// steps of ten seconds.
    fn walk(name: &str, count: u64, seed: u64) -> Vec<ReadingRow> {
        let (mut random, symbol) = (Random::new(seed, Purpose::Init), Symbol::new(name).unwrap());
        let mut sum = 0.0_f64;
        (0..count)
            .map(|i| {
                sum = (sum + random.normal() - 0.5).max(0.0);
                ReadingRow { ts: UnixNanos(i * 10_000_000_000), symbol, readings: [sum; 5] }
            })
            .collect()
    }

    #[test]
    fn a_reflected_walk_has_the_exponential_tail_of_its_theory() {
        let mut rows = walk("A", 400_000, 1);
        rows.push(ReadingRow { readings: [f64::NAN; 5], ..rows[0] });
        let laws = fit_channels(&[rows], &CalibrationConfig::default()).unwrap();
        let flow = &laws.0[0];
        let law = flow.of(Symbol::new("A").unwrap());
        // Steps of mean -1/2 and deviation 1: the sum exceeds x with a probability that falls by exp(-2 * 1/2 * x).
        assert!(law.shape == 0.0 && (law.scale - 1.0).abs() < 0.2, "{}", law.scale);
        // Against the frequency in another stretch, ten times as rare as anything fitted.
        let other = walk("A", 2_000_000, 2);
        let at = 10.0;
        let beyond = other.iter().filter(|row| row.readings[0] > at).count() as f64 / 2e6;
        let said = law.p_value(at).unwrap();
        // Never less, and not much more: a cluster's largest excess stands for all of its rows.
        assert!(said > beyond && said < beyond * 6.0, "{said} for {beyond}");
        assert_eq!(flow.of(Symbol::new("B").unwrap()), &flow.pooled);
    }

    #[test]
    fn rows_without_readings_fit_nothing() {
        let rows: Vec<ReadingRow> =
            walk("A", 5_000, 1).into_iter().map(|r| ReadingRow { readings: [f64::NAN; 5], ..r }).collect();
        let error = fit_channels(&[rows], &CalibrationConfig::default()).unwrap_err();
        assert!(matches!(error, CalibrateError::TooFewScores { found: 0, .. }), "{error}");
    }
}
