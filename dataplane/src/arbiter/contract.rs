//! What goes into an arbiter and what comes out.

use types::{Nanos, UnixNanos};

use crate::session::{Head, Messages, SessionId};

/// The deadline of a hole that one packet alone tells of.
pub(super) const NEVER: UnixNanos = UnixNanos(u64::MAX);

/// Lines one channel may have.
pub const LINES_MAX: usize = 8;
/// The line of what came from a server: none of the channel's.
pub(crate) const SERVER_LINE: u8 = u8::MAX;
const _: () = assert!(LINES_MAX <= SERVER_LINE as usize);

/// Servers one feed may have.
pub const SERVERS_MAX: usize = 4;
/// Requests of one channel that may be unanswered at a time.
pub const REQUESTS_MAX: usize = 16;

/// Bounds of one channel's recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryConfig {
    /// Servers that may be asked, 1 to [`SERVERS_MAX`].
    pub servers: u8,
    /// Messages one request asks for at most.
    pub request_messages: u16,
    /// How long an answer may take.
    pub answer_within: Nanos,
    /// Requests in a row that a server may leave unanswered before it is asked no more for this hole.
    pub tries_max: u32,
    /// How long nothing may be recovered before the hole is given up.
    pub give_up_after: Nanos,
    /// Messages that may be missing at once; a larger hole is given up at once.
    pub missing_max: u64,
}

/// What a server is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of which session.
    pub session: SessionId,
    /// From which message on.
    pub first: u64,
    /// How many messages.
    pub count: u16,
    /// Which server, from 0.
    pub server: u8,
}

/// Holes remembered after they were given up, to tell late messages from duplicates.
pub(super) const HOLES_REMEMBERED: usize = 64;

/// Which sequence number a channel begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With whatever arrives first: captures from the middle of a day.
    #[default]
    Anywhere,
    /// With this one; what is missing before the first packet counts as a gap.
    At(u64),
}

/// Bounds of one channel's arbitration.
#[derive(Clone, Copy, Debug)]
pub struct ArbiterConfig {
    /// Early packets that can wait; zero gives every hole up at once.
    pub slots: usize,
    /// Longest packet that can wait; a longer one gives the hole before it up at once.
    pub slot_bytes: usize,
    /// How long a hole may stay open.
    pub timeout: Nanos,
    /// Where the first session begins; later ones begin at 1.
    pub start: Start,
    /// Messages that a packet may be ahead of what is next, or behind what its own line brought last, and still be believed
    /// by itself.
    pub jump_max: u64,
    /// Consistent packets that make another session, a larger jump, or the end of the session believed.
    pub confirm_packets: u32,
    /// How to ask for what no line brought; none gives it up.
    pub recovery: Option<RecoveryConfig>,
}

impl Default for ArbiterConfig {
    /// 64 packets of 2 KiB, 10 ms, anywhere, 1,024 messages, three packets.
    fn default() -> Self {
        Self {
            slots: 64,
            slot_bytes: 2_048,
            timeout: Nanos(10_000_000),
            start: Start::Anywhere,
            jump_max: 1_024,
            confirm_packets: 3,
            recovery: None,
        }
    }
}

/// How a packet arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Time of arrival, on the clock that timeouts run on.
    pub at: UnixNanos,
    /// The stamp its events carry: the NIC's or the capture's where there is one.
    pub ts_recv: UnixNanos,
    /// Which line.
    pub line: u8,
    /// Where the packet's payload stands in its file, for error messages.
    pub offset: u64,
}

/// Messages that will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// First missing sequence number.
    pub first: u64,
    /// How many are missing.
    pub count: u64,
}

/// What comes out of an [`Arbiter`](super::Arbiter), in sequence.
pub trait Deliver {
    /// The messages of `payload`, without its first `skip`, are next.
    fn packet(&mut self, head: &Head, payload: &[u8], skip: u16, arrival: Arrival);
    /// The messages of `hole` are lost on every line.
    fn hole(&mut self, hole: Hole, arrival: Arrival);
    /// Nothing new, but the line lives, and nothing is missing.
    fn heartbeat(&mut self, head: &Head, arrival: Arrival);
    /// A session begins. `interrupted` when another was running that had not ended.
    fn session(&mut self, session: SessionId, interrupted: bool, arrival: Arrival);
    /// The session is over: everything up to here was delivered or counted missing.
    fn end_of_session(&mut self, arrival: Arrival);
    /// The session goes on, which was said to be over: copies on every line say so, or enough packets in sequence.
    fn end_taken_back(&mut self, arrival: Arrival) {
        let _ = arrival;
    }
    /// A server is to be asked for messages that no line brought.
    fn request(&mut self, request: Request) {
        let _ = request;
    }
    /// What is missing is being asked for, or something claims that the sequence goes on elsewhere, and what was delivered so far is
    /// perhaps not the newest; or that is over.
    fn recovering(&mut self, begins: bool, arrival: Arrival) {
        let _ = (begins, arrival);
    }
    /// Something else was said under numbers of which messages were delivered, and nothing tells which of the two is so.
    fn contradicted(&mut self, arrival: Arrival) {
        let _ = arrival;
    }
    /// The messages of a payload, to be held against others; none where only whole payloads can be.
    fn messages<'p>(&self, payload: &'p [u8]) -> Option<Messages<'p>> {
        let _ = payload;
        None
    }
    /// Whether there is room for one more of the packets that waited; those without stay for the next call.
    fn has_room(&self) -> bool {
        true
    }
}
