//! Why no model came out, and the check of the settings.

use gpu_fit::FitError;

use super::calibrate::CalibrateError;
use crate::model::TrainConfig;

/// Why no model came out.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting cannot be used.
    #[error("training: {key} is {found}, wanted {wanted}")]
    Config {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// Too little data.
    #[error("training: found {found} rows {of}, wanted at least {wanted}")]
    TooFewRows {
        /// Which rows.
        of: &'static str,
        /// Rows there.
        found: usize,
        /// Rows wanted.
        wanted: usize,
    },
    /// Most features hold no data.
    #[error("training: found data in {found} features, wanted at least {wanted}; empty: {empty}")]
    TooFewFeatures {
        /// Features with data.
        found: u32,
        /// Features wanted.
        wanted: u32,
        /// The others.
        empty: String,
    },
    /// The loss or its gradient left the numbers.
    #[error(
        "training: the gradient became infinite or NaN in epoch {epoch}; lower the learning rate (now {rate})"
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
        /// Peak learning rate.
        rate: f64,
    },
    /// The posterior ignores the data.
    #[error("training: no latent unit is active (posterior collapse); lower beta (now {beta})")]
    Collapsed {
        /// Weight of the divergence.
        beta: f64,
    },
    /// The scores cannot be calibrated.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// The numeric library failed.
    #[error("training: {0}")]
    Candle(#[from] candle_core::Error),
    /// The result cannot be written as a manifest.
    #[error("training: {0}")]
    Manifest(String),
}

impl TrainError {
    pub(super) fn other(message: &str) -> Self {
        Self::Candle(candle_core::Error::Msg(message.to_owned()))
    }

    pub(super) fn of(error: FitError, config: &TrainConfig) -> Self {
        match error {
            FitError::Diverged { epoch } => Self::Diverged { epoch, rate: config.learning_rate },
            FitError::Candle(error) => Self::Candle(error),
            refused @ (FitError::Rows { .. } | FitError::Nothing { .. } | FitError::Cancelled { .. }) => {
                Self::other(&refused.to_string())
            }
        }
    }
}

impl TrainConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let wrong = |key, found: String, wanted| Err(TrainError::Config { key, found, wanted });
        let share = |v: f64| (0.0..0.5).contains(&v);
        let positive = |v: f64| v.is_finite() && v > 0.0;
        if i64::try_from(self.seed).is_err() {
            return wrong("seed", self.seed.to_string(), "a number below 2^63");
        }
        if self.epoch_count_max == 0 || self.batch_size == 0 {
            return wrong("epoch_count_max, batch_size", "0".to_owned(), "at least 1 each");
        }
        if !share(self.trim_share) || !share(self.holdout_share) {
            let found = format!("{}, {}", self.trim_share, self.holdout_share);
            return wrong("trim_share, holdout_share", found, "shares from 0 to below 0.5");
        }
        if !positive(self.learning_rate) || !positive(self.gradient_norm_max) {
            let found = format!("{}, {}", self.learning_rate, self.gradient_norm_max);
            return wrong("learning_rate, gradient_norm_max", found, "positive numbers");
        }
        let weights = [self.weight_decay, self.beta];
        if !weights.iter().all(|w| w.is_finite() && *w >= 0.0) {
            return wrong("weight_decay, beta", format!("{weights:?}"), "numbers not below 0");
        }
        Ok(())
    }
}
