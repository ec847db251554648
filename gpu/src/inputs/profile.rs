//! From feature values with units to the numbers the network sees: a fixed transform per feature, robust scaling per
//! symbol, winsorising, imputing what is missing.

use serde::{Deserialize, Serialize};
use types::MODEL_FEATURE_COUNT;

use super::per_symbol::PerSymbol;
use super::transform::COLUMNS;

pub(crate) use gpu_fit::INPUT_COUNT;

/// Normalised values are kept within this many robust standard deviations.
pub(crate) const WINSOR: f64 = 10.0;

/// Fewer valid features than this and a row is not scored: more than half of the picture would be invented.
pub(crate) const VALID_MIN: u32 = MODEL_FEATURE_COUNT.div_ceil(2) as u32;

/// Location and scale of every feature in calm markets, for one symbol or for all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Medians, after the feature's transform.
    pub median: [f64; MODEL_FEATURE_COUNT],
    /// Robust standard deviations, after the feature's transform; positive.
    pub scale: [f64; MODEL_FEATURE_COUNT],
    /// Bit i: the training data held enough of feature i for it to be used at all.
    pub trained: u16,
    /// Rows it was taken from.
    pub rows: u64,
}

/// One row as the network sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Normalised features (0 where missing), then the missing bits as 0 or 1.
    pub x: [f32; INPUT_COUNT],
    /// Bit i: feature i was there and counts in the score.
    pub usable: u16,
}

impl Input {
    /// Features that count.
    #[inline]
    #[must_use]
    pub const fn usable_count(&self) -> u32 {
        self.usable.count_ones()
    }

    /// Whether enough of the picture is there for a score.
    #[inline]
    #[must_use]
    pub const fn is_scorable(&self) -> bool {
        self.usable_count() >= VALID_MIN
    }
}

impl Profile {
    /// `1 / scale`: what the fast scorers multiply by instead of dividing.
    pub(crate) fn inverse_scale(&self) -> [f64; MODEL_FEATURE_COUNT] {
        self.scale.map(|scale| 1.0 / scale)
    }

    /// What is wrong with a profile read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.median.iter().all(|m| m.is_finite()) {
            return Some("a median that is infinite or NaN");
        }
        if !self.scale.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Some("a scale that is not positive");
        }
        (u32::from(self.trained) >= 1 << MODEL_FEATURE_COUNT).then_some("more trained bits than features")
    }

    /// Normalises `values`: `(transform(v) - median) / scale`, winsorised; what is not valid, not a number or was not in the
    /// training data becomes the median (0) with its missing bit set. The result holds only finite numbers.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
    pub fn normalise(&self, values: &[f64; MODEL_FEATURE_COUNT], valid: u16) -> Input {
        let mut input = Input { x: [0.0; INPUT_COUNT], usable: 0 };
        for (feature, value) in values.iter().enumerate() {
            let bit = 1 << feature;
            if valid & self.trained & bit != 0 && value.is_finite() {
                let sigmas = (COLUMNS[feature].0.apply(*value) - self.median[feature]) / self.scale[feature];
                input.x[feature] = sigmas.clamp(-WINSOR, WINSOR) as f32;
                input.usable |= bit;
            } else {
                input.x[MODEL_FEATURE_COUNT + feature] = 1.0;
            }
        }
        input
    }

    /// The usual value of `feature`, in its own unit.
    #[inline]
    #[must_use]
    pub fn usual(&self, feature: types::FeatureId) -> f64 {
        let i = feature as usize;
        COLUMNS[i].0.invert(self.median[i])
    }
}

/// The profiles of a model: one for every symbol that was trained on with enough rows, and the pooled one for the rest.
pub type Profiles = PerSymbol<Profile>;
