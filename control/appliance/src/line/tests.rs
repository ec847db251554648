//! What the line promises, seen through its desk: built by the topology, fed with events by hand.

use super::ends::{ControlEnds, Ends, Line};
use super::gate_tables::{CLASS, GateSet, Listens};
use super::health::{Channels, FeedHealth};
use super::names::NameTable;
use super::notes::{LimitNote, VerdictRecord};
use super::order_file::OrderFile;
use super::spec::{DeskSpec, Follows, LineFeed, LineFiles, LineSpec, Pace};
use super::topology;
use crate::latency::Latency;
use crate::orders::OrderRow;
use control::config::{Plan, load};
use gate::{
    AccountId, Breaker, BreakerCause, BreakerKey, BreakerState, FixedScore, LimitCause, OrderIntent,
    OrderType, Permission, StaticTerms, StrategyId, Terms, TimeInForce,
};
use stage::{LiveClock, OsClock, RingRx, RingTx, Stage, WorkStatus, ring};
use std::sync::Arc;
use types::{Action, BookEvent, EventFlags, InstrumentId, Nanos, Px, Qty, Side, Symbol, Tier, UnixNanos};

const OPEN: Breaker = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };

const fn at_ms(milliseconds: u64) -> UnixNanos {
    UnixNanos(1_000 * Nanos::SECOND.0 + milliseconds * Nanos::MILLI.0)
}

const fn cents(n: i64) -> Px {
    Px(n * 10_000_000)
}

fn plan(set: &[&str]) -> Plan {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    load(&[], &set).unwrap()
}

fn order(ts: UnixNanos, id: &str) -> OrderRow {
    OrderRow {
        ts,
        cl_ord_id: id.into(),
        account: "a".into(),
        strategy: "s".into(),
        symbol: "T".into(),
        side: Side::Bid,
        qty: Qty(1),
        px: cents(10_000),
        ioc: false,
    }
}

fn event(action: Action, ts: UnixNanos, channel: u8) -> BookEvent {
    let (flags, instrument) = (EventFlags::LAST, InstrumentId(0));
    BookEvent { action, ts_event: ts, ts_recv: ts, channel, flags, instrument, ..BookEvent::EMPTY }
}

/// An instrument with a quote of 100.00 to 100.01, at `ts`.
fn opening(ts: UnixNanos) -> Vec<BookEvent> {
    let define = BookEvent { order_id: Symbol::new("T").unwrap().to_word(), ..event(Action::Define, ts, 0) };
    let add =
        |id, side, px| BookEvent { order_id: id, side, px, qty: Qty(100), ..event(Action::OrderAdd, ts, 0) };
    let clear = BookEvent { instrument: InstrumentId::ALL, ..event(Action::Clear, ts, 0) };
    let status = BookEvent { aux: types::TradingStatus::Trading as u64, ..event(Action::Status, ts, 0) };
    vec![clear, define, status, add(1, Side::Bid, cents(10_000)), add(2, Side::Ask, cents(10_001))]
}

/// A message that changes no book.
fn alive(ts: UnixNanos, channel: u8) -> BookEvent {
    BookEvent { instrument: InstrumentId::ALL, ..event(Action::Time, ts, channel) }
}

fn build(plan: &Plan, pace: Pace, rows: &[OrderRow], channels: usize) -> (Line<()>, Ends, RingTx<BookEvent>) {
    let (events, rx) = ring(256);
    let source = (!rows.is_empty()).then(|| Box::new(OrderFile::new(Arc::from(rows))) as Box<_>);
    let spec = LineSpec {
        plan,
        pace,
        clock: LiveClock::Os(OsClock),
        scorer: None,
        files: LineFiles::default(),
        desks: vec![DeskSpec {
            accounts: 1,
            strategies: 1,
            listens: Listens::Nothing,
            names: NameTable::of(rows),
            source,
            route: None,
            measured: false,
            shared: false,
        }],
        observer: (),
        follows: Follows::Nobody,
        latency: &mut Latency::default(),
    };
    let channels = Channels::new(channels, FeedHealth::default());
    let feed = LineFeed { channels, ..LineFeed::only(plan, rx) };
    let (line, ends) = topology::build(spec, vec![feed]).unwrap();
    (line, ends, events)
}

fn slugs(records: &mut RingRx<VerdictRecord>) -> Vec<&'static str> {
    let mut out = Vec::new();
    records.drain(usize::MAX, |new| out.extend(new.iter().map(|record| record.verdict.slug())));
    out
}

/// What the gate says to `rows` of a replay of `events`.
fn replayed(events: &[BookEvent], rows: &[OrderRow], channels: usize) -> Vec<&'static str> {
    replayed_under(&plan(&["book.instruments=16", "book.orders=1024"]), events, rows, channels)
}

