//! The same order under a new id: sent twice by mistake, in all likelihood.

use crate::{
    case::Case,
    check::{Check, Unit, clip},
};

pub(super) struct Repeated;

impl Check for Repeated {
    const CODE: u16 = 504;
    const SLUG: &'static str = "REPEATED";
    const FIX: u16 = 6;
    const UNIT: Unit = Unit::Nanos;
    const SENTENCE: &'static str = "The same order was let through {value} ago under another id; within {limit} it is taken for one sent twice.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.common.repeat_age.is_some()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        let common = &case.inputs.common;
        (clip(common.repeat_window.0), common.repeat_age.map_or(0, |age| clip(age.0)))
    }
}
