//! What a price of an instrument means in money: quantity × price × multiplier × rate to the firm's currency, exact in integers.

use types::{InstrumentId, Nanos, Px, UnixNanos};

use crate::{
    memory::Memory,
    price::{SIGNED_PX_MAX, price_word, size, size_of_two, word_price},
    slot::{SeqSlot, SlotFault},
    table_error::TableError,
};

/// Words of an instrument's terms: `unusable:1 at 57 | negative:1 at 56 | currency:8 at 48 | multiplier:48`, the least worth, the
/// settlement price, and the day it is of. Terms that are unusable have no multiplier.
pub(crate) const TERMS_WORDS: usize = 4;
/// Those of an instrument of which nothing is said any more.
pub(crate) const NOTHING_SAID: [u64; TERMS_WORDS] = [0; TERMS_WORDS];
/// Of terms out of their range: they are said, and mean nothing.
const UNUSABLE: u64 = 1 << 57;
/// Words of a rate: in 1e-9, and when it was one.
pub(crate) const RATE_WORDS: usize = 2;

/// Currencies there can be at most, the firm's own among them.
pub const CURRENCIES_MAX: usize = 64;

/// Largest multiplier, in millionths: a million units.
pub const MULTIPLIER_MICROS_MAX: u64 = 1_000_000_000_000;

/// Largest rate, in 1e-9 of the firm's currency: a million of it for one.
pub const RATE_NANOS_MAX: u64 = 1_000_000_000_000_000;

/// The product of an order's parts is in 1e-24 of the firm's currency (price 1e-9, multiplier 1e-6, rate 1e-9), a value in 1e-9.
const VALUE_PER_PRODUCT: u128 = 1_000_000_000_000_000;

/// A currency by its number; 0 is the firm's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct CurrencyId(pub u8);

/// A trading day by its date: days since 1 January 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TradeDate(pub u32);

impl TradeDate {
    /// No day that anybody knows.
    pub const NONE: Self = Self(0);
}

/// Reference data of an instrument: what its prices mean in money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentTerms {
    /// Units of the underlying that one contract stands for, in millionths: 1 to [`MULTIPLIER_MICROS_MAX`].
    pub multiplier_micros: u64,
    /// What its prices are in.
    pub currency: CurrencyId,
    /// Of an instrument that may trade at zero or below: the price that it counts as worth at least, for values and for limits in
    /// basis points, above 0 and at most [`SIGNED_PX_MAX`]. [`Px::NONE`] for one whose prices are positive.
    pub worth_min: Px,
    /// The last settlement price, [`Px::NONE`] when it is not known.
    pub settlement: Px,
    /// The trading day whose close that is. Without it, and on another day than the next ones ([`crate::ProfitRules::settles`]), no
    /// profit or loss is counted from the price.
    pub settlement_date: TradeDate,
}

impl InstrumentTerms {
    /// One unit a contract, in the firm's currency, prices positive: what an instrument is of which nothing was said.
    pub const PLAIN: Self = Self {
        multiplier_micros: 1_000_000,
        currency: CurrencyId(0),
        worth_min: Px::NONE,
        settlement: Px::NONE,
        settlement_date: TradeDate::NONE,
    };

    /// Whether its prices may be zero or negative.
    #[must_use]
    pub const fn may_be_negative(&self) -> bool {
        self.worth_min.0 > 0 && self.worth_min.0 <= SIGNED_PX_MAX.0
    }

    pub(crate) fn pack(&self) -> [u64; TERMS_WORDS] {
        let signed = self.may_be_negative();
        let usable = self.is_usable();
        let multiplier = if usable { self.multiplier_micros } else { UNUSABLE };
        let least = if signed { self.worth_min.0.unsigned_abs() } else { 0 };
        let first = multiplier | u64::from(self.currency.0) << 48 | u64::from(signed) << 56;
        [first, least, price_word(self.settlement, signed), self.settlement_date.0.into()]
    }

