//! The messages of every order, where nothing about them is unusual: straight through, without a call.

use types::{Action, BookEvent, InstrumentId, Px, Qty, Symbol};
use wire::itch50::{self, Header, Msg};

use super::{Entry, ItchDecoder, SIDES};
use crate::decode::buffer::EventBuffer;
use crate::decode::decoder::Place;
use crate::stats::FeedStats;

impl ItchDecoder {
    /// Reads a message as [`Decoder::decode`] does. False, and nothing has changed, for a message of a rare type and for
    /// one that takes more than its own fields to be understood.
    // Whatever is unusual is left to the other: what stands here calls nothing, and so needs neither stack nor saved registers.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`decode` decides on all the rest")]
    #[inline(always)]
    pub(in crate::decode) fn decode_plain(
        &self,
        message: &[u8],
        place: &Place,
        out: &mut EventBuffer,
        stats: &mut FeedStats,
    ) -> bool {
        let Ok(message) = itch50::decode(message) else { return false };
        let mut plain = Plain { decoder: self, place, out, stats };
        match message {
            Msg::AddOrder(a) => {
                let order = (a.order_ref.get(), a.side, a.shares.get(), a.price.px());
                plain.add(&a.header, itch50::AddOrder::TYPE, order, a.stock)
            }
            Msg::AddOrderMpid(f) => {
                let order = (f.order_ref.get(), f.side, f.shares.get(), f.price.px());
                plain.add(&f.header, itch50::AddOrderMpid::TYPE, order, f.stock)
            }
            Msg::OrderDelete(d) => {
                let wanted = BookEvent { order_id: d.order_ref.get(), ..BookEvent::EMPTY };
                plain.known(&d.header, itch50::OrderDelete::TYPE, Action::OrderDelete, wanted)
            }
            Msg::OrderReplace(u) => {
                let wanted = BookEvent {
                    order_id: u.original_order_ref.get(),
                    aux: u.new_order_ref.get(),
                    qty: Qty(u.shares.get()),
                    px: u.price.px(),
                    ..BookEvent::EMPTY
                };
                plain.known(&u.header, itch50::OrderReplace::TYPE, Action::OrderReplace, wanted)
            }
            Msg::OrderExecuted(e) => {
                let wanted = BookEvent {
                    order_id: e.order_ref.get(),
                    aux: e.match_number.get(),
                    qty: Qty(e.executed_shares.get()),
                    ..BookEvent::EMPTY
                };
                plain.known(&e.header, itch50::OrderExecuted::TYPE, Action::OrderExecute, wanted)
            }
            Msg::OrderCancel(x) => {
                let (order_id, qty) = (x.order_ref.get(), Qty(x.cancelled_shares.get()));
                let wanted = BookEvent { order_id, qty, ..BookEvent::EMPTY };
                plain.known(&x.header, itch50::OrderCancel::TYPE, Action::OrderReduce, wanted)
            }
            _ => false,
        }
    }
}

/// What a plain message is read with.
struct Plain<'a> {
    decoder: &'a ItchDecoder,
    place: &'a Place,
    out: &'a mut EventBuffer,
    stats: &'a mut FeedStats,
}

