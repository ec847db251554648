//! The passes of a fit over its rows, with their early stop.

use candle_core::Tensor;
use gpu_fit::optimiser::AdamW;
use gpu_fit::random::{Purpose, Random};

use super::settings::{HeadProgress, HeadTrainError, HeadTrainSettings};
use super::vars::HeadVars;

/// Smallest relative gain of the validation loss that counts as progress.
const GAIN_MIN: f64 = 5e-4;

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
