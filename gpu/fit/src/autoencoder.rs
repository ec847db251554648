//! The variational autoencoder in Candle: the definition that is trained, and the second oracle at inference.
//!
//! Candle's parallel loops take their width from `RAYON_NUM_THREADS`; results do not depend on it, speed does: at these
//! sizes one thread is fastest, so whoever starts a training process sets it to 1.

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::{Linear, Module};
use types::MODEL_FEATURE_COUNT;

use crate::random::Random;
use crate::shape::{INPUT_COUNT, LATENT_COUNT, LAYER_COUNT, LAYERS, LayerId, WEIGHT_COUNT};

/// Bounds of ln s. Below: a quarter of a robust standard deviation. Without it the four latent units would each carry one
/// feature through exactly, drive its s towards zero and leave the other nine unexplained; and harmless noise on such a
/// feature would be an alarm. Above: 4 would all but switch a feature off.
const LN_S_BOUNDS: (f32, f32) = (-2.0 * core::f32::consts::LN_2, 2.0 * core::f32::consts::LN_2);

/// Bounds of the posterior's log variance, against overflow early in training.
const LOGVAR_BOUNDS: (f32, f32) = (-8.0, 8.0);

/// Weights as Candle tensors.
pub struct Autoencoder {
    layers: Vec<Linear>,
}

/// A batch as tensors.
pub struct Batch {
    /// Rows by [`INPUT_COUNT`].
    x: Tensor,
    /// Rows by features: the part to rebuild. Mask bits are inputs only.
    target: Tensor,
    /// 1 where the feature counts, else 0.
    usable: Tensor,
}

impl Batch {
    /// Packs `rows` of network inputs.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn new<'a>(rows: impl Iterator<Item = &'a [f32; INPUT_COUNT]>, device: &Device) -> Result<Self> {
        let values: Vec<f32> = rows.flatten().copied().collect();
        let rows = values.len() / INPUT_COUNT;
        let x = Tensor::from_vec(values, (rows, INPUT_COUNT), device)?;
        let target = x.narrow(1, 0, MODEL_FEATURE_COUNT)?.contiguous()?;
        let usable = x.narrow(1, MODEL_FEATURE_COUNT, MODEL_FEATURE_COUNT)?.affine(-1.0, 1.0)?;
        Ok(Self { x, target, usable })
    }

    /// Rows.
    ///
    /// # Errors
    /// Never, for a batch made by [`Batch::new`].
    #[expect(clippy::len_without_is_empty, reason = "a batch without rows is never made")]
    pub fn len(&self) -> Result<usize> {
        self.x.dim(0)
    }
}

/// The range that the latent state is held within, as tensors.
pub struct CalmRange {
    min: Tensor,
    max: Tensor,
}

impl CalmRange {
    /// From `min` to `max` of each unit.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn new(min: &[f64; LATENT_COUNT], max: &[f64; LATENT_COUNT], device: &Device) -> Result<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
        let tensor = |ends: &[f64; LATENT_COUNT]| Tensor::new(&ends.map(|v| v as f32), device);
        Ok(Self { min: tensor(min)?, max: tensor(max)? })
    }
}

/// Parts of the objective, one number per row, in nats.
pub struct Loss {
    /// Negative log-likelihood of the reconstruction, up to a constant.
    pub reconstruction: Tensor,
    /// Divergence of the posterior from the standard normal.
    pub divergence: Tensor,
}

impl Loss {
    /// The negative ELBO of each row, the divergence weighted by `beta`.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn total(&self, beta: f64) -> Result<Tensor> {
        &self.reconstruction + (&self.divergence * beta)?
    }
}

impl Autoencoder {
    /// A trained network, for inference: the weights (row-major, one row per output) and biases of each of [`LAYERS`].
    ///
    /// # Errors
    /// A layer of another size, or what Candle says of the device.
    pub fn new(parts: [(&[f32], &[f32]); LAYER_COUNT], device: &Device) -> Result<Self> {
        let mut layers = Vec::with_capacity(LAYER_COUNT);
        for ((weight, bias), (_, inputs, outputs)) in parts.into_iter().zip(LAYERS) {
            let weight = Tensor::from_slice(weight, (outputs, inputs), device)?;
            let bias = Tensor::from_slice(bias, outputs, device)?;
            layers.push(Linear::new(weight, Some(bias)));
        }
        Ok(Self { layers })
    }

    fn layer(&self, id: LayerId, x: &Tensor) -> Result<Tensor> {
        self.layers[id as usize].forward(x)
    }

