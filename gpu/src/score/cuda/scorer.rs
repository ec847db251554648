//! The scorer: who scores a batch, and what becomes of one that the card fails.

use std::path::{Path, PathBuf};

use gpu_cuda::abi::Mode;
use gpu_cuda::layout::{Job, NOT_KEPT, Row};
use gpu_cuda::{Card, Change, Fault, Feeder, Health, HealthConfig, LoadedCard, Route, StagedRow, State};
use stage::clock::Clock;
use types::{FeatureVector, InstrumentId, Symbol};

use super::model::{CardModel, CudaError};
use super::reopener::Reopener;
use crate::heads::{Head, PerHead};
use crate::inputs::{Bindings, PerSymbol};
use crate::model::{Model, RawScore};
use crate::network::Increments;
use crate::score::fused::{FusedScorer, RowParts};
use crate::score::scorer::{Scorer, StagedScorer};

/// Scores of the card and the CPU may differ by so much of themselves; they do not, where both count as IEEE says.
const AGREEMENT: f32 = 1e-5;

/// A batch that the card has.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    job: Job,
    start_ns: u64,
    /// How often it was asked for.
    asked: u64,
    /// The CPU's scores are published, the card's compared with them.
    shadow: bool,
}

/// Where the results of the last batch are.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Card(Job),
    /// In the CPU scorer, which took the rows as they arrived.
    Cpu,
    /// In `rescued`: the card failed, and the CPU scored what lies in pinned memory.
    Rescued,
}

/// Scores on a card while it is trusted, on the CPU else. After construction it allocates nothing on the way of a batch.
pub struct CudaScorer<C, K> {
    feeder: Option<Feeder<C>>,
    health: Health,
    cpu: FusedScorer,
    profiles: Bindings<u16>,
    clock: K,
    reopener: Reopener<C>,
    row_count_max: usize,
    /// Who scores the batch that is being collected, and its rows so far.
    route: Route,
    row_count: usize,
    under_way: Option<UnderWay>,
    answer: Answer,
    rescued: Vec<Option<RawScore>>,
    /// As long as `rescued`, of each head that the model has.
    rescued_heads: PerHead<Vec<Increments>>,
    /// Where each head stands on the card.
    heads: PerHead<Option<usize>>,
    on_change: Box<dyn FnMut(&Change) + Send>,
    failures: u64,
}

/// Opens the scorer of `model` on the card behind the library at `path`, for instruments numbered below
/// `instrument_count_max`. `on_change` hears each change of the card's standing, on the scoring thread: it must not block.
///
/// # Errors
/// No library, no driver, no card: one line. The caller opens a CPU scorer then.
pub fn open_cuda_scorer<K: Clock>(
    path: &Path,
    mode: Mode,
    model: &Model,
    instrument_count_max: usize,
    clock: K,
    on_change: Box<dyn FnMut(&Change) + Send>,
) -> Result<CudaScorer<LoadedCard, K>, CudaError> {
    let card_model = CardModel::new(model)?;
    let card = card_model.open(path, mode, instrument_count_max)?;
    let path = PathBuf::from(path);
    let open = move || card_model.open(&path, mode, instrument_count_max).ok();
    CudaScorer::new(card, open, model, instrument_count_max, HealthConfig::default(), clock, on_change)
}

