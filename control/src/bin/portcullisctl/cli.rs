//! The command line. Help texts are part of the product: every command shows an example that works.

use crate::arguments::{Confirmed, Why, wanted};
use crate::cli_ops::{Alerts, Completions, Events, Lists, Man, Proposals};
use clap::{Args, Parser, Subcommand, ValueEnum};
use control::limits::LimitKey;
use control::names::{Name, Scope, SymbolName};
use control::protocol::{LimitChange, OrderSide, Price, Tif};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an audit log that holds but is not proven, 4 refused by role or policy, 5 no \
appliance there or no answer in time, 6 another version, 7 it waits for a second person. With -o json an error is JSON on stdout, too.

Scopes: firm, desk:NAME, account:NAME, strategy:NAME, trader:NAME, instrument:SYMBOL. Times are UTC.

Examples:
  export PORTCULLIS_SOCKET=/run/portcullis/control.sock
  portcullisctl status
  portcullisctl halt --reason \"runaway algo on desk 3\"
  portcullisctl limits show ZVZZT
  portcullisctl breaker trip instrument:ZVZZT --reason \"news pending\"";

/// See and move the limits, breakers and tiers of a running Portcullis
#[derive(Parser, Debug)]
#[command(name = "portcullisctl", version, propagate_version = true, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Control socket of the appliance [default: $PORTCULLIS_SOCKET, else /run/portcullis/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// How long to wait for an answer, in seconds, 1 to 3600. Nothing is loosened after it, even if the answer would come later
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
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
    /// How the appliance is: alarms first, whether orders can pass, breakers, tiers, feeds
    #[command(after_help = "Examples:
  portcullisctl status
  portcullisctl status --watch
  portcullisctl status -o json | jq .status.alarms")]
    Status {
        /// Show it again every second, until interrupted
        #[arg(long)]
        watch: bool,
    },
    /// What happened: trips, tiers, gaps, dead lines, lost records, refusals, what people did
    #[command(
        after_help = "Severities are info, notice, warning and critical. What is too much of a kind within a second is one event that counts the \
rest.

Examples:
  portcullisctl events
  portcullisctl events --level warning -n 100 -o csv > events.csv
  portcullisctl events --follow -o json"
    )]
    Events(Events),
    /// What is the matter: list, take note of, silence
    #[command(
        subcommand,
        after_help = "Examples:\n  portcullisctl alerts list\n  portcullisctl alerts ack 3 4 --reason \"line B: the switch is being replaced\""
    )]
    Alerts(Alerts),
    /// Changes that take two people: list, approve, withdraw
    #[command(
        subcommand,
        after_help = "Examples:\n  portcullisctl proposals list\n  portcullisctl proposals approve 7 --reason \"called the desk: positions are flat\""
    )]
    Proposals(Proposals),
    /// Show and set limits
    #[command(
        subcommand,
        after_help = "Examples:\n  portcullisctl limits show ZVZZT\n  portcullisctl limits set ZVZZT max_qty=200 --reason \"results at 10:00\""
    )]
    Limits(Limits),
    /// Read lists anew that the configuration names
    #[command(
        subcommand,
        after_help = "Example:\n  portcullisctl lists reload --reason \"insider list 7\" --dry-run"
    )]
    Lists(Lists),
    /// List, trip and reset breakers
    #[command(
        subcommand,
        after_help = "Examples:\n  portcullisctl breaker list\n  portcullisctl breaker trip strategy:mm1 --reason \"orders repeat\""
    )]
    Breaker(Breaker),
    /// Refuse every order of the firm, at once and without asking, and have gateways cancel what is open
    #[command(
        after_help = "Examples:\n  portcullisctl halt\n  portcullisctl halt --reason \"fat finger on desk 3\" --ticket INC-71"
    )]
    Halt(Halt),
    /// End a halt; tripped breakers stay tripped
    #[command(after_help = "Example:\n  portcullisctl resume --reason \"algo 7 stopped, positions checked\"")]
    Resume(Confirmed),
    /// Show how alarmed the model is, and end a Critical
    #[command(
        subcommand,
        after_help = "Examples:\n  portcullisctl tier show\n  portcullisctl tier reset ZVZZT --reason \"halt was news, market is back\""
    )]
    Tier(Tier),
    /// Ask the gate
    #[command(
        subcommand,
        after_help = "Example:\n  portcullisctl gate explain --symbol ZVZZT --side buy --qty 200 --px 100.05 \\\n      --strategy mm1 --account ACME"
    )]
    Gate(Gate),
    /// What order processes hold and have working, as the appliance follows them; `set` ends a doubt
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Quantities are in shares, lots or contracts. WORST LONG is the position with every working buy filled and no sell, WORST SHORT \
the other way round. A position is in doubt where the books of gate and venue may differ: only orders that reduce it pass until it is \
set. The account stands where the client has one alone; with several, a strategy's position is not kept by account.

