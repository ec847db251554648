//! The gate: checks an order and reserves what it may do.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Nanos, Px, Qty, Side, Tier, UnixNanos};

use crate::{
    assess::{Assessment, Pass, Prior},
    breaches::Breaches,
    config::{self, GateConfig, GateError, GateTables},
    exposure::{Cell, Exposure, POSITION_MAX},
    ids::{AccountId, ClassId, StrategyId},
    inputs::InForce,
    intent::OrderIntent,
    orders::{Entry, Life, OrderTable},
    rate,
    reason::RejectReason,
    verdict::{Decision, Explanation, Flags, LimitsSource, Verdict},
};

/// A strategy as the order path needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StrategyRow {
    pub class: ClassId,
    pub order_interval_ns: u32,
    /// See [`crate::rate`].
    pub early_max_ns: u64,
    /// See [`crate::rate`].
    pub due: UnixNanos,
}

impl StrategyRow {
    /// A strategy that may send nothing.
    pub(crate) const NONE: Self =
        Self { class: ClassId(0), order_interval_ns: u32::MAX, early_max_ns: 0, due: UnixNanos(u64::MAX) };
}

/// The gate of one order thread. It owns positions, open orders and rates; limits, prices and breakers it reads from
/// tables that others write. See the crate's documentation for what it guarantees.
#[derive(Debug)]
pub struct Gate {
    pub(crate) tables: GateTables,
    pub(crate) strategies: Box<[StrategyRow]>,
    pub(crate) cells: Box<[Cell]>,
    pub(crate) orders: OrderTable,
    pub(crate) instruments: usize,
    pub(crate) classes: usize,
    pub(crate) accounts: u16,
    pub(crate) ref_age_max: Nanos,
    pub(crate) critical_reduce_only: bool,
    /// The latest time seen. Starts at 1, so that a clock that reads zero is one that went backwards.
    pub(crate) clock: UnixNanos,
}

/// Proof that an order counts into every limit and may be sent. Hand it back with [`Gate::release`] when the order could
/// not be sent after all; otherwise the venue's answers settle it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an order that is not sent must be released, or it counts for ever"]
pub struct Reservation {
    pub(crate) id: u64,
    pub(crate) replacement: bool,
}

impl Reservation {
    /// The client order id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }
}

/// One open order, for reports and mass cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// The client order id.
    pub id: u64,
    /// The instrument.
    pub instrument: InstrumentId,
    /// The strategy.
    pub strategy: StrategyId,
    /// The account.
    pub account: AccountId,
    /// What it does.
    pub side: Side,
    /// The price it was judged at.
    pub px: Px,
    /// What can still trade.
    pub leaves: Qty,
}

impl Gate {
    /// A gate with flat positions and no open order. All memory it will ever use is allocated here.
    ///
    /// # Errors
    /// [`GateError`] when a number is out of range or a table has another size than the static one.
    pub fn new(config: &GateConfig<'_>, tables: GateTables) -> Result<Self, GateError> {
        config::validate(config, &tables)?;
        let (instruments, classes) = tables.statics.shape();
        let strategies: Box<[_]> = config
            .strategies
            .iter()
            .map(|s| {
                let order_interval_ns = rate::interval_ns(s.order_rate_per_s);
                let early_max_ns = rate::early_max_ns(order_interval_ns, s.order_burst);
                StrategyRow { class: s.class, order_interval_ns, early_max_ns, due: UnixNanos(0) }
            })
            .collect();
        Ok(Self {
            tables,
            cells: vec![Cell::FLAT; instruments * strategies.len()].into(),
            strategies,
            orders: OrderTable::new(config.open_orders_max, config.recent_orders),
            instruments,
            classes,
            accounts: config.accounts,
            ref_age_max: config.ref_age_max,
            critical_reduce_only: config.critical_reduce_only,
            clock: UnixNanos(1),
        })
    }

    /// The verdict on a new order, without any effect.
    #[inline]
    #[must_use]
    pub fn check(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        if self.tables.surfaces.is_some() {
            return self.check_surfaced(order, now);
        }
        self.check_by::<false>(order, now)
    }

    /// Apart, so that a gate without surfaces pays one branch for them. (A reservation, which keeps more at hand, is
    /// longer for being in two, and asks on its way.)
    #[inline(never)]
    fn check_surfaced(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        self.check_by::<true>(order, now)
    }

    #[inline(always)]
    fn check_by<const SURFACE: bool>(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        match self.pass::<SURFACE>(order, now) {
            Some(pass) => accept(&pass),
            None => self.check_all(order, now),
        }
    }

    #[inline(never)]
    fn check_all(&self, order: &OrderIntent, now: UnixNanos) -> Verdict {
        let inputs = self.gather(order, now);
        self.verdict(order, &self.judge(order, Prior::none(order), &inputs, now), now)
    }

    /// The verdict on a new order and, when it may leave, its reservation: it counts into position, rates, open orders
    /// and duplicates from now on, before it is sent (RTS 6, article 15(2)).
    #[inline]
    pub fn reserve(&mut self, order: &OrderIntent, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        match self.pass::<true>(order, now) {
            Some(pass) => {
                (accept(&pass), self.commit(order, order.px.0.unsigned_abs(), pass.order_interval_ns, now))
            }
            None => self.reserve_all(order, now),
        }
    }

