//! The command line of events, alerts and proposals, and of what shells and manuals are made of.

use crate::arguments::{Confirmed, Why, wanted};
use clap::{Args, Subcommand};
use clap_complete::Shell;
use control::protocol::{EventKind, Reason, Severity, Ticket};
use std::path::PathBuf;

/// What happened.
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// How many of the newest, 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
    /// Go on as they happen, until interrupted; JSON is a line an event then
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only from this severity on: info, notice, warning or critical
    #[arg(long, value_name = "SEVERITY", default_value = "info", value_parser = severity)]
    pub(crate) level: Severity,
    /// Only of this kind, such as halt, breaker, tier, feed, line, book or client
    #[arg(long, value_parser = wanted::<EventKind>)]
    pub(crate) kind: Option<EventKind>,
}

fn severity(text: &str) -> Result<Severity, &'static str> {
    [Severity::Info, Severity::Notice, Severity::Warning, Severity::Critical]
        .into_iter()
        .find(|severity| severity.as_str() == text)
        .ok_or("wanted info, notice, warning or critical")
}

#[derive(Subcommand, Debug)]
pub(crate) enum Alerts {
    /// What is the matter, and what was until somebody has taken note; the worst first
    #[command(
        after_help = "An alert that lasts stays until it is over; one that tells of a loss, or is over, until it is acknowledged.

Examples:
  portcullisctl alerts list
  portcullisctl alerts list -o json"
    )]
    List,
    /// Take note of alerts
    #[command(after_help = "What gets worse, or comes again, is to be acknowledged anew.

Examples:
  portcullisctl alerts ack 3 4 --reason \"line B: the switch is being replaced\"
  portcullisctl alerts ack --all --reason \"handover to London\"")]
    Ack {
        /// Numbers of alerts
        #[arg(value_name = "ALERT", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<u64>,
        /// All that there are now
        #[arg(long)]
        all: bool,
        /// What is to be said of them; goes into the audit log
        #[arg(long, value_name = "TEXT", value_parser = wanted::<Reason>)]
        reason: Option<Reason>,
        /// Number of the incident
        #[arg(long, value_name = "ID", value_parser = wanted::<Ticket>)]
        ticket: Option<Ticket>,
    },
    /// Have nobody paged of a kind of event for a time
    #[command(
        after_help = "Events that are silenced are kept, listed and shown all the same, and not posted to the webhook.

Examples:
  portcullisctl alerts silence line --scope line:xnas/0/B --minutes 45 --reason \"switch replaced\"
  portcullisctl alerts silence line --minutes 0 --reason \"it is back\""
    )]
    Silence {
        /// Kind of event
        #[arg(value_parser = wanted::<EventKind>)]
        kind: EventKind,
        /// One scope, as `alerts list` has it [default: any]
        #[arg(long)]
        scope: Option<String>,
        /// For how long, 0 to 1440; 0 ends it
        #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=1440))]
        minutes: u32,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Lists {
    /// Read the restricted list and the locates anew from restricted.file and locates.file, whole or not at all
    #[command(
        after_help = "The appliance reads the files, as its own user. Restrictions that come and locates that are lowered are in force at once; what lets \
more pass waits for the audit log, and for a second person where [four_eyes] says so. Anything wrong in a file changes nothing. A start \
takes the files as they stand.

Examples:
  portcullisctl lists reload --reason \"insider list 7\" --dry-run
  portcullisctl lists reload --reason \"research of Monday is out\" --ticket CHG-1043
  portcullisctl lists reload --reason \"locates of Tuesday\""
    )]
    Reload {
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Proposals {
    /// Changes that wait for a second person, oldest first
    #[command(after_help = "Examples:
  portcullisctl proposals list
  portcullisctl proposals list -o csv > waiting.csv")]
    List,
    /// Do what somebody else has proposed
    #[command(
        after_help = "Takes another person than the one who proposed it, with the role that the change takes. What has changed since it was proposed \
is not done.

Example:
  portcullisctl proposals approve 7 --reason \"called the desk: positions are flat\""
    )]
    Approve {
        /// Number of the proposal
        id: u64,
        #[command(flatten)]
        confirmed: Confirmed,
    },
    /// Take a proposal away, one's own or another's
    #[command(after_help = "Example:
  portcullisctl proposals withdraw 7 --reason \"the incident goes on\"")]
    Withdraw {
        /// Number of the proposal
        id: u64,
        #[command(flatten)]
        why: Why,
    },
}

/// What a shell completes by.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// bash, zsh, fish, elvish or powershell
    pub(crate) shell: Shell,
}

/// Manual pages.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Folder that they are written into
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
