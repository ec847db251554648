//! Every check of one order, written once and run twice.
//!
//! [`visit`] is the list of checks. It tells a [`Sink`] what each one finds. [`Gate::pass`] runs it with a sink that stops
//! at the first finding: an order that breaks nothing falls through a row of branches that are never taken, and costs
//! little more than its cache misses. Everything else (something broken, something missing, limits that are not live,
//! something worth a flag, a market order) is left to [`Gate::judge`], which runs the same list with a sink that notes
//! every finding. `judge` is the authority: it reads its own inputs, and its verdict stands, so that the fast path need
//! not keep alive what only a refusal must name. `explain` is `judge` with all findings read.
//!
//! Findings are bits in the order of decision; the lowest one is the verdict's reason.
//!
//! Inputs are loaded first, so that their cache misses overlap, and the breakers last: a trip is never seen older than
//! the limits of the same order.

use core::ops::ControlFlow;

use types::{Nanos, Px, Side, Tier, UnixNanos};

use crate::{
    breaches::Breaches,
    breaker::{BreakerState, OrderBreakers},
    gate::{Gate, StrategyRow},
    inputs::{InForce, Inputs},
    intent::{OrderIntent, OrderType, TimeInForce},
    rate,
    reason::RejectReason,
    record::{Bounds, FixedScore, Permission},
    reference::{PX_MAX, Quote},
    surface,
    verdict::{Flags, LimitsSource},
};

/// What a replacement already has: a new order has nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prior {
    /// How much more can trade if the order is let through.
    pub growth: u32,
    /// Whole quantity before.
    pub qty: u32,
    /// Price times whole quantity before, in 1e-9.
    pub value: u128,
    /// Price before, 0 when there is none.
    pub px: u64,
}

impl Prior {
    #[inline(always)]
    pub(crate) const fn none(order: &OrderIntent) -> Self {
        Self { growth: order.qty.0, qty: 0, value: 0, px: 0 }
    }
}

/// The outcome, with what the numbers of a verdict are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assessment {
    pub breaches: Breaches,
    pub flags: Flags,
    pub limits: InForce,
    pub quote: Quote,
    /// How much more can trade.
    pub growth: u32,
    pub facts: Facts,
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
    /// [`Gate::judge`] decides.
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
        let quote = self.tables.references.quote(order.instrument).ok()?;
        // Equal epochs: the record was clamped under the cap of this moment. Zero is no epoch, and no row is granted
        // under it.
        if dynamic.epoch != officer.epoch() || !dynamic.lease.holds(now) || order.account.0 >= self.accounts {
            return None;
        }
        if order.order_type as u8 != OrderType::Limit as u8 {
            return None;
        }
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
            heartbeat: self.tables.references.heartbeat(),
            cell: *cell,
            strategy: *strategy,
            known: self.orders.contains(order.cl_ord_id),
            breakers: self.tables.breakers.of_order(order.account, order.strategy, order.instrument),
            faults: Breaches::NONE,
            echoes: Breaches::NONE,
        };
        let prior = Prior::none(order);
        let facts = Facts::of(order, prior, &inputs, now);
        match visit(&mut First, order, prior, &inputs, &facts, &self.settings(), now) {
            ControlFlow::Break(()) => None,
            ControlFlow::Continue(()) => {
                let InForce { tier, score, version, bounds, .. } = inputs.limits;
                Some(Pass { tier, score, version, order_interval_ns: bounds.order_interval_ns })
            }
        }
    }

    /// What the checks need of the gate itself.
    #[inline(always)]
    fn settings(&self) -> Settings {
        Settings {
            clock: self.clock,
            ref_age_max: self.ref_age_max,
            critical_reduce_only: self.critical_reduce_only,
            orders_full: self.orders.open() >= self.orders.open_max(),
        }
    }

    /// Every check on `order` at `now`.
    #[inline(never)]
    pub(crate) fn judge(
        &self,
        order: &OrderIntent,
        prior: Prior,
        inputs: &Inputs,
        now: UnixNanos,
    ) -> Assessment {
        let facts = Facts::of(order, prior, inputs, now);
        let mut all = Every { breaches: Breaches::NONE, flags: Flags::NONE };
        // This sink never stops the visit.
        let _ = visit(&mut all, order, prior, inputs, &facts, &self.settings(), now);
        let breaches = Breaches(all.breaches.0 & !inputs.echoes.0 | inputs.faults.0);
        let Inputs { limits, quote, .. } = *inputs;
        Assessment { breaches, flags: all.flags, limits, quote, growth: prior.growth, facts }
    }
}

