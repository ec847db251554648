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
    breaker::OrderBreakers,
    case::{Case, InForce, Inputs, Missing, Prior, Settings},
    checks::{self, RejectReason, Sink},
    decision::{Flags, LimitsSource},
    depth::Walk,
    fat_finger::UNLIMITED,
    gate::Gate,
    intent::{OrderIntent, OrderType},
    judged::Judged,
    quote::Quote,
    record::{DynamicHot, Permission, RowWord},
    score::FixedScore,
    shared::Common,
    warn::WarnShare,
    worth::{Known, MoneyRules, Worth},
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
    const STOPS_AT_NEAR: bool = false;

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
    const STOPS_AT_NEAR: bool = true;

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

/// Where an order goes that is let out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Of its position.
    pub cell: usize,
    /// Of the open-order table; free.
    pub slot: usize,
    /// The best price of the own orders that it was held against; none where it reaches none.
    pub nearest: Option<u64>,
}

/// What an order that breaks nothing leaves to note down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub room: Room,
    /// What it was judged at.
    pub px: u64,
    pub tier: Tier,
    pub score: FixedScore,
    pub version: u32,
    pub order_interval_ns: u32,
}

impl Gate {
    /// Whether a new order breaks nothing, and nothing about it is out of the ordinary. `None` says nothing: then
    /// [`Findings::of`] decides.
    ///
    /// Without `APART` the fat-finger limit's check is left out, for a gate that has none: a size kept over all the others would
    /// cost it two in a hundred instructions. The share of a limit is the usual one there, a number that the compiler knows: three
    /// products would cost as many.
    #[inline(always)]
    pub(crate) fn pass<const APART: bool>(&self, order: &OrderIntent, now: UnixNanos) -> Option<Pass> {
        self.pass_as::<APART, false>(order, now)
    }

    /// The same of a market order: asked second, since most orders are none.
    #[inline(never)]
    pub(crate) fn pass_at_market(&self, order: &OrderIntent, now: UnixNanos) -> Option<Pass> {
        match order.order_type {
            OrderType::Limit => None,
            OrderType::Market => self.pass_as::<true, true>(order, now),
        }
    }

    #[inline(always)]
    fn pass_as<const APART: bool, const MARKET: bool>(
        &self,
        order: &OrderIntent,
        now: UnixNanos,
    ) -> Option<Pass> {
        let strategy = self.strategies.get(usize::from(order.strategy.0))?;
        let at = self.cell_index(order.instrument, order.strategy)?;
        let cell = self.cells.get(at)?;
        let row = order.instrument.index().wrapping_mul(self.classes).wrapping_add(strategy.class.0.into());
        let dynamic = self.tables.dynamics.as_ref()?.read_hot(row).ok()?;
        let officer = self.tables.statics.row_word(row)?;
        let references = &self.tables.references;
        let quote = if MARKET {
            references.quote(order.instrument).ok()?.of_sign(false)?
        } else {
            // A row of prices that may be negative has no window.
            references.hot(order.instrument).ok()?
        };
        // Equal epochs: the record was clamped under the cap of this moment. Who is not granted the row is left to the slow path.
        let granted = officer.grants_at(dynamic.epoch) && dynamic.lease.holds(now);
        if !granted || order.account.0 >= self.accounts {
            return None;
        }
        // Read once more: from here on the compiler knows which it is.
        if MARKET != (order.order_type as u8 == OrderType::Market as u8)
            || !MARKET && !ordinary(order, &quote)
        {
            return None;
        }
        let slot = self.orders.free_for(order.cl_ord_id)?;
        let heartbeat = references.heartbeat_of(&quote);
        let open = self.tables.breakers.all_open(order, now, self.daemon_age_max_ns);
        let walk = if MARKET { self.walk(order, &Judged::of(order, &quote)) } else { Walk::NONE };
        let reach = (&quote, walk.worst);
        let fat_finger_qty = if APART { self.fat_finger_qty(order, reach, now) } else { UNLIMITED };
        let inputs = Inputs {
            limits: InForce { fat_finger_qty, ..clamped(&dynamic, officer) },
            quote,
            referenced: !MARKET || quote.twice_ref != 0,
            last_age_ns: if MARKET { quote.last_age_ns(now) } else { 0 },
            period_mean: if MARKET { references.period_mean(&quote, now) } else { 0 },
            tick: quote.tick,
            ticked: true,
            walk,
            valued_from: 0,
            worth: Worth::PLAIN,
            heartbeat,
            cell: *cell,
            due: cell.due_if_reconciled(),
            unreconciled: false,
            astray: 0,
            strategy: *strategy,
            known: false,
            common: Common::NOTHING,
            breakers: OrderBreakers::OPEN,
            halted: false,
            missing: Missing::NOTHING,
        };
        open.then_some(())?;
        let case = Case::new(order, Prior::none(order), &inputs, self.settings_of::<APART>(), now);
        if checks::visit(&mut First, &case).is_break() {
            return None;
        }
        let (px, most) = (case.facts.judged.px, case.position_max());
        let nearest =
            if self.shared.on { self.clear_of_others::<APART>(order, px, most, now)? } else { None };
        let room = Room { cell: at, slot, nearest };
        let InForce { tier, score, version, bounds, .. } = inputs.limits;
        Some(Pass { room, px, tier, score, version, order_interval_ns: bounds.order_interval_ns })
    }
}

