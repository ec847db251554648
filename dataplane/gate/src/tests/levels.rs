//! Limits of a strategy and an account over all instruments, in money, against sums made anew for every order.

use super::*;
use crate::levels::Place;
use crate::{
    CurrencyId, ExposureLimits, InstrumentTerms, MoneyRules, OrderEvent, RejectReason as R, TermsWriter,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, vec::Vec};

const RATE_AGE_MAX: Nanos = Nanos(1_000);

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Op {
    New {
        instrument: u32,
        strategy: u16,
        account: u16,
        side: Side,
        qty: u32,
        /// From the price that instruments begin at.
        cents: i64,
    },
    /// Of the n-th open order.
    Fill(usize, u32),
    Cancel(usize),
    /// By so much, so many cents from the price that instruments begin at.
    Replace(usize, u32, i64),
    /// In cents, 0 takes it away; and whether the book is live.
    Mark(u32, i64, bool),
    Position {
        instrument: u32,
        strategy: u16,
        account: u16,
        position: i64,
    },
    /// Of the second currency, in 1e-9, and how old.
    Rate(u64, u64),
    /// The margin multiplier that the model says of an instrument for a class.
    Margin(u32, u16, u32),
}

fn any_op() -> impl Strategy<Value = Op> {
    let who = || (0_u32..3, 0_u16..2, 0_u16..2);
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    let cents = || prop_oneof![Just(0), -150_i64..150];
    prop_oneof![
        8 => (who(), side, 1_u32..120, cents()).prop_map(|((instrument, strategy, account), side, qty, cents)| Op::New { instrument, strategy, account, side, qty, cents }),
        4 => (0_usize..9, 1_u32..120).prop_map(|(n, qty)| Op::Fill(n, qty)),
        2 => (0_usize..9).prop_map(Op::Cancel),
        2 => (0_usize..9, 1_u32..150, cents()).prop_map(|(n, qty, cents)| Op::Replace(n, qty, cents)),
        1 => (0_u32..3, prop_oneof![9 => 9_900_i64..10_100, 1 => Just(0)], prop_oneof![5 => Just(true), 1 => Just(false)]).prop_map(|(i, cents, live)| Op::Mark(i, cents, live)),
        1 => (who(), -300_i64..300).prop_map(|((instrument, strategy, account), position)| Op::Position { instrument, strategy, account, position }),
        1 => (prop_oneof![9 => 1_u64..2_000_000_000, 1 => Just(0)], prop_oneof![4 => 0_u64..1_001, 1 => 1_001_u64..2_000]).prop_map(|(rate, age)| Op::Rate(rate, age)),
        1 => (0_u32..3, 0_u16..2, 10_000_u32..40_001).prop_map(|(i, class, bps)| Op::Margin(i, class, bps)),
    ]
}

fn any_limits() -> impl Strategy<Value = ExposureLimits> {
    let limit = || prop_oneof![3 => 1_u64..60_000_000_000, 1 => Just(u64::MAX)];
    (limit(), limit(), limit(), limit()).prop_map(
        |(gross_micros, net_micros, instrument_micros, credit_micros)| ExposureLimits {
            gross_micros,
            net_micros,
            instrument_micros,
            credit_micros,
        },
    )
}

/// What each instrument is: the second is a contract in another currency, the third may trade below zero.
fn terms(multiplier_micros: u64) -> [InstrumentTerms; 3] {
    let contract = InstrumentTerms { multiplier_micros, currency: CurrencyId(1), ..InstrumentTerms::PLAIN };
    let spread = InstrumentTerms { worth_min: px("7.00"), settlement: px("-8.00"), ..InstrumentTerms::PLAIN };
    [InstrumentTerms::PLAIN, contract, spread]
}

#[derive(Clone, Copy, Debug)]
struct Working {
    instrument: u32,
    strategy: u16,
    account: u16,
    side: Side,
    qty: i128,
    done: i128,
    px: Px,
}

/// The books as anybody would keep them.
#[derive(Default)]
struct Books {
    orders: BTreeMap<u64, Working>,
    strategies: BTreeMap<(u32, u16), i128>,
    accounts: BTreeMap<(u32, u16), i128>,
    /// Bid and offer, and whether they are to be believed.
    touches: [Option<(Px, Px, bool)>; 3],
    rate: Option<u64>,
    /// What the model says of each instrument for each class, in basis points.
    margins: [[u32; 2]; 3],
}

