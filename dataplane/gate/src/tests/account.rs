//! What holds beyond one strategy: the account's position, its own orders, and orders that were sent twice.

use super::*;
use crate::{Exposure, OrderEvent as E, RejectReason as R};
use proptest::{prelude::*, sample::select};
use std::{vec, vec::Vec};

/// An order of the account's other strategy.
fn of_other_strategy(order: OrderIntent) -> OrderIntent {
    OrderIntent { strategy: StrategyId(0), ..order }
}

/// Both strategies under the same limits, which are not in the way of what is tested.
fn both_under(config: &GateConfig<'_>, max_pos_long: i64) -> Rig {
    let mut rig = Rig::bare(config, true);
    let roomy = RiskLimits { order_rate_per_s: 20_000, order_burst: 1_000, max_pos_short: 9_000, ..CAP };
    let limits = RiskLimits { max_pos_long, ..roomy };
    let envelope = Envelope::fixed(limits).expect("limits within their bounds");
    rig.breakers.set_unset(OPEN);
    rig.publish_top(&top());
    for class in [ClassId(0), CLASS] {
        rig.statics.publish(INSTRUMENT, class, &envelope, &static_terms(), NOW).expect("a row");
        let terms = Terms { lease: Nanos(60_000_000_000), ..terms(Tier::Normal) };
        rig.dynamics.publish(INSTRUMENT, class, &envelope.clamp(&limits), &terms, NOW).expect("a row");
    }
    rig
}

#[test]
fn an_account_is_held_to_a_position_over_all_its_strategies() {
    let mut rig = both_under(&CONFIG, 100);
    rig.take(&order(1));
    let verdict = rig.refuses(&of_other_strategy(OrderIntent { qty: Qty(1), ..order(2) }), R::AccountPos);
    assert_eq!((verdict.limit, verdict.value), (100, 101));
    rig.accepts(&of_other_strategy(OrderIntent { account: AccountId(0), ..order(2) }));
    // What is filled counts as what works did, and what is taken back does not.
    rig.gate.settle(E::Filled { id: 1, qty: Qty(60) });
    rig.gate.settle(E::Cancelled { id: 1 });
    rig.refuses(&of_other_strategy(OrderIntent { qty: Qty(41), ..order(2) }), R::AccountPos);
    rig.take(&of_other_strategy(OrderIntent { qty: Qty(40), ..order(2) }));
    rig.refuses(&OrderIntent { qty: Qty(1), ..order(3) }, R::AccountPos);
    rig.accepts(&OrderIntent { qty: Qty(60), ..sell(3) });
}

/// That a strategy leaves its own position says nothing of what the account holds.
#[test]
fn an_account_is_held_to_its_position_by_what_it_holds_itself() {
    let mut rig = both_under(&CONFIG, 100);
    let set = |rig: &mut Rig, strategy, account, position| {
        rig.gate
            .set_position(INSTRUMENT, StrategyId(strategy), AccountId(account), position)
            .expect("a cell");
    };
    set(&mut rig, 0, 1, 150);
    set(&mut rig, 1, 1, -80);
    // The account is long by 70: a buy enlarges it, whatever the strategy is.
    rig.accepts(&OrderIntent { qty: Qty(30), ..order(1) });
    let verdict = rig.refuses(&OrderIntent { qty: Qty(31), ..order(1) }, R::AccountPos);
    assert_eq!((verdict.limit, verdict.value), (100, 101));
    rig.accepts(&OrderIntent { qty: Qty(70), ..sell(1) });
    // A position held for one account and sold for another.
    let mut rig = both_under(&CONFIG, 200);
    set(&mut rig, 1, 0, -150);
    set(&mut rig, 0, 1, 150);
    rig.accepts(&OrderIntent { qty: Qty(50), ..order(1) });
    rig.refuses(&OrderIntent { qty: Qty(51), ..order(1) }, R::AccountPos);
    // Beyond its limit already: what reduces the account passes.
    let mut rig = both_under(&CONFIG, 100);
    set(&mut rig, 0, 1, -9_500);
    rig.accepts(&OrderIntent { qty: Qty(100), ..order(1) });
}

#[test]
fn accounts_are_held_to_no_position_where_nobody_asked_for_it() {
    let mut rig = both_under(&GateConfig { account_positions: false, ..CONFIG }, 100);
    rig.take(&order(1));
    rig.accepts(&of_other_strategy(order(2)));
}

