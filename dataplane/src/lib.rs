//! From packets to book events: sources, transport sessions, A/B arbitration, decoding, the receiver stage.
//!
//! **What it never does:** know a book, a feature or a limit; read a clock except to measure itself; allocate, lock or log
//! per packet.
//!
//! **Invariants.** Every message of a feed is handed on once, in sequence, or counted missing once, and a gap event says
//! so before anything newer. A packet is decoded where it lies; only packets that arrive early are copied. Time is an
//! argument: the same bytes give the same events, live or replayed.
//!
//! Start reading at [`receiver::Receiver`], then [`arbiter::Arbiter`] and [`source::PacketSource`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod arbiter;
mod archive;
pub mod config;
mod databento;
pub mod decode;
pub mod eastern;
mod event_time;
mod lobster;
mod open;
pub mod receiver;
pub mod recovery;
pub mod session;
pub mod sniff;
pub mod source;
pub mod stats;

pub use config::{ChannelConfig, ConfigError, FeedConfig, Midnight};
pub use decode::InstrumentDirectory;
pub use open::{Live, OpenError, listed_types, open_files, receive};
pub use receiver::{EventTx, Feed, LineCounts, LineReader, Receiver, ReceiverHops};
pub use source::{FileOptions, FileSource, ItchFraming, PacketSource, SourceError};
pub use stats::FeedStats;
pub use types::FeedKind;
