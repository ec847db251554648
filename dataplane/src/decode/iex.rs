//! IEX DEEP 1.0 and TOPS 1.6 to events.

use types::{Action, BookEvent, EventFlags, InstrumentId, Qty, Side, Symbol, TradingStatus, UnixNanos};
use wire::WireError;
use wire::deep10::{self, event, flags, status};
use wire::{iex, tops16};

use super::{Damage, Decoder, Directory, Emit, EventBuffer, Place, TickSizes};
use crate::stats::FeedStats;

/// Which IEX message protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IexFeed {
    /// Depth of book by price level.
    Deep10,
    /// Best quotes. They are counted and make no event: a best quote alone does not say which level it replaces.
    Tops16,
}

impl IexFeed {
    /// Its number in the transport's header.
    #[must_use]
    pub const fn protocol(self) -> u16 {
        match self {
            Self::Deep10 => iex::PROTOCOL_DEEP_1_0,
            Self::Tops16 => iex::PROTOCOL_TOPS_1_6,
        }
    }
}

/// Decoder of one IEX feed.
///
/// IEX sends directory entries for the securities it lists only; all others are defined by the first message that names
/// them.
#[derive(Debug)]
pub struct IexDecoder {
    feed: IexFeed,
    directory: Directory,
    ticks: TickSizes,
}

