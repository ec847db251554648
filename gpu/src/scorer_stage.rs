//! The stage between the books and the gate: feature vectors in, leased limits out, one grid point at a time.

use gate::{ClassId, Envelope, FixedScore, LimitCause, Overlay};
use stage::{CounterCell, CounterReader, RingRx, Stage, Work, counters};
use types::{BookState, FeatureVector, InstrumentId, Nanos, Symbol, Tier, UnixNanos};

use crate::binding::Bindings;
use crate::calibrate::Calibration;
use crate::config::{PolicyConfig, PolicyConfigError};
use crate::model::Model;
use crate::normalise::Profile;
use crate::policy::{LimitSink, LimitUpdate, Row, Widening, Witnesses};
use crate::scorer::{RawScore, Scorer, TOP_COUNT};
use crate::tier::{TierChange, TierMachine};

/// A vector that lags its grid point by more than this many grid steps is no picture of the present.
const LAG_GRID_MAX: u64 = 3;

/// Sizes and policy of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorerStageConfig {
    /// Instruments, numbered from 0.
    pub instrument_count_max: usize,
    /// Strategy classes, numbered from 0.
    pub class_count: u8,
    /// The way from score to limit.
    pub policy: PolicyConfig,
}

/// One scored vector, for `scores.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRecord {
    /// Grid point, in event time.
    pub ts: UnixNanos,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Score before calibration.
    pub raw: f32,
    /// Calibrated score, 0 to 1.
    pub score: f32,
    /// The tier after it.
    pub tier: Tier,
    /// The features with the largest shares of the reconstruction error ([`crate::feature_name`]).
    pub top3: [u8; TOP_COUNT],
    /// Those shares.
    pub contributions: [f32; TOP_COUNT],
    /// Non-ML signs of stress at the same moment.
    pub witnesses: Witnesses,
}

/// Hears what the stage decides; for files, alerts and metrics. Called on the scoring thread: it must not block.
pub trait ScoreObserver {
    /// A vector was scored.
    fn scored(&mut self, _record: &ScoreRecord) {}

    /// An instrument changed its tier; `record` is its last score, if any.
    fn tier_changed(
        &mut self,
        _instrument: InstrumentId,
        _change: &TierChange,
        _record: Option<&ScoreRecord>,
    ) {
    }
}

impl ScoreObserver for () {}

/// What a grid point brought for one instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// A score.
    Scored(ScoreRecord),
    /// No vector: nothing has changed since the last.
    Held,
    /// A vector of a live book that could not be scored.
    NoScore,
    /// A vector of a book that is not to be believed.
    BookLost,
}

/// What the stage knows of one instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Instrument {
    machine: TierMachine,
    last: Option<ScoreRecord>,
    widening: Widening,
    /// Place in this grid point's batch, plus one; 0 when there is none.
    place: u32,
    /// Grid points in a row without a score.
    missing_count: u8,
    /// The book is not live, as its last vector said.
    book_lost: bool,
    /// The tier whose limits hold: the machine's while the picture is clear, frozen while it is lost.
    limits_tier: Tier,
    /// The dynamic limits were revoked and not set again.
    revoked: bool,
    defined: bool,
}

impl Instrument {
    /// Whether limits must do without scores.
    fn is_blind(&self, missing_count_max: u8) -> bool {
        self.book_lost || self.missing_count >= missing_count_max
    }

