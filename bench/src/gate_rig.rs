//! A gate with everything a gate has in production: officer's limits, live dynamic limits under a lease, reference
//! prices, open breakers, positions and a half-full table of open orders; and orders it accepts.

use gate::{
    AccountId, ActivityLimits, Breaker, BreakerCause, BreakerState, ClassId, Effective, Envelope,
    ExposureLimits, FixedScore, Gate, GateConfig, GateTables, GroupConfig, GroupKind, InstrumentTerms,
    LimitCause, LimitReader, LimitWriter, MoneyRules, OrderEvent, OrderIntent, OrderType, Permission,
    Private, ProfitRules, RefRules, RefWriter, RiskLimits, SelfMatch, StaticTerms, StaticWriter,
    StrategyConfig, StrategyId, TableShape, TableWriters, Terms, TimeInForce, TradeDate,
};
use types::{
    BookState, InstrumentId, Nanos, Px, Qty, Side, TickTableId, Tier, TopOfBook, TradingStatus, UnixNanos,
};

/// When the last resting order was sent. Time is an argument of the gate, so the benches run on a clock of their own.
pub const OPEN: UnixNanos = UnixNanos(1_572_445_800_000_000_000);

/// Orders that stay open while others are checked.
const RESTING: u64 = 2_000;

/// Between two resting orders, and the window of [`Beyond::Repeats`]: sent so far apart, no order is another one's repeat.
pub const STEP: Nanos = Nanos(1_000_000);

/// First client order id of the orders that are measured.
const FIRST_ID: u64 = 1_000_000;

/// One tick: a cent.
const CENT: i64 = 10_000_000;

/// Every limit is in force and none binds the orders of [`orders`].
pub const LIMITS: RiskLimits = RiskLimits {
    max_qty: Qty(5_000),
    max_notional_micros: 10_000_000_000_000,
    collar_bps: 500,
    passive_min_ticks: 2,
    max_pos_long: 1 << 40,
    max_pos_short: 1 << 40,
    order_rate_per_s: 20_000,
    order_burst: 60_000,
    margin_bps: 10_000,
};

/// What a rig's gate judges an order by besides its own strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing.
    Nothing,
    /// The account's position and own orders, as in a daemon unless it is configured otherwise.
    Account,
    /// Those, and whether the same order was sent within [`STEP`].
    Repeats,
    /// The account, and values of contracts of two units.
    Money,
    /// The account, and what strategy and account hold over all instruments: all of the rig's are held.
    Exposure,
    /// The same, with marks that may be a tenth of a second old.
    Kept,
    /// The same of a desk, a trader and the firm as well, and what all five lost today, in the firm's money.
    Levels,
    /// The account, and what strategy and account do within a minute.
    Activity,
}

/// In force, and never reached.
const EXPOSURE: ExposureLimits = ExposureLimits {
    gross_micros: 1 << 62,
    net_micros: 1 << 62,
    instrument_micros: 1 << 62,
    ..ExposureLimits::NONE
};

/// Likewise.
const ACTIVITY: ActivityLimits = ActivityLimits {
    value_micros: 1 << 62,
    qty: 1 << 62,
    messages: 1 << 62,
    cancels: 1 << 62,
    messages_per_trade: 1 << 62,
};

/// Likewise.
const GROUPS: [GroupConfig; 3] = [
    GroupConfig { kind: GroupKind::Desk, limits: EXPOSURE, loss_micros: 1 << 62 },
    GroupConfig { kind: GroupKind::Trader, limits: EXPOSURE, loss_micros: 1 << 62 },
    GroupConfig { kind: GroupKind::Firm, limits: EXPOSURE, loss_micros: 1 << 62 },
];

/// Every instrument is to be declared.
const RULES: MoneyRules = MoneyRules { rate_age_max: Nanos(1), undeclared_is_plain: false };

