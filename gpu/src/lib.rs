//! The model: a variational autoencoder of calm markets, its training and calibration, scoring backends, and the way
//! from a score to a limit.
//!
//! **What it never does:** sit on the order path, read a clock, raise a limit beyond the officer's envelope.
//!
//! **Invariants.** A row with too little valid data has no score instead of a wrong one, and NaN never leaves a scorer.
//! Every backend agrees with [`ReferenceScorer`] to 1e-5, and each gives a row the same bits whatever batch it is in. Training is bitwise reproducible from rows and seed. Tiers go
//! up at once, down stepwise, and Critical is left by a person alone.
//!
//! Start reading at [`Model`] and [`Scorer`].
#![deny(unsafe_code)]

mod binding;
mod calibrate;
mod candle_scorer;
mod capture;
mod config;
mod cuda_scorer;
mod fused;
mod gpd;
mod head;
mod head_train;
mod model;
mod network;
mod normalise;
mod pca;
mod policy;
mod reference;
mod row;
mod scorer;
mod scorer_stage;
mod size_bound;
mod size_surface;
mod slippage;
mod surface;
#[cfg(test)]
mod synthetic;
mod tier;
mod train;

use gpu_fit::{autoencoder, optimiser, random};

pub use calibrate::{
    CalibrateError, Calibration, CalibrationConfig, Calibrations, SHAPE_BOUNDS, ScoredRow, calibrate, display,
};
pub use candle_scorer::CandleScorer;
pub use capture::{CaptureError, FEATURE_ROWS_MAX, read_features};
pub use config::{
    OverlayConfig, PolicyConfig, PolicyConfigError, RatioText, SlippageConfig, SurfaceConfig, WidenConfig,
    WitnessConfig,
};
pub use cuda_scorer::{CardModel, CudaError, CudaScorer, open_cuda_scorer};
pub use fused::{ChainError, DenseLayer, FusedAutoencoder, FusedError, FusedScorer, Kernel, Then};
pub use gpd::Gpd;
pub use gpu_cuda::Change as CardChange;
pub use gpu_cuda::Trainer as CardTrainer;
pub use gpu_cuda::abi::Mode as CardMode;
pub use head::{Head, Increments};
pub use head_train::{HeadProgress, HeadTrainError};
pub use model::{LoadError, MODEL_FORMAT, Model, SaveError, TrainingRecord};
pub use network::{LATENT_COUNT, WeightsError};
pub use normalise::{INPUT_COUNT, Input, Profile, Profiles, VALID_MIN, WINSOR};
pub use policy::{LimitSink, LimitUpdate, SurfaceUpdate, Witnesses};
pub use reference::ReferenceScorer;
pub use row::FeatureRow;
pub use scorer::{
    Backend, OpenScorerError, RawScore, ScoreLaw, Scorer, Staged, StagedScorer, TOP_COUNT, feature_name,
    open_scorer,
};
pub use scorer_stage::{
    BatchConfig, PolledScorer, ScoreObserver, ScoreRecord, ScorerStage, ScorerStageConfig,
};
pub use slippage::{
    CostSample, SLIPPAGE_COSTS, SLIPPAGE_HORIZON_NS, SLIPPAGE_QUANTILE, SLIPPAGE_SIZES, SlippageHoldout,
    SlippageModel, SlippageRecord, SlippageReport, SlippageScale, SlippageTrainConfig, judge_slippage,
    largest_size, read_costs, train_slippage,
};
pub use surface::{
    DeskOrder, DeskSession, FatFinger, SURFACE_BUCKETS, SURFACE_EDGES_BPS, SurfaceHoldout, SurfaceLaw,
    SurfaceModel, SurfaceOffset, SurfaceRate, SurfaceRecord, SurfaceReport, SurfaceStratum,
    SurfaceTrainConfig, TouchRow, read_touches, train_surface,
};
pub use tier::{Band, CriticalBand, TierCause, TierChange, TierConfig, TierConfigError, TierMachine};
pub use train::{
    FittedOn, HoldoutReport, Phase, Progress, TrainConfig, TrainDevice, TrainError, TrainReport, score_rows,
    train_vae, train_vae_on,
};
