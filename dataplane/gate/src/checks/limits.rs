//! Limits, without which nothing is judged.

use crate::{
    case::{Case, Found},
    check::{Check, Unit},
};

pub(super) struct LimitsMissing;

impl Check for LimitsMissing {
    const CODE: u16 = 600;
    const SLUG: &'static str = "LIMITS_MISSING";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "No officer has set limits for this instrument and strategy class.";
    const FAILS_CLOSED_ON: &'static str = "no static limits";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.missing.limits == Found::Empty
    }
}

pub(super) struct LimitsTorn;

impl Check for LimitsTorn {
    const CODE: u16 = 601;
    const SLUG: &'static str = "LIMITS_TORN";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "The limits for this row cannot be read whole.";
    const FAILS_CLOSED_ON: &'static str = "a torn static record, a dynamic one that is never at rest";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.missing.limits == Found::Torn
    }
}
