//! The harmless side of a feature: a spread that is narrower than usual, a touch that is deeper, a market that is quieter.
//!
//! The autoencoder finds whatever is unusual, and unusually good is unusual. What it is shown of a feature whose danger lies on one
//! side ([`RiskDirection`]) therefore goes no farther to the other side than calm markets do, before any backend, so that all of
//! them see the same; and where such a feature is among the reasons of a score all the same, its share is no part of it. The law of
//! calm scores is fitted to scores made in the same way.

use types::{FEATURES, FeatureVector, MODEL_FEATURE_COUNT, RiskDirection};

use super::law::RawScore;
use crate::inputs::{COLUMNS, Profile};

/// How far to the harmless side a value counts, in robust standard deviations: as far as calm markets often go.
const HARMLESS_SIGMAS: f64 = 1.0;

/// Between which values each of the model's features is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sides {
    least: [f64; MODEL_FEATURE_COUNT],
    most: [f64; MODEL_FEATURE_COUNT],
    usual: [f64; MODEL_FEATURE_COUNT],
}

impl Sides {
    /// Of an instrument with this calm `profile`.
    pub(crate) fn of(profile: &Profile) -> Self {
        let mut sides = Self {
            least: [f64::MIN; MODEL_FEATURE_COUNT],
            most: [f64::MAX; MODEL_FEATURE_COUNT],
            usual: [0.0; MODEL_FEATURE_COUNT],
        };
        for (i, (transform, _)) in COLUMNS.iter().enumerate() {
            let at = |sigmas: f64| transform.invert(profile.median[i] + sigmas * profile.scale[i]);
            sides.usual[i] = at(0.0);
            match FEATURES[i].risk {
                RiskDirection::Up => sides.least[i] = at(-HARMLESS_SIGMAS),
                RiskDirection::Down => sides.most[i] = at(HARMLESS_SIGMAS),
                RiskDirection::Both => {}
            }
        }
        sides
    }

    /// `score` of a vector of these values, without the shares of features that lie on their harmless side.
    pub(crate) fn harm_of(&self, score: RawScore, value: impl Fn(u8) -> Option<f64>) -> RawScore {
        let shares = score.top3.into_iter().zip(score.contributions);
        let harmless: f32 =
            shares.filter(|(id, _)| self.is_harmless(*id, value(*id))).map(|(_, share)| share).sum();
        RawScore { raw: score.raw * (1.0 - harmless).max(0.0), ..score }
    }

    fn is_harmless(&self, id: u8, value: Option<f64>) -> bool {
        let (Some(usual), Some(value)) = (self.usual.get(usize::from(id)), value) else { return false };
        match FEATURES[usize::from(id)].risk {
            RiskDirection::Up => value < *usual,
            RiskDirection::Down => value > *usual,
            RiskDirection::Both => false,
        }
    }

    /// `vector` as the model is shown it.
    #[inline]
    pub(crate) fn show(&self, vector: &FeatureVector) -> FeatureVector {
        let mut shown = *vector;
        self.hold(&mut shown.values);
        shown
    }

    /// The first of `values`, which are the model's features, as the model is shown them.
    #[inline]
    pub(crate) fn hold(&self, values: &mut [f64]) {
        for ((value, least), most) in values.iter_mut().zip(&self.least).zip(&self.most) {
            // Not `clamp`: what is no number stays none, and this never panics.
            if *value < *least {
                *value = *least;
            } else if *value > *most {
                *value = *most;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::model;
    use types::FeatureId;

    #[test]
    fn what_is_harmless_is_no_part_of_a_score() {
        let profile = &model().profiles().pooled;
        let sides = Sides::of(profile);
        let ids = [FeatureId::SpreadBps, FeatureId::TopDepth, FeatureId::QueueImbalance].map(|id| id as u8);
        let score = RawScore { raw: 10.0, top3: ids, contributions: [0.5, 0.25, 0.125] };
        let usual = |id: u8| {
            [FeatureId::SpreadBps, FeatureId::TopDepth]
                .map(|of| (of as u8, profile.usual(of)))
                .into_iter()
                .find(|(of, _)| *of == id)
                .map_or(0.0, |(_, usual)| usual)
        };
        let harm = |by: f64| sides.harm_of(score, |id| Some(usual(id) + by)).raw;
        // Narrower: the spread's half goes. Deeper: the depth's quarter goes. The imbalance has no side.
        assert!((harm(-0.1) - 5.0).abs() < 1e-6 && (harm(0.1) - 7.5).abs() < 1e-6);
        assert!((sides.harm_of(score, |_| None).raw - 10.0).abs() < 1e-6);
    }

    #[test]
    fn only_what_is_harmless_is_cut_off() {
        let profile = &model().profiles().pooled;
        let sides = Sides::of(profile);
        let show = |id: FeatureId, value: f64| {
            let mut vector = FeatureVector::EMPTY;
            vector.set(id, value);
            sides.show(&vector).values[id as usize]
        };
        let usual = |id: FeatureId| profile.usual(id);
        for (id, harmful) in [
            (FeatureId::SpreadBps, 1e6),
            (FeatureId::Rv1S, 1e6),
            (FeatureId::TopDepth, -1e6),
            (FeatureId::Resilience, -1e6),
        ] {
            assert_eq!(show(id, harmful), harmful, "{id:?}");
            assert_eq!(show(id, usual(id)), usual(id), "{id:?}");
            let shown = show(id, -harmful);
            assert!(shown != -harmful && (shown - usual(id)).signum() != harmful.signum(), "{id:?} {shown}");
        }
        for value in [-1e6, 1e6] {
            assert_eq!(show(FeatureId::QueueImbalance, value), value);
        }
        let mut nothing = FeatureVector::EMPTY;
        nothing.values = [f64::NAN; types::FEATURE_COUNT];
        assert!(sides.show(&nothing).values.iter().all(|v| v.is_nan()));
    }
}
