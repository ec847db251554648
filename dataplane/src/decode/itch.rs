//! TotalView-ITCH 5.0 to events.

mod halts;
mod plain;

use types::{Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Side, Symbol, UnixNanos};
use wire::itch50::{self, Msg, event, side};

use super::buffer::EventBuffer;
use super::decoder::{Begin, Damage, Decoder, DecoderSetup, Emit, Heard, Place};
use super::directory::InstrumentDirectory;
use super::market_state::MarketStates;
use super::tick::TickSizes;
use crate::stats::FeedStats;

/// What a locate number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The stock that the venue names with it, as a [`Symbol`] word; 0 while it named none.
    stock: u64,
    /// The instrument, [`Entry::NOBODY`] before the first message; with a stock, the directory of instruments was full.
    instrument: u32,
}

impl Entry {
    const NOBODY: u32 = u32::MAX;
    /// A number that nothing was said of.
    const NEW: Self = Self { stock: 0, instrument: Self::NOBODY };

    fn instrument(self) -> Option<InstrumentId> {
        (self.instrument != Self::NOBODY).then_some(InstrumentId(self.instrument))
    }
}

/// Locate numbers there are.
const LOCATES: usize = 1 << 16;

/// The cross after a halt or for an initial offering, in imbalance indicators (section 1.6): not sent while a security trades.
const CROSS_HALT: u8 = b'H';

/// Decoder of one ITCH 5.0 feed.
///
/// Captures from the middle of a day lack the stock directory: an instrument is then defined by the first message that
/// names it, or as `#<locate>` by one that does not, until a name comes. Every stock is introduced by the directory before its
/// first order (section 1.2.1), so the books of such instruments are not whole. The directory repeats stocks during the day: an
/// entry introduces one only where the start of the day was heard. A message that names another stock than its
/// locate number stands for is believed about neither, and a stock with two numbers not at all.
#[derive(Debug)]
pub struct ItchDecoder {
    midnight: UnixNanos,
    by_locate: Box<[Entry; LOCATES]>,
    /// The locate number that each instrument had first, plus one; 0 before it had any.
    locate_of: Box<[u32]>,
    heard: Heard,
    directory: InstrumentDirectory,
    states: MarketStates,
    ticks: TickSizes,
}

impl ItchDecoder {
    /// A decoder that knows no instrument yet. All its memory is taken here.
    #[must_use]
    pub fn new(setup: &DecoderSetup) -> Self {
        let directory = InstrumentDirectory::new(setup.instruments_max);
        Self {
            midnight: setup.midnight,
            ticks: setup.ticks.clone(),
            by_locate: new_entries(),
            locate_of: vec![0; directory.capacity()].into_boxed_slice(),
            heard: Heard::Nothing,
            states: MarketStates::new(directory.capacity()),
            directory,
        }
    }

    /// Venue time of a message. Wrapping: a time beyond the end of all times is none that its arrival would vouch for.
    #[inline(always)]
    fn ts(&self, header: &itch50::Header) -> UnixNanos {
        UnixNanos(self.midnight.0.wrapping_add(header.ns()))
    }

    /// The instrument of a message that does not name it.
    #[inline(always)]
    fn known(&mut self, m: &mut Emit<'_>, locate: u16) -> Option<InstrumentId> {
        let entry = self.by_locate[usize::from(locate)];
        if entry.instrument == Entry::NOBODY {
            return self.define_unintroduced(m, locate, None);
        }
        Some(InstrumentId(entry.instrument))
    }

    /// The instrument of a message that names it.
    #[inline(always)]
    fn named(&mut self, m: &mut Emit<'_>, locate: u16, stock: [u8; 8]) -> Option<InstrumentId> {
        let entry = self.by_locate[usize::from(locate)];
        if entry.stock == Symbol(stock).to_word() && entry.instrument != Entry::NOBODY {
            return Some(InstrumentId(entry.instrument));
        }
        self.named_anew(m, locate, Symbol(stock))
    }

    /// A locate number with a stock that it did not stand for: its first one, or a contradiction.
    #[cold]
    #[inline(never)]
    fn named_anew(&mut self, m: &mut Emit<'_>, locate: u16, stock: Symbol) -> Option<InstrumentId> {
        let entry = self.by_locate[usize::from(locate)];
        if entry.stock == 0 || entry.instrument == Entry::NOBODY {
            return self.define_unintroduced(m, locate, Some(stock));
        }
        m.stats.foreign_stocks += 1;
        let instruments = [entry.instrument(), self.directory.find(stock)];
        instruments.into_iter().flatten().for_each(|instrument| mix_up(m, instrument));
        None
    }

