//! The state behind the features of every instrument, and the vectors made of it.
//!
//! Per event there is a little integer arithmetic on one line of the instrument's ([`Flow`]); everything else happens once per
//! grid point, for instruments that changed or whose windows still move.

use types::{Action, BookEvent, BookLevel, EventFlags, FEATURE_COUNT, FeatureVector, Px, Side, UnixNanos};

use super::calendar::Calendar;
use super::formula::{self, BookView, WindowView};
use super::memory::FlowMemory;
use super::resilience::{Resilience, SCAN, depth_seen_from};
use super::standing::Usual;
use super::window::{Activity, LONG, Quotes, Rows, Windows};
use crate::apply::{Applied, Effect};
use crate::prefetch::prefetch;
use crate::view::{Bbo, Book};

/// Length of a grid step.
pub const GRID_NS: u64 = 100_000_000;

/// The bucket of the running grid step, and when things last happened: the one line of an instrument that events touch.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Flow {
    flow: i64,
    depth: u64,
    /// Order messages, cancels among them, trades, quote changes.
    tallies: [u32; 4],
    ts_recv: UnixNanos,
    ts_event: u64,
    /// When the best quotes last changed; 0: the chain of order flow has to restart.
    ts_quote: u64,
    /// After events up to this moment the book is shown to the shock detector.
    watch_until: u64,
}

const _: () = assert!(size_of::<Flow>() == 64);

/// What one event of this kind adds to a bucket's tallies.
#[inline]
const fn tallies_of(action: Action) -> [u32; 4] {
    const TABLE: [[u32; 4]; 16] = {
        let mut table = [[0; 4]; 16];
        table[Action::OrderAdd as usize] = [1, 0, 0, 0];
        table[Action::OrderReplace as usize] = [1, 0, 0, 0];
        table[Action::LevelSet as usize] = [1, 0, 0, 0];
        table[Action::OrderReduce as usize] = [1, 1, 0, 0];
        table[Action::OrderDelete as usize] = [1, 1, 0, 0];
        table[Action::OrderExecute as usize] = [0, 0, 1, 0];
        table[Action::Trade as usize] = [0, 0, 1, 0];
        table
    };
    TABLE[action as usize % 16]
}

impl Flow {
    const NEW: Self = Self {
        flow: 0,
        depth: 0,
        tallies: [0; 4],
        ts_recv: UnixNanos(0),
        ts_event: 0,
        ts_quote: 0,
        watch_until: 0,
    };

    #[inline(always)]
    fn tally(&mut self, more: [u32; 4]) {
        for (tally, more) in self.tallies.iter_mut().zip(more) {
            *tally = tally.wrapping_add(more);
        }
    }

    /// The bucket's contents; the next bucket starts.
    fn take_bucket(&mut self) -> (Activity, Quotes) {
        let [orders, cancels, trades, count] = self.tallies;
        let quotes = Quotes { flow: self.flow, depth: self.depth, count };
        (self.tallies, self.flow, self.depth) = ([0; 4], 0, 0);
        (Activity { orders, cancels, trades }, quotes)
    }
}

/// What an instrument looked like at its last grid point.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Last mid seen, in 1e-9; 0: none since the book became live.
    mid: i64,
    /// Grid point at which the mid last changed.
    mid_ns: u64,
    /// Sum of the best quantities, for normalising a window without quotes.
    touch: u64,
    /// Depth of each side seen from its best price.
    depth: [u64; 2],
    /// Depth seen from where the last shock began.
    shock_depth: u64,
    live: bool,
    /// The best quotes changed in the step before: the order flow of one step is no longer what it was.
    flowed: bool,
    /// Whether a return, of 0, enters the windows while nothing happens, and the grid point since which that is so.
    has_mid: bool,
    has_mid_since: u64,
    /// The last grid point whose depths the baseline has.
    sampled: u64,
    resilience: Resilience,
}

