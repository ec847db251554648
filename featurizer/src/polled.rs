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

    /// What comes next is of the feed with this number, in the order in which they were added to the stage; until it is said, of
    /// the first. A stage of one feed never says it.
    fn turn(&mut self, feed: usize) {
        let _ = feed;
    }

    /// The poll is over; `featurizer` is what it left. With `ended`, the input is over, of every feed, and every vector has been
    /// taken: the sink closes its ends. False while something waits for room.
    fn polled(&mut self, featurizer: &mut Featurizer, ended: bool) -> bool {
        let _ = (featurizer, ended);
        true
    }
}

impl<S: StageSink> StageSink for &mut S {
    fn begin(&mut self, events: &[BookEvent], now: UnixNanos) -> usize {
        (**self).begin(events, now)
    }

    fn turn(&mut self, feed: usize) {
        (**self).turn(feed);
    }

    fn polled(&mut self, featurizer: &mut Featurizer, ended: bool) -> bool {
        (**self).polled(featurizer, ended)
    }
}

impl<F: FeatureSink, T: TopOfBookSink, O: Observer> StageSink for (F, T, O) {}

/// One feed's books, and the ring that brings its events.
#[derive(Debug)]
struct Lane {
    featurizer: Featurizer,
    rx: RingRx<BookEvent>,
    chunk: Box<[BookEvent; CHUNK]>,
    /// The part of the chunk that is not applied yet.
    pending: std::ops::Range<usize>,
    /// The most orders that lived when somebody looked.
    live_orders_max: u64,
    /// Its input is over, and everything has been taken.
    done: bool,
}

/// Reads events from the ring of each feed, hands vectors and quotes to its sink. Every feed has books, orders and a grid of its
/// own, so that no feed's gap, clock or order number is another's; numbers of instruments are the feed's own.
#[derive(Debug)]
pub struct FeaturizerStage<S> {
    first: Lane,
    more: Vec<Lane>,
    sink: S,
    cells: Cells,
    reader: CounterReader,
}

/// Published by [`Stage::housekeep`], in the order of [`NAMES`]: of all feeds together.
type Cells = [CounterCell; NAMES.len()];

impl Lane {
    fn new(featurizer: Featurizer, rx: RingRx<BookEvent>) -> Self {
        let chunk = Box::new([BookEvent::EMPTY; CHUNK]);
        Self { featurizer, rx, chunk, pending: 0..0, live_orders_max: 0, done: false }
    }

    /// Takes events and applies them; `last`, no other feed's input goes on.
    fn poll<S: StageSink>(&mut self, sink: &mut S, now: UnixNanos, last: bool) -> Work {
        if self.pending.is_empty() {
            // The order matters: a producer that is gone cannot push after we looked.
            let ended = self.rx.is_abandoned();
            self.pending = 0..self.rx.recv(&mut self.chunk[..]);
            if self.pending.is_empty() {
                return self.rest(sink, now, (ended, last));
            }
        }
        let applied = self.apply(sink, now);
        sink.polled(&mut self.featurizer, false);
        Work { items: applied as u32, status: WorkStatus::Busy }
    }

    /// Applies what is pending, as far as the sink lets it; gives the number of events.
    fn apply<S: StageSink>(&mut self, sink: &mut S, now: UnixNanos) -> usize {
        let mut applied = 0;
        while !self.pending.is_empty() {
            let events = &self.chunk[self.pending.clone()];
            let step = sink.begin(events, now).min(events.len());
            let consumed = self.featurizer.apply(&events[..step], sink);
            if consumed == 0 {
                break;
            }
            sink.applied(&events[..consumed], self.featurizer.gap_open());
            self.pending.start += consumed;
            applied += consumed;
        }
        applied
    }

    /// A poll that found no event: vectors go on, and when the input is over, the last grid step is closed; the feed is done
    /// when everything has been taken.
    fn rest<S: StageSink>(&mut self, sink: &mut S, now: UnixNanos, (ended, last): (bool, bool)) -> Work {
        sink.begin(&[], now);
        let sent = if ended { self.featurizer.finish(sink) } else { self.featurizer.flush(sink) };
        let told = sink.polled(&mut self.featurizer, ended && sent && last);
        self.done = ended && sent && told;
        match (sent && told, ended) {
            (true, true) => Work::DONE,
            (true, false) => Work::IDLE,
            (false, _) => Work { items: 0, status: WorkStatus::Busy },
        }
    }

    /// What it counts, in the order of [`NAMES`].
    fn counts(&mut self) -> [u64; NAMES.len()] {
        let occupancy = self.featurizer.occupancy();
        self.live_orders_max = self.live_orders_max.max(occupancy.orders as u64);
        values(&self.featurizer.counters(), &occupancy, self.live_orders_max)
    }
}

/// What two feeds' polls come to together.
fn both(a: Work, b: Work) -> Work {
    let status = match (a.status, b.status) {
        (WorkStatus::Busy, _) | (_, WorkStatus::Busy) => WorkStatus::Busy,
        (WorkStatus::Done, WorkStatus::Done) => WorkStatus::Done,
        (WorkStatus::Idle | WorkStatus::Done, WorkStatus::Idle | WorkStatus::Done) => WorkStatus::Idle,
    };
    Work { items: a.items.saturating_add(b.items), status }
}

impl<S: StageSink> FeaturizerStage<S> {
    /// A stage that consumes `rx`.
    #[must_use]
    pub fn new(featurizer: Featurizer, rx: RingRx<BookEvent>, sink: S) -> Self {
        let (reader, cells) = counters("featurizer", NAMES);
        Self { first: Lane::new(featurizer, rx), more: Vec::new(), sink, cells, reader }
    }

    /// One more feed: `rx`, whose events go to books of their own. The sink hears of whose turn it is.
    pub fn add_feed(&mut self, featurizer: Featurizer, rx: RingRx<BookEvent>) {
        self.more.push(Lane::new(featurizer, rx));
    }

    /// A handle on the stage's counters, as of the last housekeeping.
    #[must_use]
    pub fn counters(&self) -> CounterReader {
        self.reader.clone()
    }

    /// Takes the stage apart, at the end of a replay: the first feed's books, and the sink.
    #[must_use]
    pub fn into_parts(self) -> (Featurizer, S) {
        (self.first.featurizer, self.sink)
    }

    /// Each of several feeds in turn.
    fn poll_all(&mut self, now: UnixNanos) -> Work {
        let Self { first, more, sink, .. } = self;
        let mut going = usize::from(!first.done) + more.iter().filter(|lane| !lane.done).count();
        let mut all = Work::DONE;
        for (feed, lane) in core::iter::once(first).chain(more).enumerate() {
            if !lane.done {
                sink.turn(feed);
                all = both(all, lane.poll(sink, now, going == 1));
                going -= usize::from(lane.done);
            }
        }
        all
    }
}

impl<S: StageSink> Stage for FeaturizerStage<S> {
    fn name(&self) -> &'static str {
        "featurizer"
    }

    fn poll(&mut self, now: UnixNanos) -> Work {
        if self.more.is_empty() { self.first.poll(&mut self.sink, now, true) } else { self.poll_all(now) }
    }

    fn housekeep(&mut self, _now: UnixNanos) {
        let mut sums = self.first.counts();
        for lane in &mut self.more {
            sums.iter_mut().zip(lane.counts()).for_each(|(sum, count)| *sum += count);
        }
        for (cell, value) in self.cells.iter().zip(sums) {
            cell.set(value);
        }
    }
}
