//! The streaming features against values recomputed from the whole history at every grid point.

use std::collections::{BTreeMap, BTreeSet};

use featurizer::features::formula;
use featurizer::{Bbo, BookLimits, Featurizer, FeaturizerConfig, OnFull};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use types::{
    Action, BookEvent, BookLevel, EventFlags, FEATURE_COUNT, FEATURES, FeatureId, FeatureVector,
    InstrumentId, Px, Qty, Side, Symbol, UnixNanos,
};

const CENT: i64 = 10_000_000;
const GRID: u64 = 100_000_000;
const START: u64 = 1_700_000_000_000_000_000;
const INSTRUMENTS: u32 = 3;

/// Everything that ever happened to one instrument.
#[derive(Default)]
struct History {
    orders: BTreeMap<u64, (Side, i64, u64)>,
    bbo: Option<Bbo>,
    /// Grid step, is it an order message, is it a cancel.
    messages: Vec<(u64, bool, bool)>,
    /// Grid step, order flow, depth at the touch.
    quotes: Vec<(u64, i64, u64)>,
    /// Time, side, quantity, best price before, number of the event.
    trades: Vec<(u64, Side, u64, Px, usize)>,
    /// Time and levels (best first) after every event.
    changes: Vec<(u64, [Vec<BookLevel>; 2])>,
    /// Grid number, mid if the quotes gave one, depth of both sides from their own best.
    points: Vec<(u64, Option<i64>, [u64; 2])>,
    /// Grid number, spread if there was one, thinner depth and one more, order messages of ten seconds, and those per trade, one more of both.
    seen: Vec<(u64, [Option<f64>; 4])>,
    first_step: Option<u64>,
    last_quote: u64,
    last_event: u64,
}

impl History {
    fn levels(&self, side: Side) -> Vec<BookLevel> {
        let mut by_price: BTreeMap<i64, (u64, u32)> = BTreeMap::new();
        for (_, px, qty) in self.orders.values().filter(|o| o.0 == side) {
            let level = by_price.entry(*px).or_default();
            *level = (level.0 + qty, level.1 + 1);
        }
        let level = |(px, (qty, n)): (i64, (u64, u32))| BookLevel { px: Px(px), qty, order_count: n };
        match side {
            Side::Bid => by_price.into_iter().rev().map(level).collect(),
            Side::Ask => by_price.into_iter().map(level).collect(),
        }
    }

    fn quote(&self) -> Bbo {
        let best = |side| self.levels(side).first().copied().unwrap_or(BookLevel::NONE);
        Bbo { bid: best(Side::Bid), ask: best(Side::Ask) }
    }

    fn take(&mut self, id: u64, qty: u64) -> Option<(Side, i64, u64)> {
        let order = self.orders.get_mut(&id)?;
        let taken = (order.0, order.1, qty.min(order.2));
        order.2 -= taken.2;
        if order.2 == 0 {
            self.orders.remove(&id);
        }
        Some(taken)
    }

