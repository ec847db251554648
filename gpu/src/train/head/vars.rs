//! A head's layers while they are fitted: variables of Candle.

use candle_core::{Device, Tensor, Var};
use gpu_fit::random::Random;

use crate::network::{HEAD_SIZES, HeadLayers, Layer};

/// First weights of the output layer, as a share of He's: a fit begins near increments of one, the usual ones.
const OUTPUT_SPREAD: f64 = 0.1;

/// Weights and biases as Candle variables: both layers, first to last.
pub(crate) struct HeadVars(pub(crate) Vec<Var>);

impl HeadVars {
    /// Random weights; the hidden biases are zero, those of the outputs one.
    pub(crate) fn init(random: &mut Random) -> candle_core::Result<Self> {
        let mut vars = Vec::with_capacity(4);
        for (layer, (inputs, outputs)) in HEAD_SIZES.into_iter().enumerate() {
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
mod tests {
    use super::*;
    use crate::inputs::{INPUT_COUNT, Input};
    use crate::network::increments;
    use gpu_fit::random::Purpose;

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
