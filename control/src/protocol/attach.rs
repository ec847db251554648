//! What the daemon gives an order process that attaches: everything beside the shared memory that it needs to build the gate
//! it is held by. Three descriptors come with it: the tables, the process's ring, and the steps that bring its gate to where
//! it was.

use crate::names::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Descriptors that come with a [`Grant`].
pub const GRANT_DESCRIPTORS: usize = 3;

/// How large the tables are, and which there are; as [`gate::TableShape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantShape {
    /// Instruments.
    pub instruments: u32,
    /// Strategy classes.
    pub classes: u16,
    /// Accounts.
    pub accounts: u16,
    /// Strategies.
    pub strategies: u16,
    /// Whether there are limits of the model's.
    pub dynamics: bool,
    /// Whether there are fat-finger limits; by the name that messages gave them first.
    #[serde(rename = "surfaces")]
    pub fat_finger: bool,
    /// Whether sells are held to what is located.
    #[serde(default)]
    pub locates: bool,
}

/// The rules that orders are held to beside the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRules {
    /// Oldest last trade that is a reference, in nanoseconds.
    pub last_age_max_ns: u64,
    /// The period of the collar over a period, in nanoseconds; 0 is none.
    pub period_ns: u64,
    /// How much worse than the period's mean a price may be, in basis points; 0 is no such collar.
    pub period_collar_bps: u32,
    /// Tables of ticks: prices from which a tick holds, and the tick, both in 1e-9.
    pub tick_tables: Vec<Vec<(i64, i64)>>,
    /// Oldest reference price that is believed, in nanoseconds.
    pub ref_age_max_ns: u64,
    /// Whether orders that can only reduce a position pass in tier Critical.
    pub critical_reduce_only: bool,
    /// Whether accounts are held to the position limit.
    pub account_positions: bool,
    /// `off`, `account` or `firm`.
    pub self_match: String,
    /// Within how many milliseconds a repeated order is refused; 0 for never.
    pub repeat_ms: u32,
    /// How money is counted; none where every price is money as it stands.
    #[serde(default)]
    pub money: Option<GrantMoney>,
    /// What the client's strategies may hold over all instruments, by number: gross, net, in one instrument, in millionths of the
    /// firm's currency.
    #[serde(default)]
    pub strategy_limits: BTreeMap<u16, [u64; 3]>,
    /// The same of its accounts.
    #[serde(default)]
    pub account_limits: BTreeMap<u16, [u64; 3]>,
    /// The time within which activity is counted, in nanoseconds; 0 where it is not.
    #[serde(default)]
    pub window_ns: u64,
    /// What the client's strategies may do within it, by number: value in millionths, quantity, messages, cancels, messages for each
    /// trade.
    #[serde(default)]
    pub strategy_activity: BTreeMap<u16, [u64; 5]>,
    /// The same of its accounts.
    #[serde(default)]
    pub account_activity: BTreeMap<u16, [u64; 5]>,
    /// Which times in force the orders of the client's strategies may have, by number: a bit for each, by its number
    /// ([`gate::TimesInForce`]). Those that are left out any.
    #[serde(default)]
    pub strategy_times_in_force: BTreeMap<u16, u8>,
    /// What the client's strategies, accounts and their groups may hold and lose.
    #[serde(default)]
    pub levels: GrantLevels,
    /// At how many executions of one side, and within how many nanoseconds, a strategy is stopped.
    #[serde(default)]
    pub repeated_executions: Option<(u32, u64)>,
    /// How many of 65,536 parts of a limit are left where an order begins to be flagged; an eighth from a daemon that does not say.
    #[serde(default = "eighth")]
    pub warn_left: u32,
    /// Whether breaches are only said: the client is in audit mode. The daemon's word; one that does not say it enforces.
    #[serde(default)]
    pub audits: bool,
    /// Orders per second of one strategy over all instruments, and how many at once.
    pub strategy_rate: (u32, u32),
    /// Most orders open at once.
    pub open_orders_max: u32,
    /// How many closed orders are remembered.
    pub recent_orders: u32,
    /// After how many nanoseconds without a sign of life of the daemon every order is refused; 0 for never.
    pub daemon_age_max_ns: u64,
}

const fn eighth() -> u32 {
    gate::WarnShare::DEFAULT.left()
}

/// Limits of levels, beside those in money of strategies and accounts. Amounts are in millionths of the firm's currency, and the
/// largest number is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantLevels {
    /// What the client's strategies may lose within a day, by number.
    pub strategy_loss: BTreeMap<u16, u64>,
    /// The same of its accounts.
    pub account_loss: BTreeMap<u16, u64>,
    /// The credit of the client's strategies, by number.
    #[serde(default)]
    pub strategy_credit: BTreeMap<u16, u64>,
    /// The same of its accounts.
    #[serde(default)]
    pub account_credit: BTreeMap<u16, u64>,
    /// What desks, traders and the firm may hold and lose: of a limit that is divided among clients an equal part.
    pub groups: Vec<GrantGroup>,
    /// Where its quotas of those begin in the shared memory: a first row, and one for each group; none where nothing is divided.
    #[serde(default)]
    pub quotas: Option<u32>,
    /// The desk, the trader and the firm of its strategies, by number: places in `groups`.
    pub strategy_groups: BTreeMap<u16, [Option<u16>; 3]>,
    /// When the firm's day begins, in nanoseconds after midnight UTC, and what trading a unit costs, in 1e-9 of its currency; none
    /// where no loss is limited.
    pub profit: Option<(u64, u64)>,
    /// How many days before the firm's day the trading day of a settlement price may lie.
    #[serde(default)]
    pub settlement_age_max_days: u32,
    /// How old marks may be, in nanoseconds.
    pub mark_age_max_ns: u64,
}

/// One group of strategies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantGroup {
    /// `desk`, `trader` or `firm`.
    pub kind: String,
    /// Gross, net, in one instrument.
    pub limits: [u64; 3],
    /// Lost within a day.
    pub loss: u64,
    /// The credit.
    #[serde(default = "unlimited")]
    pub credit: u64,
}

const fn unlimited() -> u64 {
    u64::MAX
}

/// How an order process counts money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantMoney {
    /// Oldest rate to the firm's currency that is believed, in nanoseconds.
    pub rate_age_max_ns: u64,
    /// Whether an instrument of which nothing was said is worth its price.
    pub undeclared_is_plain: bool,
}

/// An order process's part of the appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The daemon's build: tables of another are not read.
    pub build: String,
    /// What both sides get when they lay the tables out.
    pub layout: u64,
    /// The tables' size.
    pub shape: GrantShape,
    /// The rules.
    pub rules: GrantRules,
    /// The client's strategies, with their numbers.
    pub strategies: BTreeMap<Name, u16>,
    /// Its accounts, with theirs.
    pub accounts: BTreeMap<Name, u16>,
}
