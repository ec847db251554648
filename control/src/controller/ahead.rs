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
use std::time::{Duration, Instant};

/// How long a tightening may wait for its latch before people are told of it without one.
const LATCH_MAX: Duration = Duration::from_secs(1);

const ARMED: Breaker = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };

/// What a tightening says that has no episode yet; its latch gives it one, and the word is written again.
const fn ahead(mode: TripMode) -> Breaker {
    let state = match mode {
        TripMode::ReduceOnly => BreakerState::ReduceOnly,
        TripMode::Tripped => BreakerState::Tripped,
    };
    Breaker { state, cause: BreakerCause::Officer, episode: 0 }
}

/// How far a breaker in `state` is closed: more is stricter.
pub(super) const fn strictness(state: BreakerState) -> u8 {
    match state {
        BreakerState::Open => 0,
        BreakerState::ReduceOnly => 1,
        BreakerState::Tripped => 2,
    }
}

/// A tightening ahead of its latch.
#[derive(Debug)]
struct Tightening {
    mode: TripMode,
    by: String,
    since: Instant,
    /// People were told of it, although it is not latched.
    told: bool,
}

/// A tightening whose latch keeps one waiting.
#[derive(Debug)]
pub(super) struct Overdue {
    pub(super) scope: Scope,
    pub(super) mode: TripMode,
    pub(super) by: String,
}

/// One word: what is latched, and what is ahead of it.
#[derive(Debug)]
struct Word {
    latched: Breaker,
    ahead: Vec<Tightening>,
}

impl Word {
    /// What the gate is to read: what is latched, unless something ahead of it is stricter.
    fn breaker(&self) -> Breaker {
        let strictest = self.ahead.iter().map(|tightening| tightening.mode).max().map_or(ARMED, ahead);
        if strictness(strictest.state) > strictness(self.latched.state) { strictest } else { self.latched }
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

    /// What the gate reads of `scope`; armed where nothing was ever set.
    pub(super) fn state(&self, scope: &Scope) -> BreakerState {
        let word = lock(&self.0).get(scope).map(Arc::clone);
        word.map_or(BreakerState::Open, |word| lock(&word).breaker().state)
    }

    /// Tightens at once.
    pub(super) fn go_ahead(&self, backend: &dyn Backend, scope: &Scope, mode: TripMode, by: &str) -> Ahead {
        let shared = self.word(scope);
        let mut word = lock(&shared);
        word.ahead.push(Tightening { mode, by: by.to_owned(), since: Instant::now(), told: false });
        let written = backend.set_breaker(scope, word.breaker());
        drop(word);
        Ahead { word: shared, mode, written }
    }

    /// The tightenings that have waited for their latches for too long, each once.
    pub(super) fn overdue(&self) -> Vec<Overdue> {
        let words: Vec<_> =
            lock(&self.0).iter().map(|(scope, word)| (scope.clone(), Arc::clone(word))).collect();
        let mut late = Vec::new();
        for (scope, word) in words {
            for tightening in &mut lock(&word).ahead {
                if !tightening.told && tightening.since.elapsed() >= LATCH_MAX {
                    tightening.told = true;
                    let (mode, by) = (tightening.mode, tightening.by.clone());
                    late.push(Overdue { scope: scope.clone(), mode, by });
                }
            }
        }
        late
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let mut word = lock(&self.word);
        if let Some(at) = word.ahead.iter().position(|tightening| tightening.mode == self.mode) {
            word.ahead.swap_remove(at);
        }
    }
}
