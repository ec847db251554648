//! A venue that takes orders: SoupBinTCP with OUCH 5.0 or 4.2, and a book of its own. [`Venue`] has neither socket nor clock,
//! [`OrderVenue`] is one on TCP, with faults.
//!
//! It keeps its own account of every order and position, so that who trades on it can be held against it. It is for tests and the
//! demo: orders meet the market that whoever runs it shows, not each other.

mod account;
mod conversation;
mod exchange;
mod levels;
mod speech;
mod venue;
mod wire_server;

pub use account::{Account, OpenAtVenue};
pub use conversation::HangUp;
pub use exchange::Behaviour;
pub use levels::Levels;
pub use speech::OuchVersion;
pub use venue::{Venue, VenueTerms};
pub use wire_server::{OrderVenue, VenueFaults, VenueSetup};
