//! Limits of a strategy and an account over all instruments, in money, against sums made anew for every order.

use super::*;
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
    },
    /// Of the n-th open order.
    Fill(usize, u32),
    Cancel(usize),
    Replace(usize, u32),
    /// In cents; 0 takes it away.
    Mark(u32, i64),
    Position {
        instrument: u32,
        strategy: u16,
        account: u16,
        position: i64,
    },
    /// Of the second currency, in 1e-9.
    Rate(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let who = || (0_u32..3, 0_u16..2, 0_u16..2);
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    prop_oneof![
        8 => (who(), side, 1_u32..120).prop_map(|((instrument, strategy, account), side, qty)| Op::New { instrument, strategy, account, side, qty }),
        4 => (0_usize..9, 1_u32..120).prop_map(|(n, qty)| Op::Fill(n, qty)),
        2 => (0_usize..9).prop_map(Op::Cancel),
        1 => (0_usize..9, 1_u32..150).prop_map(|(n, qty)| Op::Replace(n, qty)),
        1 => (0_u32..3, prop_oneof![9 => 9_900_i64..10_100, 1 => Just(0)]).prop_map(|(i, cents)| Op::Mark(i, cents)),
        1 => (who(), -300_i64..300).prop_map(|((instrument, strategy, account), position)| Op::Position { instrument, strategy, account, position }),
        1 => prop_oneof![9 => 1_u64..2_000_000_000, 1 => Just(0)].prop_map(Op::Rate),
    ]
}

fn any_limits() -> impl Strategy<Value = ExposureLimits> {
    let limit = || prop_oneof![3 => 1_u64..60_000_000_000, 1 => Just(u64::MAX)];
    (limit(), limit(), limit()).prop_map(|(gross_micros, net_micros, instrument_micros)| ExposureLimits {
        gross_micros,
        net_micros,
        instrument_micros,
    })
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
}

/// The books as anybody would keep them.
#[derive(Default)]
struct Books {
    orders: BTreeMap<u64, Working>,
    strategies: BTreeMap<(u32, u16), i128>,
    accounts: BTreeMap<(u32, u16), i128>,
    /// Doubled, in 1e-9; the instrument's sign as it is.
    marks: [Option<i128>; 3],
    rate: u64,
}

impl Books {
    /// What a doubled unit of the instrument is worth in 1e-24.
    fn unit(&self, instrument: u32, terms: &[InstrumentTerms; 3]) -> Option<i128> {
        let terms = &terms[instrument as usize];
        let rate = if terms.currency.0 == 0 { 1_000_000_000 } else { self.rate };
        let settlement = terms.settlement.is_some().then(|| 2 * i128::from(terms.settlement.0));
        let mark = self.marks[instrument as usize].or(settlement)?;
        let least = if terms.may_be_negative() { 2 * i128::from(terms.worth_min.0) } else { 0 };
        (rate != 0).then(|| mark.abs().max(least) * i128::from(terms.multiplier_micros) * i128::from(rate))
    }

    /// Gross, net on the side, the instrument's part, and whether anything has no value; with `more` of an order working.
    fn sums(
        &self,
        of: impl Fn(&Working) -> bool,
        held: impl Fn(u32) -> i128,
        (instrument, side, more): (u32, Side, i128),
        terms: &[InstrumentTerms; 3],
    ) -> ([i128; 3], bool) {
        let (mut gross, mut net, mut own, mut unvalued) = (0, 0, 0, false);
        for i in 0..3 {
            let works = |wanted: Side| {
                let all = self.orders.values().filter(|w| of(w) && w.instrument == i && w.side == wanted);
                let extra = if i == instrument && wanted == side { more } else { 0 };
                all.map(|w| w.qty - w.done).sum::<i128>() + extra
            };
            let (low, high) = (held(i) - works(Side::Ask), held(i) + works(Side::Bid));
            if held(i) == 0 && low == 0 && high == 0 {
                continue;
            }
            let Some(unit) = self.unit(i, terms) else {
                unvalued = true;
                continue;
            };
            let larger = low.abs().max(high.abs()) * unit;
            gross += larger;
            net += if side == Side::Bid { high * unit } else { -low * unit };
            own += if i == instrument { larger } else { 0 };
        }
        ([gross, net.max(0), own], unvalued)
    }

