//! The stage's state, what it is told from outside, and what can be asked of it.

use gate::{ClassId, Envelope, Overlay};
use stage::{CounterCell, CounterReader, counters};
use types::{FEATURE_COUNT, FEEDS_MAX, FeedIndex, InstrumentId, Nanos, Symbol, Tier, UnixNanos};

use super::counters::{COUNTERS, Count};
use super::instrument::Instrument;
use super::record::ScoreObserver;
use crate::inputs::{Bindings, Profile};
use crate::model::{BESIDE_COUNT, Calibration, Model, Sides};
use crate::policy::bounds::{BookView, HeadBounds};
use crate::policy::config::{PolicyConfig, PolicyConfigError};
use crate::policy::rows::Row;
use crate::policy::tier::TierChange;
use crate::policy::update::LimitSink;
use crate::policy::witnesses::Witnesses;
use crate::score::StagedScorer;

/// When a batch is begun before its grid point ends, and whether it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    /// Begun when so many vectors are there.
    pub row_count_max: usize,
    /// Begun when its first vector has waited for so long.
    pub wait_max: Nanos,
    /// Whether vectors go on being taken while a batch is scored elsewhere. If not, each is waited for, so that what a replay
    /// writes depends on its input alone.
    pub overlapped: bool,
}

impl BatchConfig {
    /// A batch is a grid point, and waited for.
    pub const WHOLE_GRID: Self =
        Self { row_count_max: usize::MAX, wait_max: Nanos(u64::MAX), overlapped: false };
}

/// Sizes and policy of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorerStageConfig {
    /// Instruments, numbered from 0.
    pub instrument_count_max: usize,
    /// Strategy classes, numbered from 0.
    pub class_count: u8,
    /// When vectors are scored.
    pub batch: BatchConfig,
    /// The way from score to limit.
    pub policy: PolicyConfig,
}

/// What is kept of a vector while it is scored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) ts: UnixNanos,
    pub(super) instrument: InstrumentId,
    pub(super) is_live: bool,
    pub(super) witnesses: Witnesses,
    pub(super) book: BookView,
    /// Every feature that the model was trained on is there.
    pub(super) is_complete: bool,
    /// What it holds, and which of it is valid.
    pub(super) values: [f64; FEATURE_COUNT],
    pub(super) valid: u64,
}

impl Pending {
    /// The value of a feature by its [`types::FeatureId`] number; none where it was imputed.
    pub(super) fn value(&self, feature: u8) -> Option<f64> {
        self.values.get(usize::from(feature)).copied().filter(|_| self.valid >> feature & 1 == 1)
    }
}

/// A batch that is being scored.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    /// The grid point that is complete with it, and whose; none for a batch that was large or old enough.
    pub(super) ends: Option<(FeedIndex, UnixNanos)>,
    /// By feed, the grid point of its newest vector in the batch.
    pub(super) newest: [UnixNanos; FEEDS_MAX],
}

