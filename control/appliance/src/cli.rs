//! The command line. Help texts are part of the product: each command's long help has an example that works.

mod backtest;
mod feeds;
mod format;
mod train;
mod verdicts;

pub(crate) use backtest::Backtest;
pub(crate) use feeds::{Feeds, FeedsCommand, Sniff, SniffFormat};
pub(crate) use format::Format;
pub(crate) use train::{DeviceKind, Train, TrainChannels, TrainFatFinger, TrainSlippage, TrainVae};
pub(crate) use verdicts::{Verdicts, VerdictsCommand, VerdictsFilter};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dataplane::eastern::Date;
use format::symbol;
use std::fmt;
use std::path::PathBuf;
use types::{FeedKind, Symbol};

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 an audit log or state that a person has to look at first. \
`portcullis COMMAND --help` has units, defaults and examples.

Examples:
  portcullis demo --headless --out out/demo
  portcullis scenario calm --minutes 1 --out out/day
  portcullis replay out/day/calm.pcap --feed itch50 --write bbo,scores --out out/replay
  portcullis run --check --config portcullis.toml";

/// Adaptive pre-trade risk: market data in, limits and verdicts out.
#[derive(Parser, Debug)]
#[command(name = "portcullis", version, propagate_version = true, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Play the flash crash live through DPDK: static limits beside adaptive ones, with a report
    Demo(Demo),
    /// Run the daemon: live feeds, the gate's limits, the control socket
    Run(Run),
    /// Make the daemon's state directory, once: empty latches and limits, the audit log and its key
    Init(Init),
    /// Carry a firm's orders to a venue, each through the gate of the running appliance
    Gateway(Gateway),
    /// Replay captures through the whole line, deterministically
    Replay(Replay),
    /// Simulate a market and write pcap, orders.csv and truth.csv
    Scenario(Scenario),
    /// Judge a model on simulated days, beside simple rules at the same rate of false alarms
    Backtest(Backtest),
    /// Train a model
    #[command(
        subcommand,
        after_help = "Example:\n  portcullis train vae --features out/calm1/features.parquet --out out/model"
    )]
    Train(Train),
    /// Read latency histograms
    #[command(
        after_help = "Examples:\n  portcullis hist show out/latency.hlog\n  portcullis hist diff before.hlog after.hlog"
    )]
    Hist(Hist),
    /// Read the verdict log
    #[command(
        after_help = "Examples:\n  portcullis verdicts show verdicts.csv --decision reject --last 20\n  portcullis verdicts stats verdicts.csv"
    )]
    Verdicts(Verdicts),
    /// List the feeds there are, or explain one
    Feeds(Feeds),
    /// Print the messages in a capture, one line each
    Sniff(Sniff),
}

/// Reads the name of a feed; the help lists all feeds there are.
fn feed_kind() -> impl TypedValueParser<Value = FeedKind> {
    let feeds = FeedKind::ALL.iter().map(|kind| PossibleValue::new(kind.as_str()).help(kind.summary()));
    PossibleValuesParser::new(feeds).try_map(|name| name.parse())
}

/// Reads how many times faster time goes.
fn speed(text: &str) -> Result<f64, &'static str> {
    let is_speed = |speed: &f64| *speed > 0.0 && speed.is_finite();
    text.parse().ok().filter(is_speed).ok_or("wanted a number above 0")
}

/// Arguments that can each be understood and make no sense together.
#[derive(Debug)]
pub(crate) struct WrongUsage(pub(crate) String);

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// Reads a day.
fn day(text: &str) -> Result<Date, &'static str> {
    Date::parse(text).ok_or("wanted a day such as 2019-12-30")
}

/// What brings the packets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceKind {
    /// Plain file reading
    File,
    /// DPDK's net_pcap driver
    Dpdk,
}

/// A table that `replay` can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    /// bbo.csv: a row whenever the best bid or offer changes
    Bbo,
    /// depth.csv: a row per book-changing message
    Depth,
    /// features.parquet: a row per instrument and grid point
    Features,
    /// scores.csv: every score
    Scores,
    /// limits.csv: every published change of limits
    Limits,
    /// fat_finger.csv: largest order by price distance (policy.fat_finger), whenever one changes
    #[value(alias = "surface")]
    FatFinger,
    /// verdicts.csv: what the gate said to each order
    Verdicts,
    /// slippage.parquet: what orders of eight sizes would have paid beyond the best price, to train the slippage network
    #[value(alias = "costs")]
    Slippage,
}

