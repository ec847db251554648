//! The fit of the head: pinball loss in bps, in Candle, seeded.

use candle_core::{Device, Tensor};

use super::dataset::Sample;
use super::evaluate::mean_loss;
use super::head::{SlippageModel, SlippageScales};
use super::scale::{SLIPPAGE_COSTS, SLIPPAGE_SIZES};
use super::train::{SlippageError, SlippageProgress, SlippageTrainConfig};
use super::{SLIPPAGE_QUANTILE, SlippageRecord};
use crate::head::HeadVars;
use crate::normalise::INPUT_COUNT;
use crate::optimiser::AdamW;
use crate::random::{Purpose, Random};

/// Stands for the drift of a size that the book did not hold: beyond any prediction. The loss grows by the same amount per
/// basis point missing wherever the cost lies above, so its value does not matter to the fit.
const NOT_HELD_BPS: f64 = 1e5;

/// Smallest relative gain of the validation loss that counts as progress.
const GAIN_MIN: f64 = 5e-4;

/// A batch as tensors, one row per decision, one column per output.
struct Batch {
    x: Tensor,
    drift: Tensor,
    /// 1 where the symbol's book holds the size, usually and at the decision.
    counts: Tensor,
    /// What each increment is counted in, in bps.
    scale: Tensor,
    /// Outputs that count.
    count: f64,
}

impl Batch {
    fn new(
        samples: &[Sample],
        rows: &[usize],
        scales: &[&super::SlippageScale],
    ) -> candle_core::Result<Self> {
        let n = rows.len();
        let [mut x, mut drift, mut counts, mut scale] = [const { Vec::<f32>::new() }; 4];
        for &row in rows {
            let (sample, of) = (&samples[row], scales[row]);
            x.extend(sample.input.x);
            for i in 0..SLIPPAGE_COSTS {
                let size = i % SLIPPAGE_SIZES.len();
                let known = sample.drift(i).filter(|_| size < usize::from(of.held));
                #[expect(clippy::cast_possible_truncation, reason = "labels of a single-precision network")]
                drift.push(known.map_or(0.0, |drift| drift.min(NOT_HELD_BPS) as f32));
                counts.push(f32::from(u8::from(known.is_some())));
                scale.push(of.increment_bps[size]);
            }
        }
        let count = f64::from(counts.iter().sum::<f32>()).max(1.0);
        let tensor = |values: Vec<f32>, width| Tensor::from_vec(values, (n, width), &Device::Cpu);
        Ok(Self {
            x: tensor(x, INPUT_COUNT)?,
            drift: tensor(drift, SLIPPAGE_COSTS)?,
            counts: tensor(counts, SLIPPAGE_COSTS)?,
            scale: tensor(scale, SLIPPAGE_COSTS)?,
            count,
        })
    }
}

/// Turns increments into drifts: 1 where row and column are of one side and the row's size is not larger.
fn sums() -> candle_core::Result<Tensor> {
    let sizes = SLIPPAGE_SIZES.len();
    let one = |row: usize, column: usize| f32::from(u8::from(row / sizes == column / sizes && row <= column));
    let values: Vec<f32> =
        (0..SLIPPAGE_COSTS * SLIPPAGE_COSTS).map(|i| one(i / SLIPPAGE_COSTS, i % SLIPPAGE_COSTS)).collect();
    Tensor::from_vec(values, (SLIPPAGE_COSTS, SLIPPAGE_COSTS), &Device::Cpu)
}

/// Mean pinball loss of a batch, in bps.
fn loss(parameters: &HeadVars, batch: &Batch, sums: &Tensor) -> candle_core::Result<Tensor> {
    let predicted = (parameters.increments(&batch.x)? * &batch.scale)?.matmul(sums)?;
    let short = (&batch.drift - predicted)?;
    // max(q s, (q - 1) s) = q s + max(0, -s).
    let each = ((&short * SLIPPAGE_QUANTILE)? + short.neg()?.relu()?)?;
    (each * &batch.counts)?.sum_all()? / batch.count
}

/// A finished fit.
pub(super) struct Fit {
    pub(super) head: SlippageModel,
    pub(super) epochs: u32,
    pub(super) validation_loss: f64,
}

/// Fits the head to `training`, stops early by `validation` and keeps the best epoch.
pub(super) fn fit(
    config: &SlippageTrainConfig,
    scales: &SlippageScales,
    training: &[Sample],
    validation: &[Sample],
    progress: &mut dyn FnMut(SlippageProgress),
) -> Result<Fit, SlippageError> {
    let parameters = HeadVars::init(&mut Random::new(config.seed, Purpose::Init))?;
    let epoch_count_max = config.epoch_count_max;
    let steps = u64::from(epoch_count_max) * training.len().div_ceil(config.batch_size) as u64;
    let mut optimiser = AdamW::new(
        config.learning_rate,
        config.weight_decay,
        config.gradient_norm_max,
        u32::try_from(steps).unwrap_or(u32::MAX),
    );
    let of: Vec<_> = training.iter().map(|sample| scales.of(sample.symbol)).collect();
    let sums = sums()?;
    let mut shuffle = Random::new(config.seed, Purpose::Shuffle);
    let mut order: Vec<usize> = (0..training.len()).collect();
    let mut best: Option<Fit> = None;
    for epoch in 1..=epoch_count_max {
        shuffle.shuffle(&mut order);
        for rows in order.chunks(config.batch_size) {
            let loss = loss(&parameters, &Batch::new(training, rows, &of)?, &sums)?;
            if !optimiser.step(&parameters.0, &loss.backward()?)?.is_finite() {
                return Err(SlippageError::Diverged { epoch, rate: config.learning_rate });
            }
        }
        let record = SlippageRecord::default();
        let head = SlippageModel { layers: parameters.export()?, scales: scales.clone(), record };
        let validation_loss = mean_loss(&head, validation);
        progress(SlippageProgress { epoch, epoch_count_max, validation_loss });
        match &best {
            Some(fit) if validation_loss >= fit.validation_loss * (1.0 - GAIN_MIN) => {
                if epoch - fit.epochs >= config.patience.max(1) {
                    break;
                }
            }
            _ => best = Some(Fit { head, epochs: epoch, validation_loss }),
        }
    }
    best.ok_or(SlippageError::Diverged { epoch: epoch_count_max, rate: config.learning_rate })
}
