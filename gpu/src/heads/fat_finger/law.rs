//! From the head's increments to the probability that an order is an error, and back to the largest size that is not likely
//! to be one.

use serde::{Deserialize, Serialize};

/// Price distances that are told apart.
pub const FAT_FINGER_BUCKETS: usize = 16;

/// Upper edges of buckets 2 to 14, in bps of the mid price. Below them lie bucket 0, all that does not reach the opposite
/// touch, and bucket 1, the opposite touch itself; bucket 15 is the rest.
pub(crate) const FAT_FINGER_EDGES_BPS: [f64; FAT_FINGER_BUCKETS - 3] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0];

/// Steepness that a law may have, per doubling of the size: within it the largest sizes can be told in single precision.
pub(crate) const STEEPNESS_BOUNDS: (f64, f64) = (0.05, 64.0);

/// Largest share of the odds that may be an assumption: rates from 1e-12 in a set that is half errors.
const PRIOR_BOUNDS: (f64, f64) = (1e-12, 1e12);

/// The constants between increments and probability. With the size s = log2(quantity / touch), where the touch is the sum
/// of the best bid's and the best offer's quantity (whose logarithm is the feature `top_depth`), and the increments r:
///
/// - the boundary of bucket b is m_b = c0 + unit (r_b + r_(b+1) + ... + r_15), so it never rises with aggressiveness;
/// - the odds of an error are prior e^(k (s - m_b)), so they never fall with size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerLaw {
    /// Boundary beyond the last bucket, in doublings of the touch.
    pub c0: f64,
    /// What an increment of one adds to a boundary, in doublings; positive.
    pub unit: f64,
    /// Growth of the logarithm of the odds per doubling of the size; positive.
    pub k: f64,
    /// What turns the odds among the orders fitted to, many of them injected errors, into those among the desk's (Dal
    /// Pozzolo et al. 2015); positive.
    pub prior: f64,
}

impl FatFingerLaw {
    /// The bucket of an order whose price lies this far through the opposite touch, in bps of the mid price: for a buyer
    /// (price - best offer) / mid. A market order has 0. NaN is as far as can be.
    #[inline]
    #[must_use]
    pub fn bucket(aggressiveness_bps: f64) -> usize {
        if aggressiveness_bps < 0.0 {
            return 0;
        }
        if aggressiveness_bps == 0.0 {
            return 1;
        }
        let within = |edge: &f64| aggressiveness_bps <= *edge;
        FAT_FINGER_EDGES_BPS.iter().position(within).map_or(FAT_FINGER_BUCKETS - 1, |i| i + 2)
    }

    /// The boundary of each bucket in doublings of the touch: where the odds among the orders fitted to are even. Never
    /// rising. None when an increment is negative or no finite number.
    pub(crate) fn boundaries(
        &self,
        increments: &[f32; FAT_FINGER_BUCKETS],
    ) -> Option<[f64; FAT_FINGER_BUCKETS]> {
        if !increments.iter().all(|r| r.is_finite() && *r >= 0.0) {
            return None;
        }
        let (mut boundaries, mut sum) = ([0.0; FAT_FINGER_BUCKETS], 0.0);
        for (boundary, increment) in boundaries.iter_mut().zip(increments).rev() {
            sum += f64::from(*increment);
            *boundary = self.c0 + self.unit * sum;
        }
        Some(boundaries)
    }

    /// Logarithm of the odds of an error among the desk's orders, for a size in doublings of the touch.
    pub(crate) fn log_odds(&self, boundary: f64, size: f64) -> f64 {
        self.k * (size - boundary) + self.prior.ln()
    }

    /// Probability that an order of this size, a multiple of the touch, with a price in this bucket is an error. Never
    /// falling in the size or the bucket; 1 for a size or increments that are NaN.
    #[cfg(test)]
    pub(crate) fn probability(
        &self,
        increments: &[f32; FAT_FINGER_BUCKETS],
        bucket: usize,
        size_in_touches: f64,
    ) -> f64 {
        if size_in_touches.is_nan() || size_in_touches < 0.0 {
            return 1.0;
        }
        let Some(boundaries) = self.boundaries(increments) else { return 1.0 };
        logistic(self.log_odds(boundaries[bucket.min(FAT_FINGER_BUCKETS - 1)], size_in_touches.log2()))
    }

