#![expect(clippy::wildcard_enum_match_arm, reason = "a test reads the events it is about")]

use super::*;
use crate::decode::decoder::DecoderSetup;
use proptest::prelude::*;
use std::collections::BTreeMap;
use types::{BookEvent, EventFlags, GapCause, Px, Qty, Side, Symbol, TradingStatus};
use wire::IntoBytes;
use wire::mdp3::{action, entry_type, status};

const EVENT_END: u8 = mdp3::END_OF_EVENT;
const SCALE: i64 = 1_000_000_000;

fn place(seq: u64, channel: u8) -> Place {
    Place { seq, ts_recv: UnixNanos(77), channel, offset: 0 }
}

/// A message of schema 9: its root block, then groups of a three-byte dimension, then one of eight bytes.
fn message(template: u16, root: &[u8], groups: &[&[Vec<u8>]], orders: Option<&[Vec<u8>]>) -> Vec<u8> {
    let mut body = root.to_vec();
    for entries in groups {
        let block_length = (entries.first().map_or(0, Vec::len) as u16).into();
        body.extend(mdp3::GroupSize { block_length, count: entries.len() as u8 }.as_bytes());
        entries.iter().for_each(|entry| body.extend(entry));
    }
    if let Some(orders) = orders {
        let block_length = (orders.first().map_or(24, Vec::len) as u16).into();
        let size = mdp3::GroupSize8Byte { block_length, padding: [0; 5], count: orders.len() as u8 };
        body.extend(size.as_bytes());
        orders.iter().for_each(|order| body.extend(order));
    }
    let header = mdp3::MessageHeader {
        size: (10 + body.len() as u16).into(),
        block_length: (root.len() as u16).into(),
        template: template.into(),
        schema: mdp3::SCHEMA_ID.into(),
        version: 9.into(),
    };
    [header.as_bytes(), &body].concat()
}

/// A refresh whose root block has two bytes more than is known of it.
fn refresh(template: u16, indicator: u8, entries: &[Vec<u8>], orders: Option<&[Vec<u8>]>) -> Vec<u8> {
    let root = mdp3::Refresh { transact_time: 500.into(), match_event_indicator: indicator };
    message(template, &[root.as_bytes(), &[0; 2]].concat(), &[entries], orders)
}

/// An entry of a book, five bytes longer than is known of it.
fn level(id: i32, rpt_seq: u32, action: u8, level: u8, (kind, px, qty): (u8, i64, i32)) -> Vec<u8> {
    let entry = mdp3::BookEntry {
        price: (if px == i64::MAX { px } else { px * SCALE }).into(),
        size: qty.into(),
        security_id: id.into(),
        rpt_seq: rpt_seq.into(),
        orders: 1.into(),
        level,
        update_action: action,
        entry_type: kind,
    };
    [entry.as_bytes(), &[0; 5]].concat()
}

fn order(id: u64, action: u8, reference: u8, qty: i32) -> Vec<u8> {
    let entry = mdp3::OrderEntry {
        order_id: id.into(),
        priority: id.into(),
        display_qty: qty.into(),
        reference,
        update_action: action,
    };
    [entry.as_bytes(), &[0; 2]].concat()
}

struct Rig<const ORDERS: bool> {
    decoder: Mdp3Decoder<ORDERS>,
    stats: FeedStats,
}

impl<const ORDERS: bool> Rig<ORDERS> {
    fn new() -> Self {
        let setup = DecoderSetup {
            midnight: UnixNanos(0),
            instruments_max: 64,
            ticks: types::TickTableId::NONE.into(),
        };
        Self { decoder: Mdp3Decoder::new(&setup), stats: FeedStats::default() }
    }

    fn try_feed(&mut self, place: Place, message: &[u8]) -> Result<Vec<BookEvent>, Damage> {
        let mut out = EventBuffer::with_spare(200, 64);
        self.decoder.decode(message, &place, &mut out, &mut self.stats)?;
        Ok(out.pending().to_vec())
    }

    fn feed(&mut self, seq: u64, message: &[u8]) -> Vec<BookEvent> {
        self.try_feed(place(seq, 0), message).unwrap()
    }
}

/// What of events a test compares.
fn seen(events: &[BookEvent]) -> Vec<(Action, Side, i64, u32, EventFlags)> {
    let whole = |px: Px| if px.is_some() { px.0 / SCALE } else { -1 };
    events.iter().map(|e| (e.action, e.side, whole(e.px), e.qty.0, e.flags)).collect()
}

const PART: EventFlags = EventFlags::NONE;
const LAST: EventFlags = EventFlags::LAST;

