//! The tier of the instrument, as the model has it.

use types::Tier;

use crate::{
    case::Case,
    check::{Check, Notice, Unit},
    decision::Flags,
};

pub(super) struct TierCritical;

impl Check for TierCritical {
    const CODE: u16 = 105;
    const SLUG: &'static str = "TIER_CRITICAL";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str =
        "The instrument is in tier Critical, which only a person ends; no order may add risk.";
    const FAILS_CLOSED_ON: &'static str =
        "a Critical record whose lease has ended: Critical outlives its lease";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let critical = case.inputs.limits.tier as u8 == Tier::Critical as u8;
        critical && !(case.adds_nothing() && case.settings.critical_reduce_only)
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, i64::from(case.inputs.limits.score.micros()))
    }
}

pub(super) struct Stressed;

impl Notice for Stressed {
    const FLAG: Flags = Flags::TIER;

    #[inline(always)]
    fn worth(case: &Case) -> bool {
        case.inputs.limits.tier as u8 >= Tier::Elevated as u8
    }
}
