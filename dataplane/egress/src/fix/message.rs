//! The fields of one whole message, read where they lie.

use crate::fix::frame::{Fault, FaultKind, SOH};
use crate::fix::tags;

/// Sequence numbers lie below this: more than any session ever sends.
pub(crate) const SEQ_MAX: u64 = 1 << 46;

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its tag: what the peer wrote, which may be none there is.
    pub tag: i32,
    /// Its value, without the SOH.
    pub value: &'a [u8],
}

/// One whole message, as [`crate::fix::frame::frame`] found it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    kind: &'a [u8],
    seq: Option<u64>,
    poss_dup: bool,
}

impl<'a> Message<'a> {
    /// Reads `bytes`, one whole message.
    ///
    /// # Errors
    /// [`FaultKind::BadField`], with the place of the first field that is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut message = Self { bytes, kind: &[], seq: None, poss_dup: false };
        let mut fields = Fields { bytes, at: 0, data: None };
        while fields.at < bytes.len() {
            let at = fields.at;
            let field = fields.next().ok_or(Fault { at, kind: FaultKind::BadField })?;
            match field.tag {
                tags::MSG_TYPE => message.kind = field.value,
                tags::MSG_SEQ_NUM => message.seq = number(field.value).filter(|seq| *seq < SEQ_MAX),
                tags::POSS_DUP_FLAG => message.poss_dup = field.value == b"Y",
                _ => {}
            }
        }
        Ok(message)
    }

    /// MsgType (35).
    pub const fn kind(&self) -> &'a [u8] {
        self.kind
    }

    /// MsgSeqNum (34), where it is a number.
    pub const fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// Whether PossDupFlag (43) is set.
    pub const fn is_poss_dup(&self) -> bool {
        self.poss_dup
    }

    /// BeginString (8).
    pub fn begin_string(&self) -> &'a [u8] {
        self.fields().next().map_or(&[], |field| field.value)
    }

    /// Every field, in the order of the message.
    pub const fn fields(&self) -> Fields<'a> {
        Fields { bytes: self.bytes, at: 0, data: None }
    }

    /// The value of the first field of `tag`.
    pub fn get(&self, tag: i32) -> Option<&'a [u8]> {
        self.fields().find(|field| field.tag == tag).map(|field| field.value)
    }

    /// As [`Message::get`], where the value is a number.
    pub fn number(&self, tag: i32) -> Option<u64> {
        self.get(tag).and_then(number)
    }
}

/// The fields of a message, one after the other. Ends before the first that is none.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The tag of the data field that comes next, and its length: data may hold an SOH.
    data: Option<(i32, usize)>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let equals = rest.iter().take(12).position(|byte| *byte == b'=')?;
        let tag = tag(&rest[..equals])?;
        let value = &rest[equals + 1..];
        let length = match self.data.take() {
            Some((data, length)) if data == tag && value.get(length) == Some(&SOH) => length,
            _ => value.iter().position(|byte| *byte == SOH)?,
        };
        let value = &value[..length];
        self.at += equals + 1 + length + 1;
        if let Some(data) = tags::data_of(tag) {
            self.data = number(value).and_then(|length| Some((data, usize::try_from(length).ok()?)));
        }
        Some(Field { tag, value })
    }
}

/// A tag as the peer wrote it: digits, after a sign at most.
fn tag(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    number(digits).and_then(|tag| i32::try_from(tag).ok()).map(|tag| sign * tag)
}

/// A number of digits alone, below 2^63.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter()
        .try_fold(0, |sum: u64, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
}

/// A decimal number without a sign (`100`, `100.`, `0100.250`) in units of 10^-9; none where it has more places than that, or is
/// larger than an `i64` of them.
pub fn decimal(text: &[u8]) -> Option<i64> {
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut nanos: i64 = 0;
    for digit in whole {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        nanos = nanos.checked_mul(10)?.checked_add(digit)?;
    }
    nanos = nanos.checked_mul(1_000_000_000)?;
    let mut unit = 1_000_000_000;
    for digit in fraction {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        unit /= 10;
        if unit == 0 && digit != 0 {
            return None;
        }
        nanos = nanos.checked_add(digit * unit)?;
    }
    Some(nanos)
}
