//! Time, which is an argument.

use crate::{
    case::Case,
    check::{Check, Unit, clip},
};

pub(super) struct ClockBad;

impl Check for ClockBad {
    const CODE: u16 = 110;
    const SLUG: &'static str = "CLOCK_BAD";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::Nanos;
    const SENTENCE: &'static str =
        "The clock reads {value}, earlier than {limit} already seen, so no lease or age can be trusted.";
    const FAILS_CLOSED_ON: &'static str = "a clock at zero or stepped back";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.now.0 < case.settings.clock.0
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (clip(case.settings.clock.0), clip(case.now.0))
    }
}