/// Who is told what the checks find.
trait Sink {
    /// `broken` says whether the order breaks the check behind `reason`.
    fn see(&mut self, broken: bool, reason: RejectReason) -> ControlFlow<()>;
    /// `worth` says whether somebody should look.
    fn flag(&mut self, worth: bool, flag: Flags) -> ControlFlow<()>;
    /// The breakers of the order.
    fn halts(&mut self, words: OrderBreakers, reduces: bool) -> ControlFlow<()>;
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

    #[inline(always)]
    fn halts(&mut self, words: OrderBreakers, _reduces: bool) -> ControlFlow<()> {
        let OrderBreakers { firm, account, strategy, instrument } = words;
        let closed =
            firm.closed_bits() | account.closed_bits() | strategy.closed_bits() | instrument.closed_bits();
        if closed != 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Notes every finding.
struct Every {
    breaches: Breaches,
    flags: Flags,
}

impl Sink for Every {
    fn see(&mut self, broken: bool, reason: RejectReason) -> ControlFlow<()> {
        self.breaches.when(broken, reason);
        ControlFlow::Continue(())
    }

    fn flag(&mut self, worth: bool, flag: Flags) -> ControlFlow<()> {
        self.flags.0 |= u8::from(worth) * flag.0;
        ControlFlow::Continue(())
    }

    fn halts(&mut self, words: OrderBreakers, reduces: bool) -> ControlFlow<()> {
        self.breaches.add(halted(words, reduces));
        ControlFlow::Continue(())
    }
}

/// What the checks need of the gate itself.
struct Settings {
    clock: UnixNanos,
    ref_age_max: Nanos,
    critical_reduce_only: bool,
    orders_full: bool,
}

/// What several checks, and the numbers of a verdict, share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// See [`Cell::worst`].
    pub worst: i64,
    /// The order names a price an order can have.
    named: bool,
    /// There is a price to judge by: the order's own, or for a market order the far touch.
    priced: bool,
    /// That price, 0 when there is none.
    pub px: u64,
    /// Best price of the other side, 0 when there is none.
    far: u64,
    far_qty: u32,
    /// What the passive distance is measured from: the far touch, or the reference when there is none.
    opposite: u64,
    /// From `opposite` to the price, positive while passive.
    pub gap: i64,
    /// Price times quantity, in 1e-9.
    pub value: u128,
    pub ref_age_ns: u64,
}

impl Facts {
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "judged only when positive and below 2^60")]
    fn of(order: &OrderIntent, prior: Prior, inputs: &Inputs, now: UnixNanos) -> Self {
        let quote = &inputs.quote;
        let Judged { buys, far, far_qty, named, priced, px } = Judged::of(order, quote);
        let opposite = if far != 0 { far } else { quote.twice_ref >> 1 };
        let above = px.wrapping_sub(opposite) as i64;
        Self {
            worst: inputs.cell.worst(order.side, prior.growth),
            named,
            priced,
            px,
            far,
            far_qty,
            opposite,
            gap: if buys { above.wrapping_neg() } else { above },
            value: u128::from(px) * u128::from(order.qty.0),
            ref_age_ns: now.0.abs_diff(quote.ts.0.max(inputs.heartbeat.0)),
        }
    }
}

/// The price an order is judged by, and the touch it would trade with.
#[derive(Clone, Copy)]
pub(crate) struct Judged {
    pub buys: bool,
    /// See [`Facts::far`].
    pub far: u64,
    far_qty: u32,
    /// See [`Facts::named`].
    named: bool,
    /// See [`Facts::priced`].
    pub priced: bool,
    /// See [`Facts::px`].
    pub px: u64,
}

