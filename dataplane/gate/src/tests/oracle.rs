//! The gate against a second reading of its specification: every check written again in the plainest way, over 128-bit
//! integers and with early returns nowhere, on random orders in random states near every boundary.

use super::*;
use crate::{
    CurrencyId, FAT_FINGER_BUCKETS, FatFingerLimits, FatFingerTable, Flags, InstrumentTerms, LimitsSource,
    Located, MoneyRules, RefReader, RefRules, RejectReason as R, RestrictedTo, Restriction, SIGNED_PX_MAX,
    TermsWriter, TimesInForce,
};
use proptest::{prelude::*, sample::select};
use std::{vec, vec::Vec};
use types::{StaleCause, TickStep, TickTable};

/// Whether each number is one that an instrument can have.
fn usable(terms: &InstrumentTerms) -> bool {
    let least = terms.worth_min == Px::NONE || (1..=SIGNED_PX_MAX.0).contains(&terms.worth_min.0);
    least && (1..=1_000_000 * 1_000_000).contains(&terms.multiplier_micros)
}

/// What prices mean in money. Every price of a world whose instrument may trade at zero or below lies so much lower.
#[derive(Clone, Debug)]
struct Money {
    rules: MoneyRules,
    terms: Option<InstrumentTerms>,
    /// In 1e-9, and how old.
    rate: Option<(u64, u64)>,
}

/// By how much.
const LOWER: i64 = 100_000_000_000;

impl Money {
    fn write(&self, references: &RefReader, now: UnixNanos) {
        let mut writer = TermsWriter::of(references);
        if let Some(terms) = &self.terms {
            writer.define(INSTRUMENT, terms).unwrap();
        }
        if let Some((rate, ago)) = self.rate {
            writer.rate(CurrencyId(1), rate, UnixNanos(now.0 - ago));
        }
    }

    /// Whether anything has a value.
    fn counts(&self) -> bool {
        let terms = match self.terms {
            None if self.rules.undeclared_is_plain => InstrumentTerms::PLAIN,
            None => return false,
            Some(terms) => terms,
        };
        let known =
            |(rate, ago)| (1..=crate::RATE_NANOS_MAX).contains(&rate) && ago <= self.rules.rate_age_max.0;
        usable(&terms) && (terms.currency.0 == 0 || self.rate.is_some_and(known))
    }

    /// What prices that may not be positive are worth at least, 0 where they are positive.
    fn least(&self) -> i64 {
        self.terms.filter(InstrumentTerms::may_be_negative).map_or(0, |terms| terms.worth_min.0)
    }
}

fn any_money() -> impl Strategy<Value = Money> {
    const MOST: u64 = crate::MULTIPLIER_MICROS_MAX;
    let worth_min = prop_oneof![
        20 => Just(Px::NONE),
        10 => (1_i64..30_000).prop_map(|cents| Px(cents * CENT.0)),
        1 => select(vec![Px(0), Px(-1), Px(SIGNED_PX_MAX.0 + 1)]),
    ];
    let multiplier = prop_oneof![
        5 => Just(1_000_000),
        5 => 1_u64..20_000_000,
        10 => select(vec![1, MOST]),
        1 => select(vec![0, MOST + 1, u64::MAX]),
    ];
    let terms = (multiplier, 0_u8..2, worth_min, Just(Px::NONE)).prop_map(
        |(multiplier_micros, currency, worth_min, settlement)| InstrumentTerms {
            multiplier_micros,
            currency: CurrencyId(currency),
            worth_min,
            settlement,
            settlement_date: crate::TradeDate::NONE,
        },
    );
    let rate = prop_oneof![
        5 => Just(1_000_000_000),
        5 => 1_u64..3_000_000_000,
        10 => select(vec![6_693_210, 0]),
        1 => select(vec![crate::RATE_NANOS_MAX, crate::RATE_NANOS_MAX + 1, u64::MAX]),
    ];
    let rate = (rate, prop_oneof![8 => 0_u64..80, 1 => Just(100), 1 => Just(101)]);
    let rules = any::<bool>()
        .prop_map(|undeclared_is_plain| MoneyRules { rate_age_max: Nanos(100), undeclared_is_plain });
    (rules, proptest::option::weighted(0.85, terms), proptest::option::weighted(0.9, rate))
        .prop_map(|(rules, terms, rate)| Money { rules, terms, rate })
}

/// A random state of one row.
#[derive(Clone, Debug)]
pub(super) struct World {
    money: Option<Money>,
    live: Option<(RiskLimits, Tier, u64)>,
    /// Sizes as they are handed in, and the lease in ms.
    fat_finger: Option<([u32; FAT_FINGER_BUCKETS], u64)>,
    pub(super) top: Option<TopOfBook>,
    /// What the reference was in the last minutes, in cents, before it became what `top` says.
    earlier: Option<i64>,
    heartbeat_ago_ns: u64,
    position: i64,
    permission: Permission,
    /// Lines of the restricted list.
    restricted: Vec<(Side, RestrictedTo)>,
    /// What is located for the account, and for how many minutes; none where nobody is held to it.
    located: Option<(u32, u64)>,
    lot: u32,
    pub(super) breakers: [Option<BreakerState>; 4],
    now_after_publish_ns: u64,
    working: Vec<(Side, u32)>,
}

