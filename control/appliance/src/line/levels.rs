//! What the configuration says of levels (strategies, accounts, desks, traders, the firm), by the numbers of a gate.

use control::config::{DeclaredScopes, Plan};
use control::names::{Name, Scope};
use control::protocol::{GrantGroup, GrantLevels};
use gate::{ActivityLimits, ExposureLimits, GROUP_KINDS, GateConfig, GroupConfig, GroupKind, TimesInForce};
use std::collections::BTreeMap;

/// Limits by the numbers of strategies and accounts, and their groups.
#[derive(Default)]
pub(crate) struct Levels {
    strategies: Vec<ExposureLimits>,
    accounts: Vec<ExposureLimits>,
    strategy_activity: Vec<ActivityLimits>,
    account_activity: Vec<ActivityLimits>,
    strategy_loss: Vec<u64>,
    account_loss: Vec<u64>,
    groups: Vec<GroupConfig>,
    strategy_groups: Vec<[Option<u16>; GROUP_KINDS]>,
    times_in_force: Vec<TimesInForce>,
}

impl Levels {
    /// Of all that are declared, in the order of their names.
    pub(crate) fn of(plan: &Plan) -> Self {
        let scopes = &plan.scopes;
        let (strategies, accounts) = (|| scopes.strategies.keys(), || scopes.accounts.iter());
        let mut groups = Groups::default();
        let strategy_groups = strategies().map(|name| groups.of(plan, name, false)).collect();
        Self {
            strategies: in_order(strategies(), &scopes.strategy_limits, ExposureLimits::NONE),
            accounts: in_order(accounts(), &scopes.account_limits, ExposureLimits::NONE),
            strategy_activity: in_order(strategies(), &scopes.strategy_activity, ActivityLimits::NONE),
            account_activity: in_order(accounts(), &scopes.account_activity, ActivityLimits::NONE),
            strategy_loss: strategies().map(|name| scopes.loss(&Scope::Strategy(name.clone()))).collect(),
            account_loss: accounts().map(|name| scopes.loss(&Scope::Account(name.clone()))).collect(),
            groups: groups.all,
            strategy_groups,
            times_in_force: in_order(strategies(), &scopes.times_in_force, TimesInForce::ANY),
        }
    }

    /// `config` with these limits.
    pub(crate) fn within<'a>(&'a self, config: GateConfig<'a>) -> GateConfig<'a> {
        GateConfig {
            strategy_limits: &self.strategies,
            account_limits: &self.accounts,
            strategy_activity: &self.strategy_activity,
            account_activity: &self.account_activity,
            strategy_loss: &self.strategy_loss,
            account_loss: &self.account_loss,
            groups: &self.groups,
            strategy_groups: &self.strategy_groups,
            strategy_times_in_force: &self.times_in_force,
            ..config
        }
    }
}

/// The groups of `strategies` that have limits, whole and in the order in which they are met: what they are, their limits, and those of
/// each strategy.
pub(crate) fn groups_of<'a>(
    plan: &Plan,
    strategies: impl Iterator<Item = &'a Name>,
) -> (Vec<Scope>, Vec<GroupConfig>, Vec<[Option<u16>; GROUP_KINDS]>) {
    let mut groups = Groups::default();
    let of = strategies.map(|name| groups.of(plan, name, false)).collect();
    (groups.scopes, groups.all, of)
}

/// The groups that have limits, as they are met.
#[derive(Default)]
struct Groups {
    all: Vec<GroupConfig>,
    scopes: Vec<Scope>,
    places: BTreeMap<Scope, u16>,
}

impl Groups {
    /// The desk, the trader and the firm of a strategy, where they have limits. `split`: the part of one client.
    fn of(&mut self, plan: &Plan, strategy: &Name, split: bool) -> [Option<u16>; GROUP_KINDS] {
        let [desk, trader] = plan.scopes.groups_of(strategy);
        let kinds =
            [(GroupKind::Desk, desk), (GroupKind::Trader, trader), (GroupKind::Firm, Some(Scope::Firm))];
        kinds.map(|(kind, scope)| self.place(plan, kind, scope?, split))
    }

