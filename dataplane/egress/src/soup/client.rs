//! The side that logs in: the gateway at the venue.

use super::{Fault, Times, packet, padded};
use types::UnixNanos;
use wire::soupbin::{
    self, CLIENT_HEARTBEAT, DEBUG, END_OF_SESSION, LoginAccepted, LoginRejected, LoginRequest, SEQUENCED,
    SERVER_HEARTBEAT, UNSEQUENCED,
};
use wire::{FromBytes, IntoBytes};

/// What to log in with.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// User name.
    pub username: &'a str,
    /// Password.
    pub password: &'a str,
    /// The session; blank for the one that is running.
    pub session: &'a str,
    /// The message that is wanted next, from 1.
    pub sequence: u64,
}

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent<'a> {
    /// It let the client in.
    LoggedIn {
        /// To this session.
        session: [u8; 10],
        /// Whose next message this is.
        sequence: u64,
    },
    /// It did not, for this reason.
    Refused(u8),
    /// The next message of its stream.
    Message {
        /// Its number.
        sequence: u64,
        /// The message.
        message: &'a [u8],
    },
    /// The stream is over for good.
    Ended,
    /// A heartbeat, a debug packet, a message outside the stream: nothing that matters here.
    Nothing,
}

/// One connection of a client.
#[derive(Debug)]
pub struct ClientSession {
    times: Times,
    /// Of the next message; 0 before the login.
    next: u64,
}

impl ClientSession {
    /// A connection that was made just now.
    #[must_use]
    pub const fn new(now: UnixNanos) -> Self {
        Self { times: Times::new(now), next: 0 }
    }

    /// Writes the login; none where `room` is too small.
    pub fn login(&mut self, login: &Login<'_>, room: &mut [u8], now: UnixNanos) -> Option<usize> {
        let mut session = [b' '; 10];
        // Padded on the left, as sessions are.
        let text = login.session.trim().as_bytes();
        session.iter_mut().rev().zip(text.iter().rev()).for_each(|(place, byte)| *place = *byte);
        let request =
            LoginRequest::new(padded(login.username), padded(login.password), session, login.sequence);
        self.times.sent = now;
        soupbin::write_message(request.as_bytes(), room).ok()
    }

    /// Whether the server has let the client in.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        self.next != 0
    }

    /// Takes the next packet of `input` and says what it means and how many bytes it took; none where it is not whole.
    ///
    /// # Errors
    /// [`Fault`]: the connection is to be ended.
    pub fn take<'a>(
        &mut self,
        input: &'a [u8],
        now: UnixNanos,
    ) -> Result<Option<(ClientEvent<'a>, usize)>, Fault> {
        let Some((packet, bytes)) = self.times.next(input, now)? else { return Ok(None) };
        let out_of_place = Fault::OutOfPlace(packet.packet_type());
        let event = match packet.packet_type() {
            SEQUENCED if self.is_in() => {
                let sequence = self.next;
                self.next = self.next.saturating_add(1);
                ClientEvent::Message { sequence, message: packet.payload() }
            }
            LoginAccepted::TYPE if !self.is_in() => {
                let accepted = LoginAccepted::read_from_bytes(packet.body()).map_err(|_| out_of_place)?;
                let sequence = accepted.sequence.get().filter(|sequence| *sequence > 0);
                self.next = sequence.ok_or(out_of_place)?;
                ClientEvent::LoggedIn { session: accepted.session, sequence: self.next }
            }
            LoginRejected::TYPE if !self.is_in() => {
                let rejected = LoginRejected::read_from_bytes(packet.body()).map_err(|_| out_of_place)?;
                ClientEvent::Refused(rejected.reason)
            }
            END_OF_SESSION => ClientEvent::Ended,
            SERVER_HEARTBEAT | DEBUG | UNSEQUENCED => ClientEvent::Nothing,
            _ => return Err(out_of_place),
        };
        Ok(Some((event, bytes)))
    }

    /// Writes a packet that carries `message`, or of no message, such as [`soupbin::LOGOUT`]; none where `room` is too small.
    pub fn send(
        &mut self,
        packet_type: u8,
        message: &[u8],
        room: &mut [u8],
        now: UnixNanos,
    ) -> Option<usize> {
        let bytes = packet(packet_type, message, room)?;
        self.times.sent = now;
        Some(bytes)
    }

    /// Nothing is read for now: what the server says meanwhile is not silence.
    pub const fn is_not_read(&mut self, now: UnixNanos) {
        (self.times.heard, self.times.half_since) = (now, None);
    }

    /// What time demands: the type of the packet to be sent now, if any.
    ///
    /// # Errors
    /// [`Fault`]: the connection is to be ended.
    pub fn due(&self, now: UnixNanos) -> Result<Option<u8>, Fault> {
        match self.times.fault(self.is_in(), now) {
            Some(fault) => Err(fault),
            None => Ok((self.is_in() && self.times.is_quiet(now)).then_some(CLIENT_HEARTBEAT)),
        }
    }
}