#[test]
fn an_order_that_would_trade_with_an_own_one_is_refused() {
    let mut rig = both_under(&CONFIG, 5_000);
    rig.take(&sell(1));
    rig.take(&OrderIntent { px: px("100.04"), ..sell(2) });
    let crossing = OrderIntent { px: px("100.03"), ..order(3) };
    let verdict = rig.refuses(&crossing, R::SelfMatched);
    assert_eq!((verdict.limit, verdict.value), (px("100.02").0, px("100.03").0));
    rig.refuses(&of_other_strategy(crossing), R::SelfMatched);
    rig.refuses(&market(3, Side::Bid), R::SelfMatched);
    rig.accepts(&OrderIntent { account: AccountId(0), ..crossing });
    rig.accepts(&OrderIntent { px: px("100.01"), ..crossing });
    // The nearest is gone: what is left lies farther off, also for the fast path.
    rig.gate.settle(E::Cancelled { id: 1 });
    rig.take(&crossing);
    assert!(rig.fast(&OrderIntent { cl_ord_id: 4, ..crossing }, NOW));
    rig.refuses(&OrderIntent { px: px("100.04"), ..order(4) }, R::SelfMatched);
}

#[test]
fn own_orders_are_those_of_the_firm_where_that_is_asked_for() {
    for (scope, other) in
        [(SelfMatch::Off, None), (SelfMatch::Account, None), (SelfMatch::Firm, Some(R::SelfMatched))]
    {
        let mut rig = both_under(&GateConfig { self_match: scope, ..CONFIG }, 5_000);
        rig.take(&sell(1));
        let buy = OrderIntent { px: px("100.02"), ..order(2) };
        assert_eq!(rig.check(&OrderIntent { account: AccountId(0), ..buy }).reason, other, "{scope:?}");
        assert_eq!(rig.check(&buy).reason, (scope != SelfMatch::Off).then_some(R::SelfMatched));
    }
}

#[test]
fn a_replacement_may_not_cross_an_own_order_and_may_shrink_beside_one() {
    let mut rig = both_under(&CONFIG, 5_000);
    rig.take(&order(1));
    rig.take(&sell(2));
    let crossing = OrderIntent { px: px("100.02"), ..order(3) };
    assert_eq!(rig.gate.replace(1, &crossing, NOW).0.reason, Some(R::SelfMatched));
    // Until the venue answers, the sell may stand at either price.
    assert!(rig.gate.replace(2, &OrderIntent { px: px("100.06"), ..sell(4) }, NOW).0.accepted());
    rig.refuses(&OrderIntent { cl_ord_id: 5, ..crossing }, R::SelfMatched);
    rig.gate.settle(E::Replaced { id: 4 });
    rig.accepts(&OrderIntent { cl_ord_id: 5, ..crossing });
}

#[test]
fn the_same_order_under_a_new_id_is_refused_for_a_while() {
    let mut rig = both_under(&GateConfig { repeat_window: Nanos(5_000), ..CONFIG }, 5_000);
    rig.take(&order(1));
    let verdict = rig.refuses(&order(2), R::Repeated);
    assert_eq!((verdict.limit, verdict.value), (5_000, 0));
    rig.accepts(&OrderIntent { qty: Qty(101), ..order(2) });
    let (just_inside, over) = (NOW.plus(Nanos(4_999)), NOW.plus(Nanos(5_000)));
    assert_eq!(rig.gate.check(&order(2), just_inside).value, 4_999);
    assert_eq!(rig.gate.check(&order(2), over).reason, None);
    // A refused order is none that was sent, and a replacement is meant to resemble its order.
    let refused = OrderIntent { px: px("90.00"), ..order(2) };
    rig.refuses(&refused, R::Collar);
    rig.refuses(&refused, R::Collar);
    assert_eq!(rig.gate.replace(1, &order(3), NOW).0.reason, None);
    rig.accepts(&OrderIntent { strategy: StrategyId(0), ..order(4) });
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    New { strategy: u16, account: u16, side: Side, ticks: i64, qty: u32 },
    Replace { which: usize, ticks: i64, qty: u32 },
    Answer { which: usize, made: bool },
    Fill { which: usize, qty: u32 },
    Cancel { which: usize },
}