impl Mark {
    const NEW: Self = Self {
        mid: 0,
        mid_ns: 0,
        touch: 0,
        depth: [0; 2],
        shock_depth: 0,
        live: false,
        flowed: false,
        has_mid: false,
        has_mid_since: 0,
        sampled: u64::MAX,
        resilience: Resilience::NEW,
    };

    /// Adds the depths of the grid points up to `grid` that passed without a visit to the baseline.
    fn catch_up(&mut self, grid: u64) {
        if self.live && self.sampled < grid {
            self.resilience.sample_again(self.depth, grid - self.sampled);
            self.sampled = grid;
        }
    }

    /// Whether what enters the windows at rest may differ from what leaves them, or a value depends on the time.
    fn is_restless(&self, grid: u64) -> bool {
        grid < self.has_mid_since + LONG as u64 || (self.live && self.resilience.is_moving())
    }

    /// The return since the last grid point, 0 when the quotes give no mid now and the last one is carried on.
    fn log_return(&mut self, bbo: Option<&Bbo>, now_ns: u64) -> Option<f64> {
        if !self.live {
            self.mid = 0;
            return None;
        }
        let mid = bbo.filter(|bbo| formula::is_open(bbo)).map_or(self.mid, |bbo| bbo.mid().0);
        let before = std::mem::replace(&mut self.mid, mid);
        if mid != before {
            self.mid_ns = now_ns;
        }
        if mid == before && mid > 0 { Some(0.0) } else { formula::log_return(before, mid) }
    }
}

/// The features of every instrument.
#[derive(Debug)]
pub(crate) struct Engine {
    flows: Box<[Flow]>,
    marks: Box<[Mark]>,
    memories: Box<[FlowMemory]>,
    usual: Box<[Usual]>,
    windows: Windows,
    pub(crate) calendar: Calendar,
}

impl Engine {
    pub(crate) fn new(instruments: usize) -> Self {
        Self {
            flows: vec![Flow::NEW; instruments].into_boxed_slice(),
            marks: vec![Mark::NEW; instruments].into_boxed_slice(),
            memories: vec![FlowMemory::default(); instruments].into_boxed_slice(),
            usual: vec![Usual::default(); instruments].into_boxed_slice(),
            windows: Windows::new(instruments),
            calendar: Calendar::new(instruments),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.flows)
            + size_of_val(&*self.marks)
            + size_of_val(&*self.memories)
            + size_of_val(&*self.usual)
            + self.windows.bytes()
            + self.calendar.bytes()
    }

    /// Asks for the lines that `events` will need; see [`crate::BooksMut::prefetch`].
    #[inline]
    pub(crate) fn prefetch(&self, events: &[BookEvent]) {
        for flow in events.iter().filter_map(|event| self.flows.get(event.instrument.index())) {
            prefetch(flow);
        }
    }

    /// Counts an event of instrument `i`.
    #[inline]
    pub(crate) fn count(&mut self, i: usize, event: &BookEvent, applied: &Applied) {
        let flow = &mut self.flows[i];
        flow.ts_event = flow.ts_event.max(event.ts_event.0);
        flow.ts_recv = event.ts_recv;
        if applied.effect == Effect::Refused || event.flags.has(EventFlags::SNAPSHOT) {
            return;
        }
        flow.tally(tallies_of(event.action));
        if event.action == Action::LevelSet && applied.qty < applied.before {
            flow.tally([0, 1, 0, 0]);
        }
    }

    /// Takes note of a trade against `side`, before the quotes of instrument `i` are read again: `before` are those from before
    /// the trade.
    #[inline]
    pub(crate) fn on_trade(&mut self, i: usize, ts: UnixNanos, applied: &Applied, side: Side, before: &Bbo) {
        let best = if side == Side::Bid { before.bid.px } else { before.ask.px };
        let resilience = &mut self.marks[i].resilience;
        if resilience.on_trade(ts.0, side, applied.qty, best) {
            self.flows[i].watch_until = resilience.watched_until();
        }
    }

