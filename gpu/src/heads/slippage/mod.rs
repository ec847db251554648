//! The slippage network: what an order would pay beyond the best price, for eight sizes and both
//! sides, so that the largest size that stays within a limit can be read off.
//!
//! A cost is the walk of the book as it stands ([`types::FeatureVector::walk_bps`]), which is known, plus the *drift* by the
//! time of the fill, which the head predicts. The head takes the inputs of the encoder and gives sixteen *increments* that are
//! never negative; the drift of a size is the sum of the increments up to it. Since the walk does not fall with size either, a
//! larger order never costs less, whatever the weights. An increment is counted in the symbol's own usual increment
//! ([`SlippageScale`]), because the inputs, normalised by symbol, say how a market is compared with its usual self and not how
//! wide its usual self is.

mod liquidity;
mod model;
mod record;
mod scale;

pub(crate) use liquidity::Liquidity;
pub use model::SlippageModel;
pub(crate) use model::SlippageScales;
#[cfg(test)]
pub(crate) use model::tests::random_head;
pub use record::{SlippageHoldout, SlippageRecord, SlippageReport, SlippageTrainConfig};
pub(crate) use scale::SLIPPAGE_QUANTILE;
#[cfg(test)]
pub(crate) use scale::largest_size;
pub use scale::{SLIPPAGE_OUTPUTS, SLIPPAGE_SIZES, SlippageScale};
