//! One fit: from fresh weights over epochs to the best of them.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use types::MODEL_FEATURE_COUNT;

use crate::autoencoder::{Batch, Parameters, latent_noise};
use crate::optimiser::AdamW;
use crate::random::{Purpose, Random};
use crate::shape::{INPUT_COUNT, LATENT_COUNT};

/// Rows per pass when no gradient is needed.
const EVALUATION_BATCH: usize = 4_096;

/// Smallest gain of the validation loss that counts as progress, as a share of its size.
const GAIN_MIN: f64 = 1e-3;

/// Settings of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitConfig {
    /// Seed of initialisation, shuffling and noise.
    pub seed: u64,
    /// Most passes over the data, from 1.
    pub epoch_count_max: u32,
    /// Rows per step, from 1.
    pub batch_size: usize,
    /// Epochs without gain before the fit stops; 0 counts as 1.
    pub patience: u32,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it.
    pub gradient_norm_max: f64,
    /// Weight of the divergence, reached after the first quarter of the epochs.
    pub beta: f64,
    /// Share of each batch, its rows with the largest loss, that the gradient leaves out. A disturbed stretch in "calm"
    /// data is small, but its rows lie so far out that a plain mean would spend a latent unit on them.
    pub worst_share: f64,
}

/// Told after every epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Epochs done, from 1.
    pub epoch: u32,
    /// Mean training loss of the epoch, nats per row.
    pub train_loss: f64,
    /// Validation loss after it, nats per row.
    pub validation_loss: f64,
}

/// A finished fit: the epoch with the best validation loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// [`crate::WEIGHT_COUNT`] numbers, in the order given there.
    pub weights: Vec<f32>,
    /// Each feature's error scale s.
    pub s: [f64; MODEL_FEATURE_COUNT],
    /// The epoch it is from.
    pub epochs: u32,
    /// Its validation loss, nats per row.
    pub validation_loss: f64,
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Arrays that are not whole rows, or no rows.
    #[error(
        "found {training} training and {validation} validation numbers, wanted rows of {INPUT_COUNT} in both"
    )]
    Rows {
        /// Numbers of the training rows.
        training: usize,
        /// Numbers of the validation rows.
        validation: usize,
    },
    /// Nothing to do.
    #[error("found {epochs} epochs with batches of {batch} rows, wanted at least 1 each")]
    Nothing {
        /// Most epochs.
        epochs: u32,
        /// Rows per step.
        batch: usize,
    },
    /// The loss or its gradient left the numbers.
    #[error("the gradient became infinite or NaN in epoch {epoch}")]
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
    },
    /// Whoever was told of the epochs wanted no more.
    #[error("cancelled after epoch {epoch}")]
    Cancelled {
        /// Epoch, from 1.
        epoch: u32,
    },
    /// The numeric library failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Rows of the network's inputs.
type Rows<'a> = &'a [[f32; INPUT_COUNT]];

fn rows(numbers: &[f32]) -> Option<Rows<'_>> {
    let (rows, rest) = numbers.as_chunks();
    (rest.is_empty() && !rows.is_empty()).then_some(rows)
}

/// One fit from fresh weights.
struct Fitter<'a> {
    config: &'a FitConfig,
    device: &'a Device,
    parameters: Parameters,
    optimiser: AdamW,
    latent: Random,
}

impl<'a> Fitter<'a> {
    fn new(device: &'a Device, config: &'a FitConfig, row_count: usize) -> Result<Self, FitError> {
        let steps = u64::from(config.epoch_count_max) * row_count.div_ceil(config.batch_size) as u64;
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        Ok(Self {
            config,
            device,
            parameters: Parameters::init(&mut Random::new(config.seed, Purpose::Init), device)?,
            optimiser: AdamW::new(config.learning_rate, config.weight_decay, config.gradient_norm_max, steps),
            latent: Random::new(config.seed, Purpose::Latent),
        })
    }

    /// The weight of the divergence in `epoch` (from 1): from zero to its full value over the first quarter, so that
    /// the latent units are in use before they cost anything.
    fn beta(&self, epoch: u32) -> f64 {
        let climb = f64::from((self.config.epoch_count_max / 4).max(1));
        self.config.beta * (f64::from(epoch) / climb).min(1.0)
    }

