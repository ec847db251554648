//! The executions that were booked, so that each counts once.
//!
//! The last ones of a fixed number are remembered, in a ring, and found by open addressing with linear probing over a table
//! at most half full; the same table as [`crate::orders`]. With each stands what it counted for, so that one that the venue takes
//! back is undone as it was done.

use alloc::{boxed::Box, vec};

use types::{GOLDEN, Px};

/// What an execution counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The price, [`Px::NONE`] when nobody knows.
    pub px: Px,
    /// The order that it was said of; 0 when nobody knows.
    pub order: u64,
    /// How much.
    pub qty: u32,
    /// How much of that has not been taken back.
    pub left: u32,
}

impl Booked {
    /// As much as may be, of an order and at a price that nobody knows.
    pub(crate) const UNKNOWN: Self = Self { px: Px::NONE, order: 0, qty: u32::MAX, left: u32::MAX };
}

/// What became of an execution that is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// It is new.
    New,
    /// It is new, and one of an order which still works had to be forgotten for it.
    Forgetting(Booked),
    /// It was remembered before.
    Known(Booked),
}

/// Executions that are looked at for one whose order works no more.
const LOOKED_AT_MAX: usize = 64;

/// One execution.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// 0 is a free slot.
    key: u64,
    booked: Booked,
}

const FREE: Slot = Slot { key: 0, booked: Booked::UNKNOWN };

/// The newest executions.
#[derive(Debug)]
pub(crate) struct Executions {
    slots: Box<[Slot]>,
    mask: usize,
    shift: u32,
    /// Oldest at `next` once every place is taken; 0 is a free place.
    ring: Box<[u64]>,
    next: usize,
}

