//! Asking for the lines of events before they are applied.

use std::hint::select_unpredictable;

use types::{Action, BookEvent};

use crate::apply::BooksMut;
use crate::coming::Coming;
use crate::order_table::Spot;
use crate::prefetch::prefetch;
use crate::units::units_of;

/// Most events that can be looked at ahead of the first one applied.
pub const AHEAD_MAX: usize = 64;

/// Events to come, and where the orders they name belong.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'e> {
    events: &'e [BookEvent],
    spots: [Spot; AHEAD_MAX],
}

impl<'e> Ahead<'e> {
    /// The events, in their order.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = Coming<'e>> + '_ {
        self.events.iter().zip(&self.spots).map(|(event, &spot)| Coming::new(event, spot))
    }
}

impl BooksMut<'_> {
    /// An event that comes alone: there is nothing to overlap its misses with.
    #[inline(always)]
    #[must_use]
    pub fn alone<'e>(&self, event: &'e BookEvent) -> Coming<'e> {
        Coming::new(event, self.orders.spot_of(event.order_id))
    }

    /// Asks for the lines that `events`, [`AHEAD_MAX`] at most, will need, so that their misses overlap each other and the work before
    /// them. Two passes: where an order rests stands in its slot, which the first pass asks for.
    #[inline(always)]
    pub fn look_ahead<'e>(&self, events: &'e [BookEvent]) -> Ahead<'e> {
        let mut ahead = Ahead { events, spots: [Spot::BESIDE; AHEAD_MAX] };
        for (event, spot) in events.iter().zip(&mut ahead.spots) {
            *spot = self.orders.spot_of(event.order_id);
            if let Some(slot) = self.slots.get(spot.slot()) {
                prefetch(slot);
            }
            if let Some(row) = self.levels.rows.get(event.instrument.index()) {
                prefetch(&row.head);
                prefetch(&row.head.quotes);
            }
        }
        for coming in ahead.iter() {
            self.prefetch_level(coming);
        }
        ahead
    }

    /// Asks for the level of one event, whose slot is in reach. Free of branches, which the mix of events would make
    /// unpredictable: an event without a level, or one outside the window, costs a useless hint.
    #[inline(always)]
    fn prefetch_level(&self, coming: Coming<'_>) {
        let (event, spot) = (coming.event(), coming.spot());
        let i = event.instrument.index();
        let (Some(row), Some(cells), Some(&slot)) =
            (self.levels.rows.get(i), self.levels.cells.get(i), self.slots.get(spot.slot()))
        else {
            return;
        };
        const TELL_PX: u32 = 1 << Action::OrderAdd as u32 | 1 << Action::LevelSet as u32;
        let tells_px = TELL_PX.wrapping_shr(event.action as u32) & 1 != 0;
        let units = select_unpredictable(tells_px, units_of(event.px.0), slot.units());
        let s = select_unpredictable(tells_px, event.side, slot.side()).index();
        let index = row.head.index_of_units(s, units);
        prefetch(&cells[s][row.head.cell(index)]);
        prefetch(&row.bits[s]);
    }
}
