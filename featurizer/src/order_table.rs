//! Order id → order, without a general hash map.
//!
//! Venues number orders upwards, so the low bits of the id are an almost perfect hash: 16 bytes an order, four to a cache
//! line, neighbours in time neighbours in memory. Some venues number in steps of four (Nasdaq, as captured in 2019), others in
//! steps of one; the two lowest bits and the turn therefore choose a quarter of the table and the next ones the slot in it, which
//! fills the table in both cases. Each turn begins at another place, so that its ids do not meet, one after the other, the old
//! orders that came first in the turn before. What does not fit (two live ids with one slot, an id or a price out of the slot's
//! range) lives in a side table, open addressing with linear probing. A bit in the slot says whether the side table can hold an
//! id of this slot, so that a miss costs one line.
//!
//! **Invariants.** An (id, instrument) pair is in at most one place. `qty == 0` is an empty slot, and of `who` it has nothing but the
//! bit of the side table: since no epoch is 0, `who == 0` tells that a slot is free and that nothing lives beside it. An order
//! whose epoch is not its instrument's is dead: clearing a book is one increment.

mod step;

pub(crate) use step::Spot;

use std::io;

use types::{GOLDEN, Side};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::fill::Fill;
use crate::owner::Owner;
use crate::pages::{PageBuf, PageKind};
use crate::units::{px_of_units, units_of};

/// Lowest bits of an id, which choose a quarter of the table.
const LOW_BITS: u32 = 2;
const LOW_MASK: u64 = (1 << LOW_BITS) - 1;

/// Most instruments a table can name.
pub(crate) const INSTRUMENTS_MAX: usize = 1 << 15;
const EPOCH_SHIFT: u32 = 15;
const EPOCH_MASK: u16 = (1 << 15) - 1;
const OWNER_MASK: u32 = (1 << 30) - 1;
const SPILLED: u32 = 1 << 30;
const ASK: u32 = 1 << 31;

/// One order: a quarter of a cache line, in two words that are compared and stored whole.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(16))]
pub(crate) struct Slot {
    /// Above, the tag: the id's bits above those of which the slot number is made. Below, instrument (15 bits), epoch (15 bits),
    /// spilled, side.
    who: u64,
    /// Above, the price in [`UNIT`]s. Below, the open quantity; 0: the slot is empty.
    what: u64,
}

const _: () = assert!(size_of::<Slot>() == 16);

impl Slot {
    fn new(tag: u32, meta: u32, units: u32, qty: u32) -> Self {
        Self { who: u64::from(tag) << 32 | u64::from(meta), what: u64::from(units) << 32 | u64::from(qty) }
    }

    fn tag(self) -> u32 {
        (self.who >> 32) as u32
    }

    fn meta(self) -> u32 {
        self.who as u32
    }

    /// Price in [`UNIT`]s.
    #[inline(always)]
    pub(crate) fn units(self) -> u64 {
        self.what >> 32
    }

    fn px(self) -> i64 {
        px_of_units(self.units())
    }

    fn qty(self) -> u32 {
        self.what as u32
    }

    fn set_qty(&mut self, qty: u32) {
        self.what = self.units() << 32 | u64::from(qty);
        if qty == 0 {
            self.who &= u64::from(SPILLED);
        }
    }

    /// Side of whatever order is here.
    #[inline(always)]
    pub(crate) fn side(self) -> Side {
        side_of(self.meta())
    }
}

/// An order that does not fit its slot.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct SideEntry {
    id: u64,
    px: i64,
    /// 0: empty.
    qty: u32,
    meta: u32,
}

/// Where an order was found; valid until the table changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Slot(usize),
    Side(usize),
}

/// An order found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) px: i64,
    pub(crate) qty: u32,
    pub(crate) side: Side,
}

/// The table has no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Everything of the table but the slots, which live in huge pages of their own.
#[derive(Debug)]
pub(crate) struct OrderIndex {
    /// log2 of the slots: ids above are another turn of the table.
    turn_shift: u32,
    /// Greatest id whose turn fits a tag.
    tagged_max: u64,
    /// log2 of a quarter of the slots.
    low_shift: u32,
    /// Slots of a quarter less one.
    quarter_mask: u64,
    /// How many slots further each turn begins within a quarter: the golden section, whose multiples keep away from each other.
    stride: u64,
    side: PageBuf<SideEntry>,
    side_len: usize,
    /// The most that it ever held.
    side_high_water: usize,
    side_max: usize,
    epochs: Box<[u16]>,
    live: usize,
    /// Some side entries may belong to cleared books.
    side_has_dead: bool,
}

