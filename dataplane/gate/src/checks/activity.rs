//! What a strategy and an account do within a time.

use crate::{
    activity::{CANCELS, Done, MESSAGES, QTY, TRADES, VALUE},
    case::Case,
    check::{Check, Needs, Unit, clip},
};

/// Of the order's strategy, and of its account.
const STRATEGY: usize = 0;
const ACCOUNT: usize = 1;

#[inline(always)]
fn done<const LEVEL: usize>(case: &Case) -> Option<Done> {
    case.inputs.common.done.map(|[strategy, account]| if LEVEL == STRATEGY { strategy } else { account })
}

/// A replacement that only takes away is as good as a cancel.
#[inline(always)]
fn exceeds<const LEVEL: usize, const KIND: usize>(case: &Case) -> bool {
    let grows = match KIND {
        VALUE | QTY => case.prior.growth != 0,
        MESSAGES => !case.prior.shrinks,
        // What can only reduce a position is not kept from it by what the strategy has taken back.
        _ => !case.adds_nothing(),
    };
    done::<LEVEL>(case).is_some_and(|done| done.exceeds(KIND)) && grows
}

macro_rules! kinds {
    ($($name:ident $code:literal $slug:literal $level:ident $kind:ident $unit:ident $sentence:literal;)+) => {$(
        pub(super) struct $name;

        impl Check for $name {
            const CODE: u16 = $code;
            const SLUG: &'static str = $slug;
            const FIX: u16 = 3;
            const UNIT: Unit = Unit::$unit;
            const SENTENCE: &'static str = $sentence;
            const NEEDS: Needs = Needs::Limits;

            #[inline(always)]
            fn broken(case: &Case) -> bool {
                exceeds::<$level, $kind>(case)
            }

            fn numbers(case: &Case) -> (i64, i64) {
                let (limit, sum) = done::<$level>(case).map_or((0, 0), |done| done.pair($kind));
                (clip(limit), clip(sum))
            }
        }
    )+};
}

kinds! {
    RollingValueStrategy 1410 "ROLLING_VALUE_STRATEGY" STRATEGY VALUE MicroCurrency
        "With this order the strategy would have sent orders for {value} within the window; it may for {limit}.";
    RollingValueAccount 1411 "ROLLING_VALUE_ACCOUNT" ACCOUNT VALUE MicroCurrency
        "With this order the account would have sent orders for {value} within the window; it may for {limit}.";
    RollingQtyStrategy 1412 "ROLLING_QTY_STRATEGY" STRATEGY QTY Quantity
        "With this order the strategy would have sent orders for a quantity of {value} within the window; it may for {limit}.";
    RollingQtyAccount 1413 "ROLLING_QTY_ACCOUNT" ACCOUNT QTY Quantity
        "With this order the account would have sent orders for a quantity of {value} within the window; it may for {limit}.";
    MessagesStrategy 1414 "MESSAGES_STRATEGY" STRATEGY MESSAGES Number
        "This would be message {value} of the strategy within the window; it may send {limit}, cancels counted.";
    MessagesAccount 1415 "MESSAGES_ACCOUNT" ACCOUNT MESSAGES Number
        "This would be message {value} of the account within the window; it may send {limit}, cancels counted.";
    CancelsStrategy 1416 "CANCELS_STRATEGY" STRATEGY CANCELS Number
        "The strategy has taken back {value} orders within the window; above {limit} it sends no new ones.";
    CancelsAccount 1417 "CANCELS_ACCOUNT" ACCOUNT CANCELS Number
        "The account has taken back {value} orders within the window; above {limit} it sends no new ones.";
    OrderToTradeStrategy 1418 "ORDER_TO_TRADE_STRATEGY" STRATEGY TRADES Number
        "This would be message {value} of the strategy within the window; for its trades it may send {limit}.";
    OrderToTradeAccount 1419 "ORDER_TO_TRADE_ACCOUNT" ACCOUNT TRADES Number
        "This would be message {value} of the account within the window; for its trades it may send {limit}.";
}
