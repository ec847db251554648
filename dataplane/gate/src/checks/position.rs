//! The position with every working order of the side filled. A replacement is held to it for what it adds alone.

use crate::{
    case::Case,
    check::{Check, Needs, Unit},
};

/// Whether the side's position could pass its limit by what this order adds.
#[inline(always)]
fn beyond(case: &Case) -> bool {
    case.facts.worst > case.position_max() && case.positions()
}

pub(super) struct PosLong;

impl Check for PosLong {
    const CODE: u16 = 1100;
    const SLUG: &'static str = "POS_LONG";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str =
        "With every working buy filled the position could reach {value}, above the long limit of {limit}.";
    const NEEDS: Needs = Needs::Limits;
    const NEAR_BEFORE: bool = true;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        beyond(case) && case.facts.judged.buys
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.inputs.limits.bounds.max_pos_long, case.facts.worst)
    }
}

pub(super) struct PosShort;

impl Check for PosShort {
    const CODE: u16 = 1101;
    const SLUG: &'static str = "POS_SHORT";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "With every working sell filled the short position could reach {value}, above the short limit of {limit}.";
    const NEEDS: Needs = Needs::Limits;
    const NEAR_BEFORE: bool = true;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        beyond(case) && !case.facts.judged.buys
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.inputs.limits.bounds.max_pos_short, case.facts.worst)
    }
}

pub(super) struct Unreconciled;

impl Check for Unreconciled {
    const CODE: u16 = 1102;
    const SLUG: &'static str = "UNRECONCILED";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "The books of gate and venue differ (the position here is {value}); until a person has set it, only orders pass that \
         reduce it whatever of what the venue said is right, here at most {limit}.";
    const FAILS_CLOSED_ON: &'static str =
        "a fill of an unknown or replaced order, an overfill, a trade taken back";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.unreconciled && !case.adds_nothing()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.most_that_reduces(), case.inputs.cell.position)
    }
}
