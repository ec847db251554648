//! What the scorer's stage hands out: limits and sizes to the gate, trips and tiers to the cold thread, rows to files. One
//! pair of types for every clock; what differs is where the ends lead.

use super::gate_tables::ModelTables;
use super::notes::{Drivers, FatFingerNote, LimitNote, ModelNote, ScorerNote};
use super::outlet::Outlet;
use crate::tables::{FatFingerRow, Filter, LimitsRow, ScoreRow, Sheet};
use gate::{FatFingerLimits, LimitCause};
use gpu::{FatFingerUpdate, LimitSink, LimitUpdate, ScoreObserver, ScoreRecord, TierCause, TierChange};
use std::collections::BTreeMap;
use types::{InstrumentId, Nanos, Symbol, UnixNanos};

/// Where limits go.
#[expect(clippy::large_enum_variant, reason = "a line has one, made at boot")]
pub(crate) enum Limits {
    /// Into the gate's tables; trips also to the cold thread, which latches them.
    Direct { tables: ModelTables, trips: Outlet<ScorerNote> },
    /// To the desk, which puts them in force in order of time.
    Scheduled(Outlet<ModelNote>),
    /// No gate listens.
    Nowhere,
}

/// When a publication takes effect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effective {
    /// When it is published: live.
    Now,
    /// So long after its grid point, and not before the grid point was known to be over: in a replay.
    After(Nanos),
}

impl Effective {
    fn of(self, grid: UnixNanos, now: UnixNanos) -> UnixNanos {
        match self {
            Self::Now => now,
            Self::After(latency) => grid.plus(latency).max(now),
        }
    }
}

/// limits.csv and fat_finger.csv. The rows of a grid point are in the order of the instruments, also where a batch brought some of
/// them before the others.
pub(crate) struct LimitFiles {
    limits: Option<Sheet>,
    fat_finger: Option<Sheet>,
    /// The last sizes written, by instrument.
    sizes: BTreeMap<InstrumentId, FatFingerLimits>,
    filter: Filter,
    symbols: BTreeMap<InstrumentId, Symbol>,
    limit_rows: Vec<(InstrumentId, LimitsRow)>,
    fat_finger_rows: Vec<(InstrumentId, FatFingerRow)>,
}

impl LimitFiles {
    pub(crate) fn new(limits: Option<Sheet>, fat_finger: Option<Sheet>, filter: Filter) -> Self {
        Self {
            limits,
            fat_finger,
            sizes: BTreeMap::new(),
            filter,
            symbols: BTreeMap::new(),
            limit_rows: Vec::new(),
            fat_finger_rows: Vec::new(),
        }
    }

    fn fat_finger(&mut self, ts: UnixNanos, update: &FatFingerUpdate) {
        let FatFingerUpdate { instrument, sizes, .. } = *update;
        if let (Some(_), Some(&symbol)) = (&self.fat_finger, self.symbols.get(&instrument))
            && self.sizes.insert(instrument, sizes) != Some(sizes)
        {
            self.fat_finger_rows.push((instrument, FatFingerRow { ts, symbol, sizes }));
        }
    }

    fn limit(&mut self, ts: UnixNanos, update: &LimitUpdate) {
        let symbol = self.symbols.get(&update.instrument).filter(|_| update.cause != LimitCause::Renew);
        if let (Some(_), Some(&symbol)) = (&self.limits, symbol) {
            let row = LimitsRow {
                ts,
                symbol,
                tier: update.tier,
                limits: *update.limits.limits(),
                lease_ns: update.lease.0,
                cause: update.cause_str(),
            };
            self.limit_rows.push((update.instrument, row));
        }
    }

    fn end_of_grid(&mut self) {
        if let Some(sheet) = &mut self.limits {
            self.limit_rows.sort_by_key(|(instrument, _)| *instrument);
            self.limit_rows.drain(..).for_each(|(_, row)| sheet.limits(&row));
        }
        if let Some(sheet) = &mut self.fat_finger {
            self.fat_finger_rows.sort_by_key(|(instrument, _)| *instrument);
            self.fat_finger_rows.drain(..).for_each(|(_, row)| sheet.fat_finger(&row));
        }
    }
}

/// The scorer's sink of limits.
pub(crate) struct LimitOutlet {
    pub(crate) limits: Limits,
    pub(crate) effective: Effective,
    pub(crate) files: Option<LimitFiles>,
}

impl LimitOutlet {
    /// Sends what waits; true when nothing waits any more.
    pub(crate) fn flush(&mut self) -> bool {
        match &mut self.limits {
            Limits::Direct { trips, .. } => trips.flush(),
            Limits::Scheduled(notes) => notes.flush(),
            Limits::Nowhere => true,
        }
    }

    /// Tells the desk that nothing more comes.
    pub(crate) fn close(&mut self) {
        match &mut self.limits {
            Limits::Direct { trips, .. } => trips.close(),
            Limits::Scheduled(notes) => notes.close(),
            Limits::Nowhere => {}
        }
    }

