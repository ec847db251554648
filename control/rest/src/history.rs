//! Scores over time: what was seen of each instrument, a ring for each.

use control::names::SymbolName;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};

/// Instruments that are remembered; more are shown, without a past. With their samples 52 MB at most.
pub(crate) const INSTRUMENTS_MAX: usize = 20_000;

/// Samples of each: ten minutes at one a second.
pub(crate) const SAMPLES_MAX: usize = 600;

/// A score in millionths, or none; above them the tier.
const SCORE_NONE: u32 = (1 << 24) - 1;

/// Tiers by number.
pub(crate) const TIERS: [&str; 5] = ["unknown", "normal", "elevated", "high", "critical"];

/// What one instrument was at one moment, in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample(u32);

impl Sample {
    /// A tier that is not known to this build, and a score that is no number from 0 to 1, are unknown.
    fn new(tier: &str, score: Option<f64>) -> Self {
        let tier = TIERS.iter().position(|word| *word == tier).unwrap_or(0);
        let score = score.filter(|score| (0.0..=1.0).contains(score));
        let micros = score.map_or(SCORE_NONE, |score| (score * 1e6).round() as u32);
        Self(u32::try_from(tier).unwrap_or(0) << 24 | micros)
    }

    fn tier(self) -> &'static str {
        TIERS.get((self.0 >> 24) as usize).copied().unwrap_or(TIERS[0])
    }

    fn score(self) -> Option<f64> {
        let micros = self.0 & SCORE_NONE;
        (micros != SCORE_NONE).then(|| f64::from(micros) / 1e6)
    }
}

/// The past of one instrument.
#[derive(Debug)]
struct Ring {
    samples: VecDeque<Sample>,
    /// The moment of the first, in the numbers of [`History::seen`].
    first: u64,
}

impl Ring {
    fn new(first: u64) -> Self {
        Self { samples: VecDeque::with_capacity(SAMPLES_MAX), first }
    }
}

/// One moment of an instrument, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    /// When the appliance said it, by its clock.
    pub(crate) at: String,
    /// The tier.
    pub(crate) tier: &'static str,
    /// The score; none where there was none.
    pub(crate) score: Option<f64>,
}

/// The past of all.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Moments that were seen, the newest last, and the number of the first of them.
    times: VecDeque<String>,
    seen: u64,
    rings: HashMap<SymbolName, Ring>,
}

impl History {
    /// Notes what the appliance said at one moment. A moment that was seen already is noted once.
    pub(crate) fn note<'a>(
        &mut self,
        at: &str,
        all: impl Iterator<Item = (SymbolName, &'a str, Option<f64>)>,
    ) {
        if self.times.back().is_some_and(|last| last == at) {
            return;
        }
        push(&mut self.times, at.to_owned());
        let now = self.seen;
        self.seen += 1;
        for (symbol, tier, score) in all {
            if !self.rings.contains_key(&symbol) && self.rings.len() >= INSTRUMENTS_MAX {
                continue;
            }
            let ring = self.rings.entry(symbol).or_insert_with(|| Ring::new(now));
            // One that was missing in between begins anew: what was not seen is not drawn.
            if ring.first + ring.samples.len() as u64 != now {
                *ring = Ring::new(now);
            }
            if push(&mut ring.samples, Sample::new(tier, score)) {
                ring.first += 1;
            }
        }
    }

    /// What was seen of an instrument, oldest first; empty where nothing was.
    pub(crate) fn of(&self, symbol: SymbolName) -> Vec<Point> {
        let Some(ring) = self.rings.get(&symbol) else { return Vec::new() };
        let oldest = self.seen - self.times.len() as u64;
        let numbered = (ring.first..).zip(&ring.samples);
        let timed = numbered.filter_map(|(number, sample)| {
            let at = usize::try_from(number.checked_sub(oldest)?).ok()?;
            Some((self.times.get(at)?, sample))
        });
        timed
            .map(|(at, sample)| Point { at: at.clone(), tier: sample.tier(), score: sample.score() })
            .collect()
    }
}

/// Appends, and takes away the oldest where it was full; whether it was.
fn push<T>(ring: &mut VecDeque<T>, value: T) -> bool {
    let full = ring.len() >= SAMPLES_MAX;
    if full {
        ring.pop_front();
    }
    ring.push_back(value);
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> SymbolName {
        text.parse().unwrap()
    }

    #[test]
    fn a_sample_keeps_tier_and_score() {
        for tier in TIERS {
            for score in [None, Some(0.0), Some(1.0), Some(0.981_234)] {
                let sample = Sample::new(tier, score);
                assert_eq!((sample.tier(), sample.score()), (tier, score));
            }
            for none in [f64::NAN, -0.1, 1.000_001, f64::INFINITY] {
                assert_eq!(Sample::new(tier, Some(none)).score(), None, "{none}");
            }
        }
        assert_eq!(Sample::new("of a newer release", Some(0.5)).tier(), "unknown");
    }

    #[test]
    fn the_past_is_what_was_seen_and_no_more_than_fits() {
        let mut history = History::default();
        let a = symbol("A");
        for n in 0..SAMPLES_MAX + 5 {
            let score = u32::try_from(n).map(|n| f64::from(n) / 1e6).ok();
            history.note(&n.to_string(), [(a, "high", score)].into_iter());
            history.note(&n.to_string(), [(a, "critical", Some(0.5))].into_iter());
        }
        let past = history.of(a);
        assert_eq!(past.len(), SAMPLES_MAX);
        assert_eq!((past[0].at.as_str(), past[0].score), ("5", Some(0.000_005)));
        assert_eq!(past[SAMPLES_MAX - 1].at, (SAMPLES_MAX + 4).to_string());
        assert!(past.iter().all(|point| point.tier == "high"), "a moment is noted once");
        assert_eq!(history.of(symbol("B")), []);
    }

    #[test]
    fn one_that_was_away_begins_anew() {
        let mut history = History::default();
        let (a, b) = (symbol("A"), symbol("B"));
        history.note("1", [(a, "normal", None), (b, "normal", None)].into_iter());
        history.note("2", [(b, "normal", None)].into_iter());
        history.note("3", [(a, "elevated", Some(0.7)), (b, "normal", None)].into_iter());
        assert_eq!(history.of(a), [Point { at: "3".to_owned(), tier: "elevated", score: Some(0.7) }]);
        assert_eq!(history.of(b).len(), 3);
    }

    #[test]
    fn there_is_a_bound_on_instruments() {
        let mut history = History::default();
        let names: Vec<SymbolName> = (0..INSTRUMENTS_MAX + 1).map(|n| symbol(&format!("S{n}"))).collect();
        history.note("1", names.iter().map(|name| (*name, "normal", Some(0.1))));
        assert_eq!(history.of(names[INSTRUMENTS_MAX - 1]).len(), 1);
        assert_eq!(history.of(names[INSTRUMENTS_MAX]), []);
    }
}
