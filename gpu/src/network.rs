//! The autoencoder's weights, apart from any library that runs it. Its shape is `gpu-fit`'s.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

pub use gpu_fit::LATENT_COUNT;
pub(crate) use gpu_fit::{INNER, LAYER_COUNT, LAYERS, LayerId, OUTER, WEIGHT_COUNT};

/// One dense layer, `y = W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// Row-major, one row per output.
    pub(crate) weight: Vec<f32>,
    /// One per output.
    pub(crate) bias: Vec<f32>,
}

/// The weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Network {
    pub(crate) layers: [Layer; LAYER_COUNT],
}

/// Why a weights file is not this network's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The container is damaged.
    #[error("{0}")]
    Container(String),
    /// A tensor is not there.
    #[error("tensor {tensor}: not found, wanted shape {wanted:?}")]
    Missing {
        /// Name of the tensor.
        tensor: String,
        /// Its shape in this build.
        wanted: Vec<usize>,
    },
    /// A tensor has another shape or type.
    #[error("tensor {tensor}: found {found}, wanted F32 {wanted:?}")]
    Shape {
        /// Name of the tensor.
        tensor: String,
        /// Type and shape in the file.
        found: String,
        /// Shape in this build.
        wanted: Vec<usize>,
    },
    /// The file holds more than the network.
    #[error("found {found} tensors, wanted {wanted}")]
    Extra {
        /// Tensors in the file.
        found: usize,
        /// Tensors of the network.
        wanted: usize,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {tensor}: found a weight that is not a number at index {index}")]
    NotFinite {
        /// Name of the tensor.
        tensor: String,
        /// Position of the first such weight.
        index: usize,
    },
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn read_tensor(file: &SafeTensors<'_>, tensor: String, wanted: Vec<usize>) -> Result<Vec<f32>, WeightsError> {
    let Ok(view) = file.tensor(&tensor) else {
        return Err(WeightsError::Missing { tensor, wanted });
    };
    if view.dtype() != Dtype::F32 || view.shape() != wanted {
        let found = format!("{:?} {:?}", view.dtype(), view.shape());
        return Err(WeightsError::Shape { tensor, found, wanted });
    }
    let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(WeightsError::NotFinite { tensor, index }),
        None => Ok(values),
    }
}

/// The safetensors file of `layers`, whose names and shapes `shapes` gives.
pub(crate) fn layers_to_bytes(
    layers: &[Layer],
    shapes: &[(&str, usize, usize)],
) -> Result<Vec<u8>, WeightsError> {
    let mut buffers: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (layer, (name, inputs, outputs)) in layers.iter().zip(shapes) {
        buffers.push((format!("{name}.weight"), vec![*outputs, *inputs], bytes_of(&layer.weight)));
        buffers.push((format!("{name}.bias"), vec![*outputs], bytes_of(&layer.bias)));
    }
    let container = |e: safetensors::SafeTensorError| WeightsError::Container(e.to_string());
    let mut views = Vec::new();
    for (name, shape, bytes) in &buffers {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(container)?));
    }
    safetensors::serialize(views, None).map_err(container)
}

/// Reads what [`layers_to_bytes`] wrote with the same `shapes`.
pub(crate) fn layers_from_bytes<const N: usize>(
    bytes: &[u8],
    shapes: &[(&str, usize, usize); N],
) -> Result<[Layer; N], WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| WeightsError::Container(e.to_string()))?;
    let mut layers = Vec::with_capacity(N);
    for (name, inputs, outputs) in shapes {
        layers.push(Layer {
            weight: read_tensor(&file, format!("{name}.weight"), vec![*outputs, *inputs])?,
            bias: read_tensor(&file, format!("{name}.bias"), vec![*outputs])?,
        });
    }
    let (found, wanted) = (file.len(), 2 * N);
    match layers.try_into() {
        Ok(layers) if found == wanted => Ok(layers),
        _ => Err(WeightsError::Extra { found, wanted }),
    }
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
    use crate::random::{Purpose, Random};

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
            "tensor encoder.0.weight: found a weight that is not a number at index 5"
        );

        let data = bytes_of(&[0.0; 6]);
        let view = TensorView::new(Dtype::F32, vec![2, 3], &data).unwrap();
        let other = safetensors::serialize([("encoder.0.weight", view)], None).unwrap();
        let error = Network::from_bytes(&other).unwrap_err();
        assert_eq!(error.to_string(), "tensor encoder.0.weight: found F32 [2, 3], wanted F32 [32, 26]");

        assert!(matches!(Network::from_bytes(b"not a file"), Err(WeightsError::Container(_))));
    }
}
