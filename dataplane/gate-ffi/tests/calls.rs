//! The C functions, called as C calls them, on an appliance of a few lines: what they give, what they refuse, and that they
//! allocate nothing for an order.
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "calls like those of C, one after the other")]

mod support;

use gate::RiskLimits;
use portcullis_gate::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};
use support::Desk;
use types::{BookState, Px, Qty, TickTableId, TopOfBook, TradingStatus, UnixNanos};

/// Counts what this thread asks of the system's allocator.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is the system allocator's; a counter that is gone with its thread is passed over.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: u64 = 1_700_000_000_000_000_000;
const DOLLAR: i64 = 1_000_000_000;

const LIMITS: RiskLimits = RiskLimits {
    max_qty: Qty(500),
    max_notional_micros: 1_000_000_000_000,
    collar_bps: 500,
    passive_min_ticks: 1,
    max_pos_long: 1_000,
    max_pos_short: 1_000,
    order_rate_per_s: 10_000,
    order_burst: 10_000,
    margin_bps: 10_000,
};

fn quote(_: u32) -> TopOfBook {
    TopOfBook {
        bid: Px(100 * DOLLAR),
        bid_qty: 300,
        ask: Px(100 * DOLLAR + 20_000_000),
        ask_qty: 300,
        last: Px::NONE,
        last_ts: UnixNanos(NOW),
        tick: Px(10_000_000),
        tick_table: TickTableId::NONE,
        ts: UnixNanos(NOW),
        state: BookState::Live,
        status: TradingStatus::Trading,
    }
}

fn desk(attaches: usize) -> Desk {
    Desk::open(4, LIMITS, quote, UnixNanos(NOW), |_| {}, attaches)
}

/// Attaches; else the status and the text.
fn attach(desk: &Desk, abi: u32, client: &str) -> Result<*mut Gate, (i32, String)> {
    let socket = CString::new(desk.socket.to_str().unwrap()).unwrap();
    let client = CString::new(client).unwrap();
    let (mut gate, mut error) = (null_mut(), [0 as c_char; 256]);
    // SAFETY: everything points to what it says.
    let status = unsafe {
        portcullis_gate_attach(
            abi,
            socket.as_ptr(),
            client.as_ptr(),
            2_000,
            &raw mut gate,
            error.as_mut_ptr(),
            error.len(),
        )
    };
    if status == PORTCULLIS_GATE_OK {
        assert!(!gate.is_null());
        return Ok(gate);
    }
    assert!(gate.is_null(), "a gate comes with PORTCULLIS_GATE_OK alone");
    // SAFETY: the text ends with a zero.
    Err((status, unsafe { CStr::from_ptr(error.as_ptr()) }.to_str().unwrap().to_owned()))
}

/// What the functions call a gate.
type Gate = portcullis_gate::Handle;

fn attached(desk: &Desk) -> *mut Gate {
    attach(desk, PORTCULLIS_GATE_ABI_VERSION, "c1").expect("the appliance lets it in")
}

fn said(gate: *const Gate) -> String {
    // SAFETY: a gate that is attached, and its text.
    unsafe { CStr::from_ptr(portcullis_gate_last_error(gate)) }.to_str().unwrap().to_owned()
}

fn order(id: u64) -> Order {
    Order {
        id,
        price: 100 * DOLLAR,
        instrument: 0,
        quantity: 100,
        strategy: 0,
        account: 0,
        side: PORTCULLIS_GATE_BUY,
        order_type: PORTCULLIS_GATE_LIMIT,
        time_in_force: PORTCULLIS_GATE_DAY,
        reserved: [0; 9],
    }
}

fn reserve(gate: *mut Gate, order: &Order) -> (i32, Verdict, Reservation) {
    let (mut verdict, mut reservation) = (Verdict::default(), Reservation::default());
    // SAFETY: everything points to what it says.
    let status = unsafe { portcullis_gate_reserve(gate, order, NOW, &raw mut verdict, &raw mut reservation) };
    (status, verdict, reservation)
}