/// The same under `plan`.
fn replayed_under(
    plan: &Plan,
    events: &[BookEvent],
    rows: &[OrderRow],
    channels: usize,
) -> Vec<&'static str> {
    let (mut line, mut ends, mut tx) =
        build(plan, Pace::Simulated { score_latency: Nanos(0) }, rows, channels);
    assert_eq!(tx.send(events), events.len());
    drop(tx);
    for _ in 0..10_000 {
        line.books.poll(UnixNanos(0));
        if line.desk.poll(UnixNanos(0)).status == WorkStatus::Done {
            return slugs(&mut ends.verdicts[0]);
        }
    }
    panic!("the line does not end");
}

#[test]
fn silence_in_a_capture_is_judged_without_knowledge_of_what_comes_after_it() {
    let mut events = opening(at_ms(0));
    events.extend([alive(at_ms(1_000), 0), alive(at_ms(41_000), 0)]);
    let times = [1_500, 5_900, 6_100, 40_999, 41_000, 41_001];
    let rows: Vec<_> = times.iter().map(|ms| order(at_ms(*ms), &ms.to_string())).collect();
    assert_eq!(replayed(&events, &rows, 1), ["", "", "REF_STALE", "REF_STALE", "", ""]);
}

#[test]
fn an_unchanged_quote_ages_while_a_gap_is_open_or_a_channel_is_silent() {
    let steady = |channel| (1..=10).map(move |s| alive(at_ms(s * 1_000), channel));
    let rows = [order(at_ms(10_000), "1")];
    let mut events = opening(at_ms(0));
    events.extend(steady(0));
    assert_eq!(replayed(&events, &rows, 1), [""]);
    assert_eq!(replayed(&events, &rows, 2), ["REF_STALE"], "the other channel was never heard");
    let mut both: Vec<_> = events.iter().copied().chain(steady(1)).collect();
    both.sort_by_key(|event| event.ts_event);
    assert_eq!(replayed(&both, &rows, 2), [""]);
    let gap = BookEvent { instrument: InstrumentId::ALL, ..event(Action::Gap, at_ms(2_000), 0) };
    events.insert(6, gap);
    assert_eq!(replayed(&events, &rows, 1), ["REF_STALE"], "what was lost may have changed it");
}

#[test]
fn a_replay_is_held_to_the_restricted_list_by_the_names_of_its_orders() {
    let mut events = opening(at_ms(0));
    events.push(alive(at_ms(1_000), 0));
    let rows = [order(at_ms(100), "1")];
    let OrderRow { symbol, strategy, account, .. } = &rows[0];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("list.csv");
    let verdict = |line: String| {
        std::fs::write(&file, format!("symbol,strategy,account,side\n{line}\n")).unwrap();
        let named = format!("restricted.file={:?}", file.display().to_string());
        let (strategy, account) = (format!("strategy.{strategy}={{}}"), format!("account.{account}={{}}"));
        let set =
            ["book.instruments=16", "book.orders=1024", &strategy, &account, "strategy.other={}", &named];
        replayed_under(&plan(&set), &events, &rows, 1)
    };
    assert_eq!(verdict(format!("{symbol},,,")), ["RESTRICTED"]);
    assert_eq!(verdict(format!("{symbol},{strategy},,")), ["RESTRICTED"]);
    assert_eq!(verdict(format!("{symbol},,{account},")), ["RESTRICTED"]);
    assert_eq!(verdict(format!("{symbol},other,,")), [""], "somebody else");
    assert_eq!(verdict("ELSE,,,".to_owned()), [""]);
}

#[test]
fn a_replay_is_held_to_the_locates_by_the_accounts_of_its_orders() {
    let mut events = opening(at_ms(0));
    events.push(alive(at_ms(1_000), 0));
    let rows = [OrderRow { side: Side::Ask, ..order(at_ms(100), "1") }];
    let OrderRow { symbol, account, qty, .. } = &rows[0];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("locates.csv");
    let verdict = |line: String| {
        std::fs::write(&file, format!("account,symbol,quantity\n{line}\n")).unwrap();
        let named = format!("locates.file={:?}", file.display().to_string());
        let account = format!("account.{account}={{}}");
        let set = ["book.instruments=16", "book.orders=1024", &account, "account.other={}", &named];
        replayed_under(&plan(&set), &events, &rows, 1)
    };
    let without = replayed_under(&plan(&["book.instruments=16", "book.orders=1024"]), &events, &rows, 1);
    assert_eq!(without, [""], "nobody is held to locates");
    assert_eq!(verdict(String::new()), ["LOCATE"]);
    assert_eq!(verdict(format!("{account},{symbol},{}", qty.0 - 1)), ["LOCATE"]);
    assert_eq!(verdict(format!("{account},{symbol},{}", qty.0)), [""]);
    assert_eq!(verdict(format!("*,{symbol},{}", qty.0)), [""]);
    assert_eq!(verdict(format!("other,{symbol},{}", qty.0)), ["LOCATE"], "somebody else's");
}

