//! What the scenarios are called, and what may be chosen of them.

use crate::error::{Result, SimulatorError};
use types::Symbol;

/// What `--list` shows of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScenarioInfo {
    /// Name on the command line and of the files.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Simulated seconds when nothing else is asked for.
    pub length_s: u64,
}

/// What the caller may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Seed of all chance; each scenario has its own default.
    pub seed: Option<u64>,
    /// Minutes to simulate, where the scenario's story does not fix it. A flash crash goes on without the firm's orders.
    pub minutes: Option<u64>,
    /// Instruments, where the scenario's story does not fix it.
    pub instruments: Option<u64>,
    /// Which instrument a crisis strikes; each kind has its own default.
    pub symbol: Option<Symbol>,
    /// How large a crisis is, in per cent of its kind's usual size.
    pub size_percent: Option<u64>,
    /// When a crisis begins, seconds since midnight.
    pub at_s: Option<u64>,
}

/// `value`, which the story fixes.
///
/// # Errors
/// Something else was asked for.
pub(crate) fn fixed<T>(
    info: &ScenarioInfo,
    option: &'static str,
    asked: Option<T>,
    value: u64,
) -> Result<u64> {
    match asked {
        None => Ok(value),
        Some(_) => Err(SimulatorError::OptionFixed { scenario: info.name, option }),
    }
}

/// What was asked for, or `value`.
///
/// # Errors
/// It is outside 1 to `max`.
pub(crate) fn chosen(
    info: &ScenarioInfo,
    option: &'static str,
    asked: Option<u64>,
    value: u64,
    max: u64,
) -> Result<u64> {
    let found = asked.unwrap_or(value);
    if found == 0 || found > max {
        return Err(SimulatorError::OptionOutOfRange { scenario: info.name, option, found, min: 1, max });
    }
    Ok(found)
}
