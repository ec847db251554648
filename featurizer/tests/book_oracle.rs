//! The books against a naive book of sorted maps, event by event.

use std::collections::{BTreeMap, HashMap};

use featurizer::{BookLimits, Books, Effect, PageKind};
use proptest::prelude::*;
use types::{
    Action, BookEvent, BookLevel, BookState, ChannelWord, EndWord, EventFlags, GapCause, InstrumentId, Px,
    Qty, Side, StaleCause, Symbol, TickStep, TickTable, TradingStatus,
};

const CENT: i64 = 10_000_000;
const INSTRUMENTS: usize = 3;

/// What a book is, said in the plainest way.
#[derive(Default)]
struct Naive {
    orders: HashMap<(u64, u32), (Side, i64, u32)>,
    levels: HashMap<u32, BTreeMap<i64, u64>>,
    unknown: u64,
    duplicates: u64,
    over: u64,
    bad: u64,
}

impl Naive {
    fn remove(&mut self, id: u64, instrument: u32, qty: u32) {
        let order = self.orders.get_mut(&(id, instrument)).expect("known");
        self.over += u64::from(qty > order.2);
        order.2 = order.2.saturating_sub(qty);
        if order.2 == 0 {
            self.orders.remove(&(id, instrument));
        }
    }

    fn add(&mut self, id: u64, instrument: u32, side: Side, px: Px, qty: u32) {
        // In this book or in another one of the feed.
        self.duplicates += u64::from(self.orders.keys().any(|(known, _)| *known == id));
        self.orders.insert((id, instrument), (side, px.0, qty));
    }

    fn apply(&mut self, e: &BookEvent) {
        let key = (e.order_id, e.instrument.0);
        let known = self.orders.get(&key).copied();
        let valid = e.px.is_some() && e.px.0.unsigned_abs() <= 1 << 60 && e.qty.0 > 0;
        match e.action {
            Action::OrderAdd if valid => self.add(key.0, key.1, e.side, e.px, e.qty.0),
            Action::OrderAdd => self.bad += 1,
            Action::Clear if e.instrument == InstrumentId::ALL => {
                self.orders.clear();
                self.levels.clear();
            }
            Action::Clear => {
                self.orders.retain(|k, _| k.1 != key.1);
                self.levels.remove(&key.1);
            }
            Action::OrderReduce | Action::OrderExecute | Action::OrderDelete | Action::OrderReplace
                if known.is_none() =>
            {
                self.unknown += 1;
            }
            Action::OrderReduce | Action::OrderExecute if e.qty.0 == 0 => self.bad += 1,
            Action::OrderReduce | Action::OrderExecute => self.remove(key.0, key.1, e.qty.0),
            Action::OrderDelete => self.remove(key.0, key.1, known.unwrap().2),
            Action::OrderReplace => {
                let (side, _, qty) = known.unwrap();
                self.remove(key.0, key.1, qty);
                if valid {
                    self.add(e.aux, key.1, side, e.px, e.qty.0);
                } else {
                    self.bad += 1;
                }
            }
            _ => {}
        }
    }

    fn levels(&self, instrument: u32, side: Side) -> Vec<BookLevel> {
        let mut levels: BTreeMap<i64, (u64, u32)> = BTreeMap::new();
        for ((_, of), (at, px, qty)) in &self.orders {
            if *of == instrument && *at == side {
                let level = levels.entry(*px).or_default();
                *level = (level.0 + u64::from(*qty), level.1 + 1);
            }
        }
        let level = |(px, (qty, order_count)): (&i64, &(u64, u32))| BookLevel {
            px: Px(*px),
            qty: *qty,
            order_count: *order_count,
        };
        match side {
            Side::Bid => levels.iter().rev().map(level).collect(),
            Side::Ask => levels.iter().map(level).collect(),
        }
    }
}

fn limits() -> BookLimits {
    BookLimits {
        instruments: INSTRUMENTS,
        order_slots_log2: 6,
        side_orders: 4_096,
        far_levels: 8_192,
        default_tick: Px(CENT),
        pages: PageKind::Ordinary,
    }
}

fn event(action: Action, instrument: u32) -> BookEvent {
    BookEvent { action, instrument: InstrumentId(instrument), flags: EventFlags::LAST, ..BookEvent::EMPTY }
}

fn define(instrument: u32, tick: Px) -> BookEvent {
    let symbol = Symbol::new(&format!("T{instrument}")).unwrap();
    BookEvent { order_id: symbol.to_word(), aux: 100, px: tick, ..event(Action::Define, instrument) }
}

/// A step of a random story; prices are relative to a centre that wanders, so that windows have to move.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    instrument: u32,
    id: u64,
    ask: bool,
    ticks: i64,
    odd: i64,
    qty: u32,
    drift: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let id = prop_oneof![8 => 0_u64..200, 1 => (0_u64..4).prop_map(|n| 1 << 63 | n), 1 => any::<u64>()];
    let ticks = prop_oneof![10 => 0_i64..30, 4 => 0_i64..700, 1 => -40_i64..0, 1 => 0_i64..40_000];
    let odd = prop_oneof![12 => Just(0_i64), 2 => (1_i64..100).prop_map(|n| n * 100_000), 1 => 1_i64..CENT];
    let qty = prop_oneof![20 => 1_u32..1_000, 1 => Just(0), 1 => any::<u32>()];
    let drift = prop_oneof![30 => -2_i64..=2, 1 => -900_i64..900];
    (0_u8..100, 0..INSTRUMENTS as u32, id, any::<bool>(), ticks, odd, qty, drift).prop_map(
        |(kind, instrument, id, ask, ticks, odd, qty, drift)| Step {
            kind,
            instrument,
            id,
            ask,
            ticks,
            odd,
            qty,
            drift,
        },
    )
}

