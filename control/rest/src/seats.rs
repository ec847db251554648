//! Places on the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Those who may follow it at once.
const SEATS_MAX: usize = 32;

/// Who follows the stream, and how well.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: AtomicUsize,
    lagged: AtomicU64,
}

impl Seats {
    /// Those who follow now, and pictures that somebody was too slow for.
    pub(crate) fn counts(&self) -> (usize, u64) {
        (self.taken.load(Ordering::Relaxed), self.lagged.load(Ordering::Relaxed))
    }

    /// A place, while there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let free = |taken: usize| (taken < SEATS_MAX).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(Seat(Arc::clone(self)))
    }
}

/// One who follows.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Seats>);

impl Seat {
    /// Counts pictures that whoever sits here was too slow for.
    pub(crate) fn lagged(&self, missed: u64) {
        self.0.lagged.fetch_add(missed, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
