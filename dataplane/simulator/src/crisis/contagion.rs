//! Cross-asset contagion: another instrument crashes, and within a second value and fear reach the struck one.

use types::Side;

use super::iceberg::plan;
use super::kind::Kind;
use crate::options::ScenarioInfo;
use crate::simulation::Contagion;

/// Share of the move and of the makers' fear that reaches the others.
const BETA: f64 = 0.8;

/// Which market crashes: the first beside the struck one.
const LEADER: usize = 1;

/// The kind.
pub(super) const CONTAGION: Kind = Kind {
    info: ScenarioInfo {
        name: "contagion",
        description: "crisis: FUTX (ALFA where --symbol is FUTX) is sold off, and --symbol and the others follow within a second",
        length_s: 240,
    },
    symbol: "ALFA",
    lasts_s: 60,
    at_s: 13 * 3_600,
    plant: |setup, blow| {
        let (profile, cast) = &mut setup.markets[LEADER];
        cast.iceberg = Some(plan(profile, blow, Side::Ask, 10_000.0));
        let (from_ns, until_ns) = (blow.from_ns, blow.until_ns);
        setup.contagion = Some(Contagion { leader: LEADER, from_ns, until_ns, beta: BETA });
    },
};
