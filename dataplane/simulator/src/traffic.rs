//! Benchmark traffic: the messages of an ITCH 5.0 day of thousands of symbols, in memory, as fast as they can be made.
//!
//! Unlike a scenario this is no market: nobody trades with anybody. It has the shape that costs a book builder time:
//! the mix of message types of a published day, a power law of activity over symbols, prices near the touch with a
//! heavy tail, cancels mostly of recent orders, and many live orders to look up. It is valid all the same: references
//! exist and grow, quantities add up, and no book is ever crossed.

use wire::IntoBytes;
use wire::itch50::{self, event, side, state};

use crate::random::{Dice, pow};

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficConfig {
    /// Seed of all chance.
    pub seed: u64,
    /// Symbols; 1 to 65,535.
    pub symbols: u16,
    /// Live orders before the steady flow begins.
    pub preload_orders: u32,
    /// Messages of the steady flow.
    pub messages: u64,
    /// Order references that pass between the preload and the steady flow, as of orders that came and went before anybody listened.
    pub skipped_refs: u64,
    /// How far orders stand from the touch, and how long they stay.
    pub tails: Tails,
}

/// How far orders stand from the touch, and how long they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tails {
    /// Mostly near it, and cancelled soon.
    Near,
    /// Many of them thousands of ticks away, and many cancelled only after hundreds of thousands of others.
    Heavy,
}

impl Tails {
    /// Ticks from the touch, and live orders younger than the one that goes.
    fn quantiles(self) -> [Quantiles; 2] {
        match self {
            Self::Near => [Quantiles::pareto(1.1, 2_000.0), Quantiles::pareto(0.55, 1e9)],
            Self::Heavy => [Quantiles::pareto(0.5, 20_000.0), Quantiles::pareto(0.2, 1e9)],
        }
    }
}

impl Default for TrafficConfig {
    /// A day small enough for a test and large enough to leave the caches.
    fn default() -> Self {
        Self {
            seed: 1,
            symbols: 8_000,
            preload_orders: 200_000,
            messages: 1_000_000,
            skipped_refs: 0,
            tails: Tails::Near,
        }
    }
}

/// Generated traffic.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Messages, each behind its length as two bytes, big-endian: the form of NASDAQ's daily files.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the steady flow begins; before it stand the directory and the preloaded orders.
    pub steady_offset: usize,
    /// Messages before the steady flow.
    pub preload_messages: u64,
    /// Messages of the steady flow.
    pub steady_messages: u64,
    /// Messages of the steady flow by type.
    pub steady_by_type: [u64; 256],
    /// Orders live at the end.
    pub live_orders: u64,
}

/// Mix of the steady flow in thousandths, in the order of a published count of 2019-10-30: A 43.6 %, D 42.3 %, U 8.7 %,
/// E 2.5 %, X 1.2 %, P 0.5 %, F 0.5 %. They sum to 99.3 %; the rest is adds, as symbols come alive during a day.
const MIX: [(u8, u32); 7] =
    [(b'A', 443), (b'D', 423), (b'U', 87), (b'E', 25), (b'X', 12), (b'P', 5), (b'F', 5)];

/// Ticks around a symbol's start that its touch may wander.
const WANDER: i64 = 60;

/// Ticks around a symbol's start in which orders are counted by price.
const WINDOW: i64 = 128;

/// When the steady flow begins, nanoseconds since midnight, and how long it lasts.
const OPEN_NS: u64 = 34_200_000_000_000;
const DAY_NS: u64 = 23_400_000_000_000;

/// One cent in units of 1e-4.
const TICK_1E4: i64 = 100;

/// A live order.
#[derive(Clone, Copy, Debug)]
struct Live {
    order: u64,
    px: i64,
    qty: u32,
    symbol: u16,
    buy: bool,
}

/// A symbol. Every bid is below `barrier` and no offer is, so that no sequence of adds crosses the book; the barrier
/// moves through prices at which nothing rests.
#[derive(Clone, Debug)]
struct Issue {
    name: [u8; 8],
    start: i64,
    barrier: i64,
    /// Live orders by price, from `start - WINDOW`.
    resting: Box<[u16; 2 * WINDOW as usize]>,
}

