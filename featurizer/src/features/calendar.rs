//! Who has to be visited at which grid point although nothing happened to it.
//!
//! At most grid points most instruments are at rest: what enters their windows is what leaves them. What entered at one grid point
//! says when it leaves, so that is when the instrument is due; until then no visit would change anything. A visit too many is
//! harmless, one too few is not.

use super::window::{ACTIVITY, Activity, LONG, QUIET, Quotes, SHORT};
use crate::bitset::BitSet;

/// Grid points ahead that can be named: more than the longest window and [`QUIET`].
const TURN: u64 = 1024;

const _: () = assert!(QUIET + 1 < TURN && (LONG as u64) < TURN);

/// Visits to come.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// Who is due, by grid point modulo [`TURN`].
    due: Box<[BitSet]>,
    /// Who is due at each grid point.
    restless: BitSet,
    /// Every active instrument is visited at every grid point: what all of this must equal.
    #[cfg(test)]
    pub(crate) visit_all: bool,
}

impl Calendar {
    pub(crate) fn new(instruments: usize) -> Self {
        Self {
            due: (0..TURN).map(|_| BitSet::new(instruments)).collect(),
            restless: BitSet::new(instruments),
            #[cfg(test)]
            visit_all: false,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.due.iter().map(BitSet::bytes).sum()
    }

    fn page(&mut self, grid: u64) -> &mut BitSet {
        &mut self.due[(grid % TURN) as usize]
    }

    /// Instrument `i` is due at a grid point less than [`TURN`] from now.
    pub(crate) fn mark(&mut self, grid: u64, i: usize) {
        self.page(grid).insert(i);
    }

    /// Marks when what entered the windows of instrument `i` at this grid point leaves them: all of it but a return that is what
    /// enters at rest.
    pub(crate) fn note(&mut self, i: usize, grid: u64, activity: Activity, quotes: Quotes, returned: bool) {
        if quotes != Quotes::default() {
            // The order flow of one step is another in the next.
            self.mark(grid + 1, i);
        }
        if returned || quotes != Quotes::default() {
            self.mark(grid + SHORT as u64, i);
        }
        if activity != Activity::default() {
            self.mark(grid + ACTIVITY as u64, i);
        }
        if returned {
            self.mark(grid + LONG as u64, i);
        }
    }

    /// Whether instrument `i` is due at each grid point from now on.
    pub(crate) fn set_restless(&mut self, i: usize, restless: bool) {
        if restless {
            self.restless.insert(i);
        } else {
            self.restless.remove(i);
        }
    }

    /// Tears off the page of a grid point: `visits` becomes those who were touched, and those active ones who are due.
    pub(crate) fn take(&mut self, grid: u64, touched: &BitSet, active: &BitSet, visits: &mut BitSet) {
        let page = &mut self.due[(grid % TURN) as usize];
        page.insert_all(&self.restless);
        #[cfg(test)]
        if self.visit_all {
            page.insert_all(active);
        }
        visits.assign_intersection(page, active);
        visits.insert_all(touched);
        page.clear();
    }
}
