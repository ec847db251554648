//! Who is declared, and what each may.

use crate::names::{Name, Scope};
use gate::{ActivityLimits, ExposureLimits, TimesInForce};
use std::collections::{BTreeMap, BTreeSet};

/// The names that orders, breakers and limits may use; any other is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredScopes {
    /// Accounts.
    pub accounts: BTreeSet<Name>,
    /// Strategies, each with its desk where it has one.
    pub strategies: BTreeMap<Name, Option<Name>>,
    /// Desks.
    pub desks: BTreeSet<Name>,
    /// Traders.
    pub traders: BTreeSet<Name>,
    /// The trader of each strategy that has one.
    pub trader_of: BTreeMap<Name, Name>,
    /// What desks, traders and the firm may hold over all instruments; those that are not named anything.
    pub groups: BTreeMap<Scope, ExposureLimits>,
    /// What each may lose within a day, in millionths; those that are not named without a limit.
    pub losses: BTreeMap<Scope, u64>,
    /// What strategies may hold over all instruments; those that are not named anything.
    pub strategy_limits: BTreeMap<Name, ExposureLimits>,
    /// What strategies may do within a time; those that are not named anything.
    pub strategy_activity: BTreeMap<Name, ActivityLimits>,
    /// Which times in force the orders of strategies may have; those that are not named any.
    pub times_in_force: BTreeMap<Name, TimesInForce>,
    /// What accounts may hold over all instruments; those that are not named anything.
    pub account_limits: BTreeMap<Name, ExposureLimits>,
    /// The same of accounts.
    pub account_activity: BTreeMap<Name, ActivityLimits>,
}
