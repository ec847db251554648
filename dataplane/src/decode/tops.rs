//! IEX TOPS 1.6 to events: best quotes, read as books of one level a side.
//!
//! A quote says what the best bid and offer are now, not which level they replace, so the decoder remembers the quote before
//! and takes its levels away. What the books show is all that the feed tells: nothing below the best price.

use types::{Action, BookEvent, EventFlags, Px, Qty, Side, UnixNanos};
use wire::SignedPrice4;
use wire::deep10::event::START_OF_MESSAGES;
use wire::deep10::{self, SystemEvent};
use wire::tops16::{self, Msg, QuoteUpdate};

use super::buffer::EventBuffer;
use super::decoder::{Begin, Damage, Decoder, DecoderSetup, Emit, Place};
use super::directory::InstrumentDirectory;
use super::iex::{IexSecurities, read_message, ts};
use crate::stats::FeedStats;

/// The prices an instrument's book shows, by side; [`Px::NONE`] for an empty side.
type Shown = [Px; 2];

const NOTHING: Shown = [Px::NONE; 2];

/// Decoder of one TOPS feed.
#[derive(Debug)]
pub struct TopsDecoder {
    securities: IexSecurities,
    shown: Box<[Shown]>,
}

impl TopsDecoder {
    /// A decoder that knows no instrument yet. All its memory is taken here.
    #[must_use]
    pub fn new(setup: &DecoderSetup) -> Self {
        let securities = IexSecurities::with_whole_quotes(setup);
        let shown = vec![NOTHING; securities.directory.capacity()].into_boxed_slice();
        Self { securities, shown }
    }

    /// At most four events: a side's old level goes when the price is another, and the new one comes. The last of them makes
    /// the book whole.
    fn quote(&mut self, m: &mut Emit<'_>, quote: &QuoteUpdate) -> Result<(), Damage> {
        let sides = [
            (Side::Bid, level(quote.bid_price, quote.bid_size.get())?),
            (Side::Ask, level(quote.ask_price, quote.ask_size.get())?),
        ];
        let Some(instrument) = self.securities.instrument(m, quote.symbol) else { return Ok(()) };
        let shown = &mut self.shown[instrument.index()];
        let mut sets = [(Side::Bid, Px::NONE, Qty(0)); 4];
        let mut count = 0;
        let mut set = |side, px, qty| {
            sets[count] = (side, px, qty);
            count += 1;
        };
        for (side, (px, qty)) in sides {
            let before = std::mem::replace(&mut shown[side.index()], px);
            if before.is_some() && before != px {
                set(side, before, Qty(0));
            }
            if px.is_some() {
                set(side, px, qty);
            }
        }
        for (index, &(side, px, qty)) in sets[..count].iter().enumerate() {
            let flags = if index + 1 == count { EventFlags::LAST } else { EventFlags::NONE };
            m.push(BookEvent { px, qty, side, flags, ..m.event(instrument, Action::LevelSet) });
        }
        Ok(())
    }

    fn system(&mut self, m: &mut Emit<'_>, message: &SystemEvent) {
        if message.event == START_OF_MESSAGES {
            self.shown.fill(NOTHING);
        }
        self.securities.system_event(m, message);
    }
}

/// The level of one side of a quote; no price for an empty side, which has no shares.
fn level(price: SignedPrice4, size: u32) -> Result<(Px, Qty), Damage> {
    match (size, price.px()) {
        (0, _) => Ok((Px::NONE, Qty(0))),
        (_, px) if px.is_some() => Ok((px, Qty(size))),
        _ => Err(Damage::Field),
    }
}