    fn apply(&mut self, step: u64, e: &BookEvent) {
        let before = self.bbo.unwrap_or(Bbo::NONE);
        self.first_step.get_or_insert(step);
        self.last_event = self.last_event.max(e.ts_event.0);
        let best = |side| if side == Side::Bid { before.bid.px } else { before.ask.px };
        let (mut changed, qty) = (true, u64::from(e.qty.0));
        match e.action {
            Action::OrderAdd => drop(self.orders.insert(e.order_id, (e.side, e.px.0, qty))),
            Action::OrderDelete => changed = self.take(e.order_id, u64::MAX).is_some(),
            Action::OrderReduce => changed = self.take(e.order_id, qty).is_some(),
            Action::OrderExecute => {
                let taken = self.take(e.order_id, qty);
                changed = taken.is_some();
                if let Some((side, _, qty)) = taken {
                    self.trades.push((e.ts_event.0, side, qty, best(side), self.changes.len()));
                }
            }
            Action::OrderReplace => {
                let old = self.take(e.order_id, u64::MAX);
                changed = old.is_some();
                if let Some((side, _, _)) = old {
                    self.orders.insert(e.aux, (side, e.px.0, qty));
                }
            }
            Action::Trade => {
                changed = false;
                self.trades.push((e.ts_event.0, e.side, qty, best(e.side), self.changes.len()));
            }
            _ => changed = false,
        }
        let cancel = matches!(e.action, Action::OrderDelete | Action::OrderReduce);
        let trade = matches!(e.action, Action::OrderExecute | Action::Trade);
        if e.action != Action::Define {
            self.messages.push((step, !trade, cancel));
        }
        self.changes.push((e.ts_event.0, [self.levels(Side::Bid), self.levels(Side::Ask)]));
        if changed {
            let after = self.quote();
            if after.differs(&before) {
                // The first quote starts the chain.
                let flow = if self.quotes.is_empty() { 0 } else { formula::order_flow(&before, &after) };
                self.quotes.push((step, flow, after.bid.qty + after.ask.qty));
                self.last_quote = e.ts_event.0;
            }
            self.bbo = Some(after);
        }
    }

    fn close(&mut self, grid: u64) {
        let quote = self.quote();
        let mid = formula::is_open(&quote).then(|| quote.mid().0);
        let depth = [Side::Bid, Side::Ask].map(|side| {
            let levels = self.levels(side);
            levels.first().map_or(0, |best| depth_from(&levels, side, best.px))
        });
        self.points.push((grid, mid, depth));
        let recent = || self.messages.iter().rev().take_while(|m| m.0 + 100 > grid);
        let [orders, trades] = [true, false].map(|is_order| recent().filter(|m| m.1 == is_order).count() + 1);
        let depth = Some((depth[0].min(depth[1]) + 1) as f64);
        let orders = [orders as f64, orders as f64 / trades as f64].map(Some);
        self.seen.push((grid, [formula::spread_bps(&quote), depth, orders[0], orders[1]]));
    }

    /// Returns of the grid steps in `(grid - window, grid]` that have a mid at both ends.
    fn returns(&self, grid: u64, window: u64) -> Vec<f64> {
        let mut mids = BTreeMap::new();
        let mut last = None;
        for (at, mid, _) in &self.points {
            last = mid.or(last);
            if let Some(mid) = last {
                mids.insert(*at, mid);
            }
        }
        let mid_at = |at: u64| mids.range(..=at).next_back().map(|(_, mid)| *mid);
        (grid + 1 - window..=grid).filter_map(|k| formula::log_return(mid_at(k - 1)?, mid_at(k)?)).collect()
    }

    fn resilience(&self, grid: u64) -> Option<f64> {
        let points: Vec<_> = self.points.iter().filter(|p| p.0 <= grid).collect();
        if points.len() < 10 {
            return None;
        }
        // The last shock: bursts are found by walking all trades.
        let mut burst: Option<(u64, Side, u64, Px)> = None;
        let mut shock: Option<(u64, Side, Px, f64)> = None;
        for (ts, side, qty, best, _) in self.trades.iter().filter(|t| t.0 <= grid * GRID) {
            burst = match burst {
                Some((start, of, volume, reference)) if of == *side && ts - start <= 10_000_000 => {
                    Some((start, of, volume + qty, reference))
                }
                _ => Some((*ts, *side, *qty, *best)),
            };
            let (start, side, volume, reference) = burst.unwrap();
            let samples: Vec<f64> =
                points.iter().filter(|p| p.0 * GRID < *ts).map(|p| p.2[side.index()] as f64).collect();
            let pre = mean(&samples);
            let same = shock.is_some_and(|s| (s.0, s.1) == (start, side));
            if samples.len() >= 10 && reference.is_some() && pre > 0.0 && volume as f64 >= 0.5 * pre && !same
            {
                shock = Some((start, side, reference, pre));
            }
        }
        let Some((start, side, reference, pre)) = shock.filter(|s| grid * GRID - s.0 <= 30_000_000_000)
        else {
            return Some(1.0);
        };
        // The least depth is sought from the trade that made the shock on, which is the first of the burst big enough.
        let mut volume = 0.0;
        let made = self
            .trades
            .iter()
            .filter(|t| t.0 >= start && t.1 == side)
            .find(|t| {
                volume += t.2 as f64;
                volume >= 0.5 * pre
            })
            .unwrap()
            .4;
        let seen = |change: &(u64, [Vec<BookLevel>; 2])| depth_from(&change.1[side.index()], side, reference);
        let post = self.changes[made..].iter().filter(|c| c.0 <= start + 10_000_000).map(seen).min();
        let now = self.changes.iter().rfind(|c| c.0 <= grid * GRID).map_or(0, seen);
        Some(formula::recovered_share(pre, post.unwrap_or(u64::MAX), now))
    }

