//! What the configuration declares of instruments, said to the gate of each as the feed names it.

use super::notes::Defined;
use control::config::InstrumentPlan;
use gate::{InstrumentTerms, TermsError, TermsWriter};
use types::{Qty, Symbol};

/// Reference data and rates, and who writes them.
pub(crate) struct Declared {
    writer: TermsWriter,
    plan: InstrumentPlan,
}

impl Declared {
    /// Of `plan`, whose rates hold from now on.
    pub(crate) fn new(mut writer: TermsWriter, plan: &InstrumentPlan) -> Self {
        plan.rates.iter().for_each(|rate| writer.rate(rate.currency, rate.rate_nanos, rate.at));
        Self { writer, plan: plan.clone() }
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
