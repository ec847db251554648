//! Order ids: new ones are new, replacements name an order that works, and there is room.

use crate::{
    case::Case,
    check::{Check, Unit, clip},
};

pub(super) struct Duplicate;

impl Check for Duplicate {
    const CODE: u16 = 500;
    const SLUG: &'static str = "DUPLICATE";
    const FIX: u16 = 6;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "An order with this client order id is open or was so recently.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.known
    }
}

pub(super) struct UnknownOrder;

impl Check for UnknownOrder {
    const CODE: u16 = 501;
    const SLUG: &'static str = "UNKNOWN_ORDER";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "The order to replace is not open.";
    const FAILS_CLOSED_ON: &'static str = "a replacement of an unknown order";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.prior.unknown
    }
}

pub(super) struct BadReplace;

impl Check for BadReplace {
    const CODE: u16 = 502;
    const SLUG: &'static str = "BAD_REPLACE";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str =
        "A replacement may change price and quantity only, not instrument, side, strategy or account.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.prior.foreign
    }
}

pub(super) struct ReplacePending;

impl Check for ReplacePending {
    const CODE: u16 = 503;
    const SLUG: &'static str = "REPLACE_PENDING";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::None;
    const SENTENCE: &'static str = "The order already has a replacement that the venue has not answered.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.prior.pending
    }
}

pub(super) struct TableFull;

impl Check for TableFull {
    const CODE: u16 = 510;
    const SLUG: &'static str = "TABLE_FULL";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Orders;
    const SENTENCE: &'static str =
        "The gate holds {value} open orders, its maximum ({limit}); it cannot track another one.";
    const FAILS_CLOSED_ON: &'static str = "a full open-order table";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.settings.orders_open >= case.settings.orders_max
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (clip(case.settings.orders_max as u64), clip(case.settings.orders_open as u64))
    }
}
