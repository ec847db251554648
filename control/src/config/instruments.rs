//! Checks of `[firm]`, `[instrument]` and `[fx]`: what an instrument's prices mean in money.

use super::check::{Checker, way};
use super::schema::Config;
use super::schema_firm;
use super::tree::Step;
use crate::amount::Amount;
use crate::protocol::SettlementMissing;
use crate::stamp::{Stamp, date_text, parse_date};
use gate::{
    CURRENCIES_MAX, CurrencyId, InstrumentTerms, MULTIPLIER_MICROS_MAX, MoneyRules, ProfitRules,
    RATE_NANOS_MAX, SIGNED_PX_MAX, TradeDate,
};
use std::collections::{BTreeMap, BTreeSet};
use types::{Nanos, Px, Qty, Symbol, UnixNanos};

/// One declared instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// What its prices mean in money.
    pub terms: InstrumentTerms,
    /// What quantities are multiples of.
    pub lot: Qty,
}

/// A rate to the firm's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FxRate {
    /// Of which currency.
    pub currency: CurrencyId,
    /// What one unit of it is worth, in 1e-9 of the firm's.
    pub rate_nanos: u64,
    /// When it was.
    pub at: UnixNanos,
}

/// Everything declared of instruments and rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentPlan {
    /// The declared instruments.
    pub by_symbol: BTreeMap<Symbol, Instrument>,
    /// The rates of the start.
    pub rates: Vec<FxRate>,
    /// The currencies by their numbers, the firm's first.
    pub currencies: Vec<String>,
    rules: MoneyRules,
}

impl InstrumentPlan {
    /// How a gate counts money; none where every price is money as it stands.
    #[must_use]
    pub fn money(&self) -> Option<MoneyRules> {
        let plain = |instrument: &Instrument| instrument.terms == InstrumentTerms::PLAIN;
        let counts = !self.rules.undeclared_is_plain || !self.by_symbol.values().all(plain);
        counts.then_some(self.rules)
    }

    /// The declared settlement prices that the firm's day at `now` does not begin with; none when it begins with all.
    #[must_use]
    pub fn settlement_missing(&self, profit: &ProfitRules, now: UnixNanos) -> Option<SettlementMissing> {
        let other = |terms: &InstrumentTerms| {
            terms.settlement.is_some() && !profit.settles(terms.settlement_date, now)
        };
        let its = self.by_symbol.iter().filter(|(_, instrument)| other(&instrument.terms));
        SettlementMissing::of(
            date_text(profit.trade_date(now)),
            its.map(|(symbol, _)| (*symbol).into()).collect(),
        )
    }

    /// What a quantity of the instrument is a multiple of.
    #[must_use]
    pub fn lot(&self, symbol: Symbol) -> Qty {
        self.by_symbol.get(&symbol).map_or(Qty(1), |instrument| instrument.lot)
    }
}

/// The firm's, unless the configuration says another one.
const DEFAULT_CURRENCY: &str = "USD";

/// A currency's code (ISO 4217 has three letters; others may be longer).
fn is_code(name: &str) -> bool {
    (3..=8).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase())
}

/// The way to a key of one table.
fn at(table: &str, name: impl ToString, key: &str) -> Vec<Step> {
    let mut path = way(table);
    path.extend([Step::Key(name.to_string()), Step::Key(key.to_owned())]);
    path
}