impl Decoder for TopsDecoder {
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
            self.securities, begin, tops16::decode(message)?,
            own {
                Msg::QuoteUpdate(q) => self.quote(&mut begin.message(QuoteUpdate::TYPE, ts(q.timestamp)), q),
                Msg::SystemEvent(s) => {
                    self.system(&mut begin.message(SystemEvent::TYPE, ts(s.timestamp)), s);
                    Ok(())
                },
            }
            counted { RetailLiquidity, ShortSalePriceTest, OfficialPrice }
        }
    }

    fn directory(&self) -> &InstrumentDirectory {
        &self.securities.directory
    }

    /// Nothing to forget: the books keep their levels until the venue starts its messages anew.
    fn begin_session(&mut self, _midnight: UnixNanos) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use types::InstrumentId;
    use wire::IntoBytes;

    const PLACE: Place = Place { seq: 9, ts_recv: UnixNanos(77), channel: 2, offset: 0 };
    const SYMBOL: [u8; 8] = *b"SPY     ";

    fn decoder() -> TopsDecoder {
        let ticks = types::TickTableId::US_EQUITY.into();
        TopsDecoder::new(&DecoderSetup { midnight: UnixNanos(0), instruments_max: 4, ticks })
    }

    fn feed(decoder: &mut TopsDecoder, message: &[u8]) -> Vec<BookEvent> {
        let (mut out, mut stats) = (EventBuffer::new(5), FeedStats::default());
        decoder.decode(message, &PLACE, &mut out, &mut stats).unwrap();
        out.pending().to_vec()
    }

    /// Bid and ask as (price, size).
    fn quote(bid: (i64, u32), ask: (i64, u32)) -> QuoteUpdate {
        QuoteUpdate::new(0, 500, SYMBOL, bid.1, bid.0, ask.0, ask.1)
    }

    #[test]
    fn a_quote_takes_the_levels_of_the_one_before() {
        let mut tops = decoder();
        let sets = |events: &[BookEvent]| -> Vec<_> {
            let levels = events.iter().filter(|e| e.action == Action::LevelSet);
            levels.map(|e| (e.side, e.px.0 / 100_000, e.qty.0, e.flags)).collect()
        };
        let (part, last) = (EventFlags::NONE, EventFlags::LAST);
        let events = feed(&mut tops, quote((10_000, 100), (10_100, 200)).as_bytes());
        assert_eq!((events[0].action, events[0].instrument), (Action::Define, InstrumentId(0)));
        assert_eq!(sets(&events), [(Side::Bid, 10_000, 100, part), (Side::Ask, 10_100, 200, last)]);
        // The bid keeps its price, the offer moves.
        let events = feed(&mut tops, quote((10_000, 50), (10_200, 200)).as_bytes());
        let wanted =
            [(Side::Bid, 10_000, 50, part), (Side::Ask, 10_100, 0, part), (Side::Ask, 10_200, 200, last)];
        assert_eq!(sets(&events), wanted);
        // No bid any more; the offer repeats itself.
        let events = feed(&mut tops, quote((0, 0), (10_200, 200)).as_bytes());
        assert_eq!(sets(&events), [(Side::Bid, 10_000, 0, part), (Side::Ask, 10_200, 200, last)]);
        // The day begins: what was shown is gone without being taken away.
        let clear = feed(&mut tops, SystemEvent::new(b'O', 500).as_bytes());
        assert_eq!(clear[0].action, Action::Clear);
        assert_eq!(
            sets(&feed(&mut tops, quote((0, 0), (10_300, 1)).as_bytes())),
            [(Side::Ask, 10_300, 1, last)]
        );
    }

    #[test]
    fn the_largest_price_that_does_not_fit_is_refused() {
        let mut tops = decoder();
        let (mut out, mut stats) = (EventBuffer::new(5), FeedStats::default());
        let message = quote((i64::MAX, 1), (10_100, 200));
        assert_eq!(tops.decode(message.as_bytes(), &PLACE, &mut out, &mut stats), Err(Damage::Field));
        assert!(out.is_empty());
    }

    proptest::proptest! {
        /// Whatever quotes come, the levels set so far are those of the last quote and nothing else.
        #[test]
        fn the_book_is_always_the_last_quote(quotes in proptest::collection::vec(
            ((1_i64..6, 0_u32..3), (6_i64..11, 0_u32..3)), 1..40
        )) {
            let mut tops = decoder();
            let mut book: BTreeMap<(usize, i64), u32> = BTreeMap::new();
            for (bid, ask) in quotes {
                for e in feed(&mut tops, quote(bid, ask).as_bytes()) {
                    if e.action == Action::LevelSet {
                        book.insert((e.side.index(), e.px.0), e.qty.0);
                        book.retain(|_, qty| *qty > 0);
                    }
                }
                let wanted: BTreeMap<_, _> = [(Side::Bid, bid), (Side::Ask, ask)]
                    .into_iter()
                    .filter(|(_, (_, qty))| *qty > 0)
                    .map(|(side, (px, qty))| ((side.index(), Px::from_1e4(px).0), qty))
                    .collect();
                proptest::prop_assert_eq!(&book, &wanted);
            }
        }
    }
}