/// Where each instrument's prices begin: an ordinary stock, one at a dollar's edge, and one around zero (a spread).
const CENTRES: [i64; INSTRUMENTS] = [15_000, 100, 0];

fn to_event(step: &Step, centre: &mut [i64; INSTRUMENTS]) -> BookEvent {
    let i = step.instrument as usize;
    centre[i] += step.drift;
    let away = step.ticks + 1;
    let ticks = if step.ask { centre[i] + away } else { centre[i] - away };
    let e = BookEvent {
        order_id: step.id,
        side: if step.ask { Side::Ask } else { Side::Bid },
        px: Px(ticks * CENT + step.odd),
        qty: Qty(step.qty),
        aux: step.id.wrapping_mul(7) % 211,
        ..event(Action::OrderAdd, step.instrument)
    };
    let action = match step.kind {
        0..55 => Action::OrderAdd,
        55..75 => Action::OrderDelete,
        75..85 => Action::OrderReplace,
        85..92 => Action::OrderReduce,
        _ => Action::OrderExecute,
    };
    let e = BookEvent { action, ..e };
    match (step.kind, step.qty % 60) {
        (0, 0) => BookEvent { action: Action::Clear, ..e },
        (0, 1) => BookEvent { action: Action::Clear, instrument: InstrumentId::ALL, ..e },
        (1, 0) => BookEvent { px: Px::NONE, ..e },
        (1, 1) => BookEvent { px: Px(i64::MIN), ..e },
        _ => e,
    }
}

fn compare(books: &Books, naive: &Naive, instrument: u32) -> Result<(), TestCaseError> {
    let book = books.book(InstrumentId(instrument)).unwrap();
    for side in [Side::Bid, Side::Ask] {
        let wanted = naive.levels(instrument, side);
        let found: Vec<BookLevel> = book.levels(side, usize::MAX).collect();
        prop_assert_eq!(&found, &wanted);
        prop_assert_eq!(book.best(side), wanted.first().copied().unwrap_or(BookLevel::NONE));
        prop_assert_eq!(book.level_count(side), wanted.len());
        prop_assert_eq!(book.shares(side), wanted.iter().map(|l| l.qty).sum::<u64>());
    }
    prop_assert_eq!(book.bbo().bid, book.best(Side::Bid));
    prop_assert_eq!(book.bbo().ask, book.best(Side::Ask));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn orders_and_levels_agree_with_sorted_maps(steps in prop::collection::vec(step(), 1..1_200)) {
        let mut books = Books::new(&limits()).unwrap();
        let mut naive = Naive::default();
        let mut centre = CENTRES;
        for i in 0..INSTRUMENTS as u32 {
            books.lend().apply(&define(i, Px(CENT)));
        }
        for (n, step) in steps.iter().enumerate() {
            let e = to_event(step, &mut centre);
            let mut lent = books.lend();
            // Looked at ahead with another event behind it, or alone.
            let two = [e, BookEvent { order_id: e.aux, ..e }];
            let ahead = lent.look_ahead(&two);
            let coming = if n % 2 == 0 { ahead.iter().next().unwrap() } else { lent.alone(&e) };
            let applied = lent.apply_coming(coming);
            if applied.effect.changes_levels() {
                for i in 0..INSTRUMENTS as u32 {
                    let _ = lent.refresh_quote(InstrumentId(i));
                }
            }
            naive.apply(&e);
            compare(&books, &naive, step.instrument)?;
            if n % 50 == 0 {
                (0..INSTRUMENTS as u32).try_for_each(|i| compare(&books, &naive, i))?;
            }
            let c = books.counters();
            prop_assert_eq!((c.unknown_orders, c.duplicate_orders), (naive.unknown, naive.duplicates));
            prop_assert_eq!((c.over_reductions, c.bad_events), (naive.over, naive.bad));
            prop_assert_eq!((c.missing_quantity, c.table_full), (0, 0));
            prop_assert_eq!(books.occupancy().orders, naive.orders.len());
        }
    }

    #[test]
    fn levels_set_agree_with_sorted_maps(steps in prop::collection::vec(step(), 1..1_200)) {
        let mut books = Books::new(&limits()).unwrap();
        let mut naive: BTreeMap<(u32, Side, i64), u32> = BTreeMap::new();
        let mut centre = CENTRES;
        for step in &steps {
            let e = to_event(step, &mut centre);
            let qty = Qty(if step.kind % 3 == 0 { 0 } else { step.qty });
            let e = BookEvent { action: Action::LevelSet, qty, instrument: InstrumentId(step.instrument), ..e };
            let applied = books.lend().apply(&e);
            let _ = books.lend().refresh_quote(e.instrument);
            if e.px.is_some() && e.px.0 != i64::MIN {
                let before = naive.remove(&(step.instrument, e.side, e.px.0)).unwrap_or(0);
                prop_assert_eq!((applied.before, applied.qty), (u64::from(before), u64::from(qty.0)));
                if qty.0 > 0 {
                    naive.insert((step.instrument, e.side, e.px.0), qty.0);
                }
            }
            let book = books.book(e.instrument).unwrap();
            for side in [Side::Bid, Side::Ask] {
                let range = naive.range((step.instrument, side, i64::MIN)..=(step.instrument, side, i64::MAX));
                let mut wanted: Vec<BookLevel> = range
                    .map(|((_, _, px), qty)| BookLevel { px: Px(*px), qty: u64::from(*qty), order_count: 0 })
                    .collect();
                if side == Side::Bid {
                    wanted.reverse();
                }
                prop_assert_eq!(book.levels(side, usize::MAX).collect::<Vec<_>>(), wanted);
            }
        }
    }
}

