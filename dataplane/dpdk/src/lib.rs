//! DPDK for this product: EAL, packet pools, ports, receive and transmit queues, behind types that cannot be misused.
//!
//! ```text
//! EalConfig ──init──▶ Eal ──▶ Mempool
//!                      └────▶ Port<Configured> ──start──▶ Port<Started> + RxQueue + TxQueue
//!                                                                          └─▶ Burst<'q> ──▶ MbufRef<'b>
//! ```
//!
//! **What it never does:** place threads (the caller pins its own and holds a [`ThreadRegistration`]), know a market data
//! protocol, or pretend to work without libdpdk. The only protocol here is [`igmp`], because a DPDK port has no host stack
//! that would join a group for it.
//!
//! **Invariants.**
//! - EAL starts once per process; a second [`Eal::init`] is an error.
//! - Everything that needs EAL holds it up: it is cleaned up when the last [`Eal`], [`Mempool`], [`Port`], queue and
//!   [`ThreadRegistration`] is gone. A port stops and closes when its handle and all its queues are gone.
//! - A packet buffer has one owner. A [`Burst`] owns what it received and borrows its queue, so that it is freed, in bulk,
//!   before the next receive; bytes borrowed from it cannot outlive it.
//! - A queue is `Send` and not `Sync`: one thread polls it, and which one may be decided at start.
//! - Receiving neither allocates, locks, logs nor makes a system call of its own (the kernel-backed devices poll memory
//!   shared with the kernel).
//!
//! Start reading at [`Eal`], then [`Port`] and [`RxQueue`].
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod igmp;

mod config;
mod eal;
mod log;
mod mac;
mod mempool;
mod port;
mod rx;
mod shared;
mod thread;
mod tx;
mod vdev;
mod version;

pub use config::{EalConfig, HugepageWarning, Memory};
pub use eal::{Eal, EalError};
pub use mac::MacAddr;
pub use mempool::{Mempool, MempoolConfig, MempoolError};
pub use port::{
    ConfigureStep, Configured, Link, Port, PortConfig, PortError, PortInfo, RxFilter, RxModeReport,
    RxTimestamps, Started, StartedPort, Stats,
};
pub use rx::{BURST_MAX, Burst, BurstIter, MbufRef, RxClock, RxQueue};
pub use thread::{ThreadRegistration, ThreadRegistrationError};
pub use tx::{TxBatch, TxError, TxQueue};
pub use vdev::{Vdev, VdevError};
pub use version::{release, version};
