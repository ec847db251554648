//! The open-order table: every order that counts into a limit, and the last ones that did, by client order id.
//!
//! Open addressing with linear probing over a power-of-two table at most half full, so that a probe always ends at a
//! free slot. Keys lie apart from entries: the duplicate check of a new order touches one line of keys.
//!
//! An order that closes stays as a *recent* order until so many others have closed after it. That serves two needs with
//! one look-up: a duplicate of a recent order is caught, and a fill that arrives after its order's end (the venue's last
//! fill and our cancel crossed) still finds the position it belongs to.
//!
//! Deletion shifts the following entries back (Knuth, TAOCP vol. 3, 6.4, algorithm R), so there are no tombstones and
//! the table does not age.

use alloc::{boxed::Box, vec};

use types::{GOLDEN, Side};

use crate::chains::Chains;

/// How many replacements of replacements are followed.
const REPLACEMENTS_FOLLOWED: usize = 16;

/// No slot of a table.
pub(crate) const NOWHERE: usize = usize::MAX;

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Life {
    /// It counts into limits.
    Open,
    /// It is a replacement the venue has not answered; `link` is the order it replaces, which counts for both.
    Pending,
    /// It counts no more.
    Closed,
    /// The venue never took it: it counts no more, and nothing can be said of it.
    Refused,
}

impl Life {
    /// It counts no more.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Refused)
    }
}

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The price it was judged at, in 1e-9.
    pub px: u64,
    /// The other id of a replacement: its replacement's, under way or, in a [`Life::Closed`] entry, made; in a
    /// [`Life::Pending`] entry the replaced order's. 0 when there is none.
    pub link: u64,
    /// Whole quantity, executed part included; of one that is over, what it had when it ended.
    pub qty: u32,
    /// Executed so far; of a [`Life::Pending`] entry, under its own name.
    pub executed: u32,
    /// Whole quantity of the replacement under way, executed part included; 0 when there is none.
    pub pending_qty: u32,
    /// Where its position is kept.
    pub cell: u32,
    /// The number of its reservation; 0 once the venue has said anything of it, when there is nothing left to release.
    pub generation: u32,
    /// For whom it is.
    pub account: u16,
    /// What it does.
    pub side: Side,
    /// Where it is in its life.
    pub life: Life,
}

impl Entry {
    const FREE: Self = Self {
        px: 0,
        link: 0,
        qty: 0,
        executed: 0,
        pending_qty: 0,
        cell: 0,
        generation: 0,
        account: 0,
        side: Side::Bid,
        life: Life::Closed,
    };

    /// What can still trade, under whichever of the two quantities the venue holds in force.
    #[inline]
    pub(crate) fn leaves(&self) -> u32 {
        match self.life {
            Life::Open => self.qty.max(self.pending_qty).saturating_sub(self.executed),
            Life::Pending | Life::Closed | Life::Refused => 0,
        }
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct OrderTable {
    /// 0 is a free slot; no order has that id.
    keys: Box<[u64]>,
    entries: Box<[Entry]>,
    mask: usize,
    shift: u32,
    open: usize,
    open_max: usize,
    /// Ids of closed orders, oldest at `oldest` once the ring is full.
    recent: Box<[u64]>,
    recent_len: usize,
    oldest: usize,
    /// Of the last reservation.
    generation: u32,
    /// Those that are open or pending.
    chains: Chains,
}

impl OrderTable {
    /// Room for `open_max` open and `recent_max` recent orders, both at least one. Working orders can be listed by cell
    /// where that is below `chained_cells`.
    pub(crate) fn new(open_max: usize, recent_max: usize, chained_cells: usize) -> Self {
        let slots = (2 * (open_max + recent_max)).next_power_of_two().max(4);
        Self {
            keys: vec![0; slots].into(),
            entries: vec![Entry::FREE; slots].into(),
            mask: slots - 1,
            shift: 64 - slots.trailing_zeros(),
            open: 0,
            open_max,
            recent: vec![0; recent_max].into(),
            recent_len: 0,
            oldest: 0,
            generation: 0,
            chains: Chains::new(chained_cells, slots),
        }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.keys)
            + size_of_val(&*self.entries)
            + size_of_val(&*self.recent)
            + self.chains.bytes()
    }

    /// Numbers of reservations go on from `salt`.
    pub(crate) const fn set_salt(&mut self, salt: u32) {
        self.generation = salt;
    }

    /// How many orders are open, unanswered replacements included.
    #[inline(always)]
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// How many may be.
    #[inline(always)]
    pub(crate) fn open_max(&self) -> usize {
        self.open_max
    }

    /// Whether an order with this id is open or recent.
    #[inline(always)]
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.find(id).is_some()
    }

