//! The gate for order processes that are not written in Rust: `libportcullis_gate`, a C interface over [`attach::OrderThread`].
//!
//! **What it is for.** A process written in C, C++ or Python attaches to the running appliance and has every order checked in its own
//! process, by the same code as one written in Rust. `include/portcullis_gate.h` is generated from `layout` and `abi`.
//!
//! **What it never does.** Decide anything: what an order may do is `gate`'s. Let a panic, or a value that is none, cross the
//! boundary. Allocate, lock or make a system call for an order.
//!
//! **Where to start reading.** `layout` has what crosses, `abi` the functions and the crate's only `unsafe`.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![deny(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

#[expect(unsafe_code, reason = "pointers that come from C")]
mod abi;
mod convert;
mod handle;
mod layout;
mod reasons;
mod text;

pub use abi::*;
pub use handle::Handle;
pub use layout::*;