impl Issue {
    fn slot(&self, px: i64) -> Option<usize> {
        usize::try_from(px - self.start + WINDOW).ok().filter(|&i| i < self.resting.len())
    }

    fn count(&mut self, px: i64, add: bool) {
        if let Some(slot) = self.slot(px) {
            self.resting[slot] = if add { self.resting[slot] + 1 } else { self.resting[slot] - 1 };
        }
    }

    fn empty_at(&self, px: i64) -> bool {
        self.slot(px).is_some_and(|slot| self.resting[slot] == 0)
    }

    /// Moves the barrier one tick where nothing is in its way, towards `up`.
    fn wander(&mut self, up: bool) {
        if up && self.barrier < self.start + WANDER && self.empty_at(self.barrier) {
            self.barrier += 1;
        } else if !up && self.barrier > self.start - WANDER && self.empty_at(self.barrier - 1) {
            self.barrier -= 1;
        }
    }
}

/// Draws by table: 2^12 quantiles of a distribution, one of them per draw.
#[derive(Debug)]
struct Quantiles(Vec<u32>);

impl Quantiles {
    /// Of a Pareto law from 1 with this exponent, less 1, cut at `max`.
    fn pareto(exponent: f64, max: f64) -> Self {
        let n = 1 << 12;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and max")]
        let quantile = |i: i32| {
            ((pow(1.0 - (f64::from(i) + 0.5) / f64::from(n), -1.0 / exponent)) - 1.0).min(max) as u32
        };
        Self((0..n).map(quantile).collect())
    }

    fn draw(&self, dice: &mut Dice) -> u32 {
        self.0[(dice.word() >> 52) as usize]
    }
}

/// Chooses symbols with given weights in constant time (Walker's alias method).
#[derive(Debug)]
struct Alias {
    keep: Vec<f64>,
    other: Vec<u16>,
}

impl Alias {
    /// Weights of a power law over ranks.
    fn power_law(symbols: u16, exponent: f64) -> Self {
        let weights: Vec<f64> = (0..symbols).map(|i| pow(f64::from(i) + 8.0, -exponent)).collect();
        let mean = weights.iter().sum::<f64>() / f64::from(symbols);
        let mut keep: Vec<f64> = weights.iter().map(|w| w / mean).collect();
        let mut other: Vec<u16> = (0..symbols).collect();
        let (mut small, mut large): (Vec<u16>, Vec<u16>) =
            (0..symbols).partition(|&i| keep[usize::from(i)] < 1.0);
        while let (Some(s), Some(&l)) = (small.pop(), large.last()) {
            other[usize::from(s)] = l;
            keep[usize::from(l)] -= 1.0 - keep[usize::from(s)];
            if keep[usize::from(l)] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        Self { keep, other }
    }

    fn draw(&self, dice: &mut Dice) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "a power law has at most 65,535 ranks")]
        let i = dice.below(self.keep.len() as u32) as u16;
        if dice.unit() < self.keep[usize::from(i)] { i } else { self.other[usize::from(i)] }
    }
}

/// The generator's state.
struct Generator {
    dice: Dice,
    issues: Vec<Issue>,
    activity: Alias,
    distance: Quantiles,
    age: Quantiles,
    live: Vec<Live>,
    last_ref: u64,
    last_match: u64,
    now: u64,
    /// Mean time between two messages of the steady flow.
    gap_ns: f64,
    out: Vec<u8>,
    by_type: [u64; 256],
}

/// Generates traffic. Takes about a third of a microsecond per message and holds all of them in memory, about 36 bytes
/// each.
///
/// # Panics
/// When `config` has no symbols.
#[must_use]
pub fn generate(config: &TrafficConfig) -> Traffic {
    assert!(config.symbols > 0, "traffic needs a symbol");
    let mut generator = Generator::new(config);
    generator.directory();
    for _ in 0..config.preload_orders {
        generator.now += 40_000;
        generator.add(false);
    }
    generator.system(event::START_OF_MARKET_HOURS);
    let steady_offset = generator.out.len();
    let preload_messages = generator.by_type.iter().sum();
    generator.by_type = [0; 256];
    generator.now = generator.now.max(OPEN_NS);
    generator.last_ref += config.skipped_refs;
    for _ in 0..config.messages {
        generator.step();
    }
    Traffic {
        bytes: generator.out,
        steady_offset,
        preload_messages,
        steady_messages: config.messages,
        steady_by_type: generator.by_type,
        live_orders: generator.live.len() as u64,
    }
}

