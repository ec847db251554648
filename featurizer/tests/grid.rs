//! Grid semantics, full sinks, quotes for the gate, observers, and the stage between its rings.

use featurizer::{
    Book, BookLimits, Effect, FeatureSink, Featurizer, FeaturizerConfig, FeaturizerStage, Observer, OnFull,
};
use stage::{Inline, Stage, WorkStatus, ring};
use types::{
    Action, BookEvent, BookState, EventFlags, FEATURES, FeatureId, FeatureVector, GapCause, InstrumentId, Px,
    Qty, Side, StaleCause, Symbol, TopOfBook, TradingStatus, UnixNanos,
};

const CENT: i64 = 10_000_000;
const MS: u64 = 1_000_000;
const STEP: u64 = 100 * MS;
/// A grid point to start from.
const T0: u64 = 1_700_000_000_000_000_000;

fn at(action: Action, instrument: u32, ts: u64) -> BookEvent {
    BookEvent {
        action,
        instrument: InstrumentId(instrument),
        flags: EventFlags::LAST,
        ts_event: UnixNanos(ts),
        ts_recv: UnixNanos(ts + 5),
        ..BookEvent::EMPTY
    }
}

fn define(instrument: u32, ts: u64) -> BookEvent {
    let symbol = Symbol::new(&format!("T{instrument}")).unwrap();
    BookEvent { order_id: symbol.to_word(), aux: 100, px: Px(CENT), ..at(Action::Define, instrument, ts) }
}

fn add(id: u64, instrument: u32, side: Side, cents: i64, qty: u32, ts: u64) -> BookEvent {
    BookEvent {
        order_id: id,
        side,
        px: Px(cents * CENT),
        qty: Qty(qty),
        ..at(Action::OrderAdd, instrument, ts)
    }
}

fn all(action: Action, ts: u64) -> BookEvent {
    BookEvent { instrument: InstrumentId::ALL, ..at(action, 0, ts) }
}

fn featurizer(on_full: OnFull) -> Featurizer {
    let books = BookLimits { instruments: 16, ..BookLimits::small() };
    Featurizer::new(&FeaturizerConfig { books, on_full, ..FeaturizerConfig::default() }).unwrap()
}

fn apply(featurizer: &mut Featurizer, events: &[BookEvent]) -> Vec<FeatureVector> {
    let mut out = Vec::new();
    let mut sinks = (&mut out, &mut (), &mut ());
    assert_eq!(featurizer.apply(events, &mut sinks), events.len());
    out
}

/// Instrument and distance from T0 in milliseconds; markers have no instrument.
fn outline(vectors: &[FeatureVector]) -> Vec<(Option<u32>, u64)> {
    let name = |v: &FeatureVector| (v.grid_end == 0).then_some(v.instrument.0);
    vectors.iter().map(|v| (name(v), (v.ts.0 - T0) / MS)).collect()
}

#[test]
fn an_event_on_a_grid_point_belongs_to_it_and_one_after_closes_it() {
    let mut f = featurizer(OnFull::Wait);
    let on = [define(0, T0 - 50 * MS), add(1, 0, Side::Bid, 100, 7, T0)];
    assert!(apply(&mut f, &on).is_empty());
    let out = apply(&mut f, &[add(2, 0, Side::Bid, 100, 5, T0 + 1)]);
    assert_eq!(outline(&out), [(Some(0), 0), (None, 0)]);
    assert_eq!(
        out[0].get(FeatureId::TopDepth),
        Some(7_f64.ln()),
        "the event at t counts, the one after does not"
    );
    assert_eq!(out[0].ts_recv, UnixNanos(T0 + 5));
    assert_eq!(out[0].age_ms(&FEATURES[FeatureId::TopDepth as usize]), 0);
    let out = apply(&mut f, &[all(Action::Time, T0 + STEP + 1)]);
    assert_eq!(outline(&out), [(Some(0), 100), (None, 100)]);
    assert_eq!(out[0].get(FeatureId::TopDepth), Some(12_f64.ln()));
    assert_eq!(out[0].age_ms(&FEATURES[FeatureId::TopDepth as usize]), 99);
}

#[test]
fn vectors_of_a_grid_point_come_in_ascending_order_before_its_marker() {
    let mut f = featurizer(OnFull::Wait);
    let mut events: Vec<_> = [5, 2, 9].map(|i| define(i, T0)).into();
    events.push(all(Action::Time, T0 + 1));
    assert_eq!(outline(&apply(&mut f, &events)), [(Some(2), 0), (Some(5), 0), (Some(9), 0), (None, 0)]);
}

