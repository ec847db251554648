//! How drop copies agree with the gates of their gateways, as each gateway said it last.

use crate::config::Plan;
use crate::names::Name;
use crate::protocol::Reconciliation;
use crate::stamp::Stamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use types::Nanos;

/// A gateway that takes copies.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) standing: Reconciliation,
    /// How long copies may stay away before that is an alert.
    down_max: Nanos,
}

/// Every gateway that takes copies, by name.
#[derive(Debug, Default)]
pub(super) struct Reconciliations(Mutex<BTreeMap<Name, Declared>>);

impl Reconciliations {
    /// Those of the configuration, of which nothing is heard yet.
    pub(super) fn new(plan: &Plan, started: Stamp) -> Self {
        let declared = plan.gateways.iter().filter_map(|gateway| {
            let down_s = gateway.copy_in.as_ref()?.down_s;
            let standing = Reconciliation::unheard(gateway.name.clone(), gateway.client.clone(), started);
            let down_max = Nanos(u64::from(down_s) * 1_000_000_000);
            Some((gateway.name.clone(), Declared { standing, down_max }))
        });
        Self(Mutex::new(declared.collect()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Declared>> {
        // Whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each stands, in order of name.
    pub(super) fn rows(&self) -> Vec<Reconciliation> {
        self.lock().values().map(|declared| declared.standing.clone()).collect()
    }

    /// The same, with how long copies may stay away.
    pub(super) fn watched(&self) -> Vec<(Reconciliation, Nanos)> {
        self.lock().values().map(|declared| (declared.standing.clone(), declared.down_max)).collect()
    }
}