    /// Takes what the grid point brought; gives the change of tier.
    fn step(&mut self, policy: &PolicyConfig, ts: UnixNanos, outcome: Outcome) -> Option<TierChange> {
        let seen = match outcome {
            // Silence after a lost picture is no new picture.
            Outcome::Held if self.missing_count > 0 || self.book_lost => Outcome::NoScore,
            seen => seen,
        };
        let change = match seen {
            Outcome::Scored(record) => {
                (self.missing_count, self.book_lost, self.last) = (0, false, Some(record));
                self.machine.on_score(&policy.tier, ts, record.score, record.witnesses.count())
            }
            Outcome::Held => self.machine.on_hold(&policy.tier, ts),
            // Before the first score there is nothing to lose: the static limits hold, as they did.
            Outcome::NoScore | Outcome::BookLost if self.last.is_none() => None,
            Outcome::NoScore | Outcome::BookLost => {
                self.book_lost |= seen == Outcome::BookLost;
                self.missing_count = self.missing_count.saturating_add(1);
                let stale = self.missing_count == policy.tier.missing_count_max;
                if stale { self.machine.on_stale(ts) } else { None }
            }
        };
        if !self.is_blind(policy.tier.missing_count_max) {
            self.limits_tier = self.machine.tier();
        }
        change
    }

    /// The widening step at `ts`.
    fn widen(&mut self, policy: &PolicyConfig, ts: UnixNanos) -> u8 {
        let calm = self.limits_tier == Tier::Normal
            && !self.is_blind(policy.tier.missing_count_max)
            && self.machine.score().is_some_and(|score| score < policy.tier.elevated.leave);
        self.widening.step(&policy.widen, ts, calm)
    }
}

/// The counters of a stage, in the order of [`ScorerStage::counters`].
const COUNTERS: [&str; 9] = [
    "vectors",
    "grids",
    "scored",
    "unscored",
    "late",
    "unknown_instrument",
    "updates",
    "revocations",
    "trips",
];

/// Positions in [`COUNTERS`].
#[derive(Clone, Copy)]
#[repr(usize)]
enum Count {
    Vectors = 0,
    Grids = 1,
    Scored = 2,
    Unscored = 3,
    Late = 4,
    UnknownInstrument = 5,
    Updates = 6,
    Revocations = 7,
    Trips = 8,
}

/// Collects a grid point's vectors, scores them in one call, and publishes the limits of every instrument that has
/// ever been scored: changed ones with their cause, unchanged ones to renew the lease.
///
/// **When the picture is lost** (a book that is not live, at once; no score for three grid points), the dynamic limits
/// are revoked and the officer's base holds, unless the instrument was in a tier above Normal: then the tier's tighter
/// limits are kept up. Revoking them would loosen a limit because the model went blind, which invariant 2 of DESIGN.md
/// forbids, and a gap in the feed is most likely in just the market that raised the tier.
///
/// Nothing is allocated after construction; the instruments are visited in the order of their definition.
pub struct ScorerStage<S, K, O = ()> {
    scorer: S,
    sink: K,
    observer: O,
    policy: PolicyConfig,
    /// By widening step.
    overlays: Vec<Overlay>,
    profiles: Bindings<Profile>,
    calibrations: Bindings<Calibration>,
    instruments: Vec<Instrument>,
    /// In the order of definition.
    defined: Vec<InstrumentId>,
    /// By instrument, then class.
    rows: Vec<Option<Row>>,
    class_count: u8,
    batch: Vec<FeatureVector>,
    scores: Vec<Option<RawScore>>,
    version: u32,
    counter_cells: [CounterCell; COUNTERS.len()],
    counter_reader: CounterReader,
}

