//! One captured feature vector, as training and calibration read it.

use types::{MODEL_FEATURE_COUNT, Symbol, UnixNanos};

/// A feature vector with the symbol's name instead of the day's dense number, since a model outlives the day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureRow {
    /// Grid point (event time).
    pub ts: UnixNanos,
    /// The instrument's name.
    pub symbol: Symbol,
    /// Bit i: value i can be used.
    pub valid: u16,
    /// Values in [`types::FeatureId`] order, units as in [`types::FEATURES`].
    pub values: [f64; MODEL_FEATURE_COUNT],
}

impl FeatureRow {
    /// Value `feature` when its bit is set and it is a number.
    #[inline]
    #[must_use]
    pub fn get(&self, feature: usize) -> Option<f64> {
        let value = *self.values.get(feature)?;
        (self.valid >> feature & 1 == 1 && value.is_finite()).then_some(value)
    }
}
