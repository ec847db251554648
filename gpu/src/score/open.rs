//! Opens the scorer that is asked for.

use super::candle::CandleScorer;
use super::fused::FusedScorer;
use super::reference::ReferenceScorer;
use super::scorer::StagedScorer;
use super::staged::Staged;
use crate::model::Model;

/// The backends of this build. The CUDA backend is opened at boot from its own library, as `Box<dyn StagedScorer>` like
/// these, so that this crate never needs a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The fastest of this machine.
    #[default]
    Auto,
    /// Plain Rust, allocation-free, double precision inside: the oracle.
    Reference,
    /// Candle on the CPU: the model's own definition, as trained.
    Candle,
    /// The fused kernels, on the best instructions that this processor has.
    Fused,
}

/// Opens the scorer of `model` for instruments numbered below `instrument_count_max`.
///
/// # Errors
/// When the backend cannot take the model.
pub fn open_scorer(
    backend: Backend,
    model: &Model,
    instrument_count_max: usize,
) -> Result<Box<dyn StagedScorer + Send>, OpenScorerError> {
    let count = instrument_count_max;
    let refused = |backend, message| OpenScorerError { backend, message };
    Ok(match backend {
        Backend::Auto | Backend::Fused => {
            Box::new(FusedScorer::new(model, count).map_err(|e| refused("fused", e.to_string()))?)
        }
        Backend::Reference => Box::new(Staged::new(ReferenceScorer::new(model, count), count)),
        Backend::Candle => {
            let candle = CandleScorer::new(model, count).map_err(|e| refused("candle", e.to_string()))?;
            Box::new(Staged::new(candle, count))
        }
    })
}

/// Why a backend did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scorer {backend}: {message}")]
pub struct OpenScorerError {
    backend: &'static str,
    message: String,
}
