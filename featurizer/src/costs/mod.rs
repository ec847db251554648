//! What orders of eight sizes cost: in every vector, when that is asked for ([`types::FeatureVector::walk_bps`]); and, for
//! training the slippage network, at each grid point a decision on the best prices, now from the book as it stands and at the
//! next grid point from the book as it is then. The latter is for replays: rows wait in memory until they are taken.

mod file;
mod ledger;
mod walk;

pub use file::{COST_SIZES_KEY, CostWriter};
pub use ledger::CostRow;
pub(crate) use ledger::Ledger;
pub(crate) use walk::walk_bps;
pub use walk::{COST_SIZE_COUNT, COST_SIZES_HALVES, CostsBps, Decision, NO_COSTS};