Examples:
  portcullisctl positions
  portcullisctl positions --client mm1 --symbol ZVZZT -o json
  portcullisctl positions set mm1 mm1 ACME ZVZZT 1200 --reason \"as the venue's statement of 16:00\""
    )]
    Positions(Positions),
    /// Open orders of order processes, as the appliance follows them
    #[command(
        after_help = "LEAVES is what can still trade, in shares, lots or contracts; PX the price that the order was judged at, in currency; REPLACEMENT the \
id of one that the venue has not answered. SINCE is empty where the books begin after it.

Examples:
  portcullisctl orders
  portcullisctl orders --strategy mm1 -o csv > open.csv"
    )]
    Orders(Filter),
    /// How order processes are connected, and what became of their orders since the appliance's start
    #[command(
        after_help = "States: attached; away; orphaned, which runs attached to an appliance that is gone, and has to attach again; unreadable, whose books \
cannot be read. RING is how many records wait of how many there is room for. LOST and DAMAGED records leave positions in doubt.

Examples:
  portcullisctl sessions
  portcullisctl sessions --client mm1 -o json"
    )]
    Sessions {
        /// One client [default: all]
        #[arg(long, value_parser = wanted::<Name>)]
        client: Option<Name>,
    },
    /// Read and prove the audit log
    #[command(
        subcommand,
        after_help = "Examples:\n  portcullisctl audit tail -n 50\n  portcullisctl audit verify --dir /var/lib/portcullis/audit"
    )]
    Audit(Audit),
    /// What a shell completes this program's commands by
    #[command(
        after_help = "Example:\n  portcullisctl completions bash > /etc/bash_completion.d/portcullisctl"
    )]
    Completions(Completions),
    /// Manual pages, one a command
    #[command(after_help = "Example:\n  portcullisctl man --out /usr/local/share/man/man1")]
    Man(Man),
}

#[derive(Args, Debug)]
pub(crate) struct Positions {
    #[command(subcommand)]
    pub(crate) change: Option<PositionChange>,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PositionChange {
    /// Set what a strategy holds, as the venue says, in the books of a client that is not attached
    #[command(
        after_help = "Ends the doubt about this position. A client that is attached sets its positions itself (OrderThread::set_position, \
portcullis_gate_set_position); else end its process first. Working orders stay as they are. Shares are signed: -300 is short.

Example:
  portcullisctl positions set mm1 mm1 ACME ZVZZT -300 --reason \"the venue's statement of 16:00\""
    )]
    Set {
        /// Client whose books it stands in
        #[arg(value_parser = wanted::<Name>)]
        client: Name,
        /// Strategy that holds it
        #[arg(value_parser = wanted::<Name>)]
        strategy: Name,
        /// Account that has more or less by it
        #[arg(value_parser = wanted::<Name>)]
        account: Name,
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: SymbolName,
        /// What it holds, in shares, lots or contracts; negative is short
        #[arg(allow_negative_numbers = true)]
        position: i64,
        #[command(flatten)]
        why: Why,
    },
}

