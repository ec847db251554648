#![expect(clippy::wildcard_enum_match_arm, reason = "a test reads the events it is about")]

use super::orders::Orders;
use super::*;
use crate::decode::decoder::DecoderSetup;
use proptest::prelude::*;
use std::collections::BTreeMap;
use types::{EventFlags, GapCause, Px, Side};
use wire::IntoBytes;

const SYMBOL: [u8; 6] = *b"ZVZZT ";
const LAST: EventFlags = EventFlags::LAST;
const PART: EventFlags = EventFlags::NONE;
const SECOND: u64 = 1_000_000_000;

struct Rig {
    decoder: PitchDecoder,
    stats: FeedStats,
    seq: u64,
}

impl Rig {
    /// One whose next message is number `first`.
    fn from(first: u64) -> Self {
        let ticks = types::TickTableId::US_EQUITY.into();
        let setup = DecoderSetup { midnight: UnixNanos(1_000 * SECOND), instruments_max: 4, ticks };
        Self { decoder: PitchDecoder::new(&setup), stats: FeedStats::default(), seq: first }
    }

    fn try_feed(&mut self, message: &[u8]) -> Result<Vec<BookEvent>, Damage> {
        let place = Place { seq: self.seq, ts_recv: UnixNanos(77), channel: 2, offset: 0 };
        self.seq += 1;
        let mut out = EventBuffer::with_spare(40, 4);
        self.decoder.decode(message, &place, &mut out, &mut self.stats)?;
        Ok(out.pending().to_vec())
    }

    fn feed(&mut self, message: &[u8]) -> Vec<BookEvent> {
        self.try_feed(message).unwrap()
    }
}

fn add(id: u64, side: u8, qty: u32, price: i64) -> Vec<u8> {
    pitch::AddOrderLong::new(5, id, side, qty, SYMBOL, price, 1).as_bytes().to_vec()
}

#[test]
fn every_form_of_a_change_is_one_event() {
    let mut rig = Rig::from(1);
    let second = rig.feed(pitch::Time::new(34_200).as_bytes())[0];
    assert_eq!(
        (second.action, second.ts_event),
        (Action::Time, UnixNanos(0)),
        "a whole second is no time of an event"
    );
    let events = rig.feed(&add(1, b'B', 300, 1_234_500));
    assert_eq!((events[0].action, events[0].flags, events[0].px), (Action::Define, LAST, Px(10_000_000)));
    let e = events[1];
    assert_eq!(
        (e.action, e.order_id, e.side, e.qty, e.px),
        (Action::OrderAdd, 1, Side::Bid, Qty(300), Px(123_450_000_000))
    );
    assert_eq!((e.ts_event, e.flags), (UnixNanos(35_200 * SECOND + 5), LAST));
    let short = pitch::AddOrderShort::new(5, 2, b'S', 200, SYMBOL, 65_535, 1);
    assert_eq!(rig.feed(short.as_bytes())[0].px, Px(655_350_000_000));
    let expanded = pitch::AddOrderExpanded::new(5, 3, b'S', 7, *b"ZVZZT   ", 1_000, 1, *b"MPID");
    assert_eq!(rig.feed(expanded.as_bytes())[0].instrument, InstrumentId(0));
    let one = |events: Vec<BookEvent>| {
        assert_eq!(events.len(), 1);
        (events[0].action, events[0].order_id, events[0].qty.0, events[0].aux, events[0].side)
    };
    let executed = pitch::OrderExecuted::new(5, 1, 100, 900);
    assert_eq!(one(rig.feed(executed.as_bytes())), (Action::OrderExecute, 1, 100, 900, Side::Bid));
    let reduced = pitch::ReduceSizeShort::new(5, 1, 50);
    assert_eq!(one(rig.feed(reduced.as_bytes())), (Action::OrderReduce, 1, 50, 0, Side::Bid));
    let reduced = pitch::ReduceSizeLong::new(5, 1, 50);
    assert_eq!(one(rig.feed(reduced.as_bytes())), (Action::OrderReduce, 1, 50, 0, Side::Bid));
    let modified = pitch::ModifyOrderShort::new(5, 1, 80, 1_200);
    assert_eq!(one(rig.feed(modified.as_bytes())), (Action::OrderReplace, 1, 80, 1, Side::Bid));
    let modified = pitch::ModifyOrderLong::new(5, 2, 70, 1_234_600);
    assert_eq!(one(rig.feed(modified.as_bytes())), (Action::OrderReplace, 2, 70, 2, Side::Ask));
    assert_eq!(
        one(rig.feed(pitch::DeleteOrder::new(5, 3).as_bytes())),
        (Action::OrderDelete, 3, 0, 0, Side::Ask)
    );
    assert!(rig.feed(pitch::DeleteOrder::new(5, 3).as_bytes()).is_empty(), "it is gone");
    assert_eq!(rig.stats.unannounced_orders, 1);
    let trade = pitch::TradeShort::new(5, 9, b'B', 10, SYMBOL, 1_200, 901);
    assert_eq!(one(rig.feed(trade.as_bytes())), (Action::Trade, 0, 10, 901, Side::Bid));
    assert_eq!(
        one(rig.feed(pitch::TradeBreak::new(5, 901).as_bytes())),
        (Action::TradeBreak, 0, 0, 901, Side::Bid)
    );
    assert_eq!((rig.stats.messages, rig.stats.messages_unknown), (13, 0));
}

