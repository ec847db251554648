//! Plays a scenario and prints one instrument second by second, with the features a model will see computed the slow
//! way: the tool to tune the agents with.
//!
//! `cargo run --release -p simulator --example inspect -- flash-crash [SYMBOL] [SEED] [MINUTES]`

use std::collections::BTreeMap;
use std::convert::Infallible;

use simulator::{FirmOrder, Listener, MIDNIGHT_UNIX_NS, Options, Packet, Scenario, Truth, TruthKind};
use wire::itch50::{self, Msg};
use wire::moldudp64;

/// A book rebuilt from the packets of line A, and what happened in the current second.
#[derive(Default)]
struct Watcher {
    locate: u16,
    tick: f64,
    orders: BTreeMap<u64, (u8, u32, u32)>,
    levels: [BTreeMap<u32, u64>; 2],
    second: u64,
    last_mid: f64,
    adds: u32,
    cancels: u32,
    replaces: u32,
    trades: u32,
    lots: u32,
    variance: f64,
    returns: Vec<f64>,
    grid_mid: f64,
    grid: u64,
    spread_max: f64,
    firm: u32,
    withdrawal: f64,
    sold: u32,
}

impl Watcher {
    fn apply(&mut self, message: &[u8]) {
        let Ok(msg) = itch50::decode(message) else { return };
        let Some(header) = msg.header() else { return };
        self.tick_to(header.timestamp.ns());
        if header.locate.get() != self.locate {
            return;
        }
        match msg {
            Msg::AddOrder(m) => self.add(m.order_ref.get(), m.side, m.shares.get(), m.price.raw()),
            Msg::AddOrderMpid(m) => self.add(m.order_ref.get(), m.side, m.shares.get(), m.price.raw()),
            Msg::OrderExecuted(m) => {
                self.trades += 1;
                self.lots += m.executed_shares.get();
                self.take(m.order_ref.get(), m.executed_shares.get());
            }
            Msg::OrderCancel(m) => {
                self.cancels += 1;
                self.take(m.order_ref.get(), m.cancelled_shares.get());
            }
            Msg::OrderDelete(m) => {
                self.cancels += 1;
                self.take(m.order_ref.get(), u32::MAX);
            }
            Msg::OrderReplace(m) => {
                self.replaces += 1;
                let side = self.orders[&m.original_order_ref.get()].0;
                self.take(m.original_order_ref.get(), u32::MAX);
                self.rest(m.new_order_ref.get(), side, m.shares.get(), m.price.raw());
            }
            Msg::Trade(m) => {
                self.trades += 1;
                self.lots += m.shares.get();
            }
            _ => {}
        }
    }

    fn add(&mut self, order: u64, side: u8, qty: u32, px: u32) {
        self.adds += 1;
        self.rest(order, side, qty, px);
    }

    fn rest(&mut self, order: u64, side: u8, qty: u32, px: u32) {
        self.orders.insert(order, (side, qty, px));
        *self.levels[usize::from(side == b'S')].entry(px).or_default() += u64::from(qty);
    }

    fn take(&mut self, order: u64, qty: u32) {
        let (side, have, px) = self.orders.remove(&order).expect("a known order");
        let qty = qty.min(have);
        let levels = &mut self.levels[usize::from(side == b'S')];
        let level = levels.get_mut(&px).expect("its level");
        *level -= u64::from(qty);
        if *level == 0 {
            levels.remove(&px);
        }
        if qty < have {
            self.orders.insert(order, (side, have - qty, px));
        }
    }

    fn top(&self) -> Option<(u32, u64, u32, u64)> {
        let (bid, bid_qty) = self.levels[0].last_key_value()?;
        let (ask, ask_qty) = self.levels[1].first_key_value()?;
        Some((*bid, *bid_qty, *ask, *ask_qty))
    }

