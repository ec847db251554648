//! Records of the schema `mbo` as events of a book of orders.

use std::collections::HashMap;

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

/// The orders of all instruments, by instrument and number.
pub(super) struct Orders {
    resting: HashMap<(u32, u64), Resting>,
    /// The last trade of each instrument's event, of which no fill has come.
    trades: HashMap<u32, BookEvent>,
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
        Self { resting: HashMap::new(), trades: HashMap::new(), unannounced: 0 }
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
                self.resting.retain(|(of, _), _| *of != number);
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
        let number = *self.trades.keys().min()?;
        self.end(number).map(|trade| (number, trade))
    }

    /// Has an order rest, in place of the one of its number that is given back.
    fn rest(
        &mut self,
        number: u32,
        side: Option<Side>,
        order: &BookEvent,
    ) -> Result<(Side, Option<Resting>), Wrong> {
        let side = side.filter(|_| order.px.is_some() && order.qty.0 > 0).ok_or(Wrong::Field)?;
        if self.resting.len() >= ORDERS_MAX {
            return Err(Wrong::TooMany);
        }
        let resting = Resting { side, px: order.px, qty: order.qty.0, filled: 0 };
        Ok((side, self.resting.insert((number, order.order_id), resting)))
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
        let Some(resting) = self.resting.get_mut(&(number, order.order_id)) else {
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
        if left == 0 {
            self.resting.remove(&(number, order.order_id));
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
        let Some(resting) = self.resting.get_mut(&(number, order.order_id)) else {
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
        let Some(resting) = self.resting.get_mut(&(number, order.order_id)) else {
            self.unannounced += 1;
            return;
        };
        self.trades.remove(&number);
        let qty = order.qty.0.min(resting.qty);
        resting.qty -= qty;
        resting.filled = resting.filled.saturating_add(qty);
        if qty > 0 {
            let has_px = if order.px.is_some() { EventFlags::HAS_PX } else { EventFlags::NONE };
            let flags = order.flags.with(has_px);
            tell(BookEvent {
                action: Action::OrderExecute,
                side: resting.side,
                qty: Qty(qty),
                flags,
                ..order
            });
        }
    }
}
