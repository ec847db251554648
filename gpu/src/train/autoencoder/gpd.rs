//! The maximum-likelihood fit of the generalized Pareto law (Siffer et al. 2017; Grimshaw 1993 for the reduction to one
//! dimension).

use crate::model::Gpd;

/// Smallest shape searched: below it the likelihood has no regular maximum (Smith 1985).
const SHAPE_REGULAR_MIN: f64 = -0.5;

/// Log-likelihood of `excesses`.
fn log_likelihood(law: &Gpd, excesses: &[f64]) -> f64 {
    let n = count(excesses);
    if law.shape.abs() < 1e-9 {
        return -n * law.scale.ln() - excesses.iter().sum::<f64>() / law.scale;
    }
    let theta = law.shape / law.scale;
    -n * law.scale.ln() - (1.0 + 1.0 / law.shape) * excesses.iter().map(|y| (theta * y).ln_1p()).sum::<f64>()
}

/// Maximum likelihood over shapes of -0.5 and more; `None` for fewer than two positive excesses.
pub(crate) fn fit(excesses: &[f64]) -> Option<Gpd> {
    let (mean, max) = mean_and_max(excesses)?;
    let at = |theta: f64| profile(excesses, mean, theta);
    let thetas = theta_grid(mean, max);
    let likelihoods: Vec<f64> =
        thetas.iter().map(|&theta| at(theta).map_or(f64::NEG_INFINITY, |(l, _)| l)).collect();
    let best = (0..thetas.len()).max_by(|&a, &b| likelihoods[a].total_cmp(&likelihoods[b]))?;
    let low = thetas[best.saturating_sub(1)];
    let high = thetas[(best + 1).min(thetas.len() - 1)];
    let theta = golden_max(low, high, |theta| at(theta).map_or(f64::NEG_INFINITY, |(l, _)| l));
    let refined = at(theta).filter(|(l, _)| *l >= likelihoods[best]);
    refined.or_else(|| at(thetas[best])).map(|(_, law)| law)
}

/// Maximum likelihood over the scale alone, the shape being given (not negative).
pub(crate) fn fit_scale(excesses: &[f64], shape: f64) -> Option<Gpd> {
    let (mean, _) = mean_and_max(excesses)?;
    if shape.abs() < 1e-9 {
        return Some(Gpd { shape: 0.0, scale: mean });
    }
    let of = |ln_scale: f64| Gpd { shape, scale: ln_scale.exp() };
    let centre = mean.ln();
    let ln_scale = golden_max(centre - 8.0, centre + 2.0, |s| log_likelihood(&of(s), excesses));
    Some(of(ln_scale))
}

#[expect(clippy::cast_precision_loss, reason = "sample sizes are far below 2^53")]
fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

fn mean_and_max(excesses: &[f64]) -> Option<(f64, f64)> {
    let positive = excesses.iter().all(|y| y.is_finite() && *y >= 0.0);
    let max = excesses.iter().copied().fold(0.0, f64::max);
    (excesses.len() >= 2 && positive && max > 0.0)
        .then(|| (excesses.iter().sum::<f64>() / count(excesses), max))
}

/// Likelihood and law with `shape/scale = theta`: the best shape for a theta is known in closed form.
fn profile(excesses: &[f64], mean: f64, theta: f64) -> Option<(f64, Gpd)> {
    let n = count(excesses);
    if (theta * mean).abs() < 1e-7 {
        return Some((-n * (mean.ln() + 1.0), Gpd { shape: 0.0, scale: mean }));
    }
    let shape = excesses.iter().map(|y| (theta * y).ln_1p()).sum::<f64>() / n;
    let scale = shape / theta;
    let regular = shape >= SHAPE_REGULAR_MIN && scale.is_finite() && scale > 0.0;
    regular.then(|| (-n * (scale.ln() + shape + 1.0), Gpd { shape, scale }))
}

/// Thetas to bracket the maximum with, ascending: negative ones end before the largest excess would be impossible.
fn theta_grid(mean: f64, max: f64) -> Vec<f64> {
    let negative = (1..=60).rev().map(|i| -(1.0 - 0.85_f64.powi(i)).min(1.0 - 1e-6) / max);
    let positive = (0..=120).map(|i| 10_f64.powf(-4.0 + f64::from(i) * 0.05) / mean);
    negative.chain([0.0]).chain(positive).collect()
}

