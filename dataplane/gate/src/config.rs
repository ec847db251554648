//! How a gate is built, and why one cannot be.

use types::Nanos;

use crate::{
    activity::ActivityLimits,
    decision::GateMode,
    ids::ClassId,
    intent::TimesInForce,
    levels::{ExposureLimits, GROUP_KINDS, GroupConfig},
    streaks::RepeatedExecutions,
    table_error::ROWS_MAX,
    tables::GateTables,
    tally::ProfitRules,
    warn::WarnShare,
    worth::MoneyRules,
};

/// One strategy, numbered by its place in [`GateConfig::strategies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrategyConfig {
    /// Whose limits it lives under.
    pub class: ClassId,
    /// Orders per second over all instruments, sustained.
    pub order_rate_per_s: u32,
    /// Orders over all instruments at once.
    pub order_burst: u32,
}

/// What a gate needs to know before its first order. Every bound is fixed here.
#[derive(Clone, Copy, Debug)]
pub struct GateConfig<'a> {
    /// The strategies.
    pub strategies: &'a [StrategyConfig],
    /// How many accounts there are.
    pub accounts: u16,
    /// Most orders open at once, unanswered replacements included.
    pub open_orders_max: usize,
    /// How many closed orders are remembered, for duplicates and late fills.
    pub recent_orders: usize,
    /// Oldest reference price that is still believed.
    pub ref_age_max: Nanos,
    /// Whether orders that can only reduce a position pass in tier Critical.
    pub critical_reduce_only: bool,
    /// How long the writer of the breakers may say nothing ([`crate::BreakerWriter::alive`]) before every order is refused; 0 for
    /// ever. For a gate in a process of its own: it would not see the next halt.
    pub daemon_age_max: Nanos,
    /// Whether an account's position in an instrument, over all of its strategies, is held to the position limit in force
    /// for the order that enlarges it.
    pub account_positions: bool,
    /// Whose resting orders an order must not trade with.
    pub self_match: SelfMatch,
    /// Within which time a new order that asks for the same as one before it (account, strategy, instrument, side, type,
    /// price and quantity) is refused as sent twice, if it is among the last `open_orders_max + recent_orders`; 0 for never.
    pub repeat_window: Nanos,
    /// What each strategy may hold over all instruments, in money, by its number; those beyond the list anything.
    pub strategy_limits: &'a [ExposureLimits],
    /// The same of each account.
    pub account_limits: &'a [ExposureLimits],
    /// Most instruments that a strategy or an account with such limits may hold or have orders in. Each of them is summed for every
    /// order, in some 260 instructions, so this bounds what an order costs. In one more nothing may be added.
    pub summed_instruments_max: u32,
    /// The time within which activity is counted, at least; 0 counts none. Gates that follow another one's steps have its window.
    pub window: Nanos,
    /// What each strategy may do within it, by its number; those beyond the list anything.
    pub strategy_activity: &'a [ActivityLimits],
    /// The same of each account.
    pub account_activity: &'a [ActivityLimits],
    /// What each strategy may lose within a day, in millionths of the firm's currency, by its number; the largest number, and those
    /// beyond the list, without a limit. Needs `profit`.
    pub strategy_loss: &'a [u64],
    /// The same of each account.
    pub account_loss: &'a [u64],
    /// Strategies that are limited together.
    pub groups: &'a [GroupConfig],
    /// The desk, the trader and the firm of each strategy, by its number: places in `groups`, by [`crate::GroupKind`].
    pub strategy_groups: &'a [[Option<u16>; GROUP_KINDS]],
    /// How profit and loss are counted; `None` does not count them.
    pub profit: Option<ProfitRules>,
    /// How old the marks may be that instruments other than the order's are valued at for limits over all instruments; 0 for those of
    /// the moment of each order.
    pub mark_age_max: Nanos,
    /// Which times in force each strategy may use, by its number; those beyond the list any.
    pub strategy_times_in_force: &'a [TimesInForce],
    /// At how many executions of one side a strategy is stopped; `None` for none.
    pub repeated_executions: Option<RepeatedExecutions>,
    /// Above which share of a limit an order that is let through is flagged.
    pub warn: WarnShare,
    /// Whether orders that break a limit are refused, or only said.
    pub mode: GateMode,
    /// How money is counted; `None` takes every price for money as it stands.
    pub money: Option<MoneyRules>,
}