    /// Whether the shock detector wants to see the book of instrument `i` after an event at `ts`.
    #[inline]
    pub(crate) fn is_watched(&self, i: usize, ts: UnixNanos) -> bool {
        ts.0 <= self.flows[i].watch_until
    }

    /// Shows the shock detector a book it watches.
    #[cold]
    pub(crate) fn observe(&mut self, i: usize, book: &Book<'_>) {
        let resilience = &mut self.marks[i].resilience;
        if let Some((side, reference)) = resilience.viewpoint() {
            let tick = book.tick_at(reference);
            resilience.observe(depth_seen_from(book.levels(side, SCAN), side, reference, tick));
        }
    }

    /// The best quotes of instrument `i` changed.
    #[inline]
    pub(crate) fn on_quote(&mut self, i: usize, event: &BookEvent, before: &Bbo, after: &Bbo) {
        let flow = &mut self.flows[i];
        if event.flags.has(EventFlags::SNAPSHOT) {
            flow.ts_quote = 0;
            return;
        }
        if flow.ts_quote != 0 {
            flow.flow = flow.flow.wrapping_add(formula::order_flow(before, after));
        }
        flow.depth = flow.depth.saturating_add(after.bid.qty + after.ask.qty);
        flow.tally([0, 0, 0, 1]);
        flow.ts_quote = event.ts_event.0.max(1);
    }

    /// Instrument `i` was at rest at the grid points up to `grid` that nobody visited it at.
    pub(crate) fn catch_up(&mut self, i: usize, grid: u64) {
        self.marks[i].catch_up(grid);
    }

    /// The book of instrument `i` was emptied or can no longer be believed: chains and baselines start anew.
    pub(crate) fn restart(&mut self, i: usize) {
        let flow = &mut self.flows[i];
        (flow.ts_quote, flow.watch_until) = (0, 0);
        let mark = &mut self.marks[i];
        (mark.mid, mark.resilience, mark.sampled) = (0, Resilience::NEW, u64::MAX);
        self.memories[i].restart();
        self.usual[i].restart();
    }

    /// Forgets everything, for a new day.
    pub(crate) fn reset(&mut self) {
        self.flows.fill(Flow::NEW);
        self.marks.fill(Mark::NEW);
        self.memories.fill(FlowMemory::default());
        self.usual.fill(Usual::default());
        self.windows.reset();
    }

    /// Event time of the instrument's newest event.
    pub(crate) fn last_event(&self, i: usize) -> UnixNanos {
        UnixNanos(self.flows[i].ts_event)
    }

    /// The window rows of a grid point.
    pub(crate) fn rows(&self, grid: u64) -> Rows {
        self.windows.rows(grid)
    }

