//! Times `check` and `reserve` over random instruments, all checks on.
//!
//! `cargo run --release -p gate --example throughput -- [instruments] [strategies]`
//!
//! Prints, per operation, the median and the extremes over rounds of the mean time of one order in a batch. A batch of
//! independent orders measures throughput, not the latency of a lone order: the processor overlaps neighbours. In the
//! `dependent` row each order's instrument is computed from the verdict before it, which takes most of that overlap away.

use std::{hint::black_box, time::Instant};

use gate::{
    AccountId, Breaker, BreakerCause, BreakerState, BreakerTable, ClassId, Envelope, FixedScore, Gate,
    GateConfig, GateTables, LimitCause, LimitTable, OrderEvent, OrderIntent, OrderType, Permission, RefTable,
    RiskLimits, StaticTable, StaticTerms, StrategyConfig, StrategyId, Terms, TimeInForce,
};
use types::{
    BookState, InstrumentId, Nanos, Px, Qty, Side, TickTableId, Tier, TopOfBook, TradingStatus, UnixNanos,
};

const ORDERS: usize = 1 << 16;
const ROUNDS: usize = 31;
const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

const LIMITS: RiskLimits = RiskLimits {
    max_qty: Qty(5_000),
    max_notional_micros: 1_000_000_000_000,
    collar_bps: 500,
    passive_min_ticks: 2,
    max_pos_long: 1 << 40,
    max_pos_short: 1 << 40,
    order_rate_per_s: 20_000,
    order_burst: 60_000,
    margin_bps: 10_000,
};

/// xorshift64* (Vigna 2016): enough randomness to defeat the prefetchers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

fn build(instruments: usize, strategies: usize, with_model: bool) -> Gate {
    let rows: Vec<_> = (0..strategies)
        .map(|_| StrategyConfig { class: ClassId(0), order_rate_per_s: 1_000_000_000, order_burst: u32::MAX })
        .collect();
    let (mut static_writer, statics) = StaticTable::create(instruments, 1).expect("static table");
    let (mut limit_writer, dynamics) = LimitTable::create_within(&statics).expect("dynamic table");
    let (mut ref_writer, references) = RefTable::create(instruments).expect("reference table");
    let count = u16::try_from(strategies).expect("few strategies");
    let (mut breaker_writer, breakers) = BreakerTable::create(1, count, instruments).expect("breakers");
    breaker_writer.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
    let envelope = Envelope::fixed(LIMITS).expect("an envelope");
    let terms = Terms {
        tier: Tier::Normal,
        score: FixedScore::ZERO,
        lease: Nanos(60_000_000_000),
        version: 1,
        cause: LimitCause::Boot,
    };
    for i in 0..u32::try_from(instruments).expect("32 bits") {
        let (instrument, class) = (InstrumentId(i), ClassId(0));
        let lot = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
        static_writer.publish(instrument, class, &envelope, &lot, NOW).expect("a row");
        limit_writer.publish(instrument, class, &envelope.clamp(&LIMITS), &terms, NOW).expect("a row");
        ref_writer.publish(instrument, &top(i)).expect("a row");
    }
    let config = GateConfig { strategies: &rows, ref_age_max: Nanos(u64::MAX / 4), ..GateConfig::DEFAULT };
    let dynamics = with_model.then_some(dynamics);
    Gate::new(&config, GateTables { statics, dynamics, fat_finger: None, references, breakers })
        .expect("a gate")
}

/// Prices from 5 to 505, two cents wide.
fn top(i: u32) -> TopOfBook {
    let mid = Px::from_1e4(50_000 + i64::from(i % 500) * 10_000);
    TopOfBook {
        bid: Px(mid.0 - 10_000_000),
        bid_qty: 1_000,
        ask: Px(mid.0 + 10_000_000),
        ask_qty: 1_000,
        last: mid,
        last_ts: NOW,
        tick: Px(10_000_000),
        tick_table: TickTableId::US_EQUITY,
        ts: NOW,
        state: BookState::Live,
        status: TradingStatus::Trading,
    }
}