/// Limits that no order is near, and any multiplier from once to four times.
fn any_margin() -> Envelope {
    Envelope::new(RiskLimits { margin_bps: 40_000, ..WIDE }, WIDE, WIDE).unwrap()
}

/// What may be let out: an order, how much more of it works than before, and whether it counts at all.
#[derive(Clone, Copy)]
struct Asked<'a> {
    order: &'a OrderIntent,
    growth: i128,
    counts: bool,
}

/// Gross, net on the side, the instrument's part, the margin; whether anything has no value; whether the order only reduces.
struct Sums([i128; 4], bool, bool);

impl Books {
    /// What a thing of 1e-9 is, in 1e-24 of the firm's currency.
    fn money(&self, instrument: u32, nanos: i128, terms: &[InstrumentTerms; 3]) -> Option<i128> {
        let terms = &terms[instrument as usize];
        let rate = if terms.currency.0 == 0 { Some(1_000_000_000) } else { self.rate };
        let least = if terms.may_be_negative() { 2 * i128::from(terms.worth_min.0) } else { 0 };
        Some(nanos.abs().max(least) * i128::from(terms.multiplier_micros) * i128::from(rate?))
    }

    /// What a doubled unit of the instrument is worth in 1e-24.
    fn unit(&self, instrument: u32, terms: &[InstrumentTerms; 3]) -> Option<i128> {
        let settlement = terms[instrument as usize].settlement;
        let settled = settlement.is_some().then(|| (2 * i128::from(settlement.0)).abs());
        let mark = match self.touches[instrument as usize] {
            None => settled?,
            Some((bid, ask, true)) => i128::from(bid.0) + i128::from(ask.0),
            Some((bid, ask, false)) => (i128::from(bid.0) + i128::from(ask.0)).abs().max(settled?),
        };
        self.money(instrument, mark, terms)
    }

    /// What a doubled unit of an order costs or yields at most.
    fn own_unit(&self, order: &OrderIntent, terms: &[InstrumentTerms; 3]) -> Option<i128> {
        let instrument = order.instrument.0;
        let (px, signed) = (i128::from(order.px.0), terms[instrument as usize].may_be_negative());
        let met = self.touches[instrument as usize].map(|(bid, ask, _)| match order.side {
            Side::Bid if signed => i128::from(ask.0),
            Side::Bid => px,
            Side::Ask => i128::from(bid.0),
        });
        self.money(instrument, 2 * px.abs().max(met.unwrap_or(px).abs()), terms)
    }

    fn sums(
        &self,
        of: impl Fn(&Working) -> bool,
        held: impl Fn(u32) -> i128,
        asked: Asked<'_>,
        terms: &[InstrumentTerms; 3],
    ) -> Sums {
        let Asked { order, growth, .. } = asked;
        let (mut gross, mut net, mut own, mut margin) = (0, 0, 0, 0);
        let (mut unvalued, mut reduces) = (false, false);
        for i in 0..3 {
            let works = |side: Side| {
                let all = self.orders.values().filter(|w| of(w) && w.instrument == i && w.side == side);
                all.map(|w| w.qty - w.done).sum::<i128>()
            };
            let (mut low, mut high) = (held(i) - works(Side::Ask), held(i) + works(Side::Bid));
            let (mut low_more, mut high_more) = (0, 0);
            let unit = self.unit(i, terms);
            let its = i == order.instrument.0;
            if its {
                // By how much the far end moves away from zero, at the dearer of mark and price.
                let dearer = self.own_unit(order, terms).zip(unit).map_or(0, |(at, mark)| (at - mark).max(0));
                if order.side == Side::Bid {
                    high_more = dearer * ((high + growth).max(0) - high.max(0));
                    high += growth;
                    reduces = high <= 0;
                } else {
                    low_more = dearer * ((growth - low).max(0) - (-low).max(0));
                    low -= growth;
                    reduces = low >= 0;
                }
            } else if held(i) == 0 && low == 0 && high == 0 {
                continue;
            }
            let Some(unit) = unit else {
                unvalued = true;
                continue;
            };
            let (low, high) = (low * unit - low_more, high * unit + high_more);
            let larger = low.abs().max(high.abs());
            gross += larger;
            net += if order.side == Side::Bid { high } else { -low };
            own += if its { larger } else { 0 };
            let multiplier = self.margins[i as usize].into_iter().max().unwrap();
            margin += (larger * i128::from(multiplier) + 9_999) / 10_000;
        }
        Sums([gross, net.max(0), own, margin], unvalued, reduces)
    }