#[test]
fn the_time_is_the_appliances_whatever_the_callers_clock_is_set_to() {
    const HOUR: u64 = 3_600_000_000_000;
    let desk = desk(1);
    desk.say_time(UnixNanos(NOW));
    let gate = attached(&desk);
    let told = |id, now| {
        let (mut verdict, mut reservation) = (Verdict::default(), Reservation::default());
        // SAFETY: everything points to what it says.
        unsafe {
            portcullis_gate_reserve(gate, &order(id), now, &raw mut verdict, &raw mut reservation);
            let slug = portcullis_gate_reason_slug(verdict.reason);
            if slug.is_null() { "" } else { CStr::from_ptr(slug).to_str().unwrap() }.to_owned()
        }
    };
    let right = told(1, NOW);
    for (id, now) in (2..).zip([0, NOW - HOUR, NOW + 2 * HOUR, u64::MAX]) {
        assert_eq!(told(id, now), right, "{now}");
    }
    assert_eq!(exposure(gate).1, 500, "all were let out");
    // Two hours later nothing has come since, and the system clock is set back to where all was young.
    desk.say_time(UnixNanos(NOW + 2 * HOUR));
    for now in [NOW, 0, NOW + 2 * HOUR] {
        assert_eq!(told(9, now), "REF_STALE", "{now}");
    }
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(gate) };
}

/// The reservation of a replacement that is let out.
fn replace(gate: *mut Gate, replaced: u64, order: &Order) -> Reservation {
    let (mut verdict, mut reservation) = (Verdict::default(), Reservation::default());
    // SAFETY: everything points to what it says.
    let status = unsafe {
        portcullis_gate_replace(gate, replaced, order, NOW, &raw mut verdict, &raw mut reservation)
    };
    assert_eq!((status, reservation.replacement), (PORTCULLIS_GATE_OK, 1));
    reservation
}

fn settle(gate: *mut Gate, kind: u8, id: u64, quantity: u32) -> (i32, u8) {
    let event = Event { id, quantity, kind, ..Event::default() };
    let mut settled = 0;
    // SAFETY: everything points to what it says.
    let status = unsafe { portcullis_gate_settle(gate, &raw const event, NOW, &raw mut settled) };
    (status, settled)
}

fn exposure(gate: *mut Gate) -> (i64, u64, u64, u8) {
    let mut held = Exposure::default();
    // SAFETY: everything points to what it says.
    assert_eq!(unsafe { portcullis_gate_exposure(gate, 0, 0, &raw mut held) }, PORTCULLIS_GATE_OK);
    (held.position, held.working_buy, held.working_sell, held.in_doubt)
}

