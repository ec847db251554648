//! What one feed has said so far, and what each kind of message does to it.

use types::{
    Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Side, Symbol, TradingStatus, UnixNanos,
};
use wire::pitch::{self, side, status};

use super::orders::{Orders, Resting};
use crate::decode::buffer::EventBuffer;
use crate::decode::decoder::{Begin, CHANNELS_MAX, Damage, DecoderSetup, Emit, Place};
use crate::decode::directory::InstrumentDirectory;
use crate::decode::held::Held;
use crate::decode::market_state::MarketStates;
use crate::decode::spread::{Member, Spread};
use crate::decode::tick::TickSizes;

/// Orders that may rest at a time in one feed.
const ORDERS_MAX: usize = 1 << 20;
/// Orders that a whole unit may name without having added them: a venue may withdraw one twice. One more, and some book of the
/// unit misses an order.
const UNKNOWN_ORDERS_MAX: u8 = 3;
/// Types of auctions that take place while an instrument does not trade.
const AUCTION_HALT: u8 = b'H';
const AUCTION_INITIAL: u8 = b'I';

/// What is known of one unit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unit {
    /// The last message's number.
    last: u64,
    /// The second that offsets count from, since midnight; none before it was told.
    second: Option<u32>,
    /// It was heard from its first message on, and has not shown since that something is missing.
    pub(super) is_whole: bool,
    /// Orders that it named and had not added, while it was whole.
    unknown_orders: u8,
    /// Its messages are parts of one event until it says otherwise.
    in_transaction: bool,
}

/// Decoder of one PITCH feed.
#[derive(Debug)]
pub struct PitchDecoder {
    pub(super) directory: InstrumentDirectory,
    pub(super) spread: Spread,
    states: MarketStates,
    pub(super) orders: Orders,
    pub(super) held: Held,
    units: Box<[Unit]>,
    ticks: TickSizes,
    pub(super) midnight: UnixNanos,
}

impl PitchDecoder {
    /// A decoder that knows no instrument yet. All its memory is taken here.
    #[must_use]
    pub fn new(setup: &DecoderSetup) -> Self {
        let directory = InstrumentDirectory::new(setup.instruments_max);
        let capacity = directory.capacity();
        Self {
            directory,
            spread: Spread::new(capacity),
            states: MarketStates::new(capacity),
            orders: Orders::new(ORDERS_MAX),
            held: Held::new(CHANNELS_MAX),
            units: vec![Unit::default(); CHANNELS_MAX].into_boxed_slice(),
            ticks: setup.ticks.clone(),
            midnight: setup.midnight,
        }
    }

    #[inline]
    pub(super) fn unit(&mut self, place: &Place) -> &mut Unit {
        // A receiver has no channel beyond these.
        &mut self.units[usize::from(place.channel) % CHANNELS_MAX]
    }

    /// Notes a message's place. A unit begins with its first message, and again whenever its numbers do.
    #[inline]
    pub(super) fn follow(&mut self, begin: &mut Begin<'_>) {
        let seq = begin.place.seq;
        let before = std::mem::replace(&mut self.unit(begin.place).last, seq);
        if before != 0 && seq == before + 1 {
            return;
        }
        if before != 0 && seq > before {
            self.skip(begin);
            return;
        }
        self.unit(begin.place).is_whole = seq == 1;
        if before != 0 {
            self.clear(begin.place, begin.stats.last_ts(), begin.out);
        }
    }

    /// Messages are missing, the end of a transaction perhaps among them: the one that goes on is over.
    #[cold]
    fn skip(&mut self, begin: &mut Begin<'_>) {
        let channel = begin.place.channel;
        self.end_transaction(channel);
        self.held.end(channel, begin.out);
    }

    /// The unit's messages are events of their own again.
    pub(super) fn end_transaction(&mut self, channel: u8) {
        self.units[usize::from(channel) % CHANNELS_MAX].in_transaction = false;
    }

