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
//! every vector is of its grid point all the same. What is made goes to the sink at once, still in ascending order: a vector made
//! before its turn waits for it. Nobody is visited to whom nothing would happen (`features/calendar.rs`).
//!
//! **When the scorer is slow.** Vectors wait in one slot per instrument. A slot that is still waiting at the next grid point is
//! overwritten (newest wins, [`OnFull::KeepDirty`]), or nothing moves until there is room ([`crate::OnFull::Wait`], for replays).

use std::sync::Arc;

use types::{BookEvent, InstrumentId, Px, Symbol, TickTable};

use crate::book::Books;
use crate::config::FeaturizerConfig;
use crate::counters::FeaturizerCounters;
use crate::grid::Grid;
use crate::limits::{BuildError, MemoryReport, Occupancy};
use crate::run::{CLOSE_STEP, Run};
use crate::sinks::{FeatureSink, Observer, TopOfBookSink};
use crate::slippage::{Ledger, SlippageRow};
use crate::view::Book;

/// Books and features of every instrument.
#[derive(Debug)]
pub struct Featurizer {
    books: Books,
    grid: Grid,
}

impl Featurizer {
    /// Takes all memory; see [`Featurizer::memory`].
    ///
    /// # Errors
    /// A bound out of its range, or a machine without the memory.
    pub fn new(config: &FeaturizerConfig) -> Result<Self, BuildError> {
        let books = Books::new(&config.books)?;
        let grid = Grid::new(config, books.capacity());
        Ok(Self { books, grid })
    }

    /// Applies events in order and returns how many were consumed: all of them, except that [`crate::OnFull::Wait`] stops before an
    /// event that would close a grid point while vectors of the last one still wait.
    pub fn apply<S: FeatureSink + TopOfBookSink + Observer>(
        &mut self,
        events: &[BookEvent],
        sink: &mut S,
    ) -> usize {
        let mut run = Run { books: self.books.lend(), grid: &mut self.grid, sink };
        let consumed = run.apply(events);
        run.publish_tops();
        self.grid.counters.events += consumed as u64;
        consumed
    }

    /// Goes on with the vectors of the last grid point and offers waiting ones to the sink again; true when none waits any more.
    /// For polls that find no event.
    pub fn flush<F: FeatureSink>(&mut self, features: &mut F) -> bool {
        self.grid.close_some(&self.books.lend(), CLOSE_STEP);
        self.grid.flush(features)
    }

    /// Closes the running grid step at the end of the input, so that its vectors are not lost. True when the sink has taken
    /// everything; else call it again when there is room.
    pub fn finish<F: FeatureSink>(&mut self, features: &mut F) -> bool {
        self.grid.close_some(&self.books.lend(), usize::MAX);
        if !self.grid.flush(features) {
            return false;
        }
        if let Some(number) = self.grid.number.filter(|_| !self.grid.touched.is_empty()) {
            self.grid.begin_close(number);
            self.grid.close_some(&self.books.lend(), usize::MAX);
            self.grid.set_number(number + 1);
        }
        self.grid.flush(features)
    }

    /// The tables of ticks that definitions may name from now on; before, those of [`TickTable::BUILT_IN`].
    pub fn set_tick_tables(&mut self, tables: Arc<[TickTable]>) {
        self.books.set_tick_tables(tables);
    }

    /// From now on, prices orders of several sizes whenever a vector is made of a book that allows it; the rows wait, in
    /// memory that grows, until [`Featurizer::take_slippage`].
    pub fn capture_slippage(&mut self) {
        self.grid.slippage = Some(Box::new(Ledger::new(self.books.capacity())));
    }

    /// Takes the rows whose outcome is known; with `last`, the input being over, also those whose outcome never will be.
    pub fn take_slippage(&mut self, last: bool) -> Vec<SlippageRow> {
        let Some(slippage) = &mut self.grid.slippage else { return Vec::new() };
        if last {
            slippage.close();
        }
        slippage.take()
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

    /// Price of the newest printable trade that was not broken, [`Px::NONE`] when there is none.
    #[must_use]
    pub fn last(&self, instrument: InstrumentId) -> Px {
        self.grid.prints.get(instrument.index()).map_or(Px::NONE, |prints| prints.last().px)
    }

    /// Whether the feed lost messages that no clean begin has made good yet. Every book that was in use then is stale.
    #[must_use]
    pub fn gap_open(&self) -> bool {
        self.books.gap_open()
    }

    /// Counts since construction.
    #[must_use]
    pub fn counters(&self) -> FeaturizerCounters {
        FeaturizerCounters { books: self.books.counters(), ..self.grid.counters }
    }

    /// How full the bounded tables are.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        self.books.occupancy()
    }

