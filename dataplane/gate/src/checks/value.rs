//! The value of one order.

use crate::{
    case::Case,
    check::{Check, Needs, Unit, clip, clip_wide},
    worth::Known,
};

/// The largest value, in 1e-9 of the firm's currency.
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
    const NEAR_BEFORE: bool = true;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let value = case.facts.value;
        let counted = case.facts.judged.priced && case.inputs.worth.known == Known::Whole;
        value > value_max(case) && counted && value > case.prior.value
    }

    fn numbers(case: &Case) -> (i64, i64) {
        // Rounded up, so that the value named is never within the limit it broke.
        let value = clip_wide(case.facts.value.div_ceil(1_000));
        (clip(case.inputs.limits.bounds.max_notional_micros), value)
    }
}

pub(super) struct FxMissing;

impl Check for FxMissing {
    const CODE: u16 = 801;
    const SLUG: &'static str = "FX_MISSING";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str =
        "There is no rate from the instrument's currency to the firm's, so the order's value is not known.";
    const FAILS_CLOSED_ON: &'static str = "no rate";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // What only closes or shrinks is not held for a value that nobody can count.
        case.inputs.worth.known == Known::NoRate && !case.adds_nothing()
    }
}

pub(super) struct FxStale;

impl Check for FxStale {
    const CODE: u16 = 802;
    const SLUG: &'static str = "FX_STALE";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::Nanos;
    const SENTENCE: &'static str =
        "The rate from the instrument's currency to the firm's is {value} old (limit {limit}).";
    const FAILS_CLOSED_ON: &'static str = "an old rate";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        matches!(case.inputs.worth.known, Known::OldRate(_)) && !case.adds_nothing()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        let age = if let Known::OldRate(age) = case.inputs.worth.known { clip(age.0) } else { 0 };
        (clip(case.settings.rate_age_max.0), age)
    }
}
