//! The arguments of `feeds` and `sniff`.

use super::feed_kind;
use clap::{Args, Subcommand, ValueEnum};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use types::FeedKind;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  portcullis feeds list\n  portcullis feeds explain mdp3")]
pub(crate) struct Feeds {
    #[command(subcommand)]
    pub(crate) command: FeedsCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum FeedsCommand {
    /// Every feed, one line each
    #[command(after_help = "Examples:\n  portcullis feeds list")]
    List,
    /// One feed: what carries it, and every message type it has
    #[command(after_help = "Examples:\n  portcullis feeds explain mdp3\n  portcullis feeds explain dbn")]
    Explain {
        /// Which one
        #[arg(value_name = "NAME", value_parser = feed_kind())]
        feed: FeedKind,
    },
}

/// How `sniff` prints a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SniffFormat {
    /// For people
    Text,
    /// An object a line, for programs: ts_ns, feed, group, seq, type, fields
    Json,
}

#[derive(Args, Debug)]
#[command(
    after_help = "A line has the time of capture (UTC), the feed, the group, the sequence number and the message. Every packet is printed, on both \
lines of a feed and however often it was captured. Where no --feed is given, each packet is read as the first feed whose transport it follows.

Examples:
  portcullis sniff day.pcap.gz
  portcullis sniff cme.pcap --feed mdp3 --type IncrementalRefreshBook32 --seq 17347815..17347900
  portcullis sniff day.pcap --symbol VOO -o json | head"
)]
pub(crate) struct Sniff {
    /// Captures (pcap, pcapng) or length-prefixed files, also .gz and .zst; `-` is stdin
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Packets of this feed only [default: all]
    #[arg(long, value_parser = feed_kind())]
    pub(crate) feed: Option<FeedKind>,
    /// Messages of this type only, by its name in `feeds explain`
    #[arg(long = "type", value_name = "NAME")]
    pub(crate) message_type: Option<String>,
    /// Messages that name this symbol or security number only
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) symbol: Option<String>,
    /// Messages with these sequence numbers only: a number, or two with two dots between them, either of which may be left out
    #[arg(long, value_name = "FIRST..LAST", value_parser = numbers)]
    pub(crate) seq: Option<RangeInclusive<u64>>,
    /// Fail (exit code 1) when an input ends within a record
    #[arg(long)]
    pub(crate) strict: bool,
    /// How messages are printed
    #[arg(short = 'o', long = "output", default_value = "text")]
    pub(crate) output: SniffFormat,
}

/// Reads one sequence number, or a range of them.
fn numbers(text: &str) -> Result<RangeInclusive<u64>, &'static str> {
    let number = |text: &str, other| if text.is_empty() { Ok(other) } else { text.parse::<u64>() };
    let read = match text.split_once("..") {
        None => text.parse().map(|one| one..=one),
        Some((first, last)) => {
            number(first, 0).and_then(|first| number(last, u64::MAX).map(|last| first..=last))
        }
    };
    read.ok().filter(|range| !range.is_empty()).ok_or("wanted numbers such as 5, 5..9, 5.. or ..9")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_open_where_nothing_is_said() {
        for (text, wanted) in
            [("5", Some(5..=5)), ("5..9", Some(5..=9)), ("5..", Some(5..=u64::MAX)), ("..9", Some(0..=9))]
        {
            assert_eq!(numbers(text).ok(), wanted);
        }
        for bad in ["", "x", "9..5", "-1", "1...2"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
    }
}
