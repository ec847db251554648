//! The featurizer: applies events to books, keeps the grid, and hands out vectors and quotes.
//!
//! **The grid.** Grid points are the multiples of 100 ms of event time. The vector at t uses events with `ts_event <= t`; it is
//! made when the first event after t arrives. An event older than the newest closed grid point is applied all the same, counted
//! as late, and belongs to the running step.
//!
//! **Who gets a vector.** Every instrument to which something happened since the last grid point, and every one whose values
//! changed because its windows moved on, in ascending order; then the end-of-grid marker. 65 s after its last event all of an
//! instrument's windows are empty and it is left alone; when that holds for all of them, the grid jumps to the next event.
//!
//! **Closing a grid point** takes milliseconds for thousands of instruments. Live, it is therefore spread over the events that
//! follow, a few instruments after each block of them; an instrument that has an event of its own first is closed first, so that
//! every vector is of its grid point all the same.
//!
//! **When the scorer is slow.** Vectors wait in one slot per instrument. A slot that is still waiting at the next grid point is
//! overwritten (newest wins, [`OnFull::KeepDirty`]), or nothing moves until there is room ([`OnFull::Wait`], for replays).

use types::{
    Action, BookEvent, EventFlags, FeatureVector, InstrumentId, Px, Side, Symbol, TopOfBook, UnixNanos,
};

use crate::bitset::BitSet;
use crate::costs::{CostRow, Ledger, walk_bps};
use crate::features::{Engine, GRID_NS, QUIET, Rows};
use crate::sinks::{FeatureSink, Observer, Sinks, TopOfBookSink};
use crate::{
    Applied, Bbo, Book, BookCounters, BookLimits, Books, BooksMut, BuildError, Effect, MemoryReport,
    Occupancy,
};

/// Vectors offered to the sink at once.
const OFFER: usize = 32;

/// Instruments closed after each block of events.
const CLOSE_STEP: usize = 32;

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
    /// Events whose cache lines are read before the first of them is applied; 0 reads none ahead.
    pub lookahead: usize,
    /// Whether vectors say what orders of eight sizes would pay ([`FeatureVector::walk_bps`]): a walk down both sides of every
    /// book that something happened to.
    pub walk: bool,
}

impl Default for FeaturizerConfig {
    /// A US equity day, live, 64 events ahead, no walks.
    fn default() -> Self {
        Self { books: BookLimits::default(), on_full: OnFull::KeepDirty, lookahead: 64, walk: false }
    }
}

/// Counts since construction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeaturizerCounters {
    /// Events consumed.
    pub events: u64,
    /// Grid points closed.
    pub grid_points: u64,
    /// Vectors made.
    pub vectors: u64,
    /// Vectors replaced by a newer one before the sink took them.
    pub conflated: u64,
    /// Events older than the newest closed grid point.
    pub late_events: u64,
    /// Counts of the books.
    pub books: BookCounters,
}

/// Books and features of every instrument.
#[derive(Debug)]
pub struct Featurizer {
    books: Books,
    core: Core,
}

/// Everything but the books.
#[derive(Debug)]
struct Core {
    engine: Engine,
    on_full: OnFull,
    lookahead: usize,
    walk: bool,
    /// Newest vector of each instrument.
    vectors: Box<[FeatureVector]>,
    /// Whose vector waits for the sink.
    unsent: BitSet,
    /// The end-of-grid marker that waits behind them.
    marker: Option<UnixNanos>,
    /// The grid point whose vectors are being made.
    closing: Option<Closing>,
    /// Whose vector is still to be made for it.
    pending: BitSet,
    /// To whom something happened in its step.
    was_touched: BitSet,
    /// To whom something happened in the running step.
    touched: BitSet,
    /// Whose windows are not known to be empty.
    active: BitSet,
    /// Grid number of each instrument's last event.
    last_grid: Box<[u64]>,
    /// Number of the running grid step: its end is this times [`GRID_NS`]. None before the first event.
    grid: Option<u64>,
    /// Where that step begins; out of reach of any event before the first.
    step_start: u64,
    lasts: Box<[Px]>,
    /// Whose top of book changed in this chunk.
    changed: BitSet,
    changed_list: Vec<u32>,
    counters: FeaturizerCounters,
    /// Costs of orders at each vector, when they are captured.
    costs: Option<Box<Ledger>>,
}