    /// Brings the vector of instrument `i` to grid point `now`. `book` is given when anything happened to it since the last
    /// grid point. True when a value changed.
    pub(crate) fn close(
        &mut self,
        i: usize,
        now: UnixNanos,
        rows: Rows,
        book: Option<&Book<'_>>,
        vector: &mut FeatureVector,
    ) -> bool {
        let mark = &mut self.marks[i];
        let mut before = None;
        if let Some(book) = book {
            before = Some((vector.valid, vector.values));
            mark.live = book.state().is_live();
            vector.book_state = book.state().to_u8();
            vector.mid = if mark.live { book.bbo().mid() } else { Px::NONE };
            mark.read_book(book, vector);
        }
        let (activity, quotes) =
            if book.is_some() { self.flows[i].take_bucket() } else { Default::default() };
        let log_return = mark.log_return(book.map(Book::bbo), now.0);
        let slid = self.windows.push(rows, i, activity, quotes, log_return);
        let (grid, has_mid) = (now.0 / GRID_NS, mark.live && mark.mid > 0);
        if mark.has_mid != has_mid {
            (mark.has_mid, mark.has_mid_since) = (has_mid, grid);
        }
        self.calendar.note(i, grid, activity, quotes, log_return != has_mid.then_some(0.0));
        let flowed = std::mem::replace(&mut mark.flowed, quotes.count > 0);
        let moving = slid || flowed || (mark.live && mark.resilience.is_moving());
        if mark.live {
            mark.resilience.sample(mark.depth);
            if let Some(flow) = WindowView::step_flow(&quotes) {
                self.memories[i].step(grid, flow);
            }
            let usual = &mut self.usual[i];
            if let Some(book) = book {
                usual.see_book(grid, formula::spread_bps(book.bbo()), mark.depth);
            }
            let sums = self.windows.sums(i);
            usual.see_orders(grid, sums.orders, sums.trades);
            usual.see_mid(grid, mark.mid, log_return);
        }
        mark.sampled = grid;
        self.calendar.set_restless(i, mark.is_restless(grid));
        if book.is_none() && !moving {
            return false;
        }
        let (was_valid, was) = before.unwrap_or((vector.valid, vector.values));
        if mark.live {
            let resilience = mark.resilience.value(now.0, mark.shock_depth);
            let view = WindowView { sums: self.windows.sums(i), step: quotes, touch: mark.touch, resilience };
            formula::read_windows(&view, vector);
        } else {
            (vector.valid, vector.values) = (0, [0.0; FEATURE_COUNT]);
        }
        (vector.ts, vector.ts_recv) = (now, self.flows[i].ts_recv);
        vector.ages_ms = self.ages(i, now);
        let changed = vector.valid != was_valid || vector.values.map(f64::to_bits) != was.map(f64::to_bits);
        if self.marks[i].live {
            formula::read_memory(&self.memories[i].at(grid), vector);
            formula::read_standing(&self.usual[i].standing(grid), vector);
        }
        changed
    }

    /// In the order of [`types::FeatureInput`].
    fn ages(&self, i: usize, now: UnixNanos) -> [u32; 3] {
        let (flow, mark) = (&self.flows[i], &self.marks[i]);
        [flow.ts_event, flow.ts_quote, mark.mid_ns].map(|since| match since {
            0 => u32::MAX,
            _ => u32::try_from(now.0.saturating_sub(since) / 1_000_000).unwrap_or(u32::MAX),
        })
    }
}

impl Mark {
    /// Computes what depends on the book alone.
    fn read_book(&mut self, book: &Book<'_>, vector: &mut FeatureVector) {
        let bbo = book.bbo();
        let (bids, asks) = (scan(book, Side::Bid), scan(book, Side::Ask));
        let seen = |levels: &Scan, side: Side, from: Px| {
            depth_seen_from(levels.as_slice().iter().copied(), side, from, book.tick_at(from))
        };
        self.depth = [seen(&bids, Side::Bid, bbo.bid.px), seen(&asks, Side::Ask, bbo.ask.px)];
        self.touch = bbo.bid.qty + bbo.ask.qty;
        self.shock_depth = match self.resilience.viewpoint() {
            Some((Side::Bid, from)) => seen(&bids, Side::Bid, from),
            Some((Side::Ask, from)) => seen(&asks, Side::Ask, from),
            None => 0,
        };
        let view = BookView { book, bids: bids.as_slice(), asks: asks.as_slice() };
        formula::read_book(&view, vector);
    }
}

/// The best levels of a side.
struct Scan {
    levels: [BookLevel; SCAN],
    len: usize,
}

impl Scan {
    fn as_slice(&self) -> &[BookLevel] {
        &self.levels[..self.len]
    }
}

fn scan(book: &Book<'_>, side: Side) -> Scan {
    let mut scan = Scan { levels: [BookLevel::NONE; SCAN], len: 0 };
    for (slot, level) in scan.levels.iter_mut().zip(book.levels(side, SCAN)) {
        *slot = level;
        scan.len += 1;
    }
    scan
}
