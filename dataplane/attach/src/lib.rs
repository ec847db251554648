//! An order process of its own, under the limits of the running appliance.
//!
//! **What it is for.** [`OrderThread::attach`] gives a thread a gate over the daemon's tables; everything it then does is said to the
//! daemon in a ring ([`ring`]) of records ([`record`]). The daemon's side makes the tables ([`SharedTables`]) and reads the rings.
//!
//! **What it never does.** Wait, allocate, or make a system call for an order; write the daemon's tables; let the daemon's memory
//! depend on what a process does to its own.
//!
//! **Where to start reading.** `thread`, then `ring`. `mapping` holds the crate's only `unsafe`.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![deny(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod clock;
mod limits;
#[expect(unsafe_code, reason = "rows of atomics over mapped memory")]
mod mapping;
pub mod record;
pub mod ring;
pub mod tables;
mod thread;
mod words;

pub use clock::DaemonClock;
pub use tables::{InstrumentNames, SharedTables};
pub use thread::{AttachError, OrderThread};
pub use words::LastWords;

#[cfg(test)]
mod tests;