#[test]
fn an_order_goes_its_way() {
    let mut desk = desk(1);
    let gate = attached(&desk);
    let (mut instrument, mut strategy, mut account) = (9, 9, 9);
    // SAFETY: everything points to what it says.
    let found = unsafe {
        [
            portcullis_gate_instrument(gate, c"I3".as_ptr(), &raw mut instrument),
            portcullis_gate_strategy(gate, c"s".as_ptr(), &raw mut strategy),
            portcullis_gate_account(gate, c"a".as_ptr(), &raw mut account),
        ]
    };
    assert_eq!((found, instrument, strategy, account), ([PORTCULLIS_GATE_OK; 3], 3, 0, 0));
    let (status, verdict, first) = reserve(gate, &order(1));
    assert_eq!((status, verdict.decision, verdict.reason, first.id), (0, PORTCULLIS_GATE_ACCEPT, 0, 1));
    assert_eq!(exposure(gate), (0, 100, 0, 0));
    let (status, verdict, none) = reserve(gate, &Order { quantity: 501, ..order(2) });
    assert_eq!((status, verdict.decision, none.id), (PORTCULLIS_GATE_REFUSED, PORTCULLIS_GATE_REJECT, 0));
    assert_eq!((verdict.limit, verdict.value), (500, 501));
    let mut text = [0 as c_char; 64];
    // SAFETY: everything points to what it says, and slugs are texts.
    let slug = unsafe {
        let (reason, Verdict { limit, value, .. }) = (verdict.reason, verdict);
        assert_eq!(portcullis_gate_reason_text(reason, limit, value, text.as_mut_ptr(), 40), 0);
        CStr::from_ptr(portcullis_gate_reason_slug(reason))
    };
    assert_eq!(slug, c"QTY_STATIC");
    // SAFETY: the text ends with a zero.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().unwrap();
    assert!(text.starts_with("QTY_STATIC: The quantity 501") && text.len() == 39, "cut at 40 bytes: {text}");
    assert_eq!(settle(gate, PORTCULLIS_GATE_FILLED, 1, 40), (0, PORTCULLIS_GATE_WORKING));
    let (mut verdict, mut second) = (Verdict::default(), Reservation::default());
    let larger = Order { quantity: 200, ..order(3) };
    // SAFETY: everything points to what it says.
    let replaced = unsafe {
        portcullis_gate_replace(gate, 1, &raw const larger, NOW, &raw mut verdict, &raw mut second)
    };
    assert_eq!((replaced, second.replacement), (PORTCULLIS_GATE_OK, 1));
    let mut settled = 0;
    // SAFETY: everything points to what it says.
    assert_eq!(unsafe { portcullis_gate_release(gate, &raw const second, NOW, &raw mut settled) }, 0);
    assert_ne!(settled, PORTCULLIS_GATE_IGNORED);
    // SAFETY: as before. The venue has spoken of the first one.
    assert_eq!(unsafe { portcullis_gate_release(gate, &raw const first, NOW, &raw mut settled) }, 0);
    assert_eq!(settled, PORTCULLIS_GATE_IGNORED);
    assert_eq!(exposure(gate), (40, 60, 0, 0));
    assert_eq!(settle(gate, PORTCULLIS_GATE_FILLED, 77, 1), (0, PORTCULLIS_GATE_UNKNOWN_ORDER));
    assert_eq!(exposure(gate).3, 1, "nobody knows whose the shares are");
    // SAFETY: a gate that is attached.
    assert_eq!(unsafe { portcullis_gate_set_position(gate, 0, 0, 0, 41, NOW) }, PORTCULLIS_GATE_OK);
    assert_eq!(exposure(gate), (41, 60, 0, 0));
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(gate) };
    assert!(desk.drain() >= 7, "all of it was said to the appliance");
}

#[test]
fn lists_say_how_many_there_are() {
    let desk = desk(1);
    let gate = attached(&desk);
    for id in 1..=3 {
        assert_eq!(reserve(gate, &order(id)).0, PORTCULLIS_GATE_OK);
    }
    let (mut two, mut count) = ([OpenOrder::default(); 2], 0);
    // SAFETY: everything points to what it says.
    let listed = unsafe { portcullis_gate_open_orders(gate, two.as_mut_ptr(), 2, &raw mut count) };
    assert_eq!((listed, count), (PORTCULLIS_GATE_TRUNCATED, 3));
    assert!(two.iter().all(|o| (1..=3).contains(&o.id) && o.leaves == 100 && o.side == PORTCULLIS_GATE_BUY));
    // SAFETY: nothing is written through the first pointer.
    let counted = unsafe { portcullis_gate_open_orders(gate, null_mut(), 0, &raw mut count) };
    assert_eq!((counted, count), (PORTCULLIS_GATE_TRUNCATED, 3));
    let wrong = Order { quantity: 600, price: 120 * DOLLAR, ..order(4) };
    let (mut verdict, mut breaches, mut count) = (Verdict::default(), [Breach::default(); 8], 0);
    // SAFETY: everything points to what it says.
    let explained = unsafe {
        portcullis_gate_explain(
            gate,
            &raw const wrong,
            NOW,
            &raw mut verdict,
            breaches.as_mut_ptr(),
            8,
            &raw mut count,
        )
    };
    assert_eq!((explained, verdict.decision), (PORTCULLIS_GATE_OK, PORTCULLIS_GATE_REJECT));
    assert!(count >= 2, "quantity and collar");
    assert_eq!((breaches[0].reason, breaches[0].unit), (verdict.reason, PORTCULLIS_GATE_UNIT_QUANTITY));
    assert_eq!(exposure(gate), (0, 300, 0, 0), "to explain has no effect");
    let (mut lost, mut orphaned) = (9, 9);
    // SAFETY: everything points to what it says; the gate is not used again.
    unsafe {
        assert_eq!(portcullis_gate_lost(gate, &raw mut lost), PORTCULLIS_GATE_OK);
        assert_eq!(portcullis_gate_orphaned(gate, &raw mut orphaned), PORTCULLIS_GATE_OK);
        portcullis_gate_detach(gate);
    }
    assert_eq!((lost, orphaned), (0, 0));
}

