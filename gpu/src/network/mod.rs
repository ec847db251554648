//! Weights apart from any library that runs them: the autoencoder's, and the two layers that every head beside it has.

mod autoencoder;
mod head;
mod weights;

pub(crate) use autoencoder::Network;
#[cfg(test)]
pub(crate) use autoencoder::tests::random_network;
pub(crate) use gpu_fit::{INNER, LATENT_COUNT, LayerId, OUTER};
pub use head::Increments;
#[cfg(test)]
pub(crate) use head::{HEAD_INNER, tests::random_layers};
pub(crate) use head::{HEAD_OUTPUTS, HEAD_SIZES, HeadLayers, head_shape, increments};
pub use weights::WeightsError;
pub(crate) use weights::{Layer, layers_from_bytes, layers_to_bytes};
