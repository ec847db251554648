//! What every scoring backend gives: raw scores with their reasons.

use types::{FEATURE_COUNT, FEATURES, FeatureVector, InstrumentId, Symbol};

use crate::head::{Head, Increments, PerHead};
use crate::model::Model;
use crate::network::LATENT_COUNT;

/// Features named with a score.
pub const TOP_COUNT: usize = 3;

/// How strange one vector looks to the model, and which features made it so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawScore {
    /// Uncalibrated: about 1 in calm markets, without an upper bound that means anything. Always a finite number.
    pub raw: f32,
    /// The features with the largest reconstruction errors, largest first ([`types::FeatureId`] numbers).
    pub top3: [u8; TOP_COUNT],
    /// Their shares of the whole reconstruction error, 0 to 1.
    pub contributions: [f32; TOP_COUNT],
}

/// A backend that scores feature vectors.
///
/// Every backend holds to the same contract, so that it can be swapped at boot: [`Scorer::score`] gives `None` for a
/// vector whose book is not live, that marks a grid's end, whose instrument was never defined, or with fewer than half
/// of the features valid; a score is always finite; a backend that fails gives `None` for the whole batch and counts
/// it, so that the limits fall to the static ones.
pub trait Scorer {
    /// Name of the backend, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Says which symbol `instrument` is, so that its own profile is used from now on.
    fn define(&mut self, instrument: InstrumentId, symbol: Symbol);

    /// Scores `rows`, one result each in `out`.
    ///
    /// # Panics
    /// When `out` is not as long as `rows`: a caller's error that would leave rows silently unscored.
    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]);

    /// What `head` says of a vector that has a score; `None` when the model has no such head.
    fn increments(&self, _head: Head, _row: &FeatureVector) -> Option<Increments> {
        None
    }

    /// Batches that failed since construction.
    fn failures(&self) -> u64 {
        0
    }
}

/// A scorer that takes rows as they arrive, so that little is left to do when a batch ends.
///
/// A batch: [`stage`](Self::stage) for every row, [`start`](Self::start), [`is_ready`](Self::is_ready) until it says so,
/// [`result`](Self::result). While a started batch is under way the rows of the next one may be staged; it is not started
/// before the first is ready. The rows of a batch bear the instrument numbers of [`Scorer`]'s contract, which holds here too.
pub trait StagedScorer: Scorer {
    /// Takes `row` at `place` of the batch that is being collected. Places are given out from 0; one that is taken already is
    /// written over, by a newer row of the same instrument. A place beyond the next one, or beyond the instruments that the
    /// scorer was built for, is refused: it has no result.
    fn stage(&mut self, place: usize, row: &FeatureVector);

    /// Ends the batch that is being collected and begins to score what is not scored yet.
    fn start(&mut self);

    /// Whether the results of the batch started last are there. Never blocks, and says yes in bounded time: a backend that
    /// hangs is given up.
    fn is_ready(&mut self) -> bool;

    /// The result at `place` of the batch started last, which is ready; until the next is started.
    fn result(&self, place: usize) -> Option<RawScore>;

    /// What `head` says at `place` of the same batch; `None` where there is no score, or the model has no such head.
    fn head(&self, head: Head, place: usize) -> Option<Increments>;
}

/// Collects rows for a scorer that wants whole batches.
#[derive(Clone, Debug)]
pub struct Staged<S> {
    scorer: S,
    rows: Vec<FeatureVector>,
    results: Vec<Option<RawScore>>,
    heads: Vec<PerHead<Option<Increments>>>,
}

impl<S: Scorer> Staged<S> {
    /// Batches of at most `row_count_max` rows for `scorer`. Nothing is allocated afterwards but by `scorer`.
    #[must_use]
    pub fn new(scorer: S, row_count_max: usize) -> Self {
        Self {
            scorer,
            rows: Vec::with_capacity(row_count_max),
            results: Vec::with_capacity(row_count_max),
            heads: Vec::with_capacity(row_count_max),
        }
    }

    /// The scorer.
    pub const fn scorer(&self) -> &S {
        &self.scorer
    }
}

impl<S: Scorer> Scorer for Staged<S> {
    fn name(&self) -> &'static str {
        self.scorer.name()
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.scorer.define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        self.scorer.score(rows, out);
    }

    fn increments(&self, head: Head, row: &FeatureVector) -> Option<Increments> {
        self.scorer.increments(head, row)
    }

    fn failures(&self) -> u64 {
        self.scorer.failures()
    }
}

impl<S: Scorer> StagedScorer for Staged<S> {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        if let Some(taken) = self.rows.get_mut(place) {
            *taken = *row;
        } else if place == self.rows.len() && place < self.rows.capacity() {
            self.rows.push(*row);
        }
    }

    fn start(&mut self) {
        self.results.clear();
        self.results.resize(self.rows.len(), None);
        self.scorer.score(&self.rows, &mut self.results);
        let scored = self.rows.iter().zip(&self.results);
        self.heads.clear();
        self.heads.extend(scored.map(|(row, result)| {
            Head::ALL.map(|head| result.and_then(|_| self.scorer.increments(head, row)))
        }));
        self.rows.clear();
    }

    fn is_ready(&mut self) -> bool {
        true
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        self.results.get(place).copied().flatten()
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        self.heads.get(place).and_then(|says| says[head as usize])
    }
}

