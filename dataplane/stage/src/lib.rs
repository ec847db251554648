//! What every stage of the line is made of: the [`Stage`] contract, ring ends, clocks, counters, latency histograms and
//! the two runners.
//!
//! **What it never does:** know a protocol, a book or a limit; block, lock or allocate on a path that a polled stage
//! calls.
//!
//! **Invariants.** One writer per counter and per ring end. A ring that is full is noticed in one function
//! ([`RingTx::send`] and its sibling that keeps the rest, [`RingTx::offer`]), and every item that is given up is counted.
//! Time reaches a stage as an argument; only [`clock`] reads one.
//!
//! Start reading at [`Stage`], then [`ring`](mod@ring) and [`runner`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod clock;
pub mod counter;
pub mod hist;
pub mod ring;
pub mod runner;

mod gap;

pub use clock::{
    CalibrationError, Clock, LiveClock, OsClock, Recalibration, SimClock, TscCalibrator, TscClock,
};
pub use counter::{CounterCell, CounterReader, counters};
pub use gap::{GapStats, GapTx};
pub use hist::{HistLog, HistLogError, HopHistogram, HopReader, Interval, TaggedHistogram};
pub use ring::{LosslessTx, RingCounters, RingRx, RingTx, ring};
pub use runner::{
    IdlePolicy, Inline, Livelock, Pinned, PinnedConfig, PollCounters, RunnerError, Settled, StopFlag,
    spawn_pinned,
};

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