    fn features(&self, grid: u64) -> [Option<f64>; FEATURE_COUNT] {
        let bbo = self.bbo.unwrap_or(Bbo::NONE);
        let (bids, asks) = (self.levels(Side::Bid), self.levels(Side::Ask));
        let first = |levels: &[BookLevel], n: usize| levels[..levels.len().min(n)].to_vec();
        let touch = bbo.bid.qty + bbo.ask.qty;
        let flow = |window: u64| {
            let inside: Vec<_> = self.quotes.iter().filter(|q| q.0 > grid - window && q.0 <= grid).collect();
            if inside.is_empty() {
                return (touch > 0).then_some(0.0);
            }
            let depth = inside.iter().map(|q| q.2).sum();
            formula::normalised_flow(inside.iter().map(|q| q.1).sum(), depth, inside.len() as u64)
        };
        let volatility = |window: u64| {
            let returns = self.returns(grid, window);
            (returns.len() as u64 * 2 >= window)
                .then(|| returns.iter().map(|r| r * r).sum::<f64>().sqrt() * 1e4)
        };
        let recent: Vec<_> = self.messages.iter().filter(|m| m.0 > grid - 100 && m.0 <= grid).collect();
        let count = |f: &dyn Fn(&(u64, bool, bool)) -> bool| recent.iter().filter(|m| f(m)).count() as u64;
        let (orders, cancels, trades) = (count(&|m| m.1), count(&|m| m.2), count(&|m| !m.1));
        let memory = self.memory(grid);
        let of = |i: usize| memory.map(|values| values[i]);
        let beyond = |i: usize| of(i).filter(|v| !v.is_nan());
        let standing = self.standing(grid);
        [
            formula::spread_bps(&bbo),
            formula::queue_imbalance(bbo.bid.qty, bbo.ask.qty),
            formula::book_pressure(&first(&bids, 5), &first(&asks, 5)),
            formula::book_pressure(&first(&bids, 10), &first(&asks, 10)),
            flow(1),
            flow(10),
            formula::microprice_offset(&bbo),
            volatility(10),
            volatility(600),
            formula::trade_to_order(trades, orders),
            formula::cancel_ratio(cancels, orders),
            formula::top_depth(bbo.bid.qty, bbo.ask.qty),
            self.resilience(grid),
            of(0),
            of(1),
            of(2),
            beyond(3),
            beyond(4),
            beyond(5),
            beyond(6),
            beyond(7),
            beyond(8),
            beyond(9),
            beyond(10),
            standing[0],
            standing[1],
            standing[2],
            standing[3],
            standing[4],
        ]
    }