impl<C: Card + Send + 'static, K: Clock> CudaScorer<C, K> {
    /// A scorer on `card`, which has taken `model`; `open` opens it anew after it was lost.
    ///
    /// # Errors
    /// A model that the CPU cannot take, or no thread.
    pub fn new(
        card: C,
        open: impl FnMut() -> Option<C> + Send + 'static,
        model: &Model,
        instrument_count_max: usize,
        config: HealthConfig,
        clock: K,
        on_change: Box<dyn FnMut(&Change) + Send>,
    ) -> Result<Self, CudaError> {
        let row_count_max = instrument_count_max.min(card.row_capacity());
        let mut places = 0..;
        let heads = Head::ALL.map(|head| model.heads().layers(head).and_then(|_| places.next()));
        let symbols = &model.profiles().symbols;
        let symbols = symbols.iter().zip(1_u16..).map(|((symbol, _), i)| (*symbol, i)).collect();
        let profiles = PerSymbol { pooled: 0, symbols };
        Ok(Self {
            feeder: Some(Feeder::new(card)),
            health: Health::new(config),
            cpu: FusedScorer::new(model, instrument_count_max)?,
            profiles: Bindings::new(&profiles, instrument_count_max),
            clock,
            reopener: Reopener::start(open)?,
            row_count_max,
            route: Route::Cpu,
            row_count: 0,
            under_way: None,
            answer: Answer::Cpu,
            rescued: Vec::with_capacity(row_count_max),
            rescued_heads: heads.map(|head| Vec::with_capacity(head.map_or(0, |_| row_count_max))),
            heads,
            on_change,
            failures: 0,
        })
    }

    /// How far the card is trusted.
    #[must_use]
    pub fn state(&self) -> State {
        self.health.state()
    }

    fn tell(&mut self, change: Option<Change>) {
        if let Some(change) = change {
            (self.on_change)(&change);
        }
    }

    fn failed(&mut self, fault: Fault) {
        self.failures += 1;
        let change = self.health.failed(fault, self.clock.now().0);
        self.tell(change);
    }

    /// Sends a lost card to be opened anew and takes the new one in. Never waits. Called when no rows lie in its memory.
    fn reopen(&mut self) {
        let now_ns = self.clock.now().0;
        if self.reopener.under_way {
            let Ok(card) = self.reopener.opened.try_recv() else { return };
            self.reopener.under_way = false;
            let change = self.health.reopened(card.is_some(), now_ns);
            self.feeder = card.map(Feeder::new);
            self.tell(change);
        } else if self.health.wants_reopening(now_ns) {
            // The old card goes along: it is closed before another is opened, and not here.
            self.reopener.under_way = self.reopener.failed.try_send(self.feeder.take()).is_ok();
        }
    }

    /// Writes a row to pinned memory.
    fn stage_on_card(&mut self, place: usize, row: &RowParts<'_>) -> Result<(), Fault> {
        let Some(feeder) = &mut self.feeder else { return Err(Fault::DeviceLost) };
        let profile = self.profiles.of(row.instrument);
        let staged = StagedRow {
            instrument: profile.map(|_| row.instrument.0),
            profile: profile.copied().unwrap_or(0),
            valid: if profile.is_some() { row.valid } else { 0 },
            values: row.values,
        };
        let done =
            if place < self.row_count { feeder.restage(place, &staged) } else { feeder.stage(&staged) };
        // A batch from before the rest that is still not done never will be.
        done.map_err(|_| Fault::Kernel)
    }

    /// The card will not score the batch that is being collected: what lies in its memory goes to the CPU.
    fn take_back_staged(&mut self) {
        if let Some(feeder) = &mut self.feeder {
            if self.route == Route::Card {
                let buffer = feeder.buffer();
                let count = feeder.row_count().min(self.row_count);
                for (place, row) in feeder.rows(buffer, count).iter().enumerate() {
                    self.cpu.stage_parts(place, parts(row));
                }
            }
            feeder.forget();
        }
        self.route = Route::Cpu;
    }

    /// Scores on the CPU what a failed batch left in pinned memory.
    fn rescue(&mut self, buffer: usize, count: usize) {
        self.rescued.clear();
        self.rescued.resize(count, None);
        for (says, head) in self.rescued_heads.iter_mut().zip(self.heads) {
            says.clear();
            says.resize(if head.is_some() { count } else { 0 }, Increments::default());
        }
        if let Some(feeder) = &mut self.feeder {
            let rows = feeder.rows(buffer, count).iter().map(parts);
            let heads = self.rescued_heads.each_mut().map(Vec::as_mut_slice);
            self.cpu.score_parts(rows, &mut self.rescued, heads);
        }
        self.answer = Answer::Rescued;
    }

    /// Hands the collected rows to the card.
    fn submit(&mut self, shadow: bool) {
        let start_ns = self.clock.now().0;
        let Some(feeder) = &mut self.feeder else { return self.failed(Fault::DeviceLost) };
        let buffer = feeder.buffer();
        match feeder.submit(0) {
            Ok(job) => {
                self.under_way = Some(UnderWay { job, start_ns, asked: 0, shadow });
                if !shadow {
                    self.answer = Answer::Card(job);
                }
            }
            Err(fault) => {
                self.failed(fault);
                if !shadow {
                    self.rescue(buffer, self.row_count);
                }
            }
        }
    }

    /// Whether the card says what the CPU does of a batch that both scored.
    fn agrees(&self, job: &Job) -> bool {
        let Some(feeder) = &self.feeder else { return false };
        let near = |found: f32, want: f32| (found - want).abs() <= AGREEMENT * want.abs().max(1.0);
        let scores = |place| match (self.cpu.result(place), read(feeder, job, place)) {
            (Some(want), Some(found)) => near(found.raw, want.raw),
            (want, found) => want.is_none() && found.is_none(),
        };
        let says = |head, place| match (self.cpu.head(head, place), self.on_card(feeder, job, head, place)) {
            (Some(want), Some(found)) => found.iter().zip(want).all(|(found, want)| near(*found, want)),
            (want, found) => want.is_none() && found.is_none(),
        };
        let heads = |place| Head::ALL.into_iter().all(|head| says(head, place));
        (0..job.row_count as usize).all(|place| scores(place) && heads(place))
    }

    /// What a head on the card says.
    fn on_card(&self, feeder: &Feeder<C>, job: &Job, head: Head, place: usize) -> Option<Increments> {
        feeder.head(job, place, self.heads[head as usize]?)
    }

    /// A batch is done or given up.
    fn conclude(&mut self, under_way: &UnderWay, answer: Result<(), Fault>, now_ns: u64) {
        self.under_way = None;
        let answer = match answer {
            Ok(()) if under_way.shadow && !self.agrees(&under_way.job) => Err(Fault::Mismatch),
            answer => answer,
        };
        match answer {
            Ok(()) => {
                let took_ns = now_ns.saturating_sub(under_way.start_ns);
                let change = self.health.answered(took_ns, now_ns);
                self.failures += u64::from(change.is_some_and(|change| change.fault.is_some()));
                self.tell(change);
            }
            Err(fault) => {
                self.failed(fault);
                if !under_way.shadow {
                    let job = &under_way.job;
                    self.rescue(job.buffer as usize, job.row_count as usize);
                }
            }
        }
    }
}

