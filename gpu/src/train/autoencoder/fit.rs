//! One fit of the network, and what follows from it alone: the constants of the score, the units in use, the strangest rows.

use std::ops::ControlFlow;

use gpu_fit::{Epoch, FitConfig};
use types::MODEL_FEATURE_COUNT;

use super::device::TrainDevice;
use super::errors::TrainError;
use crate::captures::quantile;
use crate::inputs::Input;
use crate::model::{ScoreLaw, TrainConfig};
use crate::network::{LATENT_COUNT, Network};
use crate::score::Forward;

/// A latent unit whose posterior mean varies less than this is not used (Burda et al. 2016).
const ACTIVE_VARIANCE_MIN: f64 = 0.01;

/// The calm range of a latent unit runs from its 0.1 % to its 99.9 % quantile …
const CALM_RANGE_CUT: f64 = 0.001;

/// … and this share of that span further on either side. Without the margin the one calm row in a few thousand that lies
/// just outside is not rebuilt, and its error grows faster than the tail law fitted to the others allows: on 180,000
/// synthetic calm rows 17 then scored as Critical, with a tenth of the span 2, with a quarter none.
const CALM_RANGE_MARGIN: f64 = 0.25;

/// Which fit is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// On all fitting rows.
    First,
    /// Without the strangest of them.
    Refit,
}

/// Told after every epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Which fit.
    pub phase: Phase,
    /// Epochs done, from 1.
    pub epoch: u32,
    /// Most epochs of this fit.
    pub epoch_count_max: u32,
    /// Mean training loss of the epoch, nats per row.
    pub train_loss: f64,
    /// Validation loss after it, nats per row.
    pub validation_loss: f64,
}

/// A finished fit.
pub(super) struct Fit {
    pub(super) network: Network,
    pub(super) s: [f64; MODEL_FEATURE_COUNT],
    pub(super) epochs: u32,
    pub(super) validation_loss: f64,
}

/// The numbers of `inputs`, row by row.
fn flat(inputs: &[Input]) -> Vec<f32> {
    inputs.iter().flat_map(|input| input.x).collect()
}

/// One fit from fresh weights; stops early and keeps the best epoch.
pub(super) fn fit(
    device: &TrainDevice,
    config: &TrainConfig,
    phase: Phase,
    training: &[Input],
    validation: &[Input],
    progress: &mut dyn FnMut(Progress),
) -> Result<Fit, TrainError> {
    if training.is_empty() || validation.is_empty() {
        let found = training.len() + validation.len();
        return Err(TrainError::TooFewRows { of: "that can be scored", found, wanted: config.rows_min });
    }
    let epoch_count_max = config.epoch_count_max;
    let settings = FitConfig {
        seed: config.seed,
        epoch_count_max,
        batch_size: config.batch_size,
        patience: config.patience,
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        gradient_norm_max: config.gradient_norm_max,
        beta: config.beta,
        // Twice the trimmed share: were the strangest rows learned, they would not be the strangest any more, and the
        // trimming would take others.
        worst_share: if phase == Phase::First { 2.0 * config.trim_share } else { 0.0 },
    };
    let mut heard = |epoch: &Epoch| {
        let Epoch { epoch, train_loss, validation_loss } = *epoch;
        progress(Progress { phase, epoch, epoch_count_max, train_loss, validation_loss });
        ControlFlow::Continue(())
    };
    let fit = device.fit(&settings, &flat(training), &flat(validation), &mut heard);
    let fit = fit.map_err(|error| TrainError::of(error, config))?;
    let network =
        Network::from_flat(&fit.weights).ok_or_else(|| TrainError::other("a fit of another network"))?;
    Ok(Fit { network, s: fit.s, epochs: fit.epochs, validation_loss: fit.validation_loss })
}

/// The score's constants: s from the fit, the range of posterior means from the rows.
pub(super) fn score_law(fit: &Fit, inputs: &[Input]) -> ScoreLaw {
    let forward = Forward::new(&fit.network);
    let latents: Vec<[f64; LATENT_COUNT]> = inputs.iter().map(|input| forward.latent(input)).collect();
    let range = |unit: usize| {
        let mut values: Vec<f64> = latents.iter().map(|z| z[unit]).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (quantile(&values, CALM_RANGE_CUT), quantile(&values, 1.0 - CALM_RANGE_CUT));
        let margin = CALM_RANGE_MARGIN * (max - min);
        (min - margin, max + margin)
    };
    let ranges: [(f64, f64); LATENT_COUNT] = core::array::from_fn(range);
    ScoreLaw { s: fit.s, latent_min: ranges.map(|r| r.0), latent_max: ranges.map(|r| r.1) }
}

/// Latent units whose posterior mean varies with the data.
pub(super) fn active_units(network: &Network, inputs: &[Input]) -> u32 {
    let forward = Forward::new(network);
    let latents: Vec<[f64; LATENT_COUNT]> = inputs.iter().map(|input| forward.latent(input)).collect();
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    let n = latents.len().max(1) as f64;
    let variance = |unit: usize| {
        let mean = latents.iter().map(|z| z[unit]).sum::<f64>() / n;
        latents.iter().map(|z| (z[unit] - mean).powi(2)).sum::<f64>() / n
    };
    (0..LATENT_COUNT).map(|unit| u32::from(variance(unit) > ACTIVE_VARIANCE_MIN)).sum()
}

/// Rows without the `share` of them that score highest; the order stays.
pub(super) fn trimmed(fit: &Fit, law: &ScoreLaw, inputs: &[Input], share: f64) -> Vec<Input> {
    let forward = Forward::new(&fit.network);
    let scores: Vec<f32> =
        inputs.iter().map(|input| forward.score(law, input).map_or(f32::INFINITY, |s| s.raw)).collect();
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    order.truncate(inputs.len() - (inputs.len() as f64 * share) as usize);
    order.sort_unstable();
    order.into_iter().map(|i| inputs[i]).collect()
}
