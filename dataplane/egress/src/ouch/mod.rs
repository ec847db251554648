//! The OUCH gateway.
//!
//! `words` is what both versions say, `v50` and `v42` how each says it, `dialect` chooses. `book` mirrors the venue's view of each
//! order, `gateway` owns everything and has the turn, `firm` and `venue` are its two sides, `reports` what the
//! venue's answers do.

mod book;
mod clock;
mod copied;
mod copies;
mod counters;
mod dialect;
mod disk;
mod firm;
mod gateway;
mod names;
mod reasons;
mod reports;
mod sides;
mod told;
mod told_copies;
mod v42;
mod v50;
mod venue;
mod words;

pub use copies::CopySource;
pub use counters::{Count, Counters};
pub use dialect::Dialect;
pub use gateway::{Gateway, GatewayError, Logins, Network, Setup};

#[cfg(test)]
mod tests;