    fn breaches(
        &self,
        asked: Asked<'_>,
        (strategies, accounts): (&[ExposureLimits; 2], &[ExposureLimits; 2]),
        terms: &[InstrumentTerms; 3],
    ) -> Vec<R> {
        let OrderIntent { strategy, account, .. } = *asked.order;
        let own = |i: u32| self.strategies.get(&(i, strategy.0)).copied().unwrap_or(0);
        let all = |i: u32| self.accounts.get(&(i, account.0)).copied().unwrap_or(0);
        let mut found = Vec::new();
        let levels = [
            (
                self.sums(|w| w.strategy == strategy.0, own, asked, terms),
                &strategies[usize::from(strategy.0)],
                [R::GrossStrategy, R::NetStrategy, R::ConcentrationStrategy, R::CreditStrategy],
            ),
            (
                self.sums(|w| w.account == account.0, all, asked, terms),
                &accounts[usize::from(account.0)],
                [R::GrossAccount, R::NetAccount, R::ConcentrationAccount, R::CreditAccount],
            ),
        ];
        for (Sums(sums, unvalued, reduces), limits, reasons) in levels {
            if *limits == ExposureLimits::NONE || !asked.counts {
                continue;
            }
            let most =
                [limits.gross_micros, limits.net_micros, limits.instrument_micros, limits.credit_micros];
            for (n, ((sum, most), reason)) in sums.into_iter().zip(most).zip(reasons).enumerate() {
                // What only reduces what the level itself holds passes all but the net.
                let held = n == 1 || !reduces;
                if held && most != u64::MAX && sum > i128::from(most) * 2_000_000_000_000_000_000 {
                    found.push(reason);
                }
            }
            if unvalued && !reduces {
                found.push(R::MarkMissing);
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn fill(&mut self, id: u64, qty: i128) {
        let Some(w) = self.orders.get_mut(&id) else { return };
        w.done += qty;
        let signed = if w.side == Side::Bid { qty } else { -qty };
        *self.strategies.entry((w.instrument, w.strategy)).or_default() += signed;
        *self.accounts.entry((w.instrument, w.account)).or_default() += signed;
        if w.done >= w.qty {
            self.orders.remove(&id);
        }
    }
}

const NEW: [R; 9] = [
    R::GrossStrategy,
    R::GrossAccount,
    R::NetStrategy,
    R::NetAccount,
    R::ConcentrationStrategy,
    R::ConcentrationAccount,
    R::MarkMissing,
    R::CreditStrategy,
    R::CreditAccount,
];

struct Desk {
    rig: Rig,
    control: TermsWriter,
    books: Books,
    next: u64,
    terms: [InstrumentTerms; 3],
}

impl Desk {
    fn new(strategies: &[ExposureLimits; 2], accounts: &[ExposureLimits; 2], multiplier: u64) -> Self {
        Self::keeping(strategies, accounts, (multiplier, Nanos(0)))
    }

    /// With marks that may be so old.
    fn keeping(
        strategies: &[ExposureLimits; 2],
        accounts: &[ExposureLimits; 2],
        (multiplier, mark_age_max): (u64, Nanos),
    ) -> Self {
        let free = |class| StrategyConfig { class, order_rate_per_s: 1_000_000, order_burst: 1_000_000 };
        let config = GateConfig {
            strategies: &[free(ClassId(0)), free(CLASS)],
            strategy_limits: strategies,
            account_limits: accounts,
            mark_age_max,
            account_positions: false,
            self_match: SelfMatch::Off,
            open_orders_max: 64,
            money: Some(MoneyRules { rate_age_max: RATE_AGE_MAX, undeclared_is_plain: false }),
            ..CONFIG
        };
        let mut rig = Rig::bare(&config, true);
        rig.breakers.set_unset(OPEN);
        let envelope = any_margin();
        let mut control = TermsWriter::of(&rig.gate.tables.references);
        let terms = terms(multiplier);
        for (i, terms) in (0..).map(InstrumentId).zip(&terms) {
            control.define(i, terms).unwrap();
            for class in [ClassId(0), CLASS] {
                rig.statics.publish(i, class, &envelope, &static_terms(), NOW).unwrap();
                let live = envelope.clamp(&WIDE);
                rig.dynamics.publish(i, class, &live, &super::terms(Tier::Normal), NOW).unwrap();
            }
        }
        let books = Books { margins: [[10_000; 2]; 3], ..Books::default() };
        let mut desk = Self { rig, control, books, next: 1, terms };
        (0..3).for_each(|i| desk.mark(i, 10_000, true));
        desk.rate(1_000_000_000, 0);
        desk
    }

    /// Marks of the third lie about zero.
    fn mark(&mut self, instrument: u32, cents: i64, live: bool) {
        let mid = if instrument == 2 { cents - 10_000 } else { cents };
        let side = |off: i64| if cents == 0 { Px::NONE } else { Px((mid + off) * CENT.0) };
        let state = if live { BookState::Live } else { BookState::Stale(types::StaleCause::Gap) };
        let top = TopOfBook { bid: side(0), ask: side(1), last: Px::NONE, state, ..top() };
        self.rig.references.publish(InstrumentId(instrument), &top).unwrap();
        self.books.touches[instrument as usize] = (cents != 0).then_some((side(0), side(1), live));
        self.rig.gate.revalue(NOW);
    }

    /// The model says another multiplier.
    fn margin(&mut self, instrument: u32, class: u16, margin_bps: u32) {
        let live = any_margin().clamp(&RiskLimits { margin_bps, ..WIDE });
        let terms = super::terms(Tier::Normal);
        let (id, number) = (InstrumentId(instrument), ClassId(u8::try_from(class).unwrap()));
        self.rig.dynamics.publish(id, number, &live, &terms, NOW).unwrap();
        self.books.margins[instrument as usize][usize::from(class)] = margin_bps;
        self.rig.gate.revalue(NOW);
    }

    fn rate(&mut self, rate: u64, age: u64) {
        self.control.rate(CurrencyId(1), rate, UnixNanos(NOW.0 - age));
        self.books.rate = Some(rate).filter(|rate| *rate != 0 && age <= RATE_AGE_MAX.0);
        self.rig.gate.revalue(NOW);
    }

    fn order(
        &mut self,
        instrument: u32,
        (strategy, account): (u16, u16),
        side: Side,
        qty: u32,
        cents: i64,
    ) -> OrderIntent {
        self.next += 1;
        let from = if instrument == 2 { Px(0) } else { px("100.00") };
        let at = Px(from.0 + cents * CENT.0);
        OrderIntent {
            cl_ord_id: self.next,
            instrument: InstrumentId(instrument),
            strategy: StrategyId(strategy),
            account: AccountId(account),
            side,
            qty: Qty(qty),
            px: at,
            ..order(1)
        }
    }

    /// Judges an order by both. Gives what stands against it.
    fn new_order(
        &mut self,
        order: &OrderIntent,
        limits: (&[ExposureLimits; 2], &[ExposureLimits; 2]),
    ) -> Vec<R> {
        let explained = self.rig.gate.explain(order, NOW);
        let mut found: Vec<_> = explained.breaches().map(|b| b.reason).filter(|r| NEW.contains(r)).collect();
        found.sort();
        let asked = Asked { order, growth: order.qty.0.into(), counts: true };
        assert_eq!(found, self.books.breaches(asked, limits, &self.terms), "{order:?}");
        let fast = self.rig.fast(order, NOW);
        let (verdict, reservation) = self.rig.gate.reserve(order, NOW);
        assert_eq!(verdict, explained.verdict);
        assert!(!fast || explained.verdict.decision == Decision::Accept);
        if reservation.is_some() {
            let OrderIntent { cl_ord_id, instrument, strategy, account, side, qty, .. } = *order;
            let (instrument, strategy, account) = (instrument.0, strategy.0, account.0);
            let px = order.px;
            let works = Working { instrument, strategy, account, side, qty: qty.0.into(), done: 0, px };
            self.books.orders.insert(cl_ord_id, works);
        }
        found
    }

    fn nth(&self, n: usize) -> Option<(u64, Working)> {
        let open = self.books.orders.len();
        (open != 0).then(|| self.books.orders.iter().nth(n % open).map(|(id, w)| (*id, *w))).flatten()
    }

    fn go(&mut self, op: Op, limits: (&[ExposureLimits; 2], &[ExposureLimits; 2])) -> Vec<R> {
        match op {
            Op::New { instrument, strategy, account, side, qty, cents } => {
                let order = self.order(instrument, (strategy, account), side, qty, cents);
                return self.new_order(&order, limits);
            }
            Op::Fill(n, qty) => {
                if let Some((id, w)) = self.nth(n) {
                    let qty = i128::from(qty).min(w.qty - w.done);
                    self.rig.gate.settle(OrderEvent::Filled { id, qty: Qty(u32::try_from(qty).unwrap()) });
                    self.books.fill(id, qty);
                }
            }
            Op::Cancel(n) => {
                if let Some((id, _)) = self.nth(n) {
                    self.rig.gate.settle(OrderEvent::Cancelled { id });
                    self.books.orders.remove(&id);
                }
            }
            Op::Replace(n, qty, cents) => self.replace(n, qty, cents, limits),
            Op::Mark(instrument, cents, live) => self.mark(instrument, cents, live),
            Op::Position { instrument, strategy, account, position } => {
                let id = InstrumentId(instrument);
                self.rig.gate.set_position(id, StrategyId(strategy), AccountId(account), position).unwrap();
                let held = self.books.strategies.entry((instrument, strategy)).or_default();
                let more = i128::from(position) - *held;
                *held += more;
                *self.books.accounts.entry((instrument, account)).or_default() += more;
            }
            Op::Rate(rate, age) => self.rate(rate, age),
            Op::Margin(instrument, class, bps) => self.margin(instrument, class, bps),
        }
        Vec::new()
    }

    /// A replacement that the venue makes at once, if the gate lets it out.
    fn replace(
        &mut self,
        n: usize,
        qty: u32,
        cents: i64,
        limits: (&[ExposureLimits; 2], &[ExposureLimits; 2]),
    ) {
        let Some((id, w)) = self.nth(n) else { return };
        let order = self.order(w.instrument, (w.strategy, w.account), w.side, qty, cents);
        // It counts for what it adds, and where it is to trade at once and its order could only rest.
        let anew = self.books.touches[w.instrument as usize].is_some_and(|(bid, ask, _)| match w.side {
            Side::Bid => order.px > w.px && order.px >= ask,
            Side::Ask => order.px < w.px && order.px <= bid,
        });
        let growth = (i128::from(qty) - w.qty).max(0);
        let asked = Asked { order: &order, growth, counts: growth != 0 || anew };
        let want = self.books.breaches(asked, limits, &self.terms);
        let (verdict, reservation) = self.rig.gate.replace(id, &order, NOW);
        match verdict.reason {
            None => assert_eq!(want, [], "{order:?}"),
            Some(reason) if NEW.contains(&reason) => assert_eq!(want.first(), Some(&reason), "{order:?}"),
            Some(_) => {}
        }
        if reservation.is_some() {
            self.rig.gate.settle(OrderEvent::Replaced { id: order.cl_ord_id });
            self.books.orders.remove(&id);
            if i128::from(qty) > w.done {
                let works = Working { qty: qty.into(), px: order.px, ..w };
                self.books.orders.insert(order.cl_ord_id, works);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_finds_what_sums_made_anew_find(
        ops in proptest::collection::vec(any_op(), 0..60), multiplier in 1_u64..3_000_000,
        strategies in prop::array::uniform2(any_limits()), accounts in prop::array::uniform2(any_limits()),
        keeps in any::<bool>(),
    ) {
        let age = Nanos(u64::from(keeps));
        let mut desk = Desk::keeping(&strategies, &accounts, (multiplier, age));
        for op in ops {
            desk.go(op, (&strategies, &accounts));
        }
        // What is kept is what it would be if it were made anew.
        let kept = |gate: &Gate| {
            let level = |at| gate.levels.level(at).map(|level| (level.sums, level.required));
            gate.levels.all().filter_map(level).collect::<Vec<_>>()
        };
        let before = kept(&desk.rig.gate);
        desk.rig.gate.revalue(NOW);
        prop_assert_eq!(kept(&desk.rig.gate), before);
    }

    /// At the same marks no fills of what was let out, in any order and any part, lead past a limit.
    #[test]
    fn no_fills_of_what_was_let_out_lead_past_a_limit(
        ops in proptest::collection::vec(any_op(), 0..60),
        strategies in prop::array::uniform2(any_limits()), accounts in prop::array::uniform2(any_limits()),
    ) {
        let limits = (&strategies, &accounts);
        let mut desk = Desk::new(&strategies, &accounts, 1_000_000);
        for op in ops.into_iter().filter(|op| !matches!(op, Op::Mark(..) | Op::Rate(..) | Op::Margin(..) | Op::Position { .. })) {
            desk.go(op, limits);
            let Books { strategies: by_strategy, accounts: by_account, .. } = &desk.books;
            let levels = (0_u16..).zip(&strategies).map(|level| (by_strategy, level));
            for (held, (number, most)) in levels.chain((0_u16..).zip(&accounts).map(|level| (by_account, level))) {
                let value = |i: u32| {
                    let held = held.get(&(i, number)).copied().unwrap_or(0);
                    held * desk.books.unit(i, &desk.terms).unwrap()
                };
                let values = [value(0), value(1), value(2)];
                let gross: i128 = values.iter().map(|v| v.abs()).sum();
                let largest = values.iter().map(|v| v.abs()).max().unwrap();
                // Multipliers are once here: the margin is what is held.
                let found = [gross, values.iter().sum::<i128>().abs(), largest, gross];
                let most = [most.gross_micros, most.net_micros, most.instrument_micros, most.credit_micros];
                for (found, most) in found.into_iter().zip(most) {
                    prop_assert!(found <= i128::from(most) * 2_000_000_000_000_000_000, "{found} > {most}");
                }
            }
        }
    }
}

/// The properties say something only if the stories reach every verdict.
#[test]
fn the_stories_reach_every_reason_and_both_paths() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (ops, limits) = (proptest::collection::vec(any_op(), 60), prop::array::uniform2(any_limits()));
    let mut seen = BTreeMap::<R, u32>::new();
    for _ in 0..200 {
        let mut draw = || limits.new_tree(&mut runner).unwrap().current();
        let (strategies, accounts) = (draw(), draw());
        let mut desk = Desk::new(&strategies, &accounts, 1_000_000);
        for op in ops.new_tree(&mut runner).unwrap().current() {
            let found = desk.go(op, (&strategies, &accounts));
            found.into_iter().for_each(|reason| *seen.entry(reason).or_default() += 1);
        }
    }
    assert!(NEW.iter().all(|reason| seen.get(reason).is_some_and(|n| *n >= 20)), "{seen:?}");
}

/// No limit of a strategy, and one of a hundred of the account's value.
fn of_accounts(most: ExposureLimits) -> ([ExposureLimits; 2], [ExposureLimits; 2]) {
    ([ExposureLimits::NONE; 2], [most; 2])
}

const ALL: ExposureLimits = ExposureLimits {
    gross_micros: 100_000_000,
    net_micros: 100_000_000,
    instrument_micros: 100_000_000,
    credit_micros: 100_000_000,
};

fn holds(desk: &mut Desk, instrument: u32, (strategy, account): (u16, u16), position: i64) {
    desk.go(Op::Position { instrument, strategy, account, position }, (&[ALL; 2], &[ALL; 2]));
}

/// What a strategy holds for one account is no reason to let it sell for another.
#[test]
fn an_account_is_excused_by_what_it_holds_itself_alone() {
    let (none, all) = of_accounts(ALL);
    let all_four = [R::GrossAccount, R::NetAccount, R::ConcentrationAccount, R::CreditAccount];
    // A position of the one account, sold for the other.
    let mut desk = Desk::new(&none, &all, 1_000_000);
    holds(&mut desk, 0, (0, 0), 10_000);
    let sale = desk.order(0, (0, 1), Side::Ask, 10_000, 0);
    assert_eq!(desk.new_order(&sale, (&none, &all)), all_four);
    // Two strategies of one account, which holds nothing in sum.
    let mut desk = Desk::new(&none, &all, 1_000_000);
    holds(&mut desk, 0, (0, 0), 100);
    holds(&mut desk, 0, (1, 0), -100);
    let sale = desk.order(0, (0, 0), Side::Ask, 100, 0);
    assert_eq!(desk.new_order(&sale, (&none, &all)), all_four);
    // What is not valued, likewise.
    desk.mark(2, 10_000, true);
    holds(&mut desk, 1, (1, 0), 1);
    desk.rate(0, 0);
    assert!(desk.new_order(&sale, (&none, &all)).contains(&R::MarkMissing));
    // What reduces the account passes, also of a strategy that it enlarges.
    let mut desk = Desk::new(&none, &all, 1_000_000);
    holds(&mut desk, 0, (0, 0), 10_000);
    let sale = desk.order(0, (1, 0), Side::Ask, 10_000, 0);
    assert_eq!(desk.new_order(&sale, (&none, &all)), []);
}

/// Each of these sales closes something.
#[test]
fn closing_one_of_two_legs_does_not_lead_past_the_net() {
    let most = [ExposureLimits { net_micros: 10_000_000_000, ..ExposureLimits::NONE }; 2];
    for limits in [(&most, &[ExposureLimits::NONE; 2]), (&[ExposureLimits::NONE; 2], &most)] {
        let mut desk = Desk::new(limits.0, limits.1, 1_000_000);
        let mut trade = |instrument, side| {
            let order = desk.order(instrument, (0, 0), side, 90, 0);
            let found = desk.new_order(&order, limits);
            if found.is_empty() {
                desk.go(Op::Fill(0, 90), limits);
            }
            found
        };
        for (instrument, side) in
            [(0, Side::Bid), (1, Side::Ask), (0, Side::Bid), (1, Side::Ask), (0, Side::Ask)]
        {
            assert_eq!(trade(instrument, side), []);
        }
        assert_eq!(trade(0, Side::Ask).len(), 1, "18,000 sold and nothing bought");
        // What brings the net towards zero passes, wherever it is.
        assert_eq!(trade(1, Side::Bid), []);
        desk.go(Op::Position { instrument: 1, strategy: 0, account: 0, position: -900 }, limits);
        let back = desk.order(1, (0, 0), Side::Bid, 500, 0);
        assert_eq!(desk.new_order(&back, limits), []);
        let on = desk.order(0, (0, 0), Side::Ask, 1, 0);
        assert_eq!(desk.new_order(&on, limits).len(), 1);
    }
}

#[test]
fn a_quote_that_cannot_be_read_is_not_made_up_for_by_the_settlement_price() {
    let (none, all) = of_accounts(ExposureLimits { gross_micros: 1 << 60, ..ExposureLimits::NONE });
    let mut desk = Desk::new(&none, &all, 1_000_000);
    holds(&mut desk, 2, (0, 0), 1);
    let buy = desk.order(0, (0, 0), Side::Bid, 1, 0);
    desk.mark(2, 0, true);
    assert_eq!(desk.rig.gate.explain(&buy, NOW).verdict.reason, None, "it settled");
    desk.rig.references.abandon(InstrumentId(2));
    assert_eq!(desk.rig.gate.explain(&buy, NOW).verdict.reason, Some(R::MarkMissing));
    // A row from before it was known that its prices may be negative.
    desk.mark(1, 10_000, true);
    holds(&mut desk, 1, (0, 0), 1);
    desk.mark(2, 10_000, true);
    assert_eq!(desk.rig.gate.explain(&buy, NOW).verdict.reason, None);
    desk.control.forget(InstrumentId(1)).unwrap();
    desk.control.define(InstrumentId(1), &desk.terms[2]).unwrap();
    assert_eq!(desk.rig.gate.explain(&buy, NOW).verdict.reason, Some(R::MarkMissing));
}

/// A book in doubt makes nothing smaller than it settled at.
#[test]
fn a_book_that_is_not_live_counts_beside_a_settlement_price_alone() {
    let (none, all) = of_accounts(ExposureLimits { gross_micros: 1 << 60, ..ExposureLimits::NONE });
    let mut desk = Desk::new(&none, &all, 1_000_000);
    for (instrument, reason) in [(1, Some(R::MarkMissing)), (2, None)] {
        holds(&mut desk, instrument, (0, 0), 1);
        desk.mark(instrument, 10_500, false);
        let buy = desk.order(0, (0, 0), Side::Bid, 1, 0);
        assert_eq!(desk.rig.gate.explain(&buy, NOW).verdict.reason, reason);
        holds(&mut desk, instrument, (0, 0), 0);
    }
    // 5.005 in the book, 8 settled.
    holds(&mut desk, 2, (0, 0), 1_000);
    let level = desk.rig.gate.levels.level_mut(Place::Account(AccountId(0)));
    level.unwrap().limits.gross_micros = 8_000_000_000;
    let buy = desk.order(0, (0, 0), Side::Bid, 1, 0);
    assert_eq!(desk.rig.gate.explain(&buy, NOW).verdict.reason, Some(R::GrossAccount));
}

/// A price that is old does not either: of a feed that is silent, of a trade of long ago, of what is halted.
#[test]
fn a_mark_of_long_ago_counts_beside_a_settlement_price_alone() {
    let (none, all) = of_accounts(ExposureLimits { gross_micros: 1 << 60, ..ExposureLimits::NONE });
    let config = GateConfig::DEFAULT;
    let age = config.ref_age_max;
    let later = NOW.plus(Nanos(age.0 + 1));
    // What became of the instrument that is held, and whether the other's order passes.
    type Story = fn(&mut Desk, InstrumentId, UnixNanos);
    let silent: Story = |_, _, _| {};
    let alive: Story = |desk, _, later| desk.rig.references.heartbeat(later);
    let halted: Story = |desk, held, later| {
        let status = types::TradingStatus::Halted;
        desk.rig.references.publish(held, &TopOfBook { status, ..top() }).unwrap();
        desk.rig.references.heartbeat(later);
    };
    let traded: Story = |desk, held, later| {
        let last_ts = UnixNanos(later.0 - desk.rig.gate.tables.references.held().last_age_max.0 - 1);
        let bare = TopOfBook { ask: Px::NONE, last: px("100.00"), last_ts, ts: later, ..top() };
        desk.rig.references.publish(held, &bare).unwrap();
        desk.rig.references.heartbeat(later);
    };
    for (story, reason) in [
        (silent, Some(R::MarkMissing)),
        (alive, None),
        (halted, Some(R::MarkMissing)),
        (traded, Some(R::MarkMissing)),
    ] {
        let mut desk = Desk::new(&none, &all, 1_000_000);
        desk.rig.gate.ref_age_max = age;
        holds(&mut desk, 0, (0, 0), 1);
        desk.mark(0, 10_000, true);
        story(&mut desk, InstrumentId(0), later);
        desk.control.rate(CurrencyId(1), 1_000_000_000, later);
        let buy = desk.order(1, (0, 0), Side::Bid, 1, 0);
        desk.rig.references.publish(InstrumentId(1), &TopOfBook { ts: later, ..top() }).unwrap();
        let found = desk.rig.gate.explain(&buy, later);
        let missing = found.breaches().map(|breach| breach.reason).find(|found| *found == R::MarkMissing);
        assert_eq!(missing, reason);
    }
}

/// The bound is on what an order costs: nothing is summed beyond it.
#[test]
fn in_more_instruments_than_may_be_summed_nothing_is_added() {
    let (none, all) = of_accounts(ExposureLimits { gross_micros: 1 << 60, ..ExposureLimits::NONE });
    let mut desk = Desk::new(&none, &all, 1_000_000);
    desk.rig.gate.levels.summed_max = 2;
    (0..2).for_each(|instrument| holds(&mut desk, instrument, (0, 0), 10));
    let verdict = |desk: &mut Desk, instrument, side, qty| {
        let order = desk.order(instrument, (0, 0), side, qty, 0);
        let verdict = desk.rig.gate.explain(&order, NOW).verdict;
        (verdict.reason, verdict.value)
    };
    assert_eq!(verdict(&mut desk, 2, Side::Bid, 1), (Some(R::MarkMissing), 2));
    assert_eq!(verdict(&mut desk, 1, Side::Bid, 1).0, None);
    // A person may set more: then all that is left is to close.
    holds(&mut desk, 2, (0, 0), 10);
    assert_eq!(verdict(&mut desk, 1, Side::Bid, 1), (Some(R::MarkMissing), 1));
    assert_eq!(verdict(&mut desk, 1, Side::Ask, 10).0, None);
    assert_eq!(verdict(&mut desk, 1, Side::Ask, 11).0, Some(R::MarkMissing));
}
