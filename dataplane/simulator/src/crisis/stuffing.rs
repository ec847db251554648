//! Quote stuffing: thousands of orders a second at and behind the touch, none of them meant.

use super::kind::Kind;
use crate::market::StuffingPlan;
use crate::options::ScenarioInfo;

/// Messages a second.
const MESSAGES_PER_S: f64 = 3_000.0;

/// The kind.
pub(super) const STUFFING: Kind = Kind {
    info: ScenarioInfo {
        name: "quote-stuffing",
        description: "crisis: somebody floods the book of --symbol with 3,000 orders and cancels a second for half a minute",
        length_s: 210,
    },
    symbol: "FUTX",
    lasts_s: 30,
    at_s: 13 * 3_600,
    plant: |setup, blow| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most ten times")]
        let messages_per_s = (MESSAGES_PER_S * blow.size) as u32;
        let (from_ns, until_ns) = (blow.from_ns, blow.until_ns);
        setup.markets[0].1.stuffing = Some(StuffingPlan { from_ns, until_ns, messages_per_s });
    },
};
