//! The featurizer as a polled stage between two rings.

use stage::{CounterCell, CounterReader, RingRx, Stage, Work, WorkStatus, counters};
use types::{BookEvent, UnixNanos};

use crate::counters::{NAMES, values};
use crate::featurizer::Featurizer;
use crate::sinks::{FeatureSink, Observer, TopOfBookSink};

/// Events taken from the ring at once.
const CHUNK: usize = 256;

/// Everything that a [`FeaturizerStage`] hands out, in one hand, so that what it says of one event has an order.
pub trait StageSink: FeatureSink + TopOfBookSink + Observer {
    /// `events` come next, in a poll at `now`; none when the poll found no event. Gives how many of them may be applied before
    /// their tops are told: 0 while something that was handed out before still waits for room.
    fn begin(&mut self, events: &[BookEvent], now: UnixNanos) -> usize {
        let _ = now;
        events.len()
    }

    /// The poll is over; `featurizer` is what it left. With `ended`, the input is over and every vector has been taken: the sink
    /// closes its ends. False while something waits for room.
    fn polled(&mut self, featurizer: &mut Featurizer, ended: bool) -> bool {
        let _ = (featurizer, ended);
        true
    }
}

impl<S: StageSink> StageSink for &mut S {
    fn begin(&mut self, events: &[BookEvent], now: UnixNanos) -> usize {
        (**self).begin(events, now)
    }

    fn polled(&mut self, featurizer: &mut Featurizer, ended: bool) -> bool {
        (**self).polled(featurizer, ended)
    }
}

impl<F: FeatureSink, T: TopOfBookSink, O: Observer> StageSink for (F, T, O) {}

/// Reads events from a ring, hands vectors and quotes to its sink.
#[derive(Debug)]
pub struct FeaturizerStage<S> {
    featurizer: Featurizer,
    rx: RingRx<BookEvent>,
    sink: S,
    chunk: Box<[BookEvent; CHUNK]>,
    /// The part of the chunk that is not applied yet.
    pending: std::ops::Range<usize>,
    cells: Cells,
    /// The most orders that lived when somebody looked.
    live_orders_max: u64,
    reader: CounterReader,
}

/// Published by [`Stage::housekeep`], in the order of [`NAMES`].
type Cells = [CounterCell; NAMES.len()];

impl<S: StageSink> FeaturizerStage<S> {
    /// A stage that consumes `rx`.
    #[must_use]
    pub fn new(featurizer: Featurizer, rx: RingRx<BookEvent>, sink: S) -> Self {
        let (reader, cells) = counters("featurizer", NAMES);
        let chunk = Box::new([BookEvent::EMPTY; CHUNK]);
        Self { featurizer, rx, sink, chunk, pending: 0..0, cells, live_orders_max: 0, reader }
    }

    /// A handle on the stage's counters, as of the last housekeeping.
    #[must_use]
    pub fn counters(&self) -> CounterReader {
        self.reader.clone()
    }

    /// Takes the stage apart, at the end of a replay.
    #[must_use]
    pub fn into_parts(self) -> (Featurizer, S) {
        (self.featurizer, self.sink)
    }

    /// Applies what is pending, as far as the sink lets it; gives the number of events.
    fn apply(&mut self, now: UnixNanos) -> usize {
        let mut applied = 0;
        while !self.pending.is_empty() {
            let events = &self.chunk[self.pending.clone()];
            let step = self.sink.begin(events, now).min(events.len());
            let consumed = self.featurizer.apply(&events[..step], &mut self.sink);
            if consumed == 0 {
                break;
            }
            self.sink.applied(&events[..consumed], self.featurizer.gap_open());
            self.pending.start += consumed;
            applied += consumed;
        }
        applied
    }

    /// A poll that found no event: vectors go on, and when the input is over, the last grid step is closed; the stage is done
    /// when everything has been taken.
    fn rest(&mut self, now: UnixNanos, ended: bool) -> Work {
        self.sink.begin(&[], now);
        let sent = if ended {
            self.featurizer.finish(&mut self.sink)
        } else {
            self.featurizer.flush(&mut self.sink)
        };
        let told = self.sink.polled(&mut self.featurizer, ended && sent);
        match (sent && told, ended) {
            (true, true) => Work::DONE,
            (true, false) => Work::IDLE,
            (false, _) => Work { items: 0, status: WorkStatus::Busy },
        }
    }
}

impl<S: StageSink> Stage for FeaturizerStage<S> {
    fn name(&self) -> &'static str {
        "featurizer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        if self.pending.is_empty() {
            // The order matters: a producer that is gone cannot push after we looked.
            let ended = self.rx.is_abandoned();
            self.pending = 0..self.rx.recv(&mut self.chunk[..]);
            if self.pending.is_empty() {
                return self.rest(now, ended);
            }
        }
        let applied = self.apply(now);
        self.sink.polled(&mut self.featurizer, false);
        Work { items: applied as u32, status: WorkStatus::Busy }
    }

    fn housekeep(&mut self, _now: UnixNanos) {
        let occupancy = self.featurizer.occupancy();
        self.live_orders_max = self.live_orders_max.max(occupancy.orders as u64);
        let now = values(&self.featurizer.counters(), &occupancy, self.live_orders_max);
        for (cell, value) in self.cells.iter().zip(now) {
            cell.set(value);
        }
    }
}