fn any_op() -> impl Strategy<Value = Op> {
    let side = select(vec![Side::Bid, Side::Ask]);
    let new = (0_u16..2, 0_u16..2, side, -2_i64..5, 1_u32..60);
    prop_oneof![
        4 => new.prop_map(|(strategy, account, side, ticks, qty)| Op::New { strategy, account, side, ticks, qty }),
        1 => (0_usize..8, -2_i64..5, 1_u32..60).prop_map(|(which, ticks, qty)| Op::Replace { which, ticks, qty }),
        1 => (0_usize..8, any::<bool>()).prop_map(|(which, made)| Op::Answer { which, made }),
        1 => (0_usize..8, 1_u32..40).prop_map(|(which, qty)| Op::Fill { which, qty }),
        1 => (0_usize..8).prop_map(|which| Op::Cancel { which }),
    ]
}

/// An own order as a plain list has it.
#[derive(Clone, Debug)]
struct Own {
    id: u64,
    intent: OrderIntent,
    executed: u32,
    /// A replacement that the venue has not answered.
    pending: Option<OrderIntent>,
}

impl Own {
    fn leaves(&self) -> i128 {
        let pending = self.pending.map_or(0, |p| p.qty.0);
        // The venue may fill a replacement and then say that it refused it.
        (i128::from(self.intent.qty.0.max(pending)) - i128::from(self.executed)).max(0)
    }

    fn prices(&self) -> impl Iterator<Item = Px> {
        [Some(self.intent.px), self.pending.map(|p| p.px)].into_iter().flatten()
    }
}

#[derive(Default)]
struct Plain {
    own: Vec<Own>,
    /// By account, and by strategy.
    positions: [i128; 2],
    held: [i128; 2],
}

impl Plain {
    fn worst(&self, position: i128, side: Side, of: impl Fn(&OrderIntent) -> bool, qty: u32) -> i128 {
        let works = |o: &&Own| o.intent.side == side && of(&o.intent);
        let working: i128 = self.own.iter().filter(works).map(Own::leaves).sum();
        let signed = if side == Side::Bid { position } else { -position };
        signed + working + i128::from(qty)
    }

    fn meets(&self, order: &OrderIntent) -> bool {
        let own =
            self.own.iter().filter(|o| o.intent.side != order.side && o.intent.account == order.account);
        let works = own.filter(|o| o.leaves() > 0);
        works.flat_map(Own::prices).any(|at| match order.side {
            Side::Bid => order.px >= at,
            Side::Ask => order.px <= at,
        })
    }

    /// Whether the account, and not the strategy, forbids it.
    fn over(&self, order: &OrderIntent, long: i128, short: i128) -> bool {
        let most = if order.side == Side::Bid { long } else { short };
        let account = self.positions[usize::from(order.account.0)];
        let strategy = self.held[usize::from(order.strategy.0)];
        let of_account = self.worst(account, order.side, |o| o.account == order.account, order.qty.0);
        let of_strategy = self.worst(strategy, order.side, |o| o.strategy == order.strategy, order.qty.0);
        of_account > most && of_account > of_strategy
    }

    fn finish(&mut self, at: usize) {
        if self.own[at].leaves() == 0 && self.own[at].pending.is_none() {
            self.own.remove(at);
        }
    }

    fn fill(&mut self, at: usize, qty: u32) {
        let own = &mut self.own[at];
        own.executed += qty;
        let signed = if own.intent.side == Side::Bid { i128::from(qty) } else { -i128::from(qty) };
        self.positions[usize::from(own.intent.account.0)] += signed;
        self.held[usize::from(own.intent.strategy.0)] += signed;
        self.finish(at);
    }
}

