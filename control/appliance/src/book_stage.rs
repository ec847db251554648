//! The featurizer as a replay runs it: the same books and features as live, with an exact quote after every event, the
//! book tables on the side, and nothing lost when a ring is full.

use crate::desk::TopNote;
use crate::tables::BookTables;
use featurizer::capture::FeatureWriter;
use featurizer::costs::CostWriter;
use featurizer::{Book, Effect, FeatureSink, Featurizer, Observer, Sinks, TopOfBookSink};
use stage::ring::LosslessTx;
use stage::{HopHistogram, RingRx, Stage, Work};
use std::time::Instant;
use types::{Action, BookEvent, FeatureVector, InstrumentId, Nanos, Symbol, TopOfBook, UnixNanos};

/// Events taken from the ring at once.
const CHUNK: usize = 256;

/// Vectors that may wait for room in the scorer's ring before the books stop taking events.
const VECTORS_WAITING_MAX: usize = 1 << 16;

/// What the books tell the stages behind them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BookNote {
    /// An instrument got its number.
    Define { instrument: InstrumentId, symbol: Symbol, ts: UnixNanos },
    /// A quote changed.
    Top(TopNote),
    /// The feed lost messages, or began cleanly after it had.
    Gap { open: bool, ts: UnixNanos },
    /// Everything up to this grid point has been said.
    Grid(UnixNanos),
}

impl BookNote {
    /// When it became true.
    pub(crate) const fn ts(&self) -> UnixNanos {
        match *self {
            Self::Define { ts, .. } | Self::Gap { ts, .. } | Self::Grid(ts) => ts,
            Self::Top(TopNote { top, .. }) => top.ts,
        }
    }
}

/// A fixed room for vectors on their way out.
#[derive(Debug)]
struct Waiting<T> {
    items: Vec<T>,
    room: usize,
}

impl<T> Waiting<T> {
    fn new(room: usize) -> Self {
        Self { items: Vec::with_capacity(room.min(1 << 12)), room }
    }
}

impl FeatureSink for Waiting<FeatureVector> {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        let taken = vectors.len().min(self.room - self.items.len());
        self.items.extend_from_slice(&vectors[..taken]);
        taken
    }
}

/// Quotes of one call.
#[derive(Debug, Default)]
struct Tops(Vec<TopNote>);

impl TopOfBookSink for Tops {
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        self.0.push(TopNote { instrument, top: *top });
    }
}

/// Watches the events for definitions, and writes the book tables.
struct Watch {
    tables: BookTables,
    defined: Vec<BookNote>,
}

impl Observer for Watch {
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        if event.action == Action::Define {
            let (instrument, symbol) = (event.instrument, Symbol::from_word(event.order_id));
            self.defined.push(BookNote::Define { instrument, symbol, ts: event.ts_event });
        }
        self.tables.on_event_applied(event, book, effect);
    }

    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        self.tables.on_bbo(event, book);
    }
}

/// Where the stage's output goes.
pub(crate) struct BookOutputs {
    /// To the scorer; none without a model.
    pub(crate) vectors: Option<LosslessTx<FeatureVector>>,
    /// Definitions for the scorer.
    pub(crate) defines: Option<LosslessTx<BookNote>>,
    /// To the desk; none without orders.
    pub(crate) notes: Option<LosslessTx<BookNote>>,
    /// The feature capture.
    pub(crate) capture: Option<FeatureWriter>,
    /// The costs of orders.
    pub(crate) costs: Option<CostWriter>,
    /// bbo.csv and depth.csv.
    pub(crate) tables: BookTables,
}

/// Books and features between two rings.
pub(crate) struct BookStage {
    featurizer: Featurizer,
    rx: RingRx<BookEvent>,
    out: BookOutputs,
    watch: Watch,
    chunk: Box<[BookEvent; CHUNK]>,
    /// Part of the chunk not applied yet.
    pending: std::ops::Range<usize>,
    vectors: Waiting<FeatureVector>,
    tops: Tops,
    /// Notes on their way to the desk, and how many the ring has taken.
    notes: Vec<BookNote>,
    notes_sent: usize,
    defines: Vec<BookNote>,
    /// Whether the desk was told of an open gap.
    gap_noted: bool,
    /// How many of `vectors` the capture has, and of how many the desk heard.
    captured: usize,
    noted: usize,
    finished: bool,
    latency: Option<HopHistogram>,
    /// The first error of a file, kept for the driver.
    pub(crate) error: Option<anyhow::Error>,
}

impl BookStage {
    pub(crate) fn new(mut featurizer: Featurizer, rx: RingRx<BookEvent>, mut out: BookOutputs) -> Self {
        if out.costs.is_some() {
            featurizer.capture_costs();
        }
        let tables = std::mem::take(&mut out.tables);
        Self {
            featurizer,
            rx,
            out,
            watch: Watch { tables, defined: Vec::new() },
            chunk: Box::new([BookEvent::EMPTY; CHUNK]),
            pending: 0..0,
            vectors: Waiting::new(VECTORS_WAITING_MAX),
            tops: Tops::default(),
            notes: Vec::new(),
            notes_sent: 0,
            defines: Vec::new(),
            gap_noted: false,
            captured: 0,
            noted: 0,
            finished: false,
            latency: None,
            error: None,
        }
    }

    /// Records the time each chunk takes, per event.
    pub(crate) fn measure(&mut self, latency: HopHistogram) {
        self.latency = Some(latency);
    }

    /// The books as they stand.
    pub(crate) const fn featurizer(&self) -> &Featurizer {
        &self.featurizer
    }

