//! Memory that host and card share, as `kernels/interface.h` has it. A test compares every size and offset with the C++ side.

use types::MODEL_FEATURE_COUNT;

/// Staging buffers: one is filled while the other is scored.
pub const BUFFER_COUNT: usize = 2;
/// Rows that a block takes at a time.
pub const TILE_ROWS: u32 = 16;
/// Lanes that share a row.
pub const LANES: u32 = 8;
/// Threads of a block.
pub const BLOCK_THREADS: u32 = TILE_ROWS * LANES;
/// Bit of [`Row::instrument`]: the row is scored, the card's table is left alone.
pub const NOT_KEPT: u32 = 0x8000_0000;
/// As a request's `row_count`: the persistent kernel ends.
pub const STOP: u32 = u32::MAX;
/// Completes a request to the persistent kernel: its last word is the others' exclusive or with this.
pub const REQUEST_KEY: u32 = 0x5ca1_ab1e;

/// Inputs and outputs of each layer in the packed network, outputs filled up to a multiple of eight.
pub const LAYERS: [(usize, usize); 6] = [(26, 32), (32, 16), (16, 8), (4, 16), (16, 32), (32, 16)];
/// Latent units.
pub const LATENT_COUNT: usize = 4;
/// Latent units, filled up.
const LATENT_PADDED: usize = 8;
/// Outputs, filled up.
const OUTPUT_PADDED: usize = 16;

/// Where layer `index` begins in the packed network; 6 gives the end of the layers.
#[must_use]
pub const fn layer_offset(index: usize) -> usize {
    let (mut offset, mut layer) = (0, 0);
    while layer < index {
        offset += (LAYERS[layer].0 + 1) * LAYERS[layer].1;
        layer += 1;
    }
    offset
}

/// Lower ends of the calm range, by latent unit.
pub const LATENT_MIN: usize = layer_offset(LAYERS.len());
/// Upper ends.
pub const LATENT_MAX: usize = LATENT_MIN + LATENT_PADDED;
/// Inverse error scales, by feature.
pub const INVERSE_SCALE: usize = LATENT_MAX + LATENT_PADDED;
/// Floats of the packed network without heads.
pub const WEIGHT_COUNT: usize = INVERSE_SCALE + OUTPUT_PADDED;

/// Inputs and outputs of a head's layers, each with a ReLU behind it.
pub const HEAD_LAYERS: [(usize, usize); 2] = [(LAYERS[0].0, 32), (32, HEAD_OUTPUTS)];
/// Numbers that a head says of a row.
pub const HEAD_OUTPUTS: usize = 16;
/// Heads beside the autoencoder, on the same inputs.
pub const HEADS_MAX: usize = 4;
/// Floats of a packed head; they follow the network's.
pub const HEAD_WEIGHT_COUNT: usize =
    (HEAD_LAYERS[0].0 + 1) * HEAD_LAYERS[0].1 + (HEAD_LAYERS[1].0 + 1) * HEAD_LAYERS[1].1;

/// Heads behind a packed network of `weight_count` floats; none when that is no such network.
#[must_use]
pub const fn head_count(weight_count: usize) -> Option<usize> {
    let Some(beyond) = weight_count.checked_sub(WEIGHT_COUNT) else { return None };
    let heads = beyond / HEAD_WEIGHT_COUNT;
    if heads * HEAD_WEIGHT_COUNT == beyond && heads <= HEADS_MAX { Some(heads) } else { None }
}
/// Floats of shared memory that a row's activations take.
const ROW_FLOATS: usize = 100;
/// Shared memory of a block: the network, its heads and sixteen rows.
#[must_use]
pub const fn shared_bytes(heads: usize) -> u32 {
    let floats = WEIGHT_COUNT + heads * HEAD_WEIGHT_COUNT + TILE_ROWS as usize * ROW_FLOATS;
    (floats * size_of::<f32>()) as u32
}
const _: () = assert!(shared_bytes(HEADS_MAX) <= 48 << 10, "a block gets this much without asking");

/// A row as the host stages it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(16))]
pub struct Row {
    /// Values in [`types::FeatureId`] order, untransformed.
    pub values: [f64; MODEL_FEATURE_COUNT],
    /// Place in the table, with [`NOT_KEPT`] or without.
    pub instrument: u32,
    /// Index of the profile.
    pub profile: u16,
    /// Bit i: value i can be used.
    pub valid: u16,
}

