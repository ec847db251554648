//! What the training has in common with every head's, and the check of the rest.

use crate::heads::fat_finger::FatFingerTrainConfig;
use crate::train::head::{HeadNames, HeadTrainError, HeadTrainSettings};

/// What users call the training.
const NAMES: HeadNames = HeadNames { training: "fat-finger training", rows: "orders" };

impl FatFingerTrainConfig {
    /// What every head's training has.
    pub(super) const fn settings(&self) -> HeadTrainSettings {
        HeadTrainSettings {
            head: NAMES,
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
            rows_min: self.orders_min,
        }
    }

    pub(super) fn check(&self) -> Result<(), HeadTrainError> {
        self.settings().check()?;
        if !(1e-9..=0.1).contains(&self.base_rate) {
            let (key, found) = ("base_rate", self.base_rate.to_string());
            let (head, wanted) = (NAMES, "a share between 1e-9 and 0.1");
            return Err(HeadTrainError::Config { head, key, found, wanted });
        }
        Ok(())
    }
}
