//! The channels' words on one moment, and the one score that follows from them.
//!
//! **The rule.** A channel's word is the share of calm grid points at which an alarm so strange begins to it. Of `n` channels that are
//! heard, the smallest counts, times `n` (Bonferroni): whatever the channels have to do with each other, a calm market then raises no
//! more false alarms than one channel alone would.

use crate::model::{BESIDE_COUNT, Calibration, Channel, RawScore, Reading, display};

/// What the channels say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Said {
    /// The channel whose word counts.
    pub(crate) channel: Channel,
    /// Calibrated, 0 to 1.
    pub(crate) score: f32,
    /// What the autoencoder alone comes to; 0 where it is not heard. It leads to Critical by itself, so there it shares its budget with
    /// no other channel: orders that come from one side for long are no crash of their own.
    pub(crate) joint: f32,
    /// The score that two channels reach: what the second least likely word comes to.
    pub(crate) agreed: f32,
    /// Every channel that is heard has something to say. What one of them does not know counts as no alarm, but never as calm.
    pub(crate) is_whole: bool,
    /// Before calibration, with its reasons.
    pub(crate) raw: RawScore,
}

/// One channel beside the autoencoder, its law, and what it reads, where it knows it.
pub(crate) type Word<'a> = (Channel, &'a Calibration, Option<Reading>);

/// The word of the channels that are heard: the autoencoder's `joint` result under its law, where there is a law, and those beside it
/// under their own, where the model has them. None when the autoencoder is heard and has no result, or nobody is heard.
pub(crate) fn combine(
    joint: Option<(&Calibration, Option<RawScore>)>,
    beside: Option<[Word<'_>; BESIDE_COUNT]>,
) -> Option<Said> {
    let heard = joint.iter().len() + if beside.is_some() { BESIDE_COUNT } else { 0 };
    let mut least: Option<(f64, Channel, RawScore)> = None;
    let mut second = 1.0_f64;
    let (mut joint_score, mut is_whole) = (0.0, true);
    if let Some((law, result)) = joint {
        let raw = result?;
        let p = law.alarm_share(f64::from(raw.raw))?;
        joint_score = display(p.min(1.0));
        least = Some((p, Channel::Joint, raw));
    }
    for (channel, law, reading) in beside.into_iter().flatten() {
        // What is not known yet raises no alarm here, and is not called calm.
        is_whole &= reading.is_some();
        let (p, raw) = match reading {
            Some(reading) => (law.alarm_share(reading.value)?, raw(reading)),
            None => (1.0, RawScore::default()),
        };
        match least {
            Some((other, ..)) if p >= other => second = second.min(p),
            _ => {
                second = least.map_or(1.0, |(other, ..)| other);
                least = Some((p, channel, raw));
            }
        }
    }
    let (p, channel, raw) = least?;
    #[expect(clippy::cast_precision_loss, reason = "a handful of channels")]
    let shown = |p: f64| display((heard as f64 * p).min(1.0));
    Some(Said { channel, score: shown(p), joint: joint_score, agreed: shown(second), is_whole, raw })
}

/// As a score with its reasons: all of it is the first one's.
#[expect(clippy::cast_possible_truncation, reason = "scores are reported in f32")]
fn raw(reading: Reading) -> RawScore {
    RawScore { raw: reading.value as f32, top3: reading.top3, contributions: [1.0, 0.0, 0.0] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::model;

    fn law() -> &'static Calibration {
        &model().calibrations().pooled
    }

    /// What a channel has to say for a share of `p`.
    fn at(p: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1e9);
        for _ in 0..300 {
            let middle = 0.5 * (low + high);
            if law().alarm_share(middle).unwrap() > p { low = middle } else { high = middle }
        }
        high
    }

    #[expect(clippy::cast_possible_truncation, reason = "test scores")]
    fn joint(p: f64) -> RawScore {
        RawScore { raw: at(p) as f32, top3: [1, 2, 3], contributions: [0.5, 0.2, 0.1] }
    }

    /// The word of each channel beside the autoencoder: nothing, but for one.
    fn words(said: Channel, value: f64) -> Option<[Word<'static>; BESIDE_COUNT]> {
        Some(Channel::BESIDE.map(|channel| {
            let value = if channel == said { value } else { 0.0 };
            (channel, law(), Some(Reading { value, top3: [20, 21, 22] }))
        }))
    }

    #[test]
    fn the_least_likely_counts_times_the_number_that_are_heard() {
        for channel in Channel::BESIDE {
            let said = combine(Some((law(), Some(joint(1e-3)))), words(channel, at(1e-5))).unwrap();
            assert_eq!((said.channel, said.raw.top3), (channel, [20, 21, 22]));
            assert!((said.joint - display(1e-3)).abs() < 1e-3, "{}", said.joint);
            assert!((said.score - display(6e-5)).abs() < 1e-3, "{}", said.score);
            assert!((said.agreed - display(6e-3)).abs() < 1e-3, "{}", said.agreed);
        }
        // Whichever of the two is heard first.
        let mut both = words(Channel::Liquidity, at(1e-7)).unwrap();
        both[4].2 = both[1].2.map(|reading| Reading { value: at(1e-6), ..reading });
        let said = combine(None, Some(both)).unwrap();
        assert_eq!(said.channel, Channel::Liquidity);
        assert!((said.agreed - display(5e-6)).abs() < 1e-3, "{}", said.agreed);
        both[0].2 = both[1].2.map(|reading| Reading { value: at(1e-6), ..reading });
        both[4].2 = both[1].2.map(|reading| Reading { value: 0.0, ..reading });
        assert_eq!(combine(None, Some(both)).unwrap().agreed, said.agreed);
        let other = combine(Some((law(), Some(joint(1e-5)))), words(Channel::Flow, 0.0)).unwrap();
        assert_eq!((other.channel, other.raw.top3), (Channel::Joint, [1, 2, 3]));
        let alone = combine(None, words(Channel::Flow, at(1e-5))).unwrap();
        assert!((alone.score - display(5e-5)).abs() < 1e-3 && alone.joint == 0.0);
        let joint_alone = combine(Some((law(), Some(joint(1e-5)))), None).unwrap();
        assert!((joint_alone.score - display(1e-5)).abs() < 1e-3);
    }

    #[test]
    fn who_has_nothing_to_say_raises_nothing() {
        assert_eq!(combine(None, None), None);
        assert_eq!(
            combine(Some((law(), None)), words(Channel::Move, 1e9)),
            None,
            "no score without a picture"
        );
        let unknown = Channel::BESIDE.map(|channel| (channel, law(), None));
        let said = combine(None, Some(unknown)).unwrap();
        assert_eq!((said.channel, said.score, said.is_whole), (Channel::Flow, 0.0, false));
        let mut half = words(Channel::Move, 0.0).unwrap();
        half[4].2 = None;
        let half = combine(Some((law(), Some(joint(0.5)))), Some(half)).unwrap();
        assert!(!half.is_whole && combine(Some((law(), Some(joint(0.5)))), None).unwrap().is_whole);
        assert!(combine(Some((law(), Some(joint(0.5)))), words(Channel::Move, 0.0)).unwrap().is_whole);
    }
}
