//! Everything an order is judged by, read once; and what holds instead of what is missing.
//!
//! A thing that is missing is a *fault* and gives one reason. The checks that needed it would each report the same thing
//! again: their reasons are *echoes*, and left out.

use types::{Tier, UnixNanos};

use crate::{
    breaches::Breaches,
    breaker::OrderBreakers,
    exposure::Cell,
    gate::{Gate, StrategyRow},
    intent::OrderIntent,
    reason::RejectReason,
    record::{Bounds, DynamicHot, FixedScore, Officer, Permission, StaticRecord},
    reference::Quote,
    slot::SlotFault,
    surface,
    verdict::LimitsSource,
};

/// The limits an order is held to, and whose they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InForce {
    pub bounds: Bounds,
    /// The officer's quantity limit: the cap under live dynamic limits, else the base.
    pub officer_qty: u32,
    pub lot: u32,
    pub permission: Permission,
    pub source: LimitsSource,
    pub tier: Tier,
    pub score: FixedScore,
    pub version: u32,
    /// The error model's largest size at the order's price distance; [`surface::UNLIMITED`] without a live surface.
    pub surface_qty: u32,
}

/// Everything an order is judged by, read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs {
    pub limits: InForce,
    pub quote: Quote,
    /// When the feeds were last known to be alive.
    pub heartbeat: UnixNanos,
    pub cell: Cell,
    pub strategy: StrategyRow,
    pub breakers: OrderBreakers,
    /// The id is that of an open or recent order.
    pub known: bool,
    /// What is missing.
    pub faults: Breaches,
    /// What would only repeat, check by check, that something is missing.
    pub echoes: Breaches,
}

impl Gate {
    /// The inputs of any order, with the faults of those that are missing.
    #[inline(never)]
    pub(crate) fn gather(&self, order: &OrderIntent, now: UnixNanos) -> Inputs {
        let mut faults = Breaches::NONE;
        faults.when(order.instrument.index() >= self.instruments, RejectReason::UnknownInstrument);
        faults.when(usize::from(order.strategy.0) >= self.strategies.len(), RejectReason::UnknownStrategy);
        faults.when(order.account.0 >= self.accounts, RejectReason::UnknownAccount);
        if faults != Breaches::NONE {
            return self.gather_unknown(order, faults);
        }
        let strategy =
            self.strategies.get(usize::from(order.strategy.0)).copied().unwrap_or(StrategyRow::NONE);
        let cell = self.cell_index(order.instrument, order.strategy).and_then(|at| self.cells.get(at));
        let (mut limits, fault) = self.in_force(order, &strategy, now);
        faults.add(fault);
        let mut echoes = Breaches::NONE;
        if limits.source == LimitsSource::None {
            echoes.add(NEEDS_LIMITS);
        }
        let quote = self.tables.references.quote(order.instrument).unwrap_or_else(|fault| {
            echoes.add(NEEDS_QUOTE);
            faults.when(fault == SlotFault::Empty, RejectReason::RefMissing);
            faults.when(fault == SlotFault::Torn, RejectReason::RefTorn);
            Quote::NOTHING
        });
        limits.surface_qty = self.surface_qty(order, &quote, now);
        Inputs {
            limits,
            quote,
            heartbeat: self.tables.references.heartbeat(),
            cell: cell.copied().unwrap_or(Cell::FLAT),
            strategy,
            known: self.orders.contains(order.cl_ord_id),
            breakers: self.tables.breakers.of_order(order.account, order.strategy, order.instrument),
            faults,
            echoes,
        }
    }

    /// The inputs of an order whose instrument, strategy or account is unknown: what covers it whoever sent it.
    fn gather_unknown(&self, order: &OrderIntent, faults: Breaches) -> Inputs {
        let mut echoes = NEEDS_LIMITS;
        echoes.add(NEEDS_QUOTE);
        let firm = self.tables.breakers.of_order(order.account, order.strategy, order.instrument).firm;
        Inputs {
            limits: NO_LIMITS,
            quote: Quote::NOTHING,
            heartbeat: UnixNanos(0),
            cell: Cell::FLAT,
            strategy: StrategyRow::NONE,
            known: self.orders.contains(order.cl_ord_id),
            // The unknown scopes have no breaker to be halted by.
            breakers: OrderBreakers::firm_alone(firm),
            faults,
            echoes,
        }
    }

    /// The error model's largest size at the order's price distance.
    #[inline(always)]
    pub(crate) fn surface_qty(&self, order: &OrderIntent, quote: &Quote, now: UnixNanos) -> u32 {
        match &self.tables.surfaces {
            None => surface::UNLIMITED,
            Some(table) => table.size_for(order, quote, now),
        }
    }

    /// Which limits hold, and whose, and what is wrong when none do.
    fn in_force(&self, order: &OrderIntent, strategy: &StrategyRow, now: UnixNanos) -> (InForce, Breaches) {
        let tables = &self.tables;
        let Some(row) = tables.statics.row(order.instrument, strategy.class) else {
            return (NO_LIMITS, Breaches::of(RejectReason::LimitsMissing));
        };
        let dynamic = tables.dynamics.as_ref().map(|table| table.read_hot(row));
        let officer = match tables.statics.read_row(row) {
            Ok(words) => StaticRecord::unpack_officer(words),
            Err(SlotFault::Empty) => return (NO_LIMITS, Breaches::of(RejectReason::LimitsMissing)),
            Err(SlotFault::Torn) => return (NO_LIMITS, Breaches::of(RejectReason::LimitsTorn)),
        };
        let source = match &dynamic {
            Some(Ok(record)) if record.lease.holds(now) => return (live(record, &officer), Breaches::NONE),
            Some(Ok(_)) => LimitsSource::StaticLease,
            Some(Err(SlotFault::Empty)) => LimitsSource::StaticEmpty,
            Some(Err(SlotFault::Torn)) => LimitsSource::StaticTorn,
            None => LimitsSource::Static,
        };
        // Critical outlives its lease: only a person ends it.
        let critical = matches!(dynamic, Some(Ok(DynamicHot { tier: Tier::Critical, .. })));
        let limits = InForce {
            bounds: officer.base,
            officer_qty: officer.base.max_qty,
            lot: officer.lot,
            permission: officer.permission,
            source,
            tier: if critical { Tier::Critical } else { Tier::Normal },
            ..NO_LIMITS
        };
        (limits, Breaches::NONE)
    }
}

/// No limits: nothing passes.
const NO_LIMITS: InForce = InForce {
    bounds: Bounds::NOTHING,
    officer_qty: 0,
    lot: 0,
    permission: Permission::Denied,
    source: LimitsSource::None,
    tier: Tier::Normal,
    score: FixedScore::ZERO,
    version: 0,
    surface_qty: surface::UNLIMITED,
};

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
        surface_qty: surface::UNLIMITED,
    }
}

/// The reasons that mean nothing without limits.
const NEEDS_LIMITS: Breaches = Breaches::of_all(&[
    RejectReason::NotPermitted,
    RejectReason::BadLot,
    RejectReason::QtyStatic,
    RejectReason::Value,
    RejectReason::Collar,
    RejectReason::PosLong,
    RejectReason::PosShort,
    RejectReason::Rate,
    RejectReason::RateStrategy,
]);

/// The reasons that mean nothing without a reference row.
const NEEDS_QUOTE: Breaches = Breaches::of_all(&[
    RejectReason::TickUnknown,
    RejectReason::MktStateUnknown,
    RejectReason::RefMissing,
    RejectReason::RefStale,
    RejectReason::QtyErrModel,
]);
