//! How a featurizer is built.

use crate::limits::BookLimits;

/// What happens to vectors the sink has no room for when the next grid point comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// The newest vector replaces the waiting one: later, not lost. For live use; closing a grid point is spread over the events
    /// that follow it.
    #[default]
    KeepDirty,
    /// No further event is consumed until the sink has taken them: for replays, which must not depend on queue lengths. A grid
    /// point is closed whole, and its marker is out before any later event is applied.
    Wait,
}

/// How a featurizer is built.
#[derive(Clone, Copy, Debug)]
pub struct FeaturizerConfig {
    /// Bounds of the books.
    pub books: BookLimits,
    /// What happens when the sink is full.
    pub on_full: OnFull,
    /// Events whose cache lines are read before the first of them is applied; at most
    /// [`crate::AHEAD_MAX`]; 0 and 1 read none ahead.
    pub lookahead: usize,
    /// Whether vectors say what orders of eight sizes would pay ([`types::FeatureVector::walk_bps`]): a walk down both sides of every
    /// book that something happened to.
    pub walk: bool,
}

impl Default for FeaturizerConfig {
    /// A US equity day, live, 64 events ahead, no walks.
    fn default() -> Self {
        Self { books: BookLimits::default(), on_full: OnFull::KeepDirty, lookahead: 64, walk: false }
    }
}