/// In force where wanted.
const fn only_if<L>(wanted: bool, limits: &'static [L]) -> &'static [L] {
    if wanted { limits } else { &[] }
}

/// What a gate is told that judges by so much.
fn config_of(beyond: Beyond, strategies: &[StrategyConfig], profit: ProfitRules) -> GateConfig<'_> {
    let levels = beyond == Beyond::Levels;
    let kept = levels || beyond == Beyond::Kept;
    let exposed = kept || beyond == Beyond::Exposure;
    // References are checked for their age; a simulated minute must not make them too old.
    GateConfig {
        strategies,
        ref_age_max: Nanos(3_600_000_000_000),
        account_positions: beyond != Beyond::Nothing,
        self_match: if beyond == Beyond::Nothing { SelfMatch::Off } else { SelfMatch::Account },
        repeat_window: if beyond == Beyond::Repeats { STEP } else { Nanos(0) },
        money: (levels || beyond == Beyond::Money).then_some(RULES),
        strategy_limits: only_if(exposed, &[EXPOSURE]),
        account_limits: only_if(exposed, &[EXPOSURE]),
        mark_age_max: Nanos(if kept { 100_000_000 } else { 0 }),
        strategy_loss: only_if(levels, &[1 << 62]),
        account_loss: only_if(levels, &[1 << 62]),
        groups: only_if(levels, &GROUPS),
        strategy_groups: only_if(levels, &[[Some(0), Some(1), Some(2)]]),
        profit: levels.then_some(profit),
        window: if beyond == Beyond::Activity { Nanos(60_000_000_000) } else { Nanos(0) },
        strategy_activity: only_if(beyond == Beyond::Activity, &[ACTIVITY]),
        account_activity: only_if(beyond == Beyond::Activity, &[ACTIVITY]),
        ..GateConfig::DEFAULT
    }
}

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016): seeded chance that no
/// prefetcher guesses.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A stream of chance; the same seed gives the same stream.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `n`.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((word * u64::from(n)) >> 32) as u32
    }
}

/// A gate and the handles of those who feed it.
#[derive(Debug)]
pub struct GateRig {
    /// The gate.
    pub gate: Gate,
    /// Those who publish what it reads.
    pub publisher: Publisher,
    /// Bytes of all tables the gate reads or owns.
    pub bytes: usize,
    /// The officer's handle: rows stay as published while it lives.
    _officer: StaticWriter,
}

/// Scorer and book owner: they republish limits and prices while orders are checked.
#[derive(Debug)]
pub struct Publisher {
    limits: LimitWriter,
    references: RefWriter,
    effective: Effective,
    instruments: u32,
    chance: Chance,
    version: u32,
}

impl GateRig {
    /// A rig over so many instruments, one strategy, and nothing judged beyond it.
    ///
    /// # Panics
    /// When the gate refuses a table: the sizes asked for are not ones it can have.
    #[must_use]
    pub fn open(instruments: u32) -> Self {
        Self::with(instruments, Beyond::Nothing)
    }

    /// A rig over so many instruments, one strategy.
    ///
    /// # Panics
    /// When the gate refuses a table: the sizes asked for are not ones it can have.
    #[must_use]
    pub fn with(instruments: u32, beyond: Beyond) -> Self {
        let start = UnixNanos(OPEN.0 - RESTING * STEP.0);
        let count = instruments as usize;
        let shape = TableShape {
            instruments: count,
            classes: 1,
            accounts: 1,
            strategies: 1,
            dynamics: true,
            fat_finger: false,
            locates: false,
        };
        let (writers, tables) =
            GateTables::create_in(&mut Private, &shape, &RefRules::DEFAULT).expect("tables of a legal size");
        let TableWriters {
            statics: mut officer, dynamics, references, mut terms, breakers: mut control, ..
        } = writers;
        let limits = dynamics.expect("the shape has a dynamic table");
        control.set_unset(Breaker { state: BreakerState::Open, cause: BreakerCause::Boot, episode: 0 });
        let envelope = Envelope::fixed(LIMITS).expect("limits within their bounds");
        let lot = StaticTerms { lot: Qty(1), permission: Permission::Granted, version: 1 };
        for i in 0..instruments {
            officer.publish(InstrumentId(i), ClassId(0), &envelope, &lot, start).expect("a row");
        }
        let settlement = Px::from_1e4(50_000);
        let profit = ProfitRules { day_start: Nanos(0), fee_nanos_per_unit: 0, settlement_age_max_days: 1 };
        let settlement_date = TradeDate(profit.trade_date(OPEN).0 - 1);
        let contract = InstrumentTerms {
            multiplier_micros: 2_000_000,
            settlement,
            settlement_date,
            ..InstrumentTerms::PLAIN
        };
        (0..instruments).for_each(|i| terms.define(InstrumentId(i), &contract).expect("a row"));
        let dynamic_bytes = tables.dynamics.as_ref().map_or(0, LimitReader::bytes);
        let bytes =
            tables.statics.bytes() + dynamic_bytes + tables.references.bytes() + tables.breakers.bytes();
        let strategies =
            [StrategyConfig { class: ClassId(0), order_rate_per_s: 1_000_000_000, order_burst: u32::MAX }];
        let config = config_of(beyond, &strategies, profit);
        let gate = Gate::new(&config, tables).expect("a gate over tables of one size");
        let publisher = Publisher {
            limits,
            references,
            effective: envelope.clamp(&LIMITS),
            instruments,
            chance: Chance::new(7),
            version: 0,
        };
        let mut rig = Self { bytes: bytes + gate.bytes(), gate, publisher, _officer: officer };
        (0..instruments).for_each(|i| rig.publisher.publish(i, start));
        rig.trade_a_little(start);
        rig
    }