#[test]
fn levels_are_positions_and_the_last_of_an_event_says_that_it_is_over() {
    let mut rig = Rig::<false>::new();
    let bid = |rpt, action, at, px, qty| level(7, rpt, action, at, (entry_type::BID, px, qty));
    let events = rig.feed(
        1,
        &refresh(
            template::BOOK_46,
            0,
            &[bid(1, action::NEW, 1, 100, 5), bid(2, action::NEW, 2, 99, 6)],
            Some(&[]),
        ),
    );
    assert_eq!(events[0].action, Action::Define);
    assert_eq!(Symbol::from_word(events[0].order_id).as_str(), "7");
    assert_eq!(
        seen(&events[1..]),
        [(Action::Clear, Side::Bid, -1, 0, LAST), (Action::LevelSet, Side::Bid, 100, 5, PART)]
    );
    // Another message of the same event, in the next packet.
    let events = rig.feed(2, &refresh(template::BOOK_46, EVENT_END, &[bid(3, action::NEW, 1, 101, 1)], None));
    assert_eq!(
        seen(&events),
        [(Action::LevelSet, Side::Bid, 99, 6, PART), (Action::LevelSet, Side::Bid, 101, 1, LAST)]
    );
    let events =
        rig.feed(3, &refresh(template::BOOK_46, EVENT_END, &[bid(4, action::DELETE, 2, 100, 5)], None));
    assert_eq!(seen(&events), [(Action::LevelSet, Side::Bid, 100, 0, LAST)]);
    let events =
        rig.feed(4, &refresh(template::BOOK_46, EVENT_END, &[bid(5, action::OVERLAY, 2, 98, 9)], None));
    assert_eq!(
        seen(&events),
        [(Action::LevelSet, Side::Bid, 99, 0, PART), (Action::LevelSet, Side::Bid, 98, 9, LAST)]
    );
    let none = i64::MAX;
    let events =
        rig.feed(5, &refresh(template::BOOK_46, EVENT_END, &[bid(6, action::DELETE_THRU, 1, none, 0)], None));
    assert_eq!(
        seen(&events),
        [(Action::LevelSet, Side::Bid, 101, 0, PART), (Action::LevelSet, Side::Bid, 98, 0, LAST)]
    );
    assert_eq!((rig.stats.messages, rig.stats.by_type[46], rig.stats.bad_fields), (5, 5, 0));
}

#[test]
fn implied_levels_are_counted_and_no_book_shows_them() {
    let mut rig = Rig::<false>::new();
    let entries = [
        level(7, 1, action::NEW, 1, (entry_type::IMPLIED_BID, 100, 5)),
        level(7, 2, action::NEW, 1, (entry_type::IMPLIED_OFFER, 101, 5)),
        level(7, 3, action::NEW, 1, (entry_type::MARKET_BEST_BID, 101, 5)),
    ];
    let events = rig.feed(1, &refresh(template::BOOK_46, EVENT_END, &entries, None));
    assert_eq!(events.iter().map(|e| e.action).collect::<Vec<_>>(), [Action::Define, Action::Clear]);
    assert_eq!(rig.stats.implied_levels, 2);
    let unknown = refresh(template::BOOK_46, EVENT_END, &[level(7, 4, 0, 1, (b'?', 1, 1))], None);
    assert_eq!(rig.try_feed(place(2, 0), &unknown), Err(Damage::Field));
}

#[test]
fn an_update_that_is_missing_is_said_of_its_instrument_alone() {
    let mut rig = Rig::<false>::new();
    let set = |id, rpt| level(id, rpt, action::NEW, 1, (entry_type::OFFER, 10, 1));
    rig.feed(5, &refresh(template::BOOK_46, EVENT_END, &[set(1, 40), set(2, 80)], None));
    let events = rig.feed(6, &refresh(template::BOOK_46, EVENT_END, &[set(1, 42), set(2, 81)], None));
    let gaps: Vec<_> = events.iter().filter(|e| e.action == Action::Gap).collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].instrument, gaps[0].qty.0), (InstrumentId(0), GapCause::Sequence as u32));
    // Statistics are numbered with all else.
    let volume = |rpt: u32| {
        let numbered = mdp3::Numbered { security_id: 2.into(), rpt_seq: rpt.into() };
        refresh(template::VOLUME, 2, &[[&[1, 0, 0, 0], numbered.as_bytes(), &[0; 4]].concat()], None)
    };
    assert!(rig.feed(7, &volume(82)).is_empty());
    let events = rig.feed(8, &refresh(template::BOOK_46, EVENT_END, &[set(2, 84)], None));
    assert_eq!(events[0].action, Action::Gap);
}

