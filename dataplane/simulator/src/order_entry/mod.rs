//! A venue that takes orders over TCP: SoupBinTCP with OUCH 5.0 or 4.2, a book of its own, and faults.
//!
//! It keeps its own account of every order and position, so that who trades on it can be held against it. It is for tests and the
//! demo: orders meet a quote that whoever runs it sets, not each other.

mod account;
mod exchange;
mod speech;
mod wire_server;

pub use account::{Account, OpenAtVenue};
pub use exchange::Behaviour;
pub use speech::OuchVersion;
pub use wire_server::{OrderVenue, VenueFaults, VenueSetup};
