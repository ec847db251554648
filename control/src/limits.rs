//! The limits an officer sets, by the names and in the units that officers use: a thin, exact translation of the gate's
//! [`Parameter`]s. What is tight, what is legal and what an envelope is stand in `gate` alone.

use crate::amount::Amount;
use gate::{Parameter, RiskLimits};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One limit. Append-only: the names stand in files, commands and the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// Largest quantity of one order.
    MaxQty,
    /// Largest value of one order, price times quantity.
    MaxNotional,
    /// Farthest an order's price may lie from the reference price.
    CollarBps,
    /// Fewest ticks between a passive order and the opposite best price.
    PassiveMinTicks,
    /// Largest long position, counting every working buy as filled.
    MaxPosLong,
    /// Largest short position, counting every working sell as filled.
    MaxPosShort,
    /// Orders per second, sustained.
    #[serde(rename = "order_rate_per_s")]
    OrderRatePerS,
    /// Orders at once, on top of the sustained rate.
    OrderBurst,
    /// Margin multiplier; 10,000 is once. It counts where somebody has a credit.
    MarginBps,
}

impl LimitKey {
    /// All limits, in the order of tables and files.
    pub const ALL: [Self; 9] = [
        Self::MaxQty,
        Self::MaxNotional,
        Self::CollarBps,
        Self::PassiveMinTicks,
        Self::MaxPosLong,
        Self::MaxPosShort,
        Self::OrderRatePerS,
        Self::OrderBurst,
        Self::MarginBps,
    ];

    /// The gate's parameter.
    #[must_use]
    pub const fn parameter(self) -> Parameter {
        match self {
            Self::MaxQty => Parameter::MaxQty,
            Self::MaxNotional => Parameter::MaxNotional,
            Self::CollarBps => Parameter::Collar,
            Self::PassiveMinTicks => Parameter::PassiveMin,
            Self::MaxPosLong => Parameter::MaxPosLong,
            Self::MaxPosShort => Parameter::MaxPosShort,
            Self::OrderRatePerS => Parameter::OrderRate,
            Self::OrderBurst => Parameter::OrderBurst,
            Self::MarginBps => Parameter::Margin,
        }
    }

    /// The name in files and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxQty => "max_qty",
            Self::MaxNotional => "max_notional",
            Self::CollarBps => "collar_bps",
            Self::PassiveMinTicks => "passive_min_ticks",
            Self::MaxPosLong => "max_pos_long",
            Self::MaxPosShort => "max_pos_short",
            Self::OrderRatePerS => "order_rate_per_s",
            Self::OrderBurst => "order_burst",
            Self::MarginBps => "margin_bps",
        }
    }

    /// What the number counts, as screens and files write it.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::MaxQty | Self::MaxPosLong | Self::MaxPosShort => "shares",
            Self::MaxNotional => "currency",
            Self::CollarBps | Self::MarginBps => "bps",
            Self::PassiveMinTicks => "ticks",
            Self::OrderRatePerS => "orders/s",
            Self::OrderBurst => "orders",
        }
    }

    /// Units of 1e-9 in one unit of the gate's number: money is kept in millionths there, everything else whole.
    const fn raw_per_gate_unit(self) -> i128 {
        match self {
            Self::MaxNotional => 1_000,
            Self::MaxQty
            | Self::CollarBps
            | Self::PassiveMinTicks
            | Self::MaxPosLong
            | Self::MaxPosShort
            | Self::OrderRatePerS
            | Self::OrderBurst
            | Self::MarginBps => Amount::SCALE,
        }
    }

    /// The gate's number as people write it.
    #[must_use]
    pub fn to_amount(self, value: i64) -> Amount {
        let raw = i128::from(value.max(0)) * self.raw_per_gate_unit();
        Amount::from_raw(raw).unwrap_or(Amount::MAX)
    }

    /// The number people write as the gate's.
    ///
    /// # Errors
    /// [`LimitRange`] when the gate cannot hold it: out of range, or finer than its unit.
    pub fn to_gate(self, amount: Amount) -> Result<i64, LimitRange> {
        let (least, most) = self.parameter().bounds();
        let per_unit = self.raw_per_gate_unit();
        let value = (amount.raw() % per_unit == 0).then_some(amount.raw() / per_unit);
        value.and_then(|v| i64::try_from(v).ok()).filter(|v| (least..=most).contains(v)).ok_or(LimitRange {
            key: self,
            least: self.to_amount(least),
            most: self.to_amount(most),
        })
    }

    /// One limit of a set, as people write it.
    #[must_use]
    pub fn of(self, limits: &RiskLimits) -> Amount {
        self.to_amount(limits.get(self.parameter()))
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a limit can be; the text is what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} from {least} to {most} {}",
    if *key == LimitKey::MaxNotional { "an amount of at most six decimals" } else { "a whole number" },
    key.unit()
)]
pub struct LimitRange {
    /// The limit.
    pub key: LimitKey,
    /// Smallest legal value.
    pub least: Amount,
    /// Largest legal value.
    pub most: Amount,
}

/// A text that names no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a limit{} (limits: {})",
    crate::suggest::did_you_mean(found, &LimitKey::ALL.map(LimitKey::as_str)),
    LimitKey::ALL.map(LimitKey::as_str).join(", ")
)]
pub struct UnknownLimit {
    /// The text.
    pub found: String,
}

impl FromStr for LimitKey {
    type Err = UnknownLimit;

    fn from_str(s: &str) -> Result<Self, UnknownLimit> {
        Self::ALL.into_iter().find(|k| k.as_str() == s).ok_or_else(|| UnknownLimit { found: s.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_the_gate_has_one_name() {
        let named: Vec<Parameter> = LimitKey::ALL.map(LimitKey::parameter).to_vec();
        assert_eq!(named, Parameter::ALL);
        for key in LimitKey::ALL {
            assert_eq!(key.as_str().parse(), Ok(key));
            assert_eq!(serde_json::to_string(&key).unwrap(), format!("\"{key}\""));
            // The gate writes money in millionths and says so in the name; everything else has the same name here.
            assert!(key.parameter().name().starts_with(key.as_str()));
        }
        let error = "max_qtty".parse::<LimitKey>().unwrap_err().to_string();
        assert!(error.contains("did you mean `max_qty`?"), "{error}");
    }

    #[test]
    fn numbers_cross_to_the_gate_exactly_or_not_at_all() {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        assert_eq!(LimitKey::MaxNotional.to_gate(amount("250000.50")), Ok(250_000_500_000));
        assert_eq!(LimitKey::MaxNotional.to_amount(250_000_500_000), amount("250000.50"));
        assert_eq!(LimitKey::MaxQty.to_gate(amount("500")), Ok(500));
        let error = LimitKey::MaxQty.to_gate(amount("0.5")).unwrap_err().to_string();
        assert_eq!(error, "a whole number from 1 to 4294967295 shares");
        let error = LimitKey::MaxNotional.to_gate(amount("0.0000001")).unwrap_err().to_string();
        assert!(error.starts_with("an amount of at most six decimals from 0.000001 to "), "{error}");
        for key in LimitKey::ALL {
            let (least, most) = key.parameter().bounds();
            for edge in [least, most] {
                assert_eq!(key.to_gate(key.to_amount(edge)), Ok(edge), "{key} {edge}");
            }
        }
    }
}