/// What a message of either protocol means to the books.
enum Meaning<'a> {
    System(&'a deep10::SystemEvent),
    Directory(&'a deep10::SecurityDirectory),
    Status(&'a deep10::TradingStatus),
    Level(&'a deep10::PriceLevelUpdate, Side),
    Trade(&'a deep10::TradeReport),
    Break(&'a deep10::TradeBreak),
    Unknown,
    Nothing,
}

/// One message: its type, its time, what it means.
struct Read<'a> {
    message_type: u8,
    ts: Option<UnixNanos>,
    meaning: Meaning<'a>,
}

#[inline]
fn read_deep(message: &[u8]) -> Result<Read<'_>, WireError> {
    use deep10::Msg;
    let message = deep10::decode(message)?;
    let meaning = match message {
        Msg::PriceLevelBuy(m) => Meaning::Level(m, Side::Bid),
        Msg::PriceLevelSell(m) => Meaning::Level(m, Side::Ask),
        Msg::TradeReport(m) => Meaning::Trade(m),
        Msg::TradeBreak(m) => Meaning::Break(m),
        Msg::TradingStatus(m) => Meaning::Status(m),
        Msg::SecurityDirectory(m) => Meaning::Directory(m),
        Msg::SystemEvent(m) => Meaning::System(m),
        Msg::Other(_) => Meaning::Unknown,
        _ => Meaning::Nothing,
    };
    let ts = message.timestamp().map(|t| UnixNanos(t.ns()));
    Ok(Read { message_type: message.type_byte(), ts, meaning })
}

#[inline]
fn read_tops(message: &[u8]) -> Result<Read<'_>, WireError> {
    use tops16::Msg;
    let message = tops16::decode(message)?;
    let meaning = match message {
        Msg::TradeReport(m) => Meaning::Trade(m),
        Msg::TradeBreak(m) => Meaning::Break(m),
        Msg::TradingStatus(m) => Meaning::Status(m),
        Msg::SecurityDirectory(m) => Meaning::Directory(m),
        Msg::SystemEvent(m) => Meaning::System(m),
        Msg::Other(_) => Meaning::Unknown,
        _ => Meaning::Nothing,
    };
    let ts = message.timestamp().map(|t| UnixNanos(t.ns()));
    Ok(Read { message_type: message.type_byte(), ts, meaning })
}

impl IexDecoder {
    /// A decoder for at most `instruments_max` instruments of these tick sizes.
    #[must_use]
    pub fn new(feed: IexFeed, instruments_max: usize, ticks: TickSizes) -> Self {
        Self { feed, directory: Directory::new(instruments_max), ticks }
    }

    /// The instrument of that name, defined if need be; `None` when the directory is full.
    #[inline]
    fn instrument(&mut self, m: &mut Emit<'_>, symbol: [u8; 8]) -> Option<InstrumentId> {
        match self.directory.find(Symbol(symbol)) {
            Some(known) => Some(known),
            None => self.define(m, Symbol(symbol), 0),
        }
    }

    /// Numbers `symbol` if it has no number yet, and says so. A round lot of 0 is unknown.
    #[cold]
    fn define(&mut self, m: &mut Emit<'_>, symbol: Symbol, round_lot: u32) -> Option<InstrumentId> {
        let Some(instrument) = self.directory.settle(symbol, None) else {
            m.stats.directory_full += 1;
            return None;
        };
        m.push(BookEvent {
            order_id: symbol.to_word(),
            aux: u64::from(round_lot),
            px: self.ticks.of(symbol),
            ..m.event(instrument, Action::Define)
        });
        Some(instrument)
    }

    /// The book may be read after the event's last update only: until then it may look crossed.
    #[inline]
    fn level(
        &mut self,
        m: &mut Emit<'_>,
        update: &deep10::PriceLevelUpdate,
        side: Side,
    ) -> Result<(), Damage> {
        let px = update.price.px();
        if !px.is_some() {
            return Err(Damage::Field);
        }
        if let Some(instrument) = self.instrument(m, update.symbol) {
            let flags = if update.is_event_complete() { EventFlags::LAST } else { EventFlags::NONE };
            let qty = Qty(update.size.get());
            m.push(BookEvent { px, qty, side, flags, ..m.event(instrument, Action::LevelSet) });
        }
        Ok(())
    }

    fn trade(&mut self, m: &mut Emit<'_>, report: &deep10::TradeReport) {
        let Some(instrument) = self.instrument(m, report.symbol) else { return };
        let cross = report.sale_conditions.0 & flags::SINGLE_PRICE_CROSS != 0;
        let kind = if cross { EventFlags::CROSS } else { EventFlags::NONE };
        m.push(BookEvent {
            px: report.price.px(),
            qty: Qty(report.size.get()),
            aux: report.trade_id.get(),
            flags: EventFlags::LAST.with(EventFlags::SIDELESS).with(kind),
            ..m.event(instrument, Action::Trade)
        });
    }

    fn trade_break(&mut self, m: &mut Emit<'_>, broken: &deep10::TradeBreak) {
        let Some(instrument) = self.instrument(m, broken.symbol) else { return };
        m.push(BookEvent {
            px: broken.price.px(),
            qty: Qty(broken.size.get()),
            aux: broken.trade_id.get(),
            ..m.event(instrument, Action::TradeBreak)
        });
    }

    fn status(&mut self, m: &mut Emit<'_>, update: &deep10::TradingStatus) -> Result<(), Damage> {
        let status = match update.status {
            status::HALTED => TradingStatus::Halted,
            status::ORDER_ACCEPTANCE | status::PAUSED => TradingStatus::Paused,
            status::TRADING => TradingStatus::Trading,
            _ => return Err(Damage::Field),
        };
        if let Some(instrument) = self.instrument(m, update.symbol) {
            m.push(BookEvent { aux: status as u64, ..m.event(instrument, Action::Status) });
        }
        Ok(())
    }

    /// The first and the last message of a session; the phases between them change no book.
    fn system(m: &mut Emit<'_>, code: u8) {
        let action = match code {
            event::START_OF_MESSAGES => Action::Clear,
            event::END_OF_MESSAGES => Action::SessionEnd,
            _ => Action::Time,
        };
        m.push(m.event(InstrumentId::ALL, action));
    }

    #[inline]
    fn emit(&mut self, meaning: &Meaning<'_>, m: &mut Emit<'_>) -> Result<(), Damage> {
        match meaning {
            Meaning::Level(update, side) => return self.level(m, update, *side),
            Meaning::Trade(report) => self.trade(m, report),
            Meaning::Break(broken) => self.trade_break(m, broken),
            Meaning::Status(update) => return self.status(m, update),
            Meaning::Directory(d) => {
                self.define(m, Symbol(d.symbol), d.round_lot_size.get());
            }
            Meaning::System(s) => Self::system(m, s.event),
            Meaning::Unknown => m.stats.messages_unknown += 1,
            Meaning::Nothing => {}
        }
        Ok(())
    }
}

impl Decoder for IexDecoder {
    #[inline]
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage> {
        let read = match self.feed {
            IexFeed::Deep10 => read_deep(message),
            IexFeed::Tops16 => read_tops(message),
        }?;
        let ts_event = read.ts.unwrap_or(stats.last_ts);
        stats.note_message(read.message_type, ts_event);
        self.emit(&read.meaning, &mut Emit { place, ts_event, out, stats })
    }

    fn directory(&self) -> &Directory {
        &self.directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Px;
    use wire::IntoBytes;
    use wire::deep10::{
        PriceLevelUpdate, SecurityDirectory, ShortSalePriceTest, SystemEvent, TradeBreak, TradeReport,
    };

    const PLACE: Place = Place { seq: 9, ts_recv: UnixNanos(77), channel: 2, offset: 0 };
    const SYMBOL: [u8; 8] = *b"SPY     ";

    fn feed(decoder: &mut IexDecoder, message: &[u8]) -> Vec<BookEvent> {
        let (mut out, mut stats) = (EventBuffer::new(4), FeedStats::default());
        decoder.decode(message, &PLACE, &mut out, &mut stats).unwrap();
        out.pending().to_vec()
    }

    #[test]
    fn a_level_is_readable_only_when_the_event_is_complete() {
        let mut deep = IexDecoder::new(IexFeed::Deep10, 4, TickSizes::default());
        let events = feed(&mut deep, PriceLevelUpdate::new(0, 500, SYMBOL, 300, 4_311_000).as_bytes());
        assert_eq!((events[0].action, events[0].aux, events[0].px), (Action::Define, 0, Px(10_000_000)));
        let e = events[1];
        assert_eq!(
            (e.action, e.side, e.qty, e.px),
            (Action::LevelSet, Side::Bid, Qty(300), Px(431_100_000_000))
        );
        assert_eq!((e.ts_event, e.flags), (UnixNanos(500), EventFlags::NONE));
        let events = feed(&mut deep, PriceLevelUpdate::sell(1, 501, SYMBOL, 0, 4_312_000).as_bytes());
        assert_eq!((events.len(), events[0].side, events[0].flags), (1, Side::Ask, EventFlags::LAST));
    }

    #[test]
    fn the_other_messages_that_matter() {
        let mut deep = IexDecoder::new(IexFeed::Deep10, 4, TickSizes::default());
        let e = feed(&mut deep, SecurityDirectory::new(0, 500, SYMBOL, 100, 0, 1).as_bytes())[0];
        assert_eq!((e.action, e.aux, e.order_id), (Action::Define, 100, Symbol(SYMBOL).to_word()));
        let e = feed(&mut deep, TradeReport::new(8, 500, SYMBOL, 100, 10_000, 44).as_bytes())[0];
        assert_eq!((e.action, e.aux, e.qty), (Action::Trade, 44, Qty(100)));
        assert!(e.flags.has(EventFlags::SIDELESS.with(EventFlags::CROSS).with(EventFlags::LAST)));
        let e = feed(&mut deep, TradeBreak::new(0, 500, SYMBOL, 100, 10_000, 44).as_bytes())[0];
        assert_eq!((e.action, e.aux), (Action::TradeBreak, 44));
        for (code, wanted) in [(b'H', 2), (b'O', 3), (b'P', 3), (b'T', 1)] {
            let e = feed(&mut deep, deep10::TradingStatus::new(code, 500, SYMBOL, *b"    ").as_bytes())[0];
            assert_eq!((e.action, e.aux), (Action::Status, wanted));
        }
        for (code, wanted) in [(b'O', Action::Clear), (b'C', Action::SessionEnd), (b'R', Action::Time)] {
            assert_eq!(feed(&mut deep, SystemEvent::new(code, 500).as_bytes())[0].action, wanted);
        }
        assert!(feed(&mut deep, ShortSalePriceTest::new(0, 500, SYMBOL, b' ').as_bytes()).is_empty());
    }

    #[test]
    fn a_price_that_does_not_fit_is_refused() {
        let mut deep = IexDecoder::new(IexFeed::Deep10, 4, TickSizes::default());
        let (mut out, mut stats) = (EventBuffer::new(4), FeedStats::default());
        let message = PriceLevelUpdate::new(0, 500, SYMBOL, 300, i64::MAX);
        assert_eq!(deep.decode(message.as_bytes(), &PLACE, &mut out, &mut stats), Err(Damage::Field));
        assert!(out.is_empty());
    }

    #[test]
    fn quotes_are_counted_and_nothing_else() {
        let mut tops = IexDecoder::new(IexFeed::Tops16, 4, TickSizes::default());
        let quote = wire::tops16::QuoteUpdate::new(0, 500, SYMBOL, 100, 10_000, 10_100, 100);
        assert!(feed(&mut tops, quote.as_bytes()).is_empty());
        assert_eq!(feed(&mut tops, TradeReport::new(0, 500, SYMBOL, 100, 10_000, 44).as_bytes()).len(), 2);
    }
}
