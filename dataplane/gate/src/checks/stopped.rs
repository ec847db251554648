//! A strategy whose orders were executed on one side too often in a row.

use crate::{
    case::Case,
    check::{Check, Unit},
};

pub(super) struct RepeatedExecutions;

impl Check for RepeatedExecutions {
    const CODE: u16 = 1420;
    const SLUG: &'static str = "REPEATED_EXECUTIONS";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Orders of strategy {value} were executed on one side of one instrument too often in a row; it may only reduce until a person has reset its breaker.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.common.stopped && !case.adds_nothing()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.strategy.0.into())
    }
}
