//! The command line. Help texts are part of the product: every command shows an example that works.

use clap::{Args, Parser, Subcommand, ValueEnum};
use control::limits::LimitKey;
use control::names::{Name, Scope, SymbolName};
use control::protocol::{LimitChange, OrderSide, Price, Reason, Ticket, Tif};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 4 refused by role or policy, 5 no appliance there, 6 another version.

Examples:
  portcullisctl status
  portcullisctl halt --reason \"runaway algo on desk 3\"
  portcullisctl limits show ZVZZT
  portcullisctl breaker trip instrument:ZVZZT --reason \"news pending\"";

/// See and move the limits, breakers and tiers of a running Portcullis
#[derive(Parser, Debug)]
#[command(name = "portcullisctl", version, propagate_version = true, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Control socket of the appliance
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/portcullis/control.sock")]
    pub(crate) socket: PathBuf,
    /// How answers are printed
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Stable, for programs
    Json,
    /// For spreadsheets
    Csv,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// How the appliance is: halted or not, breakers, tiers, feeds, orders
    Status,
    /// Show and set limits
    #[command(subcommand)]
    Limits(Limits),
    /// List, trip and reset breakers
    #[command(subcommand)]
    Breaker(Breaker),
    /// Refuse every order of the firm, at once and without asking
    #[command(
        after_help = "Examples:\n  portcullisctl halt\n  portcullisctl halt --reason \"fat finger on desk 3\" --ticket INC-71"
    )]
    Halt(Halt),
    /// End a halt; tripped breakers stay tripped
    #[command(after_help = "Example:\n  portcullisctl resume --reason \"algo 7 stopped, positions checked\"")]
    Resume(Confirmed),
    /// Show how alarmed the model is, and end a Critical
    #[command(subcommand)]
    Tier(Tier),
    /// Ask the gate
    #[command(subcommand)]
    Gate(Gate),
    /// Read and prove the audit log
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Subcommand, Debug)]
pub(crate) enum Limits {
    /// Limits of one instrument or all: the approved envelope beside what the gate enforces now
    #[command(
        after_help = "Examples:\n  portcullisctl limits show\n  portcullisctl limits show ZVZZT -o csv > limits.csv"
    )]
    Show {
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: Option<SymbolName>,
    },
    /// Set base limits of one instrument, all of them or none
    #[command(after_help = "A limit is loosened up to the cap, never past it.

Examples:
  portcullisctl limits set ZVZZT max_qty=100 --reason \"thin book before the close\"
  portcullisctl limits set ZVZZT max_qty=400 collar_bps=150 --reason \"back to normal\" --ticket CHG-1042 --dry-run")]
    Set {
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: SymbolName,
        /// What to set
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = limit_change)]
        changes: Vec<LimitChange>,
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Breaker {
    /// Breakers that are not open, and the halt
    List,
    /// Trip a breaker: no order in its scope passes
    #[command(after_help = "Scopes: firm, account:NAME, strategy:NAME, instrument:SYMBOL

Examples:
  portcullisctl breaker trip strategy:mm1 --reason \"quotes far off the market\"
  portcullisctl breaker trip account:ACME --reduce-only --reason \"margin call\"")]
    Trip {
        /// What it covers
        #[arg(value_parser = wanted::<Scope>)]
        scope: Scope,
        /// Let orders pass that only reduce a position
        #[arg(long)]
        reduce_only: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Reset a breaker that a person or a watchdog tripped
    #[command(after_help = "What the model tripped is ended by `portcullisctl tier reset SYMBOL`.

Example:
  portcullisctl breaker reset instrument:ZVZZT --reason \"news out, book is back\"")]
    Reset {
        /// What it covers
        #[arg(value_parser = wanted::<Scope>)]
        scope: Scope,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Tier {
    /// Tier, score and what drives it, of one instrument or all
    Show {
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: Option<SymbolName>,
    },
    /// Take an instrument out of Critical and reset the breaker that the model tripped
    #[command(
        after_help = "Example:\n  portcullisctl tier reset ZVZZT --reason \"iceberg done, spread back to one tick\""
    )]
    Reset {
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: SymbolName,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Gate {
    /// What the gate would say of an order now: every limit it breaks, and the limits in force
    #[command(after_help = "Examples:
  portcullisctl gate explain --symbol ZVZZT --side buy --qty 200 --px 100.05 --strategy mm1 --account ACME
  portcullisctl gate explain --symbol ZVZZT --side sell --qty 200 --strategy mm1 --account ACME   (market order)")]
    Explain(Order),
    /// Every reject code: number, name, sentence, what makes it fail closed
    Codes,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Audit {
    /// The last records
    #[command(after_help = "Examples:\n  portcullisctl audit tail -n 50\n  portcullisctl audit tail -o json")]
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
    },
    /// Prove the chain; with --dir, of a directory, without the appliance
    #[command(
        after_help = "Note the head from `portcullisctl status` somewhere else now and then: a chain that holds a noted head was
not rewritten or cut off before it.

Examples:
  portcullisctl audit verify
  portcullisctl audit verify --dir /var/lib/portcullis/audit --head 4f1c…"
    )]
    Verify {
        /// Directory of the segments
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// The oldest segments are kept elsewhere
        #[arg(long, requires = "dir")]
        partial: bool,
        /// Hash of a record noted earlier, which the chain must hold
        #[arg(long, requires = "dir", value_name = "HASH")]
        head: Option<String>,
    },
}

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

