//! The byte layouts of every protocol Portcullis hears or speaks, as zero-copy views: Ethernet/IPv4/UDP frames,
//! MoldUDP64 and IEX-TP transport, NASDAQ TotalView-ITCH 5.0, IEX DEEP 1.0 and TOPS 1.6, CME MDP 3.0, Cboe PITCH 2.x, length-prefixed
//! files; for orders, SoupBinTCP with OUCH 5.0 and 4.2.
//!
//! **What it never does:** allocate, keep state between packets, read a clock, do I/O, panic on any input, or judge
//! whether a value makes sense. A wire struct accepts every byte pattern of its length; meaning begins in the decoder
//! that turns a struct into a [`types::BookEvent`].
//!
//! **Invariants.** Every struct has alignment 1 and the exact size and field offsets of its specification, asserted at
//! compile time beside the definition. One length check per message proves all its fields. The same structs read and
//! write. An unknown message type is not an error (`Msg::Other`); everything that is, is a [`WireError`], whose kinds
//! are the drop counters.
//!
//! Start reading at [`frame::parse_udp`], [`moldudp64::Packet`], [`itch50::decode`], [`soupbin::Packet`] and [`WireError`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod blocks;
mod error;
mod fields;
mod ouch_side;
mod protocol;

pub mod deep10;
pub mod frame;
pub mod framing;
pub mod iex;
pub mod itch50;
pub mod mdp3;
pub mod moldudp64;
pub mod ouch42;
pub mod ouch50;
pub mod pitch;
pub mod soupbin;
pub mod tops16;

pub use blocks::Blocks;
pub use error::WireError;
pub use fields::{Flags, Price4, Price8, SignedPrice4, Timestamp48, UnixTimestamp};
pub use zerocopy::{FromBytes, IntoBytes};
