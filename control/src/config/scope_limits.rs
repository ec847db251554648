//! Checks of what `[strategy]`, `[account]`, `[desk]`, `[trader]` and `[firm]` may hold over all instruments, lose within a day, and do
//! within a time; and of who belongs to whom.

use super::check::{Checker, way};
use super::schema::{Config, Gate};
use super::schema_firm::{Firm, GroupLimits, ScopeLimits, Tif};
use super::scopes::DeclaredScopes;
use super::tree::Step;
use crate::amount::Amount;
use crate::names::{Name, Scope};
use gate::{ActivityLimits, ExposureLimits, ProfitRules, TimeInForce, TimesInForce};
use std::collections::BTreeMap;
use types::Nanos;

/// The limits of those that have any.
type Limits = (BTreeMap<Name, ExposureLimits>, BTreeMap<Name, ActivityLimits>);

impl DeclaredScopes {
    /// Whether somebody's activity is limited.
    #[must_use]
    pub fn counts_activity(&self) -> bool {
        !self.strategy_activity.is_empty() || !self.account_activity.is_empty()
    }

    /// Whether somebody's loss is.
    #[must_use]
    pub fn counts_profit(&self) -> bool {
        !self.losses.is_empty()
    }

    /// Whether somebody has a credit, so that margin multipliers count.
    #[must_use]
    pub fn counts_credit(&self) -> bool {
        let limits =
            self.strategy_limits.values().chain(self.account_limits.values()).chain(self.groups.values());
        limits.into_iter().any(|limits| limits.credit_micros != u64::MAX)
    }

    /// The strategies of one desk or one trader.
    pub fn strategies_of<'a>(&'a self, group: &'a Scope) -> impl Iterator<Item = &'a Name> {
        let its = move |name: &&Name| self.groups_of(name).iter().flatten().any(|of| of == group);
        self.strategies.keys().filter(its)
    }

    /// The desk and the trader of one strategy.
    #[must_use]
    pub fn groups_of(&self, strategy: &Name) -> [Option<Scope>; 2] {
        let desk = self.strategies.get(strategy).cloned().flatten();
        [desk.map(Scope::Desk), self.trader_of.get(strategy).cloned().map(Scope::Trader)]
    }

    /// What a scope may lose within a day, in millionths; the largest number is no limit.
    #[must_use]
    pub fn loss(&self, scope: &Scope) -> u64 {
        self.losses.get(scope).copied().unwrap_or(u64::MAX)
    }

    /// What a desk, a trader or the firm may hold over all instruments.
    #[must_use]
    pub fn group_limits(&self, group: &Scope) -> ExposureLimits {
        self.groups.get(group).copied().unwrap_or(ExposureLimits::NONE)
    }
}