    /// For each bucket the largest size, as a multiple of the touch, whose probability of being an error is at most
    /// `theta`; never rising. All zero when `theta` is not between 0 and 1 or an increment is NaN or infinite.
    #[must_use]
    pub fn largest_sizes(
        &self,
        increments: &[f32; FAT_FINGER_BUCKETS],
        theta: f64,
    ) -> [f32; FAT_FINGER_BUCKETS] {
        let mut sizes = [0.0; FAT_FINGER_BUCKETS];
        let Some(boundaries) = self.boundaries(increments).filter(|_| theta > 0.0 && theta < 1.0) else {
            return sizes;
        };
        let beyond = ((theta / (1.0 - theta)).ln() - self.prior.ln()) / self.k;
        // From the smallest to the largest: what is allowed in a bucket is in every less aggressive one.
        let mut largest = 0.0_f32;
        for (size, boundary) in sizes.iter_mut().zip(boundaries).rev() {
            let mut found = round_down((boundary + beyond).exp2());
            if logistic(self.log_odds(boundary, f64::from(found).log2())) > theta {
                // A last bit of the logarithm; a step in single precision is millions of those.
                found = found.next_down().max(0.0);
            }
            largest = largest.max(found);
            *size = largest;
        }
        sizes
    }

    /// What is wrong with a law read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let within = |v: f64, (low, high): (f64, f64)| (low..=high).contains(&v);
        if !within(self.c0, (-1e3, 1e3)) {
            return Some("a boundary c0 beyond 1000 doublings");
        }
        if !within(self.unit, (1e-3, 1e3)) {
            return Some("a unit outside [0.001, 1000]");
        }
        if !within(self.k, STEEPNESS_BOUNDS) {
            return Some("a steepness k outside [0.05, 64]");
        }
        (!within(self.prior, PRIOR_BOUNDS)).then_some("a prior outside [1e-12, 1e12]")
    }
}

