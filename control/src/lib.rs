//! Configuration, control protocol, latches and audit of the appliance, and the client that `portcullisctl` is made of.
//!
//! **What it never does:** link DPDK, CUDA or a feed; run an async runtime; sit on the order path; read a clock (time
//! comes in as an argument).
//!
//! **Invariants.** Tightening takes effect at once, also when the disk fails, is latched before it is answered, and is
//! written again until it is on disk; loosening is in the audit log before it takes effect and does not happen when the disk
//! fails or nobody waits for it any more. State on disk that is missing, damaged or at odds with the audit log halts
//! everything. Nobody has a role but whom the configuration names, and the daemon's own user.
//!
//! Start reading at [`Controller`], then [`protocol`] and [`config`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod amount;
pub mod audit;
pub mod backend;
pub mod cause;
pub mod client;
pub mod config;
pub mod controller;
pub mod events;
pub mod limits;
pub mod metrics;
pub mod names;
pub mod protocol;
pub mod roles;
pub mod server;
pub mod stamp;

mod deadline;
mod descriptors;
mod state;
mod suggest;

pub use controller::Controller;
pub use state::{KnownClients, QuotaFile, SealError, StateDirError, TierBook};
