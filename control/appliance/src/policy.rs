//! From the configuration's policy to the scorer's: the same numbers in the words of `gpu`.

use anyhow::{Result, ensure};
use control::config::{Plan, TierPolicy, Uncalibrated};
use control::limits::LimitKey;
use gate::Ratio;
use gpu::{
    Band, BatchConfig, CriticalBand, FatFingerConfig, OverlayConfig, PolicyConfig, RatioText,
    ScorerStageConfig, SlippageConfig, TierConfig, WidenConfig,
};
use std::collections::BTreeMap;
use types::{FEATURES, MODEL_FEATURE_COUNT, Nanos};

const MICRO_NS: u64 = 1_000;
const MILLI_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// How many of the last scores the scorer looks back on.
const LOOK_BACK: u32 = 3;

/// No score for so long after a book becomes live: the activity windows look back ten seconds.
const WARMUP_NS: u64 = 10 * SECOND_NS;

/// The scorer's stage as `plan` has it. In a replay each grid point is a batch; live a vector waits for no other longer than
/// `plan` allows, and the next batch for none.
///
/// # Errors
/// A setting that the scorer cannot follow.
pub(crate) fn stage(plan: &Plan, live: bool) -> Result<ScorerStageConfig> {
    let batch = BatchConfig {
        row_count_max: plan.scorer.batch_rows as usize,
        wait_max: Nanos(u64::from(plan.scorer.batch_wait_us) * MICRO_NS),
        overlapped: true,
    };
    Ok(ScorerStageConfig {
        instrument_count_max: plan.book.instruments as usize,
        class_count: 1,
        batch: if live { batch } else { BatchConfig::WHOLE_GRID },
        policy: of(plan)?,
    })
}

/// The scorer's policy as `plan` has it.
///
/// # Errors
/// A setting that the scorer cannot follow.
pub(crate) fn of(plan: &Plan) -> Result<PolicyConfig> {
    let policy = &plan.policy;
    for (tier, of) in [("elevated", policy.elevated.enter_of), ("critical", policy.critical.enter_of)] {
        ensure!(
            of == LOOK_BACK,
            "policy.{tier}.enter_of is {of}, wanted {LOOK_BACK}: so many scores are looked back on"
        );
    }
    let critical = CriticalBand {
        enter: policy.critical.enter as f32,
        enter_count: count(policy.critical.enter_count),
        within_ns: u64::from(policy.critical.enter_within_ms) * MILLI_NS,
        witness_count: count(policy.critical.witnesses),
    };
    let tier = TierConfig {
        elevated: band(&policy.elevated),
        high: band(&policy.high),
        critical,
        ..TierConfig::default()
    };
    let overlay = OverlayConfig {
        elevated: ratios(&policy.elevated.overlay_pct),
        high: ratios(&policy.high.overlay_pct),
    };
    Ok(PolicyConfig {
        lease_ns: u64::from(plan.scorer.lease_ms) * MILLI_NS,
        tier,
        overlay,
        warmup_ns: WARMUP_NS,
        critical_after_ns: longest_window_ns(),
        uncalibrated: match policy.uncalibrated {
            Uncalibrated::Static => gpu::Uncalibrated::Static,
            Uncalibrated::Elevated => gpu::Uncalibrated::Elevated,
        },
        widen: widen(plan)?,
        slippage: SlippageConfig { limit_bps: plan.policy.slippage.limit_bps as f32 },
        fat_finger: FatFingerConfig { error_probability_max: plan.policy.fat_finger.error_probability_max },
        ..PolicyConfig::default()
    })
}

/// How far back the model's features look: a book that is younger trips no breaker by its score.
fn longest_window_ns() -> u64 {
    FEATURES[..MODEL_FEATURE_COUNT].iter().map(|feature| feature.window_ns).max().unwrap_or(0)
}

fn count(n: u32) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

fn band(tier: &TierPolicy) -> Band {
    Band {
        enter: tier.enter as f32,
        enter_count: count(tier.enter_count),
        leave: tier.leave as f32,
        dwell_ns: u64::from(tier.leave_after_ms) * MILLI_NS,
    }
}

fn ratios(percents: &BTreeMap<LimitKey, u32>) -> BTreeMap<String, RatioText> {
    let ratio = |percent: u32| RatioText(Ratio::new(percent, 100).unwrap_or(Ratio::ONE));
    percents.iter().map(|(key, percent)| (key.parameter().name().to_owned(), ratio(*percent))).collect()
}

/// Limits open in a long calm by one percentage for all of them, five percent a minute.
fn widen(plan: &Plan) -> Result<WidenConfig> {
    let off = WidenConfig::default();
    let normal = &plan.policy.normal;
    let Some(&percent) = normal.overlay_pct.values().next() else { return Ok(off) };
    let uniform = normal.overlay_pct.values().all(|p| *p == percent);
    let steps = percent.saturating_sub(100) / off.step_percent;
    ensure!(
        uniform && percent == 100 + steps * off.step_percent && (1..=10).contains(&steps),
        "policy.normal.overlay_pct: limits open together, by 105 to 150 percent in steps of 5; found {:?}",
        normal.overlay_pct
    );
    let calm_ns = u64::from(normal.calm_after_s) * SECOND_NS;
    Ok(WidenConfig { enabled: true, calm_ns, step_count_max: count(steps), ..off })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(set: &str) -> Plan {
        control::config::load(&[], &[set.to_owned()]).expect("a valid configuration")
    }

    #[test]
    fn the_default_configuration_is_the_scorers_default_policy() {
        let policy = of(&plan("schema=1")).unwrap();
        policy.check().unwrap();
        assert_eq!(policy.tier, TierConfig::default());
        assert_eq!(policy.lease_ns, 1_000_000_000);
        assert_eq!(policy.critical_after_ns, 60 * SECOND_NS);
        assert_eq!(policy.uncalibrated, gpu::Uncalibrated::Elevated);
        let asked = of(&plan("policy.uncalibrated=\"static\"")).unwrap();
        assert_eq!(asked.uncalibrated, gpu::Uncalibrated::Static);
        let high = &policy.overlay.high;
        assert_eq!(high["max_qty"], RatioText(Ratio::new(10, 100).unwrap()));
    }
}
