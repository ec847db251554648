//! Records of the schema `mbo` as events of a book of orders.

use std::collections::{BTreeMap, HashMap};

use dbn::MboMsg;
use types::{Action, BookEvent, EventFlags, Px, Qty, Side};

/// Orders that may live at once.
const ORDERS_MAX: usize = 1 << 23;
/// Most events of one record: a trade that was held back, and its own.
pub(super) const EVENTS_MAX: usize = 2;

/// What is left of an order.
#[derive(Clone, Copy, Debug)]
struct Resting {
    side: Side,
    px: Px,
    qty: u32,
    /// Traded, and not yet taken off it by a record.
    filled: u32,
}

/// What cannot be an order's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// A letter, a side or a price that the schema does not have there.
    Field,
    /// More orders than there is room for.
    TooMany,
}

/// The orders of all instruments.
pub(super) struct Orders {
    /// By instrument, then by number: a record that clears a book looks at no other instrument's orders.
    resting: HashMap<u32, HashMap<u64, Resting>>,
    /// How many there are.
    count: usize,
    /// The last trade of each instrument's event, of which no fill has come.
    trades: BTreeMap<u32, BookEvent>,
    /// Records about orders that nobody announced.
    pub(super) unannounced: u64,
}

/// The side of a record; none where it says so.
pub(super) fn side_of(letter: std::ffi::c_char) -> Option<Option<Side>> {
    match u8::try_from(letter).ok()? {
        b'B' => Some(Some(Side::Bid)),
        b'A' => Some(Some(Side::Ask)),
        b'N' => Some(None),
        _ => None,
    }
}

/// A trade, by the record of its aggressor.
pub(super) fn trade(base: BookEvent, aggressor: Option<Side>, px: Px, qty: u32) -> BookEvent {
    let flags = if aggressor.is_some() { base.flags } else { base.flags.with(EventFlags::SIDELESS) };
    // Events name the resting side.
    let side = match aggressor {
        Some(Side::Bid) | None => Side::Ask,
        Some(Side::Ask) => Side::Bid,
    };
    BookEvent { action: Action::Trade, side, px, qty: Qty(qty), flags, ..base }
}

impl Orders {
    pub(super) fn new() -> Self {
        Self { resting: HashMap::new(), count: 0, trades: BTreeMap::new(), unannounced: 0 }
    }

    /// Does what a record says; `base` is an event of it, and `tell` takes those that follow.
    pub(super) fn apply(
        &mut self,
        m: &MboMsg,
        base: BookEvent,
        mut tell: impl FnMut(BookEvent),
    ) -> Result<(), Wrong> {
        let (number, px) = (m.hd.instrument_id, Px(m.price));
        let side = side_of(m.side).ok_or(Wrong::Field)?;
        let order = BookEvent { order_id: m.order_id, px, qty: Qty(m.size), ..base };
        match u8::try_from(m.action) {
            Ok(b'A') => self.add(number, side, order, tell),
            Ok(b'C') => {
                self.cancel(number, side, order, tell);
                Ok(())
            }
            Ok(b'M') => self.modify(number, side, order, tell),
            Ok(b'R') => {
                self.count -= self.resting.remove(&number).map_or(0, |orders| orders.len());
                tell(BookEvent { action: Action::Clear, ..base });
                Ok(())
            }
            Ok(b'T') => {
                if let Some(before) = self.trades.insert(number, trade(base, side, px, m.size)) {
                    tell(before);
                }
                Ok(())
            }
            Ok(b'F') => {
                self.fill(number, order, tell);
                Ok(())
            }
            Ok(b'N') => Ok(()),
            _ => Err(Wrong::Field),
        }
    }

    /// The instrument's event is over: a trade of which no fill came moved no order.
    pub(super) fn end(&mut self, number: u32) -> Option<BookEvent> {
        self.trades.remove(&number)
    }

    /// The trade of an event that never ended, of the instrument with the lowest number.
    pub(super) fn left(&mut self) -> Option<(u32, BookEvent)> {
        self.trades.pop_first()
    }

    /// What is left of an order that is known.
    fn find(&mut self, number: u32, order_id: u64) -> Option<&mut Resting> {
        self.resting.get_mut(&number)?.get_mut(&order_id)
    }

    /// Has an order rest, in place of the one of its number that is given back.
    fn rest(
        &mut self,
        number: u32,
        side: Option<Side>,
        order: &BookEvent,
    ) -> Result<(Side, Option<Resting>), Wrong> {
        let side = side.filter(|_| order.px.is_some() && order.qty.0 > 0).ok_or(Wrong::Field)?;
        if self.count >= ORDERS_MAX {
            return Err(Wrong::TooMany);
        }
        let resting = Resting { side, px: order.px, qty: order.qty.0, filled: 0 };
        let before = self.resting.entry(number).or_default().insert(order.order_id, resting);
        self.count += usize::from(before.is_none());
        Ok((side, before))
    }

    fn add(
        &mut self,
        number: u32,
        side: Option<Side>,
        order: BookEvent,
        mut tell: impl FnMut(BookEvent),
    ) -> Result<(), Wrong> {
        let (side, known) = self.rest(number, side, &order)?;
        let (action, aux) = match known {
            // Announced again: it stands where it is said to last.
            Some(_) => (Action::OrderReplace, order.order_id),
            None => (Action::OrderAdd, 0),
        };
        tell(BookEvent { action, aux, side, ..order });
        Ok(())
    }