impl Checker<'_> {
    pub(super) fn instruments(&mut self, config: &Config) -> InstrumentPlan {
        let firm = &config.firm.currency;
        self.code(&way("firm.currency"), firm);
        self.range("fx.rate_age_max_s", config.fx.rate_age_max_s, 1, 31_536_000);
        let named = config.instrument.values().filter_map(|instrument| instrument.currency.as_ref());
        let others: BTreeSet<&String> =
            named.chain(config.fx.rate.keys()).filter(|name| *name != firm).collect();
        let currencies: Vec<String> = [firm].into_iter().chain(others).cloned().collect();
        if currencies.len() > CURRENCIES_MAX {
            let found = format!("{} currencies", currencies.len());
            self.refuse(&way("instrument"), found, format!("at most {CURRENCIES_MAX}"));
        }
        let number = |name: &String| {
            let at = currencies.iter().position(|currency| currency == name).unwrap_or_default();
            CurrencyId(u8::try_from(at).unwrap_or(u8::MAX))
        };
        let declared = config.instrument.iter().map(|(symbol, instrument)| {
            let currency = instrument.currency.as_ref().map_or(CurrencyId(0), number);
            (symbol.symbol(), self.instrument(*symbol, instrument, currency))
        });
        let by_symbol: BTreeMap<Symbol, Instrument> = declared.collect();
        let rates = config.fx.rate.iter().filter_map(|(name, rate)| self.rate(name, rate, number(name)));
        let rates = rates.collect();
        let rate_age_max = Nanos(u64::from(config.fx.rate_age_max_s) * Nanos::SECOND.0);
        let plain = |instrument: &Instrument| instrument.terms == InstrumentTerms::PLAIN;
        let none = by_symbol.values().all(plain) && currencies.len() == 1 && firm == DEFAULT_CURRENCY;
        let undeclared_is_plain = match config.instruments.undeclared {
            schema_firm::Undeclared::PlainIfNone => none,
            schema_firm::Undeclared::Plain => true,
            schema_firm::Undeclared::Refuse => false,
        };
        let rules = MoneyRules { rate_age_max, undeclared_is_plain };
        InstrumentPlan { by_symbol, rates, currencies, rules }
    }

    fn code(&mut self, path: &[Step], name: &str) {
        if !is_code(name) {
            self.refuse(
                path,
                format!("\"{name}\""),
                "a currency's code, such as \"USD\": 3 to 8 capital letters",
            );
        }
    }

    fn instrument(
        &mut self,
        symbol: crate::names::SymbolName,
        instrument: &schema_firm::Instrument,
        currency: CurrencyId,
    ) -> Instrument {
        let path = |key: &str| at("instrument", symbol, key);
        if let Some(name) = &instrument.currency {
            self.code(&path("currency"), name);
        }
        let micros = instrument.multiplier.raw() / 1_000;
        let multiplier_micros = u64::try_from(micros).unwrap_or(u64::MAX);
        let exact = instrument.multiplier.raw() % 1_000 == 0;
        if !exact || !(1..=MULTIPLIER_MICROS_MAX).contains(&multiplier_micros) {
            self.refuse(
                &path("multiplier"),
                instrument.multiplier,
                "0.000001 to 1000000, with six decimals at most",
            );
        }
        let lot = instrument.lot.to_whole().and_then(|lot| u32::try_from(lot).ok()).filter(|lot| *lot != 0);
        if lot.is_none() {
            self.refuse(&path("lot"), instrument.lot, "a whole number from 1 to 4294967295");
        }
        let worth_min = instrument.worth_min.map_or(Px::NONE, |amount| {
            let px = i64::try_from(amount.raw()).ok().filter(|px| (1..=SIGNED_PX_MAX.0).contains(px));
            if px.is_none() {
                self.refuse(&path("worth_min"), amount, format!("a price above 0, at most {SIGNED_PX_MAX}"));
            }
            px.map_or(Px::NONE, Px)
        });
        let settlement = instrument.settlement.as_ref().map_or(Px::NONE, |text| {
            let px = text.parse::<Px>().ok().filter(|px| px.0 > 0 || worth_min.is_some());
            if px.is_none() {
                self.refuse(
                    &path("settlement"),
                    format!("\"{text}\""),
                    "a price, such as \"18.27\"; above 0 without worth_min",
                );
            }
            px.unwrap_or(Px::NONE)
        });
        let settlement_date = self.settlement_date(&path("settlement_date"), instrument);
        let terms = InstrumentTerms { multiplier_micros, currency, worth_min, settlement, settlement_date };
        Instrument { terms, lot: Qty(lot.unwrap_or(1)) }
    }

    fn settlement_date(&mut self, path: &[Step], instrument: &schema_firm::Instrument) -> TradeDate {
        let Some(text) = &instrument.settlement_date else { return TradeDate::NONE };
        if instrument.settlement.is_none() {
            self.refuse(path, "a date alone", "the settlement price of that day too");
        }
        parse_date(text).unwrap_or_else(|| {
            self.refuse(path, format!("\"{text}\""), "a trading day such as \"2026-11-27\"");
            TradeDate::NONE
        })
    }

    fn rate(&mut self, name: &str, rate: &schema_firm::FxRate, currency: CurrencyId) -> Option<FxRate> {
        let mut path = way("fx.rate");
        path.push(Step::Key(name.to_owned()));
        self.code(&path, name);
        if currency.0 == 0 {
            self.refuse(
                &path,
                format!("a rate of \"{name}\""),
                "none: it is the firm's own currency, worth one",
            );
        }
        let rate_nanos = u64::try_from(rate.rate.raw()).ok().filter(|n| (1..=RATE_NANOS_MAX).contains(n));
        if rate_nanos.is_none() {
            self.refuse(
                &at("fx.rate", name, "rate"),
                rate.rate,
                "what one of it is worth: 0.000000001 to 1000000",
            );
        }
        let at: Option<Stamp> = match rate.at.parse() {
            Ok(stamp) => Some(stamp),
            Err(error) => {
                self.refuse(&self::at("fx.rate", name, "at"), format!("\"{}\"", rate.at), error);
                None
            }
        };
        Some(FxRate { currency, rate_nanos: rate_nanos?, at: at?.0 })
    }
}

/// One, as an amount.
pub(super) const fn one() -> Amount {
    Amount::whole(1)
}
