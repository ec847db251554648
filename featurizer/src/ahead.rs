//! Asking for the lines of events before they are applied.

use std::hint::select_unpredictable;

use types::{Action, BookEvent};

use crate::apply::BooksMut;
use crate::prefetch::prefetch;
use crate::units::units_of;

impl BooksMut<'_> {
    /// Asks for the lines that `events` will need, so that their misses overlap each other and the work before them. Two passes:
    /// where an order rests stands in its slot, which the first pass asks for.
    #[inline]
    pub fn prefetch(&self, events: &[BookEvent]) {
        for event in events {
            prefetch(&self.slots[self.orders.slot_of(event.order_id)]);
            if let Some(row) = self.levels.rows.get(event.instrument.index()) {
                prefetch(&row.head);
                prefetch(&row.head.quotes);
            }
        }
        for event in events {
            self.prefetch_level(event);
        }
    }

    /// Asks for the level of one event, whose slot is in reach. Free of branches, which the mix of events would make
    /// unpredictable: an event without a level, or one outside the window, costs a useless hint.
    #[inline(always)]
    fn prefetch_level(&self, event: &BookEvent) {
        let i = event.instrument.index();
        let (Some(row), Some(cells)) = (self.levels.rows.get(i), self.levels.cells.get(i)) else { return };
        let slot = self.slots[self.orders.slot_of(event.order_id)];
        let tells_px = matches!(event.action, Action::OrderAdd | Action::LevelSet);
        let units = select_unpredictable(tells_px, units_of(event.px.0), slot.units());
        let s = select_unpredictable(tells_px, event.side, slot.side()).index();
        let index = row.head.index_of_units(s, units);
        prefetch(&cells[s][row.head.cell(index)]);
        prefetch(&row.bits[s]);
    }
}
