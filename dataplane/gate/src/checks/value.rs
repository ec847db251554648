//! The value of one order.

use crate::{
    case::Case,
    check::{Check, Needs, Unit, clip, clip_wide},
};

/// The largest value, in 1e-9.
#[inline(always)]
fn value_max(case: &Case) -> u128 {
    u128::from(case.inputs.limits.bounds.max_notional_micros) * 1_000
}

pub(super) struct Value;

impl Check for Value {
    const CODE: u16 = 800;
    const SLUG: &'static str = "VALUE";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::MicroCurrency;
    const SENTENCE: &'static str = "The order's value {value} is above the limit of {limit}.";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let value = case.facts.value;
        value > value_max(case) && case.facts.judged.priced && value > case.prior.value
    }

    fn numbers(case: &Case) -> (i64, i64) {
        // Rounded up, so that the value named is never within the limit it broke.
        let value = clip_wide(case.facts.value.div_ceil(1_000));
        (clip(case.inputs.limits.bounds.max_notional_micros), value)
    }
}