/// Location and scale of the features, for one symbol or for all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(16))]
pub struct CardProfile {
    /// Medians after the transform.
    pub median: [f64; MODEL_FEATURE_COUNT],
    /// One over the scale after the transform.
    pub inverse_scale: [f64; MODEL_FEATURE_COUNT],
    /// Bit i: feature i was trained on.
    pub trained: u32,
    /// Fills the struct.
    pub unused: [u32; 3],
}

/// The reasons beside a raw score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(16))]
pub struct Why {
    /// Shares of the error, largest first.
    pub share: [f32; 3],
    /// Their features.
    pub feature: [u8; 3],
    /// 1 when there is a score.
    pub scored: u8,
}

/// What is to be scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Job {
    /// Of the batch, from 1; the completion word takes this value.
    pub sequence: u32,
    /// Staged rows.
    pub row_count: u32,
    /// Instruments whose rows in the table are scored, but for the staged ones; 0 for the staged ones alone.
    pub universe: u32,
    /// Which staging buffer.
    pub buffer: u32,
}

impl Job {
    /// Blocks that the job keeps busy, one tile each, `blocks_max` at most and one at least: even an empty job is answered.
    #[must_use]
    pub const fn block_count(&self, blocks_max: u32) -> u32 {
        let tiles = self.row_count.div_ceil(TILE_ROWS).saturating_add(self.universe.div_ceil(TILE_ROWS));
        let held = if tiles < blocks_max { tiles } else { blocks_max };
        if held > 1 { held } else { 1 }
    }

    /// The words of the request to the persistent kernel.
    #[must_use]
    pub const fn request(&self) -> [u32; 4] {
        let flags = self.universe | self.buffer << 31;
        [self.sequence, self.row_count, flags, self.sequence ^ self.row_count ^ flags ^ REQUEST_KEY]
    }
}

/// Pinned words that host and card talk through.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Control {
    /// Written by the card: sequence of the last batch whose results are all there.
    pub completed: u32,
    /// To the next cache line.
    pub unused0: [u32; 15],
    /// Written by the host: [`Job::request`].
    pub request: [u32; 4],
    /// To the next cache line.
    pub unused1: [u32; 12],
    /// 1 while the persistent kernel runs.
    pub resident: u32,
    /// To the next cache line.
    pub unused2: [u32; 15],
}

/// A layer's weights (row-major, one row per output) and biases.
pub type LayerParts<'a> = (&'a [f32], &'a [f32]);

/// What a network is packed from.
#[derive(Clone, Copy, Debug)]
pub struct NetworkParts<'a> {
    /// Two of the encoder, the mean, three of the decoder.
    pub layers: [LayerParts<'a>; LAYERS.len()],
    /// Calm range of each latent unit.
    pub latent: [(f32, f32); LATENT_COUNT],
    /// One over each feature's error scale.
    pub inverse_scale: [f32; MODEL_FEATURE_COUNT],
    /// Each head's two layers, [`HEADS_MAX`] heads at most.
    pub heads: &'a [[LayerParts<'a>; HEAD_LAYERS.len()]],
}

/// A layer that does not fit the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "layer {layer}: found {weights} weights and {biases} biases, wanted {inputs} inputs and at most {outputs} outputs"
)]
pub struct PackError {
    /// Which layer, from 0; the heads' follow the network's.
    pub layer: usize,
    /// Its weights.
    pub weights: usize,
    /// Its biases.
    pub biases: usize,
    /// Inputs of the kernel's layer.
    pub inputs: usize,
    /// Outputs of the kernel's layer.
    pub outputs: usize,
}

/// Weights by input with outputs side by side, then biases.
fn pack_layer(
    index: usize,
    (weights, biases): LayerParts<'_>,
    (inputs, outputs): (usize, usize),
    to: &mut [f32],
) -> Result<(), PackError> {
    let narrowest = outputs - LANES as usize;
    if weights.len() != biases.len() * inputs || !(narrowest + 1..=outputs).contains(&biases.len()) {
        let (weights, biases) = (weights.len(), biases.len());
        return Err(PackError { layer: index, weights, biases, inputs, outputs });
    }
    for (output, (row, bias)) in weights.chunks_exact(inputs).zip(biases).enumerate() {
        for (input, weight) in row.iter().enumerate() {
            to[input * outputs + output] = *weight;
        }
        to[inputs * outputs + output] = *bias;
    }
    Ok(())
}

