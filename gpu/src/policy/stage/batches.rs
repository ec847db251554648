//! Vectors on their way to scores: collected, begun as a batch, and published when they are scored.

use types::{BookState, FEEDS_MAX, FeatureVector, FeedIndex, UnixNanos};

use super::counters::Count;
use super::record::ScoreObserver;
use super::state::{Pending, ScorerStage, UnderWay};
use crate::policy::update::LimitSink;
use crate::policy::witnesses::Witnesses;
use crate::score::StagedScorer;

impl<S: StagedScorer, K: LimitSink, O: ScoreObserver> ScorerStage<S, K, O> {
    /// Takes vectors in the order the featurizer sent them, at `now`.
    pub fn on_vectors(&mut self, vectors: &[FeatureVector], now: UnixNanos) {
        for vector in vectors {
            if let Some(feed) = self.feed_of(vector) {
                let newest = &mut self.newest[feed.index()];
                *newest = vector.ts.max(*newest);
            }
            if let Some(feed) = vector.ends_grid_of() {
                self.end_of_grid((feed, vector.ts), now);
                continue;
            }
            self.collect(vector, now);
            if self.batch.len() >= self.batch_config.row_count_max {
                self.tick(now);
            }
        }
    }

    /// Whose grid a vector or a marker is on; none of an instrument that was never named, which moves no feed's time.
    fn feed_of(&self, vector: &FeatureVector) -> Option<FeedIndex> {
        let known = || self.instruments.get(vector.instrument.index()).filter(|known| known.defined);
        vector.ends_grid_of().or_else(|| known().map(|known| known.feed))
    }

    /// Publishes what has been scored meanwhile, and begins a batch that is large or old enough. To be called again and again;
    /// gives the batches begun or published.
    pub fn tick(&mut self, now: UnixNanos) -> u32 {
        let published = self.publish_ready(now);
        let due = self.under_way.is_none()
            && !self.batch.is_empty()
            && (self.batch.len() >= self.batch_config.row_count_max
                || now.since(self.batch_since) >= self.batch_config.wait_max);
        if due {
            self.begin(None, now);
        }
        u32::from(published) + u32::from(due)
    }

    /// Waits for a batch that is being scored and publishes it.
    pub fn await_batch(&mut self, now: UnixNanos) {
        while self.under_way.is_some() && !self.publish_ready(now) {
            core::hint::spin_loop();
        }
    }

    /// Stages a vector; a second one of the same instrument replaces the first.
    fn collect(&mut self, vector: &FeatureVector, now: UnixNanos) {
        self.count(Count::Vectors, 1);
        let instrument = vector.instrument;
        let (known, profile) = (self.instruments.get_mut(instrument.index()), self.profiles.of(instrument));
        let (Some(known), Some(profile)) = (known.filter(|known| known.defined), profile) else {
            return self.count(Count::UnknownInstrument, 1);
        };
        let pending = Pending {
            ts: vector.ts,
            instrument,
            is_live: vector.book_state == BookState::Live.to_u8(),
            witnesses: Witnesses::of(&self.policy.witness, profile, vector),
            book: self.bounds.view(vector),
            is_complete: vector.valid & u64::from(profile.trained) == u64::from(profile.trained),
            values: vector.values,
            valid: vector.valid,
        };
        let place = match known.place.checked_sub(1) {
            Some(place) => place as usize,
            None => self.batch.len(),
        };
        if let Some(earlier) = self.batch.get_mut(place) {
            *earlier = pending;
        } else {
            if place == 0 {
                self.batch_since = now;
            }
            // One place per instrument: the batch cannot outgrow its capacity.
            self.batch.push(pending);
            known.place = u32::try_from(self.batch.len()).unwrap_or(0);
        }
        if let Some(sides) = self.sides.of(instrument) {
            self.scorer.stage(place, &sides.show(vector));
        }
    }

    fn end_of_grid(&mut self, ends: (FeedIndex, UnixNanos), now: UnixNanos) {
        self.count(Count::Grids, 1);
        // The batch before comes first.
        self.await_batch(now);
        self.begin(Some(ends), now);
    }

    /// Begins to score what is collected; with `ends`, that grid point of that feed is complete with it.
    fn begin(&mut self, ends: Option<(FeedIndex, UnixNanos)>, now: UnixNanos) {
        self.count(Count::Batches, 1);
        self.scorer.start();
        self.scored_newest = self.newest;
        core::mem::swap(&mut self.batch, &mut self.scored);
        self.batch.clear();
        let mut newest = [UnixNanos(0); FEEDS_MAX];
        for pending in &self.scored {
            let known = &mut self.instruments[pending.instrument.index()];
            known.scored_place = core::mem::take(&mut known.place);
            let newest = &mut newest[known.feed.index()];
            *newest = pending.ts.max(*newest);
        }
        self.under_way = Some(UnderWay { ends, newest });
        if self.batch_config.overlapped {
            self.publish_ready(now);
        } else {
            self.await_batch(now);
        }
    }

    /// Publishes the batch that is being scored, when it is ready. Gives whether it was.
    fn publish_ready(&mut self, now: UnixNanos) -> bool {
        let Some(UnderWay { ends, newest }) = self.under_way else { return false };
        if !self.scorer.is_ready() {
            return false;
        }
        self.under_way = None;
        if let Some((feed, ts)) = ends {
            for i in 0..self.defined.len() {
                if self.instruments[self.defined[i].index()].feed == feed {
                    self.step(self.defined[i], ts, now);
                }
            }
        }
        // All of a batch that ends no grid point, and what is of other feeds in one that does.
        for i in 0..self.scored.len() {
            let instrument = self.scored[i].instrument;
            let feed = self.instruments[instrument.index()].feed;
            if ends.is_none_or(|(ended, _)| ended != feed) {
                self.step(instrument, newest[feed.index()], now);
            }
        }
        if let Some((_, ts)) = ends {
            self.sink.end_of_grid(ts, now);
        }
        self.scored.clear();
        true
    }
}
