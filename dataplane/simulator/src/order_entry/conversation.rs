//! One client's connection to the venue, without a socket and a clock: bytes and time go in, bytes come out.

use super::exchange::Exchange;
use std::fmt;
use types::{Nanos, UnixNanos};
use wire::soupbin::{
    self, LoginAccepted, LoginRejected, LoginRequest, NO_SUCH_SESSION, NOT_AUTHORIZED, Packet, SEQUENCED,
    SERVER_HEARTBEAT, UNSEQUENCED,
};
use wire::{FromBytes, IntoBytes};

/// Bytes of a packet at most.
const PACKET_BYTES_MAX: usize = 1_000;

/// How long nothing is said before a heartbeat is (SoupBinTCP 3.00, section 2.2.5).
const QUIET: Nanos = Nanos(1_000_000_000);

/// Who may log in, and to which session.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) session: [u8; 10],
}

/// Why the venue ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// The client logged out.
    LoggedOut,
    /// Its login was refused, for this reason.
    Refused(u8),
    /// It sent what is no packet.
    BadPacket,
}

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedOut => f.write_str("the client logged out"),
            Self::Refused(reason) => write!(f, "the login was refused: {}", char::from(*reason)),
            Self::BadPacket => f.write_str("found bytes that are no packet, wanted SoupBinTCP"),
        }
    }
}

impl std::error::Error for HangUp {}

/// The connection.
#[derive(Debug)]
pub(super) struct Conversation {
    input: Vec<u8>,
    /// What is to be sent.
    pub(super) output: Vec<u8>,
    /// Messages of the stream that were sent; none before the login.
    next: Option<usize>,
    sent_at: UnixNanos,
}

impl Conversation {
    /// One that was begun at `now`.
    pub(super) const fn new(now: UnixNanos) -> Self {
        Self { input: Vec::new(), output: Vec::new(), next: None, sent_at: now }
    }

    /// Takes what the client has sent, in pieces of any size.
    ///
    /// # Errors
    /// [`HangUp`]: the connection ends when what is in the output has been sent.
    pub(super) fn hear(
        &mut self,
        now: UnixNanos,
        bytes: &[u8],
        (exchange, door): (&mut Exchange, &Door),
    ) -> Result<(), HangUp> {
        self.input.extend_from_slice(bytes);
        let parse = |input: &[u8]| match Packet::parse(input, PACKET_BYTES_MAX) {
            Ok(found) => Ok(found.map(|(packet, used)| (packet.packet_type(), packet.body().to_vec(), used))),
            Err(_) => Err(HangUp::BadPacket),
        };
        while let Some((packet_type, body, used)) = parse(&self.input)? {
            self.input.drain(..used);
            match packet_type {
                LoginRequest::TYPE => {
                    let login = LoginRequest::read_from_bytes(&body).map_err(|_| HangUp::BadPacket)?;
                    self.log_in(now, &login, (exchange, door))?;
                }
                UNSEQUENCED if self.next.is_some() => {
                    exchange.take(now, body.get(1..).unwrap_or_default());
                }
                soupbin::LOGOUT => return Err(HangUp::LoggedOut),
                _ => {}
            }
        }
        Ok(())
    }

    fn log_in(
        &mut self,
        now: UnixNanos,
        login: &LoginRequest,
        (exchange, door): (&Exchange, &Door),
    ) -> Result<(), HangUp> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
        let asked = text(&login.session);
        let refusal = if text(&login.username) != door.username || text(&login.password) != door.password {
            Some(NOT_AUTHORIZED)
        } else {
            (!asked.is_empty() && asked != text(&door.session)).then_some(NO_SUCH_SESSION)
        };
        if let Some(reason) = refusal {
            self.packet(now, LoginRejected::TYPE, &[reason]);
            return Err(HangUp::Refused(reason));
        }
        let known = exchange.stream.len() as u64;
        let next = match login.sequence.get() {
            Some(0) | None => known + 1,
            Some(sequence) => sequence.min(known + 1),
        };
        self.next = usize::try_from(next - 1).ok();
        self.packet(now, LoginAccepted::TYPE, &LoginAccepted::new(door.session, next).as_bytes()[1..]);
        Ok(())
    }

    /// Puts what is due of the stream, as far as each message `may_leave`, and the heartbeat into the output.
    pub(super) fn speak(&mut self, now: UnixNanos, exchange: &Exchange, mut may_leave: impl FnMut() -> bool) {
        let Some(mut at) = self.next else { return };
        while let Some(message) = exchange.stream.get(at)
            && may_leave()
        {
            self.packet(now, SEQUENCED, message);
            at += 1;
        }
        self.next = Some(at);
        if now.0.saturating_sub(self.sent_at.0) > QUIET.0 {
            self.packet(now, SERVER_HEARTBEAT, &[]);
        }
    }

    fn packet(&mut self, now: UnixNanos, packet_type: u8, payload: &[u8]) {
        let mut room = [0; PACKET_BYTES_MAX + 100];
        let bytes = soupbin::write(packet_type, payload, &mut room).unwrap_or_default();
        self.output.extend_from_slice(&room[..bytes]);
        self.sent_at = now;
    }
}