#[test]
fn a_call_that_fails_leaves_no_answer_and_has_done_nothing() {
    let desk = desk(1);
    let gate = attached(&desk);
    assert_eq!(reserve(gate, &order(1)).0, PORTCULLIS_GATE_OK);
    let full = Order { quantity: 9_999, ..order(2) };
    let (mut list, mut open) = ([Breach::default(); 2], [OpenOrder::default()]);
    let accept = Verdict { decision: PORTCULLIS_GATE_ACCEPT, ..Verdict::default() };
    // What is wrong: the count, the buffer, the order, the gate.
    for wrong in 0..4 {
        let (mut verdict, mut count) = (accept, 7);
        let gate = if wrong == 3 { null_mut() } else { gate };
        let to = if wrong == 1 { null_mut() } else { list.as_mut_ptr() };
        let order = if wrong == 2 { null() } else { &raw const full };
        let number = if wrong == 0 { null_mut() } else { &raw mut count };
        // SAFETY: what is not null points to what it says.
        let explained = unsafe { portcullis_gate_explain(gate, order, NOW, &raw mut verdict, to, 2, number) };
        assert_eq!(explained, PORTCULLIS_GATE_INVALID, "{wrong}");
        assert_eq!((verdict.decision, verdict.reason), (PORTCULLIS_GATE_REJECT, 0), "{wrong}");
        assert_eq!((count, list[0].reason), (if wrong == 0 { 7 } else { 0 }, 0), "{wrong}");
    }
    // SAFETY: what is not null points to what it says.
    let listed = unsafe { portcullis_gate_open_orders(gate, open.as_mut_ptr(), 1, null_mut()) };
    assert_eq!((listed, open[0].id), (PORTCULLIS_GATE_INVALID, 0));
    let (mut instrument, mut strategy, mut account, mut settled) = (0_u32, 0_u16, 0_u16, 9_u8);
    let (mut held, event) = (Exposure::default(), Event { id: 1, kind: 44, ..Event::default() });
    // SAFETY: everything points to what it says, and null is no gate.
    let statuses = unsafe {
        [
            portcullis_gate_instrument(gate, c"NONE".as_ptr(), &raw mut instrument),
            portcullis_gate_strategy(gate, c"none".as_ptr(), &raw mut strategy),
            portcullis_gate_account(gate, c"none".as_ptr(), &raw mut account),
            portcullis_gate_exposure(gate, 99, 0, &raw mut held),
            portcullis_gate_settle(gate, &raw const event, NOW, &raw mut settled) - 1,
        ]
    };
    assert_eq!(statuses, [PORTCULLIS_GATE_NOT_FOUND; 5]);
    assert_eq!((instrument, strategy, account, settled), (u32::MAX, u16::MAX, u16::MAX, 0));
    assert_eq!((held.position, held.working_buy, held.in_doubt), (i64::MAX, u64::MAX, 1));
    let (mut lost, mut orphaned) = (0, 0);
    // SAFETY: everything points to what it says, and null is no gate.
    let statuses = unsafe {
        [
            portcullis_gate_lost(null_mut(), &raw mut lost),
            portcullis_gate_orphaned(null_mut(), &raw mut orphaned),
        ]
    };
    assert_eq!((statuses, lost, orphaned), ([PORTCULLIS_GATE_INVALID; 2], u64::MAX, 1));
    // SAFETY: a gate that is attached.
    let beyond = unsafe { portcullis_gate_set_position(gate, 0, 0, 0, (1 << 60) + 1, NOW) };
    assert_eq!(beyond, PORTCULLIS_GATE_INVALID);
    assert_eq!(said(gate), "position is 1152921504606846977, wanted -2^60 to 2^60");
    assert_eq!(exposure(gate), (0, 100, 0, 0));
    // An execution's number is not used up by one of nothing.
    let executed =
        |quantity| Event { id: 1, execution: 5, quantity, kind: PORTCULLIS_GATE_EXECUTED, ..event };
    for (quantity, status, wanted) in [(0, PORTCULLIS_GATE_INVALID, 0), (9, 0, PORTCULLIS_GATE_WORKING)] {
        // SAFETY: everything points to what it says.
        let told = unsafe { portcullis_gate_settle(gate, &executed(quantity), NOW, &raw mut settled) };
        assert_eq!((told, settled), (status, wanted));
    }
    assert_eq!(exposure(gate), (9, 91, 0, 0));
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(gate) };
}