#[test]
fn silence_is_walked_until_every_window_is_empty_and_then_skipped() {
    let mut f = featurizer(OnFull::Wait);
    apply(&mut f, &[define(0, T0), add(1, 0, Side::Bid, 100, 5, T0)]);
    let hour = 3_600_000 * MS;
    let out = apply(&mut f, &[add(2, 0, Side::Bid, 100, 5, T0 + hour)]);
    let markers: Vec<u64> = outline(&out).iter().filter(|o| o.0.is_none()).map(|o| o.1).collect();
    assert!(markers.windows(2).all(|w| w[1] == w[0] + 100), "no grid point is left out before the jump");
    assert!((600..=652).contains(&markers.len()), "{} grid points", markers.len());
    let out = apply(&mut f, &[all(Action::Time, T0 + hour + 1)]);
    assert_eq!(outline(&out), [(Some(0), 3_600_000), (None, 3_600_000)]);
}

#[test]
fn an_instrument_whose_values_stand_still_is_not_sent_again() {
    let mut f = featurizer(OnFull::Wait);
    apply(&mut f, &[define(0, T0), add(1, 0, Side::Bid, 100, 5, T0), add(2, 0, Side::Bid, 100, 5, T0)]);
    let out = apply(&mut f, &[all(Action::Time, T0 + 60_000 * MS)]);
    let sent: Vec<u64> = outline(&out).iter().filter(|o| o.0.is_some()).map(|o| o.1).collect();
    // The events; the end of the order flow windows (100 ms, 1 s); the resilience's baseline (at its tenth grid point); the end
    // of the activity window (10 s). A one-sided book has no mid, so volatility never moves.
    assert_eq!(sent, [0, 100, 900, 1_000, 10_000]);
}

#[test]
fn late_events_are_applied_and_counted() {
    let mut f = featurizer(OnFull::Wait);
    apply(&mut f, &[define(0, T0), all(Action::Time, T0 + 150 * MS)]);
    apply(&mut f, &[add(1, 0, Side::Bid, 100, 5, T0 + 50 * MS)]);
    assert_eq!(f.counters().late_events, 1);
    assert_eq!(f.book(InstrumentId(0)).unwrap().shares(Side::Bid), 5);
    let out = apply(&mut f, &[all(Action::Time, T0 + 201 * MS)]);
    assert_eq!(out[0].get(FeatureId::TopDepth), Some(5_f64.ln()));
}

#[test]
fn events_without_a_time_move_no_grid() {
    let mut f = featurizer(OnFull::Wait);
    assert!(apply(&mut f, &[define(0, 0), define(1, 0)]).is_empty());
    apply(&mut f, &[add(1, 0, Side::Bid, 100, 5, T0)]);
    assert!(apply(&mut f, &[define(2, 0)]).is_empty());
    assert_eq!((f.counters().late_events, f.counters().grid_points), (0, 0));
}

#[test]
fn a_stale_book_sends_nothing_that_could_be_scored() {
    let mut f = featurizer(OnFull::Wait);
    let mut events = vec![define(0, T0)];
    for n in 0..30_u64 {
        let ts = T0 + n * STEP;
        events.push(add(2 * n, 0, Side::Bid, 100, 50, ts));
        events.push(add(2 * n + 1, 0, Side::Ask, 101, 50, ts));
    }
    let out = apply(&mut f, &events);
    let last = out.iter().rfind(|v| v.grid_end == 0).unwrap();
    assert!(last.valid.count_ones() >= 12 && last.book_state == BookState::Live.to_u8(), "{last:?}");

    let gap = BookEvent { qty: Qty(GapCause::Sequence as u32), ..all(Action::Gap, T0 + 30 * STEP) };
    let out = apply(&mut f, &[gap, all(Action::Time, T0 + 31 * STEP)]);
    let stale = out.iter().rfind(|v| v.grid_end == 0).unwrap();
    assert_eq!((stale.valid, stale.mid), (0, Px::NONE));
    assert_eq!(stale.book_state, BookState::Stale(StaleCause::Gap).to_u8());
    assert!(stale.values.iter().all(|v| *v == 0.0));

    // After a clear the book is live; its history starts anew.
    let clear = all(Action::Clear, T0 + 31 * STEP);
    let quotes = [
        add(900, 0, Side::Bid, 100, 50, T0 + 31 * STEP),
        add(901, 0, Side::Ask, 101, 50, T0 + 31 * STEP),
        all(Action::Time, T0 + 32 * STEP),
    ];
    apply(&mut f, &[clear]);
    let out = apply(&mut f, &quotes);
    let fresh = out.iter().rfind(|v| v.grid_end == 0).unwrap();
    assert!(fresh.get(FeatureId::SpreadBps).is_some());
    assert_eq!(fresh.get(FeatureId::Resilience), None, "its baseline is gone");
}