/// A walk far enough that every window moves many times, at a price where the step changes as well.
#[test]
fn a_trending_market_moves_its_windows_and_stays_right() {
    let mut books = Books::new(&limits()).unwrap();
    let mut naive = Naive::default();
    books.lend().apply(&define(0, Px(CENT)));
    let mut id = 0;
    for turn in 0..8_000_i64 {
        let centre = if turn < 4_000 { 2_000 - turn / 3 } else { 2_000 - (8_000 - turn) / 3 };
        for (side, ticks) in [(Side::Bid, centre - 1 - turn % 7), (Side::Ask, centre + 1 + turn % 5)] {
            id += 1;
            let add = BookEvent {
                order_id: id,
                side,
                px: Px(ticks * CENT),
                qty: Qty(100),
                ..event(Action::OrderAdd, 0)
            };
            // Each order leaves 40 turns later.
            let leave = BookEvent { order_id: id.saturating_sub(80), ..event(Action::OrderDelete, 0) };
            for e in [add, leave] {
                let mut lent = books.lend();
                if lent.apply(&e).effect.changes_levels() {
                    let _ = lent.refresh_quote(e.instrument);
                }
                naive.apply(&e);
            }
        }
        if turn % 10 == 0 {
            compare(&books, &naive, 0).unwrap();
        }
    }
    let recentres = books.occupancy().recentres;
    assert!((8..400).contains(&recentres), "{recentres} moves for a walk of 2,600 ticks");
}

#[test]
fn a_book_whose_channel_is_overdue_is_stale_until_it_no_longer_is() {
    for (begins, ends, cause) in [
        (ChannelWord::Silent, ChannelWord::Heard, StaleCause::Silent),
        (ChannelWord::Late, ChannelWord::InTime, StaleCause::Late),
    ] {
        let mut books = Books::new(&limits()).unwrap();
        let of = |channel, e: BookEvent| BookEvent { channel, ..e };
        let say = |channel, word: ChannelWord| BookEvent {
            channel,
            aux: word as u64,
            instrument: InstrumentId::ALL,
            ..event(Action::Channel, 0)
        };
        let state = |books: &Books, i| books.book(InstrumentId(i)).unwrap().state();
        let (live, overdue) = (BookState::Live, BookState::Stale(cause));
        books.lend().apply(&of(1, define(0, Px(CENT))));
        books.lend().apply(&of(2, define(1, Px(CENT))));
        books.lend().apply(&say(1, begins));
        assert_eq!([0, 1].map(|i| state(&books, i)), [overdue, live], "each channel for itself");
        // What begins meanwhile, and what begins anew, is as old.
        books.lend().apply(&of(1, define(2, Px(CENT))));
        books.lend().apply(&of(1, event(Action::Clear, 0)));
        assert_eq!([0, 2].map(|i| state(&books, i)), [overdue; 2]);
        books.lend().apply(&say(2, ends));
        books.lend().apply(&say(2, begins));
        books.lend().apply(&say(1, ends));
        assert_eq!([0, 1, 2].map(|i| state(&books, i)), [live, overdue, live]);
        // A book of two channels is as old as either.
        books.lend().apply(&of(2, define(0, Px(CENT))));
        books.lend().apply(&say(1, begins));
        books.lend().apply(&say(1, ends));
        assert_eq!(state(&books, 0), overdue, "the other is");
        // What was lost meanwhile stays lost, and so does what the feed doubts itself.
        let bad = BookEvent { flags: EventFlags::MAYBE_BAD_BOOK, ..define(0, Px(CENT)) };
        books.lend().apply(&of(2, bad));
        books
            .lend()
            .apply(&of(2, BookEvent { qty: Qty(GapCause::Sequence as u32), ..event(Action::Gap, 1) }));
        books.lend().apply(&say(2, ends));
        let doubted = [StaleCause::Joined, StaleCause::Gap].map(BookState::Stale);
        assert_eq!([0, 1].map(|i| state(&books, i)), doubted);
    }
}

#[test]
fn both_words_of_a_channel_stand_for_themselves() {
    let mut books = Books::new(&limits()).unwrap();
    books.lend().apply(&define(0, Px(CENT)));
    let mut say = |word: ChannelWord| {
        let all = BookEvent { instrument: InstrumentId::ALL, ..event(Action::Channel, 0) };
        books.lend().apply(&BookEvent { aux: word as u64, ..all });
        books.book(InstrumentId(0)).unwrap().state()
    };
    use ChannelWord::{Heard, InTime, Late, Silent};
    let [silent, late] = [StaleCause::Silent, StaleCause::Late].map(BookState::Stale);
    let said = [Late, Silent, Heard, Silent, InTime, Heard, Silent, Late, Heard, InTime].map(&mut say);
    let live = BookState::Live;
    assert_eq!(said, [late, silent, late, silent, silent, live, silent, silent, late, live]);
}