impl<S: StagedScorer + ?Sized> StagedScorer for Box<S> {
    fn stage(&mut self, place: usize, row: &FeatureVector) {
        (**self).stage(place, row);
    }

    fn start(&mut self) {
        (**self).start();
    }

    fn is_ready(&mut self) -> bool {
        (**self).is_ready()
    }

    fn result(&self, place: usize) -> Option<RawScore> {
        (**self).result(place)
    }

    fn head(&self, head: Head, place: usize) -> Option<Increments> {
        (**self).head(head, place)
    }
}

impl<S: Scorer + ?Sized> Scorer for Box<S> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn define(&mut self, instrument: InstrumentId, symbol: Symbol) {
        (**self).define(instrument, symbol);
    }

    fn score(&mut self, rows: &[FeatureVector], out: &mut [Option<RawScore>]) {
        (**self).score(rows, out);
    }

    fn increments(&self, head: Head, row: &FeatureVector) -> Option<Increments> {
        (**self).increments(head, row)
    }

    fn failures(&self) -> u64 {
        (**self).failures()
    }
}

/// The backends of this build. The CUDA backend is opened at boot from its own library, as `Box<dyn StagedScorer>` like
/// these, so that this crate never needs a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The fastest of this machine.
    #[default]
    Auto,
    /// Plain Rust, allocation-free, double precision inside: the oracle.
    Reference,
    /// Candle on the CPU: the model's own definition, as trained.
    Candle,
    /// The fused kernels, on the best instructions that this processor has.
    Fused,
}

/// Opens the scorer of `model` for instruments numbered below `instrument_count_max`.
///
/// # Errors
/// When the backend cannot take the model.
pub fn open_scorer(
    backend: Backend,
    model: &Model,
    instrument_count_max: usize,
) -> Result<Box<dyn StagedScorer + Send>, OpenScorerError> {
    let count = instrument_count_max;
    let refused = |backend, message| OpenScorerError { backend, message };
    Ok(match backend {
        Backend::Auto | Backend::Fused => Box::new(
            crate::fused::FusedScorer::new(model, count).map_err(|e| refused("fused", e.to_string()))?,
        ),
        Backend::Reference => {
            Box::new(Staged::new(crate::reference::ReferenceScorer::new(model, count), count))
        }
        Backend::Candle => {
            let candle = crate::candle_scorer::CandleScorer::new(model, count)
                .map_err(|e| refused("candle", e.to_string()))?;
            Box::new(Staged::new(candle, count))
        }
    })
}

/// Why a backend did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scorer {backend}: {message}")]
pub struct OpenScorerError {
    backend: &'static str,
    message: String,
}

/// The constants that turn a reconstruction into a score; learned in training, fixed at inference, so that the
/// network cannot explain stress away by widening its own error bars (DOMAIN.md 4.1).
///
/// `raw = (1/d') Σ_valid (x - x̂)²/s²`, `x̂` decoded from the posterior mean **held within the calm range**.
///
/// The sum is S_rec of DOMAIN.md 4.1 (a). Holding the latent state is what 4.1 (d) asks a latent term for: a ReLU
/// decoder goes on linearly beyond the data it was trained on, so a state far out along a direction that calm markets
/// use (wide *and* volatile *and* thin together) would be rebuilt well. Held at the edge of the calm range it cannot be,
/// and the excess shows in the errors of the very features that are off, where a separate latent term has no attribution.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreLaw {
    /// Calm standard deviation of each reconstruction error, in normalised units.
    pub s: [f64; FEATURE_COUNT],
    /// Lower end of each latent unit's calm range.
    pub latent_min: [f64; LATENT_COUNT],
    /// Upper end of each latent unit's calm range; not below the lower.
    pub latent_max: [f64; LATENT_COUNT],
}