    /// Spread, depth and orders in their usual, and the moves over 10 s and 2 min, walked through every grid step since the first.
    fn standing(&self, grid: u64) -> [Option<f64>; 5] {
        let last = |k: u64| self.seen.partition_point(|s| s.0 <= k).checked_sub(1).map(|i| self.seen[i].1);
        let first = self.seen.first().map_or(grid, |s| s.0);
        // Mean over a second, usual value, what enters it, steps; of each number.
        let mut means = [(f64::NAN, 0.0_f64, 0.0_f64, 0_u64); 4];
        let mut now = [None; 4];
        for k in first..=grid {
            for (i, number) in last(k).unwrap_or_default().into_iter().enumerate() {
                let (present, usual, enters, steps) = &mut means[i];
                if number != now[i] {
                    now[i] = number;
                    let held = number.map(|x| x.clamp(*usual / 4.0, *usual * 4.0));
                    *enters = if *steps < 600 { number } else { held }.unwrap_or(0.0);
                }
                let Some(x) = number else { continue };
                *present = if present.is_nan() { x } else { x + (*present - x) * (-0.1_f64).exp() };
                *steps += 1;
                *usual += (*enters - *usual) / if *steps <= 600 { *steps as f64 } else { 6_000.0 };
            }
        }
        let usual = |i: usize| (means[i].3 >= 600).then_some(means[i].1);
        let in_usual = |i: usize, x: Option<f64>| Some(now[i].and(x)? / usual(i)?);
        let mids = self.mids();
        let moved = |seconds: u64| self.moved(&mids, grid, seconds, usual(0)?);
        [
            in_usual(0, Some(means[0].0)),
            in_usual(1, Some(means[1].0)),
            in_usual(2, now[2]).zip(in_usual(3, now[3])).map(|(one, other)| one.min(other)),
            moved(10),
            moved(120),
        ]
    }

    /// The mid at each point from the first one on that had one.
    fn mids(&self) -> BTreeMap<u64, i64> {
        let mut last = None;
        let mid = |(at, mid, _): &(u64, Option<i64>, [u64; 2])| {
            last = mid.or(last);
            Some((*at, last?))
        };
        self.points.iter().filter_map(mid).collect()
    }

    fn moved(&self, mids: &BTreeMap<u64, i64>, grid: u64, seconds: u64, spread_bps: f64) -> Option<f64> {
        let mid_at = |at: u64| mids.range(..=at).next_back().map(|(_, mid)| *mid);
        let (first, _) = mids.first_key_value()?;
        let (mut square, mut steps) = (0.0_f64, 0_u64);
        for k in first + 1..=grid {
            let bps = formula::log_return(mid_at(k - 1)?, mid_at(k)?)? * 1e4;
            steps += 1;
            square += (bps * bps - square) / if steps <= 600 { steps as f64 } else { 6_000.0 };
        }
        let before = mid_at(((grid / 10).checked_sub(seconds)? * 10 + 9).min(grid))? as f64;
        let usual = ((10 * seconds) as f64 * square + spread_bps * spread_bps).sqrt();
        (steps >= 600).then(|| (mid_at(grid).unwrap() as f64 - before) / before * 1e4 / usual)
    }

