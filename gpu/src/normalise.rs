//! From feature values with units to the numbers the network sees (DOMAIN.md 3.12, rules 8 and 9): a fixed transform
//! per feature, robust scaling per symbol, winsorising, imputing what is missing.

use serde::{Deserialize, Serialize};
use types::{FEATURE_COUNT, Symbol};

use crate::row::FeatureRow;

pub use gpu_fit::INPUT_COUNT;

/// Normalised values are kept within this many robust standard deviations.
pub const WINSOR: f64 = 10.0;

/// Fewer valid features than this and a row is not scored: more than half of the picture would be invented.
pub const VALID_MIN: u32 = FEATURE_COUNT.div_ceil(2) as u32;

/// Rows a feature needs before its median and scale mean anything.
const VALUES_MIN: usize = 100;

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
    fn apply(self, v: f64) -> f64 {
        match self {
            Self::Linear => v,
            Self::Log(floor) => (v.max(0.0) + floor).ln(),
            Self::Asinh => v.asinh(),
        }
    }

    fn invert(self, t: f64) -> f64 {
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
pub(crate) const COLUMNS: [(Transform, f64); FEATURE_COUNT] = [
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

/// Location and scale of every feature in calm markets, for one symbol or for all together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Medians, after the feature's transform.
    pub median: [f64; FEATURE_COUNT],
    /// Robust standard deviations, after the feature's transform; positive.
    pub scale: [f64; FEATURE_COUNT],
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

/// Value at rank `share` (0 to 1) of sorted values, interpolated; NaN never enters, `sorted` is not empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    let position = share.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the slice by construction"
    )]
    let below = position as usize;
    let above = (below + 1).min(last);
    let fraction = position - position.floor();
    sorted[below] * (1.0 - fraction) + sorted[above] * fraction
}

/// Median and scale of one feature. The scale is the wider of the interquartile range and the 5 %..95 % range, both
/// as standard deviations of a normal law: books tick, so more than half of calm values can be equal and the
/// interquartile range alone would call an ordinary second tick a ten-sigma event.
fn location_and_scale(values: &mut [f64], feature: usize) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let iqr = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.348_979_500_392_163_6;
    let wide = (quantile(values, 0.95) - quantile(values, 0.05)) / 3.289_707_253_902_945;
    (quantile(values, 0.5), iqr.max(wide).clamp(COLUMNS[feature].1, f64::MAX))
}

impl Profile {
    /// `1 / scale`: what the fast scorers multiply by instead of dividing.
    pub(crate) fn inverse_scale(&self) -> [f64; FEATURE_COUNT] {
        self.scale.map(|scale| 1.0 / scale)
    }

