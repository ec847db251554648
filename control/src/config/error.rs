//! Configuration errors: where, which key, what was found, what was wanted.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, `--set KEY=VALUE` as typed, or `built-in default.toml`.
    pub source: Arc<str>,
    /// Line from 1; 0 where lines mean nothing (`--set`).
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.source) } else { write!(f, "{}:{}", self.source, self.line) }
    }
}

/// What is wrong with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    Unreadable {
        /// The system's reason.
        cause: String,
    },
    /// The text is not TOML.
    Syntax {
        /// The parser's reason.
        cause: String,
    },
    /// No such key.
    UnknownKey {
        /// The keys of the same table.
        known: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// There was such a key.
    Gone {
        /// What says now what it said.
        instead: &'static str,
    },
    /// A key that must be given is not.
    Missing,
    /// The value cannot be used.
    Value {
        /// What stands there.
        found: String,
        /// What could stand there.
        wanted: String,
        /// The known word that was probably meant.
        nearest: Option<String>,
    },
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Where.
    pub origin: Origin,
    /// Dotted path of the key; empty when the file as a whole is meant.
    pub key: String,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        let hint = |nearest: &Option<String>| {
            nearest.as_ref().map_or(String::new(), |n| format!("; did you mean `{n}`?"))
        };
        match &self.problem {
            Problem::Unreadable { cause } => write!(f, "cannot be read: {cause}"),
            Problem::Syntax { cause } => write!(f, "not TOML: {cause}"),
            Problem::UnknownKey { known, nearest } => {
                write!(f, "no such key{} (keys here: {})", hint(nearest), known.join(", "))
            }
            Problem::Gone { instead } => write!(f, "no such key any more: {instead}"),
            Problem::Missing => f.write_str("missing, and it has no default"),
            Problem::Value { found, wanted, nearest } => {
                write!(f, "found {found}, wanted {wanted}{}", hint(nearest))
            }
        }
    }
}

/// Everything wrong with the configuration, in the order of the files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl ConfigErrors {
    /// A file that could not be read.
    pub(crate) fn unreadable(path: &Path, cause: impl fmt::Display) -> ConfigError {
        let origin = Origin { source: path.display().to_string().into(), line: 0 };
        ConfigError { origin, key: String::new(), problem: Problem::Unreadable { cause: cause.to_string() } }
    }
}
