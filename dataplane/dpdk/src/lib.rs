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

pub mod capture;
pub mod igmp;

mod config;
mod eal;
mod log;
mod mac;
mod mempool;
mod port;
mod rx;
mod thread;
mod tx;
mod vdev;

pub use config::{EalConfig, HugepageWarning, LogLevel, Memory};
pub use eal::{Eal, EalError};
pub use mac::MacAddr;
pub use mempool::{Mempool, MempoolConfig, MempoolError};
pub use port::{
    ConfigureStep, Configured, Link, Port, PortConfig, PortError, PortInfo, RxClock, RxFilter, RxModeReport,
    RxTimestamps, Started, StartedPort, Stats,
};
pub use rx::{BURST_MAX, Burst, BurstIter, MbufRef, RxQueue};
pub use thread::{ThreadRegistration, ThreadRegistrationError};
pub use tx::{TxBatch, TxError, TxQueue};
pub use vdev::{Vdev, VdevError};

/// Name and version of the DPDK library that is loaded: `DPDK 22.11.11`.
#[must_use]
pub fn version() -> &'static str {
    let text = dpdk_sys::pcl_version();
    // SAFETY: `CStr::from_ptr` wants a NUL-terminated string that stays unchanged; `rte_version` returns the address of a
    // static string of the library, which is never unloaded.
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    text.to_str().unwrap_or("DPDK (version is not UTF-8)")
}

/// Release the crate was built for, year * 100 + month: 2211 is DPDK 22.11.
#[must_use]
pub fn release() -> u32 {
    dpdk_sys::pcl_release()
}

/// A DPDK result code, an errno with or without its sign, in words: `-95 (Operation not supported)`.
pub(crate) fn errno_text(rc: i32) -> String {
    let error = std::io::Error::from_raw_os_error(rc.saturating_abs());
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    format!("{rc} ({words})")
}

/// The log lines a failed call left behind, as the tail of an error message; empty when there were none.
pub(crate) fn log_tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(4)..];
    if tail.is_empty() { String::new() } else { format!("; DPDK said: {}", tail.join(" | ")) }
}
