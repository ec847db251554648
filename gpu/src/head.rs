//! What every head beside the autoencoder is made of: two dense layers on the encoder's inputs, a ReLU after each, whose
//! sixteen outputs are *increments* that are never negative. What the increments add up to is the head's own affair.

use candle_core::{Device, Tensor, Var};

use crate::network::Layer;
use crate::normalise::{INPUT_COUNT, Input};
use crate::random::Random;

/// Width of the hidden layer.
pub(crate) const HEAD_INNER: usize = 32;

/// Outputs of a head.
pub(crate) const HEAD_OUTPUTS: usize = 16;

/// The heads that a model may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Head {
    /// What large orders pay beyond the touch ([`crate::SlippageModel`]).
    Slippage = 0,
    /// How likely an order of a size and a price is an error ([`crate::SurfaceModel`]).
    Surface = 1,
}

impl Head {
    /// All of them, in the order in which a card has them.
    pub const ALL: [Self; 2] = [Self::Slippage, Self::Surface];
}

/// What a head says of one vector: numbers that are never negative, in the head's own unit.
pub type Increments = [f32; HEAD_OUTPUTS];

/// One of something for each head.
pub(crate) type PerHead<T> = [T; Head::ALL.len()];

/// Both layers, first to last.
pub(crate) type HeadLayers = [Layer; 2];

/// Of each layer: name in the weights file, inputs, outputs.
pub(crate) type HeadShape = [(&'static str, usize, usize); 2];

/// The shape of a head whose layers have these names.
pub(crate) const fn head_shape(first: &'static str, second: &'static str) -> HeadShape {
    [(first, INPUT_COUNT, HEAD_INNER), (second, HEAD_INNER, HEAD_OUTPUTS)]
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

/// First weights of the output layer, as a share of He's: a fit begins near increments of one, the usual ones.
const OUTPUT_SPREAD: f64 = 0.1;

/// Weights and biases as Candle variables: both layers, first to last.
pub(crate) struct HeadVars(pub(crate) Vec<Var>);

impl HeadVars {
    /// Random weights; the hidden biases are zero, those of the outputs one.
    pub(crate) fn init(random: &mut Random) -> candle_core::Result<Self> {
        let mut vars = Vec::with_capacity(4);
        for (layer, (_, inputs, outputs)) in head_shape("0", "1").into_iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "layer sizes are tiny")]
            let spread = (2.0 / inputs as f64).sqrt() * if layer == 0 { 1.0 } else { OUTPUT_SPREAD };
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            let weights: Vec<f32> =
                (0..inputs * outputs).map(|_| (random.normal() * spread) as f32).collect();
            let bias = if layer == 0 { 0.0 } else { 1.0_f32 };
            vars.push(Var::from_vec(weights, (outputs, inputs), &Device::Cpu)?);
            vars.push(Var::from_vec(vec![bias; outputs], outputs, &Device::Cpu)?);
        }
        Ok(Self(vars))
    }

    /// The increments of a batch of inputs.
    pub(crate) fn increments(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.0[..4].chunks_exact(2).try_fold(x.clone(), |x, pair| {
            x.matmul(&pair[0].t()?)?.broadcast_add(pair[1].as_tensor())?.relu()
        })
    }

    /// The layers as they stand.
    pub(crate) fn export(&self) -> candle_core::Result<HeadLayers> {
        let layer = |i: usize| {
            let weight = self.0[2 * i].flatten_all()?.to_vec1::<f32>()?;
            Ok::<_, candle_core::Error>(Layer { weight, bias: self.0[2 * i + 1].to_vec1::<f32>()? })
        };
        Ok([layer(0)?, layer(1)?])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::random::Purpose;

    /// Layers with He-scaled random weights, for tests of the arithmetic.
    pub(crate) fn random_layers(seed: u64) -> HeadLayers {
        let mut random = Random::new(seed, Purpose::Init);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test weights")]
        head_shape("0", "1").map(|(_, inputs, outputs)| Layer {
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

    #[test]
    fn a_fresh_head_gives_increments_near_one_and_the_fit_computes_what_the_oracle_does() {
        let vars = HeadVars::init(&mut Random::new(3, Purpose::Init)).unwrap();
        let layers = vars.export().unwrap();
        let x: [f32; INPUT_COUNT] = core::array::from_fn(|i| if i % 2 == 0 { 0.5 } else { -0.25 });
        let wanted = increments(&layers, &Input { x, usable: 0x1fff });
        let batch = Tensor::from_slice(&x, (1, INPUT_COUNT), &Device::Cpu).unwrap();
        let found: Vec<f32> = vars.increments(&batch).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (wanted, found) in wanted.into_iter().zip(found) {
            assert!((wanted - f64::from(found)).abs() < 1e-5, "{wanted} {found}");
            assert!((wanted - 1.0).abs() < 0.5, "{wanted}");
        }
    }
}