    /// Defines the instrument of `locate` by a message that is no entry of the directory. One that was introduced, and found no
    /// room, stays without.
    #[cold]
    #[inline(never)]
    fn define_unintroduced(
        &mut self,
        m: &mut Emit<'_>,
        locate: u16,
        stock: Option<Symbol>,
    ) -> Option<InstrumentId> {
        if self.by_locate[usize::from(locate)].stock != 0 {
            m.stats.directory_full += 1;
            return None;
        }
        self.heard.unintroduced(m);
        let flags = EventFlags::LAST.with(EventFlags::MAYBE_BAD_BOOK);
        self.define(m, locate, stock, BookEvent { flags, ..BookEvent::EMPTY })
    }

    /// An entry of the directory: it introduces its stock, repeats or corrects what it said of it, or gives the number of one
    /// stock to another.
    fn introduce(&mut self, m: &mut Emit<'_>, r: &itch50::StockDirectory) {
        let entry = self.by_locate[usize::from(r.locate())];
        let flags = if self.heard == Heard::FromTheStart {
            EventFlags::LAST
        } else {
            self.heard.unintroduced(m);
            EventFlags::LAST.with(EventFlags::MAYBE_BAD_BOOK)
        };
        let wanted = BookEvent { aux: u64::from(r.round_lot_size.get()), flags, ..BookEvent::EMPTY };
        let Some(instrument) = self.define(m, r.locate(), Some(Symbol(r.stock)), wanted) else { return };
        if let Some(before) = entry.instrument().filter(|&before| before != instrument) {
            m.stats.redefined_locates += 1;
            [before, instrument].into_iter().for_each(|instrument| mix_up(m, instrument));
        }
    }

    /// Numbers the instrument of `locate`, or gives it its name, and says so: `wanted` has what else the event says.
    #[cold]
    fn define(
        &mut self,
        m: &mut Emit<'_>,
        locate: u16,
        stock: Option<Symbol>,
        wanted: BookEvent,
    ) -> Option<InstrumentId> {
        let symbol = stock.unwrap_or_else(|| placeholder(locate));
        let entry = self.by_locate[usize::from(locate)];
        let unnamed = entry.instrument().filter(|_| entry.stock == 0);
        let resolved = self.directory.resolve(symbol, unnamed);
        self.by_locate[usize::from(locate)] = Entry {
            stock: stock.map_or(0, Symbol::to_word),
            instrument: resolved.map_or(Entry::NOBODY, |instrument| instrument.0),
        };
        let Some(instrument) = resolved else {
            m.stats.directory_full += 1;
            return None;
        };
        let tick = self.ticks.of(symbol);
        let BookEvent { aux, flags, .. } = wanted;
        m.push(BookEvent {
            order_id: symbol.to_word(),
            aux,
            px: tick.px,
            qty: Qty(tick.table.0.into()),
            flags,
            ..m.event(instrument, Action::Define)
        });
        self.note_locate(m, instrument, locate);
        Some(instrument)
    }

    /// Each stock has one number a day: where it has another, one of the two is of another stock.
    #[cold]
    fn note_locate(&mut self, m: &mut Emit<'_>, instrument: InstrumentId, locate: u16) {
        let Some(first) = self.locate_of.get_mut(instrument.index()) else { return };
        let locate = u32::from(locate) + 1;
        if *first == 0 {
            *first = locate;
        } else if *first != locate {
            m.stats.redefined_locates += 1;
            mix_up(m, instrument);
        }
    }

    fn system_event(&mut self, m: &mut Emit<'_>, code: u8) {
        let action = match code {
            event::START_OF_MESSAGES => {
                self.states.clear();
                self.heard = Heard::FromTheStart;
                Action::Clear
            }
            event::END_OF_MESSAGES => Action::SessionEnd,
            _ => Action::Time,
        };
        m.push(m.event(InstrumentId::ALL, action));
    }

    #[inline]
    fn add(
        &mut self,
        m: &mut Emit<'_>,
        order: (u64, u8, u32, Px),
        locate: u16,
        stock: [u8; 8],
    ) -> Result<(), Damage> {
        let (order_id, side, shares, px) = order;
        let side = side_of(side)?;
        if let Some(instrument) = self.named(m, locate, stock) {
            m.push(BookEvent {
                order_id,
                px,
                qty: Qty(shares),
                side,
                ..m.event(instrument, Action::OrderAdd)
            });
        }
        Ok(())
    }

