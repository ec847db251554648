//! What crosses between a receiver and whoever has the sockets of the venue's servers: nothing of it on the receiver's thread.

use stage::{RingRx, RingTx};
use wire::IntoBytes;
use wire::moldudp64::{self, Header};

use crate::arbiter::Request;

/// Bytes of an answer that is read; servers send what an Ethernet frame carries.
pub const ANSWER_BYTES_MAX: usize = 1_536;

/// A server is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The channel that lacks the messages.
    pub channel: u8,
    /// What is lacking, and whom to ask.
    pub request: Request,
}

/// What a server sent.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The channel whose request it answers.
    pub channel: u8,
    /// Which server.
    pub server: u8,
    len: u16,
    bytes: [u8; ANSWER_BYTES_MAX],
}

/// The receiver's ends of the two rings.
#[derive(Debug)]
pub struct RecoveryEnds {
    /// To the sockets.
    pub asks: RingTx<Ask>,
    /// From them.
    pub answers: RingRx<Answer>,
}

impl Ask {
    /// The request packet (MoldUDP64 1.00, "Request Packet").
    #[must_use]
    pub fn packet(&self) -> [u8; moldudp64::HEADER_LEN] {
        let Request { session, first, count, .. } = self.request;
        let mut packet = [0; moldudp64::HEADER_LEN];
        packet.copy_from_slice(Header::new(session.0, first, count).as_bytes());
        packet
    }
}

impl Answer {
    /// A datagram; one that is too long is cut, and its messages no longer tile it.
    #[must_use]
    pub fn new(channel: u8, server: u8, datagram: &[u8]) -> Self {
        let len = datagram.len().min(ANSWER_BYTES_MAX);
        let mut bytes = [0; ANSWER_BYTES_MAX];
        bytes[..len].copy_from_slice(&datagram[..len]);
        // Bounded a line above.
        Self { channel, server, len: u16::try_from(len).unwrap_or(u16::MAX), bytes }
    }

    /// The datagram.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