    /// Whether an order can only reduce what its strategy holds.
    fn reduces(&self, order: &OrderIntent) -> bool {
        let OrderIntent { instrument, strategy, side, qty, .. } = *order;
        let same = |w: &&Working| w.instrument == instrument.0 && w.strategy == strategy.0 && w.side == side;
        let works: i128 = self.orders.values().filter(same).map(|w| w.qty - w.done).sum();
        let own = self.strategies.get(&(instrument.0, strategy.0)).copied().unwrap_or(0);
        let held = if side == Side::Bid { own } else { -own };
        held + works + i128::from(qty.0) <= 0
    }

    fn breaches(
        &self,
        order: &OrderIntent,
        (strategies, accounts): (&[ExposureLimits; 2], &[ExposureLimits; 2]),
        terms: &[InstrumentTerms; 3],
    ) -> Vec<R> {
        let OrderIntent { instrument, strategy, account, side, qty, .. } = *order;
        let what = (instrument.0, side, i128::from(qty.0));
        let own = |i: u32| self.strategies.get(&(i, strategy.0)).copied().unwrap_or(0);
        let all = |i: u32| self.accounts.get(&(i, account.0)).copied().unwrap_or(0);
        if self.reduces(order) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let levels = [
            (
                self.sums(|w| w.strategy == strategy.0, own, what, terms),
                &strategies[usize::from(strategy.0)],
                [R::GrossStrategy, R::NetStrategy, R::ConcentrationStrategy],
            ),
            (
                self.sums(|w| w.account == account.0, all, what, terms),
                &accounts[usize::from(account.0)],
                [R::GrossAccount, R::NetAccount, R::ConcentrationAccount],
            ),
        ];
        for ((sums, unvalued), limits, reasons) in levels {
            if *limits == ExposureLimits::NONE {
                continue;
            }
            let most = [limits.gross_micros, limits.net_micros, limits.instrument_micros];
            for ((sum, most), reason) in sums.into_iter().zip(most).zip(reasons) {
                if most != u64::MAX && sum > i128::from(most) * 2_000_000_000_000_000_000 {
                    found.push(reason);
                }
            }
            if unvalued {
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

const NEW: [R; 7] = [
    R::GrossStrategy,
    R::GrossAccount,
    R::NetStrategy,
    R::NetAccount,
    R::ConcentrationStrategy,
    R::ConcentrationAccount,
    R::MarkMissing,
];

const ROOMY: RiskLimits = RiskLimits {
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

struct Desk {
    rig: Rig,
    control: TermsWriter,
    books: Books,
    next: u64,
    terms: [InstrumentTerms; 3],
    /// An order was let out that can only reduce what its strategy holds: it may have been one leg of a hedge.
    left_a_leg: bool,
}

impl Desk {
    fn new(strategies: &[ExposureLimits; 2], accounts: &[ExposureLimits; 2], multiplier: u64) -> Self {
        let free = |class| StrategyConfig { class, order_rate_per_s: 1_000_000, order_burst: 1_000_000 };
        let config = GateConfig {
            strategies: &[free(ClassId(0)), free(CLASS)],
            strategy_limits: strategies,
            account_limits: accounts,
            account_positions: false,
            self_match: SelfMatch::Off,
            open_orders_max: 64,
            money: Some(MoneyRules { rate_age_max: RATE_AGE_MAX, undeclared_is_plain: false }),
            ..CONFIG
        };
        let mut rig = Rig::bare(&config, true);
        rig.breakers.set_unset(OPEN);
        let envelope = Envelope::fixed(ROOMY).unwrap();
        let mut control = TermsWriter::of(&rig.gate.tables.references);
        let terms = terms(multiplier);
        for (i, terms) in (0..).map(InstrumentId).zip(&terms) {
            control.define(i, terms).unwrap();
            for class in [ClassId(0), CLASS] {
                rig.statics.publish(i, class, &envelope, &static_terms(), NOW).unwrap();
                let live = envelope.clamp(&ROOMY);
                rig.dynamics.publish(i, class, &live, &super::terms(Tier::Normal), NOW).unwrap();
            }
        }
        let mut desk = Self { rig, control, books: Books::default(), next: 1, terms, left_a_leg: false };
        (0..3).for_each(|i| desk.mark(i, 10_000));
        desk.rate(1_000_000_000);
        desk
    }

    /// Marks of the third lie about zero.
    fn mark(&mut self, instrument: u32, cents: i64) {
        let mid = if instrument == 2 { cents - 10_000 } else { cents };
        let side = |off: i64| if cents == 0 { Px::NONE } else { Px((mid + off) * CENT.0) };
        let top = TopOfBook { bid: side(0), ask: side(1), last: Px::NONE, ..top() };
        self.rig.references.publish(InstrumentId(instrument), &top).unwrap();
        let twice = i128::from(2 * mid + 1) * i128::from(CENT.0);
        self.books.marks[instrument as usize] = (cents != 0).then_some(twice);
    }

    fn rate(&mut self, rate: u64) {
        self.control.rate(CurrencyId(1), rate, NOW);
        self.books.rate = rate;
    }

    fn order(&mut self, instrument: u32, strategy: u16, account: u16, side: Side, qty: u32) -> OrderIntent {
        self.next += 1;
        let at = if instrument == 2 { Px(0) } else { px("100.00") };
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
        assert_eq!(found, self.books.breaches(order, limits, &self.terms), "{order:?}");
        let fast = self.rig.fast(order, NOW);
        let (verdict, reservation) = self.rig.gate.reserve(order, NOW);
        assert_eq!(verdict, explained.verdict);
        assert!(!fast || explained.verdict.decision == Decision::Accept);
        if reservation.is_some() {
            self.left_a_leg |= self.books.reduces(order);
            let OrderIntent { cl_ord_id, instrument, strategy, account, side, qty, .. } = *order;
            let (instrument, strategy, account) = (instrument.0, strategy.0, account.0);
            let works = Working { instrument, strategy, account, side, qty: qty.0.into(), done: 0 };
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
            Op::New { instrument, strategy, account, side, qty } => {
                let order = self.order(instrument, strategy, account, side, qty);
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
            Op::Replace(n, qty) => self.replace(n, qty),
            Op::Mark(instrument, cents) => self.mark(instrument, cents),
            Op::Position { instrument, strategy, account, position } => {
                let id = InstrumentId(instrument);
                self.rig.gate.set_position(id, StrategyId(strategy), AccountId(account), position).unwrap();
                let held = self.books.strategies.entry((instrument, strategy)).or_default();
                let more = i128::from(position) - *held;
                *held += more;
                *self.books.accounts.entry((instrument, account)).or_default() += more;
            }
            Op::Rate(rate) => self.rate(rate),
        }
        Vec::new()
    }

    /// A replacement that the venue makes at once, if the gate lets it out.
    fn replace(&mut self, n: usize, qty: u32) {
        let Some((id, w)) = self.nth(n) else { return };
        let order = self.order(w.instrument, w.strategy, w.account, w.side, qty);
        if self.rig.gate.replace(id, &order, NOW).1.is_some() {
            self.rig.gate.settle(OrderEvent::Replaced { id: order.cl_ord_id });
            self.books.orders.remove(&id);
            if i128::from(qty) > w.done {
                self.books.orders.insert(order.cl_ord_id, Working { qty: qty.into(), ..w });
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
    ) {
        let mut desk = Desk::new(&strategies, &accounts, multiplier);
        for op in ops {
            desk.go(op, (&strategies, &accounts));
        }
    }

    /// At the same marks no fills of what was let out, in any order and any part, lead past a limit; but a strategy may always
    /// leave one leg of a hedge, which makes its net larger.
    #[test]
    fn no_fills_of_what_was_let_out_lead_past_a_limit(
        ops in proptest::collection::vec(any_op(), 0..60), strategies in prop::array::uniform2(any_limits()),
    ) {
        let none = [ExposureLimits::NONE; 2];
        let limits = (&strategies, &none);
        let mut desk = Desk::new(&strategies, &none, 1_000_000);
        for op in ops.into_iter().filter(|op| !matches!(op, Op::Mark(..) | Op::Rate(_) | Op::Position { .. })) {
            desk.go(op, limits);
            for (strategy, most) in (0_u16..).zip(&strategies) {
                let value = |i: u32| {
                    let held = desk.books.strategies.get(&(i, strategy)).copied().unwrap_or(0);
                    held * desk.books.unit(i, &desk.terms).unwrap()
                };
                let values = [value(0), value(1), value(2)];
                let gross: i128 = values.iter().map(|v| v.abs()).sum();
                let largest = values.iter().map(|v| v.abs()).max().unwrap();
                let found = [gross, values.iter().sum::<i128>().abs(), largest];
                let net_micros = if desk.left_a_leg { u64::MAX } else { most.net_micros };
                let most = [most.gross_micros, net_micros, most.instrument_micros];
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
