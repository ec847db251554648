//! The firm's breaker word: a halt sets it without waiting for a command that is busy with the disk.
//!
//! The controller's lock is held while latches and audit records go to disk, milliseconds each. A halt that finds it
//! taken writes the word here first and then waits for its turn to latch. Until it has latched, no other command may
//! open the word: that is what the count of halts ahead is for.

use crate::backend::{Backend, BackendError};
use crate::names::Scope;
use gate::{Breaker, BreakerCause, BreakerState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a halt says that has no episode yet; its latch gives it one, and the word is written again.
const AHEAD: Breaker = Breaker { state: BreakerState::Tripped, cause: BreakerCause::Officer, episode: 0 };

/// The firm's word and the halts that have written it and are not latched yet. Its lock is never held over a disk.
#[derive(Debug, Default)]
pub(super) struct FirmWord(Mutex<u32>);

/// A halt in force whose latch is still to come. Drop it once the latch says so too.
pub(super) struct Ahead<'a> {
    word: &'a FirmWord,
    /// Whether the gate took it.
    pub(super) written: Result<(), BackendError>,
}

impl FirmWord {
    fn lock(&self) -> MutexGuard<'_, u32> {
        // The count is right after every statement; a panic elsewhere changes nothing about it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is latched; while a halt is ahead of its latch, nothing looser than tripped.
    pub(super) fn set(&self, backend: &dyn Backend, breaker: Breaker) -> Result<(), BackendError> {
        let ahead = self.lock();
        let loosens = *ahead > 0 && breaker.state != BreakerState::Tripped;
        backend.set_breaker(&Scope::Firm, if loosens { AHEAD } else { breaker })
    }

    /// Halts at once.
    pub(super) fn halt_ahead(&self, backend: &dyn Backend) -> Ahead<'_> {
        let mut ahead = self.lock();
        *ahead += 1;
        Ahead { word: self, written: backend.set_breaker(&Scope::Firm, AHEAD) }
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        *self.word.lock() -= 1;
    }
}