#[test]
fn a_snapshot_makes_no_order_flow_and_no_activity() {
    let mut f = featurizer(OnFull::Wait);
    let snapshot = |e: BookEvent| BookEvent { flags: e.flags.with(EventFlags::SNAPSHOT), ..e };
    let mut events = vec![define(0, T0), snapshot(at(Action::Clear, 0, T0))];
    for n in 0..40 {
        events.push(snapshot(add(n, 0, Side::Bid, 60 + n as i64, 50, T0)));
    }
    events.push(snapshot(add(100, 0, Side::Ask, 101, 50, T0)));
    events.push(all(Action::Time, T0 + 1));
    let out = apply(&mut f, &events);
    assert_eq!((out[0].valid, out[0].book_state), (0, BookState::Recovering.to_u8()));
    let out = apply(&mut f, &[add(200, 0, Side::Bid, 100, 10, T0 + 2), all(Action::Time, T0 + 2 * STEP)]);
    let first = &out[0];
    assert_eq!(first.book_state, BookState::Live.to_u8());
    assert_eq!(first.get(FeatureId::Ofi100Ms), Some(0.0), "the first live quote starts the chain");
    assert_eq!(first.get(FeatureId::CancelRatio), Some(0.0));
    assert_eq!(first.get(FeatureId::TradeToOrder), None, "one order message so far");
}

#[test]
fn a_large_trade_and_the_recovery_after_it() {
    let mut f = featurizer(OnFull::Wait);
    let mut events = vec![define(0, T0)];
    for n in 0..5 {
        events.push(add(n, 0, Side::Bid, 1_000 - n as i64, 200, T0));
        events.push(add(10 + n, 0, Side::Ask, 1_001 + n as i64, 200, T0));
    }
    let hit = T0 + 2_050 * MS;
    for n in 0..4_u64 {
        let execute = BookEvent { order_id: n, qty: Qty(200), ..at(Action::OrderExecute, 0, hit + n * MS) };
        events.push(execute);
    }
    // 800 of 1,000 gone; 200 come back near, 400 more later, deeper orders never count.
    events.push(add(20, 0, Side::Bid, 999, 200, hit + 300 * MS));
    events.push(add(21, 0, Side::Bid, 900, 9_000, hit + 300 * MS));
    events.push(add(22, 0, Side::Bid, 1_000, 400, hit + 600 * MS));
    events.push(all(Action::Time, hit + 40_000 * MS));
    let out = apply(&mut f, &events);
    let value = |ms: u64| {
        let mut seen = out.iter().filter(|v| v.grid_end == 0 && v.ts.0 <= T0 + ms * MS);
        seen.next_back().unwrap().get(FeatureId::Resilience)
    };
    assert_eq!(value(800), None);
    assert_eq!(value(1_000), Some(1.0));
    assert_eq!(value(2_100), Some(0.0));
    assert!((value(2_400).unwrap() - 0.25).abs() < 1e-12);
    assert!((value(2_700).unwrap() - 0.75).abs() < 1e-12);
    assert_eq!(value(2_050 + 30_100), Some(1.0), "forgotten after 30 s");
}

/// Takes at most `room` vectors, then nothing until told.
#[derive(Default)]
struct Narrow {
    taken: Vec<FeatureVector>,
    room: usize,
}

impl FeatureSink for Narrow {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        let n = vectors.len().min(self.room);
        self.room -= n;
        self.taken.extend_from_slice(&vectors[..n]);
        n
    }
}

fn busy_grid(ts: u64, qty: u32) -> Vec<BookEvent> {
    (0..6).map(|i| add(ts * 8 + u64::from(i), i, Side::Bid, 100, qty, ts)).collect()
}

#[test]
fn when_the_scorer_is_slow_the_newest_vector_wins() {
    let mut f = featurizer(OnFull::KeepDirty);
    let mut sink = Narrow { room: 4, ..Narrow::default() };
    let go = |f: &mut Featurizer, sink: &mut Narrow, events: &[BookEvent]| {
        f.apply(events, &mut (sink, &mut (), &mut ()))
    };
    assert_eq!(go(&mut f, &mut sink, &(0..6).map(|i| define(i, T0)).collect::<Vec<_>>()), 6);
    assert_eq!(go(&mut f, &mut sink, &busy_grid(T0, 1)), 6);
    assert_eq!(go(&mut f, &mut sink, &busy_grid(T0 + STEP, 2)), 6, "events are always consumed");
    assert_eq!(outline(&sink.taken), [0, 1, 2, 3].map(|i| (Some(i), 0)));
    assert_eq!(go(&mut f, &mut sink, &[all(Action::Time, T0 + STEP + 1)]), 1);
    assert_eq!(f.counters().conflated, 2, "4 and 5 waited and were replaced");
    sink.room = 100;
    assert!(f.flush(&mut sink));
    let rest: Vec<_> = (0..6).map(|i| (Some(i), 100)).chain([(None, 100)]).collect();
    assert_eq!(outline(&sink.taken[4..]), rest);
    assert!(sink.taken[4..10].iter().all(|v| v.get(FeatureId::TopDepth) == Some(3_f64.ln())));
}