#[test]
fn what_is_left_after_a_trade_at_another_price_is_believed() {
    let mut rig = Rig::from(1);
    let at = |executed, remaining| pitch::OrderExecutedAtPrice::new(5, 1, executed, remaining, 900, 1_000);
    let told = |events: Vec<BookEvent>| events.iter().map(|e| (e.action, e.qty.0)).collect::<Vec<_>>();
    rig.feed(&add(1, b'B', 300, 1_234_500));
    let events = rig.feed(at(100, 200).as_bytes());
    assert_eq!((events[0].px, events[0].flags), (Px(100_000_000), LAST.with(EventFlags::HAS_PX)));
    assert_eq!(told(events), [(Action::OrderExecute, 100)]);
    assert_eq!(
        told(rig.feed(at(100, 40).as_bytes())),
        [(Action::OrderExecute, 100), (Action::OrderReplace, 40)]
    );
    assert_eq!(told(rig.feed(at(40, 500).as_bytes())), [(Action::OrderExecute, 40), (Action::OrderAdd, 500)]);
    assert_eq!(told(rig.feed(at(1, 0).as_bytes())), [(Action::OrderExecute, 1), (Action::OrderDelete, 0)]);
    assert!(rig.feed(at(1, 0).as_bytes()).is_empty());
}

#[test]
fn what_no_order_can_have_is_refused() {
    let mut rig = Rig::from(1);
    rig.feed(&add(1, b'B', 300, 1_234_500));
    for bad in [
        add(2, b'?', 300, 1),
        add(2, b'B', 0, 1),
        add(2, b'B', 1, i64::MAX),
        pitch::ModifyOrderLong::new(5, 1, 0, 1).as_bytes().to_vec(),
        pitch::ReduceSizeLong::new(5, 1, 0).as_bytes().to_vec(),
        pitch::TradeLong::new(5, 1, b'x', 1, SYMBOL, 1, 1).as_bytes().to_vec(),
        pitch::TradingStatus::new(5, *b"ZVZZT   ", b'?', b'0', [0; 2]).as_bytes().to_vec(),
    ] {
        assert_eq!(rig.try_feed(&bad), Err(Damage::Field), "{bad:?}");
    }
    assert!(matches!(rig.try_feed(&[0x21, 1, 2]), Err(Damage::Wire(_))));
}

#[test]
fn a_unit_that_begins_anew_has_no_orders_and_says_so() {
    let mut rig = Rig::from(5);
    let events = rig.feed(&add(1, b'B', 300, 1_234_500));
    assert!(events[0].flags.has(EventFlags::MAYBE_BAD_BOOK), "joined in mid-session");
    let actions = |events: Vec<BookEvent>| events.iter().map(|e| e.action).collect::<Vec<_>>();
    assert_eq!(actions(rig.feed(pitch::UnitClear::new(5).as_bytes())), [Action::Clear]);
    assert!(rig.feed(pitch::DeleteOrder::new(5, 1).as_bytes()).is_empty());
    rig.feed(&add(1, b'B', 300, 1_234_500));
    // The next day.
    rig.seq = 1;
    assert_eq!(actions(rig.feed(pitch::Time::new(1).as_bytes())), [Action::Clear, Action::Time]);
    assert!(rig.feed(pitch::DeleteOrder::new(5, 1).as_bytes()).is_empty());
    assert_eq!(actions(rig.feed(pitch::EndOfSession::new(5).as_bytes())), [Action::SessionEnd]);
}

