//! The scorer as a replay runs it: the same stage as live, its publications on their way to the desk with the time from
//! which they hold.

use crate::book_stage::BookNote;
use crate::desk::{LimitNote, SurfaceNote};
use crate::tables::{Filter, LimitsRow, ScoreRow, Sheet, SurfaceRow};
use control::config::LimitPlan;
use gate::{ClassId, LimitCause, SizeSurface};
use gpu::{LimitSink, LimitUpdate, ScoreObserver, ScoreRecord, ScorerStage, StagedScorer, SurfaceUpdate};
use stage::ring::LosslessTx;
use stage::{HopHistogram, RingRx, Stage, Work};
use std::collections::BTreeMap;
use std::time::Instant;
use types::{FeatureVector, InstrumentId, Nanos, Symbol, UnixNanos};

const CHUNK: usize = 256;

/// What the scorer tells the desk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScoreNote {
    /// New limits.
    Limits(LimitNote),
    /// New sizes by price distance.
    Surface(SurfaceNote),
    /// The model's view of one instrument, for timelines.
    Score(ScoreRecord),
    /// Everything up to this grid point has been said.
    Grid(UnixNanos),
}

/// Publications on their way out, and limits.csv and surface.csv beside them.
pub(crate) struct Outbox {
    notes: Vec<ScoreNote>,
    latency: Nanos,
    pub(crate) limits: Option<Sheet>,
    pub(crate) surface: Option<Sheet>,
    /// The last sizes written, by instrument.
    sizes: BTreeMap<InstrumentId, SizeSurface>,
    filter: Filter,
    symbols: BTreeMap<InstrumentId, Symbol>,
}

impl Outbox {
    /// Publications take effect `latency` after their grid point.
    pub(crate) fn new(latency: Nanos, limits: Option<Sheet>, surface: Option<Sheet>, filter: Filter) -> Self {
        let (sizes, symbols) = (BTreeMap::new(), BTreeMap::new());
        Self { notes: Vec::new(), latency, limits, surface, sizes, filter, symbols }
    }

    fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.symbols.get(&instrument).copied().filter(|&s| self.filter.keeps(s))
    }
}

impl LimitSink for Outbox {
    fn surface(&mut self, update: &SurfaceUpdate, _now: UnixNanos) {
        let effective = update.ts.plus(self.latency);
        let SurfaceUpdate { instrument, sizes, lease, version, .. } = *update;
        self.notes.push(ScoreNote::Surface(SurfaceNote { effective, instrument, sizes, lease, version }));
        let symbol = self.symbol(instrument);
        if let (Some(sheet), Some(symbol)) = (&mut self.surface, symbol)
            && self.sizes.insert(instrument, sizes) != Some(sizes)
        {
            sheet.surface(&SurfaceRow { ts: effective, symbol, sizes });
        }
    }

    fn limit(&mut self, update: &LimitUpdate, _now: UnixNanos) {
        let effective = update.ts.plus(self.latency);
        let LimitUpdate { instrument, limits, trip, .. } = *update;
        self.notes.push(ScoreNote::Limits(LimitNote {
            effective,
            instrument,
            limits,
            terms: update.terms(),
            trip,
        }));
        let symbol = self.symbol(instrument);
        if let (Some(sheet), Some(symbol)) =
            (&mut self.limits, symbol.filter(|_| update.cause != LimitCause::Renew))
        {
            sheet.limits(&LimitsRow {
                ts: effective,
                symbol,
                tier: update.tier,
                limits: *limits.limits(),
                lease_ns: update.lease.0,
                cause: update.cause_str(),
            });
        }
    }
}

/// scores.csv, and the newest scores for timelines.
pub(crate) struct ScoreBook {
    pub(crate) sheet: Option<Sheet>,
    filter: Filter,
    symbols: BTreeMap<InstrumentId, Symbol>,
    fresh: Vec<ScoreRecord>,
}

impl ScoreBook {
    pub(crate) fn new(sheet: Option<Sheet>, filter: Filter) -> Self {
        Self { sheet, filter, symbols: BTreeMap::new(), fresh: Vec::new() }
    }
}

