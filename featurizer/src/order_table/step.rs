//! What the event of one order makes of its slot, in the common case: free of branches, straight through.

use std::hint::select_unpredictable;

use types::{Action, BookEvent, Side};

use super::{ASK, OrderIndex, SPILLED, Slot, side_bit, side_of};
use crate::owner::Owner;
use crate::units::units_of;

/// Where an id belongs: the number of its slot below, its tag above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot(u64);

impl Spot {
    /// No slot: what its tag cannot tell lives beside.
    pub(crate) const BESIDE: Self = Self(u32::MAX as u64);

    /// The number of the slot; none has that of [`Spot::BESIDE`].
    #[inline(always)]
    pub(crate) const fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    /// The order's tag and its owner, as slots have them.
    #[inline(always)]
    const fn who(self, owner: Owner) -> u64 {
        self.0 & !(u32::MAX as u64) | owner.to_bits() as u64
    }
}

/// What an event of one order makes of it, in the common case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    at: usize,
    /// The slot afterwards.
    slot: Slot,
    /// Side of the order.
    pub(crate) side: Side,
    /// Its price in units.
    pub(crate) units: u64,
    /// What its level gains, or loses.
    pub(crate) qty: u32,
    /// The same with its sign, and how many orders the level gains; modulo 2^64.
    pub(crate) change: (u64, u64),
}

impl OrderIndex {
    /// Slot and tag of an id.
    #[inline(always)]
    pub(crate) fn spot_of(&self, id: u64) -> Spot {
        if id > self.tagged_max {
            return Spot::BESIDE;
        }
        Spot(self.tag_of(id) << 32 | self.slot_of(id) as u64)
    }

    /// What an addition, reduction, execution or deletion does, where the slot is free for the one and holds the order of the
    /// others, and all of it is there. `None` in any other case. Free of branches: which of them comes next is anybody's guess.
    #[inline(always)]
    pub(crate) fn plain(&self, slots: &[Slot], spot: Spot, event: &BookEvent, owner: Owner) -> Option<Step> {
        let at = spot.slot();
        let old = *slots.get(at)?;
        let who = spot.who(owner);
        let (units, open) = (units_of(event.px.0), old.what & u64::from(u32::MAX));
        let more = event.action as u8 == Action::OrderAdd as u8;
        let all = event.action as u8 == Action::OrderDelete as u8;
        let qty = select_unpredictable(all, open, u64::from(event.qty.0));
        let change = select_unpredictable(more, qty, qty.wrapping_neg());
        let left = open.wrapping_add(change);
        // Zero is a slot that is free and that nothing lives beside; what leaves does not care what lives there.
        let facts = select_unpredictable(more, u64::from(ASK), u64::from(ASK | SPILLED));
        let other = (old.who ^ select_unpredictable(more, 0, who)) & !facts;
        let units = select_unpredictable(more, units, old.units());
        // More than there was leaves less than nothing, and a price that does not fit has more bits: both show in the upper half.
        if (other | left >> 32 | units >> 32 != 0) | (qty == 0) {
            return None;
        }
        let stays = select_unpredictable(more, who | u64::from(side_bit(event.side)), old.who);
        let (side, gone) = (side_of(stays as u32), left == 0);
        let slot = Slot {
            who: select_unpredictable(gone, old.who & u64::from(SPILLED), stays),
            what: units << 32 | left,
        };
        let orders = u64::from(more).wrapping_sub(gone.into());
        Some(Step { at, slot, side, units, qty: qty as u32, change: (change, orders) })
    }

    /// Takes a step just found.
    #[inline(always)]
    pub(crate) fn take_step(&mut self, slots: &mut [Slot], step: &Step) {
        slots[step.at] = step.slot;
        self.live = self.live.wrapping_add(step.change.1 as usize);
    }
}