    /// Means of the flow, excesses and campaigns with their runs, walked through every grid step since the first quote.
    fn memory(&self, grid: u64) -> Option<[f64; 11]> {
        let first = self.quotes.first().map(|q| q.0).filter(|first| *first <= grid)?;
        let mut flows: BTreeMap<u64, (i64, u64, u64)> = BTreeMap::new();
        for (step, flow, depth) in &self.quotes {
            let sum = flows.entry(*step).or_default();
            *sum = (sum.0 + flow, sum.1 + depth, sum.2 + 1);
        }
        let keep = [1.0_f64, 5.0, 30.0].map(|tau| (-0.1 / tau).exp());
        // Selling and buying with an allowance of 0.5, then with one of 0.35.
        let (mut means, mut excess, mut since) = ([0.0_f64; 3], [0.0_f64; 4], [0; 4]);
        let (mut square, mut count) = (0.0_f64, 0_u32);
        for step in first..=grid {
            let flow = flows.get(&step).and_then(|s| formula::normalised_flow(s.0, s.1, s.2));
            for (mean, keep) in means.iter_mut().zip(keep) {
                *mean = *mean * keep + (1.0 - keep) * flow.unwrap_or(0.0);
            }
            let scale = if count >= 300 { square.sqrt() } else { 0.0 };
            if scale > 0.0 {
                let deviation = (flow.unwrap_or(0.0) / scale).clamp(-4.0, 4.0);
                for (side, deviation) in
                    [-deviation, deviation, -deviation, deviation].into_iter().enumerate()
                {
                    let allowance = if side < 2 { 0.5 } else { 0.35 };
                    since[side] = if excess[side] == 0.0 { step } else { since[side] };
                    excess[side] = (excess[side] + deviation - allowance).clamp(0.0, 100.0);
                }
            }
            if let Some(flow) = flow {
                let most = if scale > 0.0 { 4.0 * scale } else { f64::INFINITY };
                count = (count + 1).min(3_000);
                square += (flow.abs().min(most).powi(2) - square) / f64::from(count);
            }
        }
        let run = |side: usize| if excess[side] > 0.0 { (grid + 1 - since[side]) as f64 / 10.0 } else { 0.0 };
        let known = if count >= 300 && square > 0.0 { 1.0 } else { f64::NAN };
        let [selling, buying, patient_selling, patient_buying] = excess.map(|sum| known * sum);
        let [run_0, run_1, run_2, run_3] = [0, 1, 2, 3].map(|side| known * run(side));
        let [m0, m1, m2] = means;
        Some([m0, m1, m2, selling, buying, run_0, run_1, patient_selling, patient_buying, run_2, run_3])
    }
}

/// Exponential mean with a time constant of ten samples, from its definition as a weighted sum. The sum runs over differences
/// from the first sample, so that equal samples have exactly that mean: a shock of exactly half the depth is one, and a book
/// that is as deep as ever has no deficit.
fn mean(samples: &[f64]) -> f64 {
    let keep = (-0.1_f64).exp();
    let Some((first, rest)) = samples.split_first() else { return 0.0 };
    let weighed = |(age, x): (usize, &f64)| (1.0 - keep) * keep.powi(age as i32) * (x - first);
    first + rest.iter().rev().enumerate().map(weighed).sum::<f64>()
}

#[test]
fn the_mean_of_equal_samples_is_the_sample() {
    assert!((1..200).all(|n| mean(&vec![7.0; n]).to_bits() == 7.0_f64.to_bits()));
}

fn depth_from(levels: &[BookLevel], side: Side, reference: Px) -> u64 {
    let worse = |px: i64| if side == Side::Bid { reference.0 - px } else { px - reference.0 };
    levels.iter().take(10).filter(|l| worse(l.px.0) < 5 * CENT).map(|l| l.qty).sum()
}

#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    instrument: u32,
    id: u64,
    ask: bool,
    ticks: i64,
    qty: u32,
    wait: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        40 => Just(0_u64),
        20 => 1_u64..8_000_000,
        20 => 1_u64..70_000_000,
        3 => 100_000_000_u64..2_000_000_000,
    ];
    (0_u8..100, 0..INSTRUMENTS, 0_u64..40, any::<bool>(), 0_i64..14, 1_u32..600, wait).prop_map(
        |(kind, instrument, id, ask, ticks, qty, wait)| Step { kind, instrument, id, ask, ticks, qty, wait },
    )
}

