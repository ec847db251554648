//! Normalisation for sixteen rows at a time: what [`crate::Profile::normalise`] does, without its calls into the
//! C library. All of it is plain `f64` arithmetic without fused operations, so the compiler may use any vectors it likes and
//! the bits stay the same.

use types::MODEL_FEATURE_COUNT;

use super::lanes::{LANES, Line};
use crate::inputs::{COLUMNS, Profile, Transform, WINSOR};

/// Features whose transform is a logarithm.
const LOG_COUNT: usize = {
    let (mut count, mut feature) = (0, 0);
    while feature < MODEL_FEATURE_COUNT {
        if !matches!(COLUMNS[feature].0, Transform::Linear) {
            count += 1;
        }
        feature += 1;
    }
    count
};

/// Which they are.
const LOG_FEATURES: [usize; LOG_COUNT] = {
    let mut features = [0; LOG_COUNT];
    let (mut count, mut feature) = (0, 0);
    while feature < MODEL_FEATURE_COUNT {
        if !matches!(COLUMNS[feature].0, Transform::Linear) {
            features[count] = feature;
            count += 1;
        }
        feature += 1;
    }
    features
};

/// Logarithms taken at a time.
const LOG_STEP: usize = 8;

/// Arguments of one tile, up to whole steps.
const ARGUMENTS: usize = (LANES * LOG_COUNT).next_multiple_of(LOG_STEP);

/// Beyond this, `sqrt(v² + 1)` is `v`, and `v²` may not overflow.
const ASINH_LARGE: f64 = 268_435_456.0;

/// A [`Profile`] whose divisions are done.
#[derive(Clone, Debug)]
pub(super) struct FusedProfile {
    median: [f64; MODEL_FEATURE_COUNT],
    inverse_scale: [f64; MODEL_FEATURE_COUNT],
    trained: u16,
}

impl From<&Profile> for FusedProfile {
    fn from(profile: &Profile) -> Self {
        Self { median: profile.median, inverse_scale: profile.inverse_scale(), trained: profile.trained }
    }
}

/// The arguments of one tile's logarithms, then the logarithms.
#[derive(Debug)]
pub(super) struct Logs([f64; ARGUMENTS]);

impl Logs {
    pub(super) const fn new() -> Self {
        Self([1.0; ARGUMENTS])
    }

    /// Takes the row in `lane` in and returns which features are usable: valid, trained, and a number.
    #[inline(always)]
    pub(super) fn take(
        &mut self,
        lane: usize,
        values: &[f64; MODEL_FEATURE_COUNT],
        valid: u16,
        profile: &FusedProfile,
    ) -> u16 {
        let mut finite = 0;
        for (feature, value) in values.iter().enumerate() {
            finite |= u16::from(value.is_finite()) << feature;
        }
        let arguments = &mut self.0[lane * LOG_COUNT..(lane + 1) * LOG_COUNT];
        for (argument, feature) in arguments.iter_mut().zip(LOG_FEATURES) {
            *argument = argument_of(COLUMNS[feature].0, values[feature]);
        }
        finite & valid & profile.trained
    }

    /// Turns the arguments of the first `rows` lanes into their logarithms.
    #[inline(always)]
    pub(super) fn compute(&mut self, rows: usize) {
        let used = (rows * LOG_COUNT).next_multiple_of(LOG_STEP);
        for step in self.0[..used].as_chunks_mut::<LOG_STEP>().0 {
            for value in step {
                *value = ln(*value);
            }
        }
    }

    /// Writes the normalised features of the row in `lane` to its lane of `x`; what is not usable becomes 0.
    #[inline(always)]
    pub(super) fn normalise(
        &self,
        lane: usize,
        values: &[f64; MODEL_FEATURE_COUNT],
        usable: u16,
        profile: &FusedProfile,
        x: &mut [Line; MODEL_FEATURE_COUNT],
    ) {
        let mut transformed = *values;
        let logs = &self.0[lane * LOG_COUNT..(lane + 1) * LOG_COUNT];
        for (log, feature) in logs.iter().zip(LOG_FEATURES) {
            transformed[feature] = match COLUMNS[feature].0 {
                Transform::Asinh => log.copysign(values[feature]),
                Transform::Log(_) | Transform::Linear => *log,
            };
        }
        let mut column = [0.0_f32; MODEL_FEATURE_COUNT];
        for feature in 0..MODEL_FEATURE_COUNT {
            let sigmas = (transformed[feature] - profile.median[feature]) * profile.inverse_scale[feature];
            let low = if sigmas > -WINSOR { sigmas } else { -WINSOR };
            let held = if low < WINSOR { low } else { WINSOR };
            #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
            let kept = if usable >> feature & 1 == 1 { held as f32 } else { 0.0 };
            column[feature] = kept;
        }
        for (line, value) in x.iter_mut().zip(column) {
            line[lane] = value;
        }
    }
}

