//! The stage between the books and the gate: feature vectors in, leased limits out, one grid point at a time.

use gate::{ClassId, Envelope, FixedScore, LimitCause, Overlay};
use stage::{CounterCell, CounterReader, RingRx, Stage, Work, counters};
use types::{BookState, FeatureVector, InstrumentId, Nanos, Qty, Symbol, Tier, UnixNanos};

use super::config::{PolicyConfig, PolicyConfigError};
use super::limits::{LimitSink, LimitUpdate, Row, SurfaceUpdate, Widening, Witnesses};
use super::tier::{TierChange, TierMachine};
use crate::heads::{
    Head, Liquidity, SizeBound, SlippageScale, SurfaceBound, SurfaceLaw, sizes_within, touch,
};
use crate::inputs::{Bindings, Profile};
use crate::model::{Calibration, Model, RawScore, TOP_COUNT};
use crate::score::StagedScorer;

/// A vector that lags its grid point by more than this many grid steps is no picture of the present.
const LAG_GRID_MAX: u64 = 3;

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
    /// The features with the largest shares of the reconstruction error ([`types::FeatureId`] numbers).
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
    size_bound: SizeBound,
    /// Place in the batch that is being collected, plus one; 0 when there is none.
    place: u32,
    /// The same in the batch that is being scored.
    scored_place: u32,
    /// Grid point of the last step.
    stepped: Option<UnixNanos>,
    /// Grid points in a row without a score.
    missing_count: u8,
    /// The book is not live, as its last vector said.
    book_lost: bool,
    /// Grid point of the first vector since the book became live.
    live_since: Option<UnixNanos>,
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

/// What is kept of a vector while it is scored.
#[derive(Clone, Copy, Debug)]
struct Pending {
    ts: UnixNanos,
    instrument: InstrumentId,
    is_live: bool,
    witnesses: Witnesses,
    /// What the book offers, where that counts and is known.
    liquidity: Option<Liquidity>,
    /// Quantity at the touch, where order sizes by price distance are asked for and it is known.
    touch: Option<f64>,
}

/// What order sizes by price distance follow from.
struct Surface {
    laws: Bindings<SurfaceLaw>,
    /// By instrument.
    bounds: Vec<SurfaceBound>,
}

/// A batch that is being scored.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    /// Grid point of its newest vector.
    ts: UnixNanos,
    /// Whether the grid point is complete with it.
    ends_grid: bool,
}

/// The counters of a stage, in the order of [`ScorerStage::counters`].
const COUNTERS: [&str; 10] = [
    "vectors",
    "grids",
    "scored",
    "unscored",
    "late",
    "unknown_instrument",
    "updates",
    "revocations",
    "trips",
    "batches",
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
    Batches = 9,
}