#[test]
fn books_of_a_join_are_doubted_and_those_of_a_start_are_whole() {
    let define_of = |seq| {
        let mut rig = Rig::<false>::new();
        let entry = level(1, 9, action::NEW, 1, (entry_type::BID, 10, 1));
        let events = rig.feed(seq, &refresh(template::BOOK_46, EVENT_END, &[entry], None));
        assert!(events[0].flags.has(EventFlags::MAYBE_BAD_BOOK));
        events.iter().any(|e| e.action == Action::Clear)
    };
    assert_eq!((define_of(1), define_of(2)), (true, false));
}

/// A definition of a future.
fn definition(id: i32, name: &str, factor: i64, tick: i64, update: u8) -> Vec<u8> {
    let mut symbol = [0; 20];
    symbol[..name.len()].copy_from_slice(name.as_bytes());
    let root = mdp3::Definition {
        match_event_indicator: EVENT_END,
        reports: 1.into(),
        security_update_action: update,
        last_update_time: 400.into(),
        trading_status: status::READY_TO_TRADE,
        channel: 310.into(),
        market_segment: 0,
        underlying_product: 0,
        exchange: *b"XCME",
        group: *b"ES\0\0\0\0",
        asset: *b"ES\0\0\0\0",
        symbol,
        security_id: id.into(),
        security_type: *b"FUT\0\0\0",
        cfi_code: *b"FFIXSX",
    };
    let mut block = root.as_bytes().to_vec();
    block.resize(224, 0);
    block[91..99].copy_from_slice(&tick.to_le_bytes());
    block[99..107].copy_from_slice(&factor.to_le_bytes());
    let feeds = [("GBX", 3), ("GBI", 2)].map(|(name, depth)| [name.as_bytes(), &[depth]].concat());
    message(template::FUTURE_54, &block, &[&[vec![5; 9]], &feeds, &[vec![0; 4]], &[vec![0; 5]]], None)
}

#[test]
fn a_definition_names_an_instrument_and_says_what_its_prices_are_worth() {
    let mut rig = Rig::<false>::new();
    let events = rig.feed(1, &definition(7, "ESZ6", SCALE / 100, 25 * SCALE, b'A'));
    let (define, status) = (&events[0], &events[1]);
    assert_eq!((Symbol::from_word(define.order_id).as_str(), define.px), ("ESZ6", Px(SCALE / 4)));
    assert_eq!((status.action, status.aux), (Action::Status, TradingStatus::Trading as u64));
    let offer = |rpt, at, px| level(7, rpt, action::NEW, at, (entry_type::OFFER, px, 3));
    let events = rig.feed(9, &refresh(template::BOOK_46, EVENT_END, &[offer(1, 1, 450_025)], None));
    assert_eq!(events.last().unwrap().px.to_string(), "4500.25");
    // Three levels deep, as it said: the fourth pushes none out, and is refused.
    let deep = refresh(template::BOOK_46, EVENT_END, &[offer(2, 4, 450_050)], None);
    assert_eq!(rig.try_feed(place(10, 0), &deep), Err(Damage::Field));
    // The same again changes nothing; another factor empties the book, whose levels were told in another unit.
    let actions = |events: Vec<BookEvent>| events.iter().map(|e| e.action).collect::<Vec<_>>();
    let again = rig.feed(1, &definition(7, "ESZ6", SCALE / 100, 25 * SCALE, b'M'));
    assert!(!again[0].flags.has(EventFlags::MAYBE_BAD_BOOK));
    assert_eq!(actions(again), [Action::Define, Action::Status]);
    let other = rig.feed(1, &definition(7, "ESZ6", SCALE, 25 * SCALE, b'D'));
    assert_eq!(other.last().unwrap().aux, TradingStatus::Closed as u64);
    assert_eq!(actions(other), [Action::Define, Action::Clear, Action::Gap, Action::Status]);
    assert_eq!(rig.try_feed(place(1, 0), &definition(7, "ESZ6", 0, 1, b'M')), Err(Damage::Field));
}

#[test]
fn an_instrument_without_a_name_gets_one_at_last_and_takes_none_from_another() {
    let mut rig = Rig::<false>::new();
    let entry = level(7, 9, action::NEW, 1, (entry_type::BID, 10, 1));
    rig.feed(3, &refresh(template::BOOK_46, EVENT_END, &[entry], None));
    rig.feed(1, &definition(7, "ESZ6", SCALE, SCALE, b'A'));
    rig.feed(1, &definition(8, "ESZ6", SCALE, SCALE, b'A'));
    rig.feed(1, &definition(9, "ESZ6-ESH7", SCALE, SCALE, b'A'));
    let names: Vec<_> = rig.decoder.directory().symbols().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["ESZ6", "8", "9"]);
}