    fn place(&mut self, plan: &Plan, kind: GroupKind, scope: Scope, split: bool) -> Option<u16> {
        if let Some(place) = self.places.get(&scope) {
            return Some(*place);
        }
        let clients = if split { clients_of(plan, &scope).count().max(1) as u64 } else { 1 };
        let (limits, loss) = (plan.scopes.group_limits(&scope), plan.scopes.loss(&scope));
        if limits == ExposureLimits::NONE && loss == u64::MAX {
            return None;
        }
        let share = |most: u64| if most == u64::MAX { most } else { most / clients };
        let limits = ExposureLimits {
            gross_micros: share(limits.gross_micros),
            net_micros: share(limits.net_micros),
            instrument_micros: share(limits.instrument_micros),
            credit_micros: share(limits.credit_micros),
        };
        let place = u16::try_from(self.all.len()).ok()?;
        self.all.push(GroupConfig { kind, limits, loss_micros: share(loss) });
        self.scopes.push(scope.clone());
        self.places.insert(scope, place);
        Some(place)
    }
}

/// The clients that have strategies of a group. The limits of one that has several are divided among them: each begins with an equal
/// part, and has more or less by its quota.
pub(crate) fn clients_of<'a>(plan: &'a Plan, group: &'a Scope) -> impl Iterator<Item = &'a Name> {
    let its = move |name: &Name| match group {
        Scope::Firm => true,
        Scope::Desk(_) | Scope::Account(_) | Scope::Strategy(_) | Scope::Trader(_) | Scope::Instrument(_) => {
            plan.scopes.groups_of(name).iter().flatten().any(|of| of == group)
        }
    };
    plan.clients.iter().filter(move |(_, client)| client.strategies.iter().any(its)).map(|(name, _)| name)
}

/// What a client is granted of levels, whose strategies and accounts have these numbers.
pub(crate) fn grant_levels(
    plan: &Plan,
    strategies: &BTreeMap<Name, u16>,
    accounts: &BTreeMap<Name, u16>,
) -> GrantLevels {
    let scopes: &DeclaredScopes = &plan.scopes;
    let mut groups = Groups::default();
    let loss = |number: &u16, scope: Scope| (*number, scopes.loss(&scope));
    let limited = |(_, most): &(u16, u64)| *most != u64::MAX;
    let credit = |limits: ExposureLimits| limits.credit_micros;
    let strategy_groups =
        strategies.iter().map(|(name, number)| (*number, groups.of(plan, name, true))).collect();
    let strategy_loss = strategies.iter().map(|(name, number)| loss(number, Scope::Strategy(name.clone())));
    let account_loss = accounts.iter().map(|(name, number)| loss(number, Scope::Account(name.clone())));
    let granted = |group: &GroupConfig| GrantGroup {
        kind: match group.kind {
            GroupKind::Desk => "desk",
            GroupKind::Trader => "trader",
            GroupKind::Firm => "firm",
        }
        .to_owned(),
        limits: exposure(group.limits),
        loss: group.loss_micros,
        credit: group.limits.credit_micros,
    };
    GrantLevels {
        strategy_loss: strategy_loss.filter(limited).collect(),
        account_loss: account_loss.filter(limited).collect(),
        strategy_credit: limits_of(strategies, &scopes.strategy_limits, credit)
            .into_iter()
            .filter(limited)
            .collect(),
        account_credit: limits_of(accounts, &scopes.account_limits, credit)
            .into_iter()
            .filter(limited)
            .collect(),
        groups: groups.all.iter().map(granted).collect(),
        quotas: None,
        strategy_groups,
        profit: scopes.counts_profit().then_some((plan.profit.day_start.0, plan.profit.fee_nanos_per_unit)),
        settlement_age_max_days: plan.profit.settlement_age_max_days,
        mark_age_max_ns: u64::from(plan.gate.mark_age_ms) * 1_000_000,
    }
}

/// As a grant has them.
pub(crate) fn exposure(limits: ExposureLimits) -> [u64; 3] {
    let ExposureLimits { gross_micros, net_micros, instrument_micros, .. } = limits;
    [gross_micros, net_micros, instrument_micros]
}

/// The limits of those of `numbers` that have any, by number.
pub(super) fn limits_of<L: Copy, G>(
    numbers: &BTreeMap<Name, u16>,
    limits: &BTreeMap<Name, L>,
    granted: impl Fn(L) -> G,
) -> BTreeMap<u16, G> {
    let limited = |(name, number): (&Name, &u16)| Some((*number, granted(*limits.get(name)?)));
    numbers.iter().filter_map(limited).collect()
}

