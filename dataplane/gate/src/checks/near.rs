//! Limits of which little is left.

use crate::{case::Case, check::Notice, decision::Flags, worth::Known};

pub(super) struct NearLimit;

impl Notice for NearLimit {
    const FLAG: Flags = Flags::NEAR_LIMIT;

    #[inline(always)]
    fn worth(case: &Case) -> bool {
        let bounds = &case.inputs.limits.bounds;
        let (qty_max, position_max) = (bounds.max_qty, case.position_max());
        let warn = case.settings.warn;
        let qty = case.order.qty.0 > warn.of_qty(qty_max);
        // No limit is below zero, so that what only reduces is near none.
        let position = case.facts.worst > warn.of_position(position_max) && case.positions();
        let weights = &case.inputs.common.weights;
        let exposure = weights.is_some_and(|weights| weights.iter().any(|weight| weight.is_near(warn)));
        let exposure = exposure && case.positions();
        let counted = case.inputs.worth.known == Known::Whole;
        let value = counted && case.facts.value > warn.of_value(bounds.max_notional_micros);
        qty || position || exposure || value
    }
}