impl ScoreLaw {
    /// What is wrong with a law read from a file, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !self.s.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Some("an error scale that is not positive");
        }
        let mut ranges = self.latent_min.iter().zip(&self.latent_max);
        let sound = ranges.all(|(min, max)| min.is_finite() && max.is_finite() && min <= max);
        (!sound).then_some("a latent range that is none")
    }

    /// `1 / s` as the single-precision scorers multiply by it; one rounding, so that their scores share every bit.
    pub(crate) fn inverse_scale_f32(&self) -> [f32; FEATURE_COUNT] {
        #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
        self.s.map(|s| (1.0 / s) as f32)
    }

    /// The calm range of each latent unit as the single-precision scorers hold it.
    pub(crate) fn latent_range_f32(&self) -> [(f32, f32); LATENT_COUNT] {
        #[expect(clippy::cast_possible_truncation, reason = "f32 is the network's precision")]
        core::array::from_fn(|i| (self.latent_min[i] as f32, self.latent_max[i] as f32))
    }

    /// `latent` held within the calm range.
    #[inline]
    pub(crate) fn hold(&self, mut latent: [f64; LATENT_COUNT]) -> [f64; LATENT_COUNT] {
        for (unit, value) in latent.iter_mut().enumerate() {
            // Not `clamp`: NaN must pass through to the score's own check, and this never panics.
            if *value < self.latent_min[unit] {
                *value = self.latent_min[unit];
            } else if *value > self.latent_max[unit] {
                *value = self.latent_max[unit];
            }
        }
        latent
    }

    /// The score of one reconstruction; `None` when anything in it is not a number.
    #[inline]
    pub(crate) fn score(&self, usable: u16, errors: &[f64; FEATURE_COUNT]) -> Option<RawScore> {
        let mut shares = [0.0; FEATURE_COUNT];
        let mut sum = 0.0;
        for feature in 0..FEATURE_COUNT {
            if usable >> feature & 1 == 1 {
                let scaled = errors[feature] / self.s[feature];
                shares[feature] = scaled * scaled;
                sum += shares[feature];
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "scores are reported in f32")]
        let raw = (sum / f64::from(usable.count_ones().max(1))) as f32;
        if !raw.is_finite() {
            return None;
        }
        let (top3, contributions) = top(&shares, sum);
        Some(RawScore { raw, top3, contributions })
    }
}

/// The three largest shares, ties to the lower feature.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "feature numbers fit a byte, shares are shown in f32")]
fn top(shares: &[f64; FEATURE_COUNT], sum: f64) -> ([u8; TOP_COUNT], [f32; TOP_COUNT]) {
    let (mut ids, mut values) = ([0_u8; TOP_COUNT], [-1.0_f64; TOP_COUNT]);
    for (feature, &share) in shares.iter().enumerate() {
        let Some(mut place) = values.iter().position(|v| share > *v) else { continue };
        let (mut id, mut value) = (feature as u8, share);
        while place < TOP_COUNT {
            (ids[place], id) = (id, ids[place]);
            (values[place], value) = (value, values[place]);
            place += 1;
        }
    }
    let total = if sum > 0.0 { sum } else { 1.0 };
    (ids, values.map(|v| (v / total) as f32))
}

/// Name of a feature number in a [`RawScore`], `?` for a number that is none.
#[must_use]
pub fn feature_name(id: u8) -> &'static str {
    FEATURES.get(usize::from(id)).map_or("?", |f| f.name)
}

/// Whether a vector may be scored at all: from a live book and no marker.
#[inline]
pub(crate) fn is_scorable(row: &FeatureVector) -> bool {
    row.grid_end == 0 && row.book_state == types::BookState::Live.to_u8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAW: ScoreLaw = ScoreLaw {
        s: [0.5; FEATURE_COUNT],
        latent_min: [-1.0; LATENT_COUNT],
        latent_max: [1.0, 2.0, 3.0, 4.0],
    };

    #[test]
    fn a_score_worked_by_hand() {
        // Errors 1 on features 2 and 5, 3 on feature 7, which is not usable: (4 + 4)/12.
        let mut errors = [0.0; FEATURE_COUNT];
        (errors[2], errors[5], errors[7]) = (1.0, 1.0, 3.0);
        let score = LAW.score(0x1fff & !(1 << 7), &errors).unwrap();
        assert!((score.raw - 8.0 / 12.0).abs() < 1e-6);
        assert_eq!(score.top3, [2, 5, 0]);
        assert_eq!(score.contributions, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_latent_state_is_held_within_the_calm_range() {
        assert_eq!(LAW.hold([-9.0, 0.5, 9.0, 9.0]), [-1.0, 0.5, 3.0, 4.0]);
        assert!(LAW.hold([f64::NAN; LATENT_COUNT])[0].is_nan());
    }

    #[test]
    fn a_reconstruction_that_is_no_number_has_no_score() {
        for bad in [f64::NAN, f64::INFINITY, f64::MAX] {
            let mut errors = [0.0; FEATURE_COUNT];
            errors[3] = bad;
            assert_eq!(LAW.score(0x1fff, &errors), None);
            assert_eq!(
                LAW.score(0x1ff7, &errors).map(|s| s.raw),
                Some(0.0),
                "what is not valid does not count"
            );
        }
    }

    proptest! {
        #[test]
        fn the_top_three_are_those_of_a_sort(shares in prop::array::uniform13(0.0_f64..10.0)) {
            let sum: f64 = shares.iter().sum();
            let (ids, values) = top(&shares, sum);
            let mut order: Vec<usize> = (0..FEATURE_COUNT).collect();
            order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
            for place in 0..TOP_COUNT {
                prop_assert_eq!(usize::from(ids[place]), order[place]);
                #[expect(clippy::cast_possible_truncation, reason = "shares are f32")]
                let want = (shares[order[place]] / sum) as f32;
                prop_assert_eq!(values[place], want);
            }
        }
    }
}