/// What the gate would say of an order: decision and reason, and the reasons of its breaches.
fn explain(gate: *mut Gate, order: &Order) -> (u8, u16, Vec<u16>) {
    let (mut verdict, mut list, mut count) = (Verdict::default(), [Breach::default(); 64], 0);
    // SAFETY: everything points to what it says.
    let status = unsafe {
        portcullis_gate_explain(gate, order, NOW, &raw mut verdict, list.as_mut_ptr(), 64, &raw mut count)
    };
    assert_eq!(status, PORTCULLIS_GATE_OK);
    (verdict.decision, verdict.reason, list[..count].iter().map(|breach| breach.reason).collect())
}

#[test]
fn a_full_ring_is_said_and_lets_no_order_out() {
    let mut desk = desk(1);
    let gate = attached(&desk);
    let (status, _, reservation) = reserve(gate, &order(1));
    assert_eq!(status, PORTCULLIS_GATE_OK);
    assert_eq!(explain(gate, &order(2)), (PORTCULLIS_GATE_ACCEPT, 0, vec![]));
    let cancel = || settle(gate, PORTCULLIS_GATE_CANCELLED, 77, 0);
    let told = (1..1 << 20).take_while(|_| cancel() == (0, PORTCULLIS_GATE_UNKNOWN_ORDER)).count();
    assert_eq!(told, support::RECORDS - 1, "as many as the ring has room for");
    assert_eq!(cancel(), (PORTCULLIS_GATE_UNTOLD, PORTCULLIS_GATE_UNKNOWN_ORDER));
    const DAEMON_LOST: u16 = 107;
    let (status, verdict, none) = reserve(gate, &order(2));
    assert_eq!((status, verdict.reason, none.id), (PORTCULLIS_GATE_REFUSED, DAEMON_LOST, 0));
    assert_eq!(explain(gate, &order(2)), (PORTCULLIS_GATE_REJECT, DAEMON_LOST, vec![DAEMON_LOST]));
    let (_, reason, all) = explain(gate, &Order { quantity: 600, ..order(2) });
    assert_eq!(
        (reason, all),
        (DAEMON_LOST, vec![DAEMON_LOST, 700, 701]),
        "the officer's quantity, and the model's"
    );
    let mut settled = 0;
    // SAFETY: everything points to what it says.
    let released = unsafe { portcullis_gate_release(gate, &raw const reservation, NOW, &raw mut settled) };
    assert_eq!((released, settled), (PORTCULLIS_GATE_UNTOLD, PORTCULLIS_GATE_DONE));
    // SAFETY: a gate that is attached.
    assert_eq!(unsafe { portcullis_gate_set_position(gate, 0, 0, 0, 5, NOW) }, PORTCULLIS_GATE_UNTOLD);
    assert_eq!(exposure(gate), (5, 0, 0, 0), "it is done here");
    let mut lost = 0;
    // SAFETY: everything points to what it says.
    assert_eq!(unsafe { portcullis_gate_lost(gate, &raw mut lost) }, PORTCULLIS_GATE_OK);
    assert_eq!(lost, 4);
    desk.drain();
    assert_eq!(reserve(gate, &order(3)).0, PORTCULLIS_GATE_OK);
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(gate) };
}