impl Table {
    /// The file that it is.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Bbo => "bbo.csv",
            Self::Depth => "depth.csv",
            Self::Features => "features.parquet",
            Self::Scores => "scores.csv",
            Self::Limits => "limits.csv",
            Self::FatFinger => "fat_finger.csv",
            Self::Verdicts => "verdicts.csv",
            Self::Slippage => "slippage.parquet",
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  portcullis demo                        the crash at its own pace (2.5 minutes)
  portcullis demo --speed 10             ten times faster
  portcullis demo --headless --out out   no pauses on the way, report in out/report.html")]
pub(crate) struct Demo {
    /// How many times faster than the market's own clock
    #[arg(long, default_value_t = 1.0, value_name = "TIMES", value_parser = speed)]
    pub(crate) speed: f64,
    /// As fast as the machine goes, timeline on stdout only
    #[arg(long)]
    pub(crate) headless: bool,
    /// Where the report and the files go
    #[arg(long, default_value = "out/demo", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Model to score with [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Seed of the simulated market, a whole number; another one is another market [default: 3]
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The configuration is read once, at start: SIGHUP changes nothing, SIGTERM and SIGINT stop in order. Times in it are in the unit \
that ends their key (lease_ms, wait_us, period_s), sizes of memory in MiB, limits in shares, currency, basis points and ticks.

Exit codes: 0 stopped, 1 failed, 2 wrong usage or configuration, 3 an audit log or state that a person has to look at first.

Examples:
  portcullis run --print-default-config > portcullis.toml
  portcullis run --check --config portcullis.toml
  portcullis run --config /etc/portcullis/portcullis.toml --set placement.receiver_cpu=4"
)]
pub(crate) struct Run {
    /// Configuration file, TOML; --print-default-config shows every key with unit and default [default: built-in values]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Override one key of the configuration, such as scorer.lease_ms=500; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print the built-in configuration, which is also its manual, and exit
    #[arg(long)]
    pub(crate) print_default_config: bool,
    /// Try all that a start tries (configuration, state, socket, CPUs, memory, feed), print where everything goes, and exit
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "For a state directory that was never used; a start that finds it empty, or a part of it missing, comes up halted.
Run it as the daemon's user.

Examples:
  portcullis init --config portcullis.toml
  sudo -u portcullis portcullis init --config /etc/portcullis/portcullis.toml"
)]
pub(crate) struct Init {
    /// Configuration file, whose instance.state_dir is made ready [default: built-in values, /var/lib/portcullis]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Override one key of the configuration, such as instance.state_dir=state; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Args, Debug)]
#[command(
    after_help = "One process and one thread for each gateway. The daemon runs before it, under a user that the gateway's [client.NAME] names. \
SIGTERM and SIGINT stop in order: no order passes any more, open ones are cancelled where on_disconnect says so, both sides are \
left. SIGUSR1 prints the counters.

Exit codes: 0 stopped, 1 failed, 2 wrong usage or configuration.

Examples:
  portcullis gateway --config portcullis.toml --check nasdaq-1
  portcullis gateway --config portcullis.toml nasdaq-1"
)]
pub(crate) struct Gateway {
    /// Which one, by its name in the configuration
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Configuration file of the daemon, which declares gateways [default: built-in values]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Override one key of the configuration, such as gateway.0.cpu=4; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print what it would do, try the port, the appliance and the venue, and exit
    #[arg(long)]
    pub(crate) check: bool,
    /// Print the counters every so many seconds; 0 for SIGUSR1 alone
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) counters_s: u64,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Prices in tables are decimals in currency, quantities whole shares, times (*_ns) nanoseconds since 1970 in UTC. Columns of \
orders.csv: ts_ns,cl_ord_id,account,strategy,symbol,side,qty,px,type,tif.

