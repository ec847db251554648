//! Cboe PITCH 2.x to events: orders.
//!
//! Only the message that adds an order names its instrument, so the decoder keeps what rests ([`state`]). A unit is a channel;
//! it begins with message 1, and what it does to all of its books it says of the unit.

mod orders;
mod state;

use types::{Action, BookEvent, InstrumentId, Qty, Symbol, UnixNanos};
use wire::pitch::{self, Msg};

use super::buffer::EventBuffer;
use super::decoder::{Begin, Damage, Decoder, Place};
use super::directory::InstrumentDirectory;
use super::spread::Whom;
use crate::stats::FeedStats;

pub(super) use state::PitchDecoder;

/// A name of six bytes as symbols are padded.
#[inline]
fn name(symbol: [u8; 6]) -> Symbol {
    let [a, b, c, d, e, f] = symbol;
    Symbol([a, b, c, d, e, f, b' ', b' '])
}

/// Messages of which there are many: the changes of orders.
macro_rules! often {
    () => {
        Msg::Time(_)
            | Msg::AddOrderLong(_)
            | Msg::AddOrderShort(_)
            | Msg::AddOrderExpanded(_)
            | Msg::OrderExecuted(_)
            | Msg::OrderExecutedAtPrice(_)
            | Msg::ReduceSizeLong(_)
            | Msg::ReduceSizeShort(_)
            | Msg::ModifyOrderLong(_)
            | Msg::ModifyOrderShort(_)
            | Msg::DeleteOrder(_)
    };
}

/// Messages of which there are few.
macro_rules! seldom {
    () => {
        Msg::TradeLong(_)
            | Msg::TradeShort(_)
            | Msg::TradeExpanded(_)
            | Msg::TradeBreak(_)
            | Msg::TradingStatus(_)
            | Msg::AuctionUpdate(_)
            | Msg::AuctionSummary(_)
            | Msg::TransactionBegin(_)
            | Msg::TransactionEnd(_)
            | Msg::UnitClear(_)
            | Msg::EndOfSession(_)
    };
}

/// Messages that say nothing about a book.
macro_rules! quiet {
    () => {
        Msg::SymbolMapping(_)
            | Msg::OptionsAuctionUpdate(_)
            | Msg::WidthUpdate(_)
            | Msg::RetailPriceImprovement(_)
            | Msg::ComplexDefinition(_)
            | Msg::AuctionNotification(_)
            | Msg::AuctionCancel(_)
            | Msg::AuctionTrade(_)
            | Msg::Login(_)
            | Msg::LoginResponse(_)
            | Msg::GapRequest(_)
            | Msg::GapResponse(_)
            | Msg::SpinImageAvailable(_)
            | Msg::SpinRequest(_)
            | Msg::SpinResponse(_)
            | Msg::SpinFinished(_)
    };
}

/// Calls `$does` with where the events of `$message` go.
macro_rules! at {
    ($self:ident, $begin:ident, $message:ident: $type:ident, |$m:ident| $does:expr) => {{
        let $m = &mut $self.message($begin, pitch::$type::TYPE, $message.offset.get());
        $does
    }};
}

impl Decoder for PitchDecoder {
    #[inline]
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage> {
        let message = pitch::decode(message)?;
        self.spread.go_on(out);
        let mut begin = Begin { place, out, stats };
        self.follow(&mut begin);
        self.read(begin, message)
    }

    fn directory(&self) -> &InstrumentDirectory {
        &self.directory
    }

    fn begin_session(&mut self, midnight: UnixNanos) {
        self.midnight = midnight;
    }

    fn end_overdue(&mut self, channel: u8, now: UnixNanos, out: &mut EventBuffer) {
        if self.held.end_overdue(channel, now, out) {
            self.end_transaction(channel);
        }
    }
}

