//! What several commands take: how tables are printed, and symbols.

use clap::ValueEnum;
use types::Symbol;

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

/// Reads a symbol.
pub(super) fn symbol(text: &str) -> Result<Symbol, &'static str> {
    Symbol::new(text).ok_or("wanted a symbol of at most eight characters, such as FUTX")
}
