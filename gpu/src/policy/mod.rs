//! The way from a score to a limit: tiers, overlays, bounds, and the stage that takes it. It knows no training.

mod bounds;
mod channels;
mod config;
mod rows;
mod stage;
mod tier;
mod update;
mod witnesses;

pub use config::{
    FatFingerConfig, OverlayConfig, PolicyConfig, PolicyConfigError, RatioText, SlippageConfig, Uncalibrated,
    WidenConfig, WitnessConfig,
};
pub use stage::{BatchConfig, PolledScorer, ScoreObserver, ScoreRecord, ScorerStage, ScorerStageConfig};
pub use tier::{Band, CriticalBand, TierCause, TierChange, TierConfig, TierConfigError};
pub use update::{FatFingerUpdate, LimitSink, LimitUpdate};
pub use witnesses::Witnesses;
