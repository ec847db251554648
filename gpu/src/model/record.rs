//! Where a model comes from: the settings and results of its training, as the manifest keeps them.

use serde::{Deserialize, Serialize};
use types::{Symbol, UnixNanos};

use crate::inputs::FeatureRow;

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecord {
    /// First grid point fitted to, ns since 1970.
    pub first_ts_ns: u64,
    /// Last grid point fitted to, ns since 1970.
    pub last_ts_ns: u64,
    /// Symbols fitted to, sorted.
    pub symbols: Vec<String>,
    /// What the network was fitted on; the manifest names what is not the CPU.
    #[serde(default, skip_serializing_if = "FittedOn::is_cpu")]
    pub fitted_on: FittedOn,
    /// Settings.
    pub config: TrainConfig,
    /// Results.
    pub report: TrainReport,
}

impl TrainingRecord {
    /// The record of a fit to `rows`, which are in time order.
    pub(crate) fn of(
        rows: &[FeatureRow],
        fitted_on: FittedOn,
        config: TrainConfig,
        report: TrainReport,
    ) -> Self {
        let mut symbols: Vec<Symbol> = rows.iter().map(|row| row.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let ts = |row: Option<&FeatureRow>| row.map_or(UnixNanos(0), |row| row.ts).0;
        Self {
            first_ts_ns: ts(rows.first()),
            last_ts_ns: ts(rows.last()),
            symbols: symbols.iter().map(|s| s.as_str().to_owned()).collect(),
            fitted_on,
            config,
            report,
        }
    }
}

/// Settings of a training run; every one of them is kept in the model's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Seed of all randomness, below 2^63 (TOML's integers).
    pub seed: u64,
    /// Most passes over the data, in each of the two fits.
    pub epoch_count_max: u32,
    /// Rows per step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it.
    pub gradient_norm_max: f64,
    /// Weight of the divergence, reached after the first quarter of the epochs.
    pub beta: f64,
    /// Epochs without gain before a fit stops.
    pub patience: u32,
    /// Share of the fitting rows with the highest scores that the second fit leaves out: "calm" data never is
    /// entirely.
    pub trim_share: f64,
    /// Share of the rows, the latest, that no fit sees.
    pub holdout_share: f64,
    /// Rows this close after the split belong to neither side: their windows look back into the fitting rows.
    pub embargo_ns: u64,
    /// Rows this soon after a symbol's first of a session are left out: its windows fill, and limits are static then.
    pub warmup_ns: u64,
    /// Rows without which nothing is trained.
    pub rows_min: usize,
    /// Rows from which a symbol gets a profile of its own.
    pub profile_rows_min: usize,
    /// Calibration.
    pub calibration: CalibrationConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            epoch_count_max: 40,
            batch_size: 256,
            learning_rate: 5e-3,
            weight_decay: 1e-4,
            gradient_norm_max: 5.0,
            beta: 0.1,
            patience: 6,
            trim_share: 0.005,
            holdout_share: 0.2,
            embargo_ns: 60_000_000_000,
            warmup_ns: 10_000_000_000,
            rows_min: 2_000,
            profile_rows_min: 2_000,
            calibration: CalibrationConfig::default(),
        }
    }
}

/// What a network is fitted on, as the manifest says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FittedOn {
    /// This machine's processors.
    #[default]
    Cpu,
    /// A card: the sums of its layers have another order, so the same seed gives other bits than on the CPU.
    Cuda,
}

impl FittedOn {
    pub(crate) fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }
}

/// What came out, kept in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainReport {
    /// Rows given.
    pub rows_given: u64,
    /// Rows fitted to, including those that decided when to stop.
    pub rows_fitted: u64,
    /// Rows the second fit left out.
    pub rows_trimmed: u64,
    /// Epochs of the first fit.
    pub epochs_first: u32,
    /// Epochs of the second.
    pub epochs_refit: u32,
    /// Best validation loss of the second fit, nats per row.
    pub validation_loss: f64,
    /// Latent units in use.
    pub active_units: u32,
    /// On rows that no fit saw.
    pub holdout: HoldoutReport,
}

/// The model on the holdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldoutReport {
    /// Rows.
    pub rows: u64,
    /// Mean squared reconstruction error per valid feature, in normalised units.
    pub mse_vae: f64,
    /// The same of the linear baseline with as many components.
    pub mse_pca: f64,
    /// Share of rows with a p-value of 1 % and less; a calibrated model on calm data has 0.01.
    pub share_p_01: f64,
    /// Share of rows with a p-value of 0.1 % and less.
    pub share_p_001: f64,
    /// Scores of 0.05 and more: what could raise Elevated.
    pub elevated: u64,
    /// Scores of 0.30 and more.
    pub high: u64,
    /// Scores of 0.80 and more.
    pub critical: u64,
}

impl HoldoutReport {
    /// Why the model is not worth having, if so: as many principal components rebuild calm markets better. Without a holdout
    /// there is nothing to say.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let is_beaten = self.rows > 0 && self.mse_vae > self.mse_pca;
        is_beaten.then(|| {
            format!(
                "the linear baseline rebuilds the {} holdout rows better: squared error {:.4}, the model's {:.4}",
                self.rows, self.mse_pca, self.mse_vae
            )
        })
    }
}

/// Settings of a calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationConfig {
    /// Rows without which no calibration is made at all (SPOT's initial batch).
    pub rows_min: usize,
    /// Rows from which a symbol gets its own.
    pub symbol_rows_min: usize,
    /// Exceedances closer than this belong to one cluster, of which the maximum counts (runs method).
    pub decluster_gap_ns: u64,
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self { rows_min: 1_000, symbol_rows_min: 20_000, decluster_gap_ns: 5_000_000_000 }
    }
}
