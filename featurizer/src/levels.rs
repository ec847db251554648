//! All price levels of all books: the ladders near the touch, the far levels beyond, and the moves between them.

use std::sync::Arc;

use types::{Px, Side, TickTable, TickTableId};

use crate::far::{self, FarIndex, FarLevel};
use crate::ladder::{Cell, Cells, HOME, Head, MISSES_MAX, NO_KEY, Occupied, Row, TICKS, key_of};

/// Prices below this many ticks may be quoted finer where no table says otherwise.
const FINE_BELOW_TICKS: i64 = 100;
/// The finest grid a ladder falls back to then.
const FINE_STEP: i64 = 100_000;

/// A level cannot be stored: its own bound or the far arena is exhausted. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl From<far::Full> for Full {
    fn from(far::Full: far::Full) -> Self {
        Self
    }
}

/// What the level store keeps beside the big tables.
#[derive(Debug)]
pub(crate) struct LevelIndex {
    pub(crate) far: FarIndex,
    /// Tick of each instrument; of a table, the highest.
    ticks: Box<[i64]>,
    /// Where ticks differ by price: the table of each instrument.
    table_ids: Box<[TickTableId]>,
    /// The tables that definitions may name.
    tables: Arc<[TickTable]>,
    /// Room to merge one side's ladder and far levels in.
    scratch: Vec<FarLevel>,
    /// Windows moved.
    pub(crate) recentres: u64,
    /// Windows that could not be moved because the far arena was full; the book stays right, only slower.
    pub(crate) recentres_refused: u64,
}

impl LevelIndex {
    pub(crate) fn new(instruments: usize, far_levels: usize, default_tick: i64) -> Self {
        Self {
            far: FarIndex::new(instruments * 2, far_levels),
            ticks: vec![default_tick; instruments].into_boxed_slice(),
            table_ids: vec![TickTableId::NONE; instruments].into_boxed_slice(),
            tables: TickTable::BUILT_IN.into(),
            scratch: Vec::with_capacity(TICKS + far::FAR_MAX),
            recentres: 0,
            recentres_refused: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.far.bytes()
            + size_of_val(&*self.ticks)
            + size_of_val(&*self.table_ids)
            + self.scratch.capacity() * size_of::<FarLevel>()
    }

    /// The tables that definitions may name from now on.
    pub(crate) fn set_tables(&mut self, tables: Arc<[TickTable]>) {
        self.tables = tables;
    }

    /// Says an instrument's ticks. A table that is not in the list is none.
    pub(crate) fn define(&mut self, instrument: usize, tick: i64, id: TickTableId) {
        let known = id.index().is_some_and(|at| at < self.tables.len());
        self.ticks[instrument] = tick;
        self.table_ids[instrument] = if known { id } else { TickTableId::NONE };
    }

    /// An instrument's tick (of a table, the highest) and its table.
    #[inline]
    pub(crate) fn tick_size(&self, instrument: usize) -> (Px, TickTableId) {
        (Px(self.ticks[instrument]), self.table_ids[instrument])
    }

    /// An instrument's tick at a price.
    pub(crate) fn tick_at(&self, instrument: usize, px: Px) -> Px {
        self.table(instrument).map_or(Px(self.ticks[instrument]), |table| table.at(px))
    }

    fn table(&self, instrument: usize) -> Option<&TickTable> {
        self.tables.get(self.table_ids[instrument].index()?)
    }

    /// The step the ladders of an instrument should have whose best prices are `a` and `b` ([`i64::MAX`]: none).
    fn step_for(&self, instrument: usize, a: i64, b: i64) -> i64 {
        let nearest = a.saturating_abs().min(b.saturating_abs());
        match self.table(instrument) {
            Some(table) => table.at(Px(nearest)).0,
            None => step_for(self.ticks[instrument], nearest),
        }
    }
}

/// What happens to a level.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// An order of this quantity joins.
    Add(u32),
    /// This quantity leaves, with its order when true.
    Take(u32, bool),
    /// The level now holds this much (L2).
    Set(u32),
}

