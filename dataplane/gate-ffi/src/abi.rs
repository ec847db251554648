//! The C functions. This file and [`pointers`] are the only ones of this crate with `unsafe` in them.
//!
//! Every function is given pointers by C, and may believe of them only what the header asks: that one which is neither null nor
//! misaligned points to what its type says, which nobody else uses meanwhile. Null and misaligned ones are answered with a
//! status. What is written is written whole, never through a reference: its memory need not have held anything before.
#![expect(clippy::missing_safety_doc, reason = "said once, above and in the header")]

mod pointers;

use self::pointers::{Room, give, give_text, take, text};
use crate::convert::{self, Fault, settlement};
use crate::handle::{self, Handle, contained, name_of};
use crate::layout::*;
use crate::reasons;
use attach::OrderThread;
use core::ffi::{CStr, c_char};
use gate::{AccountId, Breach as GateBreach, OrderIntent, StrategyId};
use types::{InstrumentId, Symbol, UnixNanos};

/// The handle at `gate`.
///
/// # Safety
/// `gate` is null, misaligned, or what [`portcullis_gate_attach`] gave and nobody else uses for as long as `'a`.
#[inline]
unsafe fn handle_at<'a>(gate: *mut Handle) -> Option<&'a mut Handle> {
    let there = !gate.is_null() && gate.is_aligned();
    // SAFETY: it is neither null nor misaligned, and so, by this function's contract, a handle that is used here alone.
    there.then(|| unsafe { &mut *gate })
}

/// Does `work` on the thread behind `gate`.
///
/// # Safety
/// As for [`handle_at`], during the call.
#[inline]
unsafe fn on(gate: *mut Handle, work: impl FnOnce(&mut OrderThread) -> Result<i32, Fault>) -> i32 {
    // SAFETY: by this function's contract.
    unsafe { handle_at(gate) }.map_or(PORTCULLIS_GATE_INVALID, |handle| handle.run(work))
}

/// Does `work` on the thread behind `gate`, and writes what it gives where `to` points: `failed` when it gives nothing.
///
/// # Safety
/// As for [`on`] and [`give`].
#[inline]
unsafe fn found<T: Copy>(
    gate: *mut Handle,
    (name, to, failed): (&'static str, *mut T, T),
    work: impl FnOnce(&mut OrderThread) -> Result<T, Fault>,
) -> i32 {
    // SAFETY: by this function's contract. Whatever fails from here on, nobody reads an answer.
    let has_place = unsafe { give(to, failed) };
    let work = |thread: &mut OrderThread| {
        if !has_place {
            return Err(Fault::Pointer(name));
        }
        let value = work(thread)?;
        // SAFETY: by this function's contract.
        unsafe { give(to, value) };
        Ok(PORTCULLIS_GATE_OK)
    };
    // SAFETY: by this function's contract.
    unsafe { on(gate, work) }
}

/// Asks `judge` whether an order may be sent, and writes its answer.
///
/// # Safety
/// As for [`on`], [`take`] and [`give`].
#[inline]
unsafe fn judged(
    gate: *mut Handle,
    order: *const Order,
    (verdict, reservation): (*mut Verdict, *mut Reservation),
    judge: impl FnOnce(&mut OrderThread, &OrderIntent) -> (gate::Verdict, Option<gate::Reservation>),
) -> i32 {
    // SAFETY: by this function's contract.
    let order = unsafe { take(order) };
    // SAFETY: by this function's contract. Whatever fails from here on, nobody reads an acceptance.
    let has_verdict = unsafe { give(verdict, Verdict::REFUSED) };
    // SAFETY: by this function's contract.
    let has_reservation = unsafe { give(reservation, Reservation::default()) };
    let work = |thread: &mut OrderThread| {
        if !has_verdict || !has_reservation {
            return Err(Fault::Pointer(if has_verdict { "reservation" } else { "verdict" }));
        }
        let order = order_of(order)?;
        let (said, reserved) = judge(thread, &order);
        // An acceptance comes with a reservation, or it is none.
        if reserved.is_some() || !said.accepted() {
            // SAFETY: by this function's contract.
            unsafe { give(verdict, said.into()) };
        }
        let Some(reserved) = reserved else { return Ok(PORTCULLIS_GATE_REFUSED) };
        // SAFETY: by this function's contract.
        unsafe { give(reservation, (&reserved).into()) };
        Ok(PORTCULLIS_GATE_OK)
    };
    // SAFETY: by this function's contract.
    unsafe { on(gate, work) }
}

/// The order that C means.
#[inline]
fn order_of(order: Option<Order>) -> Result<OrderIntent, Fault> {
    let order = order.ok_or(Fault::Pointer("order"))?;
    convert::intent(&order).ok_or_else(|| convert::order_fault(&order))
}

/// The version of this interface that the library has: PORTCULLIS_GATE_ABI_VERSION of its header.
#[unsafe(no_mangle)]
pub extern "C" fn portcullis_gate_abi_version() -> u32 {
    PORTCULLIS_GATE_ABI_VERSION
}

/// What the library has of the additions under its version: PORTCULLIS_GATE_ABI_MINOR of its header.
#[unsafe(no_mangle)]
pub extern "C" fn portcullis_gate_abi_minor() -> u32 {
    PORTCULLIS_GATE_ABI_MINOR
}

/// Attaches this process as `client` to the appliance whose control socket is `socket`, within `timeout_ms`. `abi_version` is
/// PORTCULLIS_GATE_ABI_VERSION, and compared before anything is read: these arguments are those of every version. Gives the gate in
/// `gate`, which is NULL on any other status; why it is, in `error`, `error_size` bytes that may be NULL. The gate holds what the
/// client's last one held: list its open orders, and ask the venue of them before anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_attach(
    abi_version: u32,
    socket: *const c_char,
    client: *const c_char,
    timeout_ms: u32,
    gate: *mut *mut Handle,
    error: *mut c_char,
    error_size: usize,
) -> i32 {
    // SAFETY: by the header.
    let has_gate = unsafe { give(gate, core::ptr::null_mut()) };
    let fits = abi_version == PORTCULLIS_GATE_ABI_VERSION;
    // SAFETY: by the header.
    let socket = if fits { unsafe { text(socket) } } else { None };
    // SAFETY: by the header.
    let client = if fits { unsafe { text(client) } } else { None };
    let attached = contained(|| handle::attach(abi_version, socket, client, timeout_ms, has_gate));
    match attached.unwrap_or_else(|| Err((PORTCULLIS_GATE_FAILED, Fault::Failed.to_string()))) {
        Ok(handle) => {
            // SAFETY: by the header.
            unsafe { give(gate, Box::into_raw(handle)) };
            PORTCULLIS_GATE_OK
        }
        Err((status, why)) => {
            // SAFETY: by the header.
            unsafe { give_text(error, error_size, why) };
            status
        }
    }
}

