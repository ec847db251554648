//! The way from a score to a limit: tiers, overlays, bounds, and the stage that takes it. It knows no training.

mod bounds;
mod config;
mod limits;
mod stage;
mod tier;

pub use config::{
    OverlayConfig, PolicyConfig, PolicyConfigError, RatioText, SlippageConfig, SurfaceConfig, WidenConfig,
    WitnessConfig,
};
pub use limits::{LimitSink, LimitUpdate, SurfaceUpdate, Witnesses};
pub use stage::{BatchConfig, PolledScorer, ScoreObserver, ScoreRecord, ScorerStage, ScorerStageConfig};
pub use tier::{Band, CriticalBand, TierCause, TierChange, TierConfig, TierConfigError};