/// Whose resting orders an order must not trade with. An order counts from its reservation until it is done, whatever its time
/// in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfMatch {
    /// Nobody's: the check is off.
    Off,
    /// Those of its own account.
    Account,
    /// Those of any account.
    Firm,
}

impl GateConfig<'_> {
    /// Defaults for everything but the strategies: one account, 4,096 open and 4,096 recent orders, references up to 5 s
    /// old, nothing passes in Critical, control may be silent for ever, no check beyond one strategy, prices are money.
    pub const DEFAULT: GateConfig<'static> = GateConfig {
        strategies: &[],
        accounts: 1,
        open_orders_max: 4_096,
        recent_orders: 4_096,
        ref_age_max: Nanos(5_000_000_000),
        critical_reduce_only: false,
        daemon_age_max: Nanos(0),
        account_positions: false,
        self_match: SelfMatch::Off,
        repeat_window: Nanos(0),
        strategy_limits: &[],
        account_limits: &[],
        summed_instruments_max: 256,
        window: Nanos(0),
        strategy_activity: &[],
        account_activity: &[],
        strategy_loss: &[],
        account_loss: &[],
        groups: &[],
        strategy_groups: &[],
        profit: None,
        mark_age_max: Nanos(0),
        strategy_times_in_force: &[],
        repeated_executions: None,
        warn: WarnShare::DEFAULT,
        mode: GateMode::Enforce,
        money: None,
    };
}

/// Largest number of open, and of recent, orders.
pub(crate) const ORDERS_MAX: usize = 1 << 22;

/// Why a gate cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateError {
    /// A number is out of its range.
    OutOfRange {
        /// Which one.
        what: &'static str,
        /// What was found.
        found: u64,
        /// The smallest legal value.
        least: u64,
        /// The largest legal value.
        most: u64,
    },
    /// A table does not have the size of the static one, or of the configuration.
    Shape {
        /// Which table, and in what.
        what: &'static str,
        /// What was found.
        found: usize,
        /// What was wanted.
        wanted: usize,
    },
}

impl core::fmt::Display for GateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfRange { what, found, least, most } => {
                write!(f, "{what} is {found}, must be {least} to {most}")
            }
            Self::Shape { what, found, wanted } => write!(f, "{what}: found {found}, want {wanted}"),
        }
    }
}

impl core::error::Error for GateError {}

fn in_range(what: &'static str, found: u64, least: u64, most: u64) -> Result<(), GateError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(GateError::OutOfRange { what, found, least, most })
    }
}

fn same(what: &'static str, found: usize, wanted: usize) -> Result<(), GateError> {
    if found == wanted { Ok(()) } else { Err(GateError::Shape { what, found, wanted }) }
}

/// What one day is at most.
const DAY_NS: u64 = 86_400_000_000_000;

