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
    /// What the last end-of-grid marker said, where the vectors tell the time.
    told: Option<UnixNanos>,
}

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> PolledScorer<S, K, O> {
    /// Polls `vectors`, at most `burst_max` at a time, into `stage`.
    #[must_use]
    pub const fn new(vectors: RingRx<FeatureVector>, burst_max: usize, stage: ScorerStage<S, K, O>) -> Self {
        Self { vectors, burst_max, stage, told: None }
    }

    /// From now on, the time of what is done with vectors is the `ts_recv` of the marker behind them, not that of the poll: for
    /// replays, whose time is the input's.
    pub const fn use_vector_time(&mut self) {
        self.told = Some(UnixNanos(0));
    }

    /// The stage, to define instruments and set envelopes.
    pub const fn stage_mut(&mut self) -> &mut ScorerStage<S, K, O> {
        &mut self.stage
    }
}

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> PolledScorer<S, K, O> {
    /// Polls once. `prepare` is called when vectors have been seen and before they are taken in: what was sent to the stage
    /// before them by another way is there by then.
    pub fn poll_after(&mut self, now: UnixNanos, mut prepare: impl FnMut(&mut ScorerStage<S, K, O>)) -> Work {
        let Self { vectors, burst_max, stage, told } = self;
        let items = vectors.drain(*burst_max, |vectors| {
            prepare(stage);
            let Some(told) = told else { return stage.on_vectors(vectors, now) };
            for group in vectors.chunk_by(|vector, _| vector.grid_end == 0) {
                let marker = group.last().filter(|last| last.grid_end != 0);
                *told = marker.map_or(*told, |marker| marker.ts_recv);
                stage.on_vectors(group, *told);
            }
        });
        let now = told.unwrap_or(now);
        let batches = stage.tick(now);
        if items == 0 && vectors.is_abandoned() && vectors.is_empty() {
            stage.await_batch(now);
            return Work::DONE;
        }
        Work::of(u32::try_from(items).unwrap_or(u32::MAX).saturating_add(batches))
    }
}

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> Stage for PolledScorer<S, K, O> {
    fn name(&self) -> &'static str {
        "scorer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        self.poll_after(now, |_| {})
    }
}
