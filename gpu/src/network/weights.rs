//! Dense layers and their safetensors file.

use std::fmt::Display;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// One dense layer, `y = W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// Row-major, one row per output.
    pub(crate) weight: Vec<f32>,
    /// One per output.
    pub(crate) bias: Vec<f32>,
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
    #[error("tensor {tensor}: found a weight that is infinite or NaN at index {index}")]
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
    shapes: &[(impl Display, usize, usize)],
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
    shapes: &[(impl Display, usize, usize); N],
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
