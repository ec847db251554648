//! The executions that were booked, so that each counts once.
//!
//! The last ones of a fixed number are remembered, in a ring, and found by open addressing with linear probing over a table
//! at most half full; the same table as [`crate::orders`], of keys alone.

use alloc::{boxed::Box, vec};

/// 2^64 divided by the golden ratio (Knuth, TAOCP vol. 3, 6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The newest executions.
#[derive(Debug)]
pub(crate) struct Executions {
    /// 0 is a free slot.
    keys: Box<[u64]>,
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
            keys: vec![0; slots].into(),
            mask: slots - 1,
            shift: 64 - slots.trailing_zeros(),
            ring: vec![0; count].into(),
            next: 0,
        }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.keys) + size_of_val(&*self.ring)
    }

    /// Whether `execution` is new; it is not from now on, until as many others have come. 0 numbers nothing: it is new every
    /// time.
    pub(crate) fn remember(&mut self, execution: u64) -> bool {
        if execution == 0 {
            return true;
        }
        if self.find(execution).is_ok() {
            return false;
        }
        if let Some(place) = self.ring.get_mut(self.next) {
            let forgotten = core::mem::replace(place, execution);
            self.next = self.next.wrapping_add(1);
            if self.next >= self.ring.len() {
                self.next = 0;
            }
            self.remove(forgotten);
        }
        // Looked for again: what was forgotten may have moved the free slot.
        if let Err(free) = self.find(execution)
            && let Some(key) = self.keys.get_mut(free)
        {
            *key = execution;
        }
        true
    }

    /// The executions that are remembered, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        let (newer, older) = self.ring.split_at(self.next.min(self.ring.len()));
        older.iter().chain(newer).copied().filter(|execution| *execution != 0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a table's index fits a usize")]
    fn home(&self, execution: u64) -> usize {
        execution.wrapping_mul(GOLDEN).wrapping_shr(self.shift) as usize
    }

    /// Its slot, or the free one where it would go.
    fn find(&self, execution: u64) -> Result<usize, usize> {
        let mut at = self.home(execution);
        loop {
            match self.keys.get(at) {
                Some(&key) if key == execution => return Ok(at),
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
            let Some(&key) = self.keys.get(at).filter(|key| **key != 0) else { break };
            // A key may move back into the hole unless that would put it before its home.
            let from_home = at.wrapping_sub(self.home(key)) & self.mask;
            if from_home >= at.wrapping_sub(hole) & self.mask {
                if let Some(place) = self.keys.get_mut(hole) {
                    *place = key;
                }
                hole = at;
            }
        }
        if let Some(key) = self.keys.get_mut(hole) {
            *key = 0;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Against a queue: exactly the last `count` executions are known.
        #[test]
        fn the_last_ones_are_known_and_no_others(
            count in 1_usize..9, scatter: u64, ids in proptest::collection::vec(0_u64..24, 1..300),
        ) {
            let mut executions = Executions::new(count);
            let mut known = VecDeque::new();
            for id in ids {
                let id = id.wrapping_mul(scatter | 1);
                let new = id == 0 || !known.contains(&id);
                prop_assert_eq!(executions.remember(id), new);
                if new && id != 0 {
                    known.push_back(id);
                    if known.len() > count {
                        known.pop_front();
                    }
                }
                prop_assert_eq!(executions.keys.iter().filter(|key| **key != 0).count(), known.len());
            }
        }
    }
}
