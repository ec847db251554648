//! Breaker words ahead of their latches: a trip or halt sets its word without waiting for a command that is busy with the
//! disk.
//!
//! The controller's lock is held while latches and audit records go to disk, milliseconds each. A tightening that finds it
//! taken writes its word here first and then waits for its turn to latch. Until it has latched, no other command may loosen
//! the word: that is what the list of modes ahead is for.

use crate::backend::{Backend, BackendError};
use crate::names::Scope;
use crate::protocol::TripMode;
use gate::{Breaker, BreakerCause, BreakerState};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const ARMED: Breaker = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };

/// What a tightening says that has no episode yet; its latch gives it one, and the word is written again.
const fn ahead(mode: TripMode) -> Breaker {
    let state = match mode {
        TripMode::ReduceOnly => BreakerState::ReduceOnly,
        TripMode::Tripped => BreakerState::Tripped,
    };
    Breaker { state, cause: BreakerCause::Officer, episode: 0 }
}

const fn strictness(breaker: Breaker) -> u8 {
    match breaker.state {
        BreakerState::Open => 0,
        BreakerState::ReduceOnly => 1,
        BreakerState::Tripped => 2,
    }
}

/// One word: what is latched, and what is ahead of it.
#[derive(Debug)]
struct Word {
    latched: Breaker,
    ahead: Vec<TripMode>,
}

impl Word {
    /// What the gate is to read: what is latched, unless something ahead of it is stricter.
    fn breaker(&self) -> Breaker {
        let strictest = self.ahead.iter().max().map_or(ARMED, |mode| ahead(*mode));
        if strictness(strictest) > strictness(self.latched) { strictest } else { self.latched }
    }
}

/// Every word that was set, and the tightenings that have written theirs and are not latched yet. A word's lock is held while
/// the gate takes it, and never over a disk; one word does not wait for another.
#[derive(Debug, Default)]
pub(super) struct Words(Mutex<BTreeMap<Scope, Arc<Mutex<Word>>>>);

/// A tightening in force whose latch is still to come. Drop it once the latch says so too.
pub(super) struct Ahead {
    word: Arc<Mutex<Word>>,
    mode: TripMode,
    /// Whether the gate took it.
    pub(super) written: Result<(), BackendError>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The words are right after every statement; a panic elsewhere changes nothing about them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Words {
    fn word(&self, scope: &Scope) -> Arc<Mutex<Word>> {
        let mut words = lock(&self.0);
        let armed = || Arc::new(Mutex::new(Word { latched: ARMED, ahead: Vec::new() }));
        Arc::clone(words.entry(scope.clone()).or_insert_with(armed))
    }

    /// Writes what is latched; while something stricter is ahead of its latch, that.
    pub(super) fn set(
        &self,
        backend: &dyn Backend,
        scope: &Scope,
        breaker: Breaker,
    ) -> Result<(), BackendError> {
        let word = self.word(scope);
        let mut word = lock(&word);
        word.latched = breaker;
        backend.set_breaker(scope, word.breaker())
    }

    /// Tightens at once.
    pub(super) fn go_ahead(&self, backend: &dyn Backend, scope: &Scope, mode: TripMode) -> Ahead {
        let shared = self.word(scope);
        let mut word = lock(&shared);
        word.ahead.push(mode);
        let written = backend.set_breaker(scope, word.breaker());
        drop(word);
        Ahead { word: shared, mode, written }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let mut word = lock(&self.word);
        if let Some(at) = word.ahead.iter().position(|mode| *mode == self.mode) {
            word.ahead.swap_remove(at);
        }
    }
}