impl Judged {
    #[inline(always)]
    #[expect(clippy::cast_sign_loss, reason = "judged only when positive")]
    pub(crate) fn of(order: &OrderIntent, quote: &Quote) -> Self {
        let buys = order.side as u8 == Side::Bid as u8;
        let (far, far_qty) = if buys { (quote.ask, quote.ask_qty) } else { (quote.bid, quote.bid_qty) };
        let named = order.px.0 > 0 && order.px.0 <= PX_MAX.0;
        let (px, priced) = if is_market(order) { (far, far != 0) } else { (order.px.0 as u64, named) };
        Self { buys, far, far_qty, named, priced, px }
    }
}

#[inline(always)]
fn is_market(order: &OrderIntent) -> bool {
    order.order_type as u8 == OrderType::Market as u8
}

/// The list of checks. It is visited in whatever order suits the processor; the order of decision is that of the bits.
#[inline(always)]
fn visit<S: Sink>(
    sink: &mut S,
    order: &OrderIntent,
    prior: Prior,
    inputs: &Inputs,
    facts: &Facts,
    settings: &Settings,
    now: UnixNanos,
) -> ControlFlow<()> {
    let reduces = facts.worst <= 0;
    sink.halts(inputs.breakers, reduces)?;
    let tier = inputs.limits.tier as u8;
    let critical = tier == Tier::Critical as u8;
    sink.see(critical && !(reduces && settings.critical_reduce_only), RejectReason::TierCritical)?;
    sink.flag(tier >= Tier::Elevated as u8, Flags::TIER)?;
    sink.see(now.0 < settings.clock.0, RejectReason::ClockBad)?;
    let permission = inputs.limits.permission as u8;
    sink.see(permission == Permission::Denied as u8, RejectReason::NotPermitted)?;
    sink.see(permission == Permission::Restricted as u8, RejectReason::Restricted)?;
    sink.see(order.cl_ord_id == 0, RejectReason::BadField)?;
    sink.see(inputs.known, RejectReason::Duplicate)?;
    sink.see(settings.orders_full, RejectReason::TableFull)?;
    rates(sink, inputs, now)?;
    size(sink, order, prior, &inputs.limits, facts)?;
    sanity(sink, order, &inputs.quote, facts)?;
    sink.see(facts.ref_age_ns > settings.ref_age_max.0, RejectReason::RefStale)?;
    price(sink, order, prior, inputs, facts)
}

#[inline(always)]
fn rates<S: Sink>(sink: &mut S, inputs: &Inputs, now: UnixNanos) -> ControlFlow<()> {
    let Bounds { order_interval_ns, order_burst, .. } = inputs.limits.bounds;
    let row = rate::early_max_ns(order_interval_ns, order_burst);
    sink.see(!rate::conforms(inputs.cell.due, now, row), RejectReason::Rate)?;
    let StrategyRow { due, early_max_ns, .. } = inputs.strategy;
    sink.see(!rate::conforms(due, now, early_max_ns), RejectReason::RateStrategy)
}

/// Lot, quantity and position. A replacement is held to a size or position limit only for what it adds.
#[inline(always)]
fn size<S: Sink>(
    sink: &mut S,
    order: &OrderIntent,
    prior: Prior,
    limits: &InForce,
    facts: &Facts,
) -> ControlFlow<()> {
    let (qty, grows, growing) = (order.qty.0, order.qty.0 > prior.qty, prior.growth != 0);
    let Bounds { max_qty, max_pos_long, max_pos_short, .. } = limits.bounds;
    sink.see(qty == 0, RejectReason::BadQty)?;
    // Most rows have a lot of one; another one costs the only division of the path, beside it and in 32 bits.
    sink.see(limits.lot != 1 && qty.checked_rem(limits.lot) != Some(0), RejectReason::BadLot)?;
    sink.see(qty > limits.officer_qty && grows, RejectReason::QtyStatic)?;
    let dynamic = limits.source as u8 == LimitsSource::Dynamic as u8;
    sink.see(qty > max_qty && grows && dynamic, RejectReason::QtyDynamic)?;
    // The size is one for the price: a replacement that reaches farther is held to it, larger or not.
    let long = order.side as u8 == Side::Bid as u8;
    let farther = if long { facts.px > prior.px } else { facts.px < prior.px };
    sink.see(qty > limits.surface_qty && (grows || farther), RejectReason::QtyErrModel)?;
    let most = if long { max_pos_long } else { max_pos_short };
    let beyond = facts.worst > most && growing;
    sink.see(beyond && long, RejectReason::PosLong)?;
    sink.see(beyond && !long, RejectReason::PosShort)?;
    let near_qty = qty > max_qty.wrapping_sub(max_qty >> NEAR_SHIFT);
    let near_pos = facts.worst > most.wrapping_sub(most >> NEAR_SHIFT) && growing && facts.worst > 0;
    sink.flag(near_qty || near_pos, Flags::NEAR_LIMIT)
}