/// A staged row as the CPU takes it.
fn parts(row: &Row) -> RowParts<'_> {
    let instrument = InstrumentId(row.instrument & !NOT_KEPT);
    RowParts { instrument, valid: row.valid, values: &row.values }
}

fn read<C: Card>(feeder: &Feeder<C>, job: &Job, place: usize) -> Option<RawScore> {
    let scored = feeder.row(job, place)?;
    Some(RawScore { raw: scored.raw, top3: scored.why.feature, contributions: scored.why.share })
}

impl<C: Card + Send + 'static, K: Clock> Scorer for CudaScorer<C, K> {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.cpu.define(instrument, symbol);
        self.profiles.define(instrument, symbol);
    }

    /// Batch after batch of as many rows as can be staged; each is waited for. No rows may be staged meanwhile.
    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        assert_eq!(rows.len(), out.len(), "one result per row");
        let step = self.row_count_max.max(1);
        for (rows, out) in rows.chunks(step).zip(out.chunks_mut(step)) {
            for (place, row) in rows.iter().enumerate() {
                self.stage(place, row);
            }
            self.start();
            while !self.is_ready() {
                core::hint::spin_loop();
            }
            for (place, out) in out.iter_mut().enumerate() {
                *out = self.result(place);
            }
        }
    }

    /// Batches that the card failed; the CPU scored them.
    fn failures(&self) -> u64 {
        self.failures
    }
}

impl<C: Card + Send + 'static, K: Clock> StagedScorer for CudaScorer<C, K> {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        if place > self.row_count || place >= self.row_count_max {
            return;
        }
        if self.row_count == 0 {
            let (route, change) = self.health.route(self.clock.now().0);
            self.route = route;
            self.tell(change);
        }
        let row = RowParts::from(row);
        if self.route != Route::Cpu
            && let Err(fault) = self.stage_on_card(place, &row)
        {
            self.take_back_staged();
            self.failed(fault);
        }
        if self.route != Route::Card {
            self.cpu.stage_parts(place, row);
        }
        self.row_count = self.row_count.max(place + 1);
    }

    fn start(&mut self) {
        self.answer = Answer::Cpu;
        // The card may have failed another batch since the first row of this one.
        let trusted = matches!(self.health.state(), State::Trusted | State::Probation);
        if self.row_count > 0 && self.route != Route::Cpu && !trusted {
            self.take_back_staged();
        }
        // The card begins before the CPU does.
        if self.row_count > 0 && self.route != Route::Cpu {
            self.submit(self.route == Route::Shadow);
        }
        self.cpu.start();
        (self.row_count, self.route) = (0, Route::Cpu);
        if self.under_way.is_none() {
            self.reopen();
        }
    }

    fn is_ready(&mut self) -> bool {
        let Some(mut under_way) = self.under_way else { return true };
        let now_ns = self.clock.now().0;
        let deadline_ns = self.health.config().deadline_ns;
        // A clock that is set back must not keep a batch for ever: asking takes longer than a nanosecond.
        under_way.asked += 1;
        let expired =
            under_way.asked > deadline_ns || now_ns.saturating_sub(under_way.start_ns) > deadline_ns;
        let checked = match &mut self.feeder {
            Some(feeder) => feeder.check(&under_way.job, expired),
            None => Err(Fault::DeviceLost),
        };
        match checked {
            Ok(false) => {
                self.under_way = Some(under_way);
                false
            }
            Ok(true) => {
                self.conclude(&under_way, Ok(()), now_ns);
                true
            }
            Err(fault) => {
                self.conclude(&under_way, Err(fault), now_ns);
                true
            }
        }
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        match &self.answer {
            Answer::Card(job) => {
                let inside = place < job.row_count as usize;
                self.feeder.as_ref().filter(|_| inside).and_then(|feeder| read(feeder, job, place))
            }
            Answer::Cpu => self.cpu.result(place),
            Answer::Rescued => self.rescued.get(place).copied().flatten(),
        }
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        match &self.answer {
            Answer::Card(job) => {
                let inside = place < job.row_count as usize;
                self.on_card(self.feeder.as_ref().filter(|_| inside)?, job, head, place)
            }
            Answer::Cpu => self.cpu.head(head, place),
            Answer::Rescued => {
                self.result(place).and_then(|_| self.rescued_heads[head as usize].get(place).copied())
            }
        }
    }
}
