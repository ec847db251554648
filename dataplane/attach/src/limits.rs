//! What a thread's gate is built with, of what the daemon grants.

use control::protocol::{Grant, GrantGroup, GrantRules};
use gate::{
    ActivityLimits, ExposureLimits, GROUP_KINDS, GateConfig, GateMode, GroupConfig, GroupKind, MoneyRules,
    ProfitRules, RepeatedExecutions, SelfMatch, StrategyConfig, TimesInForce, WarnShare,
};
use std::collections::BTreeMap;
use types::Nanos;

/// Limits by number, of those that are granted any; nobody else's orders are let out here.
fn by_number<G: Copy, L: Clone>(granted: &BTreeMap<u16, G>, none: L, limits: impl Fn(G) -> L) -> Vec<L> {
    let count = granted.keys().next_back().map_or(0, |last| usize::from(*last) + 1);
    let mut all = vec![none; count];
    for (number, granted) in granted {
        if let Some(place) = all.get_mut(usize::from(*number)) {
            *place = limits(*granted);
        }
    }
    all
}

/// The limits of the client's strategies, of its accounts, and its equal part of those of their groups.
pub(crate) struct Limits {
    strategies: Vec<ExposureLimits>,
    accounts: Vec<ExposureLimits>,
    strategy_activity: Vec<ActivityLimits>,
    account_activity: Vec<ActivityLimits>,
    strategy_loss: Vec<u64>,
    account_loss: Vec<u64>,
    pub(crate) groups: Vec<GroupConfig>,
    strategy_groups: Vec<[Option<u16>; GROUP_KINDS]>,
    times_in_force: Vec<TimesInForce>,
}

impl Limits {
    /// None when the daemon names a kind of group that there is not.
    pub(crate) fn of(rules: &GrantRules) -> Option<Self> {
        let levels = &rules.levels;
        let activity = |[value_micros, qty, messages, cancels, messages_per_trade]: [u64; 5]| {
            ActivityLimits { value_micros, qty, messages, cancels, messages_per_trade }
        };
        Some(Self {
            groups: levels.groups.iter().map(group).collect::<Option<_>>()?,
            strategy_groups: by_number(&levels.strategy_groups, [None; GROUP_KINDS], |groups| groups),
            strategy_loss: by_number(&levels.strategy_loss, u64::MAX, |most| most),
            account_loss: by_number(&levels.account_loss, u64::MAX, |most| most),
            times_in_force: by_number(
                &rules.strategy_times_in_force,
                TimesInForce::ANY,
                TimesInForce::of_bits,
            ),
            strategies: within(
                by_number(&rules.strategy_limits, ExposureLimits::NONE, exposure),
                &levels.strategy_credit,
            ),
            accounts: within(
                by_number(&rules.account_limits, ExposureLimits::NONE, exposure),
                &levels.account_credit,
            ),
            strategy_activity: by_number(&rules.strategy_activity, ActivityLimits::NONE, activity),
            account_activity: by_number(&rules.account_activity, ActivityLimits::NONE, activity),
        })
    }
}

fn exposure([gross_micros, net_micros, instrument_micros]: [u64; 3]) -> ExposureLimits {
    ExposureLimits { gross_micros, net_micros, instrument_micros, ..ExposureLimits::NONE }
}

/// `limits`, and a credit for those that are granted one.
fn within(mut limits: Vec<ExposureLimits>, credit: &BTreeMap<u16, u64>) -> Vec<ExposureLimits> {
    for (number, granted) in credit {
        let number = usize::from(*number);
        limits.resize(limits.len().max(number + 1), ExposureLimits::NONE);
        limits[number].credit_micros = *granted;
    }
    limits
}

fn group(granted: &GrantGroup) -> Option<GroupConfig> {
    let kind = match granted.kind.as_str() {
        "desk" => GroupKind::Desk,
        "trader" => GroupKind::Trader,
        "firm" => GroupKind::Firm,
        _ => return None,
    };
    let limits = ExposureLimits { credit_micros: granted.credit, ..exposure(granted.limits) };
    Some(GroupConfig { kind, limits, loss_micros: granted.loss })
}

/// What the gate is built with; none when the daemon names a scope of self-match that there is not.
pub(crate) fn config_of<'a>(
    grant: &Grant,
    strategies: &'a [StrategyConfig],
    limits: &'a Limits,
) -> Option<GateConfig<'a>> {
    let rules = &grant.rules;
    Some(GateConfig {
        strategies,
        accounts: grant.shape.accounts,
        summed_instruments_max: GateConfig::DEFAULT.summed_instruments_max,
        open_orders_max: rules.open_orders_max as usize,
        recent_orders: rules.recent_orders as usize,
        ref_age_max: Nanos(rules.ref_age_max_ns),
        critical_reduce_only: rules.critical_reduce_only,
        account_positions: rules.account_positions,
        self_match: match rules.self_match.as_str() {
            "off" => SelfMatch::Off,
            "account" => SelfMatch::Account,
            "firm" => SelfMatch::Firm,
            _ => return None,
        },
        repeat_window: Nanos(u64::from(rules.repeat_ms) * 1_000_000),
        money: rules.money.map(|money| MoneyRules {
            rate_age_max: Nanos(money.rate_age_max_ns),
            undeclared_is_plain: money.undeclared_is_plain,
        }),
        daemon_age_max: Nanos(rules.daemon_age_max_ns),
        strategy_limits: &limits.strategies,
        account_limits: &limits.accounts,
        window: Nanos(rules.window_ns),
        strategy_activity: &limits.strategy_activity,
        account_activity: &limits.account_activity,
        strategy_loss: &limits.strategy_loss,
        account_loss: &limits.account_loss,
        groups: &limits.groups,
        strategy_groups: &limits.strategy_groups,
        strategy_times_in_force: &limits.times_in_force,
        profit: rules.levels.profit.map(|(day_start, fee_nanos_per_unit)| ProfitRules {
            day_start: Nanos(day_start),
            fee_nanos_per_unit,
            settlement_age_max_days: rules.levels.settlement_age_max_days,
        }),
        mark_age_max: Nanos(rules.levels.mark_age_max_ns),
        warn: WarnShare::leaving(rules.warn_left)?,
        mode: if rules.audits { GateMode::Audit } else { GateMode::Enforce },
        repeated_executions: rules
            .repeated_executions
            .map(|(most, window)| RepeatedExecutions { most, window: Nanos(window) }),
    })
}
