//! One row as events.

use types::{Action, BookEvent, EventFlags, InstrumentId, Px, Qty, Side, Symbol, TradingStatus, UnixNanos};

use super::archive::MessageRow;
use crate::decode::{EventBuffer, Place, TickSize};

/// The archive's one instrument.
const INSTRUMENT: InstrumentId = InstrumentId(0);

/// Where the events of one row go. Only the row's last event is [`EventFlags::LAST`]: the book is whole then.
pub(super) struct Row<'a> {
    pub(super) place: Place,
    pub(super) ts_event: UnixNanos,
    pub(super) flags: EventFlags,
    pub(super) out: &'a mut EventBuffer,
}

impl Row<'_> {
    fn push(&mut self, event: BookEvent) {
        self.out.push(event);
    }

    fn event(&self, action: Action) -> BookEvent {
        BookEvent { flags: self.flags, ..self.place.event(self.ts_event, INSTRUMENT, action) }
    }

    /// An event about one order.
    pub(super) fn order(&mut self, action: Action, order_id: u64, side: Side, px: i64, qty: u32) {
        self.push(BookEvent { order_id, side, px: Px::from_1e4(px), qty: Qty(qty), ..self.event(action) });
    }

    /// Shares leave an order that does not say at which price they traded.
    pub(super) fn take(&mut self, action: Action, order_id: u64, side: Side, qty: u32) {
        self.push(BookEvent { order_id, side, qty: Qty(qty), ..self.event(action) });
    }

    /// A synthetic order grows: it makes way for a larger one.
    pub(super) fn grow(&mut self, old: u64, new: u64, side: Side, px: i64, qty: u32) {
        let event = self.event(Action::OrderReplace);
        self.push(BookEvent { order_id: old, aux: new, side, px: Px::from_1e4(px), qty: Qty(qty), ..event });
    }

    /// The row's events, those from `before` on, are complete.
    pub(super) fn end(&mut self, before: usize) {
        if let Some(last) = self.out.pending_mut()[before..].last_mut() {
            last.flags = last.flags.with(EventFlags::LAST);
        }
    }

    /// An archive begins in continuous trading; what interrupts it has rows of its own.
    pub(super) fn begin(&mut self, symbol: Symbol, tick: TickSize) {
        let (px, qty) = (tick.px, Qty(tick.table.0.into()));
        self.push(BookEvent { order_id: symbol.to_word(), px, qty, ..self.event(Action::Define) });
        self.push(self.event(Action::Clear));
        self.push(BookEvent { aux: TradingStatus::Trading as u64, ..self.event(Action::Status) });
    }

    /// The rows that change no book.
    pub(super) fn say(&mut self, m: &MessageRow) {
        let (cross, status) = match (m.kind, m.px) {
            (5, _) => (EventFlags::NONE, None),
            (6, _) => (EventFlags::CROSS.with(EventFlags::SIDELESS), None),
            (7, -1) => (EventFlags::NONE, Some(TradingStatus::Halted)),
            (7, 0) => (EventFlags::NONE, Some(TradingStatus::Paused)),
            (7, 1) => (EventFlags::NONE, Some(TradingStatus::Trading)),
            _ => return,
        };
        let event = match status {
            Some(status) => BookEvent { aux: status as u64, ..self.event(Action::Status) },
            None => BookEvent {
                px: Px::from_1e4(m.px),
                qty: Qty(m.qty),
                side: m.side,
                flags: self.flags.with(cross),
                ..self.event(Action::Trade)
            },
        };
        self.push(event);
    }
}
