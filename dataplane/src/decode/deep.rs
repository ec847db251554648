//! IEX DEEP 1.0 to events: price levels.

use types::{Action, BookEvent, EventFlags, Qty, Side, UnixNanos};
use wire::deep10::{self, Msg, PriceLevelUpdate, SystemEvent, event};

use super::buffer::EventBuffer;
use super::decoder::{Begin, CHANNELS_MAX, Damage, Decoder, DecoderSetup, Emit, Place};
use super::directory::InstrumentDirectory;
use super::held::Held;
use super::iex::{IexSecurities, read_message, ts};
use crate::stats::FeedStats;

/// Decoder of one DEEP feed.
#[derive(Debug)]
pub struct DeepDecoder {
    securities: IexSecurities,
    /// The last update of each event that is not complete.
    kept: Held,
}

impl DeepDecoder {
    /// A decoder that knows no instrument yet. All its memory is taken here.
    #[must_use]
    pub fn new(setup: &DecoderSetup) -> Self {
        Self { securities: IexSecurities::new(setup), kept: Held::new(CHANNELS_MAX) }
    }

    /// The book may be read after the event's last update only: until then it may look crossed.
    #[inline]
    fn level(&mut self, m: &mut Emit<'_>, update: &PriceLevelUpdate, side: Side) -> Result<(), Damage> {
        let px = update.price.px();
        if !px.is_some() {
            return Err(Damage::Field);
        }
        if let Some(instrument) = self.securities.instrument(m, update.symbol) {
            let flags = if update.is_event_complete() { EventFlags::LAST } else { EventFlags::NONE };
            let qty = Qty(update.size.get());
            let event = BookEvent { px, qty, side, flags, ..m.event(instrument, Action::LevelSet) };
            m.push(event);
            if update.is_event_complete() {
                self.kept.drop_kept(event.channel, instrument);
            } else {
                self.kept.keep(event, m.out());
            }
        }
        Ok(())
    }
}