#[test]
fn closing_a_grid_point_is_spread_over_what_follows() {
    let books = BookLimits::small();
    let config = |on_full| FeaturizerConfig { books, on_full, lookahead: 8, walk: false };
    let build = |on_full| Featurizer::new(&config(on_full)).unwrap();
    let mut events: Vec<_> = (0..200).map(|i| define(i, T0)).collect();
    let quotes =
        |n: u64, ts| (0..200).map(move |i| add(n << 32 | u64::from(i), i, Side::Bid, 100, 1 + i, ts));
    events.extend(quotes(1, T0));
    let whole = events.len();
    // After the grid point the instruments have events from the last to the first: most before their turn.
    events.extend(quotes(2, T0 + 1).rev());
    events.push(all(Action::Clear, T0 + 2));
    events.extend(quotes(3, T0 + STEP));
    events.push(all(Action::Time, T0 + STEP + 1));

    let mut wanted = apply(&mut build(OnFull::Wait), &events);
    let mut live = build(OnFull::KeepDirty);
    let mut out = apply(&mut live, &events[..whole + 8]);
    // 32 of 200 are made after a block of 8 events, and go at once; those whose events came first wait for their turn.
    assert_eq!(outline(&out), (0..32).map(|i| (Some(i), 0)).collect::<Vec<_>>());
    out.extend(apply(&mut live, &events[whole + 8..]));
    assert!(out.iter().any(|v| v.grid_end == 1 && v.ts == UnixNanos(T0)));
    let mut polls = 0;
    while !live.flush(&mut out) {
        polls += 1;
        assert!(polls < 20);
    }
    assert!(polls > 2, "the second grid point is spread over polls without events");
    assert!(out == wanted);
    assert!(live.finish(&mut out) && out.len() == wanted.len());
    wanted.retain(|v| v.grid_end == 0);
    assert_eq!(wanted.len(), 400);
}

#[test]
fn a_replay_waits_for_its_scorer_and_loses_nothing() {
    let mut events: Vec<_> = (0..6).map(|i| define(i, T0)).collect();
    (0..30).for_each(|n| events.extend(busy_grid(T0 + n * STEP, 1 + n as u32)));
    let mut wanted = apply(&mut featurizer(OnFull::Wait), &events);

    let mut f = featurizer(OnFull::Wait);
    let mut sink = Narrow::default();
    let (mut from, mut rounds) = (0, 0);
    while from < events.len() {
        sink.room = 1;
        let mut sinks = (&mut sink, &mut (), &mut ());
        from += f.apply(&events[from..], &mut sinks);
        rounds += 1;
        assert!(rounds < 10_000, "no progress");
    }
    // What is left of the last closed grid point.
    sink.room = usize::MAX;
    assert!(f.flush(&mut sink));
    assert_eq!(f.counters().conflated, 0);
    assert!(sink.taken == wanted);
    wanted.clear();
    assert!(f.finish(&mut sink) && sink.taken.last().unwrap().grid_end == 1);
}

#[test]
fn the_end_of_the_input_closes_the_running_step_once() {
    let mut f = featurizer(OnFull::Wait);
    apply(&mut f, &[define(0, T0), add(1, 0, Side::Bid, 100, 5, T0 + 10)]);
    let mut out = Vec::new();
    assert!(f.finish(&mut out));
    assert_eq!(outline(&out), [(Some(0), 100), (None, 100)]);
    out.clear();
    assert!(f.finish(&mut out) && out.is_empty());
}

#[test]
fn an_earlier_day_starts_the_grid_again() {
    let mut f = featurizer(OnFull::Wait);
    apply(&mut f, &[define(0, T0), add(1, 0, Side::Bid, 100, 5, T0), all(Action::Time, T0 + STEP)]);
    let day = 86_400_000 * MS;
    apply(&mut f, &[all(Action::Clear, T0 - day), add(1, 0, Side::Bid, 100, 9, T0 - day)]);
    let out = apply(&mut f, &[all(Action::Time, T0 - day + 1)]);
    assert_eq!(out.last().unwrap().ts, UnixNanos(T0 - day));
    let vector = out.iter().rfind(|v| v.grid_end == 0).unwrap();
    assert_eq!((vector.ts, vector.get(FeatureId::TopDepth)), (UnixNanos(T0 - day), Some(9_f64.ln())));
}

