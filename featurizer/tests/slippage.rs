//! Captured costs: decisions at grid points, filled from the book of the next one.

use featurizer::slippage::{SlippageBps, SlippageRow, UNKNOWN_SLIPPAGE};
use featurizer::{BookLimits, Featurizer, FeaturizerConfig, OnFull};
use types::{
    Action, BookEvent, EventFlags, GapCause, InstrumentId, Px, Qty, Side, Symbol, UnixNanos, WALK_COUNT,
};

const CENT: i64 = 10_000_000;
const MS: u64 = 1_000_000;
const STEP: u64 = 100 * MS;
/// A grid point to start from.
const T0: u64 = 1_700_000_000_000_000_000;

fn at(action: Action, ts: u64) -> BookEvent {
    BookEvent {
        action,
        instrument: InstrumentId(0),
        flags: EventFlags::LAST,
        ts_event: UnixNanos(ts),
        ts_recv: UnixNanos(ts + 5),
        ..BookEvent::EMPTY
    }
}

fn add(id: u64, side: Side, cents: i64, qty: u32, ts: u64) -> BookEvent {
    BookEvent { order_id: id, side, px: Px(cents * CENT), qty: Qty(qty), ..at(Action::OrderAdd, ts) }
}

fn delete(id: u64, ts: u64) -> BookEvent {
    BookEvent { order_id: id, ..at(Action::OrderDelete, ts) }
}

/// Bid 99.99 x 100; offers 100.01 x 100, 100.02 x 300: a touch of 200 around a mid of 100.
fn open_book() -> Vec<BookEvent> {
    let symbol = Symbol::new("TEST").unwrap();
    vec![
        BookEvent { order_id: symbol.to_word(), aux: 100, px: Px(CENT), ..at(Action::Define, T0 + 1) },
        add(1, Side::Bid, 9_999, 100, T0 + 2),
        add(2, Side::Ask, 10_001, 100, T0 + 3),
        add(3, Side::Ask, 10_002, 300, T0 + 4),
    ]
}

fn featurizer(on_full: OnFull) -> Featurizer {
    let books = BookLimits { instruments: 4, ..BookLimits::small() };
    let config = FeaturizerConfig { books, on_full, walk: true, ..FeaturizerConfig::default() };
    let mut f = Featurizer::new(&config).unwrap();
    f.capture_slippage();
    f
}

/// Costs as a vector carries them.
fn walk(costs: &SlippageBps) -> [f32; WALK_COUNT] {
    let flat = costs.as_flattened();
    core::array::from_fn(|i| flat[i].map_or(f32::INFINITY, |cost| cost as f32))
}

/// The rows of `events`, all applied at once.
fn rows_under(on_full: OnFull, events: &[BookEvent]) -> Vec<SlippageRow> {
    let mut f = featurizer(on_full);
    let mut out = Vec::new();
    let mut sinks = (&mut out, &mut (), &mut ());
    assert_eq!(f.apply(events, &mut sinks), events.len());
    assert!(f.finish(&mut out));
    let rows = f.take_slippage(true);
    // A row for every vector of a book that can be traded on, and no other.
    let made: Vec<UnixNanos> = out.iter().filter(|v| v.grid_end == 0).map(|v| v.ts).collect();
    assert!(rows.iter().all(|row| made.contains(&row.ts)));
    for vector in &out {
        let row = rows.iter().find(|row| row.ts == vector.ts && vector.grid_end == 0);
        assert_eq!(
            vector.walk_bps,
            walk(row.map_or(&UNKNOWN_SLIPPAGE, |row| &row.now)),
            "the capture's costs"
        );
    }
    rows
}

fn rows(events: &[BookEvent]) -> Vec<SlippageRow> {
    let rows = rows_under(OnFull::Wait, events);
    assert_eq!(rows, rows_under(OnFull::KeepDirty, events), "live and replay");
    rows
}

