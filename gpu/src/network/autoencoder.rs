//! The autoencoder's weights, apart from any library that runs it. Its shape is `gpu-fit`'s.

use gpu_fit::{LAYER_COUNT, LAYERS, LayerId, WEIGHT_COUNT};

use super::weights::{Layer, WeightsError, layers_from_bytes, layers_to_bytes};

/// The weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Network {
    pub(crate) layers: [Layer; LAYER_COUNT],
}

impl Network {
    /// The layer called `id`.
    pub(crate) const fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id as usize]
    }

    /// The weights and biases of each layer.
    pub(crate) fn parts(&self) -> [(&[f32], &[f32]); LAYER_COUNT] {
        self.layers.each_ref().map(|layer| (layer.weight.as_slice(), layer.bias.as_slice()))
    }

    /// The network of `flat` numbers, as a fit gives them; nothing when they are not [`WEIGHT_COUNT`].
    pub(crate) fn from_flat(mut flat: &[f32]) -> Option<Self> {
        if flat.len() != WEIGHT_COUNT {
            return None;
        }
        let layers = LAYERS.map(|(_, inputs, outputs)| {
            let (weight, rest) = flat.split_at(inputs * outputs);
            let (bias, rest) = rest.split_at(outputs);
            flat = rest;
            Layer { weight: weight.to_vec(), bias: bias.to_vec() }
        });
        Some(Self { layers })
    }

    /// The safetensors file of these weights; the same weights give the same bytes.
    ///
    /// # Errors
    /// When the container library refuses, which it has no cause to for finite in-memory tensors.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        layers_to_bytes(&self.layers, &LAYERS)
    }

    /// Reads what [`Network::to_bytes`] wrote.
    ///
    /// # Errors
    /// A damaged container, a tensor missing, of another shape or type, one too many, or weights that are not numbers.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        layers_from_bytes(bytes, &LAYERS).map(|layers| Self { layers })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gpu_fit::random::{Purpose, Random};
    use safetensors::tensor::{Dtype, TensorView};

    /// A network with He-scaled random weights, for tests of the arithmetic.
    pub(crate) fn random_network(seed: u64) -> Network {
        let mut random = Random::new(seed, Purpose::Init);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test weights")]
        let layers = LAYERS.map(|(_, inputs, outputs)| Layer {
            weight: (0..inputs * outputs)
                .map(|_| (random.normal() * (2.0 / inputs as f64).sqrt()) as f32)
                .collect(),
            bias: (0..outputs).map(|_| (random.normal() * 0.1) as f32).collect(),
        });
        Network { layers }
    }

    #[test]
    fn weights_survive_the_file_bit_for_bit() {
        let network = random_network(1);
        let bytes = network.to_bytes().unwrap();
        assert_eq!(bytes, network.to_bytes().unwrap());
        assert_eq!(Network::from_bytes(&bytes).unwrap(), network);
    }

    #[test]
    fn files_of_another_network_are_refused_with_found_and_wanted() {
        let mut network = random_network(2);
        network.layers[0].weight[5] = f32::NAN;
        let error = Network::from_bytes(&network.to_bytes().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tensor encoder.0.weight: found a weight that is infinite or NaN at index 5"
        );

        let data = [0_u8; 24];
        let view = TensorView::new(Dtype::F32, vec![2, 3], &data).unwrap();
        let other = safetensors::serialize([("encoder.0.weight", view)], None).unwrap();
        let error = Network::from_bytes(&other).unwrap_err();
        assert_eq!(error.to_string(), "tensor encoder.0.weight: found F32 [2, 3], wanted F32 [32, 26]");

        assert!(matches!(Network::from_bytes(b"not a file"), Err(WeightsError::Container(_))));
    }
}
