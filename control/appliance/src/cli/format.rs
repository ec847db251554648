//! What several commands take: how tables are printed, and symbols.

use clap::ValueEnum;
use types::Symbol;

/// How tables are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Stable, for programs
    Json,
    /// For spreadsheets
    Csv,
}

/// Reads a symbol.
pub(super) fn symbol(text: &str) -> Result<Symbol, &'static str> {
    Symbol::new(text).ok_or("wanted a symbol of at most eight characters, such as FUTX")
}

/// Reads a time of day, as seconds since midnight.
pub(super) fn time_of_day(text: &str) -> Result<u64, &'static str> {
    const WANTED: &str = "wanted a time of day such as 13:00:00";
    let part = |text: Option<&str>, end: u64| {
        let two = text.filter(|t| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit()))?;
        two.parse::<u64>().ok().filter(|n| *n < end)
    };
    let mut parts = text.split(':');
    let (hour, minute, second) = (part(parts.next(), 24), part(parts.next(), 60), part(parts.next(), 60));
    match (hour, minute, second, parts.next()) {
        (Some(hour), Some(minute), Some(second), None) => Ok((hour * 60 + minute) * 60 + second),
        _ => Err(WANTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_whole() {
        assert_eq!(time_of_day("00:00:00"), Ok(0));
        assert_eq!(time_of_day("23:59:59"), Ok(86_399));
        for bad in
            ["", "13:00", "24:00:00", "12:60:00", "12:00:60", "1:00:00", "+1:00:00", "12:00:00:00", "é:00:00"]
        {
            assert!(time_of_day(bad).is_err(), "{bad}");
        }
    }
}
