//! Raw ITCH 5.0 files: messages behind 16-bit lengths, no transport.

use types::UnixNanos;
use wire::WireError;
use wire::framing::{split_itch50_by_type, split_message};

use super::error::Fault;
use super::packet::{Layer, Packet};
use super::window::Window;

/// How a raw ITCH file tells where a message ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ItchFraming {
    /// By a 16-bit big-endian length before each message, as NASDAQ publishes its days; anything else is an error.
    #[default]
    LengthPrefixed,
    /// By the message type alone; the two bytes before each message are skipped unread (some writers leave them zero).
    TypeDriven,
}

/// Prefix and the longest message a 16-bit length can announce.
const RECORD_LEN_MAX: usize = 2 + u16::MAX as usize;

/// Reader of one raw file.
pub(super) struct RawItch {
    framing: ItchFraming,
}

impl RawItch {
    pub(super) fn begin(framing: ItchFraming) -> Self {
        Self { framing }
    }

    /// Makes the next message available in the window and returns its length; `None` at the end of the file, be it
    /// marked by a zero length or not.
    #[inline]
    pub(super) fn peek(&self, window: &mut Window) -> Result<Option<usize>, Fault> {
        match self.split(window.data()) {
            Ok(len) => Ok(Some(len)),
            Err(_) => self.peek_refilled(window),
        }
    }

    #[cold]
    fn peek_refilled(&self, window: &mut Window) -> Result<Option<usize>, Fault> {
        // Not an error when it fails: the rest of the file may be shorter than the longest record.
        window.require(RECORD_LEN_MAX)?;
        let data = window.data();
        if data.is_empty() || (data == [0, 0] && self.framing == ItchFraming::LengthPrefixed) {
            window.consume(data.len());
            return Ok(None);
        }
        self.split(data).map(Some).map_err(describe)
    }

    /// The message that [`RawItch::peek`] found, and how many bytes of the window it takes.
    #[inline]
    pub(super) fn packet<'w>(&self, window: &'w Window, len: usize) -> (Packet<'w>, usize) {
        let bytes = &window.data()[2..2 + len];
        (Packet { bytes, ts: UnixNanos(0), layer: Layer::Message, offset: window.offset() + 2 }, 2 + len)
    }

    #[inline]
    fn split(&self, data: &[u8]) -> Result<usize, WireError> {
        let (message, _) = match self.framing {
            ItchFraming::LengthPrefixed => split_message(data),
            ItchFraming::TypeDriven => split_itch50_by_type(data),
        }?;
        Ok(message.len())
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others say of themselves what they are")]
fn describe(error: WireError) -> Fault {
    match error {
        WireError::Truncated { wanted, found, .. } => Fault::cut(
            format!("the end of the file after {found} bytes of a message"),
            format!("{wanted} bytes"),
        ),
        WireError::ZeroLength { .. } => Fault::new(
            "a length prefix of zero",
            "the length of an ITCH message (a file without lengths can be read by message type)",
        ),
        WireError::UnknownType { message_type, .. } => Fault::new(
            format!("message type '{}'", char::from(message_type).escape_default()),
            "an ITCH 5.0 message type, which alone tells the length here",
        ),
        other => Fault::new(other.to_string(), "an ITCH 5.0 message behind its length"),
    }
}
