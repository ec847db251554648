use super::super::words::{Execution, Label, Order, Terms};
use super::*;
use crate::reconcile::tap::{FACTS_MAX, Whole};
use std::path::Path;
use types::{Px, Side, Symbol};

/// Copies that a test hands out, and what it was told was compared.
#[derive(Debug, Default)]
struct Script {
    copies: Vec<Copied>,
    is_up: bool,
    compared: Arc<std::sync::Mutex<Vec<u64>>>,
}

impl Link for Script {
    fn turn(&mut self, _: u64, _: UnixNanos, out: &mut Vec<Copied>) -> bool {
        out.append(&mut self.copies);
        false
    }

    fn is_up(&self) -> bool {
        self.is_up
    }

    fn compared(&mut self, key: u64) {
        self.compared.lock().unwrap().push(key);
    }

    fn others(&self) -> u64 {
        0
    }

    fn take_said(&mut self) -> Vec<String> {
        Vec::new()
    }
}

fn setup(dir: &Path) -> CopyInSetup {
    CopyInSetup {
        gateway: "g".parse().unwrap(),
        client: "c".parse().unwrap(),
        socket: dir.join("none.sock"),
        grace: Nanos(1_000),
        store_dir: dir.to_owned(),
    }
}

/// An engine over a script, the order thread's end, and what was compared.
fn engine(dir: &Path, copies: Vec<Copied>) -> (Engine, Tap, Arc<std::sync::Mutex<Vec<u64>>>) {
    let script = Script { copies, is_up: true, ..Script::default() };
    let compared = Arc::clone(&script.compared);
    let (tap, (facts, doubts, shared)) = pair(2);
    shared.is_gate_up.store(true, Ordering::Relaxed);
    let engine = Engine::new(setup(dir), Box::new(script), facts, doubts, shared);
    (engine, tap, compared)
}

fn execution(number: u64) -> Execution {
    let (side, px, is_bust) = (Some(Side::Bid), Px::NONE, false);
    Execution { number, order: 7, side, qty: 5, px, is_bust, label: Label::of_number(number) }
}

fn order() -> Order {
    let terms = Terms { symbol: Symbol(*b"FUTX    "), side: Side::Bid, qty: 100, px: Px::NONE };
    Order { name: 7, id: 7, terms: Some(terms), label: Label::of(b"A") }
}

const AT: [UnixNanos; 4] = [UnixNanos(0), UnixNanos(900), UnixNanos(2_000), UnixNanos(4_000)];

/// A doubt that does not stand at the gate when the process is killed is found again: only then is it kept as compared.
#[test]
fn a_break_is_kept_as_compared_when_it_stands_at_the_gate() {
    let dir = tempfile::tempdir().unwrap();
    let copies = (1..=4).map(|n| Copied::Executed(execution(n))).collect();
    let (mut engine, tap, compared) = engine(dir.path(), copies);
    tap.whole(Whole { session: 1, orders: vec![order()], executions: vec![execution(1)] });
    engine.turn(AT[0], AT[0]);
    assert_eq!(*compared.lock().unwrap(), [1]);
    engine.turn(AT[2], AT[2]);
    assert_eq!(*compared.lock().unwrap(), [1], "three are in doubt, and not at the gate");
    assert_eq!(engine.breaks, 3);
    for number in 2..=4 {
        assert_eq!(tap.doubt(), Some(7), "the room is for two: the third waits");
        tap.doubted();
        engine.turn(AT[2], AT[2]);
        assert_eq!(compared.lock().unwrap().last(), Some(&number));
    }
    assert_eq!(tap.doubt(), None);
    let said = tap.take_said();
    assert!(
        said.len() == 3 && said[0].contains("execution 2 of order A (buy 100 FUTX): the copy says 5"),
        "{said:?}"
    );
    assert_eq!(tap.counts().map(|(_, count)| count), [4, 1, 3, 0]);
}

/// What the gate knew before copies of a new stream began is not told by them; what it knows when one goes on is.
#[test]
fn a_stream_that_begins_is_not_asked_for_what_was_before_it() {
    let dir = tempfile::tempdir().unwrap();
    for (is_new, breaks) in [(true, 0), (false, 1)] {
        let (mut engine, tap, compared) = engine(dir.path(), vec![Copied::Begin { is_new }]);
        let whole = || Whole { session: 1, orders: vec![order()], executions: vec![execution(1)] };
        tap.whole(whole());
        engine.turn(AT[0], AT[0]);
        assert!(tap.wants_whole(), "a stream that begins forgets what it was told");
        tap.whole(whole());
        engine.turn(AT[1], AT[1]);
        engine.turn(AT[3], AT[3]);
        assert_eq!((engine.breaks, compared.lock().unwrap().len() as u64), (breaks, 1 - breaks));
        tap.executed(execution(2));
        engine.turn(AT[3], AT[3]);
        engine.turn(UnixNanos(AT[3].0 + 1_000), AT[3]);
        assert_eq!(engine.breaks, breaks + 1, "what came since is");
    }
}

/// A full queue loses facts and no time: everything is asked for anew.
#[test]
fn facts_that_find_no_room_are_counted_and_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, tap, _) = engine(dir.path(), vec![Copied::Executed(execution(1))]);
    tap.whole(Whole { session: 1, orders: vec![order()], executions: Vec::new() });
    (0..FACTS_MAX).for_each(|_| tap.order(order()));
    tap.executed(execution(1));
    assert_eq!((tap.counts()[3].1 > 0, tap.wants_whole()), (true, true));
    (0..20).for_each(|_| {
        engine.turn(AT[0], AT[0]);
    });
    tap.whole(Whole { session: 1, orders: vec![order()], executions: vec![execution(1)] });
    engine.turn(AT[1], AT[1]);
    engine.turn(AT[3], AT[3]);
    assert_eq!((engine.breaks, engine.ledger.matched()), (0, 1));
}