    #[inline(never)]
    fn reserve_all(&mut self, order: &OrderIntent, now: UnixNanos) -> (Verdict, Option<Reservation>) {
        let inputs = self.gather(order, now);
        let assessment = self.judge(order, Prior::none(order), &inputs, now);
        let verdict = self.verdict(order, &assessment, now);
        if !verdict.accepted() {
            self.clock = self.clock.max(now);
            return (verdict, None);
        }
        let interval_ns = assessment.limits.bounds.order_interval_ns;
        (verdict, self.commit(order, assessment.facts.px, interval_ns, now))
    }

    /// Counts a new order that was let through.
    #[inline]
    fn commit(
        &mut self,
        order: &OrderIntent,
        px: u64,
        interval_ns: u32,
        now: UnixNanos,
    ) -> Option<Reservation> {
        let at = self.spend(order, interval_ns, now)?;
        self.cells.get_mut(at)?.rework(order.side, 0, order.qty.0);
        self.orders.insert(order.cl_ord_id, entry_of(order, at, px, Life::Open, 0));
        Some(Reservation { id: order.cl_ord_id, replacement: false })
    }

    /// The verdict on replacing the open order `replaced` by `order` (a new id, a new price, a new whole quantity,
    /// executed part included) and, when it may leave, its reservation.
    ///
    /// Until the venue answers, either quantity may be in force, so the larger one counts. Quantity and position are
    /// checked on the growth alone, value when it grows, price always: a replacement that only reduces is never refused
    /// for a size that a live limit has since made too large. One replacement of an order may be under way at a time.
    pub fn replace(
        &mut self,
        replaced: u64,
        order: &OrderIntent,
        now: UnixNanos,
    ) -> (Verdict, Option<Reservation>) {
        let held = self.orders.get(replaced).filter(|entry| entry.life == Life::Open);
        let prior = held.map_or(Prior::none(order), |entry| prior_of(&entry, order.qty));
        let mut inputs = self.gather(order, now);
        let at = self.cell_index(order.instrument, order.strategy);
        inputs.faults.add(replaceable(held.as_ref(), order, at));
        let assessment = self.judge(order, prior, &inputs, now);
        let verdict = self.verdict(order, &assessment, now);
        let (true, Some(mut entry)) = (verdict.accepted(), held) else {
            self.clock = self.clock.max(now);
            return (verdict, None);
        };
        let Some(at) = self.spend(order, assessment.limits.bounds.order_interval_ns, now) else {
            return (verdict, None);
        };
        let before = entry.leaves();
        (entry.pending_qty, entry.link) = (order.qty.0, order.cl_ord_id);
        self.rework(&entry, before);
        self.orders.put(replaced, entry);
        self.orders
            .insert(order.cl_ord_id, entry_of(order, at, assessment.facts.px, Life::Pending, replaced));
        (verdict, Some(Reservation { id: order.cl_ord_id, replacement: true }))
    }

    /// Every breach of a new order and the limits in force, for the log and the officer. No effect.
    #[cold]
    #[must_use]
    pub fn explain(&self, order: &OrderIntent, now: UnixNanos) -> Explanation {
        let inputs = self.gather(order, now);
        let assessment = self.judge(order, Prior::none(order), &inputs, now);
        let limits = assessment.limits;
        let read = limits.source != LimitsSource::None;
        let verdict = self.verdict(order, &assessment, now);
        let mut out = Explanation::new(verdict, read.then(|| limits.bounds.to_limits()));
        for reason in RejectReason::ALL.into_iter().filter(|r| assessment.breaches.has(*r)) {
            out.push(self.breach(reason, order, &assessment, now));
        }
        out
    }

    /// Sets a position: start of day, reconciliation. Working orders stay as they are.
    ///
    /// # Errors
    /// [`UnknownPosition`] when the instrument or strategy is not the gate's, or the position is beyond ±2^60.
    pub fn set_position(
        &mut self,
        instrument: InstrumentId,
        strategy: StrategyId,
        position: i64,
    ) -> Result<(), UnknownPosition> {
        let error = UnknownPosition { instrument, strategy, position };
        let at = self.cell_index(instrument, strategy).ok_or(error)?;
        let cell = self.cells.get_mut(at).ok_or(error)?;
        if !(-POSITION_MAX..=POSITION_MAX).contains(&position) {
            return Err(error);
        }
        cell.position = position;
        Ok(())
    }

    /// What a strategy holds and has working in an instrument; `None` when either is not the gate's.
    #[must_use]
    pub fn exposure(&self, instrument: InstrumentId, strategy: StrategyId) -> Option<Exposure> {
        self.cells.get(self.cell_index(instrument, strategy)?).map(Exposure::from)
    }