    /// The mean loss of a batch without its worst rows ([`FitConfig::worst_share`]).
    fn mean_without_worst(&self, each: &Tensor) -> candle_core::Result<Tensor> {
        let rows = each.elem_count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let worst = (self.config.worst_share * rows as f64).ceil() as usize;
        if worst == 0 || worst >= rows {
            return each.mean_all();
        }
        let values = each.to_vec1::<f32>()?;
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        let mut kept = vec![1.0_f32; rows];
        order[..worst].iter().for_each(|&i| kept[i] = 0.0);
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        let count = (rows - worst) as f64;
        (each * Tensor::from_vec(kept, rows, self.device)?)?.sum_all()? / count
    }

    /// One pass over `rows` in the order of `order`; gives the mean loss.
    fn epoch(&mut self, epoch: u32, rows: Rows<'_>, order: &[usize]) -> Result<f64, FitError> {
        let autoencoder = self.parameters.autoencoder();
        let (mut sum, mut steps) = (0.0, 0.0);
        for chosen in order.chunks(self.config.batch_size) {
            let batch = Batch::new(chosen.iter().map(|&i| &rows[i]), self.device)?;
            let noise = latent_noise(chosen.len(), &mut self.latent, self.device)?;
            let each = autoencoder.loss(&batch, &noise, self.parameters.ln_s())?.total(self.beta(epoch))?;
            let total = self.mean_without_worst(&each)?;
            let gradients = total.backward()?;
            if !self.optimiser.step(self.parameters.vars(), &gradients)?.is_finite() {
                return Err(FitError::Diverged { epoch });
            }
            sum += f64::from(total.to_scalar::<f32>()?);
            steps += 1.0;
        }
        Ok(sum / steps)
    }

    /// The loss of `rows` at the posterior mean.
    fn validate(&self, rows: Rows<'_>) -> Result<f64, FitError> {
        let autoencoder = self.parameters.autoencoder();
        let mut sum = 0.0;
        for chunk in rows.chunks(EVALUATION_BATCH) {
            let batch = Batch::new(chunk.iter(), self.device)?;
            let zeros = Tensor::zeros((batch.len()?, LATENT_COUNT), DType::F32, self.device)?;
            let total = autoencoder.loss(&batch, &zeros, self.parameters.ln_s())?.total(self.config.beta)?;
            sum += f64::from(total.mean_all()?.to_scalar::<f32>()?) * float(chunk.len());
        }
        Ok(sum / float(rows.len()))
    }

