//! The fit of the head: logistic loss in Candle, seeded; then Platt scaling, which keeps the form of the law.

use candle_core::{Device, Tensor, Var};
use gpu_fit::random::{Purpose, Random};
use types::Symbol;

use super::dataset::{Case, Part, counts, offsets};
use super::evaluate::{mean_loss, scores};
use crate::heads::fat_finger::{
    FAT_FINGER_BUCKETS, FatFingerLaw, FatFingerModel, FatFingerOffset, FatFingerRecord, FatFingerTrainConfig,
    STEEPNESS_BOUNDS, logistic, offset_of,
};
use crate::inputs::INPUT_COUNT;
use crate::train::head::{HeadFit, HeadProgress, HeadTrainError, HeadVars, fit_head};

/// Steepness that a fit begins with: e^2 times the odds per doubling of the size.
const STEEPNESS_FIRST: f64 = 2.0;

/// Doublings that the boundaries may lie below the smallest order and above the largest.
const MARGIN: (f64, f64) = (6.0, 3.0);

/// Factors that Platt scaling may put on the steepness, and its rounds.
const SCALING_BOUNDS: (f64, f64) = (0.2, 5.0);
const SCALING_ROUNDS: u32 = 50;

/// The network and ln k as Candle variables, and the constants that hold during the fit.
struct Parameters {
    vars: HeadVars,
    c0: f64,
    unit: f64,
    offsets: Vec<(Symbol, FatFingerOffset)>,
}

impl Parameters {
    /// Boundaries that can reach from below every order's size to above it, and first ones evenly between.
    fn init(
        random: &mut Random,
        orders: &Part<'_>,
        offsets: Vec<(Symbol, FatFingerOffset)>,
    ) -> candle_core::Result<Self> {
        let mut vars = HeadVars::init(random)?;
        #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
        let ln_k = STEEPNESS_FIRST.ln() as f32;
        vars.0.push(Var::from_vec(vec![ln_k], 1, &Device::Cpu)?);
        let offset = |case: &Case| offset_of(&offsets, orders.samples[case.sample].order.symbol);
        let meant = || orders.cases.iter().filter(|case| case.error.is_none());
        let sizes = || meant().map(|case| case.size - offset(case));
        let (low, high) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
        let c0 = low - MARGIN.0;
        #[expect(clippy::cast_precision_loss, reason = "sixteen")]
        let unit = (high + MARGIN.1 - c0) / FAT_FINGER_BUCKETS as f64;
        Ok(Self { vars, c0, unit, offsets })
    }

