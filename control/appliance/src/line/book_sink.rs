//! What the featurizer's stage hands out: vectors to the scorer, quotes to the gate, names to whoever needs them, rows to
//! files. One type for every clock; what differs is where the ends lead.

use super::book_files::BookFiles;
use super::gate_tables::QuoteTable;
use super::health::Channels;
use super::last_trades::LastTrades;
use super::notes::{BookNote, Defined};
use super::outlet::Outlet;
use control::config::suffixed;
use featurizer::features::GRID_NS;
use featurizer::{Book, Effect, FeatureSink, Featurizer, Observer, StageSink, TopOfBookSink};
use stage::RingTx;
use types::{
    Action, BookEvent, DEPTH_LEVELS, Depth, DepthSide, EventFlags, FeatureVector, FeedIndex, InstrumentId,
    Side, Symbol, TopOfBook, UnixNanos,
};

/// Whose time it is when an event is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeOf {
    /// The poll's: live, where an event is taken in when it arrives.
    Poll,
    /// The event's, which does not run backwards: in a replay.
    Event,
}

/// Where quotes go.
pub(crate) enum Quotes {
    /// Into the gate's table.
    Direct(QuoteTable),
    /// To the desk, which puts them in force in order of time.
    Scheduled(Outlet<BookNote>),
    /// No gate listens.
    Nowhere,
}

/// Whose levels changed and were not told yet. Live, they are told once a poll, however often they changed in it.
pub(crate) struct Untold {
    marked: Box<[bool]>,
    list: Vec<InstrumentId>,
}

impl Untold {
    pub(crate) fn new(instruments: usize) -> Self {
        Self { marked: vec![false; instruments].into(), list: Vec::with_capacity(instruments) }
    }

    /// An instrument beyond the tables has no reference, and nobody asks for its levels.
    fn mark(&mut self, instrument: InstrumentId) {
        if let Some(marked) = self.marked.get_mut(instrument.index())
            && !core::mem::replace(marked, true)
        {
            self.list.push(instrument);
        }
    }

    fn take(&mut self) -> Option<InstrumentId> {
        let instrument = self.list.pop()?;
        self.marked[instrument.index()] = false;
        Some(instrument)
    }
}

/// What the sink keeps of one feed. Books number their instruments from 0; behind the sink each has one number among all feeds'.
pub(crate) struct FeedBooks {
    pub(crate) index: FeedIndex,
    /// Number of the first of its instruments; 0 of the first feed.
    pub(crate) first: u32,
    /// What its symbols have behind them.
    pub(crate) suffix: Box<str>,
    pub(crate) untold: Untold,
    pub(crate) last_trades: LastTrades,
    pub(crate) channels: Channels,
    /// The last time until which the feed was complete that was told.
    pub(crate) complete: UnixNanos,
}

impl FeedBooks {
    /// The number of an instrument behind the sink. Books have none beyond their feed's share.
    const fn outside(&self, instrument: InstrumentId) -> InstrumentId {
        InstrumentId(instrument.0.saturating_add(self.first))
    }

    /// A vector of an instrument as those behind the sink know it.
    fn vector_outside(&self, vector: &FeatureVector) -> FeatureVector {
        FeatureVector { instrument: self.outside(vector.instrument), ..*vector }
    }
}

/// The featurizer's sink.
pub(crate) struct BookSink {
    pub(crate) time: TimeOf,
    /// The running step's time.
    pub(crate) now: UnixNanos,
    /// None: the officers' limits are to hold alone.
    pub(crate) vectors: Option<RingTx<FeatureVector>>,
    pub(crate) quotes: Quotes,
    /// Of each feed, by its number: one at least.
    pub(crate) feeds: Box<[FeedBooks]>,
    /// Whose turn it is, one of them.
    pub(crate) turn: usize,
    /// Names for the scorer, each before the first vector that needs it.
    pub(crate) to_scorer: Outlet<Defined>,
    /// Names for a desk whose tables are written by others.
    pub(crate) to_desk: Outlet<Defined>,
    /// Names for the cold thread. One that finds no room is offered by the feed again, or its instrument stays refused.
    pub(crate) to_cold: Outlet<Defined>,
    /// Every vector, for a judge of the model.
    pub(crate) to_judge: Outlet<FeatureVector>,
    pub(crate) files: Option<BookFiles>,
}

