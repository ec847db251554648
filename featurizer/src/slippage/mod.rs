//! Slippage: what orders of eight sizes pay beyond the best price. In every vector, when that is asked for ([`types::FeatureVector::walk_bps`]);
//! and, for training the slippage network, at each grid point a decision on the best prices, now from the book as it stands and at the
//! next grid point from the book as it is then. The latter is for replays: rows wait in memory until they are taken.

mod file;
mod ledger;
mod walk;

pub use file::{SLIPPAGE_SIZES_KEY, SlippageWriter};
pub(crate) use ledger::Ledger;
pub use ledger::SlippageRow;
pub(crate) use walk::walk_bps;
pub use walk::{Decision, SLIPPAGE_SIZE_COUNT, SLIPPAGE_SIZES_HALVES, SlippageBps, UNKNOWN_SLIPPAGE};
