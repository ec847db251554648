//! What is published: limits and sizes ready for the gate's tables, and where they go.

use gate::{ClassId, Effective, FatFingerLimits, FixedScore, LimitCause, LimitWriter, Terms, UnknownRow};
use types::{InstrumentId, Nanos, Tier, UnixNanos};

use crate::model::TOP_COUNT;

/// One limit, ready for the gate's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitUpdate {
    /// Grid point it follows from, in event time.
    pub ts: UnixNanos,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Strategy class.
    pub class: ClassId,
    /// The limits; of a revocation, the tighter of the officer's base and what was published last, which holds from now on.
    pub limits: Effective,
    /// The tier of the instrument.
    pub tier: Tier,
    /// Its last calibrated score.
    pub score: FixedScore,
    /// For how long the limits hold; 0 revokes what was published before, so that the static set holds.
    pub lease: Nanos,
    /// Why; [`LimitCause::Revoke`] when the lease is zero.
    pub cause: LimitCause,
    /// The scorer's running number.
    pub version: u32,
    /// The features behind the last score.
    pub top3: [u8; TOP_COUNT],
    /// The instrument has just entered Critical: its breaker is to be tripped before anything else is done with this.
    pub trip: bool,
}

impl LimitUpdate {
    /// The word for `limits.csv`.
    #[must_use]
    pub const fn cause_str(&self) -> &'static str {
        self.cause.as_str()
    }

    /// What the gate stores beside the limits.
    #[inline]
    #[must_use]
    pub const fn terms(&self) -> Terms {
        Terms {
            tier: self.tier,
            score: self.score,
            lease: self.lease,
            version: self.version,
            cause: self.cause,
        }
    }

    /// Writes the limits into the gate's table, to hold from `now` on. A revocation is a record whose lease has ended.
    /// The breaker is not the table's: whoever calls this acts on [`LimitUpdate::trip`] first.
    ///
    /// # Errors
    /// A row that the table does not have.
    #[inline]
    pub fn publish(&self, writer: &mut LimitWriter, now: UnixNanos) -> Result<(), UnknownRow> {
        writer.publish(self.instrument, self.class, &self.limits, &self.terms(), now)
    }
}

/// The largest orders of one instrument by price distance, ready for the gate's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FatFingerUpdate {
    /// Grid point it follows from, in event time.
    pub ts: UnixNanos,
    /// Instrument.
    pub instrument: InstrumentId,
    /// The sizes, never rising.
    pub sizes: FatFingerLimits,
    /// For how long they hold.
    pub lease: Nanos,
    /// The scorer's running number.
    pub version: u32,
}

/// Where updates go: live into the gate's table at once, in a replay into a queue that charges the latency.
pub trait LimitSink {
    /// Takes one update at time `now`.
    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos);

    /// Takes the sizes by price distance of an instrument, where they are asked for.
    fn fat_finger(&mut self, _update: &FatFingerUpdate, _now: UnixNanos) {}

    /// Everything that follows from grid point `ts` has been handed over.
    fn end_of_grid(&mut self, _ts: UnixNanos, _now: UnixNanos) {}
}

impl<F: FnMut(&LimitUpdate, UnixNanos)> LimitSink for F {
    fn limit(&mut self, update: &LimitUpdate, now: UnixNanos) {
        self(update, now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Row;
    use super::super::rows::tests::{BASE, envelope};
    use super::*;
    use gate::{Envelope, LimitTable, Overlay, RiskLimits, SlotFault};
    use types::Qty;

    fn update(limits: Effective, cause: LimitCause) -> LimitUpdate {
        LimitUpdate {
            ts: UnixNanos(5),
            instrument: InstrumentId(0),
            class: ClassId(0),
            limits,
            tier: Tier::High,
            score: FixedScore::from_micros(350_000).unwrap(),
            lease: if cause == LimitCause::Revoke { Nanos(0) } else { Nanos::SECOND },
            cause,
            version: 3,
            top3: [0, 1, 2],
            trip: false,
        }
    }

    #[test]
    fn updates_reach_the_gates_table_and_a_revocation_ends_them() {
        let (mut writer, reader) = LimitTable::create(1, 1).unwrap();
        let update = update(envelope().clamp(&BASE), LimitCause::Tighten);
        let read = || reader.read(InstrumentId(0), ClassId(0));
        assert_eq!(read(), Err(gate::ReadFault::Slot(SlotFault::Empty)));
        update.publish(&mut writer, UnixNanos(10)).unwrap();
        let record = read().unwrap();
        assert!(record.lease.holds(UnixNanos(11)));
        assert_eq!((record.tier, record.version, record.limits), (Tier::High, 3, BASE));
        let revocation = LimitUpdate { lease: Nanos(0), cause: LimitCause::Revoke, ..update };
        assert!(revocation.lease == Nanos(0) && revocation.cause_str() == "revoke");
        revocation.publish(&mut writer, UnixNanos(20)).unwrap();
        let record = read().unwrap();
        assert!(!record.lease.holds(UnixNanos(20)) && record.cause == LimitCause::Revoke);
    }

    /// What limits.csv shows of a revocation is this update, and the gate has its own memory of what was tightened.
    #[test]
    fn a_revocation_says_what_the_gate_holds() {
        let (mut writer, reader) = LimitTable::create(1, 1).unwrap();
        let mut row = Row::new(&envelope());
        let base = |qty| RiskLimits { max_qty: Qty(qty), ..BASE };
        let looser = Envelope::new(*envelope().floor(), base(600), base(600)).unwrap();
        let cases = [
            (Tier::Normal, None, None, 500),
            (Tier::Normal, Some(Qty(120)), None, 120),
            (Tier::High, None, None, 50),
            // The officer opens the base, and the model has not published since.
            (Tier::Normal, None, Some(looser), 500),
        ];
        for (moment, (tier, bound, changed, held)) in (1..).zip(cases) {
            let (limits, cause) = row.publish(&Overlay::DEFAULT, tier, 0, bound);
            update(limits, cause).publish(&mut writer, UnixNanos(moment * 10)).unwrap();
            if let Some(envelope) = changed {
                row.set_envelope(&envelope);
            }
            let revocation = update(row.revoke(), LimitCause::Revoke);
            revocation.publish(&mut writer, UnixNanos(moment * 10 + 1)).unwrap();
            let in_the_gate = reader.read(InstrumentId(0), ClassId(0)).unwrap().limits;
            assert_eq!(
                (revocation.limits.limits().max_qty.0, in_the_gate.max_qty.0),
                (held, held),
                "{tier:?}"
            );
            assert_eq!(*revocation.limits.limits(), in_the_gate);
        }
    }
}