/// The part of [`validate`] that is of levels, of which there are `count` strategies.
fn validate_levels(config: &GateConfig<'_>, count: u64) -> Result<(), GateError> {
    in_range("strategies with limits of loss", config.strategy_loss.len() as u64, 0, count)?;
    in_range("accounts with limits of loss", config.account_loss.len() as u64, 0, config.accounts.into())?;
    in_range("strategies with groups", config.strategy_groups.len() as u64, 0, count)?;
    in_range("groups", config.groups.len() as u64, 0, u16::MAX.into())?;
    let groups = config.strategy_groups.iter().flat_map(|groups| groups.iter().enumerate());
    for (kind, place) in groups.filter_map(|(kind, group)| Some((kind, (*group)?))) {
        let group = config.groups.get(usize::from(place)).ok_or(GateError::Shape {
            what: "groups, for one of a strategy",
            found: config.groups.len(),
            wanted: usize::from(place).saturating_add(1),
        })?;
        in_range("kind of a strategy's group", group.kind as u64, kind as u64, kind as u64)?;
    }
    let losses = config.strategy_loss.iter().chain(config.account_loss);
    let losses = losses.copied().chain(config.groups.iter().map(|group| group.loss_micros));
    if losses.into_iter().any(|most| most != u64::MAX) {
        in_range("rules of profit, where a loss is limited", config.profit.is_some().into(), 1, 1)?;
    }
    if let Some(rules) = config.profit {
        in_range("day_start (ns)", rules.day_start.0, 0, DAY_NS - 1)?;
        in_range("settlement_age_max (days)", rules.settlement_age_max_days.into(), 1, 366)?;
    }
    in_range("mark_age_max (ns)", config.mark_age_max.0, 0, DAY_NS)?;
    if let Some(rules) = config.repeated_executions {
        in_range("repeated executions", rules.most.into(), 2, u32::MAX.into())?;
        in_range("window of repeated executions (ns)", rules.window.0, 1, DAY_NS)?;
    }
    Ok(())
}

/// Checks that a gate of this configuration over these tables misses nothing; a table of another size is a configured
/// limit that cannot bind, and must stop the start, not the first order that needs it.
pub(crate) fn validate(config: &GateConfig<'_>, tables: &GateTables) -> Result<(), GateError> {
    let (instruments, classes) = tables.statics.shape();
    let count = config.strategies.len() as u64;
    in_range("strategies", count, 1, u16::MAX.into())?;
    in_range("accounts", config.accounts.into(), 1, u16::MAX.into())?;
    in_range("open_orders_max", config.open_orders_max as u64, 1, ORDERS_MAX as u64)?;
    in_range("recent_orders", config.recent_orders as u64, 1, ORDERS_MAX as u64)?;
    in_range("ref_age_max (ns)", config.ref_age_max.0, 1, u64::MAX)?;
    in_range("instruments x strategies", (instruments as u64).saturating_mul(count), 1, ROWS_MAX as u64)?;
    in_range("strategies with limits", config.strategy_limits.len() as u64, 0, count)?;
    in_range("accounts with limits", config.account_limits.len() as u64, 0, config.accounts.into())?;
    in_range("summed_instruments_max", config.summed_instruments_max.into(), 1, ROWS_MAX as u64)?;
    in_range("strategies with limits of activity", config.strategy_activity.len() as u64, 0, count)?;
    in_range(
        "accounts with limits of activity",
        config.account_activity.len() as u64,
        0,
        config.accounts.into(),
    )?;
    in_range("strategies with times in force", config.strategy_times_in_force.len() as u64, 0, count)?;
    in_range("window (ns)", config.window.0, 0, 31_536_000_000_000_000)?;
    validate_levels(config, count)?;
    for strategy in config.strategies {
        in_range("strategy class", strategy.class.0.into(), 0, classes as u64 - 1)?;
        in_range("strategy order_rate_per_s", strategy.order_rate_per_s.into(), 1, 1_000_000_000)?;
        in_range("strategy order_burst", strategy.order_burst.into(), 1, u32::MAX.into())?;
    }
    if let Some(dynamics) = &tables.dynamics {
        same("instruments of the dynamic table", dynamics.shape().0, instruments)?;
        same("classes of the dynamic table", dynamics.shape().1, classes)?;
    }
    if let Some(fat_finger) = &tables.fat_finger {
        same("instruments of the fat-finger table", fat_finger.instruments(), instruments)?;
    }
    if tables.statics.located_accounts() != 0 {
        same("accounts of the locates", tables.statics.located_accounts(), config.accounts.into())?;
    }
    same("instruments of the reference table", tables.references.instruments(), instruments)?;
    let (accounts, strategies, breakers) = tables.breakers.shape();
    same("accounts of the breakers", accounts, config.accounts.into())?;
    same("strategies of the breakers", strategies, config.strategies.len())?;
    same("instruments of the breakers", breakers, instruments)
}
