//! The gate as a whole: every reason, every missing input, every boundary, and the properties that must always hold.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test decides on what it is about")]

mod account;
mod activity;
mod audit;
mod blindness;
mod boundaries;
mod clock;
mod credit;
mod days;
mod doubt;
mod fail_closed;
mod fat_finger;
mod groups;
mod incidents;
mod inventory;
mod levels;
mod locates;
mod losses;
mod near;
mod oracle;
mod prices;
mod reasons;
mod restore;
mod restricted;
mod settlement;
mod survivors;
mod venue;
mod walk;
mod words;

use types::{
    BookState, InstrumentId, Nanos, Px, Qty, Side, TickTableId, Tier, TopOfBook, TradingStatus, UnixNanos,
};

use crate::{
    AccountId, Breaker, BreakerCause, BreakerKey, BreakerState, BreakerTable, BreakerWriter, ClassId,
    Decision, Envelope, FixedScore, Gate, GateConfig, GateTables, LimitCause, LimitTable, LimitWriter,
    OrderIntent, OrderType, Permission, RefTable, RefWriter, RejectReason, RiskLimits, SelfMatch,
    StaticTable, StaticTerms, StaticWriter, StrategyConfig, StrategyId, Terms, TimeInForce, Verdict,
};

pub(crate) const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
pub(crate) const CENT: Px = Px(10_000_000);
/// The instrument most tests use; its neighbours on both sides have other rows.
pub(crate) const INSTRUMENT: InstrumentId = InstrumentId(1);
pub(crate) const STRATEGY: StrategyId = StrategyId(1);
pub(crate) const CLASS: ClassId = ClassId(1);
pub(crate) const ACCOUNT: AccountId = AccountId(1);
pub(crate) const INSTRUMENTS: usize = 3;

/// What the model publishes unless a test says otherwise.
pub(crate) const LIVE: RiskLimits = RiskLimits {
    max_qty: Qty(500),
    max_notional_micros: 60_000_000_000,
    collar_bps: 500,
    passive_min_ticks: 1,
    max_pos_long: 2_000,
    max_pos_short: 1_500,
    order_rate_per_s: 10,
    order_burst: 4,
    margin_bps: 10_000,
};

/// The officer's base: tighter than what the model publishes in a calm market.
pub(crate) const BASE: RiskLimits = RiskLimits {
    max_qty: Qty(400),
    max_notional_micros: 50_000_000_000,
    collar_bps: 400,
    passive_min_ticks: 2,
    max_pos_long: 1_000,
    max_pos_short: 900,
    order_rate_per_s: 5,
    order_burst: 2,
    margin_bps: 10_000,
};

/// The officer's cap.
pub(crate) const CAP: RiskLimits = RiskLimits {
    max_qty: Qty(600),
    max_notional_micros: 70_000_000_000,
    collar_bps: 600,
    passive_min_ticks: 0,
    max_pos_long: 3_000,
    max_pos_short: 2_500,
    order_rate_per_s: 20,
    order_burst: 8,
    margin_bps: 10_000,
};

/// As tight as limits can be.
pub(crate) const FLOOR: RiskLimits = RiskLimits {
    max_qty: Qty(1),
    max_notional_micros: 1,
    collar_bps: 1,
    passive_min_ticks: 100,
    max_pos_long: 0,
    max_pos_short: 0,
    order_rate_per_s: 1,
    order_burst: 1,
    margin_bps: 20_000,
};

/// No limit of one order is near.
pub(crate) const WIDE: RiskLimits = RiskLimits {
    max_qty: Qty(1_000_000),
    max_notional_micros: 1 << 60,
    collar_bps: 10_000,
    passive_min_ticks: 0,
    max_pos_long: 1 << 40,
    max_pos_short: 1 << 40,
    order_rate_per_s: 20_000,
    order_burst: 60_000,
    margin_bps: 10_000,
};

pub(crate) const OPEN: Breaker = Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 };