impl ScoreObserver for ScoreBook {
    fn scored(&mut self, record: &ScoreRecord) {
        self.fresh.push(*record);
        let symbol = self.symbols.get(&record.instrument).copied().filter(|&s| self.filter.keeps(s));
        if let (Some(sheet), Some(symbol)) = (&mut self.sheet, symbol) {
            let ScoreRecord { ts, raw, score, tier, top3, .. } = *record;
            sheet.score(&ScoreRow { ts, symbol, raw, score, tier, top3 });
        }
    }
}

/// The scorer between two rings.
pub(crate) struct ScoreStage<S> {
    scorer: ScorerStage<S, Outbox, ScoreBook>,
    envelopes: LimitPlan,
    vectors: RingRx<FeatureVector>,
    defines: RingRx<BookNote>,
    tx: Option<LosslessTx<ScoreNote>>,
    outgoing: Vec<ScoreNote>,
    latency: Option<HopHistogram>,
}

impl<S: StagedScorer> ScoreStage<S> {
    pub(crate) fn new(
        scorer: ScorerStage<S, Outbox, ScoreBook>,
        envelopes: LimitPlan,
        vectors: RingRx<FeatureVector>,
        defines: RingRx<BookNote>,
        tx: Option<LosslessTx<ScoreNote>>,
    ) -> Self {
        Self { scorer, envelopes, vectors, defines, tx, outgoing: Vec::new(), latency: None }
    }

    /// Records the time from the end of a grid point to its last publication.
    pub(crate) fn measure(&mut self, latency: HopHistogram) {
        self.latency = Some(latency);
    }

    /// Closes the files.
    pub(crate) fn finish_files(&mut self) -> anyhow::Result<()> {
        if let Some(latency) = &mut self.latency {
            latency.swap(UnixNanos(0));
        }
        let limits = self.scorer.sink_mut().limits.take();
        let surface = self.scorer.sink_mut().surface.take();
        let scores = self.scorer.observer_mut().sheet.take();
        limits.into_iter().chain(surface).chain(scores).try_for_each(Sheet::finish)
    }

    fn take_definitions(&mut self) {
        let mut notes = [BookNote::Grid(UnixNanos(0)); 64];
        loop {
            let n = self.defines.recv(&mut notes);
            for note in &notes[..n] {
                if let BookNote::Define { instrument, symbol, .. } = *note {
                    self.define(instrument, symbol);
                }
            }
            if n == 0 {
                break;
            }
        }
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.scorer.define(instrument, symbol);
        self.scorer.set_envelope(instrument, ClassId(0), self.envelopes.envelope(symbol.into()));
        self.scorer.sink_mut().symbols.insert(instrument, symbol);
        self.scorer.observer_mut().symbols.insert(instrument, symbol);
    }

    /// Scores up to the end of one grid point and collects what came of it.
    fn score(&mut self, vectors: &[FeatureVector]) {
        for group in vectors.chunk_by(|a, _| a.grid_end == 0) {
            let Some(last) = group.last() else { continue };
            let start = Instant::now();
            self.scorer.on_vectors(group, last.ts);
            if last.grid_end == 0 {
                continue;
            }
            if let Some(latency) = &mut self.latency {
                latency.record(Nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)));
            }
            self.collect(last.ts);
        }
    }

    fn collect(&mut self, grid: UnixNanos) {
        let scores = std::mem::take(&mut self.scorer.observer_mut().fresh);
        let limits = std::mem::take(&mut self.scorer.sink_mut().notes);
        if self.tx.is_some() {
            self.outgoing.extend(scores.into_iter().map(ScoreNote::Score));
            self.outgoing.extend(limits);
            self.outgoing.push(ScoreNote::Grid(grid));
        }
    }

    fn hand_on(&mut self) -> bool {
        if let Some(tx) = &mut self.tx {
            let sent = tx.offer(&self.outgoing);
            self.outgoing.drain(..sent);
        }
        self.outgoing.is_empty()
    }
}

impl<S: StagedScorer> Stage for ScoreStage<S> {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        if !self.hand_on() {
            return Work::of(1);
        }
        let mut vectors = [FeatureVector::EMPTY; CHUNK];
        let ended = self.vectors.is_abandoned();
        let n = self.vectors.recv(&mut vectors);
        if n == 0 && ended {
            self.tx = None;
            return Work::DONE;
        }
        // A definition is sent before the first vector that needs it, so it is here when the vector is.
        self.take_definitions();
        self.score(&vectors[..n]);
        self.hand_on();
        Work::of(u32::try_from(n).unwrap_or(u32::MAX))
    }
}
