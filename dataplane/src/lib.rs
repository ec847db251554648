//! Being built.
pub mod arbiter;
pub mod decode;
pub mod eastern;
pub mod session;
pub mod source;
pub mod stats;
