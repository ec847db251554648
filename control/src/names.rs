//! Names that people type and files carry: bounded, printable, checked once where they enter.

use serde::de::{self, Unexpected};
use serde::{Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A name of an instance, feed, account or strategy: 1 to 32 letters, digits, `.`, `_`, `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of 1 to 32 letters, digits, `.`, `_` or `-`")]
pub struct ParseNameError;

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ParseNameError;

    fn from_str(s: &str) -> Result<Self, ParseNameError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=32).contains(&s.len()) && s.bytes().all(legal) {
            Ok(Self(s.to_owned()))
        } else {
            Err(ParseNameError)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An instrument's name as people and files write it; wraps [`types::Symbol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolName(types::Symbol);

/// Why a text is not a [`SymbolName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a symbol of 1 to 8 printable ASCII characters")]
pub struct ParseSymbolError;

impl SymbolName {
    /// The symbol as the line carries it.
    #[must_use]
    pub const fn symbol(self) -> types::Symbol {
        self.0
    }
}

impl From<types::Symbol> for SymbolName {
    fn from(symbol: types::Symbol) -> Self {
        Self(symbol)
    }
}

impl FromStr for SymbolName {
    type Err = ParseSymbolError;

    fn from_str(s: &str) -> Result<Self, ParseSymbolError> {
        types::Symbol::new(s).map(Self).ok_or(ParseSymbolError)
    }
}

impl fmt::Display for SymbolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for SymbolName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// What a breaker covers: `firm`, `desk:NAME`, `account:NAME`, `strategy:NAME`, `trader:NAME` or `instrument:SYMBOL`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    Firm,
    /// Every strategy of one desk.
    Desk(Name),
    /// One account.
    Account(Name),
    /// One strategy.
    Strategy(Name),
    /// Every strategy of one trader.
    Trader(Name),
    /// One instrument.
    Instrument(SymbolName),
}

/// Why a text is not a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`firm`, `desk:NAME`, `account:NAME`, `strategy:NAME`, `trader:NAME` or `instrument:SYMBOL`")]
pub struct ParseScopeError;

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(s: &str) -> Result<Self, ParseScopeError> {
        match s.split_once(':') {
            None if s == "firm" => Ok(Self::Firm),
            Some(("desk", name)) => name.parse().map(Self::Desk).map_err(|_| ParseScopeError),
            Some(("account", name)) => name.parse().map(Self::Account).map_err(|_| ParseScopeError),
            Some(("strategy", name)) => name.parse().map(Self::Strategy).map_err(|_| ParseScopeError),
            Some(("trader", name)) => name.parse().map(Self::Trader).map_err(|_| ParseScopeError),
            Some(("instrument", symbol)) => symbol.parse().map(Self::Instrument).map_err(|_| ParseScopeError),
            _ => Err(ParseScopeError),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firm => f.pad("firm"),
            Self::Desk(name) => f.pad(&format!("desk:{name}")),
            Self::Account(name) => f.pad(&format!("account:{name}")),
            Self::Strategy(name) => f.pad(&format!("strategy:{name}")),
            Self::Trader(name) => f.pad(&format!("trader:{name}")),
            Self::Instrument(symbol) => f.pad(&format!("instrument:{symbol}")),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a value that files write as a string and that parses with [`FromStr`]; the parse error's text is what was
/// wanted.
pub(crate) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    struct TextVisitor<T>(std::marker::PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, s: &str) -> Result<T, E> {
            s.parse()
                .map_err(|wanted: T::Err| E::invalid_value(Unexpected::Str(s), &wanted.to_string().as_str()))
        }
    }
    deserializer.deserialize_str(TextVisitor(std::marker::PhantomData))
}

macro_rules! deserialize_by_parsing {
    ($($name:ty),* $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::names::parsed(deserializer)
            }
        }
    )*};
}
pub(crate) use deserialize_by_parsing;

deserialize_by_parsing!(Name, SymbolName, Scope);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_print_as_they_are_typed() {
        for text in
            ["firm", "desk:rates", "account:ACME-7", "strategy:mm.1", "trader:ann", "instrument:BRK.A"]
        {
            let scope: Scope = text.parse().unwrap();
            assert_eq!(scope.to_string(), text);
            let json = serde_json::to_string(&scope).unwrap();
            assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
        }
    }

    #[test]
    fn scopes_that_could_be_misread_are_refused() {
        for bad in [
            "",
            "Firm",
            "firm:",
            "firm:x",
            "account:",
            "account:a b",
            "desk:",
            "trader:",
            "book:x",
            "instrument:",
            "instrument:TOOLONGNAME",
        ] {
            assert_eq!(bad.parse::<Scope>(), Err(ParseScopeError), "{bad:?}");
        }
        let error = serde_json::from_str::<Scope>("\"book:x\"").unwrap_err().to_string();
        assert!(error.contains("`firm`, `desk:NAME`, `account:NAME`"), "{error}");
    }
}