    /// What books and features occupy.
    #[must_use]
    pub fn memory(&self) -> MemoryReport {
        let books = self.books.memory();
        MemoryReport { bytes: books.bytes + self.grid.bytes(), ..books }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnFull;
    use crate::features::GRID_NS;
    use proptest::prelude::*;
    use types::{Action, EventFlags, FeatureVector, Qty, Side, UnixNanos};

    const CENT: i64 = 10_000_000;
    const START: u64 = 1_700_000_000_000_000_000;
    const INSTRUMENTS: u32 = 5;

    /// What happens, to whom, how it is drawn, and how many tenths of a grid step after the event before.
    type Draw = (u8, u32, u32, u64);

    fn draws() -> impl Strategy<Value = Vec<Draw>> {
        // Most waits are short; some let one window run empty, some all of them, and the longest let the grid jump.
        let wait = prop_oneof![
            40 => 0_u64..4,
            30 => 4_u64..40,
            8 => 90_u64..130,
            6 => 900_u64..1_100,
            4 => 5_900_u64..6_700,
            1 => 8_000_u64..20_000,
        ];
        prop::collection::vec((0_u8..100, 0..INSTRUMENTS, any::<u32>(), wait), 1..250)
    }

    fn event(n: u64, (kind, instrument, dice, _): Draw, now: u64) -> BookEvent {
        let ask = dice & 1 == 1;
        let ticks = i64::from(dice >> 1 & 7);
        let action = match kind {
            0..50 => Action::OrderAdd,
            50..72 => Action::OrderDelete,
            72..84 => Action::OrderExecute,
            84..92 => Action::Trade,
            92..94 => Action::Status,
            94..96 => Action::Gap,
            96..98 => Action::Clear,
            _ => Action::Time,
        };
        let whole = dice >> 4 & 3 == 0 && matches!(action, Action::Gap | Action::Clear);
        BookEvent {
            action,
            instrument: if whole || action == Action::Time {
                InstrumentId::ALL
            } else {
                InstrumentId(instrument)
            },
            // Takings are of a recent order, which another instrument may have.
            order_id: if action == Action::OrderAdd { n } else { n.saturating_sub(u64::from(dice >> 8 & 7)) },
            aux: u64::from(dice >> 6 & 3),
            side: if ask { Side::Ask } else { Side::Bid },
            px: Px(CENT * if ask { 10_001 + ticks } else { 9_999 - ticks }),
            qty: Qty(1 + (dice >> 11) % 900),
            flags: EventFlags::LAST,
            ts_event: UnixNanos(now),
            ts_recv: UnixNanos(now + 17),
            ..BookEvent::EMPTY
        }
    }

    fn story(draws: &[Draw]) -> Vec<BookEvent> {
        let define = |i| BookEvent {
            action: Action::Define,
            instrument: InstrumentId(i),
            order_id: Symbol::new(&format!("T{i}")).unwrap().to_word(),
            px: Px(CENT),
            flags: EventFlags::LAST,
            ts_event: UnixNanos(START),
            ..BookEvent::EMPTY
        };
        let mut now = START;
        let flow = (1..).zip(draws).map(|(n, draw)| {
            now += draw.3 * GRID_NS / 10;
            event(n, *draw, now)
        });
        (0..INSTRUMENTS).map(define).chain(flow).collect()
    }

    fn run(events: &[BookEvent], visit_all: bool) -> (Vec<FeatureVector>, FeaturizerCounters) {
        let books = crate::BookLimits { instruments: 8, ..crate::BookLimits::small() };
        let config = FeaturizerConfig { books, on_full: OnFull::Wait, lookahead: 4, walk: true };
        let mut featurizer = Featurizer::new(&config).unwrap();
        featurizer.grid.engine.calendar.visit_all = visit_all;
        let mut out = Vec::new();
        assert_eq!(featurizer.apply(events, &mut (&mut out, &mut (), &mut ())), events.len());
        assert!(featurizer.finish(&mut out));
        (out, featurizer.counters())
    }

    /// A trade is held against the baseline as of its moment, all the grid points at rest before it included.
    #[test]
    fn a_trade_after_a_rest_meets_the_baseline_of_its_moment() {
        let add = |n, qty, step: u64| {
            let event = event(n, (0, 0, 0, 0), START + step * GRID_NS + 1);
            BookEvent { qty: Qty(qty), ..event }
        };
        let mut events = vec![story(&[])[0], add(1, 100, 0)];
        // The baseline grows from 100 towards 10,000 while nothing happens, until half of it is taken.
        events.extend([add(2, 9_900, 20), add(3, 1, 20)]);
        let trade = BookEvent { action: Action::OrderExecute, order_id: 2, ..add(2, 9_000, 25) };
        let tick = BookEvent { action: Action::Time, instrument: InstrumentId::ALL, ..add(9, 1, 40) };
        events.extend([trade, tick]);
        let (all, due) = (run(&events, true), run(&events, false));
        assert_eq!(format!("{all:?}"), format!("{due:?}"));
        let shocks = |v: &&FeatureVector| v.get(types::FeatureId::Resilience).is_some_and(|x| x < 1.0);
        assert!(due.0.iter().any(|v| shocks(&v)), "the trade was a shock");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// A visit that the calendar leaves out would have changed nothing, then or later.
        #[test]
        fn who_is_at_rest_need_not_be_visited(draws in draws()) {
            let events = story(&draws);
            let (all, due) = (run(&events, true), run(&events, false));
            prop_assert_eq!(all.0.len(), due.0.len());
            for (all, due) in all.0.iter().zip(&due.0) {
                prop_assert_eq!(format!("{all:?}"), format!("{due:?}"));
            }
            prop_assert_eq!(all.1, due.1);
        }
    }
}