impl Gate {
    /// What the checks need of the gate; without `APART` the share of a limit is a number that the compiler knows.
    #[inline(always)]
    fn settings_of<const APART: bool>(&self) -> Settings {
        Settings { warn: self.share::<APART>(), ..self.settings() }
    }

    /// The share of a limit above which an order is near to it; see [`Gate::settings_of`].
    #[inline(always)]
    fn share<const APART: bool>(&self) -> WarnShare {
        if APART { self.warn } else { WarnShare::DEFAULT }
    }

    /// The largest value by the live limits, if they were clamped under the cap of this moment. Read anew: kept, it would cost every
    /// order a register.
    #[inline(always)]
    fn live_value_max(&self, order: &OrderIntent) -> Option<u64> {
        let class = self.strategies.get(usize::from(order.strategy.0))?.class;
        let row = self.tables.statics.row(order.instrument, class)?;
        let dynamic = self.tables.dynamics.as_ref()?.read_hot(row).ok()?;
        let officer = self.tables.statics.row_word(row)?;
        (dynamic.epoch == officer.epoch()).then_some(dynamic.bounds.max_notional_micros)
    }

    /// Whether an order judged at `px` is near to being worth too much, or nobody knows what it is worth. What a market order costs
    /// is left to the slow path.
    #[inline(never)]
    pub(crate) fn means_more<const APART: bool>(
        &self,
        order: &OrderIntent,
        px: u64,
        rules: &MoneyRules,
        now: UnixNanos,
    ) -> bool {
        let Some(value_max_micros) = self.live_value_max(order) else { return true };
        let worth = self.tables.references.terms.worth(order.instrument, rules, now);
        let (value, near) =
            (u128::from(px) * u128::from(order.qty.0), self.share::<APART>().of_value(value_max_micros));
        let counted = worth.known == Known::Whole && !worth.signed && order.order_type == OrderType::Limit;
        !counted || worth.exceeds(value, near)
    }
}

/// Live limits that were clamped under the cap of this moment, of a row that is granted, which its word tells.
#[inline(always)]
fn clamped(dynamic: &DynamicHot, officer: RowWord) -> InForce {
    let &DynamicHot { bounds, tier, score, version, .. } = dynamic;
    InForce {
        bounds,
        officer_qty: bounds.max_qty,
        lot: officer.lot(),
        permission: Permission::Granted,
        source: LimitsSource::Dynamic,
        tier,
        score,
        version,
        fat_finger_qty: UNLIMITED,
    }
}

/// Whether the publisher of the quote has answered for the limit order's price what else is asked of the second cache line of
/// its row, and the price is what the order is worth: a sell below the bid is valued at the bid.
#[inline(always)]
fn ordinary(order: &OrderIntent, quote: &Quote) -> bool {
    let px = order.px.0.cast_unsigned();
    quote.window.holds(px) && (order.side as u8 == Side::Bid as u8 || px >= quote.bid)
}
