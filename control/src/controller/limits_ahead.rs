//! Lower limits ahead of their file: one is in force without waiting for a command that is at the disk, as the words of trips are
//! ([`super::ahead`]). Until it is set for good, whatever another command puts in force for the instrument is tightened by it.

use crate::backend::{Backend, BackendError};
use crate::names::SymbolName;
use crate::protocol::LimitChange;
use crate::state::LimitsInForce;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One instrument: what was last put in force under the lock of all changes, and what is ahead of it.
#[derive(Debug, Default)]
struct Row {
    set: Option<LimitsInForce>,
    ahead: Vec<(u64, Vec<LimitChange>)>,
    newest: u64,
}

impl Row {
    fn push(
        &self,
        backend: &dyn Backend,
        symbol: SymbolName,
        set: &LimitsInForce,
    ) -> Result<(), BackendError> {
        let changes = self.ahead.iter().flat_map(|(_, changes)| changes);
        let tightened =
            |limits: LimitsInForce, change: &LimitChange| limits.tightened(symbol, change.key, change.value);
        backend.set_limits(symbol, &changes.fold(set.clone(), tightened).envelope(symbol))
    }
}

/// Every instrument whose limits were set. A row's lock is held while the gate takes it, and never over a disk.
#[derive(Debug, Default)]
pub(super) struct LimitsAhead(Mutex<BTreeMap<SymbolName, Arc<Mutex<Row>>>>);

/// Lower limits in force that are still to be set for good. Drop it once they are.
pub(super) struct Lowered {
    row: Arc<Mutex<Row>>,
    number: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Rows are right after every statement; a panic elsewhere changes nothing about them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LimitsAhead {
    fn row(&self, symbol: SymbolName) -> Arc<Mutex<Row>> {
        Arc::clone(lock(&self.0).entry(symbol).or_default())
    }

    /// Puts `limits` in force for `symbol`, under whatever is ahead of them.
    ///
    /// # Errors
    /// [`BackendError`]; what was set before is then what others go by.
    pub(super) fn set(
        &self,
        backend: &dyn Backend,
        symbol: SymbolName,
        limits: LimitsInForce,
    ) -> Result<(), BackendError> {
        let row = self.row(symbol);
        let mut row = lock(&row);
        let taken = row.push(backend, symbol, &limits);
        if taken.is_ok() {
            row.set = Some(limits);
        }
        taken
    }

    /// Lowers at once what was last set, or `shown` where nothing was. Whether the gate took it is asked when they are set for good.
    pub(super) fn go_ahead(
        &self,
        backend: &dyn Backend,
        symbol: SymbolName,
        changes: &[LimitChange],
        shown: &LimitsInForce,
    ) -> Lowered {
        let shared = self.row(symbol);
        let mut row = lock(&shared);
        row.newest += 1;
        let number = row.newest;
        row.ahead.push((number, changes.to_vec()));
        drop(row.push(backend, symbol, row.set.as_ref().unwrap_or(shown)));
        drop(row);
        Lowered { row: shared, number }
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        lock(&self.row).ahead.retain(|(number, _)| *number != self.number);
    }
}
