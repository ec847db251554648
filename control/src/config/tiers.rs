//! Checks of `[policy]`: thresholds in order, overlays that tighten from tier to tier.

use super::check::{Checker, way};
use super::schema_policy;
use crate::limits::LimitKey;
use gate::{Overlay, Ratio, TierOverlay};

/// How many of the last scores the scorer looks back on.
const LOOK_BACK: u32 = 3;

impl Checker<'_> {
    pub(super) fn policy(&mut self, policy: &schema_policy::Policy) -> Option<Overlay> {
        let (elevated, high, critical) = (&policy.elevated, &policy.high, &policy.critical);
        let enters = [
            ("policy.elevated", elevated.enter, elevated.enter_count, elevated.enter_of),
            ("policy.high", high.enter, high.enter_count, high.enter_of),
            ("policy.critical", critical.enter, critical.enter_count, critical.enter_of),
        ];
        let mut below = 0.0;
        for (section, enter, count, of) in enters {
            if enter <= below || enter > 1.0 {
                let wanted = format!("a score above {below} (the tier below) and at most 1");
                self.refuse(&way(&format!("{section}.enter")), enter, wanted);
            }
            below = enter;
            if of != LOOK_BACK && (count, of) != (1, 1) {
                let wanted =
                    format!("{LOOK_BACK} (so many scores are looked back on), or 1 with enter_count 1");
                self.refuse(&way(&format!("{section}.enter_of")), of, wanted);
            }
            self.range(&format!("{section}.enter_count"), count, 1, of.clamp(1, LOOK_BACK));
        }
        let mut below = 0.0;
        for (section, tier) in [("policy.elevated", elevated), ("policy.high", high)] {
            if !(tier.leave > below && tier.leave < tier.enter) {
                let wanted = format!("a score above {below} and under enter ({})", tier.enter);
                self.refuse(&way(&format!("{section}.leave")), tier.leave, wanted);
            }
            below = tier.leave;
            self.range(&format!("{section}.leave_after_ms"), tier.leave_after_ms, 1_000, 3_600_000);
        }
        self.range("policy.normal.calm_after_s", policy.normal.calm_after_s, 10, 86_400);
        self.widening(&policy.normal.overlay_pct);
        self.range("policy.critical.enter_within_ms", critical.enter_within_ms, 100, 60_000);
        self.range("policy.critical.witnesses", critical.witnesses, 1, 16);
        self.range("policy.slippage.limit_bps", policy.slippage.limit_bps, 0, 10_000);
        let reference = &policy.reference;
        self.range("policy.reference.mid_spread_max_bps", reference.mid_spread_max_bps, 1, 10_000);
        self.range("policy.reference.last_age_max_s", reference.last_age_max_s, 1, 86_400);
        self.range("policy.reference.period_s", reference.period_s, 1, 3_600);
        self.range("policy.reference.period_collar_bps", reference.period_collar_bps, 0, 10_000);
        let probability = policy.fat_finger.error_probability_max;
        if !(0.0..1.0).contains(&probability) {
            let wanted = "0 (off) or a number below 1".to_owned();
            self.refuse(&way("policy.fat_finger.error_probability_max"), probability, wanted);
        }
        self.overlay(policy)
    }

    /// The scorer opens all limits together, a step at a time.
    fn widening(&mut self, percents: &schema_policy::OverlayPct) {
        let first = percents.values().next().copied().unwrap_or(105);
        for (key, percent) in percents {
            if *percent != first || !(105..=150).contains(percent) || !percent.is_multiple_of(5) {
                let wanted = "the same for every limit named: 105 to 150 percent, in steps of 5";
                self.refuse(
                    &way(&format!("policy.normal.overlay_pct.{key}")),
                    format!("{percent} percent"),
                    wanted,
                );
            }
        }
    }

    fn overlay(&mut self, policy: &schema_policy::Policy) -> Option<Overlay> {
        let rows = [
            ("policy.normal.overlay_pct", &policy.normal.overlay_pct),
            ("policy.elevated.overlay_pct", &policy.elevated.overlay_pct),
            ("policy.high.overlay_pct", &policy.high.overlay_pct),
        ];
        let mut overlays = [TierOverlay::BASE; 3];
        for (overlay, (section, percents)) in overlays.iter_mut().zip(rows) {
            for (key, percent) in percents {
                self.range(&format!("{section}.{key}"), *percent, 1, 10_000);
                if let Some(ratio) = ratio_of_percent(*percent) {
                    *overlay = overlay.with(key.parameter(), ratio);
                }
            }
        }
        match Overlay::new(overlays[0], overlays[1], overlays[2]) {
            Ok(overlay) => Some(overlay),
            Err(error) => {
                let key = LimitKey::ALL.into_iter().find(|k| k.parameter() == error.parameter);
                let key = key.map_or("", LimitKey::as_str);
                let percent = |p: &schema_policy::OverlayPct| {
                    p.iter().find(|(k, _)| k.as_str() == key).map_or(100, |(_, v)| *v)
                };
                let tier = error.tier as usize;
                let path = way(&format!("{}.{key}", rows[tier.min(2)].0));
                let wanted = format!(
                    "at least as tight as the tier below, which has {} percent",
                    percent(rows[tier.min(2) - 1].1)
                );
                self.refuse(&path, format!("{} percent", percent(rows[tier.min(2)].1)), wanted);
                None
            }
        }
    }
}

/// Percent as the gate's fraction, in lowest terms, so that 50 and the gate's own 1/2 are the same.
fn ratio_of_percent(percent: u32) -> Option<Ratio> {
    let (mut a, mut b) = (percent, 100);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Ratio::new(percent / a, 100 / a)
}
