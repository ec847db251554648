//! Every check of one order, written once and run twice.
//!
//! [`checks::visit`] is the list of checks. It tells a [`Sink`] what each one finds. [`Gate::pass`] runs it with a sink that
//! stops at the first finding: an order that breaks nothing falls through a row of branches that are never taken, and costs
//! little more than its cache misses. Everything else (something broken, something missing, limits that are not live,
//! something worth a flag, a market order) is left to [`Findings::of`], which runs the same list with a sink that notes
//! every finding. It is the authority: it is given inputs of its own, and its verdict stands, so that the fast path need
//! not keep alive what only a refusal must name. `explain` is the same with all findings read.
//!
//! Findings are bits in the order of decision; the lowest one is the verdict's reason.
//!
//! Inputs are loaded first, so that their cache misses overlap, and the breakers last: a trip is never seen older than
//! the limits of the same order.

use core::ops::ControlFlow;

use types::{Side, Tier, UnixNanos};

use crate::{
    breaches::Breaches,
    case::{Case, InForce, Inputs, Missing, Prior},
    checks::{self, RejectReason, Sink},
    decision::{Flags, LimitsSource},
    depth::Walk,
    gate::Gate,
    intent::{OrderIntent, OrderType},
    score::FixedScore,
    shared::Common,
    surface,
};

/// Everything the checks find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Findings {
    pub breaches: Breaches,
    pub flags: Flags,
}

impl Findings {
    /// Every check on `case`.
    #[inline(never)]
    pub(crate) fn of(case: &Case) -> Self {
        let mut all = Self { breaches: Breaches::NONE, flags: Flags::NONE };
        // This sink never stops the visit.
        let _ = checks::visit(&mut all, case);
        all
    }
}

impl Sink for Findings {
    fn see(&mut self, broken: bool, reason: RejectReason) -> ControlFlow<()> {
        self.breaches.when(broken, reason);
        ControlFlow::Continue(())
    }

    fn flag(&mut self, worth: bool, flag: Flags) -> ControlFlow<()> {
        self.flags.0 |= u8::from(worth) * flag.0;
        ControlFlow::Continue(())
    }
}

/// Stops at the first finding.
struct First;

impl Sink for First {
    #[inline(always)]
    fn see(&mut self, broken: bool, _reason: RejectReason) -> ControlFlow<()> {
        if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[inline(always)]
    fn flag(&mut self, worth: bool, flag: Flags) -> ControlFlow<()> {
        // In a stressed market every order has this flag: it must not leave the fast path for it.
        if worth && flag.0 != Flags::TIER.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What an order that breaks nothing leaves to note down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub tier: Tier,
    pub score: FixedScore,
    pub version: u32,
    pub order_interval_ns: u32,
}

impl Gate {
    /// Whether a new order breaks nothing, and nothing about it is out of the ordinary. `None` says nothing: then
    /// [`Findings::of`] decides.
    ///
    /// Without `SURFACE` the surface's check is left out, for a gate that has none: a size kept over all the others would
    /// cost it two in a hundred instructions.
    #[inline(always)]
    pub(crate) fn pass<const SURFACE: bool>(&self, order: &OrderIntent, now: UnixNanos) -> Option<Pass> {
        let strategy = self.strategies.get(usize::from(order.strategy.0))?;
        let cell = self.cells.get(self.cell_index(order.instrument, order.strategy)?)?;
        let row = order.instrument.index().wrapping_mul(self.classes).wrapping_add(strategy.class.0.into());
        let dynamic = self.tables.dynamics.as_ref()?.read_hot(row).ok()?;
        let officer = self.tables.statics.row_word(row)?;
        let quote = self.tables.references.hot(order.instrument).ok()?;
        // Equal epochs: the record was clamped under the cap of this moment. Zero is no epoch, and no row is granted
        // under it.
        if dynamic.epoch != officer.epoch() || !dynamic.lease.holds(now) || order.account.0 >= self.accounts {
            return None;
        }
        if order.order_type as u8 != OrderType::Limit as u8 || !quote.window.holds(order.px.0.cast_unsigned())
        {
            return None;
        }
        // A sell below the bid is valued at the bid.
        if order.side as u8 != Side::Bid as u8 && order.px.0.cast_unsigned() < quote.bid {
            return None;
        }
        let known = self.orders.contains(order.cl_ord_id);
        let heartbeat = self.tables.references.heartbeat();
        let breakers = self.tables.breakers.of_order(order, now, self.daemon_age_max_ns);
        let inputs = Inputs {
            limits: InForce {
                bounds: dynamic.bounds,
                officer_qty: dynamic.bounds.max_qty,
                lot: officer.lot(),
                permission: officer.permission(),
                source: LimitsSource::Dynamic,
                tier: dynamic.tier,
                score: dynamic.score,
                version: dynamic.version,
                surface_qty: if SURFACE { self.surface_qty(order, &quote, now) } else { surface::UNLIMITED },
            },
            quote,
            referenced: true,
            last_age_ns: 0,
            period_mean: 0,
            tick: quote.tick,
            ticked: true,
            walk: Walk::NONE,
            valued_from: 0,
            heartbeat,
            cell: *cell,
            due: cell.due_if_reconciled(),
            unreconciled: false,
            strategy: *strategy,
            known,
            common: Common::NOTHING,
            breakers,
            halted: false,
            missing: Missing::NOTHING,
        };
        if inputs.breakers.closed_bits() != 0 {
            return None;
        }
        let case = Case::new(order, Prior::none(order), &inputs, self.settings(), now);
        match checks::visit(&mut First, &case) {
            ControlFlow::Break(()) => None,
            ControlFlow::Continue(()) => {
                let InForce { tier, score, version, bounds, .. } = inputs.limits;
                Some(Pass { tier, score, version, order_interval_ns: bounds.order_interval_ns })
            }
        }
    }
}