impl Change {
    /// The level after the change, and whether something was to be taken that was not there. `None`: the level's bound.
    #[inline(always)]
    fn apply(self, cell: Cell) -> Option<(Cell, bool)> {
        match self {
            Self::Add(qty) => cell.with_order(qty).map(|new| (new, false)),
            Self::Take(qty, whole) => Some(cell.without(qty, whole)),
            Self::Set(qty) => Some((Cell::of(u64::from(qty), 0), false)),
        }
    }
}

/// A change made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edited {
    /// The level before.
    pub(crate) before: Cell,
    /// Something was to be taken that was not there.
    pub(crate) missing: bool,
}

/// The level tables, lent for one chunk of events.
pub(crate) struct LevelsMut<'a> {
    pub(crate) rows: &'a mut [Row],
    pub(crate) cells: &'a mut [Cells],
    pub(crate) arena: &'a mut [FarLevel],
    pub(crate) index: &'a mut LevelIndex,
}

impl LevelsMut<'_> {
    /// Changes one level, which does not exist when its cell is empty. On `Err` nothing has changed.
    #[inline(always)]
    pub(crate) fn edit(&mut self, i: usize, side: Side, px: i64, change: Change) -> Result<Edited, Full> {
        let (s, key) = (side.index(), key_of(side, px));
        let row = &mut self.rows[i];
        let index = row.head.index(s, key);
        if index >= TICKS {
            return self.edit_outside(i, side, px, change);
        }
        let cell = &mut self.cells[i][s][row.head.cell(index)];
        let before = *cell;
        let (after, missing) = change.apply(before).ok_or(Full)?;
        *cell = after;
        row.settle(s, index, before, after);
        Ok(Edited { before, missing })
    }

    /// The rest of [`LevelsMut::edit`] for a key the window does not hold.
    #[cold]
    #[inline(never)]
    fn edit_outside(&mut self, i: usize, side: Side, px: i64, change: Change) -> Result<Edited, Full> {
        let (s, key) = (side.index(), key_of(side, px));
        if self.rows[i].head.is_empty(s) && self.place_empty_window(i, side, px) {
            return self.edit(i, side, px, change);
        }
        let line = i * 2 + s;
        let best_before = self.rows[i].head.best_key(s);
        let known = self.index.far.get_mut(self.arena, line, key);
        let before = known.as_ref().map_or(Cell::EMPTY, |cell| **cell);
        let (after, missing) = change.apply(before).ok_or(Full)?;
        match known {
            Some(_) if after.is_empty() => self.index.far.remove(self.arena, line, key),
            Some(cell) => *cell = after,
            None if after.is_empty() => return Ok(Edited { before, missing }),
            None => self.index.far.insert(self.arena, line, FarLevel { key, cell: after })?,
        }
        let head = &mut self.rows[i].head;
        head.far_best[s] = self.index.far.levels(self.arena, line).last().map_or(NO_KEY, |level| level.key);
        if key >= best_before {
            head.mark_quote(s);
        }
        self.count_miss(i, side, key);
        Ok(Edited { before, missing })
    }

    /// Moves the window of an empty side to a price; false when the step the other side needs does not hold the price.
    fn place_empty_window(&mut self, instrument: usize, side: Side, px: i64) -> bool {
        let s = side.index();
        let other = key_of(side.opposite(), self.rows[instrument].head.best_key(1 - s));
        let head = &mut self.rows[instrument].head;
        let step = if head.is_empty(1 - s) {
            self.index.step_for(instrument, px, px)
        } else if self.index.step_for(instrument, px, other) == head.step() {
            head.step()
        } else {
            return false;
        };
        let key = key_of(side, px);
        head.place(s, Head::home_base(key, step), step);
        head.index(s, key) < TICKS
    }

    /// The step the instrument's windows should have now.
    fn wanted_step(&self, instrument: usize) -> i64 {
        let head = &self.rows[instrument].head;
        let best = [Side::Bid, Side::Ask].map(|side| (side, head.best_key(side.index())));
        let px = best.map(|(side, key)| if key == NO_KEY { i64::MAX } else { key_of(side, key) });
        self.index.step_for(instrument, px[0], px[1])
    }

    /// Notes an event outside the window; the window moves when enough of them would have found room had it stood well.
    fn count_miss(&mut self, instrument: usize, side: Side, key: i64) {
        let s = side.index();
        let best = self.rows[instrument].head.best_key(s);
        if best == NO_KEY {
            return;
        }
        let step = self.wanted_step(instrument);
        let base = Head::home_base(best, step);
        let fits = key >= base && key - base < TICKS as i64 * step && (key - base) % step == 0;
        let head = &mut self.rows[instrument].head;
        if !fits {
            return;
        }
        head.misses[s] += 1;
        if head.misses[s] >= MISSES_MAX {
            head.misses[s] = 0;
            self.recentre(instrument, s, step);
        }
    }

    /// Moves a window so that the best price stands [`HOME`] ticks from its end; a new step moves both windows.
    fn recentre(&mut self, instrument: usize, s: usize, step: i64) {
        self.index.recentres += 1;
        if step == self.rows[instrument].head.step() {
            self.move_home(instrument, s, step);
            return;
        }
        // Both ladders are emptied under the old step before the new one gives their indices another meaning.
        let emptied = (0..2).all(|side| self.refill(instrument, side, None));
        let step = if emptied { step } else { self.rows[instrument].head.step() };
        (0..2).for_each(|side| self.move_home(instrument, side, step));
    }

    fn move_home(&mut self, instrument: usize, s: usize, step: i64) {
        let best = self.rows[instrument].head.best_key(s);
        if best != NO_KEY {
            self.refill(instrument, s, Some((Head::home_base(best, step), step)));
        }
    }

    /// Takes all levels of a side out and stores them again: in the window when it stands at `window` (base and step) and holds
    /// them, else among the far ones. False, and nothing has changed, when the far arena has no room.
    fn refill(&mut self, instrument: usize, s: usize, window: Option<(i64, i64)>) -> bool {
        let line = instrument * 2 + s;
        self.merge_into_scratch(instrument, s);
        let mut scratch = std::mem::take(&mut self.index.scratch);
        let holds = |key: i64| {
            window.is_some_and(|(base, step)| {
                (base..base + TICKS as i64 * step).contains(&key) && (key - base) % step == 0
            })
        };
        let outside = scratch.iter().rev().filter(|level| !holds(level.key)).copied();
        let count = scratch.iter().filter(|level| !holds(level.key)).count();
        let stored = self.index.far.replace(self.arena, line, outside, count).is_ok();
        if stored {
            let Row { head, bits, .. } = &mut self.rows[instrument];
            let (cells, bits) = (&mut self.cells[instrument][s], &mut bits[s]);
            for index in Occupied::new(bits) {
                cells[head.cell(index)] = Cell::EMPTY;
            }
            head.wipe(bits, s);
            if let Some((base, step)) = window {
                head.place(s, base, step);
                for level in scratch.iter().filter(|level| holds(level.key)) {
                    let index = head.index(s, level.key) % TICKS;
                    cells[head.cell(index)] = level.cell;
                    head.occupy(bits, s, index);
                }
            }
            head.far_best[s] =
                self.index.far.levels(self.arena, line).last().map_or(NO_KEY, |level| level.key);
        } else {
            self.index.recentres_refused += 1;
        }
        scratch.clear();
        self.index.scratch = scratch;
        stored
    }

    /// All levels of a side, best first, in the scratch.
    fn merge_into_scratch(&mut self, instrument: usize, s: usize) {
        let line = instrument * 2 + s;
        let Row { head, bits, .. } = &self.rows[instrument];
        let cells = &self.cells[instrument][s];
        let far = self.index.far.levels(self.arena, line);
        let near = Occupied::new(&bits[s])
            .map(|index| FarLevel { key: head.key(s, index as i16), cell: cells[head.cell(index)] });
        self.index.scratch.clear();
        self.index.scratch.extend(Merged::new(near, far));
    }

    /// Removes every level of an instrument and returns how many orders they held.
    pub(crate) fn clear(&mut self, instrument: usize) -> u64 {
        let mut orders = 0;
        for s in 0..2 {
            let line = instrument * 2 + s;
            let Row { head, bits, .. } = &mut self.rows[instrument];
            let (cells, bits) = (&mut self.cells[instrument][s], &mut bits[s]);
            for index in Occupied::new(bits) {
                let cell = &mut cells[head.cell(index)];
                orders += cell.count();
                *cell = Cell::EMPTY;
            }
            let far = self.index.far.levels(self.arena, line);
            orders += far.iter().map(|level| level.cell.count()).sum::<u64>();
            self.index.far.clear(line);
            head.wipe(bits, s);
            head.far_best[s] = NO_KEY;
            head.mark_quote(s);
        }
        orders
    }
}

