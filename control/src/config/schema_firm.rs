//! The parts of the configuration file that say what the firm trades, and what its strategies and accounts may.

use crate::amount::Amount;
use crate::names::Name;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// `[firm]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Firm {
    pub(crate) currency: String,
    /// `HH:MM`, UTC.
    pub(crate) day_start: String,
    pub(crate) fee_per_unit: Amount,
    pub(crate) settlement_age_max_days: u32,
    #[serde(default)]
    pub(crate) limits: GroupLimits,
}

/// What strategies may hold over all instruments together, and lose within a day; what is left out is no limit.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupLimits {
    #[serde(default)]
    pub(crate) max_gross: Option<Amount>,
    #[serde(default)]
    pub(crate) max_net: Option<Amount>,
    #[serde(default)]
    pub(crate) max_instrument: Option<Amount>,
    /// Of the margin that what is held requires, under each instrument's `margin_bps` in force.
    #[serde(default)]
    pub(crate) credit: Option<Amount>,
    #[serde(default)]
    pub(crate) max_loss: Option<Amount>,
}

/// What an instrument is of which nothing is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undeclared {
    /// [`Undeclared::Plain`] as long as nothing is declared that counts otherwise, then [`Undeclared::Refuse`].
    PlainIfNone,
    /// One unit a contract, in the firm's currency.
    Plain,
    /// None whose orders pass.
    Refuse,
}

/// `[instruments]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instruments {
    #[expect(dead_code, reason = "read before this, as a layer of its own")]
    pub(crate) file: PathBuf,
    pub(crate) undeclared: Undeclared,
}

/// One `[instrument.SYMBOL]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instrument {
    #[serde(default = "super::instruments::one")]
    pub(crate) multiplier: Amount,
    #[serde(default)]
    pub(crate) currency: Option<String>,
    #[serde(default)]
    pub(crate) worth_min: Option<Amount>,
    #[serde(default)]
    pub(crate) settlement: Option<String>,
    #[serde(default)]
    pub(crate) settlement_date: Option<String>,
    #[serde(default = "super::instruments::one")]
    pub(crate) lot: Amount,
    #[serde(default)]
    pub(crate) tick: Option<TickOf>,
}

/// `[fx]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fx {
    pub(crate) rate_age_max_s: u32,
    #[expect(dead_code, reason = "read before this, as a layer of its own")]
    pub(crate) file: PathBuf,
    pub(crate) rate: BTreeMap<String, FxRate>,
}

/// One `[fx.rate]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FxRate {
    pub(crate) rate: Amount,
    pub(crate) at: String,
}

/// One of `time_in_force`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tif {
    Day,
    Ioc,
    Gtc,
}

/// What a strategy or an account may hold over all instruments, and do within a time; what is left out is no limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeLimits {
    #[serde(default)]
    pub(crate) max_gross: Option<Amount>,
    #[serde(default)]
    pub(crate) max_net: Option<Amount>,
    #[serde(default)]
    pub(crate) max_instrument: Option<Amount>,
    /// Of the margin that what is held requires, under each instrument's `margin_bps` in force.
    #[serde(default)]
    pub(crate) credit: Option<Amount>,
    #[serde(default)]
    pub(crate) max_loss: Option<Amount>,
    #[serde(default)]
    pub(crate) window_value: Option<Amount>,
    #[serde(default)]
    pub(crate) window_qty: Option<u64>,
    #[serde(default)]
    pub(crate) window_messages: Option<u64>,
    #[serde(default)]
    pub(crate) window_cancels: Option<u64>,
    #[serde(default)]
    pub(crate) messages_per_trade: Option<u64>,
}

/// What `[book.tick]` says of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TickOf {
    /// The tick at every price.
    Amount(Amount),
    /// The name of a table.
    Table(Name),
}

impl<'de> Deserialize<'de> for TickOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TickVisitor;
        impl Visitor<'_> for TickVisitor {
            type Value = TickOf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount, such as \"0.25\", or the name of a table under [book.tick_table]")
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<TickOf, E> {
                let whole = u64::try_from(n).map(Amount::whole);
                whole.map(TickOf::Amount).map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
            }

            fn visit_str<E: de::Error>(self, s: &str) -> Result<TickOf, E> {
                let amount = s.parse().map(TickOf::Amount).ok();
                let named = || s.parse().map(TickOf::Table).ok();
                amount.or_else(named).ok_or_else(|| E::invalid_value(Unexpected::Str(s), &self))
            }
        }
        deserializer.deserialize_any(TickVisitor)
    }
}