    /// Every order of the unit is gone.
    #[cold]
    pub(super) fn clear(&mut self, place: &Place, ts: UnixNanos, out: &mut EventBuffer) {
        let channel = place.channel;
        self.held.forget(channel);
        let spread = &self.spread;
        self.orders.retain_not(|order| spread.member(order.instrument()).channel == channel);
        self.unit(place).unknown_orders = 0;
        self.end_transaction(channel);
        if self.unit(place).is_whole {
            let clear = place.event(ts, InstrumentId::ALL, Action::Clear);
            self.spread.say_of_books(clear, channel, out);
        }
    }

    /// Counts a message and gives where its events go: at its time, if the unit has told the second.
    #[inline]
    pub(super) fn message<'b>(&mut self, begin: Begin<'b>, message_type: u8, offset: u32) -> Emit<'b> {
        let midnight = self.midnight.0;
        match self.unit(begin.place).second {
            Some(second) => {
                let ns = u64::from(second) * 1_000_000_000 + u64::from(offset);
                begin.message(message_type, UnixNanos(midnight.saturating_add(ns)))
            }
            None => begin.timeless(message_type),
        }
    }

    /// The instrument of that name, defined if need be; `None` when the directory is full.
    #[inline]
    fn instrument(&mut self, m: &mut Emit<'_>, symbol: Symbol) -> Option<InstrumentId> {
        match self.directory.find(symbol) {
            Some(known) => Some(known),
            None => self.define(m, symbol),
        }
    }

    #[cold]
    fn define(&mut self, m: &mut Emit<'_>, symbol: Symbol) -> Option<InstrumentId> {
        let Some(instrument) = self.directory.resolve(symbol, None) else {
            m.stats.directory_full += 1;
            return None;
        };
        let channel = m.place().channel;
        self.spread.enrol(instrument, Member { channel, ..Member::default() });
        let doubt = if self.unit(m.place()).is_whole { EventFlags::NONE } else { EventFlags::MAYBE_BAD_BOOK };
        let tick = self.ticks.of(symbol);
        m.push(BookEvent {
            order_id: symbol.to_word(),
            px: tick.px,
            qty: Qty(tick.table.0.into()),
            flags: EventFlags::LAST.with(doubt),
            ..m.event(instrument, Action::Define)
        });
        Some(instrument)
    }

    /// Sends a change of a book off, or keeps it back while its event goes on.
    #[inline]
    fn change(&mut self, m: &mut Emit<'_>, event: BookEvent) {
        if self.unit(m.place()).in_transaction {
            self.held.hold(BookEvent { flags: event.flags.without_last(), ..event }, m.out());
        } else {
            m.push(event);
        }
    }

    #[inline]
    pub(super) fn add(
        &mut self,
        m: &mut Emit<'_>,
        symbol: Symbol,
        new: (u64, u8, Px, Qty),
    ) -> Result<(), Damage> {
        let (id, side, px, qty) = new;
        let side = side_of(side)?;
        if !px.is_some() || qty.0 == 0 {
            return Err(Damage::Field);
        }
        let Some(instrument) = self.instrument(m, symbol) else { return Ok(()) };
        let Some(before) = self.orders.insert(Resting::new(id, instrument, side, px, qty)) else {
            // What happens to the order from now on cannot be told of its book.
            m.stats.orders_beyond += 1;
            m.doubt(instrument, GapCause::Malformed);
            return Ok(());
        };
        if before.qty.0 != 0 && before.instrument() != instrument {
            // The book of the one keeps an order that nobody will take out of it any more.
            m.stats.redefined_locates += 1;
            [before.instrument(), instrument].into_iter().for_each(|mixed| self.mix_up(m, mixed));
        }
        let event = BookEvent { order_id: id, px, qty, side, ..m.event(instrument, Action::OrderAdd) };
        self.change(m, event);
        Ok(())
    }

    /// A number of the venue stood for an order of `instrument`, and for one of another.
    #[cold]
    fn mix_up(&mut self, m: &mut Emit<'_>, instrument: InstrumentId) {
        self.held.release(instrument, m.out());
        m.doubt(instrument, GapCause::MixedLocate);
    }

    /// The order that a message names; counted where nobody added it.
    #[inline]
    fn resting(&mut self, m: &mut Emit<'_>, id: u64) -> Option<Resting> {
        let found = self.orders.find(id).copied();
        if found.is_none() {
            self.unknown(m);
        }
        found
    }

    /// An order that the unit never added. Its instrument is not said, so that several put every book of the unit in doubt, until
    /// the venue empties them.
    #[cold]
    fn unknown(&mut self, m: &mut Emit<'_>) {
        m.stats.unannounced_orders += 1;
        let place = *m.place();
        let unit = self.unit(&place);
        if !unit.is_whole {
            // What rested before the unit was joined is known to be missing.
            return;
        }
        unit.unknown_orders += 1;
        if unit.unknown_orders > UNKNOWN_ORDERS_MAX {
            unit.is_whole = false;
            let doubt = m.gap(InstrumentId::ALL, GapCause::UnknownOrders);
            self.spread.say_of_books(doubt, place.channel, m.out());
        }
    }

    /// Takes `qty` off an order that rests, or all of it.
    #[inline]
    fn leave(&mut self, order: &Resting, qty: Qty) {
        match order.qty.0.checked_sub(qty.0).filter(|left| *left > 0) {
            Some(left) => {
                if let Some(resting) = self.orders.find(order.id) {
                    resting.qty = Qty(left);
                }
            }
            None => self.orders.remove(order.id),
        }
    }

    /// Some or all of an order is gone: traded, cancelled or deleted.
    #[inline]
    pub(super) fn take(
        &mut self,
        m: &mut Emit<'_>,
        id: u64,
        action: Action,
        qty: Option<Qty>,
        aux: u64,
    ) -> Result<(), Damage> {
        let Some(order) = self.resting(m, id) else { return Ok(()) };
        let taken = qty.unwrap_or(order.qty);
        if taken.0 == 0 {
            return Err(Damage::Field);
        }
        self.leave(&order, taken);
        let qty = if action == Action::OrderDelete { Qty(0) } else { taken };
        let event =
            BookEvent { order_id: id, qty, aux, side: order.side(), ..m.event(order.instrument(), action) };
        self.change(m, event);
        Ok(())
    }

    /// An execution at another price than the order's. What is left afterwards is said, and may be less than what the trade leaves.
    pub(super) fn take_at(
        &mut self,
        m: &mut Emit<'_>,
        message: &pitch::OrderExecutedAtPrice,
    ) -> Result<(), Damage> {
        let id = message.order_id.get();
        let Some(order) = self.resting(m, id) else { return Ok(()) };
        let (executed, remaining) = (message.executed.get(), message.remaining.get());
        let px = message.price.px();
        if executed == 0 || !px.is_some() {
            return Err(Damage::Field);
        }
        let flags = EventFlags::LAST.with(EventFlags::HAS_PX);
        let of_it = BookEvent {
            order_id: id,
            side: order.side(),
            ..m.event(order.instrument(), Action::OrderExecute)
        };
        let trade = BookEvent { px, qty: Qty(executed), aux: message.execution_id.get(), flags, ..of_it };
        self.change(m, trade);
        self.leave(&order, Qty(executed));
        let left = order.qty.0.saturating_sub(executed);
        if left == remaining {
            return Ok(());
        }
        if remaining == 0 {
            self.orders.remove(id);
            self.change(m, BookEvent { action: Action::OrderDelete, ..of_it });
        } else {
            self.replace(m, order, order.px, Qty(remaining), left > 0);
        }
        Ok(())
    }

    pub(super) fn modify(&mut self, m: &mut Emit<'_>, id: u64, px: Px, qty: Qty) -> Result<(), Damage> {
        if !px.is_some() || qty.0 == 0 {
            return Err(Damage::Field);
        }
        let Some(order) = self.resting(m, id) else { return Ok(()) };
        self.replace(m, order, px, qty, true);
        Ok(())
    }

    /// The order rests at another price or with another quantity; added anew where a trade had left nothing of it.
    fn replace(&mut self, m: &mut Emit<'_>, order: Resting, px: Px, qty: Qty, is_there: bool) {
        self.orders.insert(Resting { px, qty, ..order });
        let action = if is_there { Action::OrderReplace } else { Action::OrderAdd };
        let aux = if is_there { order.id } else { 0 };
        let (order_id, side) = (order.id, order.side());
        let event = BookEvent { order_id, aux, px, qty, side, ..m.event(order.instrument(), action) };
        self.change(m, event);
    }

    pub(super) fn trade(
        &mut self,
        m: &mut Emit<'_>,
        symbol: Symbol,
        told: (u8, Px, u32, u64),
    ) -> Result<(), Damage> {
        let (side, px, qty, aux) = told;
        let side = side_of(side)?;
        if !px.is_some() {
            return Err(Damage::Field);
        }
        if let Some(instrument) = self.instrument(m, symbol) {
            // The side of such an order is not disclosed: it is always said to be a buy.
            let flags = EventFlags::LAST.with(EventFlags::SIDELESS);
            m.push(BookEvent { px, qty: Qty(qty), aux, side, flags, ..m.event(instrument, Action::Trade) });
        }
        Ok(())
    }

    pub(super) fn auction(&mut self, m: &mut Emit<'_>, symbol: Symbol, auction_type: u8) {
        if matches!(auction_type, AUCTION_HALT | AUCTION_INITIAL)
            && let Some(instrument) = self.instrument(m, symbol)
            && let Some(status) = self.states.auction(instrument)
        {
            m.status(instrument, status);
        }
    }

    pub(super) fn auction_trade(
        &mut self,
        m: &mut Emit<'_>,
        summary: &pitch::AuctionSummary,
    ) -> Result<(), Damage> {
        let (px, qty) = (summary.price.px(), Qty(summary.shares.get()));
        if !px.is_some() {
            return Err(Damage::Field);
        }
        if qty.0 > 0
            && let Some(instrument) = self.instrument(m, Symbol(summary.symbol))
        {
            let flags = EventFlags::LAST.with(EventFlags::SIDELESS).with(EventFlags::CROSS);
            m.push(BookEvent { px, qty, flags, ..m.event(instrument, Action::Trade) });
        }
        Ok(())
    }

    pub(super) fn trading_status(
        &mut self,
        m: &mut Emit<'_>,
        message: &pitch::TradingStatus,
    ) -> Result<(), Damage> {
        let status = match message.status {
            status::TRADING => TradingStatus::Trading,
            status::HALTED | status::SUSPENDED => TradingStatus::Halted,
            status::ACCEPTING | status::QUOTE_ONLY | status::ROTATION => TradingStatus::Paused,
            _ => return Err(Damage::Field),
        };
        if let Some(instrument) = self.instrument(m, Symbol(message.symbol)) {
            let status = self.states.status(instrument, status);
            m.status(instrument, status);
        }
        Ok(())
    }

    /// The unit's second, and its events that are no message's of an instrument. A whole second says too little of when it was sent to be
    /// held against arrivals.
    pub(super) fn time(&mut self, begin: Begin<'_>, message: &pitch::Time) {
        self.unit(begin.place).second = Some(message.seconds.get());
        let m = &mut begin.timeless(pitch::Time::TYPE);
        m.push(m.event(InstrumentId::ALL, Action::Time));
    }

    pub(super) fn transaction(&mut self, m: &mut Emit<'_>, begins: bool) {
        self.unit(m.place()).in_transaction = begins;
        if !begins {
            let channel = m.place().channel;
            self.held.end(channel, m.out());
        }
    }
}

fn side_of(code: u8) -> Result<Side, Damage> {
    match code {
        side::BUY => Ok(Side::Bid),
        side::SELL => Ok(Side::Ask),
        _ => Err(Damage::Field),
    }
}