#[test]
fn an_end_that_is_taken_back_leaves_what_the_venue_said_beside_it() {
    use TradingStatus::{Closed, Halted, Trading};
    let fresh = || {
        let mut books = Books::new(&limits()).unwrap();
        for i in 0..3 {
            books.lend().apply(&BookEvent { channel: (i / 2) as u8, ..define(i, Px(CENT)) });
        }
        books
    };
    let say = |i, status: TradingStatus| BookEvent { aux: status as u64, ..event(Action::Status, i) };
    let end = |channel, word: EndWord| BookEvent {
        channel,
        aux: word as u64,
        instrument: InstrumentId::ALL,
        ..event(Action::SessionEnd, 0)
    };
    let gap = |channel, cause: GapCause| BookEvent {
        channel,
        qty: Qty(cause as u32),
        instrument: InstrumentId::ALL,
        ..event(Action::Gap, 0)
    };
    let (ended, back) =
        (|channel| end(channel, EndWord::Channel), |channel| end(channel, EndWord::TakenBack));
    let begun = [say(0, Trading), say(1, Halted), BookEvent { channel: 1, ..say(2, Trading) }];
    for (events, wanted) in [
        (&[][..], [Trading, Halted, Trading]),
        (&[ended(0)], [Closed; 3]),
        (&[ended(0), back(0)], [Trading, Halted, Trading]),
        // What the venue says meanwhile opens nothing, and stays.
        (&[ended(0), say(0, Halted), say(1, Trading)], [Closed; 3]),
        (&[ended(0), say(0, Halted), say(1, Trading), back(0)], [Halted, Trading, Trading]),
        // Its own word for the end of the day is not taken back, nor does a channel take back another one's.
        (&[ended(0), end(0, EndWord::Venue), back(0)], [Closed, Closed, Closed]),
        (&[end(0, EndWord::Venue), ended(0), back(0)], [Closed, Closed, Closed]),
        (&[ended(0), back(1)], [Closed; 3]),
        (&[ended(0), ended(1), back(1)], [Closed; 3]),
        (&[ended(0), ended(0), ended(1), back(1), back(0)], [Trading, Halted, Trading]),
        // A channel that has not ended speaks for itself.
        (&[ended(0), BookEvent { channel: 1, ..say(2, Halted) }, back(0)], [Trading, Halted, Halted]),
        (&[ended(0), BookEvent { channel: 1, ..say(2, Trading) }], [Closed, Closed, Trading]),
        // Another session, and words that were lost: the venue has to say it anew.
        (&[ended(0), gap(0, GapCause::SessionChange)], [Closed; 3]),
        (&[ended(0), gap(0, GapCause::SessionChange), back(0)], [Closed; 3]),
        (&[ended(0), ended(1), gap(0, GapCause::SessionChange), back(1)], [Closed; 3]),
        (&[ended(0), gap(0, GapCause::SessionChange), say(0, Trading)], [Trading, Closed, Closed]),
        (&[ended(0), gap(1, GapCause::RingFull), back(0)], [Closed; 3]),
        (&[ended(0), gap(1, GapCause::RingFull), say(0, Trading)], [Trading, Closed, Closed]),
        (&[ended(0), gap(0, GapCause::Sequence), back(0)], [Trading, Halted, Trading]),
    ] {
        let mut books = fresh();
        begun.iter().chain(events).for_each(|event| {
            books.lend().apply(event);
        });
        let status = [0, 1, 2].map(|i| books.book(InstrumentId(i)).unwrap().status());
        assert_eq!(status, wanted, "{events:?}");
    }
    // One that is named while the session is over is closed, too.
    let mut books = Books::new(&limits()).unwrap();
    for event in [define(0, Px(CENT)), ended(0), define(1, Px(CENT)), say(1, Trading)] {
        books.lend().apply(&event);
    }
    let status = |books: &Books| books.book(InstrumentId(1)).unwrap().status();
    assert_eq!(status(&books), Closed);
    books.lend().apply(&back(0));
    assert_eq!(status(&books), Trading);
}

#[test]
fn a_book_that_is_provably_wrong_is_stale_until_it_is_cleared() {
    let add =
        |order_id| BookEvent { order_id, px: Px(100 * CENT), qty: Qty(100), ..event(Action::OrderAdd, 0) };
    let take = |action, order_id, qty| BookEvent { order_id, qty: Qty(qty), ..event(action, 0) };
    let unknown = take(Action::OrderDelete, 77, 0);
    let cases: [(&[BookEvent], Option<StaleCause>); 8] = [
        (&[take(Action::OrderExecute, 1, 100), take(Action::OrderDelete, 2, 0)], None),
        (&[unknown, unknown, take(Action::OrderReplace, 78, 5)], None),
        (&[unknown, unknown, take(Action::OrderReplace, 78, 5), unknown], Some(StaleCause::UnknownOrders)),
        (&[take(Action::OrderExecute, 1, 101)], Some(StaleCause::OverExecution)),
        (
            &[take(Action::OrderReduce, 1, 60), take(Action::OrderReduce, 1, 60)],
            Some(StaleCause::OverExecution),
        ),
        (&[add(2)], Some(StaleCause::DuplicateOrder)),
        (
            &[BookEvent { qty: Qty(GapCause::MixedLocate as u32), ..event(Action::Gap, 0) }],
            Some(StaleCause::MixedLocate),
        ),
        (
            &[BookEvent {
                qty: Qty(GapCause::MidSession as u32),
                instrument: InstrumentId::ALL,
                ..event(Action::Gap, 0)
            }],
            Some(StaleCause::Joined),
        ),
    ];
    for (story, wanted) in cases {
        let mut books = Books::new(&limits()).unwrap();
        books.lend().apply(&define(0, Px(CENT)));
        books.lend().apply(&define(1, Px(CENT)));
        [add(1), add(2)].iter().chain(story).for_each(|e| {
            books.lend().apply(e);
        });
        let state = |books: &Books, i| books.book(InstrumentId(i)).unwrap().state();
        assert_eq!(state(&books, 0), wanted.map_or(BookState::Live, BookState::Stale));
        let others_too = wanted == Some(StaleCause::Joined);
        assert_eq!(state(&books, 1).is_live(), !others_too, "each book for itself");
        let counted =
            StaleCause::ALL.map(|cause| u64::from(wanted == Some(cause)) * (1 + u64::from(others_too)));
        assert_eq!((books.counters().stale_books, books.counters().gaps), (counted, 0));
        books.lend().apply(&BookEvent { instrument: InstrumentId::ALL, ..event(Action::Clear, 0) });
        [unknown; 3].iter().for_each(|e| {
            books.lend().apply(e);
        });
        assert_eq!(state(&books, 0), BookState::Live, "a new day, and a new count");
    }
}

fn state(books: &Books, i: u32) -> BookState {
    books.book(InstrumentId(i)).unwrap().state()
}

fn apply(books: &mut Books, events: &[BookEvent]) {
    events.iter().for_each(|e| {
        books.lend().apply(e);
    });
}

fn on(channel: u8, e: BookEvent) -> BookEvent {
    BookEvent { channel, ..e }
}

