//! The scorer on a card, with the CPU behind it: whatever the card does, every batch is scored, and in time.
//!
//! The card's scores have the bits of [`FusedScorer`]'s, which takes over in the same call when the card fails; so a change from
//! one to the other moves no score and relaxes no tier. When and whether the card is asked is [`Health`]'s to say.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use gpu_cuda::abi::Mode;
use gpu_cuda::layout::{CardProfile, Job, LayerParts, NetworkParts, PackError, pack};
use gpu_cuda::{
    Card, Change, Fault, Feeder, Health, HealthConfig, LoadError, LoadedCard, Route, StagedRow, State,
};
use stage::clock::Clock;
use types::{FeatureVector, InstrumentId, Symbol};

use crate::binding::Bindings;
use crate::fused::{FusedError, FusedScorer};
use crate::model::Model;
use crate::network::LayerId;
use crate::normalise::Profile;
use crate::scorer::{RawScore, Scorer, is_scorable};

/// Scores of the card and the CPU may differ by so much of themselves; they do not, where both count as IEEE says.
const AGREEMENT: f32 = 1e-5;

/// Why the CUDA scorer did not open. One line each; the caller goes on with the CPU.
#[derive(Debug, thiserror::Error)]
pub enum CudaError {
    /// No library, no driver, no card.
    #[error("no CUDA scorer: {0}")]
    Load(#[from] LoadError),
    /// The model is not the kernels'.
    #[error("no CUDA scorer: {0}")]
    Pack(#[from] PackError),
    /// The CPU behind it did not open either.
    #[error(transparent)]
    Fused(#[from] FusedError),
    /// The thread that opens a lost card anew did not start.
    #[error("no CUDA scorer: thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A model as a card takes it.
#[derive(Clone, Debug)]
pub struct CardModel {
    weights: Vec<f32>,
    profiles: Vec<CardProfile>,
}

impl CardModel {
    /// The network, the score's constants and the profiles of `model`.
    ///
    /// # Errors
    /// A layer that does not fit the kernels.
    pub fn new(model: &Model) -> Result<Self, PackError> {
        let (network, law) = (model.network(), model.score_law());
        let layers = LayerId::SCORED.map(|id| -> LayerParts<'_> {
            let layer = network.layer(id);
            (&layer.weight, &layer.bias)
        });
        let parts =
            NetworkParts { layers, latent: law.latent_range_f32(), inverse_scale: law.inverse_scale_f32() };
        let profiles = model.profiles();
        let all = [&profiles.pooled].into_iter().chain(profiles.symbols.iter().map(|(_, profile)| profile));
        Ok(Self { weights: pack(&parts)?, profiles: all.map(card_profile).collect() })
    }

    /// Opens a card through the library at `path` and takes the model there.
    ///
    /// # Errors
    /// No library, no driver, no card, another version.
    pub fn open(
        &self,
        path: &Path,
        mode: Mode,
        instrument_count_max: usize,
    ) -> Result<LoadedCard, LoadError> {
        LoadedCard::open(path, mode, &self.weights, &self.profiles, instrument_count_max)
    }
}

fn card_profile(profile: &Profile) -> CardProfile {
    CardProfile {
        median: profile.median,
        inverse_scale: profile.inverse_scale(),
        trained: u32::from(profile.trained),
        unused: [0; 3],
    }
}

/// Closes a card that failed and opens it anew, on a thread of its own: either may take seconds.
struct Reopener<C> {
    failed: SyncSender<Option<Feeder<C>>>,
    opened: Receiver<Option<C>>,
    under_way: bool,
}

impl<C: Card + Send + 'static> Reopener<C> {
    fn start(mut open: impl FnMut() -> Option<C> + Send + 'static) -> std::io::Result<Self> {
        let (failed, requests) = sync_channel::<Option<Feeder<C>>>(1);
        let (answers, opened) = sync_channel(1);
        thread::Builder::new().name("cuda-reopen".to_owned()).spawn(move || {
            for failed in requests {
                drop(failed);
                if answers.send(open()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { failed, opened, under_way: false })
    }
}

/// Scores on a card while it is trusted, on the CPU else. After construction it allocates nothing on the way of a batch.
pub struct CudaScorer<C, K> {
    feeder: Option<Feeder<C>>,
    health: Health,
    cpu: FusedScorer,
    profiles: Bindings<u16>,
    clock: K,
    reopener: Reopener<C>,
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
        let symbols = &model.profiles().symbols;
        let own: Vec<(Symbol, u16)> =
            symbols.iter().zip(1_u16..).map(|((symbol, _), i)| (*symbol, i)).collect();
        Ok(Self {
            feeder: Some(Feeder::new(card)),
            health: Health::new(config),
            cpu: FusedScorer::new(model, instrument_count_max)?,
            profiles: Bindings::new(&0, &own, instrument_count_max),
            clock,
            reopener: Reopener::start(open)?,
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
        let change = self.health.failed(fault);
        self.tell(change);
    }

    /// Sends a lost card to be opened anew and takes the new one in. Never waits.
    fn reopen(&mut self) {
        if self.reopener.under_way {
            let Ok(card) = self.reopener.opened.try_recv() else { return };
            self.reopener.under_way = false;
            let change = self.health.reopened(card.is_some());
            self.feeder = card.map(Feeder::new);
            self.tell(change);
        } else if self.health.wants_reopening() {
            // The old card goes along: it is closed before another is opened, and not here.
            self.reopener.under_way = self.reopener.failed.try_send(self.feeder.take()).is_ok();
        }
    }

    /// Writes `rows` to pinned memory and submits them.
    fn submit(&mut self, rows: &[FeatureVector]) -> Result<Job, Fault> {
        let Some(feeder) = &mut self.feeder else { return Err(Fault::DeviceLost) };
        for row in rows {
            let profile = self.profiles.of(row.instrument).filter(|_| is_scorable(row));
            let staged = StagedRow {
                instrument: profile.map(|_| row.instrument.0),
                profile: profile.copied().unwrap_or(0),
                valid: if profile.is_some() { row.valid } else { 0 },
                values: &row.values,
            };
            if feeder.stage(&staged).is_err() {
                feeder.forget();
                // More rows than were agreed on, or a batch from before the rest that is still not done: it never will be.
                return Err(Fault::Kernel);
            }
        }
        feeder.submit(0)
    }

    /// Waits for `job`; gives how long it took since `start_ns`.
    fn wait(&mut self, job: &Job, start_ns: u64) -> Result<u64, Fault> {
        let Some(feeder) = &mut self.feeder else { return Err(Fault::DeviceLost) };
        let (clock, deadline_ns) = (&self.clock, self.health.config().deadline_ns);
        // A clock that is set back must not keep the thread here: a turn takes longer than a nanosecond.
        let mut turns = 0;
        feeder.wait(job, || {
            turns += 1;
            turns > deadline_ns || clock.now().0.saturating_sub(start_ns) > deadline_ns
        })?;
        Ok(self.clock.now().0.saturating_sub(start_ns))
    }

    fn read(feeder: Option<&Feeder<C>>, job: &Job, place: usize) -> Option<RawScore> {
        let scored = feeder?.row(job, place)?;
        Some(RawScore { raw: scored.raw, top3: scored.why.feature, contributions: scored.why.share })
    }

    fn on_card(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) -> Result<u64, Fault> {
        let start_ns = self.clock.now().0;
        let job = self.submit(rows)?;
        let took_ns = self.wait(&job, start_ns)?;
        for (place, out) in out.iter_mut().enumerate() {
            *out = Self::read(self.feeder.as_ref(), &job, place);
        }
        Ok(took_ns)
    }

    /// The CPU scores while the card does; then they are compared.
    fn on_both(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) -> Result<u64, Fault> {
        let start_ns = self.clock.now().0;
        let job = self.submit(rows);
        self.cpu.score(rows, out);
        let job = job?;
        let took_ns = self.wait(&job, start_ns)?;
        let agree = out.iter().enumerate().all(|(place, want)| {
            match (want, Self::read(self.feeder.as_ref(), &job, place)) {
                (Some(want), Some(found)) => {
                    (found.raw - want.raw).abs() <= AGREEMENT * want.raw.abs().max(1.0)
                }
                (want, found) => want.is_none() && found.is_none(),
            }
        });
        if agree { Ok(took_ns) } else { Err(Fault::Mismatch) }
    }
}

impl<C: Card + Send + 'static, K: Clock> Scorer for CudaScorer<C, K> {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.cpu.define(instrument, symbol);
        self.profiles.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        assert_eq!(rows.len(), out.len(), "one result per row");
        if rows.is_empty() {
            return;
        }
        self.reopen();
        let (route, change) = self.health.route();
        self.tell(change);
        let answer = match route {
            Route::Card => {
                let answer = self.on_card(rows, out);
                if answer.is_err() {
                    self.cpu.score(rows, out);
                }
                answer
            }
            Route::Shadow => self.on_both(rows, out),
            Route::Cpu => return self.cpu.score(rows, out),
        };
        match answer {
            Ok(took_ns) => {
                let change = self.health.answered(took_ns);
                self.failures += u64::from(change.is_some_and(|change| change.fault.is_some()));
                self.tell(change);
            }
            Err(fault) => self.failed(fault),
        }
    }

    /// Batches that the card failed; the CPU scored them.
    fn failures(&self) -> u64 {
        self.failures
    }
}
