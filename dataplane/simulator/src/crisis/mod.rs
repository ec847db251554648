//! Kinds of crisis: what can befall one instrument, of any size, at any time. A kind is a file and a row of [`KINDS`].
//!
//! The struck instrument is the first of its markets; what is planted says the kind, everything else comes out of the agents.

mod contagion;
mod iceberg;
mod kind;
mod pause;
mod slow_bleed;
mod stuffing;
mod withdrawal;

use types::Symbol;

use self::kind::{Blow, Kind};
use crate::error::{Result, SimulatorError};
use crate::market::{Cast, Profile, SECOND};
use crate::options::{Options, ScenarioInfo, chosen, fixed};
use crate::simulation::{Planted, Setup};

/// Seconds of calm before a crisis, in which the windows of a reader fill.
const BEFORE_S: u64 = 90;

/// Markets of a crisis: the struck one, and some that have to do with it or not.
const MARKETS: usize = 4;

/// Sizes, in per cent of the usual one.
const SIZE_PERCENT_MAX: u64 = 1_000;

/// All kinds, in the order of `--list`.
static KINDS: [Kind; 7] = [
    iceberg::DOWN_CRASH,
    iceberg::UP_CRASH,
    slow_bleed::SLOW_BLEED,
    withdrawal::WITHDRAWAL,
    stuffing::STUFFING,
    pause::HALT_REOPEN,
    contagion::CONTAGION,
];

/// What is listed of each kind.
pub(crate) fn infos() -> impl Iterator<Item = &'static ScenarioInfo> {
    KINDS.iter().map(|kind| &kind.info)
}

/// The kind called `name`, ready; none when there is no such kind.
///
/// # Errors
/// An option that is out of bounds or fixed by the kind, a symbol that no instrument has.
pub(crate) fn prepare(name: &str, options: &Options) -> Result<Option<Setup>> {
    let Some(kind) = KINDS.iter().find(|kind| kind.info.name == name) else { return Ok(None) };
    let info = &kind.info;
    fixed(info, "--minutes", options.minutes, 0)?;
    fixed(info, "--instruments", options.instruments, 0)?;
    let size_percent = chosen(info, "--size", options.size_percent, 100, SIZE_PERCENT_MAX)?;
    let at_s = options.at_s.unwrap_or(kind.at_s);
    let (first, last) = (BEFORE_S + 60, 86_400 - info.length_s);
    if !(first..=last).contains(&at_s) {
        let option = "--at, in seconds since midnight,";
        return Err(SimulatorError::OptionOutOfRange {
            scenario: info.name,
            option,
            found: at_s,
            min: first,
            max: last,
        });
    }
    let markets = markets(kind, options.symbol)?;
    let symbol = markets[0].0.symbol;
    let from_ns = at_s * SECOND;
    let until_ns = from_ns + kind.lasts_s * SECOND;
    let start_ns = from_ns - BEFORE_S * SECOND;
    let mut setup = Setup {
        name: info.name,
        seed: options.seed.unwrap_or(1),
        start_ns,
        end_ns: start_ns + info.length_s * SECOND,
        market_open_ns: None,
        orders_until_ns: None,
        markets,
        losses: Vec::new(),
        planted: Some(Planted { kind: info.name, symbol, from_ns, until_ns, size_percent }),
        contagion: None,
    };
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand per cent")]
    let size = size_percent as f64 / 100.0;
    (kind.plant)(&mut setup, &Blow { from_ns, until_ns, size });
    setup.hire_firm();
    Ok(Some(setup))
}

/// The struck instrument, and the first others of the venue.
fn markets(kind: &Kind, asked: Option<Symbol>) -> Result<Vec<(Profile, Cast)>> {
    let roster = Profile::roster(ROSTER);
    let is_struck = |profile: &Profile| match asked {
        Some(symbol) => profile.symbol == symbol,
        None => profile.symbol.as_str() == kind.symbol,
    };
    let Some(struck) = roster.iter().position(is_struck) else {
        let names: Vec<_> = roster.iter().map(|profile| profile.symbol.to_string()).collect();
        let found = asked.unwrap_or(roster[0].symbol);
        let wanted = names.join(", ");
        return Err(SimulatorError::UnknownSymbol { scenario: kind.info.name, found, wanted });
    };
    let others = roster.iter().enumerate().filter(|(i, _)| *i != struck).map(|(_, profile)| profile);
    let all = std::iter::once(&roster[struck]).chain(others).take(MARKETS);
    Ok(all.map(|profile| (profile.clone(), Cast::default())).collect())
}

/// Instruments that can be struck.
const ROSTER: usize = 64;