/// Argument of the maximum of a function with one hill on `[low, high]`, by golden section.
fn golden_max(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..90 {
        if fa < fb {
            (low, a, fa) = (a, b, fb);
            b = low + RATIO * (high - low);
            fb = f(b);
        } else {
            (high, b, fb) = (b, a, fa);
            a = high - RATIO * (high - low);
            fa = f(a);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_fit::random::{Purpose, Random};
    use proptest::prelude::*;

    /// The same numbers as in the Python that made the golden values: a 64-bit linear congruential generator.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    fn sample(shape: f64, scale: f64, count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let u = ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
                if shape == 0.0 { -scale * u.ln() } else { scale * (u.powf(-shape) - 1.0) / shape }
            })
            .collect()
    }

    /// A sample, and what scipy's `genpareto.fit(y, floc=0)`, polished by Nelder-Mead to 1e-10, gives on it.
    struct Golden {
        /// Shape, scale, size and seed of the sample.
        sample: (f64, f64, usize, u64),
        log_likelihood: f64,
        shape: f64,
        scale: f64,
        /// The best scale when the shape is 0.3.
        scale_at_03: f64,
    }

    const SCIPY: [Golden; 4] = [
        Golden {
            sample: (0.2, 1.5, 500, 1),
            log_likelihood: -779.043_153_161_5,
            shape: 0.151_374_326_5,
            scale: 1.501_871_454_8,
            scale_at_03: 1.345_709_864_7,
        },
        Golden {
            sample: (-0.2, 2.0, 500, 2),
            log_likelihood: -726.004_829_315_4,
            shape: -0.139_133_202_9,
            scale: 1.806_051_317_3,
            scale_at_03: 1.329_523_688_7,
        },
        Golden {
            sample: (0.0, 1.0, 400, 3),
            log_likelihood: -388.685_532_508_9,
            shape: 0.039_261_651_1,
            scale: 0.934_683_021_6,
            scale_at_03: 0.775_582_404_8,
        },
        Golden {
            sample: (0.5, 0.7, 300, 4),
            log_likelihood: -379.632_539_657_2,
            shape: 0.502_198_581_0,
            scale: 0.789_183_208_0,
            scale_at_03: 0.927_763_008_0,
        },
    ];

    #[test]
    fn fits_agree_with_scipy() {
        for Golden {
            sample: (shape, scale, size, seed),
            log_likelihood: wanted,
            shape: g,
            scale: c,
            scale_at_03,
        } in SCIPY
        {
            let y = sample(shape, scale, size, seed);
            let law = fit(&y).unwrap();
            assert!((law.shape - g).abs() < 1e-5, "{law:?} wanted {g}");
            assert!((law.scale - c).abs() < 1e-5, "{law:?} wanted {c}");
            assert!((log_likelihood(&law, &y) - wanted).abs() < 1e-7);
            let given = fit_scale(&y, 0.3).unwrap();
            assert!((given.scale - scale_at_03).abs() < 1e-6, "{given:?} wanted {scale_at_03}");
        }
    }

    #[test]
    fn survival_agrees_with_scipy() {
        // scipy.stats.genpareto.sf([0, 1, 5, 20], c, 0, 1.5)
        let heavy = Gpd { shape: 0.2, scale: 1.5 };
        let light = Gpd { shape: 0.0, scale: 1.5 };
        for (y, a, b) in [(1.0, 0.534_824_99, 0.513_417_119), (5.0, 0.077_76, 0.035_673_993_3)] {
            assert!((heavy.survival(y) - a).abs() < 1e-8);
            assert!((light.survival(y) - b).abs() < 1e-8);
        }
        assert_eq!(heavy.survival(-1.0), 1.0);
        assert_eq!(Gpd { shape: -0.5, scale: 1.0 }.survival(2.5), 0.0);
    }

    #[test]
    fn an_exponential_tail_gives_back_its_quantiles() {
        // 1e5 exponential values, q = 1e-4: the true quantile is ln 1e4 = 9.21.
        let mut random = Random::new(11, Purpose::Init);
        let mut values: Vec<f64> = (0..100_000).map(|_| -random.uniform().ln()).collect();
        values.sort_by(f64::total_cmp);
        let u = values[98_000];
        let excesses: Vec<f64> = values[98_000..].iter().map(|v| v - u).collect();
        let law = fit(&excesses).unwrap();
        let estimate = u + law.excess_at(1e-4 / 0.02);
        assert!((estimate - 9.21).abs() < 0.4, "{estimate}");
    }

    #[test]
    fn samples_that_tell_nothing_are_refused() {
        for bad in [&[][..], &[1.0], &[0.0, 0.0], &[1.0, f64::NAN], &[1.0, -1.0]] {
            assert_eq!(fit(bad), None, "{bad:?}");
            assert_eq!(fit_scale(bad, 0.1), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn survival_falls_and_excess_at_inverts_it(shape in -0.4_f64..0.6, scale in 0.01_f64..50.0, p in 1e-8_f64..1.0) {
            let law = Gpd { shape, scale };
            let y = law.excess_at(p);
            prop_assert!((law.survival(y) / p - 1.0).abs() < 1e-6);
            prop_assert!(law.survival(y * 1.1 + 1e-9) <= law.survival(y));
        }

        #[test]
        fn no_law_beats_the_fit(shape in -0.3_f64..0.5, seed in 1_u64..1_000, ds in -0.2_f64..0.2, dc in 0.7_f64..1.4) {
            let y = sample(shape, 1.0, 200, seed);
            let law = fit(&y).unwrap();
            let other = Gpd { shape: law.shape + ds, scale: law.scale * dc };
            let impossible = other.shape < 0.0 && y.iter().any(|v| 1.0 + other.shape * v / other.scale <= 0.0);
            if other.shape >= -0.5 && !impossible {
                prop_assert!(log_likelihood(&law, &y) >= log_likelihood(&other, &y) - 1e-6);
            }
        }
    }
}
