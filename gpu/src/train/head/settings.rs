//! The settings that every head's training has, what is heard of it, and why it fails.

/// What users call the training of a head, as in `portcullis train`, and what it is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadNames {
    /// The training.
    pub training: &'static str,
    /// Its rows.
    pub rows: &'static str,
}

/// Told after every epoch of a head's fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadProgress {
    /// Epochs done, from 1.
    pub epoch: u32,
    /// Most epochs.
    pub epoch_count_max: u32,
    /// Mean loss on the calibration part after it: pinball loss in bps of the slippage network, logistic loss of the fat-finger network.
    pub validation_loss: f64,
}

/// Why no head came out.
#[derive(Debug, thiserror::Error)]
pub enum HeadTrainError {
    /// A setting cannot be used.
    #[error("{}: {key} is {found}, wanted {wanted}", head.training)]
    Config {
        /// Which head.
        head: HeadNames,
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// Too little data.
    #[error("{}: found {found} {} {of}, wanted at least {wanted}", head.training, head.rows)]
    TooFewRows {
        /// Which head.
        head: HeadNames,
        /// Which rows: decisions or orders, by the head.
        of: &'static str,
        /// Rows there.
        found: usize,
        /// Rows wanted.
        wanted: usize,
    },
    /// The gradient left the numbers.
    #[error(
        "{}: the gradient became infinite or NaN in epoch {epoch}; lower the learning rate (now {rate})",
        head.training
    )]
    Diverged {
        /// Which head.
        head: HeadNames,
        /// Epoch, from 1.
        epoch: u32,
        /// Peak learning rate.
        rate: f64,
    },
    /// The numeric library failed.
    #[error("{}: {source}", head.training)]
    Candle {
        /// Which head.
        head: HeadNames,
        /// Its reason.
        source: candle_core::Error,
    },
}

impl HeadTrainError {
    /// A failure of the numeric library while it trained `head`.
    pub(crate) fn candle(head: HeadNames) -> impl Fn(candle_core::Error) -> Self + Copy {
        move |source| Self::Candle { head, source }
    }
}

/// The settings that every head's training has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadTrainSettings {
    pub(crate) head: HeadNames,
    pub(crate) seed: u64,
    pub(crate) epoch_count_max: u32,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    pub(crate) gradient_norm_max: f64,
    pub(crate) patience: u32,
    pub(crate) holdout_share: f64,
    pub(crate) calibration_share: f64,
    pub(crate) embargo_ns: u64,
    pub(crate) rows_min: usize,
}

impl HeadTrainSettings {
    /// Names the first setting that cannot work.
    pub(crate) fn check(&self) -> Result<(), HeadTrainError> {
        let head = self.head;
        let wrong = |key, found: String, wanted| Err(HeadTrainError::Config { head, key, found, wanted });
        let share = |v: f64| v > 0.0 && v < 0.5;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        if i64::try_from(self.seed).is_err() {
            return wrong("seed", self.seed.to_string(), "a number below 2^63");
        }
        if self.epoch_count_max == 0 || self.batch_size == 0 {
            return wrong("epoch_count_max, batch_size", "0".to_owned(), "at least 1 each");
        }
        if !share(self.holdout_share) || !share(self.calibration_share) {
            let found = format!("{}, {}", self.holdout_share, self.calibration_share);
            return wrong("holdout_share, calibration_share", found, "shares between 0 and 0.5");
        }
        if !positive(self.learning_rate) || !positive(self.gradient_norm_max) {
            let found = format!("{}, {}", self.learning_rate, self.gradient_norm_max);
            return wrong("learning_rate, gradient_norm_max", found, "positive numbers");
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return wrong("weight_decay", self.weight_decay.to_string(), "a number not below 0");
        }
        Ok(())
    }
}