pub(crate) fn breaker(state: BreakerState) -> Breaker {
    Breaker { state, cause: BreakerCause::Officer, episode: 1 }
}

pub(crate) fn envelope() -> Envelope {
    Envelope::new(FLOOR, BASE, CAP).expect("floor, base and cap in order")
}

pub(crate) fn static_terms() -> StaticTerms {
    StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 }
}

pub(crate) fn terms(tier: Tier) -> Terms {
    let score = FixedScore::from_f64(0.0123).expect("a score");
    Terms { tier, score, lease: Nanos::SECOND, version: 9, cause: LimitCause::Boot }
}

/// 100.00 to 100.02, a thousand on each side.
pub(crate) fn top() -> TopOfBook {
    TopOfBook {
        bid: px("100.00"),
        bid_qty: 1_000,
        ask: px("100.02"),
        ask_qty: 1_000,
        last: px("100.01"),
        last_ts: NOW,
        tick: CENT,
        tick_table: TickTableId::NONE,
        ts: NOW,
        state: BookState::Live,
        status: TradingStatus::Trading,
    }
}

pub(crate) fn px(text: &str) -> Px {
    text.parse().expect("a price")
}

/// A buy of 100 at the bid.
pub(crate) fn order(id: u64) -> OrderIntent {
    OrderIntent {
        cl_ord_id: id,
        px: px("100.00"),
        instrument: INSTRUMENT,
        qty: Qty(100),
        strategy: STRATEGY,
        account: ACCOUNT,
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
    }
}

/// A sell of 100 at the ask.
pub(crate) fn sell(id: u64) -> OrderIntent {
    OrderIntent { side: Side::Ask, px: px("100.02"), ..order(id) }
}

pub(crate) fn market(id: u64, side: Side) -> OrderIntent {
    OrderIntent { side, px: Px::NONE, order_type: OrderType::Market, ..order(id) }
}

/// A gate with the writing ends of its tables. Made by [`Rig::new`], it accepts [`order`].
pub(crate) struct Rig {
    pub gate: Gate,
    pub statics: StaticWriter,
    pub dynamics: LimitWriter,
    pub references: RefWriter,
    pub breakers: BreakerWriter,
}

/// How many strategies there are; the last one's class has limits like the others'.
pub(crate) const STRATEGIES: [StrategyConfig; 2] = [
    StrategyConfig { class: ClassId(0), order_rate_per_s: 1_000_000, order_burst: 1_000_000 },
    StrategyConfig { class: CLASS, order_rate_per_s: 40, order_burst: 1_000_000 },
];

pub(crate) const CONFIG: GateConfig<'static> = GateConfig {
    strategies: &STRATEGIES,
    accounts: 2,
    open_orders_max: 16,
    recent_orders: 8,
    account_positions: true,
    self_match: SelfMatch::Account,
    ..GateConfig::DEFAULT
};

impl Rig {
    /// Everything known, open, live and fresh.
    pub(crate) fn new() -> Self {
        Self::with(&CONFIG, true)
    }

    /// Without a model.
    pub(crate) fn statics_only() -> Self {
        Self::with(&CONFIG, false)
    }

    pub(crate) fn with(config: &GateConfig<'_>, model: bool) -> Self {
        Self::bare(config, model).opened()
    }

    /// Everything known, open, live and fresh, and nothing located.
    pub(crate) fn locating(config: &GateConfig<'_>) -> Self {
        Self::over(config, true, config.accounts).opened()
    }

    fn opened(mut self) -> Self {
        let rig = &mut self;
        rig.breakers.set_unset(OPEN);
        rig.publish_static(&envelope(), &static_terms());
        rig.publish_live(&LIVE, Tier::Normal, NOW);
        rig.references.publish(INSTRUMENT, &top()).expect("a row");
        self
    }

    /// Nothing published anywhere.
    pub(crate) fn bare(config: &GateConfig<'_>, model: bool) -> Self {
        Self::over(config, model, 0)
    }