    /// Every open order, in no particular order. Walks the whole table: not for the order path.
    pub fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        let strategies = self.strategies.len();
        self.orders.iter_open().map(move |(id, entry)| open_order(id, entry, strategies))
    }

    /// How many orders are open, unanswered replacements included.
    #[must_use]
    pub fn open_order_count(&self) -> usize {
        self.orders.open()
    }

    /// Bytes the gate itself holds, for the boot report; the tables it reads report their own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.cells) + size_of_val(&*self.strategies) + self.orders.bytes()
    }

    /// Both indexes are checked: a strategy out of range would else fall into the next instrument's cell.
    #[inline(always)]
    pub(crate) fn cell_index(&self, instrument: InstrumentId, strategy: StrategyId) -> Option<usize> {
        let (i, s, strategies) = (instrument.index(), usize::from(strategy.0), self.strategies.len());
        ((i < self.instruments) & (s < strategies)).then(|| i.wrapping_mul(strategies).wrapping_add(s))
    }

    /// Spends the order's rates, remembers its time, and says where its position is kept.
    #[inline(always)]
    fn spend(&mut self, order: &OrderIntent, interval_ns: u32, now: UnixNanos) -> Option<usize> {
        self.clock = now;
        let at = self.cell_index(order.instrument, order.strategy)?;
        let cell = self.cells.get_mut(at)?;
        cell.due = rate::after(cell.due, now, interval_ns);
        let row = self.strategies.get_mut(usize::from(order.strategy.0))?;
        row.due = rate::after(row.due, now, row.order_interval_ns);
        Some(at)
    }

    fn verdict(&self, order: &OrderIntent, assessment: &Assessment, now: UnixNanos) -> Verdict {
        let &Assessment { breaches, flags, limits: InForce { source, tier, score, version, .. }, .. } =
            assessment;
        let first = breaches.first().map(|reason| self.breach(reason, order, assessment, now));
        let decision = match first {
            Some(_) => Decision::Reject,
            None if flags.is_empty() => Decision::Accept,
            None => Decision::Flag,
        };
        Verdict {
            limit: first.map_or(0, |b| b.limit),
            value: first.map_or(0, |b| b.value),
            score,
            version,
            reason: first.map(|b| b.reason),
            decision,
            tier,
            source,
            flags,
        }
    }
}

/// A position that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPosition {
    /// The instrument asked for.
    pub instrument: InstrumentId,
    /// The strategy asked for.
    pub strategy: StrategyId,
    /// The position asked for.
    pub position: i64,
}

impl core::fmt::Display for UnknownPosition {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { instrument, strategy, position } = self;
        write!(
            f,
            "cannot hold a position of {position} in instrument {}, strategy {}",
            instrument.0, strategy.0
        )
    }
}

impl core::error::Error for UnknownPosition {}

/// The verdict on an order that the fast path let through: live limits, and no flag but the tier's.
#[inline(always)]
fn accept(pass: &Pass) -> Verdict {
    let &Pass { tier, score, version, .. } = pass;
    let stressed = tier as u8 >= Tier::Elevated as u8;
    let (decision, flags) =
        if stressed { (Decision::Flag, Flags::TIER) } else { (Decision::Accept, Flags::NONE) };
    Verdict {
        limit: 0,
        value: 0,
        score,
        version,
        reason: None,
        decision,
        tier,
        source: LimitsSource::Dynamic,
        flags,
    }
}

/// The entry of an order just let through.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most ROWS_MAX cells")]
fn entry_of(order: &OrderIntent, cell: usize, px: u64, life: Life, link: u64) -> Entry {
    Entry {
        px,
        link,
        qty: order.qty.0,
        executed: 0,
        pending_qty: 0,
        cell: cell as u32,
        account: order.account.0,
        side: order.side,
        life,
    }
}

/// What a replacement of `entry` by one of whole quantity `qty` already has.
fn prior_of(entry: &Entry, qty: Qty) -> Prior {
    let after = Entry { pending_qty: qty.0, ..*entry }.leaves();
    Prior {
        growth: after.saturating_sub(entry.leaves()),
        qty: entry.qty,
        value: u128::from(entry.px) * u128::from(entry.qty),
        px: entry.px,
    }
}

/// What forbids replacing `held` by `order`, whose cell is `at`.
fn replaceable(held: Option<&Entry>, order: &OrderIntent, at: Option<usize>) -> Breaches {
    let mut out = Breaches::NONE;
    match held {
        None => out.when(true, RejectReason::UnknownOrder),
        Some(entry) => {
            let same = at == Some(entry.cell as usize)
                && entry.side == order.side
                && entry.account == order.account.0;
            out.when(!same, RejectReason::BadReplace);
            out.when(entry.pending_qty != 0, RejectReason::ReplacePending);
        }
    }
    out
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "made from ids and prices in range"
)]
fn open_order(id: u64, entry: &Entry, strategies: usize) -> OpenOrder {
    let cell = entry.cell as usize;
    OpenOrder {
        id,
        instrument: InstrumentId((cell / strategies) as u32),
        strategy: StrategyId((cell % strategies) as u16),
        account: AccountId(entry.account),
        side: entry.side,
        px: Px(entry.px as i64),
        leaves: Qty(entry.leaves()),
    }
}