    fn run(
        mut self,
        training: Rows<'_>,
        validation: Rows<'_>,
        progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let mut shuffle = Random::new(self.config.seed, Purpose::Shuffle);
        let mut order: Vec<usize> = (0..training.len()).collect();
        let mut best: Option<Fit> = None;
        for epoch in 1..=self.config.epoch_count_max {
            shuffle.shuffle(&mut order);
            let train_loss = self.epoch(epoch, training, &order)?;
            let validation_loss = self.validate(validation)?;
            if progress(&Epoch { epoch, train_loss, validation_loss }).is_break() {
                return Err(FitError::Cancelled { epoch });
            }
            let best_loss = best.as_ref().map_or(f64::INFINITY, |fit| fit.validation_loss);
            // Losses can be negative (ln s), so progress is measured against their size, not their ratio.
            if !best_loss.is_finite() || validation_loss < best_loss - GAIN_MIN * best_loss.abs().max(1.0) {
                let (weights, s) = self.parameters.export()?;
                best = Some(Fit { weights, s, epochs: epoch, validation_loss });
            } else if best.as_ref().is_some_and(|fit| epoch - fit.epochs >= self.config.patience.max(1)) {
                break;
            }
        }
        best.ok_or(FitError::Diverged { epoch: self.config.epoch_count_max })
    }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
const fn float(count: usize) -> f64 {
    count as f64
}

/// Fits the network to `training` on `device`; `validation` decides when to stop. Both are row-major, [`INPUT_COUNT`] numbers
/// a row: the normalised features (0 where missing), then the missing bits as 0 or 1. `progress` hears of every epoch and may
/// end the fit.
///
/// # Errors
/// No rows or parts of rows, no epochs, a gradient that is NaN or infinite, an end by `progress`, what Candle says of the device.
pub fn fit(
    device: &Device,
    config: &FitConfig,
    training: &[f32],
    validation: &[f32],
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fit, FitError> {
    let (Some(training), Some(validation)) = (rows(training), rows(validation)) else {
        return Err(FitError::Rows { training: training.len(), validation: validation.len() });
    };
    if config.epoch_count_max == 0 || config.batch_size == 0 {
        return Err(FitError::Nothing { epochs: config.epoch_count_max, batch: config.batch_size });
    }
    Fitter::new(device, config, training.len())?.run(training, validation, progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::WEIGHT_COUNT;

    const CONFIG: FitConfig = FitConfig {
        seed: 3,
        epoch_count_max: 3,
        batch_size: 64,
        patience: 3,
        learning_rate: 5e-3,
        weight_decay: 1e-4,
        gradient_norm_max: 5.0,
        beta: 0.1,
        worst_share: 0.01,
    };

    /// Rows on a plane of two dimensions, with a little noise and nothing missing.
    fn plane(rows: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed, Purpose::Latent);
        let mut numbers = Vec::with_capacity(rows * INPUT_COUNT);
        for _ in 0..rows {
            let at = [random.normal(), random.normal()];
            #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
            numbers.extend((0..MODEL_FEATURE_COUNT).map(|i| (at[i % 2] + 0.1 * random.normal()) as f32));
            numbers.extend([0.0; MODEL_FEATURE_COUNT]);
        }
        numbers
    }

    fn fitted(config: &FitConfig) -> (Result<Fit, FitError>, Vec<Epoch>) {
        let (training, validation, mut heard) = (plane(640, 1), plane(200, 2), vec![]);
        let fit = fit(&Device::Cpu, config, &training, &validation, &mut |epoch| {
            heard.push(*epoch);
            ControlFlow::Continue(())
        });
        (fit, heard)
    }

    #[test]
    fn a_fit_learns_the_plane_and_repeats_bit_for_bit() {
        let (first, heard) = fitted(&CONFIG);
        let first = first.unwrap();
        assert_eq!(first.weights.len(), WEIGHT_COUNT);
        assert!(heard[2].validation_loss < heard[0].validation_loss, "{heard:?}");
        assert_eq!(
            (heard.len(), first.validation_loss),
            (3, heard[first.epochs as usize - 1].validation_loss)
        );
        assert_eq!(fitted(&CONFIG).0.unwrap(), first);
        assert_ne!(fitted(&FitConfig { seed: 4, ..CONFIG }).0.unwrap(), first);
        assert_ne!(fitted(&FitConfig { worst_share: 0.0, ..CONFIG }).0.unwrap(), first);
    }

    #[test]
    fn whoever_hears_of_the_epochs_may_end_the_fit() {
        let rows = plane(128, 1);
        let end = fit(&Device::Cpu, &CONFIG, &rows, &rows, &mut |epoch| match epoch.epoch {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert!(matches!(end, Err(FitError::Cancelled { epoch: 2 })), "{end:?}");
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let refusal = |config: &FitConfig, training: &[f32], validation: &[f32]| {
            let heard = &mut |_: &Epoch| ControlFlow::Continue(());
            fit(&Device::Cpu, config, training, validation, heard).unwrap_err().to_string()
        };
        let rows = plane(64, 1);
        assert_eq!(
            refusal(&CONFIG, &rows[1..], &[]),
            "found 1663 training and 0 validation numbers, wanted rows of 26 in both"
        );
        let idle = FitConfig { batch_size: 0, ..CONFIG };
        assert_eq!(
            refusal(&idle, &rows, &rows),
            "found 3 epochs with batches of 0 rows, wanted at least 1 each"
        );
        let wild = FitConfig { learning_rate: 1e30, gradient_norm_max: 1e30, ..CONFIG };
        assert!(refusal(&wild, &rows, &rows).starts_with("the gradient became infinite or NaN in epoch "));
    }
}