fn any_side() -> impl Strategy<Value = Side> {
    select(vec![Side::Bid, Side::Ask])
}

/// How long control may say nothing. It was heard when the feeds were.
const SILENCE_MAX: Nanos = Nanos(5_500_000_000);

/// Mostly the healthy value, sometimes one of the others.
fn mostly<T: Clone + core::fmt::Debug + 'static>(healthy: T, others: Vec<T>) -> impl Strategy<Value = T> {
    prop_oneof![6 => Just(healthy), 1 => select(others)]
}

fn any_price() -> impl Strategy<Value = Px> {
    prop_oneof![
        8 => (9_400_i64..10_600).prop_map(|cents| Px(cents * CENT.0)),
        1 => (99_900_000_000_i64..100_100_000_000).prop_map(Px),
        1 => select(vec![Px(0), Px(-1), Px::NONE, crate::PX_MAX, Px(crate::PX_MAX.0 + 1), Px(CENT.0)]),
    ]
}

fn any_limits() -> impl Strategy<Value = RiskLimits> {
    let size = (1_u32..700, 1_i64..80_000_000_000);
    let band = (1_u32..700, 0_u32..6);
    let rest = (0_i64..700, 0_i64..700, 1_u32..50, 1_u32..5);
    (size, band, rest).prop_map(|((qty, notional), (collar, passive), (long, short, rate, burst))| {
        RiskLimits {
            max_qty: Qty(qty),
            max_notional_micros: notional,
            collar_bps: collar,
            passive_min_ticks: passive,
            max_pos_long: long,
            max_pos_short: short,
            order_rate_per_s: rate,
            order_burst: burst,
            margin_bps: 10_000,
        }
    })
}

/// Half a cent below a hundred dollars, two cents from there on.
const STEPS: [TickStep; 2] = [
    TickStep { from: Px(0), tick: Px(5_000_000) },
    TickStep { from: Px(100_000_000_000), tick: Px(20_000_000) },
];

/// The table of [`STEPS`] in the worlds' list.
const STEPPED: TickTableId = TickTableId(2);

fn any_top() -> impl Strategy<Value = TopOfBook> {
    let cents = |range: core::ops::Range<i64>| prop_oneof![9 => range.prop_map(|c| Px(c * CENT.0)), 1 => Just(Px::NONE)];
    let state = mostly(
        BookState::Live,
        vec![BookState::Empty, BookState::Recovering, BookState::Stale(StaleCause::Gap)],
    );
    let status = mostly(TradingStatus::Trading, (0..=4).map(TradingStatus::from_u64).collect());
    let others = select(vec![STEPPED, STEPPED, TickTableId(3)]);
    let table = prop_oneof![12 => Just(TickTableId::NONE), 1 => others];
    let last_ago = mostly(0, vec![59_999_999_999, 60_000_000_000, 60_000_000_001, NOW.0]);
    let sizes =
        (0_u64..300, 0_u64..300, mostly(CENT, vec![Px::NONE, Px(25_000_000), Px(1)]), table, last_ago);
    (cents(9_900..10_005), cents(9_998..10_100), cents(9_900..10_100), sizes, state, status).prop_map(
        |(bid, ask, last, (bid_qty, ask_qty, tick, tick_table, last_ago), state, status)| TopOfBook {
            bid,
            bid_qty,
            ask,
            ask_qty,
            last,
            last_ts: UnixNanos(NOW.0 - last_ago),
            tick,
            tick_table,
            ts: NOW,
            state,
            status,
        },
    )
}

/// Lines of the list: a third are about the order's own strategy or account.
fn any_restricted() -> impl Strategy<Value = Vec<(Side, RestrictedTo)>> {
    let to = select(vec![
        RestrictedTo::Strategy(STRATEGY),
        RestrictedTo::Account(ACCOUNT),
        RestrictedTo::Strategy(StrategyId(0)),
        RestrictedTo::Account(AccountId(0)),
        RestrictedTo::Strategy(StrategyId(62)),
        RestrictedTo::Account(AccountId(400)),
    ]);
    let to = prop_oneof![8 => to, 1 => Just(RestrictedTo::Everyone)];
    let lines = proptest::collection::vec((any_side(), to), 1..3);
    prop_oneof![12 => Just(Vec::new()), 1 => lines]
}

/// Mostly enough, where anybody is held to it.
fn any_located() -> impl Strategy<Value = Option<(u32, u64)>> {
    let qty = prop_oneof![2 => 0_u32..1_500, 1 => Just(u32::MAX)];
    proptest::option::weighted(0.3, (qty, mostly(1, vec![0, 1, 1_000])))
}

