//! Messages as text, for people: every field of every message that the protocol of a feed has.

use std::fmt;

use wire::WireError;

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

/// The messages of a feed.
pub(super) struct Messages {
    /// Reads one.
    pub(super) read: fn(&[u8]) -> Result<Description, WireError>,
    /// Number, smallest size and name of every type.
    pub(super) types: &'static [(u8, u16, &'static str)],
    pub(super) by: Codes,
}

impl Messages {
    /// What the feed calls a type: its letter, or its number where it has none.
    pub(super) fn code(&self, message_type: u8) -> String {
        match self.by {
            Codes::Letter => char::from(message_type).to_string(),
            Codes::Number => format!("{message_type:#04x}"),
        }
    }

    /// What reports call a type: its letter, its name where it has none, its number where that is not known.
    pub(super) fn label(&self, message_type: u8) -> String {
        let mut numbered = self.types.iter().filter(|_| self.by == Codes::Number);
        let known = numbered.find(|(code, ..)| *code == message_type);
        known.map_or_else(|| self.code(message_type), |(.., name)| (*name).to_owned())
    }
}
