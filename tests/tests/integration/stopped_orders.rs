//! What the demo says that stopped orders would have come to, held against a book that is kept lot by lot from the same packets
//! and shares no code with the appliance.

use crate::pages::demo;
use serde_json::Value;
use simulator::{FirmOrder, Line, Listener, MIDNIGHT_UNIX_NS, Options, Packet, Scenario, Truth};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use types::Px;
use wire::itch50::{self, Msg};
use wire::moldudp64;

/// Units of a price of the feed, 1e-4, in 1e-9.
const SCALE: i128 = 100_000;

/// A future's book, and how it looked at some moments.
struct Naive {
    orders: BTreeMap<u64, (bool, u32, u32)>,
    /// Moments to look at, nanoseconds since midnight; those that are done are taken off.
    moments: BTreeSet<u64>,
    /// Prices of every lot, best first, bids and offers.
    seen: BTreeMap<u64, [Vec<u32>; 2]>,
}

impl Naive {
    fn look(&self) -> [Vec<u32>; 2] {
        let lots = |bids: bool| {
            let of_side = self.orders.values().filter(|(is_bid, ..)| *is_bid == bids);
            let mut lots: Vec<u32> =
                of_side.flat_map(|(_, qty, px)| std::iter::repeat_n(*px, *qty as usize)).collect();
            lots.sort_unstable();
            if bids {
                lots.reverse();
            }
            lots
        };
        [lots(true), lots(false)]
    }

    fn take(&mut self, order: u64, qty: u32) {
        let (_, left, _) = self.orders.get_mut(&order).expect("a known order");
        *left -= qty.min(*left);
        if *left == 0 {
            self.orders.remove(&order);
        }
    }

    fn message(&mut self, message: &[u8]) {
        let msg = itch50::decode(message).expect("a message of the specification");
        let header = msg.header().expect("a known type");
        // What is looked at sees every message of its moment.
        while let Some(moment) =
            self.moments.first().copied().filter(|moment| *moment < header.timestamp.ns())
        {
            self.moments.remove(&moment);
            self.seen.insert(moment, self.look());
        }
        if header.locate.get() != 1 {
            return;
        }
        let mut add = |order, side, qty, px| {
            self.orders.insert(order, (side == itch50::side::BUY, qty, px));
        };
        match msg {
            Msg::AddOrder(m) => add(m.order_ref.get(), m.side, m.shares.get(), m.price.raw()),
            Msg::AddOrderMpid(m) => add(m.order_ref.get(), m.side, m.shares.get(), m.price.raw()),
            Msg::OrderExecuted(m) => self.take(m.order_ref.get(), m.executed_shares.get()),
            Msg::OrderCancel(m) => self.take(m.order_ref.get(), m.cancelled_shares.get()),
            Msg::OrderDelete(m) => self.take(m.order_ref.get(), u32::MAX),
            Msg::OrderReplace(m) => {
                let (is_bid, ..) = self.orders.remove(&m.original_order_ref.get()).expect("a known order");
                self.orders.insert(m.new_order_ref.get(), (is_bid, m.shares.get(), m.price.raw()));
            }
            _ => {}
        }
    }
}

impl Listener for Naive {
    type Error = Infallible;

    fn packet(&mut self, packet: &Packet) -> Result<(), Infallible> {
        if packet.line == Line::A {
            let mold = moldudp64::Packet::parse(&packet.payload).expect("a MoldUDP64 packet");
            mold.messages().for_each(|message| self.message(message.expect("a whole message")));
        }
        Ok(())
    }

    fn order(&mut self, _order: &FirmOrder) -> Result<(), Infallible> {
        Ok(())
    }

    fn truth(&mut self, _truth: &Truth) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Money or a price of the file, in 1e-9.
fn money(value: &Value) -> i128 {
    value.as_str().expect("a decimal").parse::<Px>().expect("a decimal of at most nine places").0.into()
}

/// The mid price of a book, in 1e-9.
fn mid([bids, asks]: &[Vec<u32>; 2]) -> i128 {
    (i128::from(bids[0]) + i128::from(asks[0])) * SCALE / 2
}

#[test]
fn what_stopped_orders_would_have_come_to_agrees_with_lots_counted_one_by_one() {
    let summary = std::fs::read(demo().0.path().join("out/demo/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let stopped = summary["stopped"].as_array().unwrap();
    // Those that took what the book held; others were filled at a price that they had said.
    let took = |order: &&Value| {
        let is_met = |px: &Value, touch: &Value| px.is_null() || px != touch;
        order["symbol"] == "FUTX"
            && order["filled"].as_u64() > Some(0)
            && is_met(&order["px"], &order["touch"])
    };
    let took: Vec<&Value> = stopped.iter().filter(took).collect();
    let planted = took.iter().find(|order| order["cl_ord_id"] == summary["planted_order"]);
    planted.expect("the planted order is stopped, and would have traded");
    let at = |order: &Value, seconds: u64| {
        order["ts_ns"].as_u64().unwrap() - MIDNIGHT_UNIX_NS + seconds * 1_000_000_000
    };
    let moments = took.iter().flat_map(|order| [0, 1, 10, 60].map(|seconds| at(order, seconds))).collect();
    let mut naive = Naive { orders: BTreeMap::new(), moments, seen: BTreeMap::new() };
    let options = Options { seed: summary["seed"].as_u64(), minutes: Some(13), ..Options::default() };
    Scenario::build("flash-crash", &options).unwrap().play(&mut naive).unwrap_or_else(|never| match never {});
    for order in &took {
        let buys = order["side"] == "buy";
        let (sign, side) = if buys { (1, 1) } else { (-1, 0) };
        let then = &naive.seen[&at(order, 0)];
        let limit = order["px"].as_str().map(|_| money(&order["px"]));
        let within = |px: &i128| limit.is_none_or(|limit| sign * px <= sign * limit);
        let wanted = order["qty"].as_u64().unwrap() as usize;
        let lots: Vec<i128> =
            then[side].iter().map(|px| i128::from(*px) * SCALE).filter(within).take(wanted).collect();
        let (qty, paid) = (lots.len() as i128, lots.iter().sum::<i128>());
        assert_eq!(
            (order["filled"].as_u64(), money(&order["paid"])),
            (Some(lots.len() as u64), paid),
            "{order}"
        );
        assert_eq!(money(&order["spread"]), sign * qty * (mid(then) - lots[0]), "{order}");
        assert_eq!(money(&order["walk"]), sign * (qty * lots[0] - paid), "{order}");
        let marks = order["marks"].as_array().unwrap();
        assert_eq!(marks.len(), 4, "{order}");
        for (mark, seconds) in marks.iter().zip([1, 10, 60]) {
            let later = &naive.seen[&at(order, seconds)];
            assert_eq!(mark["at"], format!("{seconds} s"));
            assert_eq!(money(&mark["moved"]), sign * qty * (mid(later) - mid(then)), "{order}");
            assert_eq!(money(&mark["net"]), sign * (qty * mid(later) - paid), "{order}");
            let out = &later[1 - side];
            let exit =
                out.get(..lots.len()).map(|lots| lots.iter().map(|px| i128::from(*px) * SCALE).sum::<i128>());
            let closed = (!mark["closed"].is_null()).then(|| money(&mark["closed"]));
            assert_eq!(closed, exit.map(|exit| sign * (exit - paid)), "{order}");
        }
    }
}