fn orders(instruments: usize, strategies: usize) -> Vec<OrderIntent> {
    let mut random = Random(42);
    (1..=ORDERS as u64)
        .map(|id| {
            let i = u32::try_from(random.below(instruments)).expect("32 bits");
            let buys = random.below(2) == 0;
            let quote = top(i);
            OrderIntent {
                cl_ord_id: id,
                px: if buys { quote.bid } else { quote.ask },
                instrument: InstrumentId(i),
                qty: Qty(100),
                strategy: StrategyId(u16::try_from(random.below(strategies)).expect("few")),
                account: AccountId(0),
                side: if buys { Side::Bid } else { Side::Ask },
                order_type: OrderType::Limit,
                tif: TimeInForce::Day,
            }
        })
        .collect()
}

/// Median, least and most of the rounds, in ns per order.
fn report(what: &str, mut rounds: Vec<f64>) {
    rounds.sort_by(f64::total_cmp);
    let (least, median, most) = (rounds[0], rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    println!("{what:<28} {median:7.1} ns/order   (least {least:.1}, most {most:.1})");
}

fn time_each(mut round: impl FnMut() -> u64) -> Vec<f64> {
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let accepted = black_box(round());
            let ns = start.elapsed().as_secs_f64() * 1e9 / ORDERS as f64;
            assert_eq!(accepted, ORDERS as u64, "every order of the benchmark is acceptable");
            ns
        })
        .collect()
}

fn checks(gate: &Gate, orders: &[OrderIntent], now: UnixNanos) -> u64 {
    orders.iter().map(|o| u64::from(gate.check(black_box(o), now).accepted())).sum()
}

/// Each order's instrument is computed from the verdict before it; every version is 1, so it is the same in the end.
fn dependent(gate: &Gate, orders: &[OrderIntent]) -> u64 {
    let (mut accepted, mut version) = (0, 1);
    for order in orders {
        let instrument = InstrumentId(order.instrument.0.wrapping_add(version).wrapping_sub(1));
        let verdict = gate.check(&OrderIntent { instrument, ..*black_box(order) }, NOW);
        accepted += u64::from(verdict.accepted());
        version = verdict.version;
    }
    accepted
}

/// Reserve, then the venue's cancel: the books are as before.
fn round_trips(gate: &mut Gate, orders: &mut [OrderIntent], next_id: &mut u64, now: UnixNanos) -> u64 {
    let mut accepted = 0;
    for order in orders {
        *next_id += 1;
        order.cl_ord_id = *next_id;
        let (verdict, reservation) = gate.reserve(order, now);
        accepted += u64::from(verdict.accepted());
        let id = reservation.map_or(0, |r| r.id());
        black_box(gate.settle(OrderEvent::Cancelled { id }));
    }
    accepted
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>().expect("a number"));
    let instruments = arguments.next().unwrap_or(8_192);
    let strategies = arguments.next().unwrap_or(1);
    let mut list = orders(instruments, strategies);
    let gate = build(instruments, strategies, true);
    println!("{instruments} instruments, {strategies} strategies, {ORDERS} orders x {ROUNDS} rounds");
    report("check", time_each(|| checks(&gate, &list, NOW)));
    report("check, dependent", time_each(|| dependent(&gate, &list)));
    let statics = build(instruments, strategies, false);
    report("check, static limits", time_each(|| checks(&statics, &list, NOW)));
    let mut gate = build(instruments, strategies, true);
    let (mut id, mut now) = (ORDERS as u64, NOW);
    let rounds = time_each(|| {
        // A second and a half a round, all of them within the lease: the rates recover.
        now = now.plus(Nanos(1_500_000_000));
        round_trips(&mut gate, &mut list, &mut id, now)
    });
    report("reserve + settle", rounds);
}
