//! The impact network (DOMAIN.md 4.3, C10 and M4): what an order would pay beyond the best price, for eight sizes and both
//! sides, so that the largest size that stays within a limit can be read off.
//!
//! A cost is the walk of the book as it stands ([`types::FeatureVector::walk_bps`]), which is known, plus the *drift* by the
//! time of the fill, which the head predicts. The head takes the inputs of the encoder and gives sixteen *increments* that are
//! never negative; the drift of a size is the sum of the increments up to it. Since the walk does not fall with size either, a
//! larger order never costs less, whatever the weights. An increment is counted in the symbol's own usual increment
//! ([`SlippageScale`]), because the inputs, normalised by symbol, say how a market is compared with its usual self and not how
//! wide its usual self is.

mod baseline;
mod capture;
mod dataset;
mod evaluate;
mod fit;
mod head;
mod scale;
mod train;

pub use capture::{CostSample, read_costs};
pub use evaluate::SlippageHoldout;
#[cfg(test)]
pub(crate) use head::tests;
pub(crate) use head::{SlippageManifest, SlippageScales};
pub use head::{SlippageModel, SlippageRecord};
pub use scale::{SLIPPAGE_COSTS, SLIPPAGE_SIZES, SlippageScale, largest_size};
pub use train::{SlippageReport, SlippageTrainConfig, judge_slippage, train_slippage};

/// The quantile of the cost that the head predicts.
pub const SLIPPAGE_QUANTILE: f64 = 0.9;

/// What the increments add up to; heads of anything else are refused.
const SLIPPAGE_TARGET: &str = "drift";

/// From the decision to the fill: the next grid point.
pub const SLIPPAGE_HORIZON_NS: u64 = 100_000_000;