#[test]
fn an_order_that_is_named_under_another_instrument_doubts_both_books() {
    let add =
        |id, i| BookEvent { order_id: id, px: Px(100 * CENT), qty: Qty(100), ..event(Action::OrderAdd, i) };
    let take = |action| BookEvent { order_id: 5, qty: Qty(10), px: Px(CENT), aux: 6, ..event(action, 1) };
    let both = |cause| [BookState::Stale(cause); 2];
    let cases = [
        (take(Action::OrderExecute), both(StaleCause::MixedLocate), 0),
        (take(Action::OrderReduce), both(StaleCause::MixedLocate), 0),
        (take(Action::OrderDelete), both(StaleCause::MixedLocate), 0),
        (take(Action::OrderReplace), both(StaleCause::MixedLocate), 0),
        (add(5, 1), both(StaleCause::DuplicateOrder), 1),
        (
            BookEvent { aux: 5, order_id: 8, ..take(Action::OrderReplace) },
            both(StaleCause::DuplicateOrder),
            1,
        ),
        // Another venue's order of the same number is none of its business.
        (on(1, take(Action::OrderExecute)), [BookState::Live; 2], 0),
        (on(1, add(5, 1)), [BookState::Live; 2], 0),
    ];
    // In its slot, and beside it: a price that no slot holds.
    for px in [100 * CENT, 100 * CENT + 1] {
        for (said, wanted, duplicates) in cases {
            let mut books = Books::new(&limits()).unwrap();
            let first = [define(0, Px(CENT)), on(said.channel, define(1, Px(CENT)))];
            apply(&mut books, &first);
            apply(&mut books, &[BookEvent { px: Px(px), ..add(5, 0) }, on(said.channel, add(8, 1)), said]);
            assert_eq!([0, 1].map(|i| state(&books, i)), wanted, "{said:?}");
            assert_eq!(books.counters().duplicate_orders, duplicates, "{said:?}");
            // What a book that was cleared had is nobody's.
            apply(&mut books, &[event(Action::Clear, 0), on(said.channel, event(Action::Clear, 1)), said]);
            assert_eq!([0, 1].map(|i| state(&books, i)), [BookState::Live; 2], "{said:?}");
        }
    }
}

#[test]
fn levels_that_go_and_were_never_there_doubt_their_book() {
    let mut books = Books::new(&limits()).unwrap();
    let set = |ticks, qty| BookEvent { px: Px(ticks * CENT), qty: Qty(qty), ..event(Action::LevelSet, 0) };
    apply(
        &mut books,
        &[define(0, Px(CENT)), set(100, 5), set(100, 0), set(100, 0), set(7, 0), set(90_000, 0)],
    );
    assert_eq!(
        (state(&books, 0), books.counters().unknown_levels),
        (BookState::Live, 3),
        "a few are no proof"
    );
    let told = books.lend().apply(&set(8, 0));
    assert_eq!(state(&books, 0), BookState::Stale(StaleCause::UnknownOrders));
    assert_eq!((told.effect, books.counters().unknown_levels), (Effect::Contradicted, 4));
}

#[test]
fn an_order_or_level_that_no_book_can_hold_doubts_the_book_that_lacks_it() {
    let far = Px(1 << 61);
    let add = BookEvent { order_id: 1, px: Px(CENT), qty: Qty(5), ..event(Action::OrderAdd, 0) };
    let cases = [
        BookEvent { px: far, order_id: 2, ..add },
        BookEvent { px: Px::NONE, order_id: 2, ..add },
        BookEvent { px: far, action: Action::LevelSet, ..add },
        BookEvent { px: far, action: Action::OrderReplace, aux: 2, ..add },
    ];
    for refused in cases {
        let mut books = Books::new(&limits()).unwrap();
        apply(&mut books, &[define(0, Px(CENT)), add]);
        let told = books.lend().apply(&refused);
        assert!(told.effect > Effect::Changed, "who computes from the book must hear of it");
        assert_eq!(state(&books, 0), BookState::Stale(StaleCause::TableFull), "{refused:?}");
        assert_eq!((books.counters().bad_events, books.counters().stale_books[1]), (1, 1));
    }
    // An order of no shares is none: it is counted, and the book lacks nothing.
    let mut books = Books::new(&limits()).unwrap();
    apply(&mut books, &[define(0, Px(CENT)), BookEvent { qty: Qty(0), ..add }]);
    assert_eq!((state(&books, 0), books.counters().bad_events), (BookState::Live, 1));
}

#[test]
fn a_gap_ends_with_the_clear_of_its_own_channel() {
    let all = |channel, action| on(channel, BookEvent { instrument: InstrumentId::ALL, ..event(action, 0) });
    let add = |id, channel, i| {
        on(channel, BookEvent { order_id: id, px: Px(CENT), qty: Qty(1), ..event(Action::OrderAdd, i) })
    };
    let mut books = Books::new(&limits()).unwrap();
    apply(&mut books, &[on(0, define(0, Px(CENT))), on(1, define(1, Px(CENT))), add(1, 0, 0), add(1, 1, 1)]);
    apply(&mut books, &[all(1, Action::Gap), all(0, Action::Clear)]);
    let lost = BookState::Stale(StaleCause::Gap);
    assert_eq!([0, 1].map(|i| state(&books, i)), [BookState::Live, lost], "another channel's clear");
    let shares = |books: &Books| [0, 1].map(|i| books.book(InstrumentId(i)).unwrap().shares(Side::Bid));
    assert_eq!((shares(&books), books.occupancy().orders), ([0, 1], 1), "whose orders stay");
    assert!(books.gap_open());
    apply(&mut books, &[on(1, define(2, Px(CENT)))]);
    assert_eq!(state(&books, 2), lost, "what begins in the gap may lack something");
    apply(&mut books, &[all(1, Action::Clear)]);
    assert_eq!([1, 2].map(|i| state(&books, i)), [BookState::Live; 2]);
    assert_eq!((shares(&books), books.occupancy().orders, books.gap_open()), ([0, 0], 0, false));
}

