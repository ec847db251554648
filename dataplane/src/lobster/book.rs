//! The book that the rows describe, kept to translate them: levels in view exactly as the order book file shows them,
//! levels out of view as they were when last seen.

use std::collections::HashMap;

use types::{Action, Side};

use super::archive::{DepthRow, MessageRow};
use super::row::Row;

/// No order, no level.
const NIL: u32 = u32::MAX;
/// Synthetic order numbers begin here; real ones are far below.
const FIRST_SEED_ID: u64 = 1 << 63;

/// What the translation had to add to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LobsterStats {
    /// Levels that came into view, or came back changed, at the deepest level shown, when a level of their side went.
    pub(super) uncovered: u64,
    /// Other differences to the order book file: the two files do not belong together, or a row is missing.
    pub(super) corrected: u64,
    /// Messages about orders that were never announced.
    pub(super) unknown_orders: u64,
}

/// One order in its level's queue.
#[derive(Clone, Copy, Debug)]
struct Order {
    id: u64,
    side: Side,
    px: i64,
    qty: u32,
    before: u32,
    after: u32,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    px: i64,
    qty: u64,
    first: u32,
    last: u32,
    /// The level's synthetic order, standing for all orders that were never announced.
    seed: u32,
}

/// The level that a message took shares from.
#[derive(Clone, Copy, Debug)]
struct Taken {
    side: Side,
    px: i64,
    is_gone: bool,
}

/// Levels of one side, the best one last.
type Levels = Vec<Level>;

#[derive(Debug)]
pub(super) struct Book {
    orders: Vec<Order>,
    free: Vec<u32>,
    /// Looked up by number only, never walked.
    by_id: HashMap<u64, u32>,
    sides: [Levels; 2],
    next_seed_id: u64,
    /// What the row's message took shares from, and whether that level went: only on that side can a deeper one have come into view.
    taken: Option<Taken>,
    stats: LobsterStats,
}

/// Better prices have larger keys.
fn key(side: Side, px: i64) -> i64 {
    match side {
        Side::Bid => px,
        Side::Ask => -px,
    }
}

impl Book {
    pub(super) fn new(orders_max: usize, levels: usize) -> Self {
        Self {
            orders: Vec::with_capacity(orders_max),
            free: Vec::with_capacity(orders_max),
            by_id: HashMap::with_capacity(orders_max),
            sides: [Vec::with_capacity(orders_max + levels), Vec::with_capacity(orders_max + levels)],
            next_seed_id: FIRST_SEED_ID,
            taken: None,
            stats: LobsterStats::default(),
        }
    }

    pub(super) fn stats(&self) -> LobsterStats {
        self.stats
    }

    /// Begins with what the first order book row shows, less what the first message does: the book before it.
    pub(super) fn seed(&mut self, first: &MessageRow, depth: &DepthRow, row: &mut Row<'_>) {
        for side in [Side::Bid, Side::Ask] {
            for &(px, qty) in depth.side(side) {
                let ours = first.side == side && first.px == px;
                let before = match first.kind {
                    1 if ours => qty.saturating_sub(first.qty),
                    2..=4 if ours => qty.saturating_add(first.qty),
                    _ => qty,
                };
                if before > 0 {
                    self.add_seed(side, px, before, row);
                }
            }
        }
        let emptied = matches!(first.kind, 2..=4) && self.find_level(first.side, first.px).is_err();
        if emptied && first.qty > 0 {
            self.add_seed(first.side, first.px, first.qty, row);
        }
    }

    /// Does what a message row says; false when there are too many orders.
    pub(super) fn apply(&mut self, m: &MessageRow, row: &mut Row<'_>) -> bool {
        self.taken = None;
        let action = match m.kind {
            1 => return self.add(m, row),
            2 => Action::OrderReduce,
            3 => Action::OrderDelete,
            4 => Action::OrderExecute,
            _ => return true,
        };
        let taken = match self.by_id.get(&m.order_id) {
            Some(&order) => self.take(order, action, m.qty, row),
            None => {
                self.stats.unknown_orders += 1;
                0
            }
        };
        self.take_from_level(m, action, m.qty.saturating_sub(taken), row);
        let is_gone = self.find_level(m.side, m.px).is_err();
        self.taken = Some(Taken { side: m.side, px: m.px, is_gone });
        true
    }

