//! The writing end of reference data and rates ([`crate::worth`]).

use types::{InstrumentId, UnixNanos};

use crate::{
    reference::{RefReader, UnknownInstrument},
    slot::SlotFault,
    worth::{CurrencyId, InstrumentTerms, NOTHING_SAID, RATE_NANOS_MAX, TERMS_WORDS},
};

/// Why terms are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// The table does not have the instrument.
    Unknown(UnknownInstrument),
    /// An instrument whose prices are positive is to be one whose prices may be zero or negative, or the other way round, while there
    /// is a price of it.
    OtherKind(InstrumentId),
}

impl core::fmt::Display for TermsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::OtherKind(instrument) => write!(
                f,
                "instrument {} has a price: whether its prices may be zero or negative cannot change, and nothing is known of it now",
                instrument.0
            ),
        }
    }
}

impl core::error::Error for TermsError {}

/// Who writes reference data and rates: control.
pub struct TermsWriter {
    references: RefReader,
}

impl core::fmt::Debug for TermsWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TermsWriter({} instruments)", self.references.terms.terms.len())
    }
}

impl TermsWriter {
    /// The writing end of the rows that `references` reads, which nobody writes yet.
    pub(crate) fn of(references: &RefReader) -> Self {
        Self { references: references.clone() }
    }

    /// Says what an instrument's prices mean in money. To be said before its first price and before its limits: prices of one that
    /// may trade at zero or below are none until then. Terms out of their range are said and mean nothing: whatever could add to a
    /// position is refused.
    ///
    /// Whether prices may be zero or negative does not change once it was said, while there is a price: what works was judged by prices
    /// of the one kind, and must not be compared with the other's. Such terms are not taken; what was said before them means
    /// nothing from then on, since it is of another instrument.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn define(&mut self, instrument: InstrumentId, terms: &InstrumentTerms) -> Result<(), TermsError> {
        let before = self.references.terms.terms(instrument);
        let kind = terms.may_be_negative();
        let free = match self.references.quote(instrument) {
            Ok(quote) => quote.prices_fit(kind),
            Err(fault) => fault == SlotFault::Empty,
        };
        if let Ok(before) = before
            && before.may_be_negative() != kind
            && !free
        {
            self.write(instrument, InstrumentTerms { multiplier_micros: 0, ..before }.pack())?;
            return Err(TermsError::OtherKind(instrument));
        }
        self.write(instrument, terms.pack())
    }

    /// Says that nothing is known of an instrument: another one has its number, of which nothing works.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn forget(&mut self, instrument: InstrumentId) -> Result<(), TermsError> {
        self.write(instrument, NOTHING_SAID)
    }

    fn write(&mut self, instrument: InstrumentId, words: [u64; TERMS_WORDS]) -> Result<(), TermsError> {
        let unknown = TermsError::Unknown(UnknownInstrument(instrument));
        let slot = self.references.terms.terms.get(instrument.index()).ok_or(unknown)?;
        slot.write(words);
        Ok(())
    }

    /// Says that one unit of `currency` was worth `rate_nanos` 1e-9 of the firm's at `at`; 0, and one above [`RATE_NANOS_MAX`], is no
    /// rate. A currency beyond [`crate::CURRENCIES_MAX`] has none.
    pub fn rate(&mut self, currency: CurrencyId, rate_nanos: u64, at: UnixNanos) {
        if let Some(slot) = self.references.terms.rates.get(usize::from(currency.0)) {
            let known = rate_nanos <= RATE_NANOS_MAX;
            slot.write([if known { rate_nanos } else { 0 }, at.0]);
        }
    }
}