/// What to show.
#[derive(Args, Debug)]
pub(crate) struct Filter {
    /// One client's
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) client: Option<Name>,
    /// One strategy's
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) strategy: Option<Name>,
    /// One account's, and what may be in it where that is not known
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) account: Option<Name>,
    /// In one instrument
    #[arg(long, value_parser = wanted::<SymbolName>)]
    pub(crate) symbol: Option<SymbolName>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Limits {
    /// Limits of one instrument or all: the approved envelope beside what the gate enforces now
    #[command(
        after_help = "With --scope: what a strategy, an account, a desk, a trader or the firm may hold over all instruments, lose within \
a day and do within the window, each level with those above it, and which is the lowest of each limit. All of them hold; a level above \
counts what others hold, too, so that it may be the one that refuses: `gate explain` says it of an order. QUOTAS is of a limit that \
several clients share: what each uses of what it may.

Examples:\n  portcullisctl limits show\n  portcullisctl limits show ZVZZT -o csv > limits.csv
  portcullisctl limits show --scope strategy:mm1 --scope account:house
  portcullisctl limits show --scope firm

Units: quantities and positions in shares, max_notional in currency, collar_bps in basis points (100 are 1 percent), \
passive_min_ticks in ticks, order_rate_per_s in orders a second"
    )]
    Show {
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: Option<SymbolName>,
        /// A level of the firm instead: `firm`, `desk:NAME`, `account:NAME`, `strategy:NAME` or `trader:NAME`; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "symbol", value_parser = wanted::<Scope>)]
        scopes: Vec<Scope>,
    },
    /// Set base limits of one instrument, all of them or none
    #[command(
        after_help = "A limit is loosened up to the cap, never past it. An instrument may be named before the feed does.

Keys and units:
  max_qty            largest order, shares
  max_notional       largest value of an order, currency, up to six decimals
  collar_bps         farthest price from the reference, basis points
  passive_min_ticks  fewest ticks from the opposite best price (larger is tighter)
  max_pos_long, max_pos_short   largest position with every working order filled, shares
  order_rate_per_s   orders a second, sustained; order_burst: at once on top
  margin_bps         margin multiplier, 10000 is once (larger is tighter): of what is held, against the credit of
                     who holds it; shown where somebody has a credit

Examples:
  portcullisctl limits set ZVZZT max_qty=100 --reason \"thin book before the close\"
  portcullisctl limits set ZVZZT max_qty=400 --reason \"back to normal\" --ticket CHG-1042 --dry-run"
    )]
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
    /// Breakers that are tripped, and the halt; all others are armed
    #[command(after_help = "Examples:
  portcullisctl breaker list
  portcullisctl breaker list -o csv > tripped.csv")]
    List,
    /// Trip a breaker: no order in its scope passes
    #[command(
        after_help = "Scopes: firm, desk:NAME, account:NAME, strategy:NAME, trader:NAME, instrument:SYMBOL. Desks, traders, accounts and strategies are those of \
the configuration; an instrument may be named before the feed does, and is tripped from when it comes.

Examples:
  portcullisctl breaker trip strategy:mm1 --reason \"quotes far off the market\"
  portcullisctl breaker trip account:ACME --reduce-only --reason \"margin call\""
    )]
    Trip {
        /// What it covers
        #[arg(value_parser = wanted::<Scope>)]
        scope: Scope,
        /// Let orders pass that only reduce a position
        #[arg(long)]
        reduce_only: bool,
        /// Seconds to wait until no order is open in it. It holds at once, whatever is waited for
        #[arg(long, value_name = "SECONDS", default_value_t = 2)]
        wait_s: u16,
        #[command(flatten)]
        why: Why,
    },
    /// Arm a breaker again that a person tripped
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
    #[command(
        after_help = "Scores run from 0 (calm) to 1 (as unusual as it gets); without one the tier is unknown. Drivers are the three features that \
stood out most when the tier last changed, each with its value and unit.

