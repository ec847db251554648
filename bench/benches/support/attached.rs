//! An order thread attached to an appliance of a few lines, as Rust calls it and as C does.

#[path = "../../../dataplane/gate-ffi/tests/support/mod.rs"]
mod desk;

use attach::OrderThread;
use bench::gate_rig::{LIMITS, OPEN, cancelled, top};
use desk::Desk;
use gate::{OrderIntent, OrderType, Settlement, TimeInForce};
use portcullis_gate::{
    Event, Handle, Order, PORTCULLIS_GATE_ABI_VERSION, PORTCULLIS_GATE_BUY, PORTCULLIS_GATE_CANCELLED,
    PORTCULLIS_GATE_DONE, PORTCULLIS_GATE_OK, PORTCULLIS_GATE_SELL, Reservation, Verdict,
    portcullis_gate_attach, portcullis_gate_reserve, portcullis_gate_settle,
};
use std::ffi::CString;
use std::hint::black_box;
use std::time::Duration;
use types::{Side, UnixNanos};

/// Instruments of the appliance.
pub(crate) const INSTRUMENTS: u32 = 64;

/// A way to call the gate.
pub(crate) trait Way {
    /// An order as it is handed over.
    type Order: Copy;

    /// A thread attached to an appliance of its own.
    fn attach() -> Self;

    /// `order` as this way has it.
    fn order(order: &OrderIntent) -> Self::Order;

    /// Reserves an order, and cancels it; whether both were done.
    fn round_trip(&mut self, order: &Self::Order, id: u64, now: UnixNanos) -> bool;

    /// Takes what was said to the appliance.
    fn drain(&mut self);
}

fn desk() -> Desk {
    Desk::open(INSTRUMENTS, LIMITS, |instrument| top(instrument, OPEN), OPEN, |_| {}, 1)
}

/// As Rust calls it.
pub(crate) struct InRust {
    thread: OrderThread,
    desk: Desk,
}

impl Way for InRust {
    type Order = OrderIntent;

    fn attach() -> Self {
        let desk = desk();
        let client = "c1".parse().expect("a name");
        let thread = OrderThread::attach(&desk.socket, &client, Duration::from_secs(5));
        Self { thread: thread.expect("the appliance lets it in"), desk }
    }

    fn order(order: &OrderIntent) -> OrderIntent {
        *order
    }

    #[inline(always)]
    fn round_trip(&mut self, order: &OrderIntent, id: u64, now: UnixNanos) -> bool {
        let (_, reservation) = self.thread.reserve(black_box(order), now);
        let settled = self.thread.settle(black_box(cancelled(id)), now);
        reservation.is_some() & (settled == Settlement::Done)
    }

    fn drain(&mut self) {
        self.desk.drain();
    }
}

type ReserveInC = unsafe extern "C" fn(*mut Handle, *const Order, u64, *mut Verdict, *mut Reservation) -> i32;
type SettleInC = unsafe extern "C" fn(*mut Handle, *const Event, u64, *mut u8) -> i32;

/// As C calls it: by the address of a function, as through a shared library.
pub(crate) struct InC {
    gate: *mut Handle,
    reserve: ReserveInC,
    settle: SettleInC,
    desk: Desk,
}

impl Way for InC {
    type Order = Order;

    fn attach() -> Self {
        let (desk, mut gate) = (desk(), std::ptr::null_mut());
        let socket = CString::new(desk.socket.to_str().expect("a UTF-8 path")).expect("no zero");
        // SAFETY: texts end with a zero, and there is a place for the gate.
        let status = unsafe {
            portcullis_gate_attach(
                PORTCULLIS_GATE_ABI_VERSION,
                socket.as_ptr(),
                c"c1".as_ptr(),
                5_000,
                &raw mut gate,
                std::ptr::null_mut(),
                0,
            )
        };
        assert_eq!(status, PORTCULLIS_GATE_OK, "the appliance lets it in");
        let (reserve, settle) = (portcullis_gate_reserve as ReserveInC, portcullis_gate_settle as SettleInC);
        Self { gate, reserve: black_box(reserve), settle: black_box(settle), desk }
    }

    fn order(order: &OrderIntent) -> Order {
        Order {
            id: order.cl_ord_id,
            price: order.px.0,
            instrument: order.instrument.0,
            quantity: order.qty.0,
            strategy: order.strategy.0,
            account: order.account.0,
            side: match order.side {
                Side::Bid => PORTCULLIS_GATE_BUY,
                Side::Ask => PORTCULLIS_GATE_SELL,
            },
            order_type: match order.order_type {
                OrderType::Limit => portcullis_gate::PORTCULLIS_GATE_LIMIT,
                OrderType::Market => portcullis_gate::PORTCULLIS_GATE_MARKET,
            },
            time_in_force: match order.tif {
                TimeInForce::Day => portcullis_gate::PORTCULLIS_GATE_DAY,
                TimeInForce::Ioc => portcullis_gate::PORTCULLIS_GATE_IOC,
                TimeInForce::Gtc => portcullis_gate::PORTCULLIS_GATE_GTC,
            },
            reserved: [0; 9],
        }
    }

    #[inline(always)]
    fn round_trip(&mut self, order: &Order, id: u64, now: UnixNanos) -> bool {
        let (mut verdict, mut reservation) = (Verdict::default(), Reservation::default());
        let event = Event { id, kind: PORTCULLIS_GATE_CANCELLED, ..Event::default() };
        let mut settled = 0;
        let (order, event) = (black_box(order), black_box(&event));
        // SAFETY: a gate that is attached, and places for what comes back.
        let reserved =
            unsafe { (self.reserve)(self.gate, order, now.0, &raw mut verdict, &raw mut reservation) };
        // SAFETY: as before.
        let told = unsafe { (self.settle)(self.gate, event, now.0, &raw mut settled) };
        (reserved == PORTCULLIS_GATE_OK) & (told == PORTCULLIS_GATE_OK) & (settled == PORTCULLIS_GATE_DONE)
    }

    fn drain(&mut self) {
        self.desk.drain();
    }
}
