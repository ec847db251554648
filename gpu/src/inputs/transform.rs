//! The fixed transform of each feature, and the resolution below which a change of it is no change of the market.

use types::MODEL_FEATURE_COUNT;

/// What happens to a feature before it is scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transform {
    /// Nothing: shares, and the depth, which is a logarithm already.
    Linear,
    /// `ln(v + floor)`, for what grows by factors: a spread of 12 bps is to one of 4 as 3 is to 1. On a linear scale
    /// the calm tail of such a feature reaches the winsor bound long before the crash does, and both look alike there.
    Log(f64),
    /// `asinh(v)`: signed, near zero linear, far out a logarithm.
    Asinh,
}

impl Transform {
    /// Never NaN for a finite `v`; a value below zero, which these features cannot have, counts as zero.
    #[inline]
    pub(crate) fn apply(self, v: f64) -> f64 {
        match self {
            Self::Linear => v,
            Self::Log(floor) => (v.max(0.0) + floor).ln(),
            Self::Asinh => v.asinh(),
        }
    }

    pub(crate) fn invert(self, t: f64) -> f64 {
        match self {
            Self::Linear => t,
            Self::Log(floor) => t.exp() - floor,
            Self::Asinh => t.sinh(),
        }
    }
}

/// The transform of each feature, and its smallest scale after it: the resolution below which a change is not a change
/// of the market. A spread that never left one tick has no interquartile range, and without a floor the first second
/// tick would be infinitely surprising.
pub(crate) const COLUMNS: [(Transform, f64); MODEL_FEATURE_COUNT] = [
    (Transform::Log(0.01), 0.15),
    (Transform::Linear, 0.05),
    (Transform::Linear, 0.02),
    (Transform::Linear, 0.02),
    (Transform::Asinh, 0.05),
    (Transform::Asinh, 0.1),
    (Transform::Linear, 0.02),
    (Transform::Log(0.1), 0.2),
    (Transform::Log(0.5), 0.2),
    (Transform::Linear, 0.01),
    (Transform::Linear, 0.02),
    (Transform::Linear, 0.15),
    (Transform::Linear, 0.05),
];

/// The transforms as the manifest names them; a model that was trained with others is refused.
pub(crate) fn transform_names() -> Vec<String> {
    let name = |(transform, _): &(Transform, f64)| match transform {
        Transform::Linear => "linear".to_owned(),
        Transform::Log(floor) => format!("ln(v + {floor})"),
        Transform::Asinh => "asinh".to_owned(),
    };
    COLUMNS.iter().map(name).collect()
}
