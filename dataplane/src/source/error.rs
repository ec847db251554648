//! What can be wrong with an input.

use std::io;

/// Why an input cannot be read, or not any further. One line names the file, the place, what was found and what was
/// wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("{file}: cannot be opened")]
    Open {
        /// Path as given.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Reading or decompressing failed.
    #[error("{file}: cannot be read on at offset {offset}")]
    Read {
        /// Path as given.
        file: String,
        /// Offset in the uncompressed bytes.
        offset: u64,
        /// What the system or the decompressor said.
        #[source]
        source: io::Error,
    },
    /// The bytes are not what they should be.
    #[error("{file}: offset {offset}: found {found}, wanted {wanted}")]
    Format {
        /// Path as given.
        file: String,
        /// Offset in the uncompressed bytes.
        offset: u64,
        /// What stands there.
        found: String,
        /// What should stand there.
        wanted: String,
    },
    /// Several LOBSTER archives: each is a whole day of one instrument.
    #[error("found {found} LOBSTER archives, wanted one")]
    OneArchive {
        /// How many there are.
        found: usize,
    },
    /// A network port failed.
    #[error("{port}: {reason}")]
    Port {
        /// Name of the port.
        port: String,
        /// What the driver said.
        reason: String,
    },
}

impl SourceError {
    /// The error and what caused it, in one line.
    pub(super) fn with_source(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// A mistake in the bytes, before the file's name is known.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// The input ends within a record, as it does when whoever wrote it was stopped: what came before it is whole.
    Cut {
        found: String,
        wanted: String,
    },
    Format {
        found: String,
        wanted: String,
    },
}

impl Fault {
    pub(super) fn new(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self::Format { found: found.into(), wanted: wanted.into() }
    }

    pub(super) fn cut(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self::Cut { found: found.into(), wanted: wanted.into() }
    }

    /// Whether the input ends where it should not, and is not otherwise damaged.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Cut { .. } => true,
            Self::Io(e) => e.kind() == io::ErrorKind::UnexpectedEof,
            Self::Format { .. } => false,
        }
    }

    /// The same, in `file` at `offset`.
    #[cold]
    pub(super) fn at(self, file: &str, offset: u64) -> SourceError {
        let file = file.to_owned();
        match self {
            Self::Io(source) => SourceError::Read { file, offset, source },
            Self::Cut { found, wanted } | Self::Format { found, wanted } => {
                SourceError::Format { file, offset, found, wanted }
            }
        }
    }
}

impl From<io::Error> for Fault {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}