#[test]
fn quotes_for_the_gate_come_once_per_chunk_and_instrument() {
    let mut f = featurizer(OnFull::Wait);
    let mut tops: Vec<(InstrumentId, TopOfBook)> = Vec::new();
    let go = |f: &mut Featurizer, tops: &mut Vec<(InstrumentId, TopOfBook)>, events: &[BookEvent]| {
        tops.clear();
        f.apply(events, &mut (&mut (), tops, &mut ()));
    };
    go(&mut f, &mut tops, &[define(0, T0), define(1, T0)]);
    assert_eq!(tops.iter().map(|t| t.0.0).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((tops[0].1.state, tops[0].1.tick, tops[0].1.last), (BookState::Live, Px(CENT), Px::NONE));

    let status = BookEvent { aux: TradingStatus::Trading as u64, ..at(Action::Status, 1, T0 + 4) };
    let quotes = [
        add(1, 1, Side::Bid, 100, 5, T0 + 1),
        add(2, 1, Side::Ask, 102, 6, T0 + 2),
        add(3, 1, Side::Bid, 101, 7, T0 + 3),
        status,
    ];
    go(&mut f, &mut tops, &quotes);
    assert_eq!(tops.len(), 1);
    assert_eq!((tops[0].1.bid, tops[0].1.bid_qty, tops[0].1.ask_qty), (Px(101 * CENT), 7, 6));
    assert_eq!(
        (tops[0].1.ask, tops[0].1.ts, tops[0].1.status),
        (Px(102 * CENT), UnixNanos(T0 + 4), TradingStatus::Trading)
    );

    go(&mut f, &mut tops, &[add(4, 1, Side::Bid, 90, 5, T0 + 5)]);
    assert!(tops.is_empty(), "a deep order moves no quote");
    let hidden = |px, flags| BookEvent {
        px: Px(px),
        qty: Qty(3),
        flags: EventFlags::LAST.with(flags),
        ..at(Action::Trade, 1, T0 + 6)
    };
    go(&mut f, &mut tops, &[hidden(CENT * 101, EventFlags::NONE)]);
    assert_eq!((tops.len(), tops[0].1.last), (1, Px(101 * CENT)));
    go(&mut f, &mut tops, &[hidden(CENT * 50, EventFlags::NON_PRINTABLE)]);
    assert!(tops.is_empty() && f.last(InstrumentId(1)) == Px(101 * CENT));
    go(&mut f, &mut tops, &[all(Action::Gap, T0 + 7)]);
    assert_eq!(tops.iter().map(|t| t.1.state).collect::<Vec<_>>(), [BookState::Stale(StaleCause::Gap); 2]);
    go(&mut f, &mut tops, &[all(Action::SessionEnd, T0 + 8)]);
    assert!(tops.len() == 2 && tops.iter().all(|t| t.1.status == TradingStatus::Closed));
}

/// An order of instrument 0 is executed under instrument 1: whoever is told of books hears of both at once.
#[test]
fn a_book_that_another_ones_event_contradicts_is_told_at_once() {
    let mut f = featurizer(OnFull::Wait);
    let first = [define(0, T0), define(1, T0), add(1, 0, Side::Bid, 100, 5, T0)];
    let mut tops: Vec<(InstrumentId, TopOfBook)> = Vec::new();
    assert_eq!(f.apply(&first, &mut (&mut (), &mut tops, &mut ())), first.len());
    tops.clear();
    let stray = BookEvent { order_id: 1, qty: Qty(5), ..at(Action::OrderExecute, 1, T0 + 1) };
    assert_eq!(f.apply(&[stray], &mut (&mut (), &mut tops, &mut ())), 1);
    let mut told: Vec<_> = tops.iter().map(|(i, top)| (i.0, top.state)).collect();
    told.sort_by_key(|(i, _)| *i);
    let mixed = BookState::Stale(StaleCause::MixedLocate);
    assert_eq!(told, [(0, mixed), (1, mixed)]);
}

/// Depth counts within five ticks. Below a dollar those are hundredths of a cent, so that a trade of 150 is most of what there is;
/// in cents it would be a hundredth.
#[test]
fn a_share_under_a_dollar_has_the_depth_of_its_own_ticks() {
    for (table, resilience) in [(1, 0.0), (0, 1.0)] {
        let mut f = featurizer(OnFull::Wait);
        let bid = |id, px_1e4: i64, qty| BookEvent {
            order_id: id,
            side: Side::Bid,
            px: Px::from_1e4(px_1e4),
            qty: Qty(qty),
            ..at(Action::OrderAdd, 0, T0 + 1)
        };
        let mut events = vec![BookEvent { qty: Qty(table), ..define(0, T0) }];
        events.extend([bid(1, 5_000, 100), bid(2, 4_998, 100), bid(3, 4_980, 10_000)]);
        events.extend((1..20).map(|n| all(Action::Time, T0 + n * STEP)));
        let hit = |id, qty| BookEvent {
            order_id: id,
            qty: Qty(qty),
            ..at(Action::OrderExecute, 0, T0 + 19 * STEP + 1)
        };
        events.extend([hit(1, 100), hit(2, 50), all(Action::Time, T0 + 21 * STEP)]);
        let out = apply(&mut f, &events);
        let newest = out.iter().rfind(|v| v.grid_end == 0).unwrap();
        assert_eq!(newest.get(FeatureId::Resilience), Some(resilience), "table {table}");
    }
}

#[test]
fn a_trade_that_the_venue_breaks_is_no_longer_the_last() {
    let mut f = featurizer(OnFull::Wait);
    let mut tops: Vec<(InstrumentId, TopOfBook)> = Vec::new();
    let mut go = |f: &mut Featurizer, event: BookEvent| {
        tops.clear();
        f.apply(&[event], &mut (&mut (), &mut tops, &mut ()));
        tops.iter().map(|(_, top)| (top.last, top.last_ts)).collect::<Vec<_>>()
    };
    let trade = |number, cents, ts| BookEvent {
        aux: number,
        px: Px(cents * CENT),
        qty: Qty(3),
        ..at(Action::Trade, 1, T0 + ts)
    };
    let broken = |number, ts| BookEvent { aux: number, ..at(Action::TradeBreak, 1, T0 + ts) };
    let cents = |n: i64, ts| vec![(Px(n * CENT), UnixNanos(T0 + ts))];
    assert_eq!(go(&mut f, define(1, T0)), [(Px::NONE, UnixNanos(0))]);
    assert_eq!(go(&mut f, trade(7, 100, 1)), cents(100, 1));
    let resting = add(1, 1, Side::Bid, 99, 5, T0 + 2);
    go(&mut f, resting);
    // An execution is a print at its order's price.
    let execution = BookEvent { order_id: 1, aux: 8, qty: Qty(1), ..at(Action::OrderExecute, 1, T0 + 3) };
    assert_eq!(go(&mut f, execution), cents(99, 3));
    assert_eq!(go(&mut f, broken(8, 4)), cents(100, 1));
    assert_eq!(go(&mut f, broken(8, 5)), cents(100, 1), "twice");
    assert_eq!(go(&mut f, trade(9, 101, 6)), cents(101, 6));
    assert_eq!(go(&mut f, broken(7, 7)), cents(101, 6), "an earlier one");
    assert_eq!(go(&mut f, broken(9, 8)), [(Px::NONE, UnixNanos(0))]);
    assert_eq!(f.last(InstrumentId(1)), Px::NONE);
    let counters = f.counters();
    assert_eq!((counters.trade_breaks, counters.lasts_taken_back), (4, 2));
}

#[derive(Default)]
struct Recorder {
    applied: Vec<(Action, Effect, usize)>,
    quotes: Vec<(u64, Px, Px)>,
}

impl Observer for Recorder {
    fn on_event_applied(&mut self, event: &BookEvent, book: &Book<'_>, effect: Effect) {
        let levels = book.level_count(Side::Bid) + book.level_count(Side::Ask);
        self.applied.push((event.action, effect, levels));
    }

    fn on_bbo(&mut self, event: &BookEvent, book: &Book<'_>) {
        self.quotes.push((event.ts_event.0 - T0, book.bbo().bid.px, book.bbo().ask.px));
    }
}

#[test]
fn an_observer_sees_every_event_and_every_change_of_the_quotes() {
    let mut f = featurizer(OnFull::Wait);
    let mut seen = Recorder::default();
    let part = |e: BookEvent| BookEvent { flags: EventFlags::NONE, ..e };
    let events = [
        define(0, T0),
        add(1, 0, Side::Bid, 100, 5, T0 + 1),
        part(add(2, 0, Side::Bid, 101, 5, T0 + 2)),
        add(3, 0, Side::Ask, 103, 5, T0 + 3),
        add(4, 0, Side::Bid, 90, 5, T0 + 4),
        BookEvent { order_id: 99, ..at(Action::OrderDelete, 0, T0 + 5) },
        all(Action::Time, T0 + 6),
        all(Action::Clear, T0 + 7),
    ];
    f.apply(&events, &mut (&mut (), &mut (), &mut seen));
    let (cents, none) = (|c: i64| Px(c * CENT), Px::NONE);
    assert_eq!(seen.quotes, [(1, cents(100), none), (3, cents(101), cents(103)), (7, none, none)]);
    assert_eq!(
        seen.applied,
        [
            (Action::Define, Effect::Unchanged, 0),
            (Action::OrderAdd, Effect::Changed, 1),
            (Action::OrderAdd, Effect::Changed, 2),
            (Action::OrderAdd, Effect::Changed, 3),
            (Action::OrderAdd, Effect::Changed, 4),
            (Action::OrderDelete, Effect::Unknown, 4),
        ]
    );
}

#[test]
fn names_are_learnt_from_definitions() {
    let mut f = featurizer(OnFull::Wait);
    apply(&mut f, &[define(3, T0)]);
    let symbol = Symbol::new("T3").unwrap();
    assert_eq!(f.symbol(InstrumentId(3)), Some(symbol));
    assert_eq!((f.find(symbol), f.find(Symbol::new("ZZZ").unwrap())), (Some(InstrumentId(3)), None));
    assert_eq!(f.symbol(InstrumentId(99)), None);
    assert!(f.memory().bytes > 1 << 20);
}

#[test]
fn the_stage_reads_its_ring_to_the_end_and_is_done() {
    let (tx, rx) = ring::<BookEvent>(64);
    let (vectors_tx, mut vectors_rx) = ring::<FeatureVector>(4);
    let mut events: Vec<_> = (0..6).map(|i| define(i, T0)).collect();
    (0..20).for_each(|n| events.extend(busy_grid(T0 + n * STEP, 1 + n as u32)));
    let mut wanted = apply(&mut featurizer(OnFull::Wait), &events);
    let mut reference = featurizer(OnFull::Wait);
    let mut whole = apply(&mut reference, &events);
    assert!(reference.finish(&mut whole));
    wanted.extend_from_slice(&whole[wanted.len()..]);

    let mut stage = FeaturizerStage::new(featurizer(OnFull::Wait), rx, (vectors_tx, (), ()));
    assert_eq!(stage.name(), "featurizer");
    let (mut from, mut out, mut done) = (0, Vec::new(), false);
    let mut feed = Some(tx);
    for _ in 0..10_000 {
        if let Some(tx) = &mut feed {
            from += tx.offer(&events[from..]);
            if from == events.len() {
                feed = None;
            }
        }
        done = stage.poll(UnixNanos(0)).status == WorkStatus::Done;
        let mut chunk = [FeatureVector::EMPTY; 3];
        let n = vectors_rx.recv(&mut chunk);
        out.extend_from_slice(&chunk[..n]);
        if done && n == 0 {
            break;
        }
    }
    assert!(done);
    assert_eq!(outline(&out), outline(&wanted));
    assert!(out == wanted);
    stage.housekeep(UnixNanos(0));
    let stats: Vec<_> = stage.counters().iter().collect();
    assert_eq!(stats[0], ("events", events.len() as u64));
    let of = |wanted: &str| stats.iter().find(|(name, _)| *name == wanted).unwrap().1;
    assert!(of("live_orders_max") >= of("live_orders") && of("live_orders_max") > 0, "{stats:?}");
    assert!(of("instruments") > 0 && of("instruments_room") >= of("instruments"), "{stats:?}");
    assert!(of("side_orders_room") >= of("side_orders_max") && of("far_levels_room") > 0, "{stats:?}");
    assert!(stats.contains(&("vectors", out.iter().filter(|v| v.grid_end == 0).count() as u64)));

    // An inline runner finds the finished stage at rest.
    let (mut tx, rx) = ring::<BookEvent>(64);
    tx.send(&[define(0, T0)]);
    drop(tx);
    let mut stage = FeaturizerStage::new(featurizer(OnFull::Wait), rx, (Vec::new(), (), ()));
    let at_rest = Inline::new(vec![&mut stage]).come_to_rest(UnixNanos(0)).unwrap();
    assert!(at_rest.done);
    let (featurizer, (vectors, (), ())) = stage.into_parts();
    assert_eq!((featurizer.counters().events, outline(&vectors)), (1, vec![(Some(0), 0), (None, 0)]));
}

/// Everything of two feeds, with whose turn it was.
#[derive(Default)]
struct Turns {
    feed: usize,
    vectors: Vec<(usize, FeatureVector)>,
    tops: Vec<(usize, BookState)>,
    gaps: Vec<(usize, bool)>,
    ended: usize,
}

impl FeatureSink for Turns {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        self.vectors.extend(vectors.iter().map(|vector| (self.feed, *vector)));
        vectors.len()
    }
}

