//! Rows gathered for the next tile.

use types::{FeatureVector, InstrumentId, MODEL_FEATURE_COUNT};

use super::lanes::LANES;
use super::prepare::{FusedProfile, Logs};
use crate::inputs::VALID_MIN;
use crate::score::scorer::is_scorable;

/// No place in any batch.
const NOWHERE: usize = usize::MAX;

/// The rows gathered for the next tile.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) count: usize,
    /// Where the result of each row belongs, [`NOWHERE`] for one that was replaced.
    pub(super) places: [usize; LANES],
    pub(super) instruments: [InstrumentId; LANES],
    pub(super) usable: [u32; LANES],
    pub(super) values: [[f64; MODEL_FEATURE_COUNT]; LANES],
    pub(super) logs: Logs,
}

impl Tile {
    pub(super) const fn new() -> Self {
        Self {
            count: 0,
            places: [NOWHERE; LANES],
            instruments: [InstrumentId::ALL; LANES],
            usable: [0; LANES],
            values: [[0.0; MODEL_FEATURE_COUNT]; LANES],
            logs: Logs::new(),
        }
    }

    /// Takes a row in, unless too little of it is usable.
    #[inline(always)]
    pub(super) fn take(&mut self, place: usize, row: RowParts<'_>, profile: &FusedProfile) {
        let lane = self.count;
        let usable = self.logs.take(lane, row.values, row.valid, profile);
        if usable.count_ones() >= VALID_MIN {
            self.places[lane] = place;
            self.instruments[lane] = row.instrument;
            self.usable[lane] = u32::from(usable);
            self.values[lane] = *row.values;
            self.count = lane + 1;
        }
    }

    /// A newer row takes the place of one that may still be here.
    pub(super) fn forget(&mut self, place: usize) {
        for taken in &mut self.places[..self.count] {
            if *taken == place {
                *taken = NOWHERE;
            }
        }
    }
}

/// A row that lies elsewhere than in a vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowParts<'a> {
    pub(crate) instrument: InstrumentId,
    /// 0 for a row that must have no score.
    pub(crate) valid: u16,
    pub(crate) values: &'a [f64; MODEL_FEATURE_COUNT],
}

impl<'a> From<&'a FeatureVector> for RowParts<'a> {
    #[inline(always)]
    fn from(row: &'a FeatureVector) -> Self {
        let (values, valid) = row.model_inputs();
        Self { instrument: row.instrument, valid: if is_scorable(row) { valid } else { 0 }, values }
    }
}