    fn hidden(&self, x: &Tensor) -> Result<Tensor> {
        self.layer(LayerId::Encoder1, &self.layer(LayerId::Encoder0, x)?.relu()?)?.relu()
    }

    fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let inner = self.layer(LayerId::Decoder0, latent)?.relu()?;
        self.layer(LayerId::Decoder2, &self.layer(LayerId::Decoder1, &inner)?.relu()?)
    }

    /// Reconstruction errors `x - x̂` of a batch, the latent state held within `calm`.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn errors(&self, batch: &Batch, calm: &CalmRange) -> Result<Tensor> {
        let mu = self.layer(LayerId::Mu, &self.hidden(&batch.x)?)?;
        let held = mu.broadcast_maximum(&calm.min)?.broadcast_minimum(&calm.max)?;
        &batch.target - self.decode(&held)?
    }

    /// The negative ELBO's two parts; `noise` is rows by latent units, standard normal
    /// (zeros give the deterministic objective that validation uses).
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn loss(&self, batch: &Batch, noise: &Tensor, ln_s: &Tensor) -> Result<Loss> {
        let hidden = self.hidden(&batch.x)?;
        let mu = self.layer(LayerId::Mu, &hidden)?;
        let logvar = self.layer(LayerId::LogVar, &hidden)?.clamp(LOGVAR_BOUNDS.0, LOGVAR_BOUNDS.1)?;
        let latent = (&mu + ((&logvar * 0.5)?.exp()? * noise)?)?;
        let error = (&batch.target - self.decode(&latent)?)?;
        let ln_s = ln_s.clamp(LN_S_BOUNDS.0, LN_S_BOUNDS.1)?;
        let precision = (&ln_s * -2.0)?.exp()?;
        let each = (error.sqr()?.broadcast_mul(&precision)? * 0.5)?.broadcast_add(&ln_s)?;
        let reconstruction = (each * &batch.usable)?.sum(D::Minus1)?;
        let kl = (((&logvar + 1.0)? - mu.sqr()?)? - logvar.exp()?)?;
        Ok(Loss { reconstruction, divergence: (kl.sum(D::Minus1)? * -0.5)? })
    }
}

/// The trainable parameters: weight and bias of each layer in [`LAYERS`] order, then ln s.
pub struct Parameters {
    vars: Vec<Var>,
}

impl Parameters {
    /// He-initialised weights, zero biases, s = 1. Candle's own generator cannot be seeded on the CPU.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn init(random: &mut Random, device: &Device) -> Result<Self> {
        let mut vars = Vec::with_capacity(2 * LAYER_COUNT + 1);
        for (_, inputs, outputs) in LAYERS {
            #[expect(clippy::cast_precision_loss, reason = "layer sizes are tiny")]
            let spread = (2.0 / inputs as f64).sqrt();
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            let weights: Vec<f32> =
                (0..inputs * outputs).map(|_| (random.normal() * spread) as f32).collect();
            vars.push(Var::from_vec(weights, (outputs, inputs), device)?);
            vars.push(Var::from_vec(vec![0.0_f32; outputs], outputs, device)?);
        }
        vars.push(Var::from_vec(vec![0.0_f32; MODEL_FEATURE_COUNT], MODEL_FEATURE_COUNT, device)?);
        Ok(Self { vars })
    }

    /// All of them, in the order of [`Parameters`].
    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// ln s, unclamped.
    pub fn ln_s(&self) -> &Tensor {
        self.vars[2 * LAYER_COUNT].as_tensor()
    }

    /// The network over these parameters; it follows their updates.
    pub fn autoencoder(&self) -> Autoencoder {
        let layer =
            |pair: &[Var]| Linear::new(pair[0].as_tensor().clone(), Some(pair[1].as_tensor().clone()));
        Autoencoder { layers: self.vars[..2 * LAYER_COUNT].chunks_exact(2).map(layer).collect() }
    }

    /// Copies the values out: [`WEIGHT_COUNT`] weights and biases, and s within its bounds.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn export(&self) -> Result<(Vec<f32>, [f64; MODEL_FEATURE_COUNT])> {
        let mut weights = Vec::with_capacity(WEIGHT_COUNT);
        for var in &self.vars[..2 * LAYER_COUNT] {
            weights.extend(var.flatten_all()?.to_vec1::<f32>()?);
        }
        let mut s = [1.0; MODEL_FEATURE_COUNT];
        for (s, ln_s) in s.iter_mut().zip(self.ln_s().to_vec1::<f32>()?) {
            *s = f64::from(ln_s.clamp(LN_S_BOUNDS.0, LN_S_BOUNDS.1)).exp();
        }
        Ok((weights, s))
    }
}