impl featurizer::TopOfBookSink for Turns {
    fn top(&mut self, _instrument: InstrumentId, top: &TopOfBook) {
        self.tops.push((self.feed, top.state));
    }

    fn applied(&mut self, _events: &[BookEvent], gap_open: bool) {
        self.gaps.push((self.feed, gap_open));
    }
}

impl Observer for Turns {}

impl featurizer::StageSink for Turns {
    fn turn(&mut self, feed: usize) {
        self.feed = feed;
    }

    fn polled(&mut self, _featurizer: &mut Featurizer, ended: bool) -> bool {
        self.ended += usize::from(ended);
        true
    }
}

#[test]
fn each_feed_has_books_orders_a_grid_and_gaps_of_its_own() {
    let mut sink = Turns::default();
    let ((mut first, first_rx), (mut second, second_rx)) = (ring::<BookEvent>(64), ring::<BookEvent>(64));
    let mut stage = FeaturizerStage::new(featurizer(OnFull::Wait), first_rx, &mut sink);
    stage.add_feed(featurizer(OnFull::Wait), second_rx);
    // The same instrument and order numbers, a grid point apart, and a gap in the second feed.
    let order = |ts| add(7, 0, Side::Bid, 100, 5, ts);
    first.send(&[define(0, T0), order(T0)]);
    second.send(&[define(0, T0 + STEP), order(T0 + STEP), all(Action::Gap, T0 + STEP)]);
    stage.poll(UnixNanos(0));
    drop(first);
    assert_eq!(stage.poll(UnixNanos(0)).status, WorkStatus::Idle, "the second feed goes on");
    drop(second);
    Inline::new(vec![&mut stage]).come_to_rest(UnixNanos(0)).unwrap();
    stage.housekeep(UnixNanos(0));
    let count = |wanted: &str| stage.counters().iter().find(|(name, _)| *name == wanted).unwrap().1;
    let counts = ["events", "live_orders", "duplicate_orders", "gaps", "instruments"].map(count);
    assert_eq!(counts, [5, 2, 0, 1, 2]);
    let ends: Vec<_> =
        sink.vectors.iter().filter(|(_, v)| v.grid_end != 0).map(|(feed, v)| (*feed, v.ts.0)).collect();
    assert_eq!(ends, [(0, T0), (1, T0 + STEP)]);
    assert!(sink.gaps.contains(&(1, true)) && !sink.gaps.contains(&(0, true)), "{:?}", sink.gaps);
    let stale = |(feed, state): &(usize, BookState)| (*feed, matches!(state, BookState::Stale(_)));
    let tops: Vec<_> = sink.tops.iter().map(stale).collect();
    assert!(tops.contains(&(1, true)) && !tops.contains(&(0, true)), "{tops:?}");
    assert_eq!(sink.ended, 1, "the sink closes once, when the last feed has ended");
}