/// Gives a gate up. Its open orders count until the client attaches again and says what became of them. NULL is none. In a process that
/// is forked from the one that attached, the other's gate stays as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_detach(gate: *mut Handle) {
    if !gate.is_null() && gate.is_aligned() {
        // SAFETY: it came from `Box::into_raw` in portcullis_gate_attach, and nobody uses it any more, by the header.
        let handle = unsafe { Box::from_raw(gate) };
        contained(|| drop(handle));
    }
}

/// Why the last call on `gate` that gave a negative status gave it; empty before there was one. Valid until the next call on it. What
/// portcullis_gate_attach has to say stands in its `error`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_last_error(gate: *const Handle) -> *const c_char {
    if gate.is_null() || !gate.is_aligned() {
        return c"gate is null or misaligned".as_ptr();
    }
    // SAFETY: it is neither, and so a handle that nobody else uses meanwhile, by the header.
    unsafe { &*gate }.said().as_ptr().cast()
}

/// The number of an instrument, once the feed has named it. For the start of day: it walks the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_instrument(
    gate: *mut Handle,
    symbol: *const c_char,
    instrument: *mut u32,
) -> i32 {
    // SAFETY: by the header.
    let symbol = unsafe { text(symbol) };
    let work = |thread: &mut OrderThread| {
        let wanted = "1 to 8 printable ASCII characters";
        let symbol = symbol.and_then(Symbol::new).ok_or(Fault::Text { name: "symbol", wanted })?;
        let found = thread.instrument(symbol).map(|found| found.0);
        found.ok_or(Fault::NotFound("the feed has named no such instrument yet"))
    };
    // SAFETY: by the header.
    unsafe { found(gate, ("instrument", instrument, u32::MAX), work) }
}

/// The number of one of the client's strategies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_strategy(
    gate: *mut Handle,
    name: *const c_char,
    strategy: *mut u16,
) -> i32 {
    // SAFETY: by the header.
    let name = unsafe { text(name) };
    let work = |thread: &mut OrderThread| {
        let found = thread.strategy(&name_of(name)?);
        found.map(|found| found.0).ok_or(Fault::NotFound("the client has no such strategy"))
    };
    // SAFETY: by the header.
    unsafe { found(gate, ("strategy", strategy, u16::MAX), work) }
}

