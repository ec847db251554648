//! What the levels of the firm may: those that were named and those above them, limit by limit.

use super::plane::{Controller, refuse};
use crate::amount::Amount;
use crate::backend::QuotaView;
use crate::config::DeclaredScopes;
use crate::names::Scope;
use crate::protocol::{ClientQuota, LevelRow, Refusal, RefusalKind, Reply};
use gate::{ActivityLimits, ExposureLimits};

/// Scopes in one question: of an order a strategy and an account, and some more.
const SCOPES_MAX: usize = 64;

/// A limit of a level: its key, its unit, and its value at a level, the largest number for none.
struct Column {
    key: &'static str,
    unit: &'static str,
    value: fn(&DeclaredScopes, &Scope) -> u64,
}

/// All of them, in the order of the configuration's page.
const COLUMNS: [Column; 10] = [
    money("max_gross", |of, scope| exposure(of, scope).gross_micros),
    money("max_net", |of, scope| exposure(of, scope).net_micros),
    money("max_instrument", |of, scope| exposure(of, scope).instrument_micros),
    money("credit", |of, scope| exposure(of, scope).credit_micros),
    money("max_loss", DeclaredScopes::loss),
    money("window_value", |of, scope| activity(of, scope).value_micros),
    count("window_qty", "shares", |of, scope| activity(of, scope).qty),
    count("window_messages", "messages", |of, scope| activity(of, scope).messages),
    count("window_cancels", "cancels", |of, scope| activity(of, scope).cancels),
    count("messages_per_trade", "messages_per_trade", |of, scope| activity(of, scope).messages_per_trade),
];

const CURRENCY: &str = "currency";

const fn money(key: &'static str, value: fn(&DeclaredScopes, &Scope) -> u64) -> Column {
    Column { key, unit: CURRENCY, value }
}

const fn count(key: &'static str, unit: &'static str, value: fn(&DeclaredScopes, &Scope) -> u64) -> Column {
    Column { key, unit, value }
}

fn exposure(of: &DeclaredScopes, scope: &Scope) -> ExposureLimits {
    match scope {
        Scope::Strategy(name) => of.strategy_limits.get(name).copied(),
        Scope::Account(name) => of.account_limits.get(name).copied(),
        Scope::Firm | Scope::Desk(_) | Scope::Trader(_) => Some(of.group_limits(scope)),
        Scope::Instrument(_) => None,
    }
    .unwrap_or(ExposureLimits::NONE)
}

fn activity(of: &DeclaredScopes, scope: &Scope) -> ActivityLimits {
    match scope {
        Scope::Strategy(name) => of.strategy_activity.get(name).copied(),
        Scope::Account(name) => of.account_activity.get(name).copied(),
        Scope::Firm | Scope::Desk(_) | Scope::Trader(_) | Scope::Instrument(_) => None,
    }
    .unwrap_or(ActivityLimits::NONE)
}

/// The levels that were named, each once, and those that an order of one is held to as well.
fn with_those_above(of: &DeclaredScopes, named: &[Scope]) -> Vec<Scope> {
    let mut levels: Vec<Scope> = Vec::new();
    let groups = named.iter().flat_map(|scope| match scope {
        Scope::Strategy(name) => of.groups_of(name),
        Scope::Firm | Scope::Desk(_) | Scope::Account(_) | Scope::Trader(_) | Scope::Instrument(_) => {
            [None, None]
        }
    });
    let all = named.iter().cloned().chain(groups.flatten()).filter(|scope| *scope != Scope::Firm);
    for scope in all.chain([Scope::Firm]) {
        if !levels.contains(&scope) {
            levels.push(scope);
        }
    }
    levels
}

/// How a level's limit is divided.
fn quotas_of(all: &[QuotaView], scope: &Scope, key: &str) -> Vec<ClientQuota> {
    let of = all.iter().filter(|view| view.scope == *scope && view.limit == key);
    let quota = |view: &QuotaView| ClientQuota {
        client: view.client.clone(),
        quota: of_micros(view.quota),
        used: view.used.map(of_micros),
    };
    of.map(quota).collect()
}

fn rows(of: &DeclaredScopes, named: &[Scope], quotas: &[QuotaView]) -> Vec<LevelRow> {
    let levels = with_those_above(of, named);
    let mut rows = Vec::new();
    for Column { key, unit, value } in &COLUMNS {
        let limited =
            levels.iter().map(|scope| (scope, value(of, scope))).filter(|(_, most)| *most != u64::MAX);
        let least = limited.clone().map(|(_, most)| most).min();
        rows.extend(limited.map(|(scope, most)| LevelRow {
            limit: (*key).to_owned(),
            unit: (*unit).to_owned(),
            scope: scope.clone(),
            value: if *unit == CURRENCY { of_micros(most) } else { Amount::whole(most) },
            lowest: Some(most) == least,
            quotas: quotas_of(quotas, scope, key),
        }));
    }
    rows
}

