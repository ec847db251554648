//! A stage that measures its polls.

use super::health::LastMoved;
use stage::{Clock, HopHistogram, LiveClock, Stage, Work};
use types::{Nanos, UnixNanos};

/// A stage whose polls are measured, per item.
pub(crate) struct Timed<S> {
    stage: S,
    clock: LiveClock,
    /// How often its histograms change hands, live: where the time of a poll is this clock's, so that a poll began when it says. A
    /// replay's is the input's, and they are read at its end.
    interval: Option<Nanos>,
    latency: HopHistogram,
    /// What the stage did last, for `status`.
    pub(crate) moved: Option<LastMoved>,
}

impl<S> Timed<S> {
    pub(crate) fn new(
        stage: S,
        (clock, interval, latency): (LiveClock, Option<Nanos>, HopHistogram),
    ) -> Self {
        Self { stage, clock, interval, latency, moved: None }
    }

    /// Ends the measuring, and gives the stage back.
    pub(crate) fn finish(mut self) -> S {
        self.latency.swap(self.clock.now());
        self.stage
    }
}

impl<S: Stage> Stage for Timed<S> {
    fn name(&self) -> &'static str {
        self.stage.name()
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        let start = if self.interval.is_some() { now } else { self.clock.now() };
        let work = self.stage.poll(now);
        if work.items > 0 {
            self.latency.record(Nanos(self.clock.now().since(start).0 / u64::from(work.items)));
        }
        work
    }

    fn housekeep(&mut self, now: UnixNanos) {
        self.stage.housekeep(now);
        if let Some(interval) = self.interval {
            self.latency.swap_after(now, interval);
        }
        if let Some(moved) = &mut self.moved {
            moved.look(now);
        }
    }
}