    fn cancel(&mut self, number: u32, side: Option<Side>, order: BookEvent, mut tell: impl FnMut(BookEvent)) {
        let Some(resting) = self.find(number, order.order_id) else {
            self.unannounced += 1;
            // The book counts it as one that it does not know.
            tell(BookEvent { action: Action::OrderReduce, side: side.unwrap_or(Side::Bid), ..order });
            return;
        };
        // What was traded has left the book already.
        let traded = resting.filled.min(order.qty.0);
        resting.filled -= traded;
        let taken = (order.qty.0 - traded).min(resting.qty);
        resting.qty -= taken;
        let (left, side) = (resting.qty, resting.side);
        if left == 0
            && let Some(orders) = self.resting.get_mut(&number)
        {
            self.count -= usize::from(orders.remove(&order.order_id).is_some());
        }
        if taken > 0 {
            let action = if left == 0 { Action::OrderDelete } else { Action::OrderReduce };
            tell(BookEvent { action, side, px: Px::NONE, qty: Qty(taken), ..order });
        }
    }

    fn modify(
        &mut self,
        number: u32,
        side: Option<Side>,
        order: BookEvent,
        mut tell: impl FnMut(BookEvent),
    ) -> Result<(), Wrong> {
        let Some(resting) = self.find(number, order.order_id) else {
            self.unannounced += 1;
            let (side, _) = self.rest(number, side, &order)?;
            tell(BookEvent { action: Action::OrderReplace, aux: order.order_id, side, ..order });
            return Ok(());
        };
        if !order.px.is_some() || order.qty.0 == 0 || side.is_some_and(|side| side != resting.side) {
            return Err(Wrong::Field);
        }
        let before =
            std::mem::replace(resting, Resting { px: order.px, qty: order.qty.0, filled: 0, ..*resting });
        let side = before.side;
        if before.px != order.px || order.qty.0 > before.qty {
            // It goes to the end of its queue.
            tell(BookEvent { action: Action::OrderReplace, aux: order.order_id, side, ..order });
        } else if order.qty.0 < before.qty {
            let qty = Qty(before.qty - order.qty.0);
            tell(BookEvent { action: Action::OrderReduce, side, px: Px::NONE, qty, ..order });
        }
        Ok(())
    }

    /// A resting order traded. The trade of its aggressor is told by that.
    fn fill(&mut self, number: u32, order: BookEvent, mut tell: impl FnMut(BookEvent)) {
        let Some(resting) = self.find(number, order.order_id) else {
            self.unannounced += 1;
            return;
        };
        let (side, qty) = (resting.side, order.qty.0.min(resting.qty));
        resting.qty -= qty;
        resting.filled = resting.filled.saturating_add(qty);
        self.trades.remove(&number);
        if qty > 0 {
            let has_px = if order.px.is_some() { EventFlags::HAS_PX } else { EventFlags::NONE };
            let flags = order.flags.with(has_px);
            tell(BookEvent { action: Action::OrderExecute, side, qty: Qty(qty), flags, ..order });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbn::{RecordHeader, rtype};

    fn record(number: u32, action: u8, order_id: u64) -> MboMsg {
        MboMsg {
            hd: RecordHeader::new::<MboMsg>(rtype::MBO, 2, number, 1),
            order_id,
            price: 100_000_000_000,
            size: 5,
            action: action.cast_signed(),
            side: b'B'.cast_signed(),
            ..MboMsg::default()
        }
    }

    /// Applies records, and gives how many events they made.
    fn told(orders: &mut Orders, records: impl IntoIterator<Item = MboMsg>) -> usize {
        let mut told = 0;
        for m in records {
            assert_eq!(orders.apply(&m, BookEvent::EMPTY, |_| told += 1), Ok(()));
        }
        told
    }

    #[test]
    fn a_clear_takes_the_orders_of_its_instrument_alone() {
        let mut orders = Orders::new();
        told(&mut orders, [record(1, b'A', 7), record(2, b'A', 7), record(2, b'A', 8), record(2, b'R', 0)]);
        assert_eq!(
            (orders.count, orders.find(2, 7).is_some(), orders.find(1, 7).is_some()),
            (1, false, true)
        );
        told(&mut orders, [record(2, b'A', 7), record(1, b'C', 7), record(2, b'A', 7), record(3, b'R', 0)]);
        assert_eq!(
            (orders.count, orders.find(2, 7).is_some(), orders.find(1, 7).is_some()),
            (1, true, false)
        );
    }

    /// A file may clear each instrument of a venue, one after the other.
    #[test]
    fn clearing_an_instrument_takes_its_orders_in_one_and_looks_at_no_other() {
        const INSTRUMENTS: u32 = 1 << 8;
        let mut orders = Orders::new();
        let number = |order_id: u64| u32::try_from(order_id).unwrap() % INSTRUMENTS;
        told(&mut orders, (0..4 * u64::from(INSTRUMENTS)).map(|id| record(number(id), b'A', id)));
        assert_eq!((orders.count, orders.resting.len()), (4 * INSTRUMENTS as usize, INSTRUMENTS as usize));
        // Each has a table of its own, so that to clear all of a venue takes no look at all of it for each.
        assert!((0..INSTRUMENTS).all(|of| orders.resting[&of].len() == 4));
        assert_eq!(told(&mut orders, [record(7, b'R', 0)]), 1);
        assert_eq!((orders.count, orders.resting.contains_key(&7)), (4 * INSTRUMENTS as usize - 4, false));
        assert_eq!(told(&mut orders, (0..INSTRUMENTS).map(|of| record(of, b'R', 0))), INSTRUMENTS as usize);
        assert_eq!((orders.count, orders.resting.len()), (0, 0));
    }

    #[test]
    fn trades_whose_events_never_end_are_given_by_the_number_of_their_instrument() {
        let mut orders = Orders::new();
        told(&mut orders, [9, 3, 5].map(|number| record(number, b'T', 0)));
        assert!(orders.end(5).is_some());
        assert_eq!([(); 3].map(|()| orders.left().map(|(number, _)| number)), [Some(3), Some(9), None]);
    }
}