Examples:
  portcullis scenario flash-crash --out out
  portcullis replay out/flash-crash.pcap --feed itch50 --orders out/orders.csv \\
      --write verdicts,limits --out out/replay
  portcullis replay day.pcap.gz --feed deep --write bbo,features --out out
  zcat day.itch.gz | portcullis replay - --feed itch50 --out out"
)]
pub(crate) struct Replay {
    /// Captures (pcap, pcapng) or length-prefixed files, also .gz and .zst; `-` is stdin
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Protocol of the input; an input of another one is an error
    #[arg(long, value_parser = feed_kind())]
    pub(crate) feed: FeedKind,
    /// How packets are read
    #[arg(long, default_value = "file")]
    pub(crate) source: SourceKind,
    /// Orders to put through the gate, columns below [default: none]
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) orders: Option<PathBuf>,
    /// Write rows of these symbols only [default: all]
    #[arg(long, value_delimiter = ',', value_name = "A,B", value_parser = symbol)]
    pub(crate) symbols: Vec<Symbol>,
    /// Model directory; scorer.model_dir is the daemon's alone [default: the shipped model]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// The officer's limits alone: no model
    #[arg(long = "static", conflicts_with = "model")]
    pub(crate) static_limits: bool,
    /// Configuration file of the daemon: its tables limits, policy, gate and book, scorer.backend and the feed's
    /// tick_table count [default: built-in values]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Tables to write beside summary.json and latency.hlog, comma between them [default: none]
    #[arg(long, value_delimiter = ',', value_name = "TABLES")]
    pub(crate) write: Vec<Table>,
    /// Levels per side in depth.csv, 1 to 100
    #[arg(long, default_value_t = 5, value_name = "LEVELS", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) depth: u16,
    /// Time from the grid point to the enforced limit that the replay charges, in microseconds, so that no backtest looks ahead
    #[arg(long, default_value_t = 1_000, value_name = "MICROSECONDS")]
    pub(crate) score_latency_us: u64,
    /// Run each stage on a thread of its own, as the daemon does; the outputs are the same
    #[arg(long)]
    pub(crate) pinned: bool,
    /// Accept ITCH files whose length prefixes are zero, taking each length from the message type
    #[arg(long)]
    pub(crate) lenient_framing: bool,
    /// Day in New York of raw ITCH files, which carry none [default: 1970-01-01; of captures, that of their stamps]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) date: Option<Date>,
    /// Fail when an input ends within a record, instead of warning
    #[arg(long)]
    pub(crate) strict: bool,
    /// Directory for the outputs; made if need be
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  portcullis scenario --list
  portcullis scenario flash-crash --out out/crash
  portcullis scenario calm --seed 7 --minutes 30 --out out/calm7
  portcullis scenario up-crash --symbol ALFA --size 150 --at 10:15:00 --out out/up")]
pub(crate) struct Scenario {
    /// Scenario to simulate
    #[arg(required_unless_present = "list", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// List the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// Directory for pcap, orders.csv and truth.csv
    #[arg(long, required_unless_present = "list", value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed, a whole number; the same seed gives the same bytes [default: the scenario's own]
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,
    /// Length in market minutes, where the scenario leaves it open (calm [default: 10], flash-crash [default: 2.5])
    #[arg(long, value_name = "MINUTES")]
    pub(crate) minutes: Option<u64>,
    /// Number of instruments, at most 64, where the scenario leaves it open [default: calm 9, open 6, feed-gap 4]
    #[arg(long, value_name = "INSTRUMENTS")]
    pub(crate) instruments: Option<u64>,
    /// Which instrument a crisis strikes: FUTX, ALFA, ..., THIN, SIM09 to SIM63 [default: FUTX, of a contagion ALFA]
    #[arg(long, value_name = "SYMBOL", value_parser = format::symbol)]
    pub(crate) symbol: Option<Symbol>,
    /// How large a crisis is, in per cent of the usual, 1 to 1000 [default: 100]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) size: Option<u64>,
    /// When a crisis begins, HH:MM:SS of the day, New York [default: 13:00:00]
    #[arg(long, value_name = "TIME", value_parser = format::time_of_day)]
    pub(crate) at: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Hist {
    #[command(subcommand)]
    pub(crate) command: HistCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum HistCommand {
    /// Count, mean and percentiles per hop, in nanoseconds
    #[command(
        after_help = "A percentile with fewer than ten measurements beyond it has an asterisk. The receiver measures one poll in 16.

Examples:
  portcullis hist show out/latency.hlog
  zcat latency.hlog.gz | portcullis hist show - -o csv"
    )]
    Show {
        /// Interval log, also .gz; `-` is stdin
        file: PathBuf,
        /// table, json or csv
        #[arg(short, long, default_value = "table")]
        output: Format,
    },
    /// Add logs up: one interval per hop
    #[command(after_help = "Example:\n  portcullis hist merge monday.hlog tuesday.hlog.gz --out week.hlog")]
    Merge {
        /// Interval logs, also .gz; `-` is stdin
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The log to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// What became of each hop from one log to another
    #[command(after_help = "Example:\n  portcullis hist diff before.hlog after.hlog")]
    Diff {
        /// Interval log, also .gz; `-` is stdin
        before: PathBuf,
        /// The log to compare with it
        after: PathBuf,
        /// table, json or csv
        #[arg(short, long, default_value = "table")]
        output: Format,
    },
    /// Percentile text (.hgrm) per hop and one SVG
    #[command(after_help = "Example:\n  portcullis hist plot out/latency.hlog --out out/plots")]
    Plot {
        /// Interval log, also .gz; `-` is stdin
        file: PathBuf,
        /// Directory for the .hgrm files and latency.svg
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}
