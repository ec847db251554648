//! Seeded randomness for training. Candle's CPU generator cannot be seeded, so every draw comes from ChaCha8 here,
//! one independent stream per purpose: adding a draw to one never shifts another.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// First weights.
    Init = 1,
    /// Order of rows in an epoch.
    Shuffle = 2,
    /// Noise of the reparameterised latent.
    Latent = 3,
    /// Errors put into clean orders.
    Inject = 4,
}

/// A reproducible source of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Random {
    /// The stream of `seed` for `purpose`.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose as u64);
        Self { rng, spare: None }
    }

    /// Uniform in the open interval (0, 1), 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub fn uniform(&mut self) -> f64 {
        ((self.rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller; the second of each pair is kept for the next call.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (core::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let bound = i as u128 + 1;
            // Multiply-shift: the bias of 2^-64 × len is far below anything a shuffle of rows could show.
            let j = usize::try_from((u128::from(self.rng.next_u64()) * bound) >> 64).unwrap_or(i);
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |purpose| {
            let mut random = Random::new(7, purpose);
            (0..4).map(|_| random.normal().to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(Purpose::Init), draw(Purpose::Init));
        assert_ne!(draw(Purpose::Init), draw(Purpose::Latent));
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let mut random = Random::new(1, Purpose::Latent);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
        assert!(moment(1).abs() < 0.02);
        assert!((moment(2) - 1.0).abs() < 0.03);
        assert!((moment(4) - 3.0).abs() < 0.15);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_moves_them_evenly() {
        let mut random = Random::new(3, Purpose::Shuffle);
        let mut first_is = [0_u32; 5];
        for _ in 0..5_000 {
            let mut items = [0_usize, 1, 2, 3, 4];
            random.shuffle(&mut items);
            first_is[items[0]] += 1;
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3, 4]);
        }
        assert!(first_is.iter().all(|&n| (850..1_150).contains(&n)), "{first_is:?}");
    }
}