    /// Makes the levels in view what the order book row shows; false when there are too many orders.
    pub(super) fn reconcile(&mut self, depth: &DepthRow, row: &mut Row<'_>) -> bool {
        for side in [Side::Bid, Side::Ask] {
            let shown = depth.side(side);
            for (rank, &(px, qty)) in shown.iter().enumerate() {
                if !self.reconcile_level(side, rank, (px, qty), depth.levels(), row) {
                    return false;
                }
            }
            // A row that is not full shows the whole side.
            if shown.len() < depth.levels() {
                while self.sides[side.index()].len() > shown.len() {
                    self.remove_level(side, 0, row);
                }
            }
        }
        true
    }

    fn reconcile_level(
        &mut self,
        side: Side,
        rank: usize,
        (px, qty): (i64, u32),
        levels: usize,
        row: &mut Row<'_>,
    ) -> bool {
        let mut changed = false;
        let fits = loop {
            let place = self.sides[side.index()].len().checked_sub(rank + 1);
            let Some((at, level)) = place.map(|at| (at, self.sides[side.index()][at])) else {
                changed = true;
                break self.add_seed(side, px, qty, row);
            };
            if level.px == px {
                let differs = level.qty != u64::from(qty);
                changed |= differs;
                break !differs || self.set_level(side, at, qty, row);
            }
            changed = true;
            if key(side, level.px) < key(side, px) {
                break self.add_seed(side, px, qty, row);
            }
            // It went away while it was out of view.
            self.remove_level(side, at, row);
        };
        // Which of its orders shares were taken from can be wrong for a level that had been out of view.
        let is_of = |taken: Taken| taken.side == side && (taken.is_gone || taken.px == px);
        let is_uncovered = rank + 1 == levels && self.taken.is_some_and(is_of);
        let count = if is_uncovered { &mut self.stats.uncovered } else { &mut self.stats.corrected };
        *count += u64::from(changed);
        fits
    }

    fn add(&mut self, m: &MessageRow, row: &mut Row<'_>) -> bool {
        if m.qty == 0 {
            return true;
        }
        if let Some(&known) = self.by_id.get(&m.order_id) {
            // The number is used again: the first order went away while it was out of view.
            self.take(known, Action::OrderDelete, 0, row);
        }
        let Some(order) = self.insert(m.order_id, m.side, m.px, m.qty) else { return false };
        self.by_id.insert(m.order_id, order);
        row.order(Action::OrderAdd, m.order_id, m.side, m.px, m.qty);
        true
    }

    /// Takes `qty` shares from an order, or all of it when it is deleted; returns how many.
    fn take(&mut self, order: u32, action: Action, qty: u32, row: &mut Row<'_>) -> u32 {
        let Order { id, side, qty: held, .. } = self.orders[order as usize];
        let whole = action == Action::OrderDelete;
        let taken = if whole { held } else { qty.min(held) };
        row.take(action, id, side, if whole { 0 } else { taken });
        self.shrink(order, taken);
        taken
    }

    /// Shares of orders that were never announced leave a level: its synthetic order stands for them, then the oldest
    /// orders do, since one of them must have left while the level was out of view.
    fn take_from_level(&mut self, m: &MessageRow, action: Action, mut qty: u32, row: &mut Row<'_>) {
        while qty > 0 {
            let Ok(at) = self.find_level(m.side, m.px) else { return };
            let Level { seed, first, .. } = self.sides[m.side.index()][at];
            let order = if seed == NIL { first } else { seed };
            let whole = self.orders[order as usize].qty <= qty;
            let left = if whole { Action::OrderDelete } else { Action::OrderReduce };
            let action = if action == Action::OrderExecute { action } else { left };
            qty -= self.take(order, action, qty, row);
        }
    }

    /// Adds a level's synthetic order.
    fn add_seed(&mut self, side: Side, px: i64, qty: u32, row: &mut Row<'_>) -> bool {
        let id = self.next_seed_id;
        self.next_seed_id += 1;
        let Some(order) = self.insert(id, side, px, qty) else { return false };
        if let Ok(at) = self.find_level(side, px) {
            self.sides[side.index()][at].seed = order;
        }
        row.order(Action::OrderAdd, id, side, px, qty);
        true
    }

