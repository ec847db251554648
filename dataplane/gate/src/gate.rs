//! The gate's own state: positions, rates and open orders, over the tables that others write.

use alloc::{boxed::Box, vec};

use types::{InstrumentId, Nanos, Px, Qty, Side, UnixNanos};

use crate::{
    activity::{Activities, RoundedValue},
    breaches::Breaches,
    breaker::{Breaker, BreakerKey},
    case::{Settings, StrategyRow},
    config::{self, GateConfig, GateError, SelfMatch},
    decision::GateMode,
    doubt::Astray,
    executions::Executions,
    exposure::{Cell, Exposure, POSITION_MAX},
    ids::{AccountId, StrategyId},
    intent::{OrderEvent, OrderIntent, TimesInForce},
    journal::Sent,
    levels::{LevelLimits, Levels},
    orders::{Entry, OrderTable},
    own_orders::{crosses, opposite},
    price::word_price,
    rate,
    shared::Shared,
    streaks::Streaks,
    tables::GateTables,
    tally::Tallies,
    warn::WarnShare,
    worth::MoneyRules,
};

/// The gate of one order thread. It owns positions, open orders and rates; limits, prices and breakers it reads from
/// tables that others write. See the crate's documentation for what it guarantees.
#[derive(Debug)]
pub struct Gate {
    pub(crate) tables: GateTables,
    pub(crate) strategies: Box<[StrategyRow]>,
    pub(crate) cells: Box<[Cell]>,
    /// By cell: how far its position may lie from where it is. Counts in doubt alone.
    pub(crate) astray: Box<[Astray]>,
    pub(crate) orders: OrderTable,
    pub(crate) executions: Executions,
    pub(crate) shared: Shared,
    pub(crate) levels: Levels,
    pub(crate) activities: Activities,
    pub(crate) tallies: Tallies,
    pub(crate) streaks: Streaks,
    pub(crate) instruments: usize,
    pub(crate) classes: usize,
    pub(crate) accounts: u16,
    pub(crate) ref_age_max: Nanos,
    pub(crate) critical_reduce_only: bool,
    /// Whether breaches are only said.
    pub(crate) audits: bool,
    /// What the last order broke that the fast path did not let through.
    pub(crate) audited: Breaches,
    /// Whether fat-finger limits or another share than the usual one are to be asked, apart from the path of gates that have neither.
    pub(crate) apart: bool,
    pub(crate) warn: WarnShare,
    /// None where a price is money as it stands.
    pub(crate) money: Option<MoneyRules>,
    /// The largest number where the daemon may be silent for ever.
    pub(crate) daemon_age_max_ns: u64,
    /// The latest time of an order that left, or that was told ([`Gate::pass_time`]).
    pub(crate) told: UnixNanos,
    /// The latest time seen. Starts at 1, so that a clock that reads zero is one that went backwards.
    pub(crate) clock: UnixNanos,
    pub(crate) unvouched: Unvouched,
}

/// Times of refused orders that no reference price and no heartbeat vouched for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unvouched {
    /// The last one; 0 after one that was vouched for.
    pub last: UnixNanos,
    /// How far they moved the clock, from where to where; 0 while they have not.
    pub from: UnixNanos,
    /// See `from`.
    pub to: UnixNanos,
    /// The heartbeat at that moment.
    pub heartbeat: UnixNanos,
}

impl Unvouched {
    const NONE: Self =
        Self { last: UnixNanos(0), from: UnixNanos(0), to: UnixNanos(0), heartbeat: UnixNanos(0) };
}

/// Proof that an order counts into every limit and may be sent. Hand it back with [`Gate::release`] when the order could
/// not be sent after all; otherwise the venue's answers settle it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an order that is not sent must be released, or it counts for ever"]
pub struct Reservation {
    pub(crate) id: u64,
    pub(crate) replacement: bool,
    /// See [`Entry::generation`].
    pub(crate) generation: u32,
    pub(crate) judged_px: u64,
    pub(crate) interval_ns: u32,
    pub(crate) value: RoundedValue,
}

impl Reservation {
    /// The client order id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What [`Gate::release`] needs of it, for who keeps it outside Rust: the id, the generation, and whether it is a
    /// replacement's.
    #[must_use]
    pub const fn ticket(&self) -> (u64, u32, bool) {
        (self.id, self.generation, self.replacement)
    }

    /// The reservation of a [`Reservation::ticket`], for [`Gate::release`] alone. One that is stale or made up releases
    /// nothing: its generation is no order's.
    pub const fn of_ticket((id, generation, replacement): (u64, u32, bool)) -> Self {
        Self { id, replacement, generation, judged_px: 0, interval_ns: 0, value: RoundedValue(0) }
    }

    /// `order`, which it reserves, as it is kept: for a [`crate::Step`].
    #[must_use]
    pub const fn sent(&self, order: &OrderIntent, at: UnixNanos) -> Sent {
        let Self { judged_px, interval_ns, value, .. } = *self;
        Sent { order: *order, judged_px, interval_ns, value, at }
    }

