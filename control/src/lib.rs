//! Configuration, control protocol, latches and audit of the appliance, and the client that `portcullisctl` is made of.
//!
//! **What it never does:** link DPDK, CUDA or a feed; run an async runtime; sit on the order path; read a clock (time
//! comes in as an argument).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod amount;
pub mod backend;
pub mod config;
pub mod limits;
pub mod names;
pub mod protocol;
pub mod roles;
pub mod stamp;

mod suggest;
