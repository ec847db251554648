//! One simulated day through the product's own stages: what they said of each grid point.

use crate::line::books::featurizer;
use crate::line::gate_tables::CLASS;
use crate::play::play;
use crate::policy;
use crate::scorer::{AnyScorer, open};
use anyhow::{Context, Result};
use control::config::Plan;
use featurizer::{Book, Effect, FeatureSink, Featurizer, Observer, OnFull, TopOfBookSink};
use gpu::{Channel, LimitUpdate, Model, ScoreObserver, ScoreRecord, ScorerStage, TierChange};
use std::collections::BTreeMap;
use std::path::Path;
use types::{
    Action, BookEvent, FeatureId, FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Px, Symbol, Tier,
    TopOfBook, UnixNanos,
};

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

/// What the tiers did on one day.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiers {
    /// Of the judged instrument.
    pub(super) changes: Vec<TierChange>,
    /// Of every instrument.
    pub(super) entered: Entered,
}

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
    /// Scores of every instrument that the flow channel made, and all.
    pub(super) by_flow: u64,
    pub(super) scores: u64,
}

/// What one stage says.
#[derive(Default)]
struct Said {
    judged: Option<InstrumentId>,
    /// The judged instrument's score at the grid point in hand.
    newest: Option<ScoreRecord>,
    tiers: Tiers,
    by_flow: u64,
    scores: u64,
}

impl ScoreObserver for Said {
    fn scored(&mut self, record: &ScoreRecord) {
        self.scores += 1;
        self.by_flow += u64::from(record.channel == Channel::Flow);
        if Some(record.instrument) == self.judged {
            self.newest = Some(*record);
        }
    }

    fn tier_changed(&mut self, instrument: InstrumentId, change: &TierChange, _: Option<&ScoreRecord>) {
        if Some(instrument) == self.judged {
            self.tiers.changes.push(*change);
        }
        let rises = |tier| u64::from(change.from < tier && change.to >= tier);
        self.tiers.entered.elevated += rises(Tier::Elevated);
        self.tiers.entered.high += rises(Tier::High);
        self.tiers.entered.critical += rises(Tier::Critical);
    }
}

type Nowhere = fn(&LimitUpdate, UnixNanos);
type Stage = ScorerStage<AnyScorer, Nowhere, Said>;

/// Takes what the books hand out.
#[derive(Default)]
struct Taken {
    vectors: Vec<FeatureVector>,
    defined: Vec<(InstrumentId, Symbol)>,
}

impl FeatureSink for Taken {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        self.vectors.offer(vectors)
    }
}

impl TopOfBookSink for Taken {
    fn top(&mut self, _: InstrumentId, _: &TopOfBook) {}
}

impl Observer for Taken {
    fn on_event_applied(&mut self, event: &BookEvent, _: &Book<'_>, _: Effect) {
        if event.action == Action::Define {
            self.defined.push((event.instrument, Symbol::from_word(event.order_id)));
        }
    }
}

/// The stages behind the receiver.
struct Stages<'a> {
    plan: &'a Plan,
    featurizer: Featurizer,
    taken: Taken,
    /// The model, and the model without the channels beside the autoencoder.
    whole: Stage,
    joint: Stage,
    /// The model as if it had never seen the judged instrument.
    stranger: Stage,
    judged: Symbol,
    symbols: BTreeMap<InstrumentId, Symbol>,
    rows: Vec<Row>,
    /// The judged instrument's vector of the grid point in hand.
    vector: Option<FeatureVector>,
}

fn stage(plan: &Plan, model: &Model) -> Result<Stage> {
    let nowhere: Nowhere = |_, _| {};
    let config = policy::stage(plan, false)?;
    ScorerStage::new(config, model, open(plan, model)?, nowhere, Said::default()).context("cannot score")
}

impl<'a> Stages<'a> {
    fn new(plan: &'a Plan, model: &Model, judged: Symbol) -> Result<Self> {
        Ok(Self {
            plan,
            featurizer: featurizer(plan, OnFull::Wait)?,
            taken: Taken::default(),
            whole: stage(plan, model)?,
            joint: stage(plan, &model.without_channels())?,
            stranger: stage(plan, &model.without(judged))?,
            judged,
            symbols: BTreeMap::new(),
            rows: Vec::new(),
            vector: None,
        })
    }

    fn apply(&mut self, events: &[BookEvent]) {
        // The sink takes everything, so every event is applied.
        self.featurizer.apply(events, &mut self.taken);
        self.hand_on();
    }

    fn hand_on(&mut self) {
        for (instrument, symbol) in std::mem::take(&mut self.taken.defined) {
            self.symbols.insert(instrument, symbol);
            for stage in [&mut self.whole, &mut self.joint, &mut self.stranger] {
                stage.define(instrument, symbol);
                stage.set_envelope(instrument, CLASS, self.plan.limits.envelope(symbol.into()));
                if symbol == self.judged {
                    stage.observer_mut().judged = Some(instrument);
                }
            }
        }
        let vectors = std::mem::take(&mut self.taken.vectors);
        for vector in &vectors {
            for stage in [&mut self.whole, &mut self.joint, &mut self.stranger] {
                stage.on_vectors(std::slice::from_ref(vector), vector.ts);
            }
            if self.symbols.get(&vector.instrument) == Some(&self.judged) {
                self.vector = Some(*vector);
            }
            if vector.grid_end != 0 {
                self.end_of_grid();
            }
        }
        // Its memory is used again.
        self.taken.vectors = vectors;
        self.taken.vectors.clear();
    }

    fn end_of_grid(&mut self) {
        let score = |stage: &mut Stage| stage.observer_mut().newest.take().map(|record| record.score);
        let (score, joint, stranger) =
            (score(&mut self.whole), score(&mut self.joint), score(&mut self.stranger));
        let Some(vector) = self.vector.take().filter(|vector| vector.mid.is_some()) else { return };
        let (values, valid) = vector.model_inputs();
        let excess = |id| vector.get(id).unwrap_or(0.0);
        let excess = excess(FeatureId::SellingExcess).max(excess(FeatureId::BuyingExcess));
        let (ts, mid) = (vector.ts, vector.mid);
        self.rows.push(Row { ts, mid, values: *values, valid, excess, score, joint, stranger });
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
        let mut stages = Stages::new(plan, model, judged)?;
        let length = play(plan, pcap, |events| stages.apply(events))?;
        stages.featurizer.finish(&mut stages.taken);
        stages.hand_on();
        let said = std::mem::take(stages.whole.observer_mut());
        let stranger = std::mem::take(&mut stages.stranger.observer_mut().tiers);
        let seconds = length.0 as f64 / 1e9;
        Ok(Self {
            seed,
            rows: stages.rows,
            span,
            tiers: said.tiers,
            stranger,
            instruments: stages.symbols.len(),
            seconds,
            by_flow: said.by_flow,
            scores: said.scores,
        })
    }
}
