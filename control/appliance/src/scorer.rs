//! The scorer that the configuration asks for.

use crate::policy;
use anyhow::{Context, Result};
use control::config::{Plan, ScorerBackend};
use gpu::{Backend, CardChange, CardMode, Model, StagedScorer, open_cuda_scorer, open_scorer};
use stage::{LiveClock, RingRx, ring};

/// A scorer, whichever it is.
pub(crate) type AnyScorer = Box<dyn StagedScorer + Send>;

/// Changes of a card's standing that wait to be told: each takes seconds to come about.
const CARD_CHANGES: usize = 64;

/// Opens the scorer of `model` on this machine's processors, also where a card is asked for: its scores have the same bits.
///
/// # Errors
/// A policy that the scorer cannot follow, or a backend that cannot take the model.
pub(crate) fn open(plan: &Plan, model: &Model) -> Result<AnyScorer> {
    let backend = match plan.scorer.backend {
        ScorerBackend::Cpu | ScorerBackend::Cuda => Backend::Auto,
        ScorerBackend::Candle => Backend::Candle,
        ScorerBackend::Reference => Backend::Reference,
    };
    let model = model.asking(&policy::of(plan)?.heads());
    open_scorer(backend, &model, plan.book.instruments as usize).context("cannot open the scorer")
}

/// A scorer for live use.
pub(crate) struct Opened {
    pub(crate) scorer: AnyScorer,
    /// What becomes of the card, where there is one.
    pub(crate) card: Option<RingRx<CardChange>>,
    /// Why there is none, where one was asked for.
    pub(crate) warning: Option<String>,
}

/// Opens the scorer of `model`: on the card where one is asked for and can be had, else on this machine's processors.
///
/// # Errors
/// A policy that the scorer cannot follow, or a backend that cannot take the model.
pub(crate) fn open_live(plan: &Plan, model: &Model, clock: &LiveClock) -> Result<Opened> {
    let mut warning = None;
    if plan.scorer.backend == ScorerBackend::Cuda {
        let (mut told, card) = ring::<CardChange>(CARD_CHANGES);
        let tell = Box::new(move |change: &CardChange| {
            told.send(&[*change]);
        });
        let (library, instruments) = (&plan.scorer.cuda_library, plan.book.instruments as usize);
        let asked = model.asking(&policy::of(plan)?.heads());
        match open_cuda_scorer(library, CardMode::Auto, &asked, instruments, clock.clone(), tell) {
            Ok(scorer) => {
                return Ok(Opened { scorer: Box::new(scorer), card: Some(card), warning });
            }
            Err(error) => {
                warning = Some(format!(
                    "scorer.backend is \"cuda\", which is not available: {error}; the CPU scores instead, with the same result"
                ));
            }
        }
    }
    Ok(Opened { scorer: open(plan, model)?, card: None, warning })
}
