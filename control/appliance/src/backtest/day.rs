//! One simulated day through the product's own line: what it said of each grid point, with the model as it is and with less of it.

use crate::latency::Latency;
use crate::line::ends::JudgeEnds;
use crate::line::notes::ScorerNote;
use crate::line::runner::run_inline;
use crate::line::spec::{Follows, LineFeed, LineFiles, LineSpec, ScorerSpec};
use crate::line::topology;
use crate::play;
use crate::scorer::open;
use anyhow::{Context, Result};
use control::config::Plan;
use gpu::{Model, ScoreRecord};
use stage::{LiveClock, OsClock, RingRx};
use std::collections::BTreeMap;
use std::path::Path;
use types::{FeatureId, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Px, Symbol, Tier, UnixNanos};

/// What is judged of one grid point of the judged instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) ts: UnixNanos,
    pub(super) mid: Px,
    pub(super) values: [f64; MODEL_FEATURE_COUNT],
    pub(super) valid: u16,
    /// The larger excess of order flow.
    pub(super) excess: f64,
    /// What the model said; none where the stage gave no score.
    pub(super) score: Option<f32>,
    /// The same without the channels beside the autoencoder.
    pub(super) joint: Option<f32>,
    /// What the model would have said, had it never seen the instrument.
    pub(super) stranger: Option<f32>,
}

/// How often a tier was entered from below on one day, all instruments together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entered {
    pub(super) elevated: u64,
    pub(super) high: u64,
    pub(super) critical: u64,
}

/// An instrument's tier changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) ts: UnixNanos,
    pub(super) from: Tier,
    pub(super) to: Tier,
}

/// What the tiers did on one day.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiers {
    /// Of the judged instrument.
    pub(super) changes: Vec<Change>,
    /// Of every instrument.
    pub(super) entered: Entered,
}

/// How many scores each channel made, by its name.
pub(super) type Scores = BTreeMap<&'static str, u64>;

/// From when until when a crisis is planted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: UnixNanos,
    pub(super) until: UnixNanos,
}

/// A day as it was judged.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) seed: u64,
    /// Of the judged instrument, in order of time.
    pub(super) rows: Vec<Row>,
    /// The crisis that strikes it; none on a calm day.
    pub(super) span: Option<Span>,
    /// What the tiers did, and what they would have done had the model never seen the judged instrument.
    pub(super) tiers: Tiers,
    pub(super) stranger: Tiers,
    /// Instruments, and how long the day was.
    pub(super) instruments: usize,
    pub(super) seconds: f64,
    /// Scores of every instrument, by the channel that made them.
    pub(super) scores: Scores,
}

/// What a line with one model says of a day.
#[derive(Default)]
struct Said {
    symbols: BTreeMap<InstrumentId, Symbol>,
    /// The tier of each instrument that has left Normal.
    tier_of: BTreeMap<InstrumentId, Tier>,
    /// Of the judged instrument, where it has a mid.
    vectors: Vec<FeatureVector>,
    /// Of the judged instrument, by grid point.
    scores: BTreeMap<UnixNanos, f32>,
    tiers: Tiers,
    scored: Scores,
    /// The time of the first packet, and of the last.
    length: Option<(UnixNanos, UnixNanos)>,
}

/// The rings of a line to whoever judges its model.
struct Heard {
    ends: JudgeEnds,
    scores: RingRx<ScoreRecord>,
}

