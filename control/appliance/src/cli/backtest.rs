//! `portcullis backtest` on the command line.

use super::format::symbol;
use clap::Args;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use types::Symbol;

/// Most seeds of a range: more is a slip of the keyboard.
const SEEDS_MAX: u64 = 1_000;

/// Reads `1001-1030` or `7`.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, &'static str> {
    const WANTED: &str = "wanted a seed such as 7, or a range of at most 1000 such as 1001-1030";
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else { return Err(WANTED) };
    if first <= last && last - first < SEEDS_MAX { Ok(first..=last) } else { Err(WANTED) }
}

#[derive(Args, Debug)]
#[command(
    after_help = "Simulated days go through the books, the features, the model and the tiers as in a replay. Every rule, the model's score among
them, gets the threshold at which it would have given so many alarms on the calm days, and is then asked how long before a move of
0.5 % it spoke on the days with a crash. Below, what the tiers themselves did on the same days, false alarms of all instruments included.
Calm days are needed for a threshold: 400 minutes are a trading day and a little.

Examples:
  portcullis backtest --crash 1001-1030 --calm 2001-2004 --json out/backtest.json
  portcullis backtest --crash 1001-1003 --calm 2001 --calm-minutes 30 --without FUTX
  portcullis backtest --kind all --symbol ALFA --crash 1001-1030
  portcullis backtest --kind up-crash,slow-bleed --crash 1-3 --calm 11 --calm-minutes 30"
)]
pub(crate) struct Backtest {
    /// Kinds of crisis to judge by (`scenario --list`), or all; without it, the flash crash. The harm is the move of 0.5 %, or the
    /// end of a crisis that makes none
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// The instrument that is struck and judged; the flash crash strikes FUTX
    #[arg(long, value_name = "SYMBOL", value_parser = symbol, default_value = "FUTX")]
    pub(crate) symbol: Symbol,
    /// Seeds of days with a crisis
    #[arg(long, value_name = "SEEDS", value_parser = seeds, default_value = "1001-1030")]
    pub(crate) crash: RangeInclusive<u64>,
    /// Seeds of calm days
    #[arg(long, value_name = "SEEDS", value_parser = seeds, default_value = "2001-2004")]
    pub(crate) calm: RangeInclusive<u64>,
    /// Length of each calm day, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 100, value_parser = clap::value_parser!(u64).range(5..=390))]
    pub(crate) calm_minutes: u64,
    /// Alarms of a rule per instrument and trading day of 6.5 hours that set its threshold
    #[arg(long, value_name = "ALARMS", default_value_t = 1.0, value_parser = alarms)]
    pub(crate) alarms_per_day: f64,
    /// Model directory; the shipped default without it
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Take this instrument out of the model, as if it had never seen it
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    pub(crate) without: Vec<Symbol>,
    /// Folder for the simulated day in hand; nothing of it stays
    #[arg(long, value_name = "DIR", default_value = "out/backtest")]
    pub(crate) work: PathBuf,
    /// Write the results here as well
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Reads a rate of alarms.
fn alarms(text: &str) -> Result<f64, &'static str> {
    let is_rate = |rate: &f64| *rate > 0.0 && *rate <= 1_000.0;
    text.parse().ok().filter(is_rate).ok_or("wanted a number above 0 and at most 1000")
}
