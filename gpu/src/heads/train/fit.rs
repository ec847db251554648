//! What the trainings of all heads have in common: the settings and their check, the split in time, and the fit's passes
//! over the data with their early stop. What a head's rows, its loss and its calibration are is the head's own affair.

use candle_core::Tensor;
use gpu_fit::optimiser::AdamW;
use gpu_fit::random::{Purpose, Random};
use types::{Nanos, UnixNanos};

use super::vars::HeadVars;
use crate::captures::rank_of_last;

/// Smallest relative gain of the validation loss that counts as progress.
const GAIN_MIN: f64 = 5e-4;

/// The calibration part and the holdout hold at least one row for this many that a training needs.
const ROWS_PER_PART_ROW: usize = 20;

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
    /// Mean loss on the calibration part after it: pinball loss in bps of the slippage head, logistic loss of the surface head.
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
        "{}: the gradient was not a number in epoch {epoch}; wanted a lower learning rate than {rate}",
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

/// Rows in time order. Between calibration and holdout lies the embargo.
#[derive(Debug)]
pub(crate) struct Split<S> {
    pub(crate) fitting: Vec<S>,
    pub(crate) calibration: Vec<S>,
    pub(crate) holdout: Vec<S>,
}

/// Splits `samples`, which are in the order of `key` (the number of the day, and the time) and all of those `joined`.
pub(crate) fn split_in_time<S: Copy>(
    settings: &HeadTrainSettings,
    mut samples: Vec<S>,
    joined: &'static str,
    key: impl Fn(&S) -> (usize, UnixNanos),
) -> Result<Split<S>, HeadTrainError> {
    let HeadTrainSettings { head, rows_min, holdout_share, calibration_share, .. } = *settings;
    let enough = |of, found: usize, wanted: usize| {
        let wanted = wanted.max(1);
        (found >= wanted).then_some(()).ok_or(HeadTrainError::TooFewRows { head, of, found, wanted })
    };
    enough(joined, samples.len(), rows_min)?;
    let (day, ts) = key(&samples[rank_of_last(samples.len(), holdout_share).min(samples.len() - 1)]);
    let clear = (day, ts.plus(Nanos(settings.embargo_ns)));
    let holdout: Vec<S> = samples.iter().filter(|s| key(s) >= clear).copied().collect();
    samples.retain(|s| key(s) < (day, ts));
    let calibration = samples.split_off(rank_of_last(samples.len(), calibration_share));
    let fitting = samples;
    for (of, part) in [
        ("to fit to", fitting.len()),
        ("to calibrate on", calibration.len()),
        ("after the embargo", holdout.len()),
    ] {
        enough(of, part, rows_min / ROWS_PER_PART_ROW)?;
    }
    Ok(Split { fitting, calibration, holdout })
}

/// A finished fit: the head of the epoch with the least validation loss.
pub(crate) struct HeadFit<H> {
    pub(crate) head: H,
    pub(crate) epochs: u32,
    pub(crate) validation_loss: f64,
}

/// Fits `vars` to `row_count` rows, which `loss` is asked for in batches of their numbers, and keeps the best epoch:
/// `validate` gives the head as it stands and its validation loss, and the fit stops when that no longer falls.
pub(crate) fn fit_head<H>(
    settings: &HeadTrainSettings,
    row_count: usize,
    vars: &HeadVars,
    loss: impl Fn(&[usize]) -> candle_core::Result<Tensor>,
    validate: impl Fn() -> candle_core::Result<(H, f64)>,
    progress: &mut dyn FnMut(HeadProgress),
) -> Result<HeadFit<H>, HeadTrainError> {
    let HeadTrainSettings { head, epoch_count_max, batch_size, learning_rate: rate, .. } = *settings;
    let candle = HeadTrainError::candle(head);
    let steps = u64::from(epoch_count_max) * row_count.div_ceil(batch_size) as u64;
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    let mut optimiser = AdamW::new(rate, settings.weight_decay, settings.gradient_norm_max, steps);
    let mut step = |rows: &[usize]| optimiser.step(&vars.0, &loss(rows)?.backward()?);
    let mut shuffle = Random::new(settings.seed, Purpose::Shuffle);
    let mut order: Vec<usize> = (0..row_count).collect();
    let mut best: Option<HeadFit<H>> = None;
    for epoch in 1..=epoch_count_max {
        shuffle.shuffle(&mut order);
        for rows in order.chunks(batch_size) {
            if !step(rows).map_err(candle)?.is_finite() {
                return Err(HeadTrainError::Diverged { head, epoch, rate });
            }
        }
        let (fitted, validation_loss) = validate().map_err(candle)?;
        progress(HeadProgress { epoch, epoch_count_max, validation_loss });
        match &best {
            Some(fit) if validation_loss >= fit.validation_loss * (1.0 - GAIN_MIN) => {
                if epoch - fit.epochs >= settings.patience.max(1) {
                    break;
                }
            }
            _ => best = Some(HeadFit { head: fitted, epochs: epoch, validation_loss }),
        }
    }
    best.ok_or(HeadTrainError::Diverged { head, epoch: epoch_count_max, rate })
}
