//! The trainings: captures in, a model or one of its heads out. A folder for each, and `head` for what those of all heads have
//! in common. Nothing that runs in the line sees any of it (`tests/layers.rs`).

mod autoencoder;
mod fat_finger;
mod head;
mod slippage;

#[cfg(test)]
pub(crate) use autoencoder::fit_profile;
pub use autoencoder::{
    CalibrateError, Phase, Progress, TrainDevice, TrainError, fit_channels, fit_joint, train_vae,
};
pub use fat_finger::{DeskOrder, DeskSession, TouchRow, TypingError, read_touches, train_fat_finger};
pub use head::{HeadNames, HeadProgress, HeadTrainError};
pub use slippage::{SlippageSample, judge_slippage, read_slippage, train_slippage};