Examples:
  portcullisctl tier show
  portcullisctl tier show ZVZZT -o json"
    )]
    Show {
        /// Instrument
        #[arg(value_parser = wanted::<SymbolName>)]
        symbol: Option<SymbolName>,
    },
    /// Take an instrument down a tier, and arm the breaker again that the model tripped
    #[command(
        after_help = "Critical is left by this alone. High and Elevated are left by calm scores too: this is for a scorer that is dead or wrong. What the \
model tightened is taken back at once; a scorer that lives goes on one tier below, and may tighten again.

Example:\n  portcullisctl tier reset ZVZZT --reason \"iceberg done, spread back to one tick\""
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
  portcullisctl gate explain --symbol ZVZZT --side buy --qty 200 --px 100.05 \\
      --strategy mm1 --account ACME
  portcullisctl gate explain --symbol ZVZZT --side sell --qty 200 --strategy mm1 --account ACME")]
    Explain(Order),
    /// Every reject code: number, name, sentence, what makes it fail closed
    #[command(after_help = "Examples:
  portcullisctl gate codes
  portcullisctl gate codes -o csv > codes.csv")]
    Codes,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Audit {
    /// The last records
    #[command(after_help = "Examples:\n  portcullisctl audit tail -n 50\n  portcullisctl audit tail -o json")]
    Tail {
        /// How many records, 1 to 1000
        #[arg(short = 'n', long, default_value_t = 10, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
    },
    /// Prove the chain; with --dir, of a directory, without the appliance
    #[command(
        after_help = "Proven is what the key shows: each record was written by its holder, none was changed, moved or taken out. That \
none was cut off the end, or written anew with the key, show heads noted elsewhere: the anchor file of the configuration \
(audit.anchor_file), or one head from `portcullisctl status`. Exit code 1: broken; 3: it holds, but no key was given, \
or the appliance's anchor file is missing.

Examples:
  portcullisctl audit verify
  portcullisctl audit verify --dir /var/lib/portcullis/audit --anchors /mnt/worm/anchors
  portcullisctl audit verify --dir copy/audit --key audit.key --head 4f1c…"
    )]
    Verify(Verify),
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Directory of the segments
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The oldest segments are kept elsewhere
    #[arg(long, requires = "dir")]
    pub(crate) partial: bool,
    /// Hash of a record noted earlier, which the chain must hold
    #[arg(long, requires = "dir", value_name = "HASH")]
    pub(crate) head: Option<String>,
    /// Key the records were sealed with [default: audit.key beside DIR, when it can be read]
    #[arg(long, requires = "dir", value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Anchor file, whose heads the chain must hold
    #[arg(long, requires = "dir", value_name = "FILE")]
    pub(crate) anchors: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Halt {
    /// Why; goes into the audit log. May be empty or left out: a halt does not wait for words
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// Number of the incident
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) ticket: String,
    /// Seconds to wait until no order is open. The halt holds at once, whatever is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub(crate) wait_s: u16,
}

#[derive(Args, Debug)]
pub(crate) struct Order {
    /// Instrument
    #[arg(long, value_parser = wanted::<SymbolName>)]
    pub(crate) symbol: SymbolName,
    /// buy or sell
    #[arg(long, value_parser = side)]
    pub(crate) side: OrderSide,
    /// Quantity, shares
    #[arg(long, value_name = "SHARES")]
    pub(crate) qty: u32,
    /// Limit price, currency, exact decimals [default: none, a market order]
    #[arg(long, value_name = "PRICE", value_parser = wanted::<Price>)]
    pub(crate) px: Option<Price>,
    /// Strategy, one that the configuration declares
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) strategy: Name,
    /// Account, one that the configuration declares
    #[arg(long, value_parser = wanted::<Name>)]
    pub(crate) account: Name,
    /// day, ioc or gtc
    #[arg(long, default_value = "day", value_parser = tif)]
    pub(crate) tif: Tif,
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
