#![doc = include_str!("README.md")]

mod copies;
mod copy_in;
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
pub use serve::Gateway;
pub use setup::{CompIds, CopyPlace, CopySetup, CopySource, GatewayError, OwnCancels, Setup};

#[cfg(test)]
mod tests;