#[derive(Args, Debug)]
pub(crate) struct Halt {
    /// Why; goes into the audit log
    #[arg(long, value_name = "TEXT", value_parser = wanted::<Reason>)]
    pub(crate) reason: Option<Reason>,
    /// Number of the incident
    #[arg(long, value_name = "ID", value_parser = wanted::<Ticket>)]
    pub(crate) ticket: Option<Ticket>,
}

#[derive(Args, Debug)]
pub(crate) struct Order {
    /// Instrument
    #[arg(long, value_parser = wanted::<SymbolName>)]
    pub(crate) symbol: SymbolName,
    /// buy or sell
    #[arg(long, value_parser = side)]
    pub(crate) side: OrderSide,
    /// Quantity
    #[arg(long)]
    pub(crate) qty: u32,
    /// Limit price; without it, a market order
    #[arg(long, value_parser = wanted::<Price>)]
    pub(crate) px: Option<Price>,
    /// Strategy
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) strategy: Name,
    /// Account
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) account: Name,
    /// day, ioc or gtc
    #[arg(long, default_value = "day", value_parser = tif)]
    pub(crate) tif: Tif,
}

/// Parses, and says what was wanted.
fn wanted<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("wanted {error}"))
}

fn limit_change(text: &str) -> Result<LimitChange, String> {
    let (key, value) = text.split_once('=').ok_or("wanted KEY=VALUE, for example max_qty=100")?;
    let key: LimitKey = key.parse().map_err(|error| format!("{error}"))?;
    let value = value.parse().map_err(|error| format!("{key}: wanted {error}"))?;
    key.to_gate(value).map_err(|range| format!("{key}: wanted {range}"))?;
    Ok(LimitChange { key, value })
}

fn side(text: &str) -> Result<OrderSide, &'static str> {
    match text {
        "buy" => Ok(OrderSide::Buy),
        "sell" => Ok(OrderSide::Sell),
        _ => Err("wanted buy or sell"),
    }
}

fn tif(text: &str) -> Result<Tif, &'static str> {
    match text {
        "day" => Ok(Tif::Day),
        "ioc" => Ok(Tif::Ioc),
        "gtc" => Ok(Tif::Gtc),
        _ => Err("wanted day, ioc or gtc"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn limits_are_checked_where_they_are_typed() {
        assert!(limit_change("max_qty=100").is_ok());
        assert!(limit_change("max_qyt=100").unwrap_err().contains("did you mean `max_qty`?"));
        assert_eq!(
            limit_change("max_qty=0").unwrap_err(),
            "max_qty: wanted a whole number from 1 to 4294967295 shares"
        );
        assert!(limit_change("max_qty").unwrap_err().contains("KEY=VALUE"));
    }
}
