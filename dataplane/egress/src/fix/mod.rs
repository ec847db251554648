//! FIX 4.2, 4.4 and 5.0 SP2 over FIXT 1.1: the tag=value encoding, the store and the session, without input or output of their own.

mod dictionary;
pub mod frame;
mod log;
pub mod message;
pub mod session;
pub mod store;
mod tags;
mod time;
mod validate;
pub mod write;

pub use dictionary::Version;

#[cfg(test)]
mod tests;
