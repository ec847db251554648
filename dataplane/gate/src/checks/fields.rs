//! What the order itself says, before anything is known of the market.

use types::Px;

use crate::{
    case::Case,
    check::{Check, Needs, Unit, clip},
    price::{PX_MAX, SIGNED_PX_MAX},
};

pub(super) struct BadField;

impl Check for BadField {
    const CODE: u16 = 300;
    const SLUG: &'static str = "BAD_FIELD";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "The order has no client order id.";
    const FAILS_CLOSED_ON: &'static str = "a missing order id";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.order.cl_ord_id == 0
    }
}

pub(super) struct BadQty;

impl Check for BadQty {
    const CODE: u16 = 301;
    const SLUG: &'static str = "BAD_QTY";
    const FIX: u16 = 13;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The order's quantity is zero.";
    const FAILS_CLOSED_ON: &'static str = "a missing quantity";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.order.qty.0 == 0
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (1, case.order.qty.0.into())
    }
}

pub(super) struct BadPrice;

impl Check for BadPrice {
    const CODE: u16 = 302;
    const SLUG: &'static str = "BAD_PRICE";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::Price;
    const SENTENCE: &'static str = "A limit order's price must be above 0 (unless the instrument may trade below) and at most {limit}, and a market order has \
         none; this one has {value}.";
    const FAILS_CLOSED_ON: &'static str = "a missing price";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let judged = &case.facts.judged;
        if judged.market { case.order.px.0 != Px::NONE.0 } else { !judged.named }
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (if case.inputs.worth.signed { SIGNED_PX_MAX.0 } else { PX_MAX.0 }, case.order.px.0)
    }
}

pub(super) struct TickUnknown;

impl Check for TickUnknown {
    const CODE: u16 = 303;
    const SLUG: &'static str = "TICK_UNKNOWN";
    const FIX: u16 = 18;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str =
        "The instrument's tick size is not known, so the price cannot be checked against it.";
    const FAILS_CLOSED_ON: &'static str = "no tick size";
    const NEEDS: Needs = Needs::Quote;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        !case.facts.judged.market && !case.inputs.ticked
    }
}

pub(super) struct BadTick;

impl Check for BadTick {
    const CODE: u16 = 304;
    const SLUG: &'static str = "BAD_TICK";
    const FIX: u16 = 18;
    const UNIT: Unit = Unit::Price;
    const SENTENCE: &'static str = "The price {value} is not a multiple of the tick {limit}.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let judged = &case.facts.judged;
        !case.inputs.tick.divides(case.inputs.worth.distance(judged.px))
            && !judged.market
            && judged.named
            && case.inputs.ticked
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (clip(case.inputs.tick.divisor()), case.order.px.0)
    }
}

pub(super) struct NotInForce;

impl Check for NotInForce {
    const CODE: u16 = 306;
    const SLUG: &'static str = "TIF";
    const FIX: u16 = 11;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str =
        "The strategy may not use time in force {value} (1 day, 2 immediate or cancel, 3 until cancelled).";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        !case.inputs.strategy.times_in_force.has(case.order.tif)
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, (case.order.tif as u8).into())
    }
}

pub(super) struct BadLot;

impl Check for BadLot {
    const CODE: u16 = 305;
    const SLUG: &'static str = "BAD_LOT";
    const FIX: u16 = 13;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The quantity {value} is not a multiple of the lot {limit}.";
    const FAILS_CLOSED_ON: &'static str = "a lot of zero";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // Most rows have a lot of one; another one costs the only division of the path, beside it and in 32 bits.
        let lot = case.inputs.limits.lot;
        lot != 1 && case.order.qty.0.checked_rem(lot) != Some(0)
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.inputs.limits.lot.into(), case.order.qty.0.into())
    }
}
