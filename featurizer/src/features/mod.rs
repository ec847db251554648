//! From applied events to feature vectors: state (`engine`), sliding windows, recovery after large trades, what order
//! flow adds up to, and the table of
//! formulas ([`formula`]), which is where a feature is added.

mod calendar;
mod engine;
pub mod formula;
mod memory;
mod resilience;
mod standing;
mod travel;
mod usual;
mod window;

pub(crate) use engine::Engine;
pub use engine::GRID_NS;
pub(crate) use window::{QUIET, Rows};
