//! Which limits an order is held to, and whose.
//!
//! A lease that has ended takes away what the model had widened, never what it had tightened: then the tighter of the
//! officer's base and the record holds, limit by limit, under the record's tier. So it is with a record from the future,
//! and then the one before it counts as well, which it may have replaced too early.

use types::{InstrumentId, Tier, UnixNanos};

use crate::{
    case::InForce,
    decision::LimitsSource,
    fat_finger,
    ids::ClassId,
    limits::RiskLimits,
    record::{DynamicHot, Officer, StaticRecord},
    score::FixedScore,
    slot::SlotFault,
    table::{LimitReader, StaticReader},
};

/// Which limits hold for a class in an instrument, and whose; or why none do.
pub(crate) fn in_force(
    statics: &StaticReader,
    dynamics: Option<&LimitReader>,
    instrument: InstrumentId,
    class: ClassId,
    now: UnixNanos,
) -> Result<InForce, SlotFault> {
    let row = statics.row(instrument, class).ok_or(SlotFault::Empty)?;
    // Read before the officer's record: a narrower cap then holds from the moment its publication returns.
    let dynamic = dynamics.map(|table| table.read_hot(row));
    let officer = StaticRecord::unpack_officer(statics.read_row(row)?);
    let remembered = |record: &DynamicHot| record.lease.granted > officer.forget_before;
    let record = match dynamic {
        None => return Ok(base(&officer, LimitsSource::Static)),
        Some(Err(SlotFault::Empty)) => return Ok(base(&officer, LimitsSource::StaticEmpty)),
        Some(Err(SlotFault::Torn)) => return Err(SlotFault::Torn),
        Some(Ok(record)) if !remembered(&record) => return Ok(base(&officer, LimitsSource::StaticEmpty)),
        Some(Ok(record)) => record,
    };
    if record.lease.holds(now) {
        return Ok(live(&record, &officer));
    }
    let mut limits = blind(base(&officer, LimitsSource::StaticLease), &record);
    if record.lease.is_future(now) {
        let previous = dynamics.map_or(Ok(None), |table| table.read_previous(row))?;
        limits = previous.filter(remembered).map_or(limits, |previous| blind(limits, &previous));
    }
    Ok(limits)
}

/// The limits in force, for screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsInForce {
    /// The limits.
    pub limits: RiskLimits,
    /// Whose they are.
    pub source: LimitsSource,
    /// The instrument's tier as the gate has it.
    pub tier: Tier,
    /// The score behind it; 0 when no record counts.
    pub score: FixedScore,
    /// The version of the dynamic record; 0 when none counts.
    pub version: u32,
}

/// What a strategy class is held to in an instrument at `now`, and by whose word: exactly what a gate over the same tables
/// judges by. `None` when no limits can be read, and every order is refused.
#[must_use]
pub fn limits_in_force(
    statics: &StaticReader,
    dynamics: Option<&LimitReader>,
    instrument: InstrumentId,
    class: ClassId,
    now: UnixNanos,
) -> Option<LimitsInForce> {
    let InForce { bounds, source, tier, score, version, .. } =
        in_force(statics, dynamics, instrument, class, now).ok()?;
    Some(LimitsInForce { limits: bounds.to_limits(), source, tier, score, version })
}

/// Live dynamic limits inside the officer's hard bounds.
fn live(dynamic: &DynamicHot, officer: &Officer) -> InForce {
    let &DynamicHot { bounds, tier, score, version, .. } = dynamic;
    let &Officer { cap, lot, permission, .. } = officer;
    InForce {
        bounds: bounds.tighter(cap),
        officer_qty: cap.max_qty,
        lot,
        permission,
        source: LimitsSource::Dynamic,
        tier,
        score,
        version,
        fat_finger_qty: fat_finger::UNLIMITED,
    }
}

/// The officer's base.
fn base(officer: &Officer, source: LimitsSource) -> InForce {
    InForce {
        bounds: officer.base,
        officer_qty: officer.base.max_qty,
        lot: officer.lot,
        permission: officer.permission,
        source,
        ..InForce::NONE
    }
}

/// `limits`, and what a record that no longer holds had tightened.
fn blind(limits: InForce, record: &DynamicHot) -> InForce {
    let worse = record.tier as u8 >= limits.tier as u8;
    InForce {
        bounds: limits.bounds.tighter(record.bounds),
        tier: if worse { record.tier } else { limits.tier },
        score: if worse { record.score } else { limits.score },
        version: if worse { record.version } else { limits.version },
        ..limits
    }
}
