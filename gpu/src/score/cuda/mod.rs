//! The scorer on a card, with the CPU behind it: whatever the card does, every batch is scored, and in time.
//!
//! The card's scores have the bits of [`FusedScorer`]'s, which takes over in the same call when the card fails; so a change from
//! one to the other moves no score and relaxes no tier. When and whether the card is asked is [`Health`]'s to say.
//!
//! Rows are written to pinned memory as they arrive, and a batch is not waited for: while the card scores one, the other buffer
//! is filled.

mod model;
mod reopener;
mod scorer;

pub use model::{CardModel, CudaError};
pub use scorer::{CudaScorer, open_cuda_scorer};
