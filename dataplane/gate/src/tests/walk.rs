//! A market order is judged by what it reaches in the book, not by what the touch shows.

use super::*;
use crate::{Flags, RejectReason as R};
use types::{BookLevel, Depth, DepthSide};

fn side(levels: &[(&str, u64)]) -> DepthSide {
    let level = |(text, qty): &(&str, u64)| BookLevel { px: px(text), qty: *qty, order_count: 1 };
    DepthSide::of(levels.iter().map(level))
}

/// A book of these offers, with the bid of [`top`].
pub(super) fn depth(asks: &[(&str, u64)]) -> Depth {
    Depth { bids: side(&[("100.00", 1_000)]), asks: side(asks) }
}

/// A rig over these offers.
fn over(asks: &[(&str, u64)]) -> Rig {
    let mut rig = Rig::new();
    rig.references.publish_depth(INSTRUMENT, &depth(asks)).unwrap();
    rig.publish_top(&TopOfBook { ask: px(asks[0].0), ask_qty: asks[0].1, ..top() });
    rig
}

fn buy(qty: u32) -> OrderIntent {
    OrderIntent { qty: Qty(qty), ..market(1, Side::Bid) }
}

#[test]
fn a_market_order_is_collared_at_the_worst_price_it_reaches() {
    let mut rig = over(&[("100.02", 10), ("150.00", 1_000)]);
    rig.accepts(&buy(10));
    let verdict = rig.refuses(&buy(11), R::Collar);
    assert_eq!((verdict.limit, verdict.value), (500, 4_999));
    let mut rig = over(&[("100.02", 10), ("105.01", 10), ("105.02", 10)]);
    let verdict = rig.accepts(&buy(20));
    assert_eq!((verdict.decision, verdict.flags), (Decision::Flag, Flags::WALKS_BOOK));
    rig.refuses(&buy(21), R::Collar);
}

#[test]
fn a_market_order_is_valued_by_the_levels_it_takes() {
    let mut rig = over(&[("100.00", 100), ("101.00", 100), ("102.00", 100)]);
    // 100 x 100 + 100 x 101 + 50 x 102 = 25,200.
    rig.publish_live(&RiskLimits { max_notional_micros: 25_200_000_000, ..LIVE }, Tier::Normal, NOW);
    rig.accepts(&buy(250));
    let verdict = rig.refuses(&buy(251), R::Value);
    assert_eq!((verdict.limit, verdict.value), (25_200_000_000, 25_302_000_000));
}

#[test]
fn what_the_published_book_does_not_cover_is_refused() {
    let mut rig = over(&[("100.02", 100), ("100.03", 50)]);
    rig.accepts(&buy(150));
    let verdict = rig.refuses(&buy(151), R::DepthShort);
    assert_eq!((verdict.limit, verdict.value), (150, 151));
    // Without levels the touch is all there is, and so it is when they are another moment's.
    let mut bare = Rig::new();
    bare.publish_top(&TopOfBook { ask_qty: 1, ..top() });
    bare.accepts(&buy(1));
    bare.refuses(&buy(400), R::DepthShort);
    for moved in [TopOfBook { ask_qty: 99, ..top() }, TopOfBook { ask: px("100.01"), ask_qty: 100, ..top() }]
    {
        rig.publish_top(&moved);
        rig.accepts(&buy(99));
        rig.refuses(&buy(101), R::DepthShort);
    }
}

#[test]
fn a_market_order_to_sell_walks_the_bids() {
    let mut rig = Rig::new();
    let book = Depth { bids: side(&[("100.00", 10), ("60.00", 400)]), ..Depth::EMPTY };
    rig.references.publish_depth(INSTRUMENT, &book).unwrap();
    rig.publish_top(&TopOfBook { bid_qty: 10, ..top() });
    rig.accepts(&OrderIntent { qty: Qty(10), ..market(1, Side::Ask) });
    rig.refuses(&OrderIntent { qty: Qty(11), ..market(1, Side::Ask) }, R::Collar);
    rig.refuses(&OrderIntent { qty: Qty(411), ..market(1, Side::Ask) }, R::Collar);
    rig.publish_live(&RiskLimits { collar_bps: 600, ..LIVE }, Tier::Normal, NOW);
    let wide = RiskLimits { collar_bps: 6_000, ..CAP };
    rig.publish_static(&Envelope::new(FLOOR, BASE, wide).unwrap(), &static_terms());
    let limits = Envelope::fixed(RiskLimits { collar_bps: 6_000, ..LIVE }).unwrap();
    rig.dynamics.publish(INSTRUMENT, CLASS, &limits.clamp(limits.cap()), &terms(Tier::Normal), NOW).unwrap();
    rig.accepts(&OrderIntent { qty: Qty(410), ..market(1, Side::Ask) });
    rig.refuses(&OrderIntent { qty: Qty(411), ..market(1, Side::Ask) }, R::DepthShort);
}

#[test]
fn a_sell_below_the_bid_is_valued_at_the_bid() {
    let mut rig = Rig::new();
    rig.publish_live(&RiskLimits { max_notional_micros: 9_999_000_000, ..LIVE }, Tier::Normal, NOW);
    let verdict = rig.refuses(&OrderIntent { px: px("96.00"), ..sell(1) }, R::Value);
    assert_eq!(verdict.value, 10_000_000_000);
    rig.accepts(&OrderIntent { px: px("96.00"), ..order(1) });
    rig.publish_live(&RiskLimits { max_notional_micros: 10_000_000_000, ..LIVE }, Tier::Normal, NOW);
    rig.accepts(&OrderIntent { px: px("96.00"), ..sell(1) });
}

/// What a limit order may reach is its limit, though the levels that are there now would stop it earlier: it is never held to less than the
/// walk of a market order.
#[test]
fn a_marketable_limit_is_held_at_its_own_price_whatever_the_book_shows() {
    let limit = |qty, text| OrderIntent { qty: Qty(qty), px: px(text), ..order(1) };
    // All of it would trade at the touch; the collar is 5 % about the mid of 100.01.
    let mut rig = over(&[("100.02", 400), ("100.03", 400)]);
    rig.accepts(&buy(400));
    rig.accepts(&limit(400, "105.00"));
    rig.refuses(&limit(400, "105.02"), R::Collar);
    let sell = |text| OrderIntent { px: px(text), ..sell(1) };
    rig.accepts(&sell("95.01"));
    rig.refuses(&sell("95.00"), R::Collar);
    // 400 at the touch are 40,008, and at the limit 42,000.
    rig.publish_live(&RiskLimits { max_notional_micros: 41_999_000_000, ..LIVE }, Tier::Normal, NOW);
    rig.accepts(&buy(400));
    let verdict = rig.refuses(&limit(400, "105.00"), R::Value);
    assert_eq!(verdict.value, 42_000_000_000);
    // A thin touch lets no limit through that a market order of as much is refused for.
    let mut rig = over(&[("100.02", 10), ("150.00", 1_000)]);
    rig.refuses(&buy(400), R::Collar);
    rig.refuses(&limit(400, "150.00"), R::Collar);
}

#[test]
fn a_replacement_by_a_market_order_walks_the_book() {
    let mut rig = over(&[("100.02", 10), ("150.00", 1_000)]);
    rig.take(&order(1));
    let reason =
        |rig: &mut Rig, qty| rig.gate.replace(1, &OrderIntent { cl_ord_id: 2, ..buy(qty) }, NOW).0.reason;
    assert_eq!(reason(&mut rig, 11), Some(R::Collar));
    assert_eq!(reason(&mut rig, 10), None);
}
