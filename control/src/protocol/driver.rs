//! What drove a score.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A feature that drove a score, and its value at the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// Its column in captures.
    pub feature: String,
    /// What an officer calls it.
    pub name: String,
    /// Its value; none where it was not known.
    pub value: Option<f64>,
    /// The value's unit.
    pub unit: String,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, .. } = self;
        let Some(value) = value else { return write!(f, "{name} unknown") };
        // Three digits that count, as far as six decimals show them.
        let decimals = match value.abs() {
            100.0.. => 0,
            10.0.. => 1,
            1.0.. => 2,
            0.1.. => 3,
            0.01.. => 4,
            0.001.. => 5,
            _ if *value == 0.0 => 0,
            _ => 6,
        };
        write!(f, "{name} {value:.decimals$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_said_with_its_value_and_unit() {
        let said = |value| {
            let driver = Driver {
                feature: "spread_bps".to_owned(),
                name: "bid-ask spread".to_owned(),
                value,
                unit: "bps".to_owned(),
            };
            driver.to_string()
        };
        let cases = [
            (Some(1_234.5), "bid-ask spread 1234 bps"),
            (Some(31.25), "bid-ask spread 31.2 bps"),
            (Some(2.0), "bid-ask spread 2.00 bps"),
            (Some(-0.94), "bid-ask spread -0.940 bps"),
            (Some(0.004_56), "bid-ask spread 0.00456 bps"),
            (Some(0.0), "bid-ask spread 0 bps"),
            (None, "bid-ask spread unknown"),
        ];
        for (value, wanted) in cases {
            assert_eq!(said(value), wanted);
        }
    }
}