impl Generator {
    fn new(config: &TrafficConfig) -> Self {
        let mut dice = Dice::new(config.seed, 3);
        let issues = (0..config.symbols)
            .map(|i| {
                #[expect(clippy::cast_possible_truncation, reason = "clamped")]
                let start = dice.lognormal(4_000.0, 1.0).clamp(400.0, 200_000.0) as i64;
                Issue { name: name(i), start, barrier: start, resting: Box::new([0; 2 * WINDOW as usize]) }
            })
            .collect();
        let [distance, age] = config.tails.quantiles();
        let bytes =
            36 * (u64::from(config.preload_orders) + config.messages) + 80 * u64::from(config.symbols);
        #[expect(clippy::cast_precision_loss, reason = "a day of nanoseconds fits")]
        let gap_ns = DAY_NS as f64 / (config.messages + 1) as f64;
        Self {
            dice,
            issues,
            activity: Alias::power_law(config.symbols, 1.05),
            distance,
            age,
            live: Vec::with_capacity(config.preload_orders as usize + 1_024),
            last_ref: 0,
            last_match: 0,
            now: OPEN_NS - 3_600_000_000_000,
            gap_ns,
            out: Vec::with_capacity(usize::try_from(bytes).expect("the traffic fits memory")),
            by_type: [0; 256],
        }
    }

    fn push(&mut self, message: &[u8]) {
        self.by_type[usize::from(message[0])] += 1;
        #[expect(clippy::cast_possible_truncation, reason = "no ITCH message is longer than 50 bytes")]
        self.out.extend_from_slice(&(message.len() as u16).to_be_bytes());
        self.out.extend_from_slice(message);
    }

    fn system(&mut self, code: u8) {
        let message = itch50::SystemEvent::new(0, 0, self.now, code);
        self.push(message.as_bytes());
    }

    fn directory(&mut self) {
        self.system(event::START_OF_MESSAGES);
        let names: Vec<_> = self.issues.iter().map(|issue| issue.name).collect();
        for (locate, &stock) in (1..).zip(&names) {
            let message = itch50::StockDirectory::common_stock(locate, self.now, stock, 100);
            self.push(message.as_bytes());
        }
        for (locate, &stock) in (1..).zip(&names) {
            let message =
                itch50::StockTradingAction::new(locate, 0, self.now, stock, state::TRADING, b' ', *b"    ");
            self.push(message.as_bytes());
        }
        self.system(event::START_OF_SYSTEM_HOURS);
    }