fn group_status(group: [u8; 6], product: [u8; 6], id: i32, code: u8) -> Vec<u8> {
    let root = mdp3::SecurityStatus {
        transact_time: 600.into(),
        group,
        asset: product,
        security_id: id.into(),
        trade_date: 0.into(),
        match_event_indicator: EVENT_END,
        trading_status: code,
        halt_reason: 0,
        event: 0,
    };
    message(template::SECURITY_STATUS, root.as_bytes(), &[], None)
}

#[test]
fn a_status_reaches_whom_it_names() {
    let mut rig = Rig::<false>::new();
    for id in 1..=3 {
        rig.feed(1, &definition(id, &format!("ESZ{id}"), SCALE, SCALE, b'A'));
    }
    let states = |events: Vec<BookEvent>| events.iter().map(|e| (e.instrument.0, e.aux)).collect::<Vec<_>>();
    let (es, blank) = (*b"ES\0\0\0\0", [0; 6]);
    let halted = TradingStatus::Halted as u64;
    let all = rig.feed(5, &group_status(es, blank, i32::MAX, status::HALTED));
    assert_eq!(states(all), [(0, halted), (1, halted), (2, halted)]);
    assert!(states(rig.feed(6, &group_status(es, *b"NQ\0\0\0\0", i32::MAX, status::HALTED))).is_empty());
    assert!(states(rig.feed(7, &group_status(es, blank, i32::MAX, status::NO_CHANGE))).is_empty());
    let one = rig.feed(8, &group_status(es, es, 2, status::PRE_OPEN));
    assert_eq!(states(one), [(1, TradingStatus::Paused as u64)]);
    assert_eq!(rig.try_feed(place(9, 0), &group_status(es, es, 2, 77)), Err(Damage::Field));
}

#[test]
fn a_reset_of_the_channel_empties_its_books() {
    let mut rig = Rig::<false>::new();
    let set = |id, rpt| level(id, rpt, action::NEW, 1, (entry_type::BID, 10, 1));
    rig.feed(5, &refresh(template::BOOK_46, EVENT_END, &[set(1, 40), set(2, 80)], None));
    rig.try_feed(place(5, 1), &refresh(template::BOOK_46, EVENT_END, &[set(3, 9)], None)).unwrap();
    let root = mdp3::Refresh { transact_time: 700.into(), match_event_indicator: EVENT_END };
    let reset = message(template::CHANNEL_RESET, root.as_bytes(), &[&[vec![0; 2]]], None);
    let events = rig.feed(6, &reset);
    let cleared: Vec<_> = events.iter().map(|e| (e.action, e.instrument.0)).collect();
    assert_eq!(cleared, [(Action::Clear, 0), (Action::Clear, 1)]);
    // Numbers begin anew, and what follows is a whole book.
    assert!(seen(&rig.feed(7, &refresh(template::BOOK_46, EVENT_END, &[set(1, 1)], None))).len() == 1);
    // The book of one instrument alone.
    let reset = level(2, 1, action::NEW, 1, (entry_type::BOOK_RESET, i64::MAX, i32::MAX));
    let events = rig.feed(8, &refresh(template::BOOK_46, EVENT_END, &[reset], None));
    assert_eq!(events.iter().map(|e| (e.action, e.instrument.0)).collect::<Vec<_>>(), [(Action::Clear, 1)]);
    // The next week: packet 1 again.
    let events = rig.feed(1, &refresh(template::BOOK_46, EVENT_END, &[set(1, 1)], None));
    assert_eq!(events.iter().filter(|e| e.action == Action::Clear).count(), 2);
}

