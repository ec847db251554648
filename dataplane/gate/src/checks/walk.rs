//! Orders that trade through more of the book than its touch.

use crate::{
    case::Case,
    check::{Check, Needs, Notice, Unit, clip},
    decision::Flags,
};

pub(super) struct DepthShort;

impl Check for DepthShort {
    const CODE: u16 = 904;
    const SLUG: &'static str = "DEPTH";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The market order is for {value} and the published book covers {limit}: nobody knows at what price the rest would trade.";
    const FAILS_CLOSED_ON: &'static str = "no published depth behind the touch";
    const NEEDS: Needs = Needs::Quote;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let judged = &case.facts.judged;
        judged.market && judged.far != 0 && u64::from(case.order.qty.0) > case.inputs.walk.covered
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (clip(case.inputs.walk.covered), case.order.qty.0.into())
    }
}

pub(super) struct WalksBook;

impl Notice for WalksBook {
    const FLAG: Flags = Flags::WALKS_BOOK;

    #[inline(always)]
    fn worth(case: &Case) -> bool {
        case.facts.judged.market && case.order.qty.0 > case.facts.judged.far_qty
    }
}