#[test]
fn what_another_client_has_is_not_told_and_not_judged() {
    let nobodys = Desk::open(4, LIMITS, quote, UnixNanos(NOW), |grant| grant.strategies.clear(), 1);
    let gate = attached(&nobodys);
    let mut held = Exposure::default();
    // SAFETY: everything points to what it says.
    let found = unsafe { portcullis_gate_exposure(gate, 0, 0, &raw mut held) };
    assert_eq!(found, PORTCULLIS_GATE_NOT_FOUND);
    let (status, verdict, _) = reserve(gate, &order(1));
    assert_eq!(status, PORTCULLIS_GATE_REFUSED);
    assert_eq!(explain(gate, &order(1)), (PORTCULLIS_GATE_REJECT, verdict.reason, vec![verdict.reason]));
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(gate) };
}

#[test]
fn a_reservation_of_another_gate_releases_nothing() {
    let desks = [desk(1), desk(1)];
    let gates = [attached(&desks[0]), attached(&desks[1])];
    let given = gates.map(|gate| reserve(gate, &order(1)).2);
    for (gate, other) in [(gates[0], given[1]), (gates[1], given[0])] {
        let mut settled = 0;
        // SAFETY: everything points to what it says.
        let status = unsafe { portcullis_gate_release(gate, &raw const other, NOW, &raw mut settled) };
        assert_eq!((status, settled), (PORTCULLIS_GATE_OK, PORTCULLIS_GATE_IGNORED));
        assert_eq!(exposure(gate), (0, 100, 0, 0));
        // SAFETY: it is not used again.
        unsafe { portcullis_gate_detach(gate) };
    }
}

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
}

#[test]
fn a_forked_process_uses_nothing_of_its_parents_gate() {
    let mut desk = desk(1);
    let gate = attached(&desk);
    assert_eq!(reserve(gate, &order(1)).0, PORTCULLIS_GATE_OK);
    // SAFETY: the child calls the library, which waits for no other thread, and ends without what ends this process.
    let child = unsafe { fork() };
    if child == 0 {
        let (status, verdict, _) = reserve(gate, &order(2));
        let (settled, _) = settle(gate, PORTCULLIS_GATE_CANCELLED, 1, 0);
        let mut count = 7;
        // SAFETY: a gate, and its text; everything points to what it says; the gate is not used again.
        let told = unsafe {
            let listed = portcullis_gate_open_orders(gate, null_mut(), 0, &raw mut count);
            let text = CStr::from_ptr(portcullis_gate_last_error(gate)).to_bytes();
            let told = text.starts_with(b"this process was forked from the one that attached");
            portcullis_gate_detach(gate);
            told && (listed, count) == (PORTCULLIS_GATE_FAILED, 0)
        };
        let refused = [status, settled] == [PORTCULLIS_GATE_FAILED; 2];
        let right = refused && told && verdict.decision == PORTCULLIS_GATE_REJECT;
        // SAFETY: ends this process.
        unsafe { _exit(if right { 0 } else { 1 }) }
    }
    let mut ended = -1;
    // SAFETY: a place for the status.
    assert_eq!(unsafe { waitpid(child, &raw mut ended, 0) }, child);
    assert_eq!(ended, 0, "the child was refused everything");
    assert!(desk.ring.grant().unwrap().is_none(), "the child's end did not give the parent's lock up");
    assert_eq!(settle(gate, PORTCULLIS_GATE_CANCELLED, 1, 0), (0, PORTCULLIS_GATE_DONE));
    assert_eq!(desk.drain(), 2, "nobody else has written");
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(gate) };
    assert!(desk.ring.grant().unwrap().is_some());
}

#[test]
fn a_text_is_cut_between_characters() {
    let mut gone = desk(0);
    gone.socket = "/é€𝄞é€𝄞".into();
    let whole = attach(&gone, PORTCULLIS_GATE_ABI_VERSION, "c1").unwrap_err().1;
    let socket = CString::new(gone.socket.to_str().unwrap()).unwrap();
    for size in 1..40 {
        let (mut gate, mut error) = (null_mut(), [1 as c_char; 256]);
        // SAFETY: everything points to what it says.
        unsafe {
            portcullis_gate_attach(
                PORTCULLIS_GATE_ABI_VERSION,
                socket.as_ptr(),
                c"c1".as_ptr(),
                1,
                &raw mut gate,
                error.as_mut_ptr(),
                size,
            )
        };
        // SAFETY: the text ends with a zero.
        let text = unsafe { CStr::from_ptr(error.as_ptr()) }.to_str().expect("whole characters");
        assert!(
            whole.starts_with(text) && (size.saturating_sub(4)..size).contains(&text.len()),
            "{size}: {text}"
        );
    }
}