    /// The profile of `rows`; a feature with too few values is left to `fallback`, or marked untrained without one.
    pub(crate) fn fit<'a>(
        rows: impl Iterator<Item = &'a FeatureRow> + Clone,
        fallback: Option<&Self>,
    ) -> Self {
        let mut profile = Self {
            median: [0.0; FEATURE_COUNT],
            scale: COLUMNS.map(|(_, scale_min)| scale_min),
            trained: 0,
            rows: rows.clone().count() as u64,
        };
        let mut values = Vec::new();
        for (feature, (transform, _)) in COLUMNS.into_iter().enumerate() {
            values.clear();
            values.extend(rows.clone().filter_map(|row| row.get(feature)).map(|v| transform.apply(v)));
            if values.len() >= VALUES_MIN {
                (profile.median[feature], profile.scale[feature]) = location_and_scale(&mut values, feature);
                profile.trained |= 1 << feature;
            } else if let Some(fallback) = fallback {
                profile.median[feature] = fallback.median[feature];
                profile.scale[feature] = fallback.scale[feature];
                profile.trained |= fallback.trained & 1 << feature;
            }
        }
        profile
    }

    /// What is wrong with a profile read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.median.iter().all(|m| m.is_finite()) {
            return Some("a median that is not a number");
        }
        if !self.scale.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Some("a scale that is not positive");
        }
        (u32::from(self.trained) >= 1 << FEATURE_COUNT).then_some("more trained bits than features")
    }

    /// Normalises `values`: `(transform(v) - median) / scale`, winsorised; what is not valid, not a number or was not in the
    /// training data becomes the median (0) with its missing bit set. The result holds only finite numbers.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
    pub fn normalise(&self, values: &[f64; FEATURE_COUNT], valid: u16) -> Input {
        let mut input = Input { x: [0.0; INPUT_COUNT], usable: 0 };
        for (feature, value) in values.iter().enumerate() {
            let bit = 1 << feature;
            if valid & self.trained & bit != 0 && value.is_finite() {
                let sigmas = (COLUMNS[feature].0.apply(*value) - self.median[feature]) / self.scale[feature];
                input.x[feature] = sigmas.clamp(-WINSOR, WINSOR) as f32;
                input.usable |= bit;
            } else {
                input.x[FEATURE_COUNT + feature] = 1.0;
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
#[derive(Clone, Debug, PartialEq)]
pub struct Profiles {
    /// All symbols together.
    pub pooled: Profile,
    /// Sorted by symbol.
    pub(crate) symbols: Vec<(Symbol, Profile)>,
}

impl Profiles {
    /// Profiles of `rows`; a symbol with fewer than `symbol_rows_min` rows has none of its own.
    pub(crate) fn fit(rows: &[FeatureRow], symbol_rows_min: usize) -> Self {
        let pooled = Profile::fit(rows.iter(), None);
        let mut order: Vec<&FeatureRow> = rows.iter().collect();
        order.sort_by_key(|row| row.symbol);
        let symbols = order
            .chunk_by(|a, b| a.symbol == b.symbol)
            .filter(|group| group.len() >= symbol_rows_min.max(1))
            .map(|group| (group[0].symbol, Profile::fit(group.iter().copied(), Some(&pooled))))
            .collect();
        Self { pooled, symbols }
    }

    /// The profile that holds for `symbol`.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> &Profile {
        match self.symbols.binary_search_by_key(&symbol, |(name, _)| *name) {
            Ok(i) => &self.symbols[i].1,
            Err(_) => &self.pooled,
        }
    }

    /// Symbols with a profile of their own.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        self.symbols.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::{FeatureId, UnixNanos};

    fn row(symbol: &str, values: [f64; FEATURE_COUNT]) -> FeatureRow {
        FeatureRow { ts: UnixNanos(0), symbol: Symbol::new(symbol).unwrap(), valid: 0x1fff, values }
    }

    /// Rows whose every feature runs evenly from `from` to `to`.
    fn ramp(symbol: &str, from: f64, to: f64, count: u32) -> Vec<FeatureRow> {
        (0..count)
            .map(|i| row(symbol, [from + (to - from) * f64::from(i) / f64::from(count - 1); FEATURE_COUNT]))
            .collect()
    }

    #[test]
    fn quantiles_interpolate_like_the_usual_definition() {
        // numpy.quantile([1, 2, 4, 8], [0, .25, .5, .9, 1]) = 1, 1.75, 3, 6.8, 8
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, want) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&sorted, share) - want).abs() < 1e-12);
        }
    }

    #[test]
    fn a_uniform_ramp_has_the_expected_location_and_scale() {
        let profile = Profile::fit(ramp("A", 0.0, 100.0, 1_001).iter(), None);
        let imbalance = FeatureId::QueueImbalance as usize;
        assert!((profile.median[imbalance] - 50.0).abs() < 1e-9);
        assert!((profile.scale[imbalance] - 50.0 / 1.348_979_500_392_163_6).abs() < 1e-9);
        assert_eq!(profile.trained, 0x1fff);
        // Medians pass through a transform unharmed: the usual value is the median of the values.
        for feature in [FeatureId::SpreadBps, FeatureId::Ofi1S, FeatureId::TopDepth] {
            assert!((profile.usual(feature) - 50.0).abs() < 1e-9);
        }
    }

    #[test]
    fn factors_count_alike_at_every_level() {
        let profile = Profile::fit(ramp("A", 1.0, 3.0, 1_001).iter(), None);
        let spread = |v: f64| {
            let mut values = [2.0; FEATURE_COUNT];
            values[FeatureId::SpreadBps as usize] = v;
            profile.normalise(&values, 0x1fff).x[FeatureId::SpreadBps as usize]
        };
        assert!((spread(8.0) - 2.0 * spread(4.0)).abs() < 0.05, "{} {}", spread(4.0), spread(8.0));
        assert_eq!(spread(-5.0), -10.0);
    }

    #[test]
    fn a_constant_feature_gets_the_floor_and_stays_finite() {
        let rows = vec![row("A", [1.0; FEATURE_COUNT]); 200];
        let profile = Profile::fit(rows.iter(), None);
        assert_eq!(profile.scale, COLUMNS.map(|(_, scale_min)| scale_min));
        let input = profile.normalise(&[f64::MAX; FEATURE_COUNT], 0x1fff);
        assert!(input.x[..FEATURE_COUNT].iter().all(|&x| x == 10.0));
    }

    #[test]
    fn a_feature_the_training_never_saw_is_never_used() {
        let mut rows = ramp("A", 0.0, 1.0, 200);
        for r in &mut rows {
            r.valid &= !(1 << 12);
        }
        let profile = Profile::fit(rows.iter(), None);
        let input = profile.normalise(&[0.5; FEATURE_COUNT], 0x1fff);
        assert_eq!(input.usable, 0x0fff);
        assert_eq!(input.x[FEATURE_COUNT + 12], 1.0);
    }

    #[test]
    fn a_symbol_with_too_few_rows_uses_the_pooled_profile() {
        let mut rows = ramp("BIG", 0.0, 10.0, 500);
        rows.extend(ramp("SMALL", 1_000.0, 1_010.0, 50));
        let profiles = Profiles::fit(&rows, 100);
        assert_eq!(profiles.symbol_count(), 1);
        assert_eq!(profiles.of(Symbol::new("SMALL").unwrap()), &profiles.pooled);
        assert!((profiles.of(Symbol::new("BIG").unwrap()).usual(FeatureId::SpreadBps) - 5.0).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_only_bounded_numbers_come_out(bits in prop::array::uniform13(any::<u64>()), valid in any::<u16>()) {
            let profile = Profile::fit(ramp("A", -3.0, 3.0, 200).iter(), None);
            let values = bits.map(f64::from_bits);
            let input = profile.normalise(&values, valid);
            for (feature, value) in values.iter().enumerate() {
                let used = input.usable >> feature & 1 == 1;
                prop_assert_eq!(used, valid >> feature & 1 == 1 && value.is_finite());
                prop_assert!(input.x[feature].abs() <= 10.0);
                prop_assert_eq!(input.x[FEATURE_COUNT + feature], if used { 0.0 } else { 1.0 });
                prop_assert!(used || input.x[feature] == 0.0);
            }
        }
    }
}