fn to_event(step: &Step, now: u64) -> BookEvent {
    let (side, px) =
        if step.ask { (Side::Ask, 10_001 + step.ticks) } else { (Side::Bid, 9_999 - step.ticks) };
    // A few orders lock or cross the book.
    let px = if step.kind == 0 { 10_000 } else { px };
    let action = match step.kind {
        0..45 => Action::OrderAdd,
        45..65 => Action::OrderDelete,
        65..75 => Action::OrderReplace,
        75..80 => Action::OrderReduce,
        80..95 => Action::OrderExecute,
        _ => Action::Trade,
    };
    // Trades of hidden orders are large enough to shock a full book.
    let qty = if action == Action::Trade { 8 * step.qty } else { step.qty };
    BookEvent {
        action,
        instrument: InstrumentId(step.instrument),
        // Adds get ids of their own half of the time; a live id is first deleted by the caller.
        // No two instruments of a feed have an order of one number.
        order_id: step.id << 8 | u64::from(step.instrument),
        aux: (step.id + 40) << 8 | u64::from(step.instrument),
        side,
        px: Px(px * CENT),
        qty: Qty(qty),
        flags: EventFlags::LAST,
        ts_event: UnixNanos(now),
        ts_recv: UnixNanos(now + 17),
        ..BookEvent::EMPTY
    }
}

fn define(instrument: u32) -> BookEvent {
    BookEvent {
        action: Action::Define,
        instrument: InstrumentId(instrument),
        order_id: Symbol::new(&format!("T{instrument}")).unwrap().to_word(),
        px: Px(CENT),
        aux: 100,
        flags: EventFlags::LAST,
        ts_event: UnixNanos(START),
        ..BookEvent::EMPTY
    }
}

/// The story as events: ids are never added twice and nothing is taken that is not there, but for the few unknown orders that a
/// book survives; times only grow, some fall exactly on a grid point.
fn story(steps: &[Step]) -> Vec<BookEvent> {
    let mut now = START;
    let mut live: BTreeMap<(InstrumentId, u64), u32> = BTreeMap::new();
    let mut unknown = [0; INSTRUMENTS as usize];
    let mut events: Vec<BookEvent> = (0..INSTRUMENTS).map(define).collect();
    for step in steps {
        now += step.wait;
        if step.kind % 10 == 3 {
            now = now.next_multiple_of(GRID);
        }
        let mut e = to_event(step, now);
        let (key, new_key) = ((e.instrument, e.order_id), (e.instrument, e.aux));
        let known = live.get(&key).copied();
        match e.action {
            Action::OrderAdd if known.is_some() => continue,
            Action::OrderAdd => drop(live.insert(key, e.qty.0)),
            Action::OrderReplace if live.contains_key(&new_key) => continue,
            Action::Trade => {}
            _ if known.is_none() => {
                let unknown = &mut unknown[e.instrument.index()];
                *unknown += 1;
                if *unknown > 3 {
                    continue;
                }
            }
            Action::OrderDelete => drop(live.remove(&key)),
            Action::OrderReplace => {
                live.remove(&key);
                live.insert(new_key, e.qty.0);
            }
            _ => {
                e.qty.0 = e.qty.0.min(known.unwrap_or(0));
                let left = known.unwrap_or(0) - e.qty.0;
                live.insert(key, left);
                live.retain(|_, qty| *qty > 0);
            }
        }
        events.push(e);
    }
    events
}

fn config(on_full: OnFull) -> FeaturizerConfig {
    FeaturizerConfig {
        books: BookLimits { instruments: 4, ..BookLimits::small() },
        on_full,
        lookahead: 4,
        walk: false,
    }
}

/// All vectors and markers of a story, applied in chunks of `chunk`.
fn run(events: &[BookEvent], chunk: usize, on_full: OnFull) -> Vec<FeatureVector> {
    let mut featurizer = Featurizer::new(&config(on_full)).unwrap();
    let mut out = Vec::new();
    let mut sinks = (&mut out, &mut (), &mut ());
    for events in events.chunks(chunk) {
        assert_eq!(featurizer.apply(events, &mut sinks), events.len());
    }
    assert!(featurizer.finish(&mut out));
    out
}

