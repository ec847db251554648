//! The restricted list: for whom it holds, in what order it comes and goes, and what is left of it where a writer dies.

use super::*;
use crate::{RejectReason as R, RestrictedTo, Restriction};

const EVERYONE: Restriction =
    Restriction::NONE.and(Side::Bid, RestrictedTo::Everyone).and(Side::Ask, RestrictedTo::Everyone);

/// Another strategy or account of the same rig.
fn other(order: &OrderIntent) -> OrderIntent {
    OrderIntent { account: AccountId(0), ..*order }
}

#[test]
fn one_account_may_not_buy_and_everything_else_passes() {
    let mut rig = Rig::new();
    let no_buys = Restriction::NONE.and(Side::Bid, RestrictedTo::Account(ACCOUNT));
    rig.statics.restrict(INSTRUMENT, &no_buys).expect("a row");
    let refused = rig.refuses(&order(1), R::Restricted);
    assert_eq!((refused.value, refused.source), (1, crate::LimitsSource::Dynamic));
    rig.accepts(&sell(1));
    rig.accepts(&other(&order(1)));
    let no_strategy = Restriction::NONE.and(Side::Ask, RestrictedTo::Strategy(STRATEGY));
    rig.statics.restrict(INSTRUMENT, &no_strategy).expect("a row");
    rig.accepts(&order(1));
    rig.refuses(&sell(1), R::Restricted);
    rig.refuses(&other(&sell(1)), R::Restricted);
}

#[test]
fn a_list_may_come_before_the_limits_outlasts_them_and_its_end_gives_the_fast_path_back() {
    let mut rig = Rig::bare(&CONFIG, true);
    rig.statics.restrict(INSTRUMENT, &EVERYONE).expect("before there is a row");
    rig.breakers.set_unset(OPEN);
    rig.publish_static(&envelope(), &static_terms());
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    rig.publish_top(&top());
    rig.refuses(&order(1), R::Restricted);
    rig.publish_static(&envelope(), &static_terms());
    rig.refuses(&sell(1), R::Restricted);
    rig.statics.restrict(INSTRUMENT, &Restriction::NONE).expect("a row");
    rig.accepts(&order(1));
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    assert!(rig.fast(&order(1), NOW));
    // What was never granted the end of the list does not grant.
    rig.publish_static(&envelope(), &StaticTerms { permission: Permission::Denied, ..static_terms() });
    rig.statics.restrict(INSTRUMENT, &EVERYONE).expect("a row");
    rig.statics.restrict(INSTRUMENT, &Restriction::NONE).expect("a row");
    rig.refuses(&order(1), R::NotPermitted);
}

#[test]
fn the_fast_path_lets_nobody_of_a_listed_instrument_through_unasked() {
    let mut rig = Rig::new();
    assert!(rig.fast(&order(1), NOW));
    rig.statics.restrict(INSTRUMENT, &EVERYONE).expect("a row");
    rig.publish_live(&LIVE, Tier::Normal, NOW);
    assert!(!rig.fast(&order(1), NOW));
    rig.refuses(&order(1), R::Restricted);
}

#[test]
fn a_list_whose_writer_died_in_it_refuses_everybody() {
    let mut rig = Rig::new();
    let elsewhere = Restriction::NONE.and(Side::Ask, RestrictedTo::Account(AccountId(0)));
    rig.statics.restrict(INSTRUMENT, &elsewhere).expect("a row");
    rig.accepts(&order(1));
    rig.statics.abandon_restriction(INSTRUMENT);
    rig.refuses(&order(1), R::Restricted);
    rig.publish_static(&envelope(), &static_terms());
    rig.refuses(&order(1), R::Restricted);
}

#[test]
fn a_replacement_is_held_to_the_list_and_every_class_is() {
    let mut rig = Rig::new();
    rig.take(&order(1));
    rig.statics.restrict(INSTRUMENT, &EVERYONE).expect("a row");
    let (verdict, reservation) = rig.gate.replace(1, &OrderIntent { qty: Qty(50), ..order(2) }, NOW);
    assert_eq!((verdict.reason, reservation), (Some(R::Restricted), None));
    rig.statics.publish(INSTRUMENT, ClassId(0), &envelope(), &static_terms(), NOW).expect("a row");
    rig.refuses(&OrderIntent { strategy: StrategyId(0), ..order(3) }, R::Restricted);
    assert!(rig.statics.restrict(InstrumentId(3), &EVERYONE).is_err(), "beyond the table");
}

#[test]
fn numbers_beyond_the_word_are_restricted_together() {
    let order = |account| OrderIntent { account: AccountId(account), ..order(1) };
    for (listed, asked, holds) in [
        (62, 62, true),
        (62, 63, false),
        (63, 63, true),
        (63, 9_999, true),
        (9_999, 63, true),
        (63, 62, false),
    ] {
        let restriction = Restriction::NONE.and(Side::Bid, RestrictedTo::Account(AccountId(listed)));
        assert_eq!(restriction.holds(&order(asked)), holds, "{listed} {asked}");
    }
    assert!(EVERYONE.holds(&order(u16::MAX)) && !Restriction::NONE.holds(&order(0)));
}
