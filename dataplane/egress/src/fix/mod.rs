#![doc = include_str!("README.md")]

pub(crate) mod copy_in;
mod copying;
mod dictionary;
pub mod frame;
mod gateway;
mod link;
pub mod message;
mod port;
mod serve;
pub mod session;
mod setup;
pub mod store;
mod tags;
mod time;
mod validate;
pub mod write;

pub use dictionary::Version;
pub use gateway::AlertTags;
pub(crate) use gateway::booked_as;
pub use serve::Gateway;
pub use setup::{CompIds, CopySetup, GatewayError, OwnCancels, Setup};

#[cfg(test)]
mod tests;