/// Compares with the values at `grid`; what remembers order flow is as of the grid point at which a vector was last sent.
fn check_vector(
    found: &FeatureVector,
    history: &History,
    grid: u64,
    sent: bool,
) -> Result<(), TestCaseError> {
    let count = if sent { FEATURE_COUNT } else { FeatureId::FlowMean1S as usize };
    for (i, wanted) in history.features(grid).into_iter().enumerate().take(count) {
        let (name, bit) = (FEATURES[i].name, found.valid >> i & 1 == 1);
        prop_assert_eq!(bit, wanted.is_some(), "{} valid at {}", name, grid);
        let (value, wanted) = (found.values[i], wanted.unwrap_or(0.0));
        prop_assert!(
            (value - wanted).abs() <= 1e-6 * wanted.abs().max(1e-3),
            "{}: {} for {}",
            name,
            value,
            wanted
        );
    }
    Ok(())
}

fn check_ages(found: &FeatureVector, history: &History) -> Result<(), TestCaseError> {
    let age = |since: u64| ((found.ts.0 - since) / 1_000_000) as u32;
    prop_assert_eq!(found.age_ms(&FEATURES[FeatureId::BookPressure5 as usize]), age(history.last_event));
    prop_assert_eq!(
        found.age_ms(&FEATURES[FeatureId::SpreadBps as usize]),
        if history.last_quote == 0 { u32::MAX } else { age(history.last_quote) }
    );
    prop_assert_eq!(
        found.ts_recv.0,
        if history.last_event > START { history.last_event + 17 } else { found.ts_recv.0 }
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn streaming_is_the_same_as_recomputing(steps in prop::collection::vec(step(), 1..400)) {
        let events = story(&steps);
        let vectors = run(&events, 7, OnFull::KeepDirty);
        let mut histories: Vec<History> = (0..INSTRUMENTS).map(|_| History::default()).collect();
        let mut last: Vec<Option<FeatureVector>> = vec![None; INSTRUMENTS as usize];
        let (mut next_event, mut from) = (0, 0);
        for (n, marker) in vectors.iter().enumerate().filter(|(_, v)| v.grid_end == 1) {
            let grid = marker.ts.0 / GRID;
            prop_assert_eq!(marker.ts.0 % GRID, 0);
            let mut touched = BTreeSet::new();
            while next_event < events.len() && events[next_event].ts_event <= marker.ts {
                let e = &events[next_event];
                histories[e.instrument.index()].apply(grid, e);
                touched.insert(e.instrument.0);
                next_event += 1;
            }
            let sent = &vectors[from..n];
            prop_assert!(sent.windows(2).all(|w| w[0].instrument < w[1].instrument), "ascending, each once");
            for vector in sent {
                prop_assert_eq!(vector.ts, marker.ts);
                last[vector.instrument.index()] = Some(*vector);
            }
            for i in 0..INSTRUMENTS {
                histories[i as usize].close(grid);
                let vector = last[i as usize].expect("defined at the start, so sent at the first grid point");
                let was_sent = sent.iter().any(|v| v.instrument.0 == i);
                check_vector(&vector, &histories[i as usize], grid, was_sent)?;
                prop_assert!(was_sent || !touched.contains(&i), "what is touched is sent");
                if was_sent {
                    check_ages(&vector, &histories[i as usize])?;
                }
            }
            from = n + 1;
        }
        prop_assert_eq!(next_event, events.len());
    }

    #[test]
    fn how_events_are_chunked_changes_nothing(steps in prop::collection::vec(step(), 1..300), chunk in 1_usize..90) {
        let events = story(&steps);
        prop_assert!(run(&events, chunk, OnFull::KeepDirty) == run(&events, usize::MAX, OnFull::Wait));
    }
}

/// A story from a fixed seed whose best quotes go on changing: nothing is replaced, as an order with another number stays for
/// good, and nothing locks the book.
fn lively_story() -> Vec<BookEvent> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), 40_000..40_001);
    let mut steps = strategy.new_tree(&mut runner).unwrap().current();
    for step in &mut steps {
        step.kind = match step.kind {
            0 => 1,
            65..75 => 50,
            kind => kind,
        };
    }
    story(&steps)
}

