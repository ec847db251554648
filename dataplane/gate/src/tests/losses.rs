//! What was lost within the firm's day, against lists of everything that was traded, over days and restarts.

use super::*;
use crate::{
    CurrencyId, GroupConfig, GroupKind, InstrumentTerms, MoneyRules, OrderEvent, ProfitRules,
    RejectReason as R, Step, TermsWriter, TradeDate,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, vec::Vec};

const HOUR: u64 = 3_600_000_000_000;

/// Days begin at 22:00 UTC, an hour and a bit before [`NOW`] (22:13:20).
const RULES: ProfitRules =
    ProfitRules { day_start: Nanos(22 * HOUR), fee_nanos_per_unit: 5_000_000, settlement_age_max_days: 3 };

/// The date of a day of which most lies on it, as days since 1970.
const fn date(at: UnixNanos) -> u64 {
    (at.0 + 2 * HOUR) / (24 * HOUR)
}

/// So many days before that.
fn days_before(at: UnixNanos, days: i64) -> TradeDate {
    TradeDate(u32::try_from(date(at).saturating_add_signed(-days)).unwrap())
}

/// Shares; a contract of fifty in another currency; a spread about zero.
fn terms() -> [InstrumentTerms; 3] {
    let settlement_date = days_before(NOW, 1);
    let settled = |text| InstrumentTerms { settlement: px(text), settlement_date, ..InstrumentTerms::PLAIN };
    let contract =
        InstrumentTerms { multiplier_micros: 50_000_000, currency: CurrencyId(1), ..settled("100.00") };
    [settled("99.00"), contract, InstrumentTerms { worth_min: px("7.00"), ..settled("-0.50") }]
}

#[derive(Clone, Copy, Debug)]
enum Op {
    New {
        instrument: u32,
        strategy: u16,
        account: u16,
        side: Side,
        qty: u32,
        cents: i64,
    },
    /// Of the n-th last order, a part of it, and at which price, where the venue says.
    Fill(u64, u32, Option<i64>),
    /// Of the n-th last execution, so much; or of none that is said.
    Bust(u64, u32, bool),
    Position {
        instrument: u32,
        strategy: u16,
        account: u16,
        position: i64,
    },
    /// In cents, 0 takes it away; and whether the book is live.
    Mark(u32, i64, bool),
    /// Of the second currency, in 1e-9; 0 takes it away.
    Rate(u64),
    /// And how many days before.
    Settle(u32, Option<i64>, i64),
    Wait(u64),
    Restart,
}

