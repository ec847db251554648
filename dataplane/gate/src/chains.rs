//! The orders that count into limits, chained by the cell and the side they belong to: an order that reaches as far as own
//! ones looks at those of its instrument alone, not through the whole open-order table.
//!
//! A chain goes from slot to slot of that table. Its order means nothing, so a slot that moves leaves it and joins it again.

use alloc::{boxed::Box, vec};

use types::Side;

/// The neighbours of a slot in its chain: their numbers plus one, 0 where there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    before: u32,
    after: u32,
}

/// The chains of every cell and side.
#[derive(Debug)]
pub(crate) struct Chains {
    /// By cell and [`Side::index`]: the first slot, plus one. Empty where nobody follows a chain.
    firsts: Box<[[u32; 2]]>,
    /// By slot.
    links: Box<[Link]>,
}

impl Chains {
    /// Chains of `cells` cells through a table of `slots`; of no cell, they cost nothing.
    pub(crate) fn new(cells: usize, slots: usize) -> Self {
        let slots = if cells == 0 { 0 } else { slots };
        Self { firsts: vec![[0; 2]; cells].into(), links: vec![Link::default(); slots].into() }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.firsts) + size_of_val(&*self.links)
    }

    /// The order in `slot` joins the chain of its cell and side.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a table has at most 2^24 slots")]
    pub(crate) fn join(&mut self, slot: usize, cell: u32, side: Side) {
        let Some(firsts) = self.firsts.get_mut(cell as usize) else { return };
        let number = (slot as u32).wrapping_add(1);
        let after = core::mem::replace(&mut firsts[side.index()], number);
        if let Some(link) = self.links.get_mut(slot) {
            *link = Link { before: 0, after };
        }
        if let Some(next) = self.links.get_mut((after as usize).wrapping_sub(1)) {
            next.before = number;
        }
    }

    /// The order in `slot` leaves the chain that it is in.
    #[inline]
    pub(crate) fn leave(&mut self, slot: usize, cell: u32, side: Side) {
        let Some(firsts) = self.firsts.get_mut(cell as usize) else { return };
        let Some(link) = self.links.get_mut(slot) else { return };
        let Link { before, after } = core::mem::take(link);
        match self.links.get_mut((before as usize).wrapping_sub(1)) {
            Some(previous) => previous.after = after,
            None => firsts[side.index()] = after,
        }
        if let Some(next) = self.links.get_mut((after as usize).wrapping_sub(1)) {
            next.before = before;
        }
    }

    /// The slots in the chain of a cell and a side.
    pub(crate) fn slots(&self, cell: usize, side: Side) -> impl Iterator<Item = usize> {
        let slot = |number: u32| (number as usize).checked_sub(1);
        let first = self.firsts.get(cell).and_then(|firsts| slot(firsts[side.index()]));
        // No chain is longer than the table, whatever its links say.
        core::iter::successors(first, move |at| slot(self.links.get(*at)?.after)).take(self.links.len())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{collections::BTreeSet, vec::Vec};

    proptest! {
        /// Against sets.
        #[test]
        fn a_chain_holds_who_joined_and_did_not_leave(
            steps in proptest::collection::vec((0_usize..12, 0_u32..3, any::<bool>()), 1..200),
        ) {
            let mut chains = Chains::new(3, 12);
            let mut sets: [BTreeSet<usize>; 6] = Default::default();
            for (slot, cell, sells) in steps {
                let side = if sells { Side::Ask } else { Side::Bid };
                match sets.iter().position(|set| set.contains(&slot)) {
                    None => {
                        chains.join(slot, cell, side);
                        sets[cell as usize * 2 + side.index()].insert(slot);
                    }
                    Some(at) => {
                        chains.leave(slot, at as u32 / 2, if at % 2 == 1 { Side::Ask } else { Side::Bid });
                        sets[at].remove(&slot);
                    }
                }
                for (at, set) in sets.iter().enumerate() {
                    let side = if at % 2 == 1 { Side::Ask } else { Side::Bid };
                    let chain: Vec<usize> = chains.slots(at / 2, side).collect();
                    prop_assert_eq!(chain.len(), set.len());
                    prop_assert!(chain.iter().all(|slot| set.contains(slot)));
                }
            }
        }
    }

    #[test]
    fn of_no_cell_there_is_no_chain_and_no_memory() {
        let mut chains = Chains::new(0, 1 << 20);
        chains.join(3, 0, Side::Bid);
        chains.leave(3, 0, Side::Bid);
        assert_eq!((chains.bytes(), chains.slots(0, Side::Bid).count()), (0, 0));
    }
}