impl<S: Scorer, K: LimitSink, O: ScoreObserver> ScorerStage<S, K, O> {
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
        let (profiles, calibrations) = (model.profiles(), model.calibrations());
        Ok(Self {
            scorer,
            sink,
            observer,
            overlays: config.policy.overlays()?,
            policy: config.policy,
            profiles: Bindings::new(&profiles.pooled, &profiles.symbols, count),
            calibrations: Bindings::new(&calibrations.pooled, &calibrations.symbols, count),
            instruments: vec![Instrument::default(); count],
            defined: Vec::with_capacity(count),
            rows: vec![None; count * usize::from(config.class_count)],
            class_count: config.class_count,
            batch: Vec::with_capacity(count),
            scores: Vec::with_capacity(count),
            version: 0,
            counter_cells,
            counter_reader,
        })
    }

    /// Says which symbol `instrument` is, so that its own profile and calibration are used. Gives whether the number is
    /// within the stage's size; beyond it nothing is scored and the static limits hold.
    pub fn define(&mut self, instrument: InstrumentId, symbol: Symbol) -> bool {
        let Some(known) = self.instruments.get_mut(instrument.index()) else { return false };
        if !known.defined {
            known.defined = true;
            self.defined.push(instrument);
        }
        self.scorer.define(instrument, symbol);
        self.profiles.define(instrument, symbol);
        self.calibrations.define(instrument, symbol);
        true
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

    /// A person takes `instrument` out of Critical at `ts`; it lands in High. Gives the change, none when the
    /// instrument was not Critical.
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

    /// Takes vectors in the order the featurizer sent them; at each end of a grid point scores what came for it and
    /// publishes, stamped `now`.
    pub fn on_vectors(&mut self, vectors: &[FeatureVector], now: UnixNanos) {
        for vector in vectors {
            if vector.grid_end == 0 {
                self.collect(vector);
            } else {
                self.end_of_grid(vector.ts, now);
            }
        }
    }

    fn count(&self, which: Count, by: u64) {
        self.counter_cells[which as usize].add(by);
    }

    fn row_index(&self, instrument: InstrumentId, class: ClassId) -> Option<usize> {
        let inside = instrument.index() < self.instruments.len() && class.0 < self.class_count;
        inside.then(|| instrument.index() * usize::from(self.class_count) + usize::from(class.0))
    }

    /// Puts a vector into the batch; a second one of the same instrument replaces the first.
    fn collect(&mut self, vector: &FeatureVector) {
        self.count(Count::Vectors, 1);
        match self.instruments.get_mut(vector.instrument.index()) {
            Some(known) if known.defined => {
                if let Some(place) = known.place.checked_sub(1) {
                    self.batch[place as usize] = *vector;
                } else {
                    // One place per instrument: the batch cannot outgrow its capacity.
                    self.batch.push(*vector);
                    known.place = u32::try_from(self.batch.len()).unwrap_or(0);
                }
            }
            _ => self.count(Count::UnknownInstrument, 1),
        }
    }

    fn end_of_grid(&mut self, ts: UnixNanos, now: UnixNanos) {
        self.count(Count::Grids, 1);
        let lag_max = Nanos(LAG_GRID_MAX * self.policy.grid_ns);
        for vector in &mut self.batch {
            if ts.since(vector.ts) > lag_max {
                vector.valid = 0;
                self.counter_cells[Count::Late as usize].add(1);
            }
        }
        self.scores.clear();
        self.scores.resize(self.batch.len(), None);
        self.scorer.score(&self.batch, &mut self.scores);
        for i in 0..self.defined.len() {
            let instrument = self.defined[i];
            self.step(instrument, ts, now);
        }
        self.batch.clear();
    }

    /// One instrument at the end of grid point `ts`.
    fn step(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos) {
        let place = core::mem::take(&mut self.instruments[instrument.index()].place);
        let outcome = match place.checked_sub(1) {
            Some(place) => self.outcome(instrument, place as usize, ts),
            None => Outcome::Held,
        };
        let known = &mut self.instruments[instrument.index()];
        let change = known.step(&self.policy, ts, outcome);
        if let (Outcome::Scored(_), Some(last)) = (outcome, known.last.as_mut()) {
            last.tier = known.machine.tier();
            self.observer.scored(last);
        }
        if let Some(change) = &change {
            self.observer.tier_changed(instrument, change, known.last.as_ref());
        }
        let trip = change.is_some_and(|change| change.to == Tier::Critical);
        self.counter_cells[Count::Trips as usize].add(u64::from(trip));
        self.publish(instrument, ts, now, trip);
    }

    /// What the batch holds for `instrument` at `place`.
    fn outcome(&self, instrument: InstrumentId, place: usize, ts: UnixNanos) -> Outcome {
        let vector = &self.batch[place];
        if vector.book_state != BookState::Live.to_u8() {
            self.count(Count::Unscored, 1);
            return Outcome::BookLost;
        }
        let calibration = self.calibrations.of(instrument);
        let scored = self.scores[place]
            .and_then(|raw| calibration.and_then(|c| c.score(f64::from(raw.raw))).map(|score| (raw, score)));
        let (Some((raw, score)), Some(profile)) = (scored, self.profiles.of(instrument)) else {
            self.count(Count::Unscored, 1);
            return Outcome::NoScore;
        };
        self.count(Count::Scored, 1);
        Outcome::Scored(ScoreRecord {
            ts,
            instrument,
            raw: raw.raw,
            score,
            tier: Tier::Normal,
            top3: raw.top3,
            contributions: raw.contributions,
            witnesses: Witnesses::of(&self.policy.witness, profile, vector),
        })
    }

    /// Publishes or revokes every row of `instrument`.
    fn publish(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos, trip: bool) {
        let known = &mut self.instruments[instrument.index()];
        let Some(last) = known.last else { return };
        let blind = known.is_blind(self.policy.tier.missing_count_max);
        let step = known.widen(&self.policy, ts);
        let revoke = blind && known.limits_tier == Tier::Normal;
        if revoke && core::mem::replace(&mut known.revoked, true) {
            return;
        }
        known.revoked = revoke;
        let (tier, limits_tier) = (known.machine.tier(), known.limits_tier);
        let overlay = &self.overlays[usize::from(step).min(self.overlays.len() - 1)];
        let first = instrument.index() * usize::from(self.class_count);
        for class in 0..self.class_count {
            let Some(row) = &mut self.rows[first + usize::from(class)] else { continue };
            let (limits, cause) = if revoke {
                (row.revoke(), LimitCause::Unknown)
            } else {
                row.publish(overlay, limits_tier, step)
            };
            self.version = self.version.wrapping_add(1);
            let update = LimitUpdate {
                ts,
                instrument,
                class: ClassId(class),
                limits,
                tier,
                // Calibrated scores lie in [0, 1]; were one not to, it would be shown as the worst.
                score: FixedScore::from_f64(f64::from(last.score)).unwrap_or(FixedScore::MAX),
                lease: if revoke { Nanos(0) } else { self.policy.lease() },
                cause,
                version: self.version,
                top3: last.top3,
                trip,
            };
            self.counter_cells[Count::Updates as usize].add(1);
            self.counter_cells[Count::Revocations as usize].add(u64::from(revoke));
            self.sink.limit(&update, now);
        }
    }
}

