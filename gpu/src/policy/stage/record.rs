//! What the stage tells of its scores.

use types::{InstrumentId, Tier, UnixNanos};

use crate::model::{Channel, TOP_COUNT};
use crate::policy::tier::TierChange;
use crate::policy::witnesses::Witnesses;

/// One scored vector, for `scores.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRecord {
    /// Grid point, in event time.
    pub ts: UnixNanos,
    /// Instrument.
    pub instrument: InstrumentId,
    /// What the score comes from.
    pub channel: Channel,
    /// Score before calibration: a reconstruction error, or an excess of order flow.
    pub raw: f32,
    /// Calibrated score, 0 to 1.
    pub score: f32,
    /// The tier after it.
    pub tier: Tier,
    /// The features that made it, the strongest first; of a reconstruction those with the largest shares of its error ([`types::FeatureId`] numbers).
    pub top3: [u8; TOP_COUNT],
    /// Those shares.
    pub contributions: [f32; TOP_COUNT],
    /// Their values, each in the unit of its row of the schema; none where the value was imputed.
    pub values: [Option<f64>; TOP_COUNT],
    /// Non-ML signs of stress at the same moment.
    pub witnesses: Witnesses,
}

/// Hears what the stage decides; for files, alerts and metrics. Called on the scoring thread: it must not block.
pub trait ScoreObserver {
    /// A vector was scored.
    fn scored(&mut self, _record: &ScoreRecord) {}

    /// An instrument changed its tier; `record` is its last score, if any.
    fn tier_changed(
        &mut self,
        _instrument: InstrumentId,
        _change: &TierChange,
        _record: Option<&ScoreRecord>,
    ) {
    }
}

impl ScoreObserver for () {}
