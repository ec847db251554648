//! The CUDA scorer. Two halves in one package:
//!
//! - **the host half**, always built: the memory that host and card share ([`layout`]), the C interface ([`abi`]), the filling
//!   of pinned staging in place ([`Feeder`]), what happens when a card fails ([`Health`]), and the opening of the library
//!   ([`LoadedCard`]), to score or to train ([`Trainer`]). It links no CUDA.
//! - **the device half**, with the feature `cuda`: the kernels of `kernels/` behind that interface. It is built as
//!   `libgpu_cuda.so`, which the appliance opens at boot where there is a card.
//!
//! **What it never does:** decide. A score of the card has the same bits as the fused CPU scorer's; when the card fails, the
//! caller has the CPU score the same batch.
//!
//! Start reading at [`Feeder`].
#![deny(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod abi;
mod feeder;
mod health;
pub mod layout;
#[allow(unsafe_code, reason = "opens a shared library and reads memory that a card writes")]
mod loader;
#[allow(unsafe_code, reason = "calls a function of the library, which calls back")]
mod trainer;

#[cfg(feature = "cuda")]
#[allow(unsafe_code, reason = "drives the card")]
mod device;

pub use feeder::{Card, FeedError, Feeder, Scored, StagedRow};
pub use health::{Change, Fault, Health, HealthConfig, Route, State};
pub use loader::{LoadError, LoadedCard};
pub use trainer::{FitFailure, FitRows, Fitted, Trainer};
