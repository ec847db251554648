//! Selling short: only what is located for the account.

use types::Side;

use crate::{
    case::Case,
    check::{Check, Unit},
};

/// What is located for the account of a sell, and how short it would be with every working sell filled, this one too; none of a buy,
/// and where nobody is held to what is located.
#[inline(always)]
fn short(case: &Case) -> Option<(i64, i64)> {
    let (account, located) = case.inputs.common.located?;
    // In doubt, as short as its strategy may be by anything that the venue has said.
    let worst = account.worst(Side::Ask, case.prior.growth).saturating_add(case.inputs.astray);
    Some((located, worst))
}

pub(super) struct Locate;

impl Check for Locate {
    const CODE: u16 = 1500;
    const SLUG: &'static str = "LOCATE";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "With every working sell filled the account would be short by {value}, and {limit} is located for it.";
    const FAILS_CLOSED_ON: &'static str =
        "an account or an instrument without a line, a locate that has ended";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // A sell that only closes what the account holds leaves no worst case above zero, and nothing located is zero.
        short(case).is_some_and(|(located, worst)| worst > located) && case.positions()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        short(case).unwrap_or((0, 0))
    }
}
