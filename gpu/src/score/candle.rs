//! Scoring with Candle on the CPU: the network as it was trained, batch at a time.

use candle_core::{Device, Result};
use gpu_fit::autoencoder::{Autoencoder, Batch, CalmRange};
use types::{FeatureVector, InstrumentId, Symbol};

use super::reference::ReferenceHeads;
use super::scorer::{Scorer, is_scorable};
use crate::heads::Head;
use crate::inputs::{Bindings, Input, Profile};
use crate::model::{Model, RawScore, ScoreLaw};
use crate::network::Increments;

/// Scores a whole batch in one pass. Candle allocates per operation, so this backend is not for a hot core; it is the
/// second oracle beside [`crate::ReferenceScorer`] and the path that a Candle device other than the CPU shares.
pub(crate) struct CandleScorer {
    autoencoder: Autoencoder,
    law: ScoreLaw,
    calm: CalmRange,
    heads: ReferenceHeads,
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
    pub(crate) fn new(model: &Model, instrument_count_max: usize) -> Result<Self> {
        let (profiles, law) = (model.profiles(), *model.score_law());
        Ok(Self {
            autoencoder: Autoencoder::new(model.network().parts(), &Device::Cpu)?,
            law,
            calm: CalmRange::new(&law.latent_min, &law.latent_max, &Device::Cpu)?,
            heads: ReferenceHeads::new(model),
            profiles: Bindings::new(profiles, instrument_count_max),
            inputs: Vec::new(),
            places: Vec::new(),
            failures: 0,
        })
    }

    fn score_inputs(&self, out: &mut [Option<RawScore>]) -> Result<()> {
        let batch = Batch::new(self.inputs.iter().map(|input| &input.x), &Device::Cpu)?;
        let errors = self.autoencoder.errors(&batch, &self.calm)?;
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
            let (values, valid) = row.model_inputs();
            let input = profile.normalise(values, valid);
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

    fn increments(&self, head: Head, row: &FeatureVector) -> Option<Increments> {
        self.heads.says(head, self.profiles.of(row.instrument)?, row)
    }

    fn failures(&self) -> u64 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::ReferenceScorer;
    use super::*;
    use crate::model::ModelParts;
    use crate::network::random_network;
    use crate::synthetic::{ALL_VALID, Market, model};
    use proptest::prelude::*;
    use types::{BookState, FEATURE_COUNT, MODEL_FEATURE_COUNT, UnixNanos};

    /// The trained model's profiles around random weights.
    fn random_model(seed: u64) -> Model {
        let like = model();
        Model::new(ModelParts {
            network: random_network(seed),
            law: *like.score_law(),
            profiles: like.profiles().clone(),
            calibrations: like.calibrations().clone(),
            training: like.training().clone(),
            channels: None,
        })
        .unwrap()
    }

    fn vector(instrument: u32, values: [f64; MODEL_FEATURE_COUNT], valid: u16) -> FeatureVector {
        let book_state = BookState::Live.to_u8();
        let mut vector = FeatureVector {
            ts: UnixNanos(1),
            instrument: InstrumentId(instrument),
            valid: valid.into(),
            book_state,
            ..FeatureVector::EMPTY
        };
        vector.values[..MODEL_FEATURE_COUNT].copy_from_slice(&values);
        vector
    }

    /// Scores of both backends; instrument 3 is not defined.
    fn both(model: &Model, rows: &[FeatureVector]) -> [Vec<Option<RawScore>>; 2] {
        let mut reference = ReferenceScorer::new(model, 4);
        let mut candle = CandleScorer::new(model, 4).unwrap();
        let scorers: [&mut dyn Scorer; 2] = [&mut reference, &mut candle];
        scorers.map(|scorer| {
            for (i, name) in ["AAA", "BBB", "NEW"].into_iter().enumerate() {
                scorer.define(InstrumentId(u32::try_from(i).unwrap()), Symbol::new(name).unwrap());
            }
            let mut out = vec![None; rows.len()];
            scorer.score(rows, &mut out);
            assert_eq!(scorer.failures(), 0);
            out
        })
    }

    fn assert_alike(model: &Model, rows: &[FeatureVector]) {
        let [reference, candle] = both(model, rows);
        for (row, (a, b)) in rows.iter().zip(reference.into_iter().zip(candle)) {
            match (a, b) {
                (None, None) => {}
                (Some(a), Some(b)) => {
                    assert!(a.raw.is_finite() && b.raw.is_finite());
                    assert!((a.raw - b.raw).abs() <= 1e-5 * b.raw.abs().max(1.0), "{a:?} {b:?} of {row:?}");
                    for (x, y) in a.contributions.iter().zip(b.contributions) {
                        assert!((x - y).abs() < 1e-4, "{a:?} {b:?}");
                    }
                    let clear = a.contributions[0] - a.contributions[1] > 1e-3;
                    assert!(!clear || a.top3[0] == b.top3[0], "{a:?} {b:?}");
                }
                unlike => panic!("one backend scores what the other refuses: {unlike:?} of {row:?}"),
            }
        }
    }

    #[test]
    fn backends_agree_on_calm_and_stressed_markets() {
        let mut rows = Vec::new();
        for (instrument, (name, spread)) in [("AAA", 1.0), ("BBB", 4.0), ("NEW", 2.5)].into_iter().enumerate()
        {
            let mut market = Market::new(name, spread, 31);
            rows.extend((0..600).map(|i| {
                let row = market.row(i, f64::from(u32::try_from(i).unwrap() / 100) * 0.2);
                vector(u32::try_from(instrument).unwrap(), row.values, row.valid)
            }));
        }
        assert_alike(model(), &rows);
        assert_alike(&random_model(8), &rows);
        assert!(both(model(), &rows)[0].iter().all(Option::is_some));
    }

    #[test]
    fn what_may_not_be_scored_is_scored_by_neither() {
        let good = vector(0, Market::new("AAA", 1.0, 1).row(0, 0.0).values, ALL_VALID);
        let rows = [
            good,
            FeatureVector { book_state: BookState::Recovering.to_u8(), ..good },
            FeatureVector { book_state: BookState::Stale(types::StaleCause::Gap).to_u8(), ..good },
            FeatureVector { instrument: InstrumentId(3), ..good },
            FeatureVector { instrument: InstrumentId::ALL, ..good },
            FeatureVector { grid_end: 1, ..good },
            FeatureVector { valid: 0x003f, ..good },
            FeatureVector { values: [f64::NAN; FEATURE_COUNT], ..good },
            FeatureVector { values: [f64::NEG_INFINITY; FEATURE_COUNT], ..good },
        ];
        for out in both(model(), &rows) {
            assert!(out[0].is_some() && out[1..].iter().all(Option::is_none), "{out:?}");
        }
        // Seven of thirteen are enough, wherever they are.
        let seven = FeatureVector { valid: 0b1_0101_0101_0101, ..good };
        assert_eq!(both(model(), &[seven]).map(|out| out[0].is_some()), [true, true]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn backends_agree_on_anything(
            seed in 0_u64..1_000,
            rows in prop::collection::vec(
                (prop::array::uniform13(prop_oneof![
                    4 => -20.0_f64..20.0,
                    1 => any::<u64>().prop_map(f64::from_bits),
                    1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 0.0]),
                ]), any::<u16>(), 0_u32..5),
                1..40,
            ),
        ) {
            let rows: Vec<FeatureVector> =
                rows.into_iter().map(|(values, valid, instrument)| vector(instrument, values, valid)).collect();
            assert_alike(model(), &rows);
            assert_alike(&random_model(seed), &rows);
        }
    }
}
