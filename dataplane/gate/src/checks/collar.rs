//! How far a price may lie from the reference.

use crate::{
    case::Case,
    check::{Check, Needs, Unit, clip_wide},
};

pub(super) struct Collar;

impl Check for Collar {
    const CODE: u16 = 903;
    const SLUG: &'static str = "COLLAR";
    const FIX: u16 = 16;
    const UNIT: Unit = Unit::Bps;
    const SENTENCE: &'static str = "The price is {value} from the reference; the collar allows {limit}.";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // |px − ref| × 10^4 ≤ bps × ref, both sides doubled.
        let (judged, twice_ref) = (&case.facts.judged, case.inputs.quote.twice_ref);
        let off = u128::from(judged.px.wrapping_mul(2).abs_diff(twice_ref)) * 10_000;
        let allowed = u128::from(twice_ref) * u128::from(case.inputs.limits.bounds.collar_bps);
        off > allowed && judged.priced && twice_ref != 0
    }

    fn numbers(case: &Case) -> (i64, i64) {
        // Rounded up, so that the distance named is never within the collar it broke.
        let (px, twice_ref) = (case.facts.judged.px, case.inputs.quote.twice_ref);
        let off = u128::from(px.saturating_mul(2).abs_diff(twice_ref)) * 10_000;
        (case.inputs.limits.bounds.collar_bps.into(), clip_wide(off.div_ceil(u128::from(twice_ref.max(1)))))
    }
}
