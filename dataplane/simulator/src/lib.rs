//! A market simulator that speaks the wire protocols: order-level markets in which agents trade with each other, the
//! scenarios and kinds of crisis played on them, the feed that publishes them as TotalView-ITCH 5.0 over MoldUDP64 on two lines, a
//! generator of benchmark traffic, and faults for packet sequences.
//!
//! **What it is for:** demonstrations, training data, tests and benchmarks that need a market whose truth is known.
//! **What it never does:** run in production, read a clock (but for `order_entry` and `rerequest`, a venue on sockets), or follow
//! a script of prices. What a scenario plants (a
//! seller's instructions, news, lost packets, one order) is marked `planted` in its `truth.csv`; everything else comes
//! out of the agents.
//!
//! **Invariants.** The same scenario, options and build give the same bytes on every machine: all chance comes from
//! ChaCha8 streams, and no function whose last bit depends on the platform is called. A published book is never
//! crossed. A file has its final name only when it is complete.
//!
//! Start reading at [`Scenario::build`], [`Simulation::write`] and [`market`](MarketEvent).
#![forbid(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod book;
mod crisis;
mod error;
pub mod fault;
mod feed;
mod files;
mod market;
mod options;
pub mod order_entry;
mod pcap;
mod random;
pub mod rerequest;
mod scenario;
mod simulation;
pub mod traffic;

pub use error::{Result, SimulatorError};
pub use feed::{Line, Loss, Packet, SESSION};
pub use files::Written;
pub use market::{
    Cue, FirmOrder, IcebergPlan, Intervention, MarketEvent, PlantedOrder, Profile, Stamped, Strategy,
    TradingState, Truth, TruthKind,
};
pub use options::{Options, ScenarioInfo};
pub use pcap::{MAGIC_NANOSECONDS, PcapWriter};
pub use scenario::{Scenario, scenarios};
pub use simulation::{Listener, MIDNIGHT_UNIX_NS, Planted, Simulation};