    /// Closes the files.
    pub(crate) fn finish_files(&mut self) -> anyhow::Result<()> {
        if let Some(latency) = &mut self.latency {
            latency.swap(UnixNanos(0));
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Some(capture) = self.out.capture.take() {
            capture.finish()?;
        }
        if let Some(costs) = self.out.costs.take() {
            costs.finish()?;
        }
        std::mem::take(&mut self.watch.tables).finish()
    }

    /// Applies what is pending of the chunk. With a desk, event by event, so that every quote is told with its own time.
    fn apply(&mut self) -> u32 {
        let start = Instant::now();
        let mut applied = 0;
        while !self.pending.is_empty() {
            let end = if self.out.notes.is_some() { self.pending.start + 1 } else { self.pending.end };
            let sinks =
                &mut Sinks { features: &mut self.vectors, tops: &mut self.tops, observer: &mut self.watch };
            let consumed = self.featurizer.apply(&self.chunk[self.pending.start..end], sinks);
            self.pending.start += consumed;
            applied += consumed;
            self.collect_notes();
            if consumed == 0 {
                break;
            }
        }
        if let (Some(latency), true) = (&mut self.latency, applied > 0) {
            let per_event = start.elapsed().as_nanos() / applied as u128;
            latency.record(Nanos(u64::try_from(per_event).unwrap_or(u64::MAX)));
        }
        u32::try_from(applied).unwrap_or(u32::MAX)
    }

    fn collect_notes(&mut self) {
        if self.out.defines.is_some() {
            self.defines.extend_from_slice(&self.watch.defined);
        }
        if self.out.notes.is_some() {
            // Grid points end before the event that shows it, whose notes follow.
            let ends = self.vectors.items[self.noted..].iter().filter(|v| v.grid_end == 1);
            self.notes.extend(ends.map(|v| BookNote::Grid(v.ts)));
            self.noted = self.vectors.items.len();
            self.notes.append(&mut self.watch.defined);
            self.notes.extend(self.tops.0.drain(..).map(BookNote::Top));
            let open = self.featurizer.gap_open();
            if core::mem::replace(&mut self.gap_noted, open) != open {
                // The event that opened or closed it has just been applied.
                let ts = self.chunk[self.pending.start.saturating_sub(1)].ts_event;
                self.notes.push(BookNote::Gap { open, ts });
            }
        }
        self.watch.defined.clear();
        self.tops.0.clear();
    }

    /// Hands on what waits; true when nothing waits any more. Definitions go before the vectors that need them, and the
    /// notes of a grid point before its end.
    fn hand_on(&mut self) -> bool {
        self.capture_new();
        if let Some(tx) = &mut self.out.defines {
            let sent = tx.offer(&self.defines);
            self.defines.drain(..sent);
        }
        let notes_done = self.send_notes();
        let vectors_done = notes_done && self.defines.is_empty() && self.send_vectors();
        notes_done && vectors_done
    }

    fn send_notes(&mut self) -> bool {
        if let Some(tx) = &mut self.out.notes {
            self.notes_sent += tx.offer(&self.notes[self.notes_sent..]);
        }
        let done = self.out.notes.is_none() || self.notes_sent == self.notes.len();
        if done {
            self.notes.clear();
            self.notes_sent = 0;
        }
        done
    }

    fn send_vectors(&mut self) -> bool {
        let sent = match &mut self.out.vectors {
            Some(tx) => tx.offer(&self.vectors.items),
            None => self.vectors.items.len(),
        };
        self.vectors.items.drain(..sent);
        self.captured -= sent;
        self.noted = self.noted.saturating_sub(sent);
        self.vectors.items.is_empty()
    }

    /// Writes the costs that are known; with `last`, also the rows whose costs never will be.
    fn capture_costs(&mut self, last: bool) {
        let Self { featurizer, out, error, watch, .. } = self;
        let Some(costs) = &mut out.costs else { return };
        for row in featurizer.take_costs(last) {
            let symbol = featurizer.symbol(row.instrument).filter(|&s| watch.tables.filter.keeps(s));
            if let (Some(symbol), None) = (symbol, &error) {
                *error = costs.write(symbol, &row).err().map(Into::into);
            }
        }
    }

    fn capture_new(&mut self) {
        let Self { featurizer, out, vectors, captured, error, watch, .. } = self;
        if let Some(capture) = &mut out.capture {
            for vector in vectors.items[*captured..].iter().filter(|v| v.grid_end == 0) {
                let symbol = featurizer.symbol(vector.instrument).filter(|&s| watch.tables.filter.keeps(s));
                if let (Some(symbol), None) = (symbol, &error) {
                    *error = capture.write(symbol, vector).err().map(Into::into);
                }
            }
        }
        *captured = vectors.items.len();
    }
}

impl Stage for BookStage {
    fn name(&self) -> &'static str {
        "featurizer"
    }

    fn poll(&mut self, _now: UnixNanos) -> Work {
        if !self.hand_on() {
            return Work::of(1);
        }
        if self.pending.is_empty() {
            let ended = self.rx.is_abandoned();
            self.pending = 0..self.rx.recv(&mut self.chunk[..]);
            if self.pending.is_empty() && ended {
                return self.end();
            }
        }
        let applied = self.apply();
        self.capture_costs(false);
        self.hand_on();
        Work::of(applied)
    }
}

impl BookStage {
    /// The input is over: the running grid point is closed, then the rings.
    fn end(&mut self) -> Work {
        if !self.finished {
            self.finished = self.featurizer.finish(&mut self.vectors);
            self.collect_notes();
            self.capture_costs(self.finished);
            self.hand_on();
            return Work::of(1);
        }
        self.out.vectors = None;
        self.out.defines = None;
        self.out.notes = None;
        Work::DONE
    }
}
