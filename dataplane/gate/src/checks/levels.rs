//! What a strategy, an account and their groups hold over all instruments, in money.

use crate::{
    case::Case,
    check::{Needs, clip, clip_wide},
    levels::{ACCOUNT, DESK, ExposureLimits, FIRM, STRATEGY, TRADER},
    weight::Weight,
};

/// Gross, net, one instrument.
const GROSS: usize = 0;
const NET: usize = 1;
const INSTRUMENT: usize = 2;

#[inline(always)]
pub(super) fn weight<const LEVEL: usize>(case: &Case) -> Option<Weight> {
    case.inputs.common.weights.map(|weights| weights[LEVEL])
}

/// Whether a part of a level's exposure is more than it may be.
#[inline(always)]
fn exceeds<const PART: usize>(weight: &Weight) -> bool {
    weight.exceeded()[PART]
}

#[cold]
fn numbers<const PART: usize>(weight: Weight) -> (i64, i64) {
    let ExposureLimits { gross_micros, net_micros, instrument_micros, .. } = weight.limits;
    let limit = [gross_micros, net_micros, instrument_micros][PART];
    (clip(limit), clip_wide(weight.micros()[PART]))
}

/// A check of each level: whether what its weight says breaks it, and which limit and value say so.
macro_rules! weighed {
    (
        broken $broken:expr, numbers $numbers:expr;
        $($name:ident $code:literal $slug:literal $level:ident $sentence:literal;)+
    ) => {$(
        pub(super) struct $name;

        impl $crate::check::Check for $name {
            const CODE: u16 = $code;
            const SLUG: &'static str = $slug;
            const FIX: u16 = 3;
            const UNIT: $crate::check::Unit = $crate::check::Unit::MicroCurrency;
            const SENTENCE: &'static str = $sentence;
            const NEEDS: $crate::check::Needs = $crate::check::Needs::Limits;

            #[inline(always)]
            fn broken(case: &$crate::case::Case) -> bool {
                $crate::checks::levels::weight::<$level>(case).is_some_and(|weight| $broken(&weight))
                    && case.positions()
            }

            fn numbers(case: &$crate::case::Case) -> (i64, i64) {
                let numbers: fn($crate::weight::Weight) -> (i64, i64) = $numbers;
                numbers($crate::checks::levels::weight::<$level>(case).unwrap_or($crate::weight::Weight::NONE))
            }
        }
    )+};
}
pub(super) use weighed;

/// A check of what is not known of something that is held, which a weight finds.
macro_rules! unknown {
    (
        $name:ident $code:literal $slug:literal $find:path, needs $needs:expr;
        $sentence:literal
        fails closed on $fails:literal;
    ) => {
        pub(super) struct $name;

        impl $name {
            #[inline(always)]
            fn found(case: &$crate::case::Case) -> Option<types::InstrumentId> {
                case.inputs.common.weights.and_then(|weights| weights.iter().find_map($find))
            }
        }

        impl $crate::check::Check for $name {
            const CODE: u16 = $code;
            const SLUG: &'static str = $slug;
            const FIX: u16 = 19;
            const UNIT: $crate::check::Unit = $crate::check::Unit::Number;
            const SENTENCE: &'static str = $sentence;
            const FAILS_CLOSED_ON: &'static str = $fails;
            const NEEDS: $crate::check::Needs = $needs;

            #[inline(always)]
            fn broken(case: &$crate::case::Case) -> bool {
                Self::found(case).is_some() && case.positions()
            }

            fn numbers(case: &$crate::case::Case) -> (i64, i64) {
                (0, Self::found(case).map_or(0, |instrument| instrument.0.into()))
            }
        }
    };
}
pub(super) use unknown;

weighed! {
    broken exceeds::<GROSS>, numbers numbers::<GROSS>;
    GrossStrategy 1110 "GROSS_STRATEGY" STRATEGY
        "With every working order filled the strategy could hold {value} in all instruments, above the limit of {limit}.";
    GrossAccount 1111 "GROSS_ACCOUNT" ACCOUNT
        "With every working order filled the account could hold {value} in all instruments, above the limit of {limit}.";
    GrossDesk 1120 "GROSS_DESK" DESK
        "With every working order filled the desk could hold {value} in all instruments, above the limit of {limit}.";
    GrossTrader 1121 "GROSS_TRADER" TRADER
        "With every working order filled the trader could hold {value} in all instruments, above the limit of {limit}.";
    GrossFirm 1122 "GROSS_FIRM" FIRM
        "With every working order filled the firm could hold {value} in all instruments, above the limit of {limit}.";
}

weighed! {
    broken exceeds::<NET>, numbers numbers::<NET>;
    NetStrategy 1112 "NET_STRATEGY" STRATEGY
        "With every working order of the side filled the strategy could be {value} one way, above the limit of {limit}, also by closing a position that is the other way.";
    NetAccount 1113 "NET_ACCOUNT" ACCOUNT
        "With every working order of the side filled the account could be {value} one way, above the limit of {limit}, also by closing a position that is the other way.";
    NetDesk 1123 "NET_DESK" DESK
        "With every working order of the side filled the desk could be {value} one way, above the limit of {limit}, also by closing a position that is the other way.";
    NetTrader 1124 "NET_TRADER" TRADER
        "With every working order of the side filled the trader could be {value} one way, above the limit of {limit}, also by closing a position that is the other way.";
    NetFirm 1125 "NET_FIRM" FIRM
        "With every working order of the side filled the firm could be {value} one way, above the limit of {limit}, also by closing a position that is the other way.";
}

weighed! {
    broken exceeds::<INSTRUMENT>, numbers numbers::<INSTRUMENT>;
    ConcentrationStrategy 1114 "CONCENTRATION_STRATEGY" STRATEGY
        "With every working order filled the strategy could hold {value} in the instrument, above the limit of {limit}.";
    ConcentrationAccount 1115 "CONCENTRATION_ACCOUNT" ACCOUNT
        "With every working order filled the account could hold {value} in the instrument, above the limit of {limit}.";
    ConcentrationDesk 1126 "CONCENTRATION_DESK" DESK
        "With every working order filled the desk could hold {value} in the instrument, above the limit of {limit}.";
    ConcentrationTrader 1127 "CONCENTRATION_TRADER" TRADER
        "With every working order filled the trader could hold {value} in the instrument, above the limit of {limit}.";
    ConcentrationFirm 1128 "CONCENTRATION_FIRM" FIRM
        "With every working order filled the firm could hold {value} in the instrument, above the limit of {limit}.";
}

unknown! {
    MarkMissing 1116 "MARK_MISSING" Weight::unvalued, needs Needs::Nothing;
        "Instrument {value}, in which the strategy, the account or one of their groups holds or has orders, has no price or no rate to value it at, or is one more than may be summed."
        fails closed on "no reference and no settlement price, a book in doubt without the latter, no rate, of anything held; too many instruments";
}