impl OrderIndex {
    /// An empty table over `1 << bits` slots with room for `side_orders` orders beside them.
    pub(crate) fn new(
        bits: u32,
        side_orders: usize,
        instruments: usize,
        pages: PageKind,
    ) -> io::Result<Self> {
        let side_slots = Self::side_slots(side_orders);
        Ok(Self {
            turn_shift: bits,
            tagged_max: (1 << (32 + bits)) - 1,
            low_shift: bits - LOW_BITS,
            quarter_mask: (1 << (bits - LOW_BITS)) - 1,
            stride: GOLDEN >> 1 >> (63 - (bits - LOW_BITS)),
            side: PageBuf::zeroed(side_slots, pages)?,
            side_len: 0,
            side_high_water: 0,
            side_max: side_slots / 4 * 3,
            epochs: vec![1; instruments].into_boxed_slice(),
            live: 0,
            side_has_dead: false,
        })
    }

    /// Entries of a side table for `orders`: probes stay short below three quarters.
    const fn side_slots(orders: usize) -> usize {
        let orders = if orders < 8 { 8 } else { orders };
        (orders * 4).div_ceil(3).next_power_of_two()
    }

    /// Bytes of a side table for `orders`.
    pub(crate) const fn side_bytes(orders: usize) -> usize {
        Self::side_slots(orders) * size_of::<SideEntry>()
    }

    /// Bytes the index occupies beside the slots.
    pub(crate) fn bytes(&self) -> usize {
        self.side.bytes() + size_of_val(&*self.epochs)
    }

    /// Orders in live books.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Orders in the side table.
    pub(crate) fn side_fill(&self) -> Fill {
        let [used, high_water, room] =
            [self.side_len, self.side_high_water, self.side_max].map(|count| count as u64);
        Fill { table: "side orders", used, high_water, room }
    }

    fn side_home(&self, id: u64) -> usize {
        let bits = self.side.as_slice().len().trailing_zeros();
        (id.wrapping_mul(GOLDEN) >> (64 - bits)) as usize
    }

