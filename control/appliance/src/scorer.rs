//! The model and the scorer that the configuration asks for.

use crate::policy;
use anyhow::{Context, Result};
use control::config::{Plan, ScorerBackend};
use gpu::{Backend, CardChange, CardMode, Model, StagedScorer, open_cuda_scorer, open_scorer};
use stage::{LiveClock, RingTx};
use std::path::Path;

/// A scorer, whichever it is.
pub(crate) type AnyScorer = Box<dyn StagedScorer + Send>;

/// The model to score with: the one in `dir`, or the one built in.
///
/// # Errors
/// A model that cannot be read or is none.
pub(crate) fn load_model(dir: Option<&Path>) -> Result<Model> {
    match dir {
        Some(dir) => Model::load(dir).with_context(|| format!("model {}", dir.display())),
        None => Model::shipped().context("the built-in model"),
    }
}

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

/// Opens the scorer of `model` for live use: on the card where one is asked for and can be had, else on this machine's
/// processors, with a warning. What becomes of the card goes to `told`.
///
/// # Errors
/// A policy that the scorer cannot follow, or a backend that cannot take the model.
pub(crate) fn open_live(
    plan: &Plan,
    model: &Model,
    clock: &LiveClock,
    mut told: RingTx<CardChange>,
) -> Result<(AnyScorer, Option<String>)> {
    if plan.scorer.backend != ScorerBackend::Cuda {
        return Ok((open(plan, model)?, None));
    }
    let tell = Box::new(move |change: &CardChange| {
        told.send(&[*change]);
    });
    let (library, instruments) = (&plan.scorer.cuda_library, plan.book.instruments as usize);
    let asked = model.asking(&policy::of(plan)?.heads());
    match open_cuda_scorer(library, CardMode::Auto, &asked, instruments, clock.clone(), tell) {
        Ok(scorer) => Ok((Box::new(scorer), None)),
        Err(error) => {
            let warning = format!(
                "scorer.backend is \"cuda\", which is not available: {error}; the CPU scores instead, with the same result"
            );
            Ok((open(plan, model)?, Some(warning)))
        }
    }
}
