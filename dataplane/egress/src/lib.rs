//! Gateways: what carries a firm's orders to a venue in the venue's own protocol, each order past the gate of one order thread.
//!
//! **What it is for.** The firm logs in to the gateway as it would to the venue, the gateway logs in at the venue. An order is read
//! in place, judged, and passed on as the same bytes, or answered with the protocol's own reject; what the venue answers settles
//! the gate and goes to the firm.
//!
//! **What it never does.** Let an order out that was not reserved, hold a cancel back, forget an order whose fate it does not
//! know, or keep more of anything than a bound says.
//!
//! **Where to start reading.** `ouch::Gateway::turn`. `orders` is the order port, `store` what outlives the process.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![forbid(unsafe_code)]
// An event, a report or a fault that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod connect;
pub mod fix;
mod halt;
mod log;
pub mod orders;
pub mod ouch;
pub mod owner;
pub mod reconcile;
mod said;
pub mod socket;
pub mod soup;
pub mod store;
