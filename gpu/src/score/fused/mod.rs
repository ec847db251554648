//! The production scorer on a CPU: normalisation, network, score and reasons in one pass over tiles of sixteen rows, on
//! AVX-512, AVX2 or anything, found at run time; one row alone takes the same arithmetic with neurons as lanes.
//!
//! **What it never does:** allocate after construction, or answer differently for the same row: the kernel, the other rows of
//! the batch and a row's place among them leave no trace in a score. It differs from [`crate::ReferenceScorer`], which counts
//! in double precision, by rounding alone.
//!
//! Start reading at [`FusedScorer`], then [`chain`].

mod aligned;
mod autoencoder;
mod chain;
mod engine;
#[allow(unsafe_code, reason = "the one exception of this crate: instructions found at run time")]
mod lanes;
mod prepare;
mod scorer;
mod tile;
mod verdict;

pub use autoencoder::FusedAutoencoder;
pub use chain::{ChainError, DenseLayer, Then};
pub use engine::FusedError;
pub use lanes::Kernel;
pub use scorer::FusedScorer;
pub(crate) use tile::RowParts;
