//! What a strategy and an account do within the window, against the list of everything they did.

use super::*;
use crate::{ActivityLimits, OrderEvent, RejectReason as R};
use proptest::prelude::*;
use std::vec::Vec;

const WINDOW: Nanos = Nanos(800_000_000);
/// An eighth of it.
const PART: u64 = 100_000_000;

/// What a sell below the bid yields is the bid, and what a market order costs is what lies behind the touch.
#[test]
fn an_order_counts_in_the_window_for_what_it_may_cost_or_yield() {
    let value_micros = 10_000_000_000;
    let most = ActivityLimits { value_micros, ..ActivityLimits::NONE };
    let config = GateConfig { window: WINDOW, strategy_activity: &[ActivityLimits::NONE, most], ..CONFIG };
    let of = |order: &OrderIntent| {
        let mut rig = Rig::with(&config, false);
        let asks = super::walk::depth(&[("100.02", 10), ("100.50", 1_000)]);
        rig.references.publish_depth(INSTRUMENT, &asks).unwrap();
        rig.publish_top(&TopOfBook { ask_qty: 10, ..top() });
        rig.take(order);
        let explained = rig.gate.explain(&OrderIntent { qty: Qty(400), ..super::order(9) }, NOW);
        let found = explained.breaches().find(|breach| breach.reason == R::RollingValueStrategy).unwrap();
        found.value - 400 * 100_000_000
    };
    assert_eq!(of(&OrderIntent { qty: Qty(10), px: px("98.00"), ..sell(1) }), 1_000_000_000, "the bid");
    assert_eq!(of(&OrderIntent { qty: Qty(10), ..market(1, Side::Bid) }), 1_000_200_000, "the touch");
    assert_eq!(
        of(&OrderIntent { qty: Qty(11), ..market(1, Side::Bid) }),
        1_105_500_032,
        "the level behind it"
    );
}

