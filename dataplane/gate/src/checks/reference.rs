//! The reference price: there, young, and of a book to be believed.

use types::BookState;

use crate::{
    case::{Case, Found},
    check::{Check, Needs, Unit, clip},
};

pub(super) struct RefMissing;

impl Check for RefMissing {
    const CODE: u16 = 900;
    const SLUG: &'static str = "REF_MISSING";
    const FIX: u16 = 19;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "There is no reference price: the book is empty, one-sided without a trade, or crossed, or a market order has \
         no far side.";
    const FAILS_CLOSED_ON: &'static str = "no reference price, no far side for a market order";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        let judged = &case.facts.judged;
        match case.inputs.missing.quote {
            Found::Whole => !case.inputs.referenced || judged.market && judged.far == 0,
            Found::Empty => true,
            Found::Torn | Found::NotSought => false,
        }
    }
}

pub(super) struct RefStale;

impl Check for RefStale {
    const CODE: u16 = 901;
    const SLUG: &'static str = "REF_STALE";
    const FIX: u16 = 19;
    const UNIT: Unit = Unit::Nanos;
    const SENTENCE: &'static str =
        "The reference price is {value} old (limit {limit}), or its book has a gap.";
    const FAILS_CLOSED_ON: &'static str =
        "a stale reference, an old last trade, a feed gap, a book in recovery";
    const NEEDS: Needs = Needs::Quote;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // 0 is an empty book, which has no reference; 1 a live one; nothing above is to be believed.
        let doubtful = case.inputs.quote.state > BookState::Live.to_u8();
        let old_trade = case.inputs.last_age_ns > case.settings.last_age_max.0;
        case.facts.ref_age_ns > case.settings.ref_age_max.0 || doubtful || old_trade
    }

    fn numbers(case: &Case) -> (i64, i64) {
        let (settings, last_age_ns) = (&case.settings, case.inputs.last_age_ns);
        if case.facts.ref_age_ns <= settings.ref_age_max.0 && last_age_ns > settings.last_age_max.0 {
            return (clip(settings.last_age_max.0), clip(last_age_ns));
        }
        (clip(settings.ref_age_max.0), clip(case.facts.ref_age_ns))
    }
}

pub(super) struct RefTorn;

impl Check for RefTorn {
    const CODE: u16 = 902;
    const SLUG: &'static str = "REF_TORN";
    const FIX: u16 = 19;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "The reference price cannot be read whole.";
    const FAILS_CLOSED_ON: &'static str = "a torn reference record";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.missing.quote == Found::Torn
    }
}
