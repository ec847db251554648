//! The feature vector that goes from the books to the model.

use crate::schema::{FEATURE_COUNT, FeatureDef, FeatureId, INPUT_COUNT, MODEL_FEATURE_COUNT};
use crate::{BookState, FeedIndex, InstrumentId, Px, UnixNanos};

/// Order sizes that a vector prices: eight for a buyer, then the same eight for a seller.
pub const WALK_COUNT: usize = 16;

/// The valid bits of a model's features.
const MODEL_MASK: u16 = (1_u32 << MODEL_FEATURE_COUNT).wrapping_sub(1) as u16;

const _: () = assert!(MODEL_FEATURE_COUNT <= u16::BITS as usize, "masks of models are 16 bits wide");

/// The state of one instrument at one grid point. A value whose `valid` bit is off is 0 and means nothing: the consumer
/// imputes it, never reads it. What is neither in `values` nor `ages_ms` is no feature, and no part of
/// [`crate::FeatureSchema`]; a model that does not know of it scores as it did. Its size follows from the schema, in whole
/// cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct FeatureVector {
    /// Grid point (event time) the values hold at.
    pub ts: UnixNanos,
    /// Arrival stamp of the newest event in them.
    pub ts_recv: UnixNanos,
    /// Mid price, [`Px::NONE`] when a side is empty.
    pub mid: Px,
    /// Bit i: value i can be used.
    pub valid: u64,
    /// The instrument, or [`InstrumentId::ALL`] in an end-of-grid marker.
    pub instrument: InstrumentId,
    /// [`BookState::to_u8`] at the grid point.
    pub book_state: u8,
    /// Not 0 in the marker that ends a grid point: every changed vector of `ts` of one feed has been sent, and this is the feed's
    /// [`FeedIndex`] plus one.
    pub grid_end: u8,
    /// Milliseconds since each [`crate::FeatureInput`] last changed, saturated; [`FeatureVector::age_ms`] reads them.
    pub ages_ms: [u32; INPUT_COUNT],
    /// What an order pays beyond the best price when it takes what the book shows at `ts`, in bps of the mid: 0.5, 1, 2, … 64
    /// times the quantity at the touch, for a buyer, then for a seller. Never falling with size; infinite where the book does
    /// not hold the size, cannot be believed, or nobody asked for the walk.
    pub walk_bps: [f32; WALK_COUNT],
    /// Values in [`FeatureId`] order.
    pub values: [f64; FEATURE_COUNT],
}

const _: () = assert!(size_of::<FeatureVector>().is_multiple_of(64), "whole cache lines");
const _: () = assert!(FEATURE_COUNT <= u64::BITS as usize, "a bit of `valid` each");

impl FeatureVector {
    /// A vector with nothing known.
    pub const EMPTY: Self = Self {
        ts: UnixNanos(0),
        ts_recv: UnixNanos(0),
        mid: Px::NONE,
        valid: 0,
        instrument: InstrumentId::ALL,
        book_state: BookState::Empty.to_u8(),
        grid_end: 0,
        ages_ms: [u32::MAX; INPUT_COUNT],
        walk_bps: [f32::INFINITY; WALK_COUNT],
        values: [0.0; FEATURE_COUNT],
    };

    /// The marker that ends grid point `ts`.
    #[must_use]
    pub const fn end_of_grid(ts: UnixNanos) -> Self {
        Self { ts, grid_end: 1, ..Self::EMPTY }
    }

    /// The same marker of another feed.
    #[must_use]
    pub const fn of_feed(self, feed: FeedIndex) -> Self {
        Self { grid_end: feed.number() + 1, ..self }
    }

    /// Whose grid point it ends; `None` where it is no marker.
    #[inline]
    #[must_use]
    pub const fn ends_grid_of(&self) -> Option<FeedIndex> {
        match self.grid_end {
            0 => None,
            feed => Some(FeedIndex::from_low_bits(feed as u64 - 1)),
        }
    }

    /// The value of `id`, `None` when it is not valid.
    #[inline]
    #[must_use]
    pub fn get(&self, id: FeatureId) -> Option<f64> {
        let i = id as usize;
        (self.valid >> i & 1 == 1).then(|| self.values[i])
    }

    /// Milliseconds since the input of a feature last changed, saturated.
    #[inline]
    #[must_use]
    pub const fn age_ms(&self, feature: &FeatureDef) -> u32 {
        self.ages_ms[feature.input as usize]
    }

    /// The first [`MODEL_FEATURE_COUNT`] values and their valid bits.
    #[inline]
    #[must_use]
    pub const fn model_inputs(&self) -> (&[f64; MODEL_FEATURE_COUNT], u16) {
        let Some(values) = self.values.first_chunk() else { unreachable!() };
        (values, self.valid as u16 & MODEL_MASK)
    }

    /// Sets the value of `id` and its valid bit; a value that is not finite is refused and leaves the bit off.
    #[inline]
    pub fn set(&mut self, id: FeatureId, value: f64) {
        let i = id as usize;
        if value.is_finite() {
            self.values[i] = value;
            self.valid |= 1 << i;
        } else {
            self.values[i] = 0.0;
            self.valid &= !(1 << i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{FEATURES, FeatureInput};

    #[test]
    fn a_value_that_is_no_number_never_becomes_valid() {
        let mut v = FeatureVector::EMPTY;
        v.set(FeatureId::Rv1S, 3.0);
        assert_eq!(v.get(FeatureId::Rv1S), Some(3.0));
        v.set(FeatureId::Rv1S, f64::NAN);
        assert_eq!(v.get(FeatureId::Rv1S), None);
        assert_eq!(v.valid, 0);
    }

    #[test]
    fn a_value_is_as_old_as_its_input() {
        let mut v = FeatureVector::EMPTY;
        v.ages_ms[FeatureInput::Event as usize] = 1;
        v.ages_ms[FeatureInput::Quote as usize] = 2;
        let ages = [FeatureId::BookPressure5, FeatureId::SpreadBps, FeatureId::Rv1M]
            .map(|id| v.age_ms(&FEATURES[id as usize]));
        assert_eq!(ages, [1, 2, u32::MAX]);
    }

    #[test]
    fn a_model_reads_the_front_of_a_vector_whatever_comes_after_it() {
        let mut v = FeatureVector::EMPTY;
        v.set(FeatureId::Resilience, 0.25);
        v.valid |= 1 << 63 | 1 << MODEL_FEATURE_COUNT;
        let (values, valid) = v.model_inputs();
        assert_eq!((values[12], valid), (0.25, 1 << 12));
    }

    #[test]
    fn no_walk_is_known_before_one_is_asked_for() {
        let marker = FeatureVector::end_of_grid(UnixNanos(7));
        for vector in [FeatureVector::EMPTY, marker] {
            assert!(vector.walk_bps.iter().all(|bps| *bps == f32::INFINITY));
        }
    }
}
