//! The channels' words on one moment, and the one score that follows from them.
//!
//! **The rule.** A channel's word is the probability that a calm market would look so strange to it. Of `n` channels that are
//! heard, the smallest probability counts, times `n` (Bonferroni): whatever the channels have to do with each other, a calm market
//! then raises no more false alarms than one channel alone would.

use types::{FeatureId, FeatureVector};

use crate::model::{Calibration, Channel, RawScore, TOP_COUNT, display};

/// What the flow channel sees of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Flow {
    /// The larger excess of both sides.
    excess: f64,
    /// The features that say so.
    top3: [u8; TOP_COUNT],
}

impl Flow {
    /// None while the instrument's usual flow is not known.
    pub(crate) fn of(vector: &FeatureVector) -> Option<Self> {
        let selling = vector.get(FeatureId::SellingExcess)?;
        let buying = vector.get(FeatureId::BuyingExcess)?;
        let [run, beyond] = if selling >= buying {
            [FeatureId::SellingRun, FeatureId::SellingExcess]
        } else {
            [FeatureId::BuyingRun, FeatureId::BuyingExcess]
        };
        let top3 = [run as u8, beyond as u8, FeatureId::FlowMean5S as u8];
        Some(Self { excess: selling.max(buying), top3 })
    }
}

/// What the channels say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Said {
    /// The channel whose word counts.
    pub(crate) channel: Channel,
    /// Calibrated, 0 to 1.
    pub(crate) score: f32,
    /// What the autoencoder alone comes to; 0 where it is not heard. Only it leads to Critical, so there it shares its budget with no
    /// other channel: orders that come from one side for long are no crash of their own.
    pub(crate) joint: f32,
    /// Every channel that is heard has something to say. What one of them does not know counts as no alarm, but never as calm.
    pub(crate) is_whole: bool,
    /// Before calibration, with its reasons.
    pub(crate) raw: RawScore,
}

/// The word of the channels that are heard: the autoencoder's `joint` result under its law, where there is a law, and `flow` under
/// its own. None when the autoencoder is heard and has no result, or nobody is heard.
pub(crate) fn combine(
    joint: Option<(&Calibration, Option<RawScore>)>,
    flow: Option<(&Calibration, Option<Flow>)>,
) -> Option<Said> {
    let heard = f64::from(u8::from(joint.is_some()) + u8::from(flow.is_some()));
    let mut least: Option<(f64, Channel, RawScore)> = None;
    let (mut joint_score, mut is_whole) = (0.0, true);
    if let Some((law, result)) = joint {
        let raw = result?;
        let p = law.p_value(f64::from(raw.raw))?;
        joint_score = display(p.min(1.0));
        least = Some((p, Channel::Joint, raw));
    }
    if let Some((law, flow)) = flow {
        // Whose flow is not known yet raises no alarm here, and is not called calm.
        is_whole = flow.is_some();
        let (p, raw) = match flow {
            Some(flow) => (law.p_value(flow.excess)?, flow.raw()),
            None => (1.0, RawScore { top3: FLOW_TOP3, ..RawScore::default() }),
        };
        if least.is_none_or(|(other, ..)| p < other) {
            least = Some((p, Channel::Flow, raw));
        }
    }
    let (p, channel, raw) = least?;
    Some(Said { channel, score: display((heard * p).min(1.0)), joint: joint_score, is_whole, raw })
}

/// What is named where nothing is known of the flow.
const FLOW_TOP3: [u8; TOP_COUNT] =
    [FeatureId::SellingRun as u8, FeatureId::SellingExcess as u8, FeatureId::FlowMean5S as u8];

impl Flow {
    /// As a score with its reasons: all of it is the flow's.
    #[expect(clippy::cast_possible_truncation, reason = "scores are reported in f32")]
    fn raw(self) -> RawScore {
        RawScore { raw: self.excess as f32, top3: self.top3, contributions: [1.0, 0.0, 0.0] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::model;
    use types::FeatureVector;

    fn law() -> &'static Calibration {
        &model().calibrations().pooled
    }

    /// What shows as a score of `l` = -log10 p.
    fn at(p: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1e9);
        for _ in 0..300 {
            let middle = 0.5 * (low + high);
            if law().p_value(middle).unwrap() > p { low = middle } else { high = middle }
        }
        high
    }

    #[expect(clippy::cast_possible_truncation, reason = "test scores")]
    fn joint(p: f64) -> RawScore {
        RawScore { raw: at(p) as f32, top3: [1, 2, 3], contributions: [0.5, 0.2, 0.1] }
    }

    fn flow(selling: f64, buying: f64) -> Option<Flow> {
        let mut vector = FeatureVector::EMPTY;
        vector.set(FeatureId::SellingExcess, selling);
        vector.set(FeatureId::BuyingExcess, buying);
        Flow::of(&vector)
    }

    #[test]
    fn the_less_likely_counts_times_the_number_that_are_heard() {
        let calm = combine(Some((law(), Some(joint(1e-3)))), Some((law(), flow(0.0, at(1e-5))))).unwrap();
        assert_eq!(calm.channel, Channel::Flow);
        assert!((calm.joint - display(1e-3)).abs() < 1e-3, "{}", calm.joint);
        assert!((calm.score - display(2e-5)).abs() < 1e-3, "{}", calm.score);
        assert_eq!(calm.raw.top3[0], FeatureId::BuyingRun as u8);
        let other = combine(Some((law(), Some(joint(1e-5)))), Some((law(), flow(0.0, 0.0)))).unwrap();
        assert_eq!((other.channel, other.raw.top3), (Channel::Joint, [1, 2, 3]));
        let alone = combine(None, Some((law(), flow(at(1e-5), 0.0)))).unwrap();
        assert!(alone.score > calm.score && alone.raw.top3[0] == FeatureId::SellingRun as u8);
        let joint_alone = combine(Some((law(), Some(joint(1e-5)))), None).unwrap();
        assert!((joint_alone.score - alone.score).abs() < 1e-3);
    }

    #[test]
    fn who_has_nothing_to_say_raises_nothing() {
        assert_eq!(combine(None, None), None);
        assert_eq!(
            combine(Some((law(), None)), Some((law(), flow(1e9, 0.0)))),
            None,
            "no score without a picture"
        );
        let unknown = combine(None, Some((law(), None))).unwrap();
        assert_eq!((unknown.channel, unknown.score, unknown.is_whole), (Channel::Flow, 0.0, false));
        let half = combine(Some((law(), Some(joint(0.5)))), Some((law(), None))).unwrap();
        assert!(!half.is_whole && combine(Some((law(), Some(joint(0.5)))), None).unwrap().is_whole);
        assert_eq!(Flow::of(&FeatureVector::EMPTY), None);
    }
}
