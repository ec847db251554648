//! What every head beside the autoencoder is made of: two dense layers on the encoder's inputs, a ReLU after each, whose
//! sixteen outputs are *increments* that are never negative. What the increments add up to is the head's own affair.

use super::weights::Layer;
use crate::inputs::{INPUT_COUNT, Input};

/// Width of the hidden layer.
pub(crate) const HEAD_INNER: usize = 32;

/// Outputs of a head.
pub(crate) const HEAD_OUTPUTS: usize = 16;

/// What a head says of one vector: numbers that are never negative, in the head's own unit.
pub type Increments = [f32; HEAD_OUTPUTS];

/// Both layers, first to last.
pub(crate) type HeadLayers = [Layer; 2];

/// Of each layer: name in the weights file, inputs, outputs.
pub(crate) type HeadShape = [(String, usize, usize); 2];

/// Inputs and outputs of each layer.
pub(crate) const HEAD_SIZES: [(usize, usize); 2] = [(INPUT_COUNT, HEAD_INNER), (HEAD_INNER, HEAD_OUTPUTS)];

/// The shape of the head `name`.
pub(crate) fn head_shape(name: &str) -> HeadShape {
    let [(inputs, inner), (same, outputs)] = HEAD_SIZES;
    [(format!("{name}.0"), inputs, inner), (format!("{name}.1"), same, outputs)]
}

/// The increments of one input, in double precision and summed in the order of the inputs.
pub(crate) fn increments(layers: &HeadLayers, input: &Input) -> [f64; HEAD_OUTPUTS] {
    let hidden: [f64; HEAD_INNER] = dense_relu(&layers[0], &input.x.map(f64::from));
    dense_relu(&layers[1], &hidden)
}

/// `max(W x + b, 0)`.
fn dense_relu<const IN: usize, const OUT: usize>(layer: &Layer, x: &[f64; IN]) -> [f64; OUT] {
    core::array::from_fn(|output| {
        let row = &layer.weight[output * IN..(output + 1) * IN];
        let sum =
            row.iter().zip(x).fold(f64::from(layer.bias[output]), |sum, (w, x)| sum + f64::from(*w) * x);
        sum.max(0.0)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gpu_fit::random::{Purpose, Random};

    /// Layers with He-scaled random weights, for tests of the arithmetic.
    pub(crate) fn random_layers(seed: u64) -> HeadLayers {
        let mut random = Random::new(seed, Purpose::Init);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test weights")]
        HEAD_SIZES.map(|(inputs, outputs)| Layer {
            weight: (0..inputs * outputs)
                .map(|_| (random.normal() * (2.0 / inputs as f64).sqrt()) as f32)
                .collect(),
            bias: (0..outputs).map(|_| (random.normal() * 0.1) as f32).collect(),
        })
    }

    #[test]
    fn the_forward_pass_is_the_hand_worked_one() {
        let mut layers = random_layers(1);
        for layer in &mut layers {
            layer.weight.fill(0.0);
            layer.bias.fill(0.0);
        }
        // Hidden unit 3 is 2 x0 - 1; output 1 is 0.5 of it, output 8 is -1 of it, plus 0.25.
        layers[0].weight[3 * INPUT_COUNT] = 2.0;
        layers[0].bias[3] = -1.0;
        layers[1].weight[HEAD_INNER + 3] = 0.5;
        layers[1].weight[8 * HEAD_INNER + 3] = -1.0;
        layers[1].bias[8] = 0.25;
        let mut input = Input { x: [0.0; INPUT_COUNT], usable: 0x1fff };
        let both = |input: &Input| (increments(&layers, input)[1], increments(&layers, input)[8]);
        assert_eq!(both(&input), (0.0, 0.25));
        input.x[0] = 2.5;
        assert_eq!(both(&input), (2.0, 0.0));
    }
}