    /// The slot of an id, until an order is next added or closed.
    #[inline(always)]
    pub(crate) fn find(&self, id: u64) -> Option<usize> {
        let mut at = self.home(id);
        loop {
            match self.keys.get(at) {
                Some(&key) if key == id => return (id != 0).then_some(at),
                Some(0) | None => return None,
                Some(_) => at = at.wrapping_add(1) & self.mask,
            }
        }
    }

    /// The free slot where an order of this id goes, until one is next added or closed; none when the id is in the table.
    #[inline(always)]
    pub(crate) fn free_for(&self, id: u64) -> Option<usize> {
        let mut at = self.home(id);
        let mut key = *self.keys.get(at)?;
        while key != 0 {
            if key == id {
                return None;
            }
            at = at.wrapping_add(1) & self.mask;
            key = *self.keys.get(at)?;
        }
        Some(at)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a table's index fits a usize")]
    fn home(&self, id: u64) -> usize {
        id.wrapping_mul(GOLDEN).wrapping_shr(self.shift) as usize
    }

    /// The entry of an id.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<Entry> {
        self.find(id).and_then(|at| self.entry(at)).copied()
    }

    /// The entry in a slot.
    #[inline(always)]
    pub(crate) fn entry(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
    }

    /// The same, to be changed.
    #[inline(always)]
    pub(crate) fn entry_mut(&mut self, at: usize) -> Option<&mut Entry> {
        self.entries.get_mut(at)
    }

    /// Changes the entry of an id in place; nothing happens when there is none.
    #[inline]
    pub(crate) fn put(&mut self, id: u64, entry: Entry) {
        if let Some(place) = self.find(id).and_then(|at| self.entry_mut(at)) {
            *place = entry;
        }
    }

    /// The order that `id` has become: the one that it names, the one that replaced it, or the one that it is to replace.
    pub(crate) fn last_of(&self, id: u64) -> Option<(u64, Entry)> {
        let mut last = (id, self.get(id)?);
        if last.1.life == Life::Pending {
            last = (last.1.link, self.get(last.1.link)?);
        }
        for _ in 0..REPLACEMENTS_FOLLOWED {
            match last.1 {
                Entry { life: Life::Closed, link, .. } if link != 0 => match self.get(link) {
                    Some(next) => last = (link, next),
                    None => break,
                },
                _ => break,
            }
        }
        Some(last)
    }

    /// Adds an order that is open or pending. The caller has checked that the id is not 0, not in the table, and that
    /// fewer than the maximum are open; the table is then at most half full and a free slot is found. Gives the number of
    /// the reservation, never 0.
    pub(crate) fn insert(&mut self, id: u64, entry: Entry) -> u32 {
        let free = self.free_for(id).unwrap_or(NOWHERE);
        self.insert_at(free, id, entry)
    }

    /// The same, in the slot that is free for it ([`OrderTable::free_for`]).
    #[inline(always)]
    pub(crate) fn insert_at(&mut self, free: usize, id: u64, entry: Entry) -> u32 {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let entry = Entry { generation: self.generation, ..entry };
        if let (Some(key), Some(place)) = (self.keys.get_mut(free), self.entries.get_mut(free)) {
            (*key, *place) = (id, entry);
            self.open = self.open.wrapping_add(1);
            self.chains.join(free, entry.cell, entry.side);
        }
        self.generation
    }