/// A [`ScorerStage`] at the end of a ring, as the runners poll it.
pub struct PolledScorer<S, K, O = ()> {
    vectors: RingRx<FeatureVector>,
    burst_max: usize,
    stage: ScorerStage<S, K, O>,
}

impl<S: Scorer, K: LimitSink, O: ScoreObserver> PolledScorer<S, K, O> {
    /// Polls `vectors`, at most `burst_max` at a time, into `stage`.
    #[must_use]
    pub const fn new(vectors: RingRx<FeatureVector>, burst_max: usize, stage: ScorerStage<S, K, O>) -> Self {
        Self { vectors, burst_max, stage }
    }

    /// The stage, to define instruments and set envelopes.
    pub const fn stage_mut(&mut self) -> &mut ScorerStage<S, K, O> {
        &mut self.stage
    }
}

impl<S: Scorer, K: LimitSink, O: ScoreObserver> Stage for PolledScorer<S, K, O> {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        let stage = &mut self.stage;
        let items = self.vectors.drain(self.burst_max, |vectors| stage.on_vectors(vectors, now));
        if items == 0 && self.vectors.is_abandoned() && self.vectors.is_empty() {
            return Work::DONE;
        }
        Work::of(u32::try_from(items).unwrap_or(u32::MAX))
    }
}
