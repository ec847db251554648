//! The lock of all changes, and what can be seen beside it: whoever only looks waits for no command that is at the disk, and sees
//! everything as it stood when the lock was last given back.

use super::inner::Inner;
use crate::audit::{AuditKey, Promise};
use crate::protocol::AuditStatus;
use crate::stamp::Stamp;
use crate::state::{Latches, LimitsInForce};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long one command may have the lock before that is an alarm of its own: the disk hangs.
const HELD_MAX: Duration = Duration::from_secs(2);

/// Everything as it stood when the lock was last given back. A copy costs a few counts.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) latch: Arc<Latches>,
    pub(super) limits: LimitsInForce,
    pub(super) audit: AuditStatus,
    pub(super) promise: Promise,
    pub(super) key: AuditKey,
    /// What is in force and not on disk.
    pub(super) alarms: Vec<String>,
    /// Proposals that wait.
    pub(super) proposals: usize,
}

impl Inner {
    fn shown(&self) -> Shown {
        let log = &self.trail.log;
        Shown {
            latch: self.latch.shared(),
            limits: self.limits.shared(),
            audit: AuditStatus { records: log.records(), head: log.head().to_owned() },
            promise: log.promise(),
            key: log.key().clone(),
            alarms: self.alarms(),
            proposals: self.proposals.waiting().len(),
        }
    }
}

/// The lock and what is shown beside it.
pub(super) struct Front {
    inner: Mutex<Inner>,
    shown: Mutex<Shown>,
    /// Since when somebody has the lock.
    held: Mutex<Option<(Instant, Stamp)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in another command (debug builds; release aborts) leaves latches and chain as the disk has them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Front {
    pub(super) fn new(inner: Inner) -> Self {
        Self { shown: Mutex::new(inner.shown()), inner: Mutex::new(inner), held: Mutex::new(None) }
    }

    /// The lock, waited for.
    pub(super) fn lock(&self, now: impl FnOnce() -> Stamp) -> Locked<'_> {
        self.locked(lock(&self.inner), now)
    }

    /// The lock, unless somebody has it.
    pub(super) fn try_lock(&self, now: impl FnOnce() -> Stamp) -> Option<Locked<'_>> {
        let inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.locked(inner, now))
    }

    fn locked<'a>(&'a self, inner: MutexGuard<'a, Inner>, now: impl FnOnce() -> Stamp) -> Locked<'a> {
        *lock(&self.held) = Some((Instant::now(), now()));
        Locked { inner, front: self, changed: false }
    }

    /// What stood when the lock was last given back, with an alarm where that does not happen.
    pub(super) fn shown(&self) -> Shown {
        let mut shown = lock(&self.shown).clone();
        if let Some((began, since)) = *lock(&self.held)
            && began.elapsed() >= HELD_MAX
        {
            let alarm = format!(
                "the disk takes nothing since {since:.3}: halts, trips and lower limits are in force at once and wait to be written, \
                 and nothing can be loosened"
            );
            shown.alarms.insert(0, alarm);
        }
        shown
    }
}

/// Whoever has this changes everything; what it leaves is shown.
pub(super) struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    front: &'a Front,
    /// Something may have been changed, and is to be shown.
    changed: bool,
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        self.changed = true;
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.changed {
            *lock(&self.front.shown) = self.inner.shown();
        }
        *lock(&self.front.held) = None;
    }
}
