//! The featurizer as a polled stage between two rings.

use stage::{CounterCell, CounterReader, RingRx, Stage, Work, WorkStatus, counters};
use types::{BookEvent, UnixNanos};

use crate::counters::{NAMES, values};
use crate::featurizer::Featurizer;
use crate::sinks::{FeatureSink, Observer, Sinks, TopOfBookSink};

/// Events taken from the ring at once.
const CHUNK: usize = 256;

/// Reads events from a ring, hands vectors to a sink and quotes to another.
#[derive(Debug)]
pub struct FeaturizerStage<F, T, O> {
    featurizer: Featurizer,
    rx: RingRx<BookEvent>,
    features: F,
    tops: T,
    observer: O,
    chunk: Box<[BookEvent; CHUNK]>,
    /// The part of the chunk that is not applied yet.
    pending: std::ops::Range<usize>,
    cells: Cells,
    reader: CounterReader,
}

/// Published by [`Stage::housekeep`], in the order of [`NAMES`].
type Cells = [CounterCell; NAMES.len()];

impl<F: FeatureSink, T: TopOfBookSink, O: Observer> FeaturizerStage<F, T, O> {
    /// A stage that consumes `rx`.
    #[must_use]
    pub fn new(featurizer: Featurizer, rx: RingRx<BookEvent>, features: F, tops: T, observer: O) -> Self {
        let (reader, cells) = counters("featurizer", NAMES);
        Self {
            featurizer,
            rx,
            features,
            tops,
            observer,
            chunk: Box::new([BookEvent::EMPTY; CHUNK]),
            pending: 0..0,
            cells,
            reader,
        }
    }

    /// The books and features as they stand.
    #[must_use]
    pub fn featurizer(&self) -> &Featurizer {
        &self.featurizer
    }

    /// The observer.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// A handle on the stage's counters, as of the last housekeeping.
    #[must_use]
    pub fn counters(&self) -> CounterReader {
        self.reader.clone()
    }

    /// Takes the stage apart, at the end of a replay.
    #[must_use]
    pub fn into_parts(self) -> (Featurizer, F, T, O) {
        (self.featurizer, self.features, self.tops, self.observer)
    }

    /// The input has ended: the last grid step is closed, and the stage is done when its vectors are gone.
    fn end(&mut self) -> Work {
        let sent = self.featurizer.finish(&mut self.features);
        if sent { Work::DONE } else { Work { items: 0, status: WorkStatus::Busy } }
    }
}

impl<F: FeatureSink, T: TopOfBookSink, O: Observer> Stage for FeaturizerStage<F, T, O> {
    fn name(&self) -> &'static str {
        "featurizer"
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        if self.pending.is_empty() {
            // The order matters: a producer that is gone cannot push after we looked.
            let abandoned = self.rx.is_abandoned();
            self.pending = 0..self.rx.recv(&mut self.chunk[..]);
            if self.pending.is_empty() {
                if abandoned {
                    return self.end();
                }
                let sent = self.featurizer.flush(&mut self.features);
                return if sent { Work::IDLE } else { Work { items: 0, status: WorkStatus::Busy } };
            }
        }
        let mut sinks =
            Sinks { features: &mut self.features, tops: &mut self.tops, observer: &mut self.observer };
        let consumed = self.featurizer.apply(&self.chunk[self.pending.clone()], &mut sinks);
        if consumed > 0 {
            let applied = self.pending.start..self.pending.start + consumed;
            self.tops.applied(&self.chunk[applied], self.featurizer.gap_open());
        }
        self.pending.start += consumed;
        Work { items: consumed as u32, status: WorkStatus::Busy }
    }

    fn housekeep(&mut self, _now: UnixNanos) {
        let now = values(&self.featurizer.counters(), &self.featurizer.occupancy());
        for (cell, value) in self.cells.iter().zip(now) {
            cell.set(value);
        }
    }
}
