//! A/B arbitration: one gapless sequence from several lines that lose, repeat and reorder packets.
//!
//! No socket, no clock: packets come in with the time of their arrival, what is next in sequence goes out through
//! [`Deliver`]. Early packets wait in a fixed number of slots; a hole is given up when the slots are full or when it has
//! been known for longer than the timeout. Every message is then either delivered once, in order, or counted missing
//! once.
//!
//! With servers to ask, a hole is not given up but asked for ([`RecoveryConfig`]): what comes after it waits, and what was delivered
//! is said to be old ([`Deliver::recovering`]) until the hole is filled or given up after all. An answer is believed only for what
//! is missing, of the session that runs, up to what a line has shown to exist.
//!
//! One packet cannot end a feed. Another session, a sequence number far ahead of or far behind the line's own, and the end of
//! the session are claims: they hold when consistent packets follow, on every line where there are several, and fall when the
//! session that runs goes on meanwhile. While two packets make one for longer than a hole may stay open, what was delivered is said to be
//! old ([`Deliver::recovering`]).
//!
//! Nor does one that came early: where its line skipped numbers and has not gone on beyond it, or has gone on below it, nothing but the
//! packet says that it is so. When it is its turn it waits on, for the real one of its number, for another line to come to it, or for word
//! that there is one after it. When another one was delivered in its place that says something else, it was a stray.
//!
//! What was delivered last is kept. A packet that says something else under the same numbers contradicts it: one of the two is not so.
//! A copy of another line that agrees with what was delivered tells that it is the packet. When two packets contradict, or no copy comes
//! for as long as a hole may stay open, nobody knows which is so ([`Deliver::contradicted`]). On a line that had come further, such a
//! packet claims that the sequence began again.

#[cfg(test)]
mod ahead;
mod answers;
mod contract;
mod contradiction;
mod doubt;
mod ends;
mod history;
mod holes;
mod recovery;
mod sequencer;
mod skips;
mod stats;
#[cfg(test)]
mod tests;
mod waiting;

pub(crate) use contract::SERVER_LINE;
pub use contract::{
    ArbiterConfig, Arrival, Deliver, Hole, LINES_MAX, REQUESTS_MAX, RecoveryConfig, Request, SERVERS_MAX,
    Start,
};
pub use sequencer::Arbiter;
pub use stats::{ArbiterStats, LineStats, RecoveryStats};
