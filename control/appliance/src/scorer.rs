//! The scorer that the configuration asks for.

use anyhow::{Context, Result, bail};
use control::config::{Plan, ScorerBackend};
use gpu::{Backend, Model, Scorer, open_scorer};

/// A scorer, whichever it is.
pub(crate) type AnyScorer = Box<dyn Scorer + Send>;

/// Opens the scorer of `model` for the configured instruments.
///
/// # Errors
/// A backend that this build or machine does not have.
pub(crate) fn open(plan: &Plan, model: &Model) -> Result<AnyScorer> {
    let backend = match plan.scorer.backend {
        ScorerBackend::Cpu => Backend::Auto,
        ScorerBackend::Candle => Backend::Candle,
        ScorerBackend::Reference => Backend::Reference,
        ScorerBackend::Cuda => {
            bail!(
                "scorer.backend is \"cuda\": this build has no CUDA scorer; use \"cpu\", which decides the same"
            )
        }
    };
    open_scorer(backend, model, plan.book.instruments as usize).context("cannot open the scorer")
}