    fn side_find(&self, id: u64, owner: Owner) -> Option<usize> {
        let side = self.side.as_slice();
        let mask = side.len() - 1;
        let mut at = self.side_home(id);
        loop {
            let entry = &side[at];
            if entry.qty == 0 {
                return None;
            }
            if entry.id == id && entry.meta & OWNER_MASK == owner.to_bits() {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn side_insert(&mut self, new: SideEntry) -> Result<(), Full> {
        if self.side_len >= self.side_max {
            self.sweep_side();
            if self.side_len >= self.side_max {
                return Err(Full);
            }
        }
        let mut at = self.side_home(new.id);
        let side = self.side.as_mut_slice();
        let mask = side.len() - 1;
        while side[at].qty != 0 {
            at = (at + 1) & mask;
        }
        side[at] = new;
        self.side_len += 1;
        self.side_high_water = self.side_high_water.max(self.side_len);
        Ok(())
    }

    /// Removes the entry at `hole` and moves later entries of the same run back, so that no probe needs a tombstone.
    fn side_remove(&mut self, mut hole: usize) {
        let mask = self.side.as_slice().len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.side.as_slice()[at];
            if entry.qty == 0 {
                break;
            }
            let home = self.side_home(entry.id);
            // The entry may move when its home does not lie strictly between the hole and itself.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.side.as_mut_slice()[hole] = entry;
                hole = at;
            }
        }
        self.side.as_mut_slice()[hole] = SideEntry::default();
        self.side_len -= 1;
    }

    /// Throws the orders of cleared books out of the side table.
    fn sweep_side(&mut self) {
        if !self.side_has_dead {
            return;
        }
        self.side_has_dead = false;
        let mut at = 0;
        while let Some(&entry) = self.side.as_slice().get(at) {
            // A removal may move another entry to `at`, which is then looked at too.
            if entry.qty != 0 && self.is_dead(entry.meta) {
                self.side_remove(at);
            } else {
                at += 1;
            }
        }
    }

    #[inline]
    fn is_dead(&self, meta: u32) -> bool {
        let instrument = (meta & (INSTRUMENTS_MAX as u32 - 1)) as usize;
        let epoch = (meta >> EPOCH_SHIFT) as u16 & EPOCH_MASK;
        self.epochs.get(instrument).is_none_or(|now| *now != epoch)
    }

    /// Forgets every order of one instrument, `orders` of which are live. Returns the owner of its orders from now on.
    pub(crate) fn clear_instrument(&mut self, slots: &mut [Slot], instrument: usize, orders: usize) -> Owner {
        let epoch = &mut self.epochs[instrument];
        let wrapped = *epoch == EPOCH_MASK;
        *epoch = if wrapped { 1 } else { *epoch + 1 };
        self.live -= orders.min(self.live);
        self.side_has_dead = true;
        if wrapped {
            // Orders of 32,768 clears ago would come back to life: sweep them out once.
            for slot in slots.iter_mut().filter(|s| s.qty() != 0 && names(s.meta(), instrument)) {
                slot.set_qty(0);
            }
            let mut at = 0;
            while let Some(entry) = self.side.as_slice().get(at) {
                if entry.qty != 0 && names(entry.meta, instrument) {
                    self.side_remove(at);
                } else {
                    at += 1;
                }
            }
        }
        self.owner(instrument)
    }

    /// Forgets every order of every instrument.
    pub(crate) fn clear(&mut self, slots: &mut [Slot]) {
        slots.fill(Slot::default());
        self.side.as_mut_slice().fill(SideEntry::default());
        self.side_len = 0;
        self.live = 0;
        self.side_has_dead = false;
    }

    /// The owner under which the instrument's orders are kept now.
    pub(crate) fn owner(&self, instrument: usize) -> Owner {
        Owner::from_bits(instrument as u32 | u32::from(self.epochs[instrument]) << EPOCH_SHIFT)
    }

    /// The number of the slot an id belongs to. (Shifts wrap instead of being checked: their counts are below 64 by
    /// construction.)
    #[inline(always)]
    pub(crate) fn slot_of(&self, id: u64) -> usize {
        let turn = id.wrapping_shr(self.turn_shift);
        let place = (id >> LOW_BITS).wrapping_add(turn.wrapping_mul(self.stride)) & self.quarter_mask;
        (place | ((id ^ turn) & LOW_MASK).wrapping_shl(self.low_shift)) as usize
    }

    /// What tells the ids of one slot apart, their turn; ids beyond 2^32 turns do not fit a slot.
    #[inline(always)]
    fn tag_of(&self, id: u64) -> u64 {
        id.wrapping_shr(self.turn_shift)
    }

    /// The id in a slot: the inverse of [`OrderIndex::slot_of`] and [`OrderIndex::tag_of`].
    fn id_of(&self, slot: usize, tag: u32) -> u64 {
        let turn = u64::from(tag);
        let low = (slot as u64 >> self.low_shift ^ turn) & LOW_MASK;
        let middle = (slot as u64).wrapping_sub(turn.wrapping_mul(self.stride)) & self.quarter_mask;
        turn << self.turn_shift | middle << LOW_BITS | low
    }

    #[inline(always)]
    pub(crate) fn find(&self, slots: &[Slot], id: u64, owner: Owner) -> Option<Order> {
        let at = self.slot_of(id);
        let slot = slots[at];
        if slot.qty() != 0
            && u64::from(slot.tag()) == self.tag_of(id)
            && slot.meta() & OWNER_MASK == owner.to_bits()
        {
            return Some(Order { place: Place::Slot(at), px: slot.px(), qty: slot.qty(), side: slot.side() });
        }
        if slot.meta() & SPILLED == 0 { None } else { self.find_beside(id, owner) }
    }

    #[cold]
    #[inline(never)]
    fn find_beside(&self, id: u64, owner: Owner) -> Option<Order> {
        let at = self.side_find(id, owner)?;
        let entry = &self.side.as_slice()[at];
        Some(Order { place: Place::Side(at), px: entry.px, qty: entry.qty, side: side_of(entry.meta) })
    }

    /// Another instrument with a live order of that number.
    #[cold]
    #[inline(never)]
    pub(crate) fn elsewhere(&self, slots: &[Slot], id: u64, owner: Owner) -> Option<usize> {
        let is_other = |meta: u32| meta & OWNER_MASK != owner.to_bits() && !self.is_dead(meta);
        let instrument_of = |meta: u32| (meta & (INSTRUMENTS_MAX as u32 - 1)) as usize;
        let slot = slots[self.slot_of(id)];
        if slot.qty() != 0 && u64::from(slot.tag()) == self.tag_of(id) && is_other(slot.meta()) {
            return Some(instrument_of(slot.meta()));
        }
        if slot.meta() & SPILLED == 0 {
            return None;
        }
        let side = self.side.as_slice();
        let (mask, home) = (side.len() - 1, self.side_home(id));
        let run = (0..side.len()).map(|n| side[(home + n) & mask]).take_while(|entry| entry.qty != 0);
        run.filter(|entry| entry.id == id)
            .map(|entry| entry.meta)
            .find(|&meta| is_other(meta))
            .map(instrument_of)
    }

    /// Adds an order in the common case: its slot is free and no other place can hold its id. False, and nothing has changed,
    /// in any other case. `qty` must not be zero.
    #[inline(always)]
    pub(crate) fn insert_fresh(
        &mut self,
        slots: &mut [Slot],
        id: u64,
        owner: Owner,
        side: Side,
        px: i64,
        qty: u32,
    ) -> bool {
        let slot = &mut slots[self.slot_of(id)];
        let (tag, units) = (self.tag_of(id), units_of(px));
        if slot.qty() | slot.meta() & SPILLED != 0 || (tag | units) >> 32 != 0 {
            return false;
        }
        *slot = Slot::new(tag as u32, owner.to_bits() | side_bit(side), units as u32, qty);
        self.live = self.live.wrapping_add(1);
        true
    }

    /// Adds an order that [`OrderIndex::find`] does not find; `qty` must not be zero.
    pub(crate) fn insert(
        &mut self,
        slots: &mut [Slot],
        id: u64,
        owner: Owner,
        side: Side,
        px: i64,
        qty: u32,
    ) -> Result<(), Full> {
        let at = self.slot_of(id);
        let meta = owner.to_bits() | side_bit(side);
        let (Ok(tag), Ok(units)) = (u32::try_from(self.tag_of(id)), u32::try_from(units_of(px))) else {
            self.side_insert(SideEntry { id, px, qty, meta })?;
            slots[at].who |= u64::from(SPILLED);
            self.live += 1;
            return Ok(());
        };
        let elder = slots[at];
        let mut spilled = elder.meta() & SPILLED;
        if elder.qty() != 0 && !self.is_dead(elder.meta()) {
            // The elder has outlived a whole turn of the table; the newcomer is the one that will be cancelled soon.
            self.side_insert(SideEntry {
                id: self.id_of(at, elder.tag()),
                px: elder.px(),
                qty: elder.qty(),
                meta: elder.meta() & !SPILLED,
            })?;
            spilled = SPILLED;
        }
        slots[at] = Slot::new(tag, meta | spilled, units, qty);
        self.live += 1;
        Ok(())
    }

    /// Sets the open quantity of an order just found; zero removes it.
    #[inline(always)]
    pub(crate) fn set_qty(&mut self, slots: &mut [Slot], place: Place, qty: u32) {
        self.live = self.live.wrapping_sub(usize::from(qty == 0));
        match place {
            Place::Slot(at) => slots[at].set_qty(qty),
            Place::Side(at) => self.set_qty_beside(at, qty),
        }
    }

    #[cold]
    #[inline(never)]
    fn set_qty_beside(&mut self, at: usize, qty: u32) {
        if qty == 0 {
            self.side_remove(at);
        } else {
            self.side.as_mut_slice()[at].qty = qty;
        }
    }
}

#[inline]
fn side_of(meta: u32) -> Side {
    if meta & ASK == 0 { Side::Bid } else { Side::Ask }
}

#[inline]
fn names(meta: u32, instrument: usize) -> bool {
    (meta & (INSTRUMENTS_MAX as u32 - 1)) as usize == instrument
}

#[inline]
fn side_bit(side: Side) -> u32 {
    (side as u32) << 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BookLimits;
    use crate::units::UNIT;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use types::{Action, BookEvent, Qty};

    fn table(bits: u32, side: usize) -> (Vec<Slot>, OrderIndex) {
        let index = OrderIndex::new(bits, side, 4, PageKind::Ordinary).unwrap();
        (vec![Slot::default(); 1 << bits], index)
    }

    #[test]
    fn prices_fit_a_slot_exactly_when_they_are_multiples_of_a_hundredth_of_a_cent() {
        assert_eq!(units_of(0), 0);
        assert_eq!(units_of(392_110_000_000), 3_921_100);
        assert_eq!(units_of(i64::from(u32::MAX) * UNIT), u64::from(u32::MAX));
        assert_eq!(units_of((i64::from(u32::MAX) + 1) * UNIT), 1 << 32);
        for px in [1, 50_000, 99_999, 100_001, -100_000, i64::MAX, i64::MIN] {
            assert!(units_of(px) >> 32 != 0, "{px}");
        }
    }

    #[test]
    fn consecutive_ids_fill_the_table_in_steps_of_one_two_and_four() {
        let (_, t) = table(10, 8);
        for step in [1, 2, 4] {
            let mut used = vec![false; 1 << 10];
            for n in 0..1_u64 << 10 {
                let id = 987_652_096 + n * step;
                let slot = t.slot_of(id);
                assert!(!std::mem::replace(&mut used[slot], true), "step {step}: slot {slot} taken twice");
                assert_eq!(t.id_of(slot, t.tag_of(id) as u32), id);
            }
        }
    }

    #[test]
    fn a_new_turn_does_not_meet_the_last_ones_orders_one_after_the_other() {
        let (mut slots, mut t) = table(16, 1 << 12);
        let owner = t.owner(0);
        // The first orders of four turns stay, an eighth of the slots each time.
        let (turn, stay) = (1_u64 << 16, 1 << 13);
        for start in [0, turn, 2 * turn, 3 * turn] {
            for id in start..start + stay {
                if !t.insert_fresh(&mut slots, id, owner, Side::Bid, UNIT, 1) {
                    t.insert(&mut slots, id, owner, Side::Bid, UNIT, 1).unwrap();
                }
            }
        }
        assert_eq!((t.live() as u64, t.side_fill().used), (4 * stay, 0), "nobody had to make room");
        for id in [0, turn + 1, 2 * turn + stay - 1, 3 * turn] {
            assert!(t.find(&slots, id, owner).is_some());
        }
    }

    #[test]
    fn two_ids_with_one_slot_both_live() {
        let (mut slots, mut t) = table(4, 8);
        let owner = t.owner(1);
        let first = 3;
        let slot = t.slot_of(first);
        let second = (first + 1..).find(|&id| t.slot_of(id) == slot).unwrap();
        t.insert(&mut slots, first, owner, Side::Bid, 100 * UNIT, 10).unwrap();
        t.insert(&mut slots, second, owner, Side::Ask, 101 * UNIT, 20).unwrap();
        let (a, b) = (t.find(&slots, first, owner).unwrap(), t.find(&slots, second, owner).unwrap());
        assert_eq!((a.px, a.qty, a.side), (100 * UNIT, 10, Side::Bid));
        assert_eq!((b.px, b.qty, b.side), (101 * UNIT, 20, Side::Ask));
        assert_eq!((a.place, b.place), (Place::Side(t.side_find(first, owner).unwrap()), Place::Slot(slot)));
        t.set_qty(&mut slots, b.place, 0);
        assert!(t.find(&slots, second, owner).is_none());
        assert_eq!(t.find(&slots, first, owner), Some(a));
    }

    #[test]
    fn wide_ids_and_fine_prices_go_beside_and_come_back_exact() {
        let (mut slots, mut t) = table(4, 8);
        let owner = t.owner(0);
        let wide = 1 << 63 | 5;
        t.insert(&mut slots, wide, owner, Side::Bid, 100 * UNIT, 1).unwrap();
        t.insert(&mut slots, 6, owner, Side::Bid, -12_345, 2).unwrap();
        assert_eq!(t.find(&slots, wide, owner).unwrap().px, 100 * UNIT);
        assert_eq!(t.find(&slots, 6, owner).unwrap().px, -12_345);
        assert_eq!(t.live(), 2);
    }

    #[test]
    fn a_full_side_table_refuses_and_changes_nothing() {
        let (mut slots, mut t) = table(2, 8);
        let owner = t.owner(0);
        let mut stored = 0_u64;
        let refused = (0..1_000_u64).find(|n| {
            let full = t.insert(&mut slots, n * 16, owner, Side::Bid, UNIT, 1).is_err();
            stored += u64::from(!full);
            full
        });
        let refused = refused.expect("a bounded table fills");
        assert_eq!(t.live() as u64, stored);
        assert!(t.find(&slots, refused * 16, owner).is_none());
        assert!((0..refused).all(|n| t.find(&slots, n * 16, owner).is_some()));
    }

    /// How ids come: a venue's own numbers, and what would hurt the most.
    fn ids() -> impl Strategy<Value = Vec<u64>> {
        let (any, few) = (any::<u64>(), 1..64_u32);
        prop_oneof![
            // One slot of the table for all of them, in any quarter.
            (any, few.clone())
                .prop_map(|(first, k)| (0..4_096).map(|n| first.wrapping_add(n << k)).collect()),
            // Dense, in several partitions at once.
            (1..16_u64, few).prop_map(|(parts, k)| (0..4_096)
                .map(|n| (n % parts).wrapping_shl(k) ^ (n / parts))
                .collect()),
            proptest::collection::vec(proptest::num::u64::ANY, 4_096),
        ]
    }

    proptest! {
        /// What the configuration promises: so many live orders, whatever their ids and however long they live.
        #[test]
        fn as_many_live_orders_fit_as_are_promised_whatever_their_ids(
            ids in ids(), orders in 8..600_usize, keep in 0..100_u64,
        ) {
            let bits = BookLimits::for_orders(orders).order_slots_log2;
            let (mut slots, mut t) = table(bits, orders);
            let owner = t.owner(0);
            let mut live: std::collections::VecDeque<u64> = std::collections::VecDeque::new();
            for (n, id) in ids.into_iter().enumerate() {
                if t.find(&slots, id, owner).is_some() {
                    continue;
                }
                if live.len() == orders {
                    // The newest goes, so that the rest outlive many turns of the table; or the oldest.
                    let old = n as u64 % 100 < keep;
                    let gone = if old { live.pop_back() } else { live.pop_front() }.expect("some are live");
                    let place = t.find(&slots, gone, owner).expect("a live order is found").place;
                    t.set_qty(&mut slots, place, 0);
                }
                if !t.insert_fresh(&mut slots, id, owner, Side::Bid, UNIT, 1) {
                    prop_assert_eq!(t.insert(&mut slots, id, owner, Side::Bid, UNIT + n as i64 % 2, 1), Ok(()));
                }
                live.push_back(id);
                prop_assert_eq!(t.live(), live.len());
            }
            for id in live {
                prop_assert!(t.find(&slots, id, owner).is_some(), "{}", id);
            }
        }
    }

    #[test]
    fn clearing_an_instrument_is_an_epoch_even_when_it_wraps() {
        let (mut slots, mut t) = table(3, 8);
        let (mut mine, other) = (t.owner(2), t.owner(3));
        t.insert(&mut slots, 1, mine, Side::Bid, UNIT, 1).unwrap();
        t.insert(&mut slots, 33, mine, Side::Bid, UNIT, 1).unwrap();
        t.insert(&mut slots, 2, other, Side::Bid, UNIT, 1).unwrap();
        for turn in 0..EPOCH_MASK {
            mine = t.clear_instrument(&mut slots, 2, if turn == 0 { 2 } else { 0 });
            assert!(t.find(&slots, 1, mine).is_none() && t.find(&slots, 33, mine).is_none());
        }
        assert_eq!(mine, Owner::from_bits(2 | 1 << EPOCH_SHIFT));
        assert!(t.find(&slots, 2, other).is_some());
        assert_eq!((t.live(), t.side_fill().used), (1, 0));
    }

    #[test]
    fn dead_orders_give_their_side_room_back() {
        let (mut slots, mut t) = table(2, 8);
        for round in 0..50 {
            let owner = t.owner(0);
            let mut n = 0;
            while t.insert(&mut slots, n * 16, owner, Side::Bid, UNIT, 1).is_ok() {
                n += 1;
            }
            assert!(n >= 9, "round {round} stored {n}");
            t.clear_instrument(&mut slots, 0, n as usize);
        }
    }

    /// The plain way of an event; false where it leaves it to the other.
    fn plain(t: &mut OrderIndex, slots: &mut [Slot], owner: Owner, event: &BookEvent) -> bool {
        let step = t.plain(slots, t.spot_of(event.order_id), event, owner);
        step.inspect(|step| t.take_step(slots, step)).is_some()
    }

    /// After the most of `side_used` orders the mark stays when the `orders` that are left go.
    fn assert_fill_follows<'a>(
        t: &mut OrderIndex,
        slots: &mut [Slot],
        orders: impl Iterator<Item = &'a (u64, usize)>,
        side_used: u64,
    ) {
        let fill = t.side_fill();
        assert!(fill.high_water == side_used && side_used <= fill.room, "{fill:?}");
        for (id, instrument) in orders {
            let order = t.find(slots, *id, t.owner(*instrument)).expect("as the map says");
            t.set_qty(slots, order.place, 0);
        }
        let fill = t.side_fill();
        assert!(fill.used == 0 && fill.high_water == side_used, "{fill:?}");
    }

