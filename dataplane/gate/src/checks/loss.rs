//! What a strategy, an account and their groups have lost since the firm's day began.

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
                weight::<$level>(case).is_some_and(|weight| weight.has_lost()) && case.positions()
            }

            fn numbers(case: &Case) -> (i64, i64) {
                let weight = weight::<$level>(case).unwrap_or(Weight::NONE);
                (clip(weight.loss_micros), clip_wide(weight.lost_micros()))
            }
        }
    )+};
}

levels! {
    LossStrategy 1300 "LOSS_STRATEGY" STRATEGY
        "The strategy has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
    LossAccount 1301 "LOSS_ACCOUNT" ACCOUNT
        "The account has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
    LossDesk 1302 "LOSS_DESK" DESK
        "The desk has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
    LossTrader 1303 "LOSS_TRADER" TRADER
        "The trader has lost {value} today, realised and marked; from {limit} on they may only reduce what they hold.";
    LossFirm 1304 "LOSS_FIRM" FIRM
        "The firm has lost {value} today, realised and marked; from {limit} on it may only reduce what it holds.";
}

#[inline(always)]
fn unknown(case: &Case) -> Option<InstrumentId> {
    case.inputs.common.weights.and_then(|weights| weights.iter().find_map(Weight::unknown_profit))
}

pub(super) struct LossUnknown;

impl Check for LossUnknown {
    const CODE: u16 = 1305;
    const SLUG: &'static str = "LOSS_UNKNOWN";
    const FIX: u16 = 19;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "What was made or lost today in instrument {value} cannot be told: there is no price, no rate, or no settlement price of the day before of what was held then.";
    const FAILS_CLOSED_ON: &'static str = "no reference and no settlement price of a position, no settlement price of the day before of what was not traded today, no rate; too many instruments";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        unknown(case).is_some() && case.positions()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, unknown(case).map_or(0, |instrument| instrument.0.into()))
    }
}