/// A grid point whose vectors are being made, in ascending order but for instruments with events of their own.
#[derive(Clone, Copy, Debug)]
struct Closing {
    grid: u64,
    rows: Rows,
    /// Everything before this is done.
    cursor: usize,
}

impl Featurizer {
    /// Takes all memory; see [`Featurizer::memory`].
    ///
    /// # Errors
    /// A bound out of its range, or a machine without the memory.
    pub fn new(config: &FeaturizerConfig) -> Result<Self, BuildError> {
        let books = Books::new(&config.books)?;
        let n = books.capacity();
        let blank = |i: usize| FeatureVector { instrument: InstrumentId(i as u32), ..FeatureVector::EMPTY };
        let core = Core {
            engine: Engine::new(n),
            on_full: config.on_full,
            lookahead: config.lookahead,
            walk: config.walk,
            vectors: (0..n).map(blank).collect(),
            unsent: BitSet::new(n),
            marker: None,
            closing: None,
            pending: BitSet::new(n),
            was_touched: BitSet::new(n),
            touched: BitSet::new(n),
            active: BitSet::new(n),
            last_grid: vec![0; n].into_boxed_slice(),
            grid: None,
            step_start: u64::MAX,
            lasts: vec![Px::NONE; n].into_boxed_slice(),
            changed: BitSet::new(n),
            changed_list: Vec::with_capacity(n),
            counters: FeaturizerCounters::default(),
            costs: None,
        };
        Ok(Self { books, core })
    }

    /// Applies events in order and returns how many were consumed: all of them, except that [`OnFull::Wait`] stops before an
    /// event that would close a grid point while vectors of the last one still wait.
    pub fn apply<F: FeatureSink, T: TopOfBookSink, O: Observer>(
        &mut self,
        events: &[BookEvent],
        sinks: &mut Sinks<'_, F, T, O>,
    ) -> usize {
        let mut run = Run { books: self.books.lend(), core: &mut self.core, sinks };
        let consumed = run.apply(events);
        run.publish_tops();
        self.core.counters.events += consumed as u64;
        consumed
    }

    /// Goes on with the vectors of the last grid point and offers waiting ones to the sink again; true when none waits any more.
    /// For polls that find no event.
    pub fn flush<F: FeatureSink>(&mut self, features: &mut F) -> bool {
        self.core.close_some(&self.books.lend(), CLOSE_STEP);
        self.core.flush(features)
    }

    /// Closes the running grid step at the end of the input, so that its vectors are not lost. True when the sink has taken
    /// everything; else call it again when there is room.
    pub fn finish<F: FeatureSink>(&mut self, features: &mut F) -> bool {
        self.core.close_some(&self.books.lend(), usize::MAX);
        if !self.core.flush(features) {
            return false;
        }
        if let Some(grid) = self.core.grid.filter(|_| !self.core.touched.is_empty()) {
            self.core.begin_close(grid);
            self.core.close_some(&self.books.lend(), usize::MAX);
            self.core.set_grid(grid + 1);
        }
        self.core.flush(features)
    }

    /// From now on, prices orders of several sizes whenever a vector is made of a book that allows it; the rows wait, in
    /// memory that grows, until [`Featurizer::take_costs`].
    pub fn capture_costs(&mut self) {
        self.core.costs = Some(Box::new(Ledger::new(self.books.capacity())));
    }

    /// Takes the rows whose outcome is known; with `last`, the input being over, also those whose outcome never will be.
    pub fn take_costs(&mut self, last: bool) -> Vec<CostRow> {
        let Some(costs) = &mut self.core.costs else { return Vec::new() };
        if last {
            costs.close();
        }
        costs.take()
    }

