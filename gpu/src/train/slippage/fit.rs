//! The fit of the head: pinball loss in bps, in Candle, seeded.

use candle_core::{Device, Tensor};
use gpu_fit::random::{Purpose, Random};

use super::dataset::Sample;
use super::evaluate::mean_loss;
use crate::heads::slippage::{
    SLIPPAGE_OUTPUTS, SLIPPAGE_QUANTILE, SLIPPAGE_SIZES, SlippageModel, SlippageRecord, SlippageScale,
    SlippageScales, SlippageTrainConfig,
};
use crate::inputs::INPUT_COUNT;
use crate::train::head::{HeadFit, HeadProgress, HeadTrainError, HeadVars, fit_head};

/// Stands for the drift of a size that the book did not hold: beyond any prediction. The loss grows by the same amount per
/// basis point missing wherever the cost lies above, so its value does not matter to the fit.
const NOT_HELD_BPS: f64 = 1e5;

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
    fn new(samples: &[Sample], rows: &[usize], scales: &[&SlippageScale]) -> candle_core::Result<Self> {
        let n = rows.len();
        let [mut x, mut drift, mut counts, mut scale] = [const { Vec::<f32>::new() }; 4];
        for &row in rows {
            let (sample, of) = (&samples[row], scales[row]);
            x.extend(sample.input.x);
            for i in 0..SLIPPAGE_OUTPUTS {
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
            drift: tensor(drift, SLIPPAGE_OUTPUTS)?,
            counts: tensor(counts, SLIPPAGE_OUTPUTS)?,
            scale: tensor(scale, SLIPPAGE_OUTPUTS)?,
            count,
        })
    }
}

/// Turns increments into drifts: 1 where row and column are of one side and the row's size is not larger.
fn sums() -> candle_core::Result<Tensor> {
    let sizes = SLIPPAGE_SIZES.len();
    let one = |row: usize, column: usize| f32::from(u8::from(row / sizes == column / sizes && row <= column));
    let values: Vec<f32> = (0..SLIPPAGE_OUTPUTS * SLIPPAGE_OUTPUTS)
        .map(|i| one(i / SLIPPAGE_OUTPUTS, i % SLIPPAGE_OUTPUTS))
        .collect();
    Tensor::from_vec(values, (SLIPPAGE_OUTPUTS, SLIPPAGE_OUTPUTS), &Device::Cpu)
}

/// Mean pinball loss of a batch, in bps.
fn loss(parameters: &HeadVars, batch: &Batch, sums: &Tensor) -> candle_core::Result<Tensor> {
    let predicted = (parameters.increments(&batch.x)? * &batch.scale)?.matmul(sums)?;
    let short = (&batch.drift - predicted)?;
    // max(q s, (q - 1) s) = q s + max(0, -s).
    let each = ((&short * SLIPPAGE_QUANTILE)? + short.neg()?.relu()?)?;
    (each * &batch.counts)?.sum_all()? / batch.count
}

/// Fits the head to `training`, stops early by `validation` and keeps the best epoch.
pub(super) fn fit(
    config: &SlippageTrainConfig,
    scales: &SlippageScales,
    training: &[Sample],
    validation: &[Sample],
    progress: &mut dyn FnMut(HeadProgress),
) -> Result<HeadFit<SlippageModel>, HeadTrainError> {
    let settings = config.settings();
    let candle = HeadTrainError::candle(settings.head);
    let vars = HeadVars::init(&mut Random::new(config.seed, Purpose::Init)).map_err(candle)?;
    let of: Vec<_> = training.iter().map(|sample| scales.of(sample.symbol)).collect();
    let sums = sums().map_err(candle)?;
    let loss = |rows: &[usize]| loss(&vars, &Batch::new(training, rows, &of)?, &sums);
    let validate = || {
        let record = SlippageRecord::default();
        let head = SlippageModel { layers: vars.export()?, scales: scales.clone(), record };
        let validation_loss = mean_loss(&head, validation);
        Ok((head, validation_loss))
    };
    fit_head(&settings, training.len(), &vars, loss, validate, progress)
}