    fn tick_to(&mut self, ts: u64) {
        while ts >= self.grid + 100_000_000 {
            self.grid = if self.grid == 0 { ts / 100_000_000 * 100_000_000 } else { self.grid + 100_000_000 };
            if let Some((bid, _, ask, _)) = self.top() {
                let mid = f64::from(bid + ask) / 2.0;
                if self.grid_mid > 0.0 {
                    let r = (mid / self.grid_mid).ln() * 1e4;
                    self.variance += r * r;
                    self.returns.push(r);
                }
                self.grid_mid = mid;
                self.spread_max = self.spread_max.max(f64::from(ask - bid) / self.tick);
            }
            if self.grid / 1_000_000_000 > self.second {
                self.second = self.grid / 1_000_000_000;
                self.row();
            }
        }
    }

    fn row(&mut self) {
        let Some((bid, bid_qty, ask, ask_qty)) = self.top() else { return };
        let mid = f64::from(bid + ask) / 2.0;
        let bids: u64 = self.levels[0].values().rev().take(10).sum();
        let asks: u64 = self.levels[1].values().take(10).sum();
        let minute: f64 = self.returns.iter().rev().take(600).map(|r| r * r).sum::<f64>().sqrt();
        let orders = self.adds + self.cancels + self.replaces;
        let s = self.second;
        println!(
            "{:02}:{:02}:{:02} mid {:>10.4} {:>+7.2}bp spread {:>4.1} max {:>4.1} top {:>5}x{:<5} depth {:>5}x{:<5} A{:>4} D{:>4} U{:>4} E{:>3} lots{:>5} t/o {:.3} rv1s {:>5.2} rv1m {:>5.1} wd {:.2} sold {} firm {}",
            s / 3600,
            s / 60 % 60,
            s % 60,
            mid / 1e4,
            (mid / self.last_mid).ln() * 1e4,
            f64::from(ask - bid) / self.tick,
            self.spread_max,
            bid_qty,
            ask_qty,
            bids,
            asks,
            self.adds,
            self.cancels,
            self.replaces,
            self.trades,
            self.lots,
            f64::from(self.trades) / f64::from(orders.max(1)),
            self.variance.sqrt(),
            minute,
            self.withdrawal,
            self.sold,
            self.firm,
        );
        self.last_mid = mid;
        (self.adds, self.cancels, self.replaces, self.trades, self.lots, self.firm) = (0, 0, 0, 0, 0, 0);
        (self.variance, self.spread_max) = (0.0, 0.0);
    }
}

impl Listener for Watcher {
    type Error = Infallible;

    fn packet(&mut self, packet: &Packet) -> Result<(), Infallible> {
        if packet.line == simulator::Line::A {
            let mold = moldudp64::Packet::parse(&packet.payload).expect("the feed's own packet");
            for message in mold.messages() {
                self.apply(message.expect("the feed's own message"));
            }
        }
        Ok(())
    }

    fn order(&mut self, order: &FirmOrder) -> Result<(), Infallible> {
        self.firm += u32::from(order.instrument + 1 == self.locate);
        Ok(())
    }

    fn truth(&mut self, truth: &Truth) -> Result<(), Infallible> {
        match truth.kind {
            TruthKind::Withdrawal(w) if truth.instrument + 1 == self.locate => self.withdrawal = w,
            TruthKind::IcebergTraded(_, sold) => self.sold = sold,
            _ => {}
        }
        Ok(())
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("flash-crash", String::as_str);
    let number = |i: usize| args.get(i).and_then(|a| a.parse().ok());
    let options = Options { seed: number(2), minutes: number(3), ..Options::default() };
    let simulation = Scenario::build(name, &options).unwrap_or_else(|e| panic!("{e}"));
    let wanted = args.get(1).map_or("FUTX", String::as_str);
    let (locate, profile) = (1_u16..)
        .zip(simulation.profiles())
        .find(|(_, p)| p.symbol.as_str() == wanted)
        .unwrap_or_else(|| panic!("no {wanted} in {name}"));
    let mut watcher = Watcher { locate, tick: f64::from(profile.tick_1e4), ..Watcher::default() };
    let by_type = simulation.play(&mut watcher).unwrap_or_else(|never| match never {});
    let total: u64 = by_type.iter().sum();
    println!("midnight {MIDNIGHT_UNIX_NS}, {total} messages");
    for (kind, &count) in (0_u8..=255).zip(&by_type).filter(|(_, c)| **c > 0) {
        println!("  {} {count:>8} {:>5.1} %", char::from(kind), 100.0 * count as f64 / total as f64);
    }
}
