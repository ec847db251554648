//! Who sends what: known, and allowed to.

use crate::{
    case::Case,
    check::{Check, Needs, Unit, clip},
    record::Permission,
    worth::Known,
};

pub(super) struct UnknownInstrument;

impl Check for UnknownInstrument {
    const CODE: u16 = 200;
    const SLUG: &'static str = "UNKNOWN_INSTRUMENT";
    const FIX: u16 = 1;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Instrument {value} is not one of the {limit} instruments of this gate.";
    const FAILS_CLOSED_ON: &'static str = "an unknown instrument";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.missing.instrument
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (clip(case.settings.instruments as u64), case.order.instrument.0.into())
    }
}

pub(super) struct UnknownStrategy;

impl Check for UnknownStrategy {
    const CODE: u16 = 201;
    const SLUG: &'static str = "UNKNOWN_STRATEGY";
    const FIX: u16 = 99;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Strategy {value} is not one of the {limit} strategies of this gate.";
    const FAILS_CLOSED_ON: &'static str = "an unknown strategy";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.missing.strategy
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (clip(case.settings.strategies as u64), case.order.strategy.0.into())
    }
}

pub(super) struct UnknownAccount;

impl Check for UnknownAccount {
    const CODE: u16 = 202;
    const SLUG: &'static str = "UNKNOWN_ACCOUNT";
    const FIX: u16 = 15;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Account {value} is not one of the {limit} accounts of this gate.";
    const FAILS_CLOSED_ON: &'static str = "an unknown account";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.missing.account
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.settings.accounts.into(), case.order.account.0.into())
    }
}

pub(super) struct NotPermitted;

impl Check for NotPermitted {
    const CODE: u16 = 203;
    const SLUG: &'static str = "NOT_PERMITTED";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "The strategy's class has no permission for this instrument.";
    const FAILS_CLOSED_ON: &'static str = "a permission never granted";
    const NEEDS: Needs = Needs::Limits;

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.limits.permission as u8 == Permission::Denied as u8
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.instrument.0.into())
    }
}

pub(super) struct Restricted;

impl Check for Restricted {
    const CODE: u16 = 204;
    const SLUG: &'static str = "RESTRICTED";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "The instrument is on the restricted list for this order.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // Of a listed one the slow path has looked for whom: here it is one of them, or nobody has looked.
        case.inputs.limits.permission as u8 >= Permission::Restricted as u8
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.instrument.0.into())
    }
}

pub(super) struct TermsMissing;

impl Check for TermsMissing {
    const CODE: u16 = 205;
    const SLUG: &'static str = "TERMS_MISSING";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Nothing is known of instrument {value}: what its prices mean in money was never said, or cannot be read.";
    const FAILS_CLOSED_ON: &'static str = "an undeclared instrument, where instruments are to be declared";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        // Prices are then taken for positive: where they are not, there is no reference, and nothing passes.
        case.inputs.worth.known == Known::NoTerms && !case.adds_nothing()
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.instrument.0.into())
    }
}
