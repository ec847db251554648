//! What the training has in common with every head's.

use crate::heads::slippage::SlippageTrainConfig;
use crate::train::head::{HeadNames, HeadTrainSettings};

impl SlippageTrainConfig {
    /// What every head's training has.
    pub(super) const fn settings(&self) -> HeadTrainSettings {
        HeadTrainSettings {
            head: HeadNames { training: "slippage training", rows: "decisions" },
            seed: self.seed,
            epoch_count_max: self.epoch_count_max,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            gradient_norm_max: self.gradient_norm_max,
            patience: self.patience,
            holdout_share: self.holdout_share,
            calibration_share: self.calibration_share,
            embargo_ns: self.embargo_ns,
            rows_min: self.rows_min,
        }
    }
}
