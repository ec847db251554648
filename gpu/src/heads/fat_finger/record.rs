//! What the manifest says of a head's training.

use serde::{Deserialize, Serialize};

/// Settings of a training run; every one of them is kept in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FatFingerTrainConfig {
    /// Seed of all randomness, below 2^63 (TOML's integers).
    pub seed: u64,
    /// Assumed share of errors among the desk's orders, which the injected ones stand for.
    pub base_rate: f64,
    /// Most passes over the data.
    pub epoch_count_max: u32,
    /// Cases per step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it.
    pub gradient_norm_max: f64,
    /// Epochs without gain before the fit stops.
    pub patience: u32,
    /// Share of the orders, the latest, that no fit sees.
    pub holdout_share: f64,
    /// Share of the others, the latest, that decide when to stop and that the probabilities are calibrated on.
    pub calibration_share: f64,
    /// Orders this close after the split belong to neither side: the windows of their features look back into the other.
    pub embargo_ns: u64,
    /// Feature rows this soon after a symbol's first of a day are left out.
    pub warmup_ns: u64,
    /// Orders whose last feature row is older than this are left out.
    pub market_age_max_ns: u64,
    /// Orders without which nothing is trained.
    pub orders_min: usize,
    /// Orders from which a symbol gets an offset of its own.
    pub symbol_orders_min: usize,
}

impl Default for FatFingerTrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            base_rate: 1e-4,
            epoch_count_max: 40,
            batch_size: 512,
            learning_rate: 3e-3,
            weight_decay: 1e-4,
            gradient_norm_max: 5.0,
            patience: 8,
            holdout_share: 0.25,
            calibration_share: 0.2,
            embargo_ns: 60_000_000_000,
            warmup_ns: 10_000_000_000,
            market_age_max_ns: 10_000_000_000,
            orders_min: 1_000,
            symbol_orders_min: 50,
        }
    }
}

/// What came out, kept in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerReport {
    /// Orders given.
    pub orders_read: u64,
    /// Orders with a market in both captures whose inputs can be scored.
    pub orders_joined: u64,
    /// Orders fitted to.
    pub orders_fitted: u64,
    /// Errors injected into the orders fitted to.
    pub errors_fitted: u64,
    /// Epochs of the kept weights.
    pub epochs: u32,
    /// Best mean logistic loss on the calibration part.
    pub validation_loss: f64,
    /// What the calibration multiplied the log-odds by, and then added.
    pub scaling: [f64; 2],
    /// On orders that no fit saw.
    pub holdout: FatFingerHoldout,
}

/// The head and the baseline on orders that no fit saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerHoldout {
    /// Orders.
    pub orders: u64,
    /// The same orders with an error in them.
    pub errors: u64,
    /// Area under the precision-recall curve, orders and errors weighing the same in all.
    pub pr_auc: f64,
    /// The same for the quantity alone.
    pub pr_auc_cap: f64,
    /// Expected calibration error among orders and errors as injected: mean distance of the probability from the share of
    /// errors, over ten bins of equal width.
    pub ece: f64,
    /// At each rate of false alarms that there are orders enough for.
    pub rates: Vec<FatFingerRate>,
    /// By kind of error.
    pub strata: Vec<FatFingerStratum>,
}

/// The head and a static size cap at one rate of false alarms. Both thresholds are chosen on the orders fitted to and
/// calibrated on, the rest is on the holdout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerRate {
    /// Largest share of the orders that may be taken for errors when the thresholds are chosen.
    pub rate: f64,
    /// The head's threshold as a probability, under the assumed base rate.
    pub theta: f64,
    /// The cap: a larger quantity is taken for an error.
    pub cap_qty: u32,
    /// Share of the holdout's orders that the head takes for errors.
    pub false_alarms: f64,
    /// The same of the cap.
    pub false_alarms_cap: f64,
    /// Share of all errors found by the head.
    pub recall: f64,
    /// The same of the cap.
    pub recall_cap: f64,
}

/// One kind of error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerStratum {
    /// Its name.
    pub error: String,
    /// Errors of this kind.
    pub count: u64,
    /// Share found by the head at each rate.
    pub recall: Vec<f64>,
    /// The same of the cap.
    pub recall_cap: Vec<f64>,
}

/// Where a head comes from: facts of its training, kept in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerRecord {
    /// First order fitted to, ns since 1970.
    pub first_ts_ns: u64,
    /// Last order fitted to or calibrated on, ns since 1970.
    pub last_ts_ns: u64,
    /// Settings.
    pub config: FatFingerTrainConfig,
    /// Results.
    pub report: FatFingerReport,
}
