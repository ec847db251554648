//! What is located: who may be short of how much, until when, and what costs nothing.

use super::*;
use crate::{Located, OrderEvent as E, RejectReason as R};
use std::string::ToString as _;

const FOR_EVER: UnixNanos = UnixNanos(u64::MAX);

fn located(rig: &mut Rig, account: AccountId, qty: u32) {
    rig.statics.locate(INSTRUMENT, account, Located { qty: Qty(qty), until: FOR_EVER }).expect("a row");
}

/// A sell of `qty`.
fn sells(id: u64, qty: u32) -> OrderIntent {
    OrderIntent { qty: Qty(qty), ..sell(id) }
}

#[test]
fn a_sell_beyond_what_is_held_and_located_is_refused_with_its_numbers() {
    let mut rig = Rig::locating(&CONFIG);
    let refused = rig.refuses(&sells(1, 1), R::Locate);
    assert_eq!((refused.limit, refused.value), (0, 1), "nothing is located where nobody said so");
    rig.accepts(&order(1));
    located(&mut rig, ACCOUNT, 150);
    rig.take(&sells(1, 100));
    let refused = rig.refuses(&sells(2, 51), R::Locate);
    assert_eq!((refused.limit, refused.value), (150, 151));
    rig.accepts(&sells(2, 50));
    assert!(rig.fast(&sells(2, 50), NOW) && !rig.fast(&sells(2, 51), NOW));
    // What was taken back is free again; what is filled is not.
    rig.gate.settle(E::Filled { id: 1, qty: Qty(60) });
    rig.gate.settle(E::Cancelled { id: 1 });
    rig.refuses(&sells(2, 91), R::Locate);
    rig.accepts(&sells(2, 90));
}

#[test]
fn what_closes_a_long_needs_no_locate_and_what_goes_past_zero_does() {
    let mut rig = Rig::locating(&CONFIG);
    rig.hold(100);
    rig.take(&sells(1, 60));
    rig.accepts(&sells(2, 40));
    rig.refuses(&sells(2, 41), R::Locate);
    // A buy that works is not held yet.
    rig.take(&order(3));
    rig.refuses(&sells(2, 41), R::Locate);
    rig.gate.settle(E::Filled { id: 3, qty: Qty(100) });
    rig.accepts(&sells(2, 140));
    rig.refuses(&sells(2, 141), R::Locate);
}

/// The account's, whichever strategy sells: another account's is not touched.
#[test]
fn an_account_has_its_own_locate_over_all_its_strategies_without_any_other_check_of_accounts() {
    let config = GateConfig { account_positions: false, self_match: SelfMatch::Off, ..CONFIG };
    let mut rig = Rig::locating(&config);
    for class in [ClassId(0), CLASS] {
        rig.statics.publish(INSTRUMENT, class, &envelope(), &static_terms(), NOW).expect("a row");
        rig.dynamics
            .publish(INSTRUMENT, class, &envelope().clamp(&LIVE), &terms(Tier::Normal), NOW)
            .expect("a row");
    }
    located(&mut rig, ACCOUNT, 100);
    rig.take(&sells(1, 80));
    let of_other_strategy = |qty| OrderIntent { strategy: StrategyId(0), ..sells(2, qty) };
    rig.accepts(&of_other_strategy(20));
    rig.refuses(&of_other_strategy(21), R::Locate);
    let of_other_account = OrderIntent { account: AccountId(0), ..sells(2, 1) };
    rig.refuses(&of_other_account, R::Locate);
    located(&mut rig, AccountId(0), 1);
    rig.accepts(&of_other_account);
}

#[test]
fn a_locate_ends_and_one_that_is_lowered_takes_nothing_back_that_works() {
    let mut rig = Rig::locating(&CONFIG);
    let minute = 60_000_000_000;
    let until = UnixNanos((NOW.0 / minute + 1) * minute);
    rig.statics.locate(INSTRUMENT, ACCOUNT, Located { qty: Qty(200), until }).expect("a row");
    rig.publish_top(&TopOfBook { ts: UnixNanos(until.0 - 1), ..top() });
    assert!(rig.gate.check(&sells(1, 200), UnixNanos(until.0 - 1)).accepted());
    assert_eq!(rig.gate.check(&sells(1, 200), until).reason, Some(R::Locate));
    rig.publish_top(&top());
    rig.take(&sells(1, 200));
    located(&mut rig, ACCOUNT, 50);
    // As the rest of a replacement is judged: what only shrinks passes, what grows does not.
    let replaced = |rig: &mut Rig, id, qty| rig.gate.replace(1, &sells(id, qty), NOW).0.reason;
    assert_eq!(replaced(&mut rig, 2, 201), Some(R::Locate));
    assert_eq!(replaced(&mut rig, 3, 150), None);
}

#[test]
fn an_account_in_doubt_is_as_short_as_anything_that_was_said_may_have_left_it() {
    let mut rig = Rig::locating(&CONFIG);
    rig.hold(500);
    rig.gate.settle(E::Filled { id: 77, qty: Qty(10) });
    assert!(rig.gate.exposure(INSTRUMENT, STRATEGY).expect("a cell").in_doubt);
    let reasons = |rig: &Rig, qty| {
        let explained = rig.gate.explain(&sells(1, qty), NOW);
        explained.breaches().map(|breach| breach.reason).collect::<std::vec::Vec<_>>()
    };
    assert!(reasons(&rig, 500).contains(&R::Locate), "ten may have been sold already");
}

#[test]
fn without_a_table_of_locates_nobody_is_held_to_any() {
    let mut rig = Rig::new();
    rig.accepts(&sell(1));
    let error = rig.statics.locate(INSTRUMENT, ACCOUNT, Located::NONE).expect_err("no table");
    assert_eq!(error.to_string(), "nothing can be located in instrument 1 for account 1");
    let accounts = std::panic::catch_unwind(|| Rig::over(&CONFIG, true, 1));
    assert!(accounts.is_err(), "a table of fewer accounts than the gate has");
}