#[test]
fn what_is_no_value_is_a_status_and_never_an_acceptance() {
    let desk = desk(1);
    let gate = attached(&desk);
    let accepted = Verdict { decision: PORTCULLIS_GATE_ACCEPT, ..Verdict::default() };
    for wrong in [Order { side: 0, ..order(1) }, Order { time_in_force: 9, ..order(1) }, Order::default()] {
        let (mut verdict, mut reservation) = (accepted, Reservation { id: 1, ..Reservation::default() });
        // SAFETY: everything points to what it says.
        let status = unsafe {
            portcullis_gate_reserve(gate, &raw const wrong, NOW, &raw mut verdict, &raw mut reservation)
        };
        assert_eq!(status, PORTCULLIS_GATE_INVALID);
        assert_eq!((verdict.decision, reservation.id), (PORTCULLIS_GATE_REJECT, 0));
    }
    assert_eq!(said(gate), "order.side is 0, wanted 1 (buy) or 2 (sell)");
    assert_eq!(settle(gate, PORTCULLIS_GATE_FILLED, 0, 1).0, PORTCULLIS_GATE_INVALID);
    assert_eq!(said(gate), "event.id is 0, wanted an order's id, which is not 0");
    assert_eq!(exposure(gate), (0, 0, 0, 0), "nothing was done");
    assert_eq!(settle(gate, 44, 1, 0).0, PORTCULLIS_GATE_INVALID);
    assert_eq!(
        said(gate),
        "event.kind is 44, wanted 1 (accepted) to 10 (executed at a price), or 12 (reduced to)"
    );
    let (mut verdict, mut reservation, mut number) = (accepted, Reservation::default(), 0_u32);
    let misaligned = (&raw const reservation).wrapping_byte_add(1).cast::<Order>();
    // SAFETY: pointers that are null or misaligned are never followed; the others point to what they say.
    let statuses = unsafe {
        [
            portcullis_gate_reserve(gate, null(), NOW, &raw mut verdict, &raw mut reservation),
            portcullis_gate_reserve(gate, misaligned, NOW, &raw mut verdict, &raw mut reservation),
            portcullis_gate_reserve(gate, &order(1), NOW, null_mut(), &raw mut reservation),
            portcullis_gate_reserve(gate, &order(1), NOW, &raw mut verdict, null_mut()),
            portcullis_gate_reserve(null_mut(), &order(1), NOW, &raw mut verdict, &raw mut reservation),
            portcullis_gate_settle(gate, null(), NOW, null_mut()),
            portcullis_gate_release(gate, null(), NOW, null_mut()),
            portcullis_gate_exposure(gate, 0, 0, null_mut()),
            portcullis_gate_open_orders(gate, null_mut(), 1, null_mut()),
            portcullis_gate_open_orders(gate, null_mut(), 0, null_mut()),
            portcullis_gate_instrument(gate, null(), &raw mut number),
            portcullis_gate_lost(null_mut(), null_mut()),
            portcullis_gate_orphaned(gate, null_mut()),
            portcullis_gate_reason_text(100, 0, 0, null_mut(), 9),
        ]
    };
    assert_eq!(statuses, [PORTCULLIS_GATE_INVALID; 14]);
    assert_eq!(verdict.decision, PORTCULLIS_GATE_REJECT);
    let unknown = CString::new("x".repeat(200)).unwrap();
    // SAFETY: everything points to what it says.
    let unknown = unsafe {
        [
            portcullis_gate_instrument(gate, c"NONE".as_ptr(), &raw mut number),
            portcullis_gate_set_position(gate, 0, 9, 0, 1, NOW),
            portcullis_gate_exposure(gate, 99, 0, &mut Exposure::default()),
            portcullis_gate_reason_text(9, 0, 0, [0; 9].as_mut_ptr(), 9),
            portcullis_gate_instrument(gate, unknown.as_ptr(), &raw mut number) + 1 - 2,
        ]
    };
    assert_eq!(unknown, [PORTCULLIS_GATE_NOT_FOUND; 5]);
    // SAFETY: null is no gate.
    unsafe {
        portcullis_gate_detach(null_mut());
        portcullis_gate_detach(gate);
    }
    assert!(portcullis_gate_reason_slug(0).is_null() && portcullis_gate_reason_sentence(1).is_null());
    assert_eq!(said(null()), "gate is null or misaligned");
}

