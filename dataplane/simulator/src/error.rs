//! What can go wrong when a scenario is asked for or written.

use std::path::PathBuf;

/// Why a scenario could not be built or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// There is no scenario of that name.
    #[error("no scenario {found:?}; wanted one of {wanted}")]
    UnknownScenario {
        /// The name asked for.
        found: String,
        /// The names there are, separated by commas.
        wanted: String,
    },
    /// An option has a value outside its bounds.
    #[error("scenario {scenario}: {option} is {found}, wanted {min} to {max}")]
    OptionOutOfRange {
        /// The scenario.
        scenario: &'static str,
        /// The option.
        option: &'static str,
        /// Its value.
        found: u64,
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
    },
    /// The scenario's story fixes what the option would change.
    #[error("scenario {scenario}: {option} cannot be chosen, the story fixes it")]
    OptionFixed {
        /// The scenario.
        scenario: &'static str,
        /// The option.
        option: &'static str,
    },
    /// No instrument of that name.
    #[error("scenario {scenario}: --symbol is {found}, wanted one of {wanted}")]
    UnknownSymbol {
        /// The scenario.
        scenario: &'static str,
        /// The name asked for.
        found: types::Symbol,
        /// The names there are.
        wanted: String,
    },
    /// A file could not be written.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file, under its final name.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, SimulatorError>;
