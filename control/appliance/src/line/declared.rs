//! What the configuration declares of instruments, said to the gate of each as the feed names it.

use super::notes::Defined;
use control::config::{InstrumentPlan, Plan};
use control::protocol::SettlementMissing;
use gate::{InstrumentTerms, ProfitRules, TermsError, TermsWriter};
use types::{Qty, Symbol, UnixNanos};

/// Reference data and rates, and who writes them.
pub(crate) struct Declared {
    writer: TermsWriter,
    plan: InstrumentPlan,
    /// None where no loss is limited.
    profit: Option<ProfitRules>,
}

impl Declared {
    /// Of `plan`, whose rates hold from now on.
    pub(crate) fn new(mut writer: TermsWriter, plan: &Plan) -> Self {
        let profit = plan.scopes.counts_profit().then_some(plan.profit);
        let plan = plan.instruments.clone();
        plan.rates.iter().for_each(|rate| writer.rate(rate.currency, rate.rate_nanos, rate.at));
        Self { writer, plan, profit }
    }

    /// Settlement prices that the firm's day at `now` does not begin with.
    pub(crate) fn settlement_missing(&self, now: UnixNanos) -> Option<SettlementMissing> {
        self.profit.as_ref().and_then(|rules| self.plan.settlement_missing(rules, now))
    }

    /// An instrument got its number. To be called before its limits are published: without them none of its orders passes.
    ///
    /// # Errors
    /// [`TermsError`]: nothing is known of it, and orders that add to a position in it are refused.
    pub(crate) fn define(&mut self, defined: Defined) -> Result<(), TermsError> {
        let plain = self.plan.money().is_none_or(|rules| rules.undeclared_is_plain);
        let declared = self.plan.by_symbol.get(&defined.symbol).map(|instrument| instrument.terms);
        let terms = declared.or(plain.then_some(InstrumentTerms::PLAIN));
        match terms {
            Some(terms) => self.writer.define(defined.instrument, &terms),
            None => self.writer.forget(defined.instrument),
        }
    }

    /// What its quantities are multiples of.
    pub(crate) fn lot(&self, symbol: Symbol) -> Qty {
        self.plan.lot(symbol)
    }
}