    /// Mean logistic loss of a batch.
    fn loss(&self, batch: &Batch) -> candle_core::Result<Tensor> {
        let sum = (self.vars.increments(&batch.x)? * &batch.counts)?.sum(1)?;
        let boundary = ((sum * self.unit)? + self.c0)?;
        let z = (&batch.size - boundary)?.broadcast_mul(&self.vars.0[4].as_tensor().exp()?)?;
        // ln(1 + e^z) - y z, without overflow.
        let softplus = (z.relu()? + (z.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        (softplus - (z * &batch.is_error)?)?.mean_all()
    }

    fn export(&self) -> candle_core::Result<FatFingerModel> {
        let ln_k = f64::from(self.vars.0[4].to_vec1::<f32>()?[0]);
        let (low, high) = STEEPNESS_BOUNDS;
        let law = FatFingerLaw { c0: self.c0, unit: self.unit, k: ln_k.exp().clamp(low, high), prior: 1.0 };
        let (layers, offsets) = (self.vars.export()?, self.offsets.clone());
        Ok(FatFingerModel { layers, law, offsets, record: FatFingerRecord::default() })
    }
}

/// A batch as tensors, one row per case.
struct Batch {
    x: Tensor,
    /// 1 where an increment is part of the boundary of the case's bucket.
    counts: Tensor,
    /// In doublings of the touch, less the symbol's offset.
    size: Tensor,
    is_error: Tensor,
}

impl Batch {
    fn new(
        part: &Part<'_>,
        rows: &[usize],
        offsets: &[(Symbol, FatFingerOffset)],
    ) -> candle_core::Result<Self> {
        let n = rows.len();
        let [mut x, mut counts, mut size, mut is_error] = [const { Vec::<f32>::new() }; 4];
        for case in rows.iter().map(|&row| &part.cases[row]) {
            let sample = &part.samples[case.sample];
            x.extend(sample.market.input.x);
            counts.extend((0..FAT_FINGER_BUCKETS).map(|bucket| f32::from(u8::from(bucket >= case.bucket))));
            #[expect(clippy::cast_possible_truncation, reason = "the network is f32")]
            size.push((case.size - offset_of(offsets, sample.order.symbol)) as f32);
            is_error.push(f32::from(u8::from(case.error.is_some())));
        }
        Ok(Self {
            x: Tensor::from_vec(x, (n, INPUT_COUNT), &Device::Cpu)?,
            counts: Tensor::from_vec(counts, (n, FAT_FINGER_BUCKETS), &Device::Cpu)?,
            size: Tensor::from_vec(size, n, &Device::Cpu)?,
            is_error: Tensor::from_vec(is_error, n, &Device::Cpu)?,
        })
    }
}

/// Fits the head to `training`, stops early by `validation` and keeps the best epoch; its law has no prior yet.
pub(super) fn fit(
    config: &FatFingerTrainConfig,
    training: Part<'_>,
    validation: Part<'_>,
    progress: &mut dyn FnMut(HeadProgress),
) -> Result<HeadFit<FatFingerModel>, HeadTrainError> {
    let settings = config.settings();
    let offsets = offsets(training.samples, config.symbol_orders_min);
    let parameters = Parameters::init(&mut Random::new(config.seed, Purpose::Init), &training, offsets)
        .map_err(HeadTrainError::candle(settings.head))?;
    let loss = |rows: &[usize]| parameters.loss(&Batch::new(&training, rows, &parameters.offsets)?);
    let validate = || {
        let head = parameters.export()?;
        let scores = scores(&head, validation.samples, validation.cases);
        Ok((head, mean_loss(&scores, validation.cases)))
    };
    fit_head(&settings, training.cases.len(), &parameters.vars, loss, validate, progress)
}

/// The same law with its log-odds z replaced by `factor` z + `shift`.
pub(super) fn rescaled(law: &FatFingerLaw, factor: f64, shift: f64) -> FatFingerLaw {
    let (low, high) = STEEPNESS_BOUNDS;
    let k = (law.k * factor).clamp(low, high);
    FatFingerLaw { c0: law.c0 - shift / k, k, ..*law }
}

/// Platt scaling: the factor and the shift of the log-odds `z` under which `cases` are likeliest, with Platt's targets,
/// which keep a perfect separation finite. Newton's method.
pub(super) fn platt(z: &[f64], cases: &[Case]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let targets = {
        let (orders, errors) = counts(cases);
        (1.0 / (orders as f64 + 2.0), (errors as f64 + 1.0) / (errors as f64 + 2.0))
    };
    let (mut factor, mut shift) = (1.0_f64, 0.0_f64);
    for _ in 0..SCALING_ROUNDS {
        let (mut gradient, mut hessian) = ([0.0; 2], [1e-6, 0.0, 1e-6]);
        for (z, case) in z.iter().zip(cases) {
            let p = logistic(factor * z + shift);
            let target = if case.error.is_some() { targets.1 } else { targets.0 };
            let (residual, weight) = (p - target, p * (1.0 - p));
            gradient = [gradient[0] + residual * z, gradient[1] + residual];
            hessian = [hessian[0] + weight * z * z, hessian[1] + weight * z, hessian[2] + weight];
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        let step = [
            (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
            (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
        ];
        if !step.iter().all(|v| v.is_finite()) {
            break;
        }
        // Far from the optimum a full step can leave the region where the curvature holds.
        let damping = 1.0_f64.min(1.0 / step[0].abs().max(step[1].abs()));
        factor = (factor - damping * step[0]).clamp(SCALING_BOUNDS.0, SCALING_BOUNDS.1);
        shift -= damping * step[1];
    }
    (factor, shift)
}

#[cfg(test)]
mod tests {
    use super::super::inject::TypingError;
    use super::*;
    use types::Qty;

    fn case(is_error: bool) -> Case {
        let error = is_error.then_some(TypingError::Times10);
        Case { sample: 0, size: 0.0, bucket: 0, qty: Qty(1), error }
    }

    #[test]
    fn a_rescaled_law_has_rescaled_odds() {
        let law = FatFingerLaw { c0: -3.0, unit: 0.5, k: 2.0, prior: 1.0 };
        let other = rescaled(&law, 1.5, 0.7);
        let increments = [0.5; FAT_FINGER_BUCKETS];
        let (before, after) = (law.boundaries(&increments).unwrap(), other.boundaries(&increments).unwrap());
        for bucket in [0, 7, 15] {
            let z = law.log_odds(before[bucket], 1.25);
            assert!((other.log_odds(after[bucket], 1.25) - (1.5 * z + 0.7)).abs() < 1e-12);
        }
    }

    #[test]
    fn scaling_finds_the_odds_that_cases_were_drawn_with() {
        // Told odds twice as steep as the truth, and shifted by 1: z = 2 true + 1.
        let mut random = Random::new(5, Purpose::Latent);
        let (mut z, mut cases) = (Vec::new(), Vec::new());
        for _ in 0..20_000 {
            let truth = 2.0 * random.normal();
            z.push(2.0 * truth + 1.0);
            cases.push(case(random.uniform() < logistic(truth)));
        }
        let (factor, shift) = platt(&z, &cases);
        assert!((factor - 0.5).abs() < 0.02 && (shift + 0.5).abs() < 0.05, "{factor} {shift}");
    }

    #[test]
    fn perfect_separation_stays_finite() {
        let z: Vec<f64> = (0..200).map(|i| if i % 2 == 0 { -1.0 } else { 1.0 }).collect();
        let cases: Vec<Case> = (0..200).map(|i| case(i % 2 == 1)).collect();
        let (factor, shift) = platt(&z, &cases);
        assert!((0.2..=5.0).contains(&factor) && shift.abs() < 0.1, "{factor} {shift}");
    }
}