    /// One instrument's book.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<Book<'_>> {
        self.books.book(instrument)
    }

    /// Books of every instrument addressed so far, in order of their numbers.
    pub fn books(&self) -> impl Iterator<Item = Book<'_>> {
        (0..self.books.used()).filter_map(|i| self.books.book(InstrumentId(i as u32)))
    }

    /// An instrument's name, once defined.
    #[must_use]
    pub fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.books.book(instrument)?.symbol()
    }

    /// The instrument with this name; a walk over all of them, for the cold path.
    #[must_use]
    pub fn find(&self, symbol: Symbol) -> Option<InstrumentId> {
        self.books().find(|book| book.symbol() == Some(symbol)).map(|book| book.instrument())
    }

    /// The newest vector made for an instrument.
    #[must_use]
    pub fn vector(&self, instrument: InstrumentId) -> Option<&FeatureVector> {
        self.core.vectors.get(instrument.index())
    }

    /// Price of the last printable trade, [`Px::NONE`] before the first.
    #[must_use]
    pub fn last(&self, instrument: InstrumentId) -> Px {
        self.core.lasts.get(instrument.index()).copied().unwrap_or(Px::NONE)
    }

    /// Whether the feed lost messages that no clean begin has made good yet. Every book that was in use then is stale.
    #[must_use]
    pub fn gap_open(&self) -> bool {
        self.books.gap_open()
    }

    /// Counts since construction.
    #[must_use]
    pub fn counters(&self) -> FeaturizerCounters {
        FeaturizerCounters { books: self.books.counters(), ..self.core.counters }
    }

    /// How full the bounded tables are.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        self.books.occupancy()
    }

    /// What books and features occupy.
    #[must_use]
    pub fn memory(&self) -> MemoryReport {
        let core = &self.core;
        let features = core.engine.bytes()
            + size_of_val(&*core.vectors)
            + size_of_val(&*core.last_grid)
            + size_of_val(&*core.lasts)
            + core.changed_list.capacity() * size_of::<u32>();
        let books = self.books.memory();
        MemoryReport { bytes: books.bytes + features, ..books }
    }
}

/// One call of [`Featurizer::apply`].
struct Run<'a, 's, 'o, F, T, O> {
    books: BooksMut<'a>,
    core: &'a mut Core,
    sinks: &'s mut Sinks<'o, F, T, O>,
}

