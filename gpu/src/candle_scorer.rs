//! Scoring with Candle on the CPU: the network as it was trained, batch at a time.

use candle_core::Result;
use types::{FeatureVector, InstrumentId, Symbol};

use crate::autoencoder::{Autoencoder, Batch, CalmRange};
use crate::binding::Bindings;
use crate::model::Model;
use crate::normalise::{Input, Profile};
use crate::scorer::{RawScore, ScoreLaw, Scorer, is_scorable};

/// Scores a whole batch in one pass. Candle allocates per operation, so this backend is not for a hot core; it is the
/// second oracle beside [`crate::ReferenceScorer`] and the path that a Candle device other than the CPU shares.
pub struct CandleScorer {
    autoencoder: Autoencoder,
    law: ScoreLaw,
    calm: CalmRange,
    profiles: Bindings<Profile>,
    inputs: Vec<Input>,
    places: Vec<usize>,
    failures: u64,
}

impl CandleScorer {
    /// A scorer of `model` for instruments numbered below `instrument_count_max`.
    ///
    /// # Errors
    /// When Candle refuses the weights.
    pub fn new(model: &Model, instrument_count_max: usize) -> Result<Self> {
        let profiles = model.profiles();
        Ok(Self {
            autoencoder: Autoencoder::new(model.network())?,
            law: *model.score_law(),
            calm: CalmRange::new(model.score_law())?,
            profiles: Bindings::new(&profiles.pooled, &profiles.symbols, instrument_count_max),
            inputs: Vec::new(),
            places: Vec::new(),
            failures: 0,
        })
    }

    fn score_inputs(&self, out: &mut [Option<RawScore>]) -> Result<()> {
        let errors = self.autoencoder.errors(&Batch::new(self.inputs.iter())?, &self.calm)?;
        let errors = errors.flatten_all()?.to_vec1::<f32>()?;
        for ((error, input), &place) in errors.as_chunks().0.iter().zip(&self.inputs).zip(&self.places) {
            out[place] = self.law.score(input.usable, &error.map(f64::from));
        }
        Ok(())
    }
}

impl Scorer for CandleScorer {
    fn name(&self) -> &'static str {
        "candle-cpu"
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.profiles.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        assert_eq!(rows.len(), out.len(), "one result per row");
        out.fill(None);
        self.inputs.clear();
        self.places.clear();
        for (place, row) in rows.iter().enumerate() {
            let Some(profile) = self.profiles.of(row.instrument).filter(|_| is_scorable(row)) else {
                continue;
            };
            let input = profile.normalise(&row.values, row.valid);
            if input.is_scorable() {
                self.inputs.push(input);
                self.places.push(place);
            }
        }
        if !self.inputs.is_empty() && self.score_inputs(out).is_err() {
            out.fill(None);
            self.failures += 1;
        }
    }

    fn failures(&self) -> u64 {
        self.failures
    }
}
