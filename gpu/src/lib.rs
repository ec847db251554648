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

mod captures;
mod heads;
mod inputs;
mod model;
mod network;
mod policy;
mod score;
#[cfg(test)]
mod synthetic;
mod train;

pub use captures::{CaptureError, FEATURE_ROWS_MAX, read_features};
pub use gpu_cuda::Change as CardChange;
pub use gpu_cuda::Trainer as CardTrainer;
pub use gpu_cuda::abi::Mode as CardMode;
pub use heads::{
    CostSample, DeskOrder, DeskSession, FatFinger, Head, HeadNames, HeadProgress, HeadTrainError, Heads,
    SLIPPAGE_COSTS, SLIPPAGE_SIZES, SURFACE_BUCKETS, SlippageHoldout, SlippageModel, SlippageRecord,
    SlippageReport, SlippageScale, SlippageTrainConfig, SurfaceHoldout, SurfaceLaw, SurfaceModel,
    SurfaceOffset, SurfaceRate, SurfaceRecord, SurfaceReport, SurfaceStratum, SurfaceTrainConfig, TouchRow,
    judge_slippage, read_costs, read_touches, train_slippage, train_surface,
};
pub use inputs::{FeatureRow, PerSymbol, Profile, Profiles};
pub use model::{
    Calibration, CalibrationConfig, Calibrations, FittedOn, HoldoutReport, LoadError, MODEL_FORMAT, Model,
    RawScore, SaveError, ScoreLaw, TOP_COUNT, TrainConfig, TrainReport, TrainingRecord,
};
pub use network::{Increments, WeightsError};
pub use policy::{
    Band, BatchConfig, CriticalBand, LimitSink, LimitUpdate, OverlayConfig, PolicyConfig, PolicyConfigError,
    PolledScorer, RatioText, ScoreObserver, ScoreRecord, ScorerStage, ScorerStageConfig, SlippageConfig,
    SurfaceConfig, SurfaceUpdate, TierCause, TierChange, TierConfig, TierConfigError, WidenConfig,
    WitnessConfig, Witnesses,
};
pub use score::{
    Backend, CardModel, ChainError, CudaError, CudaScorer, DenseLayer, FusedAutoencoder, FusedError,
    FusedScorer, Kernel, OpenScorerError, ReferenceScorer, Scorer, Staged, StagedScorer, Then,
    open_cuda_scorer, open_scorer,
};
pub use train::{CalibrateError, Phase, Progress, TrainDevice, TrainError, train_vae};
