//! A decline that never hurries: news leaks, and somebody sells a little all the time.

use types::Side;

use super::iceberg::plan;
use super::kind::{Kind, cue};
use crate::market::{IcebergPlan, Intervention};
use crate::options::ScenarioInfo;

/// Basis points a minute that the value loses.
const BPS_PER_MIN: f64 = 12.0;

/// How much less in a hurry than a crash the seller is.
const PATIENCE: f64 = 0.15;

/// The kind.
pub(super) const SLOW_BLEED: Kind = Kind {
    info: ScenarioInfo {
        name: "slow-bleed",
        description: "crisis: --symbol loses 12 bps a minute for ten minutes while somebody sells a little all the time",
        length_s: 780,
    },
    symbol: "FUTX",
    lasts_s: 600,
    at_s: 13 * 3_600,
    plant: |setup, blow| {
        let (profile, cast) = &mut setup.markets[0];
        let hurried = plan(profile, blow, Side::Ask, 140.0 * PATIENCE * 600.0);
        let base_lots_per_s = hurried.base_lots_per_s * PATIENCE;
        cast.iceberg = Some(IcebergPlan {
            clip_lots: (hurried.clip_lots / 4).max(1),
            base_lots_per_s,
            participation: 0.0,
            max_lots_per_s: base_lots_per_s,
            ..hurried
        });
        cast.script = vec![
            cue(blow.from_ns, Intervention::Drift { bps_per_min: -BPS_PER_MIN * blow.size }),
            cue(blow.until_ns, Intervention::Drift { bps_per_min: 0.0 }),
        ];
    },
};
