//! A fall that ends in a volatility pause, and a reopening at another price: limit up, limit down.

use types::Side;

use super::iceberg::plan;
use super::kind::{Kind, cue};
use crate::market::Intervention;
use crate::options::ScenarioInfo;

/// Seconds from the beginning to the pause, and how long it is. The rule's five minutes are a minute here.
const PAUSE_AFTER_S: u64 = 40;
const PAUSE_S: u64 = 60;

/// What is learned during the pause, basis points.
const NEWS_BPS: f64 = -60.0;

/// Seconds between two indications of the reopening auction.
const INDICATION_S: u64 = 10;

/// The kind.
pub(super) const HALT_REOPEN: Kind = Kind {
    info: ScenarioInfo {
        name: "halt-reopen",
        description: "crisis: --symbol is sold off, paused for a minute (LUDP), and reopens with an auction at another price",
        length_s: 330,
    },
    symbol: "FUTX",
    lasts_s: PAUSE_AFTER_S + PAUSE_S,
    at_s: 13 * 3_600,
    plant: |setup, blow| {
        let (profile, cast) = &mut setup.markets[0];
        cast.iceberg = Some(plan(profile, blow, Side::Ask, 8_000.0));
        let paused = blow.after_s(PAUSE_AFTER_S);
        let (lots, indicated) = (auction(blow.lots(profile, 1_500.0)), auction(blow.lots(profile, 300.0)));
        cast.script = vec![
            cue(paused, Intervention::Pause { for_s: PAUSE_S }),
            cue(paused + 1, Intervention::News { jump_bps: NEWS_BPS * blow.size }),
        ];
        for number in 1..PAUSE_S / INDICATION_S {
            let what = Intervention::Indicative { paired: indicated, imbalance: indicated / 3 };
            cast.script.push(cue(blow.after_s(PAUSE_AFTER_S + number * INDICATION_S), what));
        }
        cast.script.push(cue(blow.until_ns, Intervention::Reopen { lots }));
        cast.script.push(cue(blow.until_ns, Intervention::Rush { factor: 3.0, memory_s: 15.0 }));
    },
};

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn auction(lots: f64) -> u32 {
    lots.round().clamp(1.0, 1_000_000.0) as u32
}
