//! Breakers. A word that holds no state halts like a trip.

use crate::{
    breaker::{BreakerState, HaltWord, OrderBreakers},
    case::Case,
    check::{Check, Unit},
};

/// Whether `word` says `state`; nothing is asked of the words when every breaker is open.
#[inline(always)]
fn says(case: &Case, word: impl Fn(&OrderBreakers) -> HaltWord, state: Option<BreakerState>) -> bool {
    case.inputs.halted && word(&case.inputs.breakers).state() == state
}

/// Whether any of the order's four words says `state`.
#[inline(always)]
fn any_says(case: &Case, state: Option<BreakerState>) -> bool {
    let OrderBreakers { firm, account, strategy, instrument, .. } = case.inputs.breakers;
    case.inputs.halted && [firm, account, strategy, instrument].into_iter().any(|word| word.state() == state)
}

pub(super) struct HaltUnreadable;

impl Check for HaltUnreadable {
    const CODE: u16 = 100;
    const SLUG: &'static str = "HALT_UNREADABLE";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str =
        "A breaker that covers this order cannot be read, so the order is treated as halted.";
    const FAILS_CLOSED_ON: &'static str = "a breaker word never set, damaged, or missing for a known scope";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        any_says(case, None)
    }
}

pub(super) struct HaltedFirm;

impl Check for HaltedFirm {
    const CODE: u16 = 101;
    const SLUG: &'static str = "HALTED_FIRM";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "All trading of the firm is halted.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        says(case, |words| words.firm, Some(BreakerState::Tripped))
    }
}

pub(super) struct HaltedAccount;

impl Check for HaltedAccount {
    const CODE: u16 = 102;
    const SLUG: &'static str = "HALTED_ACCOUNT";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Account {value} is halted.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        says(case, |words| words.account, Some(BreakerState::Tripped))
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.account.0.into())
    }
}

pub(super) struct HaltedStrategy;

impl Check for HaltedStrategy {
    const CODE: u16 = 103;
    const SLUG: &'static str = "HALTED_STRATEGY";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Strategy {value} is halted.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        says(case, |words| words.strategy, Some(BreakerState::Tripped))
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.strategy.0.into())
    }
}

pub(super) struct HaltedInstrument;

impl Check for HaltedInstrument {
    const CODE: u16 = 104;
    const SLUG: &'static str = "HALTED_INSTRUMENT";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Number;
    const SENTENCE: &'static str = "Instrument {value} is halted.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        says(case, |words| words.instrument, Some(BreakerState::Tripped))
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (0, case.order.instrument.0.into())
    }
}

pub(super) struct DaemonLost;

impl Check for DaemonLost {
    const CODE: u16 = 107;
    const SLUG: &'static str = "DAEMON_LOST";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Nanos;
    const SENTENCE: &'static str =
        "The appliance has not been heard for {value} (at most {limit}): a halt would not be seen.";
    const FAILS_CLOSED_ON: &'static str = "an appliance that is dead, stopped or restarting";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        case.inputs.halted && case.inputs.breakers.silent_ns != 0
    }

    fn numbers(case: &Case) -> (i64, i64) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        (signed(case.settings.daemon_age_max_ns), signed(case.inputs.breakers.silent_ns))
    }
}

pub(super) struct ReduceOnly;

impl Check for ReduceOnly {
    const CODE: u16 = 106;
    const SLUG: &'static str = "REDUCE_ONLY";
    const FIX: u16 = 0;
    const UNIT: Unit = Unit::Quantity;
    const SENTENCE: &'static str = "Only reducing orders are allowed; this one is for {value}, and at most {limit} reduces the position.";

    #[inline(always)]
    fn broken(case: &Case) -> bool {
        !case.adds_nothing() && any_says(case, Some(BreakerState::ReduceOnly))
    }

    fn numbers(case: &Case) -> (i64, i64) {
        (case.most_that_reduces(), case.prior.growth.into())
    }
}