#[test]
fn a_mismatch_is_refused_with_what_was_found_and_wanted() {
    let fresh = desk(1);
    let wrong = portcullis_gate_abi_version() + 6;
    let (status, why) = attach(&fresh, wrong, "c1").unwrap_err();
    assert_eq!(status, PORTCULLIS_GATE_ABI_MISMATCH);
    assert!(why.contains("version 8 of libportcullis_gate, wanted 2"), "{why}");
    let (status, why) = attach(&fresh, PORTCULLIS_GATE_ABI_VERSION, "no name").unwrap_err();
    assert_eq!(status, PORTCULLIS_GATE_INVALID);
    assert!(why.contains("a name of 1 to 32 letters"), "{why}");
    type Change = fn(&mut control::protocol::Grant);
    let cases: [(Change, &str); 2] = [
        (|grant| grant.build = "9.9.9".to_owned(), "build 9.9.9, wanted "),
        (|grant| grant.layout ^= 1, "tables of layout "),
    ];
    for (change, wanted) in cases {
        let other = Desk::open(4, LIMITS, quote, UnixNanos(NOW), change, 1);
        let (status, why) = attach(&other, PORTCULLIS_GATE_ABI_VERSION, "c1").unwrap_err();
        assert_eq!(status, PORTCULLIS_GATE_NOT_ATTACHED);
        assert!(why.contains(wanted) && why.contains("wanted"), "{why}");
    }
    let mut gone = desk(0);
    gone.socket = "/nowhere".into();
    let (status, why) = attach(&gone, PORTCULLIS_GATE_ABI_VERSION, "c1").unwrap_err();
    assert_eq!(status, PORTCULLIS_GATE_NOT_ATTACHED);
    assert!(why.contains("no appliance at /nowhere"), "{why}");
}

#[test]
fn an_order_allocates_nothing_and_a_gate_may_be_handed_on() {
    let mut desk = desk(2);
    let gate = attached(&desk) as usize;
    let moved = std::thread::spawn(move || {
        let gate = gate as *mut Gate;
        reserve(gate, &order(1));
        let before = ASKED.get();
        for id in 2..200 {
            assert_eq!(reserve(gate, &order(id)).0, PORTCULLIS_GATE_OK);
            assert_eq!(reserve(gate, &Order { quantity: 0, ..order(id + 1) }).0, PORTCULLIS_GATE_REFUSED);
            assert_eq!(reserve(gate, &Order { side: 7, ..order(id + 1) }).0, PORTCULLIS_GATE_INVALID);
            let (replacement, mut settled) = (replace(gate, id, &order(id + 1_000)), 0);
            // SAFETY: everything points to what it says.
            let released =
                unsafe { portcullis_gate_release(gate, &raw const replacement, NOW, &raw mut settled) };
            assert_eq!((released, settled), (0, PORTCULLIS_GATE_WORKING));
            assert_eq!(settle(gate, PORTCULLIS_GATE_CANCELLED, id, 0), (0, PORTCULLIS_GATE_DONE));
        }
        assert_eq!(ASKED.get(), before);
        // SAFETY: it is not used again.
        unsafe { portcullis_gate_detach(gate) };
    });
    moved.join().unwrap();
    assert!(desk.drain() > 400);
    // The lock of the ring went with the gate: the next one is let in.
    let again = attached(&desk);
    // SAFETY: it is not used again.
    unsafe { portcullis_gate_detach(again) };
}
