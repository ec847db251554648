//! What the benchmarks share: the traffic, the rigs that are measured, the clock they are measured with, the order in
//! which rounds are run, and what must be said about the machine beside every number.
//!
//! **What it never does:** measure anything by itself, or decide whether a number is good; `budget.toml` says what is
//! wanted and the benches in `benches/` say what was found.
//!
//! **Invariants.** The same seed gives the same bytes and the same orders; preloading and resetting happen outside every
//! timed section; rigs that are compared see the same input and their checksums must agree.
//!
//! Start reading at [`day`], then [`line`](mod@line) and [`gate_rig`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod day;
pub mod gate_rig;
pub mod line;
pub mod machine;
pub mod memory;
pub mod paced;
pub mod report;
pub mod rounds;
pub mod stopwatch;
