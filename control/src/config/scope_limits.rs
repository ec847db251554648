//! Checks of `[strategy.NAME.limits]` and `[account.NAME.limits]`: what each may hold over all instruments, and do within a time.

use super::check::Checker;
use super::schema_firm::ScopeLimits;
use super::tree::Step;
use crate::amount::Amount;
use crate::names::Name;
use gate::{ActivityLimits, ExposureLimits};
use std::collections::BTreeMap;

/// The limits of those that have any.
type Limits = (BTreeMap<Name, ExposureLimits>, BTreeMap<Name, ActivityLimits>);

impl Checker<'_> {
    pub(super) fn scope_limits<'a>(
        &mut self,
        table: &str,
        scopes: impl Iterator<Item = (&'a Name, &'a ScopeLimits)>,
    ) -> Limits {
        let (mut exposures, mut activities) = (BTreeMap::new(), BTreeMap::new());
        for (name, limits) in scopes {
            let mut money = |key: &str, amount: Option<Amount>| {
                self.money_limit([table, name.as_str(), "limits", key], amount)
            };
            let exposure = ExposureLimits {
                gross_micros: money("max_gross", limits.max_gross),
                net_micros: money("max_net", limits.max_net),
                instrument_micros: money("max_instrument", limits.max_instrument),
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
    fn money_limit(&mut self, path: [&str; 4], amount: Option<Amount>) -> u64 {
        let Some(amount) = amount else { return u64::MAX };
        let micros = i64::try_from(amount.raw() / 1_000).ok().filter(|_| amount.raw() % 1_000 == 0);
        micros.filter(|micros| *micros > 0).map_or_else(
            || {
                let path = path.map(|step| Step::Key(step.to_owned()));
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
