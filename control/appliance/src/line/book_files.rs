//! The files that the books fill: quotes and depth while the books change, vectors as they are taken, costs when they are
//! known.

use super::notes::Defined;
use crate::tables::{BookTables, Filter};
use featurizer::Featurizer;
use featurizer::capture::FeatureWriter;
use featurizer::costs::CostWriter;
use std::collections::BTreeMap;
use types::{FeatureVector, InstrumentId, Symbol};

/// Writers of what the books say, each there when it was asked for.
pub(crate) struct BookFiles {
    pub(crate) tables: BookTables,
    pub(crate) capture: Option<FeatureWriter>,
    pub(crate) costs: Option<CostWriter>,
    pub(crate) filter: Filter,
    pub(crate) symbols: BTreeMap<InstrumentId, Symbol>,
    /// The first error, kept until [`BookFiles::finish`].
    pub(crate) error: Option<anyhow::Error>,
}

impl BookFiles {
    pub(crate) fn new(
        tables: BookTables,
        capture: Option<FeatureWriter>,
        costs: Option<CostWriter>,
        filter: Filter,
    ) -> Self {
        Self { tables, capture, costs, filter, symbols: BTreeMap::new(), error: None }
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

    /// Writes the costs that are known; with `last`, also the rows whose costs never will be.
    pub(super) fn polled(&mut self, featurizer: &mut Featurizer, last: bool) {
        let Self { costs: Some(costs), symbols, error, .. } = self else { return };
        for row in featurizer.take_costs(last) {
            if let (Some(symbol), None) = (symbols.get(&row.instrument), &error) {
                *error = costs.write(*symbol, &row).err().map(Into::into);
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
        if let Some(costs) = self.costs {
            costs.finish()?;
        }
        self.tables.finish()
    }
}