/// The step a ladder should have whose best prices are no nearer to 0 than `nearest`, where no table says it.
fn step_for(tick: i64, nearest: i64) -> i64 {
    let fine = tick > FINE_STEP && tick % FINE_STEP == 0;
    if fine && nearest < FINE_BELOW_TICKS.saturating_mul(tick) { FINE_STEP } else { tick }
}

/// Ladder and far levels of one side in one sequence, best first.
#[derive(Clone, Debug)]
pub(crate) struct Merged<'a, I: Iterator<Item = FarLevel>> {
    near: I,
    head: Option<FarLevel>,
    far: &'a [FarLevel],
}

impl<'a, I: Iterator<Item = FarLevel>> Merged<'a, I> {
    #[inline]
    pub(crate) fn new(mut near: I, far: &'a [FarLevel]) -> Self {
        let head = near.next();
        Self { near, head, far }
    }
}

impl<I: Iterator<Item = FarLevel>> Iterator for Merged<'_, I> {
    type Item = FarLevel;

    #[inline]
    fn next(&mut self) -> Option<FarLevel> {
        if let Some((last, rest)) = self.far.split_last()
            && self.head.is_none_or(|head| last.key > head.key)
        {
            self.far = rest;
            return Some(*last);
        }
        std::mem::replace(&mut self.head, self.near.next())
    }
}