/// The number of one of the client's accounts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_account(
    gate: *mut Handle,
    name: *const c_char,
    account: *mut u16,
) -> i32 {
    // SAFETY: by the header.
    let name = unsafe { text(name) };
    let work = |thread: &mut OrderThread| {
        let found = thread.account(&name_of(name)?);
        found.map(|found| found.0).ok_or(Fault::NotFound("the client has no such account"))
    };
    // SAFETY: by the header.
    unsafe { found(gate, ("account", account, u16::MAX), work) }
}

/// Whether a new order may be sent: PORTCULLIS_GATE_OK when it may, and counts from now on; PORTCULLIS_GATE_REFUSED when it must
/// not. `now_ns` is the time in nanoseconds since 1970 (UTC), as a system clock has it that is right, or 0: where it is not the
/// appliance's time, that is taken, which a clock that is set does not move. Neither this nor replace, release or settle allocates,
/// locks or makes a system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_reserve(
    gate: *mut Handle,
    order: *const Order,
    now_ns: u64,
    verdict: *mut Verdict,
    reservation: *mut Reservation,
) -> i32 {
    let judge = |thread: &mut OrderThread, order: &OrderIntent| thread.reserve(order, UnixNanos(now_ns));
    // SAFETY: by the header.
    unsafe { judged(gate, order, (verdict, reservation), judge) }
}

/// Whether `order` may replace the open order `replaced`: as portcullis_gate_reserve. Both count until the venue has answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_replace(
    gate: *mut Handle,
    replaced: u64,
    order: *const Order,
    now_ns: u64,
    verdict: *mut Verdict,
    reservation: *mut Reservation,
) -> i32 {
    let judge =
        |thread: &mut OrderThread, order: &OrderIntent| thread.replace(replaced, order, UnixNanos(now_ns));
    // SAFETY: by the header.
    unsafe { judged(gate, order, (verdict, reservation), judge) }
}

/// The order could not be sent after all. A reservation of which the venue has spoken releases nothing, nor does one of another gate.
/// `settled` is one of PORTCULLIS_GATE_WORKING to PORTCULLIS_GATE_UNKNOWN_ORDER, 0 when the call failed. PORTCULLIS_GATE_UNTOLD when it
/// is done and the appliance does not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_release(
    gate: *mut Handle,
    reservation: *const Reservation,
    now_ns: u64,
    settled: *mut u8,
) -> i32 {
    // SAFETY: by the header.
    let reservation = unsafe { take(reservation) };
    let work = |thread: &mut OrderThread| {
        let reservation = convert::reservation(reservation.ok_or(Fault::Pointer("reservation"))?)?;
        Ok(settlement(thread.release(reservation, UnixNanos(now_ns))))
    };
    // SAFETY: by the header.
    unsafe { found(gate, ("settled", settled, 0), work) }
}

/// Takes note of what the venue says happened, and says what that did in `settled`, as portcullis_gate_release.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_settle(
    gate: *mut Handle,
    event: *const Event,
    now_ns: u64,
    settled: *mut u8,
) -> i32 {
    // SAFETY: by the header.
    let event = unsafe { take(event) };
    let work = |thread: &mut OrderThread| {
        let event = convert::event(event.ok_or(Fault::Pointer("event"))?)?;
        Ok(settlement(thread.settle(event, UnixNanos(now_ns))))
    };
    // SAFETY: by the header.
    unsafe { found(gate, ("settled", settled, 0), work) }
}

/// Sets what a strategy holds in an instrument, and ends its doubt: start of day, or reconciliation with the venue. What it holds
/// more or less than before is `account`'s. At most PORTCULLIS_GATE_POSITION_MAX either way. PORTCULLIS_GATE_UNTOLD as for
/// portcullis_gate_release.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_set_position(
    gate: *mut Handle,
    instrument: u32,
    strategy: u16,
    account: u16,
    position: i64,
    now_ns: u64,
) -> i32 {
    let (instrument, strategy, account) =
        (InstrumentId(instrument), StrategyId(strategy), AccountId(account));
    let work = |thread: &mut OrderThread| {
        let position = convert::position(position)?;
        let set = thread.set_position(instrument, strategy, account, position, UnixNanos(now_ns));
        let why = "no such instrument, or no such strategy or account of the client's";
        set.map(|()| PORTCULLIS_GATE_OK).map_err(|_| Fault::NotFound(why))
    };
    // SAFETY: by the header.
    unsafe { on(gate, work) }
}