/// The network and its heads as the kernels read them.
///
/// # Errors
/// A layer of another size.
pub fn pack(parts: &NetworkParts<'_>) -> Result<Vec<f32>, PackError> {
    let heads = &parts.heads[..parts.heads.len().min(HEADS_MAX)];
    let mut packed = vec![0.0; WEIGHT_COUNT + heads.len() * HEAD_WEIGHT_COUNT];
    for (index, (layer, sizes)) in parts.layers.iter().zip(LAYERS).enumerate() {
        pack_layer(index, *layer, sizes, &mut packed[layer_offset(index)..])?;
    }
    let mut offset = WEIGHT_COUNT;
    let layers = heads.iter().flat_map(|head| head.iter().zip(HEAD_LAYERS));
    for (index, (layer, sizes)) in (LAYERS.len()..).zip(layers) {
        pack_layer(index, *layer, sizes, &mut packed[offset..])?;
        offset += (sizes.0 + 1) * sizes.1;
    }
    for (unit, (min, max)) in parts.latent.iter().enumerate() {
        (packed[LATENT_MIN + unit], packed[LATENT_MAX + unit]) = (*min, *max);
    }
    packed[INVERSE_SCALE..][..MODEL_FEATURE_COUNT].copy_from_slice(&parts.inverse_scale);
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_lie_by_input_with_outputs_side_by_side() {
        let sizes = [(26, 32), (32, 16), (16, 4), (4, 16), (16, 32), (32, 13)];
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let tables: Vec<(Vec<f32>, Vec<f32>)> = sizes
            .iter()
            .map(|(i, o)| ((0..i * o).map(|k| k as f32).collect(), (0..*o).map(|k| -(k as f32)).collect()))
            .collect();
        let layers = core::array::from_fn(|i| (tables[i].0.as_slice(), tables[i].1.as_slice()));
        let head_tables = [(26, 32), (32, 16)].map(|(i, o)| (vec![7.0; i * o], vec![-7.0; o]));
        let head = [0, 1].map(|i| (head_tables[i].0.as_slice(), head_tables[i].1.as_slice()));
        let heads = [head; HEADS_MAX];
        let parts = NetworkParts {
            layers,
            latent: [(-1.0, 2.0); 4],
            inverse_scale: [0.5; MODEL_FEATURE_COUNT],
            heads: &[],
        };
        let with_heads = pack(&NetworkParts { heads: &heads, ..parts }).unwrap();
        let packed = pack(&parts).unwrap();
        assert_eq!(with_heads[..WEIGHT_COUNT], packed);
        let second = &with_heads[WEIGHT_COUNT + HEAD_WEIGHT_COUNT..];
        assert_eq!((second[26 * 32 - 1], second[26 * 32], second[27 * 32]), (7.0, -7.0, 7.0));
        assert_eq!(second[second.len() - 16..], [-7.0; 16]);
        let counts = [packed.len(), with_heads.len(), packed.len() + 1, 0].map(head_count);
        assert_eq!(counts, [Some(0), Some(HEADS_MAX), None, None]);
        // Output 3 of input 2 in layer 1, which has 32 inputs.
        assert_eq!(packed[layer_offset(1) + 2 * 16 + 3], 3.0 * 32.0 + 2.0);
        assert_eq!(packed[layer_offset(5) + 32 * 16 + 12], -12.0);
        // What fills up is nothing.
        assert_eq!(packed[layer_offset(5) + 32 * 16 + 13..layer_offset(6)], [0.0; 3]);
        assert_eq!(packed[LATENT_MAX..LATENT_MAX + 8], [2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!((packed.len(), packed[INVERSE_SCALE + 12], packed[INVERSE_SCALE + 13]), (2712, 0.5, 0.0));

        let narrow = NetworkParts { layers: core::array::from_fn(|i| layers[5 - i]), ..parts };
        let error = pack(&narrow).unwrap_err().to_string();
        assert_eq!(
            error,
            "layer 0: found 416 weights and 13 biases, wanted 26 inputs and at most 32 outputs"
        );
    }

    proptest! {
        #[test]
        fn a_job_gets_a_block_per_tile_within_bounds(rows in 0_u32..20_000, universe in 0_u32..20_000, max in 1_u32..2_000) {
            let job = Job { sequence: 1, row_count: rows, universe, buffer: 0 };
            let blocks = job.block_count(max);
            prop_assert!((1..=max).contains(&blocks));
            let tiles = rows.div_ceil(16) + universe.div_ceil(16);
            prop_assert!(blocks == max || blocks == tiles.max(1));
        }
    }
}
