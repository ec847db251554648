//! Why a model is not loaded, or not saved.

use std::io;
use std::path::PathBuf;

use crate::network::WeightsError;

/// Why a model folder was not loaded. One line each: where, what was found, what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is larger than any model's.
    #[error("{}: larger than {bytes_max} bytes, the most that such a file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
    /// The manifest is not one.
    #[error("{}:{line}: {message}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A fact of the manifest is not what this build can use.
    #[error("{}: {what}: found {found}, wanted {wanted}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which fact.
        what: &'static str,
        /// Its value.
        found: String,
        /// The value this build needs.
        wanted: String,
    },
    /// A number in the manifest cannot be used.
    #[error("{}: {place}: found {found}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What was found.
        found: &'static str,
    },
    /// The weights are not this network's.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: WeightsError,
    },
}

/// Why a model was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The target is something else than a model.
    #[error("{}: found a file or folder that is not a model, wanted a new path or a model to replace", path.display())]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// The model cannot be written down.
    #[error("model: {0}")]
    Encode(String),
}
