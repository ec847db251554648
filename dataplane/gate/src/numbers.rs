//! The limit and the value that a verdict names. Cold: only a refused order pays for the divisions here.

use types::UnixNanos;

use crate::{
    assess::Assessment, gate::Gate, intent::OrderIntent, rate, reason::RejectReason, reference::PX_MAX,
    verdict::Breach,
};

impl Gate {
    /// What `order` made of the limit behind `reason`.
    #[cold]
    pub(crate) fn breach(
        &self,
        reason: RejectReason,
        order: &OrderIntent,
        a: &Assessment,
        now: UnixNanos,
    ) -> Breach {
        use RejectReason as R;
        let qty = i64::from(order.qty.0);
        let (limit, value) = match reason {
            R::HaltUnreadable | R::HaltedFirm | R::BadField | R::MktStateUnknown => (0, 0),
            R::HaltedAccount => (0, order.account.0.into()),
            R::HaltedStrategy => (0, order.strategy.0.into()),
            R::HaltedInstrument | R::NotPermitted | R::Restricted => (0, order.instrument.0.into()),
            R::TierCritical => (0, i64::from(a.limits.score.micros())),
            R::ReduceOnly => (i64::from(a.growth).saturating_sub(a.facts.worst).max(0), a.growth.into()),
            R::ClockBad => (clip(self.clock.0), clip(now.0)),
            R::UnknownInstrument => (clip(self.instruments as u64), order.instrument.0.into()),
            R::UnknownStrategy => (clip(self.strategies.len() as u64), order.strategy.0.into()),
            R::UnknownAccount => (self.accounts.into(), order.account.0.into()),
            R::BadQty => (1, qty),
            R::BadPrice => (PX_MAX.0, order.px.0),
            R::BadTick => (clip(a.quote.tick.divisor()), order.px.0),
            R::BadLot => (a.limits.lot.into(), qty),
            R::MktState => (0, a.quote.status.into()),
            R::TableFull => (clip(self.orders.open_max() as u64), clip(self.orders.open() as u64)),
            R::QtyStatic => (a.limits.officer_qty.into(), qty),
            R::QtyDynamic => (a.limits.bounds.max_qty.into(), qty),
            R::QtyErrModel => (a.limits.surface_qty.into(), qty),
            // Rounded up, so that the value named is never within the limit it broke.
            R::Value => (clip(a.limits.bounds.max_notional_micros), clip_wide(a.facts.value.div_ceil(1_000))),
            R::RefStale => (clip(self.ref_age_max.0), clip(a.facts.ref_age_ns)),
            R::Collar => (a.limits.bounds.collar_bps.into(), deviation_bps(a.facts.px, a.quote.twice_ref)),
            R::PassiveBand => {
                (a.limits.bounds.passive_min_ticks.into(), gap_ticks(a.facts.gap, a.quote.tick.divisor()))
            }
            R::PosLong => (a.limits.bounds.max_pos_long, a.facts.worst),
            R::PosShort => (a.limits.bounds.max_pos_short, a.facts.worst),
            R::Rate => (rate::per_second(a.limits.bounds.order_interval_ns).into(), 0),
            R::RateStrategy => {
                let row = self.strategies.get(usize::from(order.strategy.0));
                (row.map_or(0, |s| rate::per_second(s.order_interval_ns).into()), 0)
            }
            R::TickUnknown | R::Duplicate | R::UnknownOrder | R::BadReplace | R::ReplacePending => (0, 0),
            R::LimitsMissing | R::LimitsTorn | R::RefMissing | R::RefTorn => (0, 0),
        };
        Breach { reason, limit, value }
    }
}

fn clip(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn clip_wide(n: u128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// How far a price is from the reference, in basis points, rounded up.
fn deviation_bps(px: u64, twice_ref: u64) -> i64 {
    let off = u128::from(px.saturating_mul(2).abs_diff(twice_ref)) * 10_000;
    clip_wide(off.div_ceil(u128::from(twice_ref.max(1))))
}

/// A price distance in ticks, rounded down.
fn gap_ticks(gap: i64, tick: u64) -> i64 {
    gap.div_euclid(clip(tick).max(1))
}
