//! The side that is logged in to: the gateway, for its firm.

use super::{Fault, Times, packet};
use types::UnixNanos;
use wire::soupbin::{
    self, CLIENT_HEARTBEAT, DEBUG, LOGOUT, LoginAccepted, LoginRejected, LoginRequest, SEQUENCED,
    SERVER_HEARTBEAT, UNSEQUENCED,
};
use wire::{FromBytes, IntoBytes};

/// What the client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent<'a> {
    /// It asks to be let in.
    Login(LoginRequest),
    /// A message.
    Message(&'a [u8]),
    /// It leaves.
    Logout,
    /// A heartbeat or a debug packet.
    Nothing,
}

/// One connection of a server.
#[derive(Debug)]
pub struct ServerSession {
    times: Times,
    /// Of the message that is sent next; 0 before the login.
    next: u64,
}

impl ServerSession {
    /// A connection that was taken just now.
    #[must_use]
    pub const fn new(now: UnixNanos) -> Self {
        Self { times: Times::new(now), next: 0 }
    }

    /// Whether the client is in.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        self.next != 0
    }

    /// The number of the message that is to be sent next; 0 before the login.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Takes the next packet of `input` and says what it means and how many bytes it took; none where it is not whole.
    ///
    /// # Errors
    /// [`Fault`]: the connection is to be ended.
    pub fn take<'a>(
        &mut self,
        input: &'a [u8],
        now: UnixNanos,
    ) -> Result<Option<(ServerEvent<'a>, usize)>, Fault> {
        let Some((packet, bytes)) = self.times.next(input, now)? else { return Ok(None) };
        let out_of_place = Fault::OutOfPlace(packet.packet_type());
        let event = match packet.packet_type() {
            UNSEQUENCED if self.is_in() => ServerEvent::Message(packet.payload()),
            LoginRequest::TYPE if !self.is_in() => {
                ServerEvent::Login(LoginRequest::read_from_bytes(packet.body()).map_err(|_| out_of_place)?)
            }
            LOGOUT => ServerEvent::Logout,
            CLIENT_HEARTBEAT | DEBUG => ServerEvent::Nothing,
            _ => return Err(out_of_place),
        };
        Ok(Some((event, bytes)))
    }

    /// Lets the client in to `session`, whose message `sequence`, from 1, is the next; none where `room` is too small.
    pub fn accept(
        &mut self,
        session: [u8; 10],
        sequence: u64,
        room: &mut [u8],
        now: UnixNanos,
    ) -> Option<usize> {
        let bytes = soupbin::write_message(LoginAccepted::new(session, sequence).as_bytes(), room).ok()?;
        (self.next, self.times.sent) = (sequence, now);
        Some(bytes)
    }

    /// Does not let it in; the connection is to be ended.
    pub fn refuse(&mut self, reason: u8, room: &mut [u8]) -> Option<usize> {
        soupbin::write_message(LoginRejected::new(reason).as_bytes(), room).ok()
    }

    /// Writes the next message of the stream; none where `room` is too small.
    pub fn message(&mut self, message: &[u8], room: &mut [u8], now: UnixNanos) -> Option<usize> {
        let bytes = packet(SEQUENCED, message, room)?;
        (self.next, self.times.sent) = (self.next.saturating_add(1), now);
        Some(bytes)
    }

    /// Writes a packet outside the stream, such as [`soupbin::END_OF_SESSION`]; none where `room` is too small.
    pub fn send(&mut self, packet_type: u8, text: &[u8], room: &mut [u8], now: UnixNanos) -> Option<usize> {
        let bytes = packet(packet_type, text, room)?;
        self.times.sent = now;
        Some(bytes)
    }

    /// What time demands: the type of the packet to be sent now, if any.
    ///
    /// # Errors
    /// [`Fault`]: the connection is to be ended.
    pub fn due(&self, now: UnixNanos) -> Result<Option<u8>, Fault> {
        match self.times.fault(self.is_in(), now) {
            Some(fault) => Err(fault),
            None => Ok((self.is_in() && self.times.is_quiet(now)).then_some(SERVER_HEARTBEAT)),
        }
    }
}
