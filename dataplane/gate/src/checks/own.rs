//! Orders that would trade with an order of their own account.

use crate::{
    case::Case,
    check::{Check, Needs, Unit},
    price::word_price,
};

pub(super) struct SelfMatched;

impl Check for SelfMatched {
    const CODE: u16 = 1200;
    const SLUG: &'static str = "SELF_MATCH";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::Price;
    const SENTENCE: &'static str =
        "At {value} the order would trade with an own order at {limit}, which still works.";
    const NEEDS: Needs = Needs::Quote;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.common.own_px != 0 && !case.prior.shrinks
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (word_price(case.inputs.common.own_px).0, word_price(case.facts.judged.px).0)
    }
}