    /// An event that takes shares from an order, or the order whole.
    #[inline]
    fn take(&mut self, m: &mut Emit<'_>, locate: u16, action: Action, order_id: u64, shares: u32, aux: u64) {
        if let Some(instrument) = self.known(m, locate) {
            m.push(BookEvent { order_id, aux, qty: Qty(shares), ..m.event(instrument, action) });
        }
    }

    fn execute_with_price(&mut self, m: &mut Emit<'_>, c: &itch50::OrderExecutedWithPrice) {
        let Some(instrument) = self.known(m, c.locate()) else { return };
        let quiet = if c.printable == b'N' { EventFlags::NON_PRINTABLE } else { EventFlags::NONE };
        m.push(BookEvent {
            order_id: c.order_ref.get(),
            aux: c.match_number.get(),
            qty: Qty(c.executed_shares.get()),
            px: c.execution_price.px(),
            flags: EventFlags::LAST.with(EventFlags::HAS_PX).with(quiet),
            ..m.event(instrument, Action::OrderExecute)
        });
    }

    fn replace(&mut self, m: &mut Emit<'_>, u: &itch50::OrderReplace) {
        let Some(instrument) = self.known(m, u.locate()) else { return };
        m.push(BookEvent {
            order_id: u.original_order_ref.get(),
            aux: u.new_order_ref.get(),
            qty: Qty(u.shares.get()),
            px: u.price.px(),
            ..m.event(instrument, Action::OrderReplace)
        });
    }

    fn trade(&mut self, m: &mut Emit<'_>, p: &itch50::Trade) -> Result<(), Damage> {
        let side = side_of(p.side)?;
        let Some(instrument) = self.named(m, p.locate(), p.stock) else { return Ok(()) };
        m.push(BookEvent {
            order_id: p.order_ref.get(),
            aux: p.match_number.get(),
            qty: Qty(p.shares.get()),
            px: p.price.px(),
            side,
            ..m.event(instrument, Action::Trade)
        });
        Ok(())
    }

    /// A cross without shares is no trade: it only says that an auction took place.
    fn cross(&mut self, m: &mut Emit<'_>, q: &itch50::CrossTrade) {
        let Some(instrument) = self.named(m, q.locate(), q.stock) else { return };
        if q.shares.get() == 0 {
            return;
        }
        m.push(BookEvent {
            aux: q.match_number.get(),
            qty: Qty(u32::try_from(q.shares.get()).unwrap_or(u32::MAX)),
            px: q.cross_price.px(),
            flags: EventFlags::LAST.with(EventFlags::CROSS).with(EventFlags::SIDELESS),
            ..m.event(instrument, Action::Trade)
        });
    }

