//! Limits of which little is left.

use crate::{case::Case, check::Notice, decision::Flags, weight::Weight, worth::Known};

/// A limit is near when less than an eighth of it is left.
const SHIFT: u32 = 3;

/// Of a millionth, in 1e-9: exact, since an eighth of a thousand is.
const NEAR_VALUE: u128 = 1_000 - (1_000 >> SHIFT);

/// The largest value, in 1e-9, that is not near a limit in millionths.
#[inline(always)]
pub(crate) fn near_value(max_notional_micros: u64) -> u128 {
    u128::from(max_notional_micros) * NEAR_VALUE
}

pub(super) struct NearLimit;

impl Notice for NearLimit {
    const FLAG: Flags = Flags::NEAR_LIMIT;

    #[inline(always)]
    fn worth(case: &Case) -> bool {
        let bounds = &case.inputs.limits.bounds;
        let (qty_max, position_max) = (bounds.max_qty, case.position_max());
        let qty = case.order.qty.0 > qty_max.wrapping_sub(qty_max >> SHIFT);
        // No limit is below zero, so that what only reduces is near none.
        let position =
            case.facts.worst > position_max.wrapping_sub(position_max >> SHIFT) && case.positions();
        let weights = &case.inputs.common.weights;
        let exposure = weights.is_some_and(|weights| weights.iter().any(Weight::is_near));
        let exposure = exposure && case.positions();
        let counted = case.inputs.worth.known == Known::Whole;
        let value = counted && case.facts.value > near_value(bounds.max_notional_micros);
        qty || position || exposure || value
    }
}