#[test]
fn trades_say_who_was_resting_and_what_is_void() {
    let mut rig = Rig::<false>::new();
    let trade = |rpt: u32, aggressor, update_action, id: u32| {
        let entry = mdp3::TradeEntry {
            price: (10 * SCALE).into(),
            size: 4.into(),
            security_id: 1.into(),
            rpt_seq: rpt.into(),
            orders: 2.into(),
            aggressor_side: aggressor,
            update_action,
        };
        [entry.as_bytes(), &id.to_le_bytes(), &[0; 2]].concat()
    };
    let entries =
        [trade(1, 1, 0, 5), trade(2, 2, 0, 6), trade(3, 0, 0, 7), trade(4, 1, 2, 5), trade(5, 1, 1, 6)];
    let events = rig.feed(2, &refresh(template::TRADE_SUMMARY_48, 1, &entries, Some(&[])));
    let sideless = LAST.with(EventFlags::SIDELESS);
    let told: Vec<_> = events[1..].iter().map(|e| (e.action, e.side, e.aux, e.flags)).collect();
    assert_eq!(
        told,
        [
            (Action::Trade, Side::Ask, 5, LAST),
            (Action::Trade, Side::Bid, 6, LAST),
            (Action::Trade, Side::Bid, 7, sideless),
            (Action::TradeBreak, Side::Ask, 5, LAST),
            (Action::TradeBreak, Side::Ask, 6, LAST),
            (Action::Trade, Side::Ask, 6, LAST),
        ]
    );
}

#[test]
fn orders_make_the_book_where_the_feed_is_of_orders() {
    let mut rig = Rig::<true>::new();
    let levels = [
        level(7, 1, action::NEW, 1, (entry_type::BID, 10, 5)),
        level(7, 2, action::CHANGE, 1, (entry_type::OFFER, 11, 6)),
    ];
    let orders =
        [order(501, action::NEW, 1, 5), order(502, action::CHANGE, 2, 6), order(503, action::DELETE, 2, 1)];
    let events = rig.feed(1, &refresh(template::BOOK_46, EVENT_END, &levels, Some(&orders)));
    let told: Vec<_> = events[2..].iter().map(|e| (e.action, e.order_id, e.aux, e.side, e.flags)).collect();
    assert_eq!(
        told,
        [
            (Action::OrderAdd, 501, 0, Side::Bid, PART),
            (Action::OrderReplace, 502, 502, Side::Ask, PART),
            (Action::OrderDelete, 503, 0, Side::Ask, LAST),
        ]
    );
    for reference in [0, 3, 255] {
        let bad = refresh(template::BOOK_46, EVENT_END, &levels, Some(&[order(1, 0, reference, 1)]));
        assert_eq!(rig.try_feed(place(2, 0), &bad), Err(Damage::Field), "{reference}");
    }
    let alone = mdp3::OrderBookEntry {
        order_id: 504.into(),
        priority: 1.into(),
        price: (9 * SCALE).into(),
        display_qty: 3.into(),
        security_id: 7.into(),
        update_action: action::NEW,
        entry_type: entry_type::BID,
    };
    let entry = [alone.as_bytes(), &[0; 6]].concat();
    let events =
        rig.feed(3, &refresh(template::ORDER_BOOK_47, EVENT_END, std::slice::from_ref(&entry), None));
    assert_eq!((events[0].action, events[0].order_id, events[0].px), (Action::OrderAdd, 504, Px(9 * SCALE)));
    // A feed of levels counts them.
    let mut levels_only = Rig::<false>::new();
    let events = levels_only.feed(3, &refresh(template::ORDER_BOOK_47, EVENT_END, &[entry], None));
    assert_eq!(events.iter().map(|e| e.action).collect::<Vec<_>>(), [Action::Define]);
}

fn order_snapshot(last: u32, (chunk, chunks): (u32, u32), ids: &[u64]) -> Vec<u8> {
    let root = mdp3::OrderSnapshot {
        last_sequence: last.into(),
        reports: 1.into(),
        security_id: 7.into(),
        chunks: chunks.into(),
        chunk: chunk.into(),
        transact_time: 1.into(),
    };
    let entries: Vec<_> = ids
        .iter()
        .map(|id| {
            let entry = mdp3::OrderSnapshotEntry {
                order_id: (*id).into(),
                priority: 1.into(),
                price: (10 * SCALE).into(),
                display_qty: 1.into(),
                entry_type: entry_type::BID,
            };
            entry.as_bytes().to_vec()
        })
        .collect();
    message(template::SNAPSHOT_ORDERS_53, root.as_bytes(), &[&entries], None)
}

