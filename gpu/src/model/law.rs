//! From a reconstruction to a raw score with its reasons.

use serde::{Deserialize, Serialize};
use types::MODEL_FEATURE_COUNT;

use crate::network::LATENT_COUNT;

/// Features named with a score.
pub const TOP_COUNT: usize = 3;

/// How strange one vector looks to the model, and which features made it so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawScore {
    /// Uncalibrated: about 1 in calm markets, without an upper bound that means anything. Always a finite number.
    pub raw: f32,
    /// The features with the largest reconstruction errors, largest first ([`types::FeatureId`] numbers).
    pub top3: [u8; TOP_COUNT],
    /// Their shares of the whole reconstruction error, 0 to 1.
    pub contributions: [f32; TOP_COUNT],
}

/// The constants that turn a reconstruction into a score; learned in training, fixed at inference, so that the
/// network cannot explain stress away by widening its own error bars.
///
/// `raw = (1/d') Σ_valid (x - x̂)²/s²`, `x̂` decoded from the posterior mean **held within the calm range**.
///
/// Holding the latent state takes the place of a term of its own for it: a ReLU decoder goes on linearly beyond the data it was trained on, so a state far out along a direction that calm markets
/// use (wide *and* volatile *and* thin together) would be rebuilt well. Held at the edge of the calm range it cannot be,
/// and the excess shows in the errors of the very features that are off, where a separate latent term has no attribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreLaw {
    /// Calm standard deviation of each reconstruction error, in normalised units.
    pub s: [f64; MODEL_FEATURE_COUNT],
    /// Lower end of each latent unit's calm range.
    pub latent_min: [f64; LATENT_COUNT],
    /// Upper end of each latent unit's calm range; not below the lower.
    pub latent_max: [f64; LATENT_COUNT],
}

impl ScoreLaw {
    /// What is wrong with a law read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.s.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Some("an error scale that is not positive");
        }
        let mut ranges = self.latent_min.iter().zip(&self.latent_max);
        let sound = ranges.all(|(min, max)| min.is_finite() && max.is_finite() && min <= max);
        (!sound).then_some("a latent range with a bound that is not a number, or a minimum above its maximum")
    }

    /// `1 / s` as the single-precision scorers multiply by it; one rounding, so that their scores share every bit.
    pub(crate) fn inverse_scale_f32(&self) -> [f32; MODEL_FEATURE_COUNT] {
        #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
        self.s.map(|s| (1.0 / s) as f32)
    }

    /// The calm range of each latent unit as the single-precision scorers hold it.
    pub(crate) fn latent_range_f32(&self) -> [(f32, f32); LATENT_COUNT] {
        #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
        core::array::from_fn(|i| (self.latent_min[i] as f32, self.latent_max[i] as f32))
    }

    /// `latent` held within the calm range.
    #[inline]
    pub(crate) fn hold(&self, mut latent: [f64; LATENT_COUNT]) -> [f64; LATENT_COUNT] {
        for (unit, value) in latent.iter_mut().enumerate() {
            // Not `clamp`: NaN must pass through to the score's own check, and this never panics.
            if *value < self.latent_min[unit] {
                *value = self.latent_min[unit];
            } else if *value > self.latent_max[unit] {
                *value = self.latent_max[unit];
            }
        }
        latent
    }

    /// The score of one reconstruction; `None` when anything in it is not a number.
    #[inline]
    pub(crate) fn score(&self, usable: u16, errors: &[f64; MODEL_FEATURE_COUNT]) -> Option<RawScore> {
        let mut shares = [0.0; MODEL_FEATURE_COUNT];
        let mut sum = 0.0;
        for feature in 0..MODEL_FEATURE_COUNT {
            if usable >> feature & 1 == 1 {
                let scaled = errors[feature] / self.s[feature];
                shares[feature] = scaled * scaled;
                sum += shares[feature];
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "scores are reported in f32")]
        let raw = (sum / f64::from(usable.count_ones().max(1))) as f32;
        if !raw.is_finite() {
            return None;
        }
        let (top3, contributions) = top(&shares, sum);
        Some(RawScore { raw, top3, contributions })
    }
}

/// The three largest shares, ties to the lower feature.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "feature numbers fit a byte, shares are shown in f32")]
fn top(shares: &[f64; MODEL_FEATURE_COUNT], sum: f64) -> ([u8; TOP_COUNT], [f32; TOP_COUNT]) {
    let (mut ids, mut values) = ([0_u8; TOP_COUNT], [-1.0_f64; TOP_COUNT]);
    for (feature, &share) in shares.iter().enumerate() {
        let Some(mut place) = values.iter().position(|v| share > *v) else { continue };
        let (mut id, mut value) = (feature as u8, share);
        while place < TOP_COUNT {
            (ids[place], id) = (id, ids[place]);
            (values[place], value) = (value, values[place]);
            place += 1;
        }
    }
    let total = if sum > 0.0 { sum } else { 1.0 };
    (ids, values.map(|v| (v / total) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAW: ScoreLaw = ScoreLaw {
        s: [0.5; MODEL_FEATURE_COUNT],
        latent_min: [-1.0; LATENT_COUNT],
        latent_max: [1.0, 2.0, 3.0, 4.0],
    };

    #[test]
    fn a_score_worked_by_hand() {
        // Errors 1 on features 2 and 5, 3 on feature 7, which is not usable: (4 + 4)/12.
        let mut errors = [0.0; MODEL_FEATURE_COUNT];
        (errors[2], errors[5], errors[7]) = (1.0, 1.0, 3.0);
        let score = LAW.score(0x1fff & !(1 << 7), &errors).unwrap();
        assert!((score.raw - 8.0 / 12.0).abs() < 1e-6);
        assert_eq!(score.top3, [2, 5, 0]);
        assert_eq!(score.contributions, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_latent_state_is_held_within_the_calm_range() {
        assert_eq!(LAW.hold([-9.0, 0.5, 9.0, 9.0]), [-1.0, 0.5, 3.0, 4.0]);
        assert!(LAW.hold([f64::NAN; LATENT_COUNT])[0].is_nan());
    }

    #[test]
    fn a_reconstruction_that_is_no_number_has_no_score() {
        for bad in [f64::NAN, f64::INFINITY, f64::MAX] {
            let mut errors = [0.0; MODEL_FEATURE_COUNT];
            errors[3] = bad;
            assert_eq!(LAW.score(0x1fff, &errors), None);
            assert_eq!(
                LAW.score(0x1ff7, &errors).map(|s| s.raw),
                Some(0.0),
                "what is not valid does not count"
            );
        }
    }

    proptest! {
        #[test]
        fn the_top_three_are_those_of_a_sort(shares in prop::array::uniform13(0.0_f64..10.0)) {
            let sum: f64 = shares.iter().sum();
            let (ids, values) = top(&shares, sum);
            let mut order: Vec<usize> = (0..MODEL_FEATURE_COUNT).collect();
            order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
            for place in 0..TOP_COUNT {
                prop_assert_eq!(usize::from(ids[place]), order[place]);
                #[expect(clippy::cast_possible_truncation, reason = "shares are f32")]
                let want = (shares[order[place]] / sum) as f32;
                prop_assert_eq!(values[place], want);
            }
        }
    }
}