    /// Brings a level to `qty`: its synthetic order grows, or shares leave it and then the oldest orders.
    fn set_level(&mut self, side: Side, at: usize, qty: u32, row: &mut Row<'_>) -> bool {
        let level = self.sides[side.index()][at];
        if level.qty < u64::from(qty) {
            let more = u32::try_from(u64::from(qty) - level.qty).unwrap_or(u32::MAX);
            return self.grow_seed(level, side, more, row);
        }
        let mut excess = level.qty - u64::from(qty);
        if level.seed != NIL {
            excess -= self.take_excess(level.seed, excess, row);
        }
        while excess > 0 {
            let Ok(at) = self.find_level(side, level.px) else { break };
            let oldest = self.sides[side.index()][at].first;
            excess -= self.take_excess(oldest, excess, row);
        }
        true
    }

    /// Takes up to `excess` shares from an order and returns how many.
    fn take_excess(&mut self, order: u32, excess: u64, row: &mut Row<'_>) -> u64 {
        let held = self.orders[order as usize].qty;
        let taken = u32::try_from(excess).unwrap_or(u32::MAX).min(held);
        let action = if taken == held { Action::OrderDelete } else { Action::OrderReduce };
        self.take(order, action, taken, row);
        u64::from(taken)
    }

    fn grow_seed(&mut self, level: Level, side: Side, more: u32, row: &mut Row<'_>) -> bool {
        if level.seed == NIL {
            return self.add_seed(side, level.px, more, row);
        }
        let Order { id: old, qty: held, .. } = self.orders[level.seed as usize];
        let (new, qty) = (self.next_seed_id, held.saturating_add(more));
        self.next_seed_id += 1;
        row.grow(old, new, side, level.px, qty);
        self.shrink(level.seed, held);
        let Some(order) = self.insert(new, side, level.px, qty) else { return false };
        if let Ok(at) = self.find_level(side, level.px) {
            self.sides[side.index()][at].seed = order;
        }
        true
    }

    fn remove_level(&mut self, side: Side, at: usize, row: &mut Row<'_>) {
        let Level { px, .. } = self.sides[side.index()][at];
        while let Ok(at) = self.find_level(side, px) {
            let first = self.sides[side.index()][at].first;
            self.take(first, Action::OrderDelete, 0, row);
        }
    }

    fn find_level(&self, side: Side, px: i64) -> Result<usize, usize> {
        let wanted = key(side, px);
        self.sides[side.index()].binary_search_by_key(&wanted, |level| key(side, level.px))
    }

    /// Puts an order at the end of its level's queue; `None` when there are too many.
    fn insert(&mut self, id: u64, side: Side, px: i64, qty: u32) -> Option<u32> {
        let at = match self.find_level(side, px) {
            Ok(at) => at,
            Err(at) => {
                self.sides[side.index()].insert(at, Level { px, qty: 0, first: NIL, last: NIL, seed: NIL });
                at
            }
        };
        let last = self.sides[side.index()][at].last;
        let index = self.allocate(Order { id, side, px, qty, before: last, after: NIL })?;
        let level = &mut self.sides[side.index()][at];
        level.qty += u64::from(qty);
        level.last = index;
        if last == NIL {
            level.first = index;
        } else {
            self.orders[last as usize].after = index;
        }
        Some(index)
    }

    fn allocate(&mut self, order: Order) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            self.orders[index as usize] = order;
            return Some(index);
        }
        if self.orders.len() == self.orders.capacity() {
            return None;
        }
        self.orders.push(order);
        u32::try_from(self.orders.len() - 1).ok()
    }

    /// Takes shares from an order; an empty order leaves its queue, an empty level its side.
    fn shrink(&mut self, index: u32, taken: u32) {
        let order = &mut self.orders[index as usize];
        order.qty -= taken;
        let order = *order;
        let Ok(at) = self.find_level(order.side, order.px) else { return };
        let level = &mut self.sides[order.side.index()][at];
        level.qty -= u64::from(taken);
        if order.qty > 0 {
            return;
        }
        if level.seed == index {
            level.seed = NIL;
        }
        if order.before == NIL {
            level.first = order.after;
        } else {
            self.orders[order.before as usize].after = order.after;
        }
        let level = &mut self.sides[order.side.index()][at];
        if order.after == NIL {
            level.last = order.before;
        } else {
            self.orders[order.after as usize].before = order.before;
        }
        if self.sides[order.side.index()][at].first == NIL {
            self.sides[order.side.index()].remove(at);
        }
        self.by_id.remove(&order.id);
        self.free.push(index);
    }
}
