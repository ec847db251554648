//! A chain of dense layers, packed for both ways through it, and the two ways.
//!
//! **Many rows**: sixteen rows are the lanes. A block of neurons keeps its sums in registers while the inputs pass by, one
//! vector of sixteen rows each; a weight is one number, spread over the lanes as it is loaded. Nothing is padded but the
//! number of neurons to a multiple of four, and the score needs no sum across lanes.
//!
//! **One row**: sixteen neurons are the lanes, an input is spread over them.
//!
//! ReLU is x86's `max(sum, 0)` in both: NaN becomes zero, as in [`f64::max`], which the reference uses.
//!
//! **Same bits.** In both, neuron n is `fma(x[k], w[n][k], ..)` over k in order, begun at the bias, so the way a row takes, its
//! place in a batch and the kernel leave no trace in its score. Inputs that are zero in a whole tile may be left out:
//! `fma(0, w, sum)` is `sum`, but for the sign of a zero, which no score keeps.

use super::aligned::Aligned;
use super::lanes::{Kernel, LANES, Line, Simd, Work};

/// The most neurons or inputs of a layer; bounds the scratch, far beyond any model of this product.
pub(super) const WIDTH_MAX: usize = 4_096;

/// Neurons per block are a multiple of this where rows are the lanes.
const BLOCK_STEP: usize = 4;

/// What follows a layer's sums.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Negative sums become zero.
    Relu,
    /// Each neuron is held within its range; one pair of minimum and maximum per neuron.
    Hold(Vec<(f32, f32)>),
}

/// One dense layer, `y = W x + b`, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseLayer {
    /// Row-major, one row per neuron.
    pub weight: Vec<f32>,
    /// One per neuron.
    pub bias: Vec<f32>,
    /// What follows.
    pub then: Then,
}

/// Why layers make no chain that can be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No layer at all.
    #[error("a network needs at least one layer; found none")]
    Empty,
    /// A layer without inputs or neurons, or with too many.
    #[error("layer {layer}: found {found} inputs or neurons, wanted 1 to {WIDTH_MAX}")]
    Width {
        /// Its place.
        layer: usize,
        /// What it has.
        found: usize,
    },
    /// A table of a layer has another length than its sizes say.
    #[error("layer {layer}, {table}: found {found} numbers, wanted {wanted}")]
    Length {
        /// Its place.
        layer: usize,
        /// Weights or ranges.
        table: &'static str,
        /// Numbers in it.
        found: usize,
        /// Numbers that fit.
        wanted: usize,
    },
    /// A weight, bias or bound is NaN or infinite.
    #[error("layer {layer}: found a weight, bias or bound that is infinite or NaN")]
    NotFinite {
        /// Its place.
        layer: usize,
    },
}

/// One layer, packed.
#[derive(Debug)]
struct Packed {
    inputs: usize,
    /// Blocks for rows as lanes: neurons in each.
    tile_blocks: Vec<usize>,
    /// Per block: its biases, then its weights of input 0, of input 1, ...
    tile: Aligned,
    /// Blocks for neurons as lanes: lines of sixteen neurons in each.
    row_blocks: Vec<usize>,
    /// Per block: its lines of biases, then its lines of weights of input 0, of input 1, ...
    row: Aligned,
    after: After,
}

/// [`Then`], padded as the neurons are.
#[derive(Debug)]
enum After {
    Nothing,
    Relu,
    Hold { min: Aligned, max: Aligned },
}

/// Cuts `total` into blocks, each of the first of `sizes` (falling) that fits the rest.
fn blocks(total: usize, sizes: &[usize]) -> Vec<usize> {
    let (mut left, mut blocks) = (total, Vec::new());
    while let Some(&size) = sizes.iter().find(|&&size| size <= left) {
        blocks.push(size);
        left -= size;
    }
    blocks
}

impl Packed {
    fn new(layer: &DenseLayer, inputs: usize, kernel: Kernel) -> Self {
        let neurons = layer.bias.len();
        let weight = |neuron: usize, input: usize| {
            layer.weight.get(neuron * inputs + input).copied().filter(|_| neuron < neurons).unwrap_or(0.0)
        };
        let bias = |neuron: usize| layer.bias.get(neuron).copied().unwrap_or(0.0);
        let padded = neurons.next_multiple_of(BLOCK_STEP);
        let tile_blocks = blocks(padded, kernel.blocks());
        let mut tile = Aligned::zeroed((padded * (inputs + 1)).div_ceil(LANES));
        pack(tile.floats_mut(), &tile_blocks, inputs, &weight, &bias);

        let lines = neurons.div_ceil(LANES);
        let row_blocks = blocks(lines, &[4, 2, 1]);
        let mut row = Aligned::zeroed(lines * (inputs + 1));
        let in_neurons: Vec<usize> = row_blocks.iter().map(|lines| lines * LANES).collect();
        pack(row.floats_mut(), &in_neurons, inputs, &weight, &bias);

        let after = match &layer.then {
            Then::Nothing => After::Nothing,
            Then::Relu => After::Relu,
            Then::Hold(ranges) => {
                let (mut min, mut max) = (Aligned::zeroed(lines), Aligned::zeroed(lines));
                for (i, (low, high)) in ranges.iter().enumerate() {
                    (min.floats_mut()[i], max.floats_mut()[i]) = (*low, *high);
                }
                After::Hold { min, max }
            }
        };
        Self { inputs, tile_blocks, tile, row_blocks, row, after }
    }