/// What one of the client's strategies holds and has working in an instrument. Every number is its type's largest when the call failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_exposure(
    gate: *mut Handle,
    instrument: u32,
    strategy: u16,
    exposure: *mut Exposure,
) -> i32 {
    let work = |thread: &mut OrderThread| {
        let held = thread.exposure(InstrumentId(instrument), StrategyId(strategy));
        held.map(Exposure::from)
            .ok_or(Fault::NotFound("no such instrument, or no such strategy of the client's"))
    };
    // SAFETY: by the header.
    unsafe { found(gate, ("exposure", exposure, Exposure::UNKNOWN), work) }
}

/// The open orders, in no particular order: at most `capacity` of them in `orders`, and in `count` how many there are, 0 when the call
/// failed. Walks a table: not for the order path. The one call that still answers after PORTCULLIS_GATE_FAILED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_open_orders(
    gate: *mut Handle,
    orders: *mut OpenOrder,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    let room = Room { to: orders, capacity, count };
    // SAFETY: by the header.
    let has_room = unsafe { room.clear() };
    let work = |thread: &OrderThread| {
        has_room?;
        // SAFETY: by the header.
        Ok(unsafe { room.list(thread.open_orders().map(OpenOrder::from)) })
    };
    // SAFETY: by the header.
    unsafe { handle_at(gate) }.map_or(PORTCULLIS_GATE_INVALID, |handle| handle.look(work))
}

/// What portcullis_gate_reserve would say, and every limit that the order breaks, the verdict's first: at most `capacity` of them in
/// `breaches`, and in `count` how many there are, 0 when the call failed. Without effect. PORTCULLIS_GATE_OK says that the answer is there, not that the order may be sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_explain(
    gate: *mut Handle,
    order: *const Order,
    now_ns: u64,
    verdict: *mut Verdict,
    breaches: *mut Breach,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: by the header.
    let order = unsafe { take(order) };
    // SAFETY: by the header.
    let has_verdict = unsafe { give(verdict, Verdict::REFUSED) };
    let room = Room { to: breaches, capacity, count };
    // SAFETY: by the header.
    let has_room = unsafe { room.clear() };
    let work = |thread: &mut OrderThread| {
        if !has_verdict {
            return Err(Fault::Pointer("verdict"));
        }
        has_room?;
        let order = order_of(order)?;
        let explained = thread.explain(&order, UnixNanos(now_ns));
        // SAFETY: by the header.
        unsafe { give(verdict, explained.verdict.into()) };
        // SAFETY: by the header.
        Ok(unsafe { room.list(explained.breaches().map(Breach::from)) })
    };
    // SAFETY: by the header.
    unsafe { on(gate, work) }
}

/// Records that found the ring full, so that the appliance does not know of them: its books are in doubt. The calls that said them gave
/// PORTCULLIS_GATE_UNTOLD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_lost(gate: *mut Handle, lost: *mut u64) -> i32 {
    // SAFETY: by the header.
    unsafe { found(gate, ("lost", lost, u64::MAX), |thread| Ok(thread.lost())) }
}

/// 1 in `orphaned` when the appliance that this gate is attached to is gone, or the call failed: detach, and attach again. A system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_orphaned(gate: *mut Handle, orphaned: *mut u8) -> i32 {
    // SAFETY: by the header.
    unsafe { found(gate, ("orphaned", orphaned, 1), |thread| Ok(u8::from(thread.is_orphaned()))) }
}

/// The stable name of a reason, for files and FIX tag 58; NULL when there is no such reason. Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn portcullis_gate_reason_slug(reason: u16) -> *const c_char {
    reasons::slug(reason).map_or(core::ptr::null(), CStr::as_ptr)
}

/// What a reason says, with {limit} and {value} where the numbers stand; NULL when there is no such reason. Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn portcullis_gate_reason_sentence(reason: u16) -> *const c_char {
    reasons::sentence(reason).map_or(core::ptr::null(), CStr::as_ptr)
}

/// Slug and sentence of a reason with its numbers in their units, in `size` bytes at `text`, the zero included; what does not fit is
/// cut. Empty on any other status than PORTCULLIS_GATE_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portcullis_gate_reason_text(
    reason: u16,
    limit: i64,
    value: i64,
    text: *mut c_char,
    size: usize,
) -> i32 {
    if text.is_null() || size == 0 {
        return PORTCULLIS_GATE_INVALID;
    }
    // SAFETY: by the header.
    unsafe { give_text(text, size, "") };
    let Some(reason) = reasons::reason(reason) else { return PORTCULLIS_GATE_NOT_FOUND };
    // SAFETY: by the header.
    unsafe { give_text(text, size, GateBreach { reason, limit, value }) };
    PORTCULLIS_GATE_OK
}