impl<F: FeatureSink, T: TopOfBookSink, O: Observer> Run<'_, '_, '_, F, T, O> {
    fn apply(&mut self, events: &[BookEvent]) -> usize {
        let block = if self.core.lookahead == 0 { usize::MAX } else { self.core.lookahead };
        let mut consumed = 0;
        self.core.flush(self.sinks.features);
        for chunk in events.chunks(block) {
            if self.core.lookahead > 0 {
                self.books.prefetch(chunk);
                self.core.engine.prefetch(chunk);
            }
            for event in chunk {
                if !self.reach(event) {
                    return consumed;
                }
                self.step(event);
                consumed += 1;
            }
            self.core.close_some(&self.books, CLOSE_STEP);
            self.core.flush(self.sinks.features);
        }
        consumed
    }

    /// Closes every grid point before the event. False when that has to wait for the sink.
    #[inline]
    fn reach(&mut self, event: &BookEvent) -> bool {
        // Within the running step, which is open on the left: neither late nor later.
        let into_step = event.ts_event.0.wrapping_sub(self.core.step_start).wrapping_sub(1);
        into_step < GRID_NS || self.reach_other(event.ts_event.0)
    }

    #[cold]
    #[inline(never)]
    fn reach_other(&mut self, ts: u64) -> bool {
        if self.core.grid.is_some_and(|grid| ts <= grid * GRID_NS) {
            self.core.counters.late_events += u64::from(ts != 0);
            return true;
        }
        self.reach_later(ts)
    }

    fn reach_later(&mut self, ts: u64) -> bool {
        if ts == 0 {
            // An event without a time of its own (a definition from the configuration) moves no grid.
            return true;
        }
        let wanted = ts.div_ceil(GRID_NS).min(u64::MAX / GRID_NS);
        let Some(mut grid) = self.core.grid else {
            self.core.set_grid(wanted);
            return true;
        };
        while grid < wanted {
            self.core.close_some(&self.books, usize::MAX);
            if !self.core.flush(self.sinks.features) && self.core.on_full == OnFull::Wait {
                return false;
            }
            if self.core.touched.is_empty() && self.core.active.is_empty() {
                grid = wanted;
            } else {
                self.core.begin_close(grid);
                grid += 1;
            }
            self.core.set_grid(grid);
        }
        if self.core.on_full == OnFull::Wait {
            self.core.close_some(&self.books, usize::MAX);
            self.core.flush(self.sinks.features);
        }
        true
    }

    #[inline]
    fn step(&mut self, event: &BookEvent) {
        let instrument = event.instrument;
        let i = instrument.index();
        if self.core.closing.is_some() {
            self.close_before(event);
        }
        let ordinary = event.action as u8 <= Action::Trade as u8 && !self.books.is_doubtful(instrument);
        let applied = self.books.apply(event);
        if !ordinary || applied.effect == Effect::Refused {
            self.after_rare(event);
        }
        if i >= self.core.vectors.len() {
            return;
        }
        self.core.touched.insert(i);
        self.core.engine.count(i, event, &applied);
        if matches!(event.action, Action::OrderExecute | Action::Trade) && applied.effect != Effect::Unknown {
            self.after_trade(event, &applied);
        }
        if applied.effect == Effect::Changed && event.flags.has(EventFlags::LAST) {
            self.settle(event);
        }
        if self.core.engine.is_watched(i, event.ts_event)
            && let Some(book) = self.books.book(instrument)
        {
            self.core.engine.observe(i, &book);
        }
        if O::ACTIVE
            && let Some(book) = self.books.book(instrument)
        {
            self.sinks.observer.on_event_applied(event, &book, applied.effect);
        }
    }

    /// Makes the vectors of the last grid point that the event would change.
    fn close_before(&mut self, event: &BookEvent) {
        let i = event.instrument.index();
        if i < self.core.vectors.len() {
            if self.core.pending.contains(i) {
                self.core.close_one(i, &self.books);
            }
        } else if event.action != Action::Time {
            self.core.close_some(&self.books, usize::MAX);
        }
    }

    /// Reads the best quotes after a whole venue event.
    #[inline]
    fn settle(&mut self, event: &BookEvent) {
        let Some(before) = self.books.settle(event.instrument) else { return };
        let i = event.instrument.index();
        if event.action != Action::Clear {
            self.core.engine.on_quote(i, event, &before, self.books.bbo(event.instrument));
        }
        self.core.note_changed(i);
        if O::ACTIVE
            && let Some(book) = self.books.book(event.instrument)
        {
            self.sinks.observer.on_bbo(event, &book);
        }
    }

    fn after_trade(&mut self, event: &BookEvent, applied: &Applied) {
        let i = event.instrument.index();
        if !event.flags.has(EventFlags::NON_PRINTABLE) && applied.px.is_some() {
            self.core.lasts[i] = applied.px;
            self.core.note_changed(i);
        }
        if event.flags.has(EventFlags::CROSS) || applied.qty == 0 {
            return;
        }
        let before = self.books.bbo(event.instrument);
        if let Some(side) = resting_side(event, applied, before) {
            self.core.engine.on_trade(i, event.ts_event, applied, side, before);
        }
    }

    /// Everything that is not plain order flow on a live book: states and statuses may have changed.
    #[cold]
    fn after_rare(&mut self, event: &BookEvent) {
        let i = event.instrument.index();
        if i < self.core.vectors.len() {
            self.after_rare_of(i, event);
        } else if event.instrument == InstrumentId::ALL && event.action != Action::Time {
            if event.action == Action::Clear {
                self.restart_day(event);
            }
            for i in 0..self.books.used() {
                self.core.touched.insert(i);
                self.after_rare_of(i, event);
            }
        }
    }

    fn after_rare_of(&mut self, i: usize, event: &BookEvent) {
        self.core.note_changed(i);
        let instrument = InstrumentId(i as u32);
        let cleared = event.action == Action::Clear;
        let live = self.books.book(instrument).is_some_and(|book| book.state().is_live());
        if cleared || !live {
            self.core.engine.restart(i);
        }
        if cleared && event.instrument == InstrumentId::ALL {
            let vanished = self.books.settle(instrument).is_some();
            if O::ACTIVE
                && vanished
                && let Some(book) = self.books.book(instrument)
            {
                self.sinks.observer.on_bbo(event, &book);
            }
        }
    }

    /// A clear of everything that lies in the past starts another day: a replay of several files, a simulator's next run.
    fn restart_day(&mut self, event: &BookEvent) {
        let ts = event.ts_event.0;
        let past =
            self.core.grid.is_some_and(|grid| ts != 0 && ts.saturating_add(10 * GRID_NS) < grid * GRID_NS);
        if past {
            self.core.engine.reset();
            self.core.active.clear();
            self.core.touched.clear();
            self.core.lasts.fill(Px::NONE);
            self.core.set_grid(ts.div_ceil(GRID_NS));
        }
    }

    /// Tells the top of every book that changed in this chunk.
    fn publish_tops(&mut self) {
        let core = &mut *self.core;
        for n in 0..core.changed_list.len() {
            let i = core.changed_list[n] as usize;
            core.changed.remove(i);
            let instrument = InstrumentId(i as u32);
            let Some((tick, state, status)) = self.books.conditions(instrument) else { continue };
            let Bbo { bid, ask } = *self.books.bbo(instrument);
            let (last, ts) = (core.lasts[i], core.engine.last_event(i));
            let (bid, bid_qty, ask, ask_qty) = (bid.px, bid.qty, ask.px, ask.qty);
            let top = TopOfBook { bid, bid_qty, ask, ask_qty, last, tick, ts, state, status };
            self.sinks.tops.top(instrument, &top);
        }
        core.changed_list.clear();
    }
}