impl Plain<'_> {
    #[inline(always)]
    fn add(&mut self, header: &Header, kind: u8, order: (u64, u8, u32, Px), stock: [u8; 8]) -> bool {
        let (order_id, side, shares, px) = order;
        let entry = self.entry(header);
        let Some(side) = SIDES[usize::from(side)] else { return false };
        if entry.stock != Symbol(stock).to_word() {
            return false;
        }
        let wanted = BookEvent { order_id, px, qty: Qty(shares), side, ..BookEvent::EMPTY };
        self.push(header, kind, entry, Action::OrderAdd, wanted)
    }

    #[inline(always)]
    fn known(&mut self, header: &Header, kind: u8, action: Action, wanted: BookEvent) -> bool {
        self.push(header, kind, self.entry(header), action, wanted)
    }

    #[inline(always)]
    fn entry(&self, header: &Header) -> Entry {
        self.decoder.by_locate[usize::from(header.locate.get())]
    }

    /// Counts the message and pushes its event, `wanted` with what every event says; false, and neither, where its instrument is
    /// not known, its time not believed, or the buffer full.
    #[inline(always)]
    fn push(&mut self, header: &Header, kind: u8, entry: Entry, action: Action, wanted: BookEvent) -> bool {
        let ts_event = self.decoder.ts(header);
        let doubtful = entry.instrument == Entry::NOBODY || !self.out.has_room();
        if doubtful || !self.stats.note_plain(kind, ts_event) {
            return false;
        }
        let BookEvent { order_id, px, aux, qty, side, .. } = wanted;
        let event = self.place.event(ts_event, InstrumentId(entry.instrument), action);
        self.out.try_push(BookEvent { order_id, px, aux, qty, side, ..event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Decoder, DecoderSetup};
    use proptest::prelude::*;
    use types::{FeedKind, UnixNanos};
    use wire::IntoBytes;
    use wire::itch50::*;

    const MIDNIGHT: u64 = 1_572_408_000_000_000_000;

    /// Type, locate, stock, a number, nanoseconds, how many bytes are cut off.
    type Draw = (u8, u16, u8, u32, u64, usize);

    fn draws() -> impl Strategy<Value = Vec<Draw>> {
        // Most times are near each other; some are not to be believed.
        let ns = prop_oneof![20 => 34_200_000_000_000_u64..34_200_000_100_000, 1 => any::<u64>()];
        let cut = prop_oneof![30 => Just(0_usize), 1 => 0_usize..20];
        prop::collection::vec((0_u8..12, 0_u16..5, 0_u8..4, any::<u32>(), ns, cut), 1..200)
    }

    fn message((kind, locate, stock, n, ns, cut): Draw) -> Vec<u8> {
        // The fourth stock has an empty name.
        let stock =
            if stock == 3 { [0; 8] } else { [b'A' + stock, b' ', b' ', b' ', b' ', b' ', b' ', b' '] };
        let (id, side) = (u64::from(n) << 7 | 3, [b'B', b'S', b'B', b'S', b'S', b'B', b'x'][n as usize % 7]);
        let mut bytes = match kind {
            0..3 => AddOrder::new(locate, 1, ns, id, side, n, stock, n / 3).as_bytes().to_vec(),
            3 => AddOrderMpid::new(locate, 1, ns, id, side, n, stock, n / 3, *b"MPID").as_bytes().to_vec(),
            4..6 => OrderDelete::new(locate, 1, ns, id).as_bytes().to_vec(),
            6 => OrderReplace::new(locate, 1, ns, id, id + 1, n, n / 5).as_bytes().to_vec(),
            7 => OrderExecuted::new(locate, 1, ns, id, n, id * 3).as_bytes().to_vec(),
            8 => OrderCancel::new(locate, 1, ns, id, n).as_bytes().to_vec(),
            9 => OrderExecutedWithPrice::new(locate, 1, ns, id, n, 5, b'Y', n / 7).as_bytes().to_vec(),
            10 => StockDirectory::common_stock(locate, ns, stock, 100).as_bytes().to_vec(),
            _ => vec![n as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    }

    fn decoder() -> ItchDecoder {
        ItchDecoder::new(&DecoderSetup {
            midnight: UnixNanos(MIDNIGHT),
            instruments_max: 3,
            ticks: FeedKind::Itch50.tick_table().into(),
        })
    }

    #[test]
    fn what_a_day_is_made_of_goes_the_plain_way() {
        let (mut decoder, mut out, mut stats) = (decoder(), EventBuffer::new(16), FeedStats::default());
        let place = Place { seq: 1, ts_recv: UnixNanos(MIDNIGHT), channel: 0, offset: 0 };
        let (ns, stock) = (34_200_000_000_000, *b"A       ");
        let mut plain = |draw| {
            let bytes = message(draw);
            let plain = decoder.decode_plain(&bytes, &place, &mut out, &mut stats);
            if !plain {
                decoder.decode(&bytes, &place, &mut out, &mut stats).unwrap();
            }
            plain
        };
        assert_eq!(message((10, 1, 0, 0, ns, 0))[11..19], stock);
        assert!(!plain((10, 1, 0, 0, ns, 0)), "the directory is rare");
        for kind in [0, 3, 4, 6, 7, 8] {
            assert!(plain((kind, 1, 0, 0, ns, 0)), "{kind}");
        }
        assert!(!plain((9, 1, 0, 0, ns, 0)), "an execution at another price is rare");
        assert!(!plain((0, 1, 1, 0, ns, 0)), "another stock");
        assert_eq!((stats.messages, stats.foreign_stocks), (9, 1));
    }

    proptest! {
        /// The plain way says what the other says, or leaves the message to it untouched.
        #[test]
        fn plain_messages_are_read_as_all_are(draws in draws()) {
            let (mut two_ways, mut one_way) = (decoder(), decoder());
            let (mut out, mut wanted_out) = (EventBuffer::new(8), EventBuffer::new(8));
            let (mut stats, mut wanted_stats) = (FeedStats::default(), FeedStats::default());
            for (n, draw) in draws.iter().enumerate() {
                let bytes = message(*draw);
                let ts_recv = UnixNanos(MIDNIGHT + 34_200_000_000_000 + n as u64);
                let place = Place { seq: n as u64, ts_recv, channel: 3, offset: 0 };
                let wanted = one_way.decode(&bytes, &place, &mut wanted_out, &mut wanted_stats);
                let before = stats.clone();
                if two_ways.decode_plain(&bytes, &place, &mut out, &mut stats) {
                    prop_assert_eq!(wanted, Ok(()));
                } else {
                    prop_assert!(out.is_empty() && before == stats, "it has left traces");
                    prop_assert_eq!(two_ways.decode(&bytes, &place, &mut out, &mut stats), wanted);
                }
                prop_assert_eq!(out.pending(), wanted_out.pending());
                prop_assert_eq!(&stats, &wanted_stats);
                let events = out.len();
                out.advance(events);
                wanted_out.advance(events);
            }
        }

        /// A buffer without room is left to the other way, which says so.
        #[test]
        fn a_full_buffer_is_left_alone(draw in draws()) {
            let (mut decoder, mut out, mut stats) = (decoder(), EventBuffer::new(0), FeedStats::default());
            let place = Place { seq: 1, ts_recv: UnixNanos(MIDNIGHT), channel: 0, offset: 0 };
            decoder.by_locate.fill(Entry { stock: 0, instrument: 1 });
            for draw in draw {
                prop_assert!(!decoder.decode_plain(&message(draw), &place, &mut out, &mut stats));
            }
        }
    }
}