fn any_op() -> impl Strategy<Value = Op> {
    let who = || (0_u32..3, 0_u16..2, 0_u16..2);
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    let cents = || -150_i64..150;
    prop_oneof![
        8 => (who(), side, 1_u32..120, cents()).prop_map(|((instrument, strategy, account), side, qty, cents)| Op::New { instrument, strategy, account, side, qty, cents }),
        8 => (0_u64..5, 1_u32..120, proptest::option::weighted(0.8, cents())).prop_map(|(n, qty, cents)| Op::Fill(n, qty, cents)),
        1 => (0_u64..9, 1_u32..40, prop_oneof![9 => Just(true), 1 => Just(false)]).prop_map(|(n, qty, said)| Op::Bust(n, qty, said)),
        1 => (who(), -100_i64..100).prop_map(|((instrument, strategy, account), position)| Op::Position { instrument, strategy, account, position }),
        3 => (0_u32..3, prop_oneof![19 => 9_900_i64..10_100, 1 => Just(0)], prop_oneof![9 => Just(true), 1 => Just(false)]).prop_map(|(i, cents, live)| Op::Mark(i, cents, live)),
        1 => prop_oneof![9 => 1_u64..2_000_000_000, 1 => Just(0)].prop_map(Op::Rate),
        2 => (0_u32..3, proptest::option::weighted(0.8, cents()), prop_oneof![4 => Just(1_i64), 1 => -2_i64..6]).prop_map(|(i, cents, days)| Op::Settle(i, cents, days)),
        1 => prop_oneof![3 => 1_u64..HOUR, 1 => HOUR..40 * HOUR].prop_map(Op::Wait),
        1 => Just(Op::Restart),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    instrument: u32,
    strategy: u16,
    account: u16,
    side: Side,
    qty: u32,
    done: u32,
    px: i64,
}

/// A trade of today.
#[derive(Clone, Copy, Debug)]
struct Trade {
    sent: Sent,
    /// Bought, or less than nothing.
    signed: i128,
    units: i128,
    /// None when nobody knows.
    px: Option<i128>,
}

/// What everybody would write down.
#[derive(Default)]
struct Books {
    sent: BTreeMap<u64, Sent>,
    today: Vec<Trade>,
    /// By number: the order, what has not been taken back, and the price.
    executions: BTreeMap<u64, (u64, u32, i64)>,
    day: u64,
    /// By instrument, strategy, account; what a person has set, too.
    held: BTreeMap<(u32, u16, u16), i128>,
    touches: [Option<(i64, i64, bool)>; 3],
    rate: u64,
    terms: [Option<InstrumentTerms>; 3],
}

/// Whether something is of a level: by strategy and account.
type Of = fn(u16, u16) -> bool;

impl Books {
    /// What was made, in doubled 1e-24 of the firm's currency; none when nobody knows.
    fn profit(&self, of: Of) -> Option<i128> {
        (0..3).map(|i| self.profit_in(of, i)).sum()
    }

    fn profit_in(&self, of: Of, instrument: u32) -> Option<i128> {
        let terms = self.terms[instrument as usize].as_ref().unwrap();
        let trades = || {
            self.today
                .iter()
                .filter(|t| t.sent.instrument == instrument && of(t.sent.strategy, t.sent.account))
        };
        let its = |(i, s, a): &(u32, u16, u16)| *i == instrument && of(*s, *a);
        let held: i128 = self.held.iter().filter(|(at, _)| its(at)).map(|(_, held)| held).sum();
        let opened = held - trades().map(|t| t.signed).sum::<i128>();
        let days = i128::from(self.day) - i128::from(terms.settlement_date.0);
        let counts = terms.settlement.is_some() && (1..=3).contains(&days);
        let settlement = counts.then_some(2 * i128::from(terms.settlement.0));
        let mark = match self.touches[instrument as usize] {
            None => settlement,
            Some((bid, ask, true)) => Some(i128::from(bid) + i128::from(ask)),
            Some((bid, ask, false)) => settlement.map(|settled| {
                let mark = i128::from(bid) + i128::from(ask);
                if held > 0 { mark.min(settled) } else { mark.max(settled) }
            }),
        };
        let cash = trades().map(|t| Some(-2 * t.signed * t.px?)).sum::<Option<i128>>();
        let mut sum = cash?;
        if held != 0 {
            sum += held * mark?;
        }
        if opened != 0 {
            sum -= opened * settlement?;
        }
        let rate = if terms.currency.0 == 0 { 1_000_000_000 } else { i128::from(self.rate) };
        if (sum != 0 || held != 0) && rate == 0 {
            return None;
        }
        let fees = trades().map(|t| t.units).sum::<i128>() * i128::from(RULES.fee_nanos_per_unit);
        Some(sum * i128::from(terms.multiplier_micros) * rate - fees * 2_000_000_000_000_000)
    }

    fn trade(&mut self, sent: Sent, (signed, units, px): (i128, i128, Option<i64>)) {
        *self.held.entry((sent.instrument, sent.strategy, sent.account)).or_default() += signed;
        self.today.push(Trade { sent, signed, units, px: px.map(i128::from) });
    }

    /// It is `now`: what was traded before the day began is held, and no more.
    fn see(&mut self, now: UnixNanos) {
        let day = date(now);
        if day > self.day {
            self.today.clear();
            self.day = day;
        }
    }
}

/// Levels, with their limits and their reasons.
const LEVELS: [(Of, R); 7] = [
    (|s, _| s == 0, R::LossStrategy),
    (|s, _| s == 1, R::LossStrategy),
    (|_, a| a == 0, R::LossAccount),
    (|_, a| a == 1, R::LossAccount),
    (|s, _| s == 0, R::LossDesk),
    (|s, _| s == 1, R::LossTrader),
    (|_, _| true, R::LossFirm),
];

struct Desk {
    rig: Rig,
    control: TermsWriter,
    books: Books,
    next: u64,
    now: UnixNanos,
    losses: [u64; 7],
    age: Nanos,
}

impl Desk {
    fn config(losses: &[u64; 7], age: Nanos, make: impl FnOnce(&GateConfig<'_>) -> Gate) -> Gate {
        let free = |class| StrategyConfig { class, order_rate_per_s: 1_000_000, order_burst: 1_000_000 };
        let group =
            |kind, loss_micros| GroupConfig { kind, limits: crate::ExposureLimits::NONE, loss_micros };
        make(&GateConfig {
            strategies: &[free(ClassId(0)), free(CLASS)],
            strategy_loss: &losses[..2],
            account_loss: &losses[2..4],
            groups: &[
                group(GroupKind::Desk, losses[4]),
                group(GroupKind::Trader, losses[5]),
                group(GroupKind::Firm, losses[6]),
            ],
            strategy_groups: &[[Some(0), None, Some(2)], [None, Some(1), Some(2)]],
            profit: Some(RULES),
            mark_age_max: age,
            account_positions: true,
            self_match: SelfMatch::Off,
            open_orders_max: 200,
            recent_orders: 200,
            money: Some(MoneyRules { rate_age_max: Nanos(u64::MAX), undeclared_is_plain: false }),
            ref_age_max: Nanos(u64::MAX),
            ..CONFIG
        })
    }

    fn new(losses: [u64; 7], age: Nanos) -> Self {
        let mut rig = Rig::bare(&CONFIG, false);
        rig.gate = Self::config(&losses, age, |config| Gate::new(config, rig.gate.tables.clone()).unwrap());
        rig.breakers.set_unset(OPEN);
        let envelope = Envelope::fixed(WIDE).unwrap();
        let control = TermsWriter::of(&rig.gate.tables.references);
        for (i, class) in (0..3).flat_map(|i| [(i, ClassId(0)), (i, CLASS)]) {
            rig.statics.publish(InstrumentId(i), class, &envelope, &static_terms(), NOW).unwrap();
        }
        let mut desk = Self { rig, control, books: Books::default(), next: 1_000, now: NOW, losses, age };
        for (i, terms) in (0..).zip(terms()) {
            desk.declare(i, terms);
            desk.mark(i, 10_000, true);
        }
        desk.rate(1_000_000_000);
        desk
    }

    fn declare(&mut self, instrument: u32, terms: InstrumentTerms) {
        self.control.define(InstrumentId(instrument), &terms).unwrap();
        self.books.terms[instrument as usize] = Some(terms);
    }

    fn rate(&mut self, rate: u64) {
        self.control.rate(CurrencyId(1), rate, self.now);
        self.books.rate = rate;
    }

    fn at(instrument: u32, cents: i64) -> i64 {
        if instrument == 2 { cents * CENT.0 } else { px("100.00").0 + cents * CENT.0 }
    }

    fn mark(&mut self, instrument: u32, cents: i64, live: bool) {
        let side = |off: i64| Px(Self::at(instrument, cents - 10_000 + off));
        let (bid, ask) = if cents == 0 { (Px::NONE, Px::NONE) } else { (side(0), side(1)) };
        let state = if live { BookState::Live } else { BookState::Stale(types::StaleCause::Gap) };
        let top = TopOfBook { bid, ask, last: Px::NONE, state, ts: self.now, ..top() };
        self.rig.references.publish(InstrumentId(instrument), &top).unwrap();
        self.books.touches[instrument as usize] = (cents != 0).then_some((bid.0, ask.0, live));
    }

    /// Every loss that stands against an order, by both.
    fn judge(&mut self, order: &OrderIntent) -> Vec<R> {
        let found: Vec<_> =
            self.rig.gate.explain(order, self.now).breaches().map(|breach| breach.reason).collect();
        let losses = |r: &R| (1300..=1305).contains(&r.code());
        let found: Vec<_> = found.into_iter().filter(losses).collect();
        // The books as they are at the time of the order, which may be the first one of a day.
        let kept = self.books.today.clone();
        let day = self.books.day;
        self.books.see(self.now);
        let mut wanted = Vec::new();
        let OrderIntent { strategy, account, .. } = *order;
        for ((of, reason), most) in LEVELS
            .into_iter()
            .zip(self.losses)
            .filter(|((of, _), most)| *most != u64::MAX && of(strategy.0, account.0))
        {
            // The rest of each pair is the other's.
            let held: i128 = self
                .books
                .held
                .iter()
                .filter(|((i, s, a), _)| *i == order.instrument.0 && of(*s, *a))
                .map(|(_, n)| n)
                .sum();
            let works: i128 = self
                .books
                .sent
                .values()
                .filter(|w| {
                    w.instrument == order.instrument.0 && w.side == order.side && of(w.strategy, w.account)
                })
                .map(|w| i128::from(w.qty - w.done))
                .sum();
            let after = works + i128::from(order.qty.0) + if order.side == Side::Bid { held } else { -held };
            if after <= 0 {
                continue;
            }
            match self.books.profit(of) {
                None => wanted.push(R::LossUnknown),
                Some(profit) if -profit >= i128::from(most) * 2_000_000_000_000_000_000 => {
                    wanted.push(reason);
                }
                // One that is unknown in one instrument says nothing in sum.
                Some(_) => {}
            }
        }
        wanted.sort();
        wanted.dedup();
        (self.books.today, self.books.day) = (kept, day);
        let known: Vec<_> = wanted.iter().copied().filter(|r| *r != R::LossUnknown).collect();
        if wanted.contains(&R::LossUnknown) {
            // What the rest comes to is of no use to anybody.
            assert!(
                found.contains(&R::LossUnknown) && known.iter().all(|r| found.contains(r)),
                "{found:?} {wanted:?} {order:?}"
            );
        } else {
            assert_eq!(found, wanted, "{order:?}");
        }
        found
    }

    fn go(&mut self, op: Op) -> Vec<R> {
        self.next += 1;
        let id = self.next;
        match op {
            Op::New { instrument, strategy, account, side, qty, cents } => {
                let at = Self::at(instrument, cents);
                let (i, s, a) = (InstrumentId(instrument), StrategyId(strategy), AccountId(account));
                let order = OrderIntent {
                    instrument: i,
                    strategy: s,
                    account: a,
                    side,
                    qty: Qty(qty),
                    px: Px(at),
                    ..order(id)
                };
                let found = self.judge(&order);
                let verdict = self.rig.gate.check(&order, self.now);
                let (reserved, reservation) = self.rig.gate.reserve(&order, self.now);
                assert_eq!(verdict, reserved);
                if reservation.is_some() {
                    self.books.see(self.now);
                    self.books
                        .sent
                        .insert(id, Sent { instrument, strategy, account, side, qty, done: 0, px: at });
                }
                return found;
            }
            Op::Fill(n, qty, cents) => self.fill(n, qty, cents),
            Op::Bust(n, qty, said) => self.bust(n, qty, said),
            Op::Position { instrument, strategy, account, position } => {
                let i = InstrumentId(instrument);
                self.rig.gate.set_position(i, StrategyId(strategy), AccountId(account), position).unwrap();
                let all = |a: u16| self.books.held.get(&(instrument, strategy, a)).copied().unwrap_or(0);
                let more = i128::from(position) - all(0) - all(1);
                *self.books.held.entry((instrument, strategy, account)).or_default() += more;
            }
            Op::Mark(instrument, cents, live) => self.mark(instrument, cents, live),
            Op::Rate(rate) => self.rate(rate),
            Op::Settle(instrument, cents, days) => {
                let settlement = cents.map_or(Px::NONE, |cents| Px(Self::at(instrument, cents)));
                let settlement_date = days_before(self.now, days);
                let plain = terms()[instrument as usize];
                self.declare(instrument, InstrumentTerms { settlement, settlement_date, ..plain });
            }
            Op::Wait(ns) => self.now = self.now.plus(Nanos(ns)),
            Op::Restart => self.restart(),
        }
        self.rig.gate.revalue(self.now);
        Vec::new()
    }

    fn bust(&mut self, n: u64, qty: u32, said: bool) {
        let Some((execution, (id, left, px))) = self.books.executions.iter_mut().rev().nth(n as usize) else {
            return;
        };
        self.rig.gate.pass_time(self.now);
        let (execution, id, sent, px_found) = (*execution, *id, self.books.sent[id], *px);
        let (known, none_left) = (qty <= *left, *left == 0);
        let qty = Qty(qty);
        let undone = qty.0.min(if said { *left } else { sent.done }).min(sent.done);
        if said {
            *left -= undone;
        }
        if !(said && none_left) {
            let sent = self.books.sent.get_mut(&id).unwrap();
            (sent.qty, sent.done) = (sent.qty - undone, sent.done - undone);
        }
        self.books.see(self.now);
        self.rig.gate.settle(match said {
            true => OrderEvent::BustedExecution { id, execution, qty },
            false => OrderEvent::Busted { id, qty },
        });
        if undone == 0 {
            return;
        }
        let signed = if sent.side == Side::Bid { -i128::from(undone) } else { i128::from(undone) };
        self.books.trade(sent, (signed, undone.into(), (said && known).then_some(px_found)));
    }

    fn fill(&mut self, n: u64, qty: u32, cents: Option<i64>) {
        let id = self.next;
        let open: Vec<u64> =
            self.books.sent.iter().filter(|(_, w)| w.done < w.qty).map(|(id, _)| *id).collect();
        let Some(of) = open.len().checked_sub(1 + n as usize).map(|n| open[n]) else {
            return;
        };
        let sent = self.books.sent.get_mut(&of).unwrap();
        let qty = qty.min(sent.qty - sent.done);
        sent.done += qty;
        let sent = *sent;
        let px = cents.map(|cents| Self::at(sent.instrument, cents));
        self.rig.gate.pass_time(self.now);
        self.books.see(self.now);
        self.rig.gate.settle(match px {
            Some(px) => OrderEvent::ExecutedAt { id: of, execution: id, qty: Qty(qty), px: Px(px) },
            None => OrderEvent::Executed { id: of, execution: id, qty: Qty(qty) },
        });
        let signed = if sent.side == Side::Bid { i128::from(qty) } else { -i128::from(qty) };
        let px = px.unwrap_or(sent.px);
        self.books.executions.insert(id, (of, qty, px));
        self.books.trade(sent, (signed, qty.into(), Some(px)));
    }

    /// Another gate from the first one's checkpoint.
    fn restart(&mut self) {
        let mut steps = Vec::new();
        self.rig.gate.checkpoint(|step| steps.push(step.pack()));
        let tables = self.rig.gate.tables.clone();
        let mut again = Self::config(&self.losses, self.age, |config| Gate::new(config, tables).unwrap());
        for words in steps {
            again.restore(&Step::unpack(words).unwrap()).unwrap();
        }
        self.rig.gate = again;
    }
}

fn any_losses() -> impl Strategy<Value = [u64; 7]> {
    prop::array::uniform7(
        prop_oneof![3 => 1_u64..300_000_000, 1 => 1_u64..20_000_000_000, 1 => Just(u64::MAX)],
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_finds_the_losses_that_lists_of_all_trades_show(
        ops in proptest::collection::vec(any_op(), 0..80), losses in any_losses(), keeps in any::<bool>(),
    ) {
        let mut desk = Desk::new(losses, Nanos(if keeps { 1 } else { 0 }));
        for op in ops {
            desk.go(op);
        }
    }
}

#[test]
fn the_stories_reach_every_reason() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (ops, losses) = (proptest::collection::vec(any_op(), 80), any_losses());
    let (mut seen, mut passed) = (BTreeMap::<R, u32>::new(), 0);
    for _ in 0..100 {
        let mut desk = Desk::new(losses.new_tree(&mut runner).unwrap().current(), Nanos(0));
        for op in ops.new_tree(&mut runner).unwrap().current() {
            let found = desk.go(op);
            passed += u32::from(found.is_empty());
            found.into_iter().for_each(|reason| *seen.entry(reason).or_default() += 1);
        }
    }
    assert!(seen.len() == 6 && seen.values().all(|n| *n >= 20) && passed > 1_000, "{seen:?} {passed}");
}

/// A day begins with the first order, though the position was lost on the day before.
#[test]
fn a_loss_is_of_one_day_and_what_is_held_goes_on_from_its_settlement() {
    let mut desk = Desk::new([100_000_000; 7], Nanos(0));
    let buy = Op::New { instrument: 0, strategy: 0, account: 0, side: Side::Bid, qty: 100, cents: 100 };
    assert_eq!(desk.go(buy), []);
    desk.go(Op::Fill(0, 100, Some(100)));
    desk.go(Op::Mark(0, 10_000, true));
    // A hundred bought a dollar too dear, less half a cent, and half a dollar of fees.
    assert_eq!(desk.go(buy), [R::LossStrategy, R::LossAccount, R::LossDesk, R::LossFirm]);
    let sell = Op::New { instrument: 0, strategy: 0, account: 0, side: Side::Ask, qty: 100, cents: 0 };
    assert_eq!(desk.go(sell), [], "what only reduces passes");
    desk.restart();
    assert_eq!(desk.go(buy).len(), 4, "and a restart forgets nothing");
    desk.go(Op::Wait(24 * HOUR));
    assert_eq!(desk.go(buy), [], "settled at 99, marked at 100: a profit");
    desk.go(Op::Settle(0, Some(101), 1));
    assert_eq!(desk.go(buy).len(), 4, "settled at 101.01");
}

/// What nobody can price leaves the books in doubt, not the loss.
#[test]
fn a_fill_without_any_price_is_a_doubt() {
    let mut desk = Desk::new([u64::MAX; 7], Nanos(0));
    let kept = crate::KeptOrder {
        id: 7,
        instrument: InstrumentId(0),
        strategy: StrategyId(0),
        account: AccountId(0),
        side: Side::Bid,
        life: 2,
        px: 1 << 60,
        link: 0,
        qty: 9,
        executed: 0,
        pending_qty: 0,
    };
    desk.rig.gate.restore(&Step::Order(kept)).unwrap();
    desk.rig.gate.settle(OrderEvent::ExecutedAt { id: 7, execution: 1, qty: Qty(4), px: px("99.00") });
    assert!(!desk.rig.gate.exposure(InstrumentId(0), StrategyId(0)).unwrap().in_doubt);
    desk.rig.gate.settle(OrderEvent::Executed { id: 7, execution: 2, qty: Qty(5) });
    let held = desk.rig.gate.exposure(InstrumentId(0), StrategyId(0)).unwrap();
    assert!(held.in_doubt && held.position == 9);
    let mut volumes = Vec::new();
    let volume = |step| if let Step::Tallied { volume, .. } = step { Some(volume) } else { None };
    desk.rig.gate.checkpoint(|step| volumes.extend(volume(step)));
    assert_eq!(volumes, [4, 4], "what nobody can price is held as if from before the day");
}

/// As each of its strategies is stopped by itself, and for itself.
#[test]
fn executions_that_are_repeated_stop_a_strategy_until_that_is_taken_over_and_reset() {
    let repeated_executions = Some(crate::RepeatedExecutions { most: 3, window: Nanos::SECOND });
    let mut rig = Rig::with(&GateConfig { repeated_executions, ..CONFIG }, false);
    let roomy = RiskLimits { order_rate_per_s: 20_000, order_burst: 1_000, ..CAP };
    rig.publish_static(
        &Envelope::fixed(RiskLimits { passive_min_ticks: 1, ..roomy }).unwrap(),
        &static_terms(),
    );
    let fill = |rig: &mut Rig, id| {
        rig.take(&OrderIntent { qty: Qty(10), ..order(id) });
        // An order counts once, in however many parts it trades.
        (0..5).for_each(|n| {
            _ = rig.gate.settle(OrderEvent::Executed { id, execution: 10 * id + n, qty: Qty(2) });
        });
    };
    fill(&mut rig, 1);
    fill(&mut rig, 2);
    rig.take(&OrderIntent { qty: Qty(1), ..sell(3) });
    rig.gate.settle(OrderEvent::Filled { id: 3, qty: Qty(1) });
    fill(&mut rig, 4);
    fill(&mut rig, 5);
    rig.accepts(&order(9));
    fill(&mut rig, 6);
    assert_eq!((rig.gate.repeat_stops(STRATEGY), rig.gate.repeat_stops(StrategyId(0))), (1, 0));
    rig.refuses(&order(9), R::RepeatedExecutions);
    rig.accepts(&OrderIntent { qty: Qty(20), ..sell(9) });
    // The appliance latches it, and a person resets that.
    rig.set(BreakerKey::Strategy(STRATEGY), BreakerState::ReduceOnly);
    rig.breakers.take_repeats(STRATEGY, 1).unwrap();
    rig.refuses(&order(9), R::ReduceOnly);
    rig.accepts(&OrderIntent { qty: Qty(20), ..sell(9) });
    rig.set(BreakerKey::Strategy(STRATEGY), BreakerState::Open);
    rig.accepts(&order(9));
    assert!(rig.breakers.take_repeats(StrategyId(2), 1).is_err());
    (10..13).for_each(|id| fill(&mut rig, id));
    rig.refuses(&order(20), R::RepeatedExecutions);
}
