//! What changes books as it happens: levels, orders, trades, and the numbers by which nothing is missed.

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Side};
use wire::FromBytes;
use wire::mdp3::{self, Dimension, Layout, Message, action, entry_type};

use super::ladder::{DEPTH_MAX, Left};
use super::securities::Numbered;
use super::state::{Mdp3Decoder, ts};
use crate::decode::decoder::{Begin, Damage, Emit};

/// Where an entry of a statistic has its instrument; the number of the update stands behind it.
#[derive(Clone, Copy)]
pub(super) struct Statistic {
    pub(super) security_at: usize,
}

/// One price level, whatever entry told it.
#[derive(Clone, Copy)]
pub(super) struct LevelUpdate {
    security_id: i32,
    rpt_seq: u32,
    price: i64,
    /// `None` for one that does not fit.
    size: Option<Qty>,
    level: u8,
    action: u8,
    kind: u8,
}

/// One trade, whatever entry told it.
#[derive(Clone, Copy)]
pub(super) struct TradeUpdate {
    security_id: i32,
    rpt_seq: u32,
    price: i64,
    size: Option<Qty>,
    aggressor: u8,
    action: u8,
    id: u32,
}

/// A size that says none is nothing.
pub(super) fn size32(size: i32) -> Option<Qty> {
    if size == mdp3::INT32_NULL { Some(Qty(0)) } else { u32::try_from(size).ok().map(Qty) }
}

pub(super) fn size64(size: u64) -> Option<Qty> {
    if size == u64::MAX { Some(Qty(0)) } else { u32::try_from(size).ok().map(Qty) }
}

impl From<&mdp3::BookEntry> for LevelUpdate {
    #[inline]
    fn from(e: &mdp3::BookEntry) -> Self {
        let (security_id, rpt_seq, price) = (e.security_id.get(), e.rpt_seq.get(), e.price.get());
        let (level, action, kind) = (e.level, e.update_action, e.entry_type);
        Self { security_id, rpt_seq, price, size: size32(e.size.get()), level, action, kind }
    }
}

impl From<&mdp3::BookEntryLong> for LevelUpdate {
    fn from(e: &mdp3::BookEntryLong) -> Self {
        let (security_id, rpt_seq, price) = (e.security_id.get(), e.rpt_seq.get(), e.price.get());
        let (level, action, kind) = (e.level, e.update_action, e.entry_type);
        Self { security_id, rpt_seq, price, size: size64(e.size.get()), level, action, kind }
    }
}

impl From<&mdp3::TradeEntry> for TradeUpdate {
    fn from(e: &mdp3::TradeEntry) -> Self {
        Self {
            security_id: e.security_id.get(),
            rpt_seq: e.rpt_seq.get(),
            price: e.price.get(),
            size: size32(e.size.get()),
            aggressor: e.aggressor_side,
            action: e.update_action,
            id: 0,
        }
    }
}

impl From<&mdp3::TradeEntryNumbered> for TradeUpdate {
    fn from(e: &mdp3::TradeEntryNumbered) -> Self {
        Self { id: e.trade_id.get(), ..Self::from(&e.entry) }
    }
}

impl From<&mdp3::TradeEntryLong> for TradeUpdate {
    fn from(e: &mdp3::TradeEntryLong) -> Self {
        Self {
            security_id: e.security_id.get(),
            rpt_seq: e.rpt_seq.get(),
            price: e.price.get(),
            size: size64(e.size.get()),
            aggressor: e.aggressor_side,
            action: e.update_action,
            id: e.trade_id.get(),
        }
    }
}

impl From<&mdp3::Trade36Entry> for TradeUpdate {
    fn from(e: &mdp3::Trade36Entry) -> Self {
        Self {
            security_id: e.security_id.get(),
            rpt_seq: e.rpt_seq.get(),
            price: e.price.get(),
            size: size32(e.size.get()),
            aggressor: e.aggressor_side,
            action: e.update_action,
            id: e.trade_id.get(),
        }
    }
}

/// The side of an entry of a book; `None` for one that is implied, or of no book.
pub(super) fn side_of(kind: u8) -> Option<Side> {
    match kind {
        entry_type::BID => Some(Side::Bid),
        entry_type::OFFER => Some(Side::Ask),
        _ => None,
    }
}

impl<const ORDERS: bool> Mdp3Decoder<ORDERS> {
    /// Notes an update's number: says that updates were lost, and whether this one is news.
    #[inline]
    fn note(&mut self, m: &mut Emit<'_>, instrument: InstrumentId, rpt_seq: u32) -> bool {
        let seq = m.place().seq;
        match self.securities.note(instrument, rpt_seq, seq) {
            Numbered::Next => true,
            Numbered::Known => false,
            Numbered::Lost => {
                self.held.release(instrument, m.out());
                m.doubt(instrument, GapCause::Sequence);
                true
            }
        }
    }