/// What a quote sink hears of each chunk: events in it, and whether a gap is open.
#[derive(Default)]
struct Chunks(Vec<(usize, bool)>);

impl featurizer::TopOfBookSink for Chunks {
    fn top(&mut self, _instrument: InstrumentId, _top: &TopOfBook) {}

    fn applied(&mut self, events: &[BookEvent], gap_open: bool) {
        self.0.push((events.len(), gap_open));
    }
}

#[test]
fn a_quote_sink_hears_of_every_chunk_and_of_open_gaps() {
    let event = |action| BookEvent { action, ts_event: UnixNanos(T0), ..BookEvent::EMPTY };
    let (mut tx, rx) = ring::<BookEvent>(64);
    let mut stage = FeaturizerStage::new(featurizer(OnFull::Wait), rx, (Vec::new(), Chunks::default(), ()));
    for chunk in [
        vec![define(0, T0), event(Action::Time)],
        vec![event(Action::Gap)],
        vec![event(Action::Time)],
        vec![event(Action::Clear)],
    ] {
        tx.send(&chunk);
        while stage.poll(UnixNanos(0)).items > 0 {}
    }
    let (_, (_, chunks, ())) = stage.into_parts();
    assert_eq!(chunks.0, [(2, false), (1, true), (1, true), (1, false)]);
}

