//! How near the opposite touch an order may rest.

use crate::{
    case::Case,
    check::{Check, Unit, clip},
    intent::TimeInForce,
};

pub(super) struct PassiveBand;

impl Check for PassiveBand {
    const CODE: u16 = 1000;
    const SLUG: &'static str = "PASSIVE_BAND";
    const FIX: u16 = 16;
    const UNIT: Unit = Unit::Ticks;
    const SENTENCE: &'static str =
        "The passive order is {value} from the opposite best price; at least {limit} is required.";

    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "16 bits of ticks times 40 bits of tick")]
    fn broken(case: &Case) -> bool {
        let facts = &case.facts;
        let ticks = u64::from(case.inputs.limits.bounds.passive_min_ticks);
        let nearest = ticks.wrapping_mul(case.inputs.tick.divisor()) as i64;
        let works_on = !facts.judged.market && case.order.tif as u8 != TimeInForce::Ioc as u8;
        let rests = works_on && (facts.gap > 0 || facts.judged.far == 0);
        let banded = ticks > 1 && rests && facts.judged.priced && facts.opposite != 0;
        facts.gap < nearest && banded
    }

    fn numbers(case: &Case) -> (i64, i64) {
        // Rounded down, so that the distance named is never the one required.
        let tick = clip(case.inputs.tick.divisor()).max(1);
        (case.inputs.limits.bounds.passive_min_ticks.into(), case.facts.gap.div_euclid(tick))
    }
}
