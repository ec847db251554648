//! How many orders a strategy may send.

use crate::{
    case::Case,
    check::{Check, Needs, Unit},
    rate,
};

pub(super) struct Rate;

impl Check for Rate {
    const CODE: u16 = 1400;
    const SLUG: &'static str = "RATE";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::OrdersPerSecond;
    const SENTENCE: &'static str =
        "The strategy has used up its order rate in this instrument ({limit} sustained).";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let bounds = &case.inputs.limits.bounds;
        let early_max_ns = || rate::early_max_ns(bounds.order_interval_ns, bounds.order_burst);
        // Mostly it is due, however early it may be.
        case.inputs.due > case.now && !rate::conforms(case.inputs.due, case.now, early_max_ns())
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (rate::per_second(case.inputs.limits.bounds.order_interval_ns).into(), 0)
    }
}

pub(super) struct RateStrategy;

impl Check for RateStrategy {
    const CODE: u16 = 1401;
    const SLUG: &'static str = "RATE_STRATEGY";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::OrdersPerSecond;
    const SENTENCE: &'static str =
        "The strategy has used up its order rate over all instruments ({limit} sustained).";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let strategy = &case.inputs.strategy;
        !rate::conforms(strategy.due, case.now, strategy.early_max_ns)
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (rate::per_second(case.inputs.strategy.order_interval_ns).into(), 0)
    }
}
