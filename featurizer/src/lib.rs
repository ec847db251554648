//! Books and features: turns [`types::BookEvent`]s into order books, and books into the vectors the model scores.
//!
//! **What it never does:** know a feed's wire format or a model; allocate, lock, log, read a clock or make a system call after
//! construction (the capture files excepted, which cold threads write).
//!
//! **Invariants.** A book that may be wrong says so ([`types::BookState::Stale`]) and is never scored; quantities are never
//! negative; every event that did not do what it says is in a counter; a vector at grid point t uses events up to and including
//! t and nothing else, so that a replay gives the same bytes as the live run.
//!
//! Start reading at [`Featurizer`] (the grid and what comes out), then [`Books`] (orders and levels) and
//! [`features::formula`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod administer;
mod ahead;
mod apply;
mod bitset;
mod book;
pub mod capture;
mod coming;
mod config;
mod counters;
mod ends;
mod far;
pub mod features;
mod featurizer;
mod fill;
mod gaps;
mod grid;
mod ladder;
mod levels;
mod limits;
mod order_table;
mod owner;
mod pages;
mod parquet_file;
mod polled;
mod prefetch;
mod prints;
mod quotes;
mod run;
mod sinks;
pub mod slippage;
mod units;
mod view;

pub use ahead::{AHEAD_MAX, Ahead};
pub use apply::{Applied, BooksMut, Effect};
pub use book::Books;
pub use coming::Coming;
pub use config::{FeaturizerConfig, OnFull};
pub use counters::{BookCounters, FeaturizerCounters};
pub use featurizer::Featurizer;
pub use fill::Fill;
pub use limits::{BookLimits, BuildError, MemoryReport, Occupancy};
pub use pages::PageKind;
pub use polled::{FeaturizerStage, StageSink};
pub use sinks::{FeatureSink, Observer, TopOfBookSink};
pub use view::{Bbo, Book, Levels};