/// Standard normal noise for `rows` latent states.
///
/// # Errors
/// What Candle says of the device.
pub fn latent_noise(rows: usize, random: &mut Random, device: &Device) -> Result<Tensor> {
    #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
    let noise: Vec<f32> = (0..rows * LATENT_COUNT).map(|_| random.normal() as f32).collect();
    Tensor::from_vec(noise, (rows, LATENT_COUNT), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// The mean over the batch.
    fn scalar(t: &Tensor) -> f32 {
        t.mean_all().unwrap().to_scalar::<f32>().unwrap()
    }

    /// Parameters that are all zero except the biases of mu and logvar.
    fn constant_posterior(mu: f32, logvar: f32) -> Parameters {
        let parameters = Parameters::init(&mut Random::new(1, Purpose::Init), &Device::Cpu).unwrap();
        for var in parameters.vars() {
            var.set(&var.zeros_like().unwrap()).unwrap();
        }
        for (id, value) in [(LayerId::Mu, mu), (LayerId::LogVar, logvar)] {
            let bias = &parameters.vars()[2 * id as usize + 1];
            bias.set(&bias.ones_like().unwrap().affine(f64::from(value), 0.0).unwrap()).unwrap();
        }
        parameters
    }

    #[test]
    fn the_divergence_is_the_reference_value() {
        // m = 0.3 and ln v = -0.2 give 0.0543653765 per unit; there are four.
        let parameters = constant_posterior(0.3, -0.2);
        let batch = Batch::new([[0.0; INPUT_COUNT]].iter(), &Device::Cpu).unwrap();
        let noise = latent_noise(1, &mut Random::new(1, Purpose::Latent), &Device::Cpu).unwrap();
        let loss = parameters.autoencoder().loss(&batch, &noise, parameters.ln_s()).unwrap();
        assert!((f64::from(scalar(&loss.divergence)) - 4.0 * 0.054_365_376_5).abs() < 1e-6);
        assert_eq!(scalar(&loss.reconstruction), 0.0);
    }

    #[test]
    fn missing_features_do_not_enter_the_reconstruction() {
        let parameters = constant_posterior(0.0, 0.0);
        let mut input = [0.0; INPUT_COUNT];
        input[3] = 2.0;
        let loss_of = |input: &[f32; INPUT_COUNT]| {
            let batch = Batch::new([*input].iter(), &Device::Cpu).unwrap();
            let noise = latent_noise(1, &mut Random::new(1, Purpose::Latent), &Device::Cpu).unwrap();
            scalar(&parameters.autoencoder().loss(&batch, &noise, parameters.ln_s()).unwrap().reconstruction)
        };
        // The decoder gives zeros and s = 1: the error of feature 3 is 2, its cost 2²/2.
        assert!((loss_of(&input) - 2.0).abs() < 1e-6);
        input[MODEL_FEATURE_COUNT + 3] = 1.0;
        assert!(loss_of(&input).abs() < 1e-6);
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let parameters = Parameters::init(&mut Random::new(3, Purpose::Init), &Device::Cpu).unwrap();
        let mut random = Random::new(4, Purpose::Latent);
        let mut inputs = vec![[0.0; INPUT_COUNT]; 8];
        for input in &mut inputs {
            #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
            input[..MODEL_FEATURE_COUNT].fill_with(|| random.normal() as f32);
        }
        let batch = Batch::new(inputs.iter(), &Device::Cpu).unwrap();
        let noise = latent_noise(8, &mut random, &Device::Cpu).unwrap();
        let total = || {
            let loss = parameters.autoencoder().loss(&batch, &noise, parameters.ln_s()).unwrap();
            loss.total(0.5).unwrap().mean_all().unwrap()
        };
        let gradients = total().backward().unwrap();
        for var in parameters.vars() {
            let gradient = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let at = gradient.len() / 2;
            let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let shifted = |by: f32| {
                let mut values = values.clone();
                values[at] += by;
                var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()).unwrap();
                f64::from(scalar(&total()))
            };
            let slope = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
            shifted(0.0);
            let gradient = f64::from(gradient[at]);
            assert!((slope - gradient).abs() < 2e-2 * gradient.abs().max(1.0), "{slope} {gradient}");
        }
    }
}