impl PitchDecoder {
    #[inline(always)]
    fn read(&mut self, begin: Begin<'_>, message: Msg<'_>) -> Result<(), Damage> {
        match message {
            Msg::Time(t) => {
                self.time(begin, t);
                Ok(())
            }
            Msg::AddOrderLong(a) => at!(self, begin, a: AddOrderLong, |m| {
                self.add(m, name(a.symbol), (a.order_id.get(), a.side, a.price.px(), Qty(a.quantity.get())))
            }),
            Msg::AddOrderShort(a) => at!(self, begin, a: AddOrderShort, |m| {
                let qty = Qty(a.quantity.get().into());
                self.add(m, name(a.symbol), (a.order_id.get(), a.side, a.price.px(), qty))
            }),
            Msg::AddOrderExpanded(a) => at!(self, begin, a: AddOrderExpanded, |m| {
                let qty = Qty(a.quantity.get());
                self.add(m, Symbol(a.symbol), (a.order_id.get(), a.side, a.price.px(), qty))
            }),
            Msg::OrderExecuted(e) => at!(self, begin, e: OrderExecuted, |m| {
                let qty = Some(Qty(e.executed.get()));
                self.take(m, e.order_id.get(), Action::OrderExecute, qty, e.execution_id.get())
            }),
            Msg::OrderExecutedAtPrice(e) => {
                at!(self, begin, e: OrderExecutedAtPrice, |m| self.take_at(m, e))
            }
            Msg::ReduceSizeLong(r) => at!(self, begin, r: ReduceSizeLong, |m| {
                self.take(m, r.order_id.get(), Action::OrderReduce, Some(Qty(r.cancelled.get())), 0)
            }),
            Msg::ReduceSizeShort(r) => at!(self, begin, r: ReduceSizeShort, |m| {
                self.take(m, r.order_id.get(), Action::OrderReduce, Some(Qty(r.cancelled.get().into())), 0)
            }),
            Msg::ModifyOrderLong(o) => at!(self, begin, o: ModifyOrderLong, |m| {
                self.modify(m, o.order_id.get(), o.price.px(), Qty(o.quantity.get()))
            }),
            Msg::ModifyOrderShort(o) => at!(self, begin, o: ModifyOrderShort, |m| {
                self.modify(m, o.order_id.get(), o.price.px(), Qty(o.quantity.get().into()))
            }),
            Msg::DeleteOrder(d) => at!(self, begin, d: DeleteOrder, |m| {
                self.take(m, d.order_id.get(), Action::OrderDelete, None, 0)
            }),
            seldom @ (seldom!()) => self.read_seldom(begin, seldom),
            Msg::Other(message_type) => {
                begin.unknown(message_type);
                Ok(())
            }
            counted @ (quiet!()) => {
                begin.timeless(counted.type_byte());
                Ok(())
            }
        }
    }

    #[inline(never)]
    fn read_seldom(&mut self, begin: Begin<'_>, message: Msg<'_>) -> Result<(), Damage> {
        match message {
            Msg::TradeLong(t) => at!(self, begin, t: TradeLong, |m| {
                self.trade(m, name(t.symbol), (t.side, t.price.px(), t.quantity.get(), t.execution_id.get()))
            }),
            Msg::TradeShort(t) => at!(self, begin, t: TradeShort, |m| {
                let qty = t.quantity.get().into();
                self.trade(m, name(t.symbol), (t.side, t.price.px(), qty, t.execution_id.get()))
            }),
            Msg::TradeExpanded(t) => at!(self, begin, t: TradeExpanded, |m| {
                let qty = t.quantity.get();
                self.trade(m, Symbol(t.symbol), (t.side, t.price.px(), qty, t.execution_id.get()))
            }),
            Msg::TradeBreak(b) => at!(self, begin, b: TradeBreak, |m| {
                let aux = b.execution_id.get();
                m.push(BookEvent { aux, ..m.event(InstrumentId::ALL, Action::TradeBreak) });
                Ok(())
            }),
            Msg::TradingStatus(s) => at!(self, begin, s: TradingStatus, |m| self.trading_status(m, s)),
            Msg::AuctionUpdate(a) => at!(self, begin, a: AuctionUpdate, |m| {
                self.auction(m, Symbol(a.symbol), a.auction_type);
                Ok(())
            }),
            Msg::AuctionSummary(a) => at!(self, begin, a: AuctionSummary, |m| self.auction_trade(m, a)),
            Msg::TransactionBegin(t) => at!(self, begin, t: TransactionBegin, |m| {
                self.transaction(m, true);
                Ok(())
            }),
            Msg::TransactionEnd(t) => at!(self, begin, t: TransactionEnd, |m| {
                self.transaction(m, false);
                Ok(())
            }),
            Msg::UnitClear(c) => at!(self, begin, c: UnitClear, |m| {
                // What follows builds the books anew, from nothing.
                self.unit(m.place()).is_whole = true;
                let (place, ts) = (*m.place(), m.event(InstrumentId::ALL, Action::Clear).ts_event);
                self.clear(&place, ts, m.out());
                Ok(())
            }),
            Msg::EndOfSession(e) => at!(self, begin, e: EndOfSession, |m| {
                let (end, channel) = (m.event(InstrumentId::ALL, Action::SessionEnd), m.place().channel);
                self.spread.say(end, Whom::Channel(channel), m.out())
            }),
            // Read by the caller.
            often!() | quiet!() | Msg::Other(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