    /// Closes an open or pending order: it becomes the most recent one, and the oldest recent one is forgotten. A replaced
    /// order remembers its replacement, which `link` is; 0 for every other.
    pub(crate) fn close(&mut self, id: u64, entry: Entry, link: u64) {
        let at = self.find(id).unwrap_or(NOWHERE);
        self.close_at(at, id, entry, link);
    }

    /// The same of the order in a slot. Its price, its cell and for whom it is stay as they lie there.
    #[inline(always)]
    pub(crate) fn close_at(&mut self, at: usize, id: u64, entry: Entry, link: u64) {
        if let Some(place) = self.entries.get_mut(at) {
            place.life = if entry.life == Life::Refused { Life::Refused } else { Life::Closed };
            (place.qty, place.executed) = (entry.qty, entry.executed);
            (place.link, place.pending_qty, place.generation) = (link, 0, 0);
            self.chains.leave(at, entry.cell, entry.side);
        }
        self.open = self.open.saturating_sub(1);
        if self.recent_len < self.recent.len() {
            if let Some(place) = self.recent.get_mut(self.recent_len) {
                *place = id;
            }
            self.recent_len = self.recent_len.wrapping_add(1);
            return;
        }
        let Some(place) = self.recent.get_mut(self.oldest) else { return };
        let forgotten = core::mem::replace(place, id);
        self.oldest = self.oldest.wrapping_add(1);
        if self.oldest >= self.recent.len() {
            self.oldest = 0;
        }
        self.remove(forgotten);
    }

    /// Frees the slot of an id and closes the hole.
    fn remove(&mut self, id: u64) {
        let Some(mut hole) = self.find(id) else { return };
        let mut at = hole;
        loop {
            at = at.wrapping_add(1) & self.mask;
            let (Some(&key), Some(&entry)) = (self.keys.get(at), self.entries.get(at)) else { break };
            if key == 0 {
                break;
            }
            // An entry may move back into the hole unless that would put it before its home.
            let from_home = at.wrapping_sub(self.home(key)) & self.mask;
            let from_hole = at.wrapping_sub(hole) & self.mask;
            if from_home >= from_hole {
                if let (Some(k), Some(e)) = (self.keys.get_mut(hole), self.entries.get_mut(hole)) {
                    (*k, *e) = (key, entry);
                }
                if !entry.life.is_over() {
                    self.chains.leave(at, entry.cell, entry.side);
                    self.chains.join(hole, entry.cell, entry.side);
                }
                hole = at;
            }
        }
        if let Some(key) = self.keys.get_mut(hole) {
            *key = 0;
        }
    }

    /// Every order of a chained cell's side that can still trade, each replacement under way beside the order it replaces:
    /// the venue may hold either.
    pub(crate) fn working(&self, cell: usize, side: Side) -> impl Iterator<Item = &Entry> {
        let chained = self.chains.slots(cell, side).filter_map(|at| self.entries.get(at));
        chained.filter(|entry| match entry.life {
            Life::Open => entry.leaves() != 0,
            Life::Pending => self.get(entry.link).is_some_and(|replaced| replaced.leaves() != 0),
            Life::Closed | Life::Refused => false,
        })
    }

    /// Takes back an order that was in a table like this one, as it was. As for [`OrderTable::insert`], but for the number of
    /// the reservation: there is nothing left to release. Orders that are closed come back in the order in which they were.
    pub(crate) fn restore(&mut self, id: u64, entry: Entry) {
        let Entry { life, link, .. } = entry;
        self.insert(id, entry);
        let entry = Entry { generation: 0, ..entry };
        match life {
            Life::Open | Life::Pending => self.put(id, entry),
            Life::Closed | Life::Refused => self.close(id, entry, link),
        }
    }

