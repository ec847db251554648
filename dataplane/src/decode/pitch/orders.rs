//! The orders of a feed whose messages name them alone: which instrument an order is of, and what is left of it.

use types::{GOLDEN, InstrumentId, Px, Qty, Side};

/// An order that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) id: u64,
    pub(super) px: Px,
    /// Never zero: that is a free place.
    pub(super) qty: Qty,
    /// Number of the instrument, then a bit for the side.
    pub(super) instrument_and_side: u32,
}

impl Resting {
    const FREE: Self = Self { id: 0, px: Px(0), qty: Qty(0), instrument_and_side: 0 };

    pub(super) fn new(id: u64, instrument: InstrumentId, side: Side, px: Px, qty: Qty) -> Self {
        let side = u32::from(side == Side::Ask);
        Self { id, px, qty, instrument_and_side: instrument.0 << 1 | side }
    }

    pub(super) fn instrument(&self) -> InstrumentId {
        InstrumentId(self.instrument_and_side >> 1)
    }

    pub(super) fn side(&self) -> Side {
        if self.instrument_and_side & 1 == 0 { Side::Bid } else { Side::Ask }
    }
}

const _: () = assert!(size_of::<Resting>() == 24);

/// Open addressing with linear probing over at most half of the places; what is taken out leaves no trace.
#[derive(Debug)]
pub(super) struct Orders {
    places: Box<[Resting]>,
    shift: u32,
    len: usize,
    capacity: usize,
}

impl Orders {
    /// Room for `capacity` orders. All memory is taken here.
    pub(super) fn new(capacity: usize) -> Self {
        let places = (2 * capacity.max(1)).next_power_of_two();
        Self {
            places: vec![Resting::FREE; places].into(),
            shift: 64 - places.trailing_zeros(),
            len: 0,
            capacity: capacity.max(1),
        }
    }

    #[inline]
    fn home(&self, id: u64) -> usize {
        // Fibonacci hashing: the upper bits of the product depend on all bits of the number.
        usize::try_from(id.wrapping_mul(GOLDEN) >> self.shift).unwrap_or(0)
    }

    #[inline]
    fn probe(&self, id: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut at = self.home(id);
        while self.places[at].qty.0 != 0 && self.places[at].id != id {
            at = (at + 1) & mask;
        }
        at
    }

    /// The order of that number.
    #[inline]
    pub(super) fn find(&mut self, id: u64) -> Option<&mut Resting> {
        let at = self.probe(id);
        let found = &mut self.places[at];
        (found.qty.0 != 0).then_some(found)
    }

    /// Takes an order in, in the place of one of its number, which it gives; one without a quantity was none. `None` when there is
    /// no room.
    #[inline]
    pub(super) fn insert(&mut self, order: Resting) -> Option<Resting> {
        let at = self.probe(order.id);
        let is_new = self.places[at].qty.0 == 0;
        if order.qty.0 == 0 || (is_new && self.len == self.capacity) {
            return None;
        }
        self.len += usize::from(is_new);
        Some(std::mem::replace(&mut self.places[at], order))
    }

    /// Takes the order of that number out.
    #[inline]
    pub(super) fn remove(&mut self, id: u64) {
        let at = self.probe(id);
        if self.places[at].qty.0 != 0 {
            self.free(at);
        }
    }

    /// Takes out every order that `leaves`.
    pub(super) fn retain_not(&mut self, leaves: impl Fn(&Resting) -> bool) {
        for at in 0..self.places.len() {
            // What moves up into the place is looked at, too.
            while self.places[at].qty.0 != 0 && leaves(&self.places[at]) {
                self.free(at);
            }
        }
    }

    /// Frees a place and moves up what found it taken.
    fn free(&mut self, at: usize) {
        let mask = self.places.len() - 1;
        let (mut hole, mut next) = (at, (at + 1) & mask);
        while self.places[next].qty.0 != 0 {
            let home = self.home(self.places[next].id);
            // Whether the hole lies between the order's home and its place, around the end if need be.
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.places[hole] = Resting::FREE;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u32),
        Remove(u64),
        Leave(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Few numbers, so that they collide, and some that share their home.
        let id = || (0_u64..60).prop_map(|n| n.wrapping_mul(GOLDEN.wrapping_mul(3)) >> (n % 3 * 20));
        prop_oneof![
            8 => (id(), 0_u32..6).prop_map(|(id, instrument)| Step::Insert(id, instrument)),
            6 => id().prop_map(Step::Remove),
            1 => (0_u32..6).prop_map(Step::Leave),
        ]
    }

    proptest! {
        /// Any steps: what a plain map says, up to the bound.
        #[test]
        fn it_says_what_a_plain_map_says(steps in prop::collection::vec(step(), 0..300)) {
            let (mut orders, mut oracle) = (Orders::new(24), HashMap::<u64, Resting>::new());
            for (n, step) in (1..).zip(steps) {
                match step {
                    Step::Insert(id, instrument) => {
                        let order = Resting::new(id, InstrumentId(instrument), Side::Ask, Px(i64::from(n)), Qty(n));
                        let fits = oracle.contains_key(&id) || oracle.len() < 24;
                        let before = oracle.get(&id).copied().unwrap_or(Resting::FREE);
                        prop_assert_eq!(orders.insert(order), fits.then_some(before));
                        if fits {
                            oracle.insert(id, order);
                        }
                    }
                    Step::Remove(id) => {
                        orders.remove(id);
                        oracle.remove(&id);
                    }
                    Step::Leave(instrument) => {
                        orders.retain_not(|order| order.instrument().0 == instrument);
                        oracle.retain(|_, order| order.instrument().0 != instrument);
                    }
                }
                let held = orders.places.iter().filter(|order| order.qty.0 != 0).count();
                prop_assert_eq!((held, orders.len), (oracle.len(), oracle.len()));
                for (id, order) in &oracle {
                    prop_assert_eq!(orders.find(*id).copied(), Some(*order));
                }
            }
        }
    }
}
