//! The contract of a stage: what one poll does, and what it says about the next.

use types::UnixNanos;

/// Whether a stage wants to be polled again, and how soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkStatus {
    /// Nothing was there to do.
    Idle,
    /// Something was done, or something waits for room further down.
    Busy,
    /// The stage will never have work again (end of file, end of session).
    Done,
}

/// What one poll did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Items handled: packets, events, vectors; whatever the stage counts.
    pub items: u32,
    /// Whether there is more.
    pub status: WorkStatus,
}

impl Work {
    /// Nothing was there to do.
    pub const IDLE: Self = Self { items: 0, status: WorkStatus::Idle };
    /// The stage will never have work again.
    pub const DONE: Self = Self { items: 0, status: WorkStatus::Done };

    /// `items` were handled; [`Work::IDLE`] when there were none.
    #[inline]
    #[must_use]
    pub const fn of(items: u32) -> Self {
        Self { items, status: if items == 0 { WorkStatus::Idle } else { WorkStatus::Busy } }
    }
}

/// One polled part of the line. It owns its state and never blocks, allocates, locks or reads a clock of its own.
pub trait Stage {
    /// Name in metrics, histograms and thread lists; at most 15 bytes show up in the kernel's thread name.
    fn name(&self) -> &'static str;

    /// Does at most one burst of work at time `now`.
    fn poll(&mut self, now: UnixNanos) -> Work;

    /// Rare chores: publish counters, swap histograms, heartbeat. The runner calls it every 100 µs or so.
    fn housekeep(&mut self, _now: UnixNanos) {}
}