    /// One message of the steady flow.
    fn step(&mut self) {
        // Bursts: nine of ten messages follow at once, the tenth after a pause; the mean is the gap.
        let (u, scale) = (self.dice.unit(), self.dice.unit());
        let gap = if u < 0.9 { 0.02 * scale } else { 19.82 * scale } * self.gap_ns;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a gap is positive and short"
        )]
        let gap = gap as u64;
        self.now += gap + 1;
        let mut draw = self.dice.below(1_000);
        let mut kind = b'A';
        for (candidate, share) in MIX {
            if draw < share {
                kind = candidate;
                break;
            }
            draw -= share;
        }
        match kind {
            b'P' => self.hidden_trade(),
            b'A' => self.add(false),
            b'F' => self.add(true),
            _ if self.live.is_empty() => self.add(false),
            b'D' => self.delete(),
            b'U' => self.replace(),
            b'E' => self.execute(),
            _ => self.reduce(),
        }
    }

    fn add(&mut self, attributed: bool) {
        let symbol = self.activity.draw(&mut self.dice);
        let word = self.dice.word();
        let buy = word & 1 == 1;
        if word & 0x30 == 0x30 {
            self.issues[usize::from(symbol)].wander(word & 2 == 2);
        }
        let px = self.price(symbol, buy);
        let qty = self.size();
        self.last_ref += 1;
        let order = self.last_ref;
        self.rest(Live { order, px, qty, symbol, buy });
        let (locate, stock) = (symbol + 1, self.issues[usize::from(symbol)].name);
        let (code, price) = (if buy { side::BUY } else { side::SELL }, raw_price(px));
        if attributed {
            let message =
                itch50::AddOrderMpid::new(locate, 0, self.now, order, code, qty, stock, price, *b"SIMU");
            self.push(message.as_bytes());
        } else {
            let message = itch50::AddOrder::new(locate, 0, self.now, order, code, qty, stock, price);
            self.push(message.as_bytes());
        }
    }

    /// A price on this side of the barrier, near it by a power law.
    fn price(&mut self, symbol: u16, buy: bool) -> i64 {
        let distance = i64::from(self.distance.draw(&mut self.dice));
        let barrier = self.issues[usize::from(symbol)].barrier;
        if buy { (barrier - 1 - distance).max(1) } else { barrier + distance }
    }

    /// Mostly round lots, at times odd ones.
    fn size(&mut self) -> u32 {
        let word = self.dice.word();
        let (kind, bits) = ((word >> 60) as u32, (word & 0xff) as u32);
        match kind {
            0..=8 => 100,
            9..=12 => 100 * (1 + bits % 9),
            _ => 1 + bits,
        }
    }

    fn rest(&mut self, live: Live) {
        self.issues[usize::from(live.symbol)].count(live.px, true);
        self.live.push(live);
    }

    fn leave(&mut self, index: usize) -> Live {
        let live = self.live.swap_remove(index);
        self.issues[usize::from(live.symbol)].count(live.px, false);
        live
    }

    /// A live order, mostly a recent one.
    fn pick(&mut self) -> usize {
        let age = self.age.draw(&mut self.dice) as usize;
        let len = self.live.len();
        if age < len { len - 1 - age } else { self.dice.below(len_u32(len)) as usize }
    }

    fn delete(&mut self) {
        let index = self.pick();
        let live = self.leave(index);
        self.push(itch50::OrderDelete::new(live.symbol + 1, 0, self.now, live.order).as_bytes());
    }

    fn replace(&mut self) {
        let index = self.pick();
        let old = self.leave(index);
        let (px, qty) = (self.price(old.symbol, old.buy), self.size());
        self.last_ref += 1;
        let order = self.last_ref;
        self.rest(Live { order, px, qty, ..old });
        let message =
            itch50::OrderReplace::new(old.symbol + 1, 0, self.now, old.order, order, qty, raw_price(px));
        self.push(message.as_bytes());
    }

    /// Executes one of several orders, the nearest to its touch: whole or in part.
    fn execute(&mut self) {
        let from_touch = |g: &Self, i: usize| {
            let live = &g.live[i];
            (live.px - g.issues[usize::from(live.symbol)].barrier).abs()
        };
        let mut best = self.pick();
        for _ in 0..4 {
            let other = self.pick();
            if from_touch(self, other) < from_touch(self, best) {
                best = other;
            }
        }
        let Live { order, symbol, qty, .. } = self.live[best];
        let executed = if self.dice.chance(0.6) { qty } else { 1 + self.dice.below(qty) };
        if executed == qty {
            self.leave(best);
        } else {
            self.live[best].qty -= executed;
        }
        self.last_match += 1;
        let message = itch50::OrderExecuted::new(symbol + 1, 0, self.now, order, executed, self.last_match);
        self.push(message.as_bytes());
    }

    /// Cancels a part of an order; an order of one share is deleted instead.
    fn reduce(&mut self) {
        let index = self.pick();
        let Live { order, symbol, qty, .. } = self.live[index];
        if qty == 1 {
            self.leave(index);
            self.push(itch50::OrderDelete::new(symbol + 1, 0, self.now, order).as_bytes());
            return;
        }
        let cancelled = 1 + self.dice.below(qty - 1);
        self.live[index].qty -= cancelled;
        self.push(itch50::OrderCancel::new(symbol + 1, 0, self.now, order, cancelled).as_bytes());
    }

    fn hidden_trade(&mut self) {
        let symbol = self.activity.draw(&mut self.dice);
        let qty = self.size();
        let issue = &self.issues[usize::from(symbol)];
        let (stock, price) = (issue.name, raw_price(issue.barrier));
        self.last_match += 1;
        let message =
            itch50::Trade::new(symbol + 1, 0, self.now, 0, side::BUY, qty, stock, price, self.last_match);
        self.push(message.as_bytes());
    }
}