    /// Positions in every instrument and [`RESTING`] open orders of both sides, so that look-ups find something. None rests
    /// at the touch, so an order that takes the touch trades with none of them.
    fn trade_a_little(&mut self, start: UnixNanos) {
        let mut chance = Chance::new(11);
        for i in 0..self.publisher.instruments {
            let position = i64::from(chance.below(20_001)) - 10_000;
            self.gate
                .set_position(InstrumentId(i), StrategyId(0), AccountId(0), position)
                .expect("a small position");
        }
        let resting = orders(self.publisher.instruments, RESTING as usize, 13);
        for (id, order) in (1..=RESTING).zip(resting) {
            let order = OrderIntent { cl_ord_id: id, ..behind_the_touch(&order) };
            let (verdict, reservation) = self.gate.reserve(&order, start.plus(Nanos(id * STEP.0)));
            assert!(reservation.is_some(), "a resting order was refused: {verdict}");
        }
    }
}

impl Publisher {
    /// Publishes limits and prices of one instrument.
    ///
    /// # Panics
    /// When the instrument is not the rig's.
    #[inline]
    pub fn publish(&mut self, instrument: u32, now: UnixNanos) {
        self.version += 1;
        let terms = Terms {
            tier: Tier::Normal,
            score: FixedScore::from_micros(self.version % 40_000).unwrap_or(FixedScore::ZERO),
            lease: Nanos(60_000_000_000),
            version: self.version,
            cause: LimitCause::Renew,
        };
        let id = InstrumentId(instrument);
        self.limits.publish(id, ClassId(0), &self.effective, &terms, now).expect("a row");
        self.references.publish(id, &top(instrument, now)).expect("a row");
    }

    /// Publishes one instrument chosen by chance.
    #[inline]
    pub fn publish_any(&mut self, now: UnixNanos) {
        let instrument = self.chance.below(self.instruments);
        self.publish(instrument, now);
    }
}

/// Quotes from 5 to 505 dollars, two cents wide.
#[must_use]
pub fn top(instrument: u32, now: UnixNanos) -> TopOfBook {
    let mid = Px::from_1e4(50_000 + i64::from(instrument % 500) * 10_000);
    TopOfBook {
        bid: Px(mid.0 - CENT),
        bid_qty: 5_000,
        ask: Px(mid.0 + CENT),
        ask_qty: 5_000,
        last: mid,
        last_ts: now,
        tick: Px(CENT),
        tick_table: TickTableId::US_EQUITY,
        ts: now,
        state: BookState::Live,
        status: TradingStatus::Trading,
    }
}

/// The same order, resting one tick behind the touch of its side unless it rests behind it already.
fn behind_the_touch(order: &OrderIntent) -> OrderIntent {
    let quote = top(order.instrument.0, OPEN);
    let (first, behind) = match order.side {
        Side::Bid => (Px(quote.bid.0 - CENT), order.px.is_some() && order.px.0 < quote.bid.0),
        Side::Ask => (Px(quote.ask.0 + CENT), order.px.is_some() && order.px.0 > quote.ask.0),
    };
    let px = if behind { order.px } else { first };
    OrderIntent { px, order_type: OrderType::Limit, tif: TimeInForce::Day, ..*order }
}