/// The limits of `names` in their order; none where nobody has any.
fn in_order<'a, L: Copy>(
    names: impl Iterator<Item = &'a Name>,
    limits: &BTreeMap<Name, L>,
    none: L,
) -> Vec<L> {
    if limits.is_empty() {
        return Vec::new();
    }
    names.map(|name| limits.get(name).copied().unwrap_or(none)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::config::load;

    const TEXT: &str = "[firm.limits]\nmax_loss = 9\ncredit = 12\n[desk.d.limits]\nmax_gross = 4\n[trader.t.limits]\nmax_net = 3\n\
                        [account.a.limits]\nmax_loss = 5\ncredit = 8\n[account.b]\n[strategy.s]\ndesk = \"d\"\ntrader = \"t\"\n\
                        [strategy.u]\ndesk = \"d\"\n[strategy.v.limits]\nmax_loss = 7\ncredit = 6\n\
                        [client.one]\nuser = \"root\"\nstrategies = [\"s\", \"v\"]\naccounts = [\"a\"]\n\
                        [client.two]\nuser = \"root\"\nstrategies = [\"u\"]\naccounts = [\"b\"]\n";

    fn plan() -> Plan {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        std::fs::write(&path, TEXT).unwrap();
        load(&[path], &[]).unwrap()
    }

    /// Millionths.
    const ONE: u64 = 1_000_000;
    const NO: u64 = u64::MAX;

    #[test]
    fn clients_share_the_limits_of_groups_equally_and_have_their_own_whole() {
        let numbers = |names: &[(&str, u16)]| {
            names.iter().map(|(name, n)| (name.parse().unwrap(), *n)).collect::<BTreeMap<Name, u16>>()
        };
        let granted = |strategies, accounts| grant_levels(&plan(), &numbers(strategies), &numbers(accounts));
        let group =
            |kind: &str, limits, loss, credit| GrantGroup { kind: kind.to_owned(), limits, loss, credit };
        // The firm and the desk are of both, the trader of one alone.
        let (firm, desk) =
            (group("firm", [NO; 3], 9 * ONE / 2, 6 * ONE), group("desk", [2 * ONE, NO, NO], NO, NO));
        let one = granted(&[("s", 0), ("v", 2)], &[("a", 0)]);
        assert_eq!(one.groups, [desk.clone(), group("trader", [NO, 3 * ONE, NO], NO, NO), firm.clone()]);
        let of = [(0, [Some(0), Some(1), Some(2)]), (2, [None, None, Some(2)])];
        assert_eq!(one.strategy_groups, of.into());
        assert_eq!((one.strategy_loss, one.account_loss), ([(2, 7 * ONE)].into(), [(0, 5 * ONE)].into()));
        assert_eq!((one.strategy_credit, one.account_credit), ([(2, 6 * ONE)].into(), [(0, 8 * ONE)].into()));
        assert_eq!(
            (one.profit, one.settlement_age_max_days, one.mark_age_max_ns),
            (Some((0, 0)), 4, 100_000_000)
        );
        let two = granted(&[("u", 1)], &[("b", 1)]);
        assert_eq!(two.groups, [desk, firm]);
        assert!(two.strategy_loss.is_empty() && two.account_loss.is_empty());
        assert!(two.strategy_credit.is_empty() && two.account_credit.is_empty());
    }

    #[test]
    fn the_gate_of_the_daemon_has_them_whole() {
        let plan = plan();
        let levels = Levels::of(&plan);
        let config = levels.within(GateConfig::DEFAULT);
        assert_eq!(
            config.groups.iter().map(|group| group.loss_micros).collect::<Vec<_>>(),
            [NO, NO, 9 * ONE]
        );
        assert_eq!(config.groups[0].limits.gross_micros, 4 * ONE);
        assert_eq!(config.groups[2].limits.credit_micros, 12 * ONE);
        let credit = |limits: &[ExposureLimits]| limits.iter().map(|of| of.credit_micros).collect::<Vec<_>>();
        assert_eq!(credit(config.account_limits), [8 * ONE, NO]);
        assert_eq!(credit(config.strategy_limits), [NO, NO, 6 * ONE]);
        assert_eq!((config.strategy_loss, config.account_loss), (&[NO, NO, 7 * ONE][..], &[5 * ONE, NO][..]));
        let of = [[Some(0), Some(1), Some(2)], [Some(0), None, Some(2)], [None, None, Some(2)]];
        assert_eq!(config.strategy_groups, of);
    }
}