#[test]
fn an_id_that_comes_again_or_is_missing_is_refused() {
    let mut events = opening(at_ms(0));
    events.push(alive(at_ms(1_000), 0));
    let unnamed = OrderRow { account: String::new(), ..order(at_ms(400), "4") };
    let rows = [order(at_ms(100), "1"), order(at_ms(200), "1"), order(at_ms(300), ""), unnamed];
    assert_eq!(replayed(&events, &rows, 1), ["", "DUPLICATE", "BAD_FIELD", "UNKNOWN_ACCOUNT"]);
}

/// A live line that has heard the opening, its control plane's part done.
fn open_live(plan: &Plan, rows: &[OrderRow]) -> (Line<()>, Ends, ControlEnds) {
    let (mut line, mut ends, mut tx) = build(plan, Pace::Live, rows, 1);
    let mut control = ends.control.take().unwrap();
    control.breakers.set_unset(OPEN);
    let events = opening(at_ms(0));
    assert_eq!(tx.send(&events), events.len());
    line.books.poll(at_ms(1));
    let mut named = 0;
    control.definitions.drain(usize::MAX, |new| named += new.len());
    assert_eq!(named, 1, "the cold thread is told of the instrument");
    let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
    control.statics.publish(InstrumentId(0), CLASS, &plan.limits.default, &terms, at_ms(1)).unwrap();
    (line, ends, control)
}

#[test]
fn live_the_desk_judges_counts_and_logs_and_never_waits_for_the_log() {
    let plan = plan(&["book.instruments=16", "book.orders=1024", "orders.ring_records=64"]);
    let mut rows: Vec<_> = (0..100).map(|n| order(at_ms(2 + n), &n.to_string())).collect();
    rows[7].symbol = "NOBODY".into();
    let (mut line, mut ends, control) = open_live(&plan, &rows);
    line.desk.poll(at_ms(1));
    assert_eq!(control.orders.iter().map(|(_, n)| n).sum::<u64>(), 0, "no order is due");
    line.desk.poll(at_ms(500));
    let counts: Vec<_> = control.orders.iter().collect();
    // All but the nameless one until the order rate is used up.
    assert_eq!(counts, [("accepted", 29), ("flagged", 0), ("rejected", 71)]);
    let logged = slugs(&mut ends.verdicts[0]);
    assert_eq!((logged.len(), logged[6], logged[7]), (64, "", "UNKNOWN_INSTRUMENT"));
    assert_eq!(ends.verdicts[0].counters().dropped(), 36, "what the log has no room for is counted");
}

#[test]
fn a_question_is_answered_by_the_desk_that_owns_the_gate() {
    let plan = plan(&["book.instruments=16", "book.orders=1024"]);
    let (mut line, ends, mut control) = open_live(&plan, &[]);
    assert!(ends.verdicts.is_empty(), "nobody trades through it, so no ring of verdicts waits for any");
    let intent = OrderIntent {
        cl_ord_id: u64::MAX,
        px: cents(10_000),
        instrument: InstrumentId(0),
        qty: Qty(1_000_000),
        strategy: StrategyId(0),
        account: AccountId(0),
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
    };
    let (tx, rx) = std::sync::mpsc::channel();
    let asker = std::thread::spawn(move || {
        let explanation = control.asker.ask(&intent);
        tx.send(()).unwrap();
        explanation
    });
    while rx.try_recv().is_err() {
        line.desk.poll(at_ms(2));
    }
    let explanation = asker.join().unwrap().expect("an answer");
    assert_eq!(explanation.verdict.slug(), "QTY_STATIC");
    // A desk that does not poll leaves a question without an answer, and nothing waits for ever.
    let (_line, _ends, mut control) = open_live(&plan, &[]);
    assert!(control.asker.ask(&intent).is_none());
}