#[test]
fn a_gap_ends_when_each_book_of_its_channel_was_cleared() {
    let gap = on(4, BookEvent { instrument: InstrumentId::ALL, ..event(Action::Gap, 0) });
    let mut books = Books::new(&limits()).unwrap();
    apply(&mut books, &[on(4, define(0, Px(CENT))), on(4, define(1, Px(CENT))), gap, gap]);
    apply(&mut books, &[on(4, event(Action::Clear, 0)), on(4, event(Action::Clear, 0))]);
    assert!(books.gap_open(), "one of two, however often");
    apply(&mut books, &[on(4, event(Action::Clear, 1)), on(4, define(2, Px(CENT)))]);
    assert_eq!([0, 1, 2].map(|i| state(&books, i)), [BookState::Live; 3], "a venue that clears book by book");
    assert!(!books.gap_open());
}

#[test]
fn a_book_whose_first_word_a_gap_may_have_swallowed_is_not_whole_by_another_ones_snapshot() {
    let lost = BookState::Stale(StaleCause::Gap);
    let gap = on(4, BookEvent { instrument: InstrumentId::ALL, ..event(Action::Gap, 0) });
    let snapshot = |i| {
        let flags = EventFlags::LAST.with(EventFlags::SNAPSHOT);
        on(4, BookEvent { flags, ..event(Action::Clear, i) })
    };
    let mut books = Books::new(&limits()).unwrap();
    apply(&mut books, &[on(4, define(0, Px(CENT))), gap, snapshot(0)]);
    assert!(!books.gap_open(), "all that is known of is made good");
    apply(&mut books, &[on(4, define(1, Px(CENT)))]);
    assert_eq!([0, 1].map(|i| state(&books, i)), [BookState::Recovering, lost]);
    assert!(!books.gap_open());
    apply(&mut books, &[snapshot(1)]);
    assert_eq!(state(&books, 1), BookState::Recovering, "its own one makes it good");
    // The venue empties its books, one by one, and introduces another.
    apply(&mut books, &[0, 1].map(|i| on(4, event(Action::Clear, i))));
    apply(&mut books, &[on(4, define(2, Px(CENT)))]);
    assert_eq!([0, 1, 2].map(|i| state(&books, i)), [BookState::Live; 3]);
}

#[test]
fn an_instrument_that_the_venue_has_not_introduced_has_no_whole_book() {
    let mut books = Books::new(&limits()).unwrap();
    let doubtful =
        BookEvent { flags: EventFlags::LAST.with(EventFlags::MAYBE_BAD_BOOK), ..define(0, Px(CENT)) };
    let state = |books: &Books| books.book(InstrumentId(0)).unwrap().state();
    books.lend().apply(&doubtful);
    assert_eq!(state(&books), BookState::Stale(StaleCause::Joined));
    books.lend().apply(&define(0, Px(CENT)));
    assert_eq!(
        state(&books),
        BookState::Stale(StaleCause::Joined),
        "its orders of before are missing all the same"
    );
    books.lend().apply(&BookEvent { instrument: InstrumentId::ALL, ..event(Action::Clear, 0) });
    assert_eq!(state(&books), BookState::Live);
    books.lend().apply(&doubtful);
    assert_eq!(
        state(&books),
        BookState::Stale(StaleCause::Joined),
        "the new day has not introduced it either"
    );
}

#[test]
fn sub_dollar_prices_find_a_fine_ladder() {
    let mut books = Books::new(&limits()).unwrap();
    books.lend().apply(&define(0, Px(CENT)));
    for n in 0..200_i64 {
        let add = BookEvent {
            order_id: n as u64,
            side: if n % 2 == 0 { Side::Bid } else { Side::Ask },
            px: Px(50 * CENT + if n % 2 == 0 { -n * 100_000 } else { n * 100_000 }),
            qty: Qty(1),
            ..event(Action::OrderAdd, 0)
        };
        assert_eq!(books.lend().apply(&add).effect, Effect::Changed);
    }
    assert_eq!(books.occupancy().far_levels.used, 0, "0.0001 steps lie in the ladder below one dollar");
}

/// A European share whose ticks grow with its price: its ladder has the tick of its best prices, so that no level near the touch is
/// a far one, up and down through three steps.
#[test]
fn a_ladder_has_the_tick_of_the_table_at_the_best_prices() {
    let steps = [(0, CENT / 2), (100 * CENT, CENT), (200 * CENT, 2 * CENT)];
    let table =
        TickTable::new(&steps.map(|(from, tick)| TickStep { from: Px(from), tick: Px(tick) })).unwrap();
    let mut books = Books::new(&limits()).unwrap();
    books.set_tick_tables([TickTable::US_EQUITY, table].into());
    let mut naive = Naive::default();
    let stepped = BookEvent { qty: Qty(2), ..define(0, Px(2 * CENT)) };
    books.lend().apply(&stepped);
    let mut id = 0;
    let walk: Vec<i64> = (50..250).chain((50..250).rev()).collect();
    for centre in walk {
        let tick = table.at(Px(centre * CENT)).0;
        for n in 1..=20 {
            for (side, px) in [(Side::Bid, centre * CENT - n * tick), (Side::Ask, centre * CENT + n * tick)] {
                id += 1;
                let add =
                    BookEvent { order_id: id, side, px: Px(px), qty: Qty(1), ..event(Action::OrderAdd, 0) };
                // Each order leaves 200 orders later.
                let leave = BookEvent { order_id: id.saturating_sub(200), ..event(Action::OrderDelete, 0) };
                for e in [add, leave] {
                    let mut lent = books.lend();
                    if lent.apply(&e).effect == Effect::Changed {
                        let _ = lent.refresh_quote(e.instrument);
                    }
                    naive.apply(&e);
                }
            }
        }
        compare(&books, &naive, 0).unwrap();
        let book = books.book(InstrumentId(0)).unwrap();
        assert_eq!(book.tick_at(Px(centre * CENT)), Px(tick));
        assert!(
            books.occupancy().far_levels.used <= 64,
            "{} far levels at {centre}",
            books.occupancy().far_levels.used
        );
    }
}

