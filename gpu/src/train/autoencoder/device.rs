//! Where the network is fitted: on this machine's processors, or on a card.

use std::ops::ControlFlow;

use candle_core::Device;
use gpu_cuda::abi::{FitConfig as CardFitConfig, FitEpoch};
use gpu_cuda::{FitFailure, FitRows, Trainer};
use gpu_fit::{Epoch, FitConfig, FitError, INPUT_COUNT, WEIGHT_COUNT};

use crate::model::FittedOn;

/// Where a network is fitted. All else, from the rows to the calibration, is the CPU's.
#[derive(Debug, Default)]
pub enum TrainDevice {
    /// Here.
    #[default]
    Cpu,
    /// On a card.
    Cuda(Trainer),
}

impl TrainDevice {
    pub(super) const fn name(&self) -> FittedOn {
        match self {
            Self::Cpu => FittedOn::Cpu,
            Self::Cuda(_) => FittedOn::Cuda,
        }
    }

    pub(super) fn fit(
        &self,
        config: &FitConfig,
        training: &[f32],
        validation: &[f32],
        progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<gpu_fit::Fit, FitError> {
        let trainer = match self {
            Self::Cpu => return gpu_fit::fit(&Device::Cpu, config, training, validation, progress),
            Self::Cuda(trainer) => trainer,
        };
        let rows = FitRows { input_count: INPUT_COUNT, weight_count: WEIGHT_COUNT, training, validation };
        let fitted = trainer.fit(&card_config(config), &rows, &mut |epoch: &FitEpoch| {
            let FitEpoch { epoch, train_loss, validation_loss, .. } = *epoch;
            progress(&Epoch { epoch, train_loss, validation_loss })
        });
        match fitted {
            Ok(fit) => Ok(gpu_fit::Fit {
                weights: fit.weights,
                s: fit.scales,
                epochs: fit.epochs,
                validation_loss: fit.validation_loss,
            }),
            Err(FitFailure::Cancelled { epoch }) => Err(FitError::Cancelled { epoch }),
            Err(FitFailure::Diverged { epoch }) => Err(FitError::Diverged { epoch }),
            Err(FitFailure::Refused { message }) => Err(candle_core::Error::Msg(message).into()),
        }
    }
}

fn card_config(config: &FitConfig) -> CardFitConfig {
    CardFitConfig {
        seed: config.seed,
        epoch_count_max: config.epoch_count_max,
        batch_size: u32::try_from(config.batch_size).unwrap_or(u32::MAX),
        patience: config.patience,
        unused: 0,
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        gradient_norm_max: config.gradient_norm_max,
        beta: config.beta,
        worst_share: config.worst_share,
    }
}
