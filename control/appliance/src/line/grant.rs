//! What an order process is given of the tables and the rules of a gate, whoever gives it.

use super::gate_tables::{SharedMemory, grant_rules};
use super::levels::{exposure, grant_levels, limits_of};
use control::config::Plan;
use control::names::Name;
use control::protocol::{Grant, GrantShape};
use gate::{ActivityLimits, Step, TimesInForce};
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

/// What every process is given alike.
pub(crate) fn grant_of(plan: &Plan, shared: &SharedMemory) -> Grant {
    let shape = shared.shape;
    let small = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    Grant {
        build: env!("CARGO_PKG_VERSION").to_owned(),
        layout: shared.layout,
        shape: GrantShape {
            instruments: plan.book.instruments,
            classes: small(shape.classes),
            accounts: shape.accounts,
            strategies: shape.strategies,
            dynamics: shape.dynamics,
            fat_finger: shape.fat_finger,
            locates: shape.locates,
        },
        rules: grant_rules(plan),
        strategies: BTreeMap::new(),
        accounts: BTreeMap::new(),
    }
}

/// `common` for a process that has these strategies and accounts, with the limits of them.
pub(crate) fn grant_for(
    plan: &Plan,
    common: Grant,
    (strategies, accounts): (BTreeMap<Name, u16>, BTreeMap<Name, u16>),
) -> Grant {
    let scopes = &plan.scopes;
    let mut grant = Grant { strategies, accounts, ..common };
    grant.rules.strategy_limits = limits_of(&grant.strategies, &scopes.strategy_limits, exposure);
    grant.rules.account_limits = limits_of(&grant.accounts, &scopes.account_limits, exposure);
    grant.rules.strategy_activity = limits_of(&grant.strategies, &scopes.strategy_activity, activity);
    grant.rules.account_activity = limits_of(&grant.accounts, &scopes.account_activity, activity);
    grant.rules.strategy_times_in_force =
        limits_of(&grant.strategies, &scopes.times_in_force, TimesInForce::bits);
    grant.rules.levels = grant_levels(plan, &grant.strategies, &grant.accounts);
    grant
}

/// As a grant has them.
fn activity(limits: ActivityLimits) -> [u64; 5] {
    let ActivityLimits { value_micros, qty, messages, cancels, messages_per_trade } = limits;
    [value_micros, qty, messages, cancels, messages_per_trade]
}

/// Steps in memory that another process can read.
pub(crate) fn file_of(steps: &[Step]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("portcullis-steps", MemfdFlags::CLOEXEC)?);
    let bytes: Vec<u8> = steps.iter().flat_map(Step::pack).flat_map(u64::to_le_bytes).collect();
    file.write_all(&bytes)?;
    Ok(file.into())
}
