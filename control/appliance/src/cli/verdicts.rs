//! `portcullis verdicts` on the command line.

use super::format::Format;
use clap::{Args, Subcommand, ValueEnum};
use control::stamp::Stamp;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Verdicts {
    #[command(subcommand)]
    pub(crate) command: VerdictsCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum VerdictsCommand {
    /// Orders and what the gate said of them, the last ones
    #[command(
        after_help = "The daemon's log is verdicts.csv in its state directory. Prices and money are in currency, quantities in shares, lots or contracts, \
limit and value in the unit of the code (`portcullisctl gate codes`).

Examples:
  portcullis verdicts show /var/lib/portcullis/verdicts.csv --decision reject --last 20
  portcullis verdicts show verdicts.csv --strategy mm1 --from 2026-11-30T09:30:00Z -o csv"
    )]
    Show {
        /// Verdict log; `-` is stdin
        log: PathBuf,
        #[command(flatten)]
        filter: VerdictsFilter,
        /// How many at most, the last ones, 1 to 100000
        #[arg(short = 'n', long, default_value_t = 50, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: u32,
        /// table, json or csv
        #[arg(short, long, default_value = "table")]
        output: Format,
    },
    /// How many orders by decision, reason, tier, strategy, account and symbol, and their share
    #[command(
        after_help = "Example:\n  portcullis verdicts stats /var/lib/portcullis/verdicts.csv --from 2026-11-30T00:00:00Z"
    )]
    Stats {
        /// Verdict log; `-` is stdin
        log: PathBuf,
        #[command(flatten)]
        filter: VerdictsFilter,
        /// table, json or csv
        #[arg(short, long, default_value = "table")]
        output: Format,
    },
    /// Which orders the limits of a configuration would have judged otherwise for their quantity
    #[command(
        after_help = "Judged again is the quantity of each order, by the officer's limits and the policy in FILE and the tier of its moment: a changed limit can be \
tried before it is set. What the log does not say is not judged: prices, values, positions, how far a limit had opened after a calm or the model had \
bounded it, and whether an order replaced another. An order that would not be refused for its quantity may be for something else.

Example:
  portcullis verdicts replay /var/lib/portcullis/verdicts.csv --config portcullis.toml"
    )]
    Replay {
        /// Verdict log; `-` is stdin
        log: PathBuf,
        /// Configuration whose limits judge again, TOML
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Override one key of the configuration, such as policy.high.overlay_pct.max_qty=20; may be given several times
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        filter: VerdictsFilter,
        /// How many changed ones at most, the last ones, 1 to 100000
        #[arg(short = 'n', long, default_value_t = 50, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: u32,
        /// table, json or csv
        #[arg(short, long, default_value = "table")]
        output: Format,
    },
}

/// Which orders.
#[derive(Args, Debug, Default)]
pub(crate) struct VerdictsFilter {
    /// Of one strategy; a client's are those that the configuration gives it
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: Option<String>,
    /// For one account
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// In one instrument
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) symbol: Option<String>,
    /// Refused for one reason, by its slug or code; in audit mode, would have been for that and others
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// What the gate decided
    #[arg(long)]
    pub(crate) decision: Option<DecisionKind>,
    /// Not before this moment, UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<Stamp>,
    /// Before this moment, UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Stamp>,
}

/// Reads a moment.
fn moment(text: &str) -> Result<Stamp, &'static str> {
    text.parse().map_err(|_| "wanted a moment such as 2026-11-30T09:30:00Z")
}

/// What the gate decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecisionKind {
    /// The order may leave
    Accept,
    /// It may, and somebody should look
    Flag,
    /// It may not
    Reject,
    /// It left in audit mode, and would have been refused
    WouldReject,
}

impl DecisionKind {
    /// The word of the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Flag => "flag",
            Self::Reject => "reject",
            Self::WouldReject => gate::WOULD_REJECT,
        }
    }
}