pub(super) fn any_world() -> impl Strategy<Value = World> {
    let live = (any_limits(), select(Tier::ALL.to_vec()), mostly(1_000, vec![0, 1, 5, 9]));
    let fat_finger = (prop::array::uniform16(100_u32..900), mostly(1_000, vec![0, 1, 5, 9]));
    let breaker = || {
        let closed = vec![None, Some(BreakerState::ReduceOnly), Some(BreakerState::Tripped)];
        prop_oneof![12 => Just(Some(BreakerState::Open)), 1 => select(closed)]
    };
    let working = proptest::collection::vec((any_side(), 1_u32..120), 0..4);
    let after = prop_oneof![0_u64..200_000, 0_u64..20_000_000];
    let times = (mostly(0, vec![1, 4_999_999_999, 5_000_000_000, 6_000_000_000]), after);
    (
        (proptest::option::weighted(0.9, live), proptest::option::weighted(0.7, fat_finger)),
        (proptest::option::weighted(0.95, any_top()), proptest::option::weighted(0.2, 8_500_i64..12_500)),
        times,
        -600_i64..600,
        (
            mostly(Permission::Granted, vec![Permission::Denied, Permission::Restricted]),
            mostly(1, vec![0, 7, 10]),
            any_restricted(),
            any_located(),
        ),
        [breaker(), breaker(), breaker(), breaker()],
        (working, proptest::option::weighted(0.5, any_money())),
    )
        .prop_map(
            |(
                (live, fat_finger),
                (top, earlier),
                (ago, after),
                position,
                (permission, lot, restricted, located),
                breakers,
                (working, money),
            )| World {
                money,
                live,
                fat_finger,
                top,
                earlier,
                heartbeat_ago_ns: ago,
                position,
                permission,
                restricted,
                located,
                lot,
                breakers,
                now_after_publish_ns: after,
                working,
            },
        )
}

pub(super) fn any_order() -> impl Strategy<Value = OrderIntent> {
    let kind = prop_oneof![4 => Just(OrderType::Limit), 1 => Just(OrderType::Market)];
    // One in eight is what the strategy may not use.
    let (day, ioc) = (TimeInForce::Day, TimeInForce::Ioc);
    let tif = select(vec![day, ioc, day, ioc, day, ioc, ioc, TimeInForce::Gtc]);
    (any_side(), any_price(), 0_u32..700, kind, tif, mostly(1_000, vec![0, 1])).prop_map(
        |(side, px, qty, order_type, tif, cl_ord_id)| OrderIntent {
            cl_ord_id,
            px: if order_type == OrderType::Market && px.is_some() && px.0 % 3 != 0 { Px::NONE } else { px },
            qty: Qty(qty),
            side,
            order_type,
            tif,
            ..order(1)
        },
    )
}

/// A rig whose strategy sends no orders that work until they are cancelled.
fn bare_rig(located_accounts: u16) -> Rig {
    let short = TimesInForce::of([TimeInForce::Day, TimeInForce::Ioc]);
    let times = [TimesInForce::ANY, short];
    let config = GateConfig { daemon_age_max: SILENCE_MAX, strategy_times_in_force: &times, ..CONFIG };
    Rig::over(&config, true, located_accounts)
}

impl World {
    pub(super) fn now(&self) -> UnixNanos {
        NOW.plus(Nanos(self.now_after_publish_ns))
    }

    fn least(&self) -> i64 {
        self.money.as_ref().map_or(0, Money::least)
    }

    /// A price of this world.
    fn px(&self, px: Px) -> Px {
        if self.least() != 0 && px.is_some() { Px(px.0.saturating_sub(LOWER)) } else { px }
    }

    fn top(&self, top: &TopOfBook) -> TopOfBook {
        TopOfBook { bid: self.px(top.bid), ask: self.px(top.ask), last: self.px(top.last), ..*top }
    }

    pub(super) fn order(&self, order: &OrderIntent) -> OrderIntent {
        OrderIntent { px: self.px(order.px), ..*order }
    }

