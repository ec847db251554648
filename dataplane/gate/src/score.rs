//! A calibrated score as a limit carries it.

/// A calibrated score in millionths, 0 to 1,000,000. There is no NaN of this type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct FixedScore(u32);

impl FixedScore {
    /// The score 1.
    pub const MAX: Self = Self(1_000_000);
    /// The score 0.
    pub const ZERO: Self = Self(0);

    /// A score in millionths; `None` above one million.
    #[must_use]
    pub const fn from_micros(micros: u32) -> Option<Self> {
        if micros <= Self::MAX.0 { Some(Self(micros)) } else { None }
    }

    /// The score, rounded to the nearest millionth; `None` for NaN and for anything outside 0 to 1, which no
    /// calibration yields: a model that says so is broken and must not be believed.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000,000.5")]
    pub const fn from_f64(score: f64) -> Option<Self> {
        if score >= 0.0 && score <= 1.0 { Some(Self((score * 1e6 + 0.5) as u32)) } else { None }
    }

    /// A score from a record's bits: what no record holds reads as itself.
    #[inline(always)]
    pub(crate) const fn from_word(micros: u32) -> Self {
        Self(micros)
    }

    /// In millionths.
    #[must_use]
    pub const fn micros(self) -> u32 {
        self.0
    }
}

impl core::fmt::Display for FixedScore {
    /// Six decimals, as in `scores.csv`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn scores_that_are_no_scores_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-9, 1.000_001] {
            assert_eq!(FixedScore::from_f64(bad), None, "{bad}");
        }
        assert_eq!(FixedScore::from_f64(0.35).map(FixedScore::micros), Some(350_000));
        assert_eq!(FixedScore::from_f64(1.0), Some(FixedScore::MAX));
        assert_eq!(FixedScore::from_micros(1_000_001), None);
        assert_eq!(std::format!("{}", FixedScore::from_f64(0.0134).unwrap()), "0.013400");
    }
}