    /// The types that are rare during the day.
    #[inline(never)]
    fn emit_rare(
        &mut self,
        message: Msg<'_>,
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage> {
        let begin = Begin { place, out, stats };
        let Some(header) = message.header() else {
            begin.unknown(message.type_byte());
            return Ok(());
        };
        let m = &mut begin.message(message.type_byte(), self.ts(header));
        match message {
            Msg::OrderExecutedWithPrice(c) => self.execute_with_price(m, c),
            Msg::Trade(p) => return self.trade(m, p),
            Msg::CrossTrade(q) => self.cross(m, q),
            Msg::BrokenTrade(b) => self.take(m, b.locate(), Action::TradeBreak, 0, 0, b.match_number.get()),
            Msg::StockTradingAction(h) => return self.status(m, h),
            Msg::StockDirectory(r) => self.introduce(m, r),
            Msg::SystemEvent(s) => self.system_event(m, s.event_code),
            Msg::OperationalHalt(h) => return self.operational_halt(m, h),
            Msg::MwcbStatus(_) => self.market_wide_halt(m),
            Msg::LuldAuctionCollar(j) => self.auction(m, j.locate(), j.stock),
            Msg::IpoQuotingPeriod(k) => self.quoting_period(m, k),
            Msg::Noii(i) if i.cross_type == CROSS_HALT => self.auction(m, i.locate(), i.stock),
            // Those of every order are read before this; the others say nothing about a book.
            Msg::AddOrder(_)
            | Msg::AddOrderMpid(_)
            | Msg::OrderExecuted(_)
            | Msg::OrderCancel(_)
            | Msg::OrderDelete(_)
            | Msg::OrderReplace(_)
            | Msg::RegShoRestriction(_)
            | Msg::MarketParticipantPosition(_)
            | Msg::MwcbDeclineLevel(_)
            | Msg::Noii(_)
            | Msg::RetailInterest(_)
            | Msg::DirectListing(_)
            | Msg::Other(_) => {}
        }
        Ok(())
    }
}

impl Decoder for ItchDecoder {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`emit_rare` decides on all the rest")]
    #[inline]
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage> {
        match itch50::decode(message)? {
            Msg::AddOrder(a) => {
                let order = (a.order_ref.get(), a.side, a.shares.get(), a.price.px());
                let m = &mut Begin { place, out, stats }.message(itch50::AddOrder::TYPE, self.ts(&a.header));
                self.add(m, order, a.locate(), a.stock)
            }
            Msg::AddOrderMpid(f) => {
                let order = (f.order_ref.get(), f.side, f.shares.get(), f.price.px());
                let m =
                    &mut Begin { place, out, stats }.message(itch50::AddOrderMpid::TYPE, self.ts(&f.header));
                self.add(m, order, f.locate(), f.stock)
            }
            Msg::OrderDelete(d) => {
                let m =
                    &mut Begin { place, out, stats }.message(itch50::OrderDelete::TYPE, self.ts(&d.header));
                self.take(m, d.locate(), Action::OrderDelete, d.order_ref.get(), 0, 0);
                Ok(())
            }
            Msg::OrderReplace(u) => {
                self.replace(
                    &mut Begin { place, out, stats }.message(itch50::OrderReplace::TYPE, self.ts(&u.header)),
                    u,
                );
                Ok(())
            }
            Msg::OrderExecuted(e) => {
                let m =
                    &mut Begin { place, out, stats }.message(itch50::OrderExecuted::TYPE, self.ts(&e.header));
                let (shares, aux) = (e.executed_shares.get(), e.match_number.get());
                self.take(m, e.locate(), Action::OrderExecute, e.order_ref.get(), shares, aux);
                Ok(())
            }
            Msg::OrderCancel(x) => {
                let m =
                    &mut Begin { place, out, stats }.message(itch50::OrderCancel::TYPE, self.ts(&x.header));
                let shares = x.cancelled_shares.get();
                self.take(m, x.locate(), Action::OrderReduce, x.order_ref.get(), shares, 0);
                Ok(())
            }
            rare => self.emit_rare(rare, place, out, stats),
        }
    }

    fn directory(&self) -> &InstrumentDirectory {
        &self.directory
    }

