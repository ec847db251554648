//! What the manifest says of a head's training.

use serde::{Deserialize, Serialize};

/// Settings of a training run; every one of them is kept in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlippageTrainConfig {
    /// Seed of all randomness, below 2^63 (TOML's integers).
    pub seed: u64,
    /// Most passes over the data.
    pub epoch_count_max: u32,
    /// Rows per step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it.
    pub gradient_norm_max: f64,
    /// Epochs without gain before the fit stops.
    pub patience: u32,
    /// Share of the decisions, the latest, that no fit sees.
    pub holdout_share: f64,
    /// Share of the others, the latest, that decide when to stop and what factor brings the coverage right.
    pub calibration_share: f64,
    /// Decisions this close after the split belong to neither side: their windows look back into the other.
    pub embargo_ns: u64,
    /// Decisions this soon after a symbol's first of a session are left out.
    pub warmup_ns: u64,
    /// Decisions without which nothing is trained.
    pub rows_min: usize,
    /// Decisions from which a symbol gets a scale of its own.
    pub scale_rows_min: usize,
}

impl Default for SlippageTrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            epoch_count_max: 30,
            batch_size: 512,
            learning_rate: 3e-3,
            weight_decay: 1e-4,
            gradient_norm_max: 5.0,
            patience: 5,
            holdout_share: 0.2,
            calibration_share: 0.15,
            embargo_ns: 60_000_000_000,
            warmup_ns: 10_000_000_000,
            rows_min: 5_000,
            scale_rows_min: 1_000,
        }
    }
}

/// What came out, kept in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlippageReport {
    /// Decisions in both captures, with known costs and inputs that can be scored.
    pub rows_joined: u64,
    /// Decisions fitted to.
    pub rows_fitted: u64,
    /// Epochs of the kept weights.
    pub epochs: u32,
    /// Best mean pinball loss on the calibration part, in bps.
    pub validation_loss: f64,
    /// What the calibration multiplied every drift by.
    pub factor: f64,
    /// On decisions that no fit saw.
    pub holdout: SlippageHoldout,
}

/// The head on decisions that no fit saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlippageHoldout {
    /// Decisions.
    pub rows: u64,
    /// Costs compared: of both sides and every size that the symbol's book holds, usually and at the decision, where each baseline has a prediction.
    pub compared: u64,
    /// Mean pinball loss of the head, in bps.
    pub pinball_head: f64,
    /// The same of volatility times the square root of size (baseline A).
    pub pinball_square_root: f64,
    /// The same of the present book's walk (baseline C).
    pub pinball_walk: f64,
    /// Share of costs at or below the predicted quantile; a size that the book did not hold counts as above it.
    pub coverage: f64,
    /// The same by size, smallest first, up to the largest that some symbol's book usually holds.
    pub coverage_by_size: Vec<f64>,
    /// Mean slope of ln(predicted cost) over ln(size), the walk included.
    pub slope: f64,
}

impl SlippageHoldout {
    /// How far the head's loss is below the better baseline's, as a share; below zero when it is above.
    #[must_use]
    pub fn improvement(&self) -> f64 {
        1.0 - self.pinball_head / self.pinball_square_root.min(self.pinball_walk)
    }
}

/// Where a head comes from: facts of its training, kept in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlippageRecord {
    /// First decision fitted to, ns since 1970.
    pub first_ts_ns: u64,
    /// Last decision fitted to or calibrated on, ns since 1970.
    pub last_ts_ns: u64,
    /// Settings.
    pub config: SlippageTrainConfig,
    /// Results.
    pub report: SlippageReport,
}