    /// The same, with sells held to what is located for so many accounts.
    pub(crate) fn over(config: &GateConfig<'_>, model: bool, located_accounts: u16) -> Self {
        let (statics, static_reader) =
            StaticTable::create_locating(INSTRUMENTS, 2, located_accounts).expect("a table");
        let (dynamics, limit_reader) = LimitTable::create_within(&static_reader).expect("a table");
        let (references, ref_reader) = RefTable::create(INSTRUMENTS).expect("a table");
        let strategies = u16::try_from(config.strategies.len()).expect("few");
        let (breakers, breaker_reader) =
            BreakerTable::create(config.accounts, strategies, INSTRUMENTS).expect("a table");
        let tables = GateTables {
            statics: static_reader,
            dynamics: model.then_some(limit_reader),
            fat_finger: None,
            references: ref_reader,
            breakers: breaker_reader,
        };
        Self { gate: Gate::new(config, tables).expect("a gate"), statics, dynamics, references, breakers }
    }

    pub(crate) fn publish_static(&mut self, envelope: &Envelope, terms: &StaticTerms) {
        self.statics.publish(INSTRUMENT, CLASS, envelope, terms, NOW).expect("a row");
    }

    pub(crate) fn publish_live(&mut self, limits: &RiskLimits, tier: Tier, at: UnixNanos) {
        let limits = envelope().clamp(limits);
        self.dynamics.publish(INSTRUMENT, CLASS, &limits, &terms(tier), at).expect("a row");
    }

    pub(crate) fn publish_top(&mut self, top: &TopOfBook) {
        self.references.publish(INSTRUMENT, top).expect("a row");
    }

    pub(crate) fn set(&mut self, scope: BreakerKey, state: BreakerState) {
        self.breakers.set(scope, breaker(state)).expect("a scope");
    }

    pub(crate) fn hold(&mut self, position: i64) {
        self.gate.set_position(INSTRUMENT, STRATEGY, ACCOUNT, position).expect("a cell");
    }

    pub(crate) fn check(&self, order: &OrderIntent) -> Verdict {
        self.gate.check(order, NOW)
    }

    /// Whether the fast path lets an order through.
    pub(crate) fn fast(&self, order: &OrderIntent, now: UnixNanos) -> bool {
        let pass = if self.gate.apart {
            self.gate.pass::<true>(order, now)
        } else {
            self.gate.pass::<false>(order, now)
        };
        pass.or_else(|| self.gate.pass_at_market(order, now)).is_some()
    }

    /// Reserves an order that must be let through.
    pub(crate) fn take(&mut self, order: &OrderIntent) {
        let (verdict, reservation) = self.gate.reserve(order, NOW);
        assert_eq!(verdict.reason, None, "{verdict}");
        assert_eq!(reservation.map(|r| r.id()), Some(order.cl_ord_id));
    }

    /// The order breaks `reason` first, and `check`, `explain` and `reserve` agree on it.
    #[track_caller]
    pub(crate) fn refuses(&mut self, order: &OrderIntent, reason: RejectReason) -> Verdict {
        let verdict = self.check(order);
        assert_eq!(verdict.reason, Some(reason), "{verdict}");
        assert_eq!(verdict.decision, Decision::Reject);
        let explained = self.gate.explain(order, NOW);
        assert_eq!(explained.verdict, verdict);
        assert_eq!(explained.breaches().next().map(|b| b.reason), Some(reason));
        let before = self.gate.open_order_count();
        let (reserved, reservation) = self.gate.reserve(order, NOW);
        assert_eq!((reserved, reservation), (verdict, None));
        assert_eq!(self.gate.open_order_count(), before, "a refused order leaves no trace");
        verdict
    }

    #[track_caller]
    pub(crate) fn accepts(&self, order: &OrderIntent) -> Verdict {
        let verdict = self.check(order);
        assert_eq!(verdict.reason, None, "{verdict}");
        assert!(verdict.accepted());
        verdict
    }
}