    /// The rig in this state. What works was let in under roomy limits before.
    pub(super) fn build(&self) -> Rig {
        let mut rig = bare_rig(if self.located.is_some() { CONFIG.accounts } else { 0 });
        self.locate(&mut rig, Located { qty: Qty(u32::MAX), until: UnixNanos(u64::MAX) });
        if let Some(money) = &self.money {
            // Small money, so that all of it is let in.
            let worth_min = if self.least() == 0 { Px::NONE } else { Px(LOWER) };
            let terms = InstrumentTerms { worth_min, ..InstrumentTerms::PLAIN };
            Money { terms: Some(terms), ..money.clone() }.write(&rig.gate.tables.references, NOW);
            rig.gate.money = Some(money.rules);
        }
        rig.breakers.set_unset(OPEN);
        rig.breakers.alive(NOW);
        let roomy = RiskLimits { order_rate_per_s: 20_000, order_burst: 1_000, max_pos_long: 9_999, ..CAP };
        let roomy = RiskLimits { max_pos_short: 9_999, ..roomy };
        rig.publish_static(&Envelope::new(FLOOR, BASE, roomy).unwrap(), &static_terms());
        rig.dynamics
            .publish(
                INSTRUMENT,
                CLASS,
                &Envelope::fixed(roomy).unwrap().clamp(&roomy),
                &terms(Tier::Normal),
                NOW,
            )
            .unwrap();
        rig.publish_top(&self.top(&top()));
        for (id, (side, qty)) in (1..).zip(&self.working) {
            let base = self.order(&if *side == Side::Bid { order(id) } else { sell(id) });
            rig.take(&OrderIntent { qty: Qty(*qty), ..base });
        }
        rig.hold(self.position);
        let (qty, minutes) = self.located.unwrap_or_default();
        // The minute of the start has begun before.
        let until = UnixNanos(NOW.0 + minutes * 60_000_000_000);
        self.locate(&mut rig, Located { qty: Qty(qty), until });
        // A fresh dynamic and reference table in the state under test; the gate keeps its orders.
        let tables = [TickTable::US_EQUITY, TickTable::new(&STEPS).unwrap()];
        let rules = RefRules { tick_tables: &tables, ..RefRules::DEFAULT };
        let (mut dynamics, limit_reader) = LimitTable::create_within(&rig.gate.tables.statics).unwrap();
        let (mut references, ref_reader) = RefTable::create_under(INSTRUMENTS, &rules).unwrap();
        if let Some(money) = &self.money {
            money.write(&ref_reader, self.now());
        }
        self.set_statics(&mut rig);
        if let Some((limits, tier, lease_ms)) = self.live {
            let wide = Envelope::fixed(limits).unwrap();
            let terms = Terms { lease: Nanos(lease_ms * 1_000_000), ..super::terms(tier) };
            dynamics.publish(INSTRUMENT, CLASS, &wide.clamp(&limits), &terms, NOW).unwrap();
        }
        if let Some(mid) =
            self.earlier.filter(|_| self.top.is_some()).map(|cents| self.px(Px(cents * CENT.0)))
        {
            let ts = UnixNanos(NOW.0 - 25_000_000_000);
            references.publish(INSTRUMENT, &TopOfBook { bid: mid, ask: mid, ts, ..super::top() }).unwrap();
        }
        if let Some(top) = &self.top {
            let ts = UnixNanos(self.now().0 - self.heartbeat_ago_ns);
            references.publish(INSTRUMENT, &TopOfBook { ts, ..self.top(top) }).unwrap();
        }
        if let Some((sizes, lease_ms)) = self.fat_finger {
            let (mut writer, reader) = FatFingerTable::create(&rig.gate.tables.statics).unwrap();
            let fat_finger = FatFingerLimits::new(sizes.map(Qty));
            writer.publish(INSTRUMENT, &fat_finger, Nanos(lease_ms * 1_000_000), 1, NOW).unwrap();
            rig.gate.set_fat_finger(reader);
        }
        rig.gate.tables.dynamics = Some(limit_reader);
        rig.gate.tables.references = ref_reader;
        self.set_breakers(&mut rig);
        (rig.dynamics, rig.references) = (dynamics, references);
        rig
    }

    fn locate(&self, rig: &mut Rig, located: Located) {
        if self.located.is_some() {
            rig.statics.locate(INSTRUMENT, ACCOUNT, located).unwrap();
        }
    }

    /// The officer's limits and the restricted list, in either order.
    fn set_statics(&self, rig: &mut Rig) {
        let terms = StaticTerms { lot: Qty(self.lot), permission: self.permission, version: 2 };
        let restriction =
            self.restricted.iter().fold(Restriction::NONE, |all, (side, to)| all.and(*side, *to));
        if self.lot == 1 {
            // It outlasts what is published after it.
            rig.statics.restrict(INSTRUMENT, &restriction).unwrap();
        }
        rig.publish_static(&envelope(), &terms);
        rig.statics.restrict(INSTRUMENT, &restriction).unwrap();
    }

    fn set_breakers(&self, rig: &mut Rig) {
        let (mut writer, reader) = BreakerTable::create(2, 2, INSTRUMENTS).unwrap();
        writer.alive(UnixNanos(self.now().0 - self.heartbeat_ago_ns));
        let scopes = [
            BreakerKey::Firm,
            BreakerKey::Account(ACCOUNT),
            BreakerKey::Strategy(STRATEGY),
            BreakerKey::Instrument(INSTRUMENT),
        ];
        for (scope, state) in scopes.into_iter().zip(self.breakers) {
            if let Some(state) = state {
                writer.set(scope, breaker(state)).unwrap();
            }
        }
        rig.gate.tables.breakers = reader;
        rig.breakers = writer;
    }
}

/// The specification, read again.
struct Oracle<'a> {
    world: &'a World,
    order: &'a OrderIntent,
    broken: Vec<R>,
}

