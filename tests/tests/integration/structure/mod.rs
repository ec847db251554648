//! The shape of the workspace is a tested fact, and so are the rules that keep it readable.

mod callers;
mod citations;
pub(crate) mod crates;
mod documented;
mod faults;
mod lints;
mod modules;
mod pending;
mod sizes;
mod skips;
mod source;
mod stages;
mod unsafe_code;