impl Decoder for DeepDecoder {
    #[inline]
    fn decode(
        &mut self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> Result<(), Damage> {
        let begin = Begin { place, out, stats };
        read_message! {
            self.securities, begin, deep10::decode(message)?,
            own {
                Msg::PriceLevelBuy(u) => {
                    self.level(&mut begin.message(PriceLevelUpdate::TYPE, ts(u.timestamp)), u, Side::Bid)
                },
                Msg::PriceLevelSell(u) => {
                    self.level(&mut begin.message(PriceLevelUpdate::TYPE_SELL, ts(u.timestamp)), u, Side::Ask)
                },
                Msg::SystemEvent(s) => {
                    if s.event == event::START_OF_MESSAGES {
                        self.kept.forget(begin.place.channel);
                    }
                    self.securities.system_event(&mut begin.message(SystemEvent::TYPE, ts(s.timestamp)), s);
                    Ok(())
                },
            }
            counted { RetailLiquidity, ShortSalePriceTest, SecurityEvent, OfficialPrice }
        }
    }

    fn directory(&self) -> &InstrumentDirectory {
        &self.securities.directory
    }

    /// Securities go by their symbols, and times are whole: there is only the start of the day to wait for.
    fn begin_session(&mut self, _midnight: UnixNanos) {
        self.kept.forget_all();
        self.securities.begin_session();
    }

    fn end_overdue(&mut self, channel: u8, now: UnixNanos, out: &mut EventBuffer) {
        self.kept.end_overdue(channel, now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::END_OF_INPUT;
    use types::{Px, Symbol};
    use wire::IntoBytes;
    use wire::deep10::{SecurityDirectory, ShortSalePriceTest, TradeBreak, TradeReport, TradingStatus};

    const PLACE: Place = Place { seq: 9, ts_recv: UnixNanos(77), channel: 2, offset: 0 };
    const SYMBOL: [u8; 8] = *b"SPY     ";

    /// One that has heard nothing.
    fn new() -> DeepDecoder {
        let ticks = types::TickTableId::US_EQUITY.into();
        DeepDecoder::new(&DecoderSetup { midnight: UnixNanos(0), instruments_max: 4, ticks })
    }

    /// One that has heard the day begin.
    fn decoder() -> DeepDecoder {
        let mut deep = new();
        feed(&mut deep, SystemEvent::new(b'O', 499).as_bytes());
        deep
    }

    fn feed(decoder: &mut DeepDecoder, message: &[u8]) -> Vec<BookEvent> {
        let (mut out, mut stats) = (EventBuffer::new(4), FeedStats::default());
        decoder.decode(message, &PLACE, &mut out, &mut stats).unwrap();
        out.pending().to_vec()
    }

    #[test]
    fn a_level_is_readable_only_when_the_event_is_complete() {
        let mut deep = decoder();
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
    fn an_event_that_is_never_complete_ends_by_itself() {
        let mut deep = decoder();
        let mut out = EventBuffer::new(8);
        feed(&mut deep, PriceLevelUpdate::new(0, 500, SYMBOL, 300, 4_311_000).as_bytes());
        feed(&mut deep, PriceLevelUpdate::sell(0, 501, SYMBOL, 0, 4_312_000).as_bytes());
        feed(&mut deep, PriceLevelUpdate::new(0, 502, *b"QQQ     ", 100, 4_311_000).as_bytes());
        feed(&mut deep, PriceLevelUpdate::new(1, 503, *b"QQQ     ", 200, 4_311_000).as_bytes());
        deep.end_overdue(2, UnixNanos(1_000_000), &mut out);
        deep.end_overdue(1, END_OF_INPUT, &mut out);
        assert!(out.is_empty(), "not yet, and of another channel");
        deep.end_overdue(2, UnixNanos(200_000_000), &mut out);
        let seen: Vec<_> = out.pending().iter().map(|e| (e.instrument.0, e.side, e.qty.0, e.flags)).collect();
        assert_eq!(seen, [(0, Side::Ask, 0, EventFlags::LAST)], "its last update is said again");
        deep.end_overdue(2, END_OF_INPUT, &mut out);
        assert_eq!(out.len(), 1);
        // What was kept of one day is not said on the next.
        for begins in [false, true] {
            feed(&mut deep, PriceLevelUpdate::new(0, 500, SYMBOL, 300, 4_311_000).as_bytes());
            if begins {
                deep.begin_session(UnixNanos(0));
            } else {
                feed(&mut deep, SystemEvent::new(b'O', 600).as_bytes());
            }
            deep.end_overdue(2, END_OF_INPUT, &mut out);
            assert_eq!(out.len(), 1);
        }
    }

    #[test]
    fn levels_of_a_feed_that_was_joined_in_mid_session_are_not_all_there_are() {
        let mut deep = new();
        let level = PriceLevelUpdate::new(1, 500, SYMBOL, 300, 4_311_000);
        let other = PriceLevelUpdate::new(1, 500, *b"QQQ     ", 300, 4_311_000);
        let actions =
            |events: Vec<BookEvent>| -> Vec<_> { events.iter().map(|e| (e.action, e.qty.0)).collect() };
        let (define, set) = ((Action::Define, 1), (Action::LevelSet, 300));
        let join = (Action::Gap, types::GapCause::MidSession as u32);
        assert_eq!(actions(feed(&mut deep, level.as_bytes())), [join, define, set]);
        assert_eq!(actions(feed(&mut deep, other.as_bytes())), [define, set], "it is said once");
        deep.begin_session(UnixNanos(0));
        let third = PriceLevelUpdate::new(1, 500, *b"IWM     ", 300, 4_311_000);
        assert_eq!(actions(feed(&mut deep, third.as_bytes())), [join, define, set]);
        feed(&mut deep, SystemEvent::new(b'O', 499).as_bytes());
        let fourth = PriceLevelUpdate::new(1, 500, *b"DIA     ", 300, 4_311_000);
        assert_eq!(actions(feed(&mut deep, fourth.as_bytes())), [define, set]);
    }

    #[test]
    fn the_other_messages_that_matter() {
        let mut deep = decoder();
        let e = feed(&mut deep, SecurityDirectory::new(0, 500, SYMBOL, 100, 0, 1).as_bytes())[0];
        assert_eq!((e.action, e.aux, e.order_id), (Action::Define, 100, Symbol(SYMBOL).to_word()));
        let e = feed(&mut deep, TradeReport::new(8, 500, SYMBOL, 100, 10_000, 44).as_bytes())[0];
        assert_eq!((e.action, e.aux, e.qty), (Action::Trade, 44, Qty(100)));
        assert!(e.flags.has(EventFlags::SIDELESS.with(EventFlags::CROSS).with(EventFlags::LAST)));
        let e = feed(&mut deep, TradeBreak::new(0, 500, SYMBOL, 100, 10_000, 44).as_bytes())[0];
        assert_eq!((e.action, e.aux), (Action::TradeBreak, 44));
        for (code, wanted) in [(b'H', 2), (b'O', 3), (b'P', 3), (b'T', 1)] {
            let e = feed(&mut deep, TradingStatus::new(code, 500, SYMBOL, *b"    ").as_bytes())[0];
            assert_eq!((e.action, e.aux), (Action::Status, wanted));
        }
        for (code, wanted) in [(b'O', Action::Clear), (b'C', Action::SessionEnd), (b'R', Action::Time)] {
            assert_eq!(feed(&mut deep, SystemEvent::new(code, 500).as_bytes())[0].action, wanted);
        }
        assert!(feed(&mut deep, ShortSalePriceTest::new(0, 500, SYMBOL, b' ').as_bytes()).is_empty());
    }

    #[test]
    fn a_price_that_does_not_fit_is_refused() {
        let mut deep = decoder();
        let (mut out, mut stats) = (EventBuffer::new(4), FeedStats::default());
        let message = PriceLevelUpdate::new(0, 500, SYMBOL, 300, i64::MAX);
        assert_eq!(deep.decode(message.as_bytes(), &PLACE, &mut out, &mut stats), Err(Damage::Field));
        assert!(out.is_empty());
    }

    #[test]
    fn halts_of_iex_and_auctions_are_states() {
        let mut deep = decoder();
        let mut states = |message: &[u8]| -> Vec<u64> {
            let events = feed(&mut deep, message);
            events.iter().filter(|e| e.action == Action::Status).map(|e| e.aux).collect()
        };
        let halt = |status| deep10::OperationalHalt::new(status, 500, SYMBOL);
        assert_eq!(states(halt(b'N').as_bytes()), [], "nothing is known of it yet");
        let trading = TradingStatus::new(b'T', 500, SYMBOL, *b"    ");
        assert_eq!(states(trading.as_bytes()), [1]);
        assert_eq!(states(halt(b'O').as_bytes()), [2]);
        assert_eq!(states(trading.as_bytes()), [2]);
        assert_eq!(states(halt(b'N').as_bytes()), [1]);
        let auction =
            |kind| deep10::AuctionInformation::new(kind, 500, SYMBOL, 0, 0, 0, 0, b'N', 0, 0, 0, 0, 0, 0);
        assert_eq!(states(auction(b'C').as_bytes()), []);
        assert_eq!(states(auction(b'H').as_bytes()), [3]);
        assert_eq!(states(trading.as_bytes()), [1]);
        let (mut out, mut stats) = (EventBuffer::new(4), FeedStats::default());
        assert_eq!(deep.decode(halt(b'?').as_bytes(), &PLACE, &mut out, &mut stats), Err(Damage::Field));
    }
}