    #[test]
    fn long_random_use_agrees_with_a_hash_map() {
        let (mut slots, mut t) = table(6, 64);
        let mut oracle: HashMap<(u64, usize), (i64, u32)> = HashMap::new();
        let (mut state, mut side_used, mut plain_used) = (1_u64, 0, [0; 3]);
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..50_000 {
            let (id, instrument) = (next(120) << (next(8) * 7), next(4) as usize);
            let owner = t.owner(instrument);
            let known = t.find(&slots, id, owner);
            assert_eq!(known.map(|o| (o.px, o.qty)), oracle.get(&(id, instrument)).copied());
            let event = BookEvent { order_id: id, ..BookEvent::EMPTY };
            match (known, next(4)) {
                (Some(o), 0) => {
                    let delete = BookEvent { action: Action::OrderDelete, ..event };
                    let done = plain(&mut t, &mut slots, owner, &delete);
                    plain_used[0] += usize::from(done);
                    if !done {
                        t.set_qty(&mut slots, o.place, 0);
                    }
                    oracle.remove(&(id, instrument));
                }
                (Some(o), 1) => {
                    let (all, some) = (Qty(o.qty), Qty(1 + o.qty / 3));
                    let qty = if next(2) == 0 { all } else { some };
                    let reduce = BookEvent { action: Action::OrderReduce, qty, ..event };
                    let more = BookEvent { qty: Qty(o.qty + 1), ..reduce };
                    assert!(!plain(&mut t, &mut slots, owner, &more), "it takes no more than there is");
                    if plain(&mut t, &mut slots, owner, &reduce) {
                        plain_used[1] += 1;
                        let left = o.qty - qty.0;
                        let entry = oracle.entry((id, instrument)).insert_entry((o.px, left));
                        if left == 0 {
                            entry.remove();
                        }
                    }
                }
                (Some(o), _) => {
                    t.set_qty(&mut slots, o.place, 77);
                    oracle.insert((id, instrument), (o.px, 77));
                }
                (None, _) => {
                    let px = next(1_000) as i64 * (UNIT / 2);
                    let delete = BookEvent { action: Action::OrderDelete, ..event };
                    assert!(!plain(&mut t, &mut slots, owner, &delete), "nothing is there to leave");
                    let add = BookEvent { action: Action::OrderAdd, px: types::Px(px), qty: Qty(5), ..event };
                    if plain(&mut t, &mut slots, owner, &add) {
                        plain_used[2] += 1;
                        oracle.insert((id, instrument), (px, 5));
                    } else if t.insert(&mut slots, id, owner, Side::Bid, px, 5).is_ok() {
                        oracle.insert((id, instrument), (px, 5));
                    }
                }
            }
            assert_eq!(t.live(), oracle.len());
            side_used = side_used.max(t.side_fill().used);
        }
        let free = slots.iter().filter(|slot| slot.qty() == 0);
        assert!(free.into_iter().all(|slot| slot.who & !u64::from(SPILLED) == 0), "a free slot says nothing");
        assert!(plain_used.iter().all(|&n| n > 100), "{plain_used:?}");
        assert!(side_used > 32, "the side table held {side_used} orders at most");
        assert_fill_follows(&mut t, &mut slots, oracle.keys(), side_used);
    }
}