impl Executions {
    /// Room for the last `count`, at least one.
    pub(crate) fn new(count: usize) -> Self {
        let slots = (2 * count).next_power_of_two().max(4);
        Self {
            slots: vec![FREE; slots].into(),
            mask: slots - 1,
            shift: 64 - slots.trailing_zeros(),
            ring: vec![0; count].into(),
            next: 0,
        }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.ring)
    }

    /// Remembers `execution`, which counts for `booked`, until as many others have come; longer while its order works, which
    /// `works` says of an order, as far as there is room. 0 numbers nothing: it is new every time.
    pub(crate) fn remember(
        &mut self,
        execution: u64,
        booked: Booked,
        works: impl Fn(u64) -> bool,
    ) -> Remembered {
        if execution == 0 {
            return Remembered::New;
        }
        if let Ok(at) = self.find(execution) {
            return Remembered::Known(self.slots.get(at).map_or(Booked::UNKNOWN, |slot| slot.booked));
        }
        let forgotten = self.pass_over(works);
        if let Some(place) = self.ring.get_mut(self.next) {
            let forgotten = core::mem::replace(place, execution);
            self.advance();
            self.remove(forgotten);
        }
        // Looked for again: what was forgotten may have moved the free slot.
        if let Err(free) = self.find(execution)
            && let Some(slot) = self.slots.get_mut(free)
        {
            *slot = Slot { key: execution, booked };
        }
        forgotten.map_or(Remembered::New, Remembered::Forgetting)
    }

    fn advance(&mut self) {
        self.next = self.next.wrapping_add(1);
        if self.next >= self.ring.len() {
            self.next = 0;
        }
    }

    /// Goes to the next place whose execution may be forgotten; where none is near, the one that is forgotten all the same.
    fn pass_over(&mut self, works: impl Fn(u64) -> bool) -> Option<Booked> {
        let oldest = self.next;
        for _ in 0..LOOKED_AT_MAX.min(self.ring.len()) {
            let execution = self.ring.get(self.next).copied().filter(|execution| *execution != 0)?;
            self.booked(execution).filter(|booked| works(booked.order))?;
            self.advance();
        }
        self.next = oldest;
        self.ring.get(oldest).and_then(|execution| self.booked(*execution))
    }

    fn booked(&self, execution: u64) -> Option<Booked> {
        let at = self.find(execution).ok()?;
        self.slots.get(at).map(|slot| slot.booked)
    }

    /// What `execution` counted for; none of one that is not remembered.
    pub(crate) fn booked_mut(&mut self, execution: u64) -> Option<&mut Booked> {
        let at = self.find(execution).ok().filter(|_| execution != 0)?;
        self.slots.get_mut(at).map(|slot| &mut slot.booked)
    }

    /// The executions that are remembered, oldest first, and what each counted for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Booked)> {
        let (newer, older) = self.ring.split_at(self.next.min(self.ring.len()));
        let known = older.iter().chain(newer).filter(|execution| **execution != 0);
        known.filter_map(|execution| Some((*execution, self.booked(*execution)?)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a table's index fits a usize")]
    fn home(&self, execution: u64) -> usize {
        execution.wrapping_mul(GOLDEN).wrapping_shr(self.shift) as usize
    }

    /// Its slot, or the free one where it would go.
    fn find(&self, execution: u64) -> Result<usize, usize> {
        let mut at = self.home(execution);
        loop {
            match self.slots.get(at).map(|slot| slot.key) {
                Some(key) if key == execution => return Ok(at),
                Some(0) | None => return Err(at),
                Some(_) => at = at.wrapping_add(1) & self.mask,
            }
        }
    }

    /// Frees its slot and closes the hole.
    fn remove(&mut self, execution: u64) {
        let Ok(mut hole) = self.find(execution) else { return };
        if execution == 0 {
            return;
        }
        let mut at = hole;
        loop {
            at = at.wrapping_add(1) & self.mask;
            let Some(&slot) = self.slots.get(at).filter(|slot| slot.key != 0) else { break };
            // One may move back into the hole unless that would put it before its home.
            let from_home = at.wrapping_sub(self.home(slot.key)) & self.mask;
            if from_home >= at.wrapping_sub(hole) & self.mask {
                if let Some(place) = self.slots.get_mut(hole) {
                    *place = slot;
                }
                hole = at;
            }
        }
        if let Some(slot) = self.slots.get_mut(hole) {
            *slot = FREE;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Against a queue: exactly the last `count` executions are known, with what each was remembered for.
        #[test]
        fn the_last_ones_are_known_and_no_others(
            count in 1_usize..9, scatter: u64, ids in proptest::collection::vec(0_u64..24, 1..300),
        ) {
            let mut executions = Executions::new(count);
            let mut known = VecDeque::new();
            for (n, id) in (0..).zip(ids) {
                let id = id.wrapping_mul(scatter | 1);
                let before = known.iter().find(|(known, _)| *known == id).map(|(_, booked)| *booked);
                let booked = Booked { px: Px(i64::from(n)), order: 3, qty: n, left: n };
                let wanted = before.map_or(Remembered::New, Remembered::Known);
                prop_assert_eq!(executions.remember(id, booked, |_| false), wanted);
                if before.is_none() && id != 0 {
                    known.push_back((id, booked));
                    if known.len() > count {
                        known.pop_front();
                    }
                }
                prop_assert_eq!(executions.slots.iter().filter(|slot| slot.key != 0).count(), known.len());
                prop_assert!(executions.iter().eq(known.iter().copied()));
                prop_assert_eq!(executions.booked_mut(0), None);
                if let Some((id, booked)) = known.front_mut() {
                    booked.left += 1_000;
                    executions.booked_mut(*id).unwrap().left += 1_000;
                }
            }
        }

        /// Those of orders that work stay, as long as there is one of another order near; else one of them goes, and that is said.
        #[test]
        fn those_of_orders_that_work_are_forgotten_last(
            count in 1_usize..100, orders in proptest::collection::vec(1_u64..5, 1..400), working in 0_u64..5,
        ) {
            let mut executions = Executions::new(count);
            for (n, order) in (1_u64..).zip(orders) {
                let booked = Booked { px: Px::NONE, order, qty: 1, left: 1 };
                let held = |executions: &Executions| executions.iter().filter(|(_, booked)| booked.order < working).count();
                let before = held(&executions);
                let remembered = executions.remember(n, booked, |order| order < working);
                let lost = before + usize::from(order < working) - held(&executions);
                let wanted = usize::from(matches!(remembered, Remembered::Forgetting(booked) if booked.order < working));
                prop_assert_eq!(lost, wanted);
                prop_assert!(lost == 0 || before >= count.min(LOOKED_AT_MAX));
                prop_assert!(executions.booked_mut(n).is_some());
            }
        }
    }
}