    /// An incremental refresh of price levels, and of the orders behind them.
    #[inline]
    pub(super) fn book<T>(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage>
    where
        T: Layout,
        for<'a> LevelUpdate: From<&'a T>,
    {
        let refresh: &mdp3::Refresh = message.root()?;
        let mut groups = message.groups();
        let levels = groups.next::<T>(Dimension::Short)?;
        // Schemas before 7 end here.
        let orders = match groups.rest() {
            [] => None,
            _ => Some(groups.next::<mdp3::OrderEntry>(Dimension::Eight)?),
        };
        let m = &mut begin.message(message.type_byte(), ts(refresh.transact_time.get()));
        let unit = message.price_unit();
        for entry in levels.clone() {
            self.level(m, &LevelUpdate::from(entry), unit)?;
        }
        if ORDERS {
            for order in orders.into_iter().flatten() {
                let at = usize::from(order.reference).checked_sub(1);
                let entry = at.and_then(|at| levels.get(at)).ok_or(Damage::Field)?;
                self.order_of_level(m, order, &LevelUpdate::from(entry), unit)?;
            }
        }
        self.end_message(m, refresh.match_event_indicator);
        Ok(())
    }

    #[inline]
    fn level(&mut self, m: &mut Emit<'_>, update: &LevelUpdate, unit: i64) -> Result<(), Damage> {
        let Some(instrument) = self.updated(m, update.security_id) else { return Ok(()) };
        if !self.note(m, instrument, update.rpt_seq) {
            return Ok(());
        }
        let Some(side) = side_of(update.kind) else { return self.other_level(m, instrument, update) };
        if ORDERS {
            return Ok(());
        }
        let security = self.securities.get(instrument);
        let qty = update.size.ok_or(Damage::Field)?;
        let px = security.scale.px(update.price, unit).ok_or(Damage::Field)?;
        // A side that goes whole is more events than its entry's bytes allow for: without room, its book cannot be told.
        let is_sweep = matches!(update.action, action::DELETE_THRU | action::DELETE_FROM);
        if is_sweep && !m.out().take_spare(DEPTH_MAX) {
            security.ladder.clear();
            self.held.release(instrument, m.out());
            m.doubt(instrument, GapCause::RingFull);
            return Ok(());
        }
        let held = &mut self.held;
        let change = (update.action, update.level);
        let left = security.ladder.update(side, security.depth, change, (px, qty), |px, qty| {
            let event =
                BookEvent { px, qty, side, flags: EventFlags::NONE, ..m.event(instrument, Action::LevelSet) };
            held.hold(event, m.out());
        })?;
        if left == Left::Doubtful {
            self.held.release(instrument, m.out());
            m.doubt(instrument, GapCause::Malformed);
        }
        Ok(())
    }

    /// A level that no book here shows, or the end of them all.
    #[cold]
    fn other_level(
        &mut self,
        m: &mut Emit<'_>,
        instrument: InstrumentId,
        update: &LevelUpdate,
    ) -> Result<(), Damage> {
        match update.kind {
            entry_type::IMPLIED_BID | entry_type::IMPLIED_OFFER => m.stats.implied_levels += 1,
            entry_type::BOOK_RESET => self.reset(m, instrument),
            entry_type::MARKET_BEST_BID | entry_type::MARKET_BEST_OFFER => {}
            _ => return Err(Damage::Field),
        }
        Ok(())
    }

    /// The book of one instrument is empty, and whole.
    fn reset(&mut self, m: &mut Emit<'_>, instrument: InstrumentId) {
        self.held.release(instrument, m.out());
        self.securities.get(instrument).ladder.clear();
        m.push(m.event(instrument, Action::Clear));
    }

    /// An order of a level that the same message told.
    fn order_of_level(
        &mut self,
        m: &mut Emit<'_>,
        order: &mdp3::OrderEntry,
        level: &LevelUpdate,
        unit: i64,
    ) -> Result<(), Damage> {
        let Some(instrument) = self.updated(m, level.security_id) else { return Ok(()) };
        let side = side_of(level.kind).ok_or(Damage::Field)?;
        let change = OrderChange {
            id: order.order_id.get(),
            action: order.update_action,
            price: level.price,
            qty: size32(order.display_qty.get()),
            side,
        };
        self.order(m, instrument, &change, unit)
    }

    /// An incremental refresh of orders by themselves.
    pub(super) fn order_book(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage> {
        let refresh: &mdp3::Refresh = message.root()?;
        let entries = message.groups().next::<mdp3::OrderBookEntry>(Dimension::Short)?;
        let m = &mut begin.message(message.type_byte(), ts(refresh.transact_time.get()));
        for entry in entries {
            let Some(instrument) = self.updated(m, entry.security_id.get()) else { continue };
            if entry.entry_type == entry_type::BOOK_RESET {
                self.reset(m, instrument);
                continue;
            }
            let side = side_of(entry.entry_type).ok_or(Damage::Field)?;
            if ORDERS {
                let change = OrderChange {
                    id: entry.order_id.get(),
                    action: entry.update_action,
                    price: entry.price.get(),
                    qty: size32(entry.display_qty.get()),
                    side,
                };
                self.order(m, instrument, &change, message.price_unit())?;
            }
        }
        self.end_message(m, refresh.match_event_indicator);
        Ok(())
    }

    /// What happens to one order of a book that is made of orders.
    fn order(
        &mut self,
        m: &mut Emit<'_>,
        instrument: InstrumentId,
        change: &OrderChange,
        unit: i64,
    ) -> Result<(), Damage> {
        let seq = m.place().seq;
        let security = self.securities.get(instrument);
        // A snapshot under way will have it, in a part that came or is to come.
        let in_part = security.part.is_some_and(|(last, _)| seq <= last);
        if in_part || security.covered.is_some_and(|covered| seq <= covered) {
            return Ok(());
        }
        security.last_seq = seq;
        let qty = change.qty.ok_or(Damage::Field)?;
        let px = security.scale.px(change.price, unit).ok_or(Damage::Field)?;
        let action = match change.action {
            action::NEW => Action::OrderAdd,
            // The same order at the end of its queue: books count what rests at a price.
            action::CHANGE => Action::OrderReplace,
            action::DELETE => Action::OrderDelete,
            _ => return Err(Damage::Field),
        };
        if action != Action::OrderDelete && !(px.is_some() && qty.0 > 0) {
            return Err(Damage::Field);
        }
        let event = BookEvent {
            order_id: change.id,
            aux: if action == Action::OrderReplace { change.id } else { 0 },
            px,
            qty,
            side: change.side,
            flags: EventFlags::NONE,
            ..m.event(instrument, action)
        };
        self.held.hold(event, m.out());
        Ok(())
    }

    /// A summary of trades; schemas before 7 do not number them.
    pub(super) fn trade_summary(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage> {
        if message.header().version.get() < 7 {
            self.trades::<mdp3::TradeEntry>(begin, message)
        } else {
            self.trades::<mdp3::TradeEntryNumbered>(begin, message)
        }
    }

    /// Trades. What they take from books is told by levels and orders.
    pub(super) fn trades<T>(&mut self, begin: Begin<'_>, message: &Message<'_>) -> Result<(), Damage>
    where
        T: Layout,
        for<'a> TradeUpdate: From<&'a T>,
    {
        let refresh: &mdp3::Refresh = message.root()?;
        let entries = message.groups().next::<T>(Dimension::Short)?;
        let m = &mut begin.message(message.type_byte(), ts(refresh.transact_time.get()));
        for entry in entries {
            self.trade(m, &TradeUpdate::from(entry), message.price_unit())?;
        }
        self.end_message(m, refresh.match_event_indicator);
        Ok(())
    }

    fn trade(&mut self, m: &mut Emit<'_>, trade: &TradeUpdate, unit: i64) -> Result<(), Damage> {
        let Some(instrument) = self.updated(m, trade.security_id) else { return Ok(()) };
        if !self.note(m, instrument, trade.rpt_seq) {
            return Ok(());
        }
        let qty = trade.size.ok_or(Damage::Field)?;
        let px = self.securities.get(instrument).scale.px(trade.price, unit).filter(|px: &Px| px.is_some());
        let px = px.ok_or(Damage::Field)?;
        // Whoever came took from the other side.
        let (side, sideless) = match trade.aggressor {
            mdp3::AGGRESSOR_BUYS => (Side::Ask, EventFlags::NONE),
            mdp3::AGGRESSOR_SELLS => (Side::Bid, EventFlags::NONE),
            _ => (Side::Bid, EventFlags::SIDELESS),
        };
        let (is_void, is_trade) = match trade.action {
            action::NEW => (false, true),
            action::CHANGE => (true, true),
            action::DELETE => (true, false),
            _ => return Err(Damage::Field),
        };
        let flags = EventFlags::LAST.with(sideless);
        let told =
            BookEvent { px, qty, side, aux: trade.id.into(), flags, ..m.event(instrument, Action::Trade) };
        if is_void {
            m.push(BookEvent { action: Action::TradeBreak, ..told });
        }
        if is_trade {
            m.push(told);
        }
        Ok(())
    }

    /// Statistics say nothing about a book, but their updates are numbered with all others.
    pub(super) fn statistics(
        &mut self,
        begin: Begin<'_>,
        message: &Message<'_>,
        Statistic { security_at }: Statistic,
    ) -> Result<(), Damage> {
        let refresh: &mdp3::Refresh = message.root()?;
        let mut entries = message
            .groups()
            .next_at_least::<mdp3::Numbered>(Dimension::Short, security_at + size_of::<mdp3::Numbered>())?;
        let m = &mut begin.message(message.type_byte(), ts(refresh.transact_time.get()));
        while let Some(entry) = entries.next_bytes() {
            let Ok((numbered, _)) = mdp3::Numbered::ref_from_prefix(&entry[security_at..]) else { continue };
            if let Some(instrument) = self.updated(m, numbered.security_id.get()) {
                self.note(m, instrument, numbered.rpt_seq.get());
            }
        }
        self.end_message(m, refresh.match_event_indicator);
        Ok(())
    }
}

/// What happens to one order, whatever entry told it.
struct OrderChange {
    id: u64,
    action: u8,
    price: i64,
    qty: Option<Qty>,
    side: Side,
}
