use super::super::words::{Label, Terms};
use super::*;
use proptest::prelude::*;
use types::{Px, Side as Of, Symbol};

const GRACE: Nanos = Nanos(3_000);

fn at(ns: u64) -> UnixNanos {
    UnixNanos(1_000_000 + ns)
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new(GRACE);
    ledger.connected(true, true, at(0));
    ledger
}

fn order(name: u64, id: u64, qty: u32) -> Order {
    let terms = Terms { symbol: Symbol(*b"FUTX    "), side: Of::Bid, qty, px: Px(10_000_000_000) };
    Order { name, id, terms: Some(terms), label: Label::of_number(name) }
}

/// Of order 7, which the gate numbers 70.
fn execution(number: u64, of_gate: bool, qty: u32) -> Execution {
    let (order, side) = if of_gate { (70, None) } else { (7, Some(Of::Bid)) };
    Execution {
        number,
        order,
        side,
        qty,
        px: Px(9_500_000_000),
        is_bust: false,
        label: Label::of_number(number),
    }
}

fn breaks(ledger: &mut Ledger) -> Vec<(u64, String)> {
    let broken = |outcome| match outcome {
        Outcome::Broken(Break { id, text, .. }) => Some((id, text)),
        Outcome::Matched(_) => None,
    };
    ledger.take_outcomes().into_iter().filter_map(broken).collect()
}

#[test]
fn what_both_sides_say_within_the_grace_agrees_whoever_says_it_first() {
    let mut ledger = ledger();
    ledger.order_of_gate(order(7, 70, 100));
    ledger.order_of_copy(order(7, 0, 100), at(10));
    ledger.order_of_copy(order(8, 0, 50), at(20));
    ledger.order_of_gate(order(8, 80, 50));
    ledger.execution_of_gate(execution(1, true, 40), at(100));
    ledger.execution_of_copy(execution(1, false, 40), at(3_000));
    ledger.execution_of_copy(execution(2, false, 60), at(3_001));
    ledger.execution_of_gate(execution(2, true, 60), at(6_000));
    ledger.tick(at(60_000));
    assert_eq!((breaks(&mut ledger), ledger.matched(), ledger.waiting()), (Vec::new(), 4, 0));
}

#[test]
fn what_only_one_side_says_is_a_break_after_the_grace_and_once() {
    let mut ledger = ledger();
    ledger.order_of_gate(order(7, 70, 100));
    ledger.execution_of_copy(execution(1, false, 40), at(0));
    ledger.execution_of_gate(execution(2, true, 30), at(0));
    ledger.order_of_copy(order(9, 0, 5), at(0));
    ledger.tick(at(2_999));
    assert_eq!(breaks(&mut ledger), []);
    ledger.tick(at(3_000));
    let wanted = [
        (70, "execution 1 of order 7 (buy 100 FUTX at 10.00): the copy says 40 at 9.50, the gate has none"),
        (0, "order 9: the copy says buy 5 FUTX at 10.00, the gate knows no such order"),
        (70, "execution 2 of order 7 (buy 100 FUTX at 10.00): the gate has 30 at 9.50, no copy says so"),
    ];
    assert_eq!(breaks(&mut ledger), wanted.map(|(id, text)| (id, text.to_owned())));
    // Told again, by either side, it is no other break.
    ledger.execution_of_copy(execution(1, false, 40), at(4_000));
    ledger.execution_of_gate(execution(1, true, 40), at(4_000));
    ledger.execution_of_copy(execution(2, false, 30), at(4_000));
    ledger.order_of_copy(order(9, 0, 5), at(4_000));
    ledger.tick(at(99_000));
    assert_eq!((breaks(&mut ledger), ledger.matched()), (Vec::new(), 0));
}

#[test]
fn an_execution_of_an_order_that_nobody_knows_is_nobodys() {
    let mut ledger = ledger();
    ledger.execution_of_copy(execution(1, false, 40), at(0));
    ledger.tick(at(3_000));
    let text =
        "execution 1 of an order that the gate does not know: the copy says 40 at 9.50, the gate has none";
    assert_eq!(breaks(&mut ledger), [(0, text.to_owned())]);
}