/// What the logarithm is taken of; positive and normal for every number, anything for NaN.
#[inline(always)]
fn argument_of(transform: Transform, v: f64) -> f64 {
    match transform {
        Transform::Linear => v,
        Transform::Log(floor) => (if v > 0.0 { v } else { 0.0 }) + floor,
        Transform::Asinh => {
            let size = v.abs();
            let root = if size < ASINH_LARGE { (size * size + 1.0).sqrt() } else { size };
            size + root
        }
    }
}

/// Natural logarithm of a positive normal number, to 2e-15 of itself or 2e-16 near 1; of anything else, any number or none.
///
/// `v = 2^k m` with m between √½ and √2, `ln m = 2 artanh(z)`, `z = (m - 1)/(m + 1)`, whose series is cut where the rest is
/// below 1e-16: |z| is at most 0.1716.
#[inline(always)]
fn ln(v: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
    // 2^52, whose low bits are an integer's.
    const MAGIC: u64 = 0x4330_0000_0000_0000;
    let shifted = v.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits(MAGIC | (shifted >> 52)) - (f64::from_bits(MAGIC) + 1_023.0);
    let m = f64::from_bits((shifted & MANTISSA).wrapping_add(SQRT_HALF));
    let z = (m - 1.0) / (m + 1.0);
    let w = z * z;
    let mut series = 1.0 / 19.0;
    for odd in [17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        series = series * w + 1.0 / odd;
    }
    k * core::f64::consts::LN_2 + (2.0 * z + 2.0 * z * w * series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::model;
    use proptest::prelude::*;

    #[test]
    fn logarithms_are_those_of_the_library() {
        let near_one = [1.0, 1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0, 0.999, 1.001];
        let spread = (-300..300).flat_map(|e| [1.0, 1.2, 1.414, 1.415, 1.9].map(|m| m * 10.0_f64.powi(e)));
        for v in near_one.into_iter().chain(spread).chain([f64::MAX, f64::MIN_POSITIVE, 0.01]) {
            let want = v.ln();
            assert!((ln(v) - want).abs() <= 2e-15 * want.abs().max(0.1), "{v}: {} for {want}", ln(v));
        }
    }

    proptest! {
        #[test]
        fn rows_are_normalised_as_the_profile_does(
            rows in prop::collection::vec((prop::array::uniform13(prop_oneof![
                4 => -20.0_f64..20.0,
                2 => -1e-6_f64..1e-6,
                1 => any::<u64>().prop_map(f64::from_bits),
                1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0]),
            ]), any::<u16>()), 1..=LANES),
        ) {
            let profile = &model().profiles().pooled;
            let fused = FusedProfile::from(profile);
            let (mut logs, mut x) = (Logs::new(), [[9.0; LANES]; MODEL_FEATURE_COUNT]);
            let usable: Vec<u16> =
                rows.iter().enumerate().map(|(lane, (v, valid))| logs.take(lane, v, *valid, &fused)).collect();
            logs.compute(rows.len());
            for (lane, (values, valid)) in rows.iter().enumerate() {
                logs.normalise(lane, values, usable[lane], &fused, &mut x);
                let want = profile.normalise(values, *valid);
                prop_assert_eq!(usable[lane], want.usable);
                for (line, want) in x.iter().zip(want.x) {
                    let found = line[lane];
                    prop_assert!((found - want).abs() <= 1e-6 * want.abs().max(1e-6), "{found} {want}");
                }
            }
            prop_assert!(x.iter().all(|line| line[rows.len()..].iter().all(|v| *v == 9.0)));
        }
    }
}
