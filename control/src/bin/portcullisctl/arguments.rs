//! Arguments that several commands have.

use clap::Args;
use control::protocol::{Reason, Ticket};
use std::fmt::Display;
use std::str::FromStr;

/// Why, and under which ticket.
#[derive(Args, Debug)]
pub(crate) struct Why {
    /// Why; goes into the audit log
    #[arg(long, value_name = "TEXT", value_parser = wanted::<Reason>)]
    pub(crate) reason: Reason,
    /// Number of the change or incident
    #[arg(long, value_name = "ID", value_parser = wanted::<Ticket>)]
    pub(crate) ticket: Option<Ticket>,
}

/// A change that opens something.
#[derive(Args, Debug)]
pub(crate) struct Confirmed {
    #[command(flatten)]
    pub(crate) why: Why,
    /// Do not ask to type the scope
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Parses, and says what was wanted.
pub(crate) fn wanted<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("wanted {error}"))
}
