//! The grid: who gets a vector at a grid point, the vectors being made, and those that wait for the sink.

use types::{FeatureVector, InstrumentId, UnixNanos};

use crate::apply::BooksMut;
use crate::bitset::BitSet;
use crate::config::{FeaturizerConfig, OnFull};
use crate::counters::FeaturizerCounters;
use crate::features::{Engine, GRID_NS, QUIET, Rows};
use crate::prints::Prints;
use crate::sinks::FeatureSink;
use crate::slippage::{Ledger, walk_bps};

/// Vectors offered to the sink at once.
const OFFER: usize = 32;

/// Features and vectors of every instrument: everything but the books.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) engine: Engine,
    pub(crate) on_full: OnFull,
    pub(crate) lookahead: usize,
    walk: bool,
    /// Newest vector of each instrument.
    pub(crate) vectors: Box<[FeatureVector]>,
    /// Whose vector waits for the sink.
    unsent: BitSet,
    /// The end-of-grid marker that waits behind them.
    marker: Option<UnixNanos>,
    /// The grid point whose vectors are being made.
    pub(crate) closing: Option<Closing>,
    /// Whose vector is still to be made for it.
    pub(crate) pending: BitSet,
    /// To whom something happened in its step.
    was_touched: BitSet,
    /// To whom something happened in the running step.
    pub(crate) touched: BitSet,
    /// Whose windows are not known to be empty.
    pub(crate) active: BitSet,
    /// Grid number of each instrument's last event.
    last_grid: Box<[u64]>,
    /// Grid number at which each instrument is looked at for having been quiet.
    quiet_due: Box<[u64]>,
    /// Number of the running grid step: its end is this times [`GRID_NS`]. None before the first event.
    pub(crate) number: Option<u64>,
    /// Where that step begins; out of reach of any event before the first.
    pub(crate) step_start: u64,
    pub(crate) prints: Box<[Prints]>,
    /// Whose top of book changed in this chunk.
    pub(crate) changed: BitSet,
    pub(crate) changed_list: Vec<u32>,
    pub(crate) counters: FeaturizerCounters,
    /// Costs of orders at each vector, when they are captured.
    pub(crate) slippage: Option<Box<Ledger>>,
}

/// A grid point whose vectors are being made, in ascending order but for instruments with events of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    grid: u64,
    rows: Rows,
    /// Everything before this is done.
    cursor: usize,
}

impl Grid {
    /// Room for `n` instruments.
    pub(crate) fn new(config: &FeaturizerConfig, n: usize) -> Self {
        let blank = |i: usize| FeatureVector { instrument: InstrumentId(i as u32), ..FeatureVector::EMPTY };
        Self {
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
            quiet_due: vec![0; n].into_boxed_slice(),
            number: None,
            step_start: u64::MAX,
            prints: vec![Prints::NEW; n].into_boxed_slice(),
            changed: BitSet::new(n),
            changed_list: Vec::with_capacity(n),
            counters: FeaturizerCounters::default(),
            slippage: None,
        }
    }

    /// Bytes its tables occupy.
    pub(crate) fn bytes(&self) -> usize {
        self.engine.bytes()
            + size_of_val(&*self.vectors)
            + size_of_val(&*self.last_grid)
            + size_of_val(&*self.quiet_due)
            + size_of_val(&*self.prints)
            + self.changed_list.capacity() * size_of::<u32>()
    }

    /// Takes note that the top of a book is to be published.
    #[inline]
    pub(crate) fn note_changed(&mut self, i: usize) {
        if !self.changed.contains(i) {
            self.changed.insert(i);
            self.changed_list.push(i as u32);
        }
    }

    /// Enters the grid step of this number.
    pub(crate) fn set_number(&mut self, number: u64) {
        self.number = Some(number);
        self.step_start = (number * GRID_NS).saturating_sub(GRID_NS);
    }

    /// Begins to make the vectors of a grid point; those of the one before are made.
    pub(crate) fn begin_close(&mut self, grid: u64) {
        self.counters.conflated += self.unsent.len() as u64;
        self.counters.grid_points += 1;
        self.closing = Some(Closing { grid, rows: self.engine.rows(grid), cursor: 0 });
        std::mem::swap(&mut self.touched, &mut self.was_touched);
        self.touched.clear();
        self.engine.calendar.take(grid, &self.was_touched, &self.active, &mut self.pending);
    }

    /// Makes at most `count` more vectors of the grid point being closed, and sets its marker behind the last.
    pub(crate) fn close_some(&mut self, books: &BooksMut<'_>, count: usize) {
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

    /// Makes the vector of one instrument for the grid point being closed.
    pub(crate) fn close_one(&mut self, i: usize, books: &BooksMut<'_>) {
        let Some(Closing { grid, rows, .. }) = self.closing else { return };
        self.pending.remove(i);
        let touched = self.was_touched.contains(i);
        self.catch_up(i, grid);
        if touched {
            self.last_grid[i] = grid;
            self.active.insert(i);
        } else if grid - self.last_grid[i] > QUIET {
            self.active.remove(i);
            return;
        }
        if self.quiet_due[i] <= grid {
            self.quiet_due[i] = self.last_grid[i] + QUIET + 1;
            self.engine.calendar.mark(self.quiet_due[i], i);
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
            if let Some(slippage) = &mut self.slippage
                && let Some(book) = books.book(InstrumentId(i as u32))
            {
                slippage.at_grid(i, grid, touched, &book);
            }
        }
    }

    /// Tells instrument `i` of the grid points before this one at which it was at rest: those until it was left alone.
    fn catch_up(&mut self, i: usize, grid: u64) {
        let left_alone = self.last_grid[i].saturating_add(QUIET);
        self.engine.catch_up(i, grid.saturating_sub(1).min(left_alone));
    }

    /// Tells instrument `i` of the grid points before the running step.
    pub(crate) fn catch_up_to_now(&mut self, i: usize) {
        if let Some(number) = self.number {
            self.catch_up(i, number);
        }
    }

    /// Forgets every instrument's past, for another day.
    pub(crate) fn restart(&mut self) {
        self.engine.reset();
        self.active.clear();
        self.touched.clear();
        self.quiet_due.fill(0);
        self.prints.fill(Prints::NEW);
    }

    /// Offers waiting vectors, then the marker. True when nothing waits any more.
    pub(crate) fn flush<F: FeatureSink>(&mut self, sink: &mut F) -> bool {
        // While a grid point is being closed, those before its cursor are made, and may go in ascending order.
        let made = self.closing.map_or(usize::MAX, |closing| closing.cursor);
        if self.closing.is_none() && self.marker.is_none() {
            return true;
        }
        let mut from = 0;
        loop {
            let mut batch = [FeatureVector::EMPTY; OFFER];
            let mut len = 0;
            while len < OFFER
                && let Some(i) = self.unsent.next_from(from).filter(|&i| i < made)
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
        if self.closing.is_some() {
            return false;
        }
        let sent = self.marker.is_none_or(|ts| sink.offer(&[FeatureVector::end_of_grid(ts)]) == 1);
        if sent {
            self.marker = None;
        }
        sent
    }
}
