//! The training of the head, from captures to a judged network.

mod baseline;
mod costs;
mod dataset;
mod evaluate;
mod fit;
mod run;
mod settings;

pub use costs::{CostSample, read_costs};
pub use run::{judge_slippage, train_slippage};
