//! What is wrong with the fields of a whole message (FIX session layer, "Session-level Reject").

use crate::fix::dictionary::{self, Format, Version};
use crate::fix::frame::SOH;
use crate::fix::message::{Field, Message};
use crate::fix::{tags, time};

/// Why a message is refused: SessionRejectReason (373), and the text that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RejectCode {
    InvalidTag = 0,
    RequiredTagMissing = 1,
    TagNotDefined = 2,
    TagWithoutValue = 4,
    ValueIncorrect = 5,
    IncorrectFormat = 6,
    CompId = 9,
    SendingTime = 10,
    InvalidMsgType = 11,
    TagRepeated = 13,
    TagOutOfOrder = 14,
    GroupCount = 16,
}

impl RejectCode {
    /// What Text (58) says.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::InvalidTag => "Invalid tag number",
            Self::RequiredTagMissing => "Required tag missing",
            Self::TagNotDefined => "Tag not defined for this message type",
            Self::TagWithoutValue => "Tag specified without a value",
            Self::ValueIncorrect => "Value is incorrect (out of range) for this tag",
            Self::IncorrectFormat => "Incorrect data format for value",
            Self::CompId => "CompID problem",
            Self::SendingTime => "SendingTime accuracy problem",
            Self::InvalidMsgType => "Invalid MsgType",
            Self::TagRepeated => "Tag appears more than once",
            Self::TagOutOfOrder => "Tag specified out of required order",
            Self::GroupCount => "Incorrect NumInGroup count for repeating group",
        }
    }

    /// SessionRejectReason (373), where the version has it: 4.2 ends at 11.
    pub(crate) fn number(self, version: Version) -> Option<u64> {
        (version > Version::Fix42 || self as u8 <= 11).then_some(self as u64)
    }
}

/// One thing wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: RejectCode,
    /// The field, where it is one.
    pub(crate) tag: Option<i32>,
}

fn problem(code: RejectCode, tag: i32) -> Problem {
    Problem { code, tag: Some(tag) }
}

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) version: Version,
    /// Whether the body is judged too, and not the header alone: a venue's messages are taken as they come.
    pub(crate) body: bool,
    /// Whether tags from 5000 on, which users define, may stand anywhere.
    pub(crate) user_fields: bool,
}

const HEADER_REQUIRED: [i32; 4] =
    [tags::SENDER_COMP_ID, tags::TARGET_COMP_ID, tags::MSG_SEQ_NUM, tags::SENDING_TIME];

/// The first problem of `message`, in the order in which the session layer is to look.
pub(crate) fn problem_of(message: &Message<'_>, rules: Rules) -> Option<Problem> {
    if !rules.version.has_message(message.kind()) {
        return Some(Problem { code: RejectCode::InvalidMsgType, tag: None });
    }
    let row = dictionary::message_row(rules.version, message.kind()).filter(|_| rules.body);
    let missing = |tag: &&i32| !message.fields().any(|field| field.tag == **tag);
    out_of_order(message)
        .or_else(|| {
            let required = HEADER_REQUIRED.iter().chain(row.map_or(&[][..], |row| row.required));
            required.clone().find(missing).map(|tag| problem(RejectCode::RequiredTagMissing, *tag))
        })
        .or_else(|| {
            let only = row.and_then(|row| row.only);
            let judged = message.fields().filter(|field| rules.body || dictionary::is_header(field.tag));
            let mut fields = judged.map(|field| (field, only));
            fields.find_map(|(field, only)| field_problem(field, only, rules))
        })
        .or_else(|| row.filter(|_| !is_admin(message.kind())).and_then(|_| hidden(message)))
        .or_else(|| row.and_then(|_| repeated(message)))
}

/// A field of the header that comes after one of the body, or of the body after one of the trailer.
fn out_of_order(message: &Message<'_>) -> Option<Problem> {
    let mut part = 0;
    for field in message.fields() {
        let of = match field.tag {
            tag if dictionary::is_header(tag) => 0,
            tag if dictionary::is_trailer(tag) => 2,
            _ => 1,
        };
        if of < part {
            return Some(problem(RejectCode::TagOutOfOrder, field.tag));
        }
        part = of;
    }
    None
}

fn field_problem(field: Field<'_>, only: Option<&[i32]>, rules: Rules) -> Option<Problem> {
    let Field { tag, value } = field;
    let framing = dictionary::is_header(tag) || dictionary::is_trailer(tag);
    if value.is_empty() {
        return Some(problem(RejectCode::TagWithoutValue, tag));
    }
    if tag >= 5_000 && rules.user_fields {
        return None;
    }
    if !rules.version.defines(tag) && !framing {
        return Some(problem(RejectCode::InvalidTag, tag));
    }
    if !is_formatted(dictionary::format(tag), value) {
        return Some(problem(RejectCode::IncorrectFormat, tag));
    }
    if !dictionary::lists(rules.version, tag, value) {
        return Some(problem(RejectCode::ValueIncorrect, tag));
    }
    (!framing && only.is_some_and(|only| !only.contains(&tag)))
        .then(|| problem(RejectCode::TagNotDefined, tag))
}

fn is_formatted(format: Format, value: &[u8]) -> bool {
    let unsigned = value.strip_prefix(b"-").unwrap_or(value);
    match format {
        Format::Int => !unsigned.is_empty() && unsigned.iter().all(u8::is_ascii_digit),
        Format::Decimal => {
            unsigned.iter().any(u8::is_ascii_digit)
                && unsigned.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
                && unsigned.iter().filter(|byte| **byte == b'.').count() <= 1
        }
        Format::Char => value.len() == 1,
        Format::Boolean => matches!(value, b"Y" | b"N"),
        Format::Time => time::parse(value).is_some(),
        Format::Text => true,
    }
}

/// Whether a message is one of the session's own.
pub(crate) const fn is_admin(kind: &[u8]) -> bool {
    matches!(kind, [b'0'..=b'5' | b'A'])
}

/// Data with a separator in it: a reader that does not know of the data's length would see fields there that nobody judged.
fn hidden(message: &Message<'_>) -> Option<Problem> {
    let mut fields = message.fields();
    let found = fields.find(|field| field.value.contains(&SOH))?;
    Some(problem(RejectCode::ValueIncorrect, found.tag))
}

/// A field that may stand once and stands twice, or a group with another number of entries than it says.
fn repeated(message: &Message<'_>) -> Option<Problem> {
    for (at, field) in message.fields().enumerate() {
        let again = || message.fields().take(at).any(|earlier| earlier.tag == field.tag);
        if dictionary::is_single(field.tag) && again() {
            return Some(problem(RejectCode::TagRepeated, field.tag));
        }
        if let Some(first) = dictionary::group_of(field.tag) {
            let entries = message.fields().filter(|field| field.tag == first).count();
            if std::str::from_utf8(field.value).ok().and_then(|count| count.parse().ok()) != Some(entries) {
                return Some(problem(RejectCode::GroupCount, field.tag));
            }
        }
    }
    None
}