impl Said {
    /// Everything that a line of `plan` with `model` says of `judged` in the capture at `pcap`.
    fn of(plan: &Plan, model: &Model, pcap: &Path, judged: Symbol) -> Result<Self> {
        let (feed, events) = play::open_day(plan, pcap)?;
        let spec = LineSpec {
            plan,
            pace: play::PACE,
            clock: LiveClock::Os(OsClock),
            scorer: Some(ScorerSpec { model, scorer: open(plan, model)? }),
            files: LineFiles::default(),
            desks: Vec::new(),
            observer: (),
            follows: Follows::Judge,
            latency: &mut Latency::default(),
        };
        let (line, ends) = topology::build(spec, vec![LineFeed::only(plan, events)])?;
        let (scores, judge) = ends.scores.zip(ends.judge).context("a line that is judged says everything")?;
        let (mut heard, mut said) = (Heard { ends: judge, scores }, Self::default());
        run_inline(line, None, feed, |now| {
            said.hear(&mut heard, judged);
            if now.0 > 0 {
                said.length = Some((said.length.map_or(now, |(first, _)| first), now));
            }
            Ok(())
        })?
        .whole()?;
        said.hear(&mut heard, judged);
        Ok(said)
    }

    /// Takes what was said since the last call. Names come first: whatever else is said is said of something named.
    fn hear(&mut self, heard: &mut Heard, judged: Symbol) {
        let Heard { ends: JudgeEnds { names, vectors, tiers }, scores } = heard;
        let symbols = &mut self.symbols;
        names.drain(usize::MAX, |new| symbols.extend(new.iter().map(|d| (d.instrument, d.symbol))));
        let is_judged = |instrument: InstrumentId| symbols.get(&instrument) == Some(&judged);
        let kept = &mut self.vectors;
        vectors.drain(usize::MAX, |new| {
            kept.extend(new.iter().filter(|v| v.grid_end == 0 && v.mid.is_some() && is_judged(v.instrument)));
        });
        let (scored, kept) = (&mut self.scored, &mut self.scores);
        scores.drain(usize::MAX, |new| {
            for record in new {
                *scored.entry(record.channel.as_str()).or_default() += 1;
            }
            kept.extend(new.iter().filter(|r| is_judged(r.instrument)).map(|r| (r.ts, r.score)));
        });
        let (tier_of, said) = (&mut self.tier_of, &mut self.tiers);
        tiers.drain(usize::MAX, |new| {
            for note in new {
                let ScorerNote::Tier { instrument, tier: to, at: ts, .. } = *note else { continue };
                let from = tier_of.insert(instrument, to).unwrap_or_default();
                said.take(Change { ts, from, to }, is_judged(instrument));
            }
        });
    }
}

impl Tiers {
    fn take(&mut self, change: Change, is_judged: bool) {
        if is_judged {
            self.changes.push(change);
        }
        let rises = |tier| u64::from(change.from < tier && change.to >= tier);
        self.entered.elevated += rises(Tier::Elevated);
        self.entered.high += rises(Tier::High);
        self.entered.critical += rises(Tier::Critical);
    }
}

impl Day {
    /// Plays the capture at `pcap`, in which `judged` is struck in `span`.
    pub(super) fn play(
        plan: &Plan,
        model: &Model,
        pcap: &Path,
        seed: u64,
        judged: Symbol,
        span: Option<Span>,
    ) -> Result<Self> {
        let said = |model: &Model| Said::of(plan, model, pcap, judged);
        let (whole, joint, stranger) =
            (said(model)?, said(&model.without_channels())?, said(&model.without(judged))?);
        let row = |vector: &FeatureVector| {
            let (values, valid) = vector.model_inputs();
            let excess = |id| vector.get(id).unwrap_or(0.0);
            let score = |said: &Said| said.scores.get(&vector.ts).copied();
            Row {
                ts: vector.ts,
                mid: vector.mid,
                values: *values,
                valid,
                excess: excess(FeatureId::SellingExcess).max(excess(FeatureId::BuyingExcess)),
                score: score(&whole),
                joint: score(&joint),
                stranger: score(&stranger),
            }
        };
        Ok(Self {
            seed,
            rows: whole.vectors.iter().map(row).collect(),
            span,
            instruments: whole.symbols.len(),
            seconds: whole.length.map_or(0.0, |(first, last)| last.since(first).0 as f64 / 1e9),
            scores: whole.scored,
            tiers: whole.tiers,
            stranger: stranger.tiers,
        })
    }
}
