//! The stage between the books and the gate: feature vectors in, leased limits out, one grid point at a time.
//!
//! [`ScorerStage`] holds the state; batches of vectors are collected and begun in `batches`, each instrument's step at a grid
//! point is taken in `step`, and what it publishes is made there.

mod batches;
mod counters;
mod instrument;
mod polled;
mod record;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use polled::PolledScorer;
pub use record::{ScoreObserver, ScoreRecord};
pub use state::{BatchConfig, ScorerStage, ScorerStageConfig};