#[test]
fn parts_of_a_snapshot_of_orders_make_one_book_or_none() {
    let snapshot = |rig: &mut Rig<true>, last, part, ids: &[u64]| {
        let events = rig.try_feed(place(1, 1), &order_snapshot(last, part, ids)).unwrap();
        events.iter().map(|e| (e.action, e.order_id, e.flags.has(LAST))).collect::<Vec<_>>()
    };
    let mut rig = Rig::<true>::new();
    assert_eq!(
        snapshot(&mut rig, 10, (1, 2), &[1, 2])[1..],
        [(Action::Clear, 0, true), (Action::OrderAdd, 1, false)]
    );
    assert_eq!(
        snapshot(&mut rig, 10, (2, 2), &[3]),
        [(Action::OrderAdd, 2, false), (Action::OrderAdd, 3, true)]
    );
    // What it has already is let go, what comes after is applied.
    let add = |rpt, id| {
        let levels = [level(7, rpt, action::NEW, 1, (entry_type::BID, 10, 5))];
        refresh(template::BOOK_46, EVENT_END, &levels, Some(&[order(id, action::NEW, 1, 5)]))
    };
    assert!(rig.feed(10, &add(1, 3)).is_empty());
    assert_eq!(rig.feed(11, &add(2, 4)).len(), 1);
    // One that is behind the book is no news; a newer one whose parts a change comes between is half a book.
    assert!(snapshot(&mut rig, 10, (1, 1), &[1]).is_empty());
    assert_eq!(snapshot(&mut rig, 11, (1, 2), &[1, 2])[0].0, Action::Clear);
    rig.feed(13, &add(3, 5));
    let events = snapshot(&mut rig, 11, (2, 2), &[3]);
    assert!(events.iter().any(|e| e.0 == Action::Gap) && events.iter().all(|e| e.1 != 3), "{events:?}");
}

/// A snapshot of levels of instrument 7.
fn snapshot(last: u32, rpt_seq: u32, levels: &[(u8, u8, i64, i32)]) -> Vec<u8> {
    let root = mdp3::Snapshot {
        last_sequence: last.into(),
        reports: 1.into(),
        security_id: 7.into(),
        rpt_seq: rpt_seq.into(),
        transact_time: 1.into(),
        last_update_time: 1.into(),
        trade_date: 0.into(),
        trading_status: status::READY_TO_TRADE,
        high_limit: i64::MAX.into(),
        low_limit: i64::MAX.into(),
        max_variation: i64::MAX.into(),
    };
    let entries: Vec<_> = levels
        .iter()
        .map(|&(kind, level, px, qty)| {
            let entry = mdp3::SnapshotEntry {
                price: (px * SCALE).into(),
                size: qty.into(),
                orders: 1.into(),
                level,
                reference_date: u16::MAX.into(),
                open_close: 255,
                settl_price_type: 255,
                entry_type: kind,
            };
            entry.as_bytes().to_vec()
        })
        .collect();
    message(template::SNAPSHOT_52, root.as_bytes(), &[&entries], None)
}

/// One that is cut short in its second level: no book has a level 0.
fn cut_snapshot(last: u32) -> Vec<u8> {
    snapshot(last, 9, &[(entry_type::BID, 1, 100, 5), (entry_type::BID, 0, 99, 6)])
}

fn is_taken(events: &[BookEvent]) -> bool {
    events.iter().any(|e| e.action == Action::Clear && e.flags.has(EventFlags::SNAPSHOT))
}

#[test]
fn a_snapshot_is_believed_as_far_as_the_incremental_channel_was_heard() {
    let bid = |rpt| {
        let levels = [level(7, rpt, action::CHANGE, 1, (entry_type::BID, 100, 5))];
        refresh(template::BOOK_46, EVENT_END, &levels, None)
    };
    let mut rig = Rig::<false>::new();
    let shot = |rig: &mut Rig<false>, last| {
        let levels = [(entry_type::BID, 1, 100, 7)];
        is_taken(&rig.try_feed(place(1, 1), &snapshot(last, 90_000, &levels)).unwrap())
    };
    rig.feed(999_990, &bid(89_999));
    assert!(!shot(&mut rig, 1_000_000), "ahead of all that was heard");
    // The numbers begin anew, and a snapshot of before is still under way.
    rig.feed(1, &bid(1));
    rig.feed(500, &bid(2));
    assert!(!shot(&mut rig, 1_000_000));
    assert_eq!(rig.feed(501, &bid(3)).len(), 1, "an update is news all the same");
    assert!(shot(&mut rig, 501), "a true one is taken");
}

#[test]
fn a_snapshot_of_another_numbering_is_refuted_by_the_first_update() {
    let mut rig = Rig::<false>::new();
    let old = snapshot(1_000_000, 90_000, &[(entry_type::BID, 1, 100, 7)]);
    assert!(is_taken(&rig.try_feed(place(1, 1), &old).unwrap()), "nothing speaks against it yet");
    let levels = [level(7, 3, action::NEW, 1, (entry_type::BID, 100, 5))];
    let events = rig.feed(30, &refresh(template::BOOK_46, EVENT_END, &levels, None));
    let actions: Vec<_> = events.iter().map(|e| e.action).collect();
    assert_eq!(actions, [Action::Gap, Action::LevelSet], "it is doubted, and told what is new");
    assert!(is_taken(&rig.try_feed(place(2, 1), &snapshot(30, 3, &[])).unwrap()));
}

