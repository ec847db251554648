//! SoupBinTCP 3.00, all packets of both directions: what carries OUCH over TCP.
//!
//! Source: NASDAQ, "SoupBinTCP" version 3.00, sections 2.1 to 2.3; the login packets and the data packets agree with published
//! captures. A packet is a big-endian length, which counts the type and the payload, then both. Numbers in packets are ASCII
//! digits, padded with spaces on the left; names and passwords are padded on the right.

use core::fmt;

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{WireError, clamp};
use crate::fields::Show;
use crate::protocol::message_structs;

/// Bytes before a packet's payload: the length and the type.
pub const HEADER_LEN: usize = 3;

/// Type of a debug packet, of both sides: text for a person.
pub const DEBUG: u8 = b'+';
/// Type of a sequenced data packet, of the server: the next message of its stream.
pub const SEQUENCED: u8 = b'S';
/// Type of an unsequenced data packet: a message outside the stream.
pub const UNSEQUENCED: u8 = b'U';
/// Type of a heartbeat of the server.
pub const SERVER_HEARTBEAT: u8 = b'H';
/// Type of a heartbeat of the client.
pub const CLIENT_HEARTBEAT: u8 = b'R';
/// Type of the packet with which the server ends its stream for good.
pub const END_OF_SESSION: u8 = b'Z';
/// Type of the packet with which the client leaves.
pub const LOGOUT: u8 = b'O';

/// Reason of [`LoginRejected`]: user name or password are not known.
pub const NOT_AUTHORIZED: u8 = b'A';
/// Reason of [`LoginRejected`]: there is no such session.
pub const NO_SUCH_SESSION: u8 = b'S';

message_structs! {
    /// "L", Login Request Packet (section 2.3.2).
    LoginRequest = b'L', 47 {
        /// User name.
        @1 username: [u8; 6] = [u8; 6],
        /// Password.
        @7 password: [u8; 10] = [u8; 10],
        /// The session to log in to; blank for the one that is running.
        @17 session: [u8; 10] = [u8; 10],
        /// The next sequenced message that the client wants, from 1; 0 for the newest.
        @27 sequence: Number = u64,
    }

    /// "A", Login Accepted Packet (section 2.2.2).
    LoginAccepted = b'A', 31 {
        /// The session that the client is in now.
        @1 session: [u8; 10] = [u8; 10],
        /// The number of the next sequenced message.
        @11 sequence: Number = u64,
    }

    /// "J", Login Rejected Packet (section 2.2.3).
    LoginRejected = b'J', 2 {
        /// Why: [`NOT_AUTHORIZED`] or [`NO_SUCH_SESSION`].
        @1 reason: u8 = u8,
    }
}

/// A number as twenty ASCII digits, padded with spaces on the left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Number(pub [u8; 20]);

impl Number {
    /// The number; none when there are other characters than digits, or more than a `u64` holds. Blank is 0.
    #[must_use]
    pub fn get(&self) -> Option<u64> {
        self.0.trim_ascii().iter().try_fold(0_u64, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit.into())
        })
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        let (mut text, mut rest) = ([b' '; 20], number);
        for place in text.iter_mut().rev() {
            let [digit, ..] = (rest % 10).to_le_bytes();
            *place = b'0'.wrapping_add(digit);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Self(text)
    }
}

impl Show for Number {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.trim_ascii().escape_ascii())
    }
}

/// A packet in place: its type and what it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    packet_type: u8,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet that `bytes` begin with, and how many bytes it takes; none when there are not enough bytes yet.
    ///
    /// # Errors
    /// [`WireError::ZeroLength`] for a packet without a type, [`WireError::BadLength`] for one whose payload is longer than
    /// `payload_max` or not that of its type: who reads a stream has lost its place then.
    #[inline]
    pub fn parse(bytes: &'a [u8], payload_max: usize) -> Result<Option<(Self, usize)>, WireError> {
        let Ok((len, after)) = U16::read_from_prefix(bytes) else { return Ok(None) };
        let len = usize::from(len.get());
        if len == 0 {
            return Err(WireError::ZeroLength { offset: 0 });
        }
        let Some(&packet_type) = after.first() else { return Ok(None) };
        let (least, most) = match packet_type {
            LoginRequest::TYPE => (LoginRequest::LEN, LoginRequest::LEN),
            LoginAccepted::TYPE => (LoginAccepted::LEN, LoginAccepted::LEN),
            LoginRejected::TYPE => (LoginRejected::LEN, LoginRejected::LEN),
            SERVER_HEARTBEAT | CLIENT_HEARTBEAT | END_OF_SESSION | LOGOUT => (1, 1),
            _ => (1, payload_max.saturating_add(1)),
        };
        if !(least..=most).contains(&len) {
            return Err(WireError::bad_length(packet_type, most, len));
        }
        let Some(body) = after.get(..len) else { return Ok(None) };
        Ok(Some((Self { packet_type, body }, len.saturating_add(2))))
    }

    /// Its type.
    #[inline]
    #[must_use]
    pub const fn packet_type(&self) -> u8 {
        self.packet_type
    }

    /// The type and what follows: the bytes of a [`LoginRequest`], [`LoginAccepted`] or [`LoginRejected`].
    #[inline]
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// What it carries, without the type: a message, or text.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.body.get(1..).unwrap_or_default()
    }
}

/// Writes a packet at the start of `buf`, and says how many bytes it takes.
///
/// # Errors
/// [`WireError::NoRoom`], also for a payload of more bytes than a packet can have.
#[inline]
pub fn write(packet_type: u8, payload: &[u8], buf: &mut [u8]) -> Result<usize, WireError> {
    let wanted = payload.len().saturating_add(HEADER_LEN);
    let len = payload.len().saturating_add(1);
    let (Ok(len), Some(place)) = (u16::try_from(len), buf.get_mut(..wanted)) else {
        return Err(WireError::NoRoom { wanted: clamp(wanted), found: clamp(buf.len()) });
    };
    let (prefix, after) = place.split_at_mut(HEADER_LEN);
    let [hi, lo] = len.to_be_bytes();
    prefix.copy_from_slice(&[hi, lo, packet_type]);
    after.copy_from_slice(payload);
    Ok(wanted)
}

/// Writes the packet of a message that begins with its type, such as [`LoginRequest`], as [`write()`] does.
///
/// # Errors
/// As [`write()`].
pub fn write_message(message: &[u8], buf: &mut [u8]) -> Result<usize, WireError> {
    let Some((&packet_type, payload)) = message.split_first() else {
        return Err(WireError::truncated(0, 1, 0));
    };
    write(packet_type, payload, buf)
}