/// Symbol number `i`: a letter and four digits in base 26, all different.
fn name(i: u16) -> [u8; 8] {
    let mut name = *b"T       ";
    let mut rest = i;
    for place in name[1..5].iter_mut().rev() {
        let digit = (rest % 26) as u8;
        *place = b'A' + digit;
        rest /= 26;
    }
    name
}

fn raw_price(px: i64) -> u32 {
    u32::try_from(px * TICK_1E4).expect("prices are positive and below 2,100 dollars and the tail")
}

fn len_u32(len: usize) -> u32 {
    u32::try_from(len).expect("fewer live orders than references")
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test decides on what it is about")]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use wire::itch50::Msg;

    use super::*;

    /// The messages of a length-prefixed stream.
    fn messages(bytes: &[u8]) -> Vec<&[u8]> {
        let mut rest = bytes;
        let mut out = Vec::new();
        while let Some((len, after)) = rest.split_first_chunk::<2>() {
            let (message, after) = after.split_at(usize::from(u16::from_be_bytes(*len)));
            out.push(message);
            rest = after;
        }
        assert!(rest.is_empty(), "no bytes are left over");
        out
    }

    #[derive(Default)]
    struct Books {
        orders: HashMap<u64, (u16, bool, u32, u32)>,
        levels: HashMap<(u16, bool), BTreeMap<u32, u64>>,
        last_ref: u64,
    }

    impl Books {
        fn add(&mut self, locate: u16, order: u64, buy: bool, px: u32, qty: u32) {
            assert!(order > self.last_ref, "references grow");
            assert!(px > 0 && qty > 0);
            self.last_ref = order;
            self.orders.insert(order, (locate, buy, px, qty));
            *self.levels.entry((locate, buy)).or_default().entry(px).or_default() += u64::from(qty);
            let best_bid = self.levels.get(&(locate, true)).and_then(|l| l.last_key_value());
            let best_ask = self.levels.get(&(locate, false)).and_then(|l| l.first_key_value());
            if let (Some((bid, _)), Some((ask, _))) = (best_bid, best_ask) {
                assert!(bid < ask, "symbol {locate} crossed: {bid} {ask}");
            }
        }

        fn take(&mut self, locate: u16, order: u64, qty: Option<u32>) -> bool {
            let entry = self.orders.get_mut(&order).expect("the reference exists");
            let (of, buy, px, have) = *entry;
            assert_eq!(of, locate, "the locate is the order's");
            let qty = qty.unwrap_or(have);
            assert!(qty > 0 && qty <= have, "{qty} of {have}");
            entry.3 -= qty;
            if entry.3 == 0 {
                self.orders.remove(&order);
            }
            let levels = self.levels.get_mut(&(locate, buy)).expect("its side");
            let level = levels.get_mut(&px).expect("its level");
            *level -= u64::from(qty);
            if *level == 0 {
                levels.remove(&px);
            }
            buy
        }
    }

    #[test]
    fn the_traffic_is_a_valid_day() {
        let config = TrafficConfig {
            seed: 5,
            symbols: 300,
            preload_orders: 20_000,
            messages: 150_000,
            ..TrafficConfig::default()
        };
        let traffic = generate(&config);
        let mut books = Books::default();
        let mut last_ns = 0;
        let all = messages(&traffic.bytes);
        assert_eq!(all.len() as u64, traffic.preload_messages + traffic.steady_messages);
        for message in all {
            let msg = itch50::decode(message).expect("a known type of the right length");
            let header = msg.header().expect("a known type");
            let (ns, locate) = (header.timestamp.ns(), header.locate.get());
            assert!(ns >= last_ns, "time does not go back");
            last_ns = ns;
            match msg {
                Msg::AddOrder(m) => {
                    books.add(locate, m.order_ref.get(), m.side == side::BUY, m.price.raw(), m.shares.get());
                }
                Msg::AddOrderMpid(m) => {
                    books.add(locate, m.order_ref.get(), m.side == side::BUY, m.price.raw(), m.shares.get());
                }
                Msg::OrderDelete(m) => {
                    books.take(locate, m.order_ref.get(), None);
                }
                Msg::OrderCancel(m) => {
                    books.take(locate, m.order_ref.get(), Some(m.cancelled_shares.get()));
                }
                Msg::OrderExecuted(m) => {
                    books.take(locate, m.order_ref.get(), Some(m.executed_shares.get()));
                }
                Msg::OrderReplace(m) => {
                    let buy = books.take(locate, m.original_order_ref.get(), None);
                    books.add(locate, m.new_order_ref.get(), buy, m.price.raw(), m.shares.get());
                }
                _ => {}
            }
        }
        assert_eq!(books.orders.len() as u64, traffic.live_orders);
        assert!(
            last_ns > OPEN_NS + DAY_NS / 2 && last_ns < OPEN_NS + 2 * DAY_NS,
            "the day is a day: {last_ns}"
        );
    }

    #[test]
    fn the_mix_is_the_published_one() {
        let config = TrafficConfig { messages: 400_000, preload_orders: 100_000, ..TrafficConfig::default() };
        let traffic = generate(&config);
        let share = |kind: u8| {
            #[expect(clippy::cast_precision_loss, reason = "counts fit")]
            let share = traffic.steady_by_type[usize::from(kind)] as f64 / traffic.steady_messages as f64;
            100.0 * share
        };
        // Per cent of the published count, and how far off is still the same load.
        for (kind, wanted, tolerance) in [
            (b'A', 43.6, 1.0),
            (b'D', 42.3, 0.5),
            (b'U', 8.7, 0.3),
            (b'E', 2.5, 0.2),
            (b'X', 1.2, 0.15),
            (b'P', 0.5, 0.1),
            (b'F', 0.5, 0.1),
        ] {
            let found = share(kind);
            assert!((found - wanted).abs() <= tolerance, "{}: {found} %, wanted {wanted}", char::from(kind));
        }
        assert!(traffic.live_orders > 90_000 && traffic.live_orders < 140_000, "{}", traffic.live_orders);
    }

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_seed_others() {
        let config = TrafficConfig {
            seed: 9,
            symbols: 50,
            preload_orders: 500,
            messages: 5_000,
            ..TrafficConfig::default()
        };
        assert!(generate(&config).bytes == generate(&config).bytes);
        assert!(generate(&config).bytes != generate(&TrafficConfig { seed: 10, ..config }).bytes);
    }

    #[test]
    fn activity_follows_a_power_law_and_cancels_hit_recent_orders() {
        let config = TrafficConfig {
            seed: 2,
            symbols: 8_000,
            preload_orders: 100_000,
            messages: 200_000,
            ..TrafficConfig::default()
        };
        let traffic = generate(&config);
        let mut by_symbol = vec![0_u32; 8_001];
        let (mut recent, mut deletes, mut newest) = (0_u32, 0_u32, 0_u64);
        for message in messages(&traffic.bytes[traffic.steady_offset..]) {
            match itch50::decode(message).expect("a message") {
                Msg::AddOrder(m) => {
                    by_symbol[usize::from(m.locate())] += 1;
                    newest = m.order_ref.get();
                }
                Msg::OrderDelete(m) => {
                    deletes += 1;
                    recent += u32::from(m.order_ref.get() + 5_000 > newest);
                }
                _ => {}
            }
        }
        let total: u32 = by_symbol.iter().sum();
        let top: u32 = by_symbol[1..=80].iter().sum();
        assert!(top > total / 4, "the most active hundredth has more than a quarter: {top} of {total}");
        assert!(recent > deletes / 2, "most cancelled orders are recent: {recent} of {deletes}");
    }
}