impl BookSink {
    /// Sends what waits; true when nothing waits any more.
    fn flush(&mut self) -> bool {
        let told = match &mut self.quotes {
            Quotes::Scheduled(notes) => notes.flush(),
            Quotes::Direct(_) | Quotes::Nowhere => true,
        };
        let named = self.to_scorer.flush();
        let judged = self.to_cold.flush() & self.to_judge.flush();
        self.to_desk.flush() && named && judged && told
    }

    /// Lets go of every ring, so that the stages behind know that nothing more comes.
    fn close(&mut self) {
        self.vectors = None;
        self.to_scorer.close();
        self.to_desk.close();
        self.to_cold.close();
        self.to_judge.close();
        if let Quotes::Scheduled(notes) = &mut self.quotes {
            notes.close();
        }
    }

    /// Closes the files.
    ///
    /// # Errors
    /// The first that any of them met.
    pub(crate) fn finish_files(self) -> anyhow::Result<()> {
        self.files.map_or(Ok(()), BookFiles::finish)
    }

    /// How many of `events` are of one moment to those who listen: every quote has its event's time where a desk is scheduled by
    /// it, and every end of a grid point that of the event that shows it.
    fn step(&self, events: &[BookEvent]) -> usize {
        match (self.time, &self.quotes) {
            (TimeOf::Poll, _) => events.len(),
            (TimeOf::Event, Quotes::Scheduled(_) | Quotes::Direct(_)) => 1,
            (TimeOf::Event, Quotes::Nowhere) => {
                let grid = |event: &BookEvent| event.ts_event.0.div_ceil(GRID_NS);
                let first = events.first().map(grid);
                events.iter().take_while(|event| Some(grid(event)) == first).count()
            }
        }
    }
}

impl StageSink for BookSink {
    fn begin(&mut self, events: &[BookEvent], now: UnixNanos) -> usize {
        self.now = match self.time {
            TimeOf::Poll => now,
            TimeOf::Event => events.first().map_or(self.now, |event| self.now.max(event.ts_event)),
        };
        if self.flush() { self.step(events) } else { 0 }
    }

    fn turn(&mut self, feed: usize) {
        if feed == self.turn || feed >= self.feeds.len() {
            return;
        }
        self.turn = feed;
        if let Quotes::Direct(table) = &mut self.quotes {
            table.of_feed(self.feeds[feed].index);
        }
    }

    fn polled(&mut self, featurizer: &mut Featurizer, ended: bool) -> bool {
        if let Some(files) = &mut self.files {
            files.polled(featurizer, ended);
        }
        while let Some(instrument) = self.feeds[self.turn].untold.take() {
            if let Some(book) = featurizer.book(instrument) {
                self.tell_depth(&book);
            }
        }
        let done = self.flush();
        if ended && done {
            self.close();
        }
        done
    }
}

impl FeatureSink for BookSink {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        // What was said before goes before.
        if !self.flush() {
            return 0;
        }
        let taken = match (&mut self.vectors, vectors) {
            (None, _) => vectors.len(),
            // The marker says when the grid point was known to be over.
            (Some(tx), [marker]) if marker.grid_end != 0 => {
                let marker = FeatureVector { ts_recv: self.now, ..*marker };
                tx.offer(&[marker.of_feed(self.feeds[self.turn].index)])
            }
            (Some(tx), _) if self.feeds[self.turn].first == 0 => tx.offer(vectors),
            (Some(tx), _) => {
                let feed = &self.feeds[self.turn];
                vectors.iter().take_while(|vector| tx.offer(&[feed.vector_outside(vector)]) == 1).count()
            }
        };
        if self.to_judge.is_open() {
            vectors[..taken].iter().for_each(|vector| self.to_judge.push(*vector));
        }
        if let Quotes::Scheduled(notes) = &mut self.quotes {
            let ends = vectors[..taken].iter().filter(|vector| vector.grid_end != 0);
            ends.for_each(|end| notes.push(BookNote::Grid(end.ts)));
        }
        if let Some(files) = &mut self.files {
            files.vectors(&vectors[..taken]);
        }
        taken
    }
}