impl Oracle<'_> {
    fn say(&mut self, broken: bool, reason: R) {
        if broken {
            self.broken.push(reason);
        }
    }

    fn working(&self, side: Side) -> i128 {
        self.world.working.iter().filter(|w| w.0 == side).map(|w| i128::from(w.1)).sum()
    }

    /// Whether the live record holds.
    fn is_live(&self) -> bool {
        self.world.live.is_some_and(|(_, _, lease_ms)| self.world.now_after_publish_ns < lease_ms * 1_000_000)
    }

    /// The limits in force, taken limit by limit from the record and the cap; from the record and the base when its lease
    /// has ended.
    fn limits(&self) -> RiskLimits {
        let Some((l, ..)) = self.world.live else { return BASE };
        let officer = if self.is_live() { CAP } else { BASE };
        RiskLimits {
            max_qty: l.max_qty.min(officer.max_qty),
            max_notional_micros: l.max_notional_micros.min(officer.max_notional_micros),
            collar_bps: l.collar_bps.min(officer.collar_bps),
            passive_min_ticks: l.passive_min_ticks.max(officer.passive_min_ticks),
            max_pos_long: l.max_pos_long.min(officer.max_pos_long),
            max_pos_short: l.max_pos_short.min(officer.max_pos_short),
            order_rate_per_s: l.order_rate_per_s.min(officer.order_rate_per_s),
            order_burst: l.order_burst.min(officer.order_burst),
            margin_bps: l.margin_bps,
        }
    }

    /// Where every order of the side, this one included, would take the position.
    fn after_all(&self) -> i128 {
        let (position, qty) = (i128::from(self.world.position), i128::from(self.order.qty.0));
        match self.order.side {
            Side::Bid => position + self.working(Side::Bid) + qty,
            Side::Ask => position - self.working(Side::Ask) - qty,
        }
    }

    /// The order's side can bring the position towards zero, and not past it.
    fn reduces(&self) -> bool {
        match self.order.side {
            Side::Bid => self.after_all() <= 0,
            Side::Ask => self.after_all() >= 0,
        }
    }

    fn breakers(&mut self) {
        let trips = [R::HaltedFirm, R::HaltedAccount, R::HaltedStrategy, R::HaltedInstrument];
        for (state, trip) in self.world.breakers.into_iter().zip(trips) {
            match state {
                None => self.say(true, R::HaltUnreadable),
                Some(BreakerState::Open) => {}
                Some(BreakerState::ReduceOnly) => self.say(!self.reduces(), R::ReduceOnly),
                Some(BreakerState::Tripped) => self.say(true, trip),
            }
        }
        self.say(self.world.heartbeat_ago_ns > SILENCE_MAX.0, R::DaemonLost);
        let critical = matches!(self.world.live, Some((_, Tier::Critical, _)));
        self.say(critical, R::TierCritical);
    }

    fn fields(&mut self) {
        let (world, order) = (self.world, self.order);
        self.say(world.permission == Permission::Denied, R::NotPermitted);
        let is_about = |(side, to): &(Side, RestrictedTo)| {
            *side == order.side
                && match to {
                    RestrictedTo::Everyone => true,
                    RestrictedTo::Strategy(strategy) => *strategy == order.strategy,
                    RestrictedTo::Account(account) => *account == order.account,
                }
        };
        // Without the permission there is nothing to restrict.
        let listed = world.permission == Permission::Granted && world.restricted.iter().any(is_about);
        self.say(world.permission == Permission::Restricted || listed, R::Restricted);
        self.say(order.cl_ord_id == 0, R::BadField);
        self.say(order.qty.0 == 0, R::BadQty);
        let lot_fits = if world.lot == 0 { false } else { order.qty.0 % world.lot == 0 };
        self.say(!lot_fits, R::BadLot);
        self.say(order.tif == TimeInForce::Gtc, R::NotInForce);
        self.say(order.cl_ord_id == 1 && !world.working.is_empty(), R::Duplicate);
    }

    fn sizes(&mut self) {
        let limits = self.limits();
        let qty = self.order.qty;
        let officer = if self.is_live() { CAP.max_qty } else { BASE.max_qty };
        // What the writer clamped is as the officer's own: one limit, not two, when they are equal.
        self.say(qty > officer, R::QtyStatic);
        // Under the base the model has a limit of its own only where it is the tighter one.
        self.say((self.is_live() || limits.max_qty < officer) && qty > limits.max_qty, R::QtyDynamic);
        if qty.0 > 0 {
            let after = self.after_all();
            self.say(self.order.side == Side::Bid && after > i128::from(limits.max_pos_long), R::PosLong);
            self.say(self.order.side == Side::Ask && -after > i128::from(limits.max_pos_short), R::PosShort);
        }
    }

    /// The fat-finger limit, unless it was withdrawn by a lease of zero: the least size of the order's bucket and of those before.
    /// The world's account holds and sends nothing else.
    fn locates(&mut self) {
        let Some((qty, minutes)) = self.world.located else { return };
        let end = u128::from(NOW.0) / 60_000_000_000 + u128::from(minutes);
        let held = u128::from(self.world.now().0) < end * 60_000_000_000;
        let most = if held { i128::from(qty) } else { 0 };
        self.say(
            self.order.side == Side::Ask && self.order.qty.0 != 0 && -self.after_all() > most,
            R::Locate,
        );
    }

    fn fat_finger(&mut self, judged: Option<Px>, top: &TopOfBook, far: Px) {
        let Some((sizes, _)) = self.world.fat_finger.filter(|(_, lease_ms)| *lease_ms > 0) else { return };
        let bucket = match judged.filter(|_| far.is_some()) {
            None => FAT_FINGER_BUCKETS - 1,
            Some(px) if self.order.side == Side::Bid => self.bucket(px.0 - far.0, top),
            Some(px) => self.bucket(far.0 - px.0, top),
        };
        let most = sizes[..=bucket].iter().min().copied();
        self.say(Some(self.order.qty.0) > most, R::QtyFatFinger);
    }

    /// What basis points are taken of, of a doubled price: where it may be zero, of what the instrument is worth at least.
    fn basis(&self, twice: i128) -> i128 {
        let least = i128::from(self.world.least());
        if least == 0 { twice } else { twice.abs().max(2 * least) }
    }

    /// Edge by edge: at most 2^n bps of the mid.
    fn bucket(&self, through: i64, top: &TopOfBook) -> usize {
        let twice_mid = self.basis(if top.bid.is_some() && top.ask.is_some() {
            i128::from(top.bid.0) + i128::from(top.ask.0)
        } else {
            self.twice_reference(top).unwrap_or(0)
        });
        let within = |n: &usize| 2 * i128::from(through) * 10_000 <= twice_mid * (1_i128 << n);
        match through {
            ..0 => 0,
            0 => 1,
            _ => (0..13).find(within).map_or(FAT_FINGER_BUCKETS - 1, |n| n + 2),
        }
    }

    /// Every working order was let in at `NOW`, at the roomy rate; a new one is due when the last is paid for.
    fn rates(&mut self) {
        let limits = self.limits();
        let early = |due: u128, interval: u128, burst: u32| {
            due > u128::from(self.world.now().0) + u128::from(burst - 1) * interval
        };
        let sent = self.world.working.len() as u128;
        let row_due = if sent == 0 { 0 } else { u128::from(NOW.0) + sent * 50_000 };
        let interval = 1_000_000_000_u128.div_ceil(u128::from(limits.order_rate_per_s));
        let row = early(row_due, interval, limits.order_burst);
        let strategy_due = if sent == 0 { 0 } else { u128::from(NOW.0) + sent * 25_000_000 };
        let strategy = early(strategy_due, 25_000_000, 1_000_000);
        self.say(row, R::Rate);
        self.say(strategy, R::RateStrategy);
    }

    /// The reference price as a fraction of two.
    fn twice_reference(&self, top: &TopOfBook) -> Option<i128> {
        self.judged_by(top).map(|(twice, _)| twice)
    }

    /// The same, and whether it is the last trade.
    fn judged_by(&self, top: &TopOfBook) -> Option<(i128, bool)> {
        let side = |px: Px| px.is_some().then_some(i128::from(px.0));
        let (bid, ask, last) = (side(top.bid), side(top.ask), side(top.last));
        if let (Some(bid), Some(ask)) = (bid, ask)
            && bid <= ask
            && (ask - bid) * 10_000 * 2 <= 1_000 * self.basis(ask + bid)
        {
            return Some((bid + ask, false));
        }
        let last = last?;
        // Inside the sides there are, and within a tenth of one of them and of what the reference was before.
        let inside = bid.is_none_or(|b| last >= b) && ask.is_none_or(|a| last <= a);
        let near = |side: i128| (side - last).abs() * 10_000 * 2 <= 1_000 * self.basis(side + last);
        let before = self.world.earlier.map(|cents| i128::from(self.world.px(Px(cents * CENT.0)).0));
        let stubs = bid.zip(ask).is_some_and(|(bid, ask)| (ask - bid) * 2 > self.basis(ask + bid));
        let follows = before.map_or(!stubs, near);
        (inside && bid.into_iter().chain(ask).any(near) && follows).then_some((2 * last, true))
    }

    /// The tick at a price, 0 when it is not known.
    fn tick(top: &TopOfBook, px: i128) -> i128 {
        match top.tick_table {
            TickTableId::NONE if top.tick.is_some() && top.tick.0 >= 2 => i128::from(top.tick.0),
            STEPPED if px.abs() < 100_000_000_000 => 5_000_000,
            STEPPED => 20_000_000,
            _ => 0,
        }
    }

    fn prices(&mut self) {
        let (order, limits) = (self.order, self.limits());
        let market = order.order_type == OrderType::Market;
        let signed = self.world.least() != 0;
        let positive = order.px.0 > 0 && order.px.0 <= crate::PX_MAX.0;
        let named =
            if signed { order.px.0.checked_abs().is_some_and(|px| px <= SIGNED_PX_MAX.0) } else { positive };
        self.say(if market { order.px != Px::NONE } else { !named }, R::BadPrice);
        let known = self.world.top.as_ref().map(|t| match t.state {
            BookState::Empty => TopOfBook { bid: Px::NONE, ask: Px::NONE, last: Px::NONE, ..*t },
            _ => self.world.top(t),
        });
        self.say(known.is_none(), R::RefMissing);
        let far = known.map_or(Px::NONE, |t| if order.side == Side::Bid { t.ask } else { t.bid });
        let judged = if market { far.is_some().then_some(far) } else { named.then_some(order.px) };
        self.own_orders(judged.filter(|_| known.is_some()));
        // It trades anywhere between its price and the touch that it meets: a sell may yield more than it asks for, and a buy below
        // zero be paid more. Of a share only the dearer of the two counts, so of a buy its price.
        let valued = judged.map(|px| {
            let ends =
                [Some(px), Some(far).filter(|far| far.is_some() && (signed || order.side == Side::Ask))];
            let sizes = ends.into_iter().flatten().map(|px| if signed { px.0.abs() } else { px.0 });
            sizes.max().unwrap().max(self.world.least())
        });
        self.money(valued.map(|px| u128::from(px.cast_unsigned()) * u128::from(order.qty.0)));
        let Some(top) = known else { return };
        self.fat_finger(judged, &top, far);
        // No levels are published in these worlds.
        let far_qty = if order.side == Side::Bid { top.ask_qty } else { top.bid_qty };
        self.say(market && far.is_some() && u64::from(order.qty.0) > far_qty, R::DepthShort);
        self.market_data(&top, far, market, named);
        let Some(px) = judged.map(|px| i128::from(px.0)) else { return };
        let twice = self.twice_reference(&top);
        let collar = i128::from(limits.collar_bps);
        let off = twice.map(|twice| (2 * px - twice).abs() * 10_000 > collar * self.basis(twice));
        self.say(off == Some(true), R::Collar);
        let mean = self.world.earlier.map(|c| i128::from(self.world.px(Px(c * CENT.0)).0));
        let worse = mean.map(|mean| if order.side == Side::Bid { px - mean } else { mean - px });
        let far_off =
            worse.zip(mean).is_some_and(|(worse, mean)| worse * 20_000 > self.basis(2 * mean) * 1_000);
        self.say(far_off, R::PeriodCollar);
        // The far touch, or the reference where there is no far side.
        let opposite = if far.is_some() { Some(i128::from(far.0)) } else { twice.map(|t| t.div_euclid(2)) };
        let Some(opposite) = opposite else { return };
        let gap = if order.side == Side::Bid { opposite - px } else { px - opposite };
        let rests = !market && order.tif != TimeInForce::Ioc && (gap > 0 || !far.is_some());
        let near = gap < i128::from(limits.passive_min_ticks) * Self::tick(&top, px);
        self.say(rests && limits.passive_min_ticks > 1 && near, R::PassiveBand);
    }

    /// The value of an order whose price times quantity is `value`, in the firm's currency.
    fn money(&mut self, value: Option<u128>) {
        let (mut multiplier, mut rate) = (1_000_000, 1_000_000_000);
        if let Some(money) = &self.world.money {
            let terms = match money.terms {
                None if !money.rules.undeclared_is_plain => {
                    return self.say(!self.reduces(), R::TermsMissing);
                }
                None => InstrumentTerms::PLAIN,
                Some(terms) if !usable(&terms) => return self.say(!self.reduces(), R::TermsMissing),
                Some(terms) => terms,
            };
            multiplier = terms.multiplier_micros;
            if terms.currency.0 != 0 {
                match money.rate {
                    None | Some((0, _)) => return self.say(!self.reduces(), R::FxMissing),
                    Some((now, _)) if now > 1_000_000 * 1_000_000_000 => {
                        return self.say(!self.reduces(), R::FxMissing);
                    }
                    Some((_, ago)) if ago > money.rules.rate_age_max.0 => {
                        return self.say(!self.reduces(), R::FxStale);
                    }
                    Some((now, _)) => rate = now,
                }
            }
        }
        let most = self.limits().max_notional_micros.cast_unsigned();
        // In 1e-24. What does not fit 128 bits is more than any limit.
        let product =
            value.map(|value| value.checked_mul(multiplier.into()).and_then(|v| v.checked_mul(rate.into())));
        let most = u128::from(most) * 1_000_000_000_000_000_000;
        self.say(product.is_some_and(|product| product.is_none_or(|product| product > most)), R::Value);
    }

    /// What works rests at the touch that the worlds begin with, and is of the order's account.
    fn own_orders(&mut self, judged: Option<Px>) {
        let works = |side| self.working(side) > 0;
        let meets = judged.is_some_and(|at| match self.order.side {
            Side::Bid => works(Side::Ask) && at >= self.world.px(px("100.02")),
            Side::Ask => works(Side::Bid) && at <= self.world.px(px("100.00")),
        });
        self.say(meets, R::SelfMatched);
    }

    fn market_data(&mut self, top: &TopOfBook, far: Px, market: bool, named: bool) {
        let px = i128::from(self.order.px.0);
        let tick = Self::tick(top, px);
        self.say(!market && tick == 0, R::TickUnknown);
        self.say(!market && named && tick != 0 && px % tick.max(1) != 0, R::BadTick);
        self.say(top.status == TradingStatus::Unknown, R::MktStateUnknown);
        let shut = [TradingStatus::Halted, TradingStatus::Paused, TradingStatus::Closed];
        self.say(shut.contains(&top.status), R::MktState);
        let missing = self.twice_reference(top).is_none() || market && !far.is_some();
        self.say(missing, R::RefMissing);
        let doubtful = !matches!(top.state, BookState::Live | BookState::Empty);
        let last_age_ns = self.world.now().0 - top.last_ts.0;
        let old_trade = matches!(self.judged_by(top), Some((_, true))) && last_age_ns > 60_000_000_000;
        self.say(doubtful || old_trade || self.world.heartbeat_ago_ns > 5_000_000_000, R::RefStale);
    }

    fn breaches(world: &World, order: &OrderIntent) -> Vec<R> {
        let mut oracle = Oracle { world, order, broken: Vec::new() };
        oracle.breakers();
        oracle.fields();
        oracle.sizes();
        oracle.rates();
        oracle.locates();
        oracle.prices();
        oracle.broken.sort_by_key(|r| R::ALL.iter().position(|x| x == r));
        oracle.broken.dedup();
        oracle.broken
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_finds_exactly_the_breaches_that_a_plain_reading_finds(world in any_world(), order in any_order()) {
        let (rig, order) = (world.build(), world.order(&order));
        let now = world.now();
        let explained = rig.gate.explain(&order, now);
        let found: Vec<_> = explained.breaches().map(|b| b.reason).collect();
        let want = Oracle::breaches(&world, &order);
        prop_assert_eq!(&found, &want);
        let verdict = rig.gate.check(&order, now);
        prop_assert_eq!(verdict, explained.verdict);
        prop_assert_eq!(verdict.reason, want.first().copied());
        prop_assert_eq!(verdict.accepted(), want.is_empty());
    }

    /// The fast path says yes only where the slow one does, with the same verdict; and it says yes to every order under live
    /// limits and open breakers that the slow one passes with no flag but the tier's.
    #[test]
    fn the_fast_path_is_the_slow_one_without_its_cost(world in any_world(), order in any_order()) {
        let (rig, order) = (world.build(), world.order(&order));
        let now = world.now();
        let slow = rig.gate.explain(&order, now).verdict;
        let fast = rig.fast(&order, now);
        if fast {
            prop_assert_eq!(rig.gate.check(&order, now), slow);
            prop_assert!(slow.accepted());
        }
        let calm = world.breakers.iter().all(|b| *b == Some(BreakerState::Open));
        // A sell below the bid is valued at the bid, apart.
        let top = world.top.as_ref().filter(|top| top.state != BookState::Empty).map(|top| world.top(top));
        let bid = top.map_or(Px::NONE, |top| top.bid);
        let below = order.side == Side::Ask && bid.is_some() && order.px < bid;
        // What the publisher could not answer ahead: a last trade that ages, a price of another tick, a collar over the period.
        let sure = rig.gate.tables.references.hot(INSTRUMENT).is_ok_and(|q| q.window.holds(order.px.0.cast_unsigned()));
        // Prices that may be negative, and those that look larger than they are worth.
        let px = if order.order_type == OrderType::Limit { order.px } else {
            top.map_or(Px::NONE, |top| if order.side == Side::Bid { top.ask } else { top.bid })
        };
        let limits = Oracle { world: &world, order: &order, broken: Vec::new() }.limits();
        let looks = i128::from(px.0.max(0)) * i128::from(order.qty.0);
        let looks_small = looks <= i128::from(limits.max_notional_micros) * 875;
        // The slow path knows who is let out without a value.
        let valued = world.money.as_ref().is_none_or(Money::counts);
        // Of a listed instrument the slow path knows for whom.
        let plain = calm && world.restricted.is_empty() && world.least() == 0 && looks_small && valued
            && (order.order_type == OrderType::Market && world.money.is_none() || sure && !below)
            && slow.source == LimitsSource::Dynamic
            && matches!(slow.flags, Flags::NONE | Flags::TIER);
        prop_assert_eq!(fast, slow.accepted() && plain);
    }
}

