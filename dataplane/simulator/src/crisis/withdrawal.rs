//! Liquidity that goes without anybody selling: the makers lose their nerve, one reason after the other, and the ordinary flow
//! meets an empty book.

use super::kind::{Kind, cue};
use crate::market::Intervention;
use crate::options::ScenarioInfo;

/// Seconds after the beginning, and how afraid the makers are from then on.
const STEPS: [(u64, f64); 4] = [(0, 0.35), (5, 0.6), (10, 0.8), (20, 0.93)];

/// Most fear that is planted: some quote always stands.
const FEAR_MAX: f64 = 0.98;

/// The kind.
pub(super) const WITHDRAWAL: Kind = Kind {
    info: ScenarioInfo {
        name: "liquidity-withdrawal",
        description: "crisis: the makers of --symbol withdraw within twenty seconds and stay away for ninety, and nobody sells",
        length_s: 270,
    },
    symbol: "FUTX",
    lasts_s: 90,
    at_s: 13 * 3_600,
    plant: |setup, blow| {
        let step = |(after_s, fear): (u64, f64)| {
            cue(blow.after_s(after_s), Intervention::Withdraw { fear: (fear * blow.size).min(FEAR_MAX) })
        };
        let mut script: Vec<_> = STEPS.map(step).to_vec();
        script.push(cue(blow.until_ns, Intervention::Withdraw { fear: 0.0 }));
        setup.markets[0].1.script = script;
    },
};
