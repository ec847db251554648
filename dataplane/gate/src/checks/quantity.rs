//! The quantity of one order. A replacement is held to a size for what it adds alone.

use crate::{
    case::Case,
    check::{Check, Needs, Unit},
    decision::LimitsSource,
};

pub(super) struct QtyStatic;

impl Check for QtyStatic {
    const CODE: u16 = 700;
    const SLUG: &'static str = "QTY_STATIC";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The quantity {value} is above the officer's limit of {limit}.";
    const NEEDS: Needs = Needs::Limits;
    const NEAR_BEFORE: bool = true;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.order.qty.0 > case.inputs.limits.officer_qty && case.grows()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.inputs.limits.officer_qty.into(), case.order.qty.0.into())
    }
}

pub(super) struct QtyDynamic;

impl Check for QtyDynamic {
    const CODE: u16 = 701;
    const SLUG: &'static str = "QTY_DYNAMIC";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The quantity {value} is above the live limit of {limit}.";
    const NEAR_BEFORE: bool = true;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let limits = &case.inputs.limits;
        // Under the officer's base there is a live limit only where the model's is the tighter one.
        let dynamic = limits.source as u8 == LimitsSource::Dynamic as u8;
        let binds = dynamic || limits.bounds.max_qty < limits.officer_qty;
        case.order.qty.0 > limits.bounds.max_qty && case.grows() && binds
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.inputs.limits.bounds.max_qty.into(), case.order.qty.0.into())
    }
}

pub(super) struct QtyFatFinger;

impl Check for QtyFatFinger {
    const CODE: u16 = 702;
    const SLUG: &'static str = "QTY_ERRMODEL";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The quantity {value} is more than the {limit} that the fat-finger network finds likely to be meant at this price.";
    const NEEDS: Needs = Needs::Quote;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // The size is one for the price: a replacement that reaches farther is held to it, larger or not.
        let judged = &case.facts.judged;
        let farther = if judged.buys { judged.px > case.prior.px } else { judged.px < case.prior.px };
        case.order.qty.0 > case.inputs.limits.fat_finger_qty && (case.grows() || farther)
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.inputs.limits.fat_finger_qty.into(), case.order.qty.0.into())
    }
}