#[test]
fn a_full_order_table_makes_the_book_stale_and_stays_consistent() {
    let small = BookLimits { order_slots_log2: 4, side_orders: 8, ..limits() };
    let mut books = Books::new(&small).unwrap();
    books.lend().apply(&define(1, Px(CENT)));
    let mut stored = 0_u64;
    for n in 0..100_u64 {
        let add =
            BookEvent { order_id: n * 16, px: Px(100 * CENT), qty: Qty(7), ..event(Action::OrderAdd, 1) };
        stored += u64::from(books.lend().apply(&add).effect == Effect::Changed);
    }
    let book = books.book(InstrumentId(1)).unwrap();
    assert_eq!(book.state(), BookState::Stale(StaleCause::TableFull));
    assert_eq!((book.shares(Side::Bid), u64::from(book.best(Side::Bid).order_count)), (stored * 7, stored));
    assert!(stored < 100);
    assert_eq!(books.counters().table_full, 100 - stored);
    assert!(books.counters().stale_events > 0, "later events were counted as applied to a stale book");
}

#[test]
fn a_full_far_arena_makes_the_book_stale_and_loses_no_other_level() {
    let small = BookLimits { far_levels: 16, side_orders: 1_000, ..limits() };
    let mut books = Books::new(&small).unwrap();
    books.lend().apply(&define(0, Px(CENT)));
    let add = |id: u64, ticks: i64| BookEvent {
        order_id: id,
        px: Px(ticks * CENT),
        qty: Qty(1),
        ..event(Action::OrderAdd, 0)
    };
    assert_eq!(books.lend().apply(&add(0, 100_000)).effect, Effect::Changed);
    let mut kept = 1;
    for n in 1..60 {
        kept += usize::from(books.lend().apply(&add(n as u64, 90_000 - n * 10)).effect == Effect::Changed);
    }
    let book = books.book(InstrumentId(0)).unwrap();
    assert_eq!(book.level_count(Side::Bid), kept);
    assert_eq!(books.occupancy().orders, kept);
    assert_eq!(book.state(), BookState::Stale(StaleCause::TableFull));
    assert_eq!(book.best(Side::Bid).px, Px(100_000 * CENT));
}

#[test]
fn states_follow_definition_gap_clear_and_snapshot() {
    let mut books = Books::new(&limits()).unwrap();
    let state = |books: &Books, i: u32| books.book(InstrumentId(i)).unwrap().state();
    let all = |action| BookEvent { instrument: InstrumentId::ALL, ..event(action, 0) };
    let add = BookEvent { order_id: 5, px: Px(CENT), qty: Qty(1), ..event(Action::OrderAdd, 0) };
    let snapshot = EventFlags::LAST.with(EventFlags::SNAPSHOT);

    assert_eq!(state(&books, 0), BookState::Empty);
    books.lend().apply(&define(0, Px::NONE));
    assert_eq!(state(&books, 0), BookState::Live);
    assert_eq!(books.book(InstrumentId(0)).unwrap().tick_at(Px(1)), Px(CENT));

    books.lend().apply(&BookEvent { qty: Qty(GapCause::SessionChange as u32), ..all(Action::Gap) });
    assert_eq!(state(&books, 0), BookState::Stale(StaleCause::SessionChange));
    assert_eq!(state(&books, 1), BookState::Empty);
    books.lend().apply(&define(1, Px::NONE));
    assert_eq!(state(&books, 1), BookState::Stale(StaleCause::SessionChange), "its start may be in the gap");
    books.lend().apply(&add);
    assert_eq!(books.counters().stale_events, 1);

    books.lend().apply(&BookEvent { flags: snapshot, ..event(Action::Clear, 0) });
    assert_eq!(state(&books, 0), BookState::Recovering);
    assert_eq!(books.book(InstrumentId(0)).unwrap().best(Side::Bid), BookLevel::NONE);
    books.lend().apply(&BookEvent { flags: snapshot, ..add });
    assert_eq!(state(&books, 0), BookState::Recovering);
    books.lend().apply(&BookEvent { order_id: 6, ..add });
    assert_eq!(state(&books, 0), BookState::Live);
    assert_eq!(books.book(InstrumentId(0)).unwrap().shares(Side::Bid), 2);

    books.lend().apply(&BookEvent { qty: Qty(GapCause::Sequence as u32), ..event(Action::Gap, 0) });
    assert_eq!(state(&books, 0), BookState::Stale(StaleCause::Gap));
    books.lend().apply(&all(Action::Clear));
    assert_eq!((state(&books, 0), state(&books, 1)), (BookState::Live, BookState::Live));
    assert_eq!((state(&books, 2), books.occupancy().orders), (BookState::Empty, 0));
    books.lend().apply(&BookEvent { flags: EventFlags::LAST.with(EventFlags::MAYBE_BAD_BOOK), ..add });
    assert_eq!(state(&books, 0), BookState::Stale(StaleCause::Gap));
    assert_eq!(books.counters().gaps, 2);
}

