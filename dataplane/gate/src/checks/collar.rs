//! How far a price may lie from the reference: of this moment, and of the last minutes.

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
        // |px − ref| × 10^4 ≤ bps × ref, both sides doubled; where a price may be zero, of what the instrument is worth at least.
        let (judged, twice_ref) = (&case.facts.judged, case.inputs.quote.twice_ref);
        let off = u128::from(judged.px.wrapping_mul(2).abs_diff(twice_ref)) * 10_000;
        let allowed = u128::from(case.inputs.worth.twice_basis(twice_ref))
            * u128::from(case.inputs.limits.bounds.collar_bps);
        off > allowed && judged.priced && case.inputs.referenced
    }

    fn numbers(case: &Case) -> (i64, i64) {
        // Rounded up, so that the distance named is never within the collar it broke.
        let (px, twice_ref) = (case.facts.judged.px, case.inputs.quote.twice_ref);
        let off = u128::from(px.saturating_mul(2).abs_diff(twice_ref)) * 10_000;
        let basis = u128::from(case.inputs.worth.twice_basis(twice_ref).max(1));
        (case.inputs.limits.bounds.collar_bps.into(), clip_wide(off.div_ceil(basis)))
    }
}

pub(super) struct PeriodCollar;

impl Check for PeriodCollar {
    const CODE: u16 = 905;
    const SLUG: &'static str = "PERIOD_COLLAR";
    const FIX: u16 = 16;
    const UNIT: Unit = Unit::Bps;
    const SENTENCE: &'static str = "The price is {value} worse than the mean reference of the last minutes; the collar over the period allows {limit}.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        worse(case) * 20_000 > allowed(case) && case.facts.judged.priced && case.inputs.period_mean != 0
    }

    fn numbers(case: &Case) -> (i64, i64) {
        // Rounded up, as for the other.
        let off = (worse(case) * 10_000 * 2).div_ceil(u128::from(twice_basis(case).max(1)));
        (case.settings.period_collar_bps.into(), clip_wide(off))
    }
}

/// How much dearer a buy is than the period's mean, or how much cheaper a sell.
#[inline(always)]
fn worse(case: &Case) -> u128 {
    let (judged, mean) = (&case.facts.judged, case.inputs.period_mean);
    let (dear, cheap) = if judged.buys { (judged.px, mean) } else { (mean, judged.px) };
    dear.saturating_sub(cheap).into()
}

/// What its basis points are taken of, doubled.
#[inline(always)]
fn twice_basis(case: &Case) -> u64 {
    case.inputs.worth.twice_basis(case.inputs.period_mean.wrapping_mul(2))
}

/// What it may be, in 1e-9 of a 10,000th, doubled.
#[inline(always)]
fn allowed(case: &Case) -> u128 {
    u128::from(twice_basis(case)) * u128::from(case.settings.period_collar_bps)
}
