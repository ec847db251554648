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
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod clock;
pub mod counter;
pub mod hist;
pub mod ring;
pub mod runner;

mod gap;
mod work;

pub use clock::{CalibrationError, Clock, LiveClock, OsClock, Recalibration, TscCalibrator, TscClock};
pub use counter::{CounterCell, CounterReader, counters};
pub use gap::{GapStats, GapTx};
pub use hist::{HistLog, HistLogError, HopHistogram, HopReader, Interval, TaggedHistogram};
pub use ring::{LosslessTx, RingCounters, RingRx, RingTx, ring};
pub use runner::{
    AtRest, IdlePolicy, Inline, Livelock, Pinned, PinnedConfig, PollCounters, RunnerError, StopFlag,
    pin_housekeeping, spawn_pinned, try_pin,
};
pub use work::{Stage, Work, WorkStatus};