    pub(crate) fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        if let Some(files) = self.files.as_mut().filter(|files| files.filter.keeps(symbol)) {
            files.symbols.insert(instrument, symbol);
        }
    }

    /// Closes the files.
    ///
    /// # Errors
    /// The first that any of them met.
    pub(crate) fn finish_files(&mut self) -> anyhow::Result<()> {
        let Some(mut files) = self.files.take() else { return Ok(()) };
        files.end_of_grid();
        files.limits.into_iter().chain(files.fat_finger).try_for_each(Sheet::finish)
    }
}

impl LimitSink for LimitOutlet {
    fn fat_finger(&mut self, update: &FatFingerUpdate, now: UnixNanos) {
        let effective = self.effective.of(update.ts, now);
        let FatFingerUpdate { instrument, sizes, lease, version, .. } = *update;
        let note = FatFingerNote { effective, instrument, sizes, lease, version };
        match &mut self.limits {
            Limits::Direct { tables, .. } => tables.fat_finger(&note),
            Limits::Scheduled(notes) => notes.push(ModelNote::FatFinger(note)),
            Limits::Nowhere => {}
        }
        if let Some(files) = &mut self.files {
            files.fat_finger(effective, update);
        }
    }

    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos) {
        let effective = self.effective.of(update.ts, now);
        let LimitUpdate { instrument, limits, trip, .. } = *update;
        let note = LimitNote { effective, instrument, limits, terms: update.terms(), trip };
        match &mut self.limits {
            Limits::Direct { tables, trips } => {
                // In force with this; latched by the cold thread, which is told now.
                if let Some(number) = tables.limits(&note) {
                    let score = f64::from(update.score.micros()) / 1e6;
                    trips.push(ScorerNote::Trip { instrument, number, score });
                }
            }
            Limits::Scheduled(notes) => notes.push(ModelNote::Limits(note)),
            Limits::Nowhere => {}
        }
        if let Some(files) = &mut self.files {
            files.limit(effective, update);
        }
    }

    fn end_of_grid(&mut self, ts: UnixNanos, _now: UnixNanos) {
        if let Limits::Scheduled(notes) = &mut self.limits {
            notes.push(ModelNote::Grid(ts));
        }
        if let Some(files) = &mut self.files {
            files.end_of_grid();
        }
    }
}

/// scores.csv, in the same order.
pub(crate) struct ScoreFile {
    sheet: Sheet,
    filter: Filter,
    symbols: BTreeMap<InstrumentId, Symbol>,
    rows: Vec<(InstrumentId, ScoreRow)>,
    grid: UnixNanos,
}

impl ScoreFile {
    pub(crate) const fn new(sheet: Sheet, filter: Filter) -> Self {
        Self { sheet, filter, symbols: BTreeMap::new(), rows: Vec::new(), grid: UnixNanos(0) }
    }

    fn score(&mut self, record: &ScoreRecord) {
        if record.ts != self.grid {
            self.write();
            self.grid = record.ts;
        }
        if let Some(&symbol) = self.symbols.get(&record.instrument) {
            let ScoreRecord { ts, raw, score, tier, top3, channel, .. } = *record;
            self.rows.push((record.instrument, ScoreRow { ts, symbol, raw, score, tier, top3, channel }));
        }
    }

    fn write(&mut self) {
        self.rows.sort_by_key(|(instrument, _)| *instrument);
        self.rows.drain(..).for_each(|(_, row)| self.sheet.score(&row));
    }
}

/// Hears what the scorer decides.
pub(crate) struct ScoreOutlet {
    pub(crate) file: Option<ScoreFile>,
    /// Changes of tier, for the cold thread or a judge.
    pub(crate) tiers: Outlet<ScorerNote>,
    /// Every score, for who follows the line.
    pub(crate) scores: Outlet<ScoreRecord>,
}

impl ScoreOutlet {
    /// Sends what waits; true when nothing waits any more.
    pub(crate) fn flush(&mut self) -> bool {
        let told = self.scores.flush();
        self.tiers.flush() && told
    }

    /// Lets go of every ring.
    pub(crate) fn close(&mut self) {
        self.scores.close();
        self.tiers.close();
    }

    pub(crate) fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        if let Some(file) = self.file.as_mut().filter(|file| file.filter.keeps(symbol)) {
            file.symbols.insert(instrument, symbol);
        }
    }

    /// Closes the file.
    ///
    /// # Errors
    /// The first that it met.
    pub(crate) fn finish_file(&mut self) -> anyhow::Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.write();
        file.sheet.finish()
    }
}

impl ScoreObserver for ScoreOutlet {
    fn scored(&mut self, record: &ScoreRecord) {
        if self.scores.is_open() {
            self.scores.push(*record);
        }
        if let Some(file) = &mut self.file {
            file.score(record);
        }
    }

    fn tier_changed(&mut self, instrument: InstrumentId, change: &TierChange, record: Option<&ScoreRecord>) {
        let drivers = record
            .filter(|_| change.cause != TierCause::Stale)
            .map(|r| Drivers { features: r.top3, values: r.values });
        let (tier, at, cause) = (change.to, change.ts, change.cause);
        self.tiers.push(ScorerNote::Tier { instrument, tier, at, cause, drivers });
    }
}
