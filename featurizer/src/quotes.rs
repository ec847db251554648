//! The best quotes of a book, read again after each whole venue event that may have changed them.

use types::{InstrumentId, Side};

use crate::apply::BooksMut;
use crate::ladder::{Cell, NO_KEY, Quote, flag};
use crate::view::Bbo;

/// What makes reading the quotes worth a look.
const LOOK: u8 = flag::BBO | flag::CROSSED | flag::LOCKED;

impl BooksMut<'_> {
    /// Reads the best bid and offer after a whole venue event. Returns what they were when they changed.
    ///
    /// Call it after each event with [`types::EventFlags::LAST`] whose effect was [`crate::Effect::Changed`].
    #[inline(always)]
    pub fn refresh_quote(&mut self, instrument: InstrumentId) -> Option<Bbo> {
        let i = instrument.index();
        let row = self.levels.rows.get_mut(i)?;
        let (flags, head) = (row.head.flags, &row.head);
        if flags & LOOK == 0 {
            return None;
        }
        // One side as a rule, and which one is the toss of a coin: chosen without a branch.
        let sides = flags & flag::BBO;
        let s = usize::from(sides >> 1);
        let (best, one_side) = (head.best[s], matches!(sides, 1 | 2));
        let key = head.key(s, best);
        if !one_side | (best < 0) | (key <= head.far_best[s]) {
            return self.refresh_unusual(i);
        }
        let now = Quote { key, cell: self.levels.cells[i][s][head.cell(best as usize)] };
        let (was, other) = (head.quotes[s], head.quotes[1 - s]);
        row.head.quotes[s] = now;
        row.head.flags = flags & !LOOK;
        let overlap = now.overlap(other);
        if overlap >= 0 {
            self.note_overlap(i, overlap);
        }
        was.differs(now).then(|| Bbo::of(if s == 0 { [was, other] } else { [other, was] }))
    }

    /// The same for both sides, for a side that is empty or whose best level is a far one, and for quotes that stay crossed or locked.
    #[cold]
    #[inline(never)]
    fn refresh_unusual(&mut self, i: usize) -> Option<Bbo> {
        let old = self.levels.rows[i].head.quotes;
        let changed = self.levels.rows[i].head.flags & flag::BBO;
        let mut differs = false;
        for side in [Side::Bid, Side::Ask].into_iter().filter(|side| changed & 1 << side.index() != 0) {
            let now = self.best(i, side);
            differs |= old[side.index()].differs(now);
            self.levels.rows[i].head.quotes[side.index()] = now;
        }
        let head = &mut self.levels.rows[i].head;
        head.flags &= !LOOK;
        let overlap = head.quotes[0].overlap(head.quotes[1]);
        self.note_overlap(i, overlap);
        differs.then(|| Bbo::of(old))
    }

    /// Counts quotes that are locked or crossed.
    #[cold]
    fn note_overlap(&mut self, i: usize, overlap: i64) {
        let (locked, crossed) = (overlap == 0, overlap > 0);
        self.levels.rows[i].head.flags |=
            (u8::from(locked) * flag::LOCKED) | (u8::from(crossed) * flag::CROSSED);
        self.counters.locked_events += u64::from(locked);
        self.counters.crossed_events += u64::from(crossed);
    }

    fn best(&self, i: usize, side: Side) -> Quote {
        let (s, head) = (side.index(), &self.levels.rows[i].head);
        let key = head.best_key(s);
        if key == NO_KEY {
            return Quote::NONE;
        }
        let cell = if key == head.far_best[s] {
            let far = self.levels.index.far.levels(self.levels.arena, i * 2 + s);
            far.last().map_or(Cell::EMPTY, |level| level.cell)
        } else {
            self.levels.cells[i][s][head.cell(head.best[s] as usize)]
        };
        Quote { key, cell }
    }

    /// Best bid and offer at the end of the instrument's last whole venue event.
    #[inline]
    #[must_use]
    pub fn bbo(&self, instrument: InstrumentId) -> Bbo {
        self.levels.rows.get(instrument.index()).map_or(Bbo::NONE, |row| Bbo::of(row.head.quotes))
    }
}
