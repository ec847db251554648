//! The profiles of calm rows: where each feature usually lies, and how widely it varies.

use types::MODEL_FEATURE_COUNT;

use crate::captures::quantile;
use crate::inputs::{COLUMNS, FeatureRow, Profile, Profiles};

/// Rows a feature needs before its median and scale mean anything.
const VALUES_MIN: usize = 100;

/// Median and scale of one feature. The scale is the wider of the interquartile range and the 5 %..95 % range, both
/// as standard deviations of a normal law: books tick, so more than half of calm values can be equal and the
/// interquartile range alone would call an ordinary second tick a ten-sigma event.
fn location_and_scale(values: &mut [f64], feature: usize) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let iqr = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.348_979_500_392_163_6;
    let wide = (quantile(values, 0.95) - quantile(values, 0.05)) / 3.289_707_253_902_945;
    (quantile(values, 0.5), iqr.max(wide).clamp(COLUMNS[feature].1, f64::MAX))
}

/// The profile of `rows`; a feature with too few values is left to `fallback`, or marked untrained without one.
pub(crate) fn fit_profile<'a>(
    rows: impl Iterator<Item = &'a FeatureRow> + Clone,
    fallback: Option<&Profile>,
) -> Profile {
    let mut profile = Profile {
        median: [0.0; MODEL_FEATURE_COUNT],
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

/// Profiles of `rows`; a symbol with fewer than `symbol_rows_min` rows has none of its own.
pub(crate) fn fit_profiles(rows: &[FeatureRow], symbol_rows_min: usize) -> Profiles {
    let pooled = fit_profile(rows.iter(), None);
    let mut order: Vec<&FeatureRow> = rows.iter().collect();
    order.sort_by_key(|row| row.symbol);
    let symbols = order
        .chunk_by(|a, b| a.symbol == b.symbol)
        .filter(|group| group.len() >= symbol_rows_min.max(1))
        .map(|group| (group[0].symbol, fit_profile(group.iter().copied(), Some(&pooled))))
        .collect();
    Profiles { pooled, symbols }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::{FeatureId, Symbol, UnixNanos};

    fn row(symbol: &str, values: [f64; MODEL_FEATURE_COUNT]) -> FeatureRow {
        FeatureRow { ts: UnixNanos(0), symbol: Symbol::new(symbol).unwrap(), valid: 0x1fff, values }
    }

    /// Rows whose every feature runs evenly from `from` to `to`.
    fn ramp(symbol: &str, from: f64, to: f64, count: u32) -> Vec<FeatureRow> {
        (0..count)
            .map(|i| {
                row(symbol, [from + (to - from) * f64::from(i) / f64::from(count - 1); MODEL_FEATURE_COUNT])
            })
            .collect()
    }

    #[test]
    fn a_uniform_ramp_has_the_expected_location_and_scale() {
        let profile = fit_profile(ramp("A", 0.0, 100.0, 1_001).iter(), None);
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
        let profile = fit_profile(ramp("A", 1.0, 3.0, 1_001).iter(), None);
        let spread = |v: f64| {
            let mut values = [2.0; MODEL_FEATURE_COUNT];
            values[FeatureId::SpreadBps as usize] = v;
            profile.normalise(&values, 0x1fff).x[FeatureId::SpreadBps as usize]
        };
        assert!((spread(8.0) - 2.0 * spread(4.0)).abs() < 0.05, "{} {}", spread(4.0), spread(8.0));
        assert_eq!(spread(-5.0), -10.0);
    }

    #[test]
    fn a_constant_feature_gets_the_floor_and_stays_finite() {
        let rows = vec![row("A", [1.0; MODEL_FEATURE_COUNT]); 200];
        let profile = fit_profile(rows.iter(), None);
        assert_eq!(profile.scale, COLUMNS.map(|(_, scale_min)| scale_min));
        let input = profile.normalise(&[f64::MAX; MODEL_FEATURE_COUNT], 0x1fff);
        assert!(input.x[..MODEL_FEATURE_COUNT].iter().all(|&x| x == 10.0));
    }

    #[test]
    fn a_feature_the_training_never_saw_is_never_used() {
        let mut rows = ramp("A", 0.0, 1.0, 200);
        for r in &mut rows {
            r.valid &= !(1 << 12);
        }
        let profile = fit_profile(rows.iter(), None);
        let input = profile.normalise(&[0.5; MODEL_FEATURE_COUNT], 0x1fff);
        assert_eq!(input.usable, 0x0fff);
        assert_eq!(input.x[MODEL_FEATURE_COUNT + 12], 1.0);
    }

    #[test]
    fn a_symbol_with_too_few_rows_uses_the_pooled_profile() {
        let mut rows = ramp("BIG", 0.0, 10.0, 500);
        rows.extend(ramp("SMALL", 1_000.0, 1_010.0, 50));
        let profiles = fit_profiles(&rows, 100);
        assert_eq!(profiles.symbols.len(), 1);
        assert_eq!(profiles.of(Symbol::new("SMALL").unwrap()), &profiles.pooled);
        assert!((profiles.of(Symbol::new("BIG").unwrap()).usual(FeatureId::SpreadBps) - 5.0).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_only_bounded_numbers_come_out(bits in prop::array::uniform13(any::<u64>()), valid in any::<u16>()) {
            let profile = fit_profile(ramp("A", -3.0, 3.0, 200).iter(), None);
            let values = bits.map(f64::from_bits);
            let input = profile.normalise(&values, valid);
            for (feature, value) in values.iter().enumerate() {
                let used = input.usable >> feature & 1 == 1;
                prop_assert_eq!(used, valid >> feature & 1 == 1 && value.is_finite());
                prop_assert!(input.x[feature].abs() <= 10.0);
                prop_assert_eq!(input.x[MODEL_FEATURE_COUNT + feature], if used { 0.0 } else { 1.0 });
                prop_assert!(used || input.x[feature] == 0.0);
            }
        }
    }
}