/// Hands a grid point's vectors to the scorer as they arrive, and publishes the limits of every instrument that has
/// ever been scored: changed ones with their cause, unchanged ones to renew the lease.
///
/// **Feeds.** Each feed has a grid of its own: a marker ends a grid point of its feed's instruments alone, and whether a vector is
/// late is asked of its own feed's clock. They share the batches and the scorer.
///
/// **Batches.** A batch is begun at the end of its grid point, or before when it is large or old enough ([`BatchConfig`]); the
/// limits of its instruments follow at once, those of silent instruments at the grid point's end. One batch is scored at a
/// time while the next is collected.
///
/// **When the picture is lost** (a book that is not live, at once; no score for three grid points), the dynamic limits
/// are revoked and the officer's base holds, unless the instrument was in a tier above Normal: then the tier's tighter
/// limits are kept up, as is an order size that predicted slippage holds down. Revoking them would loosen a limit because the model went blind, which no model
/// may do, and a gap in the feed is most likely in just the market that raised the tier.
///
/// Nothing is allocated after construction; the instruments are visited in the order of their definition.
pub struct ScorerStage<S, K, O = ()> {
    pub(super) scorer: S,
    pub(super) sink: K,
    pub(super) observer: O,
    pub(super) policy: PolicyConfig,
    /// By widening step.
    pub(super) overlays: Vec<Overlay>,
    pub(super) profiles: Bindings<Profile>,
    pub(super) calibrations: Bindings<Calibration>,
    /// What the backends are shown of each.
    pub(super) sides: Bindings<Sides>,
    /// The laws of the channels beside the autoencoder, where the model has them.
    pub(super) channel_laws: Option<[Bindings<Calibration>; BESIDE_COUNT]>,
    pub(super) bounds: HeadBounds,
    pub(super) instruments: Vec<Instrument>,
    /// In the order of definition.
    pub(super) defined: Vec<InstrumentId>,
    /// By instrument, then class.
    pub(super) rows: Vec<Option<Row>>,
    pub(super) class_count: u8,
    pub(super) batch_config: BatchConfig,
    /// Being collected, by place; since when.
    pub(super) batch: Vec<Pending>,
    pub(super) batch_since: UnixNanos,
    /// Being scored, by place.
    pub(super) scored: Vec<Pending>,
    pub(super) under_way: Option<UnderWay>,
    /// By feed, the newest grid point that was heard of, and that of the batch being scored when it was begun.
    pub(super) newest: [UnixNanos; FEEDS_MAX],
    pub(super) scored_newest: [UnixNanos; FEEDS_MAX],
    pub(super) version: u32,
    pub(super) counter_cells: [CounterCell; COUNTERS.len()],
    pub(super) counter_reader: CounterReader,
}

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> ScorerStage<S, K, O> {
    /// A stage that knows no instrument yet.
    ///
    /// # Errors
    /// A policy that cannot work.
    pub fn new(
        config: ScorerStageConfig,
        model: &Model,
        scorer: S,
        sink: K,
        observer: O,
    ) -> Result<Self, PolicyConfigError> {
        config.policy.check()?;
        let count = config.instrument_count_max;
        let (counter_reader, counter_cells) = counters("scorer", COUNTERS);
        let bounds = HeadBounds::new(&config.policy, model, count)?;
        Ok(Self {
            scorer,
            sink,
            observer,
            overlays: config.policy.overlays()?,
            policy: config.policy,
            profiles: Bindings::new(model.profiles(), count),
            calibrations: Bindings::new(model.calibrations(), count),
            sides: Bindings::new(&model.profiles().map(Sides::of), count),
            channel_laws: model.channels().map(|laws| laws.0.each_ref().map(|law| Bindings::new(law, count))),
            bounds,
            instruments: vec![Instrument::default(); count],
            defined: Vec::with_capacity(count),
            rows: vec![None; count * usize::from(config.class_count)],
            class_count: config.class_count,
            batch_config: config.batch,
            batch: Vec::with_capacity(count),
            batch_since: UnixNanos(0),
            scored: Vec::with_capacity(count),
            under_way: None,
            newest: [UnixNanos(0); FEEDS_MAX],
            scored_newest: [UnixNanos(0); FEEDS_MAX],
            version: 0,
            counter_cells,
            counter_reader,
        })
    }

    /// Says which symbol `instrument` is, so that its own profile and calibration are used. Gives whether the number is
    /// within the stage's size; beyond it nothing is scored and the static limits hold.
    pub fn define(&mut self, instrument: InstrumentId, symbol: Symbol) -> bool {
        let Some(known) = self.instruments.get_mut(instrument.index()) else { return false };
        let is_new = !core::mem::replace(&mut known.defined, true);
        if is_new {
            self.defined.push(instrument);
        }
        self.scorer.define(instrument, symbol);
        self.profiles.define(instrument, symbol);
        self.calibrations.define(instrument, symbol);
        self.sides.define(instrument, symbol);
        for laws in self.channel_laws.iter_mut().flatten() {
            laws.define(instrument, symbol);
        }
        let is_known = self.profiles.has_own(instrument);
        let floor = if is_known { Tier::Normal } else { self.policy.uncalibrated.floor() };
        self.instruments[instrument.index()].machine.set_floor(floor);
        self.count(Count::Uncalibrated, u64::from(is_new && !is_known));
        self.bounds.define(instrument, symbol);
        true
    }

    /// Says which feed `instrument` is of; the first, where nothing is said.
    pub fn set_feed(&mut self, instrument: InstrumentId, feed: FeedIndex) {
        if let Some(known) = self.instruments.get_mut(instrument.index()) {
            known.feed = feed;
        }
    }

    /// Sets the officer's envelope of one row; published limits follow at the next grid point. Gives whether the row
    /// exists. Without an envelope a row gets no dynamic limits.
    pub fn set_envelope(&mut self, instrument: InstrumentId, class: ClassId, envelope: &Envelope) -> bool {
        let Some(row) = self.row_index(instrument, class).and_then(|i| self.rows.get_mut(i)) else {
            return false;
        };
        match row {
            Some(row) => row.set_envelope(envelope),
            None => *row = Some(Row::new(envelope)),
        }
        true
    }

    /// `instrument`, defined and with its envelope, begins in `tier`, in which the process before this one ended. Its limits are
    /// published at `now` as those of a scorer that is no more, until there is a score.
    pub fn begin_in(&mut self, instrument: InstrumentId, tier: Tier, now: UnixNanos) {
        let Some(known) = self.instruments.get_mut(instrument.index()).filter(|known| known.last.is_none())
        else {
            return;
        };
        known.machine.begin_in(tier);
        known.limits_tier = tier;
        self.publish_kept(instrument, tier, now);
    }

    /// A person takes `instrument` down one tier at `ts`. Gives the change, none when it was in Normal.
    pub fn reset(&mut self, instrument: InstrumentId, ts: UnixNanos) -> Option<TierChange> {
        let known = self.instruments.get_mut(instrument.index())?;
        let change = known.machine.reset(ts)?;
        known.limits_tier = known.machine.tier();
        self.observer.tier_changed(instrument, &change, known.last.as_ref());
        Some(change)
    }

    /// The tier of `instrument`; Normal for one that is not known.
    #[must_use]
    pub fn tier(&self, instrument: InstrumentId) -> Tier {
        self.instruments.get(instrument.index()).map_or(Tier::Normal, |known| known.machine.tier())
    }

    /// Counters of the stage, readable from any thread.
    #[must_use]
    pub fn counters(&self) -> CounterReader {
        self.counter_reader.clone()
    }

    /// The sink, for a replay that owns the stage and drains its queue.
    pub const fn sink_mut(&mut self) -> &mut K {
        &mut self.sink
    }

    /// The observer, likewise.
    pub const fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// The backend, for its name and failures.
    pub const fn scorer(&self) -> &S {
        &self.scorer
    }

    pub(super) fn count(&self, which: Count, by: u64) {
        self.counter_cells[which as usize].add(by);
    }

    pub(super) fn row_index(&self, instrument: InstrumentId, class: ClassId) -> Option<usize> {
        let inside = instrument.index() < self.instruments.len() && class.0 < self.class_count;
        inside.then(|| instrument.index() * usize::from(self.class_count) + usize::from(class.0))
    }
}