    fn neurons_padded(&self) -> usize {
        self.row.lines().len() / (self.inputs + 1) * LANES
    }
}

/// Fills a table block by block: biases, then the weights of each input.
fn pack(
    mut table: &mut [f32],
    blocks: &[usize],
    inputs: usize,
    weight: &impl Fn(usize, usize) -> f32,
    bias: &impl Fn(usize) -> f32,
) {
    let mut first = 0;
    for &size in blocks {
        let (block, rest) = table.split_at_mut(size * (inputs + 1));
        let (biases, weights) = block.split_at_mut(size);
        for (i, slot) in biases.iter_mut().enumerate() {
            *slot = bias(first + i);
        }
        for (input, weights) in weights.chunks_exact_mut(size).enumerate() {
            for (i, slot) in weights.iter_mut().enumerate() {
                *slot = weight(first + i, input);
            }
        }
        (table, first) = (rest, first + size);
    }
}

/// Dense layers one after the other, ready to run.
#[derive(Debug)]
pub(super) struct Chain {
    layers: Vec<Packed>,
    inputs: usize,
    outputs: usize,
}

/// Two buffers that layers write to in turn; one chain's, reused by every call.
#[derive(Debug)]
pub(super) struct Scratch(Aligned, Aligned);

impl Chain {
    pub(super) fn new(layers: &[DenseLayer], kernel: Kernel) -> Result<Self, ChainError> {
        let first = layers.first().ok_or(ChainError::Empty)?;
        let width = |layer, found| match found {
            1..=WIDTH_MAX => Ok(found),
            _ => Err(ChainError::Width { layer, found }),
        };
        let inputs = width(0, first.weight.len() / first.bias.len().max(1))?;
        let (mut packed, mut width_in) = (Vec::with_capacity(layers.len()), inputs);
        for (i, layer) in layers.iter().enumerate() {
            let neurons = width(i, layer.bias.len())?;
            check(i, layer, width_in)?;
            packed.push(Packed::new(layer, width_in, kernel));
            width_in = neurons;
        }
        Ok(Self { layers: packed, inputs, outputs: width_in })
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn scratch(&self) -> Scratch {
        let lines = self.layers.iter().map(Packed::neurons_padded).max().unwrap_or(0);
        Scratch(Aligned::zeroed(lines), Aligned::zeroed(lines))
    }

    /// Sixteen rows: `x` holds one line of rows per input, the result one per output. `x` may end early when the inputs
    /// beyond are zero in every row.
    #[inline(always)]
    pub(super) fn tile<'a, S: Simd>(&self, s: S, x: &[Line], scratch: &'a mut Scratch) -> &'a [Line] {
        let (mut from, mut to) = (scratch.0.lines_mut(), scratch.1.lines_mut());
        for (i, layer) in self.layers.iter().enumerate() {
            let x = if i == 0 { x } else { &from[..layer.inputs] };
            layer_of_tile(s, layer, x, to);
            (from, to) = (to, from);
        }
        &from[..self.outputs]
    }

    /// One row: `x` holds one number per input, and may end early when those beyond are zero; the result one per output.
    #[inline(always)]
    pub(super) fn row<'a, S: Simd>(&self, s: S, x: &[f32], scratch: &'a mut Scratch) -> &'a [f32] {
        let (mut from, mut to) = (scratch.0.lines_mut(), scratch.1.lines_mut());
        for (i, layer) in self.layers.iter().enumerate() {
            let x = if i == 0 { x } else { &from.as_flattened()[..layer.inputs] };
            layer_of_row(s, layer, x, to);
            (from, to) = (to, from);
        }
        &from.as_flattened()[..self.outputs]
    }
}

fn check(i: usize, layer: &DenseLayer, inputs: usize) -> Result<(), ChainError> {
    let neurons = layer.bias.len();
    let ranges: &[(f32, f32)] = if let Then::Hold(ranges) = &layer.then { ranges } else { &[] };
    let length = |table, found, wanted| match found == wanted {
        true => Ok(()),
        false => Err(ChainError::Length { layer: i, table, found, wanted }),
    };
    length("weights", layer.weight.len(), neurons * inputs)?;
    if matches!(layer.then, Then::Hold(_)) {
        length("ranges", ranges.len(), neurons)?;
    }
    let finite = layer.weight.iter().chain(&layer.bias).all(|v| v.is_finite())
        && ranges.iter().all(|(min, max)| min.is_finite() && max.is_finite());
    if finite { Ok(()) } else { Err(ChainError::NotFinite { layer: i }) }
}

