//! The two connections of a gateway, and how they are made and ended.

use super::counters::Count;
use super::words::Message;
use crate::connect::Connector;
use crate::socket::{Closed, End};
use crate::soup::{ClientSession, Fault, PAYLOAD_BYTES_MAX, ServerSession};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use types::{Nanos, UnixNanos};

/// How long a firm may leave waiting what it was sent.
const SLOW: Nanos = Nanos(Duration::from_secs(5).as_nanos() as u64);

/// Shortest and longest pause before the venue is tried again.
const RETRY: (Nanos, Nanos) = (Nanos(100_000_000), Nanos(2_000_000_000));

/// Who may have connected and not yet logged in at most: the oldest is pushed out by the next.
pub(super) const CANDIDATES_MAX: usize = 8;

/// Cancels that wait for a venue at most.
pub(super) const WAITING_MAX: usize = 4_096;

/// A message out of its connection's buffer.
pub(super) struct Copied {
    bytes: [u8; PAYLOAD_BYTES_MAX],
    len: usize,
}

impl Copied {
    /// Of what no packet is longer than.
    pub(super) fn of(message: &[u8]) -> Self {
        let (mut bytes, len) = ([0; PAYLOAD_BYTES_MAX], message.len().min(PAYLOAD_BYTES_MAX));
        bytes.iter_mut().zip(message).for_each(|(to, from)| *to = *from);
        Self { bytes, len }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A connection from the firm: logged in, or a candidate. What waits for the firm is timed here.
#[derive(Debug)]
pub(super) struct FirmConn {
    pub(super) end: End,
    pub(super) session: ServerSession,
    stuck_since: Option<UnixNanos>,
}

impl FirmConn {
    pub(super) fn new(end: End, now: UnixNanos) -> Self {
        Self { end, session: ServerSession::new(now), stuck_since: None }
    }

    /// Sends what the firm takes; true when it has taken nothing for too long.
    pub(super) fn flush(&mut self, now: UnixNanos) -> Result<bool, Closed> {
        let sent = self.end.flush()?;
        self.stuck_since = match self.end.waiting() {
            0 => None,
            _ if sent > 0 => Some(now),
            _ => self.stuck_since.or(Some(now)),
        };
        Ok(self.stuck_since.is_some_and(|since| now.0.saturating_sub(since.0) > SLOW.0))
    }
}

/// The firm's side.
#[derive(Debug)]
pub(super) struct Firm {
    /// None where nobody else than who is there can come.
    pub(super) listener: Option<TcpListener>,
    /// Who is logged in.
    pub(super) conn: Option<FirmConn>,
    /// Who has connected and not yet logged in, oldest first.
    pub(super) candidates: VecDeque<FirmConn>,
}

/// Questions for the next number, one after the other.
///
/// Answers are messages of the stream: one to a question of an earlier connection may come first. So a round asks as often as there
/// are such questions, and once more; the last answer is of this round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// The number of orders sent when it began.
    pub(super) mark: u64,
    /// Answers that are still to come before one is believed.
    pub(super) need: u64,
}

/// The venue's side.
#[derive(Debug)]
pub(super) struct Venue {
    pub(super) conn: Option<(End, ClientSession)>,
    /// Orders may be sent: it has told what it knows of those before.
    pub(super) is_ready: bool,
    /// They could be before.
    pub(super) was_ready: bool,
    /// The round of questions under way.
    pub(super) round: Option<Round>,
    /// It may not know the session any more.
    pub(super) any_session: bool,
    /// None where there is no other connection than the first.
    pub(super) connector: Option<Connector>,
    pub(super) retry_at: UnixNanos,
    retry_after: Nanos,
    /// Some of the orders that are to be cancelled may not have been sent one on this connection.
    pub(super) owes_cancels: bool,
    /// Cancels that wait for it.
    pub(super) waiting: VecDeque<Message>,
}

impl Venue {
    /// The venue at `address`.
    pub(super) fn new(address: Option<SocketAddr>) -> Self {
        Self {
            connector: address.map(Connector::new),
            conn: None,
            is_ready: false,
            was_ready: false,
            round: None,
            owes_cancels: true,
            any_session: false,
            retry_at: UnixNanos(0),
            retry_after: RETRY.0,
            waiting: VecDeque::with_capacity(WAITING_MAX),
        }
    }

    /// The connection is over; another is tried after a pause, which doubles each time.
    pub(super) fn lose(&mut self, now: UnixNanos) {
        (self.conn, self.is_ready, self.round) = (None, false, None);
        self.retry_at = UnixNanos(now.0.saturating_add(self.retry_after.0));
        self.retry_after = Nanos(self.retry_after.0.saturating_mul(2).min(RETRY.1.0));
    }

    /// Orders may be sent from now on.
    pub(super) fn be_ready(&mut self) {
        (self.is_ready, self.was_ready) = (true, true);
    }

    /// It is there.
    pub(super) fn found(&mut self) {
        self.retry_after = RETRY.0;
    }
}

/// How the end of a connection is counted.
pub(super) fn count_of_venue(fault: Option<Fault>) -> Count {
    if fault.is_some() { Count::VenueFaults } else { Count::VenueEnds }
}