    /// What [`Gate::release`] makes of it, as it is kept: for a [`crate::Step`].
    #[must_use]
    pub const fn released(&self) -> OrderEvent {
        let Self { id, replacement, .. } = *self;
        if replacement { OrderEvent::ReplaceRejected { id } } else { OrderEvent::Rejected { id } }
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
    /// Its replacement that the venue has not answered; 0 when there is none.
    pub replacement: u64,
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
            .zip(config.strategy_times_in_force.iter().chain(core::iter::repeat(&TimesInForce::ANY)))
            .map(|(s, times_in_force)| {
                let order_interval_ns = rate::interval_ns(s.order_rate_per_s);
                let early_max_ns = rate::early_max_ns(order_interval_ns, s.order_burst);
                StrategyRow {
                    class: s.class,
                    times_in_force: *times_in_force,
                    order_interval_ns,
                    early_max_ns,
                    due: UnixNanos(0),
                }
            })
            .collect();
        let shared = Shared::new(config, instruments, tables.statics.located_accounts() != 0);
        let cells = instruments * strategies.len();
        let account_cells = instruments * usize::from(config.accounts);
        let limits = LevelLimits {
            strategies: (config.strategy_limits, config.strategy_loss),
            accounts: (config.account_limits, config.account_loss),
            groups: config.groups,
            strategy_groups: config.strategy_groups,
        };
        let chained_cells = if config.self_match == SelfMatch::Off { 0 } else { cells };
        let apart = tables.fat_finger.is_some() || config.warn != WarnShare::DEFAULT;
        Ok(Self {
            tables,
            cells: vec![Cell::FLAT; cells].into(),
            astray: vec![Astray::NOTHING; cells].into(),
            strategies,
            orders: OrderTable::new(config.open_orders_max, config.recent_orders, chained_cells),
            executions: Executions::new(config.open_orders_max.saturating_add(config.recent_orders)),
            shared,
            levels: Levels::new(limits, instruments, (config.summed_instruments_max, config.mark_age_max)),
            tallies: Tallies::new(config.profit, cells, account_cells),
            streaks: Streaks::new(config.repeated_executions, cells, config.strategies.len()),
            told: UnixNanos(0),
            activities: Activities::new(
                config.window,
                (config.strategies.len(), config.strategy_activity),
                (config.accounts.into(), config.account_activity),
            ),
            instruments,
            classes,
            accounts: config.accounts,
            ref_age_max: config.ref_age_max,
            critical_reduce_only: config.critical_reduce_only,
            audits: config.mode == GateMode::Audit,
            audited: Breaches::NONE,
            apart,
            warn: config.warn,
            money: config.money,
            daemon_age_max_ns: match config.daemon_age_max.0 {
                0 => u64::MAX,
                most => most,
            },
            clock: UnixNanos(1),
            unvouched: Unvouched::NONE,
        })
    }