fn at_ticks(ticks: i64) -> Px {
    Px(px("100.00").0 + ticks * CENT.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Against a list of own orders and two sums: the reach of the own orders, and what an account holds, may be no nearer and no
    /// less than they are, through every event.
    #[test]
    fn accounts_hold_what_a_plain_list_holds(ops in proptest::collection::vec(any_op(), 1..80)) {
        let mut rig = both_under(&GateConfig { open_orders_max: 64, recent_orders: 3, ..CONFIG }, 150);
        let (mut plain, mut id, mut now) = (Plain::default(), 0, NOW);
        for op in ops {
            (id, now) = (id + 1, now.plus(Nanos(30_000_000)));
            rig.references.heartbeat(now);
            match op {
                Op::New { strategy, account, side, ticks, qty } => {
                    let intent = OrderIntent {
                        strategy: StrategyId(strategy), account: AccountId(account), side, px: at_ticks(ticks), qty: Qty(qty), ..order(id)
                    };
                    let explained = rig.gate.explain(&intent, now);
                    let found = |reason| explained.breaches().any(|b| b.reason == reason);
                    prop_assert_eq!(found(R::SelfMatched), plain.meets(&intent));
                    prop_assert_eq!(found(R::AccountPos), plain.over(&intent, 150, 9_000));
                    let (verdict, reservation) = rig.gate.reserve(&intent, now);
                    prop_assert_eq!(verdict, explained.verdict);
                    if reservation.is_some() {
                        plain.own.push(Own { id, intent, executed: 0, pending: None });
                    }
                }
                Op::Replace { which, ticks, qty } if which < plain.own.len() => {
                    let own = &mut plain.own[which];
                    let intent = OrderIntent { cl_ord_id: id, px: at_ticks(ticks), qty: Qty(qty), ..own.intent };
                    if own.pending.is_none() && rig.gate.replace(own.id, &intent, now).1.is_some() {
                        own.pending = Some(intent);
                    }
                }
                Op::Answer { which, made } if which < plain.own.len() => {
                    let own = &mut plain.own[which];
                    if let Some(pending) = own.pending.take() {
                        let id = pending.cl_ord_id;
                        if made {
                            rig.gate.settle(E::Replaced { id });
                            let qty = Qty(pending.qty.0.max(own.executed));
                            (own.id, own.intent) = (id, OrderIntent { qty, ..pending });
                        } else {
                            rig.gate.settle(E::ReplaceRejected { id });
                        }
                        plain.finish(which);
                    }
                }
                Op::Fill { which, qty } if which < plain.own.len() => {
                    let qty = u32::try_from(plain.own[which].leaves()).unwrap().min(qty);
                    rig.gate.settle(E::Filled { id: plain.own[which].id, qty: Qty(qty) });
                    plain.fill(which, qty);
                }
                Op::Cancel { which } if which < plain.own.len() && plain.own[which].pending.is_none() => {
                    rig.gate.settle(E::Cancelled { id: plain.own[which].id });
                    plain.own.remove(which);
                }
                Op::Replace { .. } | Op::Answer { .. } | Op::Fill { .. } | Op::Cancel { .. } => {}
            }
        }
        let Exposure { position, .. } = rig.gate.exposure(INSTRUMENT, STRATEGY).unwrap();
        prop_assert_eq!(i128::from(position), plain.held[1]);
    }
}

/// Every number at the end of its range, and every number that nothing has: nothing passes, and nothing panics.
#[test]
fn no_number_however_large_passes_or_panics() {
    let mut rig = Rig::new();
    let prices = [Px(0), Px(-1), Px(i64::MIN), Px(i64::MAX), Px(i64::MAX - 1), Px(crate::PX_MAX.0 + 1)];
    let refused = |rig: &mut Rig, order: &OrderIntent| {
        let verdict = rig.check(order);
        assert!(!verdict.accepted(), "{order:?}");
        assert_eq!(rig.gate.explain(order, NOW).verdict, verdict);
        assert_eq!(rig.gate.reserve(order, NOW), (verdict, None));
    };
    for px in prices {
        for (side, qty, cl_ord_id) in [Side::Bid, Side::Ask].into_iter().flat_map(|side| {
            let sizes = [0, 1, u32::MAX].into_iter().flat_map(|qty| [0, 1, u64::MAX].map(|id| (qty, id)));
            sizes.map(move |(qty, id)| (side, qty, id))
        }) {
            refused(&mut rig, &OrderIntent { px, side, qty: Qty(qty), cl_ord_id, ..order(1) });
        }
    }
    for instrument in [3, 4, u32::MAX - 1, u32::MAX].map(InstrumentId) {
        for strategy in [0, 2, u16::MAX].map(StrategyId) {
            for account in [0, 2, u16::MAX].map(AccountId) {
                refused(&mut rig, &OrderIntent { instrument, strategy, account, ..order(1) });
            }
        }
    }
    let early = UnixNanos(NOW.0 - 1);
    for now in [UnixNanos(0), UnixNanos(1), early, NOW.plus(Nanos(6_000_000_000)), UnixNanos(u64::MAX - 1)] {
        let verdict = Rig::new().gate.check(&order(1), now);
        assert_eq!(verdict.accepted(), now == early, "{now:?}: {verdict}");
    }
}