#[test]
fn a_trip_is_in_the_breaker_with_the_limits_and_before_any_latch() {
    let plan = plan(&["book.instruments=16"]);
    let mut set = GateSet::new(&plan, 1, 1, Listens::Limits, false).unwrap();
    set.breakers.set_unset(OPEN);
    let instrument = InstrumentId(0);
    let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
    set.statics.publish(instrument, CLASS, &plan.limits.default, &terms, at_ms(0)).unwrap();
    let score = FixedScore::from_f64(0.999).unwrap();
    let (lease, cause) = (Nanos::SECOND, LimitCause::Boot);
    let limits = gate::effective_limits(&plan.limits.default, Tier::Normal, &gate::Overlay::DEFAULT);
    let mut note = LimitNote {
        effective: at_ms(1),
        instrument,
        limits,
        terms: Terms { tier: Tier::Normal, score, lease, version: 1, cause },
        trip: false,
    };
    let model = set.model.as_mut().unwrap();
    assert_eq!(model.limits(&note), None);
    note.trip = true;
    assert_eq!(model.limits(&note), Some(1));
    let intent = OrderIntent {
        cl_ord_id: 1,
        px: cents(10_000),
        instrument,
        qty: Qty(1),
        strategy: StrategyId(0),
        account: AccountId(0),
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
    };
    let halted = |set: &GateSet| {
        let explanation = set.gate.explain(&intent, at_ms(2));
        explanation.breaches().any(|breach| breach.reason == gate::RejectReason::HaltedInstrument)
    };
    assert!(halted(&set), "nobody has latched it");
    set.breakers.set(BreakerKey::Instrument(instrument), OPEN).unwrap();
    assert!(halted(&set), "a reset of something else");
    set.breakers.take_trips(instrument, 1).unwrap();
    assert!(!halted(&set));
}

#[test]
fn live_a_last_trade_ages_by_the_machines_clock_and_not_by_the_venues() {
    let plan = plan(&["book.instruments=16", "book.orders=1024"]);
    // The capture that is played is ten hours old.
    let at = |s: u64| UnixNanos(at_ms(0).0 + (36_000 + s) * Nanos::SECOND.0);
    let rows = [order(at(1), "young"), order(at(60), "a minute"), order(at(61), "old")];
    let (mut line, mut ends, mut tx) = build(&plan, Pace::Live, &rows, 1);
    let mut control = ends.control.take().unwrap();
    control.breakers.set_unset(OPEN);
    // A mid first: the trade is a reference by being near it.
    let one_sided = [
        BookEvent { order_id: 2, ..event(Action::OrderDelete, at_ms(1), 0) },
        BookEvent { px: cents(10_000), qty: Qty(5), aux: 7, ..event(Action::Trade, at_ms(2), 0) },
    ];
    for events in [&opening(at_ms(0))[..], &one_sided] {
        assert_eq!(tx.send(events), events.len());
        line.books.poll(at(0));
    }
    let terms = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
    control.statics.publish(InstrumentId(0), CLASS, &plan.limits.default, &terms, at(0)).unwrap();
    for second in [1, 60, 61] {
        assert_eq!(tx.send(&[alive(at_ms(second * 1_000), 0)]), 1);
        line.books.poll(at(second));
        line.desk.poll(at(second));
    }
    assert_eq!(slugs(&mut ends.verdicts[0]), ["", "", "REF_STALE"]);
}

/// One more level of offers, or of bids.
fn level(id: u64, side: Side, px: Px, ts: UnixNanos) -> BookEvent {
    BookEvent { order_id: id, side, px, qty: Qty(100), ..event(Action::OrderAdd, ts, 0) }
}

#[test]
fn a_market_order_is_judged_by_the_levels_behind_the_touch() {
    let mut events = opening(at_ms(0));
    events.push(level(6, Side::Ask, cents(10_003), at_ms(0)));
    events.push(BookEvent { order_id: 6, ..event(Action::OrderDelete, at_ms(0), 0) });
    // Behind the touch, without a change of the quote and at once: near, and beyond the collar.
    events.push(level(3, Side::Ask, cents(10_002), at_ms(100)));
    events.push(level(4, Side::Ask, cents(15_000), at_ms(200)));
    events.push(level(5, Side::Bid, cents(5_000), at_ms(300)));
    // The near one goes.
    events.push(BookEvent { order_id: 3, ..event(Action::OrderDelete, at_ms(400), 0) });
    events.push(alive(at_ms(500), 0));
    let market =
        |ms, side, qty| OrderRow { px: Px::NONE, side, qty: Qty(qty), ..order(at_ms(ms), &ms.to_string()) };
    let rows = [
        market(50, Side::Bid, 101),
        market(150, Side::Bid, 200),
        market(151, Side::Bid, 201),
        market(250, Side::Bid, 201),
        market(251, Side::Ask, 101),
        market(350, Side::Ask, 101),
        market(450, Side::Bid, 100),
        market(451, Side::Bid, 101),
    ];
    let verdicts = replayed(&events, &rows, 1);
    assert_eq!(verdicts, ["DEPTH", "", "DEPTH", "COLLAR", "DEPTH", "COLLAR", "", "COLLAR"]);
}
