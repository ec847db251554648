//! A large order that does not look at what the market can bear: the flash crash, either way and in any instrument.

use types::Side;

use super::kind::{Blow, Kind};
use crate::market::{IcebergPlan, Profile};
use crate::options::ScenarioInfo;
use crate::simulation::Setup;

/// An iceberg seller.
pub(super) const DOWN_CRASH: Kind = Kind {
    info: ScenarioInfo {
        name: "down-crash",
        description: "crisis: an iceberg seller drains the book of --symbol within a minute; the flash crash in any instrument",
        length_s: 240,
    },
    symbol: "FUTX",
    lasts_s: 60,
    at_s: 13 * 3_600,
    plant: |setup, blow| plant(setup, blow, Side::Ask),
};

/// An iceberg buyer.
pub(super) const UP_CRASH: Kind = Kind {
    info: ScenarioInfo {
        name: "up-crash",
        description: "crisis: an iceberg buyer drains the offers of --symbol within a minute; nobody sells until the price is absurd",
        length_s: 240,
    },
    plant: |setup, blow| plant(setup, blow, Side::Bid),
    ..DOWN_CRASH
};

fn plant(setup: &mut Setup, blow: &Blow, side: Side) {
    let (profile, cast) = &mut setup.markets[0];
    cast.iceberg = Some(plan(profile, blow, side, 10_000.0));
}

/// An order like that of the flash crash, of so many lots of the index future.
pub(super) fn plan(profile: &Profile, blow: &Blow, side: Side, future_lots: f64) -> IcebergPlan {
    let whole = |lots: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let whole = lots.round().clamp(1.0, 10_000_000.0) as u32;
        whole
    };
    IcebergPlan {
        side,
        start_ns: blow.from_ns,
        total_lots: whole(blow.lots(profile, future_lots)),
        clip_lots: whole(blow.lots(profile, 100.0)),
        base_lots_per_s: blow.lots(profile, 140.0),
        participation: 0.45,
        max_lots_per_s: blow.lots(profile, 700.0),
    }
}