    /// Whether each number is in its range. Nothing is brought into it: a multiplier cut to the largest is another contract's.
    const fn is_usable(&self) -> bool {
        let multiplier = self.multiplier_micros != 0 && self.multiplier_micros <= MULTIPLIER_MICROS_MAX;
        multiplier && (self.may_be_negative() || self.worth_min.0 == Px::NONE.0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the fields' widths in the layout")]
    const fn unpack(words: [u64; TERMS_WORDS]) -> Self {
        let [first, least, settlement, date] = words;
        Self {
            multiplier_micros: first & ((1 << 48) - 1),
            currency: CurrencyId((first >> 48) as u8),
            worth_min: if least == 0 { Px::NONE } else { Px(least.cast_signed()) },
            settlement: word_price(settlement),
            settlement_date: TradeDate(date as u32),
        }
    }
}

/// How a gate counts money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneyRules {
    /// Oldest rate to the firm's currency that is believed.
    pub rate_age_max: Nanos,
    /// Whether an instrument of which nothing was said is taken for [`InstrumentTerms::PLAIN`]; else its orders are refused.
    pub undeclared_is_plain: bool,
}

/// The rows of terms and rates, beside the prices of [`crate::RefReader`].
#[derive(Clone, Copy)]
pub(crate) struct TermsRows {
    pub terms: &'static [SeqSlot<TERMS_WORDS>],
    pub rates: &'static [SeqSlot<RATE_WORDS>],
}

impl TermsRows {
    pub(crate) fn lay_out(memory: &mut impl Memory, instruments: usize) -> Result<Self, TableError> {
        Ok(Self { terms: memory.rows(instruments)?, rates: memory.rows(CURRENCIES_MAX)? })
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.terms) + size_of_val(self.rates)
    }

    /// The terms of an instrument.
    pub(crate) fn terms(&self, instrument: InstrumentId) -> Result<InstrumentTerms, SlotFault> {
        let slot = self.terms.get(instrument.index()).ok_or(SlotFault::Empty)?;
        match slot.read::<TERMS_WORDS>()? {
            NOTHING_SAID => Err(SlotFault::Empty),
            words => Ok(InstrumentTerms::unpack(words)),
        }
    }

    /// The price that an instrument counts as worth at least; 0 of one whose prices are positive.
    pub(crate) fn least(&self, instrument: InstrumentId) -> u64 {
        let terms = self.terms(instrument);
        terms
            .ok()
            .filter(InstrumentTerms::may_be_negative)
            .map_or(0, |terms| terms.worth_min.0.unsigned_abs())
    }

    fn rate(&self, currency: CurrencyId, now: UnixNanos, age_max: Nanos) -> Rate {
        if currency.0 == 0 {
            return Rate::Known(1_000_000_000);
        }
        let words = self.rates.get(usize::from(currency.0)).and_then(|slot| slot.read::<RATE_WORDS>().ok());
        match words {
            None | Some([0, _]) => Rate::Missing,
            Some([rate, at]) => match now.0.abs_diff(at) {
                age if age > age_max.0 => Rate::Stale(Nanos(age)),
                _ => Rate::Known(rate),
            },
        }
    }

    /// What an order's prices mean in money at `now`.
    pub(crate) fn worth(&self, instrument: InstrumentId, rules: &MoneyRules, now: UnixNanos) -> Worth {
        let terms = match self.terms(instrument) {
            Ok(terms) => terms,
            Err(SlotFault::Empty) if rules.undeclared_is_plain => InstrumentTerms::PLAIN,
            Err(_) => return Worth { known: Known::NoTerms, ..Worth::PLAIN },
        };
        let signed = terms.may_be_negative();
        let least = if signed { terms.worth_min.0.unsigned_abs() } else { 0 };
        if !terms.is_usable() {
            return Worth { known: Known::NoTerms, plain: false, signed, least, ..Worth::PLAIN };
        }
        let (multiplier_micros, settlement) = (terms.multiplier_micros, price_word(terms.settlement, signed));
        let settlement_date = terms.settlement_date;
        let mut worth =
            Worth { signed, least, multiplier_micros, settlement, settlement_date, ..Worth::PLAIN };
        match self.rate(terms.currency, now, rules.rate_age_max) {
            Rate::Known(rate) => worth.rate_nanos = rate,
            Rate::Missing => worth.known = Known::NoRate,
            Rate::Stale(age) => worth.known = Known::OldRate(age),
        }
        worth.plain = !signed && worth.multiplier_micros == 1_000_000 && worth.rate_nanos == 1_000_000_000;
        worth
    }
}