#[test]
fn a_decision_is_filled_from_the_book_of_the_next_grid_point() {
    let mut events = open_book();
    // The cheap offer goes in the second step, and a dearer one comes in the third, too late for the first decision.
    events.push(delete(2, T0 + STEP + 10));
    events.push(add(4, Side::Ask, 10_000, 900, T0 + 2 * STEP + 10));
    let rows = rows(&events);
    assert_eq!(rows.iter().map(|r| (r.ts.0 - T0) / STEP).collect::<Vec<_>>(), [1, 2, 3]);
    // 100 at 100.01; another 100, then 200 more, one cent dearer; there is no 800. Sellers have 100.
    assert_eq!(rows[0].now[0][..4], [Some(0.0), Some(0.5), Some(0.75), None]);
    assert_eq!(rows[0].now[1][..2], [Some(0.0), None]);
    assert_eq!(rows[0].decision.touch_qty, 200);
    assert_eq!(rows[0].next[0][..3], [Some(1.0), Some(1.0), None], "one cent above the offer decided on");
    assert_eq!(rows[0].next[1], rows[0].now[1]);
    // Of the second: 0.5 x 400 shares, decided at 100.02, filled at 100.00.
    assert_eq!(rows[1].decision.ask, Px(10_002 * CENT));
    assert!((rows[1].next[0][0].unwrap() + 2e4 * 2.0 / (9_999.0 + 10_002.0)).abs() < 1e-12);
    assert_eq!(rows[2].next, UNKNOWN_SLIPPAGE, "the input ended before the fill");
}

#[test]
fn a_book_that_nothing_happened_to_fills_as_it_stood() {
    let mut events = open_book();
    events.push(delete(2, T0 + 50 * STEP + 10));
    let rows = rows(&events);
    // Its last decision before the quiet stretch was filled at the next grid point, not when the offer went.
    let before = rows.iter().rfind(|r| r.ts.0 < T0 + 50 * STEP).unwrap();
    assert_eq!(before.decision.ask, Px(10_001 * CENT));
    for row in rows.iter().filter(|r| r.ts < before.ts) {
        assert_eq!(row.next, row.now);
    }
}

#[test]
fn a_stale_book_fills_nothing_and_allows_no_decision() {
    let mut events = open_book();
    events.push(BookEvent { qty: Qty(GapCause::Sequence as u32), ..at(Action::Gap, T0 + STEP + 10) });
    events.push(add(9, Side::Bid, 9_998, 5, T0 + 3 * STEP));
    let rows = rows(&events);
    assert_eq!(rows.iter().map(|r| (r.ts.0 - T0) / STEP).collect::<Vec<_>>(), [1]);
    assert_eq!(rows[0].next, UNKNOWN_SLIPPAGE);
}

#[test]
fn a_vector_carries_the_walk_of_its_grid_points_book_when_asked() {
    let vectors = |walk: bool| {
        let books = BookLimits { instruments: 4, ..BookLimits::small() };
        let config = FeaturizerConfig { books, walk, ..FeaturizerConfig::default() };
        let (mut f, mut out) = (Featurizer::new(&config).unwrap(), Vec::new());
        let mut sinks = (&mut out, &mut (), &mut ());
        let mut events = open_book();
        events.push(delete(2, T0 + STEP + 10));
        f.apply(&events, &mut sinks);
        assert!(f.finish(&mut out) && f.take_slippage(true).is_empty(), "no capture, no rows");
        out.retain(|v| v.grid_end == 0);
        out
    };
    let on = vectors(true);
    // 100 at 100.01, another 100 and 200 more one cent dearer, no 800; sellers have half a touch of 200, and then one of 400.
    assert_eq!(on[0].walk_bps[..5], [0.0, 0.5, 0.75, f32::INFINITY, f32::INFINITY]);
    assert_eq!(on[0].walk_bps[8..11], [0.0, f32::INFINITY, f32::INFINITY]);
    assert_eq!((on[1].walk_bps[0], on[1].walk_bps[8]), (0.0, f32::INFINITY));
    let off = vectors(false);
    assert_eq!(on.len(), off.len());
    for (on, off) in on.iter().zip(off) {
        assert!(off.walk_bps.iter().all(|bps| *bps == f32::INFINITY), "nobody asked");
        assert_eq!((on.ts, on.valid, on.values), (off.ts, off.valid, off.values));
    }
}