#[derive(Clone, Copy, Debug)]
enum Op {
    New {
        strategy: u16,
        account: u16,
        side: Side,
        qty: u32,
    },
    /// Of the n-th order there was.
    Cancel(usize),
    Fill(usize, u32),
    Wait(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    prop_oneof![
        6 => (0_u16..2, 0_u16..2, side, 1_u32..60).prop_map(|(strategy, account, side, qty)| Op::New { strategy, account, side, qty }),
        2 => (0_usize..20).prop_map(Op::Cancel),
        3 => (0_usize..20, 1_u32..60).prop_map(|(n, qty)| Op::Fill(n, qty)),
        3 => (1_u64..300_000_000).prop_map(Op::Wait),
    ]
}

fn any_limits() -> impl Strategy<Value = ActivityLimits> {
    let or_none = |range: core::ops::Range<u64>| prop_oneof![2 => range, 1 => Just(u64::MAX)];
    let limits = (or_none(1..30_000_000_000), or_none(1..300), or_none(1..12), or_none(0..4), or_none(1..8));
    limits.prop_map(|(value_micros, qty, messages, cancels, messages_per_trade)| ActivityLimits {
        value_micros,
        qty,
        messages,
        cancels,
        messages_per_trade,
    })
}

/// Something that was done: when, by whom, and how much of each kind.
#[derive(Clone, Copy, Debug)]
struct Deed {
    at: u64,
    strategy: u16,
    account: u16,
    more: [u128; 5],
}

/// Rounded up to 24 significant bits, bit by bit.
fn rounded(micros: u128) -> u128 {
    let mut step = 1;
    while micros.div_ceil(step) > 0xFF_FFFF {
        step *= 2;
    }
    micros.div_ceil(step) * step
}

fn value(qty: u32) -> u128 {
    // All orders are at 100.00, or at 100.02.
    rounded(u128::from(qty) * 100_000_000)
}

fn sums(deeds: &[Deed], now: u64, of: impl Fn(&Deed) -> bool) -> [u128; 5] {
    let part = now / PART;
    let counted = deeds.iter().filter(|deed| of(deed) && deed.at / PART + 8 >= part);
    counted.fold([0; 5], |sums, deed| core::array::from_fn(|kind| sums[kind] + deed.more[kind]))
}

fn breaches(
    deeds: &[Deed],
    now: u64,
    order: &OrderIntent,
    (strategies, accounts): (&[ActivityLimits; 2], &[ActivityLimits; 2]),
    reduces: bool,
) -> Vec<R> {
    let new = [value(order.qty.0), order.qty.0.into(), 1, 0, 0];
    let levels = [
        (
            sums(deeds, now, |deed| deed.strategy == order.strategy.0),
            strategies[usize::from(order.strategy.0)],
            [
                R::RollingValueStrategy,
                R::RollingQtyStrategy,
                R::MessagesStrategy,
                R::CancelsStrategy,
                R::OrderToTradeStrategy,
            ],
        ),
        (
            sums(deeds, now, |deed| deed.account == order.account.0),
            accounts[usize::from(order.account.0)],
            [
                R::RollingValueAccount,
                R::RollingQtyAccount,
                R::MessagesAccount,
                R::CancelsAccount,
                R::OrderToTradeAccount,
            ],
        ),
    ];
    let mut found = Vec::new();
    for (sums, limits, reasons) in levels {
        let [value, qty, messages, cancels, trades]: [u128; 5] =
            core::array::from_fn(|kind| sums[kind] + new[kind]);
        let ratio = u128::from(limits.messages_per_trade) * trades.max(1);
        let broken = [
            value > limits.value_micros.into(),
            qty > limits.qty.into(),
            messages > limits.messages.into(),
            cancels > limits.cancels.into() && !reduces,
            messages > ratio && !reduces,
        ];
        found.extend(reasons.into_iter().zip(broken).filter(|(_, broken)| *broken).map(|(reason, _)| reason));
    }
    found.sort();
    found
}

fn rig(strategies: &[ActivityLimits; 2], accounts: &[ActivityLimits; 2]) -> Rig {
    let free = |class| StrategyConfig { class, order_rate_per_s: 1_000_000, order_burst: 1_000_000 };
    let config = GateConfig {
        strategies: &[free(ClassId(0)), free(CLASS)],
        window: WINDOW,
        strategy_activity: strategies,
        account_activity: accounts,
        account_positions: false,
        self_match: SelfMatch::Off,
        open_orders_max: 64,
        ref_age_max: Nanos(1 << 60),
        ..CONFIG
    };
    let mut rig = Rig::bare(&config, false);
    rig.breakers.set_unset(OPEN);
    let roomy = RiskLimits {
        max_qty: Qty(1_000_000),
        max_notional_micros: 1 << 60,
        max_pos_long: 1 << 40,
        max_pos_short: 1 << 40,
        order_rate_per_s: 20_000,
        order_burst: 60_000,
        passive_min_ticks: 0,
        ..BASE
    };
    for class in [ClassId(0), CLASS] {
        rig.statics
            .publish(INSTRUMENT, class, &Envelope::fixed(roomy).unwrap(), &static_terms(), NOW)
            .unwrap();
    }
    rig.publish_top(&TopOfBook { bid: px("100.00"), ask: px("100.00"), ..top() });
    rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_finds_what_the_list_of_everything_finds(
        ops in proptest::collection::vec(any_op(), 0..80),
        strategies in prop::array::uniform2(any_limits()), accounts in prop::array::uniform2(any_limits()),
    ) {
        let mut rig = rig(&strategies, &accounts);
        let (mut now, mut last, mut deeds, mut sent) = (NOW.0, 0, Vec::<Deed>::new(), Vec::<OrderIntent>::new());
        for op in ops {
            match op {
                Op::New { strategy, account, side, qty } => {
                    let (strategy, account) = (StrategyId(strategy), AccountId(account));
                    let order = OrderIntent { strategy, account, side, qty: Qty(qty), ..order(1 + sent.len() as u64) };
                    let held = rig.gate.exposure(INSTRUMENT, strategy).unwrap();
                    let (own, works) = match side {
                        Side::Bid => (held.position, held.working_buy),
                        Side::Ask => (-held.position, held.working_sell),
                    };
                    let astray = rig.gate.astray[rig.gate.cell_index(INSTRUMENT, strategy).unwrap()].toward(side);
                    let reduces = own + works.cast_signed() + i64::from(qty) + astray <= 0;
                    let want = breaches(&deeds, now, &order, (&strategies, &accounts), reduces);
                    let explained = rig.gate.explain(&order, UnixNanos(now));
                    let mut found: Vec<_> = explained.breaches().map(|b| b.reason).filter(|r| r.code() >= 1410).collect();
                    found.sort();
                    prop_assert_eq!(&found, &want);
                    if rig.gate.reserve(&order, UnixNanos(now)).1.is_some() {
                        let more = [value(qty), qty.into(), 1, 0, 0];
                        deeds.push(Deed { at: now, strategy: strategy.0, account: account.0, more });
                        sent.push(order);
                        last = now;
                    }
                }
                Op::Cancel(n) => if let Some(order) = sent.get(n) {
                    rig.gate.cancel(order.cl_ord_id, UnixNanos(now));
                    // Orders that closed long ago are forgotten.
                    if rig.gate.orders.contains(order.cl_ord_id) {
                        let (strategy, account) = (order.strategy.0, order.account.0);
                        deeds.push(Deed { at: now, strategy, account, more: [0, 0, 1, 1, 0] });
                        last = now;
                    }
                },
                Op::Fill(n, qty) => if let Some(order) = sent.get(n).filter(|o| rig.gate.orders.contains(o.cl_ord_id)) {
                    let event = OrderEvent::Filled { id: order.cl_ord_id, qty: Qty(qty) };
                    let (strategy, account) = (order.strategy.0, order.account.0);
                    rig.gate.settle(event);
                    deeds.push(Deed { at: last, strategy, account, more: [0, 0, 0, 0, 1] });
                }
                Op::Wait(ns) => now += ns,
            }
        }
    }

    /// However a quantity, or a value, that is more than a limit is split and spread within the window, not all of it leaves.
    #[test]
    fn a_sliced_order_stays_blocked(
        slices in proptest::collection::vec((1_u32..200, 0_u64..1_000_000_000), 1..40), limit in 1_u64..1_000, by_value: bool,
    ) {
        let total: u64 = slices.iter().map(|(qty, _)| u64::from(*qty)).sum();
        prop_assume!(total > limit);
        let limits = if by_value {
            ActivityLimits { value_micros: limit * 100_000_000, ..ActivityLimits::NONE }
        } else {
            ActivityLimits { qty: limit, ..ActivityLimits::NONE }
        };
        let mut rig = rig(&[limits; 2], &[ActivityLimits::NONE; 2]);
        let waits: u64 = slices.iter().map(|(_, wait)| wait).sum::<u64>().max(1);
        let (mut now, mut left) = (NOW.0, 0);
        for (id, (qty, wait)) in (1..).zip(&slices) {
            // All within the window.
            now += u64::try_from(u128::from(*wait) * u128::from(WINDOW.0 - 1) / u128::from(waits)).unwrap();
            let slice = OrderIntent { qty: Qty(*qty), ..order(id) };
            if rig.gate.reserve(&slice, UnixNanos(now)).1.is_some() {
                left += u64::from(*qty);
                // Taken back, it still counts.
                rig.gate.settle(OrderEvent::Cancelled { id });
            }
        }
        prop_assert!(left <= limit, "{left} of {total} left, {limit} may");
    }
}