#[test]
fn a_whole_unit_that_names_orders_it_never_added_is_not_believed() {
    let unknown = |rig: &mut Rig, id| {
        let events = rig.feed(pitch::DeleteOrder::new(5, id).as_bytes());
        events.iter().map(|e| (e.action, e.instrument, e.qty.0)).collect::<Vec<_>>()
    };
    let doubt = (Action::Gap, InstrumentId(0), GapCause::UnknownOrders as u32);
    let mut rig = Rig::from(1);
    rig.feed(&add(1, b'B', 300, 1_234_500));
    for id in 100..103 {
        assert!(unknown(&mut rig, id).is_empty(), "a few may be a slip");
    }
    assert_eq!(unknown(&mut rig, 103), [doubt], "every book of the unit");
    assert!(unknown(&mut rig, 104).is_empty(), "said once");
    // What it names first from now on is not whole either, until the venue empties the unit.
    let other = pitch::AddOrderLong::new(5, 9, b'B', 300, *b"OTHER ", 100, 1);
    assert!(rig.feed(other.as_bytes())[0].flags.has(EventFlags::MAYBE_BAD_BOOK));
    rig.feed(pitch::UnitClear::new(5).as_bytes());
    for id in 100..103 {
        assert!(unknown(&mut rig, id).is_empty());
    }
    assert_eq!(unknown(&mut rig, 103)[0], doubt);
    // A unit that was joined in mid-session is known to miss orders.
    let mut rig = Rig::from(5);
    rig.feed(&add(1, b'B', 300, 1_234_500));
    assert!((100..120).all(|id| unknown(&mut rig, id).is_empty()));
}

#[test]
fn a_transaction_is_one_event() {
    let mut rig = Rig::from(1);
    rig.feed(&add(1, b'B', 300, 1_234_500));
    rig.feed(pitch::TransactionBegin::new(5).as_bytes());
    assert!(rig.feed(pitch::OrderExecuted::new(5, 1, 100, 900).as_bytes()).is_empty());
    let events = rig.feed(&add(2, b'S', 300, 1_234_500));
    assert_eq!((events.len(), events[0].action, events[0].flags), (1, Action::OrderExecute, PART));
    let events = rig.feed(pitch::TransactionEnd::new(5).as_bytes());
    assert_eq!((events.len(), events[0].action, events[0].flags), (1, Action::OrderAdd, LAST));
}

#[test]
fn a_transaction_whose_end_is_lost_or_does_not_come_ends() {
    let begun = || {
        let mut rig = Rig::from(1);
        rig.feed(pitch::Time::new(34_200).as_bytes());
        rig.feed(&add(1, b'B', 300, 1_234_500));
        rig.feed(pitch::TransactionBegin::new(5).as_bytes());
        assert!(rig.feed(pitch::OrderExecuted::new(5, 1, 100, 900).as_bytes()).is_empty());
        rig
    };
    let whole = |events: &[BookEvent]| events.iter().map(|e| (e.action, e.flags)).collect::<Vec<_>>();
    // Its end is in the messages that were lost.
    let mut rig = begun();
    rig.seq += 3;
    let wanted = [(Action::OrderExecute, LAST), (Action::OrderAdd, LAST)];
    assert_eq!(whole(&rig.feed(&add(2, b'B', 100, 1_234_400))), wanted);
    // The unit is emptied.
    let mut rig = begun();
    rig.feed(pitch::UnitClear::new(5).as_bytes());
    assert_eq!(whole(&rig.feed(&add(2, b'B', 100, 1_234_400))), [(Action::OrderAdd, LAST)]);
    // It does not come.
    let mut rig = begun();
    let mut out = EventBuffer::new(8);
    rig.decoder.end_overdue(2, UnixNanos(35_200 * SECOND + SECOND / 20), &mut out);
    assert!(out.is_empty(), "not yet");
    rig.decoder.end_overdue(2, UnixNanos(35_201 * SECOND), &mut out);
    assert_eq!(whole(out.pending()), [(Action::OrderExecute, LAST)]);
    assert_eq!(whole(&rig.feed(&add(2, b'B', 100, 1_234_400))), [(Action::OrderAdd, LAST)]);
}

#[test]
fn an_order_number_of_two_instruments_is_believed_about_neither() {
    let mut rig = Rig::from(1);
    rig.feed(&add(1, b'B', 300, 1_234_500));
    let other = |id| pitch::AddOrderLong::new(5, id, b'B', 100, *b"OTHER ", 1_000_000, 1);
    rig.feed(other(9).as_bytes());
    let told: Vec<_> =
        rig.feed(other(1).as_bytes()).iter().map(|e| (e.action, e.instrument.0, e.qty.0)).collect();
    let mixed = |n| (Action::Gap, n, GapCause::MixedLocate as u32);
    assert_eq!(told, [mixed(0), mixed(1), (Action::OrderAdd, 1, 100)]);
    assert_eq!(rig.stats.redefined_locates, 1);
    // The same number for the same instrument is left to its book to find.
    let told: Vec<_> = rig.feed(other(1).as_bytes()).iter().map(|e| e.action).collect();
    assert_eq!(told, [Action::OrderAdd]);
}

