//! Checks of `[limits]`: values that the gate can hold, floor, base and cap in order.

use super::check::{Checker, way};
use super::error::{ConfigError, Problem};
use super::schema::{self, Bounds};
use super::tree::{Step, dotted};
use crate::amount::Amount;
use crate::limits::LimitKey;
use crate::names::SymbolName;
use gate::{Envelope, RiskLimits};
use std::collections::BTreeMap;
use types::Qty;

/// The envelopes of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitPlan {
    /// Of every instrument that has none of its own.
    pub default: Envelope,
    /// Of the others, complete.
    pub by_symbol: BTreeMap<SymbolName, Envelope>,
}

impl LimitPlan {
    /// The configured envelope of one instrument.
    #[must_use]
    pub fn envelope(&self, symbol: SymbolName) -> &Envelope {
        self.by_symbol.get(&symbol).unwrap_or(&self.default)
    }
}

impl Checker<'_> {
    pub(super) fn limits(&mut self, limits: &schema::Limits) -> Option<LimitPlan> {
        let base = way("limits.default");
        for key in LimitKey::ALL.into_iter().filter(|key| !limits.default.contains_key(key)) {
            let mut path = base.clone();
            path.push(Step::Key(key.to_string()));
            let origin = self.tree.origin_near(&path);
            self.errors.push(ConfigError { origin, key: dotted(&path), problem: Problem::Missing });
        }
        let default = self.envelope(&base, &limits.default, None);
        let mut by_symbol = BTreeMap::new();
        for (symbol, own) in &limits.symbol {
            let mut path = way("limits.symbol");
            path.push(Step::Key(symbol.to_string()));
            if let Some(envelope) = self.envelope(&path, own, default.as_ref()) {
                by_symbol.insert(*symbol, envelope);
            }
        }
        default.map(|default| LimitPlan { default, by_symbol })
    }

    /// The envelope of one table; what it does not name comes from `under`. `None` when anything is wrong, said in
    /// `errors`.
    fn envelope(
        &mut self,
        path: &[Step],
        table: &BTreeMap<LimitKey, Bounds>,
        under: Option<&Envelope>,
    ) -> Option<Envelope> {
        let before = self.errors.len();
        let start = under.map_or([EMPTY; 3], |e| [*e.floor(), *e.base(), *e.cap()]);
        let [mut floor, mut base, mut cap] = start;
        for (key, bounds) in table {
            let mut way = path.to_vec();
            way.push(Step::Key(key.to_string()));
            self.bound(&way, "floor", *key, bounds.floor, &mut floor);
            self.bound(&way, "base", *key, bounds.base, &mut base);
            self.bound(&way, "cap", *key, bounds.cap, &mut cap);
            self.order(&way, *key, bounds);
        }
        if self.errors.len() > before {
            return None;
        }
        Envelope::new(floor, base, cap)
            .map_err(|error| self.refuse(path, error, "floor, base and cap in order"))
            .ok()
    }

    fn bound(&mut self, path: &[Step], which: &str, key: LimitKey, amount: Amount, set: &mut RiskLimits) {
        let outcome = key.to_gate(amount).map_err(|range| range.to_string());
        let outcome = outcome.and_then(|v| set.with(key.parameter(), v).map_err(|e| e.to_string()));
        match outcome {
            Ok(changed) => *set = changed,
            Err(wanted) => {
                let mut path = path.to_vec();
                path.push(Step::Key(which.to_owned()));
                self.refuse(&path, amount, wanted);
            }
        }
    }

    fn order(&mut self, path: &[Step], key: LimitKey, bounds: &Bounds) {
        let up = key.parameter().tightens_upward();
        let ordered = |tight: Amount, loose: Amount| if up { tight >= loose } else { tight <= loose };
        if !ordered(bounds.floor, bounds.base) || !ordered(bounds.base, bounds.cap) {
            let found = format!("floor {}, base {}, cap {}", bounds.floor, bounds.base, bounds.cap);
            let sign = if up { ">=" } else { "<=" };
            self.refuse(
                path,
                found,
                format!("floor {sign} base {sign} cap (floor is the tightest, cap the loosest)"),
            );
        }
    }
}

/// The tightest legal set; every field is overwritten before it is used.
const EMPTY: RiskLimits = RiskLimits {
    max_qty: Qty(1),
    max_notional_micros: 1,
    collar_bps: 1,
    passive_min_ticks: u16::MAX as u32,
    max_pos_long: 0,
    max_pos_short: 0,
    order_rate_per_s: 1,
    order_burst: 1,
    margin_bps: u16::MAX as u32,
};
