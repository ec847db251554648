//! The stage at the end of a ring.

use stage::{RingRx, Stage, Work};
use types::{FeatureVector, UnixNanos};

use super::record::ScoreObserver;
use super::state::ScorerStage;
use crate::policy::update::LimitSink;
use crate::score::StagedScorer;

/// A [`ScorerStage`] at the end of a ring, as the runners poll it.
pub struct PolledScorer<S, K, O = ()> {
    vectors: RingRx<FeatureVector>,
    burst_max: usize,
    stage: ScorerStage<S, K, O>,
}

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> PolledScorer<S, K, O> {
    /// Polls `vectors`, at most `burst_max` at a time, into `stage`.
    #[must_use]
    pub const fn new(vectors: RingRx<FeatureVector>, burst_max: usize, stage: ScorerStage<S, K, O>) -> Self {
        Self { vectors, burst_max, stage }
    }

    /// The stage, to define instruments and set envelopes.
    pub const fn stage_mut(&mut self) -> &mut ScorerStage<S, K, O> {
        &mut self.stage
    }
}

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> Stage for PolledScorer<S, K, O> {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        let stage = &mut self.stage;
        let items = self.vectors.drain(self.burst_max, |vectors| stage.on_vectors(vectors, now));
        let batches = stage.tick(now);
        if items == 0 && self.vectors.is_abandoned() && self.vectors.is_empty() {
            stage.settle(now);
            return Work::DONE;
        }
        Work::of(u32::try_from(items).unwrap_or(u32::MAX).saturating_add(batches))
    }
}
