//! The position of the order's account over all of its strategies.

use crate::{
    case::Case,
    check::{Check, Needs, Unit},
};

/// The account's worst case on the order's side; none where the strategy's own says as much.
fn worst(case: &Case) -> Option<i64> {
    let account = case.inputs.common.account?;
    let worst = account.worst(case.order.side, case.prior.growth);
    (worst > case.facts.worst).then_some(worst)
}

pub(super) struct AccountPos;

impl Check for AccountPos {
    const CODE: u16 = 1103;
    const SLUG: &'static str = "ACCOUNT_POS";
    const FIX: u16 = 3;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "With every working order of the side filled the account's position over all strategies could reach {value}, above \
         the limit of {limit}.";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // An order that only reduces what the account holds has no worst case above zero. That its strategy only leaves a position of
        // its own says nothing of the account's.
        case.positions() && worst(case).is_some_and(|worst| worst > case.position_max())
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.position_max(), worst(case).unwrap_or(case.facts.worst))
    }
}