const _: () = assert!(HOME < TICKS as i64);

#[cfg(test)]
mod tests {
    use super::*;

    const CENT: i64 = 10_000_000;

    #[test]
    fn the_step_is_fine_below_a_hundred_ticks_only() {
        assert_eq!(step_for(CENT, 100 * CENT), CENT);
        assert_eq!(step_for(CENT, 99 * CENT), FINE_STEP);
        assert_eq!(step_for(CENT, i64::MAX), CENT);
        assert_eq!(step_for(FINE_STEP, 1), FINE_STEP);
        assert_eq!(step_for(7, 1), 7, "a tick that is no multiple of the fine step stays");
    }

    #[test]
    fn the_step_is_the_tables_at_the_price_nearest_to_zero() {
        let mut index = LevelIndex::new(3, 64, CENT);
        index.define(0, CENT, TickTableId::US_EQUITY);
        index.define(1, CENT, TickTableId(9));
        assert_eq!(index.tick_size(1), (Px(CENT), TickTableId::NONE), "a table that is not there");
        let dollar = 100 * CENT;
        for (a, b, step) in [
            (dollar, dollar + CENT, CENT),
            (dollar - FINE_STEP, dollar, FINE_STEP),
            (i64::MAX, dollar, CENT),
            (i64::MAX, i64::MAX, CENT),
            (-dollar / 2, i64::MAX, FINE_STEP),
            (i64::MIN, i64::MAX, CENT),
        ] {
            assert_eq!(index.step_for(0, a, b), step, "{a} {b}");
        }
        assert_eq!(
            (index.tick_at(0, Px(dollar - 1)), index.tick_at(0, Px(dollar))),
            (Px(FINE_STEP), Px(CENT))
        );
        assert_eq!((index.tick_at(1, Px(1)), index.tick_at(2, Px(1))), (Px(CENT), Px(CENT)));
        let coarse =
            [types::TickStep { from: Px(0), tick: Px(5) }, types::TickStep { from: Px(50), tick: Px(50) }];
        index.set_tables([TickTable::US_EQUITY, TickTable::new(&coarse).unwrap()].into());
        index.define(2, 50, TickTableId(2));
        assert_eq!((index.step_for(2, 49, 60), index.step_for(2, 50, 60)), (5, 50));
    }

    #[test]
    fn near_and_far_come_out_in_one_order() {
        let level = |key| FarLevel { key, cell: Cell::of(1, 1) };
        let far = [level(-5), level(3), level(9)];
        let near = [level(8), level(4), level(2)];
        let keys: Vec<i64> = Merged::new(near.into_iter(), &far).map(|l| l.key).collect();
        assert_eq!(keys, [9, 8, 4, 3, 2, -5]);
    }
}
