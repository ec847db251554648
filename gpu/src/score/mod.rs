//! The backends that score vectors, and what each of them gives.

mod candle;
mod cuda;
mod fused;
mod open;
mod reference;
mod scorer;
mod staged;

pub use cuda::{CardModel, CudaError, CudaScorer, open_cuda_scorer};
pub use fused::{ChainError, DenseLayer, FusedAutoencoder, FusedError, FusedScorer, Kernel, Then};
pub use open::{Backend, OpenScorerError, open_scorer};
pub(crate) use reference::Forward;
pub use reference::ReferenceScorer;
pub use scorer::{Scorer, StagedScorer};
pub use staged::Staged;
