//! What is counted: the same messages and orders every time, and the rigs that they go through.
//!
//! **What it never does:** count. `benches/instructions.rs` does, with the number beside each row that it may not pass.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

use std::hint::black_box;

use bench::day::{Day, DayConfig, FULL};
use bench::gate_rig::{Beyond, GateRig, OPEN, STEP, orders};
use bench::line::{BookOptions, BookRig, Events, events};
use featurizer::{BookLimits, PageKind};
use gate::OrderIntent;
use types::UnixNanos;
use wire::framing::{Frames, write_message};
use wire::itch50;

/// Messages, or orders, in each count: divide by it.
pub const COUNT: usize = 1_000;

const DAY: DayConfig = DayConfig { symbols: 64, preload_orders: 4_000, segments: 1, segment: 4_000, ..FULL };

/// The first [`COUNT`] messages of the day's flow that `wanted` says.
fn messages(day: &Day, wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = vec![0; COUNT * 52];
    let mut at = 0;
    let flow = Frames::new(day.segment(0)).map(|frame| frame.expect("whole messages"));
    for message in flow.filter(|message| wanted(message[0])).take(COUNT) {
        at = write_message(&mut out, at, message).expect("no ITCH message is longer than 50 bytes");
    }
    out.truncate(at);
    out
}

/// The first messages of the day's flow.
pub fn flow() -> Vec<u8> {
    messages(&Day::generate(&DAY), |_| true)
}

/// A decoder that has seen the preload, and the flow.
pub fn decoder() -> (Events, Vec<u8>) {
    let day = Day::generate(&DAY);
    let mut decoder = Events::new();
    black_box(events(&mut decoder, day.preload()));
    (decoder, messages(&day, |_| true))
}

fn rig() -> (BookRig, Day) {
    let day = Day::generate(&DAY);
    let limits = BookLimits {
        instruments: 64,
        order_slots_log2: 14,
        side_orders: 1_024,
        far_levels: 1 << 14,
        pages: PageKind::Ordinary,
        ..BookLimits::default()
    };
    let mut rig = BookRig::with_limits(&limits, BookOptions::PRODUCT).expect("memory for small books");
    black_box(rig.run(day.preload()));
    (rig, day)
}

/// Books of the preload, and the flow's first added orders.
pub fn adds() -> (BookRig, Vec<u8>) {
    let (rig, day) = rig();
    (rig, messages(&day, |kind| kind == itch50::AddOrder::TYPE))
}

/// Deletions of the first orders of the preload, each of which is there.
pub fn deletes() -> (BookRig, Vec<u8>) {
    let (rig, day) = rig();
    let mut out = vec![0; COUNT * 21];
    let mut at = 0;
    let live = Frames::new(day.preload()).filter_map(|frame| {
        let message = itch50::decode(frame.expect("whole messages")).expect("ITCH 5.0");
        let itch50::Msg::AddOrder(add) = message else { return None };
        Some((add.locate(), add.order_ref.get()))
    });
    for (locate, order) in live.take(COUNT) {
        let delete = itch50::OrderDelete::new(locate, 0, 0, order);
        at = write_message(&mut out, at, wire::IntoBytes::as_bytes(&delete)).expect("room for all");
    }
    out.truncate(at);
    (rig, out)
}

/// Books of the preload, and the flow.
pub fn books() -> (BookRig, Vec<u8>) {
    let (rig, day) = rig();
    (rig, messages(&day, |_| true))
}

/// A gate with `beyond` switched on, and orders for it.
pub fn gate_rig(beyond: Beyond) -> (GateRig, Vec<OrderIntent>) {
    (GateRig::with(64, beyond), orders(64, COUNT, 42))
}

/// Each order with its time.
pub fn gate_flow(beyond: Beyond) -> (GateRig, Vec<(OrderIntent, UnixNanos)>) {
    let (rig, orders) = gate_rig(beyond);
    let times = std::iter::successors(Some(OPEN), |now| Some(now.plus(STEP)));
    (rig, orders.into_iter().zip(times.skip(1)).collect())
}