    /// Tells the reservations of this gate from those of another, which are numbered from another `salt`: one that is given to the
    /// wrong gate releases nothing. 0 unless it is set; no step and no checkpoint has anything of it.
    pub const fn set_salt(&mut self, salt: u32) {
        self.orders.set_salt(salt);
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn set_fat_finger(&mut self, table: crate::FatFingerReader) {
        self.tables.fat_finger = Some(table);
        self.apart = true;
    }

    /// Sets what a strategy holds in an instrument: start of day, reconciliation. What it holds more or less than before is
    /// `account`'s. The books count as reconciled from now on; working orders stay as they are.
    ///
    /// # Errors
    /// [`UnknownPosition`] when instrument, strategy or account is not the gate's, or the position is beyond ±2^60.
    pub fn set_position(
        &mut self,
        instrument: InstrumentId,
        strategy: StrategyId,
        account: AccountId,
        position: i64,
    ) -> Result<(), UnknownPosition> {
        let error = UnknownPosition { instrument, strategy, account, position };
        let at = self.cell_index(instrument, strategy).ok_or(error)?;
        let cell = self.cells.get_mut(at).ok_or(error)?;
        if !(-POSITION_MAX..=POSITION_MAX).contains(&position) || account.0 >= self.accounts {
            return Err(error);
        }
        let more = position.saturating_sub(cell.position);
        cell.reconcile(position);
        if let Some(astray) = self.astray.get_mut(at) {
            *astray = Astray::NOTHING;
        }
        self.shared.set_by(instrument, account, more);
        if self.levels.on {
            self.levels.cells_mut(strategy, instrument, |cell| cell.move_by(more));
            self.relist(instrument, strategy, account);
        }
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

    /// What stands in a scope's breaker now; `None` when it was never set, is unreadable, or the scope is unknown. For what follows a
    /// halt, such as cancels; orders are judged by [`Gate::reserve`].
    #[must_use]
    pub fn breaker(&self, key: BreakerKey) -> Option<Breaker> {
        self.tables.breakers.get(key)
    }

    /// Whether an order, or a replacement under way, counts.
    #[must_use]
    pub fn is_open(&self, id: u64) -> bool {
        self.orders.get(id).is_some_and(|entry| !entry.life.is_over())
    }

    /// What of an open order may still trade, a replacement under way left aside; none where it does not count, or is such a replacement.
    #[must_use]
    pub fn left(&self, id: u64) -> Option<Qty> {
        let open = self.orders.get(id).filter(|entry| entry.life == crate::orders::Life::Open);
        open.map(|entry| Qty(entry.qty.saturating_sub(entry.executed)))
    }

    /// How many orders are open, unanswered replacements included.
    #[must_use]
    pub fn open_order_count(&self) -> usize {
        self.orders.open()
    }

    /// Bytes the gate itself holds, for the boot report; the tables it reads report their own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.cells)
            + size_of_val(&*self.astray)
            + size_of_val(&*self.strategies)
            + self.orders.bytes()
            + self.executions.bytes()
            + self.shared.bytes()
            + self.levels.bytes()
            + self.activities.bytes()
            + self.tallies.bytes()
            + self.streaks.bytes()
    }

    /// The best price of the own orders of the other side that `order` must not trade with. Looks at each of the instrument's:
    /// for orders that reach as far as such an order may stand.
    pub(crate) fn own_price(&self, order: &OrderIntent) -> Option<u64> {
        let strategies = self.strategies.len();
        let from = order.instrument.index() * strategies;
        let side = opposite(order.side);
        let working = (from..from + strategies).flat_map(|cell| self.orders.working(cell, side));
        let own = working.filter(|entry| self.shared.own.same_owner(order.account, AccountId(entry.account)));
        let prices = own.map(|entry| entry.px);
        match side {
            Side::Bid => prices.max(),
            Side::Ask => prices.min(),
        }
    }

    /// That price, when `order` trades with it at `px`, else 0.
    #[inline(never)]
    pub(crate) fn own_met(&self, order: &OrderIntent, px: u64) -> u64 {
        self.own_price(order).filter(|own| crosses(order.side, px, *own)).unwrap_or(0)
    }

    /// Whether a strategy is stopped for executions that were repeated, and nobody has taken that over yet.
    pub(crate) fn is_stopped(&self, strategy: StrategyId) -> bool {
        let taken = self.tables.breakers.taken_repeats(strategy);
        self.streaks.stops(strategy).wrapping_sub(taken).cast_signed() > 0
    }

    /// Whether the stop of a strategy that was stopped once keeps an order from leaving: not taken over, or taken over since the
    /// order's breakers were read.
    #[cold]
    pub(crate) fn stop_holds(&self, order: &OrderIntent, now: UnixNanos) -> bool {
        self.is_stopped(order.strategy) || !self.tables.breakers.all_open(order, now, self.daemon_age_max_ns)
    }

    /// How often executions that were repeated have stopped a strategy: for [`crate::BreakerWriter::take_repeats`].
    #[must_use]
    pub fn repeat_stops(&self, strategy: StrategyId) -> u32 {
        self.streaks.stops(strategy)
    }

    /// Both indexes are checked: a strategy out of range would else fall into the next instrument's cell.
    #[inline(always)]
    pub(crate) fn cell_index(&self, instrument: InstrumentId, strategy: StrategyId) -> Option<usize> {
        let (i, s, strategies) = (instrument.index(), usize::from(strategy.0), self.strategies.len());
        ((i < self.instruments) & (s < strategies)).then(|| i.wrapping_mul(strategies).wrapping_add(s))
    }

    /// What the checks need of the gate itself.
    #[inline(always)]
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            warn: self.warn,
            clock: self.clock,
            ref_age_max: self.ref_age_max,
            last_age_max: self.tables.references.held().last_age_max,
            period_collar_bps: self.tables.references.held().period.bps,
            critical_reduce_only: self.critical_reduce_only,
            rate_age_max: self.money.map_or(Nanos(0), |rules| rules.rate_age_max),
            daemon_age_max_ns: self.daemon_age_max_ns,
            orders_open: self.orders.open(),
            orders_max: self.orders.open_max(),
            instruments: self.instruments,
            strategies: self.strategies.len(),
            accounts: self.accounts,
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
    /// The account asked for.
    pub account: AccountId,
    /// The position asked for.
    pub position: i64,
}

impl core::fmt::Display for UnknownPosition {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { instrument, strategy, account, position } = self;
        write!(
            f,
            "cannot hold a position of {position} in instrument {}, strategy {}, account {}",
            instrument.0, strategy.0, account.0
        )
    }
}

impl core::error::Error for UnknownPosition {}

#[expect(clippy::cast_possible_truncation, reason = "made from ids in range")]
fn open_order(id: u64, entry: &Entry, strategies: usize) -> OpenOrder {
    let cell = entry.cell as usize;
    OpenOrder {
        id,
        instrument: InstrumentId((cell / strategies) as u32),
        strategy: StrategyId((cell % strategies) as u16),
        account: AccountId(entry.account),
        side: entry.side,
        px: word_price(entry.px),
        leaves: Qty(entry.leaves()),
        replacement: entry.link,
    }
}