impl Checker<'_> {
    /// Who there is, who belongs to whom, and what each may.
    pub(super) fn declared(&mut self, config: &Config) -> DeclaredScopes {
        self.gate(&config.gate);
        for (name, strategy) in &config.strategy {
            let desk = strategy.desk.as_ref().filter(|desk| !config.desk.contains_key(desk));
            let trader = strategy.trader.as_ref().filter(|trader| !config.trader.contains_key(trader));
            for (kind, parent) in [("desk", desk), ("trader", trader)] {
                let Some(parent) = parent else { continue };
                let mut path = way("strategy");
                path.extend([Step::Key(name.to_string()), Step::Key(kind.to_owned())]);
                let wanted = format!("a {kind} that is declared ([{kind}.{parent}])");
                self.refuse(&path, format!("\"{parent}\""), wanted);
            }
        }
        let strategies = config.strategy.iter().map(|(name, strategy)| (name, &strategy.limits));
        let (strategy_limits, strategy_activity) = self.scope_limits("strategy", strategies);
        let accounts = config.account.iter().map(|(name, account)| (name, &account.limits));
        let (account_limits, account_activity) = self.scope_limits("account", accounts);
        let mut scopes = DeclaredScopes {
            accounts: config.account.keys().cloned().collect(),
            strategies: config.strategy.iter().map(|(name, of)| (name.clone(), of.desk.clone())).collect(),
            trader_of: config
                .strategy
                .iter()
                .filter_map(|(name, of)| Some((name.clone(), of.trader.clone()?)))
                .collect(),
            desks: config.desk.keys().cloned().collect(),
            traders: config.trader.keys().cloned().collect(),
            strategy_limits,
            account_limits,
            strategy_activity,
            account_activity,
            times_in_force: self.times_in_force(config),
            ..DeclaredScopes::default()
        };
        self.losses_and_groups(config, &mut scopes);
        scopes
    }

    fn times_in_force(&mut self, config: &Config) -> BTreeMap<Name, TimesInForce> {
        let mut all = BTreeMap::new();
        for (name, strategy) in &config.strategy {
            let Some(listed) = &strategy.time_in_force else { continue };
            if listed.is_empty() {
                let path = ["strategy", name.as_str(), "time_in_force"].map(|key| Step::Key(key.to_owned()));
                self.refuse(&path, "[]", "at least one of \"day\", \"ioc\" and \"gtc\"; left out, any");
            }
            let tif = |listed: &Tif| match listed {
                Tif::Day => TimeInForce::Day,
                Tif::Ioc => TimeInForce::Ioc,
                Tif::Gtc => TimeInForce::Gtc,
            };
            all.insert(name.clone(), TimesInForce::of(listed.iter().map(tif)));
        }
        all
    }

    fn losses_and_groups(&mut self, config: &Config, scopes: &mut DeclaredScopes) {
        let strategies = config.strategy.iter().map(|(name, of)| ("strategy", name, of.limits.max_loss));
        let accounts = config.account.iter().map(|(name, of)| ("account", name, of.limits.max_loss));
        for (table, name, most) in strategies.chain(accounts) {
            let most = self.money_limit(&[table, name.as_str(), "limits", "max_loss"], most);
            let scope = if table == "strategy" { Scope::Strategy } else { Scope::Account };
            scopes.losses.insert(scope(name.clone()), most);
        }
        let desks = config.desk.iter().map(|(name, of)| (Scope::Desk(name.clone()), &of.limits));
        let traders = config.trader.iter().map(|(name, of)| (Scope::Trader(name.clone()), &of.limits));
        let firm = [(Scope::Firm, &config.firm.limits)];
        for (scope, limits) in desks.chain(traders).chain(firm) {
            let text = scope.to_string();
            let path = text.split(':').chain(["limits"]).collect::<Vec<_>>();
            let GroupLimits { max_gross, max_net, max_instrument, credit, max_loss } = *limits;
            let mut money = |key, amount| self.money_limit(&[path.as_slice(), &[key]].concat(), amount);
            let exposure = ExposureLimits {
                gross_micros: money("max_gross", max_gross),
                net_micros: money("max_net", max_net),
                instrument_micros: money("max_instrument", max_instrument),
                credit_micros: money("credit", credit),
            };
            scopes.losses.insert(scope.clone(), money("max_loss", max_loss));
            scopes.groups.insert(scope, exposure);
        }
        scopes.losses.retain(|_, most| *most != u64::MAX);
        scopes.groups.retain(|_, limits| *limits != ExposureLimits::NONE);
    }

    /// The numbers of `[gate]`.
    fn gate(&mut self, gate: &Gate) {
        self.range("gate.repeat_ms", gate.repeat_ms, 0, 60_000);
        self.range("gate.window_s", gate.window_s, 1, 86_400);
        self.range("gate.mark_age_ms", gate.mark_age_ms, 0, 60_000);
        self.range("gate.repeat_executions_s", gate.repeat_executions_s, 1, 3_600);
        if gate.repeat_executions == 1 {
            self.refuse(&way("gate.repeat_executions"), 1, "0 for never, or at least 2");
        }
    }

    /// How the firm's profit and loss are counted.
    pub(super) fn profit(&mut self, firm: &Firm) -> ProfitRules {
        let day_start = time_of_day(&firm.day_start).unwrap_or_else(|| {
            let wanted = "a time of day in UTC, from \"00:00\" to \"23:59\"";
            self.refuse(&way("firm.day_start"), format!("\"{}\"", firm.day_start), wanted);
            Nanos(0)
        });
        let fee = u64::try_from(firm.fee_per_unit.raw()).ok().filter(|fee| *fee <= FEE_NANOS_MAX);
        let fee_nanos_per_unit = fee.unwrap_or_else(|| {
            self.refuse(&way("firm.fee_per_unit"), firm.fee_per_unit, "an amount from 0 to 1000000");
            0
        });
        let settlement_age_max_days = firm.settlement_age_max_days;
        self.range("firm.settlement_age_max_days", settlement_age_max_days, 1, 366);
        ProfitRules { day_start, fee_nanos_per_unit, settlement_age_max_days }
    }

    fn scope_limits<'a>(
        &mut self,
        table: &str,
        scopes: impl Iterator<Item = (&'a Name, &'a ScopeLimits)>,
    ) -> Limits {
        let (mut exposures, mut activities) = (BTreeMap::new(), BTreeMap::new());
        for (name, limits) in scopes {
            let mut money = |key: &str, amount: Option<Amount>| {
                self.money_limit(&[table, name.as_str(), "limits", key], amount)
            };
            let exposure = ExposureLimits {
                gross_micros: money("max_gross", limits.max_gross),
                net_micros: money("max_net", limits.max_net),
                instrument_micros: money("max_instrument", limits.max_instrument),
                credit_micros: money("credit", limits.credit),
            };
            let activity = ActivityLimits {
                value_micros: money("window_value", limits.window_value),
                qty: limits.window_qty.unwrap_or(u64::MAX),
                messages: limits.window_messages.unwrap_or(u64::MAX),
                cancels: limits.window_cancels.unwrap_or(u64::MAX),
                messages_per_trade: limits.messages_per_trade.unwrap_or(u64::MAX),
            };
            if exposure != ExposureLimits::NONE {
                exposures.insert(name.clone(), exposure);
            }
            if activity != ActivityLimits::NONE {
                activities.insert(name.clone(), activity);
            }
        }
        (exposures, activities)
    }

    /// A limit in money, in millionths: a positive 64-bit number.
    fn money_limit(&mut self, path: &[&str], amount: Option<Amount>) -> u64 {
        let Some(amount) = amount else { return u64::MAX };
        let micros = i64::try_from(amount.raw() / 1_000).ok().filter(|_| amount.raw() % 1_000 == 0);
        micros.filter(|micros| *micros > 0).map_or_else(
            || {
                let path: Vec<_> = path.iter().map(|step| Step::Key((*step).to_owned())).collect();
                self.refuse(
                    &path,
                    amount,
                    "an amount from 0.000001 to 9223372036854, with six decimals at most",
                );
                u64::MAX
            },
            i64::unsigned_abs,
        )
    }
}

/// Largest fee of a unit, in 1e-9: a million.
const FEE_NANOS_MAX: u64 = 1_000_000_000_000_000;

/// `HH:MM` after midnight.
fn time_of_day(text: &str) -> Option<Nanos> {
    let (hours, minutes) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
    let number = |part: &str, most: u64| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|n: &u64| digits && *n <= most)
    };
    Some(Nanos((number(hours, 23)? * 60 + number(minutes, 59)?) * 60 * Nanos::SECOND.0))
}