    /// Every order of the table: those that are closed, the oldest first, then those that are open, then replacements that wait
    /// for an answer.
    pub(crate) fn iter_all(&self) -> impl Iterator<Item = (u64, Entry)> {
        let (newer, older) = self.recent.split_at(self.oldest.min(self.recent.len()));
        let recent = older.iter().chain(newer).copied().filter(|id| *id != 0);
        let closed = recent.filter_map(|id| self.get(id).map(|entry| (id, entry)));
        let alive = |life: Life| {
            let all = self.keys.iter().copied().zip(self.entries.iter().copied());
            all.filter(move |(key, entry)| *key != 0 && entry.life == life)
        };
        closed.chain(alive(Life::Open)).chain(alive(Life::Pending))
    }

    /// Every order that is open, with its id, in no particular order; unanswered replacements are part of the order they
    /// replace.
    pub(crate) fn iter_open(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let all = self.keys.iter().copied().zip(self.entries.iter());
        all.filter(|(key, entry)| *key != 0 && entry.life == Life::Open)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, VecDeque};

    fn entry(qty: u32) -> Entry {
        Entry { qty, life: Life::Open, ..Entry::FREE }
    }

    #[test]
    fn leaves_are_what_the_larger_of_two_quantities_still_allows() {
        let open = Entry { qty: 10, executed: 4, pending_qty: 0, life: Life::Open, ..Entry::FREE };
        assert_eq!(open.leaves(), 6);
        assert_eq!(Entry { pending_qty: 20, ..open }.leaves(), 16);
        assert_eq!(Entry { pending_qty: 5, ..open }.leaves(), 6);
        assert_eq!(Entry { executed: 12, ..open }.leaves(), 0);
        assert_eq!(Entry { life: Life::Closed, ..open }.leaves(), 0);
    }

    #[test]
    fn the_id_zero_is_never_in_the_table() {
        let table = OrderTable::new(1, 1, 0);
        assert!(!table.contains(0) && table.get(0).is_none());
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u64),
        Close(usize),
    }

    fn any_op() -> impl Strategy<Value = Op> {
        // Few distinct ids, so that they come back after they were forgotten, in a table small enough to wrap.
        prop_oneof![(1_u64..40).prop_map(Op::Insert), (0_usize..8).prop_map(Op::Close)]
    }

    proptest! {
        /// Against a map and a queue: exactly the open and the last `recent_max` closed orders are there, and exactly the open
        /// ones work.
        #[test]
        fn the_table_is_a_map_with_a_memory(
            open_max in 1_usize..8, recent_max in 1_usize..6, scatter in 1_u64..,
            ops in proptest::collection::vec(any_op(), 1..300),
        ) {
            let mut table = OrderTable::new(open_max, recent_max, 1);
            let (mut open, mut recent) = (std::vec::Vec::new(), VecDeque::new());
            let mut all = HashMap::new();
            for (n, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Insert(id) => {
                        let id = id.wrapping_mul(scatter | 1).max(1);
                        if open.len() < open_max && !table.contains(id) {
                            let qty = u32::try_from(n).unwrap() + 1;
                            table.insert(id, entry(qty));
                            open.push(id);
                            all.insert(id, qty);
                        }
                    }
                    Op::Close(which) => if which < open.len() {
                        let id = open.swap_remove(which);
                        let held = table.get(id).unwrap();
                        table.close(id, held, 0);
                        recent.push_back(id);
                        if recent.len() > recent_max {
                            all.remove(&recent.pop_front().unwrap());
                        }
                    },
                }
                prop_assert_eq!(table.open(), open.len());
                prop_assert_eq!(table.iter_open().count(), open.len());
                let mut working: std::vec::Vec<_> = table.working(0, Side::Bid).map(|e| e.qty).collect();
                let mut wanted: std::vec::Vec<_> = open.iter().map(|id| all[id]).collect();
                working.sort_unstable();
                wanted.sort_unstable();
                prop_assert_eq!(working, wanted);
                prop_assert_eq!(table.keys.iter().filter(|k| **k != 0).count(), all.len());
                for (id, qty) in &all {
                    let held = table.get(*id);
                    prop_assert_eq!(held.map(|e| e.qty), Some(*qty));
                    prop_assert_eq!(held.map(|e| e.life == Life::Open), Some(open.contains(id)));
                }
            }
        }
    }
}
