//! What orders of eight sizes would have cost, for training the impact network: at each grid point a decision on the best
//! prices, now from the book as it stands and at the next grid point from the book as it is then. For replays: rows wait in
//! memory until they are taken.

mod file;
mod ledger;
mod walk;

pub use file::{COST_SIZES_KEY, CostWriter};
pub use ledger::CostRow;
pub(crate) use ledger::Ledger;
pub use walk::{COST_SIZE_COUNT, COST_SIZES_HALVES, CostsBps, Decision, NO_COSTS};
