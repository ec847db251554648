//! How tables are printed, for every command that prints one.

use clap::ValueEnum;

/// How tables are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Stable, for programs
    Json,
    /// For spreadsheets
    Csv,
}
