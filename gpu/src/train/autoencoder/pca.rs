//! The linear baseline: as many principal components as the autoencoder has latent units. A network that does not beat
//! it earns nothing by being one.

use types::MODEL_FEATURE_COUNT;

use crate::inputs::Input;
use crate::network::LATENT_COUNT;

type Matrix = [[f64; MODEL_FEATURE_COUNT]; MODEL_FEATURE_COUNT];

/// Sweeps after which Jacobi's method has long converged on a matrix of this size.
const SWEEP_COUNT_MAX: u32 = 60;

/// Mean and leading directions of the normalised features.
#[derive(Clone, Debug)]
pub(crate) struct Pca {
    mean: [f64; MODEL_FEATURE_COUNT],
    /// Orthonormal, by falling variance.
    components: [[f64; MODEL_FEATURE_COUNT]; LATENT_COUNT],
}

fn features(input: &Input) -> [f64; MODEL_FEATURE_COUNT] {
    core::array::from_fn(|i| f64::from(input.x[i]))
}

impl Pca {
    /// Fits to `inputs`, missing values at their imputed median as the autoencoder sees them.
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub(crate) fn fit(inputs: &[Input]) -> Self {
        let n = inputs.len().max(1) as f64;
        let mut mean = [0.0; MODEL_FEATURE_COUNT];
        for x in inputs.iter().map(features) {
            for (m, v) in mean.iter_mut().zip(x) {
                *m += v / n;
            }
        }
        let mut covariance = [[0.0; MODEL_FEATURE_COUNT]; MODEL_FEATURE_COUNT];
        for x in inputs.iter().map(features) {
            for i in 0..MODEL_FEATURE_COUNT {
                for j in 0..MODEL_FEATURE_COUNT {
                    covariance[i][j] += (x[i] - mean[i]) * (x[j] - mean[j]) / n;
                }
            }
        }
        let (values, vectors) = eigen(covariance);
        let mut order: Vec<usize> = (0..MODEL_FEATURE_COUNT).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        Self { mean, components: core::array::from_fn(|k| core::array::from_fn(|i| vectors[i][order[k]])) }
    }

    /// `x - x̂` of one input.
    pub(crate) fn errors(&self, input: &Input) -> [f64; MODEL_FEATURE_COUNT] {
        let mut rest = features(input);
        for (v, m) in rest.iter_mut().zip(self.mean) {
            *v -= m;
        }
        for component in &self.components {
            let length: f64 = rest.iter().zip(component).map(|(r, c)| r * c).sum();
            for (r, c) in rest.iter_mut().zip(component) {
                *r -= length * c;
            }
        }
        rest
    }
}

/// Eigenvalues, and eigenvectors as columns, of a symmetric matrix, by cyclic Jacobi rotations.
fn eigen(mut a: Matrix) -> ([f64; MODEL_FEATURE_COUNT], Matrix) {
    let mut vectors: Matrix = core::array::from_fn(|i| core::array::from_fn(|j| f64::from(u8::from(i == j))));
    for _ in 0..SWEEP_COUNT_MAX {
        let off: f64 = (0..MODEL_FEATURE_COUNT)
            .flat_map(|p| (0..p).map(move |q| (p, q)))
            .map(|(p, q)| a[p][q].abs())
            .sum();
        if off < 1e-14 {
            break;
        }
        for p in 0..MODEL_FEATURE_COUNT {
            for q in p + 1..MODEL_FEATURE_COUNT {
                rotate(&mut a, &mut vectors, p, q);
            }
        }
    }
    (core::array::from_fn(|i| a[i][i]), vectors)
}

/// Makes `a[p][q]` zero, `p < q` (Golub and Van Loan 8.5.2).
fn rotate(a: &mut Matrix, vectors: &mut Matrix, p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let cos = 1.0 / (1.0 + t * t).sqrt();
    let sin = t * cos;
    for row in a.iter_mut() {
        (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
    }
    // p < q, so the rows lie on either side of the cut.
    let (head, tail) = a.split_at_mut(q);
    for (up, uq) in head[p].iter_mut().zip(&mut tail[0]) {
        (*up, *uq) = (cos * *up - sin * *uq, sin * *up + cos * *uq);
    }
    for row in vectors.iter_mut() {
        (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::INPUT_COUNT;
    use gpu_fit::random::{Purpose, Random};

    #[test]
    fn eigenvectors_diagonalise_and_are_orthonormal() {
        let mut random = Random::new(1, Purpose::Init);
        let draws: Matrix = core::array::from_fn(|_| core::array::from_fn(|_| random.normal()));
        let a: Matrix = core::array::from_fn(|i| core::array::from_fn(|j| draws[i.max(j)][i.min(j)]));
        let (values, vectors) = eigen(a);
        for k in 0..MODEL_FEATURE_COUNT {
            for i in 0..MODEL_FEATURE_COUNT {
                let product: f64 = (0..MODEL_FEATURE_COUNT).map(|j| a[i][j] * vectors[j][k]).sum();
                assert!((product - values[k] * vectors[i][k]).abs() < 1e-10);
                let dot: f64 = (0..MODEL_FEATURE_COUNT).map(|j| vectors[j][i] * vectors[j][k]).sum();
                assert!((dot - f64::from(u8::from(i == k))).abs() < 1e-10);
            }
        }
        let trace: f64 = (0..MODEL_FEATURE_COUNT).map(|i| a[i][i]).sum();
        assert!((values.iter().sum::<f64>() - trace).abs() < 1e-10);
    }

    #[test]
    fn data_of_four_factors_is_rebuilt_exactly_and_more_is_not() {
        let mut random = Random::new(2, Purpose::Init);
        let factors: Vec<[f64; MODEL_FEATURE_COUNT]> =
            (0..5).map(|_| core::array::from_fn(|_| random.normal())).collect();
        let mut draw = |count: usize| -> Vec<Input> {
            (0..500)
                .map(|_| {
                    let mut input = Input { x: [0.0; INPUT_COUNT], usable: 0x1fff };
                    for factor in &factors[..count] {
                        let size = random.normal();
                        for (x, part) in input.x.iter_mut().zip(factor) {
                            #[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
                            let by = (size * part) as f32;
                            *x += by;
                        }
                    }
                    input
                })
                .collect()
        };
        let worst = |inputs: &[Input]| {
            let pca = Pca::fit(inputs);
            inputs.iter().flat_map(|x| pca.errors(x)).fold(0.0, |m: f64, e| m.max(e.abs()))
        };
        assert!(worst(&draw(4)) < 1e-5);
        assert!(worst(&draw(5)) > 0.1);
    }
}
