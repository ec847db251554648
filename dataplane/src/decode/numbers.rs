//! Numbers that a venue chose to places of ours: a table that never grows.

use types::GOLDEN;

/// Open addressing with linear probing over at most half of the places.
#[derive(Debug)]
pub(super) struct NumberMap {
    /// Number and place + 1; zero for a free one.
    entries: Box<[(u64, u32)]>,
    shift: u32,
    len: usize,
    capacity: usize,
}

impl NumberMap {
    /// Room for `capacity` numbers. All memory is taken here.
    pub(super) fn new(capacity: usize) -> Self {
        let places = (2 * capacity.max(1)).next_power_of_two();
        Self {
            entries: vec![(0, 0); places].into(),
            shift: 64 - places.trailing_zeros(),
            len: 0,
            capacity: capacity.max(1),
        }
    }

    #[inline]
    fn home(&self, number: u64) -> usize {
        // Fibonacci hashing: the upper bits of the product depend on all bits of the number.
        usize::try_from(number.wrapping_mul(GOLDEN) >> self.shift).unwrap_or(0)
    }

    /// Where `number` stands, or the free place where its search ends.
    #[inline]
    fn probe(&self, number: u64) -> usize {
        let mask = self.entries.len() - 1;
        let mut at = self.home(number);
        while self.entries[at].1 != 0 && self.entries[at].0 != number {
            at = (at + 1) & mask;
        }
        at
    }

    /// The place of `number`.
    #[inline]
    pub(super) fn find(&self, number: u64) -> Option<u32> {
        self.entries[self.probe(number)].1.checked_sub(1)
    }

    /// Gives `number` a place, or another one; false when there is no room for one more.
    pub(super) fn put(&mut self, number: u64, place: u32) -> bool {
        let at = self.probe(number);
        let is_new = self.entries[at].1 == 0;
        if place == u32::MAX || (is_new && self.len == self.capacity) {
            return false;
        }
        self.len += usize::from(is_new);
        self.entries[at] = (number, place + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Any numbers, some of them again and again: what a plain map says, up to the bound.
        #[test]
        fn it_says_what_a_plain_map_says(puts in prop::collection::vec((0_u64..60, any::<u32>()), 0..200)) {
            let (mut map, mut oracle) = (NumberMap::new(40), HashMap::new());
            for (number, place) in puts {
                let number = number.wrapping_mul(0x1_0000_0001);
                let fits = place != u32::MAX && (oracle.contains_key(&number) || oracle.len() < 40);
                prop_assert_eq!(map.put(number, place), fits);
                if fits {
                    oracle.insert(number, place);
                }
                for number in (0..60).map(|n: u64| n.wrapping_mul(0x1_0000_0001)) {
                    prop_assert_eq!(map.find(number), oracle.get(&number).copied());
                }
            }
        }
    }
}
