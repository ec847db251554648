//! A/B arbitration: one gapless sequence from several lines that lose, repeat and reorder packets.
//!
//! No socket, no clock: packets come in with the time of their arrival, what is next in sequence goes out through
//! [`Deliver`]. Early packets wait in a fixed number of slots; a hole is given up when the slots are full or when it has
//! been known for longer than the timeout. Every message is then either delivered once, in order, or counted missing
//! once.
//!
//! One packet cannot end a feed. Another session, a sequence number far ahead of or far behind the line's own, and the end of
//! the session are claims: they hold when consistent packets follow, on every line where there are several, and fall when the
//! session that runs goes on meanwhile.

mod contract;
mod doubt;
mod sequencer;
mod stats;

pub use contract::{ArbiterConfig, Arrival, Deliver, Hole, LINES_MAX, Start};
pub use sequencer::Arbiter;
pub use stats::{ArbiterStats, LineStats};
