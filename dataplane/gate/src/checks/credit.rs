//! What a strategy, an account and their groups require of their credit: what they hold at worst, times the margin multiplier.

use types::InstrumentId;

use super::levels::weight;
use crate::{
    case::Case,
    check::{Check, Needs, Unit, clip, clip_wide},
    levels::{ACCOUNT, DESK, FIRM, STRATEGY, TRADER},
    weight::Weight,
};

macro_rules! levels {
    ($($name:ident $code:literal $slug:literal $level:ident $sentence:literal;)+) => {$(
        pub(super) struct $name;

        impl Check for $name {
            const CODE: u16 = $code;
            const SLUG: &'static str = $slug;
            const FIX: u16 = 3;
            const UNIT: Unit = Unit::MicroCurrency;
            const SENTENCE: &'static str = $sentence;
            const NEEDS: Needs = Needs::Limits;

            #[inline(always)]
            fn broken(case: &Case) -> bool {
                weight::<$level>(case).is_some_and(|weight| weight.lacks_credit()) && case.positions()
            }

            fn numbers(case: &Case) -> (i64, i64) {
                let weight = weight::<$level>(case).unwrap_or(Weight::NONE);
                (clip(weight.limits.credit_micros), clip_wide(weight.required_micros()))
            }
        }
    )+};
}

levels! {
    CreditStrategy 1130 "CREDIT_STRATEGY" STRATEGY
        "With every working order filled the strategy would require a margin of {value}, above its credit of {limit}.";
    CreditAccount 1131 "CREDIT_ACCOUNT" ACCOUNT
        "With every working order filled the account would require a margin of {value}, above its credit of {limit}.";
    CreditDesk 1132 "CREDIT_DESK" DESK
        "With every working order filled the desk would require a margin of {value}, above its credit of {limit}.";
    CreditTrader 1133 "CREDIT_TRADER" TRADER
        "With every working order filled the trader would require a margin of {value}, above their credit of {limit}.";
    CreditFirm 1134 "CREDIT_FIRM" FIRM
        "With every working order filled the firm would require a margin of {value}, above its credit of {limit}.";
}

#[inline(always)]
fn unknown(case: &Case) -> Option<InstrumentId> {
    case.inputs.common.weights.and_then(|weights| weights.iter().find_map(Weight::unknown_margin))
}

pub(super) struct MarginUnknown;

impl Check for MarginUnknown {
    const CODE: u16 = 1135;
    const SLUG: &'static str = "MARGIN_UNKNOWN";
    const FIX: u16 = 19;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "What instrument {value} requires of the credit cannot be told: the limits with its margin multiplier are missing, or could not be read whole.";
    const FAILS_CLOSED_ON: &'static str = "no limits, or torn ones, of something held";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        unknown(case).is_some() && case.positions()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, unknown(case).map_or(0, |instrument| instrument.0.into()))
    }
}
