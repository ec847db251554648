//! The files that the books fill: quotes and depth while the books change, vectors as they are taken, slippage when they are
//! known.

use super::notes::Defined;
use crate::tables::{BookTables, Filter};
use featurizer::Featurizer;
use featurizer::capture::FeatureWriter;
use featurizer::slippage::SlippageWriter;
use std::collections::BTreeMap;
use types::{FeatureVector, InstrumentId, Symbol};

/// Writers of what the books say, each there when it was asked for.
pub(crate) struct BookFiles {
    pub(crate) tables: BookTables,
    pub(crate) capture: Option<FeatureWriter>,
    pub(crate) slippage: Option<SlippageWriter>,
    pub(crate) filter: Filter,
    pub(crate) symbols: BTreeMap<InstrumentId, Symbol>,
    /// The first error, kept until [`BookFiles::finish`].
    pub(crate) error: Option<anyhow::Error>,
}

impl BookFiles {
    pub(crate) fn new(
        tables: BookTables,
        capture: Option<FeatureWriter>,
        slippage: Option<SlippageWriter>,
        filter: Filter,
    ) -> Self {
        Self { tables, capture, slippage, filter, symbols: BTreeMap::new(), error: None }
    }

    pub(super) fn define(&mut self, defined: Defined) {
        if self.filter.keeps(defined.symbol) {
            self.symbols.insert(defined.instrument, defined.symbol);
        }
    }

    pub(super) fn vectors(&mut self, vectors: &[FeatureVector]) {
        let Self { capture: Some(capture), symbols, error, .. } = self else { return };
        for vector in vectors.iter().filter(|vector| vector.grid_end == 0) {
            if let (Some(symbol), None) = (symbols.get(&vector.instrument), &error) {
                *error = capture.write(*symbol, vector).err().map(Into::into);
            }
        }
    }

    /// Writes the rows whose slippage is known; with `last`, also those whose slippage never will be.
    pub(super) fn polled(&mut self, featurizer: &mut Featurizer, last: bool) {
        let Self { slippage: Some(slippage), symbols, error, .. } = self else { return };
        for row in featurizer.take_slippage(last) {
            if let (Some(symbol), None) = (symbols.get(&row.instrument), &error) {
                *error = slippage.write(*symbol, &row).err().map(Into::into);
            }
        }
    }

    /// Closes the files.
    ///
    /// # Errors
    /// The first that any of them met.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if let Some(capture) = self.capture {
            capture.finish()?;
        }
        if let Some(slippage) = self.slippage {
            slippage.finish()?;
        }
        self.tables.finish()
    }
}
