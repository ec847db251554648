//! Whether the venue trades the instrument.

use types::TradingStatus;

use crate::{
    case::Case,
    check::{Check, Needs, Unit},
};

pub(super) struct MktState;

impl Check for MktState {
    const CODE: u16 = 400;
    const SLUG: &'static str = "MKT_STATE";
    const FIX: u16 = 2;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str =
        "The venue does not trade the instrument now (state {value}; 2 halted, 3 paused, 4 closed).";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.quote.status > TradingStatus::Trading as u8
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.inputs.quote.status.into())
    }
}

pub(super) struct MktStateUnknown;

impl Check for MktStateUnknown {
    const CODE: u16 = 401;
    const SLUG: &'static str = "MKT_STATE_UNKNOWN";
    const FIX: u16 = 2;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "The venue's trading state of the instrument is not known.";
    const FAILS_CLOSED_ON: &'static str = "no trading state heard";
    const NEEDS: Needs = Needs::Quote;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.quote.status == TradingStatus::Unknown as u8
    }
}
