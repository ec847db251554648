//! The autoencoder's shape.

use types::MODEL_FEATURE_COUNT;

/// Inputs of the network: the normalised features, then one bit each that says "missing".
pub const INPUT_COUNT: usize = 2 * MODEL_FEATURE_COUNT;

/// Size of the latent state. Small on purpose: a wide bottleneck also rebuilds anomalies.
pub const LATENT_COUNT: usize = 4;

/// Width of the outer hidden layers.
pub const OUTER: usize = 32;
/// Width of the inner hidden layers.
pub const INNER: usize = 16;

/// A dense layer's place in [`LAYERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum LayerId {
    /// First of the encoder.
    Encoder0 = 0,
    /// Second of the encoder.
    Encoder1 = 1,
    /// Mean of the latent state.
    Mu = 2,
    /// Logarithm of its variance.
    LogVar = 3,
    /// First of the decoder.
    Decoder0 = 4,
    /// Second of the decoder.
    Decoder1 = 5,
    /// The reconstruction.
    Decoder2 = 6,
}

impl LayerId {
    /// The layers that a score needs, first to last: all but the variance head.
    pub const SCORED: [Self; 6] =
        [Self::Encoder0, Self::Encoder1, Self::Mu, Self::Decoder0, Self::Decoder1, Self::Decoder2];
}

/// Dense layers in all.
pub const LAYER_COUNT: usize = 7;

/// Name in the weights file, inputs, outputs; ReLU follows the encoder's layers and the decoder's first two.
pub const LAYERS: [(&str, usize, usize); LAYER_COUNT] = [
    ("encoder.0", INPUT_COUNT, OUTER),
    ("encoder.1", OUTER, INNER),
    ("mu", INNER, LATENT_COUNT),
    ("logvar", INNER, LATENT_COUNT),
    ("decoder.0", LATENT_COUNT, INNER),
    ("decoder.1", INNER, OUTER),
    ("decoder.2", OUTER, MODEL_FEATURE_COUNT),
];

/// Numbers of all layers: for each of [`LAYERS`] the weights, row-major with one row per output, then the biases.
pub const WEIGHT_COUNT: usize = {
    let (mut count, mut layer) = (0, 0);
    while layer < LAYER_COUNT {
        count += (LAYERS[layer].1 + 1) * LAYERS[layer].2;
        layer += 1;
    }
    count
};