impl TopOfBookSink for BookSink {
    fn top(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        let last_ts = match self.time {
            TimeOf::Poll => self.feeds[self.turn].last_trades.taken_in(instrument, top.last_ts, self.now),
            // Here the venue's clock is the gate's.
            TimeOf::Event => top.last_ts,
        };
        let top = TopOfBook { ts: self.now, last_ts, ..*top };
        let instrument = self.feeds[self.turn].outside(instrument);
        match &mut self.quotes {
            Quotes::Direct(table) => table.top(instrument, &top),
            Quotes::Scheduled(notes) => notes.push(BookNote::Top { instrument, top }),
            Quotes::Nowhere => {}
        }
    }

    fn applied(&mut self, events: &[BookEvent], gap_open: bool) {
        let feed = &mut self.feeds[self.turn];
        let Some(complete) = feed.channels.note(events, gap_open, self.now) else { return };
        if complete == feed.complete {
            return;
        }
        feed.complete = complete;
        match &mut self.quotes {
            Quotes::Direct(table) => table.complete(complete),
            Quotes::Scheduled(notes) => notes.push(BookNote::Complete { complete, at: self.now }),
            Quotes::Nowhere => {}
        }
    }
}

impl BookSink {
    /// The levels of `book` changed. In a replay, where each event has a time of its own, they are told at once.
    fn note_depth(&mut self, book: &Book<'_>) {
        match (&self.quotes, self.time) {
            (Quotes::Nowhere, _) => {}
            (Quotes::Direct(_) | Quotes::Scheduled(_), TimeOf::Poll) => {
                self.feeds[self.turn].untold.mark(book.instrument());
            }
            (Quotes::Direct(_) | Quotes::Scheduled(_), TimeOf::Event) => self.tell_depth(book),
        }
    }

    fn tell_depth(&mut self, book: &Book<'_>) {
        let instrument = self.feeds[self.turn].outside(book.instrument());
        let side = |side| DepthSide::of(book.levels(side, DEPTH_LEVELS));
        let depth = Depth { bids: side(Side::Bid), asks: side(Side::Ask) };
        match &mut self.quotes {
            Quotes::Direct(table) => table.depth(instrument, &depth),
            Quotes::Scheduled(notes) => notes.push(BookNote::Depth { instrument, depth, at: self.now }),
            Quotes::Nowhere => {}
        }
    }

    #[cold]
    fn define(&mut self, event: &BookEvent) {
        let symbol = Symbol::from_word(event.order_id);
        let feed = &self.feeds[self.turn];
        let named = suffixed(symbol, &feed.suffix);
        let defined = Defined {
            instrument: feed.outside(event.instrument),
            symbol: named.unwrap_or(symbol),
            feed: feed.index,
            is_named: named.is_some(),
        };
        // First to the cold thread: what the scorer then says of it is said of something known.
        self.to_cold.push(defined);
        if !defined.is_named {
            return;
        }
        self.to_scorer.push(defined);
        self.to_desk.push(defined);
        if let Quotes::Scheduled(notes) = &mut self.quotes {
            notes.push(BookNote::Define { defined, at: self.now });
        }
        if let Some(files) = &mut self.files {
            files.define(defined);
        }
    }
}

impl Observer for BookSink {
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        if event.action == Action::Define {
            self.define(event);
        }
        let whole = effect.changes_levels() && event.flags.has(EventFlags::LAST);
        if whole || event.action == Action::Clear {
            self.note_depth(book);
        }
        if let Some(files) = &mut self.files {
            files.tables.on_event_applied(event, book, effect);
        }
    }

    fn on_doubt(&mut self, event: &BookEvent, book: &Book<'_>) {
        if let Some(files) = &mut self.files {
            files.tables.on_doubt(event, book);
        }
    }

    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        if event.instrument == InstrumentId::ALL {
            self.note_depth(book);
        }
        if let Some(files) = &mut self.files {
            files.tables.on_bbo(event, book);
        }
    }
}