#[test]
fn halts_and_auctions_are_states() {
    let mut rig = Rig::from(1);
    let status = |code| pitch::TradingStatus::new(5, *b"ZVZZT   ", code, b'0', [0; 2]);
    let states = |events: Vec<BookEvent>| {
        events.iter().filter(|e| e.action == Action::Status).map(|e| e.aux).collect::<Vec<_>>()
    };
    for (code, wanted) in [(b'T', 1), (b'H', 2), (b'S', 2), (b'A', 3), (b'Q', 3), (b'R', 3), (b'T', 1)] {
        assert_eq!(states(rig.feed(status(code).as_bytes())), [wanted]);
    }
    let auction = |kind| pitch::AuctionUpdate::new(5, *b"ZVZZT   ", kind, 1, 2, 3, 4, 5);
    assert!(states(rig.feed(auction(b'C').as_bytes())).is_empty());
    assert_eq!(states(rig.feed(auction(b'H').as_bytes())), [3]);
    let summary = pitch::AuctionSummary::new(5, *b"ZVZZT   ", b'H', 10_000, 40);
    let events = rig.feed(summary.as_bytes());
    assert_eq!((events[0].action, events[0].qty), (Action::Trade, Qty(40)));
    assert!(events[0].flags.has(EventFlags::CROSS.with(EventFlags::SIDELESS)));
}

#[test]
fn a_book_whose_order_finds_no_room_is_doubted() {
    let mut rig = Rig::from(1);
    rig.decoder.orders = Orders::new(1);
    rig.feed(&add(1, b'B', 300, 1_234_500));
    let events = rig.feed(&add(2, b'B', 300, 1_234_500));
    assert_eq!((events[0].action, events[0].qty.0), (Action::Gap, GapCause::Malformed as u32));
    assert_eq!(rig.stats.orders_beyond, 1);
}

proptest! {
    /// Any changes of a few orders, in any of their forms: the events make the orders that the messages say.
    #[test]
    fn the_events_make_the_orders_that_rest(
        steps in prop::collection::vec((0_u8..8, 1_u64..12, 1_u32..400, 1_u16..900, any::<bool>()), 1..120),
    ) {
        let mut rig = Rig::from(1);
        let (mut wanted, mut made) = (BTreeMap::<u64, (i64, u32)>::new(), BTreeMap::<u64, (i64, u32)>::new());
        for (kind, id, qty, cents, long) in steps {
            let px = i64::from(cents) * 10_000_000;
            let known = wanted.get(&id).copied();
            let message = match (kind, known) {
                (0..=2, None) if long => add(id, b'B', qty, i64::from(cents) * 100),
                (0..=2, None) => pitch::AddOrderShort::new(5, id, b'B', qty as u16, SYMBOL, cents, 1).as_bytes().to_vec(),
                (3, _) if long => pitch::ModifyOrderLong::new(5, id, qty, i64::from(cents) * 100).as_bytes().to_vec(),
                (3, _) => pitch::ModifyOrderShort::new(5, id, qty as u16, cents).as_bytes().to_vec(),
                (4, _) => pitch::OrderExecuted::new(5, id, qty.min(known.map_or(9, |k| k.1)), 1).as_bytes().to_vec(),
                (5, _) if long => pitch::ReduceSizeLong::new(5, id, qty.min(known.map_or(9, |k| k.1))).as_bytes().to_vec(),
                (5, _) => pitch::ReduceSizeShort::new(5, id, qty.min(known.map_or(9, |k| k.1)) as u16).as_bytes().to_vec(),
                (6, _) => pitch::OrderExecutedAtPrice::new(5, id, qty.min(known.map_or(9, |k| k.1)), u32::from(cents), 1, 1).as_bytes().to_vec(),
                _ => pitch::DeleteOrder::new(5, id).as_bytes().to_vec(),
            };
            match (kind, known) {
                (0..=2, None) => drop(wanted.insert(id, (px, qty))),
                (_, None) => {}
                (3, Some(_)) => drop(wanted.insert(id, (px, qty))),
                (4 | 5, Some((px, had))) if had > qty => drop(wanted.insert(id, (px, had - qty))),
                (6, Some((px, _))) => drop(wanted.insert(id, (px, cents.into()))),
                (_, Some(_)) => drop(wanted.remove(&id)),
            }
            for e in rig.feed(&message) {
                match e.action {
                    Action::OrderAdd => prop_assert!(made.insert(e.order_id, (e.px.0, e.qty.0)).is_none()),
                    Action::OrderReplace => {
                        prop_assert!(made.remove(&e.order_id).is_some());
                        made.insert(e.aux, (e.px.0, e.qty.0));
                    }
                    Action::OrderExecute | Action::OrderReduce => {
                        let order = made.get_mut(&e.order_id).expect("an order that rests");
                        order.1 -= e.qty.0;
                        if order.1 == 0 {
                            made.remove(&e.order_id);
                        }
                    }
                    Action::OrderDelete => prop_assert!(made.remove(&e.order_id).is_some()),
                    _ => {}
                }
            }
            prop_assert_eq!(&made, &wanted);
        }
    }
}