enum Rate {
    Known(u64),
    Missing,
    Stale(Nanos),
}

/// Whether money can be counted at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Whole,
    /// Nothing was said of the instrument, or it cannot be read, or is out of its range.
    NoTerms,
    /// There is no rate from its currency.
    NoRate,
    /// It is so old.
    OldRate(Nanos),
}

/// What an instrument's prices mean in money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worth {
    pub known: Known,
    /// A price is money as it stands.
    plain: bool,
    /// Prices may be zero or negative.
    pub signed: bool,
    /// What such a price counts as at least.
    least: u64,
    multiplier_micros: u64,
    rate_nanos: u64,
    /// The word of the settlement price, 0 when it is not known.
    pub settlement: u64,
    /// The day it is of.
    pub settlement_date: TradeDate,
}

impl Worth {
    /// A price is money as it stands.
    pub(crate) const PLAIN: Self = Self {
        known: Known::Whole,
        plain: true,
        signed: false,
        least: 0,
        multiplier_micros: 1_000_000,
        rate_nanos: 1_000_000_000,
        settlement: 0,
        settlement_date: TradeDate::NONE,
    };

    /// What a unit counts as that may trade anywhere between two prices; 0 is no second price.
    #[inline(always)]
    pub(crate) fn unit(&self, px: u64, other: u64) -> u64 {
        if self.signed { size(px).max(size(other)).max(self.least) } else { px.max(other) }
    }

    /// What basis points are taken of, of a doubled price.
    #[inline(always)]
    pub(crate) fn twice_basis(&self, twice: u64) -> u64 {
        if self.signed { size_of_two(twice).max(2 * self.least) } else { twice }
    }

    /// How far from zero a price is: what ticks are counted of.
    #[inline(always)]
    pub(crate) const fn distance(&self, px: u64) -> u64 {
        if self.signed { size(px) } else { px }
    }

    /// What price times quantity, in 1e-9, is in the firm's currency, in 1e-9 rounded up: against a limit of whole 1e-9 that is exact.
    #[inline(always)]
    pub(crate) fn money(&self, value: u128) -> u128 {
        if self.plain { value } else { self.product(value).div_ceil(VALUE_PER_PRODUCT) }
    }

    /// Whether that is more than `most`, in 1e-9, without a division.
    #[inline]
    pub(crate) fn exceeds(&self, value: u128, most: u128) -> bool {
        self.product(value) > most.saturating_mul(VALUE_PER_PRODUCT)
    }

    /// What a unit is worth at a doubled price, doubled, in 1e-24.
    #[inline]
    pub(crate) fn doubled(&self, twice: u64) -> u128 {
        self.product(self.twice_basis(twice).into())
    }

    /// What a unit is worth that counts as `unit`, in 1e-9, doubled, in 1e-24.
    #[inline]
    pub(crate) fn twice(&self, unit: u64) -> u128 {
        self.product(2 * u128::from(unit))
    }

    /// In 1e-24. One beyond 128 bits is above every limit, and stays so.
    #[inline]
    fn product(&self, value: u128) -> u128 {
        value.saturating_mul(self.factor())
    }

    /// What a unit of 1e-9 is in 1e-24.
    #[inline]
    pub(crate) fn factor(&self) -> u128 {
        u128::from(self.multiplier_micros) * u128::from(self.rate_nanos)
    }
}
