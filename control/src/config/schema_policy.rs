//! `[policy]`: what the model's score does to limits, as written.

use crate::limits::LimitKey;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a tier does to each base limit, in percent; limits not named stay as they are.
pub type OverlayPct = BTreeMap<LimitKey, u32>;

/// `[policy.normal]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormalPolicy {
    /// Seconds of Normal before `overlay_pct` holds instead of the base.
    pub calm_after_s: u32,
    /// What a long calm does to the base limits.
    pub overlay_pct: OverlayPct,
}

/// `[policy.elevated]` and `[policy.high]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierPolicy {
    /// Score at which the tier is entered.
    pub enter: f64,
    /// How many of the last `enter_of` scores must reach it.
    pub enter_count: u32,
    /// How many scores are looked back on.
    pub enter_of: u32,
    /// Score under which the tier is left.
    pub leave: f64,
    /// How long every score must stay under `leave`, in milliseconds.
    pub leave_after_ms: u32,
    /// What the tier does to the base limits.
    pub overlay_pct: OverlayPct,
}

/// `[policy.critical]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriticalPolicy {
    /// Score at which the tier is entered.
    pub enter: f64,
    /// How many of the last `enter_of` scores must reach it.
    pub enter_count: u32,
    /// How many scores are looked back on.
    pub enter_of: u32,
    /// Within how many milliseconds they must lie.
    pub enter_within_ms: u32,
    /// With how many agreeing non-model witnesses one score is enough.
    pub witnesses: u32,
}

/// What holds for an instrument that the model has no profile of, while nothing speaks of more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncalibrated {
    /// The base limits.
    Static,
    /// The limits of Elevated.
    Elevated,
}

/// `[policy]`: what the model's score does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Instruments that the model does not know.
    pub uncalibrated: Uncalibrated,
    /// The calm.
    pub normal: NormalPolicy,
    /// The first step.
    pub elevated: TierPolicy,
    /// The second.
    pub high: TierPolicy,
    /// The last, left by a person alone.
    pub critical: CriticalPolicy,
    /// Order sizes by their slippage.
    pub slippage: SlippagePolicy,
    /// Order sizes by how likely they are meant.
    pub fat_finger: FatFingerPolicy,
    /// Prices by what the market says.
    pub reference: ReferencePolicy,
}

/// `[policy.reference]`: which price orders are judged by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencePolicy {
    /// Widest spread whose mid is a reference price, in basis points of the mid.
    pub mid_spread_max_bps: u32,
    /// Oldest last trade that is one where there is no such mid, in seconds.
    pub last_age_max_s: u32,
    /// The period of the collar over a period, in seconds.
    pub period_s: u32,
    /// How much worse than the period's mean reference price an order may be, in basis points; 0 lets any be.
    pub period_collar_bps: u32,
}

/// `[policy.fat_finger]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FatFingerPolicy {
    /// Orders that are errors with a higher probability than this are too large; 0 lets any size pass.
    pub error_probability_max: f64,
}

impl FatFingerPolicy {
    /// Whether the model says sizes by price distance.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.error_probability_max > 0.0
    }
}

/// `[policy.slippage]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlippagePolicy {
    /// Orders whose slippage is predicted to be more than this are too large; 0 lets any size pass.
    pub limit_bps: u32,
}

impl SlippagePolicy {
    /// Whether the model bounds sizes by their slippage, for which it needs the walks of the books.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.limit_bps > 0
    }
}
