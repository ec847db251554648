//! Messages are written into one buffer that never grows, with BodyLength and CheckSum made at the end.

use crate::fix::frame::{MESSAGE_BYTES_MAX, SOH, check_sum};
use crate::fix::tags;
use crate::fix::time;
use types::UnixNanos;

/// Room for BeginString and BodyLength, which are written last, before what they lead.
const LEAD_BYTES: usize = 32;

/// `10=` with three digits and its SOH.
const TRAILER_BYTES: usize = 7;

/// Writes one message after the other into the same bytes.
#[derive(Debug)]
pub struct Writer {
    bytes: Box<[u8]>,
    at: usize,
    overflowed: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// A writer, with all the room it ever has.
    pub fn new() -> Self {
        let bytes = vec![0; LEAD_BYTES + MESSAGE_BYTES_MAX + TRAILER_BYTES].into_boxed_slice();
        Self { bytes, at: LEAD_BYTES, overflowed: false }
    }

    /// Begins a message of `kind`; what was there is gone.
    pub fn begin(&mut self, kind: &[u8]) {
        (self.at, self.overflowed) = (LEAD_BYTES, false);
        self.text(tags::MSG_TYPE, kind);
    }

    /// A field as it stands.
    pub fn text(&mut self, tag: i32, value: &[u8]) {
        self.digits(u64::from(tag.unsigned_abs()));
        self.push(b"=");
        self.push(value);
        self.push(&[SOH]);
    }

    /// A field with a number.
    pub fn number(&mut self, tag: i32, value: u64) {
        self.digits(u64::from(tag.unsigned_abs()));
        self.push(b"=");
        self.digits(value);
        self.push(&[SOH]);
    }

    /// A field with a time, to the millisecond.
    pub fn time(&mut self, tag: i32, at: UnixNanos) {
        self.text(tag, &time::text(at));
    }

    /// Ends the message and hands it out; none when it was too long.
    pub fn finish(&mut self, begin_string: &[u8]) -> Option<&[u8]> {
        let length = self.at - LEAD_BYTES;
        if self.overflowed || length > MESSAGE_BYTES_MAX || begin_string.len() > 10 {
            return None;
        }
        let mut lead = [0; LEAD_BYTES];
        let mut lead_bytes = 0;
        let mut count = [0; 20];
        let count = decimal_digits(length as u64, &mut count);
        for part in [b"8=".as_slice(), begin_string, b"\x019=", count, b"\x01"] {
            lead[lead_bytes..lead_bytes + part.len()].copy_from_slice(part);
            lead_bytes += part.len();
        }
        let start = LEAD_BYTES - lead_bytes;
        self.bytes[start..LEAD_BYTES].copy_from_slice(&lead[..lead_bytes]);
        let sum = check_sum(&self.bytes[start..self.at]);
        let digits = [sum / 100, sum / 10 % 10, sum % 10].map(|digit| b'0' + digit);
        let trailer = &mut self.bytes[self.at..self.at + TRAILER_BYTES];
        trailer[..3].copy_from_slice(b"10=");
        trailer[3..6].copy_from_slice(&digits);
        trailer[6] = SOH;
        Some(&self.bytes[start..self.at + TRAILER_BYTES])
    }

    fn digits(&mut self, value: u64) {
        let mut digits = [0; 20];
        let digits = decimal_digits(value, &mut digits);
        self.push(digits);
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if end + TRAILER_BYTES > self.bytes.len() {
            self.overflowed = true;
            return;
        }
        self.bytes[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }
}

/// The decimal digits of `value`, at the end of `digits`.
pub fn decimal_digits(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}