#[test]
fn books_that_snapshots_alone_made_are_doubted_when_a_channel_begins_anew() {
    let mut rig = Rig::<false>::new();
    let levels = [level(8, 3, action::NEW, 1, (entry_type::BID, 100, 5))];
    rig.feed(1_000, &refresh(template::BOOK_46, EVENT_END, &levels, None));
    let shot = snapshot(990, 90, &[(entry_type::BID, 1, 100, 7)]);
    let of = rig.try_feed(place(1, 1), &shot).unwrap()[0].instrument;
    let events = rig.feed(1, &refresh(template::BOOK_46, EVENT_END, &[], None));
    assert!(events.iter().any(|e| e.action == Action::Gap && e.instrument == of), "{events:?}");
    rig.feed(20, &refresh(template::BOOK_46, EVENT_END, &[], None));
    let shot = snapshot(15, 1, &[(entry_type::BID, 1, 100, 7)]);
    assert!(is_taken(&rig.try_feed(place(1, 1), &shot).unwrap()), "990 is no claim of today");
}

#[test]
fn a_snapshot_that_is_cut_short_does_not_stand_for_a_whole_one() {
    let mut rig = Rig::<false>::new();
    assert_eq!(rig.try_feed(place(1, 1), &cut_snapshot(10)), Err(Damage::Field));
    let whole = snapshot(10, 9, &[(entry_type::BID, 1, 100, 5)]);
    assert!(
        is_taken(&rig.try_feed(place(2, 1), &whole).unwrap()),
        "the whole one of the same packet is news"
    );
    assert!(!is_taken(&rig.try_feed(place(3, 1), &whole).unwrap()), "and once is enough");
    // A part of a snapshot of orders that cannot be read is not the one that the next follows.
    let mut rig = Rig::<true>::new();
    rig.try_feed(place(1, 1), &order_snapshot(10, (1, 3), &[1])).unwrap();
    let mut bad = order_snapshot(10, (2, 3), &[2]);
    *bad.last_mut().unwrap() = b'?';
    assert_eq!(rig.try_feed(place(2, 1), &bad), Err(Damage::Field));
    assert!(rig.try_feed(place(3, 1), &order_snapshot(10, (3, 3), &[3])).unwrap().is_empty());
    assert!(is_taken(&rig.try_feed(place(4, 1), &order_snapshot(10, (1, 1), &[1])).unwrap()));
}

#[test]
fn a_side_that_finds_no_room_to_go_doubts_its_book_alone() {
    let mut rig = Rig::<false>::new();
    let levels = [level(7, 1, action::NEW, 1, (entry_type::BID, 100, 5))];
    rig.feed(1, &refresh(template::BOOK_46, EVENT_END, &levels, None));
    let sweep = [level(7, 2, action::DELETE_THRU, 1, (entry_type::BID, 100, 5))];
    let mut out = EventBuffer::with_spare(40, 9);
    let sweep = refresh(template::BOOK_46, EVENT_END, &sweep, None);
    rig.decoder.decode(&sweep, &place(2, 0), &mut out, &mut rig.stats).unwrap();
    let doubt = out.pending()[0];
    assert_eq!((out.len(), doubt.action, doubt.instrument), (1, Action::Gap, InstrumentId(0)));
}

/// The book that level events make, by side and price.
fn apply(book: &mut BTreeMap<(usize, i64), u32>, events: &[BookEvent]) {
    for e in events {
        match e.action {
            Action::Clear => book.clear(),
            Action::LevelSet if e.qty == Qty(0) => drop(book.remove(&(e.side.index(), e.px.0 / SCALE))),
            Action::LevelSet => drop(book.insert((e.side.index(), e.px.0 / SCALE), e.qty.0)),
            _ => {}
        }
    }
}

/// Bids of a venue: what it told, packet by packet, and what a snapshot behind each would say.
struct Told {
    packets: Vec<Vec<u8>>,
    snapshots: Vec<Vec<(u8, u8, i64, i32)>>,
}

