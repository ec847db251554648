//! AdamW (Loshchilov and Hutter 2019) with its moments in our hands, gradient clipping and a schedule: Candle's own has
//! none of the three, and training must give the same bits every time.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Share of all steps in which the rate climbs from zero.
const WARM_UP: f64 = 0.05;
/// The rate's floor as a share of its peak.
const RATE_FLOOR: f64 = 0.05;

/// First and second moment of one parameter tensor.
#[derive(Clone, Debug)]
struct Moments {
    first: Vec<f64>,
    second: Vec<f64>,
}

/// The optimiser of one training pass.
#[derive(Clone, Debug)]
pub struct AdamW {
    rate_peak: f64,
    weight_decay: f64,
    gradient_norm_max: f64,
    step_count: u32,
    step_count_max: u32,
    moments: Vec<Moments>,
}

impl AdamW {
    /// An optimiser for a pass of `step_count_max` steps.
    #[must_use]
    pub fn new(rate_peak: f64, weight_decay: f64, gradient_norm_max: f64, step_count_max: u32) -> Self {
        Self {
            rate_peak,
            weight_decay,
            gradient_norm_max,
            step_count: 0,
            step_count_max: step_count_max.max(1),
            moments: Vec::new(),
        }
    }

    /// The learning rate of step `step` (from 1): a linear climb, then a half cosine down to the floor.
    fn rate(&self, step: u32) -> f64 {
        let progress = f64::from(step) / f64::from(self.step_count_max);
        if progress < WARM_UP {
            return self.rate_peak * progress / WARM_UP;
        }
        let fall = ((progress - WARM_UP) / (1.0 - WARM_UP)).min(1.0);
        let cosine = 0.5 * (1.0 + (core::f64::consts::PI * fall).cos());
        self.rate_peak * (RATE_FLOOR + (1.0 - RATE_FLOOR) * cosine)
    }

    /// One update of `vars`, always the same ones in the same order. Gives the gradient's norm before clipping; when
    /// that is NaN or infinite nothing is changed. The moments stay on the host, in double precision, on every device.
    ///
    /// # Errors
    /// What Candle says of the device.
    pub fn step(&mut self, vars: &[Var], gradients: &GradStore) -> Result<f64> {
        let gradients = vars.iter().map(|var| read_gradient(var, gradients)).collect::<Result<Vec<_>>>()?;
        let norm = gradients.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        if self.moments.is_empty() {
            let zeros = |g: &Vec<f64>| Moments { first: vec![0.0; g.len()], second: vec![0.0; g.len()] };
            self.moments = gradients.iter().map(zeros).collect();
        }
        self.step_count += 1;
        let clip = if norm > self.gradient_norm_max { self.gradient_norm_max / norm } else { 1.0 };
        let rate = self.rate(self.step_count);
        for ((var, gradient), moments) in vars.iter().zip(&gradients).zip(&mut self.moments) {
            // Biases and ln s are not pulled to zero.
            let decay = if var.rank() > 1 { rate * self.weight_decay } else { 0.0 };
            update(var, gradient, moments, Update { rate, decay, clip, step: self.step_count })?;
        }
        Ok(norm)
    }
}

/// Factors of one step.
#[derive(Clone, Copy)]
struct Update {
    rate: f64,
    decay: f64,
    clip: f64,
    step: u32,
}

fn read_gradient(var: &Var, gradients: &GradStore) -> Result<Vec<f64>> {
    match gradients.get(var) {
        Some(gradient) => Ok(gradient.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect()),
        None => Ok(vec![0.0; var.elem_count()]),
    }
}

fn update(var: &Var, gradient: &[f64], moments: &mut Moments, with: Update) -> Result<()> {
    let mut values = var.flatten_all()?.to_vec1::<f32>()?;
    let first_unbias = 1.0 - BETA1.powf(f64::from(with.step));
    let second_unbias = 1.0 - BETA2.powf(f64::from(with.step));
    for (i, value) in values.iter_mut().enumerate() {
        let g = gradient[i] * with.clip;
        moments.first[i] = BETA1 * moments.first[i] + (1.0 - BETA1) * g;
        moments.second[i] = BETA2 * moments.second[i] + (1.0 - BETA2) * g * g;
        let direction =
            moments.first[i] / first_unbias / ((moments.second[i] / second_unbias).sqrt() + EPSILON);
        let moved = f64::from(*value) * (1.0 - with.decay) - with.rate * direction;
        #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
        let moved = moved as f32;
        *value = moved;
    }
    var.set(&Tensor::from_vec(values, var.shape(), var.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_nn::{Optimizer, ParamsAdamW};

    fn var(values: &[f32]) -> Var {
        Var::from_vec(values.to_vec(), (1, values.len()), &Device::Cpu).unwrap()
    }

    #[test]
    fn steps_agree_with_candles_own_adamw() {
        let (ours, theirs) = (var(&[1.0, -2.0, 0.5]), var(&[1.0, -2.0, 0.5]));
        let mut optimiser = AdamW::new(0.01, 0.1, f64::INFINITY, 1_000_000);
        let params = ParamsAdamW { lr: 0.01, weight_decay: 0.1, ..ParamsAdamW::default() };
        let mut oracle = candle_nn::AdamW::new(vec![theirs.clone()], params).unwrap();
        for _ in 0..20 {
            let loss = |v: &Var| (v.as_tensor() * v.as_tensor()).unwrap().sum_all().unwrap();
            let gradients = loss(&ours).backward().unwrap();
            optimiser.step(std::slice::from_ref(&ours), &gradients).unwrap();
            // Their optimiser has no schedule: give it the rate of ours.
            oracle.set_learning_rate(optimiser.rate(optimiser.step_count));
            oracle.backward_step(&loss(&theirs)).unwrap();
        }
        let (ours, theirs) = (ours.flatten_all().unwrap(), theirs.flatten_all().unwrap());
        for (a, b) in ours.to_vec1::<f32>().unwrap().iter().zip(theirs.to_vec1::<f32>().unwrap()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn the_rate_climbs_then_falls_to_its_floor() {
        let optimiser = AdamW::new(1.0, 0.0, 1.0, 1_000);
        assert!((optimiser.rate(25) - 0.5).abs() < 1e-12);
        assert!((optimiser.rate(50) - 1.0).abs() < 1e-12);
        assert!((optimiser.rate(1_000) - 0.05).abs() < 1e-12);
        assert!((50..1_000).all(|step| optimiser.rate(step + 1) <= optimiser.rate(step)));
    }

    #[test]
    fn a_huge_gradient_is_clipped_and_one_that_is_no_number_changes_nothing() {
        let v = var(&[1.0]);
        let mut optimiser = AdamW::new(0.01, 0.0, 1.0, 10);
        let huge = (v.as_tensor() * 1e20).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(optimiser.step(std::slice::from_ref(&v), &huge).unwrap() > 1e19);
        assert!((optimiser.moments[0].first[0] - 0.1).abs() < 1e-9);
        let before = v.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let nan = (v.as_tensor() * f64::NAN).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(optimiser.step(std::slice::from_ref(&v), &nan).unwrap().is_nan());
        assert_eq!(v.flatten_all().unwrap().to_vec1::<f32>().unwrap(), before);
    }
}