/// Side of the order a trade met: as the feed says, else by its price against the quotes before it.
fn resting_side(event: &BookEvent, applied: &Applied, before: &Bbo) -> Option<Side> {
    if event.action != Action::Trade || !event.flags.has(EventFlags::SIDELESS) {
        return Some(applied.side);
    }
    if before.bid.px.is_some() && applied.px <= before.bid.px {
        Some(Side::Bid)
    } else if before.ask.px.is_some() && applied.px.is_some() && applied.px >= before.ask.px {
        Some(Side::Ask)
    } else {
        None
    }
}

impl Core {
    #[inline]
    fn note_changed(&mut self, i: usize) {
        if !self.changed.contains(i) {
            self.changed.insert(i);
            self.changed_list.push(i as u32);
        }
    }

    fn set_grid(&mut self, grid: u64) {
        self.grid = Some(grid);
        self.step_start = (grid * GRID_NS).saturating_sub(GRID_NS);
    }

    /// Begins to make the vectors of a grid point; those of the one before are made.
    fn begin_close(&mut self, grid: u64) {
        self.counters.conflated += self.unsent.len() as u64;
        self.counters.grid_points += 1;
        self.closing = Some(Closing { grid, rows: self.engine.rows(grid), cursor: 0 });
        std::mem::swap(&mut self.touched, &mut self.was_touched);
        self.touched.clear();
        self.pending.assign_union(&self.was_touched, &self.active);
    }

    /// Makes at most `count` more vectors of the grid point being closed, and sets its marker behind the last.
    fn close_some(&mut self, books: &BooksMut<'_>, count: usize) {
        for _ in 0..count {
            let Some(closing) = self.closing else { return };
            let Some(i) = self.pending.next_from(closing.cursor) else {
                self.closing = None;
                self.marker = Some(UnixNanos(closing.grid * GRID_NS));
                return;
            };
            self.close_one(i, books);
            self.closing = Some(Closing { cursor: i + 1, ..closing });
        }
    }

    fn close_one(&mut self, i: usize, books: &BooksMut<'_>) {
        let Some(Closing { grid, rows, .. }) = self.closing else { return };
        self.pending.remove(i);
        let touched = self.was_touched.contains(i);
        if touched {
            self.last_grid[i] = grid;
            self.active.insert(i);
        } else if grid - self.last_grid[i] > QUIET {
            self.active.remove(i);
            return;
        }
        let book = if touched { books.book(InstrumentId(i as u32)) } else { None };
        let now = UnixNanos(grid * GRID_NS);
        let moved = self.engine.close(i, now, rows, book.as_ref(), &mut self.vectors[i]);
        // A book to which nothing happened is walked as it was.
        if self.walk
            && let Some(book) = &book
        {
            self.vectors[i].walk_bps = walk_bps(book);
        }
        if touched || moved {
            self.unsent.insert(i);
            self.counters.vectors += 1;
            if let Some(costs) = &mut self.costs
                && let Some(book) = books.book(InstrumentId(i as u32))
            {
                costs.at_grid(i, grid, touched, &book);
            }
        }
    }

    /// Offers waiting vectors, then the marker. True when nothing waits any more.
    fn flush<F: FeatureSink>(&mut self, sink: &mut F) -> bool {
        if self.closing.is_some() {
            // Ascending order holds only once all are made.
            return false;
        }
        if self.marker.is_none() {
            return true;
        }
        let mut from = 0;
        loop {
            let mut batch = [FeatureVector::EMPTY; OFFER];
            let mut len = 0;
            while len < OFFER
                && let Some(i) = self.unsent.next_from(from)
            {
                batch[len] = self.vectors[i];
                from = i + 1;
                len += 1;
            }
            if len == 0 {
                break;
            }
            let taken = sink.offer(&batch[..len]).min(len);
            batch[..taken].iter().for_each(|vector| self.unsent.remove(vector.instrument.index()));
            if taken < len {
                return false;
            }
        }
        let sent = self.marker.is_none_or(|ts| sink.offer(&[FeatureVector::end_of_grid(ts)]) == 1);
        if sent {
            self.marker = None;
        }
        sent
    }
}