/// A venue that shows ten bids and has more.
fn tell(sets: &[(i64, i32)]) -> Told {
    let (mut levels, mut told) = (BTreeMap::<i64, i32>::new(), Told { packets: vec![], snapshots: vec![] });
    let mut rpt = 0;
    for &(px, qty) in sets {
        let shown = |levels: &BTreeMap<i64, i32>| {
            levels.iter().rev().take(10).map(|(p, q)| (*p, *q)).collect::<Vec<_>>()
        };
        let at = |shown: &[(i64, i32)]| shown.iter().position(|l| l.0 == px).map(|at| at as u8 + 1);
        let before = shown(&levels);
        if qty == 0 {
            levels.remove(&px)
        } else {
            levels.insert(px, qty)
        };
        let after = shown(&levels);
        let mut entries = Vec::new();
        let mut entry = |action, at, px, qty| {
            rpt += 1;
            entries.push(level(7, rpt, action, at, (entry_type::BID, px, qty)));
        };
        match (at(&before), at(&after)) {
            (None, Some(at)) => entry(action::NEW, at, px, qty),
            (Some(at), Some(_)) => entry(action::CHANGE, at, px, qty),
            (Some(at), None) => {
                entry(action::DELETE, at, px, 1);
                if let Some((px, qty)) = after.get(9) {
                    entry(action::NEW, 10, *px, *qty);
                }
            }
            (None, None) => {}
        }
        told.packets.push(refresh(template::BOOK_46, EVENT_END, &entries, None));
        let numbered = (1_u8..).zip(&after);
        told.snapshots.push(numbered.map(|(at, (px, qty))| (entry_type::BID, at, *px, *qty)).collect());
    }
    told
}

/// The number of the last update in the first `packets` packets.
fn updates(told: &Told, packets: usize) -> u32 {
    let entries = |p: &Vec<u8>| u32::from(p[10 + 11 + 2]);
    told.packets[..packets].iter().map(entries).sum()
}

proptest! {
    /// A book from the first packet on is what the venue shows after each. One that joins anywhere is, from the moment on when a
    /// snapshot was taken and what it stands behind has come: be the snapshot earlier or later than the packets.
    #[test]
    fn a_join_with_a_snapshot_ends_in_the_book_of_a_start(
        sets in prop::collection::vec((1_i64..20, 0_i32..3), 2..60),
        (join, of, when) in (0_usize..60, 0_usize..60, 0_usize..60),
    ) {
        let told = tell(&sets);
        let of = of % sets.len();
        let (mut start, mut joined) = (Rig::<false>::new(), Rig::<false>::new());
        let (mut whole, mut book, mut taken) = (BTreeMap::new(), BTreeMap::new(), false);
        for (at, packet) in told.packets.iter().enumerate() {
            let seq = at as u64 + 101;
            apply(&mut whole, &start.feed(at as u64 + 1, packet));
            let shown: BTreeMap<_, _> = told.snapshots[at].iter().map(|l| ((0, l.2), l.3 as u32)).collect();
            prop_assert_eq!(&whole, &shown);
            if at == when {
                let snapshot = snapshot(of as u32 + 101, updates(&told, of + 1), &told.snapshots[of]);
                let events = joined.try_feed(place(9, 1), &snapshot).unwrap();
                taken = events.iter().any(|e| e.action == Action::Clear);
                let ahead = join < at && of >= at;
                prop_assert!(!(taken && ahead), "what nothing shows is not believed");
                prop_assert!(taken || ahead || (join..at).any(|at| at > of), "it was refused without being old");
                apply(&mut book, &events);
            }
            if at >= join {
                apply(&mut book, &joined.feed(seq, packet));
                if taken && at >= of && join <= of + 1 {
                    prop_assert_eq!(&book, &shown, "packet {}", at);
                }
            }
        }
    }

    /// Any bytes that begin like a message: refused or read, and never more events than the buffer's rule allows.
    #[test]
    fn any_block_and_groups_are_read_or_refused(
        template in prop::sample::select(mdp3::MESSAGE_TYPES).prop_map(|(id, ..)| u16::from(id)),
        version in 5_u16..14,
        block in 0_u16..300,
        body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let header = mdp3::MessageHeader {
            size: (10 + body.len() as u16).into(),
            block_length: block.into(),
            template: template.into(),
            schema: mdp3::SCHEMA_ID.into(),
            version: version.into(),
        };
        let bytes = [header.as_bytes(), &body].concat();
        let (mut levels, mut orders) = (Rig::<false>::new(), Rig::<true>::new());
        let limit = 2 * bytes.len() / 12 + 5 + 64;
        for seq in [1, 2, 2, 7] {
            let made = levels.try_feed(place(seq, 0), &bytes).map_or(0, |events| events.len());
            prop_assert!(made <= limit);
            let made = orders.try_feed(place(seq, 0), &bytes).map_or(0, |events| events.len());
            prop_assert!(made <= limit);
        }
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert!(!message.to_string().contains('\n'));
        }
    }
}
