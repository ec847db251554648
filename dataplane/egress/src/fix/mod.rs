#![doc = include_str!("README.md")]

mod dictionary;
pub mod frame;
mod gateway;
mod link;
pub mod message;
mod port;
mod serve;
pub mod session;
pub mod store;
mod tags;
mod time;
mod validate;
pub mod write;

pub use dictionary::Version;
pub use gateway::AlertTags;
pub use serve::{CompIds, Gateway, GatewayError, OwnCancels, Setup};

#[cfg(test)]
mod tests;