/// What remembers order flow over minutes, at some moments of a long story.
#[test]
fn order_flow_is_remembered_as_it_is_defined() {
    let events = lively_story();
    let mut histories: Vec<History> = (0..INSTRUMENTS).map(|_| History::default()).collect();
    for e in &events {
        histories[e.instrument.index()].apply(e.ts_event.0.div_ceil(GRID), e);
    }
    let first = FeatureId::FlowMean1S as usize;
    let (mut judged, mut running) = (0, 0);
    for vector in run(&events, 64, OnFull::Wait).iter().filter(|v| v.grid_end == 0).step_by(13) {
        let wanted = histories[vector.instrument.index()].memory(vector.ts.0 / GRID);
        for (at, wanted) in wanted.into_iter().flatten().enumerate() {
            let (bit, found) = (vector.valid >> (first + at) & 1 == 1, vector.values[first + at]);
            assert_eq!(bit, !wanted.is_nan(), "{} at {}", FEATURES[first + at].name, vector.ts);
            assert!(!bit || (found - wanted).abs() <= 1e-9 + 1e-6 * wanted.abs(), "{found} for {wanted}");
            running += usize::from(bit && at >= 3 && found > 0.0);
            judged += 1;
        }
    }
    assert!(judged > 1_000 && running > 20, "{judged} {running}");
}

/// What is usual over minutes, at some moments of a long story.
#[test]
fn what_is_usual_is_as_it_is_defined() {
    let events = lively_story();
    let mut histories: Vec<History> = (0..INSTRUMENTS).map(|_| History::default()).collect();
    let first = FeatureId::SpreadInUsual as usize;
    let (mut next, mut known) = (0, [0; 5]);
    let (mut sent, mut grid) = (Vec::new(), START / GRID);
    for vector in run(&events, 64, OnFull::Wait) {
        if vector.grid_end == 0 {
            sent.push(vector);
            continue;
        }
        while grid <= vector.ts.0 / GRID {
            while events.get(next).is_some_and(|e| e.ts_event.0 <= grid * GRID) {
                histories[events[next].instrument.index()].apply(grid, &events[next]);
                next += 1;
            }
            histories.iter_mut().for_each(|history| history.close(grid));
            grid += 1;
        }
        for vector in sent.drain(..).filter(|v| (v.ts.0 / GRID).is_multiple_of(211)) {
            let wanted = histories[vector.instrument.index()].standing(vector.ts.0 / GRID);
            for (at, wanted) in wanted.into_iter().enumerate() {
                let (bit, found) = (vector.valid >> (first + at) & 1 == 1, vector.values[first + at]);
                let (name, wanted_value) = (FEATURES[first + at].name, wanted.unwrap_or(0.0));
                assert_eq!(bit, wanted.is_some(), "{name} at {}", vector.ts);
                let near = (found - wanted_value).abs() <= 1e-9 + 1e-6 * wanted_value.abs();
                assert!(near, "{name} at {}: {found} for {wanted_value}", vector.ts);
                known[at] += usize::from(bit && found != 0.0);
            }
        }
    }
    assert!(known.iter().all(|n| *n > 20), "{known:?}");
}

/// A story from a fixed seed, long enough that every feature takes values that are neither missing nor trivial.
#[test]
fn stories_reach_every_feature() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), 3_000..3_001);
    let steps = strategy.new_tree(&mut runner).unwrap().current();
    let mut vectors = run(&story(&steps), 64, OnFull::Wait);
    vectors.extend(run(&lively_story(), 64, OnFull::Wait));
    vectors.retain(|v| v.grid_end == 0);
    for (i, feature) in FEATURES.iter().enumerate() {
        let mut values: Vec<f64> =
            vectors.iter().filter(|v| v.valid >> i & 1 == 1).map(|v| v.values[i]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        assert!(values.len() > 4, "{} took {} values", feature.name, values.len());
        assert!(values.iter().all(|v| v.is_finite()));
        assert!(vectors.iter().any(|v| v.valid >> i & 1 == 0), "{} was always there", feature.name);
    }
}