/// A sink that lets at most two events through at once and closes its end when the input is over.
#[derive(Default)]
struct Careful {
    begun: Vec<(usize, UnixNanos)>,
    applied: Vec<usize>,
    blocked: bool,
    closed: bool,
}

impl FeatureSink for Careful {
    fn offer(&mut self, vectors: &[FeatureVector]) -> usize {
        vectors.len()
    }
}

impl featurizer::TopOfBookSink for Careful {
    fn top(&mut self, _instrument: InstrumentId, _top: &TopOfBook) {}

    fn applied(&mut self, events: &[BookEvent], _gap_open: bool) {
        self.applied.push(events.len());
    }
}

impl Observer for Careful {}

impl featurizer::StageSink for Careful {
    fn begin(&mut self, events: &[BookEvent], now: UnixNanos) -> usize {
        self.begun.push((events.len(), now));
        if self.blocked { 0 } else { 2 }
    }

    fn polled(&mut self, featurizer: &mut Featurizer, ended: bool) -> bool {
        assert!(featurizer.counters().events <= 5);
        self.closed |= ended && !self.blocked;
        !self.blocked
    }
}

#[test]
fn a_stage_applies_as_many_events_at_once_as_its_sink_allows() {
    let (mut tx, rx) = ring::<BookEvent>(64);
    let mut sink = Careful::default();
    tx.send(&[define(0, T0), define(1, T0), define(2, T0), define(3, T0), define(4, T0)]);
    drop(tx);
    let mut stage = FeaturizerStage::new(featurizer(OnFull::Wait), rx, &mut sink);
    assert_eq!(stage.poll(UnixNanos(7)).items, 5);
    assert_eq!(stage.poll(UnixNanos(8)).status, WorkStatus::Done);
    drop(stage);
    assert_eq!(sink.begun, [(5, UnixNanos(7)), (3, UnixNanos(7)), (1, UnixNanos(7)), (0, UnixNanos(8))]);
    assert_eq!((sink.applied, sink.closed), (vec![2, 2, 1], true));

    // While something waits for room nothing is applied, and the stage is not done.
    let (mut tx, rx) = ring::<BookEvent>(64);
    tx.send(&[define(0, T0)]);
    drop(tx);
    let mut sink = Careful { blocked: true, ..Careful::default() };
    let mut stage = FeaturizerStage::new(featurizer(OnFull::Wait), rx, &mut sink);
    let work = stage.poll(UnixNanos(7));
    assert_eq!((work.items, work.status), (0, WorkStatus::Busy));
    drop(stage);
    assert!(sink.applied.is_empty() && !sink.closed);
}
