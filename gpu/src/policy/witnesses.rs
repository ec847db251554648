//! Signs of stress that need no model.

use types::{FeatureId, FeatureVector};

use super::config::WitnessConfig;
use crate::inputs::Profile;

/// Least usual volatility that a witness multiplies: in most calm seconds the mid does not move at all, and any multiple
/// of zero would make a single tick a witness.
const RV_USUAL_MIN_BPS: f64 = 1.0;

/// Signs of stress that need no model, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(u8);

impl Witnesses {
    /// The spread is a multiple of the usual.
    pub const SPREAD: Self = Self(1);
    /// The touch holds a fraction of the usual.
    pub const DEPTH: Self = Self(1 << 1);
    /// One-second volatility is a multiple of the usual.
    pub const VOLATILITY: Self = Self(1 << 2);

    /// What `vector` shows against the calm `profile`. A feature that is not valid, or that the profile never saw, is
    /// no witness.
    #[must_use]
    pub fn of(config: &WitnessConfig, profile: &Profile, vector: &FeatureVector) -> Self {
        let value = |feature: FeatureId| {
            let known = profile.trained >> feature as usize & 1 == 1;
            vector.get(feature).filter(|v| known && v.is_finite())
        };
        let mut set = 0;
        let spread_max = config.spread_ratio * profile.usual(FeatureId::SpreadBps);
        if value(FeatureId::SpreadBps).is_some_and(|v| v > spread_max) {
            set |= Self::SPREAD.0;
        }
        // Depth is a logarithm: a ratio is a difference.
        let depth_min = profile.usual(FeatureId::TopDepth) + config.depth_ratio.ln();
        if value(FeatureId::TopDepth).is_some_and(|v| v < depth_min) {
            set |= Self::DEPTH.0;
        }
        let volatility_max = config.volatility_ratio * profile.usual(FeatureId::Rv1S).max(RV_USUAL_MIN_BPS);
        if value(FeatureId::Rv1S).is_some_and(|v| v > volatility_max) {
            set |= Self::VOLATILITY.0;
        }
        Self(set)
    }

    /// How many.
    #[inline]
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0.count_ones() as u8
    }

    /// Whether all of `other` are in it.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{BookState, MODEL_FEATURE_COUNT, UnixNanos};

    fn profile() -> Profile {
        // A spread of 2 bps, a depth of e^7, no movement in most seconds.
        let mut values = [0.0; MODEL_FEATURE_COUNT];
        values[FeatureId::SpreadBps as usize] = 2.0;
        values[FeatureId::TopDepth as usize] = 7.0;
        let symbol = types::Symbol::new("A").unwrap();
        let row = crate::FeatureRow { ts: UnixNanos(0), symbol, valid: 0x1fff, values };
        crate::train::fit_profile([row; 100].iter(), None)
    }

    fn vector(spread_bps: f64, ln_depth: f64, rv_bps: f64) -> FeatureVector {
        let mut v = FeatureVector { book_state: BookState::Live.to_u8(), ..FeatureVector::EMPTY };
        v.set(FeatureId::SpreadBps, spread_bps);
        v.set(FeatureId::TopDepth, ln_depth);
        v.set(FeatureId::Rv1S, rv_bps);
        v
    }

    #[test]
    fn witnesses_compare_with_the_calm_profile() {
        let of = |v: &FeatureVector| Witnesses::of(&WitnessConfig::default(), &profile(), v);
        assert_eq!(of(&vector(5.9, 7.0, 5.0)), Witnesses::default());
        // A quarter of e^7 is e^(7 - 1.386); the usual volatility of 0 counts as 1 bp.
        let all = of(&vector(6.1, 5.6, 5.1));
        assert_eq!(all.count(), 3);
        assert!(of(&vector(6.1, 7.0, 0.0)).has(Witnesses::SPREAD));
        assert!(of(&vector(2.0, 5.6, 0.0)).has(Witnesses::DEPTH));
        assert!(of(&vector(2.0, 7.0, 5.1)).has(Witnesses::VOLATILITY));
        let mut nothing = vector(100.0, 0.0, 100.0);
        nothing.valid = 0;
        assert_eq!(of(&nothing).count(), 0);
        nothing.valid = 0x1fff;
        nothing.values = [f64::NAN; types::FEATURE_COUNT];
        assert_eq!(of(&nothing).count(), 0);
    }
}
