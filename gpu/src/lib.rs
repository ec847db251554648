//! The models of the appliance: a variational autoencoder of calm markets with its heads, their training and calibration,
//! the backends that score with them, and the way from a score to a limit.
//!
//! **Layers.** Each module sees those above it in this list, and none below:
//!
//! | module | what it holds | sees no |
//! |---|---|---|
//! | `inputs` | a captured row, the profile that normalises it, what belongs to a symbol | file |
//! | `network` | the weights of the autoencoder and of a head, and their file format | feature by name |
//! | `heads` | the heads beside the autoencoder: a folder and a row of `heads/mod.rs` each | model, scorer |
//! | `model`, `folder` | a model's law, calibration and records; its folder on disk | scorer |
//! | `score` | the backends: reference, Candle, fused kernels, a card | policy |
//! | `policy` | tiers, overlays, bounds, and the stage from vectors to limits | capture, training |
//! | `captures` | what trainings read, and the order they work in | network |
//! | `train` | the trainings: the autoencoder, and a folder for each head that has one | policy |
//!
//! `tests/layers.rs` holds what each sees exactly.
//!
//! **Entry points.** Live and in replays: [`Model::load`], [`open_scorer`] or [`open_cuda_scorer`], [`ScorerStage`]. Training:
//! [`read_features`] and [`train_vae`]; [`train_slippage`] and [`train_fat_finger`].
//!
//! **What it never does:** sit on the order path, read a clock, raise a limit beyond the officer's envelope.
//!
//! **Invariants.** A row with too little valid data has no score instead of a wrong one, and NaN never leaves a scorer. Every
//! backend agrees with [`ReferenceScorer`] to 1e-5, and each gives a row the same bits whatever batch it is in. Training is
//! bitwise reproducible from rows and seed. Tiers go up at once, down stepwise, and Critical is left by a person alone.
//!
//! Start reading at [`Model`] and [`Scorer`].
#![deny(unsafe_code)]
// A variant that is added must be decided on everywhere.
#![warn(clippy::wildcard_enum_match_arm)]

mod captures;
mod folder;
mod heads;
mod inputs;
mod model;
mod network;
mod policy;
mod score;
#[cfg(test)]
mod synthetic;
mod train;

pub use captures::{CaptureError, FEATURE_ROWS_MAX, ReadingRow, read_features, read_readings};
pub use gpu_cuda::Change as CardChange;
pub use gpu_cuda::Trainer as CardTrainer;
pub use gpu_cuda::abi::Mode as CardMode;
pub use heads::fat_finger::{
    FAT_FINGER_BUCKETS, FatFingerHoldout, FatFingerLaw, FatFingerModel, FatFingerOffset, FatFingerRate,
    FatFingerRecord, FatFingerReport, FatFingerStratum, FatFingerTrainConfig,
};
pub use heads::slippage::{
    SLIPPAGE_OUTPUTS, SLIPPAGE_SIZES, SlippageHoldout, SlippageModel, SlippageRecord, SlippageReport,
    SlippageScale, SlippageTrainConfig,
};
pub use heads::{Head, Heads};
pub use inputs::{FeatureRow, PerSymbol, Profile, Profiles};
pub use model::{
    Calibration, CalibrationConfig, Calibrations, Channel, ChannelLaws, FittedOn, HoldoutReport, LoadError,
    MODEL_FORMAT, Model, RawScore, Reading, SaveError, ScoreLaw, TOP_COUNT, TrainConfig, TrainReport,
    TrainingRecord,
};
pub use network::{Increments, WeightsError};
pub use policy::{
    Band, BatchConfig, CriticalBand, FatFingerConfig, FatFingerUpdate, LimitSink, LimitUpdate, OverlayConfig,
    PolicyConfig, PolicyConfigError, PolledScorer, RatioText, ScoreObserver, ScoreRecord, ScorerStage,
    ScorerStageConfig, SlippageConfig, TierCause, TierChange, TierConfig, TierConfigError, Uncalibrated,
    WidenConfig, WitnessConfig, Witnesses,
};
pub use score::{
    Backend, CardModel, ChainError, CudaError, CudaScorer, DenseLayer, FusedAutoencoder, FusedError,
    FusedScorer, Kernel, OpenScorerError, ReferenceScorer, Scorer, Staged, StagedScorer, Then,
    open_cuda_scorer, open_scorer,
};
pub use train::{
    CalibrateError, DeskOrder, DeskSession, HeadNames, HeadProgress, HeadTrainError, Phase, Progress,
    SlippageSample, TouchRow, TrainDevice, TrainError, TypingError, fit_channels, fit_joint, judge_slippage,
    read_slippage, read_touches, train_fat_finger, train_slippage, train_vae,
};