    /// Locate numbers are given anew every day. Instruments keep theirs, which go by the symbol.
    fn begin_session(&mut self, midnight: UnixNanos) {
        self.midnight = midnight;
        self.by_locate.fill(Entry::NEW);
        self.locate_of.fill(0);
        self.states.clear();
        self.heard = Heard::Nothing;
    }
}

/// The book of `instrument` has, or lacks, orders of another: a number of the venue stood for both.
fn mix_up(m: &mut Emit<'_>, instrument: InstrumentId) {
    m.doubt(instrument, GapCause::MixedLocate);
}

/// No number stands for anything.
fn new_entries() -> Box<[Entry; LOCATES]> {
    let entries = vec![Entry::NEW; LOCATES].into_boxed_slice();
    entries.try_into().unwrap_or_else(|_| unreachable!("it has that many"))
}

/// Side by its code. Looked up, since which of the two comes next is the toss of a coin.
static SIDES: [Option<Side>; 256] = {
    let mut sides = [None; 256];
    sides[side::BUY as usize] = Some(Side::Bid);
    sides[side::SELL as usize] = Some(Side::Ask);
    sides
};

#[inline(always)]
fn side_of(code: u8) -> Result<Side, Damage> {
    SIDES[usize::from(code)].ok_or(Damage::Field)
}

/// `#<locate>`, padded.
fn placeholder(locate: u16) -> Symbol {
    let mut name = *b"#       ";
    let mut rest = locate;
    let digits = locate.checked_ilog10().unwrap_or(0) as usize + 1;
    for place in name[1..=digits].iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    Symbol(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::TickSize;
    use types::{TickTable, TickTableId, TradingStatus};
    use wire::IntoBytes;
    use wire::itch50::*;

    const PLACE: Place = Place { seq: 9, ts_recv: UnixNanos(77), channel: 2, offset: 0 };

    struct Rig {
        decoder: ItchDecoder,
        stats: FeedStats,
        out: EventBuffer,
    }

    impl Rig {
        fn new(instruments_max: usize) -> Self {
            let future = (Symbol(*b"FUT     "), TickSize::uniform(Px(250_000_000)));
            let ticks =
                TickSizes::new(TickSize::of_table(TickTableId::US_EQUITY, &TickTable::US_EQUITY), [future]);
            let decoder =
                ItchDecoder::new(&DecoderSetup { midnight: UnixNanos(1_000), instruments_max, ticks });
            Self { decoder, stats: FeedStats::default(), out: EventBuffer::new(8) }
        }

        /// One that has heard the day begin.
        fn begun(instruments_max: usize) -> Self {
            let mut rig = Self::new(instruments_max);
            rig.feed(SystemEvent::new(0, 0, 4, b'O').as_bytes());
            rig
        }

        fn feed(&mut self, message: &[u8]) -> Vec<BookEvent> {
            self.decoder.decode(message, &PLACE, &mut self.out, &mut self.stats).unwrap();
            self.take()
        }

        fn take(&mut self) -> Vec<BookEvent> {
            let events = self.out.pending().to_vec();
            self.out.advance(events.len());
            events
        }
    }

    fn directory(locate: u16, stock: &[u8; 8]) -> StockDirectory {
        StockDirectory::common_stock(locate, 5, *stock, 100)
    }

    #[test]
    fn a_tick_size_that_is_configured_holds() {
        let mut rig = Rig::begun(4);
        let ticks = [*b"FUT     ", *b"XYZ     "].map(|stock| {
            let define = rig.feed(directory(7, &stock).as_bytes())[0];
            (define.px.0, define.qty.0)
        });
        assert_eq!(ticks, [(250_000_000, 0), (10_000_000, 1)], "one tick, and the table of US equities");
    }

    #[test]
    fn a_directory_entry_defines_before_anything_else() {
        let mut rig = Rig::begun(4);
        let events = rig.feed(directory(7, b"AAPL    ").as_bytes());
        let wanted = BookEvent {
            ts_event: UnixNanos(1_005),
            ts_recv: UnixNanos(77),
            seq: types::SeqNo(9),
            order_id: Symbol(*b"AAPL    ").to_word(),
            px: Px(10_000_000),
            qty: Qty(1),
            aux: 100,
            instrument: InstrumentId(0),
            channel: 2,
            action: Action::Define,
            flags: EventFlags::LAST,
            ..BookEvent::EMPTY
        };
        assert_eq!(events, [wanted]);
    }

    #[test]
    fn order_messages_become_their_events() {
        let mut rig = Rig::begun(4);
        rig.feed(directory(7, b"AAPL    ").as_bytes());
        let one = |events: Vec<BookEvent>| {
            assert_eq!(events.len(), 1);
            assert!(events[0].instrument == InstrumentId(0) && events[0].flags.has(EventFlags::LAST));
            events[0]
        };
        let e = one(rig.feed(AddOrder::new(7, 0, 6, 11, b'S', 300, *b"AAPL    ", 1_234_500).as_bytes()));
        assert_eq!((e.action, e.order_id, e.side, e.qty), (Action::OrderAdd, 11, Side::Ask, Qty(300)));
        assert_eq!((e.px, e.ts_event), (Px(123_450_000_000), UnixNanos(1_006)));
        let e = one(rig.feed(OrderExecuted::new(7, 0, 6, 11, 50, 900).as_bytes()));
        assert_eq!(
            (e.action, e.order_id, e.qty, e.aux, e.px),
            (Action::OrderExecute, 11, Qty(50), 900, Px::NONE)
        );
        let e = one(rig.feed(OrderExecutedWithPrice::new(7, 0, 6, 11, 50, 901, b'N', 20_000).as_bytes()));
        assert_eq!((e.action, e.px), (Action::OrderExecute, Px(2_000_000_000)));
        assert!(e.flags.has(EventFlags::HAS_PX.with(EventFlags::NON_PRINTABLE)));
        let e = one(rig.feed(OrderCancel::new(7, 0, 6, 11, 20).as_bytes()));
        assert_eq!((e.action, e.order_id, e.qty), (Action::OrderReduce, 11, Qty(20)));
        let e = one(rig.feed(OrderReplace::new(7, 0, 6, 11, 12, 40, 10_000).as_bytes()));
        assert_eq!((e.action, e.order_id, e.aux, e.qty), (Action::OrderReplace, 11, 12, Qty(40)));
        let e = one(rig.feed(OrderDelete::new(7, 0, 6, 12).as_bytes()));
        assert_eq!((e.action, e.order_id), (Action::OrderDelete, 12));
        let e = one(rig.feed(BrokenTrade::new(7, 0, 6, 900).as_bytes()));
        assert_eq!((e.action, e.aux), (Action::TradeBreak, 900));
    }

    #[test]
    fn trades_crosses_and_states() {
        let mut rig = Rig::begun(4);
        rig.feed(directory(7, b"AAPL    ").as_bytes());
        let e = rig.feed(Trade::new(7, 0, 6, 0, b'B', 10, *b"AAPL    ", 10_000, 55).as_bytes())[0];
        assert_eq!((e.action, e.side, e.aux, e.flags), (Action::Trade, Side::Bid, 55, EventFlags::LAST));
        let e = rig.feed(CrossTrade::new(7, 0, 6, 1 << 40, *b"AAPL    ", 10_000, 56, b'O').as_bytes())[0];
        assert_eq!((e.action, e.qty), (Action::Trade, Qty(u32::MAX)));
        assert!(e.flags.has(EventFlags::CROSS.with(EventFlags::SIDELESS)));
        assert!(rig.feed(CrossTrade::new(7, 0, 6, 0, *b"AAPL    ", 0, 56, b'O').as_bytes()).is_empty());
        for (state, wanted) in [(b'H', 2), (b'P', 3), (b'Q', 3), (b'T', 1)] {
            let e =
                rig.feed(StockTradingAction::new(7, 0, 6, *b"AAPL    ", state, b' ', *b"    ").as_bytes())[0];
            assert_eq!((e.action, e.aux), (Action::Status, wanted));
        }
        for (code, wanted) in [(b'O', Action::Clear), (b'C', Action::SessionEnd), (b'Q', Action::Time)] {
            let e = rig.feed(SystemEvent::new(0, 0, 6, code).as_bytes())[0];
            assert_eq!((e.action, e.instrument), (wanted, InstrumentId::ALL));
        }
    }

    #[test]
    fn halts_of_this_market_and_auctions_are_states() {
        let mut rig = Rig::begun(4);
        rig.feed(directory(7, b"AAPL    ").as_bytes());
        let stock = *b"AAPL    ";
        let mut states = |message: &[u8]| -> Vec<(InstrumentId, u64)> {
            let events = rig.feed(message);
            events.iter().filter(|e| e.action == Action::Status).map(|e| (e.instrument, e.aux)).collect()
        };
        let (one, all) = (InstrumentId(0), InstrumentId::ALL);
        let trading = StockTradingAction::new(7, 0, 6, stock, b'T', b' ', *b"    ");
        assert_eq!(states(trading.as_bytes()), [(one, 1)]);
        assert_eq!(states(OperationalHalt::new(7, 0, 6, stock, b'Q', b'H').as_bytes()), [(one, 2)]);
        assert_eq!(states(trading.as_bytes()), [(one, 2)], "other markets trade it, this one does not");
        assert_eq!(states(OperationalHalt::new(7, 0, 6, stock, b'Q', b'T').as_bytes()), [(one, 1)]);
        assert_eq!(states(OperationalHalt::new(7, 0, 6, stock, b'B', b'H').as_bytes()), [], "BX is not ours");
        assert_eq!(states(LuldAuctionCollar::new(7, 0, 6, stock, 1, 2, 3, 0).as_bytes()), [(one, 3)]);
        assert_eq!(states(LuldAuctionCollar::new(7, 0, 6, stock, 1, 2, 3, 1).as_bytes()), []);
        assert_eq!(states(trading.as_bytes()), [(one, 1)]);
        assert_eq!(states(IpoQuotingPeriod::new(7, 0, 6, stock, 0, b'A', 1).as_bytes()), [(one, 3)]);
        assert_eq!(states(trading.as_bytes()), [(one, 1)]);
        assert_eq!(states(MwcbStatus::new(0, 0, 6, b'1').as_bytes()), [(all, 2)]);
        assert_eq!(states(OperationalHalt::new(7, 0, 6, stock, b'Q', b'T').as_bytes()), []);
        assert_eq!(states(trading.as_bytes()), [(one, 1)]);
        let odd = OperationalHalt::new(7, 0, 6, stock, b'Q', b'?');
        assert_eq!(
            rig.decoder.decode(odd.as_bytes(), &PLACE, &mut rig.out, &mut rig.stats),
            Err(Damage::Field)
        );
    }

    #[test]
    fn a_mid_day_capture_defines_by_what_it_has() {
        let mut rig = Rig::new(4);
        let events = rig.feed(OrderDelete::new(65_000, 0, 6, 12).as_bytes());
        assert_eq!(Symbol::from_word(events[1].order_id).as_str(), "#65000");
        assert_eq!(
            events.iter().map(|e| e.action).collect::<Vec<_>>(),
            [Action::Gap, Action::Define, Action::OrderDelete]
        );
        assert_eq!(
            (events[0].instrument, events[0].qty),
            (InstrumentId::ALL, Qty(GapCause::MidSession as u32))
        );
        let events = rig.feed(AddOrder::new(65_000, 0, 6, 11, b'B', 300, *b"XYZ     ", 1).as_bytes());
        assert_eq!((events[0].action, events[0].instrument), (Action::Define, InstrumentId(0)));
        assert_eq!(rig.decoder.directory().symbols(), [Symbol(*b"XYZ     ")]);
        assert_eq!(rig.feed(OrderDelete::new(65_000, 0, 6, 11).as_bytes()).len(), 1);
        assert_eq!(rig.feed(OrderDelete::new(0, 0, 6, 12).as_bytes()).len(), 2);
        assert_eq!(rig.decoder.directory().symbols()[1].as_str(), "#0");
    }

    /// Whether the events define an instrument, and say that its book is whole.
    fn whole(events: &[BookEvent]) -> Option<bool> {
        let define = events.iter().find(|e| e.action == Action::Define)?;
        Some(!define.flags.has(EventFlags::MAYBE_BAD_BOOK))
    }

    #[test]
    fn only_what_the_directory_introduces_is_whole() {
        let mut rig = Rig::new(8);
        let add = |locate, stock: &[u8; 8]| AddOrder::new(locate, 0, 6, 11, b'B', 300, *stock, 1);
        let gaps = |events: &[BookEvent]| events.iter().filter(|e| e.action == Action::Gap).count();
        rig.feed(SystemEvent::new(0, 0, 6, b'O').as_bytes());
        assert_eq!(whole(&rig.feed(directory(1, b"A       ").as_bytes())), Some(true));
        assert_eq!(whole(&rig.feed(add(1, b"A       ").as_bytes())), None);
        let events = rig.feed(add(2, b"B       ").as_bytes());
        assert_eq!((whole(&events), gaps(&events)), (Some(false), 0), "the day was heard from its start");
        // The next day is joined in its middle, by an entry of the directory that may be one of many for its stock.
        rig.decoder.begin_session(UnixNanos(5_000));
        let events = rig.feed(directory(1, b"A       ").as_bytes());
        assert_eq!((whole(&events), gaps(&events)), (Some(false), 1));
        let events = rig.feed(add(2, b"B       ").as_bytes());
        assert_eq!((whole(&events), gaps(&events)), (Some(false), 0), "it is said once");
        rig.feed(SystemEvent::new(0, 0, 6, b'O').as_bytes());
        assert_eq!(whole(&rig.feed(directory(1, b"A       ").as_bytes())), Some(true));
    }

    #[test]
    fn a_number_that_stands_for_two_stocks_is_believed_about_neither() {
        let mut rig = Rig::begun(8);
        let add = |locate, stock: &[u8; 8]| AddOrder::new(locate, 0, 6, 11, b'B', 300, *stock, 1);
        let told = |events: Vec<BookEvent>| -> Vec<_> {
            events.iter().map(|e| (e.action, e.instrument.0, e.qty.0)).collect()
        };
        let mixed = |n| (Action::Gap, n, GapCause::MixedLocate as u32);
        rig.feed(directory(1, b"A       ").as_bytes());
        rig.feed(directory(2, b"B       ").as_bytes());
        assert_eq!(told(rig.feed(add(1, b"B       ").as_bytes())), [mixed(0), mixed(1)]);
        assert_eq!(told(rig.feed(add(2, b"ZZZ     ").as_bytes())), [mixed(1)]);
        assert_eq!(told(rig.feed(add(2, b"B       ").as_bytes())), [(Action::OrderAdd, 1, 300)]);
        assert_eq!((rig.stats.foreign_stocks, rig.stats.redefined_locates), (2, 0));
        // The directory repeats itself, which is nothing, and then gives the number away.
        assert_eq!(told(rig.feed(directory(1, b"A       ").as_bytes())), [(Action::Define, 0, 1)]);
        let events = told(rig.feed(directory(1, b"C       ").as_bytes()));
        assert_eq!(events, [(Action::Define, 2, 1), mixed(0), mixed(2)]);
        assert_eq!((rig.stats.foreign_stocks, rig.stats.redefined_locates), (2, 1));
        // A stock with a second number is not believed, whatever gave it.
        let events = told(rig.feed(directory(5, b"B       ").as_bytes()));
        assert_eq!(events, [(Action::Define, 1, 1), mixed(1)]);
        let events = told(rig.feed(add(6, b"B       ").as_bytes()));
        assert_eq!(events, [(Action::Define, 1, 1), mixed(1), (Action::OrderAdd, 1, 300)]);
        assert_eq!(rig.stats.redefined_locates, 3);
        // A name of zeros is that of no number.
        assert_eq!(told(rig.feed(add(7, b"\0\0\0\0\0\0\0\0").as_bytes())).len(), 2);
    }

    #[test]
    fn a_quoting_period_goes_by_its_stock() {
        let mut rig = Rig::new(4);
        rig.feed(directory(1, b"A       ").as_bytes());
        rig.feed(StockTradingAction::new(1, 0, 6, *b"A       ", b'T', b' ', *b"    ").as_bytes());
        let events = rig.feed(IpoQuotingPeriod::new(0, 0, 6, *b"A       ", 0, b'A', 0).as_bytes());
        let told: Vec<_> = events.iter().map(|e| (e.action, e.instrument.0, e.aux)).collect();
        assert_eq!(told, [(Action::Status, 0, TradingStatus::Paused as u64)]);
        assert!(rig.feed(IpoQuotingPeriod::new(0, 0, 6, *b"NEW     ", 0, b'A', 0).as_bytes()).is_empty());
    }

    #[test]
    fn a_new_day_gives_locates_anew_and_leaves_instruments_alone() {
        let mut rig = Rig::new(4);
        rig.feed(directory(1, b"A       ").as_bytes());
        rig.feed(directory(2, b"B       ").as_bytes());
        rig.decoder.begin_session(UnixNanos(5_000));
        let e = rig.feed(directory(1, b"B       ").as_bytes())[1];
        assert_eq!((e.action, e.instrument, e.ts_event), (Action::Define, InstrumentId(1), UnixNanos(5_005)));
        assert_eq!(rig.feed(directory(2, b"C       ").as_bytes())[0].instrument, InstrumentId(2));
        assert_eq!(rig.feed(OrderDelete::new(1, 0, 6, 12).as_bytes())[0].instrument, InstrumentId(1));
        // Without a session between them, another name is another instrument too.
        assert_eq!(rig.feed(directory(1, b"A       ").as_bytes())[0].instrument, InstrumentId(0));
        let names: Vec<_> = rig.decoder.directory().symbols().iter().map(|s| s.as_str().to_owned()).collect();
        assert_eq!(names, ["A", "B", "C"]);
    }

    #[test]
    fn a_full_directory_drops_and_counts() {
        let mut rig = Rig::new(1);
        rig.feed(directory(1, b"A       ").as_bytes());
        assert!(rig.feed(directory(2, b"B       ").as_bytes()).is_empty());
        assert!(rig.feed(OrderDelete::new(2, 0, 6, 12).as_bytes()).is_empty());
        assert_eq!((rig.stats.directory_full, rig.stats.messages), (2, 3));
        assert_eq!(rig.decoder.directory().beyond(), 1, "one instrument, however much is said of it");
    }

    #[test]
    fn what_is_not_understood_is_counted_or_refused() {
        let mut rig = Rig::new(1);
        assert!(rig.feed(b"zzzz").is_empty());
        assert_eq!((rig.stats.messages_unknown, rig.stats.by_type[usize::from(b'z')]), (1, 1));
        let mut refuse =
            |message: &[u8]| rig.decoder.decode(message, &PLACE, &mut rig.out, &mut rig.stats).unwrap_err();
        assert!(matches!(
            refuse(b"A123"),
            Damage::Wire(wire::WireError::BadLength { message_type: b'A', .. })
        ));
        let bad_side = AddOrder::new(7, 0, 6, 11, b'?', 300, *b"AAPL    ", 1_234_500);
        assert_eq!(refuse(bad_side.as_bytes()), Damage::Field);
    }
}
