//! The training of the head, from captures to a judged network.

mod baseline;
mod capture;
mod dataset;
mod evaluate;
mod fit;
mod run;
mod settings;

pub use capture::{SlippageSample, read_slippage};
pub use run::{judge_slippage, train_slippage};