/// Orders over random instruments that a [`GateRig`] accepts: nine of ten rest at the touch or up to five ticks behind it, the
/// others take, half of them at market.
#[must_use]
pub fn orders(instruments: u32, count: usize, seed: u64) -> Vec<OrderIntent> {
    let mut chance = Chance::new(seed);
    (0..count as u64)
        .map(|n| {
            let instrument = chance.below(instruments);
            let side = if chance.below(2) == 0 { Side::Bid } else { Side::Ask };
            let quote = top(instrument, OPEN);
            let (near, far, away) = match side {
                Side::Bid => (quote.bid.0, quote.ask.0, -CENT),
                Side::Ask => (quote.ask.0, quote.bid.0, CENT),
            };
            let (px, order_type, tif) = match chance.below(20) {
                0 => (Px::NONE, OrderType::Market, TimeInForce::Ioc),
                1 => (Px(far), OrderType::Limit, TimeInForce::Ioc),
                _ => (Px(near + away * i64::from(chance.below(6))), OrderType::Limit, TimeInForce::Day),
            };
            OrderIntent {
                cl_ord_id: FIRST_ID + n,
                px,
                instrument: InstrumentId(instrument),
                qty: Qty(100 * (1 + chance.below(9))),
                strategy: StrategyId(0),
                account: AccountId(0),
                side,
                order_type,
                tif,
            }
        })
        .collect()
}

/// The event that makes an order as if it had never been.
#[must_use]
pub const fn cancelled(id: u64) -> OrderEvent {
    OrderEvent::Cancelled { id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gate::{Decision, LimitsSource, Settlement};

    #[test]
    fn every_order_is_accepted_under_live_limits() {
        for beyond in [
            Beyond::Nothing,
            Beyond::Account,
            Beyond::Repeats,
            Beyond::Money,
            Beyond::Exposure,
            Beyond::Kept,
            Beyond::Levels,
            Beyond::Activity,
        ] {
            every_order_is_accepted(GateRig::with(64, beyond));
        }
    }

    fn every_order_is_accepted(mut rig: GateRig) {
        let mut now = OPEN;
        for order in orders(64, 20_000, 1) {
            now = now.plus(STEP);
            let verdict = rig.gate.check(&order, now);
            assert_eq!(
                (verdict.decision, verdict.source),
                (Decision::Accept, LimitsSource::Dynamic),
                "{verdict}"
            );
            let (verdict, reservation) = rig.gate.reserve(&order, now);
            assert!(reservation.is_some(), "{verdict}");
            assert_eq!(rig.gate.settle(cancelled(order.cl_ord_id)), Settlement::Done);
        }
        assert_eq!(rig.gate.open_order_count() as u64, RESTING);
    }

    #[test]
    fn all_checks_are_on() {
        let rig = GateRig::open(64);
        let good = orders(64, 1, 1)[0];
        let refused = |order: OrderIntent| rig.gate.check(&order, OPEN).slug();
        assert_eq!(refused(OrderIntent { cl_ord_id: 1, ..good }), "DUPLICATE");
        assert_eq!(refused(OrderIntent { qty: Qty(5_001), ..good }), "QTY_STATIC");
        assert_eq!(refused(OrderIntent { px: Px(good.px.0 * 2), ..good }), "COLLAR");
        assert_eq!(refused(OrderIntent { px: Px(good.px.0 + 1), ..good }), "BAD_TICK");
        let late = OPEN.plus(Nanos(61_000_000_000));
        assert_eq!(rig.gate.check(&good, late).source, LimitsSource::StaticLease);
    }

    #[test]
    fn a_writer_at_work_changes_no_verdict() {
        let mut rig = GateRig::open(8);
        let order = orders(8, 1, 3)[0];
        (0..1_000).for_each(|_| rig.publisher.publish_any(OPEN));
        assert_eq!(rig.gate.check(&order, OPEN).decision, Decision::Accept);
    }

    #[test]
    fn chance_is_spread_and_repeats() {
        let mut a = Chance::new(5);
        let mut b = Chance::new(5);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            let n = a.below(10);
            assert_eq!(n, b.below(10));
            seen[n as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
    }
}