/// Hands a grid point's vectors to the scorer as they arrive, and publishes the limits of every instrument that has
/// ever been scored: changed ones with their cause, unchanged ones to renew the lease.
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
    scorer: S,
    sink: K,
    observer: O,
    policy: PolicyConfig,
    /// By widening step.
    overlays: Vec<Overlay>,
    profiles: Bindings<Profile>,
    calibrations: Bindings<Calibration>,
    /// Where orders are bounded by their predicted slippage.
    slippage: Option<Bindings<SlippageScale>>,
    /// Where orders are bounded by price distance.
    surface: Option<Surface>,
    instruments: Vec<Instrument>,
    /// In the order of definition.
    defined: Vec<InstrumentId>,
    /// By instrument, then class.
    rows: Vec<Option<Row>>,
    class_count: u8,
    batch_config: BatchConfig,
    /// Being collected, by place; since when.
    batch: Vec<Pending>,
    batch_since: UnixNanos,
    /// Being scored, by place.
    scored: Vec<Pending>,
    under_way: Option<UnderWay>,
    /// Newest grid point that was heard of, and that of the batch being scored when it was begun.
    newest: UnixNanos,
    scored_newest: UnixNanos,
    version: u32,
    counter_cells: [CounterCell; COUNTERS.len()],
    counter_reader: CounterReader,
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
        let slippage = match (config.policy.slippage.limit_bps, &model.heads().slippage) {
            (0.0, _) => None,
            (limit_bps, None) => return Err(PolicyConfigError::NoSlippageHead { limit_bps }),
            (_, Some(head)) => Some(Bindings::new(head.scales(), count)),
        };
        let surface = match (config.policy.surface.error_probability_max, &model.heads().surface) {
            (0.0, _) => None,
            (found, None) => return Err(PolicyConfigError::NoSurfaceHead { found }),
            (_, Some(head)) => Some(Surface {
                laws: Bindings::new(&head.laws(), count),
                bounds: vec![SurfaceBound::default(); count],
            }),
        };
        Ok(Self {
            scorer,
            sink,
            observer,
            overlays: config.policy.overlays()?,
            policy: config.policy,
            profiles: Bindings::new(model.profiles(), count),
            calibrations: Bindings::new(model.calibrations(), count),
            slippage,
            surface,
            instruments: vec![Instrument::default(); count],
            defined: Vec::with_capacity(count),
            rows: vec![None; count * usize::from(config.class_count)],
            class_count: config.class_count,
            batch_config: config.batch,
            batch: Vec::with_capacity(count),
            batch_since: UnixNanos(0),
            scored: Vec::with_capacity(count),
            under_way: None,
            newest: UnixNanos(0),
            scored_newest: UnixNanos(0),
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
        if let Some(scales) = &mut self.slippage {
            scales.define(instrument, symbol);
        }
        if let Some(surface) = &mut self.surface {
            surface.laws.define(instrument, symbol);
        }
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

    /// Takes vectors in the order the featurizer sent them, at `now`.
    pub fn on_vectors(&mut self, vectors: &[FeatureVector], now: UnixNanos) {
        for vector in vectors {
            self.newest = self.newest.max(vector.ts);
            if vector.grid_end == 0 {
                self.collect(vector, now);
                if self.batch.len() >= self.batch_config.row_count_max {
                    self.tick(now);
                }
            } else {
                self.end_of_grid(vector.ts, now);
            }
        }
    }

    /// Publishes what has been scored meanwhile, and begins a batch that is large or old enough. To be called again and again;
    /// gives the batches begun or published.
    pub fn tick(&mut self, now: UnixNanos) -> u32 {
        let published = self.publish_ready(now);
        let due = self.under_way.is_none()
            && !self.batch.is_empty()
            && (self.batch.len() >= self.batch_config.row_count_max
                || now.since(self.batch_since) >= self.batch_config.wait_max);
        if due {
            let ts = self.batch.iter().map(|pending| pending.ts).max().unwrap_or(now);
            self.begin(UnderWay { ts, ends_grid: false }, now);
        }
        u32::from(published) + u32::from(due)
    }

    /// Waits for a batch that is being scored and publishes it.
    pub fn settle(&mut self, now: UnixNanos) {
        while self.under_way.is_some() && !self.publish_ready(now) {
            core::hint::spin_loop();
        }
    }

    fn count(&self, which: Count, by: u64) {
        self.counter_cells[which as usize].add(by);
    }

    fn row_index(&self, instrument: InstrumentId, class: ClassId) -> Option<usize> {
        let inside = instrument.index() < self.instruments.len() && class.0 < self.class_count;
        inside.then(|| instrument.index() * usize::from(self.class_count) + usize::from(class.0))
    }

    /// Stages a vector; a second one of the same instrument replaces the first.
    fn collect(&mut self, vector: &FeatureVector, now: UnixNanos) {
        self.count(Count::Vectors, 1);
        let instrument = vector.instrument;
        let (known, profile) = (self.instruments.get_mut(instrument.index()), self.profiles.of(instrument));
        let (Some(known), Some(profile)) = (known.filter(|known| known.defined), profile) else {
            return self.count(Count::UnknownInstrument, 1);
        };
        let pending = Pending {
            ts: vector.ts,
            instrument,
            is_live: vector.book_state == BookState::Live.to_u8(),
            witnesses: Witnesses::of(&self.policy.witness, profile, vector),
            touch: self.surface.as_ref().and_then(|_| touch(vector)),
            liquidity: self.slippage.as_ref().and_then(|_| Liquidity::of(vector)),
        };
        let place = match known.place.checked_sub(1) {
            Some(place) => place as usize,
            None => self.batch.len(),
        };
        if let Some(earlier) = self.batch.get_mut(place) {
            *earlier = pending;
        } else {
            if place == 0 {
                self.batch_since = now;
            }
            // One place per instrument: the batch cannot outgrow its capacity.
            self.batch.push(pending);
            known.place = u32::try_from(self.batch.len()).unwrap_or(0);
        }
        self.scorer.stage(place, vector);
    }

    fn end_of_grid(&mut self, ts: UnixNanos, now: UnixNanos) {
        self.count(Count::Grids, 1);
        // The batch before comes first.
        self.settle(now);
        self.begin(UnderWay { ts, ends_grid: true }, now);
    }

    /// Begins to score what is collected.
    fn begin(&mut self, under_way: UnderWay, now: UnixNanos) {
        self.count(Count::Batches, 1);
        self.scorer.start();
        self.scored_newest = self.newest;
        core::mem::swap(&mut self.batch, &mut self.scored);
        self.batch.clear();
        for pending in &self.scored {
            let known = &mut self.instruments[pending.instrument.index()];
            known.scored_place = core::mem::take(&mut known.place);
        }
        self.under_way = Some(under_way);
        if self.batch_config.overlapped {
            self.publish_ready(now);
        } else {
            self.settle(now);
        }
    }

    /// Publishes the batch that is being scored, when it is ready. Gives whether it was.
    fn publish_ready(&mut self, now: UnixNanos) -> bool {
        let Some(UnderWay { ts, ends_grid }) = self.under_way else { return false };
        if !self.scorer.is_ready() {
            return false;
        }
        self.under_way = None;
        if ends_grid {
            for i in 0..self.defined.len() {
                self.step(self.defined[i], ts, now);
            }
        } else {
            for i in 0..self.scored.len() {
                self.step(self.scored[i].instrument, ts, now);
            }
        }
        self.scored.clear();
        true
    }

    /// One instrument at grid point `ts`.
    fn step(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos) {
        let known = &mut self.instruments[instrument.index()];
        let outcome = match core::mem::take(&mut known.scored_place).checked_sub(1) {
            Some(place) => self.outcome(place as usize, ts),
            // An earlier batch of this grid point has brought it.
            None if known.stepped == Some(ts) => return,
            None => Outcome::Held,
        };
        let known = &mut self.instruments[instrument.index()];
        known.stepped = Some(ts);
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
        self.publish_surface(instrument, ts, now);
        self.publish(instrument, ts, now, trip);
    }

    /// What the scored batch holds at `place`. A book that has only just become live counts as unscored: its windows are not
    /// full; so does a vector that lags the grid point.
    fn outcome(&mut self, place: usize, ts: UnixNanos) -> Outcome {
        let Pending { ts: vector_ts, instrument, is_live, witnesses, liquidity, touch } = self.scored[place];
        let lags = self.scored_newest.since(vector_ts) > Nanos(LAG_GRID_MAX * self.policy.grid_ns);
        self.counter_cells[Count::Late as usize].add(u64::from(lags));
        let known = &mut self.instruments[instrument.index()];
        if !is_live {
            known.live_since = None;
            self.count(Count::Unscored, 1);
            return Outcome::BookLost;
        }
        let live_since = *known.live_since.get_or_insert(ts);
        let warm = ts.since(live_since).0 >= self.policy.warmup_ns;
        let current = warm && !lags;
        if current {
            self.bound_size(instrument, place, liquidity.as_ref());
            self.bound_by_distance(instrument, place, touch);
        }
        let calibrated = |raw: RawScore| {
            let score = self.calibrations.of(instrument)?.score(f64::from(raw.raw))?;
            Some((raw, score))
        };
        let Some((raw, score)) = self.scorer.result(place).filter(|_| current).and_then(calibrated) else {
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
            witnesses,
        })
    }

    /// Takes the predicted slippage at `place` into the largest order of `instrument`: none when its book, which is live, prices
    /// not even the smallest. Without a prediction the bound stays.
    fn bound_size(&mut self, instrument: InstrumentId, place: usize, liquidity: Option<&Liquidity>) {
        let Some(scale) = self.slippage.as_ref().and_then(|scales| scales.of(instrument)) else { return };
        let within = match (liquidity, self.scorer.head(Head::Slippage, place)) {
            (None, _) => Qty(0),
            (Some(book), Some(says)) => book.size_within(self.policy.slippage.limit_bps, scale, &says),
            (Some(_), None) => return,
        };
        self.instruments[instrument.index()].size_bound.step(within);
    }

    /// Takes the sizes that are likely meant into those of `instrument`. Without a prediction they stay.
    fn bound_by_distance(&mut self, instrument: InstrumentId, place: usize, touch: Option<f64>) {
        let (Some(surface), Some(touch)) = (&mut self.surface, touch) else { return };
        let says = self.scorer.head(Head::Surface, place);
        let (Some(law), Some(says)) = (surface.laws.of(instrument), says) else { return };
        let theta = self.policy.surface.error_probability_max;
        surface.bounds[instrument.index()].step(&sizes_within(theta, law, &says, touch));
    }

    /// Publishes the sizes by price distance of `instrument`, also when its picture is lost: that must not loosen them.
    fn publish_surface(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos) {
        let bound = self.surface.as_ref().and_then(|surface| surface.bounds[instrument.index()].get());
        let Some(sizes) = bound else { return };
        self.version = self.version.wrapping_add(1);
        let (lease, version) = (self.policy.lease(), self.version);
        self.sink.surface(&SurfaceUpdate { ts, instrument, sizes, lease, version }, now);
    }

    /// Publishes or revokes every row of `instrument`.
    fn publish(&mut self, instrument: InstrumentId, ts: UnixNanos, now: UnixNanos, trip: bool) {
        let known = &mut self.instruments[instrument.index()];
        let Some(last) = known.last else { return };
        let blind = known.is_blind(self.policy.tier.missing_count_max);
        let step = known.widen(&self.policy, ts);
        let size_bound = known.size_bound.get();
        let classes = usize::from(self.class_count);
        let rows = &self.rows[instrument.index() * classes..][..classes];
        let bound = rows.iter().flatten().any(|row| row.binds(size_bound));
        let revoke = blind && known.limits_tier == Tier::Normal && !bound;
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
                (row.revoke(), LimitCause::Revoke)
            } else {
                row.publish(overlay, limits_tier, step, size_bound)
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

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> PolledScorer<S, K, O> {
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

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> Stage for PolledScorer<S, K, O> {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        let stage = &mut self.stage;
        let items = self.vectors.drain(self.burst_max, |vectors| stage.on_vectors(vectors, now));
        let batches = stage.tick(now);
        if items == 0 && self.vectors.is_abandoned() && self.vectors.is_empty() {
            stage.settle(now);
            return Work::DONE;
        }
        Work::of(u32::try_from(items).unwrap_or(u32::MAX).saturating_add(batches))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{SlippageConfig, SurfaceConfig, WidenConfig};
    use super::super::limits::tests::{BASE, envelope};
    use super::super::tier::TierCause;
    use super::*;
    use crate::heads::{largest_size, random_fat_finger, random_slippage};
    use crate::network::Increments;
    use crate::score::{ReferenceScorer, Scorer, Staged};
    use crate::synthetic::{DAY_NS, GRID_NS, Market, model};
    use gate::{LimitTable, RiskLimits};
    use proptest::prelude::*;
    use types::{FEATURE_COUNT, FeatureId, StaleCause, WALK_COUNT};

    /// A backend that gives what the vector says: feature 0 is the raw score, invalid means none.
    #[derive(Default)]
    struct Told {
        batches: Vec<usize>,
    }

    impl Scorer for Told {
        fn name(&self) -> &'static str {
            "told"
        }

        fn define(&mut self, _: InstrumentId, _: Symbol) {}

        fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
            self.batches.push(rows.len());
            for (row, out) in rows.iter().zip(out) {
                #[expect(clippy::cast_possible_truncation, reason = "test scores")]
                let raw =
                    RawScore { raw: row.values[0] as f32, top3: [7, 8, 9], contributions: [0.5, 0.3, 0.1] };
                *out = (row.valid != 0).then_some(raw);
            }
        }
    }

    #[derive(Default)]
    struct Heard {
        scores: Vec<ScoreRecord>,
        changes: Vec<(InstrumentId, TierChange)>,
    }

    impl ScoreObserver for Heard {
        fn scored(&mut self, record: &ScoreRecord) {
            self.scores.push(*record);
        }

        fn tier_changed(&mut self, instrument: InstrumentId, change: &TierChange, _: Option<&ScoreRecord>) {
            self.changes.push((instrument, *change));
        }
    }

    #[derive(Default)]
    struct Sent(Vec<LimitUpdate>);

    impl LimitSink for Sent {
        fn limit(&mut self, update: &LimitUpdate, _: UnixNanos) {
            self.0.push(*update);
        }
    }

    /// A scorer elsewhere: a batch is ready when it has been asked for so often.
    struct Elsewhere {
        scorer: Staged<Told>,
        delay: u32,
        asked: u32,
    }

    impl Scorer for Elsewhere {
        fn name(&self) -> &'static str {
            "elsewhere"
        }

        fn define(&mut self, _: InstrumentId, _: Symbol) {}

        fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
            self.scorer.score(rows, out);
        }
    }

    impl StagedScorer for Elsewhere {
        fn stage(&mut self, place: usize, row: &FeatureVector) {
            self.scorer.stage(place, row);
        }

        fn start(&mut self) {
            assert!(self.asked >= self.delay, "one batch at a time");
            self.asked = 0;
            self.scorer.start();
        }

        fn is_ready(&mut self) -> bool {
            self.asked += 1;
            self.asked >= self.delay
        }

        fn result(&self, place: usize) -> Option<RawScore> {
            assert!(self.asked >= self.delay, "not ready");
            self.scorer.result(place)
        }

        fn head(&self, head: Head, place: usize) -> Option<Increments> {
            self.scorer.head(head, place)
        }
    }

    type TestStage = ScorerStage<Staged<Told>, Sent, Heard>;

    fn policy() -> PolicyConfig {
        PolicyConfig::default()
    }

    fn stage_with(policy: PolicyConfig) -> TestStage {
        stage_of(policy, BatchConfig::WHOLE_GRID, Staged::new(Told::default(), 3))
    }

    /// Three instruments, two classes, envelopes on all rows but (2, 1).
    fn stage_of<S: StagedScorer>(
        policy: PolicyConfig,
        batch: BatchConfig,
        scorer: S,
    ) -> ScorerStage<S, Sent, Heard> {
        let config = ScorerStageConfig { instrument_count_max: 3, class_count: 2, batch, policy };
        let mut stage = ScorerStage::new(config, model(), scorer, Sent::default(), Heard::default()).unwrap();
        for (i, name) in ["AAA", "BBB", "CCC"].into_iter().enumerate() {
            let instrument = InstrumentId(u32::try_from(i).unwrap());
            assert!(stage.define(instrument, Symbol::new(name).unwrap()));
            for class in [0, 1].map(ClassId) {
                if (i, class.0) != (2, 1) {
                    assert!(stage.set_envelope(instrument, class, &envelope()));
                }
            }
        }
        stage
    }

    fn ts(grid: u64) -> UnixNanos {
        UnixNanos(DAY_NS + grid * GRID_NS)
    }

    /// The raw score that shows as `score`.
    fn raw(score: f32) -> f64 {
        let calibration = &model().calibrations().pooled;
        let (mut low, mut high) = (0.0, 1e6);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if calibration.score(middle).unwrap() < score { low = middle } else { high = middle }
        }
        high
    }

    /// A live vector that scores `score`.
    fn scored(instrument: u32, grid: u64, score: f32) -> FeatureVector {
        let mut values = [0.0; FEATURE_COUNT];
        values[0] = raw(score);
        let book_state = BookState::Live.to_u8();
        // Only one bit, so that no witness has anything to say: the depth's and volatility's are off, and the spread's
        // is not, but its own value is the raw score, small against any spread in these tests.
        FeatureVector {
            ts: ts(grid),
            instrument: InstrumentId(instrument),
            values,
            valid: 1 << 5,
            book_state,
            ..FeatureVector::EMPTY
        }
    }

    fn unscored(instrument: u32, grid: u64) -> FeatureVector {
        FeatureVector { valid: 0, ..scored(instrument, grid, 0.0) }
    }

    fn lost(instrument: u32, grid: u64) -> FeatureVector {
        FeatureVector { book_state: BookState::Stale(StaleCause::Gap).to_u8(), ..unscored(instrument, grid) }
    }

    /// One grid point with these vectors; gives what was published.
    fn grid(stage: &mut TestStage, at: u64, vectors: &[FeatureVector]) -> Vec<LimitUpdate> {
        stage.sink.0.clear();
        stage.on_vectors(vectors, ts(at));
        assert!(stage.sink.0.is_empty(), "nothing is published before the grid point ends");
        stage.on_vectors(&[FeatureVector::end_of_grid(ts(at))], ts(at));
        stage.sink.0.clone()
    }

    /// The order size published for the first class of instrument 0.
    fn qty(updates: &[LimitUpdate]) -> u32 {
        updates.iter().find(|u| u.instrument.0 == 0).expect("published").limits.limits().max_qty.0
    }

    #[test]
    fn nothing_is_published_before_the_first_score_and_every_row_after_it() {
        let mut stage = stage_with(policy());
        assert!(grid(&mut stage, 0, &[unscored(0, 0), lost(1, 0)]).is_empty());
        assert!(grid(&mut stage, 9, &[]).is_empty());
        let updates = grid(&mut stage, 10, &[scored(0, 10, 0.01), scored(2, 10, 0.01)]);
        let rows: Vec<(u32, u8)> = updates.iter().map(|u| (u.instrument.0, u.class.0)).collect();
        assert_eq!(rows, [(0, 0), (0, 1), (2, 0)], "row (2, 1) has no envelope");
        for update in &updates {
            assert_eq!(
                (update.cause, update.tier, update.lease),
                (LimitCause::Boot, Tier::Normal, Nanos::SECOND)
            );
            assert_eq!((update.limits.limits(), update.top3, update.trip), (&BASE, [7, 8, 9], false));
            assert_eq!(update.ts, ts(10));
        }
        assert_eq!(updates.iter().map(|u| u.version).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn leases_are_renewed_at_every_grid_point_for_quiet_instruments_too() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.01), scored(1, 0, 0.01)]);
        for at in 1..50 {
            let updates = grid(&mut stage, at, &[scored(1, at, 0.01)]);
            assert_eq!(updates.len(), 4);
            assert!(
                updates
                    .iter()
                    .all(|u| u.cause == LimitCause::Renew && u.lease == Nanos::SECOND && u.ts == ts(at))
            );
        }
    }

    #[test]
    fn the_whole_grid_point_is_scored_in_one_call_newest_vector_first() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(2, 0, 0.01), scored(0, 0, 0.9), scored(1, 0, 0.01), scored(0, 0, 0.02)]);
        assert_eq!(stage.scorer.scorer().batches, [3]);
        let of_0: Vec<f32> =
            stage.observer.scores.iter().filter(|s| s.instrument.0 == 0).map(|s| s.score).collect();
        assert!(of_0.len() == 1 && (of_0[0] - 0.02).abs() < 1e-4, "{of_0:?}");
    }

    #[test]
    fn a_crash_tightens_at_once_trips_once_and_waits_for_a_person() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
        let elevated =
            [grid(&mut stage, 1, &[scored(0, 1, 0.06)]), grid(&mut stage, 2, &[scored(0, 2, 0.06)])];
        assert_eq!((qty(&elevated[0]), qty(&elevated[1])), (500, 250));
        let high = grid(&mut stage, 3, &[scored(0, 3, 0.35)]);
        assert_eq!((qty(&high), high[0].tier, high[0].cause), (50, Tier::High, LimitCause::Tighten));
        assert_eq!(high[0].score.micros() / 1_000, 350);
        assert!(!grid(&mut stage, 4, &[scored(0, 4, 0.9)])[0].trip);
        let critical = grid(&mut stage, 5, &[scored(0, 5, 0.9)]);
        assert!(critical.iter().all(|u| u.trip && u.tier == Tier::Critical) && critical.len() == 2);
        assert_eq!(qty(&critical), 10, "the floor");
        for at in 6..1_000 {
            let updates = grid(&mut stage, at, &[scored(0, at, 0.0)]);
            assert!(
                updates.iter().all(|u| !u.trip && u.tier == Tier::Critical && u.cause == LimitCause::Renew)
            );
        }
        assert_eq!(stage.reset(InstrumentId(0), ts(1_000)).unwrap().cause, TierCause::Reset);
        assert_eq!(stage.reset(InstrumentId(0), ts(1_000)), None);
        let relaxed = grid(&mut stage, 1_001, &[scored(0, 1_001, 0.0)]);
        assert_eq!((qty(&relaxed), relaxed[0].tier, relaxed[0].cause), (50, Tier::High, LimitCause::Relax));
        assert_eq!(stage.counters().get(Count::Trips as usize), 1);
        let tiers: Vec<Tier> = stage.observer.changes.iter().map(|(_, change)| change.to).collect();
        assert_eq!(tiers, [Tier::Elevated, Tier::High, Tier::Critical, Tier::High]);
    }

    #[test]
    fn two_witnesses_turn_one_score_into_a_trip() {
        let mut stage = stage_with(policy());
        let mut vector = scored(0, 0, 0.9);
        let mut bear_out = |feature: FeatureId, value: f64| vector.set(feature, value);
        bear_out(FeatureId::TopDepth, 1.0);
        bear_out(FeatureId::Rv1S, 500.0);
        let updates = grid(&mut stage, 0, &[vector]);
        assert!(updates[0].trip && updates[0].cause == LimitCause::Boot, "{:?}", updates[0]);
        assert_eq!(stage.observer.scores[0].witnesses.count(), 2);
        assert_eq!(stage.observer.changes[0].1.cause, TierCause::Witnesses);
    }

    #[test]
    fn a_lost_book_revokes_at_once_and_comes_back_elevated() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
        let revoked = grid(&mut stage, 1, &[lost(0, 1)]);
        assert!(revoked.len() == 2 && revoked.iter().all(|u| u.lease == Nanos(0)));
        assert_eq!((revoked[0].limits.limits(), revoked[0].cause), (&BASE, LimitCause::Revoke));
        assert!(grid(&mut stage, 2, &[]).is_empty(), "silence does not bring the picture back");
        assert!(grid(&mut stage, 3, &[]).is_empty());
        assert_eq!(stage.tier(InstrumentId(0)), Tier::Elevated);
        let back = grid(&mut stage, 4, &[scored(0, 4, 0.01)]);
        assert_eq!((qty(&back), back[0].tier, back[0].cause), (250, Tier::Elevated, LimitCause::Boot));
        for at in 5..104 {
            assert_eq!(qty(&grid(&mut stage, at, &[])), 250);
        }
        assert_eq!(qty(&grid(&mut stage, 104, &[])), 500, "ten calm seconds after the first score");
        assert_eq!(stage.counters().get(Count::Revocations as usize), 2);
    }

    #[test]
    fn missing_scores_are_borne_for_two_grid_points() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
        assert_eq!(grid(&mut stage, 1, &[unscored(0, 1)])[0].cause, LimitCause::Renew);
        assert_eq!(grid(&mut stage, 2, &[])[0].cause, LimitCause::Renew);
        let third = grid(&mut stage, 3, &[unscored(0, 3)]);
        assert!(third[0].lease == Nanos(0) && third[0].tier == Tier::Elevated);
        assert_eq!(stage.observer.changes[0].1.cause, TierCause::Stale);
    }

    #[test]
    fn a_book_is_not_scored_before_its_windows_are_full() {
        let mut stage = stage_with(PolicyConfig { warmup_ns: 1_000_000_000, ..policy() });
        for at in 0..10 {
            assert!(grid(&mut stage, at, &[scored(0, at, 0.9)]).is_empty());
        }
        assert_eq!(grid(&mut stage, 10, &[scored(0, 10, 0.01)])[0].cause, LimitCause::Boot);
        // After a gap the windows fill again.
        grid(&mut stage, 11, &[lost(0, 11)]);
        for at in 12..22 {
            assert!(grid(&mut stage, at, &[scored(0, at, 0.9)]).is_empty());
        }
        assert_eq!(grid(&mut stage, 22, &[scored(0, 22, 0.01)])[0].tier, Tier::Elevated);
        assert_eq!(stage.observer.scores.len(), 2);
        assert_eq!(stage.counters().get(Count::Scored as usize), 2);
    }

    #[test]
    fn going_blind_in_a_high_tier_keeps_its_limits() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.5)]);
        for at in 1..1_000 {
            let updates = grid(&mut stage, at, &[lost(0, at)]);
            assert!(updates[0].lease > Nanos(0) && updates[0].tier == Tier::High);
            assert_eq!((qty(&updates), updates[0].cause), (50, LimitCause::Renew));
        }
    }

    #[test]
    fn a_vector_that_lags_its_grid_point_is_never_scored() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 10, &[scored(0, 7, 0.01), scored(1, 6, 0.01)]);
        assert_eq!(stage.observer.scores.len(), 1);
        assert_eq!(stage.observer.scores[0].instrument, InstrumentId(0));
        assert_eq!(stage.counters().get(Count::Late as usize), 1);
    }

    #[test]
    fn instruments_beyond_the_stage_are_counted_and_get_nothing() {
        let mut stage = stage_with(policy());
        assert!(!stage.define(InstrumentId(3), Symbol::new("D").unwrap()));
        assert!(!stage.set_envelope(InstrumentId(3), ClassId(0), &envelope()));
        assert!(!stage.set_envelope(InstrumentId(0), ClassId(2), &envelope()));
        assert!(grid(&mut stage, 0, &[scored(3, 0, 0.9), scored(u32::MAX, 0, 0.9)]).is_empty());
        assert_eq!(stage.counters().get(Count::UnknownInstrument as usize), 2);
        assert_eq!(stage.tier(InstrumentId(3)), Tier::Normal);
    }

    #[test]
    fn an_officers_envelope_shows_at_the_next_grid_point() {
        let mut stage = stage_with(policy());
        grid(&mut stage, 0, &[scored(0, 0, 0.5)]);
        let base = RiskLimits { max_qty: Qty(300), ..BASE };
        let tighter = Envelope::new(*envelope().floor(), base, base).unwrap();
        assert!(stage.set_envelope(InstrumentId(0), ClassId(0), &tighter));
        let updates = grid(&mut stage, 1, &[]);
        assert_eq!((updates[0].cause, qty(&updates)), (LimitCause::Officer, 30));
        assert_eq!(updates[1].cause, LimitCause::Renew);
    }

    #[test]
    fn a_long_calm_widens_and_the_first_sign_of_unrest_ends_it() {
        let widen = WidenConfig { enabled: true, calm_ns: 10_000_000_000, ..WidenConfig::default() };
        let mut stage = stage_with(PolicyConfig { widen, ..policy() });
        grid(&mut stage, 0, &[scored(0, 0, 0.01)]);
        assert_eq!(qty(&grid(&mut stage, 99, &[])), 500);
        let wide = grid(&mut stage, 100, &[]);
        assert_eq!((qty(&wide), wide[0].cause), (525, LimitCause::Widen));
        let calm_no_more = grid(&mut stage, 101, &[scored(0, 101, 0.04)]);
        assert_eq!((qty(&calm_no_more), calm_no_more[0].cause), (500, LimitCause::Tighten));
    }

    #[test]
    fn a_policy_that_cannot_work_makes_no_stage() {
        let policy = PolicyConfig { lease_ns: 1, ..policy() };
        let batch = BatchConfig::WHOLE_GRID;
        let config = ScorerStageConfig { instrument_count_max: 1, class_count: 1, batch, policy };
        let made = ScorerStage::new(config, model(), Staged::new(Told::default(), 1), Sent::default(), ());
        assert!(made.err().unwrap().to_string().contains("lease_ns is 1"));
    }

    /// A scorer one of whose heads says the same of every row.
    struct Priced(Staged<Told>, Head, Option<Increments>);

    impl Scorer for Priced {
        fn name(&self) -> &'static str {
            "priced"
        }

        fn define(&mut self, _: InstrumentId, _: Symbol) {}

        fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
            self.0.score(rows, out);
        }
    }

    impl StagedScorer for Priced {
        fn stage(&mut self, place: usize, row: &FeatureVector) {
            self.0.stage(place, row);
        }

        fn start(&mut self) {
            self.0.start();
        }

        fn is_ready(&mut self) -> bool {
            true
        }

        fn result(&self, place: usize) -> Option<RawScore> {
            self.0.result(place)
        }

        fn head(&self, head: Head, _: usize) -> Option<Increments> {
            self.2.filter(|_| head == self.1)
        }
    }

    /// Keeps the newest sizes by price distance.
    #[derive(Default)]
    struct Surfaces(Vec<SurfaceUpdate>);

    impl LimitSink for Surfaces {
        fn limit(&mut self, _: &LimitUpdate, _: UnixNanos) {}

        fn surface(&mut self, update: &SurfaceUpdate, _: UnixNanos) {
            self.0.push(*update);
        }
    }

    #[test]
    fn orders_are_no_larger_than_what_is_likely_meant_at_their_price() {
        let model = model().clone().with_heads(|heads| heads.surface = Some(random_fat_finger(1))).unwrap();
        let config = ScorerStageConfig {
            instrument_count_max: 1,
            class_count: 1,
            batch: BatchConfig::WHOLE_GRID,
            policy: PolicyConfig { surface: SurfaceConfig { error_probability_max: 0.1 }, ..policy() },
        };
        let unheaded = Staged::new(Told::default(), 1);
        let unheaded = ScorerStage::new(config.clone(), self::model(), unheaded, Surfaces::default(), ());
        assert!(unheaded.err().unwrap().to_string().contains("the model has no surface head"));

        let scorer = Priced(Staged::new(Told::default(), 1), Head::Surface, Some([1.0; 16]));
        let mut stage = ScorerStage::new(config, &model, scorer, Surfaces::default(), ()).unwrap();
        stage.define(InstrumentId(0), Symbol::new("AAA").unwrap());
        let mut at = |grid: u64, touch: f64, mut vector: FeatureVector| {
            vector.set(FeatureId::TopDepth, f64::ln(touch));
            stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(grid))], ts(grid));
            *stage.sink.0.last().unwrap()
        };
        let law = model.heads().surface.as_ref().unwrap().law_of(Symbol::new("AAA").unwrap());
        let want = |touch: f64| sizes_within(0.1, &law, &[1.0; 16], f64::ln(touch).exp());
        let first = at(0, 1_000.0, scored(0, 0, 0.01));
        assert_eq!((*first.sizes.sizes(), first.lease), (want(1_000.0), policy().lease()));
        // A thinner book makes them smaller at once; they stay while the picture is lost, and are told on.
        let thin = at(1, 10.0, scored(0, 1, 0.01));
        assert_eq!(*thin.sizes.sizes(), want(10.0));
        for grid in 2..9 {
            let told = at(grid, 1_000.0, lost(0, grid));
            assert_eq!((told.sizes, told.ts), (thin.sizes, ts(grid)));
            assert_ne!(told.version, thin.version);
        }
    }

    #[test]
    fn orders_are_no_larger_than_what_the_book_bears() {
        let model = model().clone().with_heads(|heads| heads.slippage = Some(random_slippage(1))).unwrap();
        let slippage = SlippageConfig { limit_bps: 4.0 };
        let config = ScorerStageConfig {
            instrument_count_max: 1,
            class_count: 1,
            batch: BatchConfig::WHOLE_GRID,
            policy: PolicyConfig { slippage, ..policy() },
        };
        let unheaded = ScorerStage::new(
            config.clone(),
            self::model(),
            Staged::new(Told::default(), 1),
            Sent::default(),
            (),
        );
        assert!(unheaded.err().unwrap().to_string().contains("the model has no slippage head"));

        let scorer = Priced(Staged::new(Told::default(), 1), Head::Slippage, Some([1.0; 16]));
        let mut stage = ScorerStage::new(config, &model, scorer, Sent::default(), Heard::default()).unwrap();
        // AAA's unit is 0.5 bps for the first size and grows with its root; on top of a walk of a quarter of it, 4 bps are spent
        // between 4 and 8 times the touch.
        let symbol = Symbol::new("AAA").unwrap();
        stage.define(InstrumentId(0), symbol);
        stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
        let walk: [f32; WALK_COUNT] = core::array::from_fn(|i| 0.125 * f32::from(1_u8 << (i % 8)).sqrt());
        let mut at = |grid: u64, says: Option<f32>, touch: f64, vector: FeatureVector| {
            stage.scorer.2 = says.map(|v| [v; 16]);
            let mut vector = vector;
            if touch > 0.0 {
                vector.set(FeatureId::TopDepth, f64::ln(touch));
                vector.walk_bps = walk;
            }
            stage.sink.0.clear();
            stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(grid))], ts(grid));
            let update = *stage.sink.0.last().unwrap();
            (update.limits.limits().max_qty.0, update.cause)
        };
        let scale = model.heads().slippage.as_ref().unwrap().scale(symbol);
        let multiple = largest_size(&scale.costs_bps(&walk, &[1.0; 16])[0], 4.0);
        assert!(multiple > 4.0 && multiple < 8.0, "{multiple}");
        let bound = |touch: f64| (f64::from(multiple) * touch + 1e-6) as u32;
        let calm = |grid| scored(0, grid, 0.01);
        assert_eq!(at(0, Some(1.0), 1_000.0, calm(0)), (500, LimitCause::Boot));
        assert_eq!(at(1, Some(1.0), 30.0, calm(1)), (bound(30.0), LimitCause::Slippage));
        // It comes back a hundredth at a time, and stays without news, and when the picture is lost.
        assert_eq!(
            at(2, Some(1.0), 1_000.0, calm(2)),
            (bound(30.0) + bound(30.0) / 100, LimitCause::Slippage)
        );
        let held = bound(30.0) + bound(30.0) / 100;
        assert_eq!(at(3, None, 1_000.0, calm(3)), (held, LimitCause::Renew));
        for grid in 4..12 {
            assert_eq!(at(grid, Some(1.0), 1_000.0, lost(0, grid)), (held, LimitCause::Renew));
        }
        assert_eq!(at(12, Some(1.0), 1.0, calm(12)).0, 10, "the floor");
        // A live book that prices nothing bears nothing, scored or not, whatever the head says.
        for (first, says) in [(13, None), (63, Some(1.0))] {
            for grid in first..first + 49 {
                at(grid, Some(1.0), 1_000.0, calm(grid));
            }
            let last = first + 49;
            assert!(at(last, Some(1.0), 1_000.0, calm(last)).0 > 40);
            let blind = if says.is_none() { unscored(0, last + 1) } else { calm(last + 1) };
            assert_eq!(at(last + 1, says, 0.0, blind).0, 10);
        }
    }

    fn early(row_count_max: usize, wait_ns: u64) -> BatchConfig {
        BatchConfig { row_count_max, wait_max: Nanos(wait_ns), overlapped: true }
    }

    fn published(updates: &[LimitUpdate]) -> Vec<(u32, u64)> {
        let mut rows: Vec<_> = updates.iter().map(|u| (u.instrument.0, u.ts.0)).collect();
        rows.dedup();
        rows
    }

    #[test]
    fn a_vector_waits_for_no_other_longer_than_the_configuration_says() {
        let mut stage = stage_of(policy(), early(2, 50), Staged::new(Told::default(), 3));
        let now = |ns| UnixNanos(ts(0).0 + ns);
        stage.on_vectors(&[scored(1, 0, 0.01)], now(0));
        assert_eq!(stage.tick(now(49)), 0, "not yet");
        assert_eq!(stage.tick(now(50)), 1);
        assert_eq!(published(&stage.sink.0), [(1, ts(0).0)]);
        stage.on_vectors(&[scored(0, 0, 0.01)], now(60));
        assert_eq!(stage.tick(now(61)), 0, "not yet");
        stage.on_vectors(&[scored(2, 0, 0.01)], now(62));
        assert_eq!(stage.tick(now(62)), 0, "full, and begun at once");
        assert_eq!(published(&stage.sink.0), [(1, ts(0).0), (0, ts(0).0), (2, ts(0).0)]);
        // At the end nothing is left to say of this grid point, and at the next one silence is held.
        stage.sink.0.clear();
        stage.on_vectors(&[FeatureVector::end_of_grid(ts(0))], now(70));
        assert_eq!(published(&stage.sink.0), []);
        stage.on_vectors(&[FeatureVector::end_of_grid(ts(1))], ts(1));
        assert_eq!(published(&stage.sink.0), [0, 1, 2].map(|i| (i, ts(1).0)));
        assert_eq!(stage.scorer.scorer().batches, [1, 2, 0, 0]);
    }

    #[test]
    fn a_burst_is_cut_into_batches_and_an_old_vector_is_late_among_its_like() {
        let mut stage = stage_of(policy(), early(2, u64::MAX), Staged::new(Told::default(), 3));
        let burst = [0, 1, 2].map(|i| scored(i, 0, 0.01));
        stage.on_vectors(&burst, ts(0));
        stage.on_vectors(&[FeatureVector::end_of_grid(ts(0))], ts(0));
        assert_eq!(stage.scorer.scorer().batches, [2, 1]);
        // Four grid points on, two vectors of the first make a batch of their own: no picture of the present.
        stage.on_vectors(&[FeatureVector::end_of_grid(ts(4))], ts(4));
        let count = |stage: &ScorerStage<_, Sent, Heard>, name| {
            stage.counters().iter().find(|(n, _)| *n == name).map(|(_, value)| value)
        };
        assert_eq!(count(&stage, "late"), Some(0));
        stage.on_vectors(&[scored(0, 0, 0.9), scored(1, 0, 0.9)], ts(4));
        assert_eq!(count(&stage, "late"), Some(2));
        assert_eq!(stage.tier(InstrumentId(0)), Tier::Normal);
    }

    #[test]
    fn vectors_are_taken_while_a_batch_is_scored_elsewhere() {
        let scorer = Elsewhere { scorer: Staged::new(Told::default(), 3), delay: 3, asked: 3 };
        let mut stage = stage_of(policy(), early(usize::MAX, u64::MAX), scorer);
        stage.on_vectors(&[scored(0, 0, 0.01), FeatureVector::end_of_grid(ts(0))], ts(0));
        stage.on_vectors(&[scored(1, 1, 0.01), scored(0, 1, 0.9)], ts(1));
        assert_eq!((stage.tick(ts(1)), published(&stage.sink.0)), (0, vec![]));
        assert_eq!((stage.tick(ts(1)), published(&stage.sink.0)), (1, vec![(0, ts(0).0)]));
        assert_eq!(stage.tier(InstrumentId(0)), Tier::Normal, "the newer vector is in the next batch");
        // The next grid point waits for the batch before it, and the end of input for the last.
        stage.on_vectors(&[FeatureVector::end_of_grid(ts(1)), FeatureVector::end_of_grid(ts(2))], ts(2));
        stage.settle(ts(2));
        let last = [(0, ts(1).0), (1, ts(1).0), (0, ts(2).0), (1, ts(2).0)];
        assert_eq!(published(&stage.sink.0)[1..], last);
        assert!(stage.tier(InstrumentId(0)) >= Tier::High);
    }

    /// What a grid point may bring one instrument.
    fn anything() -> impl Strategy<Value = Vec<(u32, u8, f32)>> {
        prop::collection::vec((0_u32..3, 0_u8..4, 0.0_f32..1.0), 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// However vectors are cut into batches, each grid point ends with the same limits.
        #[test]
        fn batches_leave_no_trace(
            grids in prop::collection::vec(prop::collection::vec((0_u8..5, 0.0_f32..1.0), 3), 1..40),
            (rows, wait_ns, delay) in (1_usize..5, 0_u64..4, 1_u32..4),
        ) {
            let scorer = Elsewhere { scorer: Staged::new(Told::default(), 3), delay, asked: delay };
            let mut early = stage_of(policy(), early(rows, wait_ns), scorer);
            let mut whole = stage_with(policy());
            for (at, brought) in grids.iter().enumerate() {
                let at = u64::try_from(at).unwrap();
                early.sink.0.clear();
                let mut vectors: Vec<FeatureVector> = vec![];
                for (i, (kind, score)) in (0..).zip(brought) {
                    vectors.extend(match kind {
                        0 => None,
                        1 => Some(unscored(i, at)),
                        2 => Some(lost(i, at)),
                        _ => Some(scored(i, at, *score)),
                    });
                }
                let mut want = grid(&mut whole, at, &vectors);
                for (i, vector) in (0..).zip(&vectors) {
                    let now = UnixNanos(ts(at).0 + i);
                    early.on_vectors(&[*vector], now);
                    early.tick(now);
                }
                early.on_vectors(&[FeatureVector::end_of_grid(ts(at))], ts(at));
                early.settle(ts(at));
                let mut found = core::mem::take(&mut early.sink.0);
                for updates in [&mut want, &mut found] {
                    updates.sort_by_key(|u| (u.instrument, u.class));
                    updates.iter_mut().for_each(|u| u.version = 0);
                }
                prop_assert_eq!(found, want);
            }
        }

        #[test]
        fn limits_stay_in_the_envelope_and_never_loosen_by_going_blind(grids in prop::collection::vec(anything(), 1..120)) {
            let mut stage = stage_with(policy());
            let mut in_force: [Option<LimitUpdate>; 3] = [None; 3];
            for (at, seen) in grids.into_iter().enumerate() {
                let at = at as u64;
                let vectors: Vec<FeatureVector> = seen.iter().map(|&(instrument, kind, score)| match kind {
                    0 => lost(instrument, at),
                    1 => unscored(instrument, at),
                    _ => scored(instrument, at, score),
                }).collect();
                let updates = grid(&mut stage, at, &vectors);
                for update in updates.into_iter().filter(|u| u.class == ClassId(0)) {
                    let limits = update.limits.limits();
                    prop_assert_eq!(limits.first_looser_than(envelope().cap()), None);
                    prop_assert_eq!(envelope().floor().first_looser_than(limits), None);
                    let before = &mut in_force[update.instrument.index()];
                    let fresh = vectors.iter().any(|v| v.instrument == update.instrument && v.valid != 0);
                    if let (false, Some(before)) = (fresh, &before) {
                        // Less than ten seconds long: nothing relaxes by calm, so nothing may relax at all.
                        prop_assert!(at > 100 || limits.first_looser_than(before.limits.limits()).is_none());
                    }
                    *before = Some(update);
                }
            }
        }
    }

    /// The crash of a synthetic market, scored by the real model, into the gate's own table.
    #[test]
    fn a_synthetic_crash_runs_from_vectors_to_the_gates_table() {
        let (mut writer, reader) = LimitTable::create(1, 1).unwrap();
        let mut trips = Vec::new();
        let sink = |update: &LimitUpdate, now: UnixNanos| {
            if update.trip {
                trips.push(update.ts);
            }
            update.publish(&mut writer, now).unwrap();
        };
        let batch = BatchConfig::WHOLE_GRID;
        let config = ScorerStageConfig { instrument_count_max: 1, class_count: 1, batch, policy: policy() };
        let scorer = Staged::new(ReferenceScorer::new(model(), 1), 1);
        let mut stage = ScorerStage::new(config, model(), scorer, sink, Heard::default()).unwrap();
        stage.define(InstrumentId(0), Symbol::new("AAA").unwrap());
        stage.set_envelope(InstrumentId(0), ClassId(0), &envelope());
        let mut market = Market::new("AAA", 1.0, 4_321);
        let mut tiers = Vec::new();
        for at in 0..700 {
            // Ten calm grid points a second for a minute, then ten seconds into the crash.
            let stress = if at < 600 { 0.0 } else { f64::from(u32::try_from(at - 600).unwrap()) / 50.0 };
            let row = market.row(at, stress);
            let mut vector = FeatureVector {
                ts: ts(at),
                instrument: InstrumentId(0),
                valid: row.valid,
                ..FeatureVector::EMPTY
            };
            (vector.values, vector.book_state) = (row.values, BookState::Live.to_u8());
            stage.on_vectors(&[vector, FeatureVector::end_of_grid(ts(at))], ts(at));
            let record = reader.read(InstrumentId(0), ClassId(0)).unwrap();
            assert!(record.lease.holds(ts(at)));
            tiers.push((record.tier, record.limits.max_qty.0));
        }
        assert!(tiers[..600].iter().all(|t| *t == (Tier::Normal, 500)), "false alarm in the calm minute");
        assert_eq!(*tiers.last().unwrap(), (Tier::Critical, 10));
        let seen_at = |tier| tiers.iter().position(|t| t.0 >= tier).unwrap();
        assert!(
            seen_at(Tier::High) < seen_at(Tier::Critical) + 1 && seen_at(Tier::Critical) < 660,
            "{:?}",
            &tiers[600..]
        );
        let worst = stage.observer.scores.last().unwrap();
        assert!(worst.score > 0.99 && worst.witnesses.count() >= 2);
        drop(stage);
        assert_eq!(trips.len(), 1);
    }

    #[test]
    fn the_polled_scorer_drains_its_ring_and_ends_with_it() {
        let (mut tx, rx) = stage::ring(16);
        let mut polled = PolledScorer::new(rx, 8, stage_with(policy()));
        assert_eq!(polled.poll(ts(0)), Work::IDLE);
        tx.send(&[scored(0, 0, 0.01), FeatureVector::end_of_grid(ts(0))]);
        assert_eq!(polled.poll(ts(0)), Work::of(2));
        assert_eq!(polled.stage_mut().sink_mut().0.len(), 2);
        drop(tx);
        assert_eq!(polled.poll(ts(1)), Work::DONE);
    }
}