#[inline(always)]
fn layer_of_tile<S: Simd>(s: S, layer: &Packed, x: &[Line], out: &mut [Line]) {
    match layer.after {
        After::Relu => blocks_of_tile::<S, true>(s, layer, x, out),
        After::Nothing | After::Hold { .. } => blocks_of_tile::<S, false>(s, layer, x, out),
    }
    if let After::Hold { min, max } = &layer.after {
        for (line, (min, max)) in out.iter_mut().zip(min.floats().iter().zip(max.floats())) {
            hold(s, line, s.splat(*min), s.splat(*max));
        }
    }
}

#[inline(always)]
fn blocks_of_tile<S: Simd, const RELU: bool>(s: S, layer: &Packed, x: &[Line], out: &mut [Line]) {
    let (mut table, mut out) = (layer.tile.floats(), out);
    for &size in &layer.tile_blocks {
        let (block, table_rest) = table.split_at(size * (layer.inputs + 1));
        let (sums, out_rest) = out.split_at_mut(size);
        match size {
            8 => s.apart(TileBlock::<8, RELU> { table: block, x, out: sums }),
            _ => s.apart(TileBlock::<4, RELU> { table: block, x, out: sums }),
        }
        (table, out) = (table_rest, out_rest);
    }
}

/// `N` neurons of sixteen rows: their biases and weights, the rows' inputs, the neurons' outputs.
struct TileBlock<'a, const N: usize, const RELU: bool> {
    table: &'a [f32],
    x: &'a [Line],
    out: &'a mut [Line],
}

impl<const N: usize, const RELU: bool> Work for TileBlock<'_, N, RELU> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ([bias, weights @ ..], _) = self.table.as_chunks::<N>() else { return };
        // Fixed in number, so that the sums go straight from registers to their lines.
        let Some(out) = self.out.first_chunk_mut::<N>() else { return };
        let zero = s.splat(0.0);
        let mut sums = [zero; N];
        for n in 0..N {
            sums[n] = s.splat(bias[n]);
        }
        for (x, weights) in self.x.iter().zip(weights) {
            let x = s.load(x);
            for n in 0..N {
                sums[n] = s.fma(s.splat(weights[n]), x, sums[n]);
            }
        }
        for n in 0..N {
            s.store(if RELU { s.max(sums[n], zero) } else { sums[n] }, &mut out[n]);
        }
    }
}

#[inline(always)]
fn layer_of_row<S: Simd>(s: S, layer: &Packed, x: &[f32], out: &mut [Line]) {
    match layer.after {
        After::Relu => blocks_of_row::<S, true>(s, layer, x, out),
        After::Nothing | After::Hold { .. } => blocks_of_row::<S, false>(s, layer, x, out),
    }
    if let After::Hold { min, max } = &layer.after {
        for (line, (min, max)) in out.iter_mut().zip(min.lines().iter().zip(max.lines())) {
            hold(s, line, s.load(min), s.load(max));
        }
    }
}

#[inline(always)]
fn blocks_of_row<S: Simd, const RELU: bool>(s: S, layer: &Packed, x: &[f32], out: &mut [Line]) {
    let (mut table, mut out) = (layer.row.lines(), out);
    for &size in &layer.row_blocks {
        let (block, table_rest) = table.split_at(size * (layer.inputs + 1));
        let (sums, out_rest) = out.split_at_mut(size);
        match size {
            4 => block_of_row::<S, 4, RELU>(s, block, x, sums),
            2 => block_of_row::<S, 2, RELU>(s, block, x, sums),
            _ => block_of_row::<S, 1, RELU>(s, block, x, sums),
        }
        (table, out) = (table_rest, out_rest);
    }
}

/// `N` lines of neurons of one row.
#[inline(always)]
fn block_of_row<S: Simd, const N: usize, const RELU: bool>(
    s: S,
    table: &[Line],
    x: &[f32],
    out: &mut [Line],
) {
    let ([bias, weights @ ..], _) = table.as_chunks::<N>() else { return };
    let Some(out) = out.first_chunk_mut::<N>() else { return };
    let zero = s.splat(0.0);
    let mut sums = [zero; N];
    for n in 0..N {
        sums[n] = s.load(&bias[n]);
    }
    for (x, weights) in x.iter().zip(weights) {
        let x = s.splat(*x);
        for n in 0..N {
            sums[n] = s.fma(x, s.load(&weights[n]), sums[n]);
        }
    }
    for n in 0..N {
        s.store(if RELU { s.max(sums[n], zero) } else { sums[n] }, &mut out[n]);
    }
}

/// NaN passes through, to the score's own check.
#[inline(always)]
fn hold<S: Simd>(s: S, line: &mut Line, min: S::V, max: S::V) {
    let value = s.load(line);
    s.store(s.min(max, s.max(min, value)), line);
}
