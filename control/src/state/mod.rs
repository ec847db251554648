//! What outlives the process: latches and officers' limits, each in a sealed file of the state directory.

mod latch;
mod limits;
mod sealed;

pub(crate) use latch::{Cause, Entry, LatchFile};
pub(crate) use limits::{LimitBook, SetBy};
pub use sealed::SealError;