/// An amount of so many millionths.
fn of_micros(micros: u64) -> Amount {
    let raw = i128::from(micros) * (Amount::SCALE / 1_000_000);
    Amount::from_raw(raw).unwrap_or(Amount::MAX)
}

impl Controller {
    pub(super) fn levels_show(&self, scopes: &[Scope]) -> Result<Reply, Refusal> {
        if scopes.is_empty() || scopes.len() > SCOPES_MAX {
            let message = format!("found {} scopes, wanted 1 to {SCOPES_MAX}", scopes.len());
            return refuse(RefusalKind::BadRequest, message);
        }
        for scope in scopes {
            if let Scope::Instrument(symbol) = scope {
                let message = format!("the limits of an instrument are those of `limits show {symbol}`");
                return refuse(RefusalKind::BadRequest, message);
            }
            self.known(scope)?;
        }
        Ok(Reply::Levels(rows(&self.scopes, scopes, &self.backend.quotas())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firm() -> DeclaredScopes {
        let set = [
            "desk.d.limits.max_gross=900",
            "desk.d.limits.max_loss=50",
            "trader.t.limits.max_gross=\"899.5\"",
            "strategy.s.desk=\"d\"",
            "strategy.s.trader=\"t\"",
            "strategy.s.limits.max_gross=1000",
            "strategy.s.limits.window_qty=70",
            "strategy.lone.time_in_force=[\"day\"]",
            "account.a.limits.max_net=40",
            "account.a.limits.window_qty=60",
            "account.a.limits.messages_per_trade=9",
            "firm.limits.max_loss=50",
            "firm.limits.max_gross=5000",
        ];
        crate::config::load(&[], &set.map(str::to_owned)).unwrap().scopes
    }

    fn said(named: &[&str]) -> Vec<String> {
        let named: Vec<Scope> = named.iter().map(|scope| scope.parse().unwrap()).collect();
        let mark = |row: &LevelRow| if row.lowest { " *" } else { "" };
        let row = |row: LevelRow| format!("{} {} {}{}", row.limit, row.scope, row.value, mark(&row));
        rows(&firm(), &named, &[]).into_iter().map(row).collect()
    }

    #[test]
    fn a_strategy_is_held_to_its_own_limits_and_those_of_desk_trader_and_firm() {
        let wanted = [
            "max_gross strategy:s 1000",
            "max_gross desk:d 900",
            "max_gross trader:t 899.50 *",
            "max_gross firm 5000",
            "max_loss desk:d 50 *",
            "max_loss firm 50 *",
            "window_qty strategy:s 70 *",
        ];
        assert_eq!(said(&["strategy:s"]), wanted);
        assert_eq!(said(&["strategy:lone"]), said(&["firm"]));
        assert_eq!(said(&["firm"]), ["max_gross firm 5000 *", "max_loss firm 50 *"]);
    }

    #[test]
    fn of_an_order_both_sides_of_the_firm_are_asked_for_at_once() {
        let of_both = said(&["strategy:s", "account:a", "strategy:s", "firm"]);
        let of_qty = of_both.iter().filter(|row| row.starts_with("window_qty")).collect::<Vec<_>>();
        assert_eq!(of_qty, ["window_qty strategy:s 70", "window_qty account:a 60 *"]);
        assert_eq!(of_both.len(), 10, "{of_both:?}");
    }

    #[test]
    fn a_limit_that_clients_share_says_what_each_has_and_uses_of_it() {
        let view = |client: &str, scope: &str, limit, used| QuotaView {
            client: client.parse().unwrap(),
            scope: scope.parse().unwrap(),
            limit,
            quota: 450_500_000,
            used,
        };
        let quotas = [
            view("one", "desk:d", "max_gross", Some(1)),
            view("two", "desk:d", "max_gross", None),
            view("one", "firm", "max_gross", Some(7)),
            view("one", "desk:d", "max_loss", Some(9)),
        ];
        let rows = rows(&firm(), &["desk:d".parse().unwrap()], &quotas);
        let of = |quota: &ClientQuota| {
            format!("{} {} {:?}", quota.client, quota.quota, quota.used.map(|used| used.to_string()))
        };
        let said = |row: &LevelRow| row.quotas.iter().map(of).collect::<Vec<_>>();
        let gross = rows.iter().find(|row| row.limit == "max_gross" && row.scope != Scope::Firm).unwrap();
        assert_eq!(said(gross), ["one 450.50 Some(\"0.000001\")", "two 450.50 None"]);
        let loss = rows.iter().filter(|row| row.limit == "max_loss").collect::<Vec<_>>();
        assert_eq!((said(loss[0]).len(), said(loss[1]).len()), (1, 0));
    }
}
