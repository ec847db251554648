//! The forward pass in plain Rust: the oracle every other backend is held to, and the default on a CPU.

use types::{FeatureVector, InstrumentId, MODEL_FEATURE_COUNT, Symbol};

use super::scorer::{Scorer, is_scorable};
use crate::heads::{Head, PerHead};
use crate::inputs::{Bindings, INPUT_COUNT, Input, Profile};
use crate::model::{Model, RawScore, ScoreLaw};
use crate::network::{
    HEAD_OUTPUTS, HeadLayers, INNER, Increments, LATENT_COUNT, Layer, LayerId, Network, OUTER, increments,
};

/// A dense layer with its sizes in the type, weights widened to double precision and laid out by input, so that the
/// inner loop runs over outputs: it vectorises without reordering any sum, hence the same bits on every machine.
#[derive(Clone, Debug)]
struct Dense<const IN: usize, const OUT: usize> {
    by_input: [[f64; OUT]; IN],
    bias: [f64; OUT],
}

impl<const IN: usize, const OUT: usize> Dense<IN, OUT> {
    fn new(layer: &Layer) -> Self {
        let mut dense = Self { by_input: [[0.0; OUT]; IN], bias: [0.0; OUT] };
        for (output, row) in layer.weight.chunks_exact(IN).enumerate().take(OUT) {
            dense.bias[output] = f64::from(layer.bias[output]);
            for (input, weight) in row.iter().enumerate() {
                dense.by_input[input][output] = f64::from(*weight);
            }
        }
        dense
    }

    #[inline]
    fn forward(&self, x: &[f64; IN]) -> [f64; OUT] {
        let mut y = self.bias;
        for (value, weights) in x.iter().zip(&self.by_input) {
            for (sum, weight) in y.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
        y
    }

    #[inline]
    fn forward_relu(&self, x: &[f64; IN]) -> [f64; OUT] {
        self.forward(x).map(|v| v.max(0.0))
    }
}

/// The inference half of the autoencoder: the variance head is not needed, the score takes the posterior mean.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    encoder0: Dense<INPUT_COUNT, OUTER>,
    encoder1: Dense<OUTER, INNER>,
    mu: Dense<INNER, LATENT_COUNT>,
    decoder0: Dense<LATENT_COUNT, INNER>,
    decoder1: Dense<INNER, OUTER>,
    decoder2: Dense<OUTER, MODEL_FEATURE_COUNT>,
}

impl Forward {
    pub(crate) fn new(network: &Network) -> Self {
        Self {
            encoder0: Dense::new(network.layer(LayerId::Encoder0)),
            encoder1: Dense::new(network.layer(LayerId::Encoder1)),
            mu: Dense::new(network.layer(LayerId::Mu)),
            decoder0: Dense::new(network.layer(LayerId::Decoder0)),
            decoder1: Dense::new(network.layer(LayerId::Decoder1)),
            decoder2: Dense::new(network.layer(LayerId::Decoder2)),
        }
    }

    /// Posterior mean of one input.
    #[inline]
    pub(crate) fn latent(&self, input: &Input) -> [f64; LATENT_COUNT] {
        let x = input.x.map(f64::from);
        self.mu.forward(&self.encoder1.forward_relu(&self.encoder0.forward_relu(&x)))
    }

    /// Reconstruction errors `x - x̂` of one input.
    #[inline]
    pub(crate) fn errors(&self, law: &ScoreLaw, input: &Input) -> [f64; MODEL_FEATURE_COUNT] {
        let latent = law.hold(self.latent(input));
        let rebuilt =
            self.decoder2.forward(&self.decoder1.forward_relu(&self.decoder0.forward_relu(&latent)));
        core::array::from_fn(|feature| f64::from(input.x[feature]) - rebuilt[feature])
    }

    /// Scores one normalised input; `None` when too little of it is valid.
    #[inline]
    pub(crate) fn score(&self, law: &ScoreLaw, input: &Input) -> Option<RawScore> {
        if !input.is_scorable() {
            return None;
        }
        law.score(input.usable, &self.errors(law, input))
    }

    /// Normalises and scores one row of values.
    pub(crate) fn score_values(
        &self,
        law: &ScoreLaw,
        profile: &Profile,
        values: &[f64; MODEL_FEATURE_COUNT],
        valid: u16,
    ) -> Option<RawScore> {
        self.score(law, &profile.normalise(values, valid))
    }
}

/// The heads of a model in double precision until the end.
#[derive(Clone, Debug)]
pub(crate) struct ReferenceHeads(PerHead<Option<HeadLayers>>);

impl ReferenceHeads {
    pub(crate) fn new(model: &Model) -> Self {
        Self(Head::ALL.map(|head| model.heads().layers(head).cloned()))
    }

    /// What `head` says of a row; `None` for a row that can have no score.
    pub(crate) fn says(&self, head: Head, profile: &Profile, row: &FeatureVector) -> Option<Increments> {
        let layers = self.0[head as usize].as_ref()?;
        let (values, valid) = row.model_inputs();
        let input = profile.normalise(values, valid);
        #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
        let narrow = |increments: [f64; HEAD_OUTPUTS]| increments.map(|v| v as f32);
        (is_scorable(row) && input.is_scorable()).then(|| narrow(increments(layers, &input)))
    }
}

/// Scores row by row on the calling thread. After construction it allocates nothing.
#[derive(Clone, Debug)]
pub struct ReferenceScorer {
    forward: Box<Forward>,
    law: ScoreLaw,
    heads: ReferenceHeads,
    profiles: Bindings<Profile>,
}

impl ReferenceScorer {
    /// A scorer of `model` for instruments numbered below `instrument_count_max`.
    #[must_use]
    pub fn new(model: &Model, instrument_count_max: usize) -> Self {
        Self {
            forward: Box::new(Forward::new(model.network())),
            law: *model.score_law(),
            heads: ReferenceHeads::new(model),
            profiles: Bindings::new(model.profiles(), instrument_count_max),
        }
    }
}

impl Scorer for ReferenceScorer {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.profiles.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        assert_eq!(rows.len(), out.len(), "one result per row");
        for (row, out) in rows.iter().zip(out) {
            *out = match self.profiles.of(row.instrument) {
                Some(profile) if is_scorable(row) => {
                    let (values, valid) = row.model_inputs();
                    self.forward.score_values(&self.law, profile, values, valid)
                }
                _ => None,
            };
        }
    }

    fn increments(&self, head: Head, row: &FeatureVector) -> Option<Increments> {
        self.heads.says(head, self.profiles.of(row.instrument)?, row)
    }
}
