//! Messages as text, for people: every field of every message that the protocol of a feed has.

use std::fmt;

use types::FeedKind;

use super::{codes, message_types};

/// A message as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name of its type; `Unknown` for one that the protocol does not have.
    pub name: &'static str,
    /// Its fields, `name=value` each.
    pub text: String,
}

impl Description {
    pub(super) fn of(name: &'static str, message: impl fmt::Display) -> Self {
        Self { name, text: message.to_string() }
    }
}

/// What a feed calls its message types by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    /// Letters.
    Letter,
    /// Numbers.
    Number,
}

/// What a feed calls a message type: its letter, or its number where it has none.
#[must_use]
pub fn type_code(kind: FeedKind, message_type: u8) -> String {
    match codes(kind) {
        Codes::Letter => char::from(message_type).to_string(),
        Codes::Number => format!("{message_type:#04x}"),
    }
}

/// What reports call a message type: its letter, its name where it has none, its number where that is not known.
#[must_use]
pub fn type_label(kind: FeedKind, message_type: u8) -> String {
    let mut numbered = message_types(kind).iter().filter(|_| codes(kind) == Codes::Number);
    let known = numbered.find(|(code, ..)| *code == message_type);
    known.map_or_else(|| type_code(kind, message_type), |(.., name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::describe;
    use types::FeedInput;
    use wire::{IntoBytes, itch50};

    #[test]
    fn every_feed_of_packets_has_types_and_names_its_messages() {
        for &kind in FeedKind::ALL {
            let in_packets = kind.input() == FeedInput::Packets;
            assert_eq!(
                (!message_types(kind).is_empty(), describe(kind, &[]).is_some()),
                (in_packets, in_packets)
            );
        }
        let labels = [
            (FeedKind::Itch50, b'A'),
            (FeedKind::Mdp3, 46),
            (FeedKind::Pitch, 0x21),
            (FeedKind::Pitch, 3 + 0x40),
        ];
        let labels = labels.map(|(kind, code)| type_label(kind, code));
        assert_eq!(labels, ["A", "IncrementalRefreshBook46", "AddOrderLong", "0x43"]);
        let deleted = itch50::OrderDelete::new(7, 0, 1_500_000_000, 9);
        let described = describe(FeedKind::Itch50, deleted.as_bytes()).unwrap().unwrap();
        assert_eq!(described.name, "OrderDelete");
        assert!(
            described.text.contains("locate=7") && described.text.contains("1.500000000"),
            "{described:?}"
        );
        assert!(describe(FeedKind::Pitch, &[0x21, 1]).unwrap().is_err());
    }
}