#[test]
fn while_the_feed_recovers_no_book_is_live_and_none_that_was_wrong_becomes_so() {
    let mut books = Books::new(&BookLimits { instruments: 5, ..limits() }).unwrap();
    let state = |books: &Books, i: u32| books.book(InstrumentId(i)).unwrap().state();
    let all = |action| BookEvent { instrument: InstrumentId::ALL, ..event(action, 0) };
    let gap = |cause: GapCause| BookEvent { qty: Qty(cause as u32), ..all(Action::Gap) };
    let add = |id, i| BookEvent { order_id: id, px: Px(CENT), qty: Qty(1), ..event(Action::OrderAdd, i) };
    let feed = |books: &mut Books, events: &[BookEvent]| {
        for event in events {
            books.lend().apply(event);
        }
    };
    // 0 is sound, 1 is wrong before, 2 is proved wrong meanwhile, 3 is introduced meanwhile, 4 is emptied meanwhile.
    feed(&mut books, &[0, 1, 2, 4].map(|i| define(i, Px::NONE)));
    feed(&mut books, &[add(1, 0), add(2, 2), add(3, 4)]);
    feed(&mut books, &[BookEvent { qty: Qty(GapCause::Malformed as u32), ..event(Action::Gap, 1) }]);
    feed(&mut books, &[gap(GapCause::Recovering)]);
    assert_eq!([0, 2, 4].map(|i| state(&books, i)), [BookState::Recovering; 3]);
    assert_eq!(state(&books, 1), BookState::Stale(StaleCause::Gap));
    assert!(books.gap_open(), "what has not changed is not known to be so still");
    feed(&mut books, &[add(4, 0), add(2, 2), define(3, Px::NONE), add(5, 3), event(Action::Clear, 4)]);
    assert_eq!([0, 3, 4].map(|i| state(&books, i)), [BookState::Recovering; 3]);
    assert_eq!(state(&books, 2), BookState::Stale(StaleCause::DuplicateOrder));
    feed(&mut books, &[gap(GapCause::Recovered)]);
    assert_eq!([0, 3, 4].map(|i| state(&books, i)), [BookState::Live; 3]);
    assert_eq!([1, 2].map(|i| state(&books, i).is_live()), [false; 2]);
    assert_eq!((books.gap_open(), books.counters().gaps), (false, 1), "nothing was lost");

    // What is given up after all is a gap like any other.
    feed(&mut books, &[gap(GapCause::Recovering), gap(GapCause::Sequence), gap(GapCause::Recovered)]);
    assert_eq!([0, 3].map(|i| state(&books, i)), [BookState::Stale(StaleCause::Gap); 2]);
    assert!(books.gap_open());
    feed(&mut books, &[all(Action::Clear)]);
    assert_eq!(state(&books, 0), BookState::Live);

    // The end of the recovery is lost in the ring: all is stale, and the next clean begin is one.
    feed(&mut books, &[gap(GapCause::Recovering), gap(GapCause::RingFull)]);
    assert_eq!(state(&books, 0), BookState::Stale(StaleCause::Gap));
    feed(&mut books, &[all(Action::Clear)]);
    assert_eq!((state(&books, 0), books.gap_open()), (BookState::Live, false));
}

#[test]
fn readers_see_the_best_prices_after_the_last_event_only() {
    let mut books = Books::new(&limits()).unwrap();
    books.lend().apply(&define(0, Px(CENT)));
    let set = |side, ticks: i64, qty, flags| BookEvent {
        side,
        px: Px(ticks * CENT),
        qty: Qty(qty),
        flags,
        ..event(Action::LevelSet, 0)
    };
    let mut lent = books.lend();
    let id = InstrumentId(0);
    lent.apply(&set(Side::Bid, 100, 5, EventFlags::LAST));
    let _ = lent.refresh_quote(id);
    lent.apply(&set(Side::Ask, 101, 5, EventFlags::LAST));
    let _ = lent.refresh_quote(id);
    // The bid moves through the offer before the offer is taken away: crossed only in between.
    lent.apply(&set(Side::Bid, 102, 5, EventFlags::NONE));
    assert_eq!(lent.bbo(id).bid.px, Px(100 * CENT));
    lent.apply(&set(Side::Ask, 101, 0, EventFlags::NONE));
    lent.apply(&set(Side::Ask, 103, 5, EventFlags::LAST));
    let before = lent.refresh_quote(id).expect("both sides changed");
    assert_eq!((before.bid.px, before.ask.px), (Px(100 * CENT), Px(101 * CENT)));
    assert_eq!((lent.bbo(id).bid.px, lent.bbo(id).ask.px), (Px(102 * CENT), Px(103 * CENT)));
    assert_eq!(books.counters().crossed_events, 0);

    let mut lent = books.lend();
    lent.apply(&set(Side::Bid, 103, 5, EventFlags::LAST));
    let _ = lent.refresh_quote(id);
    lent.apply(&set(Side::Bid, 104, 5, EventFlags::LAST));
    let _ = lent.refresh_quote(id);
    lent.apply(&set(Side::Bid, 90, 5, EventFlags::LAST));
    let _ = lent.refresh_quote(id);
    assert_eq!((books.counters().locked_events, books.counters().crossed_events), (1, 2));
}

#[test]
fn bounds_out_of_range_are_named() {
    for (limits, what) in [
        (BookLimits { instruments: 0, ..limits() }, "instruments"),
        (BookLimits { instruments: 40_000, ..limits() }, "instruments"),
        (BookLimits { order_slots_log2: 2, ..limits() }, "order_slots_log2"),
        (BookLimits { side_orders: usize::MAX, ..limits() }, "side_orders"),
        (BookLimits { far_levels: usize::MAX, ..limits() }, "far_levels"),
        (BookLimits { default_tick: Px::NONE, ..limits() }, "default_tick"),
    ] {
        let error = Books::new(&limits).expect_err(what).to_string();
        assert!(error.starts_with(what) && error.contains("wanted"), "{error}");
    }
}

#[test]
fn an_instrument_out_of_range_is_counted_and_touches_nothing() {
    let mut books = Books::new(&limits()).unwrap();
    let e = BookEvent { order_id: 1, px: Px(CENT), qty: Qty(1), ..event(Action::OrderAdd, 77) };
    assert_eq!(books.lend().apply(&e).effect, Effect::Refused);
    assert_eq!((books.counters().bad_events, books.used()), (1, 0));
}