/// 1 / (1 + e^-z).
pub(crate) fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// The nearest single-precision number that is not above; the largest finite one for anything beyond.
#[expect(clippy::cast_possible_truncation, reason = "rounded the right way below")]
fn round_down(value: f64) -> f32 {
    let near = (value as f32).min(f32::MAX);
    if f64::from(near) > value { near.next_down() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAW: FatFingerLaw = FatFingerLaw { c0: -3.0, unit: 0.5, k: 2.0, prior: 1.0 };

    #[test]
    fn buckets_are_the_documented_ones() {
        for (bps, bucket) in [
            (f64::NEG_INFINITY, 0),
            (-1e-9, 0),
            (-0.0, 1),
            (0.0, 1),
            (1e-9, 2),
            (1.0, 2),
            (1.000_001, 3),
            (2.0, 3),
            (4.0, 4),
            (5.0, 5),
            (500.0, 11),
            (513.0, 12),
            (4096.0, 14),
            (4097.0, 15),
            (f64::INFINITY, 15),
            (f64::NAN, 15),
        ] {
            assert_eq!(FatFingerLaw::bucket(bps), bucket, "{bps}");
        }
    }

    #[test]
    fn probabilities_and_sizes_are_the_hand_worked_ones() {
        // Boundaries: bucket 15 at -3 + 0.5 = -2.5, each less aggressive one half a doubling more, bucket 0 at 5.
        let ones = [1.0; FAT_FINGER_BUCKETS];
        assert!((LAW.probability(&ones, 0, 32.0) - 0.5).abs() < 1e-15);
        assert!((LAW.probability(&ones, 13, 2.0_f64.powf(-1.5)) - 0.5).abs() < 1e-15);
        // One doubling above: 1 / (1 + e^-2) = 0.880797.
        assert!((LAW.probability(&ones, 0, 64.0) - 0.880_797_077_977_882_4).abs() < 1e-12);
        let even = LAW.largest_sizes(&ones, 0.5);
        assert!((even[0] - 32.0).abs() < 1e-4 && (even[10] - 1.0).abs() < 1e-6, "{even:?}");
        // Odds of 1e-4 to 0.9999, and a prior of 1e-4: the boundary moves by ln(9999) / 2 - ln(1e4) / 2, next to nothing.
        let rare = FatFingerLaw { prior: 1e-4, ..LAW };
        let sizes = rare.largest_sizes(&ones, 1e-4);
        let wanted = 32.0 * ((1e-4_f64 / 0.9999).ln() - 1e-4_f64.ln()).exp2().sqrt();
        assert!((f64::from(sizes[0]) - wanted).abs() < 1e-3, "{} {wanted}", sizes[0]);
        // Dal Pozzolo's formula with b = prior: b p / (b p - p + 1).
        let (p, b) = (LAW.probability(&ones, 3, 20.0), 1e-4);
        assert!((rare.probability(&ones, 3, 20.0) - b * p / (b * p - p + 1.0)).abs() < 1e-15);
    }

    #[test]
    fn what_is_no_number_is_an_error_and_allows_nothing() {
        let ones = [1.0; FAT_FINGER_BUCKETS];
        for theta in [f64::NAN, 0.0, -1.0, 1.0, 2.0, f64::INFINITY] {
            assert_eq!(LAW.largest_sizes(&ones, theta), [0.0; FAT_FINGER_BUCKETS], "{theta}");
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0] {
            let mut increments = ones;
            increments[9] = bad;
            assert_eq!(LAW.largest_sizes(&increments, 0.5), [0.0; FAT_FINGER_BUCKETS]);
            assert_eq!(LAW.probability(&increments, 0, 1.0), 1.0);
        }
        assert_eq!([f64::NAN, -1.0].map(|size| LAW.probability(&ones, 1, size)), [1.0; 2]);
        assert_eq!(LAW.probability(&ones, 1, 0.0), 0.0);
        assert_eq!(LAW.probability(&ones, 99, 0.3), LAW.probability(&ones, 15, 0.3));
    }

    #[test]
    fn laws_that_cannot_be_used_are_told() {
        assert_eq!(LAW.fault(), None);
        for bad in [
            FatFingerLaw { c0: f64::NAN, ..LAW },
            FatFingerLaw { unit: 0.0, ..LAW },
            FatFingerLaw { k: -2.0, ..LAW },
            FatFingerLaw { k: 65.0, ..LAW },
            FatFingerLaw { prior: 0.0, ..LAW },
            FatFingerLaw { prior: f64::INFINITY, ..LAW },
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }

    fn law() -> impl Strategy<Value = FatFingerLaw> {
        (-30.0..30.0_f64, 0.01..3.0_f64, 0.05..64.0_f64, -20.0..5.0_f64)
            .prop_map(|(c0, unit, k, ln_prior)| FatFingerLaw { c0, unit, k, prior: ln_prior.exp() })
    }

    fn increments() -> impl Strategy<Value = [f32; FAT_FINGER_BUCKETS]> {
        prop::array::uniform16(prop_oneof![Just(0.0_f32), 0.0_f32..3.0])
    }

    proptest! {
        #[test]
        fn probability_never_falls_with_size_or_aggressiveness(
            law in law(), increments in increments(), small in -40.0..40.0_f64, more in 0.0..20.0_f64, bucket in 0..15_usize,
        ) {
            let p = |bucket, s: f64| law.probability(&increments, bucket, s.exp2());
            prop_assert!(p(bucket, small) <= p(bucket, small + more));
            prop_assert!(p(bucket, small) <= p(bucket + 1, small));
            prop_assert!((0.0..=1.0).contains(&p(bucket, small)));
        }

        #[test]
        fn the_largest_sizes_stay_within_theta_and_nothing_clearly_larger_does(
            law in law(), increments in increments(), ln_theta in -25.0..-0.01_f64,
        ) {
            let theta = ln_theta.exp();
            let sizes = law.largest_sizes(&increments, theta);
            prop_assert!(sizes.windows(2).all(|w| w[0] >= w[1]), "{:?}", sizes);
            for (bucket, size) in sizes.into_iter().enumerate() {
                prop_assert!(size >= 0.0 && size.is_finite());
                prop_assert!(law.probability(&increments, bucket, f64::from(size)) <= theta);
                // Whatever single precision cannot hold is cut down, never up.
                if size > 1e-30 && size < 1e30 {
                    let more = law.probability(&increments, bucket, f64::from(size) * 1.001);
                    prop_assert!(more > theta, "{} {}", more, theta);
                }
            }
        }

        #[test]
        fn a_more_sensitive_theta_never_allows_more(
            law in law(), increments in increments(), a in 1e-9..1.0_f64, b in 1e-9..1.0_f64,
        ) {
            let (few, many) = (law.largest_sizes(&increments, a.min(b)), law.largest_sizes(&increments, a.max(b)));
            prop_assert!(few.iter().zip(&many).all(|(few, many)| few <= many));
        }

        #[test]
        fn any_bits_give_sizes_that_never_rise(bits in prop::array::uniform16(any::<u32>()), theta in any::<u64>()) {
            let sizes = LAW.largest_sizes(&bits.map(f32::from_bits), f64::from_bits(theta));
            prop_assert!(sizes.iter().all(|size| size.is_finite() && *size >= 0.0));
            prop_assert!(sizes.windows(2).all(|w| w[0] >= w[1]), "{:?}", sizes);
        }
    }
}