/// Price, tick, market state and reference: what must be there, and sane.
#[inline(always)]
fn sanity<S: Sink>(sink: &mut S, order: &OrderIntent, quote: &Quote, facts: &Facts) -> ControlFlow<()> {
    let (market, ticked) = (is_market(order), quote.tick.divisor() != 0);
    sink.see(if market { order.px.0 != Px::NONE.0 } else { !facts.named }, RejectReason::BadPrice)?;
    sink.see(!market && !ticked, RejectReason::TickUnknown)?;
    let odd = !quote.tick.divides(facts.px);
    sink.see(odd && !market && facts.named && ticked, RejectReason::BadTick)?;
    sink.see(quote.status == 0, RejectReason::MktStateUnknown)?;
    sink.see(quote.status > TRADING, RejectReason::MktState)?;
    sink.see(quote.twice_ref == 0 || market && facts.far == 0, RejectReason::RefMissing)?;
    // 0 is an empty book, which has no reference; 1 a live one; nothing above is to be believed.
    sink.see(quote.state > BOOK_LIVE, RejectReason::RefStale)
}

/// Value, collar and passive distance.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "16 bits of ticks times 40 bits of tick")]
fn price<S: Sink>(
    sink: &mut S,
    order: &OrderIntent,
    prior: Prior,
    inputs: &Inputs,
    facts: &Facts,
) -> ControlFlow<()> {
    let (bounds, quote) = (&inputs.limits.bounds, &inputs.quote);
    let value_max = u128::from(bounds.max_notional_micros) * 1_000;
    let costly = facts.value > value_max;
    sink.see(costly && facts.priced && facts.value > prior.value, RejectReason::Value)?;
    sink.flag(facts.value > value_max - (value_max >> NEAR_SHIFT), Flags::NEAR_LIMIT)?;
    // |px − ref| × 10^4 ≤ bps × ref, both sides doubled.
    let off = u128::from(facts.px.wrapping_mul(2).abs_diff(quote.twice_ref)) * 10_000;
    let allowed = u128::from(quote.twice_ref) * u128::from(bounds.collar_bps);
    sink.see(off > allowed && facts.priced && quote.twice_ref != 0, RejectReason::Collar)?;
    let ticks = u64::from(bounds.passive_min_ticks);
    let nearest = ticks.wrapping_mul(quote.tick.divisor()) as i64;
    let market = is_market(order);
    let rests = !market && order.tif as u8 != TimeInForce::Ioc as u8 && (facts.gap > 0 || facts.far == 0);
    let banded = ticks > 1 && rests && facts.priced && facts.opposite != 0;
    sink.see(facts.gap < nearest && banded, RejectReason::PassiveBand)?;
    sink.flag(market && order.qty.0 > facts.far_qty, Flags::WALKS_BOOK)
}

/// A limit is near when less than an eighth of it is left.
const NEAR_SHIFT: u32 = 3;

/// [`types::BookState::to_u8`] of a live book.
const BOOK_LIVE: u8 = types::BookState::Live.to_u8();
const TRADING: u8 = types::TradingStatus::Trading as u8;

#[cold]
#[inline(never)]
fn halted(words: OrderBreakers, reduces: bool) -> Breaches {
    let mut out = Breaches::NONE;
    for (word, tripped) in [
        (words.firm, RejectReason::HaltedFirm),
        (words.account, RejectReason::HaltedAccount),
        (words.strategy, RejectReason::HaltedStrategy),
        (words.instrument, RejectReason::HaltedInstrument),
    ] {
        match word.state() {
            Some(BreakerState::Open) => {}
            Some(BreakerState::ReduceOnly) => out.when(!reduces, RejectReason::ReduceOnly),
            Some(BreakerState::Tripped) => out.add(Breaches::of(tripped)),
            None => out.add(Breaches::of(RejectReason::HaltUnreadable)),
        }
    }
    out
}
