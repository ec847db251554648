//! SoupBinTCP sessions of both sides, without sockets and clocks: packets and time come in, what happened and bytes go out.

mod client;
mod server;

pub use client::{ClientEvent, ClientSession, Login};
pub use server::{ServerEvent, ServerSession};

use std::fmt;
use std::time::Duration;
use types::{Nanos, UnixNanos};
use wire::WireError;
use wire::soupbin::{self, Packet};

/// Bytes of a message at most: no OUCH message is half as long.
pub const PAYLOAD_BYTES_MAX: usize = 1_000;

/// After so long without a packet of its own a side sends a heartbeat (SoupBinTCP 3.00, section 1.2).
const HEARTBEAT: Nanos = Nanos(Duration::from_secs(1).as_nanos() as u64);

/// After so long without a packet of the other side the connection is taken for dead.
const SILENCE: Nanos = Nanos(Duration::from_secs(15).as_nanos() as u64);

/// How long a half packet may wait for its other half, and a connection for its login.
const PATIENCE: Nanos = Nanos(Duration::from_secs(5).as_nanos() as u64);

/// Why a side hangs up. Each is a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A length that cannot be, or a packet of a type with another length.
    BadPacket(WireError),
    /// A packet that this side never sends, or not in this state.
    OutOfPlace(u8),
    /// Nothing was heard for too long.
    Silence,
    /// The rest of a packet did not come.
    HalfPacket,
    /// No login came, or no answer to one.
    NoLogin,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPacket(error) => write!(f, "a packet that cannot be: {error}"),
            Self::OutOfPlace(kind) => {
                write!(f, "a packet of type {} that is out of place", char::from(*kind).escape_default())
            }
            Self::Silence => write!(f, "nothing was heard for {} s", SILENCE.0 / 1_000_000_000),
            Self::HalfPacket => {
                write!(f, "the rest of a packet did not come within {} s", PATIENCE.0 / 1_000_000_000)
            }
            Self::NoLogin => write!(f, "no login within {} s", PATIENCE.0 / 1_000_000_000),
        }
    }
}

/// When a side last sent and heard, and since when a packet is half there.
#[derive(Clone, Copy, Debug)]
struct Times {
    began: UnixNanos,
    sent: UnixNanos,
    heard: UnixNanos,
    half_since: Option<UnixNanos>,
}

impl Times {
    const fn new(now: UnixNanos) -> Self {
        Self { began: now, sent: now, heard: now, half_since: None }
    }

    /// The next packet of `input`, if it is whole.
    fn next<'a>(&mut self, input: &'a [u8], now: UnixNanos) -> Result<Option<(Packet<'a>, usize)>, Fault> {
        match Packet::parse(input, PAYLOAD_BYTES_MAX) {
            Ok(Some(found)) => {
                self.heard = now;
                self.half_since = None;
                Ok(Some(found))
            }
            Ok(None) => {
                self.half_since = if input.is_empty() { None } else { self.half_since.or(Some(now)) };
                Ok(None)
            }
            Err(error) => Err(Fault::BadPacket(error)),
        }
    }

    /// What time alone says.
    fn fault(&self, is_in: bool, now: UnixNanos) -> Option<Fault> {
        let past = |since: UnixNanos, span: Nanos| now.0.saturating_sub(since.0) > span.0;
        if past(self.heard, SILENCE) {
            return Some(Fault::Silence);
        }
        if self.half_since.is_some_and(|since| past(since, PATIENCE)) {
            return Some(Fault::HalfPacket);
        }
        (!is_in && past(self.began, PATIENCE)).then_some(Fault::NoLogin)
    }

    /// Whether a heartbeat is due.
    fn is_quiet(&self, now: UnixNanos) -> bool {
        now.0.saturating_sub(self.sent.0) >= HEARTBEAT.0
    }
}

/// Text as packets pad it on the right; what is too long is cut.
#[must_use]
pub fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    field.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
    field
}

/// Writes a packet; none where `room` is too small for it.
fn packet(packet_type: u8, payload: &[u8], room: &mut [u8]) -> Option<usize> {
    soupbin::write(packet_type, payload, room).ok()
}

#[cfg(test)]
mod tests;