#[test]
fn what_differs_is_a_break_at_once_and_says_what_each_side_says() {
    let mut ledger = ledger();
    ledger.order_of_gate(order(7, 70, 100));
    let sold = |mut order: Order| {
        order.terms = order.terms.map(|terms| Terms { side: Of::Ask, ..terms });
        order
    };
    ledger.order_of_copy(sold(order(7, 0, 100)), at(0));
    ledger.execution_of_gate(execution(1, true, 40), at(0));
    ledger.execution_of_copy(execution(1, false, 41), at(0));
    ledger.execution_of_copy(Execution { px: Px(9_400_000_000), ..execution(2, false, 40) }, at(0));
    ledger.execution_of_gate(execution(2, true, 40), at(0));
    ledger.execution_of_gate(execution(3, true, 40), at(0));
    ledger.execution_of_copy(Execution { side: Some(Of::Ask), ..execution(3, false, 40) }, at(0));
    let of = "of order 7 (buy 100 FUTX at 10.00)";
    let wanted = [
        "order 7: the copy says sell 100 FUTX at 10.00, the gate buy 100 FUTX at 10.00".to_owned(),
        format!("execution 1 {of}: the copy says 41 at 9.50, the gate 40 at 9.50"),
        format!("execution 2 {of}: the copy says 40 at 9.40, the gate 40 at 9.50"),
        format!("execution 3 {of}: the copy says sell 40 at 9.50, the gate buy 40 at 9.50"),
    ];
    assert_eq!(breaks(&mut ledger), wanted.map(|text| (70, text)));
    // What one side does not say is no difference.
    ledger.order_of_gate(order(8, 80, 100));
    ledger.order_of_copy(order(8, 0, 0), at(0));
    ledger.execution_of_gate(Execution { px: Px::NONE, ..execution(4, true, 40) }, at(0));
    ledger.execution_of_copy(Execution { side: None, ..execution(4, false, 40) }, at(0));
    assert_eq!((breaks(&mut ledger), ledger.matched()), (Vec::new(), 2));
}

#[test]
fn nobody_is_late_who_is_not_connected() {
    let mut ledger = ledger();
    ledger.order_of_gate(order(7, 70, 100));
    ledger.connected(true, false, at(0));
    ledger.execution_of_gate(execution(1, true, 40), at(0));
    ledger.tick(at(1_000_000));
    assert_eq!(breaks(&mut ledger), [], "the copies are away");
    ledger.connected(true, true, at(1_000_000));
    ledger.tick(at(1_002_999));
    assert_eq!(breaks(&mut ledger), [], "they have the grace to catch up");
    ledger.execution_of_copy(execution(2, false, 40), at(1_002_999));
    ledger.connected(false, true, at(1_002_999));
    ledger.tick(at(2_000_000));
    let only = breaks(&mut ledger);
    assert!(only.len() == 1 && only[0].1.ends_with("no copy says so"), "{only:?}");
    ledger.connected(true, true, at(2_000_000));
    ledger.tick(at(2_002_999));
    assert_eq!(breaks(&mut ledger), []);
    ledger.tick(at(2_003_000));
    assert_eq!(breaks(&mut ledger).len(), 1);
}

#[test]
fn a_trade_that_is_taken_back_is_taken_back_on_both_sides_or_it_is_a_break() {
    let mut ledger = ledger();
    ledger.order_of_gate(order(7, 70, 100));
    for number in [1, 2] {
        ledger.execution_of_gate(execution(number, true, 40), at(0));
        ledger.execution_of_copy(execution(number, false, 40), at(0));
    }
    ledger.execution_of_copy(execution(1, false, 0).busted(), at(0));
    ledger.execution_of_gate(execution(1, true, 40).busted(), at(0));
    ledger.execution_of_copy(execution(2, false, 0).busted(), at(0));
    ledger.tick(at(3_000));
    let only = breaks(&mut ledger);
    assert!(only.len() == 1 && only[0].1.starts_with("the taking back of trade 2 of order 7"), "{only:?}");
}

#[test]
fn what_was_compared_before_a_restart_is_not_compared_again() {
    let mut ledger = ledger();
    ledger.settle(1);
    ledger.settle(7);
    ledger.execution_of_copy(execution(1, false, 40), at(0));
    ledger.execution_of_gate(execution(1, true, 40), at(0));
    ledger.order_of_copy(order(7, 0, 40), at(0));
    ledger.tick(at(90_000));
    assert_eq!((ledger.take_outcomes(), ledger.waiting()), (Vec::new(), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Against sets: whatever the order in which both sides tell executions, and however often, those that both told within the grace
    /// agree, and each of the others is one break.
    #[test]
    fn each_execution_agrees_or_breaks_exactly_once(
        told in prop::collection::vec((any::<bool>(), 1_u64..30, 0_u64..8_000), 1..200),
    ) {
        let mut ledger = ledger();
        ledger.order_of_gate(order(7, 70, 100));
        let mut told = told;
        told.sort_by_key(|(_, _, ns)| *ns);
        let mut first: HashMap<(bool, u64), u64> = HashMap::new();
        for (of_gate, number, ns) in &told {
            ledger.tick(at(*ns));
            first.entry((*of_gate, *number)).or_insert(*ns);
            let told = execution(*number, *of_gate, 40);
            if *of_gate { ledger.execution_of_gate(told, at(*ns)) } else { ledger.execution_of_copy(told, at(*ns)) }
        }
        ledger.tick(at(100_000));
        let numbers: HashSet<u64> = first.keys().map(|(_, number)| *number).collect();
        let agrees = |number: &u64| match (first.get(&(true, *number)), first.get(&(false, *number))) {
            (Some(gate), Some(copy)) => gate.abs_diff(*copy) < GRACE.0,
            _ => false,
        };
        let agreed = numbers.iter().filter(|number| agrees(number)).count();
        prop_assert_eq!(ledger.matched(), agreed as u64);
        prop_assert_eq!(breaks(&mut ledger).len(), numbers.len() - agreed);
        prop_assert_eq!(ledger.waiting(), 0);
    }
}
