//! Where a message of the tag=value encoding ends in a stream of bytes, and whether it is whole (FIX 4.2 to FIXT 1.1, "Message
//! Format": BeginString, BodyLength and MsgType lead, CheckSum ends).

use std::fmt;

/// Ends a field.
pub const SOH: u8 = 1;

/// The longest message that is taken or made, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// The longest BeginString that is looked at.
const BEGIN_BYTES_MAX: usize = 16;

/// `10=` with three digits and its SOH.
const TRAILER_BYTES: usize = 7;

/// What is wrong with the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Bytes that begin no message.
    NoBeginString,
    /// BodyLength (9) does not come second, or is no number.
    NoBodyLength,
    /// BodyLength (9) is more than any message may have.
    TooLong,
    /// CheckSum (10) is not where BodyLength says.
    WrongBodyLength,
    /// CheckSum (10) is not the sum of the bytes.
    WrongCheckSum,
    /// MsgType (35) does not come third.
    NoMsgType,
    /// A field that is not `tag=value`.
    BadField,
}

/// A fault, and at which byte of the message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place, in bytes from the first one looked at.
    pub at: usize,
    /// What.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FaultKind::NoBeginString => "no BeginString (8)",
            FaultKind::NoBodyLength => "no BodyLength (9) as the second field",
            FaultKind::TooLong => "a message longer than any may be",
            FaultKind::WrongBodyLength => "CheckSum (10) is not where BodyLength (9) says",
            FaultKind::WrongCheckSum => "CheckSum (10) is not the sum of the bytes",
            FaultKind::NoMsgType => "no MsgType (35) as the third field",
            FaultKind::BadField => "a field that is not tag=value",
        };
        write!(f, "at byte {}: {what}", self.at)
    }
}

/// What the first bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// The beginning of a message: more bytes are needed.
    Partial,
    /// A whole message of so many bytes, its length and sum as it says.
    Message(usize),
    /// So many bytes are no message and are to be passed over.
    Garbled(usize, Fault),
}

/// Looks at the first message of `bytes`. Whatever is garbled ends with the next CheckSum (10), as the peer's next message begins
/// there.
#[must_use]
pub fn frame(bytes: &[u8]) -> Framed {
    if !bytes.starts_with(b"8=") {
        return if b"8=".starts_with(bytes) { Framed::Partial } else { to_the_next_begin(bytes) };
    }
    let Some(begin_end) = position(bytes, 2, BEGIN_BYTES_MAX) else {
        return if bytes.len() > BEGIN_BYTES_MAX {
            resync(bytes, 2, FaultKind::NoBeginString)
        } else {
            Framed::Partial
        };
    };
    let length_at = begin_end + 1;
    let rest = &bytes[length_at..];
    if !rest.starts_with(b"9=") {
        return if b"9=".starts_with(rest) {
            Framed::Partial
        } else {
            resync(bytes, length_at, FaultKind::NoBodyLength)
        };
    }
    let digits = &rest[2..];
    let Some(count) = digits.iter().take(8).position(|byte| !byte.is_ascii_digit()) else {
        return if digits.len() < 8 { Framed::Partial } else { resync(bytes, length_at, FaultKind::TooLong) };
    };
    if count == 0 || digits[count] != SOH {
        return resync(bytes, length_at, FaultKind::NoBodyLength);
    }
    let length = digits[..count].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    if length > MESSAGE_BYTES_MAX {
        return Framed::Garbled(bytes.len(), Fault { at: length_at, kind: FaultKind::TooLong });
    }
    with_length(bytes, length_at + 2 + count + 1, length)
}

/// The message whose body begins at `body` and has `length` bytes.
fn with_length(bytes: &[u8], body: usize, length: usize) -> Framed {
    let trailer = body + length;
    let Some(tail) = bytes.get(trailer..trailer + TRAILER_BYTES) else { return Framed::Partial };
    let ends = bytes[trailer - 1] == SOH && tail.starts_with(b"10=") && tail[6] == SOH;
    if !ends || !tail[3..6].iter().all(u8::is_ascii_digit) {
        return resync(bytes, trailer - 1, FaultKind::WrongBodyLength);
    }
    let garbled = |at, kind| Framed::Garbled(trailer + TRAILER_BYTES, Fault { at, kind });
    let said = tail[3..6].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    if said != u32::from(check_sum(&bytes[..trailer])) {
        return garbled(trailer, FaultKind::WrongCheckSum);
    }
    if !bytes[body..].starts_with(b"35=") {
        return garbled(body, FaultKind::NoMsgType);
    }
    Framed::Message(trailer + TRAILER_BYTES)
}

/// The sum that CheckSum (10) holds: of every byte before it, modulo 256.
pub fn check_sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

fn position(bytes: &[u8], from: usize, within: usize) -> Option<usize> {
    bytes.iter().take(within).skip(from).position(|byte| *byte == SOH).map(|at| at + from)
}

/// Passes over what begins no message.
fn to_the_next_begin(bytes: &[u8]) -> Framed {
    let next = bytes.windows(2).position(|pair| pair == b"8=");
    // A last byte 8 may begin the next message.
    let passed = next.unwrap_or(bytes.len() - usize::from(bytes.last() == Some(&b'8')));
    Framed::Garbled(passed, Fault { at: 0, kind: FaultKind::NoBeginString })
}

/// Passes over everything to the end of the next CheckSum (10) after `from`.
fn resync(bytes: &[u8], from: usize, kind: FaultKind) -> Framed {
    let fault = Fault { at: from, kind };
    let end = bytes[from..].windows(4).position(|four| four == b"\x0110=").and_then(|at| {
        let value = from + at + 4;
        bytes[value..].iter().position(|byte| *byte == SOH).map(|end| value + end + 1)
    });
    match end {
        Some(end) => Framed::Garbled(end, fault),
        None if bytes.len() > MESSAGE_BYTES_MAX => {
            Framed::Garbled(bytes.len(), Fault { at: from, kind: FaultKind::TooLong })
        }
        None => Framed::Partial,
    }
}
