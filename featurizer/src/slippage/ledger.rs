//! Decisions that wait for the grid point at which they are filled.

use types::{InstrumentId, UnixNanos};

use super::walk::{Decision, SlippageBps, UNKNOWN_SLIPPAGE};
use crate::features::GRID_NS;
use crate::view::Book;

/// One decision and what each size costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlippageRow {
    /// Grid point of the decision.
    pub ts: UnixNanos,
    /// The instrument.
    pub instrument: InstrumentId,
    /// The decision.
    pub decision: Decision,
    /// Filled at once.
    pub now: SlippageBps,
    /// Filled at the next grid point; no cost is known when the book cannot be believed then, or the input ends before.
    pub next: SlippageBps,
}

/// The open decision of each instrument, and the rows that are complete.
#[derive(Debug)]
pub(crate) struct Ledger {
    open: Vec<Option<SlippageRow>>,
    done: Vec<SlippageRow>,
}

impl Ledger {
    /// A ledger for `instruments`.
    pub(crate) fn new(instruments: usize) -> Self {
        Self { open: vec![None; instruments], done: Vec::new() }
    }

    /// A vector of instrument `i` was made at grid point `grid`, when the book was `book`; `touched` says that something
    /// happened to it since the last grid point.
    pub(crate) fn at_grid(&mut self, i: usize, grid: u64, touched: bool, book: &Book<'_>) {
        if let Some(row) = self.open[i].take() {
            // A touched instrument gets a vector at the end of its step, so a longer wait means that nothing happened.
            let unchanged_until_next = !touched || row.ts.0 + GRID_NS < grid * GRID_NS;
            let later = row.ts.0 < grid * GRID_NS;
            let next = match (later, unchanged_until_next) {
                (false, _) => UNKNOWN_SLIPPAGE,
                (true, true) => row.now,
                (true, false) => row.decision.costs(book),
            };
            self.done.push(SlippageRow { next, ..row });
        }
        let (ts, instrument) = (UnixNanos(grid * GRID_NS), book.instrument());
        self.open[i] = Decision::on(book).map(|decision| {
            let now = decision.costs(book);
            SlippageRow { ts, instrument, decision, now, next: UNKNOWN_SLIPPAGE }
        });
    }

    /// Takes the complete rows.
    pub(crate) fn take(&mut self) -> Vec<SlippageRow> {
        std::mem::take(&mut self.done)
    }

    /// The input is over: what is open stays without a fill.
    pub(crate) fn close(&mut self) {
        self.done.extend(self.open.iter_mut().filter_map(Option::take));
    }
}