/// The two properties above say something only if the random worlds reach every verdict.
#[test]
fn the_random_worlds_reach_every_reason_and_both_paths() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (worlds, orders) = (any_world(), any_order());
    let (mut fast, mut slow, mut seen) = (0, 0, [0_u32; crate::REASON_COUNT]);
    for _ in 0..50_000 {
        let world = worlds.new_tree(&mut runner).unwrap().current();
        let order = world.order(&orders.new_tree(&mut runner).unwrap().current());
        let rig = world.build();
        let explained = rig.gate.explain(&order, world.now());
        for breach in explained.breaches() {
            seen[breach.reason.bit() as usize] += 1;
        }
        let passes = rig.fast(&order, world.now());
        fast += u32::from(passes);
        slow += u32::from(!passes && explained.verdict.accepted());
    }
    assert!(fast > 100 && slow > 100, "accepted: {fast} by the fast path, {slow} by the slow one");
    // Not of this test's world: unknown scopes, bad clocks, torn or missing rows, replacements, other strategies of the account, repeats, a full table, a venue whose books differ; and the
    // strategy's own rate, which its wide burst never lets bind.
    let elsewhere = [
        R::ClockBad,
        R::UnknownInstrument,
        R::UnknownStrategy,
        R::UnknownAccount,
        R::AccountPos,
        R::Repeated,
        R::UnknownOrder,
        R::BadReplace,
        R::ReplacePending,
        R::TableFull,
        R::LimitsMissing,
        R::LimitsTorn,
        R::RefTorn,
        R::Unreconciled,
        R::RateStrategy,
    ];
    // Sums over instruments, losses, sums over time.
    let summed = |r: &R| matches!(r.code(), 1110..=1135 | 1300..=1305 | 1410..=1420);
    for reason in R::ALL.into_iter().filter(|r| !elsewhere.contains(r) && !summed(r)) {
        assert!(seen[reason.bit() as usize] >= 20, "{reason}: {}", seen[reason.bit() as usize]);
    }
}
